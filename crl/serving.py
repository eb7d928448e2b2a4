"""The repository over HTTP, read-only: a WSGI application, and the server for a pilot.

Source: RFC 9110 (validators, ranges, content codings), RFC 9111 (freshness), RFC 2585 section 4
and RFC 8551 section 3.2.1 (media types).
"""

from __future__ import annotations

import errno
import gzip
import hashlib
import logging
import os
import re
import socket
import stat
from collections.abc import Iterable
from contextlib import ExitStack
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, BinaryIO, cast

from waitress.server import BaseWSGIServer, create_server
from werkzeug.wrappers import Request, Response
from werkzeug.wsgi import wrap_file

from pki.errors import InvalidInput, Unavailable
from pki.reading.crl import open_list
from pki.validity import Clock

if TYPE_CHECKING:
    from _typeshed.wsgi import StartResponse, WSGIApplication, WSGIEnvironment

LIST_SECONDS = 600
"""A list may be kept so long, and never beyond its nextUpdate: revocations must be seen soon."""

_FIXED_SECONDS = 3600
_CHANGING_SECONDS = 300

_PLAIN = "text/plain; charset=utf-8"
_TYPES = {
    ".crl": "application/pkix-crl",
    ".cer": "application/pkix-cert",
    ".p7c": "application/pkcs7-mime; smime-type=certs-only",
    ".json": "application/json",
    ".txt": _PLAIN,
    ".html": "text/html; charset=utf-8",
    ".pdf": "application/pdf",
}
_FIXED = (".cer", ".p7c", ".pdf")
"""Certificates and documents; everything else but lists may change with the next list."""

_ZIPPED = (".crl", ".json", ".txt", ".html")
_MOST_ZIPPED = 4 * 1024 * 1024
_MOST_HASHED = 1024 * 1024
_PAGE_POLICY = (
    "default-src 'none'; style-src 'unsafe-inline'; "
    "base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
)
_ONE_RANGE = re.compile(r"bytes=([0-9]{1,18})?-([0-9]{1,18})?", re.I)
_OURS = (errno.EMFILE, errno.ENFILE, errno.ENOMEM, errno.EIO)
"""What hinders us, not what the path names."""

_FOLDER = os.O_PATH | os.O_DIRECTORY | os.O_CLOEXEC
_FILE = os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC

_SEND_OCTETS = 128 * 1024
"""Buffer of each connection, which Linux doubles: files are read in pieces of that size."""

_BOUNDS = {
    "threads": 4,
    "connection_limit": 400,
    "channel_timeout": 60,
    "cleanup_interval": 10,
    "max_request_header_size": 8192,
    "max_request_body_size": 4096,
    "asyncore_use_poll": True,
    "log_socket_errors": False,
    "ident": None,
}


def repository_app(folder: Path, clock: Clock) -> WSGIApplication:
    """Return an application that answers GET and HEAD with the folder's files, and nothing else.

    Served are regular files that everybody may read; no symbolic link below the folder is
    followed, and no name with a leading dot. The server's ``wsgi.file_wrapper`` must keep to
    Content-Length, as waitress's does.
    """

    def answer(environ: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
        try:
            response = _response(folder, clock(), environ)
        except OSError:
            response = _refusal(503)
        response.headers["X-Content-Type-Options"] = "nosniff"
        return response(environ, start_response)

    return answer


def listen(host: str, port: int) -> socket.socket:
    """Return a socket that listens; port 0 is any free one. Raises ``Unavailable``."""
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    try:
        listener = socket.create_server((host, port), family=family)
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, _SEND_OCTETS)
        return listener
    except (OSError, UnicodeError) as error:
        taken = isinstance(error, OSError) and error.errno == errno.EADDRINUSE
        raise Unavailable(
            "crl.serve.taken" if taken else "crl.serve.address",
            f"port {port} of {host} is in use"
            if taken
            else f"port {port} of {host} cannot be listened on: {error}",
            "Stop what listens there, or name another with --port; 0 takes any free one.",
        ) from None


def make_server(app: WSGIApplication, listener: socket.socket) -> BaseWSGIServer:
    """Return a bounded server whose ``run`` answers until KeyboardInterrupt or SystemExit."""
    logging.getLogger("waitress.queue").setLevel(logging.ERROR)
    server = create_server(app, sockets=[listener], **_BOUNDS)  # type: ignore[arg-type]
    return cast(BaseWSGIServer, server)


def _response(folder: Path, now: datetime, environ: WSGIEnvironment) -> Response:
    if environ["REQUEST_METHOD"] not in ("GET", "HEAD"):
        return _refusal(405, Allow="GET, HEAD")
    names = _names(environ.get("PATH_INFO", ""))
    with ExitStack() as opened:
        file = _open(folder, names) if names else None
        if file is None:
            return _refusal(404)
        opened.enter_context(file)
        response = _answer(file, Path(names[-1]).suffix, now, environ)
        if response.direct_passthrough:
            opened.pop_all()  # the server sends it, and closes it
        return response


def _refusal(status: int, **headers: str) -> Response:
    response = Response(status=status, content_type=_PLAIN, headers=headers)
    response.set_data(f"{response.status}\n")
    response.headers["Cache-Control"] = "no-store"
    return response


def _names(path: str) -> list[str]:
    """Return the names from the folder down to the file; none for a path that names no file."""
    if path in ("", "/"):
        return ["index.html"]
    try:
        names = path.encode("latin-1").decode().removeprefix("/").split("/")
    except UnicodeError:
        return []
    sound = all(
        name.isprintable() and name[:1] not in ("", ".") and "\\" not in name for name in names
    )
    return names if sound else []


def _open(folder: Path, names: list[str]) -> BinaryIO | None:
    """Return the open file, None where there is none to serve; raises ``OSError`` in our need."""
    try:
        with ExitStack() as folders:
            at = os.open(folder, _FOLDER)
            folders.callback(os.close, at)
            for name in names[:-1]:
                at = os.open(name, _FOLDER | os.O_NOFOLLOW, dir_fd=at)
                folders.callback(os.close, at)
            descriptor = os.open(names[-1], _FILE, dir_fd=at)
    except OSError as error:
        if error.errno in _OURS:
            raise
        return None
    mode = os.fstat(descriptor).st_mode
    if stat.S_ISREG(mode) and mode & stat.S_IROTH:
        return os.fdopen(descriptor, "rb", buffering=0)
    os.close(descriptor)
    return None


def _answer(file: BinaryIO, suffix: str, now: datetime, environ: WSGIEnvironment) -> Response:
    status = os.fstat(file.fileno())
    response = Response(content_type=_TYPES.get(suffix, "application/octet-stream"))
    if suffix == ".html":
        response.headers["Content-Security-Policy"] = _PAGE_POLICY
    _set_freshness(response, file, suffix, now)
    response.last_modified = min(datetime.fromtimestamp(int(status.st_mtime), UTC), now)
    tag = _tag(file, status)
    zipped = suffix in _ZIPPED and status.st_size <= _MOST_ZIPPED
    if zipped:
        response.vary.add("Accept-Encoding")
        zipped = "HTTP_RANGE" not in environ and _takes_gzip(environ)
    response.set_etag(f"{tag}-gzip" if zipped else tag)
    response.make_conditional(environ)
    if response.status_code != 200:
        return response
    file.seek(0)
    if zipped:
        response.content_encoding = "gzip"
        response.set_data(gzip.compress(file.read(), 6, mtime=0))
        return response
    return _identity(response, file, range(status.st_size), environ)


def _set_freshness(response: Response, file: BinaryIO, suffix: str, now: datetime) -> None:
    seconds = _FIXED_SECONDS if suffix in _FIXED else _CHANGING_SECONDS
    if suffix == ".crl":
        ends = _next_update(file)
        left = int((ends - now).total_seconds()) if ends is not None else 0
        seconds = max(0, min(LIST_SECONDS, left))
    if seconds:
        response.headers["Cache-Control"] = f"public, max-age={seconds}"
    else:
        response.headers["Cache-Control"] = "no-cache"
    response.date = now
    response.expires = now + timedelta(seconds=seconds)


def _next_update(file: BinaryIO) -> datetime | None:
    """Return the list's nextUpdate, None where none can be read."""
    try:
        found = open_list(file).next_update
    except (InvalidInput, Unavailable):
        return None
    return found.moment if found is not None else None


def _tag(file: BinaryIO, status: os.stat_result) -> str:
    """Return what names the content: files are replaced whole, so a large one need not be read."""
    if status.st_size < _MOST_HASHED:
        file.seek(0)
        return hashlib.sha256(file.read()).hexdigest()
    return f"{status.st_mtime_ns:x}-{status.st_size:x}-{status.st_ino:x}"


def _takes_gzip(environ: WSGIEnvironment) -> bool:
    return Request(environ).accept_encodings.quality("gzip") > 0


def _identity(
    response: Response, file: BinaryIO, whole: range, environ: WSGIEnvironment
) -> Response:
    """Return the response with the file, or the part of it that is asked for."""
    sent = whole
    response.headers["Accept-Ranges"] = "bytes"
    if environ["REQUEST_METHOD"] == "GET" and _is_unchanged(response, environ):
        sent = _asked(environ.get("HTTP_RANGE", ""), whole)
    if whole and not sent:
        return _refusal(416, **{"Content-Range": f"bytes */{len(whole)}"})
    if sent != whole:
        response.status_code = 206
        response.content_range.set(sent.start, sent.stop, len(whole))
    response.content_length = len(sent)
    if environ["REQUEST_METHOD"] == "GET":
        file.seek(sent.start)
        response.response = wrap_file(environ, file)
        response.direct_passthrough = True
    return response


def _is_unchanged(response: Response, environ: WSGIEnvironment) -> bool:
    """Say whether If-Range allows a part; a date never does, for it is not exact enough."""
    return environ.get("HTTP_IF_RANGE") in (None, response.headers["ETag"])


def _asked(text: str, whole: range) -> range:
    """Return the octets that a Range header names, empty where there are none such.

    Several ranges, other units and what makes no sense are ignored: all are sent.
    """
    match = _ONE_RANGE.fullmatch(text.strip())
    first, last = match.groups() if match is not None else (None, None)
    if first is None:
        return whole if last is None else whole[max(0, len(whole) - int(last)) :]
    if last is not None and int(last) < int(first):
        return whole
    return whole[int(first) :] if last is None else whole[int(first) : int(last) + 1]
