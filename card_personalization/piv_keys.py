"""Keys as a PIV card writes and reads them.

Source: NIST SP 800-73-4 part 2, 3.3.2 (public); Yubico, PIV, import asymmetric key (private).
"""

from __future__ import annotations

from cryptography.hazmat.primitives.asymmetric import ec, rsa

from card_personalization import tlv
from keys.backend import KeySpec, PrivateKey
from pki.errors import Unavailable
from pki.signing import IssuerPublicKey


def private_key_objects(key: PrivateKey) -> bytes:
    """01, 02 primes, 03 to 05 their CRT exponents and coefficient; 06 private value of a curve."""
    size = key.key_size // 8
    if isinstance(key, ec.EllipticCurvePrivateKey):
        return tlv.encode(0x06, key.private_numbers().private_value.to_bytes(size, "big"))
    numbers = key.private_numbers()
    values = numbers.p, numbers.q, numbers.dmp1, numbers.dmq1, numbers.iqmp
    return b"".join(
        tlv.encode(tag, value.to_bytes(size // 2, "big")) for tag, value in enumerate(values, 1)
    )


def public_key_in(answer: tuple[tlv.Tlv, ...], spec: KeySpec) -> IssuerPublicKey:
    """Public key of 7F49; raises ``Unavailable`` unless it is of the kind asked for."""
    try:
        if spec.rsa_bits:
            modulus, exponent = (
                int.from_bytes(tlv.find(answer, 0x7F49, tag) or b"", "big") for tag in (0x81, 0x82)
            )
            key = rsa.RSAPublicNumbers(exponent, modulus).public_key()
            if key.key_size == spec.rsa_bits:
                return key
        else:
            point = tlv.find(answer, 0x7F49, 0x86) or b""
            return ec.EllipticCurvePublicKey.from_encoded_point(spec.curve, point)
    except ValueError:
        pass
    raise Unavailable("card.public_key", f"the card gave no public key of {spec.name}")
