"""Statements: signed by one key over exactly one decision."""

from __future__ import annotations

import json
from dataclasses import replace

import pytest
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec

from audit.canonical import canonical_json
from operators.statements import (
    Decision,
    KeySigner,
    SignedStatement,
    StatementType,
    credential_id,
    make_statement,
    public_key_der,
    verify_statement,
)
from pki.errors import InvalidInput, Refused
from policies.roles import Role

KEY = ec.generate_private_key(ec.SECP256R1())
OTHER = ec.generate_private_key(ec.SECP256R1())
PUBLIC = public_key_der(KEY.public_key())
DECISION = Decision(
    StatementType.APPROVAL, "application", "A-1", "ab" * 32, "APPROVE", Role.RA_APPROVER, "why"
)
SIGNER = KeySigner("shonin", KEY)
STATEMENT = make_statement(
    SIGNER, DECISION, statement_id="s1", site_id="site", at="2026-11-21T03:00:00Z"
)


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
    }
    assert canonical_json(json.loads(STATEMENT.body)) == STATEMENT.body


def test_it_verifies_with_the_key_and_elsewhere() -> None:
    verify_statement(STATEMENT, PUBLIC, DECISION, "shonin")
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
        verify_statement(STATEMENT, PUBLIC, CHANGES[field], "shonin")
    assert refusal.value.code == "operators.statement.differs"
    assert f"another {field}" in refusal.value.text


def test_another_operator_is_refused() -> None:
    with pytest.raises(Refused) as refusal:
        verify_statement(STATEMENT, PUBLIC, DECISION, "uketsuke")
    assert refusal.value.code == "operators.statement.differs"


@pytest.mark.parametrize("field", json.loads(STATEMENT.body))
def test_a_tampered_field_breaks_the_signature(field: str) -> None:
    body = json.loads(STATEMENT.body)
    body[field] = body[field][:-1] + ("x" if body[field][-1:] != "x" else "y")
    tampered = SignedStatement(canonical_json(body), STATEMENT.signature)
    with pytest.raises(Refused) as refusal:
        verify_statement(tampered, PUBLIC, DECISION, "shonin")
    assert refusal.value.code == "operators.statement.signature"


def test_every_octet_is_signed() -> None:
    for tampered in (STATEMENT.body + b" ", STATEMENT.body[:-1], b""):
        with pytest.raises(Refused) as refusal:
            verify_statement(
                SignedStatement(tampered, STATEMENT.signature), PUBLIC, DECISION, "shonin"
            )
        assert refusal.value.code == "operators.statement.signature"


def test_another_key_is_refused() -> None:
    forged = make_statement(
        KeySigner("shonin", OTHER), DECISION, statement_id="s1", site_id="site", at="now"
    )
    for statement, key in ((forged, KEY), (STATEMENT, OTHER)):
        with pytest.raises(Refused) as refusal:
            verify_statement(statement, public_key_der(key.public_key()), DECISION, "shonin")
        assert refusal.value.code == "operators.statement.signature"


@pytest.mark.parametrize("body", [b"", b"[]", b"{}", b'{"type": 1}', b"\xff"])
def test_a_field_that_is_not_there(body: bytes) -> None:
    with pytest.raises(InvalidInput) as refusal:
        SignedStatement(body, b"").field("type")
    assert refusal.value.code == "operators.statement.shape"
