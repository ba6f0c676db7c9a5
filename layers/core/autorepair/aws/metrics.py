"""A function's own CloudWatch metrics."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping
from datetime import datetime
from typing import TYPE_CHECKING, ClassVar

from autorepair.aws.errors import aws_call
from autorepair.domain.errors import TransientServiceError
from autorepair.domain.evidence import MetricSeries
from autorepair.domain.incident import Target

if TYPE_CHECKING:
    from types_boto3_cloudwatch import CloudWatchClient
    from types_boto3_cloudwatch.type_defs import MetricDataQueryTypeDef, MetricDataResultTypeDef

_ACTION = "cloudwatch:GetMetricData"
_NAMESPACE = "AWS/Lambda"
_PERIOD_S = 60
_WANTED = (
    ("Invocations", "Sum"),
    ("Errors", "Sum"),
    ("Throttles", "Sum"),
    ("Duration", "Maximum"),
    ("Duration", "Average"),
    ("Duration", "p99"),
    ("ConcurrentExecutions", "Maximum"),
    # Only functions that read a stream, or were stopped in a loop, have these.
    ("IteratorAge", "Maximum"),
    ("RecursiveInvocationsDropped", "Sum"),
)
# Each costs; these are what a month's traffic is reckoned from.
_WANTED_BY_THE_HOUR = (
    ("Invocations", "Sum"),
    ("Errors", "Sum"),
    ("Duration", "Average"),
    ("ConcurrentExecutions", "Maximum"),
)
_HOUR_S = 3600
_Wanted = tuple[tuple[str, str], ...]


class CloudWatchMetrics:
    """Reads for the function as a whole (all versions and aliases)."""

    permissions: ClassVar[Mapping[str, frozenset[str]]] = {
        "read": frozenset({_ACTION}),
        "by_the_hour": frozenset({_ACTION}),
    }

    def __init__(self, client: CloudWatchClient) -> None:
        self._cloudwatch = client

    def read(self, target: Target, *, start: datetime, end: datetime) -> tuple[MetricSeries, ...]:
        """Read the function's own metrics by the minute; silent minutes have no point.

        Raises:
            AccessDeniedError, TransientServiceError, ConfigurationError: They cannot be read.
        """
        return self._series(target, _WANTED, _PERIOD_S, start, end)

    def by_the_hour(
        self, target: Target, *, start: datetime, end: datetime
    ) -> tuple[MetricSeries, ...]:
        """Read how much the function is called, from the full hour on; silent hours have no point.

        One call of its own, for a call's queries share their span. CloudWatch keeps points of an
        hour for 15 months.

        Raises:
            AccessDeniedError, TransientServiceError, ConfigurationError: It cannot be read.
        """
        start = start.replace(minute=0, second=0, microsecond=0)
        return self._series(target, _WANTED_BY_THE_HOUR, _HOUR_S, start, end)

    def _series(
        self, target: Target, wanted: _Wanted, period_s: int, start: datetime, end: datetime
    ) -> tuple[MetricSeries, ...]:
        points: dict[str, list[tuple[datetime, float]]] = defaultdict(list)
        partial: dict[str, bool] = {}
        for result in self._results(target, wanted, period_s, start, end):
            # More of it may come on the next page.
            partial[result["Id"]] = result.get("StatusCode") == "PartialData"
            _require_readable(result, target)
            points[result["Id"]].extend(zip(result["Timestamps"], result["Values"], strict=True))
        _require_whole(partial, target)
        return tuple(
            MetricSeries(
                id=f"metric/{name}/{statistic}",
                namespace=_NAMESPACE,
                metric_name=name,
                statistic=statistic,
                period_s=period_s,
                points=tuple(sorted(points[_query_id(name, statistic)])),
            )
            for name, statistic in wanted
        )

    def _results(
        self, target: Target, wanted: _Wanted, period_s: int, start: datetime, end: datetime
    ) -> list[MetricDataResultTypeDef]:
        with aws_call(_ACTION, f"the metrics of {target.function_name}"):
            pages = self._cloudwatch.get_paginator("get_metric_data").paginate(
                MetricDataQueries=[_query(target, *one, period_s) for one in wanted],
                StartTime=start,
                EndTime=end,
                ScanBy="TimestampAscending",
            )
            return [result for page in pages for result in page["MetricDataResults"]]


def _require_readable(result: MetricDataResultTypeDef, target: Target) -> None:
    status = result.get("StatusCode", "Complete")
    if status not in {"Complete", "PartialData"}:
        raise TransientServiceError(
            f"{_ACTION} answered {status} for {result['Id']} of {target.function_name}; "
            "the same call may work a moment later"
        )


def _require_whole(partial: dict[str, bool], target: Target) -> None:
    missing = sorted(name for name, is_partial in partial.items() if is_partial)
    if missing:
        raise TransientServiceError(
            f"{_ACTION} gave only a part of {', '.join(missing)} of {target.function_name}; "
            "the same call may work a moment later"
        )


def _query(target: Target, name: str, statistic: str, period_s: int) -> MetricDataQueryTypeDef:
    return {
        "Id": _query_id(name, statistic),
        "MetricStat": {
            "Metric": {
                "Namespace": _NAMESPACE,
                "MetricName": name,
                "Dimensions": [{"Name": "FunctionName", "Value": target.function_name}],
            },
            "Period": period_s,
            "Stat": statistic,
        },
        "ReturnData": True,
    }


def _query_id(name: str, statistic: str) -> str:
    return f"{name}_{statistic}".lower()
