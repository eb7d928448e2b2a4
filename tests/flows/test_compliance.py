"""One fault for each control on certificates, revocations and lists, which it names to the row."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field, replace
from datetime import date, timedelta
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import rsa
from cryptography.x509.oid import NameOID

from pki.extensions import distribution_points, hc_role, key_usage
from pki.names import distinguished_name
from policies.controls import AuditKind
from policies.parameters import Parameters
from reports.compliance import cards, documents
from reports.compliance.authorities import LEDGER as AUTHORITIES
from reports.compliance.checks import CERTIFICATES, PARTS
from reports.compliance.engine import Ledger, audit, pieces, walk
from reports.compliance.list_checks import LISTS, SERIES
from reports.compliance.processes import share
from reports.compliance.report import report
from reports.compliance.results import Result
from reports.compliance.revocations import LEDGER as REVOCATIONS
from reports.compliance.run import Run
from reports.tables import Text
from store.database import Store
from tests.flows.auditing import copy_of, make_sound, results, run_of, violations
from tests.flows.conftest import Centre
from tests.flows.forging import (
    CA_CERTIFICATE,
    SIGN_CERTIFICATE,
    Parts,
    certificate_of,
    edit_entry,
    forge,
    forge_list,
    put,
)
from tests.flows.test_trail import change

_LEDGERS = (CERTIFICATES, REVOCATIONS, LISTS, SERIES, AUTHORITIES)
MINE = {one for ledger in _LEDGERS for one in ledger.checks} | documents.CHECKS.keys()
MINE |= cards.CHECKS.keys()
Fault = Callable[[Centre], None]


@dataclass(frozen=True)
class Case:
    """A fault, how the row begins that its control names, and what else it rightly breaks."""

    control: str
    fault: Fault
    row: str = "certificate sign:"
    others: frozenset[str] = field(default_factory=frozenset)


def others(*ids: str) -> frozenset[str]:
    return frozenset(f"HC-{one}" for one in ids)


def forged(edit: Callable[[Parts], None], where: str = SIGN_CERTIFICATE) -> Fault:
    return lambda centre: forge(centre, edit, where)


def sql(*statements: str) -> Fault:
    return lambda centre: change(centre, *statements)


def entry(code: str, **changes: object) -> Fault:
    """Other values in the newest entry of the code: of its detail where that has the name."""

    def edit(said: dict[str, object]) -> None:
        detail = said["detail"]
        assert isinstance(detail, dict)
        for name, value in changes.items():
            (detail if name in detail or name not in said else said)[name] = value

    return lambda centre: edit_entry(centre, code, edit)


def renamed(parts: Parts) -> None:
    attributes = [one for one in parts.subject if one.oid != NameOID.COMMON_NAME]
    attributes.insert(-1, x509.NameAttribute(NameOID.COMMON_NAME, "SATO HANAKO"))
    parts.subject = x509.Name(attributes)


def policy(parts: Parts) -> None:
    other = x509.PolicyInformation(x509.ObjectIdentifier("1.2.392.100495.1.5.1.2.9.1"), None)
    parts.replace(x509.CertificatePolicies([other]))


def another_name(parts: Parts) -> None:
    name = distinguished_name(common_name="佐藤　花子", serial_number="1")
    parts.replace(x509.SubjectAlternativeName([x509.DirectoryName(name)]))


def longer(**delta: float) -> Callable[[Parts], None]:
    def edit(parts: Parts) -> None:
        parts.end += timedelta(**delta)

    return edit


def without_roles(parts: Parts) -> None:
    del parts.extensions["2.5.29.9"]


def weak(parts: Parts) -> None:
    parts.key = rsa.generate_private_key(65537, 1024).public_key()


def key_again(centre: Centre) -> None:
    _, other = certificate_of(centre, "usage = 'AUTH' AND order_id IS NOT NULL")

    def edit(parts: Parts) -> None:
        parts.key = other.public_key()

    forge(centre, edit)


def other_serial(parts: Parts) -> None:
    parts.serial += 1


def hold_entry(centre: Centre) -> None:
    with centre.store.engine.connect() as connection:
        found = connection.exec_driver_sql("SELECT entry_der FROM list_entry LIMIT 1").scalar()
    assert isinstance(found, bytes)
    put(centre, "list_entry", "series = 'sign/FULL/0'", entry_der=found[:-1] + b"\x06")


CASES = (
    Case("HC-1.2-01", forged(policy), others=others("4.8-01", "7.1-06")),
    Case(
        "HC-1.4-01",
        forged(lambda parts: parts.replace(key_usage(("nonRepudiation", "digitalSignature")))),
        others=others("4.8-01", "7.1-06"),
    ),
    Case(
        "HC-3.1-01",
        sql(
            "UPDATE holder_subject SET holder_id = (SELECT max(id) FROM holder) "
            "WHERE holder_id = (SELECT min(id) FROM holder)"
        ),
        "certificate ",
    ),
    Case(
        "HC-3.1-02",
        forged(renamed),
        others=others("3.1-01", "4.3-03", "4.8-01", "7.1-05", "7.1-06"),
    ),
    Case("HC-3.2.1-01", entry("CERT.POP_OK", spki="0" * 64), "certificate "),
    Case("HC-4.3-01", sql("DELETE FROM statement WHERE type = 'APPROVAL'"), "certificate "),
    Case("HC-4.3-02", entry("CERT.ISSUE", actor_id="shonin"), "certificate "),
    Case(
        "HC-4.3-03",
        forged(lambda parts: parts.replace(hc_role(["Pharmacist"]))),
        others=others("4.8-01", "7.1-05"),
    ),
    Case(
        "HC-4.6-01",
        key_again,
        others=others("3.2.1-01", "4.8-01", "7.1-06"),
    ),
    Case("HC-4.8-01", entry("CERT.ISSUE", certificate="0" * 64), "certificate "),
    Case("HC-4.9.1-02", sql("UPDATE revocation SET reason = 9"), "revocation "),
    Case(
        "HC-4.9.5-01",
        sql("UPDATE revocation_request SET requested_at = '2026-11-01 00:00:00'"),
        "revocation ",
    ),
    Case(
        "HC-4.9.7-01",
        sql(
            "DELETE FROM list_delivery",
            "DELETE FROM revocation_list WHERE issuer_id = 'sign' AND number IN (2, 3, 4)",
        ),
        "list sign FULL 5",
        others("4.9.5-01"),
    ),
    Case(
        "HC-4.9.7-02",
        lambda centre: forge_list(centre, 0, hours=200),
        "list sign FULL ",
        others("7.2-01"),
    ),
    Case(
        "HC-4.9.7-03",
        lambda centre: forge_list(centre, 0, number=1),
        "list sign FULL ",
        others("7.2-01"),
    ),
    Case(
        "HC-4.9.8-01",
        sql("UPDATE revocation_list SET published_at = '2026-11-21 05:00:00' WHERE number = 1"),
        "list ",
    ),
    Case(
        "HC-4.9.10-01",
        lambda centre: forge_list(centre, 0, empty=True, entries=0),
        "list sign FULL ",
        others("4.9.10-02"),
    ),
    Case(
        "HC-4.9.10-02",
        lambda centre: forge_list(centre, 1, empty=True, entries=0),
        "list sign FULL ",
        others("4.9.10-01"),
    ),
    Case(
        "HC-4.9.13-01",
        hold_entry,
        "revocation sign:",
        others("4.9.1-02", "4.9.10-01"),
    ),
    Case(
        "HC-5.6-01",
        forged(longer(days=9000)),
        others=others("4.3-03", "4.8-01", "6.3-01", "7.1-06"),
    ),
    Case(
        "HC-5.6-02",
        sql("UPDATE trail_entry SET at = '2010-01-01' WHERE code = 'KEY.GENERATE'"),
        "certificate ",
    ),
    Case(
        "HC-6.1-02",
        forged(weak),
        others=others("3.2.1-01", "4.8-01", "6.1-03", "7.1-06"),
    ),
    Case("HC-6.1-03", entry("CARD.KEYGEN", origin="import", kept=True), "certificate "),
    Case(
        "HC-6.3-01",
        forged(longer(days=1)),
        others=others("4.3-03", "4.8-01"),
    ),
    Case(
        "HC-6.3-02",
        forged(longer(days=9), CA_CERTIFICATE),
        "certificate root:",
        others("2.2-02", "4.8-01", "6.1-01", "7.1-06"),
    ),
    Case(
        "HC-7.1-01",
        forged(without_roles),
        others=others("4.3-03", "4.8-01", "7.1-05"),
    ),
    Case(
        "HC-7.1-02",
        forged(lambda parts: parts.replace(hc_role(["Wizard"]))),
        others=others("4.3-03", "4.8-01", "7.1-05"),
    ),
    Case("HC-7.1-03", forged(other_serial), others=others("4.8-01", "7.1-06")),
    Case(
        "HC-7.1-04",
        forged(lambda parts: parts.replace(distribution_points("http://other.example.jp/a.crl"))),
        others=others("4.8-01"),
    ),
    Case("HC-7.1-05", forged(another_name), others=others("4.3-03", "4.8-01", "7.1-06")),
    Case("HC-7.1-06", sql("UPDATE certificate SET subject = 'C=JP' WHERE usage = 'SIGN'")),
    Case(
        "HC-2.2-01", sql("DELETE FROM served_file WHERE file_name LIKE 'cps%'"), "document cps 1.0"
    ),
    Case(
        "HC-2.2-02",
        sql(f"UPDATE served_file SET sha256 = '{'0' * 64}' WHERE file_name = 'sign.cer'"),
        "CA sign",
    ),
    Case("HC-6.1-01", sql("UPDATE ceremony SET ended_at = NULL"), "CA "),
    Case("HC-6.4-02", sql("UPDATE personalization_run SET operator_id = 'ansho'"), ""),
    Case("HC-6.4-03", entry("CARD.PERSONALISE", not_offered=["retry_limits"]), "card "),
    Case(
        "HC-9.12-01",
        sql("UPDATE public_document SET approved_at = '2026-11-30 00:00:00'"),
        "document cps 1.0",
    ),
    Case("HC-7.2-01", sql("UPDATE revocation_list SET entries = 7"), "list "),
)


@pytest.fixture(scope="module")
def mould(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Centre]:
    """A sound centre in a file, made once."""
    folder = tmp_path_factory.mktemp("sound")
    centre = Centre(Store(f"sqlite:///{folder / 'store.sqlite'}"), folder)
    centre.set_up()
    centre.hold_ceremony()
    make_sound(centre)
    yield centre
    centre.store.close()


def test_a_sound_centre_breaks_nothing(mould: Centre) -> None:
    """Every check found rows to judge, and all of them sound."""
    assert violations(mould).keys() & MINE == set()
    for every in results(mould).values():
        for control_id in MINE & every.keys():
            found = every[control_id]
            confirm = found.control.mode == "H"
            assert found.result is (Result.UNCHECKED if confirm else Result.CONFORMS), control_id


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.control)
def test_a_fault_is_named(mould: Centre, tmp_path: Path, case: Case) -> None:
    centre = copy_of(mould, tmp_path)
    case.fault(centre)
    found = violations(centre)
    centre.store.close()
    assert found.keys() & MINE == {case.control} | case.others, found
    assert all(row.startswith(case.row) for row in found[case.control]), found


def test_the_report_tells_results_and_names_nobody(mould: Centre, tmp_path: Path) -> None:
    """One report for each policy: what the sign one blames, the auth one does not."""
    centre = copy_of(mould, tmp_path)
    forge(centre, renamed)
    with centre.store.read() as tx:
        run = run_of(centre, tx)
        found = audit(run, PARTS)
        sign, auth = (report(run, kind, found[kind]) for kind in (AuditKind.SIGN, AuditKind.AUTH))
    centre.store.close()
    assert (sign.name, auth.name) == ("compliance-sign", "compliance-auth")
    (broken,) = (row for row in sign.table("violations").rows if row.values[0] == "HC-3.1-02")
    (named,) = (one for one in broken.values if isinstance(one, Text) and "sign:" in one.en)
    assert named.en.startswith("certificate sign:")
    assert named.ja == named.en.replace("certificate", "証明書")
    assert not [row for row in auth.table("violations").rows if row.values[0] == "HC-3.1-02"]
    results = {row.values[0]: row.values[5] for row in sign.table("controls").rows}
    assert results["HC-3.1-02"] == Text("不適合", "does not conform")
    assert results["HC-7.1-04"] == Text("適合", "conforms")
    assert results["HC-8.6-01"] == Text("未確認", "not checked")
    issued = Text("証明書発行", "certificates issued")
    assert (issued, "CARD", 2) in [row.values for row in sign.table("numbers").rows]
    assert not any(name in repr(one) for name in ("HANAKO", "TAKAHASHI") for one in (sign, auth))


def test_more_processes_find_the_same(
    mould: Centre, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Whoever finds it, what is found and its order are the same, and all of it is shown.

    The others find it in spans of one row; here all of them are one span.
    """
    whole = Run.cut
    centre = copy_of(mould, tmp_path)
    shown: dict[str, bool] = {}
    forge(centre, renamed)
    change(
        centre,
        "UPDATE trail_entry SET body = '{}' WHERE code = 'APP.DECIDE' AND object_id LIKE '%2'",
        "UPDATE application SET dossier = NULL",
        "DELETE FROM statement WHERE type = 'REVOCATION'",
        "UPDATE statement SET signature = '00' WHERE type = 'EXAMINATION'",
        "UPDATE inquiry_item SET answer = 'STRUCK_OFF', answered_on = '2026-11-19'",
        "UPDATE revocation_request SET requested_at = '2026-11-19 00:00:00.000000'",
    )
    with centre.store.read() as tx:
        run = run_of(centre, tx)
        alone = audit(run, PARTS)
        monkeypatch.setattr(Run, "cut", lambda self, key, _: whole(self, key, 1))
        cuts = len(pieces(run, PARTS))
        several = share(run, 2, lambda name, done, total: shown.update({name: done == total}))
    centre.store.close()
    assert several == alone
    assert cuts > 2 * len(PARTS)
    told = {one.control.id: one.outcome for one in several[AuditKind.SIGN] if one.outcome}
    for control, kinds, population in (
        ("HC-5.5.1-01", ("application", "revocation request"), 2),
        ("HC-4.9.1-01", ("revocation request", "person"), 3),
    ):
        both = [one.row.rpartition(" ")[0] for one in told[control].violations]
        assert tuple(dict.fromkeys(both)) == kinds, both
        assert (told[control].population, told[control].count) == (population, len(both))
    assert {one.name for one in PARTS if isinstance(one, Ledger)} == shown.keys()
    assert all(shown.values())


def test_what_lies_before_the_period_cannot_hide_a_key_or_a_number(
    mould: Centre, tmp_path: Path
) -> None:
    """New certificates are compared with the columns of old ones, so these must be right."""
    centre = copy_of(mould, tmp_path)
    assert broken_later(centre) == set()
    change(
        centre,
        f"UPDATE certificate SET spki_sha256 = '{'0' * 64}', serial = '{'0' * 40}' "
        f"WHERE {SIGN_CERTIFICATE}",
    )
    found = broken_later(centre)
    centre.store.close()
    assert found == {"HC-4.6-01", "HC-7.1-03"}


def broken_later(centre: Centre) -> set[str]:
    """The controls that certificates break in a period after all that was done."""
    with centre.store.read() as tx:
        later = replace(run_of(centre, tx), first=date(2026, 12, 1), last=date(2026, 12, 31))
        found = walk(later, CERTIFICATES).outcomes[AuditKind.SIGN]
    return {one for one, outcome in found.items() if outcome.count}


def test_every_check_has_a_fault() -> None:
    assert {one.control for one in CASES} == MINE


def test_damaged_rows_are_named_and_end_nothing(mould: Centre, tmp_path: Path) -> None:
    """Whatever is no certificate, JSON, time or word of the table is a violation of its row."""
    centre = copy_of(mould, tmp_path)
    change(
        centre,
        "PRAGMA ignore_check_constraints = ON",
        "UPDATE certificate SET certificate_der = x'3003020101' WHERE usage = 'AUTH'",
        f"UPDATE certificate SET not_after = 'soon', state = 'LOST' WHERE {SIGN_CERTIFICATE}",
        "UPDATE issue_order SET dossier = '{', statement_ids = '['",
        "UPDATE trail_entry SET body = '[' WHERE code IN ('CERT.ISSUE', 'CARD.KEYGEN')",
        "UPDATE list_entry SET entry_der = x'30'",
    )
    found = violations(centre)
    centre.store.close()
    assert {"HC-4.8-01", "HC-7.1-03", "HC-7.1-06", "HC-4.3-03", "HC-4.9.10-01"} <= found.keys()
    named = {said.split(" ")[1] for said in found["HC-7.1-06"]}
    assert len(named) == 3, found["HC-7.1-06"]


def test_whatever_is_removed_or_moved_away_is_named(mould: Centre, tmp_path: Path) -> None:
    """Rows that leave the population of their own control are missed by the trail's."""
    centre = copy_of(mould, tmp_path)
    examined = "WHERE type = 'EXAMINATION' AND object_id ="
    change(
        centre,
        "UPDATE statement SET body = replace(body, 'EXAMINED', 'examined') "
        f"{examined} 'T2026-0001'",
        f"UPDATE statement SET operator_id = 'toroku' {examined} 'T2026-0002'",
        "UPDATE certificate SET reserved_seq = 999999 "
        "WHERE usage = 'AUTH' AND order_id LIKE 'T2026-0001%'",
        "UPDATE revocation_list SET state = 'NUMBERED' WHERE issuer_id = 'sign' AND number = 2",
        "UPDATE revocation_list SET this_update = '2020-01-01 00:00:00.000000' "
        "WHERE issuer_id = 'sign' AND number = 3",
        "UPDATE revocation_list SET published_at = '2026-11-20 00:00:00.000000' "
        "WHERE issuer_id = 'auth' AND number = 2",
        "UPDATE revocation_list SET high_water_seq = 0 WHERE issuer_id = 'auth' AND number = 3",
    )
    found = violations(centre)
    centre.store.close()
    forward, reverse = (
        {re.sub("[0-9a-f]{40}", "…", said.split("differs: ")[1]) for said in found[control]}
        for control in ("HC-5.4.1-01", "HC-5.4.1-02")
    )
    assert forward == {
        "statement T2026-0001 has another signed",
        "statement T2026-0002 has another operator",
        "reservation auth:… has a row and no entry",
        "list sign:3 has another at",
        "list auth:2 has another published_at",
        "list auth:3 has another high_water_seq",
    }
    assert reverse == {
        "reservation auth:… has an entry and no row",
        "list sign:2 has an entry and no row",
    }


def test_documents_are_those_of_the_trail(mould: Centre, tmp_path: Path) -> None:
    """Approved when the trail says, whatever the column; and none of them is gone."""
    centre = copy_of(mould, tmp_path)
    later = "at = '2026-11-25 00:00:00.000000'"
    change(centre, f"UPDATE trail_entry SET {later} WHERE code = 'DOC.PUBLISH'")
    assert violations(centre)["HC-9.12-01"] == [
        "document cps 1.0 was approved after it took effect"
    ]
    change(centre, "DELETE FROM public_document")
    found = violations(centre)
    centre.store.close()
    gone = ["document cps-1.0.pdf was released and is not there"]
    assert (found["HC-2.2-01"], found["HC-9.12-01"]) == (gone, gone)


def test_a_newer_list_excuses_no_late_one(mould: Centre, tmp_path: Path) -> None:
    """One that a newer list overtook in time need not be published; a day later is too late."""
    centre = copy_of(mould, tmp_path)
    third = "WHERE issuer_id = 'sign' AND number = 3"
    change(centre, f"UPDATE revocation_list SET published_at = NULL, state = 'STORED' {third}")
    (late,) = violations(centre)["HC-4.9.8-01"]
    assert late.startswith("list sign FULL 3 took ")
    change(
        centre,
        "UPDATE revocation_list SET published_at = "
        f"(SELECT this_update FROM revocation_list {third}) "
        "WHERE issuer_id = 'sign' AND number = 4",
    )
    assert "HC-4.9.8-01" not in violations(centre)
    centre.store.close()


@pytest.mark.parametrize("edit", ["not_after = '2020-01-01 00:00:00.000000'", "seq = 99999"])
def test_no_entry_is_made_to_leave_the_lists(mould: Centre, tmp_path: Path, edit: str) -> None:
    """Its own end and position decide on which lists it must stand: they are the certificate's."""
    centre = copy_of(mould, tmp_path)
    change(centre, f"UPDATE list_entry SET {edit} WHERE series = 'sign/FULL/0'")
    (found,) = violations(centre)["HC-4.9.10-01"]
    centre.store.close()
    assert found.startswith("lists sign FULL drop ")


def test_a_revocation_is_on_no_list_made_before_it(mould: Centre, tmp_path: Path) -> None:
    centre = copy_of(mould, tmp_path)
    change(centre, "UPDATE revocation SET crl_number = 1")
    found = violations(centre)["HC-4.9.5-01"]
    centre.store.close()
    assert all(" took 7" in said for said in found)
    assert len(found) == 2


@pytest.mark.parametrize(
    "edit", ["UPDATE certificate SET carrier_id = NULL", "UPDATE carrier SET kind = 'FILE'"]
)
def test_no_certificate_leaves_its_card(mould: Centre, tmp_path: Path, edit: str) -> None:
    """On a card its key was made and its pair lies: the controls of both ask for the carrier."""
    centre = copy_of(mould, tmp_path)
    change(centre, f"{edit} WHERE order_id LIKE 'T2026-0001%'")
    found = violations(centre)
    centre.store.close()
    assert {said.partition(":")[0] for said in found["HC-4.3-03"]} == {
        "certificate sign",
        "certificate auth",
    }
    assert all("differs from its order in carrier" in said for said in found["HC-4.3-03"])


def subject_again(centre: Centre) -> None:
    """The subject of one issued before the period, whose row is made to fit the new holder."""
    with centre.store.engine.connect() as connection:
        query = "SELECT holder_id, id FROM issue_order ORDER BY id"
        (_, first), (holder, _) = connection.exec_driver_sql(query).all()
    _, old = certificate_of(centre, f"usage = 'SIGN' AND order_id = '{first}'")

    def edit(parts: Parts) -> None:
        parts.subject = old.subject

    forge(centre, edit, "usage = 'SIGN' AND order_id LIKE 'T2026-0002%'")
    subject = hashlib.sha256(old.subject.public_bytes()).hexdigest()
    put(centre, "holder_subject", f"subject_sha256 = '{subject}'", holder_id=holder)
    change(centre, f"UPDATE certificate SET issued_seq = -1 WHERE order_id = '{first}'")


def subject_of_a_ca(centre: Centre) -> None:
    _, authority = certificate_of(centre, CA_CERTIFICATE)

    def edit(parts: Parts) -> None:
        parts.subject = authority.subject

    forge(centre, edit, order_id=None)


def pair_from_before(centre: Centre) -> None:
    """The first of each card was issued before the period."""
    forge(centre, another_name)
    firsts = "SELECT min(id) FROM certificate WHERE carrier_id IS NOT NULL GROUP BY carrier_id"
    change(centre, f"UPDATE certificate SET issued_seq = -1 WHERE id IN ({firsts})")


def test_a_ca_that_writes_no_japanese_names_makes_no_other_pair(
    mould: Centre, tmp_path: Path
) -> None:
    centre = copy_of(mould, tmp_path)
    forge(centre, another_name)
    change(centre, "UPDATE issuer SET japanese_names = 0 WHERE id = 'auth'")
    found = violations(centre)
    centre.store.close()
    assert "HC-7.1-05" not in found


def same_serial(centre: Centre) -> None:
    _, other = certificate_of(centre, "usage = 'SIGN' AND order_id LIKE 'T2026-0002%'")

    def edit(parts: Parts) -> None:
        parts.serial = other.serial_number

    forge(centre, edit)


def foreign_signature(centre: Centre) -> None:
    row, _ = certificate_of(centre, SIGN_CERTIFICATE)
    der = row["certificate_der"]
    put(centre, "certificate", f"id = {row['id']}", certificate_der=der[:-1] + bytes([der[-1] ^ 1]))


def foreign_list(centre: Centre) -> None:
    path = centre.folder / "lists" / "sign-5.crl"
    made = path.read_bytes()
    made = made[:-1] + bytes([made[-1] ^ 1])
    path.write_bytes(made)
    sha256 = hashlib.sha256(made).hexdigest()
    put(centre, "revocation_list", "issuer_id = 'sign' AND number = 5", sha256=sha256)


@pytest.mark.parametrize(
    ("control", "fault", "fact"),
    [
        ("HC-3.1-01", subject_again, "has the subject of another holder"),
        ("HC-4.3-01", subject_of_a_ca, "has no order"),
        (
            "HC-4.9.10-01",
            lambda centre: forge_list(centre, 1, empty=True, entries=0),
            "list sign FULL 5 4 lacked ",
        ),
        ("HC-7.1-03", same_serial, "has the serial number of another"),
        ("HC-7.1-05", pair_from_before, "has another subjectAltName than its pair"),
        ("HC-7.1-06", foreign_signature, "is not signed by its CA"),
        ("HC-7.2-01", foreign_list, "is unsound"),
    ],
)
def test_what_else_a_control_asks_for(
    mould: Centre, tmp_path: Path, control: str, fault: Fault, fact: str
) -> None:
    """Beside what its fault above shows."""
    centre = copy_of(mould, tmp_path)
    fault(centre)
    found = violations(centre)[control]
    centre.store.close()
    assert [said for said in found if fact in said], found


@pytest.mark.parametrize(
    ("rules", "control", "fails"),
    [
        ({"CRL_TARGET_H": 1}, "HC-4.9.7-01", False),
        ({"CRL_INTERVAL_H": 23}, "HC-4.9.7-01", True),
        ({"CRL_VALIDITY_H": 95}, "HC-4.9.7-02", True),
        ({"PIN_RETRY": 14}, "HC-6.4-03", True),
        ({"CERT_MAX_YEARS": 4}, "HC-6.3-01", True),
    ],
)
def test_each_limit_is_its_own_number(
    mould: Centre, rules: dict[str, int], control: str, fails: bool
) -> None:
    """The rhythm aimed at is no limit."""
    centre = replace(mould, parameters=Parameters(rules))
    assert (control in violations(centre)) is fails


def test_an_audit_after_its_period_reads_the_periods_last_list(
    mould: Centre, tmp_path: Path
) -> None:
    centre = copy_of(mould, tmp_path)
    forge_list(centre, 1, empty=True, entries=0)
    with centre.store.read() as tx:
        run = run_of(centre, tx)
        run = replace(run, last=run.moment.day - timedelta(days=1))
        found = walk(run, LISTS).outcomes[AuditKind.SIGN]["HC-4.9.10-01"]
    centre.store.close()
    (fault,) = found.violations
    assert (fault.row, fault.fact.en[:17]) == ("list sign FULL 4", "lacks the revoked")
