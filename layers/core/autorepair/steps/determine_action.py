"""DetermineAction: plan the change, and lay policy and guardrails over it."""

from __future__ import annotations

from hashlib import sha256
from typing import Literal

from pydantic import ConfigDict

from autorepair.domain.audit import RecordKind
from autorepair.domain.change import Change, ChangeRecord
from autorepair.domain.changed_since import changed_since
from autorepair.domain.decision import Decision, Refusal, RefusalCode
from autorepair.domain.diagnosis import Diagnosis
from autorepair.domain.errors import TargetNotFoundError
from autorepair.domain.evidence import EvidenceSummary
from autorepair.domain.incident import Incident
from autorepair.domain.ledger import History
from autorepair.domain.value import Value
from autorepair.domain.verification import Verification
from autorepair.ports import Ports
from autorepair.repairs.guardrails import decide
from autorepair.steps.alarm_standing import silenced_by
from autorepair.steps.planning import plan_step
from autorepair.steps.policy_in_force import policy_or_strictest
from autorepair.steps.publishing import as_published_now
from autorepair.steps.reckoning import history_of, reckoned
from autorepair.steps.recording import record
from autorepair.steps.surroundings import circumstances_of


class DetermineActionInput(Value):
    """What this state reads of the state data; the optional keys are there when it runs again."""

    model_config = ConfigDict(extra="ignore")

    incident: Incident
    evidence: EvidenceSummary
    diagnosis: Diagnosis
    decision: Decision | None = None
    change: ChangeRecord | None = None
    verification: Verification | None = None

    @property
    def is_stale(self) -> bool:
        """Whether it runs again because the plan it made was overtaken."""
        return self.change is not None and self.change.status == "stale"

    @property
    def step(self) -> int:
        """Which step of the incident is to be planned."""
        if self.change is None:
            return 1
        if self.is_stale:
            return self.change.step
        has_asked_for_more = self.verification is not None and self.verification.next == "step"
        return self.change.step + 1 if has_asked_for_more else self.change.step

    @property
    def origin(self) -> Change | None:
        """What the steps before this one changed and left in place."""
        return self.change.in_place if self.change is not None else None

    @property
    def otherwise(self) -> Literal["keep", "roll_back"]:
        """What becomes of the last step, if this further one is not made."""
        verified = self.verification
        has_asked_for_more = verified is not None and verified.next == "step"
        return verified.without_step if verified and has_asked_for_more else "keep"

    @property
    def is_replanned(self) -> bool:
        """Whether a plan of this incident was overtaken before; it may be only once."""
        return self.is_stale or (self.decision is not None and self.decision.is_replanned)


def determine_action(given: DetermineActionInput, ports: Ports) -> Decision:
    """Decide: apply, ask, observe or decline, and record it with what would have been done.

    Runs again after a lost answer without harm: what was decided and recorded first stands.

    Raises:
        EvidenceMissingError: The stored evidence is gone or was altered.
        AccessDeniedError, TransientServiceError, ConfigurationError: The configuration, evidence
            or ledger of repairs cannot be read.
    """
    try:
        decision = _decision(given, ports)
    except TargetNotFoundError as error:
        why = f"the function is gone: {error}"
        decision = Decision(
            action="decline",
            reason=why,
            refusal=Refusal(code=RefusalCode.NOT_ACTIVE, why=why),
        )
    decision = decision.model_copy(
        update={
            "step": given.step,
            "is_replanned": given.is_replanned,
            "otherwise": given.otherwise,
            "plan_hash": _named(decision.plan_hash, given),
        }
    )
    return _record(given, decision, ports)


def _named(plan_hash: str | None, given: DetermineActionInput) -> str | None:
    """Name a plan made anew otherwise than the one before: no answer to that one counts for it.

    The two may be alike, where what was overtaken is not the change but what is known around it.
    """
    if plan_hash is None or not given.is_replanned:
        return plan_hash
    return sha256(f"{plan_hash}/replanned".encode()).hexdigest()


def _decision(given: DetermineActionInput, ports: Ports) -> Decision:
    target = given.incident.subject
    configuration = ports.functions.read(target)
    policy, trouble = policy_or_strictest(configuration, ports)
    evidence = as_published_now(ports.evidence.get(given.evidence), target, ports)
    planned = plan_step(
        target,
        configuration,
        given.diagnosis,
        policy,
        evidence,
        step=given.step,
        origin=given.origin,
        seen=given.verification.need if given.verification is not None else None,
    )
    since = changed_since(evidence.configuration, configuration, given.origin)
    circumstances = circumstances_of(planned, configuration, ports).model_copy(
        update={"changed_since": since}
    )
    now = ports.clock.now()

    def rule(history: History) -> Decision:
        return decide(
            planned,
            given.diagnosis,
            policy,
            configuration,
            step=given.step,
            history=history,
            seen=given.evidence,
            circumstances=circumstances,
            now=now,
        )

    decision = reckoned(
        given.incident,
        given.diagnosis.root_cause,
        policy.breaker,
        history_of(given.incident, given.origin, ports),
        rule,
        ports,
    )
    return _silenced(given.incident, _policy_less(decision, trouble), ports)


def _policy_less(decision: Decision, trouble: str | None) -> Decision:
    """Without a policy nothing is written, whatever the strictest one would have said."""
    if trouble is None or decision.action in {"decline", "recovered"}:
        return decision
    why = f"only observing, as there is no policy: {trouble}"
    refusal = Refusal(code=RefusalCode.POLICY_UNREADABLE, why=why)
    return decision.model_copy(update={"action": "observe", "reason": why, "refusal": refusal})


def _silenced(incident: Incident, decision: Decision, ports: Ports) -> Decision:
    """An alarm that its owner has silenced leads to no write."""
    if decision.action not in {"apply", "ask"}:
        return decision
    silencer = silenced_by(incident, ports)
    if silencer is None:
        return decision
    why = f"the alarm is silenced by {silencer}"
    refusal = Refusal(code=RefusalCode.ALARM_SILENCED, why=why)
    return decision.model_copy(update={"action": "observe", "reason": why, "refusal": refusal})


def _record(given: DetermineActionInput, decision: Decision, ports: Ports) -> Decision:
    """Record the decision; gives what was recorded, by an earlier run if any."""
    suffix = "/replanned" if given.is_stale else ""
    recorded = record(
        ports,
        given.incident,
        key=f"determine_action/{decision.step}{suffix}",
        kind=RecordKind.ACTION_DECIDED,
        summary=f"{decision.action}: {decision.reason}",
        data=decision.as_json(),
    )
    return Decision.model_validate(recorded.entry.data)
