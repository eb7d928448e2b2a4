"""The form of an export: its files, the manifest that names them, one statement as a line."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import TYPE_CHECKING, Annotated, Literal

from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat
from pydantic import StringConstraints

from audit.canonical import canonical_json
from audit.chain import Head
from operators.acts import Digest, signing_key
from operators.evidence.proof import kept
from operators.kinds import Kept
from operators.register import Register
from pki.errors import InvalidInput
from pki.signing import key_id
from policies.schema import Strict, validate
from policies.site import SiteKind

if TYPE_CHECKING:
    from operators.records import Statement

TRAIL, STATEMENTS, ANCHORS = "trail.jsonl", "statements.jsonl", "anchors.jsonl"
README, KEYS = "README.txt", "keys"
MANIFEST, MANIFEST_SIGNATURE = "manifest.json", "manifest.sig"

MAX_MANIFEST_OCTETS = 8 * 1024 * 1024
MAX_STATEMENT_OCTETS = 4 * 1024 * 1024
MAX_SMALL_FILE_OCTETS = 64 * 1024

_FORM = "operators.export.form"
_FileName = Annotated[
    str,
    StringConstraints(
        pattern=r"^(trail\.jsonl|statements\.jsonl|anchors\.jsonl|README\.txt|"
        r"keys/[0-9a-f]{32}\.pem)$"
    ),
]


class FileNote(Strict):
    """SHA-256 and size in octets of one file."""

    sha256: Digest
    size: int


class Manifest(Strict):
    """What an export holds: the entries from ``first_seq`` to ``last_seq``, whose hash is given.

    ``setup``: SHA-256 of the first set-up, the root of trust; ``files``: every file but the
    manifest itself and its signature.
    """

    format: Literal["hpki-evidence-1"] = "hpki-evidence-1"
    site_id: str
    kind: SiteKind
    first_seq: Literal[1] = 1
    last_seq: int
    head_hash: Digest
    entries: int
    statements: int
    anchors: int
    setup: Digest
    files: Mapping[_FileName, FileNote]

    @property
    def head(self) -> Head:
        """The newest entry exported."""
        return Head(self.last_seq, self.head_hash)

    def octets(self) -> bytes:
        """Return the RFC 8785 octets."""
        return canonical_json(self.model_dump(mode="json"))


class _Line(Strict):
    id: str
    seq: int
    body: str
    signature: str
    content: str | None


def parse_manifest(octets: bytes) -> Manifest:
    """Return the manifest; raises ``InvalidInput`` unless the octets are its canonical form."""
    manifest = validate(Manifest, _tree(octets, MANIFEST), MANIFEST, _FORM)
    if manifest.octets() != octets or not {TRAIL, STATEMENTS, ANCHORS} <= manifest.files.keys():
        raise InvalidInput(_FORM, f"{MANIFEST} is not in canonical form or names too few files")
    return manifest


def statement_line(row: Statement) -> bytes:
    """Return the line of a kept statement, without its end."""
    names = ("id", "seq", "body", "signature", "content")
    return canonical_json({name: getattr(row, name) for name in names})


def parse_statement_line(octets: bytes) -> Kept:
    """Return the statement of a line; raises ``InvalidInput`` unless it is its canonical form."""
    line = validate(_Line, _tree(octets, "the line"), "the line", _FORM)
    if canonical_json(line.model_dump()) != octets:
        raise InvalidInput(_FORM, "the line is not in canonical form")
    return kept(line.id, line.seq, line.body, line.signature, line.content)


def key_file(credential: str) -> str:
    """Return the name of the file of a public key."""
    return f"{KEYS}/{credential}.pem"


def key_pem(spki_hex: str) -> bytes:
    """Return the file of a public key: SubjectPublicKeyInfo as PEM."""
    return signing_key(spki_hex).public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo)


def public_keys(register: Register) -> dict[str, str]:
    """Return every signing and anchor key ever registered: id to SubjectPublicKeyInfo (hex)."""
    found = {name: held.keys.signing_key for name, (_, held) in register.credentials.items()}
    return found | {key_id(bytes.fromhex(one)): one for one in register.anchor_keys}


def _tree(octets: bytes, what: str) -> object:
    try:
        return json.loads(octets.decode())
    except (ValueError, RecursionError):
        raise InvalidInput(_FORM, f"{what} is not JSON") from None
