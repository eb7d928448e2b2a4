"""The site's services, each built once."""

from __future__ import annotations

import os
import socket
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import cached_property
from pathlib import Path

from cryptography.hazmat.primitives.asymmetric import ec

from audit.anchors import Anchors
from audit.timestamps import TimeStamper
from audit.trail import Event, Trail
from ca.authorities import Authorities
from ca.ceremonies import Ceremonies
from ca.foreign_orders import ForeignOrders
from ca.issuance import Issuance
from ca.issuers import find_issuer
from ca.orders import Orders
from ca.records import Certificate
from ca.revocation import Revocations, series_of
from card_personalization.destruction import Destruction
from card_personalization.disclosure import Disclosure
from card_personalization.emptying import Emptying
from card_personalization.profiles import HPKI, card_profile
from card_personalization.station import Station
from card_personalization.stock import Stock
from cli.config import Site, site_profiles, site_role_table
from cli.operator_cards import OperatorCards
from cli.unlock import Vault, operator_backend, unlock, unlock_sealing
from crl.archive import Archive
from crl.lists import Lists
from crl.publication import Publication
from crl.publishing import FolderPublisher
from crl.records import latest
from crl.repository.contents import Contents
from crl.repository.documents import Documents
from crl.repository.repository import Repository
from crl.rhythm import Done, Rhythm
from keys.files import FileKeyBackend
from operators.directory import Directory
from operators.exchange.peers import Peers
from operators.exchange.receipts import Receipts
from operators.policy import policy_state
from operators.staff import Staff
from operators.statements import Signer
from pki.errors import Conflict, NotFound, Refused, Unavailable
from pki.signing import key_id
from pki.validation import PathInputs, verify_path
from policies.parameters import Parameters
from policies.site import SiteKind
from ra.casework.duplicates import Duplicates
from ra.casework.fees import Fees
from ra.casework.inquiries import Inquiries
from ra.casework.letters import Letters
from ra.casework.matches import Matches
from ra.casework.reception import Reception
from ra.casework.registrar import Registrar
from ra.casework.views import Views
from ra.casework.worklist import Worklist
from ra.documents.cabinet import Cabinet
from ra.documents.vault import Vault as DocumentVault
from ra.erasure import Erasure
from ra.examination import Examination
from ra.handover.handover import Handover
from ra.hindrances import Hindrances
from ra.intake import Intake
from ra.online import Online
from ra.revocation import RevocationDesk
from store.database import Store
from store.migrate import verify_schema

_WRONG_SECRET = ("keys.passphrase.wrong", "card.wrong_pin", "card.pin_blocked")

ANCHOR_LABEL = "anchor"
"""The label of the key that signs anchors, in the site's folder ``trail/``."""


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
        self.parameters = Parameters(self.site.settings.parameters)
        self.role_table = site_role_table(self.site)
        self.directory = Directory(
            self.trail,
            os.urandom,
            self.site.settings.operators.setup,
            self.role_table,
            policy_state(self.profiles, self.role_table, self.parameters),
        )
        self.staff = Staff(self.directory, int(self.parameters.value("SUBSTITUTE_MAX_DAYS")))
        self.anchor_keys = FileKeyBackend(self.site.path("trail"), lambda _: self.vault.anchor())
        self.anchors = Anchors(
            self.trail,
            [self.site.path(name) for name in ("anchors", *self.site.settings.anchors.folders)],
            _time_stamper(self.site),
            self.parameters,
        )
        self.ca_keys = FileKeyBackend(self.site.path("keys"), lambda _: self.vault.ca_keys())
        self.operator_keys = operator_backend(self.site, self.vault)
        self.operator_cards = OperatorCards(self.site, self.vault)
        self.authorities = Authorities(self.directory, self.profiles)
        self.issuance = Issuance(
            self.store,
            self.trail,
            self.ca_keys,
            self.profiles,
            self.kind,
            os.urandom,
            self.authorities,
        )
        self.peers = Peers(self.directory, Receipts(self.directory))
        self.orders = Orders(
            self.store,
            self.trail,
            self.directory,
            self.issuance,
            now,
            self.peers,
            self.site.settings.ra.ca,
        )
        self.foreign_orders = ForeignOrders(self.orders)
        self.handover = Handover(self.orders)
        self.revocations = Revocations(self.trail, self.directory, self.profiles, now)
        self.targets = _targets(self.site)
        archive = Archive(self.site.path("lists"))
        self.publication = Publication(
            self.store,
            self.trail,
            self.authorities,
            archive,
            self.targets,
            self.parameters,
            now,
        )
        self.lists = Lists(
            self.store,
            self.trail,
            self.directory,
            self.ca_keys,
            self.profiles,
            now,
            archive,
            self.authorities,
            self._statement_key,
            self.publication.served,
        )
        self.rhythm = Rhythm(self.store, self.lists, self.publication, now)
        self.documents = Documents(self.store, self.directory, self.site.path("repository"))
        self.repository = Repository(self.lists, self.documents, self.targets, self._page)
        self.registrar = Registrar(self.trail, self.directory, self.parameters, now)
        self.intake = Intake(
            self.store, self.trail, self.directory, self.registrar, now, os.urandom
        )
        self.examination = Examination(
            self.store, self.trail, self.directory, self.orders, self.registrar, self.kind, now
        )
        self.desk = RevocationDesk(
            self.store,
            self.trail,
            self.directory,
            self.revocations,
            self.registrar,
            now,
            os.urandom,
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
            card_profile(HPKI),
            self.vault.card_master,
            now,
            os.urandom,
        )

    @cached_property
    def destruction(self) -> Destruction:
        """Destruction of cards."""
        return Destruction(self.store, self.trail, self.directory, now)

    @cached_property
    def emptying(self) -> Emptying:
        """Emptying of PIV cards."""
        return Emptying(self.store, self.trail, self.directory)

    @cached_property
    def disclosure(self) -> Disclosure:
        """PIN envelopes."""
        return Disclosure(self.store, self.trail, self.directory)

    @cached_property
    def views(self) -> Views:
        """Views of personal values."""
        return Views(self.store, self.trail, self.directory)

    @cached_property
    def hindrances(self) -> Hindrances:
        """What would hinder a step."""
        return Hindrances(self.store, self.examination)

    @cached_property
    def reception(self) -> Reception:
        """Reception of files."""
        return Reception(self.store, self.registrar, self.kind)

    @cached_property
    def letters(self) -> Letters:
        """Letters to applicants."""
        return Letters(self.store, self.registrar)

    @cached_property
    def fees(self) -> Fees:
        """Fees of applications."""
        return Fees(self.store, self.registrar, self.examination.order)

    @cached_property
    def duplicates(self) -> Duplicates:
        """Possible duplicates."""
        return Duplicates(self.store, self.trail, self.directory, now)

    @cached_property
    def matches(self) -> Matches:
        """Data matches."""
        return Matches(self.store, self.registrar)

    @cached_property
    def worklist(self) -> Worklist:
        """What waits for whom."""
        return Worklist(self.store, self.registrar)

    @cached_property
    def inquiries(self) -> Inquiries:
        """Inquiries to the ministry's register."""
        return Inquiries(self.store, self.matches, self.document_vault, os.urandom)

    @cached_property
    def erasure(self) -> Erasure:
        """Erasure of files whose time is over."""
        return Erasure(self.store, self.registrar, self.document_vault)

    @cached_property
    def document_vault(self) -> DocumentVault:
        """The encrypted files of documents."""
        return DocumentVault(self.site.path("documents"), self.vault.documents, os.urandom)

    @cached_property
    def cabinet(self) -> Cabinet:
        """The documents of applications."""
        return Cabinet(
            self.store, self.trail, self.directory, self.parameters, self.document_vault, now
        )

    @cached_property
    def online(self) -> Online:
        """Applications signed online."""
        return Online(self.store, self.intake, self.cabinet)

    def signer(self, operator_name: str) -> Signer:
        """Unlock an operator's key, in a file or on a card; a wrong secret is entered."""
        with self._failures_entered(operator_name):
            card = self.operator_cards.signer(operator_name)
            return card if card is not None else unlock(self.operator_keys, operator_name)

    def sealing_key(self, operator_name: str, credential_id: str) -> ec.EllipticCurvePrivateKey:
        """Unlock an operator's encryption key, of the pair in use or of one before it."""
        with self._failures_entered(operator_name):
            return unlock_sealing(self.operator_keys, operator_name, credential_id)

    @contextmanager
    def _failures_entered(self, operator_name: str) -> Iterator[None]:
        try:
            yield
        except Refused as error:
            if error.code in _WRONG_SECRET:
                with self.store.begin() as tx:
                    self.trail.append(tx, _failed_login(operator_name))
            raise

    def anchor_public_keys(self) -> dict[str, bytes]:
        """Return the registered anchor keys, SubjectPublicKeyInfo DER by ``key_id``."""
        with self.store.read() as tx:
            keys = [bytes.fromhex(one) for one in self.directory.register(tx).anchor_keys]
        return {key_id(one): one for one in keys}

    def _statement_key(self) -> ec.EllipticCurvePrivateKey:
        key = self.anchor_keys.open(ANCHOR_LABEL)
        if not isinstance(key, ec.EllipticCurvePrivateKey):
            raise Refused("keys.type", "the anchor key is no P-256 key", "Bring back its file.")
        return key

    def ask_for_list_keys(self) -> None:
        """Have typed what lists need, before anything is locked for the time of an answer."""
        secrets = self.site.settings.secrets
        for reference, ask in (
            (secrets.ca_keys, self.vault.ca_keys),
            (secrets.anchor, self.vault.anchor),
        ):
            if reference.prompt:
                ask()

    def publish_due(self, operator_name: str, *, at_once: bool = False) -> Done:
        """Make and publish the lists that are due, and what stands beside them.

        A target that failed is tried again after its pause, ``at_once`` or by a person at once.
        """
        at_once = at_once or operator_name != "SYSTEM"
        done = self.rhythm.due(operator_name, at_once=at_once)
        done.failures.extend(self.repository.publish())
        return done

    def _page(self, contents: Contents) -> bytes:
        from reports.repository import repository_html

        return repository_html(contents, str(self.kind), self.site.settings.centre.name)

    def path_verdict(self, row: Certificate) -> str:
        """Return ``valid``, or why path validation with the newest lists says no."""
        if row.certificate_der is None or row.usage is None:
            return "not a holder's certificate"
        try:
            with self.store.read() as tx:
                issuer = find_issuer(tx, row.issuer_id)
                root = find_issuer(tx, issuer.parent_id or issuer.id)
                series = self.lists.all_series(tx, root)
                series += [series_of(row, issuer, self.profiles.crl(issuer.crl_profile))]
                newest = [found for one in series if (found := latest(tx, one, by=now()))]
            inputs = PathInputs(
                root.certificate_der or b"",
                [issuer.certificate_der or b""],
                [self.lists.archive.list_path(one).read_bytes() for one in newest],
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


def _targets(site: Site) -> list[FolderPublisher]:
    """Return the folder that is served and its mirrors."""
    settings = site.settings.publication
    folders = {"public": settings.folder, **settings.mirrors}
    return [FolderPublisher(name, site.path(folder)) for name, folder in folders.items()]


def _failed_login(operator_name: str) -> Event:
    return Event("LOGIN.FAIL", "operator", operator_name, outcome="FAIL")


def _time_stamper(site: Site) -> TimeStamper | None:
    settings = site.settings.anchors
    if settings.tsa is None or settings.tsa_roots is None:
        return None
    return TimeStamper(settings.tsa, site.path(settings.tsa_roots))


def open_services(site: Site, *, anchored: bool = True) -> Services:
    """Return the services of a site whose store fits this program and the site's kind.

    Raises ``Refused`` where the store stands behind its newest anchor, unless ``anchored`` is
    false: an auditor must still be able to look.
    """
    file = site.store_url.removeprefix("sqlite:///")
    if file != site.store_url and not Path(file).is_file():
        raise Unavailable(
            "cli.store.none", f"there is no store {file}", "Bring it back from the backup."
        )
    services = Services(site)
    verify_schema(services.store)
    with services.store.read() as tx:
        _, kind = services.trail.site(tx)
        if anchored:
            services.anchors.verify_newest(tx)
    if kind is not services.kind:
        raise Conflict(
            "cli.site.kind",
            f"the store is a {kind} site's, hpki.toml says {services.kind}",
            "The kind of a site is fixed for its life: correct hpki.toml.",
        )
    return services
