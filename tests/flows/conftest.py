"""A whole certification centre on a real store, with its clock in the test's hand."""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, timedelta
from functools import cache, partial
from hashlib import sha256
from itertools import count
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from cryptography.hazmat.primitives.asymmetric import ec

import audit.records  # noqa: F401
import ca.records  # noqa: F401
import card_personalization.records  # noqa: F401
import crl.records  # noqa: F401
import crl.repository.records  # noqa: F401
import operators.records  # noqa: F401
import ra.casework.records  # noqa: F401
import ra.handover.records  # noqa: F401
import ra.records  # noqa: F401 - every table is known before the schema is compared
import reports.compliance.records  # noqa: F401
from audit.trail import Trail
from ca.authorities import Authorities
from ca.ceremonies import Ceremonies, Officiants
from ca.issuance import Issuance
from ca.orders import Orders
from ca.revocation import Revocations
from card_personalization.profiles import HPKI, card_profile
from card_personalization.station import Station
from card_personalization.stock import Stock
from crl.archive import Archive
from crl.lists import Lists
from crl.publication import Publication
from crl.publishing import FolderPublisher, Publisher
from crl.records import RevocationList
from crl.repository.contents import Contents
from crl.repository.documents import Documents
from crl.repository.repository import Repository
from crl.rhythm import Rhythm
from keys.backend import KeySpec, PrivateKey
from keys.diversify import card_key
from keys.files import FileKeyBackend, make_private_key
from operators.acts import (
    Appoint,
    Approve,
    FirstMember,
    Grant,
    Keys,
    Member,
    PersonAct,
    SetUp,
    SiteAct,
    act_digest,
    prove_keys,
)
from operators.directory import Directory
from operators.exchange.peers import Peers
from operators.exchange.receipts import Receipts
from operators.identity import Identity
from operators.policy import policy_state
from operators.staff import Staff
from operators.statements import KeySigner
from pki.signing import spki_der
from policies.parameters import Parameters
from policies.profiles import Profiles, shipped_profiles
from policies.role_tables import RoleTable, shipped_table
from policies.roles import Role
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
from ra.documents.vault import Vault
from ra.examination import Examination
from ra.intake import Intake
from ra.online import Online
from ra.revocation import RevocationDesk
from reports.repository import repository_html
from store.database import Store
from store.migrate import upgrade

if TYPE_CHECKING:
    from tests.postgres import Server

SITE_ID = "test-site"
EXPIRY = date(2029, 11, 20)
STAFF: dict[str, tuple[Role, ...]] = {
    "kanri": (Role.CA_MANAGER,),
    "toroku": (Role.RA_MANAGER,),
    "tachiai": (Role.IA_MANAGER,),
    "kagi-a": (Role.KEY_CUSTODIAN,),
    "kagi-b": (Role.KEY_CUSTODIAN,),
    "kagi-c": (Role.KEY_CUSTODIAN,),
    "uketsuke": (Role.RA_RECEPTION, Role.RA_EXAMINER),
    "shonin": (Role.RA_APPROVER,),
    "hakko": (Role.IA_OPERATOR, Role.CARD_OPERATOR),
    "shikko": (Role.REV_OFFICER,),
    "ansho": (Role.PIN_OPERATOR,),
    "kiroku": (Role.LOG_REVIEWER,),
}

CARD_MASTER = bytes(range(16, 48))
CARD_SECRET = partial(card_key, CARD_MASTER)
DATA_KEY = bytes(range(64, 96))

CEREMONY = (Path(__file__).parent / "ceremony.toml").read_bytes()


def identity(name: str) -> Identity:
    """The identity of the operator of that name."""
    return Identity(name.title(), date(1970, 1, 1), sha256(name.encode()).hexdigest())


def p256() -> ec.EllipticCurvePrivateKey:
    key = make_private_key(KeySpec("P-256"))
    assert isinstance(key, ec.EllipticCurvePrivateKey)
    return key


@cache
def made_card_key(spec: KeySpec, number: int) -> PrivateKey:
    """One of this process's keys for cards: a store holds none of another."""
    return make_private_key(spec)


@dataclass
class Centre:
    """Services on one store; ``now`` moves only when a test moves it.

    ``opened``: CA keys that need not be read from their files, which costs 60 ms each.
    """

    store: Store
    folder: Path
    kind: SiteKind = SiteKind.TRAINING
    now: datetime = datetime(2026, 11, 21, 3, 0, 0, tzinfo=UTC)
    signers: dict[str, KeySigner] = field(default_factory=dict)
    sealing: dict[str, ec.EllipticCurvePrivateKey] = field(default_factory=dict)
    profiles: Profiles = field(default_factory=shipped_profiles)
    anchor_key: ec.EllipticCurvePrivateKey = field(default_factory=p256)
    root: str = "0" * 64
    table: RoleTable = field(default_factory=lambda: shipped_table("full"))
    opened: Mapping[str, PrivateKey] = field(default_factory=dict)
    card_key_numbers: Iterator[int] = field(default_factory=count)
    parameters: Parameters = field(default_factory=Parameters)
    ca_id: str | None = None

    def __post_init__(self) -> None:
        self.trail = Trail(self.store, lambda: self.now, "test")
        policy = policy_state(self.profiles, self.table, self.parameters)
        self.directory = Directory(self.trail, os.urandom, self.root, self.table, policy)
        self.staff = Staff(self.directory, substitute_days=31)
        self.keys = FileKeyBackend(self.folder / "keys", lambda _: b"ca passphrase")
        self.keys._opened.update(self.opened)
        self.authorities = Authorities(self.directory, self.profiles)
        self.issuance = Issuance(
            self.store,
            self.trail,
            self.keys,
            self.profiles,
            self.kind,
            os.urandom,
            self.authorities,
        )
        clock = self.trail.clock
        self.ceremonies = Ceremonies(self.store, self.trail, self.directory, self.issuance, clock)
        self.peers = Peers(self.directory, Receipts(self.directory))
        self.orders = Orders(
            self.store, self.trail, self.directory, self.issuance, clock, self.peers, self.ca_id
        )
        self.revocations = Revocations(self.trail, self.directory, self.profiles, clock)
        self.public = FolderPublisher("public", self.folder / "public")
        self.archive = Archive(self.folder / "lists")
        self.publish_to(self.public)
        self.registrar = Registrar(self.trail, self.directory, self.parameters, clock)
        self.intake = Intake(
            self.store, self.trail, self.directory, self.registrar, clock, os.urandom
        )
        self.examination = Examination(
            self.store, self.trail, self.directory, self.orders, self.registrar, self.kind, clock
        )
        self.vault = Vault(self.folder / "documents", lambda: DATA_KEY, os.urandom)
        self.cabinet = Cabinet(
            self.store, self.trail, self.directory, self.parameters, self.vault, clock
        )
        self.online = Online(self.store, self.intake, self.cabinet)
        self.reception = Reception(self.store, self.registrar, self.kind)
        self.letters = Letters(self.store, self.registrar)
        self.fees = Fees(self.store, self.registrar, self.examination.order)
        self.duplicates = Duplicates(self.store, self.trail, self.directory, clock)
        self.matches = Matches(self.store, self.registrar)
        self.worklist = Worklist(self.store, self.registrar)
        self.views = Views(self.store, self.trail, self.directory)
        self.inquiries = Inquiries(self.store, self.matches, self.vault, os.urandom)
        self.desk = RevocationDesk(
            self.store,
            self.trail,
            self.directory,
            self.revocations,
            self.registrar,
            clock,
            os.urandom,
        )
        self.stock = Stock(
            self.store,
            self.trail,
            os.urandom,
            self.kind,
            self.folder / "virtual_cards",
            lambda: CARD_MASTER,
            lambda spec: made_card_key(spec, next(self.card_key_numbers)),
        )
        self.station = Station(
            self.store,
            self.trail,
            self.directory,
            self.orders,
            self.examination,
            card_profile(HPKI),
            lambda: CARD_MASTER,
            clock,
            os.urandom,
        )

    def publish_to(self, *targets: Publisher) -> None:
        """Let the lists go to these targets from now on."""
        self.publication = Publication(
            self.store,
            self.trail,
            self.authorities,
            self.archive,
            targets,
            self.parameters,
            self.trail.clock,
        )
        self.lists = Lists(
            self.store,
            self.trail,
            self.directory,
            self.keys,
            self.profiles,
            self.trail.clock,
            self.archive,
            self.authorities,
            lambda: self.anchor_key,
            self.publication.served,
        )
        self.rhythm = Rhythm(self.store, self.lists, self.publication, self.trail.clock)
        documents = Documents(self.store, self.directory, self.folder / "repository")
        self.repository = Repository(self.lists, documents, targets, self.page)

    def page(self, contents: Contents) -> bytes:
        return repository_html(contents, str(self.kind), "試験センター Test Centre")

    def due(self) -> list[RevocationList]:
        """Make and publish what is due, and return it; raise the first failure."""
        done = self.rhythm.due("SYSTEM")
        if done.failures:
            raise done.failures[0]
        return done.published

    def pass_time(self, **parts: float) -> None:
        self.now += timedelta(**parts)

    def set_up(self, people: Mapping[str, tuple[Role, ...]] = STAFF) -> None:
        upgrade(self.store)
        identities = {name: identity(name) for name in people}
        act = SetUp(
            site_id=SITE_ID,
            kind=self.kind,
            anchor_key=spki_der(self.anchor_key.public_key()).hex(),
            policy=self.directory.policy,
            members=tuple(
                FirstMember(
                    operator=name,
                    person=identities[name].digest(),
                    keys=self.make_keys(name),
                    roles=tuple(sorted(roles)),
                )
                for name, roles in people.items()
            ),
        )
        self.root = act_digest(act)
        self.__post_init__()
        officers = [self.signers[name] for name in list(people)[:2]]
        with self.store.begin() as tx:
            self.trail.open_site(tx, SITE_ID, self.kind)
            self.staff.set_up(tx, act, identities, officers)

    def make_keys(self, name: str) -> Keys:
        """New keys of a person, whose private halves are kept in ``signers`` and ``sealing``."""
        self.signers[name] = KeySigner(name, p256())
        self.sealing[name] = p256()
        return prove_keys(self.signers[name], self.sealing[name].public_key(), SITE_ID, EXPIRY)

    def decide(self, act: PersonAct | SiteAct, *signers: str) -> int:
        """Enter an act of the register, signed by those named."""
        with self.store.begin() as tx:
            return self.staff.decide(tx, act, [self.signers[name] for name in signers])

    def approve_policy(self) -> None:
        """Have two managers approve profiles, role table and parameters as they are now."""
        self.__post_init__()
        self.decide(Approve(policy=self.directory.policy), "kanri", "tachiai")

    def grant(self, name: str, *roles: Role) -> None:
        """Give a person roles."""
        self.decide(Grant(operator=name, roles=roles), "kanri", "tachiai")

    def become_small(self) -> None:
        """Let the role table of a small centre be in force."""
        self.table = shipped_table("small-centre")
        self.approve_policy()

    def appoint(self, name: str, *roles: Role, manager: str = "kanri") -> None:
        """Give a new person an account and roles."""
        member = Member(operator=name, person=identity(name).digest(), keys=self.make_keys(name))
        with self.store.begin() as tx:
            signers = [self.signers[one] for one in (manager, "tachiai")]
            self.staff.decide(tx, Appoint(member=member), signers, identity(name))
            if roles:
                self.staff.decide(tx, Grant(operator=name, roles=roles), signers)

    def hold_ceremony(self, octets: bytes = CEREMONY) -> None:
        custodians = [self.signers[name] for name in ("kagi-a", "kagi-b", "kagi-c")]
        people = Officiants(custodians, self.signers["tachiai"])
        self.ceremonies.hold(octets, people, lambda _: None)


class Moulds:
    """Centres made once for this process; every test gets a copy, which is quicker."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._made: dict[tuple[str, bytes], Centre] = {}
        self._free: dict[bytes, list[Store]] = {}

    def copy(self, folder: Path, server: Server | None, ceremony: bytes = CEREMONY) -> Centre:
        """Return a centre of its own in ``folder``, its store on the server or in a file.

        It has held the ceremony of that file, none for an empty one.
        """
        made = self._mould(server, ceremony)
        source = made.store.engine.url.database or ""
        free = self._free.setdefault(ceremony, [])
        if server is None:
            shutil.copyfile(source, folder / "store.sqlite")
            store = Store(f"sqlite:///{folder / 'store.sqlite'}")
        else:
            store = free.pop() if free else Store(server.url(server.create_database(source)))
        if ceremony:
            shutil.copytree(made.folder / "keys", folder / "keys")
        return Centre(
            store,
            folder,
            now=made.now,
            signers=dict(made.signers),
            sealing=dict(made.sealing),
            anchor_key=made.anchor_key,
            root=made.root,
            opened=made.keys._opened,
        )

    def take_back(self, store: Store, server: Server, ceremony: bytes) -> None:
        """Let the database of a copy serve again, unless its schema was changed."""
        name = store.engine.url.database or ""
        if server.restore_rows(name):
            self._free[ceremony].append(store)
        else:
            server.drop_database(name)

    def _mould(self, server: Server | None, ceremony: bytes) -> Centre:
        kind = ("sqlite" if server is None else "postgres", ceremony)
        if kind in self._made:
            return self._made[kind]
        folder = self._folder / f"{kind[0]}-{len(self._made)}"
        folder.mkdir()
        url = f"sqlite:///{folder / 'store.sqlite'}"
        if server is not None:
            url = server.url(server.create_database())
        made = Centre(Store(url), folder)
        try:
            made.set_up()
            if ceremony:
                made.hold_ceremony(ceremony)
        finally:
            made.store.close()
        if server is not None:
            server.keep_rows(made.store.engine.url.database or "")
        self._made[kind] = made
        return made


@pytest.fixture(scope="session")
def moulds(tmp_path_factory: pytest.TempPathFactory) -> Moulds:
    """The moulds of this process."""
    return Moulds(tmp_path_factory.mktemp("moulds"))


@pytest.fixture(params=["sqlite", "postgres"])
def database(request: pytest.FixtureRequest) -> Server | None:
    """The server, or None for a file: the test runs twice."""
    if request.param == "sqlite":
        return None
    server: Server = request.getfixturevalue("postgres_server")
    return server


def lent(
    moulds: Moulds, folder: Path, server: Server | None, ceremony: bytes = CEREMONY
) -> Iterator[Centre]:
    """Give a copy to a test, and take back its connections and database."""
    centre = moulds.copy(folder, server, ceremony)
    store = centre.store
    try:
        yield centre
    finally:
        store.close()
        if server is not None:
            moulds.take_back(store, server, ceremony)


@pytest.fixture
def empty_centre(moulds: Moulds, database: Server | None, tmp_path: Path) -> Iterator[Centre]:
    """A centre with its staff appointed, and no CA yet; on SQLite and on PostgreSQL."""
    yield from lent(moulds, tmp_path, database, ceremony=b"")


@pytest.fixture
def centre(moulds: Moulds, database: Server | None, tmp_path: Path) -> Iterator[Centre]:
    """A centre that has held its key ceremony."""
    yield from lent(moulds, tmp_path, database)
