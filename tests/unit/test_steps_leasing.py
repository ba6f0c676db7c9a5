"""Two holders of one lease: who has lost it does not write."""

from __future__ import annotations

import ast
from collections.abc import Callable
from datetime import timedelta
from pathlib import Path

import pytest

from autorepair.domain.audit import RecordKind
from autorepair.domain.change import Change
from autorepair.domain.configuration import FunctionConfiguration
from autorepair.domain.errors import LeaseLostError, TransientServiceError
from autorepair.ports.function import unguarded
from autorepair.steps import leasing
from autorepair.steps.leasing import LEASE_S, WRITE_S, leased
from autorepair.steps.undoing import undo
from unit.builders import AUTO, INCIDENT, TARGET, applied, change, incident
from unit.executing import executed, timeout_now
from unit.fakes import NOW, FakeFunctions, FakePolicies, World, configuration

OTHER = incident(id="another incident")
FAR = change(3, 60)


class StallingFunctions(FakeFunctions):
    """Between the last reading and the write something else happens, once."""

    def __init__(self, *configurations: FunctionConfiguration) -> None:
        super().__init__(*configurations)
        self.meanwhile: Callable[[], None] | None = None

    def apply(
        self, change: Change, *, guard: Callable[[], None] = unguarded
    ) -> FunctionConfiguration:
        def late() -> None:
            meanwhile, self.meanwhile = self.meanwhile, None
            if meanwhile is not None:
                meanwhile()
            guard()

        return super().apply(change, guard=late)


def stalled(timeout_s: int, second: Change, *, for_s: int) -> World:
    """A world in which the first writer stalls while a second one takes the lease and writes."""
    functions = StallingFunctions(configuration(timeout_s=timeout_s))
    world = World(functions=functions, policies=FakePolicies(AUTO))

    def meanwhile() -> None:
        world.clock.advance(for_s)
        with leased(TARGET, OTHER, world.ports) as held:
            world.functions.apply(second, guard=held.prove)

    functions.meanwhile = meanwhile
    return world


def test_who_stalled_past_its_lease_does_not_write_over_who_took_it() -> None:
    world = stalled(3, FAR, for_s=LEASE_S + 1)
    with pytest.raises(TransientServiceError, match="the lease was lost"):
        executed(world)
    assert (timeout_now(world), world.functions.writes) == (60, 1)


def test_a_rollback_that_stalled_past_its_lease_does_not_write() -> None:
    world = stalled(6, change(6, 60), for_s=LEASE_S + 1)
    with pytest.raises(LeaseLostError):
        undo(change(is_applied=True), INCIDENT, world.ports)
    assert (timeout_now(world), world.functions.writes) == (60, 1)


def test_too_little_of_a_lease_for_a_write_is_as_good_as_none() -> None:
    functions = StallingFunctions(configuration())
    world = World(functions=functions, policies=FakePolicies(AUTO))
    functions.meanwhile = lambda: world.clock.advance(LEASE_S - WRITE_S + 1)
    with pytest.raises(TransientServiceError, match="the lease was lost"):
        executed(world)
    assert world.functions.writes == 0


def test_the_retry_of_a_lost_lease_finishes_the_write() -> None:
    functions = StallingFunctions(configuration())
    world = World(functions=functions, policies=FakePolicies(AUTO))
    functions.meanwhile = lambda: world.clock.advance(LEASE_S)
    with pytest.raises(TransientServiceError):
        executed(world)
    assert (executed(world).status, timeout_now(world)) == ("applied", 6)


def test_what_is_written_ahead_names_the_fence_and_the_change_when_it_was_sent() -> None:
    functions = StallingFunctions(configuration())
    world = World(functions=functions, policies=FakePolicies(AUTO))
    functions.meanwhile = lambda: world.clock.advance(7)
    record = executed(world)
    ahead = world.state.remembered[INCIDENT.id][0]
    assert (ahead.status, ahead.fence, record.fence) == ("planned", 1, 1)
    planned = next(
        r.entry
        for r in world.audit.chain_of(INCIDENT.id)
        if r.entry.kind is RecordKind.REPAIR_PLANNED
    )
    assert planned.data["fence"] == 1
    assert record.accepted_at == NOW + timedelta(seconds=7)


def test_a_lease_says_when_it_was_proven_last() -> None:
    world = World()
    with leased(TARGET, INCIDENT, world.ports) as held:
        moments = [held.proved_at]
        held.prove()
        moments.append(held.proved_at)
    assert (held.fence, moments) == (1, [None, NOW])


def test_a_lease_that_was_given_back_proves_nothing() -> None:
    world = World()
    with leased(TARGET, INCIDENT, world.ports) as held:
        pass
    with pytest.raises(LeaseLostError):
        held.prove()


def test_every_write_of_a_step_is_guarded() -> None:
    """Of whatever step: a change that is applied without a guard is not fenced."""
    calls = [
        node
        for module in Path(leasing.__file__).parent.glob("*.py")
        for node in ast.walk(ast.parse(module.read_text(encoding="utf-8")))
        if isinstance(node, ast.Call) and ast.unparse(node.func) == "ports.functions.apply"
    ]
    assert len(calls) > 1
    for call in calls:
        given = {k.arg: ast.unparse(k.value) for k in call.keywords}
        assert given.get("guard", "").endswith(".prove")


def test_a_record_from_before_fences_can_still_be_read() -> None:
    record = applied()
    known = record.as_json()
    del known["fence"], known["accepted_at"]
    assert type(record).model_validate(known) == record
