"""What is watched after incidents have closed, in memory."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from datetime import datetime

from autorepair.domain.change import Change
from autorepair.domain.watched import WatchedOutcome, WatchedRepair

Key = tuple[str, str | None, str]


class FakeWatches:
    """One watch for each setting of a target, and one for each incident without a repair."""

    def __init__(self) -> None:
        self.repairs: dict[Key, WatchedRepair] = {}
        self.outcomes: dict[str, WatchedOutcome] = {}
        self.error: Exception | None = None

    def keep(self, watched: WatchedRepair | WatchedOutcome) -> None:
        if self.error is not None:
            raise self.error
        if isinstance(watched, WatchedRepair):
            self.repairs[_key(watched.change)] = watched
        else:
            self.outcomes[watched.incident.id] = watched

    def repair_like(self, change: Change) -> WatchedRepair | None:
        return self.repairs.get(_key(change))

    def due(self, by: datetime, *, most: int) -> Iterator[WatchedRepair | WatchedOutcome]:
        kept: list[WatchedRepair | WatchedOutcome] = list(self.repairs.values())
        kept += self.outcomes.values()
        yield from sorted((w for w in kept if w.due_at <= by), key=lambda w: w.due_at)[:most]

    def look_again(self, watched: WatchedRepair | WatchedOutcome) -> None:
        if self._is_there(watched):
            self.keep(watched)

    def end(self, watched: WatchedRepair | WatchedOutcome) -> None:
        if not self._is_there(watched):
            return
        if isinstance(watched, WatchedRepair):
            del self.repairs[_key(watched.change)]
        else:
            del self.outcomes[watched.incident.id]

    def _is_there(self, watched: WatchedRepair | WatchedOutcome) -> bool:
        if isinstance(watched, WatchedOutcome):
            return watched.incident.id in self.outcomes
        found = self.repairs.get(_key(watched.change))
        return found is not None and found.incident.id == watched.incident.id


class FakePace:
    """Waits for nobody; says how many calls were asked for, and lets ``waits`` happen meanwhile."""

    def __init__(self) -> None:
        self.taken = 0
        self.waits: Callable[[], None] = lambda: None

    def take(self, calls: int) -> None:
        self.taken += calls
        self.waits()


def _key(change: Change) -> Key:
    return change.target.function_arn, change.target.qualifier, change.kind.value
