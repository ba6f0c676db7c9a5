"""Memory: how many steps it takes to meet a need that nobody could see, and by how much too far."""

from __future__ import annotations

import math
import random
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import timedelta
from statistics import fmean

from autorepair.domain.configuration import MAX_MEMORY_MB, FunctionConfiguration
from autorepair.domain.evidence import Evidence
from benchmarks.chance import seeded
from benchmarks.course import run
from benchmarks.patient import Seen, configured, evidence, policy
from benchmarks.table import Bar, bars, percent, table

_SIZES_MB = (128, 256, 512, 1024, 2048)
_SPREADS = (0.5, 0.75, 1.0, 1.5)
_TRIALS = 60
_MOST_STEPS = 8
_POLICY_STEPS = 3
_BEFORE, _PER_WINDOW = 20, 14
_LEAST_OF_NEED, _DURATION_MS = 0.85, 900.0
_LONG_AGO = timedelta(hours=1)
_STEPS_BAR, _OVERSHOOT_BAR = 1.85, 1.55

SETTING = """\
The true need is lognormal around the present size, of those beyond it: the size times
exp(spread x |z|). Half of the invocations come up to the need (85% of it to all of it), the others
to half of the size. What is beyond the size is killed, so that what is seen is cut off there. The
course goes on from the diagnosis through the verdict `still_short` until the state machine would
end it. Needs above 10,240 MB are left out. Overshoot is the last size over the
true need, where it is met."""


@dataclass(frozen=True, slots=True)
class _Met:
    steps: int
    overshoot: float
    is_met: bool


def chapter() -> str:
    """Simulate, and write the chapter on memory."""
    blind = {(size, spread): _trials(size, spread) for size in _SIZES_MB for spread in _SPREADS}
    rows = []
    for spread in _SPREADS:
        known = [met for size in _SIZES_MB for met in _trials(size, spread, is_known=True)]
        rows.append(_row(f"{spread:g}, nothing known", _of(blind, spread=spread)))
        rows.append(_row(f"{spread:g}, size was lowered", known))
    by_size = [_row(f"{size} MB", _of(blind, size=size)) for size in _SIZES_MB]
    head = ("", "steps", "overshoot", "within 3 steps", "met in the end")
    return "\n\n".join(
        (
            "## Memory after a kill",
            SETTING,
            bars(_bars(_of(blind))),
            table(("spread", *head[1:]), rows),
            "The same, where nothing is known, by the size at first:",
            table(("size", *head[1:]), by_size),
        )
    )


def _of(
    blind: dict[tuple[int, float], list[_Met]],
    *,
    size: int | None = None,
    spread: float | None = None,
) -> list[_Met]:
    return [
        met
        for (of_size, of_spread), trials in blind.items()
        if size in {None, of_size} and spread in {None, of_spread}
        for met in trials
    ]


def _bars(met: list[_Met]) -> Iterator[Bar]:
    steps, overshoot = _means(met)
    yield Bar("at most 1.85 steps on average", f"{steps:.2f}", steps <= _STEPS_BAR)
    yield Bar("at most 1.55 times overshoot", f"{overshoot:.2f}", overshoot <= _OVERSHOOT_BAR)


def _means(met: list[_Met]) -> tuple[float, float]:
    return fmean(m.steps for m in met), fmean(m.overshoot for m in met if m.is_met)


def _row(name: str, met: list[_Met]) -> tuple[str, ...]:
    steps, overshoot = _means(met)
    soon = sum(m.is_met and m.steps <= _POLICY_STEPS for m in met)
    ended = sum(m.is_met for m in met)
    return (
        name, f"{steps:.2f}", f"{overshoot:.2f}", percent(soon, len(met)), percent(ended, len(met))
    )  # fmt: skip


def _trials(size_mb: int, spread: float, *, is_known: bool = False) -> list[_Met]:
    """Simulate incidents: without a kill in what was seen there is none."""
    chance = seeded("memory", size_mb, spread, is_known)
    found = list[_Met]()
    while len(found) < _TRIALS:
        need_mb = size_mb * math.exp(spread * abs(chance.gauss()))
        if need_mb > MAX_MEMORY_MB:
            continue
        traffic = _Work(need_mb, size_mb / 2, chance)
        first = traffic.seen(configured(memory_mb=size_mb), _BEFORE)
        if first.failures:
            found.append(_trial(_with_a_past(first, need_mb) if is_known else first, traffic))
    return found


@dataclass(frozen=True, slots=True)
class _Work:
    """Half of the invocations come up to the need, the others to what is common."""

    need_mb: float
    common_mb: float
    chance: random.Random

    def seen(self, configuration: FunctionConfiguration, count: int) -> Evidence:
        limit_mb = configuration.memory_mb
        return evidence(configuration, [self._one(limit_mb, n) for n in range(count)])

    def _one(self, limit_mb: int, number: int) -> Seen:
        share = _LEAST_OF_NEED + (1 - _LEAST_OF_NEED) * self.chance.random()
        wants_mb = self.need_mb * share if number % 2 else self.common_mb
        if wants_mb > limit_mb:
            return "out_of_memory", _DURATION_MS, limit_mb
        return "success", _DURATION_MS, math.ceil(wants_mb)


def _trial(first: Evidence, work: _Work) -> _Met:
    course = run(
        first,
        lambda configuration, windows: work.seen(configuration, windows * _PER_WINDOW),
        policy(steps=_MOST_STEPS),
    )
    last = course.sizes[-1] if course.sizes else first.configuration.memory_mb
    return _Met(len(course.sizes), last / work.need_mb, is_met=last >= work.need_mb)


def _with_a_past(first: Evidence, need_mb: float) -> Evidence:
    """Add what was seen at the larger size that the function had before it was lowered."""
    former_mb = min(math.ceil(need_mb * 1.5), MAX_MEMORY_MB)
    past: list[Seen] = [("success", _DURATION_MS, math.ceil(need_mb))] * _BEFORE
    earlier = evidence(first.configuration, past, former_mb=former_mb)
    renamed = tuple(
        i.model_copy(
            update={
                "request_id": f"past-{i.request_id}",
                "stream": f"past-{i.stream}",
                "started_at": i.started_at - _LONG_AGO,
            }
        )
        for i in earlier.invocations
    )
    return first.model_copy(update={"invocations": (*renamed, *first.invocations)})
