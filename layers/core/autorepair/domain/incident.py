"""An alarm, the function it speaks of, and the incident that the two make."""

from __future__ import annotations

from enum import StrEnum
from typing import Literal

from autorepair.domain.value import Instant, Value


class Outcome(StrEnum):
    """How an incident ended."""

    REPAIRED = "repaired"
    UNVERIFIED = "unverified"
    ROLLED_BACK = "rolled_back"
    ESCALATED = "escalated"
    REJECTED = "rejected"
    EXPIRED = "expired"
    RECOVERED = "recovered"
    IGNORED = "ignored"
    FAILED = "failed"


class Target(Value):
    """A Lambda function of this account, by its unqualified ARN."""

    function_name: str
    function_arn: str
    account_id: str
    region: str
    qualifier: str | None = None
    """The alias or version that the alarm watches; None for the function as a whole."""


class Alarm(Value):
    """One CloudWatch alarm as its state change event describes it."""

    name: str
    arn: str
    kind: Literal["metric", "metric_math", "anomaly", "composite", "manual"]
    namespace: str | None = None
    metric_name: str | None = None
    statistic: str | None = None
    period_s: int | None = None
    threshold: float | None = None
    reason: str = ""
    changed_at: Instant
    evaluated_from: Instant | None = None
    """Where the evaluation that raised the alarm began to look."""
    silenced_by: str | None = None
    """What keeps the alarm's actions from running (a mute rule, a suppressor), if anything."""


class Incident(Value):
    """What ParseAlarmEvent found: `$.incident`.

    ``opened`` starts the line; ``ignored``, ``joined`` (to an incident that is open already) and
    ``recovered`` end it, with ``reason`` saying why.
    """

    id: str
    disposition: Literal["opened", "joined", "ignored", "recovered"]
    reason: str
    target: Target | None
    alarm: Alarm | None
    execution_arn: str
    opened_at: Instant
    settle_s: int = 0
    joined_incident_id: str | None = None

    @property
    def subject(self) -> Target:
        """The target of an incident that was opened.

        Raises:
            ValueError: The incident was never opened, so there is nothing to work on.
        """
        if self.target is None:
            raise ValueError(f"incident {self.id} ({self.disposition}) has no target")
        return self.target
