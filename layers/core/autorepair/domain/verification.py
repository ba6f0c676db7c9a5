"""Whether a repair helped."""

from __future__ import annotations

from enum import StrEnum
from typing import Literal

from autorepair.domain.diagnosis import MemoryNeed, TimeoutNeed
from autorepair.domain.probe import ProbeResult
from autorepair.domain.traffic import Usual
from autorepair.domain.value import Instant, Value


class Verdict(StrEnum):
    """What the traffic after a change says about it."""

    IMPROVED = "improved"
    UNCHANGED = "unchanged"
    WORSE = "worse"
    STILL_SHORT = "still_short"
    INSUFFICIENT_TRAFFIC = "insufficient_traffic"
    OVERTAKEN = "overtaken"
    """Somebody changed the function since, so traffic says nothing of the change alone."""


class TrafficSample(Value):
    """Invocations seen in a span, how many failed, and how many with the incident's signature."""

    invocations: int
    failures: int
    same_cause: int
    rescued: int = 0
    """Successes that took longer than the timeout before the change would have let them."""
    refused: int = 0
    """Calls that ran nothing, for want of concurrency; the other counts hold them too."""
    pending: int = 0
    """Begun, without an end in the log so far; none of the other counts holds them."""
    unseen: int = 0
    """Failures of one kind that was not seen before the change: of the most frequent such kind."""
    unseen_kinds: int = 0
    """How many such kinds there are."""
    calls: int = 0
    """All calls in the metrics, refused ones included; 0 where no metrics were looked at."""
    throttled: int = 0
    """Those of them that were refused for want of concurrency."""
    usual: Usual | None = None
    """Of the sample before a change: how many failed in the month before it; None: not known."""

    @property
    def failure_rate(self) -> float:
        """The share of failed invocations; 0 when nothing was invoked."""
        return self.failures / self.invocations if self.invocations else 0.0

    @property
    def with_usual(self) -> TrafficSample:
        """The sample together with the month before it."""
        if self.usual is None:
            return self
        return self.model_copy(
            update={
                "invocations": self.invocations + self.usual.invocations,
                "failures": self.failures + self.usual.failures,
                "usual": None,
            }
        )

    @property
    def of_those_run(self) -> TrafficSample:
        """The sample without the calls that were refused."""
        return self.model_copy(
            update={
                "invocations": self.invocations - self.refused,
                "failures": self.failures - self.refused,
                "same_cause": self.same_cause - self.refused,
                "refused": 0,
            }
        )

    @property
    def at_worst(self) -> TrafficSample:
        """The sample if everything pending fails as the incident did."""
        return self.model_copy(
            update={
                "invocations": self.invocations + self.pending,
                "failures": self.failures + self.pending,
                "same_cause": self.same_cause + self.pending,
                "pending": 0,
            }
        )


class Shortage(StrEnum):
    """Whether a higher limit than the one that was set is lacking still."""

    NONE = "none"
    TIGHT = "tight"
    """Nothing fails at it, but what is used comes close to it."""
    AT_LIMIT = "at_limit"
    """Invocations run into the new limit, and a higher one is what they lack."""
    FORETOLD = "foretold"
    """Likewise, and what has ended since tells how much more they need."""


SeenNeed = TimeoutNeed | MemoryNeed | None
"""What traffic since a change shows to be needed; None where that is cut off once more."""


class OpenWindow(Value):
    """A window that lasts so long that it is looked into for harm before it ends."""

    ends_at: Instant
    looks: int
    """How many looks for harm share its level, the one at its end included."""


class Verification(Value):
    """`$.verification`: the verdict, what follows from it, and the figures behind it."""

    verdict: Verdict
    next: Literal["wait", "step", "roll_back", "done"]
    reason: str
    before: TrafficSample
    after: TrafficSample
    windows_used: int
    observed_until: Instant
    p_value: float | None = None
    """The probability of so few failures since if nothing had changed."""
    without_step: Literal["keep", "roll_back"] = "keep"
    """Where ``next`` is a further step: what becomes of this one if that is not made."""
    window_s: int = 0
    """Where ``next`` is to wait: for how long, in seconds."""
    within: OpenWindow | None = None
    """Where ``next`` is to wait: the window in which the next look is, if it is a long one."""
    probes: tuple[ProbeResult, ...] = ()
    """What test events have shown so far, of this incident."""
    need: SeenNeed = None
    """Where ``next`` is a further step: what the traffic since the change shows to be needed."""
