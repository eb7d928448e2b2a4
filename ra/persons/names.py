"""Names of persons: which characters they may hold, and a key to find them.

A name is kept as it was given, byte for byte: even NFC would change 神 U+FA19 into another
character. What this module derives from a name is never written back over it.
"""

from __future__ import annotations

import re
import unicodedata
from dataclasses import dataclass

from policies import variants

IDEOGRAPHIC_SPACE = "\u3000"
_VARIATION_SELECTOR = re.compile(f"[{variants.SELECTORS}]")
_KANA = "ァ-ヺーヽヾ・"
_KANA_NAME = re.compile(f"[{_KANA}]+(?:{IDEOGRAPHIC_SPACE}[{_KANA}]+)*")
_LATIN_NAME = re.compile(r"[^\W\d_]+(?:[ .'’-]+[^\W\d_]+)*\.?")
_MARKS_IN_NAMES = "・〇'’.-"
_UNSEEN = frozenset("\ufffd\u034f\u115f\u1160\u17b4\u17b5\u3164\uffa0")
"""The replacement character, and letters and marks that no font shows. Source: Unicode,
DerivedCoreProperties, Default_Ignorable_Code_Point; variation selectors are none of them."""


@dataclass(frozen=True)
class ForbiddenCharacter:
    """The first character that no field may hold; ``position`` counts from 1."""

    position: int
    code_point: str
    private_use: bool


def forbidden_character(text: str) -> ForbiddenCharacter | None:
    """Return the first character that no field may hold, or None.

    Such are control, format, surrogate, private use, lost (U+FFFD), unassigned and invisible ones:
    with an invisible one two names that look alike would not be alike.

    Rare kanji pass: 𠮷 U+20BB7, 髙 U+9AD9, 﨑 U+FA11, compatibility ideographs, variation
    sequences, and code points of the ideographic planes 2 and 3 that Python does not know yet.
    """
    if text.isprintable() and _UNSEEN.isdisjoint(text):
        return None
    for position, character in enumerate(text, start=1):
        category = unicodedata.category(character)
        unknown_kanji = category == "Cn" and 0x20000 <= ord(character) < 0x3FFFE
        if character in _UNSEEN or not (
            character.isprintable() or category == "Zs" or unknown_kanji
        ):
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


def search_key(name: str) -> str:
    """Return a key under which the spellings of one name meet: rather too many than too few.

    NFKC, case-folded, without white space and variation selectors, variant kanji folded:
    髙橋, 高橋 and 高　橋 have one key.
    """
    folded = unicodedata.normalize("NFKC", name).casefold()
    return unicodedata.normalize("NFKC", variants.fold("".join(folded.split())))
