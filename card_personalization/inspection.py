"""What a card ought to hold, by the store; and the check of one that was made before."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from ca import records as ca_records
from ca.issuers import find_issuer, issuer_certificate
from ca.records import Certificate
from card_personalization import records
from card_personalization.card import CA_LABEL, ROOT_LABEL, CardCertificates, IssuingCard
from card_personalization.layout import Role
from card_personalization.records import Card, Step
from card_personalization.verify import CHALLENGE_OCTETS, CheckResult, check_card
from pki.errors import NotFound, Unavailable
from pki.serials import Entropy
from store.database import Store, Transaction

VERIFY = "VERIFY"
"""The step of a run whose detail names failed checks; others' details name what is not offered."""


@dataclass(frozen=True)
class Inspected:
    """A card that was checked: chip serial, its certificates in the store, and the checks."""

    chip_serial: str
    certificates: tuple[Certificate, ...]
    checks: tuple[CheckResult, ...]


def inspect(
    store: Store, card: IssuingCard, pins: Mapping[str, str], entropy: Entropy
) -> Inspected:
    """Check a finished card; ``pins`` by name, without them what needs them is left out.

    Raises ``NotFound`` for a card that is not the site's, ``Unavailable`` if nothing was issued.
    """
    chip_serial = card.identify().chip_serial
    with store.read() as tx:
        if not chip_serial or tx.get(Card, chip_serial) is None:
            raise NotFound(
                "card.unknown",
                f"the card {chip_serial or 'without a serial'} is not one of this site",
                "See `hpki card read` for what it holds.",
            )
        rows = certificates_on(tx, chip_serial)
        expected = expected_on(tx, chip_serial)
        runs = records.runs_of(tx, chip_serial)
        card.not_offered.update(*(not_offered(records.steps_of(tx, one.id)) for one in runs))
    if not expected:
        raise Unavailable("card.certificates", f"nothing was issued on the card {chip_serial}")
    checks = check_card(card, expected, pins, entropy(CHALLENGE_OCTETS))
    return Inspected(chip_serial, tuple(rows), checks)


def certificates_on(tx: Transaction, chip_serial: str) -> list[Certificate]:
    """Return what was reserved or issued on the card."""
    return ca_records.certificates_of_carrier(tx, f"card-{chip_serial}")


def expected_on(tx: Transaction, chip_serial: str) -> dict[Role, CardCertificates]:
    """Return what lies on the card by the store; raises ``Unavailable`` if it is not issued yet."""
    found = {}
    for row in certificates_on(tx, chip_serial):
        if row.certificate_der is None or row.usage is None:
            raise Unavailable("card.certificates", "the certificates are not issued yet")
        found[Role(row.usage.value)] = CardCertificates(
            row.certificate_der, _chain(tx, row.issuer_id)
        )
    return found


def not_offered(steps: list[Step]) -> set[str]:
    """Return what the card of these steps has not, of what was asked for."""
    return {name for one in steps if one.name != VERIFY for name in one.detail.split()}


def _chain(tx: Transaction, issuer_id: str) -> dict[str, bytes]:
    issuer = find_issuer(tx, issuer_id)
    root = find_issuer(tx, issuer.parent_id or issuer_id)
    issuer_certificate(issuer)
    return {ROOT_LABEL: root.certificate_der or b"", CA_LABEL: issuer.certificate_der or b""}
