from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta

import pytest

from adapters.account import NOW, STATE_TABLE, TARGET, Account
from adapters.actions import actions_called
from autorepair.aws.incident_state import DynamoIncidentState
from autorepair.aws.pauses import DynamoPauses
from autorepair.aws.policies import SsmPolicies, SsmPolicyParameter
from autorepair.aws.repair_ledger import DynamoRepairLedger
from autorepair.domain.change import Change, TimeoutSetting
from autorepair.domain.errors import (
    ConfigurationError,
    PolicyUnreadableError,
    TransientServiceError,
)
from autorepair.domain.incident import Target
from autorepair.domain.ledger import AccountLedger, Ledger
from autorepair.domain.pause import Pause
from autorepair.domain.watched import WATCHED_FOR


@pytest.fixture
def ledger(account: Account) -> DynamoRepairLedger:
    return DynamoRepairLedger(account.clients.dynamodb, table=STATE_TABLE, clock=account.clock)


def target(name: str) -> Target:
    arn = TARGET.function_arn.replace("orders", name)
    return TARGET.model_copy(update={"function_name": name, "function_arn": arn})


def change(name: str = "orders") -> Change:
    return Change(
        target=target(name),
        before=TimeoutSetting(timeout_s=3),
        after=TimeoutSetting(timeout_s=6),
        planned_on="f1",
    )


def as_it_is(found: Ledger) -> tuple[Ledger, Ledger]:
    return found, found


def book(ledger: DynamoRepairLedger, name: str, incident: str) -> None:
    ledger.update(target(name), lambda one: (one.booked(change(name), incident, NOW), None))


def test_what_is_booked_is_read_by_the_next_one_for_function_and_account(
    ledger: DynamoRepairLedger,
) -> None:
    assert ledger.update(TARGET, as_it_is) == Ledger()
    book(ledger, "orders", "inc-1")
    book(ledger, "invoices", "inc-2")
    found = ledger.update(TARGET, as_it_is)
    assert [b.incident_id for b in found.of_function] == ["inc-1"]
    assert [w.function_name for w in found.of_account.writes] == ["orders", "invoices"]


def test_reading_writes_nothing(account: Account, ledger: DynamoRepairLedger) -> None:
    ledger.update(TARGET, as_it_is)
    assert account.clients.dynamodb.scan(TableName=STATE_TABLE)["Count"] == 0


def test_of_many_that_ask_for_the_last_two_repairs_two_get_one(
    ledger: DynamoRepairLedger,
) -> None:
    def take(number: int) -> bool:
        def revised(found: Ledger) -> tuple[Ledger, bool]:
            if len(found.of_account.writes) >= 2:
                return found, False
            return found.booked(change(f"f{number}"), f"inc-{number}", NOW), True

        return ledger.update(target(f"f{number}"), revised)

    with ThreadPoolExecutor(max_workers=8) as pool:
        taken = list(pool.map(take, range(16)))
    assert sum(taken) == 2
    assert len(ledger.update(TARGET, as_it_is).of_account.writes) == 2


def test_one_who_was_overtaken_looks_again_and_loses_nobodys_entry(
    ledger: DynamoRepairLedger,
) -> None:
    seen: list[int] = []

    def revised(found: Ledger) -> tuple[Ledger, None]:
        seen.append(len(found.of_account.writes))
        if len(seen) == 1:
            book(ledger, "invoices", "inc-other")
        return found.booked(change(), "inc-1", NOW), None

    ledger.update(TARGET, revised)
    assert seen == [0, 1]
    writes = ledger.update(TARGET, as_it_is).of_account.writes
    assert [w.incident_id for w in writes] == ["inc-other", "inc-1"]


def test_a_ledger_that_keeps_moving_is_given_up_for_now(account: Account) -> None:
    rests: list[float] = []
    ledger = DynamoRepairLedger(
        account.clients.dynamodb, table=STATE_TABLE, clock=account.clock, sleep=rests.append
    )
    others = iter(range(1000))

    def revised(found: Ledger) -> tuple[Ledger, None]:
        book(ledger, "invoices", f"inc-{next(others)}")
        return found.booked(change(), "mine", NOW), None

    with pytest.raises(TransientServiceError, match="kept moving"):
        ledger.update(TARGET, revised)
    assert len(rests) > 5


def test_a_ledger_that_cannot_be_read_lets_nothing_through(
    account: Account, ledger: DynamoRepairLedger
) -> None:
    account.clients.dynamodb.put_item(
        TableName=STATE_TABLE,
        Item={
            "pk": {"S": "repairs"},
            "sk": {"S": "account"},
            "entries": {"S": '{"of": "another release"}'},
            "version": {"N": "1"},
        },
    )
    with pytest.raises(ConfigurationError, match="delete the function's item"):
        ledger.update(TARGET, as_it_is)


def test_what_was_booked_outlives_the_time_in_which_the_repair_is_watched(
    account: Account, ledger: DynamoRepairLedger
) -> None:
    book(ledger, "orders", "inc-1")
    (one, other) = account.clients.dynamodb.scan(TableName=STATE_TABLE)["Items"]
    over = (NOW + WATCHED_FOR).timestamp()
    assert min(int(one["expires_at"]["N"]), int(other["expires_at"]["N"])) > over


def test_a_pause_tells_who_since_when_why_and_until_when(account: Account) -> None:
    pauses = DynamoPauses(account.clients.dynamodb, table=STATE_TABLE, clock=account.clock)
    assert pauses.in_force() is None
    pause = Pause(by="arn:duty", since=NOW, why="migration", until=NOW + timedelta(hours=1))
    pauses.put(pause)
    assert pauses.in_force() == pause
    assert pause.told() == (
        "arn:duty has paused all repairs since 2026-03-04 12:00 UTC until 2026-03-04 13:00 UTC "
        "(migration)"
    )
    account.clock.move(timedelta(hours=1))
    assert pauses.in_force() is None
    pauses.put(Pause())
    assert pauses.in_force() == Pause()
    pauses.lift()
    pauses.lift()
    assert pauses.in_force() is None


def test_a_pause_put_by_hand_with_an_odd_moment_pauses_all_the_same(account: Account) -> None:
    account.clients.dynamodb.put_item(
        TableName=STATE_TABLE,
        Item={"pk": {"S": "pause"}, "sk": {"S": "pause"}, "since": {"S": "yesterday"}},
    )
    pauses = DynamoPauses(account.clients.dynamodb, table=STATE_TABLE, clock=account.clock)
    assert pauses.in_force() == Pause()


USES: list[tuple[Callable[[Account], object], frozenset[str]]] = [
    (
        lambda a: book(
            DynamoRepairLedger(a.clients.dynamodb, table=STATE_TABLE, clock=a.clock), "f", "i"
        ),
        DynamoRepairLedger.permissions["update"],
    ),
    (lambda a: _pauses(a).in_force(), DynamoPauses.permissions["in_force"]),
    (lambda a: _pauses(a).put(Pause()), DynamoPauses.permissions["put"]),
    (lambda a: _pauses(a).lift(), DynamoPauses.permissions["lift"]),
    (lambda a: _state(a).change_of("i"), DynamoIncidentState.permissions["change_of"]),
    (lambda a: _policy(a).write("{}"), SsmPolicyParameter.permissions["write"]),
]


def _pauses(account: Account) -> DynamoPauses:
    return DynamoPauses(account.clients.dynamodb, table=STATE_TABLE, clock=account.clock)


def _state(account: Account) -> DynamoIncidentState:
    return DynamoIncidentState(account.clients.dynamodb, table=STATE_TABLE, clock=account.clock)


def _policy(account: Account) -> SsmPolicyParameter:
    return SsmPolicyParameter(account.clients.ssm, parameter="/policy")


@pytest.mark.parametrize(("use", "needed"), USES)
def test_an_adapter_calls_what_it_declares_and_nothing_else(
    account: Account, use: Callable[[Account], object], needed: frozenset[str]
) -> None:
    with actions_called(account) as called:
        use(account)
    assert called == needed


def test_a_policy_that_cannot_be_read_is_counted_each_time_and_a_readable_one_is_not(
    account: Account,
) -> None:
    counted: list[None] = []
    policies = SsmPolicies(
        account.clients.ssm, parameter="/policy", on_unreadable=lambda: counted.append(None)
    )
    for text in (None, "{"):
        if text is not None:
            _policy(account).write(text)
        with pytest.raises(PolicyUnreadableError):
            policies.current()
    assert len(counted) == 2
    _policy(account).write("{}")
    policies.current(is_fresh=True)
    assert len(counted) == 2


def test_the_account_alone_may_be_looked_at(account: Account, ledger: DynamoRepairLedger) -> None:
    assert ledger.of_account() == AccountLedger()
    book(ledger, "orders", "i1")
    with actions_called(account) as called:
        found = ledger.of_account()
    assert [one.incident_id for one in found.writes] == ["i1"]
    assert called == DynamoRepairLedger.permissions["of_account"]
