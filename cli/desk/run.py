"""Running the desk on a site: one unlock, then the screen."""

from __future__ import annotations

import subprocess
from pathlib import Path

from cli.desk.app import DeskApp
from cli.desk.bench import Bench
from cli.output import say
from cli.papers import sheets_page, write_page
from cli.viewer import start, viewer_for
from cli.wiring import Services, now


def run_desk(services: Services, operator: str) -> None:
    """Unlock the operator's key, run the desk until it is left, and say what it made."""
    settings = services.site.settings.documents

    def view(octets: bytes, media_type: str) -> subprocess.Popen[bytes]:
        return start(octets, viewer_for(settings, media_type))

    def print_sheet(ref: str) -> Path:
        path = services.site.path("reports") / f"sheet-{ref}-{now():%Y%m%dT%H%M%S}.pdf"
        write_page(path, sheets_page(services, [ref], operator))
        return path

    bench = Bench(services, services.signer(operator))
    desk = DeskApp(bench, services.kind.banner or "", view, print_sheet)
    desk.run(mouse=False)
    if desk.fault is not None:
        raise desk.fault
    for inquiry in desk.made:
        say(f"照会一覧 {inquiry}: `hpki ra inquiry show {inquiry}`")
