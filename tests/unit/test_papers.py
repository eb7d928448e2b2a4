"""Papers of the registration authority as pages and as PDF, with names that few fonts hold."""

from __future__ import annotations

import io
import re
from datetime import UTC, datetime
from pathlib import Path
from urllib.parse import quote

import pytest
from pypdf import PdfReader

from reports.imprint import Imprint
from reports.papers import (
    Fact,
    InquiryPaper,
    Label,
    Letter,
    Part,
    Sheet,
    inquiry_html,
    labels_html,
    letter_html,
    sheet_html,
)
from reports.pdf import pdf_of
from reports.qr import qr_svg

IMPRINT = Imprint("training", "DEMO 電子認証センター", datetime(2026, 11, 22, 3, 0, tzinfo=UTC))
NAME = "𠮷田　髙子 葛\U000e0100城"
PART = Part(
    "提出書類", "Documents", (("書類", "Document"), ("結果", "Result")), (("住民票", "OK"),)
)
SHEET = Sheet("T2026-0001", "審査中 EXAMINING", (Fact("氏名(漢字)", "kanji_name", NAME),), (PART,))
LETTER = Letter(
    "T2026-0001",
    "160-0000",
    "東京都新宿区架空町1-2-3",
    NAME,
    "令和8年11月22日",
    "申請書類の不備について",
    ("次のものをお送りください。",),
    ("住民票",),
)
PAGES = {
    "sheet": (sheet_html([SHEET, SHEET], IMPRINT), 2),
    "labels": (
        labels_html([Label(f"T2026-{n:04d}", "2026-11-22", "新規") for n in range(24)], IMPRINT),
        1,
    ),
    "letter": (letter_html([LETTER, LETTER], IMPRINT), 2),
    "inquiry": (
        inquiry_html(
            InquiryPaper("Q1", "令和8年11月22日", (("氏名", "Name"),), ((NAME,),) * 80), IMPRINT
        ),
        2,
    ),
}


@pytest.mark.parametrize("page", sorted(PAGES))
def test_a_paper_is_a_page_and_a_pdf_with_every_name(page: str) -> None:
    html, pages = PAGES[page]
    text = html.decode()
    assert "訓練" in text
    assert "http://" not in re.sub(r'xmlns="http://[^"]*"', "", text)
    read = PdfReader(io.BytesIO(pdf_of(html)))
    assert len(read.pages) >= pages
    said = "".join(one.extract_text() for one in read.pages)
    if page != "labels":
        assert NAME in text
        assert {"𠮷", "髙"} <= set(said)
    else:
        assert "T2026-0023" in said


def test_values_are_escaped() -> None:
    sheet = Sheet("T1", "審査中", (Fact("氏名", "kanji_name", "<script>alert(1)</script>"),), ())
    assert b"<script>" not in sheet_html([sheet], IMPRINT)


def test_a_code_is_a_square_of_modules_without_size() -> None:
    svg = qr_svg("T2026-0001")
    assert svg.startswith("<svg")
    assert "width=" not in svg
    size = re.search(r'viewBox="0 0 (\d+) (\d+)"', svg)
    assert size is not None
    assert size.group(1) == size.group(2)
    assert qr_svg("T2026-0001") == svg
    assert qr_svg("T2026-0002") != svg


def test_a_page_gets_nothing_from_elsewhere(tmp_path: Path) -> None:
    picture = tmp_path / "picture.svg"
    size = 'xmlns="http://www.w3.org/2000/svg" width="99" height="99"'
    svg = f'<svg {size}><text y="50">FETCHED</text></svg>'
    picture.write_text(svg)
    inline = "data:image/svg+xml;utf8," + quote(svg.replace("FETCHED", "INLINE"))
    html = f'<p>own</p><img src="{picture.as_uri()}"><img src="{inline}">'.encode()
    said = PdfReader(io.BytesIO(pdf_of(html))).pages[0].extract_text()
    assert "own" in said
    assert "INLINE" in said
    assert "FETCHED" not in said
