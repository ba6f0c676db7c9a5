"""What the adapters say they need is what the roles of the steps that use them allow."""

from __future__ import annotations

import json
import re
from functools import cache

import pytest

from autorepair.aws.clients import Clients
from autorepair.ports import Ports
from autorepair.wiring import Settings, connected
from contract import asl_graph as graph
from contract import step_calls, templates

STATES = tuple(
    graph.tasks_of(json.loads((templates.ROOT / "statemachine/repair.asl.json").read_text()))
)

# `functions.apply` declares what it may need for any change. Undoing replaces what was declared or
# absent, never what is sealed, so it seals nothing; it moves an alias back, and publishes nothing.
NOT_FOR_UNDOING = {
    ("kms:Encrypt", ""),
    ("lambda:ListProvisionedConcurrencyConfigs", ""),
    ("lambda:PublishVersion", ""),
}
UNDOING = {"HandleFailure", "Reconcile", "RollBackRepair"}
# What Lambda asks KMS for with the permissions of whoever writes, where a customer's key seals the
# environment; test_permissions holds on which keys.
OF_A_WRITE = {("kms:CreateGrant", ""), ("kms:Encrypt", "")}
WRITING = UNDOING | {"ExecuteRepair"}
# What no adapter asks for: tables, bucket and topic use the key on behalf of whoever uses them, and
# the runtime logs and traces.
OF_THE_SURROUNDINGS = {
    ("kms:Decrypt", ""),
    ("kms:DescribeKey", ""),
    ("kms:GenerateDataKey", ""),
    ("logs:CreateLogStream", ""),
    ("logs:PutLogEvents", ""),
    ("xray:PutTelemetryRecords", ""),
    ("xray:PutTraceSegments", ""),
}


@cache
def _ports() -> Ports:
    variables = dict.fromkeys(
        templates.environment_of(templates.load("stacks/functions.yaml")), "x"
    )
    variables |= {
        "AWS_REGION": "us-east-1",
        "ENVIRONMENT": "dev",
        "ENABLE_APPROVAL_WORKFLOW": "false",
        # What a model and a Knowledge Base take is only granted where they are configured.
        "DIAGNOSIS_MODE": "rules_then_model",
        "STATE_MACHINE_ARN": "arn:aws:states:us-east-1:123456789012:stateMachine:x",
    }
    return connected(Settings.from_environment(variables), Clients("us-east-1"))


def _step(state: str) -> str:
    return re.sub(r"(?<!^)(?=[A-Z])", "_", state).lower()


def _needed(state: str) -> set[tuple[str, str]]:
    """The actions, each with the table it is for (empty: not a table's)."""
    ports = _ports()
    needed: set[tuple[str, str]] = set()
    for port, method in step_calls.port_calls(_step(state)):
        declared = getattr(type(getattr(ports, port)), "permissions", {})
        table = "AuditTableName" if port == "audit" else "StateTableName"
        for action in declared.get(method, frozenset()):
            needed.add((action, table if action.startswith("dynamodb:") else ""))
    return needed - NOT_FOR_UNDOING if state in UNDOING else needed


def _allowed(state: str) -> set[tuple[str, str]]:
    stack = templates.load("stacks/functions.yaml")
    role = templates.role_of(templates.functions(stack)[f"{state}Function"])
    return {
        (action, _table_of(statement) if action.startswith("dynamodb:") else "")
        for statement in templates.allowed(stack, role)
        for action in templates.actions(statement)
    }


def _table_of(statement: templates.Statement) -> str:
    tables = ("AuditTableName", "StateTableName")
    (table,) = [t for t in tables if templates.mentions(statement["Resource"], f"${{{t}}}")]
    return table


@pytest.mark.parametrize("state", [*STATES, "ApprovalPage", "DriftWatch", "Reconcile"])
def test_a_step_may_do_what_its_adapters_need(state: str) -> None:
    assert _needed(state) - _allowed(state) == set()


@pytest.mark.parametrize("state", [*STATES, "ApprovalPage", "DriftWatch", "Reconcile"])
def test_a_step_may_do_nothing_that_its_adapters_do_not_need(state: str) -> None:
    more = _allowed(state) - _needed(state) - OF_THE_SURROUNDINGS
    assert more - (OF_A_WRITE if state in WRITING else set()) == set()


def test_a_grant_that_nothing_needs_would_be_seen() -> None:
    unused = ("cloudwatch:DescribeAlarms", "")
    assert unused in _allowed("ExecuteRepair") & _needed("ExecuteRepair")
    assert unused not in _needed("DetermineAction") | OF_THE_SURROUNDINGS


@pytest.mark.parametrize("state", sorted(UNDOING))
def test_an_undo_may_read_what_is_declared(state: str) -> None:
    """Or it could not tell what a cut-short change has set from what a person has set since."""
    reading = {("ssm:GetParameter", ""), ("secretsmanager:GetSecretValue", "")}
    assert reading <= _needed(state) & _allowed(state)


def test_the_needs_of_a_step_are_found_through_the_modules_it_uses() -> None:
    # RollBackRepair writes to the target by a function of another module.
    write = ("lambda:UpdateFunctionConfiguration", "")
    assert write in _needed("RollBackRepair")
    assert write not in _needed("DetermineAction")
    assert ("dynamodb:PutItem", "AuditTableName") in _needed("NotifyResult")
    assert ("dynamodb:UpdateItem", "StateTableName") not in _needed("NotifyResult")
