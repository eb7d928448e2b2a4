"""The file of an application as it is examined, approved and ordered.

Canonical JSON with four parts: who applied under which reference and attempt, the **content** to
be certified, and salted digests of every field and document with the checks made. Its SHA-256 is
what examiner and approver sign. It holds no more of the person than the certificates will.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

from cryptography import x509
from pydantic import Field
from pydantic_core import from_json

from audit.canonical import canonical_json, digest
from pki.errors import Conflict, InvalidInput
from pki.names import distinguished_name
from policies.profiles import Purpose
from policies.schema import Strict, validate

_MAX_OCTETS = 256 * 1024


@dataclass(frozen=True)
class Offer:
    """What a site's CAs issue: ``id@version`` of a profile for each purpose, and how long for."""

    profiles: Mapping[Purpose, str]
    validity_years: int


class Content(Strict):
    """What will be certified, exactly; names are as registered, never normalised.

    ``organization`` and ``common_name`` go into the subject, the ``japanese_`` pair into
    subjectAltName where given; ``roles`` are English hcRole strings; ``carrier`` is what may hold
    the keys; ``profiles`` maps each purpose to ``id@version`` of its profile.
    """

    holder_id: str
    common_name: str
    organization: str | None
    organizational_unit: str | None
    japanese_organization: str | None
    japanese_name: str | None
    roles: tuple[str, ...]
    carrier: Literal["CARD", "FILE"] = "CARD"
    profiles: Mapping[Purpose, str]
    validity_years: int = Field(ge=1, le=100)

    @property
    def offer(self) -> Offer:
        """What was offered when the content was written down."""
        return Offer(self.profiles, self.validity_years)

    def subject(self) -> x509.Name:
        """Return the subject of every certificate of the order."""
        units = (self.organizational_unit,) if self.organizational_unit else ()
        return distinguished_name(
            organization=self.organization,
            organizational_units=units,
            common_name=self.common_name,
            serial_number=self.holder_id,
        )

    def alternative_name(self) -> x509.Name | None:
        """Return the Japanese name for subjectAltName, or None."""
        if self.japanese_name is None:
            return None
        return distinguished_name(
            organization=self.japanese_organization,
            common_name=self.japanese_name,
            serial_number=self.holder_id,
        )


class _Dossier(Strict):
    application_ref: str
    attempt: int
    content: Content
    fields: Mapping[str, str]
    documents: tuple[str, ...]
    checks: Mapping[str, str]


@dataclass(frozen=True)
class Dossier:
    """``fields``: name to salted digest; ``documents``: code, salted digest; ``checks``: words."""

    application_ref: str
    attempt: int
    content: Content
    fields: Mapping[str, str]
    documents: tuple[str, ...]
    checks: Mapping[str, str]

    def octets(self) -> bytes:
        """Return the canonical JSON."""
        tree = vars(self) | {"content": self.content.model_dump(mode="json")}
        return canonical_json(tree)

    def digest(self) -> str:
        """Return the SHA-256 of the octets in hexadecimal."""
        return digest(self.octets())


def parse_dossier(octets: bytes) -> Dossier:
    """Return the dossier; raises ``InvalidInput`` unless the octets are its canonical form.

    Raises ``Conflict`` for none at all: it was erased.
    """
    dossier = read_dossier(octets)
    if dossier.octets() != octets:
        raise InvalidInput("ca.dossier.form", "the dossier is not in canonical form")
    return dossier


def read_dossier(octets: bytes) -> Dossier:
    """Return what ``parse_dossier`` does, of octets whose digest tells that they are canonical."""
    if not octets:
        raise Conflict("ca.dossier.erased", "the file was erased after its time")
    if len(octets) > _MAX_OCTETS:
        raise InvalidInput("ca.dossier.size", f"a dossier has at most {_MAX_OCTETS} octets")
    try:
        tree = from_json(octets)
    except ValueError:
        raise InvalidInput("ca.dossier.form", "the dossier is not JSON") from None
    model = validate(_Dossier, tree, "the dossier", "ca.dossier.form")
    return Dossier(**{name: getattr(model, name) for name in _Dossier.model_fields})


def changed_parts(old: Dossier, new: Dossier) -> tuple[str, ...]:
    """Return the names of fields, documents, checks and content that differ, sorted."""
    names = {
        name for name in {*old.fields, *new.fields} if old.fields.get(name) != new.fields.get(name)
    }
    papers = set(old.documents) ^ set(new.documents)
    names |= {f"document {paper.partition(' ')[0]}" for paper in papers}
    names |= {
        f"check {kind}"
        for kind in {*old.checks, *new.checks}
        if old.checks.get(kind) != new.checks.get(kind)
    }
    before, after = old.content.model_dump(), new.content.model_dump()
    names |= {f"content {name}" for name in before if before[name] != after[name]}
    if (old.application_ref, old.attempt) != (new.application_ref, new.attempt):
        names.add("application")
    return tuple(sorted(names))
