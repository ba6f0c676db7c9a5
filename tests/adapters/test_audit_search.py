"""Finding records across incidents, by function and by time."""

from __future__ import annotations

from datetime import timedelta

import pytest

from adapters.account import NOW, Account
from adapters.indexed import INDEXED_TABLE, entry, indexed_trail
from autorepair.domain.audit import RecordKind
from autorepair.domain.errors import ConfigurationError, RecordUnreadableError

HOUR = timedelta(hours=1)


def test_a_span_over_midnight_is_read_on_both_days_oldest_first(account: Account) -> None:
    trail = indexed_trail(account)
    for hours in (0, 6, 11, 13, 20):
        trail.append(entry(f"i{hours}", at=NOW + hours * HOUR))

    found = trail.of_span(NOW + 6 * HOUR, NOW + 13 * HOUR)

    assert [r.entry.incident_id for r in found] == ["i6", "i11", "i13"]


def test_a_span_is_exact_to_parts_of_a_second(account: Account) -> None:
    trail = indexed_trail(account)
    tick = timedelta(microseconds=1)
    for name, moment in (("before", NOW - tick), ("at", NOW), ("after", NOW + tick)):
        trail.append(entry(name, at=moment))

    assert [r.entry.incident_id for r in trail.of_span(NOW, NOW + HOUR)] == ["at", "after"]
    assert [r.entry.incident_id for r in trail.of_span(NOW - HOUR, NOW)] == ["before", "at"]


def test_a_function_has_its_own_records_and_no_others(account: Account) -> None:
    trail = indexed_trail(account)
    trail.append(entry("i1"))
    trail.append(entry("i2", function_name="invoices"))
    trail.append(entry("i3", function_name=None))

    found = trail.of_function("orders", NOW - HOUR, NOW)

    assert [r.entry.incident_id for r in found] == ["i1"]
    assert len(trail.of_span(NOW - HOUR, NOW)) == 3


@pytest.mark.parametrize("attribute", ["data", "at", "kind"])
def test_an_item_that_is_no_record_any_more_is_named(account: Account, attribute: str) -> None:
    trail = indexed_trail(account)
    trail.append(entry("i1"))
    account.clients.dynamodb.update_item(
        TableName=INDEXED_TABLE,
        Key={"incident_id": {"S": "i1"}, "seq": {"N": "1"}},
        UpdateExpression="SET #a = :v",
        ExpressionAttributeNames={"#a": attribute},
        ExpressionAttributeValues={":v": {"S": "{"}},
    )

    with pytest.raises(RecordUnreadableError, match="record 1 of incident i1"):
        trail.chain_of("i1")


def test_a_table_that_is_not_there_is_said_to_be_missing(account: Account) -> None:
    trail = indexed_trail(account)
    account.clients.dynamodb.delete_table(TableName=INDEXED_TABLE)

    with pytest.raises(ConfigurationError, match=f"table {INDEXED_TABLE}.*does not exist"):
        trail.of_span(NOW - HOUR, NOW)


def test_what_was_found_is_what_the_chain_holds(account: Account) -> None:
    trail = indexed_trail(account)
    trail.append(entry("i1"))
    trail.append(entry("i1", RecordKind.INCIDENT_CLOSED, at=NOW + HOUR, outcome="repaired"))

    assert trail.of_span(NOW, NOW + HOUR) == trail.chain_of("i1")
