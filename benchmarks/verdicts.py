"""Verdicts: how often the judge of a repair is wrong, and how often it sees what is there."""

from __future__ import annotations

import math
import random
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import product

from autorepair.domain.policy import VerificationRules
from autorepair.domain.traffic import Usual
from autorepair.domain.verdict import Judgement, judge
from autorepair.domain.verification import Shortage, TrafficSample, Verdict
from benchmarks.chance import binomial, seeded, share_at_least
from benchmarks.table import Bar, bars, percent, table

_TRAFFIC = (5, 20, 100, 500, 5000)
_RATES = (0.01, 0.05, 0.2, 0.5, 1.0)
_TRIALS = 1000
_RULES = VerificationRules()
# A window of ten minutes beside evidence of fifteen, as the default policy has it.
_PER_LOOK = 2 / 3
_WRONG_BAR, _POWER_BAR = 0.05, 0.8
# So much fails besides, before and after, in the scenarios that have other failures.
_BESIDE = 0.02
# So many windows of evidence, of fifteen minutes, has the month before.
_WINDOWS_OF_MONTH = 30 * 24 * 4
# So much fails in a way not seen before, in the scenario that brings a new failure.
_NEW = 0.1

SETTING = """\
Traffic is the number of invocations in the evidence; each of the six windows of the default policy
brings two thirds as many (10 minutes beside 15), and the judge looks again after each until it
decides. Rate is the share of invocations that failed before. There is no incident without a
failure, so evidence without one is left out, which makes the past look worse than it is where
failures are rare. Each figure is of 1,000 incidents: one that is truly 5% comes out between 3.7%
and 6.4%. *Not at all* leaves the rate as it was; *in full* leaves nothing; *nine in ten* leaves a
tenth of the rate; *harm* triples it, to 100% at most. With 2% of other failures before and after, a
full cure leaves these; where by chance none of them was in the evidence they count as a kind not
seen before. A *new failure* is one that came with the repair and hits one in ten. Refused calls are
compared by the same test at the same level, so their figures are those of any failure. In the month
before nothing had failed but those others. *After a burst*: the rate was that of the whole month,
and the alarm came when by chance more had failed than two standard deviations beyond it; nothing is
wrong that was not always wrong. *All month*: likewise the rate of the month, and a full cure."""


@dataclass(frozen=True, slots=True)
class _Scenario:
    """What a repair does to the rate, and what fails besides."""

    name: str
    leaves: float
    beside: float = 0.0
    is_swap: bool = False
    is_rescue: bool = False
    is_burst: bool = False
    is_usual: bool = False
    """Whether as many failed all month."""
    is_month_known: bool = True
    brings: float = 0.0


_NOTHING = _Scenario("not at all", 1.0)
_BURST = _Scenario("not at all, after a burst", 1.0, is_burst=True, is_usual=True)
_UNKNOWN_BURST = _Scenario(
    "not at all, after a burst, month not known", 1.0, is_burst=True, is_month_known=False
)
_CURE = _Scenario("in full", 0.0)
_ALL_MONTH = _Scenario("in full, of what failed all month", 0.0, is_usual=True)
_RESCUE = _Scenario("in full, a timeout", 0.0, is_rescue=True)
_BESIDE_CURE = _Scenario("in full, others fail", 0.0, beside=_BESIDE)
_SWAP = _Scenario("not at all, another failure instead", 0.0, beside=_BESIDE, is_swap=True)
_MOST = _Scenario("nine in ten", 0.1)
_HARM = _Scenario("harm", 3.0)
_BRINGS = _Scenario("in full, brings a new failure", 0.0, brings=_NEW)
_SCENARIOS = (
    _NOTHING, _BURST, _UNKNOWN_BURST, _CURE, _ALL_MONTH, _RESCUE, _BESIDE_CURE, _SWAP, _MOST, _HARM,
    _BRINGS,
)  # fmt: skip

_Cell = tuple[int, float]
_Endings = Counter[Verdict | str]


def chapter() -> str:
    """Simulate, and write the chapter on verdicts."""
    seen = {
        scenario: {cell: _endings(scenario, *cell) for cell in product(_TRAFFIC, _RATES)}
        for scenario in _SCENARIOS
    }
    parts = ["## Verdicts", SETTING, bars(_bars(seen))]
    for scenario, verdict, told in (
        (_NOTHING, Verdict.IMPROVED, "improved, of a repair that helps not at all"),
        (_BURST, Verdict.IMPROVED, "improved, of one that helps not at all, after a burst"),
        (_UNKNOWN_BURST, Verdict.IMPROVED, "the same, where the month is not known"),
        (_SWAP, Verdict.IMPROVED, "improved, of one that puts another failure in its place"),
        (_NOTHING, Verdict.WORSE, "worse, of a repair that helps not at all"),
        (_MOST, Verdict.WORSE, "worse, of one that cures nine in ten"),
        (_BESIDE_CURE, Verdict.WORSE, "worse, of a full cure while 2% fail otherwise"),
        (_CURE, Verdict.IMPROVED, "improved, of a full cure"),
        (_ALL_MONTH, Verdict.IMPROVED, "improved, of a full cure of what failed all month"),
        (_RESCUE, Verdict.IMPROVED, "improved, of a full cure by a longer timeout"),
        (_BESIDE_CURE, Verdict.IMPROVED, "improved, of a full cure while 2% fail otherwise"),
        (_MOST, Verdict.IMPROVED, "improved, of one that cures nine in ten"),
        (_HARM, Verdict.WORSE, "worse, of harm"),
        (_BRINGS, Verdict.WORSE, "worse, of a full cure that brings a new failure"),
        (_BRINGS, Verdict.IMPROVED, "improved, of a full cure that brings a new failure"),
        (_BESIDE_CURE, "roll_back", "taken back, of a full cure while 2% fail otherwise"),
        (_MOST, "roll_back", "taken back, of one that cures nine in ten"),
        (_NOTHING, "roll_back", "taken back, of one that helps not at all"),
    ):
        parts += [f"**{told}**", _grid(seen[scenario], verdict)]
    parts += ["### Where a full cure can be seen", WHERE, _where()]
    return "\n\n".join(parts)


WHERE = """\
Nothing fails after a full cure, so all depends on how many had failed before. This many failures
in the evidence are needed for *improved* at the latest of so many windows, and from this rate on at
least 80% of incidents show so many:"""


def _endings(scenario: _Scenario, traffic: int, rate: float) -> _Endings:
    chance = seeded("verdict", scenario.name, traffic, rate)
    usual, deviation = traffic * rate, math.sqrt(traffic * rate * (1 - rate))
    least = math.ceil(usual + 2 * deviation) if scenario.is_burst else 1
    draws = _Draws(scenario, traffic, rate, min(least, traffic), chance)
    endings = _Endings()
    for _ in range(_TRIALS):
        verdict, following = draws.incident()
        endings[verdict] += 1
        endings[following] += 1
    return endings


class _Draws:
    """Draws incidents of one scenario, at one traffic and one rate."""

    def __init__(
        self, scenario: _Scenario, traffic: int, rate: float, least: int, chance: random.Random
    ) -> None:
        self.scenario = scenario
        self.traffic = traffic
        self.per_look = max(1, round(traffic * _PER_LOOK))
        self.rate = rate
        self.failures_before = binomial(chance, traffic, rate, least=least)
        self.beside_before = binomial(chance, traffic, scenario.beside)
        self.failures_since = binomial(chance, self.per_look, min(1.0, rate * scenario.leaves))
        swapped = rate if scenario.is_swap else 0.0
        beside = min(1.0, scenario.beside + swapped + scenario.brings)
        self.beside_since = binomial(chance, self.per_look, beside)
        self.usual = _month(traffic, scenario.beside + (rate if scenario.is_usual else 0.0))
        self.cured = binomial(chance, self.per_look, rate if scenario.is_rescue else 0.0)

    def incident(self) -> tuple[Verdict, str]:
        """Look until the judge decides; gives the verdict and what follows."""
        beside_before = self.beside_before()
        before = _sample(self.traffic, self.failures_before(), beside_before)
        if self.scenario.is_month_known:
            before = before.model_copy(update={"usual": self.usual})
        own = beside = rescued = 0
        for windows in range(1, _RULES.max_windows + 1):
            own += self.failures_since()
            beside += self.beside_since()
            rescued += self.cured()
            after = _sample(
                windows * self.per_look,
                own,
                beside,
                rescued,
                unseen=0 if beside_before or self.scenario.is_swap else beside,
            )
            judgement = _judged(before, after, windows)
            if judgement.next != "wait":
                break
        return judgement.verdict, judgement.next


def _month(traffic: int, rate: float) -> Usual:
    calls = _WINDOWS_OF_MONTH * traffic
    return Usual(invocations=calls, failures=round(calls * min(1.0, rate)))


def _judged(before: TrafficSample, after: TrafficSample, windows: int) -> Judgement:
    return judge(
        before,
        after,
        early=after,
        is_partial=False,
        windows_used=windows,
        rules=_RULES,
        shortage=Shortage.NONE,
        step=1,
        steps_allowed=1,
        looks_within=0,
    )


def _sample(
    invocations: int, own: int, beside: int, rescued: int = 0, *, unseen: int = 0
) -> TrafficSample:
    return TrafficSample(
        invocations=invocations,
        failures=min(invocations, own + beside),
        same_cause=own,
        rescued=rescued,
        unseen=min(invocations, unseen),
        unseen_kinds=int(unseen > 0),
    )


def _bars(seen: dict[_Scenario, dict[_Cell, _Endings]]) -> Iterator[Bar]:
    yield _wrong(
        "improved of a repair without effect, in 5% or less", seen[_NOTHING], Verdict.IMPROVED
    )
    yield _wrong("the same, another failure comes instead", seen[_SWAP], Verdict.IMPROVED)
    yield _wrong("the same after a burst", seen[_BURST], Verdict.IMPROVED)
    yield _wrong(
        "the same after a burst, where the month is not known",
        seen[_UNKNOWN_BURST],
        Verdict.IMPROVED,
    )
    for scenario in (_CURE, _ALL_MONTH, _BESIDE_CURE, _MOST):
        yield _wrong(
            f"worse of a good one ({scenario.name}), in 5% or less", seen[scenario], Verdict.WORSE
        )
    for scenario in (_CURE, _ALL_MONTH, _RESCUE):
        told = {c: e for c, e in seen[scenario].items() if _can_show(*c)}
        least = min(told, key=lambda c: told[c][Verdict.IMPROVED])
        count = told[least][Verdict.IMPROVED]
        yield Bar(
            f"improved of a full cure ({scenario.name}), in 80% or more where it can be shown",
            f"{percent(count, _TRIALS)} at least ({_named(least)})",
            count >= _POWER_BAR * _TRIALS,
        )


def _wrong(asked: str, cells: dict[_Cell, _Endings], verdict: Verdict) -> Bar:
    most = max(cells, key=lambda c: cells[c][verdict])
    count = cells[most][verdict]
    measured = f"{percent(count, _TRIALS)} at most ({_named(most)})" if count else "never"
    return Bar(asked, measured, count <= _WRONG_BAR * _TRIALS)


def _named(cell: _Cell) -> str:
    return f"{cell[0]} invocations, {cell[1]:.0%}"


def _grid(cells: dict[_Cell, _Endings], verdict: Verdict | str) -> str:
    return table(
        ("invocations", *(f"rate {rate:.0%}" for rate in _RATES)),
        (
            (str(n), *(percent(cells[n, rate][verdict], _TRIALS) for rate in _RATES))
            for n in _TRAFFIC
        ),
    )


def _can_show(traffic: int, rate: float) -> bool:
    """Whether 80% of incidents have as many failures as a full cure can be seen by."""
    fewest = _fewest(traffic, _RULES.max_windows)
    return fewest is not None and share_at_least(fewest, trials=traffic, rate=rate) >= _POWER_BAR


def _fewest(traffic: int, windows: int) -> int | None:
    """Give how many failures before let so many windows without any be told from chance."""
    after = _sample(windows * max(1, round(traffic * _PER_LOOK)), 0, 0)
    month = {"usual": _month(traffic, 0.0)}
    for failures in range(1, traffic + 1):
        before = _sample(traffic, failures, 0).model_copy(update=month)
        judgement = _judged(before, after, windows)
        if judgement.verdict is Verdict.IMPROVED:
            return failures
    return None


def _where() -> str:
    looks = (1, 2, 3, 6)
    return table(
        ("invocations", *(f"by window {n}" for n in looks), "80% from a rate of"),
        (_where_row(traffic, looks) for traffic in _TRAFFIC),
    )


def _where_row(traffic: int, looks: tuple[int, ...]) -> tuple[str, ...]:
    needed = [_fewest(traffic, windows) for windows in looks]
    rates = (n / 1000 for n in range(1, 1001))
    rate = next((r for r in rates if _can_show(traffic, r)), None)
    return (
        str(traffic),
        *("never" if n is None else str(n) for n in needed),
        "never" if rate is None else f"{rate:.1%}",
    )
