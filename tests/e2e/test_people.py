"""People beside the machine: asked, answering by the command line, reading and checking the record.

One lab for all; what each test needs is a patient of its own.
"""

from __future__ import annotations

import json
import re
import shlex
import shutil
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from autorepair_lab.lab import PROJECT, Lab
from autorepair_lab.patient import read_patient
from e2e.scene import operator

SLOW = PROJECT / "lab" / "patients" / "slow-invoice"
PATIENCE_S = 600


@pytest.fixture(scope="module")
def lab() -> Iterator[Lab]:
    with Lab(approval="ask") as running:
        yield running


def break_one(lab: Lab, folder: Path, name: str, **over: object) -> None:
    """Admit a slow patient whose repair asks, and let its alarm loose."""
    home = folder / name
    shutil.copytree(SLOW, home, ignore=shutil.ignore_patterns("__pycache__"))
    description: dict[str, Any] = json.loads((home / "patient.json").read_text())
    policy = {"modes": {"set_timeout": "ask"}, "approval": {"timeout_s": 600}}
    (home / "patient.json").write_text(json.dumps({**description, "policy": policy, **over}))
    lab.ward.admit(read_patient(home))
    lab.ward.break_in_background(name)


def incident_of(lab: Lab, name: str, *, key: str) -> dict[str, Any]:
    """Wait until the listed incident of a patient says ``key``."""
    deadline = time.monotonic() + PATIENCE_S
    while time.monotonic() < deadline:
        found = json.loads(
            operator(lab, "incidents", "--function", f"patient-{name}", "--json").stdout or "[]"
        )
        if found and found[0][key]:
            return dict(found[0])
        time.sleep(1)
    raise AssertionError(f"{name} never came to {key}: {found}")


def approved_outcome_of(lab: Lab, name: str) -> str:
    """Wait for the end, with a yes to a further step: on a busy machine the first may be short."""
    deadline = time.monotonic() + PATIENCE_S
    while time.monotonic() < deadline:
        line = incident_of(lab, name, key="incident_id")
        if line["outcome"]:
            return str(line["outcome"])
        if line["is_waiting"]:
            operator(lab, "approve", line["incident_id"])
        time.sleep(1)
    raise AssertionError(f"{name} never came to its end: {line}")


def commands_in(lab: Lab, incident: str) -> list[list[str]]:
    """Give the commands that the message to people names."""
    messages = [m["message"] for m in lab.account.inbox() if incident in m["message"]]
    return [
        shlex.split(line) for line in re.findall(r"^  autorepair (.*)$", messages[0], re.MULTILINE)
    ]


def test_a_yes_by_the_command_from_the_message_repairs_the_function(
    lab: Lab, tmp_path: Path
) -> None:
    break_one(lab, tmp_path, "asked-yes")
    incident = incident_of(lab, "asked-yes", key="is_waiting")["incident_id"]
    approve = commands_in(lab, incident)[0]
    assert approve[:2] == ["approve", incident]

    done = operator(lab, *approve, "--comment", "go on")
    assert done.returncode == 0, done.stderr
    again, contrary = operator(lab, *approve), operator(lab, "reject", incident)
    assert "nothing new is recorded" in again.stdout
    assert contrary.returncode == 1
    assert "the first answer stands" in contrary.stderr

    assert approved_outcome_of(lab, "asked-yes") == "repaired"
    shown = operator(lab, "show", incident).stdout
    for told in (
        "timeout 2 s → timeout 4 s", "timeout_too_low", "evidence cited", "go on",
        "approved by arn:aws:", "failed of", "message:", "records whole",
    ):  # fmt: skip
        assert told in shown
    verified = operator(lab, "audit", "verify", incident)
    assert (verified.returncode, verified.stdout) == (0, "1 of 1 incidents: chain whole\n")


def test_a_no_leaves_the_function_alone_and_an_altered_record_is_found(
    lab: Lab, tmp_path: Path
) -> None:
    break_one(lab, tmp_path, "asked-no")
    incident = incident_of(lab, "asked-no", key="is_waiting")["incident_id"]
    assert operator(lab, "reject", incident, "--comment", "not today").returncode == 0
    assert incident_of(lab, "asked-no", key="outcome")["outcome"] == "rejected"
    found = lab.clients.lambda_.get_function_configuration(FunctionName="patient-asked-no")
    assert found["Timeout"] == 2

    lab.clients.dynamodb.update_item(
        TableName=lab.ready.audit_table,
        Key={"incident_id": {"S": incident}, "seq": {"N": "3"}},
        UpdateExpression="SET summary = :other",
        ExpressionAttributeValues={":other": {"S": "nothing happened"}},
    )
    verified = operator(lab, "audit", "verify", "--since", "1h")
    assert verified.returncode == 1
    assert f"incident {incident}: record 3" in verified.stderr


def test_nobody_answers_and_the_answer_after_that_is_refused(lab: Lab, tmp_path: Path) -> None:
    policy = {"modes": {"set_timeout": "ask"}, "approval": {"timeout_s": 3}}
    break_one(lab, tmp_path, "unanswered", policy=policy)
    line = incident_of(lab, "unanswered", key="outcome")
    assert line["outcome"] == "expired"
    late = operator(lab, "approve", line["incident_id"])
    assert late.returncode == 1
    assert "it was closed as expired" in late.stderr
    assert "nobody answered in time" in operator(lab, "show", line["incident_id"]).stdout


def test_a_change_by_a_person_between_plan_and_write_makes_the_plan_anew_and_is_asked_about(
    lab: Lab, tmp_path: Path
) -> None:
    meddle = {"at": "action_decided", "set": {"memory_mb": 192, "env": {"BY_HAND": "1"}}}
    break_one(lab, tmp_path, "meddled", policy={}, meddle=meddle)
    incident = incident_of(lab, "meddled", key="is_waiting")["incident_id"]
    assert "(BY_HAND)" in operator(lab, "show", incident).stdout
    assert operator(lab, "approve", incident).returncode == 0
    assert approved_outcome_of(lab, "meddled")
    shown = operator(lab, "show", incident, "--json").stdout
    kinds = [record["entry"]["kind"] for record in json.loads(shown)["records"]]
    assert kinds[: kinds.index("repair_applied")].count("action_decided") == 2
    assert kinds.index("repair_withheld") < kinds.index("repair_applied")
    found = lab.clients.lambda_.get_function_configuration(FunctionName="patient-meddled")
    assert (found["MemorySize"], found["Environment"]["Variables"]["BY_HAND"]) == (192, "1")
