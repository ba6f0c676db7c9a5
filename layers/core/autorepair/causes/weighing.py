"""Weighs what the rules found: a symptom never outranks its cause, and thin evidence says so."""

from __future__ import annotations

from autorepair.causes.cause import Cause
from autorepair.causes.registry import CAUSES
from autorepair.domain.diagnosis import Diagnosis, Finding, RootCause
from autorepair.domain.evidence import Evidence

# A log read only in part has not shown what speaks against a finding.
_PARTIAL_LOG = 0.85
_LEAST_TO_EXPLAIN = 0.5


def diagnose(evidence: Evidence) -> Diagnosis:
    """Ask every cause of the catalogue and conclude.

    The conclusion is the surest finding that is not a mere symptom of another one. When no cause
    is proven the source is "none", and the cause is `unknown`, or `insufficient_evidence` where
    too little was there to look at.
    """
    found = [
        (cause, _tempered(finding, evidence))
        for cause in CAUSES
        if (finding := cause.diagnose(evidence)) is not None
    ]
    ranked = _ranked(found)
    if not ranked or ranked[0].cause is RootCause.UNKNOWN:
        return _abstention(evidence, ranked)
    best = ranked[0]
    return Diagnosis(
        root_cause=best.cause,
        confidence=best.confidence,
        source="rules",
        why=best.why + _doubt(evidence),
        cites=best.cites,
        need=best.need,
        is_repairable=best.is_repairable,
        findings=tuple(ranked),
        failing_versions=_failing_versions(evidence),
    )


def _ranked(found: list[tuple[Cause, Finding]]) -> list[Finding]:
    symptoms = {
        label
        for cause, finding in found
        if finding.confidence >= _LEAST_TO_EXPLAIN
        for label in cause.explains
    }
    order = sorted(
        (finding for _, finding in found),
        key=lambda f: (f.cause is RootCause.UNKNOWN, f.cause in symptoms, -f.confidence),
    )
    return list(order)


def _tempered(finding: Finding, evidence: Evidence) -> Finding:
    if not _has_log_gap(evidence):
        return finding
    confidence = round(finding.confidence * _PARTIAL_LOG, 2)
    return finding.model_copy(update={"confidence": confidence})


def _has_log_gap(evidence: Evidence) -> bool:
    return any(gap.source.startswith("log") for gap in evidence.gaps)


def _doubt(evidence: Evidence) -> str:
    if not _has_log_gap(evidence):
        return ""
    return "; the log was read only in part, which lowers the confidence"


def _abstention(evidence: Evidence, ranked: list[Finding]) -> Diagnosis:
    is_thin = not evidence.failures and not ranked
    why = ranked[0].why if ranked else _what_is_lacking(evidence)
    return Diagnosis(
        root_cause=RootCause.INSUFFICIENT_EVIDENCE if is_thin else RootCause.UNKNOWN,
        confidence=0.0,
        source="none",
        why=why,
        cites=ranked[0].cites if ranked else (),
        findings=tuple(ranked),
        failing_versions=_failing_versions(evidence),
    )


def _what_is_lacking(evidence: Evidence) -> str:
    gaps = "; ".join(f"{gap.source}: {gap.reason}" for gap in evidence.gaps)
    suffix = f" (could not be read: {gaps})" if gaps else ""
    if not evidence.invocations:
        return f"the log shows no invocation in the window looked at{suffix}"
    if not evidence.failures:
        return f"the log shows no failed invocation in the window looked at{suffix}"
    return (
        f"{len(evidence.failures)} of {len(evidence.invocations)} invocations failed, and none of "
        f"the known causes is proven by the evidence{suffix}"
    )


def _failing_versions(evidence: Evidence) -> tuple[str, ...]:
    return tuple(sorted({invocation.version for invocation in evidence.failures}))
