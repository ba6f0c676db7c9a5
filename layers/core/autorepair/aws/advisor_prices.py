"""What a question costs, by a dated price list."""

from __future__ import annotations

import re
from collections.abc import Mapping

PRICES_OF = "2026-11"
"""When the list was put together."""
PRICES_USD: Mapping[str, tuple[float, float]] = {
    "anthropic.claude-haiku-4-5": (1.0, 5.0),
    "anthropic.claude-sonnet-5": (2.0, 10.0),
    "anthropic.claude-sonnet-4-6": (3.0, 15.0),
    "anthropic.claude-opus-5": (5.0, 25.0),
}
"""US dollars for a million input and output tokens, on demand, by global profile.

From the model makers' and Amazon Bedrock's price pages; a list price, without any discount.
"""
_GEOGRAPHIC_SURCHARGE = 1.1
"""Profiles that keep to one geography (us., eu., ...) and single Regions cost a tenth more."""
_MILLION = 1_000_000
# What may follow a model's name: a date, a version, or nothing. "-5" is the name of another model.
_VERSION = re.compile(r"(?:-\d{8})?(?:-v\d{1,2})?(?::\d{1,3})?")


def cost_usd(model_id: str, *, input_tokens: int, output_tokens: int) -> float | None:
    """Estimate what one answer cost; None for a model that is not on the list."""
    known = [name for name in PRICES_USD if _is_version_of(model_id, name)]
    if not known:
        return None
    price_in, price_out = PRICES_USD[known[0]]
    surcharge = 1.0 if model_id.startswith("global.") else _GEOGRAPHIC_SURCHARGE
    total = (input_tokens * price_in + output_tokens * price_out) / _MILLION
    return round(total * surcharge, 6)


def _is_version_of(model_id: str, name: str) -> bool:
    """Whether it is that model, dated or not, and not another one whose name goes on."""
    _, found, rest = model_id.partition(name)
    return bool(found) and _VERSION.fullmatch(rest) is not None
