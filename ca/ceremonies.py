"""Key ceremonies: one reviewed file makes the keys and certificates of a hierarchy."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime

from audit.canonical import canonical_json
from audit.trail import Event, Trail
from ca import records
from ca.authorities import consent, issuer_row
from ca.building import Period, Wanted, twin_of
from ca.ceremony_file import CaScript, CeremonyScript, load_script
from ca.issuance import Acting, Issuance, Prepared
from ca.issuers import issuer_certificate, signing_hash
from ca.records import Ceremony, Certificate, CertificateState, Issuer
from keys.backend import KeySpec, PrivateKey
from operators.directory import Directory
from operators.statements import Signer
from pki.errors import Conflict, Refused
from pki.signing import spki_der
from pki.validity import Clock, end_after_years, japan_date, rfc3339, whole_seconds
from policies.roles import Role
from policies.site import SiteKind, verify_demo_marks
from store.database import Store, Transaction

Progress = Callable[[str], None]


@dataclass(frozen=True)
class Officiants:
    """Who holds the ceremony: the custodians and a witness, all different people."""

    custodians: Sequence[Signer]
    witness: Signer


@dataclass(frozen=True)
class Ceremonies:
    """Holds key ceremonies."""

    store: Store
    trail: Trail
    directory: Directory
    issuance: Issuance
    clock: Clock

    def hold(self, octets: bytes, people: Officiants, progress: Progress) -> Ceremony:
        """Make what the file says and return the ceremony with its transcript.

        The same file continues a ceremony that broke. Raises ``Refused`` for software keys in
        production, names without their DEMO mark, or too few people; ``Conflict`` when it is done.
        """
        script = load_script(octets, self.issuance.profiles)
        kind = self.issuance.kind
        if kind is SiteKind.PRODUCTION and not self.issuance.keys.hardware:
            raise Refused(
                "ca.keys.software",
                "a production site refuses CA keys in software",
                "Configure an HSM; use a trial or training site otherwise.",
            )
        for entry in script.ca:
            verify_demo_marks(kind, entry.subject.x509())
        ceremony = self._open(script, octets, people)
        for entry in script.ca:
            progress(entry.id)
            self._make(entry, ceremony, people)
        return self._close(script, ceremony)

    def _open(self, script: CeremonyScript, octets: bytes, people: Officiants) -> Ceremony:
        sha256 = hashlib.sha256(octets).hexdigest()
        self._verify_people(people)
        with self.store.begin() as tx:
            found = tx.get(Ceremony, sha256[:16])
            if found is not None and found.ended_at is not None:
                raise Conflict("ca.ceremony.done", "this ceremony file was carried out already")
            self.directory.verify_policy(tx)
            event = Event(
                "KEY.ACTIVATE",
                "ceremony",
                sha256[:16],
                actor=people.custodians[0].operator_id,
                actor_role=Role.KEY_CUSTODIAN,
                co_actor=people.custodians[1].operator_id,
                detail={"script": sha256},
            )
            consents = [(signer, consent(sha256, role)) for signer, role in _roles(people)]
            kept = self.directory.state(tx, event, *consents)
            present = _participants(people, [statement.id for statement in kept])
            if found is None:
                return self._begin(tx, script, octets, present)
            found.transcript = _resumed(found.transcript, present)
            return found

    def _verify_people(self, people: Officiants) -> None:
        """Want as many custodians as the role table says, and a witness, all different people."""
        names = {signer.operator_id for signer in (*people.custodians, people.witness)}
        wanted = self.directory.table.custodians.present
        if len(people.custodians) < wanted or len(names) != len(people.custodians) + 1:
            raise Refused(
                "ca.ceremony.people",
                f"a ceremony needs {wanted} custodians and a witness, all different people",
                f"The role table {self.directory.table.reference} wants it.",
            )

    def _begin(
        self,
        tx: Transaction,
        script: CeremonyScript,
        octets: bytes,
        participants: list[dict[str, str]],
    ) -> Ceremony:
        sha256 = hashlib.sha256(octets).hexdigest()
        ceremony = Ceremony(
            id=sha256[:16],
            title=script.title,
            script_sha256=sha256,
            script=octets.decode(),
            started_at=whole_seconds(self.clock()),
            transcript=_transcript(script, participants),
        )
        tx.add(ceremony)
        tx.flush()
        for entry in script.ca:
            tx.add(issuer_row(entry, ceremony.id, self.issuance.profiles))
            tx.flush()
        return ceremony

    def _make(self, entry: CaScript, ceremony: Ceremony, people: Officiants) -> None:
        acting = Acting(
            actor=people.custodians[0].operator_id,
            actor_role=Role.KEY_CUSTODIAN,
            co_actor=people.custodians[1].operator_id,
        )
        with self.store.read() as tx:
            issuer = self.issuance.authorities.find(tx, entry.id)
            reserved = _reservation(tx, entry)
        if issuer.certificate_der is not None:
            return
        key = self._key(entry, acting)
        if reserved is None:
            now = whole_seconds(self.clock())
            period = ca_period(now, entry.validity_years)
            prepared = self._prepare(entry, key, self.issuance.new_serial(), period)
            with self.store.begin() as tx:
                reserved = self.issuance.reserve(tx, prepared, acting)
        else:
            self._verify_reserved(entry, key, reserved)
        self.issuance.finish(reserved, acting)

    def _verify_reserved(self, entry: CaScript, key: PrivateKey, row: Certificate) -> None:
        """Raise ``Refused`` unless the stored bytes are what the file makes with this key."""
        with self.store.read() as tx:
            parent = tx.get_one(Issuer, entry.issuer or entry.id)
        hash_name = signing_hash(parent, self.issuance.profiles)
        issuer_key = (
            key.public_key() if entry.issuer is None else self.issuance.facts(parent).public_key
        )
        stored = twin_of(row.tbs_der, issuer_key, hash_name)
        period = Period(stored.not_valid_before_utc, stored.not_valid_after_utc)
        again = self._prepare(entry, key, stored.serial_number, period)
        if again.twin.tbs_certificate_bytes != row.tbs_der:
            raise Refused(
                "ca.issue.differs", f"the stored bytes of {entry.id} are not the ceremony file's"
            )

    def _key(self, entry: CaScript, acting: Acting) -> PrivateKey:
        keys = self.issuance.keys
        found = entry.id in keys.labels()
        key = keys.open(entry.id) if found else keys.generate(entry.id, KeySpec(entry.key))
        with self.store.begin() as tx:
            self.trail.append(
                tx,
                Event(
                    "KEY.ACTIVATE" if found else "KEY.GENERATE",
                    "key",
                    entry.id,
                    actor=acting.actor,
                    actor_role=acting.actor_role,
                    co_actor=acting.co_actor,
                    detail={
                        "algorithm": entry.key,
                        "spki": hashlib.sha256(spki_der(key.public_key())).hexdigest(),
                    },
                ),
            )
        return key

    def _prepare(self, entry: CaScript, key: PrivateKey, serial: int, period: Period) -> Prepared:
        profile = self.issuance.profiles.certificate(entry.profile)
        japanese = entry.japanese_name.x509() if entry.japanese_name else None
        wanted = Wanted(entry.subject.x509(), key.public_key(), serial, period, japanese)
        with self.store.read() as tx:
            issuer = self.issuance.authorities.find(tx, entry.issuer or entry.id)
        if entry.issuer is None:
            return self.issuance.prepare_root(issuer, profile, wanted)
        return self.issuance.prepare(issuer, profile, wanted)

    def _close(self, script: CeremonyScript, ceremony: Ceremony) -> Ceremony:
        with self.store.begin() as tx:
            row = tx.get_one(Ceremony, ceremony.id)
            row.ended_at = whole_seconds(self.clock())
            made = [_made(tx.get_one(Issuer, entry.id), entry) for entry in script.ca]
            tree = json.loads(row.transcript) | {
                "started": rfc3339(row.started_at),
                "ended": rfc3339(row.ended_at),
                "made": made,
            }
            row.transcript = canonical_json(tree).decode()
            self.trail.append(
                tx,
                Event(
                    "KEY.DEACTIVATE",
                    "ceremony",
                    row.id,
                    detail={"made": [entry.id for entry in script.ca]},
                ),
            )
            return row


def ca_period(now: datetime, years: int) -> Period:
    """Return a CA certificate's validity: from now to the last second before the anniversary."""
    return Period(now, end_after_years(japan_date(now), years))


def _roles(people: Officiants) -> list[tuple[Signer, Role]]:
    held = [(signer, Role.KEY_CUSTODIAN) for signer in people.custodians]
    return [*held, (people.witness, Role.IA_MANAGER)]


def _participants(people: Officiants, statements: list[str]) -> list[dict[str, str]]:
    return [
        {"name": signer.operator_id, "role": role.value, "statement": statement}
        for (signer, role), statement in zip(_roles(people), statements, strict=True)
    ]


def _transcript(script: CeremonyScript, participants: list[dict[str, str]]) -> str:
    tree = {
        "title": script.title,
        "version": script.version,
        "place": script.place,
        "attempts": 1,
        "participants": participants,
    }
    return canonical_json(tree).decode()


def _resumed(transcript: str, participants: list[dict[str, str]]) -> str:
    """Return the transcript of a ceremony that broke, with who took it up again."""
    tree = json.loads(transcript)
    tree["attempts"] += 1
    tree["participants"] += participants
    return canonical_json(tree).decode()


def _reservation(tx: Transaction, entry: CaScript) -> Certificate | None:
    for row in records.certificates(tx, states=[CertificateState.RESERVED]):
        if row.order_id is None and row.tbs_der.find(entry.subject.x509().public_bytes()) >= 0:
            return row
    return None


def _made(issuer: Issuer, entry: CaScript) -> dict[str, object]:
    certificate = issuer_certificate(issuer)
    public_key = spki_der(certificate.public_key())  # type: ignore[arg-type]
    return {
        "ca": entry.id,
        "key": entry.key,
        "spki_sha256": hashlib.sha256(public_key).hexdigest(),
        "subject": certificate.subject.rfc4514_string(),
        "serial": f"{certificate.serial_number:x}",
        "not_before": rfc3339(certificate.not_valid_before_utc),
        "not_after": rfc3339(certificate.not_valid_after_utc),
        "certificate_sha256": hashlib.sha256(issuer.certificate_der or b"").hexdigest(),
    }
