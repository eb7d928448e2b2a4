"""Which documents an application must bring: rules as data, each with source and firmness."""

from __future__ import annotations

from functools import cache
from typing import Literal, Self

from pydantic import model_validator

from policies.schema import Strict, load_toml, policy_data


class DocumentRule(Strict):
    """One cell of the table of documents by channel.

    ``when`` says for whom it holds: everyone, or only who filled the field of that name.
    """

    channel: str
    document: str
    need: Literal["required", "optional", "unused"]
    when: Literal["always", "director_role", "former_surname"]
    source: str
    firm: Literal["SEEN", "INFERRED", "PROPOSAL"]


class DocumentRules(Strict):
    """All document codes with their Japanese names, in the order of the form, and all rules."""

    names: dict[str, str]
    rule: tuple[DocumentRule, ...]

    @model_validator(mode="after")
    def _consistent(self) -> Self:
        cells = [(rule.channel, rule.document, rule.when) for rule in self.rule]
        if len(set(cells)) != len(cells):
            raise ValueError("two rules for one channel, document and condition")
        unnamed = {rule.document for rule in self.rule} - self.names.keys()
        if unnamed:
            raise ValueError(f"rules for documents without a name: {', '.join(sorted(unnamed))}")
        return self

    def required(
        self, channel: str, *, director_role: bool, former_surname: bool
    ) -> tuple[DocumentRule, ...]:
        """Return the rules that ask ``channel`` for a document; an unknown channel has none."""
        holds = {"always": True, "director_role": director_role, "former_surname": former_surname}
        return tuple(
            rule
            for rule in self.rule
            if rule.channel == channel and rule.need == "required" and holds[rule.when]
        )


@cache
def load_document_rules() -> DocumentRules:
    """Return the rules that ship.

    Source: public pages of JMA and MEDIS, named at each rule of ``policies/data/documents.toml``.
    """
    return load_toml(
        DocumentRules, policy_data("documents.toml"), "documents.toml", "policies.documents"
    )
