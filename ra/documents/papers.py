"""Rows of documents: found, numbered, named, and where their files are."""

from __future__ import annotations

from pki.errors import Conflict, NotFound
from ra import records
from ra.documents.vault import Kept
from ra.dossiers import salted
from ra.records import Application, Document
from store.database import Transaction


def next_number(tx: Transaction, ref: str, code: str) -> int:
    """Return the number that the next document of the code takes."""
    numbers = [one.number for one in records.documents_of(tx, ref) if one.code == code]
    return max(numbers, default=0) + 1


def copy_of(tx: Transaction, original: Document) -> Document:
    """Return the row of a copy that takes the original's place."""
    return Document(
        application_ref=original.application_ref,
        code=original.code,
        number=next_number(tx, original.application_ref, original.code),
        received_on=original.received_on,
        issued_on=original.issued_on,
        valid_until=original.valid_until,
        redacts=original.number,
    )


def find_paper(tx: Transaction, ref: str, code: str, number: int) -> Document:
    """Return the document, or raise ``NotFound`` with those there are."""
    row = tx.get(Document, (ref, code, number))
    if row is None:
        there = [name_of(one) for one in records.documents_of(tx, ref)]
        raise NotFound(
            "ra.document.unknown",
            f"{ref} has no document {code}.{number}",
            f"It has {', '.join(there) or 'none'}.",
        )
    return row


def kept_file(tx: Transaction, row: Document) -> Kept:
    """Return where the row's file is; raises where there is none."""
    if row.file_name and row.wrapped_key and row.sha256 and row.octets:
        return Kept(row.file_name, row.wrapped_key, row.sha256, row.octets)
    for one in records.documents_of(tx, row.application_ref):
        if one.code == row.code and one.redacts == row.number:
            raise Conflict(
                "ra.document.redacted",
                f"{name_of(row)} was redacted; its file is destroyed",
                f"What may be seen is {name_of(one)}.",
            )
    raise NotFound(
        "ra.document.paper", f"{name_of(row)} has no file: it is on paper", "Look into the binder."
    )


def identity_of(row: Document) -> str:
    """Return what is bound to the document's file."""
    return f"{row.application_ref}/{name_of(row)}"


def name_of(row: Document) -> str:
    """Return code and number as people and the trail name the document."""
    return f"{row.code}.{row.number}"


def salted_file(row: Document, application: Application) -> str | None:
    """Return the salted digest of the document's file."""
    return salted("document", row.sha256, application.salt) if row.sha256 else None
