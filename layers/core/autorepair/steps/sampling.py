"""Which invocations bear on a verdict, and which of them failed the way the incident did."""

from __future__ import annotations

import math
from collections.abc import Iterable
from datetime import datetime, timedelta

from autorepair.causes.limits import FULL_MEMORY, has_present_size, memory_share, time_outs
from autorepair.causes.weighing import diagnose
from autorepair.domain.change import AliasMove, AliasSetting, MemorySetting, Setting, TimeoutSetting
from autorepair.domain.diagnosis import RootCause
from autorepair.domain.evidence import Alias, Evidence, Gap, Invocation, RecentChange
from autorepair.domain.signatures import signatures
from autorepair.domain.verification import TrafficSample

LATEST = "$LATEST"
"""The only version that a change of the configuration reaches."""
LOG_LAG_S = 5
"""How long after its end an invocation may be missing in the log, in seconds."""
METRIC_LAG = timedelta(minutes=1)
"""How long after its end a minute may be missing in the metrics."""
_ALIAS_SPREADS = timedelta(seconds=30)
"""How long after an alias was moved calls may still go to where it led."""
_OLD_ONES_LINGER = timedelta(seconds=30)
"""How long after a change has settled a call may still go to an environment from before it."""
_CUT_EARLY = 0.95
METRIC_WINDOW_S = 240
"""How long it takes at least until two whole minutes of metrics are in, in seconds."""
_FEW_CALLS = 20
"""So many tell of harm where few calls come; half of so many may still be chance."""
_COUNTED = ("Invocations", "Errors", "Throttles")
# A failure by these bears a mark of its own.
_MARKED = frozenset({RootCause.TIMEOUT_TOO_LOW, RootCause.CPU_STARVED, RootCause.MEMORY_EXHAUSTED})
# Failures at these are told apart from others by the rules alone, and a larger size may cure them.
_CUT_OFF_AT_A_SIZE = frozenset({RootCause.EPHEMERAL_STORAGE_FULL, RootCause.CPU_STARVED})


def begun_after(  # noqa: PLR0913 - what is known of the change, and what was seen around it
    invocations: Iterable[Invocation],
    applied_at: datetime,
    *,
    known: Iterable[Invocation],
    setting: Setting,
    accepted_at: datetime | None = None,
    version: str = LATEST,
) -> tuple[Invocation, ...]:
    """Give the invocations that run with the ``setting`` that was made.

    An environment keeps the configuration it was started with, and writes one log stream: one
    that was started before the change (as what is ``known``, or the invocations, show) runs
    without it, and so does every other version. One that was started after Lambda took the change
    (``accepted_at``) and before it was seen to have settled may be either; what it serves much
    later it serves with the change, for then Lambda sends nothing to old environments. Where an
    invocation shows the limit it ran with, that decides. A published ``version`` begins with the
    change. An alias that was moved leads to a version that was there before, so its environments
    may be old ones.
    """
    seen = tuple(invocations)
    if isinstance(setting, AliasSetting) or version != LATEST:
        wanted = setting.version if isinstance(setting, AliasSetting) else version
        return tuple(i for i in seen if i.started_at >= applied_at and i.version == wanted)
    served: dict[str, list[Invocation]] = {}
    for invocation in (*known, *seen):
        served.setdefault(invocation.stream, []).append(invocation)
    since = {
        stream: _counts_since(own, applied_at, accepted_at or applied_at, setting)
        for stream, own in served.items()
    }
    return tuple(
        i
        for i in seen
        if i.version == LATEST and (start := since[i.stream]) is not None and i.started_at >= start
    )


def _counts_since(
    served: list[Invocation], applied_at: datetime, accepted_at: datetime, setting: Setting
) -> datetime | None:
    """Give from when on what an environment serves runs with the setting; None for never."""
    if any(_has_size(i, setting) for i in served):
        return applied_at
    began = min(i.started_at - timedelta(milliseconds=i.init_ms or 0.0) for i in served)
    if began < accepted_at or any(_shows_another(i, setting) for i in served):
        return None
    return applied_at if began >= applied_at else applied_at + _OLD_ONES_LINGER


def _has_size(invocation: Invocation, setting: Setting) -> bool:
    return isinstance(setting, MemorySetting) and invocation.memory_mb == setting.memory_mb


def _shows_another(invocation: Invocation, setting: Setting) -> bool:
    """Whether an invocation was given another memory size, or was cut long before the timeout."""
    match setting:
        case MemorySetting():
            return invocation.memory_mb not in {None, setting.memory_mb}
        case TimeoutSetting() if invocation.status == "timeout":
            given_ms = invocation.duration_ms
            return given_ms is not None and given_ms < _CUT_EARLY * setting.timeout_s * 1000
        case _:
            return False


def led_there_by_alias(
    invocations: Iterable[Invocation],
    applied_at: datetime,
    *,
    known: Iterable[Invocation],
    bad_since: datetime,
    until: datetime,
) -> tuple[Invocation, ...]:
    """Leave out as many successes of the good version as it had without the alias.

    Another alias, or a caller that names the version, may have sent it traffic all along: that it
    works for those is no news. What it had while the alias led elsewhere, from ``bad_since`` on,
    is theirs.
    """
    seen, before = tuple(invocations), tuple(known)
    start, versions = bad_since + _ALIAS_SPREADS, {i.version for i in seen}
    theirs = [i for i in before if i.version in versions and start <= i.started_at < applied_at]
    if not theirs:
        return seen
    expected = math.ceil(len(theirs) * ((until - applied_at) / (applied_at - start)))
    successes = [i for i in seen if i.status == "success"]
    left_out = {i.request_id for i in successes[:expected]}
    return tuple(i for i in seen if i.request_id not in left_out)


def led_away_since(
    known: Iterable[Invocation], changes: Iterable[RecentChange], alias: AliasSetting
) -> datetime | None:
    """Give when the alias was moved to the (bad) version: as recorded, else from its first call.

    The first call alone may have been a test that named the version, before the alias was moved.
    """
    recorded = [
        change.at
        for change in changes
        if change.alias == alias.alias
        and (setting := change.setting("function_version")) is not None
        and setting.after == alias.version
    ]
    if recorded:
        return max(recorded)
    return min((i.started_at for i in known if i.version == alias.version), default=None)


def still_called(
    invocations: Iterable[Invocation], version: str, applied_at: datetime
) -> tuple[Gap, ...]:
    """Say that the version from which the alias was moved away is called all the same.

    Those calls do not come by the alias, so what it leads to now cures nothing of theirs.
    """
    start = applied_at + _ALIAS_SPREADS
    failed = sum(
        i.version == version and i.has_failed and i.started_at >= start for i in invocations
    )
    if not failed:
        return ()
    reason = f"{failed} calls of version {version} have failed since, which come by another way"
    return (Gap(source="traffic", reason=reason),)


def shared_with_others(
    release: AliasMove, aliases: Iterable[Alias], known: Iterable[Invocation]
) -> tuple[Gap, ...]:
    """Say that figures are not of the moved alias alone: the log names versions, not aliases.

    Either others call the former version as well, or the version that was published was there
    before (Lambda publishes nothing twice) and others call that. ``known`` is the evidence's, from
    before anything was published.
    """
    names = {
        one.name
        for one in aliases
        if one.name != release.alias and release.published in {one.version, *one.also}
    }
    has_calls = any(i.version == release.published for i in known)
    if not (release.staying or names or has_calls):
        return ()
    others = ", ".join(release.staying or sorted(names)) or "others"
    version = release.former if release.staying else release.published or LATEST
    reason = (
        f"version {version} is also called by {others}, so it cannot be told what the calls of "
        f"{release.alias} alone did"
    )
    return (Gap(source="traffic", reason=reason),)


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


def lately(evidence: Evidence, since: datetime) -> Evidence:
    """Give what came since a moment, or the latest few calls where those go farther back.

    With it what was at work at that moment, for it may have ended since.
    """
    longest = timedelta(seconds=evidence.configuration.timeout_s + LOG_LAG_S)
    latest = sorted(i.started_at for i in evidence.invocations if i.status != "unfinished")
    start = min([since - longest, *latest[-_FEW_CALLS:][:1]])
    return evidence.model_copy(
        update={
            "invocations": tuple(i for i in evidence.invocations if i.started_at >= start),
            "metrics": tuple(
                one.model_copy(update={"points": tuple(p for p in one.points if p[0] >= start)})
                for one in evidence.metrics
            ),
        }
    )


def with_calls(counted: TrafficSample, metrics: Evidence) -> TrafficSample:
    """Add how many calls were refused for want of concurrency: of those no log tells."""
    of_metrics = _sample_of_metrics(metrics)
    return counted.model_copy(
        update={"calls": of_metrics.invocations, "throttled": of_metrics.refused}
    )


def with_unseen(
    counted: TrafficSample, after: Evidence, cause: RootCause, *, known: frozenset[str]
) -> TrafficSample:
    """Add how many fail in a way that nothing failed before: by their words, the varying masked.

    Time-outs and exhausted memory that bear the mark of the cause are known by that mark.
    """
    others = tuple(i for i in after.failures if not bears_mark(i, cause))
    new = [
        kind.count
        for kind in signatures(others, after.log_lines)
        if kind.template and kind.template not in known
    ]
    most = min(max(new, default=0), counted.invocations)
    return counted.model_copy(update={"unseen": most, "unseen_kinds": len(new)})


def known_kinds(evidence: Evidence) -> frozenset[str]:
    """Give how anything is known to have failed, in words with all that varies masked."""
    told = signatures(evidence.invocations, evidence.log_lines)
    return frozenset(kind.template for kind in (*evidence.signatures, *told))


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
    unknown = _half_known(evidence)
    run, failed, throttled = (
        round(sum(count for at, count in _points(evidence, name).items() if at not in unknown))
        for name in _COUNTED
    )
    return TrafficSample(
        invocations=run + throttled,
        failures=min(failed, run) + throttled,
        same_cause=throttled,
        refused=throttled,
    )


def missing_figures(evidence: Evidence) -> tuple[Gap, ...]:
    """Say for how many minutes the metrics tell of calls, but not what became of them."""
    count = len(_half_known(evidence))
    if not count:
        return ()
    return (Gap(source="metrics", reason=f"{count} minutes without Errors or Throttles"),)


def _half_known(evidence: Evidence) -> set[datetime]:
    """Give the minutes with calls of which not all is counted.

    Lambda publishes Errors and Throttles, be they 0, for every minute in which it publishes
    Invocations: what is missing is not none. Where all calls were refused none was invoked.
    """
    run, failed, throttled = (_points(evidence, name) for name in _COUNTED)
    return {at for at in run if at not in failed or at not in throttled}


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
    if cause in _MARKED:
        return sum(bears_mark(i, cause) for i in evidence.failures)
    if cause is RootCause.BAD_DEPLOYMENT:
        # A version that fails on either side of the deployment was not broken by it.
        return len(evidence.failures)
    if not evidence.failures or diagnose(evidence).root_cause is not cause:
        return 0
    return len(evidence.failures)


def bears_mark(invocation: Invocation, cause: RootCause) -> bool:
    """Whether an invocation by itself shows that it failed the way the incident did."""
    if cause is RootCause.MEMORY_EXHAUSTED:
        return _is_out_of_memory(invocation)
    return cause in _MARKED and invocation.status == "timeout"


def _is_out_of_memory(invocation: Invocation) -> bool:
    return invocation.status == "out_of_memory" or (memory_share(invocation) or 0.0) >= FULL_MEMORY
