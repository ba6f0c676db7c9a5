"""AWS::Lambda: functions, versions, aliases and layers."""

from __future__ import annotations

import io
import time
import zipfile
from typing import TYPE_CHECKING, Any

from autorepair_lab.deploy.errors import ResourceError
from autorepair_lab.deploy.resources.base import (
    Made,
    Properties,
    ResourceType,
    Work,
    tag_changes,
    tag_map,
)

if TYPE_CHECKING:
    from autorepair_lab.deploy.aws import Aws

_SETTLE_TIMEOUT_S = 60
_SETTLE_POLL_S = 0.02
_CONFIGURATION = (
    "DeadLetterConfig",
    "Description",
    "Environment",
    "EphemeralStorage",
    "FileSystemConfigs",
    "Handler",
    "ImageConfig",
    "Layers",
    "LoggingConfig",
    "MemorySize",
    "Role",
    "Runtime",
    "SnapStart",
    "Timeout",
    "TracingConfig",
    "VpcConfig",
)
# What UpdateFunctionConfiguration is told when a property left the template.
_DEFAULTS: Properties = {
    "DeadLetterConfig": {},
    "Description": "",
    "Environment": {"Variables": {}},
    "EphemeralStorage": {"Size": 512},
    "FileSystemConfigs": [],
    "Layers": [],
    "LoggingConfig": {"LogFormat": "Text"},
    "MemorySize": 128,
    "Timeout": 3,
    "TracingConfig": {"Mode": "PassThrough"},
}


def settle(aws: Aws, function: str) -> None:
    """Wait until the function may be changed again. Raises ResourceError if it does not settle."""
    deadline = time.monotonic() + _SETTLE_TIMEOUT_S
    while time.monotonic() < deadline:
        found = aws.call("lambda", "GetFunctionConfiguration", FunctionName=function)
        if found.get("State") == "Failed" or found.get("LastUpdateStatus") == "Failed":
            raise ResourceError(
                f"Resource of type 'AWS::Lambda::Function' with identifier '{function}' did not "
                f"stabilize: {found.get('StateReason') or found.get('LastUpdateStatusReason')}"
            )
        if found.get("State") != "Pending" and found.get("LastUpdateStatus") != "InProgress":
            return
        time.sleep(_SETTLE_POLL_S)
    raise ResourceError(f"{function} did not settle within {_SETTLE_TIMEOUT_S} s")


def _code(code: dict[str, Any]) -> dict[str, Any]:
    if "ZipFile" not in code:
        return code
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w") as archive:
        archive.writestr("index.py", code["ZipFile"])
    return {"ZipFile": packed.getvalue()}


def split_reference(reference: str) -> tuple[str, str | None]:
    """Split a qualified ARN; a bare name or an unqualified ARN has no qualifier."""
    parts = reference.split(":")
    if reference.startswith("arn:"):
        return parts[6], parts[7] if len(parts) > 7 else None  # noqa: PLR2004 - ARN's places
    return parts[0], parts[1] if len(parts) > 1 else None


def _owner(work: Work) -> dict[str, str]:
    """Give the tags by which CloudFormation says what it made; nobody else may set them."""
    return {
        "aws:cloudformation:stack-name": work.stack_name,
        "aws:cloudformation:stack-id": work.stack_arn,
        "aws:cloudformation:logical-id": work.logical_id,
    }


class Function(ResourceType):
    """AWS::Lambda::Function, changed in place."""

    type = "AWS::Lambda::Function"
    properties = frozenset(
        {
            *_CONFIGURATION,
            "Architectures",
            "Code",
            "CodeSigningConfigArn",
            "FunctionName",
            "KmsKeyArn",
            "PackageType",
            "ReservedConcurrentExecutions",
            "Tags",
        }
    )
    mutable = properties - {"FunctionName", "PackageType"}
    named_by = "FunctionName"
    tags = "list"

    def create(self, work: Work) -> Made:
        """Create the function and wait until it is active."""
        name = work.name("FunctionName")
        answer = work.aws.call(
            "lambda",
            "CreateFunction",
            FunctionName=name,
            Code=_code(work.require("Code")),
            Tags=tag_map(work.get("Tags")) | _owner(work),
            KMSKeyArn=work.get("KmsKeyArn"),
            **work.pick(*_CONFIGURATION, "Architectures", "CodeSigningConfigArn", "PackageType"),
        )
        made = work.adopt(name, Arn=answer["FunctionArn"])
        settle(work.aws, name)
        self._reserve(work, name)
        return made

    def update(self, work: Work, made: Made, before: Properties) -> Made:
        """Change code, then configuration, waiting until each has settled."""
        name, after = made.physical_id, work.properties
        settle(work.aws, name)
        if any(after.get(key) != before.get(key) for key in ("Code", "Architectures")):
            work.aws.call(
                "lambda",
                "UpdateFunctionCode",
                FunctionName=name,
                **_code(work.require("Code")),
                **work.pick("Architectures"),
            )
            settle(work.aws, name)
        changed = {
            key: after.get(key, _DEFAULTS.get(key))
            for key in (*_CONFIGURATION, "KmsKeyArn")
            if after.get(key) != before.get(key)
        }
        if changed:
            if "KmsKeyArn" in changed:
                changed["KMSKeyArn"] = changed.pop("KmsKeyArn") or ""
            work.aws.call("lambda", "UpdateFunctionConfiguration", FunctionName=name, **changed)
            settle(work.aws, name)
        if before.get("ReservedConcurrentExecutions") != work.get("ReservedConcurrentExecutions"):
            self._reserve(work, name)
        self._tag(work, made, before)
        return made

    def delete(self, work: Work, made: Made) -> None:
        """Delete the function with all its versions."""
        work.aws.remove("lambda", "DeleteFunction", FunctionName=made.physical_id)

    @staticmethod
    def _reserve(work: Work, name: str) -> None:
        reserved = work.get("ReservedConcurrentExecutions")
        if reserved is None:
            work.aws.remove("lambda", "DeleteFunctionConcurrency", FunctionName=name)
        else:
            work.aws.call(
                "lambda",
                "PutFunctionConcurrency",
                FunctionName=name,
                ReservedConcurrentExecutions=reserved,
            )

    @staticmethod
    def _tag(work: Work, made: Made, before: Properties) -> None:
        wanted, gone = tag_changes(before.get("Tags"), work.get("Tags"))
        arn = made.attributes["Arn"]
        if wanted:
            work.aws.call("lambda", "TagResource", Resource=arn, Tags=wanted)
        if gone:
            work.aws.call("lambda", "UntagResource", Resource=arn, TagKeys=gone)


class Version(ResourceType):
    """AWS::Lambda::Version; Ref gives the ARN with the number."""

    type = "AWS::Lambda::Version"
    properties = frozenset({"CodeSha256", "Description", "FunctionName"})

    def create(self, work: Work) -> Made:
        """Publish what the function is now."""
        name, _ = split_reference(work.require("FunctionName"))
        settle(work.aws, name)
        answer = work.aws.call(
            "lambda", "PublishVersion", FunctionName=name, **work.pick("CodeSha256", "Description")
        )
        arn, number = answer["FunctionArn"], answer["Version"]
        if not arn.endswith(f":{number}"):
            arn = f"{arn}:{number}"
        return Made(arn, {"Version": number, "FunctionArn": arn})

    def delete(self, work: Work, made: Made) -> None:
        """Delete this version only."""
        name, number = split_reference(made.physical_id)
        work.aws.remove("lambda", "DeleteFunction", FunctionName=name, Qualifier=number)


class Alias(ResourceType):
    """AWS::Lambda::Alias; Ref gives its ARN."""

    type = "AWS::Lambda::Alias"
    properties = frozenset(
        {"Description", "FunctionName", "FunctionVersion", "Name", "RoutingConfig"}
    )
    mutable = frozenset({"Description", "FunctionVersion", "RoutingConfig"})
    named_by = "Name"

    def create(self, work: Work) -> Made:
        """Create the alias."""
        answer = work.aws.call("lambda", "CreateAlias", **self._parameters(work))
        return Made(answer["AliasArn"], {"AliasArn": answer["AliasArn"]})

    def update(self, work: Work, made: Made, before: Properties) -> Made:
        """Move the alias."""
        parameters = self._parameters(work)
        if "RoutingConfig" in before and "RoutingConfig" not in parameters:
            parameters["RoutingConfig"] = {"AdditionalVersionWeights": {}}
        work.aws.call("lambda", "UpdateAlias", **parameters)
        return made

    def delete(self, work: Work, made: Made) -> None:
        """Delete the alias."""
        name, alias = split_reference(made.physical_id)
        work.aws.remove("lambda", "DeleteAlias", FunctionName=name, Name=alias)

    @staticmethod
    def _parameters(work: Work) -> Properties:
        parameters = work.pick("Name", "FunctionVersion", "Description", "RoutingConfig")
        parameters["FunctionName"], _ = split_reference(work.require("FunctionName"))
        routing = parameters.get("RoutingConfig")
        if routing and "AdditionalVersionWeights" in routing:
            weights = routing["AdditionalVersionWeights"]
            parameters["RoutingConfig"] = {
                "AdditionalVersionWeights": {
                    item["FunctionVersion"]: item["FunctionWeight"] for item in weights
                }
            }
        return parameters


class LayerVersion(ResourceType):
    """AWS::Lambda::LayerVersion; every change makes a new version."""

    type = "AWS::Lambda::LayerVersion"
    properties = frozenset(
        {
            "CompatibleArchitectures",
            "CompatibleRuntimes",
            "Content",
            "Description",
            "LayerName",
            "LicenseInfo",
        }
    )

    def create(self, work: Work) -> Made:
        """Publish the layer."""
        parameters = work.pick(*self.properties - {"LayerName"})
        answer = work.aws.call(
            "lambda",
            "PublishLayerVersion",
            LayerName=work.get("LayerName") or work.logical_id,
            **parameters,
        )
        arn = answer["LayerVersionArn"]
        return Made(arn, {"LayerVersionArn": arn})

    def delete(self, work: Work, made: Made) -> None:
        """Delete this version of the layer."""
        layer, number = made.physical_id.rsplit(":", 1)
        work.aws.remove(
            "lambda",
            "DeleteLayerVersion",
            LayerName=layer.rsplit(":", 1)[1],
            VersionNumber=number,
        )


TYPES: tuple[ResourceType, ...] = (Function(), Version(), Alias(), LayerVersion())
