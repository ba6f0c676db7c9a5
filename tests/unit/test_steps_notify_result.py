from __future__ import annotations

from datetime import timedelta

import pytest

from autorepair.domain.approval import Approval
from autorepair.domain.audit import Entry, RecordKind
from autorepair.domain.errors import AccessDeniedError, ConfigurationError, TransientServiceError
from autorepair.domain.incident import Incident, Outcome
from autorepair.domain.notification import Notification
from autorepair.steps.notify_result import NotifyResultInput, notify_result
from autorepair.views.story import story_of
from unit import failing
from unit.builders import INCIDENT, applied, course, decision, verification
from unit.fakes import ARN, NOW, World


def opened() -> World:
    world = World()
    world.state.open(INCIDENT)
    return world


def unavailable(_incident: Incident) -> None:
    raise TransientServiceError("dynamodb:DeleteItem")


def notified(world: World, **keys: object) -> Notification:
    state = course(change=applied(), verification=verification(), **keys)
    given = NotifyResultInput.model_validate(state.as_json())
    return notify_result(given, world.ports)


def test_people_are_told_and_the_incident_is_closed() -> None:
    world = opened()
    result = notified(world)
    assert result.outcome is Outcome.REPAIRED
    assert world.notifier.sent[0].attributes["outcome"] == "repaired"
    assert world.state.open_on == {}
    assert world.kinds(INCIDENT) == [RecordKind.INCIDENT_CLOSED]


def test_people_are_told_who_answered_and_when_by_the_answer_that_got_through() -> None:
    world = opened()
    plan = decision().plan_hash
    said = {"plan_hash": plan, "answer": "rejected", "by": "Ann", "comment": "no"}
    for key, at, data in (
        ("answer", NOW, said),
        ("late", NOW + timedelta(minutes=1), {"plan_hash": plan, "is_late": True}),
    ):
        entry = Entry(
            incident_id=INCIDENT.id,
            key=key,
            kind=RecordKind.APPROVAL_ANSWERED,
            at=at,
            function_name=None,
            summary="answered",
            data=data,
        )
        world.audit.append(entry)
    given = course(
        decision=decision(action="ask"),
        approval=Approval(answer="rejected", by="Ann", comment="no"),
    )
    notify_result(NotifyResultInput.model_validate(given.as_json()), world.ports)
    told = f"Answer: rejected by Ann ({NOW:%Y-%m-%d %H:%M:%S} UTC): no\n"
    assert told in world.notifier.sent[0].message


def test_the_closing_event_carries_the_head_of_the_chain() -> None:
    world = opened()
    result = notified(world)
    (detail_type, detail) = world.announcer.announced[-1]
    assert detail_type == "IncidentClosed"
    assert detail["head_hash"] == result.head_hash == world.audit.chain_of(INCIDENT.id)[-1].hash


def test_run_again_nobody_is_told_twice() -> None:
    world = opened()
    assert notified(world) == notified(world)
    assert len(world.notifier.sent) == 1
    assert len(world.kinds(INCIDENT)) == 1


@pytest.mark.parametrize(
    "error",
    [
        AccessDeniedError("the topic"),
        ConfigurationError("no such topic"),
        TransientServiceError("down"),
    ],
)
def test_a_topic_that_is_down_does_not_turn_a_repair_into_a_failure(error: Exception) -> None:
    world = opened()
    world.notifier.error = error
    result = notified(world)
    assert (result.outcome, result.message_id) == (Outcome.REPAIRED, None)
    assert world.state.open_on == {}
    undelivered, closing = world.audit.chain_of(INCIDENT.id)
    assert undelivered.entry.kind is RecordKind.MESSAGE_UNDELIVERED
    assert str(error) in undelivered.entry.summary
    assert (closing.entry.data["outcome"], closing.entry.data["message_id"]) == ("repaired", None)
    kept = world.unsent.by_incident[INCIDENT.id]
    assert (kept.attributes["outcome"], "repaired" in kept.subject) == ("repaired", True)


def test_run_again_after_a_message_was_kept_nobody_is_told_twice() -> None:
    world = opened()
    world.notifier.error = TransientServiceError("down")
    first = notified(world)
    world.notifier.error = None
    assert notified(world) == first
    assert world.notifier.sent == []


def test_a_message_that_can_be_neither_sent_nor_kept_leaves_the_incident_open() -> None:
    world = opened()
    world.notifier.error = TransientServiceError("down")
    world.unsent.error = TransientServiceError("down too")
    with pytest.raises(TransientServiceError, match="down too"):
        notified(world)
    assert ARN in world.state.open_on
    assert world.kinds(INCIDENT) == []


@pytest.mark.parametrize(
    "error", [AccessDeniedError("no dynamodb:PutItem"), ConfigurationError("the item is too large")]
)
def test_people_are_told_of_a_repair_that_cannot_be_watched(error: Exception) -> None:
    world = opened()
    world.watches.error = error
    assert notified(world).outcome is Outcome.REPAIRED
    told = f"what becomes of it is not watched: {error}"
    (message,) = world.notifier.sent
    assert told in message.message
    (closing,) = world.audit.chain_of(INCIDENT.id)
    assert closing.entry.data["unwatched"] == told
    assert told in story_of((closing,))[0].facts
    assert notified(world).outcome is Outcome.REPAIRED
    assert len(world.notifier.sent) == 1


def test_a_watch_that_may_be_kept_a_moment_later_is_tried_again_before_anybody_is_told() -> None:
    world = opened()
    world.watches.error = TransientServiceError("throttled")
    with pytest.raises(TransientServiceError):
        notified(world)
    assert world.notifier.sent == []
    world.watches.error = None
    notified(world)
    assert "not watched" not in world.notifier.sent[0].message
    assert len(world.watches.repairs) == 1


def test_a_plan_that_was_only_observed_and_cannot_be_watched_says_so_in_the_record() -> None:
    world = opened()
    world.watches.error = ConfigurationError("the item is too large")
    given = NotifyResultInput.model_validate(course(decision=decision(action="observe")).as_json())
    assert notify_result(given, world.ports).outcome is Outcome.ESCALATED
    assert "too large" in world.audit.told()


def test_a_bus_that_is_down_does_not_keep_the_incident_open() -> None:
    world = opened()
    world.announcer.error = TransientServiceError("down")
    assert notified(world).outcome is Outcome.REPAIRED
    assert world.state.open_on == {}


def test_a_newer_incident_on_the_same_function_is_not_closed_along() -> None:
    world = World()
    newer = INCIDENT.model_copy(update={"id": "inc-newer"})
    world.state.open(newer)
    notified(world)
    assert world.state.open_on[ARN].incident_id == "inc-newer"


def test_that_nobody_answered_is_recorded_before_the_incident_is_closed() -> None:
    world = opened()
    asked = decision(action="ask")
    state = course(decision=asked, approval=Approval(answer="expired"))
    given = NotifyResultInput.model_validate(state.as_json())
    assert notify_result(given, world.ports).outcome is Outcome.EXPIRED
    assert notify_result(given, world.ports).outcome is Outcome.EXPIRED
    assert world.kinds(INCIDENT) == [RecordKind.APPROVAL_EXPIRED, RecordKind.INCIDENT_CLOSED]
    silence = world.audit.chain_of(INCIDENT.id)[0].entry
    assert silence.data == {"plan_hash": asked.plan_hash}


def test_what_people_are_told_to_stay_is_settled_before_they_are_told() -> None:
    world = opened()
    world.state.remember_change(INCIDENT, applied())
    world.notifier.error = TransientServiceError("down")
    world.unsent.error = TransientServiceError("down too")
    with pytest.raises(TransientServiceError):
        notified(world)
    kept = world.state.remembered_change(INCIDENT)
    assert kept == applied(status="kept")


@pytest.mark.parametrize("status", ["rolled_back", "handed_over", "refused"])
def test_a_change_that_is_not_in_place_is_not_called_kept(status: str) -> None:
    world = opened()
    world.state.remember_change(INCIDENT, applied(status=status))
    notified(world)
    assert [one.status for one in world.state.remembered[INCIDENT.id]] == [status]


def test_a_failure_after_the_message_neither_undoes_nor_tells_otherwise() -> None:
    world = opened()
    world.state.remember_change(INCIDENT, applied())
    closing, world.state.close = world.state.close, unavailable  # type: ignore[method-assign,assignment]  # a fault
    with pytest.raises(TransientServiceError):
        notified(world)
    world.state.close = closing  # type: ignore[method-assign]
    result = failing.handled(world, incident=INCIDENT)
    assert (result.undo, len(world.notifier.sent)) == ("nothing_to_undo", 1)
    assert world.functions.applied == []
    outcomes = {
        d.get("outcome") for kind, d in world.announcer.announced if kind == "IncidentClosed"
    }
    assert outcomes == {"repaired"}
    assert world.state.open_on == {}
