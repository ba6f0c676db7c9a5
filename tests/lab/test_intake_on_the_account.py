"""Intake against the emulated account: the queue under races, and alarms as CloudWatch has them."""

from __future__ import annotations

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest

from autorepair.aws.admissions import DynamoAdmissions
from autorepair.aws.alarms import CloudWatchAlarms
from autorepair.aws.metric_filters import CloudWatchMetricFilters
from lab.account_support import Lab, running_lab

TABLE = "state"
NOW = datetime(2026, 3, 4, 12, 0, tzinfo=UTC)
SPACING = timedelta(seconds=2)
METRIC: dict[str, Any] = {
    "Namespace": "AWS/Lambda",
    "MetricName": "Errors",
    "Dimensions": [{"Name": "FunctionName", "Value": "orders"}],
    "Statistic": "Sum",
    "Period": 60,
    "EvaluationPeriods": 1,
    "Threshold": 1.0,
    "ComparisonOperator": "GreaterThanOrEqualToThreshold",
}


@pytest.fixture
def lab(tmp_path: Path) -> Iterator[Lab]:
    with running_lab(tmp_path, time_scale=100) as running:
        yield running


def put_alarm(lab: Lab, name: str, **settings: object) -> None:
    kind = "put_composite_alarm" if "AlarmRule" in settings else "put_metric_alarm"
    given = settings if "AlarmRule" in settings else METRIC | settings
    getattr(lab.client("cloudwatch"), kind)(AlarmName=name, **given)


def raise_alarm(lab: Lab, name: str) -> None:
    lab.client("cloudwatch").set_alarm_state(
        AlarmName=name, StateValue="ALARM", StateReason="made up"
    )


def silencer(lab: Lab, name: str) -> str | None:
    alarms = CloudWatchAlarms(lab.client("cloudwatch"))
    (found,) = alarms.read([name])
    return alarms.silenced_by(found)


def test_a_hundred_incidents_at_once_are_given_moments_two_seconds_apart(lab: Lab) -> None:
    client = lab.client("dynamodb")
    client.create_table(
        TableName=TABLE,
        KeySchema=[
            {"AttributeName": "pk", "KeyType": "HASH"},
            {"AttributeName": "sk", "KeyType": "RANGE"},
        ],
        AttributeDefinitions=[
            {"AttributeName": "pk", "AttributeType": "S"},
            {"AttributeName": "sk", "AttributeType": "S"},
        ],
        BillingMode="PAY_PER_REQUEST",
    )
    admissions = DynamoAdmissions(client, table=TABLE)

    def take(_: int) -> datetime:
        latest = NOW + timedelta(minutes=10)
        return admissions.next_start(earliest=NOW, latest=latest, spacing=SPACING)

    with ThreadPoolExecutor(16) as pool:
        starts = sorted(pool.map(take, range(100)))
    assert (starts[0], starts[-1]) == (NOW, NOW + 99 * SPACING)
    assert {after - before for before, after in pairwise(starts)} == {SPACING}


def test_an_alarm_is_heard_until_its_owner_disables_its_actions(lab: Lab) -> None:
    put_alarm(lab, "errors")
    assert silencer(lab, "errors") is None
    lab.client("cloudwatch").disable_alarm_actions(AlarmNames=["errors"])
    assert "disabled" in (silencer(lab, "errors") or "")


def test_an_alarm_is_heard_until_a_mute_rule_names_it(lab: Lab) -> None:
    put_alarm(lab, "errors")
    schedule = {"Expression": "at(2026-03-04T00:00:00)", "Duration": "PT1H"}
    lab.client("cloudwatch").put_alarm_mute_rule(
        Name="night", Rule={"Schedule": schedule}, MuteTargets={"AlarmNames": ["errors"]}
    )
    assert (silencer(lab, "errors") or "").endswith("alarm-mute-rule:night")


def test_a_composite_alarm_is_heard_until_its_suppressor_goes_off(lab: Lab) -> None:
    for name in ("errors", "maintenance"):
        put_alarm(lab, name)
    put_alarm(
        lab,
        "health",
        AlarmRule='ALARM("errors")',
        ActionsSuppressor="maintenance",
        ActionsSuppressorWaitPeriod=60,
        ActionsSuppressorExtensionPeriod=60,
    )
    raise_alarm(lab, "errors")
    assert silencer(lab, "health") is None
    raise_alarm(lab, "maintenance")
    assert silencer(lab, "health") == "its suppressor maintenance"


def test_the_log_of_a_metric_is_found_through_its_filter(lab: Lab) -> None:
    logs = lab.client("logs")
    logs.create_log_group(logGroupName="/aws/lambda/orders")
    logs.put_metric_filter(
        logGroupName="/aws/lambda/orders",
        filterName="timeouts",
        filterPattern='"Task timed out"',
        metricTransformations=[
            {"metricName": "Timeouts", "metricNamespace": "Shop", "metricValue": "1"}
        ],
    )
    (found,) = CloudWatchMetricFilters(logs).of_metric("Shop", "Timeouts")
    assert found.log_group == "/aws/lambda/orders"
