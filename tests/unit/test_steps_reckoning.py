"""Limits, storm breaker and history, as DetermineAction and ExecuteRepair hold them."""

from __future__ import annotations

from datetime import timedelta

import pytest

from autorepair.domain.audit import RecordKind
from autorepair.domain.change import ChangeRecord
from autorepair.domain.decision import Decision, RefusalCode
from autorepair.domain.errors import PolicyUnreadableError, TransientServiceError
from autorepair.domain.incident import Incident
from autorepair.domain.ledger import AccountLedger, Sighting, Trip, Write
from autorepair.domain.policy import Breaker, Limits, Policy
from autorepair.domain.verification import Verdict
from autorepair.steps.determine_action import DetermineActionInput, determine_action
from autorepair.steps.storm import TOLD_WITHIN
from unit.builders import (
    AUTO,
    DIAGNOSIS,
    INCIDENT,
    applied,
    change,
    decision,
    incident,
    kept,
    memory_change,
    verification,
)
from unit.executing import ASKED, YES, executed, timeout_now, world_under
from unit.fakes import ARN, NOW, World, configuration

STORMY = AUTO.model_copy(update={"breaker": Breaker(same_cause_functions=2)})
CAUSE = DIAGNOSIS.root_cause


def decided(world: World, incident_: Incident = INCIDENT, **keys: object) -> Decision:
    state = {
        "incident": incident_,
        "evidence": kept(world),
        "diagnosis": DIAGNOSIS,
        **keys,
    }
    return determine_action(DetermineActionInput.model_validate(state), world.ports)


def under(**limits: int) -> Policy:
    return AUTO.model_copy(update={"limits": Limits.model_validate(limits)})


def repaired_before(world: World, name: str, status: str = "rolled_back", **ago: float) -> None:
    """Enter a repair of the function by an earlier incident, and how it ended."""
    booked = world.ledger.of(ARN).booked(change(2, 3), name, NOW - timedelta(**ago))
    world.ledger.of_function[ARN] = booked.of_function
    world.ledger.of_account = booked.of_account
    record = ChangeRecord.model_validate(
        {"status": status, "reason": "r", "change": change(2, 3), "applied_at": NOW}
    )
    world.state.remembered[name] = [record]


def others_seen(world: World, count: int) -> None:
    seen = tuple(Sighting(function_name=f"other-{n}", cause=CAUSE, at=NOW) for n in range(count))
    world.ledger.of_account = AccountLedger(sightings=seen)


def others_wrote(world: World, count: int) -> None:
    writes = tuple(
        Write(incident_id=f"other-{n}", function_name=f"other-{n}", at=NOW) for n in range(count)
    )
    world.ledger.of_account = AccountLedger(writes=writes)


def test_a_repair_within_the_cooldown_is_declined_and_the_record_says_until_when() -> None:
    world = world_under()
    repaired_before(world, "inc-1", minutes=10)
    result = decided(world)
    assert result.refusal is not None
    assert (result.action, result.refusal.code) == ("decline", RefusalCode.COOLDOWN)
    recorded = world.audit.chain_of(INCIDENT.id)[-1].entry
    assert recorded.data["refusal"]["allowed_at"] is not None
    assert "allowed again from" in recorded.summary


def test_a_repair_that_is_written_is_booked_and_one_that_is_withheld_is_not() -> None:
    world = world_under()
    assert executed(world).status == "applied"
    assert [b.incident_id for b in world.ledger.of_function[ARN]] == [INCIDENT.id]
    assert [w.incident_id for w in world.ledger.of_account.writes] == [INCIDENT.id]
    stopped = world_under()
    stopped.functions.by_name["patient-slow-invoice"] = stopped.functions.by_name[
        "patient-slow-invoice"
    ].model_copy(update={"tags": {}})
    assert executed(stopped).status == "refused"
    assert stopped.ledger.of_account.writes == ()


def test_what_was_booked_is_given_back_when_the_write_is_withheld_after_all() -> None:
    world = world_under()
    world.state.acquire_lease(INCIDENT.subject, holder="somebody", seconds=60)
    assert executed(world).status == "refused"
    assert world.ledger.of_function[ARN] == ()
    assert world.ledger.of_account.writes == ()


def test_the_limit_of_the_account_is_held_once_more_just_before_the_write() -> None:
    world = world_under(under(repairs_per_account_hour=2))
    others_wrote(world, 1)
    assert decided(world).action == "apply"
    others_wrote(world, 2)
    result = executed(world)
    assert (result.status, timeout_now(world)) == ("refused", 3)
    assert "repairs_per_account_hour" in result.reason


def test_of_two_executions_that_ask_for_the_last_repair_one_is_refused() -> None:
    world = world_under(under(repairs_per_account_hour=1))
    # The other books between this one's reading and its booking.
    world.ledger.before_update = [lambda: None, lambda: others_wrote(world, 1)]
    assert executed(world).status == "refused"
    assert world.functions.writes == 0
    alone = world_under(under(repairs_per_account_hour=1))
    assert executed(alone).status == "applied"


def test_running_again_after_a_lost_answer_books_no_second_repair() -> None:
    world = world_under(under(repairs_per_account_hour=1, repairs_per_function_day=1))
    first = executed(world)
    assert executed(world) == first
    assert len(world.ledger.of_account.writes) == 1


def test_what_a_person_approved_is_held_to_the_limits_too() -> None:
    world = world_under(under(repairs_per_account_hour=0))
    result = executed(world, decision=ASKED, approval=YES)
    assert (result.status, world.functions.writes) == ("refused", 0)


def test_the_same_repair_for_the_third_time_is_escalated_with_what_became_of_the_others() -> None:
    world = world_under(under(cooldown_s=0))
    repaired_before(world, "inc-1", "rolled_back", days=3)
    assert decided(world, incident(id="inc-a")).action == "apply"
    repaired_before(world, "inc-2", "rolled_back", days=1)
    result = decided(world)
    assert result.refusal is not None
    assert result.refusal.code is RefusalCode.REPEATED
    assert "inc-1" in result.reason
    assert "rolled back" in result.reason


def test_what_somebody_put_back_is_escalated() -> None:
    world = world_under(under(cooldown_s=0))
    booked = world.ledger.of(ARN).booked(change(3, 6), "inc-1", NOW - timedelta(days=1))
    world.ledger.of_function[ARN] = booked.of_function
    world.state.remembered["inc-1"] = [applied(status="kept")]
    result = decided(world)
    assert result.refusal is not None
    assert (result.action, result.refusal.code) == ("decline", RefusalCode.PUT_BACK)


def test_what_was_put_back_is_known_however_much_else_was_repaired_since() -> None:
    world = world_under(under(cooldown_s=0))
    ledger = world.ledger.of(ARN).booked(change(3, 6), "inc-1", NOW - timedelta(days=60))
    world.state.remembered["inc-1"] = [applied(status="kept")]
    for number in range(2, 9):
        at = NOW - timedelta(days=7 * (9 - number))
        ledger = ledger.booked(memory_change(), f"inc-{number}", at)
    world.ledger.of_function[ARN] = ledger.of_function
    result = decided(world)
    assert result.refusal is not None
    assert (result.action, result.refusal.code) == ("decline", RefusalCode.PUT_BACK)


def test_what_was_put_back_is_known_behind_all_that_did_no_good_since() -> None:
    world = world_under(under(cooldown_s=0))
    ledger = world.ledger.of(ARN).booked(change(3, 6), "inc-kept", NOW - timedelta(days=80))
    world.state.remembered["inc-kept"] = [applied(status="kept")]
    world.ledger.of_function[ARN] = ledger.of_function
    for number, days in enumerate((70, 60, 50, 40, 30)):
        ledger = world.ledger.of(ARN).booked(
            change(6, 12), f"inc-{number}", NOW - timedelta(days=days)
        )
        world.ledger.of_function[ARN] = ledger.of_function
        tried = applied(status="rolled_back", change=change(6, 12))
        world.state.remembered[f"inc-{number}"] = [tried]
    result = decided(world)
    assert result.refusal is not None
    assert (result.action, result.refusal.code) == ("decline", RefusalCode.PUT_BACK)


def test_steps_used_up_tell_how_far_it_grew() -> None:
    grown = applied(step=3, change=change(12, 24, is_applied=True), origin=change(3, 12))
    world = world_under()
    world.functions.by_name["patient-slow-invoice"] = world.functions.by_name[
        "patient-slow-invoice"
    ].model_copy(update={"timeout_s": 24})
    short = verification(verdict=Verdict.STILL_SHORT, next="step")
    result = decided(world, change=grown, verification=short)
    assert result.refusal is not None
    assert result.refusal.code is RefusalCode.STEPS_USED_UP
    assert "from timeout_s 3 to timeout_s 24" in result.reason


def test_the_breaker_makes_a_repair_ask_and_tells_people_once() -> None:
    world = world_under(STORMY)
    others_seen(world, 2)
    result = decided(world)
    assert result.refusal is not None
    assert (result.action, result.refusal.code) == ("ask", RefusalCode.BREAKER)
    for told in ("one incident upstream", "other-0, other-1, patient-slow-invoice"):
        assert told in result.reason
    assert world.kinds(INCIDENT) == [RecordKind.BREAKER_TRIPPED, RecordKind.ACTION_DECIDED]
    assert world.announcer.types == ["BreakerTripped"]
    (sent,) = world.notifier.sent
    assert sent.attributes == {"kind": "breaker_tripped"}
    assert "断路器" in sent.message
    second = decided(world, incident(id="inc-other"))
    assert second.action == "ask"
    assert len(world.notifier.sent) == 1


def test_as_many_functions_as_allowed_are_no_storm() -> None:
    world = world_under(STORMY)
    others_seen(world, 1)
    assert decided(world).action == "apply"
    assert world.notifier.sent == []


def test_what_is_only_observed_is_no_part_of_a_storm() -> None:
    world = world_under(Policy(breaker=Breaker(same_cause_functions=1)))
    others_seen(world, 5)
    assert decided(world).action == "observe"
    assert world.ledger.of_account.trip is None


def tripped(world: World, *, by: str = "inc-other", is_told: bool = False) -> None:
    trip = Trip(since=NOW, last_at=NOW, by=by, why="w", functions=("a", "b"), is_told=is_told)
    world.ledger.of_account = AccountLedger(trip=trip)


def test_a_breaker_that_trips_after_the_decision_makes_it_anew_and_then_it_asks() -> None:
    world = world_under(STORMY)
    tripped(world, is_told=True)
    stale = executed(world)
    assert (stale.status, world.functions.writes) == ("stale", 0)
    anew = decided(world, change=stale, decision=decision())
    assert (anew.action, anew.is_replanned) == ("ask", True)
    again = executed(world, decision=decision(is_replanned=True))
    assert again.status == "refused"


def test_what_a_person_approved_in_a_storm_is_written() -> None:
    world = world_under(STORMY)
    tripped(world, is_told=True)
    assert executed(world, decision=ASKED, approval=YES).status == "applied"


def test_the_breaker_resets_by_itself_after_a_quiet_window_and_says_so() -> None:
    world = world_under(STORMY)
    tripped(world, is_told=True)
    world.clock.advance(600)
    assert decided(world).action == "apply"
    assert world.kinds(INCIDENT)[0] is RecordKind.BREAKER_RESET
    assert world.announcer.types == ["BreakerReset"]
    assert world.ledger.of_account.trip is None


def test_a_message_that_cannot_be_sent_holds_nothing_up_and_is_tried_by_the_next() -> None:
    world = world_under(STORMY)
    others_seen(world, 2)
    world.notifier.error = TransientServiceError("the topic is down")
    assert decided(world).action == "ask"
    world.notifier.error = None
    decided(world, incident(id="inc-b"))
    assert world.notifier.sent == []
    world.clock.advance(TOLD_WITHIN.total_seconds())
    decided(world, incident(id="inc-c"))
    decided(world, incident(id="inc-d"))
    assert len(world.notifier.sent) == 1


def test_the_one_that_tripped_it_tells_people_though_its_first_run_was_cut_short() -> None:
    world = world_under(STORMY)
    tripped(world, by=INCIDENT.id)
    decided(world)
    assert len(world.notifier.sent) == 1


def test_who_paused_and_why_stands_in_the_reason() -> None:
    world = world_under()
    world.state.has_pause = True
    for told in ("duty", "migration"):
        assert told in decided(world).reason
        assert told in executed(world).reason


def test_without_a_policy_the_refusal_says_so() -> None:
    world = world_under()
    world.policies.error = PolicyUnreadableError("not JSON")
    result = decided(world)
    assert result.refusal is not None
    assert (result.action, result.refusal.code) == ("observe", RefusalCode.POLICY_UNREADABLE)


@pytest.mark.parametrize("status", ["stale", "refused"])
def test_a_further_step_that_is_withheld_gives_back_nothing(status: str) -> None:
    world = world_under()
    executed(world)
    booked = world.ledger.of_account.writes
    moved = change(6, 12)
    later = decision(step=2, change=moved, plan_hash=moved.plan_hash)
    held = configuration(timeout_s=99) if status == "stale" else configuration(timeout_s=6, tags={})
    world.functions.by_name["patient-slow-invoice"] = held
    result = executed(world, decision=later, change=applied())
    assert result.status == status
    assert world.ledger.of_account.writes == booked
