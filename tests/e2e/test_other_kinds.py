"""Aliases, /tmp and reserved concurrency in the lab: written, taken back, and left to people."""

from __future__ import annotations

import json
import shutil
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest

from autorepair_lab.account.call import Call
from autorepair_lab.lab import PROJECT, Lab
from autorepair_lab.patient import Patient, read_patient
from e2e.waiting import until

BAD_RELEASE = PROJECT / "lab" / "patients" / "bad-release"

FULL = """
def handler(event, context):
    # Every write to this device fails as on a full disk.
    with open("/dev/full", "wb", buffering=0) as scratch:
        scratch.write(b"frames")
"""
BUSY = """
import time
def handler(event, context):
    time.sleep(1.5)
    return {"paid": event["order"]}
"""


@pytest.fixture(scope="module")
def lab() -> Iterator[Lab]:
    with Lab() as running:
        yield running


def admitted(lab: Lab, folder: Path, **over: object) -> Patient:
    described: dict[str, Any] = json.loads((folder / "patient.json").read_text())
    (folder / "patient.json").write_text(json.dumps({**described, **over}))
    patient = read_patient(folder)
    lab.ward.admit(patient)
    return patient


def released(lab: Lab, folder: Path, **over: object) -> Patient:
    shutil.copytree(BAD_RELEASE, folder, ignore=shutil.ignore_patterns("__pycache__"))
    return admitted(lab, folder, **over)


def written(lab: Lab, folder: Path, code: str, **over: object) -> Patient:
    folder.mkdir()
    (folder / "app.py").write_text(code)
    plain = {
        "tags": {"auto-repair": "enabled"},
        "traffic": [{"payload": {"order": 7}, "count": 6}],
        "expect": {"outcome": "repaired"},
    }
    (folder / "patient.json").write_text(json.dumps(plain))
    return admitted(lab, folder, **over)


def alias_of(lab: Lab, patient: Patient) -> dict[str, Any]:
    return dict(lab.clients.lambda_.get_alias(FunctionName=patient.function_name, Name="live"))


def recorded(lab: Lab, patient: Patient, kind: str) -> list[dict[str, Any]]:
    """Give the data of the patient's records of one kind, oldest first."""
    found = lab.clients.dynamodb.query(
        TableName=lab.ready.audit_table,
        IndexName="by-function",
        KeyConditionExpression="function_name = :name",
        ExpressionAttributeValues={":name": {"S": patient.function_name}},
    )["Items"]
    ordered = sorted(found, key=lambda one: int(one["seq"]["N"]))
    return [dict(one) for one in ordered if one["kind"]["S"] == kind]


def test_an_alias_goes_forward_again_when_going_back_did_not_help(lab: Lab, tmp_path: Path) -> None:
    # The basket has become another one since, and no version can price it.
    patient = released(
        lab,
        tmp_path / "not-to-blame",
        traffic_after_repair=[{"payload": {"basket": []}, "count": 8}],
    )
    row = lab.ward.run(patient.name)
    assert (row.action, row.outcome) == ("rollback_version", "rolled_back")
    assert alias_of(lab, patient)["FunctionVersion"] == "2"


class Person:
    """Divides the traffic of a patient's alias as soon as the service has decided to move it."""

    def __init__(self, lab: Lab, patient: Patient) -> None:
        self._lab = lab
        self._patient = patient
        self.has_acted = threading.Event()

    def observe(self, call: Call) -> None:
        item = call.parameters.get("Item", {}) if call.operation == "PutItem" else {}
        told = (item.get("function_name", {}).get("S"), item.get("kind", {}).get("S"))
        if told != (self._patient.function_name, "action_decided") or self.has_acted.is_set():
            return
        self.has_acted.set()
        self._lab.clients.lambda_.update_alias(
            FunctionName=self._patient.function_name,
            Name="live",
            RoutingConfig={"AdditionalVersionWeights": {"1": 0.5}},
        )


def test_an_alias_that_a_person_changes_between_plan_and_write_stays_theirs(
    lab: Lab, tmp_path: Path
) -> None:
    patient = released(lab, tmp_path / "taken-over")
    person = Person(lab, patient)
    lab.account.add_observer(person)
    row = lab.ward.run(patient.name)
    assert person.has_acted.is_set()
    assert (row.action, row.outcome) == (None, "escalated")
    alias = alias_of(lab, patient)
    assert alias["FunctionVersion"] == "2"
    assert alias["RoutingConfig"] == {"AdditionalVersionWeights": {"1": 0.5}}


def test_more_room_in_tmp_that_did_not_help_is_taken_back(lab: Lab, tmp_path: Path) -> None:
    patient = written(
        lab,
        tmp_path / "always-full",
        FULL,
        policy={"modes": {"set_ephemeral_storage": "auto"}, "limits": {"steps_per_incident": 1}},
    )
    row = lab.ward.run(patient.name)
    assert (row.root_cause, row.action) == ("ephemeral_storage_full", "set_ephemeral_storage")
    assert row.outcome == "rolled_back"
    assert recorded(lab, patient, "repair_applied")
    found = lab.clients.lambda_.get_function_configuration(FunctionName=patient.function_name)
    assert found["EphemeralStorage"] == {"Size": 512}


def test_calls_that_are_turned_away_get_a_larger_reservation(lab: Lab, tmp_path: Path) -> None:
    patient = written(
        lab,
        tmp_path / "turned-away",
        BUSY,
        timeout_s=10,
        alarm={"metric": "Throttles", "threshold": 1},
        policy={"modes": {"set_reserved_concurrency": "auto"}},
    )
    lambda_ = lab.clients.lambda_
    lambda_.put_function_concurrency(
        FunctionName=patient.function_name, ReservedConcurrentExecutions=2
    )

    def call(_: int) -> bool:
        try:
            lambda_.invoke(FunctionName=patient.function_name, Payload=b'{"order": 7}')
        except lambda_.exceptions.TooManyRequestsException:
            return False
        return True

    with ThreadPoolExecutor(6) as callers:
        assert not all(callers.map(call, range(6)))
    lab.raise_alarm(patient)

    # That it helped is told by whole minutes of metrics, which nobody waits for here.
    until(lambda: recorded(lab, patient, "repair_applied"), "a larger reservation")
    found = lambda_.get_function_concurrency(FunctionName=patient.function_name)
    assert 4 <= found["ReservedConcurrentExecutions"] <= 20
