"""Lists on both databases: numbers, content, publishing, and what stands after a failure."""

from __future__ import annotations

import os
import resource
import stat
import subprocess
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from hashlib import sha256
from pathlib import Path
from tempfile import TemporaryFile
from typing import Any, BinaryIO

import pytest
from cryptography import x509
from cryptography.hazmat.primitives.serialization import Encoding
from sqlalchemy import text
from sqlmodel import col, select

from ca.records import Certificate, Issuer, ListEntry, Revocation, Series
from crl.archive import Archive
from crl.building import Frame, ListFacts, frame, write_list
from crl.checking import crl_number, verify_facts, verify_list
from crl.coverage import read_statement
from crl.lists import Lists
from crl.publishing import Accept, FolderPublisher, Publisher
from crl.records import ListState, RevocationList, latest
from crl.stated import statement_keys
from pki.errors import InvalidInput, NotFound, Refused, Unavailable
from pki.findings import Severity
from pki.reading.crl import RevocationList as ReadList
from pki.reading.crl import read_list
from pki.reasons import Reason, entry_der
from pki.signing import twin
from policies.profiles import ListScope, Profiles, shipped_profiles
from tests import tiers
from tests.flows.conftest import Centre
from tests.flows.issuing import issue, refused, revoke
from tests.flows.test_orders import ClosedBackend
from tests.golden.listing import to_be_signed
from tests.golden.test_certificates import sub_ca
from tests.golden.test_lists import facts
from tests.golden.vectors import NOW

SIGN = Series("sign", ListScope.FULL)


def numbers(rows: list[RevocationList]) -> list[tuple[str, str, int]]:
    return [(row.issuer_id, row.scope.value, row.number) for row in rows]


def publish(centre: Centre, row: RevocationList) -> RevocationList:
    done, failures = centre.publication.publish(row, "SYSTEM")
    if failures:
        raise failures[0]
    return done


def published(centre: Centre, name: str) -> x509.CertificateRevocationList:
    return x509.load_der_x509_crl((centre.folder / "public" / name).read_bytes())


def octets_of(centre: Centre, row: RevocationList) -> bytes:
    return centre.archive.list_path(row).read_bytes()


def coverage_of(centre: Centre, row: RevocationList) -> dict[str, Any]:
    with centre.store.read() as tx:
        keys = statement_keys(centre.directory, tx)
    return read_statement(centre.archive.statement(row), keys)


def revoked(centre: Centre, issuer_id: str) -> list[tuple[Certificate, Revocation]]:
    query = (
        select(Certificate, Revocation)
        .join(Revocation, col(Revocation.certificate_id) == col(Certificate.id))
        .where(Certificate.issuer_id == issuer_id)
        .order_by(col(Certificate.serial))
    )
    with centre.store.read() as tx:
        return list(tx.exec(query))


def issuer_certificate(centre: Centre, issuer_id: str) -> x509.Certificate:
    with centre.store.read() as tx:
        found = tx.get_one(Issuer, issuer_id).certificate_der or b""
    return x509.load_der_x509_certificate(found)


def serials(parsed: x509.CertificateRevocationList) -> list[int]:
    return [entry.serial_number for entry in parsed]


def test_first_lists_are_published_and_sound(centre: Centre) -> None:
    made = centre.due()
    assert numbers(made) == [
        ("root", "RARL", 1),
        ("root", "SARL", 2),
        ("auth", "FULL", 1),
        ("sign", "FULL", 1),
    ]
    files = {"rarl.crl": "root", "sarl.crl": "root", "auth.crl": "auth", "sign.crl": "sign"}
    certificates = {"root.cer", "auth.cer", "sign.cer"}
    assert centre.repository.publish() == []
    assert set(os.listdir(centre.folder / "public")) >= {*files, *certificates}
    for row, (name, issuer_id) in zip(made, files.items(), strict=True):
        octets = (centre.folder / "public" / name).read_bytes()
        parsed = x509.load_der_x509_crl(octets)
        read = read_list(octets)
        verify_list(read, issuer_certificate(centre, issuer_id), "SHA-256")
        assert (parsed.last_update_utc, parsed.next_update_utc) == (
            centre.now,
            centre.now + timedelta(hours=96),
        )
        assert crl_number(read) == row.number
        assert octets == octets_of(centre, row)
        assert row.state is ListState.PUBLISHED
        assert row.sha256 == sha256(octets).hexdigest()
        mode = (centre.folder / "public" / name).stat().st_mode
        assert stat.S_IMODE(mode) == 0o644
    foreign = read_list((centre.folder / "public" / "sign.crl").read_bytes())
    with pytest.raises(Refused):
        verify_list(foreign, issuer_certificate(centre, "auth"), "SHA-256")
    (centre.folder / "public" / "root.cer").write_bytes(b"something else")
    assert centre.repository.publish() == []
    assert (centre.folder / "public" / "root.cer").read_bytes() == (
        issuer_certificate(centre, "root").public_bytes(Encoding.DER)
    )


def test_a_revocation_is_on_the_next_list_exactly_once(centre: Centre) -> None:
    centre.due()
    carrier, other = issue(centre, 1), issue(centre, 2)
    centre.pass_time(minutes=1)
    assert centre.due() == []
    now_revoked = {row.issuer_id: int(row.serial, 16) for row in revoke(centre, carrier)}
    centre.pass_time(minutes=1)
    made = centre.due()
    assert numbers(made) == [("auth", "FULL", 2), ("sign", "FULL", 2)]
    assert centre.due() == []
    for issuer_id in ("sign", "auth"):
        parsed = published(centre, f"{issuer_id}.crl")
        (entry,) = parsed
        assert entry.serial_number == now_revoked[issuer_id]
        assert entry.revocation_date_utc == centre.now - timedelta(minutes=1)
        reason = entry.extensions.get_extension_for_class(x509.CRLReason)
        assert reason.value.reason is x509.ReasonFlags.cessation_of_operation
        assert not reason.critical
    for issuer_id in ("sign", "auth"):
        ((_, revocation),) = revoked(centre, issuer_id)
        assert (revocation.crl_number, revocation.published_at) == (2, centre.now)
    coverage = coverage_of(centre, made[1])
    assert (coverage["previous"]["number"], coverage["previous"]["entries"]) == (1, 0)
    assert (coverage["entries"], coverage["sha256"]) == (1, made[1].sha256)
    (named,) = coverage["added"]["named"]
    assert (named["serial"], named["why"]) == (f"{now_revoked['sign']:040x}", "S02_CARD_LOST")
    assert coverage["removed"]["count"] == 0
    # the mark of the first publication stays when later lists carry the entry too
    centre.pass_time(hours=25)
    revoke(centre, other)
    made = centre.due()
    assert numbers(made) == [("auth", "FULL", 3), ("sign", "FULL", 3)]
    found = revoked(centre, "sign")
    assert sorted(revocation.crl_number or 0 for _, revocation in found) == [2, 3]
    assert serials(published(centre, "sign.crl")) == sorted(int(row.serial, 16) for row, _ in found)


def test_lists_are_due_by_their_interval_and_numbers_rise(centre: Centre) -> None:
    assert len(centre.due()) == 4
    centre.pass_time(hours=23, minutes=59)
    assert centre.due() == []
    centre.pass_time(minutes=1)
    assert numbers(centre.due()) == [("auth", "FULL", 2), ("sign", "FULL", 2)]
    centre.pass_time(hours=24)
    made = centre.due()
    # one counter for both lists of the root
    assert numbers(made) == [
        ("root", "RARL", 3),
        ("root", "SARL", 4),
        ("auth", "FULL", 3),
        ("sign", "FULL", 3),
    ]
    centre.lists.issue("root", "SYSTEM")
    assert numbers(centre.lists.issue("root", "SYSTEM")) == [
        ("root", "RARL", 7),
        ("root", "SARL", 8),
    ]
    refused(NotFound, "ca.issuer.unknown", lambda: centre.lists.issue("none", "SYSTEM"))


def revoke_row(centre: Centre, row: Certificate, at: datetime) -> None:
    """A revocation of a CA's certificate, which has no carrier, put into the tables."""
    assert row.id is not None
    with centre.store.begin() as tx:
        tx.add(
            Revocation(
                certificate_id=row.id,
                ground="C04_MISISSUE",
                reason=Reason.SUPERSEDED,
                revoked_at=at,
                statement_id="none",
                request_id="none",
                seq=centre.trail.position(tx),
            )
        )
        own = row.certificate_der == tx.get_one(Issuer, row.issuer_id).certificate_der
        tx.add(
            ListEntry(
                series=Series(row.issuer_id, ListScope.RARL if own else ListScope.SARL).key,
                serial=row.serial,
                not_after=row.not_after,
                seq=centre.trail.position(tx),
                entry_der=entry_der(int(row.serial, 16), at, Reason.SUPERSEDED),
            )
        )


def test_a_ca_comes_onto_the_roots_lists_by_no_row(centre: Centre) -> None:
    """Nobody can sign that here yet; `hpki crl import` brings what was decided at the root."""
    centre.due()
    with centre.store.read() as tx:
        rows = {row.subject: row for row in tx.exec(select(Certificate))}
    for wanted in ("DEMO_Sign", "Root"):
        row = next(row for subject, row in rows.items() if wanted in subject)
        revoke_row(centre, row, centre.now)
        refused(Refused, "ca.revoke.unsigned", lambda: centre.lists.issue("root", "SYSTEM"))
    assert serials(published(centre, "rarl.crl")) == serials(published(centre, "sarl.crl")) == []


def test_an_expired_entry_leaves_after_one_more_list(centre: Centre) -> None:
    carrier = issue(centre, 1, validity_years=1)
    (serial,) = [int(row.serial, 16) for row in revoke(centre, carrier) if row.issuer_id == "sign"]
    centre.due()
    last_day = datetime(2027, 11, 20, 14, 59, 59, tzinfo=centre.now.tzinfo)
    centre.now = last_day - timedelta(seconds=1)
    centre.due()
    assert serials(published(centre, "sign.crl")) == [serial]
    centre.now = last_day + timedelta(hours=25)
    centre.due()
    assert serials(published(centre, "sign.crl")) == [serial], "the list after the expiry"
    centre.pass_time(hours=25)
    centre.due()
    assert serials(published(centre, "sign.crl")) == []
    assert b"\x30\x00" not in published(centre, "sign.crl").tbs_certlist_bytes[-60:]


def test_an_entry_stays_until_a_list_after_the_expiry_was_published(centre: Centre) -> None:
    carrier = issue(centre, 1, validity_years=1)
    revoke(centre, carrier)
    centre.due()
    centre.now = datetime(2027, 11, 22, tzinfo=centre.now.tzinfo)
    (unserved,) = centre.lists.issue("sign", "SYSTEM")
    assert (unserved.state, unserved.entries) == (ListState.STORED, 1)
    centre.pass_time(hours=1)
    centre.due()
    assert len(published(centre, "sign.crl")) == 1, "no list after the expiry was served before"


@dataclass(frozen=True)
class Full:
    """A place that can be read and not written, as a full disk."""

    over: Publisher

    @property
    def name(self) -> str:
        return self.over.name

    def current(self, name: str) -> BinaryIO | None:
        return self.over.current(name)

    def replace(self, name: str, source: BinaryIO, accept: Accept) -> None:
        raise Unavailable("crl.publish.write", f"{name} cannot be published")


def test_a_revocation_written_past_the_program_is_not_signed(centre: Centre) -> None:
    carrier = issue(centre, 1)
    revoke(centre, carrier)
    with centre.store.begin() as tx:
        for forged in tx.exec(select(ListEntry)):
            forged.entry_der = entry_der(0x4242, centre.now, Reason.CESSATION_OF_OPERATION)
    refused(Refused, "crl.entry.changed", lambda: centre.due())


def test_only_what_a_list_covers_is_marked_as_published(centre: Centre) -> None:
    """A card revoked between the signing of a list and its publication waits for the next one."""
    centre.due()
    first, second = issue(centre, 1), issue(centre, 2)
    revoke(centre, first)
    made = centre.lists.issue("sign", "SYSTEM")
    revoke(centre, second)
    publish(centre, made[0])
    found = revoked(centre, "sign")
    marked = {certificate.carrier_id: revocation.crl_number for certificate, revocation in found}
    assert marked == {first.id: made[0].number, second.id: None}
    centre.due()
    assert len(published(centre, "sign.crl")) == 2


def test_the_coverage_names_the_list_before(centre: Centre) -> None:
    for number in (1, 2):
        revoke(centre, issue(centre, number))
        centre.due()
    with centre.store.read() as tx:
        newest = latest(tx, SIGN)
    assert newest is not None
    said = coverage_of(centre, newest)
    assert (said["entries"], said["previous"]["entries"]) == (2, 1)
    assert (said["number"], said["previous"]["number"]) == (newest.number, newest.number - 1)
    assert said["high_water_seq"] == newest.high_water_seq


def test_a_revocation_that_is_gone_is_noticed(centre: Centre) -> None:
    carrier = issue(centre, 1)
    revoke(centre, carrier)
    centre.due()
    with centre.store.begin() as tx:
        for gone in (*tx.exec(select(Revocation)), *tx.exec(select(ListEntry))):
            tx.delete(gone)
    refused(Refused, "crl.entry.vanished", lambda: centre.lists.issue("sign", "SYSTEM"))
    assert len(published(centre, "sign.crl")) == 1


@dataclass(frozen=True)
class Interrupted(Archive):
    """Where a list is gathered only after something else was done."""

    meanwhile: Callable[[], object] = lambda: None

    @contextmanager
    def scratch(self) -> Iterator[BinaryIO]:
        self.meanwhile()
        with super().scratch() as file:
            yield file


def test_a_newer_number_with_an_older_view_is_not_published(centre: Centre) -> None:
    """Two processes made lists at once: the one that saw less took the higher number."""
    centre.due()
    carrier = issue(centre, 1)
    blind: list[RevocationList] = []

    def meanwhile() -> None:
        if not blind:
            blind.append(centre.lists.make(issuer, SIGN, "SYSTEM"))
            revoke(centre, carrier)

    with centre.store.read() as tx:
        issuer = tx.get_one(Issuer, "sign")
    archive = Interrupted(centre.archive.folder, meanwhile)
    seeing = replace(centre.lists, archive=archive).make(issuer, SIGN, "SYSTEM")
    assert seeing.number < blind[0].number
    publish(centre, seeing)
    assert len(published(centre, "sign.crl")) == 1
    refused(Refused, "crl.entry.vanished", lambda: publish(centre, blind[0]))
    (centre.folder / "public" / "sign.crl").unlink()
    refused(Refused, "crl.publish.view", lambda: publish(centre, blind[0]))


def test_a_ca_that_fails_holds_up_no_other(centre: Centre) -> None:
    (centre.folder / "keys" / "root.pem").write_bytes(b"damaged")
    keys = type(centre.keys)(centre.folder / "keys", lambda _: b"ca passphrase")
    rhythm = replace(centre.rhythm, lists=replace(centre.lists, keys=keys))
    assert {one.code for one in rhythm.due("SYSTEM").failures} == {"keys.passphrase.wrong"}
    assert {"auth.crl", "sign.crl"} <= set(os.listdir(centre.folder / "public"))


def test_a_failed_publication_keeps_the_old_list_and_is_repeated(centre: Centre) -> None:
    centre.due()
    served = (centre.folder / "public" / "sign.crl").read_bytes()
    carrier = issue(centre)
    revoke(centre, carrier)
    centre.publish_to(Full(centre.public))
    refused(Unavailable, "crl.publish.write", centre.due)
    centre.publish_to(centre.public)
    assert (centre.folder / "public" / "sign.crl").read_bytes() == served
    assert all(one.crl_number is None for _, one in revoked(centre, "sign"))
    refused(Unavailable, "crl.publish.waiting", centre.due)
    centre.pass_time(minutes=1)
    assert numbers(centre.due()) == [("auth", "FULL", 2), ("sign", "FULL", 2)]
    assert len(published(centre, "sign.crl")) == 1
    assert centre.due() == []


def test_a_target_refuses_what_is_older_foreign_or_corrupt(centre: Centre) -> None:
    (older,) = centre.lists.issue("sign", "SYSTEM")
    (newer,) = centre.lists.issue("sign", "SYSTEM")
    (foreign,) = centre.lists.issue("auth", "SYSTEM")
    publish(centre, newer)
    served = (centre.folder / "public" / "sign.crl").read_bytes()
    octets = octets_of(centre, newer)
    assert served == octets
    flipped = octets[:-1] + bytes((octets[-1] ^ 1,))
    refused(Refused, "crl.publish.older", lambda: publish(centre, older))
    for kind, code, wrong in (
        (Refused, "crl.foreign", octets_of(centre, foreign)),
        (Refused, "crl.signature", flipped),
        (InvalidInput, "pki.crl.unreadable", octets[:-1]),
        (InvalidInput, "crl.der", octets + b"\0"),
        (InvalidInput, "pki.crl.unreadable", b""),
        (Refused, "crl.archive.other", octets_of(centre, older)),
    ):
        centre.archive.list_path(newer).write_bytes(wrong)
        refused(kind, code, lambda: publish(centre, newer))
        assert (centre.folder / "public" / "sign.crl").read_bytes() == served
    centre.archive.list_path(newer).write_bytes(octets)
    publish(centre, newer)
    assert [one for one in os.listdir(centre.folder / "public") if one[0] != "."] == ["sign.crl"]
    # what is served and no list at all does not keep a sound one away
    bad_version = octets.replace(b"\x02\x01\x01\x30\x0d", b"\x02\x01\x07\x30\x0d", 1)
    assert bad_version != octets
    for garbage in (b"", b"garbage", bad_version, octets + b"\0"):
        (centre.folder / "public" / "sign.crl").write_bytes(garbage)
        publish(centre, newer)
        assert (centre.folder / "public" / "sign.crl").read_bytes() == served


def test_a_key_that_is_not_the_cas_gives_no_list(centre: Centre) -> None:
    folder = centre.folder / "keys"
    own = (folder / "sign.pem").read_bytes()
    (folder / "sign.pem").write_bytes((folder / "auth.pem").read_bytes())
    keys = type(centre.keys)(folder, lambda _: b"ca passphrase")
    lists = replace(centre.lists, keys=keys)
    refused(Refused, "crl.signature", lambda: lists.issue("sign", "SYSTEM"))
    with centre.store.read() as tx:
        state = text("SELECT state, sha256 FROM revocation_list WHERE issuer_id = 'sign'")
        assert tx.execute(state).all() == [("NUMBERED", None)]
    (folder / "sign.pem").write_bytes(own)
    assert numbers(centre.lists.issue("sign", "SYSTEM")) == [("sign", "FULL", 2)]


def test_a_list_is_what_went_into_it() -> None:
    sound, entry = facts(sub_ca(), ListScope.FULL, 7), entry_der(1, NOW, None)

    def parsed(made: ListFacts, *entries: bytes) -> ReadList:
        body = to_be_signed(made, *entries)
        return read_list(twin(body, made.public_key, made.hash_name))

    verify_facts(parsed(sound, entry), sound, len(entry))
    for what, made, entries in (
        ("number", replace(sound, number=8), (entry,)),
        ("issuingDistributionPoint", replace(sound, scope=ListScope.SARL), (entry,)),
        ("octets of entries", sound, ()),
        ("octets of entries", sound, (entry, entry)),
    ):
        refusal = refused(
            Refused,
            "crl.differs",
            lambda made=made, entries=entries: verify_facts(  # type: ignore[misc]
                parsed(made, *entries), sound, len(entry)
            ),
        )
        assert what in refusal.text


def with_list_rule(centre: Centre, **rules: object) -> Lists:
    """The service with another rule in the sub CAs' list profile, and no key within reach."""
    shipped = shipped_profiles()
    changed = shipped.crl("crl-sub-ca").model_copy(update=rules)
    profiles = Profiles(shipped.certificates, {**shipped.lists, "crl-sub-ca": changed})
    return replace(centre.lists, profiles=profiles, keys=ClosedBackend())


def test_a_list_that_breaks_its_profile_never_reaches_the_ca_key(centre: Centre) -> None:
    carrier = issue(centre)
    revoke(centre, carrier)
    validity = shipped_profiles().crl("crl-sub-ca").validity
    reasons = shipped_profiles().crl("crl-sub-ca").reasons
    for code, rule in (
        ("H091", {"validity": validity.model_copy(update={"hours": 97})}),
        ("H092", {"reasons": reasons.model_copy(update={"allowed": (1,)})}),
    ):
        lists = with_list_rule(centre, **rule)
        refusal = refused(
            Refused,
            "crl.lint",
            lambda lists=lists: lists.issue("sign", "SYSTEM"),  # type: ignore[misc]
        )
        assert isinstance(refusal, Refused)
        errors = [one.code for one in refusal.findings if one.severity is Severity.ERROR]
        assert errors == [code]
    with centre.store.read() as tx:
        state = text("SELECT number, state, sha256 FROM revocation_list ORDER BY number")
        assert tx.execute(state).all() == [(1, "NUMBERED", None), (2, "NUMBERED", None)]
    assert numbers(centre.lists.issue("sign", "SYSTEM")) == [("sign", "FULL", 3)]


def test_an_encoder_gone_wrong_gives_no_list(
    centre: Centre, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What is judged is compared with what went in, and what is signed with what was judged."""
    unreachable = replace(centre.lists, keys=ClosedBackend())
    with monkeypatch.context() as patch:
        patch.setattr(
            "crl.lists.frame",
            lambda made, octets: frame(replace(made, number=made.number + 1), octets),
        )
        refused(Refused, "crl.differs", lambda: unreachable.issue("sign", "SYSTEM"))
    with monkeypatch.context() as patch:
        written: list[Frame] = []

        def write(target: BinaryIO, made: ListFacts, around: Frame, *rest: Any) -> None:
            written.append(around)
            changed = (
                around.tail.replace(b"\x02\x01", b"\x02\x02") if len(written) > 2 else around.tail
            )
            write_list(target, made, Frame(around.head, changed), *rest)

        patch.setattr("crl.lists.write_list", write)
        refused(Refused, "crl.sign.differs", lambda: centre.lists.issue("sign", "SYSTEM"))
    assert numbers(centre.lists.issue("sign", "SYSTEM")) == [("sign", "FULL", 3)]


def test_the_judge_lets_warnings_pass(centre: Centre) -> None:
    validity = shipped_profiles().crl("crl-sub-ca").validity
    short = with_list_rule(centre, validity=validity.model_copy(update={"hours": 24}))
    (made,) = replace(short, keys=centre.keys).issue("sign", "SYSTEM")
    assert made.next_update == centre.now + timedelta(hours=24)


@pytest.mark.parametrize("whole", [True, False])
def test_the_key_identifier_of_a_list_follows_its_profile(centre: Centre, whole: bool) -> None:
    rule = shipped_profiles().crl("crl-sub-ca").authority_key_identifier
    changed = rule.model_copy(update={"issuer_and_serial": whole})
    lists = with_list_rule(centre, authority_key_identifier=changed)
    (made,) = replace(lists, keys=centre.keys).issue("sign", "SYSTEM")
    extensions = x509.load_der_x509_crl(octets_of(centre, made)).extensions
    found = extensions.get_extension_for_class(x509.AuthorityKeyIdentifier).value
    assert found.key_identifier
    assert (found.authority_cert_serial_number is not None) is whole
    assert (found.authority_cert_issuer is not None) is whole


@pytest.fixture
def tiny_folder(tmp_path: Path) -> Iterator[Path]:
    """A file system of 16 KiB."""
    folder = tmp_path / "tiny"
    folder.mkdir()
    command = ["mount", "-t", "tmpfs", "-o", "size=16k", "tmpfs", str(folder)]
    made = subprocess.run(command, capture_output=True, text=True, check=False)
    if made.returncode != 0:
        tiers.tier_missing("full disk", f"no tmpfs can be mounted: {made.stderr.strip()}")
    yield folder
    subprocess.run(["umount", str(folder)], check=True)


def put(publisher: FolderPublisher, octets: bytes) -> None:
    with TemporaryFile() as source:
        source.write(octets)
        publisher.replace("sign.crl", source, lambda _: None)


def standing(publisher: FolderPublisher) -> bytes | None:
    file = publisher.current("sign.crl")
    if file is None:
        return None
    with file:
        return file.read()


def test_a_full_disk_leaves_the_old_list_whole(tiny_folder: Path) -> None:
    publisher = FolderPublisher("public", tiny_folder)
    put(publisher, b"old" * 1000)
    with pytest.raises(Unavailable) as refusal:
        put(publisher, bytes(20_000))
    assert refusal.value.code == "crl.publish.write"
    assert "No space" in refusal.value.text
    assert standing(publisher) == b"old" * 1000
    assert sorted(os.listdir(tiny_folder)) == [".lock", "sign.crl"]
    put(publisher, b"new")
    assert standing(publisher) == b"new"


def test_a_limit_on_file_size_leaves_the_old_list_whole(tmp_path: Path) -> None:
    """As on a full disk the write breaks off half-way, and it needs no root to make it so."""
    publisher = FolderPublisher("public", tmp_path)
    put(publisher, b"old")
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    with TemporaryFile() as source:
        source.write(bytes(20_000))
        source.flush()
        resource.setrlimit(resource.RLIMIT_FSIZE, (4096, before[1]))
        try:
            refused(
                Unavailable,
                "crl.publish.write",
                lambda: publisher.replace("sign.crl", source, lambda _: None),
            )
        finally:
            resource.setrlimit(resource.RLIMIT_FSIZE, before)
    assert standing(publisher) == b"old"
    assert sorted(os.listdir(tmp_path)) == [".lock", "sign.crl"]


def test_a_folder_that_is_none_is_unavailable(tmp_path: Path) -> None:
    (tmp_path / "public").write_text("a file")
    publisher = FolderPublisher("public", tmp_path / "public")
    refused(Unavailable, "crl.write", lambda: put(publisher, b"new"))
    refused(Unavailable, "crl.publish.write", lambda: publisher.current("sign.crl"))
    (tmp_path / "other" / "sign.crl").mkdir(parents=True)
    other = FolderPublisher("public", tmp_path / "other")
    refused(Unavailable, "crl.publish.write", lambda: put(other, b"new"))
    assert sorted(os.listdir(tmp_path / "other")) == [".lock", "sign.crl"]
