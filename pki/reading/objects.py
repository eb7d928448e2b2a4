"""The certificates and lists that a file holds, in DER or PEM. Source: RFC 7468 for PEM."""

from __future__ import annotations

import base64
import binascii
from collections.abc import Callable, Iterator

from pki.errors import InvalidInput
from pki.reading.certificate import Certificate, read_certificate
from pki.reading.crl import RevocationList, read_list
from pki.reading.tlv import GENERALIZED_TIME, INTEGER, SEQUENCE, UTC_TIME, DerError, Reader

MAX_OBJECTS = 100_000
_BEGIN, _END, _DASHES = b"-----BEGIN ", b"-----END ", b"-----"
_LONGEST_LABEL = 40
_WHITE_SPACE = b" \t\r\n\f\v"
_LONG_LENGTHS = range(0x81, 0x85)
_READERS: dict[bytes, Callable[[bytes], Certificate | RevocationList]] = {
    b"CERTIFICATE": read_certificate,
    b"X509 CRL": read_list,
}


def objects_in(octets: bytes) -> Iterator[Certificate | RevocationList]:
    """Yield every certificate and list in the octets, text around PEM passed over.

    Raises ``InvalidInput`` at what is neither, cannot be followed, or holds nothing at all.
    """
    if _is_der(octets) or _BEGIN not in octets:
        yield read_object(octets)
        return
    for count, (label, body) in enumerate(_blocks(octets)):
        if count == MAX_OBJECTS:
            raise InvalidInput("pki.pem.count", f"a file has at most {MAX_OBJECTS} objects")
        read = _READERS.get(label)
        if read is None:
            raise InvalidInput(
                "pki.pem.label",
                f"the PEM block {label.decode()} is neither a certificate nor a list",
            )
        try:
            der = base64.b64decode(body.translate(None, _WHITE_SPACE), validate=True)
        except binascii.Error as error:
            raise InvalidInput("pki.pem.base64", f"a PEM block is not base64: {error}") from None
        yield read(der)


def _is_der(octets: bytes) -> bool:
    """Say whether the octets begin as a SEQUENCE of 128 octets or more, which no text does."""
    return octets[:1] == b"\x30" and len(octets) > 1 and octets[1] in _LONG_LENGTHS


def _blocks(octets: bytes) -> Iterator[tuple[bytes, bytes]]:
    """Yield label and content of each PEM block, in time that grows with the octets alone."""
    at = octets.find(_BEGIN)
    while at >= 0:
        begin = at + len(_BEGIN)
        label_end = octets.find(_DASHES, begin, begin + _LONGEST_LABEL + len(_DASHES))
        label = octets[begin:label_end]
        if label_end < 0 or not label.replace(b" ", b"").isalnum():
            raise InvalidInput("pki.pem.cut", f"the PEM block at octet {at} has no sound label")
        end_line = _END + label + _DASHES
        end = octets.find(end_line, label_end)
        if end < 0:
            raise InvalidInput("pki.pem.cut", f"the PEM block at octet {at} is cut off")
        yield label, octets[label_end + len(_DASHES) : end]
        at = octets.find(_BEGIN, end + len(end_line))


def read_object(der: bytes) -> Certificate | RevocationList:
    """Return the certificate or list that the DER is, told apart by what follows the issuer."""
    return read_list(der) if _is_list(der) else read_certificate(der)


def _is_list(der: bytes) -> bool:
    reader = Reader(der)
    try:
        begin, end = reader.expect(SEQUENCE, 0, len(der), "the object")
        at, end = reader.expect(SEQUENCE, begin, end, "the signed part")
        tags = []
        for _, tag, _, _ in reader.children(at, end):
            tags.append(tag)
            if len(tags) == 4:
                break
    except DerError:
        return False
    if tags[:1] == [INTEGER]:
        tags = tags[1:]
    return tags[:2] == [SEQUENCE, SEQUENCE] and tags[2:3] in ([UTC_TIME], [GENERALIZED_TIME])
