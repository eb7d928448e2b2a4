"""Who works on a file: in which role, nobody on their own, an office on its own files only."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import date

import pytest

from operators.acts import Assign
from operators.statements import KeySigner
from pki.errors import Refused
from policies.moves import ApplicationState
from policies.roles import Role
from ra import records
from ra.casework.inquiries import AnswerOutcome
from ra.casework.records import Choice, NoticeKind
from ra.dossiers import compute_dossier, examined_offer
from ra.records import Person, find_application
from tests.flows.conftest import Centre
from tests.flows.issuing import refused
from tests.flows.registration import (
    answers_to,
    bring_to_examination,
    outcomes,
    row,
    take_in,
)
from tests.flows.test_casework import REF, outcome, put, ref_of, state_of

_S = ApplicationState
DAY = date(2026, 9, 2)


@dataclass(frozen=True)
class Verb:
    """What somebody does to the file REF that stands in a state, and in which roles."""

    act: Callable[[Centre, KeySigner], object]
    state: ApplicationState
    roles: tuple[Role, ...]


_RECEPTION = (Role.RA_RECEPTION, Role.LRA_RECEPTION)
_EXAMINER, _APPROVER = (Role.RA_EXAMINER,), (Role.RA_APPROVER,)
VERBS: Mapping[str, Verb] = {
    "receive": Verb(lambda c, s: c.reception.receive(REF, "W-1", s), _S.DRAFT, _RECEPTION),
    "complete": Verb(lambda c, s: c.reception.complete(REF, s), _S.RECEIVED, _RECEPTION),
    "ask": Verb(lambda c, s: c.reception.ask(REF, ["PHOTO"], "", s), _S.RECEIVED, _RECEPTION),
    "ask in examination": Verb(
        lambda c, s: c.reception.ask(REF, ["PHOTO"], "写真", s), _S.EXAMINING, _EXAMINER
    ),
    "withdraw": Verb(
        lambda c, s: c.examination.withdraw(REF, s, "取下書"), _S.RECEIVED, (Role.RA_RECEPTION,)
    ),
    "check": Verb(
        lambda c, s: c.examination.check(REF, "INTENT", s, ok=True), _S.EXAMINING, _EXAMINER
    ),
    "match": Verb(
        lambda c, s: c.matches.enter(REF, "PHOTO_ID", {"address": "x"}, s),
        _S.EXAMINING,
        _EXAMINER,
    ),
    "explain": Verb(
        lambda c, s: c.matches.explain(REF, "PHOTO_ID", "address", "転居", s),
        _S.EXAMINING,
        _EXAMINER,
    ),
    "choose": Verb(
        lambda c, s: c.duplicates.choose(REF, ref_of(2), Choice.OTHER_PERSON, "別人", s),
        _S.EXAMINING,
        _EXAMINER,
    ),
    "recall": Verb(lambda c, s: c.inquiries.recall(REF, s, "誤記"), _S.QUAL_INQUIRY, _EXAMINER),
    "examine": Verb(
        lambda c, s: c.examination.examine(REF, s, rest_ok=True), _S.QUAL_INQUIRY, _EXAMINER
    ),
    "approve": Verb(lambda c, s: c.examination.approve(REF, s), _S.EXAMINED, _APPROVER),
    "reject": Verb(lambda c, s: c.examination.reject(REF, s, "R02"), _S.EXAMINED, _APPROVER),
    "send back": Verb(lambda c, s: c.examination.send_back(REF, s, "住所"), _S.EXAMINED, _APPROVER),
    "take back": Verb(
        lambda c, s: c.examination.send_back(REF, s, "住所"), _S.PAYMENT_WAIT, _APPROVER
    ),
    "withdraw after approval": Verb(
        lambda c, s: c.examination.withdraw(REF, s, "死亡届"), _S.PAYMENT_WAIT, _APPROVER
    ),
    "notice": Verb(
        lambda c, s: c.letters.send(REF, NoticeKind.FEE, "MAIL", s),
        _S.PAYMENT_WAIT,
        (*_RECEPTION, Role.RA_EXAMINER),
    ),
    "pay": Verb(
        lambda c, s: c.fees.pay(REF, 5500, "入金票", s), _S.PAYMENT_WAIT, (Role.RA_RECEPTION,)
    ),
    "waive": Verb(
        lambda c, s: c.fees.waive(REF, "災害", s), _S.PAYMENT_WAIT, (Role.RA_MANAGER, *_APPROVER)
    ),
    "return unpaid": Verb(
        lambda c, s: c.reception.return_file(REF, s, "未入金"), _S.PAYMENT_WAIT, _APPROVER
    ),
    "return incomplete": Verb(
        lambda c, s: c.reception.return_file(REF, s, "期限"), _S.DEFICIENT, _EXAMINER
    ),
    "carry out": Verb(lambda c, s: c.reception.carry_out(REF, s, "済"), _S.EXAMINED, _EXAMINER),
    "add": Verb(
        lambda c, s: c.cabinet.add(REF, "PHOTO", DAY, s),
        _S.RECEIVED,
        (*_RECEPTION, Role.RA_EXAMINER),
    ),
    "check a document": Verb(
        lambda c, s: c.cabinet.check(REF, "PHOTO", 1, s, True), _S.EXAMINING, _EXAMINER
    ),
}
"""Everything that the services do to one file; inquiries are asked and answered below."""


@pytest.fixture
def waiting(centre: Centre) -> Centre:
    """A file approved that waits for its fee, with every row that a verb wants."""
    examiner = centre.signers["uketsuke"]
    take_in(centre, row(1, member_id=""), row(2, registration_number="900001"))
    centre.reception.ask(REF, ["PHOTO"], "", examiner)
    centre.letters.send(REF, NoticeKind.DEFICIENCY, "MAIL", examiner)
    bring_to_examination(centre, REF)
    centre.matches.enter(REF, "PHOTO_ID", {"address": "x"}, examiner, {"address": "転居"})
    centre.duplicates.choose(REF, ref_of(2), Choice.OTHER_PERSON, "別人", examiner)
    centre.examination.examine(REF, examiner, rest_ok=True)
    assert centre.examination.approve(REF, centre.signers["shonin"]) is None
    centre.letters.send(REF, NoticeKind.FEE, "MAIL", examiner)
    return centre


def test_each_verb_wants_its_role(waiting: Centre) -> None:
    """Everybody who does not hold it is refused, and nothing is entered."""
    centre = waiting
    centre.appoint("kansa", Role.AUDITOR)
    appoint_at(centre, "madoguchi", "LRA-A")
    with centre.store.read() as tx:
        names = {name: centre.directory.roles_of(tx, name) for name in centre.signers}
    head, wrong = centre.trail.verify(), []
    for verb, one in VERBS.items():
        put(centre, one.state, due_on=DAY, web_id="W-1")
        for name, roles in names.items():
            if roles & {*one.roles}:
                continue
            code = outcome(lambda: one.act(centre, centre.signers[name]))  # noqa: B023
            if code != "operators.role.missing":
                wrong.append((verb, name, code))
        assert state_of(centre) is one.state
    assert wrong == []
    assert centre.trail.verify() == head


def test_nobody_works_on_their_own_file(waiting: Centre) -> None:
    """Neither by a spelling of the name in kanji nor in letters; in no verb, in no state."""
    centre = waiting
    centre.become_small()
    everything = {role for one in VERBS.values() for role in one.roles}
    named = {"uketsuke": "kanji_name", "shonin": "romaji_name"}
    with centre.store.begin() as tx:
        application = find_application(tx, REF)
        person = tx.get_one(Person, application.person_id)
        person.birth_date = date(1970, 1, 1)
        version = records.applicant(tx, application)
        version.kanji_name, version.romaji_name = "Uke Tsuke", "SHONIN"
        tx.flush()
        forged = compute_dossier(tx, application, centre.kind, examined_offer(application))
        application.dossier = forged.octets().decode()
    assert set(named) == {"uketsuke", "shonin"}
    with centre.store.read() as tx:
        roles = {name: centre.directory.roles_of(tx, name) for name in named}
    assert everything - set().union(*roles.values()) == {Role.LRA_RECEPTION, Role.RA_MANAGER}
    head, wrong = centre.trail.verify(), []
    for verb, one in VERBS.items():
        put(centre, one.state, due_on=DAY, web_id="W-1")
        for name in named:
            if roles[name] & {*one.roles}:
                code = outcome(lambda: one.act(centre, centre.signers[name]))  # noqa: B023
                if code != "operators.own_file":
                    wrong.append((verb, name, code))
    assert wrong == []
    assert centre.trail.verify() == head


def test_nobody_asks_the_register_about_themselves(centre: Centre) -> None:
    """Nor reads its answer in; a colleague does both."""
    centre.appoint("uketsuke-ni", Role.RA_RECEPTION, Role.RA_EXAMINER)
    other, examiner = centre.signers["uketsuke-ni"], centre.signers["uketsuke"]
    mine = row(1, romaji_name="UKETSUKE", birth_date="1970-01-01", registration_date="2005-04-20")
    take_in(centre, mine, row(2), by="uketsuke-ni")
    for ref in (REF, ref_of(2)):
        centre.reception.complete(ref, other)
        for kind in ("IDENTITY", "DATA_MATCH"):
            centre.examination.check(ref, kind, other, ok=True)
    again = centre.inquiries.make([ref_of(2), REF], examiner)
    assert [(ref, one.code) for ref, one in again.refused] == [(REF, "operators.own_file")]
    made = centre.inquiries.make([REF], other)
    (told,) = centre.inquiries.answer(answers_to(made.rows), examiner)
    assert told.outcome is AnswerOutcome.REJECTED
    assert state_of(centre) is _S.QUAL_INQUIRY
    (told,) = centre.inquiries.answer(answers_to(made.rows), other)
    assert told.outcome is AnswerOutcome.CONFIRMED


def appoint_at(centre: Centre, name: str, office: str) -> None:
    """Give a new person the reception of an office."""
    centre.appoint(name)
    centre.decide(Assign(operator=name, office=office), "kanri", "tachiai")
    centre.grant(name, Role.LRA_RECEPTION)


def test_a_reception_office_works_on_its_own_files_only(empty_centre: Centre) -> None:
    centre = empty_centre
    for name, office in (("madoguchi-a", "LRA-A"), ("madoguchi-b", "LRA-B")):
        appoint_at(centre, name, office)
    own, other = row(1, channel="LRA", office="LRA-A"), row(2, channel="LRA", office="LRA-B")
    rows = (own, other, row(3, channel="LRA", documents=""))
    report = take_in(centre, *rows, by="madoguchi-a")
    strange = ("ra.row.office",)
    assert outcomes(report) == [
        (REF, "ACCEPTED", ()),
        (ref_of(2), "REJECTED", strange),
        (ref_of(3), "REJECTED", strange),
    ]
    take_in(centre, *rows)
    reception, mine = centre.reception, centre.signers["madoguchi-a"]
    acts: list[Callable[[str, KeySigner], object]] = [
        lambda ref, signer: reception.ask(ref, ["PHOTO"], "", signer),
        lambda ref, signer: centre.letters.send(ref, NoticeKind.DEFICIENCY, "MAIL", signer),
        lambda ref, signer: centre.cabinet.add(ref, "PHOTO", DAY, signer),
        lambda ref, signer: reception.complete(ref, signer),
    ]
    for act in acts:
        refused(Refused, "ra.office", lambda: act(REF, centre.signers["madoguchi-b"]))  # noqa: B023
        refused(Refused, "ra.office", lambda: act(ref_of(3), mine))  # noqa: B023
        act(REF, mine)
        act(ref_of(2), centre.signers["uketsuke"])
    assert state_of(centre) is state_of(centre, ref_of(2)) is _S.EXAMINING
