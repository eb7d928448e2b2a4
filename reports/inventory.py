"""What lives at a moment: certificates and their carriers, and when they will expire."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date
from typing import Any

import sqlalchemy as sa

from policies.profiles import Purpose
from reports.moment import Moment
from reports.period import month_place, months_from
from reports.rows import CARRIER, CERTIFICATE, REVOCATION
from reports.tables import Column, Kind, Row, Table, Text, total_row
from store.database import Transaction

FORECAST_MONTHS = 24


_LIVING = Text(
    "有効: 基準時点までに発行され、満了も失効もしていないもの。"
    "失効リスト掲載前でも、失効の執行後は失効とする。",
    "Living: issued by the moment, not expired and not revoked; what is revoked counts as revoked "
    "before it stands on a list, too.",
)


@dataclass(frozen=True)
class Stock:
    """How many were issued up to a moment, and what has become of them."""

    issued: int
    living: int
    revoked: int
    expired: int


def certificates_at(tx: Transaction, moment: Moment) -> Stock:
    """Count the certificates of holders."""
    return Stock(*tx.execute(_counted(moment).where(CERTIFICATE.c.order_id.is_not(None))).one())


def carriers_at(tx: Transaction, moment: Moment) -> dict[str, tuple[int, int]]:
    """Count carriers by kind: with a certificate ever issued on them, and with a living one."""
    living = _living(moment)
    each = (
        sa.select(CARRIER.c.kind, sa.func.max(_flag(living)).label("lives"))
        .select_from(_issued(moment).join(CARRIER, CARRIER.c.id == CERTIFICATE.c.carrier_id))
        .where(*_by(moment))
        .group_by(CARRIER.c.id, CARRIER.c.kind)
        .subquery()
    )
    query = sa.select(each.c.kind, sa.func.count(), sa.func.sum(each.c.lives))
    rows = tx.execute(query.group_by(each.c.kind).order_by(each.c.kind))
    return {str(kind): (issued, int(lives)) for kind, issued, lives in rows}


def inventory_table(tx: Transaction, moment: Moment) -> Table:
    """Count certificates by CA, profile, purpose and carrier."""
    keys = (CERTIFICATE.c.issuer_id, CERTIFICATE.c.profile, CERTIFICATE.c.usage, CARRIER.c.kind)
    query = _counted(moment, *keys).group_by(*keys).order_by(*keys)
    columns = (
        Column("issuer", Text("認証局", "CA"), Kind.TEXT),
        Column("profile", Text("プロファイル", "Profile"), Kind.TEXT),
        Column("purpose", Text("用途", "Purpose"), Kind.TEXT),
        Column("carrier", Text("格納媒体", "Carrier"), Kind.TEXT),
        *_STOCK_COLUMNS,
    )
    rows = tuple(Row(tuple(map(_plain, row))) for row in tx.execute(query))
    return Table(
        "inventory",
        Text("証明書在庫", "Certificates in being"),
        _LIVING,
        columns,
        rows,
        total_row(columns, rows, Text("計", "Total"), "issuer"),
        (
            Text(
                "媒体のない行は認証局自身の証明書。",
                "Rows without a carrier: CAs' own certificates.",
            ),
        ),
    )


def carriers_table(tx: Transaction, moment: Moment) -> Table:
    """Count cards and files by whether a certificate on them lives."""
    columns = (
        Column("carrier", Text("格納媒体", "Carrier"), Kind.TEXT),
        Column("issued", Text("累計", "Ever issued"), Kind.NUMBER),
        Column("living", Text("有効", "Living"), Kind.NUMBER),
        Column("ended", Text("失効・満了", "Revoked or expired"), Kind.NUMBER),
    )
    counted = carriers_at(tx, moment).items()
    rows = tuple(Row((kind, issued, live, issued - live)) for kind, (issued, live) in counted)
    return Table(
        "carriers",
        Text("カード等の在庫", "Cards and files in being"),
        Text(
            "証明書が1枚以上発行された媒体の数。有効な証明書が1枚でもあれば有効。",
            "Carriers on which a certificate was issued; living while one certificate on them is.",
        ),
        columns,
        rows,
        total_row(columns, rows, Text("計", "Total"), "carrier"),
    )


def expiring(tx: Transaction, moment: Moment, months: Sequence[date]) -> list[tuple[int, int, int]]:
    """Count living certificates for signing, for authentication, and carriers, by month of expiry.

    A carrier expires with the last of its certificates. One more than the months: what is later.
    """
    place = month_place(CERTIFICATE.c.not_after, months)
    living = (*_by(moment), _living(moment), CERTIFICATE.c.order_id.is_not(None))
    source = _issued(moment)
    found = [[0, 0, 0] for _ in range(len(months) + 1)]
    usage = CERTIFICATE.c.usage
    query = sa.select(place, usage, sa.func.count()).select_from(source).where(*living)
    for month, purpose, count in tx.execute(query.group_by(place, usage)):
        found[month][0 if purpose is Purpose.SIGN else 1] += count
    last = sa.func.max(CERTIFICATE.c.not_after).label("last")
    each = sa.select(last).select_from(source).where(*living).group_by(CERTIFICATE.c.carrier_id)
    ends = each.subquery()
    place = month_place(ends.c.last, months)
    for month, count in tx.execute(sa.select(place, sa.func.count()).group_by(place)):
        found[month][2] = count
    return [(sign, auth, carriers) for sign, auth, carriers in found]


def forecast_table(tx: Transaction, moment: Moment, count: int = FORECAST_MONTHS) -> Table:
    """Say how many will expire in each month, from the moment's own on."""
    months = months_from(moment.day, count)
    *within, later = expiring(tx, moment, months)
    columns = (
        Column("month", Text("満了月", "Month of expiry"), Kind.MONTH),
        Column("sign", Text("署名用", "Signing"), Kind.NUMBER),
        Column("auth", Text("認証用", "Authentication"), Kind.NUMBER),
        Column("carriers", Text("媒体", "Carriers"), Kind.NUMBER),
    )
    rows = tuple(Row((month, *counts)) for month, counts in zip(months, within, strict=True))
    return Table(
        "forecast",
        Text("満了見込", "Expiry forecast"),
        Text(
            "有効な加入者証明書の満了月別の数。媒体は最後の証明書の満了月に数える。月は日本時間。",
            "Living certificates of holders by month of expiry; a carrier expires with the last of "
            "its certificates. Months are Japan's.",
        ),
        columns,
        rows,
        Row((Text("期間計", "Within these months"), *map(sum, zip(*within, strict=True)))),
        (
            Text(
                f"これより後に満了: 署名用 {later[0]}, 認証用 {later[1]}, 媒体 {later[2]}",
                f"Later than these months: signing {later[0]}, authentication {later[1]}, "
                f"carriers {later[2]}",
            ),
        ),
    )


_STOCK_COLUMNS = (
    Column("issued", Text("累計発行", "Ever issued"), Kind.NUMBER),
    Column("living", Text("有効", "Living"), Kind.NUMBER),
    Column("revoked", Text("失効", "Revoked"), Kind.NUMBER),
    Column("expired", Text("満了", "Expired"), Kind.NUMBER),
)


def _counted(moment: Moment, *keys: Any) -> sa.Select[Any]:
    """Select the keys, and issued, living, revoked and expired ones."""
    revoked = REVOCATION.c.certificate_id.is_not(None)
    ended = CERTIFICATE.c.not_after < moment.last_second
    each = (_living(moment), revoked, sa.and_(sa.not_(revoked), ended))
    sums = (sa.func.coalesce(sa.func.sum(_flag(one)), 0) for one in each)
    source = _issued(moment).outerjoin(CARRIER, CARRIER.c.id == CERTIFICATE.c.carrier_id)
    return sa.select(*keys, sa.func.count(), *sums).select_from(source).where(*_by(moment))


def _issued(moment: Moment) -> sa.Join:
    """Join certificates with what the trail has revoked by the moment."""
    on = sa.and_(
        REVOCATION.c.certificate_id == CERTIFICATE.c.id, REVOCATION.c.seq <= moment.head.seq
    )
    return CERTIFICATE.outerjoin(REVOCATION, on)


def _by(moment: Moment) -> tuple[sa.ColumnElement[bool], ...]:
    return (CERTIFICATE.c.issued_seq <= moment.head.seq,)


def _living(moment: Moment) -> sa.ColumnElement[bool]:
    return sa.and_(
        REVOCATION.c.certificate_id.is_(None), CERTIFICATE.c.not_after >= moment.last_second
    )


def _flag(condition: sa.ColumnElement[bool]) -> sa.ColumnElement[int]:
    return sa.case((condition, 1), else_=0)


def _plain(value: Any) -> Any:
    return str(value) if isinstance(value, str) else value
