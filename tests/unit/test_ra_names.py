"""Names: what they may hold and how they are found."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ra.persons import names


@pytest.mark.parametrize(
    ("spelling", "common"),
    [
        ("髙橋　一郎", "高橋一郎"),
        ("山﨑", "山崎"),
        ("𠮷田", "吉田"),
        ("渡邉", "渡辺"),
        ("渡邊\U000e0101", "渡辺"),
        ("齋藤", "斉藤"),
        ("斎藤", "斉藤"),
        ("\ufa19田", "神田"),
        ("辻\U000e0100\ufe00", "辻"),
        ("ﾜﾀﾅﾍﾞ ｹﾝ", "ワタナベケン"),
        ("O'Hara", "o'hara"),
        ("ＳＡＴＯ", "sato"),
    ],
)
def test_search_key_brings_spellings_together(spelling: str, common: str) -> None:
    assert names.search_key(spelling) == common == names.search_key(common)


@given(st.text(st.characters(categories=("L", "N", "Zs"))))
def test_search_key_has_no_space_and_is_stable(name: str) -> None:
    key = names.search_key(name)
    assert not any(character.isspace() for character in key)
    assert names.search_key(key) == key


@pytest.mark.parametrize(
    "name",
    ["𠮷田　健", "髙﨑　彩", "辻\U000e0100　香", "\ufa19\ufe00　聡", "々木　ヶ", "\U0003134a　健"],
)
def test_rare_kanji_pass(name: str) -> None:
    assert names.forbidden_character(name) is None
    assert names.is_kanji_name(name)


@pytest.mark.parametrize(
    ("character", "private_use"),
    [
        ("\x00", False),
        ("\x7f", False),
        ("\n", False),
        ("\u200b", False),
        ("\u202e", False),
        ("\u2028", False),
        ("\ufeff", False),
        ("\ufffd", False),
        ("\uffff", False),
        ("\u0378", False),
        ("\ue000", True),
        ("\U000f0000", True),
        ("\U00100000", True),
    ],
)
def test_forbidden_characters_are_named(character: str, private_use: bool) -> None:
    assert names.forbidden_character(f"山{character}田") == names.ForbiddenCharacter(
        2, f"U+{ord(character):04X}", private_use
    )


def test_a_surrogate_is_named() -> None:
    found = names.forbidden_character("山\ud800")
    assert found == names.ForbiddenCharacter(2, "U+D800", private_use=False)


@pytest.mark.parametrize(
    "name", ["SMITH JOHN", "Müller Anna-Lena", "O'HARA P.", "スミス　ジョン", "王　明"]
)
def test_kanji_names_take_foreign_names(name: str) -> None:
    assert names.is_kanji_name(name)


@pytest.mark.parametrize(
    "name",
    ["山田太郎", "山田 太郎", "山田　太　郎", "　太郎", "山田　", " 山田　太郎", "山田　太郎2",
     "\U000e0100　太", "SMITH  JOHN", "Смит Иван", "SMITH JOHN "],
)  # fmt: skip
def test_other_forms_are_no_kanji_names(name: str) -> None:
    assert not names.is_kanji_name(name)
