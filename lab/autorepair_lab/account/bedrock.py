"""Bedrock: Converse and Retrieve answered from a script, in order."""

from __future__ import annotations

import json
import re
import threading
import time
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from autorepair_lab.account.call import Call, ErrorReply, RawReply, Reply
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
_KINDS = {
    "output": "Converse",
    "tool": "Converse",
    "retrievalResults": "Retrieve",
    "body": "",
    "error": "",
}
"""Which operation an answer with this member is for; empty: either."""
_ID_OF = re.compile(r"\{\{id of: ([^{}]{1,200})\}\}")
_ID = re.compile(r'"id":\s?"([A-Za-z]{1,3}\d{1,6})"')
_CHARACTERS_PER_TOKEN = 4


class BedrockScript:
    """Interceptor for Converse and Retrieve.

    An answer of the script is a Converse output (``output`` is in it), what the model fills into
    the tool that it has to call (``tool``), a Retrieve output (``retrievalResults``), a ``body``
    that is sent as it is, or ``{"error": code}``. Beside any of them ``delay_s`` makes it late.
    ``{{id of: words}}`` in a string stands for the id of the evidence with these words, as shown
    in the question: no script can know it before. Each call takes the first answer of its kind; a
    body or an error serves either. Without one, the account has no access to the model.
    """

    def __init__(self) -> None:
        self._answers: list[dict[str, Any]] = []
        self._lock = threading.Lock()

    def set(self, answers: Sequence[Any]) -> None:
        """Replace the script. Raises ValueError that says which answer is of no known kind."""
        for index, answer in enumerate(answers):
            if not isinstance(answer, dict) or not _KINDS.keys() & answer.keys():
                raise ValueError(
                    f"answer {index} needs one of output or tool (Converse), retrievalResults "
                    "(Retrieve), body (sent as it is), error (a code)"
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

    def handle(self, call: Call) -> Reply | ErrorReply | RawReply | None:
        """Answer Converse and Retrieve."""
        if (call.service, call.operation) not in {
            ("bedrock-runtime", "Converse"),
            ("bedrock-agent-runtime", "Retrieve"),
        }:
            return None
        answer = self._next(call)
        if answer is None:
            return ErrorReply(
                "AccessDeniedException",
                f"The lab has no scripted answer for {call.operation}: set some with "
                "POST /_lab/bedrock",
                403,
            )
        time.sleep(float(answer.get("delay_s") or 0))
        return _reply(answer, call)

    def _next(self, call: Call) -> dict[str, Any] | None:
        with self._lock:
            for index, answer in enumerate(self._answers):
                if {_KINDS[kind] for kind in _KINDS.keys() & answer.keys()} & {"", call.operation}:
                    return self._answers.pop(index)
        return None


def _reply(answer: Mapping[str, Any], call: Call) -> Reply | ErrorReply | RawReply:
    if "error" in answer:
        code = str(answer["error"])
        message = str(answer.get("message") or f"{code}, as scripted")
        return ErrorReply(code, message, _ERROR_STATUS.get(code, 400))
    if "body" in answer:
        return RawReply(str(answer["body"]).encode())
    told = {name: part for name, part in answer.items() if name != "delay_s"}
    filled = _filled(told, list(_texts(call)))
    if call.operation == "Retrieve":
        return Reply(filled)
    return Reply(_complete(_called(filled, call) if "tool" in filled else filled, call))


def _called(answer: Mapping[str, Any], call: Call) -> dict[str, Any]:
    """Put what the model fills in where Converse has it: into a call of the forced tool."""
    choice = (call.parameters.get("toolConfig") or {}).get("toolChoice") or {}
    name = (choice.get("tool") or {}).get("name", "none")
    block = {"toolUse": {"toolUseId": "tooluse_1", "name": name, "input": answer["tool"]}}
    rest = {key: part for key, part in answer.items() if key != "tool"}
    message = {"role": "assistant", "content": [block]}
    return {"output": {"message": message}, "stopReason": "tool_use", **rest}


def _complete(answer: Mapping[str, Any], call: Call) -> dict[str, Any]:
    told = [str(block.get("text") or "") for block in call.parameters.get("system") or []]
    asked = sum(map(len, [*told, *_texts(call)])) // _CHARACTERS_PER_TOKEN
    said = len(json.dumps(answer.get("output"), default=str)) // _CHARACTERS_PER_TOKEN
    return {
        "stopReason": "end_turn",
        "usage": {"inputTokens": asked, "outputTokens": said, "totalTokens": asked + said},
        "metrics": {"latencyMs": 1},
        **answer,
    }


def _texts(call: Call) -> Iterator[str]:
    """Give every text of the question."""
    for message in call.parameters.get("messages") or []:
        for block in message.get("content") or []:
            yield str(block.get("text") or "")
            guarded = (block.get("guardContent") or {}).get("text") or {}
            yield str(guarded.get("text") or "")


def _filled(part: Any, texts: Sequence[str]) -> Any:  # noqa: ANN401 - any part of a JSON document
    if isinstance(part, dict):
        return {name: _filled(value, texts) for name, value in part.items()}
    if isinstance(part, list):
        return [_filled(value, texts) for value in part]
    if isinstance(part, str):
        return _ID_OF.sub(lambda found: _id_of(found[1], texts), part)
    return part


def _id_of(words: str, texts: Sequence[str]) -> str:
    """Find the line of the question with these words, and the id on it."""
    for line in "\n".join(texts).splitlines():
        found = _ID.search(line)
        if found and words.lower() in line.lower():
            return found[1]
    return f"nothing-says-{words}"
