"""Which lists are due: by their interval, by a revocation, or because one is served no more."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta

from ca import records as ca_records
from ca.issuers import issuer_certificate
from ca.records import Issuer, Series
from crl import records
from crl.continuity import Continuity
from crl.lists import Lists
from crl.moments import DRIFT, list_time
from crl.publication import Publication
from crl.records import RevocationList
from crl.stated import issued
from pki.errors import HpkiError, Refused, Unavailable
from pki.validity import Clock
from store.database import Store, Transaction


@dataclass(frozen=True)
class Done:
    """What one run did: lists now public, and what failed."""

    published: list[RevocationList]
    failures: list[HpkiError]


@dataclass(frozen=True)
class Rhythm:
    """Makes and publishes what is due, and only that."""

    store: Store
    lists: Lists
    publication: Publication
    clock: Clock

    def due(self, actor: str, *, at_once: bool = False) -> Done:
        """Make the lists that are due and bring the newest ones to every target.

        A CA or a target that fails holds up no other. Lists made ahead appear at their time.
        ``at_once``: targets that failed are tried whatever their pause.
        """
        done = Done([], [])
        with self.lists.archive.lock():
            for issuer, series in self._every(done):
                try:
                    self._one(issuer, series, actor, done, at_once=at_once)
                except HpkiError as error:
                    done.failures.append(error)
        return done

    def _every(self, done: Done) -> list[tuple[Issuer, Series]]:
        """Return the series of every CA; one that had lists and no certificate is a failure."""
        found = []
        with self.store.read() as tx:
            for issuer in ca_records.issuers(tx):
                try:
                    if issuer.certificate_der is not None:
                        found += [(issuer, one) for one in self.lists.all_series(tx, issuer)]
                    elif records.highest_number(tx, issuer.id):
                        issuer_certificate(issuer)
                except HpkiError as error:
                    done.failures.append(error)
        return found

    def _one(
        self, issuer: Issuer, series: Series, actor: str, done: Done, *, at_once: bool
    ) -> None:
        try:
            with self.store.read() as tx:
                issuer = self.lists.authorities.find(tx, issuer.id)
                wanted = self.is_due(tx, issuer, series)
            if not (wanted or self._is_ahead(issuer, series) or self._is_lost(issuer, series)):
                return
            if issuer.key_label in self.lists.keys.labels():
                self.lists.make(issuer, series, actor)
            else:
                self._verify_in_force(series)
        finally:
            self._bring(issuer, series, actor, done, at_once=at_once)

    def is_due(self, tx: Transaction, issuer: Issuer, series: Series) -> bool:
        """Say whether a new list must be made now, as the trail says and not the rows."""
        rhythm = self.lists.profiles.crl(issuer.crl_profile).rhythm
        now = self.clock()
        newest, published = self._in_force(tx, series), records.latest(tx, series, published=True)
        if newest is None or published is not None and published.number > newest.number:
            return True
        try:
            said = issued(tx, newest)
        except Refused:
            return True
        return (
            said.this_update <= now - timedelta(hours=rhythm.interval_hours)
            or said.next_update <= now + timedelta(hours=rhythm.overlap_hours)
            or said.this_update > now + DRIFT
            or self._is_revoked_since(tx, series, said.high_water_seq)
        )

    def _is_revoked_since(self, tx: Transaction, series: Series, position: int) -> bool:
        """Say whether a revocation of the series was executed behind the trail position."""
        proof = Continuity(self.lists.authorities, self.lists.trail)
        told = next(proof.executed(series, position), None) is not None
        return told or ca_records.newest_entry(tx, series) > position

    def _in_force(self, tx: Transaction, series: Series) -> RevocationList | None:
        """Return the newest list whose time has come; raises ``Unavailable`` as ``list_time``."""
        return records.latest(tx, series, by=list_time(tx, self.lists.trail, series))

    def _is_ahead(self, issuer: Issuer, series: Series) -> bool:
        """Say whether a target serves a list that the store does not know: it was set back."""
        with self.store.read() as tx:
            newest = records.latest(tx, series)
        known = newest.number if newest is not None else 0
        with self.publication.served(issuer, series, known) as unknown:
            return unknown is not None

    def _is_lost(self, issuer: Issuer, series: Series) -> bool:
        """Say whether the list in force is neither served nor whole in the archive."""
        with self.store.read() as tx:
            newest = self._in_force(tx, series)
        if newest is None or self.publication.stands(newest, issuer):
            return False
        return not self.lists.archive.holds(newest)

    def _verify_in_force(self, series: Series) -> None:
        """Raise ``Unavailable`` where a list is needed at once from a key that is not here."""
        with self.store.read() as tx:
            newest = self._in_force(tx, series)
            said = issued(tx, newest) if newest is not None else None
            revoked = said is not None and self._is_revoked_since(tx, series, said.high_water_seq)
        if newest is None or said is None or said.next_update <= self.clock():
            why = f"no list {series} is in force"
        elif revoked:
            why = f"a revocation stands on no list {series}"
        elif not self.lists.archive.holds(newest):
            why = f"the file of list {newest.number}, {series}, is lost"
        else:
            return
        raise Unavailable(
            "crl.key.elsewhere",
            f"{why}, and the CA's key is not on this machine",
            "Make lists where the key is, and bring them here: `hpki crl import FILE…`.",
        )

    def _bring(
        self, issuer: Issuer, series: Series, actor: str, done: Done, *, at_once: bool
    ) -> None:
        with self.store.read() as tx:
            newest = self._in_force(tx, series)
        if newest is None or self.publication.stands(newest, issuer) and newest.published_at:
            return
        if self._is_ahead(issuer, series):
            return  # why no newer one could be made is said already
        row, failures = self.publication.publish(newest, actor, at_once=at_once)
        done.failures.extend(failures)
        if row.published_at is not None and not failures:
            done.published.append(row)
