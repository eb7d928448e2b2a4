"""An empty application list to fill in, as CSV and as a workbook.

Both hold an example row, which is refused as long as its 申請番号 is not replaced.
"""

from __future__ import annotations

import csv
import io

from policies.applications import ApplicationType, Channel, application_types, channels
from policies.hcroles import hc_role_table
from ra.lists.columns import COLUMNS, NO_WORKPLACE, Column
from ra.lists.table import REMARK
from ra.lists.workbook import SheetColumn, write_workbook

SHEET = "申請一覧"
EXAMPLE_REF = "記入例"
_EXAMPLE = {
    "application_ref": EXAMPLE_REF,
    "type": ApplicationType.NEW,
    "channel": Channel.POST,
    "received_on": "令和8年9月1日",
    "kanji_name": "見本　太郎",
    "kana_name": "ミホン　タロウ",
    "romaji_name": "MIHON TARO",
    "birth_date": "S45.3.2",
    "profession": "医師",
    "registration_number": "012345",
    "registration_date": "平成7年5月1日",
    "institution_ja": NO_WORKPLACE,
    "work_prefecture": "01",
    "postal_code": "060-0000",
    "address": "北海道札幌市見本町1-2-3",
    "telephone": "09000000000",
    "documents": "APPLICATION_FORM;PHOTO;LICENCE_COPY;PHOTO_ID;RESIDENT_RECORD@2026-08-30",
    "terms_version": "1.0",
}
_PREFECTURES = (*(f"{number:02}" for number in range(1, 48)), "99")


def template_csv() -> bytes:
    """Return the list as CSV: UTF-8 with BOM, CRLF; under the header a remark with the labels."""
    text = io.StringIO(newline="")
    writer = csv.writer(text)
    writer.writerow(column.name for column in COLUMNS)
    labels = [column.label for column in COLUMNS]
    writer.writerow([f"{REMARK} {labels[0]}", *labels[1:]])
    writer.writerow(_EXAMPLE.get(column.name, "") for column in COLUMNS)
    return text.getvalue().encode("utf-8-sig")


def template_workbook() -> bytes:
    """Return the list as XLSX: columns of text, so that leading zeros stay; choices to pick."""
    sheet = [SheetColumn(column.name, _note(column), _choices(column.name)) for column in COLUMNS]
    return write_workbook(SHEET, sheet, [_EXAMPLE])


def _note(column: Column) -> str:
    need = "必須" if column.mandatory else "任意"
    lines = [f"{column.label} ({need})"]
    if column.name == "type":
        lines += [f"{rule.code}: {rule.japanese}" for rule in application_types().values()]
    if column.name == "channel":
        lines += [f"{rule.code}: {rule.japanese}" for rule in channels().values()]
    if column.name in _EXAMPLE and column.name != "application_ref":
        lines.append(f"例: {_EXAMPLE[column.name]}")
    return "\n".join(lines)


def _choices(name: str) -> tuple[str, ...]:
    table = hc_role_table()
    offered = {
        "type": tuple(ApplicationType),
        "channel": tuple(Channel),
        "profession": tuple(entry.japanese for entry in table.qualification),
        "director_role": tuple(entry.japanese for entry in table.administrator),
        "work_prefecture": _PREFECTURES,
    }
    return offered.get(name, ())
