from __future__ import annotations

import pytest

from autorepair.causes.services import may_be_about
from autorepair.causes.weighing import diagnose
from autorepair.causes.wrong_value import WRONG_ENV_VAR
from autorepair.domain.diagnosis import EnvironmentNeed, Finding, RootCause
from autorepair.domain.evidence import Evidence, SettingChange
from unit.failing_words import (
    changed,
    dotnet,
    go,
    healthy_then,
    java,
    node,
    python,
    rewritten,
    secret,
)
from unit.logbook import Logbook

KINDS = [
    ("PAYMENTS_API_HOST", node("Error", "getaddrinfo ENOTFOUND api.paymnts.acme.com")),
    ("ORDERS_HOST", java("java.net.UnknownHostException", "ordrs.internal.acme.com")),
    ("DB_HOST", dotnet("System.Net.Sockets.SocketException", "No such host is known")),
    ("REDIS_ADDR", go("*net.OpError", "dial tcp: lookup cache.acm on 169.254.78.1: no such host")),
    (
        "UPLOAD_BUCKET",
        java("s3.model.NoSuchBucketException", "The specified bucket does not exist"),
    ),
    ("ORDERS_QUEUE_URL", python("E", "(AWS.SimpleQueueService.NonExistentQueue) when calling")),
    ("ALERTS_TOPIC_ARN", dotnet("E", "is not authorized to perform: SNS:Publish on resource: x")),
    ("BATCH_SIZE", java("java.lang.NumberFormatException", 'For input string: "ten"')),
    ("TTL_SECONDS", go("*strconv.NumError", 'strconv.Atoi: parsing "30s": invalid syntax')),
    ("FEATURE_ENABLED", python("ValueError", "invalid truth value 'yess'")),
    ("RATE_RULES_JSON", python("JSONDecodeError", "Expecting property name: line 1 column 2")),
    ("STAGE", java("java.lang.IllegalArgumentException", "No enum constant com.acme.Stage.PROOD")),
    ("TZ", python("ZoneInfoNotFoundError", "'No time zone found with key Europe/Berln'")),
    ("BEDROCK_MODEL_ID", python("E", "The provided model identifier is invalid.")),
    ("WEATHER_API_KEY", node("Error", "Request failed with status code 401")),
    ("DATABASE_URL", python("OperationalError", 'FATAL:  database "ordres" does not exist')),
    ("MODEL_PATH", python("FileNotFoundError", "No such file or directory: '/opt/v3.onnx'")),
    ("MONGO_URI", node("MongoParseError", "Invalid scheme, expected connection string to start")),
]
LEFT_BEHIND = [
    ("NODE_OPTIONS", "Error: Cannot find module '/opt/trace.js'\n- internal/preload", True),
    ("AWS_LAMBDA_EXEC_WRAPPER", "/opt/otel-instrument: No such file or directory", True),
    ("JAVA_TOOL_OPTIONS", "Error opening zip file or JAR manifest missing : /opt/agent.jar", True),
    ("LD_PRELOAD", "ERROR: ld.so: object '/opt/hook.so' from LD_PRELOAD cannot be preloaded", True),
    (
        "HTTPS_PROXY",
        python("ProxyError", "Cannot connect to proxy. Tunnel connection failed"),
        False,
    ),
    (
        "AWS_PROFILE",
        python("ProfileNotFound", "The config profile (dev) could not be found"),
        False,
    ),
]


def find(evidence: Evidence) -> Finding | None:
    return WRONG_ENV_VAR.diagnose(evidence)


@pytest.mark.parametrize(("name", "words"), KINDS)
@pytest.mark.parametrize("is_recorded", [True, False])
def test_every_kind_of_value_breaks_in_the_words_of_every_runtime(
    name: str,
    words: str,
    is_recorded: bool,  # noqa: FBT001 - a parameter of the test
) -> None:
    log, changes = healthy_then(
        words,
        change=(lambda log: changed(log, variables=rewritten(name))) if is_recorded else None,
    )
    evidence = log.evidence(
        env_names=(name, "APP_LOG_LEVEL"), differing=[name, "APP_LOG_LEVEL"], changes=changes
    )
    diagnosis = diagnose(evidence)
    assert diagnosis.root_cause is RootCause.WRONG_ENV_VAR
    assert diagnosis.need == EnvironmentNeed(names=(name,))
    assert diagnosis.confidence >= 0.8


@pytest.mark.parametrize(("name", "words", "is_crash"), LEFT_BEHIND)
def test_what_was_left_behind_and_must_be_absent_is_removed(
    name: str,
    words: str,
    is_crash: bool,  # noqa: FBT001 - a parameter of the test
) -> None:
    log, _ = healthy_then(words, is_crash=is_crash)
    diagnosis = diagnose(log.evidence(env_names=(name,), unwanted=[name]))
    assert diagnosis.root_cause is RootCause.WRONG_ENV_VAR
    assert diagnosis.need == EnvironmentNeed(names=(name,))
    assert "must not be" in diagnosis.why


def test_what_began_when_a_variable_was_changed_is_its_value_whatever_is_said() -> None:
    words = python("RuntimeError", "rejected: code 17")
    log, changes = healthy_then(
        words, change=lambda log: changed(log, variables=rewritten("TENANT"))
    )
    evidence = log.evidence(env_names=("TENANT",), differing=["TENANT"], changes=changes)
    finding = find(evidence)
    assert finding is not None
    assert finding.need == EnvironmentNeed(names=("TENANT",))
    assert finding.confidence >= 0.8
    assert find(log.evidence(env_names=("TENANT",), equal=["TENANT"], changes=changes)) is None


def test_a_secret_that_was_just_written_and_is_refused_since_is_wrong() -> None:
    words = node("Error", "Request failed with status code 401")
    log, changes = healthy_then(
        words, change=lambda log: changed(log, variables=rewritten("WEATHER_API_KEY"))
    )
    evidence = log.evidence(env_names=("WEATHER_API_KEY",), changes=changes)
    told = evidence.model_copy(update={"declared": (secret("WEATHER_API_KEY"),)})
    finding = find(told)
    assert finding is not None
    assert finding.need == EnvironmentNeed(names=("WEATHER_API_KEY",))
    assert find(told.model_copy(update={"changes": ()})) is None


@pytest.mark.parametrize(
    ("words", "cause"),
    [
        (python("E", "(ThrottlingException): Too many requests"), RootCause.DOWNSTREAM_THROTTLED),
        (node("Error", "connect ECONNREFUSED 10.0.3.4:80"), RootCause.DOWNSTREAM_UNAVAILABLE),
        (python("KeyError", "'order_id'", "event['order_id']"), RootCause.CODE_BUG),
        (
            python(
                "ClientError",
                "An error occurred (AccessDeniedException) when calling the PutItem operation: "
                "User: arn:aws:sts::1:role/x is not authorized to perform: dynamodb:PutItem",
            ),
            RootCause.PERMISSION_DENIED,
        ),
    ],
)
@pytest.mark.parametrize("bystander", ["APP_LOG_LEVEL", "REPORT_BUCKET"])
def test_a_variable_that_differs_and_has_no_part_in_it_is_left_alone(
    words: str, cause: RootCause, bystander: str
) -> None:
    log, _ = healthy_then(words)
    diagnosis = diagnose(log.evidence(env_names=(bystander,), differing=[bystander]))
    assert diagnosis.root_cause is cause
    assert diagnosis.need is None


def test_a_name_that_does_not_resolve_is_no_wrong_value_where_it_is_as_declared() -> None:
    log, _ = healthy_then(node("Error", "getaddrinfo ENOTFOUND api.partner.com"))
    evidence = log.evidence(env_names=("PARTNER_URL",), equal=["PARTNER_URL"])
    assert find(evidence) is None
    assert find(evidence.model_copy(update={"declared": (secret("PARTNER_URL"),)})) is None


@pytest.mark.parametrize(
    ("variable", "text", "is_fitting"),
    [
        ("REPORT_BUCKET", "not authorized to perform: dynamodb:PutItem", False),
        ("AUDIT_TABLE", "not authorized to perform: dynamodb:PutItem", True),
        ("AUDIT_TABLE", "ResourceNotFoundException", True),
        ("TENANT", "not authorized to perform: dynamodb:PutItem", True),
        ("ORDERS_QUEUE_URL", "https://sqs.eu-west-1.amazonaws.com/1/orders is denied", True),
        ("DATABASE_URL", "connect ECONNREFUSED https://api.partner.com", False),
        ("MODEL_PATH", "s3:GetObject", True),
    ],
)
def test_a_text_about_one_service_is_not_about_anothers_variable(
    variable: str,
    text: str,
    is_fitting: bool,  # noqa: FBT001 - a parameter of the test
) -> None:
    assert may_be_about(variable, text) is is_fitting


def test_a_variable_that_is_set_and_said_to_be_lacking_is_empty() -> None:
    log, _ = healthy_then("required key STREAM_NAME missing value", is_crash=True)
    diagnosis = diagnose(log.evidence(env_names=("STREAM_NAME",), differing=["STREAM_NAME"]))
    assert diagnosis.root_cause is RootCause.WRONG_ENV_VAR
    assert diagnosis.need == EnvironmentNeed(names=("STREAM_NAME",))


def test_a_limit_that_was_lowered_together_with_a_variable_may_be_what_broke() -> None:
    lowered = SettingChange(name="memory_mb", before=1024, after=256)
    log, changes = healthy_then(
        python("RuntimeError", "rejected: code 17"),
        change=lambda log: changed(log, variables=rewritten("TENANT"), settings=[lowered]),
    )
    evidence = log.evidence(env_names=("TENANT",), differing=["TENANT"], changes=changes)
    finding = find(evidence)
    assert finding is not None
    assert finding.confidence < 0.6


def test_a_variable_that_nobody_declared_is_named_and_not_repaired() -> None:
    log, changes = healthy_then(
        python("RuntimeError", "rejected: code 17"),
        change=lambda log: changed(log, variables=rewritten("TENANT")),
    )
    finding = find(log.evidence(env_names=("TENANT",), changes=changes))
    assert finding is not None
    assert not finding.is_repairable
    assert "not declared" in finding.why


def test_work_that_is_cut_since_a_variable_was_changed_is_cut_by_its_value() -> None:
    log = Logbook(timeout_s=10)
    log.succeed(*[50.0] * 12)
    changes = [changed(log, variables=rewritten("DB_HOST"))]
    log.enter("b")
    for _ in range(5):
        log.time_out()
    evidence = log.evidence(env_names=("DB_HOST",), differing=["DB_HOST"], changes=changes)
    assert diagnose(evidence).root_cause is RootCause.WRONG_ENV_VAR
