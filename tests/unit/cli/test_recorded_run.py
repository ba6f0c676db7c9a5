"""The real steps on a recording: what they see, and what they must not."""

from __future__ import annotations

from datetime import datetime, timedelta
from pathlib import Path

import pytest

from autorepair.aws.unknown_advisor import UnknownAdvisor
from autorepair_cli.recorded.account import RecordedAccount
from autorepair_cli.recorded.answer import Line, line_of
from autorepair_cli.recorded.run import Run, run
from unit.cli import casebook
from unit.cli.casebook import ALARM_AT, QUEUE, TABLE


def concluded(folder: Path, **members: object) -> Run:
    return run(casebook.read(folder, **members).recording, UnknownAdvisor())


def line(folder: Path, **members: object) -> Line:
    return line_of("one", concluded(folder, **members))


def test_a_dropped_variable_is_named_and_written_from_its_declaration(tmp_path: Path) -> None:
    said = line(tmp_path)
    assert said["root_cause"] == "missing_env_var"
    assert said["source"] == "rules"
    assert said["repair"] == {"action": "set_env", "set": ["STOCK_TABLE"], "unset": []}
    assert said["cited"]


def test_what_describes_the_answer_alters_nothing(tmp_path: Path) -> None:
    lie = {"root_cause": "timeout_too_low", "repair": None}
    assert line(tmp_path) == line(
        tmp_path, id="timeout-too-low", title="It timed out", source=["timeout"], expected=lie
    )


def test_no_value_of_the_environment_or_of_a_declaration_reaches_the_evidence(
    tmp_path: Path,
) -> None:
    found = concluded(tmp_path)
    told = found.evidence.model_dump_json() + found.decision.model_dump_json()
    assert "never-to-be-seen" not in told
    assert TABLE not in told


def test_declarations_are_compared_with_what_is_set(tmp_path: Path) -> None:
    declared = {one.name: one.matches_current for one in concluded(tmp_path).evidence.declared}
    assert declared == {
        "STOCK_TABLE": False,
        "LOG_LEVEL": True,
        "API_KEY": False,
        "NODE_OPTIONS": True,
    }


def test_a_value_that_only_its_source_knows_is_neither_equal_nor_different(tmp_path: Path) -> None:
    declared = {"LOG_LEVEL": {"type": "ssm", "name": "/level"}}
    (one,) = concluded(tmp_path, known_config=declared).evidence.declared
    assert one.matches_current is None


def test_callers_are_found_once_with_the_limits_they_set(tmp_path: Path) -> None:
    callers = {one.kind: one for one in concluded(tmp_path).evidence.callers}
    assert callers["sqs"].timeout_limit_s == 90.0
    assert callers["sqs"].source == QUEUE
    assert callers["apigateway"].timeout_limit_s == 29.0
    assert set(callers) == {"sqs", "apigateway"}


def test_a_queue_keeps_its_rules(tmp_path: Path) -> None:
    (source,) = concluded(tmp_path).evidence.event_sources
    assert (source.most_receives, source.batch_size, source.has_partial_responses) == (4, 5, True)


def test_a_change_keeps_what_it_replaced_and_one_that_is_recorded_is_not_told_twice(
    tmp_path: Path,
) -> None:
    (change,) = concluded(tmp_path).evidence.changes
    assert [(one.name, one.kind) for one in change.variables] == [("STOCK_TABLE", "removed")]
    assert change.note == "ticket: OPS-12"


def test_a_modification_that_nothing_recorded_explains_is_still_seen(tmp_path: Path) -> None:
    (change,) = concluded(tmp_path, recent_changes=[]).evidence.changes
    assert change.source == "configuration"


def test_metrics_know_where_they_come_from(tmp_path: Path) -> None:
    metrics = {one.metric_name: one for one in concluded(tmp_path).evidence.metrics}
    assert metrics["Duration"].statistic == "p99.9"
    assert metrics["Errors"].namespace == "AWS/Lambda"
    assert metrics["ApproximateNumberOfMessagesVisible"].namespace == "AWS/SQS"


def test_what_was_logged_before_the_window_is_read_too(tmp_path: Path) -> None:
    early = casebook.events(3, at=ALARM_AT - timedelta(days=2))
    found = concluded(tmp_path, log_events=[*early, *casebook.events(3)])
    assert len(found.evidence.failures) == 6
    assert found.evidence.log_lines[0].at < found.evidence.window_start


def test_the_alarm_is_the_one_of_the_event(tmp_path: Path) -> None:
    alarm = concluded(tmp_path).evidence.alarm
    assert alarm is not None
    assert (alarm.name, alarm.metric_name, alarm.changed_at) == ("stock-errors", "Errors", ALARM_AT)


@pytest.mark.parametrize("event", [None, {"detail": 7}, {"time": "noon"}])
def test_without_a_readable_alarm_event_the_rest_still_leads_to_the_cause(
    event: object, tmp_path: Path
) -> None:
    found = concluded(tmp_path, alarm_event=event)
    assert found.diagnosis.root_cause.value == "missing_env_var"
    assert found.evidence.alarm is not None
    assert found.evidence.alarm.kind == "manual"


@pytest.mark.parametrize(
    "members",
    [
        {"queue_attributes": ...},
        {"account_settings": {"AccountLimit": {"ConcurrentExecutions": 100}}},
        {"account_settings": {}},
        {"aliases": {"Name": "live", "FunctionVersion": "3"}},
        {"versions": [{"Version": "3"}]},
        {"tags": {"auto-repair-mode": "off"}},
        {"related_alarms": [{"AlarmName": "other"}]},
    ],
)
def test_answers_that_are_recorded_in_part_do_not_stop_the_run(
    members: dict[str, object], tmp_path: Path
) -> None:
    assert line(tmp_path, **members)["repair"] is not None


def test_an_alarm_on_an_alias_is_read_with_the_releases(tmp_path: Path) -> None:
    event = casebook.alarm_event()
    metric = event["detail"]["configuration"]["metrics"][0]["metricStat"]["metric"]
    metric["dimensions"]["Resource"] = f"{casebook.NAME}:live"
    alias = {"Name": "live", "FunctionVersion": "3"}
    evidence = concluded(tmp_path, alarm_event=event, aliases=[alias], versions=[]).evidence
    assert evidence.configuration.alias_version == "3"
    assert [one.name for one in evidence.aliases] == ["live"]


def test_without_a_log_or_a_telling_metric_nothing_is_claimed(tmp_path: Path) -> None:
    said = line(tmp_path, log_events=[], metrics=..., recent_changes=[], known_config={})
    assert said["root_cause"] == "insufficient_evidence"
    assert said["repair"] is None


def test_the_run_is_the_same_every_time(tmp_path: Path) -> None:
    assert concluded(tmp_path).evidence == concluded(tmp_path).evidence
    assert isinstance(concluded(tmp_path).evidence.collected_at, datetime)


def test_a_composite_alarm_takes_its_alias_from_the_child_that_stands(tmp_path: Path) -> None:
    event = casebook.alarm_event()
    event["detail"]["configuration"] = {"alarmRule": 'ALARM("child") OR ALARM("calm")'}
    child = {
        "AlarmName": "child",
        "StateValue": "ALARM",
        "Namespace": "AWS/Lambda",
        "MetricName": "Errors",
        "Dimensions": [
            {"Name": "FunctionName", "Value": casebook.NAME},
            {"Name": "Resource", "Value": f"{casebook.NAME}:live"},
        ],
    }
    calm = child | {"AlarmName": "calm", "StateValue": "OK", "Dimensions": []}
    found = concluded(
        tmp_path,
        alarm_event=event,
        related_alarms={"MetricAlarms": [child, calm]},
        aliases=[{"Name": "live", "FunctionVersion": "3"}],
    )
    assert found.evidence.alarm is not None
    assert found.evidence.alarm.kind == "composite"
    assert found.evidence.configuration.alias_version == "3"


def test_only_the_wanted_streams_and_times_of_the_log_are_given(tmp_path: Path) -> None:
    account = RecordedAccount(casebook.read(tmp_path).recording)
    whole = account.filter_log_events(startTime=10, endTime=2**62)["events"]
    first = whole[0]["timestamp"]
    later = account.filter_log_events(startTime=first + 1, endTime=2**62)["events"]
    assert len(later) == len(whole) - 1
    other = account.filter_log_events(startTime=10, endTime=2**62, logStreamNames=["x"])["events"]
    assert other == []
