"""The passport spelling that is suggested for a katakana name."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ra.persons.romaji import romaji_suggestion


@pytest.mark.parametrize(
    ("kana", "romaji"),
    [
        ("オオタニ　ヨウコ", "OTANI YOKO"),
        ("サイトウ　ユウカ", "SAITO YUKA"),
        ("ショウイチ　リョウタロウ", "SHOICHI RYOTARO"),
        ("セノオ　タカトオ", "SENOO TAKATOO"),
        ("トオル　オオオカ", "TORU OOKA"),
        ("ニーナ　サリー", "NINA SARI"),
        ("マツウラ　イノウエ", "MATSUURA INOUE"),
        ("オオウチ　ヤマノウチ", "OUCHI YAMANOUCHI"),
        ("カンダ　シンヤ", "KANDA SHINYA"),
        ("ナンバ　ホンマ", "NAMBA HOMMA"),
        ("サンペイ　テッペイ", "SAMPEI TEPPEI"),
        ("ハットリ　キッカワ", "HATTORI KIKKAWA"),
        ("ホッチ　ハッチョウ", "HOTCHI HATCHO"),
        ("ジェーン・デュボワ", "JIEN DEYUBOWA"),
        ("ヴィ　ティ", "BUI TEI"),
        ("ユウウ　アッア", "YUU AA"),
        ("ヂヅ　ヲヰヱ", "JIZU OIE"),
    ],
)
def test_romaji_suggestion_follows_the_passport(kana: str, romaji: str) -> None:
    assert romaji_suggestion(kana) == romaji


@pytest.mark.parametrize("not_kana", ["", "山田", "ﾔﾏﾀﾞ", "やまだ", "ヷ　カ", "カ　", "・"])
def test_romaji_suggestion_is_empty_for_what_it_cannot_read(not_kana: str) -> None:
    assert romaji_suggestion(not_kana) == ""


@given(st.text("アイウエオカシチツノンッーャュョ・　ヴァィ", max_size=12))
def test_romaji_suggestion_is_romaji_or_empty(kana: str) -> None:
    suggestion = romaji_suggestion(kana)
    assert suggestion == "" or all(
        part.isascii() and part.isalpha() and part.isupper() for part in suggestion.split(" ")
    )
