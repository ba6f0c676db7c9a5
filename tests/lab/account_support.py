"""What the account's tests share: a runtime that answers from a table, zips and clients."""

# ruff: noqa: ANN401 - clients of any service are made by name, so their types are open

from __future__ import annotations

import functools
import io
import threading
import time
import uuid
import zipfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import boto3
from botocore.config import Config

from autorepair_lab.account.server import Account
from autorepair_lab.runtime.model import (
    FunctionSpec,
    InvocationResult,
    InvocationSink,
    InvocationStatus,
    LogEvent,
)

ROLE = "arn:aws:iam::123456789012:role/any"
Answer = Callable[[FunctionSpec, bytes], "bytes | Failure"]


class Failure:
    """An error document and the status that goes with it."""

    def __init__(self, document: bytes, status: InvocationStatus = "error") -> None:
        self.document = document
        self.status: InvocationStatus = status


def _echo(_spec: FunctionSpec, payload: bytes) -> bytes | Failure:
    return payload


class TableRuntime:
    """Runs no code: answers by function name, and writes down what it was asked to do."""

    def __init__(self, sink: InvocationSink) -> None:
        self._sink = sink
        self.answers: dict[str, Answer] = {}
        self.specs: list[FunctionSpec] = []
        self.request_ids: list[str] = []
        self.retired: list[str] = []
        self.killed: list[str] = []
        self.is_closed = False
        self.has_killed = threading.Event()

    def invoke(
        self, spec: FunctionSpec, payload: bytes, *, client_context: str | None = None
    ) -> InvocationResult:
        assert client_context is None or client_context
        self.specs.append(spec)
        started = time.time()
        answer = self.answers.get(spec.name, _echo)(spec, payload)
        is_failure = isinstance(answer, Failure)
        result = InvocationResult(
            request_id=str(uuid.uuid4()),
            status=answer.status if isinstance(answer, Failure) else "success",
            payload=answer.document if isinstance(answer, Failure) else answer,
            function_error="Unhandled" if is_failure else None,
            started_at=started,
            duration_ms=12.5,
            billed_ms=13,
            max_memory_used_mb=40,
            init_duration_ms=None,
            log_stream=f"2026/01/01/[{spec.version}]0123456789abcdef",
            log_events=(
                LogEvent(int(started * 1000), "START"),
                LogEvent(int(started * 1000), "END"),
            ),
        )
        self.request_ids.append(result.request_id)
        self._sink(spec, result)
        return result

    def retire(self, function_name: str) -> None:
        self.retired.append(function_name)

    def kill_current(self, function_name: str) -> None:
        self.killed.append(function_name)
        self.has_killed.set()

    def close(self) -> None:
        self.is_closed = True


@functools.cache
def _session() -> boto3.session.Session:
    """One for the process: it keeps the service models, which take long to load."""
    return boto3.session.Session(
        aws_access_key_id="test", aws_secret_access_key="test", region_name="us-east-1"
    )


class Lab:
    """A running account, its fake runtime and clients to it."""

    def __init__(self, account: Account, runtimes: list[TableRuntime]) -> None:
        self.account = account
        self._runtimes = runtimes
        self._clients: dict[tuple[str, int, str | None], Any] = {}

    @property
    def runtime(self) -> TableRuntime:
        return self._runtimes[-1]

    def client(self, service: str, *, attempts: int = 1, app_id: str | None = None) -> Any:
        """A client of the account; the same for the same arguments."""
        key = (service, attempts, app_id)
        if key not in self._clients:
            self._clients[key] = _session().client(
                service,  # type: ignore[call-overload]  # any service, by name
                endpoint_url=self.account.endpoint,
                config=Config(  # type: ignore[call-arg]  # the stubs lack user_agent_appid
                    retries={"total_max_attempts": attempts, "mode": "standard"},
                    user_agent_appid=app_id,
                    parameter_validation=False,
                ),
            )
        return self._clients[key]

    def close(self) -> None:
        for client in self._clients.values():
            client.close()


@contextmanager
def running_lab(workdir: Path, **settings: Any) -> Iterator[Lab]:
    """An account with a runtime of answers, closed at the end."""
    runtimes: list[TableRuntime] = []

    def factory(*, endpoint_url: str, workdir: Path, sink: InvocationSink) -> TableRuntime:
        assert endpoint_url.startswith("http://127.0.0.1:")
        assert workdir.is_dir()
        runtimes.append(TableRuntime(sink))
        return runtimes[-1]

    settings.setdefault("settle_s", 0.05)
    account = Account(workdir=workdir, runtime_factory=factory, **settings)
    with account:
        lab = Lab(account, runtimes)
        try:
            yield lab
        finally:
            lab.close()


def zip_of(source: str = "def handler(event, context): return event\n") -> bytes:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        archive.writestr("app.py", source)
    return buffer.getvalue()


def create_function(client: Any, name: str, **settings: Any) -> dict[str, Any]:
    made: dict[str, Any] = client.create_function(
        FunctionName=name,
        Role=ROLE,
        Runtime="python3.12",
        Handler="app.handler",
        Code={"ZipFile": settings.pop("code", None) or zip_of()},
        **settings,
    )
    return made


def until(condition: Callable[[], Any], *, within_s: float = 60.0) -> Any:
    """The first true value of a condition; fails the test if it never comes."""
    deadline = time.monotonic() + within_s
    while time.monotonic() < deadline:
        value = condition()
        if value:
            return value
        time.sleep(0.02)
    raise AssertionError("the condition never came true")
