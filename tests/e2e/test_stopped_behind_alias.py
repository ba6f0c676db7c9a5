"""A repair behind an alias whose execution is stopped by hand: reconcile puts everything back.

Wherever it is stopped: `$LATEST`, the alias and what belongs to others stand as before, people are
told once, the record is whole, the incident closed.
"""

from __future__ import annotations

import threading
from collections.abc import Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from typing import Any

import pytest

from autorepair_lab.account.call import Call
from autorepair_lab.lab import Lab
from autorepair_lab.patient import Patient
from autorepair_lab.row import Row
from e2e.published import (
    BEHIND_ALIAS,
    DIVIDED,
    ORIGINAL_S,
    alias_of,
    edit_latest,
    move_alias,
    setting,
    versions,
)
from e2e.scene import admitted, configuration, is_whole, kinds, last, messages
from e2e.waiting import until

STEP = "lambda-auto-repair-execute-repair-dev"
RECONCILE = "lambda-auto-repair-reconcile-dev"
# The alarm goes on standing, and is not to be taken up anew while a test looks.
ONCE = {"limits": {"cooldown_s": 3600}}
# Long windows: an execution that watches a repair has to stand still to be stopped.
WATCHES = ONCE | {"verification": {"window_s": 1800, "max_windows": 3, "min_invocations": 4}}
UPDATE, PUBLISH, MOVE = "UpdateFunctionConfiguration", "PublishVersion", "UpdateAlias"
LONGER = ({"payload": {"parcels": 6}, "count": 8},)


@dataclass(frozen=True)
class Cut:
    """The call of ExecuteRepair right after which the execution is stopped, and its process dead.

    ``alias`` and ``published`` say how far it had come by then.
    """

    operation: str
    alias: str = "1"
    published: tuple[str, ...] = ("1",)
    nth: int = 1


CUTS = {
    "cut-at-update": Cut(UPDATE),
    "cut-at-publish": Cut(PUBLISH, published=("1", "2")),
    "cut-at-move": Cut(MOVE, alias="2", published=("1", "2")),
    "cut-at-second-update": Cut(UPDATE, alias="2", published=("1", "2"), nth=2),
    "cut-at-second-move": Cut(MOVE, alias="3", published=("1", "2", "3"), nth=2),
}
EDITED = "cut-and-edited"
GOES_ON = "goes-on"
WATCHING = ("watching", "latest-edited", "alias-divided")


class Stopper:
    """Stops the patient's execution, once, right after a call of ExecuteRepair has been made."""

    def __init__(self, lab: Lab, patient: Patient, cut: Cut, *, is_deadly: bool = True) -> None:
        self._lab, self._patient, self._cut, self._is_deadly = lab, patient, cut, is_deadly
        self._seen = 0
        self.has_acted = threading.Event()
        lab.account.add_observer(self)

    def observe(self, call: Call) -> None:
        if not self._is_meant(call):
            return
        self._seen += 1
        if self._seen == self._cut.nth:
            stop(self._lab, self._patient)
            if self._is_deadly:
                self._lab.account._kill(call)
            self.has_acted.set()

    def _is_meant(self, call: Call) -> bool:
        named = str(call.parameters.get("FunctionName", "")).split(":")
        caller = self._lab.account._started().invoker.function_of(call.caller)
        is_mine = self._patient.function_name in named and caller == STEP
        return is_mine and call.operation == self._cut.operation


class Stage:
    """The lab and its patients, each as it stood before it was broken."""

    def __init__(self, lab: Lab, pool: ThreadPoolExecutor) -> None:
        self.lab, self._pool = lab, pool
        self.patients = {name: self._patient(name) for name in (*WATCHING, GOES_ON, EDITED, *CUTS)}
        self.before = {name: self.now(name) for name in self.patients}
        self.gone_on = Stopper(lab, self.patients[GOES_ON], Cut(UPDATE), is_deadly=False)
        self.rows: dict[str, Future[Row]] = {}
        for name in (*WATCHING, GOES_ON):
            self.broken(name)

    def _patient(self, name: str) -> Patient:
        is_cut = name in CUTS
        changes: dict[str, Any] = {"policy": ONCE if is_cut else WATCHES}
        if is_cut and CUTS[name].nth > 1:
            changes["traffic_after_repair"] = LONGER
        patient = admitted(self.lab, BEHIND_ALIAS, name, **changes)
        if name not in CUTS:
            self.lab.clients.lambda_.create_alias(
                FunctionName=patient.function_name, Name="steady", FunctionVersion="1"
            )
        return patient

    def broken(self, name: str) -> Future[Row]:
        self.rows[name] = self._pool.submit(self.lab.ward.run, name)
        return self.rows[name]

    def now(self, name: str) -> dict[str, Any]:
        """Give `$LATEST` and the aliases as they stand."""
        patient, functions = self.patients[name], self.lab.clients.lambda_
        found = functions.list_aliases(FunctionName=patient.function_name)["Aliases"]
        aliases = [{k: v for k, v in one.items() if k != "RevisionId"} for one in found]
        return {"latest": configuration(self.lab, patient), "aliases": aliases}

    def cut(self, name: str, cut: Cut) -> None:
        """Have the execution stopped, and the process killed, right after the call."""
        # To kill a step kills whatever else it works at.
        for other in (*WATCHING, GOES_ON):
            until(lambda: "repair_applied" in kinds(self.lab, self.patients[other]), other)  # noqa: B023 - waited for here
        stopper = Stopper(self.lab, self.patients[name], cut)
        self.broken(name)
        until(stopper.has_acted.is_set, f"{cut.operation} of {name}")

    def watched(self, name: str) -> Patient:
        """Wait until the patient is repaired, and the execution waits for its traffic."""
        patient = self.patients[name]
        until(lambda: is_waiting(self.lab, patient), "the wait for traffic")
        assert alias_of(self.lab, patient)["FunctionVersion"] == "2"
        return patient


@pytest.fixture(scope="module")
def stage() -> Iterator[Stage]:
    # The lab ends first: who still follows a patient of a test that failed is let go.
    with ThreadPoolExecutor(16) as pool, Lab() as lab:
        yield Stage(lab, pool)


def item(lab: Lab, patient: Patient, kind: str) -> dict[str, Any]:
    arn = setting(lab, patient)["FunctionArn"]
    return dict(
        lab.clients.dynamodb.get_item(
            TableName=lab.ready.state_table,
            Key={"pk": {"S": f"target#{arn.removesuffix(':$LATEST')}"}, "sk": {"S": kind}},
            ConsistentRead=True,
        ).get("Item", {})
    )


def is_open(lab: Lab, patient: Patient) -> bool:
    return bool(item(lab, patient, "open"))


def is_waiting(lab: Lab, patient: Patient) -> bool:
    found = item(lab, patient, "open")
    if not found:
        return False
    history = lab.clients.stepfunctions.get_execution_history(
        executionArn=found["execution_arn"]["S"], maxResults=1000
    )["events"]
    entered = [one["stateEnteredEventDetails"]["name"] for one in history if _enters(one)]
    return "WaitForTraffic" in entered


def _enters(event: Any) -> bool:  # noqa: ANN401 - of Step Functions
    return "stateEnteredEventDetails" in event


def stop(lab: Lab, patient: Patient) -> None:
    execution = item(lab, patient, "open")["execution_arn"]["S"]
    lab.clients.stepfunctions.stop_execution(
        executionArn=execution, error="a person", cause="enough of it"
    )


def tick(lab: Lab) -> None:
    """Let reconcile's schedule fire once and wait for a run to end."""
    before = len(lab.account.invocations(RECONCILE))
    lab.account.trigger_schedule(RECONCILE)
    until(lambda: len(lab.account.invocations(RECONCILE)) > before, "a run of reconcile")
    assert not lab.account.invocations(RECONCILE)[-1].is_failure


def is_closed_by_a_tick(lab: Lab, patient: Patient) -> bool:
    tick(lab)
    return not is_open(lab, patient)


def let_the_lease_pass(lab: Lab, patient: Patient) -> None:
    """Six minutes later: the lease of the dead step is past."""
    lease = item(lab, patient, "lease")
    lab.clients.dynamodb.update_item(
        TableName=lab.ready.state_table,
        Key={"pk": lease["pk"], "sk": lease["sk"]},
        UpdateExpression="SET held_until = :past",
        ConditionExpression="holder = :incident",
        ExpressionAttributeValues={
            ":past": {"N": "0"},
            ":incident": item(lab, patient, "open")["incident_id"],
        },
    )


def settled(stage: Stage, name: str) -> dict[str, Any]:
    """Insist that it ended as it should, once; gives the message that people got."""
    lab, patient = stage.lab, stage.patients[name]
    incident = last(lab, patient, "incident_closed").incident
    told = kinds(lab, patient)
    assert sorted(told[-3:]) == ["failure_handled", "incident_closed", "rollback_planned"]
    tick(lab)
    assert kinds(lab, patient) == told, "a later run finds nothing to do"
    assert is_whole(lab, incident)
    assert stage.rows[name].result().outcome == "failed"
    change = lab.clients.dynamodb.get_item(
        TableName=lab.ready.state_table,
        Key={"pk": {"S": f"incident#{incident}"}, "sk": {"S": "change"}},
    )["Item"]
    assert "unsettled" not in change
    (message,) = messages(lab, incident)
    assert message["attributes"]["outcome"] == "failed"
    assert "ABORTED" in message["message"]
    return message


def test_stopped_while_traffic_is_watched_alias_and_latest_go_back(stage: Stage) -> None:
    lab, patient = stage.lab, stage.watched("watching")
    stop(lab, patient)
    until(lambda: not is_open(lab, patient), "the closing")
    assert stage.now("watching") == stage.before["watching"]
    assert versions(lab, patient) == ["1", "2"]
    message = settled(stage, "watching")
    assert "stopped by hand" in message["subject"]
    assert "the alias live is on version 1" in message["message"]
    assert "version 2 stays published, and nothing leads to it" in message["message"]


def test_latest_that_a_person_edited_meanwhile_stays_theirs(stage: Stage) -> None:
    lab, patient = stage.lab, stage.watched("latest-edited")
    edit_latest(lab, patient, MemorySize=256)
    theirs = stage.now("latest-edited")
    stop(lab, patient)
    until(lambda: not is_open(lab, patient), "the closing")
    now, before = stage.now("latest-edited"), stage.before["latest-edited"]
    assert now == {"latest": theirs["latest"], "aliases": before["aliases"]}
    assert "look before it is published" in settled(stage, "latest-edited")["message"]


def test_an_alias_that_a_person_divided_meanwhile_stays_theirs_and_they_are_called(
    stage: Stage,
) -> None:
    lab, patient = stage.lab, stage.watched("alias-divided")
    move_alias(lab, patient, **DIVIDED)
    theirs = stage.now("alias-divided")
    stop(lab, patient)
    until(lambda: not is_open(lab, patient), "the closing")
    assert stage.now("alias-divided") == theirs
    message = settled(stage, "alias-divided")
    assert "STOPPED BY HAND, CHECK NOW" in message["subject"]
    assert "divides its traffic by now" in message["message"]


def test_a_step_that_goes_on_after_the_stop_is_undone_behind_its_end(stage: Stage) -> None:
    lab, patient = stage.lab, stage.patients[GOES_ON]
    until(stage.gone_on.has_acted.is_set, "the stop")
    until(lambda: is_closed_by_a_tick(lab, patient), "the closing")
    until(lambda: "repair_applied" in kinds(lab, patient), "the end of the step")
    assert stage.now(GOES_ON) == stage.before[GOES_ON]
    assert versions(lab, patient) == ["1", "2"]
    incident = last(lab, patient, "incident_closed").incident
    assert len(messages(lab, incident)) == 1
    assert is_whole(lab, incident)


@pytest.mark.parametrize("name", CUTS)
def test_cut_short_by_the_stop_it_is_undone_once_the_lease_is_past(stage: Stage, name: str) -> None:
    lab, patient, cut = stage.lab, stage.patients[name], CUTS[name]
    stage.cut(name, cut)
    assert alias_of(lab, patient)["FunctionVersion"] == cut.alias
    assert tuple(versions(lab, patient)) == cut.published
    assert setting(lab, patient)["Timeout"] > ORIGINAL_S
    tick(lab)
    assert is_open(lab, patient), "the step may still be running"
    let_the_lease_pass(lab, patient)
    until(lambda: is_closed_by_a_tick(lab, patient), "the closing")
    assert stage.now(name) == stage.before[name]
    assert tuple(versions(lab, patient)) == cut.published
    assert "the alias live is on version 1" in settled(stage, name)["message"]


def test_what_a_person_put_on_top_of_a_write_that_was_cut_short_stays_theirs(stage: Stage) -> None:
    lab, patient = stage.lab, stage.patients[EDITED]
    stage.cut(EDITED, Cut(UPDATE))
    edit_latest(lab, patient, MemorySize=256)
    theirs = stage.now(EDITED)
    let_the_lease_pass(lab, patient)
    until(lambda: is_closed_by_a_tick(lab, patient), "the closing")
    assert stage.now(EDITED) == theirs
    assert theirs["aliases"] == stage.before[EDITED]["aliases"]
    assert "STOPPED BY HAND, CHECK NOW" in settled(stage, EDITED)["subject"]
