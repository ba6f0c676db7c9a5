"""What reconcile sees: executions, standing alarms, enrolled functions, unsettled incidents."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import replace
from datetime import timedelta
from typing import Any, Literal

import pytest
from botocore.stub import Stubber

from adapters.account import ACCOUNT, ARN, NOW, REGION, STATE_TABLE, TARGET, Account, incident
from autorepair.aws.enrolment import TaggedFunctions
from autorepair.aws.executions import StepFunctionsExecutions
from autorepair.aws.incident_state import DynamoIncidentState
from autorepair.aws.standing_alarms import CloudWatchStandingAlarms
from autorepair.aws.unsent_messages import DynamoUnsentMessages
from autorepair.domain.change import Change, ChangeRecord, TimeoutSetting
from autorepair.domain.errors import (
    AccessDeniedError,
    RecordUnreadableError,
    TransientServiceError,
)
from autorepair.steps.alarm_event import read_event
from autorepair.watch import Execution, Unsent

MACHINE = f"arn:aws:states:{REGION}:{ACCOUNT}:stateMachine:repair"
EXECUTION = f"arn:aws:states:{REGION}:{ACCOUNT}:execution:repair:one"


@pytest.fixture
def states(account: Account) -> Iterator[Stubber]:
    client: Any = account.clients._session.client("stepfunctions")
    with Stubber(client) as stubber:
        yield stubber


def executions(states: Stubber) -> StepFunctionsExecutions:
    client: Any = states.client
    return StepFunctionsExecutions(client, state_machine_arn=MACHINE)


def described(**more: object) -> dict[str, object]:
    return {
        "executionArn": EXECUTION,
        "stateMachineArn": MACHINE,
        "startDate": NOW,
        "status": "RUNNING",
    } | more


@pytest.mark.parametrize(
    ("answer", "found"),
    [
        (described(), Execution("RUNNING")),
        (
            described(status="FAILED", error="States.Runtime", cause="{secret}", stopDate=NOW),
            Execution("FAILED", error="States.Runtime", ended_at=NOW),
        ),
        (
            described(status="ABORTED", error="I, a person, had enough", stopDate=NOW),
            Execution("ABORTED", ended_at=NOW),
        ),
    ],
)
def test_an_execution_is_told_by_status_and_the_name_of_its_error(
    states: Stubber, answer: dict[str, object], found: Execution
) -> None:
    states.add_response("describe_execution", answer, {"executionArn": EXECUTION})
    assert executions(states).look_up(EXECUTION) == found


def test_an_execution_that_is_not_known_is_gone(states: Stubber) -> None:
    states.add_client_error("describe_execution", "ExecutionDoesNotExist")
    assert executions(states).look_up(EXECUTION) == Execution("GONE")


@pytest.mark.parametrize(
    ("code", "error"),
    [("AccessDeniedException", AccessDeniedError), ("ThrottlingException", TransientServiceError)],
)
def test_an_execution_that_cannot_be_read_is_not_called_gone(
    states: Stubber, code: str, error: type[Exception]
) -> None:
    states.add_client_error("describe_execution", code)
    with pytest.raises(error, match="states:DescribeExecution"):
        executions(states).look_up(EXECUTION)


def test_a_name_starts_one_execution(states: Stubber) -> None:
    wanted = {"stateMachineArn": MACHINE, "name": "n", "input": '{"a": 1}'}
    states.add_response("start_execution", {"executionArn": EXECUTION, "startDate": NOW}, wanted)
    states.add_client_error("start_execution", "ExecutionAlreadyExists")
    assert executions(states).start("n", {"a": 1}) is True
    assert executions(states).start("n", {"a": 1}) is False


def test_an_execution_that_may_not_be_started_is_an_error(states: Stubber) -> None:
    states.add_client_error("start_execution", "AccessDeniedException")
    with pytest.raises(AccessDeniedError, match="states:StartExecution"):
        executions(states).start("n", {})


def test_enrolled_functions_are_found_over_all_pages(account: Account) -> None:
    client: Any = account.clients._session.client("resourcegroupstaggingapi")
    asked = {
        "ResourceTypeFilters": ["lambda:function"],
        "TagFilters": [{"Key": "auto-repair", "Values": ["enabled"]}],
    }
    with Stubber(client) as stubber:
        for token, following, arn in (("", "2", ARN), ("2", "", f"{ARN}-2")):
            stubber.add_response(
                "get_resources",
                {"ResourceTagMappingList": [{"ResourceARN": arn}], "PaginationToken": following},
                asked | {"PaginationToken": token},
            )
        assert TaggedFunctions(client).function_arns() == {ARN, f"{ARN}-2"}


# --------------------------------------------------------------------------------- standing alarms


def put_alarm(
    account: Account,
    name: str,
    state: Literal["ALARM", "OK"] = "ALARM",
    **changes: Any,  # noqa: ANN401 - as boto3
) -> None:
    plain: dict[str, Any] = {
        "Namespace": "AWS/Lambda",
        "MetricName": "Errors",
        "Dimensions": [{"Name": "FunctionName", "Value": "orders"}],
        "Statistic": "Sum",
        "Period": 60,
    }
    account.clients.cloudwatch.put_metric_alarm(
        AlarmName=name,
        EvaluationPeriods=1,
        Threshold=1,
        ComparisonOperator="GreaterThanOrEqualToThreshold",
        **(changes or plain),
    )
    data = json.dumps({"startDate": "2026-03-04T11:55:00.000+0000", "threshold": 1.0})
    account.clients.cloudwatch.set_alarm_state(
        AlarmName=name, StateValue=state, StateReason="Threshold Crossed", StateReasonData=data
    )


def standing(account: Account) -> CloudWatchStandingAlarms:
    return CloudWatchStandingAlarms(account.clients.cloudwatch, account_id=ACCOUNT, region=REGION)


def test_only_alarms_that_stand_in_alarm_are_given(account: Account) -> None:
    put_alarm(account, "mine")
    put_alarm(account, "well-again", "OK")
    (alarm,) = standing(account).standing()
    assert alarm.name == "mine"


def test_a_composite_alarm_is_given_with_its_rule_and_suppressor(account: Account) -> None:
    client: Any = account.clients._session.client("cloudwatch")
    composite = {
        "AlarmName": "all",
        "AlarmArn": f"arn:aws:cloudwatch:{REGION}:{ACCOUNT}:alarm:all",
        "AlarmRule": 'ALARM("mine")',
        "ActionsSuppressor": "maintenance",
        "ActionsSuppressorWaitPeriod": 90,
        "StateValue": "ALARM",
        "StateReason": "mine went off",
        "StateUpdatedTimestamp": NOW,
        "StateTransitionedTimestamp": NOW - timedelta(minutes=9),
    }
    asked = {"StateValue": "ALARM", "AlarmTypes": ["CompositeAlarm", "MetricAlarm"]}
    with Stubber(client) as stubber:
        stubber.add_response("describe_alarms", {"CompositeAlarms": [composite]}, asked)
        alarms = CloudWatchStandingAlarms(client, account_id=ACCOUNT, region=REGION)
        (alarm,) = alarms.standing()
    assert (alarm.name, alarm.since) == ("all", NOW - timedelta(minutes=9))
    sighting = read_event(alarm.event, started_at=NOW)
    assert (sighting.alarm.kind, sighting.rule, sighting.wait_s) == (
        "composite", 'ALARM("mine")', 90,
    )  # fmt: skip
    assert json.loads(json.dumps(alarm.event)) == alarm.event


def test_the_event_is_one_that_the_intake_reads(account: Account) -> None:
    put_alarm(account, "mine")
    (alarm,) = standing(account).standing()
    sighting = read_event(alarm.event, started_at=alarm.since)
    assert (sighting.state, sighting.alarm.name, sighting.alarm.kind) == ("ALARM", "mine", "metric")
    assert [function.function_name for function in sighting.functions] == ["orders"]
    assert (sighting.alarm.metric_name, sighting.alarm.threshold) == ("Errors", 1.0)
    assert sighting.accounts == {ACCOUNT}
    assert sighting.region == REGION
    assert json.loads(json.dumps(alarm.event)) == alarm.event


def test_metric_math_on_a_function_is_read_as_such(account: Account) -> None:
    stat = {
        "Metric": {
            "Namespace": "AWS/Lambda",
            "MetricName": "Errors",
            "Dimensions": [{"Name": "FunctionName", "Value": "orders"}],
        },
        "Period": 60,
        "Stat": "Sum",
    }
    queries = [
        {"Id": "m", "MetricStat": stat, "ReturnData": False},
        {"Id": "e", "Expression": "m * 100", "ReturnData": True},
    ]
    put_alarm(account, "rate", Metrics=queries)
    (alarm,) = standing(account).standing()
    sighting = read_event(alarm.event, started_at=alarm.since)
    assert sighting.alarm.kind == "metric_math"
    assert [function.function_name for function in sighting.functions] == ["orders"]


# ------------------------------------------------------------------------------ unsettled incidents


@pytest.fixture
def state(account: Account) -> DynamoIncidentState:
    return DynamoIncidentState(account.clients.dynamodb, table=STATE_TABLE, clock=account.clock)


def change_record(status: str) -> ChangeRecord:
    change = Change(
        target=TARGET,
        before=TimeoutSetting(timeout_s=3),
        after=TimeoutSetting(timeout_s=9),
        planned_on="f1",
    )
    return ChangeRecord.model_validate({"status": status, "reason": "r", "change": change})


def test_an_open_incident_is_listed_whole_until_it_is_closed(state: DynamoIncidentState) -> None:
    state.open(incident("i1"))
    (one,) = state.unsettled()
    assert (one.incident, one.since) == (incident("i1"), NOW)
    found = state.open_incident(TARGET)
    assert found is not None
    assert found.incident_id == "i1"
    state.close(incident("i1"))
    assert list(state.unsettled()) == []
    assert state.open_incident(TARGET) is None


def test_the_place_of_one_incident_is_taken_and_of_no_other(state: DynamoIncidentState) -> None:
    state.open(incident("i1"))
    assert state.open(incident("i2"), instead_of="another").incident_id == "i1"
    assert state.open(incident("i2"), instead_of="i1").incident_id == "i2"
    standing = state.open(incident("i3"), instead_of="i1")
    assert (standing.incident_id, standing.opened_at) == ("i2", NOW)
    assert [one.incident.id for one in state.unsettled()] == ["i2"]


@pytest.mark.parametrize("status", ["planned", "applied"])
def test_an_unfinished_change_is_listed_until_it_is_settled(
    state: DynamoIncidentState, status: str
) -> None:
    state.remember_change(incident("i1"), change_record(status))
    assert [one.incident.id for one in state.unsettled()] == ["i1"]
    for settled in ("kept", "rolled_back", "handed_over"):
        state.remember_change(incident("i1"), change_record(settled))
        assert list(state.unsettled()) == []


def test_open_incidents_come_first_and_nothing_else_is_listed(state: DynamoIncidentState) -> None:
    state.remember_change(incident("i1"), change_record("applied"))
    state.open(incident("i2"))
    state.keep_task_token(incident("i3"), "token", seconds=60)
    state.acquire_lease(TARGET, holder="i4", seconds=60)
    assert [one.incident.id for one in state.unsettled()] == ["i2", "i1"]


def test_the_moment_of_closing_is_kept_for_the_cooldown(
    account: Account, state: DynamoIncidentState
) -> None:
    assert state.last_closed(TARGET) is None
    state.open(incident("i1"))
    account.clock.move(timedelta(minutes=5))
    state.close(incident("i1"))
    closed = state.last_closed(TARGET)
    assert closed is not None
    assert (closed.incident_id, closed.closed_at) == ("i1", NOW + timedelta(minutes=5))


# ---------------------------------------------------------------------------------- unsent messages


def unsent(number: int = 1, minutes: int = 0) -> Unsent:
    return Unsent(
        incident=incident(f"i{number}"),
        subject=f"[Auto-Repair] repaired: orders {number}",
        body="It works again.\n自动修复\n",
        attributes={"kind": "incident_closed", "outcome": "repaired"},
        since=NOW + timedelta(minutes=minutes),
    )


@pytest.fixture
def messages(account: Account) -> DynamoUnsentMessages:
    return DynamoUnsentMessages(account.clients.dynamodb, table=STATE_TABLE)


def test_messages_are_given_whole_and_oldest_first(messages: DynamoUnsentMessages) -> None:
    messages.keep(unsent(1, minutes=5))
    messages.keep(unsent(2))
    assert list(messages.kept()) == [unsent(2), unsent(1, minutes=5)]


def test_a_newer_message_of_an_incident_takes_the_place_and_is_not_forgotten_with_the_older(
    messages: DynamoUnsentMessages,
) -> None:
    messages.keep(unsent())
    messages.keep(unsent(minutes=5))
    messages.forget(unsent())
    assert list(messages.kept()) == [unsent(minutes=5)]
    messages.forget(unsent(minutes=5))
    messages.forget(unsent(minutes=5))
    assert list(messages.kept()) == []


def test_a_message_that_was_sent_says_as_what(messages: DynamoUnsentMessages) -> None:
    messages.keep(unsent())
    messages.keep(sent := replace(unsent(), sent_as="message-7"))
    assert list(messages.kept()) == [sent]
    messages.forget(sent)
    assert list(messages.kept()) == []


@pytest.mark.parametrize("foreign", ["{}", "no JSON"])
def test_a_message_of_another_version_does_not_keep_back_the_others(
    account: Account, messages: DynamoUnsentMessages, foreign: str
) -> None:
    messages.keep(unsent(1))
    messages.keep(unsent(2, minutes=5))
    account.clients.dynamodb.update_item(
        TableName=STATE_TABLE,
        Key={"pk": {"S": "incident#i1"}, "sk": {"S": "message"}},
        UpdateExpression="SET incident = :it",
        ExpressionAttributeValues={":it": {"S": foreign}},
    )
    kept = messages.kept()
    assert next(kept) == unsent(2, minutes=5)
    with pytest.raises(RecordUnreadableError, match="incident#i1"):
        next(kept)


def test_an_incident_of_another_version_does_not_keep_back_the_others(
    account: Account, state: DynamoIncidentState
) -> None:
    state.open(incident("i1"))
    state.remember_change(second := incident("i2"), change_record("applied"))
    account.clients.dynamodb.update_item(
        TableName=STATE_TABLE,
        Key={"pk": {"S": f"target#{ARN}"}, "sk": {"S": "open"}},
        UpdateExpression="REMOVE incident",
    )
    unsettled = state.unsettled()
    assert next(unsettled).incident == second
    with pytest.raises(RecordUnreadableError):
        next(unsettled)


def test_an_unsent_message_is_no_unsettled_incident(
    messages: DynamoUnsentMessages, state: DynamoIncidentState
) -> None:
    messages.keep(unsent())
    assert list(state.unsettled()) == []


def test_messages_that_may_not_be_read_are_an_error(account: Account) -> None:
    client: Any = account.clients._session.client("dynamodb")
    with Stubber(client) as stubber:
        stubber.add_client_error("query", "AccessDeniedException")
        with pytest.raises(AccessDeniedError, match="dynamodb:Query"):
            list(DynamoUnsentMessages(client, table=STATE_TABLE).kept())
