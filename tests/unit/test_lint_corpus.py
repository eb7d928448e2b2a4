"""Objects judged together: whose issuer is whose, which list follows which, and all in bounds."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace
from datetime import timedelta

import pytest

from pki import oids
from pki.errors import InvalidInput
from pki.findings import Severity
from pki.reading.certificate import Certificate, read_certificate
from pki.reading.crl import RevocationList, read_list
from pki.reading.objects import read_object
from policies.lint import authorities
from policies.lint.authorities import Authorities
from policies.lint.catalogue import check_certificate, check_list, check_pair
from policies.lint.check import JudgedCertificate, JudgedList, JudgedPair
from policies.lint.corpus import Corpus, Options, Verdict
from policies.lint.issuer import signature_findings
from policies.lint.survey import survey
from policies.profiles import ListScope, shipped_profiles
from tests.golden.lint.case import Draft
from tests.golden.lint.shapes import begins, ends, rdn, time
from tests.golden.lint.sound import ENTRIES, NOW, SOUND, crl, person, root, sub_ca
from tests.golden.lint.tree import Node, integer, node, oid, sequence

AKI = oids.AUTHORITY_KEY_IDENTIFIER


def certificate(draft: Draft) -> Certificate:
    return read_certificate(draft.encode())


def corpus_of(*drafts: Draft) -> Corpus:
    corpus = Corpus(Options(shipped_profiles()))
    for number, draft in enumerate(drafts):
        corpus.add(str(number), read_object(draft.encode()))
    return corpus


def judged(corpus: Corpus, draft: Draft) -> Verdict:
    return corpus.judge("", read_object(draft.encode()))


def codes(verdicts: Iterable[Verdict], prefix: str) -> list[str]:
    return [
        f"{finding.code} {finding.severity}"
        for verdict in verdicts
        for finding in verdict.findings
        if finding.code.startswith(prefix)
    ]


def with_serial(draft: Draft, serial: int) -> Draft:
    """The self-signed certificate under another serial number, its AKI with it."""
    draft.field("serial").octets = integer(serial).octets
    authority = draft.value(AKI)
    authority[2].octets = integer(serial).octets
    draft.put(AKI, authority)
    return draft


# The issuer


def two_roots() -> tuple[Draft, Draft, Draft]:
    """Two keys of one root's name, and a sub CA of the first."""
    below = sub_ca("sign")
    return below.issuer, with_serial(root(key="other"), 0x71), below.first


def test_the_key_that_the_aki_names_is_the_issuer() -> None:
    old, new, below = two_roots()
    for corpus in (corpus_of(old, new, below), corpus_of(new, old, below)):
        assert judged(corpus, below).issuer == certificate(old).sha256
        assert judged(corpus, old).issuer == certificate(old).sha256
        assert judged(corpus, new).issuer == certificate(new).sha256


def test_without_an_aki_the_key_that_verifies_is_the_issuer() -> None:
    old, new, below = two_roots()
    below.drop(AKI)
    for corpus in (corpus_of(old, new, below), corpus_of(new, old, below)):
        assert judged(corpus, below).issuer == certificate(old).sha256


def test_without_an_aki_a_signature_of_nobody_is_told() -> None:
    old, new, below = two_roots()
    below.drop(AKI)
    below.signer = "person"
    assert codes([judged(corpus_of(old, new, below), below)], "R401") == ["R401 ERROR"]


def test_an_aki_of_another_key_does_not_hide_the_one_that_signed() -> None:
    old, new, below = two_roots()
    authority = below.value(AKI)
    authority[0].octets = bytes(20)
    below.put(AKI, authority)
    found = judged(corpus_of(old, new, below), below)
    assert found.issuer == certificate(old).sha256
    assert codes([found], "R4") == ["R403 ERROR"]


def test_the_aki_s_key_decides_between_it_and_the_one_that_signed() -> None:
    old, new, below = two_roots()
    below.put(AKI, new.value(AKI))
    found = judged(corpus_of(old, new, below), below)
    assert found.issuer == certificate(new).sha256
    assert codes([found], "R4") == ["R401 ERROR"]


def test_without_the_key_that_the_aki_names_there_is_no_issuer() -> None:
    old, new, below = two_roots()
    found = judged(corpus_of(new, below), below)
    assert found.issuer is None
    assert codes([found], "R4") == []


def test_of_two_certificates_of_one_key_the_aki_s_serial_decides() -> None:
    first, _, below = two_roots()
    renewed = with_serial(root(), 0x72)
    for corpus in (corpus_of(first, renewed, below), corpus_of(renewed, first, below)):
        assert judged(corpus, below).issuer == certificate(first).sha256


def test_without_a_serial_it_is_itself_or_the_one_that_is_valid_longest() -> None:
    first, _, below = two_roots()
    authority = below.value(AKI)
    del authority.children[1:]
    below.put(AKI, authority)
    renewed = with_serial(root(), 0x72)
    ends(renewed, NOW + timedelta(days=40 * 365))
    for one in (first, renewed):
        one.put(AKI, below.value(AKI))
    for corpus in (corpus_of(first, renewed, below), corpus_of(renewed, first, below)):
        assert judged(corpus, below).issuer == certificate(renewed).sha256
        assert judged(corpus, first).issuer == certificate(first).sha256


def test_names_are_compared_as_the_rfc_does() -> None:
    old, _, below = two_roots()
    below.field("issuer").children[1] = rdn(oids.ORGANIZATION, "demo  MINISTRY of nobody", 0x13)
    assert codes([judged(corpus_of(old, below), below)], "R402") == ["R402 WARNING"]


def test_another_name_is_no_issuer_s() -> None:
    scene = person("ee-sign", "sign")
    first, _, above = map(certificate, scene.objects)
    findings = check_certificate(JudgedCertificate(first, None, above))
    assert "R402 ERROR" in [f"{one.code} {one.severity}" for one in findings]


def namesakes(count: int) -> list[Certificate]:
    """Certificates of one name and one key identifier, with as many different keys."""
    draft = sub_ca("sign").first
    octets = bytearray(draft.encode())
    key = octets.index(certificate(draft).public_key.octets) + 20
    found = []
    for number in range(count):
        octets[key : key + 4] = number.to_bytes(4, "big")
        found.append(read_certificate(bytes(octets)))
    return found


def test_thousands_of_namesakes_cost_no_more_than_a_few() -> None:
    known = Authorities()
    for one in namesakes(2000):
        known.add(one)
    below = read_certificate(person("ee-sign", "sign").first.encode())
    before = authorities._read.cache_info()
    assert known.issuer_of(below) is not None
    assert len(known.issued_by(certificate(root()).subject)) == 256
    after = authorities._read.cache_info()
    assert after.hits + after.misses - before.hits - before.misses <= 32 + 256


def test_too_many_authorities_are_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(authorities, "MOST_OCTETS", 9000)
    known = Authorities()
    *some, another = namesakes(4)
    for one in some * 100:
        known.add(one)
    with pytest.raises(InvalidInput, match="too many CA certificates"):
        known.add(another)


# Serial numbers


def test_the_same_certificate_twice_is_one() -> None:
    scene = person("ee-sign", "sign")
    corpus = corpus_of(*scene.objects, *scene.objects)
    assert codes([judged(corpus, one) for one in scene.objects], "R409") == []


def test_both_of_two_certificates_with_one_serial_are_told() -> None:
    first, second = root(), root()
    second.field("subject").children[1] = rdn(oids.ORGANIZATION, "DEMO Somebody")
    corpus = corpus_of(first, second)
    assert codes([judged(corpus, one) for one in (first, second)], "R409") == ["R409 ERROR"] * 2


# Lists


def pair(
    older: tuple[bytes, ...], newer: tuple[bytes, ...], *, step: timedelta = timedelta(hours=24)
) -> tuple[Draft, Draft]:
    """Two lists of the signing CA, so long after each other."""
    issuer = sub_ca("sign").first
    return (
        crl(issuer, ListScope.FULL, 40, older, NOW - step),
        crl(issuer, ListScope.FULL, 41, newer, NOW),
    )


def loaded(drafts: tuple[Draft, Draft]) -> tuple[RevocationList, RevocationList]:
    first, second = (read_list(draft.encode()) for draft in drafts)
    return first, second


def found_between(pair_: JudgedPair) -> list[str]:
    return [f"{one.code} {one.severity}" for one in check_pair(pair_)]


def test_lists_are_compared_by_their_numbers_however_shown() -> None:
    older, newer = pair(ENTRIES, ENTRIES[1:])
    oldest = crl(sub_ca("sign").first, ListScope.FULL, 39, ENTRIES[:1], NOW - timedelta(hours=48))
    corpus = corpus_of(newer, oldest, older, newer, oldest)
    verdicts = list(corpus.pairs())
    assert [one.what.partition(" of")[0] for one in verdicts] == ["list 39", "list 40"]
    assert [one.source for one in verdicts] == ["2", "0"]
    assert codes(verdicts, "") == ["H098 INFO"]


def test_an_entry_may_go_once_it_stood_on_a_list_after_the_end() -> None:
    older, newer = loaded(pair(ENTRIES, ENTRIES[1:]))
    ended = NOW - timedelta(hours=24, seconds=1)
    assert found_between(JudgedPair(older, newer, {0x31: ended})) == []
    told = found_between(JudgedPair(older, newer, {0x31: ended + timedelta(seconds=1)}))
    assert told == ["H098 WARNING"]


def test_the_same_lists_are_judged_anew_by_other_certificates() -> None:
    older, newer = loaded(pair(ENTRIES, ENTRIES[1:]))
    assert found_between(JudgedPair(older, newer)) == ["H098 INFO"]
    assert found_between(JudgedPair(older, newer, {0x31: NOW})) == ["H098 ERROR"]


def test_a_serial_given_twice_has_no_known_end() -> None:
    older, newer = pair(ENTRIES, ENTRIES[1:])
    holders = [person("ee-sign", "sign").first for _ in range(2)]
    for holder, name in zip(holders, ("One", "Two"), strict=True):
        holder.field("serial").octets = b"\x31"
        holder.field("subject").children[-2] = rdn(oids.COMMON_NAME, name)
    assert codes(corpus_of(older, newer, holders[0]).pairs(), "H098") == ["H098 ERROR"]
    assert codes(corpus_of(older, newer, *holders).pairs(), "H098") == ["H098 INFO"]
    assert codes(corpus_of(older, newer, *holders, holders[0]).pairs(), "H098") == ["H098 INFO"]


def test_entries_in_no_order_are_compared() -> None:
    before = (ENTRIES[2], ENTRIES[0], ENTRIES[1])
    assert found_between(JudgedPair(*loaded(pair(before, ENTRIES)))) == []
    assert found_between(JudgedPair(*loaded(pair(ENTRIES, before)))) == []
    lists = loaded(pair(ENTRIES, before[:2]))
    assert found_between(JudgedPair(*lists, {0x5B1C_0A2E_77F3_4D61_9C: NOW})) == ["H098 ERROR"]


def test_too_many_entries_in_no_order_are_left(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("policies.lint.pairs.MOST_UNORDERED", 2)
    monkeypatch.setattr("policies.lint.survey.MOST_UNORDERED", 2)
    before = (ENTRIES[2], ENTRIES[0], ENTRIES[1])
    assert found_between(JudgedPair(*loaded(pair(ENTRIES[:2], before)))) == ["H098 INFO"]
    assert found_between(JudgedPair(*loaded(pair(before, ENTRIES[1:])))) == ["H098 INFO"]
    twice = read_list(pair((), (*before, before[0]))[1].encode())
    assert [f"{one.code} {one.severity}" for one in check_list(JudgedList(twice, None))] == [
        "R322 INFO"
    ]


def hold(serial: int) -> bytes:
    value = Node(0x04, b"\x0a\x01\x06").encode()
    reason = sequence(sequence(oid(oids.REASON_CODE), Node(0x04, value[2:])))
    return sequence(integer(serial), time(NOW - timedelta(days=9)), reason).encode()


def test_an_entry_on_hold_may_be_released_or_changed() -> None:
    older, newer = loaded(pair((hold(0x30), hold(0x31)), ENTRIES[:1]))
    assert found_between(JudgedPair(older, newer, {0x30: NOW, 0x31: NOW})) == ["R501 WARNING"]


def test_a_broken_list_is_not_compared() -> None:
    older, newer = pair(ENTRIES, ENTRIES)
    newer.tbs[5][0].tag = 0x31
    assert found_between(JudgedPair(*loaded((older, newer)), {0x31: NOW})) == []


def test_lists_whose_order_is_unclear_lose_no_entries() -> None:
    older, newer = pair(ENTRIES, ENTRIES[1:], step=timedelta(hours=-1))
    assert found_between(JudgedPair(*loaded((older, newer)), {0x31: NOW})) == ["H097 ERROR"]


def test_delta_lists_are_a_series_of_their_own() -> None:
    older, newer = pair(ENTRIES, ENTRIES[1:])
    for draft in (older, newer):
        draft.add(oids.DELTA_CRL_INDICATOR, integer(39), critical=True)
    complete = pair(ENTRIES, ENTRIES)[1]
    assert codes(corpus_of(older, newer, complete).pairs(), "") == []


def test_entries_of_indirect_lists_are_not_compared() -> None:
    drafts = pair(ENTRIES, ENTRIES[1:])
    for draft in drafts:
        point = sequence(node(0x84, b"\xff"))
        draft.add(oids.ISSUING_DISTRIBUTION_POINT, point, critical=True)
    assert codes(corpus_of(*drafts).pairs(), "") == []


def test_lists_without_a_number_are_not_in_order() -> None:
    drafts = pair(ENTRIES, ENTRIES)
    for draft in drafts:
        draft.drop(oids.CRL_NUMBER)
        draft.tbs.children[3] = time(NOW)
    drafts[0].tbs.children[4] = time(NOW + timedelta(hours=95))
    assert codes(corpus_of(*drafts).pairs(), "H097") == []


def test_too_many_lists_are_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("policies.lint.corpus.MOST_LIST_OCTETS", 12_000)
    drafts = pair(ENTRIES, ENTRIES)
    assert list(corpus_of(*drafts, *drafts).pairs())
    with pytest.raises(InvalidInput, match="too many lists"):
        corpus_of(*drafts, pair((), ())[0])


def test_a_list_of_the_root_is_the_root_s_without_its_point() -> None:
    drafts = SOUND["list-rarl"].make().objects
    drafts[0].drop(oids.ISSUING_DISTRIBUTION_POINT)
    assert judged(corpus_of(*drafts), drafts[0]).profile == "crl-root"
    assert judged(corpus_of(drafts[0]), drafts[0]).profile is None
    drafts[1].drop(oids.CRL_DISTRIBUTION_POINTS)
    assert judged(corpus_of(*drafts), drafts[0]).profile is None


def test_every_certificate_below_the_root_is_asked_for_the_list() -> None:
    first, above, below = SOUND["list-sarl"].make().objects
    for corpus in (corpus_of(first, above, below), corpus_of(first, below, above)):
        assert codes([judged(corpus, first)], "") == []


def test_the_lists_of_one_root_are_two_series() -> None:
    drafts = [crl(root(), scope, 43) for scope in (ListScope.RARL, ListScope.SARL)]
    assert list(corpus_of(*drafts).pairs()) == []


def test_the_bounds_of_times_are_sound() -> None:
    """nextUpdate after the profile's least hours, a revocation in the second of thisUpdate."""
    first, *others = SOUND["list"].make().objects
    first.tbs.children[4] = time(NOW + timedelta(hours=48))
    first.tbs[5][2].children[1] = time(NOW)
    assert codes([judged(corpus_of(first, *others), first)], "") == []


# Messages


def test_the_first_entries_are_told_and_the_others_counted() -> None:
    scene = SOUND["foreign-list"].make()
    entry = scene.first.tbs[5][2]
    entry.children.append(sequence(sequence(oid("1.2.3"), node(0x01, b"\xff"), Node(0x04))))
    for number in range(1, 8):
        serial = integer(0x7000_0000_0000_0000_0000 + number)
        scene.first.tbs[5].children.append(sequence(serial, *entry.children[1:]))
    findings = check_list(JudgedList(read_list(scene.first.encode()), None))
    assert [one.message for one in findings] == [
        "entry 0x6b1c0a2e77f34d619d: 1.2.3 is critical and unknown",
        *(f"entry 0x7000000000000000000{n}: 1.2.3 is critical and unknown" for n in range(1, 5)),
        "and 3 more entries like these",
    ]


def test_each_date_is_told_up_to_five() -> None:
    scene = SOUND["foreign-list"].make()
    for number in range(1, 8):
        serial = integer(0x7000_0000_0000_0000_0000 + number)
        late = time(NOW + timedelta(seconds=number))
        scene.first.tbs[5].children.append(sequence(serial, late))
    findings = check_list(JudgedList(read_list(scene.first.encode()), None))
    assert [one.message for one in findings] == [
        *(
            f"entry 0x7000000000000000000{n}: revoked at 2026-11-22 03:00:0{n}Z, after thisUpdate"
            for n in range(1, 6)
        ),
        "and 2 more entries like these",
    ]


def test_of_many_extensions_the_first_are_told() -> None:
    scene = SOUND["foreign-list"].make()
    for number in range(1, 8001):
        scene.first.add(f"1.2.{number}", b"", critical=True)
    with pytest.raises(InvalidInput, match="octets in the extensions"):
        read_list(scene.first.encode())
    del scene.first.extensions.children[1000:]
    for one in scene.first.extensions.children[-3:]:
        one.children[1] = Node(0x01, b"\x01")
    scene.first.extensions.children += scene.first.extensions.children[500:510]
    findings = check_list(JudgedList(read_list(scene.first.encode()), None))
    known = [(one.code, one.message) for one in findings]
    assert [code for code, _ in known] == ["R301"] * 3 + ["R311"] * 6 + ["R312"] * 6
    assert known[8] == ("R311", "and 5 more like these")
    assert known[14][1] == "and 1003 more like these"


def test_a_survey_is_bounded_however_many_kinds_of_entries_there_are() -> None:
    scene = SOUND["foreign-list"].make()
    for number in range(1, 1100):
        date = node(0x18, (NOW - timedelta(seconds=number)).strftime("%Y%m%d%H%M%SZ").encode())
        extension = sequence(oid(oids.INVALIDITY_DATE), Node(0x04, date.encode()))
        reason = sequence(oid(oids.REASON_CODE), Node(0x04, b"\x0a\x01\x01"))
        serial = integer(0x7000_0000_0000_0000_0000 + number)
        when = time(NOW - timedelta(days=1))
        scene.first.tbs[5].children.append(sequence(serial, when, sequence(extension, reason)))
    found = survey(read_list(scene.first.encode()))
    assert found.count == 1102
    assert {code: tally.count for code, tally in found.reasons.items()} == {5: 1, 1: 1100}
    assert all(len(tally.told) <= 5 for tally in found.reasons.values())
    assert found.notes == {}


def test_messages_are_one_short_line_whatever_stands_there() -> None:
    scene = person("ee-sign", "sign")
    hostile = rdn(oids.ORGANIZATION, "\x1b[2J\r\n\u202e" + "A" * 5000)
    scene.issuer.field("subject").children[1] = hostile
    scene.first.field("issuer").children[1] = hostile
    scene.first.field("serial").octets = b"\x7f" * 5000
    scene.issuer.put(oids.BASIC_CONSTRAINTS, sequence())
    scene.issuer.put(oids.KEY_USAGE, b"\x03\x02\x01\x02")
    begins(scene.first, NOW - timedelta(days=400))
    first, above = certificate(scene.first), certificate(scene.issuer)
    findings = check_certificate(
        JudgedCertificate(first, None, above, serial_is_shared=True),
    )
    assert {"R404", "R405", "R408", "R409"} <= {one.code for one in findings}
    corpus = corpus_of(*scene.objects)
    texts = [one.message for one in findings if one.code.startswith("R4")]
    texts += [judged(corpus, one).what for one in scene.objects]
    assert all(text.isprintable() and len(text) < 300 for text in texts)


def test_a_certificate_without_subject_is_named_by_its_serial() -> None:
    scene = person("ee-sign", "sign")
    scene.first.field("subject").children.clear()
    assert judged(corpus_of(*scene.objects), scene.first).what == "serial 0x5b1c0a2e77f34d619a"


def test_a_ca_may_stand_below_path_length_one() -> None:
    scene = sub_ca("sign")
    value = scene.issuer.value(oids.BASIC_CONSTRAINTS)
    value.children.append(integer(1))
    scene.issuer.put(oids.BASIC_CONSTRAINTS, value)
    assert codes([judged(corpus_of(*scene.objects), scene.first)], "R4") == []


def test_self_issued_certificates_are_not_constrained() -> None:
    """RFC 5280 6.1.4 (b), (l): neither pathLenConstraint nor nameConstraints count for them."""
    scene = SOUND["root-link-old-with-new"].make()
    value = scene.issuer.value(oids.BASIC_CONSTRAINTS)
    value.children.append(integer(0))
    scene.issuer.put(oids.BASIC_CONSTRAINTS, value)
    subtree = sequence(node(0xA4, sequence(rdn(oids.ORGANIZATION, "Elsewhere"))))
    names = sequence(node(0xA0, subtree))
    scene.issuer.add(oids.NAME_CONSTRAINTS, names, critical=True)
    assert codes([judged(corpus_of(*scene.objects), scene.first)], "R4") == []


def test_an_empty_subject_is_within_any_permitted_names() -> None:
    scene = person("ee-sign", "sign", japanese=False)
    scene.first.field("subject").children.clear()
    subtree = sequence(node(0xA4, sequence(rdn(oids.ORGANIZATION, "Elsewhere"))))
    names = sequence(node(0xA0, subtree))
    scene.issuer.add(oids.NAME_CONSTRAINTS, names, critical=True)
    assert codes([judged(corpus_of(*scene.objects), scene.first)], "R4") == []


def test_a_root_is_no_issuer_above_itself() -> None:
    """What a root lacks of a CA is told by the rules on CA certificates, and once."""
    only = root()
    only.put(oids.BASIC_CONSTRAINTS, sequence())
    only.put(oids.KEY_USAGE, b"\x03\x02\x01\x02")
    assert codes([judged(corpus_of(only), only)], "R4") == []


def test_the_placeholder_of_an_elliptic_curve_is_known() -> None:
    first, above, _ = map(certificate, SOUND["ng-ee-sign"].make().objects)
    half = integer(1 << 376)
    unsigned = replace(first, signature=sequence(half, half).encode())
    found = list(signature_findings(unsigned, above, strict=True))
    assert [one[0] for one in found] == [Severity.WARNING]
    assert all(isinstance(one, str) for one in signature_findings(unsigned, above, strict=False))
    assert list(signature_findings(first, above, strict=True)) == []


def test_an_issuer_of_version_one_needs_no_basic_constraints() -> None:
    scene = person("ee-sign", "sign")
    first, above = certificate(scene.first), certificate(scene.issuer)
    old = replace(above, version=1, extensions=(), by_oid={})
    findings = check_certificate(JudgedCertificate(first, None, old))
    assert [one.code for one in findings if one.code.startswith("R4")] == []
