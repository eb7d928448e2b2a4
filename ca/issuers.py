"""The CAs of the site: which one issues by which profile, and with which hash it signs."""

from __future__ import annotations

import json
import re

from cryptography import x509

from audit.chain import KEEP
from ca import records
from ca.dossier import Offer
from ca.records import CarrierKind, Certificate, Issuer
from operators.exchange.peers import PeerView
from pki.errors import Conflict, InvalidInput, NotFound, Refused
from pki.extensions import distribution_points
from pki.serials import serial_hex
from pki.signing import HashName
from policies.profiles import CertificateProfile, CrlProfile, Holder, Profiles, Purpose
from store.database import Transaction

SHARD = "{shard}"
"""What stands for the number of the part in the URI of a split list."""


def issuer_certificate(issuer: Issuer) -> x509.Certificate:
    """Return the issuer's own certificate; raises ``Conflict`` before it has one."""
    if issuer.certificate_der is None:
        raise Conflict(
            "ca.issuer.unfinished",
            f"the CA {issuer.id} has no certificate yet",
            "Run its ceremony file again: it continues where it stopped.",
        )
    return x509.load_der_x509_certificate(issuer.certificate_der)


def own_serial(issuer: Issuer) -> str:
    """Return the serial number of the CA's own certificate, 40 digits; raises ``Conflict``."""
    return serial_hex(issuer_certificate(issuer).serial_number)


def own_certificate(tx: Transaction, issuer: Issuer) -> Certificate | None:
    """Return the row of the CA's own certificate, None where none has its serial number."""
    rows = records.certificate_by_serial(
        tx, int(own_serial(issuer), 16), issuer.parent_id or issuer.id
    )
    return rows[0] if rows else None


def signing_hash(issuer: Issuer, profiles: Profiles) -> HashName:
    """Return the hash under everything that the CA signs."""
    rule = profiles.certificate(issuer.profile).signature
    if rule is None:
        raise InvalidInput("ca.issuer.profile", f"{issuer.profile} is not a profile for a CA")
    return rule.hash


def issued_profiles(issuer: Issuer) -> tuple[str, ...]:
    """Return the ids of the end-entity profiles that the CA issues by, preferred ones first."""
    return tuple(json.loads(issuer.issues))


def shard_uri(issuer: Issuer, profile: CrlProfile, shard: int) -> str | None:
    """Return the URI of one part of the CA's list, None where that is in one piece."""
    if profile.shards is None:
        return None
    return issuer.crl_uri.replace(SHARD, str(shard))


def shard_for(profile: CrlProfile, serial: int) -> int:
    """Return the part of the list on which a new certificate will stand, 0 where it is one."""
    return 0 if profile.shards is None else serial % profile.shards.count


def verify_shard(issuer: Issuer, profile: CrlProfile, row: Certificate) -> None:
    """Raise ``Refused`` unless the certificate names the part of the list that its row says."""
    uri = shard_uri(issuer, profile, row.shard)
    if uri is None and row.shard == 0:
        return
    said = row.certificate_der or row.tbs_der
    if uri is None or distribution_points(uri).public_bytes() not in said:
        raise Refused(
            "ca.shard.changed",
            f"{issuer.id}:{row.serial} does not name the part {row.shard} of the list",
            KEEP,
        )


def named_list(crl_uri: str, certificate: x509.Certificate) -> str:
    """Return the CA's URI as the certificate should say it, with the part that it does say."""
    before, split, after = crl_uri.partition(SHARD)
    if not split:
        return crl_uri
    form = re.compile(f"{re.escape(before)}(0|[1-9][0-9]{{0,3}}){re.escape(after)}")
    try:
        points = certificate.extensions.get_extension_for_class(x509.CRLDistributionPoints).value
    except (x509.ExtensionNotFound, ValueError):
        return crl_uri
    names = [name.value for point in points for name in point.full_name or ()]
    return next((one for one in names if isinstance(one, str) and form.fullmatch(one)), crl_uri)


def find_issuer(tx: Transaction, issuer_id: str) -> Issuer:
    """Return the CA, or raise ``NotFound``."""
    issuer = tx.get(Issuer, issuer_id)
    if issuer is None:
        raise NotFound("ca.issuer.unknown", f"there is no CA {issuer_id!r}", "See `hpki ca list`.")
    return issuer


def issuer_for(tx: Transaction, profile_id: str) -> Issuer:
    """Return the newest CA that issues by the profile, or raise ``NotFound``."""
    for issuer in records.newest_issuers(tx):
        if profile_id in issued_profiles(issuer):
            return issuer
    raise _nobody(f"by the profile {profile_id}")


def offer_to_persons(tx: Transaction, profiles: Profiles, carrier: CarrierKind) -> Offer:
    """Return what a person gets on the carrier: for each purpose one profile of its newest CA.

    A purpose whose CAs issue nothing there is left out. Raises ``NotFound`` if that leaves none,
    ``Conflict`` for a CA whose ceremony broke while no other serves the purpose.
    """
    found: dict[Purpose, CertificateProfile] = {}
    issuers = records.newest_issuers(tx)
    for purpose in Purpose:
        for issuer in issuers:
            fitting = _fitting(issuer, profiles, carrier) if issuer.purpose is purpose else None
            if fitting is not None:
                issuer_certificate(issuer)
                found[purpose] = fitting
                break
    if not found:
        raise _nobody(f"to persons on a {carrier}")
    return Offer(
        {purpose: profile.reference for purpose, profile in found.items()},
        min(profile.validity.whole_years for profile in found.values()),
    )


def offer_of_peer(peer: PeerView, carrier: CarrierKind) -> Offer:
    """Return what a person gets on the carrier from a peer's CA; raises ``NotFound`` if nothing."""
    for one in peer.content.offers:
        if one.carrier == carrier.value:
            return Offer(one.profiles, one.validity_years)
    raise _nobody(f"to persons on a {carrier}, as {peer.id} says")


def _fitting(issuer: Issuer, profiles: Profiles, carrier: CarrierKind) -> CertificateProfile | None:
    for profile_id in issued_profiles(issuer):
        profile = profiles.certificate(profile_id)
        if profile.holder is Holder.PERSON and carrier.value in profile.carriers:
            return profile
    return None


def _nobody(what: str) -> NotFound:
    return NotFound(
        "ca.issuer.none",
        f"no CA issues {what}",
        "Hold the key ceremony first: `hpki ca ceremony FILE`.",
    )
