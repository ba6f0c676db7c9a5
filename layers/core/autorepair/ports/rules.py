"""The time and the policy that everything is measured by."""

from __future__ import annotations

from datetime import datetime
from typing import Protocol

from autorepair.domain.policy import Policy


class Clock(Protocol):
    """Tells the time."""

    def now(self) -> datetime:
        """Give the present moment in UTC."""
        ...


class Policies(Protocol):
    """Gives the policy in force."""

    def current(self, *, is_fresh: bool = False) -> Policy:
        """Read the policy, at most seconds old; ``is_fresh`` reads it past the cache.

        Raises:
            PolicyUnreadableError: It cannot be read or does not validate.
        """
        ...
