"""Which URI a certificate of a CA with a split list may name, as another organisation sees it."""

from __future__ import annotations

import pytest
from cryptography import x509

from ca.issuers import named_list
from tests.golden.lint.sound import REPOSITORY, person, root

TEMPLATE = REPOSITORY + "sign-{shard}.crl"


def naming(list_name: str) -> x509.Certificate:
    """A certificate that points to this file."""
    return x509.load_der_x509_certificate(
        person("ee-sign", "sign", list_name=list_name).first.encode()
    )


@pytest.mark.parametrize("shard", ["0", "7", "10", "1023"])
def test_the_part_that_the_certificate_names(shard: str) -> None:
    assert named_list(TEMPLATE, naming(f"sign-{shard}.crl")) == f"{REPOSITORY}sign-{shard}.crl"


@pytest.mark.parametrize(
    ("template", "list_name"),
    [
        (TEMPLATE, "sign.crl"),
        (TEMPLATE, "sign-.crl"),
        (TEMPLATE, "sign-007.crl"),
        (TEMPLATE, "sign-12345.crl"),
        (TEMPLATE, "sign--1.crl"),
        (TEMPLATE, "sign-3xcrl"),
        (TEMPLATE, "auth-3.crl"),
        (TEMPLATE, "sign-3.crl.crl"),
        (f"{REPOSITORY}sign-", "sign-3"),
        (f"{REPOSITORY}sign.crl", "sign.crl"),
    ],
)
def test_no_other_uri_is_taken_for_a_part(template: str, list_name: str) -> None:
    assert named_list(template, naming(list_name)) == template


def test_a_certificate_without_points_names_none() -> None:
    draft = root()
    draft.drop("2.5.29.31")
    assert named_list(TEMPLATE, x509.load_der_x509_certificate(draft.encode())) == TEMPLATE
