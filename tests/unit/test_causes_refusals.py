from __future__ import annotations

import json

import pytest

from autorepair.causes.refusals import DOWNSTREAM_CONNECTIONS_EXHAUSTED, DOWNSTREAM_THROTTLED
from autorepair.causes.weighing import diagnose
from autorepair.domain.diagnosis import RootCause
from unit.around import with_alarm
from unit.logbook import Logbook, cites_exist


def node(kind: str, message: str, **fields: str) -> str:
    told = {"errorType": kind, "errorMessage": message, **fields}
    return "2026-03-04T05:06:07Z\tid\tERROR\tInvoke Error \t" + json.dumps(told)


def ruby(kind: str, message: str) -> str:
    return "Error raised from handler method\n" + json.dumps(
        {"errorType": f"Function<{kind}>", "errorMessage": message}
    )


def java(kind: str, message: str) -> str:
    return f"{message}: {kind}\n{kind}: {message}\n\tat a.B.c(B.java:7)"


def failing(words: str, *, count: int = 4) -> Logbook:
    log = Logbook()
    log.succeed(90, 80, 85)
    for _ in range(count):
        log.fail(words)
    return log


THROTTLES = [
    (
        "[ERROR] ThrottlingException: An error occurred (ThrottlingException) when calling the "
        "InvokeModel operation (reached max retries: 4): Too many requests\nTraceback"
    ),
    "[ERROR] RateLimitError: Error code: 429 - insufficient_quota\nTraceback",
    node("AxiosError", "Request failed with status code 429"),
    node("TooManyRequestsException", "Rate Exceeded."),
    java("software.amazon.awssdk.services.dynamodb.model.DynamoDbException", "Rate exceeded"),
    ruby("Aws::DynamoDB::Errors::ProvisionedThroughputExceededException", "the level was exceeded"),
    json.dumps({"errorType": "APIError", "errorMessage": "SlowDown: Please reduce your request"}),
]
SLOTS = [
    "[ERROR] OperationalError: FATAL: remaining connection slots are reserved\nTraceback",
    "[ERROR] OperationalError: (1040, 'Too many connections')\nTraceback",
    node("error", "sorry, too many clients already", code="53300"),
    java("java.sql.SQLTransientConnectionException", "HikariPool-1 - Connection is not available"),
    ruby("ActiveRecord::ConnectionTimeoutError", "could not obtain a connection from the pool"),
    json.dumps({"errorType": "errorString", "errorMessage": "redis: connection pool timeout"}),
]


@pytest.mark.parametrize("words", THROTTLES)
def test_a_service_that_throttles_is_named_and_nothing_is_repaired(words: str) -> None:
    evidence = failing(words).evidence()
    diagnosis = diagnose(evidence)
    assert diagnosis.root_cause is RootCause.DOWNSTREAM_THROTTLED
    assert (diagnosis.need, diagnosis.is_repairable) == (None, False)
    assert cites_exist(diagnosis, evidence)


@pytest.mark.parametrize("words", SLOTS)
def test_a_server_or_pool_without_a_connection_left_is_named(words: str) -> None:
    evidence = failing(words).evidence(has_vpc=True)
    diagnosis = diagnose(evidence)
    assert diagnosis.root_cause is RootCause.DOWNSTREAM_CONNECTIONS_EXHAUSTED
    assert (diagnosis.need, diagnosis.is_repairable) == (None, False)
    assert cites_exist(diagnosis, evidence)


def test_one_line_alone_does_not_reach_the_highest_confidence() -> None:
    few = DOWNSTREAM_THROTTLED.diagnose(failing(THROTTLES[0], count=1).evidence())
    many = DOWNSTREAM_THROTTLED.diagnose(failing(THROTTLES[0]).evidence())
    assert few is not None
    assert many is not None
    assert few.confidence < 0.9 <= many.confidence


def test_backing_off_until_the_timeout_is_throttling_and_no_low_timeout() -> None:
    log = Logbook(timeout_s=10)
    log.succeed(200, 210, 220)
    for _ in range(4):
        log.time_out([(n, f"[WARNING] throttled by DynamoDB, attempt {n}") for n in range(1, 10)])
    diagnosis = diagnose(log.evidence())
    assert diagnosis.root_cause is RootCause.DOWNSTREAM_THROTTLED
    assert diagnosis.need is None


def test_resets_and_time_outs_beside_full_slots_are_their_consequence() -> None:
    log = Logbook(timeout_s=10)
    log.succeed(200, 210, 220)
    for _ in range(4):
        log.fail(SLOTS[2])
        log.fail(node("Error", "read ECONNRESET", code="ECONNRESET"))
        log.time_out([(0.1, "connecting to orders-db")])
    diagnosis = diagnose(log.evidence(has_vpc=True))
    assert diagnosis.root_cause is RootCause.DOWNSTREAM_CONNECTIONS_EXHAUSTED
    assert diagnosis.confidence < 0.8


def test_retries_that_succeed_late_tell_of_throttling_where_nothing_fails() -> None:
    log = Logbook(timeout_s=30)
    log.succeed(200, 210, 220)
    for _ in range(6):
        log.call(6000, says=[(0.1, "[WARNING] ThrottlingException from SSM, retry in 3200 ms")])
    assert DOWNSTREAM_THROTTLED.diagnose(log.evidence()) is None, "nobody else says that it is ill"
    finding = DOWNSTREAM_THROTTLED.diagnose(with_alarm(log.evidence(), "Duration"))
    assert finding is not None
    assert finding.confidence <= 0.65


@pytest.mark.parametrize(
    "words",
    [
        "[ERROR] KeyError: 'throttled'\nTraceback",
        "[ERROR] ClientError: (AccessDeniedException) when calling PutItem\nTraceback",
        "[ERROR] OSError: [Errno 24] Too many open files\nTraceback",
        "[ERROR] OSError: [Errno 122] Disk quota exceeded\nTraceback",
        "[ERROR] RuntimeError: no\nTraceback",
    ],
)
def test_other_refusals_are_neither(words: str) -> None:
    evidence = failing(words).evidence()
    assert DOWNSTREAM_THROTTLED.diagnose(evidence) is None
    assert DOWNSTREAM_CONNECTIONS_EXHAUSTED.diagnose(evidence) is None


def test_a_few_among_many_failures_are_not_the_cause() -> None:
    log = failing(THROTTLES[0], count=1)
    for _ in range(8):
        log.fail("[ERROR] TypeError: no\nTraceback")
    assert DOWNSTREAM_THROTTLED.diagnose(log.evidence()) is None


def test_information_about_throttling_in_successes_is_no_complaint() -> None:
    log = Logbook()
    for _ in range(6):
        log.call(90, says=[(0.01, "[INFO]\tuser writes: too many requests, rate exceeded")])
    assert DOWNSTREAM_THROTTLED.diagnose(log.evidence()) is None


def test_without_a_log_nothing_is_found() -> None:
    for cause in (DOWNSTREAM_THROTTLED, DOWNSTREAM_CONNECTIONS_EXHAUSTED):
        assert cause.diagnose(Logbook().evidence()) is None
