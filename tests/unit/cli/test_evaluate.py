"""`autorepair evaluate`: what it writes, what it prints, and how it ends."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner, Result

from autorepair_cli.evaluate import OUR_CASES, case_files
from autorepair_cli.main import main
from autorepair_cli.out_file import require_writable
from autorepair_cli.recorded.case import NEEDED
from unit.cli import casebook


def evaluate(*arguments: object) -> Result:
    result = CliRunner().invoke(main, ["evaluate", *map(str, arguments)])
    assert isinstance(result.exception, SystemExit | None), result.exception
    return result


def lines(text: str) -> list[dict[str, Any]]:
    return [json.loads(line) for line in text.splitlines() if line.startswith("{")]


@pytest.fixture
def cases(tmp_path: Path) -> Path:
    folder = tmp_path / "cases"
    folder.mkdir()
    for name in ("b", "a", "c"):
        casebook.written(folder, casebook.case(id=name))
    return folder


def test_one_line_a_case_in_the_order_of_the_names(cases: Path, tmp_path: Path) -> None:
    out = tmp_path / "new" / "lines.jsonl"
    result = evaluate(cases, "--out", out)
    assert result.exit_code == 0, result.output
    said = lines(out.read_text())
    assert [one["id"] for one in said] == ["a", "b", "c"]
    assert set(said[0]) == {"id", "root_cause", "confidence", "source", "repair", "why", "cited"}
    assert said[0]["root_cause"] == "missing_env_var"
    assert said[0]["repair"] == {"action": "set_env", "set": ["STOCK_TABLE"], "unset": []}


@pytest.mark.parametrize(
    ("name", "told"),
    [
        ("file/below", "Not a directory"),
        ("", "Is a directory"),
        ("cases", "Is a directory"),
        ("pipe", "it is a device or a pipe and no file"),
    ],
)
def test_a_file_that_cannot_be_written_is_refused_in_a_line_before_the_work(
    cases: Path, tmp_path: Path, name: str, told: str
) -> None:
    (tmp_path / "file").touch()
    os.mkfifo(tmp_path / "pipe")
    out = tmp_path / name if name else Path()
    result = evaluate(cases, "--out", out)
    assert (result.exit_code, result.output) == (
        1,
        f"Error: --out {out}: the result could not be written there: {told}\n",
    )


def test_trying_a_file_leaves_what_is_in_it(tmp_path: Path) -> None:
    out = tmp_path / "o"
    out.write_text("before")
    require_writable(out)
    assert ([*tmp_path.iterdir()], out.read_text()) == ([out], "before")


def test_without_a_file_the_lines_go_to_standard_output_and_nothing_else(cases: Path) -> None:
    result = evaluate(cases)
    assert len(lines(result.stdout)) == len(result.stdout.splitlines()) == 3
    assert "root cause right" in result.stderr


def test_the_report_has_every_figure(cases: Path, tmp_path: Path) -> None:
    report = evaluate(cases, "--out", tmp_path / "o").stdout
    for heading in (
        "root causes", "calibration", "95% interval", "root cause right", "recall", "precision",
        "values in range", "forbidden actions", "repairs where none is expected", "abstentions",
    ):  # fmt: skip
        assert heading in report
    assert "confusion" not in report


def test_a_wrong_case_is_told_with_what_was_expected_said_and_why(
    cases: Path, tmp_path: Path
) -> None:
    expected = {"root_cause": "memory_leak", "repair": {"action": "set_memory", "min": 1, "max": 2}}
    casebook.written(cases, casebook.case(id="d", expected=expected))
    result = evaluate(cases, "--out", tmp_path / "o")
    assert result.exit_code == 0, "a score is no failure"
    assert "d: cause: wrong repair: other kind" in result.stdout
    assert "memory_leak, set_memory: 1.0 to 2.0" in result.stdout
    assert "missing_env_var (" in result.stdout
    assert "confusion" in result.stdout


def test_a_forbidden_action_ends_with_one(cases: Path, tmp_path: Path) -> None:
    expected = {"root_cause": "missing_env_var", "forbidden_actions": ["set_env"]}
    casebook.written(cases, casebook.case(id="d", expected=expected))
    result = evaluate(cases, "--out", tmp_path / "o")
    assert result.exit_code == 1
    assert "FORBIDDEN ACTION" in result.stdout


def test_a_file_that_cannot_be_read_is_named_and_the_others_are_concluded(
    cases: Path, tmp_path: Path
) -> None:
    (cases / "aa.json").write_text("{")
    out = tmp_path / "o"
    result = evaluate(cases, "--out", out)
    assert result.exit_code == 1
    assert "aa.json is not a case" in result.stderr
    assert [one["id"] for one in lines(out.read_text())] == ["a", "b", "c"]


def test_a_case_that_breaks_the_run_is_told_and_is_no_abstention(
    cases: Path, tmp_path: Path
) -> None:
    configuration = casebook.case()["function_configuration"] | {"Timeout": "soon"}
    casebook.written(cases, casebook.case(id="d", function_configuration=configuration))
    out = tmp_path / "o"
    result = evaluate(cases, "--out", out)
    assert result.exit_code == 1
    assert "d.json could not be run" in result.stderr
    *whole, broken = lines(out.read_text())
    assert (broken["id"], broken["root_cause"]) == ("d", "insufficient_evidence")
    assert "d.json could not be run" in broken["error"]
    assert [one["id"] for one in whole if "error" in one] == []


def test_a_case_that_misses_what_every_run_needs_is_refused_when_it_is_read(
    cases: Path, tmp_path: Path
) -> None:
    casebook.written(cases, casebook.case(id="d", function_configuration={"FunctionName": "x"}))
    out = tmp_path / "o"
    result = evaluate(cases, "--out", out)
    assert result.exit_code == 1
    assert "misses FunctionArn, Timeout, MemorySize" in result.stderr
    assert [one["id"] for one in lines(out.read_text())] == ["a", "b", "c"]


def test_the_cases_of_the_project_are_found_from_any_folder(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    assert len(case_files(OUR_CASES)) > 100


def test_the_fields_that_a_case_must_have_are_documented() -> None:
    page = (OUR_CASES.parents[1] / "docs" / "cases.md").read_text(encoding="utf-8")
    assert all(f"`{name}`" in page for name in NEEDED)


def test_cases_without_an_answer_are_concluded_and_not_scored(tmp_path: Path) -> None:
    casebook.written(tmp_path, casebook.case(expected=...))
    result = evaluate(tmp_path)
    assert result.exit_code == 0
    assert lines(result.stdout)[0]["root_cause"] == "missing_env_var"
    assert "root cause right" not in result.output


def test_a_single_file_is_a_folder_of_one(cases: Path) -> None:
    assert [one["id"] for one in lines(evaluate(cases / "b.json").stdout)] == ["b"]


def test_a_folder_without_cases_is_refused(tmp_path: Path) -> None:
    result = evaluate(tmp_path)
    assert result.exit_code == 1
    assert "holds no case" in result.output


def test_the_order_and_the_names_of_the_files_alter_no_answer(cases: Path, tmp_path: Path) -> None:
    other = tmp_path / "other"
    other.mkdir()
    for number, path in enumerate(sorted(cases.iterdir(), reverse=True)):
        (other / f"{number}.json").write_bytes(path.read_bytes())
    by_id = [
        {one["id"]: one for one in lines(evaluate(folder).stdout)} for folder in (cases, other)
    ]
    assert by_id[0] == by_id[1]


def test_how_far_it_is_is_told_while_it_runs(cases: Path) -> None:
    assert "3 of 3 cases" in evaluate(cases).stderr


def test_the_models_advisor_needs_a_region(cases: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("AWS_REGION", raising=False)
    result = evaluate(cases, "--advisor", "bedrock")
    assert result.exit_code == 1
    assert "AWS_REGION" in result.output
