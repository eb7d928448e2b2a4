from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime

import pytest

from pki.errors import InvalidInput
from reports.ceremony import (
    CeremonyCertificate,
    CeremonyKey,
    CeremonyParticipant,
    CeremonyTranscript,
    CryptoModule,
    KeyShare,
    ceremony_html,
)
from reports.imprint import Imprint

DIGEST = "0123456789abcdef" * 4
START = datetime(2026, 11, 1, 1, 0, tzinfo=UTC)
END = datetime(2026, 11, 1, 2, 0, tzinfo=UTC)

TRANSCRIPT = CeremonyTranscript(
    title="署名用認証局 鍵生成",
    kind="GENERATE",
    script_name="ca-key-generation-v3.md",
    script_sha256=DIGEST,
    place="鍵管理室",
    started_at=START,
    ended_at=END,
    participants=(
        CeremonyParticipant("𠮷田 隆", "鍵管理者", "statement-1"),
        CeremonyParticipant("監査 次郎", "立会人", None),
    ),
    keys=(CeremonyKey("sign-ca", "RSA", 2048, DIGEST),),
    certificates=(CeremonyCertificate("CN=Sign CA", "0a1b", START, END, DIGEST),),
    deviations="",
    result="成功",
)


def _html(transcript: CeremonyTranscript, kind: str = "trial") -> str:
    return ceremony_html(transcript, Imprint(kind, "電子認証センター", END)).decode()


def test_page_shows_what_happened_in_jst_and_comparable_hex() -> None:
    text = _html(TRANSCRIPT)
    for words in (
        "鍵生成（GENERATE）",
        "2026-11-01 10:00:00 JST",
        "2026-11-01 11:00:00 JST",
        "0123 4567 89ab cdef",
        "𠮷田 隆",
        "statement-1",
        "RSA、2048 ビット",
        "CN=Sign CA",
        "なし None",
    ):
        assert words in text
    assert text.count('class="line"') == 2


def test_what_was_not_recorded_is_said_to_be_missing() -> None:
    full = replace(
        TRANSCRIPT,
        module=CryptoModule("Maker", "Model", "1.0", "S-1", "#1234", "FIPS 140-2 L3"),
        shares=(KeyShare("1/3", "A"), KeyShare("2/3", "B")),
        seal_numbers=("A-001",),
        backup_destinations=("金庫 A", "金庫 B"),
        video_reference="tape 7",
    )
    bare = replace(TRANSCRIPT, keys=(), certificates=(), participants=())
    assert "記録なし" not in _html(full)
    assert _html(TRANSCRIPT).count("記録なし") == 5
    assert "対象の鍵なし" in _html(bare)
    assert "発行した証明書なし" in _html(bare)


@pytest.mark.parametrize(
    ("kind", "shown"), [("trial", True), ("training", True), ("production", False)]
)
def test_banner_stands_outside_production(kind: str, shown: bool) -> None:
    assert ('class="banner"' in _html(TRANSCRIPT, kind)) is shown


def test_hostile_text_stays_text_and_bytes_repeat() -> None:
    hostile = "<img src=x onerror=alert(1)>"
    bad = replace(
        TRANSCRIPT,
        title=hostile,
        place=hostile,
        deviations=hostile,
        result=hostile,
        participants=(CeremonyParticipant(hostile, hostile, hostile),),
        keys=(CeremonyKey(hostile, hostile, 1, DIGEST),),
        seal_numbers=(hostile, hostile),
    )
    text = _html(bad)
    assert "<img" not in text
    assert text == _html(bad)
    assert text.count("&lt;img src=x onerror=alert(1)&gt;") >= 10


@pytest.mark.parametrize(
    ("change", "code"),
    [
        ({"kind": "PARTY"}, "reports.ceremony.kind"),
        ({"script_sha256": DIGEST.upper()}, "reports.ceremony.hex"),
        ({"script_sha256": DIGEST + "\n"}, "reports.ceremony.hex"),
        ({"ended_at": datetime(2026, 10, 31, tzinfo=UTC)}, "reports.ceremony.times"),
        ({"ended_at": datetime(2026, 11, 2)}, "reports.time.naive"),  # noqa: DTZ001
    ],
)
def test_a_transcript_that_cannot_be_is_refused(change: dict[str, object], code: str) -> None:
    with pytest.raises(InvalidInput) as caught:
        replace(TRANSCRIPT, **change)  # type: ignore[arg-type]
    assert caught.value.code == code


def test_digests_of_another_form_are_refused() -> None:
    with pytest.raises(InvalidInput):
        CeremonyKey("k", "RSA", 2048, "abc")
    with pytest.raises(InvalidInput):
        CeremonyCertificate("CN=x", "", START, END, DIGEST)
