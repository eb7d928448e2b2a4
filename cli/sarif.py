"""Verdicts as SARIF 2.1.0, for tools that gather findings. Source: OASIS SARIF 2.1.0."""

from __future__ import annotations

from collections.abc import Sequence
from importlib.metadata import version
from pathlib import PurePath
from typing import Any
from urllib.parse import quote

from pki.errors import HpkiError
from pki.findings import Finding, Severity
from policies.lint.catalogue import catalogue
from policies.lint.corpus import Verdict

_SCHEMA = "https://docs.oasis-open.org/sarif/sarif/v2.1.0/os/schemas/sarif-schema-2.1.0.json"
_LEVEL = {Severity.ERROR: "error", Severity.WARNING: "warning", Severity.INFO: "note"}


def sarif(
    verdicts: Sequence[Verdict], unreadable: Sequence[tuple[str, HpkiError]]
) -> dict[str, Any]:
    """Return the log as a tree; what could not be read are notifications of the invocation."""
    checks = catalogue()
    index = {check.code: number for number, check in enumerate(checks)}
    return {
        "$schema": _SCHEMA,
        "version": "2.1.0",
        "runs": [
            {
                "tool": {
                    "driver": {
                        "name": "hpki",
                        "version": version("hpki-ca"),
                        "rules": [
                            {
                                "id": check.code,
                                "shortDescription": {"text": check.rule},
                                "defaultConfiguration": {"level": _LEVEL[check.severity]},
                                "properties": {
                                    "applies": check.applies,
                                    "source": check.source,
                                    "firm": check.firm,
                                },
                            }
                            for check in checks
                        ],
                    }
                },
                "columnKind": "unicodeCodePoints",
                "invocations": [
                    {
                        "executionSuccessful": not unreadable,
                        "toolExecutionNotifications": [
                            {
                                "level": "error",
                                "message": {"text": error.text},
                                "descriptor": {"id": error.code},
                                "locations": [_location(path)],
                            }
                            for path, error in unreadable
                        ],
                    }
                ],
                "results": [
                    _result(verdict, finding, index[finding.code])
                    for verdict in verdicts
                    for finding in verdict.findings
                ],
            }
        ],
    }


def _result(verdict: Verdict, finding: Finding, number: int) -> dict[str, Any]:
    place = _location(verdict.source.partition("#")[0])
    place["logicalLocations"] = [{"fullyQualifiedName": verdict.what, "kind": "object"}]
    return {
        "ruleId": finding.code,
        "ruleIndex": number,
        "level": _LEVEL[finding.severity],
        "message": {"text": f"{verdict.what}: {finding.message}"},
        "locations": [place],
    }


def _location(path: str) -> dict[str, Any]:
    absolute = PurePath(path).is_absolute()
    uri = PurePath(path).as_uri() if absolute else quote(path, safe="/")
    return {"physicalLocation": {"artifactLocation": {"uri": uri}}}
