"""How often a diagnosis of some confidence is right: measured, with the interval around it."""

from __future__ import annotations

from autorepair.domain.statistics import wilson_95

# Lower edge of a band of confidence, diagnoses in it, how many of them were right. Counted by
# `autorepair evaluate`, rules alone, over 512 made-up cases. 298 are of three examinations (137, 70
# and 91 cases) by writers who did not know the rules, each counted at its first run and before
# anything was mended after it. The 214 older ones were written against the rules or without
# knowing them: 129 hard ones at first sight, 37 at second, 48 ordinary ones at first.
_MEASURED: tuple[tuple[float, int, int], ...] = (
    (0.9, 300, 297),
    (0.8, 127, 121),
    (0.7, 23, 20),
    (0.6, 17, 16),
    (0.5, 20, 15),
    (0.0, 25, 12),
)


def interval_at(confidence: float) -> tuple[float, float] | None:
    """Give the 95% interval of the share of right diagnoses at a confidence; None if unmeasured."""
    for edge, seen, right in _MEASURED:
        if confidence >= edge:
            return _rounded(wilson_95(right, seen)) if seen else None
    return None


def _rounded(interval: tuple[float, float]) -> tuple[float, float]:
    return round(interval[0], 3), round(interval[1], 3)
