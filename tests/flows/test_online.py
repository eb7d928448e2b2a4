"""Applications signed online: only the holder's living signing certificate opens the door."""

from __future__ import annotations

import json
import subprocess
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from datetime import UTC, date, datetime, timedelta
from functools import partial
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import rsa
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat

from ca.carriers import card_carrier
from ca.records import certificates_of_carrier, issuers
from pki.cms import read_signed
from pki.errors import Conflict, HpkiError, InvalidInput, Refused
from policies.media import SIGNED
from policies.moves import ApplicationState
from policies.profiles import Purpose
from ra import records
from ra.hindrances import Hindrances
from ra.online import Online
from ra.records import Document
from ra.revocation import Request
from tests import tiers
from tests.flows.conftest import Centre, Moulds
from tests.flows.issuing import card_key, csr, refused
from tests.flows.registration import (
    Row,
    bring_to_examination,
    entries,
    list_of,
    order_all,
    row,
    signed_list,
    take_in,
)

OLD, NEW, FORM = "T2026-0001", "T2026-0101", "APPLICATION_FORM"
TODAY = date(2026, 11, 21)
Signing = tuple[x509.Certificate, rsa.RSAPrivateKey]


ONE_STORE = pytest.mark.parametrize("database", ["sqlite"], indirect=True)
"""For rules that no store has a part in."""


def holder(centre: Centre, number: int = 1) -> dict[Purpose, Signing]:
    """Someone with a card in the hand: certificate and key of each purpose."""
    (order,) = order_all(centre, row(number))
    batch = centre.orders.open_batch(centre.signers["hakko"], [order.id], f"b{number}")
    carrier, made = card_carrier(f"{number:08d}", order.id), {}
    for purpose in Purpose:
        key = card_key(2 * number + list(Purpose).index(purpose))
        prepared = centre.orders.prepare(order.id, purpose, csr(key))
        centre.orders.issue(prepared, order.id, purpose, carrier, batch)
        made[purpose] = key
    centre.examination.mark_issued(order.id)
    with centre.store.read() as tx:
        found = {one.usage: one for one in certificates_of_carrier(tx, carrier.id)}
    return {
        purpose: (x509.load_der_x509_certificate(found[purpose].certificate_der or b""), key)
        for purpose, key in made.items()
    }


@dataclass(frozen=True)
class Office:
    """A centre with two holders, which the tests that want refusals alone share."""

    centre: Centre
    own: dict[Purpose, Signing]
    other: dict[Purpose, Signing]


@pytest.fixture(scope="module")
def office(moulds: Moulds, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Office]:
    centre = moulds.copy(tmp_path_factory.mktemp("office"), None)
    yield Office(centre, holder(centre), holder(centre, 2))
    centre.store.close()


def renewal(number: int = 1, **changes: str) -> Row:
    """The holder's renewal; what is given replaces what it says."""
    own = {"application_ref": f"T2026-{100 + number:04d}", "replaces": f"T2026-{number:04d}"}
    online = {"type": "RENEW", "channel": "ONLINE", "documents": "", "received_on": str(TODAY)}
    return row(number) | own | online | changes


def receive(centre: Centre, octets: bytes) -> records.Application:
    return centre.online.receive(octets, centre.signers["uketsuke"])


def kept(centre: Centre, ref: str = NEW) -> list[Document]:
    with centre.store.read() as tx:
        return [one for one in records.documents_of(tx, ref) if one.media_type == SIGNED]


def left(centre: Centre) -> tuple[int, int, int, int]:
    """Entries, applications, runs of import, and files: what a refusal may not change."""
    folder = centre.folder / "documents"
    with centre.store.read() as tx:
        runs = len(tx.connection().exec_driver_sql("SELECT id FROM import_run").all())
        rows = len(records.applications(tx))
    return len(entries(centre)), rows, runs, len(list(folder.glob("*"))) if folder.exists() else 0


def none_taken(
    centre: Centre, kind: type[HpkiError], code: str, act: Callable[[], object]
) -> HpkiError:
    """Want a refusal that leaves nothing behind."""
    before = left(centre)
    error = refused(kind, code, act)
    assert left(centre) == before
    assert error.hint or code.startswith("pki.")
    assert "\n" not in error.text
    return error


def revoke(centre: Centre, ground: str, ref: str = OLD) -> None:
    request = Request(ground, "subscriber", "FORM", "届")
    people = centre.signers["shikko"], centre.signers["hakko"]
    centre.desk.revoke(centre.desk.find(ref), request, *people)


def check(centre: Centre, kind: str = "IDENTITY", *, ok: bool = True) -> None:
    note = "" if ok else "署名なし"
    centre.examination.check(NEW, kind, centre.signers["uketsuke"], ok=ok, note=note)


def photo(centre: Centre) -> None:
    centre.cabinet.add(NEW, "PHOTO", TODAY, centre.signers["uketsuke"])


def examine(centre: Centre) -> None:
    centre.examination.examine(NEW, centre.signers["uketsuke"], rest_ok=True)


def test_a_signed_renewal_goes_from_the_message_to_the_order(centre: Centre) -> None:
    signing = holder(centre)[Purpose.SIGN]
    octets = signed_list(signing, list_of(renewal()))
    made = receive(centre, octets)
    assert (made.ref, made.state, made.channel) == (NEW, ApplicationState.RECEIVED, "ONLINE")
    (form,) = kept(centre)
    assert (form.code, form.number, form.octets) == (FORM, 1, len(octets))
    assert centre.cabinet.open(NEW, FORM, 1, centre.signers["uketsuke"]) == (octets, SIGNED)
    file = centre.folder / "documents" / str(form.file_name)
    assert "髙橋".encode() not in file.read_bytes()
    entry = json.loads(entries(centre, "DOC.ADD")[-1].body)
    assert entry["detail"]["serial"] == f"{signing[0].serial_number:040x}"
    assert (entry["detail"]["document"], entry["object_id"]) == (f"{FORM}.1", NEW)
    assert "髙橋" not in json.dumps(entry, ensure_ascii=False)
    photo(centre)
    bring_to_examination(centre, NEW)
    Hindrances(centre.store, centre.examination).of_examination(NEW, "uketsuke", rest_ok=True)
    examine(centre)
    with centre.store.read() as tx:
        checks = {one.kind: one.method for one in records.checks_of(tx, NEW)}
    assert checks["IDENTITY"] == checks["INTENT"] == "HPKI_SIGNATURE"
    assert centre.examination.approve(NEW, centre.signers["shonin"]) is not None
    centre.trail.verify()


def test_the_same_message_again_changes_nothing(centre: Centre) -> None:
    signing = holder(centre)[Purpose.SIGN]
    octets = signed_list(signing, list_of(renewal()))
    receive(centre, octets)
    before = left(centre)
    assert receive(centre, octets).ref == NEW
    revoke(centre, "S02_CARD_LOST")
    told = left(centre)
    assert receive(centre, octets).ref == NEW
    assert left(centre) == told != before
    assert len(kept(centre)) == 1


def test_the_same_row_under_another_signature_is_refused(centre: Centre) -> None:
    signing = holder(centre)[Purpose.SIGN]
    receive(centre, signed_list(signing, list_of(renewal())))
    again = signed_list(signing, list_of(renewal()) + b"\r\n")
    none_taken(centre, Conflict, "ra.online.signed_twice", lambda: receive(centre, again))
    other = signed_list(signing, list_of(renewal(address="大阪府大阪市北区架空町1")))
    error = none_taken(centre, InvalidInput, "ra.online.row", lambda: receive(centre, other))
    assert "ra.row.ref_taken" in error.text


@ONE_STORE
def test_a_row_that_came_unsigned_gets_its_message_later(centre: Centre) -> None:
    signing = holder(centre)[Purpose.SIGN]
    take_in(centre, renewal(documents=FORM))
    complete = partial(centre.reception.complete, NEW, centre.signers["uketsuke"])
    refused(Refused, "ra.guard.documents_present", complete)
    photo(centre)
    complete()
    for kind in ("IDENTITY", "INTENT"):
        refused(Refused, "ra.check.unsigned", partial(check, centre, kind))
    check(centre, ok=False)
    receive(centre, signed_list(signing, list_of(renewal(documents=FORM))))
    check(centre)
    check(centre, "INTENT")
    assert [one.number for one in kept(centre)] == [1]


def test_what_the_message_must_hold(office: Office) -> None:
    centre, signing = office.centre, office.own[Purpose.SIGN]
    for code, content in (
        ("ra.online.rows", list_of(renewal(), renewal(2))),
        ("ra.online.channel", list_of(renewal(channel="POST"))),
        ("ra.online.documents", list_of(renewal(documents=f"{FORM};PHOTO"))),
        ("ra.online.row", list_of(renewal(type="NEW"))),
        ("ra.online.row", list_of(renewal(received_on="2026-11-22"))),
        ("ra.online.row", list_of(renewal(birth_date="1980-02-02"))),
        ("ra.online.form", b"PK\x03\x04" + bytes(40)),
        ("ra.import.empty", b""),
        ("ra.import.nul", b"\x00"),
    ):
        octets = signed_list(signing, content)
        none_taken(centre, InvalidInput, code, partial(receive, centre, octets))
    octets = signed_list(signing, list_of(renewal()))
    none_taken(centre, InvalidInput, "pki.cms.behind", lambda: receive(centre, octets + b"\x00"))
    changed = octets.replace("架空町1-2-3".encode(), "架空町9-2-3".encode())
    none_taken(centre, Refused, "pki.cms.changed", lambda: receive(centre, changed))


def test_whose_certificate_it_is(office: Office) -> None:
    centre, own, other = office.centre, office.own, office.other
    content = list_of(renewal())
    key = card_key(1)
    builder = x509.CertificateBuilder(
        issuer_name=own[Purpose.SIGN][0].issuer,
        subject_name=own[Purpose.SIGN][0].subject,
        public_key=key.public_key(),
        serial_number=own[Purpose.SIGN][0].serial_number,
        not_valid_before=datetime(2026, 1, 1),  # noqa: DTZ001
        not_valid_after=datetime(2036, 1, 1),  # noqa: DTZ001
    )
    forged = builder.sign(key, hashes.SHA256())
    for code, octets in (
        ("ra.online.holder", signed_list(other[Purpose.SIGN], content)),
        ("ra.online.holder", signed_list(own[Purpose.SIGN], list_of(renewal(2)))),
        ("ra.online.purpose", signed_list(own[Purpose.AUTH], content)),
        ("ra.online.foreign", signed_list((forged, key), content)),
    ):
        none_taken(centre, Refused, code, partial(receive, centre, octets))


def test_only_a_reception_takes_in(office: Office) -> None:
    centre = office.centre
    octets = signed_list(office.own[Purpose.SIGN], list_of(renewal()))
    for name in ("shonin", "hakko", "toroku"):
        act = partial(centre.online.receive, octets, centre.signers[name])
        none_taken(centre, Refused, "operators.role.missing", act)


@ONE_STORE
def test_revoked_before_the_receipt(centre: Centre) -> None:
    octets = signed_list(holder(centre)[Purpose.SIGN], list_of(renewal()))
    revoke(centre, "S06_CARD_DAMAGED")
    none_taken(centre, Refused, "ra.online.revoked", lambda: receive(centre, octets))


def test_run_out_before_the_receipt(office: Office) -> None:
    centre, signing = office.centre, office.own[Purpose.SIGN]
    octets = signed_list(signing, list_of(renewal(received_on="2026-09-01")))
    for moment in (
        signing[0].not_valid_before_utc - timedelta(seconds=1),
        signing[0].not_valid_after_utc + timedelta(seconds=1),
    ):
        intake = replace(centre.intake, clock=partial(moment.astimezone, UTC))
        then = Online(centre.store, intake, centre.cabinet)
        act = partial(then.receive, octets, centre.signers["uketsuke"])
        none_taken(centre, Refused, "ra.online.expired", act)


def test_revoked_between_receipt_and_examination(centre: Centre) -> None:
    receive(centre, signed_list(holder(centre)[Purpose.SIGN], list_of(renewal())))
    photo(centre)
    bring_to_examination(centre, NEW)
    revoke(centre, "S06_CARD_DAMAGED")
    for kind in ("IDENTITY", "INTENT"):
        refused(Refused, "ra.check.revoked", partial(check, centre, kind))
    foreseen = Hindrances(centre.store, centre.examination)
    refused(Refused, "ra.check.revoked", lambda: examine(centre))
    refused(
        Refused,
        "ra.check.revoked",
        lambda: foreseen.of_examination(NEW, "uketsuke", rest_ok=True),
    )
    check(centre, ok=False)
    check(centre, "INTENT", ok=False)
    examine(centre)
    centre.examination.reject(NEW, centre.signers["shonin"], "R01")


@ONE_STORE
def test_revoked_between_examination_and_approval(centre: Centre) -> None:
    receive(centre, signed_list(holder(centre)[Purpose.SIGN], list_of(renewal())))
    photo(centre)
    bring_to_examination(centre, NEW)
    examine(centre)
    revoke(centre, "S02_CARD_LOST")
    act = partial(centre.examination.approve, NEW, centre.signers["shonin"])
    refused(Refused, "ra.check.revoked", act)


@ONE_STORE
@pytest.mark.parametrize(
    ("ground", "doubtful"), [("S06_CARD_DAMAGED", False), ("S02_CARD_LOST", True)]
)
def test_a_damaged_card_may_be_revoked_after_it_signed(
    centre: Centre, ground: str, doubtful: bool
) -> None:
    """The type wants it revoked before the order; a loss casts doubt on who signed."""
    signing = holder(centre)[Purpose.SIGN]
    damaged = renewal(type="REISSUE_DAMAGED", member_id="0000000001")
    receive(centre, signed_list(signing, list_of(damaged)))
    photo(centre)
    bring_to_examination(centre, NEW)
    examine(centre)
    revoke(centre, ground)
    approve = partial(centre.examination.approve, NEW, centre.signers["shonin"])
    if doubtful:
        refused(Refused, "ra.check.revoked", approve)
    else:
        approve()


@ONE_STORE
def test_rows_changed_past_the_program_are_no_signature(centre: Centre) -> None:
    """The entry of the receipt names file and certificate; a changed row fits none."""
    receive(centre, signed_list(holder(centre)[Purpose.SIGN], list_of(renewal())))
    photo(centre)
    centre.reception.complete(NEW, centre.signers["uketsuke"])
    with centre.store.read() as tx:
        known = records.documents_of(tx, NEW)[0].sha256
    for sha256, replaces in (("0" * 64, OLD), (known, "T2026-0002")):
        with centre.store.begin() as tx:
            tx.get_one(Document, (NEW, FORM, 1)).sha256 = sha256
            records.find_application(tx, NEW).replaces = replaces
        refused(Refused, "ra.check.unsigned", partial(check, centre))


# --- OpenSSL as the judge, with the path to the root and the lists ---


@dataclass(frozen=True)
class Judge:
    """OpenSSL in a folder with the centre's CA certificates and lists."""

    folder: Path
    program: str

    def run(self, *words: str, stdin: bytes = b"") -> subprocess.CompletedProcess[bytes]:
        command = [self.program, *words]
        return subprocess.run(command, cwd=self.folder, input=stdin, capture_output=True)

    def sign(self, signing: Signing, content: bytes) -> bytes:
        certificate, key = signing
        (self.folder / "own.pem").write_bytes(certificate.public_bytes(Encoding.PEM))
        form = PrivateFormat.TraditionalOpenSSL
        (self.folder / "own.key").write_bytes(key.private_bytes(Encoding.PEM, form, NoEncryption()))
        words = ["cms", "-sign", "-binary", "-nodetach", "-cades", "-outform", "DER"]
        done = self.run(*words, "-signer", "own.pem", "-inkey", "own.key", stdin=content)
        assert done.returncode == 0, done.stderr
        return done.stdout

    def accepts(self, octets: bytes, moment: datetime) -> bool:
        words = ["cms", "-verify", "-binary", "-inform", "DER", "-purpose", "any"]
        words += ["-CAfile", "cas.pem", "-crl_check_all"]
        words += ["-attime", str(int(moment.timestamp()))]
        return self.run(*words, stdin=octets).returncode == 0


def judge(centre: Centre, folder: Path) -> Judge:
    """The judge, who knows the lists as they are now."""
    centre.due()
    with centre.store.read() as tx:
        cas = [one.certificate_der or b"" for one in issuers(tx)]
    lists = [path.read_bytes() for path in (centre.folder / "public").glob("*.crl")]
    pems = [x509.load_der_x509_certificate(one).public_bytes(Encoding.PEM) for one in cas]
    pems += [x509.load_der_x509_crl(one).public_bytes(Encoding.PEM) for one in lists]
    (folder / "cas.pem").write_bytes(b"".join(pems))
    return Judge(folder, tiers.require_tool("openssl", tier="interop"))


@ONE_STORE
def test_openssl_judges_as_we_do(centre: Centre, tmp_path: Path) -> None:
    own, other = holder(centre), holder(centre, 2)
    content = list_of(renewal())
    first = judge(centre, tmp_path)
    good = first.sign(own[Purpose.SIGN], content)
    stolen = first.sign(other[Purpose.SIGN], list_of(renewal(2)))
    changed = good.replace("架空町1-2-3".encode(), "架空町9-2-3".encode())
    assert read_signed(good).content == content
    assert first.accepts(good, centre.now)
    assert first.accepts(stolen, centre.now)
    assert not first.accepts(changed, centre.now)
    assert not first.accepts(good, own[Purpose.SIGN][0].not_valid_after_utc + timedelta(days=1))
    refused(Refused, "pki.cms.changed", lambda: receive(centre, changed))
    assert receive(centre, good).ref == NEW
    revoke(centre, "S02_CARD_LOST", "T2026-0002")
    centre.pass_time(seconds=1)
    second = judge(centre, tmp_path)
    assert not second.accepts(stolen, centre.now)
    assert second.accepts(good, centre.now)
    none_taken(centre, Refused, "ra.online.revoked", lambda: receive(centre, stolen))
