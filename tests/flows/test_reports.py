"""Cards by prefecture, counted from what was really issued."""

from __future__ import annotations

from datetime import date, timedelta

from ca.carriers import file_carrier
from ca.records import CarrierKind
from pki.validity import start_of_day
from policies.profiles import Purpose
from ra.revocation import Request
from reports.board.counts import Measure, Question, count
from reports.moment import moment
from tests.flows.conftest import Centre
from tests.flows.issuing import prepare
from tests.flows.registration import batch_for, blank_card, make_cards, order_all, personalize, row
from tests.flows.test_desk import LETTER, revoke
from tests.flows.test_station import begin_and_pull

ISSUED_ON = date(2026, 11, 21)


def counted(centre: Centre, as_of: date = ISSUED_ON) -> dict[str, int]:
    """Cards at the end of the day in Japan, or at this moment if that comes first."""
    at = min(start_of_day(as_of + timedelta(days=1)), centre.now + timedelta(seconds=1))
    with centre.store.read() as tx:
        return dict(count(tx, moment(tx, at, at), Question(Measure.CARDS)))


def test_cards_are_counted_by_place_of_work(centre: Centre) -> None:
    """One row for each card, not certificate; the day is Japan's; orders alone are no cards."""
    day = ISSUED_ON + timedelta(days=1)
    assert counted(centre, day) == {}
    centre.pass_time(hours=12, minutes=30)  # 15:30 UTC of the 21st is 00:30 JST of the 22nd
    cards = make_cards(
        centre,
        row(1, work_prefecture="13"),
        row(2, work_prefecture="13", profession="看護師"),
        row(3, work_prefecture="99"),
    )
    order_all(centre, row(4, work_prefecture="27"))
    wanted = {"13": 2, "99": 1}
    assert counted(centre, day) == wanted
    assert counted(centre, ISSUED_ON) == {}
    assert counted(centre, ISSUED_ON.replace(year=2040)) == wanted
    # lost, died, retired: the card was issued all the same
    revoke(centre, cards[0], LETTER, "hakko")
    assert counted(centre, day) == wanted
    # scrapped before delivery: it never was
    scrapped = Request("C12_CARD_SCRAPPED", "CA", "STATION", "run journal")
    centre.pass_time(days=2)
    revoke(centre, cards[2], scrapped, "hakko")
    assert counted(centre, day + timedelta(days=2)) == {"13": 2}
    assert counted(centre, day + timedelta(days=1)) == wanted  # a past table stays


def test_what_is_not_a_card_with_a_signing_certificate_is_not_counted(centre: Centre) -> None:
    """The report names as a card what has its signing certificate: issued, not reserved."""
    (first,) = order_all(centre, row(1))
    (second,) = order_all(centre, row(2), carrier=CarrierKind.FILE)
    card = blank_card(centre)
    begin_and_pull(centre, first.id, card, certificates=1)  # authentication comes first
    assert counted(centre) == {}
    personalize(centre, first.id, card, batch_for(centre, first.id, batch_id="again"))
    assert counted(centre) == {"13": 1}
    made = prepare(centre, second.id, Purpose.SIGN, 1)
    batch = batch_for(centre, second.id, batch_id="file")
    centre.orders.issue(made, second.id, Purpose.SIGN, file_carrier(second.id), batch)
    assert counted(centre) == {"13": 1}


def test_a_day_is_japans(centre: Centre) -> None:
    """At 15:00 UTC the next day has begun there."""
    centre.pass_time(hours=11, minutes=59)
    make_cards(centre, row(1))
    centre.pass_time(minutes=1)
    make_cards(centre, row(2))
    assert counted(centre) == {"13": 1}
    assert counted(centre, ISSUED_ON + timedelta(days=1)) == {"13": 2}
