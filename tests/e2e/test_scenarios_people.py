"""A person, or another execution, at the same function: nothing of theirs is lost or done twice."""

from __future__ import annotations

import json
from collections import defaultdict
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import boto3
import pytest

from autorepair_lab.account.call import Call
from autorepair_lab.clients import DUMMY_KEY
from autorepair_lab.lab import PROJECT, REGION, Lab
from autorepair_lab.patient import Patient
from autorepair_lab.row import Row
from autorepair_lab.stage import PATIENT, at_home, set_the_stage
from e2e.scene import admitted, configuration, is_whole, kinds, last, messages, story, trail
from e2e.waiting import until

if TYPE_CHECKING:
    from types_boto3_stepfunctions import SFNClient

SERVICE = "lambda-auto-repair-"
THEIRS = {"memory_mb": 320, "env": {"ADDED": "by hand"}, "description": "mine"}
# What the person does, to which patient, and in the moment in which the service records what.
MEDDLED: dict[str, tuple[str, str, dict[str, Any]]] = {
    "beside-the-plan": ("slow-invoice", "action_decided", THEIRS),
    "mended-before": ("slow-invoice", "action_decided", {"timeout_s": 9}),
    "beside-the-repair": ("hang-behind-progress", "repair_applied", THEIRS),
    "beside-the-rollback": ("hang-behind-progress", "rollback_planned", THEIRS),
    "moved-on": ("hang-behind-progress", "rollback_planned", {"timeout_s": 30}),
}


class Writes:
    """Notes who of the service wrote the configuration of which function."""

    def __init__(self, lab: Lab) -> None:
        self._lab = lab
        self.by: dict[str, list[str]] = defaultdict(list)
        lab.account.add_observer(self)

    def observe(self, call: Call) -> None:
        name = self._lab.account._started().invoker.function_of(call.caller) or ""
        if call.operation == "UpdateFunctionConfiguration" and name.startswith(SERVICE):
            asked = str(call.parameters["FunctionName"]).rpartition(":")[2]
            self.by[asked].append(name.removeprefix(SERVICE).removesuffix("-dev"))


@dataclass(frozen=True)
class End:
    """How a patient that a person meddled with was before, and what became of it."""

    patient: Patient
    before: dict[str, Any]
    row: Row


@pytest.fixture(scope="module")
def lab() -> Iterator[Lab]:
    with Lab() as running:
        yield running


@pytest.fixture(scope="module")
def writes(lab: Lab) -> Writes:
    return Writes(lab)


@pytest.fixture(scope="module")
def ends(lab: Lab, writes: Writes) -> dict[str, End]:
    """All of them at once, for most of the time is spent waiting."""
    assert not writes.by
    patients = [
        admitted(lab, kind, name, approval="approve", meddle={"at": moment, "set": by_hand})
        for name, (kind, moment, by_hand) in MEDDLED.items()
    ]
    before = [configuration(lab, patient) for patient in patients]
    with ThreadPoolExecutor(len(patients)) as pool:
        rows = list(pool.map(lambda patient: lab.ward.run(patient.name), patients))
    found = zip(patients, before, rows, strict=True)
    return {patient.name: End(patient, was, row) for patient, was, row in found}


def with_theirs(before: dict[str, Any], **ours: object) -> dict[str, Any]:
    variables = before["Environment"]["Variables"] | {"ADDED": "by hand"}
    theirs = {"MemorySize": 320, "Environment": {"Variables": variables}, "Description": "mine"}
    return before | theirs | ours


def test_what_a_person_changes_between_plan_and_write_is_kept_beside_the_repair(
    lab: Lab, ends: dict[str, End]
) -> None:
    end = ends["beside-the-plan"]
    told = trail(lab, end.patient)
    assert end.row.outcome == "repaired", story(told)
    after = configuration(lab, end.patient)
    assert after["Timeout"] > end.before["Timeout"]
    assert after == with_theirs(end.before, Timeout=after["Timeout"])
    assert last(lab, end.patient, "repair_withheld").data["status"] == "stale"
    order = [one.kind for one in told]
    assert order.count("action_decided") == 2
    asked = last(lab, end.patient, "action_decided")
    assert (asked.data["action"], asked.data["refusal"]["code"]) == ("ask", "recent_deployment")
    assert "its memory and its environment (ADDED)" in asked.summary
    assert order.count("repair_applied") == 1
    assert order.index("repair_withheld") < order.index("repair_planned")


def test_a_person_who_mends_it_between_plan_and_write_is_not_overruled(
    lab: Lab, ends: dict[str, End], writes: Writes
) -> None:
    end = ends["mended-before"]
    assert end.row.outcome == "escalated", story(trail(lab, end.patient))
    assert configuration(lab, end.patient) == end.before | {"Timeout": 9}
    assert writes.by[end.patient.function_name] == []
    assert "timeout was 2 s and is 9 s" in last(lab, end.patient, "repair_withheld").summary
    (message,) = messages(lab, str(end.row.incident))
    assert "9 s" in message["message"]


@pytest.mark.parametrize("name", ["beside-the-repair", "beside-the-rollback"])
def test_what_a_person_changes_between_write_and_rollback_is_theirs(
    lab: Lab, ends: dict[str, End], writes: Writes, name: str
) -> None:
    end = ends[name]
    told = trail(lab, end.patient)
    after = configuration(lab, end.patient)
    # They changed it with the longer timeout in place: what becomes of that is theirs to decide.
    assert after["Timeout"] > end.before["Timeout"], story(told)
    assert after == with_theirs(end.before, Timeout=after["Timeout"])
    assert writes.by[end.patient.function_name] == ["execute-repair"]
    if name == "beside-the-rollback":
        assert last(lab, end.patient, "rollback_done").data["status"] == "conflict"
    else:
        assert last(lab, end.patient, "repair_verified").data["verdict"] == "overtaken"
    (message,) = messages(lab, str(end.row.incident))
    assert "changed" in message["message"]
    assert is_whole(lab, str(end.row.incident))


def test_a_setting_that_a_person_moves_on_after_the_repair_is_not_taken_back(
    lab: Lab, ends: dict[str, End], writes: Writes
) -> None:
    end = ends["moved-on"]
    told = trail(lab, end.patient)
    assert configuration(lab, end.patient) == end.before | {"Timeout": 30}, story(told)
    assert writes.by[end.patient.function_name] == ["execute-repair"]
    done = last(lab, end.patient, "rollback_done")
    assert done.data["status"] == "conflict"
    assert "30 s" in done.summary
    (message,) = messages(lab, str(end.row.incident))
    assert "30 s" in message["message"]


def test_of_many_executions_for_one_function_one_repairs_it_once(lab: Lab, writes: Writes) -> None:
    session = boto3.Session(DUMMY_KEY, DUMMY_KEY, region_name=REGION)
    machines: SFNClient = session.client("stepfunctions", endpoint_url=lab.ready.endpoint)
    # With nobody to drive traffic later it is closed as unverified, and kept.
    brief = {"verification": {"window_s": 1, "max_windows": 1}}
    patient = admitted(lab, "slow-invoice", "raced-invoice", policy=brief)
    before = configuration(lab, patient)
    with ThreadPoolExecutor(6) as pool:
        payload = json.dumps(patient.traffic[0].payload).encode()
        list(pool.map(lambda _: lab.account.invoke(patient.function_name, payload), range(6)))

        def start(number: int) -> str:
            started = machines.start_execution(
                stateMachineArn=lab.ready.state_machine_arn,
                name=f"race-{number}",
                input=json.dumps({"functionName": patient.function_name, "manual": True}),
            )
            return started["executionArn"]

        racing = pool.map(start, range(5))
        lab.raise_alarm(patient)
        executions = list(racing)

    def have_ended() -> bool:
        asked = [machines.describe_execution(executionArn=one) for one in executions]
        is_closed = "incident_closed" in kinds(lab, patient)
        return is_closed and all(one["status"] == "SUCCEEDED" for one in asked)

    until(have_ended, "the end of all executions")
    told = trail(lab, patient)
    # One that comes when the first has ended opens an incident of its own, which finds it repaired.
    assert writes.by[patient.function_name] == ["execute-repair"], story(told)
    assert [one.kind for one in told].count("repair_applied") == 1
    assert "alarm_joined" in [one.kind for one in told]
    after = configuration(lab, patient)
    change = last(lab, patient, "repair_applied").data["change"]
    assert after == before | {"Timeout": change["after"]["timeout_s"]}
    opened = [one.incident for one in told if one.kind == "incident_opened"]
    for incident in opened:
        assert is_whole(lab, incident)
        assert len(messages(lab, incident)) == 1


def test_of_incidents_that_write_at_once_one_write_lands(lab: Lab) -> None:
    """As when a holder outlives its lease: lease and configuration let only one of them through."""
    set_the_stage(lab, PROJECT)
    name = f"patient-{PATIENT}"
    sample = (PROJECT / "events" / "execute_repair.json").read_bytes()
    given = json.loads(at_home(lab, PROJECT, sample))

    def execute(number: int) -> dict[str, Any]:
        incident = given["incident"] | {"id": f"inc-20260304-{number:010d}"}
        payload = json.dumps(given | {"incident": incident}).encode()
        answer = lab.invoke_step("execute_repair", payload)
        document: dict[str, Any] = json.loads(answer["Payload"].read())
        return document

    with ThreadPoolExecutor(4) as pool:
        found = list(pool.map(execute, range(1, 5)))
    applied = [one for one in found if one.get("status") == "applied"]
    assert len(applied) == 1, found
    # The others were refused or overtaken, or failed and would be tried again.
    others = {one.get("status") for one in found if one not in applied}
    assert others <= {"refused", "stale", None}, found
    landed = lab.clients.lambda_.get_function_configuration(FunctionName=name)
    assert landed["Timeout"] == applied[0]["change"]["after"]["timeout_s"]
