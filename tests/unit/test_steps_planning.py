"""What a plan goes by where no call has failed: the versions that the calls ran on."""

from __future__ import annotations

import pytest

from autorepair.domain.change import AliasMove, Change, TimeoutSetting
from autorepair.domain.decision import Refusal, RefusalCode
from autorepair.domain.evidence import Alias, Evidence, Invocation
from autorepair.steps.planning import plan_step
from unit.builders import AUTO, DIAGNOSIS, TARGET, evidence, invocations
from unit.fakes import configuration

LIVE = Alias(name="live", version="7", differs=())
UNRELEASED = Alias(name="live", version="7", differs=("code_sha256",))
AHEAD = Alias(name="live", version="8", differs=())


def slow_on(*versions: str) -> list[Invocation]:
    """Calls that nearly take too long, and do not fail."""
    return [
        call.model_copy(update={"version": version})
        for version in versions
        for call in invocations(5, "success", duration_ms=2900.0)
    ]


def seen(*versions: str, alias: Alias = LIVE) -> Evidence:
    return evidence(*slow_on(*versions)).model_copy(update={"aliases": (alias,)})


def planned(before: Evidence, qualifier: str | None = None, **how: object) -> Change | Refusal:
    target = TARGET.model_copy(update={"qualifier": qualifier})
    here = configuration(timeout_s=6) if how else configuration()
    step = 2 if how else 1
    return plan_step(target, here, DIAGNOSIS, AUTO, before, step=step, **how)  # type: ignore[arg-type]  # the keywords of plan_step


@pytest.mark.parametrize("qualifier", [None, "live"])
def test_where_no_call_fails_the_alias_that_the_calls_come_by_follows_the_setting(
    qualifier: str | None,
) -> None:
    change = planned(seen("7"), qualifier)
    assert isinstance(change, Change), change
    assert change.release == AliasMove(alias="live", former="7")


def test_where_no_call_fails_latest_is_not_written_for_calls_that_run_on_a_version() -> None:
    refusal = planned(seen("7", alias=UNRELEASED))
    assert isinstance(refusal, Refusal), refusal
    assert refusal.code is RefusalCode.LATEST_DIFFERS
    by_number = planned(seen("6"))
    assert isinstance(by_number, Refusal), by_number
    assert by_number.code is RefusalCode.VERSIONED_TRAFFIC


def test_where_no_call_fails_and_they_run_on_several_nobody_can_tell_which_is_meant() -> None:
    refusal = planned(seen("$LATEST", "7"))
    assert isinstance(refusal, Refusal), refusal
    assert refusal.code is RefusalCode.VERSIONED_TRAFFIC
    watched = planned(seen("$LATEST", "7"), "live")
    assert isinstance(watched, Change), "the alarm watches the alias, so that is meant"
    assert watched.release == AliasMove(alias="live", former="7")


@pytest.mark.parametrize("versions", [("$LATEST",), ()])
def test_where_no_call_runs_on_a_version_latest_is_what_is_written(
    versions: tuple[str, ...],
) -> None:
    change = planned(seen(*versions))
    assert isinstance(change, Change), change
    assert change.release is None


def test_a_further_step_follows_the_version_that_the_first_one_published() -> None:
    first = Change(
        target=TARGET,
        before=TimeoutSetting(timeout_s=3),
        after=TimeoutSetting(timeout_s=6),
        planned_on="f1",
        release=AliasMove(alias="live", former="7", published="8"),
    )
    change = planned(seen("7", alias=AHEAD), origin=first)
    assert isinstance(change, Change), change
    assert change.release == AliasMove(alias="live", former="8")
