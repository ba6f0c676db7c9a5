"""Memory that a large job fills: small ones after it report the same high-water mark."""

from __future__ import annotations

import json

import pytest

from autorepair.causes.memory import MEMORY_EXHAUSTED
from autorepair.domain.diagnosis import Finding
from autorepair.domain.evidence import Evidence
from unit.logbook import Logbook


def exhausted(evidence: Evidence) -> Finding | None:
    return MEMORY_EXHAUSTED.diagnose(evidence)


CHILD = {
    "errorType": "Error",
    "errorMessage": "ffmpeg was killed with signal SIGKILL",
    "stack": ["Error: ffmpeg was killed with signal SIGKILL", "    at ChildProcess.<anonymous>"],
}


def after_small_jobs(words: str, *, used_mb: int = 512, small_mb: int = 300) -> Logbook:
    """Write a log of one environment: small jobs, large ones that fail, and small ones again."""
    log = Logbook(memory_mb=512)
    log.succeed(600, 700, 650, 620, used_mb=small_mb)
    for _ in range(4):
        log.call(900, used_mb=used_mb, says=[(0.5, words)])
        log.succeed(600, 640, 610, used_mb=max(used_mb, small_mb))
    return log


@pytest.mark.parametrize(
    "says",
    [
        "ffmpeg was killed with signal SIGKILL",
        "Command failed: soffice --headless\nConverter terminated by signal SIGKILL",
        "child exited with code null, killed by SIGKILL",
    ],
)
def test_small_jobs_after_a_large_one_do_not_hide_that_it_filled_the_memory(says: str) -> None:
    words = json.dumps({**CHILD, "errorMessage": says})
    finding = exhausted(after_small_jobs(words).evidence(runtime="nodejs22.x"))
    assert finding is not None
    assert finding.need is not None
    assert finding.confidence >= 0.8


def test_a_child_that_is_killed_in_half_a_memory_or_by_a_time_limit_had_enough() -> None:
    assert exhausted(after_small_jobs(json.dumps(CHILD), used_mb=300).evidence()) is None
    timed = json.dumps(CHILD).replace("SIGKILL", "SIGTERM")
    assert exhausted(after_small_jobs(timed).evidence()) is None


def test_a_function_that_fills_its_memory_before_anything_fails_shows_nothing_by_it() -> None:
    assert exhausted(after_small_jobs(json.dumps(CHILD), small_mb=512).evidence()) is None


DIRECT = (
    "Cannot reserve {asked} bytes of direct buffer memory (allocated: {held}, limit: {limit}): "
    "java.lang.OutOfMemoryError\njava.lang.OutOfMemoryError: Cannot reserve {asked} bytes of "
    "direct buffer memory (allocated: {held}, limit: {limit})\n"
    "\tat java.base/java.nio.Bits.reserveMemory"
)


def direct(*, limit_mb: int, option: str | None = None) -> Logbook:
    log = after_small_jobs(
        DIRECT.format(asked=2**26, held=(limit_mb - 32) * 2**20, limit=limit_mb * 2**20),
        used_mb=506,
    )
    if option is not None:
        log.write(f"Picked up JAVA_TOOL_OPTIONS: {option}")
    return log


def test_direct_buffers_that_fill_what_the_size_gives_need_memory() -> None:
    for log in (direct(limit_mb=435), direct(limit_mb=435, option="-XX:+TieredCompilation")):
        finding = exhausted(log.evidence(runtime="java21"))
        assert finding is not None
        assert finding.need is not None


def test_direct_buffers_that_an_option_limits_are_for_people() -> None:
    option = "-XX:MaxDirectMemorySize=400m"
    for log in (direct(limit_mb=128), direct(limit_mb=400, option=option)):
        finding = exhausted(log.evidence(runtime="java21"))
        assert finding is not None
        assert finding.need is None
        assert not finding.is_repairable
