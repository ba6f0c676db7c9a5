"""What has to hold of every plan, whatever the configuration, the evidence and the policy."""

from __future__ import annotations

from datetime import UTC, datetime

from hypothesis import given
from hypothesis import strategies as st

from autorepair.domain.change import (
    AliasSetting,
    Change,
    EphemeralStorageSetting,
    MemorySetting,
    RepairKind,
    ReservedConcurrencySetting,
    Setting,
    TimeoutSetting,
)
from autorepair.domain.configuration import FunctionConfiguration
from autorepair.domain.diagnosis import (
    ConcurrencyNeed,
    Diagnosis,
    MemoryNeed,
    RootCause,
    StorageNeed,
    TimeoutNeed,
    VersionNeed,
)
from autorepair.domain.evidence import AccountConcurrency, Alias, Caller, PublishedVersion
from autorepair.domain.ledger import History
from autorepair.domain.policy import Caps, Mode, Policy
from autorepair.domain.standing import standing, with_setting
from autorepair.repairs.guardrails import decide
from autorepair.repairs.planner import Surroundings
from autorepair.repairs.registry import plan
from unit.logbook import TARGET, configured, diagnosed, summed_up

NOON = datetime(2026, 3, 4, 12, 0, tzinfo=UTC)
VERSIONS = ("40", "41", "42")
KEPT_FOR_OTHERS = 100

CONFIGURATIONS = st.builds(
    configured,
    timeout_s=st.integers(1, 900),
    memory_mb=st.integers(128, 10_240),
    ephemeral_storage_mb=st.integers(512, 10_240),
    reserved_concurrency=st.none() | st.integers(0, 400),
)
SEEN = st.none() | st.integers(1, 10_240)
AMOUNTS = st.floats(0, 20_000)
DIAGNOSES = st.one_of(
    st.builds(
        TimeoutNeed,
        duration_ms=st.floats(0, 2e6),
        basis=st.sampled_from(["fitted", "doubled", "observed"]),
        seen_at_timeout_s=SEEN,
    ).map(lambda need: diagnosed(RootCause.TIMEOUT_TOO_LOW, need)),
    st.builds(
        MemoryNeed,
        memory_mb=AMOUNTS,
        basis=st.sampled_from(["doubled", "observed", "formerly_sufficient", "processor"]),
        seen_at_memory_mb=SEEN,
    ).map(lambda need: diagnosed(RootCause.CPU_STARVED, need)),
    st.builds(
        StorageNeed,
        storage_mb=AMOUNTS,
        basis=st.sampled_from(["observed", "doubled"]),
        seen_at_storage_mb=SEEN,
    ).map(lambda need: diagnosed(RootCause.EPHEMERAL_STORAGE_FULL, need)),
    st.builds(
        ConcurrencyNeed, executions=st.floats(0, 2000), seen_at_reserved=st.none() | SEEN
    ).map(lambda need: diagnosed(RootCause.CONCURRENCY_LIMITED, need)),
    st.builds(
        VersionNeed,
        alias=st.sampled_from(["live", "test"]),
        bad_version=st.sampled_from(VERSIONS),
        good_version=st.sampled_from(VERSIONS),
    ).map(lambda need: diagnosed(RootCause.BAD_DEPLOYMENT, need, failing_versions=("42",))),
)
POLICIES = st.builds(
    lambda **caps: Policy(modes=dict.fromkeys(RepairKind, Mode.AUTO), caps=Caps(**caps)),
    timeout_s=st.integers(1, 900),
    memory_mb=st.integers(128, 10_240),
    ephemeral_storage_mb=st.integers(512, 10_240),
    reserved_concurrency=st.integers(0, 1000),
)
AROUND = st.builds(
    lambda limit, unreserved, points, also, published: Surroundings(
        TARGET,
        (Caller(kind="other", source="c", timeout_limit_s=limit),),
        aliases=(Alias(name="live", version=points, also=also),),
        versions=tuple(
            PublishedVersion(version=v, code_sha256=v, timeout_s=3, memory_mb=128)
            for v in published
        ),
        account=None
        if unreserved is None
        else AccountConcurrency(limit=1000, unreserved=unreserved),
    ),
    st.none() | st.floats(0, 2000),
    st.none() | st.integers(0, 1000),
    st.sampled_from(VERSIONS),
    st.just({}) | st.just({"41": 0.5}),
    st.sets(st.sampled_from(VERSIONS)),
)


def size(setting: Setting) -> int | None:
    match setting:
        case TimeoutSetting():
            return setting.timeout_s
        case MemorySetting():
            return setting.memory_mb
        case EphemeralStorageSetting():
            return setting.ephemeral_storage_mb
        case ReservedConcurrencySetting():
            return setting.reserved_concurrency
        case _:
            return None


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


@given(CONFIGURATIONS, DIAGNOSES, POLICIES, AROUND)
def test_no_plan_lowers_a_size_or_leaves_any_bound(
    configuration: FunctionConfiguration,
    diagnosis: Diagnosis,
    policy: Policy,
    around: Surroundings,
) -> None:
    change = plan(configuration, diagnosis, policy, around)
    if not isinstance(change, Change) or isinstance(change.after, AliasSetting):
        return
    before, after = size(change.before), size(change.after)
    assert before is not None
    assert after is not None
    assert before < after <= bound(change, policy, around)


@given(CONFIGURATIONS, DIAGNOSES, POLICIES, AROUND)
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


@given(CONFIGURATIONS, DIAGNOSES, POLICIES, AROUND)
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


@given(CONFIGURATIONS, DIAGNOSES, POLICIES, AROUND, POLICIES)
def test_a_stricter_policy_never_leads_to_a_larger_change(
    configuration: FunctionConfiguration,
    diagnosis: Diagnosis,
    policy: Policy,
    around: Surroundings,
    other: Policy,
) -> None:
    least = {
        name: min(getattr(policy.caps, name), getattr(other.caps, name))
        for name in type(policy.caps).model_fields
    }
    stricter = policy.model_copy(update={"caps": Caps.model_validate(least)})
    narrow = plan(configuration, diagnosis, stricter, around)
    if not isinstance(narrow, Change):
        return
    wide = plan(configuration, diagnosis, policy, around)
    assert isinstance(wide, Change)
    assert (size(narrow.after) or 0) <= (size(wide.after) or 0)


@given(CONFIGURATIONS, DIAGNOSES, POLICIES, AROUND)
def test_no_guardrail_has_to_stop_what_a_planner_made_under_the_same_policy(
    configuration: FunctionConfiguration,
    diagnosis: Diagnosis,
    policy: Policy,
    around: Surroundings,
) -> None:
    change = plan(configuration, diagnosis, policy, around)
    if not isinstance(change, Change):
        return
    decision = decide(
        change,
        diagnosis,
        policy,
        configuration,
        step=1,
        history=History(incident_id="inc-1"),
        seen=summed_up(),
        now=NOON,
    )
    assert decision.action == "apply"
    undone = decide(
        change.inverse(),
        diagnosis,
        policy,
        configuration,
        step=1,
        history=History(incident_id="inc-1"),
        seen=summed_up(),
        now=NOON,
    )
    # Taking back is not repairing: no size is lowered on the strength of a diagnosis.
    assert undone.action == "decline" or isinstance(change.after, AliasSetting)
