"""The transcript of a ceremony names each key as a person reads it."""

from __future__ import annotations

import pytest

from cli.transcripts import _key
from reports.ceremony import CeremonyKey

SPKI = "ab" * 32


@pytest.mark.parametrize(
    ("spec", "algorithm", "size"),
    [("RSA-4096", "RSA", 4096), ("P-384", "ECDSA P-384", 384), ("P-256", "ECDSA P-256", 256)],
)
def test_keys_are_named_with_their_size(spec: str, algorithm: str, size: int) -> None:
    made = {"ca": "root", "key": spec, "spki_sha256": SPKI}
    assert _key(made) == CeremonyKey("root", algorithm, size, SPKI)
