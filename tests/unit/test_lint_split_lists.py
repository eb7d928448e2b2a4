"""How lists of a split CA are judged: by their URI, and beside the certificates shown."""

from __future__ import annotations

import pytest

from pki import oids
from pki.reading.crl import read_list
from pki.reading.objects import read_object
from policies.lint import corpus as corpus_module
from policies.lint.catalogue import check_list
from policies.lint.check import JudgedList
from policies.lint.corpus import Corpus, Options, Verdict
from policies.profiles import ListScope, shipped_profiles
from tests.golden.lint.case import Draft
from tests.golden.lint.sound import ENTRIES, REPOSITORY, crl, person, split, sub_ca

PROFILE = shipped_profiles().crl("crl-sub-ca-split")


def shard(number: int, crl_number: int = 44, repository: str = REPOSITORY) -> Draft:
    """One of the lists of the signing CA."""
    uri = f"{repository}sign-{number}.crl"
    return crl(sub_ca("sign").first, ListScope.FULL, crl_number, ENTRIES, shard_uri=uri)


def holder(list_name: str) -> Draft:
    """A certificate of the signing CA that names this file."""
    return person("ee-sign", "sign", list_name=list_name).first


def corpus_of(*drafts: Draft) -> Corpus:
    found = Corpus(Options(shipped_profiles()))
    for one in drafts:
        found.add("", read_object(one.encode()))
    return found


def judged(beside: Corpus, draft: Draft) -> Verdict:
    return beside.judge("", read_object(draft.encode()))


def of_point(verdict: Verdict) -> list[str]:
    return [f"{one.severity} {one.message}" for one in verdict.findings if one.code == "H099"]


@pytest.mark.parametrize("strict", [False, True])
def test_a_split_list_without_its_point_is_an_error(strict: bool) -> None:
    draft = shard(3)
    draft.drop(oids.ISSUING_DISTRIBUTION_POINT)
    findings = check_list(JudgedList(read_list(draft.encode()), PROFILE, strict=strict))
    assert [f"{one.code} {one.severity} {one.message}" for one in findings] == [
        "H099 ERROR there is no issuingDistributionPoint"
    ]


def test_a_root_s_point_is_none_of_a_split_list() -> None:
    draft = shard(3)
    root_list = crl(sub_ca("sign").objects[1], ListScope.SARL)
    draft.put(oids.ISSUING_DISTRIBUTION_POINT, root_list.value(oids.ISSUING_DISTRIBUTION_POINT))
    findings = check_list(JudgedList(read_list(draft.encode()), PROFILE))
    assert [one.message for one in findings if one.code == "H099"] == [
        "an onlyContains flag is TRUE in issuingDistributionPoint",
        "issuingDistributionPoint is not one URI",
    ]


def test_the_uri_in_the_point_says_that_the_list_is_split() -> None:
    whole, parts = crl(sub_ca("sign").first, ListScope.FULL), split()
    assert judged(corpus_of(whole), whole).profile == "crl-sub-ca"
    verdict = judged(corpus_of(*parts.objects), parts.first)
    assert (verdict.profile, verdict.findings) == ("crl-sub-ca-split", ())


def test_without_certificates_nothing_is_said_of_the_uri() -> None:
    draft = shard(3)
    ca, root = sub_ca("sign").objects
    assert judged(corpus_of(draft, ca, root), draft).findings == ()


def test_a_list_that_no_certificate_names_is_told() -> None:
    found = corpus_of(shard(3), holder("sign-4.crl"), holder("sign-3.crl"))
    assert of_point(judged(found, shard(3))) == []
    assert of_point(judged(found, shard(4))) == []
    assert of_point(judged(found, shard(5))) == [
        f"INFO no certificate of the CA here points to {REPOSITORY}sign-5.crl"
    ]
    elsewhere = shard(4, repository="http://elsewhere.test/")
    assert of_point(judged(found, elsewhere)) == [
        f"ERROR certificates of the CA point to {REPOSITORY}sign-4.crl, "
        "not to http://elsewhere.test/sign-4.crl"
    ]


def test_certificates_of_another_ca_say_nothing_of_it() -> None:
    other = person("ee-auth", "auth", list_name="sign-4.crl").first
    assert of_point(judged(corpus_of(other), shard(3))) == []


def test_more_uris_than_are_kept_say_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(corpus_module, "MOST_POINT_OCTETS", 5000)
    certificates = [holder(f"sign-{number}.crl") for number in range(10, 13)]
    assert of_point(judged(corpus_of(certificates[0]), shard(3))) != []
    assert of_point(judged(corpus_of(*certificates), shard(3))) == []


def test_each_part_is_a_series_of_its_own() -> None:
    """One number may not stand twice in a series; parts are never compared with each other."""
    assert list(corpus_of(shard(3), shard(4)).pairs()) == []
    (pair,) = corpus_of(shard(3), shard(4, 45), shard(3, 46)).pairs()
    assert pair.what.startswith("list 44 of ")
    assert ", then list 46 of " in pair.what
