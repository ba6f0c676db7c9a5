"""The write leases of the targets, in the state table: who may write, and proof that it still may.

    target#<function arn>  lease   holder, held_until (epoch seconds), fence, writes_until (epoch
                                   seconds: how long the write may take that was last let through)

The item has no TTL and is never deleted: its fence must not start again. One that is past is taken
over by whoever asks next.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any, ClassVar

from botocore.exceptions import ClientError

from autorepair.aws.errors import aws_call, code_of
from autorepair.domain.errors import LeaseHeldError, LeaseLostError
from autorepair.domain.incident import Target
from autorepair.ports import Clock, Lease

if TYPE_CHECKING:
    from types_boto3_dynamodb import DynamoDBClient
    from types_boto3_dynamodb.type_defs import AttributeValueTypeDef


class DynamoLeases:
    """Leases are taken, proven and given back by conditional writes of one item each."""

    permissions: ClassVar[Mapping[str, frozenset[str]]] = {
        "acquire_lease": frozenset({"dynamodb:UpdateItem", "dynamodb:GetItem"}),
        "prove_lease": frozenset({"dynamodb:UpdateItem"}),
        "release_lease": frozenset({"dynamodb:UpdateItem"}),
    }

    def __init__(self, client: DynamoDBClient, *, table: str, clock: Clock) -> None:
        self._dynamodb = client
        self._table = table
        self._clock = clock

    def acquire_lease(self, target: Target, *, holder: str, seconds: int) -> Lease:
        """Take the write lease of a target; its holder may take it again.

        Raises:
            LeaseHeldError: Somebody else holds it.
            AccessDeniedError, TransientServiceError, ConfigurationError: It cannot be taken.
        """
        now = self._clock.now()
        until = _whole_seconds(now + timedelta(seconds=seconds))
        item = self._updated(
            target.function_arn,
            "SET holder = :holder, held_until = :until ADD fence :one",
            "attribute_not_exists(holder) OR holder = :holder OR held_until <= :now",
            {
                ":holder": {"S": holder},
                ":until": {"N": str(until)},
                ":now": {"N": str(_whole_seconds(now))},
                ":one": {"N": "1"},
            },
        )
        if item is None:
            raise self._held(target)
        return Lease(
            function_arn=target.function_arn,
            holder=holder,
            fence=int(item["fence"]["N"]),
            expires_at=datetime.fromtimestamp(until, UTC),
        )

    def prove_lease(self, lease: Lease, *, seconds: int) -> None:
        """Insist that the lease still stands, and that so many seconds of it are left.

        Raises:
            LeaseLostError: It was taken over, given back, or ends sooner.
            AccessDeniedError, TransientServiceError, ConfigurationError: It cannot be told.
        """
        until = _whole_seconds(self._clock.now() + timedelta(seconds=seconds))
        item = self._updated(
            lease.function_arn,
            "SET writes_until = :until",
            "holder = :holder AND fence = :fence AND held_until >= :until",
            _of(lease) | {":until": {"N": str(until)}},
        )
        if item is None:
            raise LeaseLostError(
                f"{lease.holder} does not hold the write lease {lease.fence} of "
                f"{lease.function_arn} for another {seconds} s, so it does not write: try again"
            )

    def release_lease(self, lease: Lease) -> None:
        """Give the lease back; one that was lost meanwhile is left alone.

        Raises:
            AccessDeniedError, TransientServiceError, ConfigurationError: It cannot be given back.
        """
        self._updated(
            lease.function_arn,
            "REMOVE holder, held_until",
            "holder = :holder AND fence = :fence",
            _of(lease),
        )

    def _updated(
        self,
        function_arn: str,
        update: str,
        condition: str,
        values: Mapping[str, AttributeValueTypeDef],
    ) -> Mapping[str, Any] | None:
        """Give the item after the update; None where the condition does not hold."""
        with aws_call("dynamodb:UpdateItem", f"table {self._table}"):
            try:
                answer = self._dynamodb.update_item(
                    TableName=self._table,
                    Key=_key(function_arn),
                    UpdateExpression=update,
                    ConditionExpression=condition,
                    ExpressionAttributeValues=values,
                    ReturnValues="ALL_NEW",
                )
            except ClientError as error:
                if code_of(error) != "ConditionalCheckFailedException":
                    raise
                return None
        return answer["Attributes"]

    def _held(self, target: Target) -> LeaseHeldError:
        with aws_call("dynamodb:GetItem", f"table {self._table}"):
            item = self._dynamodb.get_item(
                TableName=self._table, Key=_key(target.function_arn), ConsistentRead=True
            ).get("Item", {})
        holder = item.get("holder", {}).get("S", "somebody who has just let go")
        return LeaseHeldError(
            f"the write lease of {target.function_arn} is held by {holder}; try again later"
        )


def _of(lease: Lease) -> dict[str, AttributeValueTypeDef]:
    return {":holder": {"S": lease.holder}, ":fence": {"N": str(lease.fence)}}


def _whole_seconds(moment: datetime) -> int:
    return int(moment.timestamp())


def _key(function_arn: str) -> dict[str, AttributeValueTypeDef]:
    return {"pk": {"S": f"target#{function_arn}"}, "sk": {"S": "lease"}}
