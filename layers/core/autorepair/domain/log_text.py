"""The words of a log event without the envelope that a log format puts around them."""

from __future__ import annotations

import re
from functools import lru_cache
from typing import Any

from autorepair.domain.log_records import LONGEST_KEPT, MOST_KEPT, parsed_object

_WORDS = (
    "errorType",
    "errorMessage",
    "message",
    "msg",
    "@m",
    "exception",
    "exception_name",
    "error",
    "err",
    "thrown",
    "exc_info",
    "cause",
    "@x",
)
_TRACES = ("stackTrace", "stack", "stack_trace", "trace")
_DEEPEST = 3
# Go's logger puts the moment before what it prints.
_MOMENT = re.compile(r"\d{4}/\d\d/\d\d \d\d:\d\d:\d\d(?:\.\d{1,9})? (?=\{)")


def plain_text(message: str) -> str:
    """Give what an event says: of a JSON object its error, message and stack trace, line by line.

    Node's text format puts such an object behind tabs; that one is unwrapped as well.
    """
    return _unwrapped_once(message) if len(message) <= LONGEST_KEPT else _unwrapped(message)


@lru_cache(maxsize=MOST_KEPT)
def _unwrapped_once(message: str) -> str:
    return _unwrapped(message)


def _unwrapped(message: str) -> str:
    if message.startswith("{"):
        value = parsed_object(message)
        return message if value is None else _said(value) or message
    if moment := _MOMENT.match(message):
        return plain_text(message[moment.end() :])
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
        return [text for part in value if (text := _frame(part))]
    return []


def _frame(part: object) -> str:
    """Give one line of a stack trace; Go tells it as an object."""
    if isinstance(part, dict):
        return f"  at {part.get('label')} ({part.get('path')}:{part.get('line')})"
    return part.rstrip("\n") if isinstance(part, str) else ""
