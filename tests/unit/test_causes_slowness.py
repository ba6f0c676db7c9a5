from __future__ import annotations

from collections.abc import Callable

import pytest

from autorepair.causes.slowness import DOWNSTREAM_SLOW
from autorepair.causes.weighing import diagnose
from autorepair.domain.diagnosis import Finding, RootCause
from autorepair.domain.evidence import Evidence, RecentChange, SettingChange
from unit.logbook import START, Logbook, cites_exist

SWIFT = (150.0, 170.0, 160.0, 180.0, 155.0, 165.0)
SLOW = (4000.0, 5200.0, 6100.0, 7000.0, 8200.0, 9000.0)


def find(evidence: Evidence) -> Finding | None:
    return DOWNSTREAM_SLOW.diagnose(evidence)


def rising(says: Callable[[float], str], *, used_mb: int = 100) -> Logbook:
    log = Logbook(timeout_s=30)
    for ms in (*SWIFT, *SLOW):
        log.call(ms, says=[(0.01, says(ms))], used_mb=used_mb)
    return log


@pytest.mark.parametrize(
    "says",
    [
        lambda ms: f"[INFO]\tPOST /charge 200 in {ms - 60:.0f} ms",
        lambda ms: f"[INFO]\tstatement finished, query_ms={ms - 60:.0f}",
        lambda ms: f"INFO OrdersRepo Query executed in {ms - 60:.0f} ms",
        lambda ms: f"info Executed DbCommand ({ms - 60:,.0f}ms) [Parameters=[]]",
        lambda ms: f'{{"level":"info","msg":"redis get","latency_ms":{ms - 60:.0f}}}',
        lambda ms: f'{{"level":"INFO","msg":"partner quote","took":"{(ms - 60) / 1000:.3f}s"}}',
        lambda ms: f"Completed 200 OK in {ms:.0f}ms (ActiveRecord: {ms - 60:.1f}ms)",
        lambda ms: f"dynamodb GetItem latency={(ms - 60) / 1000:.2f}s",
        lambda ms: f"调用支付网关 耗时 {ms - 60:.0f}ms",
    ],
)
def test_time_that_others_took_shows_a_slow_service_though_nothing_fails(
    says: Callable[[float], str],
) -> None:
    evidence = rising(says).evidence()
    diagnosis = diagnose(evidence)
    assert diagnosis.root_cause is RootCause.DOWNSTREAM_SLOW
    assert (diagnosis.need, diagnosis.is_repairable) == (None, False)
    assert diagnosis.confidence >= 0.8
    assert cites_exist(diagnosis, evidence)


def test_time_outs_beside_slower_and_slower_answers_need_no_longer_timeout() -> None:
    log = Logbook(timeout_s=10)
    for ms in SWIFT:
        log.call(ms, says=[(0.01, f"POST /charge 200 in {ms - 60:.0f} ms")])
    for ms in SLOW:
        log.call(ms, says=[(0.01, f"POST /charge 200 in {ms - 60:.0f} ms")])
        log.time_out([(0.01, "order 5")])
    diagnosis = diagnose(log.evidence())
    assert diagnosis.root_cause is RootCause.DOWNSTREAM_SLOW
    assert diagnosis.need is None


def test_complaints_of_waiting_that_only_slow_invocations_make_are_heard_for_less() -> None:
    log = rising(lambda ms: "priced" if ms < 1000 else "[WARNING] pricing API is slow, waiting")
    finding = find(log.evidence())
    assert finding is not None
    assert finding.confidence < 0.8


def test_lost_patience_beside_slower_answers_is_slowness_and_alone_it_is_silence() -> None:
    lost = (
        "[ERROR] ReadTimeout: HTTPSConnectionPool(host='erp.example'): Read timed out.\nTraceback"
    )
    log = rising(lambda _: "stored")
    for _ in range(6):
        log.fail(lost)
    assert diagnose(log.evidence()).root_cause is RootCause.DOWNSTREAM_SLOW
    alone = Logbook()
    alone.succeed(*SWIFT)
    for _ in range(6):
        alone.fail(lost)
    assert find(alone.evidence()) is None
    assert diagnose(alone.evidence()).root_cause is RootCause.DOWNSTREAM_UNAVAILABLE


def test_silence_between_a_call_and_the_next_word_is_the_others_time() -> None:
    log = Logbook(timeout_s=30)
    for ms in (*SWIFT, *SLOW):
        log.call(ms, says=[(0.01, "calling pricing"), ((ms - 10) / 1000, "priced")])
    finding = find(log.evidence())
    assert finding is not None
    assert cites_exist(finding, log.evidence())
    own = Logbook(timeout_s=30)
    for ms in (*SWIFT, *SLOW):
        own.call(ms, says=[(0.01, "drawing"), ((ms - 10) / 1000, "drawn")])
    assert find(own.evidence()) is None


def test_a_model_whose_answers_come_later_and_later_cuts_invocations_but_needs_no_time() -> None:
    log = Logbook(timeout_s=29)
    for ms in (7000.0, 7400.0, 7200.0, 7100.0, 7300.0, 22000.0, 25000.0, 24000.0, 27000.0):
        log.call(ms, says=[(0.1, "calling model"), ((ms - 99) / 1000, f"completion in {ms} ms")])
    log.time_out([(0.1, "calling model")])
    diagnosis = diagnose(log.evidence())
    assert diagnosis.root_cause is RootCause.DOWNSTREAM_SLOW
    assert diagnosis.need is None


@pytest.mark.parametrize(
    "words",
    [
        "[ERROR] QueryCanceled: canceling statement due to statement timeout\nTraceback",
        "[ERROR] OperationalError: (1205, 'Lock wait timeout exceeded')\nTraceback",
        (
            '{"errorType":"SqlException","errorMessage":"Execution Timeout Expired. The '
            "timeout period "
            'elapsed prior to completion of the operation or the server is not responding."}'
        ),
    ],
)
def test_statements_that_are_cancelled_for_their_length_are_slow_ones(words: str) -> None:
    log = Logbook()
    log.succeed(*SWIFT)
    for _ in range(4):
        log.fail(words)
    assert diagnose(log.evidence()).root_cause is RootCause.DOWNSTREAM_SLOW


def test_time_outs_whose_own_lines_tell_of_the_wait_are_the_services() -> None:
    log = Logbook(timeout_s=10)
    for ms in SWIFT:
        log.call(ms, says=[(0.01, "SELECT on orders took 80 ms")])
    for _ in range(5):
        log.time_out([(0.1, "order 5"), (8.1, "[WARNING] query still running after 8 s")])
    diagnosis = diagnose(log.evidence())
    assert diagnosis.root_cause is RootCause.DOWNSTREAM_SLOW
    assert diagnosis.need is None


def beginning(cut: int, *, slow_ones: int, warm: int) -> Logbook:
    """New environments of which each is slow at its first call, and then answers warm ones."""
    log = Logbook(timeout_s=3)
    for n in range(cut + slow_ones):
        log.enter(f"s{n}")
        if n < slow_ones:
            log.call(2850, says=[(2.0, "member lookup done in 1990 ms")])
        else:
            log.time_out([(2.1, "member lookup done in 2100 ms")])
            log.enter(f"t{n}")
            log.is_cold = False
        for _ in range(warm):
            log.call(120, says=[(0.04, "member lookup done in 35 ms")])
    return log


def test_first_calls_are_held_against_first_calls_and_not_against_warm_ones() -> None:
    assert find(beginning(6, slow_ones=4, warm=3).evidence()) is None


def test_first_calls_that_are_cut_beside_swift_warm_ones_show_no_slow_service() -> None:
    assert find(beginning(6, slow_ones=0, warm=3).evidence()) is None


def test_first_calls_that_wait_longer_than_first_calls_did_show_a_slow_service() -> None:
    log = Logbook(timeout_s=3)
    for n in range(5):
        log.enter(f"a{n}")
        log.call(400, says=[(0.3, "member lookup done in 250 ms")])
    for n in range(5):
        log.enter(f"b{n}")
        log.time_out([(2.4, "member lookup done in 2300 ms")])
    finding = find(log.evidence())
    assert finding is not None
    assert finding.cause is RootCause.DOWNSTREAM_SLOW


@pytest.mark.parametrize(
    "says",
    [
        lambda ms: f"bcrypt cost=12 wall_ms={ms:.0f}",
        lambda ms: f"rendered 12 pages in {ms:.0f} ms",
        lambda ms: f"query returned {160_000 if ms > 1000 else 4000} rows in {ms - 60:.0f} ms",
        lambda _: "stored",
        lambda _: "POST /charge 200 in 90 ms",
    ],
)
def test_own_work_larger_work_and_silence_are_no_slow_service(
    says: Callable[[float], str],
) -> None:
    assert find(rising(says).evidence()) is None


def test_a_change_of_memory_or_a_full_memory_explains_the_slowness_better() -> None:
    def says(ms: float) -> str:
        return f"query took {ms - 60:.0f} ms"

    change = RecentChange(
        id="change:1",
        at=START.replace(second=30),
        source="snapshot",
        event="UpdateFunctionConfiguration",
        settings=(SettingChange(name="memory_mb", before=1024, after=256),),
    )
    assert find(rising(says).evidence()) is not None
    assert find(rising(says).evidence(changes=[change])) is None
    assert find(rising(says, used_mb=256).evidence()) is None


def test_new_code_at_the_onset_makes_the_slow_service_less_sure() -> None:
    log = rising(lambda ms: f"query took {ms - 60:.0f} ms")
    change = RecentChange(
        id="change:1",
        at=START.replace(second=30),
        source="cloudtrail",
        event="UpdateFunctionCode20150331v2",
        settings=(SettingChange(name="code_sha256", before="a", after="b"),),
    )
    without, beside = find(log.evidence()), find(log.evidence(changes=[change]))
    assert without is not None
    assert beside is not None
    assert beside.confidence < without.confidence


def test_steady_or_too_few_invocations_show_nothing() -> None:
    log = Logbook()
    for ms in SWIFT * 2:
        log.call(ms, says=[(0.01, f"query took {ms - 60:.0f} ms")])
    assert find(log.evidence()) is None
    few = Logbook()
    few.call(100, says=[(0.01, "query took 90 ms")])
    few.call(9000, says=[(0.01, "query took 8900 ms")])
    assert find(few.evidence()) is None
    assert find(Logbook().evidence()) is None


def test_a_slow_service_does_not_explain_other_failures() -> None:
    log = rising(lambda ms: f"query took {ms - 60:.0f} ms")
    for _ in range(8):
        log.fail("[ERROR] TypeError: no\nTraceback")
    assert find(log.evidence()) is None


@pytest.mark.parametrize(
    "says",
    [
        "INFO TomcatWebServer -- Started OrdersApplication in {s} seconds",
        "INFO Started OrdersApplication in {s} seconds (process running for {s})",
        "request server: JVM running for {s} s",
        "http service startup took {s} seconds",
    ],
)
def test_the_time_that_a_framework_takes_to_start_is_the_functions_own(says: str) -> None:
    assert find(rising(lambda ms: says.format(s=(ms - 60) / 1000)).evidence()) is None


def test_a_job_that_somebody_else_started_is_theirs_all_the_same() -> None:
    log = rising(lambda ms: f"remote job started; response after {(ms - 60) / 1000} seconds")
    assert find(log.evidence()) is not None
