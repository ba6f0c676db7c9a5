"""Telling people and other systems, and hearing their answers."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime
from typing import Any, Protocol

from autorepair.domain.approval import Approval
from autorepair.domain.approval_link import ApprovalLink
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


class ApprovalLinks(Protocol):
    """The links to questions, and the one-time numbers of the forms behind them.

    Tokens and nonces are kept as hashes only: nobody who reads them there can follow a link.
    """

    def issue(self, link: ApprovalLink) -> str:
        """Keep what a new link is bound to; gives its token, the last part of its URL.

        Raises:
            AccessDeniedError, TransientServiceError: It cannot be kept.
        """
        ...

    def find(self, token: str) -> ApprovalLink | None:
        """Give what a token is bound to; None: unknown, malformed or long past, not told which.

        It is given for ``READABLE_FOR`` after the question's end, too: to be read, not answered.

        Raises:
            AccessDeniedError, TransientServiceError: It cannot be read.
        """
        ...

    def offer(self, token: str, *, until: datetime) -> str:
        """Keep a fresh nonce for a form of this link; gives it.

        Raises:
            AccessDeniedError, TransientServiceError: It cannot be kept.
        """
        ...

    def take(self, token: str, nonce: str) -> bool:
        """Use a nonce up; False: unknown, of another link, used before, or expired.

        Of two who take the same nonce at the same moment one gets it.

        Raises:
            AccessDeniedError, TransientServiceError: Nobody knows whether it is used up.
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
