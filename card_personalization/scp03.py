"""SCP03, the issuer's secure channel: commands and answers enciphered and authenticated by AES.

Always security level 33 (C-MAC, C-DECRYPTION, R-MAC, R-ENCRYPTION) and challenges of 8 bytes (S8).
Source: GlobalPlatform Card Specification 2.3, Amendment D 1.1.2 (clauses below), and 11.8 PUT KEY.
"""

from __future__ import annotations

from dataclasses import astuple, dataclass, field

from cryptography.hazmat.primitives.ciphers import Cipher
from cryptography.hazmat.primitives.ciphers.algorithms import AES
from cryptography.hazmat.primitives.ciphers.modes import CBC
from cryptography.hazmat.primitives.cmac import CMAC
from cryptography.hazmat.primitives.constant_time import bytes_eq
from cryptography.hazmat.primitives.kdf.kbkdf import KBKDFCMAC, CounterLocation, Mode
from cryptography.hazmat.primitives.keywrap import aes_key_wrap_with_padding

from card_personalization import tlv
from card_personalization.apdu import OK, CardChannel, IssuerKeyRefused
from card_personalization.transport import ConnectionLost
from pki.errors import InvalidInput, Unavailable

CHALLENGE_SIZE = 8
MAC_SIZE = 8
SECURED = 0x04  # bit of CLA
SECURITY_LEVEL = 0x33
MAX_KEY_VERSION = 0x7F
_BLOCK = 16
_KEY_TYPE = 0x88  # AES
_KEY_SIZES = (16, 24, 32)
_THREE_KEYS = 0x81  # P2 of PUT KEY: first key is number 1, more follow


class SecureMessagingFailed(ConnectionLost):
    """An answer was not the card's own, or the session ended before; nothing more is sent."""

    def __init__(self) -> None:
        super().__init__(
            "card.secure_messaging",
            "an answer in the issuer's session is not authentic; the session is over",
            "take the card out, put it in again and resume",
        )


@dataclass(frozen=True)
class StaticKeys:
    """K-ENC, K-MAC and K-DEK of a card, all of 16, 24 or 32 bytes; InvalidInput otherwise."""

    enc: bytes = field(repr=False)
    mac: bytes = field(repr=False)
    dek: bytes = field(repr=False)

    def __post_init__(self) -> None:
        if len(self.enc) not in _KEY_SIZES or not len(self.enc) == len(self.mac) == len(self.dek):
            raise InvalidInput("card.issuer_key", "issuer keys have 16, 24 or 32 bytes, all alike")


class Session:
    """What both ends of a session know: its keys, encryption counter and MAC chaining value.

    ``counter`` is that of the present command, from 1 after EXTERNAL AUTHENTICATE; who sends or
    gets a command counts it, data or not. Source: 6.2.1 (keys), 6.2.2 (cryptograms).
    """

    def __init__(self, keys: StaticKeys, host_challenge: bytes, card_challenge: bytes) -> None:
        context, size = host_challenge + card_challenge, len(keys.enc)
        self._enc = _derive(keys.enc, 0x04, size, context)
        self._mac = _derive(keys.mac, 0x06, size, context)
        self._rmac = _derive(keys.mac, 0x07, size, context)
        self.card_cryptogram = _derive(self._mac, 0x00, MAC_SIZE, context)
        self.host_cryptogram = _derive(self._mac, 0x01, MAC_SIZE, context)
        self.dek = keys.dek
        self.counter = 0
        self._chaining_value = bytes(_BLOCK)

    def c_mac(self, header: bytes, data: bytes, *, extended: bool) -> bytes:
        """MAC of a command with enciphered data, which also counts for the next one's.

        Lc counts the MAC too, in three bytes if it is sent so or is above 255. Source: 6.2.4.
        """
        lc = len(data) + MAC_SIZE
        encoded_lc = lc.to_bytes(3 if extended or lc > 255 else 1, "big")
        self._chaining_value = _cmac(self._mac, self._chaining_value + header + encoded_lc + data)
        return self._chaining_value[:MAC_SIZE]

    def r_mac(self, data: bytes, sw: int) -> bytes:
        """MAC of the answer to the last command, over its enciphered data. Source: 6.2.5."""
        message = self._chaining_value + data + sw.to_bytes(2, "big")
        return _cmac(self._rmac, message)[:MAC_SIZE]

    def encrypt(self, data: bytes, *, answer: bool) -> bytes:
        """Return padded data under S-ENC; no data stays no data. Source: 6.2.6, 6.2.7."""
        if not data:
            return b""
        filler = bytes(_BLOCK - 1 - len(data) % _BLOCK)
        return _encrypt(self._enc, data + b"\x80" + filler, self._icv(answer=answer))

    def decrypt(self, data: bytes, *, answer: bool) -> bytes:
        """Return data of a command or answer; ValueError unless whole blocks with padding."""
        if not data:
            return b""
        padded = _decrypt(self._enc, data, self._icv(answer=answer))
        bare = padded.rstrip(b"\0")
        if not bare.endswith(b"\x80"):
            raise ValueError("padding")
        return bare[:-1]

    def _icv(self, *, answer: bool) -> bytes:
        """Encryption counter under S-ENC, with 80 in front for the answer. Source: 6.2.6, 6.2.7."""
        return _encrypt(self._enc, bytes([0x80 * answer]) + self.counter.to_bytes(15, "big"))


class SecureChannel(CardChannel):
    """Commands in an open session; after anything but a sound answer nothing more is sent."""

    def __init__(self, plain: CardChannel, session: Session) -> None:
        super().__init__(plain.transport, extended=plain.extended)
        self._session = session
        self._sound = True

    def transceive(
        self, cla: int, ins: int, p1: int, p2: int, data: bytes, le: int | None
    ) -> tuple[bytes, int]:
        """Clear answer and status word of one command, wrapped as a whole and then chained.

        The card is always asked for an answer, since there is a MAC in it. SecureMessagingFailed.
        """
        if not self._sound:
            raise SecureMessagingFailed
        self._sound = False
        self._session.counter += 1
        le = le or 256
        enciphered = self._session.encrypt(data, answer=False)
        extended = self.is_extended(len(enciphered) + MAC_SIZE, le)
        cla |= SECURED
        mac = self._session.c_mac(bytes([cla, ins, p1, p2]), enciphered, extended=extended)
        answer, sw = super().transceive(cla, ins, p1, p2, enciphered + mac, le)
        clear = self._opened(answer, sw)
        self._sound = True
        return clear, sw

    def put_keys(self, keys: StaticKeys, version: int, old_version: int) -> None:
        """Give the card other static keys in place of those of ``old_version`` (PUT KEY).

        Raises ``Unavailable`` (card.issuer_keys) unless the card tells their version and check
        values. Source: GlobalPlatform 11.8.3.
        """
        data = key_data(keys, version, self._session.dek)
        answer = self.send(0x80, 0xD8, old_version, _THREE_KEYS, data)
        values = (key_check_value(key) for key in (keys.enc, keys.mac, keys.dek))
        if answer != bytes([version]) + b"".join(values):
            raise Unavailable(
                "card.issuer_keys",
                "the card does not confirm the issuer keys it was given",
                "Put it in again and run it once more; if it stays so, scrap the card.",
            )

    def wrapped(self, private_key: bytes) -> bytes:
        """Return a private key under K-DEK, by AES key wrap with padding. Source: RFC 5649."""
        return aes_key_wrap_with_padding(self._session.dek, private_key)

    def _opened(self, answer: bytes, sw: int) -> bytes:
        if not has_r_mac(sw):
            return b""
        data, mac = answer[:-MAC_SIZE], answer[-MAC_SIZE:]
        if not bytes_eq(mac, self._session.r_mac(data, sw)):
            raise SecureMessagingFailed
        try:
            return self._session.decrypt(data, answer=True)
        except ValueError as error:
            raise SecureMessagingFailed from error


def open_channel(plain: CardChannel, keys: StaticKeys, host_challenge: bytes) -> SecureChannel:
    """Open a session by 8 random bytes: INITIALIZE UPDATE, EXTERNAL AUTHENTICATE.

    IssuerKeyRefused if the card does not prove the keys, before anything is proven to it, or takes
    them no more; Unavailable (card.scp) if it speaks no SCP03. Source: 7.1.1, 7.1.2.
    """
    answer = plain.send(0x80, 0x50, 0x00, 0x00, host_challenge, le=256)
    # 10 bytes diversification data; key version, SCP, i; challenge, cryptogram, [sequence counter]
    if len(answer) not in (29, 32) or answer[11] != 0x03:
        raise Unavailable("card.scp", "the card does not speak SCP03 with challenges of 8 bytes")
    session = Session(keys, host_challenge, answer[13:21])
    if not bytes_eq(answer[21:29], session.card_cryptogram):
        raise IssuerKeyRefused(OK)
    header = bytes([0x84, 0x82, SECURITY_LEVEL, 0x00])
    mac = session.c_mac(header, session.host_cryptogram, extended=False)
    plain.send(0x84, 0x82, SECURITY_LEVEL, 0x00, session.host_cryptogram + mac)
    return SecureChannel(plain, session)


def has_r_mac(sw: int) -> bool:
    """Whether an answer with this status word carries a MAC: no error does. Source: 6.2.5."""
    return sw == OK or sw >> 8 in (0x62, 0x63)


def key_data(keys: StaticKeys, version: int, dek: bytes) -> bytes:
    """Return data of PUT KEY: version, each key under K-DEK, its check value. Source: 7.2."""
    data = bytes([version])
    for key in astuple(keys):
        enciphered = _encrypt(dek, key.ljust(-len(key) // _BLOCK * -_BLOCK, b"\0"))
        data += tlv.encode(_KEY_TYPE, bytes([len(key)]) + enciphered)
        data += b"\x03" + key_check_value(key)
    return data


def read_key_data(data: bytes, dek: bytes) -> tuple[StaticKeys, int]:
    """Keys and version in the data of PUT KEY; ValueError or InvalidInput unless all is right.

    A key of whole blocks may come without its length in front, as Yubico's tools send it.
    """
    version, rest, keys = data[0] if data else 0, data[1:], []
    for _ in range(3):
        key_type, size = rest[:2]
        component, check, rest = rest[2 : 2 + size], rest[2 + size : 6 + size], rest[6 + size :]
        length = size if size % _BLOCK == 0 else int.from_bytes(component[:1], "big")
        key = _decrypt(dek, component[size % _BLOCK :])[:length]
        keys.append(key)
        whole = key_type == _KEY_TYPE and size % _BLOCK <= 1 and len(key) in _KEY_SIZES
        if not whole or check != b"\x03" + key_check_value(key):
            raise ValueError("a key is of another type or damaged")
    if rest or not 1 <= version <= MAX_KEY_VERSION:
        raise ValueError("there is no such version, or too much data")
    return StaticKeys(*keys), version


def key_check_value(key: bytes) -> bytes:
    """First three bytes of a block of 01 under the key."""
    return _encrypt(key, b"\x01" * _BLOCK)[:3]


def _derive(key: bytes, constant: int, size: int, context: bytes) -> bytes:
    """``size`` bytes by NIST SP 800-108 in counter mode with CMAC. Source: 4.1.5."""
    label = bytes(11) + bytes([constant, 0]) + (8 * size).to_bytes(2, "big")
    return KBKDFCMAC(
        algorithm=AES,
        mode=Mode.CounterMode,
        length=size,
        rlen=1,
        llen=None,
        location=CounterLocation.MiddleFixed,
        label=None,
        context=None,
        fixed=label + context,
        break_location=len(label),
    ).derive(key)


def _cmac(key: bytes, message: bytes) -> bytes:
    mac = CMAC(AES(key))
    mac.update(message)
    return mac.finalize()


def _encrypt(key: bytes, blocks: bytes, icv: bytes = bytes(_BLOCK)) -> bytes:
    encryptor = Cipher(AES(key), CBC(icv)).encryptor()
    return encryptor.update(blocks) + encryptor.finalize()


def _decrypt(key: bytes, blocks: bytes, icv: bytes = bytes(_BLOCK)) -> bytes:
    decryptor = Cipher(AES(key), CBC(icv)).decryptor()
    return decryptor.update(blocks) + decryptor.finalize()
