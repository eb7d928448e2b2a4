"""Erasure: the person's values go, and everything that was signed or chained still verifies."""

from __future__ import annotations

import json
from collections.abc import Iterable
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from pathlib import Path

import pytest
import sqlalchemy as sa
from sqlmodel import SQLModel, select

from ca.dossier import parse_dossier
from ca.orders import find_order
from operators.acts import Rekey, prove_keys
from operators.records import Statement
from operators.statements import Decision, KeySigner, StatementType
from pki.errors import Conflict, NotFound, Refused
from policies.moves import ApplicationState
from policies.parameters import Parameters
from policies.roles import Role
from ra import records
from ra.casework.records import Choice, NoticeKind
from ra.erasure import Erasure, ErasureReason
from ra.intake import Outcome
from ra.persons.applicants import applicant_of
from ra.persons.search import matches
from ra.records import ImportRejection, Person, find_application
from ra.revocation import CallerCheck, Request, Verdict
from reports.reconciliation import check_rows
from tests.flows.conftest import SITE_ID, Centre, identity, p256
from tests.flows.issuing import refused
from tests.flows.registration import (
    Row,
    bring_to_examination,
    certificates_on,
    entries,
    make_cards,
    order_all,
    row,
    scan,
    take_in,
)
from tests.flows.test_destruction import destroy

MANAGERS = ("kanri", "toroku", "tachiai")
REF = "T2026-0001"
OVER = ErasureReason.RETENTION_OVER
PLANTED = {
    "kanji_name": "埋草　消子",
    "kana_name": "ウメクサ　キエコ",
    "romaji_name": "UMEKUSA KIEKO",
    "former_surname": "旧埋草",
    "birth_date": "1963-07-19",
    "registration_number": "917356",
    "registration_date": "1991-05-23",
    "address": "福岡県福岡市架空区消去町七丁目",
    "postal_code": "812-9971",
    "telephone": "092-990-7719",
    "email": "kieko@umekusa.example.jp",
    "member_id": "0040917730",
    "municipality": "消去市",
    "documents": "APPLICATION_FORM;PHOTO;LICENCE_COPY;PHOTO_ID;RESIDENT_RECORD@2026-08-20"
    ";FORMER_NAME_DOC",
}
WORDS = {
    "requester": "埋草の代理人",
    "evidence": "電話 092-990-7719 に折返し",
    "note": "本人は旅行先で紛失",
    "reason": "登録名が別人のもの",
}
IN_CERTIFICATES = ("kanji_name", "romaji_name")
CERTIFIED = {
    ("certificate", "subject"),
    ("certificate", "tbs_der"),
    ("certificate", "certificate_der"),
}


def planted(**changes: str) -> Row:
    return row(1, **PLANTED | changes)


def secrets() -> dict[str, str]:
    """What must be gone; the list of documents is no secret."""
    return {name: value for name, value in (PLANTED | WORDS).items() if name != "documents"}


def service(centre: Centre, years: int = 10) -> Erasure:
    parameters = Parameters({"RETAIN_YEARS": years})
    return Erasure(centre.store, replace(centre.registrar, parameters=parameters), centre.vault)


def erase(centre: Centre, ref: str = REF, operator: str = "toroku", witness: str = "kanri") -> None:
    service(centre).erase(ref, centre.signers[operator], centre.signers[witness], OVER)


def stay_in_office(centre: Centre, *names: str) -> None:
    """Keys that last until the files' time is over."""
    for name in names:
        signer, sealing = KeySigner(name, p256()), p256()
        keys = prove_keys(signer, sealing.public_key(), SITE_ID, date(2060, 1, 1))
        managers = [one for one in MANAGERS if one != name]
        centre.decide(Rekey(operator=name, keys=keys), *managers[:2])
        centre.signers[name], centre.sealing[name] = signer, sealing


def reject(centre: Centre, ref: str = REF) -> None:
    signers = centre.signers
    bring_to_examination(centre, ref)
    failures = {"QUALIFICATION": WORDS["note"]}
    centre.examination.examine(ref, signers["uketsuke"], failures, rest_ok=True)
    centre.examination.reject(ref, signers["shonin"], "R99", WORDS["reason"])


def revoke(centre: Centre, card: str) -> None:
    """In an emergency, which is reviewed."""
    known = CallerCheck(True, PLANTED["registration_number"], date(1963, 7, 19))
    request = Request("S02_CARD_LOST", WORDS["requester"], "TELEPHONE", WORDS["evidence"], known)
    signers = centre.signers
    centre.desk.revoke(centre.desk.find(card), request, signers["shikko"], None)
    (made,) = centre.desk.requests()
    centre.desk.review(made.id, signers["toroku"], Verdict.CONFIRMED, WORDS["note"])


def found_in(centre: Centre, values: Iterable[str]) -> set[tuple[str, str]]:
    """Tables and columns that hold any of the values."""
    needles = [value.encode() for value in values]
    hits = set()
    with centre.store.read() as tx:
        for table in SQLModel.metadata.sorted_tables:
            for one in tx.execute(sa.select(table)).mappings():
                for name, value in one.items():
                    octets = value if isinstance(value, bytes) else str(value).encode()
                    if any(needle in octets for needle in needles):
                        hits.add((table.name, str(name)))
    return hits


def file_of(centre: Centre) -> bytes | None:
    """The database's octets with its log's; None for a server's."""
    assert centre.store.empty_log()
    path = Path(centre.store.engine.url.database or "")
    if centre.store.engine.dialect.name != "sqlite":
        return None
    return b"".join(one.read_bytes() for one in path.parent.glob(f"{path.name}*"))


def verify_everything(centre: Centre) -> None:
    """Trail, register and every statement, by what it says of itself."""
    centre.trail.verify()
    fresh = Centre(
        centre.store,
        centre.folder,
        now=centre.now,
        signers=centre.signers,
        sealing=centre.sealing,
        root=centre.root,
    )
    with centre.store.read() as tx:
        statements = list(tx.exec(select(Statement)))
        assert len({one.type for one in statements}) >= 6
        for one in statements:
            if one.type == StatementType.SETUP:
                continue  # signed by people whom it makes able to: the register proves it
            said = json.loads(one.body)
            names = ("object_type", "object_id", "digest", "decision", "reason")
            expected = Decision(
                type=StatementType(one.type),
                role=Role(said["role"]),
                **{name: said[name] for name in names},
            )
            assert fresh.directory.verify_kept(tx, one.id, expected) == one.operator_id


def test_a_file_whose_time_is_over(centre: Centre) -> None:
    bad = planted(application_ref="T2026-0009", romaji_name="")
    report = take_in(centre, bad)
    assert report.count(Outcome.REJECTED) == 1
    with centre.store.read() as tx:
        hints = "".join(one.hint for one in tx.exec(select(ImportRejection)))
    assert "UMEKUSA" in hints.upper()
    stay_in_office(centre, "toroku", "kanri", "hakko")
    (card, _) = make_cards(centre, planted(), row(2))
    revoke(centre, card)
    refused(Refused, "ra.erase.early", lambda: erase(centre))
    ends = max(one.not_after for one in certificates_on(centre, card))
    assert ends == datetime(2031, 11, 20, 14, 59, 59, tzinfo=UTC)
    centre.now = datetime(2041, 11, 20, 14, 59, 59, tzinfo=UTC)
    refusal = refused(Refused, "ra.erase.early", lambda: erase(centre))
    assert "2041-11-20" in refusal.text
    centre.pass_time(seconds=1)
    found = service(centre).find(REF)
    assert (found.person, found.confirmation, found.applicant.kanji_name) == (
        True,
        "7356",
        "埋草　消子",
    )
    assert found_in(centre, secrets().values()) > CERTIFIED
    erase(centre)
    names = [PLANTED[name] for name in IN_CERTIFICATES]
    assert found_in(centre, names) <= CERTIFIED
    gone = [value for name, value in secrets().items() if name not in IN_CERTIFICATES]
    assert found_in(centre, gone) == set()
    octets = file_of(centre)
    if octets is not None:
        assert [value for value in gone if value.encode() in octets] == []
    verify_everything(centre)
    verify_what_is_left(centre, card)


def verify_what_is_left(centre: Centre, card: str) -> None:
    """Its certificates and revocation, dates and codes; and its neighbour whole."""
    with centre.store.read() as tx:
        application = find_application(tx, REF)
        assert application.erased_at == centre.now
        assert set(application.salt) == set(application.row_digest) == {"0"}
        assert (application.profession, application.work_prefecture) == ("医師", "13")
        assert tx.get_one(Person, application.person_id).birth_date is None
        (request,) = records.requests_of(tx, REF)
        assert (request.requester, request.evidence, request.review_note) == ("", "", None)
        assert request.review == Verdict.CONFIRMED
        order = find_order(tx, f"{REF}.1")
        assert (order.dossier, application.dossier) == ("", None)
        refused(Conflict, "ca.dossier.erased", lambda: parse_dossier(order.dossier.encode()))
        refused(Conflict, "ra.erased", lambda: applicant_of(tx, application))
        assert not matches(tx, application, "埋草")
        assert records.by_licence(tx, PLANTED["registration_number"]) == []
        other = find_application(tx, "T2026-0002")
        assert applicant_of(tx, other).kanji_name == "髙橋　一郎"
    assert all(one.certificate_der for one in certificates_on(centre, card))
    story = [json.loads(one.body) for one in entries(centre)][-2:]
    assert [(one["code"], one["actor_id"], one["co_actor_id"]) for one in story] == [
        ("APP.PURGE", "toroku", "kanri"),
        ("PII.DELETE", "toroku", "kanri"),
    ]
    assert {"birth_date", "kana_name", "salt", "evidence"} <= set(story[1]["detail"]["fields"])
    refused(Conflict, "ra.erased", lambda: erase(centre))
    refused(Conflict, "ra.erased", lambda: centre.desk.find(card))
    destroy(centre, card)  # the card itself may come back as late as this


def test_a_rejected_file(centre: Centre) -> None:
    """Without certificates nothing of the person is left at all, not even the name."""
    stay_in_office(centre, "toroku", "kanri")
    take_in(centre, planted(), *[row(number) for number in range(2, 40)])
    reject(centre)
    centre.now = datetime(2036, 11, 21, 14, 59, 59, tzinfo=UTC)
    refused(Refused, "ra.erase.early", lambda: erase(centre))
    centre.pass_time(seconds=1)
    erase(centre)
    assert found_in(centre, secrets().values()) == set()
    octets = file_of(centre)
    if octets is not None:
        assert [value for value in secrets().values() if value.encode() in octets] == []
    verify_everything(centre)
    again = take_in_again(centre)
    assert again == "ra.row.ref_taken"


def take_in_again(centre: Centre) -> str:
    """An erased reference is never given to a new file; the very list comes in once more."""
    stay = KeySigner("uketsuke", p256())
    keys = prove_keys(stay, p256().public_key(), SITE_ID, date(2060, 1, 1))
    centre.decide(Rekey(operator="uketsuke", keys=keys), "kanri")
    centre.signers["uketsuke"] = stay
    (outcome,) = take_in(centre, planted()).rows
    return outcome.faults[0].code.value


IN_THE_WORK = {
    "association": "架空消去医師会",
    "seen": "埋艸　消子",
    "explanation": "旧字体のため埋艸",
    "duplicate": "埋草の双子の姉",
    "deficiency": "埋草さんに写真を依頼",
    "fee": "口座 7719-埋草",
    "scan": "住民票 埋草 消子",
    "check": "写真は埋草本人",
}
"""What people wrote or scanned while they worked on the file."""


def work_on(centre: Centre) -> None:
    """Bring a draft without a number of membership to its fee, with words everywhere."""
    examiner, work = centre.signers["uketsuke"], IN_THE_WORK
    changes = {"association": work["association"], "web_id": "WEB-771"}
    take_in(centre, row(2, registration_number=PLANTED["registration_number"]))
    take_in(centre, planted(member_id="", **changes), drafts=True)
    centre.reception.receive(REF, "WEB-771", examiner)
    centre.reception.ask(REF, ["PHOTO"], work["deficiency"], examiner)
    day, octets = centre.registrar.today, scan(work["scan"])
    centre.cabinet.add(REF, "RESIDENT_RECORD", day, examiner, octets, day)
    bring_to_examination(centre, REF)
    centre.examination.check(REF, "INTENT", examiner, ok=True, note=work["check"])
    seen = {"kanji_name": work["seen"]}
    centre.matches.enter(REF, "LICENCE_COPY", seen, examiner, {"kanji_name": work["explanation"]})
    centre.duplicates.choose(REF, "T2026-0002", Choice.OTHER_PERSON, work["duplicate"], examiner)
    centre.examination.examine(REF, examiner, rest_ok=True)
    assert centre.examination.approve(REF, centre.signers["shonin"]) is None
    centre.fees.pay(REF, 5500, work["fee"], examiner)


def test_a_withdrawn_file_with_all_that_was_written_into_it(centre: Centre) -> None:
    stay_in_office(centre, "toroku", "kanri")
    work_on(centre)
    centre.examination.withdraw(REF, centre.signers["shonin"], "死亡届")
    held = [*IN_THE_WORK.values(), *secrets().values()]
    assert len(list((centre.folder / "documents").iterdir())) == 2
    words = [one for name, one in IN_THE_WORK.items() if name not in ("scan",)]
    assert [one for one in words if not found_in(centre, [one])] == []
    centre.now = datetime(2036, 11, 21, 14, 59, 59, tzinfo=UTC)
    refused(Refused, "ra.erase.early", lambda: erase(centre))
    centre.pass_time(seconds=1)
    erase(centre)
    kept = {PLANTED["registration_number"]}  # another file's too
    assert found_in(centre, set(held) - kept | {"WEB-771"}) == set()
    assert list((centre.folder / "documents").iterdir()) == []
    assert service(centre).vault.strays([]) == ()
    verify_everything(centre)
    with centre.store.read() as tx:
        assert list(check_rows(tx, centre.archive)) == []


def test_the_registers_answers_stay_while_another_file_needs_them(centre: Centre) -> None:
    stay_in_office(centre, "toroku", "kanri")
    take_in(centre, planted(), row(2))
    bring_to_examination(centre, REF, "T2026-0002")
    examiner = centre.signers["uketsuke"]
    for ref in (REF, "T2026-0002"):
        centre.examination.withdraw(ref, examiner, "取下書")
    centre.pass_time(days=365 * 11)
    erase(centre)
    (answers,) = (centre.folder / "documents").iterdir()
    erase(centre, "T2026-0002")
    assert not answers.exists()


def test_files_returned_or_carried_out_end_too(centre: Centre) -> None:
    stay_in_office(centre, "toroku", "kanri")
    examiner = centre.signers["uketsuke"]
    take_in(centre, planted())
    centre.reception.ask(REF, ["PHOTO"], "", examiner)
    centre.letters.send(REF, NoticeKind.DEFICIENCY, "MAIL", examiner)
    centre.pass_time(days=61)
    centre.reception.return_file(REF, examiner, "期限経過")
    other = planted(application_ref="T2026-0002", type="LOSS_REPORT", replaces=REF)
    take_in(centre, other | {"received_on": "2026-10-01"})
    centre.reception.complete("T2026-0002", examiner)
    centre.examination.examine("T2026-0002", examiner, rest_ok=True)
    centre.pass_time(days=1)
    centre.reception.carry_out("T2026-0002", examiner)
    centre.now = datetime(2037, 1, 21, 15, tzinfo=UTC)
    erase(centre)
    refused(Refused, "ra.erase.early", lambda: erase(centre, "T2026-0002"))
    centre.pass_time(days=1)
    erase(centre, "T2026-0002")
    assert found_in(centre, secrets().values()) == set()
    verify_everything(centre)


def test_a_draft_whose_paper_never_came(centre: Centre) -> None:
    web_ids = {"web_id": "WEB-771"}, {"web_id": "WEB-772"}
    take_in(centre, planted(**web_ids[0]), drafts=True)
    centre.pass_time(days=30)
    take_in(centre, row(2, **web_ids[1]), row(3), drafts=True)
    centre.pass_time(days=30)
    assert service(centre).purge() == ()
    centre.pass_time(days=1)
    assert service(centre).purge() == (REF,)
    assert found_in(centre, [*secrets().values(), "WEB-771"]) == set()
    with centre.store.read() as tx:
        assert find_application(tx, REF).state is ApplicationState.RETURNED
        assert find_application(tx, "T2026-0002").state is ApplicationState.DRAFT
        assert list(check_rows(tx, centre.archive)) == []
    (purged,) = (json.loads(one.body) for one in entries(centre, "APP.PURGE"))
    assert (purged["actor_id"], purged["detail"]) == ("SYSTEM", {"move": "DRAFT>RETURNED"})
    assert service(centre).purge() == ()


def test_what_is_open_is_not_erased(centre: Centre) -> None:
    stay_in_office(centre, "toroku", "kanri")
    take_in(centre, row(1))
    order_all(centre, row(2))
    centre.pass_time(days=365 * 20)
    for ref in ("T2026-0001", "T2026-0002"):
        refused(Conflict, "ra.erase.open", lambda: erase(centre, ref))  # noqa: B023
    refused(NotFound, "ra.application.unknown", lambda: erase(centre, "T2026-0009"))


def test_a_living_certificate_is_never_old_enough(centre: Centre) -> None:
    make_cards(centre, row(1))
    refused(Conflict, "ra.erase.open", lambda: service(centre).find(REF))


def test_two_people_neither_the_applicant(centre: Centre) -> None:
    own = identity("kanri")
    stay_in_office(centre, "toroku", "kanri", "tachiai", "shonin")
    mine = planted(romaji_name=own.full_name.upper(), birth_date=str(own.birth_date))
    take_in(centre, mine)
    reject(centre)
    centre.pass_time(days=365 * 11)
    head = centre.trail.verify()
    for operator, witness, code in (
        ("toroku", "toroku", "ra.erase.people"),
        ("toroku", "kanri", "operators.own_file"),
        ("toroku", "shonin", "operators.role.missing"),
        ("tachiai", "toroku", "operators.role.missing"),
    ):
        refused(Refused, code, lambda: erase(centre, REF, operator, witness))  # noqa: B023
    assert centre.trail.verify() == head
    erase(centre, witness="tachiai")


@pytest.mark.parametrize("first", [True, False])
def test_a_person_with_another_file_keeps_what_that_needs(centre: Centre, first: bool) -> None:
    """Two files of one person: birth date and search key go with the last of them."""
    stay_in_office(centre, "toroku", "kanri")
    take_in(centre, planted())
    reject(centre)
    second = planted(application_ref="T2026-0002", received_on="2026-10-01")
    take_in(centre, second)
    reject(centre, "T2026-0002")
    centre.pass_time(days=365 * 11)
    refs = (REF, "T2026-0002") if first else ("T2026-0002", REF)
    assert service(centre).find(refs[0]).person is False
    erase(centre, refs[0])
    with centre.store.read() as tx:
        kept = find_application(tx, refs[1])
        assert applicant_of(tx, kept).kana_name == PLANTED["kana_name"]
        versions = records.versions_of(tx, kept.person_id)
        assert sorted(one.kana_name for one in versions) == ["", PLANTED["kana_name"]]
    erase(centre, refs[1])
    assert found_in(centre, secrets().values()) == set()


def test_the_decision_counts_not_the_clock_of_the_row(centre: Centre) -> None:
    """A rejection that nobody signed has no date to count from."""
    take_in(centre, planted())
    with centre.store.begin() as tx:
        find_application(tx, REF).state = ApplicationState.REJECTED
    refused(Refused, "ra.erase.decision", lambda: service(centre).find(REF))


def test_the_sites_own_parameter_counts(centre: Centre) -> None:
    take_in(centre, planted())
    reject(centre)
    centre.now += timedelta(days=366 * 2)
    assert service(centre, years=1).find(REF).applicant.kana_name == PLANTED["kana_name"]
    refused(Refused, "ra.erase.early", lambda: service(centre, years=3).find(REF))
