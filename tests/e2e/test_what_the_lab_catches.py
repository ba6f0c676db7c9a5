"""Mistakes that a softer stage would let pass are seen to fail, on the deployed service."""

from __future__ import annotations

import io
import json
import time
import zipfile
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import boto3
import pytest
from botocore.exceptions import ClientError

from autorepair_lab.clients import DUMMY_KEY
from autorepair_lab.interpreter import runtime
from autorepair_lab.lab import PROJECT, REGION, Lab
from autorepair_lab.patient import read_patient

if TYPE_CHECKING:
    from types_boto3_stepfunctions import SFNClient

LAYER = PROJECT / "build" / "lab" / "FunctionsStack" / "CoreLayer"


@pytest.fixture(scope="module")
def lab() -> Iterator[Lab]:
    with Lab() as running:
        running.ward.admit(read_patient(PROJECT / "lab" / "patients" / "slow-invoice"))
        yield running


@pytest.fixture(scope="module")
def machines(lab: Lab) -> SFNClient:
    session = boto3.Session(DUMMY_KEY, DUMMY_KEY, region_name=REGION)
    return session.client("stepfunctions", endpoint_url=lab.ready.endpoint)


def packed(folder: Path, *, without: str = "") -> bytes:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        for path in sorted(folder.rglob("*")):
            inside = path.relative_to(folder)
            if path.is_file() and not (without and without in inside.parts):
                archive.write(path, inside)
    return buffer.getvalue()


def try_out(lab: Lab, name: str, layer: bytes) -> dict[str, Any]:
    """Deploy a step on a layer and invoke it; gives the error document or the answer."""
    functions = lab.clients.lambda_
    version = functions.publish_layer_version(LayerName=name, Content={"ZipFile": layer})
    role = functions.get_function_configuration(FunctionName="patient-slow-invoice")["Role"]
    functions.create_function(
        FunctionName=name,
        Runtime=runtime(),
        Role=role,
        Handler="diagnose_issue.handler",
        Code={"ZipFile": packed(PROJECT / "functions")},
        Layers=[version["LayerVersionArn"]],
        MemorySize=512,
        Timeout=120,
    )
    answer = functions.invoke(FunctionName=name, Payload=b"{}")
    result: dict[str, Any] = json.loads(answer["Payload"].read())
    return result


def test_a_layer_that_lacks_a_dependency_fails_as_on_aws(lab: Lab) -> None:
    lacking = try_out(lab, "lacking", packed(LAYER, without="pydantic"))
    assert lacking["errorType"] == "Runtime.ImportModuleError"
    assert "pydantic" in lacking["errorMessage"]


def test_the_layer_as_it_is_built_brings_all_that_a_step_imports(lab: Lab) -> None:
    whole = try_out(lab, "whole", packed(LAYER))
    # It gets as far as missing the settings that this function was not given.
    assert whole["errorType"] == "ConfigurationError"
    assert "AUDIT_TABLE" in whole["errorMessage"]


def test_a_state_that_reads_a_key_nobody_wrote_fails_past_every_catch(
    lab: Lab, machines: SFNClient
) -> None:
    described = machines.describe_state_machine(stateMachineArn=lab.ready.state_machine_arn)
    definition = json.loads(described["definition"])
    definition["States"]["SettleAlarms"]["SecondsPath"] = "$.incident.written_by_nobody"
    broken = machines.create_state_machine(
        name="broken", definition=json.dumps(definition), roleArn=described["roleArn"]
    )
    ended = run(machines, broken["stateMachineArn"], "patient-slow-invoice")
    assert (ended["status"], ended["error"]) == ("FAILED", "States.Runtime")
    history = machines.get_execution_history(executionArn=ended["executionArn"], maxResults=1000)
    entered = {
        event["stateEnteredEventDetails"]["name"]
        for event in history["events"]
        if "stateEnteredEventDetails" in event
    }
    assert "SettleAlarms" in entered
    assert "HandleFailure" not in entered, "no Catch sees States.Runtime, on AWS neither"


def test_a_stale_revision_is_refused(lab: Lab) -> None:
    functions = lab.clients.lambda_
    name = "patient-slow-invoice"
    stale = functions.get_function_configuration(FunctionName=name)["RevisionId"]
    functions.update_function_configuration(FunctionName=name, Description="changed by a person")
    functions.get_waiter("function_updated_v2").wait(FunctionName=name)
    before = functions.get_function_configuration(FunctionName=name)
    with pytest.raises(ClientError) as refused:
        functions.update_function_configuration(FunctionName=name, Timeout=9, RevisionId=stale)
    assert refused.value.response["Error"]["Code"] == "PreconditionFailedException"
    assert functions.get_function_configuration(FunctionName=name)["Timeout"] == before["Timeout"]


def test_an_alarm_of_nobody_ends_as_ignored_with_a_record(lab: Lab, machines: SFNClient) -> None:
    ended = run(machines, lab.ready.state_machine_arn, "a-function-that-is-not-there")
    assert ended["status"] == "SUCCEEDED"
    incident = json.loads(ended["output"])["incident"]
    assert incident["disposition"] == "ignored"
    records = lab.clients.dynamodb.query(
        TableName=lab.ready.audit_table,
        KeyConditionExpression="incident_id = :id",
        ExpressionAttributeValues={":id": {"S": incident["id"]}},
    )["Items"]
    assert [record["kind"]["S"] for record in records] == ["alarm_ignored"]


def run(machines: SFNClient, arn: str, function_name: str) -> dict[str, Any]:
    started = machines.start_execution(
        stateMachineArn=arn, input=json.dumps({"functionName": function_name, "manual": True})
    )
    deadline = time.monotonic() + 300
    while time.monotonic() < deadline:
        ended = machines.describe_execution(executionArn=started["executionArn"])
        if ended["status"] != "RUNNING":
            return dict(ended)
        time.sleep(0.2)
    raise AssertionError("the execution did not end")
