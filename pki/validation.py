"""Path validation by RFC 5280; the only module that imports the validator.

Revocation is always required, nothing is fetched, the policy must be the one asked for, and the
moment is given.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime
from functools import wraps
from typing import Any

from asn1crypto import core
from asn1crypto import crl as asn1_crl
from asn1crypto import x509 as asn1_x509
from pyhanko_certvalidator import CertificateValidator, ValidationContext
from pyhanko_certvalidator.errors import PathError, ValidationError
from pyhanko_certvalidator.policy_decl import (
    CertRevTrustPolicy,
    PKIXValidationParams,
    RevocationCheckingPolicy,
    RevocationCheckingRule,
)

from pki.errors import InvalidInput, Refused


def _as_it_stands(dump: Callable[..., bytes]) -> Callable[..., bytes]:
    """Return ``dump`` without its mistake: a length ending in the octet 80 is not indefinite.

    asn1crypto 1.5.1 encodes such values anew, one certificate of 256, and with hcRole it cannot.
    Source: https://github.com/wbond/asn1crypto/issues/249
    """

    @wraps(dump)
    def corrected(value: Any, force: bool = False) -> bytes:
        contents, header = value.contents, value._header
        if force or header is None or len(header) <= 2 or not header.endswith(b"\x80"):
            return dump(value, force)
        return bytes(header + contents + value._trailer)

    return corrected


core.Sequence.dump = _as_it_stands(core.Sequence.dump)
core.SequenceOf.dump = _as_it_stands(core.SequenceOf.dump)


@dataclass(frozen=True)
class PathInputs:
    """DER of trust root, intermediates and lists, the required policy OID, and the moment."""

    root_der: bytes
    intermediates_der: Sequence[bytes]
    lists_der: Sequence[bytes]
    policy: str
    moment: datetime


def verify_path(certificate_der: bytes, inputs: PathInputs) -> None:
    """Raise ``Refused`` unless the certificate is valid for the policy at the moment.

    Every certificate but the root needs a list that covers it then.
    """
    try:
        certificate = asn1_x509.Certificate.load(certificate_der, strict=True)
        intermediates = [asn1_x509.Certificate.load(one) for one in inputs.intermediates_der]
        context = _context(inputs)
        parameters = PKIXValidationParams(
            user_initial_policy_set=frozenset([inputs.policy]), initial_explicit_policy=True
        )
    except ValueError as error:
        raise InvalidInput("pki.path.unreadable", f"this cannot be read: {error}") from None
    validator = CertificateValidator(
        certificate,
        intermediate_certs=intermediates,
        validation_context=context,
        pkix_params=parameters,
    )
    try:
        asyncio.run(validator.async_validate_path())
    except (PathError, ValidationError) as error:
        raise Refused("pki.path.invalid", f"the path is not valid: {error}") from None


def _context(inputs: PathInputs) -> ValidationContext:
    rule = RevocationCheckingRule.CRL_REQUIRED
    return ValidationContext(
        trust_roots=[asn1_x509.Certificate.load(inputs.root_der)],
        crls=[asn1_crl.CertificateList.load(one) for one in inputs.lists_der],
        moment=inputs.moment,
        allow_fetching=False,
        revinfo_policy=CertRevTrustPolicy(
            RevocationCheckingPolicy(ee_certificate_rule=rule, intermediate_ca_cert_rule=rule)
        ),
    )
