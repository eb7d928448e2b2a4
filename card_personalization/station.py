"""The station: one order, one card, from blank to verified, each step journalled.

A card cannot be rolled back, so every step is written down when it begins and when it ends, and a
broken run is taken up again on the same card. The PINs exist in memory and in envelopes sealed to
the PIN operators; the envelopes are stored before the card gets the PINs.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass

from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import ec

from audit.trail import Event, Trail
from ca.dossier import Content
from ca.orders import Batch, Orders, find_order
from card_personalization import records
from card_personalization.card import CardIdentity, CardProfile, unsteady
from card_personalization.card import CardState as ChipState
from card_personalization.inspection import VERIFY, not_offered
from card_personalization.layout import Role
from card_personalization.making import Making
from card_personalization.records import Card, CardState, Run, RunState
from card_personalization.runs import failed_card, run_on, verify_known, verify_living
from card_personalization.transport import Transport
from card_personalization.verify import CheckResult
from keys.backend import KeySpec, PrivateKey
from keys.diversify import card_key
from keys.files import make_private_key
from operators.directory import Directory
from operators.statements import Signer
from pki.errors import Conflict, Refused
from pki.serials import Entropy
from pki.validity import Clock, whole_seconds
from policies.roles import Role as OperatorRole
from ra.examination import Examination
from store.database import Store, Transaction

Progress = Callable[[str], None]
Admit = Callable[[Transaction, CardIdentity], None]

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
        work = Making(self, run, card, specs, batch, card_operator, progress)
        with work.step("ISSUER"):
            locked = card.open_issuer()
        with_pins = work.ended("PINS")
        verify_known(run, proven=with_pins if locked else card.known_by_key or not with_pins)
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
