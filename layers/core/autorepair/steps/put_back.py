"""The messages of one run about repairs that were put back: few are sent one by one, many as one.

One deployment may put back what was repaired on fifty functions, and fifty messages are read by
nobody.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from autorepair.domain.audit import RecordKind
from autorepair.domain.configuration import FunctionConfiguration
from autorepair.domain.watched import Drift, WatchedRepair
from autorepair.ports import Ports
from autorepair.views.aftercare import gathered_message, reverted_message
from autorepair.views.message import Message

MOST_ALONE = 4
"""So many are sent on their own in a run; the rest of it goes into one message."""


@dataclass(frozen=True)
class PutBack:
    """A repair that was put back, and what is to be done once people have been told."""

    watched: WatchedRepair
    drift: Drift
    configuration: FunctionConfiguration | None
    once_told: Callable[[str], None]
    """Takes the id of the message. What it raises is raised."""


class PutBacks:
    """What one run has found put back. Nothing is recorded of it before people were told."""

    def __init__(self, ports: Ports) -> None:
        self._ports = ports
        self._alone = 0
        self._waiting: list[PutBack] = []

    def tell(self, found: PutBack) -> None:
        """Tell people now, or together with others at the end of the run.

        Raises:
            AutoRepairError: The message cannot be sent (yet), or what follows it failed.
        """
        if self._alone >= MOST_ALONE:
            self._waiting.append(found)
            return
        self._alone += 1
        found.once_told(self._sent((found,)))

    def tell_the_rest(self, failed: Callable[[PutBack, Exception], None]) -> None:
        """Send what waits as one message; ``failed`` is called with each that did not get done."""
        waiting, self._waiting = tuple(self._waiting), []
        if not waiting:
            return
        try:
            message_id = self._sent(waiting)
        except Exception as error:  # noqa: BLE001 - each is to be looked at again
            for found in waiting:
                failed(found, error)
            return
        for found in waiting:
            try:
                found.once_told(message_id)
            except Exception as error:  # noqa: BLE001 - one must not keep back the others
                failed(found, error)

    def _sent(self, found: tuple[PutBack, ...]) -> str:
        ports = self._ports
        message = _message(found)
        return ports.notifier.publish(
            subject=message.subject,
            message=message.body,
            attributes={"kind": RecordKind.REPAIR_REVERTED.value},
        )


def _message(found: tuple[PutBack, ...]) -> Message:
    if len(found) == 1:
        return reverted_message(found[0].watched, found[0].drift, found[0].configuration)
    return gathered_message([(one.watched, one.drift) for one in found])
