"""Revocation lists: their rhythm, what they hold, and whether they are what their rows say."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from datetime import datetime, timedelta

import sqlalchemy as sa
from sqlmodel import col

from ca.records import Certificate, ListEntry, Revocation, Series, list_entry
from crl.checking import crl_number, entries_of, this_update
from crl.entries import changes, serial_of
from crl.pages import entry_pages
from crl.records import RevocationList
from pki import oids
from pki.errors import HpkiError
from pki.findings import Severity
from pki.serials import serial_hex
from policies.lint.catalogue import check_list
from policies.lint.check import JudgedList, JudgedPair
from policies.lint.pairs import changes as pair_changes
from policies.lint.survey import survey
from reports.compliance import lists
from reports.compliance.engine import Judge, Ledger
from reports.compliance.lists import ListRow, SeriesRow
from reports.compliance.revocations import NO_SUSPENSION
from reports.compliance.run import Run
from reports.tables import Text

_MOST_TOLD = 20


def _limit(run: Run) -> timedelta:
    hours, minutes = run.number("CRL_INTERVAL_H"), run.number("CRL_TOLERANCE_MIN")
    return timedelta(hours=float(hours), minutes=float(minutes))


def _gap(run: Run) -> Judge[ListRow]:
    """HC-4.9.7-01: thisUpdate after that of the list before; the timer's lateness is data."""
    limit = _limit(run)

    def judge(one: ListRow) -> Sequence[Text]:
        if one.before is None:
            return ()
        gap = this_update(one.parsed) - this_update(one.before.parsed)
        return () if gap <= limit else (_too_long(gap, f"{one.before.row.number}"),)

    return judge


def _newest(run: Run) -> Judge[SeriesRow]:
    """HC-4.9.7-01: each series has a list, not older than the interval."""
    limit = _limit(run)

    def judge(one: SeriesRow) -> Sequence[Text]:
        if one.newest is None or one.newest.this_update is None:
            return (Text("CRLがない", "has no list"),)
        gap = run.moment.at - one.newest.this_update
        return () if gap <= limit else (_too_long(gap, f"{one.newest.number}"),)

    return judge


def _too_long(gap: timedelta, number: str) -> Text:
    hours = f"{gap / timedelta(hours=1):.1f}"
    return Text(f"{number}番から{hours}時間", f"comes {hours} h after number {number}")


def _validity(run: Run) -> Judge[ListRow]:
    """HC-4.9.7-02."""
    limit = timedelta(hours=float(run.number("CRL_VALIDITY_H")))

    def judge(one: ListRow) -> Sequence[Text]:
        until = one.parsed.next_update.moment if one.parsed.next_update is not None else None
        if until is None:
            return (Text("nextUpdateがない", "has no nextUpdate"),)
        span = until - this_update(one.parsed)
        hours = f"{span / timedelta(hours=1):.1f}"
        return () if span <= limit else (Text(f"有効期間{hours}時間", f"is valid for {hours} h"),)

    return judge


def _numbers(run: Run) -> Judge[ListRow]:
    """HC-4.9.7-03: numbers rise with thisUpdate, and with the making among all of the issuer.

    A list made ahead of its time may be overtaken by one with a higher number and an earlier
    thisUpdate.
    """
    made: dict[str, list[tuple[int, int]]] = {}

    def judge(one: ListRow) -> Sequence[Text]:
        facts = []
        number = crl_number(one.parsed)
        if number != one.row.number:
            facts.append(Text(f"番号は{number}", f"has the number {number} inside"))
        before = one.before
        if before is not None and before.made is not None:
            ahead = before.row.this_update is not None and before.row.this_update > before.made[1]
            if not ahead and this_update(before.parsed) >= this_update(one.parsed):
                facts.append(Text("番号が時刻の順でない", "does not rise in time"))
        if one.made is not None:
            others = made.setdefault(one.row.issuer_id, [])
            seq = one.made[0]
            if any((seq < other) != (number < its) for other, its in others[-_MOST_TOLD:]):
                facts.append(Text("番号が作成の順でない", "is numbered out of turn"))
            others.append((seq, number))
        return facts

    return judge


def _published(run: Run) -> Judge[ListRow]:
    """HC-4.9.8-01: from thisUpdate until it, or a newer one in its place, was published."""
    limit = timedelta(minutes=float(run.number("CRL_PUBLISH_MIN")))
    soonest: dict[tuple[str, int], datetime] = {}
    first: dict[str, datetime] = {}
    row = sa.inspect(RevocationList).columns
    query = sa.select(row.issuer_id, row.scope, row.shard, row.number, row.published_at)
    query = query.order_by(row.number.desc())
    for issuer, scope, shard, number, at in run.tx.execute(query):
        key = Series(issuer, scope, shard).key
        first[key] = min(first.get(key, run.moment.at), at or run.moment.at)
        soonest[key, number] = first[key]

    def judge(one: ListRow) -> Sequence[Text]:
        at = soonest[one.row.series.key, one.row.number]
        if at - this_update(one.parsed) <= limit:
            return ()
        minutes = int((at - this_update(one.parsed)) / timedelta(minutes=1))
        return (Text(f"公開まで{minutes}分", f"took {minutes} min to be published"),)

    return judge


def _complete(run: Run) -> Judge[ListRow]:
    """HC-4.9.10-01: the period's newest list entry by entry; those before it by HC-4.9.10-02.

    What was revoked up to ``high_water_seq`` must stand on it until its certificate ends.
    """

    def judge(one: ListRow) -> Sequence[Text]:
        if not run.archive.holds(one.row):
            return (Text("保存したCRLが行と異なる", "is not in the archive as its row says"),)
        return [*_late(run, one), *(_differing(run, one) if one.is_newest else ())]

    return judge


def _late(run: Run, one: ListRow) -> Iterator[Text]:
    """Yield what is new on this list and had to stand on the one before."""
    before, told = one.before, 0
    if before is None or before.file is None or one.file is None:
        return
    pages = (b"".join(page) for page in entries_of(one.parsed, one.file).pages())
    for change in changes(entries_of(before.parsed, before.file), pages):
        had = {serial_of(entry) for entry in change.gone}
        for entry in change.new:
            serial = serial_hex(serial_of(entry))
            if serial_of(entry) not in had and _must_stand(run, before, serial):
                number = before.row.number
                yield Text(f"{number}番に失効した{serial}がない", f"{number} lacked {serial}")
                told += 1
        if told > _MOST_TOLD:
            return


def _differing(run: Run, one: ListRow) -> Iterator[Text]:
    if one.file is None:
        return
    series, told = one.row.series, 0
    ours = entries_of(one.parsed, one.file)
    for change in changes(ours, entry_pages(run.tx, series, None)):
        has = {serial_hex(serial_of(entry)) for entry in change.new}
        for entry in change.gone:
            serial = serial_hex(serial_of(entry))
            ja = "行と異なる要素" if serial in has else "失効の行がない要素"
            en = "holds another entry than" if serial in has else "holds, without a row,"
            yield Text(f"{ja} {serial}", f"{en} {serial}")
            told += 1
        for serial in sorted(has - {serial_hex(serial_of(entry)) for entry in change.gone}):
            if _must_stand(run, one, serial):
                yield Text(f"失効した{serial}がない", f"lacks the revoked {serial}")
                told += 1
        if told > _MOST_TOLD:
            return


def _must_stand(run: Run, one: ListRow, serial: str) -> bool:
    found, at = list_entry(run.tx, one.row.series, serial), this_update(one.parsed)
    if found is None or found.seq > (one.row.high_water_seq or 0):
        return False
    return found.not_after is None or found.not_after > at


def _matching(run: Run) -> Judge[SeriesRow]:
    """HC-4.9.10-01: each revocation has its entry for its time, each entry of ours a revocation."""

    def judge(one: SeriesRow) -> Sequence[Text]:
        lost = sa.select(col(Certificate.serial)).join(
            Revocation, col(Revocation.certificate_id) == col(Certificate.id)
        )
        mine = (
            col(Certificate.issuer_id) == one.series.issuer_id,
            col(Certificate.shard) == one.series.shard,
        )
        listed = sa.exists().where(
            col(ListEntry.series).like(f"{one.series.issuer_id}/%"),
            col(ListEntry.serial) == col(Certificate.serial),
        )
        vain = (
            sa.select(col(ListEntry.serial))
            .join(Certificate, sa.and_(col(Certificate.serial) == col(ListEntry.serial), *mine))
            .outerjoin(Revocation, col(Revocation.certificate_id) == col(Certificate.id))
            .where(col(ListEntry.series) == one.series.key, col(Revocation.ground).is_(None))
        )
        other = (
            sa.select(col(ListEntry.serial))
            .join(Certificate, sa.and_(col(Certificate.serial) == col(ListEntry.serial), *mine))
            .join(Revocation, col(Revocation.certificate_id) == col(Certificate.id))
            .where(
                col(ListEntry.series) == one.series.key,
                (col(ListEntry.not_after) != col(Certificate.not_after))
                | (col(ListEntry.seq) != col(Revocation.seq)),
            )
        )
        without = run.tx.execute(lost.where(*mine, ~listed).limit(_MOST_TOLD)).scalars()
        facts = [
            Text(f"失効した{serial}の要素がない", f"have no entry of the revoked {serial}")
            for serial in without
        ]
        facts += [
            Text(f"{serial}の要素の期限か位置が異なる", f"drop {serial} at another time")
            for serial in run.tx.execute(other.limit(_MOST_TOLD)).scalars()
        ]
        return facts + [
            Text(f"{serial}の失効がない", f"have an entry of {serial}, which nobody revoked")
            for serial in run.tx.execute(vain.limit(_MOST_TOLD)).scalars()
        ]

    return judge


class _Expiry(Mapping[int, datetime]):
    """The ends of certificates by serial number, asked one by one: few leave a list."""

    def __init__(self, run: Run, series: Series) -> None:
        self._run, self._series = run, series

    def __getitem__(self, serial: int) -> datetime:
        found = list_entry(self._run.tx, self._series, serial_hex(serial))
        if found is None or found.not_after is None:
            raise KeyError(serial)
        return found.not_after

    def __iter__(self) -> Iterator[int]:
        return iter(())

    def __len__(self) -> int:
        return 0


def _lasting(run: Run) -> Judge[ListRow]:
    """HC-4.9.10-02: what stood on the list before stands on this one until it has expired."""

    def judge(one: ListRow) -> Sequence[Text]:
        facts = []
        if one.row.override is not None:
            facts.append(Text("二人の承認で要素を除いた", "lost entries that two people let go"))
        if one.before is None:
            return facts
        expiry = _Expiry(run, one.row.series)
        found = pair_changes(JudgedPair(one.before.parsed, one.parsed, expiry))
        if found.too_many:
            facts.append(Text("前のCRLと比べられない", "cannot be compared with the one before"))
        gone = [*found.early.messages(), *found.unknown.messages(), *found.dates.messages()]
        return facts + [Text(f"前のCRLと異なる {said}", f"changed: {said}") for said in gone]

    return judge


def _no_hold(one: ListRow) -> Sequence[Text]:
    """HC-4.9.13-01: whatever the rows say."""
    found = sorted(NO_SUSPENSION.intersection(survey(one.parsed).reasons))
    return [Text(f"理由コード{code}の要素", f"has the reason {code}") for code in found]


def _whole(run: Run) -> Judge[ListRow]:
    """HC-7.2-01: as archived, signed, of its profile, and what its row says."""

    def judge(one: ListRow) -> Sequence[Text]:
        if one.signer is None:
            return (Text("発行した認証局がない", "is of a CA that is not here"),)
        parsed, row = one.parsed, one.row
        facts = []
        if not run.archive.holds(row):
            facts.append(Text("保存したCRLが行と異なる", "is not in the archive as its row says"))
        try:
            one.verify()
        except HpkiError as error:
            facts.append(Text(f"署名を検証できない: {error.code}", f"is unsound: {error.text}"))
        said = (
            ("version", parsed.version, 2),
            ("authorityKeyIdentifier", oids.AUTHORITY_KEY_IDENTIFIER in parsed.by_oid, True),
            ("number", parsed.number, row.number),
            ("this_update", parsed.this_update.moment, row.this_update),
            ("next_update", parsed.next_update and parsed.next_update.moment, row.next_update),
            ("entries", survey(parsed).count, row.entries),
            ("octets", parsed.octets, row.octets),
        )
        facts += [
            Text(f"{name}が行と異なる", f"differs from its row in {name}")
            for name, found, wanted in said
            if found != wanted
        ]
        judged = JudgedList(parsed, one.signer.lists, one.signer.read, strict=True)
        errors = {one.code for one in check_list(judged) if one.severity is Severity.ERROR}
        return facts + [
            Text(f"lintの誤り {one}", f"breaks the rule {one}") for one in sorted(errors)
        ]

    return judge


LISTS = Ledger(
    "lists",
    lists.rows,
    lists.count,
    {
        "HC-4.9.7-01": _gap,
        "HC-4.9.7-02": _validity,
        "HC-4.9.7-03": _numbers,
        "HC-4.9.8-01": _published,
        "HC-4.9.10-01": _complete,
        "HC-4.9.10-02": _lasting,
        "HC-4.9.13-01": lambda _: _no_hold,
        "HC-7.2-01": _whole,
    },
)
SERIES = Ledger(
    "series",
    lists.series_rows,
    lists.count_series,
    {"HC-4.9.7-01": _newest, "HC-4.9.10-01": _matching},
)
