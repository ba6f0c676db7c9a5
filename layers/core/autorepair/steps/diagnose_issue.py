"""DiagnoseIssue: rules first; an advisor only for what they leave open."""

from __future__ import annotations

from pydantic import ConfigDict

from autorepair.causes.advised import catalogue, need_of, objection_to
from autorepair.causes.weighing import diagnose
from autorepair.domain.audit import RecordKind
from autorepair.domain.diagnosis import Advice, Consultation, Diagnosis, ModelUse, RootCause
from autorepair.domain.errors import AutoRepairError
from autorepair.domain.evidence import Evidence, EvidenceSummary
from autorepair.domain.incident import Incident
from autorepair.domain.value import Value
from autorepair.ports import Ports
from autorepair.steps.recording import record
from autorepair.views.evidence_text import quotes_of

ADVISED_CONFIDENCE = 0.6
"""A model's word weighs less than any rule's: enough to ask a person, never to act on."""
_NO_ANSWER = frozenset({RootCause.UNKNOWN, RootCause.INSUFFICIENT_EVIDENCE})
_LONGEST_REASON = 300


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
        diagnosis = _consulted(diagnosis, evidence, ports)
    diagnosis = diagnosis.model_copy(update={"quotes": quotes_of(evidence, diagnosis)})
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


def _consulted(diagnosis: Diagnosis, evidence: Evidence, ports: Ports) -> Diagnosis:
    """Ask the advisor, and take its answer if it holds; else the diagnosis stays as it is."""
    try:
        advice = ports.advisor.advise(evidence, catalogue())
    except AutoRepairError as error:
        reason = f"the advisor could not be asked: {type(error).__name__}: {error}"
        return _unheard(diagnosis, RootCause.UNKNOWN, reason, None)
    if advice.root_cause in _NO_ANSWER:
        # Where no model was asked at all there is nothing to tell of it.
        asked = advice.use is not None
        return (
            _unheard(diagnosis, advice.root_cause, advice.why, advice.use) if asked else diagnosis
        )
    objection = objection_to(advice, evidence)
    if objection is not None:
        return _unheard(diagnosis, advice.root_cause, objection, advice.use)
    return _heard(advice, diagnosis, evidence)


def _heard(advice: Advice, diagnosis: Diagnosis, evidence: Evidence) -> Diagnosis:
    need = need_of(advice, evidence)
    return Diagnosis(
        root_cause=advice.root_cause,
        confidence=ADVISED_CONFIDENCE,
        source="model",
        why=f"a model suggests it, no rule proves it: {advice.why}",
        cites=advice.cites,
        need=need,
        is_repairable=need is not None,
        findings=diagnosis.findings,
        failing_versions=diagnosis.failing_versions,
        consultation=Consultation(
            named=advice.root_cause, is_heard=True, reason=advice.why, use=advice.use
        ),
    )


def _unheard(
    diagnosis: Diagnosis, named: RootCause, reason: str, use: ModelUse | None
) -> Diagnosis:
    reason = reason[:_LONGEST_REASON]
    return diagnosis.model_copy(
        update={
            "why": f"{diagnosis.why} (a model was asked: {reason})",
            "consultation": Consultation(named=named, is_heard=False, reason=reason, use=use),
        }
    )
