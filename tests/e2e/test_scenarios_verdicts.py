"""Repairs that do not help, or that harm: taken back, told, and in the end not tried again."""

from __future__ import annotations

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Any

import pytest

from autorepair_lab.lab import Lab
from autorepair_lab.patient import Patient
from autorepair_lab.row import Row
from e2e.scene import (
    admitted,
    configuration,
    is_whole,
    kinds,
    last,
    messages,
    story,
    trail,
    written,
)

# Slow work, of which half ends in time; given more time it asks a partner that is not there.
GREEDY = """
import time
def handler(event, context):
    if context.get_remaining_time_in_millis() > 2500:
        raise LookupError("the long run wants a ledger of next year")
    time.sleep(event["pages"] * 0.45)
    return {"pages": event["pages"]}
"""


@dataclass(frozen=True)
class Ends:
    """The patients of this file, how they were before, and their rows in the order of their runs.

    All of them are run at once, for most of the time is spent waiting.
    """

    useless: Patient
    worse: Patient
    leaking: Patient
    before: dict[str, dict[str, Any]]
    rows: dict[str, list[Row]]


@pytest.fixture(scope="module")
def lab() -> Iterator[Lab]:
    with Lab() as running:
        yield running


@pytest.fixture(scope="module")
def ends(lab: Lab, tmp_path_factory: pytest.TempPathFactory) -> Ends:
    useless = admitted(lab, "hang-behind-progress", "useless-again")
    worse = written(
        lab,
        tmp_path_factory.mktemp("patients") / "worse-with-time",
        GREEDY,
        timeout_s=2,
        # Both kinds of call, so that half of them fail before.
        traffic=[{"payload": {"pages": count}} for count in (3, 5, 3, 5, 3, 5, 3, 5)],
        traffic_after_repair=[{"payload": {"pages": 3}, "count": 24}],
    )
    leaking = admitted(lab, "leaking-cache", "leaking-again")
    patients = (useless, worse, leaking)
    before = {patient.name: configuration(lab, patient) for patient in patients}

    def run(patient: Patient) -> list[Row]:
        rows = []
        for _ in range(3 if patient is useless else 1):
            rows.append(lab.ward.run(patient.name))
            assert rows[-1].outcome is not None, story(trail(lab, patient))
        return rows

    with ThreadPoolExecutor(len(patients)) as pool:
        rows = dict(zip((p.name for p in patients), pool.map(run, patients), strict=True))
    return Ends(useless, worse, leaking, before, rows)


def test_useless_repairs_are_taken_back_and_the_third_one_is_escalated(
    lab: Lab, ends: Ends
) -> None:
    patient = ends.useless
    *taken_back, third = ends.rows[patient.name]
    for row in taken_back:
        incident = str(row.incident)
        told = trail(lab, patient, incident)
        assert (row.action, row.outcome) == ("set_timeout", "rolled_back"), story(told)
        assert last(lab, patient, "repair_verified", incident).data["verdict"] == "unchanged"
        assert last(lab, patient, "rollback_done", incident).data["status"] == "restored"
        # The message of the third one names it as well.
        subjects = [one["subject"] for one in messages(lab, incident)]
        assert sum("rolled_back" in subject for subject in subjects) == 1
    told = trail(lab, patient, str(third.incident))
    assert (third.action, third.outcome) == (None, "escalated"), story(told)
    assert "repair_planned" not in [one.kind for one in told]
    assert configuration(lab, patient) == ends.before[patient.name]
    refusal = last(lab, patient, "action_decided", str(third.incident)).data["refusal"]
    assert refusal["code"] == "repeated"
    (message,) = messages(lab, str(third.incident))
    for row in taken_back:
        assert str(row.incident) in refusal["why"]
        assert str(row.incident) in message["message"]
    assert is_whole(lab, str(third.incident))


def test_a_repair_that_makes_it_worse_is_taken_back(lab: Lab, ends: Ends) -> None:
    patient, (row,) = ends.worse, ends.rows[ends.worse.name]
    told = trail(lab, patient)
    assert (row.action, row.outcome) == ("set_timeout", "rolled_back"), story(told)
    verified = last(lab, patient, "repair_verified").data
    assert verified["verdict"] == "worse", verified["reason"]
    assert verified["after"]["failures"] == verified["after"]["invocations"]
    assert last(lab, patient, "rollback_done").data["status"] == "restored"
    assert configuration(lab, patient) == ends.before[patient.name]
    (message,) = messages(lab, str(row.incident))
    assert "rolled_back" in message["subject"]
    assert verified["reason"] in message["message"]


def test_a_leak_is_refused_more_memory_and_named(lab: Lab, ends: Ends) -> None:
    patient, (row,) = ends.leaking, ends.rows[ends.leaking.name]
    found = (row.root_cause, row.action, row.outcome)
    assert found == ("memory_leak", None, "escalated"), story(trail(lab, patient))
    assert configuration(lab, patient) == ends.before[patient.name]
    decided = last(lab, patient, "action_decided").data
    assert decided["refusal"]["code"] == "not_repairable"
    assert decided["change"] is None
    assert "repair_planned" not in kinds(lab, patient)
    (message,) = messages(lab, str(row.incident))
    assert "memory_leak" in message["message"]
