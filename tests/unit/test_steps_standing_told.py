"""An alarm that stands while its repair is watched is told to people, once an incident."""

from __future__ import annotations

from datetime import timedelta

import pytest

from autorepair.domain.audit import RecordKind
from autorepair.domain.errors import AccessDeniedError, TransientServiceError
from autorepair.domain.incident import Incident
from autorepair.domain.verification import Verification
from autorepair.steps.joining import OF_BEFORE, join
from unit.aftermath import verified, world_after
from unit.builders import ALARM, INCIDENT, applied
from unit.fake_alarms import described
from unit.fakes import NAME, NOW, World

HOUR_S = 3600


def watched(elapsed_s: int = HOUR_S) -> World:
    """Nothing is called after the change; alarms have recovered unless a test says otherwise."""
    world = world_after(elapsed_s=elapsed_s)
    world.alarms.recovered.add(ALARM.name)
    world.state.remember_change(INCIDENT, applied())
    return world


def soon_after(world: World, name: str = "throttles") -> Incident:
    """Another alarm joins right after the change: nobody is told at that moment."""
    at = NOW + OF_BEFORE - timedelta(minutes=1)
    alarm = ALARM.model_copy(update={"name": name, "changed_at": at})
    joining = INCIDENT.model_copy(update={"id": f"inc-{name}", "alarm": alarm})
    join(joining, INCIDENT.id, world.ports)
    assert world.notifier.sent == []
    world.alarms.put(described(name, changed_at=at))
    return joining


def looked(world: World) -> Verification:
    found = verified(world)
    assert found.next == "wait"
    return found


def told(world: World) -> list[str]:
    return [sent.message for sent in world.notifier.sent]


def test_an_alarm_that_came_right_after_the_change_and_stands_is_told_at_the_next_look() -> None:
    world = watched()
    soon_after(world)
    looked(world)
    (sent,) = world.notifier.sent
    assert (sent.subject, sent.attributes) == (
        f"[Auto-Repair] alarm during a repair: {NAME}",
        {"kind": "alarm_joined"},
    )
    assert "Alarm: throttles" in sent.message
    assert f"autorepair show {INCIDENT.id}" in sent.message
    assert world.kinds(INCIDENT).count(RecordKind.MESSAGE_DELIVERED) == 1


def test_the_alarm_that_opened_the_incident_counts_where_it_never_went_back() -> None:
    world = watched()
    world.alarms.recovered.clear()
    looked(world)
    assert [f"Alarm: {ALARM.name}" in message for message in told(world)] == [True]


def test_of_several_the_one_that_went_off_last_is_named() -> None:
    world = watched()
    world.alarms.recovered.clear()
    soon_after(world)
    looked(world)
    assert ["Alarm: throttles" in message for message in told(world)] == [True]


def test_people_are_told_once_by_whichever_comes_first() -> None:
    world = watched()
    joining = soon_after(world)
    looked(world)
    looked(world)
    late = ALARM.model_copy(update={"changed_at": NOW + timedelta(hours=2)})
    later = joining.model_copy(update={"id": "inc-later", "alarm": late})
    join(later, INCIDENT.id, world.ports)
    assert len(told(world)) == 1


def test_soon_after_the_change_an_alarm_may_look_at_what_was_before() -> None:
    world = watched(HOUR_S - 1)
    soon_after(world)
    looked(world)
    assert told(world) == []


def test_an_alarm_that_is_back_to_ok_or_silenced_is_not_told() -> None:
    world = watched()
    soon_after(world, "throttles")
    soon_after(world, "errors")
    world.alarms.recovered.add("throttles")
    world.alarms.silent["errors"] = "the mute rule maintenance"
    looked(world)
    assert told(world) == []


def test_what_is_decided_is_told_by_the_message_of_the_end_alone() -> None:
    world = watched()
    world.alarms.recovered.clear()
    world.functions.somebody_changes(timeout_s=30)
    assert verified(world).next == "done"
    assert told(world) == []


@pytest.mark.parametrize(
    "error", [AccessDeniedError("grant DescribeAlarms"), TransientServiceError("throttled")]
)
def test_alarms_that_cannot_be_asked_hold_nothing_up_and_are_asked_at_the_next_look(
    error: Exception,
) -> None:
    world = watched()
    soon_after(world)
    world.alarms.error = error
    looked(world)
    assert told(world) == []
    world.alarms.error = None
    looked(world)
    assert len(told(world)) == 1


def test_an_incident_started_by_hand_has_no_alarm_to_ask() -> None:
    world = watched()
    by_hand = INCIDENT.model_copy(update={"alarm": ALARM.model_copy(update={"kind": "manual"})})
    assert verified(world, incident=by_hand).next == "wait"
    assert world.alarms.asked == []
