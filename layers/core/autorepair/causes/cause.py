"""What a root cause is: what it looks like, why that proves it, and the rule that finds it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from enum import IntEnum

from autorepair.domain.change import RepairKind
from autorepair.domain.diagnosis import Finding, RootCause
from autorepair.domain.evidence import Evidence


class Reach(IntEnum):
    """How much a label says; of several that fit, the one that says most is the diagnosis."""

    SPECIFIC = 0
    """It names what is wrong: a variable, a limit, a service, a file."""
    GENERAL = 1
    """It names where to look (the code, the last deployment) and fits many a specific cause too."""
    ABSENCE = 2
    """It is concluded from nothing being wrong."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Cause:
    """One row of the catalogue; the texts stand under these headings on its page.

    ``diagnose`` is pure: evidence in, a finding out, or None when the cause is not proven.
    ``explains`` names the labels that are mere symptoms where this cause stands, and ``outranks``
    those that are symptoms where its finding also says what to change.
    """

    label: RootCause
    signal: str
    proof: str
    silence: str
    repair: RepairKind | None
    runbook: str
    diagnose: Callable[[Evidence], Finding | None]
    explains: tuple[RootCause, ...] = ()
    outranks: tuple[RootCause, ...] = ()
    reach: Reach = Reach.SPECIFIC
