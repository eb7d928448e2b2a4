"""A romaji spelling of a katakana name, as passports have it: a suggestion, never a fact."""

from __future__ import annotations

import re

from ra.persons.names import IDEOGRAPHIC_SPACE, is_kana_name


def _syllables() -> dict[str, str]:
    """Return each kana or kana pair that is read as one, with its passport spelling."""
    rows = {
        "": "アイウエオ", "K": "カキクケコ", "S": "サシスセソ", "T": "タチツテト",
        "N": "ナニヌネノ", "H": "ハヒフヘホ", "M": "マミムメモ", "R": "ラリルレロ",
        "G": "ガギグゲゴ", "Z": "ザジズゼゾ", "D": "ダヂヅデド", "B": "バビブベボ",
        "P": "パピプペポ",
    }  # fmt: skip
    table = {
        kana: consonant + vowel
        for consonant, row in rows.items()
        for kana, vowel in zip(row, "AIUEO", strict=True)
    }
    table |= {"シ": "SHI", "チ": "CHI", "ツ": "TSU", "フ": "FU", "ジ": "JI", "ヂ": "JI", "ヅ": "ZU"}
    table |= {"ヤ": "YA", "ユ": "YU", "ヨ": "YO", "ワ": "WA", "ヰ": "I", "ヱ": "E", "ヲ": "O"}
    table |= {"ヴ": "BU", "ヵ": "KA", "ヶ": "KE"}
    table |= {
        "ァ": "A",
        "ィ": "I",
        "ゥ": "U",
        "ェ": "E",
        "ォ": "O",
        "ャ": "YA",
        "ュ": "YU",
        "ョ": "YO",
    }
    for kana in "キシチニヒミリギジヂビピ":
        stem = table[kana][:-1]
        glide = stem if stem in ("SH", "CH", "J") else stem + "Y"
        table |= {kana + small: glide + vowel for small, vowel in zip("ャュョ", "AUO", strict=True)}
    return table | {"ン": "N", "ッ": "", "ー": ""}


_SYLLABLES = _syllables()
_SYLLABLE = re.compile("|".join(sorted(_SYLLABLES, key=len, reverse=True)))
# ウ of 上, 内, 浦 after ノ or ツ begins a word of its own: イノウエ INOUE, マツウラ MATSUURA.
_NEW_WORD = re.compile(r"(?<=[ノツ])ウ(?=[エチラ]$)")


def romaji_suggestion(kana: str) -> str:
    """Return the passport spelling of a katakana name, in capitals, parts in the same order.

    ``kana`` is full-width with U+3000 or ・ between parts; anything else gives an empty text.
    Only a suggestion: kana does not show where a word ends (コウチワ is KOUCHIWA), so the RA checks
    it with the applicant.

    Source: Ministry of Foreign Affairs, ヘボン式ローマ字綴方表: ン before B, M, P is M; ッ doubles
    the consonant, T before CH; long O and U and ー are dropped, オオ at the end is OO.
    """
    if not is_kana_name(kana):
        return ""
    parts = [_romaji_part(part) for part in re.split(f"[{IDEOGRAPHIC_SPACE}・]+", kana)]
    return " ".join(parts) if all(parts) else ""


def _romaji_part(part: str) -> str:
    """Return one name in romaji; empty when it holds kana without a reading (ヽ, ヷ)."""
    syllables = _SYLLABLE.findall(part)
    if "".join(syllables) != part:
        return ""
    new_word = _NEW_WORD.search(part)
    start, romaji, lengthened = 0, "", False
    for index, kana in enumerate(syllables):
        following = _SYLLABLES[syllables[index + 1]] if index + 1 < len(syllables) else ""
        at_end = index + 1 == len(syllables)
        lengthened = kana == "ー" or (
            not lengthened
            and not (new_word and new_word.start() == start)
            and _lengthens(romaji, kana, at_end=at_end)
        )
        if not lengthened:
            romaji += _spelling(kana, following)
        start += len(kana)
    return romaji


def _lengthens(before: str, kana: str, *, at_end: bool) -> bool:
    """Tell whether ``kana`` only lengthens the O or U before it, and so is not written."""
    if kana == "オ":
        return before.endswith("O") and not at_end
    return kana == "ウ" and before.endswith(("O", "U"))


def _spelling(kana: str, following: str) -> str:
    if kana == "ン":
        return "M" if following.startswith(("B", "M", "P")) else "N"
    if kana == "ッ":
        return "T" if following.startswith("CH") else following[:1].strip("AIUEO")
    return _SYLLABLES[kana]
