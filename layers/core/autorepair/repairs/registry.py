"""The kinds of repair, as one explicit tuple, and the choice among them."""

from __future__ import annotations

from autorepair.domain.change import Change, RepairKind
from autorepair.domain.configuration import FunctionConfiguration
from autorepair.domain.decision import Refusal, RefusalCode
from autorepair.domain.diagnosis import Diagnosis, RootCause
from autorepair.domain.policy import Policy
from autorepair.repairs.planner import Repair, Surroundings, refused
from autorepair.repairs.publish import released, way_to
from autorepair.repairs.rollback_version import ROLLBACK_VERSION
from autorepair.repairs.set_env import SET_ENV
from autorepair.repairs.set_ephemeral_storage import SET_EPHEMERAL_STORAGE
from autorepair.repairs.set_memory import SET_MEMORY
from autorepair.repairs.set_reserved_concurrency import SET_RESERVED_CONCURRENCY
from autorepair.repairs.set_timeout import SET_TIMEOUT

REPAIRS: tuple[Repair, ...] = (
    SET_TIMEOUT,
    SET_MEMORY,
    SET_ENV,
    SET_EPHEMERAL_STORAGE,
    SET_RESERVED_CONCURRENCY,
    ROLLBACK_VERSION,
)

# What a diagnosis without a need lacks, by the kind of repair that would meet it.
_MISSING: dict[RepairKind, str] = {
    RepairKind.SET_TIMEOUT: "how long the work takes when nothing cuts it off",
    RepairKind.SET_MEMORY: "how much memory the work takes",
    RepairKind.SET_ENV: "a declared variable (known configuration) that the failures point to",
    RepairKind.SET_EPHEMERAL_STORAGE: "how much of /tmp the work takes",
    RepairKind.SET_RESERVED_CONCURRENCY: "how many executions at once the demand takes",
    RepairKind.ROLLBACK_VERSION: "a version that is known to have worked under the same alias",
}


def plan(
    configuration: FunctionConfiguration,
    diagnosis: Diagnosis,
    policy: Policy,
    surroundings: Surroundings,
) -> Change | Refusal:
    """Plan the change that cures the diagnosis, or say why there is none."""
    if diagnosis.root_cause in {RootCause.UNKNOWN, RootCause.INSUFFICIENT_EVIDENCE}:
        return refused(
            RefusalCode.UNKNOWN_CAUSE,
            f"the cause is not known, so nothing is tried: {diagnosis.why}",
        )
    repair = next((r for r in REPAIRS if diagnosis.root_cause in r.cures), None)
    if repair is None or (diagnosis.need is not None and not diagnosis.is_repairable):
        return refused(
            RefusalCode.NOT_REPAIRABLE,
            f"no setting that may be changed cures {diagnosis.root_cause.value}: {diagnosis.why}",
        )
    if not isinstance(diagnosis.need, repair.meets):
        return refused(
            RefusalCode.NOT_REPAIRABLE,
            f"the evidence does not tell what would cure {diagnosis.root_cause.value}, so nothing "
            f"is tried; missing is {_MISSING[repair.kind]}: {diagnosis.why}",
        )
    if repair.reaches_versions:
        return repair.plan(configuration, diagnosis, policy, surroundings)
    way = way_to(diagnosis, surroundings)
    if isinstance(way, Refusal):
        return way
    change = repair.plan(configuration, diagnosis, policy, surroundings)
    return change if way is None or isinstance(change, Refusal) else released(change, way)
