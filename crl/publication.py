"""The way of a list to every target, and what a target refuses."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import BinaryIO

from audit.trail import Trail
from ca import records as ca_records
from ca.authorities import Authorities
from ca.issuers import issuer_certificate, shard_uri, signing_hash
from ca.records import Issuer, Series
from crl import records
from crl.archive import Archive, sha256_of
from crl.building import distribution_point
from crl.checking import crl_number, entries_of, open_verified, point_octets, this_update
from crl.continuity import Continuity, vanished
from crl.entries import changes, serial_of
from crl.lists import list_event
from crl.moments import DRIFT
from crl.naming import file_name
from crl.publishing import Publisher
from crl.records import Delivery, ListState, RevocationList
from crl.release import release_decisions
from crl.stated import Stated, issued, read_stated
from operators.directory import kept_statement
from operators.records import Statement
from pki.errors import HpkiError, InvalidInput, Refused, Unavailable
from pki.reading.crl import RevocationList as ReadList
from pki.reading.crl import open_list
from pki.serials import serial_hex
from pki.validity import Clock, rfc3339, whole_seconds
from policies.parameters import Parameters
from store.database import Store, Transaction

_AGAIN = "Issue a new list: `hpki crl issue`."


@dataclass(frozen=True)
class Publication:
    """Delivers lists to targets; each is tried on its own and again after a pause.

    ``parameters`` gives the pauses: CRL_RETRY_MIN after the first failure, doubled up to
    CRL_RETRY_MAX_MIN.
    """

    store: Store
    trail: Trail
    authorities: Authorities
    archive: Archive
    targets: Sequence[Publisher]
    parameters: Parameters
    clock: Clock

    def publish(
        self, row: RevocationList, actor: str, *, at_once: bool = True
    ) -> tuple[RevocationList, list[HpkiError]]:
        """Put a signed list where it is not yet, and return it with the failures.

        Without ``at_once`` a target that failed is left alone until its pause is over, which is a
        failure too. A target refuses a list that does not verify, is another issuer's or another
        scope's, is not newer than what stands there, or lacks an entry of it for no reason.
        """
        failures: list[HpkiError] = []
        with self.store.read() as tx:
            issuer = self.authorities.find(tx, row.issuer_id)
            ways = records.deliveries(tx, row.id or 0)
        trying = []
        for target in self.targets:
            way = ways.get(target.name) or Delivery(target=target.name, list_id=row.id or 0)
            if at_once or way.next_try_at is None or way.next_try_at <= self.clock():
                trying.append((target, way))
            else:
                failures.append(_waiting(way, way.next_try_at))
        try:
            if trying:
                self._deliver(row, issuer, trying, failures)
        except HpkiError as error:
            failures.append(error)  # the list's own fault, and no target's
        return self._complete(row, issuer, actor), failures

    def stands(self, row: RevocationList, issuer: Issuer) -> bool:
        """Say whether every target serves exactly this list."""
        name = self._file_name(issuer, row.series)
        return all(self._stands(target, name, row) for target in self.targets)

    @contextmanager
    def served(self, issuer: Issuer, series: Series, above: int) -> Iterator[BinaryIO | None]:
        """Give the served list of the CA's own with the highest number, if that is above one."""
        with ExitStack() as closing:
            found = None
            for target in self.targets:
                with suppress(HpkiError):
                    file = target.current(self._file_name(issuer, series))
                    if file is not None:
                        closing.enter_context(file)
                        number = crl_number(open_list(file))
                        if number > above:
                            self._own(file, issuer, series)
                            found, above = file, number
            yield found

    def _own(self, file: BinaryIO, issuer: Issuer, series: Series) -> ReadList:
        """Return the list in the file; raises unless the CA signed it for that series."""
        hash_name = signing_hash(issuer, self.authorities.profiles)
        certificate = issuer_certificate(issuer)
        parsed = open_verified(file, certificate, hash_name)
        profile = self.authorities.profiles.crl(issuer.crl_profile)
        uri = shard_uri(issuer, profile, series.shard)
        point = distribution_point(certificate, series.scope, uri)
        if point_octets(parsed) != (point.public_bytes() if point is not None else None):
            raise Refused("crl.scope", f"the list is none of the series {series}")
        return parsed

    def _file_name(self, issuer: Issuer, series: Series) -> str:
        return file_name(issuer, self.authorities.profiles.crl(issuer.crl_profile), series)

    def _stands(self, target: Publisher, name: str, row: RevocationList) -> bool:
        try:
            file = target.current(name)
        except HpkiError:
            return False
        if file is None:
            return False
        with file:
            return sha256_of(file) == row.sha256

    def _deliver(
        self,
        row: RevocationList,
        issuer: Issuer,
        trying: list[tuple[Publisher, Delivery]],
        failures: list[HpkiError],
    ) -> None:
        """Bring the list to the targets; raises only what keeps it from every one of them."""
        name = self._file_name(issuer, row.series)
        with self.archive.open(row) as file:
            parsed = self._own(file, issuer, row.series)
            self._verify_place(row, issuer, parsed)

            def accept(standing: BinaryIO | None) -> None:
                if standing is not None:
                    self._verify_successor(issuer, row, file, parsed, standing)
                self._verify_view(row)

            for target, way in trying:
                try:
                    target.replace(name, file, accept)
                except HpkiError as error:
                    failures.append(error)
                    self._note(way, error)
                else:
                    self._note(way, None)

    def _verify_place(self, row: RevocationList, issuer: Issuer, parsed: ReadList) -> None:
        """Raise ``Refused`` for a list that is not in force now, or that has a successor."""
        now, at = self.clock(), this_update(parsed)
        if crl_number(parsed) != row.number:
            raise Refused("crl.archive.other", f"the archive has another list for {row.number}")
        ends = parsed.next_update.moment if parsed.next_update is not None else None
        if at > now + DRIFT or ends is None or ends <= now:
            raise Refused(
                "crl.publish.time",
                f"list {row.number} is of {rfc3339(at)} and not in force now",
                _AGAIN,
            )
        with self.served(issuer, row.series, row.number) as newer:
            if newer is not None:
                raise _older(row.number, crl_number(open_list(newer)))

    def _verify_view(self, row: RevocationList) -> None:
        """Raise ``Refused`` for a list that saw less of the trail than one published before."""
        with self.store.read() as tx:
            before = records.latest(tx, row.series, published=True)
            if before is None or before.id == row.id:
                return
            known, mine = issued(tx, before).high_water_seq, issued(tx, row).high_water_seq
        if known > mine:
            raise Refused(
                "crl.publish.view",
                f"list {row.number} covers less than {before.number}, which was published",
                _AGAIN,
            )

    def _stated(self, tx: Transaction, row: RevocationList) -> Stated:
        return read_stated(tx, self.authorities.directory, self.archive, row)

    def _verify_successor(
        self,
        issuer: Issuer,
        row: RevocationList,
        file: BinaryIO,
        parsed: ReadList,
        standing: BinaryIO,
    ) -> None:
        """Raise ``Refused`` unless the list follows what stands there, if that is one of ours."""
        stated = self._proven(row)
        try:
            served = open_list(standing)
            proven = stated is not None and served.sha256 == stated.previous
            if not proven:
                self._own(standing, issuer, row.series)
            number = crl_number(served)
        except (InvalidInput, Refused):
            return
        if crl_number(parsed) <= number or self._is_earlier(parsed, served):
            raise _older(row.number, number)
        if stated is not None and stated.released:
            with self.store.read() as tx:
                if not self._released(tx, row):
                    raise vanished(list(stated.lost), f"list {number}, which is served, holds")
        if not proven:
            self._verify_nothing_vanished(issuer, row, (file, parsed), (standing, served))

    def _is_earlier(self, parsed: ReadList, served: ReadList) -> bool:
        """Say whether the list is of an earlier time; one of the future can only be wrong."""
        at = this_update(served)
        return this_update(parsed) < at <= self.clock()

    def _proven(self, row: RevocationList) -> Stated | None:
        """Return what the list's statement says, None where that is not its own."""
        try:
            with self.store.read() as tx:
                stated = self._stated(tx, row)
        except HpkiError:
            return None
        return stated if stated.sha256 == row.sha256 else None

    def _verify_nothing_vanished(
        self,
        issuer: Issuer,
        row: RevocationList,
        newer: tuple[BinaryIO, ReadList],
        older: tuple[BinaryIO, ReadList],
    ) -> None:
        at = this_update(older[1])
        proof = Continuity(self.authorities, self.trail)
        entries = [entries_of(parsed, file) for file, parsed in (older, newer)]
        lost = []
        with self.store.read() as tx:
            for change in changes(entries[0], map(b"".join, entries[1].pages())):
                kept = {serial_of(one) for one in change.new}
                for serial in {serial_of(one) for one in change.gone} - kept:
                    end = proof.end_of(tx, issuer, serial_hex(serial))
                    if end is None or end >= at:
                        lost.append(serial_hex(serial))
            if lost and not self._released(tx, row):
                raise vanished(sorted(lost), f"list {crl_number(older[1])}, which is served, holds")

    def _released(self, tx: Transaction, row: RevocationList) -> bool:
        """Say whether two people let the list be shorter than the one before it."""
        stated, directory = self._proven(row), self.authorities.directory
        if stated is None or row.override is None:
            return False
        try:
            ids = [str(one) for one in json.loads(row.override)]
            first = tx.get(Statement, ids[0])
            reason = kept_statement(first).signed.field("reason") if first is not None else ""
            expected = release_decisions(row, stated.previous, reason)
            names = {
                directory.verify_kept(tx, one, decision)
                for one, decision in zip(ids, expected, strict=True)
            }
        except (HpkiError, LookupError, TypeError, ValueError):
            return False
        return len(names) == len(expected)

    def _note(self, way: Delivery, error: HpkiError | None) -> None:
        now = whole_seconds(self.clock())
        with self.store.begin() as tx:
            stored = tx.get(Delivery, (way.list_id, way.target)) or way
            if error is None:
                stored.done_at, stored.next_try_at, stored.error = now, None, None
            else:
                stored.attempts += 1
                stored.done_at, stored.error = None, f"{error.code}: {error.text}"
                stored.next_try_at = now + self._pause(stored.attempts)
            tx.add(stored)

    def _pause(self, attempts: int) -> timedelta:
        first = float(self.parameters.value("CRL_RETRY_MIN"))
        longest = float(self.parameters.value("CRL_RETRY_MAX_MIN"))
        return timedelta(minutes=min(first * 2 ** min(attempts - 1, 20), longest))

    def _complete(self, row: RevocationList, issuer: Issuer, actor: str) -> RevocationList:
        """Mark the list as published once it stands on every target."""
        with self.store.begin() as tx:
            stored = tx.get_one(RevocationList, row.id)
            ways = records.deliveries(tx, stored.id or 0)
            done = [way.done_at for name in self.targets if (way := ways.get(name.name))]
            if len(done) < len(self.targets) or None in done:
                return stored
            if stored.state is ListState.PUBLISHED:
                return stored
            before = records.latest(tx, stored.series, published=True)
            stored.state = ListState.PUBLISHED
            stored.published_at = whole_seconds(self.clock())
            ca_records.mark_published(
                tx,
                stored.series,
                _position(tx, before),
                _position(tx, stored),
                stored.number,
                stored.published_at,
            )
            self.trail.append(tx, list_event("CRL.PUBLISH", stored, actor))
            return stored


def _position(tx: Transaction, row: RevocationList | None) -> int:
    """Return the trail position that the list covers, as the trail says, 0 where it says none."""
    with suppress(Refused):
        return 0 if row is None else issued(tx, row).high_water_seq
    return 0


def _older(number: int, served: int) -> Refused:
    return Refused(
        "crl.publish.older", f"list {number} is not newer than {served}, which is served", _AGAIN
    )


def _waiting(way: Delivery, until: datetime) -> Unavailable:
    return Unavailable(
        "crl.publish.waiting",
        f"{way.target} failed and is tried again at {rfc3339(until)}: {way.error}",
        "Mend that; `hpki crl due --at-once` does not wait.",
    )
