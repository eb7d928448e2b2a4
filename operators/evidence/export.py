"""An export: everything an outsider needs to verify the site's decisions without the site.

It holds no names of people: trail and statements name operators and objects by their ids.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

from cryptography.hazmat.primitives.asymmetric import ec

from audit.anchors import Anchors
from audit.canonical import digest
from audit.trail import Event
from operators.directory import Directory, kept_statement
from operators.evidence import manifest as form
from operators.evidence.draft import Draft, drafted
from operators.evidence.manifest import Manifest, key_file, key_pem, public_keys, statement_line
from operators.evidence.readme import README_TEXT, STATEMENT_TEXT
from operators.evidence.store import Progress, contents, every_statement
from operators.records import Statement
from operators.statements import Signer
from pki.errors import NotFound, Refused
from pki.signing import sign
from policies.roles import Role
from store.database import Transaction

READERS = (Role.AUDITOR, Role.LOG_REVIEWER)
"""Who may export. Source: operations 5.4, access to the archive."""


@dataclass(frozen=True)
class Exports:
    """Writes exports as folders (0700, files 0600) that appear when they are whole."""

    directory: Directory
    anchors: Anchors

    def export(
        self,
        folder: Path,
        signer: Signer,
        anchor_key: ec.EllipticCurvePrivateKey | None = None,
        progress: Progress | None = None,
    ) -> Manifest:
        """Export the trail up to now with all statements, anchors and public keys.

        The entry LOG.EXPORT names the manifest; it comes after what is exported and before the
        folder appears. With ``anchor_key`` the manifest is signed. Raises ``Refused`` for others
        than AUDITOR and LOG_REVIEWER and for a register that was tampered with, ``Conflict``
        where something is already, ``Unavailable`` where it cannot be written.
        """
        with drafted(folder) as draft:
            with self.directory.trail.store.read() as tx:
                self._reader(tx, signer)
                manifest = self._write(tx, draft, progress)
            octets = manifest.octets()
            draft.write(form.MANIFEST, [octets])
            if anchor_key is not None:
                draft.write(form.MANIFEST_SIGNATURE, [sign(anchor_key, octets, "SHA-256")])
            detail = {
                "manifest": digest(octets),
                "head": f"{manifest.last_seq}:{manifest.head_hash}",
                "statements": manifest.statements,
                "anchors": manifest.anchors,
            }
            self._enter(signer, "trail", manifest.site_id, detail)
        return manifest

    def statement(self, statement_id: str, folder: Path, signer: Signer) -> Statement:
        """Write one statement's body, signature (DER) and public key (PEM), for OpenSSL.

        Raises ``NotFound`` where there is none, else as ``export``.
        """
        with self.directory.trail.store.read() as tx:
            self._reader(tx, signer)
            row = tx.get(Statement, statement_id)
            register = self.directory.register(tx)
        if row is None:
            raise NotFound("operators.statement.unknown", f"there is no statement {statement_id}")
        signed = kept_statement(row).signed
        found = register.credentials.get(signed.field("credential"))
        if found is None:
            raise Refused(
                "operators.statement.credential", f"no key of the register made {statement_id}"
            )
        with drafted(folder) as draft:
            draft.write("body.json", [signed.body])
            draft.write("signature.der", [signed.signature])
            draft.write("key.pem", [key_pem(found[1].keys.signing_key)])
            if row.content is not None:
                draft.write("act.json", [row.content.encode()])
            draft.write(form.README, [STATEMENT_TEXT.encode()])
            detail = {"sha256": signed.sha256(), "seq": row.seq}
            self._enter(signer, "statement", row.id, detail)
        return row

    def _reader(self, tx: Transaction, signer: Signer) -> Role:
        """Return the role in which the signer may export now."""
        role = self.directory.role_among(tx, signer.operator_id, READERS)
        self.directory.verify_may_act(tx, signer, role)
        return role

    def _enter(
        self, signer: Signer, object_type: str, object_id: str, detail: Mapping[str, object]
    ) -> None:
        with self.directory.trail.store.begin() as tx:
            role = self._reader(tx, signer)
            self.directory.trail.append(
                tx,
                Event(
                    "LOG.EXPORT", object_type, object_id, signer.operator_id, role, detail=detail
                ),
            )

    def _write(self, tx: Transaction, draft: Draft, progress: Progress | None) -> Manifest:
        site_id, kind = self.directory.trail.site(tx)
        register = self.directory.register(tx)
        head = self.directory.trail.head(tx)
        entries = _Counted(octets for _, octets, _ in contents(tx, head, progress))
        statements = _Counted(map(statement_line, every_statement(tx)))
        anchors = _Counted(one.file_octets() for one in self.anchors.all(tx))
        draft.write(form.TRAIL, entries)
        draft.write(form.STATEMENTS, statements)
        draft.write(form.ANCHORS, anchors)
        for credential, spki_hex in sorted(public_keys(register).items()):
            draft.write(key_file(credential), [key_pem(spki_hex)])
        draft.write(form.README, [README_TEXT.encode()])
        return Manifest(
            site_id=site_id,
            kind=kind,
            last_seq=head.seq,
            head_hash=head.hash,
            entries=entries.count,
            statements=statements.count,
            anchors=anchors.count,
            setup=self.directory.root,
            files=dict(draft.files),
        )


class _Counted:
    """Lines, each with its end, counted as they go by."""

    def __init__(self, lines: Iterable[bytes]) -> None:
        self._lines = lines
        self.count = 0

    def __iter__(self) -> Iterator[bytes]:
        for line in self._lines:
            self.count += 1
            yield line.removesuffix(b"\n") + b"\n"
