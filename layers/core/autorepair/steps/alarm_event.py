"""What an event says: a CloudWatch alarm state change, or a start by hand.

The shapes are those of "Alarm events and EventBridge" in the CloudWatch user guide.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable
from datetime import UTC, datetime, timedelta
from typing import Annotated, Literal

from pydantic import AwareDatetime, BaseModel, ConfigDict, Field, ValidationError

from autorepair.domain.described_alarm import AlarmState, WatchedMetric
from autorepair.domain.errors import MalformedEventError
from autorepair.domain.incident import Alarm
from autorepair.domain.value import Instant, Value

ALARM_DETAIL_TYPE = "CloudWatch Alarm State Change"
_NAME = re.compile(r"[A-Za-z0-9_-]{1,64}")
_QUALIFIER = re.compile(r"[A-Za-z0-9_$-]{1,128}")
_FUNCTION_DIMENSIONS = {"AWS/Lambda": "FunctionName", "LambdaInsights": "function_name"}
"""The namespaces whose metrics name their function, and by which dimension."""
LONGEST_REASON = 1000
"""CloudWatch's own reasons have up to 1,023 characters; an event made by hand may have any."""
_CLOCKS_DIFFER_BY = timedelta(hours=1)
_FIRST_ALARM = datetime(2009, 1, 1, tzinfo=UTC)
_LONGEST_EVALUATION = timedelta(days=7)
_ARN_PARTS = 8
"""Parts of a version-qualified function ARN; an unqualified one has one fewer."""


class FunctionReference(Value):
    """How something names a function; account and Region only if it was an ARN."""

    function_name: str
    qualifier: str | None = None
    account_id: str | None = None
    region: str | None = None
    log_group: str | None = None
    """The log group in which it was found, if the function has yet to be seen to write there."""


class Sighting(Value):
    """One alarm seen, and every function and account it speaks of.

    ``rule`` is a composite alarm's; ``wait_s`` how long its suppressor has to speak up.
    """

    alarm: Alarm
    state: AlarmState
    accounts: frozenset[str]
    region: str | None = None
    metrics: tuple[WatchedMetric, ...] = ()
    functions: tuple[FunctionReference, ...] = ()
    rule: str | None = None
    wait_s: int = 0


class _Wire(BaseModel):
    """A part of the event as it comes: what AWS adds later is let pass."""

    model_config = ConfigDict(extra="ignore", frozen=True, defer_build=True)


_Short = Annotated[str, Field(max_length=300)]
"""CloudWatch's names have up to 255 characters."""


class _Metric(_Wire):
    namespace: _Short | None = None
    name: _Short | None = None
    dimensions: dict[_Short, _Short] = Field(default_factory=dict, max_length=30)


class _MetricStat(_Wire):
    metric: _Metric
    period: int | None = Field(default=None, ge=1, le=7 * 86_400)
    stat: _Short | None = None


class _MetricQuery(_Wire):
    id: _Short
    expression: str | None = None
    metric_stat: _MetricStat | None = Field(default=None, alias="metricStat")
    account_id: _Short | None = Field(default=None, alias="accountId")


class _AlarmConfiguration(_Wire):
    metrics: tuple[_MetricQuery, ...] = Field(default=(), max_length=500)
    alarm_rule: str | None = Field(default=None, alias="alarmRule", max_length=20_000)
    suppressor: _Short | None = Field(default=None, alias="actionsSuppressor")
    suppressor_wait_s: int = Field(default=0, alias="actionsSuppressorWaitPeriod", ge=0, le=3600)


class _State(_Wire):
    value: AlarmState
    reason: str = ""
    reason_data: str | None = Field(default=None, alias="reasonData")
    timestamp: AwareDatetime
    suppressed_by: _Short | None = Field(default=None, alias="actionsSuppressedBy")


class _MuteDetail(_Wire):
    muted_by: str = Field(alias="mutedByArn", max_length=1600)


class _Detail(_Wire):
    alarm_name: str = Field(alias="alarmName", min_length=1, max_length=300)
    state: _State
    configuration: _AlarmConfiguration = _AlarmConfiguration()
    mute: _MuteDetail | None = Field(default=None, alias="muteDetail")


_AlarmArn = Annotated[
    str, Field(pattern=r"^arn:[a-z-]+:cloudwatch:[a-z0-9-]+:[0-9]{12}:alarm:", max_length=400)
]


class _AlarmEvent(_Wire):
    detail_type: Literal["CloudWatch Alarm State Change"] = Field(alias="detail-type")
    source: Literal["aws.cloudwatch"]
    account: str = Field(pattern=r"^[0-9]{1,12}$")
    region: str = Field(pattern=r"^[a-z0-9-]{1,32}$")
    resources: tuple[_AlarmArn, ...] = Field(min_length=1)
    detail: _Detail


class _ManualStart(_Wire):
    function_name: str = Field(alias="functionName", min_length=1)
    manual: Literal[True]


class _ReasonData(_Wire):
    start_date: AwareDatetime | None = Field(default=None, alias="startDate")
    threshold: float | None = Field(default=None, allow_inf_nan=False)


def read_event(event: object, *, started_at: datetime) -> Sighting:
    """Read an alarm state change, or ``{"functionName": ..., "manual": true}``.

    Raises:
        MalformedEventError: It is neither; the message names the fields at fault.
    """
    if not isinstance(event, dict):
        raise MalformedEventError(f"the event is not an object but a {type(event).__name__}")
    try:
        if "functionName" in event or "manual" in event:
            return _manual(_ManualStart.model_validate(event), started_at=started_at)
        return _alarm(_AlarmEvent.model_validate(event), started_at=started_at)
    except ValidationError as error:
        faults = "; ".join(
            f"{'.'.join(str(part) for part in e['loc'])}: {e['msg']}"
            for e in error.errors(include_url=False, include_input=False)
        )
        by_hand = "functionName" in event or "manual" in event
        wanted = (
            'a start by hand is {"functionName": NAME, "manual": true}'
            if by_hand
            else ("the event is not what its source promises")
        )
        raise MalformedEventError(f"{wanted}: {faults}") from error


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
    if not _NAME.fullmatch(name) or (qualifier and not _QUALIFIER.fullmatch(qualifier)):
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
        accounts=frozenset(() if function.account_id is None else {function.account_id}),
        region=function.region,
        functions=(function,),
    )


def _alarm(event: _AlarmEvent, *, started_at: datetime) -> Sighting:
    detail = event.detail
    if detail.state.timestamp > started_at + _CLOCKS_DIFFER_BY:
        raise MalformedEventError("detail.state.timestamp: lies in the future")
    if detail.state.timestamp < _FIRST_ALARM:
        raise MalformedEventError("detail.state.timestamp: there was no CloudWatch yet")
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
        reason=printable(detail.state.reason)[:LONGEST_REASON],
        changed_at=detail.state.timestamp,
        evaluated_from=_evaluated_from(reason_data, detail.state.timestamp),
        silenced_by=_silenced_by(detail),
    )
    metrics = tuple(_watched(query) for query in queries if query.metric_stat is not None)
    return Sighting(
        alarm=alarm,
        state=detail.state.value,
        accounts=frozenset({event.account, *(m.account_id for m in metrics if m.account_id)}),
        region=event.region,
        metrics=metrics,
        functions=functions_of(metrics),
        rule=detail.configuration.alarm_rule,
        wait_s=detail.configuration.suppressor_wait_s,
    )


def printable(text: str) -> str:
    """Leave out what no table can hold: JSON may quote half a character."""
    return text.encode(errors="replace").decode()


def _silenced_by(detail: _Detail) -> str | None:
    """Say what kept the alarm's actions from running when it changed.

    In its WaitPeriod a composite alarm only waits whether its suppressor speaks up.
    """
    if detail.mute is not None:
        return f"the mute rule {detail.mute.muted_by}"
    if detail.state.suppressed_by in {None, "WaitPeriod"}:
        return None
    return f"its suppressor {detail.configuration.suppressor or 'alarm'}"


def _evaluated_from(data: _ReasonData, changed_at: datetime) -> datetime | None:
    """Give where the alarm began to look, unless that is more than CloudWatch ever looks at."""
    start = data.start_date
    is_likely = start is not None and changed_at - start <= _LONGEST_EVALUATION
    return start if is_likely else None


def _watched(query: _MetricQuery) -> WatchedMetric:
    metric = query.metric_stat.metric if query.metric_stat else _Metric()
    return WatchedMetric(
        namespace=metric.namespace,
        name=metric.name,
        dimensions=metric.dimensions,
        account_id=query.account_id,
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


def functions_of(metrics: Iterable[WatchedMetric]) -> tuple[FunctionReference, ...]:
    """Give each function once; the qualifier only where all its metrics agree on it.

    Raises:
        MalformedEventError: A dimension that should name a function does not.
    """
    qualifiers: dict[str, set[str | None]] = {}
    for metric in metrics:
        dimension = _FUNCTION_DIMENSIONS.get(metric.namespace or "")
        if dimension is None or dimension not in metric.dimensions:
            continue
        named = read_function_reference(metric.dimensions[dimension])
        resource = metric.dimensions.get("Resource", "").partition(":")[2]
        if not _QUALIFIER.fullmatch(resource):
            resource = ""
        qualifiers.setdefault(named.function_name, set()).add(resource or named.qualifier)
    return tuple(
        FunctionReference(function_name=name, qualifier=seen.pop() if len(seen) == 1 else None)
        for name, seen in qualifiers.items()
    )


def _reason_data(text: str | None) -> _ReasonData:
    """Read what the reason's data offer; alarms set by hand carry made-up ones, or none."""
    try:
        return _ReasonData.model_validate(json.loads(text)) if text else _ReasonData()
    except (ValueError, RecursionError):
        return _ReasonData()


def evaluated_since(alarm: Alarm) -> Instant:
    """Give the moment from which the alarm looked; when it changed, if the event does not say."""
    if alarm.evaluated_from is None:
        return alarm.changed_at
    return min(alarm.evaluated_from, alarm.changed_at)
