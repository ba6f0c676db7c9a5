"""Telling people and other systems, and hearing their answers."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, Protocol

from autorepair.domain.approval import Approval
from autorepair.watch import Unsent


class Approvals(Protocol):
    """The executions that wait for a person."""

    def waiting_token(self, incident_id: str) -> str | None:
        """Give the token that resumes the incident's execution; None when it is no longer kept.

        Raises:
            AccessDeniedError, TransientServiceError: It cannot be read.
        """
        ...

    def resume(self, token: str, approval: Approval) -> None:
        """Hand the answer to the execution that waits for it.

        Raises:
            NotWaitingError: It waits no more: answered before, expired, or ended.
            AccessDeniedError, TransientServiceError: The answer did not get through.
        """
        ...


class Notifier(Protocol):
    """Tells people."""

    def publish(self, *, subject: str, message: str, attributes: dict[str, str]) -> str:
        """Send a message; gives its id.

        Raises:
            AccessDeniedError, TransientServiceError: It cannot be sent.
        """
        ...


class Announcer(Protocol):
    """Tells other systems, on the service's own event bus."""

    def announce(self, detail_type: str, detail: dict[str, Any]) -> None:
        """Put one event on the bus.

        Raises:
            AccessDeniedError, TransientServiceError: It cannot be put.
        """
        ...


class UnsentMessages(Protocol):
    """Messages that could not be sent, until they are."""

    def keep(self, unsent: Unsent) -> None:
        """Keep a message; a newer one of the same incident takes its place.

        Raises:
            AccessDeniedError, TransientServiceError: It cannot be kept.
        """
        ...

    def kept(self) -> Iterator[Unsent]:
        """Give what is kept, oldest first; may lag by a moment.

        Raises:
            AccessDeniedError, TransientServiceError: It cannot be read.
        """
        ...

    def forget(self, unsent: Unsent) -> None:
        """Forget a message, unless a newer one has taken its place.

        Raises:
            AccessDeniedError, TransientServiceError: It cannot be forgotten.
        """
        ...
