"""The advisor of a deployment that asks no model."""

from __future__ import annotations

from autorepair.domain.diagnosis import Advice, RootCause
from autorepair.domain.evidence import Evidence


class UnknownAdvisor:
    """Never guesses."""

    def advise(self, evidence: Evidence) -> Advice:
        """Answer `unknown` whatever the evidence."""
        name = evidence.configuration.function_name
        return Advice(
            root_cause=RootCause.UNKNOWN, why=f"this deployment asks no model about {name}"
        )
