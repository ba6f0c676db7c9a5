"""What stands around a function holds a write back: deployments, and the key of its environment."""

from __future__ import annotations

import io
import json
import zipfile
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

import boto3
import pytest

from autorepair_lab.admission import zipped
from autorepair_lab.clients import DUMMY_KEY
from autorepair_lab.lab import PROJECT, Lab
from autorepair_lab.patient import Patient, read_patient
from autorepair_lab.row import Row
from e2e.test_guards import decision_of

if TYPE_CHECKING:
    from types_boto3_kms import KMSClient

SLOW = PROJECT / "lab" / "patients" / "slow-invoice"
ONE_PAGE = json.dumps({"invoice": "2026-0001", "pages": 1}).encode()


@pytest.fixture(scope="module")
def lab() -> Iterator[Lab]:
    with Lab() as running:
        yield running


def admitted(lab: Lab, name: str) -> Patient:
    asking = {"name": name, "approval": "reject", "policy": {"approval": {"timeout_s": 60}}}
    patient = read_patient(SLOW).model_copy(update=asking)
    lab.ward.admit(patient)
    return patient


def refusal_of(lab: Lab, row: Row) -> dict[str, Any]:
    """Give why the last decision of an incident was not simply to apply."""
    refusal = decision_of(lab, row)["refusal"]
    assert refusal is not None, row
    return dict(refusal)


def keys_of(lab: Lab) -> KMSClient:
    session = boto3.Session(DUMMY_KEY, DUMMY_KEY, region_name=lab.account.region)
    return session.client("kms", endpoint_url=lab.account.endpoint)


def deploy(lab: Lab, patient: Patient, note: str) -> None:
    """Upload the same code with a note beside it, as a pipeline does."""
    packed = io.BytesIO(zipped(patient.folder))
    with zipfile.ZipFile(packed, "a") as archive:
        archive.writestr("NOTE", note)
    functions = lab.clients.lambda_
    functions.update_function_code(FunctionName=patient.function_name, ZipFile=packed.getvalue())
    functions.get_waiter("function_updated_v2").wait(
        FunctionName=patient.function_name, WaiterConfig={"Delay": 1, "MaxAttempts": 60}
    )


def test_a_function_that_worked_until_its_deployment_is_asked_about(lab: Lab) -> None:
    patient = admitted(lab, "just-deployed")
    for _ in range(2):
        lab.clients.lambda_.invoke(FunctionName=patient.function_name, Payload=ONE_PAGE)
    deploy(lab, patient, "release 2")
    row = lab.ward.run(patient.name)
    assert (row.decision, row.outcome) == ("ask", "rejected"), row
    refusal = refusal_of(lab, row)
    assert refusal["code"] == "recent_deployment"
    assert "UpdateFunctionCode" in refusal["why"]
    assert row.before == row.after


def test_a_function_that_is_being_deployed_step_by_step_is_asked_about(lab: Lab) -> None:
    patient = admitted(lab, "half-deployed")
    functions = lab.clients.lambda_
    first = functions.publish_version(FunctionName=patient.function_name)["Version"]
    deploy(lab, patient, "release 2")
    second = functions.publish_version(FunctionName=patient.function_name)["Version"]
    functions.create_alias(
        FunctionName=patient.function_name,
        Name="live",
        FunctionVersion=first,
        RoutingConfig={"AdditionalVersionWeights": {second: 0.1}},
    )
    row = lab.ward.run(patient.name)
    assert (row.decision, row.outcome) == ("ask", "rejected"), row
    refusal = refusal_of(lab, row)
    assert refusal["code"] == "deployment_running"
    assert f"live sends 10% to {second}" in refusal["why"]


def test_a_key_that_is_not_enrolled_holds_the_write_back_until_it_is(lab: Lab) -> None:
    patient = admitted(lab, "sealed-invoice")
    kms = keys_of(lab)
    key = kms.create_key(Description="the shop's")["KeyMetadata"]["Arn"]
    lab.clients.lambda_.update_function_configuration(
        FunctionName=patient.function_name, KMSKeyArn=key
    )
    row = lab.ward.run(patient.name)
    assert (row.decision, row.outcome) == ("decline", "escalated"), row
    refusal = refusal_of(lab, row)
    assert refusal["code"] == "key_without_grants"
    assert f"aws kms tag-resource --key-id {key}" in refusal["why"]

    kms.tag_resource(KeyId=key, Tags=[{"TagKey": "auto-repair", "TagValue": "enabled"}])
    again = lab.ward.run(patient.name)
    assert (again.action, again.outcome) == ("set_timeout", "repaired"), again
