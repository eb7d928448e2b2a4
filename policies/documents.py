"""Which documents an application must bring: rules as data, each with source and firmness."""

from __future__ import annotations

from collections.abc import Collection
from functools import cache
from typing import Literal, Self

from pydantic import model_validator

from policies.applications import ApplicationType, Channel, application_types
from policies.schema import Firm, Strict, Words, load_toml, policy_data

When = Literal["always", "director_role", "former_surname", "address"]


class DocumentKind(Strict):
    """A kind of paper; its age and validity count on the day of receipt.

    ``max_age`` is the key of the parameter (days) that limits the age of the date on it, if any;
    ``expires``: it may bear a last day.
    """

    japanese: Words
    english: Words
    max_age: str | None = None
    expires: bool = False


class DocumentRule(Strict):
    """One cell of the table of documents by channel.

    Without ``types`` it holds for every type that issues, unless a rule names the type for the
    same channel and document. ``when`` says for whom it holds: everyone, or only who filled the
    field of that name (``address``: whose address changes). ``later``: within TEMP_DOC_DAYS.
    """

    channel: Channel
    types: tuple[ApplicationType, ...] = ()
    document: str
    need: Literal["required", "optional", "later", "unused"]
    when: When
    source: Words
    firm: Firm


class DocumentRules(Strict):
    """All kinds of documents by code, in the order of the form, and all rules."""

    document: dict[str, DocumentKind]
    rule: tuple[DocumentRule, ...]

    @property
    def names(self) -> dict[str, str]:
        """Return the Japanese name of each code."""
        return {code: kind.japanese for code, kind in self.document.items()}

    @model_validator(mode="after")
    def _consistent(self) -> Self:
        cells = [
            (kind, rule.channel, rule.document, rule.when)
            for rule in self.rule
            for kind in rule.types or (None,)
        ]
        if len(set(cells)) != len(cells):
            raise ValueError("two rules for one type, channel, document and condition")
        unnamed = {rule.document for rule in self.rule} - self.document.keys()
        if unnamed:
            raise ValueError(f"rules for documents without a name: {', '.join(sorted(unnamed))}")
        return self

    def rules(self, kind: ApplicationType, channel: Channel) -> tuple[DocumentRule, ...]:
        """Return the rules that hold for applications of the kind by the channel."""
        return _rules(self, kind, channel)

    def required(
        self, kind: ApplicationType, channel: Channel, filled: Collection[str]
    ) -> tuple[DocumentRule, ...]:
        """Return the rules that ask for a document now; ``filled`` are conditions that are met."""
        return tuple(
            rule
            for rule in self.rules(kind, channel)
            if rule.need == "required" and (rule.when == "always" or rule.when in filled)
        )


def _rules(
    table: DocumentRules, kind: ApplicationType, channel: Channel
) -> tuple[DocumentRule, ...]:
    own = [rule for rule in table.rule if rule.channel is channel and kind in rule.types]
    told = {rule.document for rule in own}
    general = [
        rule
        for rule in table.rule
        if rule.channel is channel
        and not rule.types
        and rule.document not in told
        and application_types()[kind].issues
    ]
    order = list(table.document)
    return tuple(sorted((*own, *general), key=lambda rule: order.index(rule.document)))


@cache
def load_document_rules() -> DocumentRules:
    """Return the rules that ship.

    Source: public pages of JMA and MEDIS, named at each rule of ``policies/data/documents.toml``.
    """
    return load_toml(
        DocumentRules, policy_data("documents.toml"), "documents.toml", "policies.documents"
    )
