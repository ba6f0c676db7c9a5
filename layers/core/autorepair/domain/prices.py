"""What running a function costs, by a dated price list."""

from __future__ import annotations

from collections.abc import Mapping
from typing import NamedTuple

PRICES_OF = "2026-11"
"""When the list was put together."""


class RegionPrices(NamedTuple):
    """US dollars for a GB-second of memory, by architecture, and of /tmp beyond 512 MB."""

    x86_64: float
    arm64: float
    storage: float


_X86_64, _ARM64 = 0.0000166667, 0.0000133334
# Nanodollars for a GB-second of /tmp, in the Regions where memory costs the same.
_STORAGE_ONLY: Mapping[str, float] = {
    "us-east-1": 30.9, "us-east-2": 30.9, "us-west-1": 37.0, "us-west-2": 30.9,
    "ca-central-1": 34.0, "ca-west-1": 34.0, "sa-east-1": 58.6,
    "eu-central-1": 36.7, "eu-west-1": 34.0, "eu-west-2": 35.8, "eu-west-3": 35.8,
    "eu-north-1": 32.3, "eu-south-2": 34.0,
    "ap-south-1": 35.2, "ap-south-2": 35.2, "ap-northeast-1": 37.0, "ap-northeast-2": 35.2,
    "ap-northeast-3": 37.0, "ap-southeast-1": 37.0, "ap-southeast-2": 37.0,
    "ap-southeast-3": 37.0, "ap-southeast-4": 37.0,
}  # fmt: skip
PRICES_USD: Mapping[str, RegionPrices] = {
    **{at: RegionPrices(_X86_64, _ARM64, nano * 1e-9) for at, nano in _STORAGE_ONLY.items()},
    "af-south-1": RegionPrices(0.0000221, 0.00001768, 40.4e-9),
    "ap-east-1": RegionPrices(0.00002292, 0.0000183, 40.7e-9),
    "ap-southeast-5": RegionPrices(0.000015, 0.000012, 33.3e-9),
    "eu-central-2": RegionPrices(0.0000183334, 0.0000146667, 44.1e-9),
    "eu-south-1": RegionPrices(0.0000195172, 0.0000156138, 35.7e-9),
    "me-central-1": RegionPrices(0.0000206667, 0.0000165334, 37.4e-9),
    "me-south-1": RegionPrices(0.0000206667, 0.0000165334, 37.4e-9),
}
"""List prices on demand, from https://aws.amazon.com/lambda/pricing/ and the data of
https://calculator.aws (meteredUnitMaps/lambda/USD/current/lambda.json).

Those of the first tier (below 6 thousand million GB-seconds a month on x86_64, 7.5 on arm64), which
are the highest; no free tier and no savings plan is taken off. Calls cost the same whatever the
configuration, so they are not in it.
"""
_DEAREST = RegionPrices(*(max(prices) for prices in zip(*PRICES_USD.values(), strict=True)))


def is_listed(region: str) -> bool:
    """Whether the list knows the Region; elsewhere the highest price of any is taken."""
    return region in PRICES_USD


def memory_usd(region: str, architecture: str) -> float:
    """Give the price of a GB-second of memory."""
    prices = PRICES_USD.get(region, _DEAREST)
    return prices.arm64 if architecture == "arm64" else prices.x86_64


def storage_usd(region: str) -> float:
    """Give the price of a GB-second of /tmp beyond the first 512 MB."""
    return PRICES_USD.get(region, _DEAREST).storage
