"""The pause of all repairs, as operators put it into the state table and lift it.

    pause  pause  by, since (ISO 8601), why; it may have the table's TTL, expires_at

The item pauses by being there, so that one put by hand with nothing in it does too.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime
from typing import TYPE_CHECKING, ClassVar

from autorepair.aws.errors import aws_call
from autorepair.domain.pause import Pause
from autorepair.ports import Clock

if TYPE_CHECKING:
    from types_boto3_dynamodb import DynamoDBClient
    from types_boto3_dynamodb.type_defs import AttributeValueTypeDef

PAUSE_KEY: dict[str, AttributeValueTypeDef] = {"pk": {"S": "pause"}, "sk": {"S": "pause"}}


class DynamoPauses:
    """What the steps only read, an operator writes."""

    permissions: ClassVar[Mapping[str, frozenset[str]]] = {
        "in_force": frozenset({"dynamodb:GetItem"}),
        "put": frozenset({"dynamodb:PutItem"}),
        "lift": frozenset({"dynamodb:DeleteItem"}),
    }

    def __init__(self, client: DynamoDBClient, *, table: str, clock: Clock) -> None:
        self._dynamodb = client
        self._table = table
        self._clock = clock

    def in_force(self) -> Pause | None:
        """Give the pause that is in force.

        Raises:
            AccessDeniedError, TransientServiceError, ConfigurationError: It cannot be told.
        """
        with aws_call("dynamodb:GetItem", f"table {self._table}"):
            item = self._dynamodb.get_item(
                TableName=self._table, Key=PAUSE_KEY, ConsistentRead=True
            ).get("Item")
        if item is None:
            return None
        pause = pause_of(item)
        has_ended = pause.until is not None and pause.until <= self._clock.now()
        return None if has_ended else pause

    def put(self, pause: Pause) -> None:
        """Pause all repairs from the next decision and the next write on.

        Raises:
            AccessDeniedError, TransientServiceError, ConfigurationError: It cannot be put.
        """
        item = dict(PAUSE_KEY)
        said = {"by": pause.by, "why": pause.why}
        item |= {name: {"S": told} for name, told in said.items() if told}
        if pause.since is not None:
            item["since"] = {"S": pause.since.isoformat()}
        if pause.until is not None:
            item["expires_at"] = {"N": str(int(pause.until.timestamp()))}
        with aws_call("dynamodb:PutItem", f"table {self._table}"):
            self._dynamodb.put_item(TableName=self._table, Item=item)

    def lift(self) -> None:
        """Let repairs go on; without a pause it does nothing.

        Raises:
            AccessDeniedError, TransientServiceError, ConfigurationError: It cannot be lifted.
        """
        with aws_call("dynamodb:DeleteItem", f"table {self._table}"):
            self._dynamodb.delete_item(TableName=self._table, Key=PAUSE_KEY)


def pause_of(item: Mapping[str, AttributeValueTypeDef]) -> Pause:
    """Read the item; what somebody put by hand and cannot be read pauses all the same."""
    until = item.get("expires_at", {}).get("N")
    return Pause(
        by=item.get("by", {}).get("S"),
        since=_moment(item.get("since", {}).get("S")),
        why=item.get("why", {}).get("S"),
        until=datetime.fromtimestamp(int(until), UTC) if until else None,
    )


def _moment(text: str | None) -> datetime | None:
    try:
        found = datetime.fromisoformat(text or "")
    except ValueError:
        return None
    return found if found.tzinfo else found.replace(tzinfo=UTC)
