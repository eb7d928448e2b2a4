"""Papers made: the acts gathered, the content signed, and all of it entered in our trail."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import groupby

from pydantic import BaseModel

from audit.canonical import canonical_json, digest
from audit.trail import Event
from operators import records
from operators.authority import Signature
from operators.directory import Directory
from operators.exchange.paper import (
    MAX_OCTETS,
    ActPiece,
    Paper,
    SignedPiece,
    paper_decision,
    peer_id,
    verify_signers,
)
from operators.exchange.register import RegisterContent
from operators.records import Statement
from operators.statements import Decision, Signer
from pki.errors import InvalidInput
from policies.exchange import PaperKind, Part, paper_rule
from store.database import Transaction


def make_register(
    directory: Directory, tx: Transaction, content: RegisterContent, signers: Sequence[Signer]
) -> bytes:
    """Return our register for others, signed by two officers and entered as PEER.SEND."""
    own = peer_id(directory.root)
    return make_paper(directory, tx, PaperKind.REGISTER, content.part, own, content, signers)


def make_paper(
    directory: Directory,
    tx: Transaction,
    kind: PaperKind,
    part: Part,
    to: str,
    content: BaseModel,
    signers: Sequence[Signer],
) -> bytes:
    """Return the octets of a paper for the organisation ``to``, entered as PEER.SEND.

    Raises ``Refused`` unless the signers are those who may sign it, ``InvalidInput`` for more than
    64 MiB.
    """
    directory.trail.position(tx)  # acts and statements stand together
    rule, tree = paper_rule(kind, part), content.model_dump(mode="json")
    seen = digest(canonical_json(tree))
    signed: list[Signature] = []
    decisions: list[tuple[Signer, Decision]] = []
    for signer in signers:
        first = [one for one in rule.must if not signed] + list(rule.roles)
        role = directory.role_among(tx, signer.operator_id, first)
        signed.append(Signature(signer.operator_id, role))
        decisions.append((signer, paper_decision(kind, to, seen, role)))
    verify_signers(rule, signed)
    event = Event(
        "PEER.SEND",
        "peer",
        to,
        actor=signed[0].operator_id,
        actor_role=signed[0].role,
        co_actor=signed[1].operator_id if len(signed) > 1 else "",
        detail={"kind": kind.value, "content": seen},
    )
    rows = directory.state(tx, event, *decisions)
    paper = Paper(
        format="hpki-exchange-1",
        kind=kind,
        content=tree,
        acts=_acts(directory, tx),
        statements=tuple(_piece(one) for one in rows),
    )
    octets = paper.octets()
    if len(octets) > MAX_OCTETS:
        raise InvalidInput(
            "exchange.size", f"the file would have {len(octets)} octets", "Send fewer at once."
        )
    return octets


def _acts(directory: Directory, tx: Transaction) -> tuple[ActPiece, ...]:
    made = []
    for seq, group in groupby(records.acts_after(tx, 0), key=lambda row: row.seq):
        rows, entry = list(group), directory.trail.entry(tx, seq)
        made.append(
            ActPiece(
                entry=entry.body if entry is not None else "",
                content=rows[0].content or "",
                statements=tuple(_piece(one) for one in rows),
            )
        )
    return tuple(made)


def _piece(row: Statement) -> SignedPiece:
    return SignedPiece(body=row.body, signature=row.signature)
