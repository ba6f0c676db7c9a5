"""An alarm that nobody deals with starts an incident, once."""

from __future__ import annotations

import re
from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest

from autorepair.domain.errors import AccessDeniedError, PolicyUnreadableError, UnsettledError
from autorepair.domain.incident import Outcome
from autorepair.domain.policy import Limits, Policy
from autorepair.steps.closing import close
from autorepair.steps.reconcile import ReconcileInput, reconcile
from autorepair.watch import StandingAlarm
from unit.builders import ALARM, INCIDENT
from unit.fake_watch import FakeEnrolment
from unit.fakes import NAME, NOW, World

EVENT: dict[str, Any] = {"detail-type": "CloudWatch Alarm State Change"}


STANDING = StandingAlarm(
    name=ALARM.name,
    arn=ALARM.arn,
    function_names=frozenset({NAME}),
    since=NOW - timedelta(minutes=10),
    event=EVENT,
)


def alarm(**changes: Any) -> StandingAlarm:  # noqa: ANN401 - any field
    return replace(STANDING, **changes)


def world_with(*alarms: StandingAlarm) -> World:
    world = World()
    world.standing_alarms.alarms = list(alarms)
    return world


def run(world: World) -> tuple[str, ...]:
    return reconcile(ReconcileInput(), world.ports).done


def test_an_alarm_that_nobody_started_starts_an_incident_with_its_event() -> None:
    world = world_with(alarm())
    assert run(world) == (f"{ALARM.name}: incident started",)
    ((name, event),) = world.executions.started.items()
    assert re.fullmatch(r"[\w-]{1,80}", name)
    assert event is EVENT


def test_two_runs_start_one_execution() -> None:
    world = world_with(alarm())
    run(world)
    world.standing_alarms.alarms = [alarm(event=dict(EVENT))]
    assert run(world) == ()
    assert len(world.executions.started) == 1


def test_with_an_open_incident_nothing_is_started() -> None:
    world = world_with(alarm())
    world.state.open(INCIDENT)
    assert run(world) == ()


def test_the_alarms_own_event_is_given_time_to_arrive() -> None:
    world = world_with(alarm(since=NOW - timedelta(seconds=10)))
    assert run(world) == ()
    world.clock.advance(30)
    assert len(run(world)) == 1


def test_after_an_incident_the_cooldown_is_waited_for_and_then_a_new_one_starts() -> None:
    world = world_with(alarm())
    run(world)
    world.state.open(INCIDENT)
    close(INCIDENT, Outcome.ESCALATED, world.ports, key="notify_result", data={})
    world.clock.advance(3599)
    assert run(world) == ()
    world.clock.advance(1)
    assert len(run(world)) == 1
    assert len(world.executions.started) == 2


def test_the_cooldown_is_the_policys_own_for_the_function() -> None:
    world = world_with(alarm())
    world.policies.policy = Policy(limits=Limits(cooldown_s=0))
    close(INCIDENT, Outcome.ESCALATED, world.ports, key="notify_result", data={})
    assert len(run(world)) == 1


def test_an_unreadable_policy_means_the_cooldown_of_the_default() -> None:
    world = world_with(alarm())
    world.policies.error = PolicyUnreadableError("not JSON")
    close(INCIDENT, Outcome.ESCALATED, world.ports, key="notify_result", data={})
    world.clock.advance(600)
    assert run(world) == ()


def test_a_function_that_is_not_enrolled_is_not_looked_after() -> None:
    world = world_with(alarm())
    world.enrolment = FakeEnrolment()
    assert run(world) == ()


def test_without_an_alarm_nobody_asks_for_enrolled_functions() -> None:
    world = world_with()
    run(world)
    assert world.enrolment.asked == 0


@pytest.mark.parametrize("names", [frozenset[str](), frozenset({NAME, "another"})])
def test_an_alarm_that_does_not_speak_of_one_function_is_left(names: frozenset[str]) -> None:
    assert run(world_with(alarm(function_names=names))) == ()


def test_alarms_that_cannot_be_read_fail_the_run_after_the_rest_was_done() -> None:
    world = world_with()
    world.standing_alarms.error = AccessDeniedError("DescribeAlarms")
    with pytest.raises(UnsettledError, match="alarms: AccessDeniedError"):
        run(world)


def test_the_end_of_an_execution_starts_nothing() -> None:
    world = world_with(alarm())
    event = {"detail": {"executionArn": "arn:one", "status": "FAILED"}}
    assert reconcile(ReconcileInput.model_validate(event), world.ports).done == ()
    assert world.executions.started == {}
