"""Receipt numbers as QR codes."""

from __future__ import annotations

import io

import segno


def qr_svg(text: str) -> str:
    """Return the text as an SVG element, error correction Q, black on white, without size.

    Source: ISO/IEC 18004; a quarter of the symbol may be dirty.
    """
    made = io.BytesIO()
    segno.make(text, error="q", micro=False).save(
        made, kind="svg", xmldecl=False, svgns=True, omitsize=True, border=4
    )
    return made.getvalue().decode().strip()
