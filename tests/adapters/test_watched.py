"""What is watched after incidents, in the state table."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta

import pytest

from adapters.account import NOW, STATE_TABLE, TARGET, Account, incident
from adapters.actions import actions_called
from autorepair.aws.incident_state import DynamoIncidentState
from autorepair.aws.pace import SteadyPace
from autorepair.aws.watched import DynamoWatches
from autorepair.domain.change import (
    Change,
    DeclaredSource,
    EnvironmentSetting,
    MemorySetting,
    TimeoutSetting,
)
from autorepair.domain.errors import RecordUnreadableError
from autorepair.domain.watched import WatchedOutcome, WatchedRepair

LONGER = Change(
    target=TARGET,
    before=TimeoutSetting(timeout_s=3),
    after=TimeoutSetting(timeout_s=6),
    planned_on="x",
)
LARGER = Change(
    target=TARGET,
    before=MemorySetting(memory_mb=128),
    after=MemorySetting(memory_mb=384),
    planned_on="x",
)


def repair(
    change: Change = LONGER, *, incident_id: str = "i1", due_in: timedelta = timedelta()
) -> WatchedRepair:
    return WatchedRepair(
        incident=incident(incident_id),
        change=change,
        applied_at=NOW,
        since=NOW,
        due_at=NOW + due_in,
    )


def outcome(incident_id: str = "i1") -> WatchedOutcome:
    return WatchedOutcome(
        incident=incident(incident_id),
        change=LONGER,
        withheld="observe",
        closed_at=NOW,
        due_at=NOW + timedelta(hours=1),
    )


def setting_of(*names: str) -> Change:
    after = EnvironmentSetting(variables={name: DeclaredSource() for name in names})
    return Change(target=TARGET, before=after, after=after, planned_on="x")


@pytest.fixture
def watches(account: Account) -> DynamoWatches:
    return DynamoWatches(account.clients.dynamodb, table=STATE_TABLE, clock=account.clock)


def due(watches: DynamoWatches, after: timedelta = timedelta(), most: int = 10) -> list[object]:
    return list(watches.due(NOW + after, most=most))


def test_what_is_kept_is_given_when_it_is_due_and_no_sooner(watches: DynamoWatches) -> None:
    watches.keep(repair())
    watches.keep(outcome())
    assert due(watches) == [repair()]
    assert due(watches, timedelta(hours=1)) == [repair(), outcome()]


def test_what_waits_longest_comes_first_and_no_more_than_asked_for(
    watches: DynamoWatches,
) -> None:
    second = repair(LARGER, due_in=timedelta(minutes=2))
    first = repair(due_in=timedelta(minutes=1))
    watches.keep(second)
    watches.keep(first)
    assert due(watches, timedelta(hours=2)) == [first, second]
    assert due(watches, timedelta(hours=2), most=1) == [first]


def test_a_newer_repair_of_the_same_setting_takes_the_place_of_the_one_before(
    watches: DynamoWatches,
) -> None:
    watches.keep(repair())
    assert watches.repair_like(LONGER) == repair()
    assert watches.repair_like(LARGER) is None
    watches.keep(repair(incident_id="i2"))
    assert due(watches) == [repair(incident_id="i2")]


def test_other_aliases_and_other_variables_are_other_settings(watches: DynamoWatches) -> None:
    live = LONGER.model_copy(update={"target": TARGET.model_copy(update={"qualifier": "live"})})
    for change in (LONGER, live, setting_of("A"), setting_of("A", "B")):
        watches.keep(repair(change))
    assert len(due(watches)) == 4


def test_a_look_is_kept_unless_the_watch_has_ended(watches: DynamoWatches) -> None:
    watches.keep(repair())
    later = repair(due_in=timedelta(minutes=15))
    watches.look_again(later)
    assert due(watches) == []
    assert due(watches, timedelta(hours=1)) == [later]
    watches.end(later)
    watches.look_again(later)
    assert due(watches, timedelta(hours=1)) == []


def test_a_watch_that_is_a_newer_incidents_by_now_is_neither_moved_nor_ended(
    watches: DynamoWatches,
) -> None:
    newer = repair(incident_id="i2")
    watches.keep(newer)
    watches.look_again(repair(due_in=timedelta(days=1)))
    watches.end(repair())
    assert due(watches) == [newer]


def test_what_has_expired_is_not_there_though_dynamodb_deletes_late(
    watches: DynamoWatches, account: Account
) -> None:
    watches.keep(repair())
    account.clock.move(timedelta(days=90))
    assert due(watches, timedelta(days=90)) == []


def test_an_item_that_cannot_be_read_does_not_keep_back_the_rest(
    watches: DynamoWatches, account: Account
) -> None:
    watches.keep(repair())
    watches.keep(repair(LARGER))
    account.clients.dynamodb.update_item(
        TableName=STATE_TABLE,
        Key={"pk": {"S": f"target#{TARGET.function_arn}"}, "sk": {"S": "watch#set_timeout"}},
        UpdateExpression="SET watched = :odd",
        ExpressionAttributeValues={":odd": {"S": "{}"}},
    )
    found: list[object] = []
    with pytest.raises(RecordUnreadableError):
        found.extend(one for one in watches.due(NOW, most=10))
    assert found == [repair(LARGER)]
    assert watches.repair_like(LONGER) is None
    assert watches.repair_like(LARGER) == repair(LARGER)


def test_what_cannot_be_read_or_has_expired_never_blocks_the_queue(
    watches: DynamoWatches, account: Account
) -> None:
    for n in range(7):
        watches.keep(outcome(f"odd{n}").model_copy(update={"due_at": NOW - timedelta(hours=2)}))
    for n in range(7):
        odd = "SET watched = :odd" if n < 4 else "SET expires_at = :past"
        values = {":odd": {"S": "{}"}} if n < 4 else {":past": {"N": "1"}}
        account.clients.dynamodb.update_item(
            TableName=STATE_TABLE,
            Key={"pk": {"S": f"incident#odd{n}"}, "sk": {"S": "watch#outcome"}},
            UpdateExpression=odd,
            ExpressionAttributeValues=values,
        )
    watches.keep(repair())
    watches.keep(repair(LARGER, due_in=timedelta(minutes=1)))
    found: list[object] = []
    with pytest.raises(RecordUnreadableError, match="4 items"):
        found.extend(one for one in watches.due(NOW + timedelta(hours=1), most=2))
    assert found == [repair(), repair(LARGER, due_in=timedelta(minutes=1))]


def test_what_is_looked_at_again_within_a_run_is_not_given_twice(watches: DynamoWatches) -> None:
    watches.keep(repair())
    watches.keep(repair(LARGER, due_in=timedelta(minutes=1)))
    found = []
    for one in watches.due(NOW + timedelta(hours=2), most=10):
        found.append(one)
        watches.look_again(one.model_copy(update={"due_at": NOW + timedelta(hours=1)}))
    assert len(found) == 2


def test_reconcile_does_not_take_a_watch_for_an_open_incident(
    watches: DynamoWatches, account: Account
) -> None:
    watches.keep(repair())
    state = DynamoIncidentState(account.clients.dynamodb, table=STATE_TABLE, clock=account.clock)
    assert list(state.unsettled()) == []


USES: dict[str, Callable[[DynamoWatches], object]] = {
    "keep": lambda watches: watches.keep(repair()),
    "repair_like": lambda watches: watches.repair_like(LONGER),
    "due": due,
    "look_again": lambda watches: watches.look_again(repair()),
    "end": lambda watches: watches.end(repair()),
}


@pytest.mark.parametrize("method", USES)
def test_it_calls_what_it_declares_and_nothing_else(
    watches: DynamoWatches, account: Account, method: str
) -> None:
    watches.keep(repair())
    with actions_called(account) as called:
        USES[method](watches)
    assert called == DynamoWatches.permissions[method]


class Time:
    """A clock that sleeping moves."""

    def __init__(self) -> None:
        self.at = 100.0
        self.slept: list[float] = []

    def now(self) -> float:
        return self.at

    def sleep(self, seconds: float) -> None:
        self.slept.append(seconds)
        self.at += seconds


def test_the_pace_lets_two_calls_a_second_through() -> None:
    time = Time()
    pace = SteadyPace(calls_a_second=2, now=time.now, sleep=time.sleep)
    pace.take(4)
    assert time.slept == []
    pace.take(4)
    pace.take(1)
    assert time.slept == [2.0, 2.0]
    time.at += 60
    pace.take(4)
    assert len(time.slept) == 2
