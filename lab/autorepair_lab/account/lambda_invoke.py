"""Invokes functions: finds the version, unpacks its code, runs it, answers as Lambda does."""

from __future__ import annotations

import base64
import hashlib
import json
import random
import threading
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any, Literal, Protocol

from autorepair_lab.account.call import Call, CallRefusedError, ErrorReply, Reply
from autorepair_lab.account.lambda_code import CodeCache
from autorepair_lab.account.lambda_rules import check_model
from autorepair_lab.account.lambda_store import (
    LATEST,
    Function,
    FunctionStore,
    LayerVersion,
    Version,
)
from autorepair_lab.runtime.model import FunctionSpec, InvocationResult

_SYNC_LIMIT_BYTES = 6 * 1024 * 1024
_ASYNC_LIMIT_BYTES = 1024 * 1024
_TAIL_BYTES = 4096
AtMemoryLimit = Literal["kill", "stall"]


class Runtime(Protocol):
    """What runs the code; ``autorepair_lab.runtime.pool.LambdaRuntime`` is one."""

    def invoke(
        self, spec: FunctionSpec, payload: bytes, *, client_context: str | None = None
    ) -> InvocationResult:
        """Run one invocation to its end."""
        ...

    def retire(self, function_name: str) -> None:
        """Stop the function's environments."""
        ...

    def kill_current(self, function_name: str) -> object:
        """Kill the process that is running a call of the function."""
        ...

    def close(self) -> None:
        """Stop everything."""
        ...


@dataclass(frozen=True)
class Answer:
    """What an invocation came to, and the version that ran."""

    result: InvocationResult
    version: str


class LambdaInvoker:
    """Interceptor for Invoke and InvokeAsync; also runs functions for the account itself.

    ``on_throttled`` is told the function's name and the qualifier used.
    """

    def __init__(
        self,
        store: FunctionStore,
        runtime: Callable[[], Runtime],
        cache: CodeCache,
        *,
        on_throttled: Callable[[str, str], None],
        on_event: Callable[[Function, str, bytes], None],
    ) -> None:
        self._store = store
        self._runtime = runtime
        self._cache = cache
        self._on_throttled = on_throttled
        self._on_event = on_event
        self._running: Counter[str] = Counter()
        self._lock = threading.Lock()
        self._at_memory_limit: dict[str, AtMemoryLimit] = {}
        self._callers: dict[str, str] = {}

    def set_at_memory_limit(self, function_name: str, behaviour: AtMemoryLimit) -> None:
        """What the runtime does with this function at its memory limit."""
        self._at_memory_limit[function_name] = behaviour

    def running(self, function_name: str) -> int:
        """How many invocations of the function run at this moment."""
        with self._lock:
            return self._running[function_name]

    def function_of(self, caller: str) -> str | None:
        """The function behind the mark that its SDK puts into the user agent."""
        return self._callers.get(caller)

    def handle(self, call: Call) -> Reply | ErrorReply | None:
        """Answer Invoke."""
        if call.service != "lambda" or call.operation != "Invoke":
            return None
        parameters = call.parameters
        kind = parameters.get("InvocationType", "RequestResponse")
        payload = parameters.get("Payload") or b"{}"
        qualifier = parameters.get("Qualifier")
        check_model("Invoke", {k: v for k, v in parameters.items() if k != "Payload"})
        _check_payload(payload, _ASYNC_LIMIT_BYTES if kind == "Event" else _SYNC_LIMIT_BYTES)
        with self._store.locked():
            function, version = self._store.resolve(parameters["FunctionName"], qualifier)
            _, asked = self._store.split(parameters["FunctionName"], qualifier)
        if kind == "DryRun":
            return Reply(status=204)
        if kind == "Event":
            self._on_event(function, asked, payload)
            return Reply({"ExecutedVersion": version.number}, 202)
        context = parameters.get("ClientContext")
        answer = self.run(function.qualified_arn(asked), payload, client_context=context)
        output = _output(answer, wants_tail=parameters.get("LogType") == "Tail")
        return Reply(output, request_id=answer.result.request_id)

    def run(self, reference: str, payload: bytes, *, client_context: str | None = None) -> Answer:
        """Run a function (name or ARN, maybe qualified) and wait for its end.

        Raises CallRefusedError: ResourceNotFoundException, TooManyRequestsException.
        """
        with self._store.locked():
            function, version = self._store.resolve(reference)
            _, asked = self._store.split(reference)
            version = self._routed(function, version, asked)
            spec = self._spec(function, version, asked)
        with self._slot(function, asked):
            result = self._runtime().invoke(spec, payload, client_context=client_context)
        return Answer(result, version.number)

    def _routed(self, function: Function, version: Version, asked: str) -> Version:
        routing = function.aliases.get(asked, {}).get("RoutingConfig") or {}
        draw = random.random()  # noqa: S311 - spreads traffic, guards nothing
        for number, weight in (routing.get("AdditionalVersionWeights") or {}).items():
            if draw < weight:
                return self._store.version(function, number)
            draw -= weight
        return version

    @contextmanager
    def _slot(self, function: Function, asked: str) -> Iterator[None]:
        with self._lock:
            reserved = function.reserved_concurrency
            is_full = reserved is not None and self._running[function.name] >= reserved
            if not is_full:
                self._running[function.name] += 1
        if is_full:
            self._on_throttled(function.name, asked)
            raise CallRefusedError(
                "TooManyRequestsException",
                "Rate Exceeded.",
                429,
                Reason="ReservedFunctionConcurrentInvocationLimitExceeded",
                Type="User",
            )
        try:
            yield
        finally:
            with self._lock:
                self._running[function.name] -= 1

    def _spec(self, function: Function, version: Version, asked: str) -> FunctionSpec:
        config = version.config
        layers = [self._layer(layer["Arn"]) for layer in config.get("Layers", [])]
        mark = "lab-" + hashlib.sha256(function.name.encode()).hexdigest()[:16]
        self._callers[mark] = function.name
        variables = dict((config.get("Environment") or {}).get("Variables") or {})
        # How the account knows, at its door, which function makes a call (faults need it).
        variables.setdefault("AWS_SDK_UA_APP_ID", mark)
        logging = config["LoggingConfig"]
        return FunctionSpec(
            name=function.name,
            version=version.number,
            arn=function.qualified_arn("" if asked == LATEST else asked),
            handler=config.get("Handler", ""),
            memory_mb=config["MemorySize"],
            timeout_s=config["Timeout"],
            code_dir=self._cache.folder(version.code, config["CodeSha256"]),
            layer_dirs=tuple(
                self._cache.folder(one.code, one.output["Content"]["CodeSha256"]) for one in layers
            ),
            env=tuple(sorted(variables.items())),
            account_id=self._store.account_id,
            region=self._store.region,
            log_group=logging["LogGroup"],
            log_format=logging["LogFormat"],
            at_memory_limit=self._at_memory_limit.get(function.name, "kill"),
            revision=f"{version.number}/{version.generation}/{config['CodeSha256']}",
        )

    def _layer(self, arn: str) -> LayerVersion:
        name, _, number = arn.rpartition(":layer:")[2].partition(":")
        for layer in self._store.layers.get(name, ()):
            if str(layer.output["Version"]) == number:
                return layer
        raise CallRefusedError(
            "InvalidParameterValueException", f"Layer version {arn} has been deleted"
        )


def _check_payload(payload: bytes, limit: int) -> None:
    if len(payload) > limit:
        raise CallRefusedError(
            "RequestTooLargeException",
            f"{len(payload)} byte payload is too large for the invocation (limit {limit} bytes)",
            413,
            Type="User",
        )
    try:
        json.loads(payload)
    except ValueError as error:
        raise CallRefusedError(
            "InvalidRequestContentException",
            f"Could not parse request body into json: {error}",
            Type="User",
        ) from error


def _output(answer: Answer, *, wants_tail: bool) -> dict[str, Any]:
    result = answer.result
    output: dict[str, Any] = {
        "StatusCode": 200,
        "ExecutedVersion": answer.version,
        "Payload": result.payload,
    }
    if result.function_error is not None:
        output["FunctionError"] = result.function_error
    if wants_tail:
        lines = "\n".join(event.message.rstrip("\n") for event in result.log_events)
        output["LogResult"] = base64.b64encode(lines.encode()[-_TAIL_BYTES:]).decode()
    return output
