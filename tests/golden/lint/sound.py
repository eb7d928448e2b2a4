"""The sound twins: what the product itself builds by each profile, under fixed keys and times."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from functools import cache

from cryptography import x509
from cryptography.hazmat.primitives.serialization import Encoding

from ca.building import (
    IssuerFacts,
    Period,
    Wanted,
    certificate_twin,
    issuer_facts,
    own_facts,
)
from crl.building import ListFacts
from pki.names import distinguished_name
from pki.oids import (
    AUTHORITY_KEY_IDENTIFIER,
    CERTIFICATE_ISSUER,
    CERTIFICATE_POLICIES,
    DELTA_CRL_INDICATOR,
    INVALIDITY_DATE,
    ISSUING_DISTRIBUTION_POINT,
    ORGANIZATION,
    SUBJECT_DIRECTORY_ATTRIBUTES,
    SUBJECT_KEY_IDENTIFIER,
)
from pki.reasons import Reason, entry_der
from pki.signing import HashName, twin
from pki.validity import end_after_years, japan_date, start_of_day
from policies.profiles import ListScope, shipped_profiles
from policies.site import SiteKind
from tests.golden.lint.case import Draft, Scene, Sound, private_key
from tests.golden.lint.tree import (
    Node,
    attribute,
    boolean,
    integer,
    node,
    oid,
    parse,
    sequence,
    set_of,
    text,
)
from tests.golden.listing import to_be_signed

NOW = datetime(2026, 11, 22, 3, 0, 0, tzinfo=UTC)
CPS = "http://www.demo-hpki.example.jp/cps/"
REPOSITORY = "http://repository.demo-hpki.example.jp/"
ROOT_NAME = distinguished_name(
    organization="DEMO Ministry of Nobody",
    organizational_units=["DEMO Policy Planning", "DEMO HPKI Root CA V1"],
)
ROOT_JAPANESE = distinguished_name(
    organization="DEMO 見本省", organizational_units=["DEMO 政策担当", "DEMO ＨＰＫＩルート認証局"]
)
TAILS = {
    "sign": "forNonRepudiation",
    "auth": "forAuthentication-forIndividual",
    "auth-org": "forAuthentication-forOrganization",
}


def _finish(twin_: x509.Certificate, signer: str, hash_name: HashName = "SHA-256") -> Draft:
    return Draft(twin_.public_bytes(Encoding.DER), signer, hash_name)


def _loaded(draft: Draft) -> x509.Certificate:
    return x509.load_der_x509_certificate(draft.encode())


def _facts(draft: Draft, uri: str, hash_name: HashName = "SHA-256") -> IssuerFacts:
    return issuer_facts(_loaded(draft), CPS, REPOSITORY + uri, hash_name)


def root(kind: str = "", key: str = "root", hash_name: HashName = "SHA-256") -> Draft:
    """A self-signed root; ``kind`` is the profile id's tail."""
    wanted = Wanted(
        ROOT_NAME,
        private_key(key).public_key(),
        0x4D2F_93A1_7C60_1E58_01,
        Period(NOW, end_after_years(japan_date(NOW), 30)),
        ROOT_JAPANESE,
    )
    facts = own_facts(wanted, REPOSITORY, REPOSITORY + "rarl.crl", hash_name)
    profile = shipped_profiles().certificate(f"root{kind}")
    return _finish(certificate_twin(profile, facts, wanted, SiteKind.TRAINING), key, hash_name)


def link(kind: str) -> Scene:
    """A link certificate, its issuer (the root whose key signs it), and the other root."""
    old, new = root(), root(key="other")
    signer, signed = (new, "root") if kind == "old-with-new" else (old, "other")
    wanted = Wanted(
        ROOT_NAME,
        private_key(signed).public_key(),
        0x4D2F_93A1_7C60_1E58_02,
        Period(NOW, end_after_years(japan_date(NOW), 30)),
    )
    profile = shipped_profiles().certificate(f"root-link-{kind}")
    made = certificate_twin(profile, _facts(signer, "rarl.crl"), wanted, SiteKind.TRAINING)
    return Scene([_finish(made, signer.signer), signer])


def sub_ca(purpose: str, kind: str = "", keys: tuple[str, str] = ("root", "sub")) -> Scene:
    """A subordinate CA and its root."""
    hash_name: HashName = "SHA-384" if kind else "SHA-256"
    above = root(kind, keys[0], hash_name)
    wanted = Wanted(
        distinguished_name(
            organization="DEMO Certification Centre",
            organizational_units=["DEMO Digital Certificate Center"],
            common_name=f"HPKI-01-DEMO_{purpose.replace('-', '_')}1-{TAILS[purpose]}",
        ),
        private_key(keys[1]).public_key(),
        0x4D2F_93A1_7C60_1E58_03,
        Period(NOW, end_after_years(japan_date(NOW), 20)),
    )
    profile = shipped_profiles().certificate(f"sub-ca-{purpose}{kind}")
    facts = _facts(above, "sarl.crl", hash_name)
    made = certificate_twin(profile, facts, wanted, SiteKind.TRAINING)
    return Scene([_finish(made, keys[0], hash_name), above])


def person(
    profile: str,
    purpose: str,
    roles: tuple[str, ...] = ("Medical Doctor",),
    *,
    director: bool = False,
    japanese: bool = True,
    kind: str = "",
    keys: tuple[str, str, str] = ("root", "sub", "person"),
    list_name: str = "",
) -> Scene:
    """A holder's certificate, its CA and the root."""
    hash_name: HashName = "SHA-384" if kind else "SHA-256"
    above = sub_ca(purpose, kind, keys[:2])
    organization = purpose == "auth-org"
    names = {
        "organization": "DEMO Hospital" if director or organization else None,
        "organizational_units": ["Director"] if director else [],
        "common_name": "DEMO Hospital Gateway" if organization else "Hanako Demo",
        "serial_number": "DEMO0000000001",
    }
    japanese_name = distinguished_name(
        organization="DEMO 見本病院" if director or organization else None,
        common_name="見本　花子",
        serial_number="DEMO0000000001",
    )
    today = japan_date(NOW)
    wanted = Wanted(
        distinguished_name(**names),  # type: ignore[arg-type]
        private_key(keys[2]).public_key(),
        0x5B1C_0A2E_77F3_4D61_9A,
        Period(start_of_day(today), end_after_years(today, 5)),
        japanese_name if japanese else None,
        roles,
    )
    rules = shipped_profiles().certificate(profile)
    facts = _facts(above.first, list_name or f"{purpose}.crl", hash_name)
    made = certificate_twin(rules, facts, wanted, SiteKind.TRAINING)
    return Scene([_finish(made, keys[1], hash_name), *above.objects])


def service(profile: str) -> Scene:
    """A certificate of the centre's own machine, below the signing CA."""
    above = sub_ca("sign")
    days = 31 if profile == "ocsp" else 365
    end = start_of_day(japan_date(NOW + timedelta(days=days - 1))) - timedelta(seconds=1)
    wanted = Wanted(
        distinguished_name(
            organization="DEMO Certification Centre", common_name=f"DEMO {profile.upper()} 1"
        ),
        private_key("person").public_key(),
        0x7A11_0A2E_77F3_4D61_9B,
        Period(start_of_day(japan_date(NOW)) if profile == "tsa" else NOW, end),
    )
    rules = shipped_profiles().certificate(profile)
    made = certificate_twin(rules, _facts(above.first, "sign.crl"), wanted, SiteKind.TRAINING)
    return Scene([_finish(made, "sub"), *above.objects])


ENTRIES = (
    entry_der(0x31, NOW - timedelta(days=90), Reason.CESSATION_OF_OPERATION),
    entry_der(0x5B1C_0A2E_77F3_4D61_9C, NOW - timedelta(days=3), Reason.KEY_COMPROMISE),
    entry_der(0x6B1C_0A2E_77F3_4D61_9D, NOW - timedelta(hours=1), None),
)


def crl(
    issuer: Draft,
    scope: ListScope,
    number: int = 41,
    entries: tuple[bytes, ...] = (),
    this_update: datetime = NOW,
    shard_uri: str | None = None,
) -> Draft:
    """A list of the issuer."""
    facts = ListFacts(
        _loaded(issuer),
        scope,
        number,
        this_update,
        this_update + timedelta(hours=96),
        "SHA-256",
        shard_uri=shard_uri,
    )
    body = to_be_signed(facts, *entries)
    signer = "root" if scope is not ListScope.FULL else "sub"
    return Draft(twin(body, private_key(signer).public_key(), "SHA-256"), signer)


def _full() -> Scene:
    above = sub_ca("sign")
    return Scene([crl(above.first, ListScope.FULL, 41, ENTRIES), *above.objects])


def split() -> Scene:
    """One of the lists of a split sub CA, its issuer and root, and a certificate that names it."""
    certificate, *above = person("ee-sign", "sign", list_name="sign-3.crl").objects
    uri = REPOSITORY + "sign-3.crl"
    return Scene([crl(above[0], ListScope.FULL, 44, ENTRIES, shard_uri=uri), *above, certificate])


def _sarl() -> Scene:
    above = sub_ca("sign")
    return Scene([crl(above.objects[1], ListScope.SARL, 43), above.objects[1], above.first])


def _rarl() -> Scene:
    return Scene([crl(root(), ListScope.RARL, 42), root()])


def _pair() -> Scene:
    above = sub_ca("sign")
    older = crl(above.first, ListScope.FULL, 40, ENTRIES[:2], NOW - timedelta(hours=24))
    newer = crl(above.first, ListScope.FULL, 41, ENTRIES)
    return Scene([newer, older, *above.objects])


FOREIGN_POLICY = "1.2.392.200999.1.1"
"""A policy of nobody, not below the HPKI's."""


def foreign_ca() -> Scene:
    """A subordinate CA that is not the HPKI's: judged by RFC 5280 alone."""
    scene = sub_ca("sign")
    scene.first.field("subject")[3][0][1].octets = b"DEMO Foreign CA"
    scene.first.put(CERTIFICATE_POLICIES, sequence(sequence(oid(FOREIGN_POLICY))))
    return scene


def foreign_person() -> Scene:
    """A holder's certificate that is not the HPKI's, directly below a root."""
    found, _, above = person("ee-sign", "sign").objects
    found.signer = above.signer
    found.field("issuer").children = parse(above.field("subject").encode()).children
    key_identifier = above.value(SUBJECT_KEY_IDENTIFIER).octets
    found.put(AUTHORITY_KEY_IDENTIFIER, sequence(node(0x80, key_identifier)))
    found.put(CERTIFICATE_POLICIES, sequence(sequence(oid(FOREIGN_POLICY))))
    found.drop(SUBJECT_DIRECTORY_ATTRIBUTES)
    return Scene([found, above])


def to_the_anniversary() -> Scene:
    """A certificate of five years and a day less a second, as real cards have (profile 6.1)."""
    scene = person("ee-sign", "sign")
    today = japan_date(NOW)
    end = start_of_day(today.replace(year=today.year + 5)) + timedelta(days=1, seconds=-1)
    scene.first.field("validity")[1].octets = end.strftime("%y%m%d%H%M%SZ").encode()
    return scene


TEST = ("1 H053 INFO",)


def foreign_list() -> Scene:
    """A list that is not the HPKI's, its issuer and the root."""
    above = foreign_ca()
    return Scene([crl(above.first, ListScope.FULL, 41, ENTRIES), *above.objects])


def foreign_indirect_list() -> Scene:
    """An indirect list: the same serial number below two issuers, and an invalidityDate."""
    scene = foreign_list()
    flag = sequence(node(0x84, b"\xff"))
    scene.first.add(ISSUING_DISTRIBUTION_POINT, flag, critical=True)
    for place, organization in ((0, "Some"), (2, "Other")):
        name = sequence(set_of(attribute(ORGANIZATION, text(organization))))
        issuer = Node(0x04, sequence(node(0xA4, name)).encode())
        date = Node(0x04, node(0x18, b"20261031000000Z").encode())
        scene.first.tbs[5][place].children[2:] = [
            sequence(
                sequence(oid(CERTIFICATE_ISSUER), boolean(True), issuer),
                sequence(oid(INVALIDITY_DATE), date),
            )
        ]
    scene.first.tbs[5][2].children[0] = scene.first.tbs[5][0][0]
    return scene


def foreign_delta_list() -> Scene:
    """A delta list, from which an entry is removed."""
    scene = foreign_list()
    scene.first.add(DELTA_CRL_INDICATOR, integer(40), critical=True)
    scene.first.tbs[5][0][2][0].children[1] = Node(0x04, b"\x0a\x01\x08")
    return scene


def rollover() -> Scene:
    """Two keys of one root's name, each with its list of the same number, and a sub CA."""
    below = sub_ca("sign")
    old, new = below.issuer, root(key="other")
    new.field("serial").octets = bytes.fromhex("4D2F93A17C601E5804")
    authority = new.value(AUTHORITY_KEY_IDENTIFIER)
    authority[2].octets = new.field("serial").octets
    new.put(AUTHORITY_KEY_IDENTIFIER, authority)
    lists = [crl(new, ListScope.SARL, 43), crl(old, ListScope.SARL, 43)]
    lists[0].signer = "other"
    return Scene([*lists, old, new, below.first])


def _sound(make: Callable[[], Scene], *expect: str) -> Sound:
    return Sound(make, expect)


SOUND: dict[str, Sound] = {
    "root": _sound(lambda: Scene([root()])),
    "root-link-old-with-new": _sound(lambda: link("old-with-new")),
    "root-link-new-with-old": _sound(lambda: link("new-with-old")),
    "sub-ca-sign": _sound(lambda: sub_ca("sign")),
    "sub-ca-auth": _sound(lambda: sub_ca("auth")),
    "sub-ca-auth-org": _sound(lambda: sub_ca("auth-org")),
    "ee-sign": _sound(lambda: person("ee-sign", "sign"), *TEST),
    "ee-sign-director": _sound(
        lambda: person(
            "ee-sign", "sign", ("Medical Doctor", "Director of Hospital"), director=True
        ),
        *TEST,
        "1 H066 INFO",
    ),
    "ee-sign-clerk": _sound(lambda: person("ee-sign", "sign", (), japanese=False), *TEST),
    "ee-sign-remote": _sound(lambda: person("ee-sign-remote", "sign"), *TEST),
    "ee-auth": _sound(lambda: person("ee-auth", "auth"), *TEST),
    "ee-auth-org": _sound(lambda: person("ee-auth-org", "auth-org", ()), *TEST),
    "ocsp": _sound(lambda: service("ocsp")),
    "tsa": _sound(lambda: service("tsa")),
    "ng-root": _sound(lambda: Scene([root("-ng", "p384-root", "SHA-384")])),
    "ng-sub-ca-sign": _sound(lambda: sub_ca("sign", "-ng", ("p384-root", "p384-sub"))),
    "ng-ee-sign": _sound(
        lambda: person("ee-sign-ng", "sign", kind="-ng", keys=("p384-root", "p384-sub", "p256")),
        *TEST,
    ),
    "list": _sound(_full),
    "list-rarl": _sound(_rarl),
    "list-sarl": _sound(_sarl),
    "list-pair": _sound(_pair),
    "list-split": _sound(split, "4 H053 INFO"),
    "foreign-ca": _sound(foreign_ca),
    "foreign-ee": _sound(foreign_person),
    "foreign-list": _sound(foreign_list),
    "foreign-indirect-list": _sound(foreign_indirect_list),
    "foreign-delta-list": _sound(foreign_delta_list),
    "list-rarl-sub-ca": _sound(
        lambda: Scene([crl(root(), ListScope.RARL, 42), sub_ca("sign").first])
    ),
    "rollover": _sound(rollover),
    "ee-sign-to-the-anniversary": _sound(to_the_anniversary, *TEST),
}
"""Sound scenes by name."""


@cache
def sound_octets(name: str) -> tuple[bytes, ...]:
    """Return the DER of each object of the sound scene."""
    return tuple(draft.encode() for draft in SOUND[name].make().objects)
