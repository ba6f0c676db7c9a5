from __future__ import annotations

import json

import pytest

from autorepair.causes.downstream import DOWNSTREAM_UNAVAILABLE
from autorepair.causes.weighing import diagnose
from autorepair.domain.diagnosis import Finding, RootCause
from autorepair.domain.evidence import Evidence
from unit.logbook import Logbook, cites_exist

REFUSED = "[ERROR] ConnectionRefusedError: [Errno 111] Connection refused\nTraceback"


def find(evidence: Evidence) -> Finding | None:
    return DOWNSTREAM_UNAVAILABLE.diagnose(evidence)


def failing(words: str, *, count: int = 3) -> Logbook:
    log = Logbook()
    for _ in range(count):
        log.fail(words)
    return log


@pytest.mark.parametrize(
    "words",
    [
        REFUSED,
        "[ERROR] URLError: <urlopen error [Errno 111] Connection refused>\nTraceback",
        "[ERROR] HTTPError: HTTP Error 503: Service Unavailable\nTraceback",
        "[ERROR] HTTPError: 502 Server Error: Bad Gateway for url: https://psp.example/\nTraceback",
        "[ERROR] HTTPStatusError: rates.example answered with status 500\nTraceback",
        "[ERROR] ConnectionError: Max retries (Caused by NameResolutionError: x)\nTraceback",
        "[ERROR] RuntimeError: the warehouse API at stock.example is not responding\nTraceback",
        "[ERROR] ReadTimeout: HTTPSConnectionPool(host='psp.example'): Read timed out.\nTraceback",
        "[ERROR] ConnectTimeoutError: Connect timeout on endpoint URL: https://x\nTraceback",
        "2026Z\tid\tERROR\tInvoke Error \t"
        + json.dumps({"errorType": "Error", "errorMessage": "connect ECONNREFUSED 10.1.2.3:443"}),
        "2026Z\tid\tERROR\tInvoke Error \t"
        + json.dumps({"errorType": "AxiosError", "errorMessage": "status code 503"}),
        "2026Z\tid\tERROR\tInvoke Error \t"
        + json.dumps({"errorType": "AxiosError", "errorMessage": "timeout of 5000ms exceeded"}),
        json.dumps({"errorMessage": "Get x: context deadline exceeded", "errorType": "*url.Error"}),
    ],
)
def test_another_service_that_fails_is_named_as_the_cause(words: str) -> None:
    evidence = failing(words).evidence()
    finding = find(evidence)
    assert finding is not None
    assert finding.cause is RootCause.DOWNSTREAM_UNAVAILABLE
    assert (finding.is_repairable, finding.need) == (False, None)
    assert finding.confidence >= 0.7
    assert cites_exist(finding, evidence)


@pytest.mark.parametrize(
    "words",
    [
        "[ERROR] ClientError: (ThrottlingException) Rate exceeded: status 503\nTraceback",
        "[ERROR] SlowDown: HTTP Error 503: SlowDown\nTraceback",
        "[ERROR] OperationalError: too many connections, connection refused\nTraceback",
        "[ERROR] OperationalError: FATAL: password authentication failed\nTraceback",
        "[ERROR] ClientError: (AccessDeniedException) when calling PutItem\nTraceback",
        '[ERROR] OperationalError: server at "localhost", port 5432: Connection refused\nTraceback',
        "[ERROR] ValueError: 503 apples\nTraceback",
        "[ERROR] ValueError: service counted down\nTraceback",
        "[ERROR] OSError: [Errno 24] Too many open files; ECONNRESET\nTraceback",
    ],
)
def test_a_service_that_is_up_or_a_placeholder_is_not_down(words: str) -> None:
    assert find(failing(words).evidence()) is None


def test_inside_a_vpc_a_name_that_does_not_resolve_may_be_the_functions_own_network() -> None:
    log = failing("[ERROR] gaierror: [Errno -2] Name or service not known\nTraceback")
    assert find(log.evidence(has_vpc=True)) is None
    assert find(log.evidence()) is not None
    assert find(failing(REFUSED).evidence(has_vpc=True)) is not None


def test_words_beside_another_exception_do_not_count() -> None:
    log = Logbook()
    for _ in range(3):
        log.call(
            4,
            says=[(0.001, "Connection refused"), (0.002, "[ERROR] TypeError: no\nTraceback")],
        )
    assert find(log.evidence()) is None


def test_a_few_among_many_failures_are_not_the_cause() -> None:
    log = failing(REFUSED, count=2)
    for _ in range(8):
        log.fail("[ERROR] RuntimeError: no\nTraceback")
    assert find(log.evidence()) is None


def test_time_outs_that_tell_of_refused_connections_need_no_longer_timeout() -> None:
    log = Logbook(timeout_s=10)
    for _ in range(3):
        log.time_out([(n * 1.5, f"attempt {n}: Connection refused by psp") for n in range(6)])
    diagnosis = diagnose(log.evidence())
    assert diagnosis.root_cause is RootCause.DOWNSTREAM_UNAVAILABLE
    assert (diagnosis.is_repairable, diagnosis.need) == (False, None)


@pytest.mark.parametrize(
    "words",
    [
        "-> GET rates zip=77203",
        "calling rates.partner.example",
        "POST https://psp.example/refunds",
        "正在连接数据库 blog-db:5432",
        "waiting for the warehouse to answer",
    ],
)
def test_a_call_followed_by_silence_is_a_service_that_does_not_answer(words: str) -> None:
    log = Logbook(timeout_s=10)
    log.succeed(200, 220, 260)
    for _ in range(3):
        log.time_out([(0.1, "began"), (0.2, words), (0.21, "headers accept=json")])
    evidence = log.evidence()
    finding = find(evidence)
    assert finding is not None
    assert "longer timeout never" in finding.why
    assert finding.is_repairable is False
    assert cites_exist(finding, evidence)
    assert diagnose(evidence).root_cause is RootCause.DOWNSTREAM_UNAVAILABLE


@pytest.mark.parametrize("words", ["GET /api/articles", "began", "order 17 stored"])
def test_a_hang_that_begins_with_no_call_stays_unknown(words: str) -> None:
    log = Logbook(timeout_s=10)
    for _ in range(3):
        log.time_out([(0.1, words)])
    assert find(log.evidence()) is None
    assert diagnose(log.evidence()).root_cause is RootCause.UNKNOWN


def test_slow_work_that_also_calls_somebody_stays_slow() -> None:
    log = Logbook(timeout_s=10)
    log.succeed(9100, 8700, 9900)
    for _ in range(3):
        log.time_out([(0.1, "calling rates.partner.example")])
    assert find(log.evidence()) is None
    assert diagnose(log.evidence()).root_cause is RootCause.TIMEOUT_TOO_LOW


def test_words_after_the_call_show_that_it_was_answered() -> None:
    log = Logbook(timeout_s=10)
    for _ in range(3):
        log.time_out([(0.1, "calling rates"), (0.2, "got 3 rates"), (0.3, "storing them")])
    assert find(log.evidence()) is None


def test_without_failures_or_a_log_nothing_is_found() -> None:
    assert find(Logbook().evidence()) is None
    log = Logbook()
    log.call(4, says=[(0.001, "Connection refused, going without")])
    assert find(log.evidence()) is None
