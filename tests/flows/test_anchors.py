"""Anchors on both databases: made, kept, delivered, and what they find."""

from __future__ import annotations

import base64
import json
import shutil
from collections.abc import Callable
from dataclasses import replace
from datetime import timedelta
from functools import partial
from hashlib import sha256
from pathlib import Path
from typing import Any

import pytest
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec
from sqlalchemy import text

from audit.anchor import Anchor, parse_anchor_file, verify_anchor, verify_site
from audit.anchor_files import newest_anchor_file, read_anchor_file
from audit.anchors import Anchors
from audit.canonical import canonical_json
from audit.chain import Head
from audit.trail import Event
from pki.errors import Conflict, HpkiError, InvalidInput, NotFound, Refused, Unavailable
from pki.signing import key_id, sign
from policies.parameters import Parameters
from tests.flows.conftest import Centre, p256
from tests.flows.issuing import refused

KEY = p256()


def public_der(key: ec.EllipticCurvePrivateKey) -> bytes:
    return key.public_key().public_bytes(
        serialization.Encoding.DER, serialization.PublicFormat.SubjectPublicKeyInfo
    )


KEYS = {key_id(public_der(KEY)): public_der(KEY)}


def anchors_of(centre: Centre, *elsewhere: Path) -> Anchors:
    return Anchors(centre.trail, [centre.folder / "anchors", *elsewhere])


def append(centre: Centre) -> int:
    with centre.store.begin() as tx:
        return centre.trail.append(tx, Event("TEST.ENTRY", "thing", "t-1"))


def forged(anchor: Anchor, signer: ec.EllipticCurvePrivateKey = KEY, **changes: Any) -> Anchor:
    """The anchor with other content, signed anew."""
    body = canonical_json(json.loads(anchor.body) | changes)
    return replace(anchor, body=body, signature=sign(signer, body, "SHA-256"))


def verify_newest(centre: Centre) -> None:
    with centre.store.read() as tx:
        anchors_of(centre).verify_newest(tx)


def test_an_anchor_names_head_key_and_the_one_before(empty_centre: Centre) -> None:
    anchors = anchors_of(empty_centre)
    head = empty_centre.trail.verify()
    first = anchors.make(KEY)
    assert json.loads(first.body) == {
        "site_id": "test-site",
        "seq": head.seq,
        "hash": head.hash,
        "count": head.seq,
        "at": "2026-11-21T03:00:00Z",
        "previous": "0" * 64,
        "key": key_id(public_der(KEY)),
    }
    assert canonical_json(json.loads(first.body)) == first.body
    (entry,) = empty_centre.trail.page(head.seq, 9)
    assert (entry.code, entry.object_type, entry.object_id) == (
        "LOG.ANCHOR",
        "anchor",
        str(head.seq),
    )
    assert json.loads(entry.body)["detail"] == {
        "seq": head.seq,
        "hash": head.hash,
        "sha256": sha256(first.body).hexdigest(),
    }
    second = anchors.make(KEY)
    assert second.content.seq == entry.seq
    assert second.content.previous == sha256(first.body).hexdigest()
    assert anchors.verify_all(KEYS) == [first.head, second.head]
    with empty_centre.store.read() as tx:
        assert anchors.newest(tx) == second
        assert anchors.all(tx) == [first, second]
    empty_centre.trail.verify([first.head, second.head])


def test_the_file_says_all_and_is_read_back(empty_centre: Centre, tmp_path: Path) -> None:
    elsewhere = tmp_path / "elsewhere"
    elsewhere.mkdir()
    anchors = anchors_of(empty_centre, elsewhere)
    anchor = anchors.make(KEY)
    paths = anchors.deliver(anchor)
    name = f"test-site-{anchor.content.seq:012d}.json"
    assert paths == [empty_centre.folder / "anchors" / name, elsewhere / name]
    assert len({path.read_bytes() for path in paths}) == 1
    file = json.loads(paths[0].read_bytes())
    assert file["body"].encode() == anchor.body
    assert file["public_key"].startswith("-----BEGIN PUBLIC KEY-----")
    assert [read_anchor_file(path) for path in paths] == [anchor, anchor]
    assert verify_anchor(read_anchor_file(paths[0]), "test-site", KEYS) == anchor.head
    stamped = replace(anchor, time_stamp=b"\x30\x00")
    assert anchors.deliver(stamped) == paths
    assert [read_anchor_file(path) for path in paths] == [stamped, stamped]
    assert sorted(path.name for path in elsewhere.iterdir()) == [name]


def test_a_folder_away_keeps_no_other_from_its_file(empty_centre: Centre, tmp_path: Path) -> None:
    elsewhere = tmp_path / "elsewhere"
    elsewhere.mkdir()
    anchors = anchors_of(empty_centre, tmp_path / "away", elsewhere)
    anchor = anchors.make(KEY)
    refused(Unavailable, "audit.anchor.folder", lambda: anchors.deliver(anchor))
    assert (elsewhere / anchor.file_name).exists()
    (tmp_path / "away").mkdir()
    anchors.deliver(anchor)
    assert read_anchor_file(tmp_path / "away" / anchor.file_name) == anchor


def test_another_anchor_under_the_name_stays(empty_centre: Centre) -> None:
    anchors = anchors_of(empty_centre)
    anchor = anchors.make(KEY)
    (path,) = anchors.deliver(anchor)
    octets = forged(anchor, hash="1" * 64).file_octets()
    path.write_bytes(octets)
    refused(Conflict, "audit.anchor.file", lambda: anchors.deliver(anchor))
    assert path.read_bytes() == octets


def test_what_an_anchor_must_be(empty_centre: Centre) -> None:
    anchor = anchors_of(empty_centre).make(KEY)
    seq, other = anchor.content.seq, p256()
    faults: list[tuple[str, Anchor]] = [
        ("site", forged(anchor, site_id="other-site")),
        ("signature", replace(anchor, signature=sign(other, anchor.body, "SHA-256"))),
        ("signature", replace(anchor, signature=b"")),
        ("signature", replace(forged(anchor, hash="1" * 64), signature=anchor.signature)),
        ("key", forged(anchor, other, key=key_id(public_der(other)))),
        ("count", forged(anchor, count=seq + 1)),
        ("count", forged(anchor, seq=0, count=0)),
    ]
    for what, one in faults:
        refused(Refused, f"audit.anchor.{what}", partial(verify_anchor, one, "test-site", KEYS))
    wrong = {anchor.content.key: public_der(other)}
    refused(Refused, "audit.anchor.key", lambda: verify_anchor(anchor, "test-site", wrong))
    refused(Refused, "audit.anchor.site", lambda: verify_site(anchor, "other-site"))
    verify_site(anchor, "test-site")


def test_files_that_are_no_anchors(empty_centre: Centre, tmp_path: Path) -> None:
    anchor = anchors_of(empty_centre).make(KEY)
    tree = json.loads(anchor.file_octets())
    other = forged(anchor, site_id="../../etc/passwd")
    spaced = anchor.body.decode().replace(":", ": ")
    faults: list[bytes] = [
        b"",
        b"\xff",
        b"null",
        b"[" * 60_000,
        b" " * (64 * 1024 + 1),
        anchor.file_octets()[:-20],
        json.dumps(tree | {"more": 1}).encode(),
        json.dumps(tree | {"signature": "xyz"}).encode(),
        json.dumps(tree | {"time_stamp": "!"}).encode(),
        json.dumps(tree | {"public_key": "none"}).encode(),
        json.dumps(tree | {"body": "{}"}).encode(),
        json.dumps(tree | {"body": spaced}).encode(),
        json.dumps(tree | {"body": "\ud800"}).encode(),
        json.dumps(tree | {"body": other.body.decode()}).encode(),
        json.dumps(tree | {"body": forged(anchor, key="0" * 32).body.decode()}).encode(),
        json.dumps(tree | {"body": forged(anchor, hash="0").body.decode()}).encode(),
        json.dumps(tree | {"body": forged(anchor, at="x").body.decode()}).encode(),
        json.dumps(tree | {"body": forged(anchor, seq="1").body.decode()}).encode(),
    ]
    path = tmp_path / "anchor.json"
    for octets in faults:
        path.write_bytes(octets)
        refused(InvalidInput, "audit.anchor.form", lambda: read_anchor_file(path))
    assert parse_anchor_file(anchor.file_octets()) == anchor
    refused(NotFound, "audit.anchor.file", lambda: read_anchor_file(tmp_path / "none"))
    refused(Unavailable, "audit.anchor.file", lambda: read_anchor_file(tmp_path))


def test_the_newest_file_is_the_sites_own(tmp_path: Path) -> None:
    assert newest_anchor_file(tmp_path / "none", "a") is None
    names = ("a-000000000009.json", "a-000000000010.json", "ab-000000000011.json")
    for name in (*names, "a-b-000000000012.json", "a-99.json", ".a-000000000013.json"):
        (tmp_path / name).touch()
    assert newest_anchor_file(tmp_path, "a") == tmp_path / "a-000000000010.json"
    assert newest_anchor_file(tmp_path, "c") is None


@pytest.mark.parametrize(
    ("passed", "days", "due"),
    [
        (timedelta(hours=23, minutes=59), 1.5, False),
        (timedelta(days=1), 1.5, True),
        (timedelta(hours=13), 0.5, True),
        (timedelta(seconds=-30), 1.5, True),
    ],
)
def test_when_an_anchor_is_due(
    empty_centre: Centre, passed: timedelta, days: float, due: bool
) -> None:
    anchors = replace(anchors_of(empty_centre), parameters=Parameters({"ANCHOR_DAYS": days}))
    with empty_centre.store.read() as tx:
        assert anchors.is_due(tx)
    anchors.make(KEY)
    empty_centre.now += passed
    with empty_centre.store.read() as tx:
        assert anchors.is_due(tx) is due


FORBIDDEN = [
    "UPDATE anchor SET body = 'x'",
    "UPDATE anchor SET signature = 'x'",
    "UPDATE anchor SET seq = 1",
    "UPDATE anchor SET public_key = time_stamp",
    "UPDATE anchor SET time_stamp = NULL",
    "UPDATE anchor SET body = 'x', time_stamp = public_key",
    "DELETE FROM anchor",
]
STAMP = "UPDATE anchor SET time_stamp = public_key"


def test_the_database_itself_keeps_anchors(empty_centre: Centre) -> None:
    engine = empty_centre.store.engine
    anchors = anchors_of(empty_centre)
    anchors.make(KEY)
    only = (
        ["INSERT OR REPLACE INTO anchor SELECT seq, 'x', signature, public_key, NULL FROM anchor"]
        if engine.dialect.name == "sqlite"
        else ["TRUNCATE anchor"]
    )

    def all_refused(statements: list[str]) -> None:
        for statement in statements:
            with pytest.raises(Exception, match="append-only"), engine.begin() as connection:
                connection.execute(text(statement))

    all_refused([*FORBIDDEN, *only])
    anchors.verify_all(KEYS)
    with engine.begin() as connection:
        connection.execute(text(STAMP))
    all_refused([*FORBIDDEN, *only, STAMP])
    anchors.verify_all(KEYS)


def unguarded(centre: Centre, *statements: str) -> None:
    with centre.store.engine.begin() as connection:
        if connection.dialect.name == "sqlite":
            found = connection.execute(text("SELECT name FROM sqlite_master WHERE type='trigger'"))
            for (name,) in found.all():
                connection.execute(text(f"DROP TRIGGER {name}"))
        else:
            for table in ("anchor", "trail_entry"):
                connection.execute(text(f"ALTER TABLE {table} DISABLE TRIGGER ALL"))
        for statement in statements:
            connection.execute(text(statement))


def test_an_anchor_taken_from_the_middle_is_missed(empty_centre: Centre) -> None:
    anchors = anchors_of(empty_centre)
    made = [anchors.make(KEY) for _ in range(3)]
    unguarded(empty_centre, f"DELETE FROM anchor WHERE seq = {made[1].content.seq}")
    refusal = refused(Refused, "audit.anchor.previous", lambda: anchors.verify_all(KEYS))
    assert f"entry {made[2].content.seq} " in refusal.text


@pytest.mark.parametrize("signature", ["xyz", "00", ""])
def test_a_row_with_another_signature_is_found(empty_centre: Centre, signature: str) -> None:
    anchors = anchors_of(empty_centre)
    anchors.make(KEY)
    unguarded(empty_centre, f"UPDATE anchor SET signature = '{signature}'")
    refused(Refused, "audit.anchor.signature", lambda: anchors.verify_all(KEYS))


def test_the_quick_look_passes_what_is_whole(empty_centre: Centre) -> None:
    verify_newest(empty_centre)
    anchors = anchors_of(empty_centre)
    for _ in range(2):
        anchors.deliver(anchors.make(KEY))
        verify_newest(empty_centre)
        append(empty_centre)
    shutil.rmtree(empty_centre.folder / "anchors")
    verify_newest(empty_centre)


QuickFault = tuple[str, Callable[[Anchor], list[str]]]
QUICK_FAULTS: list[QuickFault] = [
    (
        "audit.anchor.differs",
        lambda it: [f"UPDATE trail_entry SET hash = '{'1' * 64}' WHERE seq = {it.content.seq}"],
    ),
    (
        "audit.trail.broken",
        lambda it: [
            f"DELETE FROM trail_entry WHERE seq >= {it.content.seq}",
            f"DELETE FROM anchor WHERE seq >= {it.content.seq}",
        ],
    ),
    ("audit.anchor.differs", lambda it: [f"DELETE FROM anchor WHERE seq = {it.content.seq}"]),
]


@pytest.mark.parametrize("number", range(3))
def test_a_store_behind_its_newest_anchor_is_refused(empty_centre: Centre, number: int) -> None:
    anchors = anchors_of(empty_centre)
    anchors.make(KEY)
    anchor = anchors.make(KEY)
    anchors.deliver(anchor)
    code, statements = QUICK_FAULTS[number]
    unguarded(empty_centre, *statements(anchor))
    refused(Refused, code, lambda: verify_newest(empty_centre))
    refused(Refused, code, lambda: anchors.make(KEY))


def test_the_store_alone_finds_its_entry_rewritten(empty_centre: Centre) -> None:
    anchor = anchors_of(empty_centre).make(KEY)
    unguarded(
        empty_centre,
        f"UPDATE trail_entry SET hash = '{'1' * 64}' WHERE seq = {anchor.content.seq}",
    )
    refused(Refused, "audit.anchor.differs", lambda: verify_newest(empty_centre))


def test_a_time_stamp_needs_an_authority_and_is_kept_once(empty_centre: Centre) -> None:
    anchors = anchors_of(empty_centre)
    anchor = anchors.make(KEY)
    refused(Unavailable, "audit.timestamp.none", lambda: anchors.stamp(anchor))
    stamper = type("Stamper", (), {"stamp": lambda _, octets: sha256(octets).digest()})()
    anchors = replace(anchors, stamper=stamper)
    stamped = anchors.stamp(anchor)
    assert stamped.time_stamp == sha256(anchor.body).digest()
    with empty_centre.store.read() as tx:
        assert anchors.newest(tx) == stamped
    refused(Conflict, "audit.anchor.stamped", lambda: anchors.stamp(anchor))
    file = json.loads(stamped.file_octets())
    assert base64.b64decode(file["time_stamp"]) == stamped.time_stamp
    assert parse_anchor_file(stamped.file_octets()) == stamped


def test_nothing_is_anchored_where_the_trail_cannot_be_written(empty_centre: Centre) -> None:
    anchors = anchors_of(empty_centre)
    empty_centre.pass_time(days=-1)
    refused(HpkiError, "audit.clock", lambda: anchors.make(KEY))
    with empty_centre.store.read() as tx:
        assert anchors.newest(tx) is None


def test_anchors_find_a_rewritten_trail(empty_centre: Centre) -> None:
    anchor = anchors_of(empty_centre).make(KEY)
    other = Head(anchor.head.seq, "1" * 64)
    refused(Refused, "audit.anchor.differs", lambda: empty_centre.trail.verify([other]))
    assert empty_centre.trail.verify([anchor.head]).seq == anchor.head.seq + 1
