"""Defects of the entries of lists by RFC 5280 section 5.3: R320 to R334."""

from __future__ import annotations

from datetime import timedelta

from pki import oids
from tests.golden.lint.case import Scene, case
from tests.golden.lint.cases_lists import (
    POINT,
    PRIVATE,
    entry,
    entry_extensions,
    extension,
    reason,
)
from tests.golden.lint.shapes import time
from tests.golden.lint.sound import NOW
from tests.golden.lint.tree import Node, integer, node, sequence

HOLD_CALL_ISSUER = b"\x06\x07\x2a\x86\x48\xce\x38\x02\x02"
GENERALIZED, UTC = 0x18, 0x17
NAMES = sequence(node(0xA4, sequence()))


def copies(scene: Scene, index: int, count: int) -> None:
    """Repeat an entry with rising serial numbers."""
    one = entry(scene.first, index)
    for offset in range(count):
        serial = integer(0x7000_0000_0000_0000_0000_0000 + offset)
        scene.first.tbs[5].children.append(sequence(serial, *one.children[1:]))


@case("R320", "ERROR", "list")
def entry_is_no_sequence(scene: Scene) -> None:
    """The second entry is a SET."""
    entry(scene.first, 1).tag = 0x31


@case("R320", "ERROR", "list")
def entry_without_date(scene: Scene) -> None:
    """The last entry has a serial number only."""
    del entry(scene.first, 2).children[1:]


@case("R321", "ERROR", "list")
def entry_serial_zero(scene: Scene) -> None:
    """The serial number of an entry is 0."""
    entry(scene.first, 0).children[0] = integer(0)


@case("R321", "ERROR", "list")
def entry_serial_negative(scene: Scene) -> None:
    """The serial number of an entry is negative."""
    entry(scene.first, 0).children[0] = integer(-0x31)


@case("R321", "ERROR", "list")
def entry_serial_of_21_octets(scene: Scene) -> None:
    """The serial number of an entry has 21 octets."""
    entry(scene.first, 2).children[0] = integer(1 << 159)


@case("R322", "WARNING", "list")
def entry_stands_twice_in_order(scene: Scene) -> None:
    """A serial number stands twice, one after the other."""
    scene.first.tbs[5].children.append(entry(scene.first, 2))


@case("R322", "ERROR", "list", options=("strict",))
def entry_stands_twice_out_of_order(scene: Scene) -> None:
    """The last entry has the serial number of the first."""
    entry(scene.first, 2).children[0] = integer(0x31)


@case("R322", "WARNING", "foreign-list")
def entry_of_one_issuer_stands_twice(scene: Scene) -> None:
    """In an indirect list a serial number stands twice below one certificateIssuer."""
    scene.first.add(POINT, sequence(Node(0x84, b"\xff")), critical=True)
    entry_extensions(scene.first, 0, extension(oids.CERTIFICATE_ISSUER, NAMES, critical=True))
    entry(scene.first, 2).children[0] = integer(0x31)


@case("R323", "ERROR", "list")
def revoked_at_no_date(scene: Scene) -> None:
    """An entry was revoked on the 31st of February."""
    entry(scene.first, 0)[1].octets = b"260231000000Z"


@case("R323", "ERROR", "list")
def revoked_at_no_hour(scene: Scene) -> None:
    """An entry was revoked at 24 o'clock, on the day of another that is sound."""
    day = (NOW - timedelta(days=90)).strftime("%y%m%d").encode()
    entry(scene.first, 1)[1].octets = day + b"240000Z"


@case("R323", "ERROR", "list")
def revoked_in_generalized_time(scene: Scene) -> None:
    """A revocationDate is GeneralizedTime before 2050."""
    entry(scene.first, 0).children[1] = Node(GENERALIZED, b"20260801000000Z")


@case("R324", "WARNING", "list")
def revoked_after_this_update(scene: Scene) -> None:
    """An entry was revoked a second after thisUpdate."""
    entry(scene.first, 1).children[1] = time(NOW + timedelta(seconds=1))


@case("R325", "ERROR", "list")
def reason_is_no_enumerated(scene: Scene) -> None:
    """A reasonCode is an INTEGER."""
    entry_extensions(scene.first, 0, extension(oids.REASON_CODE, integer(5)))


@case("R326", "ERROR", "list")
def unknown_critical_entry_extension(scene: Scene) -> None:
    """An extension of an entry that nobody knows is critical."""
    entry_extensions(scene.first, 0, extension(PRIVATE, b"\x05\x00", critical=True))


@case("R326", "ERROR", "foreign-list")
def unknown_critical_extension_of_many_entries(scene: Scene) -> None:
    """Seven entries have an unknown critical extension: five are told of, the others counted."""
    entry_extensions(scene.first, 2, extension(PRIVATE, b"\x05\x00", critical=True))
    copies(scene, 2, 6)


@case("R327", "ERROR", "list")
def reason_stands_twice(scene: Scene) -> None:
    """An entry has two reasonCodes."""
    code = extension(oids.REASON_CODE, Node(0x0A, b"\x05"))
    entry_extensions(scene.first, 0, code, code)


@case("R328", "ERROR", "list")
def invalidity_date_critical(scene: Scene) -> None:
    """An invalidityDate is critical."""
    date = Node(GENERALIZED, b"20260801000000Z")
    entry_extensions(scene.first, 0, extension(oids.INVALIDITY_DATE, date, critical=True))


@case("R328", "ERROR", "foreign-list")
def foreign_reason_critical(scene: Scene) -> None:
    """A reasonCode is critical."""
    reason(scene.first, 0, 5, critical=True)


@case("R328", "ERROR", "foreign-list")
def certificate_issuer_not_critical(scene: Scene) -> None:
    """In an indirect list a certificateIssuer is not critical."""
    scene.first.add(POINT, sequence(Node(0x84, b"\xff")), critical=True)
    entry_extensions(scene.first, 0, extension(oids.CERTIFICATE_ISSUER, NAMES))


@case("R329", "ERROR", "list")
def invalidity_date_in_utc_time(scene: Scene) -> None:
    """An invalidityDate is UTCTime."""
    date = Node(UTC, b"260801000000Z")
    entry_extensions(scene.first, 0, extension(oids.INVALIDITY_DATE, date))


@case("R329", "ERROR", "list")
def invalidity_date_with_fractions(scene: Scene) -> None:
    """An invalidityDate has fractions of seconds."""
    date = Node(GENERALIZED, b"20260801000000.5Z")
    entry_extensions(scene.first, 0, extension(oids.INVALIDITY_DATE, date))


@case("R330", "ERROR", "foreign-list")
def certificate_issuer_in_a_direct_list(scene: Scene) -> None:
    """An entry has a certificateIssuer although the list is not indirect."""
    issuer = extension(oids.CERTIFICATE_ISSUER, NAMES, critical=True)
    entry_extensions(scene.first, 0, issuer)


@case("R331", "ERROR", "foreign-list")
def removed_from_a_complete_list(scene: Scene) -> None:
    """An entry of a complete list has the reasonCode removeFromCRL."""
    reason(scene.first, 0, 8)


@case("R332", "INFO", "list")
def hold_instruction(scene: Scene) -> None:
    """An entry has a holdInstructionCode, which RFC 5280 has no more."""
    entry_extensions(scene.first, 0, extension(oids.HOLD_INSTRUCTION, HOLD_CALL_ISSUER))


@case("R333", "ERROR", "list")
def entry_extensions_empty(scene: Scene) -> None:
    """The extensions of an entry are an empty SEQUENCE."""
    entry_extensions(scene.first, 0)


@case("R334", "ERROR", "foreign-list")
def foreign_reason_seven(scene: Scene) -> None:
    """An entry has the reasonCode 7, which is not used."""
    reason(scene.first, 0, 7)


@case("R334", "ERROR", "foreign-list")
def foreign_reason_eleven(scene: Scene) -> None:
    """An entry has the reasonCode 11, which there is not."""
    reason(scene.first, 0, 11)


@case("R334", "WARNING", "foreign-list")
def foreign_reason_unspecified(scene: Scene) -> None:
    """An entry has the reasonCode unspecified, which should be left out."""
    reason(scene.first, 0, 0)
