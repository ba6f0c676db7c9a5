"""How each runtime writes an exception that left the handler, or that ended its process.

A logger's own error line differs: Python's has tabs behind the level, or no traceback, or one that
ends with the exception, which the runtime puts first; Node's lacks the runtime's words. .NET's and
Rust's do not differ, and neither does an error that Node prints as JSON: those are not sure.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

# Lines are searched only so far.
_HEAD = 4_000
_LONGEST = 20_000
_PYTHON = re.compile(r"\[ERROR\] ([\w.]{1,100})(?::|[\r\n]|$)")
_PYTHON_FAULT = "Runtime."
_TRACEBACK = "Traceback"
_NODE_WORDS = ("Invoke Error", "Uncaught Exception", "Unhandled Promise Rejection")
_NODE = re.compile(
    r"\t(?:ERROR\t(?:Invoke Error|Uncaught Exception|Unhandled Promise Rejection)\s*"
    r'|Invoke Error)\t(?:\{\s*"errorType": ?"([^"]{1,100})")?'
)
# The message may have several lines; the type ends its last one and begins the trace.
_JAVA = re.compile(
    r"^[^\n]{0,400}: ([A-Za-z_$][\w$]{0,80}(?:\.[\w$]{1,80}){1,12})\r?\n\1\b", re.MULTILINE
)
_RUBY = re.compile(r"(?:Error raised from handler method|Init error when loading handler)\b")
_ERROR_TYPE = re.compile(r'"errorType": ?"([^"]{1,100})"')
# log.Printf puts the moment before what aws-lambda-go tells the runtime API.
_GO = re.compile(r"\d{4}/\d\d/\d\d \d\d:\d\d:\d\d(?:\.\d{1,9})? \{\"error(?:Message|Type)\":")
_DOTNET = re.compile(
    r"\S{0,40}\t[\w-]{0,40}\t(?:fail|crit|Error|Critical)\t"
    r"((?:[A-Z]\w{0,80}\.){1,8}[A-Z][\w`+]{0,100})(?:[: \r\n(]|$)"
)
_DOTNET_RUNTIME = ("Amazon.Lambda.RuntimeSupport", "lambda_method")
_RUST = re.compile(
    r"\S{0,40}\s{0,3}ERROR\s{1,3}(?:Lambda runtime invoke\{[^}\n]{0,300}\}|lambda_runtime\b)"
)
_PROCESS = re.compile(
    r"(?:panic: |fatal error: |thread '[^'\n]{0,80}' (?:\(\d{1,9}\) )?panicked at "
    r"|Unhandled [Ee]xception[.:] (?P<dotnet>[\w.]{1,200})?"
    r'|Exception in thread "[^"\n]{0,80}" (?P<java>[\w.$]{1,200})?)'
)


@dataclass(frozen=True, slots=True)
class Unhandled:
    """An exception that nobody caught; ``error_type`` is "" where it is not told.

    Where ``is_sure`` is False the function may have logged the same words itself and gone on.
    """

    error_type: str
    is_sure: bool = True


def unhandled(message: str) -> Unhandled | None:
    """Tell whether a line of text is a runtime's record of an exception that nobody caught."""
    for read in _READERS:
        found = read(message)
        if found is not None:
            return found
    return None


def unhandled_object(value: dict[str, Any]) -> Unhandled | None:
    """Tell the same of a line that is a JSON object."""
    words = value.get("message")
    error_type = _text(value.get("errorType"))
    if "logger" in value:
        return None
    if error_type is not None and "errorMessage" in value:
        # Python's and Go's own lines have no message beside the error; .NET's may have one.
        is_runtimes = not words or (isinstance(words, str) and words.startswith(_NODE_WORDS))
        return Unhandled(error_type, is_sure=is_runtimes)
    if isinstance(words, str):
        return _java(words)
    if isinstance(words, dict) and "errorMessage" in words:
        inner = _text(words.get("errorType"))
        return None if inner is None else Unhandled(inner, is_sure=False)
    return None


def _python(message: str) -> Unhandled | None:
    if not message.startswith("[ERROR] "):
        return None
    match = _PYTHON.match(message)
    if match is None:
        return None
    error_type = match[1]
    is_own = error_type.startswith(_PYTHON_FAULT) or _ends_in_frames(message)
    return Unhandled(error_type) if is_own else None


def _ends_in_frames(message: str) -> bool:
    """Whether nothing stands behind the frames of the last traceback."""
    _, found, trace = message.rpartition(_TRACEBACK)
    frames = trace.splitlines()[1:]
    return bool(found) and all(not line or line[0].isspace() for line in frames)


def _node(message: str) -> Unhandled | None:
    match = _NODE.search(message[:600])
    return match and Unhandled(match[1] or "")


def _java(message: str) -> Unhandled | None:
    match = _JAVA.search(message[:_HEAD]) if "\n" in message else None
    return match and Unhandled(match[1])


def _ruby(message: str) -> Unhandled | None:
    if _RUBY.match(message) is None:
        return None
    told = _ERROR_TYPE.search(message[:_LONGEST])
    return Unhandled(told[1] if told else "")


def _go(message: str) -> Unhandled | None:
    if _GO.match(message) is None:
        return None
    told = _ERROR_TYPE.search(message[:_LONGEST])
    return told and Unhandled(told[1])


def _dotnet(message: str) -> Unhandled | None:
    match = _DOTNET.match(message)
    if match is None:
        return None
    passed_runtime = any(frame in message[:_LONGEST] for frame in _DOTNET_RUNTIME)
    return Unhandled(match[1], is_sure=passed_runtime)


def _rust(message: str) -> Unhandled | None:
    return Unhandled("", is_sure=False) if _RUST.match(message) else None


def _process(message: str) -> Unhandled | None:
    match = _PROCESS.match(message)
    return match and Unhandled(match["dotnet"] or match["java"] or "", is_sure=False)


_READERS: tuple[Callable[[str], Unhandled | None], ...] = (
    _python,
    _node,
    _ruby,
    _go,
    _dotnet,
    _rust,
    _process,
    _java,
)


def _text(value: object) -> str | None:
    return value[:200] if isinstance(value, str) and value else None
