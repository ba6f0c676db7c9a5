"""A window that lasts long is looked into for harm, at least once an hour."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime, timedelta
from itertools import pairwise

import pytest

from autorepair.domain.audit import RecordKind
from autorepair.domain.errors import TransientServiceError
from autorepair.domain.evidence import Evidence, Invocation, InvocationStatus
from autorepair.domain.policy import VerificationRules
from autorepair.domain.traffic import Traffic
from autorepair.domain.verification import Verdict, Verification
from autorepair.steps.verify_repair import VerifyRepairInput, verify_repair
from autorepair.steps.watch_window import first_wait_s, window_s
from unit.aftermath import world_after
from unit.builders import ALARM, DIAGNOSIS, INCIDENT, applied, auto, change, evidence, invocations
from unit.fakes import NOW, FakeFunctions, World, configuration, summary_of

HOUR = 3600
# Called all week, silent over the weekend: two of its looks would lie 45 hours apart.
WEEKLY = Traffic(
    since=NOW - timedelta(days=30),
    until=NOW,
    invocations_month=20_000.0,
    longest_silence_s=64.0 * HOUR,
)
NOW_AND_THEN = [
    *invocations(51, "success", at=NOW - timedelta(minutes=9), duration_ms=900.0),
    *invocations(9),
]
BEFORE = evidence(*NOW_AND_THEN).model_copy(update={"traffic": WEEKLY})


def call(at: datetime, *, fails: bool) -> Invocation:
    status: InvocationStatus = "timeout" if fails else "success"
    (one,) = invocations(1, status, at=at, duration_ms=6000.0 if fails else 900.0)
    return one.model_copy(update={"stream": "new", "request_id": f"{at:%d-%H:%M:%S}"})


def hourly(count: int, *, hours: int, fails_from_hour: float) -> list[Invocation]:
    """So many calls an hour; from some hour on all of them time out."""
    step_s = HOUR / count
    return [
        call(NOW + timedelta(seconds=s), fails=s >= fails_from_hour * HOUR)
        for s in (step_s * (n + 0.5) for n in range(count * hours))
    ]


def ailing(calls: list[Invocation]) -> list[Invocation]:
    """Let one in 13 fail, half as often as before the change: for long nothing can be told."""
    return [call(one.started_at, fails=True) if n % 13 == 5 else one for n, one in enumerate(calls)]


@dataclass
class Watched:
    """A change, and the machine that waits and looks."""

    world: World
    before: Evidence = BEFORE
    waited_s: int = 600
    looks: list[Verification] = field(default_factory=list)

    def look(self) -> Verification:
        state = {
            "incident": INCIDENT,
            "evidence": self.world.evidence.put(self.before).model_copy(
                update={"traffic": self.before.traffic}
            ),
            "diagnosis": DIAGNOSIS,
            "change": applied(window_s=self.waited_s),
            "verification": self.looks[-1] if self.looks else None,
        }
        return verify_repair(VerifyRepairInput.model_validate(state), self.world.ports)

    def to_the_end(self) -> Verification:
        wait_s = self.waited_s
        while True:
            self.world.clock.advance(wait_s)
            self.looks.append(self.look())
            if self.looks[-1].next != "wait":
                return self.looks[-1]
            wait_s = self.looks[-1].window_s

    def hours(self) -> list[float]:
        return [(one.observed_until - NOW).total_seconds() / HOUR for one in self.looks]


def watched(*traffic: Invocation, before: Evidence = BEFORE, waited_s: int = 600) -> Watched:
    world = world_after(*traffic, policy=auto(), elapsed_s=0)
    world.alarms.recovered.add(ALARM.name)
    return Watched(world, before=before, waited_s=waited_s)


@pytest.mark.parametrize("calls", [10, 28, 200])
def test_what_turns_harmful_after_a_day_is_taken_back_within_hours(calls: int) -> None:
    """Not after two more days, and the good day does not hide it."""
    one = watched(*ailing(hourly(calls, hours=25, fails_from_hour=21)))
    result = one.to_the_end()
    assert (result.verdict, result.next) == (Verdict.WORSE, "roll_back")
    assert result.reason.startswith("lately more fail")
    assert 21 < one.hours()[-1] <= (22.5 if calls > 20 else 24)


def test_no_wait_is_longer_than_an_hour_and_the_windows_are_as_many_as_ever() -> None:
    one = watched()
    result = one.to_the_end()
    assert (result.verdict, result.next) == (Verdict.INSUFFICIENT_TRAFFIC, "done")
    hours = one.hours()
    assert max(later - earlier for earlier, later in pairwise(hours)) <= 1
    assert hours[-1] == pytest.approx(66, abs=0.1)
    rules = VerificationRules()
    assert result.windows_used == rules.max_windows
    assert "all 6 windows are used up" in result.reason
    verdicts = one.world.audit.kinds(INCIDENT.id)
    assert list(verdicts) == [RecordKind.REPAIR_VERIFIED] * rules.max_windows


def test_a_look_into_a_window_decides_nothing_else() -> None:
    """It has helped, which an early look at all its traffic could tell; that waits for its turn."""
    traffic = hourly(28, hours=30, fails_from_hour=99)
    one = watched(*traffic, waited_s=HOUR, before=quiet_before())
    one.world.clock.advance(HOUR)
    looked = one.look()
    assert (looked.verdict, looked.next) == (Verdict.INSUFFICIENT_TRAFFIC, "wait")
    assert (looked.windows_used, looked.window_s) == (0, HOUR)
    assert looked.reason.startswith("no harm is to be seen; what it helps is judged at")
    assert one.world.audit.kinds(INCIDENT.id) == []


def quiet_before() -> Evidence:
    """Called once a day, so that the first window is half a day."""
    return evidence(*invocations(1)).model_copy(update={"window_start": NOW - timedelta(days=1)})


def test_a_long_first_window_is_looked_into_as_well() -> None:
    summary = summary_of(quiet_before(), key="k")
    assert window_s(VerificationRules(), summary, change()) == 12 * HOUR
    assert first_wait_s(VerificationRules(), summary, change()) == HOUR
    one = watched(waited_s=HOUR, before=quiet_before())
    one.to_the_end()
    assert one.hours()[:13] == [float(hour) for hour in range(1, 14)]
    assert [look.windows_used for look in one.looks[:13]] == [0] * 11 + [1] * 2


def test_a_change_of_somebody_else_is_seen_within_the_hour() -> None:
    one = watched(waited_s=HOUR, before=quiet_before())
    one.world.clock.advance(HOUR)
    one.looks.append(one.look())
    one.world.functions.somebody_changes(timeout_s=9)
    one.world.clock.advance(HOUR)
    assert one.look().verdict is Verdict.OVERTAKEN


def test_harm_that_was_recorded_stands_whatever_a_retry_sees() -> None:
    one = watched(*ailing(hourly(28, hours=30, fails_from_hour=21)))
    harm = one.to_the_end()
    one.looks.pop()
    one.world.logs.invocations = []
    assert one.look() == harm


def test_no_test_event_is_sent_between_windows() -> None:
    one = watched(waited_s=HOUR, before=quiet_before())
    one.world.probes.error = TransientServiceError("not to be sent")
    one.world.clock.advance(HOUR)
    assert one.look().probes == ()
    assert one.world.probes.sent == []


def test_a_short_window_is_not_looked_into() -> None:
    world = World(functions=FakeFunctions(configuration(timeout_s=6)))
    one = Watched(world, before=BEFORE.model_copy(update={"traffic": None}))
    one.to_the_end()
    assert [look.windows_used for look in one.looks] == [1, 2, 3, 4, 5, 6]
    assert all(look.within is None for look in one.looks)
