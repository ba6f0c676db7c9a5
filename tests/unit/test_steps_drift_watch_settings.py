"""What becomes of a repair after its incident has closed, by kind of setting."""

from __future__ import annotations

from datetime import timedelta

from autorepair.domain.audit import RecordKind
from autorepair.domain.change import (
    AliasMove,
    AliasSetting,
    Change,
    ReservedConcurrencySetting,
)
from unit.aftercare import (
    ANNA,
    QUARTER_S,
    drift,
    last,
    look,
    request,
    variable_change,
    variables,
    watched,
)
from unit.builders import INCIDENT, TARGET, change
from unit.fakes import NAME, NOW, FakeFunctions, World, configuration


def test_a_variable_is_compared_by_its_digest_whoever_has_touched_the_others() -> None:
    before, after = variables(TABLE="old", OTHER="x"), variables(TABLE="new", OTHER="x")
    world = World(functions=FakeFunctions(after))
    world.snapshots.keep(before, "before_change")
    world.watches.keep(watched(variable_change(before, after)))
    look(world)
    assert world.kinds(INCIDENT) == []
    world.snapshots.error = AssertionError("what is known is not read again")
    world.clock.advance(QUARTER_S)
    world.functions.by_name[NAME] = variables(TABLE="new", OTHER="y")
    look(world)
    assert world.kinds(INCIDENT) == []
    world.clock.advance(QUARTER_S)
    world.functions.by_name[NAME] = variables(TABLE="old", OTHER="y")
    look(world)
    assert last(world) is RecordKind.REPAIR_REVERTED


def test_a_variable_set_to_something_third_is_told_from_one_put_back() -> None:
    before, after = variables(TABLE="old"), variables(TABLE="new")
    world = World(functions=FakeFunctions(after))
    world.snapshots.keep(before, "before_change")
    world.watches.keep(watched(variable_change(before, after)))
    look(world)
    world.clock.advance(QUARTER_S)
    world.functions.by_name[NAME] = variables(TABLE="third")
    look(world)
    assert last(world) is RecordKind.REPAIR_REPLACED


def test_a_variable_of_which_nothing_is_known_is_never_called_put_back() -> None:
    before, after = variables(TABLE="old"), variables(TABLE="new")
    world = World(functions=FakeFunctions(variables(TABLE="third")))
    world.watches.keep(watched(variable_change(before, after)))
    look(world)
    assert world.kinds(INCIDENT) == []


def test_a_reservation_that_was_taken_away_again_is_put_back() -> None:
    made = Change(
        target=TARGET,
        before=ReservedConcurrencySetting(reserved_concurrency=None),
        after=ReservedConcurrencySetting(reserved_concurrency=20),
        planned_on="x",
    )
    world = World(functions=FakeFunctions(configuration()))
    at = NOW + timedelta(minutes=1)
    world.change_log.events = (request(at, name="DeleteFunctionConcurrency"),)
    world.watches.keep(watched(made))
    look(world)
    assert drift(world).by == ANNA
    assert last(world) is RecordKind.REPAIR_REVERTED


def test_a_reservation_that_somebody_wrote_again_is_adopted_though_nothing_was_modified() -> None:
    made = Change(
        target=TARGET,
        before=ReservedConcurrencySetting(reserved_concurrency=5),
        after=ReservedConcurrencySetting(reserved_concurrency=20),
        planned_on="x",
    )
    world = World(functions=FakeFunctions(configuration(reserved_concurrency=20)))
    at = NOW + timedelta(minutes=1)
    world.change_log.events = (request(at, reserved_concurrency=20),)
    world.watches.keep(watched(made))
    look(world)
    assert world.kinds(INCIDENT) == []
    world.clock.advance(6 * 3600)
    look(world)
    assert last(world) is RecordKind.REPAIR_ADOPTED


def test_a_newer_release_behind_a_rolled_back_alias_ends_the_watch() -> None:
    made = Change(
        target=TARGET.model_copy(update={"qualifier": "live"}),
        before=AliasSetting(alias="live", version="7"),
        after=AliasSetting(alias="live", version="6"),
        planned_on="x",
    )
    world = World(functions=FakeFunctions(configuration(alias_version="8")))
    world.watches.keep(watched(made))
    look(world)
    assert last(world) is RecordKind.REPAIR_REPLACED


def test_an_alias_moved_back_to_its_version_has_lost_the_repair_that_was_published() -> None:
    move = AliasMove(alias="live", former="1", published="2")
    made = change().model_copy(update={"release": move})
    world = World(functions=FakeFunctions(configuration(timeout_s=6, alias_version="1")))
    world.functions.published["1"] = configuration()
    world.watches.keep(watched(made))
    look(world)
    assert last(world) is RecordKind.REPAIR_REVERTED
    assert drift(world).now == "timeout 3 s"
