"""What a planner is, and what it may look at besides the diagnosis."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from autorepair.domain.change import Change, RepairKind, Setting
from autorepair.domain.configuration import FunctionConfiguration
from autorepair.domain.decision import Refusal, RefusalCode
from autorepair.domain.diagnosis import Diagnosis, RootCause
from autorepair.domain.evidence import (
    AccountConcurrency,
    Alias,
    Caller,
    DeclaredVariable,
    PublishedVersion,
    RecentChange,
)
from autorepair.domain.incident import Target
from autorepair.domain.policy import Policy
from autorepair.domain.standing import standing
from autorepair.domain.traffic import Traffic


@dataclass(frozen=True, slots=True)
class Surroundings:
    """What stands around the function: callers, declarations, releases, and the account."""

    target: Target
    callers: tuple[Caller, ...] = ()
    declared: tuple[DeclaredVariable, ...] = ()
    aliases: tuple[Alias, ...] = ()
    versions: tuple[PublishedVersion, ...] = ()
    changes: tuple[RecentChange, ...] = ()
    account: AccountConcurrency | None = None
    """None where it could not be read."""
    traffic: Traffic | None = None
    """None where it could not be read."""
    origin: Change | None = None
    """What the steps of the incident before this one amount to."""


Planner = Callable[[FunctionConfiguration, Diagnosis, Policy, Surroundings], Change | Refusal]
"""Pure: plans the change that the diagnosis calls for, within all bounds, or says why not."""


@dataclass(frozen=True, slots=True)
class Repair:
    """One kind of repair, the causes it cures by meeting which kind of need, and its planner."""

    kind: RepairKind
    cures: tuple[RootCause, ...]
    meets: type[object]
    plan: Planner
    reaches_versions: bool = False
    """Whether traffic on a published version feels it; a change of `$LATEST` does not."""


def planned(
    configuration: FunctionConfiguration,
    surroundings: Surroundings,
    before: Setting,
    after: Setting,
) -> Change:
    """Give the change on exactly this configuration, and on what goes with the setting."""
    return Change(
        target=surroundings.target,
        before=before,
        after=after,
        planned_on=standing(configuration, before),
    )


def refused(code: RefusalCode, why: str) -> Refusal:
    """Give a typed no; ``why`` ends with what a person can do."""
    return Refusal(code=code, why=why)


def of_same_kind(origin: Change | None, setting: Setting) -> Change | None:
    """Give what earlier steps of the incident changed, where it is the same setting."""
    return origin if origin is not None and isinstance(setting, type(origin.after)) else None
