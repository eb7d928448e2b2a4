"""HTML pages: one self-contained file each, no script, nothing fetched, same input same bytes."""

from __future__ import annotations

from datetime import datetime
from decimal import Decimal
from functools import cache

from jinja2 import Environment, PackageLoader, StrictUndefined
from markupsafe import Markup

from reports.imprint import day_text, jst, jst_text


@cache
def environment() -> Environment:
    """Give the one template environment: everything escaped, unknown names are errors."""
    made = Environment(
        loader=PackageLoader("reports", "templates"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
    )
    made.filters["jst"] = jst_text
    made.filters["day"] = day_text
    made.filters["number"] = number_text
    made.filters["hex_groups"] = hex_groups
    made.filters["css"] = css_string
    made.filters["lang"] = lang_attribute
    made.filters["px"] = "{:.1f}".format
    made.filters["w3c"] = w3c_text
    return made


def number_text(number: int | Decimal) -> str:
    """Write the number with commas between thousands: 311,205; 0.68."""
    return f"{number:,}"


def hex_groups(text: str) -> str:
    """Write hexadecimal digits in lower case and groups of four, to be compared by eye."""
    return " ".join(text[i : i + 4] for i in range(0, len(text), 4)).lower()


def css_string(text: str) -> Markup:
    """Write the text as a string of a style sheet; only letters and digits stand unescaped.

    Source: CSS Syntax Level 3, section 4.3.7 (consume an escaped code point).
    """
    plain = (one if one.isalnum() and one.isascii() else f"\\{ord(one):06x}" for one in text)
    return Markup(f'"{"".join(plain)}"')  # noqa: S704 - nothing in it but letters, digits and \


def lang_attribute(text: str, language: str) -> Markup:
    """Return `` lang="ja"`` for what is not ASCII on an English page: names and places of Japan."""
    is_foreign = language == "en" and not text.isascii()
    return Markup(' lang="ja"') if is_foreign else Markup("")


def w3c_text(moment: datetime) -> str:
    """Write the moment as metadata want it: 2016-09-01T09:00:00+09:00."""
    return jst(moment).isoformat(timespec="seconds")
