"""The dossier of an application, computed from its rows each time it is needed."""

from __future__ import annotations

import hashlib
import hmac
from collections.abc import Mapping
from typing import Any

from ca.dossier import Content, Dossier, Offer, parse_dossier
from pki.errors import InvalidInput
from policies.hcroles import DIRECTOR_UNIT, hc_role_table
from policies.site import DEMO, SiteKind
from ra import records
from ra.records import Application, Person, PersonVersion
from store.database import Transaction

_PERSON_FIELDS = (
    "kanji_name",
    "kana_name",
    "romaji_name",
    "former_surname",
    "postal_code",
    "address",
    "telephone",
    "email",
)
_APPLICATION_FIELDS = (
    "type",
    "channel",
    "received_on",
    "profession",
    "registration_number",
    "registration_date",
    "director_role",
    "institution_ja",
    "institution_en",
    "work_prefecture",
    "municipality",
    "member_id",
    "terms_version",
)


def compute_dossier(
    tx: Transaction, application: Application, kind: SiteKind, offer: Offer
) -> Dossier:
    """Return the dossier as the rows are now, for certificates as offered at the examination."""
    person = tx.get_one(Person, application.person_id)
    version = records.applicant(tx, application)
    values: dict[str, Any] = {name: getattr(version, name) for name in _PERSON_FIELDS}
    values |= {name: getattr(application, name) for name in _APPLICATION_FIELDS}
    values["birth_date"] = person.birth_date
    return Dossier(
        application_ref=application.ref,
        attempt=1,
        content=content(application, version, kind, offer),
        fields=_salted(values, application.salt),
        documents=tuple(records.documents_of(tx, application.ref)),
        checks={
            check.kind: f"{check.method}:{check.result}"
            for check in records.checks_of(tx, application.ref)
        },
    )


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
    return hmac.new(bytes.fromhex(salt), f"{name}={text}".encode(), hashlib.sha256).hexdigest()


def _salted(values: Mapping[str, Any], salt: str) -> dict[str, str]:
    """Digest each field under the application's salt, which is erased with it."""
    return {name: salted(name, _text(value), salt) for name, value in values.items()}


def _text(value: object) -> str:
    return "" if value is None else str(value)
