"""Exports proven without the site, and the store proven statement by statement."""

from __future__ import annotations

import json
import os
import shutil
from collections.abc import Callable
from dataclasses import dataclass
from datetime import date
from hashlib import sha256
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.asymmetric import ec
from sqlalchemy import text

from audit.anchor import Anchor
from audit.anchors import Anchors
from audit.canonical import canonical_json
from audit.chain import Head
from audit.trail import Event
from operators.acts import AnchorKey, End, Grant, Loss, Rekey, Suspend, act_octets
from operators.evidence.export import Exports
from operators.evidence.manifest import Manifest, parse_manifest
from operators.evidence.outsider import Trusted, Verified, verify_export
from operators.evidence.store import verify_statements
from operators.kinds import act_decision
from operators.records import Statement
from operators.statements import (
    Decision,
    KeySigner,
    Stand,
    StatementType,
    make_statement,
)
from pki.errors import Conflict, HpkiError, InvalidInput, NotFound, Refused, Unavailable
from pki.signing import key_id, sign, spki_der
from policies.roles import Role
from tests.flows.conftest import SITE_ID, STAFF, Centre, Moulds, p256
from tests.flows.issuing import issue, refused, revoke
from tests.flows.test_trail import change

Edit = Callable[[list[bytes]], list[bytes]]


def anchors(centre: Centre) -> Anchors:
    folder = centre.folder / "anchors"
    folder.mkdir(exist_ok=True)
    return Anchors(centre.trail, [folder])


def exports(centre: Centre) -> Exports:
    return Exports(centre.directory, anchors(centre))


def worked(centre: Centre) -> Anchor:
    """Let the centre issue, anchor twice, revoke, and change its people."""
    first = issue(centre, 1)
    anchors(centre).make(centre.anchor_key)
    revoke(centre, first)
    centre.appoint("atarashii", Role.HELPDESK)
    anchor = anchors(centre).make(centre.anchor_key)
    centre.decide(Suspend(operator="atarashii"), "kanri")
    return anchor


def exported(centre: Centre, name: str = "export", *, signed: bool = True) -> Path:
    folder = centre.folder / name
    key = centre.anchor_key if signed else None
    exports(centre).export(folder, centre.signers["kiroku"], key)
    return folder


def verified(folder: Path, trusted: Trusted = Trusted()) -> Verified:  # noqa: B008
    return verify_export(folder, trusted)


def test_an_export_verifies_on_its_own(centre: Centre) -> None:
    anchor = worked(centre)
    before = centre.trail.verify()
    folder = exported(centre)
    found = verified(folder, Trusted(centre.root, [before], [anchor]))
    assert found.signed
    assert found.manifest.head == before
    assert found.manifest.entries == before.seq
    assert found.manifest.anchors == 2
    entry = centre.trail.page(before.seq, 5)[0]
    detail = json.loads(entry.body)["detail"]
    assert (entry.code, entry.actor) == ("LOG.EXPORT", "kiroku")
    assert detail["manifest"] == sha256((folder / "manifest.json").read_bytes()).hexdigest()
    assert detail["statements"] == found.manifest.statements > 10
    assert centre.trail.verify().seq == before.seq + 1
    # entries and statements are the octets of the store
    bodies = [one.body.encode() for one in centre.trail.page(0, before.seq)]
    assert (folder / "trail.jsonl").read_bytes().splitlines() == bodies
    assert verify_statements(centre.directory).statements == found.manifest.statements


def test_an_export_holds_nobodys_name_and_is_private(centre: Centre) -> None:
    worked(centre)
    folder = exported(centre)
    octets = b"".join(path.read_bytes() for path in folder.rglob("*") if path.is_file())
    with centre.store.read() as tx:
        salts = [row.salt for row, *_ in centre.staff.everyone()]
        del tx
    for planted in ("Taro", "山田", "1970-01-01", "Kanri", "D000001", *salts):
        assert planted.encode() not in octets, planted
    assert {path.stat().st_mode & 0o777 for path in folder.rglob("*") if path.is_file()} == {0o600}
    assert folder.stat().st_mode & 0o777 == 0o700


def test_who_may_export(empty_centre: Centre, tmp_path: Path) -> None:
    made = exports(empty_centre)
    target = tmp_path / "export"
    for name in ("kanri", "shonin"):
        signer = empty_centre.signers[name]
        refused(Refused, "operators.role.missing", lambda s=signer: made.export(target, s))  # type: ignore[misc]
    forged = KeySigner("kiroku", p256())
    refused(Refused, "operators.credential.unknown", lambda: made.export(target, forged))
    assert not target.exists()
    before = empty_centre.trail.verify()
    made.export(target, empty_centre.signers["kiroku"])
    refused(
        Conflict,
        "operators.export.exists",
        lambda: made.export(target, empty_centre.signers["kiroku"]),
    )
    assert empty_centre.trail.verify().seq == before.seq + 1
    assert not verified(target).signed


def test_nothing_is_left_where_an_export_fails(empty_centre: Centre, tmp_path: Path) -> None:
    before = empty_centre.trail.verify()
    signer = empty_centre.signers["kiroku"]
    missing = tmp_path / "none" / "export"
    refused(
        Unavailable,
        "operators.export.write",
        lambda: exports(empty_centre).export(missing, signer),
    )

    def broken(done: int, total: int) -> None:
        raise OSError(28, "No space left on device")

    there = sorted(tmp_path.iterdir())
    refused(
        Unavailable,
        "operators.export.write",
        lambda: exports(empty_centre).export(tmp_path / "x", signer, progress=broken),
    )
    assert sorted(tmp_path.iterdir()) == there
    assert empty_centre.trail.verify() == before


def test_keys_of_all_times_are_exported(empty_centre: Centre) -> None:
    """Rekeyed, lost, and a new anchor key: what was signed under the old ones still verifies."""
    old = empty_centre.signers["kiroku"]
    first_anchor = anchors(empty_centre).make(empty_centre.anchor_key)
    keys = empty_centre.make_keys("kiroku")
    empty_centre.decide(Rekey(operator="kiroku", keys=keys), "kanri", "tachiai")
    lost = key_id(spki_der(empty_centre.signers["ansho"].public_key()))
    empty_centre.decide(Loss(operator="ansho", credential=lost), "kanri")
    second = p256()
    spki = spki_der(second.public_key())
    empty_centre.decide(AnchorKey(anchor_key=spki.hex()), "kanri", "tachiai")
    anchors(empty_centre).make(second)
    folder = empty_centre.folder / "export"
    exports(empty_centre).export(folder, empty_centre.signers["kiroku"], second)
    found = verified(folder, Trusted(empty_centre.root, (), [first_anchor]))
    assert found.signed
    assert found.manifest.anchors == 2
    names = {path.stem for path in (folder / "keys").iterdir()}
    assert {key_id(spki_der(old.public_key())), lost, key_id(spki)} <= names
    assert len(names) == len(STAFF) + 1 + 2


@dataclass(frozen=True)
class Given:
    """One export, made once, that every attack gets a copy of."""

    folder: Path
    root: str
    anchor: Anchor
    anchor_key: ec.EllipticCurvePrivateKey
    head: Head


@pytest.fixture(scope="module")
def given(moulds: Moulds, tmp_path_factory: pytest.TempPathFactory) -> Given:
    centre = moulds.copy(tmp_path_factory.mktemp("evidence"), None)
    try:
        anchor = worked(centre)
        head = centre.trail.verify()
        return Given(exported(centre), centre.root, anchor, centre.anchor_key, head)
    finally:
        centre.store.close()


@pytest.fixture
def folder(given: Given, tmp_path: Path) -> Path:
    return Path(shutil.copytree(given.folder, tmp_path / "copy"))


def lines(folder: Path, name: str) -> list[bytes]:
    return (folder / name).read_bytes().splitlines(keepends=True)


def edit(folder: Path, name: str, how: Edit) -> None:
    (folder / name).write_bytes(b"".join(how(lines(folder, name))))


def reseal(folder: Path) -> None:
    """Make the manifest fit the files again, as a forger would who can sign nothing."""
    tree = json.loads((folder / "manifest.json").read_bytes())
    paths = [one for one in folder.rglob("*") if one.is_file() and "manifest" not in one.name]
    tree["files"] = {
        str(one.relative_to(folder)): {
            "sha256": sha256(one.read_bytes()).hexdigest(),
            "size": one.stat().st_size,
        }
        for one in paths
    }
    entries = lines(folder, "trail.jsonl")
    tree["entries"] = tree["last_seq"] = len(entries)
    tree["head_hash"] = sha256(entries[-1].rstrip(b"\n")).hexdigest()
    for name in ("statements", "anchors"):
        tree[name] = len(lines(folder, f"{name}.jsonl"))
    (folder / "manifest.json").write_bytes(canonical_json(tree))
    (folder / "manifest.sig").unlink(missing_ok=True)


def swapped(first: int) -> Edit:
    return lambda all_: [*all_[:first], all_[first + 1], all_[first], *all_[first + 2 :]]


def without(number: int) -> Edit:
    return lambda all_: [one for place, one in enumerate(all_) if place != number % len(all_)]


def again(number: int) -> Edit:
    return lambda all_: [*all_[: number + 1], *all_[number:]]


def put(number: int, line: bytes) -> Edit:
    return lambda all_: [*all_[:number], line, *all_[number + 1 :]]


def replaced(number: int, old: bytes, new: bytes) -> Edit:
    def how(all_: list[bytes]) -> list[bytes]:
        assert old in all_[number]
        return put(number, all_[number].replace(old, new, 1))(all_)

    return how


def field_set(number: int, **changes: object) -> Edit:
    """Set fields of a line of JSON; its canonical form is kept."""

    def how(all_: list[bytes]) -> list[bytes]:
        tree = json.loads(all_[number]) | changes
        return put(number, canonical_json(tree) + b"\n")(all_)

    return how


BROKEN = "audit.trail.broken"
DEEP = b'{"seq":' + b"[" * 20000 + b"]" * 20000 + b"}\n"
TRAIL_ATTACKS: list[tuple[str, Edit, str, str]] = [
    ("first dropped", without(0), BROKEN, "entry 1"),
    ("middle dropped", without(6), BROKEN, "entry 7: it is missing"),
    ("last dropped", without(-1), "", ""),
    ("changed", replaced(6, b'"outcome":"OK"', b'"outcome":"NO"'), BROKEN, "entry 8"),
    ("first changed", replaced(0, b'"terminal":"test"', b'"terminal":"tesu"'), BROKEN, "entry 2"),
    ("reordered", swapped(6), BROKEN, "entry 7"),
    ("duplicated", again(6), BROKEN, "entry 8: entry 7 stands in its place"),
    ("inserted", lambda all_: [*all_[:6], b"{}\n", *all_[6:]], BROKEN, "entry 7"),
    ("deep", put(6, DEEP), BROKEN, "entry 7"),
    ("garbage", put(6, b"\xff\x00\xfe\n"), BROKEN, "entry 7"),
    ("emptied", lambda _: [b"\n"], BROKEN, "entry 1"),
]


@pytest.mark.parametrize("sealed", [False, True], ids=["plain", "resealed"])
@pytest.mark.parametrize(
    ("how", "code", "said"),
    [one[1:] for one in TRAIL_ATTACKS],
    ids=[one[0] for one in TRAIL_ATTACKS],
)
def test_an_edited_trail_is_found(
    folder: Path, given: Given, how: Edit, code: str, said: str, sealed: bool
) -> None:
    edit(folder, "trail.jsonl", how)
    if sealed:
        reseal(folder)
    if not code:  # the last entry is one of two statements' own: without it they hang in the air
        code = "operators.statement.unnamed" if sealed else BROKEN
    refusal = refused(Refused, code, lambda: verified(folder, Trusted(given.root)))
    assert said in refusal.text, refusal


def test_a_tail_cut_with_its_statements_is_found_by_an_anchor_only(
    folder: Path, given: Given
) -> None:
    for name in ("trail.jsonl", "statements.jsonl"):
        edit(folder, name, without(-1))
    reseal(folder)
    verified(folder, Trusted(given.root, (), [given.anchor]))  # it names an earlier entry
    refusal = refused(Refused, BROKEN, lambda: verified(folder, Trusted(given.root, [given.head])))
    assert "tail was cut" in refusal.text
    # the anchor that is newer than the tail, in the export itself
    cut = given.anchor.content.seq - 1
    seqs = [json.loads(one)["seq"] for one in lines(folder, "statements.jsonl")]
    edit(folder, "trail.jsonl", lambda all_: all_[:cut])
    edit(folder, "statements.jsonl", lambda all_: all_[: sum(seq <= cut for seq in seqs)])
    reseal(folder)
    refusal = refused(Refused, BROKEN, lambda: verified(folder, Trusted(given.root)))
    assert "an anchor names entry" in refusal.text


def test_an_oversize_line_is_refused_without_being_read(folder: Path) -> None:
    for name, most in (("trail.jsonl", 65536), ("statements.jsonl", 4 * 1024 * 1024)):
        original = (folder / name).read_bytes()
        (folder / name).write_bytes(b"x" * (most + 1) + b"\n" + original)
        refusal = refused(InvalidInput, "operators.export.line", lambda: verified(folder))
        assert f"{name} line 1" in refusal.text
        (folder / name).write_bytes(original.removesuffix(b"\n"))
        with pytest.raises(HpkiError) as unended:
            verified(folder)
        assert unended.value.code == "operators.export.line"
        (folder / name).write_bytes(original)
    verified(folder)


def other_body(all_: list[bytes]) -> list[bytes]:
    one, two = (json.loads(all_[number]) for number in (4, 5))
    one["body"], two["body"] = two["body"], one["body"]
    changed = [canonical_json(tree) + b"\n" for tree in (one, two)]
    return [*all_[:4], *changed, *all_[6:]]


FORGED = "3006020101020101"
STATEMENT_ATTACKS: list[tuple[str, Edit, str]] = [
    ("dropped", without(4), "operators.statement.position"),
    ("first dropped", without(0), "operators.statement.position"),
    ("last dropped", without(-1), "operators.statement.position"),
    ("swapped bodies", other_body, "operators.statement.position"),
    ("duplicated", again(4), "operators.statement.position"),
    ("moved", lambda all_: [*all_[:4], *all_[5:], all_[4]], "operators.statement.position"),
    ("claimed elsewhere", field_set(4, seq=1), "operators.statement.unnamed"),
    (
        "another signature",
        field_set(4, signature="3006020101020101"),
        "operators.statement.signature",
    ),
    ("no signature", field_set(4, signature="zz"), "operators.statement.signature"),
    ("no text", field_set(4, body="[]"), "operators.statement.position"),
    ("another act", field_set(0, content="{}"), "operators.act.form"),
    ("no act", field_set(0, content=None), "operators.act.form"),
    ("an act too many", field_set(4, content="{}"), "operators.statement.position"),
    ("garbage", put(4, b"\xff\n"), "operators.export.form"),
    ("deep", put(4, DEEP), "operators.export.form"),
    ("unknown field", field_set(4, more=1), "operators.export.form"),
    ("blanks", replaced(4, b"{", b"{ "), "operators.export.form"),
    ("huge number", put(4, b'{"seq":1' + b"0" * 5000 + b"}\n"), "operators.export.form"),
]


@pytest.mark.parametrize(
    ("how", "code"),
    [one[1:] for one in STATEMENT_ATTACKS],
    ids=[one[0] for one in STATEMENT_ATTACKS],
)
def test_an_edited_statement_is_found(folder: Path, given: Given, how: Edit, code: str) -> None:
    edit(folder, "statements.jsonl", how)
    for _ in range(2):
        refusal = refused(Refused, code, lambda: verified(folder, Trusted(given.root)))
        assert "entry" in refusal.text or "statements.jsonl line 5" in refusal.text, refusal
        reseal(folder)


def spoil_key(folder: Path) -> str:
    path = min((folder / "keys").iterdir())
    path.write_bytes(max((folder / "keys").iterdir()).read_bytes())
    return "operators.export.key"


def drop_key(folder: Path) -> str:
    min((folder / "keys").iterdir()).unlink()
    return "operators.export.key"


def add_key(folder: Path) -> str:
    (folder / "keys" / f"{'a' * 32}.pem").write_bytes(b"")
    return "operators.export.key"


def add_file(folder: Path) -> str:
    (folder / "more.txt").write_bytes(b"")
    return "operators.export.form"


@pytest.mark.parametrize("attack", [spoil_key, drop_key, add_key, add_file])
def test_other_files_are_found(folder: Path, attack: Callable[[Path], str]) -> None:
    code = attack(folder)
    with pytest.raises(HpkiError):
        verified(folder)
    reseal(folder)
    with pytest.raises(HpkiError) as refusal:
        verified(folder)
    assert refusal.value.code == code


def test_files_that_are_no_files(folder: Path) -> None:
    readme = folder / "README.txt"
    kept = readme.read_bytes()
    readme.write_bytes(kept + b" ")
    refusal = refused(Refused, "operators.export.digest", lambda: verified(folder))
    assert "README.txt" in refusal.text
    readme.unlink()
    refused(NotFound, "operators.export.file", lambda: verified(folder))
    readme.symlink_to("/etc/passwd")
    refused(Unavailable, "operators.export.read", lambda: verified(folder))
    readme.unlink()
    os.mkfifo(readme)
    refused(InvalidInput, "operators.export.file", lambda: verified(folder))
    readme.unlink()
    readme.write_bytes(b"x" * 70000)
    refused(InvalidInput, "operators.export.size", lambda: verified(folder))
    readme.write_bytes(kept)
    verified(folder)


MANIFEST_ATTACKS: list[tuple[dict[str, object], str]] = [
    ({"site_id": "other"}, "operators.export.manifest"),
    ({"kind": "trial"}, "operators.export.manifest"),
    ({"setup": "a" * 64}, "operators.export.manifest"),
    ({"statements": 1}, "operators.export.manifest"),
    ({"anchors": 1}, "operators.export.manifest"),
    ({"entries": 1}, "operators.export.manifest"),
    ({"head_hash": "a" * 64}, BROKEN),
    ({"last_seq": 1}, BROKEN),
    ({"format": "hpki-evidence-2"}, "operators.export.form"),
    ({"more": 1}, "operators.export.form"),
    ({"files": {"../../etc/passwd": {"sha256": "a" * 64, "size": 1}}}, "operators.export.form"),
    ({"files": {}}, "operators.export.form"),
]


@pytest.mark.parametrize(("changes", "code"), MANIFEST_ATTACKS, ids=str)
def test_an_edited_manifest_is_found(folder: Path, changes: dict[str, object], code: str) -> None:
    path = folder / "manifest.json"
    path.write_bytes(canonical_json(json.loads(path.read_bytes()) | changes))
    with pytest.raises(HpkiError) as refusal:
        verified(folder)
    assert refusal.value.code == code, refusal.value


@pytest.mark.parametrize(
    "octets", [b"", b"[]", b"{}", b"\xff", b"[" * 100000, b"x" * (8 * 1024 * 1024 + 1)]
)
def test_a_manifest_that_is_none(folder: Path, octets: bytes) -> None:
    (folder / "manifest.json").write_bytes(octets)
    with pytest.raises(InvalidInput):
        verified(folder)
    with pytest.raises(InvalidInput):
        parse_manifest(octets + b" ")


def test_the_manifest_signature(folder: Path, given: Given) -> None:
    path = folder / "manifest.sig"
    octets = (folder / "manifest.json").read_bytes()
    path.write_bytes(sign(p256(), octets, "SHA-256"))
    refused(Refused, "operators.export.signature", lambda: verified(folder))
    path.write_bytes(sign(given.anchor_key, octets + b" ", "SHA-256"))
    refused(Refused, "operators.export.signature", lambda: verified(folder))
    path.write_bytes(b"garbage")
    refused(Refused, "operators.export.signature", lambda: verified(folder))
    path.unlink()
    assert not verified(folder).signed


def test_the_root_of_trust_is_the_outsiders(folder: Path, given: Given) -> None:
    assert verified(folder).manifest.setup == given.root
    other = Trusted("a" * 64)
    refusal = refused(Refused, "operators.setup.pin", lambda: verified(folder, other))
    assert "entry 2" in refusal.text


def made_anchor(given: Given, **changes: object) -> Anchor:
    """An anchor with other content, signed anew."""
    key = changes.pop("signer", given.anchor_key)
    assert isinstance(key, ec.EllipticCurvePrivateKey)
    spki = spki_der(key.public_key())
    tree = given.anchor.content.model_dump() | {"key": key_id(spki)} | changes
    body = canonical_json(tree)
    return Anchor(body, sign(key, body, "SHA-256"), spki)


def test_anchors_given_and_exported(folder: Path, given: Given) -> None:
    other_site = made_anchor(given, site_id="elsewhere")
    forged = made_anchor(given, signer=p256())
    rewritten = made_anchor(given, hash="a" * 64)
    newer = made_anchor(given, seq=given.head.seq + 1, count=given.head.seq + 1)
    for anchor, code, exported_code in (
        (other_site, "audit.anchor.site", "audit.anchor.site"),
        (forged, "audit.anchor.key", "audit.anchor.key"),
        (rewritten, "audit.anchor.differs", "audit.anchor.differs"),
        (newer, BROKEN, BROKEN),
    ):
        trusted = Trusted(given.root, (), [anchor])
        refused(Refused, code, lambda t=trusted: verified(folder, t))  # type: ignore[misc]
        kept = (folder / "anchors.jsonl").read_bytes()
        edit(folder, "anchors.jsonl", put(1, anchor.file_octets()))
        reseal(folder)
        refused(Refused, exported_code, lambda: verified(folder, Trusted(given.root)))
        (folder / "anchors.jsonl").write_bytes(kept)
        reseal(folder)
    edit(folder, "anchors.jsonl", without(0))
    reseal(folder)
    refused(Refused, "audit.anchor.previous", lambda: verified(folder))
    edit(folder, "anchors.jsonl", lambda _: [b"{}\n"])
    refusal = refused(Refused, "audit.anchor.form", lambda: verified(folder))
    assert "anchors.jsonl line 1" in refusal.text


def test_the_manifest_round_trips(given: Given) -> None:
    octets = (given.folder / "manifest.json").read_bytes()
    manifest = parse_manifest(octets)
    assert isinstance(manifest, Manifest)
    assert manifest.octets() == octets


# what was signed without the right to, entered past the program that would have refused it


def enter(centre: Centre, name: str, role: Role, **wrong: object) -> int:
    """Enter a statement as a program would that asks nobody; return the entry's position."""
    signer = wrong.get("signer", centre.signers[name])
    assert isinstance(signer, KeySigner)
    decision = Decision(StatementType.APPROVAL, "application", "A-1", "ab" * 32, "APPROVE", role)
    with centre.store.begin() as tx:
        register = wrong.get("register", centre.directory.register(tx).head)
        assert isinstance(register, Head)
        event = Event("APP.DECIDE", "application", "A-1", actor=name, actor_role=role)
        centre.directory.keep(tx, event, [(signer, decision)], register)
        return centre.trail.position(tx)


def test_statements_without_the_right_are_found(empty_centre: Centre) -> None:
    enter(empty_centre, "shonin", Role.RA_APPROVER)
    assert verify_statements(empty_centre.directory).statements == 3
    seq = enter(empty_centre, "uketsuke", Role.RA_APPROVER)
    refusal = refused(
        Refused, "operators.statement.role", lambda: verify_statements(empty_centre.directory)
    )
    assert f"entry {seq}" in refusal.text


def suspended(centre: Centre) -> str:
    centre.decide(Suspend(operator="shonin"), "toroku")
    enter(centre, "shonin", Role.RA_APPROVER)
    return "operators.suspended"


def lost(centre: Centre) -> str:
    credential = key_id(spki_der(centre.signers["shonin"].public_key()))
    centre.decide(Loss(operator="shonin", credential=credential), "toroku")
    enter(centre, "shonin", Role.RA_APPROVER)
    return "operators.credential.lost"


def ended(centre: Centre) -> str:
    centre.decide(End(operator="shonin", roles=(Role.RA_APPROVER,)), "kanri", "tachiai")
    enter(centre, "shonin", Role.RA_APPROVER)
    return "operators.statement.role"


def expired(centre: Centre) -> str:
    centre.pass_time(days=(date(2029, 11, 22) - centre.now.date()).days)
    enter(centre, "shonin", Role.RA_APPROVER)
    return "operators.credential.expired"


def unknown_key(centre: Centre) -> str:
    enter(centre, "shonin", Role.RA_APPROVER, signer=KeySigner("shonin", p256()))
    return "operators.statement.credential"


def under_an_old_register(centre: Centre) -> str:
    with centre.store.read() as tx:
        head = centre.directory.register(tx).head
    centre.appoint("atarashii", Role.HELPDESK)
    enter(centre, "shonin", Role.RA_APPROVER, register=head)
    return "operators.register.cut"


def after_another_trail(centre: Centre) -> str:
    """The signer saw an entry 3 that is not in this trail; all else is right."""
    signer = centre.signers["shonin"]
    says = Decision(
        StatementType.APPROVAL, "application", "A-1", "ab" * 32, "APPROVE", Role.RA_APPROVER
    )
    with centre.store.begin() as tx:
        seq = centre.trail.position(tx) + 1
        register = centre.directory.register(tx).head
        stand = Stand("s-1", SITE_ID, "2026-11-21T03:00:00Z", Head(1, "b" * 64), register)
        signed = make_statement(signer, says, stand)
        detail = {"signed": {"s-1": signed.sha256()}}
        centre.trail.append(tx, Event("APP.DECIDE", "application", "A-1", detail=detail))
        kept = {"id": "s-1", "operator_id": "shonin", "type": says.type, "object_id": "A-1"}
        octets = {"body": signed.body.decode(), "signature": signed.signature.hex()}
        tx.add(Statement(**kept, **octets, seq=seq))
    return "operators.statement.position"


def an_act_under_another_code(centre: Centre) -> str:
    act = Grant(operator="shonin", roles=(Role.HELPDESK,))
    with centre.store.begin() as tx:
        event = Event("ROLE.REVOKE", "operator", "shonin", actor="kanri")
        decisions = [
            (centre.signers[name], act_decision(act, SITE_ID, role))
            for name, role in (("kanri", Role.CA_MANAGER), ("tachiai", Role.IA_MANAGER))
        ]
        register = centre.directory.register(tx).head
        centre.directory.keep(tx, event, decisions, register, act_octets(act).decode())
    return "operators.statement.position"


@pytest.mark.parametrize(
    "wrong",
    [
        suspended,
        lost,
        ended,
        expired,
        unknown_key,
        under_an_old_register,
        after_another_trail,
        an_act_under_another_code,
    ],
)
def test_what_was_signed_wrongly_is_found_in_the_store(
    empty_centre: Centre, wrong: Callable[[Centre], str]
) -> None:
    verify_statements(empty_centre.directory)
    code = wrong(empty_centre)
    seq = empty_centre.trail.verify().seq
    refusal = refused(Refused, code, lambda: verify_statements(empty_centre.directory))
    assert f"entry {seq}" in refusal.text


def act_without_statement(centre: Centre) -> tuple[str, str]:
    with centre.store.begin() as tx:
        centre.trail.append(tx, Event("ROLE.GRANT", "operator", "shonin", actor="kanri"))
    return "operators.act.form", ""


def statement_without_entry(centre: Centre) -> tuple[str, str]:
    change(
        centre,
        "INSERT INTO statement (id, operator_id, type, object_id, body, signature, seq) "
        "SELECT 'x', operator_id, type, object_id, body, signature, 9999 FROM statement LIMIT 1",
    )
    return "operators.statement.unnamed", "entry 9999"


def statement_edited(centre: Centre) -> tuple[str, str]:
    seq = enter(centre, "shonin", Role.RA_APPROVER)
    change(
        centre,
        f"UPDATE statement SET body = replace(body, 'APPROVE\"', 'REFUSED\"') WHERE seq = {seq}",
    )
    return "operators.statement.position", f"entry {seq}"


def statement_deleted(centre: Centre) -> tuple[str, str]:
    seq = enter(centre, "shonin", Role.RA_APPROVER)
    change(centre, f"DELETE FROM statement WHERE seq = {seq}")
    return "operators.statement.position", f"entry {seq}"


def statement_deep(centre: Centre) -> tuple[str, str]:
    seq = enter(centre, "shonin", Role.RA_APPROVER)
    with centre.store.engine.begin() as connection:
        connection.execute(
            text("UPDATE statement SET body = :body WHERE seq = :seq"),
            {"body": "[" * 100000, "seq": seq},
        )
    return "operators.statement.position", f"entry {seq}"


@pytest.mark.parametrize(
    "attack",
    [
        act_without_statement,
        statement_without_entry,
        statement_edited,
        statement_deleted,
        statement_deep,
    ],
)
def test_rows_of_statements_edited_behind_our_back(
    empty_centre: Centre, attack: Callable[[Centre], tuple[str, str]]
) -> None:
    code, said = attack(empty_centre)
    refusal = refused(Refused, code, lambda: verify_statements(empty_centre.directory))
    assert said in refusal.text


def test_another_pinned_root_is_refused(empty_centre: Centre) -> None:
    empty_centre.root = "b" * 64
    empty_centre.__post_init__()
    refused(Refused, "operators.setup.pin", lambda: verify_statements(empty_centre.directory))
