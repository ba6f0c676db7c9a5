from __future__ import annotations

import pytest

from autorepair.domain.audit import RecordKind
from autorepair.domain.change import ChangeRecord
from autorepair.domain.errors import AccessDeniedError, ChangeRefusedError, TransientServiceError
from autorepair.domain.failure import Failure
from autorepair.domain.incident import Outcome
from autorepair.steps.closing import close
from autorepair.steps.handle_failure import CaughtError
from unit import failing
from unit.builders import INCIDENT, TARGET, applied, change, incident
from unit.fakes import ARN, FakeFunctions, World, configuration


def world_at(timeout_s: int = 6, remembered: ChangeRecord | None = None, **other: object) -> World:
    world = World(functions=FakeFunctions(configuration(timeout_s=timeout_s, **other)))
    world.state.open(INCIDENT)
    if remembered is not None:
        world.state.remember_change(INCIDENT, remembered)
    return world


def planned(**changes: object) -> ChangeRecord:
    return applied(status="planned", change=change(), applied_at=None).model_copy(update=changes)


def handled(world: World, **keys: object) -> Failure:
    return failing.handled(world, **({"incident": INCIDENT} | keys))


def timeout_now(world: World) -> int:
    return world.functions.by_name["patient-slow-invoice"].timeout_s


def test_a_failure_before_any_write_is_recorded_closed_and_told() -> None:
    world = world_at(3)
    result = handled(world)
    assert (result.undo, result.troubles) == ("nothing_to_undo", ())
    assert result.error == "UpdateFailedError: EniLimitExceeded"
    assert world.kinds(INCIDENT) == [RecordKind.FAILURE_HANDLED, RecordKind.INCIDENT_CLOSED]
    assert world.state.open_on == {}
    assert world.notifier.sent[0].attributes["outcome"] == "failed"
    assert world.functions.applied == []


def test_an_applied_change_that_nobody_verified_is_taken_back() -> None:
    world = world_at(6, applied())
    result = handled(world)
    assert (result.undo, timeout_now(world)) == ("undone", 3)
    assert RecordKind.ROLLBACK_PLANNED in world.kinds(INCIDENT)
    assert world.announcer.types == ["RepairRolledBack", "IncidentClosed"]
    told = {one.entry.kind: one.entry for one in world.audit.chain_of(INCIDENT.id)}
    assert ". The change was taken back. (" in told[RecordKind.FAILURE_HANDLED].summary


def test_a_write_of_which_nobody_knows_whether_it_happened_is_taken_back() -> None:
    world = world_at(6, planned())
    result = handled(world)
    assert (result.undo, timeout_now(world)) == ("undone", 3)


def test_a_write_that_never_happened_leaves_nothing_to_take_back() -> None:
    world = world_at(3, planned())
    result = handled(world)
    assert (result.undo, world.functions.writes) == ("undone", 0)


def test_an_unfinished_second_step_is_taken_back_to_the_beginning() -> None:
    second = planned(change=change(6, 12), step=2, origin=change(is_applied=True))
    for timeout_s in (6, 12):
        world = world_at(timeout_s, second)
        assert (handled(world).undo, timeout_now(world)) == ("undone", 3)


def test_a_verified_repair_stays() -> None:
    world = world_at(6, applied(status="kept"))
    result = handled(world)
    assert (result.undo, timeout_now(world)) == ("nothing_to_undo", 6)
    assert "stays" in result.reason


def test_a_change_that_was_taken_back_before_is_let_be() -> None:
    world = world_at(3, applied(status="rolled_back"))
    result = handled(world)
    assert (result.undo, world.functions.applied) == ("undone", [])


def test_a_change_that_was_handed_over_before_is_not_called_undone() -> None:
    world = world_at(6, applied(status="handed_over"))
    result = handled(world)
    assert (result.undo, timeout_now(world)) == ("handed_over", 6)
    assert "left to them" in result.reason


def test_a_refused_change_leaves_nothing_to_take_back() -> None:
    world = world_at(3, applied(status="refused"))
    assert handled(world).undo == "nothing_to_undo"


def test_a_function_that_somebody_changed_is_handed_over_loudly() -> None:
    world = world_at(6, applied(), code_sha256="hotfix")
    result = handled(world)
    assert (result.undo, timeout_now(world)) == ("handed_over", 6)
    assert "CHECK NOW" in world.notifier.sent[0].subject


def test_an_undo_that_fails_for_good_is_told_loudly_and_the_rest_still_done() -> None:
    world = world_at(6, applied())
    world.functions.refusals = [ChangeRefusedError("no")]
    result = handled(world)
    assert result.undo == "undo_failed"
    assert "NOT" in result.reason
    assert "CHECK NOW" in world.notifier.sent[0].subject
    assert world.state.open_on == {}
    assert world.audit.chain_of(INCIDENT.id)[-1].entry.kind is RecordKind.INCIDENT_CLOSED


@pytest.mark.parametrize("busy", [True, False])
def test_an_undo_that_may_work_later_is_tried_again_after_all_else(busy: bool) -> None:  # noqa: FBT001 - a parameter of the test
    world = world_at(6, applied())
    if busy:
        world.state.acquire_lease(TARGET, holder="another incident", seconds=300)
    else:
        world.functions.refusals = [TransientServiceError("throttled")]
    with pytest.raises(TransientServiceError, match="not undone yet"):
        handled(world)
    assert len(world.notifier.sent) == 1
    world.state.leases.clear()
    assert handled(world).undo == "undone"
    assert timeout_now(world) == 3


def test_the_undo_goes_on_when_the_audit_trail_is_what_failed() -> None:
    world = world_at(6, applied())
    world.audit.error = AccessDeniedError("the audit table")
    result = handled(world)
    assert (result.undo, timeout_now(world)) == ("undone", 3)
    assert [t.partition(":")[0] for t in result.troubles] == [
        "record the rollback", "record", "close",
    ]  # fmt: skip
    assert len(world.notifier.sent) == 1


def test_people_who_cannot_be_told_do_not_stop_the_undo() -> None:
    world = world_at(6, applied())
    world.notifier.error = AccessDeniedError("the topic")
    result = handled(world)
    assert (result.undo, result.message_id) == ("undone", None)
    assert RecordKind.MESSAGE_UNDELIVERED in world.kinds(INCIDENT)
    assert world.state.open_on == {}
    assert "failed" in world.unsent.by_incident[INCIDENT.id].subject


def test_an_unforeseen_fault_is_kept_by_name_only() -> None:
    world = world_at(6, applied())
    world.functions.refusals = [RuntimeError("password=hunter2")]
    result = handled(world)
    assert result.undo == "undo_failed"
    assert "hunter2" not in repr((result, world.notifier.sent)) + world.audit.told()


def test_a_message_that_was_kept_is_not_sent_by_a_second_run_as_well() -> None:
    world = world_at(6, applied())
    world.notifier.error = AccessDeniedError("the topic")
    handled(world)
    world.notifier.error = None
    assert handled(world).message_id is None
    assert (world.notifier.sent, len(world.unsent.by_incident)) == ([], 1)


def test_where_the_message_can_be_neither_sent_nor_kept_the_rest_is_done() -> None:
    world = world_at(6, applied())
    world.notifier.error = TransientServiceError("the topic")
    world.unsent.error = AccessDeniedError("the table")
    result = handled(world)
    assert (result.undo, timeout_now(world)) == ("undone", 3)
    assert result.troubles[0].startswith("tell: AccessDeniedError")


def test_an_incident_without_a_target_has_nothing_to_undo() -> None:
    world = World()
    assert handled(world, incident=incident(target=None)).undo == "nothing_to_undo"


def test_handled_twice_is_recorded_once() -> None:
    world = world_at(6, applied())
    handled(world)
    kinds = list(world.kinds(INCIDENT))
    assert handled(world).undo == "undone"
    assert world.functions.writes == 1
    assert world.kinds(INCIDENT) == kinds


@pytest.mark.parametrize(
    ("caught", "told"),
    [
        ({"Error": "States.Timeout", "Cause": ""}, "States.Timeout"),
        ({"Error": "KeyError", "Cause": '{"errorMessage": "hunter2"}'}, "KeyError"),
        (
            {"Error": "PolicyUnreadableError", "Cause": "not JSON"},
            "PolicyUnreadableError: no message",
        ),
        ({"Error": "PolicyUnreadableError", "Cause": "[]"}, "PolicyUnreadableError: no message"),
        ({"Error": "LeaseHeldError", "Cause": '{"errorMessage": "a\\nb"}'}, "LeaseHeldError: a b"),
        ({}, "unknown"),
    ],
)
def test_only_the_words_of_our_own_errors_are_passed_on(caught: dict[str, str], told: str) -> None:
    assert CaughtError.model_validate(caught).told == told


def test_the_incident_is_no_longer_open_on_its_target() -> None:
    world = world_at(6, applied())
    handled(world)
    assert ARN not in world.state.open_on


# ----------------------------------------------------------- an end that people have been told of


def ended_as(outcome: Outcome, remembered: ChangeRecord) -> World:
    """The closing is recorded and told; the state table failed before it could be closed there."""
    world = world_at(6, remembered)
    close(INCIDENT, outcome, world.ports, key="notify_result", data={"message_id": "message-0"})
    world.state.open(INCIDENT)
    world.announcer.announced.clear()
    return world


@pytest.mark.parametrize("outcome", [Outcome.REPAIRED, Outcome.UNVERIFIED, Outcome.REJECTED])
@pytest.mark.parametrize("remembered", [applied(), planned(), applied(status="kept")])
def test_what_people_were_told_to_stay_is_not_taken_back_by_a_later_failure(
    outcome: Outcome, remembered: ChangeRecord
) -> None:
    world = ended_as(outcome, remembered)
    result = handled(world)
    assert (result.undo, timeout_now(world), world.functions.applied) == ("nothing_to_undo", 6, [])
    assert (result.message_id, outcome.value in result.reason) == ("message-0", True)
    assert world.notifier.sent == []
    assert world.kinds(INCIDENT) == [RecordKind.INCIDENT_CLOSED, RecordKind.FAILURE_HANDLED]
    assert world.state.open_on == {}
    kept = world.state.remembered_change(INCIDENT)
    assert kept is not None
    assert not kept.is_unsettled


def test_of_a_further_step_that_was_never_written_those_before_it_stay() -> None:
    origin = change(is_applied=True)
    second = applied(status="refused", change=change(6, 12), step=2, origin=origin)
    world = ended_as(Outcome.REJECTED, second)
    handled(world)
    kept = world.state.remembered_change(INCIDENT)
    assert kept is not None
    assert (kept.status, kept.in_place) == ("kept", origin)


def test_an_end_that_failed_before_is_handled_as_ever() -> None:
    world = ended_as(Outcome.FAILED, applied())
    assert (handled(world).undo, timeout_now(world)) == ("undone", 3)
