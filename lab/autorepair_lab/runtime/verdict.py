"""Says what a call came to, in AWS's words: status, response body, error type."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal

from autorepair_lab.runtime.platform_log import iso, task_timed_out

if TYPE_CHECKING:
    from autorepair_lab.runtime.model import InvocationStatus
    from autorepair_lab.runtime.sandbox import Answer

_OK = 200
_KILLED = "Runtime exited with error: signal: killed"


@dataclass(frozen=True)
class Verdict:
    """How an invocation ended; ``exit_message`` is set if the runtime process died of it."""

    request_id: str
    status: InvocationStatus
    payload: bytes
    error_type: str | None = None
    exit_message: str | None = None

    @property
    def report_status(self) -> Literal["success", "error", "timeout"]:
        """The status in the words of REPORT."""
        if self.status in ("success", "timeout"):
            return self.status
        return "error"

    @property
    def is_environment_usable(self) -> bool:
        """Say whether the environment may serve another call."""
        is_from_handler = self.status == "error" and not (self.error_type or "").startswith(
            "Function."
        )
        return self.status == "success" or is_from_handler


def timed_out(request_id: str, timeout_s: int, at_us: int) -> Verdict:
    """The function's timeout passed."""
    message = f"{iso(at_us)} {request_id} {task_timed_out(timeout_s)}"
    return Verdict(
        request_id, "timeout", _document(message, "Sandbox.Timedout"), "Sandbox.Timedout"
    )


def out_of_memory(request_id: str) -> Verdict:
    """The process was killed at its memory limit."""
    return _exited("out_of_memory", request_id, _KILLED, "Runtime.OutOfMemory")


def from_answer(request_id: str, answer: Answer, *, is_handler_error: bool) -> Verdict:
    """Judge by the emulator's answer: a result, a handler's error, or a process that ended."""
    if answer.status == _OK:
        if not is_handler_error:
            return Verdict(request_id, "success", answer.body)
        return Verdict(request_id, "error", answer.body, _parse(answer.body).get("errorType"))
    document = _parse(answer.body)
    error_type = str(document.get("errorType", "Runtime.ExitError"))
    if error_type.startswith("Function."):
        return Verdict(request_id, "error", answer.body, error_type)
    reason = str(document.get("errorMessage", "")).partition(" Error: ")[2] or _KILLED
    return _exited("crash", request_id, reason, error_type)


def init_failed(request_id: str, document: dict[str, Any]) -> Verdict:
    """The code could not be loaded; the document is awslambdaric's."""
    payload = json.dumps(document | {"requestId": request_id}).encode()
    error_type = str(document.get("errorType", "Runtime.Unknown"))
    return Verdict(request_id, "init_error", payload, error_type)


def _exited(status: InvocationStatus, request_id: str, reason: str, error_type: str) -> Verdict:
    message = f"RequestId: {request_id} Error: {reason}"
    return Verdict(request_id, status, _document(message, error_type), error_type, message)


def _document(message: str, error_type: str) -> bytes:
    return json.dumps({"errorType": error_type, "errorMessage": message}).encode()


def _parse(body: bytes) -> dict[str, Any]:
    """Read an error document; anything else (an empty body of a dying emulator) is empty."""
    try:
        document = json.loads(body)
    except ValueError:
        return {}
    return document if isinstance(document, dict) else {}
