"""Moto's Step Functions interpreter, switched on and mended where it differs from AWS.

What is mended: waits and retry intervals run faster by ``time_scale``; ``States.Runtime`` and
``States.DataLimitExceeded`` are not caught by ``States.ALL``; failed Lambda calls carry AWS's error
names; an execution that was stopped has ended at once, whatever its task goes on to do, and takes
no answer; every change of an execution's status raises its event.
"""

from __future__ import annotations

import importlib
import pkgutil
import sys
import threading
import time
import uuid
from collections.abc import Callable
from contextlib import AbstractContextManager, ExitStack, contextmanager
from datetime import UTC, datetime
from types import ModuleType, TracebackType
from typing import Any, Self
from unittest.mock import patch

import boto3
from botocore.config import Config
from botocore.exceptions import BotoCoreError, ClientError
from moto.core.config import default_user_config
from moto.stepfunctions.parser.api import (
    ExecutionStatus,
    HistoryEventType,
    TaskFailedEventDetails,
    TaskTimedOut,
)
from moto.stepfunctions.parser.api import LambdaFunctionFailedEventDetails as FailedDetails
from moto.stepfunctions.parser.asl.component.common.error_name import error_equals_decl
from moto.stepfunctions.parser.asl.component.common.error_name.custom_error_name import (
    CustomErrorName,
)
from moto.stepfunctions.parser.asl.component.common.error_name.failure_event import FailureEvent
from moto.stepfunctions.parser.asl.component.common.error_name.states_error_name import (
    StatesErrorName,
)
from moto.stepfunctions.parser.asl.component.common.error_name.states_error_name_type import (
    StatesErrorNameType,
)
from moto.stepfunctions.parser.asl.component.common.retry import retrier_decl
from moto.stepfunctions.parser.asl.component.state.exec.state_task import (
    lambda_eval_utils,
    state_task_lambda,
)
from moto.stepfunctions.parser.asl.component.state.exec.state_task import service as services
from moto.stepfunctions.parser.asl.component.state.exec.state_task.service import (
    state_task_service_lambda,
)
from moto.stepfunctions.parser.asl.component.state.wait.wait_function import wait_function
from moto.stepfunctions.parser.asl.eval.environment import Environment
from moto.stepfunctions.parser.asl.eval.event.event_detail import EventDetails
from moto.stepfunctions.parser.asl.eval.program_state import ProgramStopped
from moto.stepfunctions.parser.asl.utils.encoding import to_json_str
from moto.stepfunctions.parser.backend import execution as execution_module
from moto.stepfunctions.parser.models import (
    StepFunctionsParserBackend,
    stepfunctions_parser_backends,
)

_TERMINAL = {StatesErrorNameType.StatesRuntime, StatesErrorNameType.StatesStatesDataLimitExceeded}
_CONNECTIONS = 64
_NO_LIMIT_S = 99_999_999
OnStatus = Callable[[dict[str, Any]], None]


class Interpreter(AbstractContextManager["Interpreter"]):
    """The interpreter while an account runs; leaving it undoes every mend.

    ``on_status`` receives the detail of each "Step Functions Execution Status Change" event.
    """

    def __init__(self, *, endpoint: str, time_scale: float, on_status: OnStatus) -> None:
        self._endpoint = endpoint
        self._scale = time_scale
        self._on_status = on_status
        self._mends = ExitStack()
        self._clients: dict[tuple[str, str], Any] = {}
        self._lock = threading.Lock()

    def __enter__(self) -> Self:
        """Switch the interpreter on."""
        enter = self._mends.enter_context
        enter(patch.dict(default_user_config, {"stepfunctions": {"execute_state_machine": True}}))
        enter(_replaced(wait_function.WaitFunction, "_wait_interval", self._wait()))
        enter(_replaced(retrier_decl, "time", _ScaledTime(self._scale)))
        enter(_replaced(error_equals_decl.ErrorEqualsDecl, "_eval_body", _strict_equals()))
        self._mend_lambda_errors()
        self._mend_clients()
        self._mend_status()
        self._mend_stop()
        return self

    def __exit__(
        self,
        _kind: type[BaseException] | None,
        _error: BaseException | None,
        _trace: TracebackType | None,
    ) -> None:
        """Abort what still runs, and switch the interpreter off."""
        self._on_status = _ignore
        for backend in _backends():
            for machine in backend.state_machines:
                for one in machine.executions:
                    if one.status == "RUNNING" and one.exec_worker and one.exec_worker.env:
                        one.stop(datetime.now(UTC), error="LabStopped", cause="The lab stopped")
        self._mends.close()
        for client in self._clients.values():
            client.close()

    def _wait(self) -> Callable[[Any, Any, float], None]:
        def wait_interval(_self: Any, env: Any, wait_seconds: float) -> None:  # noqa: ANN401 - moto
            deadline = time.monotonic() + max(0.0, wait_seconds) / self._scale
            while env.is_running() and (left := deadline - time.monotonic()) > 0:
                if env.program_state_event.wait(left) and env.is_running():
                    time.sleep(min(left, 0.02))  # an unrelated interrupt leaves the event set

        return wait_interval

    def _mend_lambda_errors(self) -> None:
        direct, service = (
            state_task_lambda.StateTaskLambda,
            state_task_service_lambda.StateTaskServiceLambda,
        )
        for owner, made in ((direct, _direct_failure), (service, _service_failure)):
            original = owner._from_error  # noqa: SLF001 - moto offers no other hook
            self._mends.enter_context(_replaced(owner, "_from_error", _mapped(original, made)))

    def _mend_clients(self) -> None:
        """One client for each service: moto makes one for each call, at 50 ms apiece."""
        for module in pkgutil.iter_modules(services.__path__, f"{services.__name__}."):
            importlib.import_module(module.name)
        for module_now in list(sys.modules.values()):
            if _speaks_to_services(module_now):
                self._mends.enter_context(_replaced(module_now, "boto_client_for", self._client))

    def _client(self, region: str, service: str, state_credentials: Any = None) -> Any:  # noqa: ANN401, ARG002 - moto's signature
        with self._lock:
            if (service, region) not in self._clients:
                self._clients[service, region] = boto3.session.Session().client(
                    service,  # type: ignore[call-overload]  # known at run time only
                    region_name=region,
                    endpoint_url=self._endpoint,
                    aws_access_key_id="states",
                    aws_secret_access_key="states",  # noqa: S106 - a dummy
                    config=Config(
                        parameter_validation=False,
                        retries={"total_max_attempts": 1},
                        connect_timeout=_NO_LIMIT_S,
                        read_timeout=_NO_LIMIT_S,
                        max_pool_connections=_CONNECTIONS,
                    ),
                )
            return self._clients[service, region]

    def _mend_status(self) -> None:
        communication = execution_module.BaseExecutionWorkerCommunication
        ended, started = communication.terminated, execution_module.Execution.start

        def terminated(worker: Any) -> None:  # noqa: ANN401 - moto
            if worker.execution.exec_status is ExecutionStatus.ABORTED:
                return
            ended(worker)
            self._on_status(status_detail(worker.execution))

        def start(execution: Any) -> None:  # noqa: ANN401 - moto
            self._on_status(status_detail(execution))
            started(execution)

        self._mends.enter_context(_replaced(communication, "terminated", terminated))
        self._mends.enter_context(_replaced(execution_module.Execution, "start", start))
        backend = StepFunctionsParserBackend
        self._mends.enter_context(
            _replaced(backend, "start_execution", _named(backend.start_execution))
        )
        self._mends.enter_context(
            _replaced(backend, "send_task_success", _only_to_running(backend.send_task_success))
        )

    def _mend_stop(self) -> None:
        """Moto ends a stopped execution with its task, and as FAILED where that fails."""
        original = execution_module.Execution.stop

        def stop(
            execution: Any,  # noqa: ANN401 - moto
            stop_date: datetime,
            error: str | None,
            cause: str | None,
        ) -> None:
            original(execution, stop_date, error, cause)
            is_running = execution.exec_status is ExecutionStatus.RUNNING
            if is_running and _is_stopped(execution.exec_worker.env):
                execution.exec_status = ExecutionStatus.ABORTED
                execution.stop_date = stop_date
                # Moto hands on empty words where somebody gave none, and where they did.
                execution.error, execution.cause = error or None, cause or None
                self._on_status(status_detail(execution))

        self._mends.enter_context(_replaced(execution_module.Execution, "stop", stop))
        for name in ("set_error", "set_timed_out"):
            kept = _unless_stopped(getattr(Environment, name))
            self._mends.enter_context(_replaced(Environment, name, kept))


class _ScaledTime:
    """Stands in for the ``time`` module where retries sleep."""

    def __init__(self, scale: float) -> None:
        self._scale = scale

    def sleep(self, seconds: float) -> None:
        """Sleep a scaled time."""
        time.sleep(seconds / self._scale)


def status_detail(execution: Any) -> dict[str, Any]:  # noqa: ANN401 - moto
    """``detail`` of a "Step Functions Execution Status Change" event."""
    output = execution.output
    status = "RUNNING" if execution.exec_status is None else execution.status
    is_done = status == "SUCCEEDED"
    return {
        "executionArn": execution.exec_arn,
        "stateMachineArn": execution.state_machine.arn,
        "name": execution.name,
        "status": status,
        "startDate": _milliseconds(execution.start_date),
        "stopDate": _milliseconds(execution.stop_date),
        "input": to_json_str(execution.input_data, separators=(",", ":")),
        "output": to_json_str(output, separators=(",", ":")) if is_done else None,
        "inputDetails": {"included": True},
        "outputDetails": {"included": True} if is_done else None,
        "error": execution.error,
        "cause": execution.cause,
        "stateMachineVersionArn": None,
        "stateMachineAliasArn": None,
        "redriveCount": 0,
        "redriveDate": None,
        "redriveStatus": "NOT_REDRIVABLE",
        "redriveStatusReason": None,
    }


def _named(original: Callable[..., Any]) -> Callable[..., Any]:
    """Moto calls an execution without a name ``None``; Step Functions makes up a UUID."""

    def start_execution(
        backend: Any,  # noqa: ANN401 - moto
        state_machine_arn: str,
        name: str | None = None,
        *arguments: Any,  # noqa: ANN401 - moto
        **more: Any,  # noqa: ANN401 - moto
    ) -> Any:  # noqa: ANN401 - moto
        return original(backend, state_machine_arn, name or str(uuid.uuid4()), *arguments, **more)

    return start_execution


def _only_to_running(original: Callable[..., Any]) -> Callable[..., Any]:
    """Moto takes an answer to an execution that was stopped; Step Functions says TaskTimedOut."""

    def send_task_success(backend: Any, task_token: str, outcome: str) -> Any:  # noqa: ANN401 - moto
        workers = (one.exec_worker for m in backend.state_machines for one in m.executions)
        for env in (worker.env for worker in workers if worker and worker.env):
            if env.callback_pool_manager.get(task_token) and not env.is_running():
                told = "Task Timed Out: 'Provided task does not exist anymore'"
                raise TaskTimedOut(told, "TaskTimedOut")
        return original(backend, task_token, outcome)

    return send_task_success


def _is_stopped(env: Any) -> bool:  # noqa: ANN401 - moto
    return isinstance(env.program_state(), ProgramStopped)


def _unless_stopped(original: Callable[..., None]) -> Callable[..., None]:
    """What a task comes to after a stop changes nothing."""

    def set_state(env: Any, *arguments: Any, **more: Any) -> None:  # noqa: ANN401 - moto
        if not _is_stopped(env):
            original(env, *arguments, **more)

    return set_state


def _milliseconds(at: datetime | None) -> int | None:
    return None if at is None else int(at.timestamp() * 1000)


def _ignore(_detail: dict[str, Any]) -> None:
    """Nobody is told any more."""


def _backends() -> list[Any]:
    return [
        regional
        for by_region in list(stepfunctions_parser_backends.values())
        for regional in list(by_region.values())
    ]


def _strict_equals() -> Callable[[Any, Any], None]:
    original = error_equals_decl.ErrorEqualsDecl._eval_body  # noqa: SLF001 - no other hook

    def eval_body(decl: Any, env: Any) -> None:  # noqa: ANN401 - moto
        error = env.stack[-1]
        is_terminal = isinstance(error, StatesErrorName) and error.typ in _TERMINAL
        if is_terminal and error not in decl.error_names:
            env.stack.pop()
            env.stack.append(False)
        else:
            original(decl, env)

    return eval_body


def _mapped(
    original: Callable[..., Any], made: Callable[[Any, str, str, Any], Any]
) -> Callable[..., Any]:
    def from_error(task: Any, env: Any, ex: Exception) -> Any:  # noqa: ANN401 - moto
        named = _lambda_error(ex)
        return original(task, env=env, ex=ex) if named is None else made(env, *named, task)

    return from_error


def _lambda_error(error: Exception) -> tuple[str, str] | None:
    """Error and cause as Step Functions reports a failed call of Lambda's API."""
    if isinstance(error, ClientError):
        code, message = error.response["Error"]["Code"], error.response["Error"]["Message"]
        meta = error.response["ResponseMetadata"]
        name = code if code.startswith("Lambda.") else f"Lambda.{code}"
        return name, (
            f"{message} (Service: Lambda, Status Code: {meta['HTTPStatusCode']}, "
            f"Request ID: {meta.get('RequestId', '')})"
        )
    if isinstance(error, BotoCoreError):
        return "Lambda.SdkClientException", f"Unable to execute HTTP request: {error}"
    if isinstance(error, lambda_eval_utils.LambdaFunctionErrorException):
        return None if '"errorType"' in error.payload else ("Lambda.Unknown", error.payload)
    return None


def _direct_failure(env: Any, error: str, cause: str, _task: Any) -> Any:  # noqa: ANN401 - moto
    details = EventDetails(lambdaFunctionFailedEventDetails=FailedDetails(error=error, cause=cause))
    return FailureEvent(
        env=env,
        error_name=CustomErrorName(error),
        event_type=HistoryEventType.LambdaFunctionFailed,
        event_details=details,
    )


def _service_failure(env: Any, error: str, cause: str, task: Any) -> Any:  # noqa: ANN401 - moto
    resource = task.resource
    details = EventDetails(
        taskFailedEventDetails=TaskFailedEventDetails(
            error=error,
            cause=cause,
            resource=resource.api_action,
            resourceType=resource.service_name,
        )
    )
    return FailureEvent(
        env=env,
        error_name=CustomErrorName(error),
        event_type=HistoryEventType.TaskFailed,
        event_details=details,
    )


def _speaks_to_services(module: ModuleType | None) -> bool:
    name = getattr(module, "__name__", "")
    return name.startswith("moto.stepfunctions") and "boto_client_for" in vars(module)


@contextmanager
def _replaced(owner: Any, name: str, value: Any) -> Any:  # noqa: ANN401 - modules and classes
    original = getattr(owner, name)
    setattr(owner, name, value)
    try:
        yield
    finally:
        setattr(owner, name, original)
