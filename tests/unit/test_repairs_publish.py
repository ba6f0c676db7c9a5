"""By which alias a change of `$LATEST` reaches traffic on a version, and when by none."""

from __future__ import annotations

import pytest

from autorepair.domain.change import AliasMove, Change, TimeoutSetting
from autorepair.domain.decision import Refusal, RefusalCode
from autorepair.domain.diagnosis import ConcurrencyNeed, RootCause, TimeoutNeed
from autorepair.domain.evidence import Alias
from autorepair.domain.policy import Policy
from autorepair.repairs.planner import Surroundings
from autorepair.repairs.registry import plan
from unit.logbook import TARGET, configured, diagnosed

LIVE = Alias(name="live", version="7", differs=())


def outcome(
    *aliases: Alias, failing: tuple[str, ...] = ("7",), qualifier: str | None = None
) -> Change | Refusal:
    diagnosis = diagnosed(
        RootCause.TIMEOUT_TOO_LOW, TimeoutNeed(duration_ms=20_000, basis="fitted")
    ).model_copy(update={"failing_versions": failing})
    target = TARGET.model_copy(update={"qualifier": qualifier})
    around = Surroundings(target, aliases=aliases)
    return plan(configured(), diagnosis, Policy(), around)


def refusal(*aliases: Alias, **how: object) -> Refusal:
    found = outcome(*aliases, **how)  # type: ignore[arg-type]  # the keywords of outcome
    assert isinstance(found, Refusal), found
    return found


def alias(**changes: object) -> Alias:
    return LIVE.model_copy(update=changes)


@pytest.mark.parametrize("qualifier", [None, "live"])
def test_the_alias_that_carries_the_failures_follows_the_setting(qualifier: str | None) -> None:
    change = outcome(LIVE, qualifier=qualifier)
    assert isinstance(change, Change)
    assert isinstance(change.after, TimeoutSetting)
    assert change.release == AliasMove(alias="live", former="7")
    assert change.target.qualifier == "live"
    assert change.planned_on == configured().fingerprint


def test_an_alarm_on_an_alias_is_enough_where_the_log_names_no_version() -> None:
    change = outcome(LIVE, failing=(), qualifier="live")
    assert isinstance(change, Change)
    assert change.release == AliasMove(alias="live", former="7")


@pytest.mark.parametrize(
    ("failing", "qualifier"), [(("$LATEST",), None), ((), None), ((), "$LATEST")]
)
def test_traffic_on_latest_needs_no_release(
    failing: tuple[str, ...], qualifier: str | None
) -> None:
    change = outcome(LIVE, failing=failing, qualifier=qualifier)
    assert isinstance(change, Change)
    assert change.release is None


def test_an_alias_on_latest_needs_no_release() -> None:
    change = outcome(alias(version="$LATEST"), failing=("$LATEST",), qualifier="live")
    assert isinstance(change, Change)
    assert change.release is None


def test_of_two_aliases_on_the_version_only_the_failing_one_moves_and_the_other_is_named() -> None:
    beta = alias(name="beta")
    change = outcome(LIVE, beta, qualifier="live")
    assert isinstance(change, Change)
    assert change.release == AliasMove(alias="live", former="7", staying=("beta",))
    untold = refusal(LIVE, beta)
    assert untold.code is RefusalCode.VERSIONED_TRAFFIC
    assert "which of them fails is not known" in untold.why


@pytest.mark.parametrize("qualifier", [None, "live"])
def test_an_alias_that_divides_its_traffic_is_in_the_hands_of_a_deployment(
    qualifier: str | None,
) -> None:
    for weighted in (alias(also={"8": 0.1}), alias(version="6", also={"7": 0.5})):
        found = refusal(weighted, qualifier=qualifier)
        assert found.code is RefusalCode.WEIGHTED_ALIAS
        assert "alias live" in found.why


def test_latest_that_is_not_what_was_published_is_named_and_not_released() -> None:
    found = refusal(alias(differs=("code", "variable SHOP_URL")))
    assert found.code is RefusalCode.LATEST_DIFFERS
    assert "code, variable SHOP_URL" in found.why


def test_what_could_not_be_compared_counts_as_different() -> None:
    assert refusal(alias(differs=None)).code is RefusalCode.LATEST_DIFFERS


def test_provisioned_concurrency_and_snapstart_hang_on_the_version() -> None:
    warm = refusal(alias(has_provisioned_concurrency=True))
    assert warm.code is RefusalCode.PROVISIONED_CONCURRENCY
    assert refusal(alias(has_snap_start=True)).code is RefusalCode.SNAP_START


@pytest.mark.parametrize("qualifier", ["7", "canary", None])
def test_traffic_that_comes_by_the_number_of_a_version_is_not_reached(
    qualifier: str | None,
) -> None:
    found = refusal(alias(name="other", version="3"), qualifier=qualifier)
    assert found.code is RefusalCode.VERSIONED_TRAFFIC
    assert "no alias" in found.why


@pytest.mark.parametrize("failing", [("6", "7"), ("$LATEST", "7")])
def test_failures_on_more_than_one_version_are_not_reached_by_one_change(
    failing: tuple[str, ...],
) -> None:
    assert refusal(LIVE, failing=failing).code is RefusalCode.VERSIONED_TRAFFIC


def test_an_alarm_on_an_alias_whose_failures_are_on_latest_is_not_understood() -> None:
    found = refusal(LIVE, failing=("$LATEST",), qualifier="live")
    assert found.code is RefusalCode.VERSIONED_TRAFFIC


def test_an_alias_that_has_moved_on_is_looked_at_first() -> None:
    found = refusal(alias(version="8"), qualifier="live")
    assert found.code is RefusalCode.NO_EFFECT
    assert "version 8" in found.why


def test_reserved_concurrency_is_the_functions_own_and_needs_no_release() -> None:
    diagnosis = diagnosed(RootCause.CONCURRENCY_LIMITED, ConcurrencyNeed(executions=3))
    diagnosis = diagnosis.model_copy(update={"failing_versions": ("7",)})
    here = configured().model_copy(update={"reserved_concurrency": 4})
    change = plan(here, diagnosis, Policy(), Surroundings(TARGET, aliases=(LIVE,)))
    assert isinstance(change, Change), change
    assert change.release is None


def test_the_planners_own_refusal_comes_through() -> None:
    diagnosis = diagnosed(RootCause.TIMEOUT_TOO_LOW, None)
    diagnosis = diagnosis.model_copy(update={"failing_versions": ("7",)})
    found = plan(configured(), diagnosis, Policy(), Surroundings(TARGET, aliases=(LIVE,)))
    assert isinstance(found, Refusal)
    assert found.code is RefusalCode.NOT_REPAIRABLE
