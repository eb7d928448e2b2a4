"""OpenSSL verifies exported statements, anchors and manifests, and refuses changed ones."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import pytest

from operators.evidence.export import Exports
from operators.evidence.store import every_statement
from pki.errors import NotFound
from store.database import Store
from tests.flows.conftest import Centre
from tests.flows.issuing import issue, refused
from tests.flows.test_evidence import anchors
from tests.interop.test_openssl import run

pytestmark = pytest.mark.xdist_group("interop")


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Centre]:
    folder = tmp_path_factory.mktemp("statements")
    centre = Centre(Store(f"sqlite:///{folder / 'store.sqlite'}"), folder)
    centre.set_up()
    centre.hold_ceremony()
    issue(centre)
    anchors(centre).make(centre.anchor_key)
    yield centre
    centre.store.close()


def ids(centre: Centre) -> list[str]:
    with centre.store.read() as tx:
        return [row.id for row in every_statement(tx)]


def verdict(key: Path, signature: Path, octets: Path) -> tuple[bool, str]:
    done = run("openssl", "dgst", "-sha256", "-verify", key, "-signature", signature, octets)
    return done.returncode == 0, done.stdout.strip()


def spoiled(path: Path, place: int) -> Path:
    octets = bytearray(path.read_bytes())
    octets[place] ^= 1
    other = path.with_name(f"spoiled-{path.name}")
    other.write_bytes(octets)
    return other


def test_openssl_verifies_every_statement(site: Centre, tmp_path: Path) -> None:
    exports = Exports(site.directory, anchors(site))
    signer = site.signers["kiroku"]
    found = ids(site)
    assert len(found) >= 8
    for name in found:
        folder = tmp_path / name
        exports.statement(name, folder, signer)
        body, signature, key = (folder / one for one in ("body.json", "signature.der", "key.pem"))
        assert verdict(key, signature, body) == (True, "Verified OK"), name
        assert not verdict(key, signature, spoiled(body, -2))[0]
        assert not verdict(key, spoiled(signature, -1), body)[0]
    last = site.trail.page(0, 10000)[-1]
    assert (last.code, last.object_id) == ("LOG.EXPORT", found[-1])
    refused(
        NotFound,
        "operators.statement.unknown",
        lambda: exports.statement("none", tmp_path / "none", signer),
    )


def test_openssl_verifies_a_whole_export_by_hand(site: Centre, tmp_path: Path) -> None:
    """What README.txt tells an outsider to do."""
    folder = tmp_path / "export"
    Exports(site.directory, anchors(site)).export(folder, site.signers["kiroku"], site.anchor_key)
    body, signature = tmp_path / "body", tmp_path / "signature"
    for line in (folder / "statements.jsonl").read_bytes().splitlines():
        tree = json.loads(line)
        body.write_text(tree["body"], encoding="utf-8")
        signature.write_bytes(bytes.fromhex(tree["signature"]))
        key = folder / "keys" / f"{json.loads(tree['body'])['credential']}.pem"
        assert verdict(key, signature, body)[0]
    (line,) = (folder / "anchors.jsonl").read_bytes().splitlines()
    tree = json.loads(line)
    body.write_text(tree["body"], encoding="utf-8")
    signature.write_bytes(bytes.fromhex(tree["signature"]))
    key = folder / "keys" / f"{json.loads(tree['body'])['key']}.pem"
    assert verdict(key, signature, body)[0]
    assert verdict(key, folder / "manifest.sig", folder / "manifest.json")[0]
    assert not verdict(key, folder / "manifest.sig", folder / "README.txt")[0]
