"""Whether and since which list a serial number is revoked, told from the lists themselves.

Rows only say where to look. Each list that an answer rests on is read back from the archive, with
its CA's signature, its coverage statement and its entry in the trail.
"""

from __future__ import annotations

import hashlib
from bisect import bisect_left, bisect_right
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, BinaryIO

from audit.records import Criteria
from audit.trail import Trail
from ca import records as ca_records
from ca.authorities import Authorities
from ca.issuers import issuer_certificate, signing_hash
from ca.records import Certificate, Issuer, Revocation, Series
from ca.revocation import series_of
from crl import records
from crl.checking import crl_number, entries_of, open_verified, this_update
from crl.coverage import read_statement
from crl.entries import Entries
from crl.lists import Lists
from crl.records import RevocationList
from crl.stated import statement_keys
from pki import der
from pki.errors import HpkiError, InvalidInput, NotFound, Refused
from pki.reading.crl import RevocationList as ReadList
from pki.reading.crl import open_list
from pki.reading.entries import Entry, OddBlock, PlainBlock
from pki.reading.tlv import DerError
from pki.validity import Clock
from store.database import Store, Transaction

_BLOCK = 1 << 20
_TELLING = 8
"""Octets of a serial number that stand on a list by no accident."""

_KEEP = "Keep archive and store as they are, bring back the file from the backup, call the auditor."


@dataclass(frozen=True)
class Place:
    """Where a serial number is on a list: its entry, or the serials that stand around the gap.

    Neighbours are None at an end, and where the list is in no order.
    """

    entry: Entry | None
    before: int | None = None
    after: int | None = None


@dataclass(frozen=True)
class Listed:
    """A list by which something was proven; ``published_at`` as the trail says."""

    number: int
    this_update: datetime
    next_update: datetime | None
    published_at: str | None
    sha256: str
    statement: dict[str, Any] = field(repr=False, default_factory=dict)


@dataclass
class Standing:
    """What a site's lists of one series say of a serial number.

    ``place`` is on the ``newest`` list; ``first`` the list on which it stood first, ``absent`` the
    one before that, ``left`` the first without it again. ``faults``: what could not be proven.
    """

    series: Series
    certificate: Certificate | None = None
    revocation: Revocation | None = None
    newest: Listed | None = None
    place: Place | None = None
    first: Listed | None = None
    absent: Listed | None = None
    left: Listed | None = None
    faults: list[HpkiError] = field(default_factory=list)

    @property
    def is_told(self) -> bool:
        """Whether anything here knows of the serial number."""
        return self.certificate is not None or self.first is not None or bool(self.faults)


@dataclass(frozen=True)
class Proving:
    """Answers from the archive."""

    store: Store
    trail: Trail
    authorities: Authorities
    lists: Lists
    clock: Clock

    def prove(self, serial: int, issuer_id: str | None = None) -> list[Standing]:
        """Return what the lists of each CA say, of the one named or of all."""
        with self.store.read() as tx:
            wanted = [issuer_id] if issuer_id else [one.id for one in ca_records.issuers(tx)]
            issuers = [self.authorities.find(tx, one) for one in wanted]
            every = [
                self._standing(tx, issuer, series, serial)
                for issuer in issuers
                if issuer.certificate_der is not None
                for series in self.lists.all_series(tx, issuer)
            ]
        found = [one for one in every if one.first is not None or one.faults]
        return found or [one for one in every if one.is_told] or every

    def _standing(self, tx: Transaction, issuer: Issuer, series: Series, serial: int) -> Standing:
        rows = ca_records.certificate_by_serial(tx, serial, series.issuer_id)
        standing = Standing(series)
        profile = self.authorities.profiles.crl(issuer.crl_profile)
        with _noted(standing):
            for row in rows:
                if series_of(row, issuer, profile) == series:
                    standing.certificate = row
                    standing.revocation = ca_records.revocation_of(tx, row.id or 0)
            self._look(tx, issuer, standing, serial)
        return standing

    def _look(self, tx: Transaction, issuer: Issuer, standing: Standing, serial: int) -> None:
        now = self.clock()
        in_force = records.latest(tx, standing.series, published=True, by=now)
        if in_force is None:
            in_force = records.latest(tx, standing.series, by=now)
        if in_force is None:
            raise NotFound("crl.none", f"no list {standing.series} was made", "`hpki crl issue`.")
        with self._proven(tx, issuer, in_force) as (listed, parsed, file):
            standing.newest, standing.place = listed, find_serial(parsed, file, serial)
        history = [
            row
            for row in reversed(records.signed_lists(tx, standing.series))
            if (row.this_update is None or row.this_update <= now)
            and self.lists.archive.list_path(row).exists()
        ]
        span = _span(history, standing, lambda row: self._holds(row, serial))
        if span is None:
            return
        first, left = span
        standing.first = self._told(tx, issuer, history[first], serial, True)
        if left < len(history):
            standing.left = self._told(tx, issuer, history[left], serial, False)
        if first:
            standing.absent = self._told(tx, issuer, history[first - 1], serial, False)
        previous = standing.first.statement["previous"]["number"]
        if previous != (standing.absent.number if standing.absent is not None else 0):
            raise NotFound(
                "crl.prove.gap",
                f"list {previous} is not in the archive: the serial may have stood on it",
                _KEEP,
            )

    def _told(
        self, tx: Transaction, issuer: Issuer, row: RevocationList, serial: int, held: bool
    ) -> Listed:
        """Return the proven list; raises ``Refused`` unless it holds the serial as expected."""
        with self._proven(tx, issuer, row) as (listed, parsed, file):
            if (find_serial(parsed, file, serial).entry is not None) is not held:
                raise Refused(
                    "crl.prove.order",
                    f"the serial comes and goes on the lists around {row.number}",
                    _KEEP,
                )
            return listed

    def _holds(self, row: RevocationList, serial: int) -> bool:
        """Say whether the list in the archive has the serial, by a quick look."""
        with self.lists.archive.open(row) as file:
            size = file.seek(0, 2)
            if not _contains(Entries(file, 0, size), serial):
                return False
            if serial.bit_length() >= 8 * _TELLING:
                return True
            return find_serial(open_list(file), file, serial).entry is not None

    @contextmanager
    def _proven(
        self, tx: Transaction, issuer: Issuer, row: RevocationList
    ) -> Iterator[tuple[Listed, ReadList, BinaryIO]]:
        """Give a list that its CA signed and that trail and coverage statement name."""
        archive, name = self.lists.archive, f"{row.issuer_id}:{row.number}"
        hash_name = signing_hash(issuer, self.authorities.profiles)
        with archive.open(row) as file:
            parsed = open_verified(file, issuer_certificate(issuer), hash_name)
            octets = archive.statement(row)
            statement = read_statement(octets, statement_keys(self.authorities.directory, tx))
            said = self._said("CRL.ISSUE", name)
            told = (crl_number(parsed), statement["sha256"], said.get("sha256"))
            coverage = hashlib.sha256(octets).hexdigest()
            if told != (row.number, parsed.sha256, parsed.sha256) or coverage != said["coverage"]:
                raise Refused(
                    "crl.prove.differs",
                    f"list {name} of the archive is not the one that the trail names",
                    _KEEP,
                )
            ends = parsed.next_update
            listed = Listed(
                row.number,
                this_update(parsed),
                ends.moment if ends is not None else None,
                self._said("CRL.PUBLISH", name).get("at"),
                parsed.sha256,
                statement,
            )
            yield listed, parsed, file

    def _said(self, code: str, name: str) -> dict[str, Any]:
        """Return what the trail says of the list, nothing where it does not."""
        wanted = Criteria(code=code, object_type="crl", object_id=name)
        for entry in self.trail.search(wanted):
            said = entry.content()
            if said is not None and (said.get("code"), said.get("object_id")) == (code, name):
                return dict(said["detail"])
        return {}


@contextmanager
def _noted(standing: Standing) -> Iterator[None]:
    try:
        yield
    except HpkiError as error:
        standing.faults.append(error)


def _span(
    history: list[RevocationList], standing: Standing, holds: Callable[[RevocationList], bool]
) -> tuple[int, int] | None:
    """Return the places of the first list that has the serial, and of the first again without it.

    An entry comes once, stays until its certificate has expired, and never comes back: so a few
    lists tell of all.
    """
    last = len(history) - 1
    at: int | None = last if last >= 0 and holds(history[last]) else None
    if at is None and standing.certificate is not None:
        ends = standing.certificate.not_after
        made = [one.this_update or ends for one in history]
        expired = max(bisect_right(made, ends) - 1, 0)
        near = [one for one in range(expired, min(expired + 3, last)) if holds(history[one])]
        at = near[-1] if near else None
    if at is None:
        return None
    first = bisect_left(range(at + 1), True, key=lambda one: holds(history[one]))
    later = range(at, last + 1)
    return first, at + bisect_left(later, True, key=lambda one: not holds(history[one]))


def find_serial(parsed: ReadList, file: BinaryIO, serial: int) -> Place:
    """Return where the serial number is on the list that the file holds, or would be.

    Blocks are passed over by their first entries; where the entries turn out to be in no order
    every one is looked at. Raises ``InvalidInput`` at an entry that cannot be read.
    """
    near: list[PlainBlock | OddBlock] = []
    try:
        for block in parsed.blocks():
            near = [*near[-1:], block]
            if _first_serial(block) > serial:
                break
        entries = [one for block in near for one in block.entries()]
        serials = [one.serial for one in entries]
        at = bisect_right(serials, serial)
        if at and serials[at - 1] == serial:
            return Place(entries[at - 1])
        if _contains(entries_of(parsed, file), serial):
            found = next((one for one in parsed.entries() if one.serial == serial), None)
            if found is not None:
                return Place(found)
    except DerError as error:
        raise InvalidInput("crl.entries", f"the list's entries cannot be read: {error}") from None
    if serials != sorted(serials):
        return Place(None)
    before = serials[at - 1] if at else None
    return Place(None, before, serials[at] if at < len(serials) else None)


def _first_serial(block: PlainBlock | OddBlock) -> int:
    if isinstance(block, OddBlock):
        return block.read[0][0].serial
    return int.from_bytes(block.octets[4 : 4 + block.octets[3]], "big")


def _contains(entries: Entries, serial: int) -> bool:
    """Say whether the serial number's INTEGER stands anywhere in the octets."""
    wanted = der.integer(serial)
    for at in range(entries.begin, entries.end, _BLOCK):
        if wanted in entries.octets(at, _BLOCK + len(wanted) - 1):
            return True
    return False
