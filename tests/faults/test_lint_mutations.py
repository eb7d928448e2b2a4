"""Nothing that is shown to the judge crashes it: findings, or one clear refusal to read."""

from __future__ import annotations

import resource
import time
from collections import Counter
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from pki.errors import InvalidInput
from pki.findings import Finding
from pki.reading.objects import objects_in
from pki.reasons import Reason, entry_der
from policies.lint.corpus import Corpus, Options
from policies.profiles import ListScope, shipped_profiles
from tests.faults.mangling import mangled, nodes, specimens
from tests.golden.lint import sound as twins
from tests.golden.lint.tree import Node, parse

LONGEST = 2.0
"""Seconds that one object of a few kilobytes may take on a busy machine."""
MOST_MEGABYTES = 96


def fresh_corpus() -> Corpus:
    """A corpus that knows the sound CAs, so that what depends on the issuer is judged too."""
    corpus = Corpus(Options(shipped_profiles()))
    for der in specimens():
        for one in objects_in(der):
            corpus.add("sound", one)
    return corpus


def verdict(corpus: Corpus, octets: bytes) -> str:
    """Return ``unreadable``, ``silent`` or ``found``; fails for anything but these."""
    refused = ""
    try:
        objects = list(objects_in(octets))
    except InvalidInput as error:
        refused = error.text
    if refused:
        assert refused.isprintable()
        assert len(refused) < 300
        return "unreadable"
    said: list[Finding] = []
    for one in objects:
        said += corpus.judge("mangled", one).findings
    for finding in said:
        assert finding.message.isprintable()
        assert len(finding.message) < 400
    return "found" if said else "silent"


def judge_series(seed: int, count: int) -> Counter[str]:
    corpus = fresh_corpus()
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    outcomes: Counter[str] = Counter()
    for number, octets in enumerate(mangled(seed, count)):
        start = time.process_time()
        try:
            outcomes[verdict(corpus, octets)] += 1
        except Exception as error:
            raise AssertionError(f"seed {seed}, number {number}: {octets.hex()}") from error
        assert time.process_time() - start < LONGEST, octets.hex()
    grown = (resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before) / 1024
    assert grown < MOST_MEGABYTES
    return outcomes


@pytest.mark.parametrize("seed", range(4))
def test_mangled_objects(seed: int) -> None:
    outcomes = judge_series(seed, 1000)
    assert outcomes["found"] > 300
    assert outcomes["unreadable"] > 100


@pytest.mark.soak
@pytest.mark.parametrize("seed", range(100, 110))
def test_a_hundred_thousand_mangled_objects(seed: int) -> None:
    outcomes = judge_series(seed, 10_000)
    assert outcomes["found"] > 3000


TREES = st.recursive(
    st.builds(Node, st.integers(0, 255), st.binary(max_size=40)),
    lambda below: st.builds(
        Node, st.sampled_from((0x30, 0x31, 0xA0, 0xA3, 0x24)), st.just(b""), st.lists(below)
    ),
    max_leaves=40,
)


@settings(max_examples=100, deadline=2000, suppress_health_check=[HealthCheck.too_slow])
@given(TREES)
def test_any_tree_of_elements(tree: Node) -> None:
    verdict(Corpus(Options(shipped_profiles())), tree.encode())


@settings(max_examples=100, deadline=2000)
@given(st.binary(max_size=400))
def test_any_octets(octets: bytes) -> None:
    verdict(Corpus(Options(shipped_profiles())), octets)


@pytest.mark.parametrize("examples", [100, pytest.param(1000, marks=pytest.mark.soak)])
def test_any_tree_in_place_of_an_element(examples: int) -> None:
    """Any structure where a sound certificate or list has another."""
    limits = settings(
        max_examples=examples, deadline=2000, suppress_health_check=[HealthCheck.too_slow]
    )
    limits(given(st.integers(0, 30), st.integers(0, 40), TREES)(judge_with_another_tree))()


def judge_with_another_tree(which: int, where: int, tree: Node) -> None:
    whole = specimens()
    sound = parse(whole[which % len(whole)])
    places = [one for one in nodes(sound) if one.children]
    parent = places[where % len(places)]
    parent.children[where % len(parent.children)] = tree
    verdict(fresh_corpus(), sound.encode())


@pytest.mark.parametrize(
    ("count", "megabytes"), [(50_000, 8), pytest.param(200_000, 32, marks=pytest.mark.soak)]
)
def test_a_long_list_is_judged_in_little_memory(count: int, megabytes: int) -> None:
    """Findings in bounded number, memory far below the objects of its entries."""
    now = datetime(2026, 11, 20, tzinfo=UTC)
    entries = tuple(
        entry_der(2**72 + number, now - timedelta(seconds=number), Reason.CESSATION_OF_OPERATION)
        for number in range(count)
    )
    octets = twins.crl(twins.sub_ca("sign").first, ListScope.FULL, 7, entries).encode()
    del entries
    corpus = fresh_corpus()
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    start = time.process_time()
    (found,) = objects_in(octets)
    assert corpus.judge("long", found).findings == ()
    assert time.process_time() - start < 20
    assert (resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before) / 1024 < megabytes
