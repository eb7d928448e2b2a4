"""What certificates say, against their profile, their CA, and the columns of their row."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from functools import lru_cache

from ca.issuers import SHARD
from pki import oids
from pki.errors import Refused
from pki.findings import Severity
from pki.hcrole import decode_hc_roles
from pki.reading.values import URI
from pki.serials import serial_hex
from pki.signing import verify_signature
from policies.hcroles import hc_role_table
from policies.lint.catalogue import check_certificate
from policies.lint.check import JudgedCertificate
from policies.profiles import Purpose
from reports.compliance.certificates import DAMAGED, CertificateRow, of_holders
from reports.compliance.engine import Judge
from reports.compliance.run import Run
from reports.tables import Text

_BITS = {Purpose.SIGN: {"nonRepudiation"}, Purpose.AUTH: {"digitalSignature"}}
_VARIABLE = (oids.SUBJECT_KEY_IDENTIFIER, oids.SUBJECT_ALT_NAME)
_MOST_FORMS = 4096
_NO_PROFILE = Text("知らないプロファイルによる", "is by a profile that is not known")


def _policy(run: Run) -> Judge[CertificateRow]:
    """HC-1.2-01: the policy is its profile's and that of the CA's purpose."""

    def judge(one: CertificateRow) -> Sequence[Text]:
        if one.profile is None or one.profile.certificate_policies is None:
            return (_NO_PROFILE,)
        found = [policy.oid for policy in one.read.value(oids.CERTIFICATE_POLICIES) or ()]
        wanted = one.profile.certificate_policies.oid(run.site)
        facts = []
        if found != [wanted]:
            said = ", ".join(found) or "—"
            facts.append(Text(f"ポリシは{wanted}でなく{said}", f"has {said}, not {wanted}"))
        purpose = one.signer.row.purpose if one.signer is not None else None
        if purpose is not one.profile.purpose:
            facts.append(
                Text(f"{purpose}用の認証局から発行", f"was issued by a CA for {purpose} keys")
            )
        return facts

    return of_holders(judge)(run)


def _key_usage(one: CertificateRow) -> Sequence[Text]:
    """HC-1.4-01."""
    wanted = _BITS.get(one.profile.purpose) if one.profile and one.profile.purpose else None
    found = one.read.value(oids.KEY_USAGE)
    if wanted is not None and found == wanted:
        return ()
    said = ", ".join(sorted(found)) if found else "—"
    return (Text(f"鍵用途は{said}", f"has the key usage {said}"),)


def _version_and_roles(one: CertificateRow) -> Sequence[Text]:
    """HC-7.1-01: v3, and hcRole where the order has roles or the profile requires it."""
    facts = []
    if one.read.version != 3:
        facts.append(Text("X.509 v3でない", "is not X.509 v3"))
    rule = one.profile.subject_directory_attributes if one.profile is not None else None
    roles = one.dossier.content.roles if one.dossier is not None else ()
    wanted = rule is not None and (roles or rule.required)
    if wanted and oids.SUBJECT_DIRECTORY_ATTRIBUTES not in one.read.by_oid:
        facts.append(Text("hcRoleがない", "has no hcRole"))
    return facts


def _role_names(run: Run) -> Judge[CertificateRow]:
    """HC-7.1-02."""
    known = hc_role_table().names()

    def judge(one: CertificateRow) -> Sequence[Text] | None:
        if not one.in_period or not one.is_issued:
            return None
        found = one.read.by_oid.get(oids.SUBJECT_DIRECTORY_ATTRIBUTES)
        if found is None:
            return None
        others = [role for role in hc_roles(found.octets) if role not in known]
        return [Text(f"表にない資格名 {one!r}", f"has the role {one!r}") for one in others]

    return judge


@lru_cache(maxsize=1024)
def hc_roles(octets: bytes) -> tuple[str, ...]:
    """Return the names in hcRole; raises ``InvalidInput``."""
    return decode_hc_roles(octets)


def _serial(one: CertificateRow) -> Sequence[Text] | None:
    """HC-7.1-03: among all certificates ever, whose columns must be what is encoded."""
    try:
        serial = serial_hex(one.read.serial)
    except DAMAGED:
        return (_UNREADABLE,) if one.in_period else None
    facts = []
    if serial != one.data["serial"]:
        facts.append(Text(f"証明書の番号は{serial}", f"has the serial number {serial} inside"))
    if not one.in_period:
        return facts or None
    first = one.beside.serials.get((one.data["issuer_id"], serial)) if one.beside else None
    if first not in (None, one.data["id"]):
        facts.append(Text("同じ番号の証明書がある", "has the serial number of another"))
    return facts


_UNREADABLE = Text("証明書を読み取れない", "cannot be read")


def _list_pointer(run: Run) -> Judge[CertificateRow]:
    """HC-7.1-04: the list of its CA, and the part on which its row says that it stands."""

    def judge(one: CertificateRow) -> Sequence[Text] | None:
        if not one.in_period or not one.is_issued:
            return None
        if one.signer is None:
            return (NO_CA,)
        points = one.read.value(oids.CRL_DISTRIBUTION_POINTS) or ()
        found = [
            name.text for point in points for name in point.full_name or () if name.kind == URI
        ]
        row = one.signer.row
        wanted = row.crl_uri.replace(SHARD, str(one.data["shard"]))
        if row.own_list_uri is not None and one.read.self_issued:
            wanted = row.own_list_uri
        if found == [wanted]:
            return ()
        said = ", ".join(map(str, found)) or "—"
        return (Text(f"CRLの場所が{wanted}でなく{said}", f"points to {said}, not {wanted}"),)

    return judge


NO_CA = Text("発行した認証局がない", "is of a CA that is not here")


def _pair(one: CertificateRow) -> Sequence[Text] | None:
    """HC-7.1-05: the certificate with its partner on the same carrier, judged at the second.

    The Japanese name stands in the certificates of such CAs only as write it.
    """
    other = one.partner if one.in_period and one.is_issued else None
    if other is None:
        return None
    names = [one.signer is not None and one.signer.row.japanese_names for one in (one, other)]
    return [
        Text(f"対の証明書と{ja}が異なる", f"has another {en} than its pair")
        for (ja, en), mine, its in zip(_AGREEING, _said(one), _said(other), strict=True)
        if mine != its and not (en == _NAMES and names[0] is not names[1])
    ]


_NAMES = "subjectAltName"
_AGREEING = (
    ("主体者名", "subject"),
    ("別名", _NAMES),
    ("属性", "subjectDirectoryAttributes"),
)


def _said(one: CertificateRow) -> tuple[bytes | None, ...]:
    """Return what the certificates of one order agree on, as encoded."""
    types = (oids.SUBJECT_ALT_NAME, oids.SUBJECT_DIRECTORY_ATTRIBUTES)
    found = [one.read.by_oid.get(oid) for oid in types]
    return one.read.subject.der, *(None if ext is None else ext.octets for ext in found)


def _whole(run: Run) -> Judge[CertificateRow]:
    """HC-7.1-06: the row says what the certificate says, the CA signed it, and lint passes it.

    Lint judges each form until one of it is sound: all that is encoded but serial, dates, names'
    and keys' values. Those were judged at the issue, and other controls look at each of them.
    """
    sound: set[object] = set()

    def judge(one: CertificateRow) -> Sequence[Text] | None:
        if not one.in_period or not one.is_issued:
            return None
        if one.signer is None:
            return (NO_CA,)
        facts = [
            Text(f"列{name}が証明書と異なる", f"differs from its row in {name}")
            for name in _differing(one)
        ]
        if one.read.issuer.der != one.signer.read.subject.der:
            facts.append(Text("発行者名が認証局と異なる", "names another issuer than its CA"))
        facts += _signature(one)
        form = _form(one)
        if form not in sound:
            codes = _lint(run, one)
            facts += [Text(f"lintの誤り {code}", f"breaks the rule {code}") for code in codes]
            if not codes and len(sound) < _MOST_FORMS:
                sound.add(form)
        return facts

    return judge


def _differing(one: CertificateRow) -> list[str]:
    """Return the columns that say other than the certificate itself."""
    read, data = one.read, one.data
    said = {
        "serial": serial_hex(read.serial),
        "subject": read.subject.text,
        "not_before": read.not_before.moment,
        "not_after": read.not_after.moment,
        "spki_sha256": one.spki_sha256,
        "tbs_der": read.tbs_der,
        "sha256": hashlib.sha256(read.der).hexdigest(),
    }
    names = [name for name, value in said.items() if data[name] != value]
    if one.profile is not None and not one.is_authority and one.profile.purpose != data["usage"]:
        names.append("usage")
    return names


def _signature(one: CertificateRow) -> Sequence[Text]:
    if one.signer is None:
        return ()
    key, hash_name = one.signer.public_key, one.signer.hash_name
    try:
        verify_signature(key, one.read.signature, one.read.tbs_der, hash_name)
    except Refused:
        return (Text("認証局の署名でない", "is not signed by its CA"),)
    return ()


def _form(one: CertificateRow) -> object:
    """Return what two certificates share that lint judges alike."""
    read = one.read
    extensions = tuple(
        (ext.oid, ext.critical, ext.faults, None if ext.oid in _VARIABLE else ext.octets)
        for ext in read.extensions
    )
    subject = tuple((attribute.oid, attribute.tag) for attribute in read.subject.attributes)
    names = one.data["issuer_id"], one.data["profile"], read.issuer.der, read.public_key.text
    algorithms = read.signature_inside, read.signature_outside
    return read.version, names, algorithms, subject, extensions, read.faults


def _lint(run: Run, one: CertificateRow) -> tuple[str, ...]:
    """Return the codes of the errors that lint finds as if it were to be issued now."""
    if one.profile is None or one.profile.reference != one.data["profile"] or one.signer is None:
        return ()
    judged = JudgedCertificate(one.read, one.profile, one.signer.read, run.site, strict=True)
    findings = check_certificate(judged)
    return tuple(sorted({f.code for f in findings if f.severity is Severity.ERROR}))


CHECKS = {
    "HC-1.2-01": _policy,
    "HC-1.4-01": of_holders(_key_usage),
    "HC-7.1-01": of_holders(_version_and_roles),
    "HC-7.1-02": _role_names,
    "HC-7.1-03": lambda _: _serial,
    "HC-7.1-04": _list_pointer,
    "HC-7.1-05": lambda _: _pair,
    "HC-7.1-06": _whole,
}
"""The checks of this module."""
