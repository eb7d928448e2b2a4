"""jcecard's PIV application, a card nobody here wrote, as a chip for our transports.

It takes whole commands and gives whole answers, so chaining either way is done here.
"""

from __future__ import annotations

import warnings

from cryptography.utils import CryptographyDeprecationWarning
from jcecard.apdu import APDUParser
from jcecard.piv.applet import PIVApplet

from card_personalization.virtual.door import parse_command


class JceCard:
    """One blank card; it has no retry limits, no other management key, no PIN per signature."""

    atr = bytes.fromhex("3b8a80018073f401c04a434543415244")

    def __init__(self) -> None:
        self.applet = PIVApplet()
        self.sent: list[bytes] = []
        self._gathered = self._rest = b""

    def reset(self) -> None:
        """Loss of power."""
        self.applet.reset()
        self.applet.security.mgmt_authenticated = False
        self._gathered = self._rest = b""

    def transmit(self, apdu: bytes) -> bytes:
        """Answer in pieces of 256 octets."""
        self.sent.append(apdu)
        command = parse_command(apdu)
        if apdu[1] == 0xC0:
            return self._piece(self._rest, b"\x90\x00")
        self._gathered += command.data
        if apdu[0] & 0x10:
            return b"\x90\x00"
        data, self._gathered = self._gathered, b""
        parsed = APDUParser.parse(_extended(apdu[:4], data))
        with warnings.catch_warnings():  # its 3DES
            warnings.simplefilter("ignore", CryptographyDeprecationWarning)
            answer = self.applet.process_apdu(parsed)
        return self._piece(answer.data, answer.sw.to_bytes(2, "big"))

    def _piece(self, data: bytes, status: bytes) -> bytes:
        self._rest = data[256:]
        if not self._rest:
            return data + status
        return data[:256] + bytes([0x61, min(len(self._rest), 255)])


def _extended(header: bytes, data: bytes) -> bytes:
    if len(data) < 256:
        return header + (bytes([len(data)]) + data if data else b"") + b"\x00"
    return header + b"\x00" + len(data).to_bytes(2, "big") + data + b"\x00\x00"
