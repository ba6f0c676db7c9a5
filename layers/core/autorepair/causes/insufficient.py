"""Too little to tell: errors that were counted and left no word behind."""

from __future__ import annotations

from autorepair.causes.cause import Cause, Reach
from autorepair.domain.diagnosis import Finding, RootCause
from autorepair.domain.evidence import Evidence

_CONFIDENCE = 0.6


def _diagnose(evidence: Evidence) -> Finding | None:
    errors = evidence.metric("Errors", "Sum")
    counted = sum(value for _, value in errors.points) if errors is not None else 0.0
    if evidence.failures or not counted or errors is None:
        return None
    seen = len(evidence.invocations)
    log = f"shows {seen} calls and no failed one" if seen else "holds no call at all"
    return Finding(
        cause=RootCause.INSUFFICIENT_EVIDENCE,
        confidence=_CONFIDENCE,
        why=(
            f"Lambda counted {counted:.0f} errors, and the log {log}: without a word of them any "
            "change would be a guess (may the function write to its log group, and is it this one?)"
        ),
        cites=(errors.id,),
        is_repairable=False,
    )


INSUFFICIENT_EVIDENCE = Cause(
    label=RootCause.INSUFFICIENT_EVIDENCE,
    signal=(
        "The metrics count errors, and the log shows none of them: it is empty, it belongs to "
        "another group, or it was read only in part."
    ),
    proof="Every cause needs a witness; here there is none, which is itself worth a look.",
    silence="Any failed invocation left a line, or no error was counted at all.",
    repair=None,
    runbook="insufficient-evidence",
    diagnose=_diagnose,
    explains=(),
    reach=Reach.ABSENCE,
)
