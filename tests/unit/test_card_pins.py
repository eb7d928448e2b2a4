"""PINs are drawn evenly from the octets given."""

from __future__ import annotations

from collections.abc import Callable

from card_personalization.pins import random_pin


def octets(*values: int) -> Callable[[int], bytes]:
    left = iter(values)
    return lambda count: bytes(next(left) for _ in range(count))


def test_octets_that_would_favour_small_digits_are_drawn_again() -> None:
    """0 to 249 hold each digit 25 times; 250 to 255 would give 0 to 5 once more."""
    assert random_pin(octets(250, 0, 255, 249, 251, 10, 19, 252, 123, 7, 100, 248), 8) == "09093708"


def test_every_octet_that_counts_gives_its_last_digit() -> None:
    drawn = "".join(random_pin(octets(*range(start, start + 8)), 8) for start in range(0, 248, 8))
    assert len(drawn) == 248
    assert {digit: drawn.count(digit) for digit in "01234567"} == dict.fromkeys("01234567", 25)
