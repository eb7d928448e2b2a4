"""Write, sign, write: how every certificate of this site comes to be.

First transaction: the serial and the to-be-signed bytes are stored, with a trail entry. Then the
key signs, outside any transaction. Second transaction: what came back is compared, verified and
stored. A crash in between leaves a RESERVED row, possibly issued, that is finished from its own
stored bytes.
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass, field

from cryptography import x509
from cryptography.hazmat.primitives import serialization

from audit.trail import Event, Trail
from ca import records
from ca.authorities import Authorities
from ca.building import (
    IssuerFacts,
    Wanted,
    certificate_twin,
    issuer_facts,
    own_facts,
)
from ca.issuers import issuer_certificate, shard_for, shard_uri, signing_hash
from ca.records import Certificate, CertificateState, Issuer
from ca.revocation import verify_not_revoked
from keys.backend import KeyBackend
from pki.errors import Conflict, Refused
from pki.findings import Severity
from pki.names import text
from pki.reading.certificate import read_certificate
from pki.serials import Entropy, new_serial, serial_hex
from pki.signing import assemble, sign, spki_der, verify_signature
from policies.lint.catalogue import check_certificate
from policies.lint.check import JudgedCertificate
from policies.profiles import CertificateProfile, Profiles, Purpose
from policies.site import SiteKind, verify_demo_marks
from store.database import Store, Transaction


@dataclass(frozen=True)
class Prepared:
    """A judged twin, to be issued once: its serial can be reserved only once.

    ``shard`` is the part of the issuer's list that it names.
    """

    issuer_id: str
    profile: CertificateProfile
    twin: x509.Certificate
    shard: int = 0

    @property
    def spki_sha256(self) -> str:
        """SHA-256 of the certified SubjectPublicKeyInfo, hexadecimal."""
        return hashlib.sha256(spki_der(self.twin.public_key())).hexdigest()  # type: ignore[arg-type]


@dataclass(frozen=True)
class Acting:
    """For whom a certificate is made: the people for the trail, the order and carrier if any."""

    actor: str
    actor_role: str
    co_actor: str = ""
    order_id: str | None = None
    carrier_id: str | None = None
    usage: Purpose | None = None
    statements: tuple[str, ...] = field(default=())


@dataclass(frozen=True)
class Issuance:
    """Holds the CA keys' backend; every signature of a certificate is made here."""

    store: Store
    trail: Trail
    keys: KeyBackend
    profiles: Profiles
    kind: SiteKind
    entropy: Entropy
    authorities: Authorities

    def new_serial(self) -> int:
        """Return a fresh serial number."""
        return new_serial(self.entropy)

    def facts(self, issuer: Issuer, shard: int = 0) -> IssuerFacts:
        """Return what certificates say of the issuer, those on that part of its list.

        Raises ``Conflict`` before its ceremony.
        """
        crl_profile = self.profiles.crl(issuer.crl_profile)
        return issuer_facts(
            issuer_certificate(issuer),
            issuer.cps_uri,
            shard_uri(issuer, crl_profile, shard) or issuer.crl_uri,
            signing_hash(issuer, self.profiles),
        )

    def twin(
        self, issuer: Issuer, profile: CertificateProfile, wanted: Wanted, shard: int
    ) -> x509.Certificate:
        """Return the twin of what the issuer would sign; raises ``Conflict`` as ``facts``."""
        return certificate_twin(profile, self.facts(issuer, shard), wanted, self.kind)

    def prepare(
        self, issuer: Issuer, profile: CertificateProfile, wanted: Wanted, order_id: str = ""
    ) -> Prepared:
        """Return the judged twin of a certificate below the issuer, of an order if it has one.

        Its serial number decides the part of the issuer's list. Raises ``Refused`` with every
        finding if one is an ERROR, which is entered, for a DEMO mark out of place, and where the
        issuer is revoked.
        """
        with self.store.read() as tx:
            verify_not_revoked(tx, self.trail, issuer)
        shard = shard_for(self.profiles.crl(issuer.crl_profile), wanted.serial)
        twin = self.twin(issuer, profile, wanted, shard)
        self._judge(issuer, profile, twin, issuer_certificate(issuer), order_id)
        return Prepared(issuer.id, profile, twin, shard)

    def prepare_root(self, root: Issuer, profile: CertificateProfile, wanted: Wanted) -> Prepared:
        """Return the judged twin of a root that signs itself; raises as ``prepare``."""
        own_list = root.own_list_uri or root.crl_uri
        facts = own_facts(wanted, root.cps_uri, own_list, signing_hash(root, self.profiles))
        twin = certificate_twin(profile, facts, wanted, self.kind)
        self._judge(root, profile, twin, twin)
        return Prepared(root.id, profile, twin)

    def _judge(
        self,
        issuer: Issuer,
        profile: CertificateProfile,
        twin: x509.Certificate,
        signer: x509.Certificate,
        order_id: str = "",
    ) -> None:
        verify_demo_marks(self.kind, twin.subject)
        read, by = (
            read_certificate(one.public_bytes(serialization.Encoding.DER)) for one in (twin, signer)
        )
        findings = check_certificate(JudgedCertificate(read, profile, by, self.kind, strict=True))
        errors = [one.code for one in findings if one.severity is Severity.ERROR]
        if errors:
            self._enter_refused(issuer.id, profile.reference, order_id, errors)
            raise Refused(
                "ca.lint",
                f"the certificate for {text(twin.subject)} would break its profile",
                findings=findings,
            )

    def _enter_refused(
        self, issuer_id: str, profile: str, order_id: str, codes: Sequence[str]
    ) -> None:
        """Enter that a twin was refused, by the codes of the findings and nothing it says."""
        about = ("order", order_id) if order_id else ("ca", issuer_id)
        detail = {"issuer": issuer_id, "profile": profile, "findings": sorted(set(codes))}
        with self.store.begin() as tx:
            for code in ("LINT.FAIL", "CERT.ISSUE_FAIL"):
                self.trail.append(tx, Event(code, *about, outcome="REFUSED", detail=detail))

    def reserve(self, tx: Transaction, prepared: Prepared, acting: Acting) -> Certificate:
        """Store serial and to-be-signed bytes; raises ``Conflict`` for a key certified before."""
        twin = prepared.twin
        row = Certificate(
            issuer_id=prepared.issuer_id,
            serial=serial_hex(twin.serial_number),
            order_id=acting.order_id,
            carrier_id=acting.carrier_id,
            usage=acting.usage,
            shard=prepared.shard,
            profile=prepared.profile.reference,
            state=CertificateState.RESERVED,
            subject=text(twin.subject),
            not_before=twin.not_valid_before_utc,
            not_after=twin.not_valid_after_utc,
            spki_sha256=prepared.spki_sha256,
            tbs_der=twin.tbs_certificate_bytes,
            reserved_seq=self.trail.position(tx) + 1,
        )
        if records.key_is_certified(tx, prepared.spki_sha256):
            raise Conflict(
                "ca.key.reused",
                "this public key was certified before",
                "Every certificate has a key pair of its own: make a new one.",
            )
        tx.add(row)
        tx.flush()
        self._enter(tx, "CERT.POP_OK", row, acting, {"tbs": _sha256(row.tbs_der)})
        return row

    def finish(self, row: Certificate, acting: Acting) -> x509.Certificate:
        """Sign the stored bytes of a RESERVED row, store and return the certificate.

        Raises ``Refused`` for a CA that is not as its ceremony made it, or is revoked.
        """
        with self.store.read() as tx:
            issuer = self.authorities.find(tx, row.issuer_id)
        hash_name = signing_hash(issuer, self.profiles)
        key = self.keys.open(issuer.key_label)
        with self.store.read() as tx:
            if row.order_id is not None or issuer.certificate_der is not None:
                verify_not_revoked(tx, self.trail, issuer)
        signature = sign(key, row.tbs_der, hash_name)
        certificate_der = assemble(row.tbs_der, key.public_key(), signature, hash_name)
        certificate = x509.load_der_x509_certificate(certificate_der)
        if certificate.tbs_certificate_bytes != row.tbs_der:
            raise Refused("ca.sign.differs", "what was signed is not what was stored")
        self_signed = issuer.certificate_der is None
        signer = certificate if self_signed else issuer_certificate(issuer)
        verify_signature(signer.public_key(), certificate.signature, row.tbs_der, hash_name)
        with self.store.begin() as tx:
            self.trail.position(tx)  # one at a time
            stored = tx.get_one(Certificate, row.id)
            if stored.state is CertificateState.ISSUED:
                raise Conflict("ca.issue.twice", f"serial {row.serial} is issued already")
            stored.state = CertificateState.ISSUED
            stored.certificate_der = certificate_der
            stored.sha256 = _sha256(certificate_der)
            stored.issued_seq = self.trail.position(tx) + 1
            if stored.order_id is None:
                _attach_to_issuer(tx, stored, certificate)
            self._enter(tx, "CERT.ISSUE", stored, acting, {"certificate": stored.sha256})
        return certificate

    def _enter(
        self, tx: Transaction, code: str, row: Certificate, acting: Acting, detail: dict[str, str]
    ) -> None:
        self.trail.append(
            tx,
            Event(
                code,
                "certificate",
                f"{row.issuer_id}:{row.serial}",
                actor=acting.actor,
                actor_role=acting.actor_role,
                co_actor=acting.co_actor,
                detail={
                    **detail,
                    "spki": row.spki_sha256,
                    "profile": row.profile,
                    "order": row.order_id or "",
                    "statements": list(acting.statements),
                },
            ),
        )


def _attach_to_issuer(tx: Transaction, stored: Certificate, certificate: x509.Certificate) -> None:
    for issuer in records.issuers(tx):
        if issuer.subject_der == certificate.subject.public_bytes():
            issuer.certificate_der = stored.certificate_der


def _sha256(octets: bytes) -> str:
    return hashlib.sha256(octets).hexdigest()
