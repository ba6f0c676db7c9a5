"""What a longer timeout rests on is read anew at the write: a person may have days to answer."""

from __future__ import annotations

import pytest

from autorepair.domain.change import ChangeRecord
from autorepair.domain.errors import AccessDeniedError, TransientServiceError
from autorepair.domain.evidence import AccountConcurrency, Caller, EvidenceSummary, Gap
from unit.builders import decision, evidence, memory_change, slow_invocations
from unit.executing import ASKED, YES, executed, timeout_now, world_under
from unit.fakes import World
from unit.test_steps_cost import BUSY

ROOMY = AccountConcurrency(limit=1000, unreserved=900)
UNREAD = Gap(source="callers/resource-policy", reason="AccessDeniedError: no lambda:GetPolicy")


def waiting_for(limit_s: float) -> Caller:
    return Caller(kind="apigateway", source="the shop's API", timeout_limit_s=limit_s)


def seen(world: World, **found: object) -> EvidenceSummary:
    summary = world.evidence.put(evidence(*slow_invocations()))
    return summary.model_copy(update=found)


def approved(world: World, **found: object) -> ChangeRecord:
    return executed(world, evidence=seen(world, **found), decision=ASKED, approval=YES)


def test_a_caller_that_came_since_and_waits_for_less_stops_the_write() -> None:
    world = world_under()
    world.callers.callers = (waiting_for(30.0), waiting_for(5.0))
    record = approved(world)
    assert (record.status, timeout_now(world)) == ("refused", 3)
    assert "apigateway the shop's API allows at most 5 s by now" in record.reason


def test_a_caller_that_waits_as_long_as_the_new_timeout_stops_nothing() -> None:
    world = world_under()
    sns = Caller(kind="sns", source="topic")
    world.callers.callers = (waiting_for(6.0), sns)
    assert approved(world).status == "applied"


def test_callers_that_can_be_read_no_more_stop_the_write() -> None:
    world = world_under()
    world.callers.gaps = (UNREAD,)
    record = approved(world)
    assert (record.status, timeout_now(world)) == ("refused", 3)
    assert "no lambda:GetPolicy" in record.reason


def test_callers_that_could_not_be_read_when_a_person_agreed_stop_nothing() -> None:
    world = world_under()
    world.callers.gaps = (UNREAD,)
    assert approved(world, gaps=(UNREAD,)).status == "applied"


def test_callers_and_the_account_matter_to_a_timeout_only() -> None:
    world = world_under()
    world.callers.error = world.concurrency.error = TransientServiceError("down")
    more = memory_change()
    decided = decision(change=more, plan_hash=more.plan_hash)
    record = executed(world, evidence=seen(world, concurrency=ROOMY), decision=decided)
    assert record.status == "applied"


# 20 at the peak and 30 more take 50; half of what a small account has unreserved is kept.
@pytest.mark.parametrize(("unreserved", "status"), [(100, "applied"), (98, "refused")])
def test_room_that_others_took_since_is_not_counted_on(unreserved: int, status: str) -> None:
    world = world_under()
    world.concurrency.unreserved = unreserved
    record = approved(world, concurrency=ROOMY, traffic=BUSY)
    assert record.status == status
    assert ("the account's limit leaves 49" in record.reason) is (status == "refused")


def test_an_account_that_can_be_read_no_more_stops_the_write() -> None:
    world = world_under()
    world.concurrency.error = AccessDeniedError("no lambda:GetAccountSettings")
    record = approved(world, concurrency=ROOMY)
    assert (record.status, timeout_now(world)) == ("refused", 3)
    assert "no lambda:GetAccountSettings" in record.reason


def test_an_account_that_could_not_be_read_when_a_person_agreed_stops_nothing() -> None:
    world = world_under()
    world.concurrency.error = AccessDeniedError("no lambda:GetAccountSettings")
    gap = Gap(source="concurrency", reason="AccessDeniedError: no lambda:GetAccountSettings")
    assert approved(world, gaps=(gap,)).status == "applied"


def test_an_account_that_is_only_busy_is_asked_again_and_nothing_is_given_up() -> None:
    world = world_under()
    world.concurrency.error = TransientServiceError("throttled")
    with pytest.raises(TransientServiceError):
        approved(world, concurrency=ROOMY)
    world.concurrency.error = None
    assert approved(world, concurrency=ROOMY).status == "applied"
