"""Stacks made by CloudFormation's API calls, against the account."""

from __future__ import annotations

import json
import time
from typing import TYPE_CHECKING, Any

import boto3
import pytest
import yaml
from botocore.exceptions import ClientError

from autorepair_lab.account.server import Account
from autorepair_lab.deploy.cloudformation import CloudFormation

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

REGION, ACCOUNT_ID = "us-east-1", "123456789012"
TABLE: dict[str, Any] = {
    "Type": "AWS::DynamoDB::Table",
    "Properties": {
        "BillingMode": "PAY_PER_REQUEST",
        "AttributeDefinitions": [{"AttributeName": "pk", "AttributeType": "S"}],
        "KeySchema": [{"AttributeName": "pk", "KeyType": "HASH"}],
    },
}


REFUSED = {
    "Type": "AWS::Events::Rule",
    "DependsOn": "Q",
    "Properties": {"EventBusName": "nowhere", "EventPattern": {"source": ["x"]}},
}


class Stage:
    """The account and clients to look at it."""

    def __init__(self, endpoint: str) -> None:
        self.endpoint = endpoint
        self.cfn = self.client("cloudformation")

    def client(self, service: str) -> Any:  # noqa: ANN401 - clients of several services
        session: Any = boto3.Session()
        return session.client(
            service,
            endpoint_url=self.endpoint,
            region_name=REGION,
            aws_access_key_id="testing",
            aws_secret_access_key="testing",
        )

    def create(self, name: str, resources: dict[str, Any], **more: object) -> str:
        return self._finish(self.cfn.create_stack(**self._request(name, resources, more)))

    def update(self, name: str, resources: dict[str, Any], **more: object) -> str:
        return self._finish(self.cfn.update_stack(**self._request(name, resources, more)))

    def delete(self, name: str) -> str:
        stack = self.describe(name)
        self.cfn.delete_stack(StackName=name)
        return self._finish(stack)

    def describe(self, name: str) -> Any:  # noqa: ANN401 - boto3's dictionary
        return self.cfn.describe_stacks(StackName=name)["Stacks"][0]

    def outputs(self, name: str) -> dict[str, str]:
        return {one["OutputKey"]: one["OutputValue"] for one in self.describe(name)["Outputs"]}

    def reasons(self, name: str, status: str) -> list[str]:
        events = self.cfn.describe_stack_events(StackName=name)["StackEvents"]
        return [e["ResourceStatusReason"] for e in events if e["ResourceStatus"] == status]

    @staticmethod
    def _request(name: str, resources: dict[str, Any], more: dict[str, object]) -> dict[str, Any]:
        request = dict(more)
        outputs = request.pop("Outputs", {})
        body = json.dumps({"Resources": resources, "Outputs": outputs})
        return {"StackName": name, "TemplateBody": body, **request}

    def _finish(self, started: dict[str, Any]) -> str:
        deadline = time.monotonic() + 300
        while time.monotonic() < deadline:
            status = str(self.describe(started["StackId"])["StackStatus"])
            if not status.endswith("IN_PROGRESS"):
                return status
        raise TimeoutError(f"{started['StackId']} is still {status}")


@pytest.fixture(scope="module")
def stage(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stage]:
    account = Account(workdir=tmp_path_factory.mktemp("account"))
    account.add_interceptor(
        CloudFormation(endpoint=lambda: account.endpoint, region=REGION, account_id=ACCOUNT_ID)
    )
    with account:
        yield Stage(account.endpoint)


def queue(**properties: object) -> dict[str, Any]:
    return {"Type": "AWS::SQS::Queue", "Properties": properties}


def test_resources_are_made_with_their_references_and_outputs(stage: Stage) -> None:
    resources = {
        "Q": queue(VisibilityTimeout="77"),
        "Name": {
            "Type": "AWS::SSM::Parameter",
            "Properties": {"Type": "String", "Value": {"Fn::GetAtt": ["Q", "Arn"]}},
        },
        "Policy": {
            "Type": "AWS::SQS::QueuePolicy",
            "Properties": {"Queues": [{"Ref": "Q"}], "PolicyDocument": {"Statement": []}},
        },
        "Rule": {
            "Type": "AWS::Events::Rule",
            "Properties": {
                "EventPattern": {"source": ["aws.cloudwatch"]},
                "Targets": [{"Id": "q", "Arn": {"Fn::GetAtt": ["Q", "Arn"]}}],
            },
        },
        "Macs": {
            "Type": "AWS::KMS::Key",
            "Properties": {
                "KeySpec": "HMAC_256",
                "KeyUsage": "GENERATE_VERIFY_MAC",
                "KeyPolicy": {"Version": "2012-10-17", "Statement": []},
            },
        },
    }
    outputs = {
        "Url": {"Value": {"Ref": "Q"}},
        "Parameter": {"Value": {"Ref": "Name"}},
        "Key": {"Value": {"Ref": "Macs"}},
    }
    assert stage.create("made", resources, Outputs=outputs) == "CREATE_COMPLETE"
    found = stage.outputs("made")
    attributes = stage.client("sqs").get_queue_attributes(
        QueueUrl=found["Url"], AttributeNames=["All"]
    )["Attributes"]
    assert attributes["VisibilityTimeout"] == "77"
    value = stage.client("ssm").get_parameter(Name=found["Parameter"])["Parameter"]["Value"]
    assert value == attributes["QueueArn"]
    mac = stage.client("kms").generate_mac(
        KeyId=found["Key"], Message=b"m", MacAlgorithm="HMAC_SHA_256"
    )
    assert mac["Mac"]
    rules = stage.client("events").list_rule_names_by_target(TargetArn=attributes["QueueArn"])
    assert len(rules["RuleNames"]) == 1


def test_a_stack_that_is_as_wanted_says_so(stage: Stage) -> None:
    stage.create("same", {"Q": queue()})
    with pytest.raises(ClientError, match="No updates are to be performed"):
        stage.update("same", {"Q": queue()})


def test_a_failed_creation_takes_everything_back_and_says_why(stage: Stage) -> None:
    resources = {"Q": queue(QueueName="taken-back"), "Bad": REFUSED}
    assert stage.create("failing", resources) == "ROLLBACK_COMPLETE"
    assert "nowhere" in stage.reasons("failing", "CREATE_FAILED")[0]
    urls = stage.client("sqs").list_queues(QueueNamePrefix="taken-back").get("QueueUrls", [])
    assert urls == []
    with pytest.raises(ClientError, match="ROLLBACK_COMPLETE state and can not be updated"):
        stage.update("failing", {"Q": queue()})


def test_an_unknown_type_is_refused_before_anything_is_made(stage: Stage) -> None:
    resources = {"A": {"Type": "AWS::Moon::Base", "Properties": {}}}
    with pytest.raises(ClientError, match=r"Unrecognized resource types: \[AWS::Moon::Base\]"):
        stage.create("unknown-type", resources)
    with pytest.raises(ClientError, match="does not exist"):
        stage.describe("unknown-type")


def test_an_unknown_property_fails_loudly(stage: Stage) -> None:
    status = stage.create("unknown-property", {"Q": queue(Colour="red")}, OnFailure="DO_NOTHING")
    assert status == "CREATE_FAILED"
    reason = stage.reasons("unknown-property", "CREATE_FAILED")[-1]
    assert "Encountered unsupported property Colour" in reason


def test_iam_needs_to_be_acknowledged(stage: Stage) -> None:
    role = {
        "Type": "AWS::IAM::Role",
        "Properties": {"RoleName": "named", "AssumeRolePolicyDocument": {"Statement": []}},
    }
    with pytest.raises(ClientError, match="CAPABILITY_NAMED_IAM"):
        stage.create("iam", {"R": role}, Capabilities=["CAPABILITY_IAM"])


def test_an_update_changes_in_place_and_removes_what_left_the_template(stage: Stage) -> None:
    outputs = {"Url": {"Value": {"Ref": "Q"}}}
    stage.create("changing", {"Q": queue(VisibilityTimeout=10), "Old": queue()}, Outputs=outputs)
    before = stage.outputs("changing")["Url"]
    status = stage.update("changing", {"Q": queue(VisibilityTimeout=20)}, Outputs=outputs)
    assert status == "UPDATE_COMPLETE"
    assert stage.outputs("changing")["Url"] == before
    attributes = stage.client("sqs").get_queue_attributes(
        QueueUrl=before, AttributeNames=["VisibilityTimeout"]
    )["Attributes"]
    assert attributes == {"VisibilityTimeout": "20"}
    left = stage.cfn.list_stack_resources(StackName="changing")["StackResourceSummaries"]
    assert [one["LogicalResourceId"] for one in left] == ["Q"]


def test_a_table_is_never_replaced_and_keeps_its_items(stage: Stage) -> None:
    outputs = {"Table": {"Value": {"Ref": "T"}}}
    stage.create("table", {"T": TABLE}, Outputs=outputs)
    table = stage.outputs("table")["Table"]
    dynamodb = stage.client("dynamodb")
    dynamodb.put_item(TableName=table, Item={"pk": {"S": "kept"}})
    protected = {**TABLE, "Properties": {**TABLE["Properties"], "DeletionProtectionEnabled": True}}
    assert stage.update("table", {"T": protected}, Outputs=outputs) == "UPDATE_COMPLETE"
    other_key: dict[str, Any] = json.loads(json.dumps(protected).replace('"pk"', '"id"'))
    assert stage.update("table", {"T": other_key}) == "UPDATE_ROLLBACK_COMPLETE"
    assert "would have to be replaced" in stage.reasons("table", "UPDATE_FAILED")[0]
    assert dynamodb.get_item(TableName=table, Key={"pk": {"S": "kept"}})["Item"]


def test_a_failed_update_goes_back_to_what_was(stage: Stage) -> None:
    outputs = {"Url": {"Value": {"Ref": "Q"}}}
    stage.create("back", {"Q": queue(VisibilityTimeout=10)}, Outputs=outputs)
    resources = {"Q": queue(VisibilityTimeout=20), "Bad": REFUSED}
    assert stage.update("back", resources) == "UPDATE_ROLLBACK_COMPLETE"
    attributes = stage.client("sqs").get_queue_attributes(
        QueueUrl=stage.outputs("back")["Url"], AttributeNames=["VisibilityTimeout"]
    )["Attributes"]
    assert attributes == {"VisibilityTimeout": "10"}
    left = stage.cfn.describe_stack_resources(StackName="back")["StackResources"]
    assert [one["LogicalResourceId"] for one in left] == ["Q"]


def test_deletion_keeps_what_is_to_be_retained(stage: Stage) -> None:
    retained = {**queue(QueueName="retained"), "DeletionPolicy": "Retain"}
    stage.create("going", {"Kept": retained, "Gone": queue(QueueName="going-gone")})
    assert stage.delete("going") == "DELETE_COMPLETE"
    sqs = stage.client("sqs")
    assert len(sqs.list_queues(QueueNamePrefix="retained")["QueueUrls"]) == 1
    assert "QueueUrls" not in sqs.list_queues(QueueNamePrefix="going-gone")
    with pytest.raises(ClientError, match="does not exist"):
        stage.describe("going")


def test_an_export_can_be_imported_and_holds_its_stack(stage: Stage) -> None:
    outputs = {"U": {"Value": {"Ref": "Q"}, "Export": {"Name": "shared-queue"}}}
    stage.create("exporting", {"Q": queue()}, Outputs=outputs)
    name = {"Type": "String", "Value": {"Fn::ImportValue": "shared-queue"}}
    stage.create(
        "importing",
        {"P": {"Type": "AWS::SSM::Parameter", "Properties": name}},
        Outputs={"P": {"Value": {"Fn::GetAtt": ["P", "Value"]}}},
    )
    assert stage.outputs("importing")["P"].startswith("http://")
    with pytest.raises(ClientError, match="cannot be deleted as it is in use"):
        stage.cfn.delete_stack(StackName="exporting")


def test_a_change_set_shows_what_it_would_do(stage: Stage) -> None:
    stage.create("planned", {"Q": queue(), "Old": queue()})
    body = json.dumps({"Resources": {"Q": queue(VisibilityTimeout=5), "New": queue()}})
    stage.cfn.create_change_set(StackName="planned", ChangeSetName="plan", TemplateBody=body)
    described = stage.cfn.describe_change_set(StackName="planned", ChangeSetName="plan")
    changes = [one["ResourceChange"] for one in described["Changes"]]
    assert {(c["Action"], c["LogicalResourceId"], c.get("Replacement")) for c in changes} == {
        ("Add", "New", None),
        ("Modify", "Q", "False"),
        ("Remove", "Old", None),
    }


def test_templates_are_validated_and_summed_up(stage: Stage) -> None:
    body = "Parameters: {A: {Type: String, NoEcho: true}}\nResources: {Q: {Type: AWS::SQS::Queue}}"
    parameters = stage.cfn.validate_template(TemplateBody=body)["Parameters"]
    assert parameters == [{"ParameterKey": "A", "NoEcho": True}]
    summary = stage.cfn.get_template_summary(TemplateBody=body)
    assert summary["ResourceTypes"] == ["AWS::SQS::Queue"]
    with pytest.raises(ClientError, match="At least one Resources member"):
        stage.cfn.validate_template(TemplateBody="Resources: {}")


def test_an_operation_that_is_not_answered_says_so(stage: Stage) -> None:
    with pytest.raises(ClientError, match="has no DetectStackDrift"):
        stage.cfn.detect_stack_drift(StackName="any")


def test_a_template_in_yaml_makes_a_bucket_with_its_settings(stage: Stage, tmp_path: Path) -> None:
    template = {
        "Resources": {
            "B": {
                "Type": "AWS::S3::Bucket",
                "Properties": {"VersioningConfiguration": {"Status": "Enabled"}},
            }
        }
    }
    path = tmp_path / "t.yaml"
    path.write_text(yaml.safe_dump(template))
    stage.cfn.create_stack(StackName="bucket", TemplateBody=path.read_text())
    stage.cfn.get_waiter("stack_create_complete").wait(
        StackName="bucket", WaiterConfig={"Delay": 1, "MaxAttempts": 120}
    )
    resources = stage.cfn.describe_stack_resources(StackName="bucket")["StackResources"]
    bucket = resources[0]["PhysicalResourceId"]
    versioning = stage.client("s3").get_bucket_versioning(Bucket=bucket)
    assert versioning["Status"] == "Enabled"
