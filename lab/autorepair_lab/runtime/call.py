"""Watches one request to one emulator: what it writes, how much memory it takes, how it ends."""

from __future__ import annotations

import json
import time
from dataclasses import dataclass
from enum import Enum, auto
from typing import TYPE_CHECKING, Any

from autorepair_lab.runtime.frames import Report
from autorepair_lab.runtime.memory import MB, MemoryGauge

if TYPE_CHECKING:
    from collections.abc import Callable

    from autorepair_lab.runtime.frames import Frame
    from autorepair_lab.runtime.model import FunctionSpec
    from autorepair_lab.runtime.platform_log import PlatformLog
    from autorepair_lab.runtime.sandbox import Answer, Sandbox

SAMPLE_S = 0.01
ANSWER_S = 10.0
"""How long the answer of a handler that was done in time may take to come through."""


class Ending(Enum):
    """Why the watching stopped."""

    REACHED = auto()  # what was waited for has happened
    TIMEOUT = auto()
    MEMORY = auto()


@dataclass(frozen=True)
class Begin:
    """The moment the runtime handed the event to the handler."""

    request_id: str
    at_us: int
    monotonic_s: float


class Call:
    """The life of one request, as told by the launcher's reports and the emulator's answer."""

    def __init__(
        self, sandbox: Sandbox, spec: FunctionSpec, log: PlatformLog, gauge: MemoryGauge | None
    ) -> None:
        self._sandbox = sandbox
        self._limit_bytes = spec.memory_mb * MB
        self._is_stalling = spec.at_memory_limit == "stall"
        self._log = log
        self.gauge = gauge
        self.is_stalled = False
        self.ready_us: int | None = None
        self.begin: Begin | None = None
        self.done_us: int | None = None
        self.is_handler_error = False
        self.init_error: dict[str, Any] | None = None
        self.answer: Answer | None = None

    def is_initialised(self) -> bool:
        """Say whether the init phase is over, well or badly."""
        return self.begin is not None or self.init_error is not None or self.answer is not None

    def is_answered(self) -> bool:
        """Say whether the emulator has answered or is gone."""
        return self.answer is not None

    def watch(self, is_over: Callable[[], bool], deadline_s: float) -> Ending:
        """Follow the request until something happens; ``deadline_s`` is monotonic.

        At the memory limit the process is frozen if the function is to stall there.
        """
        while not is_over():
            left_s = deadline_s - time.monotonic()
            # On a busy machine what was waited for may lie there unread when the time is over.
            self._take(*self._sandbox.poll(max(0.0, min(SAMPLE_S, left_s))))
            if self._is_at_memory_limit():
                return Ending.MEMORY
            if left_s <= 0 and not is_over():
                return Ending.TIMEOUT
        return Ending.REACHED

    def measure(self, ending: Ending, limit_us: int) -> Ending:
        """Give the ending as the process's own clock has it, however late it was looked at.

        ``limit_us`` is when the function's time was over. A handler that was done by then is
        waited for; what one that was done later has printed after it, nobody is to see.
        """
        if ending is Ending.MEMORY or self.is_stalled or self.done_us is None:
            return ending
        if self.done_us > limit_us:
            self._log.cut_off(limit_us)
            return Ending.TIMEOUT
        if ending is Ending.TIMEOUT:
            return self.watch(self.is_answered, time.monotonic() + ANSWER_S)
        return ending

    def finish(self, ending: Ending) -> Ending:
        """Read what is left to read; give the ending, if need be as the memory limit makes it.

        On a busy machine the limit may be crossed between two samples. A function that is to stall
        there has then ended all the same, and counts as one that would have timed out.
        """
        for frame in self._sandbox.drain(is_last=True):
            self._take_frame(frame)
        if self.gauge is None or self.gauge.read_high_water_mark() <= self._limit_bytes:
            return ending
        if not self._is_stalling:
            return Ending.MEMORY
        self.is_stalled = True
        return Ending.TIMEOUT

    def _is_at_memory_limit(self) -> bool:
        """Sample; freeze a stalling function once, report any other."""
        if self.gauge is None or self.is_stalled or self.answer is not None:
            return False
        if self.gauge.sample() < self._limit_bytes:
            return False
        if self._is_stalling:
            self.gauge.stop_processes()
            self.is_stalled = True
        return not self._is_stalling

    def _take(self, frames: list[Frame], answer: Answer | None) -> None:
        for frame in frames:
            self._take_frame(frame)
        self.answer = answer if answer is not None else self.answer

    def _take_frame(self, frame: Frame) -> None:
        match frame.report:
            case None:
                self._log.function_line(frame.timestamp_us, frame.text)
            case Report.HELLO:
                self.gauge = MemoryGauge(int(frame.text))
            case Report.READY:
                self.ready_us = self.ready_us or frame.timestamp_us
            case Report.BEGIN:
                # The function's time runs since it was written, which is not when it is read.
                late_s = max(0.0, time.time() - frame.timestamp_us / 1e6)
                self.begin = Begin(frame.text, frame.timestamp_us, time.monotonic() - late_s)
            case Report.DONE:
                self.done_us = frame.timestamp_us
                self.is_handler_error = frame.text == "error"
            case Report.INIT_ERROR:
                self.init_error = json.loads(frame.text)
