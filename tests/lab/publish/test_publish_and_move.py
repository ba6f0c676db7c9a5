"""Publish and move, forward and back, on an account that is as strict as AWS.

The process may end before or after any call to Lambda: the retry brings the change to its end, and
an undo takes it back, whichever call it was.
"""

from __future__ import annotations

import contextlib

import pytest

from autorepair.aws.digests import Digester
from autorepair.aws.functions import LambdaFunctions
from autorepair.aws.publish import Publisher
from autorepair.aws.releases import LambdaReleases
from autorepair.domain.errors import (
    AccessDeniedError,
    StaleConfigurationError,
    TransientServiceError,
    UpdateFailedError,
    UpdateInProgressError,
)
from autorepair.domain.standing import stands_after, stands_before
from lab.account_support import Lab
from lab.publish_support import (
    AFTER_S,
    BEFORE_S,
    FURTHER_S,
    WRITES,
    KilledError,
    Moment,
    Stage,
    calls_of,
    forward,
    shown,
    staged,
)


def test_forward_the_setting_is_published_and_the_alias_follows(stage: Stage) -> None:
    plan = stage.plan()
    done = stage.apply(plan)
    assert (stage.timeout_s, stage.live, stage.live_timeout_s) == (AFTER_S, "2", AFTER_S)
    assert done.release is not None
    assert done.release.published == "2"
    assert stands_after(stage.read(), done)
    assert not stands_before(stage.read(), done)


def test_back_the_alias_and_latest_are_as_they_were_and_the_version_stays(stage: Stage) -> None:
    done = stage.apply(stage.plan())
    stage.functions.apply(done.inverse())
    assert (stage.timeout_s, stage.live) == (BEFORE_S, "1")
    assert stage.versions == ["1", "2"]
    assert stands_before(stage.read(), done)


def test_applied_twice_nothing_is_published_twice(stage: Stage) -> None:
    plan = stage.plan()
    first, second = stage.apply(plan), stage.apply(plan)
    assert first == second
    assert stage.versions == ["1", "2"]
    back = first.inverse()
    stage.functions.apply(back)
    stage.functions.apply(back)
    assert (stage.timeout_s, stage.live, stage.versions) == (BEFORE_S, "1", ["1", "2"])


def test_a_second_step_goes_on_from_the_version_that_the_first_one_made(stage: Stage) -> None:
    first = stage.apply(stage.plan())
    second = stage.apply(stage.plan(FURTHER_S))
    whole = second.after_step(first)
    assert (stage.live, stage.live_timeout_s) == ("3", FURTHER_S)
    assert stands_after(stage.read(), whole)
    stage.functions.apply(whole.inverse())
    assert (stage.timeout_s, stage.live) == (BEFORE_S, "1")


@pytest.mark.parametrize("moment", ["before", "after"])
def test_killed_at_any_call_forward_the_retry_ends_it_and_the_undo_takes_it_back(
    account: Lab, digester: Digester, moment: Moment
) -> None:
    calls = calls_of(account, digester, forward)
    assert [call for call in calls if call in WRITES] == list(WRITES)
    for number in range(len(calls)):
        for is_retried in (True, False):
            stage = staged(account, digester)
            plan = stage.plan()
            stage.arm(number + 1, moment)
            with contextlib.suppress(KilledError):
                stage.apply(plan)
            stage.arm()
            where = f"{moment} call {number + 1} of {calls}, retried: {is_retried}"
            if is_retried:
                stage.apply(plan)
                assert (stage.timeout_s, stage.live) == (AFTER_S, "2"), where
            else:
                if not stands_before(stage.read(), plan):
                    stage.functions.apply(plan.inverse())
                assert (stage.timeout_s, stage.live) == (BEFORE_S, "1"), where


@pytest.mark.parametrize("moment", ["before", "after"])
def test_killed_at_any_call_on_the_way_back_the_retry_ends_it(
    account: Lab, digester: Digester, moment: Moment
) -> None:
    def there_and_back(stage: Stage) -> None:
        back = forward(stage).inverse()
        stage.arm()
        stage.functions.apply(back)

    calls = calls_of(account, digester, there_and_back)
    assert [call for call in calls if call in WRITES] == [
        "UpdateAlias",
        "UpdateFunctionConfiguration",
    ]
    for number in range(len(calls)):
        stage = staged(account, digester)
        back = forward(stage).inverse()
        stage.arm(number + 1, moment)
        with contextlib.suppress(KilledError):
            stage.functions.apply(back)
        stage.arm()
        stage.functions.apply(back)
        where = f"{moment} call {number + 1} of {calls}"
        assert (stage.timeout_s, stage.live) == (BEFORE_S, "1"), where


def test_killed_in_a_further_step_everything_goes_back_at_once(
    account: Lab, digester: Digester
) -> None:
    def twice(stage: Stage) -> None:
        forward(stage)
        stage.arm()
        stage.apply(stage.plan(FURTHER_S))

    calls = calls_of(account, digester, twice)
    last = len(calls) - 1 - calls[::-1].index("UpdateFunctionConfiguration")
    for number in range(last, len(calls)):
        stage = staged(account, digester)
        first = forward(stage)
        plan = stage.plan(FURTHER_S)
        stage.arm(number + 1, "after")
        with contextlib.suppress(KilledError):
            stage.apply(plan)
        stage.arm()
        stage.functions.apply(plan.after_step(first).inverse())
        assert (stage.timeout_s, stage.live) == (BEFORE_S, "1"), calls[number]


def test_what_is_called_is_what_is_declared(stage: Stage) -> None:
    stage.arm()
    done = forward(stage)
    stage.functions.apply(done.inverse())
    called = {f"lambda:{call}" for call in stage.calls}
    not_here = {"lambda:PutFunctionConcurrency"}
    needed = LambdaFunctions.permissions["apply"] | Publisher.permissions["publish"]
    assert called == {one for one in needed if one.startswith("lambda:")} - not_here


def test_before_every_write_the_guard_is_asked(stage: Stage) -> None:
    asked: list[str] = []

    def guard() -> None:
        asked.append(stage.calls[-1])

    stage.arm()
    made = stage.functions.apply(plan := stage.plan(), guard=guard)
    writes = [n for n, call in enumerate(stage.calls) if call in WRITES]
    assert asked == [stage.calls[n - 1] for n in writes]
    asked.clear()
    done = plan.led(leads_to=made.fingerprint, version=made.alias_version)
    stage.functions.apply(done.inverse(), guard=guard)
    assert len(asked) == 2


def test_who_has_lost_the_lease_writes_no_further(stage: Stage) -> None:
    left = iter([None])

    def guard() -> None:
        if next(left, "lost") == "lost":
            raise UpdateInProgressError("the lease is somebody else's")

    with pytest.raises(UpdateInProgressError):
        stage.functions.apply(stage.plan(), guard=guard)
    assert (stage.timeout_s, stage.live, stage.versions) == (AFTER_S, "1", ["1"])


def test_a_role_that_may_not_publish_leaves_nothing_behind(stage: Stage) -> None:
    def deny() -> None:
        raise AccessDeniedError("no lambda:PublishVersion")

    stage.meddle["PublishVersion"] = deny
    with pytest.raises(AccessDeniedError):
        stage.apply(stage.plan())
    assert (stage.timeout_s, stage.live) == (BEFORE_S, "1")


def test_a_version_that_is_pending_is_waited_for(stage: Stage) -> None:
    shown(stage, "PublishVersion", [{"State": "Pending"}])
    waited = [{"State": "Pending"}, {"State": "Pending"}]
    shown(stage, "GetFunctionConfiguration", waited, version="2")
    stage.apply(stage.plan())
    assert (waited, stage.live) == ([], "2")


@pytest.mark.parametrize(
    ("states", "error"),
    [(["Failed"], UpdateFailedError), (["Pending"] * 99, UpdateInProgressError)],
)
def test_a_version_that_does_not_become_active_gets_no_traffic(
    stage: Stage, states: list[str], error: type[Exception]
) -> None:
    plan = stage.plan()
    shown(stage, "PublishVersion", [{"State": "Pending"}])
    answers = [{"State": state} for state in states]
    shown(stage, "GetFunctionConfiguration", answers, version="2")
    with pytest.raises(error):
        stage.apply(plan)
    assert stage.live == "1"
    answers.clear()
    stage.functions.apply(plan.inverse())
    assert (stage.timeout_s, stage.live) == (BEFORE_S, "1")


def test_what_was_published_is_compared_before_anything_leads_there(stage: Stage) -> None:
    shown(stage, "PublishVersion", [{"CodeSha256": "another code's"}])
    with pytest.raises(StaleConfigurationError, match="code"):
        stage.apply(stage.plan())
    assert (stage.timeout_s, stage.live) == (BEFORE_S, "1")


def test_readings_of_the_alias_that_lag_behind_the_move_are_not_believed(stage: Stage) -> None:
    plan = stage.plan()
    behind: list[dict[str, str]] = []
    stage.meddle["UpdateAlias"] = lambda: behind.extend([{"FunctionVersion": "1"}] * 3)
    shown(stage, "GetAlias", behind)
    done = stage.apply(plan)
    assert (behind, done.release and done.release.published) == ([], "2")


def sent_twice(stage: Stage, looks_behind: int) -> list[dict[str, str]]:
    """The answer to the move is lost: it is sent again and refused, and readings lag behind it."""
    theirs = stage.lab.client("lambda")
    before = theirs.get_alias(FunctionName=stage.name, Name="live")
    shows = {"FunctionVersion": before["FunctionVersion"], "RevisionId": before["RevisionId"]}
    behind: list[dict[str, str]] = []

    def land() -> None:
        stage.move(stage.versions[-1])
        behind.extend([shows] * looks_behind)

    stage.meddle["UpdateAlias"] = land
    shown(stage, "GetAlias", behind)
    return behind


@pytest.mark.parametrize("looks_behind", [0, 1, 4, 12])
def test_a_move_that_was_sent_twice_since_its_answer_was_lost_has_been_made(
    stage: Stage, looks_behind: int
) -> None:
    plan = stage.plan()
    behind = sent_twice(stage, looks_behind)
    done = stage.apply(plan)
    assert (behind, done.release and done.release.published) == ([], "2")
    assert (stage.timeout_s, stage.live_timeout_s) == (AFTER_S, AFTER_S)


def test_while_nobody_can_see_whether_the_alias_was_moved_nothing_is_put_back_below_it(
    stage: Stage,
) -> None:
    plan = stage.plan()
    behind = sent_twice(stage, 99)
    with pytest.raises(TransientServiceError, match="refuses to move the alias live"):
        stage.apply(plan)
    assert (stage.timeout_s, stage.live_timeout_s) == (AFTER_S, AFTER_S)
    behind.clear()
    assert stage.apply(plan).release == plan.led(leads_to="", version="2").release


def test_an_undo_of_what_was_cut_short_looks_again_before_it_believes_that_nothing_moved(
    stage: Stage,
) -> None:
    plan = stage.plan()
    stage.arm()
    stage.apply(plan)
    behind = [{"FunctionVersion": "1"}] * 3
    shown(stage, "GetAlias", behind)
    stage.functions.apply(plan.inverse())
    assert (stage.timeout_s, stage.live) == (BEFORE_S, "1")


def test_the_releases_say_what_hangs_on_each_alias(stage: Stage) -> None:
    client = stage.client
    client.create_alias(FunctionName=stage.name, Name="beta", FunctionVersion="1")
    client.put_provisioned_concurrency_config(
        FunctionName=stage.name, Qualifier="beta", ProvisionedConcurrentExecutions=1
    )
    same = LambdaReleases(client).read(stage.target).aliases
    assert {alias.name: alias.differs for alias in same} == {"live": (), "beta": ()}
    assert {alias.name for alias in same if alias.has_provisioned_concurrency} == {"beta"}
    stage.update(MemorySize=256, Environment={"Variables": {"SHOP_URL": "s3cr3t"}})
    (alias,) = [a for a in LambdaReleases(client).read(stage.target).aliases if a.name == "live"]
    assert alias.differs == ("MemorySize", "variable SHOP_URL")
    assert "s3cr3t" not in repr(alias)
