"""The executions that wait for a person: their tokens, and the answer that resumes them."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import TYPE_CHECKING, ClassVar

from botocore.exceptions import ClientError

from autorepair.aws.errors import aws_call, code_of
from autorepair.domain.approval import Approval
from autorepair.domain.errors import NotWaitingError
from autorepair.ports import Clock

if TYPE_CHECKING:
    from types_boto3_dynamodb import DynamoDBClient
    from types_boto3_stepfunctions import SFNClient

_OVER = frozenset({"TaskTimedOut", "TaskDoesNotExist", "InvalidToken"})


class TaskTokenApprovals:
    """Reads what `DynamoIncidentState.keep_task_token` kept, and answers to Step Functions."""

    permissions: ClassVar[Mapping[str, frozenset[str]]] = {
        "waiting_token": frozenset({"dynamodb:GetItem"}),
        "resume": frozenset({"states:SendTaskSuccess"}),
    }

    def __init__(
        self, dynamodb: DynamoDBClient, stepfunctions: SFNClient, *, table: str, clock: Clock
    ) -> None:
        self._dynamodb = dynamodb
        self._stepfunctions = stepfunctions
        self._table = table
        self._clock = clock

    def waiting_token(self, incident_id: str) -> str | None:
        """Give the token that resumes the incident's execution; None when it is no longer kept.

        Raises:
            AccessDeniedError, TransientServiceError, ConfigurationError: It cannot be read.
        """
        with aws_call("dynamodb:GetItem", f"table {self._table}"):
            item = self._dynamodb.get_item(
                TableName=self._table,
                Key={"pk": {"S": f"incident#{incident_id}"}, "sk": {"S": "token"}},
                ConsistentRead=True,
            ).get("Item")
        # DynamoDB deletes what has expired late, so it is compared too.
        if item is None or int(item["expires_at"]["N"]) <= self._clock.now().timestamp():
            return None
        return item["token"]["S"]

    def resume(self, token: str, approval: Approval) -> None:
        """Hand the answer to the execution that waits for it.

        Raises:
            NotWaitingError: It waits no more: answered before, expired, or ended.
            AccessDeniedError, TransientServiceError, ConfigurationError: It did not get through.
        """
        with aws_call("states:SendTaskSuccess", "the waiting execution"):
            try:
                self._stepfunctions.send_task_success(
                    taskToken=token, output=json.dumps(approval.as_json(), ensure_ascii=False)
                )
            except ClientError as error:
                if code_of(error) not in _OVER:
                    raise
                raise NotWaitingError(
                    "the execution does not wait for this answer any more: it expired, ended, or "
                    f"was answered before ({code_of(error)})"
                ) from error
