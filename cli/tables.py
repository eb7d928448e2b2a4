"""Tables on stdout: folded to a terminal's width, one line a row in a pipe."""

from __future__ import annotations

import sys
from collections.abc import Sequence

from rich.cells import cell_len
from rich.console import Console
from rich.table import Table
from rich.text import Text

from pki.errors import Unavailable
from pki.reading.values import printable

_GAP = 2
_NARROWEST = 10


def show_table(
    header: Sequence[str] | None, rows: Sequence[Sequence[str]], styles: Sequence[str] = ()
) -> None:
    """Print the rows under the header, or as names and values where there is none.

    ``styles``: one for each row, or none at all.
    """
    rows = [[sound(cell) for cell in row] for row in rows]
    if sys.stdout.isatty():
        _show_folded(header, rows, styles or [""] * len(rows))
    else:
        _show_lines([header, *rows] if header is not None else rows)


def sound(text: str) -> str:
    """Return the text with everything escaped that could bend a terminal, line ends apart."""
    return "\n".join(map(printable, text.split("\n")))


def write_stdout(text: str) -> None:
    """Write data; raises ``Unavailable`` when stdout is a file that cannot take it."""
    try:
        sys.stdout.write(text)
        sys.stdout.flush()
    except BrokenPipeError:
        raise
    except OSError as error:
        raise Unavailable("cli.stdout", f"stdout cannot be written: {error.strerror}") from None


def _show_lines(rows: Sequence[Sequence[str]]) -> None:
    lines = [["  ".join(cell.split("\n")) for cell in row] for row in rows]
    widths = [max(map(cell_len, column)) for column in zip(*lines, strict=True)]
    write_stdout(
        "".join(
            "".join(
                cell + " " * (width + _GAP - cell_len(cell))
                for cell, width in zip(row, widths, strict=True)
            ).rstrip(" ")
            + "\n"
            for row in lines
        )
    )


def _show_folded(
    header: Sequence[str] | None, rows: Sequence[Sequence[str]], styles: Sequence[str]
) -> None:
    console = Console(file=sys.stdout)
    table = Table(box=None, show_header=header is not None, header_style="bold", pad_edge=False)
    names = header if header is not None else ("", "")
    columns = [[name, *column] for name, *column in zip(names, *rows, strict=True)]
    folding = _folding(columns, console.width) if header is not None else {1}
    for number, name in enumerate(names):
        style = "bold" if header is None and number == 0 else ""
        table.add_column(name, overflow="fold", no_wrap=number not in folding, style=style)
    for row, row_style in zip(rows, styles, strict=True):
        table.add_row(*map(Text, row), style=row_style)
    console.print(table)


def _folding(columns: Sequence[Sequence[str]], width: int) -> set[int]:
    """Return the columns that fold: the fewest, the widest that hold spaces first."""
    widths = [max(map(cell_len, column)) for column in columns]
    order = sorted(
        range(len(columns)),
        key=lambda number: (
            not any(" " in cell for cell in columns[number][1:]),
            -widths[number],
        ),
    )
    folding: set[int] = set()
    for number in order:
        if sum(widths) + (len(widths) - 1) * _GAP <= width:
            break
        folding.add(number)
        widths[number] = min(widths[number], _NARROWEST)
    return folding
