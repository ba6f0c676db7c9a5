"""Writes whose answer was lost, and what must not be written any more."""

from __future__ import annotations

from datetime import timedelta

import pytest

from autorepair.domain.audit import RecordKind
from autorepair.domain.change import (
    Absent,
    DeclaredSource,
    EnvironmentSetting,
    VariableSource,
)
from autorepair.domain.errors import (
    EnvironmentUnreadableError,
    PolicyUnreadableError,
    TransientServiceError,
    UndeclaredValueError,
)
from autorepair.domain.schedule import Freeze, Schedule
from autorepair.domain.verification import Verdict
from autorepair.steps.overtaking import may_hold
from autorepair.steps.verify_repair import VerifyRepairInput, verify_repair
from autorepair.views.story import line_of
from unit.builders import AUTO, DIAGNOSIS, INCIDENT, TARGET, change, kept, memory_change
from unit.executing import ASKED, YES, executed, timeout_now, world_under
from unit.fakes import NOW, configuration


def test_a_write_whose_answer_was_lost_is_finished_even_if_the_alarm_recovered() -> None:
    world = world_under()
    world.functions.fails_after_write = TransientServiceError("the answer was lost")
    with pytest.raises(TransientServiceError):
        executed(world)
    world.alarms.recovered = {"patient-slow-invoice-errors"}
    assert executed(world).status == "applied"
    assert world.functions.writes == 1


@pytest.mark.parametrize(
    "error", [None, EnvironmentUnreadableError("no grant"), UndeclaredValueError("no source")]
)
def test_a_lost_write_under_somebodys_deployment_is_not_forgotten(error: Exception | None) -> None:
    world = world_under()
    world.functions.fails_after_write = TransientServiceError("the answer was lost")
    with pytest.raises(TransientServiceError):
        executed(world)
    world.functions.somebody_changes(code_sha256="code-2")
    world.functions.refusals = [error] if error else []
    record = executed(world)
    remembered = world.state.remembered_change(INCIDENT)
    assert remembered == record
    assert (record.status, record.window_s) == ("applied", 0)
    assert "left to them" in record.reason
    assert record.in_place == change()
    assert executed(world) == record
    seen = {
        "incident": INCIDENT, "evidence": kept(world), "diagnosis": DIAGNOSIS, "change": record,
    }  # fmt: skip
    verified = verify_repair(VerifyRepairInput.model_validate(seen), world.ports)
    assert (verified.verdict, verified.next) == (Verdict.OVERTAKEN, "done")
    assert (timeout_now(world), world.functions.writes) == (6, 1)
    # Nobody knows what of it is in force, so nothing says that it was applied.
    kinds = world.audit.kinds(INCIDENT.id)
    assert kinds.count(RecordKind.REPAIR_OVERTAKEN) == 1
    assert RecordKind.REPAIR_APPLIED not in kinds
    assert "RepairApplied" not in world.announcer.types
    assert line_of(world.audit.chain_of(INCIDENT.id)).change is None


def test_a_lost_write_that_somebody_replaced_makes_the_plan_stale() -> None:
    world = world_under()
    world.functions.fails_after_write = TransientServiceError("the answer was lost")
    with pytest.raises(TransientServiceError):
        executed(world)
    world.functions.somebody_changes(timeout_s=60)
    assert executed(world).status == "stale"


def test_a_lost_write_waits_for_somebody_elses_lease() -> None:
    world = world_under()
    world.functions.fails_after_write = TransientServiceError("the answer was lost")
    with pytest.raises(TransientServiceError):
        executed(world)
    world.state.acquire_lease(TARGET, holder="reconcile", seconds=300)
    with pytest.raises(TransientServiceError, match="lease"):
        executed(world)
    remembered = world.state.remembered_change(INCIDENT)
    assert remembered is not None
    assert remembered.in_place == change()


@pytest.mark.parametrize(
    ("names", "is_unreadable", "variables", "may"),
    [
        (("TABLE",), False, {"TABLE": DeclaredSource()}, True),
        ((), False, {"TABLE": DeclaredSource()}, False),
        ((), False, {"TABLE": Absent()}, True),
        (("TABLE",), False, {"TABLE": Absent()}, False),
        (("TABLE",), False, {"TABLE": DeclaredSource(), "QUEUE": DeclaredSource()}, True),
        ((), True, {"TABLE": DeclaredSource()}, True),
    ],
)
def test_of_variables_only_the_names_tell_whether_they_may_have_been_written(
    names: tuple[str, ...],
    is_unreadable: bool,  # noqa: FBT001 - a parameter of the table above
    variables: dict[str, VariableSource],
    may: bool,  # noqa: FBT001 - a parameter of the table above
) -> None:
    found = configuration(env_names=names, is_env_unreadable=is_unreadable)
    assert may_hold(found, EnvironmentSetting(variables=variables)) is may


def test_memory_that_was_written_is_known_by_its_size() -> None:
    assert may_hold(configuration(memory_mb=384), memory_change().after)
    assert not may_hold(configuration(), memory_change().after)


@pytest.mark.parametrize("consent", [{}, {"decision": ASKED, "approval": YES}])
def test_a_freeze_that_began_since_the_decision_holds(consent: dict[str, object]) -> None:
    frozen = Schedule(freeze=(Freeze(start=NOW, end=NOW + timedelta(days=1), reason="sale"),))
    world = world_under(AUTO.model_copy(update={"schedule": frozen}))
    record = executed(world, **consent)
    assert (record.status, "sale" in record.reason) == ("refused", True)
    assert world.functions.applied == []


def test_a_write_that_landed_is_finished_in_a_freeze_too() -> None:
    world = world_under()
    world.functions.fails_after_write = TransientServiceError("the answer was lost")
    with pytest.raises(TransientServiceError):
        executed(world)
    closed = Schedule(allowed_hours=(1, 2))
    world.policies.freshly = AUTO.model_copy(update={"schedule": closed})
    assert executed(world).status == "applied"


def test_a_lost_write_is_finished_without_a_policy_too() -> None:
    world = world_under()
    world.functions.fails_after_write = TransientServiceError("the answer was lost")
    with pytest.raises(TransientServiceError):
        executed(world)
    world.policies.error = PolicyUnreadableError("gone")
    assert executed(world).status == "applied"


def test_a_write_that_never_happened_is_checked_again_from_the_start() -> None:
    world = world_under()
    world.functions.refusals = [TransientServiceError("throttled")]
    with pytest.raises(TransientServiceError):
        executed(world)
    world.alarms.recovered = {"patient-slow-invoice-errors"}
    assert executed(world).status == "recovered"
    assert timeout_now(world) == 3
