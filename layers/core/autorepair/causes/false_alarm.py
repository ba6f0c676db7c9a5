"""Alarms that went off though the function is well."""

from __future__ import annotations

import re
from datetime import datetime, timedelta
from statistics import mean, median

from autorepair.causes.cause import Cause, Reach
from autorepair.causes.limits import timeout_ms
from autorepair.causes.piecework import is_more_of_the_same
from autorepair.causes.recursion import grows
from autorepair.causes.witnesses import words_of
from autorepair.domain.diagnosis import Finding, RootCause
from autorepair.domain.evidence import Evidence, LogLine, MetricSeries
from autorepair.domain.incident import Alarm
from autorepair.domain.log_records import read_record

_SURE = 0.85
_LIKELY = 0.75
_LEANING = 0.65
# Durations that grew by less than this are the durations of before.
_SAME = 1.5
# Work that stays below this share of the timeout is in no danger of being cut.
_FAR_FROM_CUT = 0.5
_NEARLY_FULL = 0.9
_FEW = 3
# Trouble in more of the calls is none that one gets used to.
_NOW_AND_THEN = 0.3
_SHORTLY = timedelta(minutes=5)
# Traffic that multiplies minute by minute for so long is nobody's visit.
_LONG_GROWTH, _MANIFOLD = 9, 8.0

# CloudWatch's own words; who sets a state by hand writes what he likes.
_OWN_WORDS = re.compile(
    r"(?i)thresholds? crossed|transitioned to ALARM|insufficient data|unchecked"
)
_MISSING = re.compile(
    r"(?i)no datapoints were received|missing datapoints? (?:was|were) treated as \[breaching\]"
)
# What a function says of trouble that its caller never hears of.
_TROUBLE = re.compile(
    r"(?i)(?<![\w=])(?:error|fatal|critical|exception|traceback|panic|failed|failure|denied"
    r"|timed? ?out|refused|retry(?:ing)?|throttl\w{0,6}|dropped|recursi\w{1,8})\b"
    r"|\b[a-z]\w{1,60}(?:Exception|Error)(?:\b|:)"
    r"|\b(?:GET|POST|PUT|PATCH|DELETE) \S{1,200} 5\d\d\b"
    r"|status(?:[ _-]?code)?[\"']?\s?[=:]\s?[\"']?5\d\d\b"
)
_NO_TROUBLE = re.compile(
    r"(?i)(?:\b(?:no|0|zero|without) (?:error|failure|exception|retries|failed)\w{0,3}"
    r"|(?:error|failure|failed|retries|exception|denied|dropped|refused|rejected|time-?outs?"
    r"|throttle[sd]?)s?(?: count| total)?\"?\s?[=: ]\s?(?:0|none|null|false|\[\])(?![\d.])"
    r"|(?:error|exception|failure)s? (?:handler|reporter|boundary|middleware|tracking|page)s?\b)"
)
# A caller's own mistake, told to him, or his leaving: the function did what it is for.
_HARMLESS = re.compile(
    r"(?i)(?:respond|return|repl(?:y|i)|answer|reject)\w{0,5} (?:with )?(?:HTTP )?"
    r"4(?:00|04|09|10|22)\b"
    r"|\bstatus(?:[ _-]?code)?[\"']?\s?[=:]\s?[\"']?4(?:00|04|09|10|22)\b"
    r"|\((?:as )?(?:expected|ignored|harmless|benign)\)|\bsafely ignored"
    r"|\bclosed by (?:the )?client|\bclient (?:closed|disconnected|went away|hung up)"
)
# What a filter on the log counts, by the name that it was given.
_OF_TROUBLE = re.compile(
    r"(?i)err(?:or|s\b)|exception|fail|fatal|warn|panic|trouble|crash|fault|timeout|reject|retr(?:y|ies)"
    r"|duration|latency|memory|heap|throttl|[45]xx|dead.?letter|dlq"
)
_TRAFFIC = frozenset({"Invocations", "ConcurrentExecutions", "ClaimedAccountConcurrency"})
_TIMES = frozenset({"Duration", "PostRuntimeExtensionsDuration"})
_ALARM_EVENTS = ("PutMetricAlarm", "SetAlarmState", "PutAnomalyDetector", "PutCompositeAlarm")


def _diagnose(evidence: Evidence) -> Finding | None:
    alarm = evidence.alarm
    if alarm is None or not _counts(evidence) or not _is_well(evidence):
        return None
    for way in (_set_by_hand, _missing_data, _busy, _slow_as_ever, _more_to_do, _something_else):
        finding = way(evidence, alarm)
        if finding is not None:
            return finding
    return None


def _is_well(evidence: Evidence) -> bool:
    """Whether nobody was turned away, and nothing failed or came near a limit."""
    if evidence.failures or _has_log_gap(evidence) or evidence.configuration.state == "Failed":
        return False
    if grows(evidence, minutes=_LONG_GROWTH, times=_MANIFOLD):
        return False
    turned_away = ("Errors", "Throttles", "DeadLetterErrors", "RecursiveInvocationsDropped",
                   "AsyncEventsDropped", "DestinationDeliveryFailures")  # fmt: skip
    if any(_total(evidence, name) for name in turned_away):
        return False
    memory = [
        i.max_memory_used_mb / i.memory_mb
        for i in evidence.invocations
        if i.memory_mb and i.max_memory_used_mb is not None
    ]
    return not memory or median(memory) < _NEARLY_FULL


def _has_log_gap(evidence: Evidence) -> bool:
    return any(gap.source.startswith(("log", "metric")) for gap in evidence.gaps)


def _total(evidence: Evidence, name: str) -> float:
    series = evidence.metric(name, "Sum")
    return sum(value for _, value in series.points) if series is not None else 0.0


def _set_by_hand(evidence: Evidence, alarm: Alarm) -> Finding | None:
    is_written = any(change.event.startswith("SetAlarmState") for change in evidence.changes)
    if not is_written and (not alarm.reason.strip() or _OWN_WORDS.search(alarm.reason)):
        return None
    return _finding(
        evidence,
        _SURE,
        "the alarm's reason is not CloudWatch's own, so its state was set by hand (a test of the "
        "alarm), and the function is well",
    )


def _missing_data(evidence: Evidence, alarm: Alarm) -> Finding | None:
    if not _MISSING.search(alarm.reason):
        return None
    return _finding(
        evidence,
        _SURE,
        "the alarm went off because there was no data and missing data counts as breaching; the "
        "calls there were went well, so nothing was called, or it runs more rarely than the alarm "
        "looks",
    )


def _busy(evidence: Evidence, alarm: Alarm) -> Finding | None:
    """More, or less, traffic than the alarm expects, which the function serves as ever."""
    if alarm.metric_name not in _TRAFFIC or not _is_steady(evidence):
        return None
    if _is_near_cut(evidence) or _has_new_trouble(evidence, alarm):
        return None
    return _finding(
        evidence,
        _SURE if alarm.kind == "anomaly" else _LIKELY,
        "the traffic is outside of what the alarm expects, and the function serves it as ever: no "
        "error, no throttle, and the durations are those of before",
    )


def _slow_as_ever(evidence: Evidence, alarm: Alarm) -> Finding | None:
    """A threshold on durations that are what they always were, far from the timeout."""
    if alarm.metric_name not in _TIMES or _is_near_cut(evidence) or _has_trouble(evidence):
        return None
    if not _is_steady(evidence):
        return None
    return _finding(
        evidence,
        _LIKELY,
        "the durations are what they were before and stay far from the timeout of "
        f"{evidence.configuration.timeout_s} s: it is the alarm's threshold that does not fit",
    )


def _more_to_do(evidence: Evidence, alarm: Alarm) -> Finding | None:
    """A longer run that did more, each piece as fast as ever, and stays far from the timeout."""
    if alarm.metric_name not in _TIMES or _has_trouble(evidence):
        return None
    series = evidence.metric("Duration", "Maximum")
    if series is None or not is_more_of_the_same(evidence, _breach_from(alarm, series)):
        return None
    if _longest_ms(evidence) > _FAR_FROM_CUT * timeout_ms(evidence):
        return None
    return _finding(
        evidence,
        _LIKELY,
        "there was more to do than usual, each piece took as long as ever by the log's own count, "
        f"and the timeout of {evidence.configuration.timeout_s} s is far away",
    )


def _something_else(evidence: Evidence, alarm: Alarm) -> Finding | None:
    """Any other alarm, where neither the metrics nor the log know of any trouble."""
    was_edited = any(change.event.startswith(_ALARM_EVENTS) for change in evidence.changes)
    if _is_about_business(alarm) and not was_edited:
        return None
    if _has_trouble(evidence) or _is_near_cut(evidence):
        return None
    if not _is_steady(evidence) or _is_behind(evidence):
        return None
    why = "the alarm was changed shortly before, and " if was_edited else ""
    return _finding(
        evidence,
        _LIKELY if was_edited or alarm.metric_name in {"Errors", "Throttles"} else _LEANING,
        f"{why}neither the metrics nor the log of the function know of any trouble: no error, no "
        "throttle, durations as before",
    )


def _is_about_business(alarm: Alarm) -> bool:
    """Whether a metric of the operator's own counts something else than trouble.

    Fewer orders, say, may well be true, and the reason lie elsewhere: that this function is well
    does not make it a false alarm.
    """
    is_own = alarm.namespace is not None and not alarm.namespace.startswith("AWS/")
    return is_own and _OF_TROUBLE.search(alarm.metric_name or "") is None


def _counts(evidence: Evidence) -> bool:
    """Whether Lambda's own counts are there, without which silence says nothing."""
    return all(evidence.metric(name, "Sum") is not None for name in ("Errors", "Throttles"))


def _is_steady(evidence: Evidence) -> bool:
    """Whether the durations around the alarm are those of before."""
    series = evidence.metric("Duration", "Average") or evidence.metric("Duration", "Maximum")
    alarm = evidence.alarm
    if series is None or alarm is None:
        return True
    since = _breach_from(alarm, series)
    before = [value for at, value in series.points if at < since]
    lately = [value for at, value in series.points if at >= since]
    if not before or not lately:
        return _is_level([value for _, value in series.points])
    return median(lately) <= _SAME * median(before) and _is_level([*before, *lately])


def _breach_from(alarm: Alarm, series: MetricSeries) -> datetime:
    return alarm.evaluated_from or alarm.changed_at - timedelta(seconds=5 * series.period_s)


def _is_level(values: list[float]) -> bool:
    """Whether the last third of the values is no higher than the first."""
    third = len(values) // 3
    return third == 0 or median(values[-third:]) <= _SAME * median(values[:third])


def _is_near_cut(evidence: Evidence) -> bool:
    return _longest_ms(evidence) > _NEARLY_FULL * timeout_ms(evidence)


def _longest_ms(evidence: Evidence) -> float:
    """Give the longest duration, by the metrics or by the log."""
    series = evidence.metric("Duration", "Maximum")
    longest = max((value for _, value in series.points), default=0.0) if series else 0.0
    logged = max((i.duration_ms or 0.0 for i in evidence.invocations), default=0.0)
    return max(longest, logged)


def _is_behind(evidence: Evidence) -> bool:
    """Whether a queue or stream that it reads grows old, or a dead-letter queue fills."""
    names = ("IteratorAge", "OffsetLag", "ApproximateAgeOfOldestMessage",
             "ApproximateNumberOfMessagesVisible", "NumberOfMessagesSent")  # fmt: skip
    series = [m for m in evidence.metrics if m.metric_name in names and len(m.points) > _FEW]
    return any(m.points[-1][1] > 2 * max(1.0, m.points[0][1]) for m in series)


def _has_trouble(evidence: Evidence) -> bool:
    """Whether the function speaks of trouble that its caller never hears of."""
    return any(_tells_of_trouble(line) for line in evidence.log_lines)


def _has_new_trouble(evidence: Evidence, alarm: Alarm) -> bool:
    """Whether it speaks of trouble, and did not do so now and then before the alarm's time."""
    troubled = {line.request_id for line in evidence.log_lines if _tells_of_trouble(line)}
    since = alarm.evaluated_from or alarm.changed_at - _SHORTLY
    before = [i.request_id in troubled for i in evidence.invocations if i.started_at < since]
    lately = [i.request_id in troubled for i in evidence.invocations if i.started_at >= since]
    if not _FEW <= sum(before) <= _NOW_AND_THEN * len(before):
        return bool(troubled)
    # By chance one more falls into the short time of the alarm.
    return sum(lately) > _SAME * len(lately) * mean(before) + 1


def _tells_of_trouble(line: LogLine) -> bool:
    if line.request_id is None or read_record(line.message).kind != "speech":
        return False
    words = words_of(line)
    return bool(_TROUBLE.search(_NO_TROUBLE.sub(" ", words))) and not _HARMLESS.search(words)


def _finding(evidence: Evidence, confidence: float, why: str) -> Finding:
    metrics = ("Errors", "Throttles", "Invocations", "Duration")
    cites = tuple(m.id for m in evidence.metrics if m.metric_name in metrics)
    reports = tuple(i.report_id for i in evidence.invocations if i.report_id is not None)
    return Finding(
        cause=RootCause.FALSE_ALARM,
        confidence=confidence,
        why=why,
        cites=(*cites[:5], *reports[-2:]),
        is_repairable=False,
    )


FALSE_ALARM = Cause(
    label=RootCause.FALSE_ALARM,
    signal=(
        "An alarm, and neither an error nor a throttle nor a duration that changed: a peak beyond "
        "a learned band, more to do at the usual pace, missing data counted as breaching, a "
        "threshold that never fitted, a state set by hand."
    ),
    proof=(
        "Lambda's own counts say that everybody was served, as fast as before; the alarm's reason "
        "says why it went off all the same."
    ),
    silence=(
        "A call failed or was throttled, durations grew, memory is full, a queue grows old, the "
        "log speaks of trouble that the caller never hears of, or one of these could not be read."
    ),
    repair=None,
    runbook="false-alarm",
    diagnose=_diagnose,
    # Work that nobody has to wait longer for than before is not short of anything.
    explains=(RootCause.CPU_STARVED, RootCause.TIMEOUT_TOO_LOW, RootCause.MEMORY_EXHAUSTED),
    reach=Reach.ABSENCE,
)
