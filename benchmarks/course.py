"""One incident from its evidence to the last verdict: the real rules, planners and judge."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from autorepair.causes.weighing import diagnose
from autorepair.domain.change import Change, MemorySetting, Setting, TimeoutSetting
from autorepair.domain.configuration import FunctionConfiguration
from autorepair.domain.diagnosis import Diagnosis
from autorepair.domain.evidence import Evidence
from autorepair.domain.policy import Policy
from autorepair.domain.verdict import Judgement, judge
from autorepair.domain.verification import SeenNeed
from autorepair.repairs.guardrails import LEAST_CONFIDENCE, UNATTENDED_CONFIDENCE
from autorepair.steps.planning import plan_step
from autorepair.steps.sampling import sample
from autorepair.steps.shortfall import shortfall
from benchmarks.patient import TARGET

Traffic = Callable[[FunctionConfiguration, int], Evidence]
"""Gives what is seen of a configuration in so many windows."""


@dataclass(frozen=True, slots=True)
class Course:
    """What became of an incident: ``action`` is the first decision's, ``sizes`` what was set."""

    action: str
    sizes: tuple[int, ...]
    ending: str


def run(before: Evidence, traffic: Traffic, policy: Policy) -> Course:
    """Diagnose, plan, apply and judge until the state machine would end the incident."""
    diagnosis = diagnose(before)
    configuration, sizes, need = before.configuration, list[int](), None
    action, ending = "decline", "declined"
    for step in range(1, policy.limits.steps_per_incident + 1):
        change = plan_step(TARGET, configuration, diagnosis, policy, before, step=step, seen=need)
        if not isinstance(change, Change):
            return Course(action, tuple(sizes), "refused" if sizes else ending)
        if step == 1:
            action = _action(diagnosis)
            if action not in {"apply", "ask"}:
                return Course(action, (), ending)
        configuration = with_size(configuration, change.after)
        sizes.append(size_of(change.after))
        judgement, need = _judged(before, configuration, traffic, diagnosis, policy, step=step)
        ending = judgement.verdict.value
        if judgement.next != "step":
            break
    return Course(action, tuple(sizes), ending)


def _action(diagnosis: Diagnosis) -> str:
    """Say how far this confidence goes where every kind of repair may go by itself."""
    if diagnosis.confidence >= UNATTENDED_CONFIDENCE:
        return "apply"
    return "ask" if diagnosis.confidence >= LEAST_CONFIDENCE else "observe"


def _judged(  # noqa: PLR0913 (a verdict rests on all of these)
    before: Evidence,
    configuration: FunctionConfiguration,
    traffic: Traffic,
    diagnosis: Diagnosis,
    policy: Policy,
    *,
    step: int,
) -> tuple[Judgement, SeenNeed]:
    """Look at the traffic, window by window, until there is a verdict or no window is left."""
    cause, setting = diagnosis.root_cause, _setting_of(before.configuration, diagnosis)
    earlier = sample(before, cause, setting=setting)
    for windows in range(1, policy.verification.max_windows + 1):
        after = traffic(configuration, windows)
        later = sample(after, cause, setting=setting)
        lacking = shortfall(cause, after, earlier=earlier, later=later)
        further = plan_step(
            TARGET, configuration, diagnosis, policy, before, step=step + 1, seen=lacking.need
        )
        judgement = judge(
            earlier,
            later,
            early=later,
            is_partial=False,
            windows_used=windows,
            rules=policy.verification,
            shortage=lacking.shortage,
            step=step,
            steps_allowed=policy.limits.steps_per_incident if isinstance(further, Change) else step,
            looks_within=0,
        )
        if judgement.next != "wait":
            break
    return judgement, lacking.need


def _setting_of(configuration: FunctionConfiguration, diagnosis: Diagnosis) -> Setting:
    if diagnosis.root_cause.value == "memory_exhausted":
        return MemorySetting(memory_mb=configuration.memory_mb)
    return TimeoutSetting(timeout_s=configuration.timeout_s)


def size_of(setting: Setting) -> int:
    """Give the size that a setting sets.

    Raises:
        ValueError: It is neither a memory size nor a timeout.
    """
    match setting:
        case MemorySetting():
            return setting.memory_mb
        case TimeoutSetting():
            return setting.timeout_s
        case _:
            raise ValueError(f"only memory and timeouts are simulated, and this is {setting}")


def with_size(configuration: FunctionConfiguration, setting: Setting) -> FunctionConfiguration:
    """Give the configuration with a memory size or a timeout set."""
    name = "memory_mb" if isinstance(setting, MemorySetting) else "timeout_s"
    return configuration.model_copy(update={name: size_of(setting)})
