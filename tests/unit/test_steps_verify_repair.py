from __future__ import annotations

from datetime import timedelta

import pytest

from autorepair.domain.audit import RecordKind
from autorepair.domain.change import Absent, Change, DeclaredSource, EnvironmentSetting
from autorepair.domain.configuration import FunctionConfiguration
from autorepair.domain.diagnosis import Diagnosis, EnvironmentNeed, MemoryNeed, RootCause
from autorepair.domain.errors import PolicyUnreadableError, TargetNotFoundError
from autorepair.domain.evidence import Invocation, LogLine
from autorepair.domain.policy import Caps, Policy
from autorepair.domain.verification import Verdict, Verification
from autorepair.steps.sampling import begun_after
from autorepair.steps.verify_repair import VerifyRepairInput, verify_repair
from unit.builders import (
    AUTO,
    DIAGNOSIS,
    INCIDENT,
    TARGET,
    applied,
    auto,
    change,
    evidence,
    invocation,
    invocations,
    memory_change,
    slow_invocations,
    verification,
)
from unit.fakes import NOW, FakeFunctions, FakePolicies, World, configuration

SINCE = NOW + timedelta(seconds=5)
MEMORY = DIAGNOSIS.model_copy(
    update={
        "root_cause": RootCause.MEMORY_EXHAUSTED,
        "need": MemoryNeed(memory_mb=384, basis="doubled"),
    }
)
MISSING = DIAGNOSIS.model_copy(
    update={
        "root_cause": RootCause.MISSING_ENV_VAR,
        "need": EnvironmentNeed(names=("TOPIC",)),
    }
)
ENVIRONMENT = Change(
    target=TARGET,
    before=EnvironmentSetting(variables={"TOPIC": Absent()}),
    after=EnvironmentSetting(variables={"TOPIC": DeclaredSource()}),
    planned_on=configuration().fingerprint,
    leads_to=configuration(env_names=("TABLE", "TOPIC")).fingerprint,
)


def since(count: int, status: str = "success", **same: object) -> list[Invocation]:
    plain = {"stream": "new", "duration_ms": 3500.0, **same}
    return [
        invocation().model_copy(
            update={
                "request_id": f"{status}-{n}",
                "status": status,
                "started_at": SINCE + timedelta(seconds=n),
                "report_id": f"since-{n}",
                **plain,
            }
        )
        for n in range(count)
    ]


def world_after(
    *traffic: Invocation,
    policy: Policy = AUTO,
    configured: FunctionConfiguration | None = None,
    elapsed_s: int = 600,
) -> World:
    world = World(
        functions=FakeFunctions(configured or configuration(timeout_s=6)),
        policies=FakePolicies(policy),
    )
    world.logs.invocations = list(traffic)
    world.clock.advance(elapsed_s)
    return world


def verified(
    world: World,
    diagnosis: Diagnosis = DIAGNOSIS,
    *,
    before: list[Invocation] | None = None,
    **keys: object,
) -> Verification:
    seen = slow_invocations() if before is None else before
    state = {
        "incident": INCIDENT,
        "evidence": world.evidence.put(evidence(*seen)),
        "diagnosis": diagnosis,
        "change": applied(),
        **keys,
    }
    return verify_repair(VerifyRepairInput.model_validate(state), world.ports)


def remembered_status(world: World) -> str | None:
    kept = world.state.remembered_change(INCIDENT)
    return kept.status if kept else None


def test_invocations_that_only_the_change_let_finish_prove_that_it_helped() -> None:
    world = world_after(*since(6))
    result = verified(world)
    assert (result.verdict, result.next) == (Verdict.IMPROVED, "done")
    assert (result.before.failures, result.after.failures, result.after.rescued) == (4, 0, 6)
    assert world.kinds(INCIDENT) == [RecordKind.REPAIR_VERIFIED]
    assert world.announcer.types == ["RepairVerified"]


def test_a_change_that_is_to_stay_is_no_longer_half_done() -> None:
    world = world_after(*since(6))
    verified(world)
    assert remembered_status(world) == "kept"


def test_with_too_little_traffic_it_waits_and_counts_its_windows() -> None:
    world = world_after(*since(2))
    first = verified(world)
    assert (first.verdict, first.next) == (Verdict.INSUFFICIENT_TRAFFIC, "wait")
    assert first.windows_used == 1
    second = verified(world, verification=first)
    assert second.windows_used == 2
    assert len(world.kinds(INCIDENT)) == 2
    assert world.announcer.types == []
    assert remembered_status(world) is None


def test_when_the_windows_are_used_up_the_policy_says_what_is_kept() -> None:
    rules = auto(max_windows=2)
    world = world_after(policy=rules)
    last = verified(world, verification=verification(next="wait", windows_used=1))
    assert (last.next, remembered_status(world)) == ("done", "kept")


def test_a_new_step_counts_its_windows_from_the_start() -> None:
    world = world_after(*since(2))
    stepped = verification(next="step", windows_used=4, verdict=Verdict.STILL_SHORT)
    assert verified(world, verification=stepped).windows_used == 1


def test_verified_twice_is_recorded_once() -> None:
    world = world_after(*since(6))
    verified(world)
    verified(world)
    assert len(world.kinds(INCIDENT)) == 1


def test_invocations_of_environments_from_before_the_change_do_not_count() -> None:
    world = world_after(*invocations(9, at=SINCE, stream="old"), *since(6))
    assert verified(world).after.invocations == 6


def test_an_environment_first_seen_between_evidence_and_change_does_not_count() -> None:
    at_work = invocation("success", at=NOW + timedelta(seconds=30), stream="between")
    later = since(6, stream="between")
    world = world_after(at_work, *later)
    settled = applied(applied_at=NOW + timedelta(seconds=60))
    still_there = [i.model_copy(update={"started_at": NOW + timedelta(seconds=90)}) for i in later]
    world.logs.invocations = [at_work, *still_there]
    assert verified(world, change=settled).after.invocations == 0


def test_an_invocation_that_is_still_running_tells_nothing() -> None:
    running = since(3, "unfinished")
    assert begun_after(running, NOW, known=()) == ()


def test_more_time_outs_at_the_new_limit_beside_rescued_work_ask_for_a_further_step() -> None:
    world = world_after(*since(3, "timeout", duration_ms=6000.0), *since(4))
    result = verified(world)
    assert (result.verdict, result.next) == (Verdict.STILL_SHORT, "step")


def test_work_that_hangs_at_the_new_limit_as_well_is_taken_back() -> None:
    world = world_after(*since(8, "timeout", duration_ms=6000.0))
    result = verified(world)
    assert (result.verdict, result.next) == (Verdict.UNCHANGED, "roll_back")


def test_no_further_step_is_asked_for_when_none_can_be_planned() -> None:
    capped = AUTO.model_copy(update={"caps": Caps(timeout_s=6)})
    world = world_after(*since(3, "timeout", duration_ms=6000.0), *since(4), policy=capped)
    assert verified(world).next != "step"


def test_no_further_step_is_asked_for_when_all_are_used_up() -> None:
    world = world_after(*since(3, "timeout", duration_ms=6000.0), *since(4))
    assert verified(world, change=applied(step=3)).next != "step"


def test_memory_that_runs_out_at_the_new_size_asks_for_a_further_step() -> None:
    again = since(5, "out_of_memory", memory_mb=384, max_memory_used_mb=384, duration_ms=900.0)
    world = world_after(*again, configured=configuration(memory_mb=384))
    died = invocations(6, "out_of_memory", used_mb=128, duration_ms=900.0)
    grown = memory_change().model_copy(
        update={"leads_to": configuration(memory_mb=384).fingerprint}
    )
    result = verified(world, MEMORY, before=died, change=applied(change=grown))
    assert result.after.same_cause == 5
    assert (result.verdict, result.next) == (Verdict.STILL_SHORT, "step")


def test_memory_that_the_old_size_did_not_have_proves_that_it_helped() -> None:
    fine = since(6, memory_mb=384, max_memory_used_mb=300, duration_ms=900.0)
    world = world_after(*fine, configured=configuration(memory_mb=384))
    died = invocations(2, "out_of_memory", used_mb=128, duration_ms=900.0)
    result = verified(world, MEMORY, before=died, change=applied(change=memory_change()))
    assert (result.verdict, result.after.rescued) == (Verdict.IMPROVED, 6)


def test_a_variable_without_which_everything_failed_is_proven_by_each_success() -> None:
    world = world_after(
        *since(5, duration_ms=20.0), configured=configuration(env_names=("TABLE", "TOPIC"))
    )
    result = verified_environment(world)
    assert (result.verdict, result.after.rescued) == (Verdict.IMPROVED, 5)


def test_another_failure_in_place_of_the_missing_variable_is_no_improvement() -> None:
    world = world_after(
        *since(8, "error", duration_ms=20.0),
        configured=configuration(env_names=("TABLE", "TOPIC")),
    )
    result = verified_environment(world)
    assert (result.verdict, result.after.same_cause) == (Verdict.UNCHANGED, 0)


def verified_environment(world: World) -> Verification:
    failed = invocations(4, "error", duration_ms=20.0)
    lines = tuple(
        LogLine(
            id=f"line-{n}",
            at=i.started_at,
            stream=i.stream,
            message="KeyError: 'TOPIC'\n  File \"<frozen os>\", line 679, in __getitem__",
            request_id=i.request_id,
        )
        for n, i in enumerate(failed)
    )
    state = {
        "incident": INCIDENT,
        "evidence": world.evidence.put(evidence(*failed, lines=lines)),
        "diagnosis": MISSING,
        "change": applied(change=ENVIRONMENT),
    }
    return verify_repair(VerifyRepairInput.model_validate(state), world.ports)


def test_more_failures_than_before_are_taken_back() -> None:
    world = world_after(*since(30, "error", duration_ms=100.0))
    few = [*invocations(1), *invocations(40, "success", at=NOW - timedelta(minutes=9))]
    result = verified(world, before=few)
    assert (result.verdict, result.next) == (Verdict.WORSE, "roll_back")
    assert remembered_status(world) is None


def test_without_a_policy_it_is_judged_by_the_strictest() -> None:
    world = world_after(*since(6))
    world.policies.error = PolicyUnreadableError("gone")
    assert verified(world).verdict is Verdict.IMPROVED


def test_a_function_deleted_meanwhile_is_a_failure() -> None:
    world = world_after()
    world.functions.by_name.clear()
    with pytest.raises(TargetNotFoundError):
        verified(world)


@pytest.mark.parametrize(
    "broken",
    [applied(applied_at=None), applied(change=None)],
    ids=["no moment", "no change"],
)
def test_without_a_change_there_is_nothing_to_verify(broken: object) -> None:
    with pytest.raises(ValueError, match="no change to verify"):
        verified(world_after(), change=broken)


def test_the_log_is_read_from_before_the_change_to_know_old_environments() -> None:
    world = world_after(*since(6))
    approved_late = applied(applied_at=NOW + timedelta(hours=2))
    world.clock.advance(7200)
    verified(world, change=approved_late)
    start, _ = world.logs.reads[0]
    assert start == NOW + timedelta(hours=2) - timedelta(minutes=15)


def test_the_second_step_compares_with_the_setting_before_the_first() -> None:
    second = applied(change=change(6, 12, is_applied=True), step=2, origin=change(is_applied=True))
    world = world_after(*since(6), configured=configuration(timeout_s=12))
    assert verified(world, change=second).after.rescued == 6
