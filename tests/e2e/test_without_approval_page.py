"""A deployment without the approval page: nothing of it is there, and people answer by command."""

from __future__ import annotations

from collections.abc import Iterator

import boto3
import pytest

from autorepair_lab.clients import DUMMY_KEY
from autorepair_lab.lab import REGION, Lab
from e2e.at_the_page import ASKING, FUNCTION, checked
from e2e.scene import admitted, kinds, last, messages, operator
from e2e.waiting import until


@pytest.fixture(scope="module")
def lab() -> Iterator[Lab]:
    with Lab(approval="ask", parameters={"EnableApprovalPage": "false"}) as running:
        yield running


def test_nothing_of_the_page_is_deployed(lab: Lab) -> None:
    session = boto3.Session(DUMMY_KEY, DUMMY_KEY, region_name=REGION)
    apis = session.client("apigatewayv2", endpoint_url=lab.ready.endpoint).get_apis()["Items"]
    assert (lab.ready.approval_url, apis) == (None, [])
    pages = lab.clients.lambda_.get_paginator("list_functions").paginate()
    names = {one["FunctionName"] for page in pages for one in page["Functions"]}
    assert len(names) >= 10
    assert FUNCTION not in names


def test_the_deployment_is_complete_without_it(lab: Lab) -> None:
    done = checked(lab)
    assert done.returncode == 0, done.stdout
    assert "approval page" not in done.stdout


def test_who_is_asked_has_no_link_and_answers_by_the_command(lab: Lab) -> None:
    patient = admitted(lab, "slow-invoice", "pageless", policy=ASKING)
    lab.ward.break_in_background("pageless")
    (asked,) = until(lambda: messages(lab, patient.function_name), "the question")
    assert "http" not in asked["message"]
    until(lambda: "approval_requested" in kinds(lab, patient), "the record of the question")
    incident = last(lab, patient, "approval_requested").incident
    assert f"autorepair reject {incident}" in asked["message"]
    assert operator(lab, "reject", incident).returncode == 0
    until(lambda: "incident_closed" in kinds(lab, patient), "the end")
    assert last(lab, patient, "incident_closed").data["outcome"] == "rejected"
