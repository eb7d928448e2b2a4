"""Statements: a decision signed with the operator's own key over exactly what was seen.

A statement is one RFC 8785 object, signed with SHA-256 over its octets: ECDSA by a P-256 key, or
PKCS#1 v1.5 by an RSA key. It is bound by ``digest`` (SHA-256) to what was decided about, by
``after`` to the trail as it then stood, and by ``register`` to the people and roles then known,
both as SEQ:HASH of a trail entry.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from functools import cached_property
from typing import Protocol

from cryptography.hazmat.primitives.asymmetric import ec
from pydantic_core import from_json

from audit.canonical import canonical_json, digest
from audit.chain import Head
from pki.errors import InvalidInput, Refused
from pki.signing import IssuerPublicKey, key_id, sign, spki_der, verify_signature
from policies.roles import Role


class StatementType(StrEnum):
    """What is decided."""

    SETUP = "SETUP"
    APPOINTMENT = "APPOINTMENT"
    ROLE_GRANT = "ROLE_GRANT"
    ROLE_END = "ROLE_END"
    SUSPENSION = "SUSPENSION"
    RESUMPTION = "RESUMPTION"
    DEPARTURE = "DEPARTURE"
    SUBSTITUTION = "SUBSTITUTION"
    CREDENTIAL = "CREDENTIAL"
    LOSS = "LOSS"
    TRAINING = "TRAINING"
    OFFICE = "OFFICE"
    POLICY_CHANGE = "POLICY_CHANGE"
    ANCHOR_KEY = "ANCHOR_KEY"
    CLOCK_STEP = "CLOCK_STEP"
    LOG_REVIEW = "LOG_REVIEW"
    CEREMONY = "CEREMONY"
    CA_REVOCATION = "CA_REVOCATION"
    LIST_RELEASE = "LIST_RELEASE"
    DOC_RELEASE = "DOC_RELEASE"
    EXAMINATION = "EXAMINATION"
    APPROVAL = "APPROVAL"
    REJECTION = "REJECTION"
    WITHDRAWAL = "WITHDRAWAL"
    RETURN = "RETURN"
    EXECUTION = "EXECUTION"
    REVOCATION = "REVOCATION"
    EMERGENCY_REVIEW = "EMERGENCY_REVIEW"
    PIN_DISCLOSURE = "PIN_DISCLOSURE"
    CARD_DESTRUCTION = "CARD_DESTRUCTION"
    ERASURE = "ERASURE"
    REDACTION = "REDACTION"
    PAPER = "PAPER"
    PEER_ACCEPTANCE = "PEER_ACCEPTANCE"
    PAPER_RECEIPT = "PAPER_RECEIPT"
    AUDIT_REPORT = "AUDIT_REPORT"


class Signer(Protocol):
    """An operator's signing key, in a file or on a card."""

    @property
    def operator_id(self) -> str:
        """The operator whose key it is."""
        ...

    def public_key(self) -> IssuerPublicKey:
        """Return the public key, P-256 or RSA."""
        ...

    def sign(self, octets: bytes) -> bytes:
        """Return the signature with SHA-256: DER Ecdsa-Sig-Value, or PKCS#1 v1.5."""
        ...


@dataclass(frozen=True)
class KeySigner:
    """A signer whose private key is open in this process."""

    operator_id: str
    key: ec.EllipticCurvePrivateKey

    def public_key(self) -> ec.EllipticCurvePublicKey:
        """Return the P-256 public key."""
        return self.key.public_key()

    def sign(self, octets: bytes) -> bytes:
        """Return the DER Ecdsa-Sig-Value over the octets, with SHA-256."""
        return sign(self.key, octets, "SHA-256")


@dataclass(frozen=True)
class Decision:
    """What an operator says: of what type, about which object, seen as which digest, and how."""

    type: StatementType
    object_type: str
    object_id: str
    digest: str
    decision: str
    role: Role
    reason: str = ""


@dataclass(frozen=True)
class Stand:
    """Where a statement stands: its id and site, the claimed time, and what was seen before it."""

    statement_id: str
    site_id: str
    at: str
    after: Head
    register: Head


@dataclass(frozen=True)
class SignedStatement:
    """``body``: RFC 8785 octets; ``signature``: DER Ecdsa-Sig-Value, or PKCS#1 v1.5."""

    body: bytes
    signature: bytes

    def sha256(self) -> str:
        """Return the SHA-256 of the body, by which the trail names the statement."""
        return digest(self.body)

    @cached_property
    def _content(self) -> object:
        try:
            return from_json(self.body, allow_inf_nan=False)
        except ValueError:
            return None

    def field(self, name: str) -> str:
        """Return a string field of the body; raises ``InvalidInput`` where there is none."""
        content = self._content
        value = content.get(name) if isinstance(content, dict) else None
        if not isinstance(value, str):
            raise InvalidInput("operators.statement.shape", f"the statement has no {name}")
        return value


def head_text(head: Head) -> str:
    """Return SEQ:HASH."""
    return f"{head.seq}:{head.hash}"


def credential_id(public_key: IssuerPublicKey) -> str:
    """Return the id under which statements name their signing key."""
    return key_id(spki_der(public_key))


def make_statement(signer: Signer, decision: Decision, stand: Stand) -> SignedStatement:
    """Return the decision signed; its time is RFC 3339, claimed and never used to decide order."""
    body = canonical_json(
        {
            "statement_id": stand.statement_id,
            "site_id": stand.site_id,
            "type": decision.type.value,
            "object_type": decision.object_type,
            "object_id": decision.object_id,
            "digest": decision.digest,
            "decision": decision.decision,
            "reason": decision.reason,
            "role": decision.role.value,
            "operator": signer.operator_id,
            "credential": credential_id(signer.public_key()),
            "at": stand.at,
            "after": head_text(stand.after),
            "register": head_text(stand.register),
        }
    )
    return SignedStatement(body, signer.sign(body))


def verify_signed(
    statement: SignedStatement, public_key: IssuerPublicKey, operator_id: str
) -> None:
    """Raise ``Refused`` unless the operator's key signed the statement's octets."""
    try:
        verify_signature(public_key, statement.signature, statement.body, "SHA-256")
    except Refused:
        raise Refused(
            "operators.statement.signature",
            f"a statement that names {operator_id} is not signed with that key",
        ) from None


def verify_says(statement: SignedStatement, expected: Decision) -> None:
    """Raise ``Refused`` naming the field unless the statement says exactly what is expected."""
    for name, wanted in (
        ("type", expected.type.value),
        ("object_type", expected.object_type),
        ("object_id", expected.object_id),
        ("digest", expected.digest),
        ("decision", expected.decision),
        ("role", expected.role.value),
        ("reason", expected.reason),
    ):
        if statement.field(name) != wanted:
            raise Refused(
                "operators.statement.differs",
                f"the statement about {expected.object_id} has another {name}",
                "What was decided about has changed since; let it be decided again.",
            )
