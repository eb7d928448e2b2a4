"""Cards in stock, and virtual cards for sites that are not production."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from uuid import UUID

from audit.trail import Event, Trail
from card_personalization import records
from card_personalization.card import CardIdentity
from card_personalization.card import CardState as ChipState
from card_personalization.hpki_issuing import TRANSPORT_KEY, issuer_keys
from card_personalization.profiles import HPKI, PIV, card_profile
from card_personalization.records import Card, CardState
from card_personalization.transport import Chip, EmbeddedTransport, Transport
from card_personalization.virtual import piv_memory
from card_personalization.virtual.chip_file import file_format
from card_personalization.virtual_card import KeyMaker, VirtualCard
from card_personalization.virtual_piv import VirtualPiv
from keys.diversify import card_key
from keys.files import make_private_key
from pki.errors import Conflict, Refused
from pki.serials import Entropy
from policies.roles import Role
from policies.site import SiteKind
from store.database import Store, Transaction

_CHIP_SERIAL_OCTETS = 8
_GUID_OCTETS = 16


@dataclass(frozen=True)
class Stock:
    """The cards a site has; virtual ones are files in ``folder``, one chip each."""

    store: Store
    trail: Trail
    entropy: Entropy
    kind: SiteKind
    folder: Path
    master: Callable[[], bytes]
    make_key: KeyMaker = make_private_key

    def make_virtual(self, actor: str, profile: str = HPKI, order_id: str | None = None) -> str:
        """Make a blank virtual card, take it into stock and return its chip serial.

        For an order it is reserved at once, before anybody else can take it from stock.
        """
        self.folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        if profile == PIV:
            guid = UUID(bytes=self.entropy(_GUID_OCTETS), version=4)
            chip_serial = guid.hex
            self.write_virtual_piv(self._path(chip_serial), extensions=True)
            kind = card_profile(PIV)
            secret = partial(card_key, self.master())
            kind.card(self.insert_virtual(chip_serial), secret).mark(guid.bytes)
        else:
            chip_serial = self.entropy(_CHIP_SERIAL_OCTETS).hex()
            self.write_virtual(self._path(chip_serial), chip_serial)
        with self.store.begin() as tx:
            self.take_in(tx, chip_serial, actor, profile)
            if order_id is not None:
                _reserve(tx.get_one(Card, chip_serial), order_id)
        return chip_serial

    def write_virtual(self, path: Path, chip_serial: str | None = None) -> None:
        """Write a blank virtual card with the site's transport keys into a new file.

        It is not in stock. ``chip_serial`` in hexadecimal, random by default. ``Refused`` on a
        production site, ``Conflict`` if the file exists.
        """
        self._refuse_in_production()
        serial = chip_serial or self.entropy(_CHIP_SERIAL_OCTETS).hex()
        keys = issuer_keys(partial(card_key, self.master()), TRANSPORT_KEY, serial)
        VirtualCard.create(path, serial, keys)

    def write_virtual_piv(self, path: Path, *, extensions: bool) -> None:
        """Write a virtual PIV card as from the factory into a new file; errors as above."""
        self._refuse_in_production()
        VirtualPiv.create(path, extensions=extensions)

    def take_in(self, tx: Transaction, chip_serial: str, actor: str, profile: str = HPKI) -> None:
        """Enter a blank card; raises ``Conflict`` for one that was entered before."""
        if tx.get(Card, chip_serial) is not None:
            raise Conflict("card.stock.known", f"the card {chip_serial} was taken in before")
        tx.add(Card(chip_serial=chip_serial, profile=profile, state=CardState.STOCK))
        self.trail.append(
            tx,
            Event(
                "STOCK.IN",
                "card",
                chip_serial,
                actor=actor,
                actor_role=Role.CARD_OPERATOR,
                detail={"profile": profile},
            ),
        )

    def admit(
        self, tx: Transaction, order_id: str, card: CardIdentity, actor: str, profile: str = HPKI
    ) -> None:
        """Enter a blank card that came in a reader, unless the order has another one reserved.

        Nothing is done for a card that is known: the station judges it. Raises ``Conflict`` for one
        that was used before, elsewhere.
        """
        if tx.get(Card, card.chip_serial) is not None or records.reserved_for(tx, order_id):
            return
        if card.state is not ChipState.BLANK:
            raise Conflict(
                "card.used",
                f"the card {card.chip_serial} is not blank, and not of this site",
                "Take a blank card.",
            )
        self.take_in(tx, card.chip_serial, actor, profile)

    def insert_virtual(self, chip_serial: str) -> Transport:
        """Return a connection to a virtual card, as a reader would give one."""
        return EmbeddedTransport(load_virtual(self._path(chip_serial), self.make_key))

    def reserve(self, order_id: str, profile: str = HPKI) -> Card | None:
        """Return the card already reserved for the order, else one from stock, else None."""
        with self.store.begin() as tx:
            self.trail.position(tx)  # one reservation at a time
            run = records.open_run(tx, order_id)
            if run is not None:
                return tx.get_one(Card, run.chip_serial)
            card = records.reserved_for(tx, order_id) or records.next_in_stock(tx, profile)
            if card is not None:
                _reserve(card, order_id)
            return card

    def _refuse_in_production(self) -> None:
        if self.kind is SiteKind.PRODUCTION:
            raise Refused("card.virtual.production", "a production site has no virtual cards")

    def _path(self, chip_serial: str) -> Path:
        return self.folder / f"{chip_serial}.json"


def _reserve(card: Card, order_id: str) -> None:
    card.state, card.order_id = CardState.RESERVED, order_id


def load_virtual(path: Path, make_key: KeyMaker = make_private_key) -> Chip:
    """Return the virtual card in a file, of whatever kind; raises as ``VirtualCard.load``."""
    if file_format(path) == piv_memory.FORMAT:
        return VirtualPiv.load(path, make_key=make_key)
    return VirtualCard.load(path, make_key=make_key)
