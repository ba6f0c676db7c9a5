"""DriftWatch: look again at what was repaired, and at what would have been.

It runs every fifteen minutes. A run looks at a bounded number, that which waits longest first, at a
rate that leaves the account's control plane to the incidents. Running twice, or at the same time as
another, it records nothing twice (but a message may come twice).
"""

from __future__ import annotations

import logging
from collections.abc import Iterator
from datetime import timedelta

from pydantic import ConfigDict, Field

from autorepair.domain.errors import AutoRepairError, UnsettledError
from autorepair.domain.value import Value
from autorepair.domain.watched import WatchedOutcome, WatchedRepair
from autorepair.ports import Ports
from autorepair.steps.put_back import PutBack, PutBacks
from autorepair.steps.watched_outcome import look_at_outcome
from autorepair.steps.watched_repair import look_at_repair

_log = logging.getLogger(__name__)
MOST_LOOKS = 60
"""In one run. Each takes up to four control-plane calls, so all of them some two minutes."""
SECONDS_FOR_ALL = 200
"""After so long no further look begins; a look and CloudTrail's paces fit into the timeout."""
_CALLS_OF_A_LOOK = 4
_AFTER_TROUBLE = timedelta(hours=1)


class DriftWatchInput(Value):
    """A tick of the schedule; by hand, also how far ahead of its time a look may be taken."""

    model_config = ConfigDict(extra="ignore")

    look_ahead_s: int = Field(default=0, ge=0, le=90_000)


class DriftWatched(Value):
    """What one run found; ``left`` is for the next one."""

    looked: int
    found: tuple[str, ...] = ()
    is_complete: bool = True


def drift_watch(given: DriftWatchInput, ports: Ports) -> DriftWatched:
    """Look at repairs and at functions without one, and record and tell what became of them.

    What fails is looked at again in an hour and does not stop the rest.

    Raises:
        UnsettledError: After everything else was looked at: something could not be.
    """
    run = _Run(ports)
    now = ports.clock.now()
    run.look_at(ports.watches.due(now + timedelta(seconds=given.look_ahead_s), most=MOST_LOOKS))
    return run.report()


class _Run:
    """One run: what it has looked at, what it has found, and what it could not look at."""

    def __init__(self, ports: Ports) -> None:
        self._ports = ports
        self._looked = 0
        self._found: list[str] = []
        self._troubles: list[str] = []
        self._is_complete = True
        self._put_backs = PutBacks(ports)

    def look_at(self, due: Iterator[WatchedRepair | WatchedOutcome]) -> None:
        """Look at one after the other, within the time of a run, and tell what was put back."""
        self._look_at_each(due)
        self._put_backs.tell_the_rest(self._not_told)

    def _look_at_each(self, due: Iterator[WatchedRepair | WatchedOutcome]) -> None:
        ports = self._ports
        until = ports.clock.now() + timedelta(seconds=SECONDS_FOR_ALL)
        try:
            for watched in due:
                if ports.clock.now() >= until:
                    self._is_complete = False
                    return
                ports.pace.take(_CALLS_OF_A_LOOK)
                self._look(watched)
        except Exception as error:  # noqa: BLE001 - what was found by then is to be reported
            self._trouble("what is watched", error)
        self._is_complete = self._is_complete and self._looked < MOST_LOOKS

    def report(self) -> DriftWatched:
        """Say what was found.

        Raises:
            UnsettledError: Something could not be looked at.
        """
        if self._troubles:
            raise UnsettledError("; ".join(self._troubles))
        return DriftWatched(
            looked=self._looked, found=tuple(self._found), is_complete=self._is_complete
        )

    def _look(self, watched: WatchedRepair | WatchedOutcome) -> None:
        self._looked += 1
        try:
            found = (
                look_at_repair(watched, self._ports, self._put_backs)
                if isinstance(watched, WatchedRepair)
                else look_at_outcome(watched, self._ports)
            )
        except Exception as error:  # noqa: BLE001 - one function must not stop the others
            self._trouble(watched.incident.id, error)
            self._put_off(watched)
            return
        if found is not None:
            _log.info("%s: %s", watched.incident.id, found)
            self._found.append(f"{watched.incident.id}: {found}")

    def _put_off(self, watched: WatchedRepair | WatchedOutcome) -> None:
        """Let what fails go to the end of the queue, or it would keep others from being seen."""
        ports = self._ports
        due_at = ports.clock.now() + _AFTER_TROUBLE
        try:
            ports.watches.look_again(watched.model_copy(update={"due_at": due_at}))
        except AutoRepairError as error:
            self._trouble(watched.incident.id, error)

    def _not_told(self, found: PutBack, error: Exception) -> None:
        self._trouble(found.watched.incident.id, error)
        self._put_off(found.watched)

    def _trouble(self, name: str, error: Exception) -> None:
        # The words of any other error may quote what it choked on.
        told = str(error) if isinstance(error, AutoRepairError) else "failed unexpectedly"
        _log.error("%s: %s: %s", name, type(error).__name__, told)
        self._troubles.append(f"{name}: {type(error).__name__}: {told}")
