"""Events reach the targets whose rules match; alarms speak in CloudWatch's words."""

# ruff: noqa: ANN401 - any JSON may be in an event

from __future__ import annotations

import json
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
import requests
from botocore.exceptions import ClientError

from autorepair_lab.account.alarm_rules import children, compile_rule
from autorepair_lab.account.call import CallRefusedError
from autorepair_lab.account.event_input import target_input
from autorepair_lab.account.event_patterns import load_pattern, matches
from lab.account_support import Lab, create_function, running_lab, until

QUEUE_ARN = "arn:aws:sqs:us-east-1:123456789012:"


@pytest.fixture
def lab(tmp_path: Path) -> Iterator[Lab]:
    with running_lab(tmp_path, time_scale=100) as running:
        yield running


def rule_to_queue(lab: Lab, name: str, pattern: dict[str, Any], **target: Any) -> str:
    url: str = lab.client("sqs").create_queue(QueueName=name)["QueueUrl"]
    events = lab.client("events")
    events.put_rule(Name=name, EventPattern=json.dumps(pattern))
    events.put_targets(Rule=name, Targets=[{"Id": "q", "Arn": QUEUE_ARN + name, **target}])
    return url


def received(lab: Lab, url: str) -> str:
    found: list[dict[str, str]] = until(
        lambda: lab.client("sqs").receive_message(QueueUrl=url).get("Messages")
    )
    return found[0]["Body"]


def put_alarm(lab: Lab, name: str, **settings: Any) -> None:
    lab.client("cloudwatch").put_metric_alarm(
        **{
            "AlarmName": name,
            "AlarmDescription": "watches",
            "Namespace": "AWS/Lambda",
            "MetricName": "Errors",
            "Dimensions": [{"Name": "FunctionName", "Value": "patient"}],
            "Statistic": "Sum",
            "Period": 60,
            "EvaluationPeriods": 1,
            "Threshold": 1.0,
            "ComparisonOperator": "GreaterThanOrEqualToThreshold",
            "TreatMissingData": "notBreaching",
            **settings,
        }
    )


def test_an_alarm_that_changes_its_state_says_so_in_cloudwatchs_shape(lab: Lab) -> None:
    pattern = {
        "source": ["aws.cloudwatch"],
        "detail-type": ["CloudWatch Alarm State Change"],
        "detail": {
            "state": {"value": ["ALARM"]},
            "configuration": {"metrics": {"metricStat": {"metric": {"namespace": ["AWS/Lambda"]}}}},
        },
    }
    url = rule_to_queue(lab, "alarms", pattern)
    put_alarm(lab, "patient-errors")
    lab.client("cloudwatch").set_alarm_state(
        AlarmName="patient-errors",
        StateValue="ALARM",
        StateReason="made up",
        StateReasonData='{"version": "1.0"}',
    )
    event = json.loads(received(lab, url))
    detail = event["detail"]

    assert event.keys() == {
        *("version", "id", "detail-type", "source", "account", "time", "region"),
        *("resources", "detail"),
    }
    assert event["resources"] == ["arn:aws:cloudwatch:us-east-1:123456789012:alarm:patient-errors"]
    assert detail["alarmName"] == "patient-errors"
    assert detail["state"]["reason"] == "made up"
    assert detail["state"]["reasonData"] == '{"version": "1.0"}'
    assert detail["previousState"]["value"] == "INSUFFICIENT_DATA"
    assert detail["configuration"]["description"] == "watches"
    (metric,) = detail["configuration"]["metrics"]
    assert metric["returnData"] is True
    assert metric["metricStat"] == {
        "metric": {
            "namespace": "AWS/Lambda",
            "name": "Errors",
            "dimensions": {"FunctionName": "patient"},
        },
        "period": 60,
        "stat": "Sum",
    }


def test_the_metric_decides_and_the_reason_says_how(lab: Lab) -> None:
    # Of a minute that ends in the middle of this, the one before it counts as well.
    put_alarm(lab, "by-metric", EvaluationPeriods=60, DatapointsToAlarm=1)
    lab.client("cloudwatch").put_metric_data(
        Namespace="AWS/Lambda",
        MetricData=[
            {
                "MetricName": "Errors",
                "Value": 3,
                "Timestamp": datetime.now(UTC),
                "Dimensions": [{"Name": "FunctionName", "Value": "patient"}],
            }
        ],
    )
    changed = requests.post(f"{lab.account.endpoint}/_lab/alarms/evaluate", timeout=60).json()
    (alarm,) = lab.client("cloudwatch").describe_alarms(AlarmNames=["by-metric"])["MetricAlarms"]

    assert changed == {"changed": ["by-metric"]}
    assert alarm["StateValue"] == "ALARM"
    assert alarm["StateReason"].startswith(
        "Threshold Crossed: 1 out of the last 60 datapoints [3.0"
    )
    assert json.loads(alarm["StateReasonData"])["recentDatapoints"] == [3.0]
    assert lab.account.evaluate_alarms() == []


def test_actions_are_taken_unless_they_are_disabled(lab: Lab) -> None:
    topic = lab.client("sns").create_topic(Name="pager")["TopicArn"]
    cloudwatch = lab.client("cloudwatch")
    put_alarm(lab, "loud", AlarmActions=[topic])
    put_alarm(lab, "quiet", AlarmActions=[topic], ActionsEnabled=False)
    for name in ("quiet", "loud"):
        cloudwatch.set_alarm_state(AlarmName=name, StateValue="ALARM", StateReason="test")
    (message,) = until(lab.account.inbox)

    assert message["subject"] == 'ALARM: "loud" in US East (N. Virginia)'
    assert json.loads(message["message"])["NewStateValue"] == "ALARM"
    enabled = {
        one["AlarmName"]: one["ActionsEnabled"]
        for one in cloudwatch.describe_alarms()["MetricAlarms"]
    }
    assert enabled == {"loud": True, "quiet": False}


def test_a_composite_alarm_follows_its_children(lab: Lab) -> None:
    cloudwatch = lab.client("cloudwatch")
    put_alarm(lab, "child")
    cloudwatch.put_composite_alarm(
        AlarmName="parent", AlarmRule='ALARM("child") AND NOT OK("other")', ActionsEnabled=True
    )
    cloudwatch.set_alarm_state(AlarmName="child", StateValue="ALARM", StateReason="test")
    (parent,) = cloudwatch.describe_alarms(AlarmTypes=["CompositeAlarm"])["CompositeAlarms"]
    history = cloudwatch.describe_alarm_history(
        AlarmName="parent", HistoryItemType="StateUpdate", ScanBy="TimestampAscending"
    )["AlarmHistoryItems"]

    assert parent["StateValue"] == "ALARM"
    assert history[-1]["HistorySummary"] == "Alarm updated from OK to ALARM"
    assert history[-1]["AlarmType"] == "CompositeAlarm"


def test_a_rule_of_a_composite_alarm_is_read_as_written() -> None:
    rule = 'ALARM(a) OR (INSUFFICIENT_DATA("b c") AND NOT TRUE)'

    assert children(rule) == ["a", "b c"]
    assert compile_rule(rule)({"a": "ALARM", "b c": "OK"}.__getitem__)
    assert not compile_rule(rule)({"a": "OK", "b c": "INSUFFICIENT_DATA"}.__getitem__)
    with pytest.raises(CallRefusedError, match="AlarmRule"):
        compile_rule("ALARM(a) OR")


@pytest.mark.parametrize(
    ("pattern", "event", "expected"),
    [
        ({"a": ["x"]}, {"a": "x"}, True),
        ({"a": ["x"]}, {"a": ["y", "x"]}, True),
        ({"a": ["x"]}, {}, False),
        ({"a": [1]}, {"a": "1"}, False),
        ({"a": [True]}, {"a": 1}, False),
        ({"a": [None]}, {"a": None}, True),
        ({"a": [{"prefix": "ab"}]}, {"a": "abc"}, True),
        ({"a": [{"suffix": "bc"}]}, {"a": "abc"}, True),
        ({"a": [{"wildcard": "a*c"}]}, {"a": "abbc"}, True),
        ({"a": [{"wildcard": "a*c"}]}, {"a": "abbd"}, False),
        ({"a": [{"anything-but": ["x", "y"]}]}, {"a": "z"}, True),
        ({"a": [{"anything-but": ["x", "y"]}]}, {"a": "x"}, False),
        ({"a": [{"anything-but": {"prefix": "x"}}]}, {"a": "xy"}, False),
        ({"a": [{"anything-but": "x"}]}, {}, False),
        ({"a": [{"numeric": [">", 1, "<=", 5]}]}, {"a": 5}, True),
        ({"a": [{"numeric": [">", 1, "<=", 5]}]}, {"a": 1}, False),
        ({"a": [{"exists": True}]}, {"a": 0}, True),
        ({"a": [{"exists": False}]}, {}, True),
        ({"a": [{"exists": False}]}, {"a": 1}, False),
        ({"a": [{"equals-ignore-case": "AbC"}]}, {"a": "aBc"}, True),
        ({"$or": [{"a": ["x"]}, {"b": ["y"]}]}, {"b": "y"}, True),
        ({"$or": [{"a": ["x"]}, {"b": ["y"]}]}, {"a": "z"}, False),
        ({"a": {"b": ["x"]}}, {"a": [{"b": "y"}, {"b": "x"}]}, True),
        ({"a": {"b": ["x"], "c": ["z"]}}, {"a": [{"b": "x"}, {"c": "z"}]}, False),
    ],
)
def test_a_pattern_matches_as_eventbridge_matches(
    pattern: dict[str, Any],
    event: dict[str, Any],
    expected: bool,  # noqa: FBT001 - a column
) -> None:
    assert matches(load_pattern(json.dumps(pattern)), event) is expected


@pytest.mark.parametrize("pattern", ["[]", "{}", '{"a": "x"}', '{"a": [{"like": "x"}]}', "no"])
def test_a_pattern_that_eventbridge_refuses_is_refused(pattern: str) -> None:
    with pytest.raises(CallRefusedError, match="InvalidEventPattern"):
        load_pattern(pattern)


def test_a_target_gets_what_it_asked_for() -> None:
    event = {"id": "7", "detail": {"name": 'a "b"', "list": [1, 2]}}
    template = '{"id": <id>, "said": "<name> here", "list": <list>}'
    paths = {"id": "$.id", "name": "$.detail.name", "list": "$.detail.list"}

    assert json.loads(target_input({}, "rule/r", event)) == event
    assert target_input({"Input": '{"fixed": 1}'}, "rule/r", event) == '{"fixed": 1}'
    assert target_input({"InputPath": "$.detail.list[1]"}, "rule/r", event) == "2"
    made = target_input(
        {"InputTransformer": {"InputPathsMap": paths, "InputTemplate": template}}, "rule/r", event
    )
    assert json.loads(made) == {"id": "7", "said": 'a "b" here', "list": [1, 2]}


def test_own_events_go_by_their_bus_and_sources_of_aws_are_refused(lab: Lab) -> None:
    events = lab.client("events")
    create_function(lab.client("lambda"), "listener")
    events.create_event_bus(Name="own")
    events.put_rule(
        Name="r", EventBusName="own", EventPattern=json.dumps({"source": [{"prefix": "my."}]})
    )
    arn = "arn:aws:lambda:us-east-1:123456789012:function:listener"
    events.put_targets(
        Rule="r", EventBusName="own", Targets=[{"Id": "f", "Arn": arn, "InputPath": "$.detail"}]
    )
    entry = {"DetailType": "Thing", "Detail": '{"n": 1}'}
    answer = events.put_events(
        Entries=[
            {**entry, "Source": "my.app", "EventBusName": "own"},
            {**entry, "Source": "my.app"},
            {**entry, "Source": "aws.cloudwatch"},
            {**entry, "Source": "my.app", "Detail": "[]"},
        ]
    )
    (record,) = until(lambda: lab.account.invocations("listener"))

    assert json.loads(record.payload) == {"n": 1}
    assert answer["FailedEntryCount"] == 2
    assert [one.get("ErrorCode") for one in answer["Entries"]] == [
        *(None, None),
        *("NotAuthorizedForSourceException", "MalformedDetail"),
    ]


def test_a_schedule_runs_when_it_is_triggered(lab: Lab) -> None:
    create_function(lab.client("lambda"), "reconcile")
    events = lab.client("events")
    events.put_rule(Name="every-five", ScheduleExpression="rate(5 minutes)")
    arn = "arn:aws:lambda:us-east-1:123456789012:function:reconcile"
    events.put_targets(Rule="every-five", Targets=[{"Id": "f", "Arn": arn}])
    answer = requests.post(f"{lab.account.endpoint}/_lab/schedule/every-five", timeout=60)
    unknown = requests.post(f"{lab.account.endpoint}/_lab/schedule/never", timeout=60)
    (record,) = until(lambda: lab.account.invocations("reconcile"))

    assert (answer.status_code, unknown.status_code) == (202, 400)
    assert json.loads(record.payload)["detail-type"] == "Scheduled Event"


def test_what_a_target_refuses_goes_to_its_dead_letter_queue(lab: Lab) -> None:
    url = lab.client("sqs").create_queue(QueueName="dead")["QueueUrl"]
    events = lab.client("events")
    events.put_rule(Name="lost", EventPattern='{"source": ["my.app"]}')
    arn = "arn:aws:lambda:us-east-1:123456789012:function:nobody"
    target = {"Id": "f", "Arn": arn, "DeadLetterConfig": {"Arn": QUEUE_ARN + "dead"}}
    events.put_targets(Rule="lost", Targets=[target])
    events.put_events(Entries=[{"Source": "my.app", "DetailType": "T", "Detail": '{"n": 2}'}])

    assert json.loads(received(lab, url))["detail"] == {"n": 2}


@pytest.mark.parametrize("subject", ["two\nlines", "x" * 101, "ünïcode", " leading space"])
def test_a_subject_that_sns_refuses_is_refused(lab: Lab, subject: str) -> None:
    topic = lab.client("sns").create_topic(Name="t")["TopicArn"]
    with pytest.raises(ClientError) as raised:
        lab.client("sns").publish(TopicArn=topic, Subject=subject, Message="m")

    assert raised.value.response["Error"]["Code"] == "InvalidParameter"
    assert lab.account.inbox() == []
