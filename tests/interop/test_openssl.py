"""OpenSSL and GnuTLS read and judge what we make."""

from __future__ import annotations

import re
import subprocess
from pathlib import Path

import pytest

from tests.interop.conftest import CERTIFICATES, LISTS, Published
from tests.tiers import require_tool

pytestmark = pytest.mark.xdist_group("interop")

TEST_SIGN = "1.2.392.100495.1.5.1.1.0.1"
TEST_AUTH = "1.2.392.100495.1.5.1.2.0.1"
PRODUCTION_SIGN = "1.2.392.100495.1.5.1.1.3.1"


def run(tool: str, *arguments: str | Path) -> subprocess.CompletedProcess[str]:
    path = require_tool(tool, tier="interop")
    return subprocess.run(
        [path, *map(str, arguments)], capture_output=True, text=True, check=False, timeout=60
    )


def verify(
    published: Published,
    name: str,
    policy: str | None = TEST_SIGN,
    crls: tuple[str, ...] = LISTS,
    *,
    ca: str | None = None,
) -> subprocess.CompletedProcess[str]:
    issuer = ca or name.partition("-")[0]
    lists = published.joined(f"{name}-{'-'.join(crls)}.lists", *map(published.crl, crls))
    policies = ["-policy_check", "-explicit_policy", "-policy", policy] if policy else []
    return run(
        "openssl",
        "verify",
        "-attime",
        str(published.at),
        "-x509_strict",
        "-crl_check_all",
        *policies,
        "-CAfile",
        published.pem("root"),
        "-untrusted",
        published.pem(issuer),
        "-CRLfile",
        lists,
        published.pem(name),
    )


@pytest.mark.parametrize(
    ("name", "policy"),
    [
        ("sign-good", TEST_SIGN),
        ("auth-good", TEST_AUTH),
        ("sign-plain", TEST_SIGN),
    ],
)
def test_openssl_accepts_a_good_card_with_its_policy(
    published: Published, name: str, policy: str
) -> None:
    result = verify(published, name, policy)
    assert (result.returncode, result.stdout) == (0, f"{published.pem(name)}: OK\n"), result.stderr


@pytest.mark.parametrize(
    ("name", "policy"),
    [
        ("sign-good", PRODUCTION_SIGN),
        ("sign-good", TEST_AUTH),
        ("auth-good", TEST_SIGN),
        ("auth-good", "1.2.392.100495.1.5.1.2.3.1"),
    ],
)
def test_openssl_refuses_another_policy(published: Published, name: str, policy: str) -> None:
    result = verify(published, name, policy)
    assert result.returncode != 0
    assert "no explicit policy" in result.stderr


@pytest.mark.parametrize(
    ("name", "policy"), [("sign-revoked", TEST_SIGN), ("auth-revoked", TEST_AUTH)]
)
def test_openssl_refuses_a_revoked_card(published: Published, name: str, policy: str) -> None:
    result = verify(published, name, policy)
    assert result.returncode != 0
    assert "certificate revoked" in result.stderr
    without = run(
        "openssl",
        "verify",
        "-attime",
        str(published.at),
        "-CAfile",
        published.pem("root"),
        "-untrusted",
        published.pem(name.partition("-")[0]),
        published.pem(name),
    )
    assert without.returncode == 0


@pytest.mark.parametrize(
    ("missing", "said"),
    [
        ("rarl", "different CRL scope"),
        ("sarl", "different CRL scope"),
        ("sign", "unable to get certificate CRL"),
    ],
)
def test_openssl_needs_every_list(published: Published, missing: str, said: str) -> None:
    crls = tuple(name for name in LISTS if name != missing)
    result = verify(published, "sign-good", crls=crls)
    assert result.returncode != 0
    assert re.search(said, result.stderr), result.stderr


def test_openssl_refuses_a_card_below_the_other_ca(published: Published) -> None:
    result = verify(published, "sign-good", ca="auth")
    assert result.returncode != 0
    assert "unable to get local issuer certificate" in result.stderr


def test_openssl_refuses_lists_that_are_too_old(published: Published) -> None:
    later = Published(published.folder, published.at + 97 * 3600)
    result = verify(later, "sign-good")
    assert result.returncode != 0
    assert "CRL has expired" in result.stderr


SHOWN = {
    "root": ["CA:TRUE", "Certificate Sign, CRL Sign", "CN = RARL", "rarl.crl"],
    "sign": ["CA:TRUE", "Certificate Sign, CRL Sign", "CN = SARL", f"Policy: {TEST_SIGN}"],
    "auth": ["CA:TRUE", "Certificate Sign, CRL Sign", "CN = SARL", f"Policy: {TEST_AUTH}"],
    "sign-good": ["X509v3 Key Usage: critical\n                Non Repudiation\n", "sign.crl"],
    "auth-good": ["X509v3 Key Usage: critical\n                Digital Signature\n", "auth.crl"],
}


@pytest.mark.parametrize("name", CERTIFICATES)
def test_openssl_reads_every_certificate(published: Published, name: str) -> None:
    result = run("openssl", "x509", "-in", published.pem(name), "-noout", "-text")
    assert (result.returncode, result.stderr) == (0, "")
    for wanted in ["Version: 3 (0x2)", "sha256WithRSAEncryption", *SHOWN.get(name, [])]:
        assert wanted in result.stdout, wanted
    if "-" in name:
        assert "Basic Constraints" not in result.stdout
    structure = run("openssl", "asn1parse", "-in", published.pem(name), "-dump")
    assert structure.returncode == 0
    assert ":X509v3 Authority Key Identifier" in structure.stdout


def test_openssl_reads_hc_role(published: Published) -> None:
    found = run("openssl", "asn1parse", "-in", published.pem("sign-good"))
    (line,) = re.findall(r"Subject Directory Attributes\n.*HEX DUMP\]:([0-9A-F]+)", found.stdout)
    value = published.folder / "hcrole.der"
    value.write_bytes(bytes.fromhex(line))
    inner = run("openssl", "asn1parse", "-inform", "DER", "-in", value).stdout
    assert re.findall(r"UTF8STRING +:(.*)", inner) == ["Medical Doctor", "Director of Hospital"]
    assert re.findall(r"OBJECT +:(.*)", inner) == ["1.0.17090.0.1"] + ["1.2.392.100495.1.6.1.1"] * 2


@pytest.mark.parametrize("name", LISTS)
def test_openssl_reads_every_list(published: Published, name: str) -> None:
    issuer = "root" if name in ("rarl", "sarl") else name
    result = run("openssl", "crl", "-in", published.crl(name), "-noout", "-text")
    assert (result.returncode, result.stderr) == (0, "")
    assert "Version 2 (0x1)" in result.stdout
    assert "X509v3 CRL Number" in result.stdout
    if issuer == "root":
        assert "X509v3 Issuing Distribution Point: critical" in result.stdout
        assert f"CN = {name.upper()}" in result.stdout
        assert "Only CA Certificates" in result.stdout
        assert "No Revoked Certificates." in result.stdout
    else:
        assert "Issuing Distribution Point" not in result.stdout
        assert result.stdout.count("Serial Number: ") == 1
        assert "Cessation Of Operation" in result.stdout
    command = ("openssl", "crl", "-in", published.crl(name), "-noout", "-CAfile")
    checked = run(*command, published.pem(issuer))
    assert "verify OK" in checked.stderr
    other = run(*command, published.pem("auth" if name != "auth" else "sign"))
    assert "verify OK" not in other.stderr


@pytest.mark.parametrize("name", ["sign-good", "auth-good", "sign-plain"])
def test_gnutls_accepts_the_chain(published: Published, name: str) -> None:
    issuer = name.partition("-")[0]
    chain = published.joined(
        f"{name}.chain", published.pem(name), published.pem(issuer), published.pem("root")
    )
    arguments = (
        "--verify",
        "--load-ca-certificate",
        published.pem("root"),
    )
    result = run("certtool", *arguments, "--infile", chain)
    assert result.returncode == 0, result.stdout
    assert "The certificate is trusted." in result.stdout
    without = published.joined(f"{name}.gap", published.pem(name))
    assert run("certtool", *arguments, "--infile", without).returncode != 0


@pytest.mark.parametrize(("name", "code"), [("sign-good", 0), ("sign-revoked", 1)])
def test_gnutls_knows_the_revoked(published: Published, name: str, code: int) -> None:
    chain = published.joined(f"{name}.chain", published.pem(name), published.pem("sign"))
    lists = published.joined(f"{name}.gnutls", published.crl("sign"), published.crl("sarl"))
    result = run(
        "certtool",
        "--verify",
        "--load-ca-certificate",
        published.pem("root"),
        "--load-crl",
        lists,
        "--infile",
        chain,
    )
    assert result.returncode == code, result.stdout
    assert ("revoked" in result.stdout) is (code == 1)


@pytest.mark.parametrize("name", CERTIFICATES)
def test_gnutls_reads_every_certificate(published: Published, name: str) -> None:
    result = run("certtool", "-i", "--infile", published.pem(name))
    assert (result.returncode, result.stderr) == (0, "")
    assert "Version: 3" in result.stdout
    if name.startswith("sign-"):
        assert "Key Usage (critical):\n\t\t\tNon repudiation.\n" in result.stdout


@pytest.mark.parametrize("name", LISTS)
def test_gnutls_reads_every_list(published: Published, name: str) -> None:
    result = run("certtool", "--crl-info", "--infile", published.crl(name))
    assert (result.returncode, result.stderr) == (0, "")
    assert "Version: 2" in result.stdout
    entries = "Revoked certificates (1)" if name in ("sign", "auth") else "No revoked certificates."
    assert entries in result.stdout
