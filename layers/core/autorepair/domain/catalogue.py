"""A cause as an advisor reads it."""

from __future__ import annotations

import re
from dataclasses import dataclass

from autorepair.domain.diagnosis import RootCause


@dataclass(frozen=True, slots=True)
class CatalogueEntry:
    """One label with its texts; ``words`` finds what is said of it in a lowered text."""

    label: RootCause
    signal: str
    proof: str
    silence: str
    runbook: str
    words: re.Pattern[str] | None
