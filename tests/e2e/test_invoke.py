"""`make invoke`: any step by itself, with its sample event, under the emulator."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from autorepair_lab.lab import PROJECT, Lab
from autorepair_lab.stage import at_home, set_the_stage

AUTOREPAIR = Path(sys.executable).with_name("autorepair")
# What each sample leads to on the stage that is set for it.
EXPECTED: dict[str, tuple[str, object]] = {
    "parse_alarm_event": ("disposition", "opened"),
    "collect_metrics_and_logs": (
        "bucket",
        "lambda-auto-repair-evidence-dev-123456789012-us-east-1",
    ),
    "diagnose_issue": ("root_cause", "timeout_too_low"),
    # The evidence of the sample is of a function with another role and environment: asked about.
    "determine_action": ("action", "ask"),
    "request_approval": ("message_id", ...),
    # A link that nobody was sent.
    "approval_page": ("statusCode", 404),
    "execute_repair": ("status", "applied"),
    # What the sample says was applied is not what this function went through: hands off.
    "verify_repair": ("verdict", "overtaken"),
    "roll_back_repair": ("status", "conflict"),
    "notify_result": ("outcome", "repaired"),
    # The same function, so it is handed over here too, and nobody says that it was taken back.
    # Handed over, or left alone where the incident of the samples has ended before.
    "handle_failure": ("undo", ...),
    # What the sample of NotifyResult says to be repaired is not what this function went through.
    "drift_watch": ("looked", 1),
    # Last: it settles what the samples before it have left behind.
    "reconcile": ("is_complete", True),
}


@pytest.fixture(scope="module")
def lab() -> Iterator[Lab]:
    with Lab() as running:
        set_the_stage(running, PROJECT)
        yield running


def test_every_step_has_its_expectation() -> None:
    assert set(EXPECTED) == {path.stem for path in (PROJECT / "functions").glob("*.py")}


@pytest.mark.parametrize("name", list(EXPECTED))
def test_a_step_runs_as_deployed_with_its_sample_event(lab: Lab, name: str) -> None:
    payload = (PROJECT / "events" / f"{name}.json").read_bytes()
    answer = lab.invoke_step(name, at_home(lab, PROJECT, payload))
    result: dict[str, Any] = json.loads(answer["Payload"].read())
    assert answer.get("FunctionError") is None, result
    key, value = EXPECTED[name]
    assert result[key] == value or (value is ... and result[key]), result


def test_a_step_that_does_not_exist_is_refused_with_the_list_of_those_that_do() -> None:
    done = subprocess.run(
        [AUTOREPAIR, "invoke", "Heal"], capture_output=True, text=True, timeout=300, check=False
    )
    assert done.returncode == 1
    assert "the steps are ApprovalPage, CollectMetricsAndLogs, DetermineAction" in done.stderr


def test_one_step_from_the_command_line() -> None:
    done = subprocess.run(
        [AUTOREPAIR, "invoke", "DiagnoseIssue"],
        capture_output=True,
        text=True,
        timeout=600,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout)["root_cause"] == "timeout_too_low"
    assert "REPORT RequestId:" in done.stderr
