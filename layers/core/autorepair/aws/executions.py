"""The executions of the state machine: what became of them, and starting one."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, ClassVar

from botocore.exceptions import ClientError

from autorepair.aws.errors import aws_call, code_of
from autorepair.watch import Execution

if TYPE_CHECKING:
    from types_boto3_stepfunctions import SFNClient

# Whoever stops an execution may write anything there; an error's name looks like this.
_ERROR_NAME = re.compile(r"^[A-Za-z][\w.]{0,99}$")


class StepFunctionsExecutions:
    """Asks Step Functions each time. The cause is never read: it quotes execution data."""

    permissions: ClassVar[Mapping[str, frozenset[str]]] = {
        "look_up": frozenset({"states:DescribeExecution"}),
        "start": frozenset({"states:StartExecution"}),
    }

    def __init__(self, client: SFNClient, *, state_machine_arn: str) -> None:
        self._states = client
        self._state_machine_arn = state_machine_arn

    def look_up(self, execution_arn: str) -> Execution:
        """Say what became of an execution; GONE if Step Functions does not know it (any more).

        Raises:
            AccessDeniedError, TransientServiceError, ConfigurationError: It cannot be told.
        """
        with aws_call("states:DescribeExecution", execution_arn):
            try:
                found = self._states.describe_execution(executionArn=execution_arn)
            except ClientError as error:
                if code_of(error) != "ExecutionDoesNotExist":
                    raise
                return Execution("GONE")
        error_name = found.get("error") or ""
        return Execution(
            status=found["status"],
            error=error_name if _ERROR_NAME.match(error_name) else None,
            ended_at=found.get("stopDate"),
        )

    def start(self, name: str, event: dict[str, Any]) -> bool:
        """Start an execution; False if one of that name was started before.

        Step Functions keeps names for 90 days. The same name with the same input while that
        execution still runs is answered with it, which counts as started.

        Raises:
            AccessDeniedError, TransientServiceError, ConfigurationError: It cannot be started.
        """
        with aws_call("states:StartExecution", self._state_machine_arn):
            try:
                self._states.start_execution(
                    stateMachineArn=self._state_machine_arn,
                    name=name,
                    input=json.dumps(event, sort_keys=True),
                )
            except ClientError as error:
                if code_of(error) != "ExecutionAlreadyExists":
                    raise
                return False
        return True
