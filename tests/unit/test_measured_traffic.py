from __future__ import annotations

from datetime import timedelta

import pytest

from autorepair.domain.evidence import Invocation
from autorepair.domain.measured_traffic import measured_traffic
from autorepair.domain.traffic import Traffic, Usual
from unit.around import series
from unit.builders import invocation, invocations
from unit.fake_evidence import by_the_hour
from unit.fakes import NOW

HOUR = timedelta(hours=1)


def calls(*values: float, hours_apart: int = 1) -> Traffic:
    """Traffic of so many calls in each hour, the last of them up to now."""
    hours = (by_the_hour("Invocations", "Sum", *values, hours_apart=hours_apart),)
    return measured_traffic(hours, (), (), since=NOW, until=NOW)


def of_log(*seen: Invocation) -> Traffic:
    return measured_traffic((), (), seen, since=NOW, until=NOW)


def test_a_month_of_calls_is_counted_and_not_reckoned() -> None:
    assert calls(*[10.0] * 720).invocations_month == pytest.approx(7200)


def test_a_function_that_is_called_once_a_night_is_called_thirty_times_a_month() -> None:
    traffic = calls(*[1.0] * 30, hours_apart=24)
    assert traffic.invocations_month == pytest.approx(30, rel=0.05)
    assert traffic.longest_silence_s == 23 * 3600


def test_traffic_that_grew_lately_counts_at_its_latest_rate() -> None:
    assert calls(*[1.0] * 552, *[100.0] * 168).invocations_month == pytest.approx(72_000)


def test_traffic_that_fell_lately_still_counts_as_it_was_over_the_month() -> None:
    assert calls(*[100.0] * 552, *[1.0] * 168).invocations_month == pytest.approx(55_368)


def test_a_new_function_goes_on_as_it_began() -> None:
    traffic = calls(50.0, 50.0)
    assert traffic.invocations_month == pytest.approx(36_000)
    assert traffic.since == NOW - 2 * HOUR


def test_the_log_counts_where_the_metrics_are_late() -> None:
    assert of_log(*invocations(12)).invocations_month == pytest.approx(12 * 720)


def test_without_a_call_nothing_is_known() -> None:
    traffic = measured_traffic((), (), (), since=NOW, until=NOW)
    assert traffic == Traffic(since=NOW - HOUR, until=NOW)
    assert calls(0.0, 0.0).invocations_month is None


def test_silence_that_lasts_until_now_counts() -> None:
    hours = (by_the_hour("Invocations", "Sum", 5.0, 5.0, until=NOW - 6 * HOUR),)
    assert measured_traffic(hours, (), (), since=NOW, until=NOW).longest_silence_s == 6 * 3600
    assert calls(5.0, 5.0, 5.0).longest_silence_s == 0


def test_hours_with_many_calls_weigh_more_in_the_mean() -> None:
    hours = (
        by_the_hour("Invocations", "Sum", 1.0, 3.0),
        by_the_hour("Errors", "Sum", 0.0, 0.0),
        by_the_hour("Duration", "Average", 1000.0, 2000.0),
    )
    assert measured_traffic(hours, (), (), since=NOW, until=NOW).mean_ms == pytest.approx(1750)


def test_calls_that_succeed_tell_how_long_it_takes_where_most_are_killed_early() -> None:
    hours = (
        by_the_hour("Invocations", "Sum", 10.0),
        by_the_hour("Duration", "Average", 300.0),
    )
    seen = (
        *invocations(3, "out_of_memory", duration_ms=100.0),
        *invocations(1, "success", duration_ms=2000.0),
    )
    assert measured_traffic(hours, (), seen, since=NOW, until=NOW).mean_ms == pytest.approx(2000)


DIES_EARLY = invocations(8, "out_of_memory", duration_ms=300.0)


def test_where_nothing_is_known_to_have_succeeded_no_duration_is_known() -> None:
    hours = (
        by_the_hour("Invocations", "Sum", 700.0, 1400.0),
        by_the_hour("Duration", "Average", 300.0, 300.0),
    )
    all_failed = by_the_hour("Errors", "Sum", 700.0, 1400.0)
    for known in (hours, (*hours, all_failed)):
        traffic = measured_traffic(known, (), DIES_EARLY, since=NOW, until=NOW)
        assert traffic.mean_ms is None
        assert traffic.invocations_month is not None


def test_hours_in_which_calls_succeeded_bound_what_one_takes() -> None:
    hours = (
        by_the_hour("Invocations", "Sum", 10.0, 100.0),
        by_the_hour("Errors", "Sum", 5.0, 100.0),
        by_the_hour("Duration", "Average", 1000.0, 300.0),
    )
    # 10 s were spent in the first hour, all of them perhaps by the five calls that succeeded.
    assert measured_traffic(hours, (), DIES_EARLY, since=NOW, until=NOW).mean_ms == pytest.approx(
        2000
    )


def test_the_initialisation_is_billed_too() -> None:
    cold = invocation("success", duration_ms=1000.0).model_copy(update={"init_ms": 400.0})
    warm = invocation("success", duration_ms=1000.0, number=2)
    assert of_log(cold, warm).mean_ms == pytest.approx(1200)


def test_the_peak_is_the_busiest_minute_or_hour() -> None:
    hours = (by_the_hour("Invocations", "Sum", 7200.0, 36.0),)
    minutes = (series("Invocations", "Sum", [30.0, 90.0]),)
    assert measured_traffic(hours, (), (), since=NOW, until=NOW).peak_per_s == pytest.approx(2)
    quiet = measured_traffic(hours[:0], minutes, (), since=NOW, until=NOW)
    assert quiet.peak_per_s == pytest.approx(1.5)


def test_as_many_run_at_once_as_ever_did() -> None:
    hours = (by_the_hour("ConcurrentExecutions", "Maximum", 4.0, 17.0),)
    minutes = (series("ConcurrentExecutions", "Maximum", [3.0]),)
    assert measured_traffic(hours, minutes, (), since=NOW, until=NOW).peak_concurrency == 17


def test_where_it_was_not_measured_what_runs_at_once_is_rate_times_duration() -> None:
    traffic = Traffic(since=NOW - HOUR, until=NOW, peak_per_s=4.0, mean_ms=2500.0)
    assert traffic.busiest == pytest.approx(10)
    assert traffic.model_copy(update={"peak_concurrency": 3.0}).busiest == 3
    assert Traffic(since=NOW - HOUR, until=NOW, mean_ms=2500.0).busiest is None


def test_what_is_cut_off_is_counted_from_the_first_time_on() -> None:
    start = NOW - timedelta(minutes=10)
    before = invocations(8, "success", at=start)
    since = invocations(3, "timeout", at=start + timedelta(minutes=5))
    beside = invocations(1, "success", at=start + timedelta(minutes=6))
    assert of_log(*before, *since, *beside).cut_off_share == pytest.approx(0.75)


def test_a_log_that_was_read_only_where_it_fails_does_not_make_all_calls_fail() -> None:
    at = NOW - timedelta(minutes=5)
    minutes = (
        series("Invocations", "Sum", [500.0, 500.0], start=at),
        series("Errors", "Sum", [6.0, 4.0], start=at),
    )
    traffic = measured_traffic((), minutes, invocations(10, at=at), since=NOW, until=NOW)
    assert traffic.cut_off_share == pytest.approx(0.01)


def test_metrics_that_know_of_fewer_calls_than_the_log_are_not_complete() -> None:
    at = NOW - timedelta(minutes=5)
    minutes = (
        series("Invocations", "Sum", [5.0], start=at),
        series("Errors", "Sum", [1.0], start=at),
    )
    traffic = measured_traffic((), minutes, invocations(10, at=at), since=NOW, until=NOW)
    assert traffic.cut_off_share == 1


def test_without_a_log_nobody_knows_what_is_cut_off() -> None:
    assert of_log().cut_off_share is None
    assert of_log(*invocations(3, "success")).cut_off_share == 0


def usual(*hours: tuple[float, float], since: timedelta = timedelta()) -> Usual | None:
    """What is usual by hours of so many calls and failures, for an incident so long ago."""
    series = (
        by_the_hour("Invocations", "Sum", *(calls for calls, _ in hours)),
        by_the_hour("Errors", "Sum", *(failed for _, failed in hours)),
    )
    return measured_traffic(series, (), (), since=NOW - since, until=NOW).usual


def test_what_is_usual_is_told_by_the_hours_before_the_incident() -> None:
    assert usual((100, 1), (100, 3)) == Usual(invocations=200, failures=4)
    assert usual((100, 1), (100, 3), since=timedelta(minutes=15)) == Usual(
        invocations=100, failures=1
    )
    assert usual((100, 1), since=timedelta(minutes=15)) is None


def test_an_hour_without_calls_or_known_failures_tells_nothing_of_what_is_usual() -> None:
    assert usual((0, 0), (0, 0)) is None
    assert calls(10.0, 10.0).usual is None


def test_failures_that_count_another_hour_s_calls_are_no_more_than_the_calls() -> None:
    assert usual((2, 3)) == Usual(invocations=2, failures=2)
