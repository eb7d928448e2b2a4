"""Scenes of certificates and lists, and the cases that change one thing in them."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path

from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec, padding, rsa

from pki.reading.certificate import Certificate
from pki.reading.crl import RevocationList
from tests.golden.lint.tree import Node, boolean, node, oid, parse, sequence

KEYS = Path(__file__).parent / "keys"
FIELDS = ("serial", "signature", "issuer", "validity", "subject", "public_key")

PrivateKey = rsa.RSAPrivateKey | ec.EllipticCurvePrivateKey


@cache
def private_key(name: str) -> PrivateKey:
    """``root``, ``sub``, ``person``, ``other`` RSA-3072; ``small`` 2048; ``p256``, ``p384-…``."""
    key = serialization.load_pem_private_key((KEYS / f"{name}.pem").read_bytes(), None)
    assert isinstance(key, rsa.RSAPrivateKey | ec.EllipticCurvePrivateKey)
    return key


def octets_of(found: Certificate | RevocationList) -> bytes:
    """Return the octets of what was read, trailing ones too."""
    return found.der if isinstance(found, Certificate) else found.source.read(0, found.octets)


class Draft:
    """A certificate or list as a tree, to be changed and signed again with the same key."""

    def __init__(self, der: bytes, signer: str, hash_name: str = "SHA-256") -> None:
        self.tree = parse(der)
        self.signer = signer
        self.hash_name = hash_name
        self.raw: bytes | None = None
        self.after: Callable[[Node], None] | None = None

    @property
    def tbs(self) -> Node:
        """The part that is signed."""
        return self.tree[0]

    @property
    def is_list(self) -> bool:
        """Whether this is a list."""
        return self.tbs[0].tag != 0xA0 and self.tbs[0].tag == 0x02 and len(self.tbs[0].octets) == 1

    def field(self, name: str) -> Node:
        """Return a field of a v3 certificate's signed part, by its name in ``FIELDS``."""
        return self.tbs[1 + FIELDS.index(name)]

    @property
    def extensions(self) -> Node:
        """The SEQUENCE of extensions."""
        holder = self.tbs.children[-1]
        assert holder.tag in (0xA3, 0xA0)
        return holder[0]

    def extension(self, dotted: str) -> Node:
        """Return the Extension of the type."""
        wanted = oid(dotted).octets
        return next(one for one in self.extensions.children if one[0].octets == wanted)

    def value(self, dotted: str) -> Node:
        """Return the extnValue's contents as a tree; hand it back to ``put`` when changed."""
        return parse(self.extension(dotted).children[-1].octets)

    def put(self, dotted: str, value: Node | bytes) -> None:
        """Replace the extension's value."""
        octets = value if isinstance(value, bytes) else value.encode()
        self.extension(dotted).children[-1] = Node(0x04, octets)

    def critical(self, dotted: str, flag: bool) -> None:
        """Set the extension's criticality, FALSE by leaving it out."""
        found = self.extension(dotted)
        found.children = [found[0], *([boolean(True)] if flag else []), found.children[-1]]

    def add(self, dotted: str, value: Node | bytes, *, critical: bool = False) -> None:
        """Append an extension."""
        octets = value if isinstance(value, bytes) else value.encode()
        flag = [boolean(True)] if critical else []
        self.extensions.children.append(sequence(oid(dotted), *flag, Node(0x04, octets)))

    def drop(self, dotted: str) -> None:
        """Leave the extension out."""
        self.extensions.children.remove(self.extension(dotted))

    def encode(self) -> bytes:
        """Return the object signed: ``raw`` where a case set it, changed by ``after`` last."""
        if self.raw is not None:
            return self.raw
        tbs = self.tbs.encode()
        signed = sequence(parse(tbs) if self.tbs.length is None else self.tbs, self.tree[1])
        signed.children.append(node(0x03, b"\x00" + _signature(tbs, self.signer, self.hash_name)))
        if self.after is not None:
            self.after(signed)
        return signed.encode()


@cache
def _signature(tbs: bytes, signer: str, hash_name: str) -> bytes:
    key = private_key(signer)
    algorithm = hashes.SHA384() if hash_name == "SHA-384" else hashes.SHA256()
    if isinstance(key, rsa.RSAPrivateKey):
        return key.sign(tbs, padding.PKCS1v15(), algorithm)
    return key.sign(tbs, ec.ECDSA(algorithm, deterministic_signing=True))


@dataclass
class Scene:
    """What one golden file holds: the object judged first, then its issuer and so on."""

    objects: list[Draft]

    @property
    def first(self) -> Draft:
        """The object with the defect."""
        return self.objects[0]

    @property
    def issuer(self) -> Draft:
        """Its issuer."""
        return self.objects[1]


@dataclass(frozen=True)
class Case:
    """One defect: which rule it breaks, in which sound scene, what else it cannot help breaking.

    ``severity`` is what the rule must say. ``also`` names findings, as ``CODE SEVERITY``, that the
    same defect draws on the first object, ``elsewhere`` on the others as ``N CODE SEVERITY``, and
    ``hides`` those of the sound scene that are gone. ``options`` are those of the judge:
    ``strict``, ``site=…``, ``profile=…``.
    """

    code: str
    severity: str
    scene: str
    change: Callable[[Scene], None]
    also: tuple[str, ...] = ()
    elsewhere: tuple[str, ...] = ()
    hides: tuple[str, ...] = ()
    options: tuple[str, ...] = ()

    @property
    def name(self) -> str:
        """The file's name without its ending: code, severity where needed, and defect."""
        return f"{self.code}-{self.change.__name__.strip('_').replace('_', '-')}"

    @property
    def what(self) -> str:
        """The defect in one line."""
        return (self.change.__doc__ or "").strip()


CASES: list[Case] = []


def case(
    code: str,
    severity: str,
    scene: str,
    *,
    also: tuple[str, ...] = (),
    elsewhere: tuple[str, ...] = (),
    hides: tuple[str, ...] = (),
    options: tuple[str, ...] = (),
) -> Callable[[Callable[[Scene], None]], Callable[[Scene], None]]:
    """Register the decorated change; its docstring says what is wrong in one line."""

    def register(change: Callable[[Scene], None]) -> Callable[[Scene], None]:
        CASES.append(Case(code, severity, scene, change, also, elsewhere, hides, options))
        return change

    return register


@dataclass
class Sound:
    """A sound scene, and the findings (``N CODE SEVERITY``) that even it draws."""

    make: Callable[[], Scene]
    expect: tuple[str, ...] = ()
    options: tuple[str, ...] = field(default=())
