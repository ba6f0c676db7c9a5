"""State machines run as on AWS, up to real Lambda code."""

# ruff: noqa: ANN401 - state machine definitions are open JSON

from __future__ import annotations

import json
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from autorepair_lab.account.server import Account
from lab.account_support import ROLE, Failure, Lab, create_function, running_lab, until, zip_of


@pytest.fixture
def lab(tmp_path: Path) -> Iterator[Lab]:
    with running_lab(tmp_path, time_scale=50) as running:
        yield running


def run(lab: Lab, states: dict[str, Any], given: Any = None, name: str = "m") -> dict[str, Any]:
    machine = lab.client("stepfunctions")
    definition = json.dumps({"StartAt": next(iter(states)), "States": states})
    arn = machine.create_state_machine(name=name, definition=definition, roleArn=ROLE)
    started = machine.start_execution(
        stateMachineArn=arn["stateMachineArn"], input=json.dumps(given or {})
    )
    return ended(lab, started["executionArn"])


def ended(lab: Lab, arn: str) -> dict[str, Any]:
    def look() -> dict[str, Any] | None:
        found: dict[str, Any] = lab.client("stepfunctions").describe_execution(executionArn=arn)
        return found if found["status"] != "RUNNING" else None

    found: dict[str, Any] = until(look)
    return found


def task(resource: str, catch: str, **more: Any) -> dict[str, Any]:
    return {
        "Task": {
            "Type": "Task",
            "Resource": resource,
            "Catch": [{"ErrorEquals": [catch], "Next": "Caught"}],
            "End": True,
            **more,
        },
        "Caught": {"Type": "Pass", "End": True},
    }


def test_waits_and_retries_are_shortened_by_the_time_scale(lab: Lab) -> None:
    create_function(lab.client("lambda"), "flaky")
    answers: list[bytes | Failure] = [
        Failure(b'{"errorType": "Busy", "errorMessage": "later"}'),
        b'{"done": true}',
    ]
    lab.runtime.answers["flaky"] = lambda _spec, _payload: answers.pop(0)
    retry = [{"ErrorEquals": ["Busy"], "IntervalSeconds": 20, "MaxAttempts": 2}]
    begun = time.monotonic()
    result = run(
        lab,
        {
            "Wait": {"Type": "Wait", "Seconds": 20, "Next": "Task"},
            "Task": {
                "Type": "Task",
                "Resource": "arn:aws:lambda:us-east-1:123456789012:function:flaky",
                "Retry": retry,
                "End": True,
            },
        },
    )

    assert json.loads(result["output"]) == {"done": True}
    assert 0.7 < time.monotonic() - begun < 40


@pytest.mark.parametrize("by_service", [False, True])
def test_an_error_is_caught_by_the_name_of_its_class(
    lab: Lab,
    by_service: bool,  # noqa: FBT001 - a column of the table
) -> None:
    arn = create_function(lab.client("lambda"), "raising")["FunctionArn"]
    lab.client("lambda").publish_version(FunctionName="raising")
    document = {"errorType": "PlanIsStaleError", "errorMessage": "read again"}
    lab.runtime.answers["raising"] = lambda _s, _p: Failure(json.dumps(document).encode())
    states = (
        task(
            "arn:aws:states:::lambda:invoke",
            "PlanIsStaleError",
            Parameters={"FunctionName": f"{arn}:1", "Payload.$": "$"},
        )
        if by_service
        else task(f"{arn}:1", "PlanIsStaleError")
    )
    result = run(lab, states)

    assert result["status"] == "SUCCEEDED"
    caught = json.loads(result["output"])
    assert caught["Error"] == "PlanIsStaleError"
    assert json.loads(caught["Cause"]) == document
    assert {spec.version for spec in lab.runtime.specs} == {"1"}


@pytest.mark.parametrize("by_service", [False, True])
def test_a_refused_call_of_lambda_carries_lambdas_error_name(
    lab: Lab,
    by_service: bool,  # noqa: FBT001 - a column of the table
) -> None:
    functions = lab.client("lambda")
    arn = create_function(functions, "closed")["FunctionArn"]
    functions.put_function_concurrency(FunctionName="closed", ReservedConcurrentExecutions=0)
    error = "Lambda.TooManyRequestsException"
    states = (
        task("arn:aws:states:::lambda:invoke", error, Parameters={"FunctionName": arn})
        if by_service
        else task(arn, error)
    )

    assert json.loads(run(lab, states)["output"])["Error"] == error


def test_a_runtime_error_is_not_caught_by_states_all(lab: Lab) -> None:
    states = task(
        "arn:aws:states:::sns:publish",
        "States.ALL",
        Parameters={"TopicArn.$": "$.absent", "Message": "m"},
    )
    result = run(lab, states)

    assert result["status"] == "FAILED"
    assert result["error"] == "States.Runtime"


def test_a_task_token_resumes_the_execution(lab: Lab) -> None:
    arn = create_function(lab.client("lambda"), "asking")["FunctionArn"]
    lab.client("lambda").publish_version(FunctionName="asking")
    machine = lab.client("stepfunctions")
    definition = {
        "StartAt": "Ask",
        "States": {
            "Ask": {
                "Type": "Task",
                "Resource": "arn:aws:states:::lambda:invoke.waitForTaskToken",
                "Parameters": {
                    "FunctionName": f"{arn}:1",
                    "Payload": {"token.$": "$$.Task.Token"},
                },
                "TimeoutSeconds": 60,
                "End": True,
            }
        },
    }
    made = machine.create_state_machine(
        name="asking", definition=json.dumps(definition), roleArn=ROLE
    )
    execution = machine.start_execution(stateMachineArn=made["stateMachineArn"])["executionArn"]
    (record,) = until(lambda: lab.account.invocations("asking"))
    token = json.loads(record.payload)["token"]
    until(lambda: _sent(machine, token))

    assert json.loads(ended(lab, execution)["output"]) == {"approved": True}


def _sent(machine: Any, token: str) -> bool:
    machine.send_task_success(taskToken=token, output='{"approved": true}')
    return True


def test_an_execution_tells_of_its_status_and_a_rule_can_start_one(lab: Lab) -> None:
    events, sqs = lab.client("events"), lab.client("sqs")
    url = sqs.create_queue(QueueName="status")["QueueUrl"]
    events.put_rule(
        Name="status",
        EventPattern=json.dumps(
            {"source": ["aws.states"], "detail": {"status": ["SUCCEEDED", "FAILED"]}}
        ),
    )
    queue = "arn:aws:sqs:us-east-1:123456789012:status"
    events.put_targets(Rule="status", Targets=[{"Id": "q", "Arn": queue}])
    machine = lab.client("stepfunctions").create_state_machine(
        name="started",
        definition=json.dumps(
            {"StartAt": "A", "States": {"A": {"Type": "Fail", "Error": "Own", "Cause": "why"}}}
        ),
        roleArn=ROLE,
    )
    events.put_rule(Name="start", EventPattern='{"source": ["my.app"]}')
    target = {"Id": "m", "Arn": machine["stateMachineArn"], "RoleArn": ROLE}
    events.put_targets(Rule="start", Targets=[target])
    events.put_events(Entries=[{"Source": "my.app", "DetailType": "Go", "Detail": '{"n": 1}'}])
    (message,) = until(lambda: sqs.receive_message(QueueUrl=url).get("Messages"))
    detail = json.loads(message["Body"])["detail"]

    assert (detail["status"], detail["error"], detail["cause"]) == ("FAILED", "Own", "why")
    assert detail["stateMachineArn"] == machine["stateMachineArn"]
    assert json.loads(detail["input"])["detail"] == {"n": 1}
    assert detail["stopDate"] >= detail["startDate"]


def test_an_execution_that_is_stopped_has_ended_at_once_whatever_its_task_comes_to(
    lab: Lab,
) -> None:
    events, sqs, machine = lab.client("events"), lab.client("sqs"), lab.client("stepfunctions")
    url = sqs.create_queue(QueueName="stopped")["QueueUrl"]
    pattern = {"source": ["aws.states"], "detail": {"status": [{"anything-but": "RUNNING"}]}}
    events.put_rule(Name="stopped", EventPattern=json.dumps(pattern))
    queue = "arn:aws:sqs:us-east-1:123456789012:stopped"
    events.put_targets(Rule="stopped", Targets=[{"Id": "q", "Arn": queue}])
    arn = create_function(lab.client("lambda"), "long")["FunctionArn"]
    is_called, may_end = threading.Event(), threading.Event()

    def fail_late(_spec: Any, _payload: bytes) -> Failure:
        is_called.set()
        may_end.wait(60)
        return Failure(b'{"errorType": "Late", "errorMessage": "too late"}')

    lab.runtime.answers["long"] = fail_late
    states = task(arn, "Never")
    made = machine.create_state_machine(
        name="long", definition=json.dumps({"StartAt": "Task", "States": states}), roleArn=ROLE
    )
    execution = machine.start_execution(stateMachineArn=made["stateMachineArn"])["executionArn"]
    assert is_called.wait(60)
    machine.stop_execution(executionArn=execution)
    try:
        assert machine.describe_execution(executionArn=execution)["status"] == "ABORTED"
        (message,) = until(lambda: sqs.receive_message(QueueUrl=url).get("Messages"))
        sqs.delete_message(QueueUrl=url, ReceiptHandle=message["ReceiptHandle"])
    finally:
        may_end.set()
    detail = json.loads(message["Body"])["detail"]
    assert (detail["status"], detail["error"]) == ("ABORTED", None)
    assert detail["stopDate"] >= detail["startDate"]

    def last_event() -> str:
        history = machine.get_execution_history(executionArn=execution)["events"]
        return str(history[-1]["type"])

    until(lambda: last_event() == "ExecutionAborted")
    assert machine.describe_execution(executionArn=execution)["status"] == "ABORTED"
    assert "Messages" not in sqs.receive_message(QueueUrl=url)


def test_a_state_machine_runs_real_lambda_code(tmp_path: Path) -> None:
    source = (
        "import boto3\n"
        "class NoLuckError(Exception): pass\n"
        "def handler(event, context):\n"
        "    print('working')\n"
        "    if event.get('fail'): raise NoLuckError('bad')\n"
        "    boto3.client('sns').create_topic(Name='made-by-code')\n"
        "    return {'arn': context.invoked_function_arn}\n"
    )
    with Account(workdir=tmp_path, time_scale=50) as account:
        lab = Lab(account, [])
        try:
            made = create_function(
                lab.client("lambda"), "real", code=zip_of(source), MemorySize=512, Timeout=60
            )
            good = run(lab, task(made["FunctionArn"], "NoLuckError"), name="good")
            bad = run(lab, task(made["FunctionArn"], "NoLuckError"), {"fail": True}, name="bad")
            topics = lab.client("sns").list_topics()["Topics"]
            logged = lab.client("logs").filter_log_events(
                logGroupName="/aws/lambda/real", filterPattern="working"
            )["events"]
            records = account.invocations("real")
        finally:
            lab.close()

    assert json.loads(good["output"]) == {"arn": made["FunctionArn"]}
    assert json.loads(bad["output"])["Error"] == "NoLuckError"
    assert [topic["TopicArn"].rpartition(":")[2] for topic in topics] == ["made-by-code"]
    assert len(logged) == 2
    assert [record.status for record in records] == ["success", "error"]
