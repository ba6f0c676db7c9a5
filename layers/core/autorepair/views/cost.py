"""What a change adds to the bill, in words."""

from __future__ import annotations

from autorepair.domain.cost import CostEstimate
from autorepair.views.texts import ENGLISH, Language


def cost_in_words(cost: CostEstimate, words: Language = ENGLISH) -> str:
    """Say what it adds at most, and how that was reckoned."""
    prices = words.labels["prices_of"].format(date=cost.prices_of)
    if cost.usd_per_million == 0 and not cost.added_usd_month:
        return f"{words.labels['cost_none']} ({cost.basis})"
    return f"{_figure(cost, words)} ({cost.basis}; {prices})"


def _figure(cost: CostEstimate, words: Language) -> str:
    if cost.added_usd_month is None:
        return words.labels["cost_million"].format(usd=f"{cost.usd_per_million:,.2f}")
    if cost.added_usd_month == 0:
        return words.labels["cost_below_a_cent"]
    return words.labels["cost_month"].format(usd=f"{cost.added_usd_month:,.2f}")
