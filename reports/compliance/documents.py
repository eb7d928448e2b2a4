"""The documents that relying parties read: approved, published in time, and one after another."""

from __future__ import annotations

from collections.abc import Collection, Mapping

from sqlmodel import col, select

from audit.records import TrailEntry
from crl.repository.documents import verify_released
from crl.repository.records import DocumentKind, PublicDocument, documents
from pki.errors import HpkiError
from pki.validity import whole_seconds
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
    _miss(outcome, run, _PUBLIC)
    return outcome


def _released(run: Run) -> Mapping[str, TrailEntry]:
    """Return what the trail tells of each document's release, by its file name."""
    query = select(TrailEntry).where(
        TrailEntry.code == "DOC.PUBLISH",
        TrailEntry.outcome == "OK",
        col(TrailEntry.seq) <= run.moment.head.seq,
    )
    return {one.object_id: one for one in run.tx.exec(query.order_by(col(TrailEntry.seq)))}


def _miss(outcome: Outcome, run: Run, kinds: Collection[str]) -> None:
    """Name the documents that were released and of which no row is left."""
    there = {row.file_name for row in documents(run.tx)}
    for name, entry in _released(run).items():
        detail = (entry.content() or {}).get("detail", {})
        if name not in there and detail.get("kind") in kinds:
            outcome.judge(f"document {name}", [Text("版がない", "was released and is not there")])


def _approved(run: Run) -> Outcome:
    """HC-9.12-01: every version of CP and CPS that has taken effect, none of them missing."""
    outcome, released = Outcome(), _released(run)
    kinds = (DocumentKind.CP, DocumentKind.CPS)
    for row in documents(run.tx):
        if row.kind not in kinds or row.effective_at > run.moment.at:
            continue
        facts = []
        entry = released.get(row.file_name)
        if entry is None:
            facts.append(Text("承認の記録がない", "no entry tells of its approval"))
        elif max(row.approved_at, whole_seconds(entry.at)) > row.effective_at:
            facts.append(Text("施行の後に承認された", "was approved after it took effect"))
        try:
            verify_released(run.directory, run.tx, row)
        except HpkiError as error:
            facts.append(Text(f"承認を検証できない: {error.code}", f"is unsound: {error.text}"))
        outcome.judge(_name(row), facts)
    _miss(outcome, run, kinds)
    return outcome


CHECKS = {"HC-2.2-01": _published, "HC-9.12-01": _approved}
"""The checks of this module."""
