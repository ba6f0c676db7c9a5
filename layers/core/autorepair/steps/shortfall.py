"""Whether a higher limit than the new one is lacking still, and how much more traffic asks for."""

from __future__ import annotations

from dataclasses import dataclass

from autorepair.causes.limits import has_full_successes, has_present_size, memory_share
from autorepair.causes.weighing import diagnose
from autorepair.domain.diagnosis import MemoryNeed, RootCause, TimeoutNeed
from autorepair.domain.evidence import Evidence
from autorepair.domain.verification import SeenNeed, Shortage, TrafficSample
from autorepair.steps.sampling import runs_into_limit

NEARLY_FULL = 0.93
"""From this share of the new memory size on, the next larger input runs out of it."""


@dataclass(frozen=True, slots=True)
class Shortfall:
    """What is lacking, and the need that was seen, if it was."""

    shortage: Shortage
    need: SeenNeed = None


def shortfall(
    cause: RootCause, after: Evidence, *, earlier: TrafficSample, later: TrafficSample
) -> Shortfall:
    """Say whether a higher limit is what is lacking still.

    Running into the new limit is not enough: work that hangs does that at any limit. Either the
    change has let some of it through, or the rules say once more that a higher limit cures it.
    More has ended since than before, so what they say of the need goes further than it did.
    """
    if not runs_into_limit(after, cause):
        return _tightness(cause, after)
    if cause is RootCause.CONCURRENCY_LIMITED:
        is_fewer = later.failure_rate < earlier.failure_rate
        return Shortfall(Shortage.AT_LIMIT if is_fewer else Shortage.NONE)
    again = diagnose(after)
    if again.root_cause is not cause or not again.is_repairable:
        return Shortfall(Shortage.AT_LIMIT if later.rescued else Shortage.NONE)
    match again.need:
        case TimeoutNeed(basis="fitted"):
            return Shortfall(Shortage.FORETOLD, again.need)
        case TimeoutNeed(basis="observed") | MemoryNeed(basis="observed"):
            return Shortfall(Shortage.AT_LIMIT, again.need)
        case _:
            return Shortfall(Shortage.AT_LIMIT)


def _tightness(cause: RootCause, after: Evidence) -> Shortfall:
    """Look at the room that is left after a memory repair.

    A runtime that takes what it is given is always full, and a leak will be at any size: neither
    is cured by more.
    """
    size_mb = after.configuration.memory_mb
    seen = [i for i in after.invocations if i.status == "success" and has_present_size(after, i)]
    peak_mb = max((i.max_memory_used_mb or 0 for i in seen), default=0)
    is_nearly_full = any((memory_share(i) or 0.0) >= NEARLY_FULL for i in seen)
    if cause is not RootCause.MEMORY_EXHAUSTED or not is_nearly_full or has_full_successes(after):
        return Shortfall(Shortage.NONE)
    if diagnose(after).root_cause is RootCause.MEMORY_LEAK:
        return Shortfall(Shortage.NONE)
    need = MemoryNeed(memory_mb=peak_mb, basis="observed", seen_at_memory_mb=size_mb)
    return Shortfall(Shortage.TIGHT, need)
