"""CloudWatch's metrics: put in, and read back as GetMetricData and GetMetricStatistics do."""

from __future__ import annotations

import math
import re
from collections import defaultdict
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from moto.cloudwatch.models import MetricAggregatedDatum, cloudwatch_backends

from autorepair_lab.account.call import Call, CallRefusedError, ErrorReply, Reply
from autorepair_lab.account.metric_math import evaluate

_PERCENTILE = re.compile(r"p(\d{1,2}(?:\.\d+)?|100)")
Series = dict[int, float]  # epoch seconds of a period's start -> value


@dataclass(frozen=True)
class Datum:
    """One measured value."""

    name: str
    value: float
    unit: str
    at: datetime
    dimensions: Mapping[str, str]


@dataclass(frozen=True)
class Metric:
    """What names a metric."""

    namespace: str
    name: str
    dimensions: Mapping[str, str]


@dataclass
class _Bucket:
    values: list[float]
    sets: list[Any]  # moto's MetricAggregatedDatum


class MetricStore:
    """The account's metrics, kept in moto's backend so that ListMetrics sees them too."""

    def __init__(self, account_id: str, region: str) -> None:
        self._account_id = account_id
        self._region = region

    @property
    def _backend(self) -> Any:  # noqa: ANN401 - moto is untyped
        return cloudwatch_backends[self._account_id][self._region]

    def put(self, namespace: str, data: Sequence[Datum]) -> None:
        """Add values."""
        members = [
            {
                "MetricName": one.name,
                "Value": one.value,
                "Unit": one.unit,
                "Timestamp": one.at.astimezone(UTC).replace(tzinfo=None),
                "Dimensions": [{"Name": k, "Value": v} for k, v in one.dimensions.items()],
            }
            for one in data
        ]
        self._backend.put_metric_data(namespace, members)

    def series(
        self, metric: Metric, statistic: str, period_s: int, start: float, end: float
    ) -> Series:
        """Values by period in [start, end); dimensions have to match exactly.

        Raises CallRefusedError (InvalidParameterValue) for a statistic it does not know.
        """
        calculate = _statistic(statistic)
        buckets: dict[int, _Bucket] = defaultdict(lambda: _Bucket([], []))
        for datum in list(self._backend.metric_data):
            if datum.namespace != metric.namespace or datum.name != metric.name:
                continue
            if {one.name: one.value for one in datum.dimensions} != dict(metric.dimensions):
                continue
            at = _epoch(datum.timestamp)
            if not start <= at < end:
                continue
            bucket = buckets[int(at // period_s * period_s)]
            if isinstance(datum, MetricAggregatedDatum):
                bucket.sets.append(datum)
            else:
                bucket.values.append(float(datum.value))
        return {at: calculate(bucket) for at, bucket in sorted(buckets.items())}


def _epoch(value: Any) -> float:  # noqa: ANN401 - moto keeps text or datetimes
    at = datetime.fromisoformat(value) if isinstance(value, str) else value
    aware: datetime = at if at.tzinfo else at.replace(tzinfo=UTC)
    return aware.timestamp()


def _statistic(name: str) -> Callable[[_Bucket], float]:
    if name in _STATISTICS:
        return _STATISTICS[name]
    match = _PERCENTILE.fullmatch(name)
    if match is None:
        raise CallRefusedError(
            "InvalidParameterValue", f"The value {name} for parameter Stat is not supported."
        )
    share = float(match[1]) / 100
    return lambda bucket: _percentile(bucket, share)


def _percentile(bucket: _Bucket, share: float) -> float:
    ordered = sorted(bucket.values)
    if not ordered:
        return math.nan
    place = share * (len(ordered) - 1)
    low, high = ordered[math.floor(place)], ordered[math.ceil(place)]
    return low + (high - low) * (place - math.floor(place))


def _count(bucket: _Bucket) -> float:
    return float(len(bucket.values) + sum(one.sample_count for one in bucket.sets))


def _sum(bucket: _Bucket) -> float:
    return math.fsum([*bucket.values, *(one.sum for one in bucket.sets)])


_STATISTICS: dict[str, Callable[[_Bucket], float]] = {
    "SampleCount": _count,
    "Sum": _sum,
    "Average": lambda bucket: _sum(bucket) / _count(bucket) if _count(bucket) else math.nan,
    "Minimum": lambda bucket: min([*bucket.values, *(one.min for one in bucket.sets)]),
    "Maximum": lambda bucket: max([*bucket.values, *(one.max for one in bucket.sets)]),
}


class MetricReads:
    """Interceptor for GetMetricData and GetMetricStatistics."""

    def __init__(self, store: MetricStore) -> None:
        self._store = store

    def handle(self, call: Call) -> Reply | ErrorReply | None:
        """Answer the two reads; everything else of CloudWatch's goes on."""
        if call.service != "cloudwatch":
            return None
        if call.operation == "GetMetricData":
            return self._metric_data(call.parameters)
        if call.operation == "GetMetricStatistics":
            return self._metric_statistics(call.parameters)
        return None

    def _metric_data(self, parameters: dict[str, Any]) -> Reply:
        start, end = parameters["StartTime"].timestamp(), parameters["EndTime"].timestamp()
        if start >= end:
            raise CallRefusedError(
                "ValidationError", "The parameter StartTime must be less than the parameter EndTime"
            )
        queries = parameters["MetricDataQueries"]
        found = query_series(self._store, queries, start, end)
        is_ascending = parameters.get("ScanBy") == "TimestampAscending"
        results = []
        for query in queries:
            if query.get("ReturnData", True):
                points = sorted(found[query["Id"]].items(), reverse=not is_ascending)
                results.append(
                    {
                        "Id": query["Id"],
                        "Label": _label(query),
                        "Timestamps": [datetime.fromtimestamp(at, UTC) for at, _ in points],
                        "Values": [value for _, value in points],
                        "StatusCode": "Complete",
                    }
                )
        return Reply({"MetricDataResults": results, "Messages": []})

    def _metric_statistics(self, parameters: dict[str, Any]) -> Reply:
        ordinary = parameters.get("Statistics") or []
        extended = parameters.get("ExtendedStatistics") or []
        by_time: dict[int, dict[str, Any]] = {}
        for name in (*ordinary, *extended):
            series = self._store.series(
                metric_of(parameters),
                name,
                int(parameters["Period"]),
                parameters["StartTime"].timestamp(),
                parameters["EndTime"].timestamp(),
            )
            for at, value in series.items():
                unit = parameters.get("Unit", "None")
                point = by_time.setdefault(
                    at, {"Timestamp": datetime.fromtimestamp(at, UTC), "Unit": unit}
                )
                if name in ordinary:
                    point[name] = value
                else:
                    point.setdefault("ExtendedStatistics", {})[name] = value
        points = list(by_time.values())
        return Reply({"Label": parameters["MetricName"], "Datapoints": points})


def dimension_map(dimensions: Sequence[Mapping[str, str]] | None) -> dict[str, str]:
    """Dimensions as a map of name to value."""
    return {one["Name"]: one["Value"] for one in dimensions or ()}


def metric_of(parameters: Mapping[str, Any]) -> Metric:
    """The metric that a request's Namespace, MetricName and Dimensions name."""
    dimensions = dimension_map(parameters.get("Dimensions"))
    return Metric(parameters["Namespace"], parameters["MetricName"], dimensions)


def query_series(
    store: MetricStore, queries: Sequence[Mapping[str, Any]], start: float, end: float
) -> dict[str, Series]:
    """The series of every query of a GetMetricData request or a metric-math alarm, by id."""
    found: dict[str, Series] = {}
    for query in queries:
        stat = query.get("MetricStat")
        if stat is not None:
            found[query["Id"]] = store.series(
                metric_of(stat["Metric"]),
                stat["Stat"],
                int(stat["Period"]),
                start,
                end,
            )
    expressions = [query for query in queries if query.get("Expression")]
    for query in expressions:
        found[query["Id"]] = evaluate(query["Expression"], found)
    return found


def _label(query: Mapping[str, Any]) -> str:
    if query.get("Label"):
        return str(query["Label"])
    stat = query.get("MetricStat")
    return str(stat["Metric"]["MetricName"]) if stat else str(query["Id"])
