"""A CA's row against the ceremony file that the officiants signed: any change stops everything."""

from __future__ import annotations

import json
from collections.abc import Callable
from hashlib import sha256

import pytest
from sqlmodel import col, select

from ca.carriers import card_carrier
from ca.records import Ceremony, Issuer
from operators.records import Statement
from operators.statements import StatementType
from pki.errors import Refused
from policies.profiles import Purpose
from store.database import Transaction
from tests.flows.conftest import Centre
from tests.flows.issuing import accept, dossier, issue, open_batch, prepare, refused, rows


def change_issuer(tx: Transaction, name: str, value: object) -> None:
    setattr(tx.get_one(Issuer, "sign"), name, value)


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("crl_uri", "http://elsewhere.test/sign.crl"),
        ("own_list_uri", "http://elsewhere.test/own.crl"),
        ("cps_uri", "http://elsewhere.test/cps/"),
        ("issues", '["ee-sign", "ee-sign-remote"]'),
        ("japanese_names", False),
        ("parent_id", None),
        ("key_label", "auth2"),
        ("crl_profile", "crl-root"),
        ("profile", "sub-ca-auth"),
        ("purpose", Purpose.AUTH),
        ("subject_der", b"0\x00"),
    ],
)
def test_a_changed_row_neither_issues_nor_lists(centre: Centre, name: str, value: object) -> None:
    order = accept(centre, dossier())
    with centre.store.begin() as tx:
        change_issuer(tx, name, value)
    head = centre.trail.verify()
    refusal = refused(Refused, "ca.issuer.changed", lambda: centre.lists.issue("sign", "SYSTEM"))
    assert refusal.text.endswith(f": {name}")
    if name not in ("purpose", "profile", "subject_der"):
        refused(Refused, "ca.issuer.changed", lambda: prepare(centre, order.id, Purpose.SIGN, 1))
    assert centre.trail.verify() == head


def test_a_row_changed_while_the_process_runs_is_seen(centre: Centre) -> None:
    issue(centre)
    with centre.store.begin() as tx:
        change_issuer(tx, "crl_uri", "http://elsewhere.test/sign.crl")
    refused(Refused, "ca.issuer.changed", lambda: issue(centre, 2))


def test_a_row_changed_after_the_reservation_is_not_signed(centre: Centre) -> None:
    order = accept(centre, dossier())
    batch = open_batch(centre, order.id)
    prepared = prepare(centre, order.id, Purpose.SIGN, 1)
    with centre.store.begin() as tx:
        change_issuer(tx, "crl_profile", "crl-root")
    carrier = card_carrier("01", order.id)
    refused(
        Refused,
        "ca.issuer.changed",
        lambda: centre.orders.issue(prepared, order.id, Purpose.SIGN, carrier, batch),
    )
    assert rows(centre, carrier) == {}


def change_script(tx: Transaction) -> None:
    held = tx.exec(select(Ceremony)).one()
    held.script = held.script.replace("repository.test", "elsewhere.test")


def change_script_and_row(tx: Transaction) -> None:
    change_script(tx)
    for row in tx.exec(select(Issuer)):
        row.crl_uri = row.crl_uri.replace("repository.test", "elsewhere.test")
        row.cps_uri = row.cps_uri.replace("repository.test", "elsewhere.test")
    held = tx.exec(select(Ceremony)).one()
    held.script_sha256 = sha256(held.script.encode()).hexdigest()


def change_consent(tx: Transaction) -> None:
    row = consents(tx)[0]
    row.body = row.body.replace('"decision":"HOLD"', '"decision":"HELD"')


def change_signature(tx: Transaction) -> None:
    row = consents(tx)[0]
    row.signature = consents(tx)[1].signature


def remove_consent(tx: Transaction) -> None:
    tx.delete(consents(tx)[0])


def consents(tx: Transaction) -> list[Statement]:
    query = select(Statement).where(Statement.type == StatementType.CEREMONY)
    return list(tx.exec(query.order_by(col(Statement.id))))


def change_transcript(change: Callable[[list[dict[str, str]]], object]) -> Callable[..., None]:
    def act(tx: Transaction) -> None:
        held = tx.exec(select(Ceremony)).one()
        tree = json.loads(held.transcript)
        change(tree["participants"])
        held.transcript = json.dumps(tree)

    return act


def change_sha256(tx: Transaction) -> None:
    tx.exec(select(Ceremony)).one().script_sha256 = "0" * 64


def no_transcript(tx: Transaction) -> None:
    tx.exec(select(Ceremony)).one().transcript = "[]"


ATTACKS: dict[str, Callable[[Transaction], None]] = {
    "script": change_script,
    "script and rows": change_script_and_row,
    "consent": change_consent,
    "signature": change_signature,
    "consent removed": remove_consent,
    "nobody": change_transcript(lambda present: present.clear()),
    "one left out": change_transcript(lambda present: present.pop()),
    "one twice": change_transcript(lambda present: present.append(present[0])),
    "a custodian left out": change_transcript(lambda present: present.pop(0)),
    "sha256": change_sha256,
    "another name": change_transcript(lambda present: present[0].update(name="kanri")),
    "another role": change_transcript(lambda present: present[0].update(role="AUDITOR")),
    "witness as custodian": change_transcript(
        lambda present: present[-1].update(role="KEY_CUSTODIAN")
    ),
    "no transcript": no_transcript,
}


@pytest.mark.parametrize("attack", ATTACKS)
def test_a_ceremony_that_is_not_proven_makes_no_ca(centre: Centre, attack: str) -> None:
    order = accept(centre, dossier())
    with centre.store.begin() as tx:
        ATTACKS[attack](tx)
    for act in (
        lambda: centre.lists.issue("sign", "SYSTEM"),
        lambda: prepare(centre, order.id, Purpose.SIGN, 1),
    ):
        refused(Refused, "ca.ceremony.unsigned", act)


def test_a_ca_that_no_ceremony_made_is_refused(centre: Centre) -> None:
    with centre.store.begin() as tx:
        real = tx.get_one(Issuer, "sign").model_dump()
        tx.add(Issuer(**real | {"id": "sign2", "key_label": "sign2", "subject_der": b"0\x00"}))
    refusal = refused(Refused, "ca.issuer.changed", lambda: centre.lists.issue("sign2", "SYSTEM"))
    assert refusal.text.endswith(": id")


def test_a_certificate_of_another_name_is_refused(centre: Centre) -> None:
    with centre.store.begin() as tx:
        other = tx.get_one(Issuer, "auth").certificate_der
        change_issuer(tx, "certificate_der", other)
    refusal = refused(Refused, "ca.issuer.changed", lambda: centre.lists.issue("sign", "SYSTEM"))
    assert refusal.text.endswith(": certificate_der")


def test_consents_are_verified_once_a_process(
    centre: Centre, monkeypatch: pytest.MonkeyPatch
) -> None:
    calls = []
    kept = type(centre.directory).verify_kept

    def counted(*args: object) -> str:
        calls.append(args)
        return kept(*args)  # type: ignore[arg-type]

    monkeypatch.setattr(type(centre.directory), "verify_kept", counted)
    centre.due()
    assert len(calls) == 4
    centre.pass_time(days=3)
    centre.due()
    assert len(calls) == 4
