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


def plan_timeout(
    configuration: FunctionConfiguration,
    diagnosis: Diagnosis,
    policy: Policy,
    surroundings: Surroundings,
) -> Change | Refusal:
    """Plan a longer timeout, in whole seconds.

    A need that was fitted or observed is taken as it is; an unknown one is met by twice the
    present timeout and not more (measured by simulation: with fewer than 30 completions nothing
    better is known). Never lowers. A need above what is allowed is refused: a raise that is too
    small only delays the time-out and costs more.
    """
    present = configuration.timeout_s
    need = diagnosis.need if isinstance(diagnosis.need, TimeoutNeed) else None
    bound = _bound(policy, surroundings.callers)
    if bound.timeout_s <= present:
        return _beyond(bound, f"the timeout of {present} s cannot be raised")
    if need is not None and need.basis != "doubled":
        return _planned_for(math.ceil(need.duration_ms / 1000), configuration, bound, surroundings)
    if need is not None and need.seen_at_timeout_s not in {None, present}:
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
    needed_s: int, configuration: FunctionConfiguration, bound: _Bound, surroundings: Surroundings
) -> Change | Refusal:
    present = configuration.timeout_s
    if needed_s <= present:
        return refused(
            RefusalCode.NO_EFFECT,
            f"the work needs {needed_s} s and the timeout is {present} s already: "
            "look for another cause",
        )
    if needed_s > bound.timeout_s:
        return _beyond(bound, f"the work needs {needed_s} s, and a smaller raise only delays")
    return planned(
        configuration,
        surroundings,
        TimeoutSetting(timeout_s=present),
        TimeoutSetting(timeout_s=needed_s),
    )


def _beyond(bound: _Bound, why: str) -> Refusal:
    return refused(
        bound.code, f"{why}: {bound.why}; split the work, make it faster or move it elsewhere"
    )


SET_TIMEOUT = Repair(RepairKind.SET_TIMEOUT, (RootCause.TIMEOUT_TOO_LOW,), plan_timeout)
