"""Messages to people and to other systems as they were sent, and people's answers."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from autorepair.domain.approval import Approval
from autorepair.domain.approval_link import ApprovalLink
from autorepair.domain.errors import NotWaitingError
from autorepair.watch import Unsent
from unit.fake_rules import FakeClock


@dataclass(frozen=True)
class Sent:
    subject: str
    message: str
    attributes: dict[str, str]


class FakeNotifier:
    def __init__(self) -> None:
        self.sent: list[Sent] = []
        self.error: Exception | None = None

    def publish(self, *, subject: str, message: str, attributes: dict[str, str]) -> str:
        if self.error is not None:
            raise self.error
        self.sent.append(Sent(subject, message, attributes))
        return f"message-{len(self.sent)}"


class FakeAnnouncer:
    def __init__(self) -> None:
        self.announced: list[tuple[str, dict[str, Any]]] = []
        self.error: Exception | None = None

    def announce(self, detail_type: str, detail: dict[str, Any]) -> None:
        if self.error is not None:
            raise self.error
        self.announced.append((detail_type, detail))

    @property
    def types(self) -> list[str]:
        return [detail_type for detail_type, _ in self.announced]


class FakeUnsentMessages:
    """One message for each incident, as the adapter keeps them."""

    def __init__(self) -> None:
        self.by_incident: dict[str, Unsent] = {}
        self.error: Exception | None = None

    def keep(self, unsent: Unsent) -> None:
        if self.error is not None:
            raise self.error
        self.by_incident[unsent.incident.id] = unsent

    def kept(self) -> Iterator[Unsent]:
        yield from sorted(self.by_incident.values(), key=lambda one: one.since)

    def forget(self, unsent: Unsent) -> None:
        if self.by_incident.get(unsent.incident.id) == unsent:
            del self.by_incident[unsent.incident.id]


class FakeApprovals:
    """One execution that waits until it is resumed."""

    def __init__(self) -> None:
        self.token: str | None = "token-1"
        self.looked_up: list[str] = []
        self.resumed: list[Approval] = []
        self.error: Exception | None = None
        self.before_resuming: Callable[[], None] = lambda: None

    def waiting_token(self, incident_id: str) -> str | None:
        self.looked_up.append(incident_id)
        return self.token

    def resume(self, token: str, approval: Approval) -> None:
        self.before_resuming()
        if self.error is not None:
            raise self.error
        if self.resumed:
            raise NotWaitingError("the execution does not wait for this answer any more")
        assert token == self.token
        self.resumed.append(approval)


class FakeApprovalLinks:
    """Tokens and nonces that can be told apart by eye; each nonce is of one link, and works once.

    ``errors`` holds what a method fails with, by its name.
    """

    def __init__(self, clock: FakeClock) -> None:
        self._clock = clock
        self.issued: dict[str, ApprovalLink] = {}
        self.offered: dict[tuple[str, str], datetime] = {}
        self.errors: dict[str, Exception] = {}
        self.after_taking: Callable[[], None] = lambda: None
        self._count = 0

    def issue(self, link: ApprovalLink) -> str:
        self._fail("issue")
        token = f"link-token-{len(self.issued) + 1}"
        self.issued[token] = link
        return token

    def find(self, token: str) -> ApprovalLink | None:
        self._fail("find")
        link = self.issued.get(token)
        return link if link is not None and link.readable_until > self._clock.now() else None

    def offer(self, token: str, *, until: datetime) -> str:
        self._fail("offer")
        self._count += 1
        nonce = f"form-nonce-{self._count}"
        self.offered[token, nonce] = until
        return nonce

    def take(self, token: str, nonce: str) -> bool:
        self._fail("take")
        until = self.offered.pop((token, nonce), None)
        self.after_taking()
        return until is not None and until > self._clock.now()

    def _fail(self, method: str) -> None:
        if method in self.errors:
            raise self.errors[method]
