"""``hpki repository`` at the terminal: a document released, listed, published, and served."""

from __future__ import annotations

from pathlib import Path

from cli.words import HEADINGS
from tests.cli.terminal import Terminal

PDF = b"%PDF-1.7\n1 0 obj\n<<>>\nendobj\ntrailer\n<<>>\n%%EOF\n"
TITLES = ("--title-ja", "認証実施規程", "--title-en", "Certification practice statement")
CPS = ("--kind", "CPS", *TITLES)
TWO = ("--operator", "sakurai", "--second", "tani", "--yes")


def test_a_document_from_the_file_to_the_page(own_centre: Terminal, tmp_path: Path) -> None:
    file = tmp_path / "規程.pdf"
    file.write_bytes(PDF)
    public = own_centre.site / "public"
    assert "No document has been published yet" in (public / "index.html").read_text("utf-8")
    assert own_centre.run("repository", "list", "--json").json == []
    first = ("repository", "add", file, *CPS, "--version", "1.0", "--effective", "2099-12-01")
    (row,) = own_centre.run(*first, *TWO, "--json").json
    assert set(row) <= set(HEADINGS)
    assert (row["file"], row["state"]) == ("cps-1.0.pdf", "COMING")
    assert row["effective_at"] == "2099-11-30T15:00:00Z"
    assert row["published_at"] >= row["approved_at"]
    assert (public / "cps-1.0.pdf").read_bytes() == PDF
    assert row["sha256"] in (public / "index.html").read_text("utf-8")
    own_centre.refused("crl.document.exists", 5, *first, *TWO)
    file.write_text("第2版\n", "utf-8")
    second = ("repository", "add", file, *CPS, "--version", "1.1", "--effective", "2099-12-02")
    said = own_centre.run(*second, *TWO)
    assert "cps-1.1.txt" in said.out
    listed = own_centre.run("--lang", "ja", "repository", "list").out.splitlines()
    assert listed[0].split() == ["ファイル", "種類", "版", "題名", "施行日", "状態", "公開日時"]
    assert [line.split()[0] for line in listed[1:]] == ["cps-1.1.txt", "cps-1.0.pdf"]
    (public / "cps-1.0.pdf").unlink()
    served = own_centre.run("repository", "publish", "--json").json
    assert {"target", "file", "sha256", "since"} == set(served[0])
    assert row["sha256"] in [one["sha256"] for one in served]
    assert (public / "cps-1.0.pdf").read_bytes() == PDF
    own_centre.run("audit", "verify")


def test_a_document_that_was_due_earlier_is_said(own_centre: Terminal, tmp_path: Path) -> None:
    file = tmp_path / "cp.txt"
    file.write_text("証明書ポリシ\n", "utf-8")
    words = ("repository", "add", file, "--kind", "CP", "--name", "cp-sign", "--version", "1.0")
    said = own_centre.run(*words, *TITLES, "--effective", "2020-01-01", *TWO)
    assert "after the time from which it is to be in force" in said.err


def test_what_is_refused(own_centre: Terminal, tmp_path: Path) -> None:
    file = tmp_path / "cps.pdf"
    file.write_bytes(PDF)
    head = own_centre.head()
    cps = ("repository", "add", file, *CPS, "--version", "1.0", "--effective", "2099-12-01")
    alone = ("--operator", "sakurai", "--second", "sakurai", "--yes")
    own_centre.refused("crl.document.alone", 3, *cps, *alone)
    own_centre.refused("cli.confirm", 3, *cps, *TWO[:4])
    other = ("--operator", "sakurai", "--second", "aoki", "--yes")
    own_centre.refused("operators.role.missing", 3, *cps, *other)
    kind = ("repository", "add", file, "--kind", "POEM", *TITLES, "--version", "1.0")
    own_centre.refused("cli.document.kind", 2, *kind, "--effective", "2099-12-01", *TWO)
    day = ("repository", "add", file, *CPS, "--version", "1.0", "--effective", "tomorrow")
    own_centre.refused("cli.day", 2, *day, *TWO)
    picture = tmp_path / "cps.png"
    picture.write_bytes(b"\x89PNG\r\n\x1a\n")
    form = ("repository", "add", picture, *cps[3:])
    own_centre.refused("crl.document.form", 2, *form, *TWO)
    assert own_centre.head() == head
    assert not (own_centre.site / "repository").exists()


def test_a_changed_file_is_said_and_holds_up_nothing(own_centre: Terminal, tmp_path: Path) -> None:
    file = tmp_path / "cps.pdf"
    file.write_bytes(PDF)
    cps = ("repository", "add", file, *CPS, "--version", "1.0", "--effective", "2099-12-01")
    own_centre.run(*cps, *TWO)
    (own_centre.site / "repository" / "cps-1.0.pdf").write_bytes(b"another")
    (own_centre.site / "public" / "root.p7c").unlink()
    said = own_centre.run("repository", "publish", status=3)
    assert "error crl.document.changed" in said.err
    assert (own_centre.site / "public" / "root.p7c").exists()
    assert (own_centre.site / "public" / "cps-1.0.pdf").read_bytes() == PDF
