"""Lists inspected one after the other: fetched, verified, judged, and remembered."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import timedelta

from cryptography import x509

from crl.monitoring.fetching import fetched
from crl.monitoring.judging import Expected, Remark, judge, refusal
from crl.monitoring.observation import Observation, observe
from crl.monitoring.seen import Memory
from crl.monitoring.watch import Watch
from pki.errors import HpkiError, NotFound, Unavailable
from pki.findings import Severity
from pki.validity import Clock


@dataclass(frozen=True)
class Inspected:
    """What came of one place; ``found`` is None for a list that is not there or not sound."""

    place: str
    reached: bool
    found: Observation | None
    remarks: tuple[Remark, ...]

    @property
    def severity(self) -> Severity | None:
        """The worst of the remarks, None without any."""
        found = {one.severity for one in self.remarks}
        return next((one for one in Severity if one in found), None)


@dataclass(frozen=True)
class Inspection:
    """Looks at lists; ``watch`` is None without a site, then ``overlap`` is what must be left.

    Each answer may take ``seconds``.
    """

    certificates: Sequence[x509.Certificate]
    memory: Memory
    watch: Watch | None
    clock: Clock
    overlap: timedelta
    seconds: float

    def look(self, place: str) -> Inspected:
        """Return what is to say of the list at a URL or path."""
        try:
            with fetched(place, self.seconds) as (file, media_type):
                found = observe(file, self.certificates, media_type)
        except HpkiError as error:
            reached = not isinstance(error, NotFound | Unavailable)
            return Inspected(place, reached, None, (refusal(error),))
        before = self.memory.places.get(place)
        expected = Expected(self.overlap)
        if self.watch is not None:
            expected = self.watch.expected(found, before)
        remarks = judge(found, expected, before, self.clock())
        if expected.ours is not False and not any(one.code in _UNSURE for one in remarks):
            self.memory.remember(place, found)
        return Inspected(place, True, found, remarks)


_UNSURE = ("crl.check.early", "crl.check.number")
"""A list so judged may be wrong in its number too, and is not remembered."""
