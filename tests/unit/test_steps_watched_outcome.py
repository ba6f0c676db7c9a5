"""What became of a function on which nothing was changed."""

from __future__ import annotations

from datetime import timedelta

import pytest

from autorepair.domain.approval import Approval
from autorepair.domain.audit import RecordKind
from autorepair.domain.change import (
    Absent,
    Change,
    DeclaredSource,
    EnvironmentSetting,
    SealedValue,
)
from autorepair.domain.errors import AccessDeniedError, UnsettledError
from autorepair.domain.evidence import DeclaredVariable
from autorepair.domain.watched import Aftermath, Observed, WatchedOutcome
from unit.aftercare import ANNA, close, look, request, somebody_sets, traffic, variables, withheld
from unit.builders import ALARM, INCIDENT, TARGET, applied, decision, rollback, verification
from unit.fakes import NAME, NOW, FakeFunctions, World, configuration

HOUR_S = 3600


def observed(world: World) -> list[Observed]:
    return [
        Observed.model_validate(record.entry.data)
        for record in world.audit.chain_of(INCIDENT.id)
        if record.entry.kind is RecordKind.OUTCOME_OBSERVED
    ]


def after_an_hour(world: World) -> Observed:
    world.clock.advance(HOUR_S)
    look(world)
    return observed(world)[-1]


@pytest.mark.parametrize(
    ("action", "answer", "reason"),
    [
        ("observe", None, "observe"),
        ("ask", "rejected", "rejected"),
        ("ask", "expired", "expired"),
    ],
)
def test_a_plan_that_was_not_made_is_looked_at_an_hour_and_a_day_later(
    action: str, answer: str | None, reason: str
) -> None:
    said = {"approval": Approval.model_validate({"answer": answer})} if answer else {}
    world = withheld(action=action, **said)
    assert look(world).looked == 0
    assert after_an_hour(world).withheld == reason
    assert look(world).looked == 0
    world.clock.advance(23 * HOUR_S)
    look(world)
    assert [one.look for one in observed(world)] == [1, 2]
    assert world.watches.outcomes == {}
    assert world.audit.is_whole()


@pytest.mark.parametrize("action", ["decline", "apply", "recovered"])
def test_where_no_plan_was_withheld_nothing_is_watched(action: str) -> None:
    assert withheld(action=action).watches.outcomes == {}


def test_looking_ahead_takes_a_look_before_its_time() -> None:
    world = withheld()
    assert look(world, look_ahead_s=HOUR_S).looked == 1
    assert len(observed(world)) == 1


def test_the_very_change_made_by_a_person_is_agreement() -> None:
    world = withheld()
    somebody_sets(world, at=NOW + timedelta(minutes=5), timeout_s=6)
    seen = after_an_hour(world)
    assert seen.aftermath is Aftermath.SAME_VALUE
    assert seen.by == ANNA
    assert world.announcer.types == ["OutcomeObserved"]


@pytest.mark.parametrize(("timeout_s", "is_same_way"), [(30, True), (4, True), (2, False)])
def test_another_value_is_told_from_the_same_and_by_its_side(
    timeout_s: int, *, is_same_way: bool
) -> None:
    world = withheld()
    somebody_sets(world, at=NOW + timedelta(minutes=5), timeout_s=timeout_s)
    seen = after_an_hour(world)
    assert (seen.aftermath, seen.is_same_way) == (Aftermath.OTHER_VALUE, is_same_way)


def test_a_change_by_a_later_incident_of_this_service_is_no_agreement() -> None:
    world = withheld()
    at = NOW + timedelta(minutes=5)
    world.functions.somebody_changes(last_modified=at, timeout_s=6)
    world.change_log.events = (request(at, is_own=True, timeout_s=6),)
    assert after_an_hour(world).aftermath is Aftermath.REPAIRED_HERE


def test_who_made_the_change_may_stay_unknown() -> None:
    world = withheld()
    world.functions.somebody_changes(timeout_s=6)
    world.change_log.error = AccessDeniedError("cloudtrail:LookupEvents")
    seen = after_an_hour(world)
    assert (seen.aftermath, seen.by) == (Aftermath.SAME_VALUE, None)


def test_an_alarm_that_is_on_is_still_failing() -> None:
    assert after_an_hour(withheld()).aftermath is Aftermath.STILL_FAILING


def test_an_alarm_that_is_ok_under_traffic_has_recovered_by_itself() -> None:
    world = withheld()
    world.alarms.recovered.add(ALARM.name)
    world.metrics.series = traffic(100, 1)
    assert after_an_hour(world).aftermath is Aftermath.RECOVERED


def test_an_alarm_that_is_ok_for_want_of_traffic_tells_nothing() -> None:
    world = withheld()
    world.alarms.recovered.add(ALARM.name)
    assert after_an_hour(world).aftermath is Aftermath.UNKNOWN


def test_an_alarm_that_is_ok_while_most_calls_fail_is_still_failing() -> None:
    world = withheld()
    world.alarms.recovered.add(ALARM.name)
    world.metrics.series = traffic(2, 1)
    assert after_an_hour(world).aftermath is Aftermath.STILL_FAILING


def test_a_recovery_after_another_change_was_not_by_itself() -> None:
    world = withheld()
    world.alarms.recovered.add(ALARM.name)
    world.metrics.series = traffic(100, 0)
    somebody_sets(world, at=NOW + timedelta(minutes=5), code_sha256="code-2")
    assert after_an_hour(world).aftermath is Aftermath.FIXED_OTHERWISE


@pytest.mark.parametrize(
    ("errors", "aftermath"), [(0, Aftermath.RECOVERED), (1, Aftermath.STILL_FAILING)]
)
def test_without_an_alarm_the_metrics_tell(errors: int, aftermath: Aftermath) -> None:
    world = withheld()
    world.alarms.gone.add(ALARM.name)
    world.metrics.series = traffic(100, errors)
    assert after_an_hour(world).aftermath is aftermath


def test_a_function_that_is_gone_is_looked_at_no_more() -> None:
    world = withheld()
    del world.functions.by_name[NAME]
    assert after_an_hour(world).aftermath is Aftermath.GONE
    assert world.watches.outcomes == {}


def test_what_cannot_be_read_is_looked_at_again() -> None:
    world = withheld()
    world.alarms.error = AccessDeniedError("cloudwatch:DescribeAlarms")
    world.clock.advance(HOUR_S)
    with pytest.raises(UnsettledError):
        look(world)
    world.alarms.error = None
    assert after_an_hour(world).look == 1


def variable_missing() -> World:
    """A world in which TABLE should have been set to its declared value."""
    planned = Change(
        target=TARGET,
        before=EnvironmentSetting(variables={"TABLE": Absent()}),
        after=EnvironmentSetting(variables={"TABLE": DeclaredSource()}),
        planned_on="env []",
    )
    world = World(functions=FakeFunctions(configuration(env_names=())))
    due = NOW + timedelta(hours=1)
    world.watches.keep(
        WatchedOutcome(
            incident=INCIDENT, change=planned, withheld="observe", closed_at=NOW, due_at=due
        )
    )
    return world


@pytest.mark.parametrize(
    ("matches", "aftermath"),
    [(True, Aftermath.SAME_VALUE), (False, Aftermath.OTHER_VALUE), (None, Aftermath.OTHER_VALUE)],
)
def test_a_missing_variable_that_a_person_has_set_is_held_against_its_declaration(
    *, matches: bool | None, aftermath: Aftermath
) -> None:
    world = variable_missing()
    declared = DeclaredVariable(name="TABLE", kind="ssm", matches_current=matches)
    world.known_config.variables = (declared,)
    world.functions.by_name[NAME] = variables(TABLE="new")
    world.change_log.events = (request(NOW + timedelta(minutes=5), writes_environment=True),)
    seen = after_an_hour(world)
    assert (seen.aftermath, seen.is_same_way) == (aftermath, True)


def test_a_variable_that_is_still_missing_is_no_write() -> None:
    assert after_an_hour(variable_missing()).aftermath is Aftermath.STILL_FAILING


def wrong_variable() -> World:
    """A world in which TABLE should have been brought from "old" to its declared value."""
    former = variables(TABLE="old")
    planned = Change(
        target=TARGET,
        before=EnvironmentSetting(variables={"TABLE": SealedValue(snapshot_id="s")}),
        after=EnvironmentSetting(variables={"TABLE": DeclaredSource()}),
        planned_on=former.fingerprint,
    )
    world = variable_missing()
    world.functions.by_name[NAME] = former
    declared = DeclaredVariable(name="TABLE", kind="ssm", matches_current=False)
    world.known_config.variables = (declared,)
    (kept,) = world.watches.outcomes.values()
    world.watches.keep(kept.model_copy(update={"change": planned}))
    return world


def test_a_function_that_nobody_has_touched_is_not_asked_about() -> None:
    world = wrong_variable()
    world.change_log.error = AssertionError("asked")
    assert after_an_hour(world).aftermath is Aftermath.STILL_FAILING


def test_a_value_that_cannot_be_compared_is_no_other_value_unless_somebody_wrote_it() -> None:
    world = wrong_variable()
    moved = world.functions.by_name[NAME].model_copy(update={"fingerprint": "another"})
    world.functions.by_name[NAME] = moved
    assert after_an_hour(world).aftermath is Aftermath.STILL_FAILING
    world.change_log.events = (request(NOW + timedelta(minutes=5), writes_environment=True),)
    world.clock.advance(23 * HOUR_S)
    look(world)
    assert observed(world)[-1].aftermath is Aftermath.OTHER_VALUE


def test_a_repair_that_was_handed_over_is_no_plan_that_was_not_made() -> None:
    world = World()
    world.state.open(INCIDENT)
    close(
        world,
        decision=decision(action="observe"),
        change=applied(),
        verification=verification(),
        rollback=rollback(status="conflict"),
    )
    assert world.watches.outcomes == {}
