"""AWS::StepFunctions resources."""

from __future__ import annotations

import json
import re
from typing import Any

from autorepair_lab.deploy.aws import text
from autorepair_lab.deploy.errors import ResourceError
from autorepair_lab.deploy.resources.base import (
    Made,
    Properties,
    ResourceType,
    Work,
    lower_first,
    tag_changes,
    tag_map,
)

_SUBSTITUTION = re.compile(r"\$\{([A-Za-z0-9]+)\}")
_SETTINGS = ("EncryptionConfiguration", "LoggingConfiguration", "TracingConfiguration")


def substitute(definition: str, values: dict[str, Any]) -> str:
    """Put values for `${Name}`, each escaped for the JSON string it stands in.

    What has no value stays as it is, as CloudFormation leaves it.
    """

    def replace(match: re.Match[str]) -> str:
        if match[1] not in values:
            return match[0]
        value = values[match[1]]
        return json.dumps(value)[1:-1] if isinstance(value, str) else text(value)

    return _SUBSTITUTION.sub(replace, definition)


class StateMachine(ResourceType):
    """AWS::StepFunctions::StateMachine; Ref gives its ARN."""

    type = "AWS::StepFunctions::StateMachine"
    properties = frozenset(
        {
            *_SETTINGS,
            "Definition",
            "DefinitionS3Location",
            "DefinitionString",
            "DefinitionSubstitutions",
            "RoleArn",
            "StateMachineName",
            "StateMachineType",
            "Tags",
        }
    )
    mutable = properties - {"StateMachineName", "StateMachineType"}
    named_by = "StateMachineName"
    tags = "list"

    def create(self, work: Work) -> Made:
        """Create the machine from its definition, wherever that is kept."""
        name = work.name("StateMachineName", 80)
        arn = work.aws.call(
            "stepfunctions",
            "CreateStateMachine",
            name=name,
            type=work.get("StateMachineType") or "STANDARD",
            tags=_tags(tag_map(work.get("Tags"))) or None,
            **self._parameters(work),
        )["stateMachineArn"]
        return Made(arn, {"Arn": arn, "Name": name})

    def update(self, work: Work, made: Made, before: Properties) -> Made:
        """Change definition, role and settings; running executions keep what they began with."""
        arn = made.physical_id
        work.aws.call(
            "stepfunctions", "UpdateStateMachine", stateMachineArn=arn, **self._parameters(work)
        )
        wanted, gone = tag_changes(before.get("Tags"), work.get("Tags"))
        if wanted:
            work.aws.call("stepfunctions", "TagResource", resourceArn=arn, tags=_tags(wanted))
        if gone:
            work.aws.call("stepfunctions", "UntagResource", resourceArn=arn, tagKeys=gone)
        return made

    def delete(self, work: Work, made: Made) -> None:
        """Delete the machine."""
        work.aws.remove("stepfunctions", "DeleteStateMachine", stateMachineArn=made.physical_id)

    @classmethod
    def _parameters(cls, work: Work) -> Properties:
        settings = lower_first(work.pick(*_SETTINGS))
        return {
            "definition": substitute(
                cls._definition(work), work.get("DefinitionSubstitutions") or {}
            ),
            "roleArn": work.require("RoleArn"),
            **settings,
        }

    @staticmethod
    def _definition(work: Work) -> str:
        location = work.get("DefinitionS3Location")
        if location:
            stored = work.aws.call("s3", "GetObject", **location_parameters(location))
            return str(stored["Body"].read().decode())
        if work.get("Definition") is not None:
            return json.dumps(work.get("Definition"))
        if work.get("DefinitionString") is None:
            raise ResourceError(
                "One of Definition, DefinitionString, DefinitionS3Location is needed"
            )
        return text(work.get("DefinitionString"))


def location_parameters(location: dict[str, Any]) -> Properties:
    """Turn a property's S3 location into GetObject's parameters."""
    return {
        "Bucket": location["Bucket"],
        "Key": location["Key"],
        "VersionId": location.get("Version"),
    }


def _tags(tags: dict[str, str]) -> list[dict[str, str]]:
    return [{"key": key, "value": value} for key, value in tags.items()]


TYPES: tuple[ResourceType, ...] = (StateMachine(),)
