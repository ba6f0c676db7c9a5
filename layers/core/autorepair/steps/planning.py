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
from autorepair.repairs.planner import Surroundings
from autorepair.repairs.registry import plan


def plan_step(  # noqa: PLR0913 - a plan rests on all of these, and none may be left to a default
    target: Target,
    configuration: FunctionConfiguration,
    diagnosis: Diagnosis,
    policy: Policy,
    evidence: Evidence,
    *,
    step: int,
) -> Change | Refusal:
    """Plan the change on the configuration as it is now; from step 2 on the need has grown."""
    surroundings = Surroundings(
        target=target,
        callers=evidence.callers,
        declared=evidence.declared,
        aliases=evidence.aliases,
        versions=evidence.versions,
        changes=evidence.changes,
        account=_account_now(evidence, configuration),
    )
    current = grown(diagnosis, configuration) if step > 1 else diagnosis
    return plan(configuration, current, policy, surroundings)


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


def grown(diagnosis: Diagnosis, configuration: FunctionConfiguration) -> Diagnosis:
    """Give the diagnosis with the need that remains when the last step was not enough.

    What was seen is cut off at the limit again, so the true need is still unknown: twice the
    timeout; the memory as after a first out-of-memory kill, max(2 M, M + 256 MB); all of /tmp; all
    that is reserved.
    """
    need: Need | None = diagnosis.need
    match need:
        case TimeoutNeed():
            need = TimeoutNeed(duration_ms=configuration.timeout_s * 2000.0, basis="doubled")
        case MemoryNeed():
            current = configuration.memory_mb
            need = MemoryNeed(memory_mb=float(max(2 * current, current + 256)), basis="doubled")
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
