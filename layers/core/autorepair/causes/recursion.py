"""Recursion: a function that sets itself off again through a queue, a bucket or a table."""

from __future__ import annotations

import re
from itertools import pairwise
from statistics import median

from autorepair.causes.cause import Cause
from autorepair.causes.witnesses import words_of
from autorepair.domain.diagnosis import Finding, RootCause
from autorepair.domain.evidence import Evidence, LogLine

# Lambda's own word for it, as the SDKs print it.
_TOLD = re.compile(
    r"RecursiveInvocationException|(?:invoked|running|detected) in a recursive loop"
    r"|[Rr]ecursive (?:loop|invocation)s? (?:was |were )?(?:detected|dropped|stopped)"
)
# A count that goes up with each turn of the loop.
_TURN = re.compile(
    r"\b(?:hops?|depth|generation|recursion|loop|iteration|turn|requeue[sd]?|bounce)\w{0,8}"
    r"[\"']?\s?[=:#]{1,2}\s?[\"']?(\d{1,6})\b",
    re.IGNORECASE,
)
# What is sent or written, and the name of where to: compared with what the function listens to.
_SENDS = re.compile(
    r"\b(?:re-?queue[ds]?|re-?publish\w{0,3}|re-?send\w{0,3}|re-?enqueue[ds]?|sen[dt]\w{0,3}"
    r"|publish\w{0,3}|enqueue[ds]?|put|wrote|writ\w{1,4}|upload\w{0,3}|copied|sav\w{1,4}|emit\w{0,4}"
    r"|stored?|created?|updat\w{1,3})(?:\b|_)",
    re.IGNORECASE,
)
_AGAIN = re.compile(
    r"\b(?:back (?:to|in(?:to)?|on(?:to)?)|same (?:queue|bucket|topic|table|prefix|stream)"
    r"|own (?:queue|bucket|topic|table|source)|source (?:queue|bucket|topic|table)|itself"
    r"|re-?queue[ds]?|re-?enqueue[ds]?|re-?publish(?:ed|ing)?)\b",
    re.IGNORECASE,
)
# A path or a name that has grown by the same piece again and again.
_NESTED = re.compile(r"([A-Za-z0-9._-]{2,40}[/_-])\1{2,}")
# A change of a record as a stream tells it, or a write of one, each with its key and a count.
_RECORD = re.compile(
    r"\b(?:(INSERT|MODIFY)|(?:update|put|write|save|upsert)(?:d|s|_?item)?|wrote)\b[ :]{1,2}"
    r"(\S{2,80}) (\w{2,40})=(\d{1,9})\b",
    re.IGNORECASE,
)
_FEWEST_MINUTES = 6
_LEAST_GROWTH = 4.0
_LEAST_RISES = 0.7
_HIGH_TURN = 3
# Lambda lets sixteen turns pass where it can count them; a count beyond is a loop's.
_FAR_UP, _LEAST_UP = 16, 0.8
_LEAST_LINES = 3
_LEAST_DEPTHS = 2
_SHORTEST_NAME = 3
_COLONS_BEFORE_NAME = 5
_LINES_LOOKED_AT = 2000
_TRAFFIC_ALARMS = frozenset({"Invocations", "ConcurrentExecutions", "Throttles"})


def _diagnose(evidence: Evidence) -> Finding | None:
    dropped = evidence.metric("RecursiveInvocationsDropped", "Sum")
    count = sum(value for _, value in dropped.points) if dropped else 0.0
    own_words = _lines_of_a_loop(evidence)
    if dropped is not None and count > 0:
        return _finding(
            0.95,
            f"Lambda stopped {count:.0f} invocations because they were part of a recursive loop",
            (dropped.id, *(line.id for line in own_words[-2:])),
        )
    told = [line for line in evidence.log_lines if _TOLD.search(words_of(line))]
    failed = {i.request_id for i in evidence.failures}
    if any(line.request_id in failed for line in told):
        why = "the failures say that Lambda stopped a recursive loop"
        return _finding(0.85, why, tuple(line.id for line in told[-3:]))
    if not _is_about_traffic(evidence):
        return None
    if (written := _written_back(evidence)) is not None:
        return _finding(
            0.82,
            "the invocations multiply, and what the function writes to a record (a count that it "
            "raises) comes back to it in the change of that very record",
            written,
        )
    return _of_traffic(evidence, own_words) if own_words else None


def _of_traffic(evidence: Evidence, own_words: list[LogLine]) -> Finding | None:
    """Conclude from traffic that stands out and from lines that show a way back."""
    if (deepening := _deepening(evidence)) is not None:
        return _finding(
            0.85,
            "what sets the function off carries the marks of its own output, one more with each "
            "turn",
            deepening,
        )
    if (counted := _counted_up(evidence)) is not None:
        return _finding(
            0.8,
            "the count of the turns goes up from invocation to invocation: each one's output sets "
            "off the next",
            counted,
        )
    if not grows(evidence) or len(own_words) < _LEAST_LINES:
        return None
    return _finding(
        0.82,
        "the invocations multiply minute by minute, and the log shows the function feeding what "
        "sets it off",
        tuple(line.id for line in own_words[-3:]),
    )


def grows(
    evidence: Evidence, *, minutes: int = _FEWEST_MINUTES, times: float = _LEAST_GROWTH
) -> bool:
    """Whether invocations and throttles together rise nearly every minute, and manifold in all.

    Exponential growth up to the end is what a loop does that sends more than it takes; a peak of
    visitors rises by a step, levels off, or falls again in between.
    """
    series = evidence.metric("Invocations", "Sum")
    if series is None:
        return False
    throttles = evidence.metric("Throttles", "Sum")
    refused = dict(throttles.points) if throttles else {}
    values = [value + refused.get(at, 0.0) for at, value in series.points]
    # The newest minute may not be counted to its end yet.
    values = values[:-1] if len(values) > minutes else values
    peak = max(range(len(values)), key=values.__getitem__, default=0)
    start = peak
    while start > 0 and min(values[max(0, start - 2) : start]) < values[start]:
        start -= 1
    rising = values[start : peak + 1]
    if len(rising) < minutes:
        return False
    rises = sum(later > earlier for earlier, later in pairwise(rising))
    is_steady = rises >= _LEAST_RISES * (len(rising) - 1)
    return is_steady and values[peak] >= times * max(1.0, rising[0])


def _is_about_traffic(evidence: Evidence) -> bool:
    """Whether the traffic is what stands out: by the alarm, or by its growth."""
    alarm = evidence.alarm.metric_name if evidence.alarm else None
    if alarm in _TRAFFIC_ALARMS:
        return True
    series = evidence.metric("Invocations", "Sum")
    values = [value for _, value in series.points] if series else []
    quarter = len(values) // 4
    return quarter > 0 and max(values) >= _LEAST_GROWTH * max(1.0, median(values[:quarter]))


def _deepening(evidence: Evidence) -> tuple[str, ...] | None:
    """Give lines in which a name grows by the same piece, turn by turn; None where none do."""
    deep: dict[str, LogLine] = {}
    depths: list[int] = []
    for line in evidence.log_lines[-_LINES_LOOKED_AT:]:
        match = _NESTED.search(words_of(line)[:1000])
        if match is not None and line.request_id is not None:
            deep[line.request_id] = line
            depths.append(len(match[0]) // len(match[1]))
    if len(deep) < _LEAST_LINES or len(set(depths)) < _LEAST_DEPTHS:
        return None
    return tuple(line.id for line in list(deep.values())[-3:])


def _counted_up(evidence: Evidence) -> tuple[str, ...] | None:
    """Give lines in which the turns are counted, ever higher and far up; None where none do."""
    turns = [
        (line, int(match[1]))
        for line in evidence.log_lines[-_LINES_LOOKED_AT:]
        if line.request_id is not None and (match := _TURN.search(line.message[:1000]))
    ]
    counts = [count for _, count in turns]
    if len(counts) < _FEWEST_MINUTES or max(counts) < _FAR_UP:
        return None
    up = sum(later >= earlier for earlier, later in pairwise(counts))
    if up < _LEAST_UP * (len(counts) - 1) or counts[-1] < _LEAST_GROWTH * max(1, counts[0]):
        return None
    return tuple(line.id for line, _ in turns[-3:])


def _written_back(evidence: Evidence) -> tuple[str, ...] | None:
    """Give writes of the very record, and count, that a table's stream called the function for.

    One more than what came, in the same field of the same key, while the traffic grows; and the
    same keys come again and again. None where the source is no table, or there are too few.
    """
    sources = [source.source for source in evidence.event_sources]
    if not any(":table/" in arn for arn in sources) or not grows(evidence):
        return None
    came: dict[str, tuple[str, str, int]] = {}
    written: list[tuple[LogLine, str]] = []
    for line in evidence.log_lines[-_LINES_LOOKED_AT:]:
        match = _RECORD.search(words_of(line)[:1000])
        if match is None or line.request_id is None:
            continue
        if match[1] is not None:
            came[line.request_id] = (match[2], match[3], int(match[4]))
        elif came.get(line.request_id) == (match[2], match[3], int(match[4]) - 1):
            written.append((line, match[2]))
    if len(written) < _FEWEST_MINUTES or 2 * len({key for _, key in written}) > len(written):
        return None
    return tuple(line.id for line, _ in written[-3:])


def _lines_of_a_loop(evidence: Evidence) -> list[LogLine]:
    """Give the lines that show output going back to the source, or the turns being counted."""
    names = _sources(evidence)
    return [line for line in evidence.log_lines[-_LINES_LOOKED_AT:] if _is_of_a_loop(line, names)]


def _is_of_a_loop(line: LogLine, sources: tuple[str, ...]) -> bool:
    text = words_of(line)[:1000]
    turn = _TURN.search(line.message[:1000])
    if turn and int(turn[1]) >= _HIGH_TURN:
        return True
    if _NESTED.search(text):
        return True
    if not _SENDS.search(text):
        return False
    return bool(_AGAIN.search(text)) or any(name in text for name in sources)


def _sources(evidence: Evidence) -> tuple[str, ...]:
    """Give the names of the queues, streams and buckets that the function listens to."""
    arns = [source.source for source in evidence.event_sources]
    arns += [c.source for c in evidence.callers if c.kind in {"sqs", "sns", "s3", "dynamodb"}]
    names = (_name_in(arn) for arn in arns if arn.startswith("arn:"))
    return tuple(name for name in names if len(name) >= _SHORTEST_NAME)


def _name_in(arn: str) -> str:
    """Give the name of a queue, bucket or topic, or of the table or stream in "table/NAME/..."."""
    parts = arn.split(":", _COLONS_BEFORE_NAME)[-1].split("/")
    return parts[1] if parts[0] in {"table", "stream"} and len(parts) > 1 else parts[0]


def _finding(confidence: float, why: str, cites: tuple[str, ...]) -> Finding:
    return Finding(
        cause=RootCause.RECURSIVE_LOOP,
        confidence=confidence,
        why=f"{why}: the way back has to be cut, and no setting of the function does that",
        cites=tuple(dict.fromkeys(cites)),
        is_repairable=False,
    )


RECURSIVE_LOOP = Cause(
    label=RootCause.RECURSIVE_LOOP,
    signal=(
        "RecursiveInvocationsDropped above zero, Lambda's RecursiveInvocationException, or "
        "invocations that multiply minute by minute while the log shows output going back to the "
        "function's own source, or a count that it raises in the change of the very record."
    ),
    proof=(
        "Lambda counts how often one event comes round through SQS, SNS, S3 or Lambda and drops it "
        "at the sixteenth turn; elsewhere only a function that feeds itself grows like this."
    ),
    silence=(
        "Traffic rises by a step or with the time of day, or the log shows nothing of a way back."
    ),
    repair=None,
    runbook="recursive-loop",
    diagnose=_diagnose,
    explains=(
        RootCause.CONCURRENCY_LIMITED,
        RootCause.FALSE_ALARM,
        RootCause.CODE_BUG,
        RootCause.DOWNSTREAM_THROTTLED,
        RootCause.INSUFFICIENT_EVIDENCE,
        RootCause.UNKNOWN,
    ),
)
