"""One centre's certificates and lists as files, for software that is not ours to judge."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives.serialization import Encoding

from ca.records import Carrier, Issuer
from pki.validity import whole_seconds
from policies.profiles import Purpose
from store.database import Store
from tests.flows.conftest import Centre
from tests.flows.issuing import certificate, issue, revoke


@dataclass(frozen=True)
class Published:
    """A folder with NAME.pem of certificates and NAME.crl.pem of lists, and when they were made.

    ``sign-good``, ``auth-good`` of a doctor and hospital director; ``sign-revoked``,
    ``auth-revoked`` of another doctor; ``root``, ``sign``, ``auth``; ``rarl``, ``sarl``.
    """

    folder: Path
    at: int

    def pem(self, name: str) -> Path:
        return self.folder / f"{name}.pem"

    def crl(self, name: str) -> Path:
        return self.folder / f"{name}.crl.pem"

    def der(self, name: str) -> bytes:
        return x509.load_pem_x509_certificate(self.pem(name).read_bytes()).public_bytes(
            Encoding.DER
        )

    def crl_der(self, name: str) -> bytes:
        return x509.load_pem_x509_crl(self.crl(name).read_bytes()).public_bytes(Encoding.DER)

    def joined(self, name: str, *paths: Path) -> Path:
        """One file of several."""
        path = self.folder / name
        path.write_bytes(b"".join(one.read_bytes() for one in paths))
        return path


CERTIFICATES = (
    "root",
    "sign",
    "auth",
    "sign-good",
    "auth-good",
    "sign-revoked",
    "auth-revoked",
    "sign-plain",
)
LISTS = ("rarl", "sarl", "sign", "auth")


@pytest.fixture(scope="session")
def published(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Published]:
    """The files of a centre with three cards, one of them revoked.

    Its clock stands at the real time, since certtool judges by no other.
    """
    folder = tmp_path_factory.mktemp("interop")
    store = Store(f"sqlite:///{folder / 'store.sqlite'}")
    now = whole_seconds(datetime.now(UTC))
    centre = Centre(store, folder, now=now - timedelta(minutes=20))
    centre.set_up()
    centre.hold_ceremony()
    good = issue(
        centre,
        1,
        organizational_unit="Director",
        roles=("Medical Doctor", "Director of Hospital"),
    )
    revoked = issue(centre, 2)
    plain = issue(
        centre, 3, roles=(), organization=None, japanese_organization=None, japanese_name=None
    )
    revoke(centre, revoked)
    centre.pass_time(minutes=10)
    centre.due()
    assert centre.repository.publish() == []
    _write(centre, folder, {"good": good, "revoked": revoked, "plain": plain})
    yield Published(folder, int(now.timestamp()))
    store.close()


def _write(centre: Centre, folder: Path, carriers: dict[str, Carrier]) -> None:
    with centre.store.read() as tx:
        for name in ("root", "sign", "auth"):
            found = tx.get_one(Issuer, name).certificate_der or b""
            pem = x509.load_der_x509_certificate(found).public_bytes(Encoding.PEM)
            (folder / f"{name}.pem").write_bytes(pem)
    for name, carrier in carriers.items():
        for purpose in Purpose:
            made = certificate(centre, carrier, purpose)
            path = folder / f"{purpose.lower()}-{name}.pem"
            path.write_bytes(made.public_bytes(Encoding.PEM))
    for name in LISTS:
        octets = (folder / "public" / f"{name}.crl").read_bytes()
        pem = x509.load_der_x509_crl(octets).public_bytes(Encoding.PEM)
        (folder / f"{name}.crl.pem").write_bytes(pem)
