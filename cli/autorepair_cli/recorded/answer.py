"""What a run concludes, in the shape that is written out: one JSON line a case."""

from __future__ import annotations

from typing import Any

from autorepair.domain.change import (
    Absent,
    AliasSetting,
    Change,
    EnvironmentSetting,
    EphemeralStorageSetting,
    MemorySetting,
    ReservedConcurrencySetting,
    Setting,
    TimeoutSetting,
)
from autorepair.domain.diagnosis import RootCause
from autorepair_cli.recorded.run import Run

Line = dict[str, Any]
_DONE = frozenset({"apply", "ask"})


def line_of(case_id: str, run: Run) -> Line:
    """Give the conclusion of one case. ``repair`` is what would be applied or asked for."""
    diagnosis, decision = run.diagnosis, run.decision
    label = diagnosis.root_cause
    return {
        "id": case_id,
        "root_cause": (RootCause.INSUFFICIENT_EVIDENCE if label is RootCause.UNKNOWN else label),
        "confidence": diagnosis.confidence,
        "source": diagnosis.source,
        "repair": repair_of(decision.change) if decision.action in _DONE else None,
        "why": _why(run),
        "cited": list(diagnosis.cites),
    }


def _why(run: Run) -> str:
    """Give the reason of the diagnosis, and that of the decision where it says more."""
    why, reason = run.diagnosis.why, run.decision.reason
    return why if reason in why or why in reason else f"{why}; {run.decision.action}: {reason}"


def repair_of(change: Change | None) -> Line | None:
    """Give a change as action and values; of an environment names only."""
    return None if change is None else _written(change.after)


def _written(setting: Setting) -> Line:
    match setting:
        case TimeoutSetting():
            return {"action": setting.kind, "timeout_s": setting.timeout_s}
        case MemorySetting():
            return {"action": setting.kind, "memory_mb": setting.memory_mb}
        case EphemeralStorageSetting():
            return {"action": setting.kind, "mb": setting.ephemeral_storage_mb}
        case ReservedConcurrencySetting():
            return {"action": setting.kind, "value": setting.reserved_concurrency}
        case AliasSetting():
            return {"action": setting.kind, "alias": setting.alias, "version": setting.version}
        case EnvironmentSetting():
            removed = {n for n, s in setting.variables.items() if isinstance(s, Absent)}
            return {
                "action": setting.kind,
                "set": sorted(setting.variables.keys() - removed),
                "unset": sorted(removed),
            }
