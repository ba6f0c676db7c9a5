"""What is watched after incidents have closed, and how fast it may be looked at."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime
from typing import Protocol

from autorepair.domain.change import Change
from autorepair.domain.watched import Watched, WatchedOutcome, WatchedRepair


class Watches(Protocol):
    """What is to be looked at again: repairs that were kept, and repairs that were not made."""

    def keep(self, watched: Watched) -> None:
        """Watch it; a newer repair of the same setting takes the place of the one before.

        Raises:
            AccessDeniedError, TransientServiceError: It cannot be kept.
        """
        ...

    def repair_like(self, change: Change) -> WatchedRepair | None:
        """Give the watched repair of the same setting of the same target.

        Raises:
            AccessDeniedError, TransientServiceError: It cannot be read.
        """
        ...

    def due(self, by: datetime, *, most: int) -> Iterator[WatchedRepair | WatchedOutcome]:
        """Give what is due by a moment, that which waits longest first; may lag by a moment.

        Raises:
            RecordUnreadableError: Of some item, after all others were given.
            AccessDeniedError, TransientServiceError: They cannot be read.
        """
        ...

    def look_again(self, watched: WatchedRepair | WatchedOutcome) -> None:
        """Keep what a look has found, unless the watch has ended or is another incident's by now.

        Raises:
            AccessDeniedError, TransientServiceError: It cannot be kept.
        """
        ...

    def end(self, watched: WatchedOutcome | WatchedRepair) -> None:
        """Watch it no more; one that is another incident's by now goes on.

        Raises:
            AccessDeniedError, TransientServiceError: It cannot be ended.
        """
        ...


class Pace(Protocol):
    """Keeps what is not urgent from using up the account's control-plane rate."""

    def take(self, calls: int) -> None:
        """Wait until so many more calls may be made."""
        ...
