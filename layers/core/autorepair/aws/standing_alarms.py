"""The alarms that stand in ALARM, each with the event CloudWatch would send.

CloudWatch speaks on transitions only, so an alarm that went off while nobody could listen stays
silent until it is looked for. Which functions it is about is not for here to say: a composite
alarm's children and the log behind a metric have to be asked.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, Any, ClassVar

from autorepair.aws.errors import aws_call
from autorepair.watch import StandingAlarm

if TYPE_CHECKING:
    from types_boto3_cloudwatch import CloudWatchClient
    from types_boto3_cloudwatch.type_defs import (
        CompositeAlarmTypeDef,
        MetricAlarmTypeDef,
        MetricDataQueryOutputTypeDef,
        MetricStatOutputTypeDef,
    )

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
        """Give every metric alarm and every composite alarm that stands in ALARM.

        Raises:
            AccessDeniedError, TransientServiceError, ConfigurationError: They cannot be read.
        """
        pages = self._cloudwatch.get_paginator("describe_alarms").paginate(
            StateValue="ALARM", AlarmTypes=["CompositeAlarm", "MetricAlarm"]
        )
        with aws_call("cloudwatch:DescribeAlarms", "alarms in ALARM"):
            for page in pages:
                for alarm in page.get("MetricAlarms", []):
                    yield self._standing(alarm, {"metrics": _metrics(alarm)})
                for composite in page.get("CompositeAlarms", []):
                    yield self._standing(composite, _rule(composite))

    def _standing(
        self, alarm: MetricAlarmTypeDef | CompositeAlarmTypeDef, configuration: dict[str, Any]
    ) -> StandingAlarm:
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
                "configuration": configuration,
            },
        }
        return StandingAlarm(alarm["AlarmName"], alarm["AlarmArn"], since, event)


def _rule(alarm: CompositeAlarmTypeDef) -> dict[str, Any]:
    rule: dict[str, Any] = {"alarmRule": alarm["AlarmRule"]}
    if alarm.get("ActionsSuppressor"):
        rule["actionsSuppressor"] = alarm["ActionsSuppressor"]
        rule["actionsSuppressorWaitPeriod"] = alarm.get("ActionsSuppressorWaitPeriod", 0)
    return rule


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
