"""Cards, holders and applications at a moment, counted by the database.

What a card or holder is counted under is as of the moment too: what its application said, or a
change of contact since; the address is the newest that somebody decided on. Trail positions decide
what had happened, so a past moment gives the same counts whatever came later, but for addresses,
associations and municipalities that an erasure took since.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from datetime import UTC, date
from enum import StrEnum
from typing import Any

import sqlalchemy as sa

from ca.records import CarrierKind
from pki.errors import InvalidInput
from pki.validity import japan_date
from policies.applications import ApplicationType, application_types
from policies.hcroles import hc_role_table
from policies.moves import ApplicationState, moves
from policies.profiles import Purpose
from reports.board.places import Place, known_code, prefecture_of, prefectures
from reports.moment import Moment
from reports.rows import (
    APPLICATION,
    CARRIER,
    CERTIFICATE,
    ENTRY,
    ORDER,
    REVOCATION,
    VERSION,
)
from store.database import Transaction

_CHANGE = APPLICATION.alias("change")

_SCRAPPED = "C12_CARD_SCRAPPED"
_DRAFT = '%"state":"DRAFT"%'
_LONGEST_NAME = 4
_NAMED = {Place.WORK: known_code, Place.RESIDENCE: prefecture_of}
_DECIDED = sorted(
    {
        move.code
        for move in moves().move
        if move.to in (ApplicationState.APPROVED, ApplicationState.COMPLETED)
    }
)
_FOR_CARDS = [
    kind.value
    for kind, rule in application_types().items()
    if rule.issues and rule.carrier == "CARD"
]


class Measure(StrEnum):
    """What is counted; ``reports.board.words`` defines each for the reader."""

    CARDS = "cards"
    HOLDERS = "holders"
    APPLICATIONS = "applications"


@dataclass(frozen=True)
class Question:
    """What to count, by which place, of which profession (its Japanese name; None: all).

    ``prefecture``: the one whose municipalities are counted, with ``Place.MUNICIPALITY``. Raises
    ``InvalidInput`` for an unknown profession, and for a prefecture unknown or out of place.
    """

    measure: Measure
    place: Place = Place.WORK
    profession: str | None = None
    prefecture: str | None = None

    def __post_init__(self) -> None:
        known = [one.japanese for one in hc_role_table().qualification]
        if self.profession is not None and self.profession not in known:
            raise InvalidInput(
                "reports.profession",
                f"no profession {self.profession[:40]!r}",
                f"One of {'、'.join(known)}.",
            )
        codes = {one.code for one in prefectures()} if self.place is Place.MUNICIPALITY else {None}
        if self.prefecture not in codes:
            raise InvalidInput(
                "reports.prefecture",
                f"municipalities are those of one prefecture, not of {self.prefecture!r}",
                "Give its code, 01 to 47, with municipalities and with nothing else.",
            )


def count(tx: Transaction, moment: Moment, question: Question) -> Counter[str]:
    """Return how many there are by code of prefecture, or by name of association or municipality.

    Place of work: "99" is overseas. The empty name is for those whose place is not known.
    """
    places = _places(moment, question)
    base = _BASES[question.measure](moment, question, places)
    query = sa.select(base.c.place, sa.func.count()).group_by(base.c.place)
    counted: Counter[str] = Counter()
    for place, number in tx.connection().execute(query):
        counted[_NAMED.get(question.place, str)(place)] += number
    return counted


def count_by_month(tx: Transaction, moment: Moment, profession: str | None) -> Counter[date]:
    """Return how many applications were received in each month, by its first day."""
    day = APPLICATION.c.received_on
    year, month = sa.extract("year", day), sa.extract("month", day)
    query = (
        sa.select(year, month, sa.func.count())
        .select_from(APPLICATION.join(ENTRY, ENTRY.c.object_id == APPLICATION.c.ref))
        .where(*_received(moment), *_of_profession(profession))
        .group_by(year, month)
    )
    found = tx.connection().execute(query)
    return Counter({date(int(one[0]), int(one[1]), 1): one[2] for one in found})


@dataclass(frozen=True)
class _Places:
    """The column to count by, and the table that may hold it beside the application, and when.

    Tables themselves are joined, whose indexes are there: what a database guesses of the rows of a
    subquery may cost it hours.
    """

    column: sa.ColumnElement[Any]
    beside: sa.FromClause
    when: sa.ColumnElement[bool]
    wanted: tuple[sa.ColumnElement[bool], ...] = ()


def _places(moment: Moment, question: Question) -> _Places:
    if question.place is Place.RESIDENCE:
        return _residence(moment)
    newest = _newest_change(moment)
    work = sa.func.coalesce(_CHANGE.c.work_prefecture, APPLICATION.c.work_prefecture)
    if question.place is Place.WORK:
        return _Places(work, _CHANGE, newest)
    if question.place is Place.ASSOCIATION:
        named = sa.func.coalesce(_CHANGE.c.association, APPLICATION.c.association, "")
        return _Places(named, _CHANGE, newest)
    moved = _CHANGE.c.ref.is_not(None)
    town = sa.case((moved, _CHANGE.c.municipality), else_=APPLICATION.c.municipality)
    wanted = (work == question.prefecture,)
    return _Places(sa.func.coalesce(town, ""), _CHANGE, newest, wanted)


def _residence(moment: Moment) -> _Places:
    """By the beginning of the address: the database counts few of those, and no names."""
    later = VERSION.alias("later_version")
    newest = sa.and_(
        VERSION.c.person_id == APPLICATION.c.person_id,
        _counts(moment, VERSION),
        ~sa.exists()
        .where(
            later.c.person_id == VERSION.c.person_id,
            later.c.valid_from > VERSION.c.valid_from,
            _counts(moment, later),
        )
        .correlate(VERSION),
    )
    first = VERSION.alias("first_version")
    own = (
        sa.select(first.c.address)
        .where(
            first.c.person_id == APPLICATION.c.person_id,
            first.c.valid_from == APPLICATION.c.received_on,
        )
        .correlate(APPLICATION)
        .scalar_subquery()
    )
    start = sa.func.substr(sa.func.coalesce(VERSION.c.address, own, ""), 1, _LONGEST_NAME)
    return _Places(start, VERSION, newest)


def _newest_change(moment: Moment) -> sa.ColumnElement[bool]:
    """Whether the change of contact is the application's newest one carried out."""
    later = APPLICATION.alias("later_change")
    same_day = later.c.received_on == _CHANGE.c.received_on
    return sa.and_(
        _CHANGE.c.replaces == APPLICATION.c.ref,
        _carried_out(moment, _CHANGE),
        ~sa.exists()
        .where(
            later.c.replaces == _CHANGE.c.replaces,
            sa.or_(
                later.c.received_on > _CHANGE.c.received_on,
                sa.and_(same_day, later.c.ref > _CHANGE.c.ref),
            ),
            _carried_out(moment, later),
        )
        .correlate(_CHANGE),
    )


def _carried_out(moment: Moment, change: sa.FromClause) -> sa.ColumnElement[bool]:
    return sa.and_(
        change.c.type == ApplicationType.CONTACT_CHANGE.value,
        change.c.state == ApplicationState.COMPLETED,
        sa.exists()
        .where(
            VERSION.c.person_id == change.c.person_id,
            VERSION.c.valid_from == change.c.received_on,
            _counts(moment, VERSION),
        )
        .correlate(change),
    )


def _counts(moment: Moment, version: sa.FromClause) -> sa.ColumnElement[bool]:
    """Whether a version was decided on: on a day before, or that day at a position before."""
    today, other, entry = japan_date(moment.at), APPLICATION.alias(), ENTRY.alias()
    decided = (
        sa.select(sa.literal(1))
        .select_from(other.join(entry, entry.c.object_id == other.c.ref))
        .where(
            other.c.person_id == version.c.person_id,
            other.c.received_on == version.c.valid_from,
            entry.c.object_type == "application",
            entry.c.code.in_(_DECIDED),
            entry.c.outcome == "OK",
            entry.c.seq <= moment.head.seq,
        )
        .correlate(version)
        .exists()
    )
    confirmed = version.c.confirmed_on
    return sa.or_(confirmed < today, sa.and_(confirmed == today, decided))


def _cards(moment: Moment, question: Question, places: _Places) -> sa.Subquery:
    """One row for each card ever issued, but for those scrapped before they were delivered."""
    scrapped = _revoked(moment, REVOCATION.c.ground == _SCRAPPED)
    return _issued(moment, question, places, ~scrapped).subquery()


def _holders(moment: Moment, question: Question, places: _Places) -> sa.Subquery:
    """One row for each person with a valid card, under the card issued last."""
    second = moment.last_second.astimezone(UTC)
    valid = (
        ~_revoked(moment),
        CERTIFICATE.c.not_before <= second,
        CERTIFICATE.c.not_after >= second,
    )
    last = sa.func.row_number().over(
        partition_by=APPLICATION.c.person_id, order_by=CERTIFICATE.c.issued_seq.desc()
    )
    cards = _issued(moment, question, places, *valid).add_columns(last.label("n")).subquery()
    return sa.select(cards).where(cards.c.n == 1).subquery()


def _applications(moment: Moment, question: Question, places: _Places) -> sa.Subquery:
    """One row for each application for a card that was received."""
    return (
        sa.select(places.column.label("place"))
        .select_from(
            APPLICATION.join(ENTRY, ENTRY.c.object_id == APPLICATION.c.ref).outerjoin(
                places.beside, places.when
            )
        )
        .where(*_received(moment), *_of_profession(question.profession), *places.wanted)
        .subquery()
    )


_BASES = {
    Measure.CARDS: _cards,
    Measure.HOLDERS: _holders,
    Measure.APPLICATIONS: _applications,
}


def _issued(
    moment: Moment, question: Question, places: _Places, *wanted: sa.ColumnElement[bool]
) -> sa.Select[Any]:
    """Select the cards with a signing certificate, which is one for each."""
    joined = (
        APPLICATION.join(ORDER, ORDER.c.application_ref == APPLICATION.c.ref)
        .join(CERTIFICATE, CERTIFICATE.c.order_id == ORDER.c.id)
        .join(CARRIER, CARRIER.c.id == CERTIFICATE.c.carrier_id)
        .outerjoin(places.beside, places.when)
    )
    return (
        sa.select(places.column.label("place"))
        .select_from(joined)
        .where(
            CARRIER.c.kind == CarrierKind.CARD,
            CERTIFICATE.c.usage == Purpose.SIGN,
            CERTIFICATE.c.issued_seq <= moment.head.seq,
            *_of_profession(question.profession),
            *places.wanted,
            *wanted,
        )
    )


def _revoked(moment: Moment, *wanted: sa.ColumnElement[bool]) -> sa.ColumnElement[bool]:
    return (
        sa.select(sa.literal(1))
        .where(
            REVOCATION.c.certificate_id == CERTIFICATE.c.id,
            REVOCATION.c.seq <= moment.head.seq,
            *wanted,
        )
        .correlate(CERTIFICATE)
        .exists()
    )


def _received(moment: Moment) -> tuple[sa.ColumnElement[bool], ...]:
    """Conditions on application and entry: a draft is received once its paper is."""
    return (
        APPLICATION.c.type.in_(_FOR_CARDS),
        ENTRY.c.object_type == "application",
        ENTRY.c.code == "APP.RECEIVE",
        ENTRY.c.outcome == "OK",
        ENTRY.c.seq <= moment.head.seq,
        ENTRY.c.body.not_like(_DRAFT),
    )


def _of_profession(profession: str | None) -> tuple[sa.ColumnElement[bool], ...]:
    return () if profession is None else (APPLICATION.c.profession == profession,)
