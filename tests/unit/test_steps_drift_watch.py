"""What becomes of a repair after its incident has closed."""

from __future__ import annotations

from datetime import datetime, timedelta

import pytest

from autorepair.domain.audit import RecordKind
from autorepair.domain.change import MemorySetting, TimeoutSetting
from autorepair.domain.deployment import Stack
from autorepair.domain.errors import (
    AccessDeniedError,
    TransientServiceError,
    UnsettledError,
)
from autorepair.steps.drift_watch import MOST_LOOKS, SECONDS_FOR_ALL
from unit.aftercare import (
    ANNA,
    APPLIED_AT,
    QUARTER_S,
    close,
    days,
    drift,
    last,
    look,
    repaired,
    request,
    somebody_sets,
    watched,
)
from unit.builders import INCIDENT, TARGET, applied, change, incident, rollback, verification
from unit.fakes import NAME, FakeFunctions, World

DAY_S = 86_400


def only_closed(world: World) -> bool:
    return world.kinds(INCIDENT) == [RecordKind.INCIDENT_CLOSED]


def test_a_repair_that_was_kept_is_watched_and_one_that_was_taken_back_is_not() -> None:
    assert [w.change for w in repaired().watches.repairs.values()] == [change(is_applied=True)]
    world = World()
    world.state.open(INCIDENT)
    close(world, change=applied(), verification=verification(), rollback=rollback())
    assert world.watches.repairs == {}


def test_a_repair_that_cannot_be_watched_is_not_closed_as_if_it_were() -> None:
    world = World()
    world.state.open(INCIDENT)
    world.watches.error = TransientServiceError("the table")
    with pytest.raises(TransientServiceError):
        close(world, change=applied(), verification=verification())
    assert world.notifier.sent == []
    assert world.kinds(INCIDENT) == []


def test_a_repair_that_stands_is_looked_at_again_in_a_quarter_of_an_hour() -> None:
    world = repaired()
    assert look(world).looked == 1
    assert look(world).looked == 0
    world.clock.advance(QUARTER_S)
    assert look(world).looked == 1
    assert only_closed(world)
    assert world.notifier.sent == []


def test_a_deployment_that_puts_the_old_value_back_is_recorded_told_and_announced() -> None:
    world = repaired(tags={"aws:cloudformation:stack-name": "shop"})
    somebody_sets(world, timeout_s=3)
    look(world)
    assert last(world) is RecordKind.REPAIR_REVERTED
    assert drift(world).by == ANNA
    (sent,) = world.notifier.sent
    assert sent.attributes == {"kind": "repair_reverted"}
    assert "put back" in sent.subject
    assert "user/anna" in sent.message
    assert "Timeout: 6" in sent.message
    assert world.announcer.types == ["RepairReverted"]
    assert world.audit.is_whole()


@pytest.mark.parametrize(
    ("tags", "is_deployment", "writer"),
    [
        ({"aws:cloudformation:stack-name": "shop"}, True, "deployment"),
        ({"aws:cloudformation:stack-name": "shop"}, False, "person"),
        ({}, True, "deployment"),
        ({}, False, "unknown"),  # maybe a pipeline
    ],
)
def test_it_is_told_whether_a_person_or_a_deployment_put_a_repair_back(
    tags: dict[str, str], *, is_deployment: bool, writer: str
) -> None:
    world = repaired(tags=tags)
    somebody_sets(world, timeout_s=3, is_deployment=is_deployment)
    look(world)
    assert drift(world).writer == writer


def test_a_watch_ends_with_what_it_was_for() -> None:
    world = repaired()
    somebody_sets(world, timeout_s=3)
    look(world)
    world.clock.advance(QUARTER_S)
    assert look(world).looked == 0
    assert len(world.notifier.sent) == 1


def test_a_repair_put_back_is_told_even_where_nobody_knows_by_whom() -> None:
    world = repaired()
    world.functions.somebody_changes(timeout_s=3)
    world.change_log.error = AccessDeniedError("cloudtrail:LookupEvents")
    look(world)
    assert drift(world).by is None
    assert "not known" in world.notifier.sent[0].message


def test_a_setting_written_again_to_the_repaired_value_is_adopted_without_a_message() -> None:
    world = repaired()
    somebody_sets(world, timeout_s=6)
    look(world)
    assert last(world) is RecordKind.REPAIR_ADOPTED
    assert world.notifier.sent == []
    assert world.announcer.types == ["RepairAdopted"]


def test_a_deployment_that_wrote_something_else_has_adopted_nothing() -> None:
    """The template may still hold the old value: only a request for the setting tells."""
    world = repaired()
    somebody_sets(world, memory_mb=512)
    look(world)
    assert only_closed(world)
    assert len(world.watches.repairs) == 1


def test_a_write_of_this_service_adopts_nothing() -> None:
    world = repaired()
    at = world.clock.now()
    world.functions.somebody_changes(last_modified=at, memory_mb=512)
    world.change_log.events = (request(at, is_own=True, timeout_s=6),)
    look(world)
    assert only_closed(world)


def test_the_request_of_the_repair_itself_adopts_nothing() -> None:
    world = repaired()
    world.functions.somebody_changes(last_modified=world.clock.now(), memory_mb=512)
    world.change_log.events = (request(APPLIED_AT, timeout_s=6),)
    look(world)
    assert only_closed(world)


@pytest.mark.parametrize("timeout_s", [2, 5])
def test_another_value_ends_the_watch_without_a_message(timeout_s: int) -> None:
    world = repaired()
    somebody_sets(world, timeout_s=timeout_s)
    look(world)
    assert last(world) is RecordKind.REPAIR_REPLACED
    assert world.notifier.sent == []
    assert world.watches.repairs == {}


def test_a_function_that_is_gone_ends_the_watch() -> None:
    world = repaired()
    del world.functions.by_name[NAME]
    look(world)
    assert last(world) is RecordKind.REPAIR_GONE
    assert world.watches.repairs == {}


def test_cloudtrail_is_not_asked_where_nobody_has_touched_the_function() -> None:
    world = repaired(last_modified=APPLIED_AT)
    world.change_log.error = AssertionError("asked")
    look(world)
    assert only_closed(world)


def test_cloudtrail_is_asked_once_about_a_modification_that_it_has_had_time_to_tell() -> None:
    world = repaired()
    somebody_sets(world, memory_mb=512)
    look(world)
    world.change_log.error = AssertionError("asked")
    world.clock.advance(QUARTER_S)
    with pytest.raises(UnsettledError):
        look(world)
    world.change_log.error = None
    world.clock.advance(3600)
    look(world)
    world.change_log.error = AssertionError("asked")
    world.clock.advance(QUARTER_S)
    assert look(world).looked == 1


def test_while_an_incident_is_open_its_changes_are_no_drift() -> None:
    world = repaired()
    world.state.open(incident(id="inc-newer"))
    somebody_sets(world, timeout_s=12)
    look(world)
    assert only_closed(world)
    assert len(world.watches.repairs) == 1


def test_after_fourteen_days_people_are_reminded_once() -> None:
    world = repaired()
    world.clock.advance(13 * DAY_S)
    look(world)
    assert world.notifier.sent == []
    world.clock.advance(DAY_S)
    look(world)
    world.clock.advance(DAY_S)
    look(world)
    world.clock.advance(DAY_S)
    assert look(world).found == ()
    (sent,) = world.notifier.sent
    assert sent.attributes == {"kind": "repair_unadopted"}
    assert "Timeout: 6" in sent.message
    assert last(world) is RecordKind.REPAIR_UNADOPTED
    assert len(world.watches.repairs) == 1


def test_a_message_that_cannot_be_sent_is_sent_by_a_later_look() -> None:
    world = repaired()
    somebody_sets(world, timeout_s=3)
    world.notifier.error = TransientServiceError("down")
    with pytest.raises(UnsettledError, match="down"):
        look(world)
    assert only_closed(world)
    world.notifier.error = None
    world.clock.advance(3600)
    look(world)
    assert last(world) is RecordKind.REPAIR_REVERTED
    assert len(world.notifier.sent) == 1


def test_after_an_end_between_record_and_watch_nobody_is_told_twice() -> None:
    world = repaired()
    (kept,) = world.watches.repairs.values()
    somebody_sets(world, timeout_s=3)
    look(world)
    world.watches.keep(kept)
    look(world)
    assert len(world.notifier.sent) == 1
    assert world.kinds(INCIDENT).count(RecordKind.REPAIR_REVERTED) == 1


def test_what_a_deployment_puts_back_is_what_was_before_all_repairs() -> None:
    """3 -> 6, later 6 -> 12: the template still says 3."""
    world = repaired()
    second = incident(id="inc-second")
    world.state.open(second)
    world.functions.somebody_changes(timeout_s=12)
    once_more = applied(change=change(6, 12, is_applied=True))
    close(world, incident=second, change=once_more, verification=verification())
    (kept,) = world.watches.repairs.values()
    assert kept.earlier == (TimeoutSetting(timeout_s=3),)
    world.clock.advance(QUARTER_S)
    somebody_sets(world, timeout_s=3)
    look(world)
    assert world.kinds(second)[-1] is RecordKind.REPAIR_REVERTED


def test_a_retried_closing_watches_the_same_thing() -> None:
    first = watched(change(), earlier=(TimeoutSetting(timeout_s=1),))
    again = watched(change()).after_repair_of(first)
    assert again == first


def test_one_function_that_cannot_be_read_does_not_stop_the_others() -> None:
    world = repaired()
    other = change().model_copy(
        update={
            "before": MemorySetting(memory_mb=128),
            "after": MemorySetting(memory_mb=384),
        }
    )
    world.watches.keep(watched(other, incident=incident(id="inc-other")))
    world.functions.read_errors = [TransientServiceError("throttled")]
    with pytest.raises(UnsettledError, match="throttled"):
        look(world)
    assert world.pace.taken == 8
    due = sorted(w.due_at - world.clock.now() for w in world.watches.repairs.values())
    assert due[-1] == timedelta(hours=1)


def test_what_fails_goes_to_the_end_of_the_queue() -> None:
    world = repaired()
    world.functions.read_errors = [TransientServiceError("throttled")]
    with pytest.raises(UnsettledError):
        look(world)
    assert look(world).looked == 0
    world.clock.advance(3600)
    assert look(world).looked == 1


def test_a_run_looks_at_a_bounded_number_and_says_so() -> None:
    world = World(functions=FakeFunctions())
    for n in range(MOST_LOOKS + 1):
        target = TARGET.model_copy(update={"function_arn": f"{TARGET.function_arn}-{n}"})
        moved = change().model_copy(update={"target": target})
        world.watches.keep(watched(moved, incident=incident(id=f"inc-{n}")))
    first, second = look(world), look(world)
    assert (first.looked, first.is_complete) == (MOST_LOOKS, False)
    assert (second.looked, second.is_complete) == (1, True)


def test_no_look_begins_when_the_time_of_a_run_is_up() -> None:
    world = World(functions=FakeFunctions())
    for n in range(4):
        target = TARGET.model_copy(update={"function_arn": f"{TARGET.function_arn}-{n}"})
        moved = change().model_copy(update={"target": target})
        world.watches.keep(watched(moved, incident=incident(id=f"inc-{n}")))
    world.pace.waits = lambda: world.clock.advance(SECONDS_FOR_ALL / 2)
    result = look(world)
    assert (result.looked, result.is_complete) == (2, False)


def test_a_watch_taken_over_by_a_newer_incident_is_not_ended_by_the_older_look() -> None:
    world = repaired()
    (older,) = world.watches.repairs.values()
    newer = older.model_copy(update={"incident": incident(id="inc-newer")})
    world.watches.keep(newer)
    world.watches.end(older)
    assert list(world.watches.repairs.values()) == [newer]


def test_a_reminder_is_not_for_a_repair_that_was_adopted_in_time() -> None:
    world = repaired()
    somebody_sets(world, timeout_s=6)
    look(world)
    world.clock.advance(days(20).total_seconds())
    look(world)
    assert world.notifier.sent == []


@pytest.mark.parametrize(("timeout_s", "alarm_ms"), [(3, 2400.0), (5, 4000.0), (30, 24_000.0)])
def test_the_services_own_alarm_follows_a_timeout_that_others_set(
    timeout_s: int, alarm_ms: float
) -> None:
    world = repaired()
    world.own_alarms.duration_ms[NAME] = 4800.0
    somebody_sets(world, timeout_s=timeout_s)
    look(world)
    assert world.own_alarms.duration_ms[NAME] == alarm_ms


def test_the_services_own_alarm_stays_where_the_repair_is_adopted_as_it_was() -> None:
    world = repaired()
    world.own_alarms.duration_ms[NAME] = 4800.0
    somebody_sets(world, timeout_s=6)
    look(world)
    assert world.own_alarms.duration_ms[NAME] == 4800.0
    assert RecordKind.ALARM_FITTED not in world.kinds(INCIDENT)


def stack(updated_at: datetime) -> Stack:
    return Stack(stack_id="arn:stack", name="shop", status="UPDATE_COMPLETE", updated_at=updated_at)


def test_a_stack_deployed_since_that_left_the_setting_alone_has_not_adopted_it() -> None:
    world = repaired()
    world.stacks.stacks = (stack(APPLIED_AT + timedelta(days=1)),)
    world.clock.advance(14 * DAY_S)
    look(world)
    assert last(world) is RecordKind.REPAIR_UNADOPTED
    assert "without writing the setting" in world.notifier.sent[0].message


def test_a_stack_that_cannot_be_read_keeps_no_reminder_back() -> None:
    world = repaired()
    world.stacks.error = AccessDeniedError("cloudformation:DescribeStacks")
    world.clock.advance(14 * DAY_S)
    look(world)
    assert last(world) is RecordKind.REPAIR_UNADOPTED
