"""Who invokes a function, from its resource policy and its event source mappings."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, Any, ClassVar, Literal

from autorepair.aws.errors import AWS_FAILURES, aws_call, is_missing, translated
from autorepair.domain.errors import AutoRepairError
from autorepair.domain.evidence import Caller, Gap
from autorepair.domain.incident import Target

if TYPE_CHECKING:
    from types_boto3_lambda import LambdaClient
    from types_boto3_lambda.type_defs import EventSourceMappingConfigurationTypeDef
    from types_boto3_sqs import SQSClient

Kind = Literal["apigateway", "sqs", "stepfunctions", "alb", "eventbridge", "sns", "s3", "other"]

_KIND_OF_SERVICE: dict[str, Kind] = {
    "apigateway.amazonaws.com": "apigateway",
    "elasticloadbalancing.amazonaws.com": "alb",
    "events.amazonaws.com": "eventbridge",
    "s3.amazonaws.com": "s3",
    "sns.amazonaws.com": "sns",
    "states.amazonaws.com": "stepfunctions",
}
# REST APIs stop waiting after 29 s, HTTP APIs after 30 s. The policy names both as execute-api.
_API_GATEWAY_LIMIT_S = 29.0


class LambdaCallers:
    """Reads whoever may invoke the function as a whole, and its alias where the alarm has one."""

    permissions: ClassVar[Mapping[str, frozenset[str]]] = {
        "read": frozenset(
            {"lambda:GetPolicy", "lambda:ListEventSourceMappings", "sqs:GetQueueAttributes"}
        ),
    }

    def __init__(self, client: LambdaClient, sqs: SQSClient) -> None:
        self._lambda = client
        self._sqs = sqs

    def read(self, target: Target) -> tuple[tuple[Caller, ...], tuple[Gap, ...]]:
        """Find the callers in the resource policy and the event source mappings.

        A source that cannot be read is a Gap, not an error. Callers that use their own role
        (Step Functions, SDKs, pipes) are in neither and cannot be found.
        """
        callers: list[Caller] = []
        gaps: list[Gap] = []
        arns = tuple(dict.fromkeys((target.function_arn, _qualified(target))))
        for arn in arns:
            try:
                callers += self._in_policy(arn)
            except AutoRepairError as error:
                gaps.append(Gap(source="callers/resource-policy", reason=str(error)))
        mappings: dict[object, EventSourceMappingConfigurationTypeDef] = {}
        for arn in arns:
            try:
                mappings |= {m.get("UUID", m.get("EventSourceArn")): m for m in self._mappings(arn)}
            except AutoRepairError as error:
                gaps.append(Gap(source="callers/event-source-mappings", reason=str(error)))
        for mapping in mappings.values():
            caller, gap = self._of_mapping(mapping)
            callers.append(caller)
            gaps += [gap] if gap else []
        return tuple(dict.fromkeys(callers)), tuple(gaps)

    def _in_policy(self, arn: str) -> list[Caller]:
        try:
            text = self._lambda.get_policy(FunctionName=arn)["Policy"]
        except AWS_FAILURES as error:
            if is_missing(error):
                return []  # a function without a resource policy
            raise translated(error, action="lambda:GetPolicy", on=arn) from error
        return [caller for s in _allowed(json.loads(text)) for caller in _callers_of(s)]

    def _mappings(self, arn: str) -> list[EventSourceMappingConfigurationTypeDef]:
        with aws_call("lambda:ListEventSourceMappings", arn):
            pages = self._lambda.get_paginator("list_event_source_mappings").paginate(
                FunctionName=arn
            )
            found = [mapping for page in pages for mapping in page["EventSourceMappings"]]
        return [mapping for mapping in found if mapping.get("State") != "Disabled"]

    def _of_mapping(
        self, mapping: EventSourceMappingConfigurationTypeDef
    ) -> tuple[Caller, Gap | None]:
        source = mapping.get("EventSourceArn") or f"mapping {mapping.get('UUID', '?')}"
        if not source.startswith("arn:") or source.split(":")[2] != "sqs":
            return Caller(kind="other", source=source, reason="polled by Lambda; no limit"), None
        try:
            limit = self._visibility_timeout(source)
        except AutoRepairError as error:
            gap = Gap(source=f"callers/{source}", reason=str(error))
            return Caller(kind="sqs", source=source, reason="visibility timeout unknown"), gap
        reason = "a message shows up again when its visibility timeout is over"
        return Caller(kind="sqs", source=source, timeout_limit_s=limit, reason=reason), None

    def _visibility_timeout(self, queue_arn: str) -> float:
        account_id, name = queue_arn.split(":")[4:6]
        # Built rather than asked for: GetQueueUrl would be one more call and one more permission.
        url = f"{self._sqs.meta.endpoint_url}/{account_id}/{name}"
        with aws_call("sqs:GetQueueAttributes", queue_arn):
            answer = self._sqs.get_queue_attributes(
                QueueUrl=url, AttributeNames=["VisibilityTimeout"]
            )
        return float(answer["Attributes"]["VisibilityTimeout"])


def _qualified(target: Target) -> str:
    arn = target.function_arn
    return arn if target.qualifier is None else f"{arn}:{target.qualifier}"


def _allowed(policy: dict[str, Any]) -> Iterator[dict[str, Any]]:
    statements = policy.get("Statement", [])
    for statement in statements if isinstance(statements, list) else [statements]:
        if statement.get("Effect") == "Allow":
            yield statement


def _callers_of(statement: dict[str, Any]) -> Iterator[Caller]:
    source = _source_of(statement)
    principal = statement.get("Principal", {})
    parties = {"AWS": principal} if isinstance(principal, str) else principal
    for party in (p for named in parties.values() for p in _as_list(named)):
        kind = _KIND_OF_SERVICE.get(party, "other")
        yield Caller(
            kind=kind,
            source=source or party,
            timeout_limit_s=_API_GATEWAY_LIMIT_S if kind == "apigateway" else None,
            reason="API Gateway gives up after 29 s (REST) or 30 s (HTTP); the policy does not "
            "say which it is"
            if kind == "apigateway"
            else "named in the resource policy",
        )


def _source_of(statement: dict[str, Any]) -> str | None:
    for test in statement.get("Condition", {}).values():
        for key, value in test.items():
            if key.lower() == "aws:sourcearn":
                return str(_as_list(value)[0])
    return None


def _as_list(value: str | list[str]) -> list[str]:
    return [value] if isinstance(value, str) else value
