"""Open incidents, leases, the pause flag and what an incident keeps."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta

import pytest

from adapters.account import ARN, NOW, STATE_TABLE, TARGET, Account, incident
from autorepair.aws.incident_state import DynamoIncidentState
from autorepair.domain.change import Change, ChangeRecord, TimeoutSetting
from autorepair.domain.errors import LeaseHeldError, LeaseLostError
from autorepair.ports import Lease


@pytest.fixture
def state(account: Account) -> DynamoIncidentState:
    return DynamoIncidentState(account.clients.dynamodb, table=STATE_TABLE, clock=account.clock)


def test_the_first_alarm_opens_the_incident_and_later_ones_find_it(
    state: DynamoIncidentState,
) -> None:
    first, second = incident("i1"), incident("i2")

    assert state.open(first).incident_id == "i1"
    assert state.open(second).incident_id == "i1"
    assert state.open(second).execution_arn == first.execution_arn


def test_opening_twice_is_opening_once(state: DynamoIncidentState) -> None:
    assert state.open(incident("i1")) == state.open(incident("i1"))


def test_a_closed_incident_makes_room_for_the_next(state: DynamoIncidentState) -> None:
    state.open(incident("i1"))
    state.close(incident("i1"))
    state.close(incident("i1"))

    assert state.open(incident("i2")).incident_id == "i2"


def test_an_incident_does_not_close_another_one(state: DynamoIncidentState) -> None:
    state.open(incident("i1"))
    state.close(incident("i2"))

    assert state.open(incident("i3")).incident_id == "i1"


def test_only_an_incident_that_was_open_starts_the_cooldown(state: DynamoIncidentState) -> None:
    state.close(incident("i1"))
    assert state.last_closed(TARGET) is None
    state.open(incident("i2"))
    state.close(incident("i1"))
    assert state.last_closed(TARGET) is None
    state.close(incident("i2"))
    closed = state.last_closed(TARGET)
    assert closed is not None
    assert closed.incident_id == "i2"


def test_an_incident_that_nobody_closed_expires(
    account: Account, state: DynamoIncidentState
) -> None:
    state.open(incident("i1"))
    account.clock.move(timedelta(days=60))
    assert state.open(incident("i2")).incident_id == "i1"

    account.clock.move(timedelta(days=41))
    assert state.open(incident("i2")).incident_id == "i2"


def test_of_many_alarms_at_the_same_time_one_opens(state: DynamoIncidentState) -> None:
    with ThreadPoolExecutor(max_workers=8) as pool:
        opened = list(pool.map(lambda n: state.open(incident(f"i{n}")), range(8)))

    assert len({o.incident_id for o in opened}) == 1


def test_a_lease_keeps_others_out_until_it_is_given_back(state: DynamoIncidentState) -> None:
    lease = state.acquire_lease(TARGET, holder="i1", seconds=60)
    assert lease == Lease(ARN, "i1", 1, NOW + timedelta(seconds=60))

    with pytest.raises(LeaseHeldError, match="held by i1"):
        state.acquire_lease(TARGET, holder="i2", seconds=60)
    state.release_lease(lease)
    assert state.acquire_lease(TARGET, holder="i2", seconds=60).fence == 2


def test_a_holder_may_take_its_lease_again(state: DynamoIncidentState) -> None:
    first = state.acquire_lease(TARGET, holder="i1", seconds=60)
    second = state.acquire_lease(TARGET, holder="i1", seconds=60)

    assert second.fence > first.fence


def test_an_expired_lease_is_taken_over_and_its_holder_cannot_give_it_back(
    account: Account, state: DynamoIncidentState
) -> None:
    lost = state.acquire_lease(TARGET, holder="i1", seconds=60)
    account.clock.move(timedelta(seconds=61))
    taken = state.acquire_lease(TARGET, holder="i2", seconds=60)

    state.release_lease(lost)

    assert taken.fence > lost.fence
    with pytest.raises(LeaseHeldError, match="held by i2"):
        state.acquire_lease(TARGET, holder="i1", seconds=60)


def test_a_lease_is_proven_as_long_as_enough_of_it_is_left(
    account: Account, state: DynamoIncidentState
) -> None:
    lease = state.acquire_lease(TARGET, holder="i1", seconds=360)
    account.clock.move(timedelta(seconds=300))
    state.prove_lease(lease, seconds=60)

    account.clock.move(timedelta(seconds=1))
    with pytest.raises(LeaseLostError, match="another 60 s"):
        state.prove_lease(lease, seconds=60)


def test_a_lease_that_was_taken_over_is_never_proven_again(
    account: Account, state: DynamoIncidentState
) -> None:
    lost = state.acquire_lease(TARGET, holder="i1", seconds=60)
    account.clock.move(timedelta(seconds=61))
    taken = state.acquire_lease(TARGET, holder="i2", seconds=60)

    with pytest.raises(LeaseLostError, match="write lease 1"):
        state.prove_lease(lost, seconds=10)
    state.prove_lease(taken, seconds=10)


def test_the_same_holders_earlier_lease_is_not_proven(state: DynamoIncidentState) -> None:
    """A retry took it anew: the run before it may still be there, and must not write beside it."""
    first = state.acquire_lease(TARGET, holder="i1", seconds=60)
    state.acquire_lease(TARGET, holder="i1", seconds=60)

    with pytest.raises(LeaseLostError):
        state.prove_lease(first, seconds=10)


def test_a_lease_that_was_given_back_is_not_proven(state: DynamoIncidentState) -> None:
    lease = state.acquire_lease(TARGET, holder="i1", seconds=60)
    state.release_lease(lease)

    with pytest.raises(LeaseLostError):
        state.prove_lease(lease, seconds=10)


def test_of_many_writers_one_gets_the_lease(state: DynamoIncidentState) -> None:
    def take(number: int) -> int:
        try:
            return state.acquire_lease(TARGET, holder=f"i{number}", seconds=60).fence
        except LeaseHeldError:
            return 0

    with ThreadPoolExecutor(max_workers=8) as pool:
        fences = list(pool.map(take, range(8)))

    assert sorted(fences) == [0] * 7 + [1]


def test_a_pause_holds_until_it_is_taken_away(account: Account, state: DynamoIncidentState) -> None:
    assert not state.pause_in_force()
    key = {"pk": {"S": "pause"}, "sk": {"S": "pause"}}
    account.clients.dynamodb.put_item(TableName=STATE_TABLE, Item=key)
    assert state.pause_in_force()
    account.clients.dynamodb.delete_item(TableName=STATE_TABLE, Key=key)
    assert not state.pause_in_force()


def test_a_pause_with_an_end_ends(account: Account, state: DynamoIncidentState) -> None:
    end = str(int((NOW + timedelta(hours=1)).timestamp()))
    account.clients.dynamodb.put_item(
        TableName=STATE_TABLE,
        Item={"pk": {"S": "pause"}, "sk": {"S": "pause"}, "expires_at": {"N": end}},
    )

    assert state.pause_in_force()
    account.clock.move(timedelta(hours=1))
    assert not state.pause_in_force()


def test_a_change_is_remembered_as_it_was_told_last(state: DynamoIncidentState) -> None:
    change = Change(
        target=TARGET,
        before=TimeoutSetting(timeout_s=3),
        after=TimeoutSetting(timeout_s=9),
        planned_on="f1",
    )
    planned = ChangeRecord(status="planned", reason="too short", change=change)
    assert state.remembered_change(incident()) is None

    state.remember_change(incident(), planned)
    applied = planned.model_copy(update={"status": "applied", "applied_at": NOW})
    state.remember_change(incident(), applied)

    assert state.remembered_change(incident()) == applied
    assert state.remembered_change(incident("other")) is None


def test_a_newer_task_token_takes_the_place_of_the_older(
    account: Account, state: DynamoIncidentState
) -> None:
    state.keep_task_token(incident(), "first", seconds=60)
    state.keep_task_token(incident(), "second", seconds=60)

    (item,) = account.clients.dynamodb.scan(TableName=STATE_TABLE)["Items"]
    assert (item["pk"], item["sk"]) == ({"S": "incident#incident-1"}, {"S": "token"})
    assert item["token"] == {"S": "second"}
    assert item["expires_at"] == {"N": str(int(NOW.timestamp()) + 60)}
