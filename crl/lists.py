"""Lists made: number first, then gathered, proven, judged, signed, and kept."""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import AbstractContextManager, ExitStack
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import BinaryIO

from cryptography.hazmat.primitives.asymmetric import ec

from audit.chain import KEEP
from audit.trail import Event, Trail
from ca import records as ca_records
from ca.authorities import Authorities
from ca.issuers import SHARD, issuer_certificate, shard_uri, signing_hash
from ca.records import Issuer, Series
from crl import records
from crl.archive import Archive, sha256_of
from crl.building import Frame, ListFacts, frame, write_list
from crl.checking import (
    crl_number,
    entries_of,
    open_verified,
    this_update,
    verify_facts,
    verify_signed,
)
from crl.continuity import Before, Continuity, Proven, vanished
from crl.coverage import Difference, make_statement
from crl.moments import list_time
from crl.pages import entry_pages, read_ahead
from crl.records import ListState, RevocationList
from crl.release import Release
from crl.stated import read_stated
from keys.backend import KeyBackend
from operators.directory import Directory
from pki.errors import Conflict, HpkiError, Refused
from pki.findings import Severity
from pki.reading.certificate import read_certificate
from pki.reading.crl import open_list
from pki.signing import dummy_signature, hashlib_name, sign_digest
from pki.validity import Clock, rfc3339
from policies.lint.catalogue import check_list
from policies.lint.check import JudgedList
from policies.lint.survey import EarlySurvey, survey
from policies.profiles import MOST_SHARDS, CrlProfile, Profiles
from store.database import Store, Transaction

_MOST_BEFORE = 50
HIGHEST_NUMBER = (1 << 31) - 1


@dataclass
class Making:
    """A list on its way: its row, what goes in, and what was found out.

    ``detail`` goes into its entry of the trail beside what always does; ``taken`` are entries that
    are known from this list alone.
    """

    row: RevocationList
    issuer: Issuer
    profile: CrlProfile
    this_update: datetime
    proven: Proven
    high_water_seq: int = 0
    count: int = 0
    release: Release | None = None
    sha256: str = ""
    octets: int = 0
    detail: dict[str, object] = field(default_factory=dict)
    taken: list[ca_records.ListEntry] = field(default_factory=list)


@dataclass(frozen=True)
class Lists:
    """Makes revocation lists; ``statement_key`` opens the key that signs coverage statements.

    ``served`` gives the list on a target with the highest number above one.
    """

    store: Store
    trail: Trail
    directory: Directory
    keys: KeyBackend
    profiles: Profiles
    clock: Clock
    archive: Archive
    authorities: Authorities
    statement_key: Callable[[], ec.EllipticCurvePrivateKey]
    served: Callable[[Issuer, Series, int], AbstractContextManager[BinaryIO | None]]

    def all_series(self, tx: Transaction, issuer: Issuer) -> list[Series]:
        """Return the series of the CA by its profile, and shards that it once had."""
        profile = self.profiles.crl(issuer.crl_profile)
        count = profile.shards.count if profile.shards is not None else 1
        used = records.shards_used(tx, issuer.id), ca_records.shards_used(tx, issuer.id)
        count = max(count, *used)
        if count > (MOST_SHARDS if SHARD in issuer.crl_uri else 1):
            raise Refused(
                "ca.shard.changed", f"{issuer.id} has no list with a part {count - 1}", KEEP
            )
        return [
            Series(issuer.id, scope, shard) for scope in profile.scopes for shard in range(count)
        ]

    def issue(
        self,
        issuer_id: str,
        actor: str,
        *,
        ahead: int = 0,
        release: Release | None = None,
    ) -> list[RevocationList]:
        """Make every list of the CA by its profile and return them, signed and not yet public.

        ``ahead``: as many more for the times that follow, for a CA whose key is rarely at hand.
        Numbers rise and are never used twice; a failure leaves a gap. Raises ``Refused`` for a CA
        that is not as its ceremony made it, and for a list that would lack what stood on the one
        before, unless two people release it.
        """
        with self.store.read() as tx:
            issuer = self.authorities.find(tx, issuer_id)
            series = self.all_series(tx, issuer)
        interval = timedelta(hours=self.profiles.crl(issuer.crl_profile).rhythm.interval_hours)
        with self.archive.lock():
            return [
                self.make(issuer, one, actor, later=interval * step, release=release)
                for step in range(ahead + 1)
                for one in series
            ]

    def make(
        self,
        issuer: Issuer,
        series: Series,
        actor: str,
        *,
        later: timedelta = timedelta(0),
        release: Release | None = None,
    ) -> RevocationList:
        """Make one list; the archive's lock must be held. ``later``: its thisUpdate from now."""
        certificate = issuer_certificate(issuer)
        profile = self.profiles.crl(issuer.crl_profile)
        self.statement_key()  # without it nothing is numbered or signed
        with self.store.read() as tx:
            at = list_time(tx, self.trail, series) + later
        row = self._numbered(issuer, series)
        making = Making(row, issuer, profile, at, Proven(Difference()), release=release)
        facts = ListFacts(
            certificate,
            series.scope,
            row.number,
            at,
            at + timedelta(hours=profile.validity.hours),
            signing_hash(issuer, self.profiles),
            profile.authority_key_identifier.issuer_and_serial,
            shard_uri(issuer, profile, series.shard),
        )
        with self.archive.scratch() as entries:
            early = self._early(facts)
            self._gather(making, entries, early)
            around = frame(facts, entries.tell())
            self._judge(making, facts, around, entries, early)
            self._sign(making, facts, around, entries)
        return self.keep(making, facts, actor)

    def _numbered(self, issuer: Issuer, series: Series) -> RevocationList:
        """Take a number above every one known here, in the archive, and on the targets."""
        with self.store.read() as tx:
            every = self.all_series(tx, issuer)
            taken = records.highest_number(tx, issuer.id)
        known = max(taken, self.archive.highest_number(issuer.id))
        known = self._served_number(issuer, every, known)
        with self.store.begin() as tx:
            tx.get_one(Issuer, issuer.id, with_for_update=True)  # two hosts take two numbers
            number = max(records.highest_number(tx, issuer.id), known) + 1
            if number > HIGHEST_NUMBER:
                raise Conflict("crl.number.range", f"{issuer.id} has no number left", KEEP)
            row = RevocationList(
                issuer_id=series.issuer_id,
                scope=series.scope,
                shard=series.shard,
                number=number,
                state=ListState.NUMBERED,
            )
            tx.add(row)
            return row

    def _served_number(self, issuer: Issuer, every: list[Series], highest: int) -> int:
        """Return that number, or a higher one that a list on a target has."""
        for series in every:
            with self.served(issuer, series, highest) as file:
                number = 0 if file is None else crl_number(open_list(file))
                highest = max(highest, number if number < HIGHEST_NUMBER else 0)
        return highest

    def _early(self, facts: ListFacts) -> EarlySurvey:
        with self.archive.scratch() as empty, self.archive.scratch() as head:
            write_list(head, facts, frame(facts, 0), empty, dummy_signature(facts.public_key))
            return EarlySurvey(open_list(head))

    def _gather(self, making: Making, entries: BinaryIO, early: EarlySurvey) -> None:
        """Write the entries into the file, look at them, and prove what changed.

        What is signed, the list before and what proves a new entry, may be read later than rows.
        """
        series, issuer = making.row.series, making.issuer
        with self.store.read() as tx, ExitStack() as open_files:
            served = records.latest(tx, series, published=True)
            kept_since = served.this_update if served is not None else None
            if kept_since is not None:
                kept_since = min(kept_since, making.this_update)
            making.high_water_seq = self.trail.position(tx, lock=False)
            proof = Continuity(self.authorities, self.trail)
            with read_ahead(entry_pages(tx, series, kept_since)) as read, self.store.read() as now:
                before = self.before(now, making, open_files)
                pages = _seen(read, entries, early)
                proof.prove(now, issuer, series, before, pages, making.proven)
            up_to = making.high_water_seq
            proof.verify_executed(tx, issuer, series, before, kept_since, up_to)
        if lost := making.proven.vanished:
            if making.release is None:
                raise vanished(lost, f"list {making.proven.difference.number} holds")
            with self.store.read() as tx:
                making.release.verify(tx, self.directory)

    def before(self, tx: Transaction, making: Making, open_files: ExitStack) -> Before | None:
        """Return the newest list that the archive still has whole, and note it.

        What came after it the trail tells, so a lost file costs time and hides nothing. A newer one
        that is served comes first: then the store was set back.
        """
        issuer, series = making.issuer, making.row.series
        certificate, hash_name = issuer_certificate(issuer), signing_hash(issuer, self.profiles)
        rows = records.signed_lists(tx, series, limit=_MOST_BEFORE)
        known = rows[0].number if rows else 0
        unknown = open_files.enter_context(self.served(issuer, series, known))
        if unknown is not None:
            return _unknown(unknown, making)
        for row in rows:
            try:
                file = open_files.enter_context(self.archive.open(row))
                parsed = open_verified(file, certificate, hash_name)
                if crl_number(parsed) != row.number:
                    continue
                stated = read_stated(tx, self.directory, self.archive, row)
            except HpkiError:
                continue
            difference = making.proven.difference
            difference.number, difference.sha256 = row.number, stated.sha256
            difference.entries = stated.entries
            at = min(this_update(parsed), making.this_update)
            return Before(entries_of(parsed, file), at, stated.high_water_seq)
        return None

    def _judge(
        self,
        making: Making,
        facts: ListFacts,
        around: Frame,
        entries: BinaryIO,
        early: EarlySurvey,
    ) -> None:
        """Raise ``Refused`` with every finding if the twin has an ERROR, or lacks a fact."""
        with self.archive.scratch() as twin:
            write_list(twin, facts, around, entries, dummy_signature(facts.public_key))
            parsed = open_list(twin)
            verify_facts(parsed, facts, entries.seek(0, 2))
            by = read_certificate(making.issuer.certificate_der or b"")
            early.hand_over(parsed)
            findings = check_list(JudgedList(parsed, making.profile, by, strict=True))
            making.count = survey(parsed).count
        if any(finding.severity is Severity.ERROR for finding in findings):
            raise Refused("crl.lint", "the list would break its profile", findings=findings)
        making.proven.difference.verify_count(making.count)

    def _sign(self, making: Making, facts: ListFacts, around: Frame, entries: BinaryIO) -> None:
        """Sign what was judged, and put the list into the archive."""
        body = around.digest(entries, facts.hash_name)
        key = self.keys.open(making.issuer.key_label)
        signature = sign_digest(key, body, facts.hash_name)
        with self.archive.new(making.row) as file, ThreadPoolExecutor(2) as aside:
            write_list(file, facts, around, entries, signature)
            whole, kept = aside.submit(sha256_of, file), aside.submit(os.fsync, file.fileno())
            parsed = open_list(file)
            if parsed.tbs_digest(hashlib_name(facts.hash_name)) != body:
                raise Refused("crl.sign.differs", "what was signed is not what was judged")
            verify_signed(parsed, body, facts.issuer, facts.hash_name)
            making.sha256, making.octets = whole.result(), parsed.octets
            kept.result()

    def keep(self, making: Making, facts: ListFacts, actor: str) -> RevocationList:
        """Write the coverage statement, then the row and the trail's entry of a signed list."""
        making.row.sha256 = making.sha256
        statement = make_statement(self._statement(making, facts), self.statement_key())
        self.archive.keep_statement(making.row, statement)
        with self.store.begin() as tx:
            stored = tx.merge(making.row)
            tx.add_all(making.taken)
            stored.state = ListState.STORED
            stored.this_update, stored.next_update = facts.this_update, facts.next_update
            stored.entries, stored.octets = making.count, making.octets
            stored.high_water_seq = making.high_water_seq
            stored.sha256 = making.sha256
            stored.coverage_sha256 = hashlib.sha256(statement).hexdigest()
            event = list_event("CRL.ISSUE", stored, actor, **making.detail)
            if making.release is None or not making.proven.vanished:
                self.trail.append(tx, event)
            else:
                signed = making.release.signed(stored, making.proven.difference.sha256)
                kept = self.directory.state(tx, event, *signed)
                stored.override = json.dumps([one.id for one in kept])
            return stored

    def _statement(self, making: Making, facts: ListFacts) -> dict[str, object]:
        with self.store.read() as tx:
            site_id, _ = self.trail.site(tx)
        return {
            "site_id": site_id,
            "issuer": making.row.issuer_id,
            "scope": making.row.scope.value,
            "shard": making.row.shard,
            "number": facts.number,
            "this_update": rfc3339(facts.this_update),
            "next_update": rfc3339(facts.next_update),
            "high_water_seq": making.high_water_seq,
            "entries": making.count,
            "octets": making.octets,
            "sha256": making.sha256,
            **making.proven.difference.content(),
        }


def _unknown(file: BinaryIO, making: Making) -> Before:
    """Note a served list that the store knows nothing of."""
    parsed, difference = open_list(file), making.proven.difference
    entries = entries_of(parsed, file)
    difference.number, difference.sha256 = crl_number(parsed), parsed.sha256
    difference.entries = sum(len(page) for page in entries.pages())
    return Before(entries, min(this_update(parsed), making.this_update), 0)


def _seen(pages: Iterator[bytes], file: BinaryIO, early: EarlySurvey) -> Iterator[bytes]:
    for joined in pages:
        file.write(joined)
        early.take(joined)
        yield joined
    file.flush()


def list_event(code: str, row: RevocationList, actor: str, **more: object) -> Event:
    """Return what the trail says of a list."""
    at = row.published_at or row.this_update
    return Event(
        code,
        "crl",
        f"{row.issuer_id}:{row.number}",
        actor=actor,
        detail={
            "scope": row.scope.value,
            "shard": row.shard,
            "entries": row.entries or 0,
            "sha256": row.sha256 or "",
            "coverage": row.coverage_sha256 or "",
            "high_water_seq": row.high_water_seq or 0,
            "at": rfc3339(at) if at is not None else "",
            "next_update": rfc3339(row.next_update) if row.next_update is not None else "",
            **more,
        },
    )
