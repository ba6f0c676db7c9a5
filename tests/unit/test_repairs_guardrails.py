from __future__ import annotations

import pytest

from autorepair.domain.change import (
    AliasSetting,
    Change,
    MemorySetting,
    RepairKind,
    ReservedConcurrencySetting,
)
from autorepair.domain.configuration import FunctionConfiguration, VariableDigest
from autorepair.domain.decision import Refusal, RefusalCode
from autorepair.domain.evidence import Gap
from autorepair.domain.pause import Pause
from autorepair.domain.policy import Caps, EnvironmentRules, Mode, Policy
from unit.deciding import (
    AUTO,
    BACK,
    CLEAN,
    LONGER,
    MORE_AT_ONCE,
    MORE_ROOM,
    change,
    decided,
    setting,
    told,
)
from unit.logbook import TARGET, configured, diagnosed

PAUSED = CLEAN.model_copy(update={"pause": Pause(by="duty", why="migration")})


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
    assert told(decision) == ("ask", RefusalCode.MODEL_ALONE)
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


def test_an_environment_that_would_be_over_four_kilobytes_is_not_written() -> None:
    def holding(size_bytes: int) -> FunctionConfiguration:
        held = VariableDigest(name="BIG", size_bytes=size_bytes, digest="d")
        return configured(env_names=("BIG",), env_digests=(held,))

    # {"BIG":"...","A_B":""} is 4,096 bytes where BIG has 4,077.
    assert told(decided(setting("A_B"), configuration=holding(4077))) == ("apply", None)
    assert told(decided(setting("A_B"), configuration=holding(4078))) == (
        "decline",
        RefusalCode.ENVIRONMENT_TOO_LARGE,
    )
    assert told(decided(setting("BIG"), configuration=holding(4096))) == ("apply", None)


@pytest.mark.parametrize("source", ["callers", "callers/resource-policy", "callers/arn:aws:sqs:x"])
def test_a_longer_timeout_is_asked_for_when_a_caller_could_not_be_read(source: str) -> None:
    decision = decided(gaps=(Gap(source=source, reason="lambda:GetPolicy was denied"),))
    assert told(decision) == ("ask", RefusalCode.CALLER_LIMIT)
    assert "lambda:GetPolicy was denied" in decision.reason


def test_what_else_could_not_be_read_does_not_make_it_ask() -> None:
    assert told(decided(gaps=(Gap(source="changes", reason="denied"),))) == ("apply", None)


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
