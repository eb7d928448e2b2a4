"""``hpki serve``: the repository over HTTP, for a pilot."""

from __future__ import annotations

import signal
import sys
from collections.abc import Iterable
from contextlib import suppress
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any
from urllib.parse import quote

import typer

from cli import options

if TYPE_CHECKING:
    from _typeshed.wsgi import StartResponse, WSGIApplication, WSGIEnvironment

    from pki.validity import Clock

_LONGEST_SHOWN = 200


def serve(
    host: Annotated[str, typer.Option(help="Address to listen on; 0.0.0.0 for all.")] = "127.0.0.1",
    port: Annotated[int, typer.Option(help="Port; 0 for any free one.", min=0, max=65535)] = 8080,
    folder: Annotated[
        Path | None,
        typer.Option(help="Serve this folder, without a site.", show_default="the site's"),
    ] = None,
) -> None:
    """Serve the repository over HTTP, read-only: enough for a pilot.

    Prints the URL it listens on, then one line for each request on stderr: time, client, method,
    path, status, octets. Ctrl-C or SIGTERM ends it. It opens neither the store nor any key.

    Example: hpki serve --host 0.0.0.0 --port 8080
    """
    from cli.tables import write_stdout
    from pki.errors import Unavailable

    try:
        from crl.serving import listen, make_server, repository_app
    except ModuleNotFoundError as error:
        if (error.name or "").partition(".")[0] not in ("waitress", "werkzeug"):
            raise
        raise Unavailable(
            "cli.serve.library", "the server is not installed", "Install hpki-ca[serve]."
        ) from None
    app = _logged(repository_app(_served(folder), _now), _now)
    try:
        for number in (signal.SIGINT, signal.SIGTERM):
            signal.signal(number, signal.default_int_handler)
        with listen(host, port) as listener:
            server = make_server(app, listener)
            shown = f"[{host}]" if ":" in host else host
            write_stdout(f"http://{shown}:{listener.getsockname()[1]}/\n")
            server.run()
    except KeyboardInterrupt:
        pass  # asked to end before it ran


def _served(folder: Path | None) -> Path:
    """Return the folder to serve; raises ``NotFound``, and ``Refused`` for a site folder."""
    from cli.config import FILE_NAME, load_site
    from cli.output import show_banner
    from pki.errors import NotFound, Refused

    if folder is None:
        site = load_site(options.current.site)
        show_banner(site.settings.centre.kind)
        folder = site.path(site.settings.publication.folder)
    if not folder.is_dir():
        raise NotFound(
            "cli.serve.folder", f"there is no folder {folder}", "Publish first: `hpki crl due`."
        )
    if (folder / FILE_NAME).exists():
        raise Refused(
            "cli.serve.site",
            f"{folder} is a site folder; only what is published may be served",
            "Leave --folder out, or name the folder that lists are published to.",
        )
    return folder.resolve()


def _now() -> datetime:
    return datetime.now(UTC)


def _logged(app: WSGIApplication, clock: Clock) -> WSGIApplication:
    """Return the application with a line on stderr for each answer."""
    from cli.tables import sound
    from pki.validity import JST

    def answer(environ: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
        def start(status: str, headers: list[tuple[str, str]], *rest: Any) -> Any:
            method = environ["REQUEST_METHOD"]
            sent = dict(headers).get("Content-Length", "0") if method != "HEAD" else "0"
            path = quote(environ["PATH_INFO"].encode("latin-1"))[:_LONGEST_SHOWN]
            moment = clock().astimezone(JST).isoformat(timespec="seconds")
            words = (moment, environ["REMOTE_ADDR"], sound(method), path, status[:3], sent)
            with suppress(OSError):
                sys.stderr.write(" ".join(words) + "\n")
            return start_response(status, headers, *rest)

        return app(environ, start)

    return answer
