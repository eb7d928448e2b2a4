"""What stands beside the lists: made, read by others, kept true, and never without two people."""

from __future__ import annotations

import hashlib
import json
import os
import re
import shutil
import stat
import subprocess
from dataclasses import dataclass, field, replace
from datetime import timedelta
from html.parser import HTMLParser
from pathlib import Path

import pytest
from sqlalchemy import text

from crl.publishing import FolderPublisher
from crl.repository import records
from crl.repository.contents import Contents
from crl.repository.documents import Draft
from crl.repository.records import DocumentKind, PublicDocument
from pki.errors import Conflict, InvalidInput, Refused, Unavailable
from reports.repository import repository_html
from tests import tiers
from tests.flows.conftest import Centre
from tests.flows.issuing import refused
from tests.flows.registration import entries

PDF = b"%PDF-1.7\n1 0 obj\n<<>>\nendobj\ntrailer\n<<>>\n%%EOF\n"
CAS = ("root", "auth", "sign")
LISTS = {"root": ("rarl.crl", "sarl.crl"), "auth": ("auth.crl",), "sign": ("sign.crl",)}
VOID = frozenset({"meta", "br"})


def draft(centre: Centre, **changes: object) -> Draft:
    """A practice statement that takes effect in ten days."""
    given = Draft(
        DocumentKind.CPS,
        "cps",
        "1.0",
        "認証実施規程",
        "Certification practice statement",
        centre.now + timedelta(days=10),
        PDF,
    )
    return replace(given, **changes)  # type: ignore[arg-type]


def add(centre: Centre, *signers: str, **changes: object) -> PublicDocument:
    first, second = (centre.signers[name] for name in signers or ("kanri", "toroku"))
    return centre.repository.documents.add(draft(centre, **changes), first, second)


def public(centre: Centre, name: str = "") -> Path:
    return centre.folder / "public" / name


def page(centre: Centre) -> str:
    return public(centre, "index.html").read_text("utf-8")


def sha256(path: Path) -> str:
    return hashlib.sha256(path.read_bytes()).hexdigest()


def publish(centre: Centre) -> None:
    assert centre.repository.publish() == []


def stored(centre: Centre, file_name: str = "cps-1.0.pdf") -> PublicDocument:
    with centre.store.read() as tx:
        return tx.get_one(PublicDocument, file_name)


def change(centre: Centre, statement: str) -> None:
    with centre.store.begin() as tx:
        tx.execute(text(statement))


@dataclass
class Checker(HTMLParser):
    """Wants every element closed in order; gathers texts, links, anchors and commands."""

    open: list[str] = field(default_factory=list)
    links: list[str] = field(default_factory=list)
    ids: list[str] = field(default_factory=list)
    texts: list[str] = field(default_factory=list)
    commands: list[str] = field(default_factory=list)
    elements: set[str] = field(default_factory=set)
    languages: set[str] = field(default_factory=set)

    def __post_init__(self) -> None:
        super().__init__()

    def handle_starttag(self, tag: str, attributes: list[tuple[str, str | None]]) -> None:
        self.elements.add(tag)
        found = dict(attributes)
        assert not {"src", "style", "onclick", "onload"} & set(found)
        self.languages.add(found.get("lang") or "")
        if tag == "a":
            self.links.append(found["href"] or "")
        if "id" in found:
            self.ids.append(found["id"] or "")
        if tag not in VOID:
            self.open.append(tag)

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag

    def handle_data(self, data: str) -> None:
        self.texts.append(data)
        if self.open and self.open[-1] == "pre":
            self.commands.append(data)


def checked(html: str) -> Checker:
    found = Checker()
    found.feed(html)
    found.close()
    assert found.open == []
    assert len(found.ids) == len(set(found.ids))
    return found


def test_every_file_stands_beside_the_lists(centre: Centre) -> None:
    centre.due()
    publish(centre)
    names = {f"{ca}.{end}" for ca in CAS for end in ("cer", "p7c")}
    lists = {name for found in LISTS.values() for name in found}
    assert {*names, *lists, "fingerprints.txt", "index.html"} == set(os.listdir(public(centre))) - {
        ".lock"
    }
    for name in os.listdir(public(centre)):
        mode = stat.S_IMODE(public(centre, name).stat().st_mode)
        assert mode == (0o600 if name == ".lock" else 0o644)
    (entry,) = entries(centre, "REPO.CHANGE")
    told = json.loads(entry.body)
    assert (told["object_type"], told["object_id"]) == ("repository", "public")
    assert told["detail"]["files"] == {
        name: sha256(public(centre, name)) for name in (*names, "fingerprints.txt")
    }
    with centre.store.read() as tx:
        served = records.served_files(tx)
    assert {(one.file_name, one.sha256, one.since) for one in served} == {
        (name, sha256(public(centre, name)), centre.now) for name in (*names, "fingerprints.txt")
    }


def test_nothing_is_written_again_while_nothing_changes(centre: Centre) -> None:
    centre.due()
    add(centre)
    publish(centre)
    before = {
        one.name: (one.stat().st_ino, one.stat().st_mtime_ns) for one in public(centre).iterdir()
    }
    head = centre.trail.page(0, 100_000)[-1].seq
    centre.pass_time(hours=3)
    publish(centre)
    after = {
        one.name: (one.stat().st_ino, one.stat().st_mtime_ns) for one in public(centre).iterdir()
    }
    assert after == before
    assert centre.trail.page(0, 100_000)[-1].seq == head
    centre.pass_time(hours=22)
    centre.due()
    publish(centre)
    changed = {
        one.name for one in public(centre).iterdir() if before[one.name][0] != one.stat().st_ino
    }
    assert changed == {"index.html", "auth.crl", "sign.crl"}  # the root's are due later


def test_others_read_the_certificates_as_we_do(centre: Centre, tmp_path: Path) -> None:
    openssl = tiers.require_tool("openssl", tier="interop")
    certtool = tiers.require_tool("certtool", tier="interop")
    centre.due()
    publish(centre)
    told = public(centre, "fingerprints.txt").read_text("utf-8")
    blocks = {block.partition("\n")[0]: block for block in told.split("\n\n")}

    def run(*words: object) -> str:
        done = subprocess.run(
            [*map(str, words)], capture_output=True, text=True, check=True, cwd=public(centre)
        )
        return done.stdout

    for ca in CAS:
        block = blocks[f"{ca}.cer"]
        certificate = ("x509", "-inform", "DER", "-in", f"{ca}.cer", "-noout")
        for algorithm in ("sha256", "sha1"):
            printed = run(openssl, *certificate, "-fingerprint", f"-{algorithm}")
            assert f"\n    {printed.strip().partition('=')[2]}\n" in block
        serial = run(openssl, *certificate, "-serial").strip().partition("=")[2]
        assert f"\n    {serial}\n" in block
        key = run(openssl, *certificate, "-pubkey")
        der = run(openssl, "x509", "-inform", "DER", "-in", f"{ca}.cer", "-noout", "-pubkey")
        assert key == der
        spki = subprocess.run(
            [openssl, "pkey", "-pubin", "-outform", "DER"],
            input=key.encode(),
            capture_output=True,
            check=True,
        ).stdout
        assert hashlib.sha256(spki).hexdigest().upper() in block.replace(":", "")
        wanted = ["root"] if ca == "root" else [ca, "root"]
        found = run(openssl, "pkcs7", "-inform", "DER", "-in", f"{ca}.p7c", "-print_certs")
        pem = re.findall(r"-----BEGIN.*?END CERTIFICATE-----", found, re.S)
        read = {run_der(openssl, one) for one in pem}
        assert read == {public(centre, f"{one}.cer").read_bytes() for one in wanted}
        info = run(certtool, "--p7-info", "--inder", "--infile", f"{ca}.p7c")
        assert f"Number of certificates: {len(wanted)}" in info


def run_der(openssl: str, pem: str) -> bytes:
    done = subprocess.run(
        [openssl, "x509", "-outform", "DER"], input=pem.encode(), capture_output=True, check=True
    )
    return done.stdout


def test_the_page_tells_the_truth_in_two_languages(centre: Centre) -> None:
    centre.due()
    add(centre)
    publish(centre)
    html = page(centre)
    found = checked(html)
    assert {"ja", "en"} <= found.languages
    assert not {"script", "img", "link", "iframe", "object", "form"} & found.elements
    assert "http" not in "".join(found.links)
    shown = "".join(found.texts)
    for word in (
        "リポジトリ",
        "Repository",
        "失効リスト",
        "Revocation list",
        "確かめ方",
        "How to verify",
    ):
        assert word in shown
    assert "訓練" in shown
    assert "TRAINING" in shown
    files = [name for name in found.links if not name.startswith("#")]
    assert set(files) == set(os.listdir(public(centre))) - {".lock", "index.html"}
    assert {link[1:] for link in found.links if link.startswith("#")} <= set(found.ids)
    for name in files:
        if name != "fingerprints.txt":
            assert sha256(public(centre, name)) in shown
            size = public(centre, name).stat().st_size
            assert f"{size:,} octets" in shown.replace("\n", "")
    assert "2026-11-21 12:00:00 JST (2026-11-21T03:00:00Z)" in shown
    assert "2026-11-25 12:00:00 JST (2026-11-25T03:00:00Z)" in shown
    assert 'class="bad"' not in html


def test_the_commands_on_the_page_do_what_it_says(centre: Centre, tmp_path: Path) -> None:
    tiers.require_tool("openssl", tier="interop")
    centre.due()
    publish(centre)
    shutil.copytree(public(centre), tmp_path / "copy")
    found = checked(page(centre))
    said = ""
    assert len(found.commands) == 3
    for command in found.commands:
        done = subprocess.run(
            ["sh", "-e"],
            input=command,
            cwd=tmp_path / "copy",
            capture_output=True,
            text=True,
            check=True,
        )
        said += done.stdout + done.stderr
    assert "verify OK" in said
    fingerprint = re.search(r"Fingerprint=(\S+)", said)
    assert fingerprint is not None
    assert fingerprint[1] in public(centre, "fingerprints.txt").read_text("utf-8")


def test_the_page_of_a_production_site_has_no_banner(centre: Centre) -> None:
    made = repository_html(Contents((), (), None), "production", "Centre").decode()
    shown = "".join(checked(made).texts)
    assert "訓練" not in shown
    assert "TRAINING" not in shown
    assert "No document has been published yet." in shown
    assert "失効リストはまだありません" in shown


@pytest.mark.parametrize(
    ("state", "word"),
    [
        ("expired", "EXPIRED"),
        ("missing", "MISSING"),
        ("foreign", "UNSOUND"),
        ("rubbish", "UNSOUND"),
        ("early", "EARLY"),
    ],
)
def test_a_list_that_may_not_be_used_is_said(centre: Centre, state: str, word: str) -> None:
    centre.due()
    publish(centre)
    if state == "expired":
        centre.pass_time(hours=97)
    elif state == "missing":
        public(centre, "sign.crl").unlink()
    elif state == "foreign":
        shutil.copyfile(public(centre, "auth.crl"), public(centre, "sign.crl"))
    elif state == "rubbish":
        public(centre, "sign.crl").write_bytes(b"0\x80 none")
    else:
        centre.pass_time(minutes=-10)
    publish(centre)
    html = page(centre)
    section = html[html.index('id="ca-sign"') : html.index('id="fingerprints"')]
    assert re.search(r'class="bad">[^<]+<span class="en" lang="en">' + word, section)
    told = re.findall(r"missing on this server, or may not be used: ([^<]*)<", html)
    assert len(told) == 1
    assert ("sign.crl" in told[0], "rarl.crl" in told[0]) == (True, state in ("expired", "early"))
    checked(html)


def test_a_list_of_ours_that_the_store_lost_is_counted(centre: Centre) -> None:
    centre.due()
    publish(centre)
    before = page(centre)
    with centre.store.begin() as tx:
        tx.execute(text("UPDATE revocation_list SET sha256 = NULL, entries = 77"))
    publish(centre)
    assert page(centre) == before


def test_each_target_has_a_page_of_its_own(centre: Centre) -> None:
    mirror = FolderPublisher("mirror", centre.folder / "mirror")
    down = FolderPublisher("down", centre.folder / "down" / "public")
    (centre.folder / "down").write_bytes(b"a file where a folder should be")
    centre.publish_to(down, centre.public)
    centre.rhythm.due("SYSTEM")
    centre.publish_to(down, centre.public, mirror)
    row = add(centre)
    (failure,) = centre.repository.publish()
    assert isinstance(failure, Unavailable)
    assert "down" in failure.text
    ours, theirs = page(centre), (mirror.folder / "index.html").read_text("utf-8")
    assert "MISSING" not in ours
    assert theirs.count("MISSING") == 4
    assert sha256(mirror.folder / row.file_name) == row.sha256
    assert stored(centre).published_at is None
    (centre.folder / "down").unlink()
    centre.pass_time(minutes=5)
    publish(centre)
    assert stored(centre).published_at == centre.now


def test_another_certificate_is_never_replaced(centre: Centre) -> None:
    centre.due()
    publish(centre)
    other = public(centre, "sign.cer").read_bytes()
    public(centre, "root.cer").write_bytes(other)
    public(centre, "auth.p7c").write_bytes(b"torn")
    public(centre, "auth.cer").write_bytes(b"torn")
    (failure,) = centre.repository.publish()
    assert failure.code == "crl.certificate.differs"
    assert public(centre, "root.cer").read_bytes() == other
    assert len(public(centre, "auth.cer").read_bytes()) > 500
    assert len(public(centre, "auth.p7c").read_bytes()) > 500
    html = page(centre)
    root = html[html.index('id="ca-root"') : html.index('id="ca-auth"')]
    assert "MISSING" in root
    assert 'href="root.cer"' not in root


def test_a_changed_ca_stops_everything(centre: Centre) -> None:
    centre.due()
    publish(centre)
    before = page(centre)
    change(centre, "UPDATE issuer SET cps_uri = 'http://elsewhere.test/' WHERE id = 'sign'")
    (failure,) = centre.repository.publish()
    assert failure.code == "ca.issuer.changed"
    assert page(centre) == before


def test_a_document_is_released_by_two_and_served_for_ever(centre: Centre) -> None:
    centre.due()
    row = add(centre)
    assert (row.file_name, row.sha256) == ("cps-1.0.pdf", hashlib.sha256(PDF).hexdigest())
    kept = centre.folder / "repository" / row.file_name
    assert stat.S_IMODE(kept.stat().st_mode) == 0o600
    assert stat.S_IMODE(kept.parent.stat().st_mode) == 0o700
    assert stored(centre).published_at is None
    centre.pass_time(minutes=1)
    publish(centre)
    assert stored(centre).published_at == centre.now
    assert stored(centre).published_at < stored(centre).effective_at  # type: ignore[operator]
    told = json.loads(entries(centre, "DOC.PUBLISH")[-1].body)
    assert (told["actor_id"], told["co_actor_id"]) == ("kanri", "toroku")
    assert told["detail"]["sha256"] == row.sha256
    assert len(told["detail"]["signed"]) == 2
    assert "施行前" in page(centre)
    centre.pass_time(days=11)
    publish(centre)
    assert "施行中" in page(centre)
    second = add(centre, version="1.1", octets="第2版\r\n".encode())
    assert second.file_name == "cps-1.1.txt"
    assert stored(centre).superseded_at == second.effective_at
    publish(centre)
    assert "施行中" in page(centre)
    assert "旧版" not in page(centre)
    centre.pass_time(days=11)
    publish(centre)
    html = page(centre)
    assert html.index("cps-1.1.txt") < html.index("cps-1.0.pdf")
    assert 'class="old">認証実施規程 1.0' in html
    assert public(centre, "cps-1.0.pdf").read_bytes() == PDF


def test_documents_of_other_names_and_notices_stand_side_by_side(centre: Centre) -> None:
    now = centre.now
    for name in ("cp-sign", "cp-auth"):
        add(centre, kind=DocumentKind.CP, name=name, effective_at=now)
    for version in ("2026.12.1", "2026.12.2"):
        add(centre, kind=DocumentKind.NOTICE, name="notice", version=version, effective_at=now)
    publish(centre)
    with centre.store.read() as tx:
        rows = records.documents(tx)
    assert [row.name for row in rows] == ["cp-auth", "cp-sign", "notice", "notice"]
    assert [row.superseded_at for row in rows] == [None] * 4
    assert page(centre).count("施行中") == 4


@pytest.mark.parametrize(
    ("code", "signers"),
    [
        ("crl.document.alone", ("kanri", "kanri")),
        ("crl.document.role", ("toroku", "tachiai")),
        ("operators.role.missing", ("kanri", "shonin")),
        ("operators.role.missing", ("uketsuke", "kanri")),
    ],
)
def test_one_manager_is_not_enough(centre: Centre, code: str, signers: tuple[str, str]) -> None:
    refused(Refused, code, lambda: add(centre, *signers))
    with centre.store.read() as tx:
        assert records.documents(tx) == []
    assert not (centre.folder / "repository").exists()


def test_what_no_document_may_be(centre: Centre) -> None:
    add(centre)
    later = centre.now + timedelta(days=20)
    for kind, code, changes in (
        (Conflict, "crl.document.exists", {"effective_at": later}),
        (Refused, "crl.document.order", {"version": "1.1"}),
        (Refused, "crl.document.kind", {"version": "1.1", "kind": DocumentKind.CP}),
        (InvalidInput, "crl.document.words", {"version": "1/../../x"}),
        (InvalidInput, "crl.document.words", {"version": "v1"}),
        (InvalidInput, "crl.document.words", {"name": "../cps"}),
        (InvalidInput, "crl.document.words", {"name": "c" * 33}),
        (InvalidInput, "crl.document.words", {"title_ja": " "}),
        (InvalidInput, "crl.document.words", {"title_en": "a\u202eb"}),
        (InvalidInput, "crl.document.words", {"title_en": "a" * 201}),
        (InvalidInput, "crl.document.form", {"octets": b""}),
        (InvalidInput, "crl.document.form", {"octets": b"\xff\xd8\xff"}),
        (InvalidInput, "crl.document.form", {"octets": b"%PDF-1.7 cut off"}),
        (InvalidInput, "crl.document.form", {"octets": b"\x1b[2J"}),
        (InvalidInput, "crl.document.size", {"octets": PDF + b" " * 20 * 1024 * 1024}),
    ):
        refused(kind, code, lambda changes=changes: add(centre, **changes))  # type: ignore[misc]
    with centre.store.read() as tx:
        assert len(records.documents(tx)) == 1
    assert os.listdir(centre.folder / "repository") == ["cps-1.0.pdf"]


def test_a_changed_file_is_not_published(centre: Centre) -> None:
    centre.due()
    row = add(centre)
    kept = centre.folder / "repository" / row.file_name
    kept.write_bytes(PDF.replace(b"1.7", b"1.4"))
    (failure,) = centre.repository.publish()
    assert failure.code == "crl.document.changed"
    assert not public(centre, row.file_name).exists()
    kept.unlink()
    (failure,) = centre.repository.publish()
    assert failure.code == "crl.document.read"
    kept.write_bytes(PDF)
    publish(centre)
    public(centre, row.file_name).write_bytes(b"%PDF-1.7 another %%EOF")
    publish(centre)
    assert public(centre, row.file_name).read_bytes() == PDF


@pytest.mark.parametrize(
    "column",
    [
        "sha256 = '" + hashlib.sha256(PDF + b"\n").hexdigest() + "'",
        "title_en = 'Another'",
        "effective_at = '2026-11-22 00:00:00'",
        "kind = 'NOTICE'",
        "superseded_at = '2026-11-22 00:00:00'",
        "statements = '[]'",
        "statements = 'x'",
    ],
)
def test_a_row_that_nobody_signed_is_not_published(centre: Centre, column: str) -> None:
    centre.due()
    add(centre)
    with (centre.folder / "repository" / "cps-1.0.pdf").open("ab") as file:
        file.write(b"\n")
    change(centre, f"UPDATE public_document SET {column}")
    failures = centre.repository.publish()
    assert [one.code for one in failures] == ["crl.document.unreleased"]
    assert "cps" not in page(centre)
    assert not public(centre, "cps-1.0.pdf").exists()
    assert stored(centre).published_at is None


def test_two_statements_of_one_person_are_one(centre: Centre) -> None:
    add(centre)
    ids = json.loads(stored(centre).statements)
    change(centre, f"UPDATE public_document SET statements = '{json.dumps([ids[0]] * 2)}'")
    (failure,) = centre.repository.publish()
    assert failure.code == "crl.document.unreleased"
    change(centre, f"UPDATE public_document SET statements = '{json.dumps([*ids, ids[1]])}'")
    (failure,) = centre.repository.publish()
    assert failure.code == "crl.document.unreleased"


def test_titles_are_words_and_no_markup(centre: Centre) -> None:
    centre.due()
    add(centre, title_ja="<script>alert(1)</script>", title_en='"><img src=x onerror=y>&amp;')
    publish(centre)
    found = checked(page(centre))
    assert not {"script", "img"} & found.elements
    assert "<script>alert(1)</script>" in "".join(found.texts)
    assert '"><img src=x onerror=y>&amp;' in "".join(found.texts)


def test_a_disk_that_takes_no_file_releases_nothing(centre: Centre) -> None:
    (centre.folder / "repository").write_bytes(b"no folder")
    refused(Unavailable, "crl.document.write", lambda: add(centre))
    with centre.store.read() as tx:
        assert records.documents(tx) == []
    assert entries(centre, "DOC.PUBLISH") == []
