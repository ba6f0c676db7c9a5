"""Values that were replaced, sealed."""

from __future__ import annotations

import pytest

from adapters.account import ARN, OTHER_SECRET, SECRET, STATE_TABLE, Account
from autorepair.domain.errors import UndeclaredValueError


@pytest.mark.parametrize("value", [SECRET, "", "ünï\ncode", "x" * 4000])
def test_a_sealed_value_is_given_back_as_it_was(account: Account, value: str) -> None:
    account.snapshots.seal("s1", ARN, "A", value)

    assert account.snapshots.open("s1", ARN, "A") == value


def test_the_table_holds_nothing_readable_and_forgets_in_time(account: Account) -> None:
    account.snapshots.seal("s1", ARN, "A", SECRET)

    (item,) = account.clients.dynamodb.scan(TableName=STATE_TABLE)["Items"]
    assert item["pk"] == {"S": "snapshot#s1"}
    assert SECRET.encode() not in item["sealed"]["B"]
    assert int(item["expires_at"]["N"]) > account.clock.now().timestamp()


def test_a_value_is_sealed_anew_for_the_same_snapshot(account: Account) -> None:
    account.snapshots.seal("s1", ARN, "A", SECRET)
    account.snapshots.seal("s1", ARN, "A", OTHER_SECRET)

    assert account.snapshots.open("s1", ARN, "A") == OTHER_SECRET


@pytest.mark.parametrize(
    ("snapshot", "arn", "name"),
    [("s2", ARN, "A"), ("s1", ARN + "-2", "A"), ("s1", ARN, "B")],
)
def test_what_was_not_sealed_cannot_be_opened(
    account: Account, snapshot: str, arn: str, name: str
) -> None:
    account.snapshots.seal("s1", ARN, "A", SECRET)

    with pytest.raises(UndeclaredValueError, match="declare it"):
        account.snapshots.open(snapshot, arn, name)


def test_a_sealed_value_that_was_moved_to_another_name_does_not_open(account: Account) -> None:
    account.snapshots.seal("s1", ARN, "A", SECRET)
    (item,) = account.clients.dynamodb.scan(TableName=STATE_TABLE)["Items"]
    moved = {**item, "sk": {"S": f"{ARN}#B"}}
    account.clients.dynamodb.put_item(TableName=STATE_TABLE, Item=moved)

    with pytest.raises(UndeclaredValueError, match="kms:Decrypt"):
        account.snapshots.open("s1", ARN, "B")
