"""What a list's coverage statement says of it: signed, where its row is not."""

from __future__ import annotations

from contextlib import suppress
from dataclasses import dataclass
from datetime import datetime

from audit.chain import KEEP
from audit.records import Criteria, search
from crl.archive import Archive
from crl.coverage import OVERRIDE, read_statement
from crl.records import RevocationList
from operators.directory import Directory
from pki.errors import InvalidInput, Refused
from pki.signing import key_id
from store.database import Transaction


@dataclass(frozen=True)
class Stated:
    """Times, trail position, count and SHA-256 of a list, and of the list before it.

    ``released``: how many entries two people let go, of which ``lost`` names the first ones.
    """

    this_update: datetime
    next_update: datetime
    high_water_seq: int
    entries: int
    sha256: str
    previous: str
    released: int
    lost: tuple[str, ...]


def read_stated(
    tx: Transaction, directory: Directory, archive: Archive, row: RevocationList
) -> Stated:
    """Return what the statement beside the list says; raises unless it is this list's own."""
    body = read_statement(archive.statement(row), statement_keys(directory, tx))
    named = (body.get("issuer"), body.get("scope"), body.get("shard"), body.get("number"))
    if named != (row.issuer_id, row.scope.value, row.shard, row.number):
        raise Refused("crl.coverage.other", f"the statement beside {row.number} is not its own")
    try:
        removed = body["removed"]
        return Stated(
            datetime.fromisoformat(body["this_update"]),
            datetime.fromisoformat(body["next_update"]),
            int(body["high_water_seq"]),
            int(body["entries"]),
            str(body["sha256"]),
            str(body["previous"]["sha256"]),
            int(removed["why"].get(OVERRIDE, 0)),
            tuple(str(one["serial"]) for one in removed["named"] if one["why"] == OVERRIDE),
        )
    except (KeyError, TypeError, ValueError, AttributeError):
        raise InvalidInput("crl.coverage.form", "this is no coverage statement") from None


@dataclass(frozen=True)
class Issued:
    """Times and trail position of a list."""

    this_update: datetime
    next_update: datetime
    high_water_seq: int


def issued(tx: Transaction, row: RevocationList) -> Issued:
    """Return what the trail says of the list that the row stands for.

    Raises ``Refused`` where it says nothing, or of other octets.
    """
    name = f"{row.issuer_id}:{row.number}"
    criteria = Criteria(code="CRL.ISSUE", object_type="crl", object_id=name)
    for entry in search(tx, criteria, 0, 1):
        detail = (entry.content() or {}).get("detail", {})
        with suppress(KeyError, TypeError, ValueError):
            said = (detail["sha256"], detail["scope"], detail["shard"])
            if said == (row.sha256, row.scope.value, row.shard):
                return Issued(
                    datetime.fromisoformat(detail["at"]),
                    datetime.fromisoformat(detail["next_update"]),
                    int(detail["high_water_seq"]),
                )
    raise Refused("crl.row.changed", f"the trail knows no such list {name}", KEEP)


def statement_keys(directory: Directory, tx: Transaction) -> dict[str, bytes]:
    """Return the registered keys that sign coverage statements, SPKI DER by ``key_id``."""
    keys = [bytes.fromhex(one) for one in directory.register(tx).anchor_keys]
    return {key_id(one): one for one in keys}
