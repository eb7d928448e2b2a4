"""JSON in one canonical form: sorted names, no spaces, characters as they are."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from decimal import Decimal

from reports.imprint import Imprint, jst
from reports.prefectures import PrefectureReport

JsonValue = str | int | bool | None | Sequence["JsonValue"] | Mapping[str, "JsonValue"]


def json_bytes(value: JsonValue) -> bytes:
    """Write UTF-8 without a byte order mark or a line end.

    For ASCII names, text, integers, booleans and null these are the bytes of RFC 8785.
    """
    return json.dumps(
        value, ensure_ascii=False, sort_keys=True, separators=(",", ":"), allow_nan=False
    ).encode()


def prefectures_json(report: PrefectureReport, imprint: Imprint) -> bytes:
    """Write the report as JSON; rates are text with two decimals ("0.68"), never floats."""
    abroad, total = report.overseas, report.total
    rows: list[dict[str, JsonValue]] = [
        {
            "code": row.prefecture.code,
            "name_ja": row.prefecture.name_ja,
            "name_en": row.prefecture.name_en,
            "physicians": row.prefecture.physicians,
            "cards": row.cards,
            "doctor_cards": row.doctor_cards,
            "rate_percent": _rate(row.rate),
            "rank": row.rank,
            "rate_rank": row.rate_rank,
            "mark": row.mark,
        }
        for row in report.rows
    ]
    return json_bytes(
        {
            "site_kind": imprint.site_kind,
            "centre": imprint.centre,
            "made_at": jst(imprint.made_at).isoformat(timespec="seconds"),
            "as_of": report.as_of.isoformat(),
            "measure": report.measure,
            "population_source": report.population.source_ja,
            "prefectures": rows,
            "overseas": {
                "cards": abroad.cards,
                "doctor_cards": abroad.doctor_cards,
                "rank": abroad.rank,
            },
            "total": {
                "physicians": total.physicians,
                "cards": total.cards,
                "doctor_cards": total.doctor_cards,
                "rate_percent": _rate(total.rate),
            },
        }
    )


def _rate(rate: Decimal | None) -> str | None:
    """Write a rate as text, none as null."""
    return None if rate is None else str(rate)
