"""Free-form summaries of changes, in the shapes in which they come."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import pytest

from autorepair.domain.evidence import RecentChange
from autorepair_cli.recorded.case import RecordedChange
from autorepair_cli.recorded.changes import recent_change, trail_event

CONFIGURATION = "UpdateFunctionConfiguration20150331v2"


def change(summary: Any, event: str = CONFIGURATION, **members: object) -> RecentChange:  # noqa: ANN401 - free-form
    told = {"time": "2026-05-04T10:24:00Z", "event": event, "summary": summary, **members}
    return recent_change(1, RecordedChange.model_validate(told))


@pytest.mark.parametrize(
    ("summary", "name", "before", "after"),
    [
        ({"timeout": {"before": 30, "after": 3}}, "timeout_s", 30, 3),
        ({"memorySize": {"old": 512, "new": 256}}, "memory_mb", 512, 256),
        ({"memorySizeBefore": 512, "memorySizeAfter": 256}, "memory_mb", 512, 256),
        ({"MemorySize": 256}, "memory_mb", None, 256),
        (
            {"ephemeralStorage": {"size": {"before": 2048, "after": 512}}},
            "ephemeral_storage_mb",
            2048,
            512,
        ),
        (
            {"ephemeralStorage": {"before": {"size": 2048}, "after": {"size": 512}}},
            "ephemeral_storage_mb",
            2048,
            512,
        ),
        ({"ephemeralStorage": {"size": 512}}, "ephemeral_storage_mb", None, 512),
        (
            {"handler": {"from": "app.main", "to": "app.handler"}},
            "handler",
            "app.main",
            "app.handler",
        ),
        ({"kmsKeyArn": {"before": None, "after": "arn:k"}}, "kms_key_arn", None, "arn:k"),
        ({"layers": {"before": ["a:1", "b:2"], "after": []}}, "layers", "a:1, b:2", ""),
        (
            {"imageConfig": {"commandBefore": ["run.app"], "commandAfter": ["all.app", "x"]}},
            "image_command",
            "run.app",
            "all.app x",
        ),
        ({"timeout": 6.0}, "timeout_s", None, 6),
    ],
)
def test_a_setting_is_found_in_every_shape(
    summary: object, name: str, before: str | int | None, after: str | int | None
) -> None:
    found = change(summary).setting(name)
    assert found is not None
    assert (found.before, found.after) == (before, after)


@pytest.mark.parametrize(
    ("summary", "expected"),
    [
        ({"environment": {"removed": ["A"], "added": ["B"]}}, {("A", "removed"), ("B", "added")}),
        ({"environment": {"changed": ["A"]}}, {("A", "changed")}),
        ({"environment": {"variablesChanged": ["A"]}}, {("A", "changed")}),
        (
            {"environment": {"variablesBefore": ["A", "B"], "variablesAfter": ["B"]}},
            {("A", "removed")},
        ),
        ({"environment": {"before": ["A"], "after": ["A", "B"]}}, {("B", "added")}),
        ({"environment": {"before": {"A": "1"}, "after": {"A": "2"}}}, {("A", "changed")}),
        ({"environment": {"variables": {"before": {"A": "1"}, "after": {}}}}, {("A", "removed")}),
        ({"environment": {"A": {"before": "x", "after": "y"}}}, {("A", "changed")}),
        ({"environment": {"A": {"before": None, "after": "y"}}}, {("A", "added")}),
        ({"environment": {"changed": {"A": {"before": "x", "after": "y"}}}}, {("A", "changed")}),
        ({"environmentVariablesRemoved": ["A", "B"]}, {("A", "removed"), ("B", "removed")}),
        ({"variables": {"removed": "A, B"}}, {("A", "removed"), ("B", "removed")}),
    ],
)
def test_what_became_of_which_variable_is_found_in_every_shape(
    summary: object, expected: set[tuple[str, str]]
) -> None:
    found = change(summary)
    assert {(one.name, one.kind) for one in found.variables} == expected
    assert found.writes_environment


def test_no_value_of_a_variable_is_kept() -> None:
    told = {"before": {"A": "old-secret"}, "after": {"A": "new-secret"}}
    for summary in ({"environment": told}, {"environment": {"A": {"before": "old-secret"}}}):
        assert "secret" not in change(summary).model_dump_json()


def test_the_move_of_an_alias_says_from_which_version_to_which() -> None:
    summary = {"name": "live", "functionVersionBefore": "41", "functionVersionAfter": "42"}
    found = change(summary, "UpdateAlias20150331")
    version = found.setting("function_version")
    assert found.event == "UpdateAlias"
    assert found.alias == "live"
    assert version is not None
    assert (version.before, version.after) == ("41", "42")


def test_what_is_not_understood_stays_as_text_within_bounds() -> None:
    found = change({"vpcConfig": {"securityGroupIdsAfter": ["sg-1"]}, "ticket": "OPS-12"})
    assert found.note == "vpcConfig: securityGroupIdsAfter=sg-1; ticket: OPS-12"
    assert len(change({"essay": "x" * 9999}).note) <= 1000


@pytest.mark.parametrize("summary", ["by hand", None, [], 7, {}])
def test_a_summary_that_is_no_object_is_text_or_nothing(summary: object) -> None:
    assert change(summary).settings == ()


def test_an_event_of_another_service_changes_no_setting_of_the_function() -> None:
    found = change({"timeout": {"before": 5, "after": 1}}, "ModifyDBInstance")
    assert found.settings == ()
    assert found.note == "timeout: 5 -> 1"


def test_request_and_change_have_the_same_id_and_moment() -> None:
    told = RecordedChange(time=datetime(2026, 5, 4, tzinfo=UTC), event=CONFIGURATION)
    event, found = trail_event(3, told), recent_change(3, told)
    assert f"change:{event.id}" == found.id
    assert event.at == found.at
    assert event.name == found.event
