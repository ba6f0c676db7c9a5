"""Messages that could not be sent, in the state table.

    incident#<id>          message  subject, body, attributes (JSON), incident (JSON), sent_as

As in `incident_state`, ``unsettled`` ("message") and ``since`` are the keys of the sparse index by
which reconcile finds them. The index holds no more than that: a message itself is read by its key.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, ClassVar

from botocore.exceptions import ClientError

from autorepair.aws.errors import aws_call, code_of
from autorepair.aws.readable_items import ReadableItems
from autorepair.domain.incident import Incident
from autorepair.watch import Unsent

if TYPE_CHECKING:
    from types_boto3_dynamodb import DynamoDBClient
    from types_boto3_dynamodb.type_defs import AttributeValueTypeDef

_INDEX = "unsettled"
_KIND = "message"
_KEPT_FOR = timedelta(days=30)
"""Longer than anybody tries to send it; then the table forgets it by itself."""


class DynamoUnsentMessages:
    """One item for each incident."""

    permissions: ClassVar[Mapping[str, frozenset[str]]] = {
        "keep": frozenset({"dynamodb:PutItem"}),
        "kept": frozenset({"dynamodb:Query", "dynamodb:GetItem"}),
        "forget": frozenset({"dynamodb:DeleteItem"}),
    }

    def __init__(self, client: DynamoDBClient, *, table: str) -> None:
        self._dynamodb = client
        self._table = table

    def keep(self, unsent: Unsent) -> None:
        """Keep a message; a newer one of the same incident takes its place.

        Raises:
            AccessDeniedError, TransientServiceError, ConfigurationError: It cannot be kept.
        """
        expires_at = int((unsent.since + _KEPT_FOR).timestamp())
        with aws_call("dynamodb:PutItem", f"table {self._table}"):
            self._dynamodb.put_item(
                TableName=self._table,
                Item=_key(unsent.incident)
                | {
                    "unsettled": {"S": _KIND},
                    "since": {"S": unsent.since.isoformat()},
                    "incident": {"S": unsent.incident.model_dump_json()},
                    "subject": {"S": unsent.subject},
                    "body": {"S": unsent.body},
                    "attributes": {"S": json.dumps(unsent.attributes, sort_keys=True)},
                    "expires_at": {"N": str(expires_at)},
                }
                | ({"sent_as": {"S": unsent.sent_as}} if unsent.sent_as else {}),
            )

    def kept(self) -> Iterator[Unsent]:
        """Give what is kept, oldest first; may lag by a moment.

        Raises:
            RecordUnreadableError: Of some item, after all others were given.
            AccessDeniedError, TransientServiceError, ConfigurationError: It cannot be read.
        """
        pages = self._dynamodb.get_paginator("query").paginate(
            TableName=self._table,
            IndexName=_INDEX,
            KeyConditionExpression="unsettled = :kind",
            ExpressionAttributeValues={":kind": {"S": _KIND}},
        )
        with aws_call("dynamodb:Query", f"table {self._table}, index {_INDEX}"):
            keys = [
                {"pk": item["pk"], "sk": item["sk"]} for page in pages for item in page["Items"]
            ]
        readable = ReadableItems(_unsent)
        for key in keys:
            with aws_call("dynamodb:GetItem", f"table {self._table}"):
                item = self._dynamodb.get_item(
                    TableName=self._table, Key=key, ConsistentRead=True
                ).get("Item")
            if item is not None:
                yield from readable.read(item)
        readable.report()

    def forget(self, unsent: Unsent) -> None:
        """Forget a message, unless a newer one has taken its place.

        Raises:
            AccessDeniedError, TransientServiceError, ConfigurationError: It cannot be forgotten.
        """
        with aws_call("dynamodb:DeleteItem", f"table {self._table}"):
            try:
                self._dynamodb.delete_item(
                    TableName=self._table,
                    Key=_key(unsent.incident),
                    ConditionExpression="since = :since",
                    ExpressionAttributeValues={":since": {"S": unsent.since.isoformat()}},
                )
            except ClientError as error:
                if code_of(error) != "ConditionalCheckFailedException":
                    raise


def _key(incident: Incident) -> dict[str, AttributeValueTypeDef]:
    return {"pk": {"S": f"incident#{incident.id}"}, "sk": {"S": _KIND}}


def _unsent(item: Mapping[str, AttributeValueTypeDef]) -> Unsent:
    return Unsent(
        incident=Incident.model_validate_json(item["incident"]["S"]),
        subject=item["subject"]["S"],
        body=item["body"]["S"],
        attributes=json.loads(item["attributes"]["S"]),
        since=datetime.fromisoformat(item["since"]["S"]),
        sent_as=item["sent_as"]["S"] if "sent_as" in item else None,
    )
