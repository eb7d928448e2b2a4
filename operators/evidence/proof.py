"""The proof: entries and statements walked together, the register folded, every one verified.

It works on octets alone, in the order of the trail, and keeps no more than the register and the
hash of each entry: the store and an export are proven by the same code.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from audit.canonical import digest
from audit.chain import Head, parse_anchor
from operators.accounts import Moment
from operators.acts import SetUp, act_digest, parse_act
from operators.kinds import KINDS, REGISTER_CODES, Kept, verify_act_statements
from operators.register import Register
from operators.statements import SignedStatement
from pki.errors import HpkiError, Refused
from pki.validity import japan_date

_HASH_OCTETS = 32
_MOST_AT_ONE_ENTRY = 1000


@dataclass(frozen=True)
class Entry:
    """What the trail says where statements stand: which they are, by id and SHA-256."""

    head: Head
    code: str
    at: Moment
    signed: Mapping[str, str]


def read_entry(body: Mapping[str, Any], head: Head) -> Entry:
    """Return what an entry's content names; raises ``Refused`` where it names nothing rightly."""
    try:
        day = japan_date(datetime.fromisoformat(body["ts"]))
        signed = body["detail"].get("signed", {})
        if not isinstance(signed, dict) or not isinstance(body["code"], str):
            raise TypeError
    except (ValueError, OverflowError, TypeError, AttributeError, KeyError):
        raise misplaced(head.seq) from None
    return Entry(head, body["code"], Moment(head.seq, day), signed)


def kept(
    statement_id: str, seq: int, body: str, signature: str, content: str | None = None
) -> Kept:
    """Return a statement as it is kept; raises ``Refused`` for one that has no octets.

    ``signature``: hexadecimal; ``content``: the act of the register it is about.
    """
    try:
        signed = SignedStatement(body.encode(), bytes.fromhex(signature))
    except ValueError:
        raise Refused(
            "operators.statement.signature",
            f"the signature of {statement_id} is not hexadecimal, or the statement no text",
        ) from None
    return Kept(statement_id, seq, signed, content)


def take_act(
    register: Register, root: str | None, site_id: str, entry: Entry, statements: Sequence[Kept]
) -> None:
    """Let the register take in the act that stands at an entry, with all its statements.

    ``root``: SHA-256 of the first set-up, None to believe the one that comes first. Raises
    ``Refused`` and what ``Register.apply`` does.
    """
    _verify_named(entry, statements)
    act = parse_act((statements[0].content or "").encode() if statements else b"")
    first = isinstance(act, SetUp)
    if first != (not register.heads) or (first and root not in (None, act_digest(act))):
        raise Refused(
            "operators.setup.pin",
            "the first set-up is not the one that is pinned",
            "It is another site's, or was tampered with: keep it and call the auditor.",
        )
    if KINDS[type(act)].code != entry.code:
        raise misplaced(entry.head.seq)
    verify_act_statements(act, site_id, statements)
    register.apply(act, [one.signed for one in statements], entry.head, entry.at.day)


def verify_stated(
    register: Register, entry: Entry, statement: Kept, stands: Callable[[Head], bool]
) -> str:
    """Return the operator who made the statement that stands at an entry.

    ``stands`` says whether an entry is in the trail. Raises ``Refused`` unless the entry names the
    statement, its signature verifies, key and role were held there, and it saw this trail.
    """
    if entry.signed.get(statement.id) != statement.signed.sha256():
        raise misplaced(entry.head.seq)
    signature = register.verify_statement(statement.signed, entry.at)
    if statement.signed.field("statement_id") != statement.id:
        raise Refused("operators.statement.differs", "the statement has another id")
    verify_after(entry, statement, stands)
    return signature.operator_id


def verify_after(entry: Entry, statement: Kept, stands: Callable[[Head], bool]) -> None:
    """Raise ``Refused`` unless the statement stands where it was signed: next after what was seen.

    Nothing can be put in before it any more, as a lost key's owner would before the loss.
    """
    after = parse_anchor(statement.signed.field("after"))
    if after.seq != entry.head.seq - 1 or not stands(after):
        raise Refused(
            "operators.statement.position",
            f"the trail before the statement {statement.id} is not the one its signer saw",
            "The trail was rewritten: keep the store and call the auditor.",
        )


def misplaced(seq: int) -> Refused:
    """Return the refusal of an entry and the statements that are said to stand there."""
    return Refused(
        "operators.statement.position",
        f"entry {seq} of the trail does not name what was signed there",
        "The store was tampered with: keep it and call the auditor.",
    )


class Proof:
    """Takes every entry in order, already chained, and the statements beside them.

    ``root``: SHA-256 of the first set-up; None takes it from the evidence itself, to be compared
    by a person. ``statements`` come in the order of their entries. Raises ``Refused`` at the first
    fault, naming the entry.
    """

    def __init__(self, site_id: str, root: str | None, statements: Iterator[Kept]) -> None:
        self.register = Register()
        self.statements = 0
        self._site_id = site_id
        self.root = root
        self._coming = statements
        self._next = next(statements, None)
        self._hashes = bytearray()

    def take(self, body: Mapping[str, Any], head: Head) -> None:
        """Verify all that was signed at the entry."""
        try:
            self._take(body, head)
        except HpkiError as error:
            where = f"entry {head.seq}"
            text = error.text if where in error.text else f"at {where}: {error.text}"
            raise Refused(error.code, text, error.hint) from None
        self._hashes += bytes.fromhex(head.hash)

    def finish(self) -> Register:
        """Return the register; raises ``Refused`` for statements that no entry names."""
        if self._next is not None:
            raise _unnamed(self._next)
        if not self.register.heads:
            raise Refused("operators.setup.none", "there is no first set-up, so nothing is proven")
        return self.register

    def _take(self, body: Mapping[str, Any], head: Head) -> None:
        statements = self._at(head.seq)
        detail, code = body["detail"], body["code"]
        if not isinstance(code, str) or not isinstance(detail, dict):
            raise misplaced(head.seq)
        if not statements and code not in REGISTER_CODES and "signed" not in detail:
            return
        entry = read_entry(body, head)
        _verify_named(entry, statements)
        if code in REGISTER_CODES:
            self._take_act(entry, statements)
        for one in statements:
            if code in REGISTER_CODES:
                verify_after(entry, one, self._stands)
            elif one.content is not None:
                raise misplaced(head.seq)
            else:
                verify_stated(self.register, entry, one, self._stands)
        self.statements += len(statements)

    def _take_act(self, entry: Entry, statements: Sequence[Kept]) -> None:
        take_act(self.register, self.root, self._site_id, entry, statements)
        if self.root is None:
            self.root = digest((statements[0].content or "").encode())

    def _at(self, seq: int) -> list[Kept]:
        """Return the statements that come next and say they stand at the entry."""
        found: list[Kept] = []
        while self._next is not None and self._next.seq <= seq:
            if self._next.seq < seq or len(found) == _MOST_AT_ONE_ENTRY:
                raise _unnamed(self._next)
            found.append(self._next)
            self._next = next(self._coming, None)
        return found

    def _stands(self, head: Head) -> bool:
        start = (head.seq - 1) * _HASH_OCTETS
        return self._hashes[start : start + _HASH_OCTETS] == bytes.fromhex(head.hash)


def _verify_named(entry: Entry, statements: Sequence[Kept]) -> None:
    """Raise ``Refused`` unless the entry names exactly these statements."""
    if entry.signed != {one.id: one.signed.sha256() for one in statements} or len(
        entry.signed
    ) != len(statements):
        raise misplaced(entry.head.seq)


def _unnamed(statement: Kept) -> Refused:
    return Refused(
        "operators.statement.unnamed",
        f"no entry {statement.seq} of the trail names the statement {statement.id}",
        "It was put in, or the trail before it was changed: keep all and call the auditor.",
    )
