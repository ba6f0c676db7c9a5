from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from autorepair.domain.audit import RecordKind
from autorepair.domain.errors import PolicyUnreadableError, TransientServiceError
from autorepair.domain.incident import Incident
from autorepair.domain.policy import Policy
from autorepair.steps.parse_alarm_event import ParseAlarmEventInput, parse_alarm_event
from unit.fakes import ACCOUNT, ARN, NOW, FakeFunctions, World, configuration

EVENTS = Path(__file__).parents[2] / "events" / "alarm"
EXECUTION = f"arn:aws:states:us-east-1:{ACCOUNT}:execution:repair:one"


def event(name: str) -> dict[str, Any]:
    loaded: dict[str, Any] = json.loads((EVENTS / f"{name}.json").read_text())
    return loaded


def parsed(world: World, raw: dict[str, Any], *, execution: str = EXECUTION) -> Incident:
    given = ParseAlarmEventInput(event=raw, execution_arn=execution, started_at=NOW)
    return parse_alarm_event(given, world.ports)


@pytest.mark.parametrize("name", ["single_metric", "metric_math", "anomaly", "manual"])
def test_an_alarm_of_an_enrolled_function_opens_an_incident(name: str) -> None:
    world = World()
    incident = parsed(world, event(name))
    assert incident.disposition == "opened"
    assert incident.subject.function_arn == ARN
    assert world.kinds(incident) == [RecordKind.INCIDENT_OPENED]
    assert world.announcer.types == ["IncidentOpened"]
    assert world.state.open_on[ARN].incident_id == incident.id


def test_the_incident_keeps_the_alias_the_alarm_watches() -> None:
    assert parsed(World(), event("single_metric_alias")).subject.qualifier == "live"


def test_the_same_execution_gives_the_same_incident_and_one_record() -> None:
    world = World()
    first, second = (parsed(world, event("single_metric")) for _ in range(2))
    assert first == second
    assert first.id.startswith("inc-20260304-")
    assert world.kinds(first) == [RecordKind.INCIDENT_OPENED]


def test_a_second_alarm_joins_the_open_incident_and_is_recorded_there() -> None:
    world = World()
    first = parsed(world, event("single_metric"))
    second = parsed(world, event("anomaly"), execution=f"{EXECUTION}-2")
    assert (second.disposition, second.joined_incident_id) == ("joined", first.id)
    assert world.kinds(first) == [RecordKind.INCIDENT_OPENED, RecordKind.ALARM_JOINED]
    assert world.kinds(second) == []


def test_the_settle_window_is_the_policys() -> None:
    world = World()
    world.policies.policy = Policy(settle_s=7)
    assert parsed(world, event("single_metric")).settle_s == 7


def test_an_unreadable_policy_does_not_stop_the_incident() -> None:
    world = World()
    world.policies.error = PolicyUnreadableError("not JSON")
    incident = parsed(world, event("single_metric"))
    assert (incident.disposition, incident.settle_s) == ("opened", Policy().settle_s)


def test_a_start_by_hand_does_not_wait_for_other_alarms() -> None:
    assert parsed(World(), event("manual")).settle_s == 0


@pytest.mark.parametrize(
    ("name", "why"),
    [
        ("ok", "state is OK"),
        ("cross_account", "another account: 210987654321"),
        ("composite", "composite"),
        ("foreign_namespace", "FunctionName"),
        ("metric_math_several_functions", "invoices, patient-slow-invoice"),
    ],
)
def test_an_alarm_that_is_not_ours_is_ignored_with_a_record(name: str, why: str) -> None:
    world = World()
    incident = parsed(world, event(name))
    assert incident.disposition == "ignored"
    assert why in incident.reason
    assert world.kinds(incident) == [RecordKind.ALARM_IGNORED]
    assert world.state.open_on == {}


def test_an_event_of_another_account_is_ignored() -> None:
    raw = {**event("single_metric"), "account": "999999999999"}
    assert "another account: 999999999999" in parsed(World(), raw).reason


def test_an_event_of_another_region_is_ignored() -> None:
    raw = {**event("single_metric"), "region": "eu-central-1"}
    assert "another Region: eu-central-1" in parsed(World(), raw).reason


def test_a_malformed_event_is_ignored_with_a_record_of_the_field() -> None:
    world = World()
    incident = parsed(world, {"detail-type": "CloudWatch Alarm State Change"})
    assert incident.disposition == "ignored"
    assert "detail" in world.audit.chain_of(incident.id)[0].entry.summary


def test_a_start_by_hand_for_a_nonsense_name_is_ignored() -> None:
    incident = parsed(World(), {"functionName": "no such name!", "manual": True})
    assert (incident.disposition, "functionName" in incident.reason) == ("ignored", True)


def test_the_services_own_functions_are_never_looked_at() -> None:
    own = configuration("lambda-auto-repair-execute-repair-dev")
    world = World(functions=FakeFunctions(own))
    incident = parsed(world, {"functionName": own.function_name, "manual": True})
    assert "belongs to this service" in incident.reason


def test_a_function_that_does_not_exist_is_ignored() -> None:
    incident = parsed(World(functions=FakeFunctions()), event("single_metric"))
    assert "no function patient-slow-invoice" in incident.reason


def test_a_function_without_the_tag_is_ignored_with_a_record() -> None:
    world = World(functions=FakeFunctions(configuration(tags={"auto-repair": "Enabled"})))
    incident = parsed(world, event("single_metric"))
    assert "auto-repair=enabled" in incident.reason
    assert world.kinds(incident) == [RecordKind.ALARM_IGNORED]
    assert world.audit.chain_of(incident.id)[0].entry.function_name == "patient-slow-invoice"


def test_a_malformed_event_without_end_is_recorded_in_brief() -> None:
    raw = event("metric_math")
    raw["detail"]["configuration"]["metrics"] = [{"expression": 1}] * 500
    assert len(parsed(World(), raw).reason) == 1000


def test_a_start_by_hand_in_china_names_the_function_in_its_partition() -> None:
    world = World()
    ports = World().ports
    china = type(ports)(**{**vars(world.ports), "region": "cn-north-1"})
    given = ParseAlarmEventInput(event=event("manual"), execution_arn=EXECUTION, started_at=NOW)
    assert parse_alarm_event(given, china).subject.function_arn.startswith("arn:aws-cn:lambda")


def test_a_throttled_read_is_not_taken_for_a_stranger() -> None:
    world = World()
    world.functions.read_errors = [TransientServiceError("throttled")]
    with pytest.raises(TransientServiceError):
        parsed(world, event("single_metric"))


def test_an_announcement_that_fails_does_not_stop_the_incident() -> None:
    world = World()
    world.announcer.error = TransientServiceError("bus down")
    assert parsed(world, event("single_metric")).disposition == "opened"


def test_a_muted_alarm_opens_an_incident_that_remembers_it() -> None:
    incident = parsed(World(), event("muted"))
    assert incident.alarm is not None
    assert incident.alarm.silenced_by is not None
