from __future__ import annotations

from datetime import timedelta

import pytest

from autorepair.domain.audit import RecordKind
from autorepair.domain.change import ChangeRecord, RollbackRecord
from autorepair.domain.errors import ChangeRefusedError, TransientServiceError
from autorepair.domain.schedule import Freeze, Schedule
from autorepair.domain.verification import Verdict
from autorepair.steps.roll_back_repair import RollBackRepairInput, roll_back_repair
from unit.builders import AUTO, INCIDENT, TARGET, applied, change, verification
from unit.fakes import NOW, FakeFunctions, World, configuration

WORSE = verification(verdict=Verdict.WORSE, next="roll_back", reason="more fail than before")


def world_at(timeout_s: int = 6, **configured: object) -> World:
    return World(functions=FakeFunctions(configuration(timeout_s=timeout_s, **configured)))


def rolled_back(world: World, change_record: ChangeRecord | None = None) -> RollbackRecord:
    given = RollBackRepairInput(
        incident=INCIDENT, change=change_record or applied(), verification=WORSE
    )
    return roll_back_repair(given, world.ports)


def timeout_now(world: World) -> int:
    return world.functions.by_name["patient-slow-invoice"].timeout_s


def test_the_setting_from_before_is_restored_and_recorded_before_and_after() -> None:
    world = world_at()
    record = rolled_back(world)
    assert (record.status, timeout_now(world)) == ("restored", 3)
    assert world.kinds(INCIDENT) == [RecordKind.ROLLBACK_PLANNED, RecordKind.ROLLBACK_DONE]
    assert world.announcer.types == ["RepairRolledBack"]


def test_the_function_ends_exactly_as_it_was() -> None:
    world = world_at()
    rolled_back(world)
    assert (
        world.functions.by_name["patient-slow-invoice"].fingerprint == configuration().fingerprint
    )


def test_neither_a_freeze_nor_the_hours_hold_up_a_rollback() -> None:
    world = world_at()
    freeze = Freeze(start=NOW, end=NOW + timedelta(days=1))
    closed = Schedule(allowed_hours=(1, 2), freeze=(freeze,))
    world.policies.policy = AUTO.model_copy(update={"schedule": closed})
    assert (rolled_back(world).status, timeout_now(world)) == ("restored", 3)


def test_run_again_it_writes_nothing() -> None:
    world = world_at()
    rolled_back(world)
    again = rolled_back(world)
    assert (again.status, world.functions.writes) == ("already_restored", 1)


def test_a_function_that_somebody_changed_is_handed_over_untouched() -> None:
    world = world_at(code_sha256="hotfix")
    record = rolled_back(world)
    assert (record.status, timeout_now(world), world.functions.writes) == ("conflict", 6, 0)


def test_a_function_that_is_gone_is_handed_over() -> None:
    world = world_at()
    world.functions.by_name.clear()
    assert rolled_back(world).status == "conflict"
    remembered = world.state.remembered_change(INCIDENT)
    assert remembered is not None
    assert (remembered.status, remembered.in_place) == ("handed_over", None)


def test_a_pause_does_not_stop_a_rollback() -> None:
    world = world_at()
    world.state.has_pause = True
    assert rolled_back(world).status == "restored"


def test_all_steps_are_taken_back_together() -> None:
    world = world_at(12)
    second = applied(change=change(6, 12, is_applied=True), step=2, origin=change(is_applied=True))
    assert rolled_back(world, second).status == "restored"
    assert timeout_now(world) == 3


def test_what_was_taken_back_is_no_longer_anybodys_to_undo() -> None:
    world = world_at()
    rolled_back(world)
    remembered = world.state.remembered_change(INCIDENT)
    assert remembered is not None
    assert (remembered.status, remembered.in_place) == ("rolled_back", None)


def test_somebody_elses_lease_is_waited_for() -> None:
    world = world_at()
    world.state.acquire_lease(TARGET, holder="another incident", seconds=300)
    with pytest.raises(TransientServiceError, match="lease"):
        rolled_back(world)


def test_a_rollback_that_lambda_refuses_is_a_failure() -> None:
    world = world_at()
    world.functions.refusals = [ChangeRefusedError("no")]
    with pytest.raises(ChangeRefusedError):
        rolled_back(world)
    assert world.state.leases == {}


def test_without_a_change_there_is_nothing_to_take_back() -> None:
    with pytest.raises(ValueError, match="nothing to take back"):
        rolled_back(world_at(), applied(status="refused"))
