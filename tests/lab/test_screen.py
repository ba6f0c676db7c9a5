"""What the demo shows, on a terminal and in a log."""

from __future__ import annotations

import io
import json
import time
from pathlib import Path

import pytest
from rich.console import Console

from autorepair.domain.change import RepairKind
from autorepair.domain.incident import Outcome
from autorepair_cli.screen import LONGEST_LINE, Screen, shortened
from autorepair_lab.patient import Patient, read_patient
from autorepair_lab.row import Reading, Row

BEFORE = Reading(timeout_s=3, memory_mb=128, env=("A",))


@pytest.fixture
def patient(tmp_path: Path) -> Patient:
    folder = tmp_path / "slow"
    folder.mkdir()
    (folder / "app.py").write_text("def handler(event, context): ...\n")
    description = {"traffic": [{"payload": {}}], "expect": {"outcome": ["repaired", "rolled_back"]}}
    (folder / "patient.json").write_text(json.dumps(description))
    return read_patient(folder)


def row(**over: object) -> Row:
    good = Row(
        patient="slow",
        action=RepairKind.SET_TIMEOUT,
        outcome=Outcome.REPAIRED,
        before=BEFORE,
        after=BEFORE.model_copy(update={"timeout_s": 6}),
        failed_before=2,
        invoked_before=2,
        failed_after=0,
        invoked_after=2,
        seconds=12.3,
    )
    return good.model_copy(update=over)


def finished(patient: Patient, ended: Row, out: Path) -> tuple[int, str]:
    text = io.StringIO()
    screen = Screen(time.monotonic(), (patient,), Console(file=text, width=150, soft_wrap=True))
    failed = screen.finish((ended,), 20.0, out)
    return failed, text.getvalue()


def test_a_long_reason_is_cut_to_one_line() -> None:
    cut = shortened("because\n" + "of this and that " * 50)
    assert len(cut) == LONGEST_LINE
    assert cut.startswith("because of this")
    assert shortened("short") == "short"


def test_in_a_log_each_event_is_a_line(patient: Patient) -> None:
    text = io.StringIO()
    with Screen(time.monotonic(), (patient,), Console(file=text, soft_wrap=True)) as screen:
        screen.note("starting")
        screen.tell("slow", "alarm\nraised")
        screen.end(row(), patient)
    lines = text.getvalue().splitlines()
    assert len(lines) == 3
    assert lines[1].endswith("slow  alarm raised")
    assert lines[2].endswith("repaired after 12 s, as expected")


def test_on_a_terminal_one_table_is_kept_up_to_date(patient: Patient) -> None:
    text = io.StringIO()
    console = Console(file=text, force_terminal=True, width=100, height=30)
    with Screen(time.monotonic(), (patient,), console) as screen:
        screen.tell("slow", "first news")
        screen.tell("slow", "second news")
        screen.end(row(outcome=Outcome.ESCALATED), patient)
        assert screen._live is not None
        screen._live.refresh()
    assert "escalated, not as expected" in text.getvalue()
    assert "seconds" not in text.getvalue()


def test_the_table_at_the_end_says_what_was_changed(patient: Patient, tmp_path: Path) -> None:
    failed, text = finished(patient, row(), tmp_path / "demo.json")
    assert failed == 0
    assert "timeout 3 → 6 s" in text
    assert "2/2 → 0/2" in text
    assert "1 of 1 patients ended as expected, in 20 s" in text


@pytest.mark.parametrize(
    ("over", "told"),
    [
        ({"after": BEFORE, "outcome": Outcome.ROLLED_BACK}, "set_timeout taken back"),
        ({"after": BEFORE, "action": RepairKind.SET_ENV}, "set_env (value)"),
        ({"after": BEFORE, "action": RepairKind.ROLLBACK_VERSION}, "rollback_version (alias)"),
        ({"after": BEFORE, "action": None}, "none"),
        ({"action": None}, "timeout 3 → 6 s (by hand)"),
    ],
)
def test_a_change_that_sizes_do_not_show_is_told_all_the_same(
    patient: Patient, tmp_path: Path, over: dict[str, object], told: str
) -> None:
    assert told in finished(patient, row(**over), tmp_path)[1]


def test_a_patient_that_the_lab_lost_is_in_the_table_with_the_reason(
    patient: Patient, tmp_path: Path
) -> None:
    lost = Row(patient="slow", trouble="the lab could not run this patient: OSError: full")
    failed, text = finished(patient, lost, tmp_path)
    assert failed == 1
    assert "slow: the lab could not run this patient: OSError: full" in text
    assert "trouble" not in lost.as_json()
