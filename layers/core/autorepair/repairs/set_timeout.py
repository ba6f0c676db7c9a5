"""Raises the timeout, never above the cap, what a caller waits for, or what there is room for."""

from __future__ import annotations

import math

from autorepair.domain.change import Change, RepairKind, TimeoutSetting
from autorepair.domain.configuration import MAX_TIMEOUT_S, FunctionConfiguration
from autorepair.domain.decision import Refusal, RefusalCode
from autorepair.domain.diagnosis import Diagnosis, RootCause, TimeoutNeed
from autorepair.domain.evidence import Caller
from autorepair.domain.policy import Policy
from autorepair.repairs.cost import cost_limit
from autorepair.repairs.headroom import headroom_limit
from autorepair.repairs.limit import Limit, tightest
from autorepair.repairs.planner import Repair, Surroundings, planned, refused

# Where nothing tells the need, there is nothing to be hoped for from a smaller raise.
_LEAST_RAISE = 1.2
# A fitted need is the duration that 1 in 1,000 pass, times this (measured by simulation).
_FITTED_SPARE = 1.2


def plan_timeout(
    configuration: FunctionConfiguration,
    diagnosis: Diagnosis,
    policy: Policy,
    surroundings: Surroundings,
) -> Change | Refusal:
    """Plan a longer timeout, in whole seconds.

    Twice the present timeout, or more where the need that was fitted or observed is more: what was
    seen is cut off at the timeout, and room to spare costs nothing while nothing hangs. An unknown
    need is met by the double and not more (measured by simulation: with fewer than 30 completions
    nothing better is known). Never lowers. A need above what is allowed is refused: a raise that
    is too small only delays the time-out and costs more. Only the fifth that a fitted need has to
    spare may be given up.
    """
    present, need = configuration.timeout_s, diagnosis.need
    if not isinstance(need, TimeoutNeed):
        return refused(RefusalCode.NOT_REPAIRABLE, "nothing tells how long the work takes")
    limit = _limit(configuration, policy, surroundings)
    if need.basis != "doubled":
        return _planned_for(need, configuration, limit, surroundings)
    if limit.most < present * _LEAST_RAISE:
        return _beyond(limit, f"the timeout of {present} s cannot be raised enough to matter")
    if need.seen_at_timeout_s not in {None, present}:
        return refused(
            RefusalCode.NO_EFFECT,
            f"the failures were seen at a timeout of {need.seen_at_timeout_s} s and it is "
            f"{present} s by now: see first whether that was enough",
        )
    target = min(2 * present, limit.most)
    return planned(
        configuration,
        surroundings,
        TimeoutSetting(timeout_s=present),
        TimeoutSetting(timeout_s=target),
    )


def _limit(configuration: FunctionConfiguration, policy: Policy, around: Surroundings) -> Limit:
    """Give the longest timeout that may be set: what waits, what it costs, and what has room."""
    cap = min(policy.caps.timeout_s, MAX_TIMEOUT_S)
    whose = "Lambda" if cap == MAX_TIMEOUT_S else "the policy"
    present = TimeoutSetting(timeout_s=configuration.timeout_s)
    return tightest(
        Limit(cap, RefusalCode.AT_CAP, f"{whose} allows at most {cap} s"),
        (
            _caller_limit(around.callers),
            cost_limit(present, configuration, policy, around),
            headroom_limit(configuration, around),
        ),
    )


def _caller_limit(callers: tuple[Caller, ...]) -> Limit | None:
    limits = [(c.timeout_limit_s, c) for c in callers if c.timeout_limit_s is not None]
    if not limits:
        return None
    limit_s, caller = min(limits, key=lambda pair: pair[0])
    why = f"{caller.kind} {caller.source} allows at most {limit_s:g} s"
    if caller.reason:
        why += f" ({caller.reason})"
    return Limit(math.floor(limit_s), RefusalCode.CALLER_LIMIT, why)


def _planned_for(
    need: TimeoutNeed,
    configuration: FunctionConfiguration,
    limit: Limit,
    surroundings: Surroundings,
) -> Change | Refusal:
    present = configuration.timeout_s
    needed_s = math.ceil(need.duration_ms / 1000)
    if needed_s <= present:
        return refused(
            RefusalCode.NO_EFFECT,
            f"the work needs {needed_s} s and the timeout is {present} s already: "
            "look for another cause",
        )
    spare = _FITTED_SPARE if need.basis == "fitted" else 1.0
    if limit.most <= present or needed_s / spare > limit.most:
        return _beyond(limit, f"the work needs {needed_s} s, and a smaller raise only delays")
    least_s = max(present + 1, needed_s / spare)
    most = _advised(surroundings.callers, limit.most, least_s=least_s)
    return planned(
        configuration,
        surroundings,
        TimeoutSetting(timeout_s=present),
        TimeoutSetting(timeout_s=min(max(needed_s, 2 * present), most)),
    )


def _advised(callers: tuple[Caller, ...], most: int, *, least_s: float) -> int:
    """Give what is advised for the callers, where that is enough for the need; else the most."""
    told = [math.floor(c.timeout_advised_s) for c in callers if c.timeout_advised_s is not None]
    advised = min(told, default=most)
    return min(advised, most) if advised >= least_s else most


def _beyond(limit: Limit, why: str) -> Refusal:
    return refused(
        limit.code, f"{why}: {limit.why}; split the work, make it faster or move it elsewhere"
    )


SET_TIMEOUT = Repair(
    RepairKind.SET_TIMEOUT, (RootCause.TIMEOUT_TOO_LOW,), TimeoutNeed, plan_timeout
)
