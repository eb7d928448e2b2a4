"""The site's services, each built once."""

from __future__ import annotations

import os
import socket
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import cached_property
from pathlib import Path

from audit.trail import Trail
from ca.ceremonies import Ceremonies
from ca.issuance import Issuance
from ca.issuers import find_issuer
from ca.orders import Orders
from ca.records import Certificate
from ca.revocation import Revocations
from card_personalization.layout import default_layout
from card_personalization.station import Station
from card_personalization.stock import Stock
from cli.config import Site, site_profiles
from cli.unlock import Vault, operator_backend, unlock
from crl.lists import Lists
from crl.publishing import FolderPublisher
from crl.records import Scope, latest
from keys.files import FileKeyBackend
from operators.directory import Directory
from operators.statements import KeySigner
from pki.errors import Conflict, NotFound, Refused, Unavailable
from pki.validation import PathInputs, verify_path
from policies.site import SiteKind
from ra.examination import Examination
from ra.intake import Intake
from ra.revocation import RevocationDesk
from store.database import Store
from store.migrate import verify_schema


def now() -> datetime:
    """Return the wall clock as aware UTC."""
    return datetime.now(UTC)


@dataclass
class Services:
    """Everything a command may call on one site."""

    site: Site

    def __post_init__(self) -> None:
        self.kind: SiteKind = self.site.settings.centre.kind
        self.profiles = site_profiles(self.site)
        self.vault = Vault(self.site)
        self.store = Store(self.site.store_url)
        self.trail = Trail(self.store, now, socket.gethostname())
        self.directory = Directory(self.trail, os.urandom)
        self.ca_keys = FileKeyBackend(self.site.path("keys"), lambda _: self.vault.ca_keys())
        self.operator_keys = operator_backend(self.site, self.vault)
        self.issuance = Issuance(
            self.store, self.trail, self.ca_keys, self.profiles, self.kind, os.urandom
        )
        self.orders = Orders(self.store, self.trail, self.directory, self.issuance, now)
        self.revocations = Revocations(self.trail, self.directory, self.profiles, now)
        self.publisher = FolderPublisher(self.site.path(self.site.settings.publication.folder))
        self.lists = Lists(self.store, self.trail, self.ca_keys, self.profiles, now, self.publisher)
        self.intake = Intake(self.store, self.trail, self.directory, now, os.urandom)
        self.examination = Examination(
            self.store, self.trail, self.directory, self.orders, self.kind
        )
        self.desk = RevocationDesk(
            self.store, self.trail, self.directory, self.revocations, now, os.urandom
        )

    @cached_property
    def ceremonies(self) -> Ceremonies:
        """Key ceremonies."""
        return Ceremonies(self.store, self.trail, self.directory, self.issuance, now)

    @cached_property
    def stock(self) -> Stock:
        """Cards in stock."""
        return Stock(
            self.store,
            self.trail,
            os.urandom,
            self.kind,
            self.site.path("virtual_cards"),
            self.vault.card_master,
        )

    @cached_property
    def station(self) -> Station:
        """The personalization station."""
        return Station(
            self.store,
            self.trail,
            self.directory,
            self.orders,
            self.examination,
            default_layout(),
            self.vault.card_master,
            now,
            os.urandom,
        )

    def signer(self, operator_name: str) -> KeySigner:
        """Unlock an operator's key for this process."""
        return unlock(self.operator_keys, operator_name)

    def path_verdict(self, row: Certificate) -> str:
        """Return ``valid``, or why path validation with the newest lists says no."""
        if row.certificate_der is None or row.usage is None:
            return "not a holder's certificate"
        with self.store.read() as tx:
            issuer = find_issuer(tx, row.issuer_id)
            root = find_issuer(tx, issuer.parent_id or issuer.id)
            newest = [
                latest(tx, one.id, Scope(scope))
                for one in (root, issuer)
                for scope in self.profiles.crl(one.crl_profile).scopes
            ]
        try:
            inputs = PathInputs(
                root.certificate_der or b"",
                [issuer.certificate_der or b""],
                [one.list_der for one in newest if one is not None and one.list_der is not None],
                self.policy(row),
                now(),
            )
            verify_path(row.certificate_der, inputs)
        except (NotFound, Refused) as error:
            return error.text
        return "valid"

    def policy(self, row: Certificate) -> str:
        """Return the policy OID of the certificate's profile on this site, or an empty string."""
        rule = self.profiles.certificate(row.profile.partition("@")[0]).certificate_policies
        return rule.oid(self.kind) if rule is not None else ""


def open_services(site: Site) -> Services:
    """Return the services of a site whose store fits this program and the site's kind."""
    file = site.store_url.removeprefix("sqlite:///")
    if file != site.store_url and not Path(file).is_file():
        raise Unavailable(
            "cli.store.none", f"there is no store {file}", "Bring it back from the backup."
        )
    services = Services(site)
    verify_schema(services.store)
    with services.store.read() as tx:
        _, kind = services.trail.site(tx)
    if kind is not services.kind:
        raise Conflict(
            "cli.site.kind",
            f"the store is a {kind} site's, hpki.toml says {services.kind}",
            "The kind of a site is fixed for its life: correct hpki.toml.",
        )
    return services
