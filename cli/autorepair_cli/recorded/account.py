"""Stands in for boto3's clients, and answers from a recording.

The service's own adapters speak to it, so a recorded answer is read by the very code that reads
AWS's. What the recording does not hold is answered as AWS answers for what is not there.
"""

from __future__ import annotations

import hashlib
import hmac
import json
from collections.abc import Callable, Iterator, Mapping
from io import BytesIO
from types import SimpleNamespace
from typing import Any

from botocore.exceptions import ClientError

from autorepair.domain.configuration import ENROLMENT_TAG, ENROLMENT_VALUE
from autorepair_cli.recorded.case import Recording

Answer = dict[str, Any]
KNOWN_CONFIG = "/known-config"
"""Where the stand-in for SSM keeps the declarations."""
# Digests only have to differ where values do; nothing recorded is worth a secret key.
_DIGEST_KEY = b"recorded"
_ENDPOINT = "https://sqs.invalid"


class RecordedAccount:
    """The AWS account of one recording: every client in one, by the names of boto3's methods."""

    def __init__(self, recording: Recording) -> None:
        self.meta = SimpleNamespace(endpoint_url=_ENDPOINT)
        self._recording = recording
        self._log_begins_ms: int | None = None
        self._objects: dict[str, bytes] = {}

    def __getattr__(self, name: str) -> Callable[..., Answer]:
        """Give the method of an operation that is not recorded: AWS would deny it."""
        if name.startswith("_"):
            raise AttributeError(name)

        def denied(**_: object) -> Answer:
            raise _failure("AccessDeniedException", name, "not in the recording")

        return denied

    def get_paginator(self, operation: str) -> _Paginator:
        """Give all of an answer as one page."""
        return _Paginator(getattr(self, operation))

    def get_function_configuration(self, *, Qualifier: str | None = None, **_: object) -> Answer:  # noqa: N803 - boto3's
        """Give the recorded configuration; of a version, what is recorded of it over that."""
        told = dict(self._recording.function_configuration)
        versions = listed(self._recording.versions, "Versions")
        if Qualifier is not None:
            told |= next((one for one in versions if one.get("Version") == Qualifier), {})
        return {name: value for name, value in told.items() if value is not None}

    def list_provisioned_concurrency_configs(self, **_: object) -> Answer:
        """Give none: no recording holds any."""
        return {"ProvisionedConcurrencyConfigs": []}

    def list_tags(self, **_: object) -> Answer:
        """Give the recorded tags; those of this service say that all may be repaired."""
        told = self._recording.tags.items()
        tags = {name: value for name, value in told if not name.startswith(ENROLMENT_TAG)}
        return {"Tags": tags | {ENROLMENT_TAG: ENROLMENT_VALUE}}

    def get_function_concurrency(self, **_: object) -> Answer:
        """Give the recorded reservation, if any."""
        return dict(self._recording.concurrency)

    def get_policy(self, **_: object) -> Answer:
        """Give none: the callers are recorded by short names."""
        raise _failure("ResourceNotFoundException", "get_policy", "callers are recorded as such")

    def list_event_source_mappings(self, **_: object) -> Answer:
        """Give the recorded mappings."""
        return {"EventSourceMappings": list(self._recording.event_source_mappings)}

    def _aliases(self) -> list[Answer]:
        found = listed(self._recording.aliases, "Aliases")
        return [alias for alias in found if {"Name", "FunctionVersion"} <= alias.keys()]

    def list_aliases(self, **_: object) -> Answer:
        """Give the recorded aliases."""
        return {"Aliases": self._aliases()}

    def get_alias(self, *, Name: str, **_: object) -> Answer:  # noqa: N803 - boto3's
        """Give one of the recorded aliases."""
        for alias in self._aliases():
            if alias["Name"] == Name:
                return alias
        raise _failure("ResourceNotFoundException", "get_alias", Name)

    def list_versions_by_function(self, **_: object) -> Answer:
        """Give the recorded versions."""
        latest = self._recording.function_configuration
        always = {name: latest[name] for name in ("Timeout", "MemorySize") if name in latest}
        return {
            "Versions": [always | told for told in listed(self._recording.versions, "Versions")]
        }

    def get_account_settings(self, **_: object) -> Answer:
        """Give the recorded limits of the account."""
        limit = (self._recording.account_settings or {}).get("AccountLimit")
        if not isinstance(limit, dict) or "ConcurrentExecutions" not in limit:
            raise _failure("AccessDeniedException", "get_account_settings", "not in the recording")
        unreserved = {"UnreservedConcurrentExecutions": limit["ConcurrentExecutions"]}
        return {"AccountLimit": unreserved | limit}

    def get_queue_attributes(self, *, QueueUrl: str, **_: object) -> Answer:  # noqa: N803 - boto3's
        """Give the recorded attributes of a queue."""
        account_id, name = QueueUrl.rsplit("/", 2)[-2:]
        for arn, attributes in (self._recording.queue_attributes or {}).items():
            if arn.split(":")[4:6] == [account_id, name]:
                return {"Attributes": attributes}
        raise _failure("QueueDoesNotExist", "get_queue_attributes", QueueUrl)

    def describe_alarms(self, *, AlarmNames: list[str], **_: object) -> Answer:  # noqa: N803 - boto3's
        """Give the recorded children of a composite alarm."""
        told = self._recording.related_alarms
        composite = [*listed(told, "CompositeAlarms"), *listed(told, "MetricAlarms")]
        found = [_DESCRIBED | one for one in composite if one.get("AlarmName") in AlarmNames]
        return {
            "MetricAlarms": [alarm for alarm in found if not alarm["AlarmRule"]],
            "CompositeAlarms": [alarm for alarm in found if alarm["AlarmRule"]],
        }

    def describe_metric_filters(self, **_: object) -> Answer:
        """Give none: no recording holds any."""
        return {"metricFilters": []}

    def generate_mac(self, *, Message: bytes, **_: object) -> Answer:  # noqa: N803 - boto3's
        """Give a key to digest with."""
        return {"Mac": hmac.new(_DIGEST_KEY, Message, hashlib.sha256).digest()}

    def get_parameters_by_path(self, *, Path: str, **_: object) -> Answer:  # noqa: N803 - boto3's
        """Give the declarations as the parameters they are kept in."""
        return {
            "Parameters": [
                {"Name": f"{Path}/{name}", "Value": json.dumps(entry), "Type": "String"}
                for name, entry in self._recording.known_config.items()
            ]
        }

    def put_object(self, *, Key: str, Body: bytes, **_: object) -> Answer:  # noqa: N803 - boto3's
        """Keep what the run itself stores."""
        self._objects[Key] = Body
        return {}

    def get_object(self, *, Key: str, **_: object) -> Answer:  # noqa: N803 - boto3's
        """Give what the run stored."""
        return {"Body": BytesIO(self._objects[Key])}

    def filter_log_events(
        self,
        *,
        startTime: int,  # noqa: N803 - boto3's
        endTime: int,  # noqa: N803 - boto3's
        logStreamNames: list[str] | None = None,  # noqa: N803 - boto3's
        **_: object,
    ) -> Answer:
        """Give the log of a span; what is recorded of before the window belongs to its start."""
        if self._log_begins_ms is None or startTime <= self._log_begins_ms:
            self._log_begins_ms, startTime = startTime, 0  # noqa: N806 - as above
        return {
            "events": [
                {
                    "eventId": f"log/{number}",
                    "timestamp": event.timestamp,
                    "logStreamName": event.stream,
                    "message": event.message,
                    "ingestionTime": event.timestamp,
                }
                for number, event in enumerate(self._recording.log_events, 1)
                if startTime <= event.timestamp <= endTime
                and (logStreamNames is None or event.stream in logStreamNames)
            ]
        }


class _Paginator:
    """One page with everything."""

    def __init__(self, operation: Callable[..., Answer]) -> None:
        self._operation = operation

    def paginate(self, **request: object) -> Iterator[Answer]:
        """Give the answer."""
        yield self._operation(**request)


_DESCRIBED: Answer = {
    "AlarmArn": "",
    "StateValue": "ALARM",
    "StateUpdatedTimestamp": "1970-01-01T00:00:00Z",
    "AlarmRule": "",
}
"""What DescribeAlarms always says and a recording may leave out."""


def listed(told: Mapping[str, Any] | tuple[Any, ...] | None, member: str) -> list[dict[str, Any]]:
    """Give the items of an answer that was recorded whole, by name, as a list, or as one item."""
    if told is None:
        return []
    if not isinstance(told, Mapping):
        return [item for item in told if isinstance(item, dict)]
    items = told.get(member)
    if isinstance(items, list):
        return [item for item in items if isinstance(item, dict)]
    if all(isinstance(item, dict) for item in told.values()):
        return list(told.values())
    is_answer = any(isinstance(value, list) for value in told.values())
    return [] if is_answer else [dict(told)]


def _failure(code: str, operation: str, why: str) -> ClientError:
    return ClientError({"Error": {"Code": code, "Message": why}}, operation)
