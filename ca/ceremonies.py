"""Key ceremonies: one reviewed file makes the keys and certificates of a hierarchy."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime

from cryptography import x509

from audit.canonical import canonical_json
from audit.trail import Event, Trail
from ca import records
from ca.building import Period, root_twin, spki_der, sub_ca_twin, twin_of
from ca.issuance import Acting, Issuance, Prepared, issuer_certificate
from ca.records import Ceremony, Certificate, CertificateState, Issuer
from keys.backend import KeySpec, PrivateKey
from operators.directory import Directory
from operators.statements import Decision, Signer, StatementType
from pki.errors import Conflict, InvalidInput, Refused
from pki.names import distinguished_name
from pki.validity import Clock, end_after_years, japan_date, rfc3339, whole_seconds
from policies.profiles import CertificateProfile, Level, certificate_profile, crl_profile
from policies.roles import Role
from policies.schema import Strict, load_toml
from policies.site import SiteKind, verify_demo_marks
from store.database import Store, Transaction

Progress = Callable[[str], None]


class CaName(Strict):
    """A CA's name; Japanese parts may stand only in a root's second name."""

    organization: str
    organizational_units: tuple[str, ...] = ()
    common_name: str | None = None

    def x509(self) -> x509.Name:
        """Return the distinguished name."""
        return distinguished_name(
            organization=self.organization,
            organizational_units=self.organizational_units,
            common_name=self.common_name,
        )


class CaScript(Strict):
    """One CA to be made; ``crl_uri`` goes into the certificates that it issues."""

    id: str
    profile: str
    crl_profile: str
    key: str
    validity_years: int
    subject: CaName
    japanese_name: CaName | None = None
    issuer: str | None = None
    cps_uri: str
    crl_uri: str
    own_list_uri: str | None = None


class CeremonyScript(Strict):
    """A ceremony file; ``ca`` in the order of making, a root before its subordinates."""

    title: str
    version: str
    place: str
    ca: tuple[CaScript, ...]


def load_script(octets: bytes) -> CeremonyScript:
    """Return the script; raises ``InvalidInput`` for an unknown key or a fault in the hierarchy."""
    script = load_toml(CeremonyScript, octets, "the ceremony file", "ca.ceremony.file")
    seen: set[str] = set()
    for entry in script.ca:
        profile = certificate_profile(entry.profile)
        _verify_entry(entry, profile, seen)
        seen.add(entry.id)
    if not seen:
        raise InvalidInput("ca.ceremony.file", "the ceremony file names no CA")
    return script


@dataclass(frozen=True)
class Officiants:
    """Who holds the ceremony: two custodians or more, and a witness, all different people."""

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
        script = load_script(octets)
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
        names = {signer.operator_id for signer in (*people.custodians, people.witness)}
        if len(people.custodians) < 2 or len(names) != len(people.custodians) + 1:
            raise Refused(
                "ca.ceremony.people",
                "a ceremony needs two custodians and a witness, all different people",
            )
        with self.store.begin() as tx:
            found = tx.get(Ceremony, sha256[:16])
            if found is not None and found.ended_at is not None:
                raise Conflict("ca.ceremony.done", "this ceremony file was carried out already")
            statements = [
                self.directory.state(tx, signer, _consent(sha256, role)).id
                for signer, role in _roles(people)
            ]
            present = _participants(people, statements)
            if found is None:
                found = self._begin(tx, script, sha256, present)
            else:
                found.transcript = _resumed(found.transcript, present)
            self.trail.append(
                tx,
                Event(
                    "KEY.ACTIVATE",
                    "ceremony",
                    found.id,
                    actor=people.custodians[0].operator_id,
                    actor_role=Role.KEY_CUSTODIAN,
                    co_actor=people.custodians[1].operator_id,
                    detail={"script": sha256, "statements": statements},
                ),
            )
            return found

    def _begin(
        self,
        tx: Transaction,
        script: CeremonyScript,
        sha256: str,
        participants: list[dict[str, str]],
    ) -> Ceremony:
        ceremony = Ceremony(
            id=sha256[:16],
            title=script.title,
            script_sha256=sha256,
            started_at=whole_seconds(self.clock()),
            transcript=_transcript(script, participants),
        )
        tx.add(ceremony)
        tx.flush()
        for entry in script.ca:
            tx.add(_issuer_row(entry, ceremony.id))
            tx.flush()
        return ceremony

    def _make(self, entry: CaScript, ceremony: Ceremony, people: Officiants) -> None:
        acting = Acting(
            actor=people.custodians[0].operator_id,
            actor_role=Role.KEY_CUSTODIAN,
            co_actor=people.custodians[1].operator_id,
        )
        with self.store.read() as tx:
            issuer = tx.get_one(Issuer, entry.id)
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
        issuer_key = (
            key.public_key() if entry.issuer is None else self.issuance.facts(parent).public_key
        )
        stored = twin_of(row.tbs_der, issuer_key)
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
        profile = certificate_profile(entry.profile)
        subject = entry.subject.x509()
        public_key = key.public_key()
        if entry.issuer is None:
            japanese = entry.japanese_name.x509() if entry.japanese_name else None
            own_list = entry.own_list_uri or entry.crl_uri
            twin = root_twin(profile, subject, japanese, own_list, public_key, serial, period)
            return self.issuance.judge(entry.id, profile, twin, twin)
        with self.store.read() as tx:
            parent = tx.get_one(Issuer, entry.issuer)
        facts = self.issuance.facts(parent)
        twin = sub_ca_twin(profile, facts, subject, public_key, serial, period, self.issuance.kind)
        return self.issuance.judge(parent.id, profile, twin, facts.certificate)

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


def _verify_entry(entry: CaScript, profile: CertificateProfile, seen: set[str]) -> None:
    crl_profile(entry.crl_profile)
    KeySpec(entry.key)
    fault = None
    if entry.id in seen:
        fault = f"the CA {entry.id} stands twice"
    elif profile.level is Level.END_ENTITY:
        fault = f"{entry.profile} is not a profile for a CA"
    elif (profile.level is Level.ROOT) != (entry.issuer is None):
        fault = f"the CA {entry.id} has {entry.issuer or 'no issuer'}, profile {entry.profile}"
    elif entry.issuer is not None and entry.issuer not in seen:
        fault = f"the CA {entry.id} comes before its issuer {entry.issuer}"
    elif not 0 < entry.validity_years <= profile.validity.max_years:
        fault = f"{entry.id}: validity_years must be 1 to {profile.validity.max_years}"
    if fault is not None:
        raise InvalidInput("ca.ceremony.file", f"the ceremony file: {fault}")


def _consent(sha256: str, role: Role) -> Decision:
    return Decision(StatementType.CEREMONY, "ceremony", sha256[:16], sha256, "HOLD", role)


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


def _issuer_row(entry: CaScript, ceremony_id: str) -> Issuer:
    return Issuer(
        id=entry.id,
        ceremony_id=ceremony_id,
        parent_id=entry.issuer,
        purpose=certificate_profile(entry.profile).purpose,
        profile=entry.profile,
        crl_profile=entry.crl_profile,
        subject_der=entry.subject.x509().public_bytes(),
        key_label=entry.id,
        cps_uri=entry.cps_uri,
        crl_uri=entry.crl_uri,
        own_list_uri=entry.own_list_uri,
    )


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
