"""The log of an incident, written anew from its evidence."""

from __future__ import annotations

import json
from collections.abc import Iterator
from datetime import datetime, timedelta
from typing import Any

from autorepair.domain.evidence import Evidence, Invocation

Json = dict[str, Any]
_STATUS = {"timeout": "timeout", "crash": "error", "out_of_memory": "error"}
_ERROR_TYPES = {"crash": "Runtime.ExitError", "out_of_memory": "Runtime.OutOfMemory"}


def log_events(evidence: Evidence) -> list[Json]:
    """Give the kept lines, and the platform's lines of invocations of which none was kept."""
    kept = {line.id for line in evidence.log_lines}
    spoken = {line.request_id for line in evidence.log_lines}
    is_json = evidence.configuration.log_format == "JSON"
    events = [_event(line.at, line.stream, line.message) for line in evidence.log_lines]
    for invocation in evidence.invocations:
        if invocation.report_id not in kept and invocation.request_id not in spoken:
            events += _platform_lines(invocation, is_json=is_json)
    # Events of the same moment stay in their order.
    return sorted(events, key=lambda event: int(event["timestamp"]))


def _event(at: datetime, stream: str, message: str) -> Json:
    return {"timestamp": _ms(at), "logStreamName": stream, "message": message}


def _ms(at: datetime) -> int:
    return round(at.timestamp() * 1000)


def _platform_lines(invocation: Invocation, *, is_json: bool) -> Iterator[Json]:
    began = invocation.started_at
    ended = began + timedelta(milliseconds=invocation.duration_ms or 0)
    start, end = (_json_lines if is_json else _text_lines)(invocation)
    yield _event(began, invocation.stream, start)
    if invocation.status != "unfinished":
        yield _event(ended, invocation.stream, end)


def _text_lines(invocation: Invocation) -> tuple[str, str]:
    request_id = invocation.request_id.partition("#")[0]
    figures = [
        f"REPORT RequestId: {request_id}",
        f"Duration: {invocation.duration_ms or 0:.2f} ms",
        f"Billed Duration: {invocation.duration_ms or 0:.0f} ms",
        f"Memory Size: {invocation.memory_mb or 0} MB",
        f"Max Memory Used: {invocation.max_memory_used_mb or 0} MB",
    ]
    if invocation.init_ms is not None:
        figures.append(f"Init Duration: {invocation.init_ms:.2f} ms")
    status = _STATUS.get(invocation.status)
    if status is not None:
        figures.append(f"Status: {status}")
    if status == "error":
        figures.append(f"Error Type: {_error_type(invocation)}")
    start = f"START RequestId: {request_id} Version: {invocation.version}"
    return start, "\t".join(figures)


def _json_lines(invocation: Invocation) -> tuple[str, str]:
    request_id = invocation.request_id.partition("#")[0]
    metrics = {
        "durationMs": invocation.duration_ms or 0,
        "memorySizeMB": invocation.memory_mb,
        "maxMemoryUsedMB": invocation.max_memory_used_mb,
        "initDurationMs": invocation.init_ms,
    }
    status = {"success": "success", "error": "error"}.get(invocation.status)
    report: Json = {
        "requestId": request_id,
        "metrics": {name: value for name, value in metrics.items() if value is not None},
        "status": status or _STATUS.get(invocation.status, "success"),
    }
    if invocation.status in _ERROR_TYPES:
        report["errorType"] = _error_type(invocation)
    start = {"requestId": request_id, "version": invocation.version}
    return (
        json.dumps({"type": "platform.start", "record": start}),
        json.dumps({"type": "platform.report", "record": report}),
    )


def _error_type(invocation: Invocation) -> str:
    return invocation.error_type or _ERROR_TYPES.get(invocation.status, "Runtime.Unknown")
