"""What was seen at each place the last time, in a small file: a list must not go backwards."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass, field, fields
from datetime import datetime
from pathlib import Path

from crl.monitoring.observation import Observation
from pki.errors import InvalidInput, Unavailable
from pki.validity import rfc3339
from store.files import write_whole

MOST_PLACES = 1000
_MAX_OCTETS = 1 << 20
_TYPE = "hpki-crl-seen"
_RFC3339 = "%Y-%m-%dT%H:%M:%SZ"


@dataclass(frozen=True)
class Seen:
    """The list with the highest number that was seen at a place.

    ``this_update`` as RFC 3339 text; ``entries_before``, ``before_update``: of the list that was
    seen there before it.
    """

    number: int
    sha256: str
    this_update: str
    entries: int
    entries_before: int
    before_update: str

    def after(self, found: Observation) -> Seen:
        """Return what is to be remembered once this list was seen too."""
        if found.number is None or found.number <= self.number:
            return self
        return _seen(found, found.number, self.entries, self.this_update)


def first_seen(found: Observation) -> Seen | None:
    """Return what is to be remembered of a place that was never looked at."""
    if found.number is None:
        return None
    return _seen(found, found.number, found.entries, rfc3339(found.this_update))


def _seen(found: Observation, number: int, entries: int, update: str) -> Seen:
    at = rfc3339(found.this_update)
    return Seen(number, found.sha256, at, found.entries, entries, update)


@dataclass
class Memory:
    """The file with what was seen, by URL or path; at most 1000 places, the newest kept."""

    path: Path | None
    places: dict[str, Seen] = field(default_factory=dict)

    def remember(self, place: str, found: Observation) -> None:
        """Note a verified list."""
        before = self.places.pop(place, None)
        now = first_seen(found) if before is None else before.after(found)
        if now is not None:
            self.places[place] = now

    def keep(self) -> None:
        """Write the file (0600) whole or not at all; raises ``Unavailable``."""
        if self.path is None:
            return
        kept = list(self.places.items())[-MOST_PLACES:]
        tree = {"type": _TYPE, "places": {place: asdict(one) for place, one in kept}}
        try:
            write_whole(self.path, json.dumps(tree, indent=1).encode())
        except OSError as error:
            raise _unavailable(self.path, error) from None


def load_memory(path: Path | None) -> Memory:
    """Return what the file remembers, nothing where there is none yet.

    Raises ``InvalidInput`` for a file that is none of these, ``Unavailable``.
    """
    if path is None:
        return Memory(None)
    try:
        with path.open("rb") as file:
            octets = file.read(_MAX_OCTETS + 1)
    except FileNotFoundError:
        return Memory(path)
    except OSError as error:
        raise _unavailable(path, error) from None
    try:
        tree = json.loads(octets)
        if len(octets) > _MAX_OCTETS or tree["type"] != _TYPE:
            raise ValueError
        return Memory(path, {place: _read(one) for place, one in tree["places"].items()})
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError):
        raise InvalidInput(
            "crl.check.seen",
            f"{path} does not hold what was seen before",
            "Remove it: the next check begins anew, and cannot tell whether a list went back.",
        ) from None


def _read(tree: dict[str, object]) -> Seen:
    one = Seen(**tree)  # type: ignore[arg-type]  # looked at next
    for wanted in fields(Seen):
        kind = int if wanted.type == "int" else str
        if type(getattr(one, wanted.name)) is not kind:
            raise ValueError
    for moment in (one.this_update, one.before_update):
        datetime.strptime(moment, _RFC3339)  # noqa: DTZ007 - its form alone is looked at
    return one


def _unavailable(path: Path, error: OSError) -> Unavailable:
    return Unavailable(
        "crl.check.seen_file",
        f"{path} cannot be read or written: {error.strerror}",
        "Make room or mend the folder, or name another file with --seen.",
    )
