"""What a document's file is, told by its content alone; the only home of Pillow.

Size, frame and end are judged before anything is decoded, so that a bomb costs nothing. Whatever
stands behind the end mark is refused: it would be a second file that nobody looked at.
"""

from __future__ import annotations

import io
import re
import warnings
from dataclasses import dataclass, replace

from PIL import Image

from pki.errors import InvalidInput
from policies.media import MediaRules, MediaType, media_rules
from ra.documents.pdf import count_pages

_JPEG_START, _PNG_START, _PDF_START = b"\xff\xd8\xff", b"\x89PNG\r\n\x1a\n", b"%PDF-"
_SIGNED_DATA = bytes.fromhex("06092a864886f70d010702")
_SIDES = frozenset((*range(0xC0, 0xC4), *range(0xC5, 0xC8), *range(0xC9, 0xCC), *range(0xCD, 0xD0)))
_SCAN, _JPEG_END, _DEFINE_LINES = 0xDA, 0xD9, 0xDC
_MARKER = re.compile(rb"\xff[^\x00\xd0-\xd7\xff]")
_MOST_PARTS = 10_000
_MOST_SCANS = 20
_MOST_OCTETS_A_PIXEL = 8
_MOST_OCTETS_BESIDE = 1024 * 1024
_GPS = 0x8825


@dataclass(frozen=True)
class Media:
    """A file's type and size in octets; a picture's pixels, or a PDF's pages.

    ``gps``: the picture tells where it was taken.
    """

    type: MediaType
    size: int
    width: int = 0
    height: int = 0
    pages: int = 1
    gps: bool = False


def recognise(octets: bytes, code: str) -> Media:
    """Return what the file is, if a document of that code may be so.

    Raises ``InvalidInput`` (``ra.document.…``) for every other: too large, another type, cut off,
    more behind its end, moving, a PDF that does more than show pages, a picture out of shape.
    """
    rules = media_rules(code)
    if len(octets) > rules.max_octets.value:
        raise InvalidInput(
            "ra.document.size",
            f"{code}: the file has {len(octets)} octets, at most {rules.max_octets.value} are kept",
            "Scan it again at 300 dots an inch.",
        )
    if octets.startswith(_JPEG_START):
        media = _jpeg(octets)
    elif octets.startswith(_PNG_START):
        media = _png(octets)
    elif octets.startswith(_PDF_START):
        media = Media("application/pdf", len(octets), pages=count_pages(octets))
    elif _SIGNED_DATA in octets[:24]:
        raise InvalidInput(
            "ra.document.signed",
            f"{code}: the file is a signed message",
            "A signed application is taken in with `hpki ra receive-signed FILE`.",
        )
    else:
        raise _wrong_type(code, rules, "none of them")
    if media.type not in rules.types.value:
        raise _wrong_type(code, rules, media.type)
    if media.pages > rules.max_pages.value:
        raise InvalidInput(
            "ra.document.pages",
            f"{code}: the file has {media.pages} pages, at most {rules.max_pages.value} are kept",
            "Take only the pages of this document.",
        )
    if media.type == "application/pdf":
        return media
    _verify_shape(media, code, rules)
    return _decode(octets, media)


def _jpeg(octets: bytes) -> Media:
    """Return the picture's sides, walking from marker to marker. Source: ITU-T T.81 annex B."""
    place, scans, sides = 2, 0, None
    for _ in range(_MOST_PARTS):
        found = _MARKER.search(octets, place)
        if found is None or (scans == 0 and found.start() != place):
            raise _broken("JPEG")
        marker, place = octets[found.end() - 1], found.end()
        if marker == _JPEG_END:
            if sides is None or not scans:
                raise _broken("JPEG")
            _verify_end(octets, place)
            return Media("image/jpeg", len(octets), *sides)
        length = int.from_bytes(octets[place : place + 2], "big")
        if length < 2 or marker == _DEFINE_LINES:
            raise _broken("JPEG")
        if marker in _SIDES and length >= 7:
            side = octets[place + 3 : place + 7]
            found_sides = int.from_bytes(side[2:], "big"), int.from_bytes(side[:2], "big")
            if sides not in (None, found_sides):
                raise _broken("JPEG")
            sides = found_sides
        scans += marker == _SCAN
        if scans > _MOST_SCANS:
            raise _broken("JPEG")
        place += length
    raise _broken("JPEG")


def _png(octets: bytes) -> Media:
    """Return the picture's sides, walking from chunk to chunk. Source: ISO/IEC 15948 clause 5."""
    place, sides = len(_PNG_START), None
    for _ in range(_MOST_PARTS):
        length, name = (
            int.from_bytes(octets[place : place + 4], "big"),
            octets[place + 4 : place + 8],
        )
        if (sides is None) != (name == b"IHDR") or (name == b"IHDR" and length != 13):
            raise _broken("PNG")
        if name == b"IHDR":
            header = octets[place + 8 : place + 16]
            sides = int.from_bytes(header[:4], "big"), int.from_bytes(header[4:], "big")
        if name == b"acTL":
            raise InvalidInput(
                "ra.document.moving", "the picture moves", "Save it as a plain picture."
            )
        place += 12 + length
        if place > len(octets):
            raise _broken("PNG")
        if name == b"IEND" and sides is not None:
            _verify_end(octets, place)
            return Media("image/png", len(octets), *sides)
    raise _broken("PNG")


def _verify_end(octets: bytes, end: int) -> None:
    if end != len(octets):
        raise InvalidInput(
            "ra.document.behind",
            f"{len(octets) - end} octets stand behind the end of the picture",
            "Save it again as a plain picture: something else hides in the file.",
        )


def _verify_shape(media: Media, code: str, rules: MediaRules) -> None:
    """Raise ``InvalidInput`` for too few or too many pixels, for their octets, or out of ratio."""
    pixels, sides = media.width * media.height, f"{media.width} x {media.height} pixels"
    least, most = rules.min_pixels.value, rules.max_pixels.value
    if not least <= pixels <= most:
        raise InvalidInput(
            "ra.document.pixels",
            f"{code}: the picture has {sides}; from {least} to {most} in all are taken",
            "Scan it again at 300 dots an inch.",
        )
    if media.size > pixels * _MOST_OCTETS_A_PIXEL + _MOST_OCTETS_BESIDE:
        raise InvalidInput(
            "ra.document.stuffed",
            f"{code}: {media.size} octets are too many for {sides}",
            "Save it again as a plain picture: something else hides in the file.",
        )
    if rules.ratio is None or rules.ratio_tolerance_percent is None:
        return
    wanted = media.height * rules.ratio.width
    off = abs(media.width * rules.ratio.height - wanted)
    if off * 100 > wanted * rules.ratio_tolerance_percent.value:
        raise InvalidInput(
            "ra.document.ratio",
            f"{code}: the picture has {sides}, "
            f"which is not {rules.ratio.width} to {rules.ratio.height}",
            "Cut it to the passport's shape, upright.",
        )


def _decode(octets: bytes, media: Media) -> Media:
    """Return the media with its GPS mark; raises ``InvalidInput`` unless all of it decodes.

    A JPEG is decoded at an eighth of its size, which reads all of it in little memory.
    """
    kind = "JPEG" if media.type == "image/jpeg" else "PNG"
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            with Image.open(io.BytesIO(octets), formats=(kind,)) as image:
                if image.size != (media.width, media.height) or image.format != kind:
                    raise _broken(kind)
                gps = bool(image.getexif().get_ifd(_GPS))
                image.draft(None, (media.width // 8, media.height // 8))
                image.load()
    except InvalidInput:
        raise
    except Exception:  # Pillow raises what it likes over a broken file
        raise _broken(kind) from None
    return replace(media, gps=gps)


def _wrong_type(code: str, rules: MediaRules, found: str) -> InvalidInput:
    return InvalidInput(
        "ra.document.type",
        f"{code}: the file must be {', '.join(rules.types.value)}; by its content it is {found}",
        "Scan the document again; a file's name says nothing about what it is.",
    )


def _broken(kind: str) -> InvalidInput:
    return InvalidInput(
        "ra.document.broken",
        f"the file begins as {kind} but is not a whole one",
        "Copy or scan it again.",
    )
