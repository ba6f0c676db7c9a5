from __future__ import annotations

import pytest

from autorepair.domain.audit import RecordKind
from autorepair.domain.errors import TransientServiceError
from autorepair.domain.notification import ApprovalRequest
from autorepair.steps.request_approval import RequestApprovalInput, request_approval
from unit.builders import INCIDENT, course, decision
from unit.fakes import World

ASKED = course(decision=decision(action="ask", approval_timeout_s=3600))


def requested(world: World, *, token: str) -> ApprovalRequest:
    given = RequestApprovalInput(task_token=token, state=ASKED)
    return request_approval(given, world.ports)


def test_the_question_is_sent_the_token_kept_and_both_recorded() -> None:
    world = World()
    result = requested(world, token="token-1")
    assert world.state.tokens[INCIDENT.id] == ("token-1", 3600)
    assert world.notifier.sent[0].attributes == {"kind": "approval_requested"}
    assert result.plan_hash == decision().plan_hash
    assert world.kinds(INCIDENT) == [RecordKind.APPROVAL_REQUESTED]
    assert world.announcer.types == ["ApprovalRequested"]


def test_the_token_is_in_no_record_message_or_event() -> None:
    world = World()
    requested(world, token="secret-token")
    assert "secret-token" not in world.audit.told()
    assert "secret-token" not in repr(world.notifier.sent)
    assert "secret-token" not in repr(world.announcer.announced)


def test_a_retry_brings_a_new_token_and_no_second_record() -> None:
    world = World()
    requested(world, token="token-1")
    requested(world, token="token-2")
    assert world.state.tokens[INCIDENT.id][0] == "token-2"
    assert len(world.kinds(INCIDENT)) == 1


def test_a_question_that_did_not_get_through_is_a_failure() -> None:
    world = World()
    world.notifier.error = TransientServiceError("throttled")
    with pytest.raises(TransientServiceError):
        requested(world, token="token-1")


@pytest.mark.parametrize("nothing", [None, decision(change=None)])
def test_without_a_plan_there_is_nothing_to_ask(nothing: object) -> None:
    state = course(decision=nothing)
    given = RequestApprovalInput(task_token="t", state=state)
    with pytest.raises(ValueError, match="no plan"):
        request_approval(given, World().ports)
