"""Reading of a transparent EF, in pieces. Source: ISO/IEC 7816-4 7.2.1, 7.2.3 (READ BINARY)."""

from __future__ import annotations

from card_personalization import tlv
from card_personalization.apdu import END_OF_FILE, CardChannel, CardError
from pki.errors import InvalidInput

_PIECE = 1024  # bytes read by one command in extended length
_MAX_FILE = 32_767
_WRONG_OFFSET = 0x6B00


def read_transparent(channel: CardChannel, short_id: int = 0, *, one_object: bool = False) -> bytes:
    """Content of the EF with this SFI, else of the current one; CardError.

    ``one_object``: only its first TLV object; InvalidInput (card.file) if that is cut off or longer
    than a file can be.
    """
    offset_high = 0x80 | short_id if short_id else 0
    piece = _PIECE if channel.extended else 256
    content, wanted, whole = b"", _MAX_FILE, 0
    while len(content) < wanted:
        p1, p2 = divmod(len(content), 256)
        try:
            part = channel.send(0x00, 0xB0, offset_high or p1, p2, le=piece, accept=(END_OF_FILE,))
        except CardError as error:
            if content and error.sw == _WRONG_OFFSET:
                break
            raise
        offset_high = 0
        content += part
        if not part:
            break
        if one_object:
            wanted = tlv.object_length(content)
            if wanted > _MAX_FILE:
                raise InvalidInput("card.file", f"a file of the card claims {wanted} bytes")
        elif len(part) < piece:
            whole = tlv.whole_objects(content, whole)
            if tlv.is_complete(content[whole:]):
                break
    if one_object and len(content) < wanted:
        raise InvalidInput("card.file", "a file of the card ends before its object does")
    return content[:wanted]
