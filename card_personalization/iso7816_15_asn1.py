"""ASN.1 types of the card's directory.

Source: ISO/IEC 7816-15:2016 annex A. The module's tags are implicit; around a CHOICE or a
parameterized type they are explicit (X.680 31.2.7).
"""

# mypy: disable-error-code="misc"
# asn1crypto has no types: its classes are Any.

from __future__ import annotations

from asn1crypto import core


class Path(core.Sequence):
    """Where a file lies; annex A.2.1."""

    _fields = [
        ("ef_id_or_path", core.OctetString),
        ("index", core.Integer, {"optional": True}),
        ("length", core.Integer, {"implicit": 0, "optional": True}),
    ]


class PathOrObjects(core.Choice):
    """Objects by path, or in place."""

    _alternatives = [("path", Path), ("objects", core.Sequence, {"implicit": 0})]


class CioChoice(core.Choice):
    """EF.OD entry; annex A.2.3."""

    _alternatives = [
        (name, PathOrObjects, {"explicit": number})
        for number, name in enumerate(
            (
                "private_keys",
                "public_keys",
                "trusted_public_keys",
                "secret_keys",
                "certificates",
                "trusted_certificates",
                "useful_certificates",
                "data_containers",
                "authentication",
            )
        )
    ]


class CardFlags(core.BitString):
    """Flags of EF.CIAInfo."""

    _map = {0: "readonly", 1: "auth_required", 2: "prn_generation"}


class CiaInfo(core.Sequence):
    """EF.CIAInfo; annex A.9."""

    _fields = [
        ("version", core.Integer),
        ("serial_number", core.OctetString, {"optional": True}),
        ("manufacturer_id", core.UTF8String, {"optional": True}),
        ("label", core.UTF8String, {"implicit": 0, "optional": True}),
        ("card_flags", CardFlags),
    ]


class ObjectFlags(core.BitString):
    """Flags every object may carry."""

    _map = {0: "private", 1: "modifiable", 2: "internal"}


class CommonObjectAttributes(core.Sequence):
    """Attributes every object may carry."""

    _fields = [
        ("label", core.UTF8String, {"optional": True}),
        ("flags", ObjectFlags, {"optional": True}),
        ("auth_id", core.OctetString, {"optional": True}),
        ("user_consent", core.Integer, {"optional": True}),
        ("access_control_rules", core.Sequence, {"optional": True}),
    ]


class CommonAuthenticationAttributes(core.Sequence):
    """Attributes of authentication objects."""

    _fields = [
        ("auth_id", core.OctetString, {"optional": True}),
        ("auth_reference", core.Integer, {"optional": True}),
        ("se_identifier", core.OctetString, {"implicit": 0, "optional": True}),
    ]


class PasswordFlags(core.BitString):
    """Flags of a PIN."""

    _map = {
        0: "case_sensitive",
        1: "local",
        2: "change_disabled",
        3: "unblock_disabled",
        4: "initialized",
        5: "needs_padding",
        6: "unblocking_password",
        7: "so_password",
        8: "disable_allowed",
        9: "integrity_protected",
        10: "confidentiality_protected",
        11: "exchange_ref_data",
        12: "reset_retry_counter_1",
        13: "reset_retry_counter_2",
        14: "context_dependent",
    }


class PasswordType(core.Enumerated):
    """Encoding of a PIN."""

    _map = {0: "bcd", 1: "ascii_numeric", 2: "utf8", 3: "half_nibble_bcd", 4: "iso9564_1"}


class PasswordAttributes(core.Sequence):
    """Lengths, reference and padding of a PIN."""

    _fields = [
        ("pwd_flags", PasswordFlags),
        ("pwd_type", PasswordType),
        ("min_length", core.Integer),
        ("stored_length", core.Integer),
        ("max_length", core.Integer, {"optional": True}),
        ("pwd_reference", core.Integer, {"implicit": 0, "default": 0}),
        ("pad_char", core.OctetString, {"optional": True}),
        ("last_password_change", core.GeneralizedTime, {"optional": True}),
        ("path", Path, {"optional": True}),
    ]


class PasswordObject(core.Sequence):
    """EF.AOD entry of a PIN."""

    _fields = [
        ("common", CommonObjectAttributes),
        ("class_attributes", CommonAuthenticationAttributes),
        ("sub_class_attributes", core.Sequence, {"explicit": 0, "optional": True}),
        ("type_attributes", PasswordAttributes, {"explicit": 1}),
    ]


class KeyUsage(core.BitString):
    """What a key may do."""

    _map = {
        0: "encipher",
        1: "decipher",
        2: "sign",
        3: "sign_recover",
        4: "key_encipher",
        5: "key_decipher",
        6: "verify",
        7: "verify_recover",
        8: "derive",
        9: "non_repudiation",
    }


class KeyAccess(core.BitString):
    """How a key came into being."""

    _map = {
        0: "sensitive",
        1: "extractable",
        2: "always_sensitive",
        3: "never_extractable",
        4: "card_generated",
    }


class CommonKeyAttributes(core.Sequence):
    """Attributes of keys."""

    _fields = [
        ("id", core.OctetString),
        ("usage", KeyUsage),
        ("native", core.Boolean, {"default": True}),
        ("access_flags", KeyAccess, {"optional": True}),
        ("key_reference", core.Integer, {"optional": True}),
        ("start_date", core.GeneralizedTime, {"optional": True}),
        ("end_date", core.GeneralizedTime, {"implicit": 0, "optional": True}),
        ("alg_reference", core.Sequence, {"implicit": 1, "optional": True}),
    ]


class RsaKeyAttributes(core.Sequence):
    """Place and size of an RSA key."""

    _fields = [
        ("value", Path),
        ("modulus_length", core.Integer),
        ("key_info", core.Any, {"optional": True}),
    ]


class PrivateKeyObject(core.Sequence):
    """EF.PrKD entry of an RSA key."""

    _fields = [
        ("common", CommonObjectAttributes),
        ("class_attributes", CommonKeyAttributes),
        ("sub_class_attributes", core.Sequence, {"explicit": 0, "optional": True}),
        ("type_attributes", RsaKeyAttributes, {"explicit": 1}),
    ]


class CommonCertificateAttributes(core.Sequence):
    """Attributes of certificates."""

    _fields = [
        ("id", core.OctetString),
        ("authority", core.Boolean, {"default": False}),
        ("identifier", core.Sequence, {"optional": True}),
        ("cert_hash", core.Sequence, {"implicit": 0, "optional": True}),
        ("trusted_usage", core.Sequence, {"implicit": 1, "optional": True}),
        ("identifiers", core.Sequence, {"implicit": 2, "optional": True}),
        ("validity", core.Sequence, {"implicit": 4, "optional": True}),
    ]


class X509Attributes(core.Sequence):
    """Place of an X.509 certificate."""

    _fields = [
        ("value", Path),
        ("subject", core.Sequence, {"optional": True}),
        ("issuer", core.Sequence, {"explicit": 0, "optional": True}),
        ("serial_number", core.Integer, {"optional": True}),
    ]


class CertificateObject(core.Sequence):
    """EF.CD entry of an X.509 certificate."""

    _fields = [
        ("common", CommonObjectAttributes),
        ("class_attributes", CommonCertificateAttributes),
        ("sub_class_attributes", core.Sequence, {"explicit": 0, "optional": True}),
        ("type_attributes", X509Attributes, {"explicit": 1}),
    ]
