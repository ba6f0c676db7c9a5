"""Bedrock: Converse and Retrieve answered from a script, in order."""

from __future__ import annotations

import threading
from collections.abc import Sequence
from typing import Any

from autorepair_lab.account.call import Call, ErrorReply, Reply
from autorepair_lab.account.routes import RouteReply, RouteRequest

_ERROR_STATUS = {
    "AccessDeniedException": 403,
    "ResourceNotFoundException": 404,
    "ModelTimeoutException": 408,
    "ModelErrorException": 424,
    "ThrottlingException": 429,
    "ModelNotReadyException": 429,
    "InternalServerException": 500,
    "ServiceUnavailableException": 503,
}


class BedrockScript:
    """Interceptor for Converse and Retrieve.

    An answer of the script is a Converse output (``output`` is in it), a Retrieve output
    (``retrievalResults`` is in it) or ``{"error": code}``. Each call takes the first answer of its
    kind; an error serves either. Without one, the account has no access to the model.
    """

    def __init__(self) -> None:
        self._answers: list[dict[str, Any]] = []
        self._lock = threading.Lock()

    def set(self, answers: Sequence[Any]) -> None:
        """Replace the script. Raises ValueError that says which answer is of no known kind."""
        for index, answer in enumerate(answers):
            kinds = {"output", "retrievalResults", "error"}
            if not isinstance(answer, dict) or not kinds & answer.keys():
                raise ValueError(
                    f"answer {index} needs one of output (Converse), retrievalResults (Retrieve), "
                    "error (a code)"
                )
        with self._lock:
            self._answers = list(answers)

    def receive(self, request: RouteRequest) -> RouteReply:
        """POST /_lab/bedrock: set the script."""
        answers = request.json()
        if not isinstance(answers, list):
            raise ValueError("a JSON list of answers is wanted")  # noqa: TRY004 - bad content
        self.set(answers)
        return RouteReply({"answers": len(answers)})

    def handle(self, call: Call) -> Reply | ErrorReply | None:
        """Answer Converse and Retrieve."""
        if (call.service, call.operation) == ("bedrock-runtime", "Converse"):
            return self._next("output", call)
        if (call.service, call.operation) == ("bedrock-agent-runtime", "Retrieve"):
            return self._next("retrievalResults", call)
        return None

    def _next(self, kind: str, call: Call) -> Reply | ErrorReply:
        with self._lock:
            fitting = [one for one in self._answers if kind in one or "error" in one]
            if not fitting:
                return ErrorReply(
                    "AccessDeniedException",
                    f"The lab has no scripted answer for {call.operation}: set some with "
                    "POST /_lab/bedrock",
                    403,
                )
            answer = fitting[0]
            self._answers.remove(answer)
        if "error" in answer:
            code = str(answer["error"])
            message = str(answer.get("message") or f"{code}, as scripted")
            return ErrorReply(code, message, _ERROR_STATUS.get(code, 400))
        return Reply(_complete(answer) if kind == "output" else answer)


def _complete(answer: dict[str, Any]) -> dict[str, Any]:
    return {
        "stopReason": "end_turn",
        "usage": {"inputTokens": 0, "outputTokens": 0, "totalTokens": 0},
        "metrics": {"latencyMs": 1},
        **answer,
    }
