"""OpenSSL, GnuTLS and Java read our lists, short and long, and judge by them."""

from __future__ import annotations

import random
import re
import subprocess
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import cached_property
from hashlib import sha256
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives.serialization import Encoding

from crl.building import ListFacts, frame, write_list
from pki.reasons import Reason, entry_der
from pki.signing import sign_digest
from policies.profiles import ListScope, Purpose
from tests.golden.test_certificates import person, root, sub_ca
from tests.golden.vectors import NOW, private_key
from tests.interop.conftest import LISTS, Published
from tests.interop.test_openssl import run
from tests.tiers import require_tool
from tests.unit.test_pki_validation import signed_list

pytestmark = pytest.mark.xdist_group("interop")

JAVA = Path(__file__).with_name("ReadLists.java")
REASONS = (None, *(one for one in Reason if one is not Reason.CA_COMPROMISE))
JAVA_NAMES = {
    None: "null",
    Reason.KEY_COMPROMISE: "KEY_COMPROMISE",
    Reason.AFFILIATION_CHANGED: "AFFILIATION_CHANGED",
    Reason.SUPERSEDED: "SUPERSEDED",
    Reason.CESSATION_OF_OPERATION: "CESSATION_OF_OPERATION",
    Reason.PRIVILEGE_WITHDRAWN: "PRIVILEGE_WITHDRAWN",
}
POINT = "2.5.29.28"


@dataclass(frozen=True)
class Long:
    """A list of 3,000 entries in DER, and its issuer in PEM."""

    path: Path
    issuer: Path
    number: int
    entries: tuple[tuple[int, datetime, Reason | None], ...]

    @cached_property
    def next_update(self) -> datetime:
        return NOW + timedelta(hours=96)


@pytest.fixture(scope="module")
def long(tmp_path_factory: pytest.TempPathFactory) -> Long:
    """Serials of 16 octets, every reason, a number of 20 octets."""
    made = random.Random(6)
    serials = sorted(made.getrandbits(120) | 1 << 120 for _ in range(3000))
    dates = (NOW - timedelta(seconds=made.randrange(157_680_000)) for _ in serials)
    entries = tuple(zip(serials, dates, (made.choice(REASONS) for _ in serials), strict=True))
    folder = tmp_path_factory.mktemp("long")
    number = (1 << 158) + 5
    facts = ListFacts(sub_ca(), ListScope.FULL, number, NOW, NOW + timedelta(hours=96), "SHA-256")
    found = Long(folder / "long.crl", folder / "sub.pem", number, entries)
    found.issuer.write_bytes(sub_ca().public_bytes(Encoding.PEM))
    with (folder / "entries").open("w+b") as spool, found.path.open("w+b") as file:
        spool.write(b"".join(entry_der(*entry) for entry in entries))
        around = frame(facts, spool.tell())
        body = around.digest(spool, "SHA-256")
        write_list(file, facts, around, spool, sign_digest(private_key("sub"), body, "SHA-256"))
    return found


def shown(moment: datetime) -> str:
    """A time as OpenSSL prints it."""
    return f"{moment:%b} {moment.day:2} {moment:%H:%M:%S %Y} GMT"


def test_openssl_reads_a_long_list(long: Long) -> None:
    command = ("openssl", "crl", "-inform", "DER", "-in", long.path, "-noout")
    result = run(*command, "-text", "-CAfile", long.issuer)
    assert (result.returncode, result.stderr.strip()) == (0, "verify OK")
    assert f"Last Update: {shown(NOW)}\n" in result.stdout
    assert f"Next Update: {shown(long.next_update)}\n" in result.stdout
    found = re.findall(
        r"Serial Number: ([0-9A-F]+)\n +Revocation Date: (.*)\n"
        r"(?: +CRL entry extensions:\n +X509v3 CRL Reason Code: *\n +(.*)\n)?",
        result.stdout,
    )
    names: dict[Reason | None, str] = {
        one: one.name.replace("_", " ").title() if one is not None else "" for one in REASONS
    }
    assert found == [
        (f"{serial:032X}", shown(at), names[reason]) for serial, at, reason in long.entries
    ]
    number = run(*command, "-crlnumber")
    assert number.stdout == f"crlNumber=0x{long.number:X}\n"


def test_gnutls_reads_a_long_list(long: Long) -> None:
    result = run("certtool", "--crl-info", "--inder", "--infile", str(long.path))
    assert (result.returncode, result.stderr) == (0, "")
    assert "Revoked certificates (3000):" in result.stdout
    found = re.findall(r"Serial Number \(hex\): ([0-9a-f]+)\n\t+Revoked at: (.*)\n", result.stdout)
    assert found == [
        (f"{serial:032x}", f"{at:%a %b %d %H:%M:%S UTC %Y}") for serial, at, _ in long.entries
    ]
    (number,) = re.findall(r"CRL Number \(not critical\): ([0-9a-f]+)", result.stdout)
    assert int(number, 16) == long.number
    assert f"Next at: {long.next_update:%a %b %d %H:%M:%S UTC %Y}" in result.stdout


@pytest.mark.parametrize("name", LISTS)
def test_gnutls_reads_every_list_as_it_is_served(published: Published, name: str) -> None:
    path = published.folder / "public" / f"{name}.crl"
    result = run("certtool", "--crl-info", "--inder", "--infile", path)
    assert (result.returncode, result.stderr) == (0, "")
    (number,) = re.findall(r"CRL Number \(not critical\): ([0-9a-f]+)", result.stdout)
    assert int(number, 16) == (2 if name == "sarl" else 1)
    assert ("2.5.29.28 (critical)" in result.stdout) is (name in ("rarl", "sarl"))


# OpenSSL matches each list to its certificate by the issuingDistributionPoint


def judged_by(folder: Path, *lists: tuple[ListScope, int | None]) -> str:
    """What OpenSSL says of a person by the root's lists, each with one serial revoked or none.

    1 is the root's own, 4 the subordinate CA's, whose own list is always there, and empty.
    """
    entries = [
        (scope, () if serial is None else (entry_der(serial, NOW, None),))
        for scope, serial in lists
    ]
    made = [signed_list(root(), "root", scope, *one) for scope, one in entries]
    made.append(signed_list(sub_ca(), "sub", ListScope.FULL))
    paths = {"root": root(), "sub": sub_ca(), "person": person(Purpose.SIGN)}
    for name, certificate in paths.items():
        (folder / name).write_bytes(certificate.public_bytes(Encoding.PEM))
    (folder / "lists").write_bytes(
        b"".join(x509.load_der_x509_crl(one).public_bytes(Encoding.PEM) for one in made)
    )
    at = ("-attime", str(int(NOW.timestamp()) + 60))
    files = ("-CAfile", folder / "root", "-untrusted", folder / "sub", "-CRLfile", folder / "lists")
    result = run("openssl", "verify", *at, "-crl_check_all", *files, folder / "person")
    assert (result.returncode == 0) is (result.stdout.endswith(": OK\n"))
    return "OK" if result.returncode == 0 else result.stderr


RARL, SARL = ListScope.RARL, ListScope.SARL


@pytest.mark.parametrize("lists", [((RARL, None), (SARL, None)), ((SARL, None), (RARL, None))])
def test_openssl_takes_both_lists_of_the_root(
    tmp_path: Path, lists: tuple[tuple[ListScope, int | None], ...]
) -> None:
    assert judged_by(tmp_path, *lists) == "OK"


@pytest.mark.parametrize("one", [RARL, SARL])
def test_openssl_takes_no_list_of_the_root_for_the_other(tmp_path: Path, one: ListScope) -> None:
    assert "different crl scope" in judged_by(tmp_path, (one, None)).lower()
    assert "different crl scope" in judged_by(tmp_path, (one, None), (one, None)).lower()


def test_openssl_knows_a_revoked_ca_by_its_own_list_only(tmp_path: Path) -> None:
    said = judged_by(tmp_path, (RARL, None), (SARL, 4))
    assert "error 23 at 1 depth lookup: certificate revoked" in said
    said = judged_by(tmp_path, (RARL, 1), (SARL, None))
    assert "error 23 at 2 depth lookup: certificate revoked" in said
    assert judged_by(tmp_path, (RARL, 4), (SARL, 1)) == "OK"


# Java


@dataclass(frozen=True)
class Finding:
    """What Java says of a list."""

    number: int
    this_update: int
    next_update: int
    count: int
    entries: str
    critical: str
    signed: str


def java(*arguments: str) -> list[str]:
    """The line that the program gives for each argument; run from its source as it is."""
    command = [require_tool("java", tier="interop"), "-Xshare:auto", "-XX:TieredStopAtLevel=1"]
    require_tool("javac", tier="interop")
    done = subprocess.run(
        [*command, str(JAVA), *arguments], capture_output=True, text=True, check=False, timeout=120
    )
    assert (done.returncode, done.stderr) == (0, "")
    return done.stdout.splitlines()


def found_by_java(*pairs: tuple[Path, Path]) -> list[Finding]:
    """What it says of each list with that CA's certificate."""
    found = []
    for line in java(*(f"read:{issuer}:{path}" for issuer, path in pairs)):
        number, begins, ends, count, entries, critical, signed = line.split(" ")
        found.append(
            Finding(int(number), int(begins), int(ends), int(count), entries, critical, signed)
        )
    return found


def entries_digest(entries: Sequence[tuple[int, datetime, Reason | None]]) -> str:
    """What the program says of these entries."""
    lines = sorted(
        f"{serial:040x} {int(at.timestamp())} {JAVA_NAMES[reason]}"
        for serial, at, reason in entries
    )
    return sha256("\n".join(lines).encode()).hexdigest()


def test_java_reads_every_list(published: Published, long: Long) -> None:
    pairs = [
        (published.pem("root" if name in ("rarl", "sarl") else name),
         published.folder / "public" / f"{name}.crl")
        for name in LISTS
    ]  # fmt: skip
    foreign = (published.pem("auth"), published.folder / "public" / "sign.crl")
    *found, other, of_long = found_by_java(*pairs, foreign, (long.issuer, long.path))
    for name, one in zip(LISTS, found, strict=True):
        list_der = (published.folder / "public" / f"{name}.crl").read_bytes()
        parsed = x509.load_der_x509_crl(list_der)
        assert one == Finding(
            number=2 if name == "sarl" else 1,
            this_update=int(parsed.last_update_utc.timestamp()),
            next_update=int(parsed.last_update_utc.timestamp()) + 96 * 3600,
            count=0 if name in ("rarl", "sarl") else 1,
            entries=entries_digest(
                [(entry.serial_number, entry.revocation_date_utc, Reason.CESSATION_OF_OPERATION)
                 for entry in parsed]
            ),
            critical=f"{POINT};false" if name in ("rarl", "sarl") else ";false",
            signed="true",
        )  # fmt: skip
    assert other.signed == "false"
    assert of_long == Finding(
        long.number,
        int(NOW.timestamp()),
        int(long.next_update.timestamp()),
        3000,
        entries_digest(long.entries),
        ";false",
        "true",
    )


PATHS = [
    ("sign-good", LISTS, "VALID"),
    ("auth-good", LISTS, "VALID"),
    ("sign-good", ("sarl", "sign"), "VALID"),  # Java asks nothing of its trust anchor
    ("sign-revoked", LISTS, "REVOKED 0"),
    ("auth-revoked", LISTS, "REVOKED 0"),
    ("sign-good", ("rarl", "sign", "auth"), "UNDETERMINED_REVOCATION_STATUS 1"),
    ("sign-good", ("rarl", "sarl", "auth"), "UNDETERMINED_REVOCATION_STATUS 0"),
]


def test_java_judges_by_the_lists(published: Published) -> None:
    arguments = []
    for name, lists, _ in PATHS:
        paths = ",".join(str(published.folder / "public" / f"{one}.crl") for one in lists)
        issuer = published.pem(name.partition("-")[0])
        arguments.append(
            f"path:{published.at}:{published.pem('root')}:{issuer}:{published.pem(name)}:{paths}"
        )
    assert java(*arguments) == [wanted for _, _, wanted in PATHS]
