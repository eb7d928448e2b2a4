"""Acts about people and the site: appointed, granted, suspended, replaced, approved."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import date

from audit.canonical import canonical_json, digest
from audit.chain import CLOCK_STEP
from audit.trail import Event
from operators import acts, records
from operators.accounts import Account, Moment
from operators.acts import Act, PersonAct, SetUp, SiteAct, act_digest, act_octets
from operators.authority import MANAGERS, Signature, verify_two_managers
from operators.directory import Directory, verify_key
from operators.identity import Identity, plain
from operators.kinds import KINDS, act_decision
from operators.records import Operator
from operators.register import Register
from operators.statements import Decision, Signer, StatementType
from pki.errors import Conflict, InvalidInput, Refused
from pki.validity import rfc3339, whole_seconds
from policies.roles import Role
from store.database import Transaction

_QUIET = {"act", "operator", "policy", "member", "members", "keys"}


@dataclass(frozen=True)
class Staff:
    """Decides about people; ``substitute_days``: the longest substitution (代行)."""

    directory: Directory
    substitute_days: int

    def set_up(
        self,
        tx: Transaction,
        act: SetUp,
        identities: Mapping[str, Identity],
        officers: Sequence[Signer],
    ) -> None:
        """Appoint the first operators: two officers among them sign the whole list together.

        Raises ``Refused`` unless they are a CA manager and another manager, for roles that
        conflict, and where the act is not the one that is pinned.
        """
        if act_digest(act) != self.directory.root or self.directory.trail.site(tx) != (
            act.site_id,
            act.kind,
        ):
            raise Refused("operators.setup.pin", "this is not the set-up that is pinned")
        for member in act.members:
            self._verify_roles(member.operator, member.roles, external=member.external)
            self._add_row(tx, member, identities[member.operator])
        roles = {member.operator: member.roles for member in act.members}
        signers = [
            (one, _office(roles.get(one.operator_id, ()), one.operator_id)) for one in officers
        ]
        together = [Signature(one.operator_id, role) for one, role in signers]
        verify_two_managers(together, must=Role.CA_MANAGER)
        self._keep(tx, act, signers, Register())

    def decide(
        self,
        tx: Transaction,
        act: PersonAct | SiteAct,
        signers: Sequence[Signer],
        identity: Identity | None = None,
    ) -> int:
        """Enter an act of the register, signed together, and return its position.

        An appointment brings the person's identity. Raises where the act does not fit, for roles
        that conflict, and unless these people may decide it.
        """
        self.directory.trail.position(tx)
        register, now = self.directory.register(tx), self.directory.now(tx)
        signed = self._verify(tx, act, signers)
        if isinstance(act, acts.Grant):
            self._verify_grant(register.account(act.operator), act.roles, now)
        elif isinstance(act, acts.Substitute):
            self._verify_days(act, now.day)
            self._verify_grant(register.account(act.operator), (act.role,), now)
        elif isinstance(act, acts.Appoint):
            if identity is None:
                raise InvalidInput("operators.identity", f"who is {act.operator}?")
            self._add_row(tx, act.member, identity)
        return self._keep(tx, act, signed, register)

    def step_clock(self, tx: Transaction, signers: Sequence[Signer]) -> int:
        """Let the trail's time run back to the clock's: the newest entries claim a wrong one.

        Two managers sign for it. Returns the position of CLOCK.STEP; raises ``Conflict`` where the
        clock is not behind.
        """
        trail = self.directory.trail
        seq = trail.position(tx)
        newest, now = trail.entry(tx, seq), whole_seconds(trail.clock())
        if newest is None or newest.at <= now:
            raise Conflict("operators.clock", "the clock is not behind the newest entry")
        register, at = self.directory.register(tx), self.directory.now(tx)
        signed = [(one, _office_of(register, one, at)) for one in signers]
        verify_two_managers([Signature(one.operator_id, role) for one, role in signed])
        detail = {"from": rfc3339(newest.at), "to": rfc3339(now)}
        sha256 = digest(canonical_json(detail))
        site_id = trail.site(tx)[0]
        decisions = [
            (one, Decision(StatementType.CLOCK_STEP, "site", site_id, sha256, "STEP", role))
            for one, role in signed
        ]
        event = Event(
            CLOCK_STEP,
            "site",
            site_id,
            actor=signers[0].operator_id,
            actor_role=signed[0][1],
            co_actor=signers[1].operator_id,
            detail=detail,
        )
        return self.directory.state(tx, event, *decisions)[0].seq

    def verify_may_decide(
        self, tx: Transaction, act: PersonAct | SiteAct, signers: Sequence[Signer]
    ) -> None:
        """Raise as ``decide`` would for the signers, before anything is made or asked."""
        self._verify(tx, act, signers)

    def everyone(self) -> list[tuple[Operator, Account, frozenset[Role]]]:
        """Return all operators with their accounts and the roles they may act in now."""
        with self.directory.trail.store.read() as tx:
            register, now = self.directory.register(tx), self.directory.now(tx)
            rows = {row.id: row for row in records.everyone(tx)}
            return [
                (
                    rows.get(name) or Operator(id=name, full_name="", salt=""),
                    account,
                    register.roles(name, now),
                )
                for name, account in sorted(register.accounts.items())
            ]

    def _verify(
        self, tx: Transaction, act: PersonAct | SiteAct, signers: Sequence[Signer]
    ) -> list[tuple[Signer, Role]]:
        register, now = self.directory.register(tx), self.directory.now(tx)
        signed = []
        for signer in signers:
            role = _signing_role(register, signer, act, now)
            about_keys = isinstance(act, acts.ABOUT_KEYS)
            self.directory.verify_may_act(tx, signer, role, about_keys=about_keys)
            signed.append((signer, role))
        together = [Signature(one.operator_id, role) for one, role in signed]
        register.verify_act(act, together, now)
        return signed

    def _verify_grant(self, account: Account, new: Collection[Role], now: Moment) -> None:
        roles = account.unended(now.day).union(new)
        self._verify_roles(account.operator_id, roles, external=account.external)

    def _verify_roles(self, name: str, roles: Collection[Role], *, external: bool) -> None:
        self.directory.verify_roles(name, roles)
        table = self.directory.table
        if external and Role.KEY_CUSTODIAN in roles and not table.custodians.outside:
            raise Refused(
                "operators.role.outside",
                f"the role table {table.reference} wants custodians from the staff, {name} is not",
            )

    def _verify_days(self, act: acts.Substitute, today: date) -> None:
        days = (act.last_day - act.first_day).days + 1
        if not 1 <= days <= self.substitute_days or act.last_day < today:
            raise InvalidInput(
                "operators.substitution.days",
                f"{act.first_day} to {act.last_day} is no period of a substitution",
                f"It ends today or later and has at most {self.substitute_days} days.",
            )

    def _add_row(self, tx: Transaction, member: acts.Member, identity: Identity) -> None:
        name = member.operator
        if identity.digest() != member.person:
            raise InvalidInput("operators.identity", f"the identity of {name} is another one")
        for row in records.everyone(tx):
            same = plain(row.full_name) == plain(identity.full_name)
            if same and row.birth_date == identity.birth_date:
                raise Conflict(
                    "operators.person.exists",
                    f"{identity.full_name} is the operator {row.id} already",
                    "One person has one account; two people of one name give their birth dates.",
                )
        tx.add(Operator(id=name, **vars(identity)))
        tx.flush()

    def _keep(
        self,
        tx: Transaction,
        act: Act,
        signers: Sequence[tuple[Signer, Role]],
        register: Register,
    ) -> int:
        site_id = self.directory.trail.site(tx)[0]
        decisions = [(signer, act_decision(act, site_id, role)) for signer, role in signers]
        first, names = decisions[0][1], [signer.operator_id for signer, _ in signers]
        event = Event(
            KINDS[type(act)].code,
            first.object_type,
            first.object_id,
            actor=names[0],
            actor_role=first.role,
            co_actor=names[1] if len(names) > 1 else "",
            detail={
                "act": act.act,
                "digest": first.digest,
                **act.model_dump(mode="json", exclude=_QUIET, exclude_none=True),
            },
        )
        self.directory.keep(tx, event, decisions, register.head, act_octets(act).decode())
        return self.directory.register(tx).head.seq


def _signing_role(
    register: Register, signer: Signer, act: PersonAct | SiteAct, now: Moment
) -> Role:
    """Return the role in which the signer signs the act."""
    name = signer.operator_id
    if isinstance(act, acts.Loss | acts.Rekey) and name == act.operator:
        verify_key(register, signer, now, about_keys=True)
        held = register.roles(name, now)
        return next((role for role in (*MANAGERS, *sorted(held)) if role in held), Role.HELPDESK)
    return _office_of(register, signer, now, about_keys=isinstance(act, acts.ABOUT_KEYS))


def _office_of(
    register: Register, signer: Signer, now: Moment, *, about_keys: bool = False
) -> Role:
    """Return the manager's role that the signer holds now, or raise ``Refused``."""
    verify_key(register, signer, now, about_keys=about_keys)
    return _office(register.roles(signer.operator_id, now), signer.operator_id)


def _office(held: Collection[Role], name: str) -> Role:
    for role in MANAGERS:
        if role in held:
            return role
    raise Refused(
        "operators.signatures",
        f"{name} is no manager",
        f"This is signed by {' or '.join(MANAGERS)}.",
    )
