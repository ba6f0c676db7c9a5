"""The first code of an execution environment; runs inside the Lambda process.

It is a file, not a module: the emulator starts it with an interpreter that sees no site-packages,
and it may import nothing but the standard library and awslambdaric. It redirects output into the
environment's pipes, lays out the path as AWS does, and reports to the pool, over the pipe that
AWS's telemetry frames use, when the runtime is ready, begins a call and is done with it.
"""

from __future__ import annotations

import io
import json
import os
import site
import struct
import sys
import time
from typing import Any

SETTINGS = "_LAB_ENVIRONMENT"
# Frames of ours between those of awslambdaric, which are all 0xa55a00xx.
HELLO, READY, BEGIN, DONE, INIT_ERROR, PRINTED = range(0xA55AFF01, 0xA55AFF07)


class Reporter:
    """Writes frames in awslambdaric's own format: type, length, microseconds, message."""

    def __init__(self, fd: int) -> None:
        self.fd = fd

    def send(self, kind: int, message: str = "") -> None:
        """Write one frame."""
        self.send_bytes(kind, message.encode())

    def send_bytes(self, kind: int, body: bytes) -> None:
        """Write one frame; the pipe blocks rather than lose one."""
        frame = struct.pack(">IIQ", kind, len(body), time.time_ns() // 1000) + body
        while frame:
            frame = frame[os.write(self.fd, frame) :]


class PrintedFrames(io.RawIOBase):
    """What Python code prints, sent as frames: with its real time, in order with the log's."""

    def __init__(self, reporter: Reporter, fd: int) -> None:
        super().__init__()
        self.reporter = reporter
        self.fd = fd

    def fileno(self) -> int:
        """Return the real descriptor, for those who write to it past Python."""
        return self.fd

    def writable(self) -> bool:
        """Streams for output."""
        return True

    def write(self, data: Any) -> int:  # noqa: ANN401  # any buffer
        """Send the bytes as they are; the reader cuts them into lines."""
        self.reporter.send_bytes(PRINTED, bytes(data))
        return len(data)


def redirect_output(path: str, reporter: Reporter) -> None:
    """Send Python's streams as frames, and all else that is written to 1 and 2 into a pipe."""
    fd = os.open(path, os.O_WRONLY)
    os.dup2(fd, 1)
    os.dup2(fd, 2)
    os.close(fd)
    sys.stdout = print_stream(reporter, 1)
    sys.stderr = print_stream(reporter, 2)


def print_stream(reporter: Reporter, fd: int) -> io.TextIOWrapper:
    """Make a text stream whose every line leaves at once."""
    raw = io.BufferedWriter(PrintedFrames(reporter, fd))
    return io.TextIOWrapper(raw, encoding="utf-8", errors="backslashreplace", line_buffering=True)


def lay_out_path(function_path: list[str], runtime_dir: str) -> None:
    """Order sys.path as AWS does: task, layers, PYTHONPATH (by default the runtime), stdlib."""
    sys.path[:1] = function_path
    if runtime_dir not in sys.path:
        sys.path.append(runtime_dir)
    # site was not run, so that no site-packages are visible; its builtins exist on AWS.
    site.setquit()
    site.setcopyright()
    site.sethelper()
    # /var/task and /opt are read-only on AWS.
    sys.dont_write_bytecode = True


def run(settings: dict[str, Any], reporter: Reporter) -> None:
    """Hand over to awslambdaric, listening in on the calls it makes to the Runtime API."""
    from awslambdaric import bootstrap  # noqa: PLC0415  # importable only once the path is laid out
    from awslambdaric.lambda_runtime_client import LambdaRuntimeClient  # noqa: PLC0415  # as above

    class ReportingClient(LambdaRuntimeClient):  # type: ignore[misc]  # awslambdaric is untyped
        def wait_next_invocation(self) -> Any:  # noqa: ANN401  # awslambdaric is untyped
            reporter.send(READY)
            request = super().wait_next_invocation()
            # The emulator knows neither the real ARN nor a deadline that excludes the init phase.
            request.invoked_function_arn = settings["arn"]
            request.deadline_time_in_ms = time.time_ns() // 1_000_000 + settings["timeout_ms"]
            reporter.send(BEGIN, request.invoke_id)
            return request

        def post_invocation_result(self, *args: Any, **kwargs: Any) -> None:  # noqa: ANN401  # as above
            reporter.send(DONE, "success")
            super().post_invocation_result(*args, **kwargs)

        def post_invocation_error(self, *args: Any, **kwargs: Any) -> None:  # noqa: ANN401  # as above
            reporter.send(DONE, "error")
            super().post_invocation_error(*args, **kwargs)

        def post_init_error(self, document: Any, *args: Any) -> None:  # noqa: ANN401  # as above
            reporter.send(INIT_ERROR, json.dumps(document))
            super().post_init_error(document, *args)

    is_polling_in_thread = sys.version_info >= (3, 12)  # as awslambdaric does for these runtimes
    address = os.environ["AWS_LAMBDA_RUNTIME_API"]
    bootstrap.run(sys.argv[-1], ReportingClient(address, is_polling_in_thread))


def main() -> None:
    """Prepare the process as AWS would and run the handler's loop."""
    settings = json.loads(os.environ.pop(SETTINGS))
    for name in settings["hidden"]:
        os.environ.pop(name, None)
    reporter = Reporter(os.open(settings["frames"], os.O_WRONLY))
    redirect_output(settings["output"], reporter)
    reporter.send(HELLO, str(os.getpid()))
    lay_out_path(settings["path"], settings["runtime_dir"])
    os.environ["_LAMBDA_TELEMETRY_LOG_FD"] = str(reporter.fd)
    run(settings, reporter)


if __name__ == "__main__":
    main()
