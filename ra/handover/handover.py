"""Our orders to another organisation's CA: sent as a file, and answered."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date

from ca.dossier import Dossier
from ca.exchange import OrderLine, OrdersContent, ResultLine, ResultsContent
from ca.orders import Orders, accepted_dossier, statement_pair
from ca.records import Order, order_of_application
from operators.exchange.evidence import gather_evidence
from operators.exchange.register import from_base64
from operators.exchange.sending import make_paper
from operators.statements import Signer
from pki.errors import Conflict, NotFound, Refused
from pki.validity import japan_date
from policies.exchange import PaperKind, Part, order_refusal
from policies.profiles import Purpose
from policies.schema import validate
from ra.handover.judging import Judge
from ra.handover.records import OrderAnswer, ReceivedCertificate
from store.database import Transaction


@dataclass(frozen=True)
class Result:
    """What became of an order: its certificates (DER) by purpose, or the CA's refusal."""

    order_id: str
    application_ref: str
    attempt: int
    digest: str
    certificates: Mapping[Purpose, bytes]
    refusal: str | None


@dataclass(frozen=True)
class Handover:
    """Sends orders that ``orders`` kept for a peer's CA, and takes what it answers."""

    orders: Orders

    def export(self, to: str, refs: Sequence[str], signer: Signer) -> bytes:
        """Return the file with the newest orders of these applications, for the CA of ``to``.

        Raises ``NotFound`` for an application without an order, ``Conflict`` for one answered or
        withdrawn or for another CA, ``Refused`` where the statements do not hold any more.
        """
        with self.orders.store.begin() as tx:
            self.orders.directory.verify_policy(tx)
            self.orders.peers.find(tx, to, Part.CA)
            lines = tuple(self._line(tx, ref, to) for ref in sorted(set(refs)))
            content = validate(OrdersContent, {"orders": lines}, "the orders", "ra.handover.orders")
            directory = self.orders.directory
            return make_paper(directory, tx, PaperKind.ORDERS, Part.RA, to, content, [signer])

    def import_result(self, tx: Transaction, octets: bytes, signer: Signer) -> tuple[Result, ...]:
        """Take the CA's results, all or none; a file taken before gives none and changes nothing.

        Raises ``NotFound`` for a CA that was not accepted or an order that is not ours,
        ``Conflict`` for one answered or withdrawn, ``Refused`` where signature, role, digest or a
        certificate does not fit.
        """
        opened = self.orders.peers.open(tx, octets, PaperKind.RESULTS)
        content = validate(ResultsContent, opened.paper.content, "the results", "ra.results")
        if opened.again:
            return ()
        issuance = self.orders.issuance
        authorities, now = opened.view.content.authorities, self.orders.clock()
        judge = Judge(authorities, issuance.profiles, issuance.kind, now)
        self.orders.peers.keep(tx, opened, signer)
        return tuple(
            self._take(tx, line, opened.view.id, opened.sha256, judge) for line in content.results
        )

    def _line(self, tx: Transaction, ref: str, to: str) -> OrderLine:
        order, directory = order_of_application(tx, ref), self.orders.directory
        if order is None:
            raise NotFound("ra.handover.none", f"there is no order of {ref!r}")
        if order.addressee != to:
            raise Conflict("ra.handover.addressee", f"{order.id} is not for the CA of {to}")
        self._verify_open(tx, order)
        self._decided(tx, order)
        examined, approved = statement_pair(order)
        for statement_id in (examined, approved):
            directory.verify_key_safe(tx, statement_id)
        return OrderLine(
            dossier=order.dossier,
            examination=gather_evidence(directory, tx, examined),
            approval=gather_evidence(directory, tx, approved),
        )

    def _take(
        self, tx: Transaction, line: ResultLine, sender: str, paper_sha256: str, judge: Judge
    ) -> Result:
        order = tx.get(Order, line.order)
        if order is None or order.addressee != sender:
            raise NotFound("ra.result.order", f"nothing was ordered there as {line.order!r}")
        self._verify_open(tx, order)
        if order.digest != line.digest:
            raise Refused("ra.result.digest", f"the result of {order.id} is of another file")
        certificates = self._judged(tx, order, line, judge)
        answer = OrderAnswer(order_id=order.id, paper_sha256=paper_sha256, refusal=line.refusal)
        tx.add(answer)
        tx.flush()
        for usage, der in certificates.items():
            tx.add(ReceivedCertificate(order_id=order.id, usage=usage, certificate_der=der))
        tx.flush()
        return Result(
            order.id,
            order.application_ref,
            order.attempt,
            order.digest,
            certificates,
            line.refusal,
        )

    def _judged(
        self, tx: Transaction, order: Order, line: ResultLine, judge: Judge
    ) -> dict[Purpose, bytes]:
        dossier, approved_on = self._decided(tx, order)
        wanted = set() if line.refusal is not None else set(dossier.content.profiles)
        if set(line.certificates) != wanted:
            raise Refused(
                "ra.result.number", f"the certificates of {order.id} are not those ordered"
            )
        if line.refusal is not None:
            order_refusal(line.refusal)
        made = {
            usage: from_base64(text, f"a certificate of {order.id}")
            for usage, text in line.certificates.items()
        }
        for usage, der in made.items():
            judge.verify(der, dossier.content, usage, approved_on)
        return made

    def _decided(self, tx: Transaction, order: Order) -> tuple[Dossier, date]:
        """Return the order's dossier and the day of its approval.

        Raises ``Refused`` unless two people decided just that.
        """
        dossier = accepted_dossier(order)
        pair, directory = statement_pair(order), self.orders.directory
        self.orders.verify_statements(tx, dossier, pair)
        entry = directory.trail.entry(tx, directory.position(tx, pair[1]))
        if entry is None:
            raise Refused("ca.order.changed", f"the approval of {order.id} is not in the trail")
        return dossier, japan_date(entry.at)

    def _verify_open(self, tx: Transaction, order: Order) -> None:
        if tx.get(OrderAnswer, order.id) is not None:
            raise Conflict("ra.handover.answered", f"{order.id} has its result already")
        if self.orders.is_withdrawn(tx, order.id):
            raise Conflict(
                "ra.handover.withdrawn",
                f"the order {order.id} was withdrawn",
                "If the CA issued on it, have it revoke the certificates.",
            )
