"""The advisor of a deployment that asks no model."""

from __future__ import annotations

from autorepair.domain.diagnosis import Advice, RootCause
from autorepair.domain.evidence import Evidence


class UnknownAdvisor:
    """Never guesses."""

    def advise(self, evidence: Evidence) -> Advice:
        """Answer `unknown` whatever the evidence."""
        return Advice(
            root_cause=RootCause.UNKNOWN,
            why=f"no model is asked in this deployment about {evidence.configuration.function_name}",
        )
