"""The event of an alarm, written anew from what was read of it."""

from __future__ import annotations

import json
from typing import Any

from autorepair.domain.evidence import Evidence
from autorepair.domain.incident import Alarm, Target

Json = dict[str, Any]


def alarm_event(evidence: Evidence, target: Target) -> Json | None:
    """Give the state change as EventBridge delivers it; None for a start by hand."""
    alarm = evidence.alarm
    if alarm is None or alarm.kind == "manual":
        return None
    changed_at = alarm.changed_at.isoformat()
    return {
        "version": "0",
        "detail-type": "CloudWatch Alarm State Change",
        "source": "aws.cloudwatch",
        "account": target.account_id,
        "time": evidence.collected_at.isoformat(),
        "region": target.region,
        "resources": [alarm.arn],
        "detail": {
            "alarmName": alarm.name,
            "state": {
                "value": "ALARM",
                "reason": alarm.reason,
                "reasonData": _reason_data(alarm),
                "timestamp": changed_at,
            },
            "configuration": _configuration(alarm, target),
        },
    }


def _reason_data(alarm: Alarm) -> str:
    told: Json = {"version": "1.0", "period": alarm.period_s, "threshold": alarm.threshold}
    if alarm.evaluated_from is not None:
        told["startDate"] = alarm.evaluated_from.isoformat()
    return json.dumps({name: value for name, value in told.items() if value is not None})


def _configuration(alarm: Alarm, target: Target) -> Json:
    if alarm.kind == "composite":
        return {"alarmRule": f'ALARM("{alarm.name}-child")'}
    metrics: list[Json] = []
    if alarm.kind != "metric":
        band = "ANOMALY_DETECTION_BAND(m1, 2)" if alarm.kind == "anomaly" else "m1"
        metrics.append({"id": "e1", "expression": band, "returnData": True})
    if alarm.metric_name is not None:
        stat = {"metric": _metric(alarm, target), "period": alarm.period_s, "stat": alarm.statistic}
        metrics.append({"id": "m1", "metricStat": stat, "returnData": alarm.kind == "metric"})
    return {"metrics": metrics}


def _metric(alarm: Alarm, target: Target) -> Json:
    dimensions = {}
    if alarm.namespace == "AWS/Lambda":
        dimensions["FunctionName"] = target.function_name
    if target.qualifier is not None:
        dimensions["Resource"] = f"{target.function_name}:{target.qualifier}"
    return {"namespace": alarm.namespace, "name": alarm.metric_name, "dimensions": dimensions}
