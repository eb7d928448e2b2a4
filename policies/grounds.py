"""Grounds of revocation and the reason each puts on a list."""

from __future__ import annotations

from functools import cache
from typing import Literal

from pki.errors import InvalidInput
from pki.reasons import Reason
from policies.schema import Strict, load_toml, policy_data


class Ground(Strict):
    """One ground: who may ask, what proves it, hours allowed, reason by RFC 5280.

    ``emergency``: one person may act at once on a call, since waiting would let the key be used.
    ``new_attempt``: what the station has not finished may be made anew, on another carrier.
    """

    code: str
    japanese: str
    english: str
    asked_by: str
    evidence: str
    limit_hours: int
    rfc5280: Reason | None = None
    emergency: bool = False
    new_attempt: bool = False


class _Grounds(Strict):
    observed: Reason
    ground: tuple[Ground, ...]
    ca_ground: tuple[Ground, ...]


@cache
def _table() -> _Grounds:
    return load_toml(_Grounds, policy_data("grounds.toml"), "grounds.toml", "policies.grounds")


def grounds() -> tuple[Ground, ...]:
    """Return every ground, in the table's order."""
    return _table().ground


def ca_grounds() -> tuple[Ground, ...]:
    """Return every ground on which a CA's certificate is revoked."""
    return _table().ca_ground


def ground(code: str) -> Ground:
    """Return the ground of that code; raises ``InvalidInput`` with the known ones as a hint."""
    return _found(code, grounds())


def ca_ground(code: str) -> Ground:
    """Return that ground of a CA's revocation; raises as ``ground``."""
    return _found(code, ca_grounds())


def _found(code: str, known: tuple[Ground, ...]) -> Ground:
    for entry in known:
        if entry.code == code:
            return entry
    raise InvalidInput(
        "policies.ground.unknown",
        f"there is no ground of revocation {code!r}",
        f"Known: {', '.join(entry.code for entry in known)}.",
    )


def reason_on_list(entry: Ground, table: Literal["observed", "rfc5280"]) -> Reason | None:
    """Return the reasonCode for the ground by the CA's table; None leaves the extension out."""
    return _table().observed if table == "observed" else entry.rfc5280
