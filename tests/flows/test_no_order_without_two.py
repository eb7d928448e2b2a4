"""Whatever anybody calls in whatever order: no order without examination and approval by two.

Random sequences of service calls by random people over a few applications, with a fixed seed; half
of them with somebody who writes to the database in between. After each step every order must rest
on two statements by two people over the very same file with every check OK, and no application may
have two living cards.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from random import Random

import pytest
import sqlalchemy as sa
from sqlmodel import SQLModel, select

from ca.carriers import is_alive
from ca.dossier import Dossier, parse_dossier
from ca.orders import approval, examination
from ca.records import Order, carriers_of_order
from pki.errors import HpkiError
from policies.checks import checks_for
from policies.moves import ApplicationState
from policies.roles import Role
from ra import records
from ra.casework import records as work
from ra.casework.duplicates import candidates
from ra.casework.records import Answer, Choice, FeeState, FieldMatch, InquiryItem, NoticeKind
from ra.dossiers import compute_dossier, examined_offer
from ra.records import Application, Check, CheckResult, Document, find_application
from ra.revocation import Request
from reports.reconciliation import check_rows
from store.database import Transaction
from tests.flows.conftest import Centre, Moulds
from tests.flows.registration import answers_to, row, take_in
from tests.flows.test_casework import issue_on

PEOPLE = ("uketsuke", "shonin", "ryoyaku", "hakko", "toroku")
CARDS = 6


@dataclass
class Story:
    """One random sequence on one centre; ``told`` are the steps so far, for a failure's message."""

    centre: Centre
    random: Random
    told: list[str] = field(default_factory=list)
    made: int = 0
    cards: int = 0
    proven: set[tuple[str, str]] = field(default_factory=set)

    def step(self, *, tampering: bool) -> None:
        """Do something, mostly what would be next for a file, sometimes anything."""
        states = self.states()
        refs = [ref for ref, state in states.items() if state in NEXT]
        ref = self.random.choice(refs if refs and self.random.random() < 0.9 else [*states])
        name = self.random.choice(PEOPLE)
        if tampering and self.random.random() < 0.15:
            attack = self.random.choice(ATTACKS)
            self._try(f"{attack.__name__} {ref}", lambda: self._attack(attack, ref))
            return
        verbs: Sequence[str] = list(VERBS)
        if self.random.random() < 0.85:
            verbs = NEXT.get(states[ref], verbs)
        verb = self.random.choice(verbs)
        if self.random.random() < 0.75:
            name = USUAL.get(verb, name)
        self._try(f"{verb} {ref} by {name}", lambda: VERBS[verb](self, ref, name))

    def states(self) -> dict[str, str]:
        with self.centre.store.read() as tx:
            return {one.ref: one.state.value for one in records.applications(tx)}

    def _try(self, what: str, act: Callable[[], object]) -> None:
        try:
            act()
        except HpkiError as error:
            self.told.append(f"{what}: {error.code}")
        else:
            self.told.append(what)
            self.made += 1
        self.centre.pass_time(minutes=self.random.choice((1, 60, 60 * 24)))

    def _attack(self, attack: Callable[[Story, Transaction, Application], None], ref: str) -> None:
        with self.centre.store.begin() as tx:
            attack(self, tx, find_application(tx, ref))

    def check(self) -> None:
        """Raise ``AssertionError`` unless every order stands on two people."""
        living: dict[str, list[str]] = {}
        with self.centre.store.read() as tx:
            for order in tx.exec(select(Order)):
                if (order.id, order.digest) not in self.proven:
                    self._check_order(tx, order)
                if is_alive(tx, order):
                    living.setdefault(order.application_ref, []).append(order.id)
                assert len(carriers_of_order(tx, order.id)) <= 1
        assert [one for one in living.values() if len(one) > 1] == [], self.told

    def _check_order(self, tx: Transaction, order: Order) -> None:
        dossier = parse_dossier(order.dossier.encode())
        ref, digest = order.application_ref, order.digest
        assert (dossier.digest(), dossier.application_ref) == (digest, ref)
        first, second = json.loads(order.statement_ids)
        directory = self.centre.directory
        examiner = directory.verify_kept(tx, first, examination(ref, digest))
        approver = directory.verify_kept(tx, second, approval(ref, digest))
        assert examiner != approver, self.told
        places = directory.position(tx, first), directory.position(tx, second)
        assert places[0] < places[1] < order.accepted_seq, self.told
        assert failures(dossier) == [], self.told
        self.proven.add((order.id, digest))


def failures(dossier: Dossier) -> list[str]:
    """What is missing or not OK in a file that was ordered."""
    checks, papers = dict(dossier.checks), {one.partition(".")[0] for one in dossier.documents}
    wanted = {rule.kind for rule in checks_for(issues=True, administrator=False)}
    wrong = [kind for kind in wanted if not checks.get(kind, "").endswith(":OK")]
    wrong += [name for name, said in checks.items() if name[:8] == "document" and said != "OK"]
    asked = [said for name, said in checks.items() if name.startswith("inquiry ")]
    if not any(said.startswith("REGISTERED:") for said in asked):
        wrong.append("inquiry")
    required = {"APPLICATION_FORM", "PHOTO", "LICENCE_COPY", "PHOTO_ID", "RESIDENT_RECORD"}
    return [*wrong, *sorted(required - papers)]


Act = Callable[[Story, str, str], object]


def _prepare(story: Story, ref: str, name: str) -> None:
    """Do in a row what is wanted before the examiner signs, all of it well."""
    centre, signer = story.centre, story.centre.signers[name]
    for kind in ("IDENTITY", "DATA_MATCH", "INTENT"):
        centre.examination.check(ref, kind, signer, ok=True)
    _choose(story, ref, name)
    made = centre.inquiries.make([ref], signer)
    centre.inquiries.answer(answers_to(made.rows), signer)


def _ask_register(story: Story, ref: str, name: str) -> None:
    made = story.centre.inquiries.make([ref], story.centre.signers[name])
    if story.random.random() < 0.8:
        word = story.random.choice(["登録あり"] * 4 + ["該当なし", "抹消"])
        octets = answers_to(made.rows, word)
        story.centre.inquiries.answer(octets, story.centre.signers[story.random.choice(PEOPLE)])


def _answer(story: Story, ref: str, name: str) -> None:
    with story.centre.store.read() as tx:
        asked = work.inquiries_of(tx, ref)
    rows = story.centre.inquiries.rows(asked[-1].inquiry_id) if asked else ()
    word = story.random.choice(["登録あり", "登録あり", "該当なし"])
    if rows:
        story.centre.inquiries.answer(answers_to(rows, word), story.centre.signers[name])


def _choose(story: Story, ref: str, name: str) -> None:
    with story.centre.store.read() as tx:
        found = [one.other.ref for one in candidates(tx, find_application(tx, ref))]
    choice = story.random.choice([Choice.OTHER_PERSON] * 3 + [Choice.DUPLICATE])
    for other in found:
        story.centre.duplicates.choose(ref, other, choice, "比較した", story.centre.signers[name])


def _examine(story: Story, ref: str, name: str) -> None:
    failing = {"INTENT": "署名なし"} if story.random.random() < 0.1 else {}
    rest = story.random.random() < 0.9
    signer = story.centre.signers[name]
    story.centre.examination.examine(ref, signer, failing, rest_ok=rest)


def _check(story: Story, ref: str, name: str) -> None:
    kinds = ["IDENTITY", "DATA_MATCH", "INTENT", "QUALIFICATION"]
    with story.centre.store.read() as tx:
        done = {one.kind for one in records.checks_of(tx, ref)}
    if story.random.random() < 0.8:
        kinds = [kind for kind in kinds[:2] if kind not in done] or kinds
    ok, signer = story.random.random() < 0.9, story.centre.signers[name]
    story.centre.examination.check(ref, story.random.choice(kinds), signer, ok=ok, note="見た")


def _issue(story: Story, ref: str, name: str) -> None:
    """Try every order of the application, the withdrawn ones too."""
    with story.centre.store.read() as tx:
        orders = tx.exec(select(Order).where(Order.application_ref == ref)).all()
    order = story.random.choice(orders) if orders else None
    if order is not None and story.cards < CARDS:
        story.cards += 1
        story.centre.examination.verify_order_now(order.id, ["hakko"])
        issue_on(story.centre, order, story.cards)
        with story.centre.store.begin() as tx:
            story.centre.examination.mark_personalised(tx, ref)


def _revoke(story: Story, ref: str, name: str) -> None:
    letter = Request("R01_DEATH", "heir", "NOTICE", "死亡届の写し")
    signers = story.centre.signers
    story.centre.desk.revoke(
        story.centre.desk.find(ref), letter, signers["shikko"], signers["hakko"]
    )


def _of(verb: Callable[[Centre], Callable[..., object]], *rest: object) -> Act:
    """A verb that wants the reference, the rest, and who does it."""

    def act(story: Story, ref: str, name: str) -> object:
        return verb(story.centre)(ref, *rest, story.centre.signers[name])

    return act


VERBS: dict[str, Act] = {
    "prepare": _prepare,
    "complete": _of(lambda c: c.reception.complete),
    "ask": _of(lambda c: c.reception.ask, ["PHOTO"], "写真"),
    "check": _check,
    "ask register": _ask_register,
    "answer": _answer,
    "choose": _choose,
    "examine": _examine,
    "approve": _of(lambda c: c.examination.approve),
    "reject": lambda s, ref, name: s.centre.examination.reject(ref, s.centre.signers[name], "R02"),
    "send back": lambda s, ref, name: s.centre.examination.send_back(
        ref, s.centre.signers[name], "見直し"
    ),
    "withdraw": lambda s, ref, name: s.centre.examination.withdraw(
        ref, s.centre.signers[name], "取下書"
    ),
    "recall": lambda s, ref, name: s.centre.inquiries.recall(ref, s.centre.signers[name], "誤記"),
    "match": lambda s, ref, name: s.centre.matches.enter(
        ref,
        "LICENCE_COPY",
        {"kanji_name": s.random.choice(["髙橋　一郎", "髙橋　次郎"])},
        s.centre.signers[name],
    ),
    "pay": _of(lambda c: c.fees.pay, 5500, "入金票"),
    "waive": _of(lambda c: c.fees.waive, "災害"),
    "notice": _of(lambda c: c.letters.send, NoticeKind.DEFICIENCY, "MAIL"),
    "return": lambda s, ref, name: s.centre.reception.return_file(
        ref, s.centre.signers[name], "期限"
    ),
    "carry out": _of(lambda c: c.reception.carry_out),
    "issue": _issue,
    "revoke": _revoke,
}
NEXT: dict[str, Sequence[str]] = {
    "RECEIVED": ["complete"] * 4 + ["ask"],
    "DEFICIENT": ["complete"] * 3 + ["notice", "return"],
    "EXAMINING": ["prepare"] * 6 + ["check", "ask register", "choose", "examine"],
    "QUAL_INQUIRY": ["examine"] * 9 + ["answer", "check", "match", "recall"],
    "EXAMINED": ["approve"] * 9 + ["send back", "reject"],
    "PAYMENT_WAIT": ["pay"] * 3 + ["waive", "send back"],
    "ISSUING": ["issue", "send back", "withdraw"],
    "PERSONALISED": ["revoke", "issue"],
}
USUAL = {
    **dict.fromkeys(VERBS, "uketsuke"),
    **dict.fromkeys(("approve", "reject", "send back", "waive"), "shonin"),
}


# --- somebody with the database's own rights ---


def put_state(story: Story, tx: Transaction, application: Application) -> None:
    states = [*ApplicationState]
    application.state = story.random.choice(states)


def put_attempt(story: Story, tx: Transaction, application: Application) -> None:
    application.attempt = story.random.randint(1, 4)


def swap_statements(story: Story, tx: Transaction, application: Application) -> None:
    other = story.random.choice(records.applications(tx))
    application.examination_id, application.approval_id = other.approval_id, other.examination_id
    application.dossier = application.dossier or other.dossier


def forge_dossier(story: Story, tx: Transaction, application: Application) -> None:
    offer = examined_offer(application)
    application.dossier = (
        compute_dossier(tx, application, story.centre.kind, offer).octets().decode()
    )


def edit_person(story: Story, tx: Transaction, application: Application) -> None:
    version = records.applicant(tx, application)
    version.address = f"東京都架空区{story.random.randint(1, 3)}"


def turn_checks(story: Story, tx: Transaction, application: Application) -> None:
    for one in records.checks_of(tx, application.ref):
        one.result = CheckResult.OK


def drop_rows(story: Story, tx: Transaction, application: Application) -> None:
    tables = (Check, FieldMatch, InquiryItem, work.DuplicateChoice, work.Fee, Document)
    table = SQLModel.metadata.tables[str(story.random.choice(tables).__tablename__)]
    tx.execute(sa.delete(table).where(table.c.application_ref == application.ref))


def turn_answers(story: Story, tx: Transaction, application: Application) -> None:
    for one in work.inquiries_of(tx, application.ref):
        one.answer = Answer.REGISTERED


def turn_fee(story: Story, tx: Transaction, application: Application) -> None:
    fee = tx.get(work.Fee, application.ref)
    if fee is not None:
        fee.state = story.random.choice([*FeeState])


ATTACKS = (
    put_state,
    put_attempt,
    swap_statements,
    forge_dossier,
    edit_person,
    turn_checks,
    drop_rows,
    turn_answers,
    turn_fee,
)


def play(centre: Centre, seed: int, steps: int, *, tampering: bool) -> Story:
    """Play a sequence on a centre where three people may both examine and approve."""
    centre.become_small()
    centre.grant("uketsuke", Role.RA_APPROVER)
    centre.grant("shonin", Role.RA_EXAMINER, Role.RA_RECEPTION)
    centre.appoint("ryoyaku", Role.RA_EXAMINER, Role.RA_APPROVER, Role.RA_RECEPTION)
    same = {"registration_number": row(1)["registration_number"]}
    changes: dict[int, dict[str, str]] = {2: same, 3: {"member_id": ""}}
    numbers = range(1, steps // 10 + 1)
    take_in(centre, *(row(number, **changes.get(number, {})) for number in numbers))
    story = Story(centre, Random(seed))
    for _ in range(steps):
        made = story.made
        story.step(tampering=tampering)
        if story.made > made:
            story.check()
    if not tampering:
        with centre.store.read() as tx:
            assert list(check_rows(tx, centre.archive)) == [], story.told
    return story


SAMPLE = [(0, 50, False), (3, 80, True)]
SERIES = [
    pytest.param(seed, 400, seed % 2 == 1, marks=pytest.mark.soak) for seed in range(100, 160)
]


@pytest.mark.parametrize(("seed", "steps", "tampering"), [*SAMPLE, *SERIES])
def test_no_sequence_reaches_an_order_without_two_people(
    moulds: Moulds, tmp_path: Path, seed: int, steps: int, tampering: bool
) -> None:
    centre = moulds.copy(tmp_path, None)
    try:
        story = play(centre, seed, steps, tampering=tampering)
        with centre.store.read() as tx:
            ordered = len(list(tx.exec(select(Order))))
        assert ordered > 0, story.told
    finally:
        centre.store.close()
