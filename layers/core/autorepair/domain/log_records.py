"""What a single log event says: a line of the platform, an unhandled exception, or plain speech."""

from __future__ import annotations

import json
import math
import re
from dataclasses import dataclass
from functools import lru_cache
from typing import Any, Literal

from autorepair.domain.runtime_failures import Unhandled, unhandled, unhandled_object

RecordKind = Literal[
    "init_start", "init_report", "start", "end", "report", "timed_out", "exit", "failure", "speech"
]

# Lambda's request ids are UUIDs; what else stands in their place was not written by the platform.
_UUID_TEXT = r"[0-9a-fA-F]{8}-[0-9a-fA-F]{4}-[0-9a-fA-F]{4}-[0-9a-fA-F]{4}-[0-9a-fA-F]{12}"
_ID = rf"({_UUID_TEXT})(?![\w-])"
_FIGURE = r"(\d{1,12}(?:\.\d{1,6})?)"
_START = re.compile(rf"START RequestId: {_ID}(?: Version: (\S{{1,64}}))?")
_END = re.compile(rf"END RequestId: {_ID}")
_REPORT = re.compile(rf"REPORT RequestId: {_ID}\s")
_TIMED_OUT = re.compile(rf"\S{{1,40}} {_ID} Task timed out after {_FIGURE} seconds")
_EXIT = re.compile(rf"RequestId: {_ID} Error: (.{{0,200}})")
_DURATION = re.compile(rf"\tDuration: {_FIGURE} ms")
_MEMORY = re.compile(rf"\tMemory Size: {_FIGURE} MB")
_MAX_MEMORY = re.compile(rf"\tMax Memory Used: {_FIGURE} MB")
_INIT = re.compile(rf"\tInit Duration: {_FIGURE} ms")
_STATUS = re.compile(r"\sStatus: (\w{1,20})")
_ERROR_TYPE = re.compile(r"\sError Type: ([\w.]{1,100})")
_INIT_DURATION = re.compile(rf"(?:Init|Restore) Duration: {_FIGURE} ms")
_UUID = re.compile(_UUID_TEXT)

_PLATFORM = "platform."
_LARGEST_FIGURE = 1e12
# Every cause reads the same events: what was read is kept, of some tens of megabytes at most.
LONGEST_KEPT, MOST_KEPT = 4_000, 8_192


@dataclass(frozen=True, slots=True)
class Record:
    """One log event, read: figures are None where the event does not tell them.

    ``status`` and ``error_type`` are in the platform's own words.
    """

    kind: RecordKind
    request_id: str | None = None
    version: str | None = None
    status: str | None = None
    error_type: str | None = None
    duration_ms: float | None = None
    memory_mb: int | None = None
    max_memory_used_mb: int | None = None
    init_ms: float | None = None
    is_sure: bool = True
    """Whether only the runtime can have written of the failure."""


def read_record(message: str) -> Record:
    """Read one event of either log format; whatever is not understood is speech. Never raises."""
    return _read_once(message) if len(message) <= LONGEST_KEPT else _read(message)


@lru_cache(maxsize=MOST_KEPT)
def _read_once(message: str) -> Record:
    return _read(message)


def _read(message: str) -> Record:
    if message.startswith("{"):
        return _read_object(message)
    for prefix, read in _READERS:
        if message.startswith(prefix):
            record = read(message)
            if record is not None:
                return record
    return _read_timed_out(message) or _read_speech(message)


def parsed_object(text: str) -> dict[str, Any] | None:
    """Parse a JSON object; None for anything else, however it is broken.

    Lone surrogates, which JSON can spell and no encoding can carry, are replaced.
    """
    try:
        value = json.loads(text)
        if "\\u" in text:
            value = json.loads(readable(json.dumps(value, ensure_ascii=False)))
    except (ValueError, RecursionError):
        return None
    return value if isinstance(value, dict) else None


def readable(text: str) -> str:
    """Replace what no encoding can carry (lone surrogates)."""
    try:
        text.encode()
    except UnicodeEncodeError:
        return text.encode(errors="replace").decode()
    return text


def _read_start(message: str) -> Record | None:
    match = _START.match(message)
    return match and Record("start", request_id=match[1], version=match[2])


def _read_end(message: str) -> Record | None:
    match = _END.match(message)
    return match and Record("end", request_id=match[1])


def _read_report(message: str) -> Record | None:
    match = _REPORT.match(message)
    return match and Record(
        "report",
        request_id=match[1],
        status=_group(_STATUS, message),
        error_type=_group(_ERROR_TYPE, message),
        duration_ms=_figure(_group(_DURATION, message)),
        memory_mb=_whole(_group(_MEMORY, message)),
        max_memory_used_mb=_whole(_group(_MAX_MEMORY, message)),
        init_ms=_figure(_group(_INIT, message)),
    )


def _read_exit(message: str) -> Record | None:
    match = _EXIT.match(message)
    if match is None:
        return None
    timed_out = "Task timed out after" in match[2]
    return Record("timed_out" if timed_out else "exit", request_id=match[1], error_type=match[2])


def _read_init_start(_message: str) -> Record:
    return Record("init_start")


def _read_init_report(message: str) -> Record:
    return Record(
        "init_report",
        status=_group(_STATUS, message),
        error_type=_group(_ERROR_TYPE, message),
        init_ms=_figure(_group(_INIT_DURATION, message)),
    )


_READERS = (
    ("START RequestId: ", _read_start),
    ("END RequestId: ", _read_end),
    ("REPORT RequestId: ", _read_report),
    ("RequestId: ", _read_exit),
    ("INIT_START", _read_init_start),
    ("INIT_REPORT", _read_init_report),
    ("RESTORE_START", _read_init_start),
    ("RESTORE_REPORT", _read_init_report),
)


def _read_timed_out(message: str) -> Record | None:
    if "Task timed out after" not in message[:160]:
        return None
    match = _TIMED_OUT.match(message)
    if match is None:
        return None
    seconds = _figure(match[2])
    return Record(
        "timed_out", request_id=match[1], duration_ms=None if seconds is None else seconds * 1000
    )


def _read_speech(message: str) -> Record:
    head = message[:200]
    said_by = _UUID.search(head)
    request_id = said_by[0] if said_by else None
    return _spoken(request_id, unhandled(message))


def _spoken(request_id: str | None, found: Unhandled | None) -> Record:
    if found is None:
        return Record("speech", request_id=request_id)
    return Record(
        "failure", request_id=request_id, error_type=found.error_type, is_sure=found.is_sure
    )


def _read_object(message: str) -> Record:
    value = parsed_object(message)
    if value is None:
        return _read_speech(message)
    kind = value.get("type")
    if isinstance(kind, str) and kind.startswith(_PLATFORM):
        return _read_platform_object(kind, value)
    request_id = _text(value.get("requestId")) or _text(value.get("AWSRequestId"))
    return _spoken(request_id, unhandled_object(value))


def _read_platform_object(kind: str, value: dict[str, Any]) -> Record:
    if kind == "platform.fault":
        # The text format's line, in a string.
        return _read_exit(str(value.get("record"))) or Record("speech")
    record = _object(value.get("record"))
    metrics = _object(record.get("metrics"))
    kind_read = _PLATFORM_KINDS.get(kind, "speech")
    request_id = _uuid(record.get("requestId"))
    if request_id is None and kind_read in {"start", "end", "report"}:
        return Record("speech")
    is_init = kind_read == "init_report"
    return Record(
        kind_read,
        request_id=request_id,
        version=_text(record.get("version")),
        status=_text(record.get("status")),
        error_type=_text(record.get("errorType")),
        duration_ms=None if is_init else _figure(metrics.get("durationMs")),
        memory_mb=_whole(metrics.get("memorySizeMB")),
        max_memory_used_mb=_whole(metrics.get("maxMemoryUsedMB")),
        init_ms=_figure(metrics.get("durationMs" if is_init else "initDurationMs")),
    )


_PLATFORM_KINDS: dict[str, RecordKind] = {
    "platform.initStart": "init_start",
    "platform.initReport": "init_report",
    "platform.initRuntimeDone": "init_report",
    "platform.restoreStart": "init_start",
    "platform.restoreRuntimeDone": "init_report",
    "platform.restoreReport": "init_report",
    "platform.start": "start",
    "platform.runtimeDone": "end",
    "platform.report": "report",
}


def _group(pattern: re.Pattern[str], text: str) -> str | None:
    match = pattern.search(text)
    return match[1] if match else None


def _text(value: object) -> str | None:
    return value[:200] if isinstance(value, str) and value else None


def _uuid(value: object) -> str | None:
    return value if isinstance(value, str) and _UUID.fullmatch(value) else None


def _object(value: object) -> dict[str, Any]:
    return value if isinstance(value, dict) else {}


def _figure(value: object) -> float | None:
    """Give a finite figure that is not negative and not absurd, or None."""
    if isinstance(value, bool) or not isinstance(value, int | float | str):
        return None
    try:
        figure = float(value)
    except (ValueError, OverflowError):
        return None
    return figure if math.isfinite(figure) and 0 <= figure < _LARGEST_FIGURE else None


def _whole(value: object) -> int | None:
    figure = _figure(value)
    return None if figure is None else round(figure)
