"""Lives: the high-water marks of memory in each execution environment, from its first call on."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime
from itertools import pairwise

from autorepair.causes.limits import has_present_size, lines_of, memory_share
from autorepair.causes.memory_words import is_ending, is_giving_up
from autorepair.domain.evidence import Evidence, Invocation, LogLine
from autorepair.domain.log_records import read_record

_KILLED_NEAR = 0.97
# A runtime that ends for want of memory does so a little below the limit, ...
_ENDED_NEAR = 0.85
# ... and one that gives up by its own words sooner, as it sizes its heap so.
_GIVES_UP_NEAR = 0.7
_ENDS = frozenset({"timeout", "out_of_memory", "crash"})


@dataclass(slots=True)
class Life:
    """The high-water marks of one execution environment, oldest first, in megabytes.

    Up to the first invocation that memory ended; what the environment does after that shows no
    slope any more.
    """

    marks: list[int] = field(default_factory=list)
    invocations: list[Invocation] = field(default_factory=list)
    """Those with a mark, in step with ``marks``."""
    is_whole: bool = True
    """Whether the log shows it from its first invocation on."""
    ends: list[Invocation] = field(default_factory=list)
    """The invocations that memory ended; more than one where the runtime outlives them."""

    @property
    def is_cut_off(self) -> bool:
        """Whether memory ended it, or an invocation of it."""
        return bool(self.ends)

    @property
    def was_killed(self) -> bool:
        """Whether the process itself was ended, and not an invocation alone."""
        return any(i.status in _ENDS for i in self.ends)

    @property
    def steps(self) -> list[int]:
        """How far each mark lies above the one before it."""
        return [later - earlier for earlier, later in pairwise(self.marks)]

    @property
    def slope_marks(self) -> list[int]:
        """The marks that tell of the slope: the last one is cut off where memory ended it."""
        return self.marks[:-1] if self.is_cut_off else self.marks

    @property
    def last(self) -> Invocation:
        """The invocation that ended it, or the latest one."""
        return self.ends[-1] if self.ends else self.invocations[-1]

    @property
    def began_at(self) -> datetime:
        """When its first invocation with a mark began."""
        return self.invocations[0].started_at


def lives_of(evidence: Evidence) -> list[Life]:
    """Split each log stream where its environment began anew."""
    lives: list[Life] = []
    current: dict[str, Life] = {}
    lines = lines_of(evidence)
    known = _streams_seen_from_the_start(evidence)
    for invocation in evidence.invocations:
        used = invocation.max_memory_used_mb
        if used is None or not has_present_size(evidence, invocation):
            continue
        life = current.get(invocation.stream)
        if life is None or invocation.init_ms is not None or used < life.marks[-1]:
            is_whole = invocation.init_ms is not None or invocation.stream in known
            life = current[invocation.stream] = Life(is_whole=is_whole)
            known.add(invocation.stream)
            lives.append(life)
        if not life.is_cut_off:
            life.marks.append(used)
            life.invocations.append(invocation)
        own = lines.get(invocation.request_id, [])
        if _ended_for_memory(invocation, own, evidence.configuration.runtime):
            life.ends.append(invocation)
        if invocation.status in _ENDS:
            del current[invocation.stream]
    return lives


def _streams_seen_from_the_start(evidence: Evidence) -> set[str]:
    """Give the environments of which the log shows how they were started."""
    first: dict[str, LogLine] = {}
    for line in evidence.log_lines:
        first.setdefault(line.stream, line)
    return {
        stream for stream, line in first.items() if read_record(line.message).kind == "init_start"
    }


def _ended_for_memory(invocation: Invocation, own: list[LogLine], runtime: str | None) -> bool:
    """Whether memory ended an invocation: at the limit, or near it by the runtime's own words."""
    share = memory_share(invocation) or 0.0
    if invocation.status in _ENDS:
        near = _ENDED_NEAR if invocation.status == "crash" else _KILLED_NEAR
        if invocation.status == "out_of_memory" or share >= near:
            return True
    if not invocation.has_failed or share < _GIVES_UP_NEAR:
        return False
    has_ended = invocation.status == "crash"
    return any(is_giving_up(line) or (has_ended and is_ending(line, runtime)) for line in own)
