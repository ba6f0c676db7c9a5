"""Draws: counts of a binomial, and durations and needs of a lognormal, all from a seed."""

from __future__ import annotations

import math
import random
from collections.abc import Callable
from itertools import accumulate


def seeded(*names: object) -> random.Random:
    """Give the chance that belongs to these names, the same in every run."""
    return random.Random(repr(names))  # noqa: S311 (a simulation, not a secret)


def binomial(
    chance: random.Random, trials: int, rate: float, *, least: int = 0
) -> Callable[[], int]:
    """Give a drawer of hits among ``trials`` at ``rate``, of those that are ``least`` or more.

    Raises:
        ValueError: So many hits never come up.
    """
    weights = [_chance_of(hits, trials, rate) for hits in range(least, trials + 1)]
    cumulated = list(accumulate(weights))
    if not cumulated or cumulated[-1] <= 0.0:
        raise ValueError(f"{least} hits or more never come up in {trials} trials at {rate}")
    counts = range(least, trials + 1)
    return lambda: chance.choices(counts, cum_weights=cumulated)[0]


def share_at_least(least: int, *, trials: int, rate: float) -> float:
    """Give how often ``least`` hits or more come up where at least one did."""
    some = math.fsum(_chance_of(hits, trials, rate) for hits in range(1, trials + 1))
    enough = math.fsum(_chance_of(hits, trials, rate) for hits in range(least, trials + 1))
    return enough / some if some else 0.0


def _chance_of(hits: int, trials: int, rate: float) -> float:
    if rate in {0.0, 1.0}:
        return float(hits == trials * rate)
    ways = math.lgamma(trials + 1) - math.lgamma(hits + 1) - math.lgamma(trials - hits + 1)
    return math.exp(ways + hits * math.log(rate) + (trials - hits) * math.log1p(-rate))
