from __future__ import annotations

import json
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from autorepair.domain.audit import RecordKind
from autorepair.domain.errors import (
    AccessDeniedError,
    PolicyUnreadableError,
    TransientServiceError,
)
from autorepair.domain.filtered_log import FilteredLog
from autorepair.domain.incident import Incident
from autorepair.domain.policy import Policy
from autorepair.steps.enrolled_targets import STACK_TAG
from autorepair.steps.parse_alarm_event import ParseAlarmEventInput, parse_alarm_event
from unit.fake_alarms import described
from unit.fakes import ACCOUNT, ARN, NAME, NOW, FakeFunctions, World, configuration

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
        ("composite", "no alarm below the composite alarm"),
        ("foreign_namespace", "FunctionName"),
        ("other_region", "another Region: eu-central-1"),
        ("own_function", "belongs to this service"),
        ("malformed", "detail.alarmName"),
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
    raw["detail"]["configuration"]["metrics"] = [{"expression": 1}] * 499
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


def test_an_ignored_alarm_of_a_known_function_is_found_by_its_name() -> None:
    world = World(functions=FakeFunctions(configuration(tags={})))
    for name in ("ok", "single_metric", "metric_math"):
        incident = parsed(world, event(name), execution=f"{EXECUTION}-{name}")
        assert world.audit.chain_of(incident.id)[0].entry.function_name == NAME, name


def test_the_namesake_of_another_account_is_not_recorded_under_this_accounts_function() -> None:
    world = World()
    incident = parsed(world, event("cross_account"))
    assert world.audit.chain_of(incident.id)[0].entry.function_name is None


def test_an_own_function_is_known_by_its_stack_too() -> None:
    tags = {"auto-repair": "enabled", STACK_TAG: "lambda-auto-repair-dev-Functions-1X2Y"}
    incident = parsed(World(functions=FakeFunctions(configuration(tags=tags))), event("manual"))
    assert (incident.disposition, "belongs to this service" in incident.reason) == ("ignored", True)


def test_an_alarm_back_to_ok_at_intake_is_recovered_with_a_record() -> None:
    world = World()
    world.alarms.recovered.add("patient-slow-invoice-errors")
    incident = parsed(world, event("single_metric"))
    assert (incident.disposition, world.state.open_on) == ("recovered", {})
    entry = world.audit.chain_of(incident.id)[0].entry
    assert (entry.data["disposition"], entry.function_name) == ("recovered", NAME)
    assert "no longer in ALARM" in entry.summary


def test_an_answer_older_than_the_event_does_not_count() -> None:
    world = World()
    world.alarms.put(described("patient-slow-invoice-errors", NAME, state="OK"))
    assert parsed(world, event("single_metric")).disposition == "opened"


def test_an_alarm_that_nobody_knows_is_left_to_the_check_before_the_write() -> None:
    world = World()
    world.alarms.gone.add("patient-slow-invoice-errors")
    assert parsed(world, event("single_metric")).disposition == "opened"


@pytest.mark.parametrize(
    "error", [TransientServiceError("throttled"), AccessDeniedError("not granted")]
)
def test_alarms_that_cannot_be_asked_do_not_stop_the_incident(error: Exception) -> None:
    world = World()
    world.alarms.error = error
    assert parsed(world, event("single_metric")).disposition == "opened"


def test_a_start_by_hand_asks_no_alarm() -> None:
    world = World()
    assert parsed(world, event("manual_arn")).subject.qualifier == "live"
    assert world.alarms.asked == []


def test_a_start_by_hand_for_another_accounts_function_is_ignored() -> None:
    arn = "arn:aws:lambda:us-east-1:999999999999:function:patient-slow-invoice"
    incident = parsed(World(), {"functionName": arn, "manual": True})
    assert "another account: 999999999999" in incident.reason


def test_a_silenced_alarm_opens_an_incident_that_says_by_what() -> None:
    world = World()
    world.alarms.silent["patient-slow-invoice-errors"] = "its owner, who disabled its actions"
    alarm = parsed(world, event("single_metric")).alarm
    assert alarm is not None
    assert alarm.silenced_by == "its owner, who disabled its actions"


def test_an_alarm_that_may_yet_be_suppressed_settles_for_that_long() -> None:
    world = World()
    world.alarms.put(described("patient-slow-invoice-errors", NAME))
    assert parsed(world, event("composite")).settle_s == 120


def test_a_composite_alarm_is_about_the_function_of_its_child_in_alarm() -> None:
    world = World()
    world.alarms.put(
        described("patient-slow-invoice-errors", "healthy", state="OK"),
        described("patient-slow-invoice-throttles", NAME),
    )
    incident = parsed(world, event("composite"))
    assert (incident.disposition, incident.subject.function_name) == ("opened", NAME)


def test_a_composite_alarm_joins_the_incident_that_its_child_has_opened() -> None:
    world = World()
    world.alarms.put(described("patient-slow-invoice-errors", NAME))
    first = parsed(world, event("single_metric"))
    second = parsed(world, event("composite"), execution=f"{EXECUTION}-2")
    assert (second.disposition, second.joined_incident_id) == ("joined", first.id)


def two_functions() -> World:
    return World(functions=FakeFunctions(configuration("invoices"), configuration()))


def test_of_several_functions_the_first_by_name_is_taken_and_the_others_are_recorded() -> None:
    world = two_functions()
    incident = parsed(world, event("metric_math_several_functions"))
    entry = world.audit.chain_of(incident.id)[0].entry
    assert incident.subject.function_name == "invoices"
    assert entry.data["other_functions"] == [NAME]
    assert NAME in entry.summary


def test_of_several_functions_the_next_one_gets_its_turn_when_the_alarm_comes_again() -> None:
    world = two_functions()
    raw = event("metric_math_several_functions")
    first, second, third = (parsed(world, raw, execution=f"{EXECUTION}-{n}") for n in range(3))
    assert [i.subject.function_name for i in (first, second)] == ["invoices", NAME]
    assert (third.disposition, third.joined_incident_id) == ("joined", first.id)
    assert world.kinds(second) == [RecordKind.INCIDENT_OPENED, RecordKind.ALARM_JOINED]


def test_of_several_functions_one_that_is_not_enrolled_is_passed_over() -> None:
    world = World(functions=FakeFunctions(configuration("invoices", tags={}), configuration()))
    assert parsed(world, event("metric_math_several_functions")).subject.function_name == NAME


def test_a_time_out_alarm_is_about_the_function_of_the_filtered_log() -> None:
    world = World()
    log = FilteredLog(log_group=f"/aws/lambda/{NAME}", pattern="timed")
    world.metric_filters.logs["LambdaAutoRepair/Timeouts", "Timeouts"] = (log,)
    assert parsed(world, event("timeouts")).subject.function_name == NAME


@pytest.mark.parametrize(
    ("writes_to", "disposition"), [("/shared", "opened"), ("/its/own", "ignored")]
)
def test_a_function_found_in_a_shared_log_has_to_write_there(
    writes_to: str, disposition: str
) -> None:
    world = World(functions=FakeFunctions(configuration(log_group=writes_to)))
    log = FilteredLog(log_group="/shared", pattern="timed")
    world.metric_filters.logs["LambdaAutoRepair/Timeouts", "Timeouts"] = (log,)
    world.metric_filters.writers["/shared"] = (NAME,)
    assert parsed(world, event("timeouts")).disposition == disposition


def test_a_retry_gives_the_incident_as_it_was_opened_whatever_has_changed() -> None:
    world = World()
    world.admissions.free_at = NOW + timedelta(seconds=30)
    first = parsed(world, event("single_metric"))
    world.alarms.recovered.add("patient-slow-invoice-errors")
    world.functions.by_name.clear()
    assert parsed(world, event("single_metric")) == first
    assert len(world.admissions.taken) == 1


def test_a_burst_is_spread_by_longer_settle_windows_and_the_record_says_so() -> None:
    names = [f"orders-{n:03}" for n in range(100)]
    world = World(functions=FakeFunctions(*map(configuration, names)))
    world.policies.policy = Policy(settle_s=60)
    opened = [
        parsed(world, {"functionName": name, "manual": True}, execution=f"{EXECUTION}-{name}")
        for name in names
    ]
    assert [incident.settle_s for incident in opened] == [2 * n for n in range(100)]
    assert world.audit.chain_of(opened[7].id)[0].entry.data["queued_s"] == 14


def test_a_joining_alarm_takes_no_place_in_the_queue() -> None:
    world = World()
    for n in range(3):
        parsed(world, event("single_metric"), execution=f"{EXECUTION}-{n}")
    assert len(world.admissions.taken) == 1
