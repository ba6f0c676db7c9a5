"""An alarm that nobody deals with starts an incident, once."""

from __future__ import annotations

import json
import re
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from autorepair.domain.errors import AccessDeniedError, PolicyUnreadableError, UnsettledError
from autorepair.domain.filtered_log import FilteredLog
from autorepair.domain.incident import Incident, Outcome
from autorepair.domain.policy import Limits, Policy
from autorepair.steps.closing import close
from autorepair.steps.parse_alarm_event import ParseAlarmEventInput, parse_alarm_event
from autorepair.steps.reconcile import ReconcileInput, reconcile
from autorepair.watch import StandingAlarm
from unit.builders import ALARM, INCIDENT
from unit.fake_alarms import described
from unit.fake_watch import FakeEnrolment
from unit.fakes import ARN, NAME, NOW, FakeFunctions, World, configuration

EVENTS = Path(__file__).parents[2] / "events" / "alarm"
SINCE = NOW - timedelta(minutes=10)
OTHER = "patient-other"
OTHER_ARN = ARN.replace(NAME, OTHER)


def sample(name: str) -> dict[str, Any]:
    loaded: dict[str, Any] = json.loads((EVENTS / f"{name}.json").read_text())
    return loaded


EVENT = sample("single_metric")
STANDING = StandingAlarm(name=ALARM.name, arn=ALARM.arn, since=SINCE, event=EVENT)


def alarm(**changes: Any) -> StandingAlarm:  # noqa: ANN401 - any field
    return replace(STANDING, **changes)


def of_functions(*names: str) -> dict[str, Any]:
    """The event of an alarm on metric math over several functions."""
    metrics = [
        {
            "id": f"m{number}",
            "metricStat": {
                "metric": {
                    "namespace": "AWS/Lambda",
                    "name": "Errors",
                    "dimensions": {"FunctionName": name},
                },
                "period": 60,
                "stat": "Sum",
            },
        }
        for number, name in enumerate(names)
    ]
    event = sample("metric_math")
    event["detail"]["configuration"]["metrics"] = metrics
    return event


def intake(world: World) -> list[Incident]:
    """What becomes of the executions that were started, in their order."""
    executions = world.executions.started.items()
    return [
        parse_alarm_event(
            ParseAlarmEventInput(
                event=event, execution_arn=f"arn:{name}", started_at=world.clock.now()
            ),
            world.ports,
        )
        for name, event in executions
    ]


def world_with(*alarms: StandingAlarm) -> World:
    world = World()
    world.standing_alarms.alarms = list(alarms)
    return world


def run(world: World) -> tuple[str, ...]:
    return reconcile(ReconcileInput(), world.ports).done


def test_an_alarm_that_nobody_started_starts_an_incident_with_its_event() -> None:
    world = world_with(alarm())
    assert run(world) == (f"{ALARM.name}: incidents started: 1",)
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
    world.state.open(INCIDENT)
    close(INCIDENT, Outcome.ESCALATED, world.ports, key="notify_result", data={})
    assert len(run(world)) == 1


def test_an_unreadable_policy_means_the_cooldown_of_the_default() -> None:
    world = world_with(alarm())
    world.policies.error = PolicyUnreadableError("not JSON")
    world.state.open(INCIDENT)
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


@pytest.mark.parametrize(
    "event", ["foreign_namespace", "malformed", "cross_account", "other_region"]
)
def test_an_alarm_that_is_not_about_functions_of_here_is_left(event: str) -> None:
    assert run(world_with(alarm(event=sample(event)))) == ()


def test_the_services_own_functions_are_left() -> None:
    world = world_with(alarm(event=sample("own_function")))
    name = "lambda-auto-repair-diagnose-issue-dev"
    world.enrolment = FakeEnrolment(ARN.replace(NAME, name))
    assert name in json.dumps(sample("own_function"))
    assert run(world) == ()


def test_a_composite_alarm_starts_the_incident_of_the_function_below_it() -> None:
    event = sample("composite")
    world = world_with(alarm(event=event))
    world.alarms.put(described(f"{NAME}-errors", NAME))
    rule = event["detail"]["configuration"]["alarmRule"]
    world.alarms.put(described(event["detail"]["alarmName"], rule=rule))
    assert len(run(world)) == 1
    (incident,) = intake(world)
    assert (incident.disposition, incident.subject.function_arn) == ("opened", ARN)


def test_an_alarm_on_time_outs_starts_the_incident_of_the_function_whose_log_it_is() -> None:
    world = world_with(alarm(event=sample("timeouts")))
    log = FilteredLog(log_group=f"/aws/lambda/{NAME}", pattern='"Task timed out"')
    world.metric_filters.logs["LambdaAutoRepair/Timeouts", "Timeouts"] = (log,)
    assert len(run(world)) == 1
    (incident,) = intake(world)
    assert (incident.disposition, incident.subject.function_arn) == ("opened", ARN)


def two_functions() -> World:
    world = world_with(alarm(event=of_functions(NAME, OTHER)))
    world.functions = FakeFunctions(configuration(), configuration(OTHER))
    world.enrolment = FakeEnrolment(ARN, OTHER_ARN)
    return world


def test_an_alarm_on_several_functions_starts_an_incident_for_each() -> None:
    world = two_functions()
    assert run(world) == (f"{ALARM.name}: incidents started: 2",)
    opened = [i.subject.function_arn for i in intake(world) if i.disposition == "opened"]
    assert opened == [OTHER_ARN, ARN]


def test_the_function_that_has_waited_longest_gets_the_incident_of_a_shared_alarm() -> None:
    world = two_functions()
    world.state.open(INCIDENT)
    close(INCIDENT, Outcome.ESCALATED, world.ports, key="notify_result", data={})
    assert run(world) == (f"{ALARM.name}: incidents started: 1",)
    (incident,) = intake(world)
    assert (incident.disposition, incident.subject.function_arn) == ("opened", OTHER_ARN)
    world.clock.advance(3600)
    assert len(run(world)) == 1
    assert intake(world)[-1].subject.function_arn == ARN


def test_of_several_functions_only_the_enrolled_ones_are_started() -> None:
    world = two_functions()
    world.enrolment = FakeEnrolment(OTHER_ARN)
    assert run(world) == (f"{ALARM.name}: incidents started: 1",)


def test_two_alarms_of_one_function_start_one_incident() -> None:
    composite = alarm(name="all", arn=f"{ALARM.arn}-all", event=of_functions(NAME))
    world = world_with(alarm(), composite)
    assert run(world) == (f"{ALARM.name}: incidents started: 1",)


def test_an_execution_that_opened_nothing_is_not_the_last_attempt() -> None:
    world = world_with(alarm())
    run(world)
    world.standing_alarms.alarms = [alarm(event=dict(EVENT))]
    world.clock.advance(3600)
    assert len(run(world)) == 1


def test_an_alarm_that_cannot_be_looked_into_does_not_stop_the_others() -> None:
    world = world_with(alarm(name="time-outs", event=sample("timeouts")), alarm())
    world.metric_filters.error = AccessDeniedError("logs:DescribeMetricFilters")
    with pytest.raises(UnsettledError, match="time-outs: AccessDeniedError"):
        run(world)
    assert len(world.executions.started) == 1


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
