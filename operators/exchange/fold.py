"""Another organisation's register, folded from the acts in its papers, and papers verified by it.

The same proof as for an export (``operators/evidence/proof.py``), over the entries that name acts
only: each act's statements name the entry of the act before it, so no act can be left out.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, datetime

from audit.chain import Chain, Head, parse_anchor
from operators.accounts import Moment
from operators.acts import SetUp, parse_act
from operators.evidence.proof import Entry, read_entry, take_act, verify_after
from operators.exchange.paper import ActPiece, Paper, paper_decision, verify_signers
from operators.register import Register
from operators.statements import SignedStatement, head_text, verify_says
from pki.errors import InvalidInput, Refused
from pki.validity import japan_date
from policies.exchange import Part, paper_rule
from policies.site import SiteKind


@dataclass(frozen=True)
class Known:
    """What is known of a sender: its register and what the set-up says of it."""

    register: Register
    setup: str
    kind: SiteKind


def read_lone_entry(text: str) -> tuple[Entry, Chain]:
    """Return the entry, and the chain that begins with it."""
    octets = text.encode()
    try:
        body = json.loads(octets)
        before = Head(body["seq"] - 1, body["prev_hash"])
    except (ValueError, TypeError, KeyError, RecursionError):
        raise InvalidInput("exchange.entry", "this is no entry of a trail") from None
    chain = Chain(start=before)
    return read_entry(chain.take_line(octets), chain.last), chain


def entry_before(text: str) -> Head:
    """Return the predecessor that an entry names, which was read already."""
    body = json.loads(text)
    return Head(body["seq"] - 1, body["prev_hash"])


def fold_acts(acts: Sequence[ActPiece], setup: str) -> Known:
    """Return the register of the acts, each verified, from the set-up with that SHA-256 on.

    Raises ``Refused`` and what ``Register.apply`` does.
    """
    first = parse_act(acts[0].content.encode())
    if not isinstance(first, SetUp):
        raise Refused("exchange.setup", "the acts do not begin with a first set-up")
    register = Register()
    for act in acts:
        entry, _ = read_lone_entry(act.entry)
        if entry.head.seq <= register.head.seq:
            raise Refused("exchange.acts", "the acts are not in the order of their trail")
        statements = [one.kept(entry.head.seq, act.content) for one in act.statements]
        take_act(register, setup, first.site_id, entry, statements)
        before = entry_before(act.entry)
        for one in statements:
            verify_after(entry, one, lambda head, before=before: head == before)  # type: ignore[misc]
    return Known(register, setup, first.kind)


def verify_paper(paper: Paper, known: Known, part: Part, to: str, today: date) -> Head:
    """Return the newest entry that its signers saw; ``known`` is as new as the paper or newer.

    Raises ``Refused`` unless those signed it who may, with keys and roles that were theirs there
    and were not taken away since, under exactly the acts that the paper holds.
    """
    signed = [one.signed for one in paper.statements]
    if wrong := {one.field("object_id") for one in signed} - {to}:
        raise Refused("exchange.addressee", f"the file is for {min(wrong)}, we are {to}")
    heads = {one.field("after") for one in signed}
    if len(heads) != 1 or len({one.field("statement_id") for one in signed}) != len(signed):
        raise Refused("exchange.statements", "the signers did not sign it together")
    after = parse_anchor(heads.pop())
    newest, _ = read_lone_entry(paper.acts[-1].entry)
    signatures = []
    for one in signed:
        if one.field("register") != head_text(newest.head) or newest.head.seq > after.seq:
            raise Refused("exchange.acts", "the acts are not those that the signers knew")
        at = Moment(after.seq + 1, _day(one))
        if at.day > today:
            raise Refused("exchange.future", f"the file says that it was signed on {at.day}")
        signature = known.register.verify_statement(one, at)
        verify_says(one, paper_decision(paper.kind, to, paper.content_digest(), signature.role))
        _verify_uncurtailed(known.register, signature.operator_id, at.seq)
        signatures.append(signature)
    verify_signers(paper_rule(paper.kind, part), signatures)
    return after


def verify_not_lost(register: Register, statement: SignedStatement) -> None:
    """Raise ``Refused`` for a key reported lost, whenever it signed: we cannot walk that trail."""
    account, held = register.credentials[statement.field("credential")]
    if held.lost_seq is not None:
        raise Refused(
            "operators.credential.lost",
            f"the key of {account.operator_id} was reported lost at entry {held.lost_seq}",
            "Nothing it signed is taken any more: let it be decided again.",
        )


def _verify_uncurtailed(register: Register, operator_id: str, seq: int) -> None:
    """Nothing pins a paper in the sender's trail, so its signer's rights must still stand."""
    if register.account(operator_id).curtailed_after(seq):
        raise Refused(
            "exchange.signer",
            f"keys or roles of {operator_id}, who signed the file, were taken away since",
            "Let somebody else there make the file anew.",
        )


def _day(statement: SignedStatement) -> date:
    try:
        return japan_date(datetime.fromisoformat(statement.field("at")))
    except (ValueError, OverflowError):
        raise InvalidInput("exchange.statements", "a statement has no time") from None
