from __future__ import annotations

import pytest

from autorepair.domain.change import AliasSetting, Change
from autorepair.domain.decision import Refusal, RefusalCode
from autorepair.domain.diagnosis import Diagnosis, RootCause, VersionNeed
from autorepair.domain.evidence import Alias, PublishedVersion, RecentChange, SettingChange
from autorepair.domain.policy import Policy
from autorepair.domain.standing import standing
from autorepair.repairs.planner import Surroundings
from autorepair.repairs.registry import plan
from unit.logbook import START, TARGET, configured, diagnosed

LIVE = Alias(name="live", version="42")


def broken(good: str = "41", failing: tuple[str, ...] = ("42",)) -> Diagnosis:
    need = VersionNeed(alias="live", bad_version="42", good_version=good)
    return diagnosed(RootCause.BAD_DEPLOYMENT, need, failing_versions=failing)


def planned(
    *aliases: Alias,
    diagnosis: Diagnosis | None = None,
    published: tuple[str, ...] = ("41", "42"),
    qualifier: str | None = "live",
    changes: tuple[RecentChange, ...] = (),
) -> Change | Refusal:
    versions = tuple(
        PublishedVersion(version=v, code_sha256=v, timeout_s=3, memory_mb=128) for v in published
    )
    target = TARGET.model_copy(update={"qualifier": qualifier})
    around = Surroundings(target, aliases=aliases or (LIVE,), versions=versions, changes=changes)
    return plan(configured(), diagnosis or broken(), Policy(), around)


def refused(result: Change | Refusal) -> RefusalCode:
    assert isinstance(result, Refusal)
    assert result.why
    return result.code


def test_the_alias_goes_back_to_the_version_before_with_all_of_its_traffic() -> None:
    result = planned()
    assert isinstance(result, Change)
    assert result.before == AliasSetting(alias="live", version="42")
    assert result.after == AliasSetting(alias="live", version="41")
    assert result.inverse().inverse() == result


@pytest.mark.parametrize("qualifier", [None, "live", "42"])
def test_the_change_names_the_alias_whatever_the_alarm_watches(qualifier: str | None) -> None:
    result = planned(qualifier=qualifier)
    assert isinstance(result, Change)
    assert result.target.qualifier == "live"


def test_it_is_planned_on_where_the_alias_points_and_not_on_the_code_of_latest() -> None:
    result = planned()
    assert isinstance(result, Change)
    pointing = configured(alias_version="42", fingerprint="released since")
    assert result.planned_on == standing(pointing, result.before)
    moved = configured(alias_version="43")
    assert result.planned_on != standing(moved, result.before)


def test_an_alias_that_divides_its_traffic_is_left_to_its_deployment() -> None:
    divided = Alias(name="live", version="42", also={"41": 0.1})
    assert refused(planned(divided)) is RefusalCode.WEIGHTED_ALIAS


def test_an_alias_that_was_moved_or_removed_since_is_left_alone() -> None:
    assert refused(planned(Alias(name="live", version="43"))) is RefusalCode.NO_EFFECT
    assert refused(planned(Alias(name="test", version="42"))) is RefusalCode.NO_EFFECT


def test_a_version_that_is_gone_cannot_be_gone_back_to() -> None:
    assert refused(planned(published=("42",))) is RefusalCode.VERSION_GONE
    assert refused(planned(diagnosis=broken(good="42"))) is RefusalCode.NO_EFFECT
    assert refused(planned(diagnosis=broken(good="$LATEST"))) is RefusalCode.VERSION_GONE


def moved(before: str, after: str, alias: str = "live") -> RecentChange:
    setting = SettingChange(name="function_version", before=before, after=after)
    return RecentChange(
        id="change-1",
        at=START,
        source="cloudtrail",
        event="UpdateAlias",
        alias=alias,
        settings=(setting,),
    )


def test_a_healthy_version_of_another_alias_is_not_what_ran_before() -> None:
    nightly = Alias(name="nightly", version="41")
    assert refused(planned(LIVE, nightly)) is RefusalCode.NOT_REPAIRABLE
    divided = Alias(name="nightly", version="7", also={"41": 0.1})
    assert refused(planned(LIVE, divided)) is RefusalCode.NOT_REPAIRABLE


def test_an_older_version_is_gone_back_to_only_where_the_move_was_recorded() -> None:
    old, published = broken(good="7"), ("7", "41", "42")
    assert refused(planned(diagnosis=old, published=published)) is RefusalCode.NOT_REPAIRABLE
    of_another = (moved("7", "42", "nightly"), moved("7", "41"))
    found = planned(diagnosis=old, published=published, changes=of_another)
    assert refused(found) is RefusalCode.NOT_REPAIRABLE
    recorded = (moved("7", "42"),)
    assert isinstance(planned(diagnosis=old, published=published, changes=recorded), Change)


def test_a_recorded_move_outweighs_another_alias_on_the_good_version() -> None:
    nightly = Alias(name="nightly", version="41")
    assert isinstance(planned(LIVE, nightly, changes=(moved("41", "42"),)), Change)


def test_an_alias_that_was_taken_back_before_is_not_moved_forward_as_a_rollback() -> None:
    later = planned(diagnosis=broken(good="43"), published=("41", "42", "43"))
    assert refused(later) is RefusalCode.NOT_REPAIRABLE


def test_an_alias_that_names_latest_goes_back_to_a_published_version() -> None:
    need = VersionNeed(alias="live", bad_version="$LATEST", good_version="41")
    unpublished = diagnosed(RootCause.BAD_DEPLOYMENT, need)
    result = planned(
        Alias(name="live", version="$LATEST"),
        diagnosis=unpublished,
        changes=(moved("41", "$LATEST"),),
    )
    assert isinstance(result, Change)
    assert result.after == AliasSetting(alias="live", version="41")
