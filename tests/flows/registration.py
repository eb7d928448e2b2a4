"""Registration and cards in flow tests: rows of a list, and the way from a row to a card."""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Sequence
from dataclasses import asdict

from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import rsa
from cryptography.hazmat.primitives.serialization import Encoding, pkcs7
from PIL import Image, PngImagePlugin

from audit.records import TrailEntry
from ca.orders import Batch
from ca.records import (
    CarrierKind,
    Certificate,
    Order,
    certificates_of_carrier,
    order_of_application,
)
from card_personalization.records import envelopes_of
from card_personalization.station import Report
from card_personalization.transport import Transport
from keys.sealing import open_sealed
from ra import records
from ra.casework.guards import ROMAJI, has_unusual_romaji
from ra.casework.inquiries import ANSWER_COLUMNS, AnswerOutcome, InquiryRow
from ra.intake import ImportReport, Outcome
from ra.records import find_application
from tests.flows.conftest import Centre

PAPERS = {
    "POST": "APPLICATION_FORM;PHOTO;LICENCE_COPY;PHOTO_ID;RESIDENT_RECORD@2026-08-20",
    "LRA": "APPLICATION_FORM;PHOTO;LICENCE_COPY;PHOTO_ID;RESIDENT_RECORD@2026-08-20",
    "MYNA": "APPLICATION_FORM;PHOTO;LICENCE_COPY",
    "ONLINE": "APPLICATION_FORM",
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
        "member_id": f"{number:010d}",
        "documents": PAPERS[channel],
        "terms_version": "DEMO-1.0",
    }
    return sound | changes


def list_of(*rows: Row) -> bytes:
    """The list as a file; columns that no row fills are left out."""
    text = io.StringIO(newline="")
    columns = dict.fromkeys(name for one in (row(), *rows) for name in one)
    writer = csv.DictWriter(text, tuple(columns))
    writer.writeheader()
    writer.writerows(rows)
    return text.getvalue().encode("utf-8")


def take_in(centre: Centre, *rows: Row, drafts: bool = False, by: str = "uketsuke") -> ImportReport:
    """Import the rows as the reception; drafts wait for their paper."""
    signer = centre.signers[by]
    return centre.intake.import_list(list_of(*rows), "list.csv", signer, drafts=drafts)


def signed_list(signing: tuple[x509.Certificate, rsa.RSAPrivateKey], content: bytes) -> bytes:
    """The list signed with a certificate, as an applicant's program makes it."""
    builder = pkcs7.PKCS7SignatureBuilder().set_data(content)
    signer = builder.add_signer(*signing, hashes.SHA256())
    return signer.sign(Encoding.DER, [pkcs7.PKCS7Options.Binary])


def outcomes(report: ImportReport) -> list[tuple[str | None, str, tuple[str, ...]]]:
    """Reference, outcome and codes of each row."""
    return [
        (one.application_ref, one.outcome.value, tuple(fault.code.value for fault in one.faults))
        for one in report.rows
    ]


def answers_to(rows: Sequence[InquiryRow], answer: str = "登録あり", **changes: str) -> bytes:
    """The register's answers to an inquiry, as it was asked but for the changes."""
    text = io.StringIO(newline="")
    writer = csv.DictWriter(text, tuple(ANSWER_COLUMNS))
    writer.writeheader()
    for one in rows:
        values = asdict(one) | {"inquiry": one.inquiry_id, "answer": answer} | changes
        writer.writerow({name: str(values[name]) for name in ANSWER_COLUMNS})
    return text.getvalue().encode("utf-8")


def bring_to_examination(centre: Centre, *refs: str) -> None:
    """Pass complete files on, look at identity and data, ask the register, read its answers."""
    examiner = centre.signers["uketsuke"]
    for ref in refs:
        centre.reception.complete(ref, examiner)
        confirm_romaji(centre, ref)
        for kind in ("IDENTITY", "DATA_MATCH"):
            centre.examination.check(ref, kind, examiner, ok=True)
    made = centre.inquiries.make(refs, examiner)
    assert not made.refused, made.refused
    answered = centre.inquiries.answer(answers_to(made.rows), examiner)
    assert {one.outcome for one in answered} == {AnswerOutcome.CONFIRMED}, answered


def confirm_romaji(centre: Centre, ref: str) -> None:
    """Confirm a name in romaji that is not the passport spelling of its kana."""
    with centre.store.read() as tx:
        application = find_application(tx, ref)
        name = records.applicant(tx, application).romaji_name
        unusual = has_unusual_romaji(tx, application)
    if unusual:
        source, field = ROMAJI
        centre.matches.enter(ref, source, {field: name}, centre.signers["uketsuke"])


def order_all(
    centre: Centre, *rows: Row, carrier: CarrierKind | None = None, approver: str = "shonin"
) -> list[Order]:
    """Take in, examine and approve; the orders in the order of the rows."""
    report = take_in(centre, *rows)
    assert report.count(Outcome.ACCEPTED) == len(rows), outcomes(report)
    refs = [one["application_ref"] for one in rows]
    bring_to_examination(centre, *refs)
    made = []
    for ref in refs:
        centre.examination.examine(ref, centre.signers["uketsuke"], None, carrier, rest_ok=True)
        order = centre.examination.approve(ref, centre.signers[approver])
        assert order is not None
        made.append(order)
    return made


def scan(words: str = "個人番号 1234 5678 9018 世帯主", shade: int = 200) -> bytes:
    """A scan with words in it that can be searched for on the disk."""
    image, file, text = Image.new("L", (300, 400), shade), io.BytesIO(), PngImagePlugin.PngInfo()
    text.add_itxt("words", words)
    image.save(file, "PNG", pnginfo=text)
    return file.getvalue()


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


def pins_of(centre: Centre, card: str, order_id: str) -> dict[str, str]:
    """What the PIN operator reads in the card's only envelope."""
    with centre.store.read() as tx:
        (envelope,) = envelopes_of(tx, card)
    purpose = f"hpki pin {card} {order_id}".encode()
    found: dict[str, str] = json.loads(
        open_sealed(envelope.sealed, centre.sealing["ansho"], purpose)
    )
    return found


def certificates_on(centre: Centre, card: str) -> list[Certificate]:
    """What was reserved or issued on the card."""
    with centre.store.read() as tx:
        return certificates_of_carrier(tx, f"card-{card}")


def entries(centre: Centre, *codes: str) -> Sequence[TrailEntry]:
    """The trail's entries of those codes, or all."""
    found = centre.trail.page(0, 100_000)
    return [entry for entry in found if not codes or entry.code in codes]
