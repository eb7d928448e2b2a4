"""Certificates against what was ordered and by whom, and against the keys that were proven."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import sqlalchemy as sa
from cryptography import x509
from sqlmodel import col

from audit.canonical import digest
from audit.chain import Head
from audit.records import TrailEntry
from ca.building import end_entity_period
from ca.orders import approval
from card_personalization.layout import KeyOrigin
from operators.exchange.peers import Peers
from operators.exchange.receipts import Receipts
from operators.statements import StatementType, verify_says
from pki import oids
from pki.errors import HpkiError
from policies.moves import SYSTEM
from reports.compliance.certificates import CertificateRow, of_holders
from reports.compliance.contents import hc_roles
from reports.compliance.engine import Judge
from reports.compliance.run import Run
from reports.compliance.statements import verify
from reports.tables import Text


def _one_holder(one: CertificateRow) -> Sequence[Text]:
    """HC-3.1-01: for ever: the subject names its holder, has one row, and no row leaves."""
    mine = one.data["holder_id"]
    holder = one.beside.holders.get(one.subject_sha256) if one.beside is not None else None
    if holder is None:
        return (Text("主体者名の登録がない", "has a subject that is nobody's"),)
    if {holder, one.read.subject.first(oids.SERIAL_NUMBER)} != {mine}:
        return (Text("主体者名が別の人のもの", "has the subject of another holder"),)
    return ()


def _legal_name(run: Run) -> Judge[CertificateRow]:
    """HC-3.1-02: the CN is the name that was examined, exactly."""

    def judge(one: CertificateRow) -> Sequence[Text] | None:
        dossier = one.dossier if one.in_period and one.is_issued else None
        if dossier is None:
            return None
        if one.read.subject.first(oids.COMMON_NAME) == dossier.content.common_name:
            return ()
        return (Text("CNが審査した氏名と異なる", "has another CN than the name examined"),)

    return judge


def _possession(one: CertificateRow) -> Sequence[Text]:
    """HC-3.2.1-01: proven by the request, and made where a card of ours holds it."""
    facts = []
    said = one.said("reserved_seq", "CERT.POP_OK").get("detail", {})
    if said.get("spki") != one.spki_sha256:
        facts.append(Text("鍵の所持確認の記録がない", "has no proof of possession of its key"))
    on_card = one.data["carrier_kind"] == "CARD" and one.data["authority"] is None
    if on_card and not any(one.spki_sha256 in _keys(made) for made in _made(one)):
        facts.append(_NOT_MADE)
    return facts


_NOT_MADE = Text("カードでの鍵生成の記録がない", "has a key that its card did not make")


def _made(one: CertificateRow) -> Sequence[Mapping[str, Any]]:
    """Return what was entered about the keys of the certificate's card."""
    return one.beside.keygens.get(one.data["chip_serial"], ()) if one.beside is not None else ()


def _keys(made: Mapping[str, Any]) -> Sequence[str]:
    return list(dict(made.get("spki", {})).values())


def _key_making(one: CertificateRow) -> Sequence[Text]:
    """HC-6.1-03: no key that was made outside the card is kept."""
    if one.data["carrier_kind"] != "CARD" or one.data["authority"] is not None:
        return ()
    mine = [made for made in _made(one) if one.spki_sha256 in _keys(made)]
    if not mine:
        return (_NOT_MADE,)
    if any(made.get("origin") != KeyOrigin.CARD and made.get("kept") is not False for made in mine):
        return (Text("カード外の鍵の消去記録がない", "has a key of which a copy may be kept"),)
    return ()


def _approved(run: Run) -> Judge[CertificateRow]:
    """HC-4.3-01: an order whose approval was signed before, verified anew, and not withdrawn."""
    query = sa.select(col(TrailEntry.object_id), col(TrailEntry.seq)).where(
        col(TrailEntry.code) == "ISSUE.WITHDRAW", col(TrailEntry.outcome) == "OK"
    )
    withdrawn = {order: seq for order, seq in run.tx.execute(query)}
    peers = Peers(run.directory, Receipts(run.directory))
    known: dict[str, tuple[int, Text | None]] = {}

    def judge(one: CertificateRow) -> Sequence[Text]:
        order = one.data["order_id"]
        if one.data["application_ref"] is None:
            return (Text("発行指示がない", "has no order"),)
        if order not in known:
            known.clear()
            known[order] = _approval(run, peers, one)
        seq, fact = known[order]
        facts = [] if fact is None else [fact]
        if seq > one.data["reserved_seq"]:
            facts.append(Text("発行の後に承認された", "was approved after it was made"))
        if withdrawn.get(order, one.data["reserved_seq"]) < one.data["reserved_seq"]:
            facts.append(Text("取り下げた指示による", "was made on an order that was withdrawn"))
        return facts

    return of_holders(judge)(run)


def _approval(run: Run, peers: Peers, one: CertificateRow) -> tuple[int, Text | None]:
    """Return the position of the order's approval, and what is wrong with it.

    Its key, role and place in the trail are verified; whether the trail is whole, HC-5.4.4-01 says.
    """
    ref, authority = one.data["application_ref"], one.data["authority"]
    statement_id = one.statement_ids[1] if len(one.statement_ids) == 2 else ""
    try:
        if authority is not None:
            expected = approval(ref.removeprefix(f"{authority}/"), one.data["digest"])
            peers.people(authority).verify_kept(run.tx, statement_id, expected)
            return 0, None
        row = one.beside.statements.get(statement_id) if one.beside is not None else None
        entry = one.beside.entries.get(row.seq) if row is not None and one.beside else None
        content = entry.content if entry is not None else None
        if row is None or entry is None or content is None:
            return 0, Text("承認の署名がない", "has no signed approval")
        signed = verify(run.register, row, content, Head(entry.seq, entry.hash))
        verify_says(signed, approval(ref, one.data["digest"]))
        return row.seq, None
    except HpkiError as error:
        return 0, Text(f"承認を検証できない: {error.code}", f"has no sound approval: {error.text}")


def _two_people(one: CertificateRow) -> Sequence[Text]:
    """HC-4.3-02: who executed is another than who approved, and signed for the batch."""
    said = one.said("issued_seq", "CERT.ISSUE")
    executor, detail = said.get("actor_id"), said.get("detail", {})
    if not executor:
        return (Text("実行者の記録がない", "was issued by nobody"),)
    if executor == SYSTEM:
        return ()
    facts = []
    found = one.beside.statements if one.beside is not None else {}
    signed = [found[one] for one in detail.get("statements", ()) if one in found]
    by = {kind: {x.operator_id for x in signed if x.type == kind} for kind in _TYPES}
    if executor in by[StatementType.APPROVAL] or executor == said.get("co_actor_id"):
        facts.append(Text("承認者が発行した", "was issued by the person who approved it"))
    if executor not in by[StatementType.EXECUTION]:
        facts.append(Text("実行の署名がない", "was issued without a signed execution"))
    return facts


_TYPES = (StatementType.APPROVAL, StatementType.EXECUTION)


def _ordered(run: Run) -> Judge[CertificateRow]:
    """HC-4.3-03: subject, Japanese name, roles, profile, validity, carrier are the order's.

    What was erased after its time is left out: nothing of it is there to compare.
    """
    known: dict[str, tuple[bytes, bytes | None]] = {}

    def judge(one: CertificateRow) -> Sequence[Text] | None:
        if not one.in_period or not one.is_issued or one.dossier is None or one.signer is None:
            return None
        order, content = one.data["order_id"], one.dossier.content
        if order not in known:
            known.clear()
            name = content.alternative_name()
            known[order] = content.subject().public_bytes(), None if name is None else _san(name)
        subject, name_octets = known[order]
        if not one.signer.row.japanese_names:
            name_octets = None
        found = one.read.by_oid.get(oids.SUBJECT_ALT_NAME)
        roles = one.read.by_oid.get(oids.SUBJECT_DIRECTORY_ATTRIBUTES)
        start = one.read.not_before.moment
        period = None if start is None else end_entity_period(start, content.validity_years)
        said = (
            ("subject", one.read.subject.der, subject),
            ("subjectAltName", None if found is None else found.octets, name_octets),
            (
                "hcRole",
                set() if roles is None else set(hc_roles(roles.octets)),
                set(content.roles),
            ),
            ("profile", one.data["profile"], content.profiles.get(one.data["usage"])),
            ("not_after", one.read.not_after.moment, period and period.not_after),
            ("carrier", one.data["carrier_kind"], content.carrier),
            ("dossier", digest(one.data["dossier"].encode()), one.data["digest"]),
        )
        return [
            Text(f"{name}が発行指示と異なる", f"differs from its order in {name}")
            for name, mine, wanted in said
            if mine != wanted
        ]

    return judge


def _san(name: x509.Name) -> bytes:
    return x509.SubjectAlternativeName([x509.DirectoryName(name)]).public_bytes()


def _unaltered(one: CertificateRow) -> Sequence[Text] | None:
    """HC-4.8-01: the bytes are those of which the hash was entered when it was issued."""
    if not one.in_period or not one.is_issued:
        return None
    said = one.said("issued_seq", "CERT.ISSUE").get("detail", {})
    if said.get("certificate") == digest(one.data["certificate_der"] or b""):
        return ()
    return (Text("発行時のハッシュと異なる", "is not what was entered when it was issued"),)


CHECKS = {
    "HC-3.1-01": of_holders(_one_holder),
    "HC-3.1-02": _legal_name,
    "HC-3.2.1-01": of_holders(_possession),
    "HC-4.3-01": _approved,
    "HC-4.3-02": of_holders(_two_people),
    "HC-4.3-03": _ordered,
    "HC-4.8-01": lambda _: _unaltered,
    "HC-6.1-03": of_holders(_key_making),
}
"""The checks of this module."""
