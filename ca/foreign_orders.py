"""Orders of other organisations' registration authorities, and the results that go back to them."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass

from audit.trail import Event
from ca import records
from ca.dossier import Content, Dossier, parse_dossier
from ca.exchange import OrdersContent, ResultLine, ResultsContent
from ca.issuers import issued_profiles, issuer_for, offer_to_persons, signing_hash
from ca.orders import Orders, find_order
from ca.records import CarrierKind, Certificate, Order
from operators.exchange.register import Authority, Offered, RegisterContent, to_base64
from operators.exchange.sending import make_paper
from operators.statements import Signer
from pki.errors import Conflict, HpkiError, InvalidInput, NotFound, Refused
from policies.exchange import PaperKind, Part, order_refusal
from policies.profiles import Holder
from policies.roles import Role
from policies.schema import validate
from store.database import Transaction


@dataclass(frozen=True)
class Received:
    """Orders of a file; ``again``: they were taken before, and nothing was changed."""

    authority: str
    order_ids: tuple[str, ...]
    again: bool


@dataclass(frozen=True)
class ForeignOrders:
    """Takes orders of peers and answers them; they are issued as any other."""

    orders: Orders

    def register_content(self, tx: Transaction, name: str) -> RegisterContent:
        """Return what our register says to registration authorities: offers and CAs."""
        offers = []
        for carrier in CarrierKind:
            with suppress(NotFound):
                found = offer_to_persons(tx, self.orders.issuance.profiles, carrier)
                offers.append(
                    Offered(
                        carrier=carrier.value,
                        profiles=found.profiles,
                        validity_years=found.validity_years,
                    )
                )
        issuance, made = self.orders.issuance, []
        for issuer in records.issuers(tx):
            if issuer.certificate_der is not None:
                issuance.authorities.verify(tx, issuer)
                made.append(
                    Authority(
                        id=issuer.id,
                        certificate=to_base64(issuer.certificate_der),
                        issues=issued_profiles(issuer),
                        cps_uri=issuer.cps_uri,
                        crl_uri=issuer.crl_uri,
                        japanese_names=issuer.japanese_names,
                        hash=signing_hash(issuer, issuance.profiles),
                    )
                )
        return RegisterContent(
            part=Part.CA, name=name, offers=tuple(offers), authorities=tuple(made)
        )

    def accept(self, octets: bytes, signer: Signer) -> Received:
        """Take all orders of a file, or none.

        Raises ``NotFound`` for a sender that was not accepted, ``Refused`` where any signature,
        role or content does not fit, ``Conflict`` for an order that is here already.
        """
        with self.orders.store.begin() as tx:
            opened = self.orders.peers.open(tx, octets, PaperKind.ORDERS)
            content = validate(OrdersContent, opened.paper.content, "the orders", "exchange.orders")
            sender, lines = opened.view.id, content.orders
            dossiers = [parse_dossier(one.dossier.encode()) for one in lines]
            if not opened.again:
                evidence = [piece for one in lines for piece in (one.examination, one.approval)]
                self.orders.peers.keep(tx, opened, signer, evidence)
                for dossier, line in zip(dossiers, lines, strict=True):
                    pair = (line.examination.statement_id, line.approval.statement_id)
                    self._accept(tx, dossier, pair, sender)
            ids = (f"{sender}/{one.application_ref}.{one.attempt}" for one in dossiers)
            return Received(sender, tuple(ids), opened.again)

    def results(
        self, order_ids: Sequence[str], signer: Signer, refusal: str | None = None
    ) -> bytes:
        """Return the file that answers the orders, all of one peer: issued, or refused.

        Raises ``Conflict`` for an order that has not all its certificates or, with ``refusal``, has
        one already; ``InvalidInput`` for our own orders or those of two peers.
        """
        if refusal is not None:
            order_refusal(refusal)
        with self.orders.store.begin() as tx:
            self.orders.trail.position(tx)  # nothing is issued meanwhile
            found = [find_order(tx, one) for one in sorted(set(order_ids))]
            peers = {one.authority for one in found}
            peer = peers.pop() if len(peers) == 1 else None
            if peer is None:
                raise InvalidInput(
                    "ca.results.peer", "these are not orders of one other organisation"
                )
            self.orders.peers.find(tx, peer, Part.RA)
            lines = tuple(self._result(tx, one, signer, refusal) for one in found)
            content, directory = ResultsContent(results=lines), self.orders.directory
            return make_paper(directory, tx, PaperKind.RESULTS, Part.CA, peer, content, [signer])

    def _accept(
        self, tx: Transaction, dossier: Dossier, pair: tuple[str, str], sender: str
    ) -> None:
        try:
            self._verify_offered(tx, dossier.content)
            self.orders.accept(tx, dossier, pair, sender)
        except HpkiError as error:
            where = f"order {dossier.application_ref}.{dossier.attempt}: {error.text}"
            raise type(error)(error.code, where, error.hint) from None

    def _verify_offered(self, tx: Transaction, content: Content) -> None:
        """Raise unless our CAs issue to persons just what the content asks for."""
        profiles = [self.orders.profile(content, one) for one in content.profiles]
        for profile in profiles:
            self.orders.issuance.authorities.verify(tx, issuer_for(tx, profile.id))
        years = [one.validity.whole_years for one in profiles]
        if (
            not profiles
            or any(one.holder is not Holder.PERSON for one in profiles)
            or content.validity_years != min(years)
        ):
            raise Refused(
                "ca.order.offer",
                "this is not what is issued to persons here",
                "Take our newest register, and let the file be examined and approved again.",
            )

    def _result(
        self, tx: Transaction, order: Order, signer: Signer, refusal: str | None
    ) -> ResultLine:
        """Return the line of an order; one that is refused is never issued here."""
        dossier, found, rows = parse_dossier(order.dossier.encode()), {}, _rows(tx, order)
        withdrawn = self.orders.is_withdrawn(tx, order.id)
        for row in rows:
            if records.revocation_of(tx, row.id or 0) is not None:
                raise Conflict("ca.results.revoked", f"a certificate of {order.id} was revoked")
            if row.usage is not None and row.certificate_der is not None:
                found[row.usage] = to_base64(row.certificate_der)
        if refusal is None and (withdrawn or found.keys() != dossier.content.profiles.keys()):
            raise Conflict(
                "ca.results.unfinished",
                f"{order.id} was refused, or has not all its certificates",
                "Issue them first, or refuse the order with --refuse.",
            )
        if refusal is not None and rows:
            raise Conflict("ca.results.issued", f"{order.id} has certificates, or may have")
        if refusal is not None and not withdrawn:
            self._refuse(tx, order, signer, refusal)
        name = f"{dossier.application_ref}.{dossier.attempt}"
        return ResultLine(order=name, digest=order.digest, certificates=found, refusal=refusal)

    def _refuse(self, tx: Transaction, order: Order, signer: Signer, refusal: str) -> None:
        self.orders.trail.append(
            tx,
            Event(
                "ISSUE.WITHDRAW",
                "order",
                order.id,
                actor=signer.operator_id,
                actor_role=Role.IA_OPERATOR,
                detail={"dossier": order.digest, "refusal": refusal},
            ),
        )


def _rows(tx: Transaction, order: Order) -> list[Certificate]:
    return [
        row
        for carrier in records.carriers_of_order(tx, order.id)
        for row in records.certificates_of_carrier(tx, carrier.id)
    ]
