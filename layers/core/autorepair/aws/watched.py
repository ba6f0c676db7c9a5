"""What is watched after incidents have closed, in the state table.

    target#<function arn>  watch#<setting>  a repair that was kept: watched (JSON), incident_id
    incident#<id>          watch#outcome    what was not repaired: likewise

A setting is named by the kind of its repair, the alias if it was made for one, and of variables by
a digest of their names.

As in `unsent_messages`, ``unsettled`` ("watch") and ``since`` are the keys of the sparse index;
here ``since`` is when the next look is due, so that the index gives what waits longest. The index
holds no more than that: an item itself is read by its key.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Mapping
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any, ClassVar

from botocore.exceptions import ClientError
from pydantic import TypeAdapter

from autorepair.aws.errors import aws_call, code_of
from autorepair.aws.readable_items import ReadableItems
from autorepair.domain.change import Change, EnvironmentSetting
from autorepair.domain.watched import WATCHED_FOR, Watched, WatchedOutcome, WatchedRepair
from autorepair.ports import Clock

if TYPE_CHECKING:
    from types_boto3_dynamodb import DynamoDBClient
    from types_boto3_dynamodb.type_defs import AttributeValueTypeDef

_INDEX = "unsettled"
_KIND = "watch"
_MOST_KEYS = 2000
"""In one run: each may take a read, of some ten milliseconds."""
_WATCHED: TypeAdapter[WatchedRepair | WatchedOutcome] = TypeAdapter(Watched)


class DynamoWatches:
    """One item for each setting of a target, and one for each incident without a repair."""

    permissions: ClassVar[Mapping[str, frozenset[str]]] = {
        "keep": frozenset({"dynamodb:PutItem"}),
        "repair_like": frozenset({"dynamodb:GetItem"}),
        "due": frozenset({"dynamodb:Query", "dynamodb:GetItem"}),
        "look_again": frozenset({"dynamodb:PutItem"}),
        "end": frozenset({"dynamodb:DeleteItem"}),
    }

    def __init__(self, client: DynamoDBClient, *, table: str, clock: Clock) -> None:
        self._dynamodb = client
        self._table = table
        self._clock = clock

    def keep(self, watched: WatchedRepair | WatchedOutcome) -> None:
        """Watch it; a newer repair of the same setting takes the place of the one before.

        Raises:
            AccessDeniedError, TransientServiceError, ConfigurationError: It cannot be kept.
        """
        with aws_call("dynamodb:PutItem", f"table {self._table}"):
            self._dynamodb.put_item(TableName=self._table, Item=_item(watched))

    def repair_like(self, change: Change) -> WatchedRepair | None:
        """Give the watched repair of the same setting of the same target.

        One that another version of the service wrote in another form counts as none.

        Raises:
            AccessDeniedError, TransientServiceError, ConfigurationError: It cannot be read.
        """
        item = self._get(_key_of_repair(change))
        if item is None:
            return None
        try:
            found = _watched(item)
        except (ValueError, KeyError):
            return None
        return found if isinstance(found, WatchedRepair) else None

    def due(self, by: datetime, *, most: int) -> Iterator[WatchedRepair | WatchedOutcome]:
        """Give what is due by a moment, that which waits longest first; may lag by a moment.

        What cannot be read or has expired stays in the index and is passed over, page by page, or
        it would keep all others from ever being seen.

        Raises:
            RecordUnreadableError: Of some item, after all others were given.
            AccessDeniedError, TransientServiceError, ConfigurationError: They cannot be read.
        """
        readable = ReadableItems(_watched)
        given = 0
        for key in self._keys(by, page=most):
            item = self._get(key)
            if item is None:
                continue
            for watched in readable.read(item):
                given += 1
                yield watched
            if given >= most:
                break
        readable.report()

    def _keys(self, by: datetime, *, page: int) -> Iterator[dict[str, AttributeValueTypeDef]]:
        """Give the keys of what is due, each once: what was looked at may be due again by then."""
        request: dict[str, Any] = {
            "TableName": self._table,
            "IndexName": _INDEX,
            "KeyConditionExpression": "unsettled = :kind AND since <= :by",
            "ExpressionAttributeValues": {":kind": {"S": _KIND}, ":by": {"S": _text(by)}},
            "Limit": page,
        }
        seen: set[tuple[str, str]] = set()
        while len(seen) < _MOST_KEYS:
            with aws_call("dynamodb:Query", f"table {self._table}, index {_INDEX}"):
                answer = self._dynamodb.query(**request)
            for key in answer["Items"]:
                name = key["pk"]["S"], key["sk"]["S"]
                if name not in seen:
                    seen.add(name)
                    yield {"pk": key["pk"], "sk": key["sk"]}
            if "LastEvaluatedKey" not in answer:
                return
            request["ExclusiveStartKey"] = answer["LastEvaluatedKey"]

    def look_again(self, watched: WatchedRepair | WatchedOutcome) -> None:
        """Keep what a look has found, unless the watch has ended or is another incident's by now.

        Raises:
            AccessDeniedError, TransientServiceError, ConfigurationError: It cannot be kept.
        """
        with aws_call("dynamodb:PutItem", f"table {self._table}"):
            try:
                self._dynamodb.put_item(
                    TableName=self._table,
                    Item=_item(watched),
                    ConditionExpression="incident_id = :id",
                    ExpressionAttributeValues={":id": {"S": watched.incident.id}},
                )
            except ClientError as error:
                _raise_unless_condition_failed(error)

    def end(self, watched: WatchedRepair | WatchedOutcome) -> None:
        """Watch it no more; one that is another incident's by now goes on.

        Raises:
            AccessDeniedError, TransientServiceError, ConfigurationError: It cannot be ended.
        """
        with aws_call("dynamodb:DeleteItem", f"table {self._table}"):
            try:
                self._dynamodb.delete_item(
                    TableName=self._table,
                    Key=_key_of(watched),
                    ConditionExpression="incident_id = :id",
                    ExpressionAttributeValues={":id": {"S": watched.incident.id}},
                )
            except ClientError as error:
                _raise_unless_condition_failed(error)

    def _get(
        self, key: dict[str, AttributeValueTypeDef]
    ) -> dict[str, AttributeValueTypeDef] | None:
        """Read an item; what has expired is not there."""
        with aws_call("dynamodb:GetItem", f"table {self._table}"):
            item = self._dynamodb.get_item(TableName=self._table, Key=key, ConsistentRead=True).get(
                "Item"
            )
        if item is None or int(item["expires_at"]["N"]) <= self._clock.now().timestamp():
            return None
        return item


def _item(watched: WatchedRepair | WatchedOutcome) -> dict[str, AttributeValueTypeDef]:
    since = watched.since if isinstance(watched, WatchedRepair) else watched.closed_at
    return _key_of(watched) | {
        "unsettled": {"S": _KIND},
        "since": {"S": _text(watched.due_at)},
        "incident_id": {"S": watched.incident.id},
        "watched": {"S": watched.model_dump_json()},
        "expires_at": {"N": str(int((since + WATCHED_FOR).timestamp()))},
    }


def _watched(item: Mapping[str, AttributeValueTypeDef]) -> WatchedRepair | WatchedOutcome:
    return _WATCHED.validate_json(item["watched"]["S"])


def _key_of(watched: WatchedRepair | WatchedOutcome) -> dict[str, AttributeValueTypeDef]:
    if isinstance(watched, WatchedRepair):
        return _key_of_repair(watched.change)
    return {"pk": {"S": f"incident#{watched.incident.id}"}, "sk": {"S": f"{_KIND}#outcome"}}


def _key_of_repair(change: Change) -> dict[str, AttributeValueTypeDef]:
    parts = [_KIND, change.kind.value]
    if change.target.qualifier:
        parts.append(change.target.qualifier)
    if isinstance(change.after, EnvironmentSetting):
        names = "\n".join(sorted(change.after.variables))
        parts.append(hashlib.sha256(names.encode()).hexdigest()[:16])
    return {
        "pk": {"S": f"target#{change.target.function_arn}"},
        "sk": {"S": "#".join(parts)},
    }


def _text(moment: datetime) -> str:
    """Give the moment to the second, as a text that sorts as moments do."""
    return f"{moment.astimezone(UTC):%Y-%m-%dT%H:%M:%SZ}"


def _raise_unless_condition_failed(error: ClientError) -> None:
    if code_of(error) != "ConditionalCheckFailedException":
        raise error
