"""What Lambda polls for a function: event source mappings, and the rules of their queues."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any, Literal

from autorepair.domain.evidence import Caller, CallerKind, EventSource

Kind = Literal["sqs", "kinesis", "dynamodb", "msk", "mq", "other"]

_KIND_OF_SERVICE: dict[str, Kind] = {
    "sqs": "sqs",
    "kinesis": "kinesis",
    "dynamodb": "dynamodb",
    "kafka": "msk",
    "mq": "mq",
}
_CALLER_OF: dict[Kind, CallerKind] = {
    "sqs": "sqs",
    "kinesis": "kinesis",
    "dynamodb": "dynamodb",
    "msk": "msk",
    "mq": "other",
    "other": "other",
}
QUEUE_ATTRIBUTES: tuple[Literal["VisibilityTimeout", "RedrivePolicy"], ...] = (
    "VisibilityTimeout",
    "RedrivePolicy",
)
"""What of a queue bears on the function that is fed from it."""
_LONGEST_RESULT = 200
# Times the timeout, by AWS's advice.
_HIDDEN_FOR = 6


def source_of(mapping: Mapping[str, Any]) -> str:
    """Name what a mapping polls: an ARN, or the mapping itself where Lambda tells none."""
    return str(mapping.get("EventSourceArn") or f"mapping {mapping.get('UUID', '?')}")


def event_source(mapping: Mapping[str, Any], queue: Mapping[str, str] | None) -> EventSource:
    """Read one item of ListEventSourceMappings, and the attributes of its queue if it has one."""
    retries = mapping.get("MaximumRetryAttempts")
    return EventSource(
        kind=_kind_of(mapping),
        source=source_of(mapping),
        state=str(mapping.get("State") or "Enabled"),
        batch_size=mapping.get("BatchSize"),
        has_partial_responses="ReportBatchItemFailures"
        in (mapping.get("FunctionResponseTypes") or ()),
        # -1 stands for "until the record expires".
        most_retries=retries if isinstance(retries, int) and retries >= 0 else None,
        last_result=str(mapping.get("LastProcessingResult") or "")[:_LONGEST_RESULT],
        most_receives=_most_receives(queue or {}),
    )


def polling_caller(
    source: EventSource, queue: Mapping[str, str] | None, *, window_s: float = 0.0
) -> Caller:
    """Give the caller that Lambda's own poller is; a queue limits the function's timeout.

    A message may be hidden for no less than the timeout; six times that, and the ``window_s`` in
    which a batch is gathered, are advised (docs.aws.amazon.com/lambda, "Using Lambda with Amazon
    SQS": room for the retries of a throttled function).
    """
    kind = _CALLER_OF[source.kind]
    if source.kind != "sqs":
        return Caller(kind=kind, source=source.source, reason="polled by Lambda; no limit")
    limit = (queue or {}).get("VisibilityTimeout")
    if limit is None:
        return Caller(kind=kind, source=source.source, reason="visibility timeout unknown")
    reason = "a message shows up again when its visibility timeout is over"
    return Caller(
        kind=kind,
        source=source.source,
        timeout_limit_s=float(limit),
        timeout_advised_s=max(0.0, float(limit) - window_s) / _HIDDEN_FOR,
        reason=reason,
    )


def _kind_of(mapping: Mapping[str, Any]) -> Kind:
    source = source_of(mapping)
    return (
        _KIND_OF_SERVICE.get(source.split(":")[2], "other")
        if source.startswith("arn:")
        else ("other")
    )


def _most_receives(queue: Mapping[str, str]) -> int | None:
    """Read the redrive policy: JSON in a string, its number a number or a string."""
    try:
        told = json.loads(queue.get("RedrivePolicy") or "{}")
        return int(told["maxReceiveCount"])
    except (ValueError, TypeError, KeyError):
        return None
