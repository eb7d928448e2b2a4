"""OpenSSL judges the next generation: P-384, RSA 4096, SHA-384, holders on P-256 and RSA 3072."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.hazmat.primitives.serialization import Encoding

from ca.carriers import file_carrier
from ca.records import Carrier, Issuer
from pki.validity import whole_seconds
from store.database import Store
from tests.flows.conftest import Centre
from tests.flows.issuing import PURPOSES, accept, certificate, dossier, open_batch, profiles, revoke
from tests.flows.test_next_generation import CEREMONY, request_by
from tests.interop.conftest import Published
from tests.interop.test_openssl import TEST_AUTH, TEST_SIGN, run

pytestmark = pytest.mark.xdist_group("interop")

LISTS = ("rarl", "sarl", "sign", "auth")
AUTHORITIES = ("root", "sign", "auth")
HOLDERS = ("sign-rsa", "auth-rsa", "sign-curve", "auth-curve")
POLICIES = {"sign": TEST_SIGN, "auth": TEST_AUTH}


def issue(
    centre: Centre, number: int, keys: Sequence[rsa.RSAPrivateKey | ec.EllipticCurvePrivateKey]
) -> Carrier:
    """Both certificates for the keys, on a file."""
    wanted = profiles("ee-sign-ng", "ee-auth-ng")
    order = accept(centre, dossier(number, carrier="FILE", profiles=wanted))
    batch, carrier = open_batch(centre, order.id, batch_id=str(number)), file_carrier(order.id)
    for purpose, key in zip(PURPOSES, keys, strict=True):
        prepared = centre.orders.prepare(order.id, purpose, request_by(key))
        centre.orders.issue(prepared, order.id, purpose, carrier, batch)
    return carrier


@pytest.fixture(scope="module")
def published(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Published]:
    """The files of a centre with three holders, the last one revoked."""
    folder = tmp_path_factory.mktemp("next-generation")
    now = whole_seconds(datetime.now(UTC))
    store = Store(f"sqlite:///{folder / 'store.sqlite'}")
    centre = Centre(store, folder, now=now - timedelta(minutes=20))
    centre.set_up()
    centre.hold_ceremony(CEREMONY)
    carriers = {
        "rsa": issue(centre, 1, [rsa.generate_private_key(65537, 3072) for _ in PURPOSES]),
        "curve": issue(centre, 2, [ec.generate_private_key(ec.SECP256R1()) for _ in PURPOSES]),
        "revoked": issue(centre, 3, [ec.generate_private_key(ec.SECP256R1()) for _ in PURPOSES]),
    }
    revoke(centre, carriers["revoked"])
    centre.pass_time(minutes=10)
    centre.due()
    _write(centre, folder, carriers)
    yield Published(folder, int(now.timestamp()))
    store.close()


def _write(centre: Centre, folder: Path, carriers: dict[str, Carrier]) -> None:
    made = {
        f"{purpose.lower()}-{name}": certificate(centre, carrier, purpose)
        for name, carrier in carriers.items()
        for purpose in PURPOSES
    }
    with centre.store.read() as tx:
        for name in AUTHORITIES:
            found = tx.get_one(Issuer, f"{name}-ng").certificate_der or b""
            made[name] = x509.load_der_x509_certificate(found)
    for name, one in made.items():
        (folder / f"{name}.pem").write_bytes(one.public_bytes(Encoding.PEM))
    for name in LISTS:
        octets = (folder / "public" / f"crl-{name}-ng.crl").read_bytes()
        pem = x509.load_der_x509_crl(octets).public_bytes(Encoding.PEM)
        (folder / f"{name}.crl.pem").write_bytes(pem)


def judged(published: Published, name: str, policy: str) -> tuple[int, str]:
    """OpenSSL's exit status and all it says."""
    ca = name.partition("-")[0]
    lists = published.joined(f"{name}.lists", *map(published.crl, LISTS))
    fixed = ("-x509_strict", "-crl_check_all", "-explicit_policy", "-policy_check")
    result = run(
        "openssl", "verify", "-attime", str(published.at), *fixed, "-policy", policy,
        "-CAfile", published.pem("root"), "-untrusted", published.pem(ca), "-CRLfile", lists,
        published.pem(name),
    )  # fmt: skip
    return result.returncode, result.stdout + result.stderr


@pytest.mark.parametrize("name", HOLDERS)
def test_openssl_accepts_holders_with_their_policy(published: Published, name: str) -> None:
    code, said = judged(published, name, POLICIES[name.partition("-")[0]])
    assert (code, said) == (0, f"{published.pem(name)}: OK\n")


@pytest.mark.parametrize("name", HOLDERS)
def test_openssl_refuses_another_policy(published: Published, name: str) -> None:
    other = TEST_AUTH if name.startswith("sign") else TEST_SIGN
    code, said = judged(published, name, other)
    assert code != 0
    assert "no explicit policy" in said


@pytest.mark.parametrize("name", ["sign-revoked", "auth-revoked"])
def test_openssl_refuses_the_revoked(published: Published, name: str) -> None:
    code, said = judged(published, name, POLICIES[name.partition("-")[0]])
    assert code != 0
    assert "certificate revoked" in said


SHOWN = {
    "root": ("ecdsa-with-SHA384", "384 bit"),
    "sign": ("ecdsa-with-SHA384", "384 bit"),
    "auth": ("ecdsa-with-SHA384", "4096 bit"),
    "sign-rsa": ("ecdsa-with-SHA384", "3072 bit"),
    "auth-rsa": ("sha384WithRSAEncryption", "3072 bit"),
    "sign-curve": ("ecdsa-with-SHA384", "prime256v1"),
    "auth-curve": ("sha384WithRSAEncryption", "prime256v1"),
}


@pytest.mark.parametrize("name", SHOWN)
def test_openssl_reads_algorithms_and_keys(published: Published, name: str) -> None:
    result = run("openssl", "x509", "-in", published.pem(name), "-noout", "-text")
    assert (result.returncode, result.stderr) == (0, "")
    for wanted in SHOWN[name]:
        assert wanted in result.stdout, wanted


@pytest.mark.parametrize("name", LISTS)
def test_openssl_reads_and_verifies_every_list(published: Published, name: str) -> None:
    issuer = "root" if name in ("rarl", "sarl") else name
    result = run(
        "openssl", "crl", "-in", published.crl(name), "-noout", "-text",
        "-CAfile", published.pem(issuer),
    )  # fmt: skip
    assert "verify OK" in result.stderr
    wanted = "sha384WithRSAEncryption" if name == "auth" else "ecdsa-with-SHA384"
    assert wanted in result.stdout
