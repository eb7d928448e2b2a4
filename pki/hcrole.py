"""hcRole: the holder's licences, in the subjectDirectoryAttributes extension.

Source: ISO 17090-2 with the national coding scheme of the HPKI; the byte forms are those of real
cards (``docs/glossary.md``, hcRole)::

    HCActorData ::= SET OF HCActor
    HCActor ::= SEQUENCE {
        codedData            [0] EXPLICIT CodedData,
        regionalHCActorData  [1] EXPLICIT SEQUENCE OF RegionalData OPTIONAL }
    CodedData ::= SET {
        codingSchemeReference [0] EXPLICIT OBJECT IDENTIFIER,
        codeDataValue         [1] EXPLICIT NumericString OPTIONAL,
        codeDataFreeText      [2] EXPLICIT DirectoryString }
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import lru_cache
from typing import NamedTuple

from pki import der, oids
from pki.errors import InvalidInput
from pki.reading.extensions import READERS
from pki.reading.tlv import OID, SEQUENCE, SET, DerError, Reader
from pki.reading.values import STRING_TYPES

_MAX_OCTETS = 4096
_UTF8_STRING, _NUMERIC_STRING = 0x0C, 0x12
_FREE_TEXT = (_UTF8_STRING, 0x13, 0x14, 0x1C, 0x1E)
_CODE_VALUE = (_NUMERIC_STRING, _UTF8_STRING)


class HcActor(NamedTuple):
    """One role: the dotted coding scheme, the role's name and the tag of its string type.

    ``code_value`` is the codeDataValue, None where there is none; ``regional`` says whether there
    is regionalHCActorData, which is not read further.
    """

    scheme: str
    text: str
    tag: int
    code_value: str | None
    regional: bool


class HcActorData(NamedTuple):
    """The actors in the order encoded; ``faults`` are breaches of DER."""

    actors: tuple[HcActor, ...]
    faults: tuple[str, ...]


def encode_hc_roles(roles: Sequence[str]) -> bytes:
    """Return the extnValue contents for English role names, e.g. ``("Medical Doctor",)``.

    One Attribute, one HCActorData, one HCActor for each role, in DER's SET OF order.
    Raises ``InvalidInput`` for an empty or a repeated role.
    """
    if not roles or not all(roles) or len(set(roles)) != len(roles):
        raise InvalidInput("pki.hcrole.empty", "hcRole needs at least one role and no role twice")
    actors = sorted(_encode_actor(role) for role in roles)
    data = der.tlv(SET, b"".join(actors))
    attribute = der.sequence(der.object_identifier(oids.HEALTHCARE_ACTOR), der.tlv(SET, data))
    return der.sequence(attribute)


def _encode_actor(role: str) -> bytes:
    scheme = der.tlv(0xA0, der.object_identifier(oids.JHPKI_CODED_DATA))
    text = der.tlv(0xA2, der.tlv(_UTF8_STRING, role.encode()))
    return der.sequence(der.tlv(0xA0, der.tlv(SET, scheme + text)))


def decode_hc_roles(extension_value: bytes) -> tuple[str, ...]:
    """Return the role names in an extnValue, in the order encoded.

    Attributes of other types are passed over, and so is what the HPKI does not use inside hcRole.
    Raises ``InvalidInput`` for what is not hcRole, trailing octets included.
    """
    if len(extension_value) > _MAX_OCTETS:
        raise _too_long()
    reader = Reader(extension_value)
    try:
        attributes = READERS[oids.SUBJECT_DIRECTORY_ATTRIBUTES](reader)
    except DerError as error:
        raise _not_hc_role(str(error)) from None
    if reader.faults:
        raise _not_hc_role(reader.faults[0])
    return tuple(
        actor.text
        for attribute in attributes
        if attribute.oid == oids.HEALTHCARE_ACTOR
        for value in attribute.values
        for actor in read_hc_actor_data(value).actors
    )


def read_hc_actor_data(value: bytes) -> HcActorData:
    """Return one value of the hcRole attribute, as it is encoded.

    Any coding scheme and any DirectoryString is read, codeDataValue as NumericString or UTF8String.
    Raises ``InvalidInput`` (pki.hcrole.shape) where the structure is another.
    """
    if len(value) > _MAX_OCTETS:
        raise _too_long()
    try:
        return _read_data(value)
    except DerError as error:
        raise _not_hc_role(str(error)) from None


def _too_long() -> InvalidInput:
    return InvalidInput("pki.hcrole.size", f"hcRole is longer than {_MAX_OCTETS} octets")


def _not_hc_role(why: str) -> InvalidInput:
    return InvalidInput("pki.hcrole.shape", f"this is not hcRole: {why}")


@lru_cache(maxsize=1024)
def _read_data(value: bytes) -> HcActorData:
    reader = Reader(value)
    actors, encoded = [], []
    for at, tag, begin, end in reader.children(*reader.whole(SET, "HCActorData")):
        if tag != SEQUENCE:
            raise DerError(f"an HCActor has the tag {tag:02x}, not {SEQUENCE:02x}")
        actors.append(_actor(reader, begin, end))
        encoded.append(value[at:end])
    if encoded != sorted(encoded):
        reader.fault("the actors are not in DER's order")
    return HcActorData(tuple(actors), tuple(reader.faults))


def _actor(reader: Reader, begin: int, end: int) -> HcActor:
    start, after = reader.expect(0xA0, begin, end, "codedData")
    fields_begin, fields_end = _only(reader, SET, start, after, "codedData")
    regional = after < end
    if regional:
        first, last = reader.expect(0xA1, after, end, "regionalHCActorData")
        if last != end:
            raise DerError("an HCActor has more than codedData and regionalHCActorData")
        _only(reader, SEQUENCE, first, last, "regionalHCActorData")
    return _coded_data(reader, fields_begin, fields_end, regional)


def _coded_data(reader: Reader, begin: int, end: int, regional: bool) -> HcActor:
    fields: dict[int, tuple[int, int]] = {}
    for _, tag, start, stop in reader.children(begin, end):
        if tag not in (0xA0, 0xA1, 0xA2):
            raise DerError(f"CodedData holds the tag {tag:02x}, not a0, a1 or a2")
        if tag in fields:
            raise DerError(f"CodedData holds the tag {tag:02x} twice")
        fields[tag] = (start, stop)
    if 0xA0 not in fields or 0xA2 not in fields:
        raise DerError("CodedData has no codingSchemeReference or no codeDataFreeText")
    if list(fields) != sorted(fields):
        reader.fault("the fields of CodedData are not in DER's order")
    scheme = reader.oid(*_only(reader, OID, *fields[0xA0], "codingSchemeReference"))
    text, tag = _string(reader, *fields[0xA2], _FREE_TEXT, "codeDataFreeText")
    code_value = None
    if 0xA1 in fields:
        code_value, _ = _string(reader, *fields[0xA1], _CODE_VALUE, "codeDataValue")
    return HcActor(scheme, text, tag, code_value, regional)


def _only(reader: Reader, tag: int, begin: int, end: int, what: str) -> tuple[int, int]:
    """Return the content's bounds of the one element inside an EXPLICIT tag."""
    start, stop = reader.expect(tag, begin, end, f"{what} inside its explicit tag")
    if stop != end:
        raise DerError(f"{what} is more than one element")
    return start, stop


def _string(
    reader: Reader, begin: int, end: int, allowed: tuple[int, ...], what: str
) -> tuple[str, int]:
    tag, start, stop = reader.element(begin, end)
    if tag not in allowed or stop != end:
        raise DerError(f"{what} has the tag {tag:02x}, which it cannot have")
    name, codec = STRING_TYPES[tag]
    try:
        return reader.octets[start:stop].decode(codec), tag
    except UnicodeDecodeError:
        raise DerError(f"{what} is no {name}") from None
