"""The sample list: what the script writes, all sound but twelve rows."""

import importlib.util
import re
import sys
from collections import Counter
from collections.abc import Iterator
from datetime import date
from pathlib import Path
from types import ModuleType

import pytest

from policies.documents import load_document_rules
from ra.lists.faults import RoleNames
from ra.lists.rows import ApplicationRow, RowVerdict, read_applications, rejects_csv
from ra.persons.romaji import romaji_suggestion

EXAMPLES = Path(__file__).parents[2] / "examples"
CONTENT = (EXAMPLES / "applications.csv").read_bytes()
ROLES = RoleNames(
    frozenset({"医師", "歯科医師", "薬剤師", "看護師"}), frozenset({"病院長", "診療所院長"})
)


@pytest.fixture(scope="module")
def script() -> Iterator[ModuleType]:
    spec = importlib.util.spec_from_file_location(
        "make_applications", EXAMPLES / "make_applications.py"
    )
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = module
    spec.loader.exec_module(module)
    yield module
    del sys.modules[spec.name]


@pytest.fixture(scope="module")
def verdicts() -> tuple[RowVerdict, ...]:
    return read_applications(
        CONTENT, today=date(2026, 10, 31), roles=ROLES, documents=load_document_rules()
    )


@pytest.fixture(scope="module")
def applications(verdicts: tuple[RowVerdict, ...]) -> list[ApplicationRow]:
    return [verdict.application for verdict in verdicts if verdict.application is not None]


def test_the_script_writes_the_committed_file(script: ModuleType) -> None:
    assert script.applications_csv() == CONTENT


def test_twelve_rows_have_the_faults_the_readme_tells(verdicts: tuple[RowVerdict, ...]) -> None:
    table = re.findall(r"^\| (\d+) \| (\w+) \| `(ra\.row\.\w+)` \|", readme(), re.MULTILINE)
    found = [
        (str(verdict.line), fault.field, fault.code.value)
        for verdict in verdicts
        for fault in verdict.faults
    ]
    assert found == table
    assert len({code for _, _, code in found}) == 12
    assert len(verdicts) == 162


def test_the_rejects_of_the_sample_are_read_again(verdicts: tuple[RowVerdict, ...]) -> None:
    rejects = rejects_csv(verdicts, CONTENT)
    again = read_applications(
        rejects, today=date(2026, 10, 31), roles=ROLES, documents=load_document_rules()
    )
    # The repeated reference is no longer repeated once it stands alone.
    assert sum(1 for verdict in again if verdict.faults) == 11


def test_prefectures_are_in_proportion(
    script: ModuleType, applications: list[ApplicationRow]
) -> None:
    cards = {code: count for code, _, count, _, _ in script.PREFECTURES}
    assert (len(cards), sum(cards.values())) == (48, 5534)
    sample = Counter(application.work_prefecture for application in applications)
    assert sample.keys() == cards.keys()
    assert sample.total() == 150
    for one, of_one in sample.items():
        for other, of_other in sample.items():
            assert of_one >= of_other or cards[one] <= cards[other]


def test_the_mix_is_what_the_readme_says(applications: list[ApplicationRow]) -> None:
    assert Counter(a.profession for a in applications) == {
        "医師": 120, "歯科医師": 12, "薬剤師": 10, "看護師": 8,
    }  # fmt: skip
    assert Counter(a.director_role for a in applications if a.director_role) == {
        "診療所院長": 8, "病院長": 4,
    }  # fmt: skip
    assert Counter(a.channel.value for a in applications) == {"POST": 75, "MYNA": 45, "LRA": 30}
    together = "".join(a.kanji_name for a in applications)
    assert all(rare in together for rare in ("𠮷", "髙", "﨑", "\ufa19", "\U000e0100"))
    assert sum(1 for a in applications if a.former_surname) == 3
    assert sum(1 for a in applications if a.institution_ja == "なし") in range(5, 26)


def test_romaji_and_kana_agree(applications: list[ApplicationRow]) -> None:
    foreign = {"ANDERSSON LINNEA MARIA", "O'HARA PATRICK", "WANG MING"}
    assert {
        a.romaji_name for a in applications if romaji_suggestion(a.kana_name) != a.romaji_name
    } == foreign


def test_nothing_leads_to_a_living_person(applications: list[ApplicationRow]) -> None:
    for application in applications:
        assert re.fullmatch(r"0[789]0-0000-\d{4}", application.telephone)
        assert application.email is None or application.email.endswith("@example.jp")
        assert application.institution_ja.startswith(("架空", "なし"))
        assert re.search("架空町|見本町|例示台|仮称丘", application.address)
        assert date(2026, 9, 1) <= application.received_on <= date(2026, 10, 31)
    assert len({a.telephone for a in applications}) == 150
    assert len({(a.profession, a.registration_number) for a in applications}) == 150


def readme() -> str:
    return (EXAMPLES / "README.md").read_text(encoding="utf-8")
