from __future__ import annotations

from datetime import timedelta

import pytest

from autorepair.domain.audit import RecordKind
from autorepair.domain.change import MemorySetting, TimeoutSetting
from autorepair.domain.decision import Decision, RefusalCode
from autorepair.domain.diagnosis import Diagnosis, EnvironmentNeed, MemoryNeed, RootCause
from autorepair.domain.errors import PolicyUnreadableError, TransientServiceError
from autorepair.domain.evidence import RecentChange
from autorepair.domain.policy import Caps, Policy
from autorepair.domain.schedule import Schedule
from autorepair.domain.trends import onset
from autorepair.domain.verification import Verdict
from autorepair.steps.determine_action import DetermineActionInput, determine_action
from autorepair.steps.planning import grown
from unit.builders import (
    ALARM,
    ASK,
    AUTO,
    DIAGNOSIS,
    INCIDENT,
    applied,
    change,
    decision,
    evidence,
    incident,
    kept,
    slow_invocations,
    verification,
)
from unit.fakes import NOW, FakeFunctions, FakePolicies, World, configuration

MEMORY = DIAGNOSIS.model_copy(
    update={
        "root_cause": RootCause.MEMORY_EXHAUSTED,
        "need": MemoryNeed(memory_mb=384, basis="doubled"),
    }
)
SHORT = verification(verdict=Verdict.STILL_SHORT, next="step")


def world_under(policy: Policy = AUTO, **configured: object) -> World:
    return World(
        functions=FakeFunctions(configuration(**configured)), policies=FakePolicies(policy)
    )


def decided(world: World, diagnosis: Diagnosis = DIAGNOSIS, **keys: object) -> Decision:
    state = {"incident": INCIDENT, "evidence": kept(world), "diagnosis": diagnosis, **keys}
    return determine_action(DetermineActionInput.model_validate(state), world.ports)


def timeout_of(decision_: Decision) -> int:
    assert decision_.change is not None
    assert isinstance(decision_.change.after, TimeoutSetting)
    return decision_.change.after.timeout_s


def test_an_unattended_repair_is_planned_on_the_configuration_as_it_is_now() -> None:
    world = world_under()
    result = decided(world)
    assert (result.action, timeout_of(result)) == ("apply", 6)
    assert result.change is not None
    assert result.change.planned_on == configuration().fingerprint
    assert result.plan_hash == result.change.plan_hash
    assert world.kinds(INCIDENT) == [RecordKind.ACTION_DECIDED]
    assert world.functions.writes == 0


def test_the_policy_is_read_past_the_cache() -> None:
    world = world_under(AUTO)
    world.policies.freshly = ASK
    result = decided(world)
    assert (result.action, result.approval_timeout_s) == ("ask", 86_400)


def test_the_deployment_may_demand_a_person() -> None:
    world = world_under()
    world.is_approval_required = True
    assert decided(world).action == "ask"


def test_a_tag_of_the_function_tightens_the_policy() -> None:
    tags = {"auto-repair": "enabled", "auto-repair-mode": "observe"}
    assert decided(world_under(tags=tags)).action == "observe"


def test_what_is_only_observed_is_recorded_with_what_would_have_been_done() -> None:
    world = world_under(Policy())
    result = decided(world)
    assert (result.action, timeout_of(result)) == ("observe", 6)
    recorded = world.audit.chain_of(INCIDENT.id)[-1].entry
    assert recorded.data["change"]["after"]["timeout_s"] == 6


def test_without_a_readable_policy_it_only_observes_and_says_why() -> None:
    world = world_under()
    world.policies.error = PolicyUnreadableError("caps.memory_mb: too large")
    result = decided(world)
    assert result.action == "observe"
    assert "caps.memory_mb" in result.reason


def test_an_unreadable_policy_does_not_turn_a_refusal_into_an_observation() -> None:
    world = world_under()
    world.policies.error = PolicyUnreadableError("not JSON")
    unknown = DIAGNOSIS.model_copy(update={"root_cause": RootCause.UNKNOWN})
    assert decided(world, unknown).action == "decline"


def test_a_function_that_was_moved_to_another_subnet_after_it_had_failed_is_asked_about() -> None:
    moved_at = NOW - timedelta(minutes=3)
    world = world_under(last_modified=moved_at, has_vpc=True)
    move = RecentChange(
        id="change:e1",
        at=moved_at,
        source="cloudtrail",
        event="UpdateFunctionConfiguration",
        principal="anna",
        note="vpcconfig: subnetIds=subnet-9",
    )
    (now,) = world.functions.by_name.values()
    calls = slow_invocations()
    seen = evidence(*calls, configured=now).model_copy(
        update={"changes": (move,), "onset": onset(calls, (move,))}
    )
    result = decided(world, evidence=world.evidence.put(seen))
    assert result.refusal is not None
    assert (result.action, result.refusal.code) == ("ask", RefusalCode.RECENT_DEPLOYMENT)
    assert "anna" in result.reason


def test_an_alarm_that_its_owner_silenced_leads_to_no_write() -> None:
    muted = incident(alarm=ALARM.model_copy(update={"silenced_by": "mute-rule"}))
    result = decided(world_under(), incident=muted)
    assert result.action == "observe"
    assert "mute-rule" in result.reason
    assert result.refusal is not None
    assert result.refusal.code is RefusalCode.ALARM_SILENCED


def test_a_cause_that_no_setting_cures_is_declined_with_a_record() -> None:
    world = world_under()
    bug = DIAGNOSIS.model_copy(update={"root_cause": RootCause.CODE_BUG, "is_repairable": False})
    result = decided(world, bug)
    assert result.refusal is not None
    assert (result.action, result.refusal.code) == ("decline", RefusalCode.NOT_REPAIRABLE)
    assert world.kinds(INCIDENT) == [RecordKind.ACTION_DECIDED]


def test_a_paused_service_declines() -> None:
    world = world_under()
    world.state.has_pause = True
    result = decided(world)
    assert result.refusal is not None
    assert result.refusal.code is RefusalCode.PAUSED


def test_a_function_that_is_gone_is_declined_in_plain_words() -> None:
    world = world_under()
    summary = kept(world)
    world.functions.by_name.clear()
    result = decided(world, evidence=summary)
    assert (result.action, "gone" in result.reason) == ("decline", True)


def test_a_throttled_read_is_left_to_the_state_machines_retry() -> None:
    world = world_under()
    world.functions.read_errors = [TransientServiceError("throttled")]
    with pytest.raises(TransientServiceError):
        decided(world)


def test_an_overtaken_plan_is_made_anew_on_what_the_function_is_now() -> None:
    world = world_under(code_sha256="code-2")
    result = decided(world, decision=decision(), change=applied(status="stale"))
    assert result.is_replanned
    assert result.step == 1
    assert result.change is not None
    assert result.change.planned_on == configuration(code_sha256="code-2").fingerprint
    assert world.audit.chain_of(INCIDENT.id)[-1].entry.key == "determine_action/1/replanned"


def test_that_a_plan_was_overtaken_once_is_not_forgotten_in_the_next_step() -> None:
    world = world_under(timeout_s=6)
    earlier = decision(is_replanned=True)
    result = decided(world, decision=earlier, change=applied(), verification=SHORT)
    assert (result.step, result.is_replanned) == (2, True)


def test_a_further_step_grows_from_the_timeout_as_it_is_now() -> None:
    world = world_under(timeout_s=6)
    result = decided(world, change=applied(), verification=SHORT)
    assert (result.step, timeout_of(result)) == (2, 12)
    assert result.change is not None
    assert result.change.before == TimeoutSetting(timeout_s=6)


def test_a_further_step_grows_from_the_memory_as_it_is_now() -> None:
    world = world_under(memory_mb=384)
    result = decided(world, MEMORY, change=applied(), verification=SHORT)
    assert result.change is not None
    assert result.change.after == MemorySetting(memory_mb=768)


def test_an_overtaken_second_step_stays_the_second() -> None:
    world = world_under(timeout_s=6)
    stale = applied(status="stale", step=2, origin=change(is_applied=True))
    result = decided(world, change=stale, verification=SHORT)
    assert (result.step, result.is_replanned, timeout_of(result)) == (2, True, 12)


def test_a_further_step_stops_at_the_cap() -> None:
    world = world_under(AUTO.model_copy(update={"caps": Caps(timeout_s=6)}), timeout_s=6)
    result = decided(world, change=applied(), verification=SHORT)
    assert result.refusal is not None
    assert (result.action, result.refusal.code) == ("decline", RefusalCode.AT_CAP)


def test_steps_are_counted() -> None:
    world = world_under(timeout_s=24)
    result = decided(world, change=applied(step=3), verification=SHORT)
    assert result.refusal is not None
    assert result.refusal.code is RefusalCode.STEPS_USED_UP


def test_entered_again_without_a_reason_the_step_stays_the_same() -> None:
    world = world_under()
    assert decided(world, change=applied(status="refused")).step == 1


def test_decided_twice_is_recorded_once() -> None:
    world = world_under()
    summary = kept(world)
    assert decided(world, evidence=summary) == decided(world, evidence=summary)
    assert len(world.kinds(INCIDENT)) == 1


def test_decided_again_under_another_policy_what_was_recorded_stands() -> None:
    world = world_under()
    summary = kept(world)
    first = decided(world, evidence=summary)
    world.policies.policy = Policy()
    assert decided(world, evidence=summary) == first
    assert world.audit.chain_of(INCIDENT.id)[-1].entry.data == first.as_json()


@pytest.mark.parametrize("policy", [AUTO, ASK])
def test_outside_of_the_hours_it_declines_and_says_which_they_are(policy: Policy) -> None:
    closed = Schedule(timezone="UTC", allowed_hours=(22, 6))
    result = decided(world_under(policy.model_copy(update={"schedule": closed})))
    assert result.refusal is not None
    assert (result.action, result.refusal.code) == ("decline", RefusalCode.OUTSIDE_HOURS)
    assert "from 22:00 to 6:00" in result.reason
    assert timeout_of(result) == 6


def test_a_small_memory_grows_as_after_a_first_kill() -> None:
    need = grown(MEMORY, configuration(memory_mb=128)).need
    assert need == MemoryNeed(memory_mb=256, basis="doubled")


def test_what_was_seen_since_the_last_step_takes_the_place_of_doubling() -> None:
    seen = MemoryNeed(memory_mb=300, basis="observed", seen_at_memory_mb=320)
    assert grown(MEMORY, configuration(memory_mb=320), seen).need == seen


def test_a_need_of_variables_does_not_grow() -> None:
    need = EnvironmentNeed(names=("TABLE",))
    missing = DIAGNOSIS.model_copy(update={"need": need})
    assert grown(missing, configuration()).need == need


def test_the_clock_of_the_record_is_the_ports() -> None:
    world = world_under()
    decided(world)
    assert world.audit.chain_of(INCIDENT.id)[-1].entry.at == NOW


@pytest.mark.parametrize("without_step", ["keep", "roll_back"])
def test_a_further_step_says_what_becomes_of_the_last_one_if_it_is_not_made(
    without_step: str,
) -> None:
    world = world_under(ASK, timeout_s=6)
    short = SHORT.model_copy(update={"without_step": without_step})
    assert decided(world, change=applied(), verification=short).otherwise == without_step


def test_a_first_step_leaves_nothing_behind_to_ask_about() -> None:
    assert decided(world_under()).otherwise == "keep"
