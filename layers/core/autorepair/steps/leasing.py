"""Holding the write lease of a target for as long as one write takes."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from autorepair.domain.incident import Incident, Target
from autorepair.ports import Lease, Ports

LEASE_S = 360
"""Longer than the states that write may run (330 s)."""


@contextmanager
def leased(
    target: Target, incident: Incident, ports: Ports, *, holder: str | None = None
) -> Iterator[Lease]:
    """Hold the lease, and give it back whatever happens.

    The holder is the incident, so that a retry, or HandleFailure behind it, may go on. Whoever
    works beside the execution (``holder``) has to wait for it.

    Raises:
        LeaseHeldError: Another incident holds it.
    """
    lease = ports.state.acquire_lease(target, holder=holder or incident.id, seconds=LEASE_S)
    try:
        yield lease
    finally:
        ports.state.release_lease(lease)
