"""Test events of operators, in SSM Parameter Store, and invoking a function with them.

One parameter per function, `{prefix}/{function}`, a plain String with a JSON object:

    {"payload": {...}, "expect_status": 200}    ``expect_status`` may be left out
"""

from __future__ import annotations

import base64
import json
from collections.abc import Mapping
from datetime import datetime
from typing import TYPE_CHECKING, Any, ClassVar

from pydantic import ValidationError

from autorepair.aws.errors import AWS_FAILURES, aws_call, is_missing
from autorepair.domain.errors import ConfigurationError, TargetNotFoundError
from autorepair.domain.evidence import Invocation
from autorepair.domain.incident import Target
from autorepair.domain.log_events import RawEvent
from autorepair.domain.log_format import assemble
from autorepair.domain.probe import Probe
from autorepair.ports import Clock
from autorepair.ports.probe import ProbeAnswer

if TYPE_CHECKING:
    from types_boto3_lambda import LambdaClient
    from types_boto3_ssm import SSMClient

_READ, _INVOKE = "ssm:GetParameter", "lambda:InvokeFunction"
_MOST_ANSWER_BYTES = 64_000


class DeclaredProbes:
    """Reads what is declared, and invokes; the client must never repeat a call by itself."""

    permissions: ClassVar[Mapping[str, frozenset[str]]] = {
        "declared": frozenset({_READ}),
        "invoke": frozenset({_INVOKE}),
    }

    def __init__(self, ssm: SSMClient, once: LambdaClient, *, prefix: str, clock: Clock) -> None:
        self._ssm = ssm
        self._lambda = once
        self._prefix = prefix.rstrip("/")
        self._clock = clock

    def declared(self, target: Target) -> Probe | None:
        """Give the test event that is declared for the function; None if none is.

        Raises:
            ConfigurationError: What is declared is no test event.
            AccessDeniedError, TransientServiceError: It cannot be read.
        """
        name = f"{self._prefix}/{target.function_name}"
        with aws_call(_READ, name):
            try:
                answer = self._ssm.get_parameter(Name=name)
            except AWS_FAILURES as error:
                if is_missing(error):
                    return None
                raise
        try:
            return Probe.model_validate_json(answer["Parameter"]["Value"])
        except ValidationError:
            # Not chained: the validation error quotes what is declared.
            raise ConfigurationError(
                f'{name} declares no test event: it has to be {{"payload": ..., '
                '"expect_status": 200}} as a plain String'
            ) from None

    def invoke(self, target: Target, probe: Probe, *, qualifier: str | None) -> ProbeAnswer:
        """Invoke the function once, and wait for its answer; never tries a second time.

        Of the log's tail only what the rules read of any log goes on from here.

        Raises:
            TransientServiceError: No answer came, so nobody knows whether it ran.
            TargetNotFoundError, AccessDeniedError, ConfigurationError, ChangeRefusedError,
                UpdateInProgressError: It was not invoked.
        """
        begun = self._clock.now()
        version = {} if qualifier is None else {"Qualifier": qualifier}
        with aws_call(_INVOKE, target.function_arn, missing=TargetNotFoundError):
            answer: Mapping[str, Any] = self._lambda.invoke(
                FunctionName=target.function_arn,
                InvocationType="RequestResponse",
                LogType="Tail",
                Payload=json.dumps(probe.payload).encode(),
                **version,
            )
            body = answer["Payload"].read(_MOST_ANSWER_BYTES)
        request_id = answer["ResponseMetadata"].get("RequestId")
        invocations, lines = assemble(_events(answer.get("LogResult", ""), begun))
        return ProbeAnswer(
            request_id=request_id,
            is_error=bool(answer.get("FunctionError")),
            status=_status_in(body),
            invocation=_own(invocations, request_id),
            lines=lines,
        )


def _own(invocations: tuple[Invocation, ...], request_id: str | None) -> Invocation | None:
    return next((i for i in invocations if i.request_id == request_id), None)


def _events(tail: str, at: datetime) -> tuple[RawEvent, ...]:
    """Give the lines of the last 4 KB of the log; the first may have lost its beginning."""
    text = base64.b64decode(tail).decode("utf-8", errors="replace")
    return tuple(
        RawEvent(id=f"probe-{n}", at=at, stream="probe", message=line)
        for n, line in enumerate(text.splitlines())
    )


def _status_in(body: bytes) -> int | None:
    try:
        answer = json.loads(body)
    except ValueError:
        return None
    status = answer.get("statusCode") if isinstance(answer, dict) else None
    return status if isinstance(status, int) else None
