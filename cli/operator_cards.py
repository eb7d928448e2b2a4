"""Operators' cards: the file that says where a key lies, and the card found in a reader."""

from __future__ import annotations

import atexit
import os
import re
import sys
import time
from collections.abc import Callable, Collection
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import Annotated, Literal

from pydantic import StringConstraints

from card_personalization.apdu import PinBlocked, WrongPin
from card_personalization.operator_card import (
    CardSigner,
    KeyPlace,
    key_on,
    make_key,
    other_card,
    refuse_factory_pin,
)
from card_personalization.pcsc import PcscTransport, readers
from card_personalization.transport import Transport
from cli.config import Site
from cli.output import read_input, say, write_output
from cli.unlock import Vault
from operators.acts import signing_key
from pki.errors import HpkiError, InvalidInput, NotFound, Unavailable
from pki.signing import IssuerPublicKey, spki_der
from policies.schema import Strict, load_toml, validate

_CODE = "cli.operator.card"
_MAX_OCTETS = 16 * 1024
_PAUSE_SECONDS = 0.5
_NAME = re.compile(r"[a-z0-9-]+")

Fits = Callable[[IssuerPublicKey | None], bool]
"""Whether a card with this key, or with none, is the one sought."""


class CardFile(Strict):
    """``operators/NAME.card.toml``: where the key lies, in which reader, and its public half.

    ``reader``: part of a reader's name, empty for any; ``public_key``: SubjectPublicKeyInfo, hex.
    """

    profile: Literal["piv", "hpki"]
    slot: Literal["", "9A", "9C"] = ""
    reader: Annotated[str, StringConstraints(pattern=r'^[^"\\\x00-\x1f]*$')] = ""
    public_key: str

    @property
    def place(self) -> KeyPlace:
        """Where on the card the key lies."""
        return KeyPlace(self.profile, self.slot)


@dataclass(frozen=True)
class NewCard:
    """On which card a person's new key is to lie; ``fresh``: one in place of a key there."""

    place: KeyPlace
    reader: str = ""
    fresh: bool = False


def card_path(site: Site, name: str) -> Path:
    """Return the path of the file of ``NAME``, or ``NAME.VERSION``."""
    person, dot, version = name.partition(".")
    return site.path(f"operators/{person}.card{dot}{version}.toml")


def read_card_file(path: Path) -> CardFile:
    """Return what the file says; raises ``InvalidInput`` for a fault in it."""
    found = load_toml(CardFile, read_input(path, _MAX_OCTETS, _CODE), str(path), _CODE)
    signing_key(found.public_key)
    return found


@dataclass
class OperatorCards:
    """The cards that this process signs with, each held from its first use to the end."""

    site: Site
    vault: Vault
    _signers: dict[str, CardSigner] = field(default_factory=dict)
    _found: set[str] = field(default_factory=set)

    def signer(self, name: str) -> CardSigner | None:
        """Return a person's signer; None where the key is in a file.

        The card is opened, unless it has to change places with another's of this process: then at
        its first signature, and only the PIN is asked for.
        """
        if not _NAME.fullmatch(name) or not card_path(self.site, name).exists():
            return None
        signer = self._signer(name)
        if not signer.connected and self._is_away(name):
            self.vault.pin(name)
        else:
            signer.open()
        return signer

    def take_key(
        self, name: str, wanted: NewCard, others: Collection[IssuerPublicKey], now: datetime
    ) -> CardSigner:
        """Take the key on a card, or make one, and write ``NAME.card.new.toml``.

        ``others``: other people's keys, whose cards are left alone. Raises as ``find``, and what
        reading and ``make_key`` raise.
        """
        draft, place = f"{name}.new", wanted.place
        used = {spki_der(one) for one in others} | self._keys_in_use()
        transport = self.find(
            name, place, wanted.reader, lambda key: key is None or spki_der(key) not in used
        )
        try:
            public_key = None if wanted.fresh else key_on(transport, place)
            if public_key is None:
                pin = self.vault.pin(draft, first=True)
                public_key = make_key(transport, place, name, pin, now, os.urandom)
            else:
                refuse_factory_pin(place, self.vault.pin(draft))
        except (WrongPin, PinBlocked):
            self.vault.forget(draft)
            raise
        finally:
            transport.close()
        spki_hex = spki_der(public_key).hex()
        signing_key(spki_hex)
        card = {"profile": place.profile, "slot": place.slot, "reader": wanted.reader}
        made = validate(CardFile, {**card, "public_key": spki_hex}, "the card", _CODE)
        text = "".join(f'{key} = "{value}"\n' for key, value in made.model_dump().items())
        write_output(card_path(self.site, draft), text.encode(), replace=True)
        return self._signer(draft)

    def find(self, person: str, place: KeyPlace, reader: str, fits: Fits) -> Transport:
        """Return a connection to the card for a person that fits; at a terminal wait for it.

        It waits for a card's first use, and where people sign in turn. Who signs alone and took the
        card out is told so: a full screen may be shown.

        Raises ``InvalidInput`` for several that fit. Without a terminal: ``Unavailable``
        (card.operator.missing) if there is none, ``Refused`` (card.operator.other) for other cards,
        or whatever else is the matter with one.
        """
        asked = False
        while True:
            found, trouble = self._seek(person, place, reader, fits)
            if found is not None:
                self._found.add(person)
                return found
            if self._let_go():
                continue
            alone = person in self._found and len(self._signers) == 1
            if alone or not sys.stdin.isatty():
                raise trouble or _missing(person, reader)
            if not asked:
                say(f"put the card of {person} into a reader (Ctrl-C ends)", "bold")
            asked = True
            time.sleep(_PAUSE_SECONDS)

    def _signer(self, name: str) -> CardSigner:
        """Return the signer of ``NAME``, or of ``NAME.new``."""
        if not self._signers:
            atexit.register(self._let_go)
        if name not in self._signers:
            card, person = read_card_file(card_path(self.site, name)), name.partition(".")[0]
            public_key = signing_key(card.public_key)
            self._signers[name] = CardSigner(
                person,
                card.place,
                public_key,
                lambda: self.find(person, card.place, card.reader, _is(public_key)),
                lambda: self.vault.pin(name),
                lambda: self.vault.forget(name),
            )
        return self._signers[name]

    def _is_away(self, name: str) -> bool:
        """Return whether others' cards are held and the one sought is in no reader."""
        if not any(one.connected for one in self._signers.values()):
            return False
        card = read_card_file(card_path(self.site, name))
        found, _ = self._seek(name, card.place, card.reader, _is(signing_key(card.public_key)))
        if found is not None:
            found.close()
        return found is None

    def _seek(
        self, person: str, place: KeyPlace, reader: str, fits: Fits
    ) -> tuple[Transport | None, HpkiError | None]:
        """Return a connection to the card that fits, or what is the matter with the others."""
        found: list[Transport] = []
        trouble: HpkiError | None = None
        for name in _readers_with_cards(reader):
            try:
                transport: Transport = PcscTransport(name)
            except HpkiError as error:  # in use, or taken out
                trouble = error
                continue
            try:
                key = key_on(transport, place)
                if fits(key):
                    found.append(transport)
                    continue
                if key is None or spki_der(key) not in self._keys_in_use():
                    trouble = other_card(person)
            except HpkiError as error:  # not of that kind, or taken out
                trouble = error
            transport.close()
        if len(found) < 2:
            return found[0] if found else None, trouble
        for transport in found:
            transport.close()
        raise InvalidInput(
            "card.reader", "cards that fit are in several readers", "Name one with --reader."
        )

    def _keys_in_use(self) -> set[bytes]:
        """Return the SubjectPublicKeyInfo of all who sign with cards in this process."""
        return {spki_der(one.public_key()) for one in self._signers.values()}

    def _let_go(self) -> bool:
        """Let go of every card; return whether one was held."""
        held = [one for one in self._signers.values() if one.connected]
        for one in held:
            one.close()
        return bool(held)


def _is(public_key: IssuerPublicKey) -> Fits:
    spki = spki_der(public_key)
    return lambda found: found is not None and spki_der(found) == spki


def _readers_with_cards(reader: str) -> list[str]:
    """Return the readers with that in their names that hold a card; ``NotFound`` without any."""
    present = readers()
    fitting = {one: atr for one, atr in present.items() if reader.casefold() in one.casefold()}
    if not fitting:
        raise NotFound("card.reader", f"there is no reader {reader!r}", "See `hpki card readers`.")
    return [one for one, atr in fitting.items() if atr]


def _missing(person: str, reader: str) -> Unavailable:
    where = f"a reader {reader!r}" if reader else "any reader"
    return Unavailable(
        "card.operator.missing",
        f"the card of {person} is not in {where}",
        f"Put in the card of {person}, and end other programs that use it; two people who sign "
        "together need two readers, or a terminal.",
    )
