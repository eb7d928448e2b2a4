"""Names of persons: which characters they may hold, a key to find them, a romaji suggestion.

A name is kept as it was given, byte for byte: even NFC would change 神 U+FA19 into another
character. What this module derives from a name is never written back over it.
"""

from __future__ import annotations

import re
import unicodedata
from dataclasses import dataclass

IDEOGRAPHIC_SPACE = "\u3000"
_VARIATION_SELECTORS = "\ufe00-\ufe0f\U000e0100-\U000e01ef"
_VARIATION_SELECTOR = re.compile(f"[{_VARIATION_SELECTORS}]")
_KANA = "ァ-ヺーヽヾ・"
_KANA_NAME = re.compile(f"[{_KANA}]+(?:{IDEOGRAPHIC_SPACE}[{_KANA}]+)*")
_LATIN_NAME = re.compile(r"[^\W\d_]+(?:[ .'’-]+[^\W\d_]+)*\.?")
_MARKS_IN_NAMES = "・〇'’.-"
_LOST = "\ufffd"


@dataclass(frozen=True)
class ForbiddenCharacter:
    """The first character that no field may hold; ``position`` counts from 1."""

    position: int
    code_point: str
    private_use: bool


def forbidden_character(text: str) -> ForbiddenCharacter | None:
    """Return the first character that no field may hold, or None.

    Such are control, format, surrogate, private use, lost (U+FFFD) and unassigned characters.

    Rare kanji pass: 𠮷 U+20BB7, 髙 U+9AD9, 﨑 U+FA11, compatibility ideographs, variation
    sequences, and code points of the ideographic planes 2 and 3 that Python does not know yet.
    """
    if text.isprintable() and _LOST not in text:
        return None
    for position, character in enumerate(text, start=1):
        category = unicodedata.category(character)
        unknown_kanji = category == "Cn" and 0x20000 <= ord(character) < 0x3FFFE
        if character == _LOST or not (character.isprintable() or category == "Zs" or unknown_kanji):
            return ForbiddenCharacter(position, f"U+{ord(character):04X}", category == "Co")
    return None


def is_kanji_name(name: str) -> bool:
    """Tell whether it is ``family U+3000 given`` or a foreign resident's name in Latin letters."""
    parts = name.split(IDEOGRAPHIC_SPACE)
    return is_latin_name(name) or (len(parts) == 2 and all(map(is_name_part, parts)))


def is_latin_name(name: str) -> bool:
    """Tell whether it is Latin letters with single ASCII spaces, hyphens, apostrophes and dots.

    Source: resident record of foreign residents, which writes the name as the passport does.
    """
    return (
        "  " not in name
        and _LATIN_NAME.fullmatch(name) is not None
        and all("LATIN" in unicodedata.name(c, "") for c in name if c.isalpha())
    )


def is_name_part(part: str) -> bool:
    """Tell whether it is one family or given name, without spaces.

    Letters of any script, 々, ・ and the like; a variation selector must follow a character.
    """
    if not part or _VARIATION_SELECTOR.match(part):
        return False
    return all(_is_name_character(character) for character in part)


def _is_name_character(character: str) -> bool:
    category = unicodedata.category(character)
    return category[0] in "LM" or category == "Cn" or character in _MARKS_IN_NAMES


def is_kana_name(name: str) -> bool:
    """Tell whether it is full-width katakana (with ー and ・), parts separated by single U+3000."""
    return _KANA_NAME.fullmatch(name) is not None


# Old and variant forms that neither NFKC nor a keyboard brings together, and the form searched.
# Each pair: every character of the first maps to the second. Only for the key, never for a name.
_FOLDS = (
    ("髙", "高"), ("﨑嵜", "崎"), ("𠮷", "吉"), ("邉邊", "辺"), ("齋斎齊", "斉"), ("澤", "沢"),
    ("濵濱", "浜"), ("嶋嶌", "島"), ("廣", "広"), ("國", "国"), ("櫻", "桜"), ("龍", "竜"),
    ("惠", "恵"), ("眞", "真"), ("壽", "寿"), ("澁", "渋"), ("條", "条"), ("榮", "栄"),
    ("豐", "豊"), ("圓", "円"), ("鐵", "鉄"), ("佛", "仏"), ("瀨", "瀬"), ("槇", "槙"),
    ("凛", "凜"), ("埜", "野"), ("峯", "峰"), ("舘", "館"), ("桒", "桑"), ("栁", "柳"),
    ("渕", "淵"), ("曻", "昇"), ("薮", "藪"), ("桧", "檜"), ("鷗", "鴎"), ("濟", "済"),
    ("與", "与"), ("萬", "万"), ("冨", "富"), ("嶽", "岳"), ("黑", "黒"), ("靜", "静"),
    ("將", "将"), ("彌", "弥"), ("禮", "礼"), ("亞", "亜"), ("學", "学"), ("會", "会"),
    ("實", "実"), ("德", "徳"), ("增", "増"), ("橫", "横"), ("髮", "髪"), ("穗", "穂"),
)  # fmt: skip
_FOLD_TABLE = str.maketrans({old: new for olds, new in _FOLDS for old in olds})


def search_key(name: str) -> str:
    """Return a key under which the spellings of one name meet: rather too many than too few.

    NFKC, case-folded, without white space and variation selectors, variant kanji folded:
    髙橋, 高橋 and 高　橋 have one key.
    """
    folded = unicodedata.normalize("NFKC", name).casefold()
    bare = _VARIATION_SELECTOR.sub("", "".join(folded.split()))
    return unicodedata.normalize("NFKC", bare.translate(_FOLD_TABLE))


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
