"""The account: one HTTP endpoint that behaves like AWS, strict where moto is soft."""

from __future__ import annotations

import logging
import os
import socket
import threading
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from datetime import datetime
from pathlib import Path
from types import TracebackType
from typing import Any, Protocol, Self
from unittest.mock import patch
from urllib.parse import parse_qs

from moto.core.config import default_user_config
from moto.moto_api._internal.models import moto_api_backend
from moto.moto_server.werkzeug_app import (
    DomainDispatcherApplication,
    MotoRequestHandler,
    create_backend_app,
)
from werkzeug.serving import BaseWSGIServer, make_server

from autorepair_lab.account import http_api
from autorepair_lab.account.call import Call, Interceptor
from autorepair_lab.account.faults import Fault, FaultPlan
from autorepair_lab.account.gateway import Gateway, Observer
from autorepair_lab.account.invocation_record import InvocationRecord
from autorepair_lab.account.lambda_invoke import Answer, AtMemoryLimit, Runtime
from autorepair_lab.account.own_calls import OwnCalls
from autorepair_lab.account.parts import Parts
from autorepair_lab.account.routes import RouteHandler, RouteReply, RouteRequest
from autorepair_lab.account.stepfunctions import Interpreter
from autorepair_lab.runtime.model import InvocationSink
from autorepair_lab.runtime.pool import LambdaRuntime

# Failed states are expected here; without a handler Python would print moto's errors to stderr.
logging.getLogger("moto").addHandler(logging.NullHandler())

_PORT_VARIABLE = "MOTO_PORT"
_KILL_DELAY_S = 0.2
_RUNNING_LOCK = threading.Lock()
_RUNNING: list[Account] = []


class AccountAlreadyRunningError(RuntimeError):
    """Raised when a second account is started in a process: moto's state is one per process."""


class RuntimeFactory(Protocol):
    """Makes what runs Lambda code."""

    def __call__(self, *, endpoint_url: str, workdir: Path, sink: InvocationSink) -> Runtime:
        """A runtime that reports every invocation to ``sink``."""
        ...


class Account:
    """An emulated AWS account on 127.0.0.1.

    One at a time in a process (start another process for a second lab); its state begins empty at
    ``start()`` and is gone after ``close()``. ``time_scale`` divides the waits and retry intervals
    of Step Functions and of asynchronous invocations; ``settle_s`` is how long an update of a
    function stays in progress.
    """

    def __init__(  # noqa: PLR0913 - every setting has a default
        self,
        *,
        workdir: Path,
        port: int = 0,
        region: str = "us-east-1",
        account_id: str = "123456789012",
        faults: Sequence[Fault] = (),
        time_scale: float = 1.0,
        interceptors: Sequence[Interceptor] = (),
        settle_s: float = 0.3,
        runtime_factory: RuntimeFactory | None = None,
    ) -> None:
        if time_scale <= 0:
            raise ValueError(f"time_scale must be above 0, not {time_scale}")
        self.region = region
        self.account_id = account_id
        self._workdir = workdir
        self._port = port
        self._time_scale = time_scale
        self._interceptors = list(interceptors)
        self._own_calls = OwnCalls()
        self._own_observers: list[Observer] = []
        self._settle_s = settle_s
        self._factory = runtime_factory or LambdaRuntime
        self._gateway = Gateway(
            _moto(), account_id=account_id, plan=FaultPlan(faults), kill=self._kill
        )
        self._server: BaseWSGIServer | None = None
        self._thread: threading.Thread | None = None
        self._runtime: Runtime | None = None
        self._parts: Parts | None = None
        self._interpreter: Interpreter | None = None
        self._switches = ExitStack()
        self._pool: ThreadPoolExecutor | None = None

    @property
    def endpoint(self) -> str:
        """The URL of the account; known once it is started."""
        return f"http://127.0.0.1:{self._started_server().server_port}"

    def start(self) -> Self:
        """Open the endpoint. Raises AccountAlreadyRunningError, OSError if the port is taken."""
        with _RUNNING_LOCK:
            if _RUNNING:
                raise AccountAlreadyRunningError(
                    f"This process already runs an account on {_RUNNING[0].endpoint}: close it "
                    "first, or start the second one in a process of its own."
                )
            # Werkzeug would print its own advice about a port in use, and end the process.
            with socket.create_server(("127.0.0.1", self._port)):
                pass
            self._server = make_server(
                "127.0.0.1",
                self._port,
                self._gateway,
                threaded=True,
                request_handler=_QuietRequestHandler,
            )
            _RUNNING.append(self)
        try:
            self._prepare()
        except BaseException:
            self.close()
            raise
        self._thread = threading.Thread(
            target=self._server.serve_forever, name="lab-account", daemon=True
        )
        self._thread.start()
        return self

    def _prepare(self) -> None:
        moto_api_backend.reset()
        switch = self._switches.enter_context
        switch(patch.dict(default_user_config, {"iam": {"load_aws_managed_policies": True}}))
        # Parts of moto call the account by this variable.
        switch(patch.dict(os.environ, {_PORT_VARIABLE: str(self._started_server().server_port)}))
        self._workdir.mkdir(parents=True, exist_ok=True)
        self._pool = ThreadPoolExecutor(8, thread_name_prefix="lab-actions")
        self._parts = Parts(
            region=self.region,
            account_id=self.account_id,
            workdir=self._workdir,
            settle_s=self._settle_s,
            time_scale=self._time_scale,
            endpoint=lambda: self.endpoint,
            runtime=self._started_runtime,
            defer=self._submit,
        )
        runtime_dir = self._workdir / "runtime"
        runtime_dir.mkdir(exist_ok=True)
        self._runtime = self._factory(
            endpoint_url=self.endpoint, workdir=runtime_dir, sink=self._parts.ledger.sink
        )
        self._interpreter = Interpreter(
            endpoint=self.endpoint,
            time_scale=self._time_scale,
            on_status=self._parts.announce_execution,
        )
        self._interpreter.__enter__()
        self._link()
        self._add_own_routes(self._parts)

    def _link(self) -> None:
        if self._parts is not None:
            chain = [self._own_calls, *self._interceptors, *self._parts.interceptors()]
            self._gateway.set_chain(chain, [*self._parts.observers(), *self._own_observers])

    def _add_own_routes(self, parts: Parts) -> None:
        self.add_route("GET", "/_lab/inbox", lambda _request: RouteReply(parts.inbox.messages()))
        self.add_route("GET", "/_lab/calls", self._list_calls)
        self.add_route("ANY", http_api.PATTERN, parts.http_apis.serve)
        self.add_route("POST", "/_lab/bedrock", parts.bedrock.receive)
        self.add_route("POST", "/_lab/schedule/(?P<rule>[^/]+)", parts.event_calls.trigger)
        self.add_route("POST", "/_lab/alarms/evaluate", parts.alarm_calls.evaluate)

    def close(self) -> None:
        """Stop everything and free the port; harmless when nothing runs."""
        if self._server is None:
            return
        self._gateway.close()
        if self._interpreter is not None:
            self._interpreter.__exit__(None, None, None)
        if self._parts is not None:
            self._parts.close()
        if self._runtime is not None:
            self._runtime.close()
        if self._thread is not None:
            self._server.shutdown()
            self._thread.join()
        self._server.server_close()
        if self._pool is not None:
            self._pool.shutdown(wait=False, cancel_futures=True)
        self._server = self._runtime = self._parts = self._interpreter = self._thread = None
        self._switches.close()
        moto_api_backend.reset()
        with _RUNNING_LOCK:
            _RUNNING.remove(self)

    def __enter__(self) -> Self:
        """Start, unless started."""
        return self if self._server is not None else self.start()

    def __exit__(
        self,
        _kind: type[BaseException] | None,
        _error: BaseException | None,
        _trace: TracebackType | None,
    ) -> None:
        """Close."""
        self.close()

    def add_interceptor(self, interceptor: Interceptor) -> None:
        """Offer calls to one more interceptor; those added by callers come before the lab's own."""
        self._interceptors.append(interceptor)
        self._link()

    def add_observer(self, observer: Observer) -> None:
        """Tell one more observer of every call that succeeded, before its caller has the answer."""
        self._own_observers.append(observer)
        self._link()

    def add_route(self, method: str, pattern: str, handler: RouteHandler) -> None:
        """Serve a path that is no AWS API; ``pattern`` is a regular expression for all of it.

        Method "ANY" takes every method. Routes are asked in the order of registration.
        """
        self._gateway.routes.add(method, pattern, handler)

    def calls(self, *, with_labs_own: bool = False) -> list[dict[str, Any]]:
        """AWS calls so far: service, operation, count; on demand those of the lab itself too."""
        everybodys = self._gateway.calls()
        return everybodys if with_labs_own else self._own_calls.without(everybodys)

    def inbox(self) -> list[dict[str, Any]]:
        """Every SNS message published so far: topic, subject, message, attributes, at."""
        return self._started().inbox.messages()

    def set_bedrock_answers(self, answers: Sequence[dict[str, Any]]) -> None:
        """Script Bedrock, as POST /_lab/bedrock does. Raises ValueError for a bad answer."""
        self._started().bedrock.set(answers)

    def set_at_memory_limit(self, function_name: str, behaviour: AtMemoryLimit) -> None:
        """Whether a function is killed at its memory limit or stalls there until it times out."""
        self._started().invoker.set_at_memory_limit(function_name, behaviour)

    def invocations(self, function_name: str) -> list[InvocationRecord]:
        """The runtime's own record of a function's invocations, in the order of their ends."""
        return self._started().ledger.records(function_name)

    def invoke(self, function: str, payload: bytes) -> Answer:
        """Run a function (name or ARN, maybe qualified) and wait. Raises CallRefusedError."""
        return self._started().invoker.run(function, payload)

    def evaluate_alarms(self, now: datetime | None = None) -> list[str]:
        """Evaluate every metric alarm; the names of those whose state changed."""
        return self._started().alarms.evaluate(now)

    def trigger_schedule(self, rule_name: str, bus: str = "default") -> int:
        """Run a scheduled rule once; its number of targets. Raises ValueError if unknown."""
        return self._started().bus.trigger(rule_name, bus)

    def _list_calls(self, request: RouteRequest) -> RouteReply:
        wanted = parse_qs(request.query, keep_blank_values=True)
        if wanted not in ({}, {"include": ["lab"]}):
            raise ValueError(f"the only parameter is include=lab, not {request.query}")
        return RouteReply(self.calls(with_labs_own=bool(wanted)))

    def _kill(self, call: Call) -> None:
        parts, runtime = self._started(), self._started_runtime()
        caller = parts.invoker.function_of(call.caller)
        if caller is not None:
            runtime.kill_current(caller)
        elif (call.service, call.operation) == ("lambda", "Invoke"):
            # Nobody's process made this call, so the one that it is about to start is meant.
            name, _ = parts.store.split(call.parameters["FunctionName"])
            timer = threading.Timer(_KILL_DELAY_S, runtime.kill_current, [name])
            timer.daemon = True
            timer.start()

    def _submit(self, action: Callable[[], None]) -> None:
        if self._pool is not None:
            self._pool.submit(action)

    def _started(self) -> Parts:
        if self._parts is None:
            raise RuntimeError("The account is not running: call start() first")
        return self._parts

    def _started_runtime(self) -> Runtime:
        if self._runtime is None:
            raise RuntimeError("The account is not running: call start() first")
        return self._runtime

    def _started_server(self) -> BaseWSGIServer:
        if self._server is None:
            raise RuntimeError("The account is not running: call start() first")
        return self._server


class _QuietRequestHandler(MotoRequestHandler):  # type: ignore[misc]  # moto is untyped
    def log(self, _kind: str, message: str, *args: object) -> None:
        logging.getLogger(__name__).debug(message, *args)


def _moto() -> Any:  # noqa: ANN401 - moto is untyped
    return DomainDispatcherApplication(create_backend_app)
