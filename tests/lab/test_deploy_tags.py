"""Tags change in place: a stack of other tags replaces nothing."""

from __future__ import annotations

from typing import Any

import pytest

from lab.test_deploy_stacks import Stage, stage

__all__ = ["stage"]

RESOURCES: dict[str, Any] = {
    "Api": {
        "Type": "AWS::ApiGatewayV2::Api",
        "Properties": {"Name": "tagged", "ProtocolType": "HTTP"},
    },
    "Live": {
        "Type": "AWS::ApiGatewayV2::Stage",
        "Properties": {"ApiId": {"Ref": "Api"}, "StageName": "live", "Description": "first"},
    },
    "Group": {"Type": "AWS::Scheduler::ScheduleGroup", "Properties": {"Name": "tagged"}},
    "Secret": {
        "Type": "AWS::SecretsManager::Secret",
        "Properties": {"Name": "tagged", "SecretString": "s3cret"},
    },
}
OUTPUTS = {name: {"Value": {"Ref": name}} for name in RESOURCES}
BEFORE = [{"Key": "team", "Value": "a"}, {"Key": "old", "Value": "1"}]
AFTER = [{"Key": "team", "Value": "b"}, {"Key": "new", "Value": "2"}]


def tags_of(stage: Stage, made: dict[str, str]) -> dict[str, dict[str, str]]:
    gateway = stage.client("apigatewayv2")
    group = stage.client("scheduler").list_tags_for_resource(
        ResourceArn=f"arn:aws:scheduler:us-east-1:123456789012:schedule-group/{made['Group']}"
    )
    secret = stage.client("secretsmanager").describe_secret(SecretId=made["Secret"])
    found = {
        "Api": gateway.get_api(ApiId=made["Api"])["Tags"],
        "Live": gateway.get_stage(ApiId=made["Api"], StageName=made["Live"])["Tags"],
        "Group": {tag["Key"]: tag["Value"] for tag in group["Tags"]},
        "Secret": {tag["Key"]: tag["Value"] for tag in secret["Tags"]},
    }
    return {
        name: {key: value for key, value in tags.items() if not key.startswith("aws:")}
        for name, tags in found.items()
    }


@pytest.mark.usefixtures("stage")
def test_other_tags_of_the_stack_reach_what_it_holds_and_replace_nothing(stage: Stage) -> None:
    assert stage.create("tagged", RESOURCES, Outputs=OUTPUTS, Tags=BEFORE) == "CREATE_COMPLETE"
    made = stage.outputs("tagged")
    assert set(map(str, tags_of(stage, made).values())) == {"{'team': 'a', 'old': '1'}"}

    assert stage.update("tagged", RESOURCES, Outputs=OUTPUTS, Tags=AFTER) == "UPDATE_COMPLETE"

    assert stage.outputs("tagged") == made
    assert all(tags == {"team": "b", "new": "2"} for tags in tags_of(stage, made).values())
    secret = stage.client("secretsmanager").get_secret_value(SecretId=made["Secret"])
    assert secret["SecretString"] == "s3cret"


def test_a_stage_is_changed_in_place(stage: Stage) -> None:
    resources = {**RESOURCES, "Group": {**RESOURCES["Group"], "Properties": {"Name": "other"}}}
    resources["Secret"] = {"Type": RESOURCES["Secret"]["Type"], "Properties": {"SecretString": "x"}}
    assert stage.create("changed", resources, Outputs=OUTPUTS) == "CREATE_COMPLETE"
    made = stage.outputs("changed")
    live = {
        **resources["Live"],
        "Properties": {
            **resources["Live"]["Properties"],
            "Description": "second",
            "Tags": {"team": "c"},
        },
    }

    updated = stage.update("changed", {**resources, "Live": live}, Outputs=OUTPUTS)

    assert updated == "UPDATE_COMPLETE"
    assert stage.outputs("changed") == made
    found = stage.client("apigatewayv2").get_stage(ApiId=made["Api"], StageName="live")
    assert found["Description"] == "second"
    assert found["Tags"]["team"] == "c"
