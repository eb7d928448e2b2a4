"""A page of applications with their applicants' names, read in one query."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import date
from itertools import groupby, islice

from sqlmodel import col, select

from policies.moves import ApplicationState
from ra.persons.names import search_key
from ra.records import Application, PersonVersion
from store.database import Transaction

_PIECE = 1000


@dataclass(frozen=True)
class Wanted:
    """What is looked for: states (none: all), an office, and part of a name or a licence number.

    The page begins above the reference ``after`` and holds at most ``limit`` applications.
    """

    states: tuple[ApplicationState, ...] = ()
    office: str | None = None
    search: str | None = None
    after: str = ""
    limit: int = 50


@dataclass(frozen=True)
class Listed:
    """One application of a list, and the names as it brought them."""

    application_ref: str
    state: ApplicationState
    due_on: date | None
    type: str
    channel: str
    profession: str
    work_prefecture: str
    kanji_name: str
    kana_name: str


_COLUMNS = (
    col(Application.ref),
    col(Application.state),
    col(Application.due_on),
    col(Application.type),
    col(Application.channel),
    col(Application.profession),
    col(Application.work_prefecture),
)
_NAMES = (
    col(PersonVersion.kanji_name),
    col(PersonVersion.kana_name),
    col(PersonVersion.romaji_name),
    col(PersonVersion.former_surname),
)


def list_applications(tx: Transaction, wanted: Wanted) -> list[Listed]:
    """Return the page by reference.

    A name is found in any spelling, and under every name the person ever gave.
    """
    query = (
        select(
            *_COLUMNS,  # type: ignore[call-overload]
            *_NAMES,
            (col(PersonVersion.valid_from) == col(Application.received_on)).label("own"),
        )
        .join(PersonVersion, col(PersonVersion.person_id) == col(Application.person_id))
        .where(col(Application.ref) > wanted.after)
        .order_by(col(Application.ref), col(PersonVersion.valid_from))
    )
    if wanted.states:
        query = query.where(col(Application.state).in_(wanted.states))
    if wanted.office is not None:
        query = query.where(Application.office == wanted.office)
    if wanted.search is None:
        query = query.where(col(PersonVersion.valid_from) == col(Application.received_on))
        query = query.limit(wanted.limit)
    elif wanted.search.isascii() and wanted.search.isdigit():
        query = query.where(Application.registration_number == wanted.search)
    with tx.exec(query.execution_options(yield_per=_PIECE)) as found:
        return list(islice(_fitting(found, wanted.search), wanted.limit))


def _fitting(rows: Iterable[tuple[object, ...]], search: str | None) -> Iterator[Listed]:
    """Yield the applications of which one row fits, under the names that they brought."""
    numbered = search is None or (search.isascii() and search.isdigit())
    key = "" if numbered or search is None else search_key(search)
    if not numbered and not key:
        return
    for _, versions in groupby(rows, key=lambda row: row[0]):
        known = list(versions)
        if numbered or any(_named(row, key) for row in known):
            own = next((row for row in known if row[-1]), known[-1])
            yield Listed(*own[: len(_COLUMNS) + 2])  # type: ignore[arg-type]


def _named(row: tuple[object, ...], key: str) -> bool:
    names = row[len(_COLUMNS) : len(_COLUMNS) + len(_NAMES)]
    return any(key in search_key(str(name)) for name in names if name)
