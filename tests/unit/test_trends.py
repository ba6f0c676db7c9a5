"""How environments did over time, and when the failures began."""

from __future__ import annotations

from datetime import timedelta

import pytest

from autorepair.domain.evidence import RecentChange
from autorepair.domain.log_format import assemble
from autorepair.domain.trends import MOST_ENVIRONMENTS, environments, onset, slope
from unit.logbook import START, Logbook


def changed(change_id: str, minutes_before: float) -> RecentChange:
    at = START - timedelta(minutes=minutes_before)
    return RecentChange(id=change_id, at=at, source="cloudtrail", event="UpdateFunctionCode")


def test_memory_that_climbs_in_an_environment_is_seen_as_a_slope() -> None:
    log = Logbook()
    for used_mb in (100, 110, 120, 130):
        log.call(50, used_mb=used_mb)
    log.enter("b")
    log.succeed(50, 50)

    climbing, level = environments(assemble(log.events)[0])

    assert (climbing.invocations, climbing.first_used_mb, climbing.last_used_mb) == (4, 100, 130)
    assert climbing.used_slope_mb == pytest.approx(10)
    assert (level.used_slope_mb, level.duration_slope_ms) == (0, 0)


def test_durations_that_grow_are_seen_as_a_slope() -> None:
    log = Logbook()
    log.succeed(100, 200, 300)
    (trend,) = environments(assemble(log.events)[0])
    assert trend.duration_slope_ms == pytest.approx(100)
    assert trend.failures == 0


def test_of_many_environments_those_that_served_most_are_kept() -> None:
    log = Logbook()
    for number in range(60):
        log.enter(f"s{number}")
        log.succeed(*([5] if number < 20 else [5, 5]))
    kept = environments(assemble(log.events)[0])
    assert len(kept) == MOST_ENVIRONMENTS
    assert sum(trend.invocations == 2 for trend in kept) == 40
    assert [t.first_at for t in kept] == sorted(t.first_at for t in kept)


@pytest.mark.parametrize(
    ("values", "expected"), [([], 0), ([5], 0), ([1, 2], 1), ([3, 2, 1], -1), ([1, 5, 1], 0)]
)
def test_a_slope_is_that_of_the_least_squares(values: list[float], expected: float) -> None:
    assert slope(values) == pytest.approx(expected)


def test_the_changes_shortly_before_the_first_failure_are_named_latest_first() -> None:
    log = Logbook()
    log.succeed(40)
    log.fail("[ERROR] KeyError: 'A'\nTraceback\n  File")
    invocations, _ = assemble(log.events)
    late = changed("after", -10)
    began = onset(invocations, (changed("old", 90), changed("a", 30), changed("b", 5), late))

    assert began is not None
    assert (began.first_failure_at, began.last_success_before) == (
        invocations[1].started_at,
        invocations[0].started_at,
    )
    assert began.changes == ("b", "a")


def test_failures_from_the_beginning_have_no_success_before_them() -> None:
    log = Logbook()
    log.fail("[ERROR] KeyError: 'A'\nTraceback\n  File")
    began = onset(assemble(log.events)[0], ())
    assert began is not None
    assert (began.last_success_before, began.changes) == (None, ())


def test_without_a_failure_nothing_began() -> None:
    log = Logbook()
    log.succeed(40)
    assert onset(assemble(log.events)[0], (changed("a", 5),)) is None
