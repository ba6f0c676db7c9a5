"""What should never come but does: a recorded, explained, safe end, no stack trace to people."""

from __future__ import annotations

import json
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from autorepair_lab.lab import LAB_POLICY, PROJECT, Lab
from autorepair_lab.patient import Patient, read_patient

CHATTY = """
import os
def handler(event, context):
    for number in range(4000):
        print("x" * 1000, number)
    return os.environ["TABLE_NAME"]
"""


@pytest.fixture(scope="module")
def lab() -> Iterator[Lab]:
    with Lab() as running:
        yield running


def patient(name: str, folder: Path, code: str | None = None, **over: object) -> Patient:
    """A copy of a patient of the project under another name, with other code if need be."""
    home = PROJECT / "lab" / "patients" / "forgetful-orders"
    description: dict[str, Any] = json.loads((home / "patient.json").read_text())
    target = folder / name
    target.mkdir()
    (target / "app.py").write_text(code or (home / "app.py").read_text())
    (target / "patient.json").write_text(json.dumps(description | over))
    return read_patient(target)


def told(lab: Lab, function_name: str) -> str:
    """All that people were told about a function, once something was."""
    deadline = time.monotonic() + 300
    while time.monotonic() < deadline:
        found = [m["message"] for m in lab.account.inbox() if function_name in m["message"]]
        if found:
            text = "\n".join(found)
            for sign in ("Traceback", "/var/task", "/opt/python", "stackTrace"):
                assert sign not in text
            return text
        time.sleep(0.2)
    raise AssertionError(f"nobody was told about {function_name}")


def test_a_policy_that_cannot_be_read_means_that_nothing_is_touched(
    lab: Lab, tmp_path: Path
) -> None:
    sick = patient("no-policy", tmp_path)
    lab.ward.admit(sick)
    ssm = lab.clients.ssm
    ssm.put_parameter(
        Name=lab.ready.policy_parameter, Value="{not json", Type="String", Overwrite=True
    )
    try:
        row = lab.ward.run(sick.name)
    finally:
        ssm.put_parameter(
            Name=lab.ready.policy_parameter,
            Value=LAB_POLICY.model_dump_json(),
            Type="String",
            Overwrite=True,
        )
    assert (row.outcome, row.decision, row.before) == ("escalated", "observe", row.after)
    assert "policy" in told(lab, sick.function_name)


def test_a_function_that_is_deleted_meanwhile_ends_with_an_explanation(
    lab: Lab, tmp_path: Path
) -> None:
    sick = patient("short-lived", tmp_path)
    lab.ward.admit(sick)
    for item in sick.traffic:
        lab.account.invoke(sick.function_name, json.dumps(item.payload).encode())
    lab.raise_alarm(sick)
    lab.clients.lambda_.delete_function(FunctionName=sick.function_name)
    closed = ended(lab, sick.function_name)
    assert closed in {"escalated", "failed", "ignored"}
    if closed != "ignored":
        assert "no function" in told(lab, sick.function_name) or "gone" in told(
            lab, sick.function_name
        )


def test_an_alarm_on_another_namespace_is_ignored_with_a_record(lab: Lab) -> None:
    lab.clients.cloudwatch.put_metric_alarm(
        AlarmName="queue-too-long",
        Namespace="AWS/SQS",
        MetricName="ApproximateNumberOfMessagesVisible",
        Dimensions=[{"Name": "QueueName", "Value": "jobs"}],
        Statistic="Maximum",
        Period=60,
        EvaluationPeriods=1,
        Threshold=100,
        ComparisonOperator="GreaterThanThreshold",
    )
    lab.clients.cloudwatch.set_alarm_state(
        AlarmName="queue-too-long", StateValue="ALARM", StateReason="Threshold Crossed"
    )
    deadline = time.monotonic() + 300
    while time.monotonic() < deadline:
        records = [r for r in scan(lab) if "queue-too-long" in r["data"]["S"]]
        if records:
            break
        time.sleep(0.2)
    assert [record["kind"]["S"] for record in records] == ["alarm_ignored"]
    assert "FunctionName" in records[0]["summary"]["S"]


def test_a_log_of_more_than_twenty_megabytes_is_read_within_the_budget(
    lab: Lab, tmp_path: Path
) -> None:
    sick = patient(
        "chatty",
        tmp_path,
        CHATTY,
        memory_mb=256,
        # A busy machine takes long to read that much.
        timeout_s=60,
        approval="reject",
        known_config={"TABLE_NAME": {"type": "literal", "value": "jobs"}},
    )
    lab.ward.admit(sick)
    row = lab.ward.run(sick.name)
    # The budget leaves a gap, so a person is asked, who says no here.
    assert (row.outcome, row.before) == ("rejected", row.after)
    collected = next(
        r
        for r in scan(lab)
        if r["kind"]["S"] == "evidence_collected"
        and r.get("function_name", {}).get("S") == sick.function_name
    )
    assert "gap" in collected["summary"]["S"]
    assert len(collected["data"]["S"]) < 64 * 1024


def scan(lab: Lab) -> list[dict[str, Any]]:
    pages = lab.clients.dynamodb.get_paginator("scan").paginate(TableName=lab.ready.audit_table)
    return [item for page in pages for item in page["Items"]]


def ended(lab: Lab, function_name: str) -> str:
    deadline = time.monotonic() + 300
    while time.monotonic() < deadline:
        for record in scan(lab):
            if record.get("function_name", {}).get("S") == function_name:
                if record["kind"]["S"] == "alarm_ignored":
                    return "ignored"
                if record["kind"]["S"] == "incident_closed":
                    return str(json.loads(record["data"]["S"])["outcome"])
        time.sleep(0.3)
    raise AssertionError(f"the incident of {function_name} did not end")
