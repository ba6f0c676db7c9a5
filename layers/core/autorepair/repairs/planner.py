"""What a planner is, and what it may look at besides the diagnosis."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from autorepair.domain.change import Change, RepairKind, Setting
from autorepair.domain.configuration import FunctionConfiguration
from autorepair.domain.decision import Refusal, RefusalCode
from autorepair.domain.diagnosis import Diagnosis, RootCause
from autorepair.domain.evidence import Alias, Caller, DeclaredVariable
from autorepair.domain.incident import Target
from autorepair.domain.policy import Policy


@dataclass(frozen=True, slots=True)
class Surroundings:
    """What stands around the function: who calls it, what is declared, and its aliases."""

    target: Target
    callers: tuple[Caller, ...] = ()
    declared: tuple[DeclaredVariable, ...] = ()
    aliases: tuple[Alias, ...] = ()


Planner = Callable[[FunctionConfiguration, Diagnosis, Policy, Surroundings], Change | Refusal]
"""Pure: plans the change that the diagnosis calls for, within all bounds, or says why not."""


@dataclass(frozen=True, slots=True)
class Repair:
    """One kind of repair, the causes it cures, and its planner."""

    kind: RepairKind
    cures: tuple[RootCause, ...]
    plan: Planner


def planned(
    configuration: FunctionConfiguration,
    surroundings: Surroundings,
    before: Setting,
    after: Setting,
) -> Change:
    """Give the change on exactly this configuration."""
    return Change(
        target=surroundings.target,
        before=before,
        after=after,
        planned_on=configuration.fingerprint,
    )


def refused(code: RefusalCode, why: str) -> Refusal:
    """Give a typed no; ``why`` ends with what a person can do."""
    return Refusal(code=code, why=why)
