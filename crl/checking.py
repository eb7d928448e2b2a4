"""One list read back: whose it is, and whether it is what went into it."""

from __future__ import annotations

from datetime import datetime
from typing import BinaryIO

from cryptography import x509

from crl.building import ListFacts
from crl.entries import Entries
from pki import oids
from pki.errors import InvalidInput, Refused
from pki.names import text
from pki.reading.crl import RevocationList, open_list
from pki.reading.objects import objects_in
from pki.signing import HashName, hashlib_name, verify_digest


def entries_of(parsed: RevocationList, file: BinaryIO) -> Entries:
    """Return the entries of the list that the file holds."""
    return Entries(file, *(parsed.entries_bounds or (0, 0)))


def list_in(octets: bytes) -> RevocationList:
    """Return the list that the octets are, DER or PEM; raises ``InvalidInput``."""
    for one in objects_in(octets):
        if isinstance(one, RevocationList):
            return one
    raise InvalidInput("crl.unreadable", "this is no revocation list")


def crl_number(parsed: RevocationList) -> int:
    """Return the cRLNumber; raises ``InvalidInput`` where there is none."""
    if parsed.number is None:
        raise InvalidInput("crl.number.missing", "the list has no cRLNumber")
    return parsed.number


def this_update(parsed: RevocationList) -> datetime:
    """Return thisUpdate; raises ``InvalidInput`` where it is no time."""
    if parsed.this_update.moment is None:
        raise InvalidInput("crl.this_update", "thisUpdate of the list is no time")
    return parsed.this_update.moment


def verify_list(parsed: RevocationList, issuer: x509.Certificate, hash_name: HashName) -> None:
    """Raise ``Refused`` unless the list is the issuer's, by name and signature."""
    if parsed.issuer.der != issuer.subject.public_bytes():
        raise Refused(
            "crl.foreign", f"the list is not of {text(issuer.subject)} but of another issuer"
        )
    verify_signed(parsed, parsed.tbs_digest(hashlib_name(hash_name)), issuer, hash_name)


def verify_signed(
    parsed: RevocationList, digest: bytes, issuer: x509.Certificate, hash_name: HashName
) -> None:
    """Raise ``Refused`` unless the list's signature is the issuer's over that digest."""
    try:
        verify_digest(issuer.public_key(), parsed.signature, digest, hash_name)
    except Refused:
        raise Refused("crl.signature", "the list does not verify with its issuer's key") from None


def open_verified(file: BinaryIO, issuer: x509.Certificate, hash_name: HashName) -> RevocationList:
    """Return the list in the file; raises ``InvalidInput`` for none, ``Refused`` as verify_list."""
    parsed = open_list(file)
    for fault in parsed.faults:
        raise InvalidInput("crl.der", f"the list is not encoded in DER: {fault}")
    verify_list(parsed, issuer, hash_name)
    return parsed


def verify_facts(parsed: RevocationList, facts: ListFacts, entries_octets: int) -> None:
    """Raise ``Refused`` unless number, scope and entries are what went into the list."""
    begin, end = parsed.entries_bounds or (0, 0)
    for what, found, wanted in (
        ("number", crl_number(parsed), facts.number),
        ("issuingDistributionPoint", point_octets(parsed), wanted_point(facts)),
        ("octets of entries", end - begin, entries_octets),
    ):
        if found != wanted:
            raise Refused(
                "crl.differs", f"the list's {what} is {_shown(found)}, and {_shown(wanted)} went in"
            )


def point_octets(parsed: RevocationList) -> bytes | None:
    """Return the issuingDistributionPoint's DER, None where there is none."""
    found = parsed.by_oid.get(oids.ISSUING_DISTRIBUTION_POINT)
    return None if found is None else found.octets


def wanted_point(facts: ListFacts) -> bytes | None:
    """Return the issuingDistributionPoint's DER that the facts make, None for none."""
    return None if facts.point is None else facts.point.public_bytes()


def _shown(value: object) -> str:
    return value.hex() if isinstance(value, bytes) else str(value)
