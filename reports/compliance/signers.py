"""The site's CAs as what they signed is judged by them."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from functools import cached_property

import sqlalchemy as sa
from cryptography import x509
from sqlmodel import col

from audit.records import TrailEntry
from ca.issuers import issuer_certificate, signing_hash
from ca.records import Issuer, issuers
from pki.errors import InvalidInput
from pki.reading.certificate import Certificate, read_certificate
from pki.signing import HashName, IssuerPublicKey
from pki.validity import end_after_years, japan_date
from policies.controls import AuditKind
from policies.profiles import CrlProfile
from reports.compliance.run import Run, kinds_of


@dataclass
class Signer:
    """A CA that has its certificate; ``key_since``: when its key was made."""

    row: Issuer
    kinds: frozenset[AuditKind]
    hash_name: HashName
    lists: CrlProfile
    key_since: datetime | None
    key_years: int

    @cached_property
    def read(self) -> Certificate:
        """Its own certificate as it is encoded; raises ``InvalidInput``."""
        return read_certificate(self.row.certificate_der or b"")

    @cached_property
    def certificate(self) -> x509.Certificate:
        """Its own certificate; raises ``ValueError``."""
        return issuer_certificate(self.row)

    @cached_property
    def public_key(self) -> IssuerPublicKey:
        """Its key; raises ``ValueError``."""
        return self.certificate.public_key()  # type: ignore[return-value]  # RSA or EC verifies

    @cached_property
    def signs_until(self) -> datetime:
        """The end of the time in which its key may sign certificates."""
        since = self.key_since or self.read.not_before.moment
        if since is None:
            raise InvalidInput("reports.ca", f"the certificate of {self.row.id} has no notBefore")
        return end_after_years(japan_date(since), self.key_years)


def signers(run: Run) -> dict[str, Signer]:
    """Return the CAs that have a certificate, by id."""
    years = int(run.number("CA_KEY_USE_YEARS"))
    return {
        one.id: Signer(
            one,
            kinds_of(one.purpose),
            signing_hash(one, run.profiles),
            run.profiles.crl(one.crl_profile),
            _made(run, one),
            years,
        )
        for one in issuers(run.tx)
        if one.certificate_der is not None
    }


def _made(run: Run, issuer: Issuer) -> datetime | None:
    """Return when the trail says that the CA's key was made."""
    query = sa.select(sa.func.min(col(TrailEntry.at))).where(
        col(TrailEntry.code) == "KEY.GENERATE",
        col(TrailEntry.outcome) == "OK",
        col(TrailEntry.object_id) == issuer.key_label,
    )
    found: datetime | None = run.tx.execute(query).scalar()
    return found
