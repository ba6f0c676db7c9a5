"""Which invocations bear on a verdict, and which of them failed the way the incident did."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime, timedelta

from autorepair.causes.limits import FULL_MEMORY, has_present_size, memory_share, time_outs
from autorepair.causes.weighing import diagnose
from autorepair.domain.change import AliasSetting, Setting, TimeoutSetting
from autorepair.domain.diagnosis import RootCause
from autorepair.domain.evidence import Evidence, Invocation
from autorepair.domain.verification import TrafficSample

LATEST = "$LATEST"
"""The only version that a change of the configuration reaches."""
LOG_LAG_S = 5
"""How long after its end an invocation may be missing in the log, in seconds."""
METRIC_LAG = timedelta(minutes=1)
"""How long after its end a minute may be missing in the metrics."""
METRIC_WINDOW_S = 240
"""How long it takes at least until two whole minutes of metrics are in, in seconds."""


# Failures at these are told apart from others by the rules alone, and a larger size may cure them.
_CUT_OFF_AT_A_SIZE = frozenset({RootCause.EPHEMERAL_STORAGE_FULL, RootCause.CPU_STARVED})


def begun_after(
    invocations: Iterable[Invocation],
    applied_at: datetime,
    *,
    known: Iterable[Invocation],
    setting: Setting,
) -> tuple[Invocation, ...]:
    """Give the invocations that run with the ``setting`` that was made.

    An environment keeps the configuration it was started with, and writes one log stream: one
    that was seen before the change (among ``known``, or among the invocations) runs without it,
    and so does every published version. An alias that was moved leads to a version that was
    there before, so its environments may be old ones.
    """
    seen = tuple(invocations)
    if isinstance(setting, AliasSetting):
        return tuple(i for i in seen if i.started_at >= applied_at and i.version == setting.version)
    old = {i.stream for i in (*known, *seen) if i.started_at < applied_at}
    return tuple(i for i in seen if i.stream not in old and i.version == LATEST)


def sample(evidence: Evidence, cause: RootCause, *, setting: Setting) -> TrafficSample:
    """Count the finished invocations, failures, failures with the cause's mark, and rescues.

    Calls that were refused for want of concurrency leave no line in the log: of those the metrics
    tell, and then everything is counted by them.

    A rescue is a success that the timeout in ``setting`` would have cut short. Of other settings
    one invocation shows nothing: memory is also filled because it is there.
    """
    if cause is RootCause.CONCURRENCY_LIMITED:
        return _sample_of_metrics(evidence)
    return TrafficSample(
        invocations=sum(i.status != "unfinished" for i in evidence.invocations),
        failures=len(evidence.failures),
        same_cause=_same_cause(evidence, cause),
        rescued=sum(_is_rescued(i, setting) for i in evidence.invocations),
        pending=sum(i.status == "unfinished" for i in evidence.invocations),
    )


def since_first_refusal(evidence: Evidence) -> Evidence:
    """Keep only the metrics from the first refused call on: before it, nothing was short."""
    refused = _points(evidence, "Throttles").items()
    begin = min((at for at, count in refused if count > 0), default=evidence.window_start)
    metrics = tuple(
        series.model_copy(update={"points": tuple(p for p in series.points if p[0] >= begin)})
        for series in evidence.metrics
    )
    return evidence.model_copy(update={"metrics": metrics})


def begun_long_ago(evidence: Evidence) -> Evidence:
    """Keep only the invocations that have had the time to end, however they end.

    Work that fails slowly reports last: among those that have ended so far, successes are too
    many. Among those that were begun early enough they are not.
    """
    longest = timedelta(seconds=evidence.configuration.timeout_s + LOG_LAG_S)
    cut_off = evidence.window_end - longest
    early = tuple(i for i in evidence.invocations if i.started_at <= cut_off)
    return evidence.model_copy(update={"invocations": early})


def runs_into_limit(evidence: Evidence, cause: RootCause) -> bool:
    """Whether failures stand at the limit that is configured now."""
    if cause is RootCause.TIMEOUT_TOO_LOW:
        return bool(time_outs(evidence))
    if cause is RootCause.MEMORY_EXHAUSTED:
        return any(has_present_size(evidence, i) for i in evidence.failures if _is_out_of_memory(i))
    if cause is RootCause.CONCURRENCY_LIMITED:
        return _sample_of_metrics(evidence).same_cause > 0
    return cause in _CUT_OFF_AT_A_SIZE and bool(evidence.failures)


def _sample_of_metrics(evidence: Evidence) -> TrafficSample:
    run, failed, throttled = (
        round(sum(_points(evidence, name).values()))
        for name in ("Invocations", "Errors", "Throttles")
    )
    return TrafficSample(
        invocations=run + throttled, failures=min(failed, run) + throttled, same_cause=throttled
    )


def _points(evidence: Evidence, name: str) -> dict[datetime, float]:
    series = evidence.metric(name, "Sum")
    return dict(series.points) if series is not None else {}


def _is_rescued(invocation: Invocation, setting: Setting) -> bool:
    if invocation.status != "success" or not isinstance(setting, TimeoutSetting):
        return False
    return (invocation.duration_ms or 0.0) > setting.timeout_s * 1000


def _same_cause(evidence: Evidence, cause: RootCause) -> int:
    """Count the failures that bear the mark of the cause.

    A time-out and an exhausted memory are seen on each invocation; whether other failures are
    the same can only be said of all together, by asking the rules again.
    """
    if cause in {RootCause.TIMEOUT_TOO_LOW, RootCause.CPU_STARVED}:
        return sum(i.status == "timeout" for i in evidence.failures)
    if cause is RootCause.MEMORY_EXHAUSTED:
        return sum(_is_out_of_memory(i) for i in evidence.failures)
    if cause is RootCause.BAD_DEPLOYMENT:
        # A version that fails on either side of the deployment was not broken by it.
        return len(evidence.failures)
    if not evidence.failures or diagnose(evidence).root_cause is not cause:
        return 0
    return len(evidence.failures)


def _is_out_of_memory(invocation: Invocation) -> bool:
    return invocation.status == "out_of_memory" or (memory_share(invocation) or 0.0) >= FULL_MEMORY
