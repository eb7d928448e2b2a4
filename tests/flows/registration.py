"""Registration and cards in flow tests: rows of a list, and the way from a row to a card."""

from __future__ import annotations

import csv
import io
from collections.abc import Sequence

from audit.records import TrailEntry
from ca.orders import Batch
from ca.records import (
    CarrierKind,
    Certificate,
    Order,
    certificates_of_carrier,
    order_of_application,
)
from card_personalization.station import Report
from card_personalization.transport import Transport
from ra.intake import ImportReport, Outcome
from tests.flows.conftest import Centre

PAPERS = {
    "POST": "APPLICATION_FORM;PHOTO;LICENCE_COPY;PHOTO_ID;RESIDENT_RECORD",
    "LRA": "APPLICATION_FORM;PHOTO;LICENCE_COPY;PHOTO_ID;RESIDENT_RECORD",
    "MYNA": "APPLICATION_FORM;PHOTO;LICENCE_COPY",
}
DIRECTOR = {
    "director_role": "病院長",
    "institution_ja": "架空病院",
    "institution_en": "Fictitious Hospital",
    "documents": PAPERS["POST"] + ";ORG_DOC",
}

Row = dict[str, str]


def row(number: int = 1, **changes: str) -> Row:
    """A sound row of its own person, licence and reference."""
    channel = changes.get("channel", "POST")
    sound = {
        "application_ref": f"T2026-{number:04d}",
        "type": "NEW",
        "channel": channel,
        "received_on": "2026-09-01",
        "kanji_name": "髙橋　一郎",
        "kana_name": "タカハシ　イチロウ",
        "romaji_name": "TAKAHASHI ICHIRO",
        "former_surname": "",
        "birth_date": f"1980-{number // 28 + 1:02d}-{number % 28 + 1:02d}",
        "profession": "医師",
        "registration_number": f"9{number:05d}",
        "registration_date": "2005-04-20",
        "director_role": "",
        "institution_ja": "なし",
        "institution_en": "",
        "work_prefecture": "13",
        "municipality": "",
        "postal_code": "160-0000",
        "address": f"東京都新宿区架空町{number}-2-3",
        "telephone": f"090-0000-{number:04d}",
        "email": f"applicant{number}@example.jp",
        "member_id": "",
        "documents": PAPERS[channel],
        "terms_version": "DEMO-1.0",
    }
    return sound | changes


def list_of(*rows: Row) -> bytes:
    """The list as a file."""
    text = io.StringIO(newline="")
    writer = csv.DictWriter(text, tuple(row()))
    writer.writeheader()
    writer.writerows(rows)
    return text.getvalue().encode("utf-8")


def take_in(centre: Centre, *rows: Row) -> ImportReport:
    """Import the rows as the reception."""
    signer = centre.signers["uketsuke"]
    return centre.intake.import_list(list_of(*rows), "list.csv", signer)


def outcomes(report: ImportReport) -> list[tuple[str | None, str, tuple[str, ...]]]:
    """Reference, outcome and codes of each row."""
    return [
        (one.application_ref, one.outcome.value, tuple(fault.code.value for fault in one.faults))
        for one in report.rows
    ]


def order_all(centre: Centre, *rows: Row, carrier: CarrierKind = CarrierKind.CARD) -> list[Order]:
    """Take in, examine and approve; the orders in the order of the rows."""
    report = take_in(centre, *rows)
    assert report.count(Outcome.ACCEPTED) == len(rows), outcomes(report)
    made = []
    for one in rows:
        examiner = centre.signers["uketsuke"]
        centre.examination.examine(one["application_ref"], examiner, carrier=carrier)
        made.append(centre.examination.approve(one["application_ref"], centre.signers["shonin"]))
    return made


def batch_for(
    centre: Centre, *order_ids: str, executor: str = "hakko", batch_id: str = "batch-1"
) -> Batch:
    """A batch that an IA operator opened."""
    return centre.orders.open_batch(centre.signers[executor], order_ids, batch_id)


def blank_card(centre: Centre) -> str:
    """The chip serial of a new virtual card in stock."""
    return centre.stock.make_virtual("hakko")


def personalize(
    centre: Centre,
    order_id: str,
    card: str | Transport,
    batch: Batch | None = None,
    progress: list[str] | None = None,
    at_station: str = "hakko",
) -> Report:
    """Put the order on the card."""
    steps: list[str] = [] if progress is None else progress
    transport = centre.stock.insert_virtual(card) if isinstance(card, str) else card
    signed = batch if batch is not None else batch_for(centre, order_id, batch_id=f"b-{order_id}")
    return centre.station.personalize(
        order_id, transport, signed, centre.signers[at_station], steps.append
    )


def make_cards(centre: Centre, *rows: Row) -> list[str]:
    """The chip serials of finished cards, one for each row."""
    made = []
    for order in order_all(centre, *rows):
        made.append(blank_card(centre))
        personalize(centre, order.id, made[-1])
    return made


def order_of(centre: Centre, ref: str) -> Order | None:
    """The application's newest order."""
    with centre.store.read() as tx:
        return order_of_application(tx, ref)


def certificates_on(centre: Centre, card: str) -> list[Certificate]:
    """What was reserved or issued on the card."""
    with centre.store.read() as tx:
        return certificates_of_carrier(tx, f"card-{card}")


def entries(centre: Centre, *codes: str) -> Sequence[TrailEntry]:
    """The trail's entries of those codes, or all."""
    found = centre.trail.page(0, 100_000)
    return [entry for entry in found if not codes or entry.code in codes]
