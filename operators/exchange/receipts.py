"""Receipts: what our own people signed when they took another organisation's paper."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass, field

from audit.canonical import canonical_json, digest
from audit.trail import Event
from operators.authority import Signature
from operators.directory import Directory, kept_statement
from operators.exchange.paper import peer_id
from operators.records import Receipt, Statement
from operators.statements import Decision, Signer, StatementType
from pki.errors import Refused
from policies.exchange import PaperKind, Part, paper_rule
from policies.roles import Role
from store.database import Transaction

_ACCEPTANCE_SIGNERS = 2


@dataclass(frozen=True)
class Receipts:
    """Makes receipts and proves them: statements once a process, rows every time."""

    directory: Directory
    _proven: set[tuple[str, str]] = field(default_factory=set, repr=False, compare=False)

    def make(
        self, tx: Transaction, receipt: Receipt, part: Part, signers: Sequence[Signer]
    ) -> None:
        """Have our people sign the receipt, enter it and keep it.

        Two accept an organisation (PEER.ACCEPT), one takes a paper of it (PEER.RECEIVE).
        """
        accepts = len(signers) == _ACCEPTANCE_SIGNERS
        roles = _roles(receipt, part, accepts=accepts)
        signed = [
            Signature(one.operator_id, self.directory.role_among(tx, one.operator_id, roles))
            for one in signers
        ]
        event = Event(
            "PEER.ACCEPT" if accepts else "PEER.RECEIVE",
            "peer",
            peer_id(receipt.setup),
            actor=signed[0].operator_id,
            actor_role=signed[0].role,
            co_actor=signed[-1].operator_id if accepts else "",
            detail={"kind": receipt.kind, "paper": receipt.paper_sha256, "head": receipt.head},
        )
        decisions = [
            (signer, _decision(receipt, one.role, accepts=accepts))
            for signer, one in zip(signers, signed, strict=True)
        ]
        rows = self.directory.state(tx, event, *decisions)
        receipt.statement_ids = json.dumps([one.id for one in rows])
        tx.add(receipt)
        tx.flush()

    def find(
        self, tx: Transaction, paper_sha256: str, setup: str, part: Part, *, accepts: bool = False
    ) -> Receipt:
        """Return the receipt of a paper; raises ``Refused`` unless our people signed just that."""
        receipt = tx.get(Receipt, paper_sha256)
        if receipt is None or receipt.setup != setup or receipt.kind not in set(PaperKind):
            raise tampered(peer_id(setup))
        ids = _texts(receipt.statement_ids)
        accepted = len(ids) == _ACCEPTANCE_SIGNERS
        roles = _roles(receipt, part, accepts=accepted)
        if accepts and not accepted:
            raise tampered(peer_id(setup))
        proven = (digest(_record(receipt)), receipt.statement_ids)
        if proven not in self._proven:
            names = {self._signer(tx, receipt, one, roles, accepts=accepted) for one in ids}
            if not ids or len(names) != len(ids):
                raise tampered(peer_id(setup))
            self._proven.add(proven)
        return receipt

    def position(self, tx: Transaction, receipt: Receipt) -> int:
        """Return where in our trail a receipt stands, which was found."""
        return self.directory.position(tx, _texts(receipt.statement_ids)[0])

    def _signer(
        self,
        tx: Transaction,
        receipt: Receipt,
        statement_id: str,
        roles: Sequence[Role],
        *,
        accepts: bool,
    ) -> str:
        row = tx.get(Statement, statement_id)
        role = kept_statement(row).signed.field("role") if row is not None else ""
        if role not in roles:
            raise tampered(peer_id(receipt.setup))
        decision = _decision(receipt, Role(role), accepts=accepts)
        return self.directory.verify_kept(tx, statement_id, decision)


def items_of(receipt: Receipt) -> list[str]:
    """Return the digests of what was taken from the paper."""
    return _texts(receipt.items)


def tampered(peer: str) -> Refused:
    """Return the refusal of what is kept about a peer."""
    return Refused(
        "exchange.tampered",
        f"what is kept about the organisation {peer} is not what was signed for here",
        "Nothing is done on it; keep the store and call the auditor.",
    )


def _record(receipt: Receipt) -> bytes:
    return canonical_json(receipt.model_dump(exclude={"statement_ids"}))


def _decision(receipt: Receipt, role: Role, *, accepts: bool) -> Decision:
    kind = StatementType.PEER_ACCEPTANCE if accepts else StatementType.PAPER_RECEIPT
    word = "ACCEPT" if accepts else "TAKE"
    return Decision(kind, "peer", peer_id(receipt.setup), digest(_record(receipt)), word, role)


def _roles(receipt: Receipt, part: Part, *, accepts: bool) -> Sequence[Role]:
    rule = paper_rule(PaperKind(receipt.kind), part)
    return rule.accepted_by if accepts else rule.taken_by


def _texts(text: str) -> list[str]:
    try:
        found = json.loads(text)
    except (ValueError, RecursionError):
        found = None
    return [str(one) for one in found] if isinstance(found, list) else []
