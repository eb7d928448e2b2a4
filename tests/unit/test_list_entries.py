"""What changed between two lists: the same as sets say, however the octets lie in blocks."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from tempfile import TemporaryFile

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from crl import entries as module
from crl.entries import Entries, changes, serial_of
from pki.errors import InvalidInput
from pki.reasons import Reason, entry_der

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


@settings(max_examples=300, derandomize=True, deadline=None)
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
