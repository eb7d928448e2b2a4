"""The tables that reports count in, for queries that fetch columns and no objects."""

from __future__ import annotations

import sqlalchemy as sa
from sqlmodel import SQLModel

from audit.records import TrailEntry
from ca.records import Carrier, Certificate, Order, Revocation
from crl.records import RevocationList
from operators.records import Statement
from ra.records import Application, PersonVersion, RevocationRequest


def _table(model: type[SQLModel]) -> sa.Table:
    return SQLModel.metadata.tables[str(model.__tablename__)]


APPLICATION = _table(Application)
CARRIER = _table(Carrier)
CERTIFICATE = _table(Certificate)
ENTRY = _table(TrailEntry)
LIST = _table(RevocationList)
ORDER = _table(Order)
REQUEST = _table(RevocationRequest)
REVOCATION = _table(Revocation)
STATEMENT = _table(Statement)
VERSION = _table(PersonVersion)
