from __future__ import annotations

from datetime import timedelta

import pytest

from autorepair.domain.errors import AccessDeniedError, TransientServiceError
from autorepair.domain.policy import Limits
from autorepair.steps.admission import LONGEST_WAIT, admitted_after_s
from unit.fakes import NOW, World

SPACING = timedelta(seconds=Limits().incident_spacing_s)


def waits(settle_s: int, world: World) -> int:
    return admitted_after_s(settle_s, world.ports, spacing_s=SPACING.total_seconds())


def test_a_single_incident_waits_for_its_settle_window_only() -> None:
    assert waits(60, World()) == 60


def test_each_of_a_burst_waits_one_spacing_longer() -> None:
    world = World()
    found = [waits(60, world) for _ in range(4)]
    assert found == [60 + n * int(SPACING.total_seconds()) for n in range(4)]


def test_a_long_settle_window_does_not_hold_up_a_short_one() -> None:
    world = World()
    assert waits(900, world) == 900
    world.clock.advance(SPACING.total_seconds())
    assert waits(0, world) == 0


def test_the_queue_runs_dry() -> None:
    world = World()
    for _ in range(10):
        waits(0, world)
    world.clock.advance(60)
    assert waits(0, world) == 0


def test_part_of_a_second_counts_as_a_whole_one() -> None:
    world = World()
    world.admissions.free_at = NOW + timedelta(milliseconds=1)
    assert waits(0, world) == 1


def test_nobody_waits_longer_than_the_bound() -> None:
    world = World()
    world.admissions.free_at = NOW + timedelta(days=1)
    assert waits(60, world) == 60 + LONGEST_WAIT.total_seconds()


@pytest.mark.parametrize("error", [TransientServiceError("busy"), AccessDeniedError("denied")])
def test_a_queue_that_cannot_be_asked_holds_nobody_up(error: Exception) -> None:
    world = World()
    world.admissions.error = error
    assert waits(60, world) == 60


def test_without_a_spacing_there_is_no_queue() -> None:
    world = World()
    assert admitted_after_s(60, world.ports, spacing_s=0) == 60
    assert world.admissions.taken == []
