"""Another service that answers, but slower and slower."""

from __future__ import annotations

from autorepair.causes.cause import Cause
from autorepair.causes.limits import reports_of, share_of_failures, time_outs, weighed_down
from autorepair.causes.outcries import outcry_of
from autorepair.causes.spent_time import Rise, SpentTime, rise_of
from autorepair.causes.troubles import Trouble, said_in
from autorepair.causes.witnesses import latest
from autorepair.causes.wording import lowered, wording
from autorepair.domain.diagnosis import Finding, RootCause
from autorepair.domain.evidence import Evidence, Invocation, LogLine

_LEAST_SHARE = 0.5
_FEW = 3
# Of the time that the invocations take longer, this much at least has to be others'.
_MOST_OF_THE_RISE = 0.45
_IN_STEP = 0.5
_LEAST_IMPATIENT = 0.3
_PATIENCE = (Trouble.NO_ANSWER, Trouble.OVERDUE)
_OTHER_REASONS = (Trouble.THROTTLED, Trouble.EXHAUSTED, Trouble.UNREACHABLE)
# With less of a processor everything is slower, and other code may simply ask for more.
_MEMORY = frozenset({"memory_mb", "layers", "runtime", "architecture"})
_CODE = frozenset({"code_sha256", "function_version"})
_LATE = wording(
    r"\bslow\b|still (?:running|waiting|pending|queued)|queued|latency|lagging|took (?:too )?long"
    r"|taking longer|degraded|backlog|\bRUNNING\b|PENDING|retrying|慢"
)


def _diagnose(evidence: Evidence) -> Finding | None:
    return _rising(evidence) or _overdue(evidence) or _cut_while_waiting(evidence)


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
    if _has_more_to_do(spent, rise):
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


def _has_more_to_do(spent: SpentTime, rise: Rise) -> bool:
    """Whether the work grew about as much as its duration: then nobody became slower."""
    before, after = spent.typical_work(rise.before), spent.typical_work(rise.after)
    return before > 0 and after / before >= _IN_STEP * rise.after_ms / rise.before_ms


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
    swift = tuple(i for i in evidence.invocations if i.status == "success")
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
        "The memory size changed or is full, the time went into the function's own work, the "
        "service throttles or refuses, or nothing in the log says where the time went."
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
