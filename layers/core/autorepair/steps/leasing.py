"""Holding the write lease of a target for as long as one write takes, and proving it."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime

from autorepair.domain.incident import Incident, Target
from autorepair.ports import Lease, Ports

LEASE_S = 360
"""Longer than the states that write may run (330 s)."""
WRITE_S = 60
"""What one call of Lambda's API may take with all its tries; so much of a lease has to be left.

Five tries of 10 s at most (see the clients), and the pauses between them.
"""


class HeldLease:
    """A lease that proves before each write that it still stands.

    A process may stall for longer than its lease lasts, and wake up in the middle of its work:
    who holds the lease by then has a higher fence. Lambda's API takes no fence, so it is compared
    right before the call instead. What is left is a stall between the two, and there the
    RevisionId stands guard.
    """

    def __init__(self, lease: Lease, ports: Ports) -> None:
        self._lease = lease
        self._ports = ports
        self._proved_at: datetime | None = None

    @property
    def fence(self) -> int:
        """The number of this lease; each later one of the target has a higher one."""
        return self._lease.fence

    @property
    def proved_at(self) -> datetime | None:
        """When it was proven last, which is right before the last write; None if it never was."""
        return self._proved_at

    def prove(self) -> None:
        """Insist that the lease stands, and will until a write begun now has ended.

        Raises:
            LeaseLostError: Somebody else took it, or too little of it is left.
            AccessDeniedError, TransientServiceError: It cannot be told.
        """
        ports = self._ports
        ports.state.prove_lease(self._lease, seconds=WRITE_S)
        self._proved_at = ports.clock.now()


@contextmanager
def leased(
    target: Target, incident: Incident, ports: Ports, *, holder: str | None = None
) -> Iterator[HeldLease]:
    """Hold the lease, and give it back whatever happens.

    The holder is the incident, so that a retry, or HandleFailure behind it, may go on. Whoever
    works beside the execution (``holder``) has to wait for it.

    Raises:
        LeaseHeldError: Another incident holds it.
    """
    lease = ports.state.acquire_lease(target, holder=holder or incident.id, seconds=LEASE_S)
    try:
        yield HeldLease(lease, ports)
    finally:
        ports.state.release_lease(lease)
