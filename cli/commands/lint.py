"""``hpki lint``: judging certificates and lists, our own and anyone's."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from cli import options

if TYPE_CHECKING:
    from cli.linting import Judged
    from pki.findings import Finding
    from policies.lint.corpus import Options, Verdict


class Threshold(StrEnum):
    """From which severity on."""

    ERROR = "error"
    WARNING = "warning"
    INFO = "info"
    NEVER = "never"


class Policy(StrEnum):
    """Whose policy OID must stand in the certificates."""

    PRODUCTION = "production"
    TEST = "test"


def lint(
    files: Annotated[
        list[str] | None,
        typer.Argument(
            metavar="FILE…", help="Files, folders, or - for stdin; DER or PEM.", show_default=False
        ),
    ] = None,
    profile: Annotated[
        str, typer.Option(help="Judge certificates by this profile, not the one they claim.")
    ] = "",
    profiles: Annotated[
        Path | None,
        typer.Option(
            help="A folder with profiles of your own; the site's if not given.", show_default=False
        ),
    ] = None,
    policy: Annotated[
        Policy | None, typer.Option(help="Which policy must stand there; either if not given.")
    ] = None,
    strict: Annotated[
        bool, typer.Option("--strict", help="Judge as our own CA does before it signs.")
    ] = False,
    show: Annotated[
        Threshold, typer.Option(help="Show findings from this severity on.")
    ] = Threshold.INFO,
    fail_on: Annotated[
        Threshold, typer.Option(help="End with status 3 from this severity on.")
    ] = Threshold.ERROR,
    sarif: Annotated[bool, typer.Option("--sarif", help="Print SARIF 2.1.0.")] = False,
    explain: Annotated[
        str, typer.Option(metavar="CODE", help="Explain a check and judge nothing.")
    ] = "",
    catalogue: Annotated[
        bool, typer.Option("--catalogue", help="Print every check, as Markdown or JSON.")
    ] = False,
    as_json: options.Json = False,
) -> None:
    """Judge certificates and revocation lists of any CA.

    Certificates given together are judged with their issuers among them, lists with the list
    before. Exit status: 0 nothing from --fail-on up, 3 something, 2 a file that cannot be read.

    Example: hpki lint root.cer sub-ca.cer card.cer list.crl --fail-on warning
    """
    from cli.linting import judge_files
    from pki.errors import InvalidInput

    if explain or catalogue:
        _show_checks(explain, as_json)
        return
    if not files:
        raise InvalidInput("cli.usage", "no FILE was given", "See `hpki lint --help`.")
    judged = judge_files(files, _options(profile, profiles, policy, strict))
    if not judged.verdicts and len(judged.unreadable) == 1:
        path, error = judged.unreadable[0]
        raise type(error)(error.code, f"{path}: {error.text}", error.hint)
    _show(judged, show, as_json=as_json, as_sarif=sarif)
    _verify(judged, fail_on)


def _options(profile: str, profiles: Path | None, policy: Policy | None, strict: bool) -> Options:
    from cli.config import FILE_NAME, load_site, site_profiles
    from policies.lint.corpus import Options
    from policies.profiles import load_profiles, shipped_profiles
    from policies.site import SiteKind

    if profiles is not None:
        known = load_profiles(profiles)
    elif options.current.site.joinpath(FILE_NAME).is_file():
        known = site_profiles(load_site(options.current.site))
    else:
        known = shipped_profiles()
    site = {Policy.PRODUCTION: SiteKind.PRODUCTION, Policy.TEST: SiteKind.TRIAL}
    return Options(
        known,
        known.certificate(profile) if profile else None,
        site[policy] if policy is not None else None,
        strict,
    )


def _show_checks(code: str, as_json: bool) -> None:
    from cli.output import show_json, show_record
    from cli.tables import write_stdout
    from policies.lint.catalogue import catalogue, catalogue_markdown, explain, facts

    if code:
        show_record(facts(explain(code)), as_json=as_json)
    elif as_json:
        show_json([facts(check) for check in catalogue()])
    else:
        write_stdout(catalogue_markdown())


def _show(judged: Judged, show: Threshold, *, as_json: bool, as_sarif: bool) -> None:
    from dataclasses import replace

    from cli.output import say, show_json
    from cli.sarif import sarif

    shown = [
        replace(verdict, findings=_from(verdict.findings, show)) for verdict in judged.verdicts
    ]
    if as_sarif:
        show_json(sarif(shown, judged.unreadable))
    elif as_json:
        show_json([_tree(verdict) for verdict in shown])
    else:
        _show_text(shown)
    counts = Counter(found.severity for one in judged.verdicts for found in one.findings)
    say(
        f"{len(judged.verdicts)} judged: "
        + ", ".join(f"{counts[severity]} {severity}" for severity in _severities())
    )


def _verify(judged: Judged, fail_on: Threshold) -> None:
    from cli.output import say
    from pki.errors import InvalidInput, Refused

    for path, error in judged.unreadable:
        say(f"  {path}: {error.code}: {error.text}")
    if judged.unreadable:
        raise InvalidInput("lint.unreadable", f"{len(judged.unreadable)} files cannot be judged")
    bad = [one for one in judged.verdicts if _from(one.findings, fail_on)]
    if bad:
        code = _from(bad[0].findings, fail_on)[0].code
        raise Refused(
            "lint.findings",
            f"{len(bad)} of {len(judged.verdicts)} judged have findings from {fail_on} on",
            f"`hpki lint --explain {code}` tells what a check asks and where it comes from.",
        )


def _severities() -> list[Any]:
    from pki.findings import Severity

    return [Severity.ERROR, Severity.WARNING, Severity.INFO]


def _from(findings: Sequence[Finding], threshold: Threshold) -> tuple[Finding, ...]:
    if threshold is Threshold.NEVER:
        return ()
    least = [severity.lower() for severity in _severities()].index(threshold)
    wanted = _severities()[: least + 1]
    return tuple(finding for finding in findings if finding.severity in wanted)


def _tree(verdict: Verdict) -> dict[str, Any]:
    from dataclasses import asdict

    return asdict(verdict)


def _show_text(verdicts: Sequence[Verdict]) -> None:
    """Print each object and its findings, coloured on a terminal."""
    import sys

    from rich.console import Console
    from rich.text import Text

    from cli.tables import write_stdout

    styles = {"ERROR": "bold red", "WARNING": "yellow", "INFO": "dim"}
    parts = []
    for verdict in verdicts:
        parts.append(
            (f"{verdict.source}  {verdict.what}  [{verdict.profile or 'RFC 5280'}]\n", "bold")
        )
        for finding in verdict.findings:
            parts.append((f"  {finding.severity:7} {finding.code}", styles[finding.severity]))
            parts.append((f"  {finding.message}  ({finding.source})\n", ""))
    if sys.stdout.isatty():
        Console(file=sys.stdout, highlight=False).print(Text.assemble(*parts), end="")
    else:
        write_stdout("".join(text for text, _ in parts))
