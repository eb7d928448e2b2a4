"""Who may do what, and the statements they made."""

from __future__ import annotations

import json
from collections.abc import Collection, Sequence
from dataclasses import dataclass, field, replace
from datetime import date
from itertools import groupby

from cryptography.hazmat.primitives.asymmetric import ec

from audit.canonical import digest
from audit.chain import START, Head
from audit.trail import Event, Trail
from operators import records
from operators.accounts import Account, Moment
from operators.acts import PolicyState, p256_key
from operators.evidence.proof import (
    Entry,
    kept,
    misplaced,
    read_entry,
    take_act,
    verify_after,
    verify_stated,
)
from operators.identity import Identity, verify_identity, verify_other_person
from operators.kinds import REGISTER_CODES, Kept
from operators.policy import policy_changes
from operators.records import Operator, Statement
from operators.register import Register, verify_current
from operators.statements import (
    Decision,
    Signer,
    Stand,
    credential_id,
    head_text,
    make_statement,
    verify_says,
)
from pki.errors import Refused
from pki.serials import Entropy
from pki.validity import japan_date, rfc3339
from policies.role_tables import RoleTable
from policies.roles import Role
from store.database import Transaction


@dataclass
class _Known:
    """The register as proven last, and the head of the trail at that time."""

    register: Register = field(default_factory=Register)
    head: Head = START
    pinned: set[tuple[Head, Head]] = field(default_factory=set)


@dataclass(frozen=True)
class Directory:
    """Proves people and roles, keeps statements and verifies them anew.

    ``root``: SHA-256 of the first set-up, pinned outside the store. ``table`` says which roles one
    person never holds together, ``policy`` what this program would issue by.
    """

    trail: Trail
    entropy: Entropy
    root: str
    table: RoleTable
    policy: PolicyState
    _known: _Known = field(default_factory=_Known, repr=False, compare=False)

    def register(self, tx: Transaction) -> Register:
        """Return the register up to now, proven from the pinned set-up on.

        Raises ``Refused`` where a row, a signature or the trail was tampered with.
        """
        head, known = self.trail.head(tx), self._known
        if known.head == head:
            return known.register
        if not self._stands(tx, known.head):
            known.register, known.head = Register(), START
        register, after = known.register, known.head.seq
        newest = self.trail.newest(tx, REGISTER_CODES, after) or register.head.seq
        if register.head.seq != newest:
            known.register, known.head = Register(), START
            self._extend(tx, register)
        if register.head.seq != newest or not newest:
            raise Refused(
                "operators.register.cut",
                f"entry {newest} of the trail is an act of the register that nobody signed",
                "The store was tampered with: keep it and call the auditor.",
            )
        if known.head == START:
            self._verify_seen(tx, register)
        known.register, known.head = register, head
        return register

    def now(self, tx: Transaction) -> Moment:
        """Return the moment of the entry that would come next."""
        position = self.trail.position(tx, lock=False)
        return Moment(position + 1, japan_date(self.trail.clock()))

    def roles_of(self, tx: Transaction, operator_id: str) -> frozenset[Role]:
        """Return the roles a person may act in now; raises ``NotFound`` for an unknown one."""
        return self.register(tx).roles(operator_id, self.now(tx))

    def role_among(self, tx: Transaction, operator_id: str, roles: Sequence[Role]) -> Role:
        """Return the first of the roles that the person may act in now, or raise ``Refused``."""
        held = self.roles_of(tx, operator_id)
        for role in roles:
            if role in held:
                return role
        raise Refused(
            "operators.role.missing",
            f"{operator_id} does not hold the role {' or '.join(roles)}",
            "See `hpki operator list` for who does.",
        )

    def verify_may_act(
        self, tx: Transaction, signer: Signer, role: Role, *, about_keys: bool = False
    ) -> None:
        """Raise ``Refused`` unless the signer's key is current and its operator holds the role.

        An operator who holds roles that conflict may not act at all. ``about_keys``: an expired
        key is enough to sign for new ones and to report a loss.
        """
        register, now, name = self.register(tx), self.now(tx), signer.operator_id
        account = verify_key(register, signer, now, about_keys=about_keys)
        if role not in account.roles_at(now):
            holders = register.holders(role, now)
            raise Refused(
                "operators.role.missing",
                f"{name} does not hold the role {role}",
                f"Act as {' or '.join(holders) or 'someone appointed to it'}.",
            )
        self.verify_roles(name, account.roles_at(now))

    def verify_roles(self, name: str, roles: Collection[Role]) -> None:
        """Raise ``Refused`` if one person may not hold the roles together."""
        pair = self.table.conflicting_pair(roles)
        if pair is not None:
            raise Refused(
                "operators.role.conflict",
                f"{name} may not hold {pair[0]} and {pair[1]} together",
                "Appoint another person to one of them.",
            )

    def verify_policy(self, tx: Transaction) -> None:
        """Raise ``Refused`` naming what differs from the profiles and parameters approved."""
        changed = policy_changes(self.register(tx).policy, self.policy)
        if changed:
            raise Refused(
                "operators.policy.unapproved",
                f"not approved as it is now: {', '.join(changed)}",
                "Nothing is issued by it; two managers approve it with `hpki config approve`.",
            )

    def verify_not_own(
        self, tx: Transaction, operator_id: str, names: Collection[str], birth_date: date
    ) -> None:
        """Raise ``Refused`` if a file with these names and birth date is the operator's own."""
        verify_other_person(self.identity(tx, operator_id), operator_id, names, birth_date)

    def identity(self, tx: Transaction, operator_id: str) -> Identity:
        """Return who the operator is; raises ``Refused`` unless the register knows it so."""
        person = self.register(tx).account(operator_id).person
        row = tx.get(Operator, operator_id) or Operator(id=operator_id, full_name="", salt="")
        identity = Identity(row.full_name, row.birth_date, row.salt)
        verify_identity(identity, operator_id, person)
        return identity

    def state(
        self, tx: Transaction, event: Event, *decisions: tuple[Signer, Decision]
    ) -> tuple[Statement, ...]:
        """Sign the decisions, enter the event that names them, and return them as kept.

        Each signer must hold the role it claims, with a key that counts, now.
        """
        self.trail.position(tx)
        for signer, decision in decisions:
            self.verify_may_act(tx, signer, decision.role)
        register, day = self.register(tx), self.now(tx).day
        kept_rows = self.keep(tx, event, decisions, register.head)
        for row in kept_rows:
            entry = self._entry(tx, row.seq)
            if entry.at.day != day:  # midnight has passed, or the clock is behind the trail
                register.verify_statement(kept_statement(row).signed, entry.at)
        return kept_rows

    def keep(
        self,
        tx: Transaction,
        event: Event,
        decisions: Sequence[tuple[Signer, Decision]],
        register: Head,
        content: str | None = None,
    ) -> tuple[Statement, ...]:
        """Sign and store decisions of people who were found able to make them, with their entry.

        ``content`` is the act of the register they are about, if it is one.
        """
        head = self.trail.head(tx, lock=True)
        site_id = self.trail.site(tx)[0]
        rows = []
        for signer, decision in decisions:
            at = rfc3339(self.trail.clock())
            stand = Stand(self.entropy(16).hex(), site_id, at, head, register)
            signed = make_statement(signer, decision, stand)
            rows.append(
                Statement(
                    id=stand.statement_id,
                    operator_id=signer.operator_id,
                    type=decision.type,
                    object_id=decision.object_id,
                    body=signed.body.decode(),
                    signature=signed.signature.hex(),
                    seq=head.seq + 1,
                    content=content,
                )
            )
        named = {row.id: digest(row.body.encode()) for row in rows}
        self.trail.append(tx, replace(event, detail={**event.detail, "signed": named}))
        tx.add_all(rows)
        tx.flush()
        return tuple(rows)

    def verify_kept(self, tx: Transaction, statement_id: str, expected: Decision) -> str:
        """Return the operator who made the kept statement, verified anew.

        Raises ``Refused`` unless it says exactly what is expected, for this site, its signature
        verifies, the trail names it where it stands, and the operator held key and role there.
        """
        row = tx.get(Statement, statement_id)
        if row is None:
            raise Refused("operators.statement.missing", f"there is no statement {statement_id}")
        statement, register = kept_statement(row), self.register(tx)
        entry = self._entry(tx, row.seq)
        operator_id = verify_stated(register, entry, statement, lambda head: self._stands(tx, head))
        verify_says(statement.signed, expected)
        if register.account(operator_id).curtailed_after(row.seq):
            self._verify_pinned(tx, entry.head, register.head_from(row.seq))
        return operator_id

    def verify_key_safe(self, tx: Transaction, statement_id: str) -> None:
        """Raise ``Refused`` if the key that signed the kept statement was reported lost since.

        The statement itself stays true; what it allowed is not done any more.
        """
        row = tx.get_one(Statement, statement_id)
        keys = self.register(tx).account(row.operator_id).keys_at(row.seq)
        if keys is None or keys.lost_seq is not None:
            raise Refused(
                "operators.statement.key_lost",
                f"the key with which {row.operator_id} signed was reported lost since",
                "Let an approver take the approval back: `hpki ra send-back`; examine it anew.",
            )

    def _verify_pinned(self, tx: Transaction, head: Head, act: Head) -> None:
        """Raise ``Refused`` unless the chain leads from an entry to the next act of the register.

        Whoever signed that act saw the entry before it. So nobody whose key, role or leave was
        taken away can put a statement into older entries.
        """
        if (head, act) not in self._known.pinned:
            self.trail.verify_between(tx, head, act)
            self._known.pinned.add((head, act))

    def position(self, tx: Transaction, statement_id: str) -> int:
        """Return the trail position of a kept statement."""
        return tx.get_one(Statement, statement_id).seq

    def sealing_keys(
        self, tx: Transaction, role: Role
    ) -> list[tuple[str, ec.EllipticCurvePublicKey]]:
        """Return credential id and encryption key of everyone who may act in the role now."""
        register, now = self.register(tx), self.now(tx)
        found = []
        for name in register.holders(role, now):
            held = register.account(name).keys_at(now.seq)
            if held is not None and now.day <= held.keys.expires_on:
                found.append((held.credential, p256_key(held.keys.sealing_key)))
        return found

    def _verify_seen(self, tx: Transaction, register: Register) -> None:
        """Raise ``Refused`` if the newest statement was signed under acts that are hidden now."""
        row = records.newest_statement(tx)
        if row is None:
            return
        if kept_statement(row).signed.field("register") != head_text(register.head_before(row.seq)):
            raise Refused(
                "operators.register.cut",
                f"the statement at entry {row.seq} was signed under another register of operators",
                "The store was tampered with: keep it and call the auditor.",
            )

    def _extend(self, tx: Transaction, register: Register) -> None:
        site_id = self.trail.site(tx)[0]
        rows = records.acts_after(tx, register.head.seq)
        for seq, group in groupby(rows, key=lambda row: row.seq):
            statements = [kept_statement(row) for row in group]
            entry = self._entry(tx, seq)
            take_act(register, self.root, site_id, entry, statements)
            for one in statements:
                verify_after(entry, one, lambda head: self._stands(tx, head))

    def _entry(self, tx: Transaction, seq: int) -> Entry:
        row = self.trail.entry(tx, seq)
        octets = row.body.encode() if row is not None else b""
        if row is None or digest(octets) != row.hash:
            raise misplaced(seq)
        try:
            return read_entry(json.loads(octets), Head(row.seq, row.hash))
        except (ValueError, RecursionError):
            raise misplaced(seq) from None

    def _stands(self, tx: Transaction, head: Head) -> bool:
        entry = self.trail.entry(tx, head.seq)
        return entry is not None and entry.hash == head.hash


def kept_statement(row: Statement) -> Kept:
    """Return the row's statement; raises ``Refused`` for a signature that is no hexadecimal."""
    return kept(row.id, row.seq, row.body, row.signature, row.content)


def verify_key(
    register: Register, signer: Signer, now: Moment, *, about_keys: bool = False
) -> Account:
    """Return the signer's account; raises ``Refused`` for a key that does not count now."""
    name = signer.operator_id
    account = register.accounts.get(name)
    held = account.keys_at(now.seq) if account is not None else None
    if account is None or held is None or held.credential != credential_id(signer.public_key()):
        raise Refused(
            "operators.credential.unknown",
            f"the key is not a current signing key of {name}",
            "A key that was lost, replaced or never registered signs nothing.",
        )
    verify_current(held, name, now, about_keys=about_keys)
    if account.suspended(now.seq):
        raise Refused("operators.suspended", f"{name} is suspended")
    return account
