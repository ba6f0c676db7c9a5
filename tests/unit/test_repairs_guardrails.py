from __future__ import annotations

from datetime import UTC, datetime

import pytest

from autorepair.domain.change import (
    Absent,
    AliasSetting,
    Change,
    DeclaredSource,
    EnvironmentSetting,
    EphemeralStorageSetting,
    MemorySetting,
    RepairKind,
    ReservedConcurrencySetting,
    Setting,
    TimeoutSetting,
)
from autorepair.domain.configuration import FunctionConfiguration
from autorepair.domain.decision import Decision, Refusal, RefusalCode
from autorepair.domain.diagnosis import Diagnosis
from autorepair.domain.evidence import Gap
from autorepair.domain.ledger import History
from autorepair.domain.pause import Pause
from autorepair.domain.policy import Caps, EnvironmentRules, Mode, Policy
from autorepair.repairs.guardrails import decide
from unit.logbook import TARGET, configured, diagnosed, summed_up

NOON = datetime(2026, 3, 4, 12, 0, tzinfo=UTC)
AUTO = Policy(modes=dict.fromkeys(RepairKind, Mode.AUTO))


def change(before: Setting, after: Setting) -> Change:
    return Change(target=TARGET, before=before, after=after, planned_on="f1")


LONGER = change(TimeoutSetting(timeout_s=10), TimeoutSetting(timeout_s=20))


CLEAN = History(incident_id="inc-1")


def setting(*names: str) -> Change:
    return change(
        EnvironmentSetting(variables={name: Absent() for name in names}),
        EnvironmentSetting(variables={name: DeclaredSource() for name in names}),
    )


def decided(
    planned: Change | Refusal = LONGER,
    *,
    diagnosis: Diagnosis | None = None,
    policy: Policy = AUTO,
    configuration: FunctionConfiguration | None = None,
    step: int = 1,
    history: History = CLEAN,
    gaps: tuple[Gap, ...] = (),
    now: datetime = NOON,
) -> Decision:
    return decide(
        planned,
        diagnosis or diagnosed(),
        policy,
        configuration or configured(),
        step=step,
        history=history,
        seen=summed_up(gaps=gaps),
        now=now,
    )


PAUSED = CLEAN.model_copy(update={"pause": Pause(by="duty", why="migration")})


def told(decision: Decision) -> tuple[str, RefusalCode | None]:
    return decision.action, decision.refusal.code if decision.refusal else None


def test_a_sure_diagnosis_under_auto_is_applied() -> None:
    decision = decided(step=2)
    assert told(decision) == ("apply", None)
    assert decision.change == LONGER
    assert decision.plan_hash == LONGER.plan_hash
    assert (decision.step, decision.approval_timeout_s) == (2, 0)


@pytest.mark.parametrize("mode", [Mode.OFF, Mode.OBSERVE])
def test_a_mode_that_only_observes_keeps_what_would_have_been_done(mode: Mode) -> None:
    decision = decided(policy=Policy(modes={RepairKind.SET_TIMEOUT: mode}))
    assert told(decision) == ("observe", RefusalCode.MODE)
    assert decision.change == LONGER


def test_without_a_mode_nothing_is_written() -> None:
    assert told(decided(policy=Policy())) == ("observe", RefusalCode.MODE)


def test_the_mode_ask_asks_and_says_how_long() -> None:
    decision = decided(policy=Policy(modes={RepairKind.SET_TIMEOUT: Mode.ASK}))
    assert told(decision) == ("ask", RefusalCode.MODE)
    assert decision.approval_timeout_s == 86_400


def test_a_refusal_of_the_planner_is_declined_as_it_is() -> None:
    refusal = Refusal(code=RefusalCode.AT_CAP, why="no higher")
    decision = decided(refusal)
    assert (decision.action, decision.refusal, decision.reason) == ("decline", refusal, "no higher")
    assert (decision.change, decision.plan_hash) == (None, None)


def test_functions_of_the_service_itself_are_never_repaired() -> None:
    own = configured(function_name="lambda-auto-repair-verify-repair-dev")
    assert told(decided(configuration=own)) == ("decline", RefusalCode.OWN_FUNCTION)


@pytest.mark.parametrize("tags", [{}, {"auto-repair": "disabled"}])
def test_a_function_that_is_not_enrolled_is_left_alone(tags: dict[str, str]) -> None:
    assert told(decided(configuration=configured(tags=tags))) == (
        "decline",
        RefusalCode.NOT_ENROLLED,
    )


@pytest.mark.parametrize(
    "unsettled",
    [{"state": "Pending"}, {"last_update_status": "InProgress"}, {"last_update_status": "Failed"}],
)
def test_a_function_that_has_not_settled_is_left_alone(unsettled: dict[str, str]) -> None:
    decision = decided(configuration=configured(**unsettled))
    assert told(decision) == ("decline", RefusalCode.NOT_ACTIVE)


def test_confidence_decides_between_nothing_asking_and_applying() -> None:
    assert told(decided(diagnosis=diagnosed(confidence=0.59))) == (
        "decline",
        RefusalCode.LOW_CONFIDENCE,
    )
    assert told(decided(diagnosis=diagnosed(confidence=0.6))) == (
        "ask",
        RefusalCode.LOW_CONFIDENCE,
    )
    assert told(decided(diagnosis=diagnosed(confidence=0.8))) == ("apply", None)


def test_a_diagnosis_by_a_model_alone_always_asks() -> None:
    decision = decided(diagnosis=diagnosed(source="model", confidence=1.0))
    assert decision.action == "ask"
    assert "model" in decision.reason


def test_after_the_last_step_no_other_follows() -> None:
    assert decided(step=3).action == "apply"
    assert told(decided(step=4)) == ("decline", RefusalCode.STEPS_USED_UP)


def test_while_paused_nothing_is_written() -> None:
    assert told(decided(history=PAUSED)) == ("decline", RefusalCode.PAUSED)


def test_variables_that_execute_code_always_ask() -> None:
    assert told(decided(setting("APP_MODE", "NODE_OPTIONS"))) == (
        "ask",
        RefusalCode.CODE_EXECUTING_NAME,
    )
    assert told(decided(setting("APP_MODE"))) == ("apply", None)
    named = AUTO.model_copy(update={"env": EnvironmentRules(never_unattended=("LD_PRELOAD",))})
    assert told(decided(setting("NODE_OPTIONS"), policy=named)) == ("apply", None)


def test_the_bounds_hold_whatever_a_planner_did() -> None:
    capped = AUTO.model_copy(update={"caps": Caps(timeout_s=15, memory_mb=512)})
    larger = change(MemorySetting(memory_mb=256), MemorySetting(memory_mb=1024))
    assert told(decided(policy=capped)) == ("decline", RefusalCode.AT_CAP)
    assert told(decided(larger, policy=capped)) == ("decline", RefusalCode.AT_CAP)
    assert told(decided(larger)) == ("apply", None)
    assert told(decided(LONGER.inverse())) == ("decline", RefusalCode.NO_EFFECT)
    assert told(decided(larger.inverse())) == ("decline", RefusalCode.NO_EFFECT)


def test_the_environment_has_bounds_as_well() -> None:
    only_app = AUTO.model_copy(update={"env": EnvironmentRules(allow=("APP_*",))})
    assert told(decided(setting("DB_URL"), policy=only_app)) == (
        "decline",
        RefusalCode.NAME_NOT_ALLOWED,
    )
    assert told(decided(setting("AWS_REGION"))) == ("decline", RefusalCode.RESERVED_NAME)
    unreadable = configured(is_env_unreadable=True)
    assert told(decided(setting("A_B"), configuration=unreadable)) == (
        "decline",
        RefusalCode.UNREADABLE_ENVIRONMENT,
    )


@pytest.mark.parametrize("source", ["callers", "callers/resource-policy", "callers/arn:aws:sqs:x"])
def test_a_longer_timeout_is_asked_for_when_a_caller_could_not_be_read(source: str) -> None:
    decision = decided(gaps=(Gap(source=source, reason="lambda:GetPolicy was denied"),))
    assert told(decision) == ("ask", RefusalCode.CALLER_LIMIT)
    assert "lambda:GetPolicy was denied" in decision.reason


def test_what_else_could_not_be_read_does_not_make_it_ask() -> None:
    assert told(decided(gaps=(Gap(source="changes", reason="denied"),))) == ("apply", None)


MORE_ROOM = change(
    EphemeralStorageSetting(ephemeral_storage_mb=512),
    EphemeralStorageSetting(ephemeral_storage_mb=2048),
)
MORE_AT_ONCE = change(
    ReservedConcurrencySetting(reserved_concurrency=5),
    ReservedConcurrencySetting(reserved_concurrency=20),
)
BACK = change(
    AliasSetting(alias="live", version="42"), AliasSetting(alias="live", version="41")
).model_copy(update={"target": TARGET.model_copy(update={"qualifier": "live"})})


@pytest.mark.parametrize("planned", [MORE_ROOM, MORE_AT_ONCE, BACK])
def test_the_further_kinds_are_applied_like_any_other(planned: Change) -> None:
    assert told(decided(planned)) == ("apply", None)
    asking = Policy(modes={planned.kind: Mode.ASK})
    assert told(decided(planned, policy=asking)) == ("ask", RefusalCode.MODE)


def test_the_further_sizes_stay_within_their_caps_whatever_was_planned() -> None:
    low = AUTO.model_copy(update={"caps": Caps(ephemeral_storage_mb=1024, reserved_concurrency=9)})
    for planned in (MORE_ROOM, MORE_AT_ONCE):
        assert told(decided(planned, policy=low)) == ("decline", RefusalCode.AT_CAP)
        assert told(decided(planned.inverse())) == ("decline", RefusalCode.NO_EFFECT)


def test_a_reservation_is_never_made_where_there_is_none_and_never_given_up() -> None:
    none = ReservedConcurrencySetting(reserved_concurrency=None)
    for planned in (change(none, MORE_AT_ONCE.after), change(MORE_AT_ONCE.before, none)):
        assert told(decided(planned)) == ("decline", RefusalCode.NO_EFFECT)


def test_an_alias_is_only_moved_from_one_version_to_another_and_under_its_own_name() -> None:
    still = BACK.model_copy(update={"after": BACK.before})
    other = BACK.model_copy(update={"after": AliasSetting(alias="test", version="41")})
    elsewhere = BACK.model_copy(update={"target": TARGET})
    for planned in (still, other, elsewhere):
        assert told(decided(planned)) == ("decline", RefusalCode.NO_EFFECT)


def test_what_the_account_has_left_and_nobody_could_read_is_asked_about() -> None:
    gaps = (Gap(source="concurrency", reason="denied"),)
    assert told(decided(MORE_AT_ONCE, gaps=gaps)) == ("ask", RefusalCode.NO_HEADROOM)
    assert told(decided(MORE_ROOM, gaps=gaps)) == ("apply", None)
