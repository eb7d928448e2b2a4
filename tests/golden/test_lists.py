"""The bytes of our revocation lists, against hexadecimal written by hand."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

import pytest
from asn1crypto import crl as asn1
from cryptography import x509

from crl.building import ListFacts
from pki.extensions import distribution_points
from pki.reasons import Reason, entry_der
from pki.signing import assemble, sign
from policies.profiles import ListScope
from tests.golden.listing import to_be_signed
from tests.golden.test_certificates import (
    ROOT_DN,
    ROOT_RDNS,
    SHA256_WITH_RSA,
    SUB_RDNS,
    authority_key,
    root,
    sub_ca,
)
from tests.golden.vectors import COMMON_NAME, NOW, name, private_key, rdn, tlv, utf8

THIS_UPDATE = tlv("17", b"261121030000Z".hex())
NEXT_UPDATE = tlv("17", b"261125030000Z".hex())
ENTRY_PLAIN = "3012 0201 6f 170d 3236313132313033303030305a"


def facts(issuer: x509.Certificate, scope: ListScope, number: int) -> ListFacts:
    return ListFacts(issuer, scope, number, NOW, NOW + timedelta(hours=96), "SHA-256")


def extension(oid: str, value: str, critical: str = "") -> str:
    return tlv("30", tlv("06", oid), critical, tlv("04", value))


def test_entries() -> None:
    with_reason = entry_der(0x83E3, NOW, Reason.CESSATION_OF_OPERATION).hex()
    content = "02030083e3" + THIS_UPDATE + tlv("30", extension("551d15", "0a0105"))
    assert with_reason == tlv("30", content)
    assert entry_der(0x6F, NOW, None).hex() == ENTRY_PLAIN.replace(" ", "")


def test_list_of_a_sub_ca() -> None:
    entries = (entry_der(0x6F, NOW, None), entry_der(0x83E3, NOW, Reason.CESSATION_OF_OPERATION))
    wanted = tlv(
        "30",
        "020101",
        SHA256_WITH_RSA,
        name(*SUB_RDNS),
        THIS_UPDATE,
        NEXT_UPDATE,
        tlv("30", entries[0].hex(), entries[1].hex()),
        tlv(
            "a0",
            tlv(
                "30",
                extension("551d23", authority_key("sub", ROOT_DN, "04")),
                extension("551d14", "020205be"),
            ),
        ),
    )
    assert to_be_signed(facts(sub_ca(), ListScope.FULL, 1470), *entries).hex() == wanted


@pytest.mark.parametrize(("scope", "number"), [(ListScope.RARL, "04d0"), (ListScope.SARL, "04d1")])
def test_lists_of_the_root(scope: ListScope, number: str) -> None:
    """Empty: no revokedCertificates at all. The IDP is critical, with the directory name alone."""
    point = tlv(
        "30",
        tlv("a0", tlv("a0", tlv("a4", name(*ROOT_RDNS, rdn(COMMON_NAME, utf8(scope.value)))))),
        "8201ff",
    )
    wanted = tlv(
        "30",
        "020101",
        SHA256_WITH_RSA,
        ROOT_DN,
        THIS_UPDATE,
        NEXT_UPDATE,
        tlv(
            "a0",
            tlv(
                "30",
                extension("551d23", authority_key("root", ROOT_DN, "01")),
                extension("551d14", "0202" + number),
                extension("551d1c", point, "0101ff"),
            ),
        ),
    )
    assert to_be_signed(facts(root(), scope, int(number, 16))).hex() == wanted


def test_list_of_a_shard() -> None:
    """The IDP is critical: fullName [0] in distributionPoint [0], one URI [6], nothing else."""
    uri = "http://repository.test/sign-11.crl"
    point = (
        "3028 a026 a024 8622 687474703a2f2f 7265706f7369746f72792e74657374 2f7369676e2d31312e63726c"
    )
    made = to_be_signed(replace(facts(sub_ca(), ListScope.FULL, 7), shard_uri=uri)).hex()
    wanted = tlv(
        "a0",
        tlv(
            "30",
            extension("551d23", authority_key("sub", ROOT_DN, "04")),
            extension("551d14", "020107"),
            extension("551d1c", point, "0101ff"),
        ),
    )
    assert made.endswith(wanted)
    assert distribution_points(uri).public_bytes().hex() == tlv("30", point)


def test_the_aki_is_the_one_in_certificates() -> None:
    """Byte for byte, as in real lists (profile 5.2)."""
    body = to_be_signed(facts(sub_ca(), ListScope.FULL, 1)).hex()
    assert extension("551d23", authority_key("sub", ROOT_DN, "04")) in body


def test_the_whole_list_is_read_by_others() -> None:
    entry = entry_der(0x83E3, NOW, Reason.CESSATION_OF_OPERATION)
    body = to_be_signed(facts(sub_ca(), ListScope.FULL, 7), entry)
    key = private_key("sub")
    octets = assemble(body, key.public_key(), sign(key, body, "SHA-256"), "SHA-256")
    parsed = x509.load_der_x509_crl(octets)
    assert parsed.is_signature_valid(key.public_key())
    found = parsed.get_revoked_certificate_by_serial_number(0x83E3)
    assert found is not None
    assert found.revocation_date_utc == NOW
    reason = found.extensions.get_extension_for_class(x509.CRLReason)
    assert (reason.critical, reason.value.reason) == (
        False,
        x509.ReasonFlags.cessation_of_operation,
    )
    second = asn1.CertificateList.load(octets, strict=True)
    assert second["tbs_cert_list"]["version"].native == "v2"
    assert second["tbs_cert_list"].dump() == body
