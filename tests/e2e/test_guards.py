"""What holds writes back, in a real account: pause, policy commands, put back, cooldown."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from autorepair_lab.lab import PROJECT, Lab
from autorepair_lab.patient import Patient, read_patient
from autorepair_lab.row import Row
from e2e.scene import operator


@pytest.fixture(scope="module")
def lab() -> Iterator[Lab]:
    with Lab() as running:
        yield running


def admitted(
    lab: Lab, kind: str, name: str, other: dict[str, Any] | None = None, **policy: object
) -> Patient:
    plain = read_patient(PROJECT / "lab" / "patients" / kind)
    patient = plain.model_copy(update={"name": name, "policy": policy, **(other or {})})
    lab.ward.admit(patient)
    return patient


def decision_of(lab: Lab, row: Row) -> dict[str, Any]:
    """Give what the last decision of an incident recorded."""
    shown = json.loads(operator(lab, "show", str(row.incident), "--json").stdout)
    decided = [r["entry"] for r in shown["records"] if r["entry"]["kind"] == "action_decided"]
    return dict(decided[-1]["data"])


def test_a_pause_by_the_command_holds_and_is_recorded_with_who_and_why(lab: Lab) -> None:
    patient = admitted(lab, "slow-invoice", "paused-invoice")
    paused = operator(lab, "pause", "--reason", "migration, until Friday")
    assert (paused.returncode, "migration" in paused.stdout) == (0, True), paused.stderr
    row = lab.ward.run(patient.name)
    assert (row.outcome, row.before == row.after) == ("escalated", True)
    reason = decision_of(lab, row)["reason"]
    assert "arn:aws:" in reason
    assert "migration, until Friday" in reason
    assert operator(lab, "resume").returncode == 0
    assert "not paused" in operator(lab, "resume").stdout
    verified = operator(lab, "audit", "verify", "--since", "1h")
    assert verified.returncode == 0, verified.stderr
    assert "operators-" not in operator(lab, "incidents", "--json").stdout


def test_a_policy_is_set_by_the_command_and_a_faulty_one_is_refused(
    lab: Lab, tmp_path: Path
) -> None:
    before = json.loads(operator(lab, "policy", "show", "--text").stdout)
    wrong, right = tmp_path / "wrong.json", tmp_path / "right.json"
    wrong.write_text(json.dumps({**before, "settle": 3}))
    refused = operator(lab, "policy", "set", str(wrong))
    assert refused.returncode == 1
    assert "settle: " in refused.stderr
    right.write_text(json.dumps({**before, "settle_s": 2}))
    assert "settle_s: 1 -> 2" in operator(lab, "policy", "set", str(right)).stdout
    assert json.loads(operator(lab, "policy", "show", "--text").stdout)["settle_s"] == 2


def test_what_was_put_back_by_a_person_is_escalated_with_its_history(lab: Lab) -> None:
    patient = admitted(lab, "slow-invoice", "put-back-invoice")
    first = lab.ward.run(patient.name)
    assert first.outcome == "repaired", first
    lab.clients.lambda_.update_function_configuration(FunctionName=patient.function_name, Timeout=2)
    again = lab.ward.run(patient.name)
    assert (again.outcome, again.before == again.after) == ("escalated", True), again
    refusal = decision_of(lab, again)["refusal"]
    assert refusal["code"] == "put_back"
    assert str(first.incident) in refusal["why"]


SLOWER_WITH_LESS_MEMORY = """
import os
import time

SECONDS = 0.7 * 512 / int(os.environ["AWS_LAMBDA_FUNCTION_MEMORY_SIZE"])


def handler(event, context):
    for page in range(1, event["pages"] + 1):
        time.sleep(SECONDS)
        print(f"rendered page {page} of {event['pages']} of invoice {event['invoice']}")
    return event["pages"]
"""


def test_a_second_repair_of_a_function_waits_for_the_cooldown(lab: Lab, tmp_path: Path) -> None:
    (tmp_path / "app.py").write_text(SLOWER_WITH_LESS_MEMORY)
    slow = {"folder": tmp_path, "memory_mb": 512}
    patient = admitted(lab, "slow-invoice", "cooling-invoice", slow, limits={"cooldown_s": 3600})
    first = lab.ward.run(patient.name)
    assert first.outcome == "repaired", first
    # Nothing of the repair is put back, and yet its time is too short again.
    lab.clients.lambda_.update_function_configuration(
        FunctionName=patient.function_name, MemorySize=256
    )
    again = lab.ward.run(patient.name)
    assert (again.outcome, again.before == again.after) == ("escalated", True), again
    refusal = decision_of(lab, again)["refusal"]
    assert refusal["code"] == "cooldown"
    assert refusal["allowed_at"] is not None
