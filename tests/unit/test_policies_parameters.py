"""The table of parameters, and a site's own numbers over it."""

from __future__ import annotations

from decimal import Decimal

import pytest

from pki.errors import InvalidInput
from policies.parameters import Parameters, parameter, parameters

TABLE = """
CERT_MAX_YEARS 5 y SEEN; CA_CERT_MAX_YEARS 20 y SEEN; ROOT_CERT_MAX_YEARS 30 y SEEN;
CA_KEY_USE_YEARS 10 y RECALL-M;
CRL_INTERVAL_H 48 h RECALL-M; CRL_TOLERANCE_MIN 60 min PROPOSAL; CRL_TARGET_H 24 h SEEN;
CRL_VALIDITY_H 96 h RECALL-M;
CRL_PUBLISH_MIN 30 min PROPOSAL; CRL_RETRY_MIN 1 min PROPOSAL;
CRL_RETRY_MAX_MIN 60 min PROPOSAL; REVOKE_LIMIT_H 24 h SEEN; EMERG_REVOKE_H 2 h PROPOSAL;
EMERG_FORM_DAYS 14 d PROPOSAL; REVOKE_NOTICE_DAYS 7 d PROPOSAL; RECEIPT_REMIND_DAYS 14 d PROPOSAL;
RECEIPT_CONFIRM_DAYS 30 d PROPOSAL; PICKUP_HOLD_DAYS 90 d PROPOSAL; TEMP_DOC_DAYS 183 d SEEN;
RESIDENT_MAX_AGE_DAYS 92 d SEEN; SEALCERT_MAX_AGE_DAYS 92 d SEEN; ID_REUSE_YEARS 5 y SEEN;
OPEN_FILE_DAYS 90 d PROPOSAL; PAYMENT_DAYS 30 d PROPOSAL; NOTICE_DAYS 3 d PROPOSAL;
DEFICIENCY_DAYS 60 d PROPOSAL; URGENT_DAYS 7 d PROPOSAL; SOON_DAYS 30 d PROPOSAL;
RENEW_WINDOW_DAYS 180 d PROPOSAL;
RETAIN_YEARS 10 y after expiry RECALL-H; LOG_REVIEW_DAYS 31 d PROPOSAL; ANCHOR_DAYS 1.5 d PROPOSAL;
BACKUP_DAYS 1.5 d PROPOSAL; RESTORE_TEST_DAYS 366 d PROPOSAL; READBACK_DAYS 366 d PROPOSAL;
BCP_DAYS 366 d PROPOSAL; LRA_INSPECT_DAYS 366 d PROPOSAL; SWEEP_DAYS 366 d PROPOSAL;
SELF_AUDIT_DAYS 92 d PROPOSAL; SAMPLE_PCT 3 % PROPOSAL;
VULN_DAYS 92 d PROPOSAL; ACCESS_REVIEW_DAYS 183 d PROPOSAL;
ACCOUNT_CLOSE_DAYS 1 d PROPOSAL; TRAINING_DAYS 366 d PROPOSAL;
AUDIT_DAYS 366 d RECALL-M; CLOCK_MS 1000 ms PROPOSAL; CLOCK_CHECK_DAYS 1 d SEEN;
KEYCOPY_MIN 10 min PROPOSAL;
REPO_OUTAGE_H 4 h PROPOSAL; PROBE_DAYS 1 d PROPOSAL;
AVAILABILITY_PCT 99.5 % PROPOSAL; INCIDENT_REPORT_H 24 h PROPOSAL;
INCIDENT_CLOSE_DAYS 90 d PROPOSAL; PIN_RETRY 15 tries SEEN; REMOTE_SESSION_H 18 h SEEN;
REMOTE_DESTROY_DAYS 1 d PROPOSAL; TERMINATION_NOTICE_DAYS 60 d PROPOSAL;
CREDENTIAL_YEARS 3 y PROPOSAL; SUBSTITUTE_MAX_DAYS 31 d PROPOSAL
"""


def test_the_whole_table() -> None:
    wanted = [" ".join(row.split()) for row in TABLE.split(";")]
    assert [f"{one.key} {one.value} {one.unit} {one.firm}" for one in parameters()] == wanted
    for one in parameters():
        assert one.source
        assert type(one.value) is (Decimal if "." in str(one.value) else int)
        assert parameter(one.key) is one


def test_what_a_site_has_not_set_is_what_ships() -> None:
    assert all(Parameters().value(one.key) == one.value for one in parameters())
    own = Parameters({"LOG_REVIEW_DAYS": 14})
    assert own.value("LOG_REVIEW_DAYS") == 14
    assert own.value("ANCHOR_DAYS") == Decimal("1.5")


@pytest.mark.parametrize(
    ("given", "shown"),
    [(1, "1"), (0.1, "0.1"), ("2.50", "2.5"), (Decimal("1E+2"), "100"), (30.0, "30")],
)
def test_numbers_with_a_decimal_point(given: object, shown: str) -> None:
    value = Parameters({"ANCHOR_DAYS": given}).value("ANCHOR_DAYS")
    assert isinstance(value, Decimal)
    assert str(value) == shown


@pytest.mark.parametrize("given", [5, 5.0, "5", Decimal("5.0")])
def test_whole_numbers(given: object) -> None:
    value = Parameters({"PIN_RETRY": given}).value("PIN_RETRY")
    assert (value, type(value)) == (5, int)


@pytest.mark.parametrize(
    ("key", "given", "words"),
    [
        ("PIN_RETRY", 1.5, "is no whole number"),
        ("PIN_RETRY", True, "is no number"),
        ("PIN_RETRY", "many", "is no number"),
        ("PIN_RETRY", None, "is no number"),
        ("PIN_RETRY", [1], "is no number"),
        ("PIN_RETRY", -1, "is not more than 0"),
        ("PIN_RETRY", 0, "is not more than 0"),
        pytest.param("PIN_RETRY", 10**5000, "is too large", id="5001 digits"),
        ("PIN_RETRY", "1e999999999", "is too large"),
        ("ANCHOR_DAYS", float("nan"), "is no number"),
        ("ANCHOR_DAYS", "sNaN", "is no number"),
        ("ANCHOR_DAYS", float("inf"), "is no number"),
        ("ANCHOR_DAYS", "-0.5", "is not more than 0"),
        ("ANCHOR_DAYS", "1e-99999999", "has too many decimals"),
        ("AVAILABILITY_PCT", 100.1, "is too large"),
    ],
)
def test_faults_of_an_override(key: str, given: object, words: str) -> None:
    with pytest.raises(InvalidInput) as refusal:
        Parameters({key: given})
    assert refusal.value.code == "policies.parameter"
    assert refusal.value.text == f"{key} {words}"
    assert str(parameter(key).value) in refusal.value.hint


def test_an_unknown_key() -> None:
    asks = (parameter, Parameters().value, lambda key: Parameters({key: 1}))
    for ask in asks:
        with pytest.raises(InvalidInput) as refusal:
            ask("anchor_day")
        assert refusal.value.code == "policies.parameter"
        assert "ANCHOR_DAYS" in refusal.value.hint
    with pytest.raises(InvalidInput) as refusal:
        parameter("Q")
    assert refusal.value.hint == ""
