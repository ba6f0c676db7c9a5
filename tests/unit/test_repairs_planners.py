from __future__ import annotations

from typing import Literal

import pytest

from autorepair.domain.change import (
    Absent,
    Change,
    DeclaredSource,
    EnvironmentSetting,
    MemorySetting,
    RepairKind,
    SealedValue,
    TimeoutSetting,
)
from autorepair.domain.configuration import FunctionConfiguration, VariableDigest
from autorepair.domain.decision import Refusal, RefusalCode
from autorepair.domain.diagnosis import (
    Diagnosis,
    EnvironmentNeed,
    MemoryNeed,
    RootCause,
    TimeoutNeed,
)
from autorepair.domain.evidence import Alias, Caller, DeclaredVariable
from autorepair.domain.policy import Caps, EnvironmentRules, Policy
from autorepair.repairs.planner import Surroundings
from autorepair.repairs.registry import REPAIRS, plan
from unit.logbook import TARGET, configured, diagnosed


def planned(
    configuration: FunctionConfiguration,
    diagnosis: Diagnosis,
    policy: Policy | None = None,
    *,
    callers: tuple[Caller, ...] = (),
    declared: tuple[str, ...] = (),
    absent: tuple[str, ...] = (),
    qualifier: str | None = None,
) -> Change | Refusal:
    variables = (
        *(DeclaredVariable(name=name, kind="ssm") for name in declared),
        *(DeclaredVariable(name=name, kind="absent") for name in absent),
    )
    target = TARGET.model_copy(update={"qualifier": qualifier})
    return plan(
        configuration, diagnosis, policy or Policy(), Surroundings(target, callers, variables)
    )


def refused(result: Change | Refusal) -> RefusalCode:
    assert isinstance(result, Refusal)
    assert result.why
    return result.code


def timeout(result: Change | Refusal) -> int:
    assert isinstance(result, Change)
    assert isinstance(result.after, TimeoutSetting)
    return result.after.timeout_s


def memory(result: Change | Refusal) -> int:
    assert isinstance(result, Change)
    assert isinstance(result.after, MemorySetting)
    return result.after.memory_mb


def slow(duration_ms: float = 20_000, basis: str = "doubled", seen: int | None = 10) -> Diagnosis:
    need = TimeoutNeed.model_validate(
        {"duration_ms": duration_ms, "basis": basis, "seen_at_timeout_s": seen}
    )
    return diagnosed(RootCause.TIMEOUT_TOO_LOW, need)


def hungry(memory_mb: float = 512, basis: str = "doubled", seen: int | None = 256) -> Diagnosis:
    need = MemoryNeed.model_validate(
        {"memory_mb": memory_mb, "basis": basis, "seen_at_memory_mb": seen}
    )
    return diagnosed(RootCause.MEMORY_EXHAUSTED, need)


def lacking(*names: str) -> Diagnosis:
    return diagnosed(RootCause.MISSING_ENV_VAR, EnvironmentNeed(names=names))


GATEWAY = Caller(
    kind="apigateway", source="patient-slow-invoice-api", timeout_limit_s=29, reason="REST"
)


def test_an_unknown_need_of_time_is_met_by_the_double() -> None:
    result = planned(configured(), slow())
    assert timeout(result) == 20
    assert isinstance(result, Change)
    assert result.before == TimeoutSetting(timeout_s=10)
    assert (result.target, result.planned_on, result.leads_to) == (TARGET, "f1", None)


@pytest.mark.parametrize("cause", [cause for repair in REPAIRS for cause in repair.cures])
def test_a_diagnosis_that_does_not_tell_what_is_needed_is_not_tried_on(cause: RootCause) -> None:
    assert refused(planned(configured(), diagnosed(cause))) is RefusalCode.NOT_REPAIRABLE
    other = EnvironmentNeed(names=("A_B",)) if "env" not in cause.value else slow().need
    if cause is not RootCause.READ_ONLY_FILESYSTEM:
        assert refused(planned(configured(), diagnosed(cause, other))) is RefusalCode.NOT_REPAIRABLE


def test_a_fitted_need_is_rounded_up_to_whole_seconds_and_at_least_the_double() -> None:
    assert timeout(planned(configured(), slow(24_200, "fitted"))) == 25
    assert timeout(planned(configured(), slow(14_200, "fitted"))) == 20


def test_a_need_that_is_met_already_has_another_cause() -> None:
    assert refused(planned(configured(), slow(9000, "observed"))) is RefusalCode.NO_EFFECT


def test_a_timeout_that_was_changed_since_is_looked_at_anew() -> None:
    changed = configured(timeout_s=60)
    assert refused(planned(changed, slow())) is RefusalCode.NO_EFFECT
    assert timeout(planned(changed, slow(120_000, seen=None))) == 120


def test_the_double_stops_at_what_a_caller_waits_for() -> None:
    assert timeout(planned(configured(timeout_s=20), slow(seen=20), callers=(GATEWAY,))) == 29


@pytest.mark.parametrize(
    ("needed_ms", "basis", "raised_to"),
    [
        (45_000, "fitted", 40),
        (36_000, "observed", 40),
        (60_000, "fitted", 60),
        (45_000, "observed", 45),
    ],
)
def test_the_advised_timeout_is_kept_where_the_need_allows_it(
    needed_ms: float, basis: Literal["fitted", "observed"], raised_to: int
) -> None:
    queue = Caller(kind="sqs", source="queue", timeout_limit_s=240, timeout_advised_s=40.9)
    result = planned(configured(timeout_s=20), slow(needed_ms, basis), callers=(queue,))
    assert timeout(result) == raised_to


def test_a_caller_that_waits_no_longer_leaves_nothing_to_raise() -> None:
    result = planned(configured(timeout_s=29), slow(seen=29), callers=(GATEWAY,))
    assert refused(result) is RefusalCode.CALLER_LIMIT
    assert isinstance(result, Refusal)
    assert "patient-slow-invoice-api" in result.why
    assert "REST" in result.why


def test_a_raise_that_only_delays_is_refused() -> None:
    needed = slow(40_000, "fitted")
    assert refused(planned(configured(), needed, callers=(GATEWAY,))) is RefusalCode.CALLER_LIMIT
    capped = Policy(caps=Caps(timeout_s=30))
    assert refused(planned(configured(), needed, capped)) is RefusalCode.AT_CAP


def test_the_strictest_caller_counts_and_those_without_a_limit_do_not() -> None:
    queue = Caller(kind="sqs", source="q", timeout_limit_s=15.9)
    topic = Caller(kind="sns", source="t")
    assert timeout(planned(configured(), slow(), callers=(topic, GATEWAY, queue))) == 15


def test_at_the_maximum_of_lambda_nothing_is_raised() -> None:
    at_most = configured(timeout_s=900, memory_mb=10_240)
    largest = Policy(caps=Caps(memory_mb=10_240))
    assert refused(planned(at_most, slow(seen=900))) is RefusalCode.AT_CAP
    assert refused(planned(at_most, hungry(seen=10_240), largest)) is RefusalCode.AT_CAP


@pytest.mark.parametrize(
    ("present", "expected"), [(128, 320), (192, 384), (256, 512), (512, 1024), (1000, 2048)]
)
def test_after_a_kill_memory_is_doubled_at_least_and_rounded_up(
    present: int, expected: int
) -> None:
    assert memory(planned(configured(memory_mb=present), hungry(seen=present))) == expected


def test_memory_stops_at_the_cap() -> None:
    assert memory(planned(configured(memory_mb=2048), hungry(seen=2048))) == 3008
    assert refused(planned(configured(memory_mb=3008), hungry(seen=3008))) is RefusalCode.AT_CAP
    assert refused(planned(configured(memory_mb=2900), hungry(seen=2900))) is RefusalCode.AT_CAP


def test_a_need_that_was_seen_gets_room_to_spare() -> None:
    assert memory(planned(configured(), hungry(600, "formerly_sufficient"))) == 768


def test_a_need_beyond_the_cap_is_refused_and_one_met_already_as_well() -> None:
    seen = hungry(2900, "observed")
    assert refused(planned(configured(), seen)) is RefusalCode.AT_CAP
    assert memory(planned(configured(), hungry(2700, "observed"))) == 3008
    assert refused(planned(configured(), hungry(150, "observed"))) is RefusalCode.NO_EFFECT


def test_a_memory_that_was_changed_since_is_looked_at_anew() -> None:
    assert refused(planned(configured(memory_mb=1024), hungry())) is RefusalCode.NO_EFFECT


def test_missing_variables_take_their_declared_values_all_at_once() -> None:
    result = planned(
        configured(env_names=("STAGE",)), lacking("A_B", "C_D"), declared=("A_B", "C_D")
    )
    assert isinstance(result, Change)
    assert result.before == EnvironmentSetting(variables={"A_B": Absent(), "C_D": Absent()})
    assert result.after == EnvironmentSetting(
        variables={"A_B": DeclaredSource(), "C_D": DeclaredSource()}
    )


def test_one_undeclared_variable_refuses_all_and_is_named() -> None:
    result = planned(configured(), lacking("A_B", "C_D"), declared=("A_B",))
    assert refused(result) is RefusalCode.UNDECLARED
    assert isinstance(result, Refusal)
    assert "C_D" in result.why
    assert "A_B" not in result.why


def test_declared_absent_is_no_value() -> None:
    assert refused(planned(configured(), lacking("A_B"), absent=("A_B",))) is RefusalCode.UNDECLARED


@pytest.mark.parametrize("name", ["AWS_REGION", "_HANDLER", "LAMBDA_TASK_ROOT", "1ST", "A"])
def test_names_that_lambda_refuses_are_not_planned(name: str) -> None:
    assert refused(planned(configured(), lacking(name), declared=(name,))) is (
        RefusalCode.RESERVED_NAME
    )


def test_the_policy_keeps_names_out_of_reach() -> None:
    policy = Policy(env=EnvironmentRules(allow=("APP_*",)))
    result = planned(configured(), lacking("DB_URL"), policy, declared=("DB_URL",))
    assert refused(result) is RefusalCode.NAME_NOT_ALLOWED
    fine = planned(configured(), lacking("APP_URL"), policy, declared=("APP_URL",))
    assert isinstance(fine, Change)


def test_an_unreadable_environment_is_never_written() -> None:
    unreadable = configured(is_env_unreadable=True)
    result = planned(unreadable, lacking("A_B"), declared=("A_B",))
    assert refused(result) is RefusalCode.UNREADABLE_ENVIRONMENT


def test_a_variable_that_somebody_has_set_meanwhile_is_left_alone() -> None:
    result = planned(configured(env_names=("A_B",)), lacking("A_B"), declared=("A_B",))
    assert refused(result) is RefusalCode.NO_EFFECT


def test_a_diagnosis_without_names_sets_nothing() -> None:
    assert refused(planned(configured(), lacking())) is RefusalCode.NOT_REPAIRABLE
    no_need = diagnosed(RootCause.MISSING_ENV_VAR)
    assert refused(planned(configured(), no_need)) is RefusalCode.NOT_REPAIRABLE


@pytest.mark.parametrize("cause", [RootCause.UNKNOWN, RootCause.INSUFFICIENT_EVIDENCE])
def test_an_unknown_cause_is_not_tried_on(cause: RootCause) -> None:
    assert refused(planned(configured(), diagnosed(cause))) is RefusalCode.UNKNOWN_CAUSE


def test_what_no_setting_cures_is_not_repaired() -> None:
    leak = diagnosed(RootCause.MEMORY_LEAK, is_repairable=False)
    assert refused(planned(configured(), leak)) is RefusalCode.NOT_REPAIRABLE
    hang = slow().model_copy(update={"is_repairable": False})
    assert refused(planned(configured(), hang)) is RefusalCode.NOT_REPAIRABLE


@pytest.mark.parametrize("cause", [c for c in RootCause if c.value.startswith("downstream_")])
def test_a_fault_of_somebody_else_is_not_repaired_whatever_would_be_needed(
    cause: RootCause,
) -> None:
    theirs = slow().model_copy(update={"root_cause": cause})
    assert refused(planned(configured(), theirs)) is RefusalCode.NOT_REPAIRABLE


def test_where_only_the_need_is_missing_it_is_said_what_is_missing() -> None:
    undeclared = diagnosed(RootCause.WRONG_ENV_VAR, is_repairable=False)
    found = planned(configured(), undeclared)
    assert isinstance(found, Refusal)
    assert "missing is a declared variable" in found.why
    assert "no setting" not in found.why


@pytest.mark.parametrize("kind", list(RepairKind))
def test_every_kind_of_repair_can_say_what_it_lacks(kind: RepairKind) -> None:
    repair = next(one for one in REPAIRS if one.kind is kind)
    lacking = diagnosed(min(repair.cures))
    found = planned(configured(), lacking)
    assert isinstance(found, Refusal)
    assert "missing is" in found.why


def test_traffic_on_a_version_is_not_reached_by_a_change() -> None:
    versioned = slow().model_copy(update={"failing_versions": ("7",)})
    assert refused(planned(configured(), versioned)) is RefusalCode.VERSIONED_TRAFFIC
    untold = slow().model_copy(update={"failing_versions": ()})
    assert refused(planned(configured(), untold, qualifier="live")) is (
        RefusalCode.VERSIONED_TRAFFIC
    )
    assert timeout(planned(configured(), untold)) == 20
    both = slow().model_copy(update={"failing_versions": ("$LATEST", "7")})
    assert refused(planned(configured(), both)) is RefusalCode.VERSIONED_TRAFFIC
    latest = slow().model_copy(update={"failing_versions": ("$LATEST",)})
    assert timeout(planned(configured(), latest)) == 20
    assert refused(planned(configured(), latest, qualifier="live")) is (
        RefusalCode.VERSIONED_TRAFFIC
    )


def test_no_cause_has_two_repairs() -> None:
    cured = [cause for repair in REPAIRS for cause in repair.cures]
    assert len(cured) == len(set(cured))
    assert len({repair.kind for repair in REPAIRS}) == len(REPAIRS)


def wrong(*names: str) -> Diagnosis:
    return lacking(*names).model_copy(update={"root_cause": RootCause.WRONG_ENV_VAR})


def planned_env(
    diagnosis: Diagnosis, *declared: DeclaredVariable, env: tuple[str, ...] = ()
) -> Change | Refusal:
    surroundings = Surroundings(TARGET, (), declared)
    return plan(configured(env_names=env), diagnosis, Policy(), surroundings)


def test_a_wrong_value_is_sealed_before_the_declared_one_takes_its_place() -> None:
    declared = DeclaredVariable(name="A_B", kind="literal", matches_current=False)
    change = planned_env(wrong("A_B"), declared, env=("A_B", "STAGE"))
    assert isinstance(change, Change)
    former = SealedValue(snapshot_id=configured(env_names=("A_B", "STAGE")).fingerprint)
    assert change.before == EnvironmentSetting(variables={"A_B": former})
    assert change.after == EnvironmentSetting(variables={"A_B": DeclaredSource()})


def test_a_sealed_value_is_known_again_by_its_digest() -> None:
    declared = DeclaredVariable(name="A_B", kind="literal", matches_current=False)
    held = (VariableDigest(name="A_B", size_bytes=9, digest="d1"),)
    found = configured(env_names=("A_B",), env_digests=held)
    change = plan(found, wrong("A_B"), Policy(), Surroundings(TARGET, (), (declared,)))
    assert isinstance(change, Change)
    assert isinstance(change.before, EnvironmentSetting)
    sealed = change.before.variables["A_B"]
    assert sealed == SealedValue(snapshot_id=found.fingerprint, digest="d1")


def test_a_wrong_value_that_only_the_writer_may_compare_is_planned_all_the_same() -> None:
    declared = DeclaredVariable(name="A_B", kind="secretsmanager", matches_current=None)
    assert isinstance(planned_env(wrong("A_B"), declared, env=("A_B",)), Change)


def test_a_variable_that_must_not_be_set_is_taken_out() -> None:
    declared = DeclaredVariable(name="A_B", kind="absent", matches_current=False)
    change = planned_env(wrong("A_B"), declared, env=("A_B",))
    assert isinstance(change, Change)
    assert change.after == EnvironmentSetting(variables={"A_B": Absent()})
    assert change.inverse().inverse() == change


def test_a_variable_that_went_away_since_need_not_be_taken_out() -> None:
    declared = DeclaredVariable(name="A_B", kind="absent", matches_current=True)
    assert refused(planned_env(wrong("A_B"), declared)) is RefusalCode.NO_EFFECT


def test_a_value_that_is_as_declared_is_not_the_cause() -> None:
    declared = DeclaredVariable(name="A_B", kind="literal", matches_current=True)
    assert refused(planned_env(wrong("A_B"), declared, env=("A_B",))) is RefusalCode.NO_EFFECT


def test_of_two_missing_variables_one_undeclared_stops_both_and_is_named() -> None:
    declared = DeclaredVariable(name="A_B", kind="literal", matches_current=False)
    refusal = planned_env(lacking("A_B", "C_D"), declared)
    assert refused(refusal) is RefusalCode.UNDECLARED
    assert isinstance(refusal, Refusal)
    assert "C_D" in refusal.why
    assert "A_B" not in refusal.why


@pytest.mark.parametrize(("version", "is_reached"), [("$LATEST", True), ("7", False)])
def test_an_alias_is_followed_to_its_version(version: str, *, is_reached: bool) -> None:
    diagnosis = diagnosed(RootCause.TIMEOUT_TOO_LOW, TimeoutNeed(duration_ms=1, basis="doubled"))
    diagnosis = diagnosis.model_copy(update={"failing_versions": ()})
    target = TARGET.model_copy(update={"qualifier": "live"})
    around = Surroundings(target, aliases=(Alias(name="live", version=version),))
    result = plan(configured(), diagnosis, Policy(), around)
    assert isinstance(result, Change) is is_reached
    if isinstance(result, Refusal):
        assert result.code is RefusalCode.LATEST_DIFFERS
        assert "version 7 of the alias live" in result.why
