"""Reconcile: find what the state machine could not see, and set it right.

It runs every five minutes, and at once when an execution fails, times out or is aborted. Running
twice, or at the same time as another, it does nothing twice (but a message may come twice, as SNS
itself may deliver it twice); what runs it leaves alone.
"""

from __future__ import annotations

import logging
import secrets
from collections.abc import Callable, Iterable, Iterator
from datetime import UTC, datetime, timedelta
from functools import partial
from typing import TypeVar

from pydantic import ConfigDict, Field

from autorepair.domain.errors import (
    AutoRepairError,
    LeaseHeldError,
    PolicyUnreadableError,
    UnsettledError,
)
from autorepair.domain.value import Value
from autorepair.ports import Ports
from autorepair.steps.settling import account_for, settle
from autorepair.steps.starting import Starter
from autorepair.steps.telling import send_again
from autorepair.watch import StandingAlarm, Unsent, Unsettled

_log = logging.getLogger(__name__)
MOST_ACTS = 50
"""Incidents settled and started in one run; a burst must not use up the account's API rates."""
SECONDS_EACH = 75
"""For each duty, seconds; all together and the longest single act fit into the timeout."""
T = TypeVar("T")


class EventDetail(Value):
    """The detail of a "Step Functions Execution Status Change"; that of a tick is empty."""

    model_config = ConfigDict(extra="ignore")

    execution_arn: str | None = Field(default=None, alias="executionArn")
    started_at_ms: int | None = Field(default=None, alias="startDate")
    """Milliseconds since 1970."""


class ReconcileInput(Value):
    """A tick of the schedule, or the event of one execution that ended."""

    model_config = ConfigDict(extra="ignore")

    detail: EventDetail = EventDetail()


class Reconciled(Value):
    """What one run did; ``left`` is for the next one."""

    done: tuple[str, ...] = ()
    left: tuple[str, ...] = ()
    is_complete: bool = True


def reconcile(given: ReconcileInput, ports: Ports) -> Reconciled:
    """Send what could not be sent, settle what executions left behind, start what nobody started.

    Each act is recorded in its incident's chain (an incident that is started, by its execution,
    whose name begins with "reconcile"). What fails is tried again by the next run and does not
    stop the rest.

    Raises:
        UnsettledError: After everything else was done: something could not be.
    """
    run = _Run(ports)
    if given.detail.execution_arn is None:
        run.send_all()
        run.settle_all(None)
        run.start_all()
        run.try_the_policy()
    else:
        run.settle_all(given.detail.execution_arn)
        run.account_for(given.detail)
    return run.report()


class _Run:
    """One run: who it is, what it has done, and how much it may still do."""

    def __init__(self, ports: Ports) -> None:
        self._ports = ports
        # Two runs at the same moment must not hold the same lease.
        self._holder = f"reconcile-{secrets.token_hex(8)}"
        self._done: list[str] = []
        self._left: list[str] = []
        self._troubles: list[str] = []

    def settle_all(self, execution_arn: str | None) -> None:
        """Settle the incidents of one execution, or of all."""
        ports = self._ports

        def act(one: Unsettled) -> str | None:
            return settle(one.incident, ports, holder=self._holder)

        items = _once(ports.state.unsettled(), execution_arn)
        self._each("incidents", items, lambda one: one.incident.id, act)

    def send_all(self) -> None:
        """Send the messages that could not be sent."""
        ports = self._ports

        def act(one: Unsent) -> str | None:
            return send_again(one, ports)

        self._each("messages", ports.unsent.kept(), lambda one: one.incident.id, act)

    def start_all(self) -> None:
        """Start the incidents of alarms that nobody deals with."""
        starter = Starter(self._ports)

        def act(one: StandingAlarm) -> str | None:
            count = starter.start(one)
            return f"incidents started: {count}" if count else None

        self._each("alarms", starter.alarms(), lambda one: one.name, act)

    def try_the_policy(self) -> None:
        """Read the policy, so that one that cannot be read is noticed before an incident needs it.

        Reading counts the metric that an alarm stands on.
        """
        try:
            self._ports.policies.current(is_fresh=True)
        except PolicyUnreadableError as error:
            self._left.append(f"the policy, so that everything is only observed: {error}")

    def account_for(self, ended: EventDetail) -> None:
        """See to it that an execution that ended badly has left a record, opened or not."""
        arn, started_at_ms = ended.execution_arn, ended.started_at_ms
        if arn is None or started_at_ms is None:
            return
        started_at = datetime.fromtimestamp(started_at_ms / 1000, UTC)
        self._one(arn, lambda: account_for(arn, started_at, self._ports))

    def report(self) -> Reconciled:
        """Say what was done.

        Raises:
            UnsettledError: Something failed.
        """
        if self._troubles:
            raise UnsettledError("; ".join(self._troubles))
        return Reconciled(
            done=tuple(self._done), left=tuple(self._left), is_complete=not self._left
        )

    def _each(
        self,
        what: str,
        items: Iterable[T],
        name_of: Callable[[T], str],
        act: Callable[[T], str | None],
    ) -> None:
        until = self._ports.clock.now() + timedelta(seconds=SECONDS_EACH)
        try:
            for item in items:
                if len(self._done) >= MOST_ACTS or self._ports.clock.now() >= until:
                    self._left.append(f"more {what}: this run has done its share")
                    return
                self._one(name_of(item), partial(act, item))
        except Exception as error:  # noqa: BLE001 - one duty must not stop the others
            self._trouble(what, error)

    def _one(self, name: str, act: Callable[[], str | None]) -> None:
        try:
            done = act()
        except LeaseHeldError as error:
            self._left.append(f"{name}: {error}")
        except Exception as error:  # noqa: BLE001 - one incident must not stop the others
            self._trouble(name, error)
        else:
            if done is not None:
                _log.info("%s: %s", name, done)
                self._done.append(f"{name}: {done}")

    def _trouble(self, name: str, error: Exception) -> None:
        # The words of any other error may quote what it choked on.
        told = str(error) if isinstance(error, AutoRepairError) else "failed unexpectedly"
        _log.error("%s: %s: %s", name, type(error).__name__, told)
        self._troubles.append(f"{name}: {type(error).__name__}: {told}")


def _once(listed: Iterator[Unsettled], execution_arn: str | None) -> Iterator[Unsettled]:
    """Give each incident once, be it open, with an unfinished change, or both."""
    seen: set[str] = set()
    for one in listed:
        is_wanted = execution_arn in {None, one.incident.execution_arn}
        if is_wanted and one.incident.id not in seen:
            seen.add(one.incident.id)
            yield one
