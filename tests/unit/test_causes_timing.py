from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

import pytest

from autorepair.causes.timing import TIMEOUT_TOO_LOW
from autorepair.domain.diagnosis import Finding, RootCause, TimeoutNeed
from autorepair.domain.evidence import Caller, Evidence
from autorepair.domain.log_format import RawEvent
from unit.around import changed, in_json, with_alarm
from unit.logbook import START, Logbook, cites_exist


def find(evidence: Evidence) -> Finding | None:
    return TIMEOUT_TOO_LOW.diagnose(evidence)


def slow(finding: Finding | None) -> TimeoutNeed:
    assert finding is not None
    assert finding.cause is RootCause.TIMEOUT_TOO_LOW
    assert isinstance(finding.need, TimeoutNeed)
    return finding.need


def is_hang(finding: Finding | None) -> bool:
    return finding is not None and (finding.cause, finding.is_repairable) == (
        RootCause.UNKNOWN,
        False,
    )


def steps(*at_s: float, words: str = "rendered page {} of 9") -> list[tuple[float, str]]:
    return [(at, words.format(n + 1)) for n, at in enumerate(at_s)]


def test_work_that_often_finishes_just_below_the_limit_is_slow() -> None:
    log = Logbook(timeout_s=10)
    log.succeed(9100, 8700, 9900)
    for _ in range(4):
        log.time_out()
    evidence = log.evidence()
    finding = find(evidence)
    assert slow(finding) == TimeoutNeed(duration_ms=20_000, basis="doubled", seen_at_timeout_s=10)
    assert finding is not None
    assert finding.confidence >= 0.8
    assert cites_exist(finding, evidence)


def test_one_completion_near_the_limit_is_not_enough_to_act_unattended() -> None:
    log = Logbook(timeout_s=10)
    log.succeed(9100)
    log.time_out()
    finding = find(log.evidence())
    slow(finding)
    assert finding is not None
    assert finding.confidence < 0.8


def test_work_that_is_always_cut_but_was_at_work_until_then_is_slow() -> None:
    log = Logbook(timeout_s=2)
    for _ in range(6):
        log.time_out(steps(0.7, 1.4))
    evidence = log.evidence()
    finding = find(evidence)
    assert slow(finding).duration_ms == pytest.approx(1.2 * 1400 * 9 / 2)
    assert finding is not None
    assert finding.confidence >= 0.8
    assert cites_exist(finding, evidence)


def test_a_single_word_counts_as_work_when_it_counts_the_work() -> None:
    counted, plain = Logbook(timeout_s=10), Logbook(timeout_s=10)
    counted.time_out([(7.0, "40 of 60 rows")])
    plain.time_out([(7.0, "half way")])
    assert slow(find(counted.evidence())).basis == "doubled"
    assert is_hang(find(plain.evidence()))


@pytest.mark.parametrize(
    "says",
    [
        [],
        steps(0.1, 0.2),
        [(1.0, "loaded 10 rows"), (6.0, "-> GET https://prices.example/all")],
        [(1.0, "loaded 10 rows"), (6.0, "connecting to the warehouse")],
        steps(2.0, 4.0, 6.0, 8.0, words="still waiting for the lock, attempt {}"),
        [(at, "tick") for at in (2.0, 4.0, 6.0, 8.0)],
        [(0.1, "loaded 10 rows"), (0.2, "loaded 20 rows")],
    ],
    ids=["silent", "early", "call", "connect", "waiting", "same", "stuck"],
)
def test_a_hang_is_not_repairable(says: list[tuple[float, str]]) -> None:
    log = Logbook(timeout_s=10)
    log.succeed(120, 90, 150)
    for _ in range(4):
        log.time_out(says)
    evidence = log.evidence()
    finding = find(evidence)
    assert is_hang(finding)
    assert finding is not None
    assert "hang" in finding.why
    assert cites_exist(finding, evidence)


def test_a_long_silence_at_the_end_is_a_hang() -> None:
    log = Logbook(timeout_s=100)
    for _ in range(4):
        log.time_out(steps(10, 20, 30, 40, 51))
    assert is_hang(find(log.evidence()))


def test_another_service_that_fails_in_the_log_is_no_slow_work() -> None:
    log = Logbook(timeout_s=10)
    log.succeed(9100, 9200, 9300, 9400)
    for _ in range(4):
        log.time_out([(6.0, "urllib3: Read timed out"), (9.0, "row 4 of 9")])
    assert is_hang(find(log.evidence()))


def test_a_timeout_that_was_lowered_is_seen_by_what_finished_before() -> None:
    log = Logbook(timeout_s=10)
    log.succeed(14_000, 16_000)
    for _ in range(3):
        log.time_out()
    evidence = log.evidence()
    finding = find(evidence)
    need = slow(finding)
    assert need.basis == "observed"
    assert need.duration_ms == pytest.approx(19_200)
    assert finding is not None
    assert cites_exist(finding, evidence)


def test_time_outs_of_an_earlier_setting_say_nothing_of_the_present_one() -> None:
    log = Logbook(timeout_s=3)
    for _ in range(4):
        log.time_out(steps(1, 2))
    assert find(log.evidence(timeout_s=10)) is None


def test_time_outs_at_the_memory_limit_are_left_to_memory() -> None:
    log = Logbook(timeout_s=10, memory_mb=256)
    log.succeed(9100, 9200, 9300)
    for _ in range(4):
        log.time_out(used_mb=255)
    assert find(log.evidence()) is None


def test_a_memory_that_is_always_full_says_nothing() -> None:
    log = Logbook(timeout_s=10, memory_mb=128)
    log.succeed(9100, 9200, 9300, used_mb=127)
    for _ in range(4):
        log.time_out(used_mb=127)
    slow(find(log.evidence()))


def test_a_cold_start_that_uses_up_the_time_is_another_cause() -> None:
    log = Logbook(timeout_s=10)
    for _ in range(4):
        log.write("INIT_REPORT Init Duration: 9999.00 ms\tPhase: init\tStatus: timeout")
        log.time_out(steps(3, 6, 9))
    assert find(log.evidence()) is None


def test_a_cold_start_that_dwarfs_warm_calls_is_another_cause() -> None:
    log = Logbook(timeout_s=10)
    log.succeed(50, 60, 70)
    for _ in range(3):
        log.time_out()
    log.events = [_with_long_start(event) for event in log.events]
    assert find(log.evidence()) is None


def _with_long_start(event: RawEvent) -> RawEvent:
    return replace(event, message=event.message.replace("Duration: 120.00", "Duration: 9500.00"))


def test_a_time_out_in_json_format_with_a_timed_out_start_is_another_cause() -> None:
    log = Logbook(timeout_s=10)
    for _ in range(3):
        log.write('{"type": "platform.initReport", "record": {"status": "timeout"}}')
        log.write('{"message": "an ordinary line"}')
        log.time_out()
    assert find(log.evidence()) is None


def test_without_time_outs_or_without_a_log_nothing_is_found() -> None:
    log = Logbook()
    assert find(log.evidence()) is None
    log.succeed(9900, 9800)
    log.fail("[ERROR] KeyError: 'x'\nTraceback")
    assert find(log.evidence()) is None


def test_time_outs_that_explain_few_of_the_failures_lower_the_confidence() -> None:
    log = Logbook(timeout_s=10)
    log.succeed(9100, 9200, 9300)
    log.time_out()
    for _ in range(9):
        log.fail("[ERROR] TypeError: no\nTraceback")
    finding = find(log.evidence())
    slow(finding)
    assert finding is not None
    assert finding.confidence < 0.8


def test_an_arrow_in_a_step_is_not_a_call() -> None:
    log = Logbook(timeout_s=2)
    for _ in range(3):
        log.time_out([(0.7, "page 1 -> rendered"), (1.4, "page 2 -> rendered")])
    slow(find(log.evidence()))


@pytest.mark.parametrize(
    ("says", "needed_ms"),
    [
        ([(2.0, "chunk 1/9"), (9.0, "chunk 3 of 9")], 1.2 * 27_000),
        ([(3.0, "10% done"), (9.0, "25% done")], 1.2 * 36_000),
        ([(3.0, "loaded"), (9.0, "row 5, estimated 40 s in all")], 1.2 * 40_000),
        ([(3.0, "loaded"), (9.0, "row 5, eta 21s")], 1.2 * 30_000),
    ],
)
def test_what_the_work_itself_projects_is_the_need(
    says: list[tuple[float, str]], needed_ms: float
) -> None:
    log = Logbook(timeout_s=10)
    for _ in range(4):
        log.time_out(says)
    need = slow(find(log.evidence()))
    assert need.basis == "observed"
    assert need.duration_ms == pytest.approx(needed_ms)


@pytest.mark.parametrize(
    "says",
    [
        [(4.0, "7 of 9"), (9.0, "8 of 9")],
        [(4.0, "loaded"), (9.0, "cpu 12% busy, written")],
        [(4.0, "1 of 900"), (9.0, "2 of 900")],
    ],
)
def test_a_projection_that_is_near_or_tells_nothing_leaves_the_double(
    says: list[tuple[float, str]],
) -> None:
    log = Logbook(timeout_s=10)
    for _ in range(4):
        log.time_out(says)
    assert slow(find(log.evidence())).basis == "doubled"


def test_more_than_a_caller_waits_for_is_not_doubled_but_told() -> None:
    log = Logbook(timeout_s=20)
    for _ in range(4):
        log.time_out([(9.0, "2 of 6"), (17.0, "3 of 6")])
    caller = Caller(kind="apigateway", source="api", timeout_limit_s=29)
    need = slow(find(log.evidence(callers=[caller])))
    assert need.basis == "observed"
    assert need.duration_ms == pytest.approx(1.2 * 34_000)


def test_a_timeout_that_was_lowered_is_gone_back_to() -> None:
    change = changed("timeout_s", 120, 10, at=START - timedelta(minutes=5))
    log = Logbook(timeout_s=10)
    log.succeed(300, 320)
    for _ in range(3):
        log.time_out([(0.2, "loaded")])
    evidence = log.evidence(changes=[change])
    finding = find(evidence)
    assert slow(finding).duration_ms == 120_000
    assert finding is not None
    assert "change:1" in finding.cites
    late = changed("timeout_s", 120, 10, at=evidence.collected_at)
    assert is_hang(find(log.evidence(changes=[late])))
    raised = changed("timeout_s", 5, 10)
    assert is_hang(find(log.evidence(changes=[raised])))


def test_a_former_timeout_above_what_a_caller_waits_for_is_cut() -> None:
    change = changed("timeout_s", 120, 10, at=START - timedelta(minutes=5))
    log = Logbook(timeout_s=10)
    log.time_out()
    caller = Caller(kind="apigateway", source="api", timeout_limit_s=29)
    need = slow(find(log.evidence(changes=[change], callers=[caller])))
    assert need.duration_ms == 29_000


def test_the_longest_timeout_there_is_cannot_be_raised() -> None:
    log = Logbook(timeout_s=900)
    log.succeed(820_000, 870_000, 890_000)
    log.time_out()
    finding = find(log.evidence())
    assert finding is not None
    assert finding.cause is RootCause.TIMEOUT_TOO_LOW
    assert not finding.is_repairable
    assert finding.need is None


def test_time_that_others_took_is_not_bought_with_a_longer_timeout() -> None:
    log = Logbook(timeout_s=10)
    for n in range(6):
        log.call(8000 + 200 * n, says=[(0.1, "start"), (7.9, f"query took {7600 + 200 * n} ms")])
    for _ in range(3):
        log.time_out([(0.1, "start")])
    finding = find(log.evidence())
    assert finding is not None
    assert finding.cause is RootCause.TIMEOUT_TOO_LOW
    assert finding.need is None


def test_durations_that_leap_without_a_reason_are_no_reason_to_raise() -> None:
    log = Logbook(timeout_s=10)
    log.succeed(*[400] * 12, 8200, 8800, 9100, 9300, 8700)
    for _ in range(3):
        log.time_out()
    finding = find(log.evidence())
    assert finding is not None
    assert finding.need is None


def test_an_alarm_on_durations_that_barely_make_it_is_about_the_timeout() -> None:
    log = Logbook(timeout_s=10)
    log.succeed(8800, 9000, 9300, 9500, 9600, 9800)
    finding = find(with_alarm(log.evidence(), "Duration"))
    assert slow(finding).basis == "doubled"
    assert finding is not None
    assert finding.confidence < 0.8
    assert find(with_alarm(log.evidence(), "Errors")) is None
    roomy = Logbook(timeout_s=10)
    roomy.succeed(5000, 5200, 5400, 5100, 5600)
    assert find(with_alarm(roomy.evidence(), "Duration")) is None


def test_time_outs_in_the_json_format_are_the_same() -> None:
    log = Logbook(timeout_s=10)
    log.succeed(9100, 8700, 9900)
    for _ in range(4):
        log.time_out([(4.0, '{"msg": "tile 1 of 4"}'), (9.0, '{"msg": "tile 3 of 4"}')])
    slow(find(in_json(log).evidence()))


def test_time_outs_that_end_in_a_call_are_no_slow_work_even_beside_slow_completions() -> None:
    log = Logbook(timeout_s=10)
    log.succeed(9100, 8700, 9900)
    for _ in range(4):
        log.time_out([(0.1, "order loaded"), (0.2, "calling the inventory service")])
    assert is_hang(find(log.evidence()))


def test_a_lowered_timeout_that_was_long_enough_for_a_while_explains_nothing() -> None:
    change = changed("timeout_s", 120, 10, at=START - timedelta(days=5))
    log = Logbook(timeout_s=10)
    log.succeed(*[300] * 12)
    for _ in range(4):
        log.time_out([(0.2, "loaded")])
    assert is_hang(find(log.evidence(changes=[change])))


def test_a_refusal_that_successes_print_as_well_does_not_hide_a_time_out() -> None:
    said = "user agent: connection refused, Throttling"
    log = Logbook(timeout_s=10)
    for n in range(8):
        log.call(8000 + 200 * n, says=[(0.1, said)])
        log.time_out([(0.1, said)])
    slow(find(log.evidence()))
    own = Logbook(timeout_s=10)
    own.succeed(*[8500] * 8)
    for _ in range(8):
        own.time_out([(0.1, said)])
    assert is_hang(find(own.evidence()))
