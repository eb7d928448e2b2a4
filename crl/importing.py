"""Lists that a CA made where its key is: proven as our own are, kept, and public at their time."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import dataclass, field
from datetime import datetime
from typing import BinaryIO

from ca import records as ca_records
from ca.issuers import issuer_certificate, shard_uri, signing_hash
from ca.records import Issuer, ListEntry, Series
from crl import records
from crl.building import ListFacts, copy_octets
from crl.checking import (
    crl_number,
    open_verified,
    point_octets,
    this_update,
    wanted_point,
)
from crl.continuity import Continuity, Proven, vanished
from crl.coverage import Difference
from crl.entries import Entries, changes, serial_key, serial_of
from crl.lists import HIGHEST_NUMBER, Lists, Making
from crl.pages import entry_pages
from crl.records import ListState, RevocationList
from pki.errors import InvalidInput, NotFound, Refused
from pki.findings import Severity
from pki.reading.certificate import read_certificate
from pki.reading.crl import RevocationList as ReadList
from pki.reading.crl import open_list
from pki.serials import serial_hex
from pki.validity import rfc3339
from policies.lint.catalogue import check_list
from policies.lint.check import JudgedList
from policies.profiles import ListScope
from store.database import Transaction

_MOST_TAKEN = 1000
_ANOTHER = "Have the CA make a new one, with a higher number, and import that."


@dataclass(frozen=True)
class _Elsewhere(Continuity):
    """Proves changes of which a root's may have been decided where its key is.

    Entries of these are put into ``taken``; an entry that is known here must be the same.
    """

    taken: list[ListEntry] = field(default_factory=list)

    def _add(
        self,
        tx: Transaction,
        issuer: Issuer,
        series: Series,
        serial: str,
        entry: bytes,
        proven: Proven,
    ) -> None:
        known = ca_records.list_entry(tx, series, serial)
        rows = ca_records.certificate_by_serial(tx, int(serial, 16), issuer.id)
        ours = any(ca_records.revocation_of(tx, row.id or 0) for row in rows)
        if series.scope is ListScope.FULL or ours or known and known.entry_der != entry:
            super()._add(tx, issuer, series, serial, entry, proven)
            return
        proven.difference.added.add(serial, "IMPORTED")
        if known is None:
            end = self.end_of(tx, issuer, serial)
            self.taken.append(
                ListEntry(
                    series=series.key,
                    serial=serial,
                    not_after=end,
                    seq=0,
                    entry_der=entry,
                )
            )


@dataclass(frozen=True)
class Imports:
    """Takes in lists that were signed with the CA's key elsewhere."""

    lists: Lists

    def take(self, file: BinaryIO, actor: str) -> RevocationList:
        """Return the list in the DER file, proven and kept; `Rhythm.due` publishes it in time.

        It must hold every revocation that this site executed for its series and lose none that
        stood on the list before, its number must be higher than every one of the CA's, and its
        profile must find no error. What a root's list revokes beyond is taken over.
        Raises ``InvalidInput``, ``NotFound`` and ``Refused``.
        """
        lists = self.lists
        parsed = open_list(file)
        with lists.store.read() as tx:
            issuer = self._issuer(tx, parsed)
        hash_name = signing_hash(issuer, lists.profiles)
        parsed = open_verified(file, issuer_certificate(issuer), hash_name)
        with lists.archive.lock():
            making, facts = self._begun(issuer, parsed)
            self._prove(making, Entries(file, *(parsed.entries_bounds or (0, 0))), parsed)
            self._judge(making, parsed)
            with lists.archive.new(making.row) as kept:
                copy_octets(file, kept)
            making.sha256, making.octets = parsed.sha256, parsed.octets
            return lists.keep(making, facts, actor)

    def _issuer(self, tx: Transaction, parsed: ReadList) -> Issuer:
        for one in ca_records.issuers(tx):
            if one.subject_der == parsed.issuer.der and one.certificate_der is not None:
                return self.lists.authorities.find(tx, one.id)
        raise NotFound(
            "crl.import.issuer",
            f"the list is of {parsed.issuer.text}, which is no CA of this site",
            "See `hpki ca list`.",
        )

    def _begun(self, issuer: Issuer, parsed: ReadList) -> tuple[Making, ListFacts]:
        """Return the list on its way, its number and times accepted."""
        lists = self.lists
        number, at, ends = _numbers(parsed)
        with lists.store.read() as tx:
            facts = [
                (series, self._facts(issuer, series, number, at, ends))
                for series in lists.all_series(tx, issuer)
            ]
            fitting = [one for one in facts if wanted_point(one[1]) == point_octets(parsed)]
            if not fitting:
                raise Refused(
                    "crl.import.scope",
                    f"the list has a scope that no list of {issuer.id} has",
                    f"Have it made by the profile {issuer.crl_profile}.",
                )
            series, found = fitting[0]
            self._verify_place(tx, series, number, at, ends)
        row = RevocationList(
            issuer_id=series.issuer_id,
            scope=series.scope,
            shard=series.shard,
            number=number,
            state=ListState.NUMBERED,
        )
        profile = lists.profiles.crl(issuer.crl_profile)
        return Making(row, issuer, profile, at, Proven(Difference())), found

    def _facts(
        self, issuer: Issuer, series: Series, number: int, at: datetime, ends: datetime
    ) -> ListFacts:
        profile = self.lists.profiles.crl(issuer.crl_profile)
        return ListFacts(
            issuer_certificate(issuer),
            series.scope,
            number,
            at,
            ends,
            signing_hash(issuer, self.lists.profiles),
            profile.authority_key_identifier.issuer_and_serial,
            shard_uri(issuer, profile, series.shard),
        )

    def _verify_place(
        self, tx: Transaction, series: Series, number: int, at: datetime, ends: datetime
    ) -> None:
        """Raise ``Refused`` unless the list follows every one of ours and is in force some time."""
        highest = records.highest_number(tx, series.issuer_id)
        if number <= highest:
            raise Refused(
                "crl.import.number",
                f"the list has the number {number}, and {highest} of {series.issuer_id} is taken",
                _ANOTHER,
            )
        served = records.latest(tx, series, published=True)
        if served is not None and served.this_update is not None and at < served.this_update:
            raise Refused(
                "crl.import.older",
                f"the list is of {rfc3339(at)}, and {served.number}, which was published, of "
                f"{rfc3339(served.this_update)}",
                _ANOTHER,
            )
        if ends <= self.lists.clock():
            raise Refused("crl.import.expired", f"the list expired at {rfc3339(ends)}", _ANOTHER)

    def _prove(self, making: Making, entries: Entries, parsed: ReadList) -> None:
        """Prove what changed since the list before, and that nothing of ours is missing."""
        lists, series, issuer = self.lists, making.row.series, making.issuer
        with lists.store.read() as tx, ExitStack() as opened:
            served = records.latest(tx, series, published=True)
            kept_since = served.this_update if served is not None else None
            making.high_water_seq = lists.trail.position(tx, lock=False)
            proof = _Elsewhere(lists.authorities, lists.trail)
            before = lists.before(tx, making, opened)
            pages = _rising(entries, making)
            proof.prove(tx, issuer, series, before, pages, making.proven)
            ours = opened.enter_context(lists.archive.scratch())
            for joined in entry_pages(tx, series, kept_since):
                ours.write(joined)
            size = ours.tell()
            ours.flush()
            self._verify_held(Entries(ours, 0, size), entries)
            proof.verify_executed(tx, issuer, series, before, kept_since, making.high_water_seq)
        if making.proven.vanished:
            raise vanished(making.proven.vanished, f"list {making.proven.difference.number} holds")
        making.proven.difference.verify_count(making.count)
        if len(proof.taken) > _MOST_TAKEN:
            raise InvalidInput(
                "crl.import.many",
                f"the list has {len(proof.taken)} entries that nobody here knows",
                f"Import lists that bring at most {_MOST_TAKEN} each, one after the other.",
            )
        for one in proof.taken:
            one.seq = making.high_water_seq
        making.taken = proof.taken
        making.detail = {"imported": True, "taken_over": [one.serial for one in proof.taken]}

    def _verify_held(self, ours: Entries, entries: Entries) -> None:
        """Raise ``Refused`` unless every entry of ours stands on the list as it is here."""
        lost = [
            serial_hex(serial_of(entry))
            for change in changes(ours, map(b"".join, entries.pages()))
            for entry in change.gone
        ]
        if lost:
            named = ", ".join(lost[:3]) + (f" and {len(lost) - 3} more" if len(lost) > 3 else "")
            raise Refused(
                "crl.import.missing",
                f"the list lacks, or has with another date or reason, what is revoked: {named}",
                "Enter these where the CA's key is, have a new list made, and import that.",
            )

    def _judge(self, making: Making, parsed: ReadList) -> None:
        by = read_certificate(making.issuer.certificate_der or b"")
        findings = check_list(JudgedList(parsed, making.profile, by, strict=True))
        if any(finding.severity is Severity.ERROR for finding in findings):
            raise Refused("crl.lint", "the list breaks its profile", _ANOTHER, findings)


def _numbers(parsed: ReadList) -> tuple[int, datetime, datetime]:
    """Return number, thisUpdate and nextUpdate; raises ``InvalidInput``."""
    number = crl_number(parsed)
    ends = parsed.next_update.moment if parsed.next_update is not None else None
    if ends is None:
        raise InvalidInput("crl.import.end", "the list has no nextUpdate", _ANOTHER)
    if not 0 < number <= HIGHEST_NUMBER:
        raise InvalidInput("crl.import.range", f"numbers are from 1 to {HIGHEST_NUMBER}", _ANOTHER)
    return number, this_update(parsed), ends


def _rising(entries: Entries, making: Making) -> Iterator[bytes]:
    """Yield the entries, joined and counted; raises ``InvalidInput`` unless serials rise."""
    last = b""
    for page in entries.pages():
        for entry in page:
            key = serial_key(entry)
            if entry[1] >= 0x80 or entry[4] >= 0x80 or key <= last:
                raise InvalidInput(
                    "crl.import.order",
                    "the list's entries are not short ones in rising order of serial numbers",
                    "Have the CA's software sort them.",
                )
            last = key
        making.count += len(page)
        yield b"".join(page)
