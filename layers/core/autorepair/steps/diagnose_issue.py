"""DiagnoseIssue: rules first; an advisor only for what they leave open."""

from __future__ import annotations

from pydantic import ConfigDict

from autorepair.causes.weighing import diagnose
from autorepair.domain.audit import RecordKind
from autorepair.domain.diagnosis import Advice, Diagnosis, RootCause
from autorepair.domain.errors import AccessDeniedError, TransientServiceError
from autorepair.domain.evidence import Evidence, EvidenceSummary
from autorepair.domain.incident import Incident
from autorepair.domain.value import Value
from autorepair.ports import Ports
from autorepair.steps.recording import record

ADVISED_CONFIDENCE = 0.6
"""A model's word weighs less than any rule's: enough to ask a person, never to act on."""


class DiagnoseIssueInput(Value):
    """What this state reads of the state data."""

    model_config = ConfigDict(extra="ignore")

    incident: Incident
    evidence: EvidenceSummary


def diagnose_issue(given: DiagnoseIssueInput, ports: Ports) -> Diagnosis:
    """Name the root cause and the evidence for it.

    Runs again after a lost answer without harm: what was recorded first stands, whatever the
    advisor says the second time.

    Raises:
        EvidenceMissingError: The stored evidence is gone or was altered.
        AccessDeniedError, TransientServiceError: It cannot be read.
    """
    evidence = ports.evidence.get(given.evidence)
    diagnosis = diagnose(evidence)
    if diagnosis.root_cause is RootCause.UNKNOWN:
        diagnosis = _advised(diagnosis, evidence, ports)
    recorded = record(
        ports,
        given.incident,
        key="diagnose_issue",
        kind=RecordKind.DIAGNOSIS_MADE,
        summary=(
            f"{diagnosis.root_cause.value} ({diagnosis.confidence:.0%}, {diagnosis.source}): "
            f"{diagnosis.why}"
        ),
        data=diagnosis.as_json(),
    )
    return Diagnosis.model_validate(recorded.entry.data)


def _advised(diagnosis: Diagnosis, evidence: Evidence, ports: Ports) -> Diagnosis:
    """Take the advisor's answer if it is grounded in evidence that exists; else stay unknown."""
    try:
        advice = ports.advisor.advise(evidence)
    except (AccessDeniedError, TransientServiceError) as error:
        why = f"{diagnosis.why} The advisor could not be asked: {type(error).__name__}."
        return diagnosis.model_copy(update={"why": why})
    if advice.root_cause in {RootCause.UNKNOWN, RootCause.INSUFFICIENT_EVIDENCE}:
        return diagnosis
    if not _is_grounded(advice, evidence):
        why = f"{diagnosis.why} The advisor named {advice.root_cause.value} without evidence."
        return diagnosis.model_copy(update={"why": why})
    return Diagnosis(
        root_cause=advice.root_cause,
        confidence=ADVISED_CONFIDENCE,
        source="model",
        why=advice.why,
        cites=advice.cites,
        is_repairable=all(finding.is_repairable for finding in diagnosis.findings),
        findings=diagnosis.findings,
        failing_versions=diagnosis.failing_versions,
    )


def _is_grounded(advice: Advice, evidence: Evidence) -> bool:
    ids = {line.id for line in evidence.log_lines} | {series.id for series in evidence.metrics}
    return bool(advice.cites) and ids.issuperset(advice.cites)
