"""What holds a write back: a freeze, a pause, a policy that was tightened while somebody waited."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from autorepair_lab.lab import Lab
from autorepair_lab.patient import Patient
from e2e.scene import (
    admitted,
    configuration,
    is_whole,
    kinds,
    last,
    messages,
    operator,
    story,
    trail,
)
from e2e.waiting import until

ASKS = {"modes": {"set_timeout": "ask"}, "approval": {"timeout_s": 900}}


@pytest.fixture(scope="module")
def lab() -> Iterator[Lab]:
    with Lab(approval="ask") as running:
        yield running


def frozen(now: datetime) -> dict[str, Any]:
    hour = timedelta(hours=1)
    span = {"start": now - hour, "end": now + 3 * hour, "reason": "the year-end close"}
    return {"freeze": [{key: str(value) for key, value in span.items()}]}


def lay(lab: Lab, patient: Patient, policy: dict[str, Any]) -> None:
    """Let another policy be in force for one function, as its operator does it."""
    ssm = lab.clients.ssm
    text = ssm.get_parameter(Name=lab.ready.policy_parameter)["Parameter"]["Value"]
    document = json.loads(text)
    kept = [o for o in document["overrides"] if o["functions"] != patient.function_name]
    document["overrides"] = [*kept, {"functions": patient.function_name, "policy": policy}]
    ssm.put_parameter(
        Name=lab.ready.policy_parameter, Value=json.dumps(document), Type="String", Overwrite=True
    )


def test_a_freeze_window_holds_a_write_back_and_its_end_lets_the_next_one_pass(lab: Lab) -> None:
    patient = admitted(
        lab, "slow-invoice", "frozen-invoice", policy={"schedule": frozen(datetime.now(UTC))}
    )
    before = configuration(lab, patient)
    row = lab.ward.run(patient.name)
    assert (row.action, row.outcome) == (None, "escalated"), story(trail(lab, patient))
    assert configuration(lab, patient) == before
    decided = last(lab, patient, "action_decided").data
    assert decided["refusal"]["code"] == "freeze"
    assert decided["change"]["after"]["timeout_s"] > before["Timeout"], "what would have been done"
    (message,) = messages(lab, str(row.incident))
    assert "the year-end close" in message["message"]
    assert "repair_planned" not in kinds(lab, patient)

    lay(lab, patient, {})
    row = lab.ward.run(patient.name)
    assert row.outcome == "repaired", story(trail(lab, patient, row.incident))
    assert configuration(lab, patient) == before | {
        "Timeout": decided["change"]["after"]["timeout_s"]
    }


def test_a_pause_holds_and_a_resume_lets_the_next_alarm_be_repaired(lab: Lab) -> None:
    patient = admitted(lab, "slow-invoice", "held-invoice")
    before = configuration(lab, patient)
    paused = operator(lab, "pause", "--reason", "a migration")
    assert paused.returncode == 0, paused.stderr
    row = lab.ward.run(patient.name)
    assert (row.action, row.outcome) == (None, "escalated"), story(trail(lab, patient))
    assert configuration(lab, patient) == before
    decided = last(lab, patient, "action_decided").data
    assert decided["refusal"]["code"] == "paused"
    (message,) = messages(lab, str(row.incident))
    assert "a migration" in message["message"]

    assert operator(lab, "resume").returncode == 0
    row = lab.ward.run(patient.name)
    assert row.outcome == "repaired", story(trail(lab, patient, row.incident))
    assert configuration(lab, patient)["Timeout"] > before["Timeout"]


def test_a_pause_does_not_keep_a_useless_repair_from_being_taken_back(lab: Lab) -> None:
    patient = admitted(lab, "hang-behind-progress", "held-back")
    before = configuration(lab, patient)
    lab.ward.break_in_background(patient.name)
    try:
        until(lambda: "repair_applied" in kinds(lab, patient), "the repair")
        assert operator(lab, "pause", "--reason", "stop everything").returncode == 0
        until(lambda: "incident_closed" in kinds(lab, patient), "the end")
    finally:
        assert operator(lab, "resume").returncode == 0
    told = trail(lab, patient)
    assert last(lab, patient, "incident_closed").data["outcome"] == "rolled_back", story(told)
    assert configuration(lab, patient) == before


def _lower_cap(lab: Lab, patient: Patient) -> None:
    lay(lab, patient, ASKS | {"caps": {"timeout_s": 1}})


def _observe(lab: Lab, patient: Patient) -> None:
    lay(lab, patient, ASKS | {"modes": {"set_timeout": "observe"}})


def _freeze(lab: Lab, patient: Patient) -> None:
    lay(lab, patient, ASKS | {"schedule": frozen(datetime.now(UTC))})


def _tighten_by_tag(lab: Lab, patient: Patient) -> None:
    arn = configuration(lab, patient)["FunctionArn"]
    lab.clients.lambda_.tag_resource(Resource=arn, Tags={"auto-repair-mode": "observe"})


def _withdraw(lab: Lab, patient: Patient) -> None:
    arn = configuration(lab, patient)["FunctionArn"]
    lab.clients.lambda_.untag_resource(Resource=arn, TagKeys=["auto-repair"])


TIGHTENED: dict[str, tuple[Callable[[Lab, Patient], None], str, str]] = {
    "asked-lower-cap": (_lower_cap, "refused", "above the cap of 1 s"),
    "asked-observe": (_observe, "refused", "the mode of set_timeout is observe"),
    "asked-freeze": (_freeze, "refused", "the year-end close"),
    "asked-by-tag": (_tighten_by_tag, "refused", "the mode of set_timeout is observe"),
    "asked-withdrawn": (_withdraw, "refused", "no tag auto-repair=enabled"),
}
"""How it is tightened while the question waits, and what the write is withheld for."""


@pytest.fixture(scope="module")
def asked(lab: Lab) -> dict[str, tuple[Patient, dict[str, Any]]]:
    """Each asks, is then forbidden what it asked for, and gets its yes; with how it was before."""
    patients = {name: admitted(lab, "ask-approved", name, policy=ASKS) for name in TIGHTENED}
    before = {name: configuration(lab, patient) for name, patient in patients.items()}
    for name in patients:
        lab.ward.break_in_background(name)
    _until_all(lab, patients.values(), "approval_requested")
    for name, patient in patients.items():
        TIGHTENED[name][0](lab, patient)
    for patient in patients.values():
        _approve(lab, patient)
    _until_all(lab, patients.values(), "incident_closed")
    return {name: (patient, before[name]) for name, patient in patients.items()}


def _until_all(lab: Lab, patients: Iterable[Patient], kind: str) -> None:
    expected = list(patients)
    until(lambda: all(kind in kinds(lab, patient) for patient in expected), f"{kind} of all")


@pytest.mark.parametrize("name", TIGHTENED)
def test_what_was_tightened_while_an_approval_waits_outranks_the_yes(
    lab: Lab, asked: dict[str, tuple[Patient, dict[str, Any]]], name: str
) -> None:
    patient, before = asked[name]
    _, status, why = TIGHTENED[name]
    told = trail(lab, patient)
    assert configuration(lab, patient) == before, story(told)
    assert last(lab, patient, "approval_answered").data["answer"] == "approved"
    withheld = last(lab, patient, "repair_withheld")
    assert withheld.data["status"] == status, withheld.summary
    assert why in withheld.summary
    assert "repair_planned" not in [one.kind for one in told]
    closed = last(lab, patient, "incident_closed")
    assert closed.data["outcome"] == "escalated", story(told)
    assert why in messages(lab, closed.incident)[-1]["message"]
    assert is_whole(lab, closed.incident)


def test_a_yes_is_not_used_up_by_a_pause(lab: Lab) -> None:
    patient = admitted(lab, "ask-approved", "asked-paused", policy=ASKS)
    before = configuration(lab, patient)
    lab.ward.break_in_background(patient.name)
    _until_all(lab, [patient], "approval_requested")
    incident = last(lab, patient, "approval_requested").incident
    until(lambda: messages(lab, incident), "the question")
    assert operator(lab, "pause", "--reason", "not now").returncode == 0
    try:
        refused = operator(lab, "approve", incident)
        assert refused.returncode == 1
        assert "not now" in refused.stderr
        assert "approval_answered" not in kinds(lab, patient)
        assert configuration(lab, patient) == before
    finally:
        assert operator(lab, "resume").returncode == 0
    _approve_all(lab, patient)
    told = trail(lab, patient)
    assert last(lab, patient, "incident_closed").data["outcome"] == "repaired", story(told)
    assert configuration(lab, patient)["Timeout"] > before["Timeout"]


def _approve_all(lab: Lab, patient: Patient) -> None:
    """Say yes until it ends: on a busy machine the first step may turn out to be short."""

    def has_ended() -> bool:
        told = kinds(lab, patient)
        if told.count("approval_requested") > told.count("approval_answered"):
            _approve(lab, patient)
        return "incident_closed" in told

    until(has_ended, "the end")


def _approve(lab: Lab, patient: Patient) -> None:
    """Say yes by the command in the message, once the question can be answered."""
    incident = last(lab, patient, "approval_requested").incident

    def is_taken() -> bool:
        lines = [
            line.split()[1:]
            for message in messages(lab, incident)
            for line in message["message"].splitlines()
            if line.strip().startswith(f"autorepair approve {incident}")
        ]
        return bool(lines) and operator(lab, *lines[-1]).returncode == 0

    until(is_taken, "the answer to be taken")
