"""The revocation desk: who is hit, who may ask, who acts, and that it is final and listed."""

from __future__ import annotations

import json
from dataclasses import replace
from datetime import date

from cryptography import x509
from sqlmodel import col, select

from ca.records import Certificate, Revocation, revocation_of
from crl.records import RevocationList
from operators.records import Statement
from pki.errors import Conflict, InvalidInput, NotFound, Refused
from policies.moves import ApplicationState
from policies.roles import Role as OperatorRole
from ra.records import RequestState, RevocationRequest, find_application
from ra.revocation import CallerCheck, Request
from tests.flows.conftest import Centre
from tests.flows.issuing import refused
from tests.flows.registration import certificates_on, entries, make_cards, row

REF = "T2026-0001"
LETTER = Request("R01_DEATH", "heir", "NOTICE", "死亡届の写し")


def caller(number: int = 1, **changes: object) -> CallerCheck:
    """What the holder of the ``number``-th card knows."""
    known = row(number)
    born = date.fromisoformat(known["birth_date"])
    return replace(CallerCheck(True, known["registration_number"], born), **changes)  # type: ignore[arg-type]


def call(check: CallerCheck) -> Request:
    return Request("S02_CARD_LOST", "subscriber", "TELEPHONE", "call-back 03:10", check)


def revoke(
    centre: Centre, target: str, request: Request, executor: str | None = None
) -> list[Certificate]:
    """Revoke as the revocation officer."""
    second = None if executor is None else centre.signers[executor]
    return centre.desk.revoke(centre.desk.find(target), request, centre.signers["shikko"], second)


def revocations(centre: Centre) -> list[Revocation]:
    with centre.store.read() as tx:
        return list(tx.exec(select(Revocation).order_by(col(Revocation.certificate_id))))


def requests(centre: Centre) -> list[RevocationRequest]:
    with centre.store.read() as tx:
        return list(tx.exec(select(RevocationRequest)))


def state_of(centre: Centre, ref: str = REF) -> ApplicationState:
    with centre.store.read() as tx:
        return find_application(tx, ref).state


def listed(centre: Centre) -> dict[str, set[int]]:
    """Serials on the list that is served, by CA."""
    found = {}
    for issuer in ("sign", "auth"):
        octets = (centre.public.folder / f"{issuer}.crl").read_bytes()
        found[issuer] = {one.serial_number for one in x509.load_der_x509_crl(octets)}
    return found


def test_an_emergency_needs_one_person_and_the_callers_two_facts(centre: Centre) -> None:
    (card,) = make_cards(centre, row(1))
    centre.due()
    assert listed(centre) == {"sign": set(), "auth": set()}
    revoked = revoke(centre, card, call(caller()))
    rows = {one.id: one for one in certificates_on(centre, card)}
    assert {one.id for one in revoked} == set(rows)
    assert len(rows) == 2
    made = revocations(centre)
    assert {one.certificate_id for one in made} == set(rows)
    assert {(one.ground, one.reason, one.revoked_at, one.crl_number) for one in made} == {
        ("S02_CARD_LOST", 5, centre.now, None)
    }
    assert state_of(centre) is ApplicationState.CLOSED_REVOKED
    (request,) = requests(centre)
    assert (request.state, request.refusal, request.emergency, request.executor) == (
        RequestState.EXECUTED,
        None,
        True,
        "",
    )
    *story, closed = [json.loads(one.body) for one in entries(centre)][-5:]
    assert (closed["code"], closed["object_id"], closed["detail"]) == (
        "APP.STATE",
        row(1)["application_ref"],
        {"move": "PERSONALISED>CLOSED_REVOKED"},
    )
    assert [(one["code"], one["outcome"], one["actor_id"]) for one in story] == [
        ("REV.REQUEST", "OK", "shikko"),
        ("REV.AUTH", "OK", "shikko"),
        ("REV.DECIDE", "OK", "shikko"),
        ("REV.EXECUTE", "OK", "shikko"),
    ]
    assert (story[-1]["co_actor_id"], story[-1]["detail"]["emergency"]) == ("", True)
    made_lists = centre.due()
    assert {one.issuer_id for one in made_lists} == {"sign", "auth"}
    by_issuer = {one.issuer_id: int(one.serial, 16) for one in rows.values()}
    assert listed(centre) == {"sign": {by_issuer["sign"]}, "auth": {by_issuer["auth"]}}
    with centre.store.read() as tx:
        numbers = {one.id: (one.issuer_id, one.number) for one in tx.exec(select(RevocationList))}
    published = {rows[one.certificate_id].issuer_id: one.crl_number for one in revocations(centre)}
    assert {(issuer, number) for issuer, number in published.items()} <= set(numbers.values())
    assert centre.due() == []


def test_a_caller_who_is_not_authenticated_revokes_nothing(centre: Centre) -> None:
    (card,) = make_cards(centre, row(1))
    wrong = [
        caller(registration_number="999999"),
        caller(registration_number=""),
        caller(birth_date=date(1980, 1, 3)),
        caller(called_back=False),
        caller(2),
    ]
    for number, check in enumerate(wrong, start=1):
        refused(Refused, "ra.revoke.caller", lambda: revoke(centre, card, call(check)))  # noqa: B023
        kept = requests(centre)
        assert len(kept) == number
    assert {(one.state, one.refusal, one.executor, one.officer) for one in requests(centre)} == {
        (RequestState.REFUSED, "V01", "", "shikko")
    }
    assert revocations(centre) == []
    assert state_of(centre) is ApplicationState.PERSONALISED
    story = [json.loads(one.body) for one in entries(centre)][-2 * len(wrong) :]
    assert [(one["code"], one["outcome"]) for one in story] == [
        ("REV.REQUEST", "OK"),
        ("REV.AUTH", "REFUSED"),
    ] * len(wrong)
    assert {one["object_id"] for one in story} == {one.id for one in requests(centre)}
    with centre.store.read() as tx:
        decided = select(Statement).where(Statement.type == "REVOCATION")
        assert tx.exec(decided).all() == []
    assert len(revoke(centre, card, call(caller()))) == 2


def test_only_a_revocation_officer_takes_calls(centre: Centre) -> None:
    """Neither a sound nor a refused request is kept in the name of somebody else."""
    (card,) = make_cards(centre, row(1))
    head = centre.trail.verify()
    for check in (caller(), caller(called_back=False)):
        refused(
            Refused,
            "operators.role.missing",
            lambda: centre.desk.revoke(
                centre.desk.find(card),
                call(check),  # noqa: B023
                centre.signers["hakko"],
                None,
            ),
        )
    assert (requests(centre), revocations(centre)) == ([], [])
    assert centre.trail.verify() == head


def test_an_ordinary_revocation_needs_another_person(centre: Centre) -> None:
    (card,) = make_cards(centre, row(1))
    centre.become_small()
    centre.grant("shikko", OperatorRole.IA_OPERATOR)
    head = centre.trail.verify()
    refused(Refused, "ca.separation", lambda: revoke(centre, card, LETTER))
    refused(Refused, "ca.separation", lambda: revoke(centre, card, LETTER, "shikko"))
    refused(Refused, "operators.role.missing", lambda: revoke(centre, card, LETTER, "shonin"))
    assert (requests(centre), revocations(centre)) == ([], [])
    assert state_of(centre) is ApplicationState.PERSONALISED
    assert centre.trail.verify() == head
    assert len(revoke(centre, card, LETTER, "hakko")) == 2
    (request,) = requests(centre)
    assert (request.officer, request.executor, request.emergency) == ("shikko", "hakko", False)
    executed = json.loads(entries(centre, "REV.EXECUTE")[-1].body)
    assert (executed["actor_id"], executed["co_actor_id"]) == ("hakko", "shikko")


def test_a_second_person_does_not_stand_in_for_the_callers_check(centre: Centre) -> None:
    (card,) = make_cards(centre, row(1))
    wrong = call(caller(called_back=False))
    refused(Refused, "ra.revoke.caller", lambda: revoke(centre, card, wrong, "hakko"))
    assert revocations(centre) == []


def test_a_revocation_is_final(centre: Centre) -> None:
    (card,) = make_cards(centre, row(1))
    revoke(centre, card, LETTER, "hakko")
    before, kept = revocations(centre), requests(centre)
    refused(Conflict, "ca.revoke.twice", lambda: revoke(centre, card, LETTER, "hakko"))
    refused(Conflict, "ca.revoke.twice", lambda: revoke(centre, card, call(caller())))
    assert (revocations(centre), requests(centre)) == (before, kept)


def test_a_request_has_evidence_and_a_known_ground(centre: Centre) -> None:
    (card,) = make_cards(centre, row(1))
    for evidence in ("", " \u3000"):
        request = replace(LETTER, evidence=evidence)
        refused(
            InvalidInput,
            "ra.revoke.evidence",
            lambda: revoke(centre, card, request, "hakko"),  # noqa: B023
        )
    unknown = replace(LETTER, ground="X99")
    refused(
        InvalidInput,
        "policies.ground.unknown",
        lambda: revoke(centre, card, unknown, "hakko"),
    )
    assert (requests(centre), revocations(centre)) == ([], [])


def test_who_is_hit_is_found_and_shown(centre: Centre) -> None:
    """Two licences with one number: the number alone is ambiguous, everything else is not."""
    same = {"registration_number": "900777"}
    rows = row(1, **same), row(2, **same, profession="歯科医師")
    first, second = make_cards(centre, *rows)
    for target, card in (
        (first, first),
        (first.upper(), first),
        (f"card-{second}", second),
        ("T2026-0001", first),
        ("T2026-0002", second),
    ):
        assert centre.desk.find(target).card_number == card
    hit = centre.desk.find(second)
    shown = (hit.kanji_name, hit.kana_name, hit.birth_date.isoformat(), hit.telephone)
    wanted = ("kanji_name", "kana_name", "birth_date", "telephone")
    assert shown == tuple(rows[1][name] for name in wanted)
    assert (hit.profession, hit.registration_number, hit.confirmation) == (
        "歯科医師",
        "900777",
        "0777",
    )
    assert {one.carrier_id for one in hit.certificates} == {f"card-{second}"}
    assert len(hit.certificates) == 2
    refusal = refused(InvalidInput, "ra.revoke.ambiguous", lambda: centre.desk.find("900777"))
    assert first in refusal.hint
    assert second in refusal.hint
    for target in ("900778", "T2026-0003", "ff" * 8, ""):
        refused(NotFound, "ra.revoke.target", lambda: centre.desk.find(target))  # noqa: B023
    revoke(centre, first, LETTER, "hakko")
    assert (state_of(centre, "T2026-0001"), state_of(centre, "T2026-0002")) == (
        ApplicationState.CLOSED_REVOKED,
        ApplicationState.PERSONALISED,
    )
    with centre.store.read() as tx:
        left = [revocation_of(tx, one.id or 0) for one in certificates_on(centre, second)]
    assert left == [None, None]
    assert centre.desk.find(first).certificates == ()
