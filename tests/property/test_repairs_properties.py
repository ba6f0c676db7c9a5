"""What has to hold of every plan, whatever the configuration, the evidence and the policy."""

from __future__ import annotations

from hypothesis import given

from autorepair.domain.change import (
    AliasSetting,
    Change,
    EphemeralStorageSetting,
    MemorySetting,
    ReservedConcurrencySetting,
    TimeoutSetting,
)
from autorepair.domain.configuration import FunctionConfiguration
from autorepair.domain.diagnosis import Diagnosis
from autorepair.domain.policy import Policy
from autorepair.domain.standing import standing, with_setting
from autorepair.repairs.planner import Surroundings
from autorepair.repairs.registry import plan
from property.generated import (
    AROUND,
    CONFIGURATIONS,
    DIAGNOSES,
    OPEN_POLICIES,
    SIZES,
    is_move,
    ruled,
    size,
    stricter,
)

KEPT_FOR_OTHERS = 100


def bound(change: Change, policy: Policy, around: Surroundings) -> float:
    """Give the most that may be set, by whatever bounds it."""
    caps, before = policy.caps, change.before
    match before:
        case TimeoutSetting():
            limits = [c.timeout_limit_s for c in around.callers if c.timeout_limit_s is not None]
            return min([float(caps.timeout_s), *limits])
        case MemorySetting():
            return caps.memory_mb
        case EphemeralStorageSetting():
            return caps.ephemeral_storage_mb
        case _:
            reserved = size(before) or 0
            left = (
                reserved
                if around.account is None
                else max(0, around.account.unreserved - KEPT_FOR_OTHERS)
            )
            return min(caps.reserved_concurrency, reserved + left)


@given(CONFIGURATIONS, SIZES, OPEN_POLICIES, AROUND)
def test_no_plan_lowers_a_size_or_leaves_any_bound(
    configuration: FunctionConfiguration,
    diagnosis: Diagnosis,
    policy: Policy,
    around: Surroundings,
) -> None:
    change = plan(configuration, diagnosis, policy, around)
    if not isinstance(change, Change):
        return
    before, after = size(change.before), size(change.after)
    assert before is not None
    assert after is not None
    assert before < after <= bound(change, policy, around)


@given(CONFIGURATIONS, DIAGNOSES, OPEN_POLICIES, AROUND)
def test_an_alias_only_ever_goes_from_where_it_points_to_a_version_that_is_there(
    configuration: FunctionConfiguration,
    diagnosis: Diagnosis,
    policy: Policy,
    around: Surroundings,
) -> None:
    change = plan(configuration, diagnosis, policy, around)
    if not isinstance(change, Change) or not isinstance(change.after, AliasSetting):
        return
    (alias,) = around.aliases
    assert change.before == AliasSetting(alias=alias.name, version=alias.version)
    assert not alias.also
    assert int(change.after.version) < int(alias.version)
    assert change.after.version in {v.version for v in around.versions}


@given(CONFIGURATIONS, DIAGNOSES, OPEN_POLICIES, AROUND)
def test_planning_twice_gives_the_same_plan_and_its_inverse_restores_exactly(
    configuration: FunctionConfiguration,
    diagnosis: Diagnosis,
    policy: Policy,
    around: Surroundings,
) -> None:
    change = plan(configuration, diagnosis, policy, around)
    assert plan(configuration, diagnosis, policy, around) == change
    if not isinstance(change, Change):
        return
    assert Change.model_validate_json(change.model_dump_json()) == change
    undo = change.inverse()
    assert (undo.after, undo.before, undo.inverse()) == (change.before, change.after, change)
    after = change.after
    if isinstance(after, ReservedConcurrencySetting | AliasSetting):
        before = change.before
        assert isinstance(before, ReservedConcurrencySetting | AliasSetting)
        start = with_setting(configuration, before)
        assert standing(start, before) == change.planned_on
        there = with_setting(start, after)
        assert standing(there, after) != change.planned_on
        assert standing(with_setting(there, before), before) == change.planned_on


@given(CONFIGURATIONS, DIAGNOSES, OPEN_POLICIES, AROUND, OPEN_POLICIES)
def test_a_stricter_policy_never_plans_a_larger_change(
    configuration: FunctionConfiguration,
    diagnosis: Diagnosis,
    policy: Policy,
    around: Surroundings,
    other: Policy,
) -> None:
    narrow = plan(configuration, diagnosis, stricter(policy, other), around)
    if not isinstance(narrow, Change):
        return
    wide = plan(configuration, diagnosis, policy, around)
    assert isinstance(wide, Change)
    assert (size(narrow.after) or 0) <= (size(wide.after) or 0)


@given(CONFIGURATIONS, DIAGNOSES, OPEN_POLICIES, AROUND)
def test_no_guardrail_has_to_decline_what_a_planner_made_under_the_same_policy(
    configuration: FunctionConfiguration,
    diagnosis: Diagnosis,
    policy: Policy,
    around: Surroundings,
) -> None:
    change = plan(configuration, diagnosis, policy, around)
    if not isinstance(change, Change):
        return
    # What nobody can tell of its traffic is asked.
    assert ruled(change, diagnosis, policy, configuration, around).action in {"apply", "ask"}
    # Taking back is not repairing: no size is lowered on the strength of a diagnosis.
    undone = ruled(change.inverse(), diagnosis, policy, configuration, around)
    assert undone.action == "decline" or is_move(change)
