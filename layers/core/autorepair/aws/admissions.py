"""The queue that spreads the starts of incidents, in DynamoDB.

    admission  next  the moment that is free next: free_at (epoch milliseconds)

One counter for the account and Region. Both updates are conditional, so however many executions
ask at once, each is given a moment of its own.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, ClassVar

from botocore.exceptions import ClientError

from autorepair.aws.errors import aws_call, code_of

if TYPE_CHECKING:
    from types_boto3_dynamodb import DynamoDBClient
    from types_boto3_dynamodb.type_defs import AttributeValueTypeDef

_KEY: dict[str, AttributeValueTypeDef] = {"pk": {"S": "admission"}, "sk": {"S": "next"}}
_ATTEMPTS = 3
_MILLISECOND = timedelta(milliseconds=1)
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


class DynamoAdmissions:
    """Hands out moments that lie at least a spacing apart, the earliest first."""

    permissions: ClassVar[Mapping[str, frozenset[str]]] = {
        "next_start": frozenset({"dynamodb:UpdateItem"}),
    }

    def __init__(self, client: DynamoDBClient, *, table: str) -> None:
        self._dynamodb = client
        self._table = table

    def next_start(self, *, earliest: datetime, latest: datetime, spacing: timedelta) -> datetime:
        """Take the first free moment from ``earliest`` on; ``latest`` if there is none before it.

        Raises:
            AccessDeniedError, TransientServiceError, ConfigurationError: It cannot be taken.
        """
        first, last, step = _ms(earliest), _ms(latest), spacing // _MILLISECOND
        for _ in range(_ATTEMPTS):
            free_at = self._queue_up(first, last, step)
            if free_at is None and self._begin(first, step):
                free_at = first
            if free_at is not None:
                return _EPOCH + free_at * _MILLISECOND
        # The queue is longer than anybody is made to wait.
        return latest

    def _queue_up(self, first: int, last: int, step: int) -> int | None:
        """Take the moment at the queue's end, if that lies between the two."""
        then = self._moved(
            "SET free_at = free_at + :step",
            only_if="free_at > :first AND free_at <= :last",
            values={":step": step, ":first": first, ":last": last},
        )
        return None if then is None else then - step

    def _begin(self, first: int, step: int) -> bool:
        """Take ``first`` itself, if nobody is waiting."""
        then = self._moved(
            "SET free_at = :next",
            only_if="attribute_not_exists(free_at) OR free_at <= :first",
            values={":next": first + step, ":first": first},
        )
        return then is not None

    def _moved(self, update: str, *, only_if: str, values: Mapping[str, int]) -> int | None:
        """Give what is free after the update; None if the condition does not hold."""
        with aws_call("dynamodb:UpdateItem", f"table {self._table}"):
            try:
                item = self._dynamodb.update_item(
                    TableName=self._table,
                    Key=_KEY,
                    UpdateExpression=update,
                    ConditionExpression=only_if,
                    ExpressionAttributeValues={
                        name: {"N": str(value)} for name, value in values.items()
                    },
                    ReturnValues="ALL_NEW",
                )["Attributes"]
            except ClientError as error:
                if code_of(error) != "ConditionalCheckFailedException":
                    raise
                return None
        return int(item["free_at"]["N"])


def _ms(moment: datetime) -> int:
    return (moment - _EPOCH) // _MILLISECOND
