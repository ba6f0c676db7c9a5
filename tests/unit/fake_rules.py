"""The time and the policy, in memory."""

from __future__ import annotations

from datetime import datetime, timedelta

from autorepair.domain.policy import Policy
from unit.fake_functions import NOW


class FakeClock:
    def __init__(self, now: datetime = NOW) -> None:
        self.moment = now

    def now(self) -> datetime:
        return self.moment

    def advance(self, seconds: float) -> None:
        self.moment += timedelta(seconds=seconds)


class FakePolicies:
    """``policy`` is in force; ``freshly`` is what a read past the cache finds, if it differs."""

    def __init__(self, policy: Policy) -> None:
        self.policy = policy
        self.freshly: Policy | None = None
        self.error: Exception | None = None
        self.reads: list[bool] = []

    def current(self, *, is_fresh: bool = False) -> Policy:
        self.reads.append(is_fresh)
        if self.error is not None:
            raise self.error
        return self.freshly if is_fresh and self.freshly is not None else self.policy
