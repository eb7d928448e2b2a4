"""Reasons on a revocation list. Source: RFC 5280 section 5.3.1."""

from __future__ import annotations

from datetime import datetime
from enum import IntEnum

from pki import der

_REASON_CODE = der.object_identifier("2.5.29.21")


class Reason(IntEnum):
    """The codes this centre may use; there is no hold, and 0 is left out instead of encoded."""

    KEY_COMPROMISE = 1
    CA_COMPROMISE = 2
    AFFILIATION_CHANGED = 3
    SUPERSEDED = 4
    CESSATION_OF_OPERATION = 5
    PRIVILEGE_WITHDRAWN = 9


def entry_der(serial: int, revoked_at: datetime, reason: Reason | None) -> bytes:
    """Return one element of revokedCertificates, reasonCode non-critical where there is one."""
    parts = [der.integer(serial), der.time(revoked_at)]
    if reason is not None:
        value = der.tlv(0x04, der.tlv(0x0A, bytes((reason,))))
        parts.append(der.sequence(der.sequence(_REASON_CODE, value)))
    return der.sequence(*parts)
