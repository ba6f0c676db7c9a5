"""Messages to people and to other systems, as they were sent."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from autorepair.watch import Unsent


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
