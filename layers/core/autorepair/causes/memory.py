"""Memory: work that needs more than its size, and environments that never give memory back."""

from __future__ import annotations

import re
from dataclasses import dataclass, field

from autorepair.causes.cause import Cause
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
from autorepair.domain.change import RepairKind
from autorepair.domain.diagnosis import Finding, MemoryNeed, RootCause
from autorepair.domain.evidence import Evidence, Invocation, LogLine
from autorepair.domain.log_records import read_record

# A runtime that gives up by itself does so a little below the limit, as it sizes its heap so.
_RUNTIME_GIVES_UP = 0.75
_KILLED_NEAR = 0.97
# The exception that left the handler, or the cold start, by its type.
_GIVING_UP = re.compile(
    r"(?:[\w.]{1,100}\.)?_?(?:Array)?MemoryError|java\.lang\.OutOfMemoryError"
    r"|System\.OutOfMemoryException|(?:Function<)?NoMemoryError>?"
)
_RUBYS_TYPE = re.compile(r"\"errorType\": ?\"(Function<NoMemoryError>)\"")
# What a runtime writes itself, at a line's start, before it ends the process.
_ENDING = (
    ("nodejs", re.compile(r"(?:FATAL ERROR: |\s*<--- )[^\0]{0,8000}JavaScript heap out of memory")),
    ("java", re.compile(r"(?:Terminating due to |Exception in thread \"[^\"\n]{1,100}\" )?"
                        r"(?:Metaspace: |Java heap space: )?java\.lang\.OutOfMemoryError")),
    ("dotnet", re.compile(r"(?:Unhandled exception\. )?System\.OutOfMemoryException"
                          r"|Out of memory\.")),
    ("go", re.compile(r"fatal error: runtime: (?:cannot allocate memory|out of memory)")),
    ("ruby", re.compile(r"\[FATAL\] failed to allocate memory")),
    ("provided", re.compile(
        r"fatal error: runtime: (?:cannot allocate memory|out of memory)"
        r"|memory allocation of \d{1,20} bytes failed"
        r"|(?:PHP )?Fatal error: +Allowed memory size of \d{1,20} bytes exhausted"
    )),
)  # fmt: skip
_KILL = re.compile(r"signal: killed")
# Enough to ask a person, too little to act unattended.
_AT_MOST_ASK = 0.75
# A high-water mark in one environment: successes before the end, each higher than the last.
_FEWEST_STEPS = 4
_MOST_STEPS_UP = 0.8
_LEAST_CLIMB = 0.25
_LEAST_EVEN = 0.25


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


def _diagnose_exhausted(evidence: Evidence) -> Finding | None:
    exhausted = _exhausted(evidence)
    if not exhausted.all:
        return None
    confidence, why = _grounds(evidence, exhausted)
    if _may_be_a_leak(evidence):
        confidence = min(confidence, _AT_MOST_ASK)
        why += (
            "; in each environment it was well at first and rose until the end, which is how a "
            "leak looks, too"
        )
    cites = (*reports_of(exhausted.all), *exhausted.gave_up_lines[-2:])
    return Finding(
        cause=RootCause.MEMORY_EXHAUSTED,
        confidence=weighed_down(confidence, share_of_failures(evidence, len(exhausted.all))),
        why=why,
        cites=tuple(dict.fromkeys(cites)),
        need=_need(evidence),
    )


def _exhausted(evidence: Evidence) -> _Exhausted:
    here = [i for i in evidence.failures if has_present_size(evidence, i)]
    lines = lines_of(evidence)
    is_always_full = has_full_successes(evidence)
    killed = tuple(i for i in here if _is_killed(i, lines, is_always_full=is_always_full))
    killed_ids = {i.request_id for i in killed}
    words = {} if is_always_full else _runtime_words(evidence, lines)
    gave_up = tuple(
        i
        for i in here
        if i.request_id in words
        and i.request_id not in killed_ids
        and (memory_share(i) or 0.0) >= _RUNTIME_GIVES_UP
    )
    known = killed_ids | {i.request_id for i in gave_up}
    disguised = tuple(i for i in memory_suspects(evidence) if i.request_id not in known)
    return _Exhausted(killed, gave_up, tuple(words[i.request_id] for i in gave_up), disguised)


def _is_killed(
    invocation: Invocation, lines: dict[str, list[LogLine]], *, is_always_full: bool
) -> bool:
    """Whether the platform says that memory ended it, or that it was killed with memory full."""
    if invocation.status == "out_of_memory":
        return True
    is_full = (memory_share(invocation) or 0.0) >= _KILLED_NEAR and not is_always_full
    return (
        invocation.status == "crash"
        and is_full
        and any(
            read_record(line.message).kind == "exit" and _KILL.search(line.message)
            for line in lines.get(invocation.request_id, ())
        )
    )


def _runtime_words(evidence: Evidence, lines: dict[str, list[LogLine]]) -> dict[str, str]:
    """Give, by request, the id of the line in which the runtime says that memory ran out.

    Only its own words count: the type of the exception that ended the invocation or, where the
    process ended, what this very runtime then writes. The function's words are anybody's.
    """
    found: dict[str, str] = {}
    for invocation in evidence.failures:
        for line in lines.get(invocation.request_id, ()):
            if _is_giving_up(line) or (
                _has_ended(invocation) and _is_ending(line, evidence.configuration.runtime)
            ):
                found[invocation.request_id] = line.id
    return found


def _is_giving_up(line: LogLine) -> bool:
    record = read_record(line.message)
    if record.kind != "failure":
        return False
    ruby = _RUBYS_TYPE.search(line.message[:2000]) if not record.error_type else None
    return _GIVING_UP.fullmatch(ruby[1] if ruby else record.error_type or "") is not None


def _has_ended(invocation: Invocation) -> bool:
    """Whether the platform says that the process did not live to answer."""
    return invocation.status == "crash" or (invocation.error_type or "").startswith("Runtime.")


def _is_ending(line: LogLine, runtime: str | None) -> bool:
    return any(
        words.match(line.message)
        for name, words in _ENDING
        if runtime is None or runtime.startswith((name, "provided"))
    )


def _grounds(evidence: Evidence, exhausted: _Exhausted) -> tuple[float, str]:
    size = evidence.configuration.memory_mb
    if exhausted.killed:
        return 0.95, f"{len(exhausted.killed)} invocations were killed at the limit of {size} MB"
    if exhausted.gave_up:
        why = (
            f"{len(exhausted.gave_up)} invocations ended with the runtime's own out-of-memory "
            f"error at or just below {size} MB"
        )
        return 0.9, why
    count = len(exhausted.disguised)
    why = (
        f"{count} time-outs stood at the memory limit of {size} MB while the others did not: "
        "exhausted memory in the guise of a time-out"
    )
    return (0.85 if count > 1 else 0.7), why


def _need(evidence: Evidence) -> MemoryNeed:
    """Say what is needed: what sufficed at a larger size, else the double of what was too little.

    What was used is cut off at the limit, so after a kill the true need is unknown.
    """
    size = evidence.configuration.memory_mb
    sufficed = [
        i.max_memory_used_mb
        for i in evidence.invocations
        if i.status == "success"
        and i.memory_mb is not None
        and i.memory_mb > size
        and i.max_memory_used_mb is not None
    ]
    if sufficed and max(sufficed) > size / 2:
        return MemoryNeed(
            memory_mb=max(sufficed), basis="formerly_sufficient", seen_at_memory_mb=size
        )
    return MemoryNeed(memory_mb=2 * size, basis="doubled", seen_at_memory_mb=size)


@dataclass(slots=True)
class _Life:
    """The high-water marks of one execution environment, oldest first, in megabytes."""

    marks: list[int] = field(default_factory=list)
    is_cut_off: bool = False
    last: Invocation | None = None

    @property
    def steps(self) -> list[int]:
        return [later - earlier for earlier, later in zip(self.marks, self.marks[1:], strict=False)]


def _diagnose_leak(evidence: Evidence) -> Finding | None:
    lives = _lives(evidence)
    ended = [life for life in lives if life.is_cut_off]
    # An environment whose first invocation dies needs that memory for a single job.
    if not ended or any(len(life.marks) < 3 for life in ended):  # noqa: PLR2004 (two before it)
        return None
    if not _climb_evenly(evidence, ended):
        return None
    size = evidence.configuration.memory_mb
    lasts = tuple(life.last for life in ended if life.last is not None)
    share = share_of_failures(evidence, len(ended))
    return Finding(
        cause=RootCause.MEMORY_LEAK,
        confidence=weighed_down(0.9 if len(ended) > 1 else 0.75, share),
        why=(
            f"in {len(ended)} execution environments the memory rose with every invocation until "
            f"the limit of {size} MB, and a fresh environment began low again: more memory only "
            "delays the end"
        ),
        cites=reports_of(lasts),
        is_repairable=False,
    )


def _may_be_a_leak(evidence: Evidence) -> bool:
    """Whether every environment that ended had been well, and fuller with each invocation.

    Too few steps to tell a leak from inputs of all sizes; but more memory only delays a leak.
    """
    ended = [life for life in _lives(evidence) if life.is_cut_off]
    return len(ended) > 1 and all(
        len(life.marks) > 1 and all(step > 0 for step in life.steps) for life in ended
    )


def _climb_evenly(evidence: Evidence, ended: list[_Life]) -> bool:
    """Whether nearly every step goes up, about as much each time, and far in all.

    Random inputs also push a high-water mark up, but ever more rarely; growing inputs do so
    without beginning low again in the next environment.
    """
    # The last mark is cut off at the limit, so the step to it says nothing of the slope.
    steps = [step for life in ended for step in life.steps[:-1]] or [0]
    climbs = [life.marks[-1] - life.marks[0] for life in ended]
    up = sorted(step for step in steps if step > 0)
    if len(steps) < _FEWEST_STEPS or len(up) < _MOST_STEPS_UP * len(steps):
        return False
    middle = up[len(up) // 2]
    even = sum(_LEAST_EVEN * middle <= step <= middle / _LEAST_EVEN for step in up)
    has_climbed = min(climbs) >= _LEAST_CLIMB * evidence.configuration.memory_mb
    return has_climbed and even >= _MOST_STEPS_UP * len(up)


def _lives(evidence: Evidence) -> list[_Life]:
    """Split each log stream where its environment began anew."""
    lives: list[_Life] = []
    current: dict[str, _Life] = {}
    for invocation in evidence.invocations:
        used = invocation.max_memory_used_mb
        if used is None or not has_present_size(evidence, invocation):
            continue
        life = current.get(invocation.stream)
        if life is None or invocation.init_ms is not None or used < life.marks[-1]:
            life = current[invocation.stream] = _Life()
            lives.append(life)
        life.marks.append(used)
        life.last = invocation
        if invocation.status in {"timeout", "out_of_memory", "crash"}:
            del current[invocation.stream]
            life.is_cut_off = _is_at_limit(invocation)
    return lives


def _is_at_limit(invocation: Invocation) -> bool:
    return invocation.status == "out_of_memory" or (memory_share(invocation) or 0) >= _KILLED_NEAR


MEMORY_LEAK = Cause(
    label=RootCause.MEMORY_LEAK,
    signal=(
        "Max Memory Used rises by about as much with each invocation of one environment, up to "
        "the limit, and begins low again in the next environment."
    ),
    proof=(
        "What a single job needs is needed by the first invocation of a fresh environment too; "
        "only what is kept from job to job adds up."
    ),
    silence=(
        "An environment's first invocations already die, the rise is rare or uneven, or there "
        "are too few invocations of one environment to see a slope."
    ),
    repair=None,
    runbook="memory-leak",
    diagnose=_diagnose_leak,
    explains=(RootCause.MEMORY_EXHAUSTED, RootCause.TIMEOUT_TOO_LOW, RootCause.UNKNOWN),
)

MEMORY_EXHAUSTED = Cause(
    label=RootCause.MEMORY_EXHAUSTED,
    signal=(
        "Runtime.OutOfMemory or `signal: killed` with the memory full, the runtime's own "
        "out-of-memory error near the limit, or time-outs at 97% of the memory or more."
    ),
    proof=(
        "Lambda kills at the memory size and nowhere else, and a runtime sizes its heap by it; a "
        "full memory tells the failed invocations from the others."
    ),
    silence=(
        "The memory was far from full (an absurd allocation is a bug), the process ended by itself "
        "and was not killed, only the function's own words speak of memory, the failures belong to "
        "a size that has been changed since, or successful invocations fill it just as much."
    ),
    repair=RepairKind.SET_MEMORY,
    runbook="memory-exhausted",
    diagnose=_diagnose_exhausted,
    explains=(RootCause.TIMEOUT_TOO_LOW, RootCause.UNKNOWN),
)
