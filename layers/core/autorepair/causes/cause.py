"""What a root cause is: what it looks like, why that proves it, and the rule that finds it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from autorepair.domain.change import RepairKind
from autorepair.domain.diagnosis import Finding, RootCause
from autorepair.domain.evidence import Evidence


@dataclass(frozen=True, slots=True, kw_only=True)
class Cause:
    """One row of the catalogue; the texts stand under these headings on its page.

    ``diagnose`` is pure: evidence in, a finding out, or None when the cause is not proven.
    ``explains`` names the labels that are mere symptoms where this cause stands.
    """

    label: RootCause
    signal: str
    proof: str
    silence: str
    repair: RepairKind | None
    runbook: str
    diagnose: Callable[[Evidence], Finding | None]
    explains: tuple[RootCause, ...] = ()
