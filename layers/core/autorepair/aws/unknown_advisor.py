"""The advisor of a deployment that asks no model."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import ClassVar

from autorepair.domain.catalogue import CatalogueEntry
from autorepair.domain.diagnosis import Advice, RootCause
from autorepair.domain.evidence import Evidence


class UnknownAdvisor:
    """Never guesses."""

    permissions: ClassVar[Mapping[str, frozenset[str]]] = {"advise": frozenset()}

    def advise(self, evidence: Evidence, catalogue: Sequence[CatalogueEntry]) -> Advice:
        """Answer `unknown` whatever the evidence."""
        del catalogue
        name = evidence.configuration.function_name
        return Advice(
            root_cause=RootCause.UNKNOWN, why=f"this deployment asks no model about {name}"
        )
