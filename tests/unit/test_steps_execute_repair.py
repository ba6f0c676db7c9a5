from __future__ import annotations

from datetime import timedelta

import pytest

from autorepair.domain.approval import Approval
from autorepair.domain.audit import RecordKind
from autorepair.domain.errors import (
    AccessDeniedError,
    ChangeRefusedError,
    EnvironmentUnreadableError,
    PolicyUnreadableError,
    StaleConfigurationError,
    TargetNotFoundError,
    UndeclaredValueError,
    UpdateFailedError,
    UpdateInProgressError,
)
from autorepair.domain.policy import Policy, VerificationRules
from autorepair.steps.watch_window import window_s
from unit.builders import (
    ASK,
    AUTO,
    INCIDENT,
    TARGET,
    applied,
    auto,
    change,
    decision,
    evidence,
    incident,
    invocations,
    kept,
    memory_change,
)
from unit.executing import ASKED, YES, executed, timeout_now, world_under
from unit.fakes import ARN, NOW, configuration, summary_of

PLANNED, APPLIED, WITHHELD = (
    RecordKind.REPAIR_PLANNED,
    RecordKind.REPAIR_APPLIED,
    RecordKind.REPAIR_WITHHELD,
)


def test_the_change_is_made_recorded_before_and_after_and_announced() -> None:
    world = world_under()
    record = executed(world)
    assert record.status == "applied"
    assert timeout_now(world) == 6
    assert world.kinds(INCIDENT) == [PLANNED, APPLIED]
    assert world.announcer.types == ["RepairApplied"]
    assert record.change is not None
    assert record.change.leads_to == configuration(timeout_s=6).fingerprint
    assert record.applied_at == NOW


def test_what_is_about_to_be_written_is_remembered_before_it_is_written() -> None:
    world = world_under()
    executed(world)
    assert [r.status for r in world.state.remembered[INCIDENT.id]] == ["planned", "applied"]


def test_without_a_record_nothing_is_written() -> None:
    world = world_under()
    world.audit.error = AccessDeniedError("the audit table")
    with pytest.raises(AccessDeniedError):
        executed(world)
    assert world.functions.writes == 0


def test_the_lease_is_given_back_whether_it_worked_or_not() -> None:
    world = world_under()
    executed(world)
    world.functions.somebody_changes(timeout_s=3)
    world.functions.refusals = [ChangeRefusedError("no")]
    executed(world, decision=decision(step=2))
    assert world.state.leases == {}
    assert world.state.fence == 2


def test_somebody_elses_lease_keeps_us_off() -> None:
    world = world_under()
    world.state.acquire_lease(TARGET, holder="another incident", seconds=300)
    record = executed(world)
    assert (record.status, world.functions.applied) == ("refused", [])
    assert world.state.leases[ARN].holder == "another incident"


def test_run_again_after_it_was_applied_it_writes_nothing_and_says_the_same() -> None:
    world = world_under()
    first = executed(world)
    world.clock.advance(30)
    world.alarms.recovered = {"patient-slow-invoice-errors"}
    assert executed(world) == first
    assert world.functions.writes == 1
    assert world.kinds(INCIDENT) == [PLANNED, APPLIED]


def test_an_alarm_silenced_since_the_decision_leads_to_no_write() -> None:
    world = world_under()
    world.alarms.silent["patient-slow-invoice-errors"] = "the mute rule maintenance"
    record = executed(world)
    assert (record.status, "mute rule maintenance" in record.reason) == ("refused", True)
    assert timeout_now(world) == 3


def test_an_alarm_back_to_ok_leads_to_no_write() -> None:
    world = world_under()
    world.alarms.recovered = {"patient-slow-invoice-errors"}
    record = executed(world)
    assert (record.status, world.functions.applied) == ("recovered", [])
    assert world.kinds(INCIDENT) == [WITHHELD]


def test_started_by_hand_there_is_no_alarm_to_ask_for() -> None:
    world = world_under()
    assert INCIDENT.alarm is not None
    by_hand = incident(alarm=INCIDENT.alarm.model_copy(update={"kind": "manual"}))
    assert executed(world, incident=by_hand).status == "applied"
    assert world.alarms.asked == []


def test_a_pause_leads_to_no_write() -> None:
    world = world_under()
    world.state.has_pause = True
    record = executed(world)
    assert (record.status, world.functions.applied) == ("paused", [])


def test_a_policy_that_was_tightened_since_the_decision_holds() -> None:
    world = world_under(AUTO)
    world.policies.freshly = ASK
    record = executed(world)
    assert (record.status, world.functions.applied) == ("refused", [])
    assert "ask" in record.reason


def test_with_the_consent_of_a_person_ask_is_enough() -> None:
    world = world_under(ASK)
    record = executed(world, decision=ASKED, approval=YES)
    assert record.status == "applied"
    planned = world.audit.chain_of(INCIDENT.id)[0].entry
    assert planned.data["approved_by"] == "duty"
    assert planned.summary == "about to set_timeout: approved by duty"


def test_where_nobody_was_asked_the_record_tells_the_reason_of_the_decision() -> None:
    world = world_under(AUTO)
    executed(world, approval=YES)
    planned = world.audit.chain_of(INCIDENT.id)[0].entry
    assert planned.summary == "about to set_timeout: slow work"


def test_the_consent_of_a_person_is_not_enough_to_observe() -> None:
    assert executed(world_under(Policy()), decision=ASKED, approval=YES).status == "refused"


def test_an_answer_to_another_plan_is_no_consent() -> None:
    assert executed(world_under(ASK), decision=decision(), approval=YES).status == "refused"


def test_a_no_is_no_consent() -> None:
    no = Approval(answer="rejected")
    assert executed(world_under(ASK), decision=ASKED, approval=no).status == "refused"


def test_a_tag_taken_away_since_the_decision_holds() -> None:
    world = world_under()
    world.functions.somebody_changes(tags={})
    assert executed(world).status == "refused"


def test_without_a_readable_policy_nothing_is_written() -> None:
    world = world_under()
    world.policies.error = PolicyUnreadableError("not JSON")
    record = executed(world)
    assert (record.status, world.functions.applied) == ("refused", [])


def test_the_policy_is_read_past_the_cache() -> None:
    world = world_under()
    executed(world)
    assert world.policies.reads == [True]


def test_a_function_changed_since_the_plan_makes_the_plan_stale() -> None:
    world = world_under()
    world.functions.somebody_changes(code_sha256="code-2")
    record = executed(world)
    assert (record.status, world.functions.applied) == ("stale", [])


def test_a_plan_is_made_anew_only_once() -> None:
    world = world_under()
    world.functions.somebody_changes(code_sha256="code-2")
    record = executed(world, decision=decision(is_replanned=True))
    assert (record.status, "second time" in record.reason) == ("refused", True)


def test_a_function_changed_in_the_last_moment_makes_the_plan_stale_too() -> None:
    world = world_under()
    world.functions.refusals = [StaleConfigurationError("the timeout is 5 s and not 3 s")]
    assert executed(world).status == "stale"
    remembered = world.state.remembered_change(INCIDENT)
    assert remembered is not None
    assert (remembered.status, remembered.in_place) == ("stale", None)


@pytest.mark.parametrize(
    "error",
    [
        EnvironmentUnreadableError("no grant"),
        UndeclaredValueError("TABLE has no source"),
        ChangeRefusedError("too large"),
        TargetNotFoundError("gone"),
        AccessDeniedError("no tag"),
        UpdateInProgressError("a deployment is under way"),
    ],
)
def test_a_refusal_is_told_in_plain_words_and_leaves_nothing_behind(error: Exception) -> None:
    world = world_under()
    world.functions.refusals = [error]
    record = executed(world)
    assert (record.status, str(error) in record.reason) == ("refused", True)
    assert world.kinds(INCIDENT) == [PLANNED, WITHHELD]
    assert record.in_place is None


def test_a_function_that_is_gone_is_refused() -> None:
    world = world_under()
    summary = kept(world)
    world.functions.by_name.clear()
    assert executed(world, evidence=summary).status == "refused"


@pytest.mark.parametrize(
    "error", [UpdateInProgressError("not settled"), AccessDeniedError("the second read")]
)
def test_a_doubt_after_the_write_is_a_failure_and_not_a_refusal(error: Exception) -> None:
    world = world_under()
    world.functions.fails_after_write = error
    with pytest.raises(type(error)):
        executed(world)
    remembered = world.state.remembered_change(INCIDENT)
    assert remembered is not None
    assert remembered.status == "planned"


def test_an_update_that_lambda_could_not_put_into_effect_is_a_failure() -> None:
    world = world_under()
    world.functions.refusals = [UpdateFailedError("EniLimitExceeded")]
    with pytest.raises(UpdateFailedError):
        executed(world)


def test_a_further_step_remembers_what_the_first_one_changed() -> None:
    world = world_under()
    world.functions.somebody_changes(timeout_s=6)
    second = decision(change=change(6, 12), step=2)
    record = executed(world, decision=second, change=applied())
    assert (record.status, record.step, timeout_now(world)) == ("applied", 2, 12)
    assert record.in_place is not None
    assert record.in_place.before == change().before


def test_a_further_step_that_is_refused_leaves_the_first_one_in_place() -> None:
    world = world_under()
    world.functions.somebody_changes(timeout_s=6)
    world.functions.refusals = [ChangeRefusedError("too long")]
    second = decision(change=change(6, 12), step=2)
    record = executed(world, decision=second, change=applied())
    assert record.status == "refused"
    assert record.in_place == change(is_applied=True)


def test_a_decision_without_a_change_is_a_fault() -> None:
    with pytest.raises(ValueError, match="nothing was decided"):
        executed(world_under(), decision=decision(change=None))


def test_the_window_is_the_policys_when_traffic_is_busy_enough() -> None:
    world = world_under(auto(window_s=600, max_windows=6, min_invocations=5))
    assert executed(world).window_s == 600


@pytest.mark.parametrize(
    ("seen", "minutes", "window"),
    [
        (5, 15, 600),  # seconds apart: five more come within one window
        (1, 15, 750),  # five need 75 minutes: six windows of twelve and a half
        (1, 1440, 43_200),  # one a day: half a day at most before the first look
        (0, 15, 600),  # nothing is known of the traffic
    ],
)
def test_the_window_follows_the_traffic(seen: int, minutes: int, window: int) -> None:
    looked = evidence(*invocations(seen)).model_copy(
        update={"window_start": NOW - timedelta(minutes=minutes)}
    )
    assert window_s(VerificationRules(), summary_of(looked, key="k"), change()) == window


def test_a_window_is_long_enough_to_see_a_time_out_at_the_new_timeout() -> None:
    seen = summary_of(evidence(*invocations(5)), key="k")
    assert window_s(VerificationRules(), seen, change(300, 600)) == 605
    assert window_s(VerificationRules(), seen, memory_change()) == 600


def test_the_records_hold_together_and_hold_no_secret() -> None:
    world = world_under()
    executed(world)
    assert world.audit.is_whole()


def test_the_configuration_before_the_change_is_remembered_first() -> None:
    world = world_under()
    executed(world)
    ((reason, kept),) = [(s.reason, s.configuration.timeout_s) for s in world.snapshots.kept]
    assert (reason, kept) == ("before_change", 3)


def test_nothing_is_written_that_could_not_be_remembered() -> None:
    world = world_under()
    world.snapshots.errors = [AccessDeniedError("kms:Encrypt was denied")]
    record = executed(world)
    assert (record.status, world.functions.applied) == ("refused", [])
    assert "kms:Encrypt was denied" in record.reason


def test_a_function_that_moves_while_it_is_remembered_makes_the_plan_stale() -> None:
    world = world_under()
    world.snapshots.errors = [StaleConfigurationError("changed while it was remembered")]
    assert executed(world).status == "stale"


def test_a_function_deleted_while_it_is_remembered_is_refused() -> None:
    world = world_under()
    world.snapshots.errors = [TargetNotFoundError("no such function")]
    record = executed(world)
    assert (record.status, "gone" in record.reason) == ("refused", True)


@pytest.mark.parametrize(
    ("changed", "told"),
    [
        ({"timeout_s": 10}, "its timeout was 3 s and is 10 s by now"),
        ({"code_sha256": "code-2"}, "its code, layers, role, environment or another setting"),
        ({"code_sha256": "code-2", "last_modified": NOW}, "last modified 2026-03-04T12:00:00Z"),
    ],
)
def test_a_stale_plan_says_what_differs(changed: dict[str, object], told: str) -> None:
    world = world_under()
    world.functions.somebody_changes(**changed)
    assert told in executed(world).reason
