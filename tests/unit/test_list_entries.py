"""What changed between two lists: the same as sets say, however the octets lie in blocks."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from tempfile import TemporaryFile

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ca.records import Series
from crl import entries as module
from crl.entries import Entries, changes, last_serial, serial_of
from crl.pages import entry_pages
from pki.errors import InvalidInput, Refused
from pki.reasons import Reason, entry_der
from policies.profiles import ListScope

NOW = datetime(2026, 11, 21, 3, 0, tzinfo=UTC)
SERIALS = st.integers(1, 2**16) | st.integers(1, 2**159 - 1)
REASONS = st.sampled_from((None, Reason.KEY_COMPROMISE, Reason.CESSATION_OF_OPERATION))
LISTS = st.dictionaries(SERIALS, st.tuples(st.integers(0, 3), REASONS), max_size=60)


def encoded(found: dict[int, tuple[int, Reason | None]]) -> list[bytes]:
    return [
        entry_der(serial, NOW + timedelta(seconds=second), reason)
        for serial, (second, reason) in sorted(found.items())
    ]


def pages(entries: list[bytes], size: int) -> Iterator[bytes]:
    return (b"".join(entries[at : at + size]) for at in range(0, len(entries), size))


@settings(max_examples=80, derandomize=True, deadline=None)
@given(LISTS, LISTS, st.data())
def test_changes_are_what_sets_say(
    first: dict[int, tuple[int, Reason | None]],
    other: dict[int, tuple[int, Reason | None]],
    data: st.DataObject,
) -> None:
    """Most of the second list is taken over from the first, as it is with lists."""
    kept = {serial: what for serial, what in first.items() if data.draw(st.integers(0, 9))}
    older, newer = encoded(first), encoded(kept | other)
    page, block = data.draw(st.integers(1, 20)), data.draw(st.integers(64, 400))
    with TemporaryFile() as file, pytest.MonkeyPatch.context() as patch:
        patch.setattr(module, "_BLOCK", block)
        file.write(b"before" + b"".join(older) + b"behind")
        file.flush()
        region = Entries(file, 6, 6 + sum(map(len, older)))
        assert [one for some in region.pages() for one in some] == older
        found = list(changes(region, pages(newer, page)))
    gone = [one for change in found for one in change.gone]
    new = [one for change in found for one in change.new]
    assert gone == [one for one in older if one not in set(newer)]
    assert new == [one for one in newer if one not in set(older)]


def test_what_is_no_entry_is_said() -> None:
    sound = entry_der(7, NOW, None)
    for wrong in (b"\x31" + sound[1:], sound[:-1], sound + b"\x30\x82\xff\xff"):
        with TemporaryFile() as file:
            file.write(wrong)
            file.flush()
            with pytest.raises(InvalidInput):
                list(Entries(file, 0, len(wrong)).pages())


def test_serials_of_every_length() -> None:
    for octets in range(1, 21):
        serial = (1 << (8 * octets - 2)) + 5
        assert serial_of(entry_der(serial, NOW, None)) == serial


@pytest.mark.parametrize("reasons", [(None,), (Reason.SUPERSEDED,), (None, Reason.SUPERSEDED)])
def test_the_last_serial_is_the_last_entrys(reasons: tuple[Reason | None, ...]) -> None:
    for lengths in ((1,), (16,), (20,), (1, 16), (15, 16, 20)):
        made = [
            entry_der(
                (1 << 8 * lengths[at % len(lengths)] - 8) + at, NOW, reasons[at % len(reasons)]
            )
            for at in range(12)
        ]
        for count in range(1, len(made) + 1):
            assert last_serial(b"".join(made[:count])) == serial_of(made[count - 1])


@pytest.mark.parametrize("octets", ["30", "3000", "300102", "ff", "30ff02", "3082", "0000"])
def test_a_row_that_holds_no_entry_is_refused(octets: str) -> None:
    for before in (b"", entry_der(1, NOW, None)):
        with pytest.raises(InvalidInput):
            last_serial(before + bytes.fromhex(octets))


def test_pages_that_do_not_rise_are_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    """Or nobody would come to an end."""
    same = entry_der(1, NOW, None)
    monkeypatch.setattr("crl.pages.entries_page", lambda *_: same)
    pages = entry_pages(None, Series("sign", ListScope.FULL), None)  # type: ignore[arg-type]
    assert next(pages) == same
    with pytest.raises(Refused) as refusal:
        next(pages)
    assert refusal.value.code == "crl.entry.changed"
