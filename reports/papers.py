"""Papers of the registration authority: check sheet, list for the register, labels, letters."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date

from markupsafe import Markup

from reports.imprint import Imprint
from reports.qr import qr_svg
from reports.render import environment


@dataclass(frozen=True)
class Fact:
    """One line of a file: what it is, in both languages, and what stands there."""

    japanese: str
    english: str
    value: str


@dataclass(frozen=True)
class Part:
    """A table of a sheet: heading and columns in Japanese and English, rows as texts."""

    japanese: str
    english: str
    columns: tuple[tuple[str, str], ...]
    rows: tuple[tuple[str, ...], ...]


@dataclass(frozen=True)
class Sheet:
    """審査チェックシート: everything of one file that is looked at, with room for the words."""

    application_ref: str
    state: str
    facts: tuple[Fact, ...]
    parts: tuple[Part, ...]


@dataclass(frozen=True)
class InquiryPaper:
    """照会一覧: the list that goes to the ministry's register, a row a person, as texts."""

    inquiry_id: str
    day: str
    columns: tuple[tuple[str, str], ...]
    rows: tuple[tuple[str, ...], ...]


@dataclass(frozen=True)
class Label:
    """A label for an envelope: the receipt number and the day of receipt, nothing personal."""

    application_ref: str
    received_on: str
    kind: str


@dataclass(frozen=True)
class Letter:
    """A letter to an applicant; ``paragraphs`` and ``items`` are Japanese sentences."""

    application_ref: str
    postal_code: str
    address: str
    name: str
    day: str
    subject: str
    paragraphs: tuple[str, ...]
    items: tuple[str, ...] = ()


def sheet_html(sheets: Sequence[Sheet], imprint: Imprint) -> bytes:
    """Render check sheets, each on pages of its own, as one HTML file, UTF-8."""
    codes = {one.application_ref: _qr(one.application_ref) for one in sheets}
    return _render("sheet.html.j2", imprint, sheets=sheets, codes=codes)


def inquiry_html(paper: InquiryPaper, imprint: Imprint) -> bytes:
    """Render the list for the register as one HTML file, UTF-8, A4 across."""
    return _render("inquiry.html.j2", imprint, paper=paper)


def labels_html(labels: Sequence[Label], imprint: Imprint) -> bytes:
    """Render labels, three in a row and eight rows a page, as one HTML file, UTF-8."""
    codes = {one.application_ref: _qr(one.application_ref) for one in labels}
    return _render("labels.html.j2", imprint, labels=labels, codes=codes)


def letter_html(letters: Sequence[Letter], imprint: Imprint) -> bytes:
    """Render letters for window envelopes, each on a page of its own, as one HTML file, UTF-8."""
    codes = {one.application_ref: _qr(one.application_ref) for one in letters}
    return _render("letter.html.j2", imprint, letters=letters, codes=codes)


def _qr(text: str) -> Markup:
    return Markup(qr_svg(text))  # noqa: S704 - segno's own SVG, the text is only in its modules


def _render(template: str, imprint: Imprint, **values: object) -> bytes:
    return environment().get_template(template).render(imprint=imprint, **values).encode()


def day_of(day: date | None) -> str:
    """Return the day as YYYY-MM-DD, empty for None."""
    return str(day) if day else ""
