"""Failures that only the metrics count."""

from __future__ import annotations

from datetime import timedelta

import pytest

from autorepair.domain.evidence import Evidence, MetricSeries
from autorepair.domain.unseen_failures import gaps_after, with_counted_failures
from unit.logbook import START, Logbook

MINUTE = START.replace(second=0)
# The words of a runtime that nobody knows.
COMPLAINT = "[runtime] handler returned Err(connection refused)"


def series(name: str, *counts: float) -> MetricSeries:
    return MetricSeries(
        id=f"metric/{name}/Sum",
        namespace="AWS/Lambda",
        metric_name=name,
        statistic="Sum",
        period_s=60,
        points=tuple((MINUTE + timedelta(minutes=n), count) for n, count in enumerate(counts)),
    )


def evidence_of(log: Logbook, *metrics: MetricSeries, log_format: str = "Text") -> Evidence:
    evidence = log.evidence(log_format=log_format)
    collected_at = log.now + timedelta(minutes=3)
    return evidence.model_copy(update={"metrics": metrics, "collected_at": collected_at})


def statuses(evidence: Evidence) -> list[str]:
    return [i.status for i in with_counted_failures(evidence).invocations]


def mixed_log() -> Logbook:
    log = Logbook()
    for words in ("done", COMPLAINT, "done", COMPLAINT):
        log.call(40, says=[(0.001, words)])
    return log


def test_as_many_complaints_as_counted_errors_are_the_failures() -> None:
    evidence = evidence_of(mixed_log(), series("Errors", 2), series("Invocations", 4))
    assert statuses(evidence) == ["success", "error", "success", "error"]


@pytest.mark.parametrize("counted", [0, 1, 3])
def test_any_other_number_leaves_it_open(counted: int) -> None:
    evidence = evidence_of(mixed_log(), series("Errors", counted), series("Invocations", 4))
    assert statuses(evidence) == ["success"] * 4


def test_where_all_have_failed_no_words_are_needed() -> None:
    log = Logbook()
    log.succeed(40, 40)
    assert statuses(evidence_of(log, series("Errors", 9), series("Invocations", 9))) == [
        "error",
        "error",
    ]


def test_failures_that_are_known_are_not_looked_for_again() -> None:
    log = mixed_log()
    log.fail("[ERROR] KeyError: 'A'\nTraceback\n  File")
    log.fail("[ERROR] KeyError: 'A'\nTraceback\n  File")
    evidence = evidence_of(log, series("Errors", 2), series("Invocations", 6))
    assert with_counted_failures(evidence) is evidence


def test_each_period_is_counted_for_itself() -> None:
    log = mixed_log()
    log.now += timedelta(minutes=1)
    log.call(40, says=[(0.001, COMPLAINT)])
    evidence = evidence_of(log, series("Errors", 0, 1), series("Invocations", 4, 1))
    assert statuses(evidence) == ["success"] * 4 + ["error"]


def test_without_the_metric_or_in_the_json_format_nothing_is_marked() -> None:
    assert statuses(evidence_of(mixed_log())) == ["success"] * 4
    in_json = evidence_of(mixed_log(), series("Errors", 2), log_format="JSON")
    assert statuses(in_json) == ["success"] * 4


def test_a_log_that_cannot_show_such_failures_leaves_a_gap_when_the_repair_is_verified() -> None:
    counted = evidence_of(mixed_log(), series("Errors", 2), series("Invocations", 4))
    log = Logbook()
    log.fail("[ERROR] KeyError: 'A'\nTraceback\n  File")
    assert [gap.source for gap in gaps_after(with_counted_failures(counted))] == ["logs"]
    assert gaps_after(log.evidence()) == ()


@pytest.mark.parametrize(("counted", "expected"), [(0, "success"), (1, "error")])
def test_an_error_that_was_logged_and_handled_is_told_by_the_metric(
    counted: int, expected: str
) -> None:
    log = Logbook()
    request_id = f"00000000-0000-4000-8000-{1:012d}"
    log.call(40, says=[(0.001, f"2026Z\t{request_id}\tfail\tSystem.IO.IOException: no")])
    log.succeed(40)
    evidence = evidence_of(log, series("Errors", counted), series("Invocations", 2))
    assert evidence.invocations[0].is_suspected
    assert statuses(evidence) == [expected, "success"]


def test_a_period_that_is_not_counted_to_its_end_tells_nothing() -> None:
    log = Logbook()
    log.succeed(40, 40, 40)
    evidence = evidence_of(log, series("Errors", 1), series("Invocations", 1))
    assert statuses(evidence) == ["success"] * 3


@pytest.mark.parametrize("calls", [(), (400,)])
def test_healthy_calls_of_which_a_sample_says_zero_errors_are_no_failures(
    calls: tuple[float, ...],
) -> None:
    log = Logbook()
    for _ in range(2):
        log.fail("[ERROR] KeyError: 'A'\nTraceback\n  File")
    for _ in range(3):
        log.call(40, says=[(0.001, "batch done, 0 errors")])
    counted = [series("Invocations", *calls)] if calls else []
    evidence = evidence_of(log, series("Errors", 5), *counted)
    assert statuses(evidence) == ["error"] * 2 + ["success"] * 3


@pytest.mark.parametrize(("seconds", "expected"), [(59, "success"), (60, "error")])
def test_a_period_that_is_hardly_over_tells_nothing(seconds: int, expected: str) -> None:
    log = Logbook()
    log.succeed(40)
    evidence = evidence_of(log, series("Errors", 1), series("Invocations", 1))
    just_over = MINUTE + timedelta(minutes=1, seconds=seconds)
    assert statuses(evidence.model_copy(update={"collected_at": just_over})) == [expected]
