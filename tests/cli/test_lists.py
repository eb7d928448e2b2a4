"""``hpki crl``: targets, check, prove and import, as a person or a monitor runs them."""

from __future__ import annotations

import json
import shutil
import sqlite3
from collections.abc import Iterator
from contextlib import closing, contextmanager
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread
from typing import Any

from cryptography import x509

from tests.cli.conftest import LICENCE
from tests.cli.terminal import Terminal
from tests.cli.test_revoke import ONE


def shown(shell: Terminal, *args: object, status: int = 0) -> Any:
    return shell.run("crl", *args, "--json", status=status).json


def lists_of(shell: Terminal, ca: str) -> list[dict[str, Any]]:
    return [row for row in shown(shell, "show") if row["issuer"] == ca]


def public(shell: Terminal, name: str) -> Path:
    (found,) = (shell.site / "public").glob(f"*{name}")
    return found


@contextmanager
def served(folder: Path) -> Iterator[str]:
    """The URL at which a plain web server serves the folder."""

    class Handler(SimpleHTTPRequestHandler):
        extensions_map = {".crl": "application/pkix-crl", "": "text/plain"}  # noqa: RUF012

        def __init__(self, *args: Any) -> None:
            super().__init__(*args, directory=str(folder))

        def log_message(self, *_: object) -> None:
            pass

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        thread = Thread(target=server.serve_forever, args=(0.01,))
        thread.start()
        yield f"http://127.0.0.1:{server.server_address[1]}/"
        server.shutdown()
        thread.join()


def test_targets_show_where_each_list_is(own_centre: Terminal) -> None:
    config = own_centre.site / "hpki.toml"
    text = config.read_text("utf-8")
    config.write_text(f'{text}\n[publication.mirrors]\ntokyo = "mirror"\n', "utf-8")
    before = {(row["target"], row["state"]) for row in shown(own_centre, "targets")}
    assert before == {("public", "DONE"), ("tokyo", "WAITING")}
    (own_centre.site / "mirror").write_text("a file where a folder should be")
    own_centre.run("crl", "due", status=6)
    rows = shown(own_centre, "targets")
    assert {row["scope"] for row in rows} == {"RARL", "SARL", "FULL"}
    failed = [row for row in rows if row["state"] == "FAILED"]
    assert {row["target"] for row in failed} == {"tokyo"}
    assert {row["attempts"] for row in failed} == {1}
    assert all(row["next_try"] and row["error"].startswith("crl.") for row in failed)
    (own_centre.site / "mirror").unlink()
    with closing(sqlite3.connect(own_centre.site / "store.sqlite")) as store, store:
        store.execute("UPDATE list_delivery SET next_try_at = NULL")
    own_centre.run("crl", "due")
    assert {row["state"] for row in shown(own_centre, "targets")} == {"DONE"}
    assert "tokyo" in own_centre.run("crl", "targets").out


def test_a_check_says_one_line_for_each_list_and_its_remedy(
    own_centre: Terminal, tmp_path: Path
) -> None:
    own_centre.run("crl", "due")
    folder = own_centre.site / "public"
    sign, auth = public(own_centre, "sign.crl"), public(own_centre, "auth.crl")
    with served(folder) as url:
        done = own_centre.run("crl", "check", url + sign.name, auth)
        lines = done.out.splitlines()
        assert [line.split()[0] for line in lines] == ["OK", "OK"]
        assert url + sign.name in lines[0]
        assert "entries" in lines[0]
        wrong = own_centre.run("crl", "check", url + "none.crl", auth, status=6)
        assert wrong.out.startswith("ERROR  ")
        assert "status 404" in wrong.out
        assert "(Look at" in wrong.out
    (remembered,) = own_centre.site.glob("crl-seen.json")
    assert remembered.stat().st_mode & 0o777 == 0o600
    assert set(json.loads(remembered.read_bytes())["places"]) == {url + sign.name, str(auth)}
    broken = tmp_path / "broken.crl"
    broken.write_bytes(sign.read_bytes()[:-1])
    found = shown(own_centre, "check", broken, tmp_path / "none.crl", auth, status=3)
    assert [one["severity"] for one in found] == ["ERROR", "ERROR", "OK"]
    assert [one["reached"] for one in found] == [True, False, True]
    assert found[0]["remarks"][0]["code"] == "pki.crl.unreadable"
    assert found[2]["issuer"]
    remembered.write_text("{")
    own_centre.refused("crl.check.seen", 2, "crl", "check", auth)


def test_a_check_needs_no_site(own_centre: Terminal, tmp_path: Path) -> None:
    outside = Terminal(tmp_path / "nowhere")
    sign, issuer = public(own_centre, "sign.crl"), public(own_centre, "sign.cer")
    outside.refused("cli.crl.issuer", 2, "crl", "check", sign)
    outside.refused("cli.usage", 2, "crl", "check", "--issuer", issuer)
    outside.refused("crl.fetch.url", 2, "crl", "check", "--issuer", issuer, "file:///etc/passwd")
    outside.refused("cli.crl.issuer", 2, "crl", "check", "--issuer", sign, sign)
    check = ("check", "--issuer", issuer)
    (found,) = shown(outside, *check, sign)
    assert found["severity"] == "OK"
    (found,) = shown(outside, *check, sign, "--warn-hours", 200, status=7)
    assert [one["code"] for one in found["remarks"]] == ["crl.check.ends_soon"]
    seen = tmp_path / "seen.json"
    shown(outside, *check, sign, "--seen", seen)
    assert str(sign) in seen.read_text()
    (found,) = shown(outside, *check, public(own_centre, "auth.crl"), status=3)
    assert found["remarks"][0]["code"] == "crl.foreign"
    assert not (tmp_path / "nowhere").exists()


def test_a_serial_is_proven_to_be_off_the_list(centre: Terminal, tmp_path: Path) -> None:
    serial = centre.run("cert", "list", "--json").json[0]["serial"]
    (found,) = shown(centre, "prove", serial)
    assert (found["on_list"], found["faults"]) == (False, [])
    assert (found["certificate"], found["revoked"], found["first_list"]) == ("ISSUED", None, None)
    colons = ":".join(serial.zfill(40)[at : at + 2] for at in range(0, 40, 2)).upper()
    assert shown(centre, "prove", colons, "--ca", found["issuer"]) == [found]
    assert len(shown(centre, "prove", "12:34")) == 4, "every series of every CA"
    sign, issuer = public(centre, "sign.crl"), public(centre, "sign.cer")
    one = shown(centre, "prove", serial, "--list", sign)
    assert (one["on_list"], one["list_number"]) == (False, found["list_number"])
    outside = Terminal(tmp_path)
    assert shown(outside, "prove", serial, "--list", sign, "--issuer", issuer) == one
    outside.refused("cli.crl.issuer", 2, "crl", "prove", serial, "--list", sign)
    other = public(centre, "auth.cer")
    asked = ("crl", "prove", serial, "--list", sign, "--issuer", other)
    outside.refused("crl.foreign", 3, *asked)
    centre.refused("pki.serial", 2, "crl", "prove", "xyz")
    centre.refused("ca.issuer.unknown", 4, "crl", "prove", serial, "--ca", "none")
    assert "リスト掲載" in centre.run("--lang", "ja", "crl", "prove", serial).out


def test_a_revoked_serial_is_proven_to_be_on_the_list(own_centre: Terminal) -> None:
    own_centre.run(*ONE, "--confirm", LICENCE)
    newest = lists_of(own_centre, "sign")[0]
    crl = x509.load_der_x509_crl(public(own_centre, "sign.crl").read_bytes())
    (entry,) = crl
    (found,) = shown(own_centre, "prove", f"{entry.serial_number:X}")
    assert (found["on_list"], found["faults"]) == (True, [])
    assert (found["ground"], found["reason"]) == ("R01_DEATH", "CESSATION_OF_OPERATION")
    assert found["entry_date"] == found["revoked"]
    assert found["first_list"] == found["list_number"] == newest["number"]
    assert (found["list_before"], found["left_list"]) == (newest["number"] - 1, None)
    assert found["published_at"] >= found["first_update"]
    path = own_centre.site / "lists" / f"sign-{newest['number']}.crl"
    path.write_bytes(path.read_bytes()[:-1])
    done = own_centre.run("crl", "prove", f"{entry.serial_number:X}", "--json", status=2)
    assert done.json[0]["faults"] == ["pki.crl.unreadable"]
    assert done.json[0]["on_list"] is None


def test_lists_of_another_machine_are_taken_in_and_published(
    own_centre: Terminal, tmp_path: Path
) -> None:
    """The root's key lies on a copy of the site, which stands for the machine in the safe."""
    shutil.copytree(own_centre.site, tmp_path / "offline")
    offline = Terminal(tmp_path / "offline")
    made = shown(offline, "issue", "root", "--ahead", 1)
    files = [offline.site / "lists" / f"root-{row['number']}.crl" for row in made]
    (own_centre.site / "keys" / "root.pem").unlink()
    own_centre.run("crl", "due")
    taken = shown(own_centre, "import", *reversed(files))
    assert [row["number"] for row in taken] == [row["number"] for row in made]
    assert {row["state"] for row in taken} == {"STORED"}
    published = shown(own_centre, "due")
    assert [(row["scope"], row["number"]) for row in published if row["issuer"] == "root"] == [
        (row["scope"], row["number"]) for row in made[:2]
    ]
    own_centre.refused("crl.import.number", 3, "crl", "import", files[0])
    own_centre.refused("crl.fetch.none", 4, "crl", "import", tmp_path / "none.crl")
    entries = own_centre.run("audit", "show", "--code", "CRL.ISSUE", "--json").json
    assert sum(one["detail"].get("imported", False) for one in entries) == 4
    assert own_centre.run("audit", "verify").status == 0


def test_a_root_without_key_and_list_is_one_line(own_centre: Terminal) -> None:
    (own_centre.site / "keys" / "root.pem").unlink()
    own_centre.run("crl", "due")
    with closing(sqlite3.connect(own_centre.site / "store.sqlite")) as store, store:
        store.execute("UPDATE revocation_list SET state = 'NUMBERED' WHERE issuer_id = 'root'")
    done = own_centre.run("crl", "due", status=6)
    errors = [line for line in done.err.splitlines() if line.startswith("error ")]
    hints = [line for line in done.err.splitlines() if line.startswith("hint ")]
    assert len(errors) == 2
    assert all("root" in line and "crl.key.elsewhere" in line for line in errors)
    assert all("hpki crl import" in line for line in hints)


def test_a_ca_is_revoked_by_two_managers(own_centre: Terminal) -> None:
    own_centre.run("crl", "due")
    two = ("--operator", "sakurai", "--second", "mori")
    why = ("--ground", "C09_CA_KEY", "--evidence", "incident 2026-7")
    assert "auth" in own_centre.run("ca", "revoke", "auth", *why, *two, "--dry-run").out
    unanswered = own_centre.run("ca", "revoke", "auth", *why, *two, status=3)
    assert "error cli.confirm: " in unanswered.err
    own_centre.refused(
        "policies.ground.unknown",
        2,
        *("ca", "revoke", "auth", "--ground", "R01_DEATH", "--evidence", "x", *two, "--yes"),
    )
    swapped = ("--operator", "mori", "--second", "sakurai")
    failed = own_centre.run("ca", "revoke", "auth", *why, *swapped, "--yes", status=3)
    assert "error operators.role.missing: " in failed.err
    failed = own_centre.run("ca", "revoke", "other", *why, *two, "--yes", status=4)
    assert "error ca.issuer.unknown: " in failed.err
    assert not list(x509.load_der_x509_crl(public(own_centre, "sarl.crl").read_bytes()))
    own_centre.run("ca", "revoke", "auth", *why, *two, "--yes")
    (entry,) = x509.load_der_x509_crl(public(own_centre, "sarl.crl").read_bytes())
    listed = {row["id"]: row["revoked"] for row in own_centre.run("ca", "list", "--json").json}
    assert {name for name, at in listed.items() if at is not None} == {"auth"}
    shown_serial = own_centre.run("ca", "show", "auth", "--json").json["serial"]
    assert int(shown_serial, 16) == entry.serial_number
    (proven,) = shown(own_centre, "prove", shown_serial)
    assert (proven["issuer"], proven["scope"]) == ("root", "SARL")
    again = own_centre.run("ca", "revoke", "auth", *why, *two, "--yes", status=5)
    assert "error ca.revoke.twice: " in again.err
