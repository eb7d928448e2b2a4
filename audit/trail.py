"""The trail: append in the transaction of the change, verify as an outsider would.

Entries name changed fields and hold salted digests, never values, secrets or keys. See
``audit/chain.py`` for how they are chained.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from operator import itemgetter
from typing import Any, NamedTuple

from audit import records
from audit.canonical import canonical_json, digest
from audit.chain import (
    CLOCK_STEP,
    MAX_ENTRY_OCTETS,
    START,
    Chain,
    Head,
    broken,
)
from audit.records import Criteria, TrailEntry, content_of
from pki.errors import Conflict, InvalidInput, NotFound, Refused, Unavailable
from pki.validity import Clock, rfc3339, whole_seconds
from policies.site import SiteKind
from store.database import Store, Transaction

__all__ = ["Criteria", "Event", "Trail"]

_PAGE = 1000
_DRIFT = timedelta(seconds=60)
_NEWEST = "audit.newest"
_REPEATED = itemgetter("code", "outcome", "actor_id", "co_actor_id", "object_type", "object_id")
"""What the columns of ``records.contents`` repeat, in their order."""


@dataclass(frozen=True)
class Event:
    """What happened: ``code`` as APP.DECIDE, ``outcome`` OK, FAIL or REFUSED.

    ``actor`` is an operator's name or SYSTEM, ``co_actor`` the second person where two are needed;
    ``detail`` holds strings, whole numbers, booleans, lists and objects of them.
    """

    code: str
    object_type: str
    object_id: str
    actor: str = "SYSTEM"
    actor_role: str = ""
    co_actor: str = ""
    outcome: str = "OK"
    detail: Mapping[str, object] = field(default_factory=dict)


class Judged(NamedTuple):
    """An entry as its columns name it, with the first fault that ``Trail.verify`` would find in it.

    ``content`` is what its body says, None where that is not what was entered.
    """

    seq: int
    code: str
    actor: str
    co_actor: str
    content: Mapping[str, Any] | None
    fault: Refused | None


@dataclass(frozen=True)
class _Newest:
    """The newest entry as the transaction that holds the head's lock knows it."""

    head: Head
    at: datetime | None


@dataclass(frozen=True)
class Trail:
    """Appends to and verifies the site's trail; ``terminal`` names workstation or service."""

    store: Store
    clock: Clock
    terminal: str

    def open_site(self, tx: Transaction, site_id: str, kind: SiteKind) -> None:
        """Make the head and the first entry; the site's kind is fixed from here on."""
        if records.head(tx) is not None:
            raise Conflict("audit.site.exists", "the store holds a site already")
        records.add_head(tx, site_id, kind, START.hash)
        self.append(tx, Event("LOG.START", "site", site_id, detail={"kind": str(kind)}))

    def head(self, tx: Transaction, *, lock: bool = False) -> Head:
        """Return the newest entry, one that this transaction appended too.

        With ``lock`` nobody else appends until the transaction ends.
        """
        if lock or _NEWEST in tx.info:
            return _locked(tx).head
        row = _head(tx)
        return Head(row.seq, row.hash)

    def position(self, tx: Transaction, *, lock: bool = True) -> int:
        """Return the newest entry's position, locked until the transaction ends if asked."""
        return self.head(tx, lock=lock).seq

    def append(self, tx: Transaction, event: Event) -> int:
        """Write one entry and return its position.

        The head stays locked until the transaction ends: call it after the transaction's other
        writes. Times never run back: with the clock up to 60 s behind the newest entry the entry
        takes that one's time, with more it raises ``Unavailable``; only CLOCK.STEP is entered with
        the clock's time whatever it is. Raises ``NotFound`` when there is no site, ``InvalidInput``
        for an entry of more than 64 KiB.
        """
        tx.flush()
        newest = _locked(tx)
        at = _entry_time(event, whole_seconds(self.clock()), newest.at)
        seq = newest.head.seq + 1
        body = self._body(event, seq, at, newest.head.hash)
        head = Head(seq, digest(body))
        values = {
            "seq": seq,
            "at": at,
            "code": event.code,
            "outcome": event.outcome,
            "actor": event.actor,
            "co_actor": event.co_actor,
            "object_type": event.object_type,
            "object_id": event.object_id,
            "body": body.decode(),
            "hash": head.hash,
        }
        if not records.add_entry(tx, values, newest.head.seq):
            raise Conflict("audit.head.moved", "the trail's head moved during the transaction")
        tx.info[_NEWEST] = _Newest(head, at)
        return seq

    def _body(self, event: Event, seq: int, at: datetime, previous: str) -> bytes:
        body = canonical_json(
            {
                "seq": seq,
                "ts": rfc3339(at),
                "code": event.code,
                "outcome": event.outcome,
                "actor_id": event.actor,
                "actor_role": event.actor_role,
                "co_actor_id": event.co_actor,
                "terminal": self.terminal,
                "object_type": event.object_type,
                "object_id": event.object_id,
                "detail": event.detail,
                "prev_hash": previous,
            }
        )
        if len(body) > MAX_ENTRY_OCTETS:
            raise InvalidInput(
                "audit.entry.size", f"an entry of {event.code} would have {len(body)} octets"
            )
        return body

    def site(self, tx: Transaction) -> tuple[str, SiteKind]:
        """Return the site's id and kind; raises ``NotFound`` before ``open_site``."""
        head = _head(tx)
        return head.site_id, head.site_kind

    def verify(
        self,
        anchors: Sequence[Head] = (),
        progress: Callable[[int, int], None] | None = None,
    ) -> Head:
        """Return the head of a trail that is whole.

        ``progress`` is called with the entries verified so far and all there are. Raises
        ``Refused`` at the first fault: those of ``Chain``, and columns that differ from the body.
        """
        chain = Chain(anchors)
        with self.store.read() as tx:
            row = _head(tx)
            while page := records.contents(tx, chain.last.seq, _PAGE):
                for content in page:
                    _verify_content(chain, content)
                if progress is not None:
                    progress(chain.last.seq, row.seq)
            return chain.finish(Head(row.seq, row.hash))

    def verify_between(self, tx: Transaction, first: Head, last: Head) -> None:
        """Raise ``Refused`` unless the entries from one to the other are a whole chain."""
        chain = Chain(start=first)
        while (left := last.seq - chain.last.seq) > 0:
            page = records.contents(tx, chain.last.seq, min(left, _PAGE))
            if not page:
                break
            for content in page:
                _verify_content(chain, content)
        chain.finish(last)

    def judged(self, tx: Transaction, after: int, upto: int) -> Iterator[Judged]:
        """Yield the entries above ``after`` and not above ``upto``, each judged on its own.

        The first one must follow the entry at ``after``, which is believed.
        """
        chain = _chain_after(tx, after)
        while after < upto and (page := records.contents(tx, after, min(upto - after, _PAGE))):
            for content in page:
                one = _judged(chain, content)
                after = one.seq
                if after > upto:
                    return
                yield one
                if one.fault is not None:
                    chain = _chain_after(tx, after)

    def entry(self, tx: Transaction, seq: int) -> TrailEntry | None:
        """Return the entry at a position."""
        return records.entry(tx, seq)

    def newest(self, tx: Transaction, codes: Collection[str], after: int = 0) -> int:
        """Return the position of the newest entry above ``after`` with one of the codes, or 0."""
        return records.newest_of(tx, codes, after)

    def page(self, after: int, limit: int, code: str | None = None) -> list[TrailEntry]:
        """Return entries with a position above ``after``, of one code or of all."""
        return self.search(Criteria(code=code), after, limit)

    def search(self, wanted: Criteria, after: int = 0, limit: int = _PAGE) -> list[TrailEntry]:
        """Return up to ``limit`` entries that fit, above ``after``, oldest first."""
        with self.store.read() as tx:
            return records.search(tx, wanted, after, limit)


def _head(tx: Transaction, *, lock: bool = False) -> Any:
    head = records.head(tx, lock=lock)
    if head is None:
        raise NotFound("audit.site.none", "the store holds no site", "Run `hpki init` first.")
    return head


def _locked(tx: Transaction) -> _Newest:
    if _NEWEST not in tx.info:
        row = _head(tx, lock=True)
        tx.info[_NEWEST] = _Newest(Head(row.seq, row.hash), records.time_of(tx, row.seq))
    newest: _Newest = tx.info[_NEWEST]
    return newest


def _entry_time(event: Event, now: datetime, newest: datetime | None) -> datetime:
    if newest is None or now >= newest or event.code == CLOCK_STEP:
        return now
    if newest - now > _DRIFT:
        raise Unavailable(
            "audit.clock",
            f"the clock says {rfc3339(now)}, but the newest entry is of {rfc3339(newest)}",
            "Set the clock right. If the newest entry's time is the wrong one, two operators "
            "enter that with `hpki audit clock-step`.",
        )
    return newest


def _chain_after(tx: Transaction, seq: int) -> Chain:
    for content in records.contents(tx, seq - 1, 1):
        if content[0] == seq:
            return Chain(start=Head(seq, content[2]), time=_rfc3339(content[3]))
    return Chain(start=Head(seq, START.hash))


def _judged(chain: Chain, content: Any) -> Judged:
    seq, body, entered, _, code, _, actor, co_actor, *_ = content
    try:
        return Judged(seq, code, actor, co_actor, _verify_content(chain, content), None)
    except Refused as fault:
        return Judged(seq, code, actor, co_actor, content_of(body, entered), fault)


def _verify_content(chain: Chain, content: Any) -> Mapping[str, Any]:
    text = content[1]
    if not isinstance(text, str):
        raise chain.broken("its content was changed")
    body = chain.take(content[0], text.encode(), content[2])
    if _rfc3339(content[3]) != body["ts"] or content[4:] != _REPEATED(body):
        raise broken(content[0], "its columns differ from its content")
    return body


def _rfc3339(at: object) -> str:
    """Return a time column's moment, SQLite's text or PostgreSQL's value; empty for no second."""
    if isinstance(at, datetime):
        return at.astimezone(UTC).replace(tzinfo=None).isoformat() + "Z"
    second, _, rest = str(at).partition(".")
    return second.replace(" ", "T", 1) + "Z" if rest == "000000" else ""
