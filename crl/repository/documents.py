"""Documents for relying parties: released by two people, kept in the site, never changed."""

from __future__ import annotations

import json
import re
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

from audit.canonical import canonical_json, digest
from audit.trail import Event
from crl.repository import records
from crl.repository.records import DocumentKind, PublicDocument
from operators.directory import Directory, kept_statement
from operators.records import Statement
from operators.statements import Decision, Signer, StatementType
from pki.errors import Conflict, HpkiError, InvalidInput, Refused, Unavailable
from pki.validity import rfc3339, whole_seconds
from policies.roles import Role
from store.database import Store, Transaction
from store.files import write_whole

MAX_OCTETS = 20 * 1024 * 1024
MANAGERS = (Role.CA_MANAGER, Role.IA_MANAGER, Role.RA_MANAGER)
"""Two of them release a document, one as CA manager, who approves the practice statement."""

_LONGEST_TITLE = 200
_NAME = re.compile(r"[a-z][a-z0-9]*(-[a-z0-9]+)*")
_LONGEST_NAME = 32
_VERSION = re.compile(r"[0-9]{1,4}(\.[0-9]{1,4}){0,3}")
_PDF_END = 1024
_TEXT_CONTROLS = re.compile(r"[\x00-\x08\x0b-\x1f\x7f-\x9f]")


@dataclass(frozen=True)
class Draft:
    """A document as it is given: ``name`` is what its versions have in common, as ``cp-sign``."""

    kind: DocumentKind
    name: str
    version: str
    title_ja: str
    title_en: str
    effective_at: datetime
    octets: bytes

    def file_name(self) -> str:
        """Return its name on targets; raises ``InvalidInput`` for what may not be published."""
        for what, value, fits in (
            ("name", self.name, _NAME.fullmatch(self.name) and len(self.name) <= _LONGEST_NAME),
            ("version", self.version, _VERSION.fullmatch(self.version)),
            ("Japanese title", self.title_ja, _is_title(self.title_ja)),
            ("English title", self.title_en, _is_title(self.title_en)),
        ):
            if not fits:
                raise InvalidInput(
                    "crl.document.words",
                    f"{value[:_LONGEST_TITLE]!r} is no {what} of a document",
                    "Names are like cp-sign, versions like 1.0, titles one line of up to 200.",
                )
        return f"{self.name}-{self.version}.{_ending(self.octets)}"


def release(row: PublicDocument, role: Role) -> Decision:
    """Return what a manager says of a document: its file and all that is shown of it."""
    bound = canonical_json(
        {
            "file_name": row.file_name,
            "kind": row.kind.value,
            "name": row.name,
            "version": row.version,
            "title_ja": row.title_ja,
            "title_en": row.title_en,
            "effective_at": rfc3339(row.effective_at),
            "octets": row.octets,
            "sha256": row.sha256,
        }
    )
    return Decision(
        StatementType.DOC_RELEASE, "document", row.file_name, digest(bound), "RELEASE", role
    )


@dataclass(frozen=True)
class Documents:
    """Releases documents and keeps their files in ``folder`` (0700, the files 0600)."""

    store: Store
    directory: Directory
    folder: Path

    def add(self, draft: Draft, first: Signer, second: Signer) -> PublicDocument:
        """Keep a document that two managers release; it is public with the next publication.

        Raises ``InvalidInput`` for another form than PDF or UTF-8 text, ``Conflict`` for a version
        that is there, ``Refused`` for one that takes effect before an earlier one of its name, or
        that one person alone or no CA manager releases.
        """
        row = self._row(draft)
        with self.store.begin() as tx:
            self.directory.trail.position(tx)
            before = _predecessor(tx, row)
            signed = [(one, release(row, role)) for one, role in self._roles(tx, first, second)]
            statements = self.directory.state(tx, _event(row, first, second), *signed)
            row.statements = json.dumps([one.id for one in statements])
            if before is not None:
                before.superseded_at = row.effective_at
                tx.add(before)
            tx.add(row)
            tx.flush()
            self._keep(row, draft.octets)
        return row

    def released(self, tx: Transaction) -> tuple[list[PublicDocument], list[HpkiError]]:
        """Return the documents that two managers released as they stand, and what is wrong."""
        sound: list[PublicDocument] = []
        failures: list[HpkiError] = []
        for row in records.documents(tx):
            try:
                verify_released(self.directory, tx, row)
            except HpkiError as error:
                failures.append(error)
            else:
                sound.append(row)
        return sound, failures

    def octets(self, row: PublicDocument) -> bytes:
        """Return the document's file; raises ``Refused`` if it was changed, ``Unavailable``."""
        path = self.folder / row.file_name
        try:
            with path.open("rb") as file:
                octets = file.read(MAX_OCTETS + 1)
        except OSError as error:
            raise Unavailable(
                "crl.document.read",
                f"{path} cannot be read: {error.strerror}",
                "Bring it back from the backup; targets keep what they have.",
            ) from None
        if digest(octets) != row.sha256:
            raise Refused(
                "crl.document.changed",
                f"{path} is not the file that two managers released",
                "Bring it back from the backup; a new text is a new version.",
            )
        return octets

    def _row(self, draft: Draft) -> PublicDocument:
        return PublicDocument(
            file_name=draft.file_name(),
            kind=draft.kind,
            name=draft.name,
            version=draft.version,
            title_ja=draft.title_ja,
            title_en=draft.title_en,
            octets=len(draft.octets),
            sha256=digest(draft.octets),
            effective_at=draft.effective_at,
            statements="[]",
            approved_at=whole_seconds(self.directory.trail.clock()),
        )

    def _roles(self, tx: Transaction, first: Signer, second: Signer) -> list[tuple[Signer, Role]]:
        if first.operator_id == second.operator_id:
            raise Refused(
                "crl.document.alone",
                f"{first.operator_id} alone cannot release a document",
                "Name another manager with --second.",
            )
        signed = [
            (one, self.directory.role_among(tx, one.operator_id, MANAGERS))
            for one in (first, second)
        ]
        if Role.CA_MANAGER not in [role for _, role in signed]:
            raise Refused(
                "crl.document.role",
                "a document is released by a CA manager and another manager",
                "See `hpki operator list` for who is CA manager.",
            )
        return signed

    def _keep(self, row: PublicDocument, octets: bytes) -> None:
        try:
            self.folder.mkdir(mode=0o700, exist_ok=True)
            write_whole(self.folder / row.file_name, octets)
        except OSError as error:
            raise Unavailable(
                "crl.document.write",
                f"{self.folder / row.file_name} cannot be written: {error.strerror}",
                "Nothing was released. Make room or mend the folder, then do it again.",
            ) from None


def verify_released(directory: Directory, tx: Transaction, row: PublicDocument) -> None:
    """Raise ``Refused`` unless two managers released the row as it is."""
    names, roles = set(), []
    for one in _ids(row):
        kept = tx.get(Statement, one)
        role = kept_statement(kept).signed.field("role") if kept is not None else ""
        if role not in MANAGERS:
            raise _unreleased(row, "a statement is missing")
        try:
            names.add(directory.verify_kept(tx, one, release(row, Role(role))))
        except HpkiError as error:
            raise _unreleased(row, error.text) from None
        roles.append(role)
    if len(names) != 2 or len(roles) != 2 or Role.CA_MANAGER not in roles:
        raise _unreleased(row, "it needs two people, one of them CA manager")
    following = [one.effective_at for one in records.versions(tx, row.name)]
    later = [one for one in following if one > row.effective_at]
    ends = min(later, default=None) if row.kind is not DocumentKind.NOTICE else None
    if row.superseded_at != ends:
        raise _unreleased(row, "its end is not where the next version begins")


def _predecessor(tx: Transaction, row: PublicDocument) -> PublicDocument | None:
    """Return the version that this one ends, None where it ends none."""
    others = records.versions(tx, row.name)
    for one in others:
        if one.version == row.version:
            raise Conflict(
                "crl.document.exists",
                f"{row.name} {row.version} was released already",
                "What is published is never changed: give the new text a new version.",
            )
        if one.kind is not row.kind:
            raise Refused("crl.document.kind", f"{row.name} is a {one.kind}, not a {row.kind}")
    if not others or row.kind is DocumentKind.NOTICE:
        return None
    if others[0].effective_at >= row.effective_at:
        raise Refused(
            "crl.document.order",
            f"{row.name} {others[0].version} takes effect on or after that day",
            "A version follows the one before: name a later day with --effective.",
        )
    return others[0]


def _event(row: PublicDocument, first: Signer, second: Signer) -> Event:
    detail = {
        "kind": row.kind.value,
        "version": row.version,
        "sha256": row.sha256,
        "effective_at": rfc3339(row.effective_at),
    }
    return Event(
        "DOC.PUBLISH",
        "document",
        row.file_name,
        actor=first.operator_id,
        co_actor=second.operator_id,
        detail=detail,
    )


def _ids(row: PublicDocument) -> list[str]:
    try:
        found = json.loads(row.statements)
    except ValueError:
        found = None
    if not isinstance(found, list):
        raise _unreleased(row, "its statements are not named")
    return [str(one) for one in found]


def _is_title(text: str) -> bool:
    return 0 < len(text.strip()) <= len(text) <= _LONGEST_TITLE and text.isprintable()


def _ending(octets: bytes) -> str:
    """Return pdf or txt; raises ``InvalidInput`` for another form."""
    if len(octets) > MAX_OCTETS:
        raise InvalidInput(
            "crl.document.size", f"a document has at most {MAX_OCTETS} octets, not {len(octets)}"
        )
    if octets.startswith(b"%PDF-") and b"%%EOF" in octets[-_PDF_END:]:
        return "pdf"
    try:
        text = octets.decode()
    except UnicodeError:
        text = ""
    if not text.strip() or text.startswith("%PDF-") or _TEXT_CONTROLS.search(_unix(text)):
        raise InvalidInput(
            "crl.document.form",
            "the file is neither a whole PDF nor a text in UTF-8",
            "Publish documents as PDF/A, or as plain text.",
        )
    return "txt"


def _unix(text: str) -> str:
    return text.replace("\r\n", "\n")


def _unreleased(row: PublicDocument, why: str) -> Refused:
    return Refused(
        "crl.document.unreleased",
        f"{row.file_name} is not published: {why}",
        "Keep the store and call the auditor; targets keep what they have.",
    )
