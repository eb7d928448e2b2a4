"""Cards issued, counted from certificates, orders and applications."""

from __future__ import annotations

from collections import Counter
from datetime import date, timedelta

from sqlmodel import col, select

from ca.records import Carrier, CarrierKind, Certificate, CertificateState, Order, Revocation
from pki.validity import start_of_day
from policies.profiles import Purpose
from ra.records import Application
from reports.prefectures import PrefectureCount
from store.database import Transaction

MEASURE = (
    "累計発行枚数: 基準日までに署名用証明書を発行したカードの枚数"
    "(失効・満了を含み、交付前に廃棄したカードを除く)。都道府県は勤務地。"
    " Cards ever issued up to the date, by place of work, revoked and expired ones included, "
    "cards scrapped before delivery not."
)
_DOCTOR = "医師"
_SCRAPPED = "C12_CARD_SCRAPPED"


def cards_by_prefecture(tx: Transaction, as_of: date) -> list[PrefectureCount]:
    """Return cards ever issued up to the end of Japan's day, by prefecture of work."""
    query = (
        select(Application.work_prefecture, Application.profession, Carrier.id)
        .join(Order, col(Order.application_ref) == col(Application.ref))
        .join(Carrier, col(Carrier.order_id) == col(Order.id))
        .join(Certificate, col(Certificate.carrier_id) == col(Carrier.id))
        .outerjoin(Revocation, col(Revocation.certificate_id) == col(Certificate.id))
        .where(
            Carrier.kind == CarrierKind.CARD,
            Certificate.usage == Purpose.SIGN,
            Certificate.state == CertificateState.ISSUED,
            Certificate.not_before <= start_of_day(as_of),
            (col(Revocation.ground).is_(None))
            | (col(Revocation.ground) != _SCRAPPED)
            | (col(Revocation.revoked_at) >= start_of_day(as_of + timedelta(days=1))),
        )
    )
    cards: Counter[str] = Counter()
    doctors: Counter[str] = Counter()
    for prefecture, profession, _ in tx.exec(query):
        cards[prefecture] += 1
        doctors[prefecture] += profession == _DOCTOR
    return [PrefectureCount(code, count, doctors[code]) for code, count in sorted(cards.items())]
