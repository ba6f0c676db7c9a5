"""Leaks: environments that hold on to memory from invocation to invocation."""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from itertools import pairwise
from statistics import StatisticsError, correlation

from autorepair.causes.cause import Cause
from autorepair.causes.limits import memory_share, reports_of, share_of_failures, weighed_down
from autorepair.causes.lives import Life, lives_of
from autorepair.causes.spent_time import SpentTime
from autorepair.domain.diagnosis import Finding, RootCause
from autorepair.domain.evidence import Evidence, Invocation

# A high-water mark in one environment: successes before the end, each higher than the last.
_FEWEST_STEPS = 4
_FEWEST_BEFORE_END = 3
_MOST_STEPS_UP = 0.8
_LEAST_CLIMB = 0.25
_LEAST_EVEN = 0.25
# A straight line through the marks: chance pushes a high-water mark up ever more rarely.
_LEAST_STRAIGHT = 0.97
_FEWEST_STRAIGHT = 6
_LEAST_STEPS_UP, _MANY_STEPS_UP = 0.5, 8
# What warms up levels off: the last third of a climb that goes on is as steep as the first.
_THIRDS, _LEAST_STEEP, _AS_STEEP = 12, 0.4, 0.75
# In the first calls a runtime compiles, loads and fills its caches, which is not the climb.
_WARMING_UP = 0.2
# One environment alone: so many marks, for one that is seen to the end and for one that is not.
_LONG_LIFE, _LONG_ALONE = 8, 20
_HIGH_ALREADY = 0.6
# Failures at the top of the climb are its end, whatever they look like.
_AT_THE_TOP, _NEARLY_ALL = 0.85, 0.8
# Jobs that grow from call to call: their count, and the time they take, rise together.
_IN_STEP = 0.8


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
    if not _began_low_again(lives) and _grow_with_jobs(evidence, seen):
        return None
    size = evidence.configuration.memory_mb
    failed = tuple(i for life in ended for i in life.ends)
    share = share_of_failures(evidence, len(failed))
    again = ", and a fresh environment began low again" if _began_low_again(lives) else ""
    return _finding(
        weighed_down(_confidence(seen, several=0.92, one=0.75), share),
        f"in {len(ended)} execution environments the memory rose from invocation to invocation "
        f"until the limit of {size} MB{again}",
        reports_of(failed),
    )


def _still_climbing(evidence: Evidence, lives: list[Life], ended: list[Life]) -> Finding | None:
    """Long lives that climb in a straight line, far up already, though none is seen to the end.

    Only where nothing else fails than invocations at the top of such a climb, and environments of
    whose life the log shows the end alone: a climb beside other failures is not what the alarm is
    about.
    """
    size = evidence.configuration.memory_mb
    long = [life for life in lives if len(life.marks) >= _LONG_LIFE]
    if not long or not _climb_straight(evidence, long):
        return None
    known = {i.request_id for life in ended for i in life.ends}
    topping = {i.request_id for i in evidence.failures if _is_at_the_top(i, long)}
    if len(evidence.failures) > len(ended):
        explained = sum(i.request_id in known | topping for i in evidence.failures)
        if not topping or share_of_failures(evidence, explained) < _NEARLY_ALL:
            return None
    if max(life.marks[-1] for life in long) < _HIGH_ALREADY * size:
        return None
    if not _began_low_again(lives) and _grow_with_jobs(evidence, long):
        return None
    return _finding(
        _confidence(long, several=0.8, one=0.7),
        f"in {len(long)} execution environments the memory rises in a straight line from "
        f"invocation to invocation, towards the limit of {size} MB",
        reports_of(tuple(life.last for life in long)),
    )


def _is_at_the_top(invocation: Invocation, lives: list[Life]) -> bool:
    share = memory_share(invocation) or 0.0
    return share >= _AT_THE_TOP and any(
        life.invocations[0].stream == invocation.stream
        and life.began_at <= invocation.started_at
        and (invocation.max_memory_used_mb or 0) >= life.slope_marks[-1]
        for life in lives
    )


def _confidence(lives: list[Life], *, several: float, one: float) -> float:
    """Give how sure a climb makes: a long one alone says nearly as much as several do."""
    if len(lives) > 1:
        return several
    return max(one, several - 0.07) if len(lives[0].marks) >= _LONG_ALONE else one


def may_be_a_leak(evidence: Evidence) -> bool:
    """Whether every environment that ended had been well, and fuller with each invocation.

    Too few steps to tell a leak from inputs of all sizes; but more memory only delays a leak. Nor
    can it be told where the log shows no more of those environments than their end.
    """
    ended = [life for life in lives_of(evidence) if life.was_killed]
    if ended and not any(life.is_whole for life in ended):
        return True
    least = 1 if len(ended) > 1 else _FEWEST_STEPS
    return bool(ended) and all(
        len(life.steps) >= least and all(step > 0 for step in life.steps) for life in ended
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
    if any(_levels_off(life.slope_marks, _LEAST_STEEP) for life in ended):
        return False
    even = sum(_LEAST_EVEN * middle <= step <= middle / _LEAST_EVEN for step in up)
    return _have_climbed(evidence, ended) and even >= _MOST_STEPS_UP * len(up)


def _climb_straight(evidence: Evidence, lives: list[Life]) -> bool:
    """Whether the marks of each life lie on a straight line that goes far up.

    So does a leak that only some of the calls feed, which leaves steps of nothing in between.
    """
    return _have_climbed(evidence, lives) and all(
        _is_straight(life.slope_marks) or _is_straight_when_warm(evidence, life) for life in lives
    )


def _is_straight_when_warm(evidence: Evidence, life: Life) -> bool:
    """Whether it goes on as straight after the first calls, and as steep up to the end."""
    marks = life.slope_marks[int(_WARMING_UP * len(life.slope_marks)) :]
    is_long = len(marks) >= _THIRDS and not _levels_off(marks, _AS_STEEP)
    return is_long and _is_straight(marks) and _is_far(evidence, marks)


def _is_straight(marks: list[int]) -> bool:
    steps_up = sum(later > earlier for earlier, later in pairwise(marks))
    least = min(_MANY_STEPS_UP, _LEAST_STEPS_UP * (len(marks) - 1))
    if len(marks) < _FEWEST_STRAIGHT or steps_up < least:
        return False
    try:
        return correlation(range(len(marks)), marks) >= _LEAST_STRAIGHT and not _levels_off(
            marks, _LEAST_STEEP
        )
    except StatisticsError:
        return False


def _levels_off(marks: list[int], least: float) -> bool:
    """Whether the last third of a long climb is far less steep than the first."""
    third = len(marks) // 3
    if len(marks) < _THIRDS:
        return False
    return marks[-1] - marks[-third - 1] < least * (marks[third] - marks[0])


def _have_climbed(evidence: Evidence, lives: list[Life]) -> bool:
    return all(_is_far(evidence, life.marks) for life in lives)


def _is_far(evidence: Evidence, marks: list[int]) -> bool:
    return marks[-1] - marks[0] >= _LEAST_CLIMB * evidence.configuration.memory_mb


def _began_low_again(lives: list[Life]) -> bool:
    """Whether a life began low when another one, longer and of before it, was high already."""
    return any(
        later.began_at > earlier.last.started_at
        and later.marks[0] <= (earlier.marks[0] + earlier.marks[-1]) / 2
        for earlier in lives
        for later in lives
        if len(earlier.marks) >= _FEWEST_BEFORE_END
    )


def _grow_with_jobs(evidence: Evidence, lives: list[Life]) -> bool:
    """Whether the jobs, by the log's own count and by the time they take, grow with the marks.

    A count alone may be that of what is kept, which grows with a leak as well.
    """
    spent = SpentTime(evidence)
    for life in lives:
        told = [i for i in life.invocations if i.status == "success"]
        work = [spent.typical_work((i,)) for i in told]
        took = [i.duration_ms or 0.0 for i in told]
        if not (_rises(work) and _rises(took)):
            return False
    return bool(lives)


def _rises(values: list[float]) -> bool:
    """Whether values rise as they go on, by the ranks of each."""
    order = sorted(values)
    ranks = [(bisect_left(order, value) + bisect_right(order, value)) / 2 for value in values]
    try:
        return correlation(range(len(ranks)), ranks) >= _IN_STEP
    except StatisticsError:
        return False


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
        "Max Memory Used rises by about as much with each invocation of one environment, or in a "
        "straight line over many, up to the limit, to where the runtime gives up, or towards "
        "them; where there is a next environment, it begins low again."
    ),
    proof=(
        "What a single job needs is needed by the first invocation of a fresh environment too; "
        "only what is kept from job to job adds up."
    ),
    silence=(
        "An environment's first invocations already die; the rise is rare, uneven, or levels off "
        "after the first calls; the jobs grow as the memory does, by the log's count and by their "
        "durations; or there are too few invocations of one environment to see a slope."
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
