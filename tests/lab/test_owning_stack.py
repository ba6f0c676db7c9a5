"""The service's own adapters find in the account what a stack has made, and who runs it."""

from __future__ import annotations

from typing import Any

import pytest

from autorepair.aws.roles import IamRoles
from autorepair.aws.stacks import CloudFormationStacks
from autorepair.domain.configuration import FunctionConfiguration
from lab.test_deploy_stacks import Stage, stage

__all__ = ["stage"]

RESOURCES: dict[str, Any] = {
    "Role": {
        "Type": "AWS::IAM::Role",
        "Properties": {
            "AssumeRolePolicyDocument": {
                "Version": "2012-10-17",
                "Statement": [
                    {
                        "Effect": "Allow",
                        "Principal": {"Service": "lambda.amazonaws.com"},
                        "Action": "sts:AssumeRole",
                    }
                ],
            }
        },
    },
    "Orders": {
        "Type": "AWS::Lambda::Function",
        "Properties": {
            "FunctionName": "orders",
            "Runtime": "python3.11",
            "Handler": "index.handler",
            "Role": {"Fn::GetAtt": ["Role", "Arn"]},
            "Code": {"ZipFile": "def handler(event, context): return 1\n"},
            "Tags": [{"Key": "team", "Value": "shop"}],
        },
    },
}


def read(stage: Stage) -> tuple[FunctionConfiguration, str]:
    lambda_ = stage.client("lambda")
    found = lambda_.get_function_configuration(FunctionName="orders")
    tags = lambda_.list_tags(Resource=found["FunctionArn"])["Tags"]
    configured = FunctionConfiguration(
        function_name="orders",
        function_arn=found["FunctionArn"],
        version="$LATEST",
        memory_mb=found["MemorySize"],
        timeout_s=found["Timeout"],
        log_group="/aws/lambda/orders",
        revision_id=found["RevisionId"],
        fingerprint="f",
        tags=tags,
    )
    return configured, found["Role"]


@pytest.mark.usefixtures("stage")
def test_a_function_names_the_stack_that_made_it_as_long_as_there_is_one(stage: Stage) -> None:
    assert stage.create("shop", RESOURCES, Capabilities=["CAPABILITY_IAM"]) == "CREATE_COMPLETE"
    configured, role = read(stage)
    stacks = CloudFormationStacks(stage.cfn)

    (stack,) = stacks.owning(configured)

    assert (stack.name, stack.status, stack.is_in_progress) == ("shop", "CREATE_COMPLETE", False)
    assert configured.tags["team"] == "shop"
    assert configured.tags["aws:cloudformation:logical-id"] == "Orders"
    assert IamRoles(stage.client("iam")).trusted_by(role) == {"lambda.amazonaws.com"}
    elsewhere = {"aws:cloudformation:stack-name": "gone"}
    assert stacks.owning(configured.model_copy(update={"tags": elsewhere})) == ()
