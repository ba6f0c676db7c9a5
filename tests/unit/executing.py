"""Running ExecuteRepair, and what it leaves on the function."""

from __future__ import annotations

from autorepair.domain.approval import Approval
from autorepair.domain.change import ChangeRecord
from autorepair.domain.policy import Policy
from autorepair.steps.execute_repair import ExecuteRepairInput, execute_repair
from unit.builders import AUTO, DIAGNOSIS, INCIDENT, decision, kept
from unit.fakes import FakePolicies, World

ASKED = decision(action="ask")
YES = Approval(answer="approved", by="duty")


def world_under(policy: Policy = AUTO) -> World:
    return World(policies=FakePolicies(policy))


def executed(world: World, **keys: object) -> ChangeRecord:
    state = {
        "incident": INCIDENT,
        "evidence": kept(world),
        "diagnosis": DIAGNOSIS,
        "decision": decision(),
        **keys,
    }
    return execute_repair(ExecuteRepairInput.model_validate(state), world.ports)


def timeout_now(world: World) -> int:
    return world.functions.by_name["patient-slow-invoice"].timeout_s
