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
