"""Ways in which one value may be written: steps that lead each to one form, for comparing only."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import jaconv

from policies import variants
from ra.dates import from_kanji_digits

_DIGITS = "〇一二三四五六七八九十百"
_NOT_COMPATIBILITY = re.compile("[^\uf900-\ufaff\U0002f800-\U0002fa1f]+")
_HYPHEN = re.compile("(?<=[0-9])[‐‑‒–—―−ー](?=[0-9])")
_PREFECTURE = re.compile("(?:北海道|東京都|(?:京都|大阪)府|(?:神奈川|和歌山|鹿児島|[一-鿿]{2})県)")
_SECTION = re.compile("大?字(?=[^0-9])")
_KE = re.compile("(?<=[ぁ-んァ-ヴ一-鿿])[ヶケヵカがガ箇](?=[一-鿿])")
_KANJI_DIGITS = re.compile(f"[{_DIGITS}]+(?=丁目|番|号|条|線|-|の[{_DIGITS}0-9])")
_KANJI_DIGITS_AFTER = re.compile(f"(?<=[0-9][-のノ])[{_DIGITS}]+|(?<=番地|丁目)[{_DIGITS}]+$")
_BETWEEN_NUMBERS = re.compile("(?<=[0-9])(?:丁目|番地?|号)?[のノ-]?(?=[0-9])")
_AFTER_NUMBER = re.compile("(?<=[0-9])(?:丁目|番地?|号室?)(?![町丁街])")
_NUMBER = re.compile("[0-9]+")


@dataclass(frozen=True)
class Step:
    """One way of writing that makes no difference, and its name in both languages."""

    plain: Callable[[str], str]
    words_ja: str
    words_en: str


def one_width(text: str) -> str:
    """Return the text in NFKC but for compatibility ideographs, which stay to be explained."""
    return _NOT_COMPATIBILITY.sub(lambda part: unicodedata.normalize("NFKC", part[0]), text)


def prefecture(text: str) -> str:
    """Return the prefecture an address begins with; empty if it names none."""
    found = _PREFECTURE.match(text)
    return found[0] if found else ""


def _one_numbering(text: str) -> str:
    """Return 一丁目2番地3号 as 1-2-3."""
    for pattern in (_KANJI_DIGITS, _KANJI_DIGITS_AFTER):
        text = pattern.sub(lambda number: from_kanji_digits(number[0]), text)
    return _AFTER_NUMBER.sub("", _BETWEEN_NUMBERS.sub(_hyphen_if_any, text))


def _hyphen_if_any(between: re.Match[str]) -> str:
    return "-" if between[0] else ""


def _without_zeros(text: str) -> str:
    return _NUMBER.sub(lambda number: number[0].lstrip("0") or "0", text)


VARIANT = Step(variants.fold, "異体字", "variant characters")
WIDTH = Step(one_width, "全角・半角の違い", "full or half width")
SPACES = Step(lambda text: "".join(text.split()), "空白の違い", "spaces")
KANA = Step(jaconv.hira2kata, "ひらがな・カタカナの違い", "hiragana or katakana")
CASE = Step(str.upper, "大文字・小文字の違い", "capital or small letters")
ZEROS = Step(_without_zeros, "先頭のゼロの有無", "leading zeros")
NUMBER_WORDS = Step(
    lambda text: re.sub("^(?:登録)?(?:番号)?第?|号$", "", text), "「第」「号」の有無", "第 and 号"
)

NAME = (WIDTH, SPACES, CASE, VARIANT)
KANA_NAME = (WIDTH, SPACES, KANA, VARIANT)
NUMBER = (WIDTH, SPACES, NUMBER_WORDS, ZEROS)
ADDRESS = (
    WIDTH,
    SPACES,
    Step(lambda text: _HYPHEN.sub("-", text), "ハイフンの違い", "kinds of hyphen"),
    Step(lambda text: text.removeprefix(prefecture(text)), "都道府県の有無", "prefecture left out"),
    Step(lambda text: _SECTION.sub("", text), "字・大字の有無", "字 or 大字 left out"),
    Step(lambda text: _KE.sub("ケ", text), "ヶ・ケ・がの違い", "ヶ, ケ or が"),
    Step(_one_numbering, "丁目・番地・号の書き方の違い", "丁目, 番地, 号 or hyphens"),
    ZEROS,
    VARIANT,
)  # fmt: skip


def plain(text: str, steps: Sequence[Step]) -> str:
    """Return the text after all steps, in their order."""
    for step in steps:
        text = step.plain(text)
    return text
