"""What somebody with the database's rights and a CA's key could put into the store."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from sqlalchemy import text

from crl.records import lists
from tests.flows.conftest import Centre
from tests.flows.test_trail import drop_triggers

DER = serialization.Encoding.DER
SIGN_CERTIFICATE = "usage = 'SIGN' AND order_id LIKE 'T2026-0001%'"
CA_CERTIFICATE = "order_id IS NULL AND profile LIKE 'sub-ca-sign@%'"


@dataclass
class Parts:
    """What a certificate is built of; ``extensions`` by dotted type."""

    subject: x509.Name
    key: Any
    serial: int
    start: datetime
    end: datetime
    extensions: dict[str, tuple[x509.ExtensionType, bool]]

    def replace(self, value: x509.ExtensionType) -> None:
        """Put another value of the extension, as critical as it was."""
        oid = value.oid.dotted_string
        self.extensions[oid] = (value, self.extensions[oid][1])


def certificate_of(centre: Centre, where: str) -> tuple[dict[str, Any], x509.Certificate]:
    """The first row that fits, and its certificate."""
    with centre.store.engine.connect() as connection:
        query = text(f"SELECT * FROM certificate WHERE {where} ORDER BY id LIMIT 1")
        row = dict(connection.execute(query).mappings().one())
    return row, x509.load_der_x509_certificate(row["certificate_der"])


def forge(
    centre: Centre, edit: Callable[[Parts], None], where: str = SIGN_CERTIFICATE, **columns: object
) -> None:
    """Sign a changed certificate with its CA's key, and put it into the row that fits it."""
    row, old = certificate_of(centre, where)
    parts = Parts(
        old.subject,
        old.public_key(),
        old.serial_number,
        old.not_valid_before_utc,
        old.not_valid_after_utc,
        {one.oid.dotted_string: (one.value, one.critical) for one in old.extensions},
    )
    edit(parts)
    builder = x509.CertificateBuilder(
        old.issuer, parts.subject, parts.key, parts.serial, parts.start, parts.end
    )
    for value, critical in parts.extensions.values():
        builder = builder.add_extension(value, critical)
    made = builder.sign(centre.keys.open(row["issuer_id"]), hashes.SHA256())
    der = made.public_bytes(DER)
    values = {
        "tbs_der": made.tbs_certificate_bytes,
        "certificate_der": der,
        "sha256": hashlib.sha256(der).hexdigest(),
        "not_before": f"{made.not_valid_before_utc:%Y-%m-%d %H:%M:%S.%f}",
        "not_after": f"{made.not_valid_after_utc:%Y-%m-%d %H:%M:%S.%f}",
        **columns,
    }
    put(centre, "certificate", f"id = {row['id']}", **values)
    if row["order_id"] is None:
        where = "certificate_der = :old"
        put(centre, "issuer", where, old=row["certificate_der"], certificate_der=der)


def put(centre: Centre, table: str, where: str, **values: object) -> None:
    """Change columns of rows past the triggers; ``old`` is for the condition alone."""
    drop_triggers(centre)
    sets = ", ".join(f"{name} = :{name}" for name in values if name != "old")
    with centre.store.engine.begin() as connection:
        connection.execute(text(f"UPDATE {table} SET {sets} WHERE {where}"), values)


def edit_entry(centre: Centre, code: str, edit: Callable[[dict[str, Any]], None]) -> None:
    """Change what the newest entry of the code says, with a hash that fits it."""
    with centre.store.engine.connect() as connection:
        query = text("SELECT seq, body FROM trail_entry WHERE code = :code ORDER BY seq DESC")
        seq, body = connection.execute(query, {"code": code}).all()[0]
    said = json.loads(body)
    edit(said)
    body = json.dumps(said, ensure_ascii=False)
    put(
        centre,
        "trail_entry",
        f"seq = {seq}",
        body=body,
        hash=hashlib.sha256(body.encode()).hexdigest(),
    )


def forge_list(
    centre: Centre,
    back: int,
    *,
    hours: int | None = None,
    number: int | None = None,
    empty: bool = False,
    **columns: object,
) -> None:
    """Sign a changed list of the CA ``sign`` with its key; ``back``: so many before the newest."""
    with centre.store.read() as tx:
        row = [one for one in lists(tx) if one.issuer_id == "sign"][back]
        path = centre.archive.list_path(row)
    old = x509.load_der_x509_crl(path.read_bytes())
    begin, end = old.last_update_utc, old.next_update_utc
    if hours is not None:
        end = begin + timedelta(hours=hours)
    builder = x509.CertificateRevocationListBuilder(old.issuer, begin, end)
    for one in () if empty else old:
        builder = builder.add_revoked_certificate(one)
    for extension in old.extensions:
        value = extension.value
        if isinstance(value, x509.CRLNumber):
            value = x509.CRLNumber(number or value.crl_number)
        builder = builder.add_extension(value, extension.critical)
    made = builder.sign(centre.keys.open("sign"), hashes.SHA256()).public_bytes(DER)
    path.write_bytes(made)
    put(
        centre,
        "revocation_list",
        f"id = {row.id}",
        sha256=hashlib.sha256(made).hexdigest(),
        octets=len(made),
        **columns,
    )
