"""The planned change that ExecuteRepair is given, and what forbids to write it."""

from __future__ import annotations

from pydantic import ConfigDict

from autorepair.domain.approval import Approval
from autorepair.domain.change import Change, ChangeRecord
from autorepair.domain.configuration import FunctionConfiguration
from autorepair.domain.decision import Decision, RefusalCode
from autorepair.domain.diagnosis import Diagnosis
from autorepair.domain.errors import AccessDeniedError, ConfigurationError
from autorepair.domain.evidence import EvidenceSummary
from autorepair.domain.incident import Incident
from autorepair.domain.ledger import History
from autorepair.domain.policy import Policy
from autorepair.domain.standing import configured, stands_before
from autorepair.domain.value import Value
from autorepair.ports import Ports
from autorepair.repairs.guardrails import decide
from autorepair.steps.alarm_standing import obstacle_to_a_write
from autorepair.steps.overtaking import difference
from autorepair.steps.reckoning import history_of, reckoned
from autorepair.steps.surroundings import (
    circumstances_of,
    impatient_caller,
    with_room_now,
)

_NEWS = frozenset({RefusalCode.DEPLOYMENT_RUNNING, RefusalCode.DELIBERATE_LIMIT})
"""Doubts that are read afresh, so that they may be of today and the consent of yesterday."""


class ExecuteRepairInput(Value):
    """What this state reads of the state data."""

    model_config = ConfigDict(extra="ignore")

    incident: Incident
    evidence: EvidenceSummary
    diagnosis: Diagnosis
    decision: Decision
    approval: Approval | None = None
    change: ChangeRecord | None = None

    @property
    def plan(self) -> Change:
        """The change that was decided on.

        Raises:
            ValueError: The decision holds none, so this state should not have been entered.
        """
        if self.decision.change is None:
            raise ValueError(f"incident {self.incident.id}: nothing was decided to be changed")
        return self.decision.change

    @property
    def origin(self) -> Change | None:
        """What the steps before this one changed and left in place."""
        return self.change.in_place if self.change is not None else None

    @property
    def is_origin_kept(self) -> bool:
        """Whether the steps before this one have helped, and stay without it."""
        return self.origin is not None and self.decision.otherwise == "keep"

    def is_planned_on(self, configuration: FunctionConfiguration) -> bool:
        """Whether the function is as it was when the change was planned."""
        return stands_before(configuration, self.plan)

    def may_be_half_made(self, configuration: FunctionConfiguration) -> bool:
        """Whether `$LATEST` may have been written while the alias has not left where it was."""
        move = self.plan.release
        is_there = move is not None and configuration.alias_version == move.former
        return is_there and not self.is_planned_on(configuration)

    def begun_on(self, configuration: FunctionConfiguration) -> FunctionConfiguration:
        """Give the configuration as it is without what was written of the change so far."""
        own_update = {"fingerprint": self.plan.planned_on, "last_update_status": "Successful"}
        return configured(configuration, self.plan.before).model_copy(update=own_update)

    @property
    def has_consent(self) -> bool:
        """Whether a person agreed to this very plan: only a decision that asked is answered."""
        return (
            self.decision.action == "ask"
            and self.approval is not None
            and self.approval.answer == "approved"
        )


class WithheldError(Exception):
    """The change must not be made (any more). Never leaves ExecuteRepair."""

    def __init__(self, status: str, reason: str) -> None:
        super().__init__(reason)
        self.status = status


def check_guards(
    given: ExecuteRepairInput, configuration: FunctionConfiguration, policy: Policy, ports: Ports
) -> None:
    """Re-check what may have changed since the decision, and book the change.

    Of a change that was begun already, ``configuration`` is what it was begun on.

    Raises:
        WithheldError: The change must not be written.
        AutoRepairError: What decides that cannot be read, or not be entered.
    """
    pause = ports.state.pause_in_force()
    if pause is not None:
        raise WithheldError("paused", pause.told())
    obstacle = obstacle_to_a_write(given.incident, ports, change=given.plan)
    if obstacle is not None:
        raise WithheldError(obstacle.status, obstacle.reason)
    if not given.is_planned_on(configuration):
        what = difference(configuration, given.plan)
        raise stale(given, f"the function has changed since: {what}")
    _book(given, configuration, policy, _seen_now(given, ports), ports)


def _seen_now(given: ExecuteRepairInput, ports: Ports) -> EvidenceSummary:
    """Give what was seen, as far as a longer timeout rests on it read anew."""
    caller = impatient_caller(given.plan, given.evidence, ports)
    if caller is not None:
        raise WithheldError("refused", f"no longer allowed: {caller}")
    try:
        return with_room_now(given.plan, given.evidence, ports)
    except (AccessDeniedError, ConfigurationError) as error:
        raise WithheldError("refused", f"its room cannot be told by now: {error}") from error


def _book(
    given: ExecuteRepairInput,
    configuration: FunctionConfiguration,
    policy: Policy,
    seen: EvidenceSummary,
    ports: Ports,
) -> None:
    """Lay the guardrails over the plan once more, and book it in the same breath."""
    circumstances = circumstances_of(given.plan, configuration, ports)
    now = ports.clock.now()

    def rule(history: History) -> Decision:
        return decide(
            given.plan,
            given.diagnosis,
            policy,
            configuration,
            step=given.decision.step,
            history=history,
            seen=seen,
            circumstances=circumstances,
            now=now,
        )

    allowed = frozenset({"apply", "ask"} if given.has_consent else {"apply"})
    ruling = reckoned(
        given.incident,
        given.diagnosis.root_cause,
        policy.breaker,
        history_of(given.incident, given.origin, ports),
        rule,
        ports,
        books=allowed,
    )
    is_news = _is_news(given, ruling)
    if ruling.action in allowed and not is_news:
        return
    is_storm = ruling.refusal is not None and ruling.refusal.code is RefusalCode.BREAKER
    if (is_storm or is_news) and not given.decision.is_replanned:
        # Decided anew, it asks.
        raise WithheldError("stale", f"no longer unattended: {ruling.reason}")
    raise WithheldError("refused", f"no longer allowed ({ruling.action}): {ruling.reason}")


def _is_news(given: ExecuteRepairInput, ruling: Decision) -> bool:
    """Whether a deployment has begun, or an owner has spoken, since somebody decided or agreed."""
    if ruling.refusal is None or ruling.refusal.code not in _NEWS:
        return False
    known = given.decision.refusal
    return ruling.action == "ask" and (known is None or known.code is not ruling.refusal.code)


def stale(given: ExecuteRepairInput, why: str) -> WithheldError:
    """A plan that was overtaken is made anew once; the second time it is given up."""
    if given.decision.is_replanned:
        return WithheldError("refused", f"{why}, for the second time")
    return WithheldError("stale", why)
