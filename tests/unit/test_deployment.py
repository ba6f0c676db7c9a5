from __future__ import annotations

from datetime import datetime, timedelta

import pytest

from autorepair.domain.deployment import Stack, recent_deployment
from autorepair.domain.evidence import (
    Evidence,
    RecentChange,
    RecentDeployment,
    SettingChange,
    VariableChange,
)
from autorepair.domain.recent_changes import TrailEvent, recent_changes
from autorepair.domain.snapshot import Snapshot
from autorepair.domain.trends import onset
from unit.builders import evidence, invocation
from unit.fakes import NOW, configuration

FAILED_AT = NOW - timedelta(minutes=5)


def ago(minutes: float) -> datetime:
    """So long before the first failure."""
    return FAILED_AT - timedelta(minutes=minutes)


LATELY = ago(20)
SINCE = ago(-1)
BEFORE = (ago(30),)
WIDER = "role: arn:aws:iam::123456789012:role/wider"


def changed(
    event: str = "UpdateFunctionConfiguration", *, at: datetime = LATELY, **fields: object
) -> RecentChange:
    plain = RecentChange(id=f"change:{event}-{at:%H%M}", at=at, source="cloudtrail", event=event)
    return plain.model_copy(update={"principal": "ci", **fields})


def setting(name: str, before: str | int | None, after: str | int | None) -> RecentChange:
    return changed(settings=(SettingChange(name=name, before=before, after=after),))


def seen(*changes: RecentChange, worked_at: tuple[datetime, ...] = BEFORE) -> Evidence:
    calls = [invocation("success", at=at) for at in worked_at]
    calls.append(invocation("timeout", at=FAILED_AT))
    collected = evidence(*calls).model_copy(update={"changes": changes})
    return collected.model_copy(update={"onset": onset(calls, changes)})


def found(*changes: RecentChange, worked_at: tuple[datetime, ...] = BEFORE) -> RecentDeployment:
    deployment = recent_deployment(seen(*changes, worked_at=worked_at))
    assert deployment is not None
    return deployment


@pytest.mark.parametrize(
    "change",
    [
        changed("UpdateFunctionCode"),
        setting("code_sha256", "a", "b"),
        setting("layers", "one", "two"),
        changed(
            "UpdateAlias",
            alias="live",
            settings=(SettingChange(name="function_version", before="7", after="8"),),
        ),
        changed("modified", source="configuration"),
    ],
)
def test_a_change_of_what_is_run_in_the_hour_before_is_a_recent_deployment(
    change: RecentChange,
) -> None:
    deployment = found(change)
    assert deployment.is_code
    assert deployment.at == change.at
    assert "by ci at" in deployment.told


def test_what_was_changed_earlier_than_an_hour_before_is_none() -> None:
    assert recent_deployment(seen(changed("UpdateFunctionCode", at=ago(61)))) is None
    assert not found(changed("UpdateFunctionCode", at=ago(60))).is_since


@pytest.mark.parametrize(
    "change",
    [
        changed("UpdateFunctionCode", at=SINCE),
        changed(at=SINCE, settings=setting("timeout_s", 3, 30).settings),
        changed(at=SINCE, settings=setting("memory_mb", 128, 256).settings),
        changed(at=SINCE, writes_environment=True),
        changed("modified", at=SINCE, source="configuration"),
        changed(
            "UpdateAlias",
            at=SINCE,
            alias="live",
            settings=setting("function_version", 7, 8).settings,
        ),
        changed("CreateFunction", at=SINCE, settings=setting("code_sha256", None, "a").settings),
        changed(at=SINCE, note=WIDER),
        changed(at=SINCE, note="vpcconfig: subnetIds=subnet-9"),
        changed("UpdateEventSourceMapping", at=SINCE, note="batchsize: 1"),
    ],
)
@pytest.mark.parametrize("worked_at", [BEFORE, ()], ids=["worked before", "never worked"])
def test_whatever_others_changed_after_the_first_failure_may_have_mended_it(
    change: RecentChange, worked_at: tuple[datetime, ...]
) -> None:
    deployment = found(change, worked_at=worked_at)
    assert (deployment.at, deployment.is_since) == (SINCE, True)


@pytest.mark.parametrize("is_told", [True, False], ids=["CloudTrail tells", "it does not yet"])
def test_a_role_given_after_the_first_failure_counts_whether_a_request_tells_of_it_or_not(
    is_told: bool,  # noqa: FBT001 - a parameter of the test
) -> None:
    request = TrailEvent(
        id="e1",
        at=SINCE,
        name="UpdateFunctionConfiguration",
        principal="anna",
        note=WIDER,
        settings={"code_sha256": "code-1"},
    )
    healthy = Snapshot(
        reason="healthy", taken_at=NOW - timedelta(days=1), configuration=configuration()
    )
    changes = recent_changes(
        (request,) if is_told else (),
        (healthy,),
        configuration(last_modified=SINCE),
        since=NOW - timedelta(hours=1),
    )
    deployment = found(*changes)
    assert (deployment.at, deployment.is_since) == (SINCE, True)


def test_what_a_request_says_of_the_time_before_the_first_failure_mends_nothing() -> None:
    assert not found(changed(note=WIDER), changed("UpdateFunctionCode")).is_since


def test_what_came_since_is_told_before_what_came_right_before() -> None:
    both = found(changed("UpdateFunctionCode"), setting("timeout_s", 30, 3), changed(at=SINCE))
    assert not both.is_since, "nothing is known to have been changed since"
    both = found(changed("UpdateFunctionCode"), changed("UpdateFunctionCode", at=SINCE))
    assert (both.at, both.is_since, both.is_code) == (SINCE, True, True)


@pytest.mark.parametrize("minutes", [1, -1])
def test_where_no_call_failed_what_came_in_the_time_looked_at_may_have_mended_it(
    minutes: float,
) -> None:
    start = NOW - timedelta(minutes=15)
    release = changed("UpdateFunctionCode", at=start + timedelta(minutes=minutes))
    slow = evidence(invocation("success", at=ago(1))).model_copy(update={"changes": (release,)})
    assert slow.window_start == start
    deployment = recent_deployment(slow)
    assert (deployment is not None and deployment.is_since) == (minutes > 0)
    noted = changed(at=release.at, note=WIDER)
    deployment = recent_deployment(slow.model_copy(update={"changes": (noted,)}))
    assert (deployment is not None and deployment.is_since) == (minutes > 0)


def test_where_no_call_failed_making_the_function_is_none_either() -> None:
    made = changed("CreateFunction", at=ago(5), settings=setting("code_sha256", None, "a").settings)
    slow = evidence(invocation("success", at=ago(1)))
    assert made.at > slow.window_start
    assert recent_deployment(slow.model_copy(update={"changes": (made,)})) is None


def test_what_the_service_itself_changed_is_none() -> None:
    raised = setting("timeout_s", 3, 6).settings
    for at in (LATELY, SINCE):
        own = changed("UpdateFunctionConfiguration", at=at, is_own=True, settings=raised)
        since = changed(id="change:since-before_change", at=at, settings=raised)
        assert recent_deployment(seen(own, since)) is None


def test_making_a_function_is_none_and_neither_is_what_is_done_before_it_first_works() -> None:
    making = (
        changed("CreateFunction", at=ago(10), settings=setting("code_sha256", None, "a").settings),
        changed("UpdateFunctionCode", at=ago(9)),
        changed("CreateAlias", at=ago(8), alias="live"),
    )
    assert recent_deployment(seen(*making, worked_at=())) is None
    assert recent_deployment(seen(*making, worked_at=(ago(1),))) is None


def test_a_function_made_a_moment_ago_that_has_worked_can_be_broken_by_a_deployment() -> None:
    made = changed("CreateFunction", at=ago(10))
    release = changed("UpdateFunctionCode", at=ago(2))
    assert found(made, release, worked_at=(ago(5),)).at == ago(2)


def test_a_modification_nobody_can_explain_counts_only_where_something_worked_before_it() -> None:
    modified = changed("modified", source="configuration")
    assert recent_deployment(seen(modified, worked_at=())) is None
    assert recent_deployment(seen(modified, worked_at=(ago(1),))) is None


def test_a_setting_that_was_lowered_is_told_and_one_that_was_raised_is_not() -> None:
    assert found(setting("timeout_s", 30, 3)).settings == ("timeout_s",)
    assert found(setting("timeout_s", None, 3)).settings == ("timeout_s",)
    raised = found(setting("timeout_s", 3, 30))
    assert (raised.settings, raised.is_code) == ((), False)


def test_variables_are_told_by_name_where_they_are_known() -> None:
    removed = VariableChange(name="TABLE", kind="removed")
    by_name = found(changed(variables=(removed,), writes_environment=True))
    assert (by_name.variables, by_name.writes_environment) == (("TABLE",), False)
    unknown = found(changed(writes_environment=True))
    assert (unknown.variables, unknown.writes_environment) == ((), True)


@pytest.mark.parametrize(
    "status",
    [
        "UPDATE_IN_PROGRESS",
        "UPDATE_ROLLBACK_COMPLETE_CLEANUP_IN_PROGRESS",
        "DELETE_IN_PROGRESS",
    ],
)
def test_a_stack_is_in_progress_while_something_of_it_is_being_made(status: str) -> None:
    assert Stack(stack_id="arn:stack", name="shop", status=status).is_in_progress


@pytest.mark.parametrize(
    "status", ["REVIEW_IN_PROGRESS", "UPDATE_COMPLETE", "UPDATE_ROLLBACK_FAILED"]
)
def test_a_stack_that_only_waits_or_has_ended_is_not_in_progress(status: str) -> None:
    assert not Stack(stack_id="arn:stack", name="shop", status=status).is_in_progress
