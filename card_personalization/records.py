"""Rows of the station: stock, runs with their steps, PIN envelopes."""

from __future__ import annotations

from datetime import datetime
from enum import StrEnum

import sqlalchemy as sa
from sqlmodel import Field, SQLModel, col, select

from store import columns
from store.database import Transaction


class CardState(StrEnum):
    """Where a card is in its life at the station."""

    STOCK = "STOCK"
    RESERVED = "RESERVED"
    PERSONALISED = "PERSONALISED"
    DESTROYED = "DESTROYED"


class RunState(StrEnum):
    """OPEN runs broke or are under way; they are resumed on the same card, or it is destroyed."""

    OPEN = "OPEN"
    DONE = "DONE"
    ABANDONED = "ABANDONED"


class Card(SQLModel, table=True):
    """A card in stock; it becomes the carrier of an order. ``profile``: hpki or piv."""

    __tablename__ = "card"

    chip_serial: str = Field(sa_column=columns.key_column())
    profile: str = Field(default="hpki", sa_type=sa.Text)
    state: CardState = Field(sa_column=columns.choice(CardState, index=True))
    order_id: str | None = Field(default=None, sa_type=sa.Text, foreign_key="issue_order.id")


class Run(SQLModel, table=True):
    """One personalization of one order on one card."""

    __tablename__ = "personalization_run"
    __table_args__ = (sa.UniqueConstraint("order_id", "chip_serial"),)

    id: str = Field(sa_column=columns.key_column())
    order_id: str = Field(sa_column=columns.key_column("issue_order.id", primary=False))
    chip_serial: str = Field(sa_column=columns.key_column("card.chip_serial", primary=False))
    operator_id: str = Field(sa_type=sa.Text)
    state: RunState = Field(sa_column=columns.choice(RunState))
    started_at: datetime
    ended_at: datetime | None = None


class Step(SQLModel, table=True):
    """One step of a run, written when it begins and again when it ends.

    ``detail`` of a verification names the checks that failed, of another step what the card did
    not offer.
    """

    __tablename__ = "personalization_step"

    run_id: str = Field(sa_column=columns.key_column("personalization_run.id"))
    position: int = Field(primary_key=True, sa_column_kwargs={"autoincrement": False})
    name: str = Field(sa_type=sa.Text)
    begun_at: datetime
    ended_at: datetime | None = None
    detail: str = Field(default="", sa_type=sa.Text)


class PinEnvelope(SQLModel, table=True):
    """A card's PINs, sealed (HPKE) to the encryption key of one PIN operator.

    ``credential_id`` is the id of that operator's signing key, as the register knows it.
    """

    __tablename__ = "pin_envelope"

    chip_serial: str = Field(sa_column=columns.key_column("card.chip_serial"))
    credential_id: str = Field(sa_column=columns.key_column())
    sealed: bytes
    made_at: datetime


def cards(tx: Transaction) -> list[Card]:
    """Return every card by chip serial."""
    return list(tx.exec(select(Card).order_by(col(Card.chip_serial))))


def next_in_stock(tx: Transaction, profile: str) -> Card | None:
    """Return the stock card with the lowest chip serial, locked for this transaction."""
    query = (
        select(Card)
        .where(Card.state == CardState.STOCK, Card.profile == profile)
        .order_by(col(Card.chip_serial))
        .limit(1)
        .with_for_update(skip_locked=True)
    )
    return tx.exec(query).first()


def reserved_for(tx: Transaction, order_id: str) -> Card | None:
    """Return the card reserved for the order, or None."""
    query = select(Card).where(Card.order_id == order_id, Card.state == CardState.RESERVED)
    return tx.exec(query).first()


def open_run(tx: Transaction, order_id: str) -> Run | None:
    """Return the order's unfinished run, or None."""
    return tx.exec(select(Run).where(Run.order_id == order_id, Run.state == RunState.OPEN)).first()


def steps_of(tx: Transaction, run_id: str) -> list[Step]:
    """Return the run's steps in order."""
    query = select(Step).where(Step.run_id == run_id).order_by(col(Step.position))
    return list(tx.exec(query))


def failed_checks(tx: Transaction, run_id: str) -> str:
    """Return the checks that the run's card has failed at any time; empty for none."""
    checked = [step for step in steps_of(tx, run_id) if step.name == "VERIFY"]
    return ", ".join(step.detail for step in checked if step.detail)


def runs_of(tx: Transaction, chip_serial: str) -> list[Run]:
    """Return the card's runs, oldest first."""
    query = select(Run).where(Run.chip_serial == chip_serial).order_by(col(Run.started_at))
    return list(tx.exec(query))


def envelopes_of(tx: Transaction, chip_serial: str) -> list[PinEnvelope]:
    """Return the card's PIN envelopes."""
    return list(tx.exec(select(PinEnvelope).where(PinEnvelope.chip_serial == chip_serial)))
