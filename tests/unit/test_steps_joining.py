"""An alarm that joins an incident whose change is in place is told to people, once."""

from __future__ import annotations

from datetime import timedelta

import pytest

from autorepair.domain.audit import RecordKind
from autorepair.domain.change import ChangeRecord
from autorepair.domain.errors import TransientServiceError
from autorepair.domain.incident import Alarm, Incident
from autorepair.steps.joining import OF_BEFORE, join
from unit.builders import INCIDENT, applied, change
from unit.fakes import NAME, NOW, World

LATE = NOW + OF_BEFORE


def world_with(record: ChangeRecord | None) -> World:
    world = World()
    world.state.open(INCIDENT)
    if record is not None:
        world.state.remember_change(INCIDENT, record)
    world.clock.advance(3600)
    return world


def joining(number: int = 2, **alarm: object) -> Incident:
    opened = INCIDENT.alarm
    assert opened is not None
    seen: Alarm = opened.model_copy(update={"changed_at": LATE, **alarm})
    return INCIDENT.model_copy(update={"id": f"inc-{number}", "alarm": seen})


def test_people_are_told_of_an_alarm_after_a_change_once_an_incident() -> None:
    world = world_with(applied())
    for number in (2, 3):
        join(joining(number), INCIDENT.id, world.ports)
    (sent,) = world.notifier.sent
    assert sent.attributes == {"kind": "alarm_joined"}
    assert sent.subject == f"[Auto-Repair] alarm during a repair: {NAME}"
    assert "timeout 3 s -> timeout 6 s" in sent.message
    assert f"autorepair show {INCIDENT.id}" in sent.message
    assert "告警" in sent.message
    joined, told = RecordKind.ALARM_JOINED, RecordKind.MESSAGE_DELIVERED
    assert world.kinds(INCIDENT) == [joined, told, joined]


def test_it_is_recorded_which_alias_the_alarm_is_of() -> None:
    world = world_with(None)
    beta = INCIDENT.subject.model_copy(update={"qualifier": "beta"})
    join(joining().model_copy(update={"target": beta}), INCIDENT.id, world.ports)
    (joined,) = world.audit.chain_of(INCIDENT.id)
    assert joined.entry.data["qualifier"] == "beta"


@pytest.mark.parametrize(
    "record",
    [
        None,
        ChangeRecord(status="planned", reason="slow work", change=change()),
        applied(status="rolled_back"),
        applied(status="handed_over"),
    ],
    ids=["nothing done", "not yet written", "taken back", "left to somebody"],
)
def test_nobody_is_told_where_no_change_is_in_place(record: ChangeRecord | None) -> None:
    world = world_with(record)
    join(joining(), INCIDENT.id, world.ports)
    assert world.notifier.sent == []
    assert world.kinds(INCIDENT) == [RecordKind.ALARM_JOINED]


def test_an_alarm_soon_after_the_change_may_be_about_what_was_before() -> None:
    world = world_with(applied())
    join(joining(changed_at=LATE - timedelta(seconds=1)), INCIDENT.id, world.ports)
    assert world.notifier.sent == []


def test_who_starts_by_hand_need_not_be_told() -> None:
    world = world_with(applied())
    join(joining(kind="manual"), INCIDENT.id, world.ports)
    assert world.notifier.sent == []


def test_a_message_that_cannot_be_sent_holds_nothing_up_and_is_tried_at_the_next_alarm() -> None:
    world = world_with(applied())
    world.notifier.error = TransientServiceError("the topic is down")
    join(joining(2), INCIDENT.id, world.ports)
    assert world.kinds(INCIDENT) == [RecordKind.ALARM_JOINED]
    world.notifier.error = None
    join(joining(3), INCIDENT.id, world.ports)
    assert len(world.notifier.sent) == 1
