"""Operations and dashboard, every figure counted by hand, and the same when run again later."""

from __future__ import annotations

from datetime import UTC, date, datetime
from decimal import Decimal

from sqlmodel import select

from ca.carriers import card_carrier
from ca.records import Certificate
from policies.parameters import Parameters
from policies.profiles import Purpose
from ra.revocation import Request
from reports.dashboard import dashboard_report
from reports.moment import Moment, moment
from reports.operations import operations_report
from reports.period import Period
from reports.tables import Mark, Report, Row, Table
from tests.flows.conftest import Centre
from tests.flows.issuing import PURPOSES, prepare
from tests.flows.registration import batch_for, order_all, row, take_in
from tests.flows.test_desk import LETTER, revoke
from tests.flows.test_erasure import reject

DAMAGED = Request("S06_CARD_DAMAGED", "subscriber", "FORM", "返却されたカード")
WEEKS = Period(date(2026, 11, 1), date(2026, 12, 31))
END_OF_NOVEMBER = datetime(2026, 11, 30, 15, tzinfo=UTC)
NOVEMBER, DECEMBER = date(2026, 11, 1), date(2026, 12, 1)


def moment_of(centre: Centre, at: datetime) -> Moment:
    with centre.store.read() as tx:
        return moment(tx, at, centre.now)


def operations(centre: Centre, at: Moment) -> Report:
    with centre.store.read() as tx:
        return operations_report(tx, at, WEEKS, Parameters())


def dashboard(centre: Centre, at: Moment) -> Report:
    with centre.store.read() as tx:
        return dashboard_report(tx, at, Parameters())


def cells(table: Table, *keys: str) -> list[tuple[object, ...]]:
    """Columns of the rows."""
    places = [table.place(key) for key in keys]
    return [tuple(one.values[place] for place in places) for one in table.rows]


def total(table: Table) -> tuple[object, ...]:
    assert table.total is not None
    return table.total.values


def flagged(table: Table) -> list[tuple[object, ...]]:
    return [one.values[:2] for one in table.rows if one.mark is Mark.FLAG]


def make_cards(centre: Centre, *numbers: int) -> list[str]:
    """Carriers with both certificates of those rows, made without the station and its time."""
    orders = order_all(centre, *(row(number) for number in numbers))
    batch = batch_for(centre, *(one.id for one in orders), batch_id=f"batch-{numbers[0]}")
    made = []
    for number, order in zip(numbers, orders, strict=True):
        carrier = card_carrier(f"{number:08d}", order.id)
        for place, purpose in enumerate(PURPOSES):
            prepared = prepare(centre, order.id, purpose, 2 * number + place)
            centre.orders.issue(prepared, order.id, purpose, carrier, batch)
        made.append(f"{number:08d}")
    return made


def let_expire(centre: Centre, card: str, purpose: Purpose, at: datetime) -> None:
    with centre.store.begin() as tx:
        wanted = select(Certificate).where(
            Certificate.carrier_id == f"card-{card}", Certificate.usage == purpose
        )
        tx.exec(wanted).one().not_after = at


def work(centre: Centre) -> Moment:
    """Four cards, three revoked, a refusal, open files, lists; return the moment 58 hours later."""
    cards = make_cards(centre, 1, 2, 3, 4)
    take_in(
        centre,
        row(5),
        row(6, channel="LRA"),  # 83 days on the 23rd
        row(7, received_on="2026-08-23"),  # 92, two of them waiting
        row(8, received_on="2026-08-25"),  # 90
        row(9, received_on="2026-08-22"),  # 93
        row(10),
    )
    reject(centre, "T2026-0005")
    centre.reception.ask("T2026-0007", ["PHOTO"], "", centre.signers["uketsuke"])
    centre.examination.withdraw("T2026-0010", centre.signers["uketsuke"], "取下書")
    centre.due()
    centre.pass_time(hours=3)
    revoke(centre, cards[0], LETTER, "hakko")
    centre.pass_time(hours=5)
    centre.due()  # 5 hours
    revoke(centre, cards[1], LETTER, "hakko")
    centre.pass_time(hours=30)
    centre.due()  # 30 hours: the ground allows 24
    revoke(centre, cards[2], DAMAGED, "hakko")
    let_expire(centre, cards[3], Purpose.SIGN, datetime(2027, 3, 31, 14, 59, 59, tzinfo=UTC))
    let_expire(centre, cards[3], Purpose.AUTH, datetime(2027, 3, 31, 15, tzinfo=UTC))
    centre.pass_time(hours=20)
    return moment_of(centre, centre.now)


def work_on(centre: Centre) -> None:
    """What comes after a moment: lists, a card, a revocation, files that move on."""
    centre.due()
    for card in (*make_cards(centre, 11), "00000004"):
        revoke(centre, card, LETTER, "hakko")
    for ref in ("T2026-0006", "T2026-0007"):
        centre.reception.complete(ref, centre.signers["uketsuke"])
    centre.pass_time(days=1)
    centre.due()


def verify_stock(found: Report) -> None:
    ours = [one for one in cells(found.table("inventory"), *_STOCK) if one[1] is not None]
    assert ours == [("auth", "CARD", 4, 1, 3, 0), ("sign", "CARD", 4, 1, 3, 0)]
    assert found.table("carriers").rows == (Row(("CARD", 4, 1, 3)),)
    forecast = found.table("forecast")
    assert len(forecast.rows) == 24
    assert forecast.rows[0].values[0] == NOVEMBER
    assert [
        one for one in cells(forecast, "month", "sign", "auth", "carriers") if any(one[1:])
    ] == [
        (date(2027, 3, 1), 1, 0, 0),
        (date(2027, 4, 1), 0, 1, 1),
    ]


_STOCK = ("issuer", "carrier", "issued", "living", "revoked", "expired")


def verify_registration(found: Report) -> None:
    assert cells(found.table("throughput"), "month", "type", "channel") == [
        (NOVEMBER, "NEW", "LRA"),
        (NOVEMBER, "NEW", "POST"),
    ]
    assert [one.values[3:] for one in found.table("throughput").rows] == [
        (1, 0, 0, 0, 0, 0),
        (9, 5, 4, 1, 1, 0),
    ]
    assert [one.values for one in found.table("months").rows] == [
        (NOVEMBER, 10, 5, 4, 1, 1, 0),
        (DECEMBER, 0, 0, 0, 0, 0, 0),
    ]
    files = found.table("open_files")
    assert cells(files, "state", "files", "median_days", "oldest_days", "beyond") == [
        ("RECEIVED", 3, 90, 93, 1),
        ("DEFICIENT", 1, 92, 92, 0),
        ("ISSUING", 1, 83, 83, 0),
    ]
    assert total(files)[2:] == (5, 90, 93, 1)
    assert [state for state, _ in flagged(files)] == ["RECEIVED"]


def verify_lists(found: Report) -> None:
    revoked = found.table("revocations")
    assert [one.values[2:] for one in revoked.rows] == [
        (2, 1, 2, None, None, 72, 0),
        (4, 2, 0, Decimal("17.5"), Decimal("30.0"), 24, 2),
    ]
    assert [ground for ground, _ in flagged(revoked)] == ["R01_DEATH"]
    assert total(revoked)[2:] == (6, 3, 2, Decimal("17.5"), Decimal("30.0"), None, 2)
    series = found.table("series")
    keys = ("issuer", "lists", "longest_gap_hours", "beyond_target", "beyond_limit", "newest")
    assert cells(series, *keys) == [
        ("auth", 3, Decimal("30.0"), 1, 0, 3),
        ("root", 1, Decimal("58.0"), 1, 1, 1),
        ("root", 1, Decimal("58.0"), 1, 1, 2),
        ("sign", 3, Decimal("30.0"), 1, 0, 3),
    ]
    assert flagged(series) == [("root", "RARL"), ("root", "SARL")]
    lists = cells(found.table("lists"), "issuer", "number", "entries", "gap_hours", "rhythm")
    ours = [(number, entries, gap, getattr(word, "en", None)) for ca, number, entries, gap, word
            in lists if ca == "sign"]  # fmt: skip
    assert ours == [
        (1, 0, None, None),
        (2, 1, Decimal("8.0"), "within the target"),
        (3, 2, Decimal("30.0"), "beyond the target"),
    ]


def test_operations_are_counted_and_stay_as_they_were(centre: Centre) -> None:
    at = work(centre)
    found, page = operations(centre, at), dashboard(centre, at)
    verify_stock(found)
    verify_registration(found)
    verify_lists(found)
    assert [one[0] for one in cells(page.table("counts"), "value")] == [
        *(8, 4, 2, 1),  # certificates and cards issued, living
        *(10, 5, 4, 1, 1, 0),  # received to returned
        *(5, 1, 93),  # open files
        *(3, 8, 4, 2),  # revocations, lists, gaps beyond target and limit
    ]
    spans = [Decimal(text) for text in ("17.5", "30.0", "58.0")]
    assert [one[0] for one in cells(page.table("hours"), "value")] == spans
    assert {one[0] for one in cells(page.table("counts"), "before")} == {None}
    work_on(centre)
    assert operations(centre, at) == found
    assert dashboard(centre, at) == page


def test_the_month_before_is_as_it_ended(centre: Centre) -> None:
    make_cards(centre, 1)
    take_in(centre, row(2))
    centre.due()
    centre.pass_time(days=12)
    make_cards(centre, 3, 4)
    centre.pass_time(hours=1)
    page = dashboard(centre, moment_of(centre, centre.now))
    ended = dashboard(centre, moment_of(centre, END_OF_NOVEMBER))
    for key in ("counts", "hours"):
        assert cells(page.table(key), "before") == cells(ended.table(key), "value")
    figures = {one[0].en: one[1:] for one in cells(page.table("counts"), *_FIGURES)}  # type: ignore[attr-defined]
    assert figures["Cards and files issued"] == (2, 1, 1)
    assert figures["Received"] == (2, 2, 0)
    assert figures["Oldest open file, days"] == (93, 90, 3)


_FIGURES = ("figure", "value", "before", "change")
