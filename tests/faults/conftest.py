"""The centre of the flow tests, and one that is always in a file."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.flows.conftest import Centre, Moulds, centre, database, moulds

__all__ = ["centre", "database", "moulds"]


@pytest.fixture
def file_centre(moulds: Moulds, tmp_path: Path) -> Iterator[Centre]:  # noqa: F811
    """A centre that has held its key ceremony, on SQLite."""
    made = moulds.copy(tmp_path, None)
    yield made
    made.store.close()
