"""One execution environment: init, then one call after another, until something ends it."""

from __future__ import annotations

import math
import shutil
import threading
import time
import uuid
from dataclasses import dataclass
from typing import TYPE_CHECKING

from autorepair_lab.runtime import verdict as verdicts
from autorepair_lab.runtime.call import Call, Ending
from autorepair_lab.runtime.memory import MB
from autorepair_lab.runtime.model import InvocationResult
from autorepair_lab.runtime.platform_log import PlatformLog, Report, billed_ms
from autorepair_lab.runtime.sandbox import Answer, Sandbox
from autorepair_lab.runtime.surroundings import new_log_stream

if TYPE_CHECKING:
    from pathlib import Path

    from autorepair_lab.runtime.memory import MemoryGauge
    from autorepair_lab.runtime.model import FunctionSpec
    from autorepair_lab.runtime.platform_log import Phase
    from autorepair_lab.runtime.spawner import Spawner
    from autorepair_lab.runtime.surroundings import Host
    from autorepair_lab.runtime.verdict import Verdict


@dataclass(frozen=True)
class _Request:
    payload: bytes
    client_context: str | None


@dataclass(frozen=True)
class _Clock:
    """When the invocation began, on both clocks."""

    at_us: int
    monotonic_s: float


class Environment:
    """Runs the calls of one spec one after another; ``kill`` and ``close`` come from any thread.

    Init works as on AWS: for a limited time outside the invocation; if it fails, once more in a
    new process inside it, under the function's timeout.
    """

    def __init__(self, host: Host, spec: FunctionSpec, spawner: Spawner, folder: Path) -> None:
        self.spec = spec
        self.log_stream = new_log_stream(spec.version)
        self.is_usable = True
        self._host, self._spawner, self._folder = host, spawner, folder
        self._processes = 0
        self._lock = threading.Lock()
        self._is_killed = False
        self._is_initialised = False
        self._gauge: MemoryGauge | None = None
        self._peak_mb = 0
        self._sandbox = self._start_sandbox()

    def invoke(self, payload: bytes, client_context: str | None) -> InvocationResult:
        """Run one call to its end, however it ends.

        Raises:
            EnvironmentStartError: the emulator could not be started.
        """
        log = PlatformLog(self.spec)
        request = _Request(payload, client_context)
        if self._is_initialised:
            call = self._send(request, log)
            call.watch(call.is_initialised, time.monotonic() + self._host.init_limit_s)
            return self._run(call, log, init_ms=None, clock=None)
        return self._initialise_and_run(request, log)

    def is_running(self) -> bool:
        """Say whether its processes are there, as they are unless somebody else killed them."""
        return self._sandbox.is_running()

    def kill(self) -> None:
        """Kill the processes (SIGKILL); a call that is running comes back as a crash."""
        with self._lock:
            self._is_killed = True
            self._sandbox.kill()

    def close(self) -> None:
        """Kill, and give everything back; not while a call is running."""
        self.is_usable = False
        self._sandbox.close()
        shutil.rmtree(self._folder, ignore_errors=True)

    def _initialise_and_run(self, request: _Request, log: PlatformLog) -> InvocationResult:
        init_us = _now_us()
        log.init_start(init_us)
        call = self._send(request, log)
        failure = self._await_init(call, init_us, self._host.init_limit_s, log, "init")
        if failure is None:
            self._is_initialised = True
            return self._run(call, log, init_ms=_elapsed_ms(init_us, call.ready_us), clock=None)
        clock = _Clock(_now_us(), time.monotonic())
        if not self._restart():
            return self._conclude(call, log, failure, None, clock)
        call = self._send(request, log)
        failure = self._await_init(call, clock.at_us, self.spec.timeout_s, log, "invoke")
        if failure is None:
            self._is_initialised = True
            return self._run(call, log, init_ms=None, clock=clock)
        return self._conclude(call, log, failure, None, clock)

    def _await_init(
        self, call: Call, since_us: int, limit_s: float, log: PlatformLog, phase: Phase
    ) -> Verdict | None:
        """Wait for the handler to be called; log and return why it cannot be."""
        ending = call.watch(call.is_initialised, time.monotonic() + limit_s)
        if ending is Ending.REACHED and call.begin is not None:
            return None
        call.finish(ending)
        self._note_memory(call, is_at_limit=ending is Ending.MEMORY)
        failure = self._judge(call, str(uuid.uuid4()), ending)
        error_type = None if ending is Ending.TIMEOUT else failure.error_type
        end_us = max(_now_us(), log.latest_us())
        log.init_report(end_us, _elapsed_ms(since_us, end_us), phase=phase, error_type=error_type)
        return failure

    def _run(
        self, call: Call, log: PlatformLog, *, init_ms: float | None, clock: _Clock | None
    ) -> InvocationResult:
        """Follow the handler to its end; ``clock`` is given if the invocation began before it."""
        if clock is None:
            begin = call.begin
            clock = (
                _Clock(begin.at_us, begin.monotonic_s)
                if begin
                else _Clock(_now_us(), time.monotonic())
            )
        deadline_s = clock.monotonic_s + self.spec.timeout_s
        limit_us = clock.at_us + self.spec.timeout_s * 1_000_000
        ending = call.finish(call.measure(call.watch(call.is_answered, deadline_s), limit_us))
        if ending is Ending.TIMEOUT:
            # What stalled unseen has ended before its time, and the log must not run ahead of it.
            time.sleep(max(0.0, deadline_s - time.monotonic()))
        self._note_memory(call, is_at_limit=ending is Ending.MEMORY)
        request_id = call.begin.request_id if call.begin else str(uuid.uuid4())
        return self._conclude(call, log, self._judge(call, request_id, ending), init_ms, clock)

    def _judge(self, call: Call, request_id: str, ending: Ending) -> Verdict:
        if ending is Ending.MEMORY:
            return verdicts.out_of_memory(request_id)
        if ending is Ending.TIMEOUT:
            return verdicts.timed_out(request_id, self.spec.timeout_s, _now_us())
        if call.init_error is not None:
            return verdicts.init_failed(request_id, call.init_error)
        answer = call.answer or Answer(None, b"")
        return verdicts.from_answer(request_id, answer, is_handler_error=call.is_handler_error)

    def _conclude(
        self,
        call: Call,
        log: PlatformLog,
        verdict: Verdict,
        init_ms: float | None,
        clock: _Clock,
    ) -> InvocationResult:
        """Write the platform's lines and put the result together."""
        if not verdict.is_environment_usable:
            self.close()
        duration_ms = self._duration_ms(call, verdict, clock)
        report = Report(
            request_id=verdict.request_id,
            status=verdict.report_status,
            error_type=None if verdict.status == "timeout" else verdict.error_type,
            duration_ms=duration_ms,
            billed_ms=billed_ms(duration_ms, init_ms),
            memory_size_mb=self.spec.memory_mb,
            max_memory_used_mb=self._peak_mb,
            init_duration_ms=init_ms,
        )
        log.start(clock.at_us, verdict.request_id)
        end_us = max(log.latest_us(), clock.at_us + int(duration_ms * 1000))
        if verdict.status == "timeout":
            log.timed_out(end_us, verdict.request_id)
        if verdict.exit_message is not None:
            log.exited(end_us, verdict.exit_message, verdict.error_type or "")
        log.end(end_us, report)
        return self._result(verdict, report, log, clock)

    def _result(
        self, verdict: Verdict, report: Report, log: PlatformLog, clock: _Clock
    ) -> InvocationResult:
        return InvocationResult(
            request_id=verdict.request_id,
            status=verdict.status,
            payload=verdict.payload,
            function_error=None if verdict.status == "success" else "Unhandled",
            started_at=clock.at_us / 1e6,
            duration_ms=report.duration_ms,
            billed_ms=report.billed_ms,
            max_memory_used_mb=report.max_memory_used_mb,
            init_duration_ms=report.init_duration_ms,
            log_stream=self.log_stream,
            log_events=log.events(),
        )

    def _duration_ms(self, call: Call, verdict: Verdict, clock: _Clock) -> float:
        """Return the handler's time; a time-out is charged the timeout, no more."""
        if verdict.status == "timeout":
            return self.spec.timeout_s * 1000.0
        is_over = verdict.is_environment_usable and call.done_us is not None
        return _elapsed_ms(clock.at_us, call.done_us if is_over else _now_us())

    def _note_memory(self, call: Call, *, is_at_limit: bool) -> None:
        """Keep the highest figure this environment has reached; the limit is its ceiling."""
        self._gauge = call.gauge
        size_mb = self.spec.memory_mb
        used_mb = math.ceil(call.gauge.peak_bytes / MB) if call.gauge else 0
        used_mb = size_mb if is_at_limit or call.is_stalled else min(used_mb, size_mb)
        self._peak_mb = max(self._peak_mb, used_mb)

    def _send(self, request: _Request, log: PlatformLog) -> Call:
        call = Call(self._sandbox, self.spec, log, self._gauge)
        self._sandbox.send(request.payload, request.client_context)
        return call

    def _start_sandbox(self) -> Sandbox:
        self._processes += 1
        folder = self._folder / str(self._processes)
        return Sandbox(
            self._host, self.spec, self._spawner, folder=folder, log_stream=self.log_stream
        )

    def _restart(self) -> bool:
        """Replace the process after a failed init; False if somebody killed the environment."""
        with self._lock:
            if self._is_killed:
                return False
            self._sandbox.close()
            self._gauge = None
            self._sandbox = self._start_sandbox()
        return True


def _now_us() -> int:
    return time.time_ns() // 1000


def _elapsed_ms(since_us: int, until_us: int | None) -> float:
    return max(0.0, ((until_us or _now_us()) - since_us) / 1000)
