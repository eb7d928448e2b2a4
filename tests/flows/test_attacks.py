"""What a database administrator cannot do, with or without a key that does not count any more."""

from __future__ import annotations

import json
from collections.abc import Callable
from datetime import UTC, date, datetime

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import rsa

from audit.canonical import canonical_json, digest
from audit.chain import Head
from ca.orders import approval
from ca.records import (
    Certificate,
    Issuer,
    ListEntry,
    Order,
    Revocation,
    Series,
    certificates_of_carrier,
)
from ca.revocation import living_certificates
from operators import acts
from operators.records import Statement
from operators.statements import SignedStatement, Stand, make_statement
from pki.errors import HpkiError, InvalidInput, Refused
from pki.reasons import Reason, entry_der
from policies.profiles import ListScope
from policies.roles import Role
from ra.revocation import Request
from tests.flows.conftest import SITE_ID, Centre
from tests.flows.issuing import accept, dossier, issue, open_batch, refused, revoke
from tests.flows.registration import make_cards, row
from tests.flows.test_lists import published
from tests.flows.test_operators import DIGEST, SEEN, forgotten, run, state, verify_kept
from tests.flows.test_trail import append

FORGED_ID = "f" * 32


def content_of(centre: Centre, seq: int) -> tuple[dict[str, object], Head]:
    with centre.store.read() as tx:
        entry = centre.trail.entry(tx, seq)
    assert entry is not None
    return json.loads(entry.body), Head(seq, entry.hash)


def lose(centre: Centre, name: str) -> int:
    with centre.store.read() as tx:
        keys = centre.directory.register(tx).account(name).keys
    return centre.decide(acts.Loss(operator=name, credential=keys[-1].credential), "kanri")


def suspend(centre: Centre, name: str) -> int:
    return centre.decide(acts.Suspend(operator=name), "kanri")


def backdated(centre: Centre, seq: int) -> SignedStatement:
    """An examination by a stolen key, as if it stood at the entry ``seq``."""
    with centre.store.read() as tx:
        register = centre.directory.register(tx).head_before(seq)
    _, before = content_of(centre, seq - 1)
    stand = Stand(FORGED_ID, SITE_ID, "2026-11-21T03:00:00Z", before, register)
    return make_statement(centre.signers["uketsuke"], SEEN, stand)


def put_statement(centre: Centre, statement: SignedStatement, seq: int) -> None:
    with centre.store.begin() as tx:
        tx.add(
            Statement(
                id=FORGED_ID,
                operator_id="uketsuke",
                type=SEEN.type,
                object_id=SEEN.object_id,
                body=statement.body.decode(),
                signature=statement.signature.hex(),
                seq=seq,
            )
        )


def naming(statement: SignedStatement, tree: dict[str, object]) -> bytes:
    """The content of an entry made to name the statement."""
    detail = {"signed": {FORGED_ID: statement.sha256()}}
    return canonical_json(tree | {"code": "APP.EXAMINED", "detail": detail})


def rewrite_entry(centre: Centre, seq: int, body: bytes) -> None:
    run(
        centre,
        "UPDATE trail_entry SET body = :body, hash = :hash, code = 'APP.EXAMINED' WHERE seq = :seq",
        body=body.decode(),
        hash=digest(body),
        seq=seq,
    )


@pytest.mark.parametrize("taken_away", [lose, suspend])
def test_a_stolen_key_signs_into_no_older_entry(
    empty_centre: Centre, taken_away: Callable[[Centre, str], int]
) -> None:
    """The entry names the forged statement and has its right hash, but nothing follows from it."""
    old = append(empty_centre)
    append(empty_centre)
    honest = state(empty_centre, "uketsuke")
    taken_away(empty_centre, "uketsuke")
    assert verify_kept(forgotten(empty_centre), honest) == "uketsuke"
    forged = backdated(empty_centre, old)
    rewrite_entry(empty_centre, old, naming(forged, content_of(empty_centre, old)[0]))
    put_statement(empty_centre, forged, old)
    forgotten(empty_centre)
    refused(Refused, "audit.trail.broken", lambda: verify_kept(empty_centre, FORGED_ID))
    assert verify_kept(empty_centre, honest) == "uketsuke"


def test_nothing_is_put_in_before_the_report_of_a_loss(empty_centre: Centre) -> None:
    """The report moves one entry on, all is chained anew, and the head with it."""
    append(empty_centre)
    loss = lose(empty_centre, "uketsuke")
    tree, _ = content_of(empty_centre, loss)
    forged = backdated(empty_centre, loss)
    first = naming(forged, tree)
    second = canonical_json(tree | {"seq": loss + 1, "prev_hash": digest(first)})
    rewrite_entry(empty_centre, loss, first)
    columns = "outcome, actor, co_actor, object_type, object_id"
    run(
        empty_centre,
        f"INSERT INTO trail_entry (seq, at, code, {columns}, body, hash) "  # noqa: S608
        f"SELECT seq + 1, at, 'CREDENTIAL.LOSS', {columns}, :body, :hash "
        "FROM trail_entry WHERE seq = :seq",
        body=second.decode(),
        hash=digest(second),
        seq=loss,
    )
    run(empty_centre, "UPDATE statement SET seq = seq + 1 WHERE seq = :seq", seq=loss)
    run(empty_centre, "UPDATE trail_head SET seq = seq + 1, hash = :hash", hash=digest(second))
    put_statement(empty_centre, forged, loss)
    forgotten(empty_centre)
    empty_centre.trail.verify()
    refused(Refused, "operators.statement.position", lambda: verify_kept(empty_centre, FORGED_ID))


def test_an_act_hidden_from_the_columns_is_noticed(empty_centre: Centre) -> None:
    """The report of a loss keeps its entry under another code, and loses its statements."""
    loss = lose(empty_centre, "uketsuke")
    state(empty_centre, "shonin", approval("A-1", DIGEST))
    run(empty_centre, "UPDATE trail_entry SET code = 'APP.EXAMINED' WHERE seq = :seq", seq=loss)
    run(empty_centre, "DELETE FROM statement WHERE seq = :seq", seq=loss)
    forgotten(empty_centre)
    refused(Refused, "operators.register.cut", lambda: state(empty_centre, "uketsuke"))


def test_a_manager_alone_gives_no_keys_to_a_substitute_to_be(empty_centre: Centre) -> None:
    """Two sign for a CA manager, and for new keys of one who stands in from tomorrow."""
    empty_centre.appoint("daiko")
    tomorrow = date(2026, 11, 22)
    act = acts.Substitute(
        operator="daiko",
        role=Role.CA_MANAGER,
        absent="kanri",
        first_day=tomorrow,
        last_day=tomorrow,
    )
    empty_centre.decide(act, "toroku", "tachiai")
    rekey = acts.Rekey(operator="daiko", keys=empty_centre.make_keys("daiko"))
    refused(Refused, "operators.signatures", lambda: empty_centre.decide(rekey, "toroku"))
    empty_centre.decide(rekey, "toroku", "tachiai")


def test_a_statement_counts_on_the_day_of_its_entry(empty_centre: Centre) -> None:
    """The clock is behind the trail, which is past the midnight on which the keys expire."""
    empty_centre.now = datetime(2029, 11, 20, 15, 0, 10, tzinfo=UTC)
    append(empty_centre)
    empty_centre.now = datetime(2029, 11, 20, 14, 59, 50, tzinfo=UTC)
    before = empty_centre.trail.verify()
    refused(Refused, "operators.credential.expired", lambda: state(empty_centre, "uketsuke"))
    assert empty_centre.trail.verify() == before


def listed(row: Certificate, element: bytes, seq: int) -> ListEntry:
    """An element of the sub CA's list, put in by hand."""
    return ListEntry(
        series=Series(row.issuer_id, ListScope.FULL).key,
        serial=row.serial,
        not_after=row.not_after,
        seq=seq,
        entry_der=element,
    )


def test_a_revocation_of_one_carrier_revokes_no_other(centre: Centre) -> None:
    """Neither a copied row, nor a certificate pointed to a card that was lawfully revoked."""
    lost, other = issue(centre, 1), issue(centre, 2)
    revoke(centre, lost)
    with centre.store.begin() as tx:
        (mine, _), (theirs, _) = (certificates_of_carrier(tx, one.id) for one in (lost, other))
        kept = tx.get_one(Revocation, mine.id).model_dump()
        reason = Reason(kept["reason"]) if kept["reason"] is not None else None
        element = entry_der(int(theirs.serial, 16), kept["revoked_at"], reason)
        tx.add(Revocation(**{**kept, "certificate_id": theirs.id}))
        tx.add(listed(theirs, element, kept["seq"]))
    refused(Refused, "ca.revoke.unsigned", lambda: centre.lists.issue("sign", "SYSTEM"))
    run(
        centre,
        "UPDATE certificate SET carrier_id = NULL WHERE id = :id",
        id=mine.id,
    )
    run(
        centre,
        "UPDATE certificate SET carrier_id = :carrier WHERE id = :id",
        carrier=lost.id,
        id=theirs.id,
    )
    refused(Refused, "ca.revoke.unsigned", lambda: centre.lists.issue("sign", "SYSTEM"))


def test_a_revocation_that_nobody_signed_comes_onto_no_list(centre: Centre) -> None:
    centre.due()
    carrier = issue(centre, 1)
    with centre.store.begin() as tx:
        for one in living_certificates(tx, carrier.id):
            reason = Reason.CESSATION_OF_OPERATION
            tx.add(
                Revocation(
                    certificate_id=one.id or 0,
                    ground="S02_CARD_LOST",
                    reason=reason,
                    revoked_at=centre.now,
                    statement_id="none",
                    request_id="none",
                    seq=1,
                )
            )
            tx.add(listed(one, entry_der(int(one.serial, 16), centre.now, reason), 1))
    refused(Refused, "ca.revoke.unsigned", lambda: centre.lists.issue("sign", "SYSTEM"))
    other = issue(centre, 2)
    revoke(centre, other)
    run(
        centre,
        "UPDATE revocation SET statement_id = (SELECT max(id) FROM statement "
        "WHERE type = 'REVOCATION')",
    )
    refused(Refused, "ca.revoke.unsigned", lambda: centre.lists.issue("sign", "SYSTEM"))


@pytest.mark.parametrize(
    "cover",
    [
        "DELETE FROM revocation",
        "UPDATE revocation_list SET high_water_seq = 1000000",
        "UPDATE revocation_list SET state = 'NUMBERED'",
        "UPDATE certificate SET not_after = '2020-01-01 00:00:00'",
    ],
)
def test_the_list_that_is_served_is_not_forgotten(centre: Centre, cover: str) -> None:
    revoke(centre, issue(centre, 1))
    centre.due()
    run(centre, "DELETE FROM list_entry")
    run(centre, cover)
    refused(Refused, "crl.entry.vanished", lambda: centre.lists.issue("sign", "SYSTEM"))
    for path in centre.archive.folder.iterdir():
        path.unlink()
    refused(Refused, "crl.entry.vanished", lambda: centre.lists.issue("sign", "SYSTEM"))
    assert len(published(centre, "sign.crl")) == 1


def test_a_revocation_gone_before_any_list_is_noticed(centre: Centre) -> None:
    centre.due()
    revoke(centre, issue(centre, 1))
    run(centre, "DELETE FROM revocation")
    refused(Refused, "crl.entry.changed", lambda: centre.lists.issue("sign", "SYSTEM"))
    run(centre, "DELETE FROM list_entry")
    refused(Refused, "crl.entry.vanished", lambda: centre.lists.issue("sign", "SYSTEM"))


def test_another_root_of_the_same_name_is_not_served(centre: Centre) -> None:
    centre.due()
    assert centre.repository.publish() == []
    served = (centre.public.folder / "root.cer").read_bytes()
    real = x509.load_der_x509_certificate(served)
    key = rsa.generate_private_key(65537, 2048)
    builder = x509.CertificateBuilder(
        real.issuer,
        real.subject,
        key.public_key(),
        7,
        real.not_valid_before_utc,
        real.not_valid_after_utc,
    )
    forged = builder.sign(key, hashes.SHA256()).public_bytes(serialization.Encoding.DER)
    with centre.store.begin() as tx:
        tx.get_one(Issuer, "root").certificate_der = forged
    assert [one.code for one in centre.repository.publish()] == ["ca.issuer.changed"]
    refused(Refused, "ca.issuer.changed", lambda: centre.lists.issue("sign", "SYSTEM"))
    assert (centre.public.folder / "root.cer").read_bytes() == served


def test_a_channel_is_a_word_and_no_place_for_values(centre: Centre) -> None:
    (card,) = make_cards(centre, row(1))
    found, before = centre.desk.find(card), centre.trail.verify()
    for channel in ("TEL 090-1234-5678", "form", ""):
        request = Request("S02_CARD_LOST", "subscriber", channel, "called back")
        with pytest.raises(InvalidInput, match="one word in capitals"):
            centre.desk.revoke(found, request, centre.signers["shikko"], centre.signers["hakko"])
    assert centre.trail.verify() == before


def test_garbage_in_rows_is_refused_and_no_bug(centre: Centre) -> None:
    order = accept(centre, dossier(1))
    batch = open_batch(centre, order.id)

    def verify() -> None:
        with centre.store.begin() as tx:
            centre.orders.verify_for_issue(tx, order.id, batch)

    with centre.store.read() as tx:
        seq = centre.directory.position(tx, batch.statement_id)
    rewrite_entry(centre, seq, b"garbage")
    refused(Refused, "operators.statement.position", verify)
    with centre.store.begin() as tx:
        tx.get_one(Order, order.id).statement_ids = "{"
    refused(InvalidInput, "ca.order.form", verify)
    run(centre, "UPDATE operator SET salt = 'zz' WHERE id = 'uketsuke'")
    with centre.store.read() as tx:
        refused(
            Refused,
            "operators.identity.changed",
            lambda: centre.directory.identity(tx, "uketsuke"),
        )


def test_a_key_on_an_unknown_curve_is_refused() -> None:
    spki = "30563010" + "06072a8648ce3d0201" + "06052b81040001" + "034200" + "04" + "01" * 64
    with pytest.raises(HpkiError):
        acts.p256_key(spki)
