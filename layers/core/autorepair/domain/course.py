"""How far an incident has come, and how it ended."""

from __future__ import annotations

from pydantic import ConfigDict

from autorepair.domain.approval import Approval
from autorepair.domain.change import Change, ChangeRecord, RollbackRecord
from autorepair.domain.decision import Decision
from autorepair.domain.diagnosis import Diagnosis
from autorepair.domain.evidence import EvidenceSummary
from autorepair.domain.incident import Incident, Outcome
from autorepair.domain.value import Value
from autorepair.domain.verification import Verdict, Verification


class Course(Value):
    """The state data of an execution: each state's key, absent until that state has run."""

    model_config = ConfigDict(extra="ignore")

    incident: Incident
    evidence: EvidenceSummary | None = None
    diagnosis: Diagnosis | None = None
    decision: Decision | None = None
    approval: Approval | None = None
    change: ChangeRecord | None = None
    verification: Verification | None = None
    rollback: RollbackRecord | None = None

    @property
    def kept_change(self) -> Change | None:
        """What the service leaves changed on the function, None when nothing."""
        if self.change is None:
            return None
        if self.rollback is not None or self.handed_over is not None:
            return None
        return self.change.in_place

    @property
    def handed_over(self) -> Change | None:
        """What was changed and then left to whoever changed the function since, if that happened.

        How much of it still holds is theirs to know.
        """
        if self.change is None:
            return None
        is_conflict = self.rollback is not None and self.rollback.status == "conflict"
        verdict = self.verification.verdict if self.verification else None
        return self.change.in_place if is_conflict or verdict is Verdict.OVERTAKEN else None

    @property
    def may_stand(self) -> Change | None:
        """What was handed over before traffic could say anything against it, if that happened.

        A deployment of other code alone leaves the setting as it is. What was to be taken back is
        none of it: that had done no good.
        """
        return self.handed_over if self.rollback is None else None


def outcome_of(course: Course) -> Outcome:
    """Say how the incident ended, from what its states left behind."""
    if course.handed_over is not None:
        return Outcome.ESCALATED
    if course.rollback is not None:
        return _outcome_of_rollback(course)
    if course.kept_change is not None:
        return _outcome_of_kept_change(course)
    if course.change is not None and course.change.status == "recovered":
        return Outcome.RECOVERED
    if course.decision is not None and course.decision.action == "recovered":
        return Outcome.RECOVERED
    return _outcome_without_change(course)


def _outcome_of_rollback(course: Course) -> Outcome:
    if course.verification is not None and (
        course.verification.verdict is Verdict.INSUFFICIENT_TRAFFIC
    ):
        return Outcome.UNVERIFIED
    return Outcome.ROLLED_BACK


def _outcome_of_kept_change(course: Course) -> Outcome:
    verification = course.verification
    if (
        verification is not None
        and verification.verdict is Verdict.IMPROVED
        and verification.next == "done"
    ):
        return Outcome.REPAIRED
    return Outcome.UNVERIFIED


def _outcome_without_change(course: Course) -> Outcome:
    # An approval only counts for the decision that asked; a plan made anew may not have asked.
    has_asked = course.decision is not None and course.decision.action == "ask"
    if has_asked and course.approval is not None:
        if course.approval.answer == "rejected":
            return Outcome.REJECTED
        if course.approval.answer == "expired":
            return Outcome.EXPIRED
    return Outcome.ESCALATED
