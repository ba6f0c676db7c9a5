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
# "18 of 512 MB", "1.2 GB/2 GB", "34% used", "180 MB free": the use beside the whole, or the rest.
_OF_WHOLE = re.compile(
    r"(?<![\w.])(\d{1,9}(?:\.\d{1,3})?) ?(?:([KMG])i?B)? ?(?:out of|of|/) ?"
    r"\d{1,9}(?:\.\d{1,3})? ?([KMG])i?B",
    re.IGNORECASE,
)
_PERCENT = re.compile(r"(?<![\w.])(\d{1,3}(?:\.\d{1,3})?) ?%")
_FREE_BEHIND = re.compile(
    r"(?<![\w.])(\d{1,9}(?:\.\d{1,3})?) ?[KMG]i?B (?:is |are )?(?:still )?"
    r"(?:free|left|available|remaining)",
    re.IGNORECASE,
)
_ABOUT_DISK = re.compile(_PLACE, re.IGNORECASE)
_TAKEN = re.compile(
    r"\b(?:used|usage|in use|full|taken|filled|occupied)\b|used(?=[A-Z_\"])", re.IGNORECASE
)
_REST = re.compile(r"free|left|avail|remain", re.IGNORECASE)
_IN_MB = {"k": 1 / 1024, "m": 1.0, "g": 1024.0}


def are_left_behind(evidence: Evidence, failed: tuple[Invocation, ...]) -> bool:
    """Whether files of earlier jobs fill the disk, and not the job at hand.

    Either the use of /tmp that the log tells climbs from job to job in each environment, or what it
    tells by any name does so and begins anew with the next one, or environments do well at first,
    fail at last with no larger job, and none fails from the start.
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
    if _begins_anew(ended, lines):
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
    # What stands behind "of" is the whole disk.
    named = [
        value
        for text in said
        for name, value in sizes_mb(text)
        if _USED.search(name) and not name.endswith(" of")
    ]
    # The last word of each job: what grows while one job runs is its own.
    last = [_last_use(lines.get(i.request_id, [])) for i in life]
    of_whole = [use for use, _ in last if use is not None]
    share = [percent for _, percent in last if percent is not None]
    behind = [float(m[1]) for text in said for m in _USED_BEHIND.finditer(text)]
    files = [float(m[1] or m[2] or m[3]) for text in said if (m := _FILES.search(text)) is not None]
    told = [v for v in (named, behind, files, of_whole, share) if len(v) >= _STEPS]
    if any(_has_climbed(values) for values in told) or _has_run_low(life, lines):
        return True
    if any(_rises_with_every_job(values) for values in _by_name(life, lines)):
        return True
    # A count of files may be of this job's; a use that goes up and down is emptied in between.
    return False if any(len(v) >= _STEPS for v in (named, behind, of_whole)) else None


def _last_use(own: list[LogLine]) -> tuple[float | None, float | None]:
    """Give the use of the disk in MB and in percent that a job told last; None where it did not."""
    use = percent = None
    for line in own:
        text = line.message[:_LOOKED_AT]
        if not (_ABOUT_DISK.search(text) and _TAKEN.search(text)) or _REST.search(text):
            continue
        for match in _OF_WHOLE.finditer(text):
            use = float(match[1]) * _IN_MB[(match[2] or match[3]).lower()]
        for match in _PERCENT.finditer(text):
            percent = float(match[1])
    return use, percent


def _has_run_low(life: list[Invocation], lines: dict[str, list[LogLine]]) -> bool:
    """Whether the space left on the disk, where jobs tell it, is less with each of them."""
    left = [
        float(told[-1])
        for i in life
        if (told := [free for line in lines.get(i.request_id, []) for free in _free_in(line)])
    ]
    falls = all(later <= earlier for earlier, later in pairwise(left))
    return len(left) >= _STEPS and falls and left[0] >= _LEAST_CLIMB * max(left[-1], 1.0)


def _free_in(line: LogLine) -> list[str]:
    text = line.message[:_LOOKED_AT]
    return _FREE_BEHIND.findall(text) if _ABOUT_DISK.search(text) else []


def _begins_anew(ended: list[list[Invocation]], lines: dict[str, list[LogLine]]) -> bool:
    """Whether a told size rises through each environment and is low again in the next.

    Then it is not the job that grows, by whatever name it goes: the next job would be as large.
    """
    ordered = sorted(ended, key=lambda life: life[0].started_at)
    if len(ordered) < _SEVERAL_LIVES or any(
        later[0].started_at < earlier[-1].started_at for earlier, later in pairwise(ordered)
    ):
        return False
    told = [_told_by_name(life, lines) for life in ordered]
    return any(
        all(_rises_with_every_job(values.get(name, [])) for values in told)
        and all(
            _LEAST_CLIMB * later[name][0] <= earlier[name][-1] for earlier, later in pairwise(told)
        )
        for name in told[0]
    )


def _has_climbed(told: list[float]) -> bool:
    rises = all(later >= earlier for earlier, later in pairwise(told))
    return rises and told[-1] >= _LEAST_CLIMB * max(told[0], 1.0)


def _by_name(life: list[Invocation], lines: dict[str, list[LogLine]]) -> Iterable[list[float]]:
    """Give the sizes that the jobs of one environment tell, but those of the jobs themselves."""
    told = _told_by_name(life, lines)
    return [values for name, values in told.items() if not _OF_A_JOB.search(name)]


def _told_by_name(
    life: list[Invocation], lines: dict[str, list[LogLine]]
) -> dict[str, list[float]]:
    """Give the sizes that the successes of one environment tell, by the words that name them."""
    found: dict[str, list[float]] = defaultdict(list)
    for invocation in life:
        if invocation.status != "success":
            continue
        own = dict(_sizes(lines.get(invocation.request_id, [])))
        for name, value in own.items():
            found[name].append(value)
    return dict(found)


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
