"""An operator's own profiles: named in hpki.toml, used to issue, refused when they are at fault."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest

from policies.profiles import shipped_profiles
from tests.cli.conftest import PEOPLE, application_rows, bring_to_examination
from tests.cli.terminal import Terminal

SHORT = f"""
id = "ee-sign-short"
version = "3"
based_on = "{shipped_profiles().certificate("ee-sign").reference}"
omit = ["subject_directory_attributes"]
title_en = "Signing for two years, and no role"

[validity]
max_years = 2
whole_days = true
source = "our CPS 6.3.2"
firm = "PROPOSAL"
"""
BAD = SHORT.replace("[validity]", "[key_usage]").replace(
    "max_years = 2\nwhole_days = true", 'critical = true\nbits = ["nonRepudiation", "keyCertSign"]'
)
CEREMONY = """
title = "One more signing CA"
version = "1"
place = "test"

[[ca]]
id = "root2"
profile = "root"
crl_profile = "crl-root"
key = "RSA-2048"
validity_years = 30
cps_uri = "http://repository.test/"
crl_uri = "http://repository.test/sarl2.crl"
own_list_uri = "http://repository.test/rarl2.crl"
subject = { organization = "DEMO Ministry", organizational_units = ["DEMO HPKI Root CA 2"] }

[[ca]]
id = "sign2"
issuer = "root2"
profile = "sub-ca-sign"
crl_profile = "crl-sub-ca-split"
key = "RSA-2048"
validity_years = 20
issues = ["ee-sign-short"]
japanese_names = false
cps_uri = "http://repository.test/cps/"
crl_uri = "http://repository.test/sign2-{shard}.crl"
subject = { organization = "DEMO Centre", common_name = "HPKI-01-DEMO_Sign2-forNonRepudiation" }
"""


def with_profile(site: Terminal, text: str, folder: str = "profiles") -> None:
    """Name a folder with this one profile in hpki.toml."""
    settings = site.site / "hpki.toml"
    named = f'{settings.read_text("utf-8")}\n[profiles]\nfolder = "{folder}"\n'
    settings.write_text(named, "utf-8")
    (site.site / "profiles").mkdir()
    (site.site / "profiles" / "short.toml").write_text(text, "utf-8")


def test_an_own_profile_is_issued_by(own_centre: Terminal, openssl: str, tmp_path: Path) -> None:
    site = own_centre
    with_profile(site, SHORT)
    approval = ("config", "approve", "--operator", "sakurai", "--co-operator", "mori", "--yes")
    site.run(*approval)
    ceremony = tmp_path / "ceremony.toml"
    ceremony.write_text(CEREMONY, "utf-8")
    plan = site.run("ca", "ceremony", ceremony, *PEOPLE, "--dry-run", "--json").json
    assert [row["issues"] for row in plan] == [[], ["ee-sign-short"]]
    site.run("ca", "ceremony", ceremony, *PEOPLE, "--yes")
    shown = site.run("ca", "show", "sign2", "--json").json
    assert (shown["issues"], shown["japanese_names"]) == (["ee-sign-short"], False)
    assert (shown["crl_uri"], shown["shards"]) == ("http://repository.test/sign2-{shard}.crl", 8)
    assert site.run("ca", "show", "root2", "--json").json["shards"] is None
    lines = application_rows(12).splitlines()
    (row,) = (line for line in lines if line.startswith("T2026-0007,"))
    (tmp_path / "more.csv").write_text(f"{lines[0]}\n{row}\n", "utf-8")
    rejects = tmp_path / "rejects.csv"
    site.run("ra", "import", tmp_path / "more.csv", "--rejects", rejects, "--operator", "aoki")
    bring_to_examination(site, tmp_path, lambda _, *said: site.run(*said), "T2026-0007")
    aoki = ("--operator", "aoki")
    site.run("ra", "examine", "T2026-0007", "--carrier", "FILE", "--rest-ok", *aoki)
    named = site.run("ra", "show", "T2026-0007", *aoki, "--json").json["profiles"]
    assert "ee-sign-short@3" in named
    site.run("ra", "approve", "T2026-0007", "--operator", "endo")
    site.run("ra", "fee", "pay", "T2026-0007", "5500", "--reference", "17", *aoki)
    request, out = tmp_path / "holder.csr", tmp_path / "holder.pem"
    command = [openssl, "req", "-new", "-newkey", "rsa:2048", "-noenc", "-subj", "/"]
    command += ["-keyout", str(tmp_path / "key"), "-out", str(request)]
    subprocess.run(command, check=True, capture_output=True)
    wanted = ("T2026-0007.1", "--csr", request, "--purpose", "SIGN", "--operator", "fujita")
    serial = site.run("cert", "issue", *wanted, "--out", out, "--json").json["serial"]
    site.run("crl", "due")
    found = site.run("cert", "show", serial, "--json").json
    assert (found["profile"], found["issuer"], found["path"]) == (
        "ee-sign-short@3",
        "sign2",
        "valid",
    )
    years = int(found["not_after"][:4]) - int(found["not_before"][:4])
    assert years == 2
    answer = subprocess.run(
        [openssl, "x509", "-in", str(out), "-noout", "-text"],
        check=True,
        capture_output=True,
        text=True,
    ).stdout
    assert f"URI:http://repository.test/sign2-{int(serial, 16) % 8}.crl" in answer
    assert "Directory Attributes" not in answer
    assert "Subject Alternative Name" not in answer
    # without its profile the certificate is still shown, and says why its path is not judged
    settings = site.site / "hpki.toml"
    settings.write_text(settings.read_text("utf-8").partition("[profiles]")[0], "utf-8")
    again = site.run("cert", "show", serial, "--json").json
    assert "ee-sign-short" in again["path"]


OPENING = [
    ("ra", "list"),
    ("ca", "list"),
    ("cert", "list"),
    ("crl", "show"),
    ("crl", "due"),
    ("card", "list"),
    ("operator", "list"),
    ("audit", "verify"),
    ("report", "prefectures"),
    ("ra", "examine", "--all", "--yes", "--operator", "aoki"),
]


def test_a_profile_against_rfc_5280_stops_every_command_that_opens_the_site(
    own_centre: Terminal,
) -> None:
    with_profile(own_centre, BAD)
    head = own_centre.head()
    for command in OPENING:
        said = own_centre.refused("policies.profile.rfc5280", 2, *command)
        assert said == (
            "short.toml: an end entity must not have keyCertSign (RFC 5280 section 4.2.1.3)"
        )
    assert own_centre.head() == head
    shown = own_centre.run("config", "show", "--json").json
    assert {"setting": "profiles.folder", "value": "profiles", "from": "hpki.toml"} in shown


@pytest.mark.parametrize(
    ("text", "code", "message"),
    [
        (SHORT.replace("omit", "omitted"), "policies.profile", "unknown key omitted"),
        (SHORT.replace('"ee-sign-short"', '"ee-sign"'), "policies.profile.taken", "ee-sign"),
        (SHORT.replace("@", "@1999-"), "policies.profile", "no profile ee-sign@1999-"),
    ],
    ids=["key", "shipped-id", "base"],
)
def test_other_faults_are_told_alike(
    own_centre: Terminal, text: str, code: str, message: str
) -> None:
    with_profile(own_centre, text)
    assert message in own_centre.refused(code, 2, "ca", "list")


def test_a_folder_that_is_not_there_is_unavailable(own_centre: Terminal) -> None:
    with_profile(own_centre, SHORT, folder="elsewhere")
    assert "elsewhere" in own_centre.refused("policies.profile.folder", 6, "ca", "list")


def test_the_folder_may_be_absolute_or_a_variable(own_centre: Terminal, tmp_path: Path) -> None:
    (tmp_path / "own").mkdir()
    (tmp_path / "own" / "bad.toml").write_text(BAD, "utf-8")
    variables = {"HPKI_PROFILES__FOLDER": str(tmp_path / "own")}
    own_centre.refused("policies.profile.rfc5280", 2, "ca", "list", variables=variables)
    shown = own_centre.run("config", "show", "--json", variables=variables).json
    wanted = {"setting": "profiles.folder", "value": str(tmp_path / "own"), "from": "environment"}
    assert wanted in shown


def test_without_a_section_only_the_shipped_ones_count(centre: Terminal) -> None:
    shown = centre.run("config", "show", "--json").json
    assert [one for one in shown if one["setting"].startswith("profiles")] == []
