"""A real process is killed (SIGKILL) while it personalizes; another takes the card up again."""

from __future__ import annotations

import json
import random
import signal
import subprocess
import sys
import time
from dataclasses import asdict
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat

from tests.faults.resuming import check_whole, is_finished, resume
from tests.flows.conftest import Centre
from tests.flows.registration import batch_for, blank_card, order_all, row

ROOT = Path(__file__).parents[2]
SEED = 20261121
STEPS = ("ISSUER", "FILES", "KEYS", "ISSUE", "WRITE", "PINS", "LOCK", "VERIFY")
TIMEOUT_SECONDS = 60


def private_pem(key: ec.EllipticCurvePrivateKey) -> str:
    """The test's own operator key, handed to the process on its standard input."""
    return key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()).decode()


def kill_at(centre: Centre, order_id: str, card: str, step: str, delay: float) -> int:
    """Let a process personalize, kill it so long after the step began; its exit status."""
    batch = batch_for(centre, order_id, batch_id=f"killed-{order_id}")
    arguments = (str(centre.folder), centre.root, order_id, card, json.dumps(asdict(batch)))
    with subprocess.Popen(
        [sys.executable, "-m", "tests.faults.personalize_once", *arguments],
        cwd=ROOT,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    ) as process:
        assert process.stdin is not None
        assert process.stdout is not None
        process.stdin.write(private_pem(centre.signers[batch.executor].key))
        process.stdin.close()
        for line in process.stdout:
            if line.strip() == step:
                break
        time.sleep(delay)
        process.kill()
        return process.wait(TIMEOUT_SECONDS)


def kill_and_resume(centre: Centre, number: int, step: str, delay: float) -> int:
    (order,) = order_all(centre, row(number))
    card = blank_card(centre)
    status = kill_at(centre, order.id, card, step, delay)
    if status == 0:
        return status
    assert status == -signal.SIGKILL
    centre.trail.verify()
    try:
        finished = is_finished(centre, card)  # killed on its way out, after its last transaction
        report = None if finished else resume(centre, order.id, card)
        check_whole(centre, order.id, card, report)
    except AssertionError as failure:
        failure.add_note(f"killed {delay:.3f} s after {step} began")
        raise
    centre.trail.verify()
    return status


def test_killed_at_sampled_moments(file_centre: Centre) -> None:
    moments = (("FILES", 0.02), ("ISSUE", 0.01), ("WRITE", 0.0))
    killed = [
        kill_and_resume(file_centre, number, step, delay)
        for number, (step, delay) in enumerate(moments, start=1)
    ]
    assert killed[0] == -signal.SIGKILL  # most of the run still lay ahead


@pytest.mark.soak
def test_killed_at_random_moments(file_centre: Centre) -> None:
    choice = random.Random(SEED)
    killed = [
        kill_and_resume(file_centre, number, choice.choice(STEPS), choice.uniform(0, 0.08))
        for number in range(1, 61)
    ]
    assert killed.count(-signal.SIGKILL) >= 30
