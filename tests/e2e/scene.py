"""A scenario's patients, and what is looked at when it is over: function, record, messages."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from autorepair_lab.lab import PROJECT, Lab
from autorepair_lab.patient import Patient, read_patient

AUTOREPAIR = Path(sys.executable).with_name("autorepair")
# What moves by itself with every write, or says only when it was.
_MOVING = frozenset({"ResponseMetadata", "RevisionId", "LastModified", "LastUpdateStatus"})


@dataclass(frozen=True)
class Told:
    """One audit record."""

    incident: str
    kind: str
    summary: str
    data: dict[str, Any]


def admitted(lab: Lab, kind: str, name: str, **changes: object) -> Patient:
    """Admit a copy of a patient of the project under another name."""
    plain = read_patient(PROJECT / "lab" / "patients" / kind)
    patient = Patient.model_validate(plain.model_copy(update={"name": name}).model_dump() | changes)
    lab.ward.admit(patient)
    return patient


def written(lab: Lab, folder: Path, code: str, **described: object) -> Patient:
    """Admit a patient of its own code; its name is the folder's."""
    folder.mkdir()
    (folder / "app.py").write_text(code)
    plain = {"tags": {"auto-repair": "enabled"}, "expect": {"outcome": "repaired"}}
    (folder / "patient.json").write_text(json.dumps(plain | described))
    patient = read_patient(folder)
    lab.ward.admit(patient)
    return patient


def configuration(lab: Lab, patient: Patient) -> dict[str, Any]:
    """Give the function's real configuration, without what moves with every write."""
    found: Mapping[str, Any] = lab.clients.lambda_.get_function_configuration(
        FunctionName=patient.function_name
    )
    return {key: value for key, value in found.items() if key not in _MOVING}


def trail(lab: Lab, patient: Patient, incident: str | None = None) -> list[Told]:
    """Give what is recorded of the function, incident by incident and in their order."""
    found = lab.clients.dynamodb.get_paginator("query").paginate(
        TableName=lab.ready.audit_table,
        IndexName="by-function",
        KeyConditionExpression="function_name = :name",
        ExpressionAttributeValues={":name": {"S": patient.function_name}},
    )
    items = [item for page in found for item in page["Items"]]
    items.sort(key=lambda one: (one["incident_id"]["S"], int(one["seq"]["N"])))
    records = [
        Told(
            one["incident_id"]["S"],
            one["kind"]["S"],
            one["summary"]["S"],
            json.loads(one["data"]["S"]),
        )
        for one in items
    ]
    return [one for one in records if incident in {None, one.incident}]


def kinds(lab: Lab, patient: Patient, incident: str | None = None) -> list[str]:
    return [one.kind for one in trail(lab, patient, incident)]


def last(lab: Lab, patient: Patient, kind: str, incident: str | None = None) -> Told:
    """Give the last record of a kind; without one, the whole story is told."""
    told = trail(lab, patient, incident)
    found = [one for one in told if one.kind == kind]
    assert found, f"no {kind} among:\n{story(told)}"
    return found[-1]


def story(told: list[Told]) -> str:
    """For whoever has to find out why an end was another."""
    return "\n".join(f"{one.incident} {one.kind}: {one.summary}" for one in told)


def messages(lab: Lab, about: str) -> list[dict[str, Any]]:
    """Give what people were sent that speaks of a function or an incident, oldest first."""
    return [one for one in lab.account.inbox() if about in str(one["message"])]


def operator(lab: Lab, *arguments: str) -> subprocess.CompletedProcess[str]:
    """Run a command as an operator does, with nothing but the exports that the lab prints."""
    done = subprocess.run(
        [AUTOREPAIR, *arguments],
        env={"PATH": os.environ["PATH"], **lab.ready.exports()},
        # A terminal would be asked what a script is not.
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=600,
        check=False,
    )
    assert "Traceback" not in done.stderr, done.stderr
    return done


def is_whole(lab: Lab, incident: str) -> bool:
    """Whether the incident's records prove to be unaltered."""
    return operator(lab, "audit", "verify", incident).returncode == 0
