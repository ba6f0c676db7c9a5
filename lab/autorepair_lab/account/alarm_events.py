"""The events and messages that CloudWatch sends when an alarm changes its state."""

from __future__ import annotations

import json
import uuid
from collections.abc import Mapping
from datetime import datetime
from typing import Any

from autorepair_lab.account.alarm_evaluation import alarm_time
from autorepair_lab.account.metrics import dimension_map

_REGION_NAMES = {"us-east-1": "US East (N. Virginia)", "eu-west-1": "EU (Ireland)"}
_SUPPRESSOR = {
    "ActionsSuppressor": "actionsSuppressor",
    "ActionsSuppressorWaitPeriod": "actionsSuppressorWaitPeriod",
    "ActionsSuppressorExtensionPeriod": "actionsSuppressorExtensionPeriod",
}


def state_block(alarm: Mapping[str, Any]) -> dict[str, Any]:
    """``state`` or ``previousState`` of the event."""
    block = {"value": alarm["StateValue"], "reason": alarm["StateReason"]}
    if alarm.get("StateReasonData"):
        block["reasonData"] = alarm["StateReasonData"]
    return {**block, "timestamp": alarm_time(alarm["StateUpdatedTimestamp"])}


def event_detail(alarm: Mapping[str, Any], previous: Mapping[str, Any]) -> dict[str, Any]:
    """``detail`` of a "CloudWatch Alarm State Change" event."""
    configuration: dict[str, Any] = {}
    if alarm.get("AlarmDescription"):
        configuration["description"] = alarm["AlarmDescription"]
    if "AlarmRule" in alarm:
        configuration["alarmRule"] = alarm["AlarmRule"]
        configuration |= {_SUPPRESSOR[key]: alarm[key] for key in _SUPPRESSOR if key in alarm}
    else:
        configuration["metrics"] = _metrics(alarm)
    return {
        "alarmName": alarm["AlarmName"],
        "state": state_block(alarm),
        "previousState": dict(previous),
        "configuration": configuration,
    }


def _metrics(alarm: Mapping[str, Any]) -> list[dict[str, Any]]:
    if alarm.get("Metrics"):
        return [_query(query) for query in alarm["Metrics"]]
    stat = {
        "Metric": alarm,
        "Period": alarm["Period"],
        "Stat": alarm.get("Statistic") or alarm.get("ExtendedStatistic"),
        **({"Unit": alarm["Unit"]} if alarm.get("Unit") else {}),
    }
    identity = str(uuid.uuid5(uuid.NAMESPACE_URL, alarm["AlarmArn"]))
    return [{"id": identity, "metricStat": _stat(stat), "returnData": True}]


def _query(query: Mapping[str, Any]) -> dict[str, Any]:
    shown: dict[str, Any] = {"id": query["Id"]}
    if query.get("Expression"):
        shown["expression"] = query["Expression"]
    if query.get("Label"):
        shown["label"] = query["Label"]
    if query.get("MetricStat"):
        shown["metricStat"] = _stat(query["MetricStat"])
    return {**shown, "returnData": query.get("ReturnData", True)}


def _stat(stat: Mapping[str, Any]) -> dict[str, Any]:
    metric = stat["Metric"]
    block = {
        "metric": {
            "namespace": metric["Namespace"],
            "name": metric["MetricName"],
            "dimensions": dimension_map(metric.get("Dimensions")),
        },
        "period": stat["Period"],
        "stat": stat["Stat"],
    }
    return {**block, "unit": stat["Unit"]} if stat.get("Unit") else block


def notification(
    alarm: Mapping[str, Any], previous: str, account_id: str, region: str, at: datetime
) -> tuple[str, str]:
    """Subject and message of an alarm's SNS notification."""
    place = _REGION_NAMES.get(region, region)
    message: dict[str, Any] = {
        "AlarmName": alarm["AlarmName"],
        "AlarmDescription": alarm.get("AlarmDescription"),
        "AWSAccountId": account_id,
        "AlarmConfigurationUpdatedTimestamp": alarm_time(
            alarm["AlarmConfigurationUpdatedTimestamp"]
        ),
        "NewStateValue": alarm["StateValue"],
        "NewStateReason": alarm["StateReason"],
        "StateChangeTime": alarm_time(at),
        "Region": place,
        "AlarmArn": alarm["AlarmArn"],
        "OldStateValue": previous,
        "OKActions": alarm["OKActions"],
        "AlarmActions": alarm["AlarmActions"],
        "InsufficientDataActions": alarm["InsufficientDataActions"],
    }
    if "AlarmRule" in alarm:
        message["AlarmRule"] = alarm["AlarmRule"]
    elif not alarm.get("Metrics"):
        message["Trigger"] = {
            "MetricName": alarm["MetricName"],
            "Namespace": alarm["Namespace"],
            "StatisticType": "Statistic",
            "Statistic": str(alarm.get("Statistic") or "").upper(),
            "Unit": alarm.get("Unit"),
            "Dimensions": [
                {"value": one["Value"], "name": one["Name"]} for one in alarm.get("Dimensions", [])
            ],
            "Period": alarm["Period"],
            "EvaluationPeriods": alarm["EvaluationPeriods"],
            "ComparisonOperator": alarm["ComparisonOperator"],
            "Threshold": alarm["Threshold"],
            "TreatMissingData": alarm.get("TreatMissingData", "missing"),
        }
    subject = f'{alarm["StateValue"]}: "{alarm["AlarmName"]}" in {place}'
    return subject[:100], json.dumps(message)
