"""The alarms on Lambda functions that stand in ALARM, each with the event CloudWatch would send.

CloudWatch speaks on transitions only, so an alarm that went off while nobody could listen stays
silent until it is looked for. Only alarms whose metrics name a function in AWS/Lambda can be told
apart here; a composite alarm's children are alarms of their own.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, Any, ClassVar

from autorepair.aws.errors import aws_call
from autorepair.watch import StandingAlarm

if TYPE_CHECKING:
    from types_boto3_cloudwatch import CloudWatchClient
    from types_boto3_cloudwatch.type_defs import (
        MetricAlarmTypeDef,
        MetricDataQueryOutputTypeDef,
        MetricStatOutputTypeDef,
    )

NAMESPACE = "AWS/Lambda"
_FIRST_QUERY = "m1"


class CloudWatchStandingAlarms:
    """Pages through DescribeAlarms, filtered on the server by the state."""

    permissions: ClassVar[Mapping[str, frozenset[str]]] = {
        "standing": frozenset({"cloudwatch:DescribeAlarms"}),
    }

    def __init__(self, client: CloudWatchClient, *, account_id: str, region: str) -> None:
        self._cloudwatch = client
        self._account_id = account_id
        self._region = region

    def standing(self) -> Iterator[StandingAlarm]:
        """Give every metric alarm on Lambda functions that stands in ALARM.

        Raises:
            AccessDeniedError, TransientServiceError, ConfigurationError: They cannot be read.
        """
        pages = self._cloudwatch.get_paginator("describe_alarms").paginate(
            StateValue="ALARM", AlarmTypes=["MetricAlarm"]
        )
        with aws_call("cloudwatch:DescribeAlarms", "alarms in ALARM"):
            for page in pages:
                for alarm in page["MetricAlarms"]:
                    names = _function_names(alarm)
                    if names:
                        yield self._standing(alarm, names)

    def _standing(self, alarm: MetricAlarmTypeDef, names: frozenset[str]) -> StandingAlarm:
        since = alarm.get("StateTransitionedTimestamp") or alarm["StateUpdatedTimestamp"]
        state = {
            "value": "ALARM",
            "reason": alarm.get("StateReason", ""),
            "timestamp": since.isoformat(),
        }
        if alarm.get("StateReasonData"):
            state["reasonData"] = alarm["StateReasonData"]
        event = {
            "version": "0",
            "detail-type": "CloudWatch Alarm State Change",
            "source": "aws.cloudwatch",
            "account": self._account_id,
            "time": since.isoformat(),
            "region": self._region,
            "resources": [alarm["AlarmArn"]],
            "detail": {
                "alarmName": alarm["AlarmName"],
                "state": state,
                "configuration": {"metrics": _metrics(alarm)},
            },
        }
        return StandingAlarm(alarm["AlarmName"], alarm["AlarmArn"], names, since, event)


def _function_names(alarm: MetricAlarmTypeDef) -> frozenset[str]:
    stats = [query["metricStat"]["metric"] for query in _metrics(alarm) if "metricStat" in query]
    return frozenset(
        stat["dimensions"]["FunctionName"]
        for stat in stats
        if stat["namespace"] == NAMESPACE and "FunctionName" in stat["dimensions"]
    )


def _metrics(alarm: MetricAlarmTypeDef) -> list[dict[str, Any]]:
    """Give ``configuration.metrics`` of the event: what is an alarm's own metric is a query too."""
    if alarm.get("Metrics"):
        return [_query(query) for query in alarm["Metrics"]]
    stat = alarm.get("Statistic") or alarm.get("ExtendedStatistic")
    metric = _metric(
        alarm.get("Namespace", ""), alarm.get("MetricName", ""), alarm.get("Dimensions", [])
    )
    whole = {"metric": metric, "period": alarm.get("Period"), "stat": stat}
    return [{"id": _FIRST_QUERY, "metricStat": whole, "returnData": True}]


def _query(query: MetricDataQueryOutputTypeDef) -> dict[str, Any]:
    shown: dict[str, Any] = {"id": query["Id"], "returnData": query.get("ReturnData", True)}
    if query.get("Expression"):
        shown["expression"] = query["Expression"]
    if query.get("AccountId"):
        shown["accountId"] = query["AccountId"]
    if "MetricStat" in query:
        shown["metricStat"] = _stat(query["MetricStat"])
    return shown


def _stat(stat: MetricStatOutputTypeDef) -> dict[str, Any]:
    metric = stat["Metric"]
    named = _metric(
        metric.get("Namespace", ""), metric.get("MetricName", ""), metric.get("Dimensions", [])
    )
    return {"metric": named, "period": stat["Period"], "stat": stat["Stat"]}


def _metric(namespace: str, name: str, dimensions: Any) -> dict[str, Any]:  # noqa: ANN401 - two like shapes
    return {
        "namespace": namespace,
        "name": name,
        "dimensions": {one["Name"]: one["Value"] for one in dimensions},
    }
