from __future__ import annotations

from datetime import timedelta

import pytest

from autorepair.domain.approval_link import ApprovalLink
from autorepair.domain.audit import RecordKind
from autorepair.domain.errors import AccessDeniedError, TransientServiceError
from autorepair.domain.notification import ApprovalRequest
from autorepair.steps.request_approval import RequestApprovalInput, request_approval
from unit.builders import INCIDENT, change, course, decision
from unit.fakes import NOW, World

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


def test_the_message_says_until_when_the_question_stands() -> None:
    world = World()
    requested(world, token="token-1")
    until = NOW + timedelta(seconds=3600)
    assert f"(until {until:%Y-%m-%d %H:%M:%S} UTC)\n" in world.notifier.sent[0].message


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


URL = "https://api.example.com/approval"


def test_the_message_has_a_link_that_is_bound_to_this_question_and_ends_with_it() -> None:
    world = World(approval_url=URL)
    requested(world, token="token-1")
    ((token, link),) = world.links.issued.items()
    planned = change()
    assert link == ApprovalLink(
        incident_id=INCIDENT.id,
        plan_hash=planned.plan_hash,
        fingerprint=str(planned.planned_on),
        expires_at=NOW + timedelta(seconds=3600),
    )
    assert world.notifier.sent[0].message.count(f"{URL}/{token}\n") == 2


def test_the_links_token_is_nowhere_but_in_the_message(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level("DEBUG")
    world = World(approval_url=URL)
    result = requested(world, token="task")
    (token,) = world.links.issued
    sent = world.notifier.sent[0]
    told = [
        world.audit.told(),
        repr(world.announcer.announced),
        repr(world.state.tokens),
        result.model_dump_json(),
        repr(sent.attributes) + sent.subject,
        caplog.text,
    ]
    assert not [one for one in told if token in one or URL in one]


def test_where_no_page_is_deployed_no_link_is_issued_or_sent() -> None:
    world = World()
    requested(world, token="token-1")
    assert world.links.issued == {}
    assert "page" not in world.notifier.sent[0].message


def test_a_retry_sends_another_link_to_the_same_question() -> None:
    world = World(approval_url=URL)
    world.notifier.error = TransientServiceError("throttled")
    with pytest.raises(TransientServiceError):
        requested(world, token="token-1")
    world.notifier.error = None
    requested(world, token="token-2")
    first, second = world.links.issued
    message = world.notifier.sent[0].message
    assert second in message
    assert first not in message
    assert world.links.issued[first] == world.links.issued[second]


def test_a_link_that_cannot_be_kept_is_not_sent() -> None:
    world = World(approval_url=URL)
    world.links.errors["issue"] = AccessDeniedError("dynamodb:PutItem on table state failed")
    with pytest.raises(AccessDeniedError):
        requested(world, token="token-1")
    assert world.notifier.sent == []


@pytest.mark.parametrize("nothing", [None, decision(change=None), decision(plan_hash=None)])
def test_without_a_plan_there_is_nothing_to_ask(nothing: object) -> None:
    state = course(decision=nothing)
    given = RequestApprovalInput(task_token="t", state=state)
    with pytest.raises(ValueError, match="no plan"):
        request_approval(given, World().ports)
