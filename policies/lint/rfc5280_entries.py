"""RFC 5280 section 5.3 and 5.1.2.6 on the entries of a list, told of from one survey of them."""

from __future__ import annotations

from collections.abc import Callable

from pki.findings import Severity
from policies.lint.check import Check, Found, JudgedList
from policies.lint.hpki_lists import reason_text
from policies.lint.survey import MOST_UNORDERED, REASON_IS_CRITICAL, is_delta, survey
from policies.lint.words import shown

_REMOVE_FROM_CRL = 8
_UNKNOWN = (7, -1)


def _noted(code: str) -> Callable[[JudgedList], Found]:
    """Return a check that tells what the survey noted under the code."""

    def find(judged: JudgedList) -> Found:
        return survey(judged.crl).found(code)

    return find


def _unreadable(judged: JudgedList) -> Found:
    reason = survey(judged.crl).unreadable
    if reason is not None:
        yield f"after {survey(judged.crl).count} entries: {shown(reason)}"


def _repeated(judged: JudgedList) -> Found:
    found = survey(judged.crl)
    yield from found.found("R322")
    if found.too_many:
        yield Severity.INFO, f"not looked for: more than {MOST_UNORDERED} entries without order"


def _criticality(judged: JudgedList) -> Found:
    found = survey(judged.crl)
    yield from found.found("R328")
    if judged.profile is None:
        yield from found.found(REASON_IS_CRITICAL)


def _removed(judged: JudgedList) -> Found:
    tally = survey(judged.crl).reasons.get(_REMOVE_FROM_CRL)
    if tally is None or judged.profile is not None or is_delta(judged.crl):
        return
    for message in tally.messages():
        yield f"{message}: {reason_text(_REMOVE_FROM_CRL)} in a complete list"


def _reasons(judged: JudgedList) -> Found:
    if judged.profile is not None:
        return
    found = survey(judged.crl).reasons
    for reason in _UNKNOWN:
        if reason in found:
            yield from (f"{one}: {reason_text(reason)}" for one in found[reason].messages())
    if 0 in found:
        for message in found[0].messages():
            yield Severity.WARNING, f"{message}: {reason_text(0)}, which should be left out"


CHECKS: tuple[Check[JudgedList], ...] = (
    Check(
        "R320",
        Severity.ERROR,
        "CRL",
        "Every entry can be read.",
        "RFC 5280 5.1.2.6",
        "READ",
        _unreadable,
    ),
    Check(
        "R321",
        Severity.ERROR,
        "CRL",
        "The serial number of an entry is positive and has at most 20 octets.",
        "RFC 5280 4.1.2.2, 5.1.2.6",
        "READ",
        _noted("R321"),
    ),
    Check(
        "R322",
        Severity.WARNING,
        "CRL",
        "No certificate stands on a list twice.",
        "RFC 5280 5.1.2.6",
        "INFERRED",
        _repeated,
        Severity.ERROR,
    ),
    Check(
        "R323",
        Severity.ERROR,
        "CRL",
        "revocationDate is UTCTime until 2049 and GeneralizedTime from 2050, in seconds and GMT.",
        "RFC 5280 5.1.2.6",
        "READ",
        _noted("R323"),
    ),
    Check(
        "R324",
        Severity.WARNING,
        "CRL",
        "No revocationDate is later than thisUpdate.",
        "RFC 5280 5.1.2.6",
        "INFERRED",
        _noted("R324"),
    ),
    Check(
        "R325",
        Severity.ERROR,
        "CRL",
        "Every extension of an entry that RFC 5280 knows can be read.",
        "RFC 5280 5.3",
        "READ",
        _noted("R325"),
    ),
    Check(
        "R326",
        Severity.ERROR,
        "CRL",
        "A critical extension of an entry is one that RFC 5280 has for entries.",
        "RFC 5280 5.3",
        "READ",
        _noted("R326"),
    ),
    Check(
        "R327",
        Severity.ERROR,
        "CRL",
        "No extension of an entry stands twice.",
        "RFC 5280 4.2, 5.3",
        "READ",
        _noted("R327"),
    ),
    Check(
        "R328",
        Severity.ERROR,
        "CRL",
        "certificateIssuer is critical; reasonCode, invalidityDate and holdInstructionCode are "
        "not.",
        "RFC 5280 5.3",
        "READ",
        _criticality,
    ),
    Check(
        "R329",
        Severity.ERROR,
        "CRL",
        "invalidityDate is a GeneralizedTime in seconds and GMT, in any year.",
        "RFC 5280 5.3.2",
        "READ",
        _noted("R329"),
    ),
    Check(
        "R330",
        Severity.ERROR,
        "CRL",
        "certificateIssuer stands only in an indirect list.",
        "RFC 5280 5.2.5, 5.3.3",
        "READ",
        _noted("R330"),
    ),
    Check(
        "R331",
        Severity.ERROR,
        "CRL",
        "reasonCode 8 (removeFromCRL) stands only in a delta list.",
        "RFC 5280 5.3.1",
        "READ",
        _removed,
    ),
    Check(
        "R332",
        Severity.INFO,
        "CRL",
        "holdInstructionCode is obsolete: RFC 5280 has it no more.",
        "RFC 5280 1, RFC 3280 5.3.2",
        "READ",
        _noted("R332"),
    ),
    Check(
        "R333",
        Severity.ERROR,
        "CRL",
        "The extensions of an entry are left out rather than empty.",
        "RFC 5280 5.1, 5.3",
        "READ",
        _noted("R333"),
    ),
    Check(
        "R334",
        Severity.ERROR,
        "CRL",
        "A reasonCode is one that RFC 5280 has; 0 (unspecified) should be left out.",
        "RFC 5280 5.3.1",
        "READ",
        _reasons,
    ),
)
