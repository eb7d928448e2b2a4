"""What is secret or personal is planted along the chain, and looked for where it may not be."""

from __future__ import annotations

import json
import logging
from collections.abc import Callable
from itertools import chain

import pytest
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import rsa
from sqlmodel import select

from audit.records import TrailEntry
from ca.records import CarrierKind, Ceremony
from card_personalization.disclosure import Disclosure, DisclosureReason
from card_personalization.pins import random_pin
from operators.records import Statement
from operators.statements import KeySigner
from pki.errors import HpkiError, Refused
from pki.serials import Entropy
from policies.profiles import Purpose
from policies.roles import Role
from ra.records import find_application
from tests.flows.conftest import CARD_MASTER, Centre
from tests.flows.issuing import csr, refused
from tests.flows.registration import (
    certificates_on,
    entries,
    make_cards,
    order_all,
    row,
    take_in,
)
from tests.flows.test_destruction import destroy
from tests.flows.test_disclosure import disclose
from tests.flows.test_erasure import (
    PLANTED,
    WORDS,
    erase,
    planted,
    reject,
    revoke,
    stay_in_office,
)

MY_NUMBER = "418205739661"
PHOTO = "\u00ff\u00d8\u00ff\u00e0JFIF-planted-face"
PASSPHRASE = "ca passphrase"


def test_nothing_planted_reaches_trail_statements_or_log(
    centre: Centre, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    caplog.set_level(logging.DEBUG)
    told: list[str] = []
    pins = plant_pins(monkeypatch)
    stay_in_office(centre, "toroku", "kanri", "ansho", "hakko")
    card = run_chain(centre, told)
    assert len(pins) == 4  # a PIN for each application, before that one for its request
    centre.pass_time(days=365 * 16)
    for ref in ("T2026-0001", "T2026-0002"):
        erase(centre, ref)
    destroy(centre, card)
    with centre.store.read() as tx:
        statements = list(tx.exec(select(Statement)))
        transcripts = [one.transcript for one in tx.exec(select(Ceremony))]
        columns = [
            "".join(map(str, one.model_dump().values())) for one in tx.exec(select(TrailEntry))
        ]
    codes = {one.code for one in entries(centre)}
    assert codes >= {
        "APP.RECEIVE", "APP.EXAMINED", "APP.DECIDE", "CARD.KEYGEN", "CERT.ISSUE", "LINT.FAIL",
        "PIN.DISCLOSE_APPROVE", "REV.EXECUTE", "REV.REVIEW", "CARD.DESTROY", "APP.PURGE",
        "PII.DELETE",
    }  # fmt: skip
    texts = [
        *columns,
        *[one.body + one.signature + (one.content or "") for one in statements],
        *transcripts,
        *[record.getMessage() for record in caplog.records],
        *told,
    ]
    needles = [*secrets_of(centre), *pins]
    assert all(len(needle) >= 8 or not needle.isascii() for needle in needles)
    found = [(needle, text[:200]) for needle in needles for text in texts if needle in text]
    assert found == []


def plant_pins(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Every PIN that is drawn."""
    drawn: list[str] = []

    def drawn_pin(entropy: Entropy, count: int) -> str:
        drawn.append(random_pin(entropy, max(count, 8)))  # long enough not to turn up by chance
        return drawn[-1]

    monkeypatch.setattr("card_personalization.hpki_issuing.random_pin", drawn_pin)
    return drawn


def secrets_of(centre: Centre) -> list[str]:
    """Values of the person, words about them, passphrases, keys."""
    keys = [signer.key for signer in centre.signers.values()]
    pems = [
        key.private_bytes(
            serialization.Encoding.PEM,
            serialization.PrivateFormat.PKCS8,
            serialization.NoEncryption(),
        ).decode()
        for key in chain(keys, centre.sealing.values())
    ]
    person = [value for name, value in PLANTED.items() if name not in ("documents", "municipality")]
    short = [value for value in person if value.isascii() and len(value) < 8]
    assert short == [PLANTED["registration_number"]]
    return [
        *(value for value in person if value not in short),
        f'"{PLANTED["registration_number"]}"',
        *WORDS.values(),
        MY_NUMBER,
        PHOTO,
        PASSPHRASE,
        CARD_MASTER.hex(),
        "PRIVATE KEY",
        *(line for pem in pems for line in pem.splitlines()[1:3]),
    ]


def run_chain(centre: Centre, told: list[str]) -> str:
    """Issue, personalise, disclose, revoke, review; reject another with words; all that fails."""
    signers = centre.signers
    bad = planted(application_ref="T2026-0007", telephone=MY_NUMBER, kana_name=PHOTO)
    take_in(centre, bad)
    (card,) = make_cards(centre, planted())
    tell(told, lambda: disclose(centre, card, approver="hakko"))
    disclose(centre, card)
    tell(told, lambda: destroy(centre, card))
    revoke(centre, card)
    other = planted(application_ref="T2026-0002", received_on="2026-10-01", profession="歯科医師")
    take_in(centre, other)
    reject(centre, "T2026-0002")
    fail_lint(centre, told)
    with centre.store.begin() as tx:
        find_application(tx, "T2026-0002").municipality = MY_NUMBER
    impostor = KeySigner("ansho", signers["hakko"].key)
    service = Disclosure(centre.store, centre.trail, centre.directory)
    reason = DisclosureReason.FORGOTTEN
    tell(
        told,
        lambda: service.disclose(
            card, reason, impostor, signers["toroku"], lambda _: centre.sealing["ansho"]
        ),
    )
    return card


def tell(told: list[str], act: Callable[[], object]) -> None:
    """Keep what a refusal says, with what it was raised from."""
    with pytest.raises(HpkiError) as refusal:
        act()
    told.append(f"{refusal.value!r} {refusal.value.text} {refusal.value.hint}")


def fail_lint(centre: Centre, told: list[str]) -> None:
    """A weak key in the request of another person's order."""
    (order,) = order_all(centre, row(3), carrier=CarrierKind.FILE)
    weak = csr(rsa.generate_private_key(65537, 1024))
    tell(told, lambda: centre.orders.prepare(order.id, Purpose.SIGN, weak))


# --- the events themselves ---


def test_a_refused_twin_is_entered_by_codes_only(centre: Centre) -> None:
    (order,) = order_all(centre, row(1), carrier=CarrierKind.FILE)
    weak = csr(rsa.generate_private_key(65537, 1024))
    refusal = refused(
        Refused, "ca.lint", lambda: centre.orders.prepare(order.id, Purpose.SIGN, weak)
    )
    assert isinstance(refusal, Refused)
    lint, failed = (json.loads(one.body) for one in entries(centre)[-2:])
    assert (lint["code"], failed["code"]) == ("LINT.FAIL", "CERT.ISSUE_FAIL")
    for one in (lint, failed):
        assert (one["outcome"], one["object_id"], one["actor_id"]) == (
            "REFUSED",
            order.id,
            "SYSTEM",
        )
        assert set(one["detail"]) == {"issuer", "profile", "findings"}
        assert set(one["detail"]["findings"]) <= {found.code for found in refusal.findings}
        assert one["detail"]["findings"]
    centre.trail.verify()


def test_the_station_enters_the_keys_it_has_made(centre: Centre) -> None:
    (card,) = make_cards(centre, row(1))
    (made,) = (json.loads(one.body) for one in entries(centre, "CARD.KEYGEN"))
    rows = certificates_on(centre, card)
    assert made["detail"]["spki"] == {str(one.usage): one.spki_sha256 for one in rows}
    assert (made["object_id"], made["actor_id"], made["actor_role"]) == (
        card,
        "hakko",
        Role.CARD_OPERATOR,
    )
    issued = [json.loads(one.body)["detail"] for one in entries(centre, "CERT.ISSUE")][-2:]
    assert {(one["spki"], one["certificate"]) for one in issued} == {
        (one.spki_sha256, one.sha256) for one in rows
    }
