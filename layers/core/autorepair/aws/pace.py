"""How fast control-plane calls may follow each other.

Lambda allows 15 control-plane calls a second, of all functions and callers in an account and Region
together (Lambda quotas page: "Invocation of Control Plane APIs", excluding those of invocation, and
of GetFunction and GetPolicy). Incidents come first, so what is not urgent takes a share only.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from typing import ClassVar

CALLS_A_SECOND = 2


class SteadyPace:
    """Lets calls through at a steady rate, counted from the first."""

    permissions: ClassVar[Mapping[str, frozenset[str]]] = {"take": frozenset()}

    def __init__(
        self,
        *,
        calls_a_second: float = CALLS_A_SECOND,
        now: Callable[[], float] = time.monotonic,
        sleep: Callable[[float], None] = time.sleep,
    ) -> None:
        self._seconds_each = 1 / calls_a_second
        self._now = now
        self._sleep = sleep
        self._free_at = 0.0

    def take(self, calls: int) -> None:
        """Wait until so many more calls may be made."""
        moment = self._now()
        if self._free_at > moment:
            self._sleep(self._free_at - moment)
        self._free_at = max(self._free_at, moment) + calls * self._seconds_each
