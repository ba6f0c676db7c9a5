from __future__ import annotations

import math
import random

import pytest

from autorepair.domain.statistics import (
    Lognormal,
    binomial_at_least,
    fisher_one_sided,
    fit_lognormal,
    log_ratio_of_hanging,
    p_of_fit,
    wilson_95,
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


def test_the_exact_test_is_the_sum_of_exact_integers_over_exact_integers() -> None:
    chance = random.Random(11)  # noqa: S311 (a simulation, not a secret)
    for _ in range(2000):
        n_a, n_b = chance.randint(0, 60), chance.randint(0, 60)
        hits_a, hits_b = chance.randint(0, n_a), chance.randint(0, n_b)
        hits = hits_a + hits_b
        as_few = sum(
            math.comb(n_b, k) * math.comb(n_a, hits - k)
            for k in range(max(0, hits - n_a), hits_b + 1)
        )
        p = fisher_one_sided(hits_a=hits_a, n_a=n_a, hits_b=hits_b, n_b=n_b)
        assert p == pytest.approx(as_few / math.comb(n_a + n_b, hits), rel=1e-9)


@pytest.mark.parametrize(
    ("before", "after", "expected"),
    [((50_000, 100_000), (49_000, 100_000), 3.949e-6), ((5000, 5000), (0, 30_000), 0.0)],
)
def test_the_exact_test_holds_for_a_hundred_thousand_invocations(
    before: tuple[int, int], after: tuple[int, int], expected: float
) -> None:
    p = fisher_one_sided(hits_a=before[0], n_a=before[1], hits_b=after[0], n_b=after[1])
    assert p == pytest.approx(expected, rel=1e-3)


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


def _gains(*, median: float, sigma: float, hanging: float) -> list[float]:
    """Simulate what 300 invocations tell of hanging, 40 times, at a limit of 20."""
    chance = random.Random(5)  # noqa: S311 (a simulation, not a secret)
    gains = list[float]()
    while len(gains) < 40:
        drawn = [chance.lognormvariate(math.log(median), sigma) for _ in range(300)]
        ended = [d for d in drawn if d < 20 and chance.random() >= hanging]
        if len(ended) < len(drawn):
            gains.append(log_ratio_of_hanging(ended, cut=len(drawn) - len(ended), limit=20))
    return gains


@pytest.mark.parametrize(("median", "sigma"), [(10.0, 0.4), (17.0, 0.2), (20.0, 0.7)])
def test_slow_work_is_seldom_taken_for_work_that_hangs(median: float, sigma: float) -> None:
    assert sum(gain > 1.35 for gain in _gains(median=median, sigma=sigma, hanging=0.0)) <= 6


@pytest.mark.parametrize(("median", "sigma"), [(6.7, 0.3), (2.5, 0.6), (0.8, 1.0)])
def test_a_share_that_never_ends_stands_out_from_the_tail(median: float, sigma: float) -> None:
    assert sum(gain > 1.35 for gain in _gains(median=median, sigma=sigma, hanging=0.05)) >= 38


def test_durations_that_foretell_as_many_beyond_the_limit_tell_of_no_hanging() -> None:
    assert log_ratio_of_hanging([12, 14, 16, 18, 19, 19.5], cut=1, limit=20) == 0.0
    assert log_ratio_of_hanging([1.0, 1.0], cut=5, limit=1e9) > 10


@pytest.mark.parametrize(("completed", "cut"), [([1.0, 2.0], 0), ([1.0, 21.0], 1), ([], 1)])
def test_nothing_is_told_of_hanging_without_a_cut_or_from_beyond_the_limit(
    completed: list[float], cut: int
) -> None:
    with pytest.raises(ValueError, match=r"cut|completed"):
        log_ratio_of_hanging(completed, cut=cut, limit=20)


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


@pytest.mark.parametrize(
    ("hits", "trials", "low", "high"),
    # Of none and of all it has closed forms: z2 / (n + z2) and n / (n + z2), with z2 = 3.841459.
    [
        (8, 10, 0.490162, 0.943318),
        (5, 10, 0.236593, 0.763407),
        (10, 10, 0.722467, 1.0),
        (0, 10, 0.0, 0.277533),
        (47, 47, 0.924442, 1.0),
    ],
)
def test_the_interval_of_a_share_is_wilsons(
    hits: int, trials: int, low: float, high: float
) -> None:
    assert wilson_95(hits, trials) == pytest.approx((low, high), abs=1e-6)


@pytest.mark.parametrize(("hits", "trials"), [(0, 0), (1, 0), (3, 2), (-1, 4)])
def test_a_share_that_is_none_has_no_interval(hits: int, trials: int) -> None:
    with pytest.raises(ValueError, match="no share"):
        wilson_95(hits, trials)


def test_a_fit_that_foretells_each_cell_has_nothing_against_it() -> None:
    fit = Lognormal(0.0, 1.0)
    values = [fit.quantile(0.8 * (n + 0.5) / 40) for n in range(40)]
    assert p_of_fit(fit, values, cut=10, limit=fit.quantile(0.8)) == pytest.approx(1.0)


def test_what_is_uneven_has_the_chance_of_its_chi_square() -> None:
    """Cells of 12, 4, 8, 8, 8 and 10 where 8 and 10 are foretold: 4.0, and tables say 0.2615."""
    fit = Lognormal(0.0, 1.0)
    held = {0: 12, 1: 4, 2: 8, 3: 8, 4: 8}
    values = [fit.quantile(0.8 * (c + 0.5) / 5) for c, times in held.items() for _ in range(times)]
    found = p_of_fit(fit, values, cut=10, limit=fit.quantile(0.8))
    assert found == pytest.approx(0.2615, abs=1e-4)


def test_a_value_beyond_the_limit_counts_with_those_that_were_cut() -> None:
    fit = Lognormal(0.0, 1.0)
    values = [fit.quantile(0.8 * (n + 0.5) / 40) for n in range(40)]
    limit = fit.quantile(0.8)
    seen = p_of_fit(fit, [*values, 2 * limit], cut=19, limit=limit)
    assert seen == p_of_fit(fit, values, cut=20, limit=limit)


def test_of_no_values_no_fit_is_tested() -> None:
    with pytest.raises(ValueError, match="no values"):
        p_of_fit(Lognormal(0.0, 1.0), [], cut=0, limit=1.0)


def test_one_kind_of_work_is_told_from_two() -> None:
    chance = random.Random(7)  # noqa: S311 (a simulation, not a secret)
    one = [18 * math.exp(0.7 * chance.gauss()) for _ in range(200)]
    quick = [3 * math.exp(0.4 * chance.gauss()) for _ in range(60)]
    two = [*quick, *(16 * math.exp(0.4 * chance.gauss()) for _ in range(140))]
    assert _p_at(20.0, one) > 0.05
    assert _p_at(20.0, two) < 0.001


def _p_at(limit: float, durations: list[float]) -> float:
    ended = [d for d in durations if d <= limit]
    cut = len(durations) - len(ended)
    return p_of_fit(fit_lognormal(ended, [limit] * cut), ended, cut=cut, limit=limit)
