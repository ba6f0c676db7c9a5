from __future__ import annotations

from datetime import timedelta

import pytest

from autorepair.causes.concurrency import CONCURRENCY_LIMITED
from autorepair.causes.weighing import diagnose
from autorepair.domain.diagnosis import ConcurrencyNeed, Finding, RootCause
from autorepair.domain.evidence import AccountConcurrency, Caller, Evidence, RecentChange
from unit.around import changed, series, with_alarm, with_metrics
from unit.logbook import START, Logbook


def find(evidence: Evidence) -> Finding | None:
    return CONCURRENCY_LIMITED.diagnose(evidence)


def need_of(finding: Finding | None) -> ConcurrencyNeed:
    assert finding is not None
    assert finding.cause is RootCause.CONCURRENCY_LIMITED
    assert isinstance(finding.need, ConcurrencyNeed)
    return finding.need


def is_for_people(finding: Finding | None) -> bool:
    assert finding is not None
    assert finding.cause is RootCause.CONCURRENCY_LIMITED
    return finding.need is None and not finding.is_repairable


def throttled(
    *,
    reserved: int | None = 5,
    peak: float = 5,
    unreserved: int | None = 880,
    refused: float = 100,
    errors: float = 0,
    slow_ms: float = 500,
    changes: tuple[RecentChange, ...] = (),
    tags: dict[str, str] | None = None,
) -> Evidence:
    log = Logbook()
    log.succeed(500, 520, 480)
    evidence = with_metrics(
        log.evidence(changes=changes, reserved_concurrency=reserved, tags=tags or {}),
        series("Invocations", "Sum", [40] * 10 + [300] * 6),
        series("Throttles", "Sum", [0] * 10 + [refused] * 6),
        series("Errors", "Sum", [0] * 10 + [errors] * 6),
        series("Duration", "Average", [500] * 10 + [slow_ms] * 6),
        series("ConcurrentExecutions", "Maximum", [2] * 10 + [peak] * 6),
    )
    account = None if unreserved is None else AccountConcurrency(limit=1000, unreserved=unreserved)
    return evidence.model_copy(update={"concurrency": account})


def test_a_reservation_that_is_used_up_wants_more() -> None:
    evidence = throttled()
    finding = find(evidence)
    assert need_of(finding).executions == pytest.approx(20 / 3)
    assert need_of(finding).seen_at_reserved == 5
    assert finding is not None
    assert finding.confidence >= 0.9
    assert finding.cites
    assert diagnose(evidence).root_cause is RootCause.CONCURRENCY_LIMITED


def test_throttles_show_without_a_single_line_of_log() -> None:
    evidence = throttled().model_copy(update={"invocations": (), "log_lines": ()})
    assert diagnose(evidence).root_cause is RootCause.CONCURRENCY_LIMITED
    need_of(find(evidence))


def test_retries_do_not_make_the_demand_grow_without_bounds() -> None:
    assert need_of(find(throttled(refused=90_000))).executions == 20


def test_a_reservation_that_was_lowered_counts_with_its_former_value() -> None:
    change = changed("reserved_concurrency", 100, 5, at=START + timedelta(minutes=9))
    assert need_of(find(throttled(changes=(change,)))).executions == 40


@pytest.mark.parametrize(
    "note",
    ["protect the orders database", "rate limit of the partner API", "emergency brake"],
)
def test_a_reservation_with_a_purpose_is_for_people(note: str) -> None:
    change = changed("reserved_concurrency", 100, 5, note=note)
    assert is_for_people(find(throttled(changes=(change,))))
    tags = {"auto-repair": "enabled", "concurrency-reason": note}
    assert is_for_people(find(throttled(tags=tags)))


def test_one_reserved_execution_keeps_scheduled_runs_from_overlapping() -> None:
    alone = throttled(reserved=1, peak=1)
    assert is_for_people(find(alone))
    caller = Caller(kind="apigateway", source="api", timeout_limit_s=29)
    assert need_of(find(alone.model_copy(update={"callers": (caller,)}))).executions > 1


def test_throttles_beside_failures_that_the_alarm_is_about_are_not_the_story() -> None:
    assert find(with_alarm(throttled(refused=400, errors=90), "Errors")) is None


def test_a_function_that_was_switched_off_is_for_people() -> None:
    assert is_for_people(find(throttled(reserved=0, peak=0)))


def test_executions_that_last_longer_are_what_fills_it() -> None:
    finding = find(throttled(slow_ms=2500))
    assert is_for_people(finding)
    assert finding is not None
    assert "last" in finding.why


@pytest.mark.parametrize("unreserved", [None, 100, 105])
def test_an_account_with_nothing_to_spare_is_for_people(unreserved: int | None) -> None:
    assert is_for_people(find(throttled(unreserved=unreserved)))


def test_the_accounts_own_limit_is_for_its_owner() -> None:
    assert is_for_people(find(throttled(reserved=None, peak=10, unreserved=10)))
    assert is_for_people(find(throttled(reserved=None, peak=3000, unreserved=880)))
    assert is_for_people(find(throttled(reserved=500, peak=20)))


def test_a_stray_throttle_or_one_beside_many_errors_is_not_the_story() -> None:
    assert find(throttled(refused=0.3)) is None
    assert find(throttled(refused=100, errors=250)) is None
    assert find(throttled(refused=0)) is None


def test_an_alarm_on_throttles_is_about_them_however_few() -> None:
    assert find(with_alarm(throttled(refused=1), "Throttles")) is not None


def test_without_the_metric_nothing_is_found() -> None:
    assert find(Logbook().evidence()) is None


def test_what_ran_at_once_before_the_reservation_was_cut_is_needed_again() -> None:
    note = RecentChange(
        id="change:1",
        at=START,
        source="cloudtrail",
        event="PutFunctionConcurrency",
        note="reservedConcurrency: 60 -> 5; module: v5",
    )
    evidence = throttled(changes=(note,), refused=30)
    assert need_of(find(evidence)).executions >= 0.4 * 60
    busy = [s for s in evidence.metrics if s.metric_name != "ConcurrentExecutions"]
    before = series("ConcurrentExecutions", "Maximum", [22] * 10 + [5] * 6)
    known = with_metrics(throttled(refused=30), *busy, before)
    account = AccountConcurrency(limit=1000, unreserved=880)
    known = known.model_copy(update={"concurrency": account})
    assert need_of(find(known)).executions >= 22


@pytest.mark.parametrize(
    ("age", "running", "is_held"), [(3900, 2, True), (10, 2, False), (3900, 1, False)]
)
def test_a_mapping_that_may_run_few_at_once_is_for_people(
    age: float, running: float, *, is_held: bool
) -> None:
    lowered = RecentChange(
        id="change:1",
        at=START,
        source="cloudtrail",
        event="UpdateEventSourceMapping",
        note="scalingConfig: MaximumConcurrency=40 -> MaximumConcurrency=2",
    )
    log = Logbook()
    log.succeed(500, 520, 480)
    evidence = with_metrics(
        log.evidence(changes=[lowered]),
        series("Throttles", "Sum", [0] * 16),
        series("ConcurrentExecutions", "Maximum", [running] * 16),
        series("ApproximateAgeOfOldestMessage", "Maximum", [10] * 10 + [age] * 6),
    )
    finding = find(evidence)
    assert (finding is not None) is is_held
    if is_held:
        assert is_for_people(finding)
