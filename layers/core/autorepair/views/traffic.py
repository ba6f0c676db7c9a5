"""How much a function is called, in words."""

from __future__ import annotations

from autorepair.domain.traffic import Traffic


def traffic_in_words(traffic: Traffic) -> str:
    """Say what is known of the calls, and since when they were looked at."""
    told = [
        f"{traffic.invocations_month:,.0f} times a month"
        if traffic.invocations_month is not None
        else "it is not known how often",
        *([f"for {traffic.mean_ms / 1000:,.3g} s"] if traffic.mean_ms is not None else []),
        *([f"up to {traffic.peak_per_s:,.2g} a second"] if traffic.peak_per_s is not None else []),
        *([f"{traffic.busiest:,.0f} at once"] if traffic.busiest is not None else []),
    ]
    return f"{', '.join(told)} (since {traffic.since:%Y-%m-%d %H:%M} UTC)"
