"""The kinds of cards the station makes."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass

from card_personalization.card import CardProfile, CardSecret, IssuingCard
from card_personalization.hpki_issuing import HpkiIssuing
from card_personalization.layout import KeyOrigin, Layout, load_layout
from card_personalization.piv_card import PivCard
from card_personalization.piv_layout import PivLayout, load_piv_layout
from card_personalization.sourced import shipped
from card_personalization.transport import Transport
from keys.backend import KeySpec
from pki.errors import InvalidInput

HPKI, PIV = "hpki", "piv"


@dataclass(frozen=True)
class HpkiProfile:
    """Cards with an application for each key. Source: JAHIS 24-002."""

    layout: Layout
    name: str = HPKI

    @property
    def key_origin(self) -> KeyOrigin:
        """As the layout says."""
        return self.layout.key_origin

    def card(self, transport: Transport, secret: CardSecret) -> IssuingCard:
        """Return the HPKI card behind the connection."""
        return HpkiIssuing(transport, self.layout, secret)

    def key_spec(self, rsa_bits: Collection[int], curves: Collection[str]) -> KeySpec | None:
        """Return the first of the RSA lengths that the card makes; it has no curves."""
        found = [bits for bits in rsa_bits if bits in self.layout.key_sizes]
        return KeySpec(f"RSA-{found[0]}") if found else None


@dataclass(frozen=True)
class PivProfile:
    """Cards with one application, and one PIN for both keys. Source: NIST SP 800-73-4."""

    layout: PivLayout
    name: str = PIV

    @property
    def key_origin(self) -> KeyOrigin:
        """As the layout says."""
        return self.layout.key_origin

    def card(self, transport: Transport, secret: CardSecret) -> IssuingCard:
        """Return the PIV card behind the connection."""
        return PivCard(transport, self.layout, secret)

    def key_spec(self, rsa_bits: Collection[int], curves: Collection[str]) -> KeySpec | None:
        """Return the layout's first kind of key among those."""
        for spec in self.layout.algorithms:
            if spec.rsa_bits in rsa_bits or not spec.rsa_bits and spec.curve.name in curves:
                return spec
        return None


def card_profile(name: str, changes: str = "") -> CardProfile:
    """Profile ``hpki`` or ``piv``, with changes to its layout (TOML); raises ``InvalidInput``."""
    text = layout_text(name)
    return (
        HpkiProfile(load_layout(text, changes))
        if name == HPKI
        else PivProfile(load_piv_layout(changes))
    )


def layout_text(name: str) -> str:
    """Return the profile's layout as it comes with the program, TOML; raises ``InvalidInput``."""
    if name not in (HPKI, PIV):
        raise InvalidInput(
            "card.profile", f"there is no card profile {name!r}", "Known: hpki, piv."
        )
    return shipped(f"{name}_layout.toml")
