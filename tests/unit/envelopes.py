"""How runtimes write a failure: the words of an exception in each language's own envelope."""

from __future__ import annotations

import json
from collections.abc import Callable
from datetime import timedelta

from autorepair.domain.log_format import RawEvent
from unit.logbook import START, Logbook

Call = Callable[[Logbook], None]
_FRAMES = (
    "\nTraceback (most recent call last):\n"
    '  File "/var/task/app.py", line 9, in handler\n    run(event)'
)


def python(words: str) -> Call:
    return lambda log: log.fail(f"[ERROR] {words}{_FRAMES}")


def node(kind: str, message: str, **more: object) -> Call:
    told = {"errorType": kind, "errorMessage": message, **more, "stack": [f"{kind}: {message}"]}

    def call(log: Logbook) -> None:
        request = f"00000000-0000-4000-8000-{log.calls + 1:012d}"
        log.fail(f"2026-03-04T05:06:07.123Z\t{request}\tERROR\tInvoke Error \t{json.dumps(told)}")

    return call


def java(kind: str, message: str) -> Call:
    return lambda log: log.fail(
        f"{message}: {kind}\n{kind}: {message}\n\tat com.acme.H.handle(H.java:3)\n"
    )


def ruby(kind: str, message: str) -> Call:
    told = json.dumps({"errorMessage": message, "errorType": f"Function<{kind}>"}, indent=2)
    return lambda log: log.fail(f"Error raised from handler method\n{told}")


def told_as_json(kind: str, message: str) -> Call:
    """As Go and .NET do, and every runtime in the JSON log format."""
    told = {"errorType": kind, "errorMessage": message, "stackTrace": ["at A.B()"]}
    return lambda log: log.fail(json.dumps(told))


def cold_start(words: str, kind: str = "Runtime.ImportModuleError") -> Call:
    """The runtime could not load the code."""

    def call(log: Logbook) -> None:
        log.is_cold = True
        log.call(4, says=[(0.001, words)], status=f"Status: error\tError Type: {kind}")

    return call


def python_start(words: str) -> Call:
    return cold_start(f"[ERROR] Runtime.ImportModuleError: {words}\nTraceback (most recent call):")


def node_start(message: str, kind: str = "Runtime.ImportModuleError") -> Call:
    told = {"errorType": kind, "errorMessage": message, "stack": [f"{kind}: {message}"]}
    words = f"2026-03-04T05:06:07Z\tundefined\tERROR\tUncaught Exception \t{json.dumps(told)}"
    return cold_start(words, kind)


def refused_start(words: str, kind: str = "Runtime.InvalidEntrypoint") -> Call:
    """Lambda could not even start a process."""

    def call(log: Logbook) -> None:
        log.is_cold = True
        status = f"Status: error\tError Type: {kind}"
        log.call(4, status=status, last_words=f"RequestId: {{id}} Error: {words}\n{kind}")

    return call


def dead_process(words: str) -> Call:
    """The process ended by itself, after it had its say."""

    def call(log: Logbook) -> None:
        log.is_cold = True
        log.call(
            4,
            says=[(0.001, words)],
            status="Status: error\tError Type: Runtime.ExitError",
            last_words="RequestId: {id} Error: Runtime exited with error: exit status 1\n"
            "Runtime.ExitError",
        )

    return call


def failing(call: Call, *, count: int = 4) -> Logbook:
    log = Logbook()
    for _ in range(count):
        call(log)
    return log


def reported_as_json(error_type: str, *, count: int = 4) -> Logbook:
    """A log in the JSON format in which nothing but the platform speaks."""
    log = Logbook()
    for number in range(1, count + 1):
        request = f"00000000-0000-4000-9000-{number:012d}"
        at = START + timedelta(seconds=number)
        for kind, more in (
            ("platform.start", {"version": "$LATEST"}),
            ("platform.report", {"status": "error", "errorType": error_type, "metrics": {}}),
        ):
            event = {"type": kind, "record": {"requestId": request, **more}}
            log.events.append(RawEvent(f"j{number}{kind}", at, log.stream, json.dumps(event)))
    log.now = START + timedelta(seconds=count + 1)
    return log
