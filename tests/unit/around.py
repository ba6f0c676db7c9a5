"""What stands around a log in the tests of causes about limits: metrics, alarms, changes."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import datetime, timedelta

from autorepair.domain.evidence import Evidence, MetricSeries, RecentChange, SettingChange
from autorepair.domain.incident import Alarm
from unit.logbook import START, Logbook

_MINUTE = timedelta(minutes=1)


def series(
    name: str, statistic: str, values: Sequence[float], *, start: datetime = START
) -> MetricSeries:
    """One value a minute."""
    return MetricSeries(
        id=f"metric:{name}.{statistic}",
        namespace="AWS/Lambda",
        metric_name=name,
        statistic=statistic,
        period_s=60,
        points=tuple((start + n * _MINUTE, value) for n, value in enumerate(values)),
    )


def with_metrics(evidence: Evidence, *found: MetricSeries) -> Evidence:
    return evidence.model_copy(update={"metrics": found})


def with_alarm(evidence: Evidence, metric_name: str) -> Evidence:
    alarm = Alarm(
        name="a",
        arn="arn:aws:cloudwatch:eu-west-1:123456789012:alarm:a",
        kind="metric",
        metric_name=metric_name,
        changed_at=evidence.collected_at,
    )
    return evidence.model_copy(update={"alarm": alarm})


def changed(
    name: str, before: int | None, after: int | None, *, at: datetime = START, note: str = ""
) -> RecentChange:
    return RecentChange(
        id="change:1",
        at=at,
        source="cloudtrail",
        event="UpdateFunctionConfiguration20150331v2",
        settings=(SettingChange(name=name, before=before, after=after),),
        note=note,
    )


def in_json(log: Logbook) -> Logbook:
    """Rewrite the platform's lines as the JSON log format has them; speech stays as it is."""
    log.events = [replace(e, message=said) for e in log.events if (said := _object(e.message))]
    return log


def _object(message: str) -> str:
    if message.startswith("REPORT RequestId: "):
        return _report(message)
    if message.startswith("START RequestId: "):
        return _record("platform.start", {"requestId": message.split()[2], "version": "$LATEST"})
    if message.startswith(("END RequestId: ", "RequestId: ")) or " Task timed out " in message:
        return ""
    return message


def _report(message: str) -> str:
    head, *parts = message.split("\t")
    told = dict(part.split(": ", 1) for part in parts if ": " in part)
    record = {
        "requestId": head.split()[2],
        "status": told.get("Status", "success"),
        "metrics": {
            "durationMs": _number(told["Duration"]),
            "memorySizeMB": _number(told["Memory Size"]),
            "maxMemoryUsedMB": _number(told["Max Memory Used"]),
            "initDurationMs": _number(told.get("Init Duration", "0 ms")) or None,
        },
    }
    if "Error Type" in told:
        record["errorType"] = told["Error Type"]
    return _record("platform.report", record)


def _record(kind: str, record: Mapping[str, object]) -> str:
    return json.dumps({"type": kind, "record": record})


def _number(text: str) -> float:
    return float(text.split(maxsplit=1)[0])
