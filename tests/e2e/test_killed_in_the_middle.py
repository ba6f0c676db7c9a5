"""A process that is killed at any call of a step that writes leaves nothing half done for long.

The function stands in its original or in its planned configuration, whichever call it was; and the
state machine's retry, or reconcile behind a dead execution, settles it.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any, Literal

import pytest

from autorepair.aws.clock import SystemClock
from autorepair.aws.incident_state import DynamoIncidentState
from autorepair.domain.incident import Incident, Outcome
from autorepair_lab.account.call import Call, ErrorReply
from autorepair_lab.account.faults import Effect, FaultPlan
from autorepair_lab.lab import PROJECT, Lab
from autorepair_lab.stage import at_home, set_the_stage

NAME = "patient-slow-invoice"
ORIGINAL_S, PLANNED_S = 2, 4
READS = ("Get", "List", "Describe", "Query", "Filter", "GenerateMac", "Decrypt")
Step = Literal["execute_repair", "roll_back_repair"]
Moment = Literal["before", "after"]


class Killer(FaultPlan):
    """Kills the process of one step at its nth AWS call; notes the calls it saw."""

    def __init__(self, lab: Lab) -> None:
        super().__init__(())
        self._lab = lab
        self._target = ""
        self._fatal = 0
        self._moment: Moment = "before"
        self.calls: list[str] = []

    def arm(self, step: Step, fatal: int = 0, moment: Moment = "before") -> None:
        self._target = f"lambda-auto-repair-{step.replace('_', '-')}-dev"
        self._fatal, self._moment, self.calls = fatal, moment, []

    def handle(self, call: Call) -> ErrorReply | None:
        """Before the call has an effect."""
        if self._is_mine(call):
            self.calls.append(f"{call.service}:{call.operation}")
            if len(self.calls) == self._fatal and self._moment == "before":
                self._lab.account._kill(call)
                return ErrorReply("Killed", "the process that asked is gone", 500)
        return None

    def strike(self, call: Call) -> tuple[Effect, ...]:
        """Asked before `handle`: the call is performed, then the process is killed."""
        is_next = self._is_mine(call) and len(self.calls) + 1 == self._fatal
        if is_next and self._moment == "after":
            return (Effect(kill_function=True),)
        return ()

    def _is_mine(self, call: Call) -> bool:
        mark = self._lab.account._started().invoker.function_of(call.caller)
        return bool(self._target) and mark == self._target


@dataclass
class Stage:
    lab: Lab
    killer: Killer
    state: DynamoIncidentState
    samples: dict[str, dict[str, Any]]
    number: int = 0
    incident: Incident = field(init=False)

    def begin(self) -> None:
        """A fresh incident on the original configuration."""
        self.number += 1
        self._configure(ORIGINAL_S)
        given = self.samples["execute_repair"]["incident"]
        self.incident = Incident.model_validate(given | {"id": f"inc-20260304-{self.number:010d}"})
        # The third repair of one kind in a week would be escalated.
        self.lab.clients.dynamodb.delete_item(
            TableName=self.lab.ready.state_table,
            Key={
                "pk": {"S": f"target#{self.incident.subject.function_arn}"},
                "sk": {"S": "repairs"},
            },
        )
        self.state.open(self.incident)

    def invoke(self, step: Step, change: dict[str, Any] | None = None) -> dict[str, Any] | None:
        """Invoke the step; None if its process died."""
        given = self.samples[step] | {"incident": self.incident.as_json()}
        if change is not None:
            given |= {"change": change}
        answer = self.lab.invoke_step(step, json.dumps(given).encode())
        result: dict[str, Any] = json.loads(answer["Payload"].read() or b"null")
        if answer.get("FunctionError") is None:
            return result
        assert "Runtime" in str(result.get("errorType")), result
        return None

    def reconcile(self) -> None:
        """Reconcile behind an execution that Step Functions never knew, when the lease is past."""
        self.lab.clients.dynamodb.update_item(
            TableName=self.lab.ready.state_table,
            Key={"pk": {"S": f"target#{self.incident.subject.function_arn}"}, "sk": {"S": "lease"}},
            UpdateExpression="SET held_until = :past",
            ExpressionAttributeValues={":past": {"N": "0"}},
        )
        event = {"detail": {"executionArn": self.incident.execution_arn}}
        answer = self.lab.invoke_step("reconcile", json.dumps(event).encode())
        assert answer.get("FunctionError") is None, answer["Payload"].read()
        assert self.state.open_incident(self.incident.subject) is None

    @property
    def timeout_s(self) -> int:
        return self.lab.clients.lambda_.get_function_configuration(FunctionName=NAME)["Timeout"]

    def _configure(self, timeout_s: int) -> None:
        functions = self.lab.clients.lambda_
        if self.timeout_s != timeout_s:
            functions.update_function_configuration(FunctionName=NAME, Timeout=timeout_s)
        functions.get_waiter("function_updated_v2").wait(
            FunctionName=NAME, WaiterConfig={"Delay": 1, "MaxAttempts": 30}
        )


@pytest.fixture(scope="module")
def stage() -> Iterator[Stage]:
    with Lab() as lab:
        set_the_stage(lab, PROJECT)
        killer = Killer(lab)
        lab.account.add_interceptor(killer)
        lab.account._gateway._plan = killer
        table = lab.ready.state_table
        state = DynamoIncidentState(lab.clients.dynamodb, table=table, clock=SystemClock())
        samples = {
            step: json.loads(at_home(lab, PROJECT, (PROJECT / f"events/{step}.json").read_bytes()))
            for step in ("execute_repair", "roll_back_repair")
        }
        yield Stage(lab, killer, state, samples)


def applied(stage: Stage) -> dict[str, Any]:
    stage.killer.arm("execute_repair")
    change = stage.invoke("execute_repair")
    assert change is not None
    assert (change["status"], stage.timeout_s) == ("applied", PLANNED_S)
    return change


def calls_of(stage: Stage, step: Step) -> list[str]:
    """The AWS calls of a run that nobody disturbs, from a cold start."""
    stage.begin()
    change = None
    if step == "roll_back_repair":
        change = applied(stage)
    stage.killer.arm(step)
    assert stage.invoke(step, change) is not None
    calls = list(stage.killer.calls)
    assert "lambda:UpdateFunctionConfiguration" in calls
    stage.reconcile()
    return calls


def is_write(call: str) -> bool:
    return not call.split(":")[1].startswith(READS)


def killed(stage: Stage, step: Step, number: int, moment: Moment) -> dict[str, Any] | None:
    """Kill the step at its nth call; gives the change it was to take back, if that is the step.

    How often it asks whether an update has settled differs from run to run, so the last call of
    one run may lie behind the end of another: then nobody is killed, and nothing is half done.
    """
    stage.begin()
    change = applied(stage) if step == "roll_back_repair" else None
    stage.killer.arm(step, number, moment)
    result = stage.invoke(step, change)
    seen = list(stage.killer.calls)
    stage.killer.arm(step)
    assert result is None or len(seen) < number, f"{step} outlived call {number} of {seen}"
    assert stage.timeout_s in {ORIGINAL_S, PLANNED_S}, f"{moment} {seen[-1]}"
    return change


@pytest.mark.parametrize("step", ["execute_repair", "roll_back_repair"])
def test_killed_before_any_call_it_is_settled_by_reconcile(stage: Stage, step: Step) -> None:
    calls = calls_of(stage, step)
    for number in range(1, len(calls) + 1):
        killed(stage, step, number, "before")
        stage.reconcile()
        assert stage.timeout_s == ORIGINAL_S, f"killed before call {number}, {calls[number - 1]}"


@pytest.mark.parametrize("step", ["execute_repair", "roll_back_repair"])
def test_killed_after_any_call_it_is_settled_by_the_retry(stage: Stage, step: Step) -> None:
    end_s = PLANNED_S if step == "execute_repair" else ORIGINAL_S
    calls = calls_of(stage, step)
    assert any(is_write(call) for call in calls)
    # Killed before the first call it has done nothing: the retry is the first run.
    for number in range(1, len(calls) + 1):
        change = killed(stage, step, number, "after")
        result = stage.invoke(step, change)
        assert result is not None
        assert result["status"] in {"applied", "restored", "already_restored"}
        assert stage.timeout_s == end_s, f"killed after call {number}, {calls[number - 1]}"
        stage.reconcile()


def test_the_state_machine_itself_settles_what_a_killed_step_left(stage: Stage) -> None:
    stage.begin()
    stage.reconcile()
    # The process dies with the write made and its answer lost.
    calls = calls_of(stage, "execute_repair")
    fatal = calls.index("lambda:UpdateFunctionConfiguration") + 1
    stage.killer.arm("execute_repair", fatal, "after")
    for rule in stage.lab.clients.events.list_rules()["Rules"]:
        stage.lab.clients.events.enable_rule(Name=rule["Name"])
    row = stage.lab.ward.run("slow-invoice")
    # A retry finishes the change; where retries die too, HandleFailure takes it back.
    is_kept = stage.timeout_s > ORIGINAL_S
    assert row.outcome is (Outcome.REPAIRED if is_kept else Outcome.FAILED)
