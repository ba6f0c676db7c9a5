"""How much a function is called: what a change of it costs, and how much room it takes."""

from __future__ import annotations

from pydantic import Field

from autorepair.domain.value import Instant, Value


class Usual(Value):
    """How the calls of the past month ended, those of the incident left out."""

    invocations: int = Field(gt=0)
    failures: int = Field(ge=0)

    @property
    def failure_rate(self) -> float:
        """The share of failed invocations."""
        return self.failures / self.invocations


class Traffic(Value):
    """What was read of a function's calls between two moments; None where it is not known."""

    since: Instant
    """The first hour with a call in it, at most a month back."""
    until: Instant
    invocations_month: float | None = None
    """In 30 days, at the mean rate of the span, or of its last week where that is higher."""
    mean_ms: float | None = None
    """Of one invocation, as billed; of those that succeed lately where that is longer.

    None where none is known to have succeeded.
    """
    peak_per_s: float | None = None
    """The busiest minute around the incident, or the busiest hour of the span on average."""
    peak_concurrency: float | None = None
    """The most executions at once."""
    cut_off_share: float | None = Field(default=None, ge=0, le=1)
    """How many of the invocations ended at the timeout, since the first one did."""
    longest_silence_s: float | None = None
    """The longest stretch of whole hours without a call, the one that lasts until now included."""
    usual: Usual | None = None
    """How many fail usually; None where nothing of it is known."""

    @property
    def busiest(self) -> float | None:
        """The most executions at once; where that was not measured, peak rate x mean duration."""
        if self.peak_concurrency is not None or self.peak_per_s is None or self.mean_ms is None:
            return self.peak_concurrency
        return self.peak_per_s * self.mean_ms / 1000

    @property
    def span_days(self) -> float:
        """How long it was looked at."""
        return (self.until - self.since).total_seconds() / 86_400
