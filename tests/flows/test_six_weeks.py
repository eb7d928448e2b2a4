"""Six weeks of a registration authority: 300 applications, and where each of them must end.

The office knows nothing of the fates below: each business day it does what its states ask for.
Applicants, the post, the ministry's register and death follow their fates.
"""

from __future__ import annotations

import csv
import io
import random
from collections import Counter
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, timedelta
from functools import cache, partial
from itertools import combinations
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import rsa

from ca.carriers import card_carrier, file_carrier
from ca.records import Order, orders_of_application
from operators.acts import Assign
from operators.statements import KeySigner
from pki.errors import Refused
from pki.validity import japan_date
from policies.applications import ApplicationType, Channel, application_types
from policies.documents import load_document_rules
from policies.moves import ApplicationState, moves
from policies.parameters import Parameters
from policies.profiles import Purpose
from policies.roles import Role
from ra import records
from ra.business_days import is_business_day
from ra.casework import records as work
from ra.casework.duplicates import candidates
from ra.casework.inquiries import ANSWER_COLUMNS, InquiryRow
from ra.casework.records import Choice, NoticeKind
from ra.dates import parse_date
from ra.intake import Outcome
from ra.records import Application, find_application
from ra.revocation import Request
from reports.reconciliation import check_rows
from tests.flows.conftest import Centre, Moulds
from tests.flows.issuing import card_key, csr, refused
from tests.flows.registration import Row, batch_for, entries, row, signed_list

_S = ApplicationState
FIRST_DAY = date(2026, 12, 7)
DAYS = 42
OFFICE = "OSAKA-01"


ANSWERS = {"not registered": "該当なし", "struck off": "抹消"}


@dataclass
class Applicant:
    """A row to come in on a day, what befalls it, and where it must end."""

    row: Row
    day: int
    fate: str
    end: ApplicationState
    told: int = 0

    @property
    def ref(self) -> str:
        return self.row["application_ref"]


# Fate to how many of the new applications have it, and where they end.
FATES: dict[str, tuple[int, ApplicationState]] = {
    "clean": (96, _S.ISSUED),
    "pays": (22, _S.ISSUED),
    "waived": (4, _S.ISSUED),
    "never pays": (6, _S.RETURNED),
    "supplies": (18, _S.ISSUED),
    "never supplies": (8, _S.RETURNED),
    "undated": (6, _S.ISSUED),
    "old paper": (4, _S.REJECTED),
    "not registered": (8, _S.REJECTED),
    "struck off": (3, _S.REJECTED),
    "variant": (10, _S.ISSUED),
    "other number": (5, _S.REJECTED),
    "explained": (6, _S.ISSUED),
    "twice": (5, _S.REJECTED),
    "withdraws": (9, _S.WITHDRAWN),
    "dies at the decision": (3, _S.WITHDRAWN),
    "dies before issue": (3, _S.WITHDRAWN),
    "sent back": (6, _S.ISSUED),
    "draft": (5, _S.ISSUED),
    "draft never sent": (3, _S.DRAFT),
}  # fmt: skip
# Type to how many of the earlier holders apply so, by which channels, and where they end.
LATER: dict[ApplicationType, tuple[int, ApplicationState]] = {
    ApplicationType.RENEW: (16, _S.ISSUED),
    ApplicationType.REISSUE_LOST: (6, _S.ISSUED),
    ApplicationType.REISSUE_DAMAGED: (6, _S.ISSUED),
    ApplicationType.REISSUE_NAME: (6, _S.ISSUED),
    ApplicationType.REISSUE_MEMBER: (6, _S.ISSUED),
    ApplicationType.REMOTE_NEW: (8, _S.ISSUED),
    ApplicationType.TEMP_DISASTER: (4, _S.ISSUED),
    ApplicationType.CONTACT_CHANGE: (8, _S.COMPLETED),
    ApplicationType.PIN_DISCLOSE: (4, _S.COMPLETED),
    ApplicationType.PIN_UNLOCK: (2, _S.COMPLETED),
    ApplicationType.LOSS_REPORT: (2, _S.COMPLETED),
    ApplicationType.STOP_USE: (2, _S.COMPLETED),
}


def person(number: int, **changes: str) -> Row:
    """A sound row of a person of their own, with a resident record of this autumn."""
    one = row(number, **changes)
    one["birth_date"] = str(date(1950, 1, 1) + timedelta(days=17 * number))
    one["documents"] = one["documents"].replace("@2026-08-20", "@2026-11-20")
    return one


def new_applicants(draw: random.Random) -> list[Applicant]:
    """The new applications, by post, at the office's counter and by Mynaportal."""
    made: list[Applicant] = []
    for fate, (count, end) in FATES.items():
        for _ in range(count):
            number = len(made) + 1
            channel = draw.choice(("POST", "POST", "LRA", "MYNA"))
            if fate in ("supplies", "never supplies", "undated", "old paper", "never pays", "pays",
                        "waived", "draft", "draft never sent"):  # fmt: skip
                channel = "POST"
            one = person(number, channel=channel)
            one |= {"office": OFFICE if channel == "LRA" else "", "web_id": "", "replaces": ""}
            if fate in ("pays", "waived", "never pays"):
                one["member_id"] = ""
            if fate in ("supplies", "never supplies"):
                one["documents"] = "APPLICATION_FORM;PHOTO;LICENCE_COPY"
            if fate == "undated":
                one["documents"] = one["documents"].replace("@2026-11-20", "")
            if fate == "old paper":
                one["documents"] = one["documents"].replace("@2026-11-20", "@R8.3.1")
            if fate in ("draft", "draft never sent"):
                one["web_id"] = f"W{number:06d}"
            if fate == "twice":
                first = made[8 * (number % 12)].row
                one |= {name: first[name] for name in (
                    "birth_date", "registration_number", "kanji_name", "kana_name")}  # fmt: skip
                one["kanji_name"] = one["kanji_name"].replace("髙", "高")
            early = fate in (
                "never pays",
                "never supplies",
                "supplies",
                "not registered",
                "sent back",
            )
            day = draw.randrange(0, 10) if early else draw.randrange(0, 24)
            if fate == "twice":
                day = 26
            made.append(Applicant(one, day, fate, end))
    return made


def later_applicants(draw: random.Random, holders: list[Row]) -> list[Applicant]:
    """What holders apply for, and strangers after a disaster."""
    made: list[Applicant] = []
    for kind, (count, end) in LATER.items():
        rule = application_types()[kind]
        for index in range(count):
            number = 600 + len(made)
            channel = rule.channels[index % len(rule.channels)].value
            one = person(number, type=kind.value)
            one |= {"channel": channel, "office": OFFICE if channel == "LRA" else "", "web_id": ""}
            one |= {"replaces": ""}
            one["documents"] = _papers(kind, Channel(channel))
            if rule.needs_previous:
                old = holders[len(made) % len(holders)]
                kept = ("birth_date", "registration_number", "kanji_name", "kana_name",
                        "romaji_name", "postal_code", "address", "registration_date")  # fmt: skip
                one |= {name: old[name] for name in kept} | {"replaces": old["application_ref"]}
            if kind is ApplicationType.REISSUE_NAME:
                one |= {"kanji_name": "葛\U000e0100城　一郎", "kana_name": "カツラギ　イチロウ",
                        "romaji_name": "KATSURAGI ICHIRO"}  # fmt: skip
            if kind is ApplicationType.CONTACT_CHANGE:
                one |= {"address": "大阪府大阪市北区架空町1-1", "postal_code": "530-0000"}
            fate = "clean" if one["member_id"] else "pays"
            made.append(Applicant(one, draw.randrange(1, 20), fate, end))
    return made


def _papers(kind: ApplicationType, channel: Channel) -> str:
    rules = load_document_rules().required(kind, channel, {"address"})
    return ";".join(
        f"{rule.document}@令和8年11月20日" if rule.document == "RESIDENT_RECORD" else rule.document
        for rule in rules
    )


@dataclass
class World:
    """The office's days, and everybody outside it."""

    centre: Centre
    applicants: dict[str, Applicant]
    draw: random.Random
    inquiries: list[tuple[date, tuple[InquiryRow, ...]]] = field(default_factory=list)
    sent_back: set[str] = field(default_factory=set)
    received: dict[str, date] = field(default_factory=dict)
    signing: dict[str, tuple[x509.Certificate, rsa.RSAPrivateKey]] = field(default_factory=dict)
    waiting_since: dict[str, date] = field(default_factory=dict)
    looked_at: set[str] = field(default_factory=set)
    issued: int = 0

    @property
    def today(self) -> date:
        return japan_date(self.centre.now)

    def fate(self, ref: str) -> str:
        return self.applicants[ref].fate

    def signer(self, name: str) -> KeySigner:
        return self.centre.signers[name]

    def files(self, *states: ApplicationState) -> list[Application]:
        with self.centre.store.read() as tx:
            return records.applications(tx, states)

    def run(self, first: date, days: int) -> None:
        """Let the days pass; at half past nine on business days the office opens."""
        for elapsed in range(days):
            day = first + timedelta(elapsed)
            self.centre.now = datetime(day.year, day.month, day.day, 0, 30, tzinfo=UTC)
            if is_business_day(day):
                self.day()

    def day(self) -> None:
        """One business day, desk after desk."""
        self.take_in()
        self.reception()
        self.late()
        self.examiner()
        self.approver()
        self.cashier()
        self.issuing()
        self.letters()

    def take_in(self) -> None:
        elapsed = (self.today - FIRST_DAY).days
        come = [
            one
            for ref, one in self.applicants.items()
            if ref not in self.received and one.day <= elapsed
        ]
        for office, drafts, reception in (
            ("", False, "uketsuke"),
            ("", True, "uketsuke"),
            (OFFICE, False, "madoguchi"),
        ):
            rows = [
                one.row
                for one in come
                if (one.row.get("office") or "") == office
                and one.fate.startswith("draft") is drafts
                and one.row["channel"] != "ONLINE"
            ]
            if not rows:
                continue
            for one in rows:
                one["received_on"] = str(self.today)
            report = self.centre.intake.import_list(
                list_of(rows), f"{self.today}.csv", self.signer(reception), drafts=drafts
            )
            assert report.count(Outcome.ACCEPTED) == len(rows), report.rows
            self.received |= {one["application_ref"]: self.today for one in rows}
        for signed in [one for one in come if one.row["channel"] == "ONLINE"]:
            self.take_in_signed(signed.row)

    def take_in_signed(self, one: Row) -> None:
        """Take in what a holder signed, and the papers that came beside it."""
        signer, ref = self.signer("uketsuke"), one["application_ref"]
        one["received_on"] = str(self.today)
        _, *beside = one["documents"].split(";")
        content = list_of([one | {"documents": ""}])
        self.centre.online.receive(signed_list(self.signing[one["replaces"]], content), signer)
        for paper in beside:
            code, _, day = paper.partition("@")
            issued_on = parse_date(day) if day else None
            self.centre.cabinet.add(ref, code, self.today, signer, issued_on=issued_on)
        self.received[ref] = self.today

    def reception(self) -> None:
        reception, signer = self.centre.reception, self.signer("uketsuke")
        for one in self.files(_S.DRAFT):
            if self.fate(one.ref) == "draft" and self.today > self.received[one.ref]:
                reception.receive(one.ref, one.web_id or "", signer)
        for one in self.files(_S.RECEIVED):
            if "supplies" not in self.fate(one.ref):
                reception.complete(one.ref, signer)
                continue
            refused(
                Refused,
                "ra.guard.documents_present",
                partial(reception.complete, one.ref, signer),
            )
            reception.ask(one.ref, (), "", signer)
            self.waiting_since[one.ref] = self.today
        for one in self.files(_S.DEFICIENT):
            waited = (self.today - self.waiting_since[one.ref]).days
            if self.fate(one.ref) == "supplies" and waited >= 5:
                for code in ("PHOTO_ID", "RESIDENT_RECORD"):
                    self.centre.cabinet.add(
                        one.ref, code, self.today, signer, issued_on=self.today - timedelta(3)
                    )
                reception.complete(one.ref, signer)
        for one in self.files(_S.RECEIVED, _S.EXAMINING, _S.QUAL_INQUIRY, _S.EXAMINED):
            age = (self.today - self.received[one.ref]).days
            if self.fate(one.ref) == "withdraws" and age >= 4:
                self.centre.examination.withdraw(one.ref, signer, "取下げ届を受領")
            if self.fate(one.ref) == "dies at the decision" and one.state is _S.EXAMINED:
                self.centre.examination.withdraw(one.ref, signer, "死亡の届出")

    def late(self) -> None:
        for one in self.centre.reception.late():
            waits = one.state is _S.PAYMENT_WAIT
            signer = self.signer("shonin" if waits else "shinsa")
            self.centre.reception.return_file(one.ref, signer, "期限までに応答なし")

    def examiner(self) -> None:
        for when, rows in list(self.inquiries):
            if self.today >= when + timedelta(7):
                self.inquiries.remove((when, rows))
                done = self.centre.inquiries.answer(self.answers(rows), self.signer("shinsa"))
                assert all(one.outcome != "REJECTED" or "file is" in one.words for one in done)
        ask = [one.ref for one in self.files(_S.EXAMINING) if self.look_at(one)]
        if ask and self.today.weekday() in (1, 4):
            made = self.centre.inquiries.make(ask, self.signer("shinsa"))
            assert made.refused == ()
            self.inquiries.append((self.today, made.rows))
        for one in self.files(_S.QUAL_INQUIRY):
            with self.centre.store.read() as tx:
                answered = work.inquiries_of(tx, one.ref)[-1].answer is not None
            if answered:
                self.sign(one.ref)

    def look_at(self, application: Application) -> bool:
        """Check one file once; say whether the register is to be asked."""
        ref, examiner, centre = application.ref, self.signer("shinsa"), self.centre
        if ref in self.looked_at and ref not in self.sent_back:
            return True
        self.looked_at.add(ref)
        for kind in ("IDENTITY", "DATA_MATCH", "INTENT"):
            centre.examination.check(ref, kind, examiner, ok=True)
        with centre.store.read() as tx:
            asked = work.inquiries_of(tx, ref)
        if self.fate(ref) == "undated":
            dated = FIRST_DAY - timedelta(9)
            centre.cabinet.check(ref, "RESIDENT_RECORD", 1, examiner, True, "", issued_on=dated)
        if self.fate(ref) == "old paper":
            centre.cabinet.check(ref, "RESIDENT_RECORD", 1, examiner, False, "発行から92日を超過")
        if application_types()[ApplicationType(application.type)].issues and not asked:
            return True
        self.sign(ref)
        return False

    def sign(self, ref: str) -> None:
        """Choose about what may be the same, explain what differs, and sign."""
        with self.centre.store.read() as tx:
            alike = [one.other.ref for one in candidates(tx, find_application(tx, ref))]
        for other in alike:
            choice = Choice.DUPLICATE if self.fate(ref) == "twice" else Choice.BOTH_WANTED
            reason = "生年月日と登録番号を確認"
            self.centre.duplicates.choose(ref, other, choice, reason, self.signer("shinsa"))
        if self.fate(ref) == "explained":
            self.centre.examination.check(
                ref, "QUALIFICATION", self.signer("shinsa"), ok=True, note="戸籍で確認"
            )
            self.centre.matches.explain(
                ref, "REGISTER", "kanji_name", "婚姻前の氏名、戸籍抄本で確認", self.signer("shinsa")
            )
        self.centre.examination.examine(ref, self.signer("shinsa"), rest_ok=True)

    def answers(self, rows: tuple[InquiryRow, ...]) -> bytes:
        """What the register says of each person."""
        text = io.StringIO(newline="")
        writer = csv.DictWriter(text, tuple(ANSWER_COLUMNS))
        writer.writeheader()
        for one in rows:
            fate = self.fate(one.application_ref)
            said = {
                "inquiry": one.inquiry_id,
                "line": one.line,
                "kanji_name": one.kanji_name,
                "birth_date": one.birth_date,
                "registration_number": one.registration_number,
                "registration_date": one.registration_date,
                "answer": {"not registered": "該当なし", "struck off": "抹消"}.get(
                    fate, "登録あり"
                ),
            }
            if fate == "variant":
                said["kanji_name"] = one.kanji_name.replace("髙", "高")
            if fate == "other number":
                said["registration_number"] = f"8{one.registration_number[1:]}"
            if fate == "explained":
                said["kanji_name"] = "鈴木　一郎"
            writer.writerow(said)
        return text.getvalue().encode("utf-8")

    def approver(self) -> None:
        examination, signer = self.centre.examination, self.signer("shonin")
        for one in self.files(_S.EXAMINED):
            ref, fate = one.ref, self.fate(one.ref)
            rule = application_types()[ApplicationType(one.type)]
            if fate == "dies at the decision":
                continue
            if not rule.issues:
                if rule.effect == "REVOCATION":
                    self.revoke(one)
                self.centre.reception.carry_out(ref, self.signer("shinsa"), "処理済み")
            elif fate == "sent back" and ref not in self.sent_back:
                self.sent_back.add(ref)
                examination.send_back(ref, signer, "写真をもう一度確認")
            elif self.applicants[ref].end is _S.REJECTED:
                guard = "duplicates_chosen" if fate == "twice" else "checks_ok"
                refused(
                    Refused,
                    f"ra.guard.{guard}",
                    partial(examination.approve, ref, signer),
                )
                examination.reject(ref, signer, "R08" if fate == "twice" else "R02")
            else:
                if rule.previous == "revoked":
                    self.revoke(one)
                examination.approve(ref, signer)
                self.waiting_since[ref] = self.today

    def revoke(self, application: Application) -> None:
        desk = self.centre.desk
        ground = "S02_CARD_LOST" if "LOS" in application.type else "S06_CARD_DAMAGED"
        request = Request(ground, "subscriber", "FORM", application.ref)
        affected = desk.find(application.replaces or "")
        desk.revoke(affected, request, self.signer("shikko"), self.signer("hakko"))

    def cashier(self) -> None:
        for one in self.files(_S.PAYMENT_WAIT):
            fate, waited = self.fate(one.ref), (self.today - self.waiting_since[one.ref]).days
            if fate == "waived":
                self.centre.fees.waive(one.ref, "災害による免除", self.signer("shonin"))
            elif fate != "never pays" and waited >= 3:
                self.centre.fees.pay(one.ref, 5500, f"振込 {one.ref}", self.signer("uketsuke"))

    def issuing(self) -> None:
        centre, orders = self.centre, []
        for one in self.files(_S.ISSUING):
            if self.fate(one.ref) == "dies before issue":
                centre.examination.withdraw(one.ref, self.signer("shonin"), "死亡の届出")
                continue
            with centre.store.read() as tx:
                orders.append(orders_of_application(tx, one.ref)[-1])
        if orders:
            self.issue(orders)

    def issue(self, orders: list[Order]) -> None:
        """Issue on software keys, as if each order's card were at the station."""
        centre = self.centre
        batch = batch_for(centre, *(one.id for one in orders), batch_id=f"batch-{self.today}")
        for order in orders:
            self.issued += 1
            card = find(centre, order.application_ref).carrier == "CARD"
            carrier = (
                card_carrier(f"{self.issued:08d}", order.id) if card else file_carrier(order.id)
            )
            centre.examination.verify_order_now(order.id, ["hakko"])
            for purpose in Purpose:
                key = quick_key(2 * self.issued + list(Purpose).index(purpose))
                prepared = centre.orders.prepare(order.id, purpose, csr(key))
                made = centre.orders.issue(prepared, order.id, purpose, carrier, batch)
                if purpose is Purpose.SIGN:
                    self.signing[order.application_ref] = (made, key)
            centre.examination.mark_issued(order.id)

    def letters(self) -> None:
        for one in self.centre.letters.due():
            assert one.due_on >= self.today
            self.centre.letters.send(
                one.application_ref, NoticeKind(one.kind), "MAIL", self.signer("uketsuke")
            )


@cache
def primes() -> list[int]:
    """Primes of a few keys, from which many are put together: quick, and for tests only."""
    made = [card_key(number).private_numbers() for number in range(20)]
    return [prime for one in made for prime in (one.p, one.q)]


def quick_key(number: int) -> rsa.RSAPrivateKey:
    """An RSA-2048 key that no other number has."""
    p, q = list(combinations(primes(), 2))[number]
    public = rsa.RSAPublicNumbers(65537, p * q)
    d = pow(65537, -1, (p - 1) * (q - 1))
    parts = (rsa.rsa_crt_dmp1(d, p), rsa.rsa_crt_dmq1(d, q), rsa.rsa_crt_iqmp(p, q))
    return rsa.RSAPrivateNumbers(p, q, d, *parts, public).private_key(
        unsafe_skip_rsa_key_validation=True
    )


def list_of(rows: list[Row]) -> bytes:
    """The rows as a list, with every column that one of them has."""
    columns = list({name: None for one in rows for name in one})
    text = io.StringIO(newline="")
    writer = csv.DictWriter(text, columns, restval="")
    writer.writeheader()
    writer.writerows(rows)
    return text.getvalue().encode("utf-8")


def find(centre: Centre, ref: str) -> Application:
    with centre.store.read() as tx:
        return find_application(tx, ref)


def staff(centre: Centre) -> None:
    """Reception and examination are different people here, and a regional office has its own."""
    centre.appoint("shinsa", Role.RA_EXAMINER)
    centre.appoint("madoguchi")
    centre.decide(Assign(operator="madoguchi", office=OFFICE), "toroku")
    centre.grant("madoguchi", Role.LRA_RECEPTION)
    limits = {"DEFICIENCY_DAYS": 14, "PAYMENT_DAYS": 10}
    centre.parameters = Parameters(limits)
    centre.approve_policy()


@pytest.mark.parametrize("step", [8, pytest.param(1, marks=pytest.mark.soak)])
def test_every_file_of_six_weeks_ends_where_it_must(
    step: int, moulds: Moulds, tmp_path: Path
) -> None:
    """All 300 in the soak; here every eighth of each fate and type, beginning with the first."""
    centre, draw = moulds.copy(tmp_path, None), random.Random(20261207)
    staff(centre)
    holders = [person(400 + number) for number in range(70)]
    come = [*new_applicants(draw), *later_applicants(draw, holders)]
    assert len(come) == 300
    kinds: Counter[tuple[str, str]] = Counter()
    arrivals = []
    for one in come:
        kind = (one.fate, one.row["type"])
        if kinds[kind] % step == 0:
            arrivals.append(one)
        kinds[kind] += 1
    replaced = {one.row["replaces"] for one in arrivals}
    earlier = [Applicant(one, -99, "clean", _S.ISSUED) for one in holders]
    world = World(centre, {one.ref: one for one in earlier if one.ref in replaced}, draw)
    world.run(date(2026, 11, 24), 13)
    assert {one.state for one in world.files()} == {_S.ISSUED}
    world.applicants |= {one.ref: one for one in arrivals}
    world.run(FIRST_DAY, DAYS)
    ended = {one.ref: one.state for one in world.files()}
    wrong = {
        (one.ref, one.fate, one.row["type"], str(ended[one.ref]))
        for one in arrivals
        if ended[one.ref] is not one.end
    }
    assert not wrong
    check_records(world)
    centre.store.close()


def check_records(world: World) -> None:
    """Rows and trail agree, nothing is owed, and each certificate has its two people."""
    centre = world.centre
    centre.trail.verify()
    with centre.store.read() as tx:
        assert list(check_rows(tx, centre.archive)) == []
        assert work.notices_due(tx) == []
        for one in records.applications(tx):
            orders = orders_of_application(tx, one.ref)
            issued = one.state in (_S.ISSUED, _S.CLOSED_REVOKED)
            assert bool(orders) is (issued or world.fate(one.ref) == "dies before issue"), one.ref
    moved = Counter(entry.code for entry in entries(centre))
    for move in moves().move:
        told = move.later or move.code in moved
        assert told or move.code in ("APP.PURGE",), move
