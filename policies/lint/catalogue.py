"""Every check there is, and the ways to run them."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from pki.errors import NotFound
from pki.findings import Finding
from policies.lint import (
    conformity,
    hpki_extensions,
    hpki_fields,
    hpki_lists,
    hpki_names,
    hpki_policies,
    hpki_roles,
    issuer,
    list_issuer,
    pairs,
    rfc5280_certificate,
    rfc5280_constraints,
    rfc5280_entries,
    rfc5280_extensions,
    rfc5280_general_names,
    rfc5280_lists,
    rfc5280_names,
    rfc5280_points,
    rfc5280_usage,
)
from policies.lint.check import Check, JudgedCertificate, JudgedList, JudgedPair, run

CERTIFICATE_CHECKS: tuple[Check[JudgedCertificate], ...] = (
    *hpki_fields.CHECKS,
    *hpki_names.CHECKS,
    *hpki_extensions.CHECKS,
    *hpki_policies.CHECKS,
    *hpki_roles.CHECKS,
    *conformity.CHECKS,
    *rfc5280_certificate.CHECKS,
    *rfc5280_names.CHECKS,
    *rfc5280_general_names.CHECKS,
    *rfc5280_extensions.CHECKS,
    *rfc5280_usage.CHECKS,
    *rfc5280_constraints.CHECKS,
    *rfc5280_points.CHECKS,
    *issuer.CHECKS,
)
LIST_CHECKS: tuple[Check[JudgedList], ...] = (
    *hpki_lists.CHECKS,
    *rfc5280_lists.CHECKS,
    *rfc5280_entries.CHECKS,
    *list_issuer.CHECKS,
)
PAIR_CHECKS: tuple[Check[JudgedPair], ...] = pairs.CHECKS


def check_certificate(judged: JudgedCertificate) -> tuple[Finding, ...]:
    """Return what is found in the certificate."""
    return run(CERTIFICATE_CHECKS, judged, strict=judged.strict)


def check_list(judged: JudgedList) -> tuple[Finding, ...]:
    """Return what is found in the list."""
    return run(LIST_CHECKS, judged, strict=judged.strict)


def check_pair(pair: JudgedPair) -> tuple[Finding, ...]:
    """Return what is found between the two lists."""
    return run(PAIR_CHECKS, pair, strict=False)


def catalogue() -> tuple[Check[Any], ...]:
    """Return every check, by code."""
    checks: list[Check[Any]] = [*CERTIFICATE_CHECKS, *LIST_CHECKS, *PAIR_CHECKS]
    return tuple(sorted(checks, key=lambda check: check.code))


FIRMNESS: Mapping[str, str] = {
    "OBS": "seen in real HPKI artefacts",
    "READ": "read in the document named",
    "INFERRED": "derived from what was seen or read",
    "INFERRED-M": "from memory of the policy, not read again",
    "PROPOSAL": "this project's choice, nothing was found",
}
"""What the marks of firmness mean."""


def facts(check: Check[Any]) -> dict[str, str]:
    """Return what is known of the check, as it is shown."""
    severity = str(check.severity)
    if check.strict is not None and check.strict is not check.severity:
        severity += f" ({check.strict} when strict)"
    return {
        "code": check.code,
        "severity": severity,
        "applies": check.applies,
        "rule": check.rule,
        "source": check.source,
        "firm": f"{check.firm}: {FIRMNESS[check.firm]}",
    }


def catalogue_markdown() -> str:
    """Return docs/checks.md."""
    lines = [
        "# Checks",
        "",
        "Made by `hpki lint --catalogue`; a test compares. H: the HPKI's rules, P: conformity with",
        "the profile, R: RFC 5280 and its neighbours. The source `profile 3.5` is a section of the",
        "founders' facts on real HPKI certificates. ERROR stops an issue; strict is how our own CA",
        "judges before it signs, and `--strict`. A check may speak more softly of lesser cases.",
        "",
        "| firm | means |",
        "|---|---|",
        *(f"| {mark} | {meaning} |" for mark, meaning in FIRMNESS.items()),
        "",
        "| code | severity | applies to | rule | source | firm |",
        "|---|---|---|---|---|---|",
    ]
    for check in catalogue():
        known = facts(check)
        cells = (
            known["code"],
            known["severity"],
            known["applies"],
            known["rule"],
            known["source"],
            check.firm,
        )
        lines.append("| " + " | ".join(cell.replace("|", "\\|") for cell in cells) + " |")
    return "\n".join(lines) + "\n"


def explain(code: str) -> Check[Any]:
    """Return the check of that code, or raise ``NotFound``."""
    for check in catalogue():
        if check.code == code.upper():
            return check
    raise NotFound("lint.code.unknown", f"there is no check {code!r}", "See docs/checks.md.")
