"""The ceremony file: what it must say, and what is refused before a key is made."""

from __future__ import annotations

from pathlib import Path

import pytest

from ca.ceremony_file import CeremonyScript, load_script
from pki.errors import HpkiError, InvalidInput, NotFound
from policies.profiles import Profiles, load_profiles, shipped_profiles

FLOWS = (Path(__file__).parents[1] / "flows" / "ceremony.toml").read_text(encoding="utf-8")
EXAMPLES = Path(__file__).parents[2] / "examples"


def load(text: str, profiles: Profiles | None = None) -> CeremonyScript:
    return load_script(text.encode(), profiles or shipped_profiles())


def changed(old: str, new: str, count: int = 1) -> str:
    assert old in FLOWS
    return FLOWS.replace(old, new, count)


def sub_ca(ca: str, profile: str, tail: str, more: str = "") -> str:
    """One more sub CA for the file."""
    return f"""
[[ca]]
id = "{ca}"
issuer = "root"
profile = "{profile}"
crl_profile = "crl-sub-ca"
key = "RSA-2048"
validity_years = 20
cps_uri = "http://repository.test/cps/"
crl_uri = "http://repository.test/{ca}.crl"
subject = {{ organization = "DEMO Centre", common_name = "HPKI-01-DEMO_{ca}-{tail}" }}
{more}
"""


ORGANISATION = sub_ca("org", "sub-ca-auth-org", "forAuthentication-forOrganization")


def test_a_ca_issues_by_what_its_profile_says_unless_the_file_names_others() -> None:
    script = load(FLOWS + ORGANISATION)
    assert {one.id: one.issues for one in script.ca} == {
        "root": (),
        "sign": ("ee-sign",),
        "auth": ("ee-auth",),
        "org": ("ee-auth-org",),
    }
    assert {one.japanese_names for one in script.ca} == {True}
    named = changed('id = "sign"', 'id = "sign"\nissues = ["ee-sign-remote", "ee-sign"]')
    assert load(named).ca[1].issues == ("ee-sign-remote", "ee-sign")
    without = changed('id = "sign"', 'id = "sign"\njapanese_names = false')
    assert [one.japanese_names for one in load(without).ca] == [True, False, True]


@pytest.mark.parametrize("name", ["ceremony", "ceremony-next-generation"])
def test_the_examples_are_sound(name: str) -> None:
    script = load((EXAMPLES / f"{name}.toml").read_text(encoding="utf-8"))
    assert [one.issuer for one in script.ca] == [None, script.ca[0].id, script.ca[0].id]
    assert all(one.issues for one in script.ca[1:])


SPLIT = changed('"crl-sub-ca"', '"crl-sub-ca-split"').replace("/sign.crl", "/sign-{shard}.crl")
SIGN_ISSUES = 'id = "sign"\nissues = '
FAULTS = {
    "nothing": ('title = "x"\nversion = "1"\nplace = "x"\nca = []', "names no CA"),
    "unknown-key": (changed('id = "sign"', 'id = "sign"\nkeys = 1'), "unknown key ca.1.keys"),
    "twice": (FLOWS + FLOWS.partition("[[ca]]")[1] + FLOWS.rpartition("[[ca]]")[2],
              "the CA auth stands twice"),
    "end-entity": (changed('"sub-ca-sign"', '"ee-sign"'), "ee-sign is not a profile for a CA"),
    "link": (changed('"sub-ca-sign"', '"root-link-new-with-old"'), "is not a profile for a CA"),
    "root-below": (changed('"sub-ca-sign"', '"root"'), "the CA sign has root, profile root"),
    "sub-ca-on-top": (changed('issuer = "root"\n', ""), "the CA sign has no issuer"),
    "later-issuer": (changed('issuer = "root"', 'issuer = "auth"'), "comes before its issuer auth"),
    "no-years": (changed("validity_years = 20", "validity_years = 0"), "must be 1 to 20"),
    "many-years": (changed("validity_years = 20", "validity_years = 21"), "must be 1 to 20"),
    "curve-for-rsa": (changed("RSA-2048", "P-384"), "the profile root certifies no key P-384"),
    "short-key": (
        changed('profile = "sub-ca-sign"', 'profile = "sub-ca-sign-ng"'),
        "sign: the profile sub-ca-sign-ng certifies no key RSA-2048",
    ),
    "other-curve": (
        changed("RSA-2048", "P-256").replace('profile = "root"', 'profile = "root-ng"'),
        "root: the profile root-ng certifies no key P-256",
    ),
    "unknown-key-kind": (changed("RSA-2048", "RSA-1024"), "no key specification 'RSA-1024'"),
    "japanese-name-below": (
        changed('id = "sign"', 'id = "sign"\njapanese_name = { organization = "見本" }'),
        "has no place for a japanese_name",
    ),
    "root-issues": (changed('id = "root"', 'id = "root"\nissues = ["ee-sign"]'), "to no holders"),
    "issues-a-ca": (changed('id = "sign"', f'{SIGN_ISSUES}["sub-ca-sign"]'), "not for end"),
    "other-purpose": (changed('id = "sign"', f'{SIGN_ISSUES}["ee-auth"]'), "is not for SIGN"),
    "service": (changed('id = "sign"', f'{SIGN_ISSUES}["ocsp"]'), "is not for SIGN"),
    "same-twice": (
        changed('id = "sign"', f'{SIGN_ISSUES}["ee-sign", "ee-sign"]'),
        "issues ee-sign twice",
    ),
    "two-cas": (
        FLOWS + sub_ca("sign2", "sub-ca-sign", "forNonRepudiation"),
        "sign2: issues ee-sign, and so does sign",
    ),
    "shards-in-a-whole-list": (
        changed("/sign.crl", "/sign-{shard}.crl"),
        "sign: crl_uri has {shard}, but crl-sub-ca does not split the list",
    ),
    **{
        f"split-{name}": (
            SPLIT.replace("/sign-{shard}.crl", uri),
            "sign: the file's name in crl_uri must hold {shard} once, as for crl-sub-ca-split",
        )
        for name, uri in {
            "without": "/sign.crl",
            "twice": "/{shard}-{shard}.crl",
            "folder": "/{shard}/sign.crl",
            "both": "/{shard}/sign-{shard}.crl",
            "query": "/sign.crl?part={shard}",
        }.items()
    },
    "split-root": (
        changed('"crl-root"', '"crl-sub-ca-split"').replace("/sarl", "/sarl-{shard}"),
        "root: the list of a CA that issues to no holders is not split",
    ),
    "below-split": (
        SPLIT.replace('id = "auth"\nissuer = "root"', 'id = "auth"\nissuer = "sign"'),
        "auth: its issuer sign has a split list, on which no CA stands",
    ),
    "another-holder": (
        changed('id = "auth"', 'id = "auth"\nissues = ["ee-auth-org"]'),
        "belongs below a CA named HPKI-…-forAuthentication-forOrganization",
    ),
}  # fmt: skip


@pytest.mark.parametrize("name", FAULTS)
def test_faults_are_named(name: str) -> None:
    text, message = FAULTS[name]
    with pytest.raises(InvalidInput) as refusal:
        load(text)
    assert refusal.value.code == ("keys.spec" if name == "unknown-key-kind" else "ca.ceremony.file")
    assert message in refusal.value.text


@pytest.mark.parametrize(
    "text",
    [
        changed('"sub-ca-sign"', '"sub-ca-seal"'),
        changed('"crl-sub-ca"', '"crl-nobody"'),
        changed('id = "sign"', f'{SIGN_ISSUES}["ee-seal"]'),
    ],
    ids=["profile", "crl-profile", "issues"],
)
def test_an_unknown_profile_is_not_found(text: str) -> None:
    with pytest.raises(NotFound) as refusal:
        load(text)
    assert refusal.value.code == "policies.profile.unknown"


def test_a_split_list_has_a_uri_with_its_part() -> None:
    found = load(SPLIT).ca[1]
    assert (found.crl_profile, found.crl_uri) == (
        "crl-sub-ca-split",
        "http://repository.test/sign-{shard}.crl",
    )


def test_a_split_list_needs_certificates_that_name_it(tmp_path: Path) -> None:
    own = OWN.format(base="ee-sign", more='omit = ["distribution_points"]')
    reference = shipped_profiles().certificate("ee-sign").reference
    (tmp_path / "own.toml").write_text(own.replace('"ee-sign"', f'"{reference}"'), encoding="utf-8")
    text = SPLIT.replace('id = "sign"', f'{SIGN_ISSUES}["own"]')
    with pytest.raises(InvalidInput, match="issues own, which names no part of the split list"):
        load(text, load_profiles(tmp_path))


OWN = """
id = "own"
version = "1"
based_on = "{base}"
{more}
"""


@pytest.mark.parametrize(
    ("base", "more", "message"),
    [
        ("ee-sign", "carriers = []", "no order can ask for"),
        ("ee-sign", 'holder = "SERVICE"', "no order can ask for"),
        (
            "ee-sign",
            "[validity]\nmax_days = 300\nwhole_days = true\nsource = 'x'\nfirm = 'PROPOSAL'",
            "would not last a year",
        ),
    ],
)
def test_an_own_profile_that_nobody_can_use_is_refused(
    tmp_path: Path, base: str, more: str, message: str
) -> None:
    reference = shipped_profiles().certificate(base).reference
    (tmp_path / "own.toml").write_text(OWN.format(base=reference, more=more))
    text = changed('id = "sign"', f'{SIGN_ISSUES}["own"]')
    with pytest.raises(HpkiError) as refusal:
        load(text, load_profiles(tmp_path))
    assert refusal.value.code == "ca.ceremony.file"
    assert message in refusal.value.text
