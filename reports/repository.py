"""The repository's page (リポジトリ): what a target serves, for people, in two languages."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from types import MappingProxyType

from cryptography import x509
from cryptography.x509.oid import NameOID

from crl.repository.certificates import serial_text
from crl.repository.contents import Contents, DocumentStanding, ListStanding, ServedCa, ServedList
from crl.repository.records import DocumentKind
from pki.names import one, text
from pki.validity import rfc3339
from policies.profiles import ListScope
from reports.imprint import banner_of, jst_text
from reports.render import environment

_Words = Mapping[str, tuple[str, str]]

_SCOPES: _Words = MappingProxyType(
    {
        ListScope.FULL: ("失効リスト", "Revocation list"),
        ListScope.RARL: ("ルート認証局自身の失効リスト RARL", "List for the root CA itself"),
        ListScope.SARL: ("下位認証局の失効リスト SARL", "List for the subordinate CAs"),
    }
)
_LISTS: _Words = MappingProxyType(
    {
        ListStanding.CURRENT: ("公開中", "In force"),
        ListStanding.EARLY: (
            "発行日時が未来です。使わないでください。",
            "EARLY: its time is to come. Do not use it yet.",
        ),
        ListStanding.EXPIRED: (
            "期限切れです。使わないでください。認証局に知らせてください。",
            "EXPIRED: do not use it, and tell the CA.",
        ),
        ListStanding.UNSOUND: (
            "この認証局の失効リストではありません。使わないでください。",
            "UNSOUND: this is no list of this CA. Do not use it, and tell the CA.",
        ),
        ListStanding.MISSING: (
            "このサーバーにありません。認証局に知らせてください。",
            "MISSING on this server: tell the CA.",
        ),
    }
)
_KINDS: _Words = MappingProxyType(
    {
        DocumentKind.CP: ("証明書ポリシ", "Certificate policy"),
        DocumentKind.CPS: ("認証実施規程", "Certification practice statement"),
        DocumentKind.TERMS: ("利用規約", "Terms of use"),
        DocumentKind.NOTICE: ("お知らせ", "Notice"),
    }
)
_DOCUMENTS: _Words = MappingProxyType(
    {
        DocumentStanding.COMING: ("施行前", "Not yet in force"),
        DocumentStanding.IN_FORCE: ("施行中", "In force"),
        DocumentStanding.SUPERSEDED: ("旧版", "Superseded"),
    }
)


def repository_html(contents: Contents, site_kind: str, centre: str) -> bytes:
    """Render the page as one HTML file, UTF-8, without scripts and without other resources.

    Nothing of it depends on when it is made: the same contents give the same octets.
    ``site_kind`` as in an imprint.
    """
    page = environment().get_template("repository.html.j2")
    lists = [one for ca in contents.cas for one in ca.lists]
    return page.render(
        contents=contents,
        banner=banner_of(site_kind),
        centre=centre,
        newest=max((one.facts.this_update for one in lists if one.facts), default=None),
        unusable=[one.name for one in lists if one.standing is not ListStanding.CURRENT],
        example=_example(contents),
        name_of=_name,
        text=text,
        serial=serial_text,
        moment=_moment,
        scopes=_SCOPES,
        list_words=_LISTS,
        kinds=_KINDS,
        document_words=_DOCUMENTS,
    ).encode()


def _name(certificate: x509.Certificate) -> str:
    """Return what people call the CA: its CN, else its OU or O."""
    subject = certificate.subject
    for oid in (
        NameOID.COMMON_NAME,
        NameOID.ORGANIZATIONAL_UNIT_NAME,
        NameOID.ORGANIZATION_NAME,
    ):
        found = one(subject, oid)
        if found is not None:
            return found
    return text(subject)


def _moment(moment: datetime) -> str:
    return f"{jst_text(moment)} ({rfc3339(moment)})"


def _example(contents: Contents) -> tuple[ServedCa, ServedList] | None:
    """Return the CA and list with which the commands are shown: one that issues to people."""
    for ca in reversed(contents.cas):
        for served in ca.lists:
            if served.facts is not None:
                return ca, served
    return None
