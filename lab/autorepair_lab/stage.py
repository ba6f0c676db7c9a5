"""Sets the stage for a sample event: what it speaks of is there when a step looks for it."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

from autorepair_lab.patient import read_patient

if TYPE_CHECKING:
    from autorepair_lab.lab import Lab

PATIENT = "slow-invoice"
"""The patient whose incident the samples in events/ were taken from."""


def set_the_stage(lab: Lab, project: Path) -> None:
    """Deploy the samples' function, raise its alarm (to nobody), store the samples' evidence."""
    patient = read_patient(project / "lab" / "patients" / PATIENT)
    lab.ward.admit(patient)
    lab.mute_alarms()
    lab.raise_alarm(patient)
    events = project / "events"
    pointer = json.loads((events / "diagnose_issue.json").read_text())["evidence"]
    lab.clients.s3.put_object(
        Bucket=pointer["bucket"],
        Key=pointer["key"],
        Body=(events / "stage" / "evidence.json").read_bytes(),
    )


def at_home(lab: Lab, project: Path, payload: bytes) -> bytes:
    """Give a sample with the fingerprint that its function has in this account.

    Fingerprints are keyed to the account, so the one in the sample would read as a function that
    somebody has changed since. The deployed DetermineAction says what it is here.
    """
    sample: dict[str, Any] = json.loads(payload)
    planned = (sample.get("decision") or {}).get("change")
    if planned is None:
        return payload
    question = (project / "events" / "determine_action.json").read_bytes()
    decided = lab.invoke_step("determine_action", question)
    here = (json.loads(decided["Payload"].read()).get("change") or {}).get("planned_on")
    if here is None:
        return payload
    return payload.replace(planned["planned_on"].encode(), here.encode())
