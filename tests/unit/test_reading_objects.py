"""Files of certificates and lists, and entries of lists, sound and broken."""

from __future__ import annotations

import base64
import random
import time
from collections.abc import Iterator

import pytest

from pki.errors import InvalidInput
from pki.reading.certificate import Certificate
from pki.reading.crl import Entry, RevocationList, read_list
from pki.reading.entries import other_entry
from pki.reading.objects import objects_in
from pki.reading.tlv import DerError
from tests.golden.lint.case import Draft, octets_of
from tests.golden.lint.cases_certificate import as_written
from tests.golden.lint.shapes import rdn
from tests.golden.lint.sound import sound_octets
from tests.golden.lint.tree import Node

CERTIFICATE, ROOT = sound_octets("root")[0], sound_octets("sub-ca-sign")[1]
LIST = sound_octets("list")[0]


def pem(der: bytes, label: str = "CERTIFICATE", end: bytes = b"\n") -> bytes:
    body = base64.encodebytes(der).replace(b"\n", end)
    name = label.encode()
    return b"-----BEGIN " + name + b"-----" + end + body + b"-----END " + name + b"-----" + end


def codes(octets: bytes) -> tuple[int, str]:
    """How many objects are read, and the code of the error that ends it."""
    count = 0
    try:
        for _ in objects_in(octets):
            count += 1
    except InvalidInput as error:
        return count, error.code
    return count, ""


def test_der_is_a_certificate_or_a_list() -> None:
    (certificate,) = objects_in(CERTIFICATE)
    (crl,) = objects_in(LIST)
    assert isinstance(certificate, Certificate)
    assert isinstance(crl, RevocationList)
    assert (certificate.der, octets_of(crl)) == (CERTIFICATE, LIST)


@pytest.mark.parametrize("end", [b"\n", b"\r\n", b"\r", b"\n \t"])
def test_pem_with_text_around(end: bytes) -> None:
    octets = b"issuer: x" + end + pem(CERTIFICATE, end=end) + b"- and -----" + end
    octets += pem(LIST, "X509 CRL", end) + b"the end"
    assert [octets_of(one) for one in objects_in(octets)] == [CERTIFICATE, LIST]


def test_pem_without_a_last_line_end() -> None:
    assert [octets_of(one) for one in objects_in(pem(CERTIFICATE)[:-1])] == [CERTIFICATE]


def test_der_with_the_words_of_pem_in_it_is_der() -> None:
    inside = b"-----BEGIN CERTIFICATE-----"
    assert inside in (octets := CERTIFICATE[:-40] + inside + CERTIFICATE[-13:])
    (found,) = objects_in(octets)
    assert octets_of(found) == octets


@pytest.mark.parametrize(
    ("octets", "expected"),
    [
        (b"", (0, "pki.certificate.unreadable")),
        (b"\x30", (0, "pki.certificate.unreadable")),
        (b"nothing of the kind", (0, "pki.certificate.unreadable")),
        (pem(b"\x30\x00", "PRIVATE KEY"), (0, "pki.pem.label")),
        (pem(CERTIFICATE) + pem(b"\x30\x00", "X509 CERTIFICATE"), (1, "pki.pem.label")),
        (pem(LIST), (0, "pki.certificate.unreadable")),
        (pem(CERTIFICATE, "X509 CRL"), (0, "pki.crl.unreadable")),
        (pem(CERTIFICATE)[:-20], (0, "pki.pem.cut")),
        (pem(CERTIFICATE) + pem(ROOT)[:-1500], (1, "pki.pem.cut")),
        (pem(CERTIFICATE)[:-1500] + pem(ROOT), (0, "pki.pem.base64")),
        (
            b"-----BEGIN CERTIFICATE-----\nProc-Type: 4\n-----END CERTIFICATE-----",
            (0, "pki.pem.base64"),
        ),
        (
            b"-----BEGIN CERTIFICATE-----\n-----END CERTIFICATE-----",
            (0, "pki.certificate.unreadable"),
        ),
        (b"-----BEGIN -----\n-----END -----", (0, "pki.pem.cut")),
        (b"-----BEGIN \x1b[2J-----\n-----END \x1b[2J-----", (0, "pki.pem.cut")),
        (pem(CERTIFICATE, "A" * 41), (0, "pki.pem.cut")),
        (pem(CERTIFICATE, "A" * 40), (0, "pki.pem.label")),
    ],
    ids=range(16),
)
def test_what_cannot_be_read_is_told(octets: bytes, expected: tuple[int, str]) -> None:
    assert codes(octets) == expected


def test_a_file_has_a_bounded_number_of_objects(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("pki.reading.objects.MAX_OBJECTS", 2)
    assert codes(pem(CERTIFICATE) * 2) == (2, "")
    assert codes(pem(CERTIFICATE) * 3) == (2, "pki.pem.count")


@pytest.mark.parametrize(
    "octets",
    [
        b"-" * 10_000_000,
        b"-----BEGIN " + b"-" * 10_000_000,
        b"-----BEGIN CERTIFICATE-----\n" * 400_000,
        b"-----BEGIN CERTIFICATE-----\n" + b"A" * 10_000_000,
        b"-----BEGIN " * 1_000_000,
        b"-----BEGIN CERTIFICATE-----" + b" " * 10_000_000 + b"-----END CERTIFICATE-----",
        b"-----BEGIN CERTIFICATE-----\nAA==\n" + b"-----END X509 CRL-----" * 400_000,
    ],
    ids=range(7),
)
def test_hostile_text_takes_no_longer_than_its_length(octets: bytes) -> None:
    begin = time.process_time()
    assert codes(octets)[0] == 0
    assert time.process_time() - begin < 2


def slowly(crl: RevocationList) -> Iterator[Entry]:
    """The entries by the reader for every form."""
    at, end = crl.entries_bounds or (0, 0)
    while at < end:
        entry, at = other_entry(crl.source, at, end)
        yield entry


def read(entries: Iterator[Entry]) -> list[Entry | None]:
    """The entries, and None at the end where one cannot be read."""
    found: list[Entry | None] = []
    try:
        found.extend(entries)
    except DerError:
        found.append(None)
    return found


def test_the_plain_form_is_read_as_any_other() -> None:
    """The quick way gives what the thorough one does, whatever octets stand there."""
    source = random.Random(7)
    begin, end = read_list(LIST).entries_bounds or (0, 0)
    told = 0
    for _ in range(3000):
        octets = bytearray(LIST)
        for _ in range(source.choice((1, 1, 2))):
            interesting = (0, 1, 2, 5, 0x0D, 0x0F, 0x17, 0x18, 0x30, 0x7F, 0x80, 0x81, 0xFF)
            octets[source.randrange(begin, end)] = source.choice(interesting)
        crl = read_list(bytes(octets))
        quick = read(crl.entries())
        assert quick == read(slowly(crl))
        told += any(entry is None or entry.faults for entry in quick)
    assert 500 < told < 2900


DATE = b"\x17\x0d260101000000Z"


@pytest.mark.parametrize(
    ("content", "length"),
    [
        (b"\x02\x00" + DATE, None),
        (b"\x02\x00\x17\x0d" + DATE, None),
        (b"\x02\x01\x00" + DATE, None),
        (b"\x02\x02\x00\x7f" + DATE, None),
        (b"\x02\x02\x00\x80" + DATE, None),
        (b"\x02\x02\xff\x80" + DATE, None),
        (b"\x02\x02\xff\x7f" + DATE, None),
        (b"\x02\x01\xff" + DATE, None),
        (b"\x02\x01\x80" + DATE, None),
        (b"\x02\x6f" + b"\x01" * 111 + DATE, b"\x80"),
        (b"\x02\x6e" + b"\x01" * 110 + DATE, b"\x7f"),
        (b"\x02\x6f" + b"\x01" * 111 + DATE, b"\x81\x80"),
        (b"\x02\x01\x05\x17\x0b2601010000Z", None),
        (b"\x02\x01\x05\x17\x0c2601010000Z0", None),
        (b"\x02\x01\x05\x18\x0d260101000000Z", None),
        (b"\x02\x01\x05" + DATE + b"\x30\x00", None),
        (b"\x02\x01\x05" + DATE + b"\x05\x00", None),
    ],
    ids=range(17),
)
def test_odd_entries_are_read_the_same_both_ways(content: bytes, length: bytes | None) -> None:
    draft = Draft(LIST, "sub")
    draft.tbs[5].children = [Node(0x30, content, length=length)]
    as_written(draft)
    crl = read_list(draft.encode())
    found = read(crl.entries())
    assert found == read(slowly(crl))
    assert len(found) == 1


def test_an_entry_is_read() -> None:
    first = next(read_list(LIST).entries())
    assert first.serial == 0x31
    assert first.reason == 5
    assert first.revoked_at.moment is not None
    assert first.faults == ()


@pytest.mark.parametrize(("octets", "error"), [(65_500, None), (65_600, DerError)])
def test_an_entry_s_extensions_are_bounded(octets: int, error: type[Exception] | None) -> None:
    draft = Draft(LIST, "sub")
    draft.tbs[5][0][2].children[0].children[1] = Node(0x04, bytes(octets))
    found = read(read_list(draft.encode()).entries())
    assert (found[0] is None) is (error is not None)


def test_an_issuer_s_name_is_bounded() -> None:
    draft = Draft(LIST, "sub")
    draft.tbs[2].children[1] = rdn("2.5.4.10", "A" * 65_600)
    with pytest.raises(InvalidInput, match="octets in the issuer"):
        read_list(draft.encode())


def test_an_entry_that_ends_with_the_list_is_read_within_it() -> None:
    """A length that runs beyond the list of entries is told, not followed."""
    crl = read_list(LIST)
    begin, end = crl.entries_bounds or (0, 0)
    octets = bytearray(LIST)
    third = LIST.rindex(b"\x30", begin, end - 20)
    octets[third + 1] += 40
    assert read(read_list(bytes(octets)).entries())[-1] is None
