"""What is remembered of a stack: its resources, outputs, events and change sets."""

from __future__ import annotations

import datetime as dt
import secrets
import string
import uuid
from dataclasses import dataclass, field
from threading import Event as Flag
from threading import RLock
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from autorepair_lab.deploy.template import Bound, Template

STACK_TYPE = "AWS::CloudFormation::Stack"
_ALPHABET = string.ascii_uppercase + string.digits
_CLOCK = RLock()
_last = dt.datetime.min.replace(tzinfo=dt.UTC)


def now() -> dt.datetime:
    """Return the time in UTC, to the millisecond, never the same twice.

    sam tells new events from old ones by their time stamps alone.
    """
    global _last  # noqa: PLW0603 - one clock for the whole account
    with _CLOCK:
        stamp = dt.datetime.now(dt.UTC)
        stamp = stamp.replace(microsecond=stamp.microsecond // 1000 * 1000)
        _last = max(stamp, _last + dt.timedelta(milliseconds=1))
        return _last


def suffix(length: int = 12) -> str:
    """Return the random end of a generated physical name."""
    return "".join(secrets.choice(_ALPHABET) for _ in range(length))


@dataclass
class StackResource:
    """One resource of a stack as it was last made."""

    logical_id: str
    type: str
    physical_id: str
    properties: dict[str, Any]
    attributes: dict[str, Any]
    depends_on: frozenset[str]
    deletion_policy: str = "Delete"
    replace_policy: str = "Delete"
    status: str = "CREATE_IN_PROGRESS"
    reason: str | None = None
    updated_at: dt.datetime = field(default_factory=now)


@dataclass(frozen=True)
class StackEvent:
    """One line of the stack's history."""

    logical_id: str
    physical_id: str
    type: str
    status: str
    reason: str | None
    at: dt.datetime = field(default_factory=now)
    event_id: str = field(default_factory=lambda: str(uuid.uuid4()))


@dataclass(frozen=True)
class Output:
    """One output of a stack, perhaps exported."""

    key: str
    value: str
    description: str | None
    export: str | None


@dataclass(frozen=True)
class Target:
    """What a stack is to become: the expanded template and what was given with it."""

    template: Template
    expanded: Template
    parameters: dict[str, Bound]
    conditions: dict[str, bool]
    tags: dict[str, str]
    capabilities: tuple[str, ...] = ()


@dataclass(frozen=True)
class Change:
    """One line of a change set."""

    action: str
    logical_id: str
    physical_id: str | None
    type: str
    replacement: str | None
    scope: tuple[str, ...] = ()


@dataclass
class ChangeSet:
    """A change set: what would change, and whether that may be executed."""

    name: str
    arn: str
    kind: str
    target: Target
    changes: list[Change]
    description: str | None
    status: str = "CREATE_COMPLETE"
    reason: str | None = None
    execution: str = "AVAILABLE"
    on_failure: str | None = None
    created_at: dt.datetime = field(default_factory=now)


@dataclass
class Stack:
    """A stack; its lock guards resources, events and status together."""

    name: str
    arn: str
    status: str
    target: Target | None = None
    reason: str | None = None
    parent: str | None = None
    root: str | None = None
    is_rollback_disabled: bool = False
    capabilities: tuple[str, ...] = ()  # acknowledged for the operation under way
    resources: dict[str, StackResource] = field(default_factory=dict)
    outputs: list[Output] = field(default_factory=list)
    events: list[StackEvent] = field(default_factory=list)
    change_sets: dict[str, ChangeSet] = field(default_factory=dict)
    created_at: dt.datetime = field(default_factory=now)
    updated_at: dt.datetime | None = None
    deleted_at: dt.datetime | None = None
    lock: RLock = field(default_factory=RLock, repr=False)
    idle: Flag = field(default_factory=Flag, repr=False)

    @property
    def is_deleted(self) -> bool:
        """Whether the stack is gone and only its id still finds it."""
        return self.status == "DELETE_COMPLETE"

    @property
    def is_busy(self) -> bool:
        """Whether an operation is under way."""
        return self.status.endswith("IN_PROGRESS") and self.status != "REVIEW_IN_PROGRESS"

    def turn(self, status: str, reason: str | None = None) -> None:
        """Give the stack a new status and record it as an event."""
        with self.lock:
            # The status first: whoever sees the event must find it.
            self.status, self.reason = status, reason
            self.events.append(StackEvent(self.name, self.arn, STACK_TYPE, status, reason))

    def note(self, resource: StackResource, status: str, reason: str | None = None) -> None:
        """Give a resource a new status and record it as an event."""
        with self.lock:
            resource.status, resource.reason, resource.updated_at = status, reason, now()
            self.events.append(
                StackEvent(resource.logical_id, resource.physical_id, resource.type, status, reason)
            )
