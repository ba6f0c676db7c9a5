"""A test event of the operator's own, sent where no traffic comes after the repair."""

from __future__ import annotations

import json
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor

import pytest

from autorepair_lab.lab import Lab
from autorepair_lab.patient import Patient
from autorepair_lab.row import Row
from e2e.scene import admitted, configuration, is_whole, kinds, last, messages, story, trail

WATCHED = {"verification": {"max_windows": 2, "min_invocations": 4, "probe": True}}


@pytest.fixture(scope="module")
def lab() -> Iterator[Lab]:
    with Lab() as running:
        yield running


@pytest.fixture(scope="module")
def probed(lab: Lab) -> dict[str, tuple[Patient, Row]]:
    """One whose repair helps and one that hangs at any timeout, both without traffic since."""
    pages = [{"payload": {"pages": 5}, "count": 4}]
    patients = [
        admitted(lab, "slow-invoice", "probed-invoice", traffic_after_repair=[], policy=WATCHED),
        admitted(
            lab,
            "hang-behind-progress",
            "probed-hang",
            traffic=pages,
            traffic_after_repair=[],
            policy=WATCHED,
        ),
    ]
    declare(lab, patients[0], {"payload": {"invoice": "test", "pages": 3}})
    declare(lab, patients[1], {"payload": {"pages": 5}})
    with ThreadPoolExecutor(len(patients)) as pool:
        rows = list(pool.map(lambda patient: lab.ward.run(patient.name), patients))
    return {patient.name: (patient, row) for patient, row in zip(patients, rows, strict=True)}


def declare(lab: Lab, patient: Patient, probe: object) -> None:
    lab.clients.ssm.put_parameter(
        Name=f"/lambda-auto-repair/dev/probe/{patient.function_name}",
        Value=json.dumps(probe),
        Type="String",
    )


def test_a_probe_that_passes_leaves_the_repair_unverified_and_says_so(
    lab: Lab, probed: dict[str, tuple[Patient, Row]]
) -> None:
    patient, row = probed["probed-invoice"]
    told = trail(lab, patient, row.incident)
    assert row.outcome == "unverified", story(told)
    seen = last(lab, patient, "repair_verified", row.incident)
    assert [probe["outcome"] for probe in seen.data["probes"]] == ["passed", "passed"]
    assert seen.data["after"]["invocations"] == 0, story(told)
    assert seen.summary.endswith("the probe passed")
    assert kinds(lab, patient, row.incident).count("probe_sent") == 2
    assert configuration(lab, patient)["Timeout"] > 2
    assert any(
        "the probe passed" in str(one["message"]) for one in messages(lab, str(row.incident))
    )
    assert is_whole(lab, str(row.incident))


def test_a_probe_that_fails_the_way_the_incident_did_takes_the_repair_back(
    lab: Lab, probed: dict[str, tuple[Patient, Row]]
) -> None:
    patient, row = probed["probed-hang"]
    told = trail(lab, patient, row.incident)
    assert row.outcome == "rolled_back", story(told)
    seen = last(lab, patient, "repair_verified", row.incident)
    assert (seen.data["verdict"], seen.data["after"]["invocations"]) == ("unchanged", 0)
    assert seen.data["probes"][0]["outcome"] == "failed_the_same_way"
    assert kinds(lab, patient, row.incident).count("probe_sent") == 1
