"""What people and deployments do meanwhile stays theirs, and what forbids publishing is refused."""

from __future__ import annotations

import pytest

from autorepair.domain.change import Change
from autorepair.domain.errors import (
    ChangeRefusedError,
    StaleConfigurationError,
)
from autorepair.domain.standing import runs_on
from lab.publish_support import AFTER_S, BEFORE_S, KilledError, Stage, forward


def test_an_alias_that_a_person_moved_before_the_write_stays_theirs(stage: Stage) -> None:
    plan = stage.plan()
    theirs = stage.publish("their = 1\n")
    stage.move(theirs)
    with pytest.raises(StaleConfigurationError, match="version 2"):
        stage.apply(plan)
    assert (stage.timeout_s, stage.live) == (BEFORE_S, theirs)


@pytest.mark.parametrize("moment", ["PublishVersion", "UpdateAlias"])
def test_an_alias_that_a_person_moves_in_between_stays_theirs_and_latest_is_put_back(
    stage: Stage, moment: str
) -> None:
    theirs = stage.publish("their = 1\n")
    stage.publish("def handler(event, context): return event\n")
    plan = stage.plan()
    client = stage.lab.client("lambda")
    client.update_alias(FunctionName=stage.name, Name="live", FunctionVersion="3")
    plan = stage.plan()
    stage.meddle[moment] = lambda: stage.move(theirs)
    told = rf"version {theirs} .*; \$LATEST is as it was before the change$"
    with pytest.raises(StaleConfigurationError, match=told):
        stage.apply(plan)
    assert (stage.timeout_s, stage.live) == (BEFORE_S, theirs)


@pytest.mark.parametrize("moment", ["PublishVersion", "UpdateAlias"])
def test_what_a_person_writes_to_latest_in_between_is_neither_released_nor_lost(
    stage: Stage, moment: str
) -> None:
    plan = stage.plan()
    stage.meddle[moment] = lambda: stage.update(MemorySize=512)
    if moment == "PublishVersion":
        with pytest.raises(StaleConfigurationError, match=r"LATEST is left to whoever changed it$"):
            stage.apply(plan)
        assert stage.live == "1"
        assert stage.versions == ["1"]
    else:
        # What was published before it is what was planned.
        stage.apply(plan)
        live = stage.client.get_function_configuration(FunctionName=stage.name, Qualifier="2")
        assert (stage.live, live["MemorySize"]) == ("2", 128)
    found = stage.client.get_function_configuration(FunctionName=stage.name)
    assert found["MemorySize"] == 512


def test_a_deployment_that_publishes_meanwhile_has_overtaken(stage: Stage) -> None:
    plan = stage.plan()

    def deploy() -> None:
        stage.move(stage.publish("deployed = 1\n"))

    stage.meddle["PublishVersion"] = deploy
    with pytest.raises(StaleConfigurationError):
        stage.apply(plan)
    assert stage.live == "2"
    # The setting went out with their deployment: it is theirs, and nothing is taken from it.
    assert stage.live_timeout_s == AFTER_S


@pytest.mark.parametrize("what", ["alias", "weights"])
def test_on_the_way_back_nothing_of_a_persons_is_touched(stage: Stage, what: str) -> None:
    done = forward(stage)
    client = stage.lab.client("lambda")
    if what == "alias":
        stage.move(stage.publish("theirs = 2\n"))
    else:
        stage.divide("1")
    found = (stage.live, client.get_function_configuration(FunctionName=stage.name)["RevisionId"])
    with pytest.raises(StaleConfigurationError):
        stage.functions.apply(done.inverse())
    now = (stage.live, client.get_function_configuration(FunctionName=stage.name)["RevisionId"])
    assert now == found


@pytest.mark.parametrize("fatal", ["", "UpdateAlias"])
def test_on_the_way_back_the_alias_goes_alone_where_latest_is_a_persons(
    stage: Stage, fatal: str
) -> None:
    done = forward(stage)
    stage.update(MemorySize=512)
    if fatal:
        stage.arm()
        stage.meddle[fatal] = lambda: stage.arm(1, "after")
        with pytest.raises(KilledError):
            stage.functions.apply(done.inverse())
        stage.arm()
    made = stage.functions.apply(done.inverse())
    assert (stage.timeout_s, stage.live, stage.live_timeout_s) == (AFTER_S, "1", BEFORE_S)
    assert (made.memory_mb, made.alias_version) == (512, "1")


def test_an_alias_that_a_person_divides_right_after_the_move_has_been_moved(stage: Stage) -> None:
    def divide_next() -> None:
        stage.meddle["GetAlias"] = lambda: stage.divide("1")

    stage.meddle["UpdateAlias"] = divide_next
    done = forward(stage)
    assert done.release is not None
    assert (done.release.published, stage.live, stage.timeout_s) == ("2", "2+1", AFTER_S)
    assert not runs_on(stage.read(), done)


def test_an_alias_moved_by_a_person_after_a_cut_leaves_latest_as_it_was(stage: Stage) -> None:
    theirs = stage.publish("their = 1\n")
    stage.publish("def handler(event, context): return event\n")
    stage.move("3")
    plan = stage.plan()
    stage.arm(calls_before(stage, plan, "PublishVersion"), "before")
    with pytest.raises(KilledError):
        stage.apply(plan)
    stage.arm()
    stage.move(theirs)
    with pytest.raises(StaleConfigurationError):
        stage.functions.apply(plan.inverse())
    assert (stage.timeout_s, stage.live) == (BEFORE_S, theirs)


def calls_before(stage: Stage, plan: Change, call: str) -> int:
    """Apply and take back once, to learn which call it is."""
    stage.arm()
    done = stage.apply(plan)
    number = stage.calls.index(call) + 1
    stage.functions.apply(done.inverse())
    return number


def test_latest_that_differs_from_the_version_is_not_published(stage: Stage) -> None:
    stage.update(MemorySize=256)
    plan = stage.plan()
    with pytest.raises(StaleConfigurationError, match="MemorySize"):
        stage.apply(plan)
    assert (stage.timeout_s, stage.live, stage.versions) == (BEFORE_S, "1", ["1"])


@pytest.mark.parametrize("qualifier", ["live", "1"])
def test_provisioned_concurrency_on_alias_or_version_is_refused(
    stage: Stage, qualifier: str
) -> None:
    stage.client.put_provisioned_concurrency_config(
        FunctionName=stage.name, Qualifier=qualifier, ProvisionedConcurrentExecutions=1
    )
    with pytest.raises(ChangeRefusedError, match="provisioned"):
        stage.apply(stage.plan())
    assert (stage.timeout_s, stage.live, stage.versions) == (BEFORE_S, "1", ["1"])


def test_a_version_with_snapstart_is_refused(stage: Stage) -> None:
    stage.update(SnapStart={"ApplyOn": "PublishedVersions"})
    stage.move(stage.publish("snap = 1\n"))
    with pytest.raises(ChangeRefusedError, match="SnapStart"):
        stage.apply(stage.plan())
    assert (stage.timeout_s, stage.live, stage.versions) == (BEFORE_S, "2", ["1", "2"])
