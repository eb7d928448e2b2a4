"""A bounded look into a PDF: whole, open, and nothing in it but pages. Source: ISO 32000-1.

Names are looked for in the octets as they stand and in the object streams, with ``#xx`` read as
what it stands for. Nothing is drawn and no object is followed: a look that turns away the usual
carriers of harm, not a proof.
"""

from __future__ import annotations

import re
import zlib
from collections.abc import Iterator

from pki.errors import InvalidInput

_HEADER = re.compile(rb"%PDF-[12]\.[0-9][ \r\n]")
_END = re.compile(rb"%%EOF[ \t\r\n]*\Z")
_TAIL_OCTETS = 64
_DELIMITER = rb"(?=[\x00\t\n\f\r ()<>\[\]{}/%]|\Z)"
_SPACE = rb"[\x00\t\n\f\r ]*"
_STREAM = re.compile(rb"stream\r?\n")
_MOST_STREAMS = 1_000
_MOST_HEAD = 4096
_MOST_DEFLATED = 1024 * 1024
_MOST_INFLATED = 32 * 1024 * 1024
_MOST_ESCAPES = 20_000
_ESCAPE = re.compile(rb"#([0-9A-Fa-f]{2})")
_UNWANTED = re.compile(
    rb"/(Encrypt|JavaScript|Launch|EmbeddedFiles?|RichMedia|XFA|SubmitForm|ImportData|GoToE|Movie"
    rb"|Rendition)" + _DELIMITER
)
_PAGE = re.compile(rb"/Type" + _SPACE + rb"/Page" + _DELIMITER)
_OBJECTS = re.compile(
    rb"/(?:O|#4[Ff])(?:b|#62)(?:j|#6[Aa])(?:S|#53)(?:t|#74)(?:m|#6[Dd])" + _DELIMITER
)
_DEFLATED = re.compile(
    rb"/Filter%s(?:/FlateDecode|\[%s/FlateDecode%s\])" % (_SPACE, _SPACE, _SPACE) + _DELIMITER
)
_FILTERED = re.compile(rb"/(?:Filter|DecodeParms)" + _DELIMITER)


def count_pages(octets: bytes) -> int:
    """Return how many pages the file seems to have, at least one.

    Raises ``InvalidInput`` for a file that is cut off, goes on behind its end, is encrypted, does
    more than show pages, or cannot be looked into.
    """
    if not _HEADER.match(octets) or not _END.search(octets[-_TAIL_OCTETS:]):
        raise InvalidInput(
            "ra.document.broken",
            "the file begins as PDF but does not end as one: it is cut off, or goes on behind",
            "Copy or scan it again.",
        )
    pages = 0
    for part in (octets, *_object_streams(octets)):
        plain = _unescaped(part)
        found = _UNWANTED.search(plain)
        if found is not None:
            raise _unwanted(found[1])
        pages += sum(1 for _ in _PAGE.finditer(plain))
    if pages == 0:
        raise InvalidInput(
            "ra.document.pages", "the PDF has no page that can be found", "Scan the paper again."
        )
    return pages


def _object_streams(octets: bytes) -> Iterator[bytes]:
    """Yield the objects that stand compressed, within one bound of memory for all."""
    room = _MOST_INFLATED
    for number, found in enumerate(_OBJECTS.finditer(octets)):
        start = octets.rfind(b"obj", max(0, found.start() - _MOST_HEAD), found.start())
        body = _STREAM.search(octets, found.end(), found.end() + _MOST_HEAD)
        if start < 0 or body is None or number == _MOST_STREAMS:
            raise _hidden()
        head = _unescaped(octets[start : body.start()])
        if not _DEFLATED.search(head) or len(_FILTERED.findall(head)) != 1:
            raise _hidden()
        inflater, body_octets = (
            zlib.decompressobj(),
            memoryview(octets)[body.end() :][:_MOST_DEFLATED],
        )
        try:
            part = inflater.decompress(body_octets, room + 1)
        except zlib.error:
            raise _hidden() from None
        room -= len(part)
        if room < 0 or not inflater.eof:
            raise _hidden()
        yield part


def _unescaped(octets: bytes) -> bytes:
    """Return the octets with each ``#xx`` as what it stands for."""
    plain, count = _ESCAPE.subn(lambda one: bytes.fromhex(one[1].decode()), octets, _MOST_ESCAPES)
    if count == _MOST_ESCAPES:
        raise _hidden()
    return plain


def _unwanted(name: bytes) -> InvalidInput:
    if name == b"Encrypt":
        return InvalidInput(
            "ra.document.encrypted", "the PDF is encrypted", "Ask for one without a password."
        )
    return InvalidInput(
        "ra.document.active",
        f"the PDF does more than show pages: it has {name.decode()}",
        "Print it and scan the paper.",
    )


def _hidden() -> InvalidInput:
    return InvalidInput(
        "ra.document.hidden",
        "the PDF holds objects in a form that cannot be looked into",
        "Print it and scan the paper.",
    )
