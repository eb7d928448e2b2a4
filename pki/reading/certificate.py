"""A certificate as it is encoded. Source: RFC 5280 section 4.1."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

from pki import oids
from pki.errors import InvalidInput
from pki.reading.extensions import Extension, read_extensions
from pki.reading.tlv import BIT_STRING, INTEGER, OID, SEQUENCE, DerError, Reader
from pki.reading.values import Name, Time, read_name, read_time

MAX_OCTETS = 64 * 1024


@dataclass(frozen=True)
class PublicKey:
    """subjectPublicKeyInfo: its DER, algorithm, parameters (DER) and the key's octets.

    ``modulus`` and ``exponent`` are there for a readable RSA key, ``curve`` for a known curve;
    ``faults`` are breaches of DER.
    """

    der: bytes
    algorithm: str
    parameters: bytes
    octets: bytes
    modulus: int | None = None
    exponent: int | None = None
    curve: str | None = None
    faults: tuple[str, ...] = ()

    @cached_property
    def sha1(self) -> bytes:
        """SHA-1 of the BIT STRING's contents: the key identifier by method 1."""
        return hashlib.sha1(self.octets).digest()  # noqa: S324  # an identifier by RFC 5280 4.2.1.2

    @property
    def text(self) -> str:
        """Algorithm and size for people: ``RSA 2048``, ``secp256r1``, or the OID."""
        if self.modulus is not None:
            return f"RSA {self.modulus.bit_length()}"
        return self.curve or self.algorithm


@dataclass(frozen=True)
class Certificate:
    """All parts, with what is not DER in ``faults``; ``version`` is 1 to 3 if it is sound.

    ``signature_inside`` and ``signature_outside`` are the DER of the two AlgorithmIdentifiers.
    ``has_extensions``: the field is there, be it with no extension in it.
    """

    der: bytes
    tbs_der: bytes
    version: int
    serial: int
    signature_inside: bytes
    issuer: Name
    not_before: Time
    not_after: Time
    subject: Name
    public_key: PublicKey
    unique_ids: bool
    has_extensions: bool
    extensions: tuple[Extension, ...]
    signature_outside: bytes
    signature: bytes
    faults: tuple[str, ...]
    by_oid: dict[str, Extension] = field(repr=False, compare=False)

    @cached_property
    def sha256(self) -> str:
        """SHA-256 of the DER in hexadecimal."""
        return hashlib.sha256(self.der).hexdigest()

    @property
    def self_issued(self) -> bool:
        """Whether subject and issuer are the same name."""
        return self.subject.der == self.issuer.der

    def value(self, oid: str) -> Any:
        """Return the readable value of the first extension of the type, or None."""
        found = self.by_oid.get(oid)
        return None if found is None else found.value


def serial_in(tbs_der: bytes) -> int:
    """Return the serial number of a TBSCertificate; raises ``DerError``."""
    reader = Reader(tbs_der)
    begin, end = reader.whole(SEQUENCE, "the TBSCertificate")
    tag, _, after = reader.element(begin, end)
    at = after if tag == 0xA0 else begin
    return reader.integer(*reader.expect(INTEGER, at, end, "the serial number"))


def read_certificate(der: bytes) -> Certificate:
    """Return the certificate that the octets are.

    Raises ``InvalidInput`` (pki.certificate.unreadable) where its structure cannot be followed. An
    extension with an unreadable value does not hinder; a breach of DER is a fault.
    """
    if len(der) > MAX_OCTETS:
        raise InvalidInput("pki.certificate.size", f"a certificate has at most {MAX_OCTETS} octets")
    try:
        return _read(der)
    except DerError as error:
        raise InvalidInput(
            "pki.certificate.unreadable", f"this is no certificate: {error}"
        ) from None


def _read(der: bytes) -> Certificate:
    reader = Reader(der)
    begin, end = reader.whole(SEQUENCE, "the certificate")
    tbs_begin, tbs_end = reader.expect(SEQUENCE, begin, end, "tbsCertificate")
    outside, algorithm_end = reader.expect(SEQUENCE, tbs_end, end, "signatureAlgorithm")
    signature_begin, signature_end = reader.expect(BIT_STRING, algorithm_end, end, "the signature")
    if signature_end != end:
        raise DerError("a certificate has more than three parts")
    at = tbs_begin
    version = 1
    if der[at : at + 1] == b"\xa0":
        start, at = reader.expect(0xA0, at, tbs_end, "the version")
        number_begin, number_end = reader.expect(INTEGER, start, at, "the version")
        version = reader.integer(number_begin, number_end) + 1
        if number_end != at:
            raise DerError("the version is more than one INTEGER")
        if version == 1:
            reader.fault("version v1 is encoded although it is the default")
    serial_begin, at = reader.expect(INTEGER, at, tbs_end, "the serial number")
    serial = reader.integer(serial_begin, at)
    inside = at
    begin_inside, at = reader.expect(SEQUENCE, at, tbs_end, "signature")
    _look_at_algorithm(reader, begin_inside, at, "signature")
    _look_at_algorithm(reader, outside, algorithm_end, "signatureAlgorithm")
    signature_inside = der[inside:at]
    issuer_at = at
    _, at = reader.expect(SEQUENCE, at, tbs_end, "the issuer")
    issuer = read_name(der[issuer_at:at])
    period_begin, at = reader.expect(SEQUENCE, at, tbs_end, "validity")
    tag, time_begin, time_end = reader.element(period_begin, at)
    not_before = read_time(tag, der[time_begin:time_end])
    tag, time_begin, time_end = reader.element(time_end, at)
    not_after = read_time(tag, der[time_begin:time_end])
    if time_end != at:
        raise DerError("validity has more than two times")
    subject_at = at
    _, at = reader.expect(SEQUENCE, at, tbs_end, "the subject")
    subject = read_name(der[subject_at:at])
    key_at = at
    _, at = reader.expect(SEQUENCE, at, tbs_end, "subjectPublicKeyInfo")
    public_key = read_public_key(der[key_at:at])
    unique_ids = False
    extensions: tuple[Extension, ...] = ()
    stage = 0
    for _, tag, start, stop in reader.children(at, tbs_end):
        number = {0x81: 1, 0x82: 2, 0xA3: 3}.get(tag, 0)
        if number <= stage:
            raise DerError(f"tbsCertificate holds the tag {tag:02x} where it cannot stand")
        stage = number
        if number < 3:
            unique_ids = True
            continue
        list_begin, list_end = reader.expect(SEQUENCE, start, stop, "the extensions")
        if list_end != stop:
            raise DerError("the extensions are more than one SEQUENCE")
        extensions = read_extensions(reader, list_begin, list_end)
    signature, unused = reader.bit_string(signature_begin, signature_end)
    if unused:
        reader.fault("the signature has unused bits")
    by_oid: dict[str, Extension] = {}
    for extension in extensions:
        by_oid.setdefault(extension.oid, extension)
    return Certificate(
        der,
        der[begin:tbs_end],
        version,
        serial,
        signature_inside,
        issuer,
        not_before,
        not_after,
        subject,
        public_key,
        unique_ids,
        stage == 3,
        extensions,
        der[tbs_end:algorithm_end],
        signature,
        (*reader.faults, *issuer.faults, *subject.faults, *public_key.faults),
        by_oid,
    )


def _look_at_algorithm(reader: Reader, begin: int, end: int, what: str) -> None:
    """Note what is wrong with an AlgorithmIdentifier, which is kept as octets only."""
    try:
        oid_begin, oid_end = reader.expect(OID, begin, end, "the algorithm")
        reader.oid(oid_begin, oid_end)
        _look_at_parameters(reader, oid_end, end, what)
    except DerError as error:
        reader.fault(f"{what} cannot be read: {error}")


def _look_at_parameters(reader: Reader, begin: int, end: int, what: str) -> None:
    try:
        if begin < end and reader.element(begin, end)[2] != end:
            reader.fault(f"{what} has more than algorithm and parameters")
    except DerError as error:
        reader.fault(f"the parameters in {what} cannot be read: {error}")


def read_public_key(der: bytes) -> PublicKey:
    """Return subjectPublicKeyInfo; raises ``DerError``."""
    reader = Reader(der)
    begin, end = reader.whole(SEQUENCE, "subjectPublicKeyInfo")
    algorithm_begin, algorithm_end = reader.expect(SEQUENCE, begin, end, "the key's algorithm")
    bits_begin, bits_end = reader.expect(BIT_STRING, algorithm_end, end, "the key")
    if bits_end != end:
        raise DerError("subjectPublicKeyInfo has more than two parts")
    oid_begin, oid_end = reader.expect(OID, algorithm_begin, algorithm_end, "the key's algorithm")
    algorithm = reader.oid(oid_begin, oid_end)
    parameters = der[oid_end:algorithm_end]
    octets, unused = reader.bit_string(bits_begin, bits_end)
    if unused:
        reader.fault("the key has unused bits")
    modulus = exponent = curve = None
    if algorithm == oids.RSA_ENCRYPTION:
        modulus, exponent = _rsa_numbers(octets)
    if algorithm == oids.EC_PUBLIC_KEY and parameters[:1] == b"\x06":
        inner = Reader(parameters)
        curve = oids.CURVES.get(inner.oid(*inner.whole(OID, "the curve")))
        reader.faults += inner.faults
    else:
        _look_at_parameters(reader, oid_end, algorithm_end, "the key's algorithm")
    faults = tuple(reader.faults)
    return PublicKey(der, algorithm, parameters, octets, modulus, exponent, curve, faults)


def _rsa_numbers(octets: bytes) -> tuple[int | None, int | None]:
    reader = Reader(octets)
    try:
        begin, end = reader.whole(SEQUENCE, "the RSA key")
        first, middle = reader.expect(INTEGER, begin, end, "the modulus")
        second, last = reader.expect(INTEGER, middle, end, "the exponent")
        numbers = reader.integer(first, middle), reader.integer(second, last)
        return numbers if last == end and not reader.faults else (None, None)
    except DerError:
        return None, None
