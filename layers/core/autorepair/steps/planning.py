"""The plan for a step of an incident: first the diagnosis' need, then what grew out of it."""

from __future__ import annotations

from autorepair.domain.change import Change
from autorepair.domain.configuration import FunctionConfiguration
from autorepair.domain.decision import Refusal
from autorepair.domain.diagnosis import (
    ConcurrencyNeed,
    Diagnosis,
    MemoryNeed,
    Need,
    StorageNeed,
    TimeoutNeed,
)
from autorepair.domain.evidence import AccountConcurrency, Evidence
from autorepair.domain.incident import Target
from autorepair.domain.policy import Policy
from autorepair.domain.verification import SeenNeed
from autorepair.repairs.planner import Surroundings
from autorepair.repairs.registry import plan
from autorepair.steps.publishing import after_release, aliases_after_release


def plan_step(  # noqa: PLR0913 - a plan rests on all of these, and none may be left to a default
    target: Target,
    configuration: FunctionConfiguration,
    diagnosis: Diagnosis,
    policy: Policy,
    evidence: Evidence,
    *,
    step: int,
    origin: Change | None = None,
    seen: SeenNeed = None,
) -> Change | Refusal:
    """Plan the change on the configuration as it is now; from step 2 on the need has grown.

    ``origin`` is what the steps before this one amount to: what they have published runs by now.
    ``seen`` is what the traffic since the last step shows to be needed, where it does.
    """
    surroundings = Surroundings(
        target=target,
        callers=evidence.callers,
        declared=evidence.declared,
        aliases=aliases_after_release(evidence.aliases, origin),
        versions=evidence.versions,
        changes=evidence.changes,
        account=_account_now(evidence, configuration),
        traffic=evidence.traffic,
        origin=origin,
    )
    current = grown(diagnosis, configuration, seen) if step > 1 else diagnosis
    located = after_release(_located(current, target, evidence), origin)
    return plan(configuration, located, policy, surroundings)


def _located(diagnosis: Diagnosis, target: Target, evidence: Evidence) -> Diagnosis:
    """Give the diagnosis with what all calls run on, where no failure and no alarm tells.

    Work that is slow, or close to its memory, fails nobody yet: it runs where the calls run.
    """
    if diagnosis.failing_versions or target.qualifier is not None:
        return diagnosis
    versions = tuple(sorted({call.version for call in evidence.invocations}))
    return diagnosis.model_copy(update={"failing_versions": versions})


def _account_now(
    evidence: Evidence, configuration: FunctionConfiguration
) -> AccountConcurrency | None:
    """Give what the account has left once what the function has reserved since is taken off."""
    account = evidence.concurrency
    if account is None:
        return None
    earlier = evidence.configuration.reserved_concurrency or 0
    taken = (configuration.reserved_concurrency or 0) - earlier
    return account.model_copy(update={"unreserved": account.unreserved - taken})


def grown(
    diagnosis: Diagnosis, configuration: FunctionConfiguration, seen: SeenNeed = None
) -> Diagnosis:
    """Give the diagnosis with the need that remains when the last step was not enough.

    That is what was ``seen`` since. Where that is cut off at the limit again, the true need is
    still unknown: twice the timeout; the memory as after a first out-of-memory kill; all of /tmp;
    all that is reserved.
    """
    need: Need | None = diagnosis.need
    if seen is not None:
        return diagnosis.model_copy(update={"need": seen})
    match need:
        case TimeoutNeed():
            need = TimeoutNeed(duration_ms=configuration.timeout_s * 2000.0, basis="doubled")
        case MemoryNeed():
            need = MemoryNeed(memory_mb=2.0 * configuration.memory_mb, basis="doubled")
        case StorageNeed():
            need = StorageNeed(
                storage_mb=float(configuration.ephemeral_storage_mb), basis="doubled"
            )
        case ConcurrencyNeed():
            reserved = configuration.reserved_concurrency or 0
            need = ConcurrencyNeed(executions=max(need.executions, float(reserved)))
        case _:
            pass
    return diagnosis.model_copy(update={"need": need})
