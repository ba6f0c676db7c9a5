from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from adapters.account import Account
from autorepair.aws.metric_filters import CloudWatchMetricFilters
from autorepair.domain.filtered_log import FilteredLog, function_of_group

NAMESPACE, METRIC, PATTERN = "Shop/Timeouts", "Timeouts", '"Task timed out"'
HOUR = timedelta(hours=1)
# CloudWatch Logs takes no line that is older than two weeks.
NOW = datetime.now(UTC)


def filters(account: Account) -> CloudWatchMetricFilters:
    return CloudWatchMetricFilters(account.clients.logs)


def make_filter(account: Account, group: str, metric: str = METRIC) -> None:
    logs = account.clients.logs
    logs.create_log_group(logGroupName=group)
    logs.put_metric_filter(
        logGroupName=group,
        filterName="timeouts",
        filterPattern=PATTERN,
        metricTransformations=[
            {"metricName": metric, "metricNamespace": NAMESPACE, "metricValue": "1"}
        ],
    )


def write(account: Account, group: str, stream: str, message: str) -> None:
    logs = account.clients.logs
    logs.create_log_stream(logGroupName=group, logStreamName=stream)
    event = {"timestamp": int(NOW.timestamp() * 1000), "message": message}
    logs.put_log_events(logGroupName=group, logStreamName=stream, logEvents=[event])  # type: ignore[list-item]  # boto3 takes a dict


def test_the_log_groups_of_a_metric_are_found_by_its_name_and_namespace(account: Account) -> None:
    make_filter(account, "/aws/lambda/orders")
    make_filter(account, "/aws/lambda/invoices")
    make_filter(account, "/aws/lambda/others", "Else")
    assert filters(account).of_metric(NAMESPACE, METRIC) == (
        FilteredLog(log_group="/aws/lambda/invoices", pattern=PATTERN),
        FilteredLog(log_group="/aws/lambda/orders", pattern=PATTERN),
    )
    assert filters(account).of_metric("Elsewhere", METRIC) == ()


def test_who_wrote_a_matching_line_is_told_by_stream_or_group(account: Account) -> None:
    for group in ("/shared", "/aws/lambda/orders"):
        make_filter(account, group)
    write(account, "/shared", "2026/03/04/invoices[$LATEST]0a", "Task timed out after 3 s")
    write(account, "/shared", "2026/03/04/healthy[$LATEST]0b", "all is well")
    write(account, "/aws/lambda/orders", "2026/03/04/[$LATEST]0c", "Task timed out after 3 s")

    def writers(group: str) -> tuple[str, ...]:
        log = FilteredLog(log_group=group, pattern=PATTERN)
        return filters(account).writers_of(log, start=NOW - HOUR, end=NOW + HOUR)

    assert writers("/shared") == ("invoices",)
    assert writers("/aws/lambda/orders") == ("orders",)
    assert writers("/gone") == ()


def test_lines_of_another_time_do_not_count(account: Account) -> None:
    make_filter(account, "/aws/lambda/orders")
    write(account, "/aws/lambda/orders", "2026/03/04/[$LATEST]0c", "Task timed out after 3 s")
    log = FilteredLog(log_group="/aws/lambda/orders", pattern=PATTERN)
    assert filters(account).writers_of(log, start=NOW + HOUR, end=NOW + 2 * HOUR) == ()


@pytest.mark.parametrize(
    ("group", "function"),
    [("/aws/lambda/orders", "orders"), ("/aws/lambda/a/b", None), ("/shared", None), ("", None)],
)
def test_a_log_group_names_a_function_in_lambdas_own_way_only(
    group: str, function: str | None
) -> None:
    assert function_of_group(group) == function
