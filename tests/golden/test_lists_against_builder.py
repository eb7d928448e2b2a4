"""The octets of our lists, against cryptography's builder, asn1crypto's encoder and our reader."""

from __future__ import annotations

import hashlib
import random
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from functools import cache
from typing import BinaryIO

import pytest
from asn1crypto import crl as asn1
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat
from cryptography.x509.oid import NameOID
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

import pki.validation  # noqa: F401 - mends asn1crypto's lengths that end in the octet 80
from crl.building import ListFacts, frame, write_list
from pki.reading.crl import open_list
from pki.reasons import Reason, entry_der
from pki.signing import (
    IssuerPrivateKey,
    dummy_signature,
    sign_digest,
)
from policies.profiles import ListScope
from tests.golden.vectors import NOW, private_key

HASHES: dict[str, hashes.SHA256 | hashes.SHA384] = {
    "SHA-256": hashes.SHA256(),
    "SHA-384": hashes.SHA384(),
}
FLAGS = {
    Reason.KEY_COMPROMISE: x509.ReasonFlags.key_compromise,
    Reason.CA_COMPROMISE: x509.ReasonFlags.ca_compromise,
    Reason.AFFILIATION_CHANGED: x509.ReasonFlags.affiliation_changed,
    Reason.SUPERSEDED: x509.ReasonFlags.superseded,
    Reason.CESSATION_OF_OPERATION: x509.ReasonFlags.cessation_of_operation,
    Reason.PRIVILEGE_WITHDRAWN: x509.ReasonFlags.privilege_withdrawn,
}
OF_HOLDERS = (None, *(reason for reason in Reason if reason is not Reason.CA_COMPROMISE))
OF_CAS = (None, *Reason)


@dataclass(frozen=True)
class Revoked:
    """One entry before it is encoded."""

    serial: int
    at: datetime
    reason: Reason | None

    @property
    def der(self) -> bytes:
        return entry_der(self.serial, self.at, self.reason)

    def build(self) -> x509.RevokedCertificate:
        builder = x509.RevokedCertificateBuilder(self.serial, self.at)
        if self.reason is not None:
            builder = builder.add_extension(x509.CRLReason(FLAGS[self.reason]), critical=False)
        return builder.build()


@dataclass(frozen=True)
class Drawn:
    """All that goes into a list."""

    key: str
    facts: ListFacts
    entries: tuple[Revoked, ...]

    def build(self) -> x509.CertificateRevocationList:
        """The list that cryptography's builder makes of it."""
        facts = self.facts
        builder = x509.CertificateRevocationListBuilder(
            facts.issuer.subject, facts.this_update, facts.next_update
        )
        for extension, critical in expected_extensions(facts):
            builder = builder.add_extension(extension, critical)
        for entry in self.entries:
            builder = builder.add_revoked_certificate(entry.build())
        return builder.sign(keys()[self.key], HASHES[facts.hash_name])

    @contextmanager
    def written(self, signature: bytes | None = None) -> Iterator[tuple[BinaryIO, bytes]]:
        """The file that we write, and its octets; signed unless a signature is given."""
        with tempfile.TemporaryFile() as spool, tempfile.TemporaryFile() as file:
            spool.write(b"".join(entry.der for entry in self.entries))
            around = frame(self.facts, spool.tell())
            if signature is None:
                body = around.digest(spool, self.facts.hash_name)
                signature = sign_digest(keys()[self.key], body, self.facts.hash_name)
            write_list(file, self.facts, around, spool, signature)
            file.seek(0)
            yield file, file.read()


def expected_extensions(facts: ListFacts) -> Iterator[tuple[x509.ExtensionType, bool]]:
    """What a list carries, by RFC 5280 section 5.2 and the profiles, put together anew."""
    key_octets = facts.public_key.public_bytes(
        *((Encoding.DER, PublicFormat.PKCS1) if isinstance(facts.public_key, rsa.RSAPublicKey)
          else (Encoding.X962, PublicFormat.UncompressedPoint))
    )  # fmt: skip
    names, serial = None, None
    if facts.issuer_and_serial:
        names = [x509.DirectoryName(facts.issuer.issuer)]
        serial = facts.issuer.serial_number
    yield x509.AuthorityKeyIdentifier(hashlib.sha1(key_octets).digest(), names, serial), False
    yield x509.CRLNumber(facts.number), False
    point: x509.GeneralName | None = None
    if facts.scope is not ListScope.FULL:
        own = x509.NameAttribute(NameOID.COMMON_NAME, facts.scope.value)
        point = x509.DirectoryName(x509.Name([*facts.issuer.subject, own]))
    elif facts.shard_uri is not None:
        point = x509.UniformResourceIdentifier(facts.shard_uri)
    if point is not None:
        only_cas = facts.scope is not ListScope.FULL
        value = x509.IssuingDistributionPoint([point], None, False, only_cas, None, False, False)
        yield value, True


@cache
def keys() -> dict[str, IssuerPrivateKey]:
    return {
        "RSA-2048": private_key("sub"),
        "RSA-3072": rsa.generate_private_key(65537, 3072),
        "P-256": ec.derive_private_key(7, ec.SECP256R1()),
        "P-384": ec.derive_private_key(7, ec.SECP384R1()),
    }


def dn(*units: str, common_name: str | None = None) -> x509.Name:
    given = [(NameOID.COUNTRY_NAME, "JP"), *((NameOID.ORGANIZATION_NAME, one) for one in units)]
    if common_name is not None:
        given.append((NameOID.COMMON_NAME, common_name))
    return x509.Name([x509.NameAttribute(oid, text) for oid, text in given])


@cache
def issuer(key: str, serial: int, subject: x509.Name, above: x509.Name) -> x509.Certificate:
    """A certificate that names so; its signature is nobody's."""
    day = datetime(2000, 1, 1, tzinfo=UTC)
    builder = x509.CertificateBuilder(above, subject, keys()[key].public_key(), serial)
    builder = builder.not_valid_before(day).not_valid_after(day + timedelta(days=30000))
    return builder.sign(keys()["P-256"], hashes.SHA256())


def judge(drawn: Drawn) -> None:
    """Fail unless all three find in our octets what went in."""
    built = drawn.build()
    with drawn.written() as (file, octets):
        made = x509.load_der_x509_crl(octets)
        assert made.tbs_certlist_bytes == built.tbs_certlist_bytes
        assert made.is_signature_valid(drawn.facts.public_key)
        if drawn.key.startswith("RSA"):
            assert octets == built.public_bytes(Encoding.DER)
        assert encoded_anew(octets) == octets
        judge_reading(drawn, file)


def encoded_anew(octets: bytes) -> bytes:
    """What asn1crypto makes of it after it took all apart."""
    anew: bytes = asn1.CertificateList.load(octets, strict=True).dump(force=True)
    return anew


def judge_reading(drawn: Drawn, file: BinaryIO) -> None:
    facts, read = drawn.facts, open_list(file)
    assert read.faults == ()
    assert read.next_update is not None
    assert (read.version, read.number) == (2, facts.number)
    assert read.issuer.der == facts.issuer.subject.public_bytes()
    assert (read.this_update.moment, read.next_update.moment) == (
        facts.this_update,
        facts.next_update,
    )
    assert [
        (one.serial, one.revoked_at.moment, one.reason, one.faults) for one in read.entries()
    ] == [(one.serial, one.at, one.reason, ()) for one in drawn.entries]
    assert {(one.oid, one.octets, one.critical) for one in read.extensions} == {
        (one.oid.dotted_string, one.public_bytes(), critical)
        for one, critical in expected_extensions(facts)
    }


# What is drawn

SECONDS = st.integers(0, int((datetime(2061, 1, 1) - datetime(1999, 1, 1)).total_seconds()) - 1)  # noqa: DTZ001
EDGES = [
    datetime(1999, 12, 31, 23, 59, 59, tzinfo=UTC),
    datetime(2000, 1, 1, tzinfo=UTC),
    datetime(2028, 2, 29, 12, tzinfo=UTC),
    datetime(2049, 12, 31, 23, 59, 59, tzinfo=UTC),
    datetime(2050, 1, 1, tzinfo=UTC),
]


def moment(seconds: int) -> datetime:
    return datetime(1999, 1, 1, tzinfo=UTC) + timedelta(seconds=seconds)


MOMENTS = st.one_of(SECONDS.map(moment), st.sampled_from(EDGES))
SERIALS = st.one_of(
    st.integers(1, (1 << 159) - 1),
    st.integers(1, 20).flatmap(
        lambda octets: st.integers(1 << 8 * octets - 8, (1 << 8 * octets - 1) - 1)
    ),
    st.sampled_from(
        [1, 127, 128, 255, 256, 32767, 32768, (1 << 151) - 1, 1 << 151, (1 << 159) - 1]
    ),
)
NUMBERS = st.one_of(st.integers(0, 5000), SERIALS)
LETTERS = "AZaz09.-会議病院認証局"
TEXTS = st.binary(min_size=1, max_size=20).map(
    lambda octets: "".join(LETTERS[one % len(LETTERS)] for one in octets)
)
NAMES = st.builds(dn, TEXTS, common_name=st.none() | TEXTS)


def many(seed: int, count: int, reasons: tuple[Reason | None, ...]) -> list[Revoked]:
    """As many entries as national lists have in a small region, serials of every length."""
    made = random.Random(seed)
    seconds = 62 * 365 * 86400
    return [
        Revoked(
            made.getrandbits(8 * made.choice((1, 8, 16, 16, 16, 20)) - 1) or 1,
            moment(made.randrange(seconds)),
            made.choice(reasons),
        )
        for _ in range(count)
    ]


@st.composite
def lists(draw: st.DrawFn) -> Drawn:
    key = draw(st.sampled_from(["RSA-2048", "RSA-3072", "P-256", "P-384"]))
    scope = draw(st.sampled_from(ListScope))
    name = draw(NAMES)
    above = name if scope is not ListScope.FULL else draw(NAMES)
    this_update = draw(MOMENTS)
    uri = st.integers(0, 99).map(lambda one: f"http://repository.test/crl/sign-{one}.crl")
    facts = ListFacts(
        issuer(key, draw(SERIALS), name, above),
        scope,
        draw(NUMBERS),
        this_update,
        this_update + timedelta(hours=draw(st.integers(1, 9000))),
        draw(st.sampled_from(["SHA-256", "SHA-384"])),
        draw(st.booleans()),
        draw(st.none() | uri) if scope is ListScope.FULL else None,
    )
    reasons = OF_HOLDERS if scope is ListScope.FULL else OF_CAS
    entry = st.builds(Revoked, SERIALS, MOMENTS, st.sampled_from(reasons))
    entries = draw(st.lists(entry, max_size=6))
    count = draw(st.sampled_from([0, 0, 0, 0, 1, 10, 40, 300]))
    entries += many(draw(st.integers(0, 1 << 32)), draw(st.integers(0, count)), reasons)
    by_serial = {one.serial: one for one in entries}
    return Drawn(key, facts, tuple(by_serial[serial] for serial in sorted(by_serial)))


@pytest.mark.parametrize("examples", [200, pytest.param(1000, marks=pytest.mark.soak)])
def test_random_lists_have_the_same_octets(examples: int) -> None:
    limits = settings(
        max_examples=examples,
        deadline=None,
        derandomize=True,
        database=None,
        suppress_health_check=list(HealthCheck),
    )
    limits(given(lists())(judge))()


# Lengths, whose own encoding grows from 127 to 128, from 255 to 256, from 65535 to 65536

BOUNDARIES = (0x7F, 0xFF, 0xFFFF)
AROUND = (0, 1)


def entries_of(octets: int) -> tuple[Revoked, ...]:
    """Entries of so many octets in all: each has 20 to 39 by the length of its serial."""
    count = -(-octets // 39)
    lengths = sorted(octets // count - 19 + (place < octets % count) for place in range(count))
    found = tuple(
        Revoked((1 << 8 * length - 8) + (place if length > 2 else 0), NOW, None)
        for place, length in enumerate(lengths)
    )
    assert sum(len(one.der) for one in found) == octets
    return found


def of_name(letters: int, key: str) -> ListFacts:
    """What a list says whose issuer's name has so many letters."""
    name = dn(common_name="A" * letters)
    made, until = issuer(key, 1, name, name), NOW + timedelta(hours=96)
    return ListFacts(made, ListScope.FULL, 1, NOW, until, "SHA-256", issuer_and_serial=False)


def content_octets(element: bytes) -> int:
    """The length that a DER element says."""
    first = element[1]
    return first if first < 0x80 else int.from_bytes(element[2 : 2 + first - 0x80], "big")


def dummy_signed(drawn: Drawn) -> bytes:
    """The list with a signature of the longest length, which real ones of EC keys seldom have."""
    with drawn.written(dummy_signature(drawn.facts.public_key)) as (_, octets):
        return octets


def list_octets(drawn: Drawn) -> int:
    return content_octets(dummy_signed(drawn))


def to_be_signed_octets(drawn: Drawn) -> int:
    return content_octets(x509.load_der_x509_crl(dummy_signed(drawn)).tbs_certlist_bytes)


def grown(key: str, octets: int, measure: Callable[[Drawn], int]) -> Drawn:
    """The list that measures so much: entries to come near, then letters, one octet each."""
    lacking = octets - measure(Drawn(key, of_name(1, key), ()))
    entries = entries_of(lacking - 32) if lacking > 60 else ()
    made = (Drawn(key, of_name(letters, key), entries) for letters in range(1, 65))
    return next(one for one in made if measure(one) == octets)


@pytest.mark.parametrize("more", AROUND)
@pytest.mark.parametrize("octets", BOUNDARIES)
def test_entries_of_every_length(octets: int, more: int) -> None:
    drawn = Drawn("RSA-2048", of_name(8, "RSA-2048"), entries_of(octets + more))
    judge(drawn)
    with drawn.written() as (file, _):
        begin, end = open_list(file).entries_bounds or (0, 0)
    assert end - begin == octets + more


@pytest.mark.parametrize("more", AROUND)
@pytest.mark.parametrize("octets", BOUNDARIES)
def test_to_be_signed_of_every_length(octets: int, more: int) -> None:
    judge(grown("P-256", octets + more, to_be_signed_octets))


@pytest.mark.parametrize("more", AROUND)
@pytest.mark.parametrize(("key", "octets"), [("P-256", 0xFF), ("RSA-2048", 0xFFFF)])
def test_lists_of_every_length(key: str, octets: int, more: int) -> None:
    """None has 128 octets: a signature and what must stand there are more."""
    drawn = grown(key, octets + more, list_octets)
    judge(drawn)
    assert encoded_anew(dummy_signed(drawn)) == dummy_signed(drawn)


def test_asn1crypto_takes_all_apart() -> None:
    """It would not give back the octets of a list that are not DER, however deep inside."""
    drawn = Drawn("RSA-2048", of_name(8, "RSA-2048"), (Revoked(1, NOW, Reason.SUPERSEDED),))
    with drawn.written() as (_, octets):
        pass
    flag = bytes.fromhex("0603551d15")
    assert octets.count(flag) == 1
    long_form = bytes.fromhex("068103551d15")
    shifted = bytearray(octets.replace(flag, long_form))
    for place in _lengths_above(octets, octets.index(flag)):
        shifted[place] += 1
    assert encoded_anew(bytes(shifted)) == octets


def _lengths_above(octets: bytes, inner: int) -> Iterator[int]:
    """The places of the last length octet of each element around the place."""
    at = 0
    while at < inner:
        size = 1 if octets[at + 1] < 0x80 else 1 + octets[at + 1] - 0x80
        begin = at + 1 + size
        stop = begin + content_octets(octets[at : at + 6])
        if inner < stop:
            yield begin - 1
            at = begin
        else:
            at = stop
