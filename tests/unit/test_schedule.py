from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from autorepair.domain.decision import RefusalCode
from autorepair.domain.schedule import Freeze, Schedule

NOON = datetime(2026, 3, 4, 12, 0, tzinfo=UTC)


def code_at(schedule: Schedule, moment: datetime) -> RefusalCode | None:
    refusal = schedule.refusal_at(moment)
    return refusal.code if refusal else None


def test_without_a_schedule_anything_may_be_written_at_any_time() -> None:
    assert code_at(Schedule(), NOON) is None


@pytest.mark.parametrize(
    ("hours", "hour", "is_open"),
    [
        ((9, 17), 9, True),
        ((9, 17), 16, True),
        ((9, 17), 17, False),
        ((9, 17), 8, False),
        ((22, 6), 22, True),
        ((22, 6), 5, True),
        ((22, 6), 6, False),
        ((22, 6), 12, False),
        ((0, 24), 23, True),
        ((24, 6), 0, True),
        ((24, 6), 23, False),
        ((22, 0), 23, True),
        ((22, 0), 0, False),
    ],
)
def test_hours_are_from_the_first_up_to_but_not_at_the_second(
    hours: tuple[int, int],
    hour: int,
    is_open: bool,  # noqa: FBT001 - a parameter of the table above
) -> None:
    schedule = Schedule(allowed_hours=hours)
    expected = None if is_open else RefusalCode.OUTSIDE_HOURS
    assert code_at(schedule, NOON.replace(hour=hour, minute=30)) is expected


def test_hours_are_those_of_the_time_zone_summer_and_winter() -> None:
    berlin = Schedule(timezone="Europe/Berlin", allowed_hours=(9, 17))
    winter, summer = datetime(2026, 1, 5, tzinfo=UTC), datetime(2026, 7, 6, tzinfo=UTC)
    assert code_at(berlin, winter.replace(hour=8)) is None
    assert code_at(berlin, winter.replace(hour=7)) is RefusalCode.OUTSIDE_HOURS
    assert code_at(berlin, summer.replace(hour=7)) is None
    assert code_at(berlin, summer.replace(hour=15)) is RefusalCode.OUTSIDE_HOURS


@pytest.mark.parametrize(
    ("seconds", "code"),
    [(-1, None), (0, RefusalCode.FREEZE), (3599, RefusalCode.FREEZE), (3600, None)],
)
def test_a_freeze_holds_from_its_start_up_to_its_end(
    seconds: int, code: RefusalCode | None
) -> None:
    freeze = Freeze(start=NOON, end=NOON + timedelta(hours=1))
    assert code_at(Schedule(freeze=(freeze,)), NOON + timedelta(seconds=seconds)) is code


def test_a_freeze_says_until_when_and_why() -> None:
    freeze = Freeze(start=NOON, end=NOON + timedelta(hours=1), reason="end of the quarter")
    refusal = Schedule(freeze=(freeze,)).refusal_at(NOON)
    assert refusal is not None
    assert refusal.why == "repairs are frozen until 2026-03-04 13:00 UTC (end of the quarter)"
