"""The import of an application list: bytes to verdicts, every fault with its sound twin."""

import contextlib
import csv
import hashlib
import io
from collections.abc import Callable
from datetime import date

import pytest
import rfc8785
from hypothesis import given
from hypothesis import strategies as st

from pki.errors import InvalidInput
from policies.applications import ApplicationType, Channel, application_types
from policies.documents import DocumentRules, load_document_rules
from ra.lists.columns import COLUMNS, LABELS, LACKABLE
from ra.lists.faults import FaultCode, RoleNames
from ra.lists.rows import ApplicationRow, RowVerdict, read_applications, rejects_csv
from ra.lists.table import MAX_BYTES, MAX_FIELD_CHARACTERS, MAX_ROWS
from ra.persons import names

TODAY = date(2026, 11, 1)
ROLES = RoleNames(frozenset({"医師", "薬剤師"}), frozenset({"病院長", "診療所院長"}))
POST = "APPLICATION_FORM;PHOTO;LICENCE_COPY;PHOTO_ID;RESIDENT_RECORD"
ROW = {
    "application_ref": "T2026-0001",
    "type": "NEW",
    "channel": "POST",
    "received_on": "2026-09-01",
    "kanji_name": "髙橋　一郎",
    "kana_name": "タカハシ　イチロウ",
    "romaji_name": "TAKAHASHI ICHIRO",
    "former_surname": "",
    "birth_date": "1980-02-29",
    "profession": "医師",
    "registration_number": "012345",
    "registration_date": "2005-04-20",
    "director_role": "",
    "institution_ja": "なし",
    "institution_en": "",
    "work_prefecture": "01",
    "municipality": "",
    "postal_code": "060-0000",
    "address": "北海道札幌市架空町1-2-3",
    "telephone": "090-0000-0001",
    "email": "",
    "member_id": "",
    "documents": POST,
    "terms_version": "1.0",
}
HEADER = ",".join(ROW)


def csv_of(*rows: dict[str, str], columns: tuple[str, ...] = ()) -> bytes:
    columns = columns or tuple(dict.fromkeys(name for row in (ROW, *rows) for name in row))
    text = io.StringIO(newline="")
    writer = csv.DictWriter(text, columns)
    writer.writeheader()
    writer.writerows(rows)
    return text.getvalue().encode("utf-8")


def read(content: bytes, encoding: str = "utf-8", today: date = TODAY) -> tuple[RowVerdict, ...]:
    return read_applications(
        content, today=today, roles=ROLES, documents=load_document_rules(), encoding=encoding
    )


def read_row(**changes: str) -> RowVerdict:
    (verdict,) = read(csv_of(ROW | changes))
    return verdict


def accepted(verdict: RowVerdict) -> ApplicationRow:
    assert verdict.faults == ()
    assert verdict.application is not None
    return verdict.application


def test_a_sound_row_becomes_typed_values() -> None:
    verdict = read_row(
        director_role="病院長",
        institution_ja=" 架空病院 ",
        institution_en="Fictitious Hospital",
        former_surname="𠮷野",
        email="a@example.jp",
        member_id="0012345678",
        municipality="札幌市",
        documents=POST + ";ORG_DOC; FORMER_NAME_DOC;",
    )
    assert (verdict.line, verdict.application_ref) == (2, "T2026-0001")
    assert accepted(verdict) == ApplicationRow(
        application_ref="T2026-0001",
        type=ApplicationType.NEW,
        channel=Channel.POST,
        received_on=date(2026, 9, 1),
        kanji_name="髙橋　一郎",
        kana_name="タカハシ　イチロウ",
        romaji_name="TAKAHASHI ICHIRO",
        former_surname="𠮷野",
        birth_date=date(1980, 2, 29),
        profession="医師",
        registration_number="012345",
        registration_date=date(2005, 4, 20),
        director_role="病院長",
        institution_ja="架空病院",
        institution_en="Fictitious Hospital",
        work_prefecture="01",
        municipality="札幌市",
        postal_code="060-0000",
        address="北海道札幌市架空町1-2-3",
        telephone="090-0000-0001",
        email="a@example.jp",
        member_id="0012345678",
        documents=(*POST.split(";"), "ORG_DOC", "FORMER_NAME_DOC"),
        terms_version="1.0",
        office=None,
        association=None,
        replaces=None,
        web_id=None,
        document_dates={},
    )


def test_the_columns_that_a_file_may_lack() -> None:
    verdict = read_row(
        type="RENEW",
        channel="ONLINE",
        birth_date="Ｓ４５．３．２",
        registration_date="平成七年五月一日",
        documents="RESIDENT_RECORD@2026/8/30; PHOTO; LICENCE_COPY@令和8年9月1日",
        office="TOKYO-01",
        association="架空医師会",
        replaces="T2021-0001",
        web_id="W-0001",
    )
    row = accepted(verdict)
    assert (row.type, row.channel) == (ApplicationType.RENEW, Channel.ONLINE)
    assert (row.birth_date, row.registration_date) == (date(1970, 3, 2), date(1995, 5, 1))
    assert row.documents == ("RESIDENT_RECORD", "PHOTO", "LICENCE_COPY")
    assert row.document_dates == {
        "RESIDENT_RECORD": date(2026, 8, 30),
        "LICENCE_COPY": date(2026, 9, 1),
    }
    assert (row.office, row.association) == ("TOKYO-01", "架空医師会")
    assert (row.replaces, row.web_id) == ("T2021-0001", "W-0001")


def test_an_empty_column_that_a_file_may_lack_does_not_change_the_digest() -> None:
    bare = read_row()
    assert read_row(**dict.fromkeys(LACKABLE, "")).row_digest == bare.row_digest
    assert read_row(office="A").row_digest != bare.row_digest


@pytest.mark.parametrize("kind", ApplicationType)
def test_every_type_by_every_channel_of_its_own(kind: ApplicationType) -> None:
    rule = application_types()[kind]
    replaces = "T2021-0001" if rule.needs_previous else ""
    for channel in Channel:
        verdict = read_row(type=kind, channel=channel, replaces=replaces)
        codes = [fault.code for fault in verdict.faults]
        assert codes == ([] if channel in rule.channels else [FaultCode.CHANNEL_OF_TYPE])


Changes = dict[str, str]
DIRECTOR = {
    "director_role": "病院長",
    "institution_ja": "架空病院",
    "institution_en": "Fictitious Hospital",
    "documents": POST + ";ORG_DOC",
}

RENEWAL = {"type": "RENEW", "replaces": "T2025-0001"}

# Code, field, an unsound change, its sound twin.
FAULTS: list[tuple[FaultCode, str, Changes, Changes]] = [
    (FaultCode.MISSING, "telephone", {"telephone": " \t"}, {"telephone": " 03-0000-0000\t"}),
    (FaultCode.MISSING, "terms_version", {"terms_version": ""}, {"terms_version": "2"}),
    (FaultCode.MISSING, "institution_ja", {"institution_ja": ""}, {"institution_ja": "なし"}),
    (FaultCode.CHARACTER, "address", {"address": "架空町\x07"}, {"address": "架空町　7"}),
    (FaultCode.CHARACTER, "address", {"address": "架空町\n7"}, {"address": "\n架空町7"}),
    (FaultCode.CHARACTER, "kanji_name", {"kanji_name": "山\u200b　太"}, {"kanji_name": "山　太"}),
    (FaultCode.PRIVATE_USE, "kanji_name", {"kanji_name": "渡\ue000　誠"},
     {"kanji_name": "渡邉\U000e0101　誠"}),
    (FaultCode.APPLICATION_REF, "application_ref", {"application_ref": "T26"},
     {"application_ref": "T-26"}),
    (FaultCode.APPLICATION_REF, "application_ref", {"application_ref": "T" * 33},
     {"application_ref": "T" * 32}),
    (FaultCode.TYPE, "type", {"type": "new"}, {"type": "NEW"}),
    (FaultCode.CHANNEL, "channel", {"channel": "FAX"}, {"channel": "LRA"}),
    (FaultCode.CHANNEL_OF_TYPE, "channel", {"channel": "ONLINE"}, RENEWAL | {"channel": "ONLINE"}),
    (FaultCode.DATE, "received_on", {"received_on": "20260901"}, {"received_on": "2026-9-2"}),
    (FaultCode.DATE, "birth_date", {"birth_date": "昭和64年1月8日"}, {"birth_date": "S62.1.7"}),
    (FaultCode.DATE, "birth_date", {"birth_date": "1900-02-29"},
     {"birth_date": "Ｓ４３．２．２９"}),
    (FaultCode.DATE, "birth_date", {"birth_date": "1981-02-29"}, {"birth_date": "1980-02-29"}),
    (FaultCode.FUTURE, "received_on", {"received_on": "2026-11-02"}, {"received_on": "2026-11-01"}),
    (FaultCode.KANJI_NAME, "kanji_name", {"kanji_name": "髙橋 一郎"}, {"kanji_name": "髙橋　一"}),
    (FaultCode.KANA_NAME, "kana_name", {"kana_name": "ﾀｶﾊｼ ｲﾁﾛｳ"}, {"kana_name": "ター　ロ・ウ"}),
    (FaultCode.KANA_NAME, "kana_name", {"kana_name": "ター"},
     {"kana_name": "ター", "kanji_name": "SMITH"}),
    (FaultCode.ROMAJI_NAME, "romaji_name", {"romaji_name": "TAKAHASHI ICHIRŌ"},
     {"romaji_name": "Takahashi-Smith O'I. J."}),
    (FaultCode.ROMAJI_NAME, "romaji_name", {"romaji_name": "TARO  A"}, {"romaji_name": "TARO A"}),
    (FaultCode.ROMAJI_NAME, "romaji_name", {"romaji_name": "TARO "}, {"romaji_name": "TARO"}),
    (FaultCode.ROMAJI_LENGTH, "romaji_name", {"romaji_name": "A" * 65}, {"romaji_name": "A" * 64}),
    (FaultCode.FORMER_SURNAME, "former_surname",
     {"former_surname": "木村　花"}, {"former_surname": "木村"}),
    (FaultCode.PROFESSION, "profession", {"profession": "病院長"}, {"profession": "薬剤師"}),
    (FaultCode.REGISTRATION_NUMBER, "registration_number", {"registration_number": "1" * 11},
     {"registration_number": "1" * 10}),
    (FaultCode.REGISTRATION_NUMBER, "registration_number", {"registration_number": "１２"},
     {"registration_number": "12"}),
    (FaultCode.REGISTERED_TOO_YOUNG, "registration_date", {"registration_date": "1998-02-28"},
     {"registration_date": "1998-03-01"}),
    (FaultCode.REGISTERED_AFTER_RECEIPT, "registration_date", {"registration_date": "2026-09-02"},
     {"registration_date": "2026-09-01"}),
    (FaultCode.DIRECTOR_ROLE, "director_role", DIRECTOR | {"director_role": "院長"}, DIRECTOR),
    (FaultCode.INSTITUTION_MISSING, "institution_ja", DIRECTOR | {"institution_ja": "なし"},
     DIRECTOR),
    (FaultCode.INSTITUTION_MISSING, "institution_en", DIRECTOR | {"institution_en": ""}, DIRECTOR),
    (FaultCode.INSTITUTION_EN, "institution_en", {"institution_en": "架空"},
     {"institution_en": "Clinic & Sons"}),
    (FaultCode.INSTITUTION_EN, "institution_en", {"institution_en": "A" * 65},
     {"institution_en": "A" * 64}),
    *[(FaultCode.WORK_PREFECTURE, "work_prefecture", {"work_prefecture": wrong},
       {"work_prefecture": right})
      for wrong, right in [("1", "10"), ("00", "01"), ("48", "47"), ("98", "99"), ("４７", "30")]],
    (FaultCode.POSTAL_CODE, "postal_code", {"postal_code": "0600000"}, {"postal_code": "060-0001"}),
    (FaultCode.TELEPHONE, "telephone", {"telephone": "+81-90-0000-0000"},
     {"telephone": "010-81-90-0000-0000"}),
    (FaultCode.TELEPHONE, "telephone", {"telephone": "03--0000-0000"},
     {"telephone": "0300000000"}),
    (FaultCode.TELEPHONE, "telephone", {"telephone": "9000000001"}, {"telephone": "09000000001"}),
    (FaultCode.EMAIL, "email", {"email": "=a@example.jp"}, {"email": "a.b+c@mail.example.jp"}),
    (FaultCode.MEMBER_ID, "member_id", {"member_id": "123456789"}, {"member_id": "0123456789"}),
    (FaultCode.DOCUMENT_UNKNOWN, "documents", {"documents": POST + ";PASSPORT"},
     {"documents": POST + ";OATH"}),
    (FaultCode.DOCUMENT_TWICE, "documents", {"documents": POST + ";PHOTO"},
     {"documents": POST.replace(";", " ; ")}),
    (FaultCode.DATE, "documents", {"documents": "RESIDENT_RECORD@2026-02-29"},
     {"documents": "RESIDENT_RECORD@令和8年2月28日"}),
    (FaultCode.FUTURE, "documents", {"documents": "RESIDENT_RECORD@R8.11.2"},
     {"documents": "RESIDENT_RECORD @ R8.11.1; PHOTO"}),
    (FaultCode.OFFICE, "office", {"office": "tokyo"}, {"office": "TOKYO-01"}),
    (FaultCode.OFFICE, "office", {"office": "A" * 17}, {"office": "A" * 16}),
    (FaultCode.REPLACES, "replaces", {"replaces": "T2025-0001"}, RENEWAL),
    (FaultCode.REPLACES, "replaces", RENEWAL | {"replaces": ""}, RENEWAL),
    (FaultCode.REPLACES, "replaces", RENEWAL | {"replaces": "T2026-0001"}, RENEWAL),
    (FaultCode.REPLACES, "replaces", RENEWAL | {"replaces": "T2025/1"}, RENEWAL),
    (FaultCode.WEB_ID, "web_id", {"web_id": "W 1"}, {"web_id": "W-1"}),
]  # fmt: skip


@pytest.mark.parametrize(("code", "field", "unsound", "sound"), FAULTS)
def test_fault_and_its_sound_twin(
    code: FaultCode, field: str, unsound: Changes, sound: Changes
) -> None:
    verdict = read_row(**unsound)
    assert [(fault.code, fault.field) for fault in verdict.faults] == [(code, field)]
    assert verdict.application is None
    (fault,) = verdict.faults
    assert f"field {field} ({LABELS[field]})" in fault.text
    assert fault.text.endswith(".")
    assert fault.hint.endswith((".", "?"))
    accepted(read_row(**sound))


def test_a_row_of_another_width() -> None:
    for cells in (list(ROW.values())[:-1], [*ROW.values(), "x"]):
        content = f"{HEADER}\n{','.join(cells)}\n".encode()
        (verdict,) = read(content)
        assert [(f.code, f.field) for f in verdict.faults] == [(FaultCode.WIDTH, "")]
        (again,) = read(rejects_csv((verdict,), content))
        assert again == verdict


def test_a_repeated_reference_names_the_first_line() -> None:
    first, second = read(csv_of(ROW, ROW))
    accepted(first)
    assert [fault.code for fault in second.faults] == [FaultCode.DUPLICATE_REF]
    assert "line 2" in second.faults[0].text
    accepted(read(csv_of(ROW, ROW | {"application_ref": "T2026-0002"}))[1])
    other = ROW | {"application_ref": "T2026-0002", "web_id": "W-1"}
    (fault,) = read(csv_of(ROW | {"web_id": "W-1"}, other))[1].faults
    assert (fault.code, fault.field) == (FaultCode.DUPLICATE_REF, "web_id")


def test_every_fault_code_has_a_test() -> None:
    of_the_file = {FaultCode.WIDTH, FaultCode.DUPLICATE_REF}
    # tests/flows/test_intake.py
    of_the_store = {
        FaultCode.REF_TAKEN,
        FaultCode.OWN_FILE,
        FaultCode.SAME_DAY,
        FaultCode.REPLACES_OTHER,
        FaultCode.WEB_ID_TAKEN,
    }
    assert {code for code, *_ in FAULTS} | of_the_file | of_the_store == set(FaultCode)


def test_all_faults_of_a_row_are_reported() -> None:
    verdict = read_row(
        application_ref="?", kana_name="たかはし", romaji_name="", telephone="", documents="PHOTO"
    )
    assert [fault.code for fault in verdict.faults] == [
        FaultCode.APPLICATION_REF,
        FaultCode.KANA_NAME,
        FaultCode.MISSING,
        FaultCode.MISSING,
    ]
    assert verdict.application_ref is None


def test_a_missing_romaji_name_gets_a_suggestion() -> None:
    (fault,) = read_row(romaji_name="").faults
    assert "TAKAHASHI ICHIRO" in fault.hint


@pytest.mark.parametrize(
    ("field", "cell", "code"),
    [
        ("type", "更新", "RENEW"),
        ("type", "RENEWAL", "RENEW"),
        ("channel", "郵送", "POST"),
        ("documents", "住民票", "RESIDENT_RECORD"),
    ],
)
def test_a_japanese_name_gets_its_code_as_a_hint(field: str, cell: str, code: str) -> None:
    (fault,) = read_row(**{field: cell}).faults
    assert fault.hint == f"Did you mean {code}?"


def test_texts_hold_no_personal_data() -> None:
    fields = ("kanji_name", "kana_name", "romaji_name", "telephone", "email", "member_id",
              "registration_number", "postal_code")  # fmt: skip
    secret = dict.fromkeys(fields, "ヒミツ") | {"kana_name": "ひみつ"}
    verdict = read_row(**secret)
    assert {fault.field for fault in verdict.faults} == set(secret)
    assert not any("ヒミツ" in fault.text for fault in verdict.faults)


@pytest.mark.parametrize(
    ("code", "content"),
    [
        ("ra.import.empty", b""),
        ("ra.import.empty", b"\xef\xbb\xbf\r\n , \n"),
        ("ra.import.empty", HEADER.encode() + b"\n,,,\n"),
        ("ra.import.too_large", b"x" * (MAX_BYTES + 1)),
        ("ra.import.nul", HEADER.encode() + b"\nT2026\x00\n"),
        ("ra.import.not_utf8", csv_of(ROW).decode().replace("髙", "高").encode("cp932")),
        ("ra.import.not_utf8", csv_of(ROW).decode().encode("utf-16")),
        ("ra.import.unknown_column", HEADER.replace("birth_date", "birthdate").encode()),
        ("ra.import.unknown_column", HEADER.encode() + b",\n"),
        ("ra.import.missing_column", HEADER.removesuffix(",terms_version").encode()),
        ("ra.import.duplicate_column", HEADER.encode() + b",type"),
        ("ra.import.duplicate_column", HEADER.encode() + b",faults,faults"),
        ("ra.import.overlong_field", csv_of(ROW | {"address": "x" * (MAX_FIELD_CHARACTERS + 1)})),
        ("ra.import.overlong_field", HEADER.encode() + b"\n" + b"," * 100_001),
        ("ra.import.csv", HEADER.encode() + b'\n"T2026'),
        ("ra.import.csv", HEADER.encode() + b'\n"T2026"x,\n'),
        ("ra.import.too_many_rows", HEADER.encode() + b"\nx" * (MAX_ROWS + 1)),
    ],
)
def test_faults_of_a_whole_file(code: str, content: bytes) -> None:
    with pytest.raises(InvalidInput) as caught:
        read(content)
    assert caught.value.code == code
    assert caught.value.text
    assert caught.value.hint


def test_sound_twins_of_a_whole_file() -> None:
    accepted(read(b"\xef\xbb\xbf" + csv_of(ROW))[0])
    accepted(read(csv_of(ROW).replace(b"\r\n", b"\r"))[0])
    accepted(read(csv_of(ROW).replace(b"\r\n", b"\n").removesuffix(b"\n"))[0])
    accepted(read(csv_of(ROW | {"address": "x" * MAX_FIELD_CHARACTERS}))[0])
    assert len(read(HEADER.encode() + b"\nx" * MAX_ROWS)) == MAX_ROWS


@pytest.mark.parametrize(
    ("header", "hint"),
    [
        (HEADER.replace("birth_date", "birthdate"), "birth_date (生年月日)"),
        (HEADER.replace("birth_date", "生年月日"), "birth_date (生年月日)"),
        (HEADER.replace(",", ";"), "commas"),
        (HEADER + ",qzx", "Remove “qzx”"),
    ],
)
def test_an_unknown_column_gets_the_nearest(header: str, hint: str) -> None:
    with pytest.raises(InvalidInput) as caught:
        read(header.encode())
    assert hint in caught.value.hint


def test_not_utf8_names_the_offset_and_what_it_may_be() -> None:
    content = b"\xef\xbb\xbf" + HEADER.encode() + "\n髙".encode("cp932")
    with pytest.raises(InvalidInput) as caught:
        read(content)
    assert f"offset {len(HEADER) + 4} " in caught.value.text
    assert "CP932" in caught.value.hint


def test_only_the_labels_under_the_header_are_no_application() -> None:
    header, row = csv_of(ROW).decode().splitlines()
    (verdict,) = read(f"{header}\n# 申請番号,申請種別\n{row}\n".encode())
    assert (verdict.line, accepted(verdict).application_ref) == (3, "T2026-0001")
    for remark in ("#", "#T2026-0001", "# 申請種別"):
        first, second = read(f"{header}\n{remark}\n{row}\n".encode())
        assert [fault.code for fault in first.faults] == [FaultCode.WIDTH]
        accepted(second)
    again = read(rejects_csv((first,), f"{header}\n{remark}\n{row}\n".encode()))
    assert again == (first,)


def test_cp932_only_when_said() -> None:
    row = ROW | {"kanji_name": "髙橋　一郎"}
    content = csv_of(row).decode().encode("cp932")
    verdict = read(content, encoding="cp932")[0]
    assert accepted(verdict).kanji_name == "髙橋　一郎"
    assert verdict.row_digest == read_row().row_digest
    for wrong in (csv_of(row), b"\xef\xbb\xbf" + csv_of(row), content + b"\x81"):
        with pytest.raises(InvalidInput) as caught:
            read(wrong, encoding="cp932")
        assert caught.value.code == "ra.import.not_cp932"
    with pytest.raises(InvalidInput) as caught:
        read(content, encoding="latin-1")
    assert caught.value.code == "ra.import.encoding"


def test_line_is_where_the_row_begins() -> None:
    quoted = ROW | {"application_ref": "T2026-0002", "address": "\n架空町"}
    content = csv_of(quoted, {}, ROW)
    assert [verdict.line for verdict in read(content)] == [2, 5]


def test_the_digest_is_of_the_canonical_row() -> None:
    digest = read_row().row_digest
    assert read(csv_of(ROW, columns=tuple(reversed(ROW))))[0].row_digest == digest
    assert read_row(address=f" {ROW['address']}\t").row_digest == digest
    assert read_row(kanji_name="髙橋　一郎 ").row_digest != digest
    assert read_row(kanji_name="高橋　一郎").row_digest != digest


@given(st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0"), max_size=900))
def test_the_digest_is_of_rfc8785(address: str) -> None:
    cells = ROW | {"address": f"x{address}x"}
    expected = hashlib.sha256(rfc8785.dumps(cells)).hexdigest()
    assert read(csv_of(cells))[0].row_digest == expected


def test_rejects_are_read_again_as_they_were() -> None:
    formula = {"address": "=HYPERLINK(1)", "municipality": "'@x", "postal_code": "\t1"}
    content = csv_of(
        ROW,
        ROW | formula | {"application_ref": "-T26-0003", "romaji_name": "\rX", "telephone": "x"},
        ROW | {"application_ref": "T2026-0004", "kana_name": "ﾀ", "address": 'x,\n"y'},
    )
    verdicts = read(content)
    rejects = rejects_csv(verdicts, content)
    assert rejects.startswith(b"\xef\xbb\xbf")
    rows = list(csv.reader(io.StringIO(rejects.decode("utf-8-sig"), newline="")))
    assert rows[0] == [*ROW, "faults"]
    assert [row[0] for row in rows[1:]] == ["'-T26-0003", "T2026-0004"]
    assert rows[1][18] == "'=HYPERLINK(1)"
    assert "ra.row.telephone: " in rows[1][-1]
    again = read(rejects)
    assert [(v.faults, v.row_digest) for v in again] == [
        (v.faults, v.row_digest) for v in verdicts[1:]
    ]
    assert rejects_csv(again, rejects) == rejects


def test_apostrophes_of_an_ordinary_file_stay() -> None:
    assert accepted(read_row(address="'=1")).address == "'=1"


def test_rejects_want_the_file_that_was_judged() -> None:
    verdicts = read(csv_of(ROW | {"telephone": ""}))
    for other in (csv_of(ROW), csv_of({}, ROW)):
        with pytest.raises(InvalidInput) as caught:
            rejects_csv(verdicts, other)
        assert caught.value.code == "ra.import.other_file"


@given(st.binary(max_size=200), st.sampled_from(["utf-8", "cp932"]))
def test_bytes_raise_only_invalid_input(content: bytes, encoding: str) -> None:
    for prefix in (b"", HEADER.encode() + b"\n", HEADER.encode() + b",faults\n"):
        with contextlib.suppress(InvalidInput):
            verdicts = read(prefix + content, encoding)
            rejects_csv(verdicts, prefix + content, encoding=encoding)


CELLS = st.one_of(
    st.sampled_from([*ROW.values(), "=1", "'=1", "0000-00-00", "9999-12-31", "\n", '"', ","]),
    st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0"), max_size=20),
)


@given(st.lists(st.fixed_dictionaries({name: CELLS for name in ROW}), min_size=1, max_size=3))
def test_a_verdict_is_an_application_or_faults_and_rejects_read_again(rows: list[Changes]) -> None:
    content = csv_of(ROW, *rows)
    verdicts = read(content, today=date.max)
    assert all((v.application is None) == bool(v.faults) for v in verdicts)
    rejected = [v for v in verdicts if v.faults]
    if rejected:
        again = read(rejects_csv(verdicts, content), today=date.max)
        assert [v.row_digest for v in again] == [v.row_digest for v in rejected]


def _letters(check: Callable[[str], bool]) -> st.SearchStrategy[str]:
    letters = st.characters(categories=("Lo", "Lm"), min_codepoint=0x3005, max_codepoint=0x3134A)
    part = st.text(letters, min_size=1, max_size=8)
    return st.builds("{}　{}".format, part, part).filter(check)


@given(_letters(names.is_kanji_name), st.sampled_from(["", "\U000e0100", "\ufe01"]))
def test_names_survive_byte_for_byte(name: str, selector: str) -> None:
    given_name = name + selector
    application = accepted(read_row(kanji_name=given_name))
    assert application.kanji_name.encode() == given_name.encode()


def test_columns_are_the_fields_of_an_application() -> None:
    fields = [column.name for column in COLUMNS]
    assert [*fields, "document_dates"] == list(ApplicationRow.__dataclass_fields__)


def test_document_rules_by_type_and_channel() -> None:
    rules = load_document_rules()

    def required(channel: Channel, *filled: str, kind: str = "NEW") -> list[str]:
        found = rules.required(ApplicationType(kind), channel, filled)
        return [rule.document for rule in found]

    five = POST.split(";")
    assert required(Channel.POST) == required(Channel.LRA) == five
    assert required(Channel.MYNA) == five[:3]
    assert required(Channel.MYNA, "director_role") == [*five[:3], "ORG_DOC"]
    assert required(Channel.LRA, "former_surname") == [*five, "FORMER_NAME_DOC"]
    assert {rule.channel for rule in rules.rule} == set(Channel)


def test_document_rules_must_agree_with_themselves() -> None:
    rules = load_document_rules()
    rule = rules.rule[0]
    for documents, table, text in (
        (rules.document, (rule, rule), "two rules"),
        ({}, (rule,), "without a name: APPLICATION_FORM"),
    ):
        with pytest.raises(ValueError, match=text):
            DocumentRules(document=documents, rule=table)
