"""A whole certification centre on a real store, with its clock in the test's hand."""

from __future__ import annotations

import os
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.asymmetric import ec

import audit.records
import ca.records
import card_personalization.records
import crl.records
import operators.records
import ra.records  # noqa: F401 - every table is known before the schema is compared
from audit.trail import Trail
from ca.ceremonies import Ceremonies, Officiants
from ca.issuance import Issuance
from ca.orders import Orders
from ca.revocation import Revocations
from crl.lists import Lists
from crl.publishing import FolderPublisher
from keys.backend import KeySpec
from keys.files import FileKeyBackend, make_private_key
from operators.directory import Appointment, Directory
from operators.statements import KeySigner
from policies.roles import Role
from policies.site import SiteKind
from store.database import Store
from store.migrate import upgrade

STAFF = {
    "kanri": (Role.CA_MANAGER,),
    "toroku": (Role.RA_MANAGER,),
    "tachiai": (Role.IA_MANAGER,),
    "kagi-a": (Role.KEY_CUSTODIAN,),
    "kagi-b": (Role.KEY_CUSTODIAN,),
    "uketsuke": (Role.RA_RECEPTION, Role.RA_EXAMINER),
    "shonin": (Role.RA_APPROVER,),
    "hakko": (Role.IA_OPERATOR, Role.CARD_OPERATOR),
    "shikko": (Role.REV_OFFICER,),
    "ansho": (Role.PIN_OPERATOR,),
}

CEREMONY = (Path(__file__).parent / "ceremony.toml").read_bytes()


def p256() -> ec.EllipticCurvePrivateKey:
    key = make_private_key(KeySpec("P-256"))
    assert isinstance(key, ec.EllipticCurvePrivateKey)
    return key


@dataclass
class Centre:
    """Services on one store; ``now`` moves only when a test moves it."""

    store: Store
    folder: Path
    kind: SiteKind = SiteKind.TRAINING
    now: datetime = datetime(2026, 11, 21, 3, 0, 0, tzinfo=UTC)
    signers: dict[str, KeySigner] = field(default_factory=dict)
    sealing: dict[str, ec.EllipticCurvePrivateKey] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self.trail = Trail(self.store, lambda: self.now, "test")
        self.directory = Directory(self.trail, os.urandom)
        self.keys = FileKeyBackend(self.folder / "keys", lambda _: b"ca passphrase")
        self.issuance = Issuance(self.store, self.trail, self.keys, self.kind, os.urandom)
        clock = self.trail.clock
        self.ceremonies = Ceremonies(
            self.store, self.trail, self.directory, self.issuance, clock
        )
        self.orders = Orders(self.store, self.trail, self.directory, self.issuance, clock)
        self.revocations = Revocations(self.trail, self.directory, clock)
        self.public = FolderPublisher(self.folder / "public")
        self.lists = Lists(self.store, self.trail, self.keys, clock, self.public)

    def pass_time(self, **parts: float) -> None:
        self.now += timedelta(**parts)

    def set_up(self) -> None:
        upgrade(self.store)
        appointments = []
        for name, roles in STAFF.items():
            self.signers[name] = KeySigner(name, p256())
            self.sealing[name] = p256()
            appointments.append(
                Appointment(
                    name,
                    name.title(),
                    self.signers[name].public_key(),
                    self.sealing[name].public_key(),
                    roles,
                )
            )
        with self.store.begin() as tx:
            self.trail.open_site(tx, "test-site", self.kind)
            officers = (self.signers["kanri"], self.signers["toroku"])
            self.directory.set_up(tx, appointments, officers)

    def hold_ceremony(self, octets: bytes = CEREMONY) -> None:
        people = Officiants(
            (self.signers["kagi-a"], self.signers["kagi-b"]), self.signers["tachiai"]
        )
        self.ceremonies.hold(octets, people, lambda _: None)


@pytest.fixture
def empty_centre(store_url: str, tmp_path: Path) -> Iterator[Centre]:
    """A centre with its staff appointed, and no CA yet; on SQLite and on PostgreSQL."""
    store = Store(store_url)
    centre = Centre(store, tmp_path)
    centre.set_up()
    yield centre
    store.close()


@pytest.fixture
def centre(empty_centre: Centre) -> Centre:
    """A centre that has held its key ceremony."""
    empty_centre.hold_ceremony()
    return empty_centre
