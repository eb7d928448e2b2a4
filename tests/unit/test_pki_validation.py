"""Path validation: our own hierarchy is valid, revoked is revoked, and no length is special."""

from __future__ import annotations

from datetime import timedelta

import pytest
from asn1crypto import core
from asn1crypto import x509 as asn1
from cryptography import x509
from cryptography.hazmat.primitives.serialization import Encoding

from pki.errors import InvalidInput, Refused
from pki.reasons import Reason, entry_der
from pki.signing import assemble, sign
from pki.validation import PathInputs, verify_path
from policies.profiles import ListScope, Purpose
from tests.golden.listing import to_be_signed
from tests.golden.test_certificates import CONTENT, person, root, sub_ca
from tests.golden.test_lists import facts
from tests.golden.vectors import NOW, private_key

POLICY = "1.2.392.100495.1.5.1.1.0.1"


def signed_list(issuer: x509.Certificate, key: str, scope: ListScope, *entries: bytes) -> bytes:
    body = to_be_signed(facts(issuer, scope, 1), *entries)
    signer = private_key(key)
    return assemble(body, signer.public_key(), sign(signer, body, "SHA-256"), "SHA-256")


def inputs(*entries: bytes, policy: str = POLICY) -> PathInputs:
    lists = [
        signed_list(root(), "root", ListScope.RARL),
        signed_list(root(), "root", ListScope.SARL),
        signed_list(sub_ca(), "sub", ListScope.FULL, *entries),
    ]
    der = Encoding.DER
    return PathInputs(
        root().public_bytes(der),
        [sub_ca().public_bytes(der)],
        lists,
        policy,
        NOW + timedelta(hours=1),
    )


def named(length: int) -> bytes:
    """A person's certificate whose names have that many letters, 256 at most."""
    sizes = [max(1, min(64, length - 64 * place)) for place in range(4)]
    fields = ("common_name", "organization", "japanese_name", "japanese_organization")
    content = CONTENT.model_copy(
        update={name: "A" * size for name, size in zip(fields, sizes, strict=True)}
    )
    return person(Purpose.SIGN, content).public_bytes(Encoding.DER)


def length_octet(certificate_der: bytes) -> int:
    """The last octet of the length of tbsCertificate."""
    assert certificate_der[4:6] == b"\x30\x82"
    return certificate_der[7]


def test_no_length_of_a_certificate_is_special() -> None:
    """The octet 80 alone would say that the length is not known; at the end of one it does not."""
    found = {length_octet(made): made for made in map(named, range(1, 257))}
    for made in (found[0x7F], found[0x80], found[0x81]):
        parsed = asn1.Certificate.load(made)
        assert parsed["tbs_certificate"].dump() == (
            x509.load_der_x509_certificate(made).tbs_certificate_bytes
        )
        verify_path(made, inputs())


class Flags(core.SequenceOf):  # type: ignore[misc]
    _child_spec = core.Boolean


class Signed(core.Sequence):  # type: ignore[misc]
    _fields = [("good", core.Boolean), ("octets", core.OctetString)]  # noqa: RUF012


TRUE = b"\x01\x01\x01"  # BER; a new encoding gives 0101ff, so it shows


def test_only_what_is_indefinite_is_encoded_anew() -> None:
    octets = b"\x04\x7b" + bytes(0x7B)
    for kind, content in ((Flags, 128 * TRUE), (Signed, TRUE + octets)):
        size = len(content)
        assert size % 256 == 0x80
        length = b"\x82" + size.to_bytes(2, "big") if size > 255 else b"\x81" + bytes((size,))
        value = kind.load(b"\x30" + length + content)
        assert value.native
        assert value.dump() == b"\x30" + length + content
        anew = content.replace(TRUE, b"\x01\x01\xff")
        assert value.dump(force=True) == b"\x30" + length + anew
    endless = Flags.load(b"\x30\x80" + TRUE + b"\x00\x00")
    assert endless.native == [True]
    assert endless.dump() == b"\x30\x03\x01\x01\xff"


def test_revoked_foreign_and_unreadable() -> None:
    made = named(5)
    serial = x509.load_der_x509_certificate(made).serial_number
    with pytest.raises(Refused) as refusal:
        verify_path(made, inputs(entry_der(serial, NOW, Reason.CESSATION_OF_OPERATION)))
    assert refusal.value.code == "pki.path.invalid"
    assert "revoked" in refusal.value.text
    with pytest.raises(Refused, match="policies"):
        verify_path(made, inputs(policy="1.2.392.100495.1.5.1.2.0.1"))
    with pytest.raises(InvalidInput) as unread:
        verify_path(made + b"x", inputs())
    assert unread.value.code == "pki.path.unreadable"
