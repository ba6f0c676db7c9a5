"""Files of earlier jobs that fill /tmp, told from a job that is too large for it."""

from __future__ import annotations

import pytest

from autorepair.causes.storage import EPHEMERAL_STORAGE_FULL
from autorepair.causes.weighing import diagnose
from autorepair.domain.diagnosis import Finding, RootCause
from autorepair.domain.evidence import Evidence
from unit.logbook import Logbook

PYTHON = (
    "[ERROR] OSError: [Errno 28] No space left on device\n"
    "Traceback (most recent call last):\n  File app.py, line 3, in handler"
)
NODE = (
    '{"errorType": "Error", "errorMessage": "ENOSPC: no space left on device, write", '
    '"code": "ENOSPC", "stack": ["Error: ENOSPC: no space left on device, write"]}'
)
GO = '{"errorMessage": "write /tmp/x: no space left on device", "errorType": "PathError"}'


def find(evidence: Evidence) -> Finding | None:
    return EPHEMERAL_STORAGE_FULL.diagnose(evidence)


def is_for_people(log: Logbook) -> bool:
    evidence = log.evidence()
    finding = find(evidence)
    assert diagnose(evidence).root_cause is RootCause.EPHEMERAL_STORAGE_FULL
    return finding is not None and finding.need is None and not finding.is_repairable


def fills(
    good: list[str], bad: list[str], *, words: str = PYTHON, log: Logbook | None = None
) -> Logbook:
    """Write one environment's calls: those that went well, and those that found no space."""
    log = log or Logbook()
    for said in good:
        log.call(300, says=[(0.1, said)])
    for said in bad:
        log.call(300, says=[(0.1, said), (0.2, words)])
    return log


@pytest.mark.parametrize("words", [PYTHON, NODE, GO])
@pytest.mark.parametrize("count", [5, 12, 60])
def test_one_environment_that_does_well_and_then_never_again_is_full_of_leftovers(
    words: str, count: int
) -> None:
    assert is_for_people(fills(["label drawn"] * count, ["label"] * 4, words=words))


@pytest.mark.parametrize(
    "told",
    [
        "rendered (12.4 MB), /tmp has {n} files, {mb} MB used",
        '{{"msg": "done", "tmpUsedMb": {mb}}}',
        "df /tmp: {mb} MB used of 512 MB",
        '{{"message": "cleanup skipped", "tmp_files": {n}}}',
        "{n} old files in /tmp",
        "workdir size {mb} MB",
    ],
)
def test_a_use_or_a_count_that_climbs_from_job_to_job_is_of_leftovers(told: str) -> None:
    good = [told.format(n=n, mb=12 * n) for n in range(1, 9)]
    assert is_for_people(fills(good, [told.format(n=9, mb=509)]))


def needs_space(log: Logbook) -> bool:
    finding = find(log.evidence())
    return finding is not None and finding.need is not None and finding.confidence >= 0.8


def test_jobs_that_are_larger_than_those_that_went_well_need_space() -> None:
    good = [f"unpacking archive of {size} MB" for size in (110, 180, 90, 210, 150, 120, 170)]
    bad = [f"unpacking archive of {size} MB" for size in (620, 700, 660)]
    assert needs_space(fills(good, bad))


def test_jobs_that_grow_from_one_to_the_next_need_space() -> None:
    good = [f"unpacking archive of {size} MB" for size in range(100, 480, 40)]
    assert needs_space(fills(good, ["unpacking archive of 640 MB"] * 3))


def test_a_disk_that_is_emptied_in_between_is_no_heap_of_leftovers() -> None:
    good = [f"tmp_used_mb={used}" for used in (80, 300, 90, 410, 70, 350)]
    assert needs_space(fills(good, ["tmp_used_mb=500"] * 4))


def test_an_environment_that_recovers_is_not_full_of_leftovers() -> None:
    log = fills(["small"] * 9, ["large"] * 2)
    fills(["small"] * 3, ["large"] * 2, log=log)
    assert needs_space(log)


def test_a_fresh_environment_that_fails_at_once_needs_space() -> None:
    log = fills(["small"] * 9, ["large"] * 3)
    log.enter("fresh")
    assert needs_space(fills([], ["large"] * 3, log=log))


def test_one_or_two_failures_of_one_environment_may_be_of_large_jobs() -> None:
    assert needs_space(fills(["small"] * 9, ["large"] * 2))


@pytest.mark.parametrize(
    "told",
    [
        "on /tmp used {mb} of 512 MB",
        "disk /tmp usage: {mb}/512 MB",
        "now /tmp is {n}% full",
        "{left} MB free on /tmp",
        "tmp: {mb}MB of 512MB used",
    ],
)
def test_a_use_told_beside_the_whole_or_by_the_rest_climbs_as_well(told: str) -> None:
    log = Logbook()
    for stream in ("a", "b"):
        log.enter(stream)
        good = [told.format(n=5 * n, mb=17 * n + 1, left=512 - 17 * n) for n in range(1, 30)]
        fills(good, [told.format(n=100, mb=511, left=1)] * 3, log=log)
    assert is_for_people(log)


@pytest.mark.parametrize(
    "told", ["job done, /tmp used {mb} of 512 MB", "unpacking, /tmp used {mb} of 512 MB"]
)
def test_a_use_beside_the_whole_that_goes_up_and_down_is_of_the_jobs(told: str) -> None:
    good = [told.format(mb=mb) for mb in (80, 300, 90, 410, 70, 350)]
    assert needs_space(fills(good, [told.format(mb=512)] * 4))


def test_what_one_job_fills_while_it_runs_is_its_own() -> None:
    log = Logbook()
    for _ in range(2):
        steps = [(0.1 * n, f"now /tmp used {100 * n} of 512 MB") for n in range(1, 5)]
        log.call(900, says=steps)
    log.fail(PYTHON)
    assert needs_space(log)


def test_a_size_that_rises_and_begins_anew_with_each_environment_is_no_jobs() -> None:
    log = Logbook()
    for stream in ("a", "b"):
        log.enter(stream)
        good = [f"render output dir holds {20 * n} MB" for n in range(1, 10)]
        fills(good, ["render output dir holds 200 MB"] * 2, log=log)
    assert is_for_people(log)


def test_jobs_that_go_on_growing_in_the_next_environment_need_space() -> None:
    log = Logbook()
    for stream, first in (("a", 100), ("b", 300)):
        log.enter(stream)
        good = [f"unpacking archive of {first + 20 * n} MB" for n in range(9)]
        fills(good, [f"unpacking archive of {640 + first} MB"] * 2, log=log)
    assert needs_space(log)
