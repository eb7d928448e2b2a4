"""The transcript of a key ceremony (鍵生成セレモニー記録) as a page to print and sign.

Source of the fields: ``hpki_operations`` section 6.3, merged from ETSI EN 319 411-1
6.5.1-13A and the CA/Browser Forum baseline requirements; the form is our proposal.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import datetime
from types import MappingProxyType

from pki.errors import InvalidInput
from reports.imprint import Imprint, jst
from reports.render import environment

KIND_NAMES = MappingProxyType(
    {
        "GENERATE": "鍵生成",
        "ACTIVATE": "鍵の活性化",
        "DEACTIVATE": "鍵の非活性化",
        "BACKUP": "鍵のバックアップ",
        "RESTORE": "鍵のリストア",
        "ROLLOVER": "鍵更新",
        "DESTROY": "鍵の破棄",
    }
)
_SHA256 = re.compile(r"[0-9a-f]{64}")
_SERIAL = re.compile(r"[0-9a-f]{1,40}")


@dataclass(frozen=True)
class CeremonyParticipant:
    """One person present; ``statement_id`` names the signed statement, None if there is none."""

    name: str
    role: str
    statement_id: str | None


@dataclass(frozen=True)
class CeremonyKey:
    """One key touched: ``size`` in bits, ``spki_sha256`` 64 lower-case hex digits."""

    label: str
    algorithm: str
    size: int
    spki_sha256: str

    def __post_init__(self) -> None:
        _require(_SHA256, self.spki_sha256, f"key {self.label}: SHA-256 of the public key")


@dataclass(frozen=True)
class CeremonyCertificate:
    """One certificate made: serial and SHA-256 fingerprint as lower-case hex digits."""

    subject: str
    serial_hex: str
    not_before: datetime
    not_after: datetime
    sha256: str

    def __post_init__(self) -> None:
        _require(_SERIAL, self.serial_hex, f"certificate {self.subject}: serial")
        _require(_SHA256, self.sha256, f"certificate {self.subject}: fingerprint")
        jst(self.not_before)
        jst(self.not_after)


@dataclass(frozen=True)
class CryptoModule:
    """The module that held the keys; texts as on its plate and its certificate."""

    maker: str
    model: str
    firmware: str
    serial: str
    certificate: str
    level: str


@dataclass(frozen=True)
class KeyShare:
    """One share of a key or of activation data, and who took it away."""

    number: str
    holder: str


@dataclass(frozen=True)
class CeremonyTranscript:
    """What happened at one ceremony; times are aware, digests lower-case hex.

    ``kind`` is a name of ``KIND_NAMES``. What was not used or not recorded stays empty and the
    page says so. A naive time, a digest of another form, an unknown kind and an end before the
    start raise InvalidInput.
    """

    title: str
    kind: str
    script_name: str
    script_sha256: str
    place: str
    started_at: datetime
    ended_at: datetime
    participants: tuple[CeremonyParticipant, ...]
    keys: tuple[CeremonyKey, ...]
    certificates: tuple[CeremonyCertificate, ...]
    deviations: str
    result: str
    module: CryptoModule | None = None
    shares: tuple[KeyShare, ...] = ()
    seal_numbers: tuple[str, ...] = ()
    backup_destinations: tuple[str, ...] = ()
    video_reference: str = ""

    def __post_init__(self) -> None:
        if self.kind not in KIND_NAMES:
            raise InvalidInput(
                "reports.ceremony.kind",
                f"no such kind of ceremony: {self.kind!r}",
                "one of: " + ", ".join(KIND_NAMES),
            )
        _require(_SHA256, self.script_sha256, "SHA-256 of the script")
        if jst(self.ended_at) < jst(self.started_at):
            raise InvalidInput(
                "reports.ceremony.times", "the ceremony ends before it starts", "check both times"
            )

    @property
    def kind_ja(self) -> str:
        """The kind in Japanese."""
        return KIND_NAMES[self.kind]


def ceremony_html(transcript: CeremonyTranscript, imprint: Imprint) -> bytes:
    """Render the transcript as one HTML file, UTF-8, with lines for the signatures."""
    page = environment().get_template("ceremony.html.j2")
    return page.render(transcript=transcript, imprint=imprint).encode()


def _require(form: re.Pattern[str], text: str, what: str) -> None:
    """Raise InvalidInput unless the whole text has the form."""
    if not form.fullmatch(text):
        raise InvalidInput(
            "reports.ceremony.hex",
            f"{what} is {text!r}",
            "lower-case hex digits of the right length",
        )
