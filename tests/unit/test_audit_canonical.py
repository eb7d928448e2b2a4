"""Canonical JSON: RFC 8785's own examples, and what has no canonical form."""

from __future__ import annotations

import hashlib
import json
from enum import StrEnum
from typing import Any

import pytest
import rfc8785
from hypothesis import given, settings
from hypothesis import strategies as st

from audit.canonical import canonical_json, digest
from audit.chain import Head, parse_anchor
from pki.errors import InvalidInput

VALUES = st.recursive(
    st.booleans()
    | st.integers(-(2**53) + 1, 2**53 - 1)
    | st.text(st.characters(exclude_categories=["Cs"]), max_size=20),
    lambda inner: (
        st.lists(inner, max_size=4)
        | st.dictionaries(
            st.text(st.characters(exclude_categories=["Cs"]), max_size=8), inner, max_size=4
        )
    ),
    max_leaves=12,
)
OBJECTS = st.dictionaries(
    st.text(st.characters(exclude_categories=["Cs"]), max_size=8), VALUES, max_size=5
)


@pytest.mark.parametrize(
    ("value", "octets"),
    [
        ({}, b"{}"),
        ({"b": 1, "a": True, "": []}, b'{"":[],"a":true,"b":1}'),
        ({"x": '\u20ac$\u000f\nA\'"\\"/'}, b'{"x":"\xe2\x82\xac$\\u000f\\nA\'\\"\\\\\\"/"}'),
        # RFC 8785 3.2.3: sorted by UTF-16 code units, so U+1F600 stands before U+FB33
        (
            {"\ufb33": 1, "\U0001f600": 2, "\u0080": 3, "\u00f6": 4, "1": 5, "\r": 6},
            '{"\\r":6,"1":5,"\u0080":3,"\u00f6":4,"\U0001f600":2,"\ufb33":1}'.encode(),
        ),
        ({"名": "医師"}, '{"名":"医師"}'.encode()),
    ],
)
def test_canonical_form(value: dict[str, object], octets: bytes) -> None:
    assert canonical_json(value) == octets


class Colour(StrEnum):
    RED = "r\u00e9d"


ANYTHING = st.recursive(
    st.none()
    | st.booleans()
    | st.sampled_from(Colour)
    | st.integers(-(2**53) - 1, 2**53 + 1)
    | st.integers()
    | st.floats()
    | st.text(max_size=20)
    | st.text(st.characters(codec="utf-8"), max_size=20)
    | st.binary(max_size=2),
    lambda inner: (
        st.lists(inner, max_size=4)
        | st.lists(inner, max_size=4).map(tuple)
        | st.dictionaries(
            st.text(max_size=8) | st.sampled_from(Colour) | st.integers(), inner, max_size=4
        )
        | st.dictionaries(st.text('abAB_.0"\\\n\x7f', max_size=4), inner, max_size=6)
    ),
    max_leaves=15,
)


@settings(max_examples=250)
@given(ANYTHING)
def test_octets_and_refusals_are_those_of_rfc8785(value: Any) -> None:
    try:
        wanted = rfc8785.dumps(value)
    except ValueError:
        with pytest.raises(InvalidInput):
            canonical_json(value)
    else:
        assert canonical_json(value) == wanted


@pytest.mark.parametrize("depth", [5, 31, 32, 33, 34, 60])
def test_depth_changes_nothing(depth: int) -> None:
    value: dict[str, Any] = {"b": [1], "a": "é"}
    for _ in range(depth):
        value = {"inner": value, "": [(value,)]} if depth < 12 else {"inner": value}
    assert canonical_json(value) == rfc8785.dumps(value)


def test_what_is_nested_without_end_is_invalid() -> None:
    value: dict[str, object] = {}
    value["self"] = value
    with pytest.raises(InvalidInput) as refusal:
        canonical_json(value)
    assert refusal.value.code == "audit.canonical"


@given(OBJECTS)
def test_order_of_writing_does_not_matter(value: dict[str, object]) -> None:
    octets = canonical_json(value)
    backwards = dict(reversed(list(value.items())))
    assert canonical_json(backwards) == octets
    assert json.loads(octets) == value
    assert canonical_json(json.loads(octets)) == octets


@pytest.mark.parametrize(
    "value", [{"x": 2**53}, {"x": float("nan")}, {"x": object()}, {"x": "\ud800"}, {"x": b"y"}]
)
def test_what_has_no_canonical_form_is_invalid(value: dict[str, object]) -> None:
    with pytest.raises(InvalidInput) as refusal:
        canonical_json(value)
    assert refusal.value.code == "audit.canonical"


@given(st.binary(max_size=200))
def test_digest_is_sha256(octets: bytes) -> None:
    assert digest(octets) == hashlib.sha256(octets).hexdigest()


def test_anchors() -> None:
    assert parse_anchor("12:" + "0a" * 32) == Head(12, "0a" * 32)


@pytest.mark.parametrize(
    "text",
    [
        "",
        "12",
        "12:",
        ":" + "0" * 64,
        "-1:" + "0" * 64,
        "1:" + "0" * 63,
        "1:" + "A" * 64,
        "1:" + "g" * 64,
        "0:" + "0" * 64,
    ],
)
def test_no_anchors(text: str) -> None:
    with pytest.raises(InvalidInput) as refusal:
        parse_anchor(text)
    assert refusal.value.code == "audit.anchor.form"


@pytest.mark.parametrize("text", ["²:" + "0" * 64, "١:" + "0" * 64])
def test_only_ascii_digits_number_an_anchor(text: str) -> None:
    with pytest.raises(InvalidInput):
        parse_anchor(text)
