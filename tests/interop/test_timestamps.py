"""Time stamps of a real RFC 3161 authority (OpenSSL's), judged by OpenSSL as well."""

from __future__ import annotations

import contextlib
import subprocess
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from functools import partial
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import ClassVar

import pytest

from audit.timestamps import TimeStamper
from pki.errors import HpkiError, InvalidInput, Refused, Unavailable
from tests import tiers

BODY = b'{"seq":1}'

CONFIG = """
[req]
distinguished_name = name
[name]
[ca]
basicConstraints = critical, CA:TRUE
keyUsage = critical, keyCertSign
subjectKeyIdentifier = hash
[leaf]
basicConstraints = critical, CA:FALSE
keyUsage = critical, digitalSignature
extendedKeyUsage = critical, timeStamping
subjectKeyIdentifier = hash
authorityKeyIdentifier = keyid
[tsa]
serial = serial
signer_cert = tsa.pem
signer_key = tsa.key
certs = tsa.pem
signer_digest = sha256
default_policy = 1.2.3.4
digests = sha256
ess_cert_id_chain = no
ess_cert_id_alg = sha256
"""


@dataclass
class Authority:
    """A TSA with a root of its own in ``folder``; ``answer`` turns a query file into a reply."""

    folder: Path

    def openssl(self, *args: str) -> subprocess.CompletedProcess[bytes]:
        return subprocess.run(
            ["openssl", *args], cwd=self.folder, capture_output=True, check=False, timeout=30
        )

    def make(self) -> None:
        self.folder.mkdir()
        (self.folder / "tsa.cnf").write_text(CONFIG)
        (self.folder / "serial").write_text("01\n")
        curve = ("-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes")
        common = ("req", "-config", "tsa.cnf", "-days", "30", *curve)
        root = ("-x509", "-subj", "/CN=TSA Root", "-extensions", "ca")
        steps: list[tuple[str, ...]] = [
            (*common, *root, "-keyout", "root.key", "-out", "root.pem"),
            (*common, "-subj", "/CN=TSA", "-keyout", "tsa.key", "-out", "tsa.csr"),
            ("x509", "-req", "-in", "tsa.csr", "-CA", "root.pem", "-CAkey", "root.key", "-days",
             "30", "-set_serial", "2", "-extfile", "tsa.cnf", "-extensions", "leaf", "-out",
             "tsa.pem"),
        ]  # fmt: skip
        for step in steps:
            done = self.openssl(*step)
            assert done.returncode == 0, done.stderr

    @property
    def root(self) -> Path:
        return self.folder / "root.pem"

    def answer(self, query: bytes) -> bytes:
        (self.folder / "query.tsq").write_bytes(query)
        reply = ("ts", "-reply", "-config", "tsa.cnf", "-section", "tsa", "-queryfile", "query.tsq")
        done = self.openssl(*reply, "-out", "reply.tsr")
        assert done.returncode == 0, done.stderr
        return (self.folder / "reply.tsr").read_bytes()

    def judge(self, token: bytes, data: bytes) -> bool:
        """Whether ``openssl ts -verify`` takes the token for the data."""
        (self.folder / "token.der").write_bytes(token)
        (self.folder / "data").write_bytes(data)
        done = self.openssl(
            "ts", "-verify", "-data", "data", "-in", "token.der", "-token_in", "-CAfile", "root.pem"
        )
        return done.returncode == 0


class Handler(BaseHTTPRequestHandler):
    """Answers as ``reply`` says."""

    reply: ClassVar[Callable[[bytes], bytes]]
    status: ClassVar[int] = 200

    def do_POST(self) -> None:  # noqa: N802 - http.server's name
        assert self.headers["Content-Type"] == "application/timestamp-query"
        query = self.rfile.read(int(self.headers["Content-Length"]))
        octets = type(self).reply(query)
        self.send_response(type(self).status)
        self.send_header("Content-Type", "application/timestamp-reply")
        self.send_header("Location", "file:///etc/passwd")
        self.end_headers()
        with contextlib.suppress(BrokenPipeError):
            self.wfile.write(octets)

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002
        """Say nothing."""


@pytest.fixture(scope="module")
def authority(tmp_path_factory: pytest.TempPathFactory) -> Authority:
    tiers.require_tool("openssl", tier="interop")
    made = Authority(tmp_path_factory.mktemp("tsa") / "own")
    made.make()
    return made


@pytest.fixture
def stamper(authority: Authority) -> Iterator[TimeStamper]:
    """A stamper that asks the authority over HTTP."""
    Handler.reply, Handler.status = authority.answer, 200
    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever, args=(0.05,))
    thread.start()
    try:
        yield TimeStamper(f"http://127.0.0.1:{server.server_port}/tsa", authority.root, 5)
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


def refused(kind: type[HpkiError], code: str, act: Callable[[], object]) -> HpkiError:
    with pytest.raises(kind) as refusal:
        act()
    assert refusal.value.code == code, refusal.value
    return refusal.value


def test_a_token_is_taken_and_openssl_agrees(authority: Authority, stamper: TimeStamper) -> None:
    token = stamper.stamp(BODY)
    assert authority.judge(token, BODY)
    assert not authority.judge(token, BODY + b" ")
    moment = stamper.verify(token, BODY)
    assert abs(datetime.now(UTC) - moment) < timedelta(minutes=5)


def test_another_digest_root_or_octet_is_refused(
    authority: Authority, stamper: TimeStamper, tmp_path: Path
) -> None:
    token = stamper.stamp(BODY)
    code = "audit.timestamp.wrong"
    refused(Refused, code, lambda: stamper.verify(token, BODY + b" "))
    other = Authority(tmp_path / "other")
    other.make()
    stranger = replace(stamper, roots_file=other.root)
    refused(Refused, code, lambda: stranger.verify(token, BODY))
    refused(Refused, code, lambda: stranger.stamp(BODY))
    for octets in (b"", b"garbage", token[:-1], token[:-3] + b"\0\0\0"):
        refused(Refused, code, partial(stamper.verify, octets, BODY))


def test_an_old_answer_is_refused(authority: Authority, stamper: TimeStamper) -> None:
    kept: list[bytes] = []

    def once(query: bytes) -> bytes:
        kept.append(authority.answer(query))
        return kept[0]

    Handler.reply = once
    stamper.stamp(BODY)
    refusal = refused(Refused, "audit.timestamp.wrong", lambda: stamper.stamp(BODY))
    assert "Nonce" in refusal.text


@pytest.mark.parametrize("garbage", [b"", b"<html>", b"\x30\x80", b"\x30\x03\x02\x01\x00"])
def test_an_answer_that_is_none_is_refused(stamper: TimeStamper, garbage: bytes) -> None:
    Handler.reply = lambda _: garbage
    refused(Refused, "audit.timestamp.wrong", lambda: stamper.stamp(BODY))


def test_an_authority_that_says_no(stamper: TimeStamper) -> None:
    Handler.reply = lambda _: bytes.fromhex("30053003020102")
    refused(Unavailable, "audit.timestamp.refused", lambda: stamper.stamp(BODY))


def test_an_endless_answer_is_cut_off(stamper: TimeStamper) -> None:
    Handler.reply = lambda _: b"\x30" * 70_000
    refusal = refused(Unavailable, "audit.timestamp.tsa", lambda: stamper.stamp(BODY))
    assert "larger" in refusal.text


def test_a_silent_authority_is_given_up(stamper: TimeStamper) -> None:
    def slow(_: bytes) -> bytes:
        time.sleep(1)
        return b""

    Handler.reply = slow
    hasty = replace(stamper, seconds=0.2)
    refusal = refused(Unavailable, "audit.timestamp.tsa", lambda: hasty.stamp(BODY))
    assert "in time" in refusal.text


@pytest.mark.parametrize("status", [302, 404, 500])
def test_no_redirection_is_followed(stamper: TimeStamper, status: int) -> None:
    Handler.status = status
    refused(Unavailable, "audit.timestamp.tsa", lambda: stamper.stamp(BODY))


@pytest.mark.parametrize(
    "url", ["file:///etc/passwd", "ftp://127.0.0.1/x", "http://127.0.0.1:1/", "http://[", "x"]
)
def test_only_http_is_asked(stamper: TimeStamper, url: str) -> None:
    elsewhere = replace(stamper, url=url)
    refused(Unavailable, "audit.timestamp.tsa", lambda: elsewhere.stamp(BODY))


def test_roots_must_be_there(stamper: TimeStamper, tmp_path: Path) -> None:
    token = stamper.stamp(BODY)
    without = replace(stamper, roots_file=tmp_path / "none.pem")
    refused(Unavailable, "audit.timestamp.roots", lambda: without.verify(token, BODY))
    (tmp_path / "none.pem").write_text("no certificates")
    empty = replace(stamper, roots_file=tmp_path / "none.pem")
    refused(InvalidInput, "audit.timestamp.roots", lambda: empty.verify(token, BODY))
