"""hcRole: the holder's licences, in the subjectDirectoryAttributes extension.

Source: ISO 17090-2 with the national coding scheme of the HPKI; the byte forms are those of real
cards (``docs/glossary.md``, hcRole).
"""

from __future__ import annotations

from collections.abc import Sequence

from asn1crypto import core

from pki import der, oids
from pki.errors import InvalidInput

_MAX_OCTETS = 4096
_SET = 0x31


class _DirectoryString(core.Choice):  # type: ignore[misc]
    _alternatives = [
        ("utf8", core.UTF8String),
        ("printable", core.PrintableString),
        ("teletex", core.TeletexString),
        ("bmp", core.BMPString),
    ]


class _CodeDataValue(core.Choice):  # type: ignore[misc]
    _alternatives = [("numeric", core.NumericString), ("utf8", core.UTF8String)]


class _CodedData(core.Set):  # type: ignore[misc]
    _fields = [
        ("coding_scheme_reference", core.ObjectIdentifier, {"explicit": 0}),
        ("code_data_value", _CodeDataValue, {"explicit": 1, "optional": True}),
        ("code_data_free_text", _DirectoryString, {"explicit": 2}),
    ]


class _RegionalData(core.SequenceOf):  # type: ignore[misc]
    _child_spec = core.Any


class _HCActor(core.Sequence):  # type: ignore[misc]
    _fields = [
        ("coded_data", _CodedData, {"explicit": 0}),
        ("regional_hc_actor_data", _RegionalData, {"explicit": 1, "optional": True}),
    ]


class _HCActorData(core.SetOf):  # type: ignore[misc]
    _child_spec = _HCActor


class _Values(core.SetOf):  # type: ignore[misc]
    _child_spec = _HCActorData


class _Attribute(core.Sequence):  # type: ignore[misc]
    _fields = [("type", core.ObjectIdentifier), ("values", _Values)]


def encode_hc_roles(roles: Sequence[str]) -> bytes:
    """Return the extnValue contents for English role names, e.g. ``("Medical Doctor",)``.

    One Attribute, one HCActorData, one HCActor for each role, in DER's SET OF order.
    Raises ``InvalidInput`` for an empty or a repeated role.
    """
    if not roles or not all(roles) or len(set(roles)) != len(roles):
        raise InvalidInput("pki.hcrole.empty", "hcRole needs at least one role and no role twice")
    actors = sorted(_encode_actor(role) for role in roles)
    data = der.tlv(_SET, b"".join(actors))
    attribute = der.sequence(der.object_identifier(oids.HEALTHCARE_ACTOR), der.tlv(_SET, data))
    return der.sequence(attribute)


def _encode_actor(role: str) -> bytes:
    scheme = der.tlv(0xA0, der.object_identifier(oids.JHPKI_CODED_DATA))
    text = der.tlv(0xA2, core.UTF8String(role).dump())
    return der.sequence(der.tlv(0xA0, der.tlv(_SET, scheme + text)))


def decode_hc_roles(extension_value: bytes) -> tuple[str, ...]:
    """Return the role names in an extnValue, in the order encoded.

    Attributes of other types are passed over. Raises ``InvalidInput`` for what is not hcRole,
    trailing octets included.
    """
    if len(extension_value) > _MAX_OCTETS:
        raise InvalidInput("pki.hcrole.size", f"hcRole is longer than {_MAX_OCTETS} octets")
    try:
        attributes = core.SequenceOf.load(extension_value, strict=True, spec=core.Any)
        return tuple(
            actor["coded_data"]["code_data_free_text"].native
            for attribute in attributes
            if core.Sequence.load(attribute.dump())[0].native == oids.HEALTHCARE_ACTOR
            for data in _Attribute.load(attribute.dump(), strict=True)["values"]
            for actor in data
        )
    except (ValueError, TypeError, KeyError, IndexError, AttributeError) as error:
        raise InvalidInput("pki.hcrole.shape", f"this is not hcRole: {error}") from None
