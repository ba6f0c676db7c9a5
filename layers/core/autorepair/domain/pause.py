"""The pause of all repairs: who asked for it, when and why."""

from __future__ import annotations

from autorepair.domain.value import Instant, Value


class Pause(Value):
    """While it lasts nothing is written; what was written before may still be taken back.

    All of it may be None: an item that somebody put by hand pauses just as well.
    """

    by: str | None = None
    """The ARN of whoever asked."""
    since: Instant | None = None
    why: str | None = None
    until: Instant | None = None
    """When it ends by itself."""

    def told(self) -> str:
        """Say in a line who paused repairs, since when, why and for how long."""
        parts = [f"{self.by or 'an operator'} has paused all repairs"]
        if self.since is not None:
            parts.append(f"since {self.since:%Y-%m-%d %H:%M %Z}")
        if self.until is not None:
            parts.append(f"until {self.until:%Y-%m-%d %H:%M %Z}")
        why = f" ({self.why})" if self.why else ""
        return " ".join(parts) + why
