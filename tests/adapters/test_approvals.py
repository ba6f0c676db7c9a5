from __future__ import annotations

import json
from datetime import timedelta
from typing import Any

import pytest
from botocore.stub import Stubber

from adapters.account import STATE_TABLE, Account, incident
from autorepair.aws.approvals import TaskTokenApprovals
from autorepair.aws.incident_state import DynamoIncidentState
from autorepair.domain.approval import Approval
from autorepair.domain.errors import (
    AccessDeniedError,
    ConfigurationError,
    NotWaitingError,
    TransientServiceError,
)

YES = Approval(answer="approved", by="anna", comment="好")


def approvals(account: Account, stepfunctions: Any = None) -> TaskTokenApprovals:  # noqa: ANN401 - a client
    return TaskTokenApprovals(
        account.clients.dynamodb,
        stepfunctions or account.clients.stepfunctions,
        table=STATE_TABLE,
        clock=account.clock,
    )


def test_the_token_that_the_step_kept_is_found_by_the_incidents_id(account: Account) -> None:
    kept = DynamoIncidentState(account.clients.dynamodb, table=STATE_TABLE, clock=account.clock)
    kept.keep_task_token(incident("i1"), "first", seconds=60)
    kept.keep_task_token(incident("i1"), "second", seconds=60)

    assert approvals(account).waiting_token("i1") == "second"
    assert approvals(account).waiting_token("i2") is None


def test_a_token_that_has_expired_is_not_there(account: Account) -> None:
    kept = DynamoIncidentState(account.clients.dynamodb, table=STATE_TABLE, clock=account.clock)
    kept.keep_task_token(incident("i1"), "token", seconds=60)
    account.clock.move(timedelta(seconds=60))

    assert approvals(account).waiting_token("i1") is None


def test_the_answer_is_handed_over_as_the_state_machine_reads_it(account: Account) -> None:
    client: Any = account.clients._session.client("stepfunctions")
    output = json.dumps({"answer": "approved", "by": "anna", "comment": "好"}, ensure_ascii=False)
    with Stubber(client) as stubber:
        stubber.add_response("send_task_success", {}, {"taskToken": "t", "output": output})
        approvals(account, client).resume("t", YES)
        stubber.assert_no_pending_responses()


@pytest.mark.parametrize(
    ("code", "expected"),
    [
        ("TaskTimedOut", NotWaitingError),
        ("TaskDoesNotExist", NotWaitingError),
        ("InvalidToken", NotWaitingError),
        ("AccessDeniedException", AccessDeniedError),
        ("ThrottlingException", TransientServiceError),
        ("InvalidOutput", ConfigurationError),
    ],
)
def test_an_answer_that_does_not_get_through_says_why(
    account: Account, code: str, expected: type[Exception]
) -> None:
    client: Any = account.clients._session.client("stepfunctions")
    with Stubber(client) as stubber:
        stubber.add_client_error("send_task_success", code)
        with pytest.raises(expected, match=code):
            approvals(account, client).resume("t", YES)
