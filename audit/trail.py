"""The trail: append in the transaction of the change, verify as an outsider would.

Each entry is one RFC 8785 object with its predecessor's hash; ``hash`` is the SHA-256 of those
octets; the first entry's predecessor is 64 zeros. Entries name changed fields and hold salted
digests, never values, secrets or keys.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass, field

from audit import records
from audit.canonical import canonical_json, digest
from audit.records import TrailEntry, TrailHead
from pki.errors import Conflict, InvalidInput, NotFound, Refused
from pki.validity import Clock, rfc3339, whole_seconds
from policies.site import SiteKind
from store.database import Store, Transaction

_FIRST = "0" * 64
_PAGE = 1000
_ANCHOR = re.compile(r"[0-9]{1,18}:[0-9a-f]{64}")


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


@dataclass(frozen=True)
class Head:
    """The newest entry: its position (0 for an empty trail) and hash."""

    seq: int
    hash: str


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
        tx.add(TrailHead(id=1, site_id=site_id, site_kind=kind, seq=0, hash=_FIRST))
        tx.flush()
        self.append(tx, Event("LOG.START", "site", site_id, detail={"kind": str(kind)}))

    def position(self, tx: Transaction, *, lock: bool = True) -> int:
        """Return the newest entry's position, locked until the transaction ends if asked."""
        return _head(tx, lock=lock).seq

    def append(self, tx: Transaction, event: Event) -> int:
        """Write one entry and return its position.

        The head stays locked until the transaction ends: call it after the transaction's other
        writes. Raises ``NotFound`` when there is no site.
        """
        tx.flush()
        head = _head(tx, lock=True)
        now = whole_seconds(self.clock())
        seq = head.seq + 1
        body = canonical_json(
            {
                "seq": seq,
                "ts": rfc3339(now),
                "code": event.code,
                "outcome": event.outcome,
                "actor_id": event.actor,
                "actor_role": event.actor_role,
                "co_actor_id": event.co_actor,
                "terminal": self.terminal,
                "object_type": event.object_type,
                "object_id": event.object_id,
                "detail": event.detail,
                "prev_hash": head.hash,
            }
        )
        entry = TrailEntry(
            seq=seq,
            at=now,
            code=event.code,
            object_type=event.object_type,
            object_id=event.object_id,
            body=body.decode(),
            hash=digest(body),
        )
        tx.add(entry)
        head.seq, head.hash = seq, entry.hash
        tx.flush()
        return seq

    def site(self, tx: Transaction) -> tuple[str, SiteKind]:
        """Return the site's id and kind; raises ``NotFound`` before ``open_site``."""
        head = _head(tx)
        return head.site_id, head.site_kind

    def verify(self, anchor: Head | None = None) -> Head:
        """Return the head of a trail that is whole.

        Raises ``Refused`` at the first gap, wrong predecessor or changed content, at a tail cut
        before the head or before ``anchor``, and where the anchor's hash is another one.
        """
        with self.store.read() as tx:
            head = _head(tx)
            last = Head(0, _FIRST)
            while page := records.entries(tx, last.seq, _PAGE):
                for entry in page:
                    last = _verify_entry(entry, last)
                    if anchor is not None and anchor.seq == last.seq and anchor != last:
                        raise Refused(
                            "audit.anchor.differs",
                            f"entry {last.seq} is not the one the anchor names",
                            "The trail was rewritten: keep the store and call the auditor.",
                        )
            if last != Head(head.seq, head.hash):
                raise _broken(last.seq + 1, "the tail was cut or the head changed")
            if anchor is not None and anchor.seq > last.seq:
                raise _broken(last.seq + 1, f"the anchor names entry {anchor.seq}")
            return last

    def page(self, after: int, limit: int, code: str | None = None) -> list[TrailEntry]:
        """Return entries with a position above ``after``, of one code or of all."""
        with self.store.read() as tx:
            return records.entries(tx, after, limit, code)


def _head(tx: Transaction, *, lock: bool = False) -> TrailHead:
    head = records.head(tx, lock=lock)
    if head is None:
        raise NotFound("audit.site.none", "the store holds no site", "Run `hpki init` first.")
    return head


def parse_anchor(text: str) -> Head:
    """Return the head written as ``SEQ:HASH``; raises ``InvalidInput``."""
    if not _ANCHOR.fullmatch(text):
        raise InvalidInput(
            "audit.anchor.form",
            f"{text!r} is no anchor",
            "Give it as SEQ:HASH, as `hpki audit verify` prints it.",
        )
    seq, _, value = text.partition(":")
    return Head(int(seq), value)


def _broken(seq: int, what: str) -> Refused:
    return Refused(
        "audit.trail.broken",
        f"the trail is broken at entry {seq}: {what}",
        "Keep the store as it is and call the auditor.",
    )


def _verify_entry(entry: TrailEntry, last: Head) -> Head:
    expected = last.seq + 1
    if entry.seq != expected:
        raise _broken(expected, f"it is missing, the next is {entry.seq}")
    octets = entry.body.encode()
    if digest(octets) != entry.hash:
        raise _broken(expected, "its content was changed")
    try:
        body = json.loads(octets)
        columns = (body["seq"], body["ts"], body["code"], body["object_type"], body["object_id"])
        predecessor = body["prev_hash"]
    except (ValueError, KeyError, TypeError):
        raise _broken(expected, "its content is not an entry") from None
    if predecessor != last.hash:
        raise _broken(expected, "its predecessor is another one")
    shown = (entry.seq, rfc3339(entry.at), entry.code, entry.object_type, entry.object_id)
    if columns != shown:
        raise _broken(expected, "its columns differ from its content")
    return Head(entry.seq, entry.hash)
