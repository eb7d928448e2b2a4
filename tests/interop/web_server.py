"""An nginx of its own for a test, set up as docs/operations/nginx.md has it."""

from __future__ import annotations

import http.client
import json
import os
import re
import shutil
import signal
import socket
import ssl
import subprocess
import threading
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass, replace
from functools import cached_property
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

from tests.tiers import require_tool

RUNBOOK = Path(__file__).parents[2] / "docs" / "operations" / "nginx.md"
GCM = "ECDHE+AESGCM"
REPOSITORY_URL = "http://repository.demo-hpki.example.jp"


def blocks(language: str) -> list[str]:
    """The runbook's blocks of that language."""
    text = RUNBOOK.read_text(encoding="utf-8")
    return re.findall(rf"^```{language}\n(.*?)^```$", text, re.M | re.S)


def filled(block: str, values: Mapping[str, object]) -> str:
    """The block with its paths, ports and names replaced, each of which must stand there."""
    for documented, value in values.items():
        assert documented in block, documented
        block = block.replace(documented, str(value))
    return block


class Application(BaseHTTPRequestHandler):
    """Answers with the request's headers as JSON."""

    def do_GET(self) -> None:  # noqa: N802 - http.server's name
        body = json.dumps(dict(self.headers)).encode()
        self.send_response(200)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002
        """Say nothing."""


def free_ports(count: int) -> list[int]:
    """Ports on which nobody listens, below those that the kernel gives to connections."""
    found: list[int] = []
    for port in range(20_000 + os.getpid() % 10_000, 32_768):
        with suppress(OSError), socket.create_server(("127.0.0.1", port)):
            found.append(port)
        if len(found) == count:
            return found
    raise AssertionError("no port is free")


@dataclass(frozen=True)
class Answer:
    """``tls``: version and suite; ``log``: the line that nginx left."""

    status: int
    headers: http.client.HTTPMessage
    body: bytes
    tls: tuple[str, str] = ("", "")
    log: str = ""


@dataclass
class Nginx:
    """An nginx of its own in ``folder``; ``application`` is the port behind it."""

    folder: Path
    program: str
    application: int

    def __post_init__(self) -> None:
        self.http, self.https = free_ports(2)
        for name in ("conf.d", "tmp", "public", "log"):
            (self.folder / name).mkdir(exist_ok=True)
        (self.folder / "error.log").touch()
        self.configuration.write_text(f"""
{"user www-data;" if os.geteuid() == 0 else ""}
worker_processes 1;
pid {self.folder}/pid;
error_log {self.folder}/error.log info;
events {{ worker_connections 64; }}
http {{
    client_body_temp_path {self.folder}/tmp/body;
    proxy_temp_path {self.folder}/tmp/proxy;
    fastcgi_temp_path {self.folder}/tmp/fastcgi;
    scgi_temp_path {self.folder}/tmp/scgi;
    uwsgi_temp_path {self.folder}/tmp/uwsgi;
    access_log off;
    include {self.folder}/conf.d/*.conf;
}}
""")

    @property
    def configuration(self) -> Path:
        return self.folder / "nginx.conf"

    @property
    def command(self) -> list[str]:
        return [self.program, "-e", f"{self.folder}/error.log", "-c", str(self.configuration)]

    @property
    def cards(self) -> Path:
        return self.folder / "cards"

    def configure(self, name: str, values: Mapping[str, object]) -> None:
        """Write the runbook's block for that file."""
        text = RUNBOOK.read_text(encoding="utf-8")
        assert f"`/etc/nginx/conf.d/{name}.conf`" in text
        block = dict(zip(("repository", "charts"), blocks("nginx"), strict=True))[name]
        (self.folder / "conf.d" / f"{name}.conf").write_text(filled(block, values))

    def shell(self, block: str, values: Mapping[str, object]) -> subprocess.CompletedProcess[str]:
        """Run a block of the runbook."""
        script = self.folder / "block.sh"
        script.write_text(filled(block, values))
        return subprocess.run(
            ["/bin/sh", str(script)], capture_output=True, text=True, check=False, timeout=60
        )

    @cached_property
    def documented(self) -> dict[str, object]:
        """What the shell blocks say, and what stands for it here."""
        return {"/etc/nginx/cards": self.cards, REPOSITORY_URL: f"http://127.0.0.1:{self.http}"}

    def fetch_lists(self) -> subprocess.CompletedProcess[str]:
        """Run the runbook's script, and wait for nginx if it had it read new lists."""
        (script,) = (block for block in blocks("sh") if block.startswith("#!/bin/sh\n"))
        before = self.workers()
        read = self.cards / "lists.read"
        stood = read.read_bytes() if read.exists() else b""
        done = self.shell(
            script,
            {
                **self.documented,
                "crl-$name.crl": "$name.crl",
                "systemctl reload nginx": " ".join([*self.command, "-s", "reload"]),
            },
        )
        if done.returncode == 0 and read.read_bytes() != stood:
            self.await_others(before)
        return done

    def reload(self) -> None:
        before = self.workers()
        subprocess.run([*self.command, "-s", "reload"], check=True, timeout=30)
        self.await_others(before)

    def workers(self) -> set[int]:
        master = int((self.folder / "pid").read_text())
        children = Path(f"/proc/{master}/task/{master}/children").read_text()
        return set(map(int, children.split()))

    def await_others(self, before: set[int]) -> None:
        """Wait until none of those workers is left."""
        until = time.monotonic() + 30
        while not self.workers() or self.workers() & before:
            assert time.monotonic() < until, (self.folder / "error.log").read_text()
            time.sleep(0.01)

    def put(self, public: Path) -> None:
        """Let the repository serve what is in the folder."""
        for path in public.iterdir():
            if path.name != ".lock":
                shutil.copyfile(path, self.folder / "new")
                (self.folder / "new").replace(self.folder / "public" / path.name)

    def start_afresh(self, public: Path) -> None:
        """Serve the folder, and let the site read its lists as if there had been none."""
        self.put(public)
        for path in [*self.cards.glob("*.crl.pem"), *self.cards.glob("lists.*")]:
            path.unlink()
        done = self.fetch_lists()
        assert (done.returncode, done.stderr) == (0, "")

    def ask(self, method: str, path: str, **headers: str) -> Answer:
        """Ask the repository."""
        connection = http.client.HTTPConnection("127.0.0.1", self.http, timeout=30)
        connection.request(method, path, headers=headers)
        found = connection.getresponse()
        answer = Answer(found.status, found.headers, found.read())
        connection.close()
        return answer

    def enter(self, card: Path | None, client: ssl.SSLContext | None = None) -> Answer:
        """Ask the site for its page with a card; raises ``ssl.SSLError``, ``OSError``."""
        context = client or tls_client()
        if card is not None:
            context.load_cert_chain(card)
        connection = http.client.HTTPSConnection(
            "127.0.0.1", self.https, timeout=30, context=context
        )
        with self.logged() as lines:
            connection.request("GET", "/", headers={"X-Card-Certificate": "forged"})
            assert isinstance(connection.sock, ssl.SSLSocket)
            tls = (connection.sock.version() or "", (connection.sock.cipher() or ("",))[0])
            found = connection.getresponse()
            answer = Answer(found.status, found.headers, found.read(), tls)
        connection.close()
        return replace(answer, log=lines[0])

    @contextmanager
    def logged(self) -> Iterator[list[str]]:
        """Give a list that holds, when the request within is over, the line that it left.

        nginx writes it after the answer, so every request to the site must be made within.
        """
        log = self.folder / "log" / "cards.log"
        before = log.stat().st_size
        found: list[str] = []
        yield found
        until = time.monotonic() + 10
        while not (line := log.read_text()[before:]).endswith("\n"):
            assert time.monotonic() < until
            time.sleep(0.005)
        found.append(line)

    def judged(self, card: Path | None) -> tuple[int, str]:
        """The status that the card gets, and what the log says of it."""
        answer = self.enter(card)
        (verify,) = re.findall(r'"(.*)"', answer.log)
        assert f"| `{verify}` |" in RUNBOOK.read_text(encoding="utf-8")
        return answer.status, verify


def tls_client(ciphers: str = GCM) -> ssl.SSLContext:
    """A client that trusts any server: only the server's judgement is looked at."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
    context.maximum_version = ssl.TLSVersion.TLSv1_2
    context.set_ciphers(ciphers)
    return context


@contextmanager
def running(server: Nginx) -> Iterator[None]:
    """Let it run and answer; its master ends with this process, however that ends."""
    process = subprocess.Popen(
        ["setpriv", "--pdeathsig", "TERM", *server.command, "-g", "daemon off;"],
        stdin=subprocess.DEVNULL,
        start_new_session=True,
    )
    until = time.monotonic() + 30
    try:
        while True:
            with suppress(OSError):
                server.ask("HEAD", "/")
                break
            said = (server.folder / "error.log").read_text()
            assert process.poll() is None, said
            assert time.monotonic() < until, said
            time.sleep(0.01)
        yield
    finally:
        process.send_signal(signal.SIGTERM)
        process.wait(30)


@contextmanager
def answering_application() -> Iterator[int]:
    """The port of the application behind nginx."""
    server = ThreadingHTTPServer(("127.0.0.1", 0), Application)
    thread = threading.Thread(target=server.serve_forever, args=(0.05,))
    thread.start()
    try:
        yield server.server_port
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


def make_server_key(folder: Path) -> None:
    name = ("-subj", "/CN=charts.example.jp", "-days", "30")
    curve = ("-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes")
    files = ("-keyout", str(folder / "charts.key"), "-out", str(folder / "charts.pem"))
    openssl = require_tool("openssl", tier="interop")
    command = [openssl, "req", "-x509", *curve, *name, *files]
    subprocess.run(command, check=True, capture_output=True, timeout=60)
