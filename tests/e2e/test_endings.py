"""Endings off the straight line, with the deployed machine and steps: each recorded and told."""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from autorepair_lab.account.call import Call, ErrorReply, Reply
from autorepair_lab.lab import PROJECT, Lab
from autorepair_lab.patient import Patient, read_patient
from autorepair_lab.row import Row
from e2e.waiting import until

SCHEDULE = "lambda-auto-repair-reconcile-dev"
ALARM_RULE = "lambda-auto-repair-alarms-dev"
UNDECRYPTABLE = {
    "ErrorCode": "AccessDeniedException",
    "Message": "Lambda was unable to decrypt the environment variables because KMS access was "
    "denied. Please check the function's KMS key settings.",
}


class Doorman:
    """Answers a call of the service's own functions in the account's place, while it is asked to.

    What it answers is what ``answer`` makes of the call; None lets the call through.
    """

    def __init__(self, lab: Lab) -> None:
        self._lab = lab
        self.answer: Callable[[str, Call], Reply | ErrorReply | None] | None = None
        lab.account.add_interceptor(self)

    def handle(self, call: Call) -> Reply | ErrorReply | None:
        name = self._lab.account._started().invoker.function_of(call.caller) or ""
        if self.answer is None or not name.startswith("lambda-auto-repair-"):
            return None
        return self.answer(name, call)


@pytest.fixture(scope="module")
def lab() -> Iterator[Lab]:
    with Lab() as running:
        yield running


@pytest.fixture
def doorman(lab: Lab) -> Iterator[Doorman]:
    doorman = Doorman(lab)
    yield doorman
    doorman.answer = None


def admitted(lab: Lab, kind: str, name: str, **changes: Any) -> Patient:  # noqa: ANN401 - any field
    """Admit a copy of a patient of the project under another name."""
    plain = read_patient(PROJECT / "lab" / "patients" / kind)
    patient = plain.model_copy(update={"name": name, **changes})
    lab.ward.admit(patient)
    return patient


def records(lab: Lab, row: Row) -> list[dict[str, Any]]:
    """What was recorded of the row's incident, in the order of its chain."""
    return lab.clients.dynamodb.query(
        TableName=lab.ready.audit_table,
        KeyConditionExpression="incident_id = :id",
        ExpressionAttributeValues={":id": {"S": str(row.incident)}},
        ConsistentRead=True,
    )["Items"]


def kinds(lab: Lab, row: Row) -> list[str]:
    return [one["kind"]["S"] for one in records(lab, row)]


def story(lab: Lab, row: Row) -> str:
    """For whoever has to find out why an end was another."""
    return "\n".join(f"{one['kind']['S']}: {one['summary']['S']}" for one in records(lab, row))


def messages(lab: Lab, patient: Patient) -> list[dict[str, Any]]:
    return [one for one in lab.account.inbox() if patient.function_name in str(one["message"])]


def test_a_topic_that_is_down_leaves_a_verified_repair_repaired_and_is_made_up_for(
    lab: Lab, doorman: Doorman
) -> None:
    # The alarm goes on standing, and is not to be taken up anew while the message is made up for.
    once = {"limits": {"cooldown_s": 3600}}
    patient = admitted(lab, "forgetful-orders", "untold-orders", policy=once)

    def topic_is_down(_name: str, call: Call) -> ErrorReply | None:
        if call.operation != "Publish":
            return None
        return ErrorReply("AuthorizationError", "SNS:Publish refused by the test", 403)

    doorman.answer = topic_is_down
    row = lab.ward.run(patient.name)
    assert (row.outcome, row.failed_after) == ("repaired", 0), story(lab, row)
    assert kinds(lab, row)[-2:] == ["message_undelivered", "incident_closed"]
    assert messages(lab, patient) == []
    doorman.answer = None
    lab.account.trigger_schedule(SCHEDULE)
    until(lambda: kinds(lab, row)[-1] == "message_delivered", "the message")
    (message,) = messages(lab, patient)
    assert "repaired" in message["subject"]
    assert str(row.incident) in message["message"]


def test_a_pause_before_the_second_step_takes_the_unhelpful_first_one_back(
    lab: Lab, doorman: Doorman
) -> None:
    patient = admitted(lab, "two-memory-steps", "paused-memory")
    pause = {"pk": {"S": "pause"}, "sk": {"S": "pause"}}
    table, dynamodb = lab.ready.state_table, lab.clients.dynamodb
    seen: set[str] = set()

    def an_operator_pauses(name: str, _call: Call) -> None:
        seen.add(name.removeprefix("lambda-auto-repair-").removesuffix("-dev"))
        if "determine-action" in name and "verify-repair" in seen and "pause" not in seen:
            seen.add("pause")
            dynamodb.put_item(TableName=table, Item=pause)

    doorman.answer = an_operator_pauses
    try:
        row = lab.ward.run(patient.name)
    finally:
        dynamodb.delete_item(TableName=table, Key=pause)
    assert row.outcome == "rolled_back", story(lab, row)
    assert row.before == row.after
    told = kinds(lab, row)
    assert told.count("repair_applied") == 1
    assert told[-5:] == [
        "repair_verified", "action_decided", "rollback_planned", "rollback_done", "incident_closed",
    ]  # fmt: skip
    (message,) = messages(lab, patient)
    assert "rolled_back" in message["subject"]


@pytest.mark.parametrize(
    ("kind", "name"),
    [("forgetful-orders", "sealed-orders"), ("slow-invoice", "sealed-invoice")],
)
def test_an_environment_that_cannot_be_decrypted_is_explained_and_never_written(
    lab: Lab, doorman: Doorman, kind: str, name: str
) -> None:
    patient = admitted(lab, kind, name)
    functions = lab.clients.lambda_

    def cannot_be_decrypted(_name: str, call: Call) -> Reply | None:
        asked = str(call.parameters.get("FunctionName", ""))
        if call.operation != "GetFunctionConfiguration" or patient.function_name not in asked:
            return None
        found: dict[str, Any] = dict(functions.get_function_configuration(FunctionName=asked))
        found.pop("ResponseMetadata")
        return Reply(found | {"Environment": {"Error": UNDECRYPTABLE}})

    doorman.answer = cannot_be_decrypted
    row = lab.ward.run(patient.name)
    assert row.outcome == "escalated", story(lab, row)
    assert row.action is None
    assert row.before == row.after
    assert "repair_planned" not in kinds(lab, row)
    (message,) = messages(lab, patient)
    assert "decrypt" in message["message"] or "cannot be read" in message["message"]
    assert "Traceback" not in message["message"]


def test_a_composite_alarm_that_nobody_heard_starts_an_incident_of_the_function_below_it(
    lab: Lab,
) -> None:
    patient = admitted(lab, "code-bug", "unheard-bug")
    cloudwatch, events = lab.clients.cloudwatch, lab.clients.events
    events.disable_rule(Name=ALARM_RULE)
    for item in patient.traffic:
        lab.account.invoke(patient.function_name, json.dumps(item.payload).encode())
    cloudwatch.put_composite_alarm(
        AlarmName="unheard-all", AlarmRule=f'ALARM("{patient.function_name}-errors")'
    )
    lab.raise_alarm(patient)
    # Only the composite alarm is left to be found: its child speaks of a function as well.
    composite = cloudwatch.describe_alarms(
        AlarmNames=["unheard-all"], AlarmTypes=["CompositeAlarm"]
    )["CompositeAlarms"]
    assert composite[0]["StateValue"] == "ALARM"
    events.enable_rule(Name=ALARM_RULE)
    time.sleep(31)  # its own event is given time to arrive
    lab.account.trigger_schedule(SCHEDULE)

    def opened() -> list[dict[str, Any]]:
        found = lab.clients.dynamodb.query(
            TableName=lab.ready.audit_table,
            IndexName="by-function",
            KeyConditionExpression="function_name = :name",
            ExpressionAttributeValues={":name": {"S": patient.function_name}},
        )["Items"]
        return [one for one in found if one["kind"]["S"] == "incident_opened"]

    until(opened, "the incident")
    assert len(opened()) == 1
