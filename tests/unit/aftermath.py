"""Traffic after a change, and what VerifyRepair says of it."""

from __future__ import annotations

from datetime import timedelta

from autorepair.domain.configuration import FunctionConfiguration
from autorepair.domain.diagnosis import Diagnosis
from autorepair.domain.evidence import Invocation
from autorepair.domain.policy import Policy
from autorepair.domain.traffic import Usual
from autorepair.domain.verification import Verification
from autorepair.steps.verify_repair import VerifyRepairInput, verify_repair
from unit.builders import (
    AUTO,
    DIAGNOSIS,
    INCIDENT,
    applied,
    evidence,
    invocation,
    slow_invocations,
)
from unit.fakes import NOW, FakeFunctions, FakePolicies, World, configuration
from unit.logbook import QUIET

SINCE = NOW + timedelta(seconds=5)


def since(count: int, status: str = "success", **same: object) -> list[Invocation]:
    plain = {"stream": "new", "duration_ms": 3500.0, **same}
    return [
        invocation().model_copy(
            update={
                "request_id": f"{status}-{n}",
                "status": status,
                "started_at": SINCE + timedelta(seconds=n),
                "report_id": f"since-{n}",
                **plain,
            }
        )
        for n in range(count)
    ]


def world_after(
    *traffic: Invocation,
    policy: Policy = AUTO,
    configured: FunctionConfiguration | None = None,
    elapsed_s: int = 600,
) -> World:
    world = World(
        functions=FakeFunctions(configured or configuration(timeout_s=6)),
        policies=FakePolicies(policy),
    )
    world.logs.invocations = list(traffic)
    world.clock.advance(elapsed_s)
    return world


def verified(
    world: World,
    diagnosis: Diagnosis = DIAGNOSIS,
    *,
    before: list[Invocation] | None = None,
    usual: Usual | None = None,
    **keys: object,
) -> Verification:
    seen = evidence(*(slow_invocations() if before is None else before))
    month = QUIET.model_copy(update={"usual": usual})
    state = {
        "incident": INCIDENT,
        "evidence": world.evidence.put(seen.model_copy(update={"traffic": month})),
        "diagnosis": diagnosis,
        "change": applied(),
        **keys,
    }
    return verify_repair(VerifyRepairInput.model_validate(state), world.ports)


def remembered_status(world: World) -> str | None:
    kept = world.state.remembered_change(INCIDENT)
    return kept.status if kept else None
