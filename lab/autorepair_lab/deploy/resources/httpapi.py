"""AWS::ApiGatewayV2 resources: HTTP APIs, written out or as SAM's OpenAPI body."""

from __future__ import annotations

from typing import Any

from autorepair_lab.deploy.errors import ResourceError
from autorepair_lab.deploy.resources.base import (
    Made,
    Properties,
    ResourceType,
    Work,
    tag_changes,
    tag_map,
)

_SERVICE = "apigatewayv2"
_METHODS = (
    "get",
    "put",
    "post",
    "delete",
    "options",
    "head",
    "patch",
    "x-amazon-apigateway-any-method",
)
_INTEGRATION = "x-amazon-apigateway-integration"


class Api(ResourceType):
    """AWS::ApiGatewayV2::Api; Ref gives its id."""

    type = "AWS::ApiGatewayV2::Api"
    properties = frozenset(
        {
            "Body",
            "CorsConfiguration",
            "Description",
            "DisableExecuteApiEndpoint",
            "Name",
            "ProtocolType",
            "Tags",
        }
    )
    mutable = frozenset(
        {"CorsConfiguration", "Description", "DisableExecuteApiEndpoint", "Name", "Tags"}
    )
    tags = "map"

    def create(self, work: Work) -> Made:
        """Create the API, and the routes its body describes."""
        body: dict[str, Any] = work.get("Body") or {}
        name = work.get("Name") or body.get("info", {}).get("title") or work.logical_id
        api = work.aws.call(
            _SERVICE,
            "CreateApi",
            Name=name,
            ProtocolType=work.get("ProtocolType") or "HTTP",
            Tags=tag_map(work.get("Tags")) or None,
            **work.pick("CorsConfiguration", "Description", "DisableExecuteApiEndpoint"),
        )
        # The account gives an API its address in the lab once it is there.
        endpoint = work.aws.call(_SERVICE, "GetApi", ApiId=api["ApiId"])["ApiEndpoint"]
        made = work.adopt(api["ApiId"], ApiId=api["ApiId"], ApiEndpoint=endpoint)
        for path, methods in (body.get("paths") or {}).items():
            for method, operation in methods.items():
                self._route(work, api["ApiId"], path, method, operation)
        return made

    def update(self, work: Work, made: Made, before: Properties) -> Made:
        """Change the API's settings and tags."""
        parameters = work.pick(*self.mutable - {"Tags"})
        work.aws.call(_SERVICE, "UpdateApi", ApiId=made.physical_id, **parameters)
        _tag(work, f"/apis/{made.physical_id}", before)
        return made

    def delete(self, work: Work, made: Made) -> None:
        """Delete the API with everything in it."""
        work.aws.remove(_SERVICE, "DeleteApi", ApiId=made.physical_id)

    @staticmethod
    def _route(work: Work, api: str, path: str, method: str, operation: dict[str, Any]) -> None:
        if method not in _METHODS:
            raise ResourceError(f"Unsupported {method} at {path} in the body of {work.logical_id}")
        given = operation.get(_INTEGRATION)
        if given is None:
            raise ResourceError(f"No {_INTEGRATION} for {method} {path} in {work.logical_id}")
        integration = work.aws.call(
            _SERVICE,
            "CreateIntegration",
            ApiId=api,
            IntegrationType=str(given.get("type", "aws_proxy")).upper(),
            IntegrationUri=given["uri"],
            IntegrationMethod=given.get("httpMethod"),
            PayloadFormatVersion=given.get("payloadFormatVersion"),
            TimeoutInMillis=given.get("timeoutInMillis"),
        )["IntegrationId"]
        verb = "ANY" if method.startswith("x-") else method.upper()
        key = "$default" if path == "/$default" else f"{verb} {path}"
        work.aws.call(
            _SERVICE, "CreateRoute", ApiId=api, RouteKey=key, Target=f"integrations/{integration}"
        )


def _tag(work: Work, path: str, before: Properties) -> None:
    arn = f"arn:aws:apigateway:{work.aws.region}::{path}"
    wanted, gone = tag_changes(before.get("Tags"), work.get("Tags"))
    if wanted:
        work.aws.call(_SERVICE, "TagResource", ResourceArn=arn, Tags=wanted)
    if gone:
        work.aws.call(_SERVICE, "UntagResource", ResourceArn=arn, TagKeys=gone)


class _Part(ResourceType):
    """A part of an API: made, changed and removed by the API's id and its own."""

    noun: str
    attribute: str

    def create(self, work: Work) -> Made:
        """Create the part."""
        answer = work.aws.call(_SERVICE, f"Create{self.noun}", **work.properties)
        identity = str(answer[self.attribute])
        return Made(identity, {self.attribute: identity})

    def update(self, work: Work, made: Made, before: Properties) -> Made:  # noqa: ARG002 - put anew
        """Change the part."""
        parameters = {"ApiId": work.require("ApiId"), **work.pick(*self.mutable - {"Tags"})}
        parameters[self.attribute] = made.physical_id
        work.aws.call(_SERVICE, f"Update{self.noun}", **parameters)
        return made

    def delete(self, work: Work, made: Made) -> None:
        """Delete the part."""
        key = {"ApiId": work.require("ApiId"), self.attribute: made.physical_id}
        work.aws.remove(_SERVICE, f"Delete{self.noun}", **key)


class Integration(_Part):
    """AWS::ApiGatewayV2::Integration; Ref gives its id."""

    type = "AWS::ApiGatewayV2::Integration"
    properties = frozenset(
        {
            "ApiId",
            "Description",
            "IntegrationMethod",
            "IntegrationType",
            "IntegrationUri",
            "PayloadFormatVersion",
            "TimeoutInMillis",
        }
    )
    mutable = properties - {"ApiId"}
    noun, attribute = "Integration", "IntegrationId"


class Route(_Part):
    """AWS::ApiGatewayV2::Route; Ref gives its id."""

    type = "AWS::ApiGatewayV2::Route"
    properties = frozenset(
        {"ApiId", "AuthorizationScopes", "AuthorizationType", "AuthorizerId", "RouteKey", "Target"}
    )
    mutable = properties - {"ApiId"}
    noun, attribute = "Route", "RouteId"


class Stage(_Part):
    """AWS::ApiGatewayV2::Stage; Ref gives its name."""

    type = "AWS::ApiGatewayV2::Stage"
    properties = frozenset(
        {
            "AccessLogSettings",
            "ApiId",
            "AutoDeploy",
            "DefaultRouteSettings",
            "Description",
            "RouteSettings",
            "StageName",
            "StageVariables",
            "Tags",
        }
    )
    mutable = properties - {"ApiId", "StageName"}
    tags = "map"
    noun, attribute = "Stage", "StageName"

    def update(self, work: Work, made: Made, before: Properties) -> Made:
        """Change the stage's settings and tags."""
        super().update(work, made, before)
        _tag(work, f"/apis/{work.require('ApiId')}/stages/{made.physical_id}", before)
        return made


TYPES: tuple[ResourceType, ...] = (Api(), Integration(), Route(), Stage())
