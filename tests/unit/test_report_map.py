from __future__ import annotations

from decimal import Decimal

import pytest

from reports.board.places import prefectures
from reports.tiles import NO_VALUE, PLACES, SPANS, colour_classes, colours


def test_every_prefecture_has_one_place_and_no_two_tiles_overlap() -> None:
    assert set(PLACES) == {p.code for p in prefectures()}
    boxes = [(x, y, SPANS.get(code, 1)) for code, (x, y) in PLACES.items()]
    for i, (x, y, size) in enumerate(boxes):
        for other_x, other_y, other_size in boxes[i + 1 :]:
            apart_x = x + size <= other_x or other_x + other_size <= x
            apart_y = y + size <= other_y or other_y + other_size <= y
            assert apart_x or apart_y


@pytest.mark.parametrize(
    ("north", "south"),
    [("01", "02"), ("02", "03"), ("04", "07"), ("11", "13"), ("29", "30"), ("40", "46")],
)
def test_north_is_up(north: str, south: str) -> None:
    assert PLACES[north][1] < PLACES[south][1]


@pytest.mark.parametrize(("west", "east"), [("42", "44"), ("35", "28"), ("27", "13"), ("05", "03")])
def test_east_is_right(west: str, east: str) -> None:
    assert PLACES[west][0] < PLACES[east][0]


def test_classes_hold_every_value_once_in_order() -> None:
    values = [Decimal(n) for n in (0, 0, 1, 1, 1, 2, 3, 5, 8, 13, 21)]
    classes = colour_classes(values)
    assert sum(c.prefectures for c in classes) == len(values)
    assert (int(classes[0].high), classes[0].prefectures) == (0, 2)
    assert all(a.high < b.low for a, b in zip(classes, classes[1:], strict=False))
    assert all(colours(classes, value) != NO_VALUE for value in values)


def test_equal_values_share_one_class_and_none_has_its_own_colour() -> None:
    classes = colour_classes([Decimal(4)] * 47)
    assert [(int(c.low), int(c.high), c.prefectures) for c in classes] == [(4, 4, 47)]
    assert colours(classes, None) == NO_VALUE


def test_scale_darkens_and_its_ink_stands_out() -> None:
    classes = colour_classes([Decimal(n) for n in range(6)])
    light = [_luminance(c.fill) for c in classes]
    assert len(classes) == 6
    assert light == sorted(light, reverse=True)
    for c in classes:
        pair = sorted((_luminance(c.fill), _luminance(c.ink)))
        assert (pair[1] + 0.05) / (pair[0] + 0.05) >= 4.5


def _luminance(colour: str) -> float:
    """Relative luminance, WCAG 2.2."""
    parts = [int(colour[i : i + 2], 16) / 255 for i in (1, 3, 5)]
    linear = [p / 12.92 if p <= 0.04045 else ((p + 0.055) / 1.055) ** 2.4 for p in parts]
    return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]
