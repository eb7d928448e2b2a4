"""What one target serves, read from its own files, so that its page is true for it."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import BinaryIO

from cryptography import x509

from ca.issuers import issuer_certificate, signing_hash
from ca.records import Issuer, Series
from crl.archive import sha256_of
from crl.checking import entries_of, open_verified, this_update
from crl.naming import file_name
from crl.publishing import Publisher
from crl.repository.records import PublicDocument
from pki.errors import HpkiError
from policies.profiles import ListScope, Profiles

PAGE = "index.html"
FINGERPRINTS = "fingerprints.txt"


@dataclass(frozen=True)
class File:
    """A file on the target; ``sha256`` hexadecimal."""

    name: str
    octets: int
    sha256: str


class ListStanding(StrEnum):
    """CURRENT: in force. EARLY: its thisUpdate is to come. UNSOUND: no list, or not the CA's."""

    CURRENT = "CURRENT"
    EARLY = "EARLY"
    EXPIRED = "EXPIRED"
    UNSOUND = "UNSOUND"
    MISSING = "MISSING"


@dataclass(frozen=True)
class ListFacts:
    """What a list says of itself; ``number`` is None where it has no cRLNumber."""

    number: int | None
    this_update: datetime
    next_update: datetime | None
    entries: int


@dataclass(frozen=True)
class ServedList:
    """The list of a series on the target; no facts where it is MISSING or UNSOUND."""

    name: str
    scope: ListScope
    shard: int
    standing: ListStanding
    file: File | None = None
    facts: ListFacts | None = None


@dataclass(frozen=True)
class ServedCa:
    """A CA: ``file`` and ``chain`` are None where the target lacks them or has others."""

    id: str
    certificate: x509.Certificate
    file: File | None
    chain: File | None
    lists: tuple[ServedList, ...]


class DocumentStanding(StrEnum):
    """COMING: it takes effect later. SUPERSEDED: the next version took effect."""

    COMING = "COMING"
    IN_FORCE = "IN_FORCE"
    SUPERSEDED = "SUPERSEDED"


def standing_of(row: PublicDocument, now: datetime) -> DocumentStanding:
    """Return whether the document is in force."""
    if row.effective_at > now:
        return DocumentStanding.COMING
    if row.superseded_at is not None and row.superseded_at <= now:
        return DocumentStanding.SUPERSEDED
    return DocumentStanding.IN_FORCE


@dataclass(frozen=True)
class ServedDocument:
    """A released document; ``file`` is None where the target lacks it or has another."""

    document: PublicDocument
    standing: DocumentStanding
    file: File | None


@dataclass(frozen=True)
class Contents:
    """What the target serves at a moment, and nothing that changes by itself between two runs."""

    cas: tuple[ServedCa, ...]
    documents: tuple[ServedDocument, ...]
    fingerprints: File | None


KnownFacts = Callable[[Series, str], ListFacts | None]
"""Gives what our own list with that SHA-256 says, None if it is none of the series' own."""


@dataclass(frozen=True)
class Reader:
    """Reads one target at a moment; ``known`` spares counting the entries of long lists."""

    target: Publisher
    profiles: Profiles
    known: KnownFacts
    now: datetime

    def file(self, name: str, sha256: str) -> File | None:
        """Return the file if it stands there with that SHA-256; None also if it is unreadable."""
        try:
            with self._opened(name) as file:
                found = None if file is None else _file(name, file)
        except HpkiError:
            return None
        return found if found is not None and found.sha256 == sha256 else None

    def list_of(self, issuer: Issuer, series: Series) -> ServedList:
        """Return the list of the series that stands there."""
        name = file_name(issuer, self.profiles.crl(issuer.crl_profile), series)
        where = (name, series.scope, series.shard)
        try:
            with self._opened(name) as file:
                if file is None:
                    return ServedList(*where, ListStanding.MISSING)
                found = _file(name, file)
                facts = self.known(series, found.sha256) or self._facts(issuer, file)
        except HpkiError:
            return ServedList(*where, ListStanding.UNSOUND)
        return ServedList(*where, self._standing(facts), found, facts)

    def document(self, row: PublicDocument) -> ServedDocument:
        """Return the released document as it stands there."""
        standing = standing_of(row, self.now)
        return ServedDocument(row, standing, self.file(row.file_name, row.sha256))

    @contextmanager
    def _opened(self, name: str) -> Iterator[BinaryIO | None]:
        file = self.target.current(name)
        if file is None:
            yield None
            return
        with file:
            yield file

    def _facts(self, issuer: Issuer, file: BinaryIO) -> ListFacts:
        """Return what a list says; raises ``HpkiError`` unless it is the CA's."""
        hash_name = signing_hash(issuer, self.profiles)
        parsed = open_verified(file, issuer_certificate(issuer), hash_name)
        count = sum(len(page) for page in entries_of(parsed, file).pages())
        ends = parsed.next_update.moment if parsed.next_update is not None else None
        return ListFacts(parsed.number, this_update(parsed), ends, count)

    def _standing(self, facts: ListFacts) -> ListStanding:
        if facts.this_update > self.now:
            return ListStanding.EARLY
        if facts.next_update is None or facts.next_update < self.now:
            return ListStanding.EXPIRED
        return ListStanding.CURRENT


def _file(name: str, file: BinaryIO) -> File:
    sha256 = sha256_of(file)
    return File(name, file.seek(0, 2), sha256)
