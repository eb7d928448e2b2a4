"""Lists fetched as relying parties fetch them, into a file, bounded in size and time."""

from __future__ import annotations

import base64
import binascii
import http.client
import socket
import stat
import tempfile
import threading
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from functools import partial
from pathlib import Path
from typing import Any, BinaryIO
from urllib.parse import urlsplit

from pki.errors import InvalidInput, NotFound, Unavailable
from pki.reading.crl import MAX_OCTETS

_CHUNK = 1 << 18
_BEGIN = b"-----BEGIN X509 CRL-----"
_WHITE_SPACE = b" \t\r\n\f\v"
_CONTROL = range(0x21)


def is_url(place: str) -> bool:
    """Say whether the place is a URL; raises ``InvalidInput`` for one not of http or https."""
    if "://" not in place:
        return False
    try:
        parts = urlsplit(place)
        sound = parts.scheme in ("http", "https") and bool(parts.hostname) and parts.port != 0
    except ValueError:
        sound = False
    if not sound or any(ord(one) in _CONTROL for one in place):
        raise InvalidInput(
            "crl.fetch.url", f"{place!r} is no URL of http or https", "Name a file by its path."
        )
    return True


@contextmanager
def fetched(place: str, seconds: float) -> Iterator[tuple[BinaryIO, str | None]]:
    """Give the list's file in DER, and the media type that a web server names.

    ``place``: URL or path, DER or PEM. The whole answer may take ``seconds``; redirections are
    followed to http and https only, and no proxy is used. Raises ``NotFound``, ``InvalidInput``,
    and ``Unavailable`` for a place that cannot be reached, is too slow, or breaks off.
    """
    if not is_url(place):
        with _opened(Path(place)) as file, _der(file) as der:
            yield der, None
        return
    with tempfile.TemporaryFile() as file:
        media_type = _fetch(place, file, seconds)
        with _der(file) as der:
            yield der, media_type


@contextmanager
def _opened(path: Path) -> Iterator[BinaryIO]:
    try:
        if not stat.S_ISREG(path.stat().st_mode):
            raise NotFound("crl.fetch.file", f"{path} is no regular file", "Name a list file.")
        file = path.open("rb")
    except FileNotFoundError:
        raise NotFound("crl.fetch.none", f"there is no file {path}", "Check the path.") from None
    except (OSError, ValueError) as error:
        told = getattr(error, "strerror", None) or error
        raise Unavailable(
            "crl.fetch.read", f"{path} cannot be read: {told}", "Check path and rights."
        ) from None
    with file:
        yield file


def _fetch(url: str, file: BinaryIO, seconds: float) -> str:
    """Write the answer's body into the file and return its media type."""
    limit = _Limit(seconds)
    try:
        with limit, _opener(limit).open(url, timeout=seconds) as response:
            octets = 0
            while chunk := response.read1(_CHUNK):
                octets += len(chunk)
                if octets > MAX_OCTETS:
                    raise _unreachable(f"the answer has more than {MAX_OCTETS} octets")
                file.write(chunk)
                limit.verify()
            limit.verify()
            if response.length:
                raise _unreachable(f"the answer broke off, {response.length} octets are missing")
            file.flush()
            return str(response.headers.get("Content-Type", "")).partition(";")[0].strip().lower()
    except urllib.error.HTTPError as error:
        error.close()
        why = f"status {error.code}: {error.reason}"
        raise _unreachable(f"the server answers with {' '.join(why.split())[:200]}") from None
    except (OSError, http.client.HTTPException, ValueError) as error:
        late = limit.is_over or isinstance(getattr(error, "reason", error), TimeoutError)
        told = f"no whole answer came in {seconds:g} s" if late else _reason(error)
        raise _unreachable(told) from None


class _Limit:
    """Ends the connections that are open when the time is over, however slowly they drip."""

    def __init__(self, seconds: float) -> None:
        self._end = time.monotonic() + seconds
        self._timer = threading.Timer(seconds, self._cut)
        self._timer.daemon = True
        self._connections: list[http.client.HTTPConnection] = []

    def __enter__(self) -> None:
        self._timer.start()

    def __exit__(self, *_: object) -> None:
        self._timer.cancel()

    @property
    def is_over(self) -> bool:
        """Whether the time is over."""
        return time.monotonic() >= self._end

    def verify(self) -> None:
        """Raise ``TimeoutError`` when the time is over."""
        if self.is_over:
            raise TimeoutError

    def watch(
        self, kind: type[http.client.HTTPConnection], *args: Any, **rest: Any
    ) -> http.client.HTTPConnection:
        """Return a new connection, which is cut when the time is over."""
        self.verify()
        made = kind(*args, **rest)
        self._connections.append(made)
        return made

    def _cut(self) -> None:
        for one in self._connections:
            with suppress(OSError, AttributeError):
                one.sock.shutdown(socket.SHUT_RDWR)


def _opener(limit: _Limit) -> urllib.request.OpenerDirector:
    """Return an opener for http and https alone, which uses no proxy."""

    class Plain(urllib.request.HTTPHandler):
        def http_open(self, req: urllib.request.Request) -> http.client.HTTPResponse:
            return self.do_open(partial(limit.watch, http.client.HTTPConnection), req)

    class Secure(urllib.request.HTTPSHandler):
        def https_open(self, req: urllib.request.Request) -> http.client.HTTPResponse:
            return self.do_open(partial(limit.watch, http.client.HTTPSConnection), req)

    opener = urllib.request.OpenerDirector()
    for handler in (
        Plain(),
        Secure(),
        urllib.request.HTTPRedirectHandler(),
        urllib.request.HTTPErrorProcessor(),
        urllib.request.HTTPDefaultErrorHandler(),
        urllib.request.UnknownHandler(),
    ):
        opener.add_handler(handler)
    opener.addheaders = [("User-Agent", "hpki-crl-check"), ("Accept-Encoding", "identity")]
    return opener


def _reason(error: Exception) -> str:
    return " ".join(str(getattr(error, "reason", None) or error or type(error).__name__).split())


def _unreachable(why: str) -> Unavailable:
    return Unavailable(
        "crl.fetch", f"it cannot be fetched: {why}", "Look at the web server, its name and the way."
    )


@contextmanager
def _der(file: BinaryIO) -> Iterator[BinaryIO]:
    """Give the list in DER: the file itself, or a new one for PEM."""
    file.seek(0)
    head = file.read(_CHUNK)
    at = head.find(_BEGIN)
    if head[:1] == b"\x30" or at < 0:
        yield file
        return
    with tempfile.TemporaryFile() as der:
        file.seek(at + len(_BEGIN))
        _decode(file, der)
        yield der


def _decode(file: BinaryIO, der: BinaryIO) -> None:
    """Write what the rest of the PEM block holds; raises ``InvalidInput``."""
    rest, ended = b"", False
    try:
        while not ended and (block := file.read(_CHUNK)):
            body, dashes, _ = block.partition(b"-")
            ended = bool(dashes)
            rest += body.translate(None, _WHITE_SPACE)
            whole = len(rest) - (0 if ended else len(rest) % 4)
            der.write(base64.b64decode(rest[:whole], validate=True))
            rest = rest[whole:]
    except binascii.Error as error:
        raise InvalidInput("pki.pem.base64", f"the PEM block is not base64: {error}") from None
    if not ended:
        raise InvalidInput("pki.pem.cut", "the PEM block is cut off")
    der.flush()
