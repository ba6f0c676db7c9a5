"""What a change adds to the bill: at most, and by the month."""

from __future__ import annotations

import math
from dataclasses import dataclass

from autorepair.domain.change import (
    Change,
    MemorySetting,
    ReservedConcurrencySetting,
    Setting,
    TimeoutSetting,
    figure_of,
)
from autorepair.domain.configuration import FunctionConfiguration
from autorepair.domain.prices import PRICES_OF, is_listed, memory_usd, storage_usd
from autorepair.domain.traffic import Traffic
from autorepair.domain.value import Value

_MB_IN_GB = 1024
_MILLION = 1_000_000
_TWO_DAYS = 48
# To the cent; what is below half of one is nothing.
_DIGITS, _BELOW_HALF_A_CENT = 2, 0.004


class CostEstimate(Value):
    """What a change adds to the bill at most, at list price.

    ``added_usd_month`` is None where it is not known how often the function is called;
    ``usd_per_million`` is for a million invocations, as long as they are expected to be.
    """

    added_usd_month: float | None
    usd_per_million: float
    basis: str
    """How it was reckoned, in words."""
    prices_of: str


_NOTHING = CostEstimate(
    added_usd_month=0.0,
    usd_per_million=0.0,
    basis="it changes nothing that is charged for",
    prices_of=PRICES_OF,
)


@dataclass(frozen=True, slots=True)
class _Unit:
    """What one unit more (a megabyte, a second) adds, for one invocation."""

    usd: float
    basis: str


def estimated(
    change: Change, traffic: Traffic | None, configuration: FunctionConfiguration
) -> CostEstimate:
    """Say what a change adds to the bill, at most; nothing for what is not charged.

    GB-seconds x price. More memory is taken to make no work shorter. A longer timeout lets only
    those run on that were cut off, and is taken to be used up. Where it is not known how long an
    invocation takes, it is taken to last until the timeout.
    """
    before, after = amount(change.before), amount(change.after)
    more = 0 if before is None or after is None else max(0, after - before)
    if more == 0:
        return _NOTHING
    unit = _unit(change.after, traffic, configuration, change.target.region)
    a_month = traffic.invocations_month if traffic else None
    return _estimate(
        None if a_month is None else more * unit.usd * a_month,
        more * unit.usd * _MILLION,
        f"{more:,} {unit.basis}{_span(traffic)}",
        change.target.region,
    )


def most_affordable(
    before: Setting,
    cap_usd_month: float,
    traffic: Traffic | None,
    configuration: FunctionConfiguration,
    region: str,
) -> int | None:
    """Give the largest amount that adds no more than the cap to ``before``; None for no limit."""
    present = amount(before)
    a_month = traffic.invocations_month if traffic else None
    if present is None or a_month is None:
        return None
    usd = _unit(before, traffic, configuration, region).usd * a_month
    affordable = math.floor(cap_usd_month * 100) / 100 + _BELOW_HALF_A_CENT
    # What costs next to nothing is not limited, and dividing by it would be no number.
    return None if usd * _MILLION <= affordable else present + math.floor(affordable / usd)


def amount(setting: Setting) -> int | None:
    """Give how much of what is charged for a setting asks for; None for what is not charged."""
    return None if isinstance(setting, ReservedConcurrencySetting) else figure_of(setting)


def _unit(
    setting: Setting, traffic: Traffic | None, configuration: FunctionConfiguration, region: str
) -> _Unit:
    seconds, lasting = _lasting(traffic, configuration)
    memory = memory_usd(region, configuration.architecture)
    if isinstance(setting, TimeoutSetting):
        share = traffic.cut_off_share if traffic else None
        of_calls = "any of the calls" if share is None else f"the {share:.0%} that are cut off"
        gb = configuration.memory_mb / _MB_IN_GB
        told = f"s more for {of_calls}, with {configuration.memory_mb} MB"
        return _Unit(memory * gb * (1.0 if share is None else share), told)
    if isinstance(setting, MemorySetting):
        told = f"MB more for calls of {lasting}, none of which is taken to get shorter"
        return _Unit(memory / _MB_IN_GB * seconds, told)
    return _Unit(storage_usd(region) / _MB_IN_GB * seconds, f"MB more for calls of {lasting}")


def _lasting(traffic: Traffic | None, configuration: FunctionConfiguration) -> tuple[float, str]:
    mean_ms = traffic.mean_ms if traffic else None
    if mean_ms is None:
        return configuration.timeout_s, f"at most {configuration.timeout_s} s"
    return mean_ms / 1000, f"{mean_ms / 1000:.3g} s"


def _span(traffic: Traffic | None) -> str:
    if traffic is None or traffic.invocations_month is None:
        return "; how often it is called is not known"
    hours = round(traffic.span_days * 24)
    span = f"{hours / 24:.0f} days" if hours >= _TWO_DAYS else f"{hours} hours"
    span = span if hours > 1 else "hour"
    return f"; {traffic.invocations_month:,.0f} calls a month, as in the last {span}"


def _estimate(month: float | None, million: float, basis: str, region: str) -> CostEstimate:
    if not is_listed(region):
        basis += f"; {region} is not on the price list, so at the highest price of any Region"
    return CostEstimate(
        added_usd_month=None if month is None else round(month, _DIGITS),
        usd_per_million=round(million, _DIGITS),
        basis=basis,
        prices_of=PRICES_OF,
    )
