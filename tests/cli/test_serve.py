"""``hpki serve``: started and ended as a person does, and read by curl and openssl."""

from __future__ import annotations

import http.client
import re
import shutil
import signal
import socket
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from email.utils import parsedate_to_datetime
from pathlib import Path
from urllib.parse import urlsplit

import pytest

from tests import tiers
from tests.cli.terminal import HPKI, SECONDS, Terminal, error_line
from tests.unit.test_serving import long_list

_LINE = re.compile(
    r"20\d\d-\d\d-\d\dT\d\d:\d\d:\d\d\+09:00 127\.0\.0\.1 (\S+) (/\S*) (\d{3}) (\d+)"
)
MOST_KIB = 8 * 1024
"""What the process may grow by while it sends 60 MB; about 2 MiB are used."""


@dataclass
class Server:
    """A running ``hpki serve``; ``err`` is what it said when it ended."""

    process: subprocess.Popen[str]
    url: str
    err: str = ""

    def ask(self, path: str, method: str = "GET") -> tuple[int, bytes]:
        line = http.client.HTTPConnection(urlsplit(self.url).netloc, timeout=SECONDS)
        try:
            line.request(method, path)
            got = line.getresponse()
            return got.status, got.read()
        finally:
            line.close()

    def peak_kib(self) -> int:
        """The most memory it has held."""
        status = Path(f"/proc/{self.process.pid}/status").read_text("ascii")
        return int(re.findall(r"VmHWM:\s+(\d+) kB", status)[0])

    def end(self, number: int) -> None:
        self.process.send_signal(number)
        out, self.err = self.process.communicate(timeout=SECONDS)
        assert (self.process.returncode, out) == (0, ""), self.err
        assert "Traceback" not in self.err


@contextmanager
def serving(terminal: Terminal, *args: object) -> Iterator[Server]:
    """A server on a free port, which ends with status 0."""
    process = subprocess.Popen(
        [HPKI, "serve", "--port", "0", *map(str, args)],
        env=terminal.environment(),
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    assert process.stdout is not None
    try:
        server = Server(process, process.stdout.readline().strip())
        assert re.fullmatch(r"http://127\.0\.0\.1:\d+/", server.url), process.communicate()
        yield server
        if process.poll() is None:
            server.end(signal.SIGTERM)
    finally:
        if process.poll() is None:
            process.kill()
            process.communicate()


@pytest.fixture
def bare(story: object, own_centre: Terminal) -> Terminal:
    """A site of which only settings and published files are left: no store and no key."""
    for path in own_centre.site.iterdir():
        if path.name not in ("hpki.toml", "public"):
            shutil.rmtree(path) if path.is_dir() else path.unlink()
    return own_centre


def test_published_lists_are_read_by_curl_and_openssl(bare: Terminal, openssl: str) -> None:
    curl = tiers.require_tool("curl", tier="interop")
    before = {path: path.read_bytes() for path in bare.site.rglob("*") if path.is_file()}
    names = [path.name for path in (bare.site / "public").iterdir() if path.name[0] != "."]
    assert len([name for name in names if name.endswith(".crl")]) >= 4
    with serving(bare) as server:
        for name in names:
            fetch = [curl, "-sSf", "--compressed", f"{server.url}{name}"]
            octets = subprocess.run(fetch, check=True, capture_output=True, timeout=SECONDS).stdout
            assert octets == (bare.site / "public" / name).read_bytes()
            if name.endswith(".crl"):
                command = [openssl, "crl", "-inform", "DER", "-noout", "-nextupdate"]
                told = subprocess.run(command, input=octets, check=True, capture_output=True)
                assert told.stdout.startswith(b"nextUpdate=")
        for path in ("/../hpki.toml", "/%2e%2e/hpki.toml", "/hpki.toml", "/..%2fhpki.toml"):
            fetch = [curl, "-sS", "--path-as-is", "-w", "%{http_code}", f"{server.url[:-1]}{path}"]
            told = subprocess.run(fetch, check=True, capture_output=True, timeout=SECONDS)
            assert told.stdout.endswith(b"404")
            assert b"[centre]" not in told.stdout
        server.end(signal.SIGTERM)
    assert {path: path.read_bytes() for path in bare.site.rglob("*") if path.is_file()} == before
    assert "訓練" in server.err


def test_curl_takes_parts_and_asks_only_for_what_is_new(bare: Terminal, tmp_path: Path) -> None:
    curl = tiers.require_tool("curl", tier="interop")
    name = next(path.name for path in (bare.site / "public").iterdir() if path.suffix == ".cer")
    whole, target, tag = (bare.site / "public" / name).read_bytes(), tmp_path / "x", tmp_path / "t"
    with serving(bare) as server:

        def fetch(*options: object) -> str:
            command = [curl, "-sS", "-w", "%{http_code}", "-o", target, f"{server.url}{name}"]
            done = subprocess.run(
                [*map(str, (*command, *options))], check=True, capture_output=True, timeout=SECONDS
            )
            return done.stdout.decode()

        target.write_bytes(whole[:100])
        assert fetch("-C", "-") == "206"
        assert target.read_bytes() == whole
        assert fetch("--etag-save", tag) == "200"
        assert fetch("--etag-compare", tag) == "304"
        assert fetch("-z", target) in ("200", "304")
        assert fetch("-I") == "200"


def test_each_request_is_one_line(bare: Terminal) -> None:
    with serving(bare) as server:
        server.ask("/none")
        server.ask("/none", "HEAD")
        server.ask("/%0a%1b[31m%e5%a4%b1", "PUT")
        server.ask(f"/{'a' * 300}")
        with socket.create_connection(
            ("127.0.0.1", int(server.url[:-1].rpartition(":")[2]))
        ) as one:
            one.sendall(b"\x1b[2J / HTTP/1.0\r\n\r\n")
            one.recv(100)
        server.end(signal.SIGINT)
    lines = [line for line in server.err.splitlines() if "訓練" not in line]
    shown = [match.groups() for line in lines if (match := _LINE.fullmatch(line))]
    assert len(shown) == len(lines), server.err
    assert shown[:4] == [
        ("GET", "/none", "404", "14"),
        ("HEAD", "/none", "404", "0"),
        ("PUT", "/%0A%1B%5B31m%E5%A4%B1", "405", "23"),
        ("GET", "/" + "a" * 199, "404", "14"),
    ]
    assert server.err.isprintable() or "\x1b" not in server.err


def test_a_folder_is_served_without_a_site(tmp_path: Path) -> None:
    folder = tmp_path / "lists"
    folder.mkdir(mode=0o755)
    (folder / "a.txt").write_text("text", "utf-8")
    (folder / "a.txt").chmod(0o644)
    with serving(Terminal(tmp_path / "none"), "--folder", folder) as server:
        assert server.ask("/a.txt") == (200, b"text")


def test_sixty_megabytes_need_no_more_memory(tmp_path: Path) -> None:
    folder = tmp_path / "lists"
    folder.mkdir(mode=0o755)
    octets = long_list(60_000_000)
    for name, content in (("big.crl", octets), ("small.crl", octets[:1000])):
        (folder / name).write_bytes(content)
        (folder / name).chmod(0o644)
    with serving(Terminal(tmp_path / "none"), "--folder", folder) as server:
        server.ask("/small.crl")
        before = server.peak_kib()
        for _ in range(3):
            assert server.ask("/big.crl") == (200, octets)
        grown = server.peak_kib() - before
    assert grown < MOST_KIB, f"{grown} KiB more for 60 MB"


def test_a_port_in_use_is_told_in_one_line(bare: Terminal) -> None:
    with serving(bare) as server:
        port = server.url[:-1].rpartition(":")[2]
        second = bare.started("serve", "--port", port, status=6)
    assert second.out == ""
    assert port in error_line(second.err, "crl.serve.taken")


@pytest.mark.parametrize("port", ["-1", "65536", "http"])
def test_a_port_that_is_none(bare: Terminal, port: str) -> None:
    bare.refused("cli.usage", 2, "serve", "--port", port)


def test_what_cannot_be_served(bare: Terminal, tmp_path: Path) -> None:
    bare.refused("cli.serve.site", 3, "serve", "--folder", bare.site)
    bare.refused("cli.serve.folder", 4, "serve", "--folder", tmp_path / "none")
    bare.refused("cli.serve.folder", 4, "serve", "--folder", bare.site / "hpki.toml")
    bare.refused("crl.serve.address", 6, "serve", "--host", "192.0.2.1")
    Terminal(tmp_path).refused("cli.site.none", 4, "serve")
    shutil.rmtree(bare.site / "public")
    assert "crl due" in bare.run("serve", status=4).err


@pytest.mark.parametrize("library", ["waitress", "werkzeug"])
def test_without_the_library_the_extra_is_named(
    bare: Terminal, tmp_path: Path, library: str
) -> None:
    hidden = tmp_path / "hidden"
    hidden.mkdir()
    (hidden / f"{library}.py").write_text(f"raise ModuleNotFoundError(name={library!r})\n", "utf-8")
    done = bare.started("serve", status=6, variables={"PYTHONPATH": str(hidden)})
    error_line(done.err, "cli.serve.library")
    assert "hpki-ca[serve]" in done.err


def test_lists_may_be_kept_as_long_as_they_say(own_centre: Terminal) -> None:
    with serving(own_centre) as server:
        line = http.client.HTTPConnection(urlsplit(server.url).netloc, timeout=SECONDS)
        name = next(path.name for path in (own_centre.site / "public").glob("*.crl"))
        line.request("HEAD", f"/{name}")
        got = line.getresponse()
        expires = parsedate_to_datetime(got.headers["Expires"])
        line.close()
    assert got.headers["Cache-Control"] == "public, max-age=600"
    left = expires - datetime.now(UTC)
    assert timedelta(seconds=480) < left <= timedelta(seconds=600)
