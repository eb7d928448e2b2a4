"""Papers: the signed files that one organisation sends to another.

A paper is one RFC 8785 object: its content, every act of the sender's register so far, and the
statements of those who signed it over the SHA-256 of the content. The statements stand in the
sender's trail; each names the newest entry and the newest act that its signer saw.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Annotated, Any, Literal

from pydantic import Field, StringConstraints

from audit.canonical import canonical_json, digest
from audit.chain import MAX_ENTRY_OCTETS
from operators.authority import Signature
from operators.kinds import Kept
from operators.statements import Decision, SignedStatement, StatementType
from pki.errors import InvalidInput, Refused
from policies.exchange import PaperKind, PaperRule
from policies.roles import Role
from policies.schema import Strict, validate

MAX_OCTETS = 64 * 1024 * 1024
_MOST_ACTS = 10_000
_MOST_SIGNERS = 32
_FORM = "exchange.form"

EntryText = Annotated[str, StringConstraints(min_length=2, max_length=MAX_ENTRY_OCTETS)]
"""The octets of an entry of the trail, as text."""


class SignedPiece(Strict):
    """A statement's RFC 8785 text and its signature in hexadecimal."""

    body: Annotated[str, StringConstraints(min_length=2, max_length=MAX_ENTRY_OCTETS)]
    signature: Annotated[str, StringConstraints(pattern=r"^(?:[0-9a-f]{2}){8,512}$")]

    @property
    def signed(self) -> SignedStatement:
        """The statement."""
        return SignedStatement(self.body.encode(), bytes.fromhex(self.signature))

    def kept(self, seq: int, content: str | None = None) -> Kept:
        """Return the statement as it stands at an entry."""
        return Kept(self.signed.field("statement_id"), seq, self.signed, content)


class ActPiece(Strict):
    """An act of the register, its statements, and the entry of the trail that names them."""

    entry: EntryText
    content: str
    statements: Annotated[tuple[SignedPiece, ...], Field(min_length=1, max_length=_MOST_SIGNERS)]


class Paper(Strict):
    """One file of the exchange; ``content`` is what the signers' statements are bound to."""

    format: Literal["hpki-exchange-1"]
    kind: PaperKind
    content: dict[str, Any]
    acts: Annotated[tuple[ActPiece, ...], Field(min_length=1, max_length=_MOST_ACTS)]
    statements: Annotated[tuple[SignedPiece, ...], Field(min_length=1, max_length=2)]

    @property
    def setup(self) -> str:
        """SHA-256 of the sender's first set-up, as the file claims."""
        return digest(self.acts[0].content.encode())

    def content_digest(self) -> str:
        """Return the SHA-256 that the signers signed."""
        return digest(canonical_json(self.content))

    def octets(self) -> bytes:
        """Return the RFC 8785 octets."""
        return canonical_json(self.model_dump(mode="json"))


def parse_paper(octets: bytes, kind: PaperKind) -> Paper:
    """Return the paper; raises ``InvalidInput`` unless the octets are a canonical one of the kind.

    At most 64 MiB are read.
    """
    if len(octets) > MAX_OCTETS:
        raise InvalidInput("exchange.size", f"a file of the exchange has at most {MAX_OCTETS}")
    try:
        tree = json.loads(octets)
    except (ValueError, RecursionError):
        raise InvalidInput(_FORM, "this is no file of the exchange", "Ask for it again.") from None
    paper = validate(Paper, tree, "the file", _FORM)
    if canonical_json(tree) != octets:
        raise InvalidInput(_FORM, "the file is not in canonical form", "Ask for it again.")
    if paper.kind is not kind:
        raise InvalidInput("exchange.kind", f"this file is of the kind {paper.kind}, not {kind}")
    return paper


def acts_text(acts: Sequence[ActPiece]) -> str:
    """Return the canonical JSON of acts, in an object."""
    return canonical_json({"acts": [one.model_dump(mode="json") for one in acts]}).decode()


def paper_decision(kind: PaperKind, to: str, content_digest: str, role: Role) -> Decision:
    """Return what each signer of a paper says; ``to`` is whom it is for, or the sender itself."""
    return Decision(StatementType.PAPER, kind.value, to, content_digest, "SEND", role)


def peer_id(setup: str) -> str:
    """Return the short id of the organisation with that first set-up (SHA-256)."""
    return setup[:16]


def verify_signers(rule: PaperRule, signed: Sequence[Signature]) -> None:
    """Raise ``Refused`` unless these people together may sign such a paper."""
    if len({one.operator_id for one in signed}) != len(signed):
        raise Refused("operators.separation", "one person cannot sign twice")
    wrong = [one for one in signed if one.role not in rule.roles]
    if wrong or len(signed) != rule.count:
        who = ", ".join(f"{one.operator_id} as {one.role}" for one in signed)
        raise Refused(
            "exchange.signers",
            f"the {rule.english} is signed by {who}",
            f"It is signed by {rule.count} of {' or '.join(rule.roles)}.",
        )
    if rule.must and not {one.role for one in signed} & set(rule.must):
        raise Refused(
            "exchange.signers", f"one signer of the {rule.english} is {' or '.join(rule.must)}"
        )
