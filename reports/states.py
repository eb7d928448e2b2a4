"""The states of an application as a page: diagrams and tables, from the table of moves."""

from __future__ import annotations

from collections.abc import Iterator

from policies.moves import ApplicationState, Move, Moves, moves
from policies.roles import japanese_name

_CLOCKS = {"runs": "進む runs", "stands": "止まる stands", "over": "– over"}


def states_markdown() -> str:
    """Return the page as Markdown with Mermaid state diagrams."""
    return "\n".join(_lines(moves())) + "\n"


def _lines(table: Moves) -> Iterator[str]:
    yield "# States of an application (申請の状態)"
    yield ""
    yield "Written by `hpki ra states` from `policies/data/moves.toml`, which code and audit read"
    yield "too. A test compares. Moves that say (later) are made by no command yet."
    yield ""
    yield "## From the envelope to the order"
    yield ""
    yield from _diagram(table, later=False)
    yield "Every state before the approval leads to WITHDRAWN (取下げ) too: left out here."
    yield ""
    yield "## After the order"
    yield ""
    yield from _diagram(table, later=True)
    yield "## States"
    yield ""
    yield "| code | 日本語 | meaning | clock | waits for |"
    yield "|---|---|---|---|---|"
    for entry in table.state:
        waits = ", ".join(f"{japanese_name(one)} {one}" for one in entry.waits_for) or "–"
        cells = (entry.code, entry.japanese, entry.english, _CLOCKS[entry.clock], waits)
        yield f"| {' | '.join(cells)} |"
    yield ""
    yield "## Moves"
    yield ""
    yield "| from → to | 日本語 | when | who | must be true | signed | trail | source |"
    yield "|---|---|---|---|---|---|---|---|"
    for move in table.move:
        yield _row(move)


def _diagram(table: Moves, *, later: bool) -> Iterator[str]:
    yield "```mermaid"
    yield "stateDiagram-v2"
    shown = [move for move in table.move if move.later is later and not _is_withdrawal(move)]
    for state in {state: None for move in shown for state in (move.origin, move.to)}:
        yield f"    {state}: {table.entry(state).japanese}<br>{state}"
    if not later:
        yield "    [*] --> DRAFT: ウェブ入力"
        yield "    [*] --> RECEIVED: 受付"
    for move in shown:
        yield f"    {move.origin} --> {move.to}: {move.japanese}"
    yield "```"
    yield ""


def _is_withdrawal(move: Move) -> bool:
    return move.to is ApplicationState.WITHDRAWN and not move.statement


def _row(move: Move) -> str:
    who = ", ".join(move.actors)
    guards = ", ".join(guard.lower().replace("_", " ") for guard in move.guards) or "–"
    trail = move.code + (" (later)" if move.later else "")
    cells = (
        f"{move.origin} → {move.to}",
        move.japanese,
        move.english,
        who,
        guards,
        move.statement or "–",
        trail,
        f"{move.source}; {move.firm}",
    )
    return f"| {' | '.join(cells)} |"
