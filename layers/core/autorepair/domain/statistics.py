"""Exact tests for few invocations, and a lognormal fit for durations cut off at a timeout."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from statistics import NormalDist

_STANDARD = NormalDist()
_FEWEST_VALUES = 2  # two points make a spread
_MAX_ROUNDS = 2000
_TOLERANCE = 1e-7
_SMALLEST_SIGMA = 1e-3
# Beyond this the normal tail underflows; the hazard is then its argument to three digits.
_LARGEST_Z = 30.0


def fisher_one_sided(*, hits_a: int, n_a: int, hits_b: int, n_b: int) -> float:
    """Give the probability that B shows so few hits, or fewer, if A and B had the same rate.

    Fisher's exact test, one-sided: small when B's rate is lower than A's.

    Raises:
        ValueError: A count is negative, or there are more hits than trials.
    """
    if not (0 <= hits_a <= n_a and 0 <= hits_b <= n_b):
        raise ValueError(f"hits must lie within trials: {hits_a}/{n_a} and {hits_b}/{n_b}")
    hits = hits_a + hits_b
    ways = math.comb(n_a + n_b, hits)
    fewest = max(0, hits - n_a)
    as_few = sum(math.comb(n_b, k) * math.comb(n_a, hits - k) for k in range(fewest, hits_b + 1))
    return as_few / ways


def binomial_at_least(hits: int, *, trials: int, rate: float) -> float:
    """Give the probability of so many hits, or more, if each trial hits at ``rate``.

    Raises:
        ValueError: There are more hits than trials, or the rate is no probability.
    """
    if not (0 <= hits <= trials and 0.0 <= rate <= 1.0):
        raise ValueError(f"hits must lie within trials, and the rate within 0 and 1: {rate}")
    if hits == 0 or rate in {0.0, 1.0}:
        return 1.0 if hits == 0 or rate == 1.0 else 0.0
    log_hit, log_miss = math.log(rate), math.log1p(-rate)
    whole = math.lgamma(trials + 1)
    return math.fsum(
        math.exp(
            whole
            - math.lgamma(k + 1)
            - math.lgamma(trials - k + 1)
            + k * log_hit
            + (trials - k) * log_miss
        )
        for k in range(hits, trials + 1)
    )


@dataclass(frozen=True, slots=True)
class Lognormal:
    """A lognormal distribution, by the mean and deviation of the logarithm."""

    mu: float
    sigma: float

    def quantile(self, share: float) -> float:
        """Give the value below which ``share`` (0 to 1, both excluded) of all lie."""
        return math.exp(self.mu + self.sigma * _STANDARD.inv_cdf(share))


def fit_lognormal(completed: Sequence[float], censored: Sequence[float]) -> Lognormal:
    """Fit a lognormal to observed values and to ones known only to exceed where they were cut.

    Maximum likelihood for right-censored normal data on the logarithms, by expectation
    maximisation: each cut value is replaced by what is expected beyond its cut, until nothing
    moves.

    Raises:
        ValueError: Fewer than two completed values, or a value that is not positive.
    """
    if len(completed) < _FEWEST_VALUES or min(*completed, *censored) <= 0:
        raise ValueError("a fit wants at least two completed values, and all of them positive")
    logs = [math.log(value) for value in completed]
    cuts = Counter(math.log(value) for value in censored)
    total, squares = math.fsum(logs), math.fsum(x * x for x in logs)
    fit = _normal(len(logs), total, squares)
    for _ in range(_MAX_ROUNDS if cuts else 0):
        following = _improved(fit, len(logs), total, squares, cuts)
        is_settled = abs(following.mu - fit.mu) + abs(following.sigma - fit.sigma) < _TOLERANCE
        fit = following
        if is_settled:
            break
    return fit


def _improved(
    fit: Lognormal, count: int, total: float, squares: float, cuts: Counter[float]
) -> Lognormal:
    """Refit with every cut value replaced by its mean, and mean square, beyond the cut."""
    for cut, times in cuts.items():
        hazard = _hazard((cut - fit.mu) / fit.sigma)
        mean = fit.mu + fit.sigma * hazard
        mean_square = fit.mu**2 + fit.sigma**2 + fit.sigma * hazard * (cut + fit.mu)
        count += times
        total += times * mean
        squares += times * mean_square
    return _normal(count, total, squares)


def _normal(count: int, total: float, squares: float) -> Lognormal:
    mean = total / count
    variance = max(squares / count - mean * mean, _SMALLEST_SIGMA**2)
    return Lognormal(mean, math.sqrt(variance))


def _hazard(z: float) -> float:
    """Give the standard normal density over the share beyond ``z``."""
    if z > _LARGEST_Z:
        return z + 1 / z
    beyond = math.erfc(z / math.sqrt(2)) / 2
    return math.exp(-z * z / 2) / math.sqrt(2 * math.pi) / beyond
