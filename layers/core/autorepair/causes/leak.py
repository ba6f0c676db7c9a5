"""Leaks: environments that hold on to memory from invocation to invocation."""

from __future__ import annotations

from dataclasses import dataclass, field
from itertools import pairwise
from statistics import StatisticsError, correlation

from autorepair.causes.cause import Cause
from autorepair.causes.limits import (
    has_present_size,
    memory_share,
    reports_of,
    share_of_failures,
    weighed_down,
)
from autorepair.domain.diagnosis import Finding, RootCause
from autorepair.domain.evidence import Evidence, Invocation, LogLine
from autorepair.domain.log_records import read_record

_KILLED_NEAR = 0.97
# A runtime that ends for want of memory does so a little below the limit.
_ENDED_NEAR = 0.85
# A high-water mark in one environment: successes before the end, each higher than the last.
_FEWEST_STEPS = 4
_FEWEST_BEFORE_END = 3
_MOST_STEPS_UP = 0.8
_LEAST_CLIMB = 0.25
_LEAST_EVEN = 0.25
# A straight line through the marks: chance pushes a high-water mark up ever more rarely.
_LEAST_STRAIGHT = 0.97
_FEWEST_STRAIGHT = 6
_LEAST_STEPS_UP = 0.5
# Where none has ended yet.
_LONG_LIFE = 8
_HIGH_ALREADY = 0.6


@dataclass(slots=True)
class Life:
    """The high-water marks of one execution environment, oldest first, in megabytes."""

    marks: list[int] = field(default_factory=list)
    is_cut_off: bool = False
    is_whole: bool = True
    """Whether the log shows it from its first invocation on."""
    last: Invocation | None = None

    @property
    def steps(self) -> list[int]:
        """How far each mark lies above the one before it."""
        return [later - earlier for earlier, later in pairwise(self.marks)]


def _diagnose(evidence: Evidence) -> Finding | None:
    lives = lives_of(evidence)
    ended = [life for life in lives if life.is_cut_off]
    seen = [life for life in ended if life.is_whole or len(life.marks) >= _FEWEST_BEFORE_END]
    if not seen:
        return _still_climbing(evidence, lives, ended)
    # An environment whose first invocation dies needs that memory for a single job.
    if any(len(life.marks) < _FEWEST_BEFORE_END for life in seen):
        return None
    if not _climb_evenly(evidence, seen) and not _climb_straight(evidence, seen):
        return None
    size = evidence.configuration.memory_mb
    lasts = tuple(life.last for life in ended if life.last is not None)
    share = share_of_failures(evidence, len(ended))
    return _finding(
        weighed_down(0.92 if len(ended) > 1 else 0.75, share),
        f"in {len(ended)} execution environments the memory rose with every invocation until the "
        f"limit of {size} MB, and a fresh environment began low again",
        reports_of(lasts),
    )


def _still_climbing(evidence: Evidence, lives: list[Life], ended: list[Life]) -> Finding | None:
    """Long lives that climb in a straight line, far up already, though none is seen to the end.

    Only where nothing else fails than environments of whose life the log shows the end alone: a
    climb beside other failures is not what the alarm is about.
    """
    if len(evidence.failures) > len(ended):
        return None
    size = evidence.configuration.memory_mb
    long = [life for life in lives if len(life.marks) >= _LONG_LIFE]
    if not long or not _climb_straight(evidence, long):
        return None
    if max(life.marks[-1] for life in long) < _HIGH_ALREADY * size:
        return None
    lasts = tuple(life.last for life in long if life.last is not None)
    return _finding(
        0.8 if len(long) > 1 else 0.7,
        f"in {len(long)} execution environments the memory rises in a straight line with every "
        f"invocation, towards the limit of {size} MB",
        reports_of(lasts),
    )


def may_be_a_leak(evidence: Evidence) -> bool:
    """Whether every environment that ended had been well, and fuller with each invocation.

    Too few steps to tell a leak from inputs of all sizes; but more memory only delays a leak. Nor
    can it be told where the log shows no more of those environments than their end.
    """
    ended = [life for life in lives_of(evidence) if life.is_cut_off]
    if ended and not any(life.is_whole for life in ended):
        return True
    return len(ended) > 1 and all(
        len(life.marks) > 1 and all(step > 0 for step in life.steps) for life in ended
    )


def _climb_evenly(evidence: Evidence, ended: list[Life]) -> bool:
    """Whether nearly every step goes up, about as much each time, and far in all.

    Random inputs also push a high-water mark up, but ever more rarely; growing inputs do so
    without beginning low again in the next environment.
    """
    # The last mark is cut off at the limit, so the step to it says nothing of the slope.
    steps = [step for life in ended for step in life.steps[:-1]] or [0]
    up = sorted(step for step in steps if step > 0)
    if len(steps) < _FEWEST_STEPS or len(up) < _MOST_STEPS_UP * len(steps):
        return False
    middle = up[len(up) // 2]
    even = sum(_LEAST_EVEN * middle <= step <= middle / _LEAST_EVEN for step in up)
    return _have_climbed(evidence, ended) and even >= _MOST_STEPS_UP * len(up)


def _climb_straight(evidence: Evidence, lives: list[Life]) -> bool:
    """Whether the marks of each life lie on a straight line that goes far up.

    So does a leak that only some of the calls feed, which leaves steps of nothing in between.
    """
    for life in lives:
        marks = life.marks[:-1] if life.is_cut_off else life.marks
        steps_up = sum(later > earlier for earlier, later in pairwise(marks))
        if len(marks) < _FEWEST_STRAIGHT or steps_up < _LEAST_STEPS_UP * (len(marks) - 1):
            return False
        try:
            if correlation(range(len(marks)), marks) < _LEAST_STRAIGHT:
                return False
        except StatisticsError:
            return False
    return _have_climbed(evidence, lives)


def _have_climbed(evidence: Evidence, lives: list[Life]) -> bool:
    least = _LEAST_CLIMB * evidence.configuration.memory_mb
    return min(life.marks[-1] - life.marks[0] for life in lives) >= least


def lives_of(evidence: Evidence) -> list[Life]:
    """Split each log stream where its environment began anew."""
    lives: list[Life] = []
    current: dict[str, Life] = {}
    known = _streams_seen_from_the_start(evidence)
    for invocation in evidence.invocations:
        used = invocation.max_memory_used_mb
        if used is None or not has_present_size(evidence, invocation):
            continue
        life = current.get(invocation.stream)
        if life is None or invocation.init_ms is not None or used < life.marks[-1]:
            is_whole = invocation.init_ms is not None or invocation.stream in known
            life = current[invocation.stream] = Life(is_whole=is_whole)
            known.add(invocation.stream)
            lives.append(life)
        life.marks.append(used)
        life.last = invocation
        if invocation.status in {"timeout", "out_of_memory", "crash"}:
            del current[invocation.stream]
            life.is_cut_off = _is_at_limit(invocation)
    return lives


def _streams_seen_from_the_start(evidence: Evidence) -> set[str]:
    """Give the environments of which the log shows how they were started."""
    first: dict[str, LogLine] = {}
    for line in evidence.log_lines:
        first.setdefault(line.stream, line)
    return {
        stream for stream, line in first.items() if read_record(line.message).kind == "init_start"
    }


def _is_at_limit(invocation: Invocation) -> bool:
    share = memory_share(invocation) or 0.0
    near = _ENDED_NEAR if invocation.status == "crash" else _KILLED_NEAR
    return invocation.status == "out_of_memory" or share >= near


def _finding(confidence: float, why: str, cites: tuple[str, ...]) -> Finding:
    return Finding(
        cause=RootCause.MEMORY_LEAK,
        confidence=confidence,
        why=f"{why}: more memory only delays the end",
        cites=cites,
        is_repairable=False,
    )


MEMORY_LEAK = Cause(
    label=RootCause.MEMORY_LEAK,
    signal=(
        "Max Memory Used rises by about as much with each invocation of one environment, up to "
        "the limit or in a straight line towards it, and begins low again in the next environment."
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
    diagnose=_diagnose,
    explains=(
        RootCause.MEMORY_EXHAUSTED,
        RootCause.TIMEOUT_TOO_LOW,
        RootCause.CODE_BUG,
        RootCause.FALSE_ALARM,
        RootCause.INSUFFICIENT_EVIDENCE,
        RootCause.UNKNOWN,
    ),
)
