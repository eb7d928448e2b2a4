"""A CA whose list is split: each certificate names its part for ever, and stands on no other."""

from __future__ import annotations

import os
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from cryptography import x509
from cryptography.hazmat.primitives.serialization import Encoding
from sqlmodel import select

from ca.carriers import card_carrier
from ca.foreign_orders import ForeignOrders
from ca.records import Certificate, Issuer, ListEntry
from pki.errors import InvalidInput, Refused
from pki.findings import Severity
from pki.reading.objects import read_object
from pki.serials import Entropy
from pki.validation import PathInputs, verify_path
from pki.validity import japan_date
from policies.lint.corpus import Corpus, Options
from policies.profiles import CrlProfile, Profiles, Purpose, shipped_profiles
from policies.profiles.model import ShardRule
from ra.handover.judging import Judge
from tests.flows.conftest import CEREMONY, Centre, Moulds, lent
from tests.flows.issuing import (
    accept,
    certificate,
    content,
    dossier,
    issue,
    open_batch,
    prepare,
    refused,
    revoke,
    rows,
)
from tests.flows.test_lists import numbers, published, revoked, serials
from tests.flows.test_orders import ClosedBackend, with_keys

if TYPE_CHECKING:
    from tests.postgres import Server

PROFILE = "crl-sub-ca-split"
COUNT = 8
SPLIT = CEREMONY.replace(b'"crl-sub-ca"', f'"{PROFILE}"'.encode(), 1).replace(
    b"/sign.crl", b"/sign-{shard}.crl"
)
REPOSITORY = "http://repository.test/"
SIGN, AUTH = Purpose.SIGN, Purpose.AUTH


@pytest.fixture
def centre(moulds: Moulds, database: Server | None, tmp_path: Path) -> Iterator[Centre]:
    """A centre whose signing CA has a split list, and whose authentication CA has not."""
    yield from lent(moulds, tmp_path, database, SPLIT)


def let_serials_end(centre: Centre, last_octet: int) -> None:
    """Let every serial number taken from now on end in this octet, which decides the part."""
    entropy: Entropy = lambda size: os.urandom(size - 1) + bytes((last_octet,))  # noqa: E731
    centre.issuance = replace(centre.issuance, entropy=entropy)
    centre.orders = replace(centre.orders, issuance=centre.issuance)


def change_profile(centre: Centre, **changes: object) -> None:
    """Let two managers approve another list profile of the signing CA."""
    shipped = shipped_profiles()
    changed: CrlProfile = shipped.crl(PROFILE).model_copy(update=changes)
    centre.profiles = Profiles(shipped.certificates, {**shipped.lists, PROFILE: changed})
    centre.approve_policy()


def shards(count: int) -> ShardRule:
    return ShardRule(count=count, source="ours", firm="PROPOSAL")


def list_uris(made: x509.Certificate) -> list[str]:
    """The URIs at which the certificate says that its list is."""
    points = made.extensions.get_extension_for_class(x509.CRLDistributionPoints).value
    names = [name for point in points for name in point.full_name or ()]
    return [one.value for one in names if isinstance(one, x509.UniformResourceIdentifier)]


def point_of(parsed: x509.CertificateRevocationList) -> x509.IssuingDistributionPoint:
    found = parsed.extensions.get_extension_for_class(x509.IssuingDistributionPoint)
    assert found.critical
    return found.value


def authority_der(centre: Centre, name: str) -> bytes:
    with centre.store.read() as tx:
        return tx.get_one(Issuer, name).certificate_der or b""


def verify(centre: Centre, made: x509.Certificate, *lists: str) -> None:
    """Validate the path of a signing certificate with these lists and the root's two."""
    rule = shipped_profiles().certificate("ee-sign").certificate_policies
    assert rule is not None
    served = [centre.folder / "public" / name for name in ("rarl.crl", "sarl.crl", *lists)]
    inputs = PathInputs(
        authority_der(centre, "root"),
        [authority_der(centre, "sign")],
        [path.read_bytes() for path in served],
        rule.oid(centre.kind),
        centre.now,
    )
    verify_path(made.public_bytes(Encoding.DER), inputs)


def test_a_certificate_names_the_part_that_its_serial_number_gives(centre: Centre) -> None:
    for number, last_octet in ((1, 0x10), (2, 0x1D), (3, 0xFF)):
        let_serials_end(centre, last_octet)
        carrier, shard = issue(centre, number), last_octet % COUNT
        row, made = rows(centre, carrier)[SIGN], certificate(centre, carrier, SIGN)
        assert (row.shard, int(row.serial, 16) % COUNT) == (shard, shard)
        assert list_uris(made) == [f"{REPOSITORY}sign-{shard}.crl"]
        assert rows(centre, carrier)[AUTH].shard == 0
        assert list_uris(certificate(centre, carrier, AUTH)) == [f"{REPOSITORY}auth.crl"]
    below = x509.load_der_x509_certificate(authority_der(centre, "sign"))
    assert list_uris(below) == [f"{REPOSITORY}sarl.crl"]


def test_every_part_has_its_list_and_all_share_one_counter(centre: Centre) -> None:
    made = centre.due()
    assert numbers(made) == [
        ("root", "RARL", 1),
        ("root", "SARL", 2),
        ("auth", "FULL", 1),
        *(("sign", "FULL", number + 1) for number in range(COUNT)),
    ]
    assert [row.shard for row in made[3:]] == list(range(COUNT))
    for shard in range(COUNT):
        parsed = published(centre, f"sign-{shard}.crl")
        uri = x509.UniformResourceIdentifier(f"{REPOSITORY}sign-{shard}.crl")
        point = point_of(parsed)
        assert point.full_name == [uri]
        flags = (
            point.only_contains_user_certs,
            point.only_contains_ca_certs,
            point.only_contains_attribute_certs,
            point.indirect_crl,
        )
        assert (flags, point.only_some_reasons) == ((False,) * 4, None)
    with pytest.raises(x509.ExtensionNotFound):
        point_of(published(centre, "auth.crl"))
    centre.pass_time(hours=24)
    again = [row for row in centre.due() if row.issuer_id == "sign"]
    assert [row.number for row in again] == list(range(COUNT + 1, 2 * COUNT + 1))


def test_a_revocation_makes_only_the_list_of_its_part_due(centre: Centre) -> None:
    let_serials_end(centre, 5)
    first = issue(centre, 1)
    let_serials_end(centre, 6)
    second = issue(centre, 2)
    centre.due()
    before = {path.name: path.read_bytes() for path in (centre.folder / "public").iterdir()}
    centre.pass_time(minutes=1)
    revoke(centre, first)
    assert [(row.issuer_id, row.shard, row.number) for row in centre.due()] == [
        ("auth", 0, 2),
        ("sign", 5, COUNT + 1),
    ]
    after = {path.name: path.read_bytes() for path in (centre.folder / "public").iterdir()}
    changed = {name for name in after if after[name] != before.get(name)}
    assert {name for name in changed if name.endswith(".crl")} == {"auth.crl", "sign-5.crl"}
    serial = int(rows(centre, first)[SIGN].serial, 16)
    assert serials(published(centre, "sign-5.crl")) == [serial]
    ((_, revocation),) = revoked(centre, "sign")
    assert (revocation.crl_number, revocation.published_at) == (COUNT + 1, centre.now)
    assert centre.due() == []
    revoke(centre, second)
    assert [(row.issuer_id, row.shard, row.number) for row in centre.due()] == [
        ("auth", 0, 3),
        ("sign", 6, COUNT + 2),
    ]
    assert len(published(centre, "sign-5.crl")) == len(published(centre, "sign-6.crl")) == 1


def test_the_path_is_valid_by_the_certificates_own_part_alone(centre: Centre) -> None:
    let_serials_end(centre, 3)
    good, bad = issue(centre, 1), issue(centre, 2)
    revoke(centre, bad)
    centre.pass_time(minutes=1)
    centre.due()
    made = certificate(centre, good, SIGN)
    verify(centre, made, "sign-3.crl")
    verify(centre, made, *(f"sign-{shard}.crl" for shard in range(COUNT)))
    others = [f"sign-{shard}.crl" for shard in range(COUNT) if shard != 3]
    refused(Refused, "pki.path.invalid", lambda: verify(centre, made, *others))
    of_bad = certificate(centre, bad, SIGN)
    refusal = refused(Refused, "pki.path.invalid", lambda: verify(centre, of_bad, "sign-3.crl"))
    assert "revoked" in refusal.text
    refused(Refused, "pki.path.invalid", lambda: verify(centre, of_bad, *others))


def test_the_checks_know_the_parts(centre: Centre) -> None:
    let_serials_end(centre, 3)
    made = certificate(centre, issue(centre, 1), SIGN).public_bytes(Encoding.DER)
    centre.due()
    octets = [(centre.folder / "public" / f"sign-{shard}.crl").read_bytes() for shard in range(8)]
    corpus = Corpus(Options(centre.profiles, strict=True))
    for one in (made, authority_der(centre, "sign"), authority_der(centre, "root"), *octets):
        corpus.add("", read_object(one))
    for shard, one in enumerate(octets):
        verdict = corpus.judge("", read_object(one))
        assert verdict.profile == PROFILE
        found = [(one.code, one.severity) for one in verdict.findings]
        assert found == ([] if shard == 3 else [("H099", Severity.INFO)])


def test_parts_once_used_go_on_when_fewer_are_made(centre: Centre) -> None:
    let_serials_end(centre, 7)
    old = issue(centre, 1)
    centre.due()
    change_profile(centre, shards=shards(2))
    let_serials_end(centre, 7)
    new = issue(centre, 2)
    assert [rows(centre, one)[SIGN].shard for one in (old, new)] == [7, 1]
    assert list_uris(certificate(centre, new, SIGN)) == [f"{REPOSITORY}sign-1.crl"]
    centre.pass_time(minutes=1)
    revoke(centre, old)
    assert [(row.issuer_id, row.shard) for row in centre.due()] == [("auth", 0), ("sign", 7)]
    assert len(published(centre, "sign-7.crl")) == 1
    centre.pass_time(hours=24)
    made = [row.shard for row in centre.due() if row.issuer_id == "sign"]
    assert made == list(range(COUNT))


def test_a_part_that_only_certificates_name_has_its_list(centre: Centre) -> None:
    """The count was lowered before any list was made."""
    let_serials_end(centre, 5)
    issue(centre, 1)
    change_profile(centre, shards=shards(2))
    assert [row.shard for row in centre.due() if row.issuer_id == "sign"] == list(range(6))


def test_more_parts_leave_what_is_issued_where_it_is(centre: Centre) -> None:
    let_serials_end(centre, 0x0F)
    old = issue(centre, 1)
    change_profile(centre, shards=shards(16))
    let_serials_end(centre, 0x0F)
    new = issue(centre, 2)
    assert [rows(centre, one)[SIGN].shard for one in (old, new)] == [7, 15]
    for carrier in (old, new):
        revoke(centre, carrier)
    centre.due()
    for carrier, name in ((old, "sign-7.crl"), (new, "sign-15.crl")):
        assert serials(published(centre, name)) == [int(rows(centre, carrier)[SIGN].serial, 16)]


def test_a_reservation_is_finished_for_the_part_that_it_names(centre: Centre) -> None:
    """A crash before the signature; when it is taken up again the profile has fewer parts."""
    let_serials_end(centre, 6)
    order = accept(centre, dossier())
    carrier, batch = card_carrier("00000101", order.id), open_batch(centre, order.id)
    prepared = prepare(centre, order.id, SIGN, 1)
    broken = with_keys(centre, ClosedBackend())
    with pytest.raises(AssertionError, match="the key sign was opened"):
        broken.issue(prepared, order.id, SIGN, carrier, batch)
    change_profile(centre, shards=shards(4))
    batch = open_batch(centre, order.id, batch_id="batch-2")
    again = prepare(centre, order.id, SIGN, 1)
    made = centre.orders.issue(again, order.id, SIGN, carrier, batch)
    row = rows(centre, carrier)[SIGN]
    assert (row.shard, list_uris(made)) == (6, [f"{REPOSITORY}sign-6.crl"])
    assert (made.serial_number, prepared.twin.serial_number) == (int(row.serial, 16),) * 2


def test_a_reservation_moved_to_another_part_is_not_signed(centre: Centre) -> None:
    let_serials_end(centre, 6)
    order = accept(centre, dossier())
    carrier, batch = card_carrier("00000101", order.id), open_batch(centre, order.id)
    prepared = prepare(centre, order.id, SIGN, 1)
    with pytest.raises(AssertionError, match="the key sign was opened"):
        with_keys(centre, ClosedBackend()).issue(prepared, order.id, SIGN, carrier, batch)
    with centre.store.begin() as tx:
        tx.get_one(Certificate, rows(centre, carrier)[SIGN].id).shard = 5
    refused(
        Refused,
        "ca.issue.differs",
        lambda: centre.orders.issue(prepared, order.id, SIGN, carrier, batch),
    )


def test_a_row_moved_to_another_part_hides_no_revocation(centre: Centre) -> None:
    """Before the revocation it is refused, and after it the list is."""
    let_serials_end(centre, 6)
    first, second = issue(centre, 1), issue(centre, 2)
    centre.due()
    with centre.store.begin() as tx:
        tx.get_one(Certificate, rows(centre, first)[SIGN].id).shard = 5
    refused(Refused, "ca.shard.changed", lambda: revoke(centre, first))
    row = revoke(centre, second)[0]
    assert (row.issuer_id, row.shard) == ("sign", 6)
    with centre.store.begin() as tx:
        tx.get_one(Certificate, row.id).shard = 5
        (entry,) = (one for one in tx.exec(select(ListEntry)) if one.series == "sign/FULL/6")
        moved = entry.model_dump() | {"series": "sign/FULL/5"}
        tx.delete(entry)
        tx.flush()
        tx.add(ListEntry(**moved))
    refused(Refused, "ca.shard.changed", centre.due)
    assert len(published(centre, "sign-5.crl")) == 0


def test_a_profile_that_no_longer_splits_stops_the_ca(centre: Centre) -> None:
    """Its certificates say where their lists are, and that cannot be taken back."""
    change_profile(centre, shards=None, issuing_distribution_point=None)
    refusal = refused(
        InvalidInput, "ca.ceremony.file", lambda: centre.lists.issue("sign", "SYSTEM")
    )
    assert refusal.text == (
        "the ceremony file: sign: crl_uri has {shard}, but crl-sub-ca-split does not split the list"
    )
    order = accept(centre, dossier())
    refused(InvalidInput, "ca.ceremony.file", lambda: prepare(centre, order.id, SIGN, 1))


def test_another_organisation_accepts_its_part_and_no_other_uri(centre: Centre) -> None:
    let_serials_end(centre, 4)
    made = certificate(centre, issue(centre, 1), SIGN).public_bytes(Encoding.DER)
    with centre.store.read() as tx:
        register = ForeignOrders(centre.orders).register_content(tx, "DEMO Centre")
    (sign,) = (one for one in register.authorities if one.id == "sign")
    assert sign.crl_uri == f"{REPOSITORY}sign-{{shard}}.crl"

    def judge(crl_uri: str) -> None:
        authority = sign.model_copy(update={"crl_uri": crl_uri})
        judge = Judge([authority], centre.profiles, centre.kind, centre.now)
        judge.verify(made, content(), SIGN, japan_date(centre.now))

    judge(sign.crl_uri)
    judge(f"{REPOSITORY}sign-4.crl")
    for other in (
        f"{REPOSITORY}sign-5.crl",
        f"{REPOSITORY}sign-",
        f"{REPOSITORY}auth-{{shard}}.crl",
        "http://elsewhere.test/sign-{shard}.crl",
    ):
        refused(Refused, "ra.result.differs", lambda other=other: judge(other))  # type: ignore[misc]
