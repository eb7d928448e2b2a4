"""Where a list is fetched: URIs in certificates, and the names of files that they end in."""

from __future__ import annotations

from urllib.parse import urlsplit

from ca.issuers import shard_uri
from ca.records import Issuer, Series
from policies.profiles import CrlProfile, ListScope


def list_uri(issuer: Issuer, profile: CrlProfile, series: Series) -> str:
    """Return the URI at which relying parties fetch the series."""
    if series.scope is ListScope.RARL:
        return issuer.own_list_uri or issuer.crl_uri
    return shard_uri(issuer, profile, series.shard) or issuer.crl_uri


def file_name(issuer: Issuer, profile: CrlProfile, series: Series) -> str:
    """Return the file's name on a target: the last part of its URI."""
    path = urlsplit(list_uri(issuer, profile, series)).path
    return path.rsplit("/", 1)[-1] or f"{issuer.id}-{series.scope.lower()}-{series.shard}.crl"
