"""Raises the memory size, never above the cap or what the cap on cost pays for."""

from __future__ import annotations

import math

from autorepair.domain.change import Change, MemorySetting, RepairKind
from autorepair.domain.configuration import MAX_MEMORY_MB, FunctionConfiguration
from autorepair.domain.decision import Refusal, RefusalCode
from autorepair.domain.diagnosis import Diagnosis, MemoryNeed, RootCause
from autorepair.domain.policy import Policy
from autorepair.repairs.cost import cost_limit
from autorepair.repairs.limit import Limit, tightest
from autorepair.repairs.planner import Repair, Surroundings, planned, refused

_STEP_MB = 64
_LEAST_ADDED_MB = 192
_TARGET_SHARE = 0.8
# Below this much of a raise there is nothing to be hoped for from it.
_LEAST_RAISE = 1.1
_LEAST_PROCESSOR_RAISE = 1.5


def plan_memory(
    configuration: FunctionConfiguration,
    diagnosis: Diagnosis,
    policy: Policy,
    surroundings: Surroundings,
) -> Change | Refusal:
    """Plan a larger memory size, in megabytes, a multiple of 64 unless the cap is none.

    After a kill the true need is unknown, for what was used is cut off at the limit:
    max(2 M, M + 192), which takes 1.50 steps at 1.52 times what is needed (measured by simulation,
    docs/measurements.md; x 1.5 takes 3.07). A need that was seen is met by need / 0.8; one of
    processor, which comes with memory, is the size itself. Never lowers. A need that is known and
    above the cap, or above what the cap on added cost pays for, is refused.
    """
    present, need = configuration.memory_mb, diagnosis.need
    if not isinstance(need, MemoryNeed):
        return refused(RefusalCode.NOT_REPAIRABLE, "nothing tells how much memory is needed")
    cap = _limit(configuration, policy, surroundings)
    if cap.most < present * _LEAST_RAISE:
        return _at_limit(cap, f"the memory of {present} MB cannot be raised enough to matter")
    if need.basis == "processor":
        return _planned_for_processor(need, configuration, cap, surroundings)
    if need.basis != "doubled":
        return _planned_for(need.memory_mb, configuration, cap, surroundings)
    if need.seen_at_memory_mb not in {None, present}:
        return refused(
            RefusalCode.NO_EFFECT,
            f"the failures were seen at {need.seen_at_memory_mb} MB and the size is {present} MB "
            "by now: see first whether that was enough",
        )
    target = min(_rounded_up(max(2 * present, present + _LEAST_ADDED_MB)), cap.most)
    return _planned(configuration, surroundings, target)


def _planned_for(
    needed_mb: float, configuration: FunctionConfiguration, cap: Limit, surroundings: Surroundings
) -> Change | Refusal:
    present = configuration.memory_mb
    target = _rounded_up(needed_mb / _TARGET_SHARE)
    if target <= present:
        return refused(
            RefusalCode.NO_EFFECT,
            f"the work was seen to need {needed_mb:.0f} MB and has {present} MB already: "
            "look for another cause",
        )
    if cap.most < needed_mb * _LEAST_RAISE:
        return _at_limit(cap, f"the work was seen to need {needed_mb:.0f} MB and some to spare")
    return _planned(configuration, surroundings, min(target, cap.most))


def _planned_for_processor(
    need: MemoryNeed, configuration: FunctionConfiguration, cap: Limit, surroundings: Surroundings
) -> Change | Refusal:
    """Processor comes with memory in proportion, so part of the size is part of the cure."""
    present, target = configuration.memory_mb, _rounded_up(need.memory_mb)
    if need.seen_at_memory_mb not in {None, present} or target <= present:
        return refused(
            RefusalCode.NO_EFFECT,
            f"a size of {target} MB would give the work the processor it lacks and it has "
            f"{present} MB already: see first whether that was enough",
        )
    if cap.most < min(target, present * _LEAST_PROCESSOR_RAISE):
        return _at_limit(cap, f"at least half as much processor again as {present} MB is lacking")
    return _planned(configuration, surroundings, min(target, cap.most))


def _planned(
    configuration: FunctionConfiguration, surroundings: Surroundings, target_mb: int
) -> Change:
    return planned(
        configuration,
        surroundings,
        MemorySetting(memory_mb=configuration.memory_mb),
        MemorySetting(memory_mb=target_mb),
    )


def _limit(configuration: FunctionConfiguration, policy: Policy, around: Surroundings) -> Limit:
    cap = min(policy.caps.memory_mb, MAX_MEMORY_MB)
    whose = "Lambda" if cap == MAX_MEMORY_MB else "the policy"
    present = MemorySetting(memory_mb=configuration.memory_mb)
    return tightest(
        Limit(cap, RefusalCode.AT_CAP, f"{whose} allows at most {cap} MB"),
        (cost_limit(present, configuration, policy, around),),
    )


def _at_limit(limit: Limit, why: str) -> Refusal:
    return refused(limit.code, f"{why}: {limit.why}; work on smaller pieces or raise the cap")


def _rounded_up(memory_mb: float) -> int:
    return math.ceil(memory_mb / _STEP_MB) * _STEP_MB


SET_MEMORY = Repair(
    RepairKind.SET_MEMORY,
    (RootCause.MEMORY_EXHAUSTED, RootCause.CPU_STARVED, RootCause.INIT_TIMEOUT),
    MemoryNeed,
    plan_memory,
)
