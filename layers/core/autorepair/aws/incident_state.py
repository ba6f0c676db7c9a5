"""The mutable state of the service, in DynamoDB.

    target#<function arn>  open    the open incident: incident_id, execution_arn, opened_at
    target#<function arn>  lease   the write lease: holder, held_until (epoch seconds), fence
    pause                  pause   there while writes are paused; an operator puts and deletes it
    incident#<id>          change  what the incident is writing or has written: record (JSON)
    incident#<id>          token   the task token of a waiting execution: token

The words are pk, sk and what the item holds. `expires_at` (epoch seconds) is the table's TTL;
DynamoDB deletes late, so it is compared too. A pause may have one.
The lease item has none and is never deleted: its fence must not start again.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, ClassVar

from botocore.exceptions import ClientError

from autorepair.aws.errors import aws_call, code_of
from autorepair.domain.change import ChangeRecord
from autorepair.domain.errors import LeaseHeldError, TransientServiceError
from autorepair.domain.incident import Incident, Target
from autorepair.ports import Clock, Lease, OpenIncident

if TYPE_CHECKING:
    from types_boto3_dynamodb import DynamoDBClient
    from types_boto3_dynamodb.type_defs import AttributeValueTypeDef

# Longer than an execution can last, so that whoever cleans up still finds what to clean up.
_OPEN_FOR = timedelta(days=8)
_CHANGE_KEPT_FOR = timedelta(days=30)
_OPEN_ATTEMPTS = 3


class DynamoIncidentState:
    """Every write that others could collide with is conditional."""

    permissions: ClassVar[Mapping[str, frozenset[str]]] = {
        "open": frozenset({"dynamodb:PutItem", "dynamodb:GetItem"}),
        "close": frozenset({"dynamodb:DeleteItem"}),
        "acquire_lease": frozenset({"dynamodb:UpdateItem", "dynamodb:GetItem"}),
        "release_lease": frozenset({"dynamodb:UpdateItem"}),
        "is_paused": frozenset({"dynamodb:GetItem"}),
        "remember_change": frozenset({"dynamodb:PutItem"}),
        "remembered_change": frozenset({"dynamodb:GetItem"}),
        "keep_task_token": frozenset({"dynamodb:PutItem"}),
    }

    def __init__(self, client: DynamoDBClient, *, table: str, clock: Clock) -> None:
        self._dynamodb = client
        self._table = table
        self._clock = clock

    def open(self, incident: Incident) -> OpenIncident:
        """Open the incident on its target, or give the one that is open there already.

        Raises:
            ValueError: The incident has no target.
            AccessDeniedError, TransientServiceError, ConfigurationError: It cannot be opened.
        """
        key = _target_key(incident.subject.function_arn, "open")
        item = key | {
            "incident_id": {"S": incident.id},
            "execution_arn": {"S": incident.execution_arn},
            "opened_at": {"S": incident.as_json()["opened_at"]},
            "expires_at": self._after(_OPEN_FOR),
        }
        for _ in range(_OPEN_ATTEMPTS):
            if self._put_if_free(item):
                return OpenIncident(incident.id, incident.execution_arn)
            found = self._get(key)
            if found is not None:
                return OpenIncident(found["incident_id"]["S"], found["execution_arn"]["S"])
        raise TransientServiceError(
            f"incidents of {incident.subject.function_arn} were opened and closed at the same "
            "moment; try again"
        )

    def close(self, incident: Incident) -> None:
        """Close the incident if it is the one that is open; closing twice does no harm.

        Raises:
            AccessDeniedError, TransientServiceError, ConfigurationError: It cannot be closed.
        """
        if incident.target is None:
            return
        with aws_call("dynamodb:DeleteItem", f"table {self._table}"):
            try:
                self._dynamodb.delete_item(
                    TableName=self._table,
                    Key=_target_key(incident.target.function_arn, "open"),
                    ConditionExpression="incident_id = :id",
                    ExpressionAttributeValues={":id": {"S": incident.id}},
                )
            except ClientError as error:
                _raise_unless_condition_failed(error)

    def acquire_lease(self, target: Target, *, holder: str, seconds: int) -> Lease:
        """Take the write lease of a target; its holder may take it again.

        Raises:
            LeaseHeldError: Somebody else holds it.
            AccessDeniedError, TransientServiceError, ConfigurationError: It cannot be taken.
        """
        key = _target_key(target.function_arn, "lease")
        now = self._clock.now()
        until = _whole_seconds(now + timedelta(seconds=seconds))
        with aws_call("dynamodb:UpdateItem", f"table {self._table}"):
            try:
                item = self._dynamodb.update_item(
                    TableName=self._table,
                    Key=key,
                    UpdateExpression="SET holder = :holder, held_until = :until ADD fence :one",
                    ConditionExpression=(
                        "attribute_not_exists(holder) OR holder = :holder OR held_until <= :now"
                    ),
                    ExpressionAttributeValues={
                        ":holder": {"S": holder},
                        ":until": {"N": str(until)},
                        ":now": {"N": str(_whole_seconds(now))},
                        ":one": {"N": "1"},
                    },
                    ReturnValues="ALL_NEW",
                )["Attributes"]
            except ClientError as error:
                _raise_unless_condition_failed(error)
                item = None
        if item is None:
            raise self._held(target)
        return Lease(
            function_arn=target.function_arn,
            holder=holder,
            fence=int(item["fence"]["N"]),
            expires_at=datetime.fromtimestamp(until, UTC),
        )

    def release_lease(self, lease: Lease) -> None:
        """Give the lease back; one that was lost meanwhile is left alone.

        Raises:
            AccessDeniedError, TransientServiceError, ConfigurationError: It cannot be given back.
        """
        with aws_call("dynamodb:UpdateItem", f"table {self._table}"):
            try:
                self._dynamodb.update_item(
                    TableName=self._table,
                    Key=_target_key(lease.function_arn, "lease"),
                    UpdateExpression="REMOVE holder, held_until",
                    ConditionExpression="holder = :holder AND fence = :fence",
                    ExpressionAttributeValues={
                        ":holder": {"S": lease.holder},
                        ":fence": {"N": str(lease.fence)},
                    },
                )
            except ClientError as error:
                _raise_unless_condition_failed(error)

    def is_paused(self) -> bool:
        """Whether an operator has paused all writes.

        Raises:
            AccessDeniedError, TransientServiceError, ConfigurationError: It cannot be told.
        """
        return self._get({"pk": {"S": "pause"}, "sk": {"S": "pause"}}) is not None

    def remember_change(self, incident: Incident, record: ChangeRecord) -> None:
        """Keep what an incident is writing or has written, for whoever has to finish or undo it.

        Raises:
            AccessDeniedError, TransientServiceError, ConfigurationError: It cannot be kept.
        """
        item = _incident_key(incident, "change") | {
            "record": {"S": record.model_dump_json()},
            "expires_at": self._after(_CHANGE_KEPT_FOR),
        }
        self._put(item)

    def remembered_change(self, incident: Incident) -> ChangeRecord | None:
        """Give what `remember_change` kept.

        Raises:
            AccessDeniedError, TransientServiceError, ConfigurationError: It cannot be read.
        """
        item = self._get(_incident_key(incident, "change"))
        return None if item is None else ChangeRecord.model_validate_json(item["record"]["S"])

    def keep_task_token(self, incident: Incident, token: str, *, seconds: int) -> None:
        """Keep the token that resumes a waiting execution; a newer one takes its place.

        Raises:
            AccessDeniedError, TransientServiceError, ConfigurationError: It cannot be kept.
        """
        item = _incident_key(incident, "token") | {
            "token": {"S": token},
            "expires_at": self._after(timedelta(seconds=seconds)),
        }
        self._put(item)

    def _held(self, target: Target) -> LeaseHeldError:
        item = self._get(_target_key(target.function_arn, "lease")) or {}
        holder = item.get("holder", {}).get("S", "somebody who has just let go")
        return LeaseHeldError(
            f"the write lease of {target.function_arn} is held by {holder}; try again later"
        )

    def _put_if_free(self, item: dict[str, AttributeValueTypeDef]) -> bool:
        with aws_call("dynamodb:PutItem", f"table {self._table}"):
            try:
                self._dynamodb.put_item(
                    TableName=self._table,
                    Item=item,
                    ConditionExpression="attribute_not_exists(pk) OR expires_at <= :now",
                    ExpressionAttributeValues={":now": self._after(timedelta())},
                )
            except ClientError as error:
                _raise_unless_condition_failed(error)
                return False
        return True

    def _put(self, item: dict[str, AttributeValueTypeDef]) -> None:
        with aws_call("dynamodb:PutItem", f"table {self._table}"):
            self._dynamodb.put_item(TableName=self._table, Item=item)

    def _get(
        self, key: dict[str, AttributeValueTypeDef]
    ) -> dict[str, AttributeValueTypeDef] | None:
        """Read an item; what has expired is not there."""
        with aws_call("dynamodb:GetItem", f"table {self._table}"):
            item = self._dynamodb.get_item(TableName=self._table, Key=key, ConsistentRead=True).get(
                "Item"
            )
        if item is None or self._has_expired(item):
            return None
        return item

    def _has_expired(self, item: Mapping[str, AttributeValueTypeDef]) -> bool:
        expires_at = item.get("expires_at")
        return expires_at is not None and int(expires_at["N"]) <= self._clock.now().timestamp()

    def _after(self, span: timedelta) -> AttributeValueTypeDef:
        return {"N": str(_whole_seconds(self._clock.now() + span))}


def _raise_unless_condition_failed(error: ClientError) -> None:
    if code_of(error) != "ConditionalCheckFailedException":
        raise error


def _whole_seconds(moment: datetime) -> int:
    return int(moment.timestamp())


def _target_key(function_arn: str, sort: str) -> dict[str, AttributeValueTypeDef]:
    return {"pk": {"S": f"target#{function_arn}"}, "sk": {"S": sort}}


def _incident_key(incident: Incident, sort: str) -> dict[str, AttributeValueTypeDef]:
    return {"pk": {"S": f"incident#{incident.id}"}, "sk": {"S": sort}}
