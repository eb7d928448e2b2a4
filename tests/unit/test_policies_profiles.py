"""Profiles: those that ship, and an operator's own folder beside them."""

from __future__ import annotations

import tomllib
from pathlib import Path

import pytest

import policies.profiles
from pki.errors import HpkiError, InvalidInput, NotFound, Unavailable
from policies.profiles import Holder, Level, Profiles, Purpose, load_profiles, shipped_profiles
from policies.profiles.model import CertificateProfile, ExtensionRule, Rule
from policies.site import SiteKind

FOLDER = Path(policies.profiles.__file__).parent
SHIPPED = sorted(path.stem for path in FOLDER.glob("*.toml"))
NEXT_GENERATION = [name for name in SHIPPED if name.endswith("-ng")]


def loaded(folder: Path, **files: str) -> Profiles:
    """The profiles of a folder with these files; ``_`` in a name stands for a hyphen."""
    for name, text in files.items():
        (folder / f"{name.replace('_', '-')}.toml").write_text(text, encoding="utf-8")
    return load_profiles(folder)


def derived(base: str, text: str, profile_id: str = "own") -> str:
    """A profile based on a shipped one; ``text`` are its own tables."""
    reference = shipped_profiles().certificate(base).reference
    return f'id = "{profile_id}"\nversion = "1"\nbased_on = "{reference}"\n{text}'


def whole(name: str, changes: dict[str, str]) -> str:
    """A shipped file under the id ``own``, with pieces of its text replaced."""
    text = (FOLDER / f"{name}.toml").read_text(encoding="utf-8")
    for old, new in {f'id = "{name}"': 'id = "own"', **changes}.items():
        assert text.count(old) >= 1, old
        text = text.replace(old, new)
    return text


# --- those that ship ---


def test_every_shipped_file_is_a_profile() -> None:
    shipped = shipped_profiles()
    assert sorted([*shipped.certificates, *shipped.lists]) == SHIPPED
    assert {name for name in SHIPPED if name.startswith("crl-")} == set(shipped.lists)
    assert shipped_profiles() is shipped


@pytest.mark.parametrize("name", SHIPPED)
def test_every_rule_has_a_source_and_is_as_firm_as_it_says(name: str) -> None:
    shipped = shipped_profiles()
    profile = shipped.certificates.get(name) or shipped.lists[name]
    rules = [value for _, value in profile if isinstance(value, Rule)]
    assert len(rules) >= 5
    assert all(rule.source.strip() for rule in rules)
    written = tomllib.loads((FOLDER / f"{name}.toml").read_text(encoding="utf-8"))
    tables = [value for value in written.values() if isinstance(value, dict)]
    assert all({"source", "firm"} <= set(table) for table in tables)
    assert profile.title_ja
    assert profile.title_en


@pytest.mark.parametrize("name", NEXT_GENERATION)
def test_the_next_generation_differs_in_key_and_signature_alone(name: str) -> None:
    new = shipped_profiles().certificate(name)
    old = shipped_profiles().certificate(name.removesuffix("-ng"))
    assert new.based_on == old.reference
    differing = {
        field
        for field in CertificateProfile.model_fields
        if getattr(new, field) != getattr(old, field)
    }
    named = {"id", "based_on", "title_ja", "title_en", "issues"}
    assert differing - named <= {"key", "signature"}
    assert "key" in differing
    assert ("signature" in differing) is new.is_ca
    assert [one.removesuffix("-ng") for one in new.issues] == list(old.issues)
    wanted = ((4096,), ("secp384r1",)) if new.is_ca else ((3072,), ("secp256r1",))
    assert (new.key.rsa_bits, new.key.curves) == wanted


def test_hashes_of_the_cas() -> None:
    found = {
        name: one.signature.hash
        for name, one in shipped_profiles().certificates.items()
        if one.signature is not None
    }
    assert found == {
        name: "SHA-384" if name.endswith("-ng") else "SHA-256"
        for name in SHIPPED
        if name.startswith(("root", "sub-ca"))
    }


POLICY = {
    "sub-ca-sign": "1.2.392.100495.1.5.1.1.",
    "sub-ca-auth": "1.2.392.100495.1.5.1.2.",
    "sub-ca-auth-org": "1.2.392.100495.1.5.1.3.",
    "ee-sign": "1.2.392.100495.1.5.1.1.",
    "ee-sign-remote": "1.2.392.100495.1.5.1.1.",
    "ee-auth": "1.2.392.100495.1.5.1.2.",
    "ee-auth-org": "1.2.392.100495.1.5.1.3.",
}


@pytest.mark.parametrize("name", POLICY)
def test_policy_and_purpose(name: str) -> None:
    for profile_id in (name, f"{name}-ng"):
        profile = shipped_profiles().certificate(profile_id)
        rule = profile.certificate_policies
        assert rule is not None
        assert rule.oid(SiteKind.PRODUCTION) == POLICY[name] + "3.1"
        for kind in (SiteKind.TRIAL, SiteKind.TRAINING):
            assert rule.oid(kind) == POLICY[name] + "0.1"
        assert profile.purpose is (Purpose.SIGN if "sign" in name else Purpose.AUTH)


def test_who_holds_what() -> None:
    holders = {
        name: (one.holder, one.carriers)
        for name, one in shipped_profiles().certificates.items()
        if one.level is Level.END_ENTITY and not name.endswith("-ng")
    }
    assert holders == {
        "ee-sign": (Holder.PERSON, ("CARD", "FILE")),
        "ee-auth": (Holder.PERSON, ("CARD", "FILE")),
        "ee-sign-remote": (Holder.PERSON, ("FILE",)),
        "ee-auth-org": (Holder.ORGANIZATION, ("FILE",)),
        "ocsp": (Holder.SERVICE, ()),
        "tsa": (Holder.SERVICE, ()),
    }


def test_root_and_lists() -> None:
    shipped = shipped_profiles()
    root = shipped.certificate("root")
    assert (root.level, root.purpose, root.certificate_policies) == (Level.ROOT, None, None)
    assert shipped.crl("crl-root").scopes == ("RARL", "SARL")
    split = shipped.crl("crl-sub-ca-split")
    assert (split.scopes, split.shards and split.shards.count) == (("FULL",), 8)
    assert (
        shipped.crl("crl-sub-ca").model_copy(
            update={
                name: getattr(split, name)
                for name in ("id", "title_ja", "title_en", "crl_number", "shards")
            }
            | {"issuing_distribution_point": split.issuing_distribution_point}
        )
        == split
    )
    validity = shipped.crl("crl-sub-ca").validity
    assert (validity.min_hours, validity.hours, validity.max_hours) == (48, 96, 96)


@pytest.mark.parametrize("name", ["", "nothing", "../grounds", "root.toml", "crl-root\0"])
def test_an_unknown_profile_lists_the_known(name: str) -> None:
    with pytest.raises(NotFound) as refusal:
        shipped_profiles().certificate(name)
    assert refusal.value.code == "policies.profile.unknown"
    assert "ee-sign" in refusal.value.hint
    assert "crl-root" not in refusal.value.hint


def test_a_list_profile_is_no_certificate_profile() -> None:
    with pytest.raises(NotFound):
        shipped_profiles().certificate("crl-root")
    with pytest.raises(NotFound):
        shipped_profiles().crl("root")


# --- an operator's own ---

SHORT = "[validity]\nmax_years = 2\nwhole_days = true\nsource = 'our CPS'\nfirm = 'PROPOSAL'\n"


def test_an_own_profile_stands_beside_the_shipped_ones(tmp_path: Path) -> None:
    (tmp_path / "README").write_text("no profile")
    found = loaded(
        tmp_path,
        z=derived("ee-sign", SHORT),
        a='id = "below"\nversion = "2"\nbased_on = "own@1"\nomit = ["subject_alt_name"]\n',
        crl=whole("crl-sub-ca", {"hours = 96\nmax": "hours = 72\nmax"}).replace("own", "crl-own"),
    )
    assert set(found.certificates) - set(shipped_profiles().certificates) == {"own", "below"}
    own, below, base = (found.certificate(name) for name in ("own", "below", "ee-sign"))
    assert (own.reference, own.validity.max_years) == ("own@1", 2)
    assert (
        own.model_copy(
            update={
                "id": base.id,
                "version": base.version,
                "validity": base.validity,
                "based_on": None,
            }
        )
        == base
    )
    assert (below.validity, below.subject_alt_name) == (own.validity, None)
    assert (base.subject_alt_name, own.subject_alt_name) == (
        ExtensionRule(source=str(base.subject_alt_name and base.subject_alt_name.source),
                      firm="OBS", critical=False, required=False),
    ) * 2  # fmt: skip
    assert found.crl("crl-own").validity.hours == 72
    assert "own" not in shipped_profiles().certificates


def test_an_empty_folder_adds_nothing(tmp_path: Path) -> None:
    assert load_profiles(tmp_path) == shipped_profiles()


def extension(name: str, rule: str) -> str:
    return f"[{name}]\n{rule}\nsource = 'ours'\nfirm = 'PROPOSAL'\n"


SHARDS = "[shards]\ncount = 4\nsource = 'ours'\nfirm = 'PROPOSAL'\n"
CA_USAGE = 'critical = true\nbits = ["digitalSignature"]'
CONTRADICTIONS = {
    "aki-critical": ("4.2.1.1", derived(
        "ee-sign", extension("authority_key_identifier", "critical = true"))),
    "aki-optional-in-ca": ("4.2.1.1", derived(
        "sub-ca-sign", extension("authority_key_identifier", "critical = false\nrequired = false"),
    )),
    "ski-critical": ("4.2.1.2", derived(
        "ee-sign", extension("subject_key_identifier", "critical = true"))),
    "ski-optional-in-ca": ("4.2.1.2", derived(
        "sub-ca-sign", extension("subject_key_identifier", "critical = false\nrequired = false"),
    )),
    "usage-optional-in-ca": ("4.2.1.3", derived("sub-ca-sign", extension(
        "key_usage", 'critical = true\nrequired = false\nbits = ["keyCertSign", "cRLSign"]'))),
    "sda-critical": ("4.2.1.8", derived(
        "ee-sign", extension("subject_directory_attributes", "critical = true"))),
    "aia-critical": ("4.2.2.1", derived(
        "ee-sign", extension("authority_info_access", "critical = true\nrequired = false"))),
    "ca-constraints-not-critical": ("4.2.1.9", derived(
        "sub-ca-sign", extension("basic_constraints", "critical = false"))),
    "ca-constraints-optional": ("4.2.1.9", derived(
        "sub-ca-sign", extension("basic_constraints", "critical = true\nrequired = false"))),
    "ca-without-constraints": ("4.2.1.9", derived(
        "sub-ca-sign", 'omit = ["basic_constraints"]')),
    "ca-cannot-sign": ("4.2.1.3", derived("root", extension("key_usage", CA_USAGE))),
    "ee-signs-certificates": ("4.2.1.3", derived("ee-auth", extension(
        "key_usage", 'critical = true\nbits = ["digitalSignature", "keyCertSign"]'))),
    "ee-is-a-ca": ("4.2.1.9", derived(
        "ee-auth", extension("basic_constraints", "critical = true"))),
    "no-bit": ("4.2.1.3", derived("ee-auth", extension("key_usage", "critical = true\nbits = []"))),
    "unknown-bit": ("4.2.1.3", derived("ee-auth", extension(
        "key_usage", 'critical = true\nbits = ["digitalSignature", "signing"]'))),
    "encipher-only": ("4.2.1.3", derived("ee-auth", extension(
        "key_usage", 'critical = true\nbits = ["encipherOnly"]'))),
    "no-purpose": ("4.2.1.12", derived("ee-auth", extension(
        "extended_key_usage", "critical = false\npurposes = []"))),
    "empty-subject": ("4.1.2.6", derived("ee-auth", extension("subject", "required = []"))),
    "ca-without-subject": ("4.1.2.6", derived(
        "sub-ca-auth", extension("subject", "required = []"))),
    "list-aki": ("5.2.1", whole("crl-sub-ca", {
        "identifier]\ncritical = false": "identifier]\ncritical = true",
    })),
    "list-number": ("5.2.3", whole("crl-sub-ca", {
        "[crl_number]\ncritical = false": "[crl_number]\ncritical = false\nrequired = false",
    })),
    "list-point": ("5.2.5", whole("crl-root", {"critical = true": "critical = false"})),
    "list-reason": ("5.3.1", whole("crl-sub-ca", {"[1, 3, 4, 5, 9]": "[1, 3, 4, 5, 7, 9]"})),
    "list-scope": ("5.2.5", whole("crl-sub-ca", {'["FULL"]': '["SARL"]'})),
    "shards-without-point": ("5.2.5", whole("crl-sub-ca", {
        "[crl_number]": f"{SHARDS}\n[crl_number]"})),
    "shard-point-not-critical": ("5.2.5", whole("crl-sub-ca-split", {
        "critical = true": "critical = false"})),
    "shard-point-optional": ("5.2.5", whole("crl-sub-ca-split", {
        "critical = true": "critical = true\nrequired = false"})),
}  # fmt: skip


@pytest.mark.parametrize("name", CONTRADICTIONS)
def test_what_contradicts_rfc_5280_is_refused_with_its_clause(tmp_path: Path, name: str) -> None:
    clause, text = CONTRADICTIONS[name]
    with pytest.raises(InvalidInput) as refusal:
        loaded(tmp_path, bad=text)
    assert refusal.value.code == "policies.profile.rfc5280"
    assert refusal.value.text.startswith("bad.toml: ")
    assert refusal.value.text.endswith(f"(RFC 5280 section {clause})")


def table(name: str, *lines: str) -> str:
    return "\n".join((f"[{name}]", *lines, "source = 'ours'", "firm = 'PROPOSAL'"))


SHIPPED_SHARDS = "".join(
    (FOLDER / "crl-sub-ca-split.toml").read_text(encoding="utf-8").partition("[shards]")[1:]
).partition("[validity]")[0]
UNUSABLE = {
    "unknown-key": (derived("ee-sign", "colour = 1"), "unknown key colour"),
    "unknown-inner-key": (
        derived("ee-sign", extension("subject_alt_name", "critical = false\nsize = 1")),
        "unknown key subject_alt_name.size",
    ),
    "no-source": (derived("ee-sign", "[subject_alt_name]\ncritical = false"), "source: Field"),
    "no-firmness": (
        derived("ee-sign", "[subject_alt_name]\ncritical = false\nsource = 'x'"),
        "firm: Field",
    ),
    "unknown-base": (derived("ee-sign", "").replace("ee-sign@", "ee-seal@"), "no profile ee-seal@"),
    "other-version": (
        'id = "own"\nversion = "1"\nbased_on = "ee-sign@2020-01-01"',
        "no profile ee-sign@2020-01-01",
    ),
    "base-without-version": ('id = "own"\nversion = "1"\nbased_on = "ee-sign"', "no profile"),
    "based-on-itself": ('id = "own"\nversion = "1"\nbased_on = "own@1"', "no profile own@1"),
    "no-id": (derived("ee-sign", "").replace('id = "own"\n', ""), "id: Field required"),
    "no-version": (derived("ee-sign", "").replace('version = "1"\n', ""), "version: Field"),
    "id-of-another-kind": (derived("ee-sign", "").replace('"own"', '["own"]'), "id: Input"),
    "omit-of-another-kind": (derived("ee-sign", "omit = 1"), "omit: Input"),
    "no-toml": ("id = ", "not TOML"),
    "both-validities": (
        derived("ee-sign", table("validity", "max_years = 1", "max_days = 9", "whole_days = true")),
        "either max_years or max_days",
    ),
    "no-validity": (
        derived("ee-sign", table("validity", "whole_days = true")),
        "either max_years or max_days",
    ),
    "no-key": (
        derived("ee-sign", table("key", "rsa_bits = []", "curves = []")),
        "key allows no key",
    ),
    "unknown-curve": (
        derived("ee-sign", table("key", "rsa_bits = []", 'curves = ["secp521r1"]')),
        "key.curves.0: Input should be",
    ),
    "ca-without-signature": (derived("root", 'omit = ["signature"]'), "has signature"),
    "ee-with-signature": (
        derived("ee-sign", table("signature", 'hash = "SHA-256"')),
        "an end entity's has not",
    ),
    "unknown-hash": (derived("root", table("signature", 'hash = "SHA-1"')), "signature.hash: "),
    "ee-without-holder": (derived("ee-sign", 'omit = ["holder"]'), "profile has holder"),
    "ca-with-holder": (derived("root", 'holder = "PERSON"'), "a CA's has not"),
    "access-required": (
        derived("ee-sign", extension("authority_info_access", "critical = false")),
        "cannot be required",
    ),
    "issuer-name-required": (
        derived("ee-sign", extension("issuer_alt_name", "critical = false")),
        "cannot be required",
    ),
    "list-too-long": (whole("crl-sub-ca", {"max_hours = 96": "max_hours = 95"}), "min_hours and"),
    "list-too-short": (whole("crl-sub-ca", {"min_hours = 48": "min_hours = 97"}), "min_hours and"),
    "list-late": (
        whole("crl-sub-ca", {"interval_hours = 24": "interval_hours = 96"}),
        "leaves less than overlap_hours",
    ),
    "shards-of-a-root": (
        whole("crl-sub-ca-split", {'["FULL"]': '["RARL", "SARL"]'}),
        "shards split lists of the scope FULL only",
    ),
    "point-without-shards": (
        whole("crl-sub-ca-split", {SHIPPED_SHARDS: ""}),
        "a list of all certificates has no issuing_distribution_point",
    ),
    "list-of-two-kinds": (
        whole("crl-root", {'["RARL", "SARL"]': '["FULL", "RARL", "SARL"]'}),
        "scopes is FULL alone, or RARL and SARL",
    ),
    "list-of-no-kind": (
        whole("crl-root", {'["RARL", "SARL"]': "[]"}),
        "scopes is FULL alone, or RARL and SARL",
    ),
    "one-shard": (whole("crl-sub-ca-split", {"count = 8": "count = 1"}), "shards.count: Input"),
    "many-shards": (whole("crl-sub-ca-split", {"count = 8": "count = 1025"}), "shards.count"),
    "list-reasons": (
        whole("crl-sub-ca", {"[1, 3, 4, 5, 9]": "[1, 3, 4, 9]"}),
        "reasons.allowed lacks",
    ),
}


@pytest.mark.parametrize("name", UNUSABLE)
def test_what_cannot_be_used_is_refused_with_its_place(tmp_path: Path, name: str) -> None:
    text, message = UNUSABLE[name]
    with pytest.raises(InvalidInput) as refusal:
        loaded(tmp_path, bad=text)
    assert refusal.value.code == "policies.profile"
    assert "bad.toml" in refusal.value.text
    assert message in refusal.value.text


@pytest.mark.parametrize("profile_id", ["ee-sign", "crl-root"])
def test_no_shipped_id_is_taken(tmp_path: Path, profile_id: str) -> None:
    with pytest.raises(InvalidInput) as refusal:
        loaded(tmp_path, own=derived("ee-auth", "", profile_id))
    assert refusal.value.code == "policies.profile.taken"
    assert f"own.toml: there is a profile {profile_id} already" in refusal.value.text


def test_no_id_is_taken_twice(tmp_path: Path) -> None:
    with pytest.raises(InvalidInput) as refusal:
        loaded(tmp_path, a=derived("ee-auth", ""), b=derived("ee-sign", ""))
    assert refusal.value.code == "policies.profile.taken"


def test_a_circle_of_bases_is_refused(tmp_path: Path) -> None:
    with pytest.raises(InvalidInput) as refusal:
        loaded(
            tmp_path,
            a='id = "a"\nversion = "1"\nbased_on = "b@1"',
            b='id = "b"\nversion = "1"\nbased_on = "a@1"',
        )
    assert refusal.value.code == "policies.profile"
    assert "circle" in refusal.value.text


def test_a_folder_that_cannot_be_read_is_unavailable(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("x")
    (tmp_path / "odd").mkdir()
    (tmp_path / "odd" / "own.toml").mkdir()
    for folder in ("none", "file", "odd"):
        with pytest.raises(Unavailable) as refusal:
            load_profiles(tmp_path / folder)
        assert refusal.value.code == "policies.profile.folder"


def test_too_many_files_are_refused(tmp_path: Path) -> None:
    for number in range(201):
        (tmp_path / f"{number}.toml").touch()
    with pytest.raises(HpkiError, match="more than 200"):
        load_profiles(tmp_path)


@pytest.mark.parametrize(
    ("rule", "years"),
    [("max_years = 5", 5), ("max_days = 365", 0), ("max_days = 366", 1), ("max_days = 800", 2)],
)
def test_whole_years(tmp_path: Path, rule: str, years: int) -> None:
    text = derived("ee-sign", table("validity", rule, "whole_days = true"))
    assert loaded(tmp_path, own=text).certificate("own").validity.whole_years == years
