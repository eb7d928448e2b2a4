"""Exports, reviews and reports of the trail, as commands need them."""

from __future__ import annotations

import re
from datetime import date, datetime, timedelta
from pathlib import Path

from cryptography.hazmat.primitives.asymmetric import ec

from audit.canonical import canonical_json, digest
from cli.output import say, write_output
from cli.progress import bars
from cli.transcripts import imprint
from cli.wiring import ANCHOR_LABEL, Services, now
from operators.evidence.review import Found, Review, state_review
from operators.evidence.store import verify_statements
from operators.statements import Signer
from pki.errors import Conflict, InvalidInput, Refused
from pki.validity import japan_date, start_of_day
from reports.reconciliation import check_rows
from reports.trail import (
    TrailReport,
    entries_by_code,
    first_and_last,
    review_overdue,
    trail_csv,
    trail_html,
    trail_json,
    trail_report,
)

FORMATS = {"html": trail_html, "json": trail_json, "csv": trail_csv}


def anchor_key(services: Services) -> ec.EllipticCurvePrivateKey:
    """Open the key that signs anchors."""
    key = services.anchor_keys.open(ANCHOR_LABEL)
    if not isinstance(key, ec.EllipticCurvePrivateKey):
        raise InvalidInput("cli.anchor.key", "the anchor key is not P-256")
    return key


def prove_statements(services: Services) -> int:
    """Prove the register and every statement of the store, and return how many there are."""
    with bars() as shown:
        task = shown.start("statements", 0)
        proof = verify_statements(
            services.directory, lambda done, total: shown.reach(task, done, total)
        )
    return proof.statements


def warn_if_unreviewed(services: Services) -> None:
    """Warn when the last review of the trail is longer ago than LOG_REVIEW_DAYS."""
    with services.store.read() as tx:
        gap = review_overdue(tx, now(), services.parameters)
    if gap is not None:
        limit = services.parameters.value("LOG_REVIEW_DAYS")
        say(
            f"warning: the trail was not reviewed for {gap.days} days (limit {limit}); "
            "the log reviewer does it with `hpki audit review`",
            "yellow",
        )


def find_faults(services: Services) -> list[Found]:
    """Return what the verification of trail, statements and anchors has to say: at most three."""
    found = []
    for verify in (_verify_trail, prove_statements, _verify_anchors):
        try:
            verify(services)
        except (Refused, Conflict, InvalidInput) as error:
            where = re.search(r"\bentry ([0-9]{1,15})\b", error.text)
            seq = int(where[1]) if where else 0
            found.append(Found(error.code, "ERROR", seq, error.text))
    return found


def make_review(services: Services, period: str, note: str) -> Review:
    """Return the review of a month, 2026-10: all verifications, and rows against the trail."""
    first_day, last_day = month_of(period)
    found = find_faults(services)
    start, end = start_of_day(first_day), start_of_day(last_day + timedelta(days=1))
    with services.store.read() as tx:
        site_id, _ = services.trail.site(tx)
        head = services.trail.head(tx)
        first, last = first_and_last(tx, start, end)
        counts = {f"{one.code} {one.outcome}": one.count for one in entries_by_code(tx, start, end)}
        found += [
            Found(one.code, str(one.severity), one.seq, one.what)
            for one in check_rows(tx, services.lists.archive)
        ]
    return Review(site_id, period, first, last, head, counts, found, note)


def keep_review(services: Services, review: Review, signer: Signer) -> Path:
    """Sign and enter the review; the record and the note stand in a new file of ``reports/``."""
    octets = canonical_json({"record": review.record().decode(), "note": review.note})
    folder = services.site.path("reports")
    number = 1
    path = folder / f"review-{review.period}.json"
    while path.exists():
        number += 1
        path = folder / f"review-{review.period}-{number}.json"
    with services.store.begin() as tx:
        state_review(services.directory, tx, review, signer)
        write_output(path, octets)
    return path


def make_report(services: Services, since: date, until: date) -> TrailReport:
    """Return the report on the trail for days in Japan, both included."""
    verdict = "; ".join(f"{one.code}: {one.what}" for one in find_faults(services))
    with services.store.read() as tx:
        return trail_report(tx, (since, until), now(), services.parameters, verdict)


def write_report(services: Services, report: TrailReport, form: str, out: Path) -> None:
    """Write the report as html, json or csv."""
    write_output(out, FORMATS[form](report, imprint(services)))


def last_month() -> str:
    """Return the month before this one in Japan, as 2026-10."""
    return f"{japan_date(now()).replace(day=1) - timedelta(days=1):%Y-%m}"


def month_of(text: str) -> tuple[date, date]:
    """Return the first and last day of a month that has begun."""
    try:
        if not re.fullmatch("[12][0-9]{3}-[0-9]{2}", text):
            raise ValueError
        first = date.fromisoformat(f"{text}-01")
    except ValueError:
        raise InvalidInput(
            "cli.audit.month", f"{text!r} is no month", "Write it as 2026-10."
        ) from None
    if first > japan_date(now()):
        raise InvalidInput("cli.audit.month", f"{text} has not begun yet")
    following = (first + timedelta(days=31)).replace(day=1)
    return first, following - timedelta(days=1)


def day_of(moment: datetime | None, otherwise: date) -> date:
    """Return the day that was given, else the other."""
    return moment.date() if moment is not None else otherwise


def review_rows(review: Review) -> list[dict[str, object]]:
    """Return what was found, for a table."""
    return [
        {"severity": one.severity, "code": one.code, "seq": one.seq or None, "text": one.what}
        for one in review.found
    ]


def review_summary(review: Review, path: Path | None) -> dict[str, object]:
    """Return the review in short."""
    return {
        "period": review.period,
        "decision": review.decision,
        "entries": sum(review.counts.values()),
        "found": review.found_by_code(),
        "record_sha256": digest(review.record()),
        "output": str(path) if path else None,
    }


def _verify_trail(services: Services) -> None:
    with services.store.read() as tx:
        heads = [one.head for one in services.anchors.all(tx)]
    with bars() as shown:
        task = shown.start("entries", 0)
        services.trail.verify(heads, lambda done, total: shown.reach(task, done, total))


def _verify_anchors(services: Services) -> None:
    services.anchors.verify_all(services.anchor_public_keys())
