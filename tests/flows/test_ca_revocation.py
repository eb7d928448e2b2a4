"""A CA's certificate revoked by two managers, and what a forger could do about it."""

from __future__ import annotations

import json
import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest
from sqlmodel import select

from ca.carriers import card_carrier
from ca.issuance import Acting
from ca.issuers import own_certificate
from ca.records import Certificate, ListEntry, Revocation
from ca.revocation import CaGround
from crl.records import RevocationList, latest
from pki.errors import Conflict, HpkiError, InvalidInput, Refused, Unavailable
from pki.reasons import Reason, entry_der
from policies.grounds import ca_ground
from policies.profiles import ListScope, Purpose
from reports.reconciliation import check_rows
from tests.flows.conftest import Centre, Moulds
from tests.flows.issuing import accept, card_key, csr, dossier, open_batch, prepare, refused
from tests.flows.test_issuing_cas import reserve
from tests.flows.test_lists import coverage_of, published, serials
from tests.flows.test_operators import run
from tests.flows.test_premade import lose_key, made, take

EVIDENCE = "incident 2026-7: the key's card is missing"


@pytest.fixture
def centre(moulds: Moulds, tmp_path: Path) -> Iterator[Centre]:
    """In a file, which a test copies away and back."""
    found = moulds.copy(tmp_path, None)
    found.due()
    found.pass_time(minutes=1)
    yield found
    found.store.close()


def revoke_ca(
    centre: Centre,
    name: str = "auth",
    code: str = "C09_CA_KEY",
    evidence: str = EVIDENCE,
    people: tuple[str, str] = ("kanri", "tachiai"),
) -> Certificate:
    manager, second = (centre.signers[one] for one in people)
    with centre.store.begin() as tx:
        issuer = centre.authorities.find(tx, name)
        why = CaGround(ca_ground(code), evidence)
        return centre.revocations.execute_ca(tx, issuer, why, manager, second)


def codes(centre: Centre) -> set[str]:
    return {one.code for one in centre.rhythm.due("SYSTEM").failures}


def list_row(centre: Centre, scope: ListScope) -> RevocationList:
    with centre.store.read() as tx:
        series = next(
            one
            for one in centre.lists.all_series(tx, centre.authorities.find(tx, "root"))
            if one.scope is scope
        )
        found = latest(tx, series)
    assert found is not None
    return found


def own_row(centre: Centre, name: str) -> Certificate:
    with centre.store.read() as tx:
        found = own_certificate(tx, centre.authorities.find(tx, name))
    assert found is not None
    return found


@pytest.mark.parametrize(
    ("code", "reason"),
    [("C08_WEAK_ALGORITHM", 4), ("C09_CA_KEY", 2), ("C10_CA_END", 5)],
)
def test_a_revoked_ca_stands_on_the_roots_next_list(centre: Centre, code: str, reason: int) -> None:
    row = revoke_ca(centre, code=code)
    assert {(one.issuer_id, one.scope) for one in centre.due()} == {("root", ListScope.SARL)}
    (entry,) = published(centre, "sarl.crl")
    assert entry.serial_number == int(row.serial, 16)
    element = entry_der(int(row.serial, 16), centre.now, Reason(reason))
    with centre.store.read() as tx:
        stored = tx.exec(select(ListEntry)).one()
        revocation = tx.get_one(Revocation, row.id)
        assert list(check_rows(tx, centre.archive)) == []
    assert (stored.entry_der, stored.series, stored.not_after) == (
        element,
        "root/SARL/0",
        row.not_after,
    )
    added = coverage_of(centre, list_row(centre, ListScope.SARL))["added"]
    assert added["why"] == {code: 1}
    assert revocation.published_at == centre.now
    assert not centre.due()


def test_the_root_itself_stands_on_its_own_list(centre: Centre) -> None:
    row = revoke_ca(centre, "root")
    assert {(one.issuer_id, one.scope) for one in centre.due()} == {("root", ListScope.RARL)}
    assert serials(published(centre, "rarl.crl")) == [int(row.serial, 16)]
    with centre.store.read() as tx:
        assert list(check_rows(tx, centre.archive)) == []


def test_two_managers_sign_what_they_saw(centre: Centre) -> None:
    for people in (("tachiai", "kanri"), ("kanri", "hakko"), ("shikko", "tachiai")):
        with pytest.raises(HpkiError):
            revoke_ca(centre, people=people)
    refused(Refused, "ca.separation", lambda: revoke_ca(centre, people=("kanri", "kanri")))
    refused(InvalidInput, "ca.revoke.evidence", lambda: revoke_ca(centre, evidence=" "))
    refused(
        InvalidInput, "policies.ground.unknown", lambda: revoke_ca(centre, code="S02_CARD_LOST")
    )
    assert not centre.due()
    revoke_ca(centre)
    refused(Conflict, "ca.revoke.twice", lambda: revoke_ca(centre, code="C10_CA_END"))
    page = centre.trail.page(0, 5000)
    told = [(one.code, json.loads(one.body)) for one in page if one.code.startswith("REV.")]
    assert [code for code, _ in told] == ["REV.DECIDE", "REV.EXECUTE"]
    for _, body in told:
        assert (body["actor_id"], body["actor_role"], body["co_actor_id"]) == (
            "kanri",
            "CA_MANAGER",
            "tachiai",
        )
        assert body["detail"]["evidence"] == EVIDENCE


def test_a_revoked_ca_issues_nothing_more_and_still_makes_lists(centre: Centre) -> None:
    """Also what was reserved before; and whatever the rows say then."""
    order = accept(centre, dossier(1))
    batch, carrier = open_batch(centre, order.id), card_carrier("A-1", order.id)
    reserve(centre, order, batch, carrier)
    again = accept(centre, dossier(2))
    revoke_ca(centre, "sign")
    run(centre, "DELETE FROM revocation")
    for number, one in enumerate((order, again)):
        refused(
            Refused,
            "ca.issuer.revoked",
            lambda one=one, number=number: prepare(centre, one.id, Purpose.SIGN, 40 + number),  # type: ignore[misc]
        )
    assert centre.orders.prepare(again.id, Purpose.AUTH, csr(card_key(41))).issuer_id == "auth"
    with centre.store.read() as tx:
        reserved = tx.exec(select(Certificate).where(Certificate.order_id == order.id)).one()
    acting = Acting("SYSTEM", "", order_id=order.id)
    refused(Refused, "ca.issuer.revoked", lambda: centre.issuance.finish(reserved, acting))
    centre.pass_time(hours=25)
    assert ("sign", ListScope.FULL) in {
        (one.issuer_id, one.scope) for one in centre.rhythm.due("SYSTEM").published
    }
    revoke_ca(centre, "root")
    refused(Refused, "ca.issuer.revoked", lambda: prepare(centre, again.id, Purpose.AUTH, 41))


def test_rows_alone_revoke_no_ca(centre: Centre) -> None:
    """A revocation whose entry of the trail, statements or element are another's."""
    row = revoke_ca(centre)
    changes = {
        "UPDATE revocation SET ground = 'C10_CA_END'": "operators",
        "UPDATE revocation SET revoked_at = '2026-01-01 00:00:00.000000'": "crl.entry.changed",
        "UPDATE revocation SET reason = NULL": "crl.entry.changed",
        "UPDATE revocation SET seq = seq - 1": "ca.revoke.unsigned",
        "DELETE FROM statement WHERE type = 'CA_REVOCATION'": "operators",
        "DELETE FROM revocation": "crl.entry.changed",
        "DELETE FROM list_entry": "crl.entry.vanished",
    }
    assert centre.store.empty_log()
    copy = shutil.copyfile(centre.folder / "store.sqlite", centre.folder / "kept.sqlite")
    for change, code in changes.items():
        run(centre, change)
        found = codes(centre)
        assert found, change
        assert all(one.startswith(code) for one in found), (change, found)
        centre.store.close()
        for left in centre.folder.glob("store.sqlite*"):
            left.unlink()
        shutil.copyfile(copy, centre.folder / "store.sqlite")
    assert codes(centre) == set()
    assert serials(published(centre, "sarl.crl")) == [int(row.serial, 16)]


def test_a_list_from_elsewhere_must_hold_what_was_revoked_here(centre: Centre) -> None:
    row = revoke_ca(centre)
    entry = entry_der(int(row.serial, 16), centre.now, Reason.CA_COMPROMISE)
    lose_key(centre)
    text = refused(Unavailable, "crl.key.elsewhere", centre.due).text
    assert "a revocation stands on no list root SARL" in text
    for code, entries in (
        ("crl.import.missing", ()),
        ("crl.entry.changed", (entry_der(int(row.serial, 16), centre.now, None),)),
    ):
        octets = made(centre, ListScope.SARL, 9, centre.now, *entries)
        refused(Refused, code, lambda octets=octets: take(centre, octets))  # type: ignore[misc]
    take(centre, made(centre, ListScope.SARL, 9, centre.now, entry))
    assert codes(centre) == set()
    assert serials(published(centre, "sarl.crl")) == [int(row.serial, 16)]
    with centre.store.read() as tx:
        assert list(check_rows(tx, centre.archive)) == []


def test_what_an_imported_list_revoked_cannot_be_rolled_back(centre: Centre) -> None:
    """With the rights on database, archive and every target; the trail still tells."""
    folders = [centre.folder / name for name in ("public", "lists")]
    for folder in folders:
        shutil.copytree(folder, centre.folder / "kept" / folder.name)
    row = own_row(centre, "auth")
    entry = entry_der(int(row.serial, 16), centre.now, None)
    take(centre, made(centre, ListScope.SARL, 9, centre.now, entry))
    assert codes(centre) == set()
    run(centre, "DELETE FROM list_entry")
    newest = "(SELECT id FROM revocation_list WHERE number = 9)"
    run(centre, f"DELETE FROM list_delivery WHERE list_id IN {newest}")
    run(centre, "DELETE FROM revocation_list WHERE number = 9")
    for folder in folders:
        shutil.rmtree(folder)
        shutil.copytree(centre.folder / "kept" / folder.name, folder)
    centre.pass_time(hours=49)
    assert "crl.entry.vanished" in codes(centre)
    assert not serials(published(centre, "sarl.crl"))
