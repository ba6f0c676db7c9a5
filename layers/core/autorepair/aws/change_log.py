"""What was done to a function, from CloudTrail's event history."""

from __future__ import annotations

import json
import re
import time
from collections.abc import Callable, Mapping
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any, ClassVar

from autorepair.aws.errors import aws_call
from autorepair.domain.configuration import SERVICE_PREFIX
from autorepair.domain.evidence import Gap
from autorepair.domain.incident import Target
from autorepair.domain.recent_changes import TrailEvent

if TYPE_CHECKING:
    from types_boto3_cloudtrail import CloudTrailClient
    from types_boto3_cloudtrail.type_defs import EventTypeDef

_ACTION = "cloudtrail:LookupEvents"
# The event history goes no further back.
_KEPT_FOR = timedelta(days=90)
# LookupEvents allows two calls a second in an account and Region.
_PAUSE_S = 0.5
_PAGE = 50
# UpdateFunctionConfiguration20150331v2: the version of the API is part of the name.
_API_VERSION = re.compile(r"20\d{6}(v\d+)?$")
# What a request's parameters are called in FunctionConfiguration.
_SETTINGS = {
    "architectures": "architecture",
    "ephemeralstorage": "ephemeral_storage_mb",
    "handler": "handler",
    "kmskeyarn": "kms_key_arn",
    "functionversion": "function_version",
    "layers": "layers",
    "memorysize": "memory_mb",
    "packagetype": "package_type",
    "reservedconcurrentexecutions": "reserved_concurrency",
    "runtime": "runtime",
    "timeout": "timeout_s",
}
# What is told of a request beside its settings: scalars and lists of these parameters.
_NOTED = (
    "description",
    "imageuri",
    "s3bucket",
    "s3key",
    "s3objectversion",
    "imageconfig",
    "vpcconfig",
    "role",
    "qualifier",
    "routingconfig",
    "provisionedconcurrentexecutions",
    "maximumretryattempts",
    "maximumeventageinseconds",
    "batchsize",
    "enabled",
    "eventsourcearn",
    "principal",
    "statementid",
)
# How CloudTrail names them, as who has invoked a call and as where it came from.
_DEPLOYING = {"cloudformation.amazonaws.com", "codedeploy.amazonaws.com"}
_LONGEST_NOTE, _LONGEST_PART = 400, 120
# Who runs a step: the step's own role, in a session that Lambda names after the step's function.
_STEP_AT_WORK = re.compile(
    rf"arn:[a-z-]+:sts::(?P<account>\d{{12}}):assumed-role/(?P<role>[^/]+)/"
    rf"{SERVICE_PREFIX}(?P<step>[a-z-]+)-[a-z]+"
)


class CloudTrailChangeLog:
    """Looks a function up by name and by ARN: events carry what the request called it.

    CloudTrail lags by about five minutes and empties the environment; reads are left out.
    """

    permissions: ClassVar[Mapping[str, frozenset[str]]] = {"read": frozenset({_ACTION})}

    def __init__(
        self,
        client: CloudTrailClient,
        *,
        pages_per_name: int = 3,
        sleep: Callable[[float], None] = time.sleep,
    ) -> None:
        self._cloudtrail = client
        self._pages_per_name = pages_per_name
        self._sleep = sleep

    def read(
        self, target: Target, *, since: datetime, until: datetime
    ) -> tuple[tuple[TrailEvent, ...], tuple[Gap, ...]]:
        """Find the requests that changed the function, newest first within a budget of calls.

        Raises:
            AccessDeniedError, TransientServiceError, ConfigurationError: They cannot be read.
        """
        found: dict[str, TrailEvent] = {}
        gaps: list[Gap] = []
        for name in (target.function_name, target.function_arn):
            if name != target.function_name:
                self._sleep(_PAUSE_S)
            events, has_more = self._looked_up(name, until)
            read = (_trail_event(event, target) for event in events)
            found |= {event.id: event for event in read if event is not None}
            oldest = min((event["EventTime"] for event in events), default=until)
            if has_more and oldest > since:
                gaps.append(_left_out(name, oldest))
        return tuple(sorted(found.values(), key=lambda event: event.at)), tuple(gaps)

    def _looked_up(self, name: str, until: datetime) -> tuple[list[EventTypeDef], bool]:
        """Give the events, newest first, and whether there are more than the budget allows."""
        request: dict[str, Any] = {
            "LookupAttributes": [{"AttributeKey": "ResourceName", "AttributeValue": name}],
            "StartTime": until - _KEPT_FOR,
            "EndTime": until,
            "MaxResults": _PAGE,
        }
        events: list[EventTypeDef] = []
        for page in range(self._pages_per_name):
            if page:
                self._sleep(_PAUSE_S)
            with aws_call(_ACTION, f"the events of {name}"):
                answer = self._cloudtrail.lookup_events(**request)
            events += answer.get("Events", [])
            if "NextToken" not in answer:
                return events, False
            request["NextToken"] = answer["NextToken"]
        return events, True


def _left_out(name: str, oldest: datetime) -> Gap:
    return Gap(
        source="changes",
        reason=f"CloudTrail has more events of {name} than were read: those before "
        f"{oldest:%Y-%m-%dT%H:%M:%SZ} were left out",
    )


def _trail_event(event: EventTypeDef, target: Target) -> TrailEvent | None:
    """Read one event; None for one that changed nothing, failed, or is another function's."""
    told = json.loads(event.get("CloudTrailEvent") or "{}")
    is_read = told.get("readOnly") is True or event.get("ReadOnly") == "true"
    if is_read or told.get("errorCode") or told.get("eventSource") != "lambda.amazonaws.com":
        return None
    parameters = {k.lower(): v for k, v in (told.get("requestParameters") or {}).items()}
    if not _is_about(parameters, target):
        return None
    principal = (told.get("userIdentity") or {}).get("arn") or event.get("Username")
    return TrailEvent(
        id=event["EventId"],
        at=event["EventTime"],
        name=_API_VERSION.sub("", event.get("EventName", "?")),
        principal=principal,
        is_own=_is_own(str(principal), target.account_id),
        is_deployment=_is_deployment(told),
        settings=_settings(parameters) | _network(parameters) | _code(told),
        writes_environment="environment" in parameters,
        alias=_alias(event.get("EventName", ""), parameters),
        note=_note(parameters, told.get("responseElements") or {}),
    )


def _is_deployment(told: Mapping[str, Any]) -> bool:
    """Whether a service that deploys has sent it: with its caller's rights, or by a role's."""
    by = (told.get("userIdentity") or {}).get("invokedBy")
    return bool({by, told.get("sourceIPAddress")} & _DEPLOYING)


def _is_own(principal: str, account_id: str) -> bool:
    """Whether a step of this service did it.

    Whoever takes a role on may call the session what they like, so the role has to be the step's:
    CloudFormation names it `{stack}-{logical id}-{suffix}`.
    """
    found = _STEP_AT_WORK.fullmatch(principal)
    if found is None or found["account"] != account_id:
        return False
    logical_id = "".join(word.capitalize() for word in found["step"].split("-")) + "Role"
    return f"-{logical_id}-" in found["role"]


def _is_about(parameters: Mapping[str, Any], target: Target) -> bool:
    named = str(parameters.get("functionname") or parameters.get("resource") or "")
    if named.startswith("arn:"):
        return ":".join(named.split(":")[:7]) == target.function_arn
    return named.split(":", maxsplit=1)[0] == target.function_name


def _settings(parameters: Mapping[str, Any]) -> dict[str, str | int]:
    found = {}
    for name, field in _SETTINGS.items():
        value = _plain(parameters.get(name))
        if value is not None:
            found[field] = value
    return found


def _network(parameters: Mapping[str, Any]) -> dict[str, str | int]:
    """Say whether the function was put into a network, or taken out of it."""
    vpc = parameters.get("vpcconfig")
    if not isinstance(vpc, dict) or "subnetIds" not in vpc:
        return {}
    return {"has_vpc": int(bool(vpc["subnetIds"]))}


def _alias(event_name: str, parameters: Mapping[str, Any]) -> str | None:
    """Name the alias that a request made or moved."""
    named = parameters.get("name")
    return named if "Alias" in event_name and isinstance(named, str) else None


def _note(parameters: Mapping[str, Any], answer: Mapping[str, Any]) -> str:
    """Tell what else was asked for, and which version came of it."""
    parts = [f"{name}: {told}" for name in _NOTED if (told := _told(parameters.get(name)))]
    version = answer.get("version")
    if isinstance(version, str) and version.isdecimal():
        parts.insert(0, f"version: {version}")
    return "; ".join(parts)[:_LONGEST_NOTE]


def _told(value: object) -> str:
    if isinstance(value, dict):
        return ", ".join(f"{k}={t}" for k, v in value.items() if (t := _told(v)))[:_LONGEST_PART]
    if isinstance(value, list):
        return " ".join(_told(part) for part in value)[:_LONGEST_PART]
    return str(value)[:_LONGEST_PART] if isinstance(value, str | int) else ""


def _plain(value: object) -> str | int | None:
    if isinstance(value, dict):  # ephemeral storage: {"size": 512}
        return _plain(next(iter(value.values()), None))
    if isinstance(value, list):
        return ", ".join(str(part) for part in value) or None
    if isinstance(value, bool) or not isinstance(value, str | int):
        return None
    return None if value == "" else value


def _code(told: Mapping[str, Any]) -> dict[str, str | int]:
    digest = (told.get("responseElements") or {}).get("codeSha256")
    return {"code_sha256": digest} if isinstance(digest, str) else {}
