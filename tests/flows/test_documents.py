"""Documents of applications: kept encrypted, viewed with an entry, checked, redacted by two."""

from __future__ import annotations

import json
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from datetime import date, timedelta
from pathlib import Path

import pytest

from audit.trail import Event
from ca.dossier import Offer
from ca.orders import examination
from operators.records import statements_about
from operators.statements import StatementType
from pki.errors import Conflict, HpkiError, InvalidInput, NotFound, Refused, Unavailable
from policies.moves import ApplicationState
from policies.roles import Role
from ra.documents.cabinet import Cabinet, RedactionReason, redaction, redaction_digest
from ra.dossiers import compute_dossier
from ra.erasure import ErasureReason
from ra.records import CheckResult, Document, find_application
from tests.flows.conftest import Centre
from tests.flows.registration import (
    batch_for,
    bring_to_examination,
    entries,
    row,
    scan,
    take_in,
)
from tests.flows.test_erasure import service, stay_in_office

REF = "T2026-0001"
RECORD = "RESIDENT_RECORD"
TODAY = date(2026, 11, 21)
PLANTED = "個人番号 1234 5678 9018 世帯主"
MY_NUMBER = RedactionReason.MY_NUMBER


BLACK = scan("個人番号は黒塗り", 0)


@pytest.fixture
def cabinet(centre: Centre) -> Cabinet:
    take_in(centre, row())
    return centre.cabinet


@contextmanager
def told(code: str) -> Iterator[None]:
    """Want an error with that code."""
    with pytest.raises(HpkiError) as error:
        yield
    assert error.value.code == code, error.value


def put(centre: Centre, state: ApplicationState) -> None:
    """Set the state, as if all before it had been done."""
    with centre.store.begin() as tx:
        find_application(tx, REF).state = state


def added(centre: Centre, cabinet: Cabinet, octets: bytes | None = None, **changes: date) -> int:
    """The number of a resident record that was added."""
    received_on = changes.pop("received_on", TODAY)
    signer = centre.signers["uketsuke"]
    return cabinet.add(REF, RECORD, received_on, signer, octets or scan(), **changes)[0].number


def found(folder: Path, *needles: bytes) -> list[Path]:
    return [
        path
        for path in folder.rglob("*")
        if path.is_file() and any(needle in path.read_bytes() for needle in needles)
    ]


def files(centre: Centre) -> list[str]:
    return sorted(path.name for path in (centre.folder / "documents").iterdir())


def stored(centre: Centre, number: int) -> Document:
    with centre.store.read() as tx:
        return tx.get_one(Document, (REF, RECORD, number))


def test_a_document_is_added_encrypted_and_entered(centre: Centre, cabinet: Cabinet) -> None:
    signer = centre.signers["uketsuke"]
    first, media = cabinet.add(REF, "PHOTO_ID", TODAY, signer, scan(), valid_until=date(2027, 1, 1))
    paper, nothing = cabinet.add(REF, "PHOTO_ID", TODAY, signer)
    assert (first.number, paper.number) == (2, 3)  # the list brought the first
    assert media is not None
    assert (media.type, media.width, nothing) == ("image/png", 300, None)
    assert (first.media_type, first.octets) == ("image/png", len(scan()))
    assert paper.file_name is paper.sha256 is paper.media_type is None
    entry = entries(centre, "DOC.ADD")[-2]
    assert first.sha256 is not None
    assert first.sha256 not in entry.body
    assert json.loads(entry.body)["detail"]["document"] == "PHOTO_ID.2"
    assert files(centre) == [first.file_name]
    assert not found(centre.folder, PLANTED.encode(), scan()[:64])


def test_equal_files_lie_there_differently(centre: Centre, cabinet: Cabinet) -> None:
    one, two = (stored(centre, added(centre, cabinet)) for _ in range(2))
    assert one.sha256 == two.sha256
    assert one.wrapped_key != two.wrapped_key
    octets = [(centre.folder / "documents" / str(name)).read_bytes() for name in files(centre)]
    assert octets[0][20:] != octets[1][20:]


def test_who_takes_nothing_in_adds_nothing(centre: Centre, cabinet: Cabinet) -> None:
    for name in ("shonin", "toroku", "hakko", "kanri"):
        with told("operators.role.missing"):
            cabinet.add(REF, RECORD, TODAY, centre.signers[name], scan())
    assert not (centre.folder / "documents").exists()


def test_what_cannot_be_is_not_added(centre: Centre, cabinet: Cabinet) -> None:
    signer, late = centre.signers["uketsuke"], TODAY + timedelta(days=1)
    for code, when, octets, issued_on, wanted in (
        ("PASSPORT", TODAY, scan(), None, "ra.document.code"),
        (RECORD, late, scan(), None, "ra.document.future"),
        (RECORD, TODAY, scan(), late, "ra.document.future"),
        (RECORD, TODAY, b"no picture", None, "ra.document.type"),
        ("PHOTO", TODAY, scan(), None, "ra.document.pixels"),
    ):
        with told(wanted):
            cabinet.add(REF, code, when, signer, octets, issued_on)
    with pytest.raises(NotFound):
        cabinet.add("T2026-0999", RECORD, TODAY, signer, scan())
    assert entries(centre, "DOC.ADD") == []
    assert not (centre.folder / "documents").exists()


def test_an_examined_file_takes_nothing_more(centre: Centre, cabinet: Cabinet) -> None:
    for state in ("EXAMINED", "REJECTED", "ISSUING", "CLOSED_REVOKED"):
        put(centre, ApplicationState(state))
        with told("ra.state"):
            added(centre, cabinet)
    assert not (centre.folder / "documents").exists()


def test_a_file_that_fails_to_be_entered_is_thrown_away(
    centre: Centre, cabinet: Cabinet, monkeypatch: pytest.MonkeyPatch
) -> None:
    added(centre, cabinet)
    before = files(centre)
    for broken in ("append", "position"):
        with monkeypatch.context() as patch:
            patch.setattr(type(centre.trail), broken, _fail)
            with pytest.raises(Unavailable):
                added(centre, cabinet)
    assert files(centre) == before
    assert cabinet.strays() == ()


def _fail(*_: object, **__: object) -> None:
    raise Unavailable("test.disk", "the disk is full")


def test_scans_that_arrive_together_get_numbers_of_their_own(
    centre: Centre, cabinet: Cabinet
) -> None:
    with ThreadPoolExecutor(4) as people:
        numbers = list(people.map(lambda _: added(centre, cabinet), range(4)))
    assert sorted(numbers) == [2, 3, 4, 5]
    assert len(files(centre)) == 4


def test_a_view_is_entered_before_anything_is_seen(centre: Centre, cabinet: Cabinet) -> None:
    number = added(centre, cabinet)
    for name in ("uketsuke", "shonin", "toroku"):
        assert cabinet.open(REF, RECORD, number, centre.signers[name]) == (scan(), "image/png")
    seen = [json.loads(one.body) for one in entries(centre, "PII.VIEW")]
    assert [one["actor_id"] for one in seen] == ["uketsuke", "shonin", "toroku"]
    assert {one["detail"]["document"] for one in seen} == {f"{RECORD}.{number}"}
    (centre.folder / "documents" / files(centre)[0]).unlink()
    with pytest.raises(Unavailable):
        cabinet.open(REF, RECORD, number, centre.signers["shonin"])
    assert len(entries(centre, "PII.VIEW")) == 4
    assert not found(centre.folder, PLANTED.encode())


def test_who_may_not_look_sees_nothing(centre: Centre, cabinet: Cabinet) -> None:
    number = added(centre, cabinet)
    for name in ("hakko", "kanri", "shikko", "kiroku", "ansho"):
        with told("operators.role.missing"):
            cabinet.open(REF, RECORD, number, centre.signers[name])
    assert entries(centre, "PII.VIEW") == []


def test_nobody_works_on_their_own_documents(centre: Centre, cabinet: Cabinet) -> None:
    own = row(2, kanji_name="Shonin", birth_date="1970-01-01")
    take_in(centre, own)
    ref, signers = own["application_ref"], centre.signers
    number = cabinet.add(ref, RECORD, TODAY, signers["uketsuke"], scan())[0].number
    with told("operators.own_file"):
        cabinet.open(ref, RECORD, number, signers["shonin"])
    with told("operators.own_file"):
        cabinet.redact(
            ref, RECORD, number, BLACK, signers["uketsuke"], signers["shonin"], MY_NUMBER
        )
    assert len(files(centre)) == 1


def test_a_swapped_file_or_row_is_refused(centre: Centre, cabinet: Cabinet) -> None:
    one, two = added(centre, cabinet), added(centre, cabinet, BLACK)
    for field in ("file_name", "wrapped_key"):
        with centre.store.begin() as tx:
            rows = [tx.get_one(Document, (REF, RECORD, number)) for number in (one, two)]
            values = [getattr(row, field) for row in rows]
            setattr(rows[0], field, values[1])
            setattr(rows[1], field, values[0])
        for number in (one, two):
            with pytest.raises(Refused):
                cabinet.open(REF, RECORD, number, centre.signers["shonin"])
    with pytest.raises(Refused):  # both swapped: another document's file and key
        cabinet.open(REF, RECORD, one, centre.signers["shonin"])


def test_what_is_not_there_is_told(centre: Centre, cabinet: Cabinet) -> None:
    with pytest.raises(NotFound, match="it is on paper"):
        cabinet.open(REF, RECORD, 1, centre.signers["shonin"])
    with pytest.raises(NotFound, match=r"no document RESIDENT_RECORD\.7"):
        cabinet.open(REF, RECORD, 7, centre.signers["shonin"])
    assert [one.code for one in cabinet.documents(REF)][0] == "APPLICATION_FORM"


def test_a_check_is_kept_and_entered(centre: Centre, cabinet: Cabinet) -> None:
    number, examiner = added(centre, cabinet), centre.signers["uketsuke"]
    with told("ra.state"):
        cabinet.check(REF, RECORD, number, examiner, True)
    put(centre, ApplicationState.EXAMINING)
    with pytest.raises(InvalidInput, match="wants a note"):
        cabinet.check(REF, RECORD, number, examiner, False, " ")
    note = "続柄の記載なし"
    failed = cabinet.check(REF, RECORD, number, examiner, False, note)
    assert (failed.result, failed.note, failed.checked_by) == (CheckResult.FAIL, note, "uketsuke")
    passed = cabinet.check(REF, RECORD, number, examiner, True, "", date(2026, 11, 1))
    assert (passed.result, passed.note, passed.issued_on) == (
        CheckResult.OK, "", date(2026, 11, 1)
    )  # fmt: skip
    bodies = [one.body for one in entries(centre, "DOC.CHECK")]
    assert [json.loads(one)["detail"]["result"] for one in bodies] == ["FAIL", "OK"]
    assert note not in "".join(bodies)
    with told("operators.role.missing"):
        cabinet.check(REF, RECORD, number, centre.signers["shonin"], True)


def test_age_and_validity_count_on_the_day_of_receipt(centre: Centre, cabinet: Cabinet) -> None:
    """A resident record may be 92 days old: 2026-08-21 to 2026-11-21."""
    examiner = centre.signers["uketsuke"]
    cases: list[tuple[date | None, date | None, str | None]] = [
        (None, None, "ra.document.undated"),
        (date(2026, 8, 20), None, "ra.document.old"),
        (date(2026, 8, 21), None, None),
        (TODAY, None, None),
        (TODAY, date(2026, 11, 20), "ra.document.expired"),
        (TODAY, TODAY, None),
    ]
    numbers = [added(centre, cabinet) for _ in cases]
    put(centre, ApplicationState.EXAMINING)
    centre.pass_time(days=60)
    for number, (issued_on, valid_until, code) in zip(numbers, cases, strict=True):
        said = (REF, RECORD, number, examiner)
        if code is None:
            assert cabinet.check(*said, True, "", issued_on, valid_until).result == "OK"
            continue
        with told(code):
            cabinet.check(*said, True, "", issued_on, valid_until)
        assert stored(centre, number).result is None
        assert cabinet.check(*said, False, "古い", issued_on, valid_until).result == "FAIL"


def test_a_redacted_copy_takes_the_place(centre: Centre, cabinet: Cabinet) -> None:
    number, signers = added(centre, cabinet), centre.signers
    before = stored(centre, number)
    put(centre, ApplicationState.ISSUED)
    copy = cabinet.redact(
        REF, RECORD, number, BLACK, signers["uketsuke"], signers["shonin"], MY_NUMBER
    )
    assert (copy.number, copy.redacts, copy.received_on) == (number + 1, number, TODAY)
    assert files(centre) == [copy.file_name]
    after = stored(centre, number)
    assert (after.file_name, after.wrapped_key, after.sha256) == (None, None, before.sha256)
    assert cabinet.open(REF, RECORD, copy.number, signers["toroku"]) == (BLACK, "image/png")
    with pytest.raises(Conflict, match="was redacted"):
        cabinet.open(REF, RECORD, number, signers["toroku"])
    with pytest.raises(Conflict):
        cabinet.redact(
            REF, RECORD, number, BLACK, signers["uketsuke"], signers["shonin"], MY_NUMBER
        )
    put(centre, ApplicationState.EXAMINING)
    with told("ra.document.copy"):
        cabinet.check(REF, RECORD, copy.number, signers["uketsuke"], True)
    verify_redaction(centre, after, copy)


def verify_redaction(centre: Centre, original: Document, copy: Document) -> None:
    """Both statements say what the rows say, and verify anew."""
    with centre.store.read() as tx:
        application = find_application(tx, REF)
        seen = redaction_digest(application, original, copy)
        kept = statements_about(tx, REF, StatementType.REDACTION)
        by = {one.operator_id: one.id for one in kept}
        assert copy.statement_id in by.values()
        for name, role in (("uketsuke", Role.RA_EXAMINER), ("shonin", Role.RA_APPROVER)):
            decision = redaction(REF, seen, role, MY_NUMBER)
            assert centre.directory.verify_kept(tx, by[name], decision) == name
    body = json.loads(entries(centre, "DOC.REDACT")[-1].body)
    assert (body["actor_id"], body["co_actor_id"]) == ("uketsuke", "shonin")
    assert body["detail"]["copy"] == f"{RECORD}.{copy.number}"
    assert original.sha256 is not None
    assert original.sha256 not in entries(centre, "DOC.REDACT")[-1].body


def test_what_was_signed_before_a_redaction_still_verifies(
    centre: Centre, cabinet: Cabinet
) -> None:
    """The dossier computed from the rows stays what the examiner signed."""
    number, signers = added(centre, cabinet), centre.signers

    def seen() -> str:
        with centre.store.read() as tx:
            application = find_application(tx, REF)
            return compute_dossier(tx, application, centre.kind, Offer({}, 1)).digest()

    signed = seen()
    decision = examination(REF, signed)
    with centre.store.begin() as tx:
        kept = centre.directory.state(tx, _examined(), (signers["uketsuke"], decision))[0].id
    cabinet.redact(REF, RECORD, number, BLACK, signers["uketsuke"], signers["toroku"], MY_NUMBER)
    assert seen() == signed
    with centre.store.read() as tx:
        assert centre.directory.verify_kept(tx, kept, decision) == "uketsuke"
    added(centre, cabinet, scan("another"))
    assert seen() != signed


def test_an_order_stands_after_a_redaction(centre: Centre, cabinet: Cabinet) -> None:
    """From the scan to the order, then the redaction, then the batch at the station."""
    number, signers = added(centre, cabinet, issued_on=TODAY), centre.signers
    bring_to_examination(centre, REF)
    cabinet.check(REF, RECORD, number, signers["uketsuke"], True)
    centre.examination.examine(REF, signers["uketsuke"], rest_ok=True)
    order = centre.examination.approve(REF, signers["shonin"])
    assert order is not None
    cabinet.redact(REF, RECORD, number, BLACK, signers["uketsuke"], signers["toroku"], MY_NUMBER)
    batch = batch_for(centre, order.id)
    with centre.store.read() as tx:
        centre.examination.verify_order(tx, order, ["hakko"])
        centre.orders.verify_for_issue(tx, order.id, batch)
    with centre.store.begin() as tx:
        tx.get_one(Document, (REF, RECORD, number)).sha256 = "0" * 64
    with centre.store.read() as tx, told("ra.dossier.changed"):
        centre.examination.verify_order(tx, order, ["hakko"])


def _examined() -> Event:
    return Event("APP.EXAMINED", "application", REF, actor="uketsuke")


def test_my_number_is_gone_from_the_disk(centre: Centre, cabinet: Cabinet) -> None:
    number, signers = added(centre, cabinet), centre.signers
    original = stored(centre, number)
    ciphertext = (centre.folder / "documents" / str(original.file_name)).read_bytes()
    cabinet.open(REF, RECORD, number, signers["shonin"])
    cabinet.redact(REF, RECORD, number, BLACK, signers["uketsuke"], signers["shonin"], MY_NUMBER)
    centre.store.empty_log()
    assert original.wrapped_key is not None
    needles = (PLANTED.encode(), ciphertext[8:40], original.wrapped_key.encode())
    assert not found(centre.folder, *needles)


def test_two_who_may_redact_together(centre: Centre, cabinet: Cabinet) -> None:
    number, signers = added(centre, cabinet), centre.signers
    before = files(centre)
    for first, second, code in (
        ("uketsuke", "uketsuke", "ra.redact.people"),
        ("uketsuke", "hakko", "operators.role.missing"),
        ("uketsuke", "kanri", "operators.role.missing"),
        ("shonin", "toroku", "operators.role.missing"),
    ):
        with told(code):
            cabinet.redact(REF, RECORD, number, BLACK, signers[first], signers[second], MY_NUMBER)
    assert files(centre) == before
    assert cabinet.open(REF, RECORD, number, signers["shonin"])[0] == scan()
    assert entries(centre, "DOC.REDACT") == []


def test_the_same_file_and_no_file_are_no_redaction(centre: Centre, cabinet: Cabinet) -> None:
    number, signers = added(centre, cabinet), centre.signers
    people = signers["uketsuke"], signers["shonin"]
    for octets, code in ((scan(), "ra.redact.same"), (b"black", "ra.document.type")):
        with told(code):
            cabinet.redact(REF, RECORD, number, octets, *people, MY_NUMBER)
    with pytest.raises(NotFound):
        cabinet.redact(REF, RECORD, 1, BLACK, *people, MY_NUMBER)
    assert len(files(centre)) == 1


def test_files_without_a_row_are_found(centre: Centre, cabinet: Cabinet) -> None:
    """A crash after the file and before its row; and one between the row and its file's end."""
    number = added(centre, cabinet)
    kept = cabinet.vault.store("nobody's", scan())
    assert cabinet.strays() == (kept.name,)
    with centre.store.begin() as tx:
        tx.get_one(Document, (REF, RECORD, number)).file_name = None
    assert set(cabinet.strays()) == set(files(centre))


def test_an_erasure_takes_files_and_keys(centre: Centre, cabinet: Cabinet) -> None:
    number, signers = added(centre, cabinet), centre.signers
    added(centre, cabinet, scan("another"))
    cabinet.redact(REF, RECORD, number, BLACK, signers["uketsuke"], signers["shonin"], MY_NUMBER)
    put(centre, ApplicationState.EXAMINED)
    centre.examination.reject(REF, signers["shonin"], "R02")
    stay_in_office(centre, "toroku", "kanri")
    centre.pass_time(days=4020)
    service(centre).erase(REF, signers["toroku"], signers["kanri"], ErasureReason.RETENTION_OVER)
    assert files(centre) == []
    for one in cabinet.documents(REF):
        kept = (one.sha256, one.file_name, one.wrapped_key, one.issued_on, one.note)
        assert kept == (None, None, None, None, "")
    with told("ra.erased"):
        cabinet.open(REF, RECORD, number, signers["toroku"])
