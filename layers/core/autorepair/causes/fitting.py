"""How long work needs whose duration is known only as far as the timeout let it run."""

from __future__ import annotations

from collections.abc import Sequence

from autorepair.domain.statistics import fit_lognormal, p_of_fit

# Measured by simulation: from 30 completions on, 1.2 x q99.9 of the fit leaves at most one
# time-out in a thousand in 63 to 100% of trials.
_FEWEST_TO_FIT = 30
HEADROOM = 1.2
_QUANTILE = 0.999
# A fit that asks for more than this rests on the shape of its tail and not on anything that was
# seen: it is believed where one lognormal describes what was seen, and then up to the larger.
_PLAIN_FIT, _LARGEST_FIT = 4.0, 12.0
_FITS_FROM = 0.05
# A fit is not followed down to a raise that the next slow day uses up.
_LEAST_RAISE, _LEAST_RAISE_OF_SECONDS, _SECONDS_MS = 1.5, 2.0, 10_000.0


def fitted_ms(finished: Sequence[float], *, cut: int, limit_ms: float) -> float | None:
    """Give the timeout, in milliseconds, that a lognormal of all durations asks for.

    Fitted to what finished and to the ``cut`` ones, which took ``limit_ms`` at least. None where
    too few finished, or where the fit asks for less than the limit, or for too much to believe:
    durations of two kinds of work look like one of a wide spread.
    """
    if len(finished) < _FEWEST_TO_FIT:
        return None
    fit = fit_lognormal(finished, [limit_ms] * cut)
    need_ms = HEADROOM * fit.quantile(_QUANTILE)
    if not limit_ms < need_ms <= _LARGEST_FIT * limit_ms:
        return None
    if need_ms > _PLAIN_FIT * limit_ms and (
        p_of_fit(fit, finished, cut=cut, limit=limit_ms) < _FITS_FROM
    ):
        return None
    least = _LEAST_RAISE_OF_SECONDS if limit_ms <= _SECONDS_MS else _LEAST_RAISE
    return max(need_ms, least * limit_ms)
