from __future__ import annotations

from datetime import datetime, timedelta

import pytest

from adapters.account import NOW, STATE_TABLE, Account
from autorepair.aws.admissions import DynamoAdmissions
from autorepair.domain.errors import ConfigurationError

SPACING = timedelta(seconds=2)
BOUND = timedelta(minutes=10)


def take(account: Account, now: datetime = NOW, bound: timedelta = BOUND) -> datetime:
    admissions = DynamoAdmissions(account.clients.dynamodb, table=STATE_TABLE)
    return admissions.next_start(earliest=now, latest=now + bound, spacing=SPACING)


def test_the_first_starts_at_once_and_each_after_it_one_spacing_later(account: Account) -> None:
    assert [take(account) for _ in range(3)] == [NOW, NOW + SPACING, NOW + 2 * SPACING]


def test_who_comes_when_the_queue_has_run_dry_starts_at_once(account: Account) -> None:
    take(account)
    later = NOW + timedelta(hours=1)
    assert take(account, later) == later


def test_a_queue_longer_than_the_bound_is_not_joined(account: Account) -> None:
    bound = 2 * SPACING
    starts = [take(account, bound=bound) for _ in range(6)]
    assert starts[:3] == [NOW, NOW + SPACING, NOW + bound]
    assert set(starts[3:]) == {NOW + bound}
    assert take(account) == NOW + 3 * SPACING


def test_a_table_that_is_not_there_is_told(account: Account) -> None:
    admissions = DynamoAdmissions(account.clients.dynamodb, table="nowhere")
    with pytest.raises(ConfigurationError, match="nowhere"):
        admissions.next_start(earliest=NOW, latest=NOW, spacing=SPACING)
