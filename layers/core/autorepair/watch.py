"""What reconcile has to see beyond one incident: executions, standing alarms, enrolled functions.

Protocols as in `ports`, kept apart because no state of the machine needs them.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Literal, Protocol

from autorepair.domain.incident import Incident

ExecutionStatus = Literal[
    "RUNNING", "PENDING_REDRIVE", "SUCCEEDED", "FAILED", "TIMED_OUT", "ABORTED", "GONE"
]
"""Step Functions' own words, and GONE for an execution that it does not know (any more)."""


ALIVE: frozenset[ExecutionStatus] = frozenset({"RUNNING", "PENDING_REDRIVE"})
"""Of an execution that goes on, or may yet."""


@dataclass(frozen=True)
class Execution:
    """What became of an execution; ``error`` is the name of the error it died of, if it has one."""

    status: ExecutionStatus
    error: str | None = None
    ended_at: datetime | None = None


@dataclass(frozen=True)
class StandingAlarm:
    """An alarm that stands in ALARM, and the event it would send."""

    name: str
    arn: str
    since: datetime
    event: dict[str, Any]


@dataclass(frozen=True)
class Unsettled:
    """An incident that is open, or whose change has neither been kept nor taken back."""

    incident: Incident
    since: datetime


@dataclass(frozen=True)
class Unsent:
    """A message that people have not got, since ``since``; or have, and nobody could record that.

    ``sent_as`` is the id under which it was sent in the end.
    """

    incident: Incident
    subject: str
    body: str
    attributes: dict[str, str]
    since: datetime
    sent_as: str | None = None


@dataclass(frozen=True)
class ClosedIncident:
    """The incident that was closed last on a target."""

    incident_id: str
    closed_at: datetime


class Executions(Protocol):
    """The executions of the state machine."""

    def look_up(self, execution_arn: str) -> Execution:
        """Say what became of an execution.

        Raises:
            AccessDeniedError, TransientServiceError: It cannot be told.
        """
        ...

    def start(self, name: str, event: dict[str, Any]) -> bool:
        """Start an execution; False if one of that name was started before.

        Raises:
            AccessDeniedError, TransientServiceError: It cannot be started.
        """
        ...


class StandingAlarms(Protocol):
    """The alarms that stand in ALARM now."""

    def standing(self) -> Iterator[StandingAlarm]:
        """Give every alarm that stands in ALARM, composite alarms included.

        Raises:
            AccessDeniedError, TransientServiceError: They cannot be read.
        """
        ...


class Enrolment(Protocol):
    """The functions that carry the enrolment tag."""

    def function_arns(self) -> frozenset[str]:
        """Give the ARNs of all enrolled functions.

        Raises:
            AccessDeniedError, TransientServiceError: They cannot be read.
        """
        ...
