"""Cards of other issuers, as far as public facts go: files to be read, PINs to be counted.

Their bytes are written out here, by none of our encoders. Sources: JAHIS 24-002 annexes B and C;
numbers seen on HPKI cards in use: gebo HPKIReaderLib, github miyako/hpki; My Number cards: OpenSC.
"""

from __future__ import annotations

from dataclasses import dataclass, field

from card_personalization.virtual.door import parse_command

HPKI_SIGN = bytes.fromhex("E828BD080FA000000391000000000001")
JPKI = bytes.fromhex("D392F000260100000001")


def der(tag: int, *parts: bytes) -> bytes:
    """One DER element."""
    value = b"".join(parts)
    length = len(value).to_bytes(2, "big")
    head = bytes([len(value)]) if len(value) < 128 else b"\x82" + length
    return bytes([tag]) + head + value


@dataclass
class FileApplication:
    """Files by name: two octets of an identifier, or one of an SFI; ``pins``: tries by P2 or file.

    ``locked``: files that want a PIN first.
    """

    files: dict[bytes, bytes]
    pins: dict[bytes, int]
    locked: frozenset[bytes] = frozenset()


@dataclass
class FileCard:
    """A card that selects, reads and counts; everything else is no command of it (6D00)."""

    applications: dict[bytes, FileApplication]
    atr: bytes = bytes.fromhex("3b888001004e0000f781d10069")
    sent: list[bytes] = field(default_factory=list)
    _application: FileApplication | None = None
    _file: bytes = b""

    def reset(self) -> None:
        """Loss of power."""
        self._application, self._file = None, b""

    def transmit(self, apdu: bytes) -> bytes:
        """Response data and status word."""
        self.sent.append(apdu)
        command = parse_command(apdu)
        if apdu[1] == 0xA4:
            return bytes.fromhex(self._select(apdu[2], command.data))
        if self._application is None:
            return bytes.fromhex("6985" if apdu[1] in (0xB0, 0x20) else "6D00")
        if apdu[1] == 0xB0:
            return self._read(self._application, apdu)
        if apdu[1] == 0x20 and not command.data:
            tries = self._application.pins.get(apdu[3:4], self._application.pins.get(self._file))
            if tries is None:
                return bytes.fromhex("6A88")
            return (0x63C0 | tries if tries else 0x6984).to_bytes(2, "big")
        return bytes.fromhex("6D00")

    def _select(self, how: int, name: bytes) -> str:
        if how == 4:
            if name not in self.applications:
                return "6A82"
            self._application, self._file = self.applications[name], b""
            return "9000"
        if self._application is None or name not in self._application.files:
            return "6A82"
        self._file = name
        return "9000"

    def _read(self, application: FileApplication, apdu: bytes) -> bytes:
        offset = int.from_bytes(apdu[2:4], "big")
        if apdu[2] & 0x80:
            self._file, offset = bytes([apdu[2] & 0x1F]), apdu[3]
        if self._file not in application.files:
            return bytes.fromhex("6A82")
        if self._file in application.locked:
            return bytes.fromhex("6982")
        content = application.files[self._file]
        if offset >= len(content):
            return bytes.fromhex("6B00")
        piece = content[offset : offset + (apdu[4] or 256)]
        return piece + bytes.fromhex("9000" if offset + len(piece) < len(content) else "6282")


def jpki_card(sign: bytes, auth: bytes, ca: bytes, tries: tuple[int, int] = (5, 3)) -> FileCard:
    """A My Number card with these certificates (DER), and tries left of both PINs."""
    files = {"0001": sign, "0002": ca, "000A": auth, "000B": ca, "0018": b"", "001B": b""}
    pins = {b"\x00\x1b": tries[0], b"\x00\x18": tries[1]}
    padded = {bytes.fromhex(name): der_ + bytes(100) for name, der_ in files.items()}
    return FileCard({JPKI: FileApplication(padded, pins, frozenset({b"\x00\x01"}))})


def foreign_hpki_card(holder: bytes, ca: bytes, *, short: bool) -> FileCard:
    """Another issuer's signing card: own ids, EF 0016, P2 88, no identity, no EF.DIR, no AUTH.

    ``short``: files have no identifiers, paths are an SFI shifted left by 3 as in annex B.
    """

    def path(number: int) -> bytes:
        return der(4, bytes([number << 3]) if short else bytes([0, number]))

    def entry(label: str, *rest: bytes) -> bytes:
        return der(0x30, der(0x30, der(0x0C, label.encode())), *rest)

    def certificate(label: str, number: int, *flags: bytes) -> bytes:
        place = der(0xA1, der(0x30, der(0x30, path(number))))
        return entry(label, der(0x30, der(4, bytes([0x45 + number])), *flags), place)

    key_common = der(0x30, der(0x0C, b"JMA key"), der(4, b"\x21"))
    key_class = der(0x30, der(4, b"\x5b"), bytes.fromhex("03020640"))
    key_type = der(0xA1, der(0x30, der(0x30, path(0x0C)), bytes.fromhex("02020800")))
    pin_type = bytes.fromhex("030203c8 0a0102 020104 020108 020108 80020088")
    authority = bytes.fromhex("0101ff")
    files = {
        0x11: b"".join(der(tag, der(0x30, path(number)))
                       for tag, number in ((0xA8, 3), (0xA0, 4), (0xA4, 5))),
        0x12: der(0x30, bytes.fromhex("020101 0403 c0ffee"), der(0x80, b"JMA HPKI"),
                  bytes.fromhex("03020560")),
        3: entry("PIN", der(0x30, der(4, b"\x21")), der(0xA1, der(0x30, pin_type))),
        4: der(0x30, key_common, key_class, key_type),
        5: certificate("JMA root", 0x17, authority) + certificate("Holder", 0x16),
        0x16: holder,
        0x17: ca,
    }  # fmt: skip
    names = {0x11: b"\x50\x31", 0x12: b"\x50\x32"}
    named = {
        bytes([number]) if short else names.get(number, bytes([0, number])): content
        for number, content in files.items()
    }
    return FileCard({HPKI_SIGN: FileApplication(named, {b"\x88": 12})})
