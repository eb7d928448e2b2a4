"""The reviewed file of a key ceremony: read strictly, and judged before any key is made."""

from __future__ import annotations

from collections.abc import Sequence
from urllib.parse import urlsplit

from cryptography import x509

from ca.issuers import SHARD
from keys.backend import KeySpec
from pki.errors import InvalidInput
from pki.names import distinguished_name
from policies.profiles import CertificateProfile, Holder, Level, Profiles
from policies.profiles.model import KeyRule
from policies.schema import Strict, load_toml

_CODE = "ca.ceremony.file"


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
    """One CA to be made; ``crl_uri`` goes into the certificates that it issues.

    For a list that its profile splits, the name of the file in it holds ``{shard}``.

    ``issues``: the end-entity profiles it issues by, preferred ones first; if none is named, those
    of its own profile. ``japanese_names``: whether holders' certificates carry the Japanese name.
    """

    id: str
    profile: str
    crl_profile: str
    key: str
    validity_years: int
    subject: CaName
    japanese_name: CaName | None = None
    issuer: str | None = None
    issues: tuple[str, ...] = ()
    japanese_names: bool = True
    cps_uri: str
    crl_uri: str
    own_list_uri: str | None = None


class CeremonyScript(Strict):
    """A ceremony file; ``ca`` in the order of making, a root before its subordinates."""

    title: str
    version: str
    place: str
    ca: tuple[CaScript, ...]


def load_script(octets: bytes, profiles: Profiles) -> CeremonyScript:
    """Return the script; raises ``InvalidInput`` for an unknown key or a fault in the hierarchy.

    Every CA of the script returned names in ``issues`` what it issues by.
    """
    read = load_toml(CeremonyScript, octets, "the ceremony file", _CODE)
    script = read.model_copy(update={"ca": tuple(_with_issues(one, profiles) for one in read.ca)})
    made: list[CaScript] = []
    for entry in script.ca:
        profile = profiles.certificate(entry.profile)
        fault = (
            _place_fault(entry, profile, made)
            or _shape_fault(entry, profile)
            or _list_fault(entry, profile, made, profiles)
            or _issues_fault(entry, profile, made, profiles)
        )
        if fault is not None:
            raise InvalidInput(_CODE, f"the ceremony file: {fault}")
        made.append(entry)
    if not made:
        raise InvalidInput(_CODE, "the ceremony file names no CA")
    return script


def _with_issues(entry: CaScript, profiles: Profiles) -> CaScript:
    if entry.issues:
        return entry
    return entry.model_copy(update={"issues": profiles.certificate(entry.profile).issues})


def _place_fault(
    entry: CaScript, profile: CertificateProfile, made: Sequence[CaScript]
) -> str | None:
    """Say what is wrong with the CA's place in the hierarchy, or None."""
    known = [one.id for one in made]
    if entry.id in known:
        return f"the CA {entry.id} stands twice"
    if profile.level not in (Level.ROOT, Level.SUB_CA):
        return f"{entry.profile} is not a profile for a CA"
    if (profile.level is Level.ROOT) != (entry.issuer is None):
        return f"the CA {entry.id} has {entry.issuer or 'no issuer'}, profile {entry.profile}"
    if entry.issuer is not None and entry.issuer not in known:
        return f"the CA {entry.id} comes before its issuer {entry.issuer}"
    return None


def _shape_fault(entry: CaScript, profile: CertificateProfile) -> str | None:
    """Say where the CA's own certificate would break its profile, or None."""
    years = profile.validity.whole_years
    if not 0 < entry.validity_years <= years:
        return f"{entry.id}: validity_years must be 1 to {years}"
    if not _fits(KeySpec(entry.key), profile.key):
        return f"{entry.id}: the profile {entry.profile} certifies no key {entry.key}"
    if entry.japanese_name is not None and profile.subject_alt_name is None:
        return f"{entry.id}: the profile {entry.profile} has no place for a japanese_name"
    return None


def _list_fault(
    entry: CaScript, profile: CertificateProfile, made: Sequence[CaScript], profiles: Profiles
) -> str | None:
    """Say why the CA's list cannot be found by what its certificates say, or None."""
    listed = profiles.crl(entry.crl_profile)
    above = next((one for one in made if one.id == entry.issuer), None)
    if above is not None and profiles.crl(above.crl_profile).shards is not None:
        return f"{entry.id}: its issuer {above.id} has a split list, on which no CA stands"
    if listed.shards is None:
        has = f"{entry.id}: crl_uri has {SHARD}, but {listed.id} does not split the list"
        return has if SHARD in entry.crl_uri else None
    if profile.purpose is None:
        return f"{entry.id}: the list of a CA that issues to no holders is not split"
    name = urlsplit(entry.crl_uri).path.rpartition("/")[2]
    if (entry.crl_uri.count(SHARD), name.count(SHARD)) != (1, 1):
        return f"{entry.id}: the file's name in crl_uri must hold {SHARD} once, as for {listed.id}"
    for profile_id in entry.issues:
        if profiles.certificate(profile_id).distribution_points is None:
            return f"{entry.id}: issues {profile_id}, which names no part of the split list"
    return None


def _fits(spec: KeySpec, rule: KeyRule) -> bool:
    if spec.rsa_bits is not None:
        return spec.rsa_bits in rule.rsa_bits
    return spec.curve.name in rule.curves


def _issues_fault(
    entry: CaScript, profile: CertificateProfile, made: Sequence[CaScript], profiles: Profiles
) -> str | None:
    """Say what is wrong with what the CA is to issue by, or None."""
    if entry.issues and profile.purpose is None:
        return f"{entry.id}: a CA of the profile {entry.profile} issues to no holders"
    for place, profile_id in enumerate(entry.issues):
        fault = _issued_fault(profiles.certificate(profile_id), profile)
        if fault is not None:
            return f"{entry.id}: issues {profile_id}, {fault}"
        if profile_id in entry.issues[:place]:
            return f"{entry.id}: issues {profile_id} twice"
        other = next((one.id for one in made if profile_id in one.issues), None)
        if other is not None:
            return f"{entry.id}: issues {profile_id}, and so does {other}"
    return None


def _issued_fault(issued: CertificateProfile, profile: CertificateProfile) -> str | None:
    """Say why a CA of ``profile`` cannot issue by ``issued``, or None."""
    if issued.level is not Level.END_ENTITY:
        return "which is not for end entities"
    if issued.purpose is not profile.purpose:
        return f"which is not for {profile.purpose}"
    if issued.holder is Holder.SERVICE or not issued.carriers:
        return "which no order can ask for"
    if issued.validity.whole_years == 0:
        return "whose certificates would not last a year"
    if issued.ca_name is not None and profile.ca_name is not None:
        tail = issued.ca_name.tail
        if tail != profile.ca_name.tail:
            return f"which belongs below a CA named HPKI-…-{tail}"
    return None
