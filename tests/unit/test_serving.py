"""The repository over HTTP, by real sockets: what is answered, what never is, and how much."""

from __future__ import annotations

import gzip
import http.client
import os
import resource
import shutil
import socket
import threading
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime, parsedate_to_datetime
from functools import cache, partial
from hashlib import sha256
from pathlib import Path
from typing import Any

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding
from hypothesis import given
from hypothesis import strategies as st
from waitress import wasyncore
from waitress.server import BaseWSGIServer
from werkzeug.test import Client

from crl.serving import listen, make_server, repository_app
from pki import der
from pki.errors import Unavailable
from pki.signing import algorithm_der

NOW = datetime(2026, 11, 22, 3, 0, 0, tzinfo=UTC)
WRITTEN = NOW - timedelta(hours=5)
SECRET = b"this is a neighbour's and never leaves"
PAGE = "<!doctype html><title>失効リスト</title>".encode() + b"<p>x" * 500
KEY = ec.derive_private_key(7, ec.SECP256R1())
ISSUER = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "CA")])


@cache
def list_der(next_update: datetime, entries: int = 20) -> bytes:
    builder = x509.CertificateRevocationListBuilder(
        ISSUER, next_update - timedelta(hours=96), next_update
    )
    for number in range(entries):
        revoked = x509.RevokedCertificateBuilder(number + 1, NOW.replace(year=2020))
        builder = builder.add_revoked_certificate(revoked.build())
    return builder.sign(KEY, hashes.SHA256()).public_bytes(Encoding.DER)


def long_list(octets: int) -> bytes:
    """A list of about so many octets; its signature is none."""
    algorithm = algorithm_der(KEY.public_key(), "SHA-256")
    entry = der.sequence(der.integer(1 << 150), der.time(NOW))
    times = (der.time(NOW), der.time(NOW + timedelta(hours=96)))
    entries = der.sequence(entry * (octets // len(entry)))
    body = der.sequence(der.integer(1), algorithm, ISSUER.public_bytes(), *times, entries)
    return der.sequence(body, algorithm, der.tlv(0x03, bytes(65)))


@dataclass(frozen=True)
class Answer:
    status: int
    headers: http.client.HTTPMessage
    body: bytes


@dataclass(frozen=True)
class Repository:
    """A served folder beside which a secret lies."""

    folder: Path
    port: int

    def put(self, name: str, octets: bytes, moment: datetime = WRITTEN) -> None:
        path = self.folder / name
        path.write_bytes(octets)
        path.chmod(0o644)
        os.utime(path, (moment.timestamp(), moment.timestamp()))

    def ask(self, path: str, method: str = "GET", **headers: str) -> Answer:
        line = http.client.HTTPConnection("127.0.0.1", self.port, timeout=20)
        try:
            fields = {name.replace("_", "-"): value for name, value in headers.items()}
            line.request(method, path, headers=fields)
            got = line.getresponse()
            return Answer(got.status, got.headers, got.read())
        finally:
            line.close()

    def opened(self, octets: bytes, room: int = 1 << 16) -> socket.socket:
        """A connection of a client with little room that has sent this."""
        line = socket.socket()
        line.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, room)
        line.settimeout(20)
        line.connect(("127.0.0.1", self.port))
        line.sendall(octets)
        return line

    def raw(self, target: bytes) -> bytes:
        """All that comes back for a request line with this target."""
        fields = b" HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n"
        got = b""
        with self.opened(b"GET " + target + fields) as line, suppress(ConnectionResetError):
            while octets := line.recv(65536):
                got += octets
        return got


def _run(server: BaseWSGIServer) -> None:
    server.run()
    server.task_dispatcher.shutdown()


def _end(server: Any) -> None:
    for channel in list(server.active_channels.values()):
        channel.handle_close()
    wasyncore.close_all(server._map, ignore_all=True)


@pytest.fixture(scope="module")
def served(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Repository]:
    folder = tmp_path_factory.mktemp("site") / "public"
    with listen("127.0.0.1", 0) as listener:
        server = make_server(repository_app(folder, lambda: NOW), listener)
        thread = threading.Thread(target=_run, args=(server,))
        thread.start()
        yield Repository(folder, listener.getsockname()[1])
        server.trigger.pull_trigger(partial(_end, server))  # type: ignore[attr-defined]
        thread.join(20)
        assert not thread.is_alive()


@pytest.fixture
def repository(served: Repository) -> Repository:
    shutil.rmtree(served.folder, ignore_errors=True)
    (served.folder / "sub").mkdir(parents=True)
    served.put("../hpki.toml", SECRET)
    served.put("crl-sign.crl", list_der(NOW + timedelta(hours=96)))
    served.put("index.html", PAGE)
    served.put("sub/a.txt", b"inside")
    return served


@pytest.mark.parametrize(
    ("name", "media_type", "cache"),
    [
        ("a.crl", "application/pkix-crl", "no-cache"),
        ("a.cer", "application/pkix-cert", "public, max-age=3600"),
        ("a.p7c", "application/pkcs7-mime; smime-type=certs-only", "public, max-age=3600"),
        ("a.json", "application/json", "public, max-age=300"),
        ("a.txt", "text/plain; charset=utf-8", "public, max-age=300"),
        ("a.html", "text/html; charset=utf-8", "public, max-age=300"),
        ("a.pdf", "application/pdf", "public, max-age=3600"),
        ("失効.bin", "application/octet-stream", "public, max-age=300"),
    ],
)
def test_each_kind_has_its_headers(
    repository: Repository, name: str, media_type: str, cache: str
) -> None:
    repository.put(name, b"octets")
    got = repository.ask("/" + "".join(f"%{octet:02x}" for octet in name.encode()))
    assert (got.status, got.body) == (200, b"octets")
    assert got.headers["Content-Type"] == media_type
    assert got.headers["Cache-Control"] == cache
    assert got.headers["Content-Length"] == "6"
    assert got.headers["X-Content-Type-Options"] == "nosniff"
    assert got.headers["Accept-Ranges"] == "bytes"
    assert got.headers["ETag"] == f'"{sha256(b"octets").hexdigest()}"'
    assert parsedate_to_datetime(got.headers["Last-Modified"]) == WRITTEN
    assert parsedate_to_datetime(got.headers["Date"]) == NOW
    assert ("Content-Security-Policy" in got.headers) == (name == "a.html")
    assert (got.headers["Vary"] == "Accept-Encoding") == (
        name in ("a.crl", "a.json", "a.txt", "a.html")
    )
    assert "Server" not in got.headers
    assert "Via" not in got.headers


def test_the_front_is_the_index_and_folders_are_not_listed(repository: Repository) -> None:
    front = repository.ask("/")
    assert (front.status, front.body) == (200, PAGE)
    assert front.headers["Content-Type"] == "text/html; charset=utf-8"
    assert front.headers["Content-Security-Policy"].startswith("default-src 'none'; ")
    assert repository.ask("/sub/a.txt").body == b"inside"
    assert [repository.ask(path).status for path in ("/sub", "/sub/")] == [404, 404]
    (repository.folder / "index.html").unlink()
    missing = repository.ask("/")
    assert (missing.status, missing.headers["Cache-Control"]) == (404, "no-store")


@pytest.mark.parametrize(
    ("left", "cache", "expires"),
    [
        (timedelta(hours=96), "public, max-age=600", 600),
        (timedelta(seconds=601), "public, max-age=600", 600),
        (timedelta(seconds=120), "public, max-age=120", 120),
        (timedelta(0), "no-cache", 0),
        (timedelta(days=-1), "no-cache", 0),
    ],
)
def test_a_list_is_kept_briefly_and_never_past_its_next_update(
    repository: Repository, left: timedelta, cache: str, expires: int
) -> None:
    repository.put("a.crl", list_der(NOW + left))
    got = repository.ask("/a.crl")
    assert got.headers["Cache-Control"] == cache
    assert parsedate_to_datetime(got.headers["Expires"]) == NOW + timedelta(seconds=expires)
    assert got.body == list_der(NOW + left)


def test_a_cut_list_is_not_cached(repository: Repository) -> None:
    repository.put("a.crl", list_der(NOW + timedelta(hours=96))[:-1])
    assert repository.ask("/a.crl").headers["Cache-Control"] == "no-cache"
    repository.put("a.crl", b"")
    empty = repository.ask("/a.crl")
    assert (empty.status, empty.body) == (200, b"")
    assert empty.headers["Cache-Control"] == "no-cache"


@given(at=st.integers(0, 200), octet=st.integers(0, 255), cut=st.integers(0, 400))
def test_no_file_called_a_list_brings_it_down(
    tmp_path_factory: pytest.TempPathFactory, at: int, octet: int, cut: int
) -> None:
    folder = tmp_path_factory.getbasetemp() / "bent"
    folder.mkdir(exist_ok=True)
    whole = list_der(NOW + timedelta(hours=96))
    bent = (whole[:at] + bytes((octet,)) + whole[at + 1 :])[: len(whole) - cut]
    (folder / "a.crl").write_bytes(bent)
    (folder / "a.crl").chmod(0o644)
    got = Client(repository_app(folder, lambda: NOW)).get("/a.crl")
    assert (got.status_code, got.data) == (200, bent)
    got.close()


def test_a_validator_that_still_holds_saves_the_octets(repository: Repository) -> None:
    first = repository.ask("/crl-sign.crl")
    tag, moment = first.headers["ETag"], first.headers["Last-Modified"]
    for fields in (
        {"If_None_Match": tag},
        {"If_None_Match": f'"other", W/{tag}'},
        {"If_None_Match": "*"},
        {"If_Modified_Since": moment},
        {"If_Modified_Since": format_datetime(NOW, usegmt=True)},
        {"If_None_Match": tag, "If_Modified_Since": "Mon, 01 Jan 2001 00:00:00 GMT"},
    ):
        got = repository.ask("/crl-sign.crl", **fields)
        assert (got.status, got.body) == (304, b""), fields
        assert got.headers["ETag"] == tag
        assert got.headers["Cache-Control"] == "public, max-age=600"
        assert got.headers["Vary"] == "Accept-Encoding"
    for fields in (
        {"If_None_Match": '"other"'},
        {"If_None_Match": '"other"', "If_Modified_Since": moment},
        {"If_Modified_Since": format_datetime(WRITTEN - timedelta(seconds=1), usegmt=True)},
        {"If_Modified_Since": "never"},
    ):
        assert repository.ask("/crl-sign.crl", **fields).status == 200, fields
    repository.put("crl-sign.crl", list_der(NOW + timedelta(hours=97)), NOW)
    assert repository.ask("/crl-sign.crl", If_None_Match=tag).status == 200
    assert repository.ask("/crl-sign.crl", If_Modified_Since=moment).status == 200


def test_a_large_file_is_named_by_its_state(repository: Repository) -> None:
    repository.put("big.crl", long_list(1 << 20))
    first = repository.ask("/big.crl").headers["ETag"]
    assert repository.ask("/big.crl", If_None_Match=first).status == 304
    repository.put("new", long_list(1 << 20))
    (repository.folder / "new").replace(repository.folder / "big.crl")
    second = repository.ask("/big.crl", If_None_Match=first)
    assert (second.status, second.headers["ETag"] == first) == (200, False)


def test_last_modified_is_never_later_than_the_answer(repository: Repository) -> None:
    repository.put("a.cer", b"x", NOW + timedelta(days=1))
    assert parsedate_to_datetime(repository.ask("/a.cer").headers["Last-Modified"]) == NOW


@pytest.mark.parametrize(
    ("asked", "bounds"),
    [
        ("bytes=0-0", (0, 1)),
        ("bytes=10-19", (10, 20)),
        ("bytes=990-", (990, 1000)),
        ("bytes=990-5000", (990, 1000)),
        ("bytes=-10", (990, 1000)),
        ("bytes=-5000", (0, 1000)),
        ("BYTES=1-2", (1, 3)),
        ("bytes=0-", (0, 1000)),
        ("bytes=5-2", (0, 1000)),
        ("bytes=-", (0, 1000)),
        ("bytes=0-1,5-6", (0, 1000)),
        ("bytes=x-2", (0, 1000)),
        ("lines=0-1", (0, 1000)),
    ],
)
@pytest.mark.parametrize("name", ["small.cer", "small.crl"])
def test_one_range_is_sent_alone_and_any_other_wish_is_ignored(
    repository: Repository, asked: str, bounds: tuple[int, int], name: str
) -> None:
    octets = bytes(number % 251 for number in range(1000))
    repository.put(name, octets)
    got = repository.ask(f"/{name}", Range=asked, Accept_Encoding="gzip")
    begin, end = bounds
    assert got.body == octets[begin:end]
    assert got.headers["Content-Length"] == str(end - begin)
    assert "Content-Encoding" not in got.headers
    if bounds == (0, 1000):
        assert (got.status, got.headers["Content-Range"]) == (200, None)
    else:
        assert got.status == 206
        assert got.headers["Content-Range"] == f"bytes {begin}-{end - 1}/1000"
        assert got.headers["ETag"] == f'"{sha256(octets).hexdigest()}"'


@pytest.mark.parametrize("asked", ["bytes=1000-", "bytes=1000-2000", "bytes=-0"])
def test_a_range_beyond_the_end_is_unsatisfiable(repository: Repository, asked: str) -> None:
    repository.put("a.cer", bytes(1000))
    got = repository.ask("/a.cer", Range=asked)
    assert (got.status, got.headers["Content-Range"]) == (416, "bytes */1000")
    assert "ETag" not in got.headers
    assert got.headers["Cache-Control"] == "no-store"


def test_a_part_is_sent_only_of_what_the_client_has(repository: Repository) -> None:
    whole = repository.ask("/crl-sign.crl")
    tag, moment = whole.headers["ETag"], whole.headers["Last-Modified"]
    ask = partial(repository.ask, "/crl-sign.crl", Range="bytes=0-9")
    assert ask(If_Range=tag).status == 206
    for other in ('"other"', f"W/{tag}", f'{tag[:-1]}-gzip"', moment):
        got = ask(If_Range=other)
        assert (got.status, got.body) == (200, whole.body), other


def test_a_range_of_a_large_file(repository: Repository) -> None:
    octets = long_list(3 << 20)
    repository.put("big.crl", octets)
    assert repository.ask("/big.crl", Range="bytes=2000000-2000099").body == octets[2000000:2000100]
    assert repository.ask("/big.crl", Range="bytes=-2000000").body == octets[-2000000:]


def test_head_gives_the_headers_and_no_body(repository: Repository) -> None:
    for name in ("crl-sign.crl", "index.html", "none"):
        for accepted in ("identity", "gzip"):
            line = http.client.HTTPConnection("127.0.0.1", repository.port, timeout=20)
            line.request("GET", f"/{name}", headers={"Accept-Encoding": accepted})
            with line.getresponse() as got:
                full, octets = dict(got.headers), got.read()
            line.request("HEAD", f"/{name}", headers={"Accept-Encoding": accepted})
            with line.getresponse() as got:
                assert dict(got.headers) == full
                assert got.headers["Content-Length"] == str(len(octets))
                assert got.read() == b""
            line.request("GET", "/sub/a.txt")
            with line.getresponse() as got:
                assert got.read() == b"inside"
            line.close()
    assert repository.ask("/index.html", "HEAD", Range="bytes=0-1").status == 200


@pytest.mark.parametrize(
    ("accepted", "zipped"),
    [
        ("gzip", True),
        ("br, gzip;q=0.5", True),
        ("*", True),
        ("gzip;q=0", False),
        ("gzip;q=0, *", False),
        ("identity", False),
        ("br", False),
        ("", False),
    ],
)
def test_gzip_where_it_is_accepted(repository: Repository, accepted: str, zipped: bool) -> None:
    for name in ("crl-sign.crl", "index.html"):
        octets = (repository.folder / name).read_bytes()
        tag = sha256(octets).hexdigest()
        got = repository.ask(f"/{name}", Accept_Encoding=accepted)
        assert got.headers["Vary"] == "Accept-Encoding"
        assert got.headers["Content-Encoding"] == ("gzip" if zipped else None)
        assert got.headers["ETag"] == (f'"{tag}-gzip"' if zipped else f'"{tag}"')
        assert got.headers["Content-Length"] == str(len(got.body))
        assert (gzip.decompress(got.body) if zipped else got.body) == octets
        again = {"Accept_Encoding": accepted, "If_None_Match": got.headers["ETag"]}
        assert repository.ask(f"/{name}", **again).status == 304


def test_gzip_is_not_for_certificates_and_large_lists(repository: Repository) -> None:
    repository.put("a.cer", b"certificate" * 100)
    repository.put("big.crl", long_list(5 << 20))
    for name in ("a.cer", "big.crl"):
        got = repository.ask(f"/{name}", Accept_Encoding="gzip")
        assert got.body == (repository.folder / name).read_bytes()
        assert (got.headers["Content-Encoding"], got.headers["Vary"]) == (None, None)


ATTACKS = (
    b"/../hpki.toml",
    b"/%2e%2e/hpki.toml",
    b"/.%2E/hpki.toml",
    b"/..%2fhpki.toml",
    b"/%2e%2e%2fhpki.toml",
    b"/sub/../../hpki.toml",
    b"/sub/%2e%2e/%2e%2e/hpki.toml",
    b"/..\\hpki.toml",
    b"/..%5chpki.toml",
    b"/sub\\..\\..\\hpki.toml",
    b"/%c0%ae%c0%ae/hpki.toml",
    b"/%252e%252e/hpki.toml",
    b"//../hpki.toml",
    b"../hpki.toml",
    b"hpki.toml",
    b"http://x/../hpki.toml",
    b"file:///etc/passwd",
    b"//etc/passwd",
    b"/%2fetc/passwd",
    b"/sub//etc/passwd",
    b"*",
    b"/./index.html",
    b"/sub/./a.txt",
    b"/sub/../index.html",
    b"/index.html/",
    b"/index.html/x",
    b"/index.html%00",
    b"/%00",
    b"/index.html%00.crl",
    b"/index.html%0d%0aX-A:%20b",
    b"/%1b[31m",
    b"/%ff",
    b"/%ed%b2%80",
    b"/" + b"a" * 4000,
    b"/" + b"a/" * 2000,
    b"/" + b"a" * 9000,
    b"/.hidden",
    b"/.git/config",
    b"/sub/.hidden",
    b"/link.txt",
    b"/inner.txt",
    b"/up/hpki.toml",
    b"/own/a.txt",
    b"/fifo",
    b"/private.txt",
)


def test_only_published_files_are_ever_sent(repository: Repository) -> None:
    folder = repository.folder
    (folder / ".git").mkdir()
    for name in (".hidden", ".git/config", "sub/.hidden", "private.txt"):
        repository.put(name, SECRET)
    (folder / "private.txt").chmod(0o640)
    (folder / "link.txt").symlink_to(folder.parent / "hpki.toml")
    (folder / "inner.txt").symlink_to("index.html")
    (folder / "up").symlink_to(folder.parent)
    (folder / "own").symlink_to("sub")
    os.mkfifo(folder / "fifo", 0o644)
    for attack in ATTACKS:
        got = repository.raw(attack)
        assert got[:12] in (b"HTTP/1.1 404", b"HTTP/1.0 400", b"HTTP/1.1 400", b"HTTP/1.0 431"), (
            attack,
            got,
        )
        assert SECRET not in got
        assert b"root:" not in got
    assert repository.ask("/index.html").status == 200


def test_what_is_not_http_is_refused(repository: Repository) -> None:
    for octets in (
        b"\0\0\r\n\r\n",
        b"GET\r\n\r\n",
        b"GET / HTTP/9.9\r\nA\r\n\r\n",
        b"\x16\x03\x01" * 9,
    ):
        with repository.opened(octets + b"\r\n\r\n") as line:
            assert line.recv(65536)[9:12] == b"400", octets
    with repository.opened(b"GET / HTTP/1.1\r\nA: " + b"x" * 9000 + b"\r\n\r\n") as line:
        assert line.recv(65536)[9:12] == b"431"
    assert repository.ask("/").status == 200


def test_nothing_can_be_changed(repository: Repository) -> None:
    def state() -> dict[str, tuple[bytes, int]]:
        files = (path for path in repository.folder.rglob("*") if path.is_file())
        return {str(path): (path.read_bytes(), path.stat().st_mtime_ns) for path in files}

    before = state()
    for method in ("PUT", "POST", "DELETE", "PATCH", "OPTIONS", "TRACE", "MKCOL"):
        for path in ("/crl-sign.crl", "/new.crl", "/"):
            got = repository.ask(path, method, Content_Length="0")
            assert (got.status, got.headers["Allow"]) == (405, "GET, HEAD"), method
    with repository.opened(b"PUT /a HTTP/1.1\r\nContent-Length: 99999999\r\n\r\n") as line:
        assert line.recv(65536)[9:12] == b"413"
    assert state() == before


def test_a_file_replaced_while_it_is_sent_arrives_whole(repository: Repository) -> None:
    old, new = long_list(24 << 20), long_list(23 << 20)
    repository.put("big.crl", old)
    with repository.opened(b"GET /big.crl HTTP/1.0\r\n\r\n") as line:
        got = line.recv(1000)
        repository.put("next", new)
        (repository.folder / "next").replace(repository.folder / "big.crl")
        assert repository.ask("/big.crl").body == new
        got += b"".join(iter(partial(line.recv, 1 << 20), b""))
    assert got.partition(b"\r\n\r\n")[2] == old


def test_twenty_clients_at_once(repository: Repository) -> None:
    repository.put("big.crl", long_list(2 << 20))
    names = ("crl-sign.crl", "index.html", "big.crl", "sub/a.txt")

    def client(number: int) -> bool:
        name = names[number % 4]
        return repository.ask(f"/{name}").body == (repository.folder / name).read_bytes()

    with ThreadPoolExecutor(20) as clients:
        assert all(clients.map(client, range(200)))


def test_slow_clients_hold_up_nobody(repository: Repository) -> None:
    repository.put("big.crl", long_list(24 << 20))
    slow = [repository.opened(b"GET /big.crl HTTP/1.1\r\nHost: x\r\n\r\n") for _ in range(12)]
    slow += [repository.opened(b"GET /big.crl HTTP/1.1\r\nHo") for _ in range(12)]
    try:
        began = time.monotonic()
        for _ in range(10):
            assert repository.ask("/crl-sign.crl").status == 200
        assert time.monotonic() - began < 5
    finally:
        for line in slow:
            line.close()


def test_a_lack_of_descriptors_is_told_as_such(repository: Repository) -> None:
    client = Client(repository_app(repository.folder, lambda: NOW))
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    try:
        resource.setrlimit(resource.RLIMIT_NOFILE, (0, hard))
        got = client.get("/index.html")
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))
    assert (got.status_code, got.headers["Cache-Control"]) == (503, "no-store")


def test_descriptors_are_given_back(repository: Repository) -> None:
    repository.put("big.crl", long_list(1 << 20))
    paths = ("/", "/sub/a.txt", "/none", "/sub", "/sub/none", "/big.crl", "/crl-sign.crl")
    repository.ask("/")
    before = len(os.listdir("/proc/self/fd"))
    for path in paths:
        for method in ("GET", "HEAD"):
            repository.ask(path, method)
            repository.ask(path, method, Range="bytes=999999999-", Accept_Encoding="gzip")
            repository.ask(path, method, If_None_Match="*")
    deadline = time.monotonic() + 10
    while len(os.listdir("/proc/self/fd")) > before and time.monotonic() < deadline:
        time.sleep(0.02)  # the server closes its side a moment after ours
    assert len(os.listdir("/proc/self/fd")) <= before


@pytest.mark.parametrize(
    ("host", "code"),
    [("127.0.0.1", "crl.serve.taken"), ("192.0.2.1", "crl.serve.address"),
     ("no host", "crl.serve.address"), ("a" * 70, "crl.serve.address")],
)  # fmt: skip
def test_an_address_that_cannot_be_had(repository: Repository, host: str, code: str) -> None:
    with pytest.raises(Unavailable) as caught:
        listen(host, repository.port)
    assert caught.value.code == code
