"""What left a list and what came onto it, each proven before the list is signed.

What stood on the list before is trusted for that list's signature. So only changes are proven: a
new entry by the signed decision and the trail, a missing one by the end of its certificate.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import datetime
from itertools import chain
from typing import Any, NamedTuple

from cryptography import x509

from audit.canonical import digest
from audit.chain import KEEP
from audit.records import TrailEntry
from audit.trail import Trail
from ca import records as ca_records
from ca.authorities import Authorities
from ca.issuers import issuer_certificate, signing_hash
from ca.records import Issuer, Series
from ca.revocation import entry_of, series_of, verify_decided
from crl.coverage import Difference
from crl.entries import Change, Entries, changes, serial_of, split
from pki.errors import HpkiError, Refused
from pki.serials import serial_hex
from pki.signing import verify_signature
from policies.profiles import ListScope
from store.database import Transaction

_PAGE = 5000


@dataclass(frozen=True)
class Before:
    """The list that the next one is compared with: its entries, time, and trail position."""

    entries: Entries
    this_update: datetime
    high_water_seq: int


class Executed(NamedTuple):
    """A revocation as the trail tells it: its position, the serial, and its entry's SHA-256.

    Of one taken over from a list that was made elsewhere no digest is known.
    """

    seq: int
    serial: str
    entry_digest: str | None = None


@dataclass
class Proven:
    """What changed, and serials that left although nothing says that their certificates ended."""

    difference: Difference
    vanished: list[str] = field(default_factory=list)


@dataclass(frozen=True)
class Continuity:
    """Proves what changed from one list of a series to the next."""

    authorities: Authorities
    trail: Trail

    def prove(
        self,
        tx: Transaction,
        issuer: Issuer,
        series: Series,
        before: Before | None,
        pages: Iterable[bytes],
        proven: Proven,
    ) -> None:
        """Take in every page of the new list's entries; raises ``Refused`` for what is not so."""
        if before is None:
            for joined in pages:
                self._take(tx, issuer, series, Change([], split(joined)), None, proven)
            return
        for change in changes(before.entries, pages):
            self._take(tx, issuer, series, change, before.this_update, proven)

    def _take(
        self,
        tx: Transaction,
        issuer: Issuer,
        series: Series,
        change: Change,
        at: datetime | None,
        proven: Proven,
    ) -> None:
        gone = {serial_hex(serial_of(one)) for one in change.gone}
        for entry in change.new:
            serial = serial_hex(serial_of(entry))
            if serial in gone:
                raise _changed(serial)
            self._add(tx, issuer, series, serial, entry, proven)
        for serial in sorted(gone):
            end = self.end_of(tx, issuer, serial)
            ended = at is not None and end is not None and end < at
            proven.difference.remove(serial, end if ended else None)
            if not ended:
                proven.vanished.append(serial)

    def _add(
        self,
        tx: Transaction,
        issuer: Issuer,
        series: Series,
        serial: str,
        entry: bytes,
        proven: Proven,
    ) -> None:
        """Note a new entry; raises ``Refused`` unless rows make it and people decided it."""
        rows = ca_records.certificate_by_serial(tx, int(serial, 16), issuer.id)
        revocation = ca_records.revocation_of(tx, rows[0].id or 0) if rows else None
        profile = self.authorities.profiles.crl(issuer.crl_profile)
        if (
            revocation is None
            or entry_of(rows[0], revocation) != entry
            or series_of(rows[0], issuer, profile) != series
        ):
            raise _changed(serial)
        verify_decided(self.authorities.directory, tx, rows[0], series)
        proven.difference.add(rows[0], revocation)

    def end_of(self, tx: Transaction, issuer: Issuer, serial: str) -> datetime | None:
        """Return notAfter of the certificate as the CA signed it, None where it has none such.

        Rows may say anything.
        """
        for row in ca_records.certificate_by_serial(tx, int(serial, 16), issuer.id):
            try:
                found = x509.load_der_x509_certificate(row.certificate_der or b"")
                key = issuer_certificate(issuer).public_key()
                hash_name = signing_hash(issuer, self.authorities.profiles)
                verify_signature(key, found.signature, found.tbs_certificate_bytes, hash_name)
            except (ValueError, HpkiError):
                return None
            if serial_hex(found.serial_number) == serial:
                return found.not_valid_after_utc
        return None

    def verify_executed(
        self,
        tx: Transaction,
        issuer: Issuer,
        series: Series,
        before: Before | None,
        kept_since: datetime | None,
        up_to: int,
    ) -> None:
        """Raise ``Refused`` if what the trail says was revoked since is not on the list.

        ``kept_since``: entries of certificates that had expired before it were left out.
        """
        after = before.high_water_seq if before is not None else 0
        told = self.executed(series, after, up_to), self._taken_over(series, after, up_to)
        for one in chain(*told):
            entry = ca_records.list_entry(tx, series, one.serial)
            if entry is not None and one.entry_digest not in (None, digest(entry.entry_der)):
                raise _changed(one.serial)
            if entry is not None and (
                kept_since is None or entry.not_after is None or entry.not_after >= kept_since
            ):
                continue
            end = self.end_of(tx, issuer, one.serial)
            if kept_since is None or end is None or end >= kept_since:
                raise vanished([one.serial], f"entry {one.seq} of the trail revoked")

    def executed(self, series: Series, after: int, up_to: int | None = None) -> Iterator[Executed]:
        """Yield what the trail says was revoked of the series behind one position.

        Not behind ``up_to``: what is executed while a list is made, the next one holds.
        """
        for entry in self._entries("REV.EXECUTE", after, up_to):
            yield from _read(entry, series, _executed)

    def _taken_over(self, series: Series, after: int, up_to: int) -> Iterator[Executed]:
        """Yield what the trail says was taken over from a root's lists that were imported."""
        if series.scope is ListScope.FULL:
            return
        for entry in self._entries("CRL.ISSUE", after, up_to):
            yield from _read(entry, series, _imported)

    def _entries(self, code: str, after: int, up_to: int | None) -> Iterator[TrailEntry]:
        while page := self.trail.page(after, _PAGE, code=code):
            after = page[-1].seq
            for entry in page:
                if up_to is not None and entry.seq > up_to:
                    return
                yield entry


_Told = Callable[[int, dict[str, Any], Series], Iterator[Executed]]


def _read(entry: TrailEntry, series: Series, told: _Told) -> list[Executed]:
    """Return what an entry of the trail tells; raises ``Refused`` for one that was changed."""
    said = entry.content()
    with suppress(AttributeError, KeyError, TypeError, ValueError):
        if said is not None:
            return list(told(entry.seq, said, series))
    raise Refused("crl.trail.changed", f"the entry {entry.seq} of the trail cannot be read", KEEP)


def _executed(seq: int, said: dict[str, Any], series: Series) -> Iterator[Executed]:
    detail = said["detail"]
    for name in sorted(detail["certificates"]):
        issuer_id, _, serial = name.partition(":")
        scope = detail.get("scopes", {}).get(name, ListScope.FULL)
        if Series(issuer_id, scope, detail["shards"].get(name, 0)) == series:
            yield Executed(seq, serial, detail["entries"][name])


def _imported(seq: int, said: dict[str, Any], series: Series) -> Iterator[Executed]:
    detail, issuer_id = said["detail"], said["object_id"].partition(":")[0]
    if (issuer_id, detail["scope"]) == (series.issuer_id, series.scope):
        for serial in detail.get("taken_over", ()):
            yield Executed(seq, serial)


def vanished(serials: list[str], who: str) -> Refused:
    """Return the refusal of a list that lacks what it must hold."""
    named = ", ".join(serials[:3]) + (f" and {len(serials) - 3} more" if len(serials) > 3 else "")
    return Refused("crl.entry.vanished", f"{who} serial {named}, and its revocation is gone", KEEP)


def _changed(serial: str) -> Refused:
    return Refused(
        "crl.entry.changed", f"the revocation of {serial} was changed after it was executed", KEEP
    )
