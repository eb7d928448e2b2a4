"""Lists judged as relying parties get them: by real web servers, sound, wrong, slow, and gone."""

from __future__ import annotations

import base64
import json
import socket
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from wsgiref.simple_server import WSGIRequestHandler, make_server

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding
from sqlalchemy import text

from crl.monitoring.fetching import fetched, is_url
from crl.monitoring.inspection import Inspected, Inspection
from crl.monitoring.judging import Expected, Newest, judge
from crl.monitoring.observation import Observation, observe
from crl.monitoring.seen import MOST_PLACES, Memory, Seen, load_memory
from crl.monitoring.watch import Watch
from crl.serving import repository_app
from pki.errors import InvalidInput, NotFound, Unavailable
from pki.findings import Severity
from tests.flows.conftest import Centre
from tests.flows.issuing import issue, refused, revoke
from tests.flows.test_lists import octets_of

NOW = datetime(2026, 11, 22, 3, 0, 0, tzinfo=UTC)
HOUR = timedelta(hours=1)
KEYS = [ec.derive_private_key(number, ec.SECP256R1()) for number in (7, 8)]


def ca(name: str, key: ec.EllipticCurvePrivateKey = KEYS[0]) -> x509.Certificate:
    subject = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, name)])
    builder = x509.CertificateBuilder(subject, subject, key.public_key(), 1)
    builder = builder.not_valid_before(NOW - 24 * HOUR).not_valid_after(NOW + 1000 * HOUR)
    return builder.sign(key, hashes.SHA256())


CA = ca("CA")


def list_der(
    number: int | None = 5,
    entries: int = 3,
    at: datetime = NOW - HOUR,
    *,
    hours: float = 96,
    issuer: x509.Certificate = CA,
    key: ec.EllipticCurvePrivateKey = KEYS[0],
    algorithm: hashes.SHA256 | hashes.SHA512 | None = None,
) -> bytes:
    builder = x509.CertificateRevocationListBuilder(issuer.subject, at, at + hours * HOUR)
    for serial in range(1, entries + 1):
        one = x509.RevokedCertificateBuilder(serial, NOW - 48 * HOUR).build()
        builder = builder.add_revoked_certificate(one)
    if number is not None:
        builder = builder.add_extension(x509.CRLNumber(number), critical=False)
    return builder.sign(key, algorithm or hashes.SHA256()).public_bytes(Encoding.DER)


def pem(octets: bytes) -> bytes:
    body = base64.encodebytes(octets)
    return b"text before\r\n-----BEGIN X509 CRL-----\n" + body + b"-----END X509 CRL-----\n"


@dataclass
class Web:
    """A web server whose answers a test writes octet by octet."""

    url: str = ""
    answers: dict[str, Callable[[BaseHTTPRequestHandler], None]] = field(default_factory=dict)
    closed: threading.Event = field(default_factory=threading.Event)

    def serve(
        self,
        path: str,
        octets: bytes,
        media_type: str = "application/pkix-crl",
        *,
        status: int = 200,
        length: int | None = None,
        **headers: str,
    ) -> str:
        def answer(handler: BaseHTTPRequestHandler) -> None:
            handler.send_response(status)
            handler.send_header("Content-Type", media_type)
            handler.send_header("Content-Length", str(len(octets) if length is None else length))
            for name, value in headers.items():
                handler.send_header(name, value)
            handler.end_headers()
            handler.wfile.write(octets)

        self.answers[path] = answer
        return self.url + path


@pytest.fixture
def web() -> Iterator[Web]:
    made = Web()

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:  # noqa: N802 - the library calls it so
            made.answers[self.path](self)

        def log_message(self, *_: object) -> None:
            pass

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        server.daemon_threads = True
        made.url = f"http://127.0.0.1:{server.server_address[1]}"
        thread = threading.Thread(target=server.serve_forever, args=(0.01,))
        thread.start()
        yield made
        made.closed.set()
        server.shutdown()
        thread.join()


def outsider(
    memory: Memory | None = None, *, now: datetime = NOW, seconds: float = 5
) -> Inspection:
    """An inspection without a site."""
    known = [ca("other"), CA]
    return Inspection(known, memory or Memory(None), None, lambda: now, 24 * HOUR, seconds)


def told(one: Inspected) -> tuple[str | None, list[str]]:
    """The severity, and the codes in short."""
    return one.severity, [remark.code.removeprefix("crl.check.") for remark in one.remarks]


SOUND: tuple[None, list[str]] = (None, [])


def error(*codes: str) -> tuple[Severity, list[str]]:
    return Severity.ERROR, list(codes)


def warning(*codes: str) -> tuple[Severity, list[str]]:
    return Severity.WARNING, list(codes)


def test_a_list_on_a_web_server_and_in_a_file_is_sound(web: Web, tmp_path: Path) -> None:
    octets = list_der()
    (tmp_path / "list.crl").write_bytes(octets)
    (tmp_path / "list.pem").write_bytes(pem(octets))
    web.serve("/real.crl", octets)
    places = (
        web.serve("/list.crl", octets),
        web.serve("/list.pem", pem(octets)),
        web.serve("/moved", b"", status=302, Location="/real.crl"),
        str(tmp_path / "list.crl"),
        str(tmp_path / "list.pem"),
    )
    for place in places:
        one = outsider().look(place)
        assert told(one) == SOUND, place
        assert one.found is not None
        assert (one.found.number, one.found.entries, one.found.octets) == (5, 3, len(octets))
        assert one.found.issuer == "CN=CA"


def test_what_is_no_sound_list_of_the_ca_is_an_error(tmp_path: Path) -> None:
    octets, stranger = list_der(), ca("other", KEYS[1])
    for code, wrong in (
        ("crl.foreign", list_der(issuer=ca("nobody"))),
        ("crl.signature", list_der(key=KEYS[1])),
        ("crl.signature", list_der(issuer=stranger, key=KEYS[1])),
        ("crl.algorithm", list_der(algorithm=hashes.SHA512())),
        ("pki.crl.unreadable", octets[:-1]),
        ("pki.crl.unreadable", b"<html>not found</html>"),
        ("pki.crl.unreadable", b""),
        ("pki.pem.cut", pem(octets)[:200]),
        ("pki.pem.base64", pem(octets).replace(b"M", b"!")),
        ("number", list_der(None)),
        ("early", list_der(at=NOW + 2 * HOUR)),
        ("expired", list_der(at=NOW - 96 * HOUR)),
    ):
        file = tmp_path / "list.crl"
        file.write_bytes(wrong)
        one = outsider().look(str(file))
        assert told(one) == error(code), code
        assert one.reached
        assert all(remark.hint for remark in one.remarks)


def test_a_list_that_ends_soon_is_a_warning(tmp_path: Path) -> None:
    file = tmp_path / "list.crl"
    file.write_bytes(list_der(at=NOW - HOUR, hours=25))
    assert told(outsider().look(str(file))) == SOUND, "just as long as asked for"
    (remark,) = outsider(now=NOW + timedelta(seconds=1)).look(str(file)).remarks
    assert remark.code == "crl.check.ends_soon"
    assert remark.severity is Severity.WARNING
    assert "hpki crl due" in remark.hint


def test_the_media_type_is_looked_at(web: Web) -> None:
    for media_type in ("text/plain", "application/octet-stream"):
        place = web.serve("/list.crl", list_der(), media_type)
        assert told(outsider().look(place)) == warning("media_type")
    place = web.serve("/list.crl", list_der(), "Application/PKIX-CRL; charset=binary")
    assert told(outsider().look(place)) == SOUND


@contextmanager
def answered(octets: bytes, pause: float = 0.0) -> Iterator[str]:
    """A server that sends these octets, one by one with a pause, to whoever connects."""
    with socket.create_server(("127.0.0.1", 0)) as listener:

        def drip() -> None:
            try:
                connection, _ = listener.accept()
            except OSError:
                return
            with connection:
                try:
                    connection.recv(4096)
                    for octet in octets if pause else [octets]:
                        connection.sendall(bytes((octet,)) if isinstance(octet, int) else octet)
                        time.sleep(pause)
                except OSError:
                    pass

        thread = threading.Thread(target=drip)
        thread.start()
        yield f"http://127.0.0.1:{listener.getsockname()[1]}/list.crl"
        thread.join()


def test_what_cannot_be_fetched_whole_is_said(web: Web) -> None:
    octets = list_der()
    free = socket.create_server(("127.0.0.1", 0))
    closed = f"http://127.0.0.1:{free.getsockname()[1]}/list.crl"
    free.close()
    loop = web.serve("/loop", b"", status=302, Location="/loop")
    for place, words in (
        (web.serve("/cut.crl", octets, length=len(octets) + 9), "broke off"),
        (web.serve("/none.crl", b"no", status=404), "status 404"),
        (web.serve("/down.crl", b"no", status=503), "status 503"),
        (web.serve("/file", b"", status=302, Location="file:///etc/passwd"), "not allowed"),
        (web.serve("/ftp", b"", status=302, Location="ftp://127.0.0.1/x"), "ftp"),
        (loop, "status 302"),
        (web.serve("/huge.crl", octets, length=1 << 40), "broke off"),
        (closed, "refused"),
    ):
        one = outsider().look(place)
        assert (one.reached, one.severity) == (False, Severity.ERROR), place
        assert one.remarks[0].code == "crl.fetch"
        assert words in one.remarks[0].text.lower(), one.remarks[0].text
        assert one.remarks[0].hint
    for nonsense in (b"", b"nonsense\r\n\r\n", b"HTTP/1.1 200 OK\r\n" + b"X" * 70000):
        with answered(nonsense) as place:
            assert outsider().look(place).remarks[0].code == "crl.fetch"


@pytest.mark.parametrize(
    "start", [b"", b"HTTP/1.1 200 OK\r\nContent-Length: 9999\r\n\r\n"], ids=["headers", "body"]
)
def test_a_server_that_drips_is_cut_off(start: bytes) -> None:
    """Each octet comes in time, and all of them never would."""
    began = time.monotonic()
    with answered(start + b"HTTP/1.1 200 OK\r\nX: " + b"x" * 400, 0.01) as place:
        one = outsider(seconds=0.5).look(place)
        assert time.monotonic() - began < 2.5
    assert "0.5 s" in one.remarks[0].text


def test_a_silent_server_is_given_up(web: Web) -> None:

    def wait(_: BaseHTTPRequestHandler) -> None:
        web.closed.wait(10)

    web.answers["/list.crl"] = wait
    began = time.monotonic()
    one = outsider(seconds=0.3).look(web.url + "/list.crl")
    assert time.monotonic() - began < 2
    assert "0.3 s" in one.remarks[0].text


def test_places_that_are_none(tmp_path: Path) -> None:
    for wrong in ("file:///etc/passwd", "ftp://x/y", "http://", "http://a b/", "http://x:y/"):
        refused(InvalidInput, "crl.fetch.url", lambda wrong=wrong: is_url(wrong))  # type: ignore[misc]
    for code, kind, path in (
        ("crl.fetch.none", NotFound, tmp_path / "none.crl"),
        ("crl.fetch.file", NotFound, tmp_path),
        ("crl.fetch.file", NotFound, Path("/proc/self/fd")),
    ):
        with pytest.raises(kind) as caught, fetched(str(path), 1):
            pass
        assert caught.value.code == code
        assert not outsider().look(str(path)).reached


def test_an_https_server_must_prove_its_name(web: Web) -> None:
    place = web.serve("/list.crl", list_der()).replace("http://", "https://")
    assert outsider().look(place).remarks[0].code == "crl.fetch"


# what was seen before


def seen(tmp_path: Path, *steps: tuple[bytes, tuple[str | None, list[str]]]) -> None:
    """Look at one place again and again, in a process of its own each time."""
    file, memory = tmp_path / "list.crl", tmp_path / "crl-seen.json"
    for number, (octets, wanted) in enumerate(steps):
        file.write_bytes(octets)
        inspection = outsider(load_memory(memory))
        assert told(inspection.look(str(file))) == wanted, number
        inspection.memory.keep()


def test_a_list_never_goes_backwards(tmp_path: Path) -> None:
    seen(
        tmp_path,
        (list_der(5), SOUND),
        (list_der(7), SOUND),
        (list_der(6), error("backwards")),
        (list_der(6), error("backwards")),
        (list_der(9, at=NOW + 2 * HOUR), error("early")),
        (list_der(8), SOUND),
        (list_der(8, entries=2), error("twice")),
        (list_der(8, at=NOW - 2 * HOUR), error("twice")),
        (list_der(9, key=KEYS[1]), error("crl.signature")),
        (list_der(9), SOUND),
    )


def test_entries_that_leave_without_reason_are_told_as_long_as_the_list_stands(
    tmp_path: Path,
) -> None:
    shrunk = list_der(6, entries=17)
    seen(
        tmp_path,
        (list_der(5, entries=20), SOUND),
        (shrunk, warning("fewer")),
        (shrunk, warning("fewer")),
        (list_der(7, entries=16), SOUND),
        (list_der(8, entries=0), warning("fewer")),
    )


def test_the_file_of_what_was_seen_is_small_private_and_judged(tmp_path: Path) -> None:
    path = tmp_path / "crl-seen.json"
    assert load_memory(path).places == {}
    (tmp_path / "list.crl").write_bytes(list_der())
    with (tmp_path / "list.crl").open("rb") as file:
        found = observe(file, [CA])
    memory = load_memory(path)
    for number in range(MOST_PLACES + 5):
        memory.remember(f"place {number}", found)
    memory.remember("place 7", found)
    memory.keep()
    assert path.stat().st_mode & 0o777 == 0o600
    kept = load_memory(path).places
    assert len(kept) == MOST_PLACES
    assert {"place 7", "place 1004"} <= set(kept)
    assert "place 4" not in kept
    sound = json.loads(path.read_bytes())
    one = sound["places"]["place 7"]
    for wrong in (
        b"",
        b"[]",
        b"{",
        b"\xff",
        b"[" * 100_000,
        json.dumps({**sound, "type": "other"}).encode(),
        json.dumps({**sound, "places": {"x": {**one, "number": "5"}}}).encode(),
        json.dumps({**sound, "places": {"x": {**one, "number": True}}}).encode(),
        json.dumps({**sound, "places": {"x": {**one, "more": 1}}}).encode(),
        json.dumps({**sound, "places": {"x": {}}}).encode(),
        json.dumps({**sound, "places": {"x": {**one, "before_update": "soon"}}}).encode(),
        b" " * (1 << 21),
    ):
        path.write_bytes(wrong)
        assert (
            "Remove it" in refused(InvalidInput, "crl.check.seen", lambda: load_memory(path)).hint
        )
    refused(Unavailable, "crl.check.seen_file", lambda: load_memory(tmp_path))
    refused(Unavailable, "crl.check.seen_file", Memory(tmp_path / "none" / "x").keep)


# pure judging with what a site knows

FOUND = Observation("CN=CA", b"", 5, NOW - HOUR, NOW + 95 * HOUR, 3, 500, "0" * 64)
KNOWN = Expected(48 * HOUR, 24 * HOUR, HOUR / 2, ours=True, newest=Newest(5, NOW - HOUR), ended=0)


def codes(found: Observation, expected: Expected, before: Seen | None = None) -> list[str]:
    remarks = judge(found, expected, before, NOW)
    assert all(one.hint and one.text for one in remarks)
    return [f"{one.severity} {one.code.removeprefix('crl.check.')}" for one in remarks]


@pytest.mark.parametrize(
    ("found", "expected", "wanted"),
    [
        ({}, {}, []),
        ({"this_update": NOW + timedelta(seconds=60)}, {}, []),
        ({"this_update": NOW + timedelta(seconds=61)}, {}, ["ERROR early"]),
        ({"next_update": NOW}, {}, ["ERROR expired"]),
        ({"next_update": None}, {}, ["ERROR no_end"]),
        ({"next_update": NOW + 48 * HOUR}, {}, []),
        ({"next_update": NOW + 47 * HOUR}, {}, ["WARNING ends_soon"]),
        ({"this_update": NOW - 24.5 * HOUR}, {}, []),
        ({"this_update": NOW - 25 * HOUR}, {}, ["WARNING old"]),
        ({"this_update": NOW - 25 * HOUR}, {"interval": None}, []),
        ({}, {"ours": False, "newest": None}, ["ERROR unknown"]),
        ({}, {"newest": Newest(6, NOW - HOUR / 2)}, ["WARNING behind"]),
        ({}, {"newest": Newest(6, NOW - HOUR)}, ["ERROR behind"]),
        ({"number": 6}, {}, []),
        ({"media_type": ""}, {}, ["WARNING media_type"]),
    ],
)
def test_a_list_is_judged_by_what_a_site_knows(
    found: dict[str, object], expected: dict[str, object], wanted: list[str]
) -> None:
    assert codes(replace(FOUND, **found), replace(KNOWN, **expected)) == wanted  # type: ignore[arg-type]


def test_only_as_many_entries_leave_as_certificates_ended() -> None:
    before = Seen(4, "1" * 64, "2026-11-21T03:00:00Z", 10, 10, "2026-11-21T03:00:00Z")
    for ended, wanted in ((7, []), (6, ["WARNING fewer"]), (None, ["WARNING fewer"])):
        assert codes(FOUND, replace(KNOWN, ended=ended), before) == wanted


# a site


def watched(centre: Centre, memory: Memory) -> Inspection:
    watch = Watch(centre.store, centre.authorities, centre.lists, centre.parameters)
    clock = centre.trail.clock
    return Inspection(watch.certificates(), memory, watch, clock, 0 * HOUR, 5)


def test_a_sites_own_repository_is_watched(centre: Centre) -> None:
    centre.due()
    centre.repository.publish()
    memory = Memory(None)
    inspection = watched(centre, memory)
    assert inspection.watch is not None
    names = [place.rpartition("/")[2] for place in inspection.watch.places()]
    assert names == ["rarl.crl", "sarl.crl", "auth.crl", "sign.crl"]
    with served(centre) as url:
        assert [told(inspection.look(url + name)) for name in names] == [SOUND] * 4
        first = (centre.folder / "public" / "sign.crl").read_bytes()
        revoke(centre, issue(centre))
        centre.pass_time(minutes=5)
        centre.due()
        one = inspection.look(url + "sign.crl")
        assert told(one) == SOUND
        assert one.found is not None
        assert (one.found.number, one.found.entries) == (2, 1)
        (centre.folder / "public" / "sign.crl").write_bytes(first)
        one = inspection.look(url + "sign.crl")
        assert told(one) == error("behind", "backwards")
        assert one.remarks[0].severity is Severity.WARNING, "published just now"
        centre.pass_time(minutes=31)
        assert told(watched(centre, Memory(None)).look(url + "sign.crl")) == error("behind")
        centre.pass_time(hours=24)
        assert told(inspection.look(url + "auth.crl")) == warning("old")


class Quiet(WSGIRequestHandler):
    def log_message(self, *_: object) -> None:
        pass


@contextmanager
def served(centre: Centre) -> Iterator[str]:
    """The URL of the centre's repository."""
    app = repository_app(centre.folder / "public", centre.trail.clock)
    with make_server("127.0.0.1", 0, app, handler_class=Quiet) as server:
        thread = threading.Thread(target=server.serve_forever, args=(0.01,))
        thread.start()
        yield f"http://127.0.0.1:{server.server_port}/"
        server.shutdown()
        thread.join()


def test_a_list_that_the_site_never_made_is_an_error(centre: Centre, tmp_path: Path) -> None:
    (made,) = centre.lists.issue("sign", "SYSTEM")
    octets = octets_of(centre, made)
    store = centre.folder / "unknown.crl"
    store.write_bytes(octets)
    assert told(watched(centre, Memory(None)).look(str(store))) == SOUND
    with centre.store.begin() as tx:
        tx.execute(text("DELETE FROM revocation_list"))
    memory = Memory(None)
    assert told(watched(centre, memory).look(str(store))) == error("unknown")
    assert memory.places == {}
