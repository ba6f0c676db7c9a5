"""What is wrong with the arguments of a command is said before a lab is started."""

from __future__ import annotations

import socket
from pathlib import Path

import pytest
from click.testing import CliRunner

from autorepair_cli.demo import demo
from autorepair_cli.invoke import invoke
from autorepair_cli.lab import lab
from lab.test_patient import make_patient


def test_a_result_file_that_cannot_be_written_is_refused(tmp_path: Path) -> None:
    make_patient(tmp_path / "patients" / "slow")
    (tmp_path / "file").write_text("")
    out = tmp_path / "file" / "demo.json"
    done = CliRunner().invoke(demo, ["--patients", str(tmp_path / "patients"), "--out", str(out)])
    assert done.exit_code == 1
    assert f"--out {out}: the result could not be written there: Not a directory" in done.output
    assert "Starting" not in done.output
    assert "Traceback" not in done.output


def test_a_patient_that_the_lab_cannot_run_is_refused(tmp_path: Path) -> None:
    make_patient(tmp_path / "patients" / "two words")
    done = CliRunner().invoke(
        demo, ["--patients", str(tmp_path / "patients"), "--out", str(tmp_path / "demo.json")]
    )
    assert done.exit_code == 1
    assert "rename the folder" in done.output
    assert not (tmp_path / "demo.json").exists()


def test_a_fault_that_could_never_strike_is_refused(tmp_path: Path) -> None:
    faults = tmp_path / "faults.json"
    faults.write_text('[{"service":"lambda","operation":"Invok","do":{"status":500}}]')
    done = CliRunner().invoke(lab, ["up", "--faults", str(faults)])
    assert done.exit_code == 1
    assert "lambda has no operation 'Invok': did you mean Invoke" in done.output


@pytest.mark.parametrize(
    "spelling",
    ["VerifyRepair", "verifyrepair", "verify_repair", "VERIFY-REPAIR", "VerifyRepairFunction"],
)
def test_a_step_may_be_spelled_in_any_way(tmp_path: Path, spelling: str) -> None:
    absent = tmp_path / "absent.json"
    done = CliRunner().invoke(invoke, [spelling, "--event", str(absent)])
    assert done.exit_code == 1
    assert f"{absent} cannot be read" in done.output


def test_a_step_that_does_not_exist_is_refused_even_with_an_event(tmp_path: Path) -> None:
    event = tmp_path / "event.json"
    event.write_text("{}")
    done = CliRunner().invoke(invoke, ["VerifyRepairs", "--event", str(event)])
    assert done.exit_code == 1
    assert "'VerifyRepairs' (did you mean VerifyRepair?); the steps are ApprovalPage" in done.output


def test_a_step_has_to_be_named() -> None:
    done = CliRunner().invoke(invoke, ["--", ""])
    assert done.exit_code == 1
    assert "name a step: make invoke STEP=ParseAlarmEvent" in done.output


def test_a_port_in_use_is_told_in_one_line() -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = str(taken.getsockname()[1])
        result = CliRunner().invoke(lab, ["up", "--port", port])
    assert result.exit_code == 1
    assert result.output.splitlines()[-1] == (
        f"Error: the lab did not start: port {port} is in use; choose another, or leave --port "
        "away for a free one"
    )
