"""pkilint's RFC 5280 lint on everything we make, with an allow-list that must stay true."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest
from pkilint import loader, pkix  # type: ignore[import-untyped]
from pkilint.pkix import (  # type: ignore[import-untyped]
    certificate,
    crl,
    extension,
    name,
)
from pkilint.validation import (  # type: ignore[import-untyped]
    ValidationFindingSeverity,
)

from tests.interop.conftest import CERTIFICATES, LISTS, Published

pytestmark = pytest.mark.xdist_group("interop")

ALLOWED_FILE = Path(__file__).resolve().parents[2] / "docs" / "pkilint-allowlist.md"
LEAST = ValidationFindingSeverity.NOTICE


def certificate_validator() -> Any:
    return certificate.create_pkix_certificate_validator_container(
        certificate.create_decoding_validators(
            name.ATTRIBUTE_TYPE_MAPPINGS, extension.EXTENSION_MAPPINGS
        ),
        [
            certificate.create_issuer_validator_container([]),
            certificate.create_validity_validator_container(),
            certificate.create_subject_validator_container([]),
            certificate.create_extensions_validator_container([]),
            certificate.create_spki_validator_container([]),
        ],
    )


def list_validator() -> Any:
    return crl.create_pkix_crl_validator_container(
        [
            pkix.create_attribute_decoder(name.ATTRIBUTE_TYPE_MAPPINGS),
            pkix.create_extension_decoder(extension.EXTENSION_MAPPINGS),
        ],
        [
            crl.create_issuer_validator_container([]),
            crl.create_validity_validator_container([]),
            crl.create_extensions_validator_container([]),
        ],
    )


def found(validator: Any, document: Any) -> dict[str, set[str]]:
    """Codes from FATAL down to NOTICE with the places where they were found."""
    codes: dict[str, set[str]] = {}
    for result in validator.validate(document.root):
        for description in result.finding_descriptions:
            if description.finding.severity <= LEAST:
                codes.setdefault(description.finding.code, set()).add(result.node.path)
    return codes


def allowed() -> dict[str, set[str]]:
    """Code to the objects that may draw it, from the table in the document."""
    rows: dict[str, set[str]] = {}
    for line in ALLOWED_FILE.read_text().splitlines():
        cells = [cell.strip() for cell in line.strip("|").split("|")]
        match = re.fullmatch(r"`([\w.-]+)`", cells[0])
        if line.startswith("|") and match:
            assert len(cells) == 3
            assert len(cells[2]) > 20, f"{match[1]} is not explained"
            assert match[1] not in rows
            rows[match[1]] = set(cells[1].split(", "))
    return rows


@pytest.mark.parametrize("name", CERTIFICATES)
def test_certificates(published: Published, name: str) -> None:
    document = loader.load_certificate(published.der(name), name)
    codes = found(certificate_validator(), document)
    assert set(codes) == {code for code, objects in allowed().items() if name in objects}, codes


@pytest.mark.parametrize("name", LISTS)
def test_lists(published: Published, name: str) -> None:
    document = loader.load_crl(published.crl_der(name), name)
    codes = found(list_validator(), document)
    listed = {code for code, objects in allowed().items() if f"{name}.crl" in objects}
    assert set(codes) == listed, codes


def test_the_lint_bites(published: Published) -> None:
    """A negative serial number is found."""
    sound = published.der("sign-good")
    octets = sound.replace(b"\x02\x10\x01", b"\x02\x10\x81", 1)
    assert octets != sound
    codes = found(certificate_validator(), loader.load_certificate(octets, "broken"))
    assert codes.keys() - allowed().keys()


def test_the_list_names_only_what_we_make() -> None:
    objects = set().union(*allowed().values()) if allowed() else set()
    assert objects <= {*CERTIFICATES, *(f"{name}.crl" for name in LISTS)}
