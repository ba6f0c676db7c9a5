"""Writes the lines that the Lambda platform itself writes, as text or as JSON.

Text lines end in a newline and REPORT is tab-separated, as CloudWatch stores them. Of the JSON
events those are written that AWS writes at its default system log level, INFO: runtimeDone and
initReport only for what failed.
"""

from __future__ import annotations

import hashlib
import json
import math
import platform
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Literal

from autorepair_lab.runtime.model import LogEvent
from autorepair_lab.runtime.surroundings import PYTHON_VERSION

if TYPE_CHECKING:
    from collections.abc import Mapping

    from autorepair_lab.runtime.model import FunctionSpec

Phase = Literal["init", "invoke"]
_RUNTIME_VERSION = f"python:{PYTHON_VERSION}.v{platform.python_version_tuple()[2]}"


@dataclass(frozen=True)
class Report:
    """The figures of one invocation's REPORT; ``status`` in the words of AWS's telemetry."""

    request_id: str
    status: Literal["success", "error", "timeout"]
    error_type: str | None
    duration_ms: float
    billed_ms: int
    memory_size_mb: int
    max_memory_used_mb: int
    init_duration_ms: float | None


def billed_ms(duration_ms: float, init_duration_ms: float | None) -> int:
    """Round up to milliseconds; AWS bills the init phase, too (since August 2025)."""
    return math.ceil(duration_ms + (init_duration_ms or 0.0))


def iso(timestamp_us: int) -> str:
    """Format epoch microseconds the way Lambda's log lines do, in milliseconds."""
    moment = datetime.fromtimestamp(timestamp_us / 1e6, UTC)
    return moment.isoformat(timespec="milliseconds").replace("+00:00", "Z")


class PlatformLog:
    """Collects the events of one call, platform lines and the function's own, in time order."""

    def __init__(self, spec: FunctionSpec) -> None:
        self._spec = spec
        self._is_json = spec.log_format == "JSON"
        self._events: list[tuple[int, str]] = []

    def events(self) -> tuple[LogEvent, ...]:
        """Return everything that was added, ordered by time; equal times keep their order."""
        ordered = sorted(self._events, key=lambda event: event[0])
        return tuple(LogEvent(at_us // 1000, message) for at_us, message in ordered)

    def latest_us(self) -> int:
        """Return the time of the youngest event, 0 if there is none."""
        return max((at_us for at_us, _ in self._events), default=0)

    def function_line(self, at_us: int, message: str) -> None:
        """Add what the function wrote; text events end in a newline as AWS stores them."""
        end = "" if self._is_json or message.endswith("\n") else "\n"
        text = message.rstrip("\n") if self._is_json else message + end
        self._events.append((at_us, text))

    def cut_off(self, at_us: int) -> None:
        """Forget what was added of a later time: the function was not to live to write it."""
        self._events = [event for event in self._events if event[0] <= at_us]

    def init_start(self, at_us: int) -> None:
        """INIT_START: a new environment begins to load the code."""
        digest = hashlib.sha256(_RUNTIME_VERSION.encode()).hexdigest()
        arn = f"arn:aws:lambda:{self._spec.region}::runtime:{digest}"
        text = f"INIT_START Runtime Version: {_RUNTIME_VERSION}\tRuntime Version ARN: {arn}"
        record = {
            "initializationType": "on-demand",
            "phase": "init",
            "runtimeVersion": _RUNTIME_VERSION,
            "runtimeVersionArn": arn,
            "functionName": self._spec.name,
            "functionVersion": self._spec.version,
        }
        self._add(at_us, text, "initStart", record)

    def init_report(
        self, at_us: int, duration_ms: float, *, phase: Phase, error_type: str | None
    ) -> None:
        """INIT_REPORT of an init phase that failed; ``error_type`` None: it ran out of time."""
        status = "timeout" if error_type is None else "error"
        text = f"INIT_REPORT Init Duration: {duration_ms:.2f} ms\tPhase: {phase}\tStatus: {status}"
        record: dict[str, object] = {
            "initializationType": "on-demand",
            "phase": phase,
            "status": status,
            "metrics": {"durationMs": round(duration_ms, 3)},
        }
        if error_type is not None:
            text += f"\tError Type: {error_type}"
            record["errorType"] = error_type
        self._add(at_us, text, "initReport", record)

    def start(self, at_us: int, request_id: str) -> None:
        """START: the handler is called."""
        text = f"START RequestId: {request_id} Version: {self._spec.version}"
        record = {"requestId": request_id, "version": self._spec.version}
        self._add(at_us, text, "start", record)

    def timed_out(self, at_us: int, request_id: str) -> None:
        """Add the text log's own line for a time-out; JSON says so in its report only."""
        if not self._is_json:
            message = task_timed_out(self._spec.timeout_s)
            self._events.append((at_us, f"{iso(at_us)} {request_id} {message}\n\n"))

    def exited(self, at_us: int, error_message: str, error_type: str) -> None:
        """Add the text log's line for a runtime process that ended in mid-call."""
        if not self._is_json:
            self._events.append((at_us, f"{error_message}\n{error_type}\n"))

    def end(self, at_us: int, report: Report) -> None:
        """END and REPORT, with the measured figures."""
        if self._is_json:
            self._end_json(at_us, report)
            return
        self._events.append((at_us, f"END RequestId: {report.request_id}\n"))
        parts = [
            f"REPORT RequestId: {report.request_id}",
            f"Duration: {report.duration_ms:.2f} ms",
            f"Billed Duration: {report.billed_ms} ms",
            f"Memory Size: {report.memory_size_mb} MB",
            f"Max Memory Used: {report.max_memory_used_mb} MB",
        ]
        if report.init_duration_ms is not None:
            parts.append(f"Init Duration: {report.init_duration_ms:.2f} ms")
        parts.append(_text_status(report))
        self._events.append((at_us, "\t".join(parts) + "\n"))

    def _end_json(self, at_us: int, report: Report) -> None:
        outcome: dict[str, object] = {"requestId": report.request_id, "status": report.status}
        if report.error_type is not None:
            outcome["errorType"] = report.error_type
        duration = {"durationMs": round(report.duration_ms, 3)}
        if report.status != "success":
            self._add(at_us, "", "runtimeDone", outcome | {"metrics": duration})
        metrics: dict[str, object] = {
            **duration,
            "billedDurationMs": report.billed_ms,
            "memorySizeMB": report.memory_size_mb,
            "maxMemoryUsedMB": report.max_memory_used_mb,
        }
        if report.init_duration_ms is not None:
            metrics["initDurationMs"] = round(report.init_duration_ms, 3)
        self._add(at_us, "", "report", outcome | {"metrics": metrics})

    def _add(self, at_us: int, text: str, kind: str, record: Mapping[str, object]) -> None:
        if self._is_json:
            event = {"time": iso(at_us), "type": f"platform.{kind}", "record": record}
            text = json.dumps(event, separators=(",", ":"))
        else:
            text += "\n"
        self._events.append((at_us, text))


def task_timed_out(timeout_s: int) -> str:
    """Return AWS's sentence for a time-out."""
    return f"Task timed out after {timeout_s:.2f} seconds"


def _text_status(report: Report) -> str:
    """Return REPORT's last column: only what the platform ended has a status there."""
    if report.status == "timeout":
        return "Status: timeout"
    error_type = report.error_type or ""
    if report.status == "error" and error_type.startswith(("Runtime.", "Function.")):
        return f"Status: error\tError Type: {error_type}"
    return ""
