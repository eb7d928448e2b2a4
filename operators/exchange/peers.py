"""Peers: the organisations whose papers we take, and what we know of them.

Nothing here is believed because a row says so: what is known of a peer is proven by the receipt
that our own people signed, and its acts are folded from its first set-up on, each verified.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass, field, replace

from audit.canonical import canonical_json, digest
from audit.chain import Head, parse_anchor
from audit.records import Criteria
from audit.records import search as search_trail
from operators import records
from operators.directory import Directory
from operators.exchange.evidence import Evidence, parse_evidence, verify_evidence
from operators.exchange.fold import Known, fold_acts, read_lone_entry, verify_paper
from operators.exchange.paper import ActPiece, Paper, acts_text, parse_paper, peer_id
from operators.exchange.receipts import Receipts, items_of, tampered
from operators.exchange.register import RegisterContent
from operators.records import Peer, PeerStatement, Receipt
from operators.statements import Decision, Signer, head_text
from pki.errors import Conflict, HpkiError, InvalidInput, NotFound, Refused
from policies.exchange import PaperKind, Part
from policies.schema import Strict, validate
from store.database import Transaction

_FORM = "exchange.form"
_MOST_FOLDED = 16
_MOST_LATER = 10_000


class _Acts(Strict):
    acts: tuple[ActPiece, ...]


@dataclass(frozen=True)
class PeerView:
    """A peer as proven.

    ``content``: what its newest register paper says, as of ``content_head``; ``head``: the newest
    entry of its trail that we have seen; ``acts``: all its acts, as text.
    """

    id: str
    known: Known
    content: RegisterContent
    content_head: Head
    head: Head
    acts: str


@dataclass(frozen=True)
class Opened:
    """A paper that verifies; ``again``: it was taken before, ``head``: what its signers saw.

    ``view`` is the sender with what the paper adds.
    """

    paper: Paper
    sha256: str
    again: bool
    head: Head
    view: PeerView


@dataclass(frozen=True)
class Peers:
    """Accepts other organisations, opens their papers and keeps receipts."""

    directory: Directory
    receipts: Receipts
    _folded: dict[str, Known] = field(default_factory=dict, repr=False, compare=False)

    @property
    def own_id(self) -> str:
        """The id under which others know us."""
        return peer_id(self.directory.root)

    def find(self, tx: Transaction, wanted: str, part: Part | None = None) -> PeerView:
        """Return the accepted peer, proven.

        Raises ``NotFound``, and ``Refused`` if it was tampered with or is of another part.
        """
        row = tx.get(Peer, wanted)
        if row is None:
            raise NotFound(
                "exchange.peer.unknown",
                f"the organisation {ascii(wanted[:64])} was not accepted here",
                "Two officers accept its register: `hpki exchange accept`.",
            )
        content = _content(row.content)
        self.receipts.find(tx, row.acceptance, row.setup, content.part, accepts=True)
        by_content, by_acts = (
            self.receipts.find(tx, one, row.setup, content.part)
            for one in (row.content_receipt, row.acts_receipt)
        )
        if (
            peer_id(row.setup) != row.id
            or by_content.kind != PaperKind.REGISTER
            or digest(row.content.encode()) != by_content.content_sha256
            or digest(row.acts.encode()) != by_acts.acts_sha256
        ):
            raise tampered(row.id)
        self._verify_newest(tx, by_acts)
        if part not in (None, content.part):
            raise Refused("exchange.part", f"{wanted} is a {content.part}, not a {part}")
        heads = (parse_anchor(by_content.head), parse_anchor(by_acts.head))
        return PeerView(row.id, self._fold(row.acts, row.setup), content, *heads, row.acts)

    def knows(self, tx: Transaction, wanted: str) -> bool:
        """Return whether the organisation was accepted."""
        return tx.get(Peer, wanted) is not None

    def all(self, tx: Transaction) -> list[PeerView]:
        """Return all peers, proven."""
        return [self.find(tx, row.id) for row in records.peers(tx)]

    def open_register(self, tx: Transaction, octets: bytes) -> Opened:
        """Return an organisation's register, verified; of a peer, as ``open``.

        The first one is believed as it stands: its officers are compared with what the sender says
        in another way, by its SHA-256.
        """
        paper = parse_paper(octets, PaperKind.REGISTER)
        sender = peer_id(paper.setup)
        if paper.setup == self.directory.root:
            raise Refused("exchange.own", "this is our own register")
        if self.knows(tx, sender):
            return self._open(tx, paper, octets, sender)
        content = _content(canonical_json(paper.content).decode())
        acts = acts_text(paper.acts)
        known = self._fold(acts, paper.setup)
        kind = self.directory.trail.site(tx)[1]
        if known.kind is not kind:
            raise Refused("exchange.site_kind", f"theirs is a {known.kind} site, ours a {kind} one")
        head = verify_paper(paper, known, content.part, sender, self.directory.now(tx).day)
        view = PeerView(sender, known, content, head, head, acts)
        return Opened(paper, digest(octets), again=False, head=head, view=view)

    def accept(self, tx: Transaction, opened: Opened, signers: Sequence[Signer]) -> None:
        """Accept an organisation by its register; two officers sign for it.

        Raises ``Conflict`` for one accepted already, ``Refused`` for others than two officers.
        """
        view = opened.view
        if self.knows(tx, view.id):
            raise Conflict("exchange.accepted", f"{view.id} was accepted already")
        if len({one.operator_id for one in signers}) != 2:
            raise Refused(
                "exchange.acceptance",
                "an organisation is accepted by two officers together",
                "Name the second with --co-operator.",
            )
        self.receipts.make(tx, _receipt(opened), view.content.part, signers)
        row = Peer(
            id=view.id,
            setup=view.known.setup,
            acceptance=opened.sha256,
            content=canonical_json(opened.paper.content).decode(),
            content_receipt=opened.sha256,
            acts=view.acts,
            acts_receipt=opened.sha256,
        )
        tx.add(row)
        tx.flush()

    def open(self, tx: Transaction, octets: bytes, kind: PaperKind) -> Opened:
        """Return a peer's paper for us, verified; nothing is kept.

        Raises ``NotFound`` for a sender that was not accepted, ``Refused`` for a paper that is not
        for us or not signed as it should, and for acts that contradict those known.
        """
        return self._open(tx, parse_paper(octets, kind), octets, self.own_id)

    def keep(
        self, tx: Transaction, opened: Opened, signer: Signer, evidence: Sequence[Evidence] = ()
    ) -> None:
        """Keep a receipt that the taker signs, what is new of the sender, and the statements.

        A paper that was taken before changes nothing.
        """
        if opened.again:
            return
        row, view = tx.get_one(Peer, opened.view.id), opened.view
        receipt = _receipt(opened, [one.digest() for one in evidence])
        self.receipts.make(tx, receipt, view.content.part, [signer])
        if opened.paper.kind is PaperKind.REGISTER:
            row.content = canonical_json(opened.paper.content).decode()
            row.content_receipt = opened.sha256
        if opened.head == view.head:
            row.acts, row.acts_receipt = view.acts, opened.sha256
        for one in evidence:
            if tx.get(PeerStatement, (row.id, one.statement_id)) is not None:
                raise Conflict(
                    "exchange.replay", f"the statement {one.statement_id} was taken in another file"
                )
            text = one.octets().decode()
            tx.add(
                PeerStatement(
                    peer_id=row.id, id=one.statement_id, evidence=text, receipt=opened.sha256
                )
            )
            tx.flush()

    def people(self, wanted: str) -> PeerPeople:
        """Return what verifies statements of a peer's operators as ``Directory`` does ours."""
        return PeerPeople(self, wanted)

    def _open(self, tx: Transaction, paper: Paper, octets: bytes, to: str) -> Opened:
        view, sha256 = self.find(tx, peer_id(paper.setup)), digest(octets)
        if view.known.setup != paper.setup:
            raise tampered(view.id)
        if tx.get(Receipt, sha256) is not None:
            return Opened(paper, sha256, again=True, head=view.head, view=view)
        if paper.kind is PaperKind.REGISTER:
            content = _content(canonical_json(paper.content).decode())
            if content.part is not view.content.part:
                raise Refused("exchange.part", f"{view.id} was accepted as a {view.content.part}")
            view = replace(view, content=content)
        newest = self._extended(view, paper)
        part, today = view.content.part, self.directory.now(tx).day
        head = verify_paper(paper, newest.known, part, to, today)
        _verify_goes_on(paper, newest, head)
        if head.seq > newest.head.seq:
            newest = replace(newest, head=head)
        return Opened(paper, sha256, again=False, head=head, view=newest)

    def _extended(self, view: PeerView, paper: Paper) -> PeerView:
        """Return the peer with the paper's acts, if these go on where those known end.

        Raises ``Refused`` where neither begins with the other, and for an act where we have seen
        that there is none.
        """
        acts = acts_text(paper.acts)
        if acts == view.acts:
            return view
        old, new = _Acts.model_validate_json(view.acts).acts, paper.acts
        shorter = min(len(old), len(new))
        if old[:shorter] != new[:shorter]:
            raise _forked(view.id)
        if len(new) <= len(old):
            return view
        first, _ = read_lone_entry(new[len(old)].entry)
        if first.head.seq <= view.head.seq:
            raise _forked(view.id)
        return replace(view, known=self._fold(acts, view.known.setup), acts=acts)

    def _verify_newest(self, tx: Transaction, receipt: Receipt) -> None:
        """Raise ``Refused`` if our trail tells of something newer that the peer sent."""
        sender, head = peer_id(receipt.setup), parse_anchor(receipt.head)
        wanted = Criteria(code="PEER.RECEIVE", object_type="peer", object_id=sender)
        after = self.receipts.position(tx, receipt)
        for entry in search_trail(tx, wanted, after, _MOST_LATER):
            try:
                seen = parse_anchor(json.loads(entry.body)["detail"]["head"])
            except (HpkiError, ValueError, TypeError, KeyError, RecursionError):
                raise tampered(sender) from None
            if seen.seq > head.seq:
                raise tampered(sender)

    def _fold(self, acts: str, setup: str) -> Known:
        key = digest(f"{setup}{acts}".encode())
        if key not in self._folded:
            if len(self._folded) >= _MOST_FOLDED:
                self._folded.clear()
            self._folded[key] = fold_acts(_Acts.model_validate_json(acts).acts, setup)
        return self._folded[key]


@dataclass(frozen=True)
class PeerPeople:
    """Verifies kept statements of one peer's operators."""

    peers: Peers
    peer_id: str

    def verify_kept(self, tx: Transaction, statement_id: str, expected: Decision) -> str:
        """Return PEER/OPERATOR of who made the statement, verified anew.

        Raises ``Refused`` as ``verify_evidence``, and for evidence that nobody here took.
        """
        row, view = self._row(tx, statement_id), self.peers.find(tx, self.peer_id)
        evidence = parse_evidence(row.evidence)
        receipt = self.peers.receipts.find(tx, row.receipt, view.known.setup, view.content.part)
        if evidence.digest() not in items_of(receipt):
            raise tampered(self.peer_id)
        name = verify_evidence(view.known.register, evidence, expected, receipt.known)
        return f"{self.peer_id}/{name}"

    def position(self, tx: Transaction, statement_id: str) -> int:
        """Return where a kept statement stands in the peer's trail."""
        evidence = parse_evidence(self._row(tx, statement_id).evidence)
        return read_lone_entry(evidence.entries[0])[0].head.seq

    def _row(self, tx: Transaction, statement_id: str) -> PeerStatement:
        row = tx.get(PeerStatement, (self.peer_id, statement_id))
        if row is None:
            raise Refused("operators.statement.missing", f"there is no statement {statement_id}")
        return row


def _content(text: str) -> RegisterContent:
    try:
        tree = json.loads(text)
    except (ValueError, RecursionError):
        raise InvalidInput(_FORM, "the register kept of a peer is not JSON") from None
    return validate(RegisterContent, tree, "the register", _FORM)


def _receipt(opened: Opened, items: Sequence[str] = ()) -> Receipt:
    return Receipt(
        paper_sha256=opened.sha256,
        setup=opened.view.known.setup,
        kind=opened.paper.kind.value,
        head=head_text(opened.head),
        content_sha256=opened.paper.content_digest(),
        acts_sha256=digest(opened.view.acts.encode()),
        known=opened.view.known.register.head.seq,
        items=json.dumps(items),
        statement_ids="[]",
    )


def _verify_goes_on(paper: Paper, view: PeerView, head: Head) -> None:
    """Raise ``Refused`` for a register older than the one known, and for a trail that forked."""
    if head.seq == view.head.seq and head != view.head:
        raise _forked(view.id)
    if paper.kind is PaperKind.REGISTER and head.seq < view.content_head.seq:
        raise Refused(
            "exchange.older",
            f"this register of {view.id} is of entry {head.seq}, older than the one of entry "
            f"{view.content_head.seq} that is known",
            "Ask for the newest; an old one would bring back keys and roles that ended.",
        )


def _forked(sender: str) -> Refused:
    return Refused(
        "exchange.forked",
        f"this file of {sender} and an earlier one contradict each other: its trail has forked",
        "Keep both files, take nothing more from it, and call the auditors of both.",
    )
