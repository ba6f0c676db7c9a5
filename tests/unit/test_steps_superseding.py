"""An alarm does not join an incident behind which nobody has stood for long."""

from __future__ import annotations

from datetime import timedelta

import pytest

from autorepair.domain.audit import RecordKind
from autorepair.domain.errors import AccessDeniedError
from autorepair.domain.incident import Incident, Outcome
from autorepair.steps.closing import close
from autorepair.steps.parse_alarm_event import ParseAlarmEventInput, parse_alarm_event
from autorepair.steps.reconcile import ReconcileInput, reconcile
from autorepair.steps.superseding import RECONCILED_WITHIN
from autorepair.views.story import line_of
from autorepair.watch import Execution
from unit.builders import INCIDENT, applied
from unit.fakes import ARN, NAME, NOW, FakeFunctions, World, configuration

EXECUTION = f"{INCIDENT.execution_arn}-next"
DEAD = Execution("ABORTED", ended_at=NOW)


def world_after(seconds: float, execution: Execution = DEAD) -> World:
    """A function with an open incident, and its execution as it is found ``seconds`` later."""
    world = World(functions=FakeFunctions(configuration(timeout_s=6)))
    world.state.open(INCIDENT)
    world.executions.by_arn[INCIDENT.execution_arn] = execution
    world.clock.advance(seconds)
    return world


def next_alarm(world: World) -> Incident:
    given = ParseAlarmEventInput(
        event={"functionName": NAME, "manual": True},
        execution_arn=EXECUTION,
        started_at=world.clock.now(),
    )
    return parse_alarm_event(given, world.ports)


def test_the_place_of_a_long_dead_incident_is_taken_and_its_end_recorded() -> None:
    world = world_after(RECONCILED_WITHIN.total_seconds())
    incident = next_alarm(world)
    assert incident.disposition == "opened"
    assert world.state.open_on[ARN].incident_id == incident.id
    (closing,) = world.audit.chain_of(INCIDENT.id)
    assert closing.entry.kind is RecordKind.INCIDENT_CLOSED
    assert line_of((closing,)).outcome is Outcome.FAILED
    assert closing.entry.data["superseded_by"] == incident.id
    assert world.announcer.types == ["IncidentClosed", "IncidentOpened"]


def test_people_are_told_of_the_one_whose_place_was_taken() -> None:
    world = world_after(RECONCILED_WITHIN.total_seconds())
    next_alarm(world)
    kept = world.unsent.by_incident[INCIDENT.id]
    assert ("failed" in kept.subject, INCIDENT.id in kept.body) == (True, True)


def test_of_an_unsettled_change_reconcile_tells_by_itself() -> None:
    world = world_after(RECONCILED_WITHIN.total_seconds())
    world.state.remember_change(INCIDENT, applied())
    next_alarm(world)
    assert world.unsent.by_incident == {}


def test_taken_twice_it_is_recorded_once() -> None:
    world = world_after(RECONCILED_WITHIN.total_seconds())
    first = next_alarm(world)
    assert next_alarm(world) == first
    assert len(world.audit.chain_of(INCIDENT.id)) == 1


@pytest.mark.parametrize(
    ("seconds", "execution"),
    [
        (RECONCILED_WITHIN.total_seconds() - 1, DEAD),
        (90 * 86_400, Execution("RUNNING")),
        (90 * 86_400, Execution("PENDING_REDRIVE")),
        (90 * 86_400, Execution("FAILED", ended_at=NOW + timedelta(days=90))),
    ],
)
def test_one_that_lives_or_died_just_now_is_joined(seconds: float, execution: Execution) -> None:
    incident = next_alarm(world_after(seconds, execution))
    assert (incident.disposition, incident.joined_incident_id) == ("joined", INCIDENT.id)


def test_an_execution_that_nobody_knows_any_more_is_dead() -> None:
    assert next_alarm(world_after(3600, Execution("GONE"))).disposition == "opened"


def test_where_it_cannot_be_told_the_alarm_joins() -> None:
    world = world_after(86_400)
    world.executions.errors = [AccessDeniedError("states:DescribeExecution")]
    assert next_alarm(world).disposition == "joined"


def test_a_young_incident_costs_no_look_at_its_execution() -> None:
    world = world_after(60)
    next_alarm(world)
    assert world.executions.looked_up == []


def test_an_end_that_was_recorded_before_is_not_recorded_as_another() -> None:
    world = world_after(3600)
    close(INCIDENT, Outcome.REPAIRED, world.ports, key="notify_result", data={})
    world.state.open(INCIDENT)
    assert next_alarm(world).disposition == "opened"
    assert line_of(world.audit.chain_of(INCIDENT.id)).outcome is Outcome.REPAIRED


def test_what_the_dead_incident_left_half_done_is_still_taken_back() -> None:
    world = world_after(3600)
    world.state.remember_change(INCIDENT, applied())
    next_alarm(world)
    reconcile(ReconcileInput(), world.ports)
    assert world.functions.by_name[NAME].timeout_s == 3
    assert RecordKind.FAILURE_HANDLED in world.audit.kinds(INCIDENT.id)
