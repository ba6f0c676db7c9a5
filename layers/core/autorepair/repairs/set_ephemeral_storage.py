"""Gives /tmp more room, never above the cap."""

from __future__ import annotations

import math

from autorepair.domain.change import Change, EphemeralStorageSetting, RepairKind
from autorepair.domain.configuration import MAX_EPHEMERAL_STORAGE_MB, FunctionConfiguration
from autorepair.domain.decision import Refusal, RefusalCode
from autorepair.domain.diagnosis import Diagnosis, RootCause, StorageNeed
from autorepair.domain.policy import Policy
from autorepair.repairs.cost import cost_limit
from autorepair.repairs.limit import Limit, tightest
from autorepair.repairs.planner import Repair, Surroundings, planned, refused

_STEP_MB = 64
# The next job may be larger than the largest seen, and storage costs next to nothing.
_TIMES_SEEN, _TIMES_PRESENT = 2.0, 3
_LEAST_UNKNOWN_MB = 2048
# Below this much there is nothing to be hoped for from a raise.
_LEAST_RAISE, _LEAST_ROOM = 1.5, 1.1


def plan_ephemeral_storage(
    configuration: FunctionConfiguration,
    diagnosis: Diagnosis,
    policy: Policy,
    surroundings: Surroundings,
) -> Change | Refusal:
    """Plan a larger /tmp, in megabytes, a multiple of 64 unless the cap is none.

    Twice what one job was seen to need, and at least twice what there is; three times what there
    is where the need is cut off at that, and then at least 2,048 MB (2 to 4 times what a job needs
    is the rule of practice). Never lowers. A need above the cap is refused.
    """
    need = diagnosis.need
    if not isinstance(need, StorageNeed):
        return refused(RefusalCode.NOT_REPAIRABLE, "nothing tells how much a job needs")
    present = configuration.ephemeral_storage_mb
    if need.seen_at_storage_mb not in {None, present}:
        return refused(
            RefusalCode.NO_EFFECT,
            f"the failures were seen with {need.seen_at_storage_mb} MB and there are {present} MB "
            "by now: see first whether that was enough",
        )
    cap = _limit(configuration, policy, surroundings)
    least = need.storage_mb * _LEAST_ROOM if need.basis == "observed" else 0.0
    if cap.most < max(least, _LEAST_RAISE * present):
        return _at_limit(cap, present, need)
    return planned(
        configuration,
        surroundings,
        EphemeralStorageSetting(ephemeral_storage_mb=present),
        EphemeralStorageSetting(ephemeral_storage_mb=min(_wanted(present, need), cap.most)),
    )


def _wanted(present_mb: int, need: StorageNeed) -> int:
    if need.basis == "observed":
        wanted = max(_TIMES_SEEN * need.storage_mb, 2.0 * present_mb)
    else:
        wanted = float(max(_TIMES_PRESENT * present_mb, _LEAST_UNKNOWN_MB))
    return math.ceil(wanted / _STEP_MB) * _STEP_MB


def _limit(configuration: FunctionConfiguration, policy: Policy, around: Surroundings) -> Limit:
    cap = min(policy.caps.ephemeral_storage_mb, MAX_EPHEMERAL_STORAGE_MB)
    whose = "Lambda" if cap == MAX_EPHEMERAL_STORAGE_MB else "the policy"
    present = EphemeralStorageSetting(ephemeral_storage_mb=configuration.ephemeral_storage_mb)
    return tightest(
        Limit(cap, RefusalCode.AT_CAP, f"{whose} allows at most {cap} MB"),
        (cost_limit(present, configuration, policy, around),),
    )


def _at_limit(limit: Limit, present_mb: int, need: StorageNeed) -> Refusal:
    seen = (
        f"a job was seen to need {need.storage_mb:.0f} MB"
        if need.basis == "observed"
        else (f"the {present_mb} MB of /tmp cannot be raised enough to matter")
    )
    return refused(
        limit.code,
        f"{seen}: {limit.why}; work on smaller pieces, stream them, or raise the cap",
    )


SET_EPHEMERAL_STORAGE = Repair(
    RepairKind.SET_EPHEMERAL_STORAGE,
    (RootCause.EPHEMERAL_STORAGE_FULL,),
    StorageNeed,
    plan_ephemeral_storage,
)
