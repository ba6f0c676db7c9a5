"""Stored evidence, and cases, diagnosed anew."""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path
from typing import NamedTuple, cast

from pydantic import ValidationError

from autorepair.domain.configuration import FunctionConfiguration
from autorepair.domain.evidence import Evidence
from autorepair.domain.incident import Incident, Target
from autorepair.ports import Advisor, Functions
from autorepair_cli.recorded.case import CaseUnreadableError, Expected, Recording, read_case
from autorepair_cli.recorded.run import Run, concluded, run
from autorepair_cli.recorded.sources import ports_of


class Past(NamedTuple):
    """What was made of a file: its name, the run, and what was to be concluded, if it says so."""

    id: str
    run: Run
    expected: Expected | None


def rerun(path: Path, advisor: Advisor) -> Past:
    """Diagnose and decide anew on a file of stored evidence, or on a case.

    Raises:
        CaseUnreadableError: It is neither.
        AutoRepairError: The steps cannot run on it.
    """
    evidence = _evidence_in(path)
    if evidence is not None:
        return Past(evidence.incident_id, decided(evidence, advisor), None)
    case = read_case(path)
    return Past(case.id, run(case.recording, advisor), case.expected)


def decided(evidence: Evidence, advisor: Advisor, *, target: Target | None = None) -> Run:
    """Diagnose and decide on evidence as it was kept, on the configuration that is in it.

    Raises:
        AutoRepairError: The steps cannot run on it.
    """
    nothing = Recording(function_configuration={"FunctionArn": evidence.configuration.function_arn})
    made = ports_of(nothing, now=evidence.collected_at, alarm_namespace=None, advisor=advisor)
    kept = cast("Functions", _KeptFunction(evidence.configuration))
    ports = replace(made, functions=kept)
    incident = Incident(
        id=evidence.incident_id,
        disposition="opened",
        reason="replayed",
        target=target or target_of(evidence),
        # Whether somebody silenced it is a guard on writes and no part of the diagnosis.
        alarm=evidence.alarm and evidence.alarm.model_copy(update={"silenced_by": None}),
        execution_arn="replayed",
        opened_at=evidence.collected_at,
    )
    diagnosis, decision = concluded(incident, ports.evidence.put(evidence), ports)
    return Run(evidence, diagnosis, decision)


def target_of(evidence: Evidence) -> Target:
    """Give the function that evidence is about, with the alias its configuration was read for."""
    configuration = evidence.configuration
    parts = [*configuration.function_arn.split(":"), *[""] * 7]
    alias = next(
        (
            alias.name
            for alias in evidence.aliases
            if configuration.alias_version is not None
            and alias.version == configuration.alias_version
        ),
        None,
    )
    return Target(
        function_name=configuration.function_name,
        function_arn=configuration.function_arn,
        account_id=parts[4],
        region=parts[3],
        qualifier=alias,
    )


@dataclass(frozen=True)
class _KeptFunction:
    """The function as the evidence found it; it is only read."""

    configuration: FunctionConfiguration

    def read(self, target: Target) -> FunctionConfiguration:  # noqa: ARG002 - a port's
        """Give the configuration that was kept."""
        return self.configuration


def _evidence_in(path: Path) -> Evidence | None:
    """Read stored evidence; None for a file that is something else."""
    try:
        return Evidence.model_validate_json(path.read_bytes())
    except ValidationError:
        return None
    except OSError as error:
        raise CaseUnreadableError(f"{path}: {error.strerror or error}") from error
