"""Controls of the RA, revocations, people, cards and the trail: a sound centre, and one fault each.

Every fault changes rows as someone with the database's own rights would, on a copy of one centre.
"""

from __future__ import annotations

import json
import shutil
import sqlite3
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from datetime import date, datetime
from pathlib import Path
from typing import Any

import pytest
from sqlmodel import select

from audit.anchors import Anchors
from audit.canonical import canonical_json, digest
from card_personalization.disclosure import Disclosure, DisclosureReason
from crl.repository.records import DocumentKind, PublicDocument
from operators.accounts import HeldRole
from operators.acts import Assign, Grant, Leave, PersonAct, Train
from operators.evidence.review import Review, state_review
from operators.register import Register
from pki.errors import HpkiError
from policies.controls import AuditKind
from policies.exchange import Part
from policies.parameters import Parameters
from policies.roles import Role
from policies.site import SiteKind
from ra.casework.records import NoticeKind
from ra.casework.views import Use
from ra.records import Application
from ra.revocation import Request, Verdict
from reports.compliance import (
    card_acts,
    compared,
    my_numbers,
    people,
    revocation_requests,
    trail_checks,
)
from reports.compliance.decisions import FILES
from reports.compliance.engine import Ledger, walk
from reports.compliance.results import Outcome
from reports.compliance.revocation_requests import REQUESTS
from reports.compliance.run import Run
from reports.compliance.statements import LEDGER as STATEMENTS
from reports.compliance.trail_checks import ENTRIES
from reports.moment import moment
from reports.tables import Text
from store.database import Store
from tests.flows.conftest import SITE_ID, STAFF, Centre, Moulds
from tests.flows.registration import (
    DIRECTOR,
    blank_card,
    bring_to_examination,
    order_of,
    outcomes,
    personalize,
    row,
    take_in,
)
from tests.flows.test_desk import call, caller
from tests.flows.test_destruction import SCRAPPED, destroy

CHECKS = [
    *people.CHECKS.items(),
    *card_acts.CHECKS.items(),
    *my_numbers.CHECKS.items(),
    *revocation_requests.CHECKS.items(),
    *compared.ROWS.items(),
    *compared.FILES.items(),
    *compared.LISTS.items(),
    *trail_checks.CHECKS.items(),
]
LEDGERS: tuple[Ledger[Any], ...] = (FILES, REQUESTS, ENTRIES, STATEMENTS)
DAYS = (date(2026, 1, 1), date(2026, 12, 31))
NUMBERS = {"TEMP_DOC_DAYS": 1, "EMERG_FORM_DAYS": 1, "RENEW_WINDOW_DAYS": 3000}
RULES = Parameters(NUMBERS)
"""So that what ends after months ends in the centre's three days."""
TODAY = date(2026, 11, 21)
DISASTER = {
    "type": "TEMP_DISASTER",
    "channel": "DISASTER",
    "documents": "APPLICATION_FORM;PHOTO_ID",
}


def ref(number: int) -> str:
    return f"T2026-{number:04d}"


def see_all(centre: Centre) -> None:
    with centre.store.read() as tx:
        refs = list(tx.exec(select(Application.ref)))
    for name in ("uketsuke", "shonin"):
        centre.views.enter(Use.VIEW, refs, name, "list")


def publish_terms(centre: Centre) -> None:
    since = datetime.fromisoformat("2026-01-01T00:00:00+09:00")
    with centre.store.begin() as tx:
        tx.add(
            PublicDocument(
                file_name="terms.pdf",
                kind=DocumentKind.TERMS,
                name="terms",
                version="DEMO-1.0",
                title_ja="規約",
                title_en="Terms",
                octets=1,
                sha256="0" * 64,
                effective_at=since,
                statements="[]",
                approved_at=since,
                published_at=since,
            )
        )


def decide_on_files(centre: Centre) -> None:
    """A refusal told, a file sent back and approved again, one paid for, one still open."""
    examiner, approver = centre.signers["uketsuke"], centre.signers["shonin"]
    take_in(
        centre,
        row(4),
        row(5),
        row(6, member_id=""),
        row(7),
        row(8, **DIRECTOR),
        row(9) | DISASTER,
    )
    bring_to_examination(centre, *(ref(one) for one in (4, 5, 6, 8, 9)))
    see_all(centre)
    failures = {"QUALIFICATION": "register differs"}
    centre.examination.examine(ref(4), examiner, failures, rest_ok=True)
    centre.examination.reject(ref(4), approver, "R02")
    centre.letters.send(ref(4), NoticeKind.REJECTION, "MAIL", examiner)
    centre.examination.examine(ref(5), examiner, rest_ok=True)
    centre.examination.approve(ref(5), approver)
    centre.examination.send_back(ref(5), approver, "look again")
    for number in (5, 6, 8, 9):
        centre.examination.examine(ref(number), examiner, rest_ok=True)
        centre.examination.approve(ref(number), approver)
    centre.fees.pay(ref(6), 5500, "B-1", examiner)


def card_of(centre: Centre, number: int) -> str:
    order = order_of(centre, ref(number))
    assert order is not None
    card = blank_card(centre)
    personalize(centre, order.id, card)
    return card


def revoke(centre: Centre, card: str, request: Request, executor: str | None = None) -> None:
    second = centre.signers[executor] if executor else None
    centre.desk.revoke(centre.desk.find(card), request, centre.signers["shikko"], second)


def work(centre: Centre) -> None:
    signers = centre.signers
    take_in(centre, row(1), row(2), row(20))
    bring_to_examination(centre, *(ref(one) for one in (1, 2, 20)))
    see_all(centre)
    for number in (1, 2, 20):
        centre.examination.examine(ref(number), signers["uketsuke"], rest_ok=True)
        centre.examination.approve(ref(number), signers["shonin"])
    first, lost, scrapped = (card_of(centre, number) for number in (1, 2, 20))
    decide_on_files(centre)
    revoke(centre, lost, call(caller(2)))
    (emergency,) = centre.desk.requests()
    centre.desk.review(emergency.id, signers["toroku"], Verdict.CONFIRMED, "call log")
    revoke(centre, scrapped, SCRAPPED, "hakko")
    destroy(centre, scrapped)
    temporary = card_of(centre, 9)
    late = Request("C07_TEMP_DOCS", "CA", "SYSTEM", "no papers")
    revoke(centre, temporary, late, "hakko")
    follow_up(centre)
    disclosure = Disclosure(centre.store, centre.trail, centre.directory)
    disclosure.disclose(
        first,
        DisclosureReason.FORGOTTEN,
        signers["ansho"],
        signers["toroku"],
        lambda _: centre.sealing["ansho"],
    )


def follow_up(centre: Centre) -> None:
    """A reissue, a renewal, the form after the emergency, and a request to be told the PIN."""
    signers, today = centre.signers, "2026-11-20"
    report = take_in(
        centre,
        row(2, application_ref=ref(12), type="REISSUE_LOST", replaces=ref(2), received_on=today),
        row(20, application_ref=ref(11), type="RENEW", replaces=ref(20), received_on=today),
        row(1, application_ref=ref(14), type="PIN_DISCLOSE", replaces=ref(1), received_on=today)
        | {"documents": "APPLICATION_FORM;PHOTO_ID;CARD_FACE"},
    )
    assert {one[1] for one in outcomes(report)} == {"ACCEPTED"}, outcomes(report)
    bring_to_examination(centre, ref(11), ref(12))
    centre.reception.complete(ref(14), signers["uketsuke"])
    see_all(centre)
    for number in (11, 12, 14):
        centre.examination.examine(ref(number), signers["uketsuke"], rest_ok=True)
    for number in (11, 12):
        centre.examination.approve(ref(number), signers["shonin"])
    centre.fees.pay(ref(12), 5500, "B-2", signers["uketsuke"])
    card_of(centre, 12)
    form = row(2, application_ref=ref(13), type="LOSS_REPORT", replaces=ref(2))
    take_in(centre, form | {"received_on": "2026-11-21"})


def train_all(centre: Centre) -> None:
    for name in STAFF:
        manager = "tachiai" if name == "kanri" else "kanri"
        centre.decide(Train(operator=name, course="OPS", on=TODAY), manager)


def watch(centre: Centre) -> None:
    """Review the trail and anchor it."""
    with centre.store.begin() as tx:
        head = centre.trail.head(tx)
        review = Review(SITE_ID, "2026-11", 1, head.seq, head, {}, (), "")
        state_review(centre.directory, tx, review, centre.signers["kiroku"])
    Anchors(centre.trail, [centre.folder / "anchors"]).make(centre.anchor_key)


def make(moulds: Moulds, folder: Path) -> Centre:
    centre = moulds.copy(folder, None)
    publish_terms(centre)
    train_all(centre)
    centre.appoint("kansa", Role.AUDITOR)
    centre.appoint("madoguchi")
    acts: tuple[PersonAct, ...] = (
        Assign(operator="madoguchi", office="TOKYO"),
        *(Train(operator=one, course="OPS", on=TODAY) for one in ("madoguchi", "kansa")),
        Grant(operator="madoguchi", roles=(Role.LRA_RECEPTION,)),
    )
    for act in acts:
        centre.decide(act, "kanri", "toroku")
    work(centre)
    centre.decide(Leave(operator="kagi-c"), "kanri", "tachiai")
    watch(centre)
    centre.pass_time(days=1)
    watch(centre)
    centre.pass_time(days=1)
    watch(centre)
    centre.pass_time(hours=1)
    centre.store.empty_log()
    centre.store.close()
    return centre


@pytest.fixture(scope="module")
def sample(moulds: Moulds, tmp_path_factory: pytest.TempPathFactory) -> Centre:
    return make(moulds, tmp_path_factory.mktemp("sample"))


@pytest.fixture(scope="module")
def store(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Store]:
    """One store for every copy: its statements are compiled once."""
    made = Store(f"sqlite:///{tmp_path_factory.mktemp('copy') / 'store.sqlite'}")
    yield made
    made.close()


@pytest.fixture
def copy(sample: Centre, store: Store) -> Iterator[Centre]:
    """The sample centre on a copy of its store, which may be changed."""
    path = Path(store.engine.url.database or "")
    for suffix in ("-wal", "-shm"):
        path.with_name(path.name + suffix).unlink(missing_ok=True)
    shutil.copyfile(sample.folder / "store.sqlite", path)
    key, root = sample.anchor_key, sample.root
    yield Centre(store, sample.folder, now=sample.now, anchor_key=key, root=root)
    store.close()


def change(centre: Centre, statements: Iterable[str]) -> None:
    """Change rows with triggers and constraints lifted."""
    connection = sqlite3.connect(centre.store.engine.url.database or "")
    connection.create_function("reworded", 3, reworded)
    connection.create_function("hashed", 1, lambda body: digest(body.encode()))
    connection.execute("PRAGMA ignore_check_constraints = ON")
    for (name,) in connection.execute(
        "SELECT name FROM sqlite_master WHERE type='trigger'"
    ).fetchall():
        connection.execute(f"DROP TRIGGER {name}")
    for statement in statements:
        assert connection.execute(statement).rowcount > 0, statement
    connection.commit()
    connection.close()


def reworded(body: str, path: str, value: object) -> str:
    """The body with another value, as an entry would be entered."""
    tree = json.loads(body)
    *above, last = path.split(".")
    inner = tree
    for name in above:
        inner = inner[name]
    inner[last] = value
    return canonical_json(tree).decode()


def audited(
    centre: Centre,
    touch: Callable[[Register], None] | None = None,
    rules: Parameters = RULES,
    days: tuple[date, date] = DAYS,
) -> dict[str, Outcome]:
    """What every check of ours finds for the report on signing."""
    found: dict[str, Outcome] = {}
    with centre.store.read() as tx:
        if touch is not None:
            touch(centre.directory.register(tx))
        run = Run(
            tx,
            moment(tx, centre.now, centre.now),
            *days,
            frozenset(Part),
            SiteKind.TRAINING,
            rules,
            centre.profiles,
            centre.directory,
            centre.archive,
        )
        for ledger in LEDGERS:
            for control, outcome in walk(run, ledger).outcomes[AuditKind.SIGN].items():
                found.setdefault(control, Outcome()).add(outcome)
        for control, check in CHECKS:
            try:
                found.setdefault(control, Outcome()).add(check(run))
            except HpkiError as error:
                found[control].notes.append(Text(str(error), str(error)))
    return found


OF_CERTIFICATES = "HC-4.3-02"
"""Its cases and its fault are certificates; here only its statements are verified."""
NOT_IN_SAMPLE = {"HC-5.5.2-01", OF_CERTIFICATES}
"""Controls without a case in the sample: nothing is erased before ten years."""


def test_a_sound_centre_breaks_no_control(copy: Centre) -> None:
    found = audited(copy)
    wrong = {
        control: [(one.row, one.fact.en) for one in outcome.violations]
        for control, outcome in found.items()
        if outcome.count
    }
    assert wrong == {}
    empty = {control for control, outcome in found.items() if not outcome.population}
    assert empty == NOT_IN_SAMPLE


def grant(name: str, role: Role) -> Callable[[Register], None]:
    """A role that no act gave: the register is proven, so a row alone changes nothing in it."""
    return lambda register: register.accounts[name].roles.append(HeldRole(10, role))


def forget_training(register: Register) -> None:
    register.accounts["shonin"].trainings.clear()


@dataclass(frozen=True)
class Fault:
    """What is changed, the row that the control then names, and what else it breaks."""

    control: str
    row: str
    changes: tuple[str, ...] = ()
    also: frozenset[str] = frozenset()
    touch: Callable[[Register], None] | None = None
    rules: Parameters = RULES


def sql(control: str, row: str, *changes: str, also: Iterable[str] = ()) -> Fault:
    return Fault(control, row, changes, frozenset(also))


def check_of(number: int, kind: str, value: str) -> str:
    return (
        f"UPDATE examination_check SET {value} "
        f"WHERE application_ref = '{ref(number)}' AND kind = '{kind}'"
    )


def paper_of(number: int, code: str, value: str) -> str:
    return (
        f"UPDATE document SET {value} WHERE application_ref = '{ref(number)}' AND code = '{code}'"
    )


def file_of(number: int, value: str) -> str:
    return f"UPDATE application SET {value} WHERE ref = '{ref(number)}'"


def certificates_of(number: int) -> str:
    return (
        "(SELECT id FROM certificate WHERE carrier_id IN (SELECT c.id FROM carrier c "
        f"JOIN issue_order o ON o.id = c.order_id WHERE o.application_ref = '{ref(number)}'))"
    )


def person_of(number: int) -> str:
    return f"(SELECT person_id FROM application WHERE ref = '{ref(number)}')"


def entry(values: str, code: str) -> str:
    return f"UPDATE trail_entry SET {values} WHERE seq = {last(code)}"


def last(code: str) -> str:
    return f"(SELECT max(seq) FROM trail_entry WHERE code = '{code}')"


def file(number: int) -> str:
    return f"application {ref(number)}"


REQUEST = "revocation request"
CHAIN = ("HC-5.4.4-01", "HC-5.4.4-03")
"""What a changed entry of the trail always breaks."""
FAULTS = (
    sql("HC-3.2.2-01", file(8), check_of(8, "ORG", "result = 'FAIL'")),
    sql("HC-3.2.3-01", file(5), check_of(5, "IDENTITY", "method = 'PHOTO_ID_COPY'")),
    sql("HC-3.2.3-02", file(5), paper_of(5, "PHOTO_ID", "result = 'FAIL'")),
    sql("HC-3.2.3-03", file(5), paper_of(5, "RESIDENT_RECORD", "issued_on = '2026-01-01'")),
    sql("HC-3.2.3-04", file(5), paper_of(5, "PHOTO_ID", "valid_until = '2020-01-01'")),
    sql(
        "HC-3.2.3-05",
        file(5),
        f"UPDATE inquiry_item SET answer = 'NOT_FOUND' WHERE application_ref = '{ref(5)}'",
    ),
    sql(
        "HC-3.2.3-06",
        file(5),
        "INSERT INTO field_match VALUES "
        f"('{ref(5)}', 'PHOTO_ID', 'birth_date', 'DIFFERENT', 'x', ' ', 'uketsuke', '2026-11-21')",
    ),
    sql(
        "HC-3.2.3-09",
        file(9),
        f"DELETE FROM revocation WHERE certificate_id IN {certificates_of(9)}",
        also=["HC-5.4.1-02"],
    ),
    sql(
        "HC-3.3-01",
        file(11),
        paper_of(11, "RESIDENT_RECORD", "result = 'FAIL'"),
        paper_of(20, "RESIDENT_RECORD", "result = 'FAIL'"),
        also=["HC-3.2.3-02"],
    ),
    sql(
        "HC-3.3-02",
        file(12),
        check_of(12, "QUALIFICATION", "result = 'FAIL'"),
        also=["HC-3.2.3-05"],
    ),
    sql(
        "HC-3.4-01",
        REQUEST,
        "UPDATE revocation_request SET evidence = ' '",
        also=["HC-5.5.1-01"],
    ),
    sql("HC-4.1-01", file(5), file_of(5, "terms_version = 'DEMO-0.9'"), also=["HC-5.5.1-01"]),
    sql(
        "HC-4.1-02",
        file(4),
        "UPDATE trail_entry SET actor = 'madoguchi' "
        f"WHERE code = 'APP.DECIDE' AND object_id = '{ref(4)}'",
        also=["HC-4.2-01", "HC-5.2-04", *CHAIN],
    ),
    sql(
        "HC-4.2-01",
        file(4),
        "UPDATE statement SET operator_id = 'shonin' "
        f"WHERE type = 'EXAMINATION' AND object_id = '{ref(4)}'",
        also=["HC-5.4.1-01"],
    ),
    sql(
        "HC-4.2-02",
        file(5),
        f"UPDATE person SET birth_date = '1970-01-01' WHERE id = {person_of(5)}",
        f"UPDATE person_version SET romaji_name = 'UKETSUKE' WHERE person_id = {person_of(5)}",
        also=["HC-5.5.1-01"],
    ),
    sql("HC-4.2-03", file(4), f"DELETE FROM notice WHERE application_ref = '{ref(4)}'"),
    sql("HC-4.2-04", "entry", file_of(5, "state = 'EXAMINED'"), also=["HC-5.4.1-01"]),
    sql(
        "HC-4.2-05",
        file(7),
        f"UPDATE person_version SET valid_from = '2026-07-01' WHERE person_id = {person_of(7)}",
        file_of(7, "received_on = '2026-07-01'"),
    ),
    sql("HC-4.2-06", file(6), f"UPDATE fee SET state = 'DUE' WHERE application_ref = '{ref(6)}'"),
    sql(
        "HC-4.4-04",
        "card ",
        "DELETE FROM statement WHERE type = 'CARD_DESTRUCTION' AND operator_id = 'hakko'",
        also=["HC-5.4.1-01"],
    ),
    sql(
        "HC-4.6-02",
        file(11),
        "UPDATE certificate SET not_after = '2045-01-01 00:00:00.000000' "
        f"WHERE id IN {certificates_of(20)}",
        also=["HC-5.4.1-01"],
    ),
    sql(
        "HC-4.7-01",
        file(12),
        f"UPDATE revocation SET seq = 9999 WHERE certificate_id IN {certificates_of(2)}",
        also=["HC-5.4.1-01", "HC-5.4.1-02"],
    ),
    sql(
        "HC-4.9.1-01",
        REQUEST,
        "UPDATE revocation_request SET requested_at = '2026-11-18 00:00:00.000000' "
        "WHERE ground = 'C12_CARD_SCRAPPED'",
        also=["HC-5.5.1-01"],
    ),
    sql(
        "HC-4.9.2-01",
        REQUEST,
        "UPDATE revocation_request SET requester = ''",
        also=["HC-5.5.1-01"],
    ),
    sql(
        "HC-4.9.3-01",
        REQUEST,
        "UPDATE revocation_request SET executor = officer WHERE NOT emergency",
    ),
    sql("HC-4.9.3-02", REQUEST, file_of(13, "replaces = NULL")),
    sql(
        "HC-4.12-01",
        "card ",
        entry("body = reworded(body, 'detail.origin', 'import')", "CARD.KEYGEN"),
        entry("hash = hashed(body)", "CARD.KEYGEN"),
        also=CHAIN,
    ),
    Fault("HC-5.2-01", "account uketsuke", touch=grant("uketsuke", Role.RA_APPROVER)),
    sql(
        "HC-5.2-02",
        "entry",
        "DELETE FROM statement WHERE type = 'CEREMONY' AND operator_id = 'tachiai'",
        also=["HC-5.4.1-01"],
    ),
    sql(
        "HC-5.2-03",
        "register",
        "UPDATE statement SET signature = substr(signature, 1, 8) || '00' "
        "WHERE type = 'ROLE_GRANT' AND operator_id = 'kanri'",
        also=[
            *("HC-4.1-02", "HC-4.2-01", "HC-4.2-02", "HC-4.3-02", "HC-4.4-04", "HC-4.9.3-01"),
            *("HC-4.9.3-02", "HC-5.2-02", "HC-5.2-04", "HC-5.4.1-03", "HC-5.4.2-01"),
            *("HC-5.4.4-01", "HC-6.4-04"),
        ],
    ),
    sql("HC-5.2-04", "entry", entry("actor = 'kiroku'", "FEE.PAID"), also=CHAIN),
    Fault("HC-5.3-02", "account shonin", touch=forget_training),
    sql(
        "HC-5.3-03",
        "account kagi-c",
        entry("co_actor = 'kagi-c'", "LOG.ANCHOR"),
        also=["HC-5.2-04", *CHAIN],
    ),
    sql("HC-5.4.1-01", "entry", "UPDATE certificate SET sha256 = NULL WHERE id = 5"),
    sql("HC-5.4.1-02", "entry", "DELETE FROM certificate WHERE id = 5"),
    sql(
        "HC-5.4.1-03",
        "entry",
        entry("body = reworded(body, 'terminal', '')", "STOCK.IN"),
        entry("hash = hashed(body)", "STOCK.IN"),
        also=CHAIN,
    ),
    sql(
        "HC-5.4.2-01",
        "entry",
        entry("body = reworded(body, 'detail.first_seq', 999)", "LOG.REVIEW"),
        entry("hash = hashed(body)", "LOG.REVIEW"),
        also=CHAIN,
    ),
    sql(
        "HC-5.4.3-01",
        "entries",
        f"DELETE FROM trail_entry WHERE seq = {last('STOCK.IN')}",
        also=CHAIN,
    ),
    sql(
        "HC-5.4.4-01",
        "anchors",
        "UPDATE anchor SET body = replace(body, '\"count\":', '\"count\":9')",
    ),
    Fault(
        "HC-5.4.4-02", "LOG.ANCHOR 2026-11-21", rules=Parameters({**NUMBERS, "ANCHOR_DAYS": "0.5"})
    ),
    sql(
        "HC-5.4.4-03",
        "entry",
        entry("body = body || ' '", "STOCK.IN"),
        also=["HC-5.4.4-01", "HC-5.4.1-03", "HC-5.2-04"],
    ),
    sql("HC-5.5.1-01", file(4), file_of(4, "dossier = NULL")),
    sql("HC-5.5.2-01", file(4), file_of(4, "erased_at = '2026-11-21 04:00:00.000000'")),
    sql("HC-6.4-04", "entry", file_of(14, "type = 'PIN_UNLOCK'")),
    Fault(
        "HC-8.2-01",
        "account kansa",
        touch=grant("kansa", Role.RA_EXAMINER),
        also=frozenset({"HC-5.2-01"}),
    ),
    sql("HC-9.3-01", f"fee {ref(6)}", "UPDATE fee SET reference = '番号 １２３４ 5678-9018'"),
    sql(
        "HC-9.4-02",
        file(5),
        "UPDATE trail_entry SET object_type = 'x' WHERE code = 'PII.VIEW'",
        also=CHAIN,
    ),
)


@pytest.mark.parametrize("fault", FAULTS, ids=[one.control for one in FAULTS])
def test_each_control_names_what_breaks_it(copy: Centre, fault: Fault) -> None:
    if fault.changes:
        change(copy, fault.changes)
    found = audited(copy, fault.touch, fault.rules)
    rows = [one.row for one in found[fault.control].violations]
    assert any(one.startswith(fault.row) for one in rows), rows
    broken = {
        control: [(one.row, one.fact.en) for one in outcome.violations][:5]
        for control, outcome in found.items()
        if outcome.count and control != fault.control
    }
    assert set(broken) == fault.also, broken


def faults_of(found: dict[str, Outcome], control: str) -> list[str]:
    return [f"{one.row}: {one.fact.en}" for one in found[control].violations]


def test_a_request_moved_out_of_the_period_is_judged(copy: Centre) -> None:
    """The trail says when it came, and what of; the row is not believed."""
    count = audited(copy)["HC-4.9.3-01"].population
    change(copy, ["UPDATE revocation_request SET requested_at = '2031-01-01 00:00:00.000000'"])
    found = audited(copy)
    assert found["HC-4.9.3-01"].population == count
    told = [one for one in faults_of(found, "HC-5.5.1-01") if "not as it was entered" in one]
    assert len(told) == count


def test_a_form_is_asked_for_in_the_period_in_which_its_time_ends(copy: Centre) -> None:
    """An emergency of the days before is no case of its own period yet, and one of the next."""
    for first, last, population in (
        (date(2026, 11, 1), TODAY, 1),
        (date(2026, 11, 22), date(2026, 11, 22), 1),
        (date(2026, 11, 23), date(2026, 11, 30), 0),
    ):
        found = audited(copy, days=(first, last))["HC-4.9.3-02"]
        assert (found.population, found.count) == (population, 0), first
    change(copy, [file_of(13, "received_on = '2026-11-01'")])
    early = audited(copy, days=(date(2026, 11, 22), date(2026, 11, 22)))["HC-4.9.3-02"]
    assert early.count == 1


def later_papers(day: str) -> list[str]:
    """Papers of the disaster file, come on the day, and its certificates not revoked."""
    return [
        f"DELETE FROM revocation WHERE certificate_id IN {certificates_of(9)}",
        *(
            f"INSERT INTO document (application_ref, code, number, received_on, result, note, "
            f"checked_by) VALUES ('{ref(9)}', '{code}', 1, '{day}', 'OK', '', '')"
            for code in ("LICENCE_COPY", "RESIDENT_RECORD")
        ),
    ]


@pytest.mark.parametrize(
    ("day", "more", "late"),
    [
        ("2026-11-21", [], 0),
        ("2026-11-23", [], 2),
        ("2026-11-23", [file_of(9, "type = 'NEW'")], 2),
    ],
)
def test_later_papers_come_in_time(copy: Centre, day: str, more: list[str], late: int) -> None:
    """Of whatever came in by the channel of a disaster."""
    change(copy, [*later_papers(day), *more])
    assert audited(copy)["HC-3.2.3-09"].count == late


@pytest.mark.parametrize(("day", "late"), [("2026-11-18", 2), ("2026-11-20", 0)])
def test_a_holder_struck_off_is_revoked_in_time(copy: Centre, day: str, late: int) -> None:
    """Also where the certificates were revoked in the end."""
    struck = f"answer = 'STRUCK_OFF', answered_on = '{day}'"
    change(copy, [f"UPDATE inquiry_item SET {struck} WHERE application_ref = '{ref(20)}'"])
    assert len([1 for one in faults_of(audited(copy), "HC-4.9.1-01") if "late" in one]) == late


def test_an_auditor_held_no_other_role_in_the_period(copy: Centre) -> None:
    """Though it ended before the audit began."""

    def before(register: Register) -> None:
        register.accounts["kansa"].roles.append(HeldRole(10, Role.RA_EXAMINER, until_seq=12))

    assert faults_of(audited(copy, before), "HC-8.2-01") == [
        "account kansa: held RA_EXAMINER in the period"
    ]


@pytest.mark.parametrize("dash", "-‐‑–—―−－ーｰ・_ \u3000")
def test_twelve_digits_are_found_however_they_are_parted(dash: str) -> None:
    assert list(my_numbers.numbers(dash.join(("番号１２３４", "5678", "９０１８")))) == [
        "123456789018"
    ]


@pytest.mark.parametrize(
    ("edit", "names"),
    [
        (file_of(5, "member_id = '1', work_prefecture = '47'"), "work_prefecture, member_id"),
        (
            f"UPDATE person_version SET address = 'X' WHERE person_id = {person_of(5)}",
            "address",
        ),
    ],
)
def test_values_that_were_changed_after_they_were_examined_are_named(
    copy: Centre, edit: str, names: str
) -> None:
    change(copy, [edit])
    assert faults_of(audited(copy), "HC-5.5.1-01") == [
        f"{file(5)}: is not as it was examined: {names}"
    ]


def test_a_record_that_was_changed_after_it_was_signed_is_named(copy: Centre) -> None:
    """Though the check beside it was changed alike."""
    record = 'dossier = replace(dossier, \'"IDENTITY":"\', \'"IDENTITY":"X\')'
    change(copy, [check_of(5, "IDENTITY", "method = 'X' || method"), file_of(5, record)])
    assert faults_of(audited(copy), "HC-5.5.1-01") == [
        f"{file(5)}: the record is not that which was signed"
    ]


def test_a_file_whose_person_is_gone_is_judged(copy: Centre) -> None:
    before = audited(copy)
    change(copy, [f"DELETE FROM person WHERE id = {person_of(5)}"])
    found = audited(copy)
    for control in ("HC-3.2.3-01", "HC-4.2-01", "HC-4.2-02"):
        assert found[control].population == before[control].population, control
    assert f"{file(5)}: who applied is not there" in faults_of(found, "HC-5.5.1-01")


@pytest.mark.parametrize("edit", ["UPDATE operator SET full_name = 'X'", "DELETE FROM operator"])
def test_an_operator_renamed_in_the_store_excuses_nobody(copy: Centre, edit: str) -> None:
    change(copy, [f"{edit} WHERE id = 'shonin'"])
    told = faults_of(audited(copy), "HC-4.2-02")
    assert f"{file(5)}: shonin has another name than is registered" in told


PURGED = (
    f"object_type = 'application', object_id = '{ref(4)}', code = 'APP.PURGE', "
    "body = reworded(body, 'detail.move', 'REJECTED>ARCHIVED')"
)


@pytest.mark.parametrize(
    ("control", "edit", "fact"),
    [
        (
            "HC-3.4-01",
            "DELETE FROM trail_entry WHERE code = 'REV.AUTH'",
            "the requester was not authenticated before",
        ),
        (
            "HC-4.2-03",
            "DELETE FROM statement WHERE type = 'REJECTION'",
            "nobody signed the refusal",
        ),
        (
            "HC-4.9.3-01",
            "UPDATE statement SET signature = substr(signature, 1, 8) || '00' "
            "WHERE type = 'REVOCATION'",
            "its decision is unsound: operators.statement.signature",
        ),
        (
            "HC-4.9.3-01",
            "DELETE FROM statement WHERE type = 'EMERGENCY_REVIEW'",
            "nobody has reviewed the emergency",
        ),
        ("HC-5.5.2-01", entry(PURGED, "STOCK.IN"), "erased within the 10 years of keeping"),
        ("HC-5.5.2-01", entry(PURGED, "STOCK.IN"), "two people did not sign it"),
    ],
)
def test_what_else_a_control_asks_for(copy: Centre, control: str, edit: str, fact: str) -> None:
    """Beside what its fault above shows."""
    change(copy, [edit])
    told = faults_of(audited(copy), control)
    assert [one for one in told if fact in one], told


@pytest.mark.parametrize(("since", "late"), [("2026-07", 0), ("2026-05", 1)])
def test_a_file_waits_for_its_applicant_for_some_time_only(
    copy: Centre, since: str, late: int
) -> None:
    """Then it is to be returned, and counts as any open file does."""
    asked = (
        f"object_type = 'application', object_id = '{ref(7)}', code = 'APP.DEFICIENT', "
        f"at = '{since}-10 00:00:00.000000', "
        "body = reworded(body, 'detail.move', 'RECEIVED>DEFICIENT')"
    )
    before = audited(copy)["HC-4.2-05"].population
    change(copy, [entry(asked, "STOCK.IN"), file_of(7, f"received_on = '{since}-01'")])
    found = audited(copy)["HC-4.2-05"]
    assert (found.population, found.count) == (before, late)


@pytest.mark.parametrize(
    ("kind", "control"),
    [
        ("EXAMINATION", "HC-4.2-01"),
        ("REJECTION", "HC-4.2-01"),
        ("EXECUTION", "HC-4.3-02"),
        ("CARD_DESTRUCTION", "HC-4.4-04"),
        ("EMERGENCY_REVIEW", "HC-4.9.3-02"),
        ("LOG_REVIEW", "HC-5.4.2-01"),
        ("CEREMONY", "HC-5.2-02"),
        ("PIN_DISCLOSURE", "HC-6.4-04"),
    ],
)
def test_a_signature_that_was_put_in_is_named(copy: Centre, kind: str, control: str) -> None:
    """By what rests on it and by nothing else."""
    query = "SELECT id, signature FROM statement WHERE type = ? LIMIT 1"
    with copy.store.engine.connect() as connection:
        name, signature = connection.exec_driver_sql(query, (kind,)).one()
    change(copy, [f"UPDATE statement SET signature = '{signature[:-2]}00' WHERE id = '{name}'"])
    found = audited(copy)
    assert faults_of(found, control) == [
        f"statement {name}: does not verify: operators.statement.signature"
    ]
    assert {one for one, outcome in found.items() if outcome.count} == {control}


def test_every_control_has_its_fault() -> None:
    ours = {control for ledger in LEDGERS for control in ledger.checks}
    ours |= {control for control, _ in CHECKS}
    assert ours - {OF_CERTIFICATES} == {one.control for one in FAULTS}
