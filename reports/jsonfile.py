"""JSON in one canonical form: sorted names, no spaces, characters as they are."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from datetime import date, datetime
from decimal import Decimal

from reports.cells import PLACES, cell_text, fixed
from reports.imprint import jst
from reports.tables import Kind, Language, Text, Value

JsonValue = str | int | bool | None | Sequence["JsonValue"] | Mapping[str, "JsonValue"]


def json_bytes(value: JsonValue) -> bytes:
    """Write UTF-8 without a byte order mark or a line end.

    For ASCII names, text, integers, booleans and null these are the bytes of RFC 8785.
    """
    return json.dumps(
        value, ensure_ascii=False, sort_keys=True, separators=(",", ":"), allow_nan=False
    ).encode()


def json_cell(value: Value | Text, kind: Kind = Kind.TEXT) -> JsonValue:
    """Return one value of a table: fractions as text ("0.68"), never floats; times in JST.

    A month is "2016-08"; words of ours are an object with both languages.
    """
    if isinstance(value, Text):
        return {"ja": value.ja, "en": value.en}
    if isinstance(value, datetime):
        return jst(value).isoformat(timespec="seconds")
    if isinstance(value, date):
        return cell_text(value, kind, Language.ENGLISH)
    if kind in PLACES and isinstance(value, int | Decimal):
        return str(fixed(value, kind))
    return str(value) if isinstance(value, Decimal) else value
