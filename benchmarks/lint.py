"""What judging a certificate costs beyond reading it, and a folder of 10,000. Peer: pkilint.

Goal: all rules on one certificate in at most 0.10 ms beyond parsing it; a folder in linear time.
"""

from __future__ import annotations

import sys
import tempfile
import time
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from statistics import median
from typing import Any

from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import rsa

from ca.building import Period, Wanted, certificate_twin, issuer_facts, own_facts
from cli.linting import judge_files
from pki.names import distinguished_name
from pki.reading.certificate import Certificate, read_certificate
from pki.signing import assemble, sign
from pki.validity import end_after_years, japan_date, start_of_day
from policies.lint.catalogue import CERTIFICATE_CHECKS, check_certificate
from policies.lint.check import JudgedCertificate
from policies.lint.corpus import Options
from policies.profiles import shipped_profiles
from policies.site import SiteKind

COUNT, PEER_COUNT, ROUNDS = 1000, 50, 7
FOLDERS = (1250, 2500, 5000, 10_000)
GOAL_MS = 0.10
NOW = datetime(2026, 11, 22, 3, 0, tzinfo=UTC)
REPOSITORY = "http://repository.demo-hpki.example.jp/"


def finished(twin: x509.Certificate, key: rsa.RSAPrivateKey) -> bytes:
    """The twin under a real signature."""
    body = twin.tbs_certificate_bytes
    return assemble(body, key.public_key(), sign(key, body, "SHA-256"), "SHA-256")


def hierarchy() -> tuple[bytes, bytes, Callable[[int], bytes]]:
    """Root and signing CA, and what makes the certificate of the n-th doctor."""
    profiles = shipped_profiles()
    keys = [rsa.generate_private_key(65537, bits) for bits in (3072, 2048, 3072)]
    root_key, ca_key, holder_key = keys
    root = Wanted(
        distinguished_name(organization="DEMO Ministry", organizational_units=["DEMO Root"]),
        root_key.public_key(),
        2**70 + 1,
        Period(NOW, end_after_years(japan_date(NOW), 30)),
    )
    own = own_facts(root, REPOSITORY, REPOSITORY + "rarl.crl", "SHA-256")
    kind = SiteKind.TRAINING
    root_der = finished(certificate_twin(profiles.certificate("root"), own, root, kind), root_key)
    above = x509.load_der_x509_certificate(root_der)
    ca = Wanted(
        distinguished_name(
            organization="DEMO Centre", common_name="HPKI-01-DEMO_Bench-forNonRepudiation"
        ),
        ca_key.public_key(),
        2**70 + 2,
        Period(NOW, end_after_years(japan_date(NOW), 20)),
    )
    facts = issuer_facts(above, REPOSITORY, REPOSITORY + "sarl.crl", "SHA-256")
    twin = certificate_twin(profiles.certificate("sub-ca-sign"), facts, ca, kind)
    ca_der = finished(twin, root_key)
    own_ca = x509.load_der_x509_certificate(ca_der)
    below = issuer_facts(own_ca, REPOSITORY, REPOSITORY + "sign.crl", "SHA-256")
    profile = profiles.certificate("ee-sign")
    today = japan_date(NOW)

    def doctor(number: int) -> bytes:
        holder = f"DEMO{number:010}"
        wanted = Wanted(
            distinguished_name(common_name=f"Doctor Number{number}", serial_number=holder),
            holder_key.public_key(),
            2**80 + number,
            Period(start_of_day(today), end_after_years(today, 5)),
            distinguished_name(common_name=f"見本　{number}号", serial_number=holder),
            ("Medical Doctor",),
        )
        return finished(certificate_twin(profile, below, wanted, kind), ca_key)

    return root_der, ca_der, doctor


def pkilint_validator() -> Any:
    """pkilint's RFC 5280 lint of certificates."""
    from pkilint.pkix import certificate, extension, name  # type: ignore[import-untyped]

    return certificate.create_pkix_certificate_validator_container(
        certificate.create_decoding_validators(
            name.ATTRIBUTE_TYPE_MAPPINGS, extension.EXTENSION_MAPPINGS
        ),
        [
            certificate.create_issuer_validator_container([]),
            certificate.create_validity_validator_container(),
            certificate.create_subject_validator_container([]),
            certificate.create_extensions_validator_container([]),
            certificate.create_spki_validator_container([]),
        ],
    )


def measure(ca_der: bytes, made: list[bytes]) -> dict[str, float]:
    """Milliseconds a certificate of each way, medians of interleaved rounds."""
    from pkilint import loader  # type: ignore[import-untyped]

    validator = pkilint_validator()
    profile = shipped_profiles().certificate("ee-sign")
    issuer = read_certificate(ca_der)
    parsed = [read_certificate(der) for der in made]

    def judge(one: Certificate, above: Certificate | None) -> None:
        check_certificate(JudgedCertificate(one, profile, above))

    ways: dict[str, tuple[Callable[[Any], object], list[Any]]] = {
        "cryptography: load, extensions": (
            lambda der: list(x509.load_der_x509_certificate(der).extensions),
            made,
        ),
        "ours: read": (read_certificate, made),
        "ours: all rules": (lambda one: judge(one, None), parsed),
        "ours: all rules with issuer": (lambda one: judge(one, issuer), parsed),
        "ours: read and all rules": (lambda der: judge(read_certificate(der), None), made),
        "pkilint: read and all rules": (
            lambda der: validator.validate(loader.load_certificate(der, "x").root),
            made[:PEER_COUNT],
        ),
    }
    taken: dict[str, list[float]] = {name: [] for name in ways}
    for _ in range(ROUNDS):
        for name, (work, items) in ways.items():
            start = time.perf_counter()
            for item in items:
                work(item)
            taken[name].append((time.perf_counter() - start) * 1000 / len(items))
    return {name: median(times) for name, times in taken.items()}


def folders(root_der: bytes, ca_der: bytes, made: list[bytes]) -> dict[int, float]:
    """Seconds that a folder of so many certificates takes, both readings included."""
    taken = {}
    for count in FOLDERS:
        with tempfile.TemporaryDirectory() as name:
            folder = Path(name)
            for number, der in enumerate((root_der, ca_der, *made[: count - 2])):
                folder.joinpath(f"{number:05}.cer").write_bytes(der)
            start = time.perf_counter()
            judged = judge_files([name], Options(shipped_profiles()))
            taken[count] = time.perf_counter() - start
            assert len(judged.verdicts) == count
    return taken


def main() -> int:
    """Measure and print; the ratios last."""
    root_der, ca_der, doctor = hierarchy()
    made = [doctor(number) for number in range(max(FOLDERS))]
    cost = measure(ca_der, made[:COUNT])
    for name, milliseconds in cost.items():
        print(f"{name:32} {milliseconds:7.3f} ms a certificate")
    print(f"{len(CERTIFICATE_CHECKS)} rules; extensions that repeat are read once a process")
    taken = folders(root_der, ca_der, made)
    for count, seconds in taken.items():
        print(f"folder of {count:6}  {seconds:6.2f} s  {seconds / count * 1000:.3f} ms each")
    rules = cost["ours: all rules"]
    peer = cost["pkilint: read and all rules"] / cost["ours: read and all rules"]
    growth = (taken[FOLDERS[-1]] / FOLDERS[-1]) / (taken[FOLDERS[0]] / FOLDERS[0])
    print(
        f"rules beyond reading {rules:.3f} ms (goal <= {GOAL_MS:.2f}), {rules / GOAL_MS:.2f} of it"
    )
    print(f"pkilint takes {peer:.1f} x our time for the same work")
    print(f"a certificate of {FOLDERS[-1]} costs {growth:.2f} x one of {FOLDERS[0]} (linear: 1)")
    return 0


if __name__ == "__main__":
    sys.exit(main())
