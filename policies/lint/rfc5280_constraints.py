"""RFC 5280 on policies and constraints: R240 to R250.

Where a rule of the HPKI says the same of what has a profile, the rule here speaks only of the rest:
H051 asks for one policy with one CPS URI, so certificatePolicies is looked at only where no profile
rules it.
"""

from __future__ import annotations

from unicodedata import category, is_normalized

from pki import oids
from pki.findings import Severity
from pki.reading.extensions import PolicyInformation, Qualifier, Subtree
from pki.reading.tlv import SEQUENCE, DerError, Reader
from pki.reading.values import (
    DNS,
    EDI,
    EMAIL,
    IP,
    REGISTERED_ID,
    STRING_TYPES,
    URI,
    X400,
    Attribute,
    GeneralName,
)
from policies.lint.check import Check, Found, JudgedCertificate
from policies.lint.rfc5280_extensions import extension_name, is_ca
from policies.lint.rfc5280_general_names import is_host, is_mailbox, name_fault
from policies.lint.words import number, shown

_UTF8_STRING, _IA5_STRING, _VISIBLE_STRING, _BMP_STRING = 0x0C, 0x16, 0x1A, 0x1E
_LONGEST_NOTICE = 200
_FOR_CAS = (oids.POLICY_MAPPINGS, oids.POLICY_CONSTRAINTS, oids.INHIBIT_ANY_POLICY)
_UNDEFINED_BASES = {X400: "an x400Address", EDI: "an ediPartyName", REGISTERED_ID: "a registeredID"}
_ADDRESS_AND_MASK = {8: 4, 32: 16}


def _policies(judged: JudgedCertificate) -> tuple[PolicyInformation, ...]:
    if judged.profile is not None and judged.profile.certificate_policies is not None:
        return ()
    return judged.certificate.value(oids.CERTIFICATE_POLICIES) or ()


def _policy_twice(judged: JudgedCertificate) -> Found:
    seen: set[str] = set()
    for policy in _policies(judged):
        if policy.oid in seen:
            yield f"certificatePolicies has the policy {shown(policy.oid)} twice"
            return
        seen.add(policy.oid)


def _qualifiers(judged: JudgedCertificate) -> Found:
    for policy in _policies(judged):
        if policy.qualifiers == ():
            yield f"the policy {shown(policy.oid)} has an empty list of qualifiers"
        for one in policy.qualifiers or ():
            if one.oid in (oids.QUALIFIER_CPS, oids.QUALIFIER_USER_NOTICE):
                continue
            if policy.oid == oids.ANY_POLICY:
                yield f"anyPolicy has the qualifier {shown(one.oid)}"
            else:
                yield Severity.WARNING, f"a policy has the unknown qualifier {shown(one.oid)}"


def _qualifiers_of(judged: JudgedCertificate, kind: str) -> list[Qualifier]:
    return [
        one for policy in _policies(judged) for one in policy.qualifiers or () if one.oid == kind
    ]


def _practice_statement(judged: JudgedCertificate) -> Found:
    for one in _qualifiers_of(judged, oids.QUALIFIER_CPS):
        if one.tag != _IA5_STRING:
            yield f"the CPS URI has the tag {one.tag:02x}, not IA5String"
        elif (fault := name_fault(GeneralName(URI, one.octets))) is not None:
            yield fault[0], f"the CPS qualifier has {fault[1]}"


def _user_notice(judged: JudgedCertificate) -> Found:
    for one in _qualifiers_of(judged, oids.QUALIFIER_USER_NOTICE):
        try:
            yield from _notice_faults(one)
        except DerError as error:
            yield f"a userNotice cannot be read: {shown(error)}"


def _notice_faults(qualifier: Qualifier) -> Found:
    if qualifier.tag != SEQUENCE:
        raise DerError("it is no SEQUENCE")
    reader = Reader(qualifier.octets)
    parts = [
        (tag, qualifier.octets[a:b]) for _, tag, a, b in reader.children(0, len(reader.octets))
    ]
    yield from (f"a userNotice: {fault}" for fault in reader.faults)
    if parts and parts[0][0] == SEQUENCE:
        yield Severity.WARNING, "a userNotice has a noticeRef"
        parts = parts[1:]
    if len(parts) > 1:
        raise DerError("it has more than noticeRef and explicitText")
    for tag, value in parts:
        yield from _text_faults(tag, value)


def _text_faults(tag: int, value: bytes) -> Found:
    if tag in (_VISIBLE_STRING, _BMP_STRING):
        kind = "BMPString" if tag == _BMP_STRING else "VisibleString"
        yield Severity.WARNING, f"explicitText is {kind}, not UTF8String"
    elif tag != _UTF8_STRING:
        yield f"explicitText is {STRING_TYPES.get(tag, (f'tag {tag:02x}',))[0]}, not UTF8String"
        return
    text = Attribute("", _IA5_STRING if tag == _VISIBLE_STRING else tag, value).text
    if text is None:
        yield "explicitText has octets that are not of its string type"
    elif not 1 <= len(text) <= _LONGEST_NOTICE:
        yield f"explicitText has {len(text)} characters, not 1 to {_LONGEST_NOTICE}"
    elif any(category(one) == "Cc" for one in text):
        yield Severity.WARNING, "explicitText has control characters"
    elif not is_normalized("NFC", text):
        yield Severity.WARNING, "explicitText is not in normalization form C"


def _mapped_any(judged: JudgedCertificate) -> Found:
    for pair in judged.certificate.value(oids.POLICY_MAPPINGS) or ():
        if oids.ANY_POLICY in pair:
            yield "policyMappings maps anyPolicy"
            return


def _mapped_policy(judged: JudgedCertificate) -> Found:
    mappings = judged.certificate.value(oids.POLICY_MAPPINGS)
    if not mappings:
        return
    asserted = {one.oid for one in judged.certificate.value(oids.CERTIFICATE_POLICIES) or ()}
    if oids.ANY_POLICY in asserted:
        return
    for mapped in dict.fromkeys(issuers_policy for issuers_policy, _ in mappings):
        if mapped not in asserted and mapped != oids.ANY_POLICY:
            yield f"the mapped policy {shown(mapped)} is not in certificatePolicies"


def _only_in_cas(judged: JudgedCertificate) -> Found:
    if judged.profile is not None:
        return
    for oid in _FOR_CAS:
        if oid in judged.certificate.by_oid and not is_ca(judged):
            yield f"{extension_name(oid)} stands in a certificate that is no CA's"


def _counts(judged: JudgedCertificate) -> Found:
    constraints = judged.certificate.value(oids.POLICY_CONSTRAINTS)
    if constraints is not None:
        explicit, mapping = constraints
        if explicit is not None and explicit < 0:
            yield f"requireExplicitPolicy is {number(explicit)}"
        if mapping is not None and mapping < 0:
            yield f"inhibitPolicyMapping is {number(mapping)}"
    inhibit = judged.certificate.value(oids.INHIBIT_ANY_POLICY)
    if inhibit is not None and inhibit < 0:
        yield f"inhibitAnyPolicy is {number(inhibit)}"


def _constrained_names(judged: JudgedCertificate) -> Found:
    if oids.NAME_CONSTRAINTS not in judged.certificate.by_oid or is_ca(judged):
        return
    if judged.profile is None or not judged.profile.is_ca:
        yield "nameConstraints stands in a certificate that is no CA's"


def _distances(judged: JudgedCertificate) -> Found:
    constraints = judged.certificate.value(oids.NAME_CONSTRAINTS)
    if constraints is None:
        return
    for label, subtrees in zip(("permittedSubtrees", "excludedSubtrees"), constraints, strict=True):
        if subtrees == ():
            yield f"{label} is empty"
        for one in subtrees or ():
            if one.minimum != 0:
                yield f"{label} has the minimum {number(one.minimum)}"
            if one.maximum is not None:
                yield f"{label} has the maximum {number(one.maximum)}"


def _bases(judged: JudgedCertificate) -> Found:
    constraints = judged.certificate.value(oids.NAME_CONSTRAINTS)
    if constraints is None:
        return
    for one in (*(constraints.permitted or ()), *(constraints.excluded or ())):
        yield from _base_faults(one)


def _base_faults(subtree: Subtree) -> Found:
    base = subtree.base
    if base.kind in _UNDEFINED_BASES:
        yield Severity.WARNING, f"nameConstraints has {_UNDEFINED_BASES[base.kind]}"
    elif base.kind == IP:
        if not _is_range(base.octets):
            yield f"nameConstraints has an iPAddress that is no range: {base.octets[:40].hex()}"
    elif base.kind in (DNS, EMAIL, URI):
        text = base.text
        if text is None or not _is_place(base.kind, text):
            wrong = shown(base.octets[:80].decode("latin-1"))
            yield f"nameConstraints has {wrong}, which is no {_PLACES[base.kind]}"


_PLACES = {DNS: "domain name", EMAIL: "mailbox, host or domain", URI: "host or domain"}


def _is_place(kind: int, text: str) -> bool:
    """Say whether the text is what a constraint of names of the kind may be."""
    if not text:
        return kind != URI
    if kind == EMAIL and is_mailbox(text):
        return True
    return is_host(text.removeprefix("."))


def _is_range(octets: bytes) -> bool:
    size = _ADDRESS_AND_MASK.get(len(octets))
    if size is None:
        return False
    mask = int.from_bytes(octets[size:], "big")
    inverse = mask ^ ((1 << 8 * size) - 1)
    return inverse & (inverse + 1) == 0


_ALL = "all certificates"
_FOREIGN = "certificates without a profile"
_UNRULED = "certificates whose profile has no rule for certificatePolicies, or without a profile"
CHECKS: tuple[Check[JudgedCertificate], ...] = (
    Check(
        "R240",
        Severity.ERROR,
        _UNRULED,
        "certificatePolicies has no policy twice.",
        "RFC 5280 4.2.1.4",
        "READ",
        _policy_twice,
    ),
    Check(
        "R241",
        Severity.ERROR,
        _UNRULED,
        "A list of policy qualifiers is not empty; with anyPolicy there are only CPS URI and "
        "userNotice, elsewhere others are a WARNING.",
        "RFC 5280 4.2.1.4",
        "READ",
        _qualifiers,
    ),
    Check(
        "R242",
        Severity.ERROR,
        _UNRULED,
        "A CPS qualifier is an absolute URI as IA5String.",
        "RFC 5280 4.2.1.4",
        "READ",
        _practice_statement,
    ),
    Check(
        "R243",
        Severity.ERROR,
        _UNRULED,
        "A userNotice has no noticeRef (WARNING) and an explicitText of 1 to 200 characters in "
        "UTF8String (VisibleString and BMPString: WARNING), normalized and without control "
        "characters (WARNING).",
        "RFC 5280 4.2.1.4, RFC 6818 3",
        "READ",
        _user_notice,
    ),
    Check(
        "R244",
        Severity.ERROR,
        _ALL,
        "policyMappings maps nothing to or from anyPolicy.",
        "RFC 5280 4.2.1.5",
        "READ",
        _mapped_any,
    ),
    Check(
        "R245",
        Severity.WARNING,
        _ALL,
        "The issuer's policies in policyMappings stand in certificatePolicies too.",
        "RFC 5280 4.2.1.5",
        "READ",
        _mapped_policy,
    ),
    Check(
        "R246",
        Severity.WARNING,
        _FOREIGN,
        "policyMappings, policyConstraints and inhibitAnyPolicy stand only in CAs' certificates.",
        "RFC 5280 4.2.1.5, 4.2.1.11, 4.2.1.14",
        "READ",
        _only_in_cas,
    ),
    Check(
        "R247",
        Severity.ERROR,
        _ALL,
        "The counts of policyConstraints and inhibitAnyPolicy are not negative.",
        "RFC 5280 4.2.1.11, 4.2.1.14",
        "READ",
        _counts,
    ),
    Check(
        "R248",
        Severity.ERROR,
        _ALL,
        "nameConstraints stands only in a CA's certificate.",
        "RFC 5280 4.2.1.10",
        "READ",
        _constrained_names,
    ),
    Check(
        "R249",
        Severity.ERROR,
        _ALL,
        "The lists of nameConstraints are not empty, every minimum is 0 and no maximum is there.",
        "RFC 5280 4.2.1.10",
        "READ",
        _distances,
    ),
    Check(
        "R250",
        Severity.ERROR,
        _ALL,
        "nameConstraints limits domain names, mailboxes, hosts of URIs, ranges of addresses and "
        "directory names, each in its form; x400Address, ediPartyName and registeredID are a "
        "WARNING.",
        "RFC 5280 4.2.1.10",
        "READ",
        _bases,
    ),
)
"""The checks of this module."""
