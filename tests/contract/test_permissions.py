"""What the roles may do, what the keys let in, and what outlives a stack."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import pytest

from contract import templates
from contract.templates import Template

WRITERS = {
    "ExecuteRepairFunction",
    "RollBackRepairFunction",
    "HandleFailureFunction",
    "ReconcileFunction",
}
WITHOUT_STATE = {"ApprovalPageFunction", "DriftWatchFunction", "ReconcileFunction"}
READING_VERBS = ("Get", "List", "Describe", "Lookup", "Filter")
# Actions that know no resources, though they write: tracing, the set-up of log delivery, and the
# answer to a task, whose token says which.
WITHOUT_RESOURCE = {
    "logs:CreateLogDelivery",
    "logs:DeleteLogDelivery",
    "logs:PutResourcePolicy",
    "logs:UpdateLogDelivery",
    "states:SendTaskSuccess",
    "xray:PutTelemetryRecords",
    "xray:PutTraceSegments",
}


@pytest.fixture
def stack() -> Template:
    return templates.load("stacks/functions.yaml")


def _roles(stack: Template) -> Iterator[str]:
    return iter(templates.resources(stack, "AWS::IAM::Role"))


def wildcard_actions(stack: Template) -> list[str]:
    return [
        f"{role} may {action}"
        for role in _roles(stack)
        for statement in templates.allowed(stack, role)
        for action in templates.actions(statement)
        if "*" in action
    ]


def writes_on_everything(stack: Template) -> list[str]:
    return [
        f"{role} may {action} on everything"
        for role in _roles(stack)
        for statement in templates.allowed(stack, role)
        if statement["Resource"] == "*"
        for action in templates.actions(statement)
        if action not in WITHOUT_RESOURCE and not action.split(":")[1].startswith(READING_VERBS)
    ]


def rewriting_of_the_audit_trail(stack: Template) -> list[str]:
    return [
        f"{role} may {action} on the audit table"
        for role in _roles(stack)
        for statement in templates.allowed(stack, role)
        if _reaches_the_audit_table(statement)
        for action in templates.actions(statement)
        if action not in {"dynamodb:PutItem", "dynamodb:Query"}
    ]


def _reaches_the_audit_table(statement: templates.Statement) -> bool:
    if not any(a.startswith("dynamodb:") for a in templates.actions(statement)):
        return False
    resource = statement["Resource"]
    is_wide = templates.mentions(resource, "*") and not templates.mentions(resource, "${StateTable")
    return is_wide or templates.mentions(resource, "${AuditTableName}")


def unguarded_writes_to_functions(stack: Template) -> list[str]:
    guard = {"StringEquals": {"aws:ResourceTag/auto-repair": "enabled"}}
    writers = {templates.role_of(templates.functions(stack)[name]) for name in WRITERS}
    faults = []
    for role in _roles(stack):
        for statement in templates.allowed(stack, role):
            written = [a for a in templates.actions(statement) if _changes_a_function(a)]
            if written and role not in writers:
                faults.append(f"{role} may {written}")
            elif written and statement.get("Condition") != guard:
                faults.append(f"{role} may {written} without the tag")
    return faults


def _changes_a_function(action: str) -> bool:
    service, verb = action.split(":")
    return service == "lambda" and verb != "InvokeFunction" and not verb.startswith(READING_VERBS)


CHECKS = [
    wildcard_actions,
    writes_on_everything,
    rewriting_of_the_audit_trail,
    unguarded_writes_to_functions,
]


@pytest.mark.parametrize("check", CHECKS)
def test_no_role_may_more_than_it_should(
    check: Callable[[Template], list[str]], stack: Template
) -> None:
    assert check(stack) == []


def _grant(stack: Template, role: str, statement: dict[str, Any]) -> None:
    own = stack["Resources"][role]["Properties"]["Policies"][0]["PolicyDocument"]
    own["Statement"].append({"Effect": "Allow", **statement})


AUDIT = {"Fn::Sub": "arn:x:table/${AuditTableName}"}
TARGETS = {"Fn::Sub": "arn:x:function:*"}


@pytest.mark.parametrize(
    ("check", "statement"),
    [
        (wildcard_actions, {"Action": "s3:*", "Resource": "arn:x"}),
        (writes_on_everything, {"Action": ["s3:PutObject"], "Resource": "*"}),
        (rewriting_of_the_audit_trail, {"Action": "dynamodb:DeleteItem", "Resource": AUDIT}),
        (rewriting_of_the_audit_trail, {"Action": "dynamodb:UpdateItem", "Resource": "arn:x/*"}),
        (
            unguarded_writes_to_functions,
            {"Action": "lambda:UpdateFunctionConfiguration", "Resource": TARGETS},
        ),
    ],
)
@pytest.mark.parametrize("role", ["DiagnoseIssueRole", "ExecuteRepairRole"])
def test_each_privilege_check_bites(
    check: Callable[[Template], list[str]], statement: dict[str, Any], role: str, stack: Template
) -> None:
    _grant(stack, role, statement)
    assert [fault for fault in check(stack) if fault.startswith(role)]


def test_a_writer_loses_its_right_with_the_tag_condition(stack: Template) -> None:
    document = stack["Resources"]["WriteTargetsPolicy"]["Properties"]["PolicyDocument"]
    for statement in document["Statement"]:
        statement.pop("Condition", None)
    assert len(unguarded_writes_to_functions(stack)) == len(WRITERS)


def test_the_service_may_not_change_itself(stack: Template) -> None:
    for name in WRITERS:
        role = templates.role_of(templates.functions(stack)[name])
        denied = [
            s
            for s in templates.statements(stack, role)
            if s["Effect"] == "Deny" and "lambda:UpdateFunctionConfiguration" in s["Action"]
        ]
        assert templates.mentions(denied, "function:lambda-auto-repair-*-${Environment}"), name


def test_the_key_is_used_directly_for_snapshots_only_and_by_writers_only(stack: Template) -> None:
    direct = {
        action: {
            role
            for role in _roles(stack)
            for s in templates.allowed(stack, role)
            if action in templates.actions(s)
            and templates.mentions(s["Condition"], "kms:EncryptionContext:purpose")
        }
        for action in ("kms:Encrypt", "kms:Decrypt")
    }
    free = [
        (role, s)
        for role in _roles(stack)
        for s in templates.allowed(stack, role)
        if {"kms:Encrypt", "kms:Decrypt"} & templates.actions(s)
        and not templates.mentions(s.get("Condition"), "kms:EncryptionContext:")
        and not templates.mentions(s.get("Condition"), "kms:ViaService")
    ]
    functions = templates.functions(stack)
    sealing = ("ExecuteRepairFunction", "VerifyRepairFunction")
    assert direct["kms:Decrypt"] == {templates.role_of(functions[name]) for name in WRITERS}
    assert direct["kms:Encrypt"] == {templates.role_of(functions[name]) for name in sealing}
    assert free == []


def test_customers_keys_are_used_through_lambda_and_only_where_they_are_enrolled(
    stack: Template,
) -> None:
    guard = {
        "StringEquals": {
            "aws:ResourceTag/auto-repair": "enabled",
            "kms:ViaService": {"Fn::Sub": "lambda.${AWS::Region}.amazonaws.com"},
        }
    }
    granted = {
        action: {
            role
            for role in _roles(stack)
            for s in templates.allowed(stack, role)
            if action in templates.actions(s) and s.get("Condition") == guard
        }
        for action in ("kms:CreateGrant", "kms:Encrypt", "kms:Decrypt")
    }
    unguarded = [
        (role, s)
        for role in _roles(stack)
        for s in templates.allowed(stack, role)
        if "kms:CreateGrant" in templates.actions(s) and s.get("Condition") != guard
    ]
    writers = {templates.role_of(templates.functions(stack)[name]) for name in WRITERS}
    assert granted["kms:CreateGrant"] == granted["kms:Encrypt"] == writers
    assert writers < granted["kms:Decrypt"]
    assert unguarded == []


def test_only_the_verifier_invokes_targets_and_only_enrolled_ones(stack: Template) -> None:
    invokers = [
        (role, s.get("Condition"))
        for role in _roles(stack)
        for s in templates.allowed(stack, role)
        if "lambda:InvokeFunction" in templates.actions(s)
        and templates.mentions(s["Resource"], ":function:*")
    ]
    guard = {"StringEquals": {"aws:ResourceTag/auto-repair": "enabled"}}
    assert invokers == [("VerifyRepairRole", guard)]


def test_the_state_machine_calls_its_own_steps_by_version_only(stack: Template) -> None:
    calls = [
        s["Resource"]
        for s in templates.allowed(stack, "RepairStateMachineRole")
        if "lambda:InvokeFunction" in templates.actions(s)
    ]
    steps = [name for name in templates.functions(stack) if name not in WITHOUT_STATE]
    wanted = [{"Fn::Sub": f"${{{name}.Arn}}:*"} for name in steps]
    assert calls == [wanted]


def test_what_is_kept_is_encrypted_with_the_services_key() -> None:
    main = templates.load("stacks/main.yaml")["Resources"]
    key = {"Fn::GetAtt": ["ServiceKey", "Arn"]}
    for table in ("AuditTable", "StateTable"):
        assert main[table]["Properties"]["SSESpecification"]["KMSMasterKeyId"] == key
        recovery = main[table]["Properties"]["PointInTimeRecoverySpecification"]
        assert recovery == {"PointInTimeRecoveryEnabled": True}
    assert main["NotificationTopic"]["Properties"]["KmsMasterKeyId"] == {"Ref": "ServiceKey"}
    assert templates.mentions(main["EvidenceBucket"]["Properties"]["BucketEncryption"], "aws:kms")
    assert main["ServiceKey"]["Properties"]["EnableKeyRotation"] is True


def test_the_audit_trail_outlives_the_stack_and_never_expires() -> None:
    table = templates.load("stacks/main.yaml")["Resources"]["AuditTable"]
    assert table["DeletionPolicy"] == "RetainExceptOnCreate"
    assert table["Properties"]["DeletionProtectionEnabled"] is True
    assert "TimeToLiveSpecification" not in table["Properties"]


@pytest.mark.parametrize(
    "service", ["cloudwatch.amazonaws.com", "events.amazonaws.com", "budgets.amazonaws.com"]
)
def test_a_service_that_publishes_may_use_topic_and_key(service: str) -> None:
    main = templates.load("stacks/main.yaml")["Resources"]
    key = main["ServiceKey"]["Properties"]["KeyPolicy"]["Statement"]
    topic = main["NotificationTopicPolicy"]["Properties"]["PolicyDocument"]["Statement"]
    for statement_list in (key, topic):
        granted = [s for s in statement_list if templates.mentions(s["Principal"], service)]
        assert granted, service
        assert all(s["Condition"] for s in granted), service


def test_eventbridge_reaches_the_encrypted_topic_without_a_source_condition() -> None:
    # SNS does not support source conditions in a key policy for EventBridge: nothing would arrive.
    main = templates.load("stacks/main.yaml")["Resources"]
    (statement,) = [
        s
        for s in main["ServiceKey"]["Properties"]["KeyPolicy"]["Statement"]
        if s["Sid"] == "EventBridgeMayPublishToTheTopic"
    ]
    assert not templates.mentions(statement["Condition"], "aws:Source")
    assert templates.mentions(statement["Condition"], "kms:EncryptionContext:aws:sns:topicArn")
