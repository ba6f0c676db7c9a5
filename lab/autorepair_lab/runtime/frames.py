"""Reads what a Lambda process writes: telemetry frames with their boundaries, and plain lines."""

from __future__ import annotations

import struct
from dataclasses import dataclass
from enum import IntEnum
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator

_HEADER = struct.Struct(">IIQ")
_MAGIC = b"\xa5\x5a"
_MAX_FRAME_BYTES = 1 << 26  # a longer length is a torn frame, not a message


class Report(IntEnum):
    """Frame types of the launcher; the numbers are its own, too."""

    HELLO = 0xA55AFF01
    READY = 0xA55AFF02
    BEGIN = 0xA55AFF03
    DONE = 0xA55AFF04
    INIT_ERROR = 0xA55AFF05
    PRINTED = 0xA55AFF06


_REPORTS = frozenset(Report)


@dataclass(frozen=True)
class Frame:
    """One message with the time (epoch microseconds) that its writer gave it."""

    report: Report | None  # None: a log event
    timestamp_us: int
    body: bytes

    @property
    def text(self) -> str:
        """The message as text; bytes that are none are marked."""
        return self.body.decode(errors="replace")


class FrameReader:
    """Cuts a byte stream into frames.

    Frames of several threads can tear each other when they are longer than a pipe's atomic write;
    bytes that start no frame are skipped up to the next one that does.
    """

    def __init__(self) -> None:
        self._pending = b""

    def feed(self, data: bytes) -> Iterator[Frame]:
        """Yield the frames that are complete now."""
        self._pending += data
        while len(self._pending) >= _HEADER.size:
            kind, length, timestamp_us = _HEADER.unpack_from(self._pending)
            if kind >> 16 != int.from_bytes(_MAGIC, "big") or length > _MAX_FRAME_BYTES:
                self._skip_to_next()
                continue
            end = _HEADER.size + length
            if len(self._pending) < end:
                return
            body = self._pending[_HEADER.size : end]
            self._pending = self._pending[end:]
            yield Frame(Report(kind) if kind in _REPORTS else None, timestamp_us, body)

    def _skip_to_next(self) -> None:
        start = self._pending.find(_MAGIC, 1)
        self._pending = self._pending[start:] if start > 0 else self._pending[-1:]
        if start <= 0 and self._pending != _MAGIC[:1]:
            self._pending = b""


class LineReader:
    """Cuts a byte stream into lines, as AWS does with what a function prints."""

    def __init__(self) -> None:
        self._pending = b""

    def feed(self, data: bytes, at_us: int) -> Iterator[Frame]:
        """Yield the lines that are complete now, without their ends, as log frames."""
        *lines, self._pending = (self._pending + data).split(b"\n")
        for line in lines:
            yield Frame(None, at_us, line)

    def rest(self, at_us: int) -> Iterator[Frame]:
        """Yield the unfinished last line, if there is one."""
        if self._pending:
            yield Frame(None, at_us, self._pending)
        self._pending = b""
