"""What stands on a card, as JSON and as lines for people; its texts are bounded and harmless."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Any

from card_personalization.apdu import SecurityNotSatisfied
from card_personalization.contents import (
    CERTIFICATE,
    Application,
    CardContents,
    DirectoryFacts,
    Fault,
    KeyContents,
)
from cli.words import phrase
from pki import oids
from pki.errors import InvalidInput
from pki.hcrole import decode_hc_roles
from pki.reading.certificate import Certificate, read_certificate
from pki.reading.values import Time, printable
from pki.validity import japan_date
from policies.hcroles import hc_role_table

_LONGEST = 500  # characters of one text
_NEEDS_PIN = SecurityNotSatisfied.stable_code

Tree = dict[str, Any]


def contents_tree(reader: str, contents: CardContents) -> Tree:
    """Everything read, as JSON shows it; ``reader``: where the card is."""
    return {
        "reader": reader,
        "atr": contents.atr.hex(),
        "applications": [_application(one) for one in contents.applications],
    }


def card_record(tree: Tree) -> Tree:
    """Lines on the card itself."""
    return {name: tree[name] for name in ("reader", "atr")}


def application_record(application: Tree, lang: str) -> Tree:
    """Lines on one application; what it does not tell is left out."""
    record = {name: application[name] for name in ("kind", "card", "state")}
    return _told(record) | _unreadable(application, lang)


def key_record(kind: str, key: Tree, lang: str) -> Tree:
    """Lines on one key; what the card does not tell is left out."""
    record = {"usage": f"{kind} {key['usage']}"}
    for name, value in key.items():
        if name == "qualification":
            record[name] = _roles(value, lang)
        elif name == "tries_left" and value == 0:
            record[name] = phrase("blocked", lang)
        elif isinstance(value, datetime):
            record[name] = _day(value)
        elif name == "ca_certificates":
            record[name] = "\n".join(f"{one['label']}: {one['subject']}" for one in value)
        elif name not in ("usage", "unreadable"):
            record[name] = value
    return _told(record) | _unreadable(key, lang)


def _day(moment: datetime) -> str:
    """Day in Japan; of the last day there is, in UTC."""
    try:
        return str(japan_date(moment))
    except OverflowError:
        return str(moment.date())


def _roles(roles: list[Mapping[str, str | None]], lang: str) -> str:
    if not roles:
        return phrase("none", lang)
    return "\n".join(
        phrase("qualification", lang, one["role"], one["japanese"])
        if one["japanese"]
        else f"{one['role']}"
        for one in roles
    )


def _unreadable(tree: Tree, lang: str) -> Tree:
    lines = [
        f"{one['part']}: "
        + (phrase("needs_pin", lang) if one["code"] == _NEEDS_PIN else one["text"])
        for one in tree["unreadable"]
    ]
    return {"unreadable": "\n".join(lines)} if lines else {}


def _told(record: Tree) -> Tree:
    return {name: value for name, value in record.items() if value not in (None, "", [])}


def _application(application: Application) -> Tree:
    return {
        "kind": application.kind.value,
        "card": _bounded(application.serial) or None,
        "state": application.state.value if application.state else None,
        "unreadable": [_fault(one) for one in application.faults],
        "keys": [_key(one) for one in application.keys],
    }


def _key(key: KeyContents) -> Tree:
    faults = list(key.faults)
    authorities = []
    for label, der in key.ca_certificates_der:
        try:
            authorities.append({"label": _bounded(label)} | _issued(read_certificate(der)))
        except InvalidInput as error:
            faults.append(Fault(f"CA certificate {label}", error))
    tree: Tree = {"usage": key.role}
    if key.certificate_der:
        tree |= _holder(key.certificate_der, faults)
    tree |= {"tries_left": key.tries_left, "ca_certificates": authorities}
    if key.directory is not None:
        tree |= _directory(key.directory)
    return tree | {"unreadable": [_fault(one) for one in faults]}


def _holder(der: bytes, faults: list[Fault]) -> Tree:
    """Return the certificate and its qualification; what cannot be read goes to ``faults``."""
    try:
        certificate = read_certificate(der)
    except InvalidInput as error:
        faults.append(Fault(CERTIFICATE, error))
        return {}
    issued = _issued(certificate)
    tree: Tree = {"subject": issued.pop("subject"), "kanji_name": _other_name(certificate)}
    found = certificate.by_oid.get(oids.SUBJECT_DIRECTORY_ATTRIBUTES)
    try:
        roles = decode_hc_roles(found.octets) if found else ()
        tree["qualification"] = [_role(role) for role in roles]
    except InvalidInput as error:
        faults.append(Fault("hcRole", error))
    return tree | issued


def _role(role: str) -> Tree:
    return {"role": _bounded(role), "japanese": hc_role_table().japanese_of(role)}


def _issued(certificate: Certificate) -> Tree:
    return {
        "subject": _bounded(certificate.subject.text),
        "issuer": _bounded(certificate.issuer.text),
        "serial": _bounded(f"{certificate.serial:x}"),
        "not_before": _moment(certificate.not_before),
        "not_after": _moment(certificate.not_after),
        "key": _bounded(certificate.public_key.text),
        "sha256": certificate.sha256,
    }


def _moment(time: Time) -> Any:
    return time.moment or _bounded(time.octets.decode("ascii", "backslashreplace"))


def _other_name(certificate: Certificate) -> str | None:
    """CN of the directoryName in subjectAltName, where HPKI certificates have the kanji."""
    for one in certificate.value(oids.SUBJECT_ALT_NAME) or ():
        name = one.name.first(oids.COMMON_NAME) if one.name is not None else None
        if name is not None:
            return _bounded(name)
    return None


def _directory(facts: DirectoryFacts) -> Tree:
    """Return what the card's own directory says; identifiers and paths in hexadecimal."""
    tree: Tree = {}
    if facts.info is not None:
        tree["label"] = _bounded(facts.info.label)
    if facts.key is not None:
        key = facts.key
        tree |= {
            "key_label": _bounded(key.label),
            "key_id": _bounded(key.key_id.hex()),
            "key_path": _bounded(key.path.hex()),
            "key_bits": key.modulus_bits or None,
        }
    if facts.pin is not None:
        tree["pin_reference"] = f"{facts.pin.reference:02X}"
    return tree | {"certificate_paths": [_bounded(one.path.hex()) for one in facts.certificates]}


def _fault(fault: Fault) -> Tree:
    error = fault.error
    return {"part": _bounded(fault.part), "code": error.code, "text": _bounded(error.text)}


def _bounded(text: str) -> str:
    """Return the text without what could bend a terminal, and not endless."""
    return printable(text if len(text) <= _LONGEST else f"{text[:_LONGEST]}…")
