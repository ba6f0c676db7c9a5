"""An audit table with the indexes that the stack gives it."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from adapters.account import NOW, Account
from autorepair.aws.audit_trail import DynamoAuditTrail
from autorepair.domain.audit import Entry, RecordKind

INDEXED_TABLE = "audit-indexed"


def indexed_trail(account: Account, table: str = INDEXED_TABLE) -> DynamoAuditTrail:
    account.clients.dynamodb.create_table(
        TableName=table,
        KeySchema=[
            {"AttributeName": "incident_id", "KeyType": "HASH"},
            {"AttributeName": "seq", "KeyType": "RANGE"},
        ],
        AttributeDefinitions=[
            {"AttributeName": "incident_id", "AttributeType": "S"},
            {"AttributeName": "seq", "AttributeType": "N"},
            {"AttributeName": "function_name", "AttributeType": "S"},
            {"AttributeName": "day", "AttributeType": "S"},
            {"AttributeName": "at", "AttributeType": "S"},
        ],
        GlobalSecondaryIndexes=[
            {
                "IndexName": index,
                "KeySchema": [
                    {"AttributeName": key, "KeyType": "HASH"},
                    {"AttributeName": "at", "KeyType": "RANGE"},
                ],
                "Projection": {"ProjectionType": "ALL"},
            }
            for index, key in (("by-function", "function_name"), ("by-day", "day"))
        ],
        BillingMode="PAY_PER_REQUEST",
    )
    return DynamoAuditTrail(account.clients.dynamodb, table=table)


def entry(
    incident_id: str,
    kind: RecordKind = RecordKind.INCIDENT_OPENED,
    *,
    at: datetime = NOW,
    function_name: str | None = "orders",
    **data: Any,  # noqa: ANN401 - plain JSON
) -> Entry:
    return Entry(
        incident_id=incident_id,
        key=f"{kind}/{at:%H%M%S%f}",
        kind=kind,
        at=at,
        function_name=function_name,
        summary=kind.value,
        data=data,
    )
