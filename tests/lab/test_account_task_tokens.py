"""Task tokens of an execution that was stopped: refused, as on AWS."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import pytest
from botocore.exceptions import ClientError

from lab.account_support import ROLE, Lab, create_function, running_lab, until


@pytest.fixture
def lab(tmp_path: Path) -> Iterator[Lab]:
    with running_lab(tmp_path, time_scale=50) as running:
        yield running


def waiting(lab: Lab) -> tuple[str, str]:
    """Start an execution that waits for an answer; gives its ARN and its token."""
    tokens: list[str] = []

    def keep(_spec: object, payload: bytes) -> bytes:
        tokens.append(json.loads(payload)["token"])
        return b"{}"

    create_function(lab.client("lambda"), "ask")
    lab.runtime.answers["ask"] = keep
    ask = {
        "Type": "Task",
        "Resource": "arn:aws:states:::lambda:invoke.waitForTaskToken",
        "Parameters": {"FunctionName": "ask", "Payload": {"token.$": "$$.Task.Token"}},
        "End": True,
    }
    machine = lab.client("stepfunctions")
    definition = json.dumps({"StartAt": "Ask", "States": {"Ask": ask}})
    arn = machine.create_state_machine(name="m", definition=definition, roleArn=ROLE)
    started = machine.start_execution(stateMachineArn=arn["stateMachineArn"])
    return started["executionArn"], until(lambda: tokens[0] if tokens else None)


def answered(lab: Lab, token: str) -> str | None:
    """Answer; gives the code of the refusal."""
    try:
        lab.client("stepfunctions").send_task_success(taskToken=token, output="{}")
    except ClientError as error:
        return error.response["Error"]["Code"]
    return None


def test_a_waiting_execution_takes_the_answer_once(lab: Lab) -> None:
    arn, token = waiting(lab)
    assert answered(lab, token) is None
    machine = lab.client("stepfunctions")
    until(lambda: machine.describe_execution(executionArn=arn)["status"] == "SUCCEEDED")
    assert answered(lab, token) in {"TaskTimedOut", "TaskDoesNotExist", "InvalidToken"}


def test_the_answer_to_an_execution_that_was_stopped_is_refused(lab: Lab) -> None:
    arn, token = waiting(lab)
    lab.client("stepfunctions").stop_execution(executionArn=arn)
    assert answered(lab, token) == "TaskTimedOut"
