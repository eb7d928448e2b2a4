"""A document shown from memory: the viewer reads a sealed descriptor, and no file is ever made."""

from __future__ import annotations

import fcntl
import os
import shutil
import subprocess
import sys
from collections.abc import Sequence
from typing import IO

from cli.config import DocumentsSection
from pki.errors import Unavailable
from policies.media import SIGNED

_SEALS = fcntl.F_SEAL_SEAL | fcntl.F_SEAL_SHRINK | fcntl.F_SEAL_GROW | fcntl.F_SEAL_WRITE
_IMAGE_VIEWERS = (("feh", "--"), ("imv",), ("mupdf",))
_PDF_VIEWERS = (("mupdf",), ("zathura",), ("xpdf",))
_SIGNED_VIEWERS = (("openssl", "cms", "-verify", "-noverify", "-inform", "DER", "-in"),)


def _known(media_type: str) -> tuple[str, tuple[tuple[str, ...], ...]]:
    """Return the key in hpki.toml under which a viewer is named, and the known ones."""
    if media_type == SIGNED:
        return "signed_viewer", _SIGNED_VIEWERS
    if media_type == "application/pdf":
        return "pdf_viewer", _PDF_VIEWERS
    return "image_viewer", _IMAGE_VIEWERS


def viewer_for(settings: DocumentsSection, media_type: str) -> tuple[str, ...]:
    """Return the words of the site's own viewer, else of a known one."""
    own: tuple[str, ...] = getattr(settings, _known(media_type)[0])
    return own or find_viewer(media_type)


def find_viewer(media_type: str) -> tuple[str, ...]:
    """Return the words of the first known viewer on PATH.

    Known are viewers that show the file in the process started: none that hands its name to
    another process (eog, evince, xdg-open), which could not open it, or copies it (zathura -).
    Raises ``Unavailable`` where none is installed.
    """
    key, known = _known(media_type)
    for words in known:
        if shutil.which(words[0]) is not None:
            return words
    raise Unavailable(
        "cli.viewer.none",
        f"no viewer for {media_type} was found",
        f"Install {' or '.join(words[0] for words in known)}, or name one in hpki.toml: "
        f'[documents] {key} = ["PROGRAM", "OPTION"].',
    )


def show(octets: bytes, command: Sequence[str]) -> None:
    """Run the viewer on the octets and wait until it ends.

    Raises ``Unavailable`` where the viewer cannot be started or fails.
    """
    returncode = start(octets, command, said=sys.stderr).wait()
    if returncode != 0:
        raise Unavailable(
            "cli.viewer.failed",
            f"the viewer {command[0]} ended with {returncode}",
            "Try another one: [documents] in hpki.toml.",
        )


def start(
    octets: bytes, command: Sequence[str], said: int | IO[str] = subprocess.DEVNULL
) -> subprocess.Popen[bytes]:
    """Start the viewer on the octets; what it says goes to ``said``.

    ``command``: words, no shell; the path ``/proc/self/fd/N`` is added as the last. Raises
    ``Unavailable`` where the viewer cannot be started.
    """
    descriptor = _memory(octets)
    try:
        return subprocess.Popen(  # noqa: S603 - the site's own settings name the program
            [*command, f"/proc/self/fd/{descriptor}"],
            pass_fds=(descriptor,),
            stdin=subprocess.DEVNULL,
            stdout=said,
            stderr=said,
        )
    except OSError as error:
        raise Unavailable(
            "cli.viewer.start",
            f"the viewer {command[0]} cannot be started: {error.strerror}",
            "Correct [documents] in hpki.toml.",
        ) from None
    finally:
        os.close(descriptor)


def _memory(octets: bytes) -> int:
    """Return a descriptor of memory that holds the octets and takes no change any more."""
    try:
        descriptor = os.memfd_create("document", os.MFD_CLOEXEC | os.MFD_ALLOW_SEALING)
    except (AttributeError, OSError):
        raise Unavailable(
            "cli.viewer.memory",
            "this system shows no file from memory (memfd_create)",
            "Use Linux 3.17 or newer; nothing was written.",
        ) from None
    try:
        with os.fdopen(os.dup(descriptor), "wb") as file:
            file.write(octets)
        os.lseek(descriptor, 0, os.SEEK_SET)
        fcntl.fcntl(descriptor, fcntl.F_ADD_SEALS, _SEALS)
    except OSError as error:
        os.close(descriptor)
        raise Unavailable(
            "cli.viewer.memory", f"there is no memory for the document: {error.strerror}"
        ) from None
    return descriptor
