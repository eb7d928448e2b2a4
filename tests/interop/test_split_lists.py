"""OpenSSL and GnuTLS judge by the parts of a split list: the certificate's own, and no other."""

from __future__ import annotations

import re
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta

import pytest
from cryptography import x509
from cryptography.hazmat.primitives.serialization import Encoding

from ca.records import Issuer
from pki.validity import whole_seconds
from policies.profiles import Purpose
from store.database import Store
from tests.flows.conftest import Centre
from tests.flows.issuing import certificate, issue, revoke
from tests.flows.test_split_lists import COUNT, SPLIT, let_serials_end
from tests.interop.conftest import Published
from tests.interop.test_openssl import TEST_SIGN, run, verify

pytestmark = pytest.mark.xdist_group("interop")

ROOT = ("rarl", "sarl")
OWN, OTHER = "sign-3", "sign-4"
LISTS = (*ROOT, *(f"sign-{shard}" for shard in range(COUNT)))


@pytest.fixture(scope="module")
def published(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Published]:
    """The files of a centre with two cards of part 3, one of them revoked."""
    folder = tmp_path_factory.mktemp("split")
    store = Store(f"sqlite:///{folder / 'store.sqlite'}")
    now = whole_seconds(datetime.now(UTC))
    centre = Centre(store, folder, now=now - timedelta(minutes=20))
    centre.set_up()
    centre.hold_ceremony(SPLIT)
    let_serials_end(centre, 3)
    carriers = {"sign-good": issue(centre, 1), "sign-revoked": issue(centre, 2)}
    revoke(centre, carriers["sign-revoked"])
    centre.pass_time(minutes=10)
    centre.due()
    made = {name: certificate(centre, one, Purpose.SIGN) for name, one in carriers.items()}
    with centre.store.read() as tx:
        for name in ("root", "sign"):
            found = tx.get_one(Issuer, name).certificate_der or b""
            made[name] = x509.load_der_x509_certificate(found)
    for name, one in made.items():
        (folder / f"{name}.pem").write_bytes(one.public_bytes(Encoding.PEM))
    for name in LISTS:
        parsed = x509.load_der_x509_crl((folder / "public" / f"{name}.crl").read_bytes())
        (folder / f"{name}.crl.pem").write_bytes(parsed.public_bytes(Encoding.PEM))
    yield Published(folder, int(now.timestamp()))
    store.close()


@pytest.mark.parametrize("crls", [(*ROOT, OWN), LISTS], ids=["own", "all"])
def test_openssl_accepts_a_card_by_its_part(published: Published, crls: tuple[str, ...]) -> None:
    result = verify(published, "sign-good", TEST_SIGN, crls)
    assert (result.returncode, result.stderr) == (0, "")


@pytest.mark.parametrize("crls", [(*ROOT, OWN), LISTS], ids=["own", "all"])
def test_openssl_knows_the_revoked_by_its_part(published: Published, crls: tuple[str, ...]) -> None:
    result = verify(published, "sign-revoked", TEST_SIGN, crls)
    assert result.returncode != 0
    assert "certificate revoked" in result.stderr


@pytest.mark.parametrize("name", ["sign-good", "sign-revoked"])
@pytest.mark.parametrize(
    "crls",
    [(*ROOT, OTHER), tuple(one for one in LISTS if one != OWN), ROOT],
    ids=["another", "all-others", "none"],
)
def test_openssl_takes_no_other_part(
    published: Published, name: str, crls: tuple[str, ...]
) -> None:
    result = verify(published, name, TEST_SIGN, crls)
    assert result.returncode != 0
    wanted = "unable to get certificate CRL" if crls == ROOT else "[Dd]ifferent CRL scope"
    assert re.search(wanted, result.stderr), result.stderr
    assert "certificate revoked" not in result.stderr


@pytest.mark.parametrize("name", [OWN, OTHER])
def test_openssl_reads_the_point(published: Published, name: str) -> None:
    result = run("openssl", "crl", "-in", published.crl(name), "-noout", "-text")
    assert (result.returncode, result.stderr) == (0, "")
    shown = re.sub(r"\s+", " ", result.stdout)
    assert (
        "X509v3 Issuing Distribution Point: critical Full Name: "
        f"URI:http://repository.test/{name}.crl {'' if name == OWN else 'No '}Revoked Certificates"
    ) in shown
    assert (
        f"URI:http://repository.test/{OWN}.crl"
        in run("openssl", "x509", "-in", published.pem("sign-good"), "-noout", "-text").stdout
    )


@pytest.mark.parametrize("name", [OWN, OTHER])
def test_gnutls_reads_the_list(published: Published, name: str) -> None:
    result = run("certtool", "--crl-info", "--infile", published.crl(name))
    assert (result.returncode, result.stderr) == (0, "")
    entries = "Revoked certificates (1)" if name == OWN else "No revoked certificates."
    assert entries in result.stdout


@pytest.mark.parametrize(("name", "code"), [("sign-good", 0), ("sign-revoked", 1)])
def test_gnutls_knows_the_revoked(published: Published, name: str, code: int) -> None:
    chain = published.joined(f"{name}.chain", published.pem(name), published.pem("sign"))
    lists = published.joined(f"{name}.gnutls", *map(published.crl, (OWN, "sarl")))
    root = published.pem("root")
    arguments = ("--load-ca-certificate", root, "--load-crl", lists, "--infile", chain)
    result = run("certtool", "--verify", *arguments)
    assert result.returncode == code, result.stdout
    assert ("revoked" in result.stdout) is (code == 1)
