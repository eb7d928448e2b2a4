"""The site's CAs: how their keys were made, and what is published of them."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import sqlalchemy as sa
from sqlmodel import col

from audit.canonical import digest
from ca.authorities import Authorities
from ca.issuers import own_certificate
from ca.records import Ceremony, revocation_of
from crl.records import Delivery
from crl.repository.certificates import fingerprints
from crl.repository.contents import FINGERPRINTS
from crl.repository.records import ServedFile, served_files
from pki.errors import HpkiError
from policies.controls import AuditKind
from reports.compliance.engine import Judge, Ledger
from reports.compliance.run import Run
from reports.compliance.signers import Signer, signers
from reports.tables import Text


@dataclass(frozen=True)
class AuthorityRow:
    """A CA that has its certificate; ``is_active``: neither expired nor revoked."""

    signer: Signer
    is_active: bool

    @property
    def name(self) -> str:
        """``CA sign``."""
        return f"CA {self.signer.row.id}"

    @property
    def kinds(self) -> frozenset[AuditKind]:
        """By what its keys are for; a root in both."""
        return self.signer.kinds


def rows(run: Run) -> Iterator[AuthorityRow]:
    """Yield every CA that has a certificate."""
    for signer in signers(run).values():
        row = own_certificate(run.tx, signer.row)
        revoked = revocation_of(run.tx, row.id or 0) if row is not None else None
        is_revoked = revoked is not None and revoked.seq <= run.moment.head.seq
        expired = signer.certificate.not_valid_after_utc < run.moment.at
        yield AuthorityRow(signer, not (is_revoked or expired))


def count(run: Run) -> int:
    """Return how many CAs have a certificate."""
    return len(signers(run))


def targets(run: Run) -> set[str]:
    """Return every target that was ever served, with a list or a file."""
    found = run.tx.execute(sa.select(col(Delivery.target)).distinct()).scalars()
    return {*found, *(one.target for one in served_files(run.tx))}


def served(run: Run) -> dict[tuple[str, str], ServedFile]:
    """Return the files that stood on targets at the moment, by target and name."""
    return {
        (one.target, one.file_name): one
        for one in served_files(run.tx)
        if one.since < run.moment.at
    }


def _ceremony(run: Run) -> Judge[AuthorityRow]:
    """HC-6.1-01: the CA is what its ceremony's file says, which those present signed."""
    authorities = Authorities(run.directory, run.profiles)

    def judge(one: AuthorityRow) -> Sequence[Text]:
        facts = []
        ceremony = run.tx.get(Ceremony, one.signer.row.ceremony_id)
        if ceremony is None or ceremony.ended_at is None:
            facts.append(Text("鍵生成式が終わっていない", "comes from no ceremony that ended"))
        try:
            authorities.verify(run.tx, one.signer.row)
        except HpkiError as error:
            facts.append(Text(f"鍵生成式と異なる: {error.code}", f"is not proven: {error.text}"))
        return facts

    return judge


def _published(run: Run) -> Judge[AuthorityRow]:
    """HC-2.2-02: certificate and fingerprints stand on every target, as we brought them."""
    wanted, found = sorted(targets(run)), served(run)
    every = [(f"{one.row.id}.cer", one.certificate) for one in signers(run).values()]
    prints = digest(fingerprints(every))

    def judge(one: AuthorityRow) -> Sequence[Text] | None:
        if not one.is_active:
            return None
        if not wanted:
            return (Text("どこにも公開していない", "is published nowhere"),)
        files = {f"{one.signer.row.id}.cer": digest(one.signer.row.certificate_der or b"")}
        files[FINGERPRINTS] = prints
        return [
            Text(f"{target}に{name}がない", f"is without {name} on {target}")
            for target in wanted
            for name, sha256 in files.items()
            if (target, name) not in found or found[target, name].sha256 != sha256
        ]

    return judge


LEDGER = Ledger("authorities", rows, count, {"HC-2.2-02": _published, "HC-6.1-01": _ceremony})
