"""The limits that no diagnosis can pass: what is applied, asked, only observed, or declined."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime

from autorepair.domain.change import (
    AliasSetting,
    Change,
    EnvironmentSetting,
    EphemeralStorageSetting,
    MemorySetting,
    ReservedConcurrencySetting,
    Setting,
    TimeoutSetting,
)
from autorepair.domain.configuration import (
    ENROLMENT_TAG,
    ENROLMENT_VALUE,
    SERVICE_PREFIX,
    FunctionConfiguration,
)
from autorepair.domain.decision import Decision, Refusal, RefusalCode
from autorepair.domain.diagnosis import Diagnosis
from autorepair.domain.evidence import Gap
from autorepair.domain.ledger import History
from autorepair.domain.policy import Mode, Policy
from autorepair.repairs.frequency import setting_in_words, too_often
from autorepair.repairs.planner import refused
from autorepair.repairs.set_env import RESERVED_NAMES

LEAST_CONFIDENCE = 0.6
"""Below this nothing is done."""
UNATTENDED_CONFIDENCE = 0.8
"""Below this a person is asked."""


@dataclass(frozen=True, slots=True)
class _Case:
    """All that a guardrail may look at."""

    change: Change
    diagnosis: Diagnosis
    policy: Policy
    configuration: FunctionConfiguration
    step: int
    history: History
    gaps: tuple[Gap, ...]
    now: datetime


def decide(  # noqa: PLR0913 (a decision rests on all of these, and none may be left to a default)
    planned: Change | Refusal,
    diagnosis: Diagnosis,
    policy: Policy,
    configuration: FunctionConfiguration,
    *,
    step: int,
    history: History,
    gaps: tuple[Gap, ...],
    now: datetime,
) -> Decision:
    """Lay every guardrail over a plan; the first that speaks decides.

    ``step`` counts the changes of this incident, this one included. ``policy`` is the one in
    force for this function, already tightened; ``gaps`` say what could not be read; ``now`` is
    held against its schedule and ``history``. A declined or observed change stays in the decision,
    as what would have been done.
    """
    if configuration.function_name.startswith(SERVICE_PREFIX):
        return _declined(_own_function(configuration), planned, step)
    if isinstance(planned, Refusal):
        return _declined(planned, planned, step)
    case = _Case(planned, diagnosis, policy, configuration, step, history, gaps, now)
    for guardrail in _DECLINING:
        refusal = guardrail(case)
        if refusal is not None:
            return _declined(refusal, planned, step)
    return _allowed(case)


def _own_function(configuration: FunctionConfiguration) -> Refusal:
    return refused(
        RefusalCode.OWN_FUNCTION,
        f"{configuration.function_name} is part of this service, which never repairs itself",
    )


def _not_enrolled(case: _Case) -> Refusal | None:
    if case.configuration.is_enrolled:
        return None
    return refused(
        RefusalCode.NOT_ENROLLED,
        f"the function has no tag {ENROLMENT_TAG}={ENROLMENT_VALUE}: its owner has not asked",
    )


def _not_settled(case: _Case) -> Refusal | None:
    state, update = case.configuration.state, case.configuration.last_update_status
    if state == "Active" and update == "Successful":
        return None
    return refused(
        RefusalCode.NOT_ACTIVE,
        f"the function is {state} and its last update {update}: what would be changed is not "
        "what is running",
    )


def _unsure(case: _Case) -> Refusal | None:
    if case.diagnosis.confidence >= LEAST_CONFIDENCE:
        return None
    return refused(
        RefusalCode.LOW_CONFIDENCE,
        f"a confidence of {case.diagnosis.confidence:.2f} is below {LEAST_CONFIDENCE}: "
        "look at the evidence",
    )


def _used_up(case: _Case) -> Refusal | None:
    allowed = case.policy.limits.steps_per_incident
    if case.step <= allowed:
        return None
    why = f"{allowed} changes were made in this incident and it still is not cured"
    begun, now = case.history.origin, case.change.before
    if begun is not None and begun.kind is case.change.kind:
        path = f"from {setting_in_words(begun.before)} to {setting_in_words(now)}"
        why += f" ({path}): what grows with every step is a leak or a wrong cause"
    return refused(RefusalCode.STEPS_USED_UP, why)


def _paused(case: _Case) -> Refusal | None:
    pause = case.history.pause
    if pause is None:
        return None
    return refused(RefusalCode.PAUSED, f"{pause.told()}: resume them first")


def _too_often(case: _Case) -> Refusal | None:
    return too_often(case.change, case.policy, case.history, case.now)


def _unscheduled(case: _Case) -> Refusal | None:
    return case.policy.schedule.refusal_at(case.now)


def _out_of_bounds(case: _Case) -> Refusal | None:
    """Hold the bounds once more, whatever the planner did."""
    return _BOUNDS[type(case.change.after)](case)


def _raise_out_of_bounds(case: _Case) -> Refusal | None:
    caps = case.policy.caps
    allowed: dict[type[object], tuple[int, str]] = {
        TimeoutSetting: (caps.timeout_s, "s"),
        MemorySetting: (caps.memory_mb, "MB"),
        EphemeralStorageSetting: (caps.ephemeral_storage_mb, "MB"),
        ReservedConcurrencySetting: (caps.reserved_concurrency, "executions"),
    }
    before, after = _figure(case.change.before), _figure(case.change.after)
    return _figure_out_of_bounds(before, after, *allowed[type(case.change.after)])


def _figure(setting: Setting) -> int | None:
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


def _alias_out_of_bounds(case: _Case) -> Refusal | None:
    before, after = case.change.before, case.change.after
    is_move = (
        isinstance(before, AliasSetting)
        and isinstance(after, AliasSetting)
        and before.alias == after.alias == case.change.target.qualifier
        and before.version != after.version
    )
    if is_move:
        return None
    return refused(RefusalCode.NO_EFFECT, "that does not move one alias to another version")


def _figure_out_of_bounds(
    before: int | None, after: int | None, cap: int, unit: str
) -> Refusal | None:
    if before is None or after is None or after <= before:
        return refused(RefusalCode.NO_EFFECT, f"from {before} to {after} {unit} is not a raise")
    if after > cap:
        return refused(RefusalCode.AT_CAP, f"{after} {unit} is above the cap of {cap} {unit}")
    return None


def _environment_out_of_bounds(case: _Case) -> Refusal | None:
    names = _names(case.change)
    if reserved := sorted(names & RESERVED_NAMES):
        return refused(RefusalCode.RESERVED_NAME, f"{', '.join(reserved)} belongs to Lambda")
    if case.configuration.is_env_unreadable:
        return refused(
            RefusalCode.UNREADABLE_ENVIRONMENT, "a write would wipe variables that cannot be read"
        )
    if unwelcome := sorted(n for n in names if not case.policy.env.may_touch(n)):
        return refused(
            RefusalCode.NAME_NOT_ALLOWED, f"the policy keeps {', '.join(unwelcome)} out of reach"
        )
    return None


def _names(change: Change) -> set[str]:
    after = change.after
    return set(after.variables) if isinstance(after, EnvironmentSetting) else set()


_BOUNDS: dict[type[object], Callable[[_Case], Refusal | None]] = {
    TimeoutSetting: _raise_out_of_bounds,
    MemorySetting: _raise_out_of_bounds,
    EphemeralStorageSetting: _raise_out_of_bounds,
    ReservedConcurrencySetting: _raise_out_of_bounds,
    EnvironmentSetting: _environment_out_of_bounds,
    AliasSetting: _alias_out_of_bounds,
}
_DECLINING: tuple[Callable[[_Case], Refusal | None], ...] = (
    _not_enrolled,
    _not_settled,
    _unsure,
    _used_up,
    _paused,
    _unscheduled,
    _out_of_bounds,
    _too_often,
)


def _declined(refusal: Refusal, planned: Change | Refusal, step: int) -> Decision:
    change = planned if isinstance(planned, Change) else None
    return Decision(
        action="decline",
        reason=refusal.why,
        refusal=refusal,
        change=change,
        plan_hash=change.plan_hash if change else None,
        step=step,
    )


def _allowed(case: _Case) -> Decision:
    """Say how far a change may go that no guardrail declines."""
    mode = case.policy.mode_of(case.change.kind)
    refusal: Refusal | None = None
    if mode in {Mode.OFF, Mode.OBSERVE}:
        reason = f"the mode of {case.change.kind.value} is {mode.value}: only observing"
        refusal = refused(RefusalCode.MODE, reason)
        return _decision(case, "observe", reason, refusal)
    question, refusal = _question(case, mode)
    if question is not None:
        return _decision(case, "ask", question, refusal)
    return _decision(case, "apply", case.diagnosis.why, None)


def _question(case: _Case, mode: Mode) -> tuple[str | None, Refusal | None]:
    """Give the reason why a person has to agree, or None."""
    if risky := sorted(n for n in _names(case.change) if case.policy.env.must_ask(n)):
        why = f"{', '.join(risky)} can make the function run other code: never unattended"
        return why, refused(RefusalCode.CODE_EXECUTING_NAME, why)
    if case.diagnosis.source != "rules":
        return "the diagnosis rests on a model alone", None
    if case.diagnosis.confidence < UNATTENDED_CONFIDENCE:
        figure = f"{case.diagnosis.confidence:.2f}"
        why = f"a confidence of {figure} is below {UNATTENDED_CONFIDENCE}, so a person decides"
        return why, refused(RefusalCode.LOW_CONFIDENCE, why)
    for doubt_of, code in _DOUBTS:
        if (doubt := doubt_of(case)) is not None:
            return doubt, refused(code, doubt)
    if mode is Mode.ASK:
        why = f"the mode of {case.change.kind.value} is ask"
        return why, refused(RefusalCode.MODE, why)
    return None, None


def _storm(case: _Case) -> str | None:
    """What strikes many functions at once is seldom cured function by function."""
    trip = case.history.ledger.of_account.trip
    if trip is None:
        return None
    return f"the storm breaker has tripped, for this is one incident upstream: {trip.told()}"


def _unseen_callers(case: _Case) -> str | None:
    """A limit that could not be read is not the absence of one."""
    unseen = [gap for gap in case.gaps if gap.source.split("/")[0] == "callers"]
    if not unseen or not isinstance(case.change.after, TimeoutSetting):
        return None
    return (
        "not everybody who calls the function could be read, so a longer timeout may be more than "
        f"one of them waits for: {unseen[0].reason}"
    )


def _unseen_headroom(case: _Case) -> str | None:
    """What one function reserves is taken from all others."""
    unseen = [gap for gap in case.gaps if gap.source.split("/")[0] == "concurrency"]
    if not unseen or not isinstance(case.change.after, ReservedConcurrencySetting):
        return None
    return (
        f"how much the account has left for other functions could not be read: {unseen[0].reason}"
    )


_DOUBTS: tuple[tuple[Callable[[_Case], str | None], RefusalCode], ...] = (
    (_storm, RefusalCode.BREAKER),
    (_unseen_callers, RefusalCode.CALLER_LIMIT),
    (_unseen_headroom, RefusalCode.NO_HEADROOM),
)


def _decision(case: _Case, action: str, reason: str, refusal: Refusal | None) -> Decision:
    return Decision.model_validate(
        {
            "action": action,
            "reason": reason,
            "change": case.change,
            "refusal": refusal,
            "plan_hash": case.change.plan_hash,
            "step": case.step,
            "approval_timeout_s": case.policy.approval.timeout_s if action == "ask" else 0,
        }
    )
