"""Who takes a repair over, what an alias says of it, and what was left to somebody else."""

from __future__ import annotations

from datetime import timedelta

import pytest

from autorepair.domain.audit import RecordKind
from autorepair.domain.change import (
    AliasMove,
    Change,
    MemorySetting,
    ReservedConcurrencySetting,
    TimeoutSetting,
)
from autorepair.domain.errors import TransientServiceError, UnsettledError
from autorepair.domain.incident import Outcome
from autorepair.domain.verification import Verdict
from autorepair.domain.watched import WatchedRepair
from autorepair.steps.notify_result import NotifyResultInput, notify_result
from autorepair.steps.put_back import MOST_ALONE
from unit.aftercare import QUARTER_S, look, repaired, request, somebody_sets, watched
from unit.aftermath import since, verified, world_after
from unit.builders import (
    INCIDENT,
    TARGET,
    applied,
    change,
    course,
    incident,
    rollback,
    verification,
)
from unit.fakes import NAME, FakeFunctions, World, configuration

HOUR_S, DAY_S = 3600, 86_400
OF_A_STACK = {"aws:cloudformation:stack-id": "arn:aws:cloudformation:us-east-1:1:stack/shop/1"}
PUBLISHED = change(is_applied=True).model_copy(
    update={"release": AliasMove(alias="live", former="7", published="8")}
)


def only(world: World) -> WatchedRepair:
    (found,) = world.watches.repairs.values()
    return found


def a_deployment_sets(world: World, **settings: object) -> None:
    at = world.clock.now()
    world.functions.somebody_changes(last_modified=at, **settings)
    by = request(at, is_deployment=True, **settings)
    world.change_log.events = (*world.change_log.events, by)


def later(world: World, seconds: int = HOUR_S) -> None:
    world.clock.advance(seconds)
    look(world)


def test_what_a_person_saves_along_with_another_setting_adopts_nothing_of_a_stack() -> None:
    """The console's page sends timeout, memory and /tmp together."""
    world = repaired(tags=OF_A_STACK)
    somebody_sets(world, memory_mb=512, timeout_s=6)
    later(world)
    assert RecordKind.REPAIR_ADOPTED not in world.kinds(INCIDENT)
    world.clock.advance(DAY_S)
    a_deployment_sets(world, timeout_s=3)
    later(world)
    assert world.kinds(INCIDENT)[-1] is RecordKind.REPAIR_REVERTED
    assert len(world.notifier.sent) == 1


def test_a_persons_write_is_asked_about_once() -> None:
    world = repaired(tags=OF_A_STACK)
    somebody_sets(world, memory_mb=512, timeout_s=6)
    later(world)
    world.change_log.error = AssertionError("asked")
    world.clock.advance(QUARTER_S)
    assert look(world).looked == 1


@pytest.mark.parametrize("timeout_s", [6, 30])
def test_what_a_deployment_of_the_stack_writes_is_adopted(timeout_s: int) -> None:
    world = repaired(tags=OF_A_STACK)
    a_deployment_sets(world, timeout_s=timeout_s)
    look(world)
    assert world.kinds(INCIDENT)[-1] is RecordKind.REPAIR_ADOPTED
    assert world.notifier.sent == []


def test_a_deployment_has_adopted_what_a_person_saved_again_after_it() -> None:
    world = repaired(tags=OF_A_STACK)
    a_deployment_sets(world, timeout_s=6)
    world.clock.advance(60)
    somebody_sets(world, memory_mb=512, timeout_s=6)
    look(world)
    assert world.kinds(INCIDENT)[-1] is RecordKind.REPAIR_ADOPTED


def test_a_person_who_repairs_what_a_deployment_has_just_put_back_adopts_nothing() -> None:
    world = repaired(tags=OF_A_STACK)
    a_deployment_sets(world, timeout_s=3)
    world.clock.advance(60)
    somebody_sets(world, timeout_s=6)
    look(world)
    assert RecordKind.REPAIR_ADOPTED not in world.kinds(INCIDENT)


@pytest.mark.parametrize("tags", [{}, OF_A_STACK])
def test_a_value_beyond_the_repair_goes_on_being_watched(tags: dict[str, str]) -> None:
    world = repaired(tags=tags)
    world.own_alarms.duration_ms[NAME] = 4800.0
    somebody_sets(world, timeout_s=10)
    look(world)
    later(world)
    assert only(world).change.after == TimeoutSetting(timeout_s=10)
    assert world.own_alarms.duration_ms[NAME] == 8000.0
    world.clock.advance(DAY_S)
    somebody_sets(world, timeout_s=3)
    later(world)
    assert "Timeout: 10" in world.notifier.sent[0].message
    assert RecordKind.REPAIR_REVERTED in world.kinds(INCIDENT)


@pytest.mark.parametrize(("tags", "sent"), [({}, 0), (OF_A_STACK, 1)])
def test_only_of_a_stack_people_are_reminded_of_what_they_took_further(
    tags: dict[str, str], sent: int
) -> None:
    """Without a stack it may have been the pipeline that the function is deployed by."""
    world = repaired(tags=tags)
    somebody_sets(world, timeout_s=10)
    look(world)
    later(world, 14 * DAY_S)
    assert len(world.notifier.sent) == sent


def test_beyond_goes_down_where_the_repair_did() -> None:
    lower = ReservedConcurrencySetting(reserved_concurrency=5)
    made = Change(
        target=TARGET,
        before=ReservedConcurrencySetting(reserved_concurrency=20),
        after=ReservedConcurrencySetting(reserved_concurrency=10),
        planned_on="x",
    )
    world = World(functions=FakeFunctions(configuration(reserved_concurrency=5)))
    world.watches.keep(watched(made))
    look(world)
    assert only(world).change.after == lower


def on_alias(alias_version: str | None, **settings: object) -> World:
    """A world in which a repair was published as version 8 and the alias is where it is now."""
    world = World(functions=FakeFunctions(configuration(alias_version=alias_version, **settings)))
    world.functions.published = {"7": configuration(), "8": configuration(timeout_s=6)}
    world.watches.keep(watched(PUBLISHED))
    return world


def test_an_edit_of_latest_alone_takes_no_repair_from_an_alias() -> None:
    world = on_alias("8", timeout_s=3)
    look(world)
    assert world.kinds(INCIDENT) == []
    assert world.notifier.sent == []


@pytest.mark.parametrize(
    ("timeout_s", "became"),
    [(3, RecordKind.REPAIR_REVERTED), (5, RecordKind.REPAIR_REPLACED)],
)
def test_an_alias_on_a_version_without_the_repair_has_lost_it_whatever_latest_says(
    timeout_s: int, became: RecordKind
) -> None:
    world = on_alias("9", timeout_s=6)
    world.functions.published["9"] = configuration(timeout_s=timeout_s)
    look(world)
    assert world.kinds(INCIDENT) == [became]


def test_a_newer_version_with_the_repaired_value_is_watched_on() -> None:
    world = on_alias("9", timeout_s=3)
    world.functions.published["9"] = configuration(timeout_s=6)
    look(world)
    assert world.kinds(INCIDENT) == []


def test_an_alias_that_divides_its_traffic_tells_nothing_yet() -> None:
    world = on_alias(None, timeout_s=3)
    look(world)
    assert world.kinds(INCIDENT) == []
    assert len(world.watches.repairs) == 1


def test_a_version_beyond_the_repair_is_the_one_that_is_watched_from_then_on() -> None:
    world = on_alias("9", timeout_s=10)
    world.functions.published["9"] = configuration(timeout_s=10)
    look(world)
    world.functions.somebody_changes(alias_version="8")
    later(world)
    assert world.kinds(INCIDENT) == [RecordKind.REPAIR_REPLACED]


def test_a_template_that_puts_the_old_value_into_latest_alone_has_adopted_nothing() -> None:
    world = on_alias("8", timeout_s=6, tags=OF_A_STACK)
    a_deployment_sets(world, timeout_s=3)
    look(world)
    assert world.kinds(INCIDENT) == []


def fleet(count: int) -> World:
    """A world in which one deployment has put back what was repaired on so many functions."""
    names = [f"fn-{n}" for n in range(count)]
    world = World(functions=FakeFunctions(*[configuration(name, timeout_s=3) for name in names]))
    for name in names:
        arn = TARGET.function_arn.replace(NAME, name)
        target = TARGET.model_copy(update={"function_name": name, "function_arn": arn})
        made = change(is_applied=True).model_copy(update={"target": target})
        of_its_own = incident(id=f"inc-{name}", target=target)
        world.watches.keep(watched(made, incident=of_its_own))
    return world


@pytest.mark.parametrize(("count", "sent"), [(4, 4), (5, 5), (6, 5), (50, 5)])
def test_many_repairs_put_back_at_once_are_told_in_few_messages(count: int, sent: int) -> None:
    world = fleet(count)
    look(world)
    assert len(world.notifier.sent) == sent
    for n in range(count):
        assert any(f"fn-{n}\n" in one.message for one in world.notifier.sent)
        assert world.kinds(incident(id=f"inc-fn-{n}")) == [RecordKind.REPAIR_REVERTED]
    assert world.watches.repairs == {}


def test_what_goes_into_one_message_is_recorded_once_that_was_sent() -> None:
    world = fleet(MOST_ALONE + 3)
    world.notifier.error = TransientServiceError("down")
    with pytest.raises(UnsettledError, match="down"):
        look(world)
    assert len(world.watches.repairs) == MOST_ALONE + 3
    assert world.announcer.announced == []
    world.notifier.error = None
    later(world)
    assert len(world.notifier.sent) == MOST_ALONE + 1
    assert world.watches.repairs == {}
    gathered = world.notifier.sent[-1]
    assert gathered.subject == "[Auto-Repair] put back: 3 repairs"
    assert "timeout 3 s -> timeout 6 s" in gathered.message
    assert "--patch" in gathered.message
    assert gathered.attributes == {"kind": "repair_reverted"}


def overtaken(**theirs: object) -> World:
    """A world in which somebody changed the function before traffic could tell."""
    world = world_after(*since(8), configured=configuration(**theirs))
    found = verified(world)
    assert found.verdict is Verdict.OVERTAKEN
    world.state.open(INCIDENT)
    said = course(change=applied(), verification=found)
    told = notify_result(NotifyResultInput.model_validate(said.as_json()), world.ports)
    assert told.outcome is Outcome.ESCALATED
    return world


def test_a_repair_that_a_deployment_of_code_alone_left_in_force_is_watched() -> None:
    world = overtaken(timeout_s=6, code_sha256="code-2")
    (sent,) = world.notifier.sent
    assert "If the setting still stands" in sent.message
    assert "Timeout: 6" in sent.message
    look(world)
    world.clock.advance(DAY_S)
    somebody_sets(world, timeout_s=3)
    later(world)
    assert world.kinds(INCIDENT)[-1] is RecordKind.REPAIR_REVERTED
    assert len(world.notifier.sent) == 2


@pytest.mark.parametrize("timeout_s", [3, 5])
def test_what_they_took_along_when_it_was_handed_over_is_no_news(timeout_s: int) -> None:
    world = overtaken(timeout_s=timeout_s)
    world.own_alarms.duration_ms[NAME] = 4800.0
    look(world)
    assert RecordKind.REPAIR_REPLACED in world.kinds(INCIDENT)
    assert len(world.notifier.sent) == 1
    assert world.own_alarms.duration_ms[NAME] == 800.0 * timeout_s
    assert world.watches.repairs == {}


def test_no_look_is_counted_as_the_first_while_an_incident_is_open() -> None:
    world = overtaken(timeout_s=3)
    world.state.open(incident(id="inc-newer"))
    look(world)
    assert only(world).is_handed_over


def test_what_was_to_be_taken_back_and_was_not_is_no_repair_to_watch() -> None:
    world = World()
    world.state.open(INCIDENT)
    ended = course(
        change=applied(),
        verification=verification(verdict=Verdict.UNCHANGED, next="roll_back"),
        rollback=rollback(status="conflict"),
    )
    notify_result(NotifyResultInput.model_validate(ended.as_json()), world.ports)
    assert world.watches.repairs == {}
    assert "Timeout: 6" not in world.notifier.sent[0].message


def test_a_setting_of_another_kind_has_no_alarm_to_follow() -> None:
    made = change().model_copy(
        update={"before": MemorySetting(memory_mb=128), "after": MemorySetting(memory_mb=384)}
    )
    world = World(functions=FakeFunctions(configuration(memory_mb=128)))
    world.own_alarms.error = AssertionError("asked")
    world.watches.keep(watched(made))
    world.clock.advance(timedelta(hours=1).total_seconds())
    look(world)
    assert world.kinds(INCIDENT) == [RecordKind.REPAIR_REVERTED]
