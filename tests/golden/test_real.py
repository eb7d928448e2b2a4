"""Our encoders and checks against real HPKI artefacts, where their folder stands beside us."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import rsa

from crl.building import ListFacts
from crl.checking import crl_number, verify_list
from pki import extensions
from pki.hcrole import decode_hc_roles, encode_hc_roles
from pki.names import with_common_name
from pki.reading.crl import read_list
from pki.reasons import Reason, entry_der
from pki.signing import spki_der, verify_signature
from policies.profiles import ListScope, shipped_profiles
from policies.site import SiteKind
from tests.golden.listing import to_be_signed
from tests.golden.test_certificates import extension_bytes

REAL = Path(__file__).resolve().parents[3] / "shared" / "data" / "hpki_public"

pytestmark = pytest.mark.skipif(
    not REAL.is_dir(), reason=f"REAL HPKI ARTEFACTS ARE ABSENT: {REAL} (not part of the project)"
)

ROOT = "mhlw_hpki_root_ca_v2"
SIGN = "medis_sign_ca"
AUTH = "medis_auth_ca"
CARD = "medis_sign_test_card_2017"
ISSUER = {ROOT: ROOT, SIGN: ROOT, AUTH: ROOT, CARD: SIGN}
PROFILE = {ROOT: "root", SIGN: "sub-ca-sign", AUTH: "sub-ca-auth", CARD: "ee-sign"}
KIND = {
    ROOT: SiteKind.PRODUCTION,
    SIGN: SiteKind.PRODUCTION,
    AUTH: SiteKind.PRODUCTION,
    CARD: SiteKind.TRIAL,
}


def certificate(file: str) -> x509.Certificate:
    return x509.load_der_x509_certificate((REAL / f"{file}.cer").read_bytes())


def public_key(of: x509.Certificate) -> rsa.RSAPublicKey:
    key = of.public_key()
    assert isinstance(key, rsa.RSAPublicKey)
    return key


def uri_of(value: str) -> str:
    """The one http URI in extension bytes, cut out without a parser."""
    found = re.findall(rb"http://[\x21-\x7e]+", bytes.fromhex(value))
    assert len(found) == 1
    return str(found[0], "ascii")


@pytest.mark.parametrize("file", ISSUER)
def test_our_encoders_give_the_real_bytes(file: str) -> None:
    real, issuer = certificate(file), certificate(ISSUER[file])
    found = extension_bytes(real)
    identifier = extensions.authority_key_identifier(
        public_key(issuer), issuer.issuer, issuer.serial_number
    )
    assert identifier.public_bytes().hex() == found["2.5.29.35"][1]
    own = extensions.subject_key_identifier(public_key(real))
    assert own.public_bytes().hex() == found["2.5.29.14"][1]
    profile = shipped_profiles().certificate(PROFILE[file])
    assert profile.distribution_points is not None
    usage = extensions.key_usage(profile.key_usage.bits)
    assert usage.public_bytes().hex() == found["2.5.29.15"][1]
    list_name = profile.distribution_points.directory_name
    directory = None
    if list_name is not None:
        directory = with_common_name(issuer.subject, list_name)
    points = extensions.distribution_points(uri_of(found["2.5.29.31"][1]), directory)
    assert points.public_bytes().hex() == found["2.5.29.31"][1]
    if profile.certificate_policies is not None:
        policies = extensions.certificate_policies(
            profile.certificate_policies.oid(KIND[file]), uri_of(found["2.5.29.32"][1])
        )
        assert policies.public_bytes().hex() == found["2.5.29.32"][1]
    critical = {oid for oid, (flag, _) in found.items() if flag}
    wanted = {"2.5.29.15"}
    wanted |= {"2.5.29.32"} if profile.certificate_policies else set()
    wanted |= {"2.5.29.19"} if profile.basic_constraints else set()
    assert critical == wanted


def test_hc_role_of_the_real_card() -> None:
    value = bytes.fromhex(extension_bytes(certificate(CARD))["2.5.29.9"][1])
    assert decode_hc_roles(value) == ("Medical Doctor",)
    assert encode_hc_roles(["Medical Doctor"]) == value


@pytest.mark.parametrize(
    ("file", "issuer", "scope", "number"),
    [
        ("medis_sign_crl_409_2017-04-24", SIGN, ListScope.FULL, 409),
        ("medis_sign_crl_1470_2022-09-06", SIGN, ListScope.FULL, 1470),
        ("mhlw_root_rarl_1232_2017-04-25", ROOT, ListScope.RARL, 1232),
        ("mhlw_root_sarl_1233_2017-04-25", ROOT, ListScope.SARL, 1233),
    ],
)
def test_our_list_of_the_same_facts_has_the_real_bytes(
    file: str, issuer: str, scope: ListScope, number: int
) -> None:
    octets = (REAL / f"{file}.crl").read_bytes()
    real, read = x509.load_der_x509_crl(octets), read_list(octets)
    verify_list(read, certificate(issuer), "SHA-256")
    assert crl_number(read) == number
    assert real.next_update_utc is not None
    entries = [
        entry_der(row.serial_number, row.revocation_date_utc, Reason.CESSATION_OF_OPERATION)
        for row in real
    ]
    facts = ListFacts(
        certificate(issuer),
        scope,
        number,
        real.last_update_utc,
        real.next_update_utc,
        "SHA-256",
    )
    ours = to_be_signed(facts, *entries)
    assert ours == real.tbs_certlist_bytes
    verify_signature(certificate(issuer).public_key(), real.signature, ours, "SHA-256")


def test_the_keys_encode_as_the_real_ones() -> None:
    real = certificate(CARD)
    assert spki_der(public_key(real)) in real.tbs_certificate_bytes
