"""The sample inputs under events/ are what the steps take, and walk through the whole machine."""

from __future__ import annotations

import json
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from pydantic import BaseModel

from autorepair.domain.audit import RecordKind
from autorepair.domain.filtered_log import FilteredLog
from autorepair.domain.incident import Incident, Outcome
from autorepair.steps.approval_page import PageRequest, approval_page
from autorepair.steps.collect_metrics_and_logs import (
    CollectMetricsAndLogsInput,
    collect_metrics_and_logs,
)
from autorepair.steps.determine_action import DetermineActionInput, determine_action
from autorepair.steps.diagnose_issue import DiagnoseIssueInput, diagnose_issue
from autorepair.steps.drift_watch import DriftWatchInput
from autorepair.steps.execute_repair import ExecuteRepairInput, execute_repair
from autorepair.steps.handle_failure import HandleFailureInput
from autorepair.steps.notify_result import NotifyResultInput, notify_result
from autorepair.steps.parse_alarm_event import ParseAlarmEventInput, parse_alarm_event
from autorepair.steps.reconcile import ReconcileInput
from autorepair.steps.request_approval import RequestApprovalInput
from autorepair.steps.roll_back_repair import RollBackRepairInput
from autorepair.steps.verify_repair import VerifyRepairInput, verify_repair
from unit.builders import AUTO, INCIDENT, invocation, slow_invocations
from unit.fake_alarms import described
from unit.fakes import NAME, NOW, FakePolicies, World

EVENTS = Path(__file__).parents[2] / "events"
INPUTS: dict[str, type[BaseModel]] = {
    "parse_alarm_event": ParseAlarmEventInput,
    "collect_metrics_and_logs": CollectMetricsAndLogsInput,
    "diagnose_issue": DiagnoseIssueInput,
    "determine_action": DetermineActionInput,
    "request_approval": RequestApprovalInput,
    "execute_repair": ExecuteRepairInput,
    "verify_repair": VerifyRepairInput,
    "roll_back_repair": RollBackRepairInput,
    "notify_result": NotifyResultInput,
    "handle_failure": HandleFailureInput,
    "approval_page": PageRequest,
    "drift_watch": DriftWatchInput,
    "reconcile": ReconcileInput,
}
FOR_SAM = {"env"}
"""What `sam local invoke --env-vars` takes; not an event."""
DISPOSITIONS = {
    "anomaly": "opened",
    "composite": "opened",
    "composite_nested": "opened",
    "cross_account": "ignored",
    "foreign_namespace": "ignored",
    "lambda_insights": "opened",
    "malformed": "ignored",
    "manual": "opened",
    "manual_arn": "opened",
    "metric_math": "opened",
    "metric_math_several_functions": "opened",
    "muted": "opened",
    "ok": "ignored",
    "other_region": "ignored",
    "own_function": "ignored",
    "single_metric": "opened",
    "single_metric_alias": "opened",
    "suppressed": "opened",
    "timeouts": "opened",
}


def sample(name: str) -> dict[str, Any]:
    loaded: dict[str, Any] = json.loads((EVENTS / f"{name}.json").read_text())
    return loaded


def test_every_step_has_its_sample_and_no_sample_lacks_a_step() -> None:
    assert {path.stem for path in EVENTS.glob("*.json")} - FOR_SAM == set(INPUTS)
    assert {path.stem for path in (EVENTS / "alarm").glob("*.json")} == set(DISPOSITIONS)


@pytest.mark.parametrize("name", sorted(INPUTS))
def test_a_sample_is_a_valid_input_of_its_step(name: str) -> None:
    parsed = INPUTS[name].model_validate(sample(name))
    read = set(parsed.model_dump(exclude_none=True))
    assert read <= {*INPUTS[name].model_fields}
    assert read, f"{name} reads nothing of its sample"


@pytest.mark.parametrize(("name", "disposition"), sorted(DISPOSITIONS.items()))
def test_a_sample_alarm_leads_where_it_should(name: str, disposition: str) -> None:
    given = ParseAlarmEventInput(
        event=sample(f"alarm/{name}"), execution_arn=INCIDENT.execution_arn, started_at=NOW
    )
    world = World()
    health = described(
        f"{NAME}-health", rule=sample("alarm/composite")["detail"]["configuration"]["alarmRule"]
    )
    world.alarms.put(health, described(f"{NAME}-errors", NAME))
    log = FilteredLog(log_group=f"/aws/lambda/{NAME}", pattern='"Task timed out"')
    world.metric_filters.logs["LambdaAutoRepair/Timeouts", "Timeouts"] = (log,)
    assert parse_alarm_event(given, world.ports).disposition == disposition


def test_from_alarm_to_verified_repair_each_state_reads_what_the_ones_before_wrote() -> None:
    world = World(policies=FakePolicies(AUTO))
    world.logs.invocations = slow_invocations()
    ports = world.ports
    state: dict[str, Any] = {}

    def wrote(key: str, value: BaseModel) -> None:
        # as the state machine carries it
        state[key] = json.loads(value.model_dump_json())

    given = ParseAlarmEventInput.model_validate(sample("parse_alarm_event"))
    wrote("incident", parse_alarm_event(given, ports))
    collecting = CollectMetricsAndLogsInput.model_validate(state)
    wrote("evidence", collect_metrics_and_logs(collecting, ports))
    wrote("diagnosis", diagnose_issue(DiagnoseIssueInput.model_validate(state), ports))
    wrote("decision", determine_action(DetermineActionInput.model_validate(state), ports))
    wrote("change", execute_repair(ExecuteRepairInput.model_validate(state), ports))
    world.clock.advance(600)
    later = [
        invocation("success", at=NOW + timedelta(seconds=n), stream="new", duration_ms=3500.0)
        for n in range(1, 9)
    ]
    world.logs.invocations += later
    wrote("verification", verify_repair(VerifyRepairInput.model_validate(state), ports))
    result = notify_result(NotifyResultInput.model_validate(state), ports)

    assert result.outcome is Outcome.REPAIRED
    assert world.kinds(Incident.model_validate(state["incident"])) == [
        RecordKind.INCIDENT_OPENED,
        RecordKind.EVIDENCE_COLLECTED,
        RecordKind.DIAGNOSIS_MADE,
        RecordKind.ACTION_DECIDED,
        RecordKind.REPAIR_PLANNED,
        RecordKind.REPAIR_APPLIED,
        RecordKind.REPAIR_VERIFIED,
        RecordKind.INCIDENT_CLOSED,
    ]
    assert world.audit.is_whole()
    assert len(json.dumps(state)) < 16_000


def test_the_sample_of_the_page_is_a_link_that_nobody_has_sent() -> None:
    given = PageRequest.model_validate(sample("approval_page"))
    assert given.method == "GET"
    assert len(given.token) == 43
    assert approval_page(given, World().ports).status == 404
