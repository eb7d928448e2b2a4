"""The few DER forms that are put together by hand: TLVs of a signed structure."""

from __future__ import annotations

from datetime import datetime

from asn1crypto import core


def tlv(tag: int, content: bytes) -> bytes:
    """Return one DER element with a single-octet ``tag``. Source: X.690 section 8.1."""
    return header(tag, len(content)) + content


def header(tag: int, length: int) -> bytes:
    """Return tag and length of an element whose content has so many octets."""
    if length < 0x80:
        return bytes((tag, length))
    octets = length.to_bytes((length.bit_length() + 7) // 8, "big")
    return bytes((tag, 0x80 | len(octets))) + octets


def sequence(*elements: bytes) -> bytes:
    """Return a SEQUENCE of elements that are DER already."""
    return tlv(0x30, b"".join(elements))


def integer(value: int) -> bytes:
    """Return a non-negative INTEGER in its shortest form. Source: X.690 section 8.3."""
    return tlv(0x02, value.to_bytes(value.bit_length() // 8 + 1, "big"))


def bit_string(octets: bytes) -> bytes:
    """Return a BIT STRING of whole octets."""
    return tlv(0x03, b"\x00" + octets)


def time(moment: datetime) -> bytes:
    """Return UTCTime to 2049 and GeneralizedTime from 2050. Source: RFC 5280 section 4.1.2.5."""
    if moment.year < 2050:
        return tlv(0x17, moment.strftime("%y%m%d%H%M%SZ").encode())
    return tlv(0x18, moment.strftime("%Y%m%d%H%M%SZ").encode())


def object_identifier(dotted: str) -> bytes:
    """Return an OBJECT IDENTIFIER."""
    encoded: bytes = core.ObjectIdentifier(dotted).dump()
    return encoded
