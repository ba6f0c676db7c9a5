from __future__ import annotations

import re

import pytest
from pydantic import ValidationError

from autorepair.domain.audit import RecordKind
from autorepair.domain.change import ChangeRecord
from autorepair.domain.errors import AccessDeniedError, RecordConflictError
from autorepair.domain.failure import Undo
from autorepair.domain.incident import Outcome
from autorepair.domain.own_alarms import Enrollable, Thresholds, alarms_for, filter_for
from autorepair.domain.verification import Verdict
from autorepair.steps.own_alarms import fit_own_alarms, fit_to_others
from autorepair.steps.roll_back_repair import RollBackRepairInput, roll_back_repair
from autorepair.steps.undoing import undo_remembered
from autorepair.views.message import result_message
from unit.builders import INCIDENT, applied, change, course, memory_change, verification
from unit.executing import executed, timeout_now, world_under
from unit.fakes import ARN, NAME, World, configuration

THRESHOLDS = Thresholds(duration_ms=45_000, errors=2, timeouts=3)
FUNCTION = Enrollable(
    name="orders", arn=ARN, timeout_s=30, log_group="/aws/lambda/orders", is_json=False
)
DENIED = AccessDeniedError("cloudwatch:PutMetricAlarm is denied")


def watched(world: World, duration_ms: float = 2400) -> World:
    world.own_alarms.duration_ms[NAME] = duration_ms
    return world


def fitted(world: World) -> list[str]:
    records = world.audit.chain_of(INCIDENT.id)
    return [r.entry.summary for r in records if r.entry.kind is RecordKind.ALARM_FITTED]


@pytest.mark.parametrize(("timeout_s", "expected"), [(3, 2400), (30, 24_000), (900, 45_000)])
def test_a_duration_alarm_goes_off_before_the_timeout_does(timeout_s: int, expected: float) -> None:
    assert THRESHOLDS.duration_for(timeout_s) == expected


@pytest.mark.parametrize(
    "text",
    [
        '{"duration_ms": 0, "errors": 1, "timeouts": 1}',
        '{"duration_ms": 1, "errors": 1}',
        '{"duration_ms": 1, "errors": 0, "timeouts": 1}',
        "[]",
    ],
)
def test_thresholds_that_would_never_or_always_be_reached_are_none(text: str) -> None:
    with pytest.raises(ValidationError):
        Thresholds.model_validate_json(text)


def test_an_enrolled_function_has_three_alarms_of_its_own_name() -> None:
    found = {one.name: one for one in alarms_for("dev", FUNCTION, THRESHOLDS)}
    prefix = "lambda-auto-repair-dev-orders"
    assert set(found) == {f"{prefix}-errors", f"{prefix}-timeouts", f"{prefix}-duration"}
    assert [one.threshold for one in found.values()] == [2, 3, 24_000]
    assert found[f"{prefix}-errors"].dimensions == {"FunctionName": "orders"}


def test_the_alarm_on_time_outs_watches_what_the_filter_makes() -> None:
    made = filter_for("dev", FUNCTION)
    (alarm,) = [a for a in alarms_for("dev", FUNCTION, THRESHOLDS) if a.name.endswith("timeouts")]
    assert (alarm.namespace, alarm.metric) == (made.namespace, made.metric)
    assert (alarm.namespace, alarm.dimensions) == ("LambdaAutoRepair/dev", {})


def test_a_log_in_json_is_searched_as_json() -> None:
    in_json = FUNCTION.model_copy(update={"is_json": True})
    assert re.fullmatch(r'"Task timed out after"', filter_for("dev", FUNCTION).pattern)
    assert "platform.report" in filter_for("dev", in_json).pattern


def test_the_alarm_follows_the_timeout_and_that_is_recorded() -> None:
    world = watched(world_under())
    assert executed(world).status == "applied"
    assert world.own_alarms.duration_ms[NAME] == 4800
    assert fitted(world) == [f"lambda-auto-repair-dev-{NAME}-duration: 2400 ms -> 4800 ms"]


def test_run_again_the_step_fits_it_again_and_records_nothing_new() -> None:
    world = watched(world_under())
    first = executed(world)
    assert executed(world) == first
    assert len(fitted(world)) == 1


def test_an_alarm_that_cannot_be_set_fails_no_repair_and_people_are_told() -> None:
    world = watched(world_under())
    world.own_alarms.error = DENIED
    done = executed(world)
    assert (done.status, timeout_now(world)) == ("applied", 6)
    (note,) = done.notes
    assert str(DENIED) in note
    assert f"autorepair enrol {NAME}" in note
    assert fitted(world) == [note]
    body = result_message(course(change=done, verification=verification()), Outcome.REPAIRED).body
    assert f"Note: {note}" in body
    assert f"注意: {note}" in body


def test_a_function_without_alarms_of_ours_is_repaired_without_a_word_about_them() -> None:
    world = world_under()
    assert executed(world).notes == ()
    assert fitted(world) == []


def test_other_kinds_of_repair_leave_the_alarm_alone() -> None:
    world = watched(world_under())
    world.own_alarms.error = DENIED
    assert fit_own_alarms(memory_change(), INCIDENT, world.ports) == ()


def test_a_trail_that_keeps_moving_does_not_turn_the_fit_into_a_failure() -> None:
    world = watched(world_under())
    world.audit.error = RecordConflictError("the chain kept moving")
    assert fit_own_alarms(change(), INCIDENT, world.ports) == ()
    assert world.own_alarms.duration_ms[NAME] == 4800


def rolled_back(world: World) -> str:
    world.functions.by_name[NAME] = configuration(timeout_s=6)
    given = RollBackRepairInput(
        incident=INCIDENT,
        change=applied(),
        verification=verification(verdict=Verdict.UNCHANGED, next="roll_back"),
    )
    return roll_back_repair(given, world.ports).reason


def test_a_rollback_sets_the_alarm_back() -> None:
    world = watched(world_under(), 4800)
    assert rolled_back(world) == "the function is configured as before the change"
    assert (timeout_now(world), world.own_alarms.duration_ms[NAME]) == (3, 2400)


def test_a_rollback_whose_alarm_cannot_be_set_back_is_done_and_says_so() -> None:
    world = watched(world_under(), 4800)
    world.own_alarms.error = DENIED
    assert str(DENIED) in rolled_back(world)
    assert timeout_now(world) == 3


@pytest.mark.parametrize(("timeout_s", "undone"), [(6, "undone"), (3, "undone")])
def test_whoever_cleans_up_behind_a_failure_sets_the_alarm_back_too(
    timeout_s: int, undone: Undo
) -> None:
    world = watched(world_under(), 4800)
    world.functions.by_name[NAME] = configuration(timeout_s=timeout_s)
    remembered: ChangeRecord = applied()
    found, _ = undo_remembered(remembered, INCIDENT, world.ports, ahead=lambda _: None)
    assert (found, world.own_alarms.duration_ms[NAME]) == (undone, 2400)


def left_to_others(world: World, **theirs: object) -> str:
    world.functions.by_name[NAME] = configuration(**theirs)
    found, reason = undo_remembered(applied(), INCIDENT, world.ports, ahead=lambda _: None)
    assert found == "handed_over"
    return reason


@pytest.mark.parametrize(("timeout_s", "expected"), [(9, 7200), (2, 1600)])
def test_the_alarm_follows_whoever_the_function_is_left_to(timeout_s: int, expected: float) -> None:
    world = watched(world_under(), 4800)
    left_to_others(world, timeout_s=timeout_s)
    assert world.own_alarms.duration_ms[NAME] == expected


def test_where_they_left_the_timeout_alone_so_is_the_alarm() -> None:
    world = watched(world_under(), 4800)
    world.own_alarms.error = DENIED
    assert "duration alarm" not in left_to_others(world, timeout_s=6, memory_mb=512)


def test_of_a_function_that_is_gone_no_alarm_is_set() -> None:
    world = watched(world_under(), 4800)
    del world.functions.by_name[NAME]
    assert fit_to_others(change(is_applied=True), INCIDENT, world.ports) == ()
    assert world.own_alarms.duration_ms[NAME] == 4800


def test_a_threshold_that_a_person_tuned_survives_the_repair_and_its_rollback() -> None:
    world = watched(world_under(), 1500)
    done = executed(world)
    (note,) = done.notes
    assert "stays at 1500 ms" in note
    assert f"autorepair enrol {NAME}" in note
    assert "stays at 1500 ms" in rolled_back(world)
    assert world.own_alarms.duration_ms[NAME] == 1500
    assert len(fitted(world)) == 2
