"""Two organisations, two stores, files between them: registers, orders, results, and attacks."""

from __future__ import annotations

import json
import shutil
import subprocess
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from datetime import date, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization

from audit.canonical import canonical_json
from audit.chain import Head
from ca.carriers import card_carrier
from ca.dossier import Dossier
from ca.exchange import OrderLine, OrdersContent, ResultsContent
from ca.foreign_orders import ForeignOrders, Received
from ca.orders import approval, examination, find_order, statement_pair
from ca.records import CarrierKind, Certificate
from operators.acts import End, Grant, Loss, Rekey, Suspend, Train
from operators.evidence.store import verify_statements
from operators.exchange.evidence import Evidence, gather_evidence
from operators.exchange.paper import SignedPiece
from operators.exchange.register import RegisterContent, from_base64, to_base64
from operators.exchange.sending import make_paper, make_register
from operators.records import Peer, PeerStatement
from operators.statements import Decision, KeySigner, Stand, make_statement
from pki.errors import Conflict, HpkiError, InvalidInput, NotFound, Refused
from pki.validity import japan_date
from policies.exchange import PaperKind, Part
from policies.profiles import Purpose
from policies.roles import Role
from policies.site import SiteKind
from ra.handover.handover import Handover, Result
from ra.handover.judging import Judge
from reports.moment import moment
from reports.period import month_of
from reports.separation import separation_report
from reports.tables import Text
from store.database import Store
from tests import tiers
from tests.flows.conftest import SITE_ID, Centre, Moulds, lent, p256
from tests.flows.issuing import (
    PURPOSES,
    card_key,
    csr,
    dossier,
    open_batch,
    refused,
    rows,
    state,
    statements,
)
from tests.flows.issuing import accept as issuing_accept
from tests.flows.registration import blank_card, personalize
from tests.flows.test_operators import run
from tests.flows.test_trail import append

if TYPE_CHECKING:
    from tests.postgres import Server


@dataclass
class Two:
    """A registration authority without a CA, and a CA; they share nothing but files."""

    ra: Centre
    ca: Centre

    @property
    def handover(self) -> Handover:
        return Handover(self.ra.orders)

    @property
    def foreign(self) -> ForeignOrders:
        return ForeignOrders(self.ca.orders)

    def ra_register(self, *names: str) -> bytes:
        content = RegisterContent(part=Part.RA, name="架空薬剤師会 登録局")
        signers = [self.ra.signers[one] for one in names or ("toroku", "kanri")]
        with self.ra.store.begin() as tx:
            return make_register(self.ra.directory, tx, content, signers)

    def ca_register(self, *names: str) -> bytes:
        signers = [self.ca.signers[one] for one in names or ("kanri", "tachiai")]
        with self.ca.store.begin() as tx:
            content = self.foreign.register_content(tx, "架空認証局")
            return make_register(self.ca.directory, tx, content, signers)

    def introduce(self) -> None:
        """Each accepts the other."""
        accept(self.ca, self.ra_register(), "kanri", "tachiai")
        accept(self.ra, self.ca_register(), "toroku", "kanri")

    def decide(self, paper: Dossier, **people: str) -> Dossier:
        """Have the paper examined, approved and kept for the CA."""
        pair = statements(self.ra, paper, **people)
        issuing_accept(self.ra, paper, pair)
        return paper

    def export(self, *numbers: int, by: str = "shonin") -> bytes:
        refs = [f"A{one:04d}" for one in numbers or (1,)]
        return self.handover.export(self.ca.peers.own_id, refs, self.ra.signers[by])

    def receive(self, octets: bytes, by: str = "hakko") -> Received:
        return self.foreign.accept(octets, self.ca.signers[by])

    def issue(self, order_id: str, number: int = 1) -> dict[Purpose, Certificate]:
        """Issue both certificates of a received order on a card."""
        batch = open_batch(self.ca, order_id, batch_id=f"batch-{number}")
        carrier = card_carrier(f"{number:08d}", order_id)
        for place, purpose in enumerate(PURPOSES):
            request = csr(card_key(100 + 2 * number + place))
            prepared = self.ca.orders.prepare(order_id, purpose, request)
            self.ca.orders.issue(prepared, order_id, purpose, carrier, batch)
        return rows(self.ca, carrier)

    def answer(self, *order_ids: str, refusal: str | None = None) -> bytes:
        return self.foreign.results(order_ids, self.ca.signers["hakko"], refusal)

    def take(self, octets: bytes, by: str = "shonin") -> tuple[Result, ...]:
        with self.ra.store.begin() as tx:
            return self.handover.import_result(tx, octets, self.ra.signers[by])


def accept(centre: Centre, octets: bytes, *names: str) -> None:
    with centre.store.begin() as tx:
        opened = centre.peers.open_register(tx, octets)
        centre.peers.accept(tx, opened, [centre.signers[one] for one in names])


def renew(centre: Centre, octets: bytes, name: str) -> None:
    """Take a newer register."""
    with centre.store.begin() as tx:
        centre.peers.keep(tx, centre.peers.open_register(tx, octets), centre.signers[name])


def folders(folder: Path) -> tuple[Path, Path]:
    for name in ("ra", "ca"):
        (folder / name).mkdir()
    return folder / "ra", folder / "ca"


def joined(ra: Centre, ca: Centre) -> Two:
    """Two centres, of which the first orders from the CA of the second."""
    ra.ca_id = ca.peers.own_id
    ra.__post_init__()
    return Two(ra, ca)


@pytest.fixture
def both(moulds: Moulds, database: Server | None, tmp_path: Path) -> Iterator[Two]:
    """Two organisations that do not know each other, on SQLite and on PostgreSQL."""
    there, here = folders(tmp_path)
    for ra in lent(moulds, there, database, b""):
        for ca in lent(moulds, here, database):
            yield joined(ra, ca)


@pytest.fixture(scope="module")
def introduced(moulds: Moulds, tmp_path_factory: pytest.TempPathFactory) -> Two:
    """Two organisations that accepted each other; every test gets a copy."""
    there, here = folders(tmp_path_factory.mktemp("introduced"))
    made = joined(moulds.copy(there, None, b""), moulds.copy(here, None))
    made.introduce()
    for one in (made.ra, made.ca):
        one.store.close()
    return made


@pytest.fixture
def two(introduced: Two, tmp_path: Path) -> Iterator[Two]:
    """Two organisations that accepted each other, for this test alone."""
    made = Two(*(copy_of(one, tmp_path) for one in (introduced.ra, introduced.ca)))
    yield made
    made.ra.store.close()
    made.ca.store.close()


def copy_of(centre: Centre, folder: Path) -> Centre:
    """The centre, with a folder and a store of its own."""
    shutil.copytree(centre.folder, folder / centre.folder.name)
    own = folder / centre.folder.name
    store = Store(f"sqlite:///{own / 'store.sqlite'}")
    signers, sealing = dict(centre.signers), dict(centre.sealing)
    return replace(centre, store=store, folder=own, signers=signers, sealing=sealing)


def heads(two: Two) -> tuple[object, object]:
    return two.ra.trail.verify(), two.ca.trail.verify()


def test_the_whole_way_there_and_back(both: Two, tmp_path: Path) -> None:
    both.introduce()
    ours = both.ca.orders
    with both.ra.store.read() as tx, both.ca.store.read() as other:
        for carrier in CarrierKind:
            assert both.ra.orders.offer(tx, carrier) == ours.offer(other, carrier)
    for number in (1, 2):
        both.decide(dossier(number))
    received = both.receive(both.export(2, 1))
    peer = both.ra.peers.own_id
    assert received.order_ids == (f"{peer}/A0001.1", f"{peer}/A0002.1")
    assert not received.again
    issued = both.issue(received.order_ids[0])
    both.answer(received.order_ids[1], refusal="CONTENT")
    answers = both.answer(*received.order_ids[:1])
    (result,) = both.take(answers)
    assert (result.order_id, result.application_ref, result.attempt) == ("A0001.1", "A0001", 1)
    assert result.refusal is None
    assert result.certificates == {use: row.certificate_der for use, row in issued.items()}
    verify_with_openssl(both, result, tmp_path)
    both.ca.trail.verify()
    both.ra.trail.verify()
    entry = both.ca.trail.page(0, 10000, "CERT.ISSUE")[-1]
    assert (entry.actor, entry.co_actor) == ("hakko", f"{peer}/shonin")


def verify_with_openssl(two: Two, result: Result, folder: Path) -> None:
    """By the CA's certificates as they stand in the register that was accepted."""
    openssl = tiers.require_tool("openssl", tier="interop")
    with two.ra.store.read() as tx:
        authorities = two.ra.peers.find(tx, two.ca.peers.own_id).content.authorities
    pems = {"root.pem": b"", "sub.pem": b""}
    for one in authorities:
        made = x509.load_der_x509_certificate(from_base64(one.certificate, one.id))
        name = "root.pem" if made.issuer == made.subject else "sub.pem"
        pems[name] += made.public_bytes(serialization.Encoding.PEM)
    for name, octets in pems.items():
        (folder / name).write_bytes(octets)
    for purpose, der in result.certificates.items():
        path = folder / f"{purpose}.pem"
        leaf = x509.load_der_x509_certificate(der)
        path.write_bytes(leaf.public_bytes(serialization.Encoding.PEM))
        at = str(int(two.ra.now.timestamp()))
        command: list[str | Path] = [openssl, "verify", "-attime", at, "-ignore_critical"]
        command += ["-CAfile", folder / "root.pem", "-untrusted", folder / "sub.pem", path]
        assert subprocess.run(command, check=False, capture_output=True).returncode == 0


def test_the_station_makes_the_card_of_another_organisations_order(two: Two) -> None:
    two.decide(dossier())
    (order_id,) = two.receive(two.export()).order_ids
    card = blank_card(two.ca)
    report = personalize(two.ca, order_id, card)
    assert all(one.ok for one in report.checks)
    (result,) = two.take(two.answer(order_id))
    assert set(result.certificates) == set(PURPOSES)
    assert verify_statements(two.ca.directory).statements > 10
    assert people_of_issues(two.ca) == [
        ("未記録", f"{two.ra.peers.own_id}/uketsuke", f"{two.ra.peers.own_id}/shonin", "hakko")
    ] * len(PURPOSES)


def people_of_issues(centre: Centre) -> list[tuple[str, ...]]:
    """Who received, examined, approved and executed, of rows with no findings."""
    centre.pass_time(hours=1)
    with centre.store.read() as tx:
        at = moment(tx, centre.now, centre.now)
        days = month_of(at.day)
        report = separation_report(tx, at, days, centre.directory, centre.peers)
    rows = report.table("certificates").rows
    assert [one.mark for one in rows] == [None] * len(rows)
    return [
        tuple(cell.ja if isinstance(cell, Text) else str(cell) for cell in one.values[3:7])
        for one in rows
    ]


def test_a_refusal_comes_back(two: Two) -> None:
    two.decide(dossier())
    (order_id,) = two.receive(two.export()).order_ids
    refused(InvalidInput, "policies.exchange.refusal", lambda: two.answer(order_id, refusal="NO"))
    (result,) = two.take(two.answer(order_id, refusal="SUSPENDED"))
    assert (result.refusal, result.certificates) == ("SUSPENDED", {})
    refused(Refused, "ca.order.withdrawn", lambda: two.issue(order_id))
    refused(Conflict, "ca.results.unfinished", lambda: two.answer(order_id))
    again = two.decide(dossier(1, attempt=2))
    (second,) = two.receive(two.export()).order_ids
    assert again.attempt == 2
    assert two.issue(second).keys() == set(PURPOSES)


def test_an_order_that_was_withdrawn_here_has_no_result(two: Two) -> None:
    """The CA had it already: its certificates are to be revoked there."""
    two.decide(dossier())
    (order_id,) = two.receive(two.export()).order_ids
    two.issue(order_id)
    with two.ra.store.begin() as tx:
        order = find_order(tx, "A0001.1")
        two.ra.orders.withdraw(tx, order, statement_pair(order)[1], "shonin")
    results = two.answer(order_id)
    refused(Conflict, "ra.handover.withdrawn", lambda: two.take(results))
    refused(Conflict, "ra.handover.withdrawn", two.export)


def test_what_is_ordered_elsewhere_is_not_issued_here(two: Two) -> None:
    two.decide(dossier())
    refused(NotFound, "ra.handover.none", lambda: two.export(7))
    batch = open_batch(two.ra, "A0001.1")
    with two.ra.store.read() as tx:
        refused(
            Refused,
            "ca.order.elsewhere",
            lambda: two.ra.orders.verify_for_issue(tx, "A0001.1", batch),
        )
    run(two.ra, "UPDATE issue_order SET addressee = NULL")
    refused(Conflict, "ra.handover.addressee", two.export)


def test_the_same_file_again_changes_nothing(two: Two) -> None:
    register = two.ra_register()
    renew(two.ca, register, "kanri")
    two.decide(dossier())
    orders = two.export()
    first = two.receive(orders)
    two.issue(first.order_ids[0])
    results = two.answer(*first.order_ids)
    two.take(results)
    before = heads(two)
    renew(two.ca, register, "kanri")
    second = two.receive(orders)
    assert (second.order_ids, second.again) == (first.order_ids, True)
    assert two.take(results) == ()
    assert heads(two) == before
    refused(Conflict, "ra.handover.answered", lambda: two.export(1))
    other = two.answer(*first.order_ids)
    refused(Conflict, "ra.handover.answered", lambda: two.take(other))
    assert heads(two)[0] == before[0]


def test_an_order_in_another_file_is_not_taken_twice(two: Two) -> None:
    two.decide(dossier())
    two.receive(two.export())
    before = two.ca.trail.verify()
    other = two.export()
    refused(Conflict, "exchange.replay", lambda: two.receive(other))
    assert two.ca.trail.verify() == before


def test_a_flipped_byte_is_refused_wherever_it_is(two: Two) -> None:
    """Places all over each file, more of them where the content and the statements are."""
    two.decide(dossier(2))
    (order_id,) = two.receive(two.export(2)).order_ids
    two.issue(order_id)
    two.decide(dossier())
    files: list[tuple[bytes, Callable[[bytes], object]]] = [
        (two.ra_register("toroku", "tachiai"), lambda octets: renew(two.ca, octets, "kanri")),
        (two.export(), two.receive),
        (two.answer(order_id), two.take),
    ]
    before = heads(two)
    for octets, take in files:
        acts = octets.index(b'"acts":'), octets.index(b'"content":{', octets.rindex(b'"entry"'))
        places = {*range(0, len(octets), 2503), *range(acts[1], len(octets), 151), len(octets) - 1}
        for place in sorted(places):
            flipped = octets[:place] + bytes([octets[place] ^ 0x20 or 1]) + octets[place + 1 :]
            with pytest.raises(HpkiError):
                take(flipped)
        for cut in (octets[:-1], octets + b"\n", b"[" * 100_000, b"", b"\xff\xfe", b"{}"):
            with pytest.raises(InvalidInput, match=r"file|JSON"):
                take(cut)
    assert heads(two) == before


def test_octets_that_are_no_paper_give_one_error(two: Two) -> None:
    sound = two.ra_register()
    tree = json.loads(sound)
    long = sound.replace(b'"content":{', b'"content":{"a":' + b"9" * 5000 + b",", 1)
    for octets in (
        long,
        sound.replace(
            b'"content":{', b'"content":{"a":' + b'{"a":' * 2000 + b"1" + b"}" * 2000 + b",", 1
        ),
        sound.replace(b'"content":{', b'"content":{"a":"\\ud800",', 1),
        sound.replace(b'"content":{', b'"content":{"a":NaN,', 1),
        sound.replace(b'"format":"hpki-exchange-1",', b"", 1),
        sound.replace(b'"content":{', b'"content":{"a":1,', 1),
        canonical_json(tree | {"acts": []}),
        canonical_json(tree | {"acts": tree["acts"][1:] or tree["statements"]}),
        canonical_json(tree | {"statements": []}),
        canonical_json(tree | {"statements": tree["statements"] * 2}),
        canonical_json(tree | {"statements": [tree["statements"][0]] * 2}),
    ):
        with pytest.raises((InvalidInput, Refused)):
            renew(two.ca, octets, "kanri")


def test_who_signs_and_accepts_a_register(both: Two) -> None:
    made = both.ra_register
    refused(Refused, "exchange.signers", lambda: made("toroku"))
    refused(Refused, "operators.separation", lambda: made("toroku", "toroku"))
    refused(Refused, "exchange.signers", lambda: made("kanri", "tachiai"))
    refused(Refused, "operators.role.missing", lambda: made("toroku", "shonin"))
    octets = made()
    wrong = [("kanri",), ("kanri", "kanri")]
    for names in wrong:
        refused(Refused, "exchange.acceptance", lambda names=names: accept(both.ca, octets, *names))  # type: ignore[misc]
    refused(Refused, "operators.role.missing", lambda: accept(both.ca, octets, "kanri", "toroku"))
    refused(Refused, "exchange.own", lambda: accept(both.ra, octets, "kanri", "toroku"))
    accept(both.ca, octets, "kanri", "tachiai")
    refused(Conflict, "exchange.accepted", lambda: accept(both.ca, octets, "kanri", "tachiai"))
    with both.ca.store.read() as tx:
        (found,) = both.ca.peers.all(tx)
        assert (found.id, found.content.part) == (both.ra.root[:16], Part.RA)
        refused(Refused, "exchange.part", lambda: both.ca.peers.find(tx, found.id, Part.CA))


def test_nothing_is_taken_from_or_sent_to_a_stranger(both: Two) -> None:
    accept(both.ra, both.ca_register(), "toroku", "kanri")
    both.decide(dossier())
    octets = both.export()
    refused(NotFound, "exchange.peer.unknown", lambda: both.receive(octets))
    accept(both.ca, both.ra_register(), "kanri", "tachiai")
    (order_id,) = both.receive(octets).order_ids
    assert order_id.startswith(both.ra.peers.own_id)


def test_results_of_a_ca_that_was_not_accepted(both: Two) -> None:
    accept(both.ca, both.ra_register(), "kanri", "tachiai")
    both.ca.now = both.ra.now
    accept(both.ra, both.ca_register(), "toroku", "kanri")
    both.decide(dossier())
    (order_id,) = both.receive(both.export()).order_ids
    results = both.answer(order_id, refusal="REQUEST")
    run(both.ra, "UPDATE issue_order SET addressee = NULL")
    run(both.ra, "DELETE FROM peer")
    refused(NotFound, "exchange.peer.unknown", lambda: both.take(results))


def test_a_file_is_for_one_organisation(two: Two, moulds: Moulds, tmp_path: Path) -> None:
    (tmp_path / "third").mkdir()
    third = moulds.copy(tmp_path / "third", None, _OTHER_CEREMONY)
    try:
        accept(third, two.ra_register(), "kanri", "tachiai")
        two.decide(dossier())
        octets = two.export()
        taken = ForeignOrders(third.orders)
        refused(Refused, "exchange.addressee", lambda: taken.accept(octets, third.signers["hakko"]))
    finally:
        third.store.close()


_OTHER_CEREMONY = (Path(__file__).parent / "ceremony.toml").read_bytes() + b"\n"


def lose(centre: Centre, name: str) -> None:
    with centre.store.read() as tx:
        keys = centre.directory.register(tx).account(name).keys
    centre.decide(Loss(operator=name, credential=keys[-1].credential), "kanri")


def test_a_key_lost_since_signs_no_order(two: Two) -> None:
    """Neither in a file made before the loss, nor in one made past the sender's own checks."""
    paper = two.decide(dossier(1))
    early = two.export(1)
    with two.ra.store.read() as tx:
        pair = statement_pair(find_order(tx, "A0001.1"))
    lose(two.ra, "uketsuke")
    refused(Refused, "operators.statement.key_lost", lambda: two.export(1, by="toroku"))
    late = order_paper(two, paper, *(evidence(two, one) for one in pair))
    for octets in (late, early):
        refused(Refused, "operators.credential.lost", lambda octets=octets: two.receive(octets))  # type: ignore[misc]
        renew(two.ca, two.ra_register(), "kanri")


def test_a_loss_told_before_the_issue_stops_it(two: Two) -> None:
    two.decide(dossier())
    (order_id,) = two.receive(two.export()).order_ids
    lose(two.ra, "shonin")
    renew(two.ca, two.ra_register(), "kanri")
    refused(Refused, "operators.credential.lost", lambda: two.issue(order_id))


def test_roles_that_ended_later_leave_what_was_decided(two: Two) -> None:
    """The entries to the next act prove that it was decided before; the CA's receipt does, too."""
    for number in (1, 2):
        two.decide(dossier(number))
    two.ra.decide(Grant(operator="toroku", roles=(Role.HELPDESK,)), "kanri", "tachiai")
    (before,) = two.receive(two.export(1)).order_ids
    two.ra.decide(End(operator="uketsuke", roles=(Role.RA_EXAMINER,)), "kanri", "tachiai")
    keys = two.ra.make_keys("shonin")
    two.ra.decide(Rekey(operator="shonin", keys=keys), "kanri", "tachiai")
    octets = two.export(2)
    content = OrdersContent.model_validate(json.loads(octets)["content"])
    assert len(content.orders[0].examination.entries) > 1
    (after,) = two.receive(octets).order_ids
    for number, order_id in enumerate((before, after), 1):
        assert two.issue(order_id, number).keys() == set(PURPOSES)


def test_a_file_whose_signer_was_suspended_since_is_made_anew(two: Two) -> None:
    two.decide(dossier())
    octets = two.export()
    two.ra.decide(Suspend(operator="shonin"), "kanri")
    renew(two.ca, two.ra_register(), "kanri")
    refused(Refused, "exchange.signer", lambda: two.receive(octets))
    assert two.receive(two.export(by="toroku")).order_ids


def edited(octets: bytes, change: Callable[[dict[str, Any]], object]) -> bytes:
    tree = json.loads(octets)
    change(tree)
    return canonical_json(tree)


def resigned(two: Two, octets: bytes, change: Callable[[dict[str, Any]], object]) -> bytes:
    """The file with a changed content, signed again by somebody who may send it."""
    tree = json.loads(octets)["content"]
    change(tree)
    content, ra = OrdersContent.model_validate(tree), two.ra
    with ra.store.begin() as tx:
        return make_paper(
            ra.directory, tx, PaperKind.ORDERS, Part.RA, two.ca.peers.own_id, content,
            [ra.signers["toroku"]],
        )  # fmt: skip


def first(tree: dict[str, Any]) -> dict[str, Any]:
    found: dict[str, Any] = tree["orders"][0]
    return found


def other_dossier(tree: dict[str, Any]) -> None:
    inner = json.loads(first(tree)["dossier"])
    inner["content"]["common_name"] = "Mallory"
    first(tree)["dossier"] = canonical_json(inner).decode()


def loose_dossier(tree: dict[str, Any]) -> None:
    first(tree)["dossier"] += " "


def approved_twice(tree: dict[str, Any]) -> None:
    first(tree)["examination"] = first(tree)["approval"]


def entry_of_another(tree: dict[str, Any]) -> None:
    first(tree)["approval"]["entries"] = first(tree)["examination"]["entries"]


def rewritten_entry(tree: dict[str, Any]) -> None:
    entry = json.loads(first(tree)["approval"]["entries"][0])
    entry["seq"] += 1
    first(tree)["approval"]["entries"] = [canonical_json(entry).decode()]


@pytest.mark.parametrize(
    ("kind", "code", "change"),
    [
        (Refused, "operators.statement.differs", other_dossier),
        (InvalidInput, "ca.dossier.form", loose_dossier),
        (Conflict, "exchange.replay", approved_twice),
        (Refused, "operators.statement.position", entry_of_another),
        (Refused, "operators.statement.position", rewritten_entry),
    ],
    ids=lambda one: getattr(one, "__name__", str(one)),
)
def test_a_manager_of_the_sender_cannot_change_what_was_decided(
    two: Two, kind: type[HpkiError], code: str, change: Callable[[dict[str, Any]], None]
) -> None:
    two.decide(dossier())
    octets = resigned(two, two.export(), change)
    before = two.ca.trail.verify()
    refused(kind, code, lambda: two.receive(octets))
    assert two.ca.trail.verify() == before


def order_paper(two: Two, paper: Dossier, examined: Evidence, approved: Evidence) -> bytes:
    """An order file past the program's own checks, sent by a manager."""
    text, ra = paper.octets().decode(), two.ra
    line = OrderLine(dossier=text, examination=examined, approval=approved)
    with ra.store.begin() as tx:
        return make_paper(
            ra.directory, tx, PaperKind.ORDERS, Part.RA, two.ca.peers.own_id,
            OrdersContent(orders=(line,)), [ra.signers["toroku"]],
        )  # fmt: skip


def evidence(two: Two, statement_id: str) -> Evidence:
    with two.ra.store.read() as tx:
        return gather_evidence(two.ra.directory, tx, statement_id)


def said(two: Two, name: str, decision: Decision) -> str:
    with two.ra.store.begin() as tx:
        return state(two.ra, tx, name, decision)


def test_one_person_does_not_examine_and_approve(two: Two) -> None:
    """Not even somebody who held both roles one after another."""
    paper, ref = dossier(), "A0001"
    two.ra.appoint("futari", Role.RA_EXAMINER)
    examined = said(two, "futari", examination(ref, paper.digest()))
    two.ra.decide(End(operator="futari", roles=(Role.RA_EXAMINER,)), "kanri", "tachiai")
    two.ra.grant("futari", Role.RA_APPROVER)
    approved = said(two, "futari", approval(ref, paper.digest()))
    pair = (examined, approved)
    refused(Refused, "ca.separation", lambda: issuing_accept(two.ra, paper, pair))
    octets = order_paper(two, paper, evidence(two, examined), evidence(two, approved))
    refused(Refused, "ca.separation", lambda: two.receive(octets))


def forged(
    two: Two, signer: KeySigner, decision: Decision, after: Head, register: Head
) -> Evidence:
    """A statement that its signer puts where it never stood, with an entry to fit."""
    stand = Stand("f" * 32, SITE_ID, "2026-11-21T03:00:00Z", after, register)
    statement = make_statement(signer, decision, stand)
    with two.ra.store.read() as tx:
        like = two.ra.trail.entry(tx, after.seq + 1) or two.ra.trail.entry(tx, after.seq)
    assert like is not None
    tree = json.loads(like.body) | {"seq": after.seq + 1, "prev_hash": after.hash}
    tree |= {"code": "APP.DECIDE", "detail": {"signed": {"f" * 32: statement.sha256()}}}
    piece = SignedPiece(body=statement.body.decode(), signature=statement.signature.hex())
    return Evidence(statement=piece, entries=(canonical_json(tree).decode(),))


def test_whose_role_had_ended_approves_nothing(two: Two) -> None:
    """Neither now, nor by a statement put where the role was still held."""
    paper, ref = dossier(), "A0001"
    examined = said(two, "uketsuke", examination(ref, paper.digest()))
    old = two.ra.trail.verify()
    append(two.ra)
    with two.ra.store.read() as tx:
        then = two.ra.directory.register(tx).head
    two.ra.decide(End(operator="shonin", roles=(Role.RA_APPROVER,)), "kanri", "tachiai")
    new = two.ra.trail.verify()
    with two.ra.store.read() as tx:
        now = two.ra.directory.register(tx).head
    for after, register, code in (
        (new, now, "operators.statement.role"),
        (old, now, "operators.register.cut"),
        (old, then, "audit.trail.broken"),
    ):
        approved = forged(
            two, two.ra.signers["shonin"], approval(ref, paper.digest()), after, register
        )
        octets = order_paper(two, paper, evidence(two, examined), approved)
        refused(Refused, code, lambda octets=octets: two.receive(octets))  # type: ignore[misc]


def test_a_key_of_nobody_sends_nothing(two: Two) -> None:
    two.decide(dossier())
    octets = two.export()
    tree = json.loads(octets)
    body = tree["statements"][0]["body"].encode()
    for key in (p256(), two.ra.signers["kiroku"].key):
        tree["statements"][0]["signature"] = KeySigner("shonin", key).sign(body).hex()
        made = canonical_json(tree)
        refused(Refused, "operators.statement.signature", lambda made=made: two.receive(made))  # type: ignore[misc]


def test_an_old_register_brings_nothing_back(two: Two) -> None:
    old = two.ra_register()
    lose(two.ra, "uketsuke")
    renew(two.ca, two.ra_register(), "kanri")
    refused(Refused, "exchange.older", lambda: renew(two.ca, old, "kanri"))
    with two.ca.store.read() as tx:
        register = two.ca.peers.find(tx, two.ra.peers.own_id).known.register
    assert register.account("uketsuke").keys[-1].lost_seq is not None


def test_a_forked_trail_is_named(two: Two, tmp_path: Path) -> None:
    """The same organisation goes on from a copy of its store made before."""
    copy = tmp_path / "fork.sqlite"
    shutil.copyfile(two.ra.store.engine.url.database or "", copy)
    fork = replace(two.ra, store=Store(f"sqlite:///{copy}"))
    lose(two.ra, "uketsuke")
    renew(two.ca, two.ra_register(), "kanri")
    try:
        for _ in range(3):
            fork.decide(Train(operator="shonin", course="RA", on=date(2026, 11, 1)), "toroku")
        other = Two(fork, two.ca).ra_register()
        refused(Refused, "exchange.forked", lambda: renew(two.ca, other, "kanri"))
    finally:
        fork.store.close()


def test_an_act_where_there_was_none(two: Two, tmp_path: Path) -> None:
    """The fork comes with more acts, but begins before what was seen without them."""
    copy = tmp_path / "fork.sqlite"
    shutil.copyfile(two.ra.store.engine.url.database or "", copy)
    fork = replace(two.ra, store=Store(f"sqlite:///{copy}"))
    for _ in range(5):
        append(two.ra)
    renew(two.ca, two.ra_register(), "kanri")
    try:
        fork.decide(Train(operator="shonin", course="RA", on=date(2026, 11, 1)), "toroku")
        for _ in range(9):
            append(fork)
        other = Two(fork, two.ca).ra_register()
        refused(Refused, "exchange.forked", lambda: renew(two.ca, other, "kanri"))
    finally:
        fork.store.close()


def peer_row(two: Two) -> dict[str, Any]:
    with two.ca.store.read() as tx:
        return tx.get_one(Peer, two.ra.peers.own_id).model_dump()


def set_row(two: Two, **values: object) -> None:
    with two.ca.store.begin() as tx:
        row = tx.get_one(Peer, two.ra.peers.own_id)
        for name, value in values.items():
            setattr(row, name, value)


def test_what_is_known_of_a_peer_is_what_was_signed_for(two: Two) -> None:
    """A row changed, or put back to what it was, by whoever writes the database."""
    two.decide(dossier())
    (order_id,) = two.receive(two.export()).order_ids
    old = peer_row(two)
    lose(two.ra, "shonin")
    renew(two.ca, two.ra_register(), "kanri")
    new = peer_row(two)
    for name, value in (
        ("acts", old["acts"]),
        ("acts_receipt", old["acts_receipt"]),
        ("content", new["content"].replace("RA", "CA")),
        ("acts", new["acts"].replace("kanri", "kanrj")),
        ("acceptance", new["acts_receipt"]),
    ):
        set_row(two, **{name: value})
        refused(Refused, "exchange.tampered", lambda: two.issue(order_id))
        set_row(two, **new)
    set_row(two, **old)
    refused(Refused, "exchange.tampered", lambda: two.issue(order_id))
    set_row(two, **new)
    refused(Refused, "operators.credential.lost", lambda: two.issue(order_id))


@pytest.mark.parametrize(
    ("change", "code"),
    [
        ("UPDATE peer SET content = '{'", "exchange.form"),
        ("UPDATE peer SET acts = '{'", "exchange.tampered"),
        ("UPDATE paper_receipt SET kind = 'x'", "exchange.tampered"),
        ("UPDATE paper_receipt SET statement_ids = '['", "exchange.tampered"),
        ("UPDATE paper_receipt SET statement_ids = '[\"x\"]'", "exchange.tampered"),
        ("UPDATE paper_receipt SET items = '{'", "operators.statement.differs"),
        ("UPDATE peer_statement SET evidence = '{}'", "exchange.evidence"),
    ],
)
def test_garbage_in_rows_gives_one_error(two: Two, change: str, code: str) -> None:
    two.decide(dossier())
    (order_id,) = two.receive(two.export()).order_ids
    batch = open_batch(two.ca, order_id)
    run(two.ca, change)
    with two.ca.store.read() as tx, pytest.raises((Refused, InvalidInput)) as caught:
        two.ca.orders.verify_for_issue(tx, order_id, batch)
    assert caught.value.code == code


def test_what_is_kept_of_an_order_is_what_was_signed_for(two: Two) -> None:
    for number in (1, 2):
        two.decide(dossier(number))
    (order_id, _) = two.receive(two.export(1, 2)).order_ids
    evidence = "(SELECT evidence FROM peer_statement WHERE id <> :id LIMIT 1)"
    with two.ca.store.read() as tx:
        approved = json.loads(find_order(tx, order_id).statement_ids)[1]
    for change, back, code in (
        (
            f"UPDATE peer_statement SET evidence = {evidence} WHERE id = :id",  # noqa: S608
            "UPDATE peer_statement SET evidence = :old WHERE id = :id",
            "operators.statement.differs",
        ),
        (
            "UPDATE peer_statement SET evidence = replace(evidence, 'OK', 'NO') WHERE id = :id",
            "UPDATE peer_statement SET evidence = :old WHERE id = :id",
            "exchange.tampered",
        ),
        (
            "UPDATE paper_receipt SET known = 1 WHERE kind = 'ORDERS' AND :id <> ''",
            "UPDATE paper_receipt SET known = :known WHERE kind = 'ORDERS'",
            "operators.statement.differs",
        ),
        (
            "UPDATE issue_order SET authority = NULL WHERE :id <> ''",
            "UPDATE issue_order SET authority = :peer",
            "ca.order.changed",
        ),
    ):
        with two.ca.store.read() as tx:
            kept = tx.get_one(PeerStatement, (two.ra.peers.own_id, approved)).evidence
            known = two.ca.peers.find(tx, two.ra.peers.own_id).known.register.head.seq
        run(two.ca, change, id=approved)
        refused(Refused, code, lambda: two.issue(order_id))
        values = {"old": kept, "known": known, "peer": two.ra.peers.own_id, "id": approved}
        run(two.ca, back, **{one: value for one, value in values.items() if f":{one}" in back})
    assert two.issue(order_id).keys() == set(PURPOSES)


def results_paper(two: Two, change: Callable[[dict[str, Any]], object], octets: bytes) -> bytes:
    """The CA's results changed, and signed by an IA operator who means it."""
    tree = json.loads(octets)["content"]
    change(tree)
    content, ca = ResultsContent.model_validate(tree), two.ca
    with ca.store.begin() as tx:
        return make_paper(
            ca.directory, tx, PaperKind.RESULTS, Part.CA, two.ra.peers.own_id, content,
            [ca.signers["hakko"]],
        )  # fmt: skip


def both_lines(tree: dict[str, Any]) -> tuple[dict[str, Any], dict[str, Any]]:
    return tree["results"][0], tree["results"][1]


def anothers(tree: dict[str, Any]) -> None:
    mine, other = both_lines(tree)
    mine["certificates"] = other["certificates"]


def one_more(tree: dict[str, Any]) -> None:
    mine, other = both_lines(tree)
    mine["certificates"]["SIGN"], other["certificates"] = other["certificates"]["SIGN"], {}
    other["refusal"] = "CONTENT"


def one_less(tree: dict[str, Any]) -> None:
    del both_lines(tree)[0]["certificates"]["AUTH"]


def refused_with_one(tree: dict[str, Any]) -> None:
    both_lines(tree)[0]["refusal"] = "CONTENT"


def swapped(tree: dict[str, Any]) -> None:
    found = both_lines(tree)[0]["certificates"]
    found["SIGN"], found["AUTH"] = found["AUTH"], found["SIGN"]


def other_digest(tree: dict[str, Any]) -> None:
    both_lines(tree)[0]["digest"] = "0" * 64


def unknown_order(tree: dict[str, Any]) -> None:
    both_lines(tree)[0]["order"] = "A0009.1"


def twice(tree: dict[str, Any]) -> None:
    tree["results"][1] = tree["results"][0]


def self_made(tree: dict[str, Any]) -> None:
    """Our certificate's content under a key of nobody."""
    found = both_lines(tree)[0]["certificates"]
    real = x509.load_der_x509_certificate(from_base64(found["SIGN"], ""))
    builder = x509.CertificateBuilder(
        real.issuer, real.subject, real.public_key(), real.serial_number,
        real.not_valid_before_utc, real.not_valid_after_utc, list(real.extensions),
    )  # fmt: skip
    made = builder.sign(card_key(1), hashes.SHA256())
    found["SIGN"] = to_base64(made.public_bytes(serialization.Encoding.DER))


def no_certificate(tree: dict[str, Any]) -> None:
    both_lines(tree)[0]["certificates"]["SIGN"] = to_base64(b"\x30\x00")


ANSWERS = [
    (Refused, "ra.result.differs", anothers),
    (Refused, "ra.result.differs", one_more),
    (Refused, "ra.result.number", one_less),
    (Refused, "ra.result.number", refused_with_one),
    (Refused, "ra.result.differs", swapped),
    (Refused, "ra.result.digest", other_digest),
    (NotFound, "ra.result.order", unknown_order),
    (Conflict, "ra.handover.answered", twice),
    (Refused, "ra.result.differs", self_made),
    (InvalidInput, "ra.result.certificate", no_certificate),
]


@pytest.fixture(scope="module")
def answered(
    introduced: Two, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[tuple[Two, bytes]]:
    """Two orders issued, and the file that says so, which nobody has taken."""
    folder = tmp_path_factory.mktemp("answered")
    made = Two(*(copy_of(one, folder) for one in (introduced.ra, introduced.ca)))
    for number in (1, 2):
        made.decide(dossier(number))
    order_ids = made.receive(made.export(1, 2)).order_ids
    for number, order_id in enumerate(order_ids, 1):
        made.issue(order_id, number)
    yield made, made.answer(*order_ids)
    made.ra.store.close()
    made.ca.store.close()


@pytest.mark.parametrize(
    ("kind", "code", "change"), ANSWERS, ids=[one.__name__ for _, _, one in ANSWERS]
)
def test_an_ia_operator_answers_with_what_was_ordered_only(
    answered: tuple[Two, bytes],
    kind: type[HpkiError],
    code: str,
    change: Callable[[dict[str, Any]], None],
) -> None:
    two, octets = answered
    made = results_paper(two, change, octets)
    before = two.ra.trail.verify()
    refused(kind, code, lambda: two.take(made))
    assert two.ra.trail.verify() == before


def test_an_approver_takes_the_results_and_nobody_else(answered: tuple[Two, bytes]) -> None:
    two, octets = answered
    refused(Refused, "operators.role.missing", lambda: two.take(octets, by="uketsuke"))
    refused(InvalidInput, "exchange.kind", lambda: two.receive(octets))


def test_a_certificate_is_valid_from_after_the_approval(answered: tuple[Two, bytes]) -> None:
    two, octets = answered
    line = json.loads(octets)["content"]["results"][0]["certificates"]
    der = from_base64(line["SIGN"], "")
    with two.ra.store.read() as tx:
        content = two.ra.peers.find(tx, two.ca.peers.own_id).content
    today = japan_date(two.ra.now)
    for now, approved_on, code in (
        (two.ra.now, today + timedelta(days=1), "ra.result.period"),
        (two.ra.now - timedelta(days=1), today - timedelta(days=2), "ra.result.period"),
    ):
        judge = Judge(content.authorities, two.ra.profiles, two.ra.kind, now)
        given = (der, dossier().content, Purpose.SIGN, approved_on)
        refused(Refused, code, lambda judge=judge, given=given: judge.verify(*given))  # type: ignore[misc]
    other = Judge(content.authorities, two.ra.profiles, SiteKind.TRIAL, two.ra.now)
    other.verify(der, dossier().content, Purpose.SIGN, today)
    refused(
        Refused,
        "ra.result.differs",
        lambda: other.verify(der, dossier(1, roles=("Pharmacist",)).content, Purpose.SIGN, today),
    )


def test_a_holder_of_ours_is_not_another_organisations(two: Two) -> None:
    two.decide(dossier())
    issued = issuing_accept(two.ca, dossier())
    assert issued.id == "A0001.1"
    octets = two.export()
    refused(Conflict, "ca.holder.taken", lambda: two.receive(octets))
    two.decide(dossier(2))
    (order_id,) = two.receive(two.export(2)).order_ids
    refused(Conflict, "ca.holder.taken", lambda: issuing_accept(two.ca, dossier(2)))
    assert order_id.endswith("/A0002.1")


@pytest.mark.parametrize(
    ("kind", "code", "changes"),
    [
        (Refused, "ca.order.offer", {"validity_years": 4}),
        (Refused, "ca.order.offer", {"profiles": {}}),
        (Refused, "ca.order.profile", {"profiles": {Purpose.SIGN: "ee-sign@0.0"}}),
        (Refused, "ca.order.profile", {"profiles": {Purpose.SIGN: "root@1"}}),
        (NotFound, "", {"profiles": {Purpose.SIGN: "none@1"}}),
    ],
)
def test_only_what_is_offered_here_is_ordered(
    two: Two, kind: type[HpkiError], code: str, changes: dict[str, Any]
) -> None:
    two.decide(dossier(1, **changes))
    octets = two.export()
    with pytest.raises(kind, match="order A0001.1: ") as caught:
        two.receive(octets)
    assert code in caught.value.code
