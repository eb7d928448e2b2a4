"""Matching a field of the application with a document: every verdict, and its words."""

import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pki.errors import InvalidInput
from ra.persons.matching import FIELDS, Verdict, match_field

CASES = [
    # field, given, seen, verdict, what the Japanese and the English words hold
    (
        "kanji_name",
        "髙橋　一郎",
        "高橋　一郎",
        "VARIANT",
        "髙 (U+9AD9)は高 (U+9AD8)の異体字",
        "髙 (U+9AD9) is a variant (異体字) of 高 (U+9AD8)",
    ),
    (
        "kanji_name",
        "渡邉　\ufa19一",
        "渡辺　神一",
        "VARIANT",
        "互換漢字",
        "邉 (U+9089) is a variant",
    ),
    ("kanji_name", "辻\U000e0100　聡", "辻　聡", "VARIANT", "異体字セレクタ", "variation sequence"),
    ("kanji_name", "斎藤　一", "斉藤　一", "VARIANT", "混用されやすい別字", "character of its own"),
    (
        "kanji_name",
        "髙橋　一郎",
        "高橋 一郎",
        "VARIANT",
        "全角・半角の違い",
        "; full or half width",
    ),
    ("kanji_name", "髙橋　一郎", "髙橋一郎", "FORM", "空白の違い", "spaces"),
    ("kanji_name", "O'HARA Ｐ", "O'Hara P", "FORM", "大文字・小文字の違い", "capital or small"),
    (
        "kanji_name",
        "山髙　一郎",
        "山島　一郎",
        "DIFFERENT",
        "2文字目: 髙→島",
        "character 2: 髙 → 島",
    ),
    (
        "kanji_name",
        "高橋　一郎",
        "高橋　一太郎",
        "DIFFERENT",
        "5文字目から: (なし)→太",
        "character 5",
    ),
    (
        "kanji_name",
        "髙橋　一郎",
        "高橋　二郎",
        "DIFFERENT",
        "4文字目: 一→二",
        "character 4: 一 → 二",
    ),
    ("kana_name", "タカハシ　ダイ", "ﾀｶﾊｼ ﾀﾞｲ", "FORM", "全角・半角の違い", "full or half width"),
    ("kana_name", "タカハシ　ダイ", "たかはし　だい", "FORM", "ひらがな・カタカナ", "hiragana"),
    ("kana_name", "タカハシ　ダイ", "ﾀｶﾊｼ ﾀｲ", "DIFFERENT", "6文字目: ダ→タ", "ダ → タ"),
    ("romaji_name", "OTA ICHIRO", "Ota Ichiro", "FORM", "大文字・小文字の違い", "capital"),
    (
        "romaji_name",
        "OTA ICHIRO",
        "OHTA ICHIRO",
        "DIFFERENT",
        "2文字目から: (なし)→H",
        "(none) → H",
    ),
    ("former_surname", "", "木村", "DIFFERENT", "申請に記載なし", "missing on the application"),
    ("former_surname", "木村", " ", "DIFFERENT", "書類に記載なし", "missing on the document"),
    ("registration_number", "012345", "12345", "FORM", "先頭のゼロ", "leading zeros"),
    ("registration_number", "12345", "第１２３４５号", "FORM", "「第」「号」", "第 and 号"),
    (
        "registration_number",
        "123456",
        "124356",
        "DIFFERENT",
        "3桁目と4桁目が入れ替わり: 34→43",
        "digits 3 and 4 changed places",
    ),
    ("registration_number", "123456", "12356", "DIFFERENT", "4文字目から: 4→(なし)", "4 → (none)"),
    ("registration_number", "1030", "103", "DIFFERENT", "4文字目から: 0→(なし)", "0 → (none)"),
    (
        "birth_date",
        "1970-03-02",
        "昭和45年3月2日",
        "FORM",
        "同じ日の別表記",
        "the same day: 1970-03-02",
    ),
    (
        "birth_date",
        "1970-03-02",
        "S45.2.3",
        "DIFFERENT",
        "月と日の入れ替わり",
        "month and day may have",
    ),
    (
        "birth_date",
        "1970-03-02",
        "2033-03-02",
        "DIFFERENT",
        "元号の取り違えか(昭和・平成)",
        "the era may be misread",
    ),
    ("birth_date", "1970-03-02", "昭和46年3月2日", "DIFFERENT", "1年ずれ", "misread by one"),
    (
        "birth_date",
        "1970-03-12",
        "1970-03-21",
        "DIFFERENT",
        "日が相違、数字の入れ替わり",
        "different day, two digits may have changed places",
    ),
    ("birth_date", "昭和45年3月2日", "昭和54年3月2日", "DIFFERENT", "昭和54年", "two digits"),
    (
        "registration_date",
        "1995-05-01",
        "1996-06-02",
        "DIFFERENT",
        "年・月・日が相違",
        "different year and month and day",
    ),
    (
        "address",
        "東京都千代田区霞が関一丁目２番３号",
        "千代田区霞ヶ関1-2-3",
        "FORM",
        "都道府県の有無",
        "prefecture left out",
    ),
    (
        "address",
        "北海道札幌市中央区北一条西二丁目3番地",
        "札幌市中央区北１条西２－３",
        "FORM",
        "丁目",
        "丁目",
    ),
    ("address", "大字架空字見本12番地の3", "架空見本12-3", "FORM", "字・大字の有無", "字 or 大字"),
    (
        "address",
        "調布市つつじヶ丘1",
        "調布市つつじが丘1丁目",
        "FORM",
        "ヶ・ケ・がの違い",
        "ヶ, ケ or が",
    ),
    ("address", "見本市四番町三番三号", "見本市四番町3-3", "FORM", "番地", "番地"),
    ("address", "見本市01-002", "見本市1-2", "FORM", "先頭のゼロ", "leading zeros"),
    ("address", "見本市1-2 コーポ１０１号室", "見本市1-2コーポ101", "FORM", "空白", "spaces"),
    ("address", "見本市小澤1-2", "見本市小沢１丁目２", "VARIANT", "旧字体", "old form"),
    (
        "address",
        "見本市1-2-3 コーポ101",
        "見本市1丁目2番3号",
        "DIFFERENT",
        "書類に建物名の記載なし",
        "building missing on the document: コーポ101",
    ),
    (
        "address",
        "見本市1-2-3",
        "見本市1-2-3-101",
        "DIFFERENT",
        "申請に部屋番号",
        "on the application",
    ),
    ("address", "見本市1-2-3", "見本市1-2-33", "DIFFERENT", "から: (なし)→3", "(none) → 3"),
    ("address", "見本市1-2-3", "見本市1-2-4", "DIFFERENT", "3→4", "3 → 4"),
    (
        "address",
        "東京都府中市1-1",
        "広島県府中市1-1",
        "DIFFERENT",
        "都道府県が相違: 東京都→広島県",
        "different prefecture",
    ),
]


@pytest.mark.parametrize(("field", "given", "seen", "verdict", "ja", "en"), CASES)
def test_verdict_and_words(
    field: str, given: str, seen: str, verdict: str, ja: str, en: str
) -> None:
    match = match_field(field, given, seen)
    assert (match.field, match.verdict) == (field, verdict)
    assert ja in match.words_ja
    assert en in match.words_en
    assert match_field(field, seen, given).verdict == verdict


@pytest.mark.parametrize("field", FIELDS)
def test_the_same_code_points_are_equal_without_a_word(field: str) -> None:
    assert match_field(field, "S45.3.2", "S45.3.2").verdict is Verdict.EQUAL
    assert match_field(field, "", "") == match_field(field, "", "")
    assert match_field(field, "", "").words_ja == ""


@pytest.mark.parametrize(
    ("field", "seen", "code"),
    [
        ("sex", "x", "ra.match.field"),
        ("birth_date", "昭和45年13月2日", "ra.date"),
        ("address", "x" * 1_001, "ra.match.length"),
    ],
)
def test_what_cannot_be_compared_is_one_error(field: str, seen: str, code: str) -> None:
    with pytest.raises(InvalidInput) as caught:
        match_field(field, "1970-03-02", seen)
    assert caught.value.code == code
    assert caught.value.hint


TEXTS = st.text(
    st.one_of(st.sampled_from("髙高邉邊辺斎斉ヶがケ丁目番地号字大1１2一二-－　 "), st.characters()),
    max_size=20,
)
FREE = st.sampled_from([name for name in FIELDS if not name.endswith("_date")])


@given(FREE, TEXTS, TEXTS)
def test_every_verdict_but_equal_has_words_in_both_languages(
    field: str, given_text: str, seen: str
) -> None:
    match = match_field(field, given_text, seen)
    assert (match.verdict is Verdict.EQUAL) == (given_text == seen)
    assert bool(match.words_ja) == bool(match.words_en) == (given_text != seen)
    assert match_field(field, seen, given_text).verdict == match.verdict


@pytest.mark.parametrize("text", ["1番" * 500, "ー" * 1000, "一" * 1000, "字" * 1000, "ヶ" * 1000])
def test_long_texts_take_no_time(text: str) -> None:
    begun = time.process_time()
    match_field("address", text, text[:-1] + "x")
    assert time.process_time() - begun < 0.5
