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

from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import rsa

from audit.trail import Event, Trail
from ca import records as ca_records
from ca.carriers import card_carrier
from ca.dossier import Content, parse_dossier
from ca.issuers import find_issuer, issuer_certificate
from ca.orders import Batch, Orders, find_order
from ca.records import CertificateState
from card_personalization import records
from card_personalization.hpki_card import CardCertificates, CardIdentity, HpkiCard
from card_personalization.hpki_card import CardState as ChipState
from card_personalization.layout import Layout, Role
from card_personalization.pins import pin_envelope_purpose, random_pin
from card_personalization.records import Card, CardState, PinEnvelope, Run, RunState, Step
from card_personalization.runs import failed_card, run_on
from card_personalization.stock import ISSUER_KEY, TRANSPORT_KEY
from card_personalization.transport import Transport
from card_personalization.verify import CheckResult, check_card
from keys.diversify import card_key
from keys.sealing import seal
from operators.directory import Directory
from operators.statements import Signer
from pki.errors import Refused, Unavailable
from pki.serials import Entropy
from pki.signing import spki_der
from pki.validity import Clock, whole_seconds
from policies.roles import Role as OperatorRole
from ra.examination import Examination
from store.database import Store, Transaction

Progress = Callable[[str], None]
Admit = Callable[[Transaction, CardIdentity], None]

ROOT_LABEL = "HPKI ROOT CA CERTIFICATE"
CA_LABEL = "HPKI CA CERTIFICATE"
_CHALLENGE_OCTETS = 32


@dataclass(frozen=True)
class Report:
    """One finished card: chip serial, order, certificates by application, checks made."""

    chip_serial: str
    order_id: str
    certificates: Mapping[Role, x509.Certificate]
    checks: tuple[CheckResult, ...]


@dataclass(frozen=True)
class Station:
    """Personalizes cards; ``master`` gives the secret that card keys are derived from."""

    store: Store
    trail: Trail
    directory: Directory
    orders: Orders
    examination: Examination
    layout: Layout
    master: Callable[[], bytes]
    clock: Clock
    entropy: Entropy

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
        identity = HpkiCard(transport, self.layout).identify()
        run, layout = self._open_run(order_id, identity, batch, card_operator, admit)
        work = _Work(self, run, transport, layout, batch, card_operator, progress)
        with work.step("ISSUER"):
            work.open_issuer_session()
        if identity.state is not ChipState.ACTIVATED:
            with work.step("FILES"):
                for role in Role:
                    work.card.create_application(role)
            with work.step("KEYS"):
                work.make_keys()
            with work.step("PINS"):
                work.set_pins()
            with work.step("ISSUE"):
                work.issue()
            with work.step("WRITE"):
                work.write()
            with work.step("LOCK"):
                work.lock()
        with work.step("VERIFY"):
            checks = work.verify()
        self._close_run(run, card_operator, checks)
        return Report(run.chip_serial, order_id, work.certificates(), checks)

    def _open_run(
        self,
        order_id: str,
        identity: CardIdentity,
        batch: Batch,
        card_operator: Signer,
        admit: Admit | None,
    ) -> tuple[Run, Layout]:
        with self.store.begin() as tx:
            self.directory.verify_may_act(tx, card_operator, OperatorRole.CARD_OPERATOR)
            dossier, _ = self.orders.verify_for_issue(tx, order_id, batch)
            acting = {card_operator.operator_id, batch.executor}
            order = find_order(tx, order_id)
            if order.authority is None:
                self.examination.verify_order(tx, order, acting)
            activated = identity.state is ChipState.ACTIVATED
            layout = self.layout if activated else self._layout_for(dossier.content)
            if admit is not None:
                admit(tx, identity)
            run = run_on(tx, order_id, identity.chip_serial)
            if run is None:
                run = self._begin_run(tx, order_id, identity.chip_serial, card_operator)
            elif failed := records.failed_checks(tx, run.id):
                raise failed_card(run, failed)
            return run, layout

    def _layout_for(self, content: Content) -> Layout:
        """Return the card's layout with keys as the order's profiles want them."""
        layout = self.layout
        for purpose in content.profiles:
            profile = self.orders.profile(content, purpose)
            if not profile.key.rsa_bits:
                raise Refused(
                    "card.key_type",
                    f"the profile {profile.id} certifies no RSA key, and an HPKI card has no other",
                    "Let it be issued on another carrier, or by a profile with RSA.",
                )
            layout = layout.with_key_bits(Role(purpose.value), profile.key.rsa_bits[0])
        return layout

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
            stored = tx.get_one(Run, run.id)
            if failed:
                records.steps_of(tx, run.id)[-1].detail = failed
                self.enter(tx, "CARD.PERSONALISE", run, card_operator, "FAIL", failed=failed)
            else:
                stored.state = RunState.DONE
                stored.ended_at = whole_seconds(self.clock())
                tx.get_one(Card, run.chip_serial).state = CardState.PERSONALISED
                order = find_order(tx, run.order_id)
                if order.authority is None:
                    self.examination.mark_personalised(tx, order.application_ref)
                self.enter(tx, "CARD.PERSONALISE", run, card_operator, checks=len(checks))
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
        transport: Transport,
        layout: Layout,
        batch: Batch,
        card_operator: Signer,
        progress: Progress,
    ) -> None:
        self._station = station
        self._run = run
        self._transport = transport
        self._layout = layout
        self.card = HpkiCard(transport, layout)
        self._batch = batch
        self._card_operator = card_operator
        self._progress = progress
        self._pins: dict[Role, str] = {}

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
        yield
        with station.store.begin() as tx:
            stored = tx.get_one(Step, (step.run_id, step.position))
            stored.ended_at = station.clock()

    def open_issuer_session(self) -> None:
        """Authenticate with the transport key, or with the issuer key that replaced it."""
        label = TRANSPORT_KEY if self.card.identify().issuer_key_version <= 1 else ISSUER_KEY
        self.card.authenticate_issuer(self._key(label))

    def make_keys(self) -> None:
        """Make both key pairs on the card, but keep those that were certified already."""
        certified = {Role(row.usage) for row in self._rows() if row.usage is not None}
        made = {}
        for role in Role:
            if role not in certified:
                made[role.value] = _spki_sha256(self.card.generate_key(role))
        station = self._station
        with station.store.begin() as tx:
            station.enter(tx, "CARD.KEYGEN", self._run, self._card_operator, spki=made)

    def set_pins(self) -> None:
        """Draw PINs, store their envelopes, then set them."""
        station = self._station
        self._pins = {role: random_pin(station.entropy) for role in Role}
        content = json.dumps({"chip": self._run.chip_serial, **self._pins}).encode()
        with station.store.begin() as tx:
            recipients = station.directory.sealing_keys(tx, OperatorRole.PIN_OPERATOR)
            if not recipients:
                raise Refused(
                    "card.pin.nobody",
                    "nobody holds the role PIN_OPERATOR, so the PINs could reach nobody",
                    "Appoint one: `hpki operator add`.",
                )
            for envelope in records.envelopes_of(tx, self._run.chip_serial):
                tx.delete(envelope)
            tx.flush()
            for credential_id, public_key in recipients:
                tx.add(
                    PinEnvelope(
                        chip_serial=self._run.chip_serial,
                        credential_id=credential_id,
                        sealed=seal(content, public_key, pin_envelope_purpose(self._run)),
                        made_at=whole_seconds(station.clock()),
                    )
                )
        for role, pin in self._pins.items():
            self.card.set_initial_pin(role, pin)

    def issue(self) -> None:
        """Have each certificate issued on a request that the card signs."""
        station = self._station
        with station.store.read() as tx:
            dossier = parse_dossier(find_order(tx, self._run.order_id).dossier.encode())
        issued = {row.usage for row in self._rows() if row.state is CertificateState.ISSUED}
        for purpose in dossier.content.profiles:
            if purpose in issued:
                continue
            role = Role(purpose.value)
            key = self.card.private_key(role, self._pins[role])
            request = (
                x509.CertificateSigningRequestBuilder()
                .subject_name(dossier.content.subject())
                .sign(key, hashes.SHA256())
            )
            prepared = station.orders.prepare(self._run.order_id, purpose, request)
            carrier = card_carrier(self._run.chip_serial, self._run.order_id)
            station.orders.issue(prepared, self._run.order_id, purpose, carrier, self._batch)

    def write(self) -> None:
        """Write holder, issuing CA and root certificate into each application."""
        for role, expected in self._expected().items():
            self.card.write_certificates(
                role, expected.holder_der, list(expected.ca_certificates_der.items())
            )

    def lock(self) -> None:
        """Replace the transport key by the card's own issuer key, then activate the card."""
        if self.card.identify().issuer_key_version <= 1:
            self.card.replace_issuer_key(self._key(ISSUER_KEY))
        self.card.finalize()

    def verify(self) -> tuple[CheckResult, ...]:
        """Check the finished card, by a fresh challenge where the PINs are still in memory.

        A run that broke after activation has no PINs any more: its certificates are compared with
        the keys on the card, whose possession the requests have proven.
        """
        expected = self._expected()
        if self._pins:
            challenge = self._station.entropy(_CHALLENGE_OCTETS)
            return check_card(
                self._transport,
                self._layout,
                expected,
                self._pins,
                challenge,
            )
        self.card.reset()
        return tuple(self._compare(role, wanted) for role, wanted in expected.items())

    def certificates(self) -> dict[Role, x509.Certificate]:
        """Return the holder's certificates as issued."""
        return {
            role: x509.load_der_x509_certificate(wanted.holder_der)
            for role, wanted in self._expected().items()
        }

    def _compare(self, role: Role, wanted: CardCertificates) -> CheckResult:
        found = self.card.read_certificates(role)
        certificate = x509.load_der_x509_certificate(wanted.holder_der)
        public_key = certificate.public_key()
        same_key = isinstance(public_key, rsa.RSAPublicKey) and public_key == self.card.public_key(
            role
        )
        return CheckResult(f"{role.lower()}.read_back", found == wanted and same_key, "resumed")

    def _expected(self) -> dict[Role, CardCertificates]:
        with self._station.store.read() as tx:
            found = {}
            for row in ca_records.certificates_of_carrier(tx, f"card-{self._run.chip_serial}"):
                if row.certificate_der is None or row.usage is None:
                    raise Unavailable("card.certificates", "the certificates are not issued yet")
                found[Role(row.usage.value)] = CardCertificates(
                    row.certificate_der, _chain(tx, row.issuer_id)
                )
            return found

    def _rows(self) -> list[ca_records.Certificate]:
        with self._station.store.read() as tx:
            return ca_records.certificates_of_carrier(tx, f"card-{self._run.chip_serial}")

    def _key(self, label: str) -> bytes:
        return card_key(self._station.master(), label, self._run.chip_serial)


def _spki_sha256(public_key: rsa.RSAPublicKey) -> str:
    return hashlib.sha256(spki_der(public_key)).hexdigest()


def _chain(tx: Transaction, issuer_id: str) -> dict[str, bytes]:
    issuer = find_issuer(tx, issuer_id)
    root = find_issuer(tx, issuer.parent_id or issuer_id)
    issuer_certificate(issuer)
    return {ROOT_LABEL: root.certificate_der or b"", CA_LABEL: issuer.certificate_der or b""}
