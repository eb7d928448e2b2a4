"""The station: a whole card, and what it refuses before and after it has begun."""

from __future__ import annotations

import json
import os
from collections.abc import Sequence

import pytest
from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import rsa
from cryptography.hazmat.primitives.serialization import Encoding
from cryptography.x509.oid import ObjectIdentifier
from sqlalchemy import update
from sqlmodel import select

from ca.records import Certificate, CertificateState, issuers, revocation_of
from card_personalization import records
from card_personalization.apdu import IssuerKeyRefused, WrongPin
from card_personalization.card import CA_LABEL, ROOT_LABEL
from card_personalization.card import CardState as ChipState
from card_personalization.hpki_card import HpkiCard
from card_personalization.hpki_issuing import ISSUER_KEY, TRANSPORT_KEY, issuer_keys
from card_personalization.layout import Role, default_layout
from card_personalization.records import Card, CardState, PinEnvelope, Run, RunState
from card_personalization.station import Report
from card_personalization.transport import (
    CardRemoved,
    EmbeddedTransport,
    FaultTransport,
    TraceTransport,
    Transport,
)
from card_personalization.virtual_card import VirtualCard
from keys.sealing import open_sealed
from operators.acts import End
from operators.statements import credential_id
from pki.errors import Conflict, NotFound, Refused, Unavailable
from pki.hcrole import decode_hc_roles
from policies.moves import ApplicationState
from policies.roles import Role as OperatorRole
from policies.site import SiteKind
from ra.records import PersonVersion, find_application
from ra.revocation import Request
from tests.flows.conftest import CARD_SECRET, Centre
from tests.flows.issuing import refused
from tests.flows.registration import (
    DIRECTOR,
    batch_for,
    blank_card,
    certificates_on,
    entries,
    order_all,
    personalize,
    pins_of,
    row,
)

REF = "T2026-0001"
ORDER = f"{REF}.1"
STEPS = ["ISSUER", "FILES", "KEYS", "ISSUE", "WRITE", "PINS", "LOCK", "VERIFY"]
HC_ROLE = ObjectIdentifier("2.5.29.9")


def inserted(centre: Centre, card: str) -> HpkiCard:
    return HpkiCard(centre.stock.insert_virtual(card), default_layout())


def journal(centre: Centre, card: str) -> tuple[Run, list[records.Step]]:
    with centre.store.read() as tx:
        (run,) = records.runs_of(tx, card)
        return run, records.steps_of(tx, run.id)


def state_of(centre: Centre) -> ApplicationState:
    with centre.store.read() as tx:
        return find_application(tx, REF).state


def stocked(centre: Centre, card: str) -> Card:
    with centre.store.read() as tx:
        return tx.get_one(Card, card)


def untouched(centre: Centre, card: str) -> bool:
    """Nobody wrote to the card."""
    return inserted(centre, card).identify().state is ChipState.BLANK


# --- a whole card ---


def check_certificates(centre: Centre, card: str, report: Report) -> None:
    rows = {Role(str(one.usage)): one for one in certificates_on(centre, card)}
    assert set(rows) == set(report.certificates) == {Role.SIGN, Role.AUTH}
    with centre.store.read() as tx:
        authorities = {one.id: one.certificate_der for one in issuers(tx)}
    chip = inserted(centre, card)
    usages = {
        Role.SIGN: {"content_commitment"},
        Role.AUTH: {"digital_signature"},
    }
    for role, certificate in report.certificates.items():
        stored = rows[role]
        assert stored.state is CertificateState.ISSUED
        assert certificate.public_bytes(Encoding.DER) == stored.certificate_der
        on_card = chip.read_certificates(role)
        assert on_card.holder_der == stored.certificate_der
        assert dict(on_card.ca_certificates_der) == {
            ROOT_LABEL: authorities["root"],
            CA_LABEL: authorities[role.lower()],
        }
        public_key = certificate.public_key()
        assert isinstance(public_key, rsa.RSAPublicKey)
        assert public_key == chip.public_key(role)
        usage = certificate.extensions.get_extension_for_class(x509.KeyUsage).value
        named = {
            name
            for name in ("digital_signature", "content_commitment", "key_encipherment",
                         "data_encipherment", "key_agreement", "key_cert_sign", "crl_sign")
            if getattr(usage, name)
        }  # fmt: skip
        assert named == usages[role]
        attributes = certificate.extensions.get_extension_for_oid(HC_ROLE).value
        assert isinstance(attributes, x509.UnrecognizedExtension)
        assert set(decode_hc_roles(attributes.value)) == {"Medical Doctor", "Director of Hospital"}
        subject = certificate.subject.rfc4514_string()
        assert "OU=Director,O=DEMO Fictitious Hospital,C=JP" in subject
    assert len({one.spki_sha256 for one in rows.values()}) == 2


def check_pins(centre: Centre, card: str) -> None:
    content = pins_of(centre, card, ORDER)
    assert set(content) == {"chip", "SIGN", "AUTH"}
    assert content["chip"] == card
    for role in Role:
        pin = content[role]
        assert (len(pin), pin.isdigit()) == (6, True)
        chip = inserted(centre, card)
        wrong = str((int(pin[0]) + 1) % 10) + pin[1:]
        with pytest.raises(WrongPin):
            chip.verify_pin(role, wrong)
        chip.verify_pin(role, pin)
    with centre.store.read() as tx:
        (envelope,) = records.envelopes_of(tx, card)
    assert envelope.credential_id == credential_id(centre.signers["ansho"].public_key())
    purpose = f"hpki pin {card} {ORDER}".encode()
    for name, key in centre.sealing.items():
        if name != "ansho":
            refused(Refused, "keys.sealed", lambda: open_sealed(envelope.sealed, key, purpose))  # noqa: B023
    other = f"hpki pin {card} T2026-0002.1".encode()
    refused(
        Refused,
        "keys.sealed",
        lambda: open_sealed(envelope.sealed, centre.sealing["ansho"], other),
    )
    written = "".join(entry.body for entry in entries(centre))
    assert [pin for pin in (content["SIGN"], content["AUTH"]) if pin in written] == []


def check_issuer_key(centre: Centre, card: str) -> None:
    identity = inserted(centre, card).identify()
    assert (identity.chip_serial, identity.state) == (card, ChipState.ACTIVATED)
    assert identity.issuer_key_version == 2
    with pytest.raises(IssuerKeyRefused):
        inserted(centre, card).authenticate_issuer(issuer_keys(CARD_SECRET, TRANSPORT_KEY, card))
    inserted(centre, card).authenticate_issuer(issuer_keys(CARD_SECRET, ISSUER_KEY, card))


def test_a_whole_card(centre: Centre) -> None:
    (order,) = order_all(centre, row(1, **DIRECTOR))
    card, progress = blank_card(centre), []  # type: ignore[var-annotated]
    assert stocked(centre, card) == Card(chip_serial=card, state=CardState.STOCK)
    report = personalize(centre, order.id, card, progress=progress)
    assert (report.chip_serial, report.order_id) == (card, ORDER)
    assert progress == STEPS
    assert [check for check in report.checks if not check.ok] == []
    assert {check.step for check in report.checks} == {
        "card.activated",
        "card.transport_keys",
        *(
            f"{role}.{step}"
            for role in ("sign", "auth")
            for step in ("certificates", "sign_without_pin", "challenge_signature", "pin_tries",
                         "public_key", "create_file_locked", "generate_locked")
        ),
        "sign.pin_per_signature",
        "auth.pin_per_session",
    }  # fmt: skip
    check_certificates(centre, card, report)
    check_pins(centre, card)
    check_issuer_key(centre, card)
    run, steps = journal(centre, card)
    assert (run.state, run.order_id, run.operator_id) == (RunState.DONE, ORDER, "hakko")
    assert run.ended_at == centre.now
    assert [(step.position, step.name) for step in steps] == list(enumerate(STEPS, start=1))
    assert [step for step in steps if step.ended_at is None] == []
    kept = stocked(centre, card)
    assert (kept.state, kept.order_id) == (CardState.PERSONALISED, ORDER)
    assert state_of(centre) is ApplicationState.PERSONALISED
    story = [entry.code for entry in entries(centre)][-12:]
    assert story == [
        "ISSUE.ORDER", "STOCK.IN", "PRIV.USE", "STOCK.OUT", "CARD.KEYGEN", "CERT.POP_OK",
        "CERT.ISSUE", "CERT.POP_OK", "CERT.ISSUE", "APP.STATE", "APP.STATE", "CARD.PERSONALISE",
    ]  # fmt: skip
    centre.trail.verify()


def test_no_pin_is_drawn_twice(centre: Centre) -> None:
    orders = order_all(centre, row(1), row(2))
    pins = []
    for order in orders:
        card = blank_card(centre)
        personalize(centre, order.id, card)
        content = pins_of(centre, card, order.id)
        pins += [content["SIGN"], content["AUTH"]]
    assert len(set(pins)) == 4


# --- refused before anything is written ---


def assert_nothing_begun(centre: Centre, card: str) -> None:
    assert stocked(centre, card) == Card(chip_serial=card, state=CardState.STOCK)
    assert untouched(centre, card)
    with centre.store.read() as tx:
        assert records.runs_of(tx, card) == []
        assert records.envelopes_of(tx, card) == []
    assert certificates_on(centre, card) == []


def test_a_file_changed_after_its_approval_gets_no_card(centre: Centre) -> None:
    (order,) = order_all(centre, row(1))
    card = blank_card(centre)
    changes: Sequence[tuple[str, str]] = (("kanji_name", "偽名　太郎"), ("address", "elsewhere"))
    for column, value in changes:
        with centre.store.begin() as tx:
            before = tx.exec(select(getattr(PersonVersion, column))).one()
            tx.execute(update(PersonVersion).values({column: value}))
        refusal = refused(
            Refused, "ra.dossier.changed", lambda: personalize(centre, order.id, card)
        )
        assert column in refusal.text
        with centre.store.begin() as tx:
            tx.execute(update(PersonVersion).values({column: before}))
    assert_nothing_begun(centre, card)
    personalize(centre, order.id, card)


def test_wrong_cards_are_refused(centre: Centre) -> None:
    first, second = order_all(centre, row(1), row(2))
    begun, spare = blank_card(centre), blank_card(centre)
    with centre.store.begin() as tx:
        tx.get_one(Card, begun).state = CardState.RESERVED
        tx.get_one(Card, begun).order_id = first.id
    refused(Conflict, "card.reserved.other", lambda: personalize(centre, second.id, begun))
    unknown = VirtualCard.create(
        centre.folder / "unknown.json", "ff" * 8, issuer_keys(CARD_SECRET, TRANSPORT_KEY, "ff" * 8)
    )
    transport, batch = EmbeddedTransport(unknown), batch_for(centre, first.id)
    refused(Conflict, "card.reserved.other", lambda: personalize(centre, first.id, transport))
    refused(NotFound, "ca.order.unknown", lambda: personalize(centre, "T2026-0009.1", spare, batch))
    assert_nothing_begun(centre, spare)
    # a run that was begun is taken up on its own card only
    pulled = FaultTransport(centre.stock.insert_virtual(begun), fail_at=30)
    with pytest.raises(Unavailable):
        personalize(centre, first.id, pulled)
    refused(Conflict, "card.run.other", lambda: personalize(centre, first.id, spare))
    assert_nothing_begun(centre, spare)
    personalize(centre, first.id, begun)
    # and a finished card is finished, for its own order and for others
    refused(Conflict, "card.reserved.other", lambda: personalize(centre, second.id, begun))
    # a second card for a finished order is not even begun
    refused(Conflict, "ra.state", lambda: personalize(centre, first.id, spare))
    assert_nothing_begun(centre, spare)
    assert len(certificates_on(centre, begun)) == 2


def test_a_finished_card_is_refused(centre: Centre) -> None:
    (order,) = order_all(centre, row(1))
    card = blank_card(centre)
    personalize(centre, order.id, card)
    with centre.store.begin() as tx:  # as if the application were still waiting for a card
        find_application(tx, REF).state = ApplicationState.ISSUING
    head = centre.trail.verify()
    batch = batch_for(centre, order.id)
    refused(Refused, "ra.state.changed", lambda: personalize(centre, order.id, card, batch))
    assert centre.trail.verify().seq == head.seq + 1  # the batch only
    assert len(certificates_on(centre, card)) == 2


def test_no_virtual_card_in_production(centre: Centre) -> None:
    centre.kind = SiteKind.PRODUCTION
    centre.__post_init__()
    refused(Refused, "card.virtual.production", lambda: blank_card(centre))
    path = centre.folder / "piv.json"
    refused(
        Refused,
        "card.virtual.production",
        lambda: centre.stock.write_virtual_piv(path, extensions=True),
    )
    assert not path.exists()
    with centre.store.read() as tx:
        assert records.cards(tx) == []


def test_a_card_is_taken_in_once(centre: Centre) -> None:
    card = blank_card(centre)
    with centre.store.begin() as tx:
        refused(Conflict, "card.stock.known", lambda: centre.stock.take_in(tx, card, "hakko"))


def test_the_stock_gives_the_orders_own_card_first(centre: Centre) -> None:
    first, second = order_all(centre, row(1), row(2))
    assert centre.stock.reserve(first.id) is None
    cards = sorted(blank_card(centre) for _ in range(2))
    given = centre.stock.reserve(first.id)
    assert given is not None
    assert given.chip_serial == cards[0]
    again = centre.stock.reserve(first.id)
    assert again is not None
    assert again.chip_serial == cards[0]
    other = centre.stock.reserve(second.id)
    assert other is not None
    assert other.chip_serial == cards[1]
    pulled = FaultTransport(centre.stock.insert_virtual(cards[1]), fail_at=10)
    with pytest.raises(Unavailable):
        personalize(centre, second.id, pulled)
    begun = centre.stock.reserve(second.id)
    assert begun is not None
    assert begun.chip_serial == cards[1]


def test_a_virtual_card_made_for_an_order_is_nobody_elses(centre: Centre) -> None:
    """Two readers that take from stock at once would have fought for it."""
    first, second = order_all(centre, row(1), row(2))
    made = centre.stock.make_virtual("hakko", order_id=first.id)
    assert centre.stock.reserve(second.id) is None
    given = centre.stock.reserve(first.id)
    assert given is not None
    assert given.chip_serial == made
    assert personalize(centre, first.id, centre.stock.insert_virtual(made)).order_id == first.id


# --- refused on the way, before a key is certified ---


def test_without_a_pin_operator_no_key_is_certified(centre: Centre) -> None:
    (order,) = order_all(centre, row(1))
    card = blank_card(centre)
    centre.decide(End(operator="ansho", roles=(OperatorRole.PIN_OPERATOR,)), "kanri", "tachiai")
    refused(Refused, "card.pin.nobody", lambda: personalize(centre, order.id, card))
    assert certificates_on(centre, card) == []
    with centre.store.read() as tx:
        assert tx.exec(select(PinEnvelope)).all() == []
        assert records.runs_of(tx, card) == []
    assert untouched(centre, card)
    centre.appoint("ansho-b", OperatorRole.PIN_OPERATOR)
    report = personalize(centre, order.id, card, batch_for(centre, order.id, batch_id="again"))
    assert all(check.ok for check in report.checks)


def test_every_pin_operator_gets_an_envelope(centre: Centre) -> None:
    centre.appoint("ansho-b", OperatorRole.PIN_OPERATOR)
    (order,) = order_all(centre, row(1))
    card = blank_card(centre)
    personalize(centre, order.id, card)
    with centre.store.read() as tx:
        sealed = {one.credential_id: one.sealed for one in records.envelopes_of(tx, card)}
    envelopes = {
        name: sealed.pop(credential_id(centre.signers[name].public_key()))
        for name in ("ansho", "ansho-b")
    }
    assert not sealed
    purpose = f"hpki pin {card} {ORDER}".encode()
    opened = {open_sealed(envelopes[name], centre.sealing[name], purpose) for name in envelopes}
    assert len(opened) == 1


def test_the_approver_may_not_execute(centre: Centre) -> None:
    (order,) = order_all(centre, row(1))
    card = blank_card(centre)
    centre.become_small()
    centre.grant("shonin", OperatorRole.IA_OPERATOR)
    batch = batch_for(centre, order.id, executor="shonin")
    refused(Refused, "ca.separation", lambda: personalize(centre, order.id, card, batch))
    assert certificates_on(centre, card) == []
    assert state_of(centre) is ApplicationState.ISSUING


def test_only_a_card_operator_works_at_the_station(centre: Centre) -> None:
    """Not even the IA operator who has the batch executed, and not before the card is touched."""
    centre.appoint("hakko-b", OperatorRole.IA_OPERATOR)
    (order,) = order_all(centre, row(1))
    card = blank_card(centre)
    batch = batch_for(centre, order.id, executor="hakko-b")
    for name in ("hakko-b", "shonin", "ansho"):
        refused(
            Refused,
            "operators.role.missing",
            lambda: personalize(centre, order.id, card, batch, at_station=name),  # noqa: B023
        )
    assert_nothing_begun(centre, card)


def test_an_order_outside_the_batch_is_not_executed(centre: Centre) -> None:
    first, second = order_all(centre, row(1), row(2))
    card = blank_card(centre)
    batch = batch_for(centre, second.id)
    refused(Refused, "ca.batch.order", lambda: personalize(centre, first.id, card, batch))
    assert certificates_on(centre, card) == []


def test_a_revoked_card_is_not_taken_up_again(centre: Centre) -> None:
    """Its second certificate would stand on no list, and for ever."""
    (order,) = order_all(centre, row(1))
    card = blank_card(centre)
    begin_and_pull(centre, order.id, card, certificates=1)
    centre.desk.revoke(
        centre.desk.find(card),
        Request("C12_CARD_SCRAPPED", "CA", "STATION", "run journal"),
        centre.signers["shikko"],
        centre.signers["hakko"],
    )
    batch = batch_for(centre, order.id, batch_id="again")
    refused(Conflict, "card.scrapped", lambda: personalize(centre, order.id, card, batch))
    assert len(certificates_on(centre, card)) == 1


def test_a_scrapped_card_gives_way_to_another_attempt_signed_by_two(centre: Centre) -> None:
    (order,) = order_all(centre, row(1))
    card, spare = blank_card(centre), blank_card(centre)
    begin_and_pull(centre, order.id, card, certificates=1)
    people = centre.signers
    refused(
        Refused,
        "ra.guard.no_certificate",
        lambda: centre.examination.send_back(REF, people["shonin"], "カード不良"),
    )
    scrapped = Request("C12_CARD_SCRAPPED", "CA", "STATION", "run journal")
    centre.desk.revoke(centre.desk.find(card), scrapped, people["shikko"], people["hakko"])
    again = batch_for(centre, order.id, batch_id="again")
    refused(Conflict, "card.run.other", lambda: personalize(centre, order.id, spare, again))
    assert untouched(centre, spare)
    centre.examination.send_back(REF, people["shonin"], "カード不良")
    centre.examination.examine(REF, people["uketsuke"], None, None, rest_ok=True)
    second = centre.examination.approve(REF, people["shonin"])
    assert second is not None
    assert (order.id, second.id) == (f"{REF}.1", f"{REF}.2")
    refused(Refused, "ca.order.withdrawn", lambda: personalize(centre, order.id, spare, again))
    report = personalize(centre, second.id, spare)
    assert [one for one in report.checks if not one.ok] == []
    assert {one.state for one in certificates_on(centre, spare)} == {CertificateState.ISSUED}
    with centre.store.read() as tx:
        living = [
            one.carrier_id
            for one in tx.exec(select(Certificate).where(Certificate.carrier_id != None))  # noqa: E711
            if revocation_of(tx, one.id or 0) is None
        ]
    assert living == [f"card-{spare}"] * 2


def begin_and_pull(centre: Centre, order_id: str, card: str, certificates: int) -> None:
    """Pull the card as soon as so many certificates were issued on it."""

    class Pulled(EmbeddedTransport):
        def transmit(self, apdu: bytes) -> bytes:
            if apdu[1] == 0x22 and len(issued(centre, card)) == certificates:
                raise Unavailable("test.pulled", "the card was pulled")
            return super().transmit(apdu)

    centre.stock.insert_virtual(card).close()
    path = centre.folder / "virtual_cards" / f"{card}.json"
    refused(
        Unavailable,
        "test.pulled",
        lambda: personalize(centre, order_id, Pulled(VirtualCard.load(path))),
    )
    assert len(issued(centre, card)) == certificates


def issued(centre: Centre, card: str) -> list[Certificate]:
    return [one for one in certificates_on(centre, card) if one.state is CertificateState.ISSUED]


# --- a resumed run ---


def test_who_finishes_a_run_stands_in_the_trail(centre: Centre) -> None:
    centre.appoint("hakko-b", OperatorRole.IA_OPERATOR)
    centre.appoint("kado-b", OperatorRole.CARD_OPERATOR)
    (order,) = order_all(centre, row(1))
    card = blank_card(centre)
    begin_and_pull(centre, order.id, card, certificates=1)
    batch = batch_for(centre, order.id, executor="hakko-b")
    personalize(centre, order.id, card, batch, at_station="kado-b")
    actors = {
        entry.code: json.loads(entry.body)["actor_id"]
        for entry in entries(centre, "STOCK.OUT", "CARD.PERSONALISE")
    }
    assert actors == {"STOCK.OUT": "hakko", "CARD.PERSONALISE": "kado-b"}
    issuers_ = [json.loads(entry.body)["actor_id"] for entry in entries(centre, "CERT.ISSUE")[-2:]]
    assert issuers_ == ["hakko", "hakko-b"]


class Unlocked(EmbeddedTransport):
    """A card that lets anybody make keys after its activation; answers only, nothing is made."""

    def transmit(self, apdu: bytes) -> bytes:
        answer = super().transmit(apdu)
        if apdu[1] == 0x47 and apdu[2] == 0x80 and answer == b"\x69\x82":
            return b"\x90\x00"
        return answer


def test_a_card_that_fails_a_check_is_never_finished(centre: Centre) -> None:
    (order,) = order_all(centre, row(1))
    card = blank_card(centre)
    path = centre.folder / "virtual_cards" / f"{card}.json"

    def attempt(batch_id: str, transport: Transport) -> None:
        batch = batch_for(centre, order.id, batch_id=batch_id)
        refusal = refused(
            Refused, "card.verify", lambda: personalize(centre, order.id, transport, batch)
        )
        assert "sign.generate_locked, auth.generate_locked" in refusal.text

    attempt("first", Unlocked(VirtualCard.load(path)))
    assert state_of(centre) is ApplicationState.ISSUING
    run, _ = journal(centre, card)
    assert run.state is RunState.OPEN
    # a second try has no PINs any more and would check less: what failed once has failed
    attempt("second", centre.stock.insert_virtual(card))
    assert stocked(centre, card).state is CardState.RESERVED
    last = json.loads(entries(centre, "CARD.PERSONALISE")[-1].body)
    assert (last["outcome"], last["object_id"]) == ("FAIL", card)
    centre.desk.revoke(
        centre.desk.find(card),
        Request("C12_CARD_SCRAPPED", "CA", "STATION", "run journal"),
        centre.signers["shikko"],
        centre.signers["hakko"],
    )
    assert state_of(centre) is ApplicationState.ISSUING


def test_a_resumed_run_after_the_activation_compares_what_is_on_the_card(centre: Centre) -> None:
    (order,) = order_all(centre, row(1))
    card = blank_card(centre)
    path = centre.folder / "virtual_cards" / f"{card}.json"

    class PulledAfterActivation(EmbeddedTransport):
        active = False

        def transmit(self, apdu: bytes) -> bytes:
            if self.active:
                raise CardRemoved
            answer = super().transmit(apdu)
            self.active = apdu[:2] == b"\x04\x44"
            return answer

    transport = PulledAfterActivation(VirtualCard.load(path))
    with pytest.raises(Unavailable):
        personalize(centre, order.id, transport)
    pins = pins_of(centre, card, order.id)
    report = personalize(centre, order.id, card, batch_for(centre, order.id, batch_id="again"))
    assert [check for check in report.checks if not check.ok] == []
    assert {check.step for check in report.checks} == {
        "card.activated",
        "card.transport_keys",
        *(
            f"{role}.{step}"
            for role in ("sign", "auth")
            for step in ("certificates", "sign_without_pin", "public_key", "create_file_locked",
                         "generate_locked", "pin_tries")
        ),
    }  # fmt: skip
    assert pins_of(centre, card, order.id) == pins
    for role in Role:
        inserted(centre, card).verify_pin(role, pins[role])
    names = [step.name for step in journal(centre, card)[1]]
    assert names == [*STEPS, "ISSUER", "VERIFY"]
    assert len(issued(centre, card)) == 2


def test_each_card_is_asked_a_challenge_of_its_own(empty_centre: Centre) -> None:
    """The last blocks a card signs are padded digests of the challenge, the same for any key."""
    empty_centre.hold_ceremony()
    asked: list[set[str]] = []
    for order in order_all(empty_centre, row(1), row(2)):
        lines: list[str] = []
        inner = empty_centre.stock.insert_virtual(blank_card(empty_centre))
        personalize(empty_centre, order.id, TraceTransport(inner, lines.append))
        # the requests are signed in the issuer's session, and so under another class
        asked.append({line for line in lines if line.startswith("> 002A9E9A")})
    assert all(asked)
    assert asked[0].isdisjoint(asked[1])


# --- a card in a reader ---


def foreign_card(centre: Centre, serial: str) -> VirtualCard:
    """A blank card that the stock does not know, with the transport key of the site."""
    path = centre.folder / f"{serial}.json"
    centre.stock.write_virtual(path, serial)
    return VirtualCard.load(path)


def personalize_inserted(
    centre: Centre, order_id: str, transport: Transport, at_station: str = "hakko"
) -> Report:
    """As the terminal does with the card in a reader."""
    return centre.station.personalize(
        order_id,
        transport,
        batch_for(centre, order_id, batch_id=os.urandom(4).hex()),
        centre.signers[at_station],
        lambda _: None,
        lambda tx, card: centre.stock.admit(tx, order_id, card, at_station),
    )


def in_stock(centre: Centre) -> list[tuple[str, CardState, str | None]]:
    with centre.store.read() as tx:
        return [(one.chip_serial, one.state, one.order_id) for one in records.cards(tx)]


def test_a_new_card_in_a_reader_comes_into_stock_for_its_order(centre: Centre) -> None:
    first, second = order_all(centre, row(1), row(2))
    serial = "a1" * 8
    card, other = foreign_card(centre, serial), foreign_card(centre, "b2" * 8)
    pulled = FaultTransport(EmbeddedTransport(card), fail_at=10)
    with pytest.raises(CardRemoved):
        personalize_inserted(centre, first.id, pulled)
    assert in_stock(centre) == [(serial, CardState.RESERVED, first.id)]
    for order, wrong in ((second, card), (first, other)):
        refused(
            Conflict,
            "card.reserved.other",
            lambda: personalize_inserted(centre, order.id, EmbeddedTransport(wrong)),  # noqa: B023
        )
    personalize_inserted(centre, first.id, EmbeddedTransport(card))
    # a finished order takes no second card, and a blank one stays what it is
    refused(
        Conflict,
        "ra.state",
        lambda: personalize_inserted(centre, first.id, EmbeddedTransport(other)),
    )
    assert in_stock(centre) == [(serial, CardState.PERSONALISED, first.id)]
    codes = [entry.code for entry in entries(centre, "STOCK.IN", "STOCK.OUT", "CARD.PERSONALISE")]
    assert codes == ["STOCK.IN", "STOCK.OUT", "CARD.PERSONALISE"]


def test_only_a_card_operator_takes_a_card_into_stock(centre: Centre) -> None:
    (order,) = order_all(centre, row(1))
    card = foreign_card(centre, "a1" * 8)
    refused(
        Refused,
        "operators.role.missing",
        lambda: personalize_inserted(centre, order.id, EmbeddedTransport(card), "shonin"),
    )
    assert in_stock(centre) == []


def test_a_used_card_does_not_come_into_stock(centre: Centre) -> None:
    (order,) = order_all(centre, row(1))
    card = foreign_card(centre, "a1" * 8)
    begun = HpkiCard(EmbeddedTransport(card), default_layout())
    begun.authenticate_issuer(issuer_keys(CARD_SECRET, TRANSPORT_KEY, "a1" * 8))
    begun.create_application(Role.SIGN)
    refused(
        Conflict,
        "card.used",
        lambda: personalize_inserted(centre, order.id, EmbeddedTransport(card)),
    )
    assert in_stock(centre) == []
