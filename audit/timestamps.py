"""RFC 3161 time stamps over anchors; the only user of rfc3161_client, imported late."""

from __future__ import annotations

import hashlib
import http.client
import time
import urllib.error
import urllib.request
from dataclasses import dataclass
from datetime import datetime
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

from cryptography import x509

from pki import der
from pki.errors import InvalidInput, Refused, Unavailable

if TYPE_CHECKING:
    from rfc3161_client import TimeStampResponse

_MAX_OCTETS = 64 * 1024
_MAX_ROOTS = 1024 * 1024
_CHUNK = 4096


@dataclass(frozen=True)
class TimeStamper:
    """A time-stamping authority at ``url``; ``roots_file``: the certificates to trust, PEM.

    It is given ``seconds`` to answer.
    """

    url: str
    roots_file: Path
    seconds: float = 15

    @cached_property
    def roots(self) -> list[x509.Certificate]:
        """The certificates to trust; raises ``Unavailable``, or ``InvalidInput``."""
        try:
            with self.roots_file.open("rb") as file:
                return x509.load_pem_x509_certificates(file.read(_MAX_ROOTS))
        except OSError as error:
            raise Unavailable(
                "audit.timestamp.roots",
                f"{self.roots_file} cannot be read: {error.strerror}",
                "Correct tsa_roots under [anchors] in hpki.toml.",
            ) from None
        except ValueError:
            raise InvalidInput(
                "audit.timestamp.roots",
                "the file of tsa_roots holds no certificates in PEM",
                "Ask the time-stamping authority for its root certificate.",
            ) from None

    def stamp(self, octets: bytes) -> bytes:
        """Return a token DER over the octets, verified before it is given out.

        Raises ``Unavailable`` where the authority cannot be reached, is too slow or says no,
        ``Refused`` for a token that does not verify.
        """
        library = _library()
        request = (
            library.TimestampRequestBuilder()
            .data(octets)
            .hash_algorithm(library.HashAlgorithm.SHA256)
            .nonce(nonce=True)
            .cert_request(cert_request=True)
            .build()
        )
        response = _decoded(self._ask(request.as_bytes()))
        if response.status not in (0, 1):
            raise Unavailable(
                "audit.timestamp.refused",
                f"the time-stamping authority says no: {', '.join(response.status_string)}",
            )
        token = response.time_stamp_token()
        self._verify(_wrapped(token), octets, request.nonce)
        return token

    def verify(self, token: bytes, octets: bytes) -> datetime:
        """Return when the octets were stamped; raises ``Refused`` for a token that is wrong."""
        return self._verify(_wrapped(token), octets, None)

    def _verify(self, response: TimeStampResponse, octets: bytes, nonce: int | None) -> datetime:
        library = _library()
        builder = library.VerifierBuilder(roots=list(self.roots), nonce=nonce)
        try:
            builder.build().verify(response, hashlib.sha256(octets).digest())
        except (library.VerificationError, ValueError) as error:
            raise _wrong(str(error)) from None
        moment: datetime = response.tst_info.gen_time
        return moment

    def _ask(self, question: bytes) -> bytes:
        end = time.monotonic() + self.seconds
        answer = b""
        try:
            request = urllib.request.Request(  # noqa: S310 - the opener knows http and https only
                self.url, question, {"Content-Type": "application/timestamp-query"}
            )
            with _opener().open(request, timeout=self.seconds) as response:
                while chunk := response.read1(_CHUNK):
                    answer += chunk
                    if len(answer) > _MAX_OCTETS:
                        raise _unreachable(f"its answer is larger than {_MAX_OCTETS} octets")
                    if time.monotonic() > end:
                        raise TimeoutError
        except urllib.error.HTTPError as error:
            error.close()
            raise _unreachable(f"it answers with status {error.code}") from None
        except (OSError, http.client.HTTPException, ValueError) as error:
            raise _unreachable(_reason(error)) from None
        return answer


def _opener() -> urllib.request.OpenerDirector:
    """Return an opener for http and https that follows no redirection and uses no proxy."""
    opener = urllib.request.OpenerDirector()
    for handler in (
        urllib.request.HTTPHandler(),
        urllib.request.HTTPSHandler(),
        urllib.request.HTTPErrorProcessor(),
        urllib.request.HTTPDefaultErrorHandler(),
        urllib.request.UnknownHandler(),
    ):
        opener.add_handler(handler)
    return opener


def _library() -> Any:
    try:
        import rfc3161_client
    except ImportError:
        raise Unavailable(
            "audit.timestamp.library",
            "the library for time stamps is not installed",
            "Install hpki-ca[tsa].",
        ) from None
    return rfc3161_client


def _decoded(octets: bytes) -> TimeStampResponse:
    try:
        response: TimeStampResponse = _library().decode_timestamp_response(octets)
    except ValueError:
        raise _wrong("it cannot be read") from None
    return response


def _wrapped(token: bytes) -> TimeStampResponse:
    """Return the token as the granted response it came in. Source: RFC 3161 section 2.4.2."""
    return _decoded(der.sequence(der.sequence(der.integer(0)), token))


def _reason(error: Exception) -> str:
    cause = error.reason if isinstance(error, urllib.error.URLError) else error
    if isinstance(cause, TimeoutError):
        return "it did not answer in time"
    return str(cause) or type(cause).__name__


def _unreachable(why: str) -> Unavailable:
    return Unavailable(
        "audit.timestamp.tsa",
        f"the time-stamping authority cannot be used: {why}",
        "Try later with `hpki audit anchor --stamp`, or correct tsa under [anchors] in hpki.toml.",
    )


def _wrong(why: str) -> Refused:
    return Refused(
        "audit.timestamp.wrong",
        f"the time stamp is none of this anchor: {why}",
        "Check tsa and tsa_roots under [anchors] in hpki.toml.",
    )
