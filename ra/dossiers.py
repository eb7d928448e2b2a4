"""The dossier of an application, computed from its rows each time it is needed."""

from __future__ import annotations

import hmac
from collections.abc import Iterator, Mapping
from typing import Any

from audit.canonical import canonical_json, digest
from ca.dossier import Content, Dossier, Offer, parse_dossier
from pki.errors import InvalidInput
from policies.hcroles import DIRECTOR_UNIT, hc_role_table
from policies.site import DEMO, SiteKind
from ra import records
from ra.casework import records as work
from ra.records import (
    APPLICATION_FIELDS,
    VERSION_FIELDS,
    Application,
    Document,
    Person,
    PersonVersion,
)
from store.database import Transaction

FIELDS = (*VERSION_FIELDS, *APPLICATION_FIELDS, "birth_date")
"""What a dossier holds salted digests of."""


def compute_dossier(
    tx: Transaction, application: Application, kind: SiteKind, offer: Offer
) -> Dossier:
    """Return the dossier as the rows are now, for certificates as offered at the examination."""
    version = records.applicant(tx, application)
    papers = [one for one in records.documents_of(tx, application.ref) if one.redacts is None]
    return Dossier(
        application_ref=application.ref,
        attempt=application.attempt,
        content=content(application, version, kind, offer),
        fields=field_digests(tx, application),
        documents=tuple(_paper(one, application.salt) for one in papers),
        checks=dict(_results(tx, application)),
    )


def field_digests(tx: Transaction, application: Application) -> dict[str, str]:
    """Return the salted digest of each value of the application and its person."""
    version = records.applicant(tx, application)
    values: dict[str, Any] = {name: getattr(version, name) for name in VERSION_FIELDS}
    values |= {name: getattr(application, name) for name in APPLICATION_FIELDS}
    values["birth_date"] = tx.get_one(Person, application.person_id).birth_date
    return _salted(values, application.salt)


def asked_about(tx: Transaction, application: Application) -> str:
    """Return the SHA-256 of all field digests: what an inquiry is about."""
    return digest(canonical_json(field_digests(tx, application)))


def _paper(document: Document, salt: str) -> str:
    """Return ``CODE.number`` and the salted digest of its days and of its file."""
    days = (document.received_on, document.issued_on, document.valid_until)
    text = "|".join(_text(value) for value in (*days, document.sha256))
    return f"{document.code}.{document.number} {salted('paper', text, salt)}"


def _results(tx: Transaction, application: Application) -> Iterator[tuple[str, str]]:
    """Yield each result of the examination under the name of what was looked at."""
    for check in records.checks_of(tx, application.ref):
        yield check.kind, f"{check.method}:{check.result}"
    for one in records.documents_of(tx, application.ref):
        if one.result is not None and one.redacts is None:
            yield f"document {one.code}.{one.number}", one.result.value
    for match in work.matches_of(tx, application.ref):
        said = salted("match", f"{match.seen}|{match.explanation}", application.salt)
        yield f"match {match.source}.{match.field}", f"{match.verdict}:{said}"
    for choice in work.choices_of(tx, application.ref):
        yield f"duplicate {choice.other_ref}", choice.choice.value
    for item in work.inquiries_of(tx, application.ref):
        yield f"inquiry {item.inquiry_id}", f"{item.answer}:{item.evidence}"


def examined_offer(application: Application) -> Offer:
    """Return what was offered at the examination, no profile before it."""
    if application.dossier is None:
        return Offer({}, 1)
    return parse_dossier(application.dossier.encode()).content.offer


def content(
    application: Application, version: PersonVersion, kind: SiteKind, offer: Offer
) -> Content:
    """Return what will be certified.

    O and OU stand only with an administrator role, where they must; outside production O says
    DEMO. The person's names stand as examined.
    """
    table = hc_role_table()
    wanted = [application.profession]
    if application.director_role:
        wanted.append(application.director_role)
    roles = [table.role_of(japanese) for japanese in wanted]
    if None in roles:
        raise InvalidInput("ra.role.unknown", f"no hcRole is known for {' or '.join(wanted)}")
    director = application.director_role is not None
    mark = "" if kind is SiteKind.PRODUCTION else f"{DEMO} "
    return Content(
        holder_id=application.person_id,
        common_name=version.romaji_name,
        organization=f"{mark}{application.institution_en}" if director else None,
        organizational_unit=DIRECTOR_UNIT if director else None,
        japanese_organization=f"{mark}{application.institution_ja}" if director else None,
        japanese_name=version.kanji_name,
        roles=tuple(role for role in roles if role is not None),
        carrier="FILE" if application.carrier == "FILE" else "CARD",
        profiles=offer.profiles,
        validity_years=offer.validity_years,
    )


def salted(name: str, text: str, salt: str) -> str:
    """Return the HMAC-SHA-256 of ``name=text`` under a salt of hexadecimal digits."""
    return hmac.digest(bytes.fromhex(salt), f"{name}={text}".encode(), "sha256").hex()


def changed_fields(
    values: Mapping[str, Any], salt: str, signed: Mapping[str, str]
) -> tuple[str, ...]:
    """Return the names of fields that are not the ones of which the digests were signed."""
    mine = _salted({name: values[name] for name in FIELDS}, salt)
    return tuple(name for name in FIELDS if mine[name] != signed.get(name))


def _salted(values: Mapping[str, Any], salt: str) -> dict[str, str]:
    """Digest each field under the application's salt, which is erased with it."""
    return {name: salted(name, _text(value), salt) for name, value in values.items()}


def _text(value: object) -> str:
    return "" if value is None else str(value)
