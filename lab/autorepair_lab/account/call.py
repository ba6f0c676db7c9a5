"""One AWS API call as the middleware sees it, and the interceptors that may answer it."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any, Protocol


@dataclass(frozen=True)
class Call:
    """A request to an AWS API, parsed with botocore's own service model.

    ``service`` is botocore's name ("lambda", "stepfunctions", "cloudformation"), ``operation`` the
    API's ("UpdateFunctionConfiguration"), ``parameters`` what a boto3 caller would have passed.
    """

    service: str
    operation: str
    region: str
    parameters: dict[str, Any]
    method: str
    path: str
    query: str
    headers: dict[str, str]
    body: bytes
    # The lab's name for the Lambda function that made the call ("" for any other caller).
    caller: str = ""
    # True for calls that the account makes on its own behalf (an event rule starting a target).
    internal: bool = False


@dataclass(frozen=True)
class Reply:
    """An answer in the protocol of the service: ``output`` is what boto3 would return."""

    output: dict[str, Any] = field(default_factory=dict)
    status: int = 200
    request_id: str | None = None  # where it means something: an invocation's own; else any


@dataclass(frozen=True)
class ErrorReply:
    """A modelled error: ``code`` is the name that boto3 raises it by."""

    code: str
    message: str
    status: int = 400
    details: dict[str, Any] = field(default_factory=dict)  # further members of the error's shape


@dataclass(frozen=True)
class RawReply:
    """A body that is sent as it is, whatever the service's protocol says."""

    body: bytes
    status: int = 200
    content_type: str = "application/json"


class Interceptor(Protocol):
    """Sees a call before moto does."""

    def handle(self, call: Call) -> Reply | ErrorReply | RawReply | None:
        """Answer the call, or return None to let it through to moto."""
        ...


class CallRefusedError(Exception):
    """Raised inside the account to answer a call with an error; carries the reply to send."""

    def __init__(self, code: str, message: str, status: int = 400, **details: object) -> None:
        super().__init__(f"{code}: {message}")
        self.reply = ErrorReply(code, message, status, details)
