"""Names, times and general names as they are encoded. Source: RFC 5280 sections 4.1 and 4.2.1.6."""

from __future__ import annotations

from datetime import UTC, datetime
from functools import cached_property, lru_cache
from typing import NamedTuple
from unicodedata import category, normalize

from pki.reading.tlv import GENERALIZED_TIME, OID, SEQUENCE, SET, UTC_TIME, DerError, Reader

STRING_TYPES = {
    0x0C: ("UTF8String", "utf-8"),
    0x12: ("NumericString", "ascii"),
    0x13: ("PrintableString", "ascii"),
    0x14: ("TeletexString", "latin-1"),
    0x16: ("IA5String", "ascii"),
    0x1C: ("UniversalString", "utf-32-be"),
    0x1E: ("BMPString", "utf-16-be"),
}
"""Tag to the ASN.1 name of the string type and the codec of its octets."""

_BMP_STRING = 0x1E
"""UCS-2 (X.680 section 41): a surrogate pair is no character of it, whatever the codec says."""

_ATTRIBUTES = {
    "2.5.4.3": "CN",
    "2.5.4.4": "SN",
    "2.5.4.5": "serialNumber",
    "2.5.4.6": "C",
    "2.5.4.7": "L",
    "2.5.4.8": "ST",
    "2.5.4.10": "O",
    "2.5.4.11": "OU",
    "2.5.4.42": "GN",
    "1.2.840.113549.1.9.1": "emailAddress",
}


def printable(text: str) -> str:
    """Return the text with control characters and all else that could bend a terminal escaped."""
    if text.isprintable():
        return text
    return "".join(
        one if one.isprintable() or category(one) == "Zs" else ascii(one)[1:-1] for one in text
    )


class Attribute(NamedTuple):
    """One attribute of an RDN: dotted type, the value's tag and its content octets."""

    oid: str
    tag: int
    octets: bytes

    @property
    def label(self) -> str:
        """The attribute type's short name, or its OID."""
        return _ATTRIBUTES.get(self.oid, self.oid)

    @property
    def string_type(self) -> str:
        """The ASN.1 name of the value's type, or its tag."""
        return STRING_TYPES.get(self.tag, (f"tag {self.tag:02x}", ""))[0]

    @property
    def text(self) -> str | None:
        """The value as text; None where the octets are not what the type says."""
        try:
            text = self.octets.decode(STRING_TYPES[self.tag][1])
        except (KeyError, UnicodeDecodeError):
            return None
        surrogates = self.tag == _BMP_STRING and 2 * len(text) != len(self.octets)
        return None if surrogates else text


class Name:
    """A distinguished name: its DER, and its RDNs in the order encoded."""

    __slots__ = ("__dict__", "der", "faults", "rdns")

    def __init__(
        self, der: bytes, rdns: tuple[tuple[Attribute, ...], ...], faults: tuple[str, ...]
    ) -> None:
        self.der = der
        self.rdns = rdns
        self.faults = faults

    @cached_property
    def attributes(self) -> tuple[Attribute, ...]:
        """Every attribute, most significant first."""
        return tuple(attribute for rdn in self.rdns for attribute in rdn)

    @cached_property
    def text(self) -> str:
        """The name for people: ``C=JP, O=…, CN=…``; characters that do not print are escaped."""
        return ", ".join(
            f"{one.label}={printable(one.text) if one.text is not None else one.octets.hex()}"
            for one in self.attributes
        )

    def first(self, oid: str) -> str | None:
        """Return the text of the first attribute of the type, or None."""
        for attribute in self.attributes:
            if attribute.oid == oid:
                return attribute.text
        return None

    @cached_property
    def folded(self) -> tuple[tuple[tuple[str, str], ...], ...]:
        """What RFC 5280 section 7.1 compares: NFKC, no case, white space folded, RDNs as sets.

        A value that is no text equals only the same octets of the same tag. For comparing only: no
        name is ever kept in this form.
        """
        return tuple(tuple(sorted(map(_folded, rdn))) for rdn in self.rdns)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Name) and self.der == other.der

    def __hash__(self) -> int:
        return hash(self.der)


def _folded(attribute: Attribute) -> tuple[str, str]:
    text = attribute.text
    if text is None:
        return f"{attribute.oid} as {attribute.tag:02x}", attribute.octets.hex()
    folded = normalize("NFKC", normalize("NFKC", text).casefold())
    return attribute.oid, " ".join(folded.split())


def read_name(der: bytes) -> Name:
    """Return the Name that the DER is; raises ``DerError``."""
    return _kept_name(der) if len(der) <= _MOST_KEPT else _read_name(der)


def _read_name(der: bytes) -> Name:
    reader = Reader(der)
    rdns = []
    for _, tag, begin, end in reader.children(*reader.whole(SEQUENCE, "a Name")):
        if tag != SET or begin == end:
            raise DerError("an RDN is no SET with an attribute")
        rdn, encoded = [], []
        for at, inner, start, stop in reader.children(begin, end):
            if inner != SEQUENCE:
                raise DerError("an attribute is no SEQUENCE")
            oid_begin, oid_end = reader.expect(OID, start, stop, "an attribute's type")
            kind, value_begin, value_end = reader.element(oid_end, stop)
            if value_end != stop:
                raise DerError("an attribute has more than type and value")
            rdn.append(Attribute(reader.oid(oid_begin, oid_end), kind, der[value_begin:value_end]))
            encoded.append(der[at:stop])
        if encoded != sorted(encoded):
            reader.fault("the attributes of an RDN are not in DER's order")
        rdns.append(tuple(rdn))
    return Name(der, tuple(rdns), tuple(reader.faults))


_MOST_KEPT = 1024
_kept_name = lru_cache(maxsize=1024)(_read_name)
"""A CA's name stands in every certificate and list of it; octets kept are bounded."""


class Time(NamedTuple):
    """UTCTime or GeneralizedTime: its tag, its octets, and the moment (aware UTC) if it has one.

    ``faults`` says where it is not in the form of RFC 5280 section 4.1.2.5.
    """

    tag: int
    octets: bytes
    moment: datetime | None
    faults: tuple[str, ...]


_LONGEST_TIME = 32


@lru_cache(maxsize=4096)
def read_time(tag: int, octets: bytes) -> Time:
    """Return the time; raises ``DerError`` for another tag."""
    if tag not in (UTC_TIME, GENERALIZED_TIME) or len(octets) > _LONGEST_TIME:
        raise DerError(f"a time has the tag {tag:02x} and {len(octets)} octets")
    digits = 12 if tag == UTC_TIME else 14
    moment, faults = None, []
    if len(octets) == digits + 1 and octets[-1:] == b"Z" and octets[:-1].isdigit():
        text = octets[:-1].decode("ascii")
        if tag == UTC_TIME:
            text = ("19" if text[:2] >= "50" else "20") + text
        try:
            moment = datetime(
                int(text[:4]),
                int(text[4:6]),
                int(text[6:8]),
                int(text[8:10]),
                int(text[10:12]),
                int(text[12:14]),
                tzinfo=UTC,
            )
        except ValueError:
            faults.append(f"{octets.decode('ascii')} is no date")
        if tag == GENERALIZED_TIME and text < "2050":
            faults.append("a date before 2050 is GeneralizedTime, not UTCTime")
    else:
        form = "YYMMDDHHMMSSZ" if tag == UTC_TIME else "YYYYMMDDHHMMSSZ"
        faults.append(f"a time is not of the form {form}")
    return Time(tag, octets, moment, tuple(faults))


OTHER_NAME, EMAIL, DNS, X400, DIRECTORY, EDI, URI, IP, REGISTERED_ID = range(9)


class GeneralName(NamedTuple):
    """``kind`` is the tag number 0 to 8; ``name`` is there for a directoryName."""

    kind: int
    octets: bytes
    name: Name | None = None

    @property
    def text(self) -> str | None:
        """The IA5 text of an e-mail address, DNS name or URI; None where it is not ASCII."""
        try:
            return self.octets.decode("ascii")
        except UnicodeDecodeError:
            return None


def read_general_name(reader: Reader, tag: int, begin: int, end: int) -> GeneralName:
    """Return the GeneralName whose content lies between the two; raises ``DerError``."""
    kind = tag & 0x1F
    constructed = kind in (OTHER_NAME, X400, DIRECTORY, EDI)
    if tag & 0xC0 != 0x80 or kind > REGISTERED_ID or bool(tag & 0x20) is not constructed:
        raise DerError(f"a GeneralName has the tag {tag:02x}")
    octets = reader.octets[begin:end]
    if kind != DIRECTORY:
        return GeneralName(kind, octets)
    name = read_name(octets)
    for fault in name.faults:
        reader.fault(fault)
    return GeneralName(kind, octets, name)


def read_general_names(reader: Reader, begin: int, end: int) -> tuple[GeneralName, ...]:
    """Return the GeneralNames between the two."""
    return tuple(
        read_general_name(reader, tag, start, stop)
        for _, tag, start, stop in reader.children(begin, end)
    )
