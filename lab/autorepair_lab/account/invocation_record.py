"""The runtime's own record of invocations, and what Lambda writes down: logs and metrics."""

from __future__ import annotations

import threading
from collections import defaultdict
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime

from autorepair_lab.account.logs import LogWriter
from autorepair_lab.account.metrics import Datum, MetricStore
from autorepair_lab.runtime.model import FunctionSpec, InvocationResult, InvocationStatus

_NAMESPACE = "AWS/Lambda"


@dataclass(frozen=True)
class InvocationRecord:
    """One finished invocation; durations in milliseconds, memory in megabytes."""

    function_name: str
    version: str
    arn: str
    request_id: str
    status: InvocationStatus
    is_failure: bool
    started_at: float  # epoch seconds
    duration_ms: float
    max_memory_used_mb: int
    memory_mb: int
    timeout_s: int
    payload: bytes


class InvocationLedger:
    """Takes every finished invocation: keeps it, logs it, counts it in ``AWS/Lambda``."""

    def __init__(
        self, logs: LogWriter, metrics: MetricStore, running: Callable[[str], int]
    ) -> None:
        self._logs = logs
        self._metrics = metrics
        self._running = running
        self._records: dict[str, list[InvocationRecord]] = defaultdict(list)
        self._lock = threading.Lock()

    def sink(self, spec: FunctionSpec, result: InvocationResult) -> None:
        """Called by the runtime once per invocation, before its caller gets the answer."""
        record = InvocationRecord(
            function_name=spec.name,
            version=spec.version,
            arn=spec.arn,
            request_id=result.request_id,
            status=result.status,
            is_failure=result.function_error is not None,
            started_at=result.started_at,
            duration_ms=result.duration_ms,
            max_memory_used_mb=result.max_memory_used_mb,
            memory_mb=spec.memory_mb,
            timeout_s=spec.timeout_s,
            payload=result.payload,
        )
        with self._lock:
            self._records[spec.name].append(record)
        events = [(event.timestamp_ms, event.message) for event in result.log_events]
        self._logs.write(spec.log_group, result.log_stream, events)
        self._measure(record, _qualifier(spec))

    def records(self, function_name: str) -> list[InvocationRecord]:
        """The function's invocations, in the order in which they ended."""
        with self._lock:
            return list(self._records[function_name])

    def throttled(self, function_name: str, qualifier: str) -> None:
        """Count an invocation that was refused."""
        self._put(function_name, qualifier, [("Throttles", 1.0, "Count")], datetime.now(UTC))

    def _measure(self, record: InvocationRecord, qualifier: str) -> None:
        values = [
            ("Invocations", 1.0, "Count"),
            ("Errors", float(record.is_failure), "Count"),
            ("Throttles", 0.0, "Count"),
            ("Duration", record.duration_ms, "Milliseconds"),
            ("ConcurrentExecutions", float(max(1, self._running(record.function_name))), "Count"),
        ]
        # Lambda stamps with the start of the invocation, not with its end.
        at = datetime.fromtimestamp(int(record.started_at), UTC)
        self._put(record.function_name, qualifier, values, at)

    def _put(
        self,
        function_name: str,
        qualifier: str,
        values: Sequence[tuple[str, float, str]],
        at: datetime,
    ) -> None:
        dimensions = [{"FunctionName": function_name}]
        if qualifier:
            resource = f"{function_name}:{qualifier}"
            dimensions.append({"FunctionName": function_name, "Resource": resource})
        self._metrics.put(
            _NAMESPACE,
            [
                Datum(name, value, unit, at, one)
                for one in dimensions
                for name, value, unit in values
            ],
        )


def _qualifier(spec: FunctionSpec) -> str:
    own = spec.arn.partition(":function:")[2]
    return own.partition(":")[2]
