"""HandleFailure: undo what was half done, record it, close the incident, and tell people."""

from __future__ import annotations

import json
import logging
from collections.abc import Callable
from typing import Any, TypeVar, cast

from pydantic import ConfigDict, Field

from autorepair.domain import errors
from autorepair.domain.audit import AuditRecord, RecordKind
from autorepair.domain.change import Change
from autorepair.domain.configuration import ENROLMENT_TAG, ENROLMENT_VALUE
from autorepair.domain.errors import AutoRepairError, LeaseHeldError, TransientServiceError
from autorepair.domain.failure import Failure, Undo
from autorepair.domain.incident import Incident, Outcome
from autorepair.domain.value import Instant, Value
from autorepair.ports import Ports
from autorepair.steps.closing import close, ended_orderly, finish_closing, keep_remembered
from autorepair.steps.intake import blank_incident, left_by_intake, named_in
from autorepair.steps.recording import record
from autorepair.steps.telling import tell
from autorepair.steps.undoing import undo_remembered
from autorepair.views.message import failure_message
from autorepair.views.texts import ENGLISH

_log = logging.getLogger(__name__)
_OWN_ERRORS = frozenset(name for name in vars(errors) if name.endswith("Error"))
LONGEST_CAUSE = 300
T = TypeVar("T")


class CaughtError(Value):
    """What a Catch puts into the state data."""

    model_config = ConfigDict(extra="ignore")

    error: str = Field(default="unknown", alias="Error")
    cause: str = Field(default="", alias="Cause")

    @property
    def told(self) -> str:
        """What may be said of it: the error's name, and the message of our own typed errors.

        The message of any other error may quote what it choked on, so it is left out.
        """
        name = self.error.rpartition(".")[2] or self.error
        return f"{self.error}: {self._message()}" if name in _OWN_ERRORS else self.error

    def _message(self) -> str:
        try:
            told = json.loads(self.cause)
        except ValueError:
            return "no message"
        message = told.get("errorMessage") if isinstance(told, dict) else None
        return " ".join(str(message).split())[:LONGEST_CAUSE] if message else "no message"


class FailedState(Value):
    """The error, and as much of the state data as there was.

    ``event`` is there where the intake failed: it is what the execution was started with, which
    anybody may have written, so nothing else of it is taken for the service's own.
    """

    model_config = ConfigDict(extra="ignore")

    failure: CaughtError
    incident: Incident | None = None
    event: Any = None


class HandleFailureInput(Value):
    """The state data, and what the state machine says of the execution."""

    model_config = ConfigDict(extra="ignore")

    execution_arn: str
    started_at: Instant
    state: FailedState


def handle_failure(given: HandleFailureInput, ports: Ports) -> Failure:
    """Bring the incident to an orderly end; each part is tried whatever became of the others.

    Raises:
        TransientServiceError: The change could not be taken back just now; everything else has
            been tried, and running again may undo it.
    """
    cleaning = _Cleaning(given, ports)
    if given.state.incident is None:
        cleaning.tried("look for what was opened", cleaning.look_for_incident)
    ending = cleaning.tried("look for its end", cleaning.orderly_end)
    message_id = cleaning.fail() if ending is None else cleaning.finish(ending)
    if cleaning.is_worth_another_try:
        raise TransientServiceError(f"the change is not undone yet: {cleaning.reason}")
    return Failure(
        error=given.state.failure.told,
        undo=cleaning.undone,
        reason=cleaning.reason,
        message_id=message_id,
        troubles=tuple(cleaning.troubles),
    )


class _Cleaning:
    """One run of the clean-up: what is known so far, and what went wrong on the way."""

    def __init__(self, given: HandleFailureInput, ports: Ports) -> None:
        self._given = given
        self._ports = ports
        self._error = given.state.failure.told
        self._blank = blank_incident(given.execution_arn, started_at=given.started_at)
        self.incident = given.state.incident or named_in(given.state.event, self._blank, ports)
        self.undone: Undo = "nothing_to_undo"
        self.reason = "nothing had been changed"
        self.troubles: list[str] = []
        self.is_worth_another_try = False

    def tried(self, what: str, act: Callable[[], T]) -> T | None:
        """Do one part; a fault in it is kept and does not stop the others."""
        try:
            return act()
        except Exception as error:  # noqa: BLE001 - the last line of defence tries everything
            trouble = CaughtError(Error=type(error).__name__, Cause=_as_cause(error)).told
            _log.error("%s failed while handling a failure: %s", what, trouble)
            self.troubles.append(f"{what}: {trouble}")
            if what == "undo":
                self.undone = "undo_failed"
                self.reason = f"the change could NOT be taken back: {trouble}"
                self.is_worth_another_try = isinstance(
                    error, TransientServiceError | LeaseHeldError
                )
            return None

    def look_for_incident(self) -> None:
        self.incident = left_by_intake(self._blank, self._given.state.event, self._ports)

    def orderly_end(self) -> AuditRecord | None:
        """What the line itself recorded as the incident's end, before this failure."""
        return ended_orderly(self._ports.audit.chain_of(self.incident.id))

    def finish(self, ending: AuditRecord) -> str | None:
        """Do what was left out when the incident ended: people have been told what stays."""
        self.reason = f"it had ended as {ending.entry.data.get('outcome')}, and that stands"
        self.tried("keep", lambda: keep_remembered(self.incident, self._ports))
        self.tried("record", self.record)
        self.tried("close", lambda: finish_closing(self.incident, ending, self._ports))
        return cast("str | None", ending.entry.data.get("message_id"))

    def fail(self) -> str | None:
        """Undo, record, tell and close; gives the id of the message."""
        if self.incident.target is not None:
            self.tried("undo", self.undo)
        self.tried("record", self.record)
        message_id = self.tried("tell", self.tell)
        # Last: of an incident that is still open, reconcile does what was left out here.
        self.tried("close", lambda: self.close(message_id))
        return message_id

    def undo(self) -> None:
        remembered = self._ports.state.remembered_change(self.incident)
        self.undone, self.reason = undo_remembered(
            remembered,
            self.incident,
            self._ports,
            # Unlike any other write this one goes on without its record: the trail may be what
            # failed.
            ahead=lambda whole: self.tried("record the rollback", lambda: self._write_ahead(whole)),
        )

    def _write_ahead(self, whole: Change) -> None:
        record(
            self._ports,
            self.incident,
            key="handle_failure/rollback_planned",
            kind=RecordKind.ROLLBACK_PLANNED,
            summary=f"about to take back: {self._error}",
            data={"change": whole.inverse().as_json()},
        )

    def record(self) -> None:
        record(
            self._ports,
            self.incident,
            key=f"handle_failure/{self.undone}",
            kind=RecordKind.FAILURE_HANDLED,
            summary=f"{self._error.rstrip('.')}. {ENGLISH.undo[self.undone]} ({self.reason})",
            data={
                "error": self._error,
                "alarm": self.incident.alarm.as_json() if self.incident.alarm else None,
                "execution": self.incident.execution_arn,
                "undo": self.undone,
                "reason": self.reason,
                "troubles": list(self.troubles),
            },
        )

    def close(self, message_id: str | None) -> None:
        close(
            self.incident,
            Outcome.FAILED,
            self._ports,
            key=self._closing_key,
            data={"undo": self.undone, "message_id": message_id},
        )

    @property
    def _closing_key(self) -> str:
        return f"handle_failure/closed/{self.undone}"

    def _closing_of_earlier_run(self) -> AuditRecord | None:
        """What has been told once is not told again, unless it has got better or worse."""
        try:
            records = self._ports.audit.chain_of(self.incident.id)
        except AutoRepairError:
            return None  # told twice is better than not at all
        return next((r for r in records if r.entry.key == self._closing_key), None)

    def _is_owed_word(self) -> bool:
        """Whether somebody has asked for this service, as far as is known.

        The alarms of all functions come in here. Of one that failed before anything was opened, and
        that is not known to be of an enrolled function, the record is enough: the alarm on failed
        executions tells the operators, and reconcile starts an incident if one is due.
        """
        alarm, target = self.incident.alarm, self.incident.target
        if self.incident.disposition == "opened" or alarm is None or alarm.kind == "manual":
            return True
        if target is None:
            return False
        try:
            tags = self._ports.functions.tags(target)
        except AutoRepairError as error:
            _log.warning("whether %s is enrolled is unknown: %s", target.function_name, error)
            return False
        return tags.get(ENROLMENT_TAG) == ENROLMENT_VALUE

    def tell(self) -> str | None:
        if not self._is_owed_word():
            return None
        earlier = self._closing_of_earlier_run()
        if earlier is not None:
            return cast("str | None", earlier.entry.data.get("message_id"))
        message = failure_message(
            self.incident, error=self._error, undo=self.undone, reason=self.reason
        )
        return tell(message, self.incident, Outcome.FAILED, self._ports, key=self._closing_key)


def _as_cause(error: Exception) -> str:
    return json.dumps({"errorMessage": str(error)})
