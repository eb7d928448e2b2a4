"""One anchor: a signed note of the trail's head, and its form as a file.

The body is one RFC 8785 object that names an entry by position and hash and the anchor before it.
It is signed ECDSA P-256 with SHA-256 by a key of its own.
"""

from __future__ import annotations

import base64
import binascii
import json
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime
from functools import cached_property
from typing import Annotated

from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec
from pydantic import StringConstraints

from audit.canonical import canonical_json, digest
from audit.chain import START, Head
from pki.errors import InvalidInput, Refused
from pki.signing import key_id, spki_der, verify_signature
from policies.schema import Strict, validate

MAX_FILE_OCTETS = 64 * 1024

_Hash = Annotated[str, StringConstraints(pattern="^[0-9a-f]{64}$")]
_Time = Annotated[
    str, StringConstraints(pattern="^[0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9]{2}:[0-9]{2}:[0-9]{2}Z$")
]


class Content(Strict):
    """What an anchor says.

    ``count``: entries up to ``seq``, hence the same number; ``at``: RFC 3339; ``previous``: SHA-256
    of the body of the anchor before, 64 zeros for the first; ``key``: see ``key_id``.
    """

    site_id: Annotated[str, StringConstraints(pattern="^[A-Za-z0-9][A-Za-z0-9-]{0,63}$")]
    seq: int
    hash: _Hash
    count: int
    at: _Time
    previous: _Hash
    key: Annotated[str, StringConstraints(pattern="^[0-9a-f]{32}$")]


class _File(Strict):
    body: str
    signature: str
    public_key: str
    time_stamp: str | None = None


@dataclass(frozen=True)
class Anchor:
    """A signed body, as claimed.

    ``signature``: DER Ecdsa-Sig-Value; ``public_key``: SubjectPublicKeyInfo DER; ``time_stamp``:
    RFC 3161 token DER over the body.
    """

    body: bytes
    signature: bytes
    public_key: bytes
    time_stamp: bytes | None = None

    @cached_property
    def content(self) -> Content:
        """What the body says; raises ``InvalidInput`` unless it is an anchor's canonical JSON."""
        content = validate(Content, _tree(self.body), "the anchor", _FORM)
        if canonical_json(content.model_dump()) != self.body:
            raise _not_one("its body is not in canonical form")
        return content

    @property
    def head(self) -> Head:
        """The entry it names."""
        return Head(self.content.seq, self.content.hash)

    @property
    def made_at(self) -> datetime:
        """When it was made, as it claims; aware."""
        try:
            return datetime.fromisoformat(self.content.at)
        except ValueError:
            raise _not_one(f"{self.content.at} is no moment") from None

    @property
    def file_name(self) -> str:
        """The name of its file: ``SITE-000000000123.json``."""
        return f"{self.content.site_id}-{self.content.seq:012d}.json"

    def file_octets(self) -> bytes:
        """Return its file: one line of JSON with all that is needed to verify it by hand."""
        fields = {
            "body": self.body.decode(),
            "signature": self.signature.hex(),
            "public_key": _pem(self.public_key),
        }
        if self.time_stamp is not None:
            fields["time_stamp"] = base64.b64encode(self.time_stamp).decode()
        return canonical_json(fields) + b"\n"


def parse_anchor_file(octets: bytes) -> Anchor:
    """Return the anchor of a file, not verified yet; raises ``InvalidInput``."""
    if len(octets) > MAX_FILE_OCTETS:
        raise _not_one(f"it is larger than {MAX_FILE_OCTETS} octets")
    file = validate(_File, _tree(octets), "the anchor's file", _FORM)
    try:
        anchor = Anchor(
            file.body.encode(),
            bytes.fromhex(file.signature),
            _der(file.public_key.encode()),
            None if file.time_stamp is None else base64.b64decode(file.time_stamp, validate=True),
        )
    except (ValueError, UnsupportedAlgorithm, binascii.Error):
        raise _not_one("signature, key or time stamp cannot be read") from None
    if key_id(anchor.public_key) != anchor.content.key:
        raise _not_one("the key in the file is not the one its body names")
    return anchor


def verify_site(anchor: Anchor, site_id: str) -> None:
    """Raise ``Refused`` unless the anchor is one of this site."""
    if anchor.content.site_id != site_id:
        raise Refused(
            "audit.anchor.site",
            f"the anchor is one of site {anchor.content.site_id}, this is {site_id}",
            "Name an anchor of this site.",
        )


def verify_anchor(anchor: Anchor, site_id: str, keys: Mapping[str, bytes]) -> Head:
    """Return the entry that the anchor names.

    ``keys``: the site's registered anchor keys, SubjectPublicKeyInfo DER by ``key_id``. Raises
    ``Refused`` for another site's anchor, an unknown key, a wrong signature, a wrong count.
    """
    content = anchor.content
    verify_site(anchor, site_id)
    known = keys.get(content.key)
    if known is None or key_id(known) != content.key:
        raise Refused(
            "audit.anchor.key",
            f"the anchor of entry {content.seq} is signed by a key that was never registered",
            _FORGED,
        )
    try:
        key = serialization.load_der_public_key(known)
        verify_signature(key, anchor.signature, anchor.body, "SHA-256")
    except Refused:
        raise Refused(
            "audit.anchor.signature",
            f"the signature of the anchor of entry {content.seq} does not verify",
            _FORGED,
        ) from None
    if content.count != content.seq or content.seq < 1:
        raise Refused(
            "audit.anchor.count",
            f"the anchor of entry {content.seq} counts {content.count} entries",
            _FORGED,
        )
    return anchor.head


def verify_anchors(
    anchors: Iterable[Anchor], site_id: str, keys: Mapping[str, bytes]
) -> Iterator[Anchor]:
    """Yield a site's anchors, in order from the first, each verified as the one after the last.

    Raises ``Refused`` as ``verify_anchor`` does, and where one names another anchor before it.
    """
    previous = START.hash
    for anchor in anchors:
        verify_anchor(anchor, site_id, keys)
        if anchor.content.previous != previous:
            raise Refused(
                "audit.anchor.previous",
                f"the anchor of entry {anchor.content.seq} names another one before it",
                "An anchor was removed or put in: keep the store and call the auditor.",
            )
        previous = digest(anchor.body)
        yield anchor


_FORM = "audit.anchor.form"
_FORGED = "It was forged or damaged: keep it, and take another copy of the anchor."


def _not_one(why: str) -> InvalidInput:
    return InvalidInput(_FORM, f"this is no anchor: {why}", "Take another copy of the anchor.")


def _tree(octets: bytes) -> object:
    try:
        return json.loads(octets.decode())
    except (ValueError, RecursionError):
        raise _not_one("it is not JSON") from None


def _pem(public_key_der: bytes) -> str:
    key = serialization.load_der_public_key(public_key_der)
    encoding, form = serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo
    return key.public_bytes(encoding, form).decode()


def _der(pem: bytes) -> bytes:
    key = serialization.load_pem_public_key(pem)
    if not isinstance(key, ec.EllipticCurvePublicKey) or not isinstance(key.curve, ec.SECP256R1):
        raise ValueError("not P-256")
    return spki_der(key)
