"""Certificate and list profiles: what may be issued, read from the data files of this folder.

An operator's own folder may add profiles; it may not change those that ship, and none may
contradict RFC 5280.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cache
from importlib.resources import files
from pathlib import Path
from typing import Any, TypeVar

from pki.errors import InvalidInput, NotFound, Unavailable
from policies.grounds import ca_grounds, grounds, reason_on_list
from policies.profiles.model import (
    MOST_SHARDS,
    CertificateProfile,
    CrlProfile,
    Holder,
    Level,
    ListScope,
    Purpose,
)
from policies.profiles.rfc5280 import contradictions, list_contradictions
from policies.schema import parse_toml, validate

__all__ = [
    "MOST_SHARDS",
    "CertificateProfile",
    "CrlProfile",
    "Holder",
    "Level",
    "ListScope",
    "Profiles",
    "Purpose",
    "load_profiles",
    "shipped_profiles",
]

_CODE = "policies.profile"
_MOST_FILES = 200
_OWN = {"id", "version", "based_on", "omit"}


@dataclass(frozen=True)
class Profiles:
    """All profiles of a site, by id."""

    certificates: Mapping[str, CertificateProfile]
    lists: Mapping[str, CrlProfile]

    def certificate(self, profile_id: str) -> CertificateProfile:
        """Return the certificate profile of that id, or raise ``NotFound``."""
        return _named(self.certificates, profile_id, "certificate profile")

    def crl(self, profile_id: str) -> CrlProfile:
        """Return the list profile of that id, or raise ``NotFound``."""
        return _named(self.lists, profile_id, "list profile")


P = TypeVar("P")


def _named(known: Mapping[str, P], profile_id: str, what: str) -> P:
    found = known.get(profile_id)
    if found is None:
        raise NotFound(
            "policies.profile.unknown",
            f"there is no {what} {profile_id!r}",
            f"Known: {', '.join(sorted(known))}.",
        )
    return found


@cache
def shipped_profiles() -> Profiles:
    """Return the profiles that ship."""
    folder = files("policies").joinpath("profiles")
    return _profiles(
        Profiles({}, {}),
        {
            entry.name: entry.read_bytes()
            for entry in folder.iterdir()
            if entry.name.endswith(".toml")
        },
    )


def load_profiles(folder: Path) -> Profiles:
    """Return the shipped profiles and those of the folder's ``*.toml``.

    Raises ``InvalidInput`` for a file with a fault, an id that ships, or a rule against RFC 5280
    (the clause is named); ``Unavailable`` if the folder cannot be read.
    """
    try:
        paths = sorted(path for path in folder.iterdir() if path.suffix == ".toml")
        if len(paths) > _MOST_FILES:
            raise InvalidInput(_CODE, f"{folder} holds more than {_MOST_FILES} profiles")
        octets = {path.name: path.read_bytes() for path in paths}
    except OSError as error:
        raise Unavailable(
            "policies.profile.folder",
            f"the profiles in {folder} cannot be read: {error.strerror}",
            "Correct profiles.folder in hpki.toml.",
        ) from None
    return _profiles(shipped_profiles(), octets)


def _profiles(base: Profiles, octets: Mapping[str, bytes]) -> Profiles:
    certificates, lists = dict(base.certificates), dict(base.lists)
    trees = {name: parse_toml(content, name, _CODE) for name, content in octets.items()}
    for name, tree in _bases_first(trees):
        if "scopes" in tree:
            listed = validate(CrlProfile, tree, name, _CODE)
            _verify(name, listed.id, {**certificates, **lists}, list_contradictions(listed))
            _verify_list_usable(name, listed)
            lists[listed.id] = listed
        else:
            profile = validate(CertificateProfile, _derived(name, tree, certificates), name, _CODE)
            _verify(name, profile.id, {**certificates, **lists}, contradictions(profile))
            _verify_usable(name, profile)
            certificates[profile.id] = profile
    return Profiles(certificates, lists)


def _bases_first(trees: Mapping[str, dict[str, Any]]) -> Iterator[tuple[str, dict[str, Any]]]:
    """Yield the files so that each comes after the one it is based on, where that is among them."""
    waiting = dict(trees)
    while waiting:
        ids = {str(tree.get("id")) for tree in waiting.values()}
        ready = [
            name
            for name, tree in waiting.items()
            if str(tree.get("based_on", "")).partition("@")[0] not in ids - {str(tree.get("id"))}
        ]
        if not ready:
            raise InvalidInput(_CODE, f"{min(waiting)}: based_on goes round in a circle")
        for name in sorted(ready):
            yield name, waiting.pop(name)


def _derived(
    name: str, tree: dict[str, Any], known: Mapping[str, CertificateProfile]
) -> dict[str, Any]:
    """Return the tree over the tables of the profile it is based on."""
    if "based_on" not in tree:
        return tree
    base = known.get(str(tree["based_on"]).partition("@")[0])
    if base is None or base.reference != tree["based_on"]:
        raise InvalidInput(
            _CODE,
            f"{name}: there is no profile {tree['based_on']}",
            f"Known: {', '.join(sorted(one.reference for one in known.values()))}.",
        )
    taken = base.model_dump(exclude_unset=True, mode="json", exclude=_OWN)
    omitted = tree.get("omit", ())
    if isinstance(omitted, list):
        taken = {key: value for key, value in taken.items() if key not in omitted}
    return {**taken, **tree}


def _verify(
    name: str, profile_id: str, known: Mapping[str, object], faults: Iterator[tuple[str, str]]
) -> None:
    if profile_id in known:
        raise InvalidInput(
            "policies.profile.taken",
            f"{name}: there is a profile {profile_id} already",
            "Give it an id of its own; based_on takes over the rules of another.",
        )
    for clause, fault in faults:
        raise InvalidInput(
            "policies.profile.rfc5280", f"{name}: {fault} (RFC 5280 section {clause})"
        )


def _verify_usable(name: str, profile: CertificateProfile) -> None:
    """Raise ``InvalidInput`` for a profile by which nothing could be issued here."""
    fault = None
    if (profile.validity.max_years is None) is (profile.validity.max_days is None):
        fault = "validity has either max_years or max_days"
    elif not (profile.key.rsa_bits or profile.key.curves):
        fault = "key allows no key"
    elif profile.is_ca is (profile.signature is None):
        fault = "a CA's profile has signature, an end entity's has not"
    elif profile.is_ca is (profile.holder is not None):
        fault = "an end entity's profile has holder, a CA's has not"
    elif any(
        rule is not None and rule.required
        for rule in (profile.authority_info_access, profile.issuer_alt_name)
    ):
        fault = "authority_info_access and issuer_alt_name cannot be required: none is made here"
    if fault is not None:
        raise InvalidInput(_CODE, f"{name}: {fault}")


def _verify_list_usable(name: str, profile: CrlProfile) -> None:
    """Raise ``InvalidInput`` for a list profile whose own lists it would refuse, or late ones."""
    validity = profile.validity
    revoked = grounds() if ListScope.FULL in profile.scopes else ca_grounds()
    reasons = {reason_on_list(ground, profile.reasons.table) for ground in revoked} - {None}
    fault = None
    if not validity.min_hours <= validity.hours <= validity.max_hours:
        fault = "validity.hours does not lie between min_hours and max_hours"
    elif profile.rhythm.interval_hours + profile.rhythm.overlap_hours > validity.hours:
        fault = "rhythm.interval_hours leaves less than overlap_hours before nextUpdate"
    elif not reasons <= set(profile.reasons.allowed):
        fault = "reasons.allowed lacks a reason that the grounds of revocation give"
    elif sorted(profile.scopes) not in (["FULL"], ["RARL", "SARL"]):
        fault = "scopes is FULL alone, or RARL and SARL"
    elif profile.shards is not None and ListScope.FULL not in profile.scopes:
        fault = "shards split lists of the scope FULL only"
    elif (
        ListScope.FULL in profile.scopes
        and profile.shards is None
        and profile.issuing_distribution_point is not None
    ):
        fault = "a list of all certificates has no issuing_distribution_point"
    if fault is not None:
        raise InvalidInput(_CODE, f"{name}: {fault}")
