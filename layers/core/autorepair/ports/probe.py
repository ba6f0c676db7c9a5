"""Invoking a target with a test event that its operator has declared."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

from autorepair.domain.evidence import Invocation, LogLine
from autorepair.domain.incident import Target
from autorepair.domain.probe import Probe


@dataclass(frozen=True)
class ProbeAnswer:
    """What came of one invocation; ``status`` is the answer's own ``statusCode``, if it has one."""

    request_id: str | None
    is_error: bool
    status: int | None
    invocation: Invocation | None
    lines: tuple[LogLine, ...]


class Probes(Protocol):
    """Knows the declared test events, and invokes with them."""

    def declared(self, target: Target) -> Probe | None:
        """Give the test event that is declared for the function; None if none is.

        Raises:
            ConfigurationError: What is declared is no test event.
            AccessDeniedError, TransientServiceError: It cannot be read.
        """
        ...

    def invoke(self, target: Target, probe: Probe, *, qualifier: str | None) -> ProbeAnswer:
        """Invoke the function once, and wait for its answer; never tries a second time.

        Raises:
            TransientServiceError: No answer came, so nobody knows whether it ran.
            AutoRepairError: It was not invoked.
        """
        ...
