"""Make and publish what is due, again and again, each time in a process that may kill itself.

Standard input: first one line of JSON (``store``: its URL, ``folder``, ``archive``, ``root``,
``anchor_key`` and ``signers``: PEM, ``targets``), then a line ``TIME STEP [CARD]`` for each run.
The process of that run dies by SIGKILL when it is about to take the step, 0 for never; a card that
is named is revoked first. Standard output: for each run its exit status, how many steps it took,
and what the last one was. A step is whatever changes the world: a file opened to write, made,
renamed, removed, synchronized; a lock; a part of a list copied; a key opened; a row written, a
transaction committed.
"""

from __future__ import annotations

import json
import os
import signal
import sys
from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import datetime
from pathlib import Path
from typing import Any

from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import load_pem_private_key
from sqlalchemy import event
from sqlalchemy.orm import Session

from ca.records import Carrier
from crl.archive import Archive
from crl.publishing import FolderPublisher
from keys.backend import KeyBackend, KeySpec, PrivateKey
from operators.statements import KeySigner
from pki.errors import HpkiError
from store.database import Store
from tests.flows.conftest import Centre
from tests.flows.issuing import revoke

CHANGING = {
    "fcntl.flock",
    "os.chmod",
    "os.link",
    "os.mkdir",
    "os.remove",
    "os.rename",
    "os.rmdir",
    "os.truncate",
}
SMALLEST = 256
"""Octets of a list that are copied in one step; longer parts are halved."""


class Steps:
    """Counts what this process does to the world, and ends it before the ``last`` one."""

    def __init__(self, last: int, tell: int) -> None:
        self._last, self._tell = last, tell
        self.count = 0

    def __call__(self, what: str) -> None:
        self.count += 1
        if self.count == self._last:
            self.tell(what)
            os.kill(os.getpid(), signal.SIGKILL)

    def tell(self, what: str) -> None:
        """Report the count to the process that started this one."""
        os.write(self._tell, f"{self.count} {what}".encode())

    def watch(self) -> None:
        """Count from now on."""
        sys.addaudithook(self._audit)
        fsync, sendfile = os.fsync, os.sendfile

        def counted_fsync(descriptor: Any) -> None:
            self("fsync")
            fsync(descriptor)
            self("fsynced")

        def counted_sendfile(target: int, source: int, offset: int, size: int) -> int:
            self("sendfile")
            return sendfile(target, source, offset, max(size // 2, min(size, SMALLEST)))

        os.fsync, os.sendfile = counted_fsync, counted_sendfile  # type: ignore[assignment]
        event.listen(Session, "before_commit", lambda _: self("commit"))
        event.listen(Session, "after_commit", lambda _: self("committed"))

    def watch_rows(self, store: Store) -> None:
        """Count every row written too."""

        def written(*arguments: Any) -> None:
            verb = str(arguments[2]).split(" ", 1)[0]
            if verb in ("INSERT", "UPDATE", "DELETE"):
                self(verb)

        event.listen(store.engine, "after_cursor_execute", written)

    def _audit(self, name: str, arguments: tuple[Any, ...]) -> None:
        to_write = name == "open" and int(arguments[2] or 0) & (os.O_WRONLY | os.O_RDWR)
        if to_write or name in CHANGING:
            self(name)


@dataclass(frozen=True)
class CountedKeys:
    """The CA's keys; opening one is a step."""

    keys: KeyBackend
    step: Callable[[str], None]
    hardware = False

    def generate(self, label: str, spec: KeySpec) -> PrivateKey:
        return self.keys.generate(label, spec)

    def open(self, label: str) -> PrivateKey:
        self.step("key")
        return self.keys.open(label)

    def labels(self) -> tuple[str, ...]:
        return self.keys.labels()


def private_key(pem: str) -> ec.EllipticCurvePrivateKey:
    key = load_pem_private_key(pem.encode(), None)
    assert isinstance(key, ec.EllipticCurvePrivateKey)
    return key


def centre_in(setting: dict[str, Any]) -> Centre:
    """The centre, its CA keys open, and its store not."""
    centre = Centre(
        Store(setting["store"]),
        Path(setting["folder"]),
        root=setting["root"],
        anchor_key=private_key(setting["anchor_key"]),
        signers={
            name: KeySigner(name, private_key(pem)) for name, pem in setting["signers"].items()
        },
    )
    centre.archive = Archive(Path(setting["archive"]))
    for label in centre.keys.labels():
        centre.keys.open(label)
    centre.publish_to(*(FolderPublisher(Path(one).name, Path(one)) for one in setting["targets"]))
    return centre


def run(centre: Centre, now: datetime, last: int, card: str, tell: int) -> None:
    """Make and publish what is due; raise its first failure."""
    centre.now = now
    if card:
        with centre.store.read() as tx:
            carrier = tx.get_one(Carrier, card)
        revoke(centre, carrier)
    steps = Steps(last, tell)

    def statement_key() -> ec.EllipticCurvePrivateKey:
        steps("anchor key")
        return centre.anchor_key

    keys = CountedKeys(centre.keys, steps)
    lists = replace(centre.lists, keys=keys, statement_key=statement_key)
    centre.rhythm = replace(centre.rhythm, lists=lists)
    steps.watch()
    steps.watch_rows(centre.store)
    centre.due()
    steps.tell("end")


def run_apart(centre: Centre, now: datetime, last: int, card: str = "") -> str:
    """Run it in a child, and return its exit status and what it told last."""
    reader, writer = os.pipe()
    child = os.fork()
    if child == 0:
        try:
            run(centre, now, last, card, writer)
        except HpkiError as error:
            os.write(writer, f"0 {error.code}".encode())
            os._exit(1)
        except BaseException as error:
            os.write(writer, f"0 {error!r}".encode())
            os._exit(2)
        os._exit(0)
    os.close(writer)
    with os.fdopen(reader, "rb") as told:
        said = told.read().decode()
    _, status = os.waitpid(child, 0)
    return f"{os.waitstatus_to_exitcode(status)} {said}"


def main() -> None:
    """Answer every line of standard input."""
    centre = centre_in(json.loads(sys.stdin.readline()))
    for line in sys.stdin:
        now, last, *card = line.split()
        told = run_apart(centre, datetime.fromisoformat(now), int(last), *card)
        sys.stdout.write(told + "\n")
        sys.stdout.flush()


if __name__ == "__main__":
    main()
