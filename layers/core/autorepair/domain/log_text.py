"""The words of a log event without the envelope that a log format puts around them."""

from __future__ import annotations

from typing import Any

from autorepair.domain.log_records import parsed_object

_WORDS = ("errorType", "errorMessage", "message", "msg", "exception", "exception_name")
_TRACES = ("stackTrace", "stack", "stack_trace", "trace")
_DEEPEST = 3


def plain_text(message: str) -> str:
    """Give what an event says: of a JSON object its error, message and stack trace, line by line.

    Node's text format puts such an object behind tabs; that one is unwrapped as well.
    """
    if message.startswith("{"):
        value = parsed_object(message)
        return message if value is None else _said(value) or message
    head, brace, tail = message.partition("\t{")
    if brace:
        value = parsed_object("{" + tail)
        if value is not None:
            return f"{head}\t{_said(value)}"
    return message


def _said(value: dict[str, Any], depth: int = 0) -> str:
    parts: list[str] = []
    for key in _WORDS:
        parts.extend(_texts(value.get(key), depth))
    for key in _TRACES:
        parts.extend(_texts(value.get(key), depth))
    return "\n".join(parts)


def _texts(value: object, depth: int) -> list[str]:
    if isinstance(value, str):
        return [value]
    if isinstance(value, dict) and depth < _DEEPEST:
        return [_said(value, depth + 1)]
    if isinstance(value, list):
        return [str(part).rstrip("\n") for part in value if isinstance(part, str)]
    return []
