"""What a model is shown of the evidence: bounded, and every piece under an id that it can cite.

Names of variables only, never a value or its digest. What strangers may have written (log lines,
their signatures, notes of changes) is kept apart from what AWS counted. An angle bracket in any
text is spelled as an escape, so that no text can end the block it stands in.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from autorepair.domain.evidence import Evidence, Invocation, LogLine, MetricSeries, RecentChange
from autorepair.domain.log_records import read_record
from autorepair.domain.log_text import plain_text

MOST_WORDS = 14_000
"""What strangers may have written, in bytes of UTF-8."""
MOST_FIGURES = 6_000
"""What AWS counted, invocations and metrics, in bytes of UTF-8."""
_MOST_SHARE_OF_SIGNATURES = 3_000
_MOST_SHARE_OF_CHANGES = 3_000
_HEAD, _TAIL = 420, 180
_LONGEST_NAME = 80
_LONGEST_LIST = 1_000
_MOST_POINTS = 8
_LAST_LINES = 4
_MOST_INVOCATIONS = 12
# What is not seen, or ends a line for some reader: text that hides from people is not for a model.
HIDDEN = re.compile(
    r"[\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x9f\u200b-\u200f\u2028-\u202e\u2060-\u206f\ufeff\U000e0000-\U000e007f]"
)
_VARYING = re.compile(r"[0-9a-f]{6,64}|\d{1,20}", re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class Exhibit:
    """One piece of evidence; ``cites`` is its id there, ``alias`` the short one that is shown."""

    alias: str
    cites: str
    is_words: bool
    """Whether strangers may have written it."""
    told: str


def exhibits(evidence: Evidence) -> tuple[Exhibit, ...]:
    """Choose what is shown, within the budgets: the telling first, then what there is room for."""
    changes = _within(_MOST_SHARE_OF_CHANGES, _numbered("C", _changes(evidence), is_words=True))
    kinds = _within(_MOST_SHARE_OF_SIGNATURES, _numbered("S", _signatures(evidence), is_words=True))
    left = MOST_WORDS - _length(changes) - _length(kinds)
    lines = _within(left, _numbered("L", _lines(evidence), is_words=True))
    metrics = _within(MOST_FIGURES // 2, _numbered("M", _metrics(evidence), is_words=False))
    calls = _numbered("I", _invocations(evidence), is_words=False)
    figures = (*metrics, *_within(MOST_FIGURES - _length(metrics), calls))
    return (*figures, *changes, *kinds, *lines)


def facts(evidence: Evidence) -> str:
    """Tell the function's configuration and surroundings as one bounded JSON object."""
    configuration, alarm = evidence.configuration, evidence.alarm
    return as_data(
        {
            "function": configuration.function_name,
            "runtime": configuration.runtime or configuration.package_type,
            "handler": configuration.handler,
            "architecture": configuration.architecture,
            "memory_mb": configuration.memory_mb,
            "timeout_s": configuration.timeout_s,
            "ephemeral_storage_mb": configuration.ephemeral_storage_mb,
            "reserved_concurrency": configuration.reserved_concurrency,
            "has_vpc": configuration.has_vpc,
            "layers": len(configuration.layers),
            "environment_names": _few(configuration.env_names),
            "declared_by_the_operator": _few(
                f"{v.name} ({_standing(matches=v.matches_current)})" for v in evidence.declared
            ),
            "alarm": f"{alarm.metric_name or alarm.kind} ({alarm.namespace})" if alarm else None,
            "invocations_seen": len(evidence.invocations),
            "failed": len(evidence.failures),
            "callers": _few(f"{c.kind}, waits {c.timeout_limit_s} s" for c in evidence.callers),
            "event_sources": _few(f"{s.kind}, {s.state}" for s in evidence.event_sources),
            "could_not_be_read": _few(gap.source for gap in evidence.gaps),
        }
    )


def as_data(value: Mapping[str, Any]) -> str:
    """Write JSON on one line; what is None is left out, and no angle bracket is left in."""
    known = {name: part for name, part in value.items() if part is not None}
    text = json.dumps(known, ensure_ascii=False, separators=(",", ":"), default=str)
    return HIDDEN.sub("\ufffd", text).replace("<", "\\u003c").replace(">", "\\u003e")


def size(text: str) -> int:
    """Give the bytes of a text in UTF-8, which follow its tokens better than its characters do."""
    return len(text.encode(errors="replace"))


def clipped(text: str, head: int = _HEAD, tail: int = _TAIL) -> str:
    """Keep a text's beginning, which says what it is, and its end, which says what caused it."""
    if len(text) <= head + tail:
        return text
    return f"{text[:head]} ... {text[len(text) - tail :]}"


_Piece = tuple[str, dict[str, Any]]


def _numbered(letter: str, pieces: Iterable[_Piece], *, is_words: bool) -> Iterator[Exhibit]:
    for number, (cites, body) in enumerate(pieces, start=1):
        alias = f"{letter}{number}"
        yield Exhibit(alias, cites, is_words, as_data({"id": alias, **body}))


def _within(budget: int, found: Iterable[Exhibit]) -> tuple[Exhibit, ...]:
    taken: list[Exhibit] = []
    for one in found:
        budget -= size(one.told) + 1
        if budget < 0:
            break
        taken.append(one)
    return tuple(taken)


def _length(taken: Sequence[Exhibit]) -> int:
    return sum(size(one.told) + 1 for one in taken)


def _few(names: Iterable[str]) -> list[str]:
    """Give the first of them, as many as fit."""
    taken: list[str] = []
    left = _LONGEST_LIST
    for name in names:
        left -= size(name[:_LONGEST_NAME]) + 3
        if left < 0:
            break
        taken.append(name[:_LONGEST_NAME])
    return taken


def _standing(*, matches: bool | None) -> str:
    return {True: "as declared", False: "not as declared", None: "not known"}[matches]


def _lines(evidence: Evidence) -> Iterator[_Piece]:
    """Give the lines of failures: the runtime's records first, each kind of words once."""
    failed = {i.request_id: i for i in evidence.failures}
    streams = {i.stream for i in evidence.failures}
    lines = [
        line
        for line in evidence.log_lines
        if line.request_id in failed or (line.request_id is None and line.stream in streams)
    ]
    pointed_at = {s.first_line_id for s in evidence.signatures}
    last = _last_of(lines)
    ordered = sorted(lines, key=lambda line: _rank(line, pointed_at, last))
    seen: set[str] = set()
    for line in ordered:
        text = plain_text(line.message)
        template = _VARYING.sub("#", text[: _HEAD + _TAIL])
        if template not in seen:
            seen.add(template)
            yield line.id, {"at": _clock(line), "request": line.request_id, "text": clipped(text)}


def _last_of(lines: Sequence[LogLine]) -> set[str]:
    """Give the ids of the last lines of each request."""
    by_request: dict[str | None, list[str]] = {}
    for line in lines:
        by_request.setdefault(line.request_id, []).append(line.id)
    return {one for ids in by_request.values() for one in ids[-_LAST_LINES:]}


def _rank(line: LogLine, pointed_at: set[str], last: set[str]) -> tuple[int, float]:
    kind = read_record(line.message).kind
    if line.id in pointed_at or kind in {"failure", "exit"}:
        place = 0
    elif kind in {"timed_out", "init_report"} or line.id in last:
        place = 1
    else:
        place = 2
    return place, -line.at.timestamp()


def _clock(line: LogLine) -> str:
    return line.at.strftime("%H:%M:%S")


def _signatures(evidence: Evidence) -> Iterator[_Piece]:
    kept = {line.id for line in evidence.log_lines}
    for one in evidence.signatures:
        if one.first_line_id not in kept:
            continue
        yield one.first_line_id, {"failures": one.count, "say": clipped(one.template)}


def _changes(evidence: Evidence) -> Iterator[_Piece]:
    for change in reversed(evidence.changes):
        yield change.id, _change(change)


def _change(change: RecentChange) -> dict[str, Any]:
    return {
        "changed_at": change.at.isoformat(timespec="seconds"),
        "event": change.event[:_LONGEST_NAME],
        "settings": _few(f"{s.name}: {s.before} -> {s.after}" for s in change.settings) or None,
        "variables": _few(f"{v.name} {v.kind}" for v in change.variables) or None,
        "alias": change.alias,
        "note": clipped(change.note) or None,
    }


def _metrics(evidence: Evidence) -> Iterator[_Piece]:
    for series in evidence.metrics:
        if series.points:
            yield series.id, _metric(series)


def _metric(series: MetricSeries) -> dict[str, Any]:
    values = [value for _, value in series.points]
    return {
        "metric": f"{series.namespace[:_LONGEST_NAME]} {series.metric_name[:_LONGEST_NAME]}",
        "statistic": series.statistic,
        "period_s": series.period_s,
        "least": min(values),
        "most": max(values),
        "latest": [round(value, 3) for value in values[-_MOST_POINTS:]],
    }


def _invocations(evidence: Evidence) -> Iterator[_Piece]:
    """Give the failures, first and last, and some that went well beside them."""
    failed = [i for i in evidence.failures if i.report_id]
    well = [i for i in evidence.invocations if i.status == "success" and i.report_id]
    third = _MOST_INVOCATIONS // 3
    chosen = [*failed[:third], *failed[third:][-third:], *well[-third:]]
    for one in chosen:
        yield one.report_id or "", _invocation(one)


def _invocation(one: Invocation) -> dict[str, Any]:
    return {
        "request": one.request_id,
        "version": one.version,
        "status": one.status,
        "duration_ms": one.duration_ms,
        "memory_mb": one.memory_mb,
        "most_used_mb": one.max_memory_used_mb,
        "init_ms": one.init_ms,
        "error_type": one.error_type[:_LONGEST_NAME] if one.error_type else None,
    }
