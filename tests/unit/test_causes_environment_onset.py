from __future__ import annotations

import pytest

from autorepair.causes.environment import MISSING_ENV_VAR
from autorepair.causes.weighing import diagnose
from autorepair.domain.diagnosis import EnvironmentNeed, Finding, RootCause
from autorepair.domain.evidence import Evidence
from unit.failing_words import (
    changed,
    dotnet,
    healthy_then,
    java,
    node,
    python,
    removed,
    ruby,
)
from unit.logbook import Logbook


def names(finding: Finding | None) -> tuple[str, ...]:
    assert finding is not None
    assert isinstance(finding.need, EnvironmentNeed)
    return finding.need.names


def find(evidence: Evidence) -> Finding | None:
    return MISSING_ENV_VAR.diagnose(evidence)


NAMED = [
    ("ORDERS_TABLE", node("Error", 'Config validation error: "ORDERS_TABLE" is required')),
    ("DATABASE_URL", node("E", "error: Environment variable not found: DATABASE_URL.")),
    (
        "LEDGER_TABLE",
        java(
            "java.lang.IllegalStateException",
            "SRCFG00014: The config property LEDGER_TABLE is required but it",
        ),
    ),
    ("REDIS_URL", ruby("KeyError", 'key not found: "REDIS_URL"')),
    ("Stripe__ApiKey", dotnet("E", "Configuration value 'Stripe:ApiKey' is missing.")),
    (
        "PAY_TOPIC_ARN",
        java(
            "java.lang.IllegalStateException",
            "Could not resolve placeholder 'PAY_TOPIC_ARN' in value",
        ),
    ),
    (
        "PAY_TOPIC_ARN",
        java(
            "java.lang.IllegalStateException",
            "Could not resolve placeholder 'pay.topic-arn' in value",
        ),
    ),
    ("OPENAI_API_KEY", python("E", "or by setting the OPENAI_API_KEY environment variable")),
    (
        "API_TOKEN",
        python("ValidationError", "1 validation error for Settings\napi_token\n  Field required"),
    ),
    ("MAIL_FROM", python("E", "Config 'MAIL_FROM' is missing, and has no default.")),
]
CRASHES = [
    ("STREAM_NAME", "envconfig: required key STREAM_NAME missing value"),
    ("QUEUE_URL", "panic: environment variable QUEUE_URL not set\n\ngoroutine 1 [running]:"),
    (
        "TABLE_NAME",
        "thread 'main' panicked at src/main.rs:14:39:\nTABLE_NAME must be set: NotPresent",
    ),
    ("BUCKET", "/var/task/bootstrap: line 4: BUCKET: unbound variable"),
    ("MAILER_DSN", 'PHP Warning:  Undefined array key "MAILER_DSN" in /var/task/index.php'),
    ("KEY_BASE", 'could not fetch environment variable "KEY_BASE" because it is not set'),
    ("GRID_KEY", " Missing environment variables:\n    GRID_KEY: undefined"),
]


@pytest.mark.parametrize(("name", "words"), NAMED)
def test_frameworks_name_the_variable_in_their_own_spelling(name: str, words: str) -> None:
    log, _ = healthy_then(words)
    assert names(find(log.evidence(declared=[name]))) == (name,)


@pytest.mark.parametrize(("name", "words"), CRASHES)
def test_processes_name_the_variable_before_they_end(name: str, words: str) -> None:
    log, _ = healthy_then(words, is_crash=True)
    finding = find(log.evidence(declared=[name]))
    assert names(finding) == (name,)
    assert finding is not None
    assert finding.confidence >= 0.8


NOTHING = [
    node("TypeError", "Cannot read properties of undefined (reading 'split')"),
    node("TypeError", "Invalid URL: undefined"),
    node("ValidationException", "Value null at 'tableName' failed to satisfy constraint"),
    python("ParamValidationError", "Invalid type for parameter TableName, value: None"),
    dotnet("System.ArgumentNullException", "Value cannot be null. (Parameter 'settings')"),
    java("java.lang.NullPointerException", 'because "this.table" is null'),
]


@pytest.mark.parametrize("words", [*NOTHING, python("RuntimeError", "tenant rejected: code 17")])
def test_what_began_when_a_variable_was_removed_is_that_variables_lack(words: str) -> None:
    log, changes = healthy_then(
        words, change=lambda log: changed(log, variables=removed("ORIGINS"))
    )
    diagnosis = diagnose(log.evidence(declared=["ORIGINS"], changes=changes))
    assert diagnosis.root_cause is RootCause.MISSING_ENV_VAR
    assert diagnosis.need == EnvironmentNeed(names=("ORIGINS",))
    assert diagnosis.confidence >= 0.8
    assert diagnosis.cites[0] == changes[0].id


@pytest.mark.parametrize("words", NOTHING)
def test_a_value_that_is_not_there_is_reason_to_ask_about_an_unset_variable(words: str) -> None:
    log, _ = healthy_then(words)
    finding = find(log.evidence(declared=["LEDGER"]))
    assert finding is not None
    assert 0.6 <= finding.confidence < 0.8


@pytest.mark.parametrize(
    ("words", "cause"),
    [
        (node("Error", "connect ECONNREFUSED 10.0.3.4:5432"), RootCause.DOWNSTREAM_UNAVAILABLE),
        (python("KeyError", "'order_id'", "event['order_id']"), RootCause.CODE_BUG),
    ],
)
def test_an_unset_variable_that_nothing_speaks_of_is_no_more_than_a_hunch(
    words: str, cause: RootCause
) -> None:
    log, _ = healthy_then(words)
    diagnosis = diagnose(log.evidence(declared=["FEATURE_X"]))
    assert diagnosis.root_cause is cause
    assert diagnosis.need is None


def test_only_the_variables_that_were_removed_come_along_with_a_removed_one() -> None:
    words = python("KeyError", "'A_TABLE'", 'os.environ["A_TABLE"]')
    log, changes = healthy_then(
        words, change=lambda log: changed(log, variables=removed("A_TABLE", "B_TTL"))
    )
    evidence = log.evidence(declared=["A_TABLE", "B_TTL", "NEVER_SET"], changes=changes)
    assert names(find(evidence)) == ("A_TABLE", "B_TTL")


def test_healthy_calls_after_the_removal_acquit_it() -> None:
    log, changes = healthy_then(
        NOTHING[0], change=lambda log: changed(log, variables=removed("ORIGINS")), clean=30
    )
    finding = find(log.evidence(declared=["ORIGINS"], changes=changes))
    assert finding is None or finding.confidence < 0.8


def test_a_field_that_some_events_lack_is_no_variable() -> None:
    log = Logbook()
    for _ in range(6):
        log.succeed(40)
        log.fail(python("ValueError", "ORDER_ID is required"))
    finding = find(log.evidence())
    assert finding is not None
    assert finding.confidence < 0.6
