"""Extensions as they are encoded, and their values. Source: RFC 5280 sections 4.2, 5.2 and 5.3.

A value that cannot be read is kept as its octets with the reason; it never ends the reading of
what holds it.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import lru_cache
from typing import Any, NamedTuple

from pki import oids
from pki.reading.tlv import (
    BIT_STRING,
    BOOLEAN,
    ENUMERATED,
    GENERALIZED_TIME,
    INTEGER,
    NULL,
    OCTET_STRING,
    OID,
    SEQUENCE,
    SET,
    UTC_TIME,
    DerError,
    Reader,
)
from pki.reading.values import (
    GeneralName,
    Time,
    read_general_name,
    read_general_names,
    read_time,
)

KEY_USAGE_BITS = (
    "digitalSignature",
    "nonRepudiation",
    "keyEncipherment",
    "dataEncipherment",
    "keyAgreement",
    "keyCertSign",
    "cRLSign",
    "encipherOnly",
    "decipherOnly",
)


class Extension(NamedTuple):
    """One extension: dotted type, criticality, extnValue contents, and what they say.

    ``value`` is of the type that ``READERS`` gives for the extension, None where the type is not
    known or ``unreadable`` says why it cannot be read. ``faults`` are breaches of DER.
    """

    oid: str
    critical: bool
    octets: bytes
    value: Any
    unreadable: str | None
    faults: tuple[str, ...]


class AuthorityKeyIdentifier(NamedTuple):
    """The three optional parts; ``serial`` as INTEGER value."""

    key_identifier: bytes | None
    issuer: tuple[GeneralName, ...] | None
    serial: int | None


class BasicConstraints(NamedTuple):
    """cA and pathLenConstraint."""

    ca: bool
    path_length: int | None


class Qualifier(NamedTuple):
    """A policy qualifier: its type, and tag and octets of its value."""

    oid: str
    tag: int
    octets: bytes


class PolicyInformation(NamedTuple):
    """One policy with its qualifiers; None where there is no list of them."""

    oid: str
    qualifiers: tuple[Qualifier, ...] | None


class DistributionPoint(NamedTuple):
    """One point: full name or relative name, the octets of reasons, and the cRLIssuer."""

    full_name: tuple[GeneralName, ...] | None
    relative_name: bytes | None
    reasons: bytes | None
    crl_issuer: tuple[GeneralName, ...] | None


class IssuingDistributionPoint(NamedTuple):
    """The list's own point and its flags."""

    full_name: tuple[GeneralName, ...] | None
    relative_name: bytes | None
    only_user: bool
    only_ca: bool
    some_reasons: bytes | None
    indirect: bool
    only_attribute: bool


class Subtree(NamedTuple):
    """A subtree of nameConstraints with its distances."""

    base: GeneralName
    minimum: int
    maximum: int | None


class NameConstraints(NamedTuple):
    """Permitted and excluded subtrees; None where absent."""

    permitted: tuple[Subtree, ...] | None
    excluded: tuple[Subtree, ...] | None


class PolicyConstraints(NamedTuple):
    """The two skip counts; None where absent."""

    require_explicit_policy: int | None
    inhibit_policy_mapping: int | None


class PrivateKeyUsagePeriod(NamedTuple):
    """notBefore and notAfter as octets of GeneralizedTime; None where absent."""

    not_before: bytes | None
    not_after: bytes | None


class DirectoryAttribute(NamedTuple):
    """One attribute of subjectDirectoryAttributes: type and the DER of each value."""

    oid: str
    values: tuple[bytes, ...]


class AccessDescription(NamedTuple):
    """Access method and where."""

    method: str
    location: GeneralName


def _authority_key(reader: Reader) -> AuthorityKeyIdentifier:
    parts: dict[int, Any] = {}
    for number, begin, end in _tagged(reader, {0x80: 0, 0xA1: 1, 0x82: 2}, "the AKI"):
        if number == 0:
            parts[0] = reader.octets[begin:end]
        elif number == 1:
            parts[1] = read_general_names(reader, begin, end)
        else:
            parts[2] = reader.integer(begin, end)
    return AuthorityKeyIdentifier(parts.get(0), parts.get(1), parts.get(2))


def _octet_string(reader: Reader) -> bytes:
    begin, end = reader.whole(OCTET_STRING, "the value")
    return reader.octets[begin:end]


def _key_usage(reader: Reader) -> frozenset[str]:
    octets, unused = _named_bits(reader, *reader.whole(BIT_STRING, "keyUsage"), "keyUsage")
    count = len(octets) * 8 - unused
    bits = [i for i in range(count) if octets[i // 8] & (0x80 >> i % 8)]
    if any(bit >= len(KEY_USAGE_BITS) for bit in bits):
        raise DerError("keyUsage has a bit that RFC 5280 does not name")
    return frozenset(KEY_USAGE_BITS[bit] for bit in bits)


def _named_bits(reader: Reader, begin: int, end: int, what: str) -> tuple[bytes, int]:
    octets, unused = reader.bit_string(begin, end)
    if octets and not octets[-1] >> unused & 1:
        reader.fault(f"{what} is encoded with trailing zero bits")
    return octets, unused


def _basic_constraints(reader: Reader) -> BasicConstraints:
    ca, length = False, None
    stage = 0
    for _, tag, begin, end in reader.children(*reader.whole(SEQUENCE, "basicConstraints")):
        if tag == BOOLEAN and stage == 0:
            ca, stage = reader.boolean(begin, end), 1
            if not ca:
                reader.fault("cA FALSE is encoded although it is the default")
        elif tag == INTEGER and stage < 2:
            length, stage = reader.integer(begin, end), 2
        else:
            raise DerError(f"basicConstraints holds the tag {tag:02x} where it cannot stand")
    return BasicConstraints(ca, length)


def _policies(reader: Reader) -> tuple[PolicyInformation, ...]:
    found = []
    for _, tag, begin, end in reader.children(*reader.whole(SEQUENCE, "certificatePolicies")):
        if tag != SEQUENCE:
            raise DerError("a PolicyInformation is no SEQUENCE")
        oid_begin, oid_end = reader.expect(OID, begin, end, "a policy")
        qualifiers = None
        if oid_end < end:
            list_begin, list_end = reader.expect(SEQUENCE, oid_end, end, "the qualifiers")
            if list_end != end:
                raise DerError("a PolicyInformation has more than policy and qualifiers")
            qualifiers = tuple(
                _qualifier(reader, inner, start, stop)
                for _, inner, start, stop in reader.children(list_begin, list_end)
            )
        found.append(PolicyInformation(reader.oid(oid_begin, oid_end), qualifiers))
    return tuple(found)


def _qualifier(reader: Reader, tag: int, begin: int, end: int) -> Qualifier:
    if tag != SEQUENCE:
        raise DerError("a policy qualifier is no SEQUENCE")
    oid_begin, oid_end = reader.expect(OID, begin, end, "a qualifier's type")
    kind, value_begin, value_end = reader.element(oid_end, end)
    if value_end != end:
        raise DerError("a policy qualifier has more than type and value")
    return Qualifier(reader.oid(oid_begin, oid_end), kind, reader.octets[value_begin:value_end])


def _policy_mappings(reader: Reader) -> tuple[tuple[str, str], ...]:
    found = []
    for _, tag, begin, end in reader.children(*reader.whole(SEQUENCE, "policyMappings")):
        if tag != SEQUENCE:
            raise DerError("a policy mapping is no SEQUENCE")
        first_begin, first_end = reader.expect(OID, begin, end, "issuerDomainPolicy")
        second_begin, second_end = reader.expect(OID, first_end, end, "subjectDomainPolicy")
        if second_end != end:
            raise DerError("a policy mapping has more than two policies")
        found.append((reader.oid(first_begin, first_end), reader.oid(second_begin, second_end)))
    return tuple(found)


def _general_names(reader: Reader) -> tuple[GeneralName, ...]:
    return read_general_names(reader, *reader.whole(SEQUENCE, "GeneralNames"))


def _distribution_points(reader: Reader) -> tuple[DistributionPoint, ...]:
    found = []
    for _, tag, begin, end in reader.children(*reader.whole(SEQUENCE, "the distribution points")):
        if tag != SEQUENCE:
            raise DerError("a DistributionPoint is no SEQUENCE")
        point: dict[int, Any] = {}
        allowed = {0xA0: 0, 0x81: 1, 0xA2: 2}
        for number, start, stop in _in_order(reader, begin, end, allowed, "a DistributionPoint"):
            if number == 0:
                point[0] = _point_name(reader, start, stop)
            elif number == 1:
                point[1], _ = _named_bits(reader, start, stop, "reasons")
            else:
                point[2] = read_general_names(reader, start, stop)
        full, relative = point.get(0, (None, None))
        found.append(DistributionPoint(full, relative, point.get(1), point.get(2)))
    return tuple(found)


def _point_name(
    reader: Reader, begin: int, end: int
) -> tuple[tuple[GeneralName, ...] | None, bytes | None]:
    tag, start, stop = reader.element(begin, end)
    if stop != end or tag not in (0xA0, 0xA1):
        raise DerError("a DistributionPointName is neither full nor relative name")
    if tag == 0xA0:
        return read_general_names(reader, start, stop), None
    return None, reader.octets[start:stop]


def _issuing_point(reader: Reader) -> IssuingDistributionPoint:
    full = relative = reasons = None
    flags = {1: False, 2: False, 4: False, 5: False}
    allowed = {0xA0: 0, 0x81: 1, 0x82: 2, 0x83: 3, 0x84: 4, 0x85: 5}
    for number, begin, end in _tagged(reader, allowed, "issuingDistributionPoint"):
        if number == 0:
            full, relative = _point_name(reader, begin, end)
        elif number == 3:
            reasons, _ = _named_bits(reader, begin, end, "onlySomeReasons")
        else:
            flags[number] = reader.boolean(begin, end)
            if not flags[number]:
                reader.fault("a flag FALSE is encoded although it is the default")
    return IssuingDistributionPoint(full, relative, flags[1], flags[2], reasons, flags[4], flags[5])


def _key_purposes(reader: Reader) -> tuple[str, ...]:
    found = []
    for _, tag, begin, end in reader.children(*reader.whole(SEQUENCE, "extKeyUsage")):
        if tag != OID:
            raise DerError("a key purpose is no OBJECT IDENTIFIER")
        found.append(reader.oid(begin, end))
    return tuple(found)


def _name_constraints(reader: Reader) -> NameConstraints:
    parts: dict[int, tuple[Subtree, ...]] = {}
    for number, begin, end in _tagged(reader, {0xA0: 0, 0xA1: 1}, "nameConstraints"):
        parts[number] = tuple(
            _subtree(reader, tag, start, stop)
            for _, tag, start, stop in reader.children(begin, end)
        )
    return NameConstraints(parts.get(0), parts.get(1))


def _subtree(reader: Reader, tag: int, begin: int, end: int) -> Subtree:
    if tag != SEQUENCE:
        raise DerError("a subtree is no SEQUENCE")
    base_tag, start, stop = reader.element(begin, end)
    base = read_general_name(reader, base_tag, start, stop)
    minimum, maximum = 0, None
    for number, first, last in _in_order(reader, stop, end, {0x80: 0, 0x81: 1}, "a subtree"):
        value = reader.integer(first, last)
        if number == 0:
            minimum = value
            if minimum == 0:
                reader.fault("minimum 0 is encoded although it is the default")
        else:
            maximum = value
    return Subtree(base, minimum, maximum)


def _policy_constraints(reader: Reader) -> PolicyConstraints:
    parts = {
        number: reader.integer(begin, end)
        for number, begin, end in _tagged(reader, {0x80: 0, 0x81: 1}, "policyConstraints")
    }
    return PolicyConstraints(parts.get(0), parts.get(1))


def _usage_period(reader: Reader) -> PrivateKeyUsagePeriod:
    parts = {
        number: reader.octets[begin:end]
        for number, begin, end in _tagged(reader, {0x80: 0, 0x81: 1}, "privateKeyUsagePeriod")
    }
    return PrivateKeyUsagePeriod(parts.get(0), parts.get(1))


def _directory_attributes(reader: Reader) -> tuple[DirectoryAttribute, ...]:
    found = []
    what = "subjectDirectoryAttributes"
    for _, tag, begin, end in reader.children(*reader.whole(SEQUENCE, what)):
        if tag != SEQUENCE:
            raise DerError("an Attribute is no SEQUENCE")
        oid_begin, oid_end = reader.expect(OID, begin, end, "an Attribute's type")
        set_begin, set_end = reader.expect(SET, oid_end, end, "an Attribute's values")
        if set_end != end:
            raise DerError("an Attribute has more than type and values")
        values = tuple(
            reader.octets[at:stop] for at, _, _, stop in reader.children(set_begin, set_end)
        )
        if list(values) != sorted(values):
            reader.fault("the values of an Attribute are not in DER's order")
        found.append(DirectoryAttribute(reader.oid(oid_begin, oid_end), values))
    return tuple(found)


def _access(reader: Reader) -> tuple[AccessDescription, ...]:
    found = []
    for _, tag, begin, end in reader.children(*reader.whole(SEQUENCE, "the access descriptions")):
        if tag != SEQUENCE:
            raise DerError("an AccessDescription is no SEQUENCE")
        oid_begin, oid_end = reader.expect(OID, begin, end, "an access method")
        kind, start, stop = reader.element(oid_end, end)
        if stop != end:
            raise DerError("an AccessDescription has more than method and location")
        location = read_general_name(reader, kind, start, stop)
        found.append(AccessDescription(reader.oid(oid_begin, oid_end), location))
    return tuple(found)


def _integer(reader: Reader) -> int:
    return reader.integer(*reader.whole(INTEGER, "the value"))


def _enumerated(reader: Reader) -> int:
    return reader.integer(*reader.whole(ENUMERATED, "the value"))


def _time(reader: Reader) -> Time:
    tag = UTC_TIME if reader.octets[:1] == bytes((UTC_TIME,)) else GENERALIZED_TIME
    begin, end = reader.whole(tag, "the time")
    return read_time(tag, reader.octets[begin:end])


def _null(reader: Reader) -> bool:
    begin, end = reader.whole(NULL, "the value")
    if begin != end:
        raise DerError("a NULL has content")
    return True


def _tagged(reader: Reader, allowed: dict[int, int], what: str) -> list[tuple[int, int, int]]:
    return _in_order(reader, *reader.whole(SEQUENCE, what), allowed, what)


def _in_order(
    reader: Reader, begin: int, end: int, allowed: dict[int, int], what: str
) -> list[tuple[int, int, int]]:
    """Return field number and content bounds of each context-tagged field, none twice."""
    found: list[tuple[int, int, int]] = []
    for _, tag, start, stop in reader.children(begin, end):
        number = allowed.get(tag)
        if number is None:
            raise DerError(f"{what} holds the tag {tag:02x}, which it has not")
        if found and found[-1][0] >= number:
            raise DerError(f"{what} has a field twice or out of order")
        found.append((number, start, stop))
    return found


READERS: dict[str, Callable[[Reader], Any]] = {
    oids.SUBJECT_DIRECTORY_ATTRIBUTES: _directory_attributes,
    oids.SUBJECT_KEY_IDENTIFIER: _octet_string,
    oids.KEY_USAGE: _key_usage,
    oids.PRIVATE_KEY_USAGE_PERIOD: _usage_period,
    oids.SUBJECT_ALT_NAME: _general_names,
    oids.ISSUER_ALT_NAME: _general_names,
    oids.BASIC_CONSTRAINTS: _basic_constraints,
    oids.CRL_NUMBER: _integer,
    oids.REASON_CODE: _enumerated,
    oids.INVALIDITY_DATE: _time,
    oids.DELTA_CRL_INDICATOR: _integer,
    oids.ISSUING_DISTRIBUTION_POINT: _issuing_point,
    oids.CERTIFICATE_ISSUER: _general_names,
    oids.NAME_CONSTRAINTS: _name_constraints,
    oids.CRL_DISTRIBUTION_POINTS: _distribution_points,
    oids.CERTIFICATE_POLICIES: _policies,
    oids.POLICY_MAPPINGS: _policy_mappings,
    oids.AUTHORITY_KEY_IDENTIFIER: _authority_key,
    oids.POLICY_CONSTRAINTS: _policy_constraints,
    oids.EXTENDED_KEY_USAGE: _key_purposes,
    oids.FRESHEST_CRL: _distribution_points,
    oids.INHIBIT_ANY_POLICY: _integer,
    oids.AUTHORITY_INFO_ACCESS: _access,
    oids.SUBJECT_INFO_ACCESS: _access,
    oids.OCSP_NO_CHECK: _null,
}
"""How each known extension's value is read; the types are those of this module."""


def read_extensions(reader: Reader, begin: int, end: int) -> tuple[Extension, ...]:
    """Return the extensions between the two; raises ``DerError`` for what is no extension."""
    found = []
    octets = reader.octets
    for _, tag, start, stop in reader.children(begin, end):
        if tag != SEQUENCE:
            raise DerError("an extension is no SEQUENCE")
        oid_begin, at = reader.expect(OID, start, stop, "an extension's type")
        oid = reader.oid(oid_begin, at)
        critical = False
        inner, value_begin, value_end = reader.element(at, stop)
        if inner == BOOLEAN:
            critical = reader.boolean(value_begin, value_end)
            if not critical:
                reader.fault("critical FALSE is encoded although it is the default")
            inner, value_begin, value_end = reader.element(value_end, stop)
        if inner != OCTET_STRING or value_end != stop:
            raise DerError(f"the extension {oid} is not type, criticality and value")
        content = octets[value_begin:value_end]
        found.append(Extension(oid, critical, content, *_value(oid, content)))
    return tuple(found)


def _value(oid: str, octets: bytes) -> tuple[Any, str | None, tuple[str, ...]]:
    return _kept_value(oid, octets) if len(octets) <= _MOST_KEPT else _read_value(oid, octets)


def _read_value(oid: str, octets: bytes) -> tuple[Any, str | None, tuple[str, ...]]:
    read = READERS.get(oid)
    if read is None:
        return None, None, ()
    reader = Reader(octets)
    try:
        return read(reader), None, tuple(reader.faults)
    except DerError as error:
        return None, str(error), tuple(reader.faults)


_MOST_KEPT = 512
_kept_value = lru_cache(maxsize=1024)(_read_value)
"""A value takes up to fifty times its octets in memory: at worst some 25 megabytes are kept."""
