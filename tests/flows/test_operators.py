"""Operators on both databases: who may appoint, act and state what."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

from sqlalchemy import text

from audit.canonical import canonical_json
from ca.orders import examination
from operators.directory import Appointment
from operators.records import KeyUse, Statement, credentials_of, grants_of
from operators.statements import (
    Decision,
    KeySigner,
    StatementType,
    credential_id,
    make_statement,
)
from pki.errors import Conflict, InvalidInput, NotFound, Refused
from policies.roles import Role
from store.database import Store
from store.migrate import upgrade
from tests.flows.conftest import STAFF, Centre, p256
from tests.flows.issuing import refused

DIGEST = "ab" * 32


def appointment(name: str, *roles: Role) -> Appointment:
    return Appointment(name, name.title(), p256().public_key(), p256().public_key(), roles)


def appoint(centre: Centre, new: Appointment, manager: str = "kanri") -> None:
    with centre.store.begin() as tx:
        centre.directory.appoint(tx, new, centre.signers[manager])


def state(centre: Centre, signer: KeySigner, decision: Decision) -> Statement:
    with centre.store.begin() as tx:
        return centre.directory.state(tx, signer, decision)


def verify_kept(centre: Centre, statement_id: str, decision: Decision) -> str:
    with centre.store.read() as tx:
        return centre.directory.verify_kept(tx, statement_id, decision)


def test_everyone_has_the_roles_of_the_set_up(empty_centre: Centre) -> None:
    found = {row.id: roles for row, roles in empty_centre.directory.everyone()}
    assert found == {name: frozenset(roles) for name, roles in STAFF.items()}
    with empty_centre.store.read() as tx:
        for name in STAFF:
            (signing,) = credentials_of(tx, name, KeyUse.SIGN)
            assert signing.id == credential_id(empty_centre.signers[name].public_key())
            for grant in grants_of(tx, name):
                statement = tx.get_one(Statement, grant.statement_id)
                assert (statement.type, statement.operator_id) == ("SETUP", "kanri")
        keys = empty_centre.directory.sealing_keys(tx, Role.KEY_CUSTODIAN)
    assert [credential.operator_id for credential, _ in keys] == ["kagi-a", "kagi-b"]
    assert [key for _, key in keys] == [
        empty_centre.sealing[name].public_key() for name in ("kagi-a", "kagi-b")
    ]
    granted = [
        json.loads(entry.body)
        for entry in empty_centre.trail.page(0, 1000)
        if entry.code == "ROLE.GRANT"
    ]
    assert {entry["object_id"] for entry in granted} == set(STAFF)
    assert {(entry["actor_id"], entry["co_actor_id"]) for entry in granted} == {("kanri", "toroku")}


def test_the_set_up_needs_two_of_its_officers(store_url: str, tmp_path: Path) -> None:
    store = Store(store_url)
    upgrade(store)
    centre = Centre(store, tmp_path)
    first, second, stranger = (KeySigner(name, p256()) for name in ("kanri", "toroku", "x1"))
    people = [
        Appointment(
            one.operator_id, "Name", one.public_key(), p256().public_key(), (Role.CA_MANAGER,)
        )
        for one in (first, second)
    ]
    with store.begin() as tx:
        centre.trail.open_site(tx, "site", centre.kind)
    impostor = KeySigner("toroku", p256())
    for code, officers in (
        ("operators.setup", (first,)),
        ("operators.setup", (first, first)),
        ("operators.setup", (first, stranger)),
        ("operators.setup", (first, second, stranger)),
        ("operators.credential.unknown", (first, impostor)),
    ):

        def set_up(officers: tuple[KeySigner, ...] = officers) -> None:
            with store.begin() as tx:
                centre.directory.set_up(tx, people, officers)

        refused(Refused, code, set_up)
    assert centre.directory.everyone() == []
    assert centre.trail.verify().seq == 1
    with store.begin() as tx:
        centre.directory.set_up(tx, people, (first, second))
    assert len(centre.directory.everyone()) == 2
    store.close()


def test_a_conflict_of_roles_is_refused(empty_centre: Centre) -> None:
    before = empty_centre.trail.verify()
    new = appointment("saiban", Role.RA_EXAMINER, Role.RA_APPROVER)
    refusal = refused(Refused, "operators.role.conflict", lambda: appoint(empty_centre, new))
    assert "RA_EXAMINER" in refusal.text
    assert "RA_APPROVER" in refusal.text
    with empty_centre.store.read() as tx:
        refused(
            NotFound, "operators.unknown", lambda: empty_centre.directory.roles_of(tx, "saiban")
        )
    assert empty_centre.trail.verify() == before


def test_nobody_appoints_themselves(empty_centre: Centre) -> None:
    new = replace(
        appointment("kanri", Role.CA_MANAGER, Role.IA_MANAGER),
        signing_key=empty_centre.signers["kanri"].public_key(),
    )
    refused(Refused, "operators.grant.self", lambda: appoint(empty_centre, new))


def test_only_a_ca_manager_appoints(empty_centre: Centre) -> None:
    new = appointment("shinjin", Role.HELPDESK)
    for name in sorted(set(STAFF) - {"kanri"}):
        refusal = refused(
            Refused,
            "operators.role.missing",
            lambda name=name: appoint(empty_centre, new, name),  # type: ignore[misc]
        )
        assert "kanri" in refusal.hint
    appoint(empty_centre, new)
    with empty_centre.store.read() as tx:
        assert empty_centre.directory.roles_of(tx, "shinjin") == {Role.HELPDESK}
    refused(Conflict, "operators.exists", lambda: appoint(empty_centre, new))
    for name in ("", "A", "a", "-a", "a b", "a\n", "名前", "x" * 33):
        refused(
            InvalidInput,
            "operators.name",
            lambda name=name: appoint(empty_centre, appointment(name, Role.HELPDESK)),  # type: ignore[misc]
        )


def test_one_key_belongs_to_one_person(empty_centre: Centre) -> None:
    new = replace(
        appointment("shinjin", Role.HELPDESK),
        signing_key=empty_centre.signers["shonin"].public_key(),
    )
    refused(Conflict, "store.constraint", lambda: appoint(empty_centre, new))


def test_only_who_holds_the_role_may_state(empty_centre: Centre) -> None:
    decision = examination("A-1", DIGEST)
    for name, roles in STAFF.items():
        signer = empty_centre.signers[name]
        if Role.RA_EXAMINER in roles:
            kept = state(empty_centre, signer, decision)
            assert verify_kept(empty_centre, kept.id, decision) == name
        else:
            refused(
                Refused,
                "operators.role.missing",
                lambda signer=signer: state(empty_centre, signer, decision),  # type: ignore[misc]
            )


def test_only_the_operators_own_key_states(empty_centre: Centre) -> None:
    decision = examination("A-1", DIGEST)
    for key in (p256(), empty_centre.signers["shonin"].key, empty_centre.sealing["uketsuke"]):
        wrong = KeySigner("uketsuke", key)
        refused(
            Refused,
            "operators.credential.unknown",
            lambda wrong=wrong: state(empty_centre, wrong, decision),  # type: ignore[misc]
        )
    nobody = KeySigner("nobody", empty_centre.signers["uketsuke"].key)
    refused(Refused, "operators.credential.unknown", lambda: state(empty_centre, nobody, decision))


def test_a_kept_statement_says_one_thing(empty_centre: Centre) -> None:
    decision = Decision(
        StatementType.EXAMINATION, "application", "A-1", DIGEST, "EXAMINED", Role.RA_EXAMINER, "r"
    )
    kept = state(empty_centre, empty_centre.signers["uketsuke"], decision)
    for other in (
        replace(decision, type=StatementType.APPROVAL),
        replace(decision, object_type="x"),
        replace(decision, object_id="A-2"),
        replace(decision, digest="cd" * 32),
        replace(decision, decision="NO"),
        replace(decision, role=Role.RA_RECEPTION),
        replace(decision, reason="another ground"),
    ):
        refused(
            Refused,
            "operators.statement.differs",
            lambda other=other: verify_kept(empty_centre, kept.id, other),  # type: ignore[misc]
        )
    refused(
        Refused,
        "operators.statement.missing",
        lambda: verify_kept(empty_centre, "0" * 32, decision),
    )


def keep(centre: Centre, signer: KeySigner, decision: Decision, site_id: str, seq: int) -> str:
    """Put a statement into the table as someone with the database's rights would."""
    signed = make_statement(signer, decision, statement_id="f" * 32, site_id=site_id, at="now")
    with centre.store.begin() as tx:
        tx.merge(
            Statement(
                id="f" * 32,
                operator_id=signer.operator_id,
                type=decision.type,
                object_id=decision.object_id,
                body=signed.body.decode(),
                signature=signed.signature.hex(),
                seq=seq,
            )
        )
    return "f" * 32


def test_a_forged_row_is_refused(empty_centre: Centre) -> None:
    decision = examination("A-1", DIGEST)
    now = empty_centre.trail.verify().seq
    signer = empty_centre.signers["uketsuke"]
    sound = keep(empty_centre, signer, decision, "test-site", now)
    assert verify_kept(empty_centre, sound, decision) == "uketsuke"
    for code, forger, site_id, seq in (
        ("operators.statement.credential", signer, "test-site", 1),
        ("operators.statement.role", empty_centre.signers["shonin"], "test-site", now),
        ("operators.statement.credential", KeySigner("uketsuke", p256()), "test-site", now),
        (
            "operators.statement.credential",
            KeySigner("uketsuke", empty_centre.sealing["uketsuke"]),
            "test-site",
            now,
        ),
        ("operators.statement.differs", signer, "other-site", now),
    ):
        forged = keep(empty_centre, forger, decision, site_id, seq)
        refused(Refused, code, lambda: verify_kept(empty_centre, forged, decision))  # noqa: B023


def test_a_statement_under_another_id_is_refused(empty_centre: Centre) -> None:
    decision = examination("A-1", DIGEST)
    kept = state(empty_centre, empty_centre.signers["uketsuke"], decision)
    with empty_centre.store.begin() as tx:
        row = tx.get_one(Statement, kept.id)
        tx.add(Statement(**{**row.model_dump(), "id": "copy"}))
    refused(
        Refused,
        "operators.statement.differs",
        lambda: verify_kept(empty_centre, "copy", decision),
    )


def test_a_changed_body_is_refused(empty_centre: Centre) -> None:
    decision = examination("A-1", DIGEST)
    kept = state(empty_centre, empty_centre.signers["uketsuke"], decision)
    with empty_centre.store.begin() as tx:
        row = tx.get_one(Statement, kept.id)
        tree = json.loads(row.body) | {"object_id": "A-2"}
        row.body = canonical_json(tree).decode()
    for wanted in (decision, replace(decision, object_id="A-2")):
        refused(
            Refused,
            "operators.statement.signature",
            lambda wanted=wanted: verify_kept(empty_centre, kept.id, wanted),  # type: ignore[misc]
        )


def test_what_ended_counts_before_its_end_only(empty_centre: Centre) -> None:
    """Position in the trail decides, never a claimed time."""
    decision = examination("A-1", DIGEST)
    signer = empty_centre.signers["uketsuke"]
    early = state(empty_centre, signer, decision)
    appoint(empty_centre, appointment("shinjin", Role.HELPDESK))
    now = empty_centre.trail.verify().seq
    assert early.seq < now
    with empty_centre.store.begin() as tx:
        for grant in grants_of(tx, "uketsuke"):
            if grant.role == Role.RA_EXAMINER:
                grant.until_seq = now
    assert verify_kept(empty_centre, early.id, decision) == "uketsuke"
    refused(Refused, "operators.role.missing", lambda: state(empty_centre, signer, decision))
    late = keep(empty_centre, signer, decision, "test-site", now)
    refused(Refused, "operators.statement.role", lambda: verify_kept(empty_centre, late, decision))
    with empty_centre.store.begin() as tx:
        tx.execute(text("UPDATE credential SET until_seq = :seq"), {"seq": now})
    refused(
        Refused,
        "operators.credential.unknown",
        lambda: state(empty_centre, signer, decision),
    )
    refused(
        Refused,
        "operators.statement.credential",
        lambda: verify_kept(empty_centre, late, decision),
    )
    assert verify_kept(empty_centre, early.id, decision) == "uketsuke"
