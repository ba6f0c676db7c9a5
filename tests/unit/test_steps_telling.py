"""What people could not be told is told later, for a day."""

from __future__ import annotations

import pytest

from autorepair.domain.audit import AuditRecord, Entry, RecordKind
from autorepair.domain.errors import AccessDeniedError, TransientServiceError, UnsettledError
from autorepair.domain.incident import Outcome
from autorepair.steps.reconcile import ReconcileInput, reconcile
from autorepair.steps.telling import SENT_FOR, tell
from autorepair.views.message import Message
from unit.builders import INCIDENT
from unit.fakes import NOW, FakeAudit, World

MESSAGE = Message(subject="[Auto-Repair] repaired: orders", body="It works again.")
DOWN = TransientServiceError("sns:Publish: unavailable")


def told(world: World) -> str | None:
    return tell(MESSAGE, INCIDENT, Outcome.REPAIRED, world.ports, key="notify_result")


def tick(world: World) -> tuple[str, ...]:
    return reconcile(ReconcileInput(), world.ports).done


def untold() -> World:
    world = World()
    world.notifier.error = DOWN
    assert told(world) is None
    return world


def test_a_message_that_gets_through_is_not_kept() -> None:
    world = World()
    assert told(world) == "message-1"
    assert (world.unsent.by_incident, world.audit.chains) == ({}, {})


def test_a_kept_message_is_sent_as_it_was_and_recorded() -> None:
    world = untold()
    world.notifier.error = None
    assert tick(world) == (f"{INCIDENT.id}: message delivered",)
    (sent,) = world.notifier.sent
    assert (sent.subject, sent.message) == (MESSAGE.subject, MESSAGE.body)
    assert sent.attributes == {"kind": "incident_closed", "outcome": "repaired"}
    assert world.kinds(INCIDENT) == [RecordKind.MESSAGE_UNDELIVERED, RecordKind.MESSAGE_DELIVERED]
    assert world.audit.chain_of(INCIDENT.id)[-1].entry.data["message_id"] == "message-1"
    assert tick(world) == ()


def test_while_the_topic_is_down_each_run_says_so_and_keeps_it() -> None:
    world = untold()
    with pytest.raises(UnsettledError, match="unavailable"):
        tick(world)
    assert INCIDENT.id in world.unsent.by_incident
    assert world.kinds(INCIDENT) == [RecordKind.MESSAGE_UNDELIVERED]


def test_after_a_day_it_is_given_up_and_that_is_recorded() -> None:
    world = untold()
    world.clock.advance(SENT_FOR.total_seconds())
    assert tick(world) == (f"{INCIDENT.id}: message undelivered",)
    last = world.audit.chain_of(INCIDENT.id)[-1].entry
    assert last.summary.startswith("given up")
    assert (last.data["message_id"], last.at) == (None, NOW + SENT_FOR)
    assert tick(world) == ()


def test_a_newer_message_of_the_incident_takes_the_place_of_the_older() -> None:
    world = untold()
    world.clock.advance(60)
    tell(MESSAGE, INCIDENT, Outcome.FAILED, world.ports, key="reconcile")
    world.notifier.error = None
    tick(world)
    assert [sent.attributes["outcome"] for sent in world.notifier.sent] == ["failed"]


def test_the_end_of_an_execution_sends_nothing_but_its_own() -> None:
    world = untold()
    world.notifier.error = None
    event = {"detail": {"executionArn": "arn:another"}}
    reconcile(ReconcileInput.model_validate(event), world.ports)
    assert world.notifier.sent == []


class TrailThatRefuses(FakeAudit):
    """Takes no entry of one kind."""

    def __init__(self, kind: RecordKind) -> None:
        super().__init__()
        self.refused: RecordKind | None = kind

    def append(self, entry: Entry) -> AuditRecord:
        if entry.kind is self.refused:
            raise AccessDeniedError("the audit table")
        return super().append(entry)


def test_a_message_that_was_sent_is_not_sent_again_because_nobody_could_record_it() -> None:
    trail = TrailThatRefuses(RecordKind.MESSAGE_DELIVERED)
    world = World(audit=trail)
    world.notifier.error = DOWN
    told(world)
    world.notifier.error = None
    for _ in range(3):
        with pytest.raises(UnsettledError, match="audit table"):
            tick(world)
    assert len(world.notifier.sent) == 1
    trail.refused = None
    assert tick(world) == (f"{INCIDENT.id}: message delivered",)
    assert len(world.notifier.sent) == 1
    assert world.audit.chain_of(INCIDENT.id)[-1].entry.data["message_id"] == "message-1"


def test_what_an_earlier_run_has_kept_is_not_sent_by_a_retry_beside_it() -> None:
    world = untold()
    world.notifier.error = None
    assert told(world) is None
    assert world.notifier.sent == []
    tick(world)
    assert len(world.notifier.sent) == 1


def test_an_old_message_is_given_up_before_it_is_sent() -> None:
    world = untold()
    world.notifier.error = None
    world.clock.advance(SENT_FOR.total_seconds())
    assert tick(world) == (f"{INCIDENT.id}: message undelivered",)
    assert world.notifier.sent == []
