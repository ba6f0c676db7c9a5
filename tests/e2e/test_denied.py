"""A denied API call at every step: a recorded, explained, safe end each."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator

import pytest

from autorepair_lab.lab import PROJECT, Lab
from autorepair_lab.patient import read_patient
from e2e.denials import FUNCTION, Denial, Ended, Runs

# Python's and Lambda's ways to show where code broke, and what the denial quotes.
NOT_FOR_PEOPLE = re.compile(r"Traceback|File \"|/var/task|/opt/python|stackTrace|denied: \{")
# They come before any write, so it is enough to run them where nothing would be written.
EARLY = ("collect-metrics-and-logs", "determine-action", "diagnose-issue", "parse-alarm-event")
# Asked once per process and function; then the derived key is at hand and nothing is denied.
ASKED_ONCE = ("kms", "GenerateMac")
CACHED: Denial = ("parse-alarm-event", "ssm", "GetParameter")
"""Read at most every few seconds, so the denial may never be met; a unit test meets it."""
POLICY_OF_VERIFICATION: Denial = ("verify-repair", "ssm", "GetParameter")
DENIED_LATE: Denial = ("verify-repair", "s3", "GetObject")
"""Fails an execution when the change has been made, so that HandleFailure has to undo it."""


@pytest.fixture(scope="module")
def lab() -> Iterator[Lab]:
    with Lab() as running:
        patient = read_patient(PROJECT / "lab" / "patients" / "forgetful-orders")
        running.ward.admit(patient)
        for item in patient.traffic:
            for _ in range(item.count):
                running.account.invoke(FUNCTION, json.dumps(item.payload).encode())
        running.mute_alarms()
        running.raise_alarm(patient)
        yield running


@pytest.fixture(scope="module")
def runs(lab: Lab) -> Runs:
    return Runs(lab)


@pytest.fixture(scope="module")
def calls(runs: Runs) -> list[Denial]:
    """Every call that the steps make in a run that writes and takes back again."""
    runs.set_policy(mode="auto")
    whole = runs.run()
    assert (whole.status, whole.outcome, whole.env) == ("SUCCEEDED", "unverified", runs.env)
    made = sorted(call for call in runs.gate.seen if call[1:] != ASKED_ONCE)
    assert {"execute-repair", "verify-repair", "roll-back-repair", "notify-result", *EARLY} <= {
        step for step, _, _ in made
    }
    return made


def test_a_denied_call_before_any_write_is_told_and_touches_nothing(
    runs: Runs, calls: list[Denial]
) -> None:
    runs.set_policy(mode="observe")
    faults = {}
    for call in (call for call in calls if call[0] in EARLY):
        ended = runs.run(call)
        assert call in runs.gate.struck or call == CACHED
        faults[call] = faults_of(ended, runs.env)
    assert {call: found for call, found in faults.items() if found} == {}


def test_a_denied_call_from_the_write_on_ends_with_the_function_as_it_was(
    runs: Runs, calls: list[Denial]
) -> None:
    runs.set_policy(mode="auto")
    faults = {}
    for call in (call for call in calls if call[0] not in EARLY):
        ended = runs.run(call)
        # The way back is denied: it says so loudly, and what is left is what was planned.
        # So it is where VerifyRepair cannot read the policy, which says to take it back here.
        may_stay = call[0] == "roll-back-repair" or call == POLICY_OF_VERIFICATION
        planned = [runs.env, runs.planned] if may_stay else [runs.env]
        faults[call] = faults_of(ended, *planned)
    assert {call: found for call, found in faults.items() if found} == {}


def test_a_person_who_cannot_be_asked_is_a_failure_that_is_told(runs: Runs) -> None:
    runs.set_policy(mode="ask")
    runs.gate.seen.clear()
    asked = runs.run()
    assert asked.outcome == "expired"
    asking = sorted(c for c in runs.gate.seen if c[0] == "request-approval")
    faults = {call: faults_of(runs.run(call), runs.env) for call in asking}
    assert asking
    assert {call: found for call, found in faults.items() if found} == {}


def test_a_denied_call_while_a_failure_is_handled_leaves_the_recorded_plan_at_most(
    runs: Runs,
) -> None:
    runs.set_policy(mode="auto")
    runs.gate.seen.clear()
    plain = runs.run(DENIED_LATE)
    assert (plain.status, plain.outcome, plain.env) == ("FAILED", "failed", runs.env)
    handling = sorted(c for c in runs.gate.seen if c[0] == "handle-failure" and c[1:] != ASKED_ONCE)
    assert ("handle-failure", "lambda", "UpdateFunctionConfiguration") in handling
    faults = {}
    for call in handling:
        ended = runs.run(DENIED_LATE, call)
        found = set(faults_of(ended, runs.env, runs.planned))
        if call[1] in {"dynamodb", "sns"}:
            # Without the trail or the topic the incident stays open, for reconcile to close.
            found -= {"not closed", "nobody told"}
        faults[call] = found
        assert "repair_planned" in ended.kinds
    assert {call: found for call, found in faults.items() if found} == {}


def faults_of(ended: Ended, *allowed: dict[str, str]) -> list[str]:
    """What is wrong with how a run ended; ``allowed`` are the environments it may leave."""
    faults = []
    if ended.status not in {"SUCCEEDED", "FAILED"}:
        faults.append(f"status {ended.status}")
    if ended.env not in allowed:
        faults.append(f"left with {sorted(ended.env)}")
    if ended.outcome is None:
        faults.append("not closed")
    # A message that cannot be sent is kept, and reconcile sends it.
    if not ended.messages and "message_undelivered" not in ended.kinds:
        faults.append("nobody told")
    faults += [f"shown: {m}" for m in ended.messages if NOT_FOR_PEOPLE.search(m)]
    return faults
