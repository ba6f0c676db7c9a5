"""One fault upstream breaks fifty functions at once: people are told once, and the rest asks."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

import pytest

from autorepair_lab.admission import zipped
from autorepair_lab.interpreter import runtime
from autorepair_lab.lab import LAB_POLICY, PROJECT, Lab
from autorepair_lab.patient import read_patient
from autorepair_lab.trail import Record
from e2e.scene import operator
from e2e.waiting import until

FUNCTIONS = 50
REPAIRED_AT_MOST = 5
CALLS = 3
CODE = PROJECT / "lab" / "patients" / "forgetful-orders"
POLICY = LAB_POLICY.model_copy(
    update={
        "breaker": LAB_POLICY.breaker.model_copy(update={"same_cause_functions": REPAIRED_AT_MOST}),
        # Fifty at once would keep a busy machine from finishing any step in its time.
        "limits": LAB_POLICY.limits.model_copy(update={"incident_spacing_s": 0.8}),
        "approval": LAB_POLICY.approval.model_copy(update={"timeout_s": 3600}),
        # What is repaired all the same closes without traffic, as unverified.
        "verification": LAB_POLICY.verification.model_copy(
            update={"window_s": 1, "max_windows": 1}
        ),
    }
)


@dataclass(frozen=True)
class Fleet:
    """Fifty small functions that lack the same variable since the same release."""

    lab: Lab
    names: tuple[str, ...]

    def each(self, act: Callable[[str], object]) -> None:
        with ThreadPoolExecutor(8) as pool:
            list(pool.map(act, self.names))

    def create(self, name: str) -> None:
        clients = self.lab.clients
        role = clients.lambda_.get_function_configuration(FunctionName="patient-bystander")["Role"]
        clients.lambda_.create_function(
            FunctionName=name,
            Runtime=runtime(),
            Role=role,
            Handler="app.handler",
            Code={"ZipFile": zipped(CODE)},
            Timeout=10,
            Environment={"Variables": {"STAGE": "lab"}},
            Tags={"auto-repair": "enabled"},
        )
        clients.ssm.put_parameter(
            Name=f"{self.lab.ready.known_config_prefix}/{name}/ORDERS_TABLE",
            Value=json.dumps({"type": "literal", "value": "orders-lab"}),
            Type="String",
        )
        clients.cloudwatch.put_metric_alarm(
            AlarmName=f"{name}-errors",
            Namespace="AWS/Lambda",
            MetricName="Errors",
            Dimensions=[{"Name": "FunctionName", "Value": name}],
            Statistic="Sum",
            Period=60,
            EvaluationPeriods=1,
            Threshold=1,
            ComparisonOperator="GreaterThanOrEqualToThreshold",
        )

    def fail(self, name: str) -> None:
        clients = self.lab.clients
        clients.lambda_.get_waiter("function_active_v2").wait(
            FunctionName=name, WaiterConfig={"Delay": 1, "MaxAttempts": 60}
        )
        for _ in range(CALLS):
            answer = clients.lambda_.invoke(FunctionName=name, Payload=b'{"order": 7}')
            assert answer.get("FunctionError")

    def raise_alarm(self, name: str) -> None:
        self.lab.clients.cloudwatch.set_alarm_state(
            AlarmName=f"{name}-errors", StateValue="ALARM", StateReason="Threshold Crossed"
        )

    def variables(self, name: str) -> dict[str, str]:
        found = self.lab.clients.lambda_.get_function_configuration(FunctionName=name)
        return found["Environment"]["Variables"]

    def records(self, name: str) -> tuple[Record, ...]:
        assert self.lab._trail is not None
        return self.lab._trail.of(name)

    def of_kind(self, kind: str) -> dict[str, Record]:
        """Give the last record of a kind of each function that has one."""
        return {name: r for name in self.names for r in self.records(name) if r.kind == kind}


@pytest.fixture(scope="module")
def fleet() -> Iterator[Fleet]:
    with Lab(approval="ask") as lab:
        lab._open_admission.write_policy(POLICY)
        # The role that patients run under comes with the first of them.
        bystander = read_patient(PROJECT / "lab" / "patients" / "code-bug")
        lab.ward.admit(bystander.model_copy(update={"name": "bystander"}))
        yield Fleet(lab, tuple(f"storm-{number:02}" for number in range(FUNCTIONS)))


def test_a_storm_of_fifty_functions_trips_the_breaker_once_and_the_rest_asks(fleet: Fleet) -> None:
    for act in (fleet.create, fleet.fail, fleet.raise_alarm):
        fleet.each(act)

    def is_settled() -> bool:
        ends = ("approval_requested", "repair_applied", "incident_closed")
        return {name for kind in ends for name in fleet.of_kind(kind)} == set(fleet.names)

    until(is_settled, "a question or an end of each incident", patience_s=1200)
    asked, applied = fleet.of_kind("approval_requested"), fleet.of_kind("repair_applied")
    others = set(fleet.names) - set(asked) - set(applied)
    assert not others, [r.summary for name in others for r in fleet.records(name)]
    assert len(applied) <= REPAIRED_AT_MOST
    assert not set(asked) & set(applied)
    decided = fleet.of_kind("action_decided")
    for name in asked:
        assert decided[name].data["action"] == "ask"
        assert decided[name].data["refusal"]["code"] == "breaker"
        assert "missing_env_var on" in decided[name].data["reason"]

    for name in fleet.names:
        repaired = {"ORDERS_TABLE": "orders-lab"} if name in applied else {}
        assert fleet.variables(name) == {"STAGE": "lab"} | repaired

    trips = [r for name in fleet.names for r in fleet.records(name) if r.kind == "breaker_tripped"]
    assert len(trips) == 1, "tripped by one incident, in one record"
    told = until(lambda: _told_of_the_storm(fleet.lab), "the message")
    assert len(told) == 1, "people are told once"
    assert "one incident upstream" in told[0]
    assert sum(name in told[0] for name in fleet.names) == REPAIRED_AT_MOST + 1


def test_in_the_storm_a_person_may_still_have_one_function_repaired(fleet: Fleet) -> None:
    asked = fleet.of_kind("approval_requested")
    name, question = min(asked.items())
    command = until(lambda: _command(fleet.lab, question.incident_id), "the question's message")
    answered = operator(fleet.lab, *command)
    assert answered.returncode == 0, answered.stderr
    until(lambda: name in fleet.of_kind("incident_closed"), "the end")
    assert fleet.variables(name) == {"STAGE": "lab", "ORDERS_TABLE": "orders-lab"}
    untouched = [other for other in asked if other != name]
    assert all(fleet.variables(other) == {"STAGE": "lab"} for other in untouched)


def _told_of_the_storm(lab: Lab) -> list[str]:
    return [m["message"] for m in lab.account.inbox() if "breaker tripped" in str(m["subject"])]


def _command(lab: Lab, incident: str) -> list[str] | None:
    """Give the command that says yes, as the message names it."""
    lines = [
        line.split()[1:]
        for message in lab.account.inbox()
        for line in str(message["message"]).splitlines()
        if line.strip().startswith(f"autorepair approve {incident}")
    ]
    return lines[0] if lines else None
