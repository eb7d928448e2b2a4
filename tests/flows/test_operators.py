"""Operators on both databases: who may decide, act and state what, and what a forger can do."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import replace
from datetime import date
from pathlib import Path

import pytest
from sqlalchemy import text
from sqlmodel import select

from audit.canonical import canonical_json, digest
from audit.chain import Head
from audit.trail import Event
from ca.orders import examination
from operators import acts
from operators.acts import Act, act_octets
from operators.identity import Identity
from operators.kinds import KINDS, REGISTER_CODES, act_decision
from operators.records import Operator, Statement
from operators.statements import (
    Decision,
    KeySigner,
    Stand,
    StatementType,
    credential_id,
    make_statement,
)
from pki.errors import Conflict, HpkiError, InvalidInput, NotFound, Refused, Unavailable
from policies.roles import Role
from store.database import Store
from tests.flows.conftest import EXPIRY, SITE_ID, STAFF, Centre, identity, p256
from tests.flows.issuing import refused
from tests.flows.issuing import state as stated
from tests.flows.registration import order_all, row, take_in

DIGEST = "ab" * 32
SEEN = examination("A-1", DIGEST)


def state(centre: Centre, name: str, decision: Decision = SEEN) -> str:
    with centre.store.begin() as tx:
        return stated(centre, tx, name, decision)


def verify_kept(centre: Centre, statement_id: str, decision: Decision = SEEN) -> str:
    with centre.store.read() as tx:
        return centre.directory.verify_kept(tx, statement_id, decision)


def roles(centre: Centre, name: str) -> frozenset[Role]:
    with centre.store.read() as tx:
        return centre.directory.roles_of(tx, name)


def run(centre: Centre, statement: str, **values: object) -> None:
    """Write to the tables as someone with the database's own rights would."""
    with centre.store.engine.begin() as connection:
        if connection.dialect.name == "sqlite":
            found = connection.execute(text("SELECT name FROM sqlite_master WHERE type='trigger'"))
            for (name,) in found.all():
                connection.execute(text(f"DROP TRIGGER {name}"))
        else:
            for table in ("trail_entry", "trail_head"):
                connection.execute(text(f"ALTER TABLE {table} DISABLE TRIGGER ALL"))
        connection.execute(text(statement), values)


def forgotten(centre: Centre) -> Centre:
    """The same site in a process that has not read the register yet."""
    centre.__post_init__()
    return centre


# --- the first set-up ---


def test_everyone_has_the_roles_of_the_set_up(empty_centre: Centre) -> None:
    found = {row.id: roles for row, _, roles in empty_centre.staff.everyone()}
    assert found == {name: frozenset(held) for name, held in STAFF.items()}
    with empty_centre.store.read() as tx:
        keys = empty_centre.directory.sealing_keys(tx, Role.KEY_CUSTODIAN)
        register = empty_centre.directory.register(tx)
    assert [key for _, key in keys] == [
        empty_centre.sealing[name].public_key() for name in ("kagi-a", "kagi-b", "kagi-c")
    ]
    (entry,) = [one for one in empty_centre.trail.page(0, 100) if one.code in REGISTER_CODES]
    body = json.loads(entry.body)
    assert (body["actor_id"], body["co_actor_id"]) == ("kanri", "toroku")
    assert (body["code"], body["object_id"]) == ("ACCOUNT.CREATE", SITE_ID)
    assert body["detail"]["digest"] == empty_centre.root
    assert register.head == Head(entry.seq, entry.hash)


@pytest.mark.parametrize(
    ("people", "code"),
    [
        ({"a1": (Role.CA_MANAGER,)}, "operators.signatures"),
        ({"a1": (Role.RA_MANAGER,), "b1": (Role.IA_MANAGER,)}, "operators.signatures"),
        ({"a1": (Role.CA_MANAGER,), "b1": (Role.HELPDESK,)}, "operators.signatures"),
        (
            {"a1": (Role.CA_MANAGER,), "b1": (Role.RA_MANAGER, Role.AUDITOR)},
            "operators.role.conflict",
        ),
    ],
)
def test_the_set_up_needs_two_officers_and_no_conflict(
    sqlite_url: str, tmp_path: Path, people: dict[str, tuple[Role, ...]], code: str
) -> None:
    centre = Centre(Store(sqlite_url), tmp_path)
    refused(Refused, code, lambda: centre.set_up(people))
    with centre.store.read() as tx:
        assert tx.get(Operator, "a1") is None
    centre.store.close()


def test_the_pin_outside_the_store_decides(empty_centre: Centre) -> None:
    """A store whose first set-up is another one, however well it is signed, is refused whole."""
    kept = state(empty_centre, "uketsuke")
    empty_centre.root = "c0" * 32
    forgotten(empty_centre)
    refused(Refused, "operators.setup.pin", lambda: verify_kept(empty_centre, kept))
    refused(Refused, "operators.setup.pin", lambda: state(empty_centre, "uketsuke"))


# --- acts about people ---


def test_a_person_is_appointed_granted_and_ended(empty_centre: Centre) -> None:
    empty_centre.appoint("shinjin", Role.HELPDESK)
    assert roles(empty_centre, "shinjin") == {Role.HELPDESK}
    empty_centre.decide(acts.Grant(operator="shinjin", roles=(Role.RA_EXAMINER,)), "toroku")
    assert roles(empty_centre, "shinjin") == {Role.HELPDESK, Role.RA_EXAMINER}
    kept = state(empty_centre, "shinjin")
    empty_centre.decide(acts.End(operator="shinjin", roles=(Role.RA_EXAMINER,)), "kanri")
    assert roles(empty_centre, "shinjin") == {Role.HELPDESK}
    refused(Refused, "operators.role.missing", lambda: state(empty_centre, "shinjin"))
    assert verify_kept(forgotten(empty_centre), kept) == "shinjin"


REFUSED_ACTS: list[tuple[str, Act, tuple[str, ...]]] = [
    # a conflict with what is held, with what is granted together
    (
        "operators.role.conflict",
        acts.Grant(operator="uketsuke", roles=(Role.RA_APPROVER,)),
        ("kanri", "tachiai"),
    ),
    ("operators.role.conflict", acts.Grant(operator="ansho", roles=(Role.AUDITOR,)), ("kanri",)),
    (
        "operators.role.conflict",
        acts.Grant(operator="toroku", roles=(Role.CARD_OPERATOR, Role.PIN_OPERATOR)),
        ("kanri", "tachiai"),
    ),
    # one's own
    ("operators.grant.self", acts.Grant(operator="kanri", roles=(Role.IA_MANAGER,)), ("kanri",)),
    ("operators.grant.self", acts.Suspend(operator="toroku"), ("toroku",)),
    ("operators.grant.self", acts.Train(operator="kanri", course="OPS", on=EXPIRY), ("kanri",)),
    # by whom it may not be
    ("operators.signatures", acts.Grant(operator="ansho", roles=(Role.HELPDESK,)), ("shonin",)),
    # one manager alone makes nobody who decides, and stops no other manager
    ("operators.signatures", acts.Grant(operator="ansho", roles=(Role.RA_APPROVER,)), ("kanri",)),
    ("operators.signatures", acts.Grant(operator="ansho", roles=(Role.RA_MANAGER,)), ("kanri",)),
    ("operators.signatures", acts.End(operator="hakko", roles=(Role.IA_OPERATOR,)), ("kanri",)),
    ("operators.signatures", acts.Suspend(operator="kanri"), ("toroku",)),
    ("operators.signatures", acts.Grant(operator="ansho", roles=(Role.ROOM_GUARD,)), ("toroku",)),
    ("operators.signatures", acts.End(operator="shonin", roles=(Role.RA_APPROVER,)), ("toroku",)),
    ("operators.signatures", acts.Suspend(operator="ansho"), ("kiroku",)),
    ("operators.signatures", acts.Suspend(operator="ansho"), ()),
    ("operators.signatures", acts.Leave(operator="shonin"), ("toroku",)),
    ("operators.signatures", acts.Grant(operator="toroku", roles=(Role.CA_MANAGER,)), ("kanri",)),
    ("operators.signatures", acts.Loss(operator="ansho", credential="00"), ("kiroku",)),
    ("operators.separation", acts.Suspend(operator="ansho"), ("kanri", "kanri")),
    # what does not fit
    ("operators.role.held", acts.Grant(operator="ansho", roles=(Role.PIN_OPERATOR,)), ("kanri",)),
    ("operators.role.none", acts.End(operator="ansho", roles=(Role.HELPDESK,)), ("kanri",)),
    ("operators.suspended", acts.Resume(operator="ansho"), ("kanri",)),
    ("operators.unknown", acts.Suspend(operator="daremo"), ("kanri",)),
    ("operators.loss", acts.Loss(operator="ansho", credential="00"), ("kanri",)),
    (
        "operators.role.office",
        acts.Grant(operator="ansho", roles=(Role.LRA_RECEPTION,)),
        ("kanri",),
    ),
    # substitution: two managers, another's role, days that are near
    (
        "operators.signatures",
        acts.Substitute(
            operator="ansho",
            role=Role.RA_APPROVER,
            absent="shonin",
            first_day=date(2026, 11, 21),
            last_day=date(2026, 11, 30),
        ),
        ("kanri",),
    ),
    (
        "operators.role.none",
        acts.Substitute(
            operator="kiroku",
            role=Role.HELPDESK,
            absent="shonin",
            first_day=date(2026, 11, 21),
            last_day=date(2026, 11, 30),
        ),
        ("kanri", "tachiai"),
    ),
    (
        "operators.role.conflict",
        acts.Substitute(
            operator="uketsuke",
            role=Role.RA_APPROVER,
            absent="shonin",
            first_day=date(2026, 11, 21),
            last_day=date(2026, 11, 30),
        ),
        ("kanri", "tachiai"),
    ),
    *[
        (
            "operators.substitution.days",
            acts.Substitute(
                operator="toroku",
                role=Role.RA_APPROVER,
                absent="shonin",
                first_day=first,
                last_day=last,
            ),
            ("kanri", "tachiai"),
        )
        for first, last in (
            (date(2026, 11, 21), date(2026, 12, 22)),
            (date(2026, 11, 22), date(2026, 11, 21)),
            (date(2026, 11, 10), date(2026, 11, 20)),
        )
    ],
]  # fmt: skip


def test_what_may_not_be_decided_leaves_nothing(empty_centre: Centre) -> None:
    before = empty_centre.trail.verify()
    for code, act, signers in REFUSED_ACTS:
        with pytest.raises(HpkiError) as refusal:
            empty_centre.decide(act, *signers)  # type: ignore[arg-type]
        assert refusal.value.code == code, (act, refusal.value)
    assert empty_centre.trail.verify() == before


def test_a_ca_manager_is_made_by_two_managers(empty_centre: Centre) -> None:
    grant = acts.Grant(operator="toroku", roles=(Role.CA_MANAGER,))
    empty_centre.decide(grant, "tachiai", "kanri")
    assert Role.CA_MANAGER in roles(empty_centre, "toroku")


def test_one_person_has_one_account_and_nobody_two_keys(empty_centre: Centre) -> None:
    again = replace(identity("shonin"), salt="12" * 32)
    member = acts.Member(
        operator="shinjin", person=again.digest(), keys=empty_centre.make_keys("shinjin")
    )

    def appoint(member: acts.Member, who: Identity) -> None:
        with empty_centre.store.begin() as tx:
            act = acts.Appoint(member=member)
            empty_centre.staff.decide(tx, act, [empty_centre.signers["kanri"]], who)

    refused(Conflict, "operators.person.exists", lambda: appoint(member, again))
    taken = acts.prove_keys(
        KeySigner("shinjin", empty_centre.signers["shonin"].key),
        p256().public_key(),
        SITE_ID,
        EXPIRY,
    )
    new = identity("shinjin")
    sound = member.model_copy(update={"person": new.digest()})
    for code, keys in (
        ("operators.keys.taken", taken),
        (
            "operators.keys.taken",
            acts.prove_keys(
                KeySigner("shinjin", p256()),
                empty_centre.sealing["ansho"].public_key(),
                SITE_ID,
                EXPIRY,
            ),
        ),
    ):
        one = sound.model_copy(update={"keys": keys})
        refused(Conflict, code, lambda one=one: appoint(one, new))  # type: ignore[misc]
    stolen = sound.keys.model_copy(update={"expires_on": date(2099, 1, 1)})
    other = sound.model_copy(update={"keys": stolen})
    refused(Refused, "operators.keys.proof", lambda: appoint(other, new))
    refused(
        InvalidInput,
        "operators.identity",
        lambda: appoint(sound, replace(new, full_name="Somebody Else")),
    )
    appoint(sound, new)
    refused(Conflict, "operators.exists", lambda: appoint(sound, new))


def test_people_from_outside_hold_keys_at_most(empty_centre: Centre) -> None:
    who = identity("bengoshi")
    member = acts.Member(
        operator="bengoshi",
        person=who.digest(),
        external=True,
        keys=empty_centre.make_keys("bengoshi"),
    )
    with empty_centre.store.begin() as tx:
        act = acts.Appoint(member=member)
        empty_centre.staff.decide(tx, act, [empty_centre.signers["kanri"]], who)
    for code, role in (
        ("operators.role.outside", Role.RA_EXAMINER),
        ("operators.role.outside", Role.KEY_CUSTODIAN),
    ):
        refused(Refused, code, lambda role=role: empty_centre.grant("bengoshi", role))  # type: ignore[misc]
    empty_centre.become_small()
    empty_centre.grant("bengoshi", Role.KEY_CUSTODIAN)
    assert roles(empty_centre, "bengoshi") == {Role.KEY_CUSTODIAN}


def test_a_substitution_has_its_days(empty_centre: Centre) -> None:
    centre = empty_centre
    centre.appoint("dairi", Role.HELPDESK)
    act = acts.Substitute(
        operator="dairi",
        role=Role.RA_EXAMINER,
        absent="uketsuke",
        first_day=date(2026, 11, 22),
        last_day=date(2026, 11, 23),
    )
    centre.decide(act, "kanri", "tachiai")
    refused(Refused, "operators.role.missing", lambda: state(centre, "dairi"))
    centre.pass_time(hours=12)  # 00:00 JST of the 22nd
    kept = state(centre, "dairi")
    centre.pass_time(days=2)
    refused(Refused, "operators.role.missing", lambda: state(centre, "dairi"))
    assert verify_kept(forgotten(centre), kept) == "dairi"
    centre.grant("dairi", Role.RA_EXAMINER)  # past days are no obstacle


# --- what stops a person from acting ---


def test_a_suspended_person_states_nothing(empty_centre: Centre) -> None:
    kept = state(empty_centre, "uketsuke")
    empty_centre.decide(acts.Suspend(operator="uketsuke"), "toroku")
    assert roles(empty_centre, "uketsuke") == frozenset()
    refused(Refused, "operators.suspended", lambda: state(empty_centre, "uketsuke"))
    late = forge(empty_centre, "uketsuke")
    refused(Refused, "operators.suspended", lambda: verify_kept(empty_centre, late))
    refused(
        Conflict,
        "operators.suspended",
        lambda: empty_centre.decide(acts.Suspend(operator="uketsuke"), "toroku"),
    )
    empty_centre.decide(acts.Resume(operator="uketsuke"), "toroku")
    assert verify_kept(empty_centre, state(empty_centre, "uketsuke")) == "uketsuke"
    assert verify_kept(empty_centre, kept) == "uketsuke"
    refused(Refused, "operators.suspended", lambda: verify_kept(forgotten(empty_centre), late))


def test_a_suspended_manager_decides_nothing(empty_centre: Centre) -> None:
    empty_centre.decide(acts.Suspend(operator="kanri"), "tachiai", "toroku")
    with pytest.raises(Refused):
        empty_centre.appoint("shinjin")
    empty_centre.decide(acts.Resume(operator="kanri"), "tachiai", "toroku")
    empty_centre.appoint("shinjin")


def test_who_has_left_is_gone_for_good(empty_centre: Centre) -> None:
    kept = state(empty_centre, "uketsuke")
    empty_centre.decide(acts.Leave(operator="uketsuke"), "toroku")
    refused(Refused, "operators.credential.unknown", lambda: state(empty_centre, "uketsuke"))
    refused(Conflict, "operators.left", lambda: empty_centre.grant("uketsuke", Role.HELPDESK))
    refused(Conflict, "operators.exists", lambda: empty_centre.appoint("uketsuke"))
    assert verify_kept(empty_centre, kept) == "uketsuke"


def test_a_lost_key_signs_nothing_later_whatever_time_it_claims(empty_centre: Centre) -> None:
    early = state(empty_centre, "uketsuke")
    key = empty_centre.signers["uketsuke"]
    lost = acts.Loss(operator="uketsuke", credential=credential_id(key.public_key()))
    empty_centre.pass_time(hours=1)
    empty_centre.decide(lost, "tachiai")
    refused(Refused, "operators.credential.unknown", lambda: state(empty_centre, "uketsuke"))
    late = forge(empty_centre, "uketsuke", at="2020-01-01T00:00:00Z")
    refusal = refused(Refused, "operators.credential.lost", lambda: verify_kept(empty_centre, late))
    assert "lost before entry" in refusal.text
    refused(Conflict, "operators.loss", lambda: empty_centre.decide(lost, "tachiai"))
    rekey = acts.Rekey(operator="uketsuke", keys=empty_centre.make_keys("uketsuke"))
    refused(Refused, "operators.signatures", lambda: empty_centre.decide(rekey, "shonin"))
    empty_centre.decide(rekey, "toroku")
    again = state(empty_centre, "uketsuke")
    for centre in (empty_centre, forgotten(empty_centre)):
        assert [verify_kept(centre, one) for one in (early, again)] == ["uketsuke"] * 2
        refused(
            Refused,
            "operators.credential.lost",
            lambda centre=centre: verify_kept(centre, late),  # type: ignore[misc]
        )


def test_the_person_may_report_their_own_loss(empty_centre: Centre) -> None:
    key = empty_centre.signers["ansho"].public_key()
    loss = acts.Loss(operator="ansho", credential=credential_id(key))
    refused(Refused, "operators.signatures", lambda: empty_centre.decide(loss))
    empty_centre.decide(loss, "ansho")
    with empty_centre.store.read() as tx:
        assert empty_centre.directory.sealing_keys(tx, Role.PIN_OPERATOR) == []


def test_a_key_that_was_replaced_signs_nothing_more(empty_centre: Centre) -> None:
    old = empty_centre.signers["uketsuke"]
    early = state(empty_centre, "uketsuke")
    rekey = acts.Rekey(operator="uketsuke", keys=empty_centre.make_keys("uketsuke"))
    new = empty_centre.signers["uketsuke"]
    empty_centre.decide(rekey, "toroku")
    assert verify_kept(empty_centre, state(empty_centre, "uketsuke")) == "uketsuke"
    empty_centre.signers["uketsuke"] = old
    refused(Refused, "operators.credential.unknown", lambda: state(empty_centre, "uketsuke"))
    late = forge(empty_centre, "uketsuke")
    refused(Refused, "operators.statement.credential", lambda: verify_kept(empty_centre, late))
    assert verify_kept(empty_centre, early) == "uketsuke"
    empty_centre.signers["uketsuke"] = new


def test_a_manager_signs_for_new_keys_beside_another(empty_centre: Centre) -> None:
    """Two signatures concern a CA manager: their own, by the key they still have, is one."""
    old = empty_centre.signers["kanri"]
    rekey = acts.Rekey(operator="kanri", keys=empty_centre.make_keys("kanri"))
    new, empty_centre.signers["kanri"] = empty_centre.signers["kanri"], old
    for signers in (("kanri",), ("tachiai",)):
        with pytest.raises(Refused):
            empty_centre.decide(rekey, *signers)
    empty_centre.decide(rekey, "kanri", "tachiai")
    empty_centre.signers["kanri"] = new
    empty_centre.appoint("shinjin")


def test_an_expired_key_signs_nothing(empty_centre: Centre) -> None:
    early = state(empty_centre, "uketsuke")
    days = (EXPIRY - date(2026, 11, 21)).days
    empty_centre.pass_time(days=days)
    state(empty_centre, "uketsuke")
    empty_centre.pass_time(days=1)
    refused(Refused, "operators.credential.expired", lambda: state(empty_centre, "uketsuke"))
    late = forge(empty_centre, "uketsuke", at="2026-11-21T03:00:00Z")
    refused(Refused, "operators.credential.expired", lambda: verify_kept(empty_centre, late))
    assert verify_kept(empty_centre, early) == "uketsuke"
    with empty_centre.store.read() as tx:
        assert empty_centre.directory.sealing_keys(tx, Role.PIN_OPERATOR) == []


def test_keys_that_expired_together_are_replaced_by_two_managers(empty_centre: Centre) -> None:
    """An expired key still signs for new ones, and reports a loss, and nothing else."""
    centre = empty_centre
    centre.pass_time(days=(EXPIRY - date(2026, 11, 21)).days + 1)
    refused(Refused, "operators.credential.expired", lambda: centre.grant("ansho", Role.HELPDESK))
    later = date(2033, 1, 1)
    for name, signers in (("kanri", ("tachiai", "toroku")), ("tachiai", ("kanri", "toroku"))):
        old = centre.signers[name]
        new = KeySigner(name, p256())
        keys = acts.prove_keys(new, p256().public_key(), SITE_ID, later)
        rekey = acts.Rekey(operator=name, keys=keys)
        for too_few in (signers[:1], (name,)):
            with pytest.raises(Refused):
                centre.decide(rekey, *too_few)
        centre.decide(rekey, *signers)
        assert old is centre.signers[name]
        centre.signers[name] = new
    centre.decide(
        acts.Loss(operator="ansho", credential=credential_id(centre.signers["ansho"].public_key())),
        "toroku",
    )
    centre.grant("ansho", Role.HELPDESK)
    assert Role.HELPDESK in roles(forgotten(centre), "ansho")


# --- statements ---


def test_only_who_holds_the_role_may_state(empty_centre: Centre) -> None:
    for name, held in STAFF.items():
        if Role.RA_EXAMINER in held:
            assert verify_kept(empty_centre, state(empty_centre, name)) == name
        else:
            refused(
                Refused,
                "operators.role.missing",
                lambda name=name: state(empty_centre, name),  # type: ignore[misc]
            )


def test_only_the_operators_own_key_states(empty_centre: Centre) -> None:
    keys = (p256(), empty_centre.signers["shonin"].key, empty_centre.sealing["uketsuke"])
    for name, key in [("uketsuke", key) for key in keys] + [
        ("nobody", empty_centre.signers["uketsuke"].key)
    ]:
        empty_centre.signers["x"] = KeySigner(name, key)
        refused(Refused, "operators.credential.unknown", lambda: state(empty_centre, "x"))


def test_a_kept_statement_says_one_thing(empty_centre: Centre) -> None:
    decision = replace(SEEN, reason="r")
    kept = state(empty_centre, "uketsuke", decision)
    for other in (
        replace(decision, type=StatementType.APPROVAL),
        replace(decision, object_type="x"),
        replace(decision, object_id="A-2"),  # replayed for another file
        replace(decision, digest="cd" * 32),
        replace(decision, decision="NO"),
        replace(decision, role=Role.RA_RECEPTION),
        replace(decision, reason="another ground"),
    ):
        refused(
            Refused,
            "operators.statement.differs",
            lambda other=other: verify_kept(empty_centre, kept, other),  # type: ignore[misc]
        )
    refused(Refused, "operators.statement.missing", lambda: verify_kept(empty_centre, "0" * 32))


def forge(
    centre: Centre,
    name: str,
    decision: Decision = SEEN,
    site_id: str = SITE_ID,
    **changes: object,
) -> str:
    """Put a statement with an entry of its own in, past the rules, as a thief of the key would."""
    with centre.store.begin() as tx:
        head = centre.trail.head(tx, lock=True)
        register = centre.directory.register(tx).head
        stand = Stand(centre.directory.entropy(16).hex(), site_id, "now", head, register)
        stand = replace(stand, **changes)  # type: ignore[arg-type]
        signed = make_statement(centre.signers[name], decision, stand)
        event = Event(
            "APP.EXAMINED",
            "application",
            decision.object_id,
            actor=name,
            detail={"signed": {stand.statement_id: digest(signed.body)}},
        )
        seq = centre.trail.append(tx, event)
        tx.add(
            Statement(
                id=stand.statement_id,
                operator_id="uketsuke",
                type=decision.type,
                object_id=decision.object_id,
                body=signed.body.decode(),
                signature=signed.signature.hex(),
                seq=seq,
            )
        )
    return stand.statement_id


def test_a_forged_statement_is_refused(empty_centre: Centre) -> None:
    sound = forge(empty_centre, "uketsuke")
    assert verify_kept(empty_centre, sound) == "uketsuke"
    empty_centre.signers["own"] = KeySigner("uketsuke", p256())
    empty_centre.signers["seal"] = KeySigner("uketsuke", empty_centre.sealing["uketsuke"])
    empty_centre.signers["lent"] = KeySigner("uketsuke", empty_centre.signers["shonin"].key)
    before = Head(1, "0" * 64)
    for code, name, changes in (
        ("operators.statement.role", "shonin", {}),
        ("operators.statement.credential", "own", {}),
        ("operators.statement.credential", "seal", {}),
        ("operators.statement.credential", "lent", {}),
        ("operators.statement.site", "uketsuke", {"site_id": "other-site"}),
        ("operators.register.cut", "uketsuke", {"register": before}),
        ("operators.statement.position", "uketsuke", {"after": before}),
        ("operators.statement.position", "uketsuke", {"after": Head(10**6, "0" * 64)}),
    ):
        forged = forge(empty_centre, name, **changes)
        refused(Refused, code, lambda forged=forged: verify_kept(empty_centre, forged))  # type: ignore[misc]


STATEMENT_ROWS = [
    ("operators.statement.position", "seq = seq - 1"),
    ("operators.statement.position", "seq = seq + 1"),
    ("operators.statement.position", "seq = 1"),
    ("operators.statement.position", "body = replace(body, 'A-1', 'A-2')"),
    ("operators.statement.position", "body = replace(body, '{', '{ ')"),
    ("operators.statement.signature", "signature = 'zz'"),
    ("operators.statement.signature", "signature = '3006020101020101'"),
]


def test_an_edited_row_is_refused(empty_centre: Centre) -> None:
    kept = state(empty_centre, "uketsuke")
    state(empty_centre, "uketsuke", examination("A-9", DIGEST))
    for code, change in STATEMENT_ROWS:
        with empty_centre.store.read() as tx:
            old = tx.get_one(Statement, kept).model_dump()
        run(empty_centre, f"UPDATE statement SET {change} WHERE id = '{kept}'")
        refused(Refused, code, lambda: verify_kept(empty_centre, kept))
        run(
            empty_centre,
            "UPDATE statement SET seq = :seq, body = :body, signature = :signature WHERE id = :id",
            **{name: old[name] for name in ("seq", "body", "signature", "id")},
        )
        assert verify_kept(empty_centre, kept) == "uketsuke"


def test_a_copied_row_is_refused(empty_centre: Centre) -> None:
    kept = state(empty_centre, "uketsuke")
    with empty_centre.store.begin() as tx:
        row = tx.get_one(Statement, kept)
        tx.add(Statement(**{**row.model_dump(), "id": "copy"}))
    refused(Refused, "operators.statement.position", lambda: verify_kept(empty_centre, "copy"))


def test_an_entry_that_no_longer_names_the_statement_is_refused(empty_centre: Centre) -> None:
    kept = state(empty_centre, "uketsuke")
    seq = empty_centre.trail.verify().seq
    run(
        empty_centre,
        "UPDATE trail_entry SET body = replace(body, 'APP.EXAMINED', 'APP.DECIDED') "
        f"WHERE seq = {seq}",
    )
    refused(Refused, "operators.statement.position", lambda: verify_kept(empty_centre, kept))


# --- the register against who writes the database ---


def put_act(
    centre: Centre, act: Act, signers: list[KeySigner], role: Role = Role.CA_MANAGER
) -> None:
    """Enter an act past the rules, with an entry and statements by whoever signs."""
    with centre.store.begin() as tx:
        decisions = [(signer, act_decision(act, SITE_ID, role)) for signer in signers]
        event = Event(KINDS[type(act)].code, "operator", "x", detail={"act": act.act})
        head = centre.directory.register(tx).head
        centre.directory.keep(tx, event, decisions, head, act_octets(act).decode())


def test_acts_that_nobody_could_sign_stop_everything(empty_centre: Centre) -> None:
    """A forger with all rights on the database can add rows, but no signature by a manager."""
    grant = acts.Grant(operator="shonin", roles=(Role.RA_EXAMINER,))
    kanri = KeySigner("kanri", p256())
    cases: list[tuple[str, Callable[[], None]]] = [
        ("operators.statement.credential", lambda: put_act(empty_centre, grant, [kanri])),
        (
            "operators.statement.role",
            lambda: put_act(empty_centre, grant, [empty_centre.signers["uketsuke"]]),
        ),
        (
            "operators.signatures",
            lambda: put_act(
                empty_centre,
                acts.Grant(operator="shonin", roles=(Role.ROOM_GUARD,)),
                [empty_centre.signers["toroku"]],
                Role.RA_MANAGER,
            ),
        ),
        (
            "operators.grant.self",
            lambda: put_act(
                empty_centre,
                acts.Grant(operator="kanri", roles=(Role.RA_EXAMINER,)),
                [empty_centre.signers["kanri"]],
            ),
        ),
    ]
    for code, put in cases:
        before = empty_centre.trail.verify().seq
        put()
        refused(Refused, code, lambda: state(forgotten(empty_centre), "uketsuke"))
        run(empty_centre, f"DELETE FROM statement WHERE seq > {before}")
        refused(
            Refused, "operators.register.cut", lambda: state(forgotten(empty_centre), "uketsuke")
        )
        cut_trail(empty_centre, before)
        state(forgotten(empty_centre), "uketsuke", examination(code, DIGEST))


def test_conflicting_roles_that_a_manager_signed_past_the_program_act_in_none(
    empty_centre: Centre,
) -> None:
    grant = acts.Grant(operator="shonin", roles=(Role.RA_EXAMINER,))
    put_act(empty_centre, grant, [empty_centre.signers["kanri"]])
    assert roles(empty_centre, "shonin") == {Role.RA_EXAMINER, Role.RA_APPROVER}
    refused(Refused, "operators.role.conflict", lambda: state(empty_centre, "shonin"))


def cut_trail(centre: Centre, seq: int) -> None:
    """Cut the trail after a position, head and all."""
    kept = centre.trail.page(seq - 1, 1)[0]
    run(centre, f"DELETE FROM statement WHERE seq > {seq}")
    run(centre, f"DELETE FROM trail_entry WHERE seq > {seq}")
    run(centre, f"UPDATE trail_head SET seq = {seq}, hash = '{kept.hash}'")


def test_an_act_taken_away_is_noticed(empty_centre: Centre) -> None:
    """In the middle by the next act; at the end by the trail, and by whoever signed after it."""
    empty_centre.decide(acts.Suspend(operator="shonin"), "kanri")
    suspended = empty_centre.trail.verify().seq
    kept = state(empty_centre, "uketsuke")
    run(empty_centre, f"DELETE FROM statement WHERE seq = {suspended}")
    for centre in (empty_centre, forgotten(empty_centre)):
        refused(
            Refused,
            "operators.register.cut",
            lambda centre=centre: verify_kept(forgotten(centre), kept),  # type: ignore[misc]
        )
    # the entry too: its code is changed with its hash, and the chain is left broken
    run(empty_centre, f"UPDATE trail_entry SET code = 'APP.EXAMINED' WHERE seq = {suspended}")
    refused(Refused, "operators.register.cut", lambda: verify_kept(forgotten(empty_centre), kept))


def test_an_act_changed_is_noticed(empty_centre: Centre) -> None:
    empty_centre.grant("ansho", Role.HELPDESK)
    for change in (
        "content = replace(content, 'HELPDESK', 'AUDITOR')",
        "content = NULL",
        "content = '{}'",
        "body = replace(body, 'kanri', 'tachiai')",
        "signature = '00'",
        "seq = seq + 1",
    ):
        with empty_centre.store.read() as tx:
            rows = [one.model_dump() for one in tx.exec(select(Statement)) if one.content]
        newest = max(rows, key=lambda one: one["seq"])
        run(empty_centre, f"UPDATE statement SET {change} WHERE id = '{newest['id']}'")
        with pytest.raises((Refused, InvalidInput)):
            state(forgotten(empty_centre), "uketsuke")
        run(
            empty_centre,
            "UPDATE statement SET content = :content, body = :body, signature = :signature, "
            "seq = :seq WHERE id = :id",
            **{name: newest[name] for name in ("content", "body", "signature", "seq", "id")},
        )
        state(forgotten(empty_centre), "uketsuke", examination(change, DIGEST))


def test_an_operator_put_into_the_table_is_nobody(empty_centre: Centre) -> None:
    run(
        empty_centre,
        "INSERT INTO operator (id, full_name, salt) VALUES ('mallory', 'M', :salt)",
        salt="0" * 64,
    )
    empty_centre.signers["mallory"] = KeySigner("mallory", p256())
    refused(Refused, "operators.credential.unknown", lambda: state(empty_centre, "mallory"))
    refused(NotFound, "operators.unknown", lambda: roles(empty_centre, "mallory"))


def test_a_rolled_back_act_does_not_linger(empty_centre: Centre) -> None:
    def broken() -> None:
        with empty_centre.store.begin() as tx:
            act = acts.Grant(operator="ansho", roles=(Role.HELPDESK,))
            empty_centre.staff.decide(tx, act, [empty_centre.signers["kanri"]])
            assert Role.HELPDESK in empty_centre.directory.roles_of(tx, "ansho")
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        broken()
    assert Role.HELPDESK not in roles(empty_centre, "ansho")
    state(empty_centre, "uketsuke")
    empty_centre.grant("ansho", Role.HELPDESK)
    assert Role.HELPDESK in roles(empty_centre, "ansho")


def test_a_long_lived_process_sees_what_others_decided(empty_centre: Centre) -> None:
    other = Centre(
        Store(str(empty_centre.store.engine.url.render_as_string(hide_password=False))),
        empty_centre.folder,
        now=empty_centre.now,
        signers=empty_centre.signers,
        root=empty_centre.root,
    )
    state(empty_centre, "uketsuke")
    other.decide(acts.Suspend(operator="uketsuke"), "toroku")
    refused(Refused, "operators.suspended", lambda: state(empty_centre, "uketsuke"))
    other.store.close()


# --- the policy in force, and own files ---


def test_what_was_not_approved_issues_nothing(centre: Centre) -> None:
    (order,) = order_all(centre, row(1))
    shipped = centre.profiles
    profile = shipped.certificate("ee-sign")
    edited = profile.model_copy(update={"version": "2099-01-01"})
    centre.profiles = replace(shipped, certificates={**shipped.certificates, "ee-sign": edited})
    forgotten(centre)
    refusal = refused(Refused, "operators.policy.unapproved", lambda: order_all(centre, row(2)))
    assert refusal.text.endswith(": profile ee-sign")
    refused(
        Refused,
        "operators.policy.unapproved",
        lambda: centre.orders.open_batch(centre.signers["hakko"], [order.id], "b-1"),
    )
    for signers in (("kanri",), ("tachiai", "toroku"), ("kanri", "shonin")):
        with pytest.raises(Refused):
            centre.decide(acts.Approve(policy=centre.directory.policy), *signers)
    centre.decide(acts.Approve(policy=centre.directory.policy), "tachiai", "kanri")
    centre.orders.open_batch(centre.signers["hakko"], [order.id], "b-1")
    centre.profiles = shipped
    refused(Refused, "operators.policy.unapproved", lambda: order_all(forgotten(centre), row(3)))


def test_nobody_handles_their_own_file(empty_centre: Centre) -> None:
    centre = empty_centre
    own = row(1, kanji_name="Ｕｋｅｔｓｕｋｅ", kana_name="ウケツケ", birth_date="1970-01-01")
    namesake = row(2, kanji_name="Uketsuke", kana_name="ウケツケ", birth_date="1971-01-01")
    for one in (own, namesake):
        assert one["kanji_name"]
    centre.appoint("dare", Role.RA_RECEPTION)
    centre.signers["uketsuke"], mine = centre.signers["dare"], centre.signers["uketsuke"]
    take_in(centre, own, namesake)
    centre.signers["uketsuke"] = mine
    ref = own["application_ref"]
    refused(Refused, "operators.own_file", lambda: centre.examination.examine(ref, mine, {}))
    run(centre, "UPDATE operator SET full_name = 'Somebody' WHERE id = 'uketsuke'")
    refused(
        Refused,
        "operators.identity.changed",
        lambda: centre.examination.examine(ref, mine, {}),
    )


def test_two_managers_let_the_clock_step_back(empty_centre: Centre) -> None:
    centre = empty_centre

    def step(*names: str) -> int:
        with centre.store.begin() as tx:
            return centre.staff.step_clock(tx, [centre.signers[name] for name in names])

    centre.pass_time(days=400)
    state(centre, "uketsuke")
    refused(Conflict, "operators.clock", lambda: step("kanri", "tachiai"))
    centre.pass_time(days=-399)
    refused(Unavailable, "audit.clock", lambda: state(centre, "uketsuke"))
    before = centre.trail.verify()
    for names in (("kanri",), ("kanri", "kanri"), ("kanri", "shonin")):
        with pytest.raises(Refused):
            step(*names)
    assert centre.trail.verify() == before
    assert step("kanri", "tachiai") == before.seq + 1
    verify_kept(centre, state(centre, "uketsuke"))
    centre.trail.verify()


def test_canonical_acts_only(empty_centre: Centre) -> None:
    act = acts.Suspend(operator="ansho")
    octets = act_octets(act)
    assert acts.parse_act(octets) == act
    for bad in (
        octets + b" ",
        b"[]",
        b"{}",
        b"\xff",
        canonical_json({"act": "SUSPEND", "operator": "ansho", "more": 1}),
        canonical_json({"act": "SUSPEND", "operator": "Ansho"}),
        b'{"operator":' * 50_000,
    ):
        refused(InvalidInput, "operators.act.form", lambda bad=bad: acts.parse_act(bad))  # type: ignore[misc]
    refused(InvalidInput, "operators.act.size", lambda: acts.parse_act(b" " * (1 << 21)))
