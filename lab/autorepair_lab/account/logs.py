"""CloudWatch Logs: writes events with their metric filters, and reads them back as AWS does."""

from __future__ import annotations

import base64
import json
import threading
import time
from collections.abc import Iterable, Iterator, Mapping, Sequence
from datetime import UTC, datetime
from typing import Any

from moto.logs.models import logs_backends

from autorepair_lab.account.call import Call, CallRefusedError, ErrorReply, Reply
from autorepair_lab.account.log_patterns import compile_pattern
from autorepair_lab.account.metrics import Datum, MetricStore

_MOST_EVENTS = 10_000
_MOST_BYTES = 1 << 20
_EVENT_OVERHEAD_BYTES = 26


class LogWriter:
    """Writes log events: makes groups and streams, applies metric filters and embedded metrics."""

    def __init__(self, account_id: str, region: str, metrics: MetricStore) -> None:
        self._account_id = account_id
        self._region = region
        self._metrics = metrics
        self._lock = threading.Lock()

    @property
    def backend(self) -> Any:  # noqa: ANN401 - moto is untyped
        """Moto's log groups."""
        return logs_backends[self._account_id][self._region]

    def write(self, group: str, stream: str, events: Sequence[tuple[int, str]]) -> None:
        """Append events (epoch milliseconds, message) to a stream."""
        if not events:
            return
        members = [{"timestamp": at, "message": message} for at, message in events]
        with self._lock:
            self.backend.ensure_log_group(group)
            self.backend.ensure_log_stream(group, stream)
            self.backend.put_log_events(group, stream, members)
        self.measure(group, events)

    def measure(self, group: str, events: Iterable[tuple[int, str]]) -> None:
        """Turn events into metrics: by the group's metric filters, and embedded ones."""
        filters = [
            (compile_pattern(one.get("filterPattern") or ""), one["metricTransformations"])
            for one in self.backend.describe_metric_filters(log_group_name=group)
            if one["logGroupName"] == group
        ]
        for at_ms, message in events:
            at = datetime.fromtimestamp(at_ms / 1000, UTC)
            for matches, transformations in filters:
                if matches(message):
                    self._count(transformations, message, at)
            self._embedded(message)

    def _count(
        self, transformations: Sequence[Mapping[str, Any]], message: str, at: datetime
    ) -> None:
        for one in transformations:
            value = _transformed(str(one["metricValue"]), message)
            if value is not None:
                datum = Datum(one["metricName"], value, str(one.get("unit") or "None"), at, {})
                self._metrics.put(one["metricNamespace"], [datum])

    def _embedded(self, message: str) -> None:
        """CloudWatch's embedded metric format, as Powertools writes it."""
        if '"_aws"' not in message or '"CloudWatchMetrics"' not in message:
            return
        try:
            document = json.loads(message)
            blocks = document["_aws"]["CloudWatchMetrics"]
            at = datetime.fromtimestamp(document["_aws"]["Timestamp"] / 1000, UTC)
            for block in blocks:
                self._metrics.put(block["Namespace"], list(_embedded_data(document, block, at)))
        except (ValueError, KeyError, TypeError):
            return  # CloudWatch, too, passes over what is not in the format


def _embedded_data(
    document: Mapping[str, Any], block: Mapping[str, Any], at: datetime
) -> Iterator[Datum]:
    for names in block.get("Dimensions") or [[]]:
        dimensions = {name: str(document[name]) for name in names}
        for metric in block["Metrics"]:
            value = document[metric["Name"]]
            for one in value if isinstance(value, list) else [value]:
                unit = metric.get("Unit") or "None"
                yield Datum(metric["Name"], float(one), unit, at, dimensions)


def _transformed(value: str, message: str) -> float | None:
    if not value.startswith("$."):
        return float(value)
    try:
        found: Any = json.loads(message)
        for name in value[2:].split("."):
            found = found[name]
        return float(found)
    except (ValueError, KeyError, TypeError):
        return None


class LogReads:
    """Interceptor for FilterLogEvents; watches PutLogEvents so that its events count as metrics.

    A metric filter is only taken for a log group that is there, and replaces the one of its name.
    """

    def __init__(self, writer: LogWriter) -> None:
        self._writer = writer

    def handle(self, call: Call) -> Reply | ErrorReply | None:
        """Answer FilterLogEvents, and refuse metric filters on nothing."""
        if call.service == "logs" and call.operation == "FilterLogEvents":
            return self._filter(call.parameters)
        if call.service == "logs" and call.operation in {"PutMetricFilter", "DeleteMetricFilter"}:
            self._make_room(call.parameters)
        return None

    def _make_room(self, parameters: dict[str, Any]) -> None:
        name, group = parameters["filterName"], parameters["logGroupName"]
        self._group(group)
        if "metricTransformations" in parameters:
            self._writer.backend.delete_metric_filter(name, group)

    def observe(self, call: Call) -> None:
        """Measure the events that a client has put."""
        if call.service == "logs" and call.operation == "PutLogEvents":
            events = [(one["timestamp"], one["message"]) for one in call.parameters["logEvents"]]
            self._writer.measure(call.parameters["logGroupName"], events)

    def _filter(self, parameters: dict[str, Any]) -> Reply:
        limit = int(parameters.get("limit") or _MOST_EVENTS)
        if not 1 <= limit <= _MOST_EVENTS:
            raise CallRefusedError(
                "InvalidParameterException",
                f"1 validation error detected: Value '{limit}' at 'limit' failed to satisfy "
                f"constraint: Member must have value less than or equal to {_MOST_EVENTS}",
            )
        matches = compile_pattern(parameters.get("filterPattern") or "")
        after = _position(parameters.get("nextToken"))
        events: list[dict[str, Any]] = []
        size = 0
        token, last = None, (-1, -1)
        for key, event in self._sorted(parameters):
            if after is not None and key <= after:
                continue
            if matches(event["message"]):
                cost = len(event["message"].encode()) + _EVENT_OVERHEAD_BYTES
                if len(events) >= limit or size + cost > _MOST_BYTES:
                    token = _token(last)
                    break
                size += cost
                events.append(event)
            last = key
        output: dict[str, Any] = {"events": events, "searchedLogStreams": []}
        if token is not None:
            output["nextToken"] = token
        return Reply(output)

    def _sorted(self, parameters: dict[str, Any]) -> list[tuple[tuple[int, int], dict[str, Any]]]:
        start = parameters.get("startTime", 0)
        end = parameters.get("endTime", int(time.time() * 1000) + 7_200_000)
        found = [
            (
                (int(event.timestamp), int(event.event_id)),
                {
                    "eventId": str(event.event_id),
                    "ingestionTime": int(event.ingestion_time),
                    "logStreamName": name,
                    "message": event.message,
                    "timestamp": int(event.timestamp),
                },
            )
            for name, stream in self._streams(parameters)
            for event in list(stream.events)
            if start <= event.timestamp <= end
        ]
        return sorted(found, key=lambda one: one[0])

    def _group(self, name: str) -> Any:  # noqa: ANN401 - moto is untyped
        group = self._writer.backend.groups.get(name)
        if group is None:
            raise CallRefusedError(
                "ResourceNotFoundException", "The specified log group does not exist."
            )
        return group

    def _streams(self, parameters: dict[str, Any]) -> Iterator[tuple[str, Any]]:
        reference = parameters.get("logGroupName") or parameters.get("logGroupIdentifier") or ""
        name = reference.partition(":log-group:")[2].removesuffix(":*") or reference
        group = self._group(name)
        names = parameters.get("logStreamNames")
        prefix = parameters.get("logStreamNamePrefix") or ""
        for stream_name, stream in list(group.streams.items()):
            if (names is None or stream_name in names) and stream_name.startswith(prefix):
                yield stream_name, stream


def _token(key: tuple[int, int]) -> str:
    return base64.urlsafe_b64encode(f"{key[0]}/{key[1]}".encode()).decode()


def _position(token: str | None) -> tuple[int, int] | None:
    if token is None:
        return None
    try:
        at, _, identity = base64.urlsafe_b64decode(token).decode().partition("/")
        return int(at), int(identity)
    except ValueError as error:
        raise CallRefusedError(
            "InvalidParameterException", "The specified nextToken is invalid."
        ) from error
