"""Stand-ins for what reconcile sees beyond one incident."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from autorepair.watch import Execution, StandingAlarm


class FakeExecutions:
    """Executions by ARN; one that was never told of is running."""

    def __init__(self) -> None:
        self.by_arn: dict[str, Execution] = {}
        self.started: dict[str, dict[str, Any]] = {}
        self.errors: list[Exception] = []
        self.looked_up: list[str] = []

    def look_up(self, execution_arn: str) -> Execution:
        self.looked_up.append(execution_arn)
        if self.errors:
            raise self.errors.pop(0)
        return self.by_arn.get(execution_arn, Execution("RUNNING"))

    def start(self, name: str, event: dict[str, Any]) -> bool:
        if self.errors:
            raise self.errors.pop(0)
        return self.started.setdefault(name, event) is event


class FakeStandingAlarms:
    def __init__(self) -> None:
        self.alarms: list[StandingAlarm] = []
        self.error: Exception | None = None

    def standing(self) -> Iterator[StandingAlarm]:
        if self.error is not None:
            raise self.error
        yield from self.alarms


class FakeEnrolment:
    def __init__(self, *arns: str) -> None:
        self.arns = frozenset(arns)
        self.asked = 0

    def function_arns(self) -> frozenset[str]:
        self.asked += 1
        return self.arns
