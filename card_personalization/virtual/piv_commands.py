"""Commands of the virtual PIV card on its application, data objects, PIN and PUK.

A command gets the session and the command, commits a new chip if it changes the memory, and gives
response data and a status word or raises ``Status``. Source: NIST SP 800-73-4 part 2, 3.1 and 3.2;
lengths and digits of the PIN part 2, 2.4.3.
"""

from __future__ import annotations

import hmac
from dataclasses import replace

from card_personalization import tlv
from card_personalization.virtual.piv_memory import (
    MAX_OBJECT_SIZE,
    MAX_OBJECTS,
    PIN,
    PIN_SIZE,
    PUK,
    PivSession,
    Secret,
    objects_in,
)
from card_personalization.virtual.session import DONE, Answer, Command, Status

_RID = bytes.fromhex("A000000308")
_PIX = bytes.fromhex("000010000100")
_DISCOVERY = 0x7E
# Fingerprints, facial image, printed information, iris images
_GUARDED = (0x5FC103, 0x5FC108, 0x5FC109, 0x5FC121)
_PIN_ONLY = b"\x40\x00"  # PIN usage policy: the application's PIN, no global one, no biometrics


def select(session: PivSession, command: Command) -> Answer:
    """SELECT by the whole AID or its beginning, from the RID on; ends PIN and management.

    The standard would keep both when the application is selected again.
    """
    if (command.p1, command.p2) != (0x04, 0x00):
        raise Status(0x6A86)
    name = command.data
    if len(name) < len(_RID) or not (_RID + _PIX).startswith(name):
        raise Status(0x6A82)
    session.forget()
    session.selected = True
    authority = tlv.encode(0x79, tlv.encode(0x4F, _RID))
    return tlv.encode(0x61, tlv.encode(0x4F, _PIX), authority), 0x9000


def get_data(session: PivSession, command: Command) -> Answer:
    """GET DATA of one object; images of the body and printed data only after the PIN."""
    identifier = _identifier(command)
    if identifier == _DISCOVERY:
        policy = tlv.encode(0x5F2F, _PIN_ONLY)
        return tlv.encode(_DISCOVERY, tlv.encode(0x4F, _RID + _PIX), policy), 0x9000
    if identifier in _GUARDED and not session.pin_verified:
        raise Status(0x6982)
    content = session.chip.content(identifier)
    if content is None:
        raise Status(0x6A82)
    return tlv.encode(0x53, content), 0x9000


def put_data(session: PivSession, command: Command) -> Answer:
    """PUT DATA of one object for the manager; an empty one is taken away."""
    session.need_manager()
    identifier = _identifier(command)
    content = objects_in(command.data).get(0x53)
    if content is None or not 0x5F0000 <= identifier <= 0x5FFFFF:
        raise Status(0x6A80)
    chip = session.chip.with_content(identifier, content)
    if len(content) > MAX_OBJECT_SIZE or len(chip.objects) > MAX_OBJECTS:
        raise Status(0x6A84)
    session.commit(chip)
    return DONE


def _identifier(command: Command) -> int:
    """Tag of the object that 5C names."""
    if (command.p1, command.p2) != (0x3F, 0xFF):
        raise Status(0x6A86)
    name = objects_in(command.data).get(0x5C, b"")
    if not 1 <= len(name) <= 3:
        raise Status(0x6A80)
    return int.from_bytes(name, "big")


def verify(session: PivSession, command: Command) -> Answer:
    """VERIFY of the PIN; without data: tries left (9000 if verified); P1 FF: no longer verified."""
    if command.p2 != PIN:
        raise Status(0x6A88)
    if command.p1 == 0xFF and not command.data:
        session.set_pin_verified(False)
        return DONE
    if command.p1:
        raise Status(0x6A86)
    if command.data:
        compare(session, PIN, command.data)
        session.set_pin_verified(True)
    elif not session.pin_verified:
        left = session.chip.pin.tries_left
        raise Status(0x63C0 | left if left else 0x6983)
    return DONE


def change_reference_data(session: PivSession, command: Command) -> Answer:
    """CHANGE REFERENCE DATA: old and new PIN or PUK; a new PIN counts as verified."""
    if command.p2 not in (PIN, PUK):
        raise Status(0x6A88)
    old, new = _two(command)
    compare(session, command.p2, old)
    _check_form(command.p2, new)
    _save(session, command.p2, replace(_secret(session, command.p2), value=new).fresh())
    if command.p2 == PIN:
        session.set_pin_verified(True)
    return DONE


def reset_retry_counter(session: PivSession, command: Command) -> Answer:
    """RESET RETRY COUNTER: PUK and new PIN; whether a PIN is verified stays as it was."""
    if command.p2 != PIN:
        raise Status(0x6A88)
    puk, new = _two(command)
    compare(session, PUK, puk)
    _check_form(PIN, new)
    _save(session, PIN, replace(session.chip.pin, value=new).fresh())
    return DONE


def _two(command: Command) -> tuple[bytes, bytes]:
    if command.p1:
        raise Status(0x6A86)
    if len(command.data) != 2 * PIN_SIZE:
        raise Status(0x6A80)
    return command.data[:PIN_SIZE], command.data[PIN_SIZE:]


def compare(session: PivSession, reference: int, value: bytes) -> None:
    """End with 63Cx or 6983 unless ``value`` is right; the counter is written first.

    For a value that can be no PIN or PUK the standard lets a card choose. Without extensions it
    is 6A80 and costs nothing. With them it is a wrong try, as Yubico's own software expects, which
    blocks PIN and PUK by empty ones before RESET.
    """
    secret = _secret(session, reference)
    if len(value) != PIN_SIZE:
        raise Status(0x6A80)
    if not secret.tries_left:
        raise Status(0x6983)
    if not session.chip.extensions:
        _check_form(reference, value)
    if reference == PIN:
        session.set_pin_verified(False)
    if not hmac.compare_digest(secret.value, value):
        left = secret.tries_left - 1
        _save(session, reference, replace(secret, tries_left=left))
        raise Status(0x63C0 | left)
    if secret.tries_left != secret.max_tries:
        _save(session, reference, secret.fresh())


def _check_form(reference: int, value: bytes) -> None:
    """Refuse with 6A80 what is not 6 to 8 digits (PIN) or bytes (PUK) and FF up to 8."""
    bare = value.rstrip(b"\xff")
    fits = b"\xff" not in bare and 6 <= len(bare) <= PIN_SIZE
    if not fits or (reference == PIN and not bare.isdigit()):
        raise Status(0x6A80)


def _secret(session: PivSession, reference: int) -> Secret:
    return session.chip.pin if reference == PIN else session.chip.puk


def _save(session: PivSession, reference: int, secret: Secret) -> None:
    chip = session.chip
    session.commit(replace(chip, pin=secret) if reference == PIN else replace(chip, puk=secret))
