"""Brings to every target what stands beside the lists, and the page that tells of all of it."""

from __future__ import annotations

import tempfile
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from typing import BinaryIO

from cryptography import x509

from audit.canonical import digest
from audit.chain import KEEP
from audit.trail import Event
from ca import records as ca_records
from ca.issuers import issuer_certificate
from ca.records import Issuer, Series
from crl.lists import Lists
from crl.publishing import Accept, Publisher
from crl.records import list_by_sha256
from crl.repository import records
from crl.repository.certificates import certs_only, chain, fingerprints
from crl.repository.contents import FINGERPRINTS, PAGE, Contents, ListFacts, Reader, ServedCa
from crl.repository.documents import Documents
from crl.repository.records import PublicDocument, ServedFile
from pki.errors import HpkiError, Refused
from pki.validity import whole_seconds

_MOST_OCTETS = 65536

Page = Callable[[Contents], bytes]
"""Makes the page of a target, UTF-8 HTML; the same octets for the same contents."""


@dataclass(frozen=True)
class _Wanted:
    """What should stand on every target: files by name, and what is known of them."""

    issuers: list[tuple[Issuer, list[Series]]]
    documents: list[PublicDocument]
    files: dict[str, bytes]

    def sha256(self, name: str) -> str:
        """Return the SHA-256 of the file, or an empty string."""
        return digest(self.files[name]) if name in self.files else ""


@dataclass(frozen=True)
class Repository:
    """Brings certificates, fingerprints and documents to every target, and writes its page.

    Nothing is ever taken away: who checks an old signature needs old certificates and documents.
    """

    lists: Lists
    documents: Documents
    targets: Sequence[Publisher]
    page: Page

    def publish(self) -> list[HpkiError]:
        """Put every file where it is not yet and write the pages anew; return what failed.

        A target that fails holds up no other, and no file another: of each target the first
        failure is returned, after those of documents that may not be published. Where a CA is not
        as its ceremony made it, nothing is done. The trail tells which files came to stand where.
        """
        failures: list[HpkiError] = []
        with self.lists.archive.lock():
            try:
                wanted = self._wanted(failures)
            except HpkiError as error:
                return [error]
            for target in self.targets:
                failures += self._bring(target, wanted)[:1]
            self._complete(wanted)
        return failures

    def _wanted(self, failures: list[HpkiError]) -> _Wanted:
        lists = self.lists
        with lists.store.read() as tx:
            rows = [one for one in ca_records.issuers(tx) if one.certificate_der is not None]
            for one in rows:
                lists.authorities.verify(tx, one)
            issuers = [(one, lists.all_series(tx, one)) for one in rows]
            released, unsound = self.documents.released(tx)
        failures += unsound
        files = {f"{one.id}.cer": one.certificate_der or b"" for one in rows}
        files |= {f"{one.id}.p7c": certs_only(chain(one, rows)) for one in rows}
        files[FINGERPRINTS] = fingerprints(
            [(f"{one.id}.cer", issuer_certificate(one)) for one in rows]
        )
        for row in released:
            try:
                files[row.file_name] = self.documents.octets(row)
            except HpkiError as error:
                failures.append(error)
        return _Wanted(issuers, released, files)

    def _bring(self, target: Publisher, wanted: _Wanted) -> list[HpkiError]:
        failures: list[HpkiError] = []
        brought: dict[str, str] = {}
        for name, octets in wanted.files.items():
            accept = partial(_verify_same, name) if name.endswith(".cer") else _let_go
            try:
                put(target, name, octets, accept)
            except HpkiError as error:
                failures.append(error)
            else:
                brought[name] = digest(octets)
        try:
            self._note(target, brought)
            put(target, PAGE, self.page(self.contents(target, wanted)), _let_go)
        except HpkiError as error:
            failures.append(error)
        return failures

    def contents(self, target: Publisher, wanted: _Wanted) -> Contents:
        """Return what the target serves now, of what it should serve."""
        now = self.lists.clock()
        reader = Reader(target, self.lists.profiles, self._known, now)
        cas = tuple(
            ServedCa(
                issuer.id,
                issuer_certificate(issuer),
                reader.file(f"{issuer.id}.cer", wanted.sha256(f"{issuer.id}.cer")),
                reader.file(f"{issuer.id}.p7c", wanted.sha256(f"{issuer.id}.p7c")),
                tuple(reader.list_of(issuer, one) for one in series),
            )
            for issuer, series in wanted.issuers
        )
        documents = tuple(map(reader.document, wanted.documents))
        return Contents(cas, documents, reader.file(FINGERPRINTS, wanted.sha256(FINGERPRINTS)))

    def _known(self, series: Series, sha256: str) -> ListFacts | None:
        with self.lists.store.read() as tx:
            row = list_by_sha256(tx, sha256)
        if row is None or row.series != series or row.this_update is None:
            return None
        return ListFacts(row.number, row.this_update, row.next_update, row.entries or 0)

    def _note(self, target: Publisher, brought: dict[str, str]) -> None:
        """Keep and enter which files newly stand on the target."""
        with self.lists.store.read() as tx:
            known = {
                one.file_name: one.sha256
                for one in records.served_files(tx)
                if one.target == target.name
            }
        new = {name: sha256 for name, sha256 in brought.items() if known.get(name) != sha256}
        if not new:
            return
        since = whole_seconds(self.lists.clock())
        with self.lists.store.begin() as tx:
            for name, sha256 in new.items():
                tx.merge(ServedFile(target=target.name, file_name=name, sha256=sha256, since=since))
            event = Event("REPO.CHANGE", "repository", target.name, detail={"files": new})
            self.lists.trail.append(tx, event)

    def _complete(self, wanted: _Wanted) -> None:
        """Mark documents that every target serves as published."""
        waiting = [one for one in wanted.documents if one.published_at is None]
        if not waiting:
            return
        with self.lists.store.begin() as tx:
            served = {
                (one.target, one.file_name, one.sha256): one.since
                for one in records.served_files(tx)
            }
            for one in waiting:
                ways = [
                    served.get((target.name, one.file_name, one.sha256)) for target in self.targets
                ]
                since = [way for way in ways if way is not None]
                if len(since) == len(ways):
                    tx.get_one(PublicDocument, one.file_name).published_at = max(since)


def put(target: Publisher, name: str, octets: bytes, accept: Accept) -> None:
    """Put the octets there unless they stand there; raises ``Unavailable``, or as ``accept``."""
    with tempfile.TemporaryFile() as source:
        source.write(octets)
        source.flush()
        target.replace(name, source, accept)


def _verify_same(name: str, standing: BinaryIO | None) -> None:
    """Raise ``Refused`` where another certificate is served under the name."""
    if standing is None:
        return
    standing.seek(0)
    try:
        x509.load_der_x509_certificate(standing.read(_MOST_OCTETS))
    except ValueError:
        return
    raise Refused("crl.certificate.differs", f"{name} is served, and the store has another", KEEP)


def _let_go(standing: BinaryIO | None) -> None:
    """Let the store win: what it has is signed, whatever stands there."""
