"""Lists issued and published: number first, then signed, judged, kept, and only then served."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta
from urllib.parse import urlsplit

from cryptography import x509

from audit.canonical import canonical_json
from audit.trail import Event, Trail
from ca import records as ca_records
from ca.authorities import Authorities
from ca.issuers import find_issuer, issuer_certificate, signing_hash
from ca.records import Certificate, Issuer, Revocation
from ca.revocation import verify_decided
from crl import records
from crl.building import ListFacts, to_be_signed
from crl.checking import crl_number, load_list, verify_facts, verify_list
from crl.publishing import Publisher
from crl.records import ListState, RevocationList, Scope
from keys.backend import KeyBackend
from pki.errors import HpkiError, InvalidInput, Refused
from pki.findings import Severity
from pki.reading.certificate import read_certificate
from pki.reading.crl import read_list
from pki.reasons import Reason, entry_der
from pki.serials import serial_hex
from pki.signing import assemble, sign, twin, verify_signature
from pki.validity import Clock, rfc3339, whole_seconds
from policies.lint.catalogue import check_list
from policies.lint.check import JudgedList
from policies.profiles import CrlProfile, Profiles
from store.database import Store, Transaction

_PAGE = 5000
_KEEP = "Keep the store as it is and call the auditor."
_OWN = {Scope.FULL: None, Scope.RARL: True, Scope.SARL: False}


@dataclass(frozen=True)
class _Covered:
    """What a list covers up to a trail position: entries and serials, in order of serial."""

    entries: list[bytes]
    serials: list[str]
    high_water_seq: int


@dataclass(frozen=True)
class Lists:
    """Issues and publishes revocation lists."""

    store: Store
    trail: Trail
    keys: KeyBackend
    profiles: Profiles
    clock: Clock
    publisher: Publisher
    authorities: Authorities

    def issue(self, issuer_id: str, actor: str) -> list[RevocationList]:
        """Issue every list of the CA by its profile and return them, stored and not yet public.

        Numbers rise and are never used twice; a failure leaves a gap. Raises ``Refused`` for a CA
        that is not as its ceremony made it.
        """
        with self.store.read() as tx:
            issuer = self.authorities.find(tx, issuer_id)
        profile = self.profiles.crl(issuer.crl_profile)
        return [self._issue(issuer, Scope(scope), profile, actor) for scope in profile.scopes]

    def due(self, actor: str) -> list[RevocationList]:
        """Issue and publish what is due: a revocation on no list, or a list past its interval.

        The CAs' certificates are put beside the lists where they are missing. A CA whose list
        fails holds up no other; the first failure is raised when all were tried.
        """
        made: list[RevocationList] = []
        failures: list[HpkiError] = []
        with self.store.read() as tx:
            waiting = [issuer.id for issuer in ca_records.issuers(tx) if self._is_due(tx, issuer)]
        for issuer_id in waiting:
            try:
                made += [self.publish(row, actor) for row in self.issue(issuer_id, actor)]
            except HpkiError as error:
                failures.append(error)
        self.publish_certificates()
        if failures:
            raise failures[0]
        return made

    def publish(self, row: RevocationList, actor: str) -> RevocationList:
        """Put a stored list where it is served.

        Raises ``Refused`` for one that does not verify, is another issuer's, or is not newer than
        what is served; ``Unavailable`` when it cannot be written, and the old one stays.
        """
        with self.store.read() as tx:
            issuer = self.authorities.find(tx, row.issuer_id)
        octets = row.list_der or b""
        self._verify_newer(issuer, row, octets)
        self._verify_view(row)
        self.publisher.put(file_name(issuer, row.scope), octets)
        with self.store.begin() as tx:
            stored = tx.get_one(RevocationList, row.id)
            stored.state = ListState.PUBLISHED
            stored.published_at = whole_seconds(self.clock())
            covered = ca_records.certificate_ids(issuer.id, _OWN[row.scope])
            high_water = stored.high_water_seq or 0
            at = stored.published_at
            ca_records.mark_published(tx, covered, high_water, row.number, at)
            self.trail.append(tx, _event("CRL.PUBLISH", stored, actor))
            return stored

    def restore(self, row: RevocationList) -> None:
        """Put a published list back where it is served, if it is not there."""
        with self.store.read() as tx:
            issuer = find_issuer(tx, row.issuer_id)
        name = file_name(issuer, row.scope)
        if row.list_der is not None and self.publisher.current(name) is None:
            self.publisher.put(name, row.list_der)

    def publish_certificates(self) -> list[str]:
        """Put every CA certificate (DER) where it is served, and return the names of new files."""
        with self.store.read() as tx:
            issuers = [self.authorities.find(tx, one.id) for one in ca_records.issuers(tx)]
        missing = {}
        for issuer in issuers:
            name, public = f"{issuer.id}.cer", self.publisher.current(f"{issuer.id}.cer")
            if issuer.certificate_der is None or public == issuer.certificate_der:
                continue
            if public is not None and _is_certificate(public):
                raise Refused(
                    "crl.certificate.differs", f"{name} is served, and the store has another", _KEEP
                )
            missing[name] = issuer.certificate_der
        for name, certificate_der in missing.items():
            self.publisher.put(name, certificate_der)
        return list(missing)

    def _is_due(self, tx: Transaction, issuer: Issuer) -> bool:
        if issuer.certificate_der is None:
            return False
        profile = self.profiles.crl(issuer.crl_profile)
        oldest = self.clock() - timedelta(hours=profile.rhythm.interval_hours)
        latest = [records.latest(tx, issuer.id, Scope(scope)) for scope in profile.scopes]
        if any(
            row is None or row.state is not ListState.PUBLISHED or row.this_update <= oldest  # type: ignore[operator]
            for row in latest
        ):
            return True
        return ca_records.has_unpublished(tx, issuer.id)

    def _issue(
        self, issuer: Issuer, scope: Scope, profile: CrlProfile, actor: str
    ) -> RevocationList:
        certificate = issuer_certificate(issuer)
        row = self._numbered(issuer, scope)
        with self.store.read() as tx:
            previous = records.latest(tx, issuer.id, scope)
            served = records.latest(tx, issuer.id, scope, published=True)
            covered = _cover(tx, issuer, scope, served, self.trail.position(tx, lock=False))
            public = self._public(issuer, scope)
            self._verify_nothing_vanished(tx, issuer, public, covered)
            if served is not None and served.list_der is not None:
                self._verify_nothing_vanished(tx, issuer, load_list(served.list_der), covered)
            if scope is Scope.FULL:
                self._verify_decided(tx, issuer, public, covered)
                self._verify_executed(tx, issuer, served, covered)
        this_update = whole_seconds(self.clock())
        facts = ListFacts(
            certificate,
            scope,
            row.number,
            this_update,
            this_update + timedelta(hours=profile.validity.hours),
            covered.entries,
            signing_hash(issuer, self.profiles),
            profile.authority_key_identifier.issuer_and_serial,
        )
        octets = self._signed(issuer, profile, facts)
        coverage = _coverage(facts, covered, previous, octets)
        with self.store.begin() as tx:
            stored = tx.get_one(RevocationList, row.id)
            stored.state = ListState.STORED
            stored.this_update, stored.next_update = facts.this_update, facts.next_update
            stored.entries = len(covered.entries)
            stored.high_water_seq = covered.high_water_seq
            stored.list_der = octets
            stored.sha256 = hashlib.sha256(octets).hexdigest()
            stored.coverage = coverage
            self.trail.append(tx, _event("CRL.ISSUE", stored, actor))
            return stored

    def _numbered(self, issuer: Issuer, scope: Scope) -> RevocationList:
        with self.store.begin() as tx:
            row = RevocationList(
                issuer_id=issuer.id,
                scope=scope,
                number=records.highest_number(tx, issuer.id) + 1,
                state=ListState.NUMBERED,
            )
            tx.add(row)
            return row

    def _signed(self, issuer: Issuer, profile: CrlProfile, facts: ListFacts) -> bytes:
        """Return the list; its twin is judged before the CA's key is opened."""
        body = to_be_signed(facts)
        _verify_twin(issuer, profile, facts, twin(body, facts.public_key, facts.hash_name))
        key = self.keys.open(issuer.key_label)
        signature = sign(key, body, facts.hash_name)
        octets = assemble(body, key.public_key(), signature, facts.hash_name)
        parsed = load_list(octets)
        if parsed.tbs_certlist_bytes != body:
            raise Refused("crl.sign.differs", "what was signed is not what was judged")
        verify_list(parsed, facts.issuer, facts.hash_name)
        return octets

    def _public(self, issuer: Issuer, scope: Scope) -> x509.CertificateRevocationList | None:
        """Return the list that is served, outside the store, if the CA signed it."""
        octets = self.publisher.current(file_name(issuer, scope))
        try:
            parsed = load_list(octets or b"")
            verify_list(parsed, issuer_certificate(issuer), signing_hash(issuer, self.profiles))
        except HpkiError:
            return None
        return parsed

    def _verify_nothing_vanished(
        self,
        tx: Transaction,
        issuer: Issuer,
        before: x509.CertificateRevocationList | None,
        covered: _Covered,
    ) -> None:
        """Raise ``Refused`` if a serial left the list before its certificate had expired."""
        if before is None:
            return
        on_list = {serial_hex(entry.serial_number) for entry in before}
        for serial in sorted(on_list - set(covered.serials)):
            found = ca_records.certificate_by_serial(tx, int(serial, 16), issuer.id)
            if not found or not self._ended(found[0], issuer, before.last_update_utc):
                raise _vanished(serial, f"list {crl_number(before)} holds")

    def _ended(self, row: Certificate, issuer: Issuer, at: datetime) -> bool:
        """Return whether the certificate, as the CA signed it, had expired; rows may say so."""
        try:
            found = x509.load_der_x509_certificate(row.certificate_der or b"")
            key = issuer_certificate(issuer).public_key()
            hash_name = signing_hash(issuer, self.profiles)
            verify_signature(key, found.signature, found.tbs_certificate_bytes, hash_name)
        except (ValueError, HpkiError):
            return False
        return serial_hex(found.serial_number) == row.serial and found.not_valid_after_utc < at

    def _verify_decided(
        self,
        tx: Transaction,
        issuer: Issuer,
        before: x509.CertificateRevocationList | None,
        covered: _Covered,
    ) -> None:
        """Raise ``Refused`` for a serial that is new on the list, and that no officer revoked."""
        on_list = {serial_hex(entry.serial_number) for entry in before or ()}
        for serial in sorted(set(covered.serials) - on_list):
            for row in ca_records.certificate_by_serial(tx, int(serial, 16), issuer.id):
                verify_decided(self.authorities.directory, tx, row)

    def _verify_executed(
        self, tx: Transaction, issuer: Issuer, served: RevocationList | None, covered: _Covered
    ) -> None:
        """Raise ``Refused`` if what the trail says was revoked since is not on the list."""
        after = (served.high_water_seq or 0) if served is not None else 0
        at = served.this_update if served is not None else None
        while page := self.trail.page(after, _PAGE, code="REV.EXECUTE"):
            after = page[-1].seq
            for entry in page:
                if entry.seq > covered.high_water_seq:
                    return  # executed while this list was made: the next one holds it
                for serial in _executed(entry.body, issuer.id) - set(covered.serials):
                    found = ca_records.certificate_by_serial(tx, int(serial, 16), issuer.id)
                    if at is None or not found or not self._ended(found[0], issuer, at):
                        raise _vanished(serial, f"entry {entry.seq} of the trail revoked")

    def _verify_view(self, row: RevocationList) -> None:
        """Raise ``Refused`` for a list that saw less of the trail than one published before."""
        with self.store.read() as tx:
            before = records.latest(tx, row.issuer_id, row.scope, published=True)
        if before is not None and (before.high_water_seq or 0) > (row.high_water_seq or 0):
            raise Refused(
                "crl.publish.view",
                f"list {row.number} covers less than {before.number}, which was published",
                "Issue a new list: `hpki crl issue`.",
            )

    def _verify_newer(self, issuer: Issuer, row: RevocationList, octets: bytes) -> None:
        parsed = load_list(octets)
        verify_list(parsed, issuer_certificate(issuer), signing_hash(issuer, self.profiles))
        served = self.publisher.current(file_name(issuer, row.scope))
        if served is None or served == octets:
            return
        try:
            served_number = crl_number(load_list(served))
        except InvalidInput:
            return
        if crl_number(parsed) <= served_number:
            raise Refused(
                "crl.publish.older",
                f"list {crl_number(parsed)} is not newer than {served_number}, which is served",
                "Issue a new list: `hpki crl issue`.",
            )


def file_name(issuer: Issuer, scope: Scope) -> str:
    """Return the file's name in ``public/``: the last part of the URI in certificates."""
    uri = issuer.own_list_uri if scope is Scope.RARL else issuer.crl_uri
    return urlsplit(uri or "").path.rsplit("/", 1)[-1] or f"{issuer.id}-{scope.lower()}.crl"


def _verify_twin(issuer: Issuer, profile: CrlProfile, facts: ListFacts, unsigned: bytes) -> None:
    """Raise ``Refused`` with every finding if one is an ERROR, or if the facts are not in it."""
    verify_facts(load_list(unsigned), facts)
    by = read_certificate(issuer.certificate_der or b"")
    findings = check_list(JudgedList(read_list(unsigned), profile, by, strict=True))
    if any(finding.severity is Severity.ERROR for finding in findings):
        raise Refused("crl.lint", "the list would break its profile", findings=findings)


def _revoked(tx: Transaction, issuer_id: str) -> Iterator[tuple[Certificate, Revocation]]:
    after = ""
    while page := ca_records.revoked_of_issuer(tx, issuer_id, after, _PAGE):
        yield from page
        after = page[-1][0].serial


def _cover(
    tx: Transaction, issuer: Issuer, scope: Scope, served: RevocationList | None, seq: int
) -> _Covered:
    """Collect the scope's entries; an expired certificate's stays for one published list more.

    Source: RFC 5280 section 3.3. RARL holds the root itself, SARL its subordinate CAs.
    """
    covered = _Covered([], [], seq)
    kept_since = served.this_update if served is not None else None
    for certificate, revocation in _revoked(tx, issuer.id):
        if not _in_scope(certificate, issuer, scope):
            continue
        expired = kept_since is not None and certificate.not_after < kept_since
        if expired and certificate.certificate_der is not None:
            continue
        covered.entries.append(_verified_entry(certificate, revocation))
        covered.serials.append(certificate.serial)
    return covered


def _verified_entry(certificate: Certificate, revocation: Revocation) -> bytes:
    """Return the stored entry; raises ``Refused`` unless it is what its row makes."""
    reason = Reason(revocation.reason) if revocation.reason is not None else None
    made = entry_der(int(certificate.serial, 16), revocation.revoked_at, reason)
    if made != revocation.entry_der:
        raise Refused(
            "crl.entry.changed",
            f"the revocation of {certificate.serial} was changed after it was executed",
            _KEEP,
        )
    return made


def _is_certificate(octets: bytes) -> bool:
    try:
        x509.load_der_x509_certificate(octets)
    except ValueError:
        return False
    return True


def _executed(body: str, issuer_id: str) -> set[str]:
    """Return the CA's serials that an entry of the trail says were revoked."""
    try:
        names = [str(one).partition(":") for one in json.loads(body)["detail"]["certificates"]]
        return {serial for name, _, serial in names if name == issuer_id and int(serial, 16)}
    except (KeyError, TypeError, ValueError, RecursionError):
        raise Refused(
            "crl.trail.changed", "an entry REV.EXECUTE of the trail cannot be read", _KEEP
        ) from None


def _vanished(serial: str, who: str) -> Refused:
    return Refused(
        "crl.entry.vanished", f"{who} serial {serial}, and its revocation is gone", _KEEP
    )


def _in_scope(certificate: Certificate, issuer: Issuer, scope: Scope) -> bool:
    """Say whether the list is the certificate's: RARL for the root itself, SARL for sub CAs."""
    own = _OWN[scope]
    return own is None or (certificate.certificate_der == issuer.certificate_der) is own


def _coverage(
    facts: ListFacts, covered: _Covered, previous: RevocationList | None, octets: bytes
) -> str:
    return canonical_json(
        {
            "number": facts.number,
            "scope": facts.scope.value,
            "this_update": rfc3339(facts.this_update),
            "high_water_seq": covered.high_water_seq,
            "entries": len(covered.entries),
            "previous": previous.number if previous is not None else 0,
            "previous_entries": (previous.entries or 0) if previous is not None else 0,
            "serials_sha256": hashlib.sha256("".join(covered.serials).encode()).hexdigest(),
            "sha256": hashlib.sha256(octets).hexdigest(),
        }
    ).decode()


def _event(code: str, row: RevocationList, actor: str) -> Event:
    return Event(
        code,
        "crl",
        f"{row.issuer_id}:{row.number}",
        actor=actor,
        detail={
            "scope": row.scope.value,
            "entries": row.entries or 0,
            "sha256": row.sha256 or "",
            "high_water_seq": row.high_water_seq or 0,
            "at": _at(row.published_at or row.this_update),
        },
    )


def _at(moment: datetime | None) -> str:
    return rfc3339(moment) if moment is not None else ""
