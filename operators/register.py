"""The register: people, keys and roles at any position of the trail, folded from signed acts.

Nothing here is believed because a row says so. The first act is the one whose digest is pinned
outside the store; every later one is signed by people whom the acts before it made able to sign
it. An act counts from the entry after its own.
"""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import date

from audit.chain import START, Head
from operators import acts
from operators.accounts import Account, HeldKeys, HeldRole, Moment, Span
from operators.acts import Act, Keys, Member, PolicyState, SetUp, p256_key, signing_key
from operators.authority import Signature, verify_may_sign, verify_two_managers
from operators.statements import SignedStatement, head_text, verify_signed
from pki.errors import Conflict, NotFound, Refused
from policies.roles import Role

OUTSIDE_ROLES = frozenset({Role.KEY_CUSTODIAN, Role.AUDITOR})
"""What people from outside the staff may hold at all."""


@dataclass
class Register:
    """All accounts, the anchor keys and the policy in force, up to ``head``."""

    site_id: str = ""
    accounts: dict[str, Account] = field(default_factory=dict)
    credentials: dict[str, tuple[Account, HeldKeys]] = field(default_factory=dict)
    anchor_keys: list[str] = field(default_factory=list)
    policy: PolicyState | None = None
    heads: list[Head] = field(default_factory=list)

    @property
    def head(self) -> Head:
        """The trail entry of the newest act."""
        return self.heads[-1] if self.heads else START

    def head_before(self, seq: int) -> Head:
        """Return the entry of the newest act before a position."""
        found = bisect_left(self.heads, seq, key=lambda head: head.seq)
        return self.heads[found - 1] if found else START

    def head_from(self, seq: int) -> Head:
        """Return the entry of the first act at or after a position."""
        return self.heads[bisect_left(self.heads, seq, key=lambda head: head.seq)]

    def account(self, operator_id: str) -> Account:
        """Return a person's account, or raise ``NotFound``."""
        found = self.accounts.get(operator_id)
        if found is None:
            raise NotFound(
                "operators.unknown",
                f"there is no operator {operator_id!r}",
                "See `hpki operator list`.",
            )
        return found

    def roles(self, operator_id: str, at: Moment) -> frozenset[Role]:
        """Return the roles a person may act in then: none while suspended."""
        account = self.account(operator_id)
        return frozenset() if account.suspended(at.seq) else account.roles_at(at)

    def holders(self, role: Role, at: Moment) -> list[str]:
        """Return who may act in the role then, by name."""
        return [name for name in sorted(self.accounts) if role in self.roles(name, at)]

    def verify_statement(
        self, statement: SignedStatement, at: Moment, *, about_keys: bool = False
    ) -> Signature:
        """Return who signed the statement that stands at the position, in which role.

        Raises ``Refused`` for a key unknown, ended, lost or expired then, a bad signature, a
        person suspended, a role not held, another site, or another register than it claims. An
        expired key still signs ``about_keys``: else a site whose keys expired together were dead.
        """
        account, held = self._signer(statement)
        verify_current(held, account.operator_id, at, about_keys=about_keys)
        verify_signed(statement, signing_key(held.keys.signing_key), account.operator_id)
        self._verify_stand(statement, at)
        if account.suspended(at.seq):
            raise Refused(
                "operators.suspended", f"{account.operator_id} was suspended when it was signed"
            )
        role = statement.field("role")
        if role not in account.roles_at(at):
            raise Refused(
                "operators.statement.role",
                f"{account.operator_id} did not hold {role} when it was signed",
            )
        return Signature(account.operator_id, Role(role))

    def apply(self, act: Act, statements: Sequence[SignedStatement], head: Head, day: date) -> None:
        """Take in an act that stands at ``head``; raises where its signers or facts do not fit."""
        at = Moment(head.seq, day)
        if isinstance(act, SetUp):
            self._set_up(act, statements, at)
        else:
            keys = isinstance(act, acts.ABOUT_KEYS)
            signed = [self.verify_statement(one, at, about_keys=keys) for one in statements]
            self.verify_act(act, signed, at)
            self._take(act, at)
        self.heads.append(head)

    def verify_act(
        self, act: acts.PersonAct | acts.SiteAct, signed: Sequence[Signature], at: Moment
    ) -> None:
        """Raise unless the act fits what the register holds and these people may sign it."""
        held: frozenset[Role] = frozenset()
        if isinstance(act, acts.Appoint):
            self._verify_new(act.member)
        elif not isinstance(act, acts.SiteAct):
            account = self.account(act.operator)
            _verify_fits(act, account, at.day)
            held = account.unended(at.day)  # a substitution still to come, too
        if isinstance(act, acts.Rekey):
            self._verify_new_keys(act.keys, act.operator)
        if isinstance(act, acts.Substitute) and act.role not in self.account(act.absent).roles_at(
            at
        ):
            raise Conflict("operators.role.none", f"{act.absent} does not hold {act.role}")
        verify_may_sign(act, signed, held)

    def _set_up(self, act: SetUp, statements: Sequence[SignedStatement], at: Moment) -> None:
        if self.heads:
            raise Refused("operators.setup.twice", "there is a second first set-up")
        self.site_id = act.site_id
        for member in act.members:
            self._verify_new(member)
            self._add(member, at)
            account = self.accounts[member.operator]
            _verify_grant(member.roles, account, at.day)
            account.roles += [HeldRole(at.seq, role) for role in member.roles]
        self.anchor_keys.append(act.anchor_key)
        self.policy = act.policy
        signed = []
        for statement in statements:
            account, keys = self._signer(statement)
            verify_signed(statement, signing_key(keys.keys.signing_key), account.operator_id)
            self._verify_stand(statement, at)
            role = statement.field("role")
            if role not in account.roles_at(Moment(at.seq + 1, at.day)):
                raise Refused("operators.setup", f"{account.operator_id} is no {role}")
            signed.append(Signature(account.operator_id, Role(role)))
        verify_two_managers(signed, must=Role.CA_MANAGER)

    def _signer(self, statement: SignedStatement) -> tuple[Account, HeldKeys]:
        found = self.credentials.get(statement.field("credential"))
        if found is None or found[0].operator_id != statement.field("operator"):
            raise Refused(
                "operators.statement.credential",
                f"the key of the statement about {statement.field('object_id')} is none of "
                f"{statement.field('operator')}",
                "Nothing is done on it; keep the store and call the auditor.",
            )
        return found

    def _verify_stand(self, statement: SignedStatement, at: Moment) -> None:
        if statement.field("site_id") != self.site_id:
            raise Refused("operators.statement.site", "the statement is another site's")
        if statement.field("register") != head_text(self.head_before(at.seq)):
            raise Refused(
                "operators.register.cut",
                f"the statement at entry {at.seq} was signed under another register of operators",
                "Register or trail was rewritten: keep the store and call the auditor.",
            )

    def _verify_new(self, member: Member) -> None:
        if member.operator in self.accounts:
            raise Conflict(
                "operators.exists", f"there is or was an operator {member.operator!r} already"
            )
        self._verify_new_keys(member.keys, member.operator)

    def _verify_new_keys(self, keys: Keys, operator_id: str) -> None:
        used = {
            key
            for account in self.accounts.values()
            for held in account.keys
            for key in (held.keys.signing_key, held.keys.sealing_key)
        }
        p256_key(keys.sealing_key)
        signing_key(keys.signing_key)
        if used & {keys.signing_key, keys.sealing_key} or keys.signing_key == keys.sealing_key:
            raise Conflict(
                "operators.keys.taken",
                f"a key of {operator_id} is or was in use already",
                "Each person makes keys of their own.",
            )
        acts.verify_proof(keys, operator_id, self.site_id)

    def _add(self, member: Member, at: Moment) -> None:
        account = Account(
            member.operator, member.person, member.external, member.office, since_seq=at.seq
        )
        self.accounts[member.operator] = account
        self._give_keys(account, member.keys, at)

    def _give_keys(self, account: Account, keys: Keys, at: Moment) -> None:
        for old in account.keys:
            old.end(at.seq)
        held = HeldKeys(at.seq, keys)
        account.keys.append(held)
        self.credentials[held.credential] = (account, held)

    def _take(self, act: acts.PersonAct | acts.SiteAct, at: Moment) -> None:
        match act:
            case acts.Approve():
                self.policy = act.policy
            case acts.AnchorKey():
                self.anchor_keys.append(act.anchor_key)
            case acts.Appoint():
                self._add(act.member, at)
            case acts.Rekey():
                self._give_keys(self.account(act.operator), act.keys, at)
            case _:
                _change(self.account(act.operator), act, at)


def _change(account: Account, act: acts.PersonAct, at: Moment) -> None:
    match act:
        case acts.Grant():
            account.roles += [HeldRole(at.seq, role) for role in act.roles]
        case acts.Substitute():
            days = (act.first_day, act.last_day)
            account.roles.append(HeldRole(at.seq, act.role, *days, absent=act.absent))
        case acts.End():
            _end([one for one in account.roles if one.role in act.roles], at)
        case acts.Suspend():
            account.suspensions.append(Span(at.seq))
        case acts.Resume():
            _end(account.suspensions, at)
        case acts.Leave():
            account.left_seq = at.seq
            _end([*account.roles, *account.keys], at)
        case acts.Loss():
            for one in account.keys:
                if one.credential == act.credential:
                    one.end(at.seq)
                    one.lost_seq = at.seq
        case acts.Train():
            account.trainings.append((act.course, act.on))
        case acts.Assign():
            account.office = act.office


def _end(spans: Sequence[Span], at: Moment) -> None:
    for span in spans:
        span.end(at.seq)


def _verify_fits(act: acts.PersonAct, account: Account, day: date) -> None:
    name = account.operator_id
    if account.left_seq is not None and not isinstance(act, acts.Loss):
        raise Conflict("operators.left", f"{name} has left")
    suspended = any(span.until_seq is None for span in account.suspensions)
    match act:
        case acts.Grant():
            _verify_grant(act.roles, account, day)
        case acts.Substitute():
            _verify_grant((act.role,), account, day)
        case acts.End() if missing := set(act.roles) - account.unended(day):
            raise Conflict(
                "operators.role.none", f"{name} does not hold {', '.join(sorted(missing))}"
            )
        case acts.Suspend() if suspended:
            raise Conflict("operators.suspended", f"{name} is suspended already")
        case acts.Resume() if not suspended:
            raise Conflict("operators.suspended", f"{name} is not suspended")
        case acts.Loss() if act.credential not in {
            one.credential for one in account.keys if one.lost_seq is None
        }:
            raise Conflict("operators.loss", f"{name} has no such key to lose")


def _verify_grant(roles: Sequence[Role], account: Account, day: date) -> None:
    name = account.operator_id
    if again := account.unended(day) & set(roles):
        raise Conflict("operators.role.held", f"{name} holds {', '.join(sorted(again))} already")
    if account.external and (wrong := set(roles) - OUTSIDE_ROLES):
        raise Refused(
            "operators.role.outside",
            f"{name} is from outside the staff and may not hold {', '.join(sorted(wrong))}",
        )
    if Role.LRA_RECEPTION in roles and account.office is None:
        raise Refused(
            "operators.role.office",
            f"{name} belongs to no reception office",
            "Name it first: `hpki operator assign`.",
        )


def verify_current(
    held: HeldKeys, operator_id: str, at: Moment, *, about_keys: bool = False
) -> None:
    """Raise ``Refused`` unless the keys count at that position and day.

    Whether they have expired does not matter ``about_keys``.
    """
    if held.lost_seq is not None and not held.covers(at.seq):
        raise Refused(
            "operators.credential.lost",
            f"the key of {operator_id} was reported lost before entry {at.seq}",
            "What it signed later in the trail is worth nothing, whatever time it claims.",
        )
    if not held.covers(at.seq):
        raise Refused(
            "operators.statement.credential",
            f"the key of {operator_id} was not valid at entry {at.seq}",
        )
    if held.keys.expires_on < at.day and not about_keys:
        raise Refused(
            "operators.credential.expired",
            f"the key of {operator_id} expired on {held.keys.expires_on}",
            "Have a manager register new keys: `hpki operator rekey`.",
        )
