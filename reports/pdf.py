"""PDF from the same pages that are written as HTML."""

from __future__ import annotations

import shutil
import subprocess
from functools import cache

from pki.errors import Unavailable

FONTS = ("Noto Sans CJK JP", "Noto Sans JP")
"""Fonts that hold every name, 𠮷 and variation sequences included. Source: tried with both."""


def pdf_of(html: bytes) -> bytes:
    """Return a page as PDF/A-3u, A4 as its style sheet says; nothing is fetched.

    The dates in it are those of the page's ``dcterms`` metadata: the same page, the same bytes.

    Raises ``Unavailable`` where WeasyPrint, the libraries it needs or a Japanese font are not
    installed: a paper with boxes instead of a name is worse than none.
    """
    try:
        import weasyprint  # type: ignore[import-untyped]  # noqa: PLC0415 - slow, an extra
    except (ImportError, OSError) as error:
        raise Unavailable(
            "reports.pdf.none",
            f"no PDF can be written here: {str(error).splitlines()[0]}",
            "Install hpki-ca[pdf] and libpango, or write HTML.",
        ) from None
    _verify_fonts()
    fetcher = weasyprint.urls.URLFetcher(allowed_protocols=("data",))
    made: bytes = weasyprint.HTML(string=html.decode(), url_fetcher=fetcher).write_pdf(
        pdf_variant="pdf/a-3u"
    )
    return made


@cache
def _verify_fonts() -> None:
    program = shutil.which("fc-list")
    if program is None:
        return
    found = subprocess.run(  # noqa: S603 - a program found on PATH, no shell
        [program, ":lang=ja", "family"], capture_output=True, text=True, check=False, timeout=60
    ).stdout
    if not any(font in found for font in FONTS):
        raise Unavailable(
            "reports.pdf.font",
            "no font that holds every Japanese name is installed",
            "Install fonts-noto-cjk, or write HTML.",
        )
