"""Object identifiers of the HPKI and of X.509, each with where it comes from.

Evidence marks are those of ``docs/glossary.md``: OBS seen in real certificates, READ in the cited
document, INFERRED by analogy.
"""

from __future__ import annotations

from typing import Final

HEALTHCARE_ACTOR: Final = "1.0.17090.0.1"
"""Attribute type of hcRole: ISO 17090 id-hcpki-at-healthcareactor (OBS)."""

JHPKI_CODED_DATA: Final = "1.2.392.100495.1.6.1.1"
"""id-jhpki-cdata, the national coding scheme named in every hcRole (OBS)."""

POLICY_ARC: Final = "1.2.392.100495.1.5.1."
"""Below it stands purpose.level.version: 1 sign, 2 person, 3 organisation; 3 live, 0 test (OBS)."""

SUBJECT_DIRECTORY_ATTRIBUTES: Final = "2.5.29.9"
"""RFC 5280 section 4.2.1.8."""

SHA256_WITH_RSA: Final = "1.2.840.113549.1.1.11"
"""RFC 4055 section 5."""

ECDSA_WITH_SHA256: Final = "1.2.840.10045.4.3.2"
"""RFC 5758 section 3.2."""

ECDSA_WITH_SHA384: Final = "1.2.840.10045.4.3.3"
"""RFC 5758 section 3.2."""

SHA384_WITH_RSA: Final = "1.2.840.113549.1.1.12"
"""RFC 4055 section 5."""

SHA512_WITH_RSA: Final = "1.2.840.113549.1.1.13"
"""RFC 4055 section 5."""

ECDSA_WITH_SHA512: Final = "1.2.840.10045.4.3.4"
"""RFC 5758 section 3.2."""

RSA_ENCRYPTION: Final = "1.2.840.113549.1.1.1"
"""RFC 3279 section 2.3.1."""

EC_PUBLIC_KEY: Final = "1.2.840.10045.2.1"
"""RFC 5480 section 2.1.1."""

CURVES: Final = {
    "1.2.840.10045.3.1.7": "secp256r1",
    "1.3.132.0.34": "secp384r1",
    "1.3.132.0.35": "secp521r1",
}
"""Named curves by OID. Source: RFC 5480 section 2.1.1.1."""

COMMON_NAME: Final = "2.5.4.3"
SERIAL_NUMBER: Final = "2.5.4.5"
COUNTRY: Final = "2.5.4.6"
LOCALITY: Final = "2.5.4.7"
ORGANIZATION: Final = "2.5.4.10"
ORGANIZATIONAL_UNIT: Final = "2.5.4.11"
"""Attribute types of names. Source: RFC 5280 appendix A.1."""

SUBJECT_KEY_IDENTIFIER: Final = "2.5.29.14"
KEY_USAGE: Final = "2.5.29.15"
PRIVATE_KEY_USAGE_PERIOD: Final = "2.5.29.16"
SUBJECT_ALT_NAME: Final = "2.5.29.17"
ISSUER_ALT_NAME: Final = "2.5.29.18"
BASIC_CONSTRAINTS: Final = "2.5.29.19"
CRL_NUMBER: Final = "2.5.29.20"
REASON_CODE: Final = "2.5.29.21"
HOLD_INSTRUCTION: Final = "2.5.29.23"
INVALIDITY_DATE: Final = "2.5.29.24"
DELTA_CRL_INDICATOR: Final = "2.5.29.27"
ISSUING_DISTRIBUTION_POINT: Final = "2.5.29.28"
CERTIFICATE_ISSUER: Final = "2.5.29.29"
NAME_CONSTRAINTS: Final = "2.5.29.30"
CRL_DISTRIBUTION_POINTS: Final = "2.5.29.31"
CERTIFICATE_POLICIES: Final = "2.5.29.32"
ANY_POLICY: Final = "2.5.29.32.0"
POLICY_MAPPINGS: Final = "2.5.29.33"
AUTHORITY_KEY_IDENTIFIER: Final = "2.5.29.35"
POLICY_CONSTRAINTS: Final = "2.5.29.36"
EXTENDED_KEY_USAGE: Final = "2.5.29.37"
ANY_EXTENDED_KEY_USAGE: Final = "2.5.29.37.0"
FRESHEST_CRL: Final = "2.5.29.46"
INHIBIT_ANY_POLICY: Final = "2.5.29.54"
AUTHORITY_INFO_ACCESS: Final = "1.3.6.1.5.5.7.1.1"
SUBJECT_INFO_ACCESS: Final = "1.3.6.1.5.5.7.1.11"
QUALIFIER_CPS: Final = "1.3.6.1.5.5.7.2.1"
QUALIFIER_USER_NOTICE: Final = "1.3.6.1.5.5.7.2.2"
SERVER_AUTH: Final = "1.3.6.1.5.5.7.3.1"
CLIENT_AUTH: Final = "1.3.6.1.5.5.7.3.2"
TIME_STAMPING: Final = "1.3.6.1.5.5.7.3.8"
OCSP_SIGNING: Final = "1.3.6.1.5.5.7.3.9"
"""Extensions and what stands in them. Source: RFC 5280 sections 4.2, 5.2 and 5.3."""

CMS_DATA: Final = "1.2.840.113549.1.7.1"
CMS_SIGNED_DATA: Final = "1.2.840.113549.1.7.2"
CMS_CONTENT_TYPE: Final = "1.2.840.113549.1.9.3"
CMS_MESSAGE_DIGEST: Final = "1.2.840.113549.1.9.4"
CMS_SIGNING_TIME: Final = "1.2.840.113549.1.9.5"
"""Types of content and signed attributes. Source: RFC 5652 sections 4, 5 and 11."""

SIGNING_CERTIFICATE_V2: Final = "1.2.840.113549.1.9.16.2.47"
"""RFC 5035 section 3."""

RSASSA_PSS: Final = "1.2.840.113549.1.1.10"
MGF1: Final = "1.2.840.113549.1.1.8"
"""RFC 4055 sections 2.2 and 3."""

OCSP_NO_CHECK: Final = "1.3.6.1.5.5.7.48.1.5"
"""RFC 6960 section 4.2.2.2.1."""
