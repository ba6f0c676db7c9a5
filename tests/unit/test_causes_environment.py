from __future__ import annotations

import json

import pytest

from autorepair.causes.environment import MISSING_ENV_VAR
from autorepair.domain.diagnosis import EnvironmentNeed, Finding, RootCause
from autorepair.domain.evidence import Evidence
from unit.logbook import Logbook, cites_exist

KEY_ERROR = (
    "[ERROR] KeyError: 'ORDERS_TABLE'\nTraceback (most recent call last):\n"
    '  File "/var/task/app.py", line 7, in handler\n    table = os.environ["ORDERS_TABLE"]\n'
    '  File "<frozen os>", line 685, in __getitem__\n'
)


def find(evidence: Evidence) -> Finding | None:
    return MISSING_ENV_VAR.diagnose(evidence)


def names(finding: Finding | None) -> tuple[str, ...]:
    assert finding is not None
    assert finding.cause is RootCause.MISSING_ENV_VAR
    assert isinstance(finding.need, EnvironmentNeed)
    return finding.need.names


def failing(words: str, *, count: int = 3) -> Logbook:
    log = Logbook()
    for _ in range(count):
        log.fail(f"[ERROR] RuntimeError: {words}\nTraceback" if "ERROR" not in words else words)
    return log


def test_a_key_error_of_the_environment_names_the_missing_variable() -> None:
    evidence = failing(KEY_ERROR).evidence(declared=["ORDERS_TABLE"], env_names=("STAGE",))
    finding = find(evidence)
    assert names(finding) == ("ORDERS_TABLE",)
    assert finding is not None
    assert finding.confidence >= 0.9
    assert cites_exist(finding, evidence)


def test_a_variable_that_nobody_declared_is_named_all_the_same() -> None:
    assert names(find(failing(KEY_ERROR).evidence())) == ("ORDERS_TABLE",)


@pytest.mark.parametrize(
    "words",
    [
        "Missing required environment variable API_TOKEN",
        "Environment variable API_TOKEN is not set",
        "environment variable 'API_TOKEN' is required",
        'required environment variable "API_TOKEN" is not set',
        "Set the API_TOKEN environment variable",
        "API_TOKEN environment variable must be set",
        "API_TOKEN not found. Declare it as envvar or define a default value.",
        "process.env.API_TOKEN is undefined",
        "API_TOKEN is not set (copy .env.example to .env)",
        "API_TOKEN must be set: NotPresent",
        "required key API_TOKEN missing value",
        "Could not resolve placeholder 'API_TOKEN' in value",
        "缺少环境变量 API_TOKEN",
        "环境变量 API_TOKEN 未设置",
        "Missing API_TOKEN",
    ],
)
def test_messages_of_many_libraries_are_understood(words: str) -> None:
    assert names(find(failing(words).evidence())) == ("API_TOKEN",)


@pytest.mark.parametrize(
    "words",
    [
        "2026Z\tundefined\tERROR\tUncaught Exception \t"
        + json.dumps({"errorMessage": "Missing required environment variable API_TOKEN"}),
        json.dumps({"errorType": "KeyError", "errorMessage": "'x'", "stackTrace": []})
        + " API_TOKEN is not set",
        json.dumps(
            {
                "errorMessage": "API_TOKEN is not set",
                "errorType": "Error",
                "requestId": "x",
            }
        ),
    ],
)
def test_messages_inside_json_are_understood(words: str) -> None:
    log = Logbook()
    log.call(4, says=[(0.001, words)], status="Status: error\tError Type: Runtime.Unknown")
    assert names(find(log.evidence())) == ("API_TOKEN",)


def test_settings_classes_name_their_fields_in_lower_case() -> None:
    words = "1 validation error for Settings\ndatabase_url\n  Field required [type=missing]"
    assert names(find(failing(words).evidence(declared=["DATABASE_URL"]))) == ("DATABASE_URL",)
    assert find(failing(words).evidence()) is None


def test_a_request_that_lacks_a_field_is_no_missing_variable() -> None:
    words = "1 validation error for Order\ncustomer_id\n  Field required [type=missing]"
    evidence = failing(words).evidence(declared=["CUSTOMER_ID"], env_names=("CUSTOMER_ID",))
    assert find(evidence) is None


def test_a_request_that_lacks_a_declared_name_is_only_a_suspicion() -> None:
    words = "1 validation error for Order\ncustomer_id\n  Field required [type=missing]"
    finding = find(failing(words).evidence(declared=["CUSTOMER_ID"]))
    assert finding is not None
    assert finding.confidence < 0.8


def test_a_plain_word_is_a_variable_only_where_it_is_declared() -> None:
    log = failing("TOKEN must be set")
    finding = find(log.evidence(declared=["TOKEN"]))
    assert names(finding) == ("TOKEN",)
    assert finding is not None
    assert finding.confidence >= 0.9
    assert find(log.evidence()) is None


def test_a_default_that_breaks_points_at_the_declared_variable() -> None:
    words = (
        "[ERROR] ArgumentError: Could not parse URL\nTraceback\n"
        '    engine = create_engine(os.getenv("DATABASE_URL", ""))'
    )
    assert names(find(failing(words).evidence(declared=["DATABASE_URL"]))) == ("DATABASE_URL",)
    assert find(failing(words).evidence()) is None


def test_all_missing_variables_are_found_at_once() -> None:
    log = failing("required key SEATS_TABLE missing value; HOLD_TTL_SECONDS must be set")
    assert names(find(log.evidence())) == ("HOLD_TTL_SECONDS", "SEATS_TABLE")


def test_declared_variables_that_are_not_set_either_come_along() -> None:
    evidence = failing(KEY_ERROR).evidence(
        declared=["ORDERS_TABLE", "ORDERS_INDEX", "STAGE"], env_names=("STAGE",)
    )
    finding = find(evidence)
    assert names(finding) == ("ORDERS_INDEX", "ORDERS_TABLE")
    assert finding is not None
    assert "ORDERS_INDEX" in finding.why


def test_a_variable_that_is_set_is_not_missing() -> None:
    evidence = failing(KEY_ERROR).evidence(env_names=("ORDERS_TABLE",), declared=["ORDERS_TABLE"])
    assert find(evidence) is None


@pytest.mark.parametrize(
    "words",
    [
        "[ERROR] KeyError: 'order_id'\nTraceback\n    event['order_id']",
        "[ERROR] KeyError: 'ORDER_ID'\nTraceback\n    row['ORDER_ID']",
        "[ERROR] ValueError: HTTP/1.1 404 NOT_FOUND is not set\nTraceback",
        "[ERROR] TypeError: field NAME is required\nTraceback",
    ],
)
def test_ordinary_keys_and_words_are_no_variables(words: str) -> None:
    assert find(failing(words).evidence()) is None


def test_a_key_error_without_its_frame_counts_only_for_declared_variables() -> None:
    words = "[ERROR] KeyError: 'ORDER_ID'\nTraceback"
    assert names(find(failing(words).evidence(declared=["ORDER_ID"]))) == ("ORDER_ID",)
    assert find(failing(words).evidence()) is None


def test_an_environment_that_cannot_be_read_proves_nothing() -> None:
    assert find(failing(KEY_ERROR).evidence(is_env_unreadable=True)) is None


def test_only_failed_invocations_bear_witness() -> None:
    log = Logbook()
    log.call(4, says=[(0.001, "API_TOKEN is not set, going without")])
    assert find(log.evidence()) is None
    log.fail("[ERROR] TypeError: no\nTraceback")
    assert find(log.evidence()) is None


def test_a_failing_cold_start_bears_witness_for_its_stream() -> None:
    log = Logbook()
    log.write("panic: API_TOKEN must be set")
    log.call(4, status="Status: error\tError Type: Runtime.ExitError")
    log.write("panic: API_TOKEN must be set")
    assert names(find(log.evidence())) == ("API_TOKEN",)


def test_one_missing_variable_among_many_other_failures_is_less_sure() -> None:
    log = failing(KEY_ERROR, count=1)
    for _ in range(9):
        log.fail("[ERROR] TypeError: no\nTraceback")
    finding = find(log.evidence())
    assert finding is not None
    assert finding.confidence < 0.8


def test_a_declared_variable_that_is_not_set_is_a_suspicion_where_nothing_names_it() -> None:
    log = failing("[ERROR] TypeError: NoneType has no len\nTraceback")
    evidence = log.evidence(declared=["ORDERS_TABLE"])
    finding = find(evidence)
    assert names(finding) == ("ORDERS_TABLE",)
    assert finding is not None
    assert 0.6 <= finding.confidence < 0.8
    assert cites_exist(finding, evidence)


def test_time_outs_do_not_make_an_unset_variable_suspicious() -> None:
    log = Logbook()
    log.time_out()
    log.time_out()
    assert find(log.evidence(declared=["ORDERS_TABLE"])) is None


def test_an_enormous_line_is_searched_in_no_time() -> None:
    log = failing("A" * 250_000 + " is not se")
    log.fail("[ERROR] X: " + "A_" * 120_000 + "\nTraceback environment variable")
    assert find(log.evidence()) is None


def test_without_a_log_nothing_is_found() -> None:
    assert find(Logbook().evidence(declared=["ORDERS_TABLE"])) is None
