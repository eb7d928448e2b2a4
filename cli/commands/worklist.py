"""``hpki ra worklist``, ``next`` and ``desk``: what waits for whom, and the work on it."""

from __future__ import annotations

from enum import StrEnum
from typing import TYPE_CHECKING, Annotated, Any, TypeVar

import typer

from cli import options

if TYPE_CHECKING:
    from ra.casework.worklist import Waiting, Wanted

app = typer.Typer()

_Code = TypeVar("_Code", bound=StrEnum)
_LIMIT = 50
_MOST = 1_000
_COLUMNS = ("urgency", "due_on", "application", "state", "kanji_name", "waits_for")
_MORE_COLUMNS = ("profession", "prefecture", "office")
_WIDE = 110

Operator = Annotated[
    str | None,
    typer.Option("--operator", help="Only what this person may do.", show_default=False),
]


@app.command()
def worklist(
    operator: Operator = None,
    role: Annotated[str | None, typer.Option(help="Only the work of a role.")] = None,
    state: Annotated[str | None, typer.Option(help="Only this state.")] = None,
    office: Annotated[str | None, typer.Option(help="Only this reception office.")] = None,
    prefecture: Annotated[str | None, typer.Option(help="Only this prefecture, 01 to 47.")] = None,
    profession: Annotated[str | None, typer.Option(help="Only this profession: 医師 …")] = None,
    limit: Annotated[int, typer.Option(help="At most so many.", min=1, max=_MOST)] = _LIMIT,
    after: Annotated[
        str | None, typer.Option(help="Go on after DUE,REFERENCE, as the last page says.")
    ] = None,
    as_json: options.Json = False,
) -> None:
    """List what waits for whom (作業一覧), those due first.

    Urgency stands in words and colours: 超過 over the due day, 至急 a week left, あと a month
    left, 余裕 more; 停止: the clock stands, the file waits for the applicant or for payment. What
    is asked of the register waits for nobody here.

    Example: hpki ra worklist --role RA_EXAMINER --prefecture 13
    """
    import shutil
    import sys

    from cli.desk.words import urgency_words
    from cli.output import say, show_rows
    from cli.terms import state_term

    wanted = _wanted(operator, role, state, office, prefecture, profession)
    services = options.services()
    page = services.worklist.page(wanted, limit, _key(after))
    counts = services.worklist.counts(wanted)
    if as_json:
        show_rows([_row(one) for one in page.rows], _COLUMNS, as_json=True)
    elif page.rows:
        shown = [_row(one) | _words(one) for one in page.rows]
        styles = [urgency_words(one)[1] for one in page.rows]
        wide = shutil.get_terminal_size().columns >= _WIDE or not sys.stdout.isatty()
        columns = (*_COLUMNS, *_MORE_COLUMNS) if wide else _COLUMNS
        show_rows(shown, columns, as_json=False, styles=styles)
    told = ", ".join(f"{state_term(one)} {count}" for one, count in counts.items())
    say(told or "待ちなし nothing waits")
    if page.last is not None:
        say(f"more: --after {page.last[0]},{page.last[1]}")


@app.command("next")
def show_next(operator: options.Operator, as_json: options.Json = False) -> None:
    """Show the file that is due next, and what to do.

    Of what waits for you, as `hpki ra worklist --operator` lists it. That you looked is entered.

    Example: hpki ra next --operator aoki
    """
    from cli.casefile import open_file, worded
    from cli.output import say, show_record
    from pki.errors import NotFound
    from ra.casework.worklist import Wanted

    services = options.services()
    found = services.worklist.next_file(Wanted(operator=operator))
    if found is None:
        raise NotFound(
            "ra.worklist.empty",
            f"nothing waits for {operator} (待ちなし)",
            "See `hpki ra worklist` for what waits for others.",
        )
    shown = open_file(services, found.ref, services.signer(operator))
    show_record(shown if as_json else worded(shown), as_json=as_json)
    if not as_json:
        say(f"次: {_next_command(found, shown['unchecked'], operator)}", "bold")


@app.command()
def desk(operator: options.Operator) -> None:
    """Work at the desk: full screen, by keys alone.

    One unlock. Left what waits for you, right the file: papers, fields, checks, decision; then the
    next file comes by itself. `?` shows the keys.

    Example: hpki ra desk --operator aoki
    """
    import sys

    from pki.errors import Unavailable

    if not (sys.stdin.isatty() and sys.stdout.isatty()):
        raise Unavailable(
            "cli.desk.terminal", "the desk wants a terminal", "See `hpki ra worklist` for scripts."
        )
    try:
        from cli.desk.run import run_desk
    except ModuleNotFoundError as error:
        if (error.name or "").partition(".")[0] != "textual":
            raise
        raise Unavailable(
            "cli.desk.textual", "the desk's screen is not installed", "Install hpki-ca[tui]."
        ) from None
    run_desk(options.services(), operator)


def _wanted(
    operator: str | None,
    role: str | None,
    state: str | None,
    office: str | None,
    prefecture: str | None,
    profession: str | None,
) -> Wanted:
    from pki.errors import InvalidInput
    from policies.moves import ApplicationState
    from policies.roles import Role
    from ra.casework.worklist import Wanted

    if prefecture is not None and prefecture not in {f"{code:02}" for code in range(1, 48)}:
        raise InvalidInput("cli.prefecture", f"{prefecture!r} is no prefecture", "Give 01 to 47.")
    return Wanted(
        operator=operator,
        role=_code(Role, role, "role") if role else None,
        state=_code(ApplicationState, state, "state") if state else None,
        office=office,
        prefecture=prefecture,
        profession=profession,
    )


def _code(codes: type[_Code], word: str, name: str) -> _Code:
    from pki.errors import InvalidInput

    try:
        return codes(word.upper())
    except ValueError:
        raise InvalidInput(
            f"cli.{name}", f"there is no {name} {word!r}", f"Known: {', '.join(codes)}."
        ) from None


def _key(after: str | None) -> Any:
    from pki.errors import InvalidInput
    from ra.dates import parse_date

    if after is None:
        return None
    due, mark, ref = after.partition(",")
    if not mark or not ref:
        raise InvalidInput(
            "cli.worklist.after", f"{after!r} is not DUE,REFERENCE", "As in 2026-09-30,T2026-0001."
        )
    return parse_date(due), ref


def _row(one: Waiting) -> dict[str, Any]:
    return {
        "application": one.ref,
        "state": one.state.value,
        "since": one.since,
        "age_days": one.age_days,
        "due_on": str(one.due_on),
        "days_left": one.days_left,
        "urgency": one.urgency.value,
        "type": one.type.value,
        "channel": one.channel,
        "profession": one.profession,
        "prefecture": one.prefecture,
        "office": one.office,
        "kanji_name": one.kanji_name,
        "kana_name": one.kana_name,
        "waits_for": [role.value for role in one.waits_for],
        "notices": [kind.value for kind in one.letters],
    }


def _words(one: Waiting) -> dict[str, Any]:
    from cli.desk.words import urgency_words
    from policies.moves import moves
    from policies.roles import japanese_name

    waits = [japanese_name(role) for role in one.waits_for] or ["登録簿"]
    return {
        "urgency": urgency_words(one)[0],
        "state": moves().entry(one.state).japanese,
        "waits_for": "・".join(waits),
    }


def _next_command(one: Waiting, unchecked: list[str], operator: str) -> str:
    """Return the command that takes the file a step further."""
    ref, late = one.ref, one.days_left < 0
    asked_first = [kind for kind in unchecked if kind in ("IDENTITY", "DATA_MATCH")]
    verbs = {
        "RECEIVED": f"complete {ref}",
        "DEFICIENT": f"return {ref}" if late else f"complete {ref}",
        "EXAMINING": f"examine {ref} --rest-ok",
        "QUAL_INQUIRY": f"examine {ref} --rest-ok",
        "EXAMINED": f"approve {ref}",
        "APPROVED": f"send-back {ref} --reason …",
        "PAYMENT_WAIT": f"return {ref}" if late else f"fee pay {ref} …",
    }
    verb = verbs.get(one.state.value)
    if verb is None:
        return f"hpki card personalize … --operator {operator}"
    if one.state == "EXAMINING" and "QUALIFICATION" in unchecked:
        verb = f"check {ref} {asked_first[0]} --ok" if asked_first else f"inquiry make {ref} …"
    if one.state == "EXAMINED" and one.waits_for[0] == "RA_EXAMINER":
        verb = f"carry-out {ref} …"
    return f"hpki ra {verb} --operator {operator}"
