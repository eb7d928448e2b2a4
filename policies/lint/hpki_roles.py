"""The HPKI's rules on hcRole: H060 to H066.

Source: section 4 of the facts file ("profile"). They judge certificates whose profile knows
subjectDirectoryAttributes; what is said of a value is kept by its octets, because most holders have
one of a few roles.
"""

from __future__ import annotations

from collections.abc import Iterator
from functools import lru_cache
from typing import NamedTuple

from pki import oids
from pki.errors import InvalidInput
from pki.findings import Severity
from pki.hcrole import HcActor, read_hc_actor_data
from pki.reading.extensions import DirectoryAttribute, Extension
from pki.reading.values import STRING_TYPES
from policies.hcroles import DIRECTOR_UNIT, hc_role_table
from policies.lint.check import Check, Found, JudgedCertificate
from policies.lint.words import shown

_UTF8_STRING = 0x0C
_MISTAKEN_SCHEME = "1.2.392.100495.1.6.2.1"
_MOST_KEPT = 1024
_MOST_TOLD = 10


class _Roles(NamedTuple):
    """What an extension says of roles: messages by rule, and whether the roles can be judged."""

    attributes: int
    faults: tuple[str, ...]
    unknown: tuple[str, ...]
    unused: tuple[str, ...]
    actors: int
    administrator: bool
    readable: bool


_NONE = _Roles(0, (), (), (), 0, administrator=False, readable=True)


def _read_roles(attributes: tuple[DirectoryAttribute, ...]) -> _Roles:
    ours = [one for one in attributes if one.oid == oids.HEALTHCARE_ACTOR]
    actors: list[HcActor] = []
    faults: list[str] = []
    readable = True
    for attribute in ours:
        if len(attribute.values) != 1:
            faults.append(f"hcRole has {len(attribute.values)} values, not one HCActorData")
        for value in attribute.values:
            try:
                data = read_hc_actor_data(value)
            except InvalidInput as error:
                faults.append(error.text)
                readable = False
                continue
            faults.extend(f"hcRole: {fault}" for fault in data.faults)
            if not data.actors:
                faults.append("HCActorData holds no HCActor")
            actors.extend(data.actors)
    faults.extend(fault for actor in actors for fault in _shape_faults(actor))
    administrators = hc_role_table().administrator_names()
    return _Roles(
        len(ours),
        tuple(faults[:_MOST_TOLD]),
        tuple(_unknown(actors))[:_MOST_TOLD],
        tuple(_unused(actors))[:_MOST_TOLD],
        len(actors),
        any(actor.text in administrators for actor in actors),
        readable,
    )


_kept_roles = lru_cache(maxsize=1024)(_read_roles)


def _shape_faults(actor: HcActor) -> Iterator[str]:
    if actor.scheme == _MISTAKEN_SCHEME:
        yield f"the coding scheme is {actor.scheme}, a known mistake for {oids.JHPKI_CODED_DATA}"
    elif actor.scheme != oids.JHPKI_CODED_DATA:
        yield f"the coding scheme is {shown(actor.scheme)}, not {oids.JHPKI_CODED_DATA}"
    if actor.tag != _UTF8_STRING:
        yield f"codeDataFreeText is {STRING_TYPES[actor.tag][0]}, not UTF8String"


def _unknown(actors: list[HcActor]) -> Iterator[str]:
    table = hc_role_table()
    for actor in actors:
        if actor.text not in table.names():
            meant = table.spelled(actor.text)
            hint = f"; '{meant}' is" if meant is not None else ""
            yield f"the role '{shown(actor.text)}' is not in the table{hint}"


def _unused(actors: list[HcActor]) -> Iterator[str]:
    for actor in actors:
        if actor.code_value is not None:
            yield f"hcRole has the codeDataValue '{shown(actor.code_value)}'"
        if actor.regional:
            yield "hcRole has regionalHCActorData"


def _extension(judged: JudgedCertificate) -> Extension | None:
    profile = judged.profile
    if profile is None or profile.subject_directory_attributes is None:
        return None
    return judged.certificate.by_oid.get(oids.SUBJECT_DIRECTORY_ATTRIBUTES)


def _roles(found: Extension | None) -> _Roles | None:
    """Return what the extension says, None where it cannot be read."""
    if found is None:
        return _NONE
    if found.value is None:
        return None
    return _kept_roles(found.value) if len(found.octets) <= _MOST_KEPT else _read_roles(found.value)


def _attribute(judged: JudgedCertificate) -> Found:
    found = _extension(judged)
    if found is None:
        return
    if found.critical:
        yield "subjectDirectoryAttributes is critical"
    roles = _roles(found)
    if roles is not None and roles.attributes > 1:
        yield f"subjectDirectoryAttributes has {roles.attributes} attributes of hcRole, not one"


def _shape(judged: JudgedCertificate) -> Found:
    roles = _roles(_extension(judged))
    if roles is not None:
        yield from roles.faults


def _known(judged: JudgedCertificate) -> Found:
    roles = _roles(_extension(judged))
    if roles is not None:
        yield from roles.unknown


def _only_used_parts(judged: JudgedCertificate) -> Found:
    roles = _roles(_extension(judged))
    if roles is not None:
        yield from roles.unused


def _administrator(judged: JudgedCertificate) -> Found:
    roles = _roles(_extension(judged))
    if roles is None or not roles.administrator:
        return
    if not judged.certificate.subject.first(oids.ORGANIZATION):
        yield "an administrator's subject has no O"
    if not _is_director(judged):
        yield f"an administrator's subject has no OU={DIRECTOR_UNIT}"


def _director(judged: JudgedCertificate) -> Found:
    profile = judged.profile
    if profile is None or profile.subject_directory_attributes is None or not _is_director(judged):
        return
    roles = _roles(_extension(judged))
    if roles is not None and roles.readable and not roles.administrator:
        yield f"the subject has OU={DIRECTOR_UNIT}, and hcRole no administrator role"


def _is_director(judged: JudgedCertificate) -> bool:
    for one in judged.certificate.subject.attributes:
        if one.oid == oids.ORGANIZATIONAL_UNIT and one.text == DIRECTOR_UNIT:
            return True
    return False


def _several(judged: JudgedCertificate) -> Found:
    roles = _roles(_extension(judged))
    if roles is not None and roles.actors > 1:
        yield f"hcRole has {roles.actors} roles; card interoperability assumes one"


_HOLDER = "end entity"
CHECKS: tuple[Check[JudgedCertificate], ...] = (
    Check(
        "H060",
        Severity.ERROR,
        _HOLDER,
        "subjectDirectoryAttributes is not critical and has at most one attribute of hcRole.",
        "profile 3.5, 4.1, RFC 5280 4.2.1.8",
        "OBS",
        _attribute,
    ),
    Check(
        "H061",
        Severity.ERROR,
        _HOLDER,
        "hcRole is one HCActorData in DER: explicit tags, two SETs, coding scheme "
        f"{oids.JHPKI_CODED_DATA}, role as UTF8String.",
        "profile 4.2",
        "OBS",
        _shape,
    ),
    Check(
        "H062",
        Severity.WARNING,
        _HOLDER,
        "The role is one of the 27 qualifications and five administrator roles, spelled exactly.",
        "profile 4.5",
        "INFERRED-M",
        _known,
    ),
    Check(
        "H063",
        Severity.WARNING,
        _HOLDER,
        "hcRole has neither codeDataValue nor regionalHCActorData.",
        "profile 4.2",
        "READ",
        _only_used_parts,
    ),
    Check(
        "H064",
        Severity.ERROR,
        _HOLDER,
        "The subject of whoever holds an administrator role has O and OU=Director.",
        "profile 2.4, 4.5",
        "READ",
        _administrator,
    ),
    Check(
        "H065",
        Severity.WARNING,
        _HOLDER,
        "OU=Director stands only with an administrator role.",
        "profile 2.4, 4.5",
        "INFERRED",
        _director,
    ),
    Check(
        "H066",
        Severity.INFO,
        _HOLDER,
        "hcRole has one role.",
        "profile 4.2",
        "READ",
        _several,
    ),
)
"""The checks of this module."""
