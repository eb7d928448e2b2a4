"""The edge to private keys: where they are made, opened and destroyed."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

from cryptography.hazmat.primitives.asymmetric import ec, rsa

from pki.errors import InvalidInput

PrivateKey = rsa.RSAPrivateKey | ec.EllipticCurvePrivateKey

_CURVES: dict[str, type[ec.EllipticCurve]] = {
    "P-256": ec.SECP256R1,
    "P-384": ec.SECP384R1,
}


@dataclass(frozen=True)
class KeySpec:
    """An algorithm and size: ``RSA-2048``, ``RSA-3072``, ``RSA-4096``, ``P-256`` or ``P-384``."""

    name: str

    def __post_init__(self) -> None:
        if self.name not in ("RSA-2048", "RSA-3072", "RSA-4096", *_CURVES):
            raise InvalidInput(
                "keys.spec",
                f"there is no key specification {self.name!r}",
                "Known: RSA-2048, RSA-3072, RSA-4096, P-256, P-384.",
            )

    @property
    def rsa_bits(self) -> int | None:
        """The modulus in bits, or None for a curve."""
        return int(self.name[4:]) if self.name.startswith("RSA-") else None

    @property
    def curve(self) -> ec.EllipticCurve:
        """The named curve."""
        return _CURVES[self.name]()


class KeyBackend(Protocol):
    """A place that keeps private keys under labels of ``[a-z0-9.-]``."""

    @property
    def hardware(self) -> bool:
        """Whether keys never leave a device."""
        ...

    def generate(self, label: str, spec: KeySpec) -> PrivateKey:
        """Make a key; raises ``Conflict`` when the label is taken."""
        ...

    def open(self, label: str) -> PrivateKey:
        """Return the key; raises ``NotFound``, or ``Refused`` for a wrong passphrase."""
        ...

    def labels(self) -> tuple[str, ...]:
        """Return the labels in use, sorted."""
        ...
