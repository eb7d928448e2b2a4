"""Lists made where the CA's key is: proven, taken in, and public at their time."""

from __future__ import annotations

import json
from dataclasses import replace
from datetime import datetime, timedelta
from tempfile import TemporaryFile

from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.serialization import Encoding
from sqlmodel import select

from audit.records import Criteria
from ca.records import Certificate, ListEntry
from crl.building import ListFacts
from crl.importing import Imports
from crl.records import Delivery, ListState, RevocationList
from keys.files import FileKeyBackend
from pki import extensions
from pki.errors import HpkiError, InvalidInput, NotFound, Refused, Unavailable
from pki.names import with_common_name
from pki.reasons import Reason, entry_der
from pki.signing import assemble, sign
from policies.profiles import ListScope
from reports.reconciliation import check_rows
from tests.flows.conftest import Centre
from tests.flows.issuing import issue, refused, revoke
from tests.flows.test_lists import (
    Full,
    coverage_of,
    issuer_certificate,
    numbers,
    octets_of,
    published,
    serials,
)
from tests.golden.listing import to_be_signed

RARL, SARL, FULL = ListScope.RARL, ListScope.SARL, ListScope.FULL
HOURS = timedelta(hours=1)


def made(
    centre: Centre,
    scope: ListScope,
    number: int,
    at: datetime,
    *entries: bytes,
    issuer_id: str = "root",
    key: str | None = None,
    hours: float = 96,
) -> bytes:
    """A list that somebody signed with the CA's key, DER."""
    issuer = issuer_certificate(centre, issuer_id)
    facts = ListFacts(issuer, scope, number, at, at + hours * HOURS, "SHA-256")
    body = to_be_signed(facts, *entries)
    signature = sign(centre.opened[key or issuer_id], body, "SHA-256")
    return assemble(body, facts.public_key, signature, "SHA-256")


def take(centre: Centre, octets: bytes) -> RevocationList:
    with TemporaryFile() as file:
        file.write(octets)
        file.flush()
        return Imports(centre.lists).take(file, "SYSTEM")


def lose_key(centre: Centre, label: str = "root") -> None:
    """Take the key away from this machine, and from this process."""
    (centre.folder / "keys" / f"{label}.pem").unlink()
    opened = {name: key for name, key in centre.keys._opened.items() if name != label}
    centre.keys = FileKeyBackend(centre.folder / "keys", lambda _: b"ca passphrase")
    centre.keys._opened.update(opened)
    centre.publish_to(centre.public)


def root_lists(centre: Centre, first: int, *hours: int) -> list[bytes]:
    """Both of the root's lists for each of the times, numbered from ``first``."""
    times = [centre.now + hour * HOURS for hour in hours]
    pairs = [(at, scope) for at in times for scope in (RARL, SARL)]
    return [made(centre, scope, first + n, at) for n, (at, scope) in enumerate(pairs)]


def of_root(rows: list[RevocationList]) -> list[tuple[str, int]]:
    return [(scope, number) for issuer, scope, number in numbers(rows) if issuer == "root"]


def test_lists_of_an_offline_root_appear_at_their_time(centre: Centre) -> None:
    centre.due()
    files = root_lists(centre, 3, 48, 96)
    lose_key(centre)
    taken = [take(centre, octets) for octets in files]
    assert {row.state for row in taken} == {ListState.STORED}
    assert [octets_of(centre, row) for row in taken] == files
    assert centre.due() == [], "their time is to come"
    centre.pass_time(hours=48)
    assert of_root(centre.due()) == [("RARL", 3), ("SARL", 4)]
    assert published(centre, "sarl.crl").public_bytes(Encoding.DER) == files[1]
    centre.pass_time(hours=48)
    assert of_root(centre.due()) == [("RARL", 5), ("SARL", 6)]
    centre.pass_time(hours=95)
    assert of_root(centre.due()) == [], "older than the interval, but in force, and nobody can help"
    centre.pass_time(hours=1)
    done = centre.rhythm.due("SYSTEM")
    assert [one.code for one in done.failures] == ["crl.key.elsewhere"] * 2
    assert "hpki crl import" in done.failures[0].hint
    assert "root RARL" in done.failures[0].text
    with centre.store.read() as tx:
        of = [row.number for row in tx.exec(select(RevocationList)) if row.issuer_id == "root"]
    assert max(of) == 6, "no number is taken while nothing can be signed"
    for octets in root_lists(centre, 7, 0):
        take(centre, octets)
    assert of_root(centre.due()) == [("RARL", 7), ("SARL", 8)]


def test_lists_made_ahead_serve_without_the_key(centre: Centre) -> None:
    centre.lists.issue("root", "SYSTEM", ahead=2)
    lose_key(centre)
    assert of_root(centre.due()) == [("RARL", 1), ("SARL", 2)]
    for number in (3, 5):
        centre.pass_time(hours=48)
        assert of_root(centre.due()) == [("RARL", number), ("SARL", number + 1)]
    centre.pass_time(hours=95)
    assert of_root(centre.due()) == []
    centre.pass_time(hours=1)
    refused(Unavailable, "crl.key.elsewhere", centre.due)


def test_the_trail_and_the_coverage_tell_of_it(centre: Centre) -> None:
    centre.due()
    octets = made(centre, SARL, 9, centre.now + HOURS)
    row = take(centre, octets)
    (entry,) = centre.trail.search(
        Criteria(code="CRL.ISSUE", object_type="crl", object_id="root:9")
    )
    detail = json.loads(entry.body)["detail"]
    assert (detail["imported"], detail["taken_over"]) == (True, [])
    assert detail["sha256"] == row.sha256
    said = coverage_of(centre, row)
    assert (said["number"], said["sha256"], said["entries"]) == (9, row.sha256, 0)
    assert said["previous"]["number"] == 2
    assert (row.this_update, row.next_update) == (centre.now + HOURS, centre.now + 97 * HOURS)
    with centre.store.read() as tx:
        assert list(check_rows(tx, centre.archive)) == []
    # the next list of ours is made behind it
    assert numbers(centre.lists.issue("root", "SYSTEM")) == [
        ("root", "RARL", 10),
        ("root", "SARL", 11),
    ]


def sub_ca_row(centre: Centre) -> Certificate:
    with centre.store.read() as tx:
        return next(row for row in tx.exec(select(Certificate)) if "DEMO_Sign" in row.subject)


def by_other_software(centre: Centre, number: int, *revoked: int) -> bytes:
    """A list of the root for its subordinate CAs, made by cryptography's builder."""
    root = issuer_certificate(centre, "root")
    builder = x509.CertificateRevocationListBuilder(
        root.subject, centre.now, centre.now + 96 * HOURS
    )
    for serial in revoked:
        one = x509.RevokedCertificateBuilder(serial, centre.now - HOURS)
        reason = x509.CRLReason(x509.ReasonFlags.ca_compromise)
        builder = builder.add_revoked_certificate(one.add_extension(reason, critical=False).build())
    name = with_common_name(root.subject, SARL.value)
    for extension, critical in (
        (
            extensions.authority_key_identifier(
                root.public_key(),  # type: ignore[arg-type]
                root.issuer,
                root.serial_number,
            ),
            False,
        ),
        (x509.CRLNumber(number), False),
        (extensions.issuing_distribution_point(name), True),
    ):
        builder = builder.add_extension(extension, critical=critical)
    return builder.sign(centre.opened["root"], hashes.SHA256()).public_bytes(Encoding.DER)


def test_what_the_root_revoked_elsewhere_is_taken_over(centre: Centre) -> None:
    centre.due()
    serial = int(sub_ca_row(centre).serial, 16)
    octets = by_other_software(centre, 40, serial)
    row = take(centre, octets)
    assert (row.entries, coverage_of(centre, row)["added"]["why"]) == (1, {"IMPORTED": 1})
    assert of_root(centre.due()) == [("SARL", 40)]
    assert centre.due() == [], "it covers what it brought"
    with centre.store.read() as tx:
        (entry,) = tx.exec(select(ListEntry))
        assert list(check_rows(tx, centre.archive)) == []
    assert (int(entry.serial, 16), entry.not_after) == (serial, sub_ca_row(centre).not_after)
    # our own next list holds it, and none may lack it again
    centre.pass_time(hours=1)
    made_here = centre.lists.issue("root", "SYSTEM")
    assert [one.entries for one in made_here] == [0, 1]
    lacking = by_other_software(centre, 50)
    refused(Refused, "crl.import.missing", lambda: take(centre, lacking))
    with centre.store.begin() as tx:
        tx.delete(tx.exec(select(ListEntry)).one())
    refused(Refused, "crl.entry.vanished", lambda: take(centre, lacking))


def test_a_lost_file_without_the_key_is_not_passed_over(centre: Centre) -> None:
    made_now = centre.due()
    lose_key(centre)
    centre.archive.list_path(made_now[1]).unlink()
    (centre.folder / "public" / "sarl.crl").unlink()
    failures = centre.rhythm.due("SYSTEM").failures
    assert {one.code for one in failures} == {"crl.archive.missing", "crl.key.elsewhere"}


def test_what_is_not_sound_is_not_taken_in(centre: Centre) -> None:
    centre.due()
    at, serial = centre.now, int(sub_ca_row(centre).serial, 16)
    sound = made(centre, SARL, 3, at)
    high, low = (entry_der(number, at, Reason.CA_COMPROMISE) for number in (serial, serial - 1))
    cases: list[tuple[type[HpkiError], str, bytes]] = [
        (Refused, "crl.import.number", made(centre, SARL, 2, at)),
        (Refused, "crl.import.older", made(centre, SARL, 3, at - HOURS)),
        (Refused, "crl.import.scope", made(centre, FULL, 3, at)),
        (Refused, "crl.import.scope", made(centre, SARL, 3, at, issuer_id="sign")),
        (Refused, "crl.signature", made(centre, SARL, 3, at, key="sign")),
        (Refused, "crl.signature", sound[:-1] + bytes((sound[-1] ^ 1,))),
        (InvalidInput, "crl.import.order", made(centre, SARL, 3, at, high, low)),
        (InvalidInput, "crl.import.order", made(centre, SARL, 3, at, high, high)),
        (InvalidInput, "crl.import.range", made(centre, SARL, 1 << 31, at)),
        (Refused, "crl.lint", made(centre, SARL, 3, at, hours=500)),
        (Refused, "crl.lint", made(centre, SARL, 3, at, high[:-1] + b"\x06")),
        (InvalidInput, "pki.crl.unreadable", sound[:-1]),
        (InvalidInput, "pki.crl.unreadable", b""),
    ]
    for kind, code, octets in cases:
        refused(kind, code, lambda octets=octets: take(centre, octets))  # type: ignore[misc]
    foreign = sound.replace(b"DEMO HPKI Root CA", b"DEMO HPKI Boot CA")
    refused(NotFound, "crl.import.issuer", lambda: take(centre, foreign))
    expiring = made(centre, SARL, 3, at)
    centre.pass_time(hours=96)
    refused(Refused, "crl.import.expired", lambda: take(centre, expiring))
    with centre.store.read() as tx:
        assert len([row for row in tx.exec(select(RevocationList)) if row.issuer_id == "root"]) == 2


def test_a_subordinate_cas_list_holds_what_was_decided_here_and_no_more(centre: Centre) -> None:
    centre.due()
    certificates = revoke(centre, issue(centre))
    (serial,) = [int(row.serial, 16) for row in certificates if row.issuer_id == "sign"]
    with centre.store.read() as tx:
        (entry,) = [
            one.entry_der for one in tx.exec(select(ListEntry)) if one.series == "sign/FULL/0"
        ]
    strange = entry_der(serial + 1, centre.now, Reason.CESSATION_OF_OPERATION)

    def signed(*entries: bytes) -> bytes:
        return made(centre, FULL, 2, centre.now, *entries, issuer_id="sign")

    refused(Refused, "crl.import.missing", lambda: take(centre, signed()))
    refused(Refused, "crl.entry.changed", lambda: take(centre, signed(entry, strange)))
    lose_key(centre, "sign")
    take(centre, signed(entry))
    assert ("sign", "FULL", 2) in numbers(centre.due())
    assert serials(published(centre, "sign.crl")) == [serial]


def test_an_import_that_broke_off_is_repeated(centre: Centre) -> None:
    """The row comes last: what was written before it is written again."""
    octets = made(centre, SARL, 3, centre.now)

    def broken() -> None:
        raise Unavailable("keys.file", "the disk went away")

    whole = centre.lists
    centre.lists = replace(whole, statement_key=broken)  # type: ignore[arg-type]
    refused(Unavailable, "keys.file", lambda: take(centre, octets))
    centre.lists = whole
    assert take(centre, octets).number == 3


def test_each_target_has_its_own_state(centre: Centre) -> None:
    mirror = Full(replace(centre.public, name="mirror", folder=centre.folder / "mirror"))
    centre.publish_to(centre.public, mirror)
    row = take(centre, made(centre, SARL, 3, centre.now))
    centre.rhythm.due("SYSTEM")
    with centre.store.read() as tx:
        ways = {one.target: one for one in tx.exec(select(Delivery)) if one.list_id == row.id}
    assert ways["public"].done_at == centre.now
    assert (ways["mirror"].attempts, ways["mirror"].done_at) == (1, None)
