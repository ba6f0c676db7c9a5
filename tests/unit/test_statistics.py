from __future__ import annotations

import math
import random

import pytest

from autorepair.domain.statistics import (
    Lognormal,
    binomial_at_least,
    fisher_one_sided,
    fit_lognormal,
)


@pytest.mark.parametrize(
    ("before", "after", "expected"),
    [
        ((6, 6), (0, 5), 1 / 462),
        ((5, 5), (0, 5), 1 / 252),
        ((3, 12), (0, 12), 220 / 2024),
        ((2, 4), (2, 4), 53 / 70),
        ((0, 5), (0, 5), 1.0),
        ((0, 0), (0, 0), 1.0),
        ((3, 3), (3, 3), 1.0),
    ],
)
def test_the_exact_test_gives_the_tail_of_the_hypergeometric(
    before: tuple[int, int], after: tuple[int, int], expected: float
) -> None:
    p = fisher_one_sided(hits_a=before[0], n_a=before[1], hits_b=after[0], n_b=after[1])
    assert p == pytest.approx(expected)


@pytest.mark.parametrize("counts", [(-1, 5, 0, 5), (6, 5, 0, 5), (0, 5, 6, 5), (0, -1, 0, 5)])
def test_impossible_counts_are_refused(counts: tuple[int, int, int, int]) -> None:
    with pytest.raises(ValueError, match="within trials"):
        fisher_one_sided(hits_a=counts[0], n_a=counts[1], hits_b=counts[2], n_b=counts[3])


def test_without_cut_values_the_fit_is_the_plain_one() -> None:
    fit = fit_lognormal([math.e, math.e**3], [])
    assert fit.mu == pytest.approx(2.0)
    assert fit.sigma == pytest.approx(1.0)


def test_cut_values_are_made_up_for() -> None:
    chance = random.Random(7)  # noqa: S311 (a simulation, not a secret)
    truth = Lognormal(mu=8.0, sigma=0.5)
    durations = [chance.lognormvariate(truth.mu, truth.sigma) for _ in range(4000)]
    limit = truth.quantile(0.7)
    finished = [d for d in durations if d < limit]
    fit = fit_lognormal(finished, [limit] * (len(durations) - len(finished)))
    assert fit.mu == pytest.approx(truth.mu, abs=0.05)
    assert fit.sigma == pytest.approx(truth.sigma, abs=0.05)
    assert fit.quantile(0.999) == pytest.approx(truth.quantile(0.999), rel=0.15)


def test_a_fit_stays_finite_where_nearly_all_are_cut_far_out() -> None:
    fit = fit_lognormal([1.0, 1.0], [1e9] * 5)
    assert math.isfinite(fit.quantile(0.999))


@pytest.mark.parametrize(("completed", "censored"), [([1.0], []), ([1.0, 0.0], []), ([1, 2], [0])])
def test_a_fit_without_a_spread_or_of_nothing_is_refused(
    completed: list[float], censored: list[float]
) -> None:
    with pytest.raises(ValueError, match="at least two"):
        fit_lognormal(completed, censored)


@pytest.mark.parametrize(
    ("hits", "trials", "rate", "chance"),
    [
        (6, 6, 0.5, 1 / 64),
        (1, 6, 0.1, 1 - 0.9**6),
        (0, 6, 0.0, 1.0),
        (1, 6, 0.0, 0.0),
        (6, 6, 1.0, 1.0),
        (0, 0, 0.3, 1.0),
        (5_000, 10_000, 0.5, 0.504),
    ],
)
def test_so_many_hits_or_more_come_up_by_chance(
    hits: int, trials: int, rate: float, chance: float
) -> None:
    assert binomial_at_least(hits, trials=trials, rate=rate) == pytest.approx(chance, abs=1e-4)


@pytest.mark.parametrize(("hits", "trials", "rate"), [(7, 6, 0.5), (-1, 6, 0.5), (1, 6, 1.5)])
def test_impossible_hits_are_refused(hits: int, trials: int, rate: float) -> None:
    with pytest.raises(ValueError, match="within"):
        binomial_at_least(hits, trials=trials, rate=rate)
