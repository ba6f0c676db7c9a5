"""Starting: cold starts that do not finish in the time Lambda gives them."""

from __future__ import annotations

import re
from collections import Counter
from dataclasses import dataclass
from datetime import datetime, timedelta

from autorepair.causes.cause import Cause
from autorepair.causes.limits import (
    has_present_size,
    memory_share,
    reports_of,
    share_of_failures,
    timeout_ms,
    weighed_down,
)
from autorepair.causes.processor import (
    FULL_PROCESSOR_MB,
    is_busy,
    is_heavy,
    is_of_others,
    processor_size_mb,
)
from autorepair.causes.starvation import lowered_memory
from autorepair.causes.witnesses import words_of
from autorepair.domain.change import RepairKind
from autorepair.domain.diagnosis import Finding, MemoryNeed, RootCause
from autorepair.domain.evidence import Evidence, Invocation, LogLine
from autorepair.domain.log_records import parsed_object, read_record

# The init phase and a restore hook have 10 seconds each (Lambda developer guide, execution
# environment lifecycle); an init that is repeated within the invocation has the function's timeout.
_INIT_LIMIT_MS = 10_000.0
_TEXT_REPORT = re.compile(
    r"(INIT|RESTORE)_REPORT (?:Init|Restore) Duration: (\d{1,9}(?:\.\d{1,6})?) ms"
    r"[^\0]{0,200}?Status: timeout"
)
_REPEATED = re.compile(r"Phase: invoke\b|\"phase\": ?\"invoke\"")
_HEAD = 500
_RESTORE_TYPES = frozenset({"SnapStartTimeoutException", "Runtime.SnapStartTimeout"})
_BEFORE = timedelta(seconds=30)
_AFTER = timedelta(seconds=5)
_LEAST_SHARE = 0.5
_MOST = 0.6
_FULL = 0.97
_NEAR_LIMIT = 0.7
_FEWEST_STEPS = 2
_BEYOND_CUT = 1.5
_TROUBLE = re.compile(
    r"ECONN\w{1,10}|ETIMEDOUT|ENOTFOUND|EAI_AGAIN|[Tt]imed? ?out|[Uu]nreachable|refused|[Rr]etry"
    r"|UnknownHost|name resolution|SSL|certificate"
)


@dataclass(frozen=True, slots=True)
class _Start:
    """One cold start that was cut, by the platform's own line; ``stream`` is its environment."""

    line: LogLine
    is_restore: bool
    lasted_ms: float

    @property
    def began_at(self) -> datetime:
        return self.line.at - timedelta(milliseconds=self.lasted_ms)

    @property
    def is_repeated(self) -> bool:
        """Whether it was a start made again within the invocation, after the first was cut."""
        return _REPEATED.search(self.line.message[:_HEAD]) is not None


def _diagnose(evidence: Evidence) -> Finding | None:
    starts = _cut_starts(evidence)
    failed = _explained(evidence, starts)
    if not failed and (not starts or evidence.failures or not _is_about_time(evidence)):
        return None
    share = share_of_failures(evidence, len(failed))
    if share < _LEAST_SHARE or _is_memory_full(evidence, failed):
        return None
    if any(start.is_restore for start in starts) or any(_is_restore(i) for i in failed):
        return _of_restore(starts, failed, share)
    confidence, reason, need = _reading(evidence, starts)
    why = (
        f"{_count(starts)} cold starts were cut at the 10 s that Lambda gives to them (and again "
        f"within the invocation, by the function's timeout): {reason}"
    )
    return Finding(
        cause=RootCause.INIT_TIMEOUT,
        confidence=weighed_down(confidence if failed else 0.65, share),
        why=why,
        cites=_cites(starts, failed),
        need=need,
        is_repairable=need is not None,
    )


def cut_while_starting(evidence: Evidence) -> tuple[Invocation, ...]:
    """Give the failures whose environment, by the platform's own lines, did not start in time."""
    return _explained(evidence, _cut_starts(evidence))


def _of_restore(starts: list[_Start], failed: tuple[Invocation, ...], share: float) -> Finding:
    return Finding(
        cause=RootCause.INIT_TIMEOUT,
        confidence=weighed_down(0.9, share),
        why=(
            f"{max(len(failed), len(starts))} restores of a snapshot were cut at the fixed limit "
            "of 10 s in a hook of the function's own, which neither the timeout nor memory moves"
        ),
        cites=_cites(starts, failed),
        is_repairable=False,
    )


def _cut_starts(evidence: Evidence) -> list[_Start]:
    """Find the platform's lines about cut cold starts; one inside an invocation was forged."""
    begins, ends = _brackets(evidence)
    found = []
    for place, line in enumerate(evidence.log_lines):
        start = _read_start(line)
        owner = line.request_id or ""
        is_inside = begins.get(owner, place) < place < ends.get(owner, place)
        if start is not None and not is_inside:
            found.append(start)
    return found


def _count(starts: list[_Start]) -> int:
    """Count the cold starts: one that is made again within the invocation is the same one."""
    first = Counter(start.line.stream for start in starts if not start.is_repeated)
    again = Counter(start.line.stream for start in starts if start.is_repeated)
    return (first | again).total()


def _brackets(evidence: Evidence) -> tuple[dict[str, int], dict[str, int]]:
    """Give the places of each invocation's START and REPORT among the lines."""
    begins: dict[str, int] = {}
    places: dict[str, int] = {}
    for place, line in enumerate(evidence.log_lines):
        places[line.id] = place
        owner = line.request_id
        if owner is not None and owner not in begins and read_record(line.message).kind == "start":
            begins[owner] = place
    last = len(evidence.log_lines)
    ends = {i.request_id: places.get(i.report_id or "", last) for i in evidence.invocations}
    return begins, ends


def _read_start(line: LogLine) -> _Start | None:
    if line.message.startswith("{"):
        return _read_object(line)
    match = _TEXT_REPORT.match(line.message)
    if match is None:
        return None
    return _Start(line, match[1] == "RESTORE", float(match[2]))


def _read_object(line: LogLine) -> _Start | None:
    record = read_record(line.message)
    if record.kind != "init_report" or record.status != "timeout":
        return None
    value = parsed_object(line.message) or {}
    return _Start(
        line, value.get("type") == "platform.restoreReport", record.init_ms or _INIT_LIMIT_MS
    )


def _is_about_time(evidence: Evidence) -> bool:
    return evidence.alarm is not None and evidence.alarm.metric_name in {"Duration", None}


def _explained(evidence: Evidence, starts: list[_Start]) -> tuple[Invocation, ...]:
    """Give the failures that follow, or contain, a cut cold start of the same environment."""
    return tuple(
        i
        for i in evidence.failures
        if _is_restore(i)
        or any(
            start.line.stream == i.stream
            and i.started_at - _BEFORE
            <= start.line.at
            <= i.started_at + timedelta(milliseconds=i.duration_ms or 0.0) + _AFTER
            for start in starts
        )
    )


def _is_restore(invocation: Invocation) -> bool:
    return invocation.error_type in _RESTORE_TYPES


def _is_memory_full(evidence: Evidence, failed: tuple[Invocation, ...]) -> bool:
    full = [
        i for i in failed if (memory_share(i) or 0.0) >= _FULL and has_present_size(evidence, i)
    ]
    return bool(failed) and len(full) >= _MOST * len(failed)


def _reading(evidence: Evidence, starts: list[_Start]) -> tuple[float, str, MemoryNeed | None]:
    """Tell a start that is short of processor from one that hangs, by its own words.

    Gives the confidence, the reason, and the memory that would help; None where none would.
    """
    size = evidence.configuration.memory_mb
    spoken = [words for start in starts if (words := _words_of(evidence, start))]
    if spoken and sum(_is_stuck(lines) for lines in spoken) >= _MOST * len(spoken):
        return 0.8, "the last that is heard of them is a call to somebody else, so they hang", None
    if size >= FULL_PROCESSOR_MB:
        return 0.8, f"at {size} MB they have a whole processor, and more would not help", None
    change, former = lowered_memory(evidence)
    is_new = change is not None and not _started_well_since(evidence, change.at)
    if change is not None and former is not None and is_new and starts[0].line.at >= change.at:
        what = (
            f"since the memory, and the processor with it, was lowered from {former} to {size} MB"
        )
        return 0.92, what, _need(size, float(former))
    confidence, what = _at_work(evidence, spoken)
    if confidence == 0.0:
        return 0.75, "nothing tells what they were waiting for", None
    longest = max(start.lasted_ms for start in starts)
    wanted = processor_size_mb(
        size, duration_ms=longest * _BEYOND_CUT, target_ms=_INIT_LIMIT_MS / 2
    )
    return confidence, f"{what}, at {size} MB", _need(size, wanted)


def _started_well_since(evidence: Evidence, at: datetime) -> bool:
    """Whether a cold start took less than half of the time it has, at the present size, since."""
    return any(
        i.init_ms is not None
        and i.init_ms < _INIT_LIMIT_MS / 2
        and i.started_at >= at
        and has_present_size(evidence, i)
        for i in evidence.invocations
    )


def _at_work(evidence: Evidence, spoken: list[list[LogLine]]) -> tuple[float, str]:
    """Say how sure it is that the starts were at work, and by what; 0 where nothing tells."""
    least = max(1.0, _MOST * len(spoken))
    if sum(any(is_busy(line) for line in lines) for lines in spoken) >= least:
        return 0.9, "the processor was busy all the time"
    if sum(_is_working(lines) for lines in spoken) >= least:
        return 0.82, "they were loading until they were cut"
    if _nearly_as_long(evidence):
        return 0.8, "others took nearly as long and finished, so they are slow and do not hang"
    return 0.0, ""


def _need(size: int, wanted_mb: float) -> MemoryNeed:
    return MemoryNeed(memory_mb=wanted_mb, basis="processor", seen_at_memory_mb=size)


def _words_of(evidence: Evidence, start: _Start) -> list[LogLine]:
    return [
        line
        for line in evidence.log_lines
        if line.stream == start.line.stream
        and start.began_at - timedelta(seconds=1) <= line.at <= start.line.at
        and read_record(line.message).kind == "speech"
        and not line.message.startswith(("INIT_", "RESTORE_", "EXTENSION", "LOGS\t", "TELEMETRY"))
    ]


def _is_stuck(lines: list[LogLine]) -> bool:
    if not lines:
        return False
    last = lines[-1]
    if is_busy(last) or is_heavy(last):
        return False
    return is_of_others(last) or bool(_TROUBLE.search(words_of(last)[:2000]))


def _is_working(lines: list[LogLine]) -> bool:
    """Whether a start reports steps, some of them work for the processor, and no trouble."""
    texts = {words_of(line)[:200] for line in lines}
    heavy = any(is_heavy(line) for line in lines)
    return heavy and len(texts) >= _FEWEST_STEPS and not _TROUBLE.search(words_of(lines[-1])[:2000])


def _nearly_as_long(evidence: Evidence) -> bool:
    """Whether cold starts at the present size also finish late in the time that they have."""
    inits = [i.init_ms for i in evidence.invocations if i.init_ms and has_present_size(evidence, i)]
    near = [ms for ms in inits if ms >= _NEAR_LIMIT * _INIT_LIMIT_MS]
    return bool(near) and len(near) >= len(inits) / 2 and timeout_ms(evidence) > 0


def _cites(starts: list[_Start], failed: tuple[Invocation, ...]) -> tuple[str, ...]:
    ids = [start.line.id for start in starts[-4:]]
    return tuple(dict.fromkeys((*ids, *reports_of(failed, most=3))))


INIT_TIMEOUT = Cause(
    label=RootCause.INIT_TIMEOUT,
    signal=(
        "`INIT_REPORT` or `RESTORE_REPORT` with `Status: timeout`, at about 10 s or, where the "
        "init is repeated within the invocation, at the function's timeout; "
        "SnapStartTimeoutException."
    ),
    proof=(
        "The platform itself says in which phase the time ran out, before the handler was reached."
    ),
    silence=(
        "The memory is full, or the failures belong to environments that started. No repair where "
        "the start hangs on somebody else, is a restore hook, has a whole processor already, or "
        "says nothing of what it does."
    ),
    repair=RepairKind.SET_MEMORY,
    runbook="init-timeout",
    diagnose=_diagnose,
    explains=(
        RootCause.TIMEOUT_TOO_LOW,
        RootCause.CPU_STARVED,
        RootCause.INSUFFICIENT_EVIDENCE,
        RootCause.FALSE_ALARM,
        RootCause.UNKNOWN,
    ),
)
