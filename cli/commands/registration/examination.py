"""``hpki ra check``, ``match``, ``duplicates``, ``choose``, ``examine``: the examiner's work."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any

import typer

from cli import options
from cli.commands.registration.batches import COLUMNS, All, Ref, Refs

if TYPE_CHECKING:
    from ca.records import CarrierKind

app = typer.Typer()


@app.command()
def check(
    ref: Ref,
    kinds: Annotated[
        list[str],
        typer.Argument(
            metavar="kind...", help="IDENTITY, QUALIFICATION, DATA_MATCH, INTENT or ORG."
        ),
    ],
    operator: options.Operator,
    ok: Annotated[bool, typer.Option("--ok", help="It is in order (適).")] = False,
    fail: Annotated[
        str | None, typer.Option(help="It is not (否): what is wrong.", show_default=False)
    ] = None,
    method: Annotated[
        str | None, typer.Option(help="How.", show_default="the channel's usual way")
    ] = None,
) -> None:
    """Record checks of the examination.

    A later word on the same check replaces it.

    Example: hpki ra check T2026-0001 IDENTITY DATA_MATCH --ok --operator aoki
    """
    from cli.output import say
    from cli.terms import check_term, term
    from pki.errors import InvalidInput

    if ok == (fail is not None):
        raise InvalidInput("cli.check", "it is either in order or not", "Give --ok or --fail NOTE.")
    services = options.services()
    signer = services.signer(operator)
    way = method.upper() if method else None
    for kind in dict.fromkeys(one.upper() for one in kinds):
        services.examination.check(ref, kind, signer, ok=ok, note=fail or "", method=way)
        say(f"{ref}: {check_term(kind)} {term('OK' if ok else 'FAIL')}")


@app.command()
def match(
    ref: Ref,
    source: Annotated[str, typer.Argument(help="The paper looked at, as RESIDENT_RECORD.")],
    seen: Annotated[
        list[str], typer.Argument(help="FIELD=VALUE as it stands there.", show_default=False)
    ],
    operator: options.Operator,
    explain: Annotated[
        list[str] | None, typer.Option(help="FIELD=WORDS for a difference; may be repeated.")
    ] = None,
    as_json: options.Json = False,
) -> None:
    """Hold fields of the file against a paper.

    Every difference is told in words. One that stays DIFFERENT (相違) wants an explanation before
    the approval. Dates may be of either calendar.

    Example: hpki ra match T2026-0001 RESIDENT_RECORD kanji_name=前田　慎一郎 birth_date=S56.2.10
    --operator aoki
    """
    from cli.output import show_rows
    from cli.terms import term

    services = options.services()
    found = services.matches.enter(
        ref,
        source.upper(),
        _pairs(seen, "FIELD=VALUE"),
        services.signer(operator),
        _pairs(explain or [], "FIELD=WORDS"),
    )
    language = options.current.lang
    rows = [
        {
            "field": one.field,
            "verdict": one.verdict.value if as_json else term(one.verdict.value),
            "text": one.words_ja if language == "ja" else one.words_en,
        }
        for one in found
    ]
    show_rows(rows, ("field", "verdict", "text"), as_json=as_json)


@app.command()
def duplicates(ref: Ref, operator: options.Operator, as_json: options.Json = False) -> None:
    """List files that may be the same licence or person.

    Why each may be, and what the examiner chose about it. That you looked is entered.

    Example: hpki ra duplicates T2026-0001 --operator aoki
    """
    from cli.casefile import duplicates_of
    from cli.output import show_rows
    from cli.terms import state_term, term
    from ra.casework.views import Use
    from ra.records import find_application

    services = options.services()
    services.views.enter(Use.VIEW, [ref], services.signer(operator).operator_id, "duplicates")
    with services.store.read() as tx:
        rows = duplicates_of(tx, find_application(tx, ref))
    for row in () if as_json else rows:
        row["state"] = state_term(row["state"])
        row["likenesses"] = [term(one) for one in row["likenesses"]]
        row["choice"] = term(row["choice"]) if row["choice"] else None
    columns = ("application", "state", "kanji_name", "likenesses", "choice")
    show_rows(rows, columns, as_json=as_json)


@app.command()
def choose(
    ref: Ref,
    other: Annotated[str, typer.Argument(help="The other file, from `hpki ra duplicates`.")],
    choice: Annotated[
        str, typer.Argument(help="OTHER_PERSON, REPLACES, BOTH_WANTED or DUPLICATE.")
    ],
    reason: Annotated[str, typer.Option(help="Why, in words.")],
    operator: options.Operator,
) -> None:
    """Say what a possible duplicate is.

    DUPLICATE: this file doubles the other and cannot be approved. A later choice replaces it.

    Example: hpki ra choose T2026-0001 T2026-0140 OTHER_PERSON --reason "生年月日が違う"
    --operator aoki
    """
    from cli.output import say
    from cli.terms import term
    from pki.errors import InvalidInput
    from ra.casework.records import Choice

    try:
        said = Choice(choice.upper())
    except ValueError:
        raise InvalidInput(
            "cli.choice", f"there is no choice {choice!r}", f"Known: {', '.join(Choice)}."
        ) from None
    services = options.services()
    services.duplicates.choose(ref, other, said, reason, services.signer(operator))
    say(f"{ref}: {other} {term(said.value)}")


@app.command()
def examine(
    operator: options.Operator,
    refs: Refs = None,
    every: All = False,
    rest_ok: Annotated[
        bool, typer.Option("--rest-ok", help="What was not judged singly is in order (適).")
    ] = False,
    fail: Annotated[
        list[str] | None, typer.Option(help="A failed check as KIND=NOTE; may be repeated.")
    ] = None,
    carrier: Annotated[
        str | None,
        typer.Option(help="What will hold the keys: CARD, or FILE.", show_default="by the type"),
    ] = None,
    yes: options.Yes = False,
    as_json: options.Json = False,
) -> None:
    """Sign files as seen and examined.

    Every check and document must have been judged; --rest-ok says with your signature that all
    others are in order by the usual method of the channel. --all are the files under examination
    and those the register has answered about. What cannot be signed is shown before the question.

    Example: hpki ra examine T2026-0001 --rest-ok --operator aoki
    """
    from cli.commands.registration.batches import Step, chosen, take, worded
    from cli.output import show_rows
    from policies.moves import ApplicationState

    failures = {kind.upper(): note for kind, note in _pairs(fail or [], "KIND=NOTE").items()}
    held = _carrier(carrier)
    services = options.services()
    signer = services.signer(operator)

    def act(ref: str) -> dict[str, Any]:
        examined = services.examination.examine(ref, signer, failures, held, rest_ok=rest_ok)
        return {"state": examined.state.value}

    step = Step(
        "examine",
        "審査済",
        lambda ref: services.hindrances.of_examination(ref, operator, failures, rest_ok=rest_ok),
        act,
    )
    waiting = (ApplicationState.EXAMINING, ApplicationState.QUAL_INQUIRY)
    batch = take(step, chosen(services, refs, every, *waiting), yes=yes)
    show_rows(worded(batch.rows, as_json=as_json), COLUMNS, as_json=as_json)
    batch.conclude()


def _carrier(word: str | None) -> CarrierKind | None:
    from ca.records import CarrierKind
    from pki.errors import InvalidInput

    if word is None:
        return None
    if word.upper() not in ("CARD", "FILE"):
        raise InvalidInput(
            "cli.carrier", f"{word!r} is neither CARD nor FILE", "Give CARD or FILE."
        )
    return CarrierKind(word.upper())


def _pairs(words: list[str], form: str) -> dict[str, str]:
    """Return names and values of ``NAME=VALUE`` words; raises ``InvalidInput`` for another."""
    from pki.errors import InvalidInput

    found: dict[str, str] = {}
    for word in words:
        name, mark, value = word.partition("=")
        if not mark or not value.strip() or name in found:
            raise InvalidInput(
                "cli.pair", f"{word!r} is not {form}, each once", f"As in {_EXAMPLES[form]}."
            )
        found[name] = value
    return found


_EXAMPLES = {
    "KIND=NOTE": "--fail 'IDENTITY=the photo shows somebody else'",
    "FIELD=VALUE": "kanji_name=前田　慎一郎",
    "FIELD=WORDS": "--explain 'address=moved in March'",
}
