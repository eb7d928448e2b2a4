"""The documents that relying parties read: approved, published in time, and one after another."""

from __future__ import annotations

from crl.repository.documents import verify_released
from crl.repository.records import DocumentKind, PublicDocument, documents
from pki.errors import HpkiError
from reports.compliance.authorities import served, targets
from reports.compliance.results import Outcome
from reports.compliance.run import Run
from reports.tables import Text

_PUBLIC = (DocumentKind.CP, DocumentKind.CPS, DocumentKind.TERMS)


def _name(row: PublicDocument) -> str:
    return f"document {row.name} {row.version}"


def _published(run: Run) -> Outcome:
    """HC-2.2-01: CP, CPS and terms in force in the period."""
    outcome, wanted, found = Outcome(), sorted(targets(run)), served(run)
    for row in documents(run.tx):
        ended = row.superseded_at is not None and row.superseded_at <= run.since
        if row.kind not in _PUBLIC or row.effective_at > run.moment.at or ended:
            continue
        facts = []
        at = row.published_at
        if at is None or at > row.effective_at:
            facts.append(Text("施行までに公開していない", "was not published when it took effect"))
        in_force = row.superseded_at is None or row.superseded_at > run.moment.at
        for target in wanted if in_force else ():
            file = found.get((target, row.file_name))
            if file is None or file.sha256 != row.sha256:
                facts.append(Text(f"{target}にない", f"is not served on {target} as approved"))
        outcome.judge(_name(row), facts)
    return outcome


def _approved(run: Run) -> Outcome:
    """HC-9.12-01: every version of CP and CPS that has taken effect."""
    outcome = Outcome()
    for row in documents(run.tx):
        if row.kind not in (DocumentKind.CP, DocumentKind.CPS):
            continue
        if row.effective_at > run.moment.at:
            continue
        facts = []
        if row.approved_at > row.effective_at:
            facts.append(Text("施行の後に承認された", "was approved after it took effect"))
        try:
            verify_released(run.directory, run.tx, row)
        except HpkiError as error:
            facts.append(Text(f"承認を検証できない: {error.code}", f"is unsound: {error.text}"))
        outcome.judge(_name(row), facts)
    return outcome


CHECKS = {"HC-2.2-01": _published, "HC-9.12-01": _approved}
"""The checks of this module."""
