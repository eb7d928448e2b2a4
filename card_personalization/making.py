"""The making of one card: the steps of a run, each journalled, and what they hand to each other."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from cryptography import x509
from cryptography.hazmat.primitives import hashes

from ca import records as ca_records
from ca.building import twin_of
from ca.carriers import card_carrier
from ca.dossier import parse_dossier
from ca.issuers import find_issuer
from ca.orders import Batch, find_order
from ca.records import CertificateState
from card_personalization import records
from card_personalization.card import SCRAP, CardCertificates, IssuingCard
from card_personalization.inspection import certificates_on, expected_on, not_offered
from card_personalization.layout import KeyOrigin, Role
from card_personalization.pins import pin_envelope_purpose
from card_personalization.records import PinEnvelope, Run, Step
from card_personalization.verify import CHALLENGE_OCTETS, CheckResult, check_card
from keys.backend import KeySpec
from keys.sealing import seal
from operators.statements import Signer
from pki.errors import Refused
from pki.signing import IssuerPublicKey, spki_der
from pki.validity import whole_seconds

if TYPE_CHECKING:
    from card_personalization.station import Progress, Station


class Making:
    """The steps of one run on the card behind ``card``; ``specs``: the keys it is to have."""

    def __init__(
        self,
        station: Station,
        run: Run,
        card: IssuingCard,
        specs: Mapping[Role, KeySpec],
        batch: Batch,
        card_operator: Signer,
        progress: Progress,
    ) -> None:
        self._station = station
        self._run = run
        self._card = card
        self._specs = specs
        self._batch = batch
        self._card_operator = card_operator
        self._progress = progress
        self._public_keys: dict[Role, IssuerPublicKey] = {}
        self._pins: Mapping[str, str] = {}
        self._expected: Mapping[Role, CardCertificates] = {}
        with station.store.read() as tx:
            steps = records.steps_of(tx, run.id)
            order = find_order(tx, run.order_id)
        self._content = parse_dossier(order.dossier.encode()).content
        self._steps = len(steps)
        self._ended = {step.name for step in steps if step.ended_at is not None}
        card.not_offered.update(not_offered(steps))

    @contextmanager
    def step(self, name: str) -> Iterator[None]:
        """Journal the step's begin, and its end if it comes to one."""
        self._progress(name)
        station = self._station
        self._steps += 1
        step = Step(run_id=self._run.id, position=self._steps, name=name, begun_at=station.clock())
        with station.store.begin() as tx:
            tx.add(step)
        before = set(self._card.not_offered)
        yield
        with station.store.begin() as tx:
            tx.add(step)
            step.ended_at = station.clock()
            step.detail = " ".join(sorted(self._card.not_offered - before))

    def ended(self, name: str) -> bool:
        """Whether an earlier attempt has brought the step to its end."""
        return name in self._ended

    def once(self, name: str, act: Callable[[], None]) -> None:
        """Do a step that no earlier attempt has brought to its end."""
        if not self.ended(name):
            with self.step(name):
                act()

    def make_keys(self) -> None:
        """Make the key pairs, but keep those that were certified already.

        What was imported is entered when it is on the card and no longer here.
        """
        station, origin = self._station, self._station.profile.key_origin
        rows = {Role(row.usage.value): row for row in self._rows() if row.usage is not None}
        made = {}
        for role, spec in self._specs.items():
            if role in rows:
                self._public_keys[role] = self._certified_key(rows[role])
            else:
                self._public_keys[role] = self._make_key(role, spec, origin)
                made[role.value] = _spki_sha256(self._public_keys[role])
        if not made:
            return
        detail: dict[str, Any] = {"origin": origin.value, "spki": made}
        if origin is KeyOrigin.IMPORT:
            detail |= {"written": True, "kept": False}
        with station.store.begin() as tx:
            station.enter(tx, "CARD.KEYGEN", self._run, self._card_operator, **detail)

    def _make_key(self, role: Role, spec: KeySpec, origin: KeyOrigin) -> IssuerPublicKey:
        """Have the card make the key, or make it here, write it to the card and forget it."""
        if origin is KeyOrigin.CARD:
            return self._card.generate_key(role, spec)
        key = self._station.make_key(spec)
        self._card.import_key(role, key)
        return key.public_key()

    def set_pins(self) -> None:
        """Draw PINs, store their envelopes, then set them."""
        station, chip_serial = self._station, self._run.chip_serial
        pins = self._card.draw_pins(station.entropy)
        content = json.dumps({"chip": chip_serial, **pins}).encode()
        with station.store.begin() as tx:
            recipients = station.pin_operators(tx)
            for envelope in records.envelopes_of(tx, chip_serial):
                tx.delete(envelope)
            tx.flush()
            for credential_id, public_key in recipients:
                tx.add(
                    PinEnvelope(
                        chip_serial=chip_serial,
                        credential_id=credential_id,
                        sealed=seal(content, public_key, pin_envelope_purpose(self._run)),
                        made_at=whole_seconds(station.clock()),
                    )
                )
        self._card.set_pins(pins)
        self._pins = pins

    def issue(self) -> None:
        """Have each certificate issued on a request that the card signs."""
        station = self._station
        issued = {row.usage for row in self._rows() if row.state is CertificateState.ISSUED}
        for purpose in self._content.profiles:
            if purpose in issued:
                continue
            role = Role(purpose.value)
            request = (
                x509.CertificateSigningRequestBuilder()
                .subject_name(self._content.subject())
                .sign(self._card.request_key(role, self._public_keys[role]), hashes.SHA256())
            )
            prepared = station.orders.prepare(self._run.order_id, purpose, request)
            carrier = card_carrier(self._run.chip_serial, self._run.order_id)
            station.orders.issue(prepared, self._run.order_id, purpose, carrier, self._batch)

    def write(self) -> None:
        """Write holder, issuing CA and root certificate of each key."""
        for role, certificates in self._issued().items():
            self._card.write_certificates(role, certificates)

    def verify(self) -> tuple[CheckResult, ...]:
        """Check the finished card, by a fresh challenge where the PINs are still in memory.

        A run that is taken up on a locked card has them no more: its issuer key has proven that it
        is the card on which the keys were made.
        """
        self._expected = self._issued()
        if set(self._expected) != {Role(purpose.value) for purpose in self._content.profiles}:
            raise Refused(
                "card.unissued",
                f"the card {self._run.chip_serial} is locked, and the store has not all of its "
                "certificates",
                SCRAP,
            )
        challenge = self._station.entropy(CHALLENGE_OCTETS)
        return check_card(self._card, self._expected, self._pins, challenge)

    def certificates(self) -> dict[Role, x509.Certificate]:
        """Return the holder's certificates on the verified card."""
        return {
            role: x509.load_der_x509_certificate(wanted.holder_der)
            for role, wanted in self._expected.items()
        }

    def _certified_key(self, row: ca_records.Certificate) -> IssuerPublicKey:
        """Return the key in what was issued, or reserved to be."""
        issuance = self._station.orders.issuance
        with self._station.store.read() as tx:
            facts = issuance.facts(find_issuer(tx, row.issuer_id))
        twin = twin_of(row.tbs_der, facts.public_key, facts.hash_name)
        public_key: IssuerPublicKey = twin.public_key()  # type: ignore[assignment]
        return public_key

    def _issued(self) -> dict[Role, CardCertificates]:
        with self._station.store.read() as tx:
            return expected_on(tx, self._run.chip_serial)

    def _rows(self) -> list[ca_records.Certificate]:
        with self._station.store.read() as tx:
            return certificates_on(tx, self._run.chip_serial)


def _spki_sha256(public_key: IssuerPublicKey) -> str:
    return hashlib.sha256(spki_der(public_key)).hexdigest()
