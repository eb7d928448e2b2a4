"""Lists made public after a revocation."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ca.records import revocation_of
from cli.output import say, show_error
from pki.errors import HpkiError, Unavailable

if TYPE_CHECKING:
    from ca.records import Certificate
    from cli.wiring import Services


def publish_revoked(services: Services, operator: str, certificates: list[Certificate]) -> None:
    """Publish what is due; the revocations stand even if that fails.

    A failure that is of other lists is shown, and raised only where a revocation is not public.
    """
    failures: list[HpkiError] = []
    try:
        done = services.publish_due(operator)
        failures = done.failures
        for row in done.published:
            say(f"list {row.series} number {row.number} published")
    except HpkiError as error:
        failures = [error]
    with services.store.read() as tx:
        found = [revocation_of(tx, one.id or 0) for one in certificates]
    if all(one is not None and one.published_at is not None for one in found):
        for failure in failures:
            show_error(failure)
        return
    why = f": {failures[0].code}: {failures[0].text}" if failures else ""
    raise Unavailable(
        "cli.revoke.unpublished",
        f"the revocation stands, but its list is not published{why}",
        "Mend that, then publish with `hpki crl due --at-once`; the timer repeats it too.",
    )
