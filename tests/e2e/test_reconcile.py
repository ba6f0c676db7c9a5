"""What AWS does not catch ends all the same: closed, undone, told; and nothing twice."""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING, Any

import boto3
import pytest

from autorepair_lab.account.call import Call, ErrorReply
from autorepair_lab.account.faults import FaultPlan, parse_faults
from autorepair_lab.clients import DUMMY_KEY
from autorepair_lab.lab import PROJECT, REGION, Lab
from autorepair_lab.patient import Patient, read_patient
from e2e.waiting import until

if TYPE_CHECKING:
    from types_boto3_stepfunctions import SFNClient

SCHEDULE = "lambda-auto-repair-reconcile-dev"
FUNCTION = "lambda-auto-repair-reconcile-dev"
# Long windows: an execution that watches a repair has to stand still to be aborted.
WATCHES = {
    "verification": {"window_s": 600, "max_windows": 3, "min_invocations": 4},
    # The alarm goes on standing, and is not to be taken up anew while a test looks.
    "limits": {"cooldown_s": 3600},
}


@pytest.fixture(scope="module")
def lab() -> Iterator[Lab]:
    with Lab() as running:
        yield running


@pytest.fixture(scope="module")
def machines(lab: Lab) -> SFNClient:
    session = boto3.Session(DUMMY_KEY, DUMMY_KEY, region_name=REGION)
    return session.client("stepfunctions", endpoint_url=lab.ready.endpoint)


def admitted(lab: Lab, name: str, **changes: Any) -> Patient:  # noqa: ANN401 - any field
    """Admit a copy of the patient whose timeout is too short, under another name."""
    plain = read_patient(PROJECT / "lab" / "patients" / "slow-invoice")
    patient = plain.model_copy(update={"name": name, **changes})
    lab.ward.admit(patient)
    return patient


def records(lab: Lab, patient: Patient) -> list[dict[str, Any]]:
    found = lab.clients.dynamodb.query(
        TableName=lab.ready.audit_table,
        IndexName="by-function",
        KeyConditionExpression="function_name = :name",
        ExpressionAttributeValues={":name": {"S": patient.function_name}},
    )["Items"]
    return [
        {"kind": one["kind"]["S"], "incident": one["incident_id"]["S"], "item": one}
        for one in sorted(found, key=lambda one: (one["incident_id"]["S"], int(one["seq"]["N"])))
    ]


def kinds(lab: Lab, patient: Patient) -> list[str]:
    return [record["kind"] for record in records(lab, patient)]


def messages(lab: Lab, patient: Patient) -> list[dict[str, Any]]:
    return [one for one in lab.account.inbox() if patient.function_name in str(one["message"])]


def timeout_of(lab: Lab, patient: Patient) -> int:
    found = lab.clients.lambda_.get_function_configuration(FunctionName=patient.function_name)
    return found["Timeout"]


def runs(lab: Lab) -> int:
    return len(lab.account.invocations(FUNCTION))


def tick(lab: Lab) -> None:
    """Let the schedule fire once and wait for that run to end."""
    before = runs(lab)
    lab.account.trigger_schedule(SCHEDULE)
    until(lambda: runs(lab) > before, "a run of reconcile")
    assert not lab.account.invocations(FUNCTION)[-1].is_failure


def started(machines: SFNClient, arn: str, patient: Patient) -> str:
    event = {"functionName": patient.function_name, "manual": True}
    return machines.start_execution(stateMachineArn=arn, input=json.dumps(event))["executionArn"]


def status_of(machines: SFNClient, execution: str) -> str:
    return machines.describe_execution(executionArn=execution)["status"]


def seen_failing(lab: Lab, patient: Patient) -> None:
    for item in patient.traffic:
        for _ in range(item.count):
            lab.clients.lambda_.invoke(
                FunctionName=patient.function_name, Payload=json.dumps(item.payload).encode()
            )


def open_item(lab: Lab, patient: Patient) -> dict[str, Any] | None:
    function = lab.clients.lambda_.get_function_configuration(FunctionName=patient.function_name)
    return lab.clients.dynamodb.get_item(
        TableName=lab.ready.state_table,
        Key={"pk": {"S": f"target#{function['FunctionArn']}"}, "sk": {"S": "open"}},
        ConsistentRead=True,
    ).get("Item")


def mutated(machines: SFNClient, lab: Lab, change: Callable[[dict[str, Any]], None]) -> str:
    """Change the definition of the state machine; gives the old one, to be put back."""
    arn = lab.ready.state_machine_arn
    old = machines.describe_state_machine(stateMachineArn=arn)["definition"]
    definition = json.loads(old)
    change(definition)
    machines.update_state_machine(stateMachineArn=arn, definition=json.dumps(definition))
    return old


def test_an_execution_that_dies_past_every_catch_is_closed_and_told(
    lab: Lab, machines: SFNClient
) -> None:
    patient = admitted(lab, "dies-of-runtime")

    def break_it(definition: dict[str, Any]) -> None:
        definition["States"]["SettleAlarms"]["SecondsPath"] = "$.incident.written_by_nobody"

    old = mutated(machines, lab, break_it)
    try:
        execution = started(machines, lab.ready.state_machine_arn, patient)
        until(lambda: open_item(lab, patient) is None and messages(lab, patient), "the closing")
    finally:
        machines.update_state_machine(stateMachineArn=lab.ready.state_machine_arn, definition=old)
    assert machines.describe_execution(executionArn=execution)["status"] == "FAILED"
    assert kinds(lab, patient) == ["incident_opened", "failure_handled", "incident_closed"]
    (message,) = messages(lab, patient)
    assert "States.Runtime" in message["message"]
    tick(lab)
    tick(lab)
    assert len(messages(lab, patient)) == 1
    assert kinds(lab, patient) == ["incident_opened", "failure_handled", "incident_closed"]


def test_an_aborted_execution_leaves_the_function_as_it_was(lab: Lab, machines: SFNClient) -> None:
    patient = admitted(lab, "aborted-while-watching", policy=WATCHES)
    before = timeout_of(lab, patient)
    seen_failing(lab, patient)
    lab.raise_alarm(patient)
    until(lambda: "repair_applied" in kinds(lab, patient), "the repair")
    assert timeout_of(lab, patient) > before
    item = open_item(lab, patient)
    assert item is not None
    execution = item["execution_arn"]["S"]
    tick(lab)
    assert timeout_of(lab, patient) > before, "an execution that runs is left alone"

    machines.stop_execution(executionArn=execution, error="a person", cause="enough of it")
    until(lambda: open_item(lab, patient) is None, "the closing")

    assert timeout_of(lab, patient) == before
    assert kinds(lab, patient)[-3:] == ["rollback_planned", "failure_handled", "incident_closed"]
    (message,) = messages(lab, patient)
    assert message["attributes"]["outcome"] == "failed"
    assert "ABORTED" in message["message"]
    tick(lab)
    assert len(messages(lab, patient)) == 1


def test_an_execution_that_runs_out_of_time_is_closed_and_its_change_undone(
    lab: Lab, machines: SFNClient
) -> None:
    patient = admitted(lab, "out-of-time", policy=WATCHES)
    before = timeout_of(lab, patient)
    seen_failing(lab, patient)

    def runs_out_after(seconds: int) -> str:
        def hurry(definition: dict[str, Any]) -> None:
            definition["TimeoutSeconds"] = seconds

        old, arn = mutated(machines, lab, hurry), lab.ready.state_machine_arn
        try:
            ran = started(machines, arn, patient)
            until(lambda: status_of(machines, ran) != "RUNNING", "the end of its time")
            until(lambda: open_item(lab, patient) is None, "the closing")
        finally:
            machines.update_state_machine(stateMachineArn=arn, definition=old)
        return ran

    # A busy machine has not come as far as the repair by then: it gets more time.
    for seconds in (15, 30, 60, 120, 240):
        execution = runs_out_after(seconds)
        if "repair_applied" in kinds(lab, patient):
            break
    assert "repair_applied" in kinds(lab, patient)
    assert status_of(machines, execution) == "TIMED_OUT"
    assert timeout_of(lab, patient) == before
    assert "TIMED_OUT" in messages(lab, patient)[0]["message"]


def test_an_alarm_that_nobody_started_starts_an_incident_once(
    lab: Lab, machines: SFNClient
) -> None:
    patient = admitted(lab, "unheard-alarm", policy=WATCHES)
    rule = "lambda-auto-repair-alarms-dev"
    seen_failing(lab, patient)
    lab.clients.events.disable_rule(Name=rule)
    lab.raise_alarm(patient)
    lab.clients.events.enable_rule(Name=rule)
    tick(lab)
    assert kinds(lab, patient) == [], "its own event is given time to arrive"
    time.sleep(31)
    tick(lab)
    until(lambda: "repair_applied" in kinds(lab, patient), "the repair")
    tick(lab)
    tick(lab)
    assert kinds(lab, patient).count("incident_opened") == 1
    assert "alarm_joined" not in kinds(lab, patient)
    item = open_item(lab, patient)
    assert item is not None
    assert ":reconcile-" in item["execution_arn"]["S"]
    machines.stop_execution(executionArn=item["execution_arn"]["S"])
    until(lambda: open_item(lab, patient) is None, "the closing")


class Refusal:
    """Refuses one kind of call to one function of the service."""

    def __init__(self, lab: Lab, caller: str, operation: str, table: str) -> None:
        self._lab = lab
        self._caller = caller
        self._operation = operation
        self._table = table
        self.is_on = True

    def handle(self, call: Call) -> ErrorReply | None:
        mark = self._lab.account._started().invoker.function_of(call.caller)
        is_meant = (call.operation, call.parameters.get("TableName"), mark) == (
            self._operation,
            self._table,
            self._caller,
        )
        if self.is_on and is_meant:
            return ErrorReply("AccessDeniedException", "refused by the test")
        return None


def test_an_intake_that_fails_after_opening_is_closed_behind_it(lab: Lab) -> None:
    patient = admitted(lab, "intake-fails")
    refusal = Refusal(
        lab, "lambda-auto-repair-parse-alarm-event-dev", "PutItem", lab.ready.audit_table
    )
    lab.account.add_interceptor(refusal)
    before = runs(lab)
    lab.raise_alarm(patient)
    until(lambda: kinds(lab, patient) == ["failure_handled", "incident_closed"], "the closing")
    refusal.is_on = False
    until(lambda: open_item(lab, patient) is None, "room for the next incident")
    until(lambda: runs(lab) > before, "reconcile, called because the execution failed")
    (message,) = messages(lab, patient)
    assert "AccessDeniedError" in message["message"]
    assert records(lab, patient)[0]["incident"] in message["message"]


def test_an_intake_that_fails_before_opening_leaves_a_record_and_one_message(
    lab: Lab, machines: SFNClient
) -> None:
    patient = admitted(lab, "intake-fails-early")
    refusal = Refusal(
        lab, "lambda-auto-repair-parse-alarm-event-dev", "PutItem", lab.ready.state_table
    )
    lab.account.add_interceptor(refusal)
    before = runs(lab)
    # Who starts it by hand may claim anything: none of it is believed.
    forged = {"incident": {"id": "inc-forged"}, "failure": {"Error": "forged"}}
    event = {"functionName": patient.function_name, "manual": True, **forged}
    execution = machines.start_execution(
        stateMachineArn=lab.ready.state_machine_arn, input=json.dumps(event)
    )["executionArn"]
    until(lambda: kinds(lab, patient) == ["failure_handled", "incident_closed"], "the record")
    refusal.is_on = False
    until(lambda: runs(lab) > before, "reconcile, called because the execution failed")
    assert machines.describe_execution(executionArn=execution)["status"] == "FAILED"
    (message,) = messages(lab, patient)
    assert "forged" not in message["message"]
    assert records(lab, patient)[0]["incident"] in message["message"]
    assert open_item(lab, patient) is None
    tick(lab)
    assert len(messages(lab, patient)) == 1


def test_a_change_left_planned_by_a_killed_step_is_settled_when_its_lease_is_past(
    lab: Lab, machines: SFNClient
) -> None:
    patient = admitted(lab, "left-planned", policy=WATCHES)
    before = timeout_of(lab, patient)
    seen_failing(lab, patient)
    # The write is made; what would say so is refused, and the execution is aborted meanwhile.
    lab.account._gateway._plan = FaultPlan(
        parse_faults(
            json.dumps(
                [
                    {
                        "service": "lambda",
                        "operation": "UpdateFunctionConfiguration",
                        "match": {"FunctionName": patient.function_name},
                        "do": {"kill_function": True},
                    }
                ]
            )
        )
    )
    execution = started(machines, lab.ready.state_machine_arn, patient)
    until(lambda: timeout_of(lab, patient) != before, "the write")
    machines.stop_execution(executionArn=execution)
    lab.account._gateway._plan = FaultPlan(())
    until(lambda: runs(lab) > 0, "a run of reconcile")
    tick(lab)
    assert open_item(lab, patient) is not None, "the step may still be running"

    def is_settled_once_the_lease_is_past() -> bool:
        item = open_item(lab, patient)
        if item is None:
            return True
        lab.clients.dynamodb.update_item(
            TableName=lab.ready.state_table,
            Key={"pk": item["pk"], "sk": {"S": "lease"}},
            UpdateExpression="SET held_until = :past",
            ExpressionAttributeValues={":past": {"N": "0"}},
        )
        tick(lab)
        return False

    until(is_settled_once_the_lease_is_past, "the closing")
    assert timeout_of(lab, patient) == before
    assert kinds(lab, patient)[-2:] == ["failure_handled", "incident_closed"]
