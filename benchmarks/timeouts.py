"""Time-outs: whether the new timeout suffices for slow work, and how often a hang is raised."""

from __future__ import annotations

import math
import random
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from itertools import product
from statistics import NormalDist, median

from autorepair.domain.configuration import FunctionConfiguration
from autorepair.domain.evidence import Evidence
from autorepair.domain.statistics import log_ratio_of_hanging
from benchmarks.chance import seeded
from benchmarks.course import Course, run
from benchmarks.patient import Seen, configured, evidence, policy
from benchmarks.table import Bar, bars, percent, table

_NORMAL = NormalDist()
_TIMEOUT_S = 20
_COUNTS = (60, 300)
_SPREADS = (0.2, 0.4, 0.7)
_CUT = (0.05, 0.2, 0.5, 0.8)
# Spread of what finishes, and the timeout over its median: below 1 in 1,000 are slow by nature.
_HANGS = ((0.3, 3.0), (0.3, 5.0), (0.6, 8.0), (0.6, 15.0), (1.0, 25.0))
_HANGING = (0.02, 0.1, 0.3, 0.8, 1.0)
_TRIALS = 40
_STEPS = 3
# Of more, less finishes near the limit than half of what is cut.
_LIKE_SLOW = 0.5
_PER_LOOK = 2 / 3
_LEFT, _SLOW_BAR, _HANG_BAR = 0.001, 0.8, 0.03
_USED_MB = 300
_PLAIN = 1.35
_FEWEST_TO_FIT = 5

SETTING = """\
The timeout is 20 s. **Slow work**: durations are lognormal (spread of their logarithm), and that
share of them is longer than the timeout. **Hangs**: what finishes is lognormal with its median far
below the timeout, and a share of the invocations never ends. The log holds the reports and no
words, so only the durations tell one from the other. Evidence is of 60 or of 300 invocations,
each window brings two thirds as many, and the course goes on through `still_short` for at most
three steps, as the default policy allows: each further step is made for what has ended since the
one before it. *Cured* is a timeout that at most 1 in 1,000 invocations pass, by the true
distribution; *asked* is a raise that waits for a person's consent (a confidence between 0.6 and
0.8). Where four in five are cut, nothing is raised: fewer finish near the limit than half of those
that are cut, and that is how a hang looks. *Spare* is the last timeout over what 1 in 1,000 pass,
at the median and at its worst."""


SHAPE = """\
The same incidents, if the shape of the durations had to agree: no raise where a share that never
ends makes them likelier than one lognormal does (`log_ratio_of_hanging` above 1.35, a one-sided
test at 5%). The rules ask for it too where ten or more finished, unless the work took that long
before."""


_Regime = tuple[int, float, float]


@dataclass(frozen=True, slots=True)
class _Work:
    """Lognormal durations, and a share that never ends."""

    median_s: float
    spread: float
    hanging: float
    chance: random.Random

    def seen(self, configuration: FunctionConfiguration, count: int) -> Evidence:
        limit_ms = configuration.timeout_s * 1000.0
        return evidence(configuration, [self._one(limit_ms) for _ in range(count)])

    def _one(self, limit_ms: float) -> Seen:
        duration_ms = 1000 * self.median_s * math.exp(self.spread * self.chance.gauss())
        if duration_ms >= limit_ms or self.chance.random() < self.hanging:
            return "timeout", limit_ms, _USED_MB
        return "success", duration_ms, _USED_MB

    @property
    def suffices_s(self) -> float:
        """The shortest timeout that cures."""
        return self.median_s * math.exp(self.spread * _NORMAL.inv_cdf(1 - _LEFT))

    def left(self, timeout_s: float) -> float:
        """Give the share that is slower than a timeout."""
        return 1 - _NORMAL.cdf(math.log(timeout_s / self.median_s) / self.spread)


@dataclass(frozen=True, slots=True)
class _Trial:
    course: Course
    left_first: float
    left_last: float
    spare: float
    """The last timeout, over the shortest that cures."""
    gain: float
    """How much likelier, as a logarithm, the durations are if some invocations never end."""

    @property
    def is_raised(self) -> bool:
        return bool(self.course.sizes)


def chapter() -> str:
    """Simulate, and write the chapter on time-outs."""
    slow = {regime: _slow_trials(*regime) for regime in product(_COUNTS, _SPREADS, _CUT)}
    hung = {
        (count, spread, ratio, share): _hang_trials(count, spread, ratio, share)
        for count, (spread, ratio), share in product(_COUNTS, _HANGS, _HANGING)
    }
    return "\n\n".join((
        "## Time-outs",
        SETTING,
        bars(_bars(slow, _all(hung.values()))),
        SHAPE,
        bars(_bars_of_shape(_all(slow.values()), _all(hung.values()))),
        "Slow work:",
        table(
            ("invocations, spread, cut", "raised", "of these asked", "cured by one step",
             "cured in the end", "still cut, mean", "spare"),
            (_slow_row(regime, trials) for regime, trials in slow.items()),
        ),
        "Hangs:",
        table(
            ("invocations, spread, timeout / median", *(f"{s:.0%} hang" for s in _HANGING)),
            (_hang_row(hung, count, kind) for count, kind in product(_COUNTS, _HANGS)),
        ),
        "Each cell: raised unattended / raised if a person agrees.",
    ))  # fmt: skip


def _bars(slow: dict[_Regime, list[_Trial]], hung: list[_Trial]) -> Iterator[Bar]:
    every = _all(slow.values())
    like = _all(trials for (_, _, cut), trials in slow.items() if cut <= _LIKE_SLOW)
    for of, trials in (
        ("of slow work that is raised", [t for t in every if t.is_raised]),
        ("of all slow work of which half or less is cut", like),
        ("of all slow work, with that of which four in five are cut", every),
    ):
        first = sum(t.left_first <= _LEFT for t in trials)
        last = sum(t.left_last <= _LEFT for t in trials)
        yield _share_bar(f"{of}: 0.1% cut at most after one step, in 80% or more", first, trials)
        yield _share_bar(f"{of}: the same after three steps at most", last, trials)
    for name, actions in (("unattended", {"apply"}), ("unattended or asked", {"apply", "ask"})):
        count = sum(t.course.action in actions and bool(t.course.sizes) for t in hung)
        yield Bar(
            f"a hang raised in 3% or less, {name}",
            percent(count, len(hung)),
            count <= _HANG_BAR * len(hung),
        )


def _bars_of_shape(slow: list[_Trial], hung: list[_Trial]) -> Iterator[Bar]:
    raised = [t for t in slow if t.is_raised]
    kept = sum(t.gain <= _PLAIN for t in raised)
    yield _share_bar("of the slow work that is raised, still raised", kept, raised)
    count = sum(t.is_raised and t.gain <= _PLAIN for t in hung)
    yield Bar(
        "a hang raised in 3% or less, unattended or asked",
        percent(count, len(hung)),
        count <= _HANG_BAR * len(hung),
    )


def _all(regimes: Iterable[list[_Trial]]) -> list[_Trial]:
    return [trial for trials in regimes for trial in trials]


def _share_bar(asked: str, count: int, trials: list[_Trial]) -> Bar:
    return Bar(asked, percent(count, len(trials)), count >= _SLOW_BAR * len(trials))


def _slow_row(regime: _Regime, trials: list[_Trial]) -> tuple[str, ...]:
    count, spread, cut = regime
    raised = [t for t in trials if t.course.sizes]
    asked = sum(t.course.action == "ask" for t in raised)
    first = sum(t.left_first <= _LEFT for t in raised)
    last = sum(t.left_last <= _LEFT for t in raised)
    mean = sum(t.left_last for t in raised) / len(raised) if raised else 0.0
    spare = [t.spare for t in raised]
    return (
        f"{count}, {spread:g}, {cut:.0%}",
        percent(len(raised), len(trials)),
        percent(asked, len(raised)),
        percent(first, len(raised)),
        percent(last, len(raised)),
        f"{100 * mean:.2f}%",
        f"{median(spare):.2f}, {max(spare):.2f}" if spare else "-",
    )


def _hang_row(
    hung: dict[tuple[int, float, float, float], list[_Trial]],
    count: int,
    kind: tuple[float, float],
) -> tuple[str, ...]:
    cells = []
    for share in _HANGING:
        trials = hung[(count, *kind, share)]
        raised = [t.course.action for t in trials if t.course.sizes]
        cells.append(
            f"{percent(raised.count('apply'), len(trials))} / {percent(len(raised), len(trials))}"
        )
    return f"{count}, {kind[0]:g}, {kind[1]:g}", *cells


def _slow_trials(count: int, spread: float, cut: float) -> list[_Trial]:
    chance = seeded("slow", count, spread, cut)
    median_s = _TIMEOUT_S * math.exp(spread * _NORMAL.inv_cdf(cut))
    return _trials(_Work(median_s, spread, 0.0, chance), count)


def _hang_trials(count: int, spread: float, ratio: float, share: float) -> list[_Trial]:
    chance = seeded("hang", count, spread, ratio, share)
    return _trials(_Work(_TIMEOUT_S / ratio, spread, share, chance), count)


def _trials(work: _Work, count: int) -> list[_Trial]:
    """Simulate incidents: without a time-out in what was seen there is none."""
    found = list[_Trial]()
    while len(found) < _TRIALS:
        first = work.seen(configured(timeout_s=_TIMEOUT_S), count)
        if first.failures:
            found.append(_trial(work, first))
    return found


def _trial(work: _Work, first: Evidence) -> _Trial:
    per_look = round(len(first.invocations) * _PER_LOOK)
    course = run(
        first,
        lambda configuration, windows: work.seen(configuration, windows * per_look),
        policy(steps=_STEPS),
    )
    sizes = course.sizes or (_TIMEOUT_S,)
    return _Trial(
        course, work.left(sizes[0]), work.left(sizes[-1]), sizes[-1] / work.suffices_s, _gain(first)
    )


def _gain(first: Evidence) -> float:
    ended = [i.duration_ms for i in first.invocations if i.status == "success" and i.duration_ms]
    if len(ended) < _FEWEST_TO_FIT:
        return 0.0
    return log_ratio_of_hanging(ended, cut=len(first.failures), limit=_TIMEOUT_S * 1000.0)
