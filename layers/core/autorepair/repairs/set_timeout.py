"""Raises the timeout, never above the cap or what a caller waits for."""

from __future__ import annotations

import math

from autorepair.domain.change import Change, RepairKind, TimeoutSetting
from autorepair.domain.configuration import MAX_TIMEOUT_S, FunctionConfiguration
from autorepair.domain.decision import Refusal, RefusalCode
from autorepair.domain.diagnosis import Diagnosis, RootCause, TimeoutNeed
from autorepair.domain.evidence import Caller
from autorepair.domain.policy import Policy
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
    bound = _bound(policy, surroundings.callers)
    if need.basis != "doubled":
        return _planned_for(need, configuration, bound, surroundings)
    if bound.timeout_s < present * _LEAST_RAISE:
        return _beyond(bound, f"the timeout of {present} s cannot be raised enough to matter")
    if need.seen_at_timeout_s not in {None, present}:
        return refused(
            RefusalCode.NO_EFFECT,
            f"the failures were seen at a timeout of {need.seen_at_timeout_s} s and it is "
            f"{present} s by now: see first whether that was enough",
        )
    target = min(2 * present, bound.timeout_s)
    return planned(
        configuration,
        surroundings,
        TimeoutSetting(timeout_s=present),
        TimeoutSetting(timeout_s=target),
    )


class _Bound:
    """The longest timeout that may be set, and what sets it."""

    def __init__(self, timeout_s: int, code: RefusalCode, why: str) -> None:
        self.timeout_s = timeout_s
        self.code = code
        self.why = why


def _bound(policy: Policy, callers: tuple[Caller, ...]) -> _Bound:
    cap = min(policy.caps.timeout_s, MAX_TIMEOUT_S)
    limits = [(c.timeout_limit_s, c) for c in callers if c.timeout_limit_s is not None]
    if limits:
        limit_s, caller = min(limits, key=lambda pair: pair[0])
        if limit_s < cap:
            why = f"{caller.kind} {caller.source} allows at most {limit_s:g} s"
            if caller.reason:
                why += f" ({caller.reason})"
            return _Bound(math.floor(limit_s), RefusalCode.CALLER_LIMIT, why)
    whose = "Lambda" if cap == MAX_TIMEOUT_S else "the policy"
    return _Bound(cap, RefusalCode.AT_CAP, f"{whose} allows at most {cap} s")


def _planned_for(
    need: TimeoutNeed,
    configuration: FunctionConfiguration,
    bound: _Bound,
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
    if bound.timeout_s <= present or needed_s / spare > bound.timeout_s:
        return _beyond(bound, f"the work needs {needed_s} s, and a smaller raise only delays")
    return planned(
        configuration,
        surroundings,
        TimeoutSetting(timeout_s=present),
        TimeoutSetting(timeout_s=min(max(needed_s, 2 * present), bound.timeout_s)),
    )


def _beyond(bound: _Bound, why: str) -> Refusal:
    return refused(
        bound.code, f"{why}: {bound.why}; split the work, make it faster or move it elsewhere"
    )


SET_TIMEOUT = Repair(
    RepairKind.SET_TIMEOUT, (RootCause.TIMEOUT_TOO_LOW,), TimeoutNeed, plan_timeout
)
