"""The card's directory: EF.CIAInfo, EF.OD, EF.AOD, EF.PrKD, EF.CD and EF.DIR entries in DER.

Source: ISO/IEC 7816-15:2016 clause 8 and annex A (ASN.1), JAHIS 24-002 annex B.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

from card_personalization import iso7816_15_asn1 as asn1
from card_personalization import tlv
from pki.errors import InvalidInput

_MAX_SIZE = 16_384  # characters of a PIN, bits of a modulus


@dataclass(frozen=True)
class CiaInfo:
    """What EF.CIAInfo says of the application; empty what it leaves out."""

    label: str
    serial_number: bytes


@dataclass(frozen=True)
class ObjectDirectory:
    """EF.OD: paths of the files that list PINs, private keys and certificates."""

    authentication: tuple[bytes, ...]
    private_keys: tuple[bytes, ...]
    certificates: tuple[bytes, ...]


@dataclass(frozen=True)
class PasswordObject:
    """EF.AOD entry; lengths in characters, ``reference`` is P2 of VERIFY."""

    label: str
    auth_id: bytes
    reference: int
    min_length: int
    max_length: int
    stored_length: int
    pad_char: bytes | None  # None: the PIN is sent as it is


@dataclass(frozen=True)
class PrivateKeyObject:
    """EF.PrKD entry; ``user_consent``: the PIN counts for one signature only.

    ``generated``: the key was made on the card; else it was imported.
    """

    label: str
    key_id: bytes
    auth_id: bytes
    usage: tuple[str, ...]
    user_consent: bool
    modulus_bits: int
    path: bytes
    key_reference: int | None = None
    generated: bool = True


@dataclass(frozen=True)
class CertificateObject:
    """EF.CD entry; ``authority`` True for a CA certificate, ``key_id`` joins holder and key."""

    label: str
    key_id: bytes
    path: bytes
    authority: bool


_CARD_FLAGS = {"auth_required", "prn_generation"}


def encode_cia_info(label: str) -> bytes:
    """EF.CIAInfo: version v2, the card wants a PIN and offers random numbers."""
    return _dump(
        asn1.CiaInfo(
            {"version": 1, "label": label, "card_flags": {"auth_required", "prn_generation"}}
        )
    )


def decode_cia_info(encoded: bytes) -> CiaInfo:
    """EF.CIAInfo; InvalidInput if it cannot be read."""
    for entry in _load_all(asn1.CiaInfo, encoded):
        return CiaInfo(_text(entry["label"]), _bytes(entry["serial_number"]))
    raise InvalidInput("card.directory", "EF.CIAInfo is empty")


def encode_object_directory(directory: ObjectDirectory) -> bytes:
    """EF.OD: one choice per path."""
    entries = [
        asn1.CioChoice(name, asn1.PathOrObjects("path", asn1.Path({"ef_id_or_path": path})))
        for name in ("authentication", "private_keys", "certificates")
        for path in getattr(directory, name)
    ]
    return b"".join(_dump(entry) for entry in entries)


def decode_object_directory(encoded: bytes) -> ObjectDirectory:
    """EF.OD; objects of other kinds and objects not given by path are passed over."""
    paths: dict[str, list[bytes]] = {}
    for entry in _load_all(asn1.CioChoice, encoded):
        if entry.chosen.name == "path":
            paths.setdefault(entry.name, []).append(_path(entry.chosen.chosen))
    return ObjectDirectory(
        *(tuple(paths.get(name, ())) for name in ("authentication", "private_keys", "certificates"))
    )


def encode_password(password: PasswordObject) -> bytes:
    """EF.AOD entry: a local, case-sensitive, initialized UTF-8 PIN."""
    flags = {"case_sensitive", "local", "initialized"}
    attributes: dict[str, Any] = {
        "pwd_flags": flags,
        "pwd_type": "utf8",
        "min_length": password.min_length,
        "stored_length": password.stored_length,
        "max_length": password.max_length,
        "pwd_reference": password.reference,
    }
    if password.pad_char is not None:
        flags.add("needs_padding")
        attributes["pad_char"] = password.pad_char
    entry = asn1.PasswordObject(
        {
            "common": {"label": password.label, "flags": {"private", "modifiable"}},
            "class_attributes": {"auth_id": password.auth_id},
            "type_attributes": attributes,
        }
    )
    return _dump(entry)


def decode_passwords(encoded: bytes) -> tuple[PasswordObject, ...]:
    """EF.AOD; biometric and other objects are passed over; InvalidInput if it cannot be read."""
    return tuple(
        PasswordObject(
            label=_text(entry["common"]["label"]),
            auth_id=_bytes(entry["class_attributes"]["auth_id"]),
            reference=entry["type_attributes"]["pwd_reference"].native & 0xFF,
            min_length=_size(entry["type_attributes"]["min_length"]),
            max_length=_size(entry["type_attributes"]["max_length"])
            or _size(entry["type_attributes"]["stored_length"]),
            stored_length=_size(entry["type_attributes"]["stored_length"]),
            pad_char=(entry["type_attributes"]["pad_char"].native or b"\x00")[:1]
            if "needs_padding" in entry["type_attributes"]["pwd_flags"].native
            else None,
        )
        for entry in _load_all(asn1.PasswordObject, encoded, only_sequences=True)
    )


def encode_private_key(key: PrivateKeyObject) -> bytes:
    """EF.PrKD entry of an RSA key that never leaves the card; as long for an imported key."""
    common: dict[str, Any] = {"label": key.label, "flags": {"private"}, "auth_id": key.auth_id}
    if key.user_consent:
        common["user_consent"] = 1
    access = {"sensitive"}
    if key.generated:
        access |= {"always_sensitive", "never_extractable", "card_generated"}
    attributes: dict[str, Any] = {
        "id": key.key_id,
        "usage": set(key.usage),
        "access_flags": access,
    }
    if key.key_reference is not None:
        attributes["key_reference"] = key.key_reference
    entry = asn1.PrivateKeyObject(
        {
            "common": common,
            "class_attributes": attributes,
            "type_attributes": {
                "value": {"ef_id_or_path": key.path},
                "modulus_length": key.modulus_bits,
            },
        }
    )
    return _dump(entry)


def decode_private_keys(encoded: bytes) -> tuple[PrivateKeyObject, ...]:
    """EF.PrKD; keys other than RSA are passed over; InvalidInput if it cannot be read."""
    return tuple(
        PrivateKeyObject(
            label=_text(entry["common"]["label"]),
            key_id=entry["class_attributes"]["id"].native,
            auth_id=_bytes(entry["common"]["auth_id"]),
            usage=tuple(sorted(entry["class_attributes"]["usage"].native)),
            user_consent=bool(entry["common"]["user_consent"].native),
            modulus_bits=_size(entry["type_attributes"]["modulus_length"]),
            path=_path(entry["type_attributes"]["value"]),
            key_reference=entry["class_attributes"]["key_reference"].native,
            generated="card_generated" in (entry["class_attributes"]["access_flags"].native or ()),
        )
        for entry in _load_all(asn1.PrivateKeyObject, encoded, only_sequences=True)
    )


def encode_certificate(certificate: CertificateObject) -> bytes:
    """EF.CD entry."""
    attributes: dict[str, Any] = {"id": certificate.key_id}
    if certificate.authority:
        attributes["authority"] = True
    entry = asn1.CertificateObject(
        {
            "common": {"label": certificate.label, "flags": {"modifiable"}},
            "class_attributes": attributes,
            "type_attributes": {"value": {"ef_id_or_path": certificate.path}},
        }
    )
    return _dump(entry)


def decode_certificates(encoded: bytes) -> tuple[CertificateObject, ...]:
    """EF.CD; other than X.509 is passed over; InvalidInput if it cannot be read."""
    return tuple(
        CertificateObject(
            label=_text(entry["common"]["label"]),
            key_id=entry["class_attributes"]["id"].native,
            path=_path(entry["type_attributes"]["value"]),
            authority=entry["class_attributes"]["authority"].native,
        )
        for entry in _load_all(asn1.CertificateObject, encoded, only_sequences=True)
    )


def encode_directory_entry(aid: bytes, label: str) -> bytes:
    """EF.DIR entry of one application. Source: ISO/IEC 7816-4 12.2.3, 7816-15 8.3."""
    return tlv.encode(0x61, tlv.encode(0x4F, aid), tlv.encode(0x50, label.encode("utf-8")))


def decode_directory_aids(encoded: bytes) -> tuple[bytes, ...]:
    """AIDs listed in EF.DIR, in its order."""
    aids = (tlv.find((entry,), 0x61, 0x4F) for entry in tlv.parse(encoded))
    return tuple(aid for aid in aids if aid is not None)


def _dump(value: Any) -> bytes:
    encoded: bytes = value.dump()
    return encoded


def _load_all(kind: Any, encoded: bytes, *, only_sequences: bool = False) -> Iterable[Any]:
    """Every entry of a directory file; zeros and FF at the end are unused space."""
    offset = 0
    while offset < len(encoded) and encoded[offset] not in (0x00, 0xFF):
        length = tlv.object_length(encoded[offset:])
        entry = encoded[offset : offset + length]
        offset += length
        if only_sequences and entry[0] != 0x30:
            continue
        tlv.parse(entry)  # bounds the depth before asn1crypto follows it
        try:
            parsed = kind.load(entry, strict=True)
            parsed.native  # noqa: B018 - asn1crypto parses when looked at
        except (ValueError, TypeError, KeyError, AttributeError, OverflowError) as error:
            raise InvalidInput("card.directory", f"{kind.__name__}: {error}") from error
        yield parsed


def _path(path: Any) -> bytes:
    value: bytes = path["ef_id_or_path"].native
    if not value:
        raise InvalidInput("card.directory", "an empty path in the directory of the card")
    return value


def _size(value: Any) -> int:
    found: int = value.native or 0
    if not 0 <= found <= _MAX_SIZE:
        raise InvalidInput("card.directory", "a size in the directory of the card is impossible")
    return found


def _text(value: Any) -> str:
    return value.native or ""


def _bytes(value: Any) -> bytes:
    return value.native or b""
