"""Judging many objects together: each with its issuer, lists in their succession.

First every object is shown to ``Corpus.add``, then each to ``Corpus.judge``; between the two only
CA certificates, lists, and of every other certificate its serial, end and list's URI are kept.
"""

from __future__ import annotations

import hashlib
from collections import defaultdict
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime

from pki import oids
from pki.errors import InvalidInput
from pki.findings import Finding
from pki.reading.certificate import Certificate
from pki.reading.crl import RevocationList
from pki.reading.values import Name
from policies.lint.authorities import Authorities
from policies.lint.catalogue import check_certificate, check_list, check_pair
from policies.lint.check import JudgedCertificate, JudgedList, JudgedPair
from policies.lint.hpki_lists import directory_points, uri_points
from policies.lint.kinds import claimed_list_profile, claimed_profile, is_ca
from policies.lint.words import hexadecimal, number, shown
from policies.profiles import CertificateProfile, CrlProfile, Profiles
from policies.site import SiteKind

MOST_LIST_OCTETS = 512 * 1024 * 1024
_OVERHEAD = 4096
_LONGEST_SERIAL = 160
_LONGEST_NAME = 240
MOST_POINT_OCTETS = 16 * 1024 * 1024
_LONG_AGO = datetime(1, 1, 1, tzinfo=UTC)


@dataclass(frozen=True)
class Options:
    """How to judge: ``profile`` instead of the claimed one, ``site`` whose policy is wanted."""

    profiles: Profiles
    profile: CertificateProfile | None = None
    site: SiteKind | None = None
    strict: bool = False


@dataclass(frozen=True)
class Verdict:
    """What was judged (file and number in it, subject or list number, profile) and the findings.

    ``issuer`` is the SHA-256 of the issuing certificate it was judged with, None without one.
    """

    source: str
    what: str
    profile: str | None
    findings: tuple[Finding, ...]
    issuer: str | None = None


class Corpus:
    """What is known of the objects shown, to judge each of them by."""

    def __init__(self, options: Options) -> None:
        self.options = options
        self._authorities = Authorities()
        self._lists: dict[tuple[object, ...], list[tuple[str, RevocationList]]] = defaultdict(list)
        self._list_digests: set[str] = set()
        self._list_octets = 0
        self._first: dict[tuple[bytes, int], bytes] = {}
        self._ends: dict[bytes, dict[int, datetime]] = defaultdict(dict)
        self._twice: set[tuple[bytes, int]] = set()
        self._points: dict[bytes, set[bytes]] = defaultdict(set)
        self._points_octets = 0

    def add(self, source: str, found: Certificate | RevocationList) -> None:
        """Take note of an object; raises ``InvalidInput`` for more than can be kept."""
        if isinstance(found, RevocationList):
            self._add_list(source, found)
            return
        if found.serial.bit_length() <= _LONGEST_SERIAL:
            self._add_serial(found)
        if is_ca(found):
            self._authorities.add(found)
        else:
            self._add_points(found)

    def judge(self, source: str, found: Certificate | RevocationList) -> Verdict:
        """Return the verdict on one object, after all were added."""
        issuer = self._authorities.issuer_of(found)
        if isinstance(found, RevocationList):
            return self._judge_list(source, found, issuer)
        options = self.options
        profile = options.profile or claimed_profile(found, options.profiles)
        findings = check_certificate(
            JudgedCertificate(
                found,
                profile,
                issuer,
                options.site,
                options.strict,
                serial_is_shared=(_digest(found.issuer), found.serial) in self._twice,
            )
        )
        what = shown(found.subject.text, _LONGEST_NAME) or f"serial {hexadecimal(found.serial)}"
        name = profile.id if profile is not None else None
        return Verdict(source, what, name, findings, issuer.sha256 if issuer is not None else None)

    def pairs(self) -> Iterator[Verdict]:
        """Yield the verdict on each list and its next one of the same issuer, key and point."""
        for lists in self._lists.values():
            ordered = sorted(lists, key=_succession)
            for (_, older), (source, newer) in zip(ordered, ordered[1:], strict=False):
                expiry = self._ends.get(_digest(newer.issuer), {})
                findings = check_pair(JudgedPair(older, newer, expiry))
                yield Verdict(source, f"{_label(older)}, then {_label(newer)}", None, findings)

    def _add_list(self, source: str, found: RevocationList) -> None:
        if found.sha256 in self._list_digests:
            return
        self._list_octets += found.octets + _OVERHEAD
        if self._list_octets > MOST_LIST_OCTETS:
            raise InvalidInput(
                "lint.corpus.lists",
                "there are too many lists to be compared with each other",
                "Judge them in several runs, the lists of one issuer together.",
            )
        self._list_digests.add(found.sha256)
        self._lists[_series(found)].append((source, found))

    def _add_serial(self, found: Certificate) -> None:
        key = (_digest(found.issuer), found.serial)
        digest = bytes.fromhex(found.sha256)
        end = found.not_after.moment
        if self._first.setdefault(key, digest) != digest:
            self._twice.add(key)
            self._ends[key[0]].pop(found.serial, None)
        elif end is not None and key not in self._twice:
            self._ends[key[0]][found.serial] = end

    def _add_points(self, found: Certificate) -> None:
        known = self._points[_digest(found.issuer)]
        for uri in uri_points(found):
            if uri not in known and self._points_octets <= MOST_POINT_OCTETS:
                known.add(uri)
                self._points_octets += len(uri) + _OVERHEAD

    def _points_of(self, issuer: Name) -> frozenset[bytes]:
        """Return the URIs that certificates of the issuer name, none where not all were kept."""
        whole = self._points_octets <= MOST_POINT_OCTETS
        return frozenset(self._points.get(_digest(issuer), ())) if whole else frozenset()

    def _judge_list(
        self, source: str, found: RevocationList, issuer: Certificate | None
    ) -> Verdict:
        profile = self._list_profile(found, issuer)
        issued = self._authorities.issued_by(found.issuer)
        points = self._points_of(found.issuer)
        judged = JudgedList(found, profile, issuer, issued, self.options.strict, points)
        name = profile.id if profile is not None else None
        digest = issuer.sha256 if issuer is not None else None
        return Verdict(source, _label(found), name, check_list(judged), digest)

    def _list_profile(self, found: RevocationList, issuer: Certificate | None) -> CrlProfile | None:
        """Return the profile that the list claims.

        A list without its point is the root's too if that promises lists by directory names.
        """
        profiles = self.options.profiles
        claimed = claimed_list_profile(found, profiles)
        if claimed is not None or issuer is None:
            return claimed
        promised = issuer.self_issued and directory_points(issuer)
        return profiles.crl("crl-root") if promised else None


def _digest(name: Name) -> bytes:
    return hashlib.sha256(name.der).digest()


def _series(crl: RevocationList) -> tuple[object, ...]:
    """Return what lists that succeed each other share: issuer, its key, point, and being a delta.

    Two keys of one name may each have their lists, with numbers of their own.
    """
    point = crl.by_oid.get(oids.ISSUING_DISTRIBUTION_POINT)
    authority = crl.value(oids.AUTHORITY_KEY_IDENTIFIER)
    return (
        crl.issuer.der,
        authority.key_identifier if authority is not None else None,
        point.octets if point is not None else b"",
        oids.DELTA_CRL_INDICATOR in crl.by_oid,
    )


def _succession(entry: tuple[str, RevocationList]) -> tuple[int, datetime]:
    crl = entry[1]
    return crl.number or 0, crl.this_update.moment or _LONG_AGO


def _label(crl: RevocationList) -> str:
    shown_number = "?" if crl.number is None else number(crl.number)
    return f"list {shown_number} of {shown(crl.issuer.text, _LONGEST_NAME)}"
