"""Lists on both databases: numbers, content, publishing, and what stands after a failure."""

from __future__ import annotations

import json
import os
import resource
import stat
import subprocess
from collections.abc import Iterator
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from hashlib import sha256
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives.serialization import Encoding
from sqlalchemy import text
from sqlmodel import select

from ca.records import Certificate, Issuer, Revocation, revoked_of_issuer
from crl.building import ListFacts, to_be_signed
from crl.checking import crl_number, load_list, verify_facts, verify_list
from crl.lists import Lists
from crl.publishing import FolderPublisher, Publisher
from crl.records import ListState, RevocationList, Scope, latest
from pki.errors import InvalidInput, NotFound, Refused, Unavailable
from pki.findings import Severity
from pki.reasons import Reason, entry_der
from pki.signing import assemble, twin
from policies.profiles import Profiles, shipped_profiles
from tests import tiers
from tests.flows.conftest import Centre
from tests.flows.issuing import issue, refused, revoke
from tests.flows.test_orders import ClosedBackend
from tests.golden.test_certificates import sub_ca
from tests.golden.test_lists import facts
from tests.golden.vectors import NOW


def numbers(rows: list[RevocationList]) -> list[tuple[str, str, int]]:
    return [(row.issuer_id, row.scope.value, row.number) for row in rows]


def published(centre: Centre, name: str) -> x509.CertificateRevocationList:
    return load_list((centre.folder / "public" / name).read_bytes())


def issuer_certificate(centre: Centre, issuer_id: str) -> x509.Certificate:
    with centre.store.read() as tx:
        found = tx.get_one(Issuer, issuer_id).certificate_der or b""
    return x509.load_der_x509_certificate(found)


def serials(parsed: x509.CertificateRevocationList) -> list[int]:
    return [entry.serial_number for entry in parsed]


def test_first_lists_are_published_and_sound(centre: Centre) -> None:
    made = centre.lists.due("SYSTEM")
    assert numbers(made) == [
        ("root", "RARL", 1),
        ("root", "SARL", 2),
        ("auth", "FULL", 1),
        ("sign", "FULL", 1),
    ]
    files = {"rarl.crl": "root", "sarl.crl": "root", "auth.crl": "auth", "sign.crl": "sign"}
    certificates = {"root.cer", "auth.cer", "sign.cer"}
    assert set(os.listdir(centre.folder / "public")) == {*files, *certificates}
    for row, (name, issuer_id) in zip(made, files.items(), strict=True):
        octets = (centre.folder / "public" / name).read_bytes()
        parsed = load_list(octets)
        verify_list(parsed, issuer_certificate(centre, issuer_id), "SHA-256")
        assert (parsed.last_update_utc, parsed.next_update_utc) == (
            centre.now,
            centre.now + timedelta(hours=96),
        )
        assert crl_number(parsed) == row.number
        assert row.state is ListState.PUBLISHED
        assert row.sha256 == sha256(octets).hexdigest()
        mode = (centre.folder / "public" / name).stat().st_mode
        assert stat.S_IMODE(mode) == 0o644
    with pytest.raises(Refused):
        verify_list(published(centre, "sign.crl"), issuer_certificate(centre, "auth"), "SHA-256")
    assert centre.lists.publish_certificates() == []
    (centre.folder / "public" / "root.cer").write_bytes(b"something else")
    assert centre.lists.publish_certificates() == ["root.cer"]
    assert (centre.folder / "public" / "root.cer").read_bytes() == (
        issuer_certificate(centre, "root").public_bytes(Encoding.DER)
    )


def test_a_revocation_is_on_the_next_list_exactly_once(centre: Centre) -> None:
    centre.lists.due("SYSTEM")
    carrier, other = issue(centre, 1), issue(centre, 2)
    centre.pass_time(minutes=1)
    assert centre.lists.due("SYSTEM") == []
    revoked = {row.issuer_id: int(row.serial, 16) for row in revoke(centre, carrier)}
    centre.pass_time(minutes=1)
    made = centre.lists.due("SYSTEM")
    assert numbers(made) == [("auth", "FULL", 2), ("sign", "FULL", 2)]
    assert centre.lists.due("SYSTEM") == []
    for issuer_id in ("sign", "auth"):
        parsed = published(centre, f"{issuer_id}.crl")
        (entry,) = parsed
        assert entry.serial_number == revoked[issuer_id]
        assert entry.revocation_date_utc == centre.now - timedelta(minutes=1)
        reason = entry.extensions.get_extension_for_class(x509.CRLReason)
        assert reason.value.reason is x509.ReasonFlags.cessation_of_operation
        assert not reason.critical
    with centre.store.read() as tx:
        for issuer_id in ("sign", "auth"):
            ((_, revocation),) = revoked_of_issuer(tx, issuer_id, "", 10)
            assert (revocation.crl_number, revocation.published_at) == (2, centre.now)
    coverage = json.loads(made[1].coverage or "")
    assert coverage["previous"] == 1
    assert (coverage["previous_entries"], coverage["entries"]) == (0, 1)
    serial = f"{revoked['sign']:040x}"
    assert coverage["serials_sha256"] == sha256(serial.encode()).hexdigest()
    assert coverage["sha256"] == made[1].sha256
    # the mark of the first publication stays when later lists carry the entry too
    centre.pass_time(hours=25)
    revoke(centre, other)
    made = centre.lists.due("SYSTEM")
    assert numbers(made) == [("auth", "FULL", 3), ("sign", "FULL", 3)]
    with centre.store.read() as tx:
        found = revoked_of_issuer(tx, "sign", "", 10)
    assert sorted(revocation.crl_number or 0 for _, revocation in found) == [2, 3]
    assert serials(published(centre, "sign.crl")) == sorted(int(row.serial, 16) for row, _ in found)


def test_lists_are_due_by_their_interval_and_numbers_rise(centre: Centre) -> None:
    assert len(centre.lists.due("SYSTEM")) == 4
    centre.pass_time(hours=23, minutes=59)
    assert centre.lists.due("SYSTEM") == []
    centre.pass_time(minutes=1)
    assert numbers(centre.lists.due("SYSTEM")) == [("auth", "FULL", 2), ("sign", "FULL", 2)]
    centre.pass_time(hours=24)
    made = centre.lists.due("SYSTEM")
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
                entry_der=entry_der(int(row.serial, 16), at, Reason.SUPERSEDED),
                statement_id="none",
                request_id="none",
                seq=centre.trail.position(tx),
            )
        )


def test_rarl_holds_the_root_and_sarl_the_sub_cas(centre: Centre) -> None:
    with centre.store.read() as tx:
        rows = {row.subject: row for row in tx.exec(select(Certificate))}
    sub = next(row for subject, row in rows.items() if "DEMO_Sign" in subject)
    revoke_row(centre, sub, centre.now)
    centre.lists.due("SYSTEM")
    assert serials(published(centre, "rarl.crl")) == []
    assert serials(published(centre, "sarl.crl")) == [int(sub.serial, 16)]
    top = next(row for subject, row in rows.items() if "Root" in subject)
    revoke_row(centre, top, centre.now)
    centre.pass_time(hours=1)
    centre.lists.due("SYSTEM")
    assert serials(published(centre, "rarl.crl")) == [int(top.serial, 16)]
    assert serials(published(centre, "sarl.crl")) == [int(sub.serial, 16)]
    assert centre.lists.due("SYSTEM") == []


def test_an_expired_entry_leaves_after_one_more_list(centre: Centre) -> None:
    carrier = issue(centre, 1, validity_years=1)
    (serial,) = [int(row.serial, 16) for row in revoke(centre, carrier) if row.issuer_id == "sign"]
    centre.lists.due("SYSTEM")
    last_day = datetime(2027, 11, 20, 14, 59, 59, tzinfo=centre.now.tzinfo)
    centre.now = last_day - timedelta(seconds=1)
    centre.lists.due("SYSTEM")
    assert serials(published(centre, "sign.crl")) == [serial]
    centre.now = last_day + timedelta(hours=25)
    centre.lists.due("SYSTEM")
    assert serials(published(centre, "sign.crl")) == [serial], "the list after the expiry"
    centre.pass_time(hours=25)
    centre.lists.due("SYSTEM")
    assert serials(published(centre, "sign.crl")) == []
    assert b"\x30\x00" not in published(centre, "sign.crl").tbs_certlist_bytes[-60:]


def test_an_entry_stays_until_a_list_after_the_expiry_was_published(centre: Centre) -> None:
    carrier = issue(centre, 1, validity_years=1)
    revoke(centre, carrier)
    centre.lists.due("SYSTEM")
    centre.now = datetime(2027, 11, 22, tzinfo=centre.now.tzinfo)
    (unserved,) = centre.lists.issue("sign", "SYSTEM")
    assert (unserved.state, unserved.entries) == (ListState.STORED, 1)
    centre.pass_time(hours=1)
    centre.lists.due("SYSTEM")
    assert len(published(centre, "sign.crl")) == 1, "no list after the expiry was served before"


@dataclass(frozen=True)
class Full:
    """A place that can be read and not written, as a full disk."""

    over: Publisher

    def current(self, name: str) -> bytes | None:
        return self.over.current(name)

    def put(self, name: str, octets: bytes) -> None:
        raise Unavailable("crl.publish.write", f"{name} cannot be published")


def test_a_revocation_written_past_the_program_is_not_signed(centre: Centre) -> None:
    carrier = issue(centre, 1)
    revoke(centre, carrier)
    with centre.store.begin() as tx:
        (forged, *_) = tx.exec(select(Revocation)).all()
        forged.entry_der = entry_der(0x4242, forged.revoked_at, Reason.CESSATION_OF_OPERATION)
    refused(Refused, "crl.entry.changed", lambda: centre.lists.due("SYSTEM"))


def test_only_what_a_list_covers_is_marked_as_published(centre: Centre) -> None:
    """A card revoked between the signing of a list and its publication waits for the next one."""
    centre.lists.due("SYSTEM")
    first, second = issue(centre, 1), issue(centre, 2)
    revoke(centre, first)
    made = centre.lists.issue("sign", "SYSTEM")
    revoke(centre, second)
    centre.lists.publish(made[0], "SYSTEM")
    with centre.store.read() as tx:
        found = revoked_of_issuer(tx, "sign", "", 10)
    marked = {certificate.carrier_id: revocation.crl_number for certificate, revocation in found}
    assert marked == {first.id: made[0].number, second.id: None}
    centre.lists.due("SYSTEM")
    assert len(published(centre, "sign.crl")) == 2


def test_the_coverage_names_the_list_before(centre: Centre) -> None:
    for number in (1, 2):
        revoke(centre, issue(centre, number))
        centre.lists.due("SYSTEM")
    with centre.store.read() as tx:
        newest = latest(tx, "sign", Scope.FULL)
    assert newest is not None
    said = json.loads(newest.coverage or "")
    assert (said["entries"], said["previous_entries"]) == (2, 1)
    assert (said["number"], said["previous"]) == (newest.number, newest.number - 1)
    assert said["high_water_seq"] == newest.high_water_seq


def test_a_revocation_that_is_gone_is_noticed(centre: Centre) -> None:
    carrier = issue(centre, 1)
    revoke(centre, carrier)
    centre.lists.due("SYSTEM")
    with centre.store.begin() as tx:
        for revocation in tx.exec(select(Revocation)).all():
            tx.delete(revocation)
    refused(Refused, "crl.entry.vanished", lambda: centre.lists.issue("sign", "SYSTEM"))
    assert len(published(centre, "sign.crl")) == 1


def test_a_newer_number_with_an_older_view_is_not_published(centre: Centre) -> None:
    """Two processes made lists at once: the one that saw less took the higher number."""
    centre.lists.due("SYSTEM")
    carrier = issue(centre, 1)
    (blind,) = centre.lists.issue("sign", "SYSTEM")
    revoke(centre, carrier)
    (seeing,) = centre.lists.issue("sign", "SYSTEM")
    with centre.store.begin() as tx:  # as if their numbers had been taken the other way round
        first, second = (tx.get_one(RevocationList, one.id) for one in (blind, seeing))
        first.high_water_seq, second.high_water_seq = second.high_water_seq, first.high_water_seq
    with centre.store.read() as tx:
        first, second = (tx.get_one(RevocationList, one.id) for one in (blind, seeing))
    centre.lists.publish(first, "SYSTEM")
    refused(Refused, "crl.publish.view", lambda: centre.lists.publish(second, "SYSTEM"))


def test_a_ca_that_fails_holds_up_no_other(centre: Centre) -> None:
    (centre.folder / "keys" / "root.pem").write_bytes(b"damaged")
    keys = type(centre.keys)(centre.folder / "keys", lambda _: b"ca passphrase")
    lists = replace(centre.lists, keys=keys)
    refused(Refused, "keys.passphrase.wrong", lambda: lists.due("SYSTEM"))
    assert {"auth.crl", "sign.crl"} <= set(os.listdir(centre.folder / "public"))


def test_a_failed_publication_keeps_the_old_list_and_is_repeated(centre: Centre) -> None:
    centre.lists.due("SYSTEM")
    served = (centre.folder / "public" / "sign.crl").read_bytes()
    carrier = issue(centre)
    revoke(centre, carrier)
    full = replace(centre.lists, publisher=Full(centre.public))
    refused(Unavailable, "crl.publish.write", lambda: full.due("SYSTEM"))
    assert (centre.folder / "public" / "sign.crl").read_bytes() == served
    with centre.store.read() as tx:
        assert all(one.crl_number is None for _, one in revoked_of_issuer(tx, "sign", "", 9))
    made = centre.lists.due("SYSTEM")
    # the number that was taken is not used again
    assert ("auth", "FULL", 3) in numbers(made)
    assert len(published(centre, "sign.crl")) == 1
    assert centre.lists.due("SYSTEM") == []


def test_the_publisher_refuses_what_is_older_foreign_or_corrupt(centre: Centre) -> None:
    (older,) = centre.lists.issue("sign", "SYSTEM")
    (newer,) = centre.lists.issue("sign", "SYSTEM")
    (foreign,) = centre.lists.issue("auth", "SYSTEM")
    centre.lists.publish(newer, "SYSTEM")
    served = (centre.folder / "public" / "sign.crl").read_bytes()
    assert served == newer.list_der
    octets = newer.list_der or b""
    flipped = octets[:-1] + bytes((octets[-1] ^ 1,))

    def row(**changes: object) -> RevocationList:
        return RevocationList(**{**newer.model_dump(), **changes})

    for kind, code, wrong in (
        (Refused, "crl.publish.older", older),
        (Refused, "crl.foreign", row(list_der=foreign.list_der)),
        (Refused, "crl.signature", row(list_der=flipped)),
        (InvalidInput, "crl.unreadable", row(list_der=octets[:-1])),
        (InvalidInput, "crl.unreadable", row(list_der=octets + b"\0")),
        (InvalidInput, "crl.unreadable", row(list_der=None)),
    ):
        refused(kind, code, lambda wrong=wrong: centre.lists.publish(wrong, "SYSTEM"))  # type: ignore[misc]
        assert (centre.folder / "public" / "sign.crl").read_bytes() == served
    centre.lists.publish(newer, "SYSTEM")
    assert os.listdir(centre.folder / "public") == ["sign.crl"]
    # what is served and no list at all does not keep a sound one away
    bad_version = octets.replace(b"\x02\x01\x01\x30\x0d", b"\x02\x01\x07\x30\x0d", 1)
    assert bad_version != octets
    for garbage in (b"", b"garbage", bad_version):
        (centre.folder / "public" / "sign.crl").write_bytes(garbage)
        centre.lists.publish(newer, "SYSTEM")
        assert (centre.folder / "public" / "sign.crl").read_bytes() == served


def test_a_key_that_is_not_the_cas_gives_no_list(centre: Centre) -> None:
    folder = centre.folder / "keys"
    own = (folder / "sign.pem").read_bytes()
    (folder / "sign.pem").write_bytes((folder / "auth.pem").read_bytes())
    keys = type(centre.keys)(folder, lambda _: b"ca passphrase")
    lists = replace(centre.lists, keys=keys)
    refused(Refused, "crl.signature", lambda: lists.issue("sign", "SYSTEM"))
    with centre.store.read() as tx:
        state = text("SELECT state, list_der FROM revocation_list WHERE issuer_id = 'sign'")
        assert tx.execute(state).all() == [("NUMBERED", None)]
    (folder / "sign.pem").write_bytes(own)
    assert numbers(centre.lists.issue("sign", "SYSTEM")) == [("sign", "FULL", 2)]


def test_a_list_is_what_went_into_it() -> None:
    sound = facts(sub_ca(), Scope.FULL, 7, entry_der(1, NOW, None))

    def parsed(made: ListFacts) -> x509.CertificateRevocationList:
        return load_list(twin(to_be_signed(made), made.public_key, made.hash_name))

    verify_facts(parsed(sound), sound)
    for what, made in (
        ("number", replace(sound, number=8)),
        ("issuingDistributionPoint", replace(sound, scope=Scope.SARL)),
        ("count of entries", replace(sound, entries=())),
        ("count of entries", replace(sound, entries=(*sound.entries, *sound.entries))),
    ):
        refusal = refused(
            Refused,
            "crl.differs",
            lambda made=made: verify_facts(parsed(made), sound),  # type: ignore[misc]
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
        state = text("SELECT number, state, list_der FROM revocation_list ORDER BY number")
        assert tx.execute(state).all() == [(1, "NUMBERED", None), (2, "NUMBERED", None)]
    assert numbers(centre.lists.issue("sign", "SYSTEM")) == [("sign", "FULL", 3)]


def test_an_encoder_gone_wrong_gives_no_list(
    centre: Centre, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What is judged is compared with what went in, and what is signed with what was judged."""
    unreachable = replace(centre.lists, keys=ClosedBackend())
    with monkeypatch.context() as patch:
        patch.setattr(
            "crl.lists.to_be_signed",
            lambda made: to_be_signed(replace(made, number=made.number + 1)),
        )
        refused(Refused, "crl.differs", lambda: unreachable.issue("sign", "SYSTEM"))
    other = to_be_signed(facts(sub_ca(), Scope.FULL, 1))
    with monkeypatch.context() as patch:
        patch.setattr("crl.lists.assemble", lambda _, *parts: assemble(other, *parts))
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
    extensions = load_list(made.list_der or b"").extensions
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


def test_a_full_disk_leaves_the_old_list_whole(tiny_folder: Path) -> None:
    publisher = FolderPublisher(tiny_folder)
    publisher.put("sign.crl", b"old" * 1000)
    with pytest.raises(Unavailable) as refusal:
        publisher.put("sign.crl", bytes(20_000))
    assert refusal.value.code == "crl.publish.write"
    assert "No space" in refusal.value.text
    assert publisher.current("sign.crl") == b"old" * 1000
    assert os.listdir(tiny_folder) == ["sign.crl"]
    publisher.put("sign.crl", b"new")
    assert publisher.current("sign.crl") == b"new"


def test_a_limit_on_file_size_leaves_the_old_list_whole(tmp_path: Path) -> None:
    """As on a full disk the write breaks off half-way, and it needs no root to make it so."""
    publisher = FolderPublisher(tmp_path)
    publisher.put("sign.crl", b"old")
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (4096, before[1]))
    try:
        refused(Unavailable, "crl.publish.write", lambda: publisher.put("sign.crl", bytes(20_000)))
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)
    assert publisher.current("sign.crl") == b"old"
    assert os.listdir(tmp_path) == ["sign.crl"]


def test_a_folder_that_is_none_is_unavailable(tmp_path: Path) -> None:
    (tmp_path / "public").write_text("a file")
    publisher = FolderPublisher(tmp_path / "public")
    refused(Unavailable, "crl.publish.write", lambda: publisher.put("sign.crl", b"new"))
    refused(Unavailable, "crl.publish.write", lambda: publisher.current("sign.crl"))
    (tmp_path / "other" / "sign.crl").mkdir(parents=True)
    other = FolderPublisher(tmp_path / "other")
    refused(Unavailable, "crl.publish.write", lambda: other.put("sign.crl", b"new"))
    assert os.listdir(tmp_path / "other") == ["sign.crl"]
