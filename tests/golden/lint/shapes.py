"""Parts of certificates in the shapes that the cases of the HPKI's rules need."""

from __future__ import annotations

from datetime import datetime
from hashlib import sha1

from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from pki import oids
from tests.golden.lint.case import Draft, private_key
from tests.golden.lint.tree import (
    Node,
    attribute,
    integer,
    node,
    oid,
    parse,
    sequence,
    set_of,
    text,
)

PRINTABLE, NUMERIC, TELETEX, IA5, UNIVERSAL, BMP = 0x13, 0x12, 0x14, 0x16, 0x1C, 0x1E
GIVEN_NAME, EMAIL_ADDRESS = "2.5.4.42", "1.2.840.113549.1.9.1"


def rdn(dotted: str, value: str, tag: int = 0x0C) -> Node:
    """Return an RDN of one attribute."""
    return set_of(attribute(dotted, text(value, tag)))


def place(name: Node, dotted: str) -> int:
    """Return where the first RDN with the attribute type stands in the name."""
    wanted = oid(dotted).octets
    return next(i for i, one in enumerate(name.children) if one[0][0].octets == wanted)


def replace(name: Node, dotted: str, value: str, tag: int = 0x0C) -> None:
    """Put another value into the first RDN with the attribute type."""
    name.children[place(name, dotted)] = rdn(dotted, value, tag)


def remove(name: Node, dotted: str) -> None:
    """Take out the first RDN with the attribute type."""
    del name.children[place(name, dotted)]


def time(moment: datetime) -> Node:
    """Return UTCTime to 2049, GeneralizedTime from 2050."""
    if moment.year < 2050:
        return Node(0x17, moment.strftime("%y%m%d%H%M%SZ").encode())
    return Node(0x18, moment.strftime("%Y%m%d%H%M%SZ").encode())


def begins(draft: Draft, moment: datetime) -> None:
    """Set notBefore."""
    draft.field("validity").children[0] = time(moment)


def ends(draft: Draft, moment: datetime) -> None:
    """Set notAfter."""
    draft.field("validity").children[1] = time(moment)


def rsa_key(modulus: int, exponent: int = 65537) -> Node:
    """Return subjectPublicKeyInfo of an RSA key."""
    return key_info(
        sequence(oid(oids.RSA_ENCRYPTION), node(0x05)),
        sequence(integer(modulus), integer(exponent)),
    )


def key_info(algorithm: Node, key: Node | bytes) -> Node:
    """Return subjectPublicKeyInfo."""
    octets = key if isinstance(key, bytes) else key.encode()
    return sequence(algorithm, Node(0x03, b"\x00" + octets))


def named_key(name: str) -> Node:
    """Return subjectPublicKeyInfo of a key of ``keys/``."""
    return _info(private_key(name).public_key())


def point(curve: ec.EllipticCurve) -> Node:
    """Return subjectPublicKeyInfo of a fixed point of the curve."""
    return _info(ec.derive_private_key(0xC0FFEE, curve).public_key())


def _info(key: object) -> Node:
    der: bytes = key.public_bytes(  # type: ignore[attr-defined]
        Encoding.DER, PublicFormat.SubjectPublicKeyInfo
    )
    return parse(der)


def certify(draft: Draft, info: Node) -> None:
    """Put another key in, and its identifier."""
    draft.field("public_key").children = info.children
    draft.put(oids.SUBJECT_KEY_IDENTIFIER, Node(0x04, sha1(info[1].octets[1:]).digest()))  # noqa: S324


def coded_data(
    role: str, scheme: str = oids.JHPKI_CODED_DATA, tag: int = 0x0C, value: Node | None = None
) -> Node:
    """Return CodedData, with codeDataValue where it is given."""
    fields = [node(0xA0, oid(scheme)), node(0xA2, text(role, tag))]
    if value is not None:
        fields.insert(1, node(0xA1, value))
    return set_of(*fields)


def actor(coded: Node, *regional: Node) -> Node:
    """Return HCActor, with what stands for regionalHCActorData."""
    return sequence(node(0xA0, coded), *regional)


def hc_role(*values: Node) -> Node:
    """Return the Attribute of hcRole."""
    return sequence(oid(oids.HEALTHCARE_ACTOR), set_of(*values))


def policy(dotted: str, *qualifiers: Node) -> Node:
    """Return PolicyInformation."""
    return sequence(oid(dotted), *([sequence(*qualifiers)] if qualifiers else []))


def cps(uri: str, tag: int = IA5) -> Node:
    """Return a CPS qualifier."""
    return sequence(oid(oids.QUALIFIER_CPS), text(uri, tag))


def uri_point(uri: str, *more: Node) -> Node:
    """Return a DistributionPoint of one URI, with more fields."""
    return sequence(node(0xA0, node(0xA0, text(uri, 0x86))), *more)


def name_point(name: Node, *more: Node) -> Node:
    """Return a DistributionPoint of one directoryName, with more fields."""
    return sequence(node(0xA0, node(0xA0, node(0xA4, name))), *more)
