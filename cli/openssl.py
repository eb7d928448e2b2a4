"""OpenSSL's verdict on a certificate, from published files alone."""

from __future__ import annotations

import shutil
import subprocess
import tempfile
from dataclasses import dataclass
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives.serialization import Encoding

from ca.records import Certificate
from cli.wiring import Services
from pki.errors import Unavailable


@dataclass(frozen=True)
class Verdict:
    """What was run, what OpenSSL answered, and whether that is as expected."""

    command: str
    answer: str
    as_expected: bool


def verify_with_openssl(services: Services, row: Certificate, good: bool) -> Verdict:
    """Run ``openssl verify`` with lists required at every level and the site's policy.

    The CA certificates and lists are those in ``public/``, both lists of the root included.
    """
    openssl = shutil.which("openssl")
    if openssl is None:
        raise Unavailable("cli.openssl", "openssl is not installed", "apt-get install openssl")
    if row.usage is None or row.certificate_der is None:
        raise Unavailable("cli.openssl", "only a holder's certificate is verified")
    name = "good.pem" if good else "revoked.pem"
    with tempfile.TemporaryDirectory() as scratch:
        folder = Path(scratch)
        _write_pem(services.targets[0].folder, folder)
        certificate = x509.load_der_x509_certificate(row.certificate_der)
        (folder / name).write_bytes(certificate.public_bytes(Encoding.PEM))
        arguments = ["verify", "-crl_check_all", "-explicit_policy", "-policy_check"]
        arguments += [
            "-policy",
            services.policy(row),
            "-CAfile",
            "root.pem",
            "-untrusted",
            "cas.pem",
        ]
        arguments += ["-CRLfile", "lists.pem", name]
        done = subprocess.run(  # noqa: S603 - no shell, nothing from outside
            [openssl, *arguments], cwd=folder, capture_output=True, text=True, timeout=60
        )
    answer = (done.stdout + done.stderr).strip()
    refused = done.returncode != 0 and "certificate revoked" in answer
    return Verdict(
        f"openssl {' '.join(arguments)}",
        answer,
        (done.returncode == 0) if good else refused,
    )


def _write_pem(public: Path, folder: Path) -> None:
    certificates = {
        path.stem: x509.load_der_x509_certificate(path.read_bytes())
        for path in sorted(public.glob("*.cer"))
    }
    roots = [one for one in certificates.values() if one.issuer == one.subject]
    others = [one for one in certificates.values() if one.issuer != one.subject]
    lists = [x509.load_der_x509_crl(path.read_bytes()) for path in sorted(public.glob("*.crl"))]
    for name, objects in (("root", roots), ("cas", others), ("lists", lists)):
        octets = b"".join(one.public_bytes(Encoding.PEM) for one in objects)
        (folder / f"{name}.pem").write_bytes(octets)
