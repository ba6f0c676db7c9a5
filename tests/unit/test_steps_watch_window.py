"""How long is waited between the looks at the traffic after a change."""

from __future__ import annotations

from datetime import timedelta
from itertools import pairwise

import pytest

from autorepair.domain.policy import MAX_VERIFICATION_S, VerificationRules
from autorepair.domain.traffic import Traffic
from autorepair.steps.verify_repair import VerifyRepairInput, verify_repair
from autorepair.steps.watch_window import next_window_s, window_s
from unit.aftermath import since, verified, world_after
from unit.builders import (
    DIAGNOSIS,
    INCIDENT,
    applied,
    change,
    evidence,
    invocations,
    slow_invocations,
    verification,
)
from unit.fakes import NOW, summary_of

RULES = VerificationRules()
HOUR, DAY, WEEK = 3600, 86_400, 7 * 86_400


def traffic(*, month: float | None = None, silence_s: float | None = None) -> Traffic:
    return Traffic(
        since=NOW - timedelta(days=30),
        until=NOW,
        invocations_month=month,
        longest_silence_s=silence_s,
    )


NIGHTLY = traffic(month=30.0, silence_s=23.0 * HOUR)
BUSY_NIGHT = traffic(month=30_000.0, silence_s=23.0 * HOUR)


def looks(seen: Traffic | None, rules: VerificationRules = RULES, first_s: int = 600) -> list[int]:
    """Give when each look is, in seconds after the change, if none can tell."""
    at = [first_s]
    for used in range(1, rules.max_windows):
        left = rules.max_windows - used
        at.append(
            at[-1]
            + next_window_s(rules, seen, first_s=first_s, elapsed_s=at[-1], windows_left=left)
        )
    return at


@pytest.mark.parametrize(
    "seen", [None, traffic(), traffic(month=1e6, silence_s=0.0)], ids=["no", "unknown", "steady"]
)
def test_where_calls_come_all_the_time_the_windows_are_alike(seen: Traffic | None) -> None:
    assert looks(seen) == [600, 1200, 1800, 2400, 3000, 3600]


def test_a_job_of_the_night_gets_its_night_and_is_looked_at_soon_as_well() -> None:
    at = looks(BUSY_NIGHT)
    assert at[:2] == [600, pytest.approx(1640, abs=60)]
    assert 24 * HOUR <= at[-1] <= 26 * HOUR
    assert len(at) == RULES.max_windows


def test_one_call_a_night_is_watched_for_as_many_nights_as_calls_are_needed() -> None:
    assert 5 * DAY <= looks(NIGHTLY)[-1] <= 5 * DAY + HOUR


def test_nothing_is_watched_for_longer_than_a_week() -> None:
    yearly = traffic(month=0.1, silence_s=29.0 * DAY)
    assert WEEK <= looks(yearly)[-1] <= MAX_VERIFICATION_S + RULES.max_windows


def test_many_windows_of_a_function_that_is_hardly_called_last_no_longer_than_a_week() -> None:
    rules = VerificationRules(max_windows=100, min_invocations=100_000)
    first_s = window_s(rules, summary_of(evidence(*invocations(1)), key="k"), change())
    at = looks(None, rules, first_s)
    assert len(at) == rules.max_windows
    assert at[-1] <= MAX_VERIFICATION_S + rules.max_windows


def test_a_function_called_for_less_than_a_day_has_no_habits_to_wait_for() -> None:
    young = NIGHTLY.model_copy(update={"since": NOW - timedelta(hours=23)})
    assert looks(young) == looks(None)


def test_the_looks_lie_ever_farther_apart_and_never_closer_than_the_first_window() -> None:
    at = looks(BUSY_NIGHT)
    gaps = [later - earlier for earlier, later in pairwise(at)]
    assert gaps == sorted(gaps)
    assert min(gaps) >= 600


def test_after_the_last_window_there_is_nothing_to_reckon() -> None:
    assert next_window_s(RULES, NIGHTLY, first_s=600, elapsed_s=9e9, windows_left=0) == 600
    assert next_window_s(RULES, NIGHTLY, first_s=600, elapsed_s=0.0, windows_left=3) == 600


def test_a_verdict_that_waits_says_for_how_long() -> None:
    world = world_after(*since(2))
    looked = evidence(*slow_invocations()).model_copy(update={"traffic": BUSY_NIGHT})
    state = {
        "incident": INCIDENT,
        "evidence": world.evidence.put(looked).model_copy(update={"traffic": BUSY_NIGHT}),
        "diagnosis": DIAGNOSIS,
        "change": applied(),
    }
    waiting = verify_repair(VerifyRepairInput.model_validate(state), world.ports)
    assert (waiting.next, waiting.window_s) == ("wait", looks(BUSY_NIGHT)[1] - 600)


def test_a_verdict_that_waits_no_more_names_no_window() -> None:
    assert verified(world_after(*since(6))).window_s == 0
    assert verification().window_s == 0
