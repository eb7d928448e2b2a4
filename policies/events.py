"""The catalogue of events: every code that an entry of the trail may bear."""

from __future__ import annotations

from collections.abc import Mapping
from difflib import get_close_matches
from functools import cache
from types import MappingProxyType

from pki.errors import InvalidInput
from policies.schema import Firm, Strict, Words, load_toml, policy_data


class EventCode(Strict):
    """One kind of event; ``firm`` says how sure it is that such events must be logged at all."""

    group: Words
    code: Words
    japanese: Words
    english: Words
    source: Words
    firm: Firm


class _Row(Strict):
    code: Words
    japanese: Words
    english: Words


class _Group(Strict):
    name: Words
    source: Words
    firm: Firm
    event: tuple[_Row, ...]


class _Table(Strict):
    group: tuple[_Group, ...]


@cache
def known_codes() -> Mapping[str, EventCode]:
    """Return every event by its code, in the catalogue's order."""
    table = load_toml(_Table, policy_data("events.toml"), "events.toml", "policies.events")
    return MappingProxyType(
        {
            row.code: EventCode(
                group=group.name,
                code=row.code,
                japanese=row.japanese,
                english=row.english,
                source=group.source,
                firm=group.firm,
            )
            for group in table.group
            for row in group.event
        }
    )


def find_codes(pattern: str) -> tuple[str, ...]:
    """Return the codes meant: one as it stands (``APP.DECIDE``), or all that begin so (``APP.``).

    Raises ``InvalidInput`` (``policies.event.unknown``) with near matches for anything else.
    """
    codes = known_codes()
    prefix = pattern.endswith(".")
    found = tuple(
        code for code in codes if code == pattern or (prefix and code.startswith(pattern))
    )
    if found:
        return found
    beginnings = dict.fromkeys(code.partition(".")[0] + "." for code in codes if "." in code)
    near = get_close_matches(pattern.upper(), [*codes, *beginnings], n=5)
    raise InvalidInput(
        "policies.event.unknown",
        f"there is no event {pattern!r}",
        f"Near it: {', '.join(near)}" if near else f"All begin with {', '.join(beginnings)}",
    )
