"""The real steps, run on a recording from the alarm to the decision."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import NamedTuple

from autorepair.domain.decision import Decision
from autorepair.domain.diagnosis import Diagnosis
from autorepair.domain.errors import AutoRepairError, MalformedEventError
from autorepair.domain.evidence import Evidence, EvidenceSummary
from autorepair.domain.incident import Alarm, Incident, Target
from autorepair.ports import Advisor, Ports
from autorepair.steps.alarm_event import Sighting, read_event
from autorepair.steps.alarm_targets import functions_named
from autorepair.steps.collect_metrics_and_logs import (
    CollectMetricsAndLogsInput,
    collect_metrics_and_logs,
)
from autorepair.steps.determine_action import DetermineActionInput, determine_action
from autorepair.steps.diagnose_issue import DiagnoseIssueInput, diagnose_issue
from autorepair_cli.recorded.case import Recording
from autorepair_cli.recorded.sources import account_of, ports_of

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


class Run(NamedTuple):
    """What the steps made of a recording."""

    evidence: Evidence
    diagnosis: Diagnosis
    decision: Decision


def run(recording: Recording, advisor: Advisor) -> Run:
    """Collect, diagnose and decide; nothing of the answer is at hand.

    Raises:
        AutoRepairError: The recording holds no readable configuration.
    """
    now = _moment_of(recording)
    sighting = _sighting(recording, now)
    ports = ports_of(
        recording, now=now, alarm_namespace=_namespace(sighting.alarm), advisor=advisor
    )
    incident = _incident(recording, sighting, ports, now)
    summary = collect_metrics_and_logs(CollectMetricsAndLogsInput(incident=incident), ports)
    diagnosis, decision = concluded(incident, summary, ports)
    return Run(ports.evidence.get(summary), diagnosis, decision)


def concluded(
    incident: Incident, summary: EvidenceSummary, ports: Ports
) -> tuple[Diagnosis, Decision]:
    """Diagnose and decide on evidence that is kept."""
    diagnosis = diagnose_issue(DiagnoseIssueInput(incident=incident, evidence=summary), ports)
    decision = determine_action(
        DetermineActionInput(incident=incident, evidence=summary, diagnosis=diagnosis), ports
    )
    return diagnosis, decision


def _sighting(recording: Recording, now: datetime) -> Sighting:
    """Read the alarm; a recording without one, or with one that is none, starts by hand."""
    name = recording.function_configuration.get("FunctionName", "")
    by_hand = {"functionName": name, "manual": True}
    try:
        return read_event(recording.alarm_event or by_hand, started_at=now)
    except MalformedEventError:
        return read_event(by_hand, started_at=now)


def _moment_of(recording: Recording) -> datetime:
    """Give the moment of the alarm, or of the last event of the log if that is later."""
    event = recording.alarm_event or {}
    detail = event.get("detail")
    state = detail.get("state") if isinstance(detail, dict) else None
    told = [event.get("time"), state.get("timestamp") if isinstance(state, dict) else None]
    moments = [found for text in told if (found := _moment(text)) is not None]
    moments += [_EPOCH + timedelta(milliseconds=e.timestamp) for e in recording.log_events]
    # A reading of the log ends before this moment, and nothing recorded is to be left out.
    return max(moments, default=_EPOCH) + timedelta(milliseconds=1)


def _moment(text: object) -> datetime | None:
    """Read a moment in ISO 8601; one without a time zone is in UTC."""
    try:
        found = datetime.fromisoformat(str(text))
    except ValueError:
        return None
    return found if found.tzinfo else found.replace(tzinfo=UTC)


def _namespace(alarm: Alarm) -> str | None:
    return None if alarm.namespace == "AWS/Lambda" else alarm.namespace


def _incident(
    recording: Recording, sighting: Sighting, ports: Ports, opened_at: datetime
) -> Incident:
    """Open the incident as ParseAlarmEvent would for an enrolled function.

    Whether somebody silenced the alarm is a guard on writes and no part of a recording's answer.
    """
    alarm = sighting.alarm.model_copy(update={"silenced_by": None})
    return Incident(
        id="recorded",
        disposition="opened",
        reason=alarm.reason,
        target=_target(recording, sighting, ports),
        alarm=alarm,
        execution_arn="recorded",
        opened_at=opened_at,
    )


def _target(recording: Recording, sighting: Sighting, ports: Ports) -> Target:
    """Give the recorded function, with the alias or version that the alarm watches."""
    configuration = recording.function_configuration
    name = str(configuration.get("FunctionName", ""))
    region, account_id = account_of(recording)
    try:
        named = functions_named(sighting, ports)
    except AutoRepairError:
        named = ()
    return Target(
        function_name=name,
        function_arn=":".join(str(configuration.get("FunctionArn", "")).split(":")[:7]),
        account_id=account_id,
        region=region,
        qualifier=next((one.qualifier for one in named if one.function_name == name), None),
    )
