"""Reading a case: what is missing is let pass, what is broken is named."""

from __future__ import annotations

from pathlib import Path

import pytest

from autorepair_cli.recorded.case import CaseUnreadableError, Recording, read_case
from unit.cli import casebook


def test_what_describes_the_answer_is_kept_apart_from_what_may_be_seen(tmp_path: Path) -> None:
    case = casebook.read(tmp_path)
    assert case.id == "stock-table-dropped"
    assert case.expected is not None
    assert not {"id", "title", "source", "expected"} & Recording.model_fields.keys()
    assert "missing_env_var" not in case.recording.model_dump_json()


@pytest.mark.parametrize(
    "name",
    ["concurrency", "tags", "event_source_mappings", "triggers", "metrics", "log_events",
     "recent_changes", "known_config", "queue_attributes", "alarm_event", "expected"],
)  # fmt: skip
def test_a_case_without_a_member_is_read_and_so_is_one_that_says_null(
    name: str, tmp_path: Path
) -> None:
    assert casebook.read(tmp_path, **{name: ...}) == casebook.read(tmp_path, **{name: None})


def test_a_case_without_an_id_has_the_name_of_its_file(tmp_path: Path) -> None:
    assert casebook.read(tmp_path, id=...).id == "one"


def test_members_of_a_later_format_are_let_pass(tmp_path: Path) -> None:
    assert casebook.read(tmp_path, weather={"rain": True}) == casebook.read(tmp_path)


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("{", "Invalid JSON"),
        ("[]", "object"),
        ('{"id": "x"}', "function_configuration"),
        ('{"function_configuration": {}, "log_events": [{"timestamp": "x"}]}', "timestamp"),
    ],
)
def test_a_file_that_is_no_case_is_named_with_what_is_wrong_and_not_quoted(
    text: str, told: str, tmp_path: Path
) -> None:
    path = tmp_path / "broken.json"
    path.write_text(text)
    with pytest.raises(CaseUnreadableError) as caught:
        read_case(path)
    assert str(path) in str(caught.value)
    assert told in str(caught.value)


def test_a_file_that_is_not_there_is_named(tmp_path: Path) -> None:
    with pytest.raises(CaseUnreadableError, match=r"gone\.json"):
        read_case(tmp_path / "gone.json")
