"""The limits that no diagnosis can pass: what is applied, asked, only observed, or declined."""

from __future__ import annotations

from datetime import datetime

from autorepair.domain.change import Change
from autorepair.domain.circumstances import Circumstances
from autorepair.domain.configuration import FunctionConfiguration
from autorepair.domain.decision import Decision, Refusal, RefusalCode
from autorepair.domain.diagnosis import Diagnosis
from autorepair.domain.evidence import EvidenceSummary
from autorepair.domain.ledger import History
from autorepair.domain.policy import Mode, Policy
from autorepair.repairs.bounds import out_of_bounds
from autorepair.repairs.case import Case, Doubt, Guardrail
from autorepair.repairs.cost import added_cost, too_costly
from autorepair.repairs.deployment import DEPLOYMENT, running_deployment
from autorepair.repairs.doubts import DOUBTS
from autorepair.repairs.fitness import FITNESS, own_function
from autorepair.repairs.frequency import setting_in_words, too_often
from autorepair.repairs.headroom import no_headroom
from autorepair.repairs.planner import refused

LEAST_CONFIDENCE = 0.6
"""Below this nothing is done."""
UNATTENDED_CONFIDENCE = 0.8
"""Below this a person is asked."""


def decide(  # noqa: PLR0913 (a decision rests on all of these, and none may be left to a default)
    planned: Change | Refusal,
    diagnosis: Diagnosis,
    policy: Policy,
    configuration: FunctionConfiguration,
    *,
    step: int,
    history: History,
    seen: EvidenceSummary,
    circumstances: Circumstances,
    now: datetime,
) -> Decision:
    """Lay every guardrail over a plan; the first that speaks decides.

    ``step`` counts the changes of this incident, this one included. ``policy`` is the one in force
    for this function, already tightened; ``seen`` sums up what was collected, and what could not be
    read; ``circumstances`` were read for this very ruling; ``now`` is held against its schedule and
    ``history``. A declined or observed change stays in the decision, as what would have been done.
    """
    if (own := own_function(configuration)) is not None:
        return _declined(own, planned, step)
    if isinstance(planned, Refusal):
        return _declined(planned, planned, step)
    case = Case(planned, diagnosis, policy, configuration, step, history, seen, circumstances, now)
    for guardrail in _DECLINING:
        refusal = guardrail(case)
        if refusal is not None:
            return _decision(case, "decline", refusal.why, refusal)
    return _allowed(case)


def _unsure(case: Case) -> Refusal | None:
    if case.diagnosis.confidence >= LEAST_CONFIDENCE:
        return None
    return refused(
        RefusalCode.LOW_CONFIDENCE,
        f"a confidence of {case.diagnosis.confidence:.2f} is below {LEAST_CONFIDENCE}: "
        "look at the evidence",
    )


def _used_up(case: Case) -> Refusal | None:
    allowed = case.policy.limits.steps_per_incident
    if case.step <= allowed:
        return None
    why = f"{allowed} changes were made in this incident and it still is not cured"
    begun, now = case.history.origin, case.change.before
    if begun is not None and begun.kind is case.change.kind:
        path = f"from {setting_in_words(begun.before)} to {setting_in_words(now)}"
        why += f" ({path}): what grows with every step is a leak or a wrong cause"
    return refused(RefusalCode.STEPS_USED_UP, why)


def _paused(case: Case) -> Refusal | None:
    pause = case.history.pause
    if pause is None:
        return None
    return refused(RefusalCode.PAUSED, f"{pause.told()}: resume them first")


def _too_often(case: Case) -> Refusal | None:
    return too_often(case.change, case.policy, case.history, case.now)


def _unscheduled(case: Case) -> Refusal | None:
    return case.policy.schedule.refusal_at(case.now)


_DECLINING: tuple[Guardrail, ...] = (
    *FITNESS,
    _unsure,
    _used_up,
    _paused,
    _unscheduled,
    *DEPLOYMENT,
    out_of_bounds,
    too_costly,
    no_headroom,
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


def _allowed(case: Case) -> Decision:
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


def _question(case: Case, mode: Mode) -> tuple[str | None, Refusal | None]:
    """Give the reason why a person has to agree, or None."""
    for question_of, code in _QUESTIONS:
        if (question := question_of(case)) is not None:
            return question, refused(code, question)
    if mode is Mode.ASK:
        why = f"the mode of {case.change.kind.value} is ask"
        return why, refused(RefusalCode.MODE, why)
    return None, None


def _runs_other_code(case: Case) -> str | None:
    risky = sorted(name for name in case.names if case.policy.env.must_ask(name))
    if not risky:
        return None
    return f"{', '.join(risky)} can make the function run other code: never unattended"


def _rests_on_a_model(case: Case) -> str | None:
    return None if case.diagnosis.source == "rules" else "the diagnosis rests on a model alone"


def _is_half_sure(case: Case) -> str | None:
    if case.diagnosis.confidence >= UNATTENDED_CONFIDENCE:
        return None
    figure = f"{case.diagnosis.confidence:.2f}"
    return f"a confidence of {figure} is below {UNATTENDED_CONFIDENCE}, so a person decides"


# A deployment under way comes first: whoever agreed without knowing of it is asked again.
_QUESTIONS: tuple[tuple[Doubt, RefusalCode], ...] = (
    (running_deployment, RefusalCode.DEPLOYMENT_RUNNING),
    (_runs_other_code, RefusalCode.CODE_EXECUTING_NAME),
    (_rests_on_a_model, RefusalCode.MODEL_ALONE),
    (_is_half_sure, RefusalCode.LOW_CONFIDENCE),
    *DOUBTS,
)


def _decision(case: Case, action: str, reason: str, refusal: Refusal | None) -> Decision:
    return Decision.model_validate(
        {
            "action": action,
            "reason": reason,
            "change": case.change,
            "refusal": refusal,
            "plan_hash": case.change.plan_hash,
            "cost": added_cost(case),
            "step": case.step,
            "approval_timeout_s": case.policy.approval.timeout_s if action == "ask" else 0,
        }
    )
