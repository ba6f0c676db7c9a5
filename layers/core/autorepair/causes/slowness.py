"""Another service that answers, but slower and slower."""

from __future__ import annotations

import re
from statistics import median

from autorepair.causes.cause import Cause
from autorepair.causes.limits import (
    lines_of,
    reports_of,
    share_of_failures,
    time_outs,
    timeout_ms,
    weighed_down,
)
from autorepair.causes.outcries import outcry_of
from autorepair.causes.spent_time import Rise, SpentTime, has_more_to_do, rise_of
from autorepair.causes.troubles import Trouble, said_in
from autorepair.causes.witnesses import latest
from autorepair.causes.wording import lowered, wording
from autorepair.domain.diagnosis import Finding, RootCause
from autorepair.domain.evidence import Evidence, Invocation, LogLine, MetricSeries
from autorepair.domain.log_records import read_record

_LEAST_SHARE = 0.5
_FEW = 3
# Of the time that the invocations take longer, this much at least has to be others'.
_MOST_OF_THE_RISE = 0.45
_NEARLY_ALL_OF_THE_RISE = 0.75
_AT_MOST_TOLD = 1.2
_LATENCY = re.compile(r"(?i)latency|response_?time|duration|elapsed")
_LEAST_IMPATIENT = 0.3
_PATIENCE = (Trouble.NO_ANSWER, Trouble.OVERDUE)
_OTHER_REASONS = (Trouble.THROTTLED, Trouble.EXHAUSTED, Trouble.UNREACHABLE)
# With less of a processor everything is slower, and other code may simply ask for more.
_MEMORY = frozenset({"memory_mb", "layers", "runtime", "architecture"})
_CODE = frozenset({"code_sha256", "function_version"})
_MOST_POLLING = 0.6
_PENDING = wording(
    r"\b(?:status|state|job|query|execution|statement|task|export|run)\b[^\n]{0,60}"
    r"\b(?:IN[_ ]PROGRESS|RUNNING|PENDING|QUEUED|SUBMITTED|PROCESSING|STARTING|not (?:yet )?"
    r"(?:ready|done|finished|complete))\b"
)
_LATE = wording(
    r"\bslow\b|still (?:running|waiting|pending|queued)|queued|latency|lagging|took (?:too )?long"
    r"|taking longer|degraded|backlog|\bRUNNING\b|PENDING|retrying|慢"
)


def _diagnose(evidence: Evidence) -> Finding | None:
    ways = (_rising, _overdue, _cut_while_waiting, _polling, _by_their_metric, _resized)
    return next((finding for way in ways if (finding := way(evidence)) is not None), None)


def _resized(evidence: Evidence) -> Finding | None:
    """The memory size was changed, and yet nearly all of the rise is somebody else's time."""
    rise = rise_of(evidence, of_any_size=True)
    if rise is None or rise_of(evidence) is not None or _has_another_reason(evidence):
        return None
    spent = SpentTime(evidence)
    more_ms = spent.typical_ms(rise.after) - spent.typical_ms(rise.before)
    share = _explained_share(evidence)
    if more_ms < _NEARLY_ALL_OF_THE_RISE * (rise.after_ms - rise.before_ms) or share < _LEAST_SHARE:
        return None
    return _finding(
        weighed_down(0.7, share),
        f"invocations that finish take {rise.after_ms / 1000:.2g} s instead of "
        f"{rise.before_ms / 1000:.2g} s, and by the log's own figures nearly all of that is "
        "another service's time, whatever the memory size",
        (*latest(spent.telling(rise.after), most=3), *reports_of(rise.after, most=2)),
    )


def _by_their_metric(evidence: Evidence) -> Finding | None:
    """The durations rose as the latency that is measured of another service did."""
    own = evidence.metric("Duration", "Average")
    more_ms = _rise_in(own)
    if own is None or more_ms is None or _has_another_reason(evidence):
        return None
    if share_of_failures(evidence, len(time_outs(evidence))) < _LEAST_SHARE:
        return None
    for theirs in evidence.metrics:
        is_latency = theirs.metric_name != "Duration" and _LATENCY.search(theirs.metric_name)
        told = _rise_in(theirs) if is_latency and theirs.statistic != "Sum" else None
        if told is not None and _MOST_OF_THE_RISE * more_ms <= told <= _AT_MOST_TOLD * more_ms:
            return _finding(
                0.75,
                f"the function's duration rose by {more_ms / 1000:.2g} s on average, and "
                f"{theirs.metric_name} by {told / 1000:.2g} s at the same time",
                (theirs.id, own.id),
            )
    return None


def _rise_in(series: MetricSeries | None) -> float | None:
    """Give by how much the latest values of a series exceed the first ones; None for too little."""
    values = [value for _, value in series.points] if series is not None else []
    if len(values) < 2 * _FEW:
        return None
    part = max(_FEW, len(values) // 4)
    before, after = median(values[:part]), median(values[-part:])
    return after - before if after >= 2 * before > 0 else None


def _polling(evidence: Evidence) -> Finding | None:
    """The time-outs went on asking for the state of somebody else's job that never got ready."""
    cut = time_outs(evidence)
    limit = timeout_ms(evidence)
    successes = [i for i in evidence.invocations if i.status == "success"]
    near = any((i.duration_ms or 0.0) > limit / 2 for i in successes)
    if not cut or near or share_of_failures(evidence, len(cut)) < _LEAST_SHARE:
        return None
    lines = lines_of(evidence)
    asked = [
        said[-1]
        for i in cut
        if len(said := [li for li in lines.get(i.request_id, []) if _is_pending(li)]) >= _FEW - 1
    ]
    if len(asked) < _MOST_POLLING * len(cut):
        return None
    return _finding(
        weighed_down(0.7, share_of_failures(evidence, len(cut))),
        f"{len(asked)} of {len(cut)} time-outs were still asking for the state of a job that was "
        "not done, which others saw done in less than half of the time: it is slow there",
        (*latest(asked, most=3), *reports_of(cut, most=2)),
    )


def _is_pending(line: LogLine) -> bool:
    if read_record(line.message).kind != "speech":
        return False
    return _PENDING.search(lowered(said_in(line), 500)) is not None


def _overdue(evidence: Evidence) -> Finding | None:
    """The failures say that a request was worked on for longer than it may be."""
    outcry = outcry_of(evidence)
    share = outcry.share(Trouble.OVERDUE)
    if share < _LEAST_SHARE:
        return None
    count = outcry.count(Trouble.OVERDUE)
    confidence = (0.82 if count >= _FEW else 0.75) if outcry.is_plain else 0.65
    return _finding(
        weighed_down(confidence, share),
        f"{count} of {outcry.whole} invocations tell of a request that another service worked on "
        "for longer than it may: it is slow there",
        outcry.cites(Trouble.OVERDUE),
    )


def _rising(evidence: Evidence) -> Finding | None:
    """What succeeds takes far longer than it did, and the log says that others took the time."""
    rise = rise_of(evidence)
    if rise is None or _was_changed(evidence, rise, _MEMORY) or _has_another_reason(evidence):
        return None
    spent = SpentTime(evidence)
    if has_more_to_do(spent, rise):
        return None
    more_ms = spent.typical_ms(rise.after) - spent.typical_ms(rise.before)
    is_told = more_ms >= _MOST_OF_THE_RISE * (rise.after_ms - rise.before_ms)
    late = _late_lines(evidence, rise)
    is_impatient = _is_impatient(evidence)
    if not (is_told or late or is_impatient):
        return None
    confidence = 0.85 if is_told else 0.72 if is_impatient else 0.66
    if _was_changed(evidence, rise, _CODE):
        confidence = 0.6
    share = _explained_share(evidence)
    if share < _LEAST_SHARE:
        return None
    cites = (*latest(spent.telling(rise.after) if is_told else late, most=3),)
    return _finding(
        weighed_down(confidence, share),
        f"invocations that finish take {rise.after_ms / 1000:.2g} s instead of "
        f"{rise.before_ms / 1000:.2g} s, and the log shows the time spent on another service: it "
        "answers, but slowly, and a longer timeout only makes callers wait",
        (*cites, *reports_of(rise.after, most=2)),
    )


def _was_changed(evidence: Evidence, rise: Rise, settings: frozenset[str]) -> bool:
    """Whether one of these settings was changed between the last swift and the first slow ones."""
    first, onset = rise.before[len(rise.before) // 2].started_at, rise.after[0].started_at
    return any(
        first <= change.at <= onset and any(s.name in settings for s in change.settings)
        for change in evidence.changes
    )


def _has_another_reason(evidence: Evidence) -> bool:
    """Whether the invocations tell of a refusal or of the network, which explains the waiting."""
    return outcry_of(evidence).share(*_OTHER_REASONS) >= _LEAST_SHARE


def _is_impatient(evidence: Evidence) -> bool:
    return outcry_of(evidence).share(*_PATIENCE) >= _LEAST_IMPATIENT


def _explained_share(evidence: Evidence) -> float:
    """Give the share of failures that slowness explains: time-outs, the client's and Lambda's."""
    cut = {i.request_id for i in time_outs(evidence)}
    told = {i.request_id for i in outcry_of(evidence).told(*_PATIENCE, Trouble.REFUSED)}
    failed = {i.request_id for i in evidence.failures}
    return share_of_failures(evidence, len((cut | told) & failed))


def _late_lines(evidence: Evidence, rise: Rise) -> list[LogLine]:
    """Give the slow invocations' complaints of waiting, if the swift ones had hardly any."""
    late = _lines_about(evidence, rise.after)
    early = _lines_about(evidence, rise.before)
    told = {line.request_id for line in late}
    is_new = len({line.request_id for line in early}) < 0.2 * len(rise.before)
    return late if is_new and len(told) >= _LEAST_SHARE * len(rise.after) else []


def _lines_about(evidence: Evidence, invocations: tuple[Invocation, ...]) -> list[LogLine]:
    ids = {i.request_id for i in invocations}
    return [
        line
        for line in evidence.log_lines
        if line.request_id in ids and _LATE.search(lowered(said_in(line), 500))
    ]


def _cut_while_waiting(evidence: Evidence) -> Finding | None:
    """The time-outs' own lines say that others had taken most of the time."""
    cut = time_outs(evidence)
    if not cut or share_of_failures(evidence, len(cut)) < _LEAST_SHARE:
        return None
    if _has_another_reason(evidence):
        return None
    spent = SpentTime(evidence)
    waited = tuple(i for i in cut if spent.of_others_ms(i)[0] >= (i.duration_ms or 0.0) / 2)
    swift = _comparable(evidence, waited)
    if len(waited) < _LEAST_SHARE * len(cut):
        return None
    usual_ms = spent.typical_ms(swift)
    cut_ms = spent.typical_ms(waited)
    if not swift or cut_ms < 2 * usual_ms:
        return None
    return _finding(
        weighed_down(0.75, share_of_failures(evidence, len(cut))),
        f"{len(waited)} of {len(cut)} time-outs had waited {cut_ms / 1000:.2g} s for another "
        f"service, which took {usual_ms / 1000:.2g} s in invocations that finished",
        latest(spent.telling(waited)),
    )


def _comparable(evidence: Evidence, waited: tuple[Invocation, ...]) -> tuple[Invocation, ...]:
    """Give what finished and is like those that waited: first calls where these are first calls.

    A first call connects, compiles and fills caches. Where warm calls go well beside first calls
    that are cut, and hardly a first call is made, there is nothing to compare with.
    """
    finished = tuple(i for i in evidence.invocations if i.status == "success")
    if not waited or any(i.init_ms is None for i in waited):
        return finished
    cold = tuple(i for i in finished if i.init_ms is not None)
    began, ended = waited[0].started_at, waited[-1].started_at
    beside = [i for i in finished if i.init_ms is None and began <= i.started_at <= ended]
    return cold if len(cold) >= _FEW or len(beside) >= _FEW else finished


def _finding(confidence: float, why: str, cites: tuple[str, ...]) -> Finding:
    return Finding(
        cause=RootCause.DOWNSTREAM_SLOW,
        confidence=confidence,
        why=why,
        cites=tuple(dict.fromkeys(cites)),
        is_repairable=False,
    )


DOWNSTREAM_SLOW = Cause(
    label=RootCause.DOWNSTREAM_SLOW,
    signal=(
        "Invocations that succeed take twice as long as before or more, and the log's own figures "
        "show the time spent on a query, a call or a queue of somebody else's; or statements are "
        "cancelled because they took too long."
    ),
    proof=(
        "The time that others took grew by about as much as the invocation did, while memory and "
        "configuration stayed what they were."
    ),
    silence=(
        "The memory size changed or is full, the time went into the function's own work, first "
        "calls of new environments take as long as first calls do, the service throttles or "
        "refuses, or nothing in the log says where the time went."
    ),
    repair=None,
    runbook="downstream-slow",
    diagnose=_diagnose,
    explains=(
        RootCause.TIMEOUT_TOO_LOW,
        RootCause.DOWNSTREAM_UNAVAILABLE,
        RootCause.CPU_STARVED,
        RootCause.CODE_BUG,
        RootCause.FALSE_ALARM,
        RootCause.INSUFFICIENT_EVIDENCE,
        RootCause.UNKNOWN,
    ),
)
