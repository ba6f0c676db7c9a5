"""What an event says: a CloudWatch alarm state change, or a start by hand.

The shapes are those of "Alarm events and EventBridge" in the CloudWatch user guide.
"""

from __future__ import annotations

import json
import re
from datetime import datetime
from typing import Any, Literal

from pydantic import AwareDatetime, BaseModel, ConfigDict, Field, ValidationError

from autorepair.domain.errors import MalformedEventError
from autorepair.domain.incident import Alarm
from autorepair.domain.value import Instant, Value

ALARM_DETAIL_TYPE = "CloudWatch Alarm State Change"
_NAME = re.compile(r"^[A-Za-z0-9_-]{1,64}$")
_ARN_PARTS = 8
"""Parts of a version-qualified function ARN; an unqualified one has one fewer."""


class FunctionReference(Value):
    """How something names a function; account and Region only if it was an ARN."""

    function_name: str
    qualifier: str | None = None
    account_id: str | None = None
    region: str | None = None


class Sighting(Value):
    """One alarm seen, and every function and account it speaks of."""

    alarm: Alarm
    state: Literal["ALARM", "OK", "INSUFFICIENT_DATA"]
    accounts: frozenset[str]
    region: str | None = None
    functions: tuple[FunctionReference, ...] = ()


class _Wire(BaseModel):
    """A part of the event as it comes: what AWS adds later is let pass."""

    model_config = ConfigDict(extra="ignore", frozen=True, defer_build=True)


class _Metric(_Wire):
    namespace: str | None = None
    name: str | None = None
    dimensions: dict[str, str] = Field(default_factory=dict)


class _MetricStat(_Wire):
    metric: _Metric
    period: int | None = None
    stat: str | None = None


class _MetricQuery(_Wire):
    id: str
    expression: str | None = None
    metric_stat: _MetricStat | None = Field(default=None, alias="metricStat")
    account_id: str | None = Field(default=None, alias="accountId")


class _AlarmConfiguration(_Wire):
    metrics: tuple[_MetricQuery, ...] = ()
    alarm_rule: str | None = Field(default=None, alias="alarmRule")


class _State(_Wire):
    value: Literal["ALARM", "OK", "INSUFFICIENT_DATA"]
    reason: str = ""
    reason_data: str | None = Field(default=None, alias="reasonData")
    timestamp: AwareDatetime
    suppressed_by: str | None = Field(default=None, alias="actionsSuppressedBy")


class _MuteDetail(_Wire):
    muted_by: str = Field(alias="mutedByArn")


class _Detail(_Wire):
    alarm_name: str = Field(alias="alarmName", min_length=1)
    state: _State
    configuration: _AlarmConfiguration = _AlarmConfiguration()
    mute: _MuteDetail | None = Field(default=None, alias="muteDetail")


class _AlarmEvent(_Wire):
    detail_type: Literal["CloudWatch Alarm State Change"] = Field(alias="detail-type")
    source: Literal["aws.cloudwatch"]
    account: str
    region: str
    resources: tuple[str, ...] = Field(min_length=1)
    detail: _Detail


class _ManualStart(_Wire):
    function_name: str = Field(alias="functionName", min_length=1)
    manual: Literal[True]


class _ReasonData(_Wire):
    start_date: AwareDatetime | None = Field(default=None, alias="startDate")
    threshold: float | None = None


def read_event(event: dict[str, Any], *, started_at: datetime) -> Sighting:
    """Read an alarm state change, or ``{"functionName": ..., "manual": true}``.

    Raises:
        MalformedEventError: It is neither; the message names the fields at fault.
    """
    try:
        if "functionName" in event or "manual" in event:
            return _manual(_ManualStart.model_validate(event), started_at=started_at)
        return _alarm(_AlarmEvent.model_validate(event))
    except ValidationError as error:
        faults = "; ".join(
            f"{'.'.join(str(part) for part in e['loc'])}: {e['msg']}"
            for e in error.errors(include_url=False, include_input=False)
        )
        raise MalformedEventError(f"the event is not what its source promises: {faults}") from error


def read_function_reference(text: str) -> FunctionReference:
    """Read a function's name, ``name:qualifier`` or ARN.

    Raises:
        MalformedEventError: It is none of these.
    """
    account_id = region = None
    rest = text
    if text.startswith("arn:"):
        parts = text.split(":")
        if len(parts) not in {_ARN_PARTS - 1, _ARN_PARTS} or parts[2] != "lambda":
            raise MalformedEventError(f"functionName: {text!r} is not the ARN of a function")
        region, account_id, rest = parts[3], parts[4], ":".join(parts[6:])
    name, _, qualifier = rest.partition(":")
    if not _NAME.match(name):
        raise MalformedEventError(f"functionName: {text!r} does not name a function")
    return FunctionReference(
        function_name=name, qualifier=qualifier or None, account_id=account_id, region=region
    )


def _manual(start: _ManualStart, *, started_at: datetime) -> Sighting:
    function = read_function_reference(start.function_name)
    alarm = Alarm(
        name="manual", arn="", kind="manual", reason="started by hand", changed_at=started_at
    )
    return Sighting(
        alarm=alarm,
        state="ALARM",
        accounts=frozenset({function.account_id} if function.account_id else ()),
        region=function.region,
        functions=(function,),
    )


def _alarm(event: _AlarmEvent) -> Sighting:
    detail = event.detail
    queries = detail.configuration.metrics
    stats = tuple(query.metric_stat for query in queries if query.metric_stat is not None)
    first = stats[0] if stats else None
    reason_data = _reason_data(detail.state.reason_data)
    alarm = Alarm(
        name=detail.alarm_name,
        arn=event.resources[0],
        kind=_kind(detail.configuration),
        namespace=first.metric.namespace if first else None,
        metric_name=first.metric.name if first else None,
        statistic=first.stat if first else None,
        period_s=first.period if first else None,
        threshold=reason_data.threshold,
        reason=detail.state.reason,
        changed_at=detail.state.timestamp,
        evaluated_from=reason_data.start_date,
        silenced_by=detail.mute.muted_by if detail.mute else detail.state.suppressed_by,
    )
    accounts = {event.account} | {query.account_id for query in queries if query.account_id}
    return Sighting(
        alarm=alarm,
        state=detail.state.value,
        accounts=frozenset(accounts),
        region=event.region,
        functions=_functions_of(stats),
    )


def _kind(
    configuration: _AlarmConfiguration,
) -> Literal["metric", "metric_math", "anomaly", "composite"]:
    if configuration.alarm_rule is not None:
        return "composite"
    expressions = [query.expression for query in configuration.metrics if query.expression]
    if any(text.startswith("ANOMALY_DETECTION_BAND") for text in expressions):
        return "anomaly"
    return "metric_math" if expressions else "metric"


def _functions_of(stats: tuple[_MetricStat, ...]) -> tuple[FunctionReference, ...]:
    """Give each function once; the qualifier only where all its metrics agree on it."""
    qualifiers: dict[str, set[str | None]] = {}
    for stat in stats:
        dimensions = stat.metric.dimensions
        if stat.metric.namespace != "AWS/Lambda" or "FunctionName" not in dimensions:
            continue
        named = read_function_reference(dimensions["FunctionName"])
        resource = dimensions.get("Resource", "").partition(":")[2]
        qualifiers.setdefault(named.function_name, set()).add(resource or named.qualifier)
    return tuple(
        FunctionReference(function_name=name, qualifier=seen.pop() if len(seen) == 1 else None)
        for name, seen in qualifiers.items()
    )


def _reason_data(text: str | None) -> _ReasonData:
    """Read what the reason's data offer; alarms set by hand carry made-up ones, or none."""
    try:
        return _ReasonData.model_validate(json.loads(text)) if text else _ReasonData()
    except ValueError:
        return _ReasonData()


def evaluated_since(alarm: Alarm) -> Instant:
    """Give the moment from which the alarm looked; when it changed, if the event does not say."""
    if alarm.evaluated_from is None:
        return alarm.changed_at
    return min(alarm.evaluated_from, alarm.changed_at)
