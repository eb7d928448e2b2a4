"""Rows against the trail, the monthly review, and the report, on both databases."""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Callable
from datetime import date

import pytest

from audit.canonical import digest
from audit.trail import Event
from operators.acts import Substitute, Suspend
from operators.evidence.outsider import Trusted
from operators.evidence.review import Found, Review, state_review
from operators.evidence.store import verify_statements
from pki.errors import InvalidInput, Refused
from policies.parameters import Parameters
from policies.roles import Role
from reports.differences import Difference
from reports.imprint import Imprint
from reports.reconciliation import check_rows
from reports.trail import (
    TrailReport,
    review_overdue,
    trail_csv,
    trail_html,
    trail_json,
    trail_report,
)
from tests.flows.conftest import SITE_ID, Centre
from tests.flows.issuing import refused
from tests.flows.registration import make_cards, order_all, row, take_in
from tests.flows.test_desk import LETTER
from tests.flows.test_desk import revoke as revoke_card
from tests.flows.test_erasure import erase, reject, stay_in_office
from tests.flows.test_evidence import anchors, exported, verified
from tests.flows.test_trail import change

NOVEMBER = (date(2026, 11, 1), date(2026, 11, 30))


def differences(centre: Centre) -> list[Difference]:
    with centre.store.read() as tx:
        return list(check_rows(tx, centre.archive))


def found(centre: Centre) -> set[tuple[str, bool]]:
    """The codes found, and whether an entry is named."""
    return {(one.code, one.seq > 0) for one in differences(centre)}


@pytest.fixture
def busy(centre: Centre) -> Centre:
    """A centre with cards, one revoked, orders, one withdrawn, a refusal, open files and lists."""
    cards = make_cards(centre, row(1), row(2))
    order_all(centre, row(3), row(6))
    centre.examination.withdraw("T2026-0006", centre.signers["shonin"], "死亡届")
    take_in(centre, row(4), row(5))
    reject(centre, row(4)["application_ref"])
    revoke_card(centre, cards[1], LETTER, "hakko")
    centre.due()
    centre.lists.issue("sign", "SYSTEM")
    return centre


def sql(*statements: str) -> Callable[[Centre], None]:
    return lambda centre: change(centre, *statements)


def edit_entry_codes(centre: Centre) -> None:
    """Somebody hides an issue by calling the entry something else; the chain is judged apart."""
    change(
        centre,
        'UPDATE trail_entry SET body = replace(body, \'"code":"CERT.ISSUE"\', \'"code":"X.Y"\') '
        "WHERE seq = (SELECT max(issued_seq) FROM certificate)",
    )


LAST_CERTIFICATE = "(SELECT max(id) FROM certificate)"
FIRST_REVOKED = "(SELECT min(certificate_id) FROM revocation)"
ATTACKS: list[tuple[str, Callable[[Centre], None], set[tuple[str, bool]]]] = [
    (
        "approval statement edited",
        sql(
            "UPDATE statement SET body = replace(body, 'APPROVE\"', 'approve\"') "
            "WHERE type = 'APPROVAL'"
        ),
        {("statement.differs", True)},
    ),
    (
        "statement without entry",
        sql(
            "INSERT INTO statement (id, operator_id, type, object_id, body, signature, seq) "
            "SELECT 'x', operator_id, type, object_id, body, signature, 1 FROM statement LIMIT 1"
        ),
        {("statement.no_entry", True)},
    ),
    (
        "statement deleted",
        sql("DELETE FROM statement WHERE type = 'REJECTION'"),
        {("statement.no_row", True), ("application.move", True)},
    ),
    (
        "certificate's subject key edited",
        sql(f"UPDATE certificate SET spki_sha256 = '{'a' * 64}' WHERE id = {LAST_CERTIFICATE}"),
        {("certificate.differs", True), ("reservation.differs", True)},
    ),
    (
        "certificate's end edited",
        sql(
            "UPDATE certificate SET not_after = '2040-01-01 00:00:00' "
            f"WHERE id = {LAST_CERTIFICATE}"
        ),
        {("certificate.differs", True)},
    ),
    (
        "certificate un-issued",
        sql(
            "UPDATE certificate SET state = 'RESERVED', issued_seq = NULL "
            f"WHERE id = {LAST_CERTIFICATE}"
        ),
        {("certificate.no_row", True)},
    ),
    (
        "issued without an entry",
        sql(f"UPDATE certificate SET issued_seq = NULL WHERE id = {LAST_CERTIFICATE}"),
        {("certificate.no_entry", False), ("certificate.no_row", True)},
    ),
    ("an issue hidden", edit_entry_codes, {("certificate.no_entry", True)}),
    (
        "revocation deleted",
        sql("DELETE FROM revocation"),
        {("revocation.no_row", True)},
    ),
    (
        "one of two revocations deleted",
        sql(f"DELETE FROM revocation WHERE certificate_id = {FIRST_REVOKED}"),
        {("revocation.differs", True)},
    ),
    (
        "revocation's ground edited",
        sql("UPDATE revocation SET ground = 'S01_CARD_BROKEN'"),
        {("revocation.differs", True)},
    ),
    (
        "order's dossier edited",
        sql("UPDATE issue_order SET dossier = replace(dossier, 'TAKAHASHI', 'TAKAHASHY')"),
        {("order.differs", True)},
    ),
    (
        "order's dossier emptied",
        sql("UPDATE issue_order SET dossier = '' WHERE application_ref = 'T2026-0003'"),
        {("order.differs", True)},
    ),
    (
        "application erased by nobody",
        sql("UPDATE application SET erased_at = '2026-11-21 00:00:00' WHERE ref = 'T2026-0004'"),
        {("application.erased", False)},
    ),
    (
        "order's statements edited",
        sql("UPDATE issue_order SET statement_ids = '[]'"),
        {("order.differs", True)},
    ),
    (
        "order moved",
        sql("UPDATE issue_order SET accepted_seq = 1 WHERE application_ref = 'T2026-0003'"),
        {("order.no_entry", True), ("order.no_row", True)},
    ),
    (
        "list deleted",
        sql("DELETE FROM revocation_list WHERE state = 'STORED'"),
        {("list.no_row", True)},
    ),
    (
        "list published without an entry",
        sql("UPDATE revocation_list SET state = 'PUBLISHED' WHERE state = 'STORED'"),
        {("list.published", False)},
    ),
    (
        "list renumbered",
        sql("UPDATE revocation_list SET number = 99 WHERE state = 'STORED'"),
        {("list.no_row", True), ("list.no_entry", False)},
    ),
    *(
        (name, sql(f"UPDATE application SET {what}"), {("application.differs", True)})
        for name, what in (
            ("approved by nobody", "state = 'ISSUING' WHERE ref = 'T2026-0005'"),
            ("a refusal turned round", "state = 'ISSUING' WHERE ref = 'T2026-0004'"),
            ("a refusal's code edited", "reject_code = 'R03' WHERE ref = 'T2026-0004'"),
            ("a decision undone", "state = 'EXAMINED' WHERE ref = 'T2026-0004'"),
            ("an attempt more", "attempt = 2 WHERE ref = 'T2026-0003'"),
            ("a withdrawn file brought back", "state = 'ISSUING' WHERE ref = 'T2026-0006'"),
        )
    ),
    (
        "an approval's statement deleted",
        sql("DELETE FROM statement WHERE type = 'APPROVAL' AND object_id = 'T2026-0003'"),
        {("statement.no_row", True), ("application.move", True)},
    ),
]


def test_rows_edited_behind_our_back_are_found(busy: Centre) -> None:
    """Every attack on the rows alone, one after the other, each undone by a copy of the store."""
    assert differences(busy) == []
    verify_statements(busy.directory)
    for name, attack, wanted in ATTACKS:
        undo = kept(busy)
        attack(busy)
        assert found(busy) == wanted, name
        undo()
    assert differences(busy) == []


def kept(centre: Centre) -> Callable[[], None]:
    """Copy the tables that are attacked; what comes back puts them as they were."""
    tables = (
        "statement",
        "application",
        "revocation",
        "list_delivery",
        "revocation_list",
        "trail_entry",
    )
    columns = {
        "certificate": "id, spki_sha256, not_after, state, issued_seq",
        "issue_order": "id, dossier, statement_ids, accepted_seq",
    }
    whole = ("statement", "revocation", "list_delivery", "revocation_list")
    copied = {**dict.fromkeys(tables, "*"), **columns}
    change(
        centre,
        *(
            f"CREATE TABLE kept_{name} AS SELECT {some} FROM {name}"
            for name, some in copied.items()
        ),
    )

    def undo() -> None:
        parts = {
            **columns,
            "application": "ref, state, reject_code, erased_at, attempt",
            "trail_entry": "seq, body",
        }
        statements = []
        statements += [f"DELETE FROM {table}" for table in whole]
        statements += [f"INSERT INTO {one} SELECT * FROM kept_{one}" for one in reversed(whole)]
        for table, some in parts.items():
            key, *names = some.split(", ")
            sets = ", ".join(
                f"{one} = (SELECT k.{one} FROM kept_{table} k WHERE k.{key} = {table}.{key})"
                for one in names
            )
            statements.append(f"UPDATE {table} SET {sets}")
        statements += [f"DROP TABLE kept_{table}" for table in copied]
        change(centre, *statements)

    return undo


def swap(code: str, old: str, new: str) -> tuple[str, str]:
    """Statements that put other words into the bodies of a code's entries, and that undo it."""
    words = f"UPDATE trail_entry SET body = replace(body, '{{}}', '{{}}') WHERE code = '{code}'"
    return words.format(old, new), words.format(new, old)


def column(what: str, name: str, old: str, new: str) -> tuple[str, str]:
    """Statements that put another value into a column, and that undo it."""
    words = f"UPDATE {what} SET {name} = '{{}}' WHERE {name} = '{{}}'"
    return words.format(new, old), words.format(old, new)


MOVE, DIFFERS = ("application.move", True), ("application.differs", True)
UNKNOWN = {("application.no_entry", False), ("application.no_row", True)}
PATHS: dict[str, tuple[tuple[str, str], set[tuple[str, bool]]]] = {
    "not allowed": (swap("APP.COMPLETE", ">EXAMINING", ">ISSUED"), {DIFFERS, MOVE}),
    "made later only": (
        swap("APP.COMPLETE", "RECEIVED>EXAMINING", "ISSUED>LINK_WAIT"),
        {DIFFERS, MOVE},
    ),
    "from elsewhere": (swap("APP.COMPLETE", "RECEIVED>", "DEFICIENT>"), {MOVE}),
    "under another code": (swap("APP.COMPLETE", "APP.COMPLETE", "APP.STATE"), {MOVE}),
    "in another role": (swap("APP.COMPLETE", "RA_RECEPTION", "RA_APPROVER"), {MOVE}),
    "by nobody": (swap("APP.COMPLETE", '"uketsuke"', '"SYSTEM"'), {MOVE}),
    "by somebody else": (column("trail_entry", "object_id", "T2026-0001", "T2026-0098"), UNKNOWN),
    "not received": (swap("APP.RECEIVE", '"state":"RECEIVED"', '"state":"ISSUED"'), {MOVE}),
    "of another application": (column("application", "ref", "T2026-0001", "T2026-0099"), UNKNOWN),
}


def test_moves_that_are_no_path_of_the_table_are_found(empty_centre: Centre) -> None:
    """As of a program that does not keep to the table; the chain itself is judged apart."""
    take_in(empty_centre, row(1))
    empty_centre.reception.complete("T2026-0001", empty_centre.signers["uketsuke"])
    change(empty_centre, "DELETE FROM document")
    assert differences(empty_centre) == []
    for name, ((attack, undo), wanted) in PATHS.items():
        change(empty_centre, attack)
        assert found(empty_centre) == wanted, name
        change(empty_centre, undo)
    assert differences(empty_centre) == []


def test_an_entry_that_cannot_be_read_is_a_difference(empty_centre: Centre) -> None:
    change(empty_centre, "UPDATE trail_entry SET body = '[]' WHERE seq = 1")
    (one,) = differences(empty_centre)
    assert (one.code, one.seq) == ("trail.entry", 1)


def test_a_lawful_erasure_is_no_difference(centre: Centre) -> None:
    """The person's values are gone, an auditor still proves every statement and finds no fault."""
    stay_in_office(centre, "toroku", "kanri", "kiroku")
    make_cards(centre, row(1))
    centre.pass_time(days=365.25 * 16)
    erase(centre)
    assert differences(centre) == []
    verify_statements(centre.directory)
    assert verified(exported(centre), Trusted(centre.root)).signed
    change(centre, "UPDATE application SET erased_at = NULL")
    assert found(centre) == {("application.erased", False)}


def review_of(centre: Centre, note: str = "nothing", *what: Found) -> Review:
    with centre.store.read() as tx:
        head = centre.trail.head(tx)
    return Review(SITE_ID, "2026-11", 1, head.seq, head, {"LOG.START OK": 1}, what, note)


def stated(centre: Centre, review: Review, name: str = "kiroku") -> None:
    with centre.store.begin() as tx:
        state_review(centre.directory, tx, review, centre.signers[name])


def test_a_review_is_signed_and_entered(empty_centre: Centre) -> None:
    clean = review_of(empty_centre)
    stated(empty_centre, clean)
    dirty = review_of(empty_centre, "why", Found("order.differs", "ERROR", 7, "order A has"))
    stated(empty_centre, dirty)
    verify_statements(empty_centre.directory)
    first, second = empty_centre.trail.page(0, 100, "LOG.REVIEW")
    for entry, review, word in ((first, clean, "CLEAN"), (second, dirty, "DIFFERENCES")):
        detail = json.loads(entry.body)["detail"]
        assert (entry.actor, entry.object_id) == ("kiroku", "2026-11")
        assert detail["decision"] == word
        assert detail["record"] == digest(review.record())
        assert detail["note"] == digest(review.note.encode())
        assert review.note not in entry.body
        assert len(detail["signed"]) == 1
    assert json.loads(second.body)["detail"]["found"] == {"order.differs": 1}
    record = json.loads(dirty.record())
    assert record["found"] == [
        {"code": "order.differs", "severity": "ERROR", "seq": 7, "what": "order A has"}
    ]
    refused(Refused, "operators.role.missing", lambda: stated(empty_centre, clean, "kanri"))


def test_a_record_lists_no_more_than_a_thousand(empty_centre: Centre) -> None:
    one = Found("order.differs", "ERROR", 7, "order A has")
    review = review_of(empty_centre, "", *[one] * 1500)
    record = json.loads(review.record())
    assert (len(record["found"]), record["found_by_code"]) == (1000, {"order.differs": 1500})


def overdue(centre: Centre) -> str | None:
    with centre.store.read() as tx:
        gap = review_overdue(tx, centre.now, Parameters())
    return gap.days if gap else None


def test_a_review_is_due_every_31_days(empty_centre: Centre) -> None:
    assert overdue(empty_centre) is None
    empty_centre.pass_time(days=31)
    assert overdue(empty_centre) is None
    empty_centre.pass_time(hours=3)
    assert overdue(empty_centre) == "31.1"
    stated(empty_centre, review_of(empty_centre))
    assert overdue(empty_centre) is None
    empty_centre.pass_time(days=40)
    assert overdue(empty_centre) == "40.0"


def report_of(centre: Centre, days: tuple[date, date] = NOVEMBER, verdict: str = "") -> TrailReport:
    with centre.store.read() as tx:
        return trail_report(tx, days, centre.now, Parameters(), verdict)


def test_the_report(empty_centre: Centre) -> None:
    centre = empty_centre
    anchors(centre).make(centre.anchor_key)
    centre.appoint("atarashii", Role.HELPDESK)
    centre.decide(Suspend(operator="atarashii"), "kanri")
    days = {"first_day": date(2026, 11, 21), "last_day": date(2026, 11, 25)}
    substitute = Substitute(operator="ansho", role=Role.REV_OFFICER, absent="shikko", **days)
    centre.decide(substitute, "kanri", "toroku")
    with centre.store.begin() as tx:
        event = Event("REV.AUTH", "revocation", "R-1", actor="shikko", outcome="REFUSED")
        centre.trail.append(tx, event)
    centre.pass_time(days=3)
    anchors(centre).make(centre.anchor_key)
    stated(centre, review_of(centre))
    centre.pass_time(days=40)
    made = report_of(centre)
    assert made.entries == sum(one.count for one in made.counts) == made.last_seq
    assert [(one.code, one.outcome, one.about) for one in made.refusals] == [
        ("REV.AUTH", "REFUSED", "revocation R-1")
    ]
    assert [one.english for one in made.acts] == ["suspension", "substitution"]
    assert made.anchors == 2
    assert [(one.days, one.until is None) for one in made.anchor_gaps] == [
        ("3.0", False),
        ("40.0", True),
    ]
    assert [(one.days, one.until) for one in made.review_gaps] == [("40.0", None)]
    assert [one.actor for one in made.reviews] == ["kiroku"]
    people = {one.person: (one.first, one.second) for one in made.people}
    assert people["shikko"] == (1, 0)
    assert people["toroku"][1] >= 1
    assert {one.key: one.firm for one in made.limits} == {
        "ANCHOR_DAYS": "PROPOSAL",
        "LOG_REVIEW_DAYS": "PROPOSAL",
    }
    earlier = report_of(centre, (date(2026, 10, 1), date(2026, 10, 31)))
    assert (earlier.entries, earlier.first_seq, earlier.anchor_gaps) == (0, 0, ())
    later = report_of(centre, (date(2026, 12, 25), date(2026, 12, 31)))
    assert [one.days for one in later.anchor_gaps] == ["40.0"]
    refused(InvalidInput, "reports.trail.period", lambda: report_of(centre, NOVEMBER[::-1]))


def test_the_report_as_files(empty_centre: Centre) -> None:
    with empty_centre.store.begin() as tx:
        hostile = "<script>=1"
        empty_centre.trail.append(
            tx, Event("REV.AUTH", "revocation", hostile, actor="=cmd", outcome="FAIL")
        )
    imprint = Imprint("training", "電子認証センター", empty_centre.now)
    made = report_of(empty_centre, verdict="the trail is broken at entry 7: <b>")
    page = trail_html(made, imprint).decode()
    assert page == trail_html(made, imprint).decode()
    for words in ("監査ログ報告", "Not whole", "entry 7: &lt;b&gt;", "訓練", "PROPOSAL", "失効"):
        assert words in page, words
    assert "<script" not in page
    assert "&lt;script&gt;" in page
    assert "異常なし" in trail_html(report_of(empty_centre), imprint).decode()
    tree = json.loads(trail_json(made, imprint))
    assert (tree["whole"], tree["since"], tree["entries"]) == (False, "2026-11-01", made.entries)
    assert tree["refusals"][0]["about"] == "revocation <script>=1"
    rows = list(csv.DictReader(io.StringIO(trail_csv(made, imprint).decode("utf-8-sig"))))
    assert {one["since"] for one in rows} == {"2026-11-01"}
    assert [one["person"] for one in rows if one["row"] == "refusal"] == ["'=cmd"]
    assert {one["row"] for one in rows} == {"verdict", "code", "person", "refusal", "limit"}
    assert all(None not in one for one in rows)
