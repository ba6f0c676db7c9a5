"""The append-only record, in DynamoDB: items are put under new keys and never touched again."""

from __future__ import annotations

import json
import random
import time
from collections.abc import Callable, Iterator, Mapping
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any, ClassVar

from botocore.exceptions import ClientError

from autorepair.aws.errors import aws_call, code_of
from autorepair.domain.audit import AuditRecord, Entry, chain
from autorepair.domain.errors import RecordConflictError, RecordUnreadableError

if TYPE_CHECKING:
    from types_boto3_dynamodb import DynamoDBClient
    from types_boto3_dynamodb.type_defs import AttributeValueTypeDef

_ATTEMPTS = 20
_FIRST_PAUSE_S, _LONGEST_PAUSE_S = 0.02, 1.0


class DynamoAuditTrail:
    """Appends by a conditional put under the next number of the incident's chain."""

    permissions: ClassVar[Mapping[str, frozenset[str]]] = {
        "append": frozenset({"dynamodb:Query", "dynamodb:PutItem"}),
        "chain_of": frozenset({"dynamodb:Query"}),
        "of_span": frozenset({"dynamodb:Query"}),
        "of_function": frozenset({"dynamodb:Query"}),
    }

    def __init__(
        self,
        client: DynamoDBClient,
        *,
        table: str,
        sleep: Callable[[float], None] = time.sleep,
    ) -> None:
        self._dynamodb = client
        self._table = table
        self._sleep = sleep

    def append(self, entry: Entry) -> AuditRecord:
        """Append the entry to its incident's chain.

        An entry whose key is there already is not appended again; the record there is given back.

        Raises:
            RecordConflictError: The chain kept moving.
            AccessDeniedError, TransientServiceError, ConfigurationError: It cannot be written.
        """
        stored = _as_stored(entry)
        for attempt in range(_ATTEMPTS):
            # Chains are short (some tens of records), so the key is looked for in all of them.
            records = self.chain_of(entry.incident_id)
            said = next((r for r in records if r.entry.key == entry.key), None)
            if said is not None:
                return said
            record = chain(stored, after=records[-1] if records else None)
            if self._put(record):
                return record
            self._sleep(_pause_s(attempt))
        raise RecordConflictError(
            f"{entry.kind} of incident {entry.incident_id} could not be appended to table "
            f"{self._table} in {_ATTEMPTS} attempts because others kept appending; try again"
        )

    def chain_of(self, incident_id: str) -> tuple[AuditRecord, ...]:
        """Read an incident's records, oldest first.

        Raises:
            RecordUnreadableError: An item is not a record any more.
            AccessDeniedError, TransientServiceError, ConfigurationError: They cannot be read.
        """
        with aws_call("dynamodb:Query", f"table {self._table}"):
            pages = self._dynamodb.get_paginator("query").paginate(
                TableName=self._table,
                KeyConditionExpression="incident_id = :id",
                ExpressionAttributeValues={":id": {"S": incident_id}},
                ConsistentRead=True,
            )
            return tuple(_record_of(item) for page in pages for item in page["Items"])

    def of_span(self, since: datetime, until: datetime) -> tuple[AuditRecord, ...]:
        """Give every record of a span of time, oldest first; the index lags by a moment.

        Raises:
            RecordUnreadableError: An item is not a record.
            AccessDeniedError, TransientServiceError, ConfigurationError: They cannot be read.
        """
        days = [self._indexed("by-day", "day", day, since, until) for day in _days(since, until)]
        return tuple(record for day in days for record in day)

    def of_function(
        self, function_name: str, since: datetime, until: datetime
    ) -> tuple[AuditRecord, ...]:
        """Give a function's records of a span of time, oldest first; the index lags by a moment.

        Raises:
            RecordUnreadableError: An item is not a record.
            AccessDeniedError, TransientServiceError, ConfigurationError: They cannot be read.
        """
        return self._indexed("by-function", "function_name", function_name, since, until)

    def _indexed(
        self, index: str, attribute: str, value: str, since: datetime, until: datetime
    ) -> tuple[AuditRecord, ...]:
        with aws_call("dynamodb:Query", f"index {index} of table {self._table}"):
            pages = self._dynamodb.get_paginator("query").paginate(
                TableName=self._table,
                IndexName=index,
                KeyConditionExpression="#key = :value AND #at BETWEEN :since AND :until",
                ExpressionAttributeNames={"#key": attribute, "#at": "at"},
                ExpressionAttributeValues={
                    ":value": {"S": value},
                    ":since": {"S": _index_bound(since)},
                    ":until": {"S": _index_bound(until + timedelta(seconds=1))},
                },
            )
            found = [_record_of(item) for page in pages for item in page["Items"]]
        # The index compares texts, with and without fractions of a second; moments decide.
        within = [record for record in found if since <= record.entry.at <= until]
        return tuple(sorted(within, key=lambda record: (record.entry.at, record.seq)))

    def _put(self, record: AuditRecord) -> bool:
        """Put the record; False if another one has taken its number."""
        with aws_call("dynamodb:PutItem", f"table {self._table}"):
            try:
                self._dynamodb.put_item(
                    TableName=self._table,
                    Item=_item_of(record),
                    ConditionExpression="attribute_not_exists(incident_id)",
                )
            except ClientError as error:
                if code_of(error) != "ConditionalCheckFailedException":
                    raise
                return False
        return True


def _as_stored(entry: Entry) -> Entry:
    """Give the entry as it will be read back, so that its hash can be computed again."""
    in_utc = entry.model_copy(update={"at": entry.at.astimezone(UTC)})
    return Entry.model_validate(in_utc.as_json())


def _item_of(record: AuditRecord) -> dict[str, AttributeValueTypeDef]:
    entry = record.entry.as_json()
    item: dict[str, AttributeValueTypeDef] = {
        "incident_id": {"S": entry["incident_id"]},
        "seq": {"N": str(record.seq)},
        "key": {"S": entry["key"]},
        "kind": {"S": entry["kind"]},
        "at": {"S": entry["at"]},
        "day": {"S": f"{record.entry.at:%Y-%m-%d}"},
        "summary": {"S": entry["summary"]},
        # As text: DynamoDB's numbers would not come back as the floats they were.
        "data": {"S": json.dumps(entry["data"], sort_keys=True, separators=(",", ":"))},
        "prev_hash": {"S": record.prev_hash},
        "hash": {"S": record.hash},
    }
    # An index key must not be NULL, so an entry without a function is in no function's index.
    if entry["function_name"] is not None:
        item["function_name"] = {"S": entry["function_name"]}
    return item


def _days(since: datetime, until: datetime) -> Iterator[str]:
    day, last = since.astimezone(UTC).date(), until.astimezone(UTC).date()
    while day <= last:
        yield day.isoformat()
        day += timedelta(days=1)


def _index_bound(moment: datetime) -> str:
    """Give the moment cut to its second, as a text that sorts before all others of that second."""
    return f"{moment.astimezone(UTC):%Y-%m-%dT%H:%M:%S}"


def _record_of(item: Mapping[str, Any]) -> AuditRecord:
    try:
        return _parsed(item)
    except (KeyError, TypeError, ValueError) as error:
        where = [
            str(item.get(name, {}).get(kind)) for name, kind in (("incident_id", "S"), ("seq", "N"))
        ]
        raise RecordUnreadableError(
            f"record {where[1]} of incident {where[0]} is not a record any more "
            f"({type(error).__name__}): it was altered"
        ) from None


def _parsed(item: Mapping[str, Any]) -> AuditRecord:
    return AuditRecord(
        entry=Entry.model_validate(
            {
                "incident_id": item["incident_id"]["S"],
                "key": item["key"]["S"],
                "kind": item["kind"]["S"],
                "at": item["at"]["S"],
                "function_name": item.get("function_name", {}).get("S"),
                "summary": item["summary"]["S"],
                "data": json.loads(item["data"]["S"]),
            }
        ),
        seq=int(item["seq"]["N"]),
        prev_hash=item["prev_hash"]["S"],
        hash=item["hash"]["S"],
    )


def _pause_s(attempt: int) -> float:
    longest = min(_LONGEST_PAUSE_S, _FIRST_PAUSE_S * 2**attempt)
    return random.uniform(0, longest)  # noqa: S311 - jitter is no secret
