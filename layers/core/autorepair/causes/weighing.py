"""Weighs what the rules found: a symptom never outranks its cause, and thin evidence says so."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime, timedelta

from autorepair.causes.calibration import interval_at
from autorepair.causes.cause import Cause, Reach
from autorepair.causes.reach import within_reach
from autorepair.causes.registry import CAUSES
from autorepair.domain.diagnosis import Diagnosis, Finding, RootCause
from autorepair.domain.evidence import Evidence, MetricSeries

# A log read only in part has not shown what speaks against a finding.
_PARTIAL_LOG = 0.85
# Enough to ask a person, too little to act unattended, whatever the rule was sure of.
_AT_MOST_ASK = 0.75
# The log may show fewer invocations than the metrics count (it is read in part), never many more.
_MOST_BESIDE_THE_COUNT = 1.1
_FEW_BESIDE_THE_COUNT = 2
_METRICS_LAG = timedelta(minutes=2)
_LEAST_TO_EXPLAIN = 0.6
# Below this a specific finding is a guess, and counts no more than a general one.
_LEAST_TO_BE_SPECIFIC = 0.6
# A stray failure of some version in between does not tell where the traffic goes.
_NEARLY_ALL = 0.9
_LATEST = "$LATEST"
_ABSTENTIONS = frozenset({RootCause.UNKNOWN, RootCause.INSUFFICIENT_EVIDENCE})


def diagnose(evidence: Evidence, *, causes: Iterable[Cause] = CAUSES) -> Diagnosis:
    """Ask every cause (of the catalogue) and conclude.

    The conclusion is the surest finding that is not a mere symptom of another one; a finding that
    names what is wrong outranks one that only says where to look, and one that finds nothing
    wrong comes last. When no cause is proven the source is "none", and the cause is `unknown`, or
    `insufficient_evidence` where too little was there to look at.
    """
    failing_versions = _failing_versions(evidence)
    evidence = within_reach(evidence)
    if failing_versions == (_LATEST,):
        # Another version runs another configuration: what it does shows nothing of this one.
        evidence = evidence.of_version(_LATEST)
    found = [
        (cause, _tempered(finding, evidence))
        for cause in causes
        if (finding := cause.diagnose(evidence)) is not None
    ]
    ranked = _ranked(found)
    if not ranked or ranked[0].cause in _ABSTENTIONS:
        return _abstention(evidence, ranked)
    best = ranked[0]
    return Diagnosis(
        root_cause=best.cause,
        confidence=best.confidence,
        source="rules",
        confidence_interval=interval_at(best.confidence),
        why=best.why + _doubt(evidence),
        cites=best.cites,
        need=best.need,
        is_repairable=best.is_repairable,
        findings=tuple(ranked),
        failing_versions=failing_versions,
    )


def _ranked(found: list[tuple[Cause, Finding]]) -> list[Finding]:
    symptoms = _symptoms(found)
    order = sorted(
        found,
        key=lambda pair: (
            pair[1].cause in _ABSTENTIONS,
            pair[1].cause in symptoms,
            _reach(*pair),
            -pair[1].confidence,
        ),
    )
    return [finding for _, finding in order]


def _symptoms(found: list[tuple[Cause, Finding]]) -> set[RootCause]:
    """Give the labels that others explain; where all is well nothing that is lacking counts."""
    refuted = {
        label
        for cause, finding in found
        if cause.reach is Reach.ABSENCE
        for label in _explained(cause, finding)
    }
    return refuted | {
        label
        for cause, finding in found
        if finding.cause not in refuted
        for label in _explained(cause, finding)
    }


def _explained(cause: Cause, finding: Finding) -> tuple[RootCause, ...]:
    """Give the labels that are symptoms of a finding; a weak one explains nothing."""
    if finding.confidence < _LEAST_TO_EXPLAIN or finding.cause in _ABSTENTIONS:
        return ()
    return cause.explains + (cause.outranks if finding.need is not None else ())


def _reach(cause: Cause, finding: Finding) -> Reach:
    if cause.reach is Reach.GENERAL and finding.need is not None:
        return Reach.SPECIFIC
    if cause.reach is Reach.SPECIFIC and finding.confidence < _LEAST_TO_BE_SPECIFIC:
        return Reach.GENERAL
    return cause.reach


def _tempered(finding: Finding, evidence: Evidence) -> Finding:
    confidence = finding.confidence
    if _has_log_gap(evidence):
        confidence = min(round(confidence * _PARTIAL_LOG, 2), _AT_MOST_ASK)
    if _is_against_metrics(evidence):
        confidence = min(confidence, _AT_MOST_ASK)
    return finding.model_copy(update={"confidence": confidence})


def _has_log_gap(evidence: Evidence) -> bool:
    return any(gap.source.startswith("log") for gap in evidence.gaps)


def _is_against_metrics(evidence: Evidence) -> bool:
    """Whether the log tells of more invocations, or failures, than Lambda itself counted.

    Whoever writes the log can make them up, but not the metrics.
    """
    counts = evidence.metric("Invocations", "Sum")
    settled = _settled(counts, evidence)
    if counts is None or not settled:
        return False
    start, end = settled[0][0], settled[-1][0] + timedelta(seconds=counts.period_s)
    seen = [
        i for i in evidence.invocations if start <= i.started_at < end and i.status != "unfinished"
    ]
    if _is_beyond(len(seen), settled):
        return True
    errors = evidence.metric("Errors", "Sum")
    failed = sum(i.has_failed for i in seen)
    return errors is not None and _is_beyond(failed, _settled(errors, evidence))


def _settled(series: MetricSeries | None, evidence: Evidence) -> list[tuple[datetime, float]]:
    """Leave out the latest points, which still grow: a minute's metric comes after the minute."""
    if series is None:
        return []
    latest = evidence.collected_at - _METRICS_LAG - timedelta(seconds=series.period_s)
    return [(at, value) for at, value in series.points if at <= latest]


def _is_beyond(seen: int, points: list[tuple[datetime, float]]) -> bool:
    counted = sum(value for _, value in points)
    return seen > _MOST_BESIDE_THE_COUNT * counted + _FEW_BESIDE_THE_COUNT


def _doubt(evidence: Evidence) -> str:
    doubts = ""
    if _has_log_gap(evidence):
        doubts += "; the log was read only in part, which lowers the confidence"
    if _is_against_metrics(evidence):
        doubts += (
            "; the log tells of more invocations or failures than the metrics count, so it is not "
            "to be trusted without a person's look"
        )
    return doubts


def _abstention(evidence: Evidence, ranked: list[Finding]) -> Diagnosis:
    is_thin = not evidence.failures and not any(f.cause is RootCause.UNKNOWN for f in ranked)
    why = ranked[0].why if ranked else _what_is_lacking(evidence)
    return Diagnosis(
        root_cause=RootCause.INSUFFICIENT_EVIDENCE if is_thin else RootCause.UNKNOWN,
        confidence=0.0,
        source="none",
        why=why + _unread(evidence) if ranked else why,
        cites=ranked[0].cites if ranked else (),
        findings=tuple(ranked),
        failing_versions=_failing_versions(evidence),
    )


def _unread(evidence: Evidence) -> str:
    gaps = "; ".join(f"{gap.source}: {gap.reason}" for gap in evidence.gaps)
    return f" (could not be read: {gaps})" if gaps else ""


def _what_is_lacking(evidence: Evidence) -> str:
    suffix = _unread(evidence)
    if not evidence.invocations:
        return f"the log shows no invocation in the window looked at{suffix}"
    if not evidence.failures:
        return f"the log shows no failed invocation in the window looked at{suffix}"
    return (
        f"{len(evidence.failures)} of {len(evidence.invocations)} invocations failed, and none of "
        f"the known causes is proven by the evidence{suffix}"
    )


def _failing_versions(evidence: Evidence) -> tuple[str, ...]:
    """Give the versions that fail; `$LATEST` alone where nearly all failures are its own."""
    failures = evidence.failures
    if sum(i.version == _LATEST for i in failures) >= _NEARLY_ALL * len(failures) > 0:
        return (_LATEST,)
    return tuple(sorted({invocation.version for invocation in evidence.failures}))
