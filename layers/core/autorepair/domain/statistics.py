"""Exact tests for few invocations, and a lognormal fit for durations cut off at a timeout."""

from __future__ import annotations

import math
from bisect import bisect
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from statistics import NormalDist

_STANDARD = NormalDist()
_Z_95 = _STANDARD.inv_cdf(0.975)
_FEWEST_VALUES = 2  # two points make a spread
_MAX_ROUNDS = 2000
_TOLERANCE = 1e-7
_SMALLEST_SIGMA = 1e-3
_NEGLIGIBLE = 1e-15
_SMALLEST_SHARE = 1e-300
# Beyond this the normal tail underflows; the hazard is then its argument to three digits.
_LARGEST_Z = 30.0
_CELLS = 5


def fisher_one_sided(*, hits_a: int, n_a: int, hits_b: int, n_b: int) -> float:
    """Give the probability that B shows so few hits, or fewer, if A and B had the same rate.

    Fisher's exact test, one-sided: small when B's rate is lower than A's.

    Raises:
        ValueError: A count is negative, or there are more hits than trials.
    """
    if not (0 <= hits_a <= n_a and 0 <= hits_b <= n_b):
        raise ValueError(f"hits must lie within trials: {hits_a}/{n_a} and {hits_b}/{n_b}")
    hits = hits_a + hits_b
    if hits_b < (hits + 1) * (n_b + 1) // (n_a + n_b + 2):
        return min(1.0, _tail(hits_b, n_b, hits - hits_b, n_a))
    return max(0.0, 1.0 - _tail(hits_a - 1, n_a, hits_b + 1, n_b))


def wilson_95(hits: int, trials: int) -> tuple[float, float]:
    """Give the 95% Wilson score interval of a share.

    Wilson, "Probable inference, the law of succession, and statistical inference", Journal of the
    American Statistical Association 22 (1927): unlike the normal approximation it
    holds for few trials and for shares of nearly one.

    Raises:
        ValueError: There are no trials, or more hits than trials.
    """
    if not 0 <= hits <= trials or trials == 0:
        raise ValueError(f"{hits} hits of {trials} trials are no share: give 0 <= hits <= trials")
    share, square = hits / trials, _Z_95 * _Z_95 / trials
    centre = share + square / 2
    half = _Z_95 * math.sqrt(share * (1 - share) / trials + square / (4 * trials))
    return max(0.0, (centre - half) / (1 + square)), min(1.0, (centre + half) / (1 + square))


def _tail(hits: int, trials: int, other_hits: int, other_trials: int) -> float:
    """Sum the hypergeometric chances of ``hits`` and fewer, below the likeliest of them.

    From each term follows the next one, and they fall off ever faster: many thousand invocations
    are compared in well under a millisecond, where exact integers take seconds.
    """
    if hits < 0 or other_hits > other_trials:
        return 0.0
    all_trials, all_hits = trials + other_trials, hits + other_hits
    term = math.exp(
        _log_ways(trials, hits)
        + _log_ways(other_trials, other_hits)
        - _log_ways(all_trials, all_hits)
    )
    total = 0.0
    while term > total * _NEGLIGIBLE:
        total += term
        other_hits += 1
        term *= hits / (trials - hits + 1) * (other_trials - other_hits + 1) / other_hits
        hits -= 1
    return total


def _log_ways(trials: int, hits: int) -> float:
    return math.lgamma(trials + 1) - math.lgamma(hits + 1) - math.lgamma(trials - hits + 1)


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
    return math.fsum(
        math.exp(_log_ways(trials, k) + k * log_hit + (trials - k) * log_miss)
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
    return _settled(
        _normal(len(logs), total, squares),
        lambda fit: _improved(fit, len(logs), total, squares, cuts),
    )


def p_of_fit(fit: Lognormal, completed: Sequence[float], *, cut: int, limit: float) -> float:
    """Give the probability that values of a fitted lognormal are spread as unevenly as these.

    Pearson's chi-square over five equally likely cells below the limit, and one beyond it, where
    ``cut`` values ended. Two of the five degrees of freedom went into the fit; fitted to the values
    and not to the cells, it has between three and five left (Chernoff and Lehmann, Annals of
    Mathematical Statistics 25, 1954). Three are taken, so that what is uneven is told rather too
    often.

    Raises:
        ValueError: There are no values.
    """
    count = len(completed) + cut
    if count == 0:
        raise ValueError("of no values there is nothing to tell: give some")
    beyond = _beyond(fit, math.log(limit))
    within = max(1 - beyond, _SMALLEST_SHARE)
    edges = [*(fit.quantile(within * n / _CELLS) for n in range(1, _CELLS)), limit]
    held = Counter(bisect(edges, value) for value in completed)
    held[_CELLS] += cut
    shares = [*[within / _CELLS] * _CELLS, beyond]
    square = sum((held[n] - count * x) ** 2 / (count * x) for n, x in enumerate(shares))
    # The upper tail of chi-square with three degrees of freedom, in closed form.
    half = square / 2
    return math.erfc(math.sqrt(half)) + 2 * math.sqrt(half / math.pi) * math.exp(-half)


def log_ratio_of_hanging(completed: Sequence[float], *, cut: int, limit: float) -> float:
    """Give by how much the log-likelihood gains if some of those cut at a limit never end.

    One lognormal for all is compared with one for those that end, beside a share that never does;
    no more of those cut are then slow than the completed ones foretell. 0 where one lognormal
    explains all. Twice the gain is, for work that only is slow, chi-square with one degree of
    freedom or 0, each half of the time (Self and Liang, Journal of the American Statistical
    Association 82, 1987): 5% of slow work gains more than 1.35.

    Raises:
        ValueError: Fewer than two completed values, one that is not positive or is beyond the
            limit, or none was cut.
    """
    if cut < 1 or max(completed, default=0.0) > limit:
        raise ValueError("some have to be cut, and what is completed has to be within the limit")
    whole = fit_lognormal(completed, [limit] * cut)
    logs, end = [math.log(value) for value in completed], math.log(limit)
    count, total, squares = len(logs), math.fsum(logs), math.fsum(x * x for x in logs)
    ending = _settled(
        _normal(count, total, squares),
        lambda fit: _improved(
            fit,
            count,
            total,
            squares,
            {end: min(float(cut), count * _beyond_over_within(fit, end))},
        ),
    )
    odds = _beyond_over_within(ending, end)
    if count * odds >= cut:
        return 0.0
    share = count / (count + cut)
    mixed = _log_density(ending, logs) + count * math.log(share * (1 + odds))
    alone = _log_density(whole, logs) + cut * math.log(_beyond(whole, end))
    return max(0.0, mixed + cut * math.log1p(-share) - alone)


def _settled(fit: Lognormal, improve: Callable[[Lognormal], Lognormal]) -> Lognormal:
    """Improve a fit until nothing moves."""
    for _ in range(_MAX_ROUNDS):
        following = improve(fit)
        is_settled = abs(following.mu - fit.mu) + abs(following.sigma - fit.sigma) < _TOLERANCE
        fit = following
        if is_settled:
            break
    return fit


def _beyond(fit: Lognormal, end: float) -> float:
    """Give the share whose logarithm is beyond ``end``, never quite 0."""
    return max(math.erfc((end - fit.mu) / fit.sigma / math.sqrt(2)) / 2, _SMALLEST_SHARE)


def _beyond_over_within(fit: Lognormal, end: float) -> float:
    share = _beyond(fit, end)
    return share / max(1 - share, _SMALLEST_SHARE)


def _log_density(fit: Lognormal, logs: Sequence[float]) -> float:
    """Give the log-likelihood of logarithms, but for what is the same for every fit."""
    spread = math.fsum((x - fit.mu) ** 2 for x in logs) / (2 * fit.sigma**2)
    return -len(logs) * math.log(fit.sigma) - spread


def _improved(
    fit: Lognormal, count: float, total: float, squares: float, cuts: Mapping[float, float]
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


def _normal(count: float, total: float, squares: float) -> Lognormal:
    mean = total / count
    variance = max(squares / count - mean * mean, _SMALLEST_SIGMA**2)
    return Lognormal(mean, math.sqrt(variance))


def _hazard(z: float) -> float:
    """Give the standard normal density over the share beyond ``z``."""
    if z > _LARGEST_Z:
        return z + 1 / z
    beyond = math.erfc(z / math.sqrt(2)) / 2
    return math.exp(-z * z / 2) / math.sqrt(2 * math.pi) / beyond
