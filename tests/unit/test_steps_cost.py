"""Cost and headroom on the way from the evidence to the write."""

from __future__ import annotations

from datetime import timedelta

import pytest

from autorepair.domain.audit import RecordKind
from autorepair.domain.decision import RefusalCode
from autorepair.domain.evidence import EvidenceSummary
from autorepair.domain.policy import Policy
from autorepair.domain.traffic import Traffic
from autorepair.steps.determine_action import DetermineActionInput, determine_action
from unit.builders import AUTO, DIAGNOSIS, INCIDENT, evidence, slow_invocations
from unit.executing import ASKED, YES, executed, timeout_now, world_under
from unit.fakes import NOW, FakeFunctions, FakePolicies, World, configuration

# 3 s more for half of 6,000,000 calls with 128 MB cost 18.75 USD, and take 30 more at once.
BUSY = Traffic(
    since=NOW - timedelta(days=30),
    until=NOW,
    invocations_month=6_000_000.0,
    mean_ms=1000.0,
    peak_per_s=20.0,
    peak_concurrency=20.0,
    cut_off_share=0.5,
)


def capped(cap_usd: float, policy: Policy = AUTO) -> Policy:
    caps = policy.caps.model_copy(update={"added_cost_usd_month": cap_usd})
    return policy.model_copy(update={"caps": caps})


def busy(world: World) -> EvidenceSummary:
    seen = evidence(*slow_invocations())
    return world.evidence.put(seen.model_copy(update={"traffic": BUSY}))


def decided(world: World) -> tuple[str, RefusalCode | None]:
    given = DetermineActionInput(incident=INCIDENT, evidence=busy(world), diagnosis=DIAGNOSIS)
    decision = determine_action(given, world.ports)
    return decision.action, decision.refusal.code if decision.refusal else None


def test_what_a_change_adds_to_the_bill_is_in_the_record_of_its_decision() -> None:
    world = world_under(capped(20))
    assert decided(world) == ("apply", None)
    (record,) = world.audit.chain_of(INCIDENT.id)
    assert record.entry.kind is RecordKind.ACTION_DECIDED
    assert record.entry.data["cost"]["added_usd_month"] == pytest.approx(18.75)


def test_above_the_cap_it_is_declined_and_recorded() -> None:
    world = world_under(capped(2))
    assert decided(world) == ("decline", RefusalCode.ADDED_COST)
    (record,) = world.audit.chain_of(INCIDENT.id)
    assert "caps.added_cost_usd_month of the policy is 2 USD" in record.entry.summary


def test_without_room_it_is_declined() -> None:
    reserved = FakeFunctions(configuration(reserved_concurrency=20))
    world = World(functions=reserved, policies=FakePolicies(capped(1000)))
    assert decided(world) == ("decline", RefusalCode.NO_HEADROOM)


def test_a_cap_that_was_lowered_while_a_person_was_asked_holds_at_the_write() -> None:
    world = world_under(capped(20))
    assert executed(world, evidence=busy(world), decision=ASKED, approval=YES).status == "applied"
    lowered = world_under(capped(18))
    record = executed(lowered, evidence=busy(lowered), decision=ASKED, approval=YES)
    assert (record.status, timeout_now(lowered)) == ("refused", 3)
    assert "18.75 USD a month" in record.reason


def test_a_reservation_that_was_lowered_since_the_decision_holds_at_the_write() -> None:
    roomy = FakeFunctions(configuration(reserved_concurrency=50))
    world = World(functions=roomy, policies=FakePolicies(capped(1000)))
    assert executed(world, evidence=busy(world)).status == "applied"
    tight = FakeFunctions(configuration(reserved_concurrency=49))
    world = World(functions=tight, policies=FakePolicies(capped(1000)))
    record = executed(world, evidence=busy(world))
    assert (record.status, timeout_now(world)) == ("refused", 3)
    assert "leaves 49" in record.reason
