"""What was found, as it may stand in a message: short, one line, no foreign control characters."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from pki.reading.values import printable

LONGEST = 80
MOMENT = "%Y-%m-%d %H:%M:%SZ"
"""Format of an aware UTC datetime."""


def shown(text: object, longest: int = LONGEST) -> str:
    """Return the text with everything but printable characters escaped, cut to ``longest``."""
    found = printable(str(text)[: longest + 1])
    return found if len(found) <= longest else found[: longest - 1] + "…"


def first_of(messages: Iterable[str], most: int = 5) -> Iterator[str]:
    """Yield the first messages, and how many more there are: nobody reads a thousand."""
    more = 0
    for count, message in enumerate(messages):
        if count < most:
            yield message
        else:
            more += 1
    if more:
        yield f"and {more} more like these"


def number(value: int) -> str:
    """Return a number of up to 64 bits in digits, a longer one in hexadecimal."""
    return str(value) if value.bit_length() <= 64 else hexadecimal(value)


def hexadecimal(value: int) -> str:
    """Return a number in hexadecimal, ``0x9a``; of one that is too long, its bits."""
    if value.bit_length() <= 4 * LONGEST:
        return shown(hex(value))
    return f"a number of {value.bit_length()} bits"


def octets(value: bytes) -> str:
    """Return the octets in hexadecimal, cut to 80 characters."""
    return shown(value[:LONGEST].hex())
