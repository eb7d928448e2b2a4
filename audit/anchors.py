"""Making, keeping and verifying the anchors of the trail.

Whoever has an anchor finds that the trail up to it was rewritten or cut, and that the store was
rolled back behind it.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import timedelta
from pathlib import Path

from cryptography.hazmat.primitives.asymmetric import ec

from audit import records
from audit.anchor import Anchor, verify_anchors
from audit.anchor_files import newest_anchor_file, read_anchor_file, write_anchor_file
from audit.canonical import canonical_json, digest
from audit.chain import START, Head, broken, differs
from audit.records import AnchorRecord
from audit.timestamps import TimeStamper
from audit.trail import Event, Trail
from pki.errors import Conflict, Unavailable
from pki.signing import key_id, sign, spki_der
from pki.validity import rfc3339, whole_seconds
from policies.parameters import Parameters
from store.database import Transaction

_DAILY = timedelta(days=1)


@dataclass(frozen=True)
class Anchors:
    """Anchors of one trail; ``folders``: the site's own first, then those kept elsewhere."""

    trail: Trail
    folders: Sequence[Path]
    stamper: TimeStamper | None = None
    parameters: Parameters = Parameters()

    def make(self, key: ec.EllipticCurvePrivateKey) -> Anchor:
        """Anchor the newest entry: the row and LOG.ANCHOR in one transaction.

        Raises ``Refused`` where the store stands behind its newest anchor.
        """
        with self.trail.store.begin() as tx:
            head = self.trail.head(tx, lock=True)
            self.verify_newest(tx)
            anchor = self._signed(tx, head, key)
            tx.add(
                AnchorRecord(
                    seq=head.seq,
                    body=anchor.body.decode(),
                    signature=anchor.signature.hex(),
                    public_key=anchor.public_key,
                )
            )
            detail = {"seq": head.seq, "hash": head.hash, "sha256": digest(anchor.body)}
            self.trail.append(tx, Event("LOG.ANCHOR", "anchor", str(head.seq), detail=detail))
        return anchor

    def _signed(self, tx: Transaction, head: Head, key: ec.EllipticCurvePrivateKey) -> Anchor:
        site_id, _ = self.trail.site(tx)
        newest = records.newest_anchor(tx)
        public_key = spki_der(key.public_key())
        body = canonical_json(
            {
                "site_id": site_id,
                "seq": head.seq,
                "hash": head.hash,
                "count": head.seq,
                "at": rfc3339(self.trail.clock()),
                "previous": START.hash if newest is None else digest(newest.body.encode()),
                "key": key_id(public_key),
            }
        )
        return Anchor(body, sign(key, body, "SHA-256"), public_key)

    def is_due(self, tx: Transaction) -> bool:
        """Whether the newest anchor is a day old, or as old as ANCHOR_DAYS allows if that is less.

        An anchor of the future counts as due: the clock has been set back.
        """
        newest = self.newest(tx)
        if newest is None:
            return True
        age = whole_seconds(self.trail.clock()) - newest.made_at
        limit = min(_DAILY, timedelta(days=float(self.parameters.value("ANCHOR_DAYS"))))
        return not timedelta(0) <= age < limit

    def newest(self, tx: Transaction) -> Anchor | None:
        """Return the newest anchor of the store."""
        row = records.newest_anchor(tx)
        return None if row is None else _anchor(row)

    def all(self, tx: Transaction) -> list[Anchor]:
        """Return the store's anchors in order."""
        return [_anchor(row) for row in records.anchors(tx)]

    def stamp(self, anchor: Anchor) -> Anchor:
        """Return the anchor with a time stamp, asked for and verified, which the store keeps.

        Raises ``Unavailable`` where no time-stamping authority is set or it cannot be reached,
        ``Refused`` for a token that does not verify.
        """
        token = self._stamper().stamp(anchor.body)
        with self.trail.store.begin() as tx:
            if not records.add_time_stamp(tx, anchor.content.seq, token):
                raise Conflict(
                    "audit.anchor.stamped", f"anchor {anchor.content.seq} has a time stamp already"
                )
        return replace(anchor, time_stamp=token)

    def deliver(self, anchor: Anchor) -> list[Path]:
        """Write the anchor's file to every folder and return the files.

        A folder that fails does not keep the others from theirs; the first failure is raised.
        """
        failures: list[Unavailable | Conflict] = []
        self.folders[0].mkdir(mode=0o700, exist_ok=True)
        for folder in self.folders:
            try:
                write_anchor_file(folder, anchor)
            except (Unavailable, Conflict) as error:
                failures.append(error)
        if failures:
            raise failures[0]
        return [folder / anchor.file_name for folder in self.folders]

    def verify_newest(self, tx: Transaction) -> None:
        """Raise ``Refused`` where the store stands behind, or beside, its newest anchor.

        Looks at the newest anchor of the store and at the newest file of the site folder, and at
        no more than the entries these name: quick enough for the start of every command.
        """
        site_id, _ = self.trail.site(tx)
        newest = self.newest(tx)
        if newest is not None:
            self._verify_named(tx, newest.head)
        path = newest_anchor_file(self.folders[0], site_id)
        if path is None:
            return
        file = read_anchor_file(path)
        self._verify_named(tx, file.head)
        row = records.anchor(tx, file.content.seq)
        if row is None or row.body.encode() != file.body:
            raise differs(file.content.seq)

    def _verify_named(self, tx: Transaction, head: Head) -> None:
        entry = self.trail.entry(tx, head.seq)
        if entry is None:
            raise broken(head.seq, "an anchor names it, and it is not there")
        if entry.hash != head.hash:
            raise differs(head.seq)

    def verify_all(self, keys: Mapping[str, bytes]) -> list[Head]:
        """Return the entries that the store's anchors name.

        Verifies every signature, that each anchor names the one before, and every time stamp where
        the authority's roots are set. ``keys``: see ``verify_anchor``.
        """
        with self.trail.store.read() as tx:
            site_id, _ = self.trail.site(tx)
            anchors = self.all(tx)
        heads = []
        for anchor in verify_anchors(anchors, site_id, keys):
            self.verify_time_stamp(anchor)
            heads.append(anchor.head)
        return heads

    def verify_time_stamp(self, anchor: Anchor) -> None:
        """Raise ``Refused`` for a time stamp that is not one of the anchor; no stamp, no fault."""
        if anchor.time_stamp is not None and self.stamper is not None:
            self.stamper.verify(anchor.time_stamp, anchor.body)

    def _stamper(self) -> TimeStamper:
        if self.stamper is None:
            raise Unavailable(
                "audit.timestamp.none",
                "no time-stamping authority is set",
                "Set tsa and tsa_roots under [anchors] in hpki.toml.",
            )
        return self.stamper


def _anchor(row: AnchorRecord) -> Anchor:
    try:
        signature = bytes.fromhex(row.signature)
    except ValueError:
        signature = b""
    return Anchor(row.body.encode(), signature, row.public_key, row.time_stamp)
