"""What was done to a function, from requests and remembered configurations."""

from __future__ import annotations

from datetime import datetime, timedelta

from autorepair.domain.configuration import FunctionConfiguration, VariableDigest
from autorepair.domain.evidence import RecentChange, SettingChange, VariableChange
from autorepair.domain.recent_changes import MOST_CHANGES, TrailEvent, recent_changes
from autorepair.domain.snapshot import Snapshot, SnapshotReason
from unit.fakes import NOW, configuration

DAY, HOUR = timedelta(days=1), timedelta(hours=1)


def event(at: datetime, event_id: str = "e1", **settings: str | int) -> TrailEvent:
    return TrailEvent(
        id=event_id, at=at, name="UpdateFunctionConfiguration", principal="ann", settings=settings
    )


def snapshot(
    at: datetime, told: FunctionConfiguration, reason: SnapshotReason = "healthy"
) -> Snapshot:
    return Snapshot(reason=reason, taken_at=at, configuration=told)


def changes(
    *events: TrailEvent,
    snapshots: tuple[Snapshot, ...] = (),
    present: FunctionConfiguration | None = None,
) -> tuple[RecentChange, ...]:
    return recent_changes(events, snapshots, present or configuration(), since=NOW - DAY)


def with_values(**digests: str) -> FunctionConfiguration:
    told = tuple(VariableDigest(name=n, size_bytes=1, digest=d) for n, d in digests.items())
    return configuration(env_names=tuple(digests), env_digests=told)


def test_a_request_says_what_it_replaced_as_far_as_an_earlier_one_told() -> None:
    first, second = changes(
        event(NOW - 2 * DAY, "e1", timeout_s=30),
        event(NOW - HOUR, "e2", timeout_s=3, memory_mb=128),
    )
    assert first.setting("timeout_s") == SettingChange(name="timeout_s", before=None, after=30)
    assert second.setting("timeout_s") == SettingChange(name="timeout_s", before=30, after=3)
    assert second.setting("memory_mb") == SettingChange(name="memory_mb", before=None, after=128)
    assert (second.principal, second.source) == ("ann", "cloudtrail")


def test_a_request_for_what_was_there_already_changes_no_setting() -> None:
    _, again = changes(
        event(NOW - 2 * DAY, "e1", timeout_s=3), event(NOW - HOUR, "e2", timeout_s=3)
    )
    assert again.settings == ()


def test_a_snapshot_between_two_requests_says_what_the_second_replaced() -> None:
    seen = snapshot(NOW - 2 * HOUR, configuration(timeout_s=20))
    found = changes(
        event(NOW - 3 * HOUR, "e1", timeout_s=5), event(NOW - HOUR, "e2", timeout_s=3),
        snapshots=(seen,),
    )  # fmt: skip
    (second,) = [change for change in found if change.id == "change:e2"]
    assert second.setting("timeout_s") == SettingChange(name="timeout_s", before=20, after=3)


def test_the_difference_to_the_last_healthy_configuration_is_a_change() -> None:
    seen = snapshot(NOW - DAY, configuration(timeout_s=30, memory_mb=512))
    (change,) = changes(snapshots=(seen,))
    assert change.source == "snapshot"
    assert change.settings == (
        SettingChange(name="memory_mb", before=512, after=128),
        SettingChange(name="timeout_s", before=30, after=3),
    )


def test_variables_are_told_by_name_and_compared_by_digest() -> None:
    seen = snapshot(NOW - DAY, with_values(KEPT="a", GONE="b", OTHER="c"))
    (change,) = changes(snapshots=(seen,), present=with_values(KEPT="a", OTHER="d", NEW="e"))
    assert change.variables == (
        VariableChange(name="GONE", kind="removed"),
        VariableChange(name="NEW", kind="added"),
        VariableChange(name="OTHER", kind="changed"),
    )
    assert change.writes_environment


def test_an_environment_that_cannot_be_read_is_not_taken_for_an_empty_one() -> None:
    seen = snapshot(NOW - DAY, with_values(GONE="b"))
    assert changes(snapshots=(seen,), present=configuration(is_env_unreadable=True)) == ()


def test_a_function_that_is_as_it_was_has_not_changed() -> None:
    assert changes(snapshots=(snapshot(NOW - DAY, configuration()),)) == ()


def test_a_modification_that_cloudtrail_does_not_tell_yet_is_seen_by_its_date() -> None:
    present = configuration(last_modified=NOW - timedelta(minutes=2))
    *_, latest = changes(event(NOW - HOUR, timeout_s=30), present=present)
    assert (latest.source, latest.at) == ("configuration", present.last_modified)
    assert latest.setting("timeout_s") == SettingChange(name="timeout_s", before=30, after=3)


def test_a_modification_that_a_request_explains_or_that_is_old_is_not_told_twice() -> None:
    told = configuration(last_modified=NOW - HOUR + timedelta(seconds=20))
    assert [c.source for c in changes(event(NOW - HOUR, timeout_s=3), present=told)] == [
        "cloudtrail"
    ]
    assert changes(present=configuration(last_modified=NOW - 2 * DAY)) == ()


def test_only_the_latest_changes_are_kept_oldest_first() -> None:
    events = [event(NOW - n * HOUR, f"e{n}", timeout_s=n) for n in range(1, 300)]
    found = changes(*events)
    assert len(found) == MOST_CHANGES
    assert found[-1].id == "change:e1"
    assert [change.at for change in found] == sorted(change.at for change in found)
