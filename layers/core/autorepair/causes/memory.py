"""Memory: work that needs more than its size."""

from __future__ import annotations

from dataclasses import dataclass

from autorepair.causes.cause import Cause
from autorepair.causes.leak import may_be_a_leak
from autorepair.causes.limits import (
    has_full_successes,
    has_present_size,
    lines_of,
    memory_share,
    memory_suspects,
    reports_of,
    share_of_failures,
    weighed_down,
)
from autorepair.causes.memory_words import (
    asked_mb,
    direct_limit_mb,
    is_child_killed,
    is_ending,
    is_giving_up,
    is_heap_full,
    is_killed,
    is_of_direct_memory,
    sets_direct_memory,
)
from autorepair.domain.change import RepairKind
from autorepair.domain.configuration import MAX_MEMORY_MB
from autorepair.domain.diagnosis import Finding, MemoryNeed, RootCause
from autorepair.domain.evidence import Evidence, Invocation, LogLine

# A runtime that gives up by itself does so a little below the limit, as it sizes its heap so.
_RUNTIME_GIVES_UP = 0.75
_KILLED_NEAR = 0.97
_CHILD_KILLED_NEAR = 0.9
# Enough to ask a person, too little to act unattended.
_AT_MOST_ASK = 0.75
_LEAST_LOWERED = 1.1
_LEAST_SHARE = 0.5
# A former size that was enough is gone back to: the planner divides a need by its target share.
_TARGET_SHARE = 0.8
# A JVM's heap is some 85% of the memory in Lambda; a limit far below that was set by hand.
_LEAST_OF_A_HEAP = 0.7
# Successes that are this full, where the alarm is about memory and nothing fails yet.
_TIGHT = 0.93
_FEWEST_TIGHT = 3
_MEMORY_ALARM = ("memory", "heap", "rss", "oom")


@dataclass(frozen=True, slots=True)
class _Exhausted:
    """The failures that the memory limit explains."""

    killed: tuple[Invocation, ...]
    gave_up: tuple[Invocation, ...]
    gave_up_lines: tuple[str, ...]
    disguised: tuple[Invocation, ...]

    @property
    def all(self) -> tuple[Invocation, ...]:
        return (*self.killed, *self.gave_up, *self.disguised)


def _diagnose(evidence: Evidence) -> Finding | None:
    exhausted = _exhausted(evidence)
    if not exhausted.all or _is_beside_the_heap(evidence, exhausted):
        return _tight(evidence) or _capped(evidence)
    confidence, why = _grounds(evidence, exhausted)
    if may_be_a_leak(evidence):
        confidence = min(confidence, _AT_MOST_ASK)
        why += (
            "; as far as the log shows, each environment was well at first and fuller at its end, "
            "which is how a leak looks, too"
        )
    if _is_at_most(evidence):
        why += f"; {MAX_MEMORY_MB} MB are all that Lambda gives"
    cites = (*reports_of(exhausted.all), *exhausted.gave_up_lines[-2:])
    return Finding(
        cause=RootCause.MEMORY_EXHAUSTED,
        confidence=weighed_down(confidence, share_of_failures(evidence, len(exhausted.all))),
        why=why,
        cites=tuple(dict.fromkeys(cites)),
        need=None if _is_at_most(evidence) else _need(evidence),
        is_repairable=not _is_at_most(evidence),
    )


def _is_at_most(evidence: Evidence) -> bool:
    return evidence.configuration.memory_mb >= MAX_MEMORY_MB


def _exhausted(evidence: Evidence) -> _Exhausted:
    here = [i for i in evidence.failures if has_present_size(evidence, i)]
    lines = lines_of(evidence)
    is_always_full = has_full_successes(evidence)
    killed = tuple(i for i in here if _is_killed(i, lines, is_always_full=is_always_full))
    killed_ids = {i.request_id for i in killed}
    words = {} if is_always_full else _runtime_words(evidence, lines)
    asked = _beyond(evidence, lines)
    gave_up = tuple(
        i
        for i in here
        if i.request_id in words
        and i.request_id not in killed_ids
        and ((memory_share(i) or 0.0) >= _RUNTIME_GIVES_UP or i.request_id in asked)
    )
    known = killed_ids | {i.request_id for i in gave_up}
    disguised = tuple(i for i in memory_suspects(evidence) if i.request_id not in known)
    return _Exhausted(killed, gave_up, tuple(words[i.request_id] for i in gave_up), disguised)


def _is_killed(
    invocation: Invocation, lines: dict[str, list[LogLine]], *, is_always_full: bool
) -> bool:
    """Whether the platform says that memory ended it, or that it was killed with memory full.

    The JSON log format says of a killed process no more than that it ended.
    """
    if invocation.status == "out_of_memory":
        return True
    is_full = (memory_share(invocation) or 0.0) >= _KILLED_NEAR and not is_always_full
    if invocation.status != "crash" or not is_full:
        return False
    own = lines.get(invocation.request_id, ())
    return any(is_killed(line) for line in own) or all(line.message.startswith("{") for line in own)


def _runtime_words(evidence: Evidence, lines: dict[str, list[LogLine]]) -> dict[str, str]:
    """Give, by request, the id of the line in which the runtime says that memory ran out.

    Only its own words count: the type of the exception that ended the invocation, what this very
    runtime writes where the process ended, or that a process which it started was killed while
    the memory was full. The function's words are anybody's.
    """
    runtime = evidence.configuration.runtime
    found: dict[str, str] = {}
    for invocation in evidence.failures:
        is_full = (memory_share(invocation) or 0.0) >= _CHILD_KILLED_NEAR
        for line in lines.get(invocation.request_id, ()):
            if (
                is_giving_up(line)
                or (_has_ended(invocation) and is_ending(line, runtime))
                or (is_full and is_child_killed(line))
            ):
                found[invocation.request_id] = line.id
    return found


def _beyond(evidence: Evidence, lines: dict[str, list[LogLine]]) -> dict[str, float]:
    """Give, by request, the megabytes in use and asked for, where the size cannot hold them.

    What no size could hold is a bug.
    """
    size = evidence.configuration.memory_mb
    wanted = {
        i.request_id: i.max_memory_used_mb + asked
        for i in evidence.failures
        if i.max_memory_used_mb is not None and has_present_size(evidence, i)
        for line in lines.get(i.request_id, ())
        if (asked := asked_mb(line)) is not None
    }
    most = _TARGET_SHARE * MAX_MEMORY_MB
    return {request: mb for request, mb in wanted.items() if size < mb <= most}


def _has_ended(invocation: Invocation) -> bool:
    """Whether the platform says that the process did not live to answer."""
    return invocation.status == "crash" or (invocation.error_type or "").startswith("Runtime.")


def _grounds(evidence: Evidence, exhausted: _Exhausted) -> tuple[float, str]:
    size = evidence.configuration.memory_mb
    if exhausted.killed:
        return 0.95, f"{len(exhausted.killed)} invocations were killed at the limit of {size} MB"
    if exhausted.gave_up:
        why = (
            f"{len(exhausted.gave_up)} invocations ended with the runtime's own out-of-memory "
            f"error at or just below {size} MB"
        )
        return 0.92, why
    count = len(exhausted.disguised)
    why = (
        f"{count} time-outs stood at the memory limit of {size} MB while the others did not: "
        "exhausted memory in the guise of a time-out"
    )
    return (0.85 if count > 1 else 0.7), why


def _tight(evidence: Evidence) -> Finding | None:
    """Nothing fails yet, but the alarm is about memory and the invocations nearly fill it."""
    alarm = evidence.alarm.metric_name if evidence.alarm else None
    if evidence.failures or not any(word in (alarm or "").lower() for word in _MEMORY_ALARM):
        return None
    full = [
        i
        for i in evidence.invocations
        if has_present_size(evidence, i) and (memory_share(i) or 0.0) >= _TIGHT
    ]
    if len(full) < _FEWEST_TIGHT or has_full_successes(evidence) or _is_at_most(evidence):
        return None
    size = evidence.configuration.memory_mb
    most = max(i.max_memory_used_mb or 0 for i in full)
    return Finding(
        cause=RootCause.MEMORY_EXHAUSTED,
        confidence=0.65,
        why=f"{len(full)} invocations came up to {most} of {size} MB, which the alarm is about",
        cites=reports_of(tuple(full)),
        need=MemoryNeed(memory_mb=most, basis="observed", seen_at_memory_mb=size),
    )


def _capped(evidence: Evidence) -> Finding | None:
    """The heap ran out while the memory stood nearly idle: an option caps it, and not the size."""
    lines = lines_of(evidence)
    runtime = evidence.configuration.runtime
    cut = {
        i.request_id: line.id
        for i in evidence.failures
        if (memory_share(i) or 1.0) < _RUNTIME_GIVES_UP
        for line in lines.get(i.request_id, ())
        if is_heap_full(line, runtime)
    } | _limited_by_option(evidence)
    share = share_of_failures(evidence, len(cut))
    if not cut or share < _LEAST_SHARE:
        return None
    return Finding(
        cause=RootCause.MEMORY_EXHAUSTED,
        confidence=weighed_down(0.55, share),
        why=(
            f"in {len(cut)} invocations the runtime's heap was full before the memory was: an "
            "option caps it (--max-old-space-size, -Xmx, -XX:MaxDirectMemorySize, memory_limit), "
            "not the size"
        ),
        cites=tuple(cut.values())[-3:],
        is_repairable=False,
    )


def _is_beside_the_heap(evidence: Evidence, exhausted: _Exhausted) -> bool:
    """Whether an option, and not the size, limits all that the failures ran out of."""
    limited = _limited_by_option(evidence)
    return bool(limited) and all(i.request_id in limited for i in exhausted.all)


def _limited_by_option(evidence: Evidence) -> dict[str, str]:
    """Give, by request, the line that tells of direct memory which an option limits.

    Without the option the limit is the heap's, which goes with the memory size.
    """
    is_set = any(sets_direct_memory(line) for line in evidence.log_lines)
    least = _LEAST_OF_A_HEAP * evidence.configuration.memory_mb
    lines = lines_of(evidence)
    return {
        i.request_id: line.id
        for i in evidence.failures
        for line in lines.get(i.request_id, ())
        if is_of_direct_memory(line) and (is_set or (direct_limit_mb(line) or least) < least)
    }


def _need(evidence: Evidence) -> MemoryNeed:
    """Say what is needed: what sufficed at a larger size, else the double of what was too little.

    What was used is cut off at the limit, so after a kill the true need is unknown. A size that
    was lowered is gone back to, unless more was seen in use before.
    """
    size = evidence.configuration.memory_mb
    sufficed = [
        float(i.max_memory_used_mb)
        for i in evidence.invocations
        if i.status == "success"
        and i.memory_mb is not None
        and i.memory_mb > size
        and i.max_memory_used_mb is not None
    ]
    former = _TARGET_SHARE * _former_size(evidence)
    known = max([former, *sufficed])
    if wanted := _beyond(evidence, lines_of(evidence)):
        most = max(known, *wanted.values())
        return MemoryNeed(memory_mb=most, basis="observed", seen_at_memory_mb=size)
    if known > size / 2:
        return MemoryNeed(memory_mb=known, basis="formerly_sufficient", seen_at_memory_mb=size)
    return MemoryNeed(memory_mb=2 * size, basis="doubled", seen_at_memory_mb=size)


def _former_size(evidence: Evidence) -> float:
    """Give the size that the latest change of it lowered, in MB; 0 where none did."""
    size = evidence.configuration.memory_mb
    for change in reversed(evidence.changes):
        setting = change.setting("memory_mb")
        if setting is None:
            continue
        is_lowered = isinstance(setting.before, int) and setting.before >= _LEAST_LOWERED * size
        return float(setting.before or 0) if is_lowered and setting.after in {None, size} else 0.0
    return 0.0


MEMORY_EXHAUSTED = Cause(
    label=RootCause.MEMORY_EXHAUSTED,
    signal=(
        "Runtime.OutOfMemory or `signal: killed` with the memory full, the runtime's own "
        "out-of-memory error near the limit, a child process that was killed with the memory full, "
        "or time-outs at 97% of the memory or more."
    ),
    proof=(
        "Lambda kills at the memory size and nowhere else, and a runtime sizes its heap by it; a "
        "full memory tells the failed invocations from the others."
    ),
    silence=(
        "The memory was far from full (an absurd allocation is a bug, a heap that an option caps "
        "is an option), the process ended by itself and was not killed, only the function's own "
        "words speak of memory, the failures belong to a size that has been changed since, or "
        "successful invocations fill it just as much."
    ),
    repair=RepairKind.SET_MEMORY,
    runbook="memory-exhausted",
    diagnose=_diagnose,
    explains=(
        RootCause.TIMEOUT_TOO_LOW,
        RootCause.CODE_BUG,
        RootCause.FALSE_ALARM,
        RootCause.INSUFFICIENT_EVIDENCE,
        RootCause.UNKNOWN,
    ),
)
