"""The most that a setting may be raised to, and what sets it."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from autorepair.domain.decision import RefusalCode


@dataclass(frozen=True, slots=True)
class Limit:
    """A bound in the setting's own unit, with the refusal of what is above it."""

    most: int
    code: RefusalCode
    why: str


def tightest(first: Limit, others: Iterable[Limit | None]) -> Limit:
    """Give the lowest of the limits; of equal ones the first."""
    return min((first, *(one for one in others if one is not None)), key=lambda one: one.most)
