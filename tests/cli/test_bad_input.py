"""What a person can get wrong: one line, one hint, the right exit status, nothing half-written."""

from __future__ import annotations

import contextlib
import os
import shutil
import sqlite3
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests import tiers
from tests.cli.conftest import CEREMONY, LICENCE, PEOPLE, Story, application_rows
from tests.cli.terminal import HPKI, Terminal, error_line

pytestmark = pytest.mark.xdist_group("bad_input")  # its site is made once

RECEPTION = ("--operator", "aoki")
ISSUING = ("--operator", "fujita")
DEATH = ("--ground", "R01_DEATH", "--requester", "heir", "--evidence", "notice")
OFFICERS = ("--operator", "ishii", "--executor", "fujita")
MEGABYTE = 1024 * 1024

TYPED = {"HPKI_SECRETS__CA_KEYS__PROMPT": "true"}


def test_every_kind_of_wrong_argument(centre: Terminal, tmp_path: Path) -> None:
    nothing = tmp_path / "nothing"
    csr = ("--csr", nothing, "--purpose", "SIGN", *ISSUING)
    cases: list[tuple[str, int, tuple[object, ...]]] = [
        ("cli.usage", 2, ("ra", "import", nothing)),
        ("cli.usage", 2, ("ra", "impord", nothing)),
        ("cli.usage", 2, ("ra", "list", "--al")),
        ("cli.usage", 2, ("audit", "show", "--limit", "0")),
        ("cli.usage", 2, ("report", "prefectures", "--lang", "de")),
        ("cli.usage", 2, ("--lang", "de", "ra", "list")),
        ("cli.file.none", 4, ("ra", "import", nothing, *RECEPTION)),
        ("cli.file.folder", 2, ("ra", "import", tmp_path, *RECEPTION)),
        ("operators.unknown", 4, ("ra", "examine", "T2026-0001", "--operator", "nobody")),
        ("operators.role.missing", 3, ("crl", "issue", "--operator", "hara")),
        ("cli.carrier", 2, ("ra", "examine", "T2026-0001", "--carrier", "USB", *RECEPTION)),
        ("reports.as_of", 2, ("report", "prefectures", "--as-of", "9999-12-31")),
        ("reports.as_of", 2, ("report", "prefectures", "--as-of", "0001-01-01")),
        ("reports.as_of", 2, ("report", "prefectures", "--as-of", "yesterday")),
        ("reports.as_of", 2, ("report", "prefectures", "--as-of", "2016-02-30")),
        ("reports.as_of", 2, ("report", "prefectures", "--as-of", "2026-11-22T10:00:00")),
        ("reports.as_of", 2, ("report", "monthly", "--month", "2999-12")),
        ("reports.format", 2, ("report", "prefectures", "--format", "html,docx")),
        ("reports.month", 2, ("report", "monthly", "--month", "2026-13")),
        ("cli.usage", 2, ("audit", "show", "--after", "99999999999999999999")),
        ("ca.issuer.unknown", 4, ("crl", "show", "x" * 300)),
        ("operators.unknown", 4, ("ra", "examine", "T2026-0001", "--operator", "../secrets/x")),
        ("operators.unknown", 4, ("crl", "issue", "--operator", "nobody")),
        ("operators.signatures", 3, ("operator", "add", "x1", "--full-name", "x",
                                     "--role", "AUDITOR", *RECEPTION)),
        ("operators.role.conflict", 3, ("operator", "add", "x1", "--full-name", "x", "--role",
                                        "AUDITOR", "--role", "HELPDESK", "--operator",
                                        "sakurai")),
        ("operators.exists", 5, ("operator", "add", "aoki", "--full-name", "x", "--role",
                                 "AUDITOR", "--operator", "sakurai")),
        ("cli.role", 2, ("operator", "add", "x1", "--full-name", "x", "--role", "KING",
                         "--operator", "sakurai")),
        ("cli.refs", 2, ("ra", "examine", *RECEPTION)),
        ("cli.pair", 2, ("ra", "examine", "T2026-0001", "--fail", "NAME", *RECEPTION)),
        ("cli.state", 2, ("ra", "list", "--state", "lost")),
        ("ra.application.unknown", 4, ("ra", "show", "T1", *RECEPTION)),
        ("cli.orders", 2, ("card", "personalize", *ISSUING)),
        ("cli.vpcd", 2, ("card", "virtual", nothing, "--vpcd", "reader")),
        ("card.vpcd", 6, ("card", "virtual", nothing, "--vpcd", "127.0.0.1:1", "--new")),
        ("card.unknown", 4, ("card", "show", "00")),
        ("cli.cert.unknown", 4, ("cert", "show", "0123")),
        ("ca.issuer.unknown", 4, ("cert", "list", "--ca", "x")),
        ("ca.issuer.unknown", 4, ("crl", "publish", "x")),
        ("ca.issuer.unknown", 4, ("crl", "issue", "x")),
        ("ca.issuer.unknown", 4, ("crl", "show", "x")),
        ("cli.file.none", 4, ("cert", "issue", "T2026-0003.1", *csr)),
        ("cli.purpose", 2, ("cert", "issue", "T2026-0003.1", "--csr", nothing, "--purpose", "X",
                            *ISSUING)),
        ("policies.ground.unknown", 2, ("revoke", "T2026-0001", "--ground", "BORED",
                                        *DEATH[2:], *OFFICERS)),
        ("ra.revoke.target", 4, ("revoke", "T9", *DEATH, *OFFICERS)),
        ("cli.revoke.twice", 2, ("revoke", "T2026-0001", "T2026-0001", *DEATH, *OFFICERS)),
        ("cli.revoke.emergency", 2, ("revoke", "T2026-0001", "--emergency", *DEATH, *OFFICERS)),
    ]  # fmt: skip
    for code, status, arguments in cases:
        centre.refused(code, status, *arguments)


def test_a_reader_without_the_service_of_readers(centre: Terminal, tmp_path: Path) -> None:
    nowhere = {"PCSCLITE_CSOCK_NAME": str(tmp_path / "pcscd.comm")}
    made = ("card", "personalize", "T2026-0001.1", "--reader", "usb", *ISSUING)
    for arguments in (made, ("card", "readers", "--json")):
        centre.refused("card.reader.gone", 6, *arguments, variables=nowhere)


def test_serials_that_are_none(centre: Terminal) -> None:
    error_line(centre.run("cert", "show", "xyz", status=2).err, "pki.serial")


def test_a_list_that_cannot_be_read_changes_nothing(centre: Terminal, tmp_path: Path) -> None:
    header, row = application_rows(1).splitlines()
    files = {
        "ra.import.empty": b"",
        "ra.import.unknown_column": f"{header},shoe_size\n{row},42\n".encode(),
        "ra.import.missing_column": header.partition(",")[2].encode() + b"\n1\n",
        "ra.import.not_utf8": f"{header}\n{row}\n".lstrip("\ufeff").encode("cp932"),
        "ra.import.nul": b"\0" * 100,
        "ra.import.csv": f'{header}\n"{row}\n'.encode(),
    }
    for code, octets in files.items():
        path = tmp_path / f"{code}.csv"
        path.write_bytes(octets)
        rejects = tmp_path / "rejects.csv"
        centre.refused(code, 2, "ra", "import", path, *RECEPTION, "--rejects", rejects)
        assert not rejects.exists()


def test_a_huge_file_is_refused_before_it_is_read(centre: Terminal, tmp_path: Path) -> None:
    huge = tmp_path / "huge.csv"
    with huge.open("wb") as file:
        file.truncate(200 * MEGABYTE)
    began = time.monotonic()
    centre.refused("ra.import.too_large", 2, "ra", "import", huge, *RECEPTION)
    centre.refused("pki.csr.size", 2, "cert", "issue", "T2026-0003.1", "--csr", huge, "--purpose",
                   "SIGN", *ISSUING)  # fmt: skip
    centre.refused("ca.ceremony.file", 2, "ca", "ceremony", huge, *PEOPLE, "--yes")
    centre.refused("ra.import.too_large", 2, "ra", "import", "/dev/zero", *RECEPTION)
    assert time.monotonic() - began < 30


def test_a_list_may_come_through_a_pipe(own_centre: Terminal) -> None:
    done = subprocess.run(
        [HPKI, "ra", "import", "/dev/stdin", *RECEPTION],
        env=own_centre.environment(),
        input=application_rows(5).encode(),
        capture_output=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    assert b"0 accepted, 5 already" in done.stderr


def test_a_list_of_bad_rows_alone_is_no_error(own_centre: Terminal, tmp_path: Path) -> None:
    bad = tmp_path / "bad.csv"
    header, row = application_rows(1).splitlines()
    bad.write_text(f"{header}\n{row.replace('1981-02-10', '1981-02-30')}\n", "utf-8")
    done = own_centre.run("ra", "import", bad, *RECEPTION, "--json")
    assert [line["outcome"] for line in done.json] == ["REJECTED"]
    assert "0 accepted, 0 already, 1 rejected" in done.err
    rejects = tmp_path / "rejects.csv"
    own_centre.run("ra", "import", bad, *RECEPTION, "--rejects", rejects)
    error = own_centre.refused(
        "cli.file.exists", 5, "ra", "import", bad, *RECEPTION, "--rejects", rejects
    )
    assert str(rejects) in error


@pytest.mark.parametrize(
    ("code", "change"),
    [
        ("unknown key", ('version = "1"', 'version = "1"\nvintage = 1')),
        ("unknown key", ('key = "RSA-2048"', 'key = "RSA-2048"\ncolour = "red"')),
        ("TOML", ("[[ca]]", "[[ca]")),
    ],
)
def test_a_ceremony_file_with_a_fault(
    centre: Terminal, tmp_path: Path, code: str, change: tuple[str, str]
) -> None:
    path = tmp_path / "ceremony.toml"
    path.write_text(CEREMONY.read_text("utf-8").replace(*change, 1), "utf-8")
    assert code in centre.refused("ca.ceremony.file", 2, "ca", "ceremony", path, *PEOPLE, "--yes")


def test_a_question_nobody_answers_is_refused(centre: Terminal) -> None:
    centre.refused("cli.confirm", 3, "ca", "ceremony", CEREMONY, *PEOPLE)


def test_one_that_is_refused_stops_no_other_and_counts(centre: Terminal) -> None:
    done = centre.run("ra", "approve", "T2026-0001", "T2026-9", "--yes", "--operator", "endo",
                      status=3)  # fmt: skip
    errors = [line for line in done.err.splitlines() if line.startswith("error ")]
    assert [line.split()[1] for line in errors] == [
        "ra.state:", "ra.application.unknown:", "ra.approve.some:",
    ]  # fmt: skip


def test_a_card_that_fails_stops_no_other(story: Story, own_centre: Terminal) -> None:
    wanted = ("card", "personalize", "T2026-0001.1", "T2026-0002.1", "--yes", *ISSUING)
    done = own_centre.run(*wanted, "--json", status=3)
    assert done.json == []
    errors = [line.split()[1] for line in done.err.splitlines() if line.startswith("error ")]
    assert errors[-1] == "card.some:"
    assert len(errors) == 3
    single = own_centre.run("card", "personalize", "T2026-0001.1", *ISSUING, status=5)
    error_line(single.err, errors[0].removesuffix(":"))


def test_a_request_for_another_subject_is_refused(
    story: Story, centre: Terminal, openssl: str, tmp_path: Path
) -> None:
    request = tmp_path / "other.csr"
    subprocess.run(
        [openssl, "req", "-new", "-key", str(story.folder / "holder.key"), "-subj", "/CN=TARO",
         "-out", str(request)],
        check=True, capture_output=True,
    )  # fmt: skip
    wanted = ("T2026-0003.1", "--purpose", "AUTH", *ISSUING)
    centre.refused("ca.csr.subject", 3, "cert", "issue", *wanted, "--csr", request)
    request.write_text("-----BEGIN CERTIFICATE REQUEST-----\nAAAA\n")
    out = tmp_path / "out.pem"
    error_line(
        centre.run("cert", "issue", *wanted, "--csr", request, "--out", out, status=2).err,
        "pki.csr.unreadable",
    )
    assert not out.exists()


def test_an_output_file_that_exists_stays(story: Story, centre: Terminal, tmp_path: Path) -> None:
    out = tmp_path / "out.pem"
    out.write_text("mine")
    serial = story.said["issue"].json["serial"]
    centre.refused("cli.file.exists", 5, "cert", "export", serial, "--out", out)
    assert out.read_text() == "mine"
    into = out / "below.pem"
    centre.refused("cli.file.write", 6, "cert", "export", serial, "--out", into)


class TestSecrets:
    def test_a_wrong_passphrase(self, own_centre: Terminal) -> None:
        secrets = own_centre.site / "secrets"
        before = own_centre.head()
        (secrets / "operators" / "endo").write_text("wrong horse\n")
        said = own_centre.refused(
            "keys.passphrase.wrong", 3, "ra", "approve", "T2026-0001", "--operator", "endo"
        )
        (failed,) = own_centre.run("audit", "search", "--code", "LOGIN.FAIL", "--json").json
        assert (failed["actor"], failed["object"]) == ("SYSTEM", "operator endo")
        (secrets / "ca-keys").write_text("wrong horse\n")
        said += own_centre.refused("keys.passphrase.wrong", 3, "crl", "issue", "sign")
        assert "horse" not in said
        assert own_centre.head()[0] == before[0] + 1

    def test_a_secret_that_others_may_read(self, own_centre: Terminal) -> None:
        secret = own_centre.site / "secrets" / "operators" / "endo"
        secret.chmod(0o644)
        acts = ("ra", "approve", "T2026-0001", "--operator", "endo")
        own_centre.refused("cli.secret.mode", 3, *acts)
        secret.unlink()
        own_centre.refused("cli.secret.file", 6, *acts)

    def test_a_passphrase_without_a_terminal(self, own_centre: Terminal) -> None:
        own_centre.refused("cli.secret.prompt", 6, "crl", "issue", variables=TYPED)

    def test_a_card_master_key_that_is_none(self, own_centre: Terminal) -> None:
        (own_centre.site / "secrets" / "cards").write_text("not hexadecimal\n")
        wanted = ("card", "personalize", "T2026-0003.1", *ISSUING)
        own_centre.refused("cli.secret.form", 2, *wanted)

    def test_a_descriptor_and_a_variable_hold_secrets(self, own_centre: Terminal) -> None:
        secret = own_centre.site / "secrets" / "ca-keys"
        with secret.open("rb") as file:
            done = subprocess.run(
                [HPKI, "crl", "issue", "sign"],
                env=own_centre.environment({"HPKI_SECRETS__CA_KEYS__FD": str(file.fileno())}),
                pass_fds=[file.fileno()],
                capture_output=True,
                check=False,
            )
        assert done.returncode == 0, done.stderr
        given = {"HPKI_SECRETS__CA_KEYS__ENV": "WORD", "WORD": secret.read_text().strip()}
        own_centre.run("crl", "issue", "sign", variables=given)
        closed = {"HPKI_SECRETS__CA_KEYS__FD": "77"}
        own_centre.refused("cli.secret.fd", 6, "crl", "issue", "sign", variables=closed)


class TestSettings:
    def test_a_folder_that_is_no_site(self, tmp_path: Path) -> None:
        shell = Terminal(tmp_path)
        shell.refused("cli.site.none", 4, "ra", "list")
        (tmp_path / "file").write_text("")
        Terminal(tmp_path / "file").refused("cli.site.none", 4, "ra", "list")
        (tmp_path / "hpki.toml").mkdir()
        shell.refused("cli.site.read", 6, "ra", "list")

    @pytest.mark.parametrize(
        ("change", "text"),
        [
            (("[store]", "[store]\nspeed = 1"), "store.speed: unknown key"),
            (("[store]", "[shop]"), "shop: unknown key"),
            (('kind = "training"', 'kind = "toy"'), "centre.kind"),
            (("[centre]", "[centre"), "not TOML"),
            (("sqlite:///store.sqlite", "mysql://x"), "store.url"),
            (("sqlite:///store.sqlite", "postgresql+psycopg://u:pw@h/d"), "password"),
            (('{ file = "secrets/cards" }', '"swordfish"'), "secrets.cards"),
        ],
    )
    def test_a_fault_in_the_file(
        self, own_centre: Terminal, change: tuple[str, str], text: str
    ) -> None:
        file = own_centre.site / "hpki.toml"
        file.write_text(file.read_text("utf-8").replace(*change, 1), "utf-8")
        said = own_centre.refused("cli.config", 2, "config", "show")
        assert text in said
        assert ":pw" not in said
        assert "swordfish" not in said

    def test_variables_that_set_nothing(self, centre: Terminal) -> None:
        for name in ("HPKI_STROE__URL", "HPKI_STORE__URLL"):
            said = centre.refused("cli.config", 2, "config", "show", variables={name: "x"})
            assert "variable" in said
        centre.refused("cli.config", 2, "config", "show", variables={"HPKI_STORE": "{"})

    def test_the_kind_of_a_site_is_for_life(self, own_centre: Terminal) -> None:
        for kind in ("trial", "production"):
            done = own_centre.run("ra", "list", status=5, variables={"HPKI_CENTRE__KIND": kind})
            assert "error cli.site.kind: the store is a training site's" in done.err
            assert done.out == ""
        file = own_centre.site / "hpki.toml"
        file.write_text(file.read_text("utf-8").replace('"training"', '"production"'), "utf-8")
        assert "cli.site.kind" in own_centre.run("crl", "issue", status=5).err


def triggers(connection: sqlite3.Connection) -> list[str]:
    """What an intruder with the file would run first: the statements that drop every trigger."""
    found = connection.execute("SELECT name FROM sqlite_master WHERE type = 'trigger'")
    return [f"DROP TRIGGER {name}" for (name,) in found]


class TestStores:
    def test_a_store_that_is_gone_is_not_made_anew(self, own_centre: Terminal) -> None:
        store = own_centre.site / "store.sqlite"
        store.unlink()
        own_centre.refused("cli.store.none", 6, "ra", "list")
        assert not store.exists()

    @pytest.mark.parametrize("keep", [3, 100, 5000, 60000])
    def test_a_store_cut_short(self, own_centre: Terminal, keep: int) -> None:
        store = own_centre.site / "store.sqlite"
        octets = store.read_bytes()
        for beside in own_centre.site.glob("store.sqlite-*"):
            beside.unlink()
        store.write_bytes(octets[:keep] if keep > 3 else b"not a store" * 500)
        own_centre.refused("store.unavailable", 6, "audit", "show", "--limit", "10000")

    def test_a_store_of_another_schema(self, own_centre: Terminal) -> None:
        connection = sqlite3.connect(own_centre.site / "store.sqlite")
        connection.execute("UPDATE alembic_version SET version_num = '9999'")
        connection.commit()
        connection.close()
        assert "9999" in own_centre.refused("store.schema", 5, "ra", "list")

    def test_a_server_that_does_not_answer(self, own_centre: Terminal, tmp_path: Path) -> None:
        url = f"postgresql+psycopg://postgres@/none?host={tmp_path}"
        own_centre.refused("store.unavailable", 6, "ra", "list", variables={"HPKI_STORE__URL": url})

    def test_a_changed_entry_of_the_trail(self, own_centre: Terminal) -> None:
        connection = sqlite3.connect(own_centre.site / "store.sqlite")
        change = "UPDATE trail_entry SET body = replace(body, 'endo', 'aoki')"
        for statement in (*triggers(connection), change):
            connection.execute(statement)
        connection.commit()
        connection.close()
        own_centre.refused("audit.trail.broken", 3, "audit", "verify")


class TestFullDisk:
    @pytest.fixture
    def full(self, own_centre: Terminal) -> Iterator[Path]:
        """The public folder, with what it held, on a file system without room."""
        public = own_centre.site / "public"
        kept = own_centre.site.parent / "kept"
        shutil.copytree(public, kept)
        mount = ["mount", "-t", "tmpfs", "-o", "size=256k,mode=755", "hpki-test", str(public)]
        if subprocess.run(mount, capture_output=True, check=False).returncode:
            tiers.tier_missing("tmpfs", "mounting is not permitted")
        try:
            shutil.copytree(kept, public, dirs_exist_ok=True)
            filler = os.open(public / "filler", os.O_WRONLY | os.O_CREAT)
            with contextlib.suppress(OSError):
                while os.write(filler, b"\0" * 512):
                    pass
            os.close(filler)
            yield public
        finally:
            subprocess.run(["umount", str(public)], check=True)

    def test_the_old_list_stands_and_the_new_one_follows(
        self, own_centre: Terminal, full: Path
    ) -> None:
        before = {path.name: path.read_bytes() for path in full.iterdir()}
        number = own_centre.run("crl", "issue", "sign", "--json").json[0]["number"]
        assert "error crl.publish.write:" in own_centre.run("crl", "publish", status=6).err
        after = {path.name: path.read_bytes() for path in full.iterdir()}
        assert {name: after[name] for name in before} == before
        assert set(after) - set(before) <= {".lock"}
        (full / "filler").unlink()
        own_centre.run("crl", "publish")
        shown = own_centre.run("crl", "show", full / "sign.crl", "--json").json
        assert shown["number"] == number

    def test_a_revocation_stands_without_its_list(self, own_centre: Terminal, full: Path) -> None:
        done = own_centre.run(
            "revoke", "T2026-0001", *DEATH, *OFFICERS, "--confirm", LICENCE, status=6
        )
        text = done.err
        assert "error cli.revoke.unpublished: the revocation stands" in text
        assert "`hpki crl due --at-once`" in text
        assert "error crl.publish.waiting:" in own_centre.run("crl", "due", status=6).err
        again = own_centre.run("crl", "due", "--at-once", status=6)
        assert "error crl.publish.write:" in again.err
        revoked = [one for one in own_centre.run("cert", "list", "--json").json if one["revoked"]]
        assert len(revoked) == 2
        (full / "filler").unlink()
        published = own_centre.run("crl", "due", "--at-once", "--json").json
        assert {(row["issuer"], row["entries"]) for row in published} == {("sign", 1), ("auth", 1)}
        assert own_centre.run("crl", "due", "--json").json == []


def test_output_that_nobody_reads(centre: Terminal) -> None:
    for arguments in ("cert list", "audit show --json --limit 1000"):
        script = (
            f"set -o pipefail; {HPKI} {arguments} | head -c 1 >/dev/null; echo ${{PIPESTATUS[0]}}"
        )
        done = subprocess.run(
            ["/bin/bash", "-c", script],
            env=centre.environment(),
            capture_output=True,
            text=True,
            check=False,
        )
        assert done.stdout.strip() in ("0", "141")
        assert "Traceback" not in done.stderr
        assert "Exception" not in done.stderr
    reader, writer = os.pipe()
    os.close(reader)
    closed = subprocess.run(
        [HPKI, "cert", "list"],
        env=centre.environment(),
        stdout=writer,
        stderr=subprocess.PIPE,
        text=True,
        check=False,
    )
    os.close(writer)
    assert closed.returncode == 141
    assert [line for line in closed.stderr.splitlines() if "訓練" not in line] == []


def test_output_to_a_full_disk(centre: Terminal) -> None:
    with Path("/dev/full").open("wb") as full:
        done = subprocess.run(
            [HPKI, "ra", "list"],
            env=centre.environment(),
            stdout=full,
            stderr=subprocess.PIPE,
            text=True,
            check=False,
        )
    assert done.returncode == 6
    error_line(done.stderr, "cli.stdout")


def test_a_bug_says_so_in_one_line_and_keeps_the_traceback(
    own_centre: Terminal,
) -> None:
    connection = sqlite3.connect(own_centre.site / "store.sqlite")
    for statement in (*triggers(connection), "UPDATE trail_entry SET body = '{}' WHERE seq = 1"):
        connection.execute(statement)
    connection.commit()
    connection.close()
    done = own_centre.run("audit", "show", status=1)
    lines = [line for line in done.err.splitlines() if "訓練" not in line]
    assert lines[0] == "error bug: KeyError in hpki"
    assert lines[1].startswith("hint The traceback is in ")
    assert "Traceback" in (own_centre.site / "hpki.log").read_text("utf-8")
