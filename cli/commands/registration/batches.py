"""One step for many files: who is meant, what hinders whom, one question, a line for each."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Annotated, Any

import typer

if TYPE_CHECKING:
    from cli.wiring import Services
    from pki.errors import HpkiError
    from policies.moves import ApplicationState

Ref = Annotated[str, typer.Argument(help="An application's reference.", show_default=False)]
Refs = Annotated[
    list[str] | None, typer.Argument(help="Application references.", show_default=False)
]
All = Annotated[bool, typer.Option("--all", help="Every application that waits for this step.")]
COLUMNS = ("application", "outcome", "state", "code")
"""What a batch shows of each file."""
_FEW = 5


@dataclass(frozen=True)
class Step:
    """A step by its verb and Japanese name; ``hindrance`` raises why a file cannot take it."""

    verb: str
    japanese: str
    hindrance: Callable[[str], None]
    act: Callable[[str], Mapping[str, Any]]


@dataclass
class Batch:
    """What became of each file; ``rows`` name the code where one was refused."""

    step: Step
    rows: list[dict[str, Any]] = field(default_factory=list)

    def conclude(self) -> None:
        """Tell the count; raises ``Refused`` if any file was not done."""
        from cli.output import say
        from pki.errors import Refused

        count, verb = len(self.rows), self.step.verb
        refused = sum("code" in row for row in self.rows)
        say(f"{self.step.japanese} {verb}: {count - refused} of {count} done")
        if refused:
            raise Refused(
                f"ra.{verb.replace(' ', '_')}.some",
                f"{refused} of {count} were not done",
                "The errors are above; see `hpki ra list`.",
            )


def chosen(
    services: Services, refs: list[str] | None, every: bool, *states: ApplicationState
) -> list[str]:
    """Return the references named, each once, or with ``every`` all files in the states."""
    from pki.errors import InvalidInput
    from ra import records

    if bool(refs) == every:
        raise InvalidInput(
            "cli.refs", "name applications, or give --all", "See `hpki ra list` for references."
        )
    if refs:
        return list(dict.fromkeys(refs))
    with services.store.read() as tx:
        return [row.ref for row in records.applications(tx, states)]


def take(step: Step, refs: Sequence[str], *, yes: bool) -> Batch:
    """Show what will be done and what cannot be, ask, and do it for each that can.

    One file alone is done without a question, and raises its own error. One that is refused stops
    no other.
    """
    from cli.output import confirm
    from cli.progress import bars
    from pki.errors import HpkiError

    batch = Batch(step)
    if len(refs) == 1:
        batch.rows.append(_row(refs[0], step.act(refs[0])))
        return batch
    able = foresee(batch, refs)
    if able:
        confirm(f"{step.japanese} {step.verb}: {len(able)} applications?", yes)
    with bars() as shown:
        for ref in shown.track(able, len(able), f"{step.japanese} {step.verb}"):
            try:
                batch.rows.append(_row(ref, step.act(ref)))
            except HpkiError as error:
                refuse(batch, ref, error)
    place = {ref: number for number, ref in enumerate(refs)}
    batch.rows.sort(key=lambda row: place[row["application"]])
    return batch


def foresee(batch: Batch, refs: Sequence[str]) -> list[str]:
    """Say what will be done, and return the files that nothing hinders, as far as can be told.

    The others are shown with the reason, and stand in the batch as refused.
    """
    from cli.output import say
    from pki.errors import HpkiError

    able: list[str] = []
    errors: list[tuple[str, HpkiError]] = []
    for ref in refs:
        try:
            batch.step.hindrance(ref)
            able.append(ref)
        except HpkiError as error:
            errors.append((ref, error))
    step = batch.step
    say(f"{step.japanese} {step.verb}: {len(able)}件 applications  {_span(able)}", "bold")
    if errors:
        say(f"除外 left out: {len(errors)}件", "yellow")
    for ref, hindrance in errors:
        refuse(batch, ref, hindrance)
    return able


def _span(refs: Sequence[str]) -> str:
    return ", ".join(refs) if len(refs) <= _FEW else f"{', '.join(refs[:_FEW])} …"


def _row(ref: str, made: Mapping[str, Any]) -> dict[str, Any]:
    return {"application": ref, "outcome": "DONE", **made}


def refuse(batch: Batch, ref: str, error: HpkiError) -> None:
    """Show an error and keep it as what became of the file."""
    from cli.output import show_error

    show_error(error)
    told = {"code": error.code, "text": error.text, "hint": error.hint}
    batch.rows.append({"application": ref, "outcome": "REFUSED", **told})


def worded(rows: Sequence[Mapping[str, Any]], *, as_json: bool) -> list[dict[str, Any]]:
    """Return the rows with terms for the codes, unless they are for programs."""
    from cli.terms import state_term, term

    if as_json:
        return [dict(row) for row in rows]
    found = []
    for row in rows:
        state = {"state": state_term(row["state"])} if row.get("state") else {}
        found.append({**row, "outcome": term(row["outcome"]), **state})
    return found
