"""Write ``applications.csv``: 150 invented applicants and 12 rows with one fault each.

Standard library only and always the same bytes: the seed is fixed and only
``random.Random.random`` is used, whose sequence Python promises not to change. Every person,
institution, address, number and e-mail is invented; ``README.md`` says how.
"""

from __future__ import annotations

import csv
import io
import random
from collections.abc import Sequence
from datetime import date, timedelta
from pathlib import Path
from typing import TypeVar

SEED = 20161001
GOOD = 150
TERMS_VERSION = "1.0"
DIRECTORS = 12
OVERSEAS = "99"

COLUMNS = (
    "application_ref", "type", "channel", "received_on", "kanji_name", "kana_name", "romaji_name",
    "former_surname", "birth_date", "profession", "registration_number", "registration_date",
    "director_role", "institution_ja", "institution_en", "work_prefecture", "municipality",
    "postal_code", "address", "telephone", "email", "member_id", "documents", "terms_version",
)  # fmt: skip

# Code, prefecture, doctor cards issued up to 2016-08-31, seat of the prefecture, its postal prefix.
# Source of the counts: table 発行数順位表 of the JMA Electronic Authentication Center, 2016-10-01.
PREFECTURES = (
    ("01", "北海道", 88, "札幌市", "060"), ("02", "青森県", 75, "青森市", "030"),
    ("03", "岩手県", 36, "盛岡市", "020"), ("04", "宮城県", 67, "仙台市", "980"),
    ("05", "秋田県", 91, "秋田市", "010"), ("06", "山形県", 23, "山形市", "990"),
    ("07", "福島県", 52, "福島市", "960"), ("08", "茨城県", 328, "水戸市", "310"),
    ("09", "栃木県", 76, "宇都宮市", "320"), ("10", "群馬県", 83, "前橋市", "371"),
    ("11", "埼玉県", 78, "さいたま市", "330"), ("12", "千葉県", 117, "千葉市", "260"),
    ("13", "東京都", 487, "新宿区", "160"), ("14", "神奈川県", 313, "横浜市", "231"),
    ("15", "新潟県", 48, "新潟市", "950"), ("16", "富山県", 41, "富山市", "930"),
    ("17", "石川県", 46, "金沢市", "920"), ("18", "福井県", 22, "福井市", "910"),
    ("19", "山梨県", 18, "甲府市", "400"), ("20", "長野県", 94, "長野市", "380"),
    ("21", "岐阜県", 51, "岐阜市", "500"), ("22", "静岡県", 84, "静岡市", "420"),
    ("23", "愛知県", 155, "名古屋市", "460"), ("24", "三重県", 50, "津市", "514"),
    ("25", "滋賀県", 29, "大津市", "520"), ("26", "京都府", 43, "京都市", "600"),
    ("27", "大阪府", 185, "大阪市", "530"), ("28", "兵庫県", 527, "神戸市", "650"),
    ("29", "奈良県", 26, "奈良市", "630"), ("30", "和歌山県", 24, "和歌山市", "640"),
    ("31", "鳥取県", 17, "鳥取市", "680"), ("32", "島根県", 70, "松江市", "690"),
    ("33", "岡山県", 48, "岡山市", "700"), ("34", "広島県", 121, "広島市", "730"),
    ("35", "山口県", 81, "山口市", "753"), ("36", "徳島県", 45, "徳島市", "770"),
    ("37", "香川県", 37, "高松市", "760"), ("38", "愛媛県", 204, "松山市", "790"),
    ("39", "高知県", 35, "高知市", "780"), ("40", "福岡県", 721, "福岡市", "810"),
    ("41", "佐賀県", 63, "佐賀市", "840"), ("42", "長崎県", 75, "長崎市", "850"),
    ("43", "熊本県", 331, "熊本市", "860"), ("44", "大分県", 72, "大分市", "870"),
    ("45", "宮崎県", 44, "宮崎市", "880"), ("46", "鹿児島県", 115, "鹿児島市", "890"),
    ("47", "沖縄県", 97, "那覇市", "900"), ("99", "海外", 1, "", "100"),
)  # fmt: skip

SURNAMES = (
    ("佐藤", "サトウ", "SATO"), ("鈴木", "スズキ", "SUZUKI"), ("高橋", "タカハシ", "TAKAHASHI"),
    ("田中", "タナカ", "TANAKA"), ("伊藤", "イトウ", "ITO"), ("渡辺", "ワタナベ", "WATANABE"),
    ("山本", "ヤマモト", "YAMAMOTO"), ("中村", "ナカムラ", "NAKAMURA"),
    ("小林", "コバヤシ", "KOBAYASHI"), ("加藤", "カトウ", "KATO"), ("吉田", "ヨシダ", "YOSHIDA"),
    ("山田", "ヤマダ", "YAMADA"), ("佐々木", "ササキ", "SASAKI"), ("井上", "イノウエ", "INOUE"),
    ("木村", "キムラ", "KIMURA"), ("林", "ハヤシ", "HAYASHI"), ("清水", "シミズ", "SHIMIZU"),
    ("斎藤", "サイトウ", "SAITO"), ("松本", "マツモト", "MATSUMOTO"), ("森", "モリ", "MORI"),
    ("池田", "イケダ", "IKEDA"), ("橋本", "ハシモト", "HASHIMOTO"),
    ("石川", "イシカワ", "ISHIKAWA"),
    ("山口", "ヤマグチ", "YAMAGUCHI"), ("小川", "オガワ", "OGAWA"), ("前田", "マエダ", "MAEDA"),
    ("岡田", "オカダ", "OKADA"), ("長谷川", "ハセガワ", "HASEGAWA"), ("藤田", "フジタ", "FUJITA"),
    ("後藤", "ゴトウ", "GOTO"), ("近藤", "コンドウ", "KONDO"), ("村上", "ムラカミ", "MURAKAMI"),
    ("遠藤", "エンドウ", "ENDO"), ("青木", "アオキ", "AOKI"), ("坂本", "サカモト", "SAKAMOTO"),
    ("大野", "オオノ", "ONO"), ("本間", "ホンマ", "HOMMA"), ("服部", "ハットリ", "HATTORI"),
    ("横尾", "ヨコオ", "YOKOO"), ("松浦", "マツウラ", "MATSUURA"), ("難波", "ナンバ", "NAMBA"),
    ("大内", "オオウチ", "OUCHI"), ("新谷", "シンタニ", "SHINTANI"),
    ("西村", "ニシムラ", "NISHIMURA"),
    ("福田", "フクダ", "FUKUDA"), ("太田", "オオタ", "OTA"), ("三島", "ミシマ", "MISHIMA"),
    ("金子", "カネコ", "KANEKO"), ("中野", "ナカノ", "NAKANO"), ("原田", "ハラダ", "HARADA"),
)  # fmt: skip

GIVEN_NAMES = (
    ("一郎", "イチロウ", "ICHIRO"), ("健", "ケン", "KEN"), ("誠", "マコト", "MAKOTO"),
    ("直樹", "ナオキ", "NAOKI"), ("大輔", "ダイスケ", "DAISUKE"), ("翔太", "ショウタ", "SHOTA"),
    ("拓也", "タクヤ", "TAKUYA"), ("浩", "ヒロシ", "HIROSHI"), ("修", "オサム", "OSAMU"),
    ("隆", "タカシ", "TAKASHI"), ("達也", "タツヤ", "TATSUYA"), ("雄一", "ユウイチ", "YUICHI"),
    ("純一", "ジュンイチ", "JUNICHI"), ("哲平", "テッペイ", "TEPPEI"), ("信也", "シンヤ", "SHINYA"),
    ("亮", "リョウ", "RYO"), ("洋平", "ヨウヘイ", "YOHEI"), ("透", "トオル", "TORU"),
    ("幸子", "サチコ", "SACHIKO"), ("陽子", "ヨウコ", "YOKO"), ("由美", "ユミ", "YUMI"),
    ("恵子", "ケイコ", "KEIKO"), ("美咲", "ミサキ", "MISAKI"), ("彩", "アヤ", "AYA"),
    ("裕子", "ユウコ", "YUKO"), ("直美", "ナオミ", "NAOMI"), ("香織", "カオリ", "KAORI"),
    ("千尋", "チヒロ", "CHIHIRO"), ("真理", "マリ", "MARI"), ("久美子", "クミコ", "KUMIKO"),
    ("明日香", "アスカ", "ASUKA"), ("純", "ジュン", "JUN"), ("理恵", "リエ", "RIE"),
    ("聡", "サトシ", "SATOSHI"), ("慎一郎", "シンイチロウ", "SHINICHIRO"),
    ("歩", "アユミ", "AYUMI"),
)  # fmt: skip

# Places in the list (0 = first) and the name that stands there: what a name may bring along.
SPECIAL_NAMES = {
    3: ("𠮷田　健", "ヨシダ　ケン", "YOSHIDA KEN"),
    11: ("髙橋　陽子", "タカハシ　ヨウコ", "TAKAHASHI YOKO"),
    27: ("山﨑　透", "ヤマサキ　トオル", "YAMASAKI TORU"),
    42: ("辻\U000e0100　香織", "ツジ　カオリ", "TSUJI KAORI"),
    58: ("渡邉　純一", "ワタナベ　ジュンイチ", "WATANABE JUNICHI"),
    66: ("ANDERSSON LINNEA MARIA", "アンデルソン　リネア　マリア", "ANDERSSON LINNEA MARIA"),
    81: ("\ufa19田　聡", "カミタ　サトシ", "KAMITA SATOSHI"),
    97: ("齋藤　理恵", "サイトウ　リエ", "SAITO RIE"),
    113: ("O'HARA PATRICK", "オハラ　パトリック", "O'HARA PATRICK"),
    129: ("王　明", "ワン　ミン", "WANG MING"),
    140: ("髙﨑　彩", "タカサキ　アヤ", "TAKASAKI AYA"),
}
FORMER_SURNAMES = {19: "木村", 75: "𠮷野", 120: "岡田"}

# How many of 150, lowest registration number, whole years from birth to registration.
# The numbers lie above those given out so far, so that none is a real licence.
PROFESSIONS = (
    ("医師", 120, 900_001, 24), ("歯科医師", 12, 800_001, 24),
    ("薬剤師", 10, 950_001, 24), ("看護師", 8, 9_000_001, 22),
)  # fmt: skip
CHANNELS = (("POST", 75), ("LRA", 30), ("MYNA", 45))
DOCUMENTS = {
    "POST": "APPLICATION_FORM;PHOTO;LICENCE_COPY;PHOTO_ID;RESIDENT_RECORD",
    "LRA": "APPLICATION_FORM;PHOTO;LICENCE_COPY;PHOTO_ID;RESIDENT_RECORD",
    "MYNA": "APPLICATION_FORM;PHOTO;LICENCE_COPY",
}
INCOMPLETE = 9
"""The place in the list of the one sound row that came without its resident record (住民票)."""
HOUSES = (
    ("ひかり", "Hikari"), ("みどり", "Midori"), ("あおぞら", "Aozora"), ("さくら", "Sakura"),
    ("わかば", "Wakaba"), ("こだま", "Kodama"), ("つばさ", "Tsubasa"), ("のぞみ", "Nozomi"),
)  # fmt: skip
TOWNS = ("架空町", "見本町", "例示台", "仮称丘")

# Line of the faulty row (header = line 1), field that is made wrong, what it is made to be.
FAULTS = (
    (9, "romaji_name", ""),
    (22, "kanji_name", "渡\ue000　直樹"),
    (35, "kana_name", "ﾜﾀﾅﾍﾞ ﾅｵｷ"),
    (48, "received_on", "令和8年9月31日"),
    (61, "profession", "内科医"),
    (74, "registration_number", "第900999号"),
    (87, "registration_date", "1991-04-15"),
    (100, "documents", "APPLICATION_FORM;PHOTO;LICENCE_COPY;PHOTO_ID;JUMINHYO"),
    (113, "work_prefecture", "48"),
    (126, "director_role", "病院長"),
    (139, "application_ref", "T2026-0001"),
    (152, "type", "REISSUE_LOST"),
)

T = TypeVar("T")
Row = dict[str, str]


def applications_csv() -> bytes:
    """Return the list: UTF-8 with BOM, lines end in LF."""
    rng = random.Random(SEED)  # noqa: S311 - invented people, not keys
    rows = _good_rows(rng)
    for line, field, value in FAULTS:
        received_on = rows[line - 3]["received_on"]
        rows.insert(line - 2, _faulty_row(rng, len(rows), field, value, received_on))
    for number, row in enumerate(rows, start=1):
        row["application_ref"] = row["application_ref"] or f"T2026-{number:04}"
    text = io.StringIO(newline="")
    writer = csv.DictWriter(text, COLUMNS, lineterminator="\n")
    writer.writeheader()
    writer.writerows(rows)
    return b"\xef\xbb\xbf" + text.getvalue().encode("utf-8")


def _good_rows(rng: random.Random) -> list[Row]:
    professions = [
        (name, first + 37 * number, years)
        for name, count, first, years in PROFESSIONS
        for number in range(count)
    ]
    channels = [name for name, count in CHANNELS for _ in range(count)]
    places = _shuffled(rng, _places())
    rows = [
        _row(rng, number, licence, channel, place)
        for number, (licence, channel, place) in enumerate(
            zip(_shuffled(rng, professions), _shuffled(rng, channels), places, strict=True)
        )
    ]
    for number, name in SPECIAL_NAMES.items():
        rows[number] |= zip(("kanji_name", "kana_name", "romaji_name"), name, strict=True)
    for number, surname in FORMER_SURNAMES.items():
        rows[number]["former_surname"] = surname
        rows[number]["documents"] += ";FORMER_NAME_DOC"
    doctors = [row for row in rows if row["profession"] == "医師" and row["institution_en"]]
    for number, row in enumerate(_shuffled(rng, doctors)[:DIRECTORS]):
        hospital = number % 3 == 0
        row["director_role"] = "病院長" if hospital else "診療所院長"
        _work_at(rng, row, hospital=hospital)
        row["documents"] += ";ORG_DOC"
    for number, row in enumerate(rows):
        row["documents"] = _resident_record(row, number)
    return rows


def _resident_record(row: Row, number: int) -> str:
    """Return the row's papers, the resident record with the date on it, 5 to 40 days old."""
    dated = date.fromisoformat(row["received_on"]) - timedelta(days=5 + number * 7 % 36)
    paper = "" if number == INCOMPLETE else f";RESIDENT_RECORD@{dated}"
    return row["documents"].replace(";RESIDENT_RECORD", paper)


def _places() -> list[tuple[str, str, int, str, str]]:
    """Return one prefecture per good row: each once, the rest in proportion (Sainte-Laguë)."""
    seats = {entry: 1 for entry in PREFECTURES}
    while sum(seats.values()) < GOOD:
        seats[max(PREFECTURES, key=lambda entry: entry[2] / (2 * seats[entry] + 1))] += 1
    return [entry for entry, count in seats.items() for _ in range(count)]


def _row(
    rng: random.Random,
    number: int,
    licence: tuple[str, int, int],
    channel: str,
    place: tuple[str, str, int, str, str],
) -> Row:
    """Return one sound row; its reference is given when all rows stand in their places."""
    profession, registration_number, years = licence
    family, given = _pick(rng, SURNAMES), _pick(rng, GIVEN_NAMES)
    born = date(1952, 1, 1) + timedelta(days=_below(rng, 46 * 365))
    registered = date(born.year + years + 1 + _below(rng, 4), 4, 1 + _below(rng, 28))
    town = _pick(rng, TOWNS)
    code, prefecture, _, city, postal = place
    if code == OVERSEAS:
        prefecture, city = "東京都", "千代田区"
    row = {name: "" for name in COLUMNS} | {
        "type": "NEW",
        "channel": channel,
        "received_on": str(date(2026, 9, 1) + timedelta(days=number * 59 // GOOD)),
        "kanji_name": f"{family[0]}　{given[0]}",
        "kana_name": f"{family[1]}　{given[1]}",
        "romaji_name": f"{family[2]} {given[2]}",
        "birth_date": str(born),
        "profession": profession,
        "registration_number": str(registration_number), "registration_date": str(registered),
        "institution_ja": "なし",
        "work_prefecture": code,
        "municipality": "" if code == OVERSEAS else city,
        "postal_code": f"{postal}-0000",
        "address": f"{prefecture}{city}{town}{1 + _below(rng, 9)}-{1 + _below(rng, 30)}",
        "telephone": f"0{7 + number % 3}0-0000-{number + 1:04}",
        "email": f"applicant{number + 1:03}@example.jp" if _below(rng, 4) else "",
        "member_id": f"99{number + 1:08}" if profession == "医師" and _below(rng, 5) else "",
        "documents": DOCUMENTS[channel], "terms_version": TERMS_VERSION,
    }  # fmt: skip
    if _below(rng, 10) or code == OVERSEAS:
        _work_at(rng, row, hospital=bool(_below(rng, 2)))
    return row


def _work_at(rng: random.Random, row: Row, *, hospital: bool) -> None:
    japanese, romaji = _pick(rng, HOUSES)
    kinds = ("病院", "Hospital") if hospital else ("診療所", "Clinic")
    if row["profession"] == "薬剤師":
        kinds = ("薬局", "Pharmacy")
    row["institution_ja"] = f"架空{japanese}{kinds[0]}"
    row["institution_en"] = f"Fictitious {romaji} {kinds[1]}"


def _faulty_row(rng: random.Random, number: int, field: str, value: str, received_on: str) -> Row:
    """Return a sound row by post without workplace, and then the one field made wrong."""
    row = _row(rng, number, ("医師", 990_000 + number, 24), "POST", PREFECTURES[12])
    row |= {
        "kanji_name": "渡辺　直樹",
        "kana_name": "ワタナベ　ナオキ",
        "romaji_name": "WATANABE NAOKI",
    }
    row |= {"birth_date": "1975-06-20", "registration_date": "2001-04-20"}
    row |= {"institution_ja": "なし", "institution_en": "", "received_on": received_on}
    if field == "director_role":
        row |= {"institution_ja": "架空ひかり病院", "documents": row["documents"] + ";ORG_DOC"}
    return row | {field: value}


def _below(rng: random.Random, bound: int) -> int:
    return int(rng.random() * bound)


def _pick(rng: random.Random, choices: Sequence[T]) -> T:
    return choices[_below(rng, len(choices))]


def _shuffled(rng: random.Random, items: Sequence[T]) -> list[T]:
    keyed = [(rng.random(), number) for number in range(len(items))]
    return [items[number] for _, number in sorted(keyed)]


if __name__ == "__main__":
    Path(__file__).with_name("applications.csv").write_bytes(applications_csv())
