"""The chain of an incident, in DynamoDB."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta, timezone
from typing import Any

import pytest
from botocore.stub import Stubber

from adapters.account import AUDIT_TABLE, NOW, Account
from autorepair.aws.audit_trail import DynamoAuditTrail
from autorepair.domain.audit import GENESIS, Entry, RecordKind, first_break
from autorepair.domain.errors import (
    AccessDeniedError,
    ConfigurationError,
    RecordConflictError,
    TransientServiceError,
)

DATA = {"ratio": 0.1, "count": 3, "none": None, "nested": {"list": [1, 2.5, "ü"]}, "flag": True}


def entry(key: str, incident_id: str = "i1", **fields: Any) -> Entry:  # noqa: ANN401 - Entry's fields
    defaults = {
        "kind": RecordKind.DIAGNOSIS_MADE,
        "at": NOW,
        "function_name": "orders",
        "summary": "it was the timeout",
        "data": DATA,
    }
    return Entry.model_validate({"incident_id": incident_id, "key": key, **defaults, **fields})


def trail(account: Account) -> DynamoAuditTrail:
    return DynamoAuditTrail(account.clients.dynamodb, table=AUDIT_TABLE, sleep=lambda _: None)


def test_records_follow_one_another(account: Account) -> None:
    audit = trail(account)

    records = [audit.append(entry(key)) for key in ("a", "b", "c")]

    assert [r.seq for r in records] == [1, 2, 3]
    assert records[0].prev_hash == GENESIS
    assert audit.chain_of("i1") == tuple(records)
    assert first_break(audit.chain_of("i1")) is None


def test_chains_of_incidents_are_apart(account: Account) -> None:
    audit = trail(account)
    audit.append(entry("a", "i1"))

    assert audit.append(entry("a", "i2")).seq == 1
    assert len(audit.chain_of("i1")) == 1


def test_an_entry_said_twice_is_recorded_once(account: Account) -> None:
    audit = trail(account)
    first = audit.append(entry("a"))
    audit.append(entry("b"))

    assert audit.append(entry("a", at=NOW + timedelta(seconds=9))) == first
    assert len(audit.chain_of("i1")) == 2


def test_what_was_read_back_hashes_as_what_was_written(account: Account) -> None:
    audit = trail(account)
    elsewhere = timezone(timedelta(hours=9))
    audit.append(entry("a", at=NOW.astimezone(elsewhere), data={"at": NOW, "pair": (1, 2)}))
    audit.append(entry("b", at=NOW + timedelta(microseconds=7), function_name=None))

    assert first_break(audit.chain_of("i1")) is None


def test_a_record_that_was_tampered_with_breaks_the_chain(account: Account) -> None:
    audit = trail(account)
    for key in ("a", "b", "c"):
        audit.append(entry(key))
    account.clients.dynamodb.update_item(
        TableName=AUDIT_TABLE,
        Key={"incident_id": {"S": "i1"}, "seq": {"N": "2"}},
        UpdateExpression="SET summary = :other",
        ExpressionAttributeValues={":other": {"S": "nothing happened"}},
    )

    assert first_break(audit.chain_of("i1")) == 2


def test_the_item_carries_what_the_indexes_need(account: Account) -> None:
    audit = trail(account)
    audit.append(entry("a"))
    audit.append(entry("b", function_name=None))

    first, second = account.clients.dynamodb.query(
        TableName=AUDIT_TABLE,
        KeyConditionExpression="incident_id = :id",
        ExpressionAttributeValues={":id": {"S": "i1"}},
    )["Items"]
    assert (first["function_name"], first["day"]) == ({"S": "orders"}, {"S": "2026-03-04"})
    assert first["at"] == {"S": "2026-03-04T12:00:00Z"}
    assert "function_name" not in second


def test_writers_at_the_same_time_make_one_unbroken_chain(account: Account) -> None:
    # A trail of its own for each writer, as each Lambda function has; they do sleep here.
    trails = [DynamoAuditTrail(account.clients.dynamodb, table=AUDIT_TABLE) for _ in range(4)]

    def write(number: int) -> int:
        return trails[number % 4].append(entry(f"key-{number}")).seq

    with ThreadPoolExecutor(max_workers=4) as pool:
        seqs = list(pool.map(write, range(16)))

    assert sorted(seqs) == list(range(1, 17))
    assert first_break(trails[0].chain_of("i1")) is None


def test_writers_that_say_the_same_at_the_same_time_record_it_once(account: Account) -> None:
    audit = DynamoAuditTrail(account.clients.dynamodb, table=AUDIT_TABLE)

    with ThreadPoolExecutor(max_workers=4) as pool:
        hashes = {r.hash for r in pool.map(lambda _: audit.append(entry("same")), range(8))}

    assert len(hashes) == len(audit.chain_of("i1")) == 1


def test_a_chain_that_keeps_moving_ends_in_an_error(account: Account) -> None:
    client: Any = account.clients._session.client("dynamodb")
    slept: list[float] = []
    with Stubber(client) as stubber:
        for _ in range(20):
            stubber.add_response("query", {"Items": []})
            stubber.add_client_error("put_item", "ConditionalCheckFailedException")
        with pytest.raises(RecordConflictError, match="20 attempts"):
            DynamoAuditTrail(client, table=AUDIT_TABLE, sleep=slept.append).append(entry("a"))
    assert len(slept) == 20


@pytest.mark.parametrize(
    ("code", "expected"),
    [
        ("ProvisionedThroughputExceededException", TransientServiceError),
        ("AccessDeniedException", AccessDeniedError),
        ("ResourceNotFoundException", ConfigurationError),
        ("ValidationException", ConfigurationError),
    ],
)
def test_a_record_that_cannot_be_written_says_why(
    account: Account, code: str, expected: type[Exception]
) -> None:
    client: Any = account.clients._session.client("dynamodb")
    with Stubber(client) as stubber:
        stubber.add_response("query", {"Items": []})
        stubber.add_client_error("put_item", code)
        with pytest.raises(expected, match="dynamodb:PutItem on table audit"):
            DynamoAuditTrail(client, table=AUDIT_TABLE).append(entry("a"))
