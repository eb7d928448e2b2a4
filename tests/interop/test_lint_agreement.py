"""docs/lint-agreement.md tells what other tools say of the golden files, and nothing else."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from pki import oids
from pki.findings import Severity
from pki.reading.objects import read_object
from policies.lint.corpus import Corpus, Options
from policies.profiles import shipped_profiles
from tests.golden.lint.case import Draft
from tests.golden.lint.sound import SOUND
from tests.golden.lint.tree import Node, attribute, node, parse, sequence, set_of, text
from tests.golden.test_real import REAL
from tests.interop.agreement import (
    DOCUMENT,
    READERS,
    Golden,
    Said,
    ask_everyone,
    ask_pkilint,
    differences,
    goldens,
    suspects,
    told,
)
from tests.interop.test_pkilint import allowed

LONG_HOST = ".".join(["a" * 60] * 5).encode()
DOMAIN_COMPONENT = "0.9.2342.19200300.100.1.25"

pytestmark = pytest.mark.xdist_group("agreement")

TEXT = DOCUMENT.read_text()
GAPS = TEXT.partition("## Known gaps\n")[2].partition("\n## ")[0]
ROWS = [
    line
    for line in TEXT.replace(GAPS, "").splitlines()
    if line.startswith("| ") and any(mark in line for mark in ("`", "| R"))
]
FILES = goldens()


@pytest.fixture(scope="module")
def said() -> Said:
    return ask_everyone(FILES, suspects(told(TEXT), FILES))


def test_the_document_is_true(said: Said) -> None:
    found = differences(told(TEXT), FILES, said)
    assert found == [], "\n".join(
        [*found, "", f"{DOCUMENT.name} names the versions that it was written with."]
    )


def test_sound_twins_draw_no_more_notices_than_what_we_issue(said: Said) -> None:
    assert said.noticed <= {code for code, objects in allowed().items() if objects}


def test_every_row_is_needed(said: Said) -> None:
    assert len(ROWS) > 100
    idle = [row for row in ROWS if not differences(told(TEXT.replace(f"{row}\n", "")), FILES, said)]
    assert idle == []


def test_a_new_difference_is_found(said: Said) -> None:
    document, name = told(TEXT), "R103-serial-number-zero"
    assert said.pkilint[name]
    quiet = replace(said, pkilint={**said.pkilint, name: {}})
    assert f"{name}: pkilint is silent" in differences(document, FILES, quiet)
    loud = replace(said, pkilint={**said.pkilint, name: {"name_empty": Severity.ERROR}})
    assert f"{name}: others say name_empty, we say H053, R103" in differences(document, FILES, loud)
    softer = dict.fromkeys(said.pkilint[name], Severity.WARNING)
    soft = replace(said, pkilint={**said.pkilint, name: softer})
    assert any("of another weight" in line for line in differences(document, FILES, soft))
    strict = replace(said, openssl={**said.openssl, "sound-root": {"certificate has expired"}})
    assert any("sound-root: others say" in line for line in differences(document, FILES, strict))
    for tool in READERS:
        blind = replace(said, unread={**said.unread, tool: said.unread[tool] | {"sound-list"}})
        assert f"{tool} does not read sound-list" in differences(document, FILES, blind)


def _bent(dotted: str, bend: Callable[[Node], None]) -> Callable[[Draft], None]:
    """Return a change of the value of an extension."""

    def change(first: Draft) -> None:
        value = first.value(dotted)
        bend(value)
        first.put(dotted, value)

    return change


def _set(path: tuple[int, ...], *children: Node) -> Callable[[Node], None]:
    """Return a change of the children of the node at the end of the path."""

    def bend(found: Node) -> None:
        for index in path:
            found = found[index]
        found.children = list(children)

    return bend


def _octets(path: tuple[int, ...], octets: bytes) -> Callable[[Node], None]:
    def bend(found: Node) -> None:
        for index in path:
            found = found[index]
        found.octets = octets

    return bend


def _of_tree(bend: Callable[[Node], None]) -> Callable[[Draft], None]:
    return lambda first: bend(first.tbs)


def _alternative(name: Node) -> Callable[[Draft], None]:
    return lambda first: first.put(oids.SUBJECT_ALT_NAME, sequence(name))


def _edwards(first: Draft) -> None:
    key = Ed25519PublicKey.from_public_bytes(bytes(31) + b"\x01")
    info = key.public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)
    first.field("public_key").children = parse(info).children
    first.put(oids.KEY_USAGE, Node(0x03, b"\x05\x20"))


def _domain_components(first: Draft) -> None:
    value = text("no domain", 0x16)
    first.field("subject").children.append(set_of(attribute(DOMAIN_COMPONENT, value)))


NO_URI = Node(0x86, b"no uri")
POINT_OF_A_LIST = sequence(node(0xA0, node(0xA0, NO_URI)))
PROBES: dict[str, tuple[str, Callable[[Draft], None]]] = {
    "name-of-a-list": ("foreign-list", _of_tree(_octets((2, 1, 0, 1), b"x" * 65))),
    "name-in-a-point": (
        "foreign-ca",
        _bent(oids.CRL_DISTRIBUTION_POINTS, _octets((0, 0, 0, 0, 0, 1, 0, 1), b"x" * 65)),
    ),
    "uri-in-the-aki": ("foreign-ca", _bent(oids.AUTHORITY_KEY_IDENTIFIER, _set((1,), NO_URI))),
    "uri-of-a-list": (
        "foreign-list",
        lambda first: first.add(oids.ISSUING_DISTRIBUTION_POINT, POINT_OF_A_LIST, critical=True),
    ),
    "serial-in-the-aki": (
        "foreign-ca",
        _bent(oids.AUTHORITY_KEY_IDENTIFIER, _octets((2,), b"\x80")),
    ),
    "no-issuer-in-the-aki-of-a-list": (
        "foreign-list",
        _bent(oids.AUTHORITY_KEY_IDENTIFIER, _set((1,))),
    ),
    "no-issuer-of-an-entry": (
        "foreign-indirect-list",
        _of_tree(_octets((5, 0, 2, 0, 2), b"\x30\x00")),
    ),
    "cps-uri-with-a-blank": (
        "ee-sign",
        _bent(oids.CERTIFICATE_POLICIES, _octets((0, 1, 0, 1), b"http://www.example.jp/ ")),
    ),
    "long-host-of-a-mailbox": ("foreign-ee", _alternative(Node(0x81, b"a@" + LONG_HOST))),
    "long-host-of-a-uri": ("foreign-ee", _alternative(Node(0x86, b"http://" + LONG_HOST))),
    "party-name-that-cannot-be-read": ("foreign-ee", _alternative(Node(0xA5, b"\xa1\x7f"))),
    "domain-components": ("foreign-ee", _domain_components),
    "edwards-curve-for-encipherment": ("foreign-ee", _edwards),
}
"""Sound scenes bent as no golden file is: what pkilint finds in them, we do not find yet."""


def test_known_gaps_are_gaps_still() -> None:
    table = {name: set(codes) for names, codes, *_ in told(TEXT).gaps for name in names}
    assert set(table) == set(PROBES)
    for name, (scene_name, change) in PROBES.items():
        scene = SOUND[scene_name].make()
        change(scene.first)
        first, *others = [draft.encode() for draft in scene.objects]
        file = Golden(name, scene.first.is_list, first, (), {})
        said = ask_pkilint([file])
        assert table[name] <= said.pkilint[name].keys(), name
        corpus = Corpus(Options(shipped_profiles()))
        objects = [read_object(octets) for octets in (first, *others)]
        for one in objects:
            corpus.add("", one)
        found = {f"1 {one.code} {one.severity}" for one in corpus.judge("", objects[0]).findings}
        assert found <= set(SOUND[scene_name].expect), f"{name}: no gap any more"


@pytest.mark.skipif(not REAL.is_dir(), reason=f"REAL HPKI ARTEFACTS ARE ABSENT: {REAL}")
def test_nobody_says_anything_of_the_real_artefacts() -> None:
    paths = sorted([*REAL.glob("*.cer"), *REAL.glob("*.crl")])
    objects = [read_object(path.read_bytes()) for path in paths]
    corpus = Corpus(Options(shipped_profiles()))
    for one in objects:
        corpus.add("", one)
    found = {
        f"{finding.code} {finding.severity}"
        for one in objects
        for finding in corpus.judge("", one).findings
    }
    assert found == {"H053 INFO", "H083 WARNING", "R105 INFO"}
    authorities = tuple(
        path.read_bytes() for path in paths if path.suffix == ".cer" and "card" not in path.name
    )
    assert len(paths) == 8
    assert len(authorities) == 3
    files = [
        Golden(f"sound-{path.name}", path.suffix == ".crl", path.read_bytes(), authorities, {})
        for path in paths
    ]
    said = ask_everyone(files, ())
    assert not any(said.pkilint.values())
    assert said.noticed <= allowed().keys()
    assert not said.openssl
    assert not said.unread
