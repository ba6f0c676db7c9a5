"""Leftovers: whether files of earlier jobs fill /tmp, and not the job at hand."""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Iterable
from itertools import pairwise

from autorepair.causes.limits import lines_of
from autorepair.causes.quantities import sizes_mb
from autorepair.domain.evidence import Evidence, Invocation, LogLine
from autorepair.domain.log_records import read_record

# Environments that do well at first and then never again: several, or a long-lived one alone.
_SEVERAL_LIVES, _FIRST_SUCCESSES = 2, 2
_SUCCESSES_ALONE, _FAILURES_ALONE = 5, 3
# A use of the disk that the log tells, over the jobs of one environment.
_STEPS, _LEAST_CLIMB = 4, 1.5
# Any other quantity that rises with nearly every job of one environment.
_MANY_STEPS, _MOST_STEPS_UP = 7, 0.8
# Jobs that fail for their size are larger than those that went well.
_LARGER = 1.25
_LOOKED_AT = 2000

_USED = re.compile(r"tmp.{0,12}used|used.{0,12}tmp|disk.{0,8}used|/tmp.{0,10}usage", re.IGNORECASE)
_NOT_OF_A_JOB = re.compile(
    r"used|usage|free|avail|limit|capacity|quota|left|remain|memory|heap|rss|ram|disk|tmp|^of$",
    re.IGNORECASE,
)
_OF_A_JOB = re.compile(
    r"archive|input|download|upload|packed|source|object|video|image|dump|export|report|page|dataset",
    re.IGNORECASE,
)
_PLACE = r"(?:/tmp|\btmp|\btemp(?:orary)?|\bscratch|\bdisk)\b"
_USED_BEHIND = re.compile(
    rf"{_PLACE}[^\n]{{0,60}}?(\d{{1,9}}(?:\.\d{{1,3}})?) ?[KMG]i?B "
    rf"(?:is |are )?(?:used|in use|taken)",
    re.IGNORECASE,
)
_FILES = re.compile(
    rf"{_PLACE}[^\n\d]{{0,40}}(\d{{1,9}}) (?:\w{{1,12}} ){{0,2}}"
    r"(?:files?|entries|items|artifacts)\b"
    rf"|\b(\d{{1,9}}) (?:\w{{1,12}} ){{0,2}}(?:files|entries|items|artifacts) (?:\w{{1,8}} ){{0,2}}"
    rf"(?:in|under|on) (?:the )?{_PLACE}"
    r"|\b(?:tmp|temp|scratch)_?(?:dir_?)?(?:files?|entries)(?:_?count)?[\"']?\s?[=:]\s?(\d{1,9})",
    re.IGNORECASE,
)


def are_left_behind(evidence: Evidence, failed: tuple[Invocation, ...]) -> bool:
    """Whether files of earlier jobs fill the disk, and not the job at hand.

    Either the use of /tmp that the log tells climbs from job to job in each environment, or
    environments do well at first, fail at last with no larger job, and none fails from the start.
    """
    failing = {i.request_id for i in failed}
    lives: dict[str, list[Invocation]] = {}
    for invocation in evidence.invocations:
        if invocation.status != "unfinished":
            lives.setdefault(invocation.stream, []).append(invocation)
    ended = [life for life in lives.values() if any(i.request_id in failing for i in life)]
    lines = lines_of(evidence)
    climbs = [_climbs(life, lines) for life in ended]
    if climbs and all(climb is True for climb in climbs):
        return True
    if any(climb is False for climb in climbs) or not ended:
        return False
    if not all(_fills_up(life, failing, alone=len(ended) < _SEVERAL_LIVES) for life in ended):
        return False
    return not _has_larger_jobs((i for life in ended for i in life), failing, lines)


def _fills_up(life: list[Invocation], failing: set[str], *, alone: bool) -> bool:
    """Whether an environment did well at first, and never again since the disk was full."""
    first = next(n for n, i in enumerate(life) if i.request_id in failing)
    least, rest = (_SUCCESSES_ALONE, _FAILURES_ALONE) if alone else (_FIRST_SUCCESSES, 1)
    is_long = first >= least and len(life) - first >= rest
    return is_long and all(i.has_failed for i in life[first:])


def _climbs(life: list[Invocation], lines: dict[str, list[LogLine]]) -> bool | None:
    """Whether the told use of the disk climbs over an environment's life; None if untold."""
    said = [line.message[:_LOOKED_AT] for i in life for line in lines.get(i.request_id, [])]
    named = [value for text in said for name, value in sizes_mb(text) if _USED.search(name)]
    behind = [float(m[1]) for text in said for m in _USED_BEHIND.finditer(text)]
    files = [float(m[1] or m[2] or m[3]) for text in said if (m := _FILES.search(text)) is not None]
    told = [values for values in (named, behind, files) if len(values) >= _STEPS]
    if any(_has_climbed(values) for values in told):
        return True
    if any(_rises_with_every_job(values) for values in _by_name(life, lines)):
        return True
    # A count of files may be of this job's; a use that goes up and down is emptied in between.
    return False if len(named) >= _STEPS or len(behind) >= _STEPS else None


def _has_climbed(told: list[float]) -> bool:
    rises = all(later >= earlier for earlier, later in pairwise(told))
    return rises and told[-1] >= _LEAST_CLIMB * max(told[0], 1.0)


def _by_name(life: list[Invocation], lines: dict[str, list[LogLine]]) -> Iterable[list[float]]:
    """Give the sizes that the jobs of one environment tell, by the words that name them."""
    found: dict[str, list[float]] = defaultdict(list)
    for invocation in life:
        if invocation.status != "success":
            continue
        own = dict(_sizes(lines.get(invocation.request_id, [])))
        for name, value in own.items():
            if not _OF_A_JOB.search(name):
                found[name].append(value)
    return found.values()


def _rises_with_every_job(told: list[float]) -> bool:
    steps_up = sum(later > earlier for earlier, later in pairwise(told))
    is_long = len(told) >= _MANY_STEPS and steps_up >= _MOST_STEPS_UP * (len(told) - 1)
    return is_long and _has_climbed(told)


def _has_larger_jobs(
    life: Iterable[Invocation], failing: set[str], lines: dict[str, list[LogLine]]
) -> bool:
    """Whether the failing jobs are larger than any that went well, by the sizes that they tell."""
    sizes: dict[bool, list[float]] = {True: [0.0], False: [0.0]}
    for invocation in life:
        sizes[invocation.request_id in failing] += [
            value
            for name, value in _sizes(lines.get(invocation.request_id, []))
            if not _NOT_OF_A_JOB.search(name)
        ]
    return max(sizes[True]) > _LARGER * max(sizes[False])


def _sizes(own: list[LogLine]) -> list[tuple[str, float]]:
    """Give the sizes that an invocation tells, but not those of its report."""
    return [
        told
        for line in own
        if read_record(line.message).kind in {"speech", "failure"}
        for told in sizes_mb(line.message[:_LOOKED_AT])
    ]
