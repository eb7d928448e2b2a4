"""Kinds of applications and the ways they arrive: what each may do and asks, as data."""

from __future__ import annotations

from enum import StrEnum
from functools import cache
from typing import Literal, Self

from pydantic import Field, model_validator

from policies.schema import Firm, Strict, Words, load_toml, policy_data


class ApplicationType(StrEnum):
    """Kinds of applications. Source: forms of JMA and MEDIS; disaster: JMA, 2016."""

    NEW = "NEW"
    RENEW = "RENEW"
    REISSUE_LOST = "REISSUE_LOST"
    REISSUE_DAMAGED = "REISSUE_DAMAGED"
    REISSUE_NAME = "REISSUE_NAME"
    REISSUE_MEMBER = "REISSUE_MEMBER"
    CONTACT_CHANGE = "CONTACT_CHANGE"
    LOSS_REPORT = "LOSS_REPORT"
    STOP_USE = "STOP_USE"
    PIN_DISCLOSE = "PIN_DISCLOSE"
    PIN_UNLOCK = "PIN_UNLOCK"
    TEMP_DISASTER = "TEMP_DISASTER"
    REMOTE_NEW = "REMOTE_NEW"


class Channel(StrEnum):
    """How an application arrives."""

    POST = "POST"
    LRA = "LRA"
    MYNA = "MYNA"
    ONLINE = "ONLINE"
    DISASTER = "DISASTER"


class Effect(StrEnum):
    """What a granted application does: the last four issue nothing."""

    ISSUE = "ISSUE"
    CONTACT = "CONTACT"
    PIN_LETTER = "PIN_LETTER"
    UNLOCK = "UNLOCK"
    REVOCATION = "REVOCATION"


class ChannelRule(Strict):
    """One channel; ``online``: nothing lies on paper."""

    code: Channel
    japanese: Words
    english: Words
    online: bool
    source: Words
    firm: Firm


class TypeRule(Strict):
    """One kind of application.

    ``previous`` says what must be true of the application it names in ``replaces``: nothing is
    named (none), its certificates may live (any), at least one lives (valid), or all are revoked
    before anything is ordered (revoked). ``fee_yen`` and ``member_fee_yen`` are in yen, tax
    included; channels of ``free_channels`` ask nothing. ``carrier`` is what usually holds the
    keys.
    """

    code: ApplicationType
    japanese: Words
    english: Words
    effect: Effect
    carrier: Literal["CARD", "FILE"] | None = None
    channels: tuple[Channel, ...] = Field(min_length=1)
    previous: Literal["none", "any", "valid", "revoked"]
    fee_yen: int = Field(ge=0)
    member_fee_yen: int = Field(ge=0)
    free_channels: tuple[Channel, ...] = ()
    source: Words
    firm: Firm

    @property
    def issues(self) -> bool:
        """Whether certificates come of it."""
        return self.effect is Effect.ISSUE

    @property
    def needs_previous(self) -> bool:
        """Whether it names the application whose certificates it is about."""
        return self.previous != "none"

    def fee(self, channel: Channel, *, member: bool) -> int:
        """Return what is due in yen."""
        if channel in self.free_channels:
            return 0
        return self.member_fee_yen if member else self.fee_yen

    @model_validator(mode="after")
    def _consistent(self) -> Self:
        if self.issues != (self.carrier is not None):
            raise ValueError("exactly what issues has a carrier")
        return self


class _Table(Strict):
    channel: tuple[ChannelRule, ...]
    type: tuple[TypeRule, ...]

    @model_validator(mode="after")
    def _whole(self) -> Self:
        if sorted(rule.code for rule in self.channel) != sorted(Channel):
            raise ValueError("each channel stands in the table once")
        if sorted(rule.code for rule in self.type) != sorted(ApplicationType):
            raise ValueError("each type stands in the table once")
        return self


@cache
def _table() -> _Table:
    name = "applications.toml"
    return load_toml(_Table, policy_data(name), name, "policies.applications")


@cache
def application_types() -> dict[ApplicationType, TypeRule]:
    """Return the rule of every kind of application."""
    return {rule.code: rule for rule in _table().type}


def channels() -> dict[Channel, ChannelRule]:
    """Return the rule of every channel."""
    return {rule.code: rule for rule in _table().channel}
