"""Who invokes a function, from its resource policy and its event source mappings."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, Any, ClassVar

from autorepair.aws.errors import AWS_FAILURES, aws_call, is_missing, translated
from autorepair.aws.event_sources import (
    QUEUE_ATTRIBUTES,
    event_source,
    polling_caller,
    source_of,
)
from autorepair.domain.errors import AutoRepairError
from autorepair.domain.evidence import Caller, CallerKind, EventSource, Gap
from autorepair.domain.incident import Target
from autorepair.ports import CallerReading

if TYPE_CHECKING:
    from types_boto3_lambda import LambdaClient
    from types_boto3_lambda.type_defs import EventSourceMappingConfigurationTypeDef
    from types_boto3_sqs import SQSClient

# By the first part of the principal: some services name their Region behind it.
_KIND_OF_SERVICE: dict[str, CallerKind] = {
    "apigateway": "apigateway",
    "elasticloadbalancing": "alb",
    "events": "eventbridge",
    "iot": "iot",
    "pipes": "eventbridge",
    "s3": "s3",
    "scheduler": "eventbridge",
    "sns": "sns",
    "states": "stepfunctions",
}
_SERVICE_DOMAINS = (".amazonaws.com", ".amazonaws.com.cn")
_URL_ACTION = "lambda:invokefunctionurl"
# Lambda also asks for lambda:InvokeFunction, under one of these conditions.
_URL_CONDITIONS = frozenset({"lambda:functionurlauthtype", "lambda:invokedviafunctionurl"})
# REST APIs stop waiting after 29 s, HTTP APIs after 30 s. The policy names both as execute-api.
API_GATEWAY_LIMIT_S = 29.0
_REASONS: dict[CallerKind, str] = {
    "apigateway": "API Gateway gives up after 29 s (REST) or 30 s (HTTP); the policy does not "
    "say which it is",
}


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

    def read(self, target: Target) -> CallerReading:
        """Find the callers in the resource policy and the event source mappings.

        A source that cannot be read is a Gap, not an error. Callers that use their own role
        (Step Functions, SDKs, pipes) are in neither and cannot be found. A mapping that is
        disabled calls nobody, but is an event source still.
        """
        callers: list[Caller] = []
        sources: list[EventSource] = []
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
            queue, gap = self._queue_of(mapping)
            gaps += [gap] if gap else []
            sources.append(event_source(mapping, queue))
            if mapping.get("State") != "Disabled":
                window_s = float(mapping.get("MaximumBatchingWindowInSeconds") or 0)
                callers.append(polling_caller(sources[-1], queue, window_s=window_s))
        return CallerReading(tuple(dict.fromkeys(callers)), tuple(sources), tuple(gaps))

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
            return [mapping for page in pages for mapping in page["EventSourceMappings"]]

    def _queue_of(
        self, mapping: EventSourceMappingConfigurationTypeDef
    ) -> tuple[Mapping[str, str] | None, Gap | None]:
        """Read the attributes of a mapping's queue; nothing where it has none, or is disabled."""
        source = source_of(mapping)
        is_queue = source.startswith("arn:") and source.split(":")[2] == "sqs"
        if not is_queue or mapping.get("State") == "Disabled":
            return None, None
        try:
            return self._queue_attributes(source), None
        except AutoRepairError as error:
            return None, Gap(source=f"callers/{source}", reason=str(error))

    def _queue_attributes(self, queue_arn: str) -> Mapping[str, str]:
        account_id, name = queue_arn.split(":")[4:6]
        # Built rather than asked for: GetQueueUrl would be one more call and one more permission.
        url = f"{self._sqs.meta.endpoint_url}/{account_id}/{name}"
        with aws_call("sqs:GetQueueAttributes", queue_arn):
            answer = self._sqs.get_queue_attributes(
                QueueUrl=url, AttributeNames=list(QUEUE_ATTRIBUTES)
            )
        return {str(name): value for name, value in answer.get("Attributes", {}).items()}


def _qualified(target: Target) -> str:
    arn = target.function_arn
    return arn if target.qualifier is None else f"{arn}:{target.qualifier}"


def _allowed(policy: dict[str, Any]) -> Iterator[dict[str, Any]]:
    statements = policy.get("Statement", [])
    for statement in statements if isinstance(statements, list) else [statements]:
        if statement.get("Effect") == "Allow":
            yield statement


def _callers_of(statement: dict[str, Any]) -> Iterator[Caller]:
    if _is_url(statement):
        yield Caller(kind="function-url", source="function URL", reason="has a function URL")
        return
    source = _source_of(statement)
    principal = statement.get("Principal", {})
    parties = {"AWS": principal} if isinstance(principal, str) else principal
    for party in (p for named in parties.values() for p in _as_list(named)):
        kind = _kind_of(party)
        yield Caller(
            kind=kind,
            source=source or party,
            timeout_limit_s=API_GATEWAY_LIMIT_S if kind == "apigateway" else None,
            reason=_REASONS.get(kind, "named in the resource policy"),
        )


def _is_url(statement: dict[str, Any]) -> bool:
    """Whether a statement lets somebody in through the function's URL."""
    actions = {action.lower() for action in _as_list(statement.get("Action", []))}
    return _URL_ACTION in actions or bool(_URL_CONDITIONS & _conditions(statement).keys())


def _kind_of(party: str) -> CallerKind:
    if not party.endswith(_SERVICE_DOMAINS):
        return "other"
    return _KIND_OF_SERVICE.get(party.partition(".")[0], "other")


def _source_of(statement: dict[str, Any]) -> str | None:
    value = _conditions(statement).get("aws:sourcearn")
    return None if value is None else str(_as_list(value)[0])


def _conditions(statement: dict[str, Any]) -> dict[str, Any]:
    """Give what a statement's conditions test, by key in lower case."""
    tests = statement.get("Condition", {}).values()
    return {key.lower(): value for test in tests for key, value in test.items()}


def _as_list(value: str | list[str]) -> list[str]:
    return [value] if isinstance(value, str) else value
