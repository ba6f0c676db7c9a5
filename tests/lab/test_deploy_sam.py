"""The real `sam build` and `sam deploy`, on a small application with nested stacks."""

from __future__ import annotations

import json
import sys
import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import boto3
import pytest

from autorepair_lab.account.server import Account
from autorepair_lab.deploy import sam
from autorepair_lab.deploy.cloudformation import CloudFormation
from autorepair_lab.deploy.errors import SamError

if TYPE_CHECKING:
    from collections.abc import Iterator

REGION, ACCOUNT_ID = "us-east-1", "123456789012"
RUNTIME = f"python{sys.version_info.major}.{sys.version_info.minor}"
ROOT = """
AWSTemplateFormatVersion: "2010-09-09"
Transform: AWS::Serverless-2016-10-31
Parameters:
  Stage: {Type: String, Default: dev}
Resources:
  Data:
    Type: AWS::CloudFormation::Stack
    Properties: {TemplateURL: stacks/data.yaml}
  Code:
    Type: AWS::CloudFormation::Stack
    Properties:
      TemplateURL: stacks/code.yaml
      Parameters: {Stage: !Ref Stage, TableName: !GetAtt Data.Outputs.TableName}
Outputs:
  TableName: {Value: !GetAtt Data.Outputs.TableName}
  FunctionName: {Value: !GetAtt Code.Outputs.FunctionName}
  VersionArn: {Value: !GetAtt Code.Outputs.VersionArn}
  MachineArn: {Value: !GetAtt Code.Outputs.MachineArn}
"""
DATA = """
AWSTemplateFormatVersion: "2010-09-09"
Resources:
  Table:
    Type: AWS::DynamoDB::Table
    Properties:
      BillingMode: PAY_PER_REQUEST
      AttributeDefinitions: [{AttributeName: pk, AttributeType: S}]
      KeySchema: [{AttributeName: pk, KeyType: HASH}]
      TimeToLiveSpecification: {AttributeName: ttl, Enabled: true}
Outputs:
  TableName: {Value: !Ref Table}
"""
CODE = """
AWSTemplateFormatVersion: "2010-09-09"
Transform: AWS::Serverless-2016-10-31
Parameters:
  Stage: {Type: String}
  TableName: {Type: String}
Resources:
  CoreLayer:
    Type: AWS::Serverless::LayerVersion
    Metadata: {BuildMethod: makefile}
    Properties: {ContentUri: ../layers/core, RetentionPolicy: Retain}
  Role:
    Type: AWS::IAM::Role
    Properties:
      AssumeRolePolicyDocument:
        Version: "2012-10-17"
        Statement:
          - {Effect: Allow, Principal: {Service: lambda.amazonaws.com}, Action: sts:AssumeRole}
  Logs:
    Type: AWS::Logs::LogGroup
    Properties: {LogGroupName: !Sub "/app/${AWS::StackName}", RetentionInDays: 7}
  HelloFunction:
    Type: AWS::Serverless::Function
    Metadata: {SkipBuild: true}
    Properties:
      Runtime: RUNTIME
      Handler: hello.handler
      CodeUri: ../functions
      Role: !GetAtt Role.Arn
      Layers: [!Ref CoreLayer]
      AutoPublishAlias: live
      EphemeralStorage: {Size: 1024}
      LoggingConfig: {LogFormat: JSON, LogGroup: !Ref Logs}
      Tags: {auto-repair: enabled}
      Environment: {Variables: {TABLE: !Ref TableName, STAGE: !Ref Stage}}
  Machine:
    Type: AWS::Serverless::StateMachine
    Properties:
      DefinitionUri: ../statemachine/m.asl.json
      DefinitionSubstitutions: {HelloVersion: !Ref HelloFunction.Version}
      Role: !GetAtt Role.Arn
  OnAlarm:
    Type: AWS::Events::Rule
    Properties:
      EventPattern: {source: [aws.cloudwatch]}
      Targets: [{Id: machine, Arn: !Ref Machine, RoleArn: !GetAtt Role.Arn}]
Outputs:
  FunctionName: {Value: !Ref HelloFunction}
  VersionArn: {Value: !Ref HelloFunction.Version}
  MachineArn: {Value: !Ref Machine}
""".replace("RUNTIME", RUNTIME)
MACHINE = {
    "StartAt": "Hello",
    "States": {"Hello": {"Type": "Task", "Resource": "${HelloVersion}", "End": True}},
}
HANDLER = "def handler(event, context):\n    return {answer!r}\n"
MAKEFILE = """
build-CoreLayer:
\tmkdir -p "$(ARTIFACTS_DIR)/python"
\tcp core.py "$(ARTIFACTS_DIR)/python/"
"""


@dataclass
class Application:
    """A project on disk, the account it is deployed to, and what sam said."""

    project: Path
    endpoint: str

    def write(self, name: str, content: str) -> None:
        path = self.project / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(content)

    def deploy(self, stack_name: str = "app", **parameters: str) -> dict[str, str]:
        build_dir = self.project / "out" / "build"
        sam.build(self.project, build_dir, progress=lambda _: None)
        return sam.deploy(
            build_dir,
            endpoint=self.endpoint,
            stack_name=stack_name,
            progress=lambda _: None,
            parameter_overrides=parameters,
        )

    def log(self) -> str:
        return (self.project / "out" / "build-deploy.log").read_text()

    def client(self, service: str) -> Any:  # noqa: ANN401 - clients of several services
        session: Any = boto3.Session()
        return session.client(
            service,
            endpoint_url=self.endpoint,
            region_name=REGION,
            aws_access_key_id="testing",
            aws_secret_access_key="testing",
        )


@pytest.fixture(scope="module")
def application(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Application]:
    account = Account(workdir=tmp_path_factory.mktemp("account"))
    account.add_interceptor(
        CloudFormation(endpoint=lambda: account.endpoint, region=REGION, account_id=ACCOUNT_ID)
    )
    with account:
        made = Application(tmp_path_factory.mktemp("project"), account.endpoint)
        made.write("template.yaml", ROOT)
        made.write("stacks/data.yaml", DATA)
        made.write("stacks/code.yaml", CODE)
        made.write("statemachine/m.asl.json", json.dumps(MACHINE))
        made.write("functions/hello.py", HANDLER.format(answer="one"))
        made.write("layers/core/Makefile", MAKEFILE)
        made.write("layers/core/core.py", "NAME = 'core'\n")
        yield made


@pytest.fixture(scope="module")
def outputs(application: Application) -> dict[str, str]:
    return application.deploy(Stage="a b, c")


def test_a_function_is_all_that_its_template_says(
    application: Application, outputs: dict[str, str]
) -> None:
    found = application.client("lambda").get_function(FunctionName=outputs["FunctionName"])
    configuration = found["Configuration"]
    variables = configuration["Environment"]["Variables"]
    assert variables == {"TABLE": outputs["TableName"], "STAGE": "a b, c"}
    assert [layer["Arn"].split(":")[5] for layer in configuration["Layers"]] == ["layer"]
    assert configuration["EphemeralStorage"] == {"Size": 1024}
    assert configuration["LoggingConfig"]["LogFormat"] == "JSON"
    assert configuration["LoggingConfig"]["LogGroup"].startswith("/app/app-Code-")
    own = {name: tag for name, tag in found["Tags"].items() if not name.startswith("aws:")}
    assert own == {"auto-repair": "enabled", "lambda:createdBy": "SAM"}


def test_the_alias_and_the_state_machine_point_at_the_published_version(
    application: Application, outputs: dict[str, str]
) -> None:
    alias = application.client("lambda").get_alias(
        FunctionName=outputs["FunctionName"], Name="live"
    )
    assert outputs["VersionArn"].endswith(f":{alias['FunctionVersion']}")
    machine = application.client("stepfunctions").describe_state_machine(
        stateMachineArn=outputs["MachineArn"]
    )
    definition = json.loads(machine["definition"])
    assert definition["States"]["Hello"]["Resource"] == outputs["VersionArn"]
    rules = application.client("events").list_rule_names_by_target(TargetArn=outputs["MachineArn"])
    assert len(rules["RuleNames"]) == 1


def test_a_second_deployment_without_changes_says_so(
    application: Application, outputs: dict[str, str]
) -> None:
    assert application.deploy(Stage="a b, c") == outputs
    assert "No changes to deploy. Stack app is up to date" in application.log()


def test_new_code_publishes_a_new_version_of_the_same_function_and_data_stays(
    application: Application, outputs: dict[str, str]
) -> None:
    dynamodb = application.client("dynamodb")
    dynamodb.put_item(TableName=outputs["TableName"], Item={"pk": {"S": "kept"}})
    application.write("functions/hello.py", HANDLER.format(answer="two"))
    after = application.deploy(Stage="other")
    assert {**after, "VersionArn": ""} == {**outputs, "VersionArn": ""}
    assert after["VersionArn"] != outputs["VersionArn"]
    client = application.client("lambda")
    versions = client.list_versions_by_function(FunctionName=after["FunctionName"])["Versions"]
    assert {one["Version"] for one in versions} == {"$LATEST", "1", "2"}
    configuration = client.get_function_configuration(FunctionName=after["FunctionName"])
    assert configuration["Environment"]["Variables"]["STAGE"] == "other"
    assert dynamodb.get_item(TableName=after["TableName"], Key={"pk": {"S": "kept"}})["Item"]


def test_a_failing_nested_resource_rolls_back_and_the_error_says_why(
    application: Application, outputs: dict[str, str]
) -> None:
    assert outputs
    broken = DATA.replace("BillingMode: PAY_PER_REQUEST", "BillingMood: PAY_PER_REQUEST")
    application.write("stacks/data.yaml", broken)
    try:
        with pytest.raises(SamError, match="unsupported property BillingMood"):
            application.deploy(stack_name="broken", Stage="x")
    finally:
        application.write("stacks/data.yaml", DATA)
    stacks = application.client("cloudformation").describe_stacks(StackName="broken")["Stacks"]
    assert stacks[0]["StackStatus"] == "ROLLBACK_COMPLETE"


def test_a_build_runs_again_only_when_its_inputs_change(application: Application) -> None:
    said: list[str] = []
    build_dir = application.project / "out" / "build"
    sam.build(application.project, build_dir, progress=said.append)
    sam.build(application.project, build_dir, progress=said.append)
    before = sam.fingerprint(application.project)
    application.write("layers/core/core.py", "NAME = 'changed'\n")
    assert said[-1] == "Build is up to date"
    assert sam.fingerprint(application.project) != before


def test_a_build_leaves_nothing_among_the_temporary_files(
    application: Application, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("TMPDIR", str(tmp_path))
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    sam.build(
        application.project, application.project / "out" / "other", progress=lambda _what: None
    )
    assert list(tmp_path.iterdir()) == []


def test_a_failing_build_shows_what_sam_said(tmp_path: Path) -> None:
    (tmp_path / "template.yaml").write_text("Resources: [not, a, map]\n")
    with pytest.raises(SamError, match=r"(?s)`sam build` ended with .*its whole output is in"):
        sam.build(tmp_path, tmp_path / "out" / "build", progress=lambda _: None)
