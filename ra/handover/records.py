"""Rows of what another organisation's CA answered to our orders."""

from __future__ import annotations

import sqlalchemy as sa
from sqlmodel import Field, SQLModel, col, select

from ca.records import Order
from policies.profiles import Purpose
from store import columns
from store.database import Transaction


class OrderAnswer(SQLModel, table=True):
    """That an order was answered: by which paper, and the CA's code if it refused."""

    __tablename__ = "order_answer"

    order_id: str = Field(sa_column=columns.key_column("issue_order.id"))
    paper_sha256: str = Field(
        sa_column=sa.Column(
            sa.CHAR(64), sa.ForeignKey("paper_receipt.paper_sha256"), nullable=False
        )
    )
    refusal: str | None = Field(default=None, sa_type=sa.Text)


class ReceivedCertificate(SQLModel, table=True):
    """A certificate that the CA issued for an order."""

    __tablename__ = "received_certificate"

    order_id: str = Field(sa_column=columns.key_column("order_answer.order_id"))
    usage: Purpose = Field(sa_column=sa.Column(sa.Text, primary_key=True, nullable=False))
    certificate_der: bytes


def unanswered_orders(tx: Transaction, addressee: str) -> list[Order]:
    """Return the orders for a peer's CA that have no answer, by id, withdrawn ones too."""
    query = (
        select(Order)
        .outerjoin(OrderAnswer, col(OrderAnswer.order_id) == col(Order.id))
        .where(Order.addressee == addressee, col(OrderAnswer.order_id).is_(None))
    )
    return list(tx.exec(query.order_by(col(Order.id))))


def certificates_of_order(tx: Transaction, order_id: str) -> list[ReceivedCertificate]:
    """Return what was issued for the order."""
    query = select(ReceivedCertificate).where(ReceivedCertificate.order_id == order_id)
    return list(tx.exec(query.order_by(col(ReceivedCertificate.usage))))
