"""Every check of the lint fires on its defect and is silent on the sound twin."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, rsa
from cryptography.hazmat.primitives.serialization import Encoding
from cryptography.x509.name import _ASN1Type
from cryptography.x509.oid import ExtendedKeyUsageOID, ExtensionOID, NameOID

from ca.orders import end_entity_period
from pki import extensions, oids
from pki.findings import Severity
from pki.names import distinguished_name
from policies import lint
from policies.lint import CHECKS, Subject, check_certificate
from policies.profiles import Purpose, certificate_profile
from policies.site import SiteKind
from tests.golden.test_certificates import (
    CONTENT,
    person,
    root,
    sub_ca,
)
from tests.golden.vectors import NOW, private_key, spki, tlv

SDA = x509.ObjectIdentifier(oids.SUBJECT_DIRECTORY_ATTRIBUTES)
PRODUCTION_SIGN = "1.2.392.100495.1.5.1.1.3.1"
TEST_SIGN = "1.2.392.100495.1.5.1.1.0.1"
TEST_AUTH = "1.2.392.100495.1.5.1.2.0.1"
CPS = "http://repository.test/cps/"
Extensions = dict[x509.ObjectIdentifier, tuple[x509.ExtensionType, bool]]


@dataclass(frozen=True)
class Draft:
    """The parts of one certificate, to be changed one at a time and built."""

    subject: x509.Name
    issuer: x509.Name
    key: object
    begin: datetime
    end: datetime
    extensions: Extensions
    profile: str
    signer: x509.Certificate
    kind: SiteKind = SiteKind.TRAINING
    signing_key: str = "sub"
    algorithm: hashes.HashAlgorithm = field(default_factory=hashes.SHA256)

    def build(self) -> x509.Certificate:
        builder = (
            x509.CertificateBuilder()
            .subject_name(self.subject)
            .issuer_name(self.issuer)
            .public_key(self.key)  # type: ignore[arg-type]
            .serial_number(0x83E3)
            .not_valid_before(self.begin)
            .not_valid_after(self.end)
        )
        for value, critical in self.extensions.values():
            builder = builder.add_extension(value, critical)
        return builder.sign(private_key(self.signing_key), self.algorithm)  # type: ignore[arg-type]

    def with_extension(self, value: x509.ExtensionType, critical: bool | None = None) -> Draft:
        old = self.extensions.get(value.oid)
        kept = old[1] if old is not None else False
        flag = kept if critical is None else critical
        return replace(self, extensions={**self.extensions, value.oid: (value, flag)})

    def without(self, oid: x509.ObjectIdentifier) -> Draft:
        return replace(self, extensions={k: v for k, v in self.extensions.items() if k != oid})

    def critical(self, oid: x509.ObjectIdentifier, flag: bool) -> Draft:
        return replace(self, extensions={**self.extensions, oid: (self.extensions[oid][0], flag)})

    def judged(self, certificate: x509.Certificate | None = None) -> Subject:
        return Subject(
            certificate or self.build(), self.signer, certificate_profile(self.profile), self.kind
        )


def draft_of(certificate: x509.Certificate, profile: str, signer: x509.Certificate) -> Draft:
    return Draft(
        subject=certificate.subject,
        issuer=certificate.issuer,
        key=certificate.public_key(),
        begin=certificate.not_valid_before_utc,
        end=certificate.not_valid_after_utc,
        extensions={one.oid: (one.value, one.critical) for one in certificate.extensions},
        profile=profile,
        signer=signer,
        signing_key="sub" if profile.startswith("ee-") else "root",
    )


def ee() -> Draft:
    return draft_of(person(Purpose.SIGN), "ee-sign", sub_ca())


def ca() -> Draft:
    return draft_of(sub_ca(), "sub-ca-sign", root())


def top() -> Draft:
    return draft_of(root(), "root", root())


def auth() -> Draft:
    """The authentication profile, below the signing CA: wrong by its issuer's name."""
    return draft_of(person(Purpose.AUTH), "ee-auth", sub_ca())


def rename(draft: Draft, *attributes: x509.NameAttribute[str]) -> Draft:
    kept = [one for one in draft.subject if one.oid not in {new.oid for new in attributes}]
    return replace(draft, subject=x509.Name([*kept, *attributes]))


def roles(draft: Draft, *names: str) -> Draft:
    return draft.with_extension(extensions.hc_role(names))


def director(draft: Draft) -> Draft:
    content = CONTENT.model_copy(update={"organizational_unit": "Director"})
    return replace(draft, subject=content.subject())


def points(*found: x509.DistributionPoint) -> x509.CRLDistributionPoints:
    return x509.CRLDistributionPoints(found)


def uri_point(
    reasons: frozenset[x509.ReasonFlags] | None = None,
    crl_issuer: list[x509.GeneralName] | None = None,
) -> x509.DistributionPoint:
    uri = x509.UniformResourceIdentifier("http://repository.test/sign.crl")
    return x509.DistributionPoint([uri], None, reasons, crl_issuer)


def policy(oid: str, *qualifiers: str | x509.UserNotice) -> x509.PolicyInformation:
    return x509.PolicyInformation(x509.ObjectIdentifier(oid), list(qualifiers) or None)


def identifier(draft: Draft, **changes: object) -> Draft:
    found = draft.extensions[ExtensionOID.AUTHORITY_KEY_IDENTIFIER][0]
    assert isinstance(found, x509.AuthorityKeyIdentifier)
    parts = {
        "key_identifier": found.key_identifier,
        "authority_cert_issuer": found.authority_cert_issuer,
        "authority_cert_serial_number": found.authority_cert_serial_number,
    }
    return draft.with_extension(x509.AuthorityKeyIdentifier(**{**parts, **changes}))  # type: ignore[arg-type]


def same_key_identifier(draft: Draft, key: rsa.RSAPublicKey | ec.EllipticCurvePublicKey) -> Draft:
    return replace(draft, key=key).with_extension(x509.SubjectKeyIdentifier.from_public_key(key))


def alternative(*found: x509.GeneralName) -> x509.SubjectAlternativeName:
    return x509.SubjectAlternativeName(found)


HOUR = timedelta(hours=1)
DAY = timedelta(days=1)
UTF8 = _ASN1Type.UTF8String
PRINTABLE = _ASN1Type.PrintableString
EMPTY_NAME = distinguished_name(common_name="山田", serial_number="OTHER")

Change = Callable[[], Draft]
FIRES: list[tuple[str, str, Change]] = [
    ("check_algorithm", "H002", lambda: replace(ee(), algorithm=hashes.SHA384())),
    (
        "check_names",
        "H003",
        lambda: replace(ee(), subject=x509.Name(list(ee().subject)[1:])),
    ),
    (
        "check_names",
        "H003",
        lambda: rename(ee(), x509.NameAttribute(NameOID.COUNTRY_NAME, "US")),
    ),
    (
        "check_names",
        "H004",
        lambda: rename(ee(), x509.NameAttribute(NameOID.COMMON_NAME, "Taro", PRINTABLE)),
    ),
    (
        "check_names",
        "H005",
        lambda: replace(
            ee(),
            subject=x509.Name(
                [x509.RelativeDistinguishedName([one]) for one in list(ee().subject)[:1]]
                + [x509.RelativeDistinguishedName(list(ee().subject)[1:])]
            ),
        ),
    ),
    ("check_names", "H006", lambda: rename(ee(), x509.NameAttribute(NameOID.COMMON_NAME, "太郎"))),
    (
        "check_ca_name",
        "H010",
        lambda: rename(
            ca(),
            x509.NameAttribute(NameOID.COMMON_NAME, "HPKI-01-DEMO-forAuthentication-forIndividual"),
        ),
    ),
    (
        "check_ca_name",
        "H010",
        lambda: rename(ca(), x509.NameAttribute(NameOID.COMMON_NAME, "DEMO CA")),
    ),
    ("check_ca_name", "H010", auth),
    (
        "check_extension_set",
        "H011",
        lambda: ee().with_extension(x509.ExtendedKeyUsage([ExtendedKeyUsageOID.CLIENT_AUTH])),
    ),
    (
        "check_extension_set",
        "H011",
        lambda: ee().with_extension(x509.BasicConstraints(False, None)),
    ),
    (
        "check_extension_set",
        "H011",
        lambda: ee().with_extension(
            x509.UnrecognizedExtension(x509.ObjectIdentifier("1.2.3.4"), b"\x05\x00"), True
        ),
    ),
    (
        "check_extension_set",
        "H011",
        lambda: top().with_extension(x509.CertificatePolicies([policy(TEST_SIGN, CPS)])),
    ),
    *(
        ("check_extension_set", "H011", lambda oid=oid: ee().without(oid))
        for oid in (
            ExtensionOID.AUTHORITY_KEY_IDENTIFIER,
            ExtensionOID.SUBJECT_KEY_IDENTIFIER,
            ExtensionOID.KEY_USAGE,
            ExtensionOID.CERTIFICATE_POLICIES,
            ExtensionOID.CRL_DISTRIBUTION_POINTS,
        )
    ),
    ("check_extension_set", "H011", lambda: ca().without(ExtensionOID.BASIC_CONSTRAINTS)),
    *(
        ("check_extension_set", "H011", lambda oid=oid, flag=flag: ee().critical(oid, flag))
        for oid, flag in (
            (ExtensionOID.AUTHORITY_KEY_IDENTIFIER, True),
            (ExtensionOID.SUBJECT_KEY_IDENTIFIER, True),
            (ExtensionOID.KEY_USAGE, False),
            (ExtensionOID.CERTIFICATE_POLICIES, False),
            (ExtensionOID.CRL_DISTRIBUTION_POINTS, True),
            (ExtensionOID.SUBJECT_ALTERNATIVE_NAME, True),
            (SDA, True),
        )
    ),
    (
        "check_extension_set",
        "H011",
        lambda: ca().critical(ExtensionOID.BASIC_CONSTRAINTS, False),
    ),
    ("check_authority_key", "H020", lambda: identifier(ee(), key_identifier=bytes(20))),
    ("check_authority_key", "H021", lambda: identifier(ee(), authority_cert_serial_number=5)),
    (
        "check_authority_key",
        "H021",
        lambda: identifier(ee(), authority_cert_issuer=[x509.DirectoryName(ee().issuer)]),
    ),
    (
        "check_authority_key",
        "H021",
        lambda: identifier(ee(), authority_cert_issuer=None, authority_cert_serial_number=None),
    ),
    (
        "check_subject_key",
        "H022",
        lambda: ee().with_extension(x509.SubjectKeyIdentifier(bytes(20))),
    ),
    (
        "check_subject_key",
        "H083",
        lambda: same_key_identifier(ee(), rsa.generate_private_key(65537, 1024).public_key()),
    ),
    (
        "check_subject_key",
        "H083",
        lambda: same_key_identifier(ee(), rsa.generate_private_key(3, 2048).public_key()),
    ),
    (
        "check_subject_key",
        "H083",
        lambda: same_key_identifier(ee(), ec.generate_private_key(ec.SECP256R1()).public_key()),
    ),
    (
        "check_subject_key",
        "H083",
        lambda: replace(ee(), key=ed25519.Ed25519PrivateKey.generate().public_key()),
    ),
    (
        "check_basic_constraints",
        "H030",
        lambda: ca().with_extension(x509.BasicConstraints(True, 0)),
    ),
    (
        "check_basic_constraints",
        "H030",
        lambda: top().with_extension(x509.BasicConstraints(False, None)),
    ),
    (
        "check_key_usage",
        "H040",
        lambda: ca().with_extension(extensions.key_usage(["keyCertSign"])),
    ),
    (
        "check_key_usage",
        "H040",
        lambda: top().with_extension(
            extensions.key_usage(["keyCertSign", "cRLSign", "digitalSignature"])
        ),
    ),
    (
        "check_key_usage",
        "H041",
        lambda: ee().with_extension(extensions.key_usage(["nonRepudiation", "digitalSignature"])),
    ),
    (
        "check_key_usage",
        "H042",
        lambda: auth().with_extension(extensions.key_usage(["nonRepudiation"])),
    ),
    (
        "check_policies",
        "H052",
        lambda: ee().with_extension(x509.CertificatePolicies([policy(PRODUCTION_SIGN, CPS)])),
    ),
    (
        "check_policies",
        "H052",
        lambda: ee().with_extension(x509.CertificatePolicies([policy(TEST_AUTH, CPS)])),
    ),
    (
        "check_policies",
        "H052",
        lambda: ee().with_extension(
            x509.CertificatePolicies([policy(TEST_SIGN, CPS), policy(TEST_AUTH, CPS)])
        ),
    ),
    ("check_policies", "H052", lambda: replace(ee(), kind=SiteKind.PRODUCTION)),
    (
        "check_policies",
        "H051",
        lambda: ee().with_extension(x509.CertificatePolicies([policy(TEST_SIGN)])),
    ),
    (
        "check_policies",
        "H051",
        lambda: ee().with_extension(x509.CertificatePolicies([policy(TEST_SIGN, CPS, CPS)])),
    ),
    (
        "check_policies",
        "H051",
        lambda: ee().with_extension(
            x509.CertificatePolicies([policy(TEST_SIGN, "ldap://repository.test/")])
        ),
    ),
    (
        "check_policies",
        "H051",
        lambda: ee().with_extension(
            x509.CertificatePolicies([policy(TEST_SIGN, x509.UserNotice(None, "http://x"))])
        ),
    ),
    (
        "check_hc_role",
        "H061",
        lambda: ee().with_extension(x509.UnrecognizedExtension(SDA, b"\x30\x02\x30\x00")),
    ),
    ("check_hc_role", "H062", lambda: roles(ee(), "medical doctor")),
    ("check_hc_role", "H064", lambda: roles(ee(), "Medical Doctor", "Director of Hospital")),
    (
        "check_hc_role",
        "H064",
        lambda: roles(
            replace(
                ee(),
                subject=distinguished_name(
                    organizational_units=["Director"], common_name="A", serial_number="D000001"
                ),
            ),
            "Director of Clinic",
        ),
    ),
    ("check_hc_role", "H065", lambda: director(ee())),
    (
        "check_distribution_points",
        "H071",
        lambda: ee().with_extension(points(uri_point(), uri_point())),
    ),
    (
        "check_distribution_points",
        "H071",
        lambda: ee().with_extension(
            points(uri_point(frozenset({x509.ReasonFlags.key_compromise})))
        ),
    ),
    (
        "check_distribution_points",
        "H071",
        lambda: ee().with_extension(
            points(uri_point(crl_issuer=[x509.DirectoryName(ee().issuer)]))
        ),
    ),
    (
        "check_distribution_points",
        "H071",
        lambda: ee().with_extension(
            points(x509.DistributionPoint([x509.DirectoryName(ee().issuer)], None, None, None))
        ),
    ),
    ("check_distribution_points", "H070", lambda: ca().with_extension(points(uri_point()))),
    (
        "check_distribution_points",
        "H070",
        lambda: top().with_extension(
            points(
                uri_point(),
                x509.DistributionPoint([x509.DirectoryName(top().subject)], None, None, None),
            )
        ),
    ),
    (
        "check_alternative_name",
        "H072",
        lambda: ee().with_extension(alternative(x509.RFC822Name("a@example.test"))),
    ),
    (
        "check_alternative_name",
        "H072",
        lambda: ee().with_extension(
            alternative(x509.DirectoryName(ee().subject), x509.DirectoryName(ee().subject))
        ),
    ),
    (
        "check_alternative_name",
        "H072",
        lambda: ee().with_extension(alternative(x509.DirectoryName(EMPTY_NAME))),
    ),
    # notAfter may reach (notBefore's JST date + 5 years) 23:59:59 JST, and no further (6.1)
    ("check_validity", "H080", lambda: replace(ee(), end=ee().end + 2 * DAY)),
    ("check_validity", "H080", lambda: replace(ca(), end=ca().end + 2 * DAY)),
    ("check_validity", "H081", lambda: replace(ee(), begin=ee().begin + HOUR)),
    ("check_validity", "H081", lambda: replace(ee(), end=ee().end - timedelta(seconds=1))),
    ("check_validity", "H081", lambda: replace(ca(), end=ca().end - HOUR)),
    (
        "check_validity",
        "H082",
        lambda: replace(
            ee(),
            begin=datetime(2046, 11, 1, 15, tzinfo=UTC),
            end=datetime(2046, 11, 21, 14, 59, 59, tzinfo=UTC),
        ),
    ),
]
WARNINGS = {"H004", "H005", "H006", "H062", "H065"}


@pytest.mark.parametrize(
    ("check", "code", "change"),
    FIRES,
    ids=[f"{code}-{number}" for number, (_, code, _) in enumerate(FIRES)],
)
def test_a_check_fires_on_its_defect(check: str, code: str, change: Change) -> None:
    findings = list(getattr(lint, check)(change().judged()))
    assert {finding.code for finding in findings} == {code}
    wanted = Severity.WARNING if code in WARNINGS else Severity.ERROR
    assert {finding.severity for finding in findings} == {wanted}
    assert all(finding.source and finding.message for finding in findings)


def cut(certificate: x509.Certificate) -> tuple[str, str, str]:
    """The hexadecimal of what stands before, and inside, the extensions, and after the body."""
    body = certificate.tbs_certificate_bytes
    whole = certificate.public_bytes(Encoding.DER)
    head, extension_octets = body[4:].split(spki("person"))
    rest = whole[whole.index(body) + len(body) :]
    return (head + spki("person")).hex(), extension_octets[8:].hex(), rest.hex()


def joined(head: str, extension_octets: str, rest: str) -> x509.Certificate:
    body = tlv("30", head, tlv("a3", tlv("30", extension_octets)))
    return x509.load_der_x509_certificate(bytes.fromhex(tlv("30", body, rest)))


def test_cutting_and_joining_gives_the_certificate() -> None:
    certificate = ee().build()
    assert joined(*cut(certificate)) == certificate


def test_version() -> None:
    draft = ee()
    head, extension_octets, rest = cut(draft.build())
    assert head.startswith("a003020102")
    subject = draft.judged(joined(head.removeprefix("a003020102"), extension_octets, rest))
    assert subject.certificate.version is x509.Version.v1
    assert [finding.code for finding in lint.check_version(subject)] == ["H001"]


@pytest.mark.parametrize("draft", [ee, ca, top])
def test_the_sound_twin_is_clean(draft: Change) -> None:
    for check in CHECKS:
        assert list(check(draft().judged())) == []
    assert check_certificate(draft().judged()) == ()


SOUND: list[Change] = [
    lambda: ee().without(ExtensionOID.SUBJECT_ALTERNATIVE_NAME),
    lambda: ee().without(SDA),
    lambda: top().without(ExtensionOID.SUBJECT_ALTERNATIVE_NAME),
    lambda: roles(director(ee()), "Medical Doctor", "Director of Hospital"),
    lambda: roles(ee(), "Medical Doctor", "Dentist"),
    lambda: replace(ee(), end=ee().end + DAY),
    lambda: replace(ee(), end=ee().begin + timedelta(seconds=DAY.total_seconds() - 1)),
    lambda: same_key_identifier(ee(), rsa.generate_private_key(65537, 3072).public_key()),
]


@pytest.mark.parametrize("number", range(len(SOUND)))
def test_what_is_allowed(number: int) -> None:
    assert check_certificate(SOUND[number]().judged()) == ()


def test_every_check_is_registered_and_has_its_defect() -> None:
    written = {name for name in vars(lint) if name.startswith("check_")} - {"check_certificate"}
    assert {check.__name__ for check in CHECKS} == written
    assert {check for check, _, _ in FIRES} | {"check_version"} == written


def test_the_trap_of_five_years() -> None:
    """E1's period, five years and a day less a second, and E3's, five years less a second."""
    for begin, end in (
        (datetime(2022, 2, 6, 15, tzinfo=UTC), datetime(2027, 2, 7, 14, 59, 59, tzinfo=UTC)),
        (datetime(2017, 3, 15, 15, tzinfo=UTC), datetime(2022, 3, 15, 14, 59, 59, tzinfo=UTC)),
        (datetime(2024, 2, 28, 15, tzinfo=UTC), datetime(2029, 2, 28, 14, 59, 59, tzinfo=UTC)),
    ):
        assert list(lint.check_validity(replace(ee(), begin=begin, end=end).judged())) == []


def test_our_own_period_is_inside() -> None:
    period = end_entity_period(NOW, 5)
    draft = replace(ee(), begin=period.not_before, end=period.not_after)
    assert check_certificate(draft.judged()) == ()


def test_a_repeated_extension_is_a_finding() -> None:
    head, extension_octets, rest = cut(ee().build())
    usage = "300e0603551d0f0101ff0404" + "03020640"
    assert usage in extension_octets
    subject = ee().judged(joined(head, extension_octets + usage, rest))
    findings = check_certificate(subject)
    assert "H011" in {finding.code for finding in findings}
    assert any(finding.severity is Severity.ERROR for finding in findings)
