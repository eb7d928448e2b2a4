"""The station: one order, one card, from blank to verified, each step journalled.

A card cannot be rolled back, so every step is written down when it begins and when it ends, and a
broken run is taken up again on the same card. The PINs exist in memory and in envelopes sealed to
the PIN operators; the envelopes are stored before the card gets the PINs.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec

from audit.trail import Event, Trail
from ca import records as ca_records
from ca.building import twin_of
from ca.carriers import card_carrier
from ca.dossier import Content, parse_dossier
from ca.issuers import find_issuer
from ca.orders import Batch, Orders, find_order
from ca.records import CertificateState
from card_personalization import records
from card_personalization.card import (
    SCRAP,
    CardCertificates,
    CardIdentity,
    CardProfile,
    IssuingCard,
    unsteady,
)
from card_personalization.card import CardState as ChipState
from card_personalization.inspection import VERIFY, certificates_on, expected_on, not_offered
from card_personalization.layout import KeyOrigin, Role
from card_personalization.pins import pin_envelope_purpose
from card_personalization.records import Card, CardState, PinEnvelope, Run, RunState, Step
from card_personalization.runs import failed_card, run_on, verify_known, verify_living
from card_personalization.transport import Transport
from card_personalization.verify import CheckResult, check_card
from keys.backend import KeySpec, PrivateKey
from keys.diversify import card_key
from keys.files import make_private_key
from keys.sealing import seal
from operators.directory import Directory
from operators.statements import Signer
from pki.errors import Conflict, Refused
from pki.serials import Entropy
from pki.signing import IssuerPublicKey, spki_der
from pki.validity import Clock, whole_seconds
from policies.roles import Role as OperatorRole
from ra.examination import Examination
from store.database import Store, Transaction

Progress = Callable[[str], None]
Admit = Callable[[Transaction, CardIdentity], None]

_CHALLENGE_OCTETS = 32
_NUMBER_OCTETS = 16


@dataclass(frozen=True)
class Report:
    """One finished card: chip serial, order, certificates by key, checks made.

    ``not_offered``: what the profile wanted and this kind of card has not.
    """

    chip_serial: str
    order_id: str
    certificates: Mapping[Role, x509.Certificate]
    checks: tuple[CheckResult, ...]
    not_offered: tuple[str, ...] = ()


@dataclass(frozen=True)
class Station:
    """Personalizes cards; ``master`` gives the secret that card keys are derived from.

    ``make_key`` makes the holder's keys where the profile wants them imported.
    """

    store: Store
    trail: Trail
    directory: Directory
    orders: Orders
    examination: Examination
    profile: CardProfile
    master: Callable[[], bytes]
    clock: Clock
    entropy: Entropy
    make_key: Callable[[KeySpec], PrivateKey] = make_private_key

    def personalize(
        self,
        order_id: str,
        transport: Transport,
        batch: Batch,
        card_operator: Signer,
        progress: Progress,
        admit: Admit | None = None,
    ) -> Report:
        """Make the order's card and return its report; a broken run goes on where it stopped.

        ``card_operator`` works at the station; the batch's IA operator has the issue executed.
        ``admit`` may take the card into stock, once the order is found sound and if the run begins.

        Raises ``Refused`` when the file changed since its approval or the finished card fails a
        check, now or in an earlier attempt, ``Conflict`` for another card than the one reserved or
        begun, and what the card says.
        """
        card = self.profile.card(transport, self._secret)
        identity = card.identify()
        if not identity.chip_serial:
            with self.store.begin() as tx:
                self._verify_order(tx, order_id, batch, card_operator)
            identity = card.mark(self.entropy(_NUMBER_OCTETS))
        if card.identify() != identity:  # one answer may be noise
            raise unsteady()
        run, specs = self._open_run(order_id, identity, batch, card_operator, admit)
        work = _Work(self, run, card, specs, batch, card_operator, progress)
        with work.step("ISSUER"):
            locked = card.open_issuer()
        verify_known(run, proven=locked or card.known_by_key or not work.ended("PINS"))
        if not locked:
            if not specs:
                raise unsteady()
            work.once("FILES", lambda: card.prepare(specs))
            with work.step("KEYS"):
                work.make_keys()
            with work.step("ISSUE"):
                work.issue()
            work.once("WRITE", work.write)
            with work.step("PINS"):
                work.set_pins()
            with work.step("LOCK"):
                card.lock()
        with work.step(VERIFY):
            checks = work.verify()
        self._close_run(run, card_operator, checks)
        not_offered = tuple(sorted(card.not_offered))
        return Report(run.chip_serial, order_id, work.certificates(), checks, not_offered)

    def _secret(self, label: str, chip_serial: str, octets: int) -> bytes:
        return card_key(self.master(), label, chip_serial, octets)

    def _verify_order(
        self, tx: Transaction, order_id: str, batch: Batch, card_operator: Signer
    ) -> Content:
        """Return what is to be certified; raises ``Refused`` unless it may be, by these people."""
        self.directory.verify_may_act(tx, card_operator, OperatorRole.CARD_OPERATOR)
        self.pin_operators(tx)
        dossier, _ = self.orders.verify_for_issue(tx, order_id, batch)
        order = find_order(tx, order_id)
        if order.authority is None:
            acting = {card_operator.operator_id, batch.executor}
            self.examination.verify_order(tx, order, acting)
        return dossier.content

    def _open_run(
        self,
        order_id: str,
        identity: CardIdentity,
        batch: Batch,
        card_operator: Signer,
        admit: Admit | None,
    ) -> tuple[Run, Mapping[Role, KeySpec]]:
        with self.store.begin() as tx:
            content = self._verify_order(tx, order_id, batch, card_operator)
            activated = identity.state is ChipState.ACTIVATED
            specs = {} if activated else self._key_specs(content)
            if admit is not None:
                admit(tx, identity)
            run = run_on(tx, order_id, identity.chip_serial)
            if run is None:
                run = self._begin_run(tx, order_id, identity.chip_serial, card_operator)
            elif failed := records.failed_checks(tx, run.id):
                raise failed_card(run, failed)
            return run, specs

    def _key_specs(self, content: Content) -> dict[Role, KeySpec]:
        """Return the keys to make: what the order's profiles certify and the card offers."""
        found = {}
        for purpose in content.profiles:
            profile = self.orders.profile(content, purpose)
            spec = self.profile.key_spec(profile.key.rsa_bits, profile.key.curves)
            if spec is None:
                raise Refused(
                    "card.key_type",
                    f"the profile {profile.id} certifies no key that a {self.profile.name} card "
                    "makes",
                    "Let it be issued on another carrier or kind of card, or by another profile.",
                )
            found[Role(purpose.value)] = spec
        return found

    def pin_operators(self, tx: Transaction) -> list[tuple[str, ec.EllipticCurvePublicKey]]:
        """Return credential ids and encryption keys of whom PINs are sealed to.

        Raises ``Refused`` (card.pin.nobody) if there is nobody.
        """
        recipients = self.directory.sealing_keys(tx, OperatorRole.PIN_OPERATOR)
        if not recipients:
            raise Refused(
                "card.pin.nobody",
                "nobody holds the role PIN_OPERATOR, so the PINs could reach nobody",
                "Appoint one: `hpki operator add`.",
            )
        return recipients

    def _begin_run(
        self, tx: Transaction, order_id: str, chip_serial: str, card_operator: Signer
    ) -> Run:
        stocked = tx.get_one(Card, chip_serial)
        stocked.state, stocked.order_id = CardState.RESERVED, order_id
        run = Run(
            id=self.entropy(8).hex(),
            order_id=order_id,
            chip_serial=chip_serial,
            operator_id=card_operator.operator_id,
            state=RunState.OPEN,
            started_at=whole_seconds(self.clock()),
        )
        tx.add(run)
        self.enter(tx, "STOCK.OUT", run, card_operator)
        return run

    def _close_run(self, run: Run, card_operator: Signer, checks: tuple[CheckResult, ...]) -> None:
        failed = ", ".join(check.step for check in checks if not check.ok)
        with self.store.begin() as tx:
            stored, card = tx.get_one(Run, run.id), tx.get_one(Card, run.chip_serial)
            if (stored.state, card.state) != (RunState.OPEN, CardState.RESERVED):
                raise Conflict(
                    "card.run.ended", f"the run on the card {run.chip_serial} was ended meanwhile"
                )
            verify_living(tx, run.chip_serial)
            if failed:
                records.steps_of(tx, run.id)[-1].detail = failed
                self.enter(tx, "CARD.PERSONALISE", run, card_operator, "FAIL", failed=failed)
            else:
                stored.state = RunState.DONE
                stored.ended_at = whole_seconds(self.clock())
                card.state = CardState.PERSONALISED
                order = find_order(tx, run.order_id)
                if order.authority is None:
                    self.examination.mark_personalised(tx, order.application_ref)
                self.enter(
                    tx, "CARD.PERSONALISE", run, card_operator, checks=len(checks),
                    not_offered=sorted(not_offered(records.steps_of(tx, run.id))),
                )  # fmt: skip
        if failed:
            raise failed_card(run, failed)

    def enter(
        self,
        tx: Transaction,
        code: str,
        run: Run,
        card_operator: Signer,
        outcome: str = "OK",
        **detail: object,
    ) -> None:
        """Enter what was done to the run's card."""
        self.trail.append(
            tx,
            Event(
                code,
                "card",
                run.chip_serial,
                actor=card_operator.operator_id,
                actor_role=OperatorRole.CARD_OPERATOR,
                outcome=outcome,
                detail={"order": run.order_id, "run": run.id, **detail},
            ),
        )


class _Work:
    """The steps of one run, with what they hand to each other."""

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
        with station.store.read() as tx:
            steps = records.steps_of(tx, run.id)
            order = find_order(tx, run.order_id)
        self._content = parse_dossier(order.dossier.encode()).content
        self._ended = {step.name for step in steps if step.ended_at is not None}
        card.not_offered.update(not_offered(steps))

    @contextmanager
    def step(self, name: str) -> Iterator[None]:
        """Journal the step's begin, and its end if it comes to one."""
        self._progress(name)
        station = self._station
        with station.store.begin() as tx:
            step = Step(
                run_id=self._run.id,
                position=len(records.steps_of(tx, self._run.id)) + 1,
                name=name,
                begun_at=station.clock(),
            )
            tx.add(step)
        before = set(self._card.not_offered)
        yield
        with station.store.begin() as tx:
            stored = tx.get_one(Step, (step.run_id, step.position))
            stored.ended_at = station.clock()
            stored.detail = " ".join(sorted(self._card.not_offered - before))

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
        for role, certificates in self._expected().items():
            self._card.write_certificates(role, certificates)

    def verify(self) -> tuple[CheckResult, ...]:
        """Check the finished card, by a fresh challenge where the PINs are still in memory.

        A run that is taken up on a locked card has them no more: its issuer key has proven that it
        is the card on which the keys were made.
        """
        expected = self._expected()
        if set(expected) != {Role(purpose.value) for purpose in self._content.profiles}:
            raise Refused(
                "card.unissued",
                f"the card {self._run.chip_serial} is locked, and the store has not all of its "
                "certificates",
                SCRAP,
            )
        challenge = self._station.entropy(_CHALLENGE_OCTETS)
        return check_card(self._card, expected, self._pins, challenge)

    def certificates(self) -> dict[Role, x509.Certificate]:
        """Return the holder's certificates as issued."""
        return {
            role: x509.load_der_x509_certificate(wanted.holder_der)
            for role, wanted in self._expected().items()
        }

    def _certified_key(self, row: ca_records.Certificate) -> IssuerPublicKey:
        """Return the key in what was issued, or reserved to be."""
        issuance = self._station.orders.issuance
        with self._station.store.read() as tx:
            facts = issuance.facts(find_issuer(tx, row.issuer_id))
        twin = twin_of(row.tbs_der, facts.public_key, facts.hash_name)
        public_key: IssuerPublicKey = twin.public_key()  # type: ignore[assignment]
        return public_key

    def _expected(self) -> dict[Role, CardCertificates]:
        with self._station.store.read() as tx:
            return expected_on(tx, self._run.chip_serial)

    def _rows(self) -> list[ca_records.Certificate]:
        with self._station.store.read() as tx:
            return certificates_on(tx, self._run.chip_serial)


def _spki_sha256(public_key: IssuerPublicKey) -> str:
    return hashlib.sha256(spki_der(public_key)).hexdigest()
