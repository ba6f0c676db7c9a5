"""What the runtime is given and what it gives back."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal

InvocationStatus = Literal["success", "error", "timeout", "crash", "out_of_memory", "init_error"]


@dataclass(frozen=True)
class FunctionSpec:
    """One version of a function as the runtime has to run it.

    Execution environments belong to a whole spec: a spec that differs in any field, ``revision``
    included, gets new ones.
    """

    name: str
    version: str  # "$LATEST" or a published number
    arn: str  # what the handler sees as context.invoked_function_arn
    handler: str
    memory_mb: int
    timeout_s: int
    code_dir: Path  # becomes /var/task on the path
    layer_dirs: tuple[Path, ...]  # each the root of one unpacked layer (what AWS mounts at /opt)
    env: tuple[tuple[str, str], ...]
    account_id: str
    region: str
    log_group: str
    log_format: Literal["Text", "JSON"] = "Text"
    at_memory_limit: Literal["kill", "stall"] = "kill"
    revision: str = ""  # any change of code or configuration changes it, so environments restart


@dataclass(frozen=True)
class LogEvent:
    """One event of a log stream; ``timestamp_ms`` is epoch milliseconds."""

    timestamp_ms: int
    message: str


@dataclass(frozen=True)
class InvocationResult:
    """What one invocation did, with measured figures (milliseconds, megabytes)."""

    request_id: str
    status: InvocationStatus
    payload: bytes  # the response body, or AWS's error document
    function_error: Literal["Unhandled"] | None
    started_at: float  # epoch seconds, when the invocation began
    duration_ms: float
    billed_ms: int
    max_memory_used_mb: int
    init_duration_ms: float | None  # only for the first invocation of an environment
    log_stream: str
    log_events: tuple[LogEvent, ...] = field(default=())


# Called once per finished invocation, from the thread that ran it, before invoke() returns.
InvocationSink = Callable[[FunctionSpec, InvocationResult], None]
