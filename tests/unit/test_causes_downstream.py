from __future__ import annotations

import json

import pytest

from autorepair.causes.downstream import DOWNSTREAM_UNAVAILABLE
from autorepair.causes.weighing import diagnose
from autorepair.domain.diagnosis import Finding, RootCause
from autorepair.domain.evidence import Evidence
from unit.builders import ALARM
from unit.logbook import Logbook, cites_exist

REFUSED = "[ERROR] ConnectionRefusedError: [Errno 111] Connection refused\nTraceback"


def find(evidence: Evidence) -> Finding | None:
    return DOWNSTREAM_UNAVAILABLE.diagnose(evidence)


def alarmed(evidence: Evidence) -> Evidence:
    return evidence.model_copy(update={"alarm": ALARM})


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


def test_inside_a_vpc_a_connection_that_is_never_answered_is_less_surely_the_services() -> None:
    log = failing("[ERROR] ConnectTimeout: Connection to psp.example timed out.\nTraceback")
    within, outside = find(log.evidence(has_vpc=True)), find(log.evidence())
    assert within is not None
    assert outside is not None
    assert within.confidence < outside.confidence
    refused = find(failing(REFUSED).evidence(has_vpc=True))
    assert refused is not None
    assert refused.confidence > outside.confidence


def test_a_warning_before_an_exception_that_says_nothing_is_heard_for_less() -> None:
    log = Logbook()
    for _ in range(4):
        log.call(
            4,
            says=[
                (0.001, "[WARNING]\tPOST https://psp.example/charge -> 503, attempt 3 of 3"),
                (0.002, "[ERROR] RuntimeError: could not settle the payment\nTraceback"),
            ],
        )
    finding = find(log.evidence())
    assert finding is not None
    assert finding.confidence <= 0.6
    assert cites_exist(finding, log.evidence())


def test_a_service_that_fails_shows_in_the_errors_of_invocations_that_hide_it() -> None:
    log = Logbook()
    log.succeed(90, 95, 99)
    for _ in range(6):
        log.call(90, says=[(0.01, "[ERROR]\tcatalog returned 503, answering 502")])
    assert find(log.evidence()) is None, "nothing but the log says that anything is wrong"
    finding = find(alarmed(log.evidence()))
    assert finding is not None
    assert finding.confidence <= 0.6


@pytest.mark.parametrize(
    "words",
    [
        "[ERROR]\tresponse {'statusCode': 500, 'body': ''}",
        'INFO: 1.2.3.4 - "GET /orders HTTP/1.1" 500 Internal Server Error',
        "[INFO]\tcatalog returned 503 once, retried",
    ],
)
def test_the_functions_own_answer_and_plain_information_are_no_complaint(words: str) -> None:
    log = Logbook()
    for _ in range(6):
        log.call(90, says=[(0.01, words)])
    assert find(alarmed(log.evidence())) is None


def test_what_successes_say_as_well_is_no_proof() -> None:
    log = Logbook(timeout_s=10)
    words = "[INFO]\tcomment of a customer: 503 Service Unavailable, connection refused"
    for _ in range(6):
        log.call(200, says=[(0.01, words)])
    for _ in range(4):
        log.time_out([(0.05, words)])
    finding = find(log.evidence())
    assert finding is None or finding.confidence <= 0.5


@pytest.mark.parametrize(
    ("words", "is_found"),
    [
        ("checking DE811907980 at ec.europa.eu", True),
        ("HikariPool-1 - Starting...", True),
        ("phase 2/3 sync ledger", True),
        ("rendering 40 pages", False),
        ("parsing the feed", False),
    ],
)
def test_a_silence_that_is_new_and_not_the_functions_own_work_is_a_leaning(
    words: str,
    is_found: bool,  # noqa: FBT001 - a column of the table
) -> None:
    log = Logbook(timeout_s=10)
    for number in range(5):
        log.call(200 + number, says=[(0.15, f"done {number}")])
    for _ in range(4):
        log.time_out([(0.05, words)])
    finding = find(log.evidence())
    assert (finding is not None) == is_found
    assert finding is None or (finding.confidence, finding.need) == (0.5, None)
    within = diagnose(log.evidence(has_vpc=True)).root_cause
    assert (within is RootCause.NETWORK_UNREACHABLE) == is_found


def test_an_answer_that_usually_follows_and_never_comes_shows_who_is_silent() -> None:
    log = Logbook(timeout_s=10)
    for number in range(6):
        log.call(200, says=[(0.01, f"order {number}"), (0.1, "partner quoted in 80 ms")])
    for number in range(4):
        log.time_out([(0.05, f"order {number}")])
    finding = find(log.evidence())
    assert finding is not None
    assert finding.confidence <= 0.6
    assert cites_exist(finding, log.evidence())


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


def test_a_call_that_as_many_others_barely_survive_is_no_hang() -> None:
    barely = Logbook(timeout_s=10)
    barely.succeed(9100, 8700, 9900)
    swift = Logbook(timeout_s=10)
    swift.succeed(200, 220, 260)
    for log in (barely, swift):
        for _ in range(3):
            log.time_out([(0.1, "calling rates.partner.example")])
    assert find(barely.evidence()) is None
    assert find(swift.evidence()) is not None


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
