"""Logs and metrics are read back as CloudWatch gives them."""

from __future__ import annotations

import json
import time
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Literal

import pytest
from botocore.exceptions import ClientError

from autorepair.domain.own_alarms import Enrollable, filter_for
from autorepair_lab.account.call import CallRefusedError
from autorepair_lab.account.log_patterns import compile_pattern
from autorepair_lab.account.metric_math import evaluate
from autorepair_lab.runtime.model import FunctionSpec
from autorepair_lab.runtime.platform_log import PlatformLog, Report
from lab.account_support import Lab, running_lab


@pytest.fixture(scope="module")
def lab(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Lab]:
    with running_lab(tmp_path_factory.mktemp("logs")) as running:
        yield running


def put(lab: Lab, group: str, stream: str, events: list[tuple[int, str]]) -> None:
    logs = lab.client("logs")
    names = [one["logGroupName"] for one in logs.describe_log_groups()["logGroups"]]
    if group not in names:
        logs.create_log_group(logGroupName=group)
    logs.create_log_stream(logGroupName=group, logStreamName=stream)
    logs.put_log_events(
        logGroupName=group,
        logStreamName=stream,
        logEvents=[{"timestamp": at, "message": message} for at, message in events],
    )


def test_events_of_several_streams_come_in_the_order_of_time(lab: Lab) -> None:
    base = int(time.time() * 1000) - 60_000
    put(lab, "/order", "b", [(base + 1, "second"), (base + 3, "fourth")])
    put(lab, "/order", "a", [(base, "first"), (base + 2, "third"), (base + 9, "late")])
    found = lab.client("logs").filter_log_events(
        logGroupName="/order", startTime=base, endTime=base + 3
    )

    assert [one["message"] for one in found["events"]] == ["first", "second", "third", "fourth"]
    assert "nextToken" not in found


def test_pages_follow_one_another_without_gap_or_repetition(lab: Lab) -> None:
    base = int(time.time() * 1000) - 60_000
    put(lab, "/pages", "s", [(base + n, f"n{n}") for n in range(25)])
    pages = list(
        lab.client("logs")
        .get_paginator("filter_log_events")
        .paginate(logGroupName="/pages", limit=10)
    )

    assert [len(page["events"]) for page in pages] == [10, 10, 5]
    messages = [one["message"] for page in pages for one in page["events"]]
    assert messages == [f"n{n}" for n in range(25)]


def test_a_page_holds_a_megabyte_at_most(lab: Lab) -> None:
    base = int(time.time() * 1000) - 60_000
    for part in range(3):
        put(lab, "/large", f"s{part}", [(base + part, "x" * 200_000)] * 2)
    first = lab.client("logs").filter_log_events(logGroupName="/large")

    assert len(first["events"]) == 5
    assert first["nextToken"]


def test_patterns_choose_events_on_the_server(lab: Lab) -> None:
    base = int(time.time() * 1000) - 60_000
    report = json.dumps({"type": "platform.report", "record": {"status": "timeout"}})
    put(lab, "/chosen", "s", [(base, "Task timed out after 3.00 seconds"), (base + 1, report)])
    logs = lab.client("logs")

    def chosen(pattern: str) -> int:
        found = logs.filter_log_events(logGroupName="/chosen", filterPattern=pattern)
        return len(found["events"])

    assert chosen('?"Task timed out" ?platform') == 2
    assert chosen('{ $.type = "platform.report" && $.record.status = "time*" }') == 1
    assert chosen("absent") == 0


@pytest.mark.parametrize(
    ("pattern", "message", "expected"),
    [
        ("", "anything", True),
        ("ERROR Task", "Task ended with ERROR", True),
        ("ERROR Task", "ERROR only", False),
        ("?ERROR ?Task", "Task", True),
        ("ERROR -Ignored", "ERROR Ignored", False),
        ('"quoted phrase"', "a quoted phrase here", True),
        ('"quoted phrase"', "quoted other phrase", False),
        ("%time[d ]+out%", "it timed out", True),
        ("{ $.a = 1 }", '{"a": 1}', True),
        ("{ $.a > 1.5 }", '{"a": 2}', True),
        ("{ $.a != 1 }", '{"a": 2}', True),
        ("{ $.a.b[0].c = x }", '{"a": {"b": [{"c": "x"}]}}', True),
        ("{ $.a NOT EXISTS }", '{"b": 1}', True),
        ("{ $.a IS NULL }", '{"a": null}', True),
        ("{ $.a IS TRUE }", '{"a": true}', True),
        ('{ ($.a = "1" || $.b = 2) && $.c = 3 }', '{"b": 2, "c": 3}', True),
        ('{ ($.a = "1" || $.b = 2) && $.c = 3 }', '{"b": 2, "c": 4}', False),
        ("{ $.a = 1 }", "no json", False),
    ],
)
def test_a_filter_pattern_means_what_cloudwatch_says(
    pattern: str,
    message: str,
    expected: bool,  # noqa: FBT001 - a column of the table
) -> None:
    assert compile_pattern(pattern)(message) is expected


def test_a_broken_pattern_is_refused() -> None:
    with pytest.raises(CallRefusedError, match="InvalidParameterException"):
        compile_pattern("{ $.a = }")


def test_a_group_that_is_not_there_is_not_found(lab: Lab) -> None:
    with pytest.raises(ClientError) as raised:
        lab.client("logs").filter_log_events(logGroupName="/absent")

    assert raised.value.response["Error"]["Code"] == "ResourceNotFoundException"


def test_a_metric_filter_turns_log_lines_into_a_metric(lab: Lab) -> None:
    logs = lab.client("logs")
    logs.create_log_group(logGroupName="/measured")
    logs.put_metric_filter(
        logGroupName="/measured",
        filterName="timeouts",
        filterPattern='"Task timed out"',
        metricTransformations=[
            {"metricName": "Timeouts", "metricNamespace": "Own", "metricValue": "1"}
        ],
    )
    now = datetime.now(UTC)
    put(lab, "/measured", "s", [(int(now.timestamp() * 1000), "Task timed out after 3 seconds")])
    found = lab.client("cloudwatch").get_metric_statistics(
        Namespace="Own",
        MetricName="Timeouts",
        Period=60,
        Statistics=["Sum"],
        ExtendedStatistics=["p50"],
        StartTime=now - timedelta(minutes=2),
        EndTime=now + timedelta(minutes=1),
    )["Datapoints"]

    assert [point["Sum"] for point in found] == [1.0]
    assert [point["ExtendedStatistics"] for point in found] == [{"p50": 1.0}]


def test_a_metric_filter_wants_a_group_and_replaces_the_one_of_its_name(lab: Lab) -> None:
    logs = lab.client("logs")
    told = {"filterName": "f", "logGroupName": "/filtered"}
    counted = {"metricName": "m", "metricNamespace": "n", "metricValue": "1"}
    with pytest.raises(ClientError, match="ResourceNotFoundException"):
        logs.put_metric_filter(**told, filterPattern="x", metricTransformations=[counted])
    with pytest.raises(ClientError, match="ResourceNotFoundException"):
        logs.delete_metric_filter(**told)
    put(lab, "/filtered", "s", [(int(time.time() * 1000), "x")])
    for pattern in ("x", "y"):
        logs.put_metric_filter(**told, filterPattern=pattern, metricTransformations=[counted])
    found = logs.describe_metric_filters(logGroupName="/filtered")["metricFilters"]
    assert [one["filterPattern"] for one in found] == ["y"]


@pytest.mark.parametrize("log_format", ["Text", "JSON"])
@pytest.mark.parametrize(("status", "times"), [("timeout", 1), ("success", 0)])
def test_the_filter_of_an_enrolled_function_counts_each_time_out_once(
    log_format: Literal["Text", "JSON"], status: Literal["timeout", "success"], times: int
) -> None:
    spec = FunctionSpec(
        name="orders", version="$LATEST", arn="arn", handler="app.handler", memory_mb=128,
        timeout_s=3, code_dir=Path(), layer_dirs=(), env=(), account_id="1", region="r",
        log_group="/aws/lambda/orders", log_format=log_format,
    )  # fmt: skip
    log = PlatformLog(spec)
    log.start(0, "r-1")
    if status == "timeout":
        log.timed_out(3_000_000, "r-1")
    log.end(3_000_000, Report("r-1", status, None, 3000.0, 3000, 128, 60, None))
    function = Enrollable(
        name="orders", arn="arn", timeout_s=3, log_group="g", is_json=log_format == "JSON"
    )
    matches = compile_pattern(filter_for("dev", function).pattern)
    assert sum(matches(event.message) for event in log.events()) == times


def test_percentiles_and_metric_math_are_computed(lab: Lab) -> None:
    cloudwatch = lab.client("cloudwatch")
    now = datetime.now(UTC)
    for name, values in (("Load", [float(n) for n in range(1, 101)]), ("Bad", [5.0])):
        cloudwatch.put_metric_data(
            Namespace="Own",
            MetricData=[{"MetricName": name, "Timestamp": now, "Values": values}],
        )

    def query(identity: str, name: str, statistic: str) -> dict[str, object]:
        named = {"Namespace": "Own", "MetricName": name}
        return {"Id": identity, "MetricStat": {"Metric": named, "Period": 60, "Stat": statistic}}

    results = cloudwatch.get_metric_data(
        MetricDataQueries=[
            query("fifty", "Load", "p50"),
            query("ninetynine", "Load", "p99"),
            query("count", "Load", "SampleCount"),
            query("bad", "Bad", "Sum"),
            {"Id": "share", "Expression": "100 * bad / count", "Label": "share"},
        ],
        StartTime=now - timedelta(minutes=2),
        EndTime=now + timedelta(minutes=1),
    )["MetricDataResults"]

    shown = {one["Id"]: one["Values"] for one in results}
    assert shown["fifty"] == [pytest.approx(50.5)]
    assert shown["ninetynine"] == [pytest.approx(99.01)]
    assert shown["share"] == [pytest.approx(5.0)]


def test_an_aggregate_of_all_metrics_is_taken_point_by_point() -> None:
    series = {"a": {0: 1.0, 60: 9.0}, "b": {0: 3.0}}
    assert evaluate("MAX(METRICS())", series) == {0: 3.0, 60: 9.0}
    assert evaluate("SUM(METRICS()) / 2", series) == {0: 2.0, 60: 4.5}


def test_metric_math_leaves_out_points_without_a_value() -> None:
    series = {"a": {0: 1.0, 60: 2.0}, "b": {0: 0.0, 60: 4.0}}

    assert evaluate("a / b", series) == {60: 0.5}
    assert evaluate("FILL(c, 0) + 1", {"c": {0: 2.0}, "d": {60: 1.0}}) == {0: 3.0, 60: 1.0}
    assert evaluate("IF(a > 1, b)", series) == {60: 4.0}
    with pytest.raises(CallRefusedError, match="ANOMALY"):
        evaluate("ANOMALY_DETECTION_BAND(a)", series)
