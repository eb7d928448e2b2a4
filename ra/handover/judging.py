"""A certificate that came back, held against the order: what was ordered, and nothing more."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, datetime

from cryptography import x509
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric import ec, rsa

from ca.building import (
    Period,
    certificate_twin,
    end_entity_period,
    issuer_facts,
    wanted_of,
)
from ca.dossier import Content
from ca.issuers import named_list
from operators.exchange.register import Authority, from_base64
from pki.errors import InvalidInput, Refused
from pki.validity import start_of_day
from policies.profiles import CertificateProfile, Profiles, Purpose
from policies.site import SiteKind


@dataclass(frozen=True)
class Judge:
    """Judges certificates of one CA organisation by its accepted register and our profiles."""

    authorities: Sequence[Authority]
    profiles: Profiles
    kind: SiteKind
    now: datetime

    def verify(
        self, certificate_der: bytes, content: Content, purpose: Purpose, approved_on: date
    ) -> None:
        """Raise ``Refused`` unless the certificate is what the CA makes of the content.

        It is made again for its key, serial and period under each CA that issues by the profile
        ordered, and must be equal, octet for octet; it must verify under that CA.
        """
        certificate = _load(certificate_der)
        profile = self._profile(content, purpose)
        self._verify_period(certificate, content, approved_on)
        for authority in self.authorities:
            if profile.id in authority.issues and self._made_by(
                authority, certificate, profile, content
            ):
                return
        raise Refused(
            "ra.result.differs",
            f"the {purpose} certificate is not what was ordered from a CA of the register",
            "Take nothing from this file: ask the CA, and have a wrong certificate revoked.",
        )

    def _made_by(
        self,
        authority: Authority,
        certificate: x509.Certificate,
        profile: CertificateProfile,
        content: Content,
    ) -> bool:
        issuer = _load(from_base64(authority.certificate, f"the certificate of {authority.id}"))
        public_key = certificate.public_key()
        if not isinstance(public_key, rsa.RSAPublicKey | ec.EllipticCurvePublicKey):
            return False
        crl_uri = named_list(authority.crl_uri, certificate)
        facts = issuer_facts(issuer, authority.cps_uri, crl_uri, authority.hash)
        names, serial = authority.japanese_names, certificate.serial_number
        period = Period(certificate.not_valid_before_utc, certificate.not_valid_after_utc)
        wanted = wanted_of(content, public_key, serial, period, japanese_names=names)
        again = certificate_twin(profile, facts, wanted, self.kind)
        try:
            certificate.verify_directly_issued_by(issuer)
        except (ValueError, TypeError, InvalidSignature):
            return False
        return again.tbs_certificate_bytes == certificate.tbs_certificate_bytes

    def _profile(self, content: Content, purpose: Purpose) -> CertificateProfile:
        wanted = content.profiles.get(purpose, "")
        found = self.profiles.certificate(wanted.partition("@")[0])
        if found.reference != wanted or found.purpose is not purpose:
            raise Refused("ra.result.profile", f"{wanted} is not the profile that is known here")
        return found

    def _verify_period(
        self, certificate: x509.Certificate, content: Content, approved_on: date
    ) -> None:
        begin, end = certificate.not_valid_before_utc, certificate.not_valid_after_utc
        if (
            Period(begin, end) != end_entity_period(begin, content.validity_years)
            or not start_of_day(approved_on) <= begin <= self.now
        ):
            raise Refused(
                "ra.result.period", "a certificate is valid for another time than ordered"
            )


def _load(octets: bytes) -> x509.Certificate:
    try:
        return x509.load_der_x509_certificate(octets)
    except ValueError:
        raise InvalidInput("ra.result.certificate", "a certificate cannot be read") from None
