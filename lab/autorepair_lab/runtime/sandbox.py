"""One emulator process: its ports, its pipes, and one request at a time."""

from __future__ import annotations

import contextlib
import http.client
import os
import select
import shutil
import socket
import sys
import time
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from autorepair_lab.runtime.errors import (
    EnvironmentStartError,
    LambdaRuntimeError,
    SupervisorLostError,
)
from autorepair_lab.runtime.frames import Frame, FrameReader, LineReader, Report
from autorepair_lab.runtime.surroundings import Host, process_environment

if TYPE_CHECKING:
    from collections.abc import Container

    from autorepair_lab.runtime.model import FunctionSpec
    from autorepair_lab.runtime.spawner import Spawner

_LAUNCHER = Path(__file__).with_name("launcher.py")
_INVOKE_PATH = "/2015-03-31/functions/function/invocations"
_START_S = 60.0
_START_PAUSE_S = 0.002
_READ_BYTES = 1 << 16


@dataclass(frozen=True)
class Answer:
    """The emulator's HTTP answer; ``None`` as status: it died without one."""

    status: int | None
    body: bytes


class Sandbox:
    """Starts an emulator and speaks to it; used by one thread at a time, killed by any."""

    def __init__(
        self, host: Host, spec: FunctionSpec, spawner: Spawner, *, folder: Path, log_stream: str
    ) -> None:
        self._spawner = spawner
        self._folder = folder
        self._connection: http.client.HTTPConnection | None = None
        self._frames = FrameReader()
        self._printed, self._output = LineReader(), LineReader()
        self._hung_up: set[int] = set()
        self._has_listened = False
        folder.mkdir(parents=True)
        self._resources = contextlib.ExitStack()
        self._frames_fd = self._open_pipe("frames")
        self._output_fd = self._open_pipe("output")
        self._port, api_port = self._reserve_port(), self._reserve_port()
        try:
            self._pid = self._spawn(host, spec, api_port, log_stream)
        except LambdaRuntimeError:
            self._resources.close()
            raise

    def send(self, payload: bytes, client_context: str | None) -> None:
        """Post an invocation; its answer is announced by ``poll``.

        Raises:
            EnvironmentStartError: the emulator does not answer on its port.
        """
        headers = {"Content-Type": "application/json"}
        if client_context is not None:
            headers["X-Amz-Client-Context"] = client_context
        self._connection = http.client.HTTPConnection("127.0.0.1", self._port)
        self._connect(self._connection)
        if self._connection.sock is None:
            return
        try:
            self._connection.request("POST", _INVOKE_PATH, payload, headers)
        except OSError:
            return  # killed in this moment; poll will find the broken connection

    def poll(self, timeout_s: float) -> tuple[list[Frame], Answer | None]:
        """Wait for anything to happen; return what was written and, once it came, the answer.

        Lines that Python code printed carry the time they were printed, lines that got out past
        Python's streams the time they were read.
        """
        poller = select.poll()
        for fd in self._open_fds():
            poller.register(fd, select.POLLIN)
        ready = dict(poller.poll(timeout_s * 1000))
        # A pipe that all writers closed would report so for ever.
        self._hung_up |= {fd for fd, events in ready.items() if events == select.POLLHUP}
        answer = self._read_answer(ready)
        return self.drain(), answer

    def drain(self, *, is_last: bool = False) -> list[Frame]:
        """Return what is in the pipes now; ``is_last`` also returns an unfinished line."""
        frames: list[Frame] = []
        for frame in self._frames.feed(_read_all(self._frames_fd)):
            if frame.report is Report.PRINTED:
                frames.extend(self._printed.feed(frame.body, frame.timestamp_us))
            else:
                frames.append(frame)
        output = _read_all(self._output_fd)
        now_us = time.time_ns() // 1000
        frames.extend(self._output.feed(output, now_us))
        if is_last:
            frames.extend(self._printed.rest(now_us))
            frames.extend(self._output.rest(now_us))
        return frames

    def kill(self) -> None:
        """Kill the emulator and everything below it (SIGKILL); idempotent."""
        with contextlib.suppress(SupervisorLostError):  # it killed everything on its way out
            self._spawner.kill(self._pid)

    def is_running(self) -> bool:
        """Say whether the emulator process is still there."""
        return Path(f"/proc/{self._pid}").exists()

    def close(self) -> None:
        """Kill, and give back ports, pipes and the folder."""
        self.kill()
        if self._connection is not None:
            self._connection.close()
        self._resources.close()
        shutil.rmtree(self._folder, ignore_errors=True)

    def _open_pipe(self, name: str) -> int:
        path = self._folder / name
        os.mkfifo(path, 0o600)
        fd = os.open(path, os.O_RDONLY | os.O_NONBLOCK)
        self._resources.callback(os.close, fd)
        return fd

    def _reserve_port(self) -> int:
        """Find a free port and keep it ours.

        A bound socket that does not listen keeps the kernel from giving the port to others, while
        SO_REUSEADDR on both sides lets the emulator listen on it.
        """
        reservation = self._resources.enter_context(socket.socket())
        reservation.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        reservation.bind(("127.0.0.1", 0))
        port: int = reservation.getsockname()[1]
        return port

    def _spawn(self, host: Host, spec: FunctionSpec, api_port: int, log_stream: str) -> int:
        private = {"frames": str(self._folder / "frames"), "output": str(self._folder / "output")}
        emulator = [
            *(str(host.emulator), "--log-level", "error"),
            *("--runtime-interface-emulator-address", f"127.0.0.1:{self._port}"),
            *("--runtime-api-address", f"127.0.0.1:{api_port}"),
        ]
        return self._spawner.spawn(
            [*emulator, sys.executable, "-S", str(_LAUNCHER), spec.handler],
            env=process_environment(
                host, spec, log_stream=log_stream, folder=self._folder, private=private
            ),
            cwd=spec.code_dir,
            log=self._folder / "emulator.log",
            marker=log_stream,
        )

    def _connect(self, connection: http.client.HTTPConnection) -> None:
        give_up = time.monotonic() + _START_S
        while True:
            try:
                connection.connect()
            except ConnectionRefusedError as error:
                if self._has_listened:
                    return  # it died while idle; poll will find no connection
                if time.monotonic() > give_up:
                    log = self._folder / "emulator.log"
                    said = log.read_text(errors="replace") if log.exists() else ""
                    raise EnvironmentStartError(
                        f"the emulator does not listen on 127.0.0.1:{self._port}; it said: {said!r}"
                    ) from error
                time.sleep(_START_PAUSE_S)
            else:
                self._has_listened = True
                return

    def _open_fds(self) -> list[int]:
        fds = [fd for fd in (self._frames_fd, self._output_fd) if fd not in self._hung_up]
        if self._connection is not None and self._connection.sock is not None:
            fds.append(self._connection.sock.fileno())
        return fds

    def _read_answer(self, ready: Container[int]) -> Answer | None:
        connection = self._connection
        if connection is None or connection.sock is None:
            return Answer(None, b"")
        if connection.sock.fileno() not in ready:
            return None
        try:
            response = connection.getresponse()
            return Answer(response.status, response.read())
        except (OSError, http.client.HTTPException):
            return Answer(None, b"")
        finally:
            connection.close()


def _read_all(fd: int) -> bytes:
    """Read what a non-blocking pipe holds."""
    chunks: list[bytes] = []
    while True:
        try:
            chunk = os.read(fd, _READ_BYTES)
        except BlockingIOError:
            break
        if not chunk:
            break
        chunks.append(chunk)
    return b"".join(chunks)
