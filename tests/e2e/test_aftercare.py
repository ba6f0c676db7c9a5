"""After an incident, on real functions: a repair that is put back or adopted, a plan not made."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import pytest

from autorepair_lab.lab import PROJECT, Lab
from autorepair_lab.patient import Patient, read_patient
from e2e.scene import operator
from e2e.waiting import until

SCHEDULE = FUNCTION = "lambda-auto-repair-drift-watch-dev"
OBSERVED = {"modes": {"set_timeout": "observe"}}


@pytest.fixture(scope="module")
def lab() -> Iterator[Lab]:
    with Lab() as running:
        yield running


def run(lab: Lab, *arguments: str) -> str:
    done = operator(lab, *arguments)
    assert done.returncode == 0, done.stderr
    return done.stdout


def admitted(lab: Lab, name: str, **policy: object) -> Patient:
    plain = read_patient(PROJECT / "lab" / "patients" / "slow-invoice")
    patient = plain.model_copy(update={"name": name, "policy": policy})
    lab.ward.admit(patient)
    return patient


def entries(lab: Lab, incident: str | None) -> list[dict[str, Any]]:
    shown = json.loads(run(lab, "show", str(incident), "--json"))
    assert shown["first_break"] is None
    return [record["entry"] for record in shown["records"]]


def last_of(lab: Lab, incident: str | None, kind: str) -> dict[str, Any] | None:
    found = [entry for entry in entries(lab, incident) if entry["kind"] == kind]
    return found[-1] if found else None


def tick(lab: Lab) -> None:
    """Let the schedule fire once and wait for that run to end."""
    before = len(lab.account.invocations(FUNCTION))
    lab.account.trigger_schedule(SCHEDULE)
    until(lambda: len(lab.account.invocations(FUNCTION)) > before, "a run of the drift watch")
    assert not lab.account.invocations(FUNCTION)[-1].is_failure


def look_ahead(lab: Lab, seconds: int) -> dict[str, Any]:
    answer = lab.invoke_step("drift_watch", json.dumps({"look_ahead_s": seconds}).encode())
    result: dict[str, Any] = json.loads(answer["Payload"].read())
    assert answer.get("FunctionError") is None, result
    return result


def set_timeout(lab: Lab, patient: Patient, timeout_s: int) -> None:
    lab.clients.lambda_.update_function_configuration(
        FunctionName=patient.function_name, Timeout=timeout_s
    )


def messages(lab: Lab, patient: Patient, kind: str) -> list[dict[str, Any]]:
    return [
        one
        for one in lab.account.inbox()
        if patient.function_name in str(one["message"]) and one["attributes"].get("kind") == kind
    ]


def test_a_repair_that_somebody_puts_back_is_recorded_and_told_with_the_patch(lab: Lab) -> None:
    patient = admitted(lab, "put-back-later")
    row = lab.ward.run(patient.name)
    assert (row.outcome, row.before, row.after) == ("repaired", row.before, row.after), row
    assert row.before is not None
    assert row.after is not None
    tick(lab)
    assert last_of(lab, row.incident, "repair_reverted") is None
    set_timeout(lab, patient, row.before.timeout_s)
    look_ahead(lab, 900)
    record = last_of(lab, row.incident, "repair_reverted")
    assert record is not None
    assert record["data"]["drift"]["by"].endswith(":user/operator")
    (message,) = messages(lab, patient, "repair_reverted")
    assert f"Timeout: {row.after.timeout_s}" in message["message"]
    look_ahead(lab, 900)
    assert len(messages(lab, patient, "repair_reverted")) == 1


def test_a_repair_that_a_deployment_writes_again_is_adopted_in_silence(lab: Lab) -> None:
    patient = admitted(lab, "taken-over")
    row = lab.ward.run(patient.name)
    assert row.outcome == "repaired", row
    assert row.after is not None
    lab.clients.lambda_.update_function_configuration(
        FunctionName=patient.function_name, Timeout=row.after.timeout_s, MemorySize=256
    )
    look_ahead(lab, 900)
    assert last_of(lab, row.incident, "repair_adopted") is not None
    assert messages(lab, patient, "repair_adopted") == []


def test_a_plan_that_was_only_observed_and_then_made_by_hand_is_agreement(lab: Lab) -> None:
    patient = admitted(lab, "fixed-by-hand", **OBSERVED)
    row = lab.ward.run(patient.name)
    assert (row.outcome, row.before == row.after) == ("escalated", True), row
    decided = last_of(lab, row.incident, "action_decided")
    assert decided is not None
    set_timeout(lab, patient, decided["data"]["change"]["after"]["timeout_s"])
    look_ahead(lab, 3600)
    seen = last_of(lab, row.incident, "outcome_observed")
    assert seen is not None
    assert seen["data"]["aftermath"] == "same_value"
    assert seen["data"]["by"].endswith(":user/operator")
    shown = json.loads(run(lab, "scorecard", "--function", patient.function_name, "--json"))
    (counted,) = shown["rows"]
    assert (counted["kind"], counted["would_be"], counted["same_value"]) == ("set_timeout", 1, 1)
    assert shown["advice"][0]["step"] == "stay", "one is not enough"
    assert "patient-fixed-by-hand" in run(lab, "scorecard")
