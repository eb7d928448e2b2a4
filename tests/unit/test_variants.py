"""Variant characters: the table agrees with itself and with Unicode, and explains."""

import unicodedata

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pki.errors import InvalidInput
from policies import variants
from policies.schema import load_toml
from policies.variants import Kind, explain, explain_ja, fold, variant_tables

VARIANTS = [
    (variant, group[0], table.kind)
    for table in variant_tables()
    for group in table.groups
    for variant in group[1:]
]


def test_the_table_is_large_and_says_where_it_comes_from() -> None:
    assert len(VARIANTS) >= 300
    assert {kind for _, _, kind in VARIANTS} == {Kind.VARIANT, Kind.OLD_FORM, Kind.MIXED_UP}
    assert all(table.source and table.firm for table in variant_tables())
    assert all(unicodedata.category(c) == "Lo" for pair in VARIANTS for c in pair[0] + pair[1])


def test_each_variant_is_explained_both_ways() -> None:
    for variant, form, _ in VARIANTS:
        words = explain(variant, form)
        assert words is not None
        assert words == explain(form, variant)
        assert f"{variant} (U+{ord(variant):04X}) is " in words
        assert f"{form} (U+{ord(form):04X})" in words
        assert fold(variant) == fold(form)
        assert explain_ja(variant, form)


def test_words() -> None:
    assert explain("髙", "高") == "髙 (U+9AD9) is a variant (異体字) of 高 (U+9AD8)"
    assert explain_ja("髙", "高") == "髙 (U+9AD9)は高 (U+9AD8)の異体字"
    assert explain("澤", "沢") == "澤 (U+6FA4) is an old form (旧字体) of 沢 (U+6CA2)"
    assert explain("\ufa19", "神") == (
        "\ufa19 (U+FA19) is a compatibility ideograph (互換漢字) of 神 (U+795E)"
    )
    assert explain("辻\U000e0100", "辻") == (
        "辻\U000e0100 (U+8FBB U+E0100) is a variation sequence (異体字セレクタ) of 辻 (U+8FBB)"
    )


@pytest.mark.parametrize(
    ("one", "other", "steps"),
    [
        ("邉", "辺", 2),
        ("邉", "邊", 1),
        ("齋", "斉", 2),
        ("渕", "渊", 2),
        ("邊\U000e0101", "辺", 2),
        ("\U0002f81a", "冬", 1),
        ("斎", "斉", 1),
    ],
)
def test_a_way_over_several_forms(one: str, other: str, steps: int) -> None:
    words = explain(one, other)
    assert words is not None
    assert words.count(" is a") == steps


@pytest.mark.parametrize(
    ("one", "other"),
    [("高", "島"), ("高", "高"), ("髙", "島"), ("", ""), ("坂", "阪"), ("太", "大")],
)
def test_what_is_not_one_is_not_explained(one: str, other: str) -> None:
    assert explain(one, other) is None
    assert explain_ja(one, other) is None


def test_a_character_of_its_own_is_said_to_be_one() -> None:
    assert "of its own, often mixed up (混用)" in (explain("斎", "斉") or "")


@given(st.text(max_size=30))
def test_fold_is_stable_and_keeps_what_it_does_not_know(text: str) -> None:
    assert fold(fold(text)) == fold(text)
    if text.isascii():
        assert fold(text) == text


def test_fold_changes_no_width() -> None:
    assert fold("ＡｶﾞＺ１ 齋藤") == "ＡｶﾞＺ１ 斉藤"


TABLE = '[[table]]\nkind = "VARIANT"\nsource = "x"\nfirm = "RECALL-H"\ngroups = [{}]\n'


@pytest.mark.parametrize(
    ("groups", "says"),
    [
        ('"高髙", "京髙"', "髙 stands twice"),
        ('"高高"', "高 stands twice"),
        ('"高髙", "髙高"', "leads back to itself"),
        ('"神\ufa19"', "need no group"),
        ('"高"', "at least 2"),
    ],
)
def test_a_table_that_contradicts_itself_is_refused(groups: str, says: str) -> None:
    with pytest.raises(InvalidInput, match=says):
        load_toml(variants._Tables, TABLE.format(groups).encode(), "x.toml", "policies.variants")
