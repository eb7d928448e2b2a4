"""Acts: what the register of operators is made of, each signed by those who may decide it.

An act is one strict object; its RFC 8785 octets are kept beside the statements over their SHA-256.
Acts hold no names of people: ``person`` is a salted digest of them.
"""

from __future__ import annotations

import hashlib
import hmac
import json
from collections.abc import Mapping
from datetime import date
from functools import lru_cache
from typing import Annotated, Literal

from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.hazmat.primitives.serialization import load_der_public_key
from pydantic import Field, StringConstraints, TypeAdapter, ValidationError

from audit.canonical import canonical_json, digest
from operators.statements import Signer, credential_id
from pki.errors import InvalidInput, Refused
from pki.signing import IssuerPublicKey, spki_der, verify_signature
from policies.roles import Role
from policies.schema import Strict
from policies.site import SiteKind

_MAX_OCTETS = 1024 * 1024
_RSA_BITS = (2048, 3072, 4096)
_EXPONENT = 65537

Name = Annotated[str, StringConstraints(pattern=r"^[a-z][a-z0-9-]{1,31}$")]
"""The name an operator acts under."""
Digest = Annotated[str, StringConstraints(pattern=r"^[0-9a-f]{64}$")]
_Hex = Annotated[str, StringConstraints(pattern=r"^(?:[0-9a-f]{2})+$", max_length=2048)]
Office = Annotated[str, StringConstraints(pattern=r"^[A-Z0-9][A-Z0-9-]{0,31}$")]
"""The code of a reception office."""
Course = Annotated[str, StringConstraints(pattern=r"^[A-Z0-9][A-Za-z0-9 ._-]{0,63}$")]


class Keys(Strict):
    """A person's two public keys (SubjectPublicKeyInfo DER, hexadecimal).

    ``signing_key`` is P-256 or RSA, ``sealing_key`` P-256. ``expires_on`` is the last day (JST) on
    which statements count; ``proof`` is the signing key's signature over all of it with name and
    site.
    """

    signing_key: _Hex
    sealing_key: _Hex
    expires_on: date
    proof: _Hex

    @property
    def credential(self) -> str:
        """The id of the signing key."""
        return credential_id(signing_key(self.signing_key))


class Member(Strict):
    """A person with an account; those from outside the staff are ``external``."""

    operator: Name
    person: Digest
    external: bool = False
    office: Office | None = None
    keys: Keys


class FirstMember(Member):
    """A member of the first set-up, appointed to roles by the same act."""

    roles: tuple[Role, ...]


class PolicyState(Strict):
    """What the site issues by: SHA-256 of profiles and role table, values of parameters."""

    certificates: Mapping[str, Digest]
    lists: Mapping[str, Digest]
    role_table: str
    role_table_sha256: Digest
    parameters: Mapping[str, str]


class SetUp(Strict):
    """The first act: its digest is pinned outside the store."""

    act: Literal["SETUP"] = "SETUP"
    site_id: str
    kind: SiteKind
    anchor_key: _Hex
    policy: PolicyState
    members: tuple[FirstMember, ...]


class Appoint(Strict):
    """An account for a new person, without roles."""

    act: Literal["APPOINT"] = "APPOINT"
    member: Member

    @property
    def operator(self) -> str:
        """The person appointed."""
        return self.member.operator


class _OfOne(Strict):
    operator: Name


class Grant(_OfOne):
    """Roles given."""

    act: Literal["GRANT"] = "GRANT"
    roles: tuple[Role, ...] = Field(min_length=1)


class End(_OfOne):
    """Roles taken back."""

    act: Literal["END"] = "END"
    roles: tuple[Role, ...] = Field(min_length=1)


class Suspend(_OfOne):
    """The person may not act until resumed."""

    act: Literal["SUSPEND"] = "SUSPEND"


class Resume(_OfOne):
    """The end of a suspension."""

    act: Literal["RESUME"] = "RESUME"


class Leave(_OfOne):
    """The person has left: roles and keys end for good."""

    act: Literal["LEAVE"] = "LEAVE"


class Substitute(_OfOne):
    """代行: ``operator`` holds ``role`` for ``absent`` on the days from first to last (JST)."""

    act: Literal["SUBSTITUTE"] = "SUBSTITUTE"
    role: Role
    absent: Name
    first_day: date
    last_day: date


class Rekey(_OfOne):
    """New keys; the old ones end here."""

    act: Literal["REKEY"] = "REKEY"
    keys: Keys


class Loss(_OfOne):
    """The keys are lost: whatever they sign later in the trail is refused."""

    act: Literal["LOSS"] = "LOSS"
    credential: str


class Train(_OfOne):
    """A training record."""

    act: Literal["TRAIN"] = "TRAIN"
    course: Course
    on: date


class Assign(_OfOne):
    """Membership of a reception office; None ends it."""

    act: Literal["ASSIGN"] = "ASSIGN"
    office: Office | None


class Approve(Strict):
    """Profiles, role table and parameters in force from here on."""

    act: Literal["POLICY"] = "POLICY"
    policy: PolicyState


class AnchorKey(Strict):
    """The key that signs anchors from here on; earlier ones stay good for earlier anchors."""

    act: Literal["ANCHOR_KEY"] = "ANCHOR_KEY"
    anchor_key: _Hex


PersonAct = (
    Appoint | Grant | End | Suspend | Resume | Leave | Substitute | Rekey | Loss | Train | Assign
)
SiteAct = Approve | AnchorKey
Act = SetUp | PersonAct | SiteAct
ABOUT_KEYS = (Rekey, Loss)

_ACTS: TypeAdapter[Act] = TypeAdapter(Annotated[Act, Field(discriminator="act")])


def act_octets(act: Act) -> bytes:
    """Return the RFC 8785 octets of the act."""
    return canonical_json(act.model_dump(mode="json"))


def act_digest(act: Act) -> str:
    """Return the SHA-256 that statements about the act are bound to."""
    return digest(act_octets(act))


def parse_act(octets: bytes) -> Act:
    """Return the act; raises ``InvalidInput`` unless the octets are its canonical form."""
    if len(octets) > _MAX_OCTETS:
        raise InvalidInput("operators.act.size", f"an act has at most {_MAX_OCTETS} octets")
    try:
        act = _ACTS.validate_json(octets)
    except (ValidationError, RecursionError):
        raise InvalidInput("operators.act.form", "this is no act of the register") from None
    if act_octets(act) != octets:
        raise InvalidInput("operators.act.form", "the act is not in canonical form")
    return act


def prove_keys(
    signer: Signer, sealing_key: ec.EllipticCurvePublicKey, site_id: str, expires_on: date
) -> Keys:
    """Return the two public keys with the signing key's proof of possession."""
    keys = Keys(
        signing_key=spki_der(signer.public_key()).hex(),
        sealing_key=spki_der(sealing_key).hex(),
        expires_on=expires_on,
        proof="00",
    )
    proof = signer.sign(_proven_octets(keys, signer.operator_id, site_id))
    return keys.model_copy(update={"proof": proof.hex()})


def verify_proof(keys: Keys, operator_id: str, site_id: str) -> None:
    """Raise ``Refused`` unless the signing key proves that it wants to be that person's."""
    try:
        verify_signature(
            signing_key(keys.signing_key),
            bytes.fromhex(keys.proof),
            _proven_octets(keys, operator_id, site_id),
            "SHA-256",
        )
    except Refused:
        raise Refused(
            "operators.keys.proof", f"the new key of {operator_id} does not prove possession"
        ) from None


def p256_key(spki_hex: str) -> ec.EllipticCurvePublicKey:
    """Return the P-256 key of a SubjectPublicKeyInfo; raises ``InvalidInput`` for any other."""
    key = _public_key(spki_hex)
    if not isinstance(key, ec.EllipticCurvePublicKey) or not isinstance(key.curve, ec.SECP256R1):
        raise InvalidInput("operators.keys.type", "this key of an operator or for anchors is P-256")
    return key


@lru_cache(maxsize=256)
def signing_key(spki_hex: str) -> IssuerPublicKey:
    """Return the key that verifies statements, of a SubjectPublicKeyInfo in DER.

    Raises ``InvalidInput`` unless it is P-256, or RSA of 2048, 3072 or 4096 bits with exponent
    65537.
    """
    key = _public_key(spki_hex)
    if isinstance(key, rsa.RSAPublicKey):
        if key.key_size in _RSA_BITS and key.public_numbers().e == _EXPONENT:
            return key
    elif isinstance(key, ec.EllipticCurvePublicKey) and isinstance(key.curve, ec.SECP256R1):
        return key
    raise InvalidInput(
        "operators.keys.type",
        "an operator signs with a P-256 key, or an RSA key of 2048 bits or more",
        "Register another key.",
    )


def person_digest(full_name: str, birth_date: date | None, salt: str) -> str:
    """Return HMAC-SHA-256 of name and birth date under the salt, which is erased with them."""
    born = "" if birth_date is None else birth_date.isoformat()
    octets = json.dumps([full_name, born], ensure_ascii=False).encode()
    return hmac.new(bytes.fromhex(salt), octets, hashlib.sha256).hexdigest()


def _public_key(spki_hex: str) -> object:
    """Return the key, None for what is none or is not in its one form: ids are made of the form."""
    try:
        key = load_der_public_key(bytes.fromhex(spki_hex))
        plain = isinstance(key, IssuerPublicKey) and spki_der(key).hex() == spki_hex
    except (ValueError, UnsupportedAlgorithm):
        return None
    return key if plain else None


def _proven_octets(keys: Keys, operator_id: str, site_id: str) -> bytes:
    tree = keys.model_dump(mode="json", exclude={"proof"})
    return canonical_json({**tree, "operator": operator_id, "site_id": site_id})
