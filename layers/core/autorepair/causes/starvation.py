"""Starvation: work that is short of processor, of which a function has as much as it has memory."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime, timedelta
from statistics import median

from autorepair.causes.cause import Cause
from autorepair.causes.limits import (
    has_present_size,
    lines_of,
    memory_share,
    reports_of,
    share_of_failures,
    time_outs,
    timeout_ms,
    weighed_down,
)
from autorepair.causes.processor import (
    FULL_PROCESSOR_MB,
    goes_elsewhere,
    is_busy,
    is_grinding,
    is_hashing,
    is_heavy,
    is_of_others,
    processor_share,
    processor_size_mb,
)
from autorepair.causes.progress import projected_ms
from autorepair.domain.change import RepairKind
from autorepair.domain.diagnosis import Finding, MemoryNeed, RootCause
from autorepair.domain.evidence import Evidence, Invocation, LogLine, RecentChange
from autorepair.domain.log_records import read_record

# Memory that is used up to here is idle: what is raised for its sake is the processor.
_IDLE = 0.85
_SLOWER = 1.5
_LEAST_LOWERED = 1.2
# A clock that counts the processor's time and one on the wall, as far apart as the share given.
_SHARE_SLACK = 2.5
_FEWEST = 3
_MOST = 0.6
_SOME = 0.5
_NEAR = 0.5
_COLD_TIMES_WARM = 4.0
_LEAST_INIT_MS = 2500.0
_TINY_MB = 256
_SMALL_MB = 1024
# A duration that was cut at the timeout would have gone on (FACTS: overshoot of half on average).
_BEYOND_CUT = 1.5
# A change further back than that, with nothing known of before, explains no trouble of now.
_LONGEST_AGO = timedelta(hours=24)
_COMPILED_AT_START = ("java", "dotnet")
_TIME_ALARMS = frozenset({"Duration", "PostRuntimeExtensionsDuration", None})


@dataclass(frozen=True, slots=True)
class _Slow:
    """The invocations that took too long at the present size, and what bears on them."""

    evidence: Evidence
    invocations: tuple[Invocation, ...]
    lines: dict[str, list[LogLine]]

    def own_lines(self, invocation: Invocation) -> list[LogLine]:
        return [
            line
            for line in self.lines.get(invocation.request_id, ())
            if read_record(line.message).kind == "speech"
        ]


def _diagnose(evidence: Evidence) -> Finding | None:
    size = evidence.configuration.memory_mb
    slow = _slow(evidence) if _is_idle(evidence) and size < FULL_PROCESSOR_MB else None
    if slow is None or _goes_elsewhere(slow):
        return None
    return next((found for proof in _PROOFS if (found := proof(slow)) is not None), None)


def _goes_elsewhere(slow: _Slow) -> bool:
    """Whether the log says that most of the time of most slow invocations went to somebody else."""
    elsewhere = sum(
        goes_elsewhere(slow.own_lines(i), i.duration_ms or 0.0) for i in slow.invocations
    )
    return elsewhere >= _SOME * len(slow.invocations)


def _is_idle(evidence: Evidence) -> bool:
    """Whether no invocation came near the memory size."""
    shares = [
        share
        for i in evidence.invocations
        if has_present_size(evidence, i) and (share := memory_share(i)) is not None
    ]
    return bool(shares) and max(shares) <= _IDLE


def _slow(evidence: Evidence) -> _Slow | None:
    """Give the invocations that were cut, or took most of the time that there is.

    Without a time-out they count only where the alarm is about time.
    """
    cut = time_outs(evidence)
    limit = timeout_ms(evidence)
    alarm = evidence.alarm.metric_name if evidence.alarm else None
    near = tuple(
        i
        for i in evidence.invocations
        if i.status == "success"
        and has_present_size(evidence, i)
        and (i.duration_ms or 0.0) >= _NEAR * limit
    )
    lines = lines_of(evidence)
    if cut:
        return _Slow(evidence, (*cut, *near), lines)
    if evidence.failures or alarm not in _TIME_ALARMS:
        return None
    found = near or (_slowest(evidence) if alarm is not None else ())
    return _Slow(evidence, found, lines) if found else None


def _slowest(evidence: Evidence) -> tuple[Invocation, ...]:
    """Give the slower half of what ran, where nothing came near the timeout."""
    ran = [i for i in evidence.invocations if i.duration_ms and has_present_size(evidence, i)]
    ran.sort(key=lambda i: i.duration_ms or 0.0)
    return tuple(ran[len(ran) // 2 :])


def _proof_by_larger_size(slow: _Slow) -> Finding | None:
    """The same work was faster while the function had more memory, which it did not use."""
    evidence = slow.evidence
    size = evidence.configuration.memory_mb
    larger = [
        i
        for i in evidence.invocations
        if i.status == "success" and i.duration_ms and (i.memory_mb or 0) >= _LEAST_LOWERED * size
    ]
    if len(larger) < _FEWEST:
        return None
    before = median(i.duration_ms or 0.0 for i in larger)
    now = _median_now(evidence)
    if now is None or now < _SLOWER * before:
        return None
    former = max(i.memory_mb or 0 for i in larger)
    why = (
        f"at {former} MB the same work took {before / 1000:.1f} s and at {size} MB it takes "
        f"{now / 1000:.1f} s or is cut, while most of the memory stays unused: it is the processor "
        "that went with it"
    )
    cites = (*reports_of(tuple(larger), most=2), *reports_of(slow.invocations, most=3))
    return _finding(slow, 0.92, why, cites, float(former))


def _median_now(evidence: Evidence) -> float | None:
    now = [
        i.duration_ms
        for i in evidence.invocations
        if i.duration_ms and has_present_size(evidence, i)
    ]
    return median(now) if now else None


def _proof_by_change(slow: _Slow) -> Finding | None:
    """The memory was lowered, and only since then the work takes too long."""
    evidence = slow.evidence
    change, former = lowered_memory(evidence)
    if change is None or former is None:
        return None
    first = min(i.started_at for i in slow.invocations)
    ratio = _slower_since(evidence, change)
    if first < change.at or (ratio is not None and ratio < _SLOWER) or _ends_elsewhere(slow):
        return None
    if ratio is None and (
        first - change.at > _LONGEST_AGO or _was_well_between(slow, change, first)
    ):
        return None
    why = (
        f"since the memory was lowered from {former} to {evidence.configuration.memory_mb} MB the "
        "work takes too long, while most of the memory stays unused: it is the processor that went "
        "with it"
    )
    cites = (change.id, *reports_of(slow.invocations, most=3))
    return _finding(slow, 0.85 if ratio is None else 0.92, why, cites, float(former))


def _was_well_between(slow: _Slow, change: RecentChange, first: datetime) -> bool:
    """Whether the work went on quickly for a while after a change before it became slow."""
    swift = [
        i
        for i in slow.evidence.invocations
        if i.status == "success" and change.at <= i.started_at < first and i.init_ms is None
    ]
    return len(swift) >= _FEWEST


def _ends_elsewhere(slow: _Slow) -> bool:
    """Whether the last words of most slow invocations are about somebody else."""
    ended = sum(any(is_of_others(x) for x in slow.own_lines(i)[-1:]) for i in slow.invocations)
    return ended >= _SOME * len(slow.invocations)


def lowered_memory(evidence: Evidence) -> tuple[RecentChange | None, int | None]:
    """Give the latest change that lowered the memory to its present size, and the former size."""
    present = evidence.configuration.memory_mb
    for change in reversed(evidence.changes):
        setting = change.setting("memory_mb")
        if setting is None or setting.after not in {None, present}:
            continue
        if isinstance(setting.before, int) and setting.before >= _LEAST_LOWERED * present:
            return change, setting.before
    return None, None


def _slower_since(evidence: Evidence, change: RecentChange) -> float | None:
    """Give how many times as long the work takes since a change, by the metrics; None if untold."""
    durations = evidence.metric("Duration", "Average")
    points = durations.points if durations else ()
    before = [value for at, value in points if at < change.at]
    since = [value for at, value in points if at >= change.at]
    if not before or not since or median(before) <= 0:
        return None
    return median(since) / median(before)


def _proof_by_clocks(slow: _Slow) -> Finding | None:
    """The log tells processor time beside wall time, and the share is what the size gives."""
    evidence = slow.evidence
    size = evidence.configuration.memory_mb
    given = size / FULL_PROCESSOR_MB
    told = [
        (line, share)
        for line in evidence.log_lines
        if line.request_id is not None and (share := processor_share(line.message)) is not None
    ]
    fitting = [
        line for line, share in told if given / _SHARE_SLACK <= share <= given * _SHARE_SLACK
    ]
    if len(fitting) < _FEWEST or len(fitting) < _MOST * len(told) or size > _SMALL_MB:
        return None
    if any(is_of_others(line) for line in fitting):
        return None
    middle = median(share for _, share in told)
    why = (
        f"the log tells {middle:.0%} of a processor, about what {size} MB give, where the same "
        f"work would fill a whole one: it waits for the processor, and for nothing else"
    )
    cites = (*(line.id for line in fitting[-3:]), *reports_of(slow.invocations, most=2))
    return _finding(slow, 0.9, why, cites, _size(slow))


def _proof_by_cold_starts(slow: _Slow) -> Finding | None:
    """Only cold starts are slow, they are at work all the time, and warm calls fly."""
    evidence = slow.evidence
    cold = [i for i in slow.invocations if _is_cold(i)]
    warm = [
        i.duration_ms
        for i in evidence.invocations
        if i.status == "success" and i.init_ms is None and i.duration_ms
    ]
    if not cold or len(cold) < _MOST * len(slow.invocations) or len(warm) < _FEWEST:
        return None
    inits = [i.init_ms for i in cold if i.init_ms]
    started = median(i.duration_ms or 0.0 for i in cold) + median(inits)
    if started < _COLD_TIMES_WARM * median(warm) or median(inits) < _LEAST_INIT_MS:
        return None
    busy = sum(any(is_busy(line) for line in slow.own_lines(i)) for i in cold)
    if any(is_of_others(line) for i in cold for line in slow.own_lines(i)[-1:]):
        return None
    runtime = evidence.configuration.runtime or ""
    loading = sum(any(is_heavy(line) for line in slow.own_lines(i)) for i in cold)
    if busy >= _SOME * len(cold):
        confidence = 0.9
    elif runtime.startswith(_COMPILED_AT_START):
        confidence = 0.8
    elif loading >= _SOME * len(cold):
        confidence = 0.7
    else:
        return None
    size = evidence.configuration.memory_mb
    why = (
        f"{len(cold)} slow invocations are cold starts, which take {started / 1000:.1f} s in all "
        f"at {size} MB, while warm ones take {median(warm) / 1000:.2f} s and most of the memory "
        "stays unused: starting is work for the processor"
    )
    return _finding(slow, confidence, why, reports_of(tuple(cold), most=4), _size(slow))


def _is_cold(invocation: Invocation) -> bool:
    return invocation.init_ms is not None


def _proof_by_kind_of_work(slow: _Slow) -> Finding | None:
    """At a sliver of a processor, the slow invocations hash, render or compress."""
    evidence = slow.evidence
    size = evidence.configuration.memory_mb
    busy = [i for i in slow.invocations if any(is_busy(x) for x in slow.own_lines(i))]
    if _ends_elsewhere(slow):
        return None
    heavy = _at_heavy_work(slow, size)
    if len(busy) >= _MOST * len(slow.invocations) and size <= _SMALL_MB:
        confidence, what = 0.85, "tell of a processor that is busy all the time"
    elif len(heavy) >= _MOST * len(slow.invocations):
        confidence, what = 0.75, "are at work for the processor (hashing, rendering, packing)"
    else:
        return None
    cites = [x.id for i in (busy or heavy)[-3:] for x in slow.own_lines(i)[-1:]]
    why = (
        f"the slow invocations {what}, with {size / FULL_PROCESSOR_MB:.0%} of one at {size} MB, "
        "and most of the memory unused"
    )
    return _finding(slow, confidence, why, (*cites, *reports_of(slow.invocations)), _size(slow))


def _at_heavy_work(slow: _Slow, size: int) -> list[Invocation]:
    """Give the slow invocations whose kind of work fills the sliver of a processor they have.

    Work that counts towards a known end at a steady pace is left to the timeout, unless it is
    the hashing that always takes a processor.
    """
    if size > _TINY_MB:
        return []
    return [
        i
        for i in slow.invocations
        if any(is_hashing(x) for x in slow.own_lines(i))
        or (
            any(is_grinding(x) for x in slow.own_lines(i))
            and projected_ms(slow.own_lines(i), i) is None
        )
    ]


_PROOFS = (
    _proof_by_larger_size,
    _proof_by_change,
    _proof_by_clocks,
    _proof_by_cold_starts,
    _proof_by_kind_of_work,
)


def _size(slow: _Slow) -> float:
    cut = time_outs(slow.evidence)
    lasted = [(i.duration_ms or 0.0) + (i.init_ms or 0.0) for i in slow.invocations]
    longest = max([*lasted, timeout_ms(slow.evidence) * _BEYOND_CUT if cut else 0.0])
    return processor_size_mb(
        slow.evidence.configuration.memory_mb,
        duration_ms=longest,
        target_ms=timeout_ms(slow.evidence) / 2,
    )


def _finding(
    slow: _Slow, confidence: float, why: str, cites: Iterable[str], memory_mb: float
) -> Finding:
    evidence = slow.evidence
    size = evidence.configuration.memory_mb
    share = share_of_failures(evidence, len(time_outs(evidence)))
    return Finding(
        cause=RootCause.CPU_STARVED,
        confidence=weighed_down(confidence, share),
        why=why,
        cites=tuple(dict.fromkeys(cites)),
        need=MemoryNeed(memory_mb=memory_mb, basis="processor", seen_at_memory_mb=size),
    )


CPU_STARVED = Cause(
    label=RootCause.CPU_STARVED,
    signal=(
        "Time-outs or long durations with idle memory, below 1,769 MB, where the same work was "
        "faster with more memory, where the log tells processor time far below wall time or a busy "
        "processor, where only cold starts are slow, or where a sliver of a processor hashes, "
        "renders or packs."
    ),
    proof=(
        "Lambda gives processor in proportion to memory, one whole at 1,769 MB; work that waits "
        "for the processor alone speeds up with it, and nothing else explains idle memory and a "
        "busy clock."
    ),
    silence=(
        "The memory is well used, the function has a whole processor already, the last words are a "
        "call to somebody else, or the work is merely slow at a fair size: that is a timeout that "
        "is too low."
    ),
    repair=RepairKind.SET_MEMORY,
    runbook="cpu-starved",
    diagnose=_diagnose,
    explains=(
        RootCause.TIMEOUT_TOO_LOW,
        RootCause.FALSE_ALARM,
        RootCause.INSUFFICIENT_EVIDENCE,
        RootCause.UNKNOWN,
    ),
)
