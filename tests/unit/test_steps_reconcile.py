"""What an execution left behind is settled, once; what lives is left alone."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta

import pytest

from autorepair.domain.audit import RecordKind
from autorepair.domain.change import ChangeRecord
from autorepair.domain.errors import (
    ChangeRefusedError,
    TransientServiceError,
    UnsettledError,
)
from autorepair.domain.incident import Incident, Outcome
from autorepair.steps.closing import close
from autorepair.steps.leasing import LEASE_S
from autorepair.steps.reconcile import (
    MOST_ACTS,
    SECONDS_EACH,
    Reconciled,
    ReconcileInput,
    reconcile,
)
from autorepair.watch import Execution, Unsettled
from unit.builders import INCIDENT, TARGET, applied, change, incident
from unit.failing import handled
from unit.fakes import ARN, NAME, NOW, FakeFunctions, World, configuration

ABORTED = Execution("ABORTED", ended_at=NOW)
DIED = Execution("FAILED", error="States.Runtime", ended_at=NOW)
OTHER = "patient-other"


def world_at(
    timeout_s: int = 6,
    remembered: ChangeRecord | None = None,
    ended: Execution | None = DIED,
    **other: object,
) -> World:
    world = World(
        functions=FakeFunctions(configuration(timeout_s=timeout_s, **other), configuration(OTHER))
    )
    world.state.open(INCIDENT)
    if remembered is not None:
        world.state.remember_change(INCIDENT, remembered)
    if ended is not None:
        world.executions.by_arn[INCIDENT.execution_arn] = ended
    return world


def planned(**changes: object) -> ChangeRecord:
    plain = applied(status="planned", change=change(), applied_at=None)
    return plain.model_copy(update=changes)


def run(world: World, **detail: str) -> Reconciled:
    return reconcile(ReconcileInput.model_validate({"detail": detail}), world.ports)


def timeout_now(world: World) -> int:
    return world.functions.by_name[NAME].timeout_s


def second_incident(name: str = OTHER) -> Incident:
    arn = ARN.replace(NAME, name)
    target = TARGET.model_copy(update={"function_name": name, "function_arn": arn})
    return incident(
        id=f"inc-20260304-{name}", target=target, execution_arn=f"{INCIDENT.execution_arn}-{name}"
    )


# -------------------------------------------------------------------------------- closing incidents


def test_an_incident_whose_execution_died_is_closed_as_failed_and_people_are_told() -> None:
    world = world_at(3)
    assert run(world).done == (f"{INCIDENT.id}: closed as failed",)
    assert world.kinds(INCIDENT) == [RecordKind.FAILURE_HANDLED, RecordKind.INCIDENT_CLOSED]
    closing = world.audit.chain_of(INCIDENT.id)[-1]
    assert closing.entry.data["outcome"] == "failed"
    assert closing.entry.data["message_id"] == "message-1"
    (sent,) = world.notifier.sent
    assert sent.attributes["outcome"] == "failed"
    assert "States.Runtime" in sent.message
    (announced,) = world.announcer.announced
    assert announced[0] == "IncidentClosed"
    assert announced[1]["head_hash"] == closing.hash
    assert world.state.open_on == {}
    assert world.audit.is_whole()


@pytest.mark.parametrize("status", ["SUCCEEDED", "FAILED", "TIMED_OUT", "ABORTED"])
def test_however_the_execution_ended_nothing_stays_open(status: str) -> None:
    world = world_at(3, ended=Execution(status))  # type: ignore[arg-type]  # a parameter
    run(world)
    assert world.state.open_on == {}
    assert status in world.notifier.sent[0].message


def test_whoever_aborted_the_execution_is_not_paged_as_for_a_fault() -> None:
    world = world_at(3, ended=ABORTED)
    run(world)
    assert "stopped by hand" in world.notifier.sent[0].subject
    assert "the service itself failed" not in world.notifier.sent[0].message


def test_running_twice_does_nothing_twice() -> None:
    world = world_at(6, applied())
    run(world)
    kinds, writes = list(world.kinds(INCIDENT)), world.functions.writes
    assert run(world).done == ()
    assert (world.kinds(INCIDENT), world.functions.writes) == (kinds, writes)
    assert len(world.notifier.sent) == 1


@pytest.mark.parametrize("status", ["RUNNING", "PENDING_REDRIVE"])
def test_what_runs_is_left_alone(status: str) -> None:
    world = world_at(6, applied(), ended=Execution(status))  # type: ignore[arg-type]  # a parameter
    assert run(world) == Reconciled()
    assert timeout_now(world) == 6
    assert world.kinds(INCIDENT) == []


def test_an_incident_that_was_closed_meanwhile_is_left_alone() -> None:
    world = world_at(6, applied(status="kept"))
    listed = list(world.state.unsettled())
    close(INCIDENT, Outcome.REPAIRED, world.ports, key="notify_result", data={})
    world.state.unsettled = lambda: iter(listed)  # type: ignore[method-assign]  # a lagging index
    assert run(world).done == ()
    assert world.kinds(INCIDENT) == [RecordKind.INCIDENT_CLOSED]
    assert world.notifier.sent == []


def test_an_execution_that_nobody_knows_yet_is_given_time() -> None:
    world = world_at(3, ended=Execution("GONE"))
    assert run(world).done == ()
    world.clock.advance(16 * 60)
    assert run(world).done == (f"{INCIDENT.id}: closed as failed",)


def test_a_closing_that_was_cut_short_is_finished_without_a_second_message() -> None:
    world = world_at(3)
    handled(world, incident=INCIDENT)
    world.state.open(INCIDENT)
    kinds = list(world.kinds(INCIDENT))
    assert run(world).done == (f"{INCIDENT.id}: closing finished",)
    assert world.kinds(INCIDENT) == kinds
    assert len(world.notifier.sent) == 1
    assert world.state.open_on == {}


def test_only_the_execution_that_the_event_speaks_of_is_looked_at() -> None:
    world = world_at(3)
    other = second_incident()
    world.state.open(other)
    world.executions.by_arn[other.execution_arn] = DIED
    done = run(world, executionArn=other.execution_arn).done
    assert done == (f"{other.id}: closed as failed",)
    assert world.executions.looked_up == [other.execution_arn]
    assert ARN in world.state.open_on


# ------------------------------------------------------------------------------- unfinished changes


@pytest.mark.parametrize("ended", [ABORTED, DIED, Execution("TIMED_OUT")])
def test_an_applied_change_that_nobody_verified_is_taken_back(ended: Execution) -> None:
    world = world_at(6, applied(), ended)
    run(world)
    assert timeout_now(world) == 3
    assert world.kinds(INCIDENT) == [
        RecordKind.ROLLBACK_PLANNED, RecordKind.FAILURE_HANDLED, RecordKind.INCIDENT_CLOSED,
    ]  # fmt: skip
    assert world.announcer.types == ["RepairRolledBack", "IncidentClosed"]
    assert world.state.remembered_change(INCIDENT).status == "rolled_back"  # type: ignore[union-attr]


@pytest.mark.parametrize("timeout_s", [3, 6])
def test_a_planned_change_is_undone_whether_it_was_written_or_not(timeout_s: int) -> None:
    world = world_at(timeout_s, planned())
    run(world)
    assert timeout_now(world) == 3
    assert world.functions.writes == (timeout_s == 6)


def test_a_verified_change_stays() -> None:
    world = world_at(6, applied(status="kept"))
    run(world)
    assert timeout_now(world) == 6
    assert "stays" in world.notifier.sent[0].message


def test_a_function_that_somebody_changed_since_is_handed_over() -> None:
    world = world_at(6, applied(), code_sha256="hotfix")
    run(world)
    assert timeout_now(world) == 6
    assert "CHECK NOW" in world.notifier.sent[0].subject
    assert run(world).done == ()


def test_a_change_that_handle_failure_could_not_take_back_is_taken_back_later() -> None:
    world = world_at(6, applied())
    world.functions.refusals = [ChangeRefusedError("no")]
    handled(world, incident=INCIDENT)
    assert (timeout_now(world), world.state.open_on) == (6, {})
    assert run(world).done == (f"{INCIDENT.id}: change taken back",)
    assert timeout_now(world) == 3
    assert world.kinds(INCIDENT).count(RecordKind.INCIDENT_CLOSED) == 1
    assert len(world.notifier.sent) == 2
    assert run(world).done == ()


def test_what_an_orderly_end_left_in_place_stays() -> None:
    kept_step = applied(status="refused", change=change(6, 12), origin=change(is_applied=True))
    world = world_at(6, kept_step, Execution("SUCCEEDED"))
    close(INCIDENT, Outcome.UNVERIFIED, world.ports, key="notify_result", data={})
    assert run(world).done == (f"{INCIDENT.id}: change kept",)
    assert timeout_now(world) == 6
    assert run(world).done == ()


def test_a_change_that_cannot_be_taken_back_is_told_once_and_tried_again() -> None:
    world = world_at(6, applied())
    world.functions.refusals = [ChangeRefusedError("no"), ChangeRefusedError("still no")]
    run(world)
    assert "NOT" in world.notifier.sent[0].message
    assert world.state.open_on == {}
    with pytest.raises(UnsettledError, match="still no"):
        run(world)
    assert len(world.notifier.sent) == 1
    assert run(world).done == (f"{INCIDENT.id}: change taken back",)


def test_an_undo_that_may_work_a_moment_later_keeps_the_incident_open_for_the_next_run() -> None:
    world = world_at(6, applied())
    world.functions.refusals = [TransientServiceError("throttled")]
    with pytest.raises(UnsettledError, match="throttled"):
        run(world)
    assert ARN in world.state.open_on
    assert world.notifier.sent == []
    run(world)
    assert (timeout_now(world), world.state.open_on) == (3, {})


def test_after_half_an_hour_of_throttling_people_are_told() -> None:
    world = world_at(6, applied())
    world.clock.advance(31 * 60)
    world.functions.refusals = [TransientServiceError("throttled")]
    run(world)
    assert "CHECK NOW" in world.notifier.sent[0].subject
    assert timeout_now(world) == 6


# ------------------------------------------------------------------------------------------- leases


def test_a_step_that_outlives_its_execution_is_waited_for_until_its_lease_is_past() -> None:
    world = world_at(6, planned(), ABORTED)
    world.state.acquire_lease(TARGET, holder=INCIDENT.id, seconds=LEASE_S)
    first = run(world)
    assert first.done == ()
    assert not first.is_complete
    assert INCIDENT.id in first.left[0]
    assert timeout_now(world) == 6
    world.clock.advance(LEASE_S)
    assert run(world).done == (f"{INCIDENT.id}: closed as failed",)
    assert timeout_now(world) == 3


def test_two_runs_at_the_same_time_do_not_share_a_lease() -> None:
    world = world_at(6, applied())
    seen: list[Reconciled] = []
    publish = world.notifier.publish

    def meanwhile(**message: object) -> str:
        seen.append(run(world))
        return publish(**message)  # type: ignore[arg-type]  # handed on

    world.notifier.publish = meanwhile  # type: ignore[method-assign]  # to be in the middle of it
    run(world)
    assert seen[0].done == ()
    assert len(world.notifier.sent) == 1


def test_the_lease_is_given_back_and_its_fence_has_grown() -> None:
    world = world_at(6, applied())
    run(world)
    assert world.state.leases == {}
    assert world.state.acquire_lease(TARGET, holder="the next", seconds=9).fence == 2


# -------------------------------------------------------------------------------- bounds and faults


def test_one_incident_that_fails_does_not_stop_the_others() -> None:
    world = world_at(6, applied())
    other = second_incident()
    world.state.open(other)
    world.executions.by_arn[other.execution_arn] = DIED
    world.executions.errors = [TransientServiceError("throttled")]
    with pytest.raises(UnsettledError, match="throttled"):
        run(world)
    assert len(world.notifier.sent) == 1


def test_an_unforeseen_fault_is_told_by_name_only() -> None:
    world = world_at(6, applied())
    world.executions.errors = [RuntimeError("password=hunter2")]
    with pytest.raises(UnsettledError, match="RuntimeError") as raised:
        run(world)
    assert "hunter2" not in str(raised.value)


def test_a_run_ends_when_it_has_done_its_share() -> None:
    world = world_at(3)
    for number in range(MOST_ACTS):
        other = second_incident(f"other-{number}")
        world.state.open(other)
        world.executions.by_arn[other.execution_arn] = DIED
    first = run(world)
    assert (len(first.done), first.is_complete) == (MOST_ACTS, False)
    assert len(run(world).done) == 1
    assert world.state.open_on == {}


def test_a_run_ends_when_its_time_is_up() -> None:
    world = world_at(3)
    other = second_incident()
    world.state.open(other)
    for one in (INCIDENT, other):
        world.executions.by_arn[one.execution_arn] = DIED
    publish = world.notifier.publish

    def slowly(**message: object) -> str:
        world.clock.advance(SECONDS_EACH)
        return publish(**message)  # type: ignore[arg-type]  # handed on

    world.notifier.publish = slowly  # type: ignore[method-assign]  # a slow service
    assert len(run(world).done) == 1
    assert len(world.state.open_on) == 1


def test_a_topic_that_is_down_keeps_no_incident_open_and_the_next_run_tells() -> None:
    world = world_at(6, applied())
    world.notifier.error = TransientServiceError("sns")
    assert run(world).done == (f"{INCIDENT.id}: closed as failed",)
    assert (timeout_now(world), world.state.open_on) == (3, {})
    world.notifier.error = None
    assert run(world).done == (f"{INCIDENT.id}: message delivered",)
    assert len(world.notifier.sent) == 1
    assert world.functions.writes == 1
    assert run(world).done == ()


def test_the_cooldown_counts_from_the_closing() -> None:
    world = world_at(3)
    world.clock.advance(60)
    run(world)
    closed = world.state.last_closed(TARGET)
    assert closed is not None
    assert (closed.incident_id, closed.closed_at) == (INCIDENT.id, NOW + timedelta(seconds=60))


@pytest.mark.parametrize("duty", ["messages", "incidents"])
def test_an_item_that_nobody_can_read_stops_neither_the_other_items_nor_the_other_duties(
    duty: str,
) -> None:
    world = world_at(3)

    def unreadable() -> Iterator[Unsettled]:
        yield from [] if duty == "messages" else whole
        Incident.model_validate_json("{}")

    whole = list(world.state.unsettled())
    if duty == "messages":
        world.unsent.kept = unreadable  # type: ignore[method-assign,assignment]  # a fault
    else:
        world.state.unsettled = unreadable  # type: ignore[method-assign]  # a fault
    with pytest.raises(UnsettledError, match=f"{duty}: ValidationError: failed unexpectedly"):
        run(world)
    assert world.kinds(INCIDENT) == [RecordKind.FAILURE_HANDLED, RecordKind.INCIDENT_CLOSED]
    assert world.state.open_on == {}
