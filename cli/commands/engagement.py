"""``hpki engagement``: an auditor's work; ``hpki report compliance``: what it leads to."""

from __future__ import annotations

from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer

from cli import options
from cli.commands.report import AsOf, Formats, Lang, Language, Out, Since, Until, wish_of

app = typer.Typer(help="Compliance audits (準拠性監査): results and findings.")
reports = typer.Typer()


class Policy(StrEnum):
    """Which certificates the audit is about."""

    SIGN = "SIGN"
    AUTH = "AUTH"


class Answered(StrEnum):
    """What an auditor can enter."""

    CONFORMS = "CONFORMS"
    FAILS = "FAILS"
    NOT_APPLICABLE = "NOT_APPLICABLE"
    NO_CASE = "NO_CASE"


class Grade(StrEnum):
    """How grave a finding is."""

    MAJOR = "MAJOR"
    MINOR = "MINOR"
    OBS = "OBS"


Number = Annotated[str, typer.Argument(metavar="ENGAGEMENT", help="Its number: SIGN-2026-01.")]
MOST_EVIDENCE = 256 * 1024 * 1024
Control = Annotated[str, typer.Argument(metavar="CONTROL", help="HC-4.2-01, for example.")]


@app.callback()
def group() -> None:
    """Audit the centre against its policy."""


@app.command("open")
def open_engagement(
    operator: options.Operator,
    since: Since,
    until: Until,
    policy: Annotated[Policy, typer.Option("--kind", help="Which policy.")] = Policy.SIGN,
    as_json: options.Json = False,
) -> None:
    """Open the audit of a period; for AUDITOR.

    Example: hpki engagement open --kind SIGN --from 2026-01-01 --to 2026-10-31 --operator kansa
    """
    from cli.compliance import book_of
    from cli.output import show_record
    from cli.reporting import read_period
    from policies.controls import AuditKind

    services = options.services()
    period = read_period(since, until)
    signer = services.signer(operator)
    with services.store.begin() as tx:
        made = book_of(services).open(
            tx, signer, AuditKind(policy.value), period.first, period.last
        )
    show_record({"engagement": made.id, "auditor": made.auditor}, as_json=as_json)


@app.command("list")
def list_engagements(as_json: options.Json = False) -> None:
    """List audits, newest first.

    Example: hpki engagement list
    """
    from cli.output import show_rows
    from reports.compliance.records import engagements

    services = options.services()
    with services.store.read() as tx:
        rows = [
            {
                "engagement": one.id,
                "kind": str(one.kind),
                "first_day": one.period_from.isoformat(),
                "last_day": one.period_to.isoformat(),
                "auditor": one.auditor,
                "conclusion": str(one.conclusion) if one.conclusion else None,
            }
            for one in engagements(tx)
        ]
    names = ("engagement", "kind", "first_day", "last_day", "auditor", "conclusion")
    show_rows(rows, names, as_json=as_json)


@app.command()
def answer(
    engagement: Number,
    control: Control,
    result: Annotated[Answered, typer.Option(help="The result.", show_default=False)],
    note: Annotated[str, typer.Option(help="What was seen.", show_default=False)],
    operator: options.Operator,
    evidence: Annotated[
        Path | None, typer.Option(help="A file; its name and digest are kept.")
    ] = None,
    as_json: options.Json = False,
) -> None:
    """Enter what was seen for a control, with evidence; for AUDITOR.

    It fills in what the program cannot compute. A violation that it computed stands.

    Example: hpki engagement answer SIGN-2026-01 HC-8.6-01 --result CONFORMS --note "submitted on
    2026-11-02" --evidence receipt.pdf --operator kansa
    """
    from cli.compliance import book_of
    from cli.output import read_input, show_record
    from reports.compliance.results import Result

    services = options.services()
    signer = services.signer(operator)
    file = None
    if evidence is not None:
        file = evidence.name, read_input(evidence, MOST_EVIDENCE, "audit.evidence")
    with services.store.begin() as tx:
        made = book_of(services).answer(
            tx, engagement, signer, control, Result(result.value), note, file
        )
    shown = {"control": made.control_id, "result": str(made.result), "sha256": made.evidence}
    show_record(shown, as_json=as_json)


@app.command()
def finding(
    engagement: Number,
    control: Control,
    grade: Annotated[Grade, typer.Option("--class", help="How grave.", show_default=False)],
    fact: Annotated[str, typer.Option(help="What is wrong.", show_default=False)],
    operator: options.Operator,
    action: Annotated[str, typer.Option(help="What will be done.")] = "",
    due: Annotated[str | None, typer.Option(help="Until when.", metavar="DAY")] = None,
    as_json: options.Json = False,
) -> None:
    """Enter a finding, and its plan if there is one; for AUDITOR.

    Example: hpki engagement finding SIGN-2026-01 HC-4.2-01 --class MINOR --fact "one person twice"
    --action "another table of roles" --due 2027-01-31 --operator kansa
    """
    from cli.compliance import book_of
    from cli.output import show_record
    from cli.reporting import read_day
    from reports.compliance.conclusion import FindingClass

    services = options.services()
    until = read_day(due) if due is not None else None
    signer = services.signer(operator)
    with services.store.begin() as tx:
        made = book_of(services).raise_finding(
            tx, engagement, signer, control, FindingClass(grade.value), fact, action, until
        )
    show_record({"finding": made.id, "class": str(made.grade)}, as_json=as_json)


@app.command()
def close(
    number: Annotated[str, typer.Argument(metavar="FINDING", help="SIGN-2026-01-F01.")],
    operator: options.Operator,
    as_json: options.Json = False,
) -> None:
    """Enter that a finding's action was verified; for AUDITOR.

    Example: hpki engagement close SIGN-2026-01-F01 --operator kansa
    """
    from cli.compliance import book_of
    from cli.output import show_record

    services = options.services()
    signer = services.signer(operator)
    with services.store.begin() as tx:
        made = book_of(services).close_finding(tx, number, signer)
    show_record({"finding": made.id, "closed": made.closed_on}, as_json=as_json)


@app.command()
def sign(
    engagement: Number,
    operator: options.Operator,
    yes: options.Yes = False,
    as_json: options.Json = False,
) -> None:
    """Run every check now, and sign the conclusion; for who opened it.

    The conclusion follows from results and findings. Nothing is entered after it but that a
    finding is closed.

    Example: hpki engagement sign SIGN-2026-01 --operator kansa
    """
    from cli.compliance import conclude
    from cli.output import confirm, show_record
    from cli.reporting import present

    services = options.services()
    signer = services.signer(operator)
    confirm(f"Sign the audit {engagement}?", yes)
    made = conclude(services, engagement, signer, present(services))
    shown = {
        "engagement": made.id,
        "conclusion": str(made.conclusion),
        "statement": made.statement_id,
    }
    show_record(shown, as_json=as_json)


@reports.command()
def compliance(
    since: Since,
    until: Until,
    policy: Annotated[Policy | None, typer.Option("--kind", help="Both if none.")] = None,
    out: Out = None,
    as_of: AsOf = None,
    lang: Language = Lang.ja,
    formats: Formats = None,
    as_json: options.Json = False,
) -> None:
    """Report how the centre complies (準拠性監査報告書).

    A draft until the auditor has signed the engagement for the same period; then as of that moment.

    Example: hpki report compliance --from 2026-01-01 --to 2026-10-31 --kind SIGN
    """
    from cli.compliance import summary, write_compliance
    from cli.output import show_rows
    from cli.reporting import read_period
    from policies.controls import AuditKind

    wish = wish_of(as_of, lang, formats, out)
    kinds = [AuditKind(one.value) for one in ([policy] if policy is not None else Policy)]
    period = read_period(since, until)
    written = write_compliance(options.services(), kinds, period, wish)
    rows = [summary(made) for made, _ in written]
    show_rows(rows, tuple(rows[0]), as_json=as_json)
    for _, paths in written:
        for path in paths:
            typer.echo(path, err=True)
