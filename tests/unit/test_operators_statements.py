"""Statements: signed by one key over exactly one decision."""

from __future__ import annotations

import json
from dataclasses import replace

import pytest
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec

from audit.canonical import canonical_json
from audit.chain import Head
from operators.statements import (
    Decision,
    KeySigner,
    SignedStatement,
    Stand,
    StatementType,
    credential_id,
    make_statement,
    verify_says,
    verify_signed,
)
from pki.errors import InvalidInput, Refused
from policies.roles import Role

KEY = ec.generate_private_key(ec.SECP256R1())
OTHER = ec.generate_private_key(ec.SECP256R1())
DECISION = Decision(
    StatementType.APPROVAL, "application", "A-1", "ab" * 32, "APPROVE", Role.RA_APPROVER, "why"
)
SIGNER = KeySigner("shonin", KEY)
STAND = Stand("s1", "site", "2026-11-21T03:00:00Z", Head(41, "ab" * 32), Head(12, "cd" * 32))
STATEMENT = make_statement(SIGNER, DECISION, STAND)


def test_the_body_says_everything() -> None:
    assert json.loads(STATEMENT.body) == {
        "statement_id": "s1",
        "site_id": "site",
        "type": "APPROVAL",
        "object_type": "application",
        "object_id": "A-1",
        "digest": "ab" * 32,
        "decision": "APPROVE",
        "reason": "why",
        "role": "RA_APPROVER",
        "operator": "shonin",
        "credential": credential_id(KEY.public_key()),
        "at": "2026-11-21T03:00:00Z",
        "after": "41:" + "ab" * 32,
        "register": "12:" + "cd" * 32,
    }
    assert canonical_json(json.loads(STATEMENT.body)) == STATEMENT.body


def test_it_verifies_with_the_key_and_elsewhere() -> None:
    verify_signed(STATEMENT, KEY.public_key(), "shonin")
    verify_says(STATEMENT, DECISION)
    KEY.public_key().verify(STATEMENT.signature, STATEMENT.body, ec.ECDSA(hashes.SHA256()))


CHANGES = {
    "type": replace(DECISION, type=StatementType.EXAMINATION),
    "object_type": replace(DECISION, object_type="carrier"),
    "object_id": replace(DECISION, object_id="A-2"),
    "digest": replace(DECISION, digest="cd" * 32),
    "decision": replace(DECISION, decision="REJECT"),
    "role": replace(DECISION, role=Role.CA_MANAGER),
    "reason": replace(DECISION, reason=""),
}


@pytest.mark.parametrize("field", CHANGES)
def test_another_decision_is_refused(field: str) -> None:
    with pytest.raises(Refused) as refusal:
        verify_says(STATEMENT, CHANGES[field])
    assert refusal.value.code == "operators.statement.differs"
    assert f"another {field}" in refusal.value.text


def unsigned(statement: SignedStatement, key: ec.EllipticCurvePrivateKey = KEY) -> None:
    with pytest.raises(Refused) as refusal:
        verify_signed(statement, key.public_key(), "shonin")
    assert refusal.value.code == "operators.statement.signature"


@pytest.mark.parametrize("field", json.loads(STATEMENT.body))
def test_a_tampered_field_breaks_the_signature(field: str) -> None:
    body = json.loads(STATEMENT.body)
    body[field] = body[field][:-1] + ("x" if body[field][-1:] != "x" else "y")
    unsigned(SignedStatement(canonical_json(body), STATEMENT.signature))


def test_every_octet_is_signed() -> None:
    for tampered in (STATEMENT.body + b" ", STATEMENT.body[:-1], b""):
        unsigned(SignedStatement(tampered, STATEMENT.signature))
    for signature in (b"", b"\x30\x00", STATEMENT.signature[:-1]):
        unsigned(SignedStatement(STATEMENT.body, signature))


def test_another_key_is_refused() -> None:
    unsigned(make_statement(KeySigner("shonin", OTHER), DECISION, STAND))
    unsigned(STATEMENT, OTHER)


@pytest.mark.parametrize("body", [b"", b"[]", b"{}", b'{"type": 1}', b"\xff"])
def test_a_field_that_is_not_there(body: bytes) -> None:
    with pytest.raises(InvalidInput) as refusal:
        SignedStatement(body, b"").field("type")
    assert refusal.value.code == "operators.statement.shape"
