"""The site's CAs are what the ceremony file says that the officiants signed, or nothing is done.

An ``issuer`` row is a copy for queries: before a CA signs anything it is compared with the file.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Sequence
from dataclasses import dataclass, field

from cryptography import x509
from cryptography.exceptions import InvalidSignature

from audit.records import Criteria, search
from ca.ceremony_file import CaScript, load_script
from ca.issuers import find_issuer, own_serial
from ca.records import Ceremony, Issuer
from operators.directory import Directory
from operators.statements import Decision, StatementType
from pki.errors import HpkiError, InvalidInput, Refused
from policies.profiles import Profiles
from policies.role_tables import FEWEST_PRESENT
from policies.roles import Role
from store.database import Transaction

_Proven = dict[tuple[str, str, str], dict[str, CaScript]]


def consent(sha256: str, role: Role) -> Decision:
    """Return what each officiant says of the ceremony file."""
    return Decision(StatementType.CEREMONY, "ceremony", sha256[:16], sha256, "HOLD", role)


def issuer_row(entry: CaScript, ceremony_id: str, profiles: Profiles) -> Issuer:
    """Return the row that the ceremony file makes of a CA, without its certificate."""
    return Issuer(
        id=entry.id,
        ceremony_id=ceremony_id,
        parent_id=entry.issuer,
        purpose=profiles.certificate(entry.profile).purpose,
        profile=entry.profile,
        crl_profile=entry.crl_profile,
        subject_der=entry.subject.x509().public_bytes(),
        key_label=entry.id,
        cps_uri=entry.cps_uri,
        crl_uri=entry.crl_uri,
        own_list_uri=entry.own_list_uri,
        issues=json.dumps(entry.issues),
        japanese_names=entry.japanese_names,
    )


@dataclass(frozen=True)
class Authorities:
    """Proves CAs by their ceremony's file and consents: once a process, rows every time."""

    directory: Directory
    profiles: Profiles
    _proven: _Proven = field(default_factory=dict, repr=False, compare=False)
    _told: set[tuple[str, str]] = field(default_factory=set, repr=False, compare=False)

    def find(self, tx: Transaction, issuer_id: str) -> Issuer:
        """Return the CA, proven; raises ``NotFound``, and ``Refused`` as ``verify``."""
        issuer = find_issuer(tx, issuer_id)
        self.verify(tx, issuer)
        return issuer

    def verify(self, tx: Transaction, issuer: Issuer) -> None:
        """Raise ``Refused`` naming what in the CA's row is not as the officiants signed it.

        Also where the ceremony file, the transcript or a consent was changed.
        """
        ceremony = tx.get(Ceremony, issuer.ceremony_id)
        if ceremony is None:
            raise _changed(issuer.id, "ceremony_id")
        entry = self._entries(tx, ceremony).get(issuer.id)
        if entry is None:
            raise _changed(issuer.id, "id")
        wanted = issuer_row(entry, ceremony.id, self.profiles)
        for name in Issuer.model_fields:
            if name != "certificate_der" and getattr(issuer, name) != getattr(wanted, name):
                raise _changed(issuer.id, name)
        if issuer.certificate_der is not None:
            parent = issuer if issuer.parent_id is None else self.find(tx, issuer.parent_id)
            if (
                issuer.subject_der != _subject(issuer)
                or not _signed_by(issuer, parent)
                or not self._is_told(tx, issuer)
            ):
                raise _changed(issuer.id, "certificate_der")

    def _is_told(self, tx: Transaction, issuer: Issuer) -> bool:
        """Say whether the trail tells that exactly this certificate was issued to the CA."""
        about = f"{issuer.parent_id or issuer.id}:{own_serial(issuer)}"
        sha256 = hashlib.sha256(issuer.certificate_der or b"").hexdigest()
        if (about, sha256) in self._told:
            return True
        criteria = Criteria(code="CERT.ISSUE", object_type="certificate", object_id=about)
        for entry in search(tx, criteria, 0, 1):
            said = entry.content()
            if said is not None and said["detail"].get("certificate") == sha256:
                self._told.add((about, sha256))
                return True
        return False

    def _entries(self, tx: Transaction, ceremony: Ceremony) -> dict[str, CaScript]:
        octets = ceremony.script.encode()
        transcript = hashlib.sha256(ceremony.transcript.encode()).hexdigest()
        sha256 = hashlib.sha256(octets).hexdigest()
        key = (ceremony.id, sha256, transcript)
        if key not in self._proven:
            if (ceremony.id, ceremony.script_sha256) != (sha256[:16], sha256):
                raise _unsigned(ceremony.id, "the kept file is not the one that was carried out")
            self._verify_consents(tx, ceremony, sha256)
            script = load_script(octets, self.profiles)
            self._proven[key] = {entry.id: entry for entry in script.ca}
        return self._proven[key]

    def _verify_consents(self, tx: Transaction, ceremony: Ceremony, sha256: str) -> None:
        """Raise ``Refused`` unless everyone present at each attempt signed the file.

        Who was present is what the trail names where they signed together.
        """
        attempts: dict[int, list[dict[str, str]]] = {}
        for one in _participants(ceremony):
            expected = consent(sha256, _role(ceremony.id, one["role"]))
            try:
                name = self.directory.verify_kept(tx, one["statement"], expected)
            except HpkiError as error:
                raise _unsigned(ceremony.id, error.text) from error
            if name != one["name"]:
                raise _unsigned(ceremony.id, f"{one['name']} did not sign it")
            seq = self.directory.position(tx, one["statement"])
            attempts.setdefault(seq, []).append(one)
        if not attempts:
            raise _unsigned(ceremony.id, "nobody signed it")
        for seq, present in attempts.items():
            self._verify_present(tx, ceremony.id, seq, present)

    def _verify_present(
        self, tx: Transaction, ceremony_id: str, seq: int, present: Sequence[dict[str, str]]
    ) -> None:
        entry = self.directory.trail.entry(tx, seq)
        signed = json.loads(entry.body)["detail"]["signed"] if entry is not None else {}
        roles = [one["role"] for one in present]
        names = {one["name"] for one in present}
        if (
            {one["statement"] for one in present} != set(signed)
            or roles.count(Role.KEY_CUSTODIAN) < FEWEST_PRESENT
            or roles.count(Role.IA_MANAGER) != 1
            or len(names) != len(present)
        ):
            raise _unsigned(ceremony_id, "those who signed it are not those then present")


def _participants(ceremony: Ceremony) -> list[dict[str, str]]:
    try:
        found = json.loads(ceremony.transcript)["participants"]
        return [{name: str(one[name]) for name in ("name", "role", "statement")} for one in found]
    except (KeyError, TypeError, ValueError):
        raise _unsigned(ceremony.id, "its transcript does not say who was present") from None


def _role(ceremony_id: str, code: str) -> Role:
    if code not in (Role.KEY_CUSTODIAN, Role.IA_MANAGER):
        raise _unsigned(ceremony_id, f"{code} is nobody whom a ceremony has")
    return Role(code)


def _subject(issuer: Issuer) -> bytes:
    try:
        certificate = x509.load_der_x509_certificate(issuer.certificate_der or b"")
        return certificate.subject.public_bytes()
    except ValueError:
        raise InvalidInput(
            "ca.issuer.certificate", f"the certificate of the CA {issuer.id} cannot be read"
        ) from None


def _signed_by(issuer: Issuer, parent: Issuer) -> bool:
    try:
        by = x509.load_der_x509_certificate(parent.certificate_der or b"")
        x509.load_der_x509_certificate(issuer.certificate_der or b"").verify_directly_issued_by(by)
    except (ValueError, TypeError, InvalidSignature):
        return False
    return True


def _changed(issuer_id: str, name: str) -> Refused:
    return Refused(
        "ca.issuer.changed",
        f"the CA {issuer_id} is not as its ceremony made it: {name}",
        "Nothing was signed; keep the store and call the auditor.",
    )


def _unsigned(ceremony_id: str, why: str) -> Refused:
    return Refused(
        "ca.ceremony.unsigned",
        f"the ceremony {ceremony_id} is not proven: {why}",
        "Nothing was signed; keep the store and call the auditor.",
    )
