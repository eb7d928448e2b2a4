"""Distinguished names of the HPKI: attribute order, string types, comparison.

Source: observed in every HPKI certificate: C, L, O, OU, CN, serialNumber, one attribute an RDN;
C and serialNumber PrintableString, everything else UTF8String.
"""

from __future__ import annotations

import re
from collections.abc import Sequence

from cryptography import x509
from cryptography.x509.oid import NameOID

from pki.errors import InvalidInput

_LIMITS = {
    NameOID.LOCALITY_NAME: 128,
    NameOID.ORGANIZATION_NAME: 64,
    NameOID.ORGANIZATIONAL_UNIT_NAME: 64,
    NameOID.COMMON_NAME: 64,
    NameOID.SERIAL_NUMBER: 64,
}
_PRINTABLE = re.compile(r"[A-Za-z0-9 '()+,\-./:=?]+\Z")

CA_COMMON_NAME = re.compile(
    r"HPKI-[0-9]{2}-[A-Za-z0-9_]+-"
    r"(?P<purpose>forNonRepudiation|forAuthentication-forIndividual|forAuthentication-forOrganization)\Z"
)
"""Pattern of a subordinate CA's CN; ``purpose`` is its fixed tail (OBS)."""


def distinguished_name(
    *,
    organization: str | None = None,
    organizational_units: Sequence[str] = (),
    common_name: str | None = None,
    serial_number: str | None = None,
    locality: str | None = None,
) -> x509.Name:
    """Return the name ``C=JP, L, O, OU…, CN, serialNumber`` of the parts given.

    Values are encoded as given, never normalised. Raises ``InvalidInput`` for an empty or overlong
    value (upper bounds of RFC 5280 appendix A) or a serialNumber that is no PrintableString.
    """
    parts = [
        (NameOID.COUNTRY_NAME, "JP"),
        (NameOID.LOCALITY_NAME, locality),
        (NameOID.ORGANIZATION_NAME, organization),
        *((NameOID.ORGANIZATIONAL_UNIT_NAME, unit) for unit in organizational_units),
        (NameOID.COMMON_NAME, common_name),
        (NameOID.SERIAL_NUMBER, serial_number),
    ]
    return x509.Name([_attribute(oid, value) for oid, value in parts if value is not None])


def _attribute(oid: x509.ObjectIdentifier, value: str) -> x509.NameAttribute[str]:
    limit = _LIMITS.get(oid, 2)
    name = oid._name
    if not value.strip() or len(value) > limit:
        raise InvalidInput(
            "pki.name.length", f"{name} must have 1 to {limit} characters, not {len(value)}"
        )
    if oid == NameOID.SERIAL_NUMBER and not _PRINTABLE.match(value):
        raise InvalidInput("pki.name.printable", f"{name} {value!r} is no PrintableString")
    return x509.NameAttribute(oid, value)


def with_common_name(name: x509.Name, common_name: str) -> x509.Name:
    """Return ``name`` with one more RDN, as the root's lists RARL and SARL are named (OBS)."""
    return x509.Name([*name, x509.NameAttribute(NameOID.COMMON_NAME, common_name)])


def text(name: x509.Name) -> str:
    """Return the name for people, most significant attribute first: ``C=JP, O=…, CN=…``."""
    return ", ".join(f"{_label(attribute)}={attribute.value!s}" for attribute in name)


def _label(attribute: x509.NameAttribute[str | bytes]) -> str:
    if attribute.oid == NameOID.SERIAL_NUMBER:
        return "serialNumber"
    return attribute.rfc4514_attribute_name


def one(name: x509.Name, oid: x509.ObjectIdentifier) -> str | None:
    """Return the value of the first attribute of the type, or None."""
    attributes = name.get_attributes_for_oid(oid)
    return str(attributes[0].value) if attributes else None
