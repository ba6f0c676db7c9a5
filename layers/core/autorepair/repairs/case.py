"""What a guardrail is, and what it may look at."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime

from autorepair.domain.change import Change, EnvironmentSetting
from autorepair.domain.circumstances import Circumstances
from autorepair.domain.configuration import FunctionConfiguration
from autorepair.domain.decision import Refusal
from autorepair.domain.diagnosis import Diagnosis
from autorepair.domain.evidence import EvidenceSummary
from autorepair.domain.ledger import History
from autorepair.domain.policy import Policy


@dataclass(frozen=True, slots=True)
class Case:
    """All that a guardrail may look at; what is fresh in it was read for this very ruling."""

    change: Change
    diagnosis: Diagnosis
    policy: Policy
    configuration: FunctionConfiguration
    step: int
    history: History
    seen: EvidenceSummary
    circumstances: Circumstances
    now: datetime

    @property
    def names(self) -> set[str]:
        """The environment variables that the change writes."""
        after = self.change.after
        return set(after.variables) if isinstance(after, EnvironmentSetting) else set()


Guardrail = Callable[[Case], Refusal | None]
"""Says no to a change, whatever its diagnosis."""
Doubt = Callable[[Case], str | None]
"""Says why a person has to agree to a change, or None."""
