"""Repairs of traffic on a published version: by publish and move, forward and back, in the lab.

The patients are run side by side, once; each test looks at what became of one of them.
"""

from __future__ import annotations

from collections.abc import Iterator
from concurrent.futures import Future, ThreadPoolExecutor, wait
from typing import Any

import pytest

from autorepair_lab.account.faults import Effect, Fault, FaultPlan
from autorepair_lab.lab import PROJECT, Lab
from autorepair_lab.patient import Patient, read_patient
from autorepair_lab.row import Row
from e2e.published import (
    BEHIND_ALIAS,
    DIVIDED,
    ORIGINAL_S,
    Person,
    alias_of,
    edit_latest,
    move_alias,
    setting,
    versions,
)

ENDLESS = ({"payload": {"parcels": 60}, "count": 6},)
CANARY = {"RoutingConfig": {"AdditionalVersionWeights": {"2": 0.5}}}
ONE_STEP = {"limits": {"steps_per_incident": 1}}
PATIENTS: dict[str, dict[str, Any]] = {
    "behind-alias": {},
    "unreleased": {"kind": "slow-behind-unreleased-latest"},
    "no-help": {"traffic_after_repair": ENDLESS, "policy": ONE_STEP},
    "moved-before": {},
    "moved-after": {"traffic_after_repair": ENDLESS, "policy": ONE_STEP},
    "killed-at-update": {},
    "killed-at-publish": {},
    "killed-always": {},
    # Longer work than the first step is made for.
    "two-steps": {"traffic_after_repair": ({"payload": {"parcels": 6}, "count": 8},)},
}
# The service's own process dies in the middle of the call: made, and not answered.
DEADLY: tuple[tuple[str, str, tuple[int, ...] | None], ...] = (
    ("killed-at-update", "UpdateFunctionConfiguration", (1,)),
    ("killed-at-publish", "PublishVersion", (1,)),
    ("killed-always", "PublishVersion", None),
)


class Ward:
    """The lab, its patients, who meddles with them, and what became of each."""

    def __init__(self, lab: Lab, pool: ThreadPoolExecutor) -> None:
        self.lab = lab
        self.patients = {name: self._admitted(name, **how) for name, how in PATIENTS.items()}
        lab.account._gateway._plan = FaultPlan([self._fault(*deadly) for deadly in DEADLY])
        before, after = self.patients["moved-before"], self.patients["moved-after"]
        self.persons = {
            "moved-before": Person(lab, before, "action_decided", lambda: divide(lab, before)),
            "moved-after": Person(
                lab, after, "rollback_planned", lambda: move_alias(lab, after, **DIVIDED)
            ),
        }
        # To kill a step kills whatever else it works at: those come after all others, one by one.
        self._apart = {name for name, _, _ in DEADLY}
        self._pool = pool
        self._rows = {name: self._begun(name) for name in PATIENTS if name not in self._apart}

    def _begun(self, name: str) -> Future[Row]:
        return self._pool.submit(self.lab.ward.run, name)

    def _admitted(self, name: str, kind: str = BEHIND_ALIAS, **changes: Any) -> Patient:  # noqa: ANN401 - any field
        plain = read_patient(PROJECT / "lab" / "patients" / kind)
        patient = Patient.model_validate(plain.model_dump() | {"name": name, **changes})
        self.lab.ward.admit(patient)
        return patient

    def _fault(self, name: str, operation: str, nth: tuple[int, ...] | None) -> Fault:
        return Fault(
            service="lambda",
            operation=operation,
            match={"FunctionName": self.patients[name].function_name},
            nth=nth,
            effect=Effect(kill_function=True),
        )

    def outcome(self, name: str) -> tuple[Patient, Row]:
        if name not in self._rows:
            wait(self._rows.values())
            self._rows[name] = self._begun(name)
        return self.patients[name], self._rows[name].result()


@pytest.fixture(scope="module")
def ward() -> Iterator[Ward]:
    with Lab() as lab, ThreadPoolExecutor(len(PATIENTS)) as pool:
        yield Ward(lab, pool)


def recorded(lab: Lab, row: Row, kind: str) -> list[dict[str, Any]]:
    """Give the audit records of one kind, as the table holds them, oldest first."""
    found = lab.clients.dynamodb.query(
        TableName=lab.ready.audit_table,
        KeyConditionExpression="incident_id = :id",
        ExpressionAttributeValues={":id": {"S": str(row.incident)}},
        ConsistentRead=True,
    )["Items"]
    return [dict(one) for one in found if one["kind"]["S"] == kind]


def steps(lab: Lab, row: Row) -> int:
    """Count the repairs of an incident: on a busy machine the first may turn out to be short."""
    return len(recorded(lab, row, "repair_applied"))


def messages(lab: Lab, patient: Patient) -> str:
    inbox = lab.account.inbox()
    return "\n".join(m["message"] for m in inbox if patient.function_name in str(m["message"]))


def divide(lab: Lab, patient: Patient) -> None:
    """Begin a canary: a version of their own gets half of the traffic."""
    edit_latest(lab, patient, Description="a canary")
    lab.clients.lambda_.publish_version(FunctionName=patient.function_name)
    move_alias(lab, patient, **CANARY)


def test_the_setting_is_published_and_the_alias_moved_there(ward: Ward) -> None:
    (patient, row), lab = ward.outcome("behind-alias"), ward.lab
    told = (row.root_cause, row.action, row.outcome)
    assert told == ("timeout_too_low", "set_timeout", "repaired")
    assert row.failed_before == row.invoked_before
    assert row.failed_after == 0
    published = str(1 + steps(lab, row))
    assert alias_of(lab, patient)["FunctionVersion"] == published
    live, latest = setting(lab, patient, "live"), setting(lab, patient)
    assert live["Timeout"] == latest["Timeout"] > ORIGINAL_S
    assert live["CodeSha256"] == latest["CodeSha256"]
    assert setting(lab, patient, "1")["Timeout"] == ORIGINAL_S
    assert f"alias live: version 1 -> version {published}" in messages(lab, patient)


def test_latest_that_holds_what_nobody_released_is_not_published(ward: Ward) -> None:
    (patient, row), lab = ward.outcome("unreleased"), ward.lab
    assert (row.root_cause, row.action, row.outcome) == ("timeout_too_low", None, "escalated")
    assert row.before == row.after
    assert (alias_of(lab, patient)["FunctionVersion"], versions(lab, patient)) == ("1", ["1"])
    assert "MemorySize, variable NEXT_CARRIER differ" in messages(lab, patient)


def test_a_repair_that_did_not_help_is_taken_back_on_alias_and_latest(ward: Ward) -> None:
    (patient, row), lab = ward.outcome("no-help"), ward.lab
    assert (row.action, row.outcome) == ("set_timeout", "rolled_back"), row
    assert alias_of(lab, patient)["FunctionVersion"] == "1"
    assert setting(lab, patient)["Timeout"] == ORIGINAL_S
    assert versions(lab, patient) == ["1", "2"]
    assert "version 2 stays published" in messages(lab, patient)


def test_an_alias_that_a_person_moves_between_plan_and_write_stays_theirs(ward: Ward) -> None:
    (patient, row), lab = ward.outcome("moved-before"), ward.lab
    assert ward.persons["moved-before"].has_acted.is_set()
    assert (row.action, row.outcome) == (None, "escalated"), row
    assert alias_of(lab, patient)["RoutingConfig"] == CANARY["RoutingConfig"]
    assert setting(lab, patient)["Timeout"] == ORIGINAL_S


def test_an_alias_that_a_person_moves_before_the_rollback_stays_theirs(ward: Ward) -> None:
    (patient, row), lab = ward.outcome("moved-after"), ward.lab
    assert ward.persons["moved-after"].has_acted.is_set()
    assert row.action == "set_timeout"
    alias = alias_of(lab, patient)
    assert (alias["FunctionVersion"], alias["RoutingConfig"]) == ("2", DIVIDED["RoutingConfig"])
    # `$LATEST` goes with the version that the alias still sends half of its traffic to.
    assert setting(lab, patient)["Timeout"] == setting(lab, patient, "2")["Timeout"] > ORIGINAL_S
    assert "the alias live of" in messages(lab, patient)


@pytest.mark.parametrize("name", ["killed-at-update", "killed-at-publish"])
def test_killed_before_the_alias_was_moved_the_retry_moves_it(ward: Ward, name: str) -> None:
    (patient, row), lab = ward.outcome(name), ward.lab
    assert (row.outcome, row.failed_after) == ("repaired", 0), row
    # One version for each step, so none was published twice.
    published = [str(1 + n) for n in range(1 + steps(lab, row))]
    assert versions(lab, patient) == published
    assert alias_of(lab, patient)["FunctionVersion"] == published[-1]


def test_killed_between_publish_and_move_every_time_everything_is_taken_back(ward: Ward) -> None:
    (patient, row), lab = ward.outcome("killed-always"), ward.lab
    assert row.outcome == "failed", row
    assert alias_of(lab, patient)["FunctionVersion"] == "1"
    assert setting(lab, patient)["Timeout"] == ORIGINAL_S


def test_a_further_step_goes_on_from_the_version_of_the_first(ward: Ward) -> None:
    (patient, row), lab = ward.outcome("two-steps"), ward.lab
    assert steps(lab, row) > 1, row
    assert row.outcome == "repaired"
    assert alias_of(lab, patient)["FunctionVersion"] == str(1 + steps(lab, row))
    assert setting(lab, patient, "live")["Timeout"] == setting(lab, patient)["Timeout"]
