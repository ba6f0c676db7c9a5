from __future__ import annotations

from datetime import timedelta

import pytest

from autorepair.domain.change import Change, MemorySetting, TimeoutSetting
from autorepair.domain.circumstances import ChangedSince, Circumstances
from autorepair.domain.decision import RefusalCode
from autorepair.domain.diagnosis import RootCause
from autorepair.domain.evidence import RecentDeployment
from unit.deciding import BACK, CLEAN, LONGER, NOON, change, decided, setting, told
from unit.logbook import diagnosed

RUNNING = Circumstances(deployments=("its stack shop is UPDATE_IN_PROGRESS",))
RELEASED = RecentDeployment(
    at=NOON - timedelta(minutes=20), told="UpdateFunctionCode by ci at 11:40", is_code=True
)
LARGER = change(MemorySetting(memory_mb=256), MemorySetting(memory_mb=512))
BY_A_DEPLOYMENT = [RootCause.BAD_DEPLOYMENT, RootCause.CODE_BUG]


def configured_lately(**changes: object) -> RecentDeployment:
    return RELEASED.model_copy(update={"is_code": False, **changes})


@pytest.mark.parametrize("planned", [LONGER, setting("APP_MODE"), BACK])
def test_in_the_middle_of_a_deployment_a_person_is_asked(planned: Change) -> None:
    decision = decided(planned, circumstances=RUNNING)
    assert told(decision) == ("ask", RefusalCode.DEPLOYMENT_RUNNING)
    assert "shop is UPDATE_IN_PROGRESS" in decision.reason


@pytest.mark.parametrize("cause", BY_A_DEPLOYMENT)
@pytest.mark.parametrize("planned", [LONGER, BACK])
def test_what_a_running_deployment_broke_is_left_to_its_own_rollback(
    cause: RootCause, planned: Change
) -> None:
    decision = decided(planned, diagnosis=diagnosed(cause), circumstances=RUNNING)
    assert told(decision) == ("decline", RefusalCode.DEPLOYMENT_RUNNING)


def test_a_stack_that_cannot_be_read_makes_it_ask_and_say_so() -> None:
    unread = Circumstances(unread_deployments="cloudformation:DescribeStacks was denied")
    decision = decided(circumstances=unread)
    assert told(decision) == ("ask", RefusalCode.DEPLOYMENT_RUNNING)
    assert "DescribeStacks was denied" in decision.reason


def test_a_running_deployment_is_told_before_all_else_that_makes_it_ask() -> None:
    by_model = diagnosed(source="model", confidence=0.7)
    decision = decided(diagnosis=by_model, circumstances=RUNNING)
    assert told(decision) == ("ask", RefusalCode.DEPLOYMENT_RUNNING)


@pytest.mark.parametrize("planned", [LONGER, LARGER, setting("APP_MODE")])
def test_a_function_that_was_deployed_right_before_it_failed_is_asked_about(
    planned: Change,
) -> None:
    decision = decided(planned, recent=RELEASED)
    assert told(decision) == ("ask", RefusalCode.RECENT_DEPLOYMENT)
    assert "UpdateFunctionCode by ci" in decision.reason


@pytest.mark.parametrize("cause", BY_A_DEPLOYMENT)
def test_what_a_recent_deployment_broke_is_no_matter_of_settings(cause: RootCause) -> None:
    decision = decided(diagnosis=diagnosed(cause), recent=RELEASED)
    assert told(decision) == ("decline", RefusalCode.RECENT_DEPLOYMENT)


def test_a_recent_deployment_is_the_very_reason_to_take_a_version_back() -> None:
    bad = diagnosed(RootCause.BAD_DEPLOYMENT)
    assert told(decided(BACK, diagnosis=bad, recent=RELEASED)) == ("apply", None)


def test_who_lowered_the_setting_an_hour_ago_is_asked_before_it_is_raised() -> None:
    lowered = configured_lately(settings=("timeout_s",))
    assert told(decided(LONGER, recent=lowered)) == ("ask", RefusalCode.RECENT_DEPLOYMENT)
    assert told(decided(LARGER, recent=lowered)) == ("apply", None)


def test_who_changed_the_variable_an_hour_ago_is_asked_before_it_is_set() -> None:
    removed = configured_lately(variables=("APP_MODE",))
    written = configured_lately(writes_environment=True)
    asked = ("ask", RefusalCode.RECENT_DEPLOYMENT)
    assert told(decided(setting("APP_MODE"), recent=removed)) == asked
    assert told(decided(setting("OTHER"), recent=removed)) == ("apply", None)
    assert told(decided(setting("OTHER"), recent=written)) == asked
    assert told(decided(LONGER, recent=written)) == ("apply", None)


@pytest.mark.parametrize("mended", [RELEASED, configured_lately()], ids=["code", "settings"])
@pytest.mark.parametrize("planned", [LONGER, LARGER, setting("APP_MODE")])
def test_a_function_that_was_changed_after_it_failed_is_asked_about(
    planned: Change, mended: RecentDeployment
) -> None:
    decision = decided(planned, recent=mended.model_copy(update={"is_since": True}))
    assert told(decision) == ("ask", RefusalCode.RECENT_DEPLOYMENT)
    assert "may be mended by that" in decision.reason
    assert "UpdateFunctionCode by ci" in decision.reason


@pytest.mark.parametrize("cause", BY_A_DEPLOYMENT)
def test_what_a_deployment_broke_is_left_to_the_change_that_came_after_the_failures(
    cause: RootCause,
) -> None:
    mended = RELEASED.model_copy(update={"is_since": True})
    decision = decided(diagnosis=diagnosed(cause), recent=mended)
    assert told(decision) == ("decline", RefusalCode.RECENT_DEPLOYMENT)
    assert "see first whether that helped" in decision.reason
    assert told(decided(BACK, diagnosis=diagnosed(RootCause.BAD_DEPLOYMENT), recent=mended)) == (
        "apply",
        None,
    )


CODE_SINCE = Circumstances(changed_since=ChangedSince(told="its code", is_code=True))
MEMORY_SINCE = Circumstances(changed_since=ChangedSince(told="its memory", is_code=False))


@pytest.mark.parametrize("since", [CODE_SINCE, MEMORY_SINCE])
@pytest.mark.parametrize("planned", [LONGER, LARGER, setting("APP_MODE")])
def test_what_is_not_the_function_that_was_diagnosed_any_more_is_asked_about(
    planned: Change, since: Circumstances
) -> None:
    decision = decided(planned, circumstances=since)
    assert told(decision) == ("ask", RefusalCode.RECENT_DEPLOYMENT)
    assert since.changed_since is not None
    assert f"somebody has changed {since.changed_since.told}" in decision.reason


@pytest.mark.parametrize("cause", BY_A_DEPLOYMENT)
def test_what_a_deployment_broke_is_left_to_the_one_that_came_after_it(cause: RootCause) -> None:
    decision = decided(diagnosis=diagnosed(cause), circumstances=CODE_SINCE)
    assert told(decision) == ("decline", RefusalCode.RECENT_DEPLOYMENT)
    lesser = decided(diagnosis=diagnosed(cause), circumstances=MEMORY_SINCE)
    assert told(lesser) == ("ask", RefusalCode.RECENT_DEPLOYMENT)


def test_new_code_that_no_alias_leads_to_does_not_keep_a_version_from_being_taken_back() -> None:
    bad = diagnosed(RootCause.BAD_DEPLOYMENT)
    assert told(decided(BACK, diagnosis=bad, circumstances=CODE_SINCE)) == ("apply", None)


@pytest.mark.parametrize(("led_to", "is_free"), [(5, False), (10, True), (15, False)])
def test_a_further_step_is_made_only_where_the_last_one_led(led_to: int, *, is_free: bool) -> None:
    first = change(TimeoutSetting(timeout_s=3), TimeoutSetting(timeout_s=led_to))
    decision = decided(LONGER, step=2, history=CLEAN.model_copy(update={"origin": first}))
    assert told(decision) == (("apply", None) if is_free else ("decline", RefusalCode.PUT_BACK))
    assert is_free or f"led to timeout_s {led_to} and it is timeout_s 10 by now" in decision.reason
