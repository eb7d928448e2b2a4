"""A process is killed (SIGKILL) at every step of making and publishing lists; the next goes on."""

from __future__ import annotations

import json
import os
import random
import signal
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass, field
from hashlib import sha256
from pathlib import Path
from typing import NamedTuple

import pytest
from cryptography import x509
from cryptography.hazmat.primitives.serialization import Encoding
from sqlmodel import col, select

from ca.records import Carrier, Issuer, certificates_of_carrier, revocation_of
from crl.publishing import FolderPublisher
from crl.records import RevocationList
from reports.reconciliation import check_rows
from tests import tiers
from tests.faults.test_process_killed import private_pem
from tests.flows.conftest import Centre
from tests.flows.issuing import issue, revoke

ROOT = Path(__file__).parents[2]
SEED = 20261122
KILLS = 200
FILES = {"rarl.crl": "root", "sarl.crl": "root", "auth.crl": "auth", "sign.crl": "sign"}


@dataclass
class Witness:
    """Remembers what it saw of a centre's lists, and what was revoked; nothing may contradict it.

    ``octets``: the SHA-256 that a number stands for; ``standing``: the number seen on a target.
    """

    centre: Centre
    targets: tuple[Path, ...]
    octets: dict[tuple[str, int], str] = field(default_factory=dict)
    standing: dict[tuple[Path, str], int] = field(default_factory=dict)
    revoked: dict[str, set[int]] = field(default_factory=dict)

    def __post_init__(self) -> None:
        with self.centre.store.read() as tx:
            found = {one.id: one.certificate_der or b"" for one in tx.exec(select(Issuer))}
        self.issuers = {name: x509.load_der_x509_certificate(der) for name, der in found.items()}

    def revoke(self, carrier: Carrier) -> None:
        """Revoke the card and remember it."""
        revoke(self.centre, carrier)
        self.note(carrier)

    def note(self, carrier: Carrier) -> None:
        """Remember that somebody revoked the card."""
        with self.centre.store.read() as tx:
            for row in certificates_of_carrier(tx, carrier.id):
                assert revocation_of(tx, row.id or 0) is not None
                self.revoked.setdefault(row.issuer_id, set()).add(int(row.serial, 16))

    def look(self) -> None:
        """Whatever stands on a target is whole, its CA's, unexpired, and not older than before."""
        for target in self.targets:
            for name, issuer_id in FILES.items():
                path = target / name
                if path.exists():
                    number = self._read(path.read_bytes(), issuer_id)
                    assert number >= self.standing.get((target, name), 0), path
                    self.standing[target, name] = number
                else:
                    assert (target, name) not in self.standing, f"{path} is gone"
        for path in (self.centre.folder / "lists").glob("[!.]*.crl"):
            issuer_id, _, named = path.stem.rpartition("-")
            assert self._read(path.read_bytes(), issuer_id) == int(named)
        self._look_at_numbers()

    def _read(self, octets: bytes, issuer_id: str) -> int:
        """The number of a list that verifies, which always stands for these octets."""
        issuer = self.issuers[issuer_id]
        found = x509.load_der_x509_crl(octets)
        assert found.issuer == issuer.subject
        assert found.is_signature_valid(issuer.public_key())  # type: ignore[arg-type]
        number = found.extensions.get_extension_for_class(x509.CRLNumber).value.crl_number
        known = self.octets.setdefault((issuer_id, number), sha256(octets).hexdigest())
        assert known == sha256(octets).hexdigest(), f"number {number} stands for two lists"
        return number

    def _look_at_numbers(self) -> None:
        query = select(RevocationList).order_by(col(RevocationList.id))
        with self.centre.store.read() as tx:
            rows = list(tx.exec(query))
        for issuer_id in self.issuers:
            numbers = [row.number for row in rows if row.issuer_id == issuer_id]
            assert numbers == sorted(set(numbers)), f"numbers of {issuer_id} do not rise"

    def look_when_done(self, *, thorough: bool = True) -> None:
        """Every target serves the newest list with every revocation, and nothing else is left."""
        self.look()
        for name, issuer_id in FILES.items():
            first, *others = [(target / name).read_bytes() for target in self.targets]
            assert all(other == first for other in others), f"{name} differs between targets"
            served = x509.load_der_x509_crl(first)
            assert served.next_update_utc is not None
            assert served.last_update_utc <= self.centre.now < served.next_update_utc
            listed = {one.serial_number for one in served}
            assert listed == self.revoked.get(issuer_id, set()), f"{name} lacks revocations"
        for folder in (self.centre.folder / "lists", *self.targets):
            left = [one for one in os.listdir(folder) if one.startswith(".") and one != ".lock"]
            assert left == [], folder
        if thorough:
            self.centre.trail.verify()
            with self.centre.store.read() as tx:
                found = [one.code for one in check_rows(tx, self.centre.archive)]
            # these cards were issued without an application
            assert [one for one in found if not one.startswith("application.")] == []


class Ended(NamedTuple):
    """How a run ended: by which signal or with which status, after how many steps, at which."""

    status: int
    steps: int
    what: str


class Runs:
    """The process that starts a process for each run."""

    def __init__(
        self, centre: Centre, targets: tuple[Path, ...], *, archive: Path | None = None
    ) -> None:
        self._centre = centre
        setting = {
            "store": centre.store.engine.url.render_as_string(hide_password=False),
            "folder": str(centre.folder),
            "archive": str(archive or centre.archive.folder),
            "root": centre.root,
            "anchor_key": private_pem(centre.anchor_key),
            "targets": [str(one) for one in targets],
            "signers": {
                name: private_pem(centre.signers[name].key) for name in ("shikko", "hakko")
            },
        }
        self._process = subprocess.Popen(
            [sys.executable, "-m", "tests.faults.publish_once"],
            cwd=ROOT,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        self._say(json.dumps(setting))

    def __call__(self, last: int) -> Ended:
        """Make and publish what is due, and die before that step; 0 for never."""
        self.begin(last)
        return self.end()

    def begin(self, last: int = 0, card: str = "") -> None:
        """Let a run begin, which revokes the card first if one is named."""
        self._say(f"{self._centre.now.isoformat()} {last} {card}")

    def end(self) -> Ended:
        """Wait for it."""
        assert self._process.stdout is not None
        status, steps, what = self._process.stdout.readline().strip().split(" ", 2)
        return Ended(int(status), int(steps), what)

    def close(self) -> None:
        assert self._process.stdin is not None
        self._process.stdin.close()
        assert self._process.stdout is not None
        self._process.stdout.close()
        assert self._process.wait(60) == 0

    def _say(self, line: str) -> None:
        assert self._process.stdin is not None
        self._process.stdin.write(line + "\n")
        self._process.stdin.flush()


@pytest.fixture
def witness(file_centre: Centre) -> Witness:
    targets = (file_centre.folder / "public", file_centre.folder / "mirror")
    file_centre.publish_to(*(FolderPublisher(one.name, one) for one in targets))
    return Witness(file_centre, targets)


@pytest.fixture
def runs(witness: Witness) -> Iterator[Runs]:
    made = Runs(witness.centre, witness.targets)
    yield made
    made.close()


def kill(witness: Witness, runs: Runs, last: int) -> Ended:
    ended = runs(last)
    assert ended.status in (-signal.SIGKILL, 0), ended
    try:
        witness.look()
    except AssertionError as failure:
        failure.add_note(f"killed before step {last}: {ended}")
        raise
    return ended


def kill_and_go_on(witness: Witness, runs: Runs, *lasts: int, thorough: bool = True) -> list[Ended]:
    """Kill one run after the other, then let one end; nothing is missing then."""
    ended = [kill(witness, runs, last) for last in lasts]
    try:
        witness.centre.due()
        witness.look_when_done(thorough=thorough)
        assert witness.centre.due() == [], "nothing is due twice"
    except Exception as failure:
        failure.add_note(f"after {ended}")
        raise
    return ended


def steps_of_a_run(witness: Witness, runs: Runs) -> int:
    ended = runs(0)
    assert ended.status == 0, ended
    witness.look_when_done()
    return ended.steps


def check_with_openssl(witness: Witness) -> None:
    openssl = tiers.require_tool("openssl", tier="openssl")
    for issuer_id, certificate in witness.issuers.items():
        authority = witness.centre.folder / f"{issuer_id}.pem"
        authority.write_bytes(certificate.public_bytes(Encoding.PEM))
    for target in witness.targets:
        for name, issuer_id in FILES.items():
            authority = witness.centre.folder / f"{issuer_id}.pem"
            command = [openssl, "crl", "-in", str(target / name), "-noout", "-verify"]
            told = subprocess.run(
                [*command, "-CAfile", str(authority)], capture_output=True, text=True, check=True
            )
            assert "verify OK" in told.stderr


def test_killed_at_sampled_steps(witness: Witness, runs: Runs) -> None:
    """The first lists of a centre, lists after a revocation, and those of every CA."""
    choice = random.Random(SEED)
    cards = [issue(witness.centre, number) for number in range(1, 5)]
    killed = kill_and_go_on(witness, runs, *sorted(choice.sample(range(1, 280), 3)))
    for hours, count in ((1, 6), (49, 4)):
        witness.centre.pass_time(hours=hours)
        if cards:
            witness.revoke(cards.pop())
        total = steps_of_a_run(witness, runs)
        for lasts in zip(*[iter(choice.sample(range(1, total), count))] * 2, strict=True):
            witness.centre.pass_time(hours=hours)
            if cards:
                witness.revoke(cards.pop())
            killed += kill_and_go_on(witness, runs, *lasts)
    assert [one.status for one in killed].count(-signal.SIGKILL) >= 10, killed
    check_with_openssl(witness)


@pytest.mark.soak
def test_killed_at_every_step(witness: Witness, runs: Runs) -> None:
    """Every step of a run after a revocation, then steps of runs for every CA at random."""
    centre = witness.centre
    centre.due()
    witness.revoke(issue(centre, 1))
    total = steps_of_a_run(witness, runs)
    assert total > 60
    choice = random.Random(SEED)
    killed: list[Ended] = []
    last = 0
    while len(killed) < KILLS or last < total + 5:
        last += 1
        number = last + 1
        centre.pass_time(minutes=1)
        if last > total + 5:
            centre.pass_time(hours=49)
        witness.revoke(issue(centre, number))
        at = last if last <= total + 5 else choice.randrange(1, 3 * total)
        killed += kill_and_go_on(witness, runs, at, thorough=last % 10 == 0)
        killed = [one for one in killed if one.status]
    witness.look_when_done()
    check_with_openssl(witness)
