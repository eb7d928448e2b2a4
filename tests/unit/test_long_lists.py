"""Lists read from a file in blocks: the same entries and findings however they are cut."""

from __future__ import annotations

import hashlib
import random
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime, timedelta
from io import BytesIO
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from cli.linting import judge_files
from pki import oids
from pki.errors import InvalidInput, Unavailable
from pki.findings import Finding
from pki.reading import crl as lists
from pki.reading.certificate import read_certificate
from pki.reading.crl import Entry, RevocationList, open_list, read_list, split_entries
from pki.reading.entries import OddBlock, PlainBlock, other_entry, plain_block, plain_end
from pki.reading.tlv import DerError, Octets
from policies.lint.catalogue import check_list
from policies.lint.check import JudgedList
from policies.lint.corpus import Options
from policies.lint.survey import _SURVEYS, EarlySurvey, survey
from policies.profiles import shipped_profiles
from tests.golden.lint.case import Draft
from tests.golden.lint.sound import NOW, sound_octets
from tests.golden.lint.tree import Node, node, oid, sequence

LIST, ISSUER = sound_octets("list")[:2]
PROFILE = shipped_profiles().crl("crl-sub-ca")
REASON = bytes.fromhex("300c300a0603551d1504030a01")


def tlv(tag: int, content: bytes) -> bytes:
    return Node(tag, content).encode()


def entry(serial: bytes, date: bytes, rest: bytes = b"") -> bytes:
    return tlv(0x30, tlv(0x02, serial) + date + rest)


def utc(moment: datetime) -> bytes:
    return tlv(0x17, moment.strftime("%y%m%d%H%M%SZ").encode())


def plain(number: int, reason: int | None = None, octets: int = 16) -> bytes:
    """An entry whose serial has so many octets."""
    rest = b"" if reason is None else REASON + bytes((reason,))
    date = utc(NOW - timedelta(days=1, seconds=number))
    return entry((1 << 8 * octets - 8 | number).to_bytes(octets, "big"), date, rest)


def listed(*entries: bytes) -> bytes:
    draft = Draft(LIST, "sub")
    draft.tbs[5].children = []
    draft.tbs[5].octets = b"".join(entries)
    size = len(b"".join(child.encode() for child in draft.tbs.children))
    draft.tbs.length = tlv(0x30, bytes(size))[1:-size]
    return draft.encode()


@contextmanager
def blocks_of(octets: int) -> Iterator[None]:
    """Read so many octets of the entries at a time."""
    before = lists.BLOCK_OCTETS
    lists.BLOCK_OCTETS = octets
    try:
        yield
    finally:
        lists.BLOCK_OCTETS = before


def findings(crl: RevocationList, *, bare: bool = False) -> tuple[Finding, ...]:
    profile, issuer = (None, None) if bare else (PROFILE, read_certificate(ISSUER))
    return check_list(JudgedList(crl, profile, issuer, strict=not bare))


class EntryByEntry(RevocationList):
    """A list of which each entry is read alone, by the reader for every form."""

    def blocks(self) -> Iterator[PlainBlock | OddBlock]:
        at, end = self.entries_bounds or (0, 0)
        octets: Octets = self.source
        while at < end:
            found, stop = other_entry(octets, at, end)
            yield OddBlock([(found, self.source.read(at, stop))])
            at = stop


def entry_by_entry(der: bytes) -> RevocationList:
    crl = read_list(der)
    return EntryByEntry(**{name: getattr(crl, name) for name in crl.__dataclass_fields__})


def outcome(crl: RevocationList) -> tuple[list[Entry], str]:
    """The entries, and what ended them."""
    found: list[Entry] = []
    try:
        found.extend(crl.entries())
    except DerError as error:
        return found, str(error)
    return found, ""


def encoded(crl: RevocationList) -> bytes:
    return b"".join(der for block in crl.entry_blocks() for der in block)


# What may stand in an entry

DAY = 86_400
OFFSETS = st.one_of(
    st.integers(-76 * 365 * DAY, 23 * 365 * DAY),
    st.integers(-2000 * DAY, -DAY),
    st.integers(-2000 * DAY, -DAY),
    st.sampled_from([-DAY, -1, 0, 1, DAY]),
)
MOMENTS = OFFSETS.map(lambda seconds: NOW + timedelta(seconds=seconds))
DATES = st.one_of(
    MOMENTS.map(utc),
    MOMENTS.map(utc),
    MOMENTS.map(utc),
    MOMENTS.map(lambda one: tlv(0x18, one.strftime("%Y%m%d%H%M%SZ").encode())),
    st.sampled_from([b"261301000000Z", b"260229000000Z", b"260101240000Z", b"2601010000Z"]).map(
        lambda octets: tlv(0x17, octets)
    ),
)
SERIALS = st.one_of(
    st.binary(min_size=16, max_size=16).map(lambda one: b"\x01" + one[1:]),
    st.binary(min_size=1, max_size=21),
    st.integers(1, 3).map(lambda one: bytes((one,))),
    st.integers(1, 0xFFFF).map(lambda one: b"\x01" + one.to_bytes(15, "big")),
    st.sampled_from([33, 47]).map(
        lambda one: b"\x11Z\x30" + bytes((one, 2, 16)) + b"\x17\x0d0123456"
    ),
    st.integers(1, 7).map(lambda one: b"\x05\x17\x0d261122235959Z" + bytes((one,))),
)


def extension(dotted: str, value: bytes, *, critical: bool = False) -> Node:
    flag = [Node(0x01, b"\xff")] if critical else []
    return sequence(oid(dotted), *flag, Node(0x04, value))


WHEN = node(0x18, b"20260101000000Z").encode()
RESTS = st.one_of(
    st.just(b""),
    st.integers(0, 12).map(lambda one: REASON + bytes((one,))),
    st.sampled_from([1, 3, 4, 5]).map(lambda one: REASON + bytes((one,))),
    st.sampled_from(
        [
            sequence(extension(oids.INVALIDITY_DATE, WHEN)).encode(),
            sequence(extension(oids.REASON_CODE, b"\x0a\x01\x01", critical=True)).encode(),
            sequence(extension("1.2.3", b"\x05\x00", critical=True)).encode(),
            sequence(extension("1.2.3", bytes(200))).encode(),
            REASON + b"Z",
            b"\x30\x00",
        ]
    ),
)
ENTRIES = st.builds(entry, SERIALS, DATES, RESTS)
SOUND = st.builds(plain, st.integers(0, 1000), st.sampled_from([None, 1, 4]))
LISTS = st.one_of(
    st.lists(ENTRIES, min_size=1, max_size=12),
    st.lists(ENTRIES, min_size=1, max_size=30).map(sorted),
    st.lists(SOUND, min_size=1, max_size=60).map(
        lambda one: sorted(one, key=lambda der: der[3:20])
    ),
    st.tuples(
        st.lists(SOUND, min_size=1, max_size=60, unique_by=lambda der: der[3:20]).map(
            lambda one: sorted(one, key=lambda der: der[3:20])
        ),
        st.lists(ENTRIES, max_size=2),
    ).map(lambda both: [*both[0], *both[1]]),
)


@given(LISTS, st.sampled_from([1, 7, 64, 100, 400, 1 << 18]), st.booleans())
@settings(max_examples=80, deadline=None, suppress_health_check=list(HealthCheck))
def test_findings_are_the_same_whatever_is_judged_at_once(
    entries: list[bytes], octets: int, bare: bool
) -> None:
    der = listed(*entries)
    expected = findings(entry_by_entry(der), bare=bare)
    assert findings(read_list(der), bare=bare) == expected
    with tempfile.TemporaryFile() as file:
        file.write(der)
        with blocks_of(octets):
            crl = open_list(file)
            assert findings(crl, bare=bare) == expected
            assert outcome(crl) == outcome(entry_by_entry(der))
            if not outcome(crl)[1]:
                assert encoded(crl) == b"".join(entries)


@given(LISTS, st.integers(1, 500))
@settings(max_examples=50, deadline=None, suppress_health_check=list(HealthCheck))
def test_entries_are_split_at_any_place(entries: list[bytes], octets: int) -> None:
    whole = b"".join(entries)
    found: list[bytes] = []
    rest = b""
    try:
        for at in range(0, len(whole), octets):
            rest += whole[at : at + octets]
            some, taken = split_entries(rest)
            found += some
            rest = rest[taken:]
    except DerError:
        assert outcome(read_list(listed(*entries)))[1]
    else:
        assert (found, rest) == (entries, b"")


MANY = [
    plain(number, reason=None if number % 3 else number % 5, octets=16) for number in range(14)
] + [plain(99, 1, 20), entry(b"\x21" * 20, tlv(0x18, b"20260101000000Z")), plain(1, 4, 21)]


def test_borders_of_blocks_at_every_octet() -> None:
    der = listed(*MANY)
    expected = outcome(entry_by_entry(der))
    told = findings(entry_by_entry(der), bare=True)
    assert len(expected[0]) == len(MANY)
    for octets in range(1, sum(map(len, MANY)) + 2):
        with blocks_of(octets):
            crl = read_list(der)
            assert outcome(crl) == expected
            assert findings(crl, bare=True) == told
        some, taken = split_entries(b"".join(MANY)[:octets])
        assert b"".join(some) == b"".join(MANY)[:taken]
        assert len(some) == len(MANY) or 0 <= octets - taken < len(MANY[len(some)])


@pytest.mark.parametrize(
    ("date", "code"),
    [
        (b"260101240000Z", "R323"),
        (b"260101236000Z", "R323"),
        (b"260101235960Z", "R323"),
        (b"260229000000Z", "R323"),
        (b"260001000000Z", "R323"),
        (NOW.strftime("%y%m%d%H%M%SZ").encode(), None),
        ((NOW + timedelta(seconds=1)).strftime("%y%m%d%H%M%SZ").encode(), "R324"),
        ((NOW + timedelta(days=1)).strftime("%y%m%d%H%M%SZ").encode(), "R324"),
        (b"500101000000Z", None),
    ],
)
def test_one_date_among_many_is_seen(date: bytes, code: str | None) -> None:
    entries = [plain(number, 1) for number in range(9)]
    entries[4] = entries[4][:22] + date + entries[4][35:]
    der = listed(*entries)
    told = findings(read_list(der), bare=True)
    assert told == findings(entry_by_entry(der), bare=True)
    assert [one.code for one in told] == ([] if code is None else [code])


def test_a_file_cut_off_at_any_octet_is_refused() -> None:
    der = listed(*MANY[:4])
    for length in range(len(der)):
        with pytest.raises(InvalidInput) as told:
            open_list(BytesIO(der[:length]))
        assert told.value.code == "pki.crl.unreadable"


def test_a_file_that_becomes_shorter_is_told(tmp_path: Path) -> None:
    der = listed(*(plain(number, 1) for number in range(1000)))
    path = tmp_path / "long.crl"
    path.write_bytes(der)
    with path.open("r+b", buffering=0) as file, blocks_of(4096):
        crl = open_list(file)
        entries = crl.entries()
        next(entries)
        file.truncate(len(der) // 2)
        with pytest.raises(Unavailable, match="shorter"):
            list(entries)
        with pytest.raises(Unavailable, match="shorter"):
            crl.tbs_digest("sha256")
    with pytest.raises(Unavailable, match="cannot be read"):
        open_list(file)


def test_what_is_known_of_a_file_is_known_of_octets(tmp_path: Path) -> None:
    path = tmp_path / "one.crl"
    path.write_bytes(LIST)
    with path.open("rb") as file:
        one, other = open_list(file), read_list(LIST)
        assert one.octets == other.octets == len(LIST)
        assert one.sha256 == other.sha256 == hashlib.sha256(LIST).hexdigest()
        assert one.number == other.number
        begin, end = one.tbs_bounds
        assert one.tbs_digest("sha384") == hashlib.sha384(LIST[begin:end]).digest()
        assert list(one.entries()) == list(other.entries())


@pytest.mark.parametrize("reason", [None, 1])
@pytest.mark.parametrize("octets", [1, 2, 16, 20])
def test_plain_entries_are_told_from_others(octets: int, reason: int | None) -> None:
    """One step from the plain form, in any octet that says what stands where, is another."""
    der = plain(3, reason, octets)
    whole = listed(der)
    assert isinstance(next(read_list(whole).blocks()), PlainBlock)
    for at in {0, 1, 2, 3, *range(4 + octets, len(der) - 1)}:
        for octet in (0x00, 0x02, 0x0D, 0x17, 0x2F, 0x30, 0x39, 0x3A, 0x5A, 0x7F, 0xFF):
            bent = whole.replace(der, der[:at] + bytes((octet,)) + der[at + 1 :])
            assert outcome(read_list(bent)) == outcome(entry_by_entry(bent)), (at, octet)
            expected = findings(entry_by_entry(bent), bare=True)
            assert findings(read_list(bent), bare=True) == expected, (at, octet)


@pytest.mark.parametrize("octets", range(1, 21))
def test_columns_are_those_of_the_entries(octets: int) -> None:
    """Also where octets of a serial look like a date's end and the next entry's header."""
    source = random.Random(octets)
    short, full = 17 + octets, 31 + octets
    crumbs = [
        b"Z0",
        bytes((short, 2, octets)),
        bytes((full, 2, octets)),
        b"\x17\x0d",
        b"260101",
        b"Z",
    ]
    for _ in range(300):
        entries = []
        for _ in range(source.randrange(1, 600 if source.random() < 0.02 else 9)):
            serial = b"".join(source.choices(crumbs, k=8))[: octets - 1]
            serial = b"\x01" + serial.ljust(octets - 1, b"Z") if octets > 1 else b"\x01"
            reason = source.choice((None, 0, 10))
            entries.append(
                plain(1, reason, octets)[:4] + serial + plain(1, reason, octets)[4 + octets :]
            )
        block = PlainBlock(b"".join(entries))
        assert block.encoded() == entries
        serials = [int.from_bytes(one[4 : 4 + octets], "big") for one in entries]
        for columns in (block.columns(), sound_block(b"".join(entries)).columns()):
            assert [columns.serial(at) for at in range(len(entries))] == serials
            assert columns.rising is (sorted(set(serials)) == serials)
            assert columns.days == {one[6 + octets : 12 + octets] for one in entries}
            assert list(columns.reasons) == [one[-1] if one[1] == full else 0xFF for one in entries]


def sound_block(octets: bytes) -> PlainBlock:
    """Return the block that is all of the octets."""
    block = plain_block(octets)
    assert block is not None
    assert block.octets == octets
    return block


@pytest.mark.parametrize("reason", [None, 0, 10])
def test_a_plain_entry_is_told_from_every_other_octet_by_octet(reason: int | None) -> None:
    """Of many of one form, one octet of one entry is changed to each other value."""
    before, entry, after = (plain(serial, reason) for serial in (1, 2, 3))
    for place in range(len(entry)):
        for octet in range(256):
            changed = entry[:place] + bytes((octet,)) + entry[place + 1 :]
            octets = before * 3 + changed + after * 3
            block = plain_block(octets)
            assert block is not None
            end = plain_end(octets, 0)
            assert block.octets == octets[:end]
            assert (block.even is not None) is (end == len(octets))


@pytest.mark.parametrize(
    ("block", "taken"),
    [
        (b"", 0),
        (b"\x30", 0),
        (b"\x30\x82", 0),
        (b"\x30\x84\x0f\xff\xff\xf0", 0),
        (plain(1)[:-1], 0),
    ],
)
def test_an_entry_cut_off_is_left(block: bytes, taken: int) -> None:
    assert split_entries(block) == ([], taken)
    assert split_entries(plain(1) + block) == ([plain(1)], len(plain(1)) + taken)


@pytest.mark.parametrize(
    "block", [b"\x31", b"\x30\x80", b"\x30\x85", b"\x30\x00", b"\x30\x84\xff\xff\xff\xff"]
)
def test_what_can_be_no_entry_is_not_waited_for(block: bytes) -> None:
    for before in (b"", plain(1)):
        with pytest.raises(DerError):
            split_entries(before + block)


def test_a_serial_without_end_is_not_read() -> None:
    """No piece of a list is read whole if it is longer than any that is sound."""
    crl = read_list(listed(plain(1), entry(b"\x01" * 70_000, utc(NOW))))
    found, why = outcome(crl)
    assert len(found) == 1
    assert "70000 octets in one part" in why


def test_a_large_list_is_judged_from_its_file(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    older, newer = (listed(*MANY[begin:3]) for begin in (0, 1))
    for name, octets in (("older.crl", older), ("newer.crl", newer), ("ca.cer", ISSUER)):
        (tmp_path / name).write_bytes(octets)
    (tmp_path / "cut.crl").write_bytes(newer[:-1])
    options = Options(shipped_profiles())
    expected = judge_files([str(tmp_path)], options)
    monkeypatch.setattr("cli.linting._LARGE", 1)
    found = judge_files([str(tmp_path)], options)
    assert found.verdicts == expected.verdicts
    assert len(found.verdicts) == 4
    assert [(path, error.text) for path, error in found.unreadable] == [
        (path, error.text) for path, error in expected.unreadable
    ]


def any_entries(source: random.Random) -> list[bytes]:
    """Entries mostly sound and in order, some of other forms, times or octets."""
    octets = source.choice([[16], [20], [1, 2], [15, 16], [16]])
    known: list[list[int | None]] = [[1], [None], [None, 1, 5], [0, 6, 7, 10], [1, 11]]
    reasons = source.choice(known)
    late = [1, 86400] if source.random() < 0.1 else []
    found = []
    for number in sorted(source.sample(range(120), source.randrange(40))):
        away = source.choice([-86400 * 3, -86400 - number, -1, -1, 0, *late])
        size, reason = source.choice(octets), source.choice(reasons)
        rest = b"" if reason is None else REASON + bytes((reason,))
        serial = (1 << 8 * size - 8 | number).to_bytes(size, "big")
        found.append(entry(serial, utc(NOW + timedelta(seconds=away)), rest))
    if source.random() < 0.95:
        found.sort(key=lambda one: (one[3], one[4 : 4 + one[3]]))
    if found and source.random() < 0.4:
        bent = bytearray(source.choice(found))
        at, place = found.index(bytes(bent)), source.randrange(len(bent))
        bent[place] = source.randrange(256)
        found[at] = bytes(bent)
    return found


def test_what_is_seen_before_the_list_is_made_is_what_it_holds() -> None:
    """Whatever the pages; entries that are not all sound are left to the list itself."""
    source, early, judged = random.Random(6), 0, 0
    head = read_list(listed())
    while judged < 600:
        entries = any_entries(source)
        der = listed(*entries)
        try:
            whole = entry_by_entry(der)
        except InvalidInput:
            continue
        seen, parsed, at = EarlySurvey(head), read_list(der), 0
        while at < len(entries):
            size = source.randrange(1, 12)
            seen.take(b"".join(entries[at : at + size]))
            at += size
        seen.hand_over(parsed)
        judged += 1
        early += parsed in _SURVEYS
        assert findings(parsed, bare=True) == findings(whole, bare=True)
        assert survey(parsed) == survey(whole)
    assert judged / 5 < early < judged


def test_a_list_of_other_entries_is_read_itself() -> None:
    seen, parsed = EarlySurvey(read_list(listed())), read_list(listed(plain(1), plain(2)))
    seen.take(plain(1))
    seen.hand_over(parsed)
    assert parsed not in _SURVEYS
