"""An audit by several processes on PostgreSQL, each on a snapshot of its own."""

from __future__ import annotations

import pytest

from reports.compliance.checks import PARTS
from reports.compliance.engine import audit
from reports.compliance.processes import share
from tests.flows.auditing import make_sound, run_of
from tests.flows.conftest import Centre


@pytest.mark.parametrize("database", ["postgres"], indirect=True)
def test_several_processes_read_a_shared_store_alike(
    centre: Centre, capfd: pytest.CaptureFixture[str]
) -> None:
    """Without progress, and they end without a word."""
    make_sound(centre)
    with centre.store.read() as tx:
        run = run_of(centre, tx)
        assert share(run, 2) == audit(run, PARTS)
    assert capfd.readouterr() == ("", "")
