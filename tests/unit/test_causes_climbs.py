"""A climb of memory in one environment: kept from call to call, or what the jobs need."""

from __future__ import annotations

from collections.abc import Sequence
from math import sqrt

import pytest

from autorepair.causes.weighing import diagnose
from autorepair.domain.diagnosis import Diagnosis, RootCause
from unit.around import in_json
from unit.logbook import Logbook, cites_exist

JAVA = (
    "GC overhead limit exceeded: java.lang.OutOfMemoryError\n"
    "java.lang.OutOfMemoryError: GC overhead limit exceeded\n\tat com.p.Keys.intern(Keys.java:22)"
)
PYTHON = "[ERROR] MemoryError: \nTraceback (most recent call last):\n  File app.py, line 3, in f"
DOTNET = '{"errorType": "System.OutOfMemoryException", "errorMessage": "Insufficient memory"}'


def climb(
    marks: Sequence[float],
    *,
    words: str | None = None,
    ends: int = 2,
    size: int = 1024,
    log: Logbook | None = None,
) -> Logbook:
    """Write one environment's calls with these marks, and failures (or a kill) at the top."""
    log = log or Logbook(memory_mb=size)
    for mark in marks:
        log.call(60, used_mb=round(mark))
    for n in range(ends):
        if words is None:
            log.be_killed()
        else:
            log.call(900, used_mb=round(max(marks)) + 4 * n, says=[(0.5, words)])
    return log


def straight(count: int, first: float, last: float) -> list[float]:
    return [first + (last - first) * n / (count - 1) for n in range(count)]


def concluded(log: Logbook, runtime: str = "java21") -> Diagnosis:
    evidence = log.evidence(runtime=runtime)
    diagnosis = diagnose(evidence)
    assert cites_exist(diagnosis, evidence)
    return diagnosis


def is_leak(diagnosis: Diagnosis) -> bool:
    return (diagnosis.root_cause, diagnosis.need) == (RootCause.MEMORY_LEAK, None)


@pytest.mark.parametrize(
    ("words", "runtime"), [(JAVA, "java21"), (PYTHON, "python3.12"), (DOTNET, "dotnet8")]
)
@pytest.mark.parametrize("ends", [1, 2, 12])
def test_a_straight_climb_to_where_the_runtime_gives_up_is_a_leak(
    words: str, runtime: str, ends: int
) -> None:
    log = climb(straight(60, 300, 960), words=words, ends=ends)
    assert is_leak(concluded(log, runtime))


@pytest.mark.parametrize("count", [8, 20, 70])
@pytest.mark.parametrize("size", [256, 3008])
def test_a_straight_climb_of_one_environment_that_is_killed_is_a_leak(
    count: int, size: int
) -> None:
    log = climb(straight(count, 0.3 * size, 0.97 * size), ends=1, size=size)
    assert is_leak(concluded(log))


def test_a_second_environment_that_climbs_beside_it_is_no_other_story() -> None:
    log = climb(straight(40, 300, 940), words=JAVA)
    log.enter("second")
    climb(straight(15, 300, 520), ends=0, log=log)
    assert is_leak(concluded(log))


def test_a_climb_after_the_first_calls_have_warmed_up_is_a_leak() -> None:
    log = climb([180, 330, 360, 380, *straight(40, 390, 950)], words=JAVA)
    assert is_leak(concluded(log))


def test_a_climb_that_only_some_of_the_calls_feed_is_a_leak() -> None:
    marks = [300 + 70 * (n // 5) for n in range(48)]
    assert is_leak(concluded(climb(marks, words=JAVA)))


def test_time_outs_at_the_top_of_a_climb_are_its_end() -> None:
    log = climb(straight(50, 300, 930), ends=0)
    log.time_out(used_mb=940)
    assert is_leak(concluded(log))


def test_a_leak_is_seen_in_the_json_format_as_well() -> None:
    log = climb(straight(40, 300, 960), ends=1)
    assert is_leak(concluded(in_json(log)))


def needs_memory(diagnosis: Diagnosis) -> bool:
    return diagnosis.root_cause is RootCause.MEMORY_EXHAUSTED and diagnosis.need is not None


@pytest.mark.parametrize(
    "marks",
    [
        [300 + 560 * sqrt(n / 40) for n in range(41)],
        [900 - 600 * 0.8**n for n in range(40)],
        [320, 500, 610, 650, 655, 655, 660, 660, 660, 660, 661, 661],
        [400] * 30,
        [300, 300, 300, 640, 640, 640, 640, 640, 870, 870, 870, 870],
    ],
    ids=["root", "saturating", "warming up", "level", "records"],
)
def test_what_warms_up_and_levels_off_needs_memory_for_its_jobs(marks: list[float]) -> None:
    log = climb(marks, ends=0)
    for _ in range(3):
        log.call(900, used_mb=940, says=[(0.5, JAVA)])
    assert needs_memory(concluded(log))


def test_few_calls_that_each_need_more_are_for_a_person_to_decide() -> None:
    diagnosis = concluded(climb([300, 420, 600, 610, 880], ends=1))
    assert needs_memory(diagnosis)
    assert diagnosis.confidence < 0.8


def test_jobs_that_grow_from_call_to_call_need_memory() -> None:
    log = Logbook(memory_mb=1024)
    for n in range(30):
        log.call(100 + 40 * n, used_mb=300 + 21 * n, says=[(0.01, f"loading {100 + 50 * n} rows")])
    log.call(2000, used_mb=940, says=[(0.01, "loading 1700 rows"), (0.5, PYTHON)])
    assert needs_memory(concluded(log, "python3.12"))


def test_a_count_of_what_is_kept_does_not_hide_a_leak() -> None:
    log = Logbook(memory_mb=1024)
    for n in range(30):
        log.call(
            100 + n % 7, used_mb=300 + 21 * n, says=[(0.01, f"cache has {100 + 50 * n} items")]
        )
    log.call(100, used_mb=940, says=[(0.01, "cache has 1650 items"), (0.05, PYTHON)])
    assert is_leak(concluded(log, "python3.12"))


def test_a_fresh_environment_that_dies_at_once_needs_memory() -> None:
    log = climb(straight(30, 300, 930), ends=1)
    for n in range(3):
        log.enter(f"fresh{n}")
        log.be_killed()
    assert needs_memory(concluded(log))
