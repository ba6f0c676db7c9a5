"""How each runtime writes the exception that left the handler, and evidence made around it."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable
from datetime import datetime, timedelta

from autorepair.domain.evidence import (
    DeclaredVariable,
    Evidence,
    MetricSeries,
    RecentChange,
    SettingChange,
    VariableChange,
)
from autorepair.domain.incident import Alarm
from unit.logbook import Logbook

CONFIGURED = "UpdateFunctionConfiguration20150331v2"
DEPLOYED = "UpdateFunctionCode20150331v2"
ALIAS_MOVED = "UpdateAlias20150331"


def python(kind: str, words: str, source: str = "work()", *, place: str = "handler") -> str:
    frame = f'  File "/var/task/app.py", line 10, in {place}\n    {source}'
    return f"[ERROR] {kind}: {words}\nTraceback (most recent call last):\n{frame}"


def node(kind: str, words: str, *, how: str = "Invoke Error") -> str:
    stack = [f"{kind}: {words}", "    at Runtime.handler (/var/task/index.js:12:18)"]
    error = json.dumps({"errorType": kind, "errorMessage": words, "stack": stack})
    return f"2026-03-04T05:06:08.000Z\tundefined\tERROR\t{how} \t{error}"


def java(kind: str, words: str) -> str:
    return f"{words}: {kind}\n{kind}: {words}\n\tat com.acme.Handler.handle(Handler.java:31)"


def dotnet(kind: str, words: str) -> str:
    stack = ["at Acme.Function.Handler(Order order) in /src/Function.cs:line 20"]
    return json.dumps({"errorType": kind, "errorMessage": words, "stackTrace": stack})


def go(kind: str, words: str) -> str:
    return json.dumps({"errorMessage": words, "errorType": kind})


def ruby(kind: str, words: str) -> str:
    error = {"errorMessage": words, "errorType": f"Function<{kind}>"}
    return f"Error raised from handler method\n{json.dumps(error)}"


def crash(log: Logbook, words: str) -> None:
    """One call of a process that says something and ends."""
    log.call(
        20,
        says=[(0.001, words)],
        status="Status: error\tError Type: Runtime.ExitError",
        last_words="RequestId: {id} Error: Runtime exited with error: exit status 1\n"
        "Runtime.ExitError",
    )
    log.is_cold = True


def changed(
    log: Logbook,
    event: str = CONFIGURED,
    *,
    settings: Iterable[SettingChange] = (),
    variables: Iterable[VariableChange] = (),
    alias: str | None = None,
) -> RecentChange:
    """Something done now; a little later the next call comes."""
    at = log.now
    log.now += timedelta(seconds=20)
    told = tuple(variables)
    return RecentChange(
        id=f"change:{event}",
        at=at,
        source="cloudtrail",
        event=event,
        settings=tuple(settings),
        variables=told,
        writes_environment=bool(told),
        alias=alias,
    )


def removed(*names: str) -> list[VariableChange]:
    return [VariableChange(name=name, kind="removed") for name in names]


def rewritten(*names: str) -> list[VariableChange]:
    return [VariableChange(name=name, kind="changed") for name in names]


def healthy_then(
    words: str,
    *,
    change: Callable[[Logbook], RecentChange] | None = None,
    is_crash: bool = False,
    clean: int = 0,
    times: int = 6,
) -> tuple[Logbook, tuple[RecentChange, ...]]:
    """A function that was healthy, that something was done to, and that fails since."""
    log = Logbook()
    log.succeed(*[50.0] * 12)
    changes = () if change is None else (change(log),)
    log.enter("b")
    log.succeed(*[50.0] * clean)
    for _ in range(times):
        if is_crash:
            crash(log, words)
        else:
            log.fail(words)
    return log, changes


def measured(evidence: Evidence, **sums: float) -> Evidence:
    """Add the metrics that Lambda would count of this log, and an alarm on errors."""
    minutes: dict[datetime, list[float]] = {}
    failed: dict[datetime, int] = {}
    for i in evidence.invocations:
        minute = i.started_at.replace(second=0, microsecond=0)
        minutes.setdefault(minute, []).append(i.duration_ms or 0.0)
        failed[minute] = failed.get(minute, 0) + i.has_failed
    points = {
        "Invocations.Sum": [(at, float(len(seen))) for at, seen in minutes.items()],
        "Errors.Sum": [(at, sums.get("Errors", float(failed[at]))) for at in minutes],
        "Throttles.Sum": [(at, sums.get("Throttles", 0.0)) for at in minutes],
        "Duration.Average": [(at, sum(seen) / len(seen)) for at, seen in minutes.items()],
        "Duration.Maximum": [(at, max(seen)) for at, seen in minutes.items()],
    }
    return evidence.model_copy(
        update={
            "metrics": tuple(_series(name, told) for name, told in points.items()),
            "alarm": alarm(evidence.window_end),
        }
    )


def _series(name: str, points: list[tuple[datetime, float]]) -> MetricSeries:
    metric, _, statistic = name.partition(".")
    return MetricSeries(
        id=name,
        namespace="AWS/Lambda",
        metric_name=metric,
        statistic=statistic,
        period_s=60,
        points=tuple(sorted(points)),
    )


def alarm(at: datetime, **changes: object) -> Alarm:
    plain = Alarm(
        name="errors",
        arn="arn:aws:cloudwatch:eu-west-1:123456789012:alarm:errors",
        kind="metric",
        namespace="AWS/Lambda",
        metric_name="Errors",
        statistic="Sum",
        reason="Threshold Crossed: 1 out of the last 1 datapoints [3.0] was greater than (1.0)",
        changed_at=at,
    )
    return plain.model_copy(update=changes)


def secret(name: str) -> DeclaredVariable:
    """Declare a variable by a secret, of whose value nothing is known."""
    return DeclaredVariable(name=name, kind="secretsmanager", matches_current=None)
