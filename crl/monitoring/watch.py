"""What a site knows of its own lists, to judge by it what relying parties get."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta

from cryptography import x509

from ca import records as ca_records
from ca.authorities import Authorities
from ca.issuers import issuer_certificate
from ca.records import Issuer, Series
from crl import records
from crl.lists import Lists
from crl.monitoring.judging import Expected, Newest
from crl.monitoring.observation import Observation
from crl.monitoring.seen import Seen
from crl.naming import list_uri
from crl.records import RevocationList
from policies.parameters import Parameters
from store.database import Store, Transaction

_BACK = timedelta(days=7)
"""Entries whose certificates expired so long before the list last seen had left it already."""


@dataclass(frozen=True)
class Watch:
    """Says what to expect of a list; CRL_PUBLISH_MIN is what publishing may take."""

    store: Store
    authorities: Authorities
    lists: Lists
    parameters: Parameters

    def certificates(self) -> list[x509.Certificate]:
        """Return the certificates of the site's CAs, each proven by its ceremony."""
        with self.store.read() as tx:
            return [issuer_certificate(one) for one in self._issuers(tx)]

    def places(self) -> list[str]:
        """Return the URIs at which relying parties fetch the lists."""
        profiles = self.authorities.profiles
        with self.store.read() as tx:
            return [
                list_uri(one, profiles.crl(one.crl_profile), series)
                for one in self._issuers(tx)
                for series in self.lists.all_series(tx, one)
            ]

    def expected(self, found: Observation, before: Seen | None) -> Expected:
        """Return by what the list, verified as one of the site's CAs', is judged."""
        with self.store.read() as tx:
            row = records.list_by_sha256(tx, found.sha256)
            issuer = next(one for one in self._issuers(tx) if one.subject_der == found.issuer_der)
            rhythm = self.authorities.profiles.crl(issuer.crl_profile).rhythm
            return Expected(
                overlap=timedelta(hours=rhythm.overlap_hours),
                interval=timedelta(hours=rhythm.interval_hours),
                delay=timedelta(minutes=float(self.parameters.value("CRL_PUBLISH_MIN"))),
                ours=row is not None,
                newest=_newest(tx, row),
                ended=_ended(tx, row.series, before, found) if row is not None else None,
            )

    def _issuers(self, tx: Transaction) -> list[Issuer]:
        return [
            self.authorities.find(tx, one.id)
            for one in ca_records.issuers(tx)
            if one.certificate_der is not None
        ]


def _newest(tx: Transaction, row: RevocationList | None) -> Newest | None:
    newest = records.latest(tx, row.series, published=True) if row is not None else None
    if newest is None or newest.published_at is None:
        return None
    return Newest(newest.number, newest.published_at)


def _ended(tx: Transaction, series: Series, before: Seen | None, found: Observation) -> int:
    if before is None:
        return 0
    newer = found.number is not None and found.number > before.number
    since = datetime.fromisoformat(before.this_update if newer else before.before_update) - _BACK
    return ca_records.ended_entries(tx, series, since, found.this_update)
