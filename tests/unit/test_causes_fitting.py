"""How long slow work is given, by the durations of all that was seen."""

from __future__ import annotations

import math

import pytest

from autorepair.causes.fitting import fitted_ms
from autorepair.causes.timing import TIMEOUT_TOO_LOW
from autorepair.domain.diagnosis import TimeoutNeed
from autorepair.domain.statistics import Lognormal
from unit.logbook import Logbook

LIMIT_MS = 10_000.0


def need(log: Logbook) -> TimeoutNeed:
    finding = TIMEOUT_TOO_LOW.diagnose(log.evidence())
    assert finding is not None
    assert isinstance(finding.need, TimeoutNeed)
    return finding.need


def test_thirty_completions_are_fitted() -> None:
    log = Logbook(timeout_s=10)
    log.succeed(*(5000 + 150 * n for n in range(33)))
    for _ in range(3):
        log.time_out()
    assert need(log).basis == "fitted"
    assert LIMIT_MS < need(log).duration_ms < 4 * LIMIT_MS


def test_a_fit_that_asks_for_the_moon_is_not_believed() -> None:
    log = Logbook(timeout_s=10)
    for n in range(40):
        log.succeed(*([3, 9000] if n % 8 == 0 else [3]))
    log.time_out()
    assert need(log).basis == "doubled"


def spread_by(sigma: float, *, count: int) -> list[float]:
    """Durations as one lognormal spreads them, as far as 10 s; half of all take longer."""
    fit = Lognormal(math.log(LIMIT_MS), sigma)
    return [fit.quantile((n + 0.5) / (2 * count)) for n in range(count)]


@pytest.mark.parametrize("sigma", [0.45, 0.6])
def test_work_of_one_kind_is_given_more_than_four_times_as_long_at_once(sigma: float) -> None:
    """Its longest of 1,000 takes 10 s x exp(sigma x 3.09), and a fifth more is to spare."""
    found = fitted_ms(spread_by(sigma, count=40), cut=40, limit_ms=LIMIT_MS)
    assert found == pytest.approx(1.2 * LIMIT_MS * math.exp(3.09 * sigma), rel=0.1)
    assert (found or 0.0) > 4 * LIMIT_MS


def test_no_fit_is_believed_beyond_twelve_times_the_limit() -> None:
    assert fitted_ms(spread_by(0.9, count=40), cut=40, limit_ms=LIMIT_MS) is None


def test_work_of_two_kinds_is_not_taken_for_one_of_a_wide_spread() -> None:
    """One lognormal of both asks for eight times the limit, and the slow ones alone for twice."""
    quick = [3500.0 + 20 * n for n in range(25)]
    slow = [8000.0 + 60 * n for n in range(30)]
    assert fitted_ms([*quick, *slow], cut=45, limit_ms=LIMIT_MS) is None
    alone = fitted_ms(slow, cut=45, limit_ms=LIMIT_MS)
    assert alone is not None
    assert alone < 3 * LIMIT_MS
