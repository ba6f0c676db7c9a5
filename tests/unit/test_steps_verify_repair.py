from __future__ import annotations

from datetime import timedelta

import pytest

from autorepair.domain.audit import RecordKind
from autorepair.domain.change import Absent, Change, DeclaredSource, EnvironmentSetting
from autorepair.domain.configuration import FunctionConfiguration
from autorepair.domain.diagnosis import EnvironmentNeed, MemoryNeed, RootCause
from autorepair.domain.errors import (
    AccessDeniedError,
    PolicyUnreadableError,
    TargetNotFoundError,
)
from autorepair.domain.evidence import LogLine
from autorepair.domain.policy import Caps
from autorepair.domain.verification import Verdict, Verification
from autorepair.steps.verify_repair import VerifyRepairInput, verify_repair
from unit.aftermath import SINCE, remembered_status, since, verified, world_after
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
from unit.fakes import NOW, World, configuration

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


def test_an_environment_begun_after_lambda_took_the_change_counts_once_that_is_long_settled() -> (
    None
):
    settled = NOW + timedelta(seconds=60)
    begun = invocation("success", at=settled - timedelta(seconds=2), stream="between")
    later = [
        i.model_copy(update={"started_at": settled + timedelta(seconds=40 + n)})
        for n, i in enumerate(since(6, stream="between"))
    ]
    world = world_after(begun, *later)
    taken = applied(applied_at=settled, accepted_at=settled - timedelta(seconds=5))
    assert verified(world, change=taken).after.invocations == 6
    unknown = applied(applied_at=settled)
    assert verified(world_after(begun, *later), change=unknown).after.invocations == 0


def test_an_invocation_that_is_still_running_is_counted_as_neither_success_nor_failure() -> None:
    world = world_after(*since(6), *since(2, "unfinished"))
    after = verified(world).after
    assert (after.invocations, after.failures, after.pending) == (6, 0, 2)


def test_work_that_may_still_run_into_a_long_timeout_is_waited_for() -> None:
    longer = applied(change=change(300, 600, is_applied=True))
    begun = NOW - timedelta(minutes=20)
    before = [
        *invocations(10, "success", at=begun, duration_ms=200_000.0),
        *invocations(10, at=begun + timedelta(minutes=1), duration_ms=300_000.0),
    ]
    quick, slow = since(20, duration_ms=310_000.0), since(20, "unfinished")
    world = world_after(*quick, *slow, configured=configuration(timeout_s=600))
    result = verified(world, before=before, change=longer)
    assert (result.verdict, result.next) == (Verdict.INSUFFICIENT_TRAFFIC, "wait")


def test_under_steady_traffic_those_decide_that_have_had_the_time_to_end() -> None:
    traffic = since(40, duration_ms=5000.0)
    running = [
        i.model_copy(update={"started_at": NOW + timedelta(seconds=598)})
        for i in since(30, "unfinished")
    ]
    result = verified(world_after(*traffic, *running))
    assert (result.verdict, result.after.pending) == (Verdict.IMPROVED, 30)


def test_traffic_of_a_published_version_shows_nothing() -> None:
    world = world_after(*since(30, version="7", stream="2026/03/04/[7]new"))
    result = verified(world)
    assert (result.verdict, result.after.invocations) == (Verdict.INSUFFICIENT_TRAFFIC, 0)


def test_traffic_of_a_published_version_before_is_no_measure() -> None:
    elsewhere = [i.model_copy(update={"version": "7"}) for i in invocations(9, stream="[7]old")]
    result = verified(world_after(*since(6)), before=[*slow_invocations(), *elsewhere])
    assert (result.before.invocations, result.before.failures) == (8, 4)


@pytest.mark.parametrize(
    ("present", "told"),
    [
        (configuration(timeout_s=60, code_sha256="the-owner's"), "somebody else"),
        (configuration(), "as it was before"),
    ],
    ids=["another deployment", "taken back by hand"],
)
def test_a_function_that_somebody_changed_since_is_left_to_them(
    present: FunctionConfiguration, told: str
) -> None:
    world = world_after(*since(30), configured=present)
    result = verified(world)
    assert (result.verdict, result.next) == (Verdict.OVERTAKEN, "done")
    assert told in result.reason
    assert remembered_status(world) == "handed_over"
    assert world.kinds(INCIDENT) == [RecordKind.REPAIR_VERIFIED]
    assert world.functions.writes == 0


def test_a_retry_gives_what_was_recorded_of_the_window() -> None:
    world = world_after(*since(6))
    first = verified(world)
    world.logs.invocations = [*world.logs.invocations, *since(25, "timeout", duration_ms=6000.0)]
    assert verified(world) == first
    assert remembered_status(world) == "kept"


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


def test_memory_that_is_filled_because_it_is_there_proves_nothing() -> None:
    fine = since(6, memory_mb=384, max_memory_used_mb=300, duration_ms=900.0)
    world = world_after(*fine, configured=configuration(memory_mb=384))
    grown = memory_change().model_copy(
        update={"leads_to": configuration(memory_mb=384).fingerprint}
    )
    rarely = [
        *invocations(98, "success", used_mb=128, stream="fine"),
        *invocations(2, "out_of_memory", used_mb=128, duration_ms=900.0),
    ]
    result = verified(world, MEMORY, before=rarely, change=applied(change=grown))
    assert (result.verdict, result.after.rescued) == (Verdict.INSUFFICIENT_TRAFFIC, 0)


def test_one_failure_for_want_of_a_variable_is_too_few_to_prove_its_cure() -> None:
    few = since(5, duration_ms=20.0)
    world = world_after(*few, configured=configuration(env_names=("TABLE", "TOPIC")))
    assert verified_environment(world, failed=1).verdict is Verdict.INSUFFICIENT_TRAFFIC


def test_successes_where_all_failed_for_want_of_a_variable_prove_its_cure() -> None:
    world = world_after(
        *since(5, duration_ms=20.0), configured=configuration(env_names=("TABLE", "TOPIC"))
    )
    result = verified_environment(world)
    assert (result.verdict, result.after.rescued) == (Verdict.IMPROVED, 0)


def test_another_failure_in_place_of_the_missing_variable_is_no_improvement() -> None:
    world = world_after(
        *since(8, "error", duration_ms=20.0),
        configured=configuration(env_names=("TABLE", "TOPIC")),
    )
    result = verified_environment(world)
    assert (result.verdict, result.after.same_cause) == (Verdict.UNCHANGED, 0)


def verified_environment(world: World, *, failed: int = 4) -> Verification:
    before = invocations(failed, "error", duration_ms=20.0)
    lines = tuple(
        LogLine(
            id=f"line-{n}",
            at=i.started_at,
            stream=i.stream,
            message="KeyError: 'TOPIC'\n  File \"<frozen os>\", line 679, in __getitem__",
            request_id=i.request_id,
        )
        for n, i in enumerate(before)
    )
    state = {
        "incident": INCIDENT,
        "evidence": world.evidence.put(evidence(*before, lines=lines)),
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


def test_the_second_step_compares_with_the_setting_before_the_first() -> None:
    second = applied(change=change(6, 12, is_applied=True), step=2, origin=change(is_applied=True))
    world = world_after(*since(6), configured=configuration(timeout_s=12))
    assert verified(world, change=second).after.rescued == 6


def test_what_traffic_has_shown_to_work_is_remembered_as_healthy() -> None:
    world = world_after(*since(10))
    assert verified(world).verdict is Verdict.IMPROVED
    assert [(s.reason, s.configuration.timeout_s) for s in world.snapshots.kept] == [("healthy", 6)]


def test_what_is_not_proven_is_not_remembered_as_healthy() -> None:
    world = world_after()
    verified(world)
    assert world.snapshots.kept == []


def test_a_verified_repair_does_not_fail_for_a_snapshot() -> None:
    world = world_after(*since(10))
    world.snapshots.errors = [AccessDeniedError("kms:Encrypt was denied")]
    assert verified(world).verdict is Verdict.IMPROVED
