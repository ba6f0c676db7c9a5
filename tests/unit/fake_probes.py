"""Declared test events, and what a function answers to them, in memory."""

from __future__ import annotations

from autorepair.domain.incident import Target
from autorepair.domain.probe import Probe
from autorepair.ports.probe import ProbeAnswer

FINE = ProbeAnswer("probe-1", is_error=False, status=None, invocation=None, lines=())


class FakeProbes:
    """``probe`` is declared; each invocation gives ``answer`` or raises ``error``."""

    def __init__(self) -> None:
        self.probe: Probe | None = None
        self.answer = FINE
        self.error: Exception | None = None
        self.reading_error: Exception | None = None
        self.sent: list[tuple[Probe, str | None]] = []

    def declared(self, target: Target) -> Probe | None:
        del target
        if self.reading_error is not None:
            raise self.reading_error
        return self.probe

    def invoke(self, target: Target, probe: Probe, *, qualifier: str | None) -> ProbeAnswer:
        del target
        self.sent.append((probe, qualifier))
        if self.error is not None:
            raise self.error
        return self.answer
