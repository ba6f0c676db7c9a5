"""Small functions to run for real, and a look at the processes that are left."""

from __future__ import annotations

import json
import time
from contextlib import suppress
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from autorepair_lab.runtime.model import FunctionSpec
from autorepair_lab.runtime.pool import LambdaRuntime

if TYPE_CHECKING:
    from collections.abc import Callable

    from autorepair_lab.runtime.model import InvocationResult

APP = """
import logging, os, subprocess, sys, time
seen = []
print("loading")
def handler(event, context):
    seen.append(1)
    if "import" in event:
        return __import__(event["import"]).__file__
    if "print" in event:
        print(event["print"])
    if "child" in event:
        subprocess.Popen(["sleep", str(event["child"])], start_new_session=True)
    if "pid_file" in event:
        with open(event["pid_file"] + "~", "w") as file:
            file.write(str(os.getpid()))
        os.replace(event["pid_file"] + "~", event["pid_file"])
    if "mb" in event:
        block = bytearray(event["mb"] << 20)
        if event.get("free"):
            del block
    if "log" in event:
        logging.getLogger().warning(event["log"])
    time.sleep(event.get("sleep", 0))
    if "raise" in event:
        raise ValueError(event["raise"])
    if "exit" in event:
        os._exit(event["exit"])
    if "answer" in event:
        return {1, 2}
    return {
        "seen": len(seen), "pid": os.getpid(), "env": dict(os.environ), "path": sys.path,
        "cwd": os.getcwd(), "arn": context.invoked_function_arn, "mb": context.memory_limit_in_mb,
        "stream": context.log_stream_name, "request": context.aws_request_id,
        "left_ms": context.get_remaining_time_in_millis(),
        "custom": context.client_context.custom if context.client_context else None,
    }
"""


@dataclass
class Bench:
    """A runtime and one function."""

    runtime: LambdaRuntime
    spec: FunctionSpec

    def call(self, event: dict[str, Any] | None = None, **changes: object) -> InvocationResult:
        """Invoke the function, changed for this call."""
        spec = _changed(self.spec, changes)
        return self.runtime.invoke(spec, json.dumps(event or {}).encode())

    def tell(self, event: dict[str, Any] | None = None, **changes: object) -> dict[str, Any]:
        """Invoke it and return what the handler saw."""
        result = self.call(event, **changes)
        assert result.status == "success", result
        answer: dict[str, Any] = json.loads(result.payload)
        return answer


def make_spec(folder: Path, code: str = APP, **changes: object) -> FunctionSpec:
    """Write the code and describe a function that runs it."""
    code_dir = folder / "code"
    code_dir.mkdir(parents=True, exist_ok=True)
    (code_dir / "app.py").write_text(code)
    spec = FunctionSpec(
        name="checkout",
        version="$LATEST",
        arn="arn:aws:lambda:eu-west-1:111122223333:function:checkout",
        handler="app.handler",
        memory_mb=128,
        timeout_s=10,
        code_dir=code_dir,
        layer_dirs=(),
        env=(),
        account_id="111122223333",
        region="eu-west-1",
        log_group="/aws/lambda/checkout",
    )
    return _changed(spec, changes)


def _changed(spec: FunctionSpec, changes: dict[str, Any]) -> FunctionSpec:
    return replace(spec, **changes)


def make_runtime(folder: Path, **settings: Any) -> LambdaRuntime:  # noqa: ANN401  # as given
    """Open a runtime whose endpoint nobody listens on."""
    return LambdaRuntime(endpoint_url="http://127.0.0.1:1", workdir=folder / "work", **settings)


def messages(result: InvocationResult) -> list[str]:
    """Return what the call wrote to its log."""
    return [event.message for event in result.log_events]


def line(result: InvocationResult, start: str) -> str:
    """Return the one log event that starts so."""
    (found,) = [message for message in messages(result) if message.startswith(start)]
    return found


def processes_mentioning(text: str) -> set[int]:
    """Return the processes, zombies aside, with the text in their arguments or environment."""
    found = set()
    for folder in Path("/proc").iterdir():
        if not folder.name.isdigit():
            continue
        try:
            told = (folder / "cmdline").read_bytes() + (folder / "environ").read_bytes()
        except OSError:
            continue
        if text.encode() in told:
            found.add(int(folder.name))
    return found


def listeners_of(pids: set[int]) -> set[str]:
    """Return the TCP sockets on which these processes listen, by their inodes."""
    inodes = set()
    for pid in pids:
        for fd in Path(f"/proc/{pid}/fd").iterdir():
            with suppress(FileNotFoundError):  # closed in this moment
                inodes.add(str(fd.readlink()))
    return {inode for inode in all_listeners() if f"socket:[{inode}]" in inodes}


def all_listeners() -> set[str]:
    """Return every TCP socket on this machine that somebody listens on.

    Not the ports: others may be given one as soon as it is free.
    """
    rows = [row.split() for row in Path("/proc/net/tcp").read_text().splitlines()[1:]]
    return {row[9] for row in rows if row[3] == "0A"}


def wait_until(is_true: Callable[[], bool], timeout_s: float = 60) -> None:
    """Wait for a condition; fail when it does not come true."""
    give_up = time.monotonic() + timeout_s
    while not is_true():
        assert time.monotonic() < give_up, "it did not come true in time"
        time.sleep(0.02)
