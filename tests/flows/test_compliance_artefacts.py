"""Public HPKI artefacts under the audit's controls on certificates and lists, where they are."""

from __future__ import annotations

import shutil
from collections.abc import Iterable, Iterator
from contextlib import ExitStack
from dataclasses import replace
from datetime import date
from hashlib import sha256
from pathlib import Path
from typing import Any

import pytest
from cryptography import x509
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from ca.issuers import signing_hash
from ca.records import CertificateState, Issuer, Series
from crl.archive import Archive
from crl.records import ListState, RevocationList
from pki.names import text
from pki.reading.certificate import read_certificate
from pki.serials import serial_hex
from policies.exchange import Part
from policies.parameters import Parameters
from policies.profiles import ListScope, shipped_profiles
from policies.site import SiteKind
from reports.compliance.certificates import Beside, CertificateRow, Entry
from reports.compliance.checks import CERTIFICATES
from reports.compliance.engine import Ledger, R, walk
from reports.compliance.list_checks import LISTS
from reports.compliance.lists import ListRow
from reports.compliance.results import Outcome
from reports.compliance.run import Run, kinds_of
from reports.compliance.signers import Signer
from tests.golden.test_real import AUTH, CARD, ISSUER, KIND, PROFILE, REAL, ROOT, SIGN

pytestmark = pytest.mark.skipif(
    not REAL.is_dir(), reason=f"REAL HPKI ARTEFACTS ARE ABSENT: {REAL} (not part of the project)"
)

BEHIND = "it is about what its centre keeps: order, application, card, trail"
UNASKED = {
    "certificates": {
        "HC-3.1-01": BEHIND,
        "HC-3.1-02": BEHIND,
        "HC-3.2.1-01": BEHIND,
        "HC-4.3-01": BEHIND,
        "HC-4.3-02": BEHIND,
        "HC-4.3-03": BEHIND,
        "HC-4.8-01": BEHIND,
        "HC-6.1-03": BEHIND,
        "HC-7.1-05": "the other certificate of the test card is not public",
    },
    "lists": {
        "HC-4.9.7-01": "no list is the one that came next after another",
        "HC-4.9.8-01": "when a list was published stands in its centre's records",
        "HC-4.9.10-01": "what was revoked stands in its centre's records",
        "HC-4.9.10-02": "when certificates ended that left the list is not known",
    },
}
"""What nobody can ask of an artefact alone."""

COUNTED_UP = {
    f"HC-7.1-06 certificate {issuer}:{serial:040x} breaks the rule R105"
    for issuer, serial in ((ROOT, 1), (ROOT, 4), (ROOT, 5), (SIGN, 111))
}
"""HC-7.1-06 judges as if we were to sign now, with 64 random bits (a PROPOSAL) and no counter."""

LIST_URI = {
    ROOT: "http://hpki.mhlw.go.jp/repository/rlist/sarl2.crl",
    SIGN: "http://cert.medis.or.jp/sign/crl-sign2.crl",
}
ROOTS_URI = "http://hpki.mhlw.go.jp/repository/rlist/rarl2.crl"
LISTS_OF = {
    "medis_sign_crl_409_2017-04-24": (SIGN, ListScope.FULL, 409),
    "mhlw_root_rarl_1232_2017-04-25": (ROOT, ListScope.RARL, 1232),
    "mhlw_root_sarl_1233_2017-04-25": (ROOT, ListScope.SARL, 1233),
    "medis_sign_crl_1470_2022-09-06": (SIGN, ListScope.FULL, 1470),
}
PROFILES, PARAMETERS = shipped_profiles(), Parameters()


def authority(folder: Path, file: str) -> Signer:
    """The CA as if it were one of this site; its key as old as its certificate."""
    profile = PROFILES.certificate(PROFILE[file])
    lists = PROFILES.crl("crl-root" if file == ROOT else "crl-sub-ca")
    der = (folder / f"{file}.cer").read_bytes()
    issuer = Issuer(
        id=file,
        ceremony_id="",
        purpose=profile.purpose,
        profile=profile.id,
        crl_profile=lists.id,
        subject_der=read_certificate(der).subject.der,
        key_label=file,
        cps_uri="",
        crl_uri=LIST_URI[file],
        own_list_uri=ROOTS_URI if file == ROOT else None,
        certificate_der=der,
        issues="[]",
        japanese_names=True,
    )
    years = int(PARAMETERS.value("CA_KEY_USE_YEARS"))
    hash_name = signing_hash(issuer, PROFILES)
    return Signer(issuer, kinds_of(profile.purpose), hash_name, lists, None, years)


def certificate_rows(folder: Path, site: SiteKind) -> Iterator[CertificateRow]:
    """The certificates, each beside the numbers and keys of all."""
    made = [certificate_row(folder, number, one, site) for number, one in enumerate(ISSUER)]
    keys = {one.data["spki_sha256"]: one.data["id"] for one in reversed(made)}
    serials = {(one.data["issuer_id"], one.data["serial"]): one.data["id"] for one in made[::-1]}
    for one in made:
        issued = Entry(1, one.data["not_before"], "CERT.ISSUE", "OK", "", None)
        yield replace(one, beside=Beside({1: issued}, {}, {}, {}, keys, serials, {}))


def certificate_row(folder: Path, number: int, file: str, site: SiteKind) -> CertificateRow:
    """The certificate with the columns that another parser gives it, issued when it begins."""
    der = (folder / f"{file}.cer").read_bytes()
    real = x509.load_der_x509_certificate(der)
    spki = real.public_key().public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)
    profile = PROFILES.certificate(PROFILE[file])
    data = {
        "id": number,
        "issuer_id": ISSUER[file],
        "serial": serial_hex(real.serial_number),
        "carrier_id": None,
        "dossier": None,
        "usage": profile.purpose,
        "shard": 0,
        "profile": profile.reference,
        "state": CertificateState.ISSUED.value,
        "subject": text(real.subject),
        "not_before": real.not_valid_before_utc,
        "not_after": real.not_valid_after_utc,
        "spki_sha256": sha256(spki).hexdigest(),
        "tbs_der": real.tbs_certificate_bytes,
        "certificate_der": der,
        "sha256": sha256(der).hexdigest(),
        "issued_seq": 1,
    }
    signer = authority(folder, ISSUER[file])
    read = [read_certificate((folder / f"{one}.cer").read_bytes()) for one in (ROOT, SIGN, AUTH)]
    authorities = {(one.subject.der, one.public_key.der) for one in read}
    in_period = KIND[file] is site
    return CertificateRow(data, signer, profile, in_period, frozenset(authorities))


def list_rows(folder: Path, opened: ExitStack) -> Iterator[ListRow]:
    """The lists in the order of their thisUpdate, which is taken for the one of their making."""
    before: dict[Series, ListRow] = {}
    for seq, (file, (issuer, scope, number)) in enumerate(LISTS_OF.items()):
        octets = (folder / f"{file}.crl").read_bytes()
        real = x509.load_der_x509_crl(octets)
        row = RevocationList(
            issuer_id=issuer,
            scope=scope,
            number=number,
            state=ListState.PUBLISHED,
            this_update=real.last_update_utc,
            next_update=real.next_update_utc,
            entries=len(real),
            octets=len(octets),
            sha256=sha256(octets).hexdigest(),
        )
        archive = Archive(folder)
        archive.list_path(row).write_bytes(octets)
        file_ = opened.enter_context(archive.open(row))
        made = (seq, real.last_update_utc)
        last = before.get(row.series)
        one = ListRow(row, authority(folder, issuer), file_, last, made, is_newest=False)
        before[row.series] = one
        yield one


def ask(run: Run, ledger: Ledger[R], rows: Iterable[R]) -> Iterator[tuple[str, Outcome]]:
    """What the ledger's controls say of these rows, but for those not to be asked."""
    checks = {one: make for one, make in ledger.checks.items() if one not in UNASKED[ledger.name]}
    found = walk(run, replace(ledger, rows=lambda _: rows, checks=checks))
    assert not found.broken
    for outcomes in found.outcomes.values():
        yield from outcomes.items()


def judge(folder: Path, site: SiteKind) -> tuple[set[str], set[str]]:
    """What breaks which control, and the controls that judged something, on a site of the kind."""
    absent: Any = None
    day = date(2026, 11, 1)
    parts: frozenset[Part] = frozenset(Part)
    archive = Archive(folder)
    run = Run(absent, absent, day, day, parts, site, PARAMETERS, PROFILES, absent, archive)
    with ExitStack() as opened:
        certificates = list(certificate_rows(folder, site))
        found = [
            *ask(run, CERTIFICATES, certificates),
            *ask(run, LISTS, list(list_rows(folder, opened))),
        ]
    broken = {
        f"{control} {one.row} {one.fact.en}"
        for control, outcome in found
        for one in outcome.violations
    }
    return broken, {control for control, outcome in found if outcome.population}


@pytest.fixture
def artefacts(tmp_path: Path) -> Path:
    """A copy of the artefacts, to be changed and archived."""
    return shutil.copytree(REAL, tmp_path / "artefacts")


def test_the_artefacts_break_one_rule_that_is_younger(artefacts: Path) -> None:
    """Every control was asked of some artefact or stands, with its reason, among the unasked."""
    production, many = judge(artefacts, SiteKind.PRODUCTION)
    trial, few = judge(artefacts, SiteKind.TRIAL)
    assert production | trial == COUNTED_UP
    unasked = {control for reasons in UNASKED.values() for control in reasons}
    assert many | few | unasked == CERTIFICATES.checks.keys() | LISTS.checks.keys()


@pytest.mark.parametrize(
    ("file", "site", "row"),
    [
        (f"{AUTH}.cer", SiteKind.PRODUCTION, f"HC-7.1-06 certificate {ROOT}:{5:040x} "),
        (f"{CARD}.cer", SiteKind.TRIAL, f"HC-7.1-06 certificate {SIGN}:{111:040x} "),
        ("medis_sign_crl_409_2017-04-24.crl", SiteKind.TRIAL, f"HC-7.2-01 list {SIGN} FULL 409 "),
    ],
    ids=["CA", "card", "list"],
)
def test_a_signature_that_is_not_the_cas_is_named(
    artefacts: Path, file: str, site: SiteKind, row: str
) -> None:
    octets = (artefacts / file).read_bytes()
    (artefacts / file).write_bytes(octets[:-1] + bytes([octets[-1] ^ 1]))
    found = judge(artefacts, site)[0] - COUNTED_UP
    assert found
    assert all(one.startswith(row) for one in found)
