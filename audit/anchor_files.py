"""Anchors as files, in the site folder and in folders that are kept elsewhere."""

from __future__ import annotations

import os
from pathlib import Path

from audit.anchor import MAX_FILE_OCTETS, Anchor, parse_anchor_file
from pki.errors import Conflict, NotFound, Unavailable
from store.files import write_whole


def read_anchor_file(path: Path) -> Anchor:
    """Return the anchor of a file, not verified yet."""
    try:
        with path.open("rb") as file:
            octets = file.read(MAX_FILE_OCTETS + 1)
    except FileNotFoundError:
        raise NotFound("audit.anchor.file", f"there is no file {path}") from None
    except OSError as error:
        raise Unavailable(
            "audit.anchor.file", f"{path} cannot be read: {error.strerror}", "Check its rights."
        ) from None
    return parse_anchor_file(octets)


def newest_anchor_file(folder: Path, site_id: str) -> Path | None:
    """Return the site's newest anchor file of a folder, None for none or no folder."""
    prefix = f"{site_id}-"
    try:
        names = [name for name in os.listdir(folder) if _is_anchor(name, prefix)]
    except FileNotFoundError:
        return None
    except OSError as error:
        raise Unavailable(
            "audit.anchor.folder", f"{folder} cannot be read: {error.strerror}"
        ) from None
    return folder / max(names) if names else None


def write_anchor_file(folder: Path, anchor: Anchor) -> None:
    """Write the anchor's file whole or not at all; another anchor of that name stays.

    The same anchor is written anew when it got its time stamp. Raises ``Unavailable`` where the
    folder is missing or full, ``Conflict`` for a file that is another anchor.
    """
    path, octets = folder / anchor.file_name, anchor.file_octets()
    if path.exists():
        there = read_anchor_file(path)
        if there.body != anchor.body:
            raise Conflict(
                "audit.anchor.file", f"{path} is another anchor", "Keep it, and call the auditor."
            )
        if there == anchor:
            return
    try:
        write_whole(path, octets, 0o644)
    except OSError as error:
        raise Unavailable(
            "audit.anchor.folder",
            f"the anchor cannot be written to {folder}: {error.strerror}",
            "Mend the folder, and run `hpki audit anchor --due` again.",
        ) from None


def _is_anchor(name: str, prefix: str) -> bool:
    number = name.removeprefix(prefix).removesuffix(".json")
    return name == f"{prefix}{number}.json" and len(number) == 12 and number.isdecimal()
