"""Debian's nginx as docs/operations/nginx.md has it: the repository, and a site for cards only."""

from __future__ import annotations

import json
import re
import shutil
import socket
import ssl
import subprocess
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from urllib.parse import unquote

import pytest
from cryptography import x509
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat
from werkzeug.test import Client

from ca.records import Issuer
from crl.serving import repository_app
from pki.validity import whole_seconds
from policies.profiles import Purpose
from store.database import Store
from tests.flows.conftest import Centre
from tests.flows.issuing import PURPOSES, card_key, certificate, issue, revoke
from tests.interop.web_server import (
    Nginx,
    answering_application,
    blocks,
    make_server_key,
    running,
    tls_client,
)
from tests.tiers import require_tool

pytestmark = pytest.mark.xdist_group("nginx")

LISTS = ("rarl", "sarl", "auth")


@dataclass(frozen=True)
class Stages:
    """What the centre published at three times, and the cards' certificates with their keys.

    ``expired``: five days ago; ``fresh``: now; ``revoked``: after card 2 was revoked.
    """

    folder: Path

    def public(self, stage: str) -> Path:
        return self.folder / f"public-{stage}"

    def card(self, number: int, purpose: Purpose) -> Path:
        """Certificate, that of its CA, and key, PEM."""
        return self.folder / f"card-{number}-{purpose}.pem"


@pytest.fixture(scope="module")
def stages(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stages]:
    folder = tmp_path_factory.mktemp("stages")
    found = Stages(folder)
    store = Store(f"sqlite:///{folder / 'store.sqlite'}")
    now = whole_seconds(datetime.now(UTC))
    centre = Centre(store, folder, now=now - timedelta(days=5))
    centre.set_up()
    centre.hold_ceremony()
    carriers = {number: issue(centre, number) for number in (1, 2)}
    with centre.store.read() as tx:
        issuers = {one: tx.get_one(Issuer, one.lower()).certificate_der or b"" for one in PURPOSES}
    for number, carrier in carriers.items():
        for purpose in PURPOSES:
            key = card_key(4 * number + 2 + PURPOSES.index(purpose))
            chain = (
                certificate(centre, carrier, purpose),
                x509.load_der_x509_certificate(issuers[purpose]),
            )
            octets = key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
            octets += b"".join(one.public_bytes(Encoding.PEM) for one in chain)
            found.card(number, purpose).write_bytes(octets)

    def publish(stage: str) -> None:
        centre.due()
        assert centre.repository.publish() == []
        shutil.copytree(centre.folder / "public", found.public(stage))

    publish("expired")
    centre.now = now - timedelta(minutes=20)
    publish("fresh")
    revoke(centre, carriers[2])
    centre.pass_time(minutes=10)
    publish("revoked")
    yield found
    store.close()


@pytest.fixture(scope="module")
def nginx(stages: Stages) -> Iterator[Nginx]:
    """The runbook followed from its beginning, with the fresh lists."""
    system = shutil.which("nginx", path="/usr/sbin")  # which is not on everybody's PATH
    program = system or require_tool("nginx", tier="interop")
    require_tool("curl", tier="interop")
    folder = Path(tempfile.mkdtemp(prefix="hpki-nginx-"))
    folder.chmod(0o755)
    try:
        with answering_application() as port:
            server = Nginx(folder, program, port)
            make_server_key(folder)
            server.put(stages.public("fresh"))
            values = {"/srv/hpki/site/public": folder / "public"}
            server.configure(
                "repository", {"listen 80;": f"listen 127.0.0.1:{server.http};", **values}
            )
            with running(server):
                set_up_site(server, stages)
                yield server
    finally:
        shutil.rmtree(folder)


def set_up_site(server: Nginx, stages: Stages) -> None:
    (once,) = (block for block in blocks("sh") if "-fingerprint" in block)
    done = server.shell(once, server.documented)
    assert done.returncode == 0, done.stderr
    assert "auth.pem: OK" in done.stdout
    server.start_afresh(stages.public("fresh"))
    server.configure(
        "charts",
        {
            "listen 443 ssl;": f"listen 127.0.0.1:{server.https} ssl;",
            "/etc/ssl/certs": server.folder,
            "/etc/ssl/private": server.folder,
            "/etc/nginx/cards": server.cards,
            "/var/log/nginx": server.folder / "log",
            "http://127.0.0.1:8000": f"http://127.0.0.1:{server.application}",
        },
    )
    server.reload()


# The repository


def test_every_file_is_served_as_by_hpki_serve(nginx: Nginx, stages: Stages) -> None:
    nginx.put(stages.public("fresh"))
    public = nginx.folder / "public"
    (public / "cps-1.0.pdf").write_bytes(b"%PDF-1.7\n%%EOF\n")
    (public / "status.json").write_bytes(b"{}")
    ours = Client(repository_app(public, lambda: datetime.now(UTC)))
    names = sorted(path.name for path in public.iterdir())
    assert {"auth.crl", "root.cer", "index.html"} <= set(names)
    for name in ("", *names):
        answer, wanted = nginx.ask("GET", f"/{name}"), ours.get(f"/{name}", buffered=True)
        assert (answer.status, answer.body) == (200, wanted.data), name
        for field in (
            "Content-Type",
            "Cache-Control",
            "Content-Security-Policy",
            "X-Content-Type-Options",
            "Last-Modified",
            "Content-Length",
        ):
            assert answer.headers[field] == wanted.headers.get(field), (name, field)
        assert "Server" not in answer.headers or "/" not in answer.headers["Server"]


def test_a_list_is_asked_for_in_every_way(nginx: Nginx, stages: Stages) -> None:
    nginx.put(stages.public("revoked"))
    octets = (stages.public("revoked") / "auth.crl").read_bytes()
    whole = nginx.ask("GET", "/auth.crl")
    assert whole.body == octets
    head = nginx.ask("HEAD", "/auth.crl")
    assert (head.status, head.body) == (200, b"")
    assert head.headers["Content-Length"] == str(len(octets))
    part = nginx.ask("GET", "/auth.crl", Range="bytes=10-19")
    assert (part.status, part.body) == (206, octets[10:20])
    tag, changed = whole.headers["ETag"], whole.headers["Last-Modified"]
    assert nginx.ask("GET", "/auth.crl", **{"If-None-Match": tag}).status == 304
    assert nginx.ask("GET", "/auth.crl", **{"If-Modified-Since": changed}).status == 304
    nginx.put(stages.public("fresh"))
    again = nginx.ask("GET", "/auth.crl", **{"If-None-Match": tag})
    assert (again.status, again.body) == (
        200,
        (stages.public("fresh") / "auth.crl").read_bytes(),
    )


def test_nothing_else_is_served(nginx: Nginx) -> None:
    public = nginx.folder / "public"
    (public / ".lock").write_bytes(b"")
    (public / "folder").mkdir(exist_ok=True)
    (public / "folder" / ".secret").write_bytes(b"secret")
    (nginx.folder / "outside.crl").write_bytes(b"outside")
    (public / "link.crl").unlink(missing_ok=True)
    (public / "link.crl").symlink_to(nginx.folder / "outside.crl")
    for path, status in (
        ("/.lock", 404),
        ("/folder/.secret", 404),
        ("/folder/", 403),
        ("/link.crl", 403),
        ("/none.crl", 404),
        ("/../outside.crl", 400),
        ("/..%2foutside.crl", 400),
    ):
        answer = nginx.ask("GET", path)
        assert answer.status == status, path
        assert b"outside" not in answer.body
        assert b"secret" not in answer.body
    for method in ("POST", "PUT", "DELETE"):
        assert nginx.ask(method, "/auth.crl").status == 405
    (public / "link.crl").unlink()


# Cards


def test_a_card_gets_in_by_tls_1_2_with_forward_secrecy(nginx: Nginx, stages: Stages) -> None:
    nginx.start_afresh(stages.public("fresh"))
    answer = nginx.enter(stages.card(1, Purpose.AUTH))
    assert answer.status == 200
    version, suite = answer.tls
    assert version == "TLSv1.2"
    assert re.fullmatch(r"ECDHE-ECDSA-AES(128-GCM-SHA256|256-GCM-SHA384)", suite)
    shown = json.loads(answer.body)["X-Card-Certificate"]
    own = x509.load_pem_x509_certificates(stages.card(1, Purpose.AUTH).read_bytes())[0]
    assert x509.load_pem_x509_certificate(unquote(shown).encode()) == own
    assert nginx.judged(stages.card(1, Purpose.AUTH)) == (200, "SUCCESS")
    assert f"{own.serial_number:032X}" in answer.log
    assert "Yamada" not in answer.log


def s_client(nginx: Nginx, card: Path, *options: str) -> subprocess.CompletedProcess[str]:
    """What OpenSSL's client gets with a card."""
    address = ("-connect", f"127.0.0.1:{nginx.https}", "-quiet", "-ign_eof")
    return subprocess.run(
        ["openssl", "s_client", *address, "-cert", str(card), "-key", str(card), *options],
        input="GET / HTTP/1.0\r\n\r\n",
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
    )


def test_a_card_need_not_know_more_than_pkcs1(nginx: Nginx, stages: Stages) -> None:
    nginx.start_afresh(stages.public("fresh"))
    algorithms = "RSA+SHA256:ECDSA+SHA256"
    options = ("-tls1_2", "-sigalgs", algorithms, "-client_sigalgs", algorithms)
    with nginx.logged():
        done = s_client(nginx, stages.card(1, Purpose.AUTH), *options)
    assert done.stdout.startswith("HTTP/1.1 200 OK"), done.stderr


@pytest.mark.parametrize(
    "ciphers",
    ["ECDHE+AES:!AESGCM:!AESCCM", "DHE+AESGCM", "kRSA+AESGCM", "ECDHE+CHACHA20", "ECDHE+AESCCM"],
)
def test_no_other_suite_is_taken(nginx: Nginx, ciphers: str) -> None:
    with pytest.raises(ssl.SSLError, match="HANDSHAKE_FAILURE"):
        nginx.enter(None, tls_client(ciphers))
    assert nginx.enter(None, tls_client("ECDHE+AES256:ECDHE+AESGCM")).status == 400


@pytest.mark.parametrize("version", ["-tls1", "-tls1_1", "-tls1_3"])
def test_no_other_version_is_taken(nginx: Nginx, stages: Stages, version: str) -> None:
    done = s_client(nginx, stages.card(1, Purpose.AUTH), version, "-cipher", "ALL:@SECLEVEL=0")
    assert done.stdout == ""
    assert "alert protocol version" in done.stderr


def test_others_do_not_get_in(nginx: Nginx, stages: Stages) -> None:
    nginx.start_afresh(stages.public("fresh"))
    no_list = (400, "FAILED:unable to get certificate CRL")
    assert nginx.judged(None) == (400, "NONE")
    assert nginx.judged(stages.card(1, Purpose.SIGN)) == no_list
    for missing in LISTS:
        others = [name for name in (*LISTS, "sign") if name != missing]
        write_lists(nginx, stages.public("fresh"), *others)
        assert nginx.judged(stages.card(1, Purpose.AUTH)) == no_list


def test_a_certificate_for_signing_does_not_get_in_with_its_list(
    nginx: Nginx, stages: Stages
) -> None:
    nginx.start_afresh(stages.public("fresh"))
    write_lists(nginx, stages.public("fresh"), *LISTS, "sign")
    sign = stages.card(1, Purpose.SIGN)
    assert nginx.judged(sign) == (400, "FAILED:unsuitable certificate purpose")


def write_lists(nginx: Nginx, public: Path, *names: str) -> None:
    """Have nginx read these lists, past the script."""
    pems = [
        x509.load_der_x509_crl((public / f"{name}.crl").read_bytes()).public_bytes(Encoding.PEM)
        for name in names
    ]
    (nginx.cards / "lists.pem").write_bytes(b"".join(pems))
    nginx.reload()


def test_a_revoked_card_does_not_get_in_after_the_reload(nginx: Nginx, stages: Stages) -> None:
    nginx.start_afresh(stages.public("fresh"))
    card, other = (stages.card(number, Purpose.AUTH) for number in (2, 1))
    assert nginx.judged(card) == (200, "SUCCESS")
    nginx.put(stages.public("revoked"))
    assert nginx.judged(card) == (200, "SUCCESS")
    assert nginx.fetch_lists().returncode == 0
    assert nginx.judged(card) == (400, "FAILED:certificate revoked")
    assert nginx.judged(other) == (200, "SUCCESS")


def test_no_session_outlives_the_revocation(nginx: Nginx, stages: Stages) -> None:
    nginx.start_afresh(stages.public("fresh"))
    client = tls_client()
    client.load_cert_chain(stages.card(2, Purpose.AUTH))

    def status(session: ssl.SSLSession | None) -> tuple[bytes, bool | None, ssl.SSLSession | None]:
        raw = socket.create_connection(("127.0.0.1", nginx.https), timeout=30)
        with nginx.logged(), client.wrap_socket(raw, session=session) as sock:
            sock.sendall(b"GET / HTTP/1.0\r\n\r\n")
            return sock.recv(12), sock.session_reused, sock.session

    first, _, session = status(None)
    assert first == b"HTTP/1.1 200"
    again, reused, _ = status(session)
    assert (again, reused) == (b"HTTP/1.1 200", False)
    nginx.put(stages.public("revoked"))
    assert nginx.fetch_lists().returncode == 0
    after, reused, _ = status(session)
    assert (after, reused) == (b"HTTP/1.1 400", False)


def test_nobody_gets_in_by_expired_lists(nginx: Nginx, stages: Stages) -> None:
    nginx.start_afresh(stages.public("fresh"))
    write_lists(nginx, stages.public("expired"), *LISTS)
    assert nginx.judged(stages.card(1, Purpose.AUTH)) == (400, "FAILED:CRL has expired")


# The script


def refusal(nginx: Nginx) -> str:
    """What the script says as it changes nothing."""
    before = {path.name: path.read_bytes() for path in nginx.cards.iterdir() if path.is_file()}
    done = nginx.fetch_lists()
    assert done.returncode != 0
    assert before == {
        path.name: path.read_bytes() for path in nginx.cards.iterdir() if path.is_file()
    }
    assert nginx.judged(None) == (400, "NONE")
    return done.stderr.strip()


def test_the_script_takes_sound_lists_only(nginx: Nginx, stages: Stages) -> None:
    nginx.start_afresh(stages.public("revoked"))
    auth = nginx.folder / "public" / "auth.crl"
    octets = auth.read_bytes()
    auth.write_bytes(octets[:-1] + bytes((octets[-1] ^ 1,)))
    assert refusal(nginx) == "card-lists: auth: verify failure"
    auth.write_bytes(octets[:-1])
    assert refusal(nginx).startswith("card-lists: auth: ")
    shutil.copyfile(nginx.folder / "public" / "sign.crl", auth)
    assert refusal(nginx).startswith("card-lists: auth: ")
    shutil.copyfile(stages.public("fresh") / "auth.crl", auth)
    assert refusal(nginx) == "card-lists: auth: older than the one before"
    shutil.copyfile(stages.public("expired") / "auth.crl", auth)
    assert refusal(nginx) == "card-lists: auth: expired"
    auth.unlink()
    assert "404" in refusal(nginx)
    auth.write_bytes(octets)
    assert nginx.fetch_lists().returncode == 0
    assert nginx.judged(stages.card(2, Purpose.AUTH)) == (400, "FAILED:certificate revoked")


def test_the_script_has_nginx_read_new_lists_only(nginx: Nginx, stages: Stages) -> None:
    nginx.start_afresh(stages.public("fresh"))
    workers = nginx.workers()
    assert nginx.fetch_lists().returncode == 0
    assert nginx.workers() == workers
    nginx.put(stages.public("revoked"))
    assert nginx.fetch_lists().returncode == 0
    assert not nginx.workers() & workers


def test_the_script_tries_again_when_the_reload_failed(nginx: Nginx, stages: Stages) -> None:
    nginx.start_afresh(stages.public("fresh"))
    nginx.put(stages.public("revoked"))
    broken = nginx.folder / "conf.d" / "broken.conf"
    broken.write_text("no such directive;")
    assert nginx.fetch_lists().returncode != 0
    assert nginx.judged(stages.card(2, Purpose.AUTH)) == (200, "SUCCESS")
    broken.unlink()
    assert nginx.fetch_lists().returncode == 0
    assert nginx.judged(stages.card(2, Purpose.AUTH)) == (400, "FAILED:certificate revoked")
