from __future__ import annotations

from datetime import datetime, timedelta

from autorepair.domain.configuration import FunctionConfiguration
from autorepair.domain.evidence import Gap
from autorepair.domain.verification import Verdict
from autorepair.ports import LogReading
from unit.aftermath import since, verified, world_after
from unit.builders import applied, slow_invocations
from unit.fakes import NOW, FakeLogs


class LoudLogs(FakeLogs):
    """Reads only so much at once; of anything longer a part is left out."""

    def __init__(self, longest: timedelta) -> None:
        super().__init__()
        self.longest = longest

    def read(
        self, configuration: FunctionConfiguration, *, start: datetime, end: datetime
    ) -> LogReading:
        left_out = Gap(source="logs", reason="too long")
        self.gaps = [left_out] if end - start > self.longest else []
        return super().read(configuration, start=start, end=end)


def test_a_log_read_only_in_part_shows_no_improvement() -> None:
    world = world_after(*since(6))
    world.logs.gaps = [Gap(source="logs", reason="left out")]
    assert verified(world).next == "wait"


def test_of_a_log_too_long_to_read_the_last_part_decides() -> None:
    world = world_after()
    world.logs = LoudLogs(timedelta(minutes=3))
    early = since(10, "timeout", duration_ms=6000.0)
    late = [
        i.model_copy(update={"started_at": NOW + timedelta(seconds=500 + n)})
        for n, i in enumerate(since(20))
    ]
    world.logs.invocations = [*early, *late]
    result = verified(world)
    assert (result.verdict, result.after.invocations) == (Verdict.IMPROVED, 20)


def test_the_log_is_read_from_before_the_change_to_know_old_environments() -> None:
    world = world_after(*since(6))
    approved_late = applied(applied_at=NOW + timedelta(hours=2))
    world.clock.advance(7200)
    verified(world, change=approved_late)
    start, _ = world.logs.reads[0]
    assert start == NOW + timedelta(hours=2) - timedelta(minutes=15)


def test_a_log_that_never_showed_the_failures_shows_no_improvement_either() -> None:
    counted = [i.model_copy(update={"is_only_counted": True}) for i in slow_invocations()]
    assert verified(world_after(*since(6)), before=counted).next == "wait"
