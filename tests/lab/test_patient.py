"""Patients are read strictly, and judged by what was seen of them."""

from __future__ import annotations

import io
import json
import zipfile
from pathlib import Path
from typing import Any

import pytest

from autorepair.domain.change import RepairKind
from autorepair.domain.incident import Outcome
from autorepair_lab.admission import zipped
from autorepair_lab.interpreter import runtime
from autorepair_lab.patient import Patient, PatientError, read_patient, read_patients
from autorepair_lab.row import Reading, Row, faults_of

DESCRIPTION: dict[str, Any] = {
    "title": "Slow",
    "traffic": [{"payload": {}, "count": 2}],
    "expect": {
        "outcome": "repaired",
        "root_cause": ["timeout_too_low", "unknown"],
        "action": "set_timeout",
        "after": {"timeout_s": {"min": 4, "max": 12}, "env_has": ["NAME"]},
    },
}


def make_patient(folder: Path, **over: object) -> Path:
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "app.py").write_text("def handler(event, context): ...\n")
    (folder / "patient.json").write_text(json.dumps({**DESCRIPTION, **over}))
    return folder


def good_row(**over: object) -> Row:
    row = Row(
        patient="slow",
        root_cause="timeout_too_low",
        action=RepairKind.SET_TIMEOUT,
        outcome=Outcome.REPAIRED,
        before=Reading(timeout_s=3, memory_mb=128, env=("NAME",)),
        after=Reading(timeout_s=6, memory_mb=128, env=("NAME",)),
        failed_before=2,
        invoked_before=2,
        failed_after=0,
        invoked_after=2,
    )
    return row.model_copy(update=over)


def test_a_patient_takes_its_name_from_its_folder(tmp_path: Path) -> None:
    patient = read_patient(make_patient(tmp_path / "slow"))
    assert (patient.name, patient.function_name) == ("slow", "patient-slow")


def test_a_patient_needs_little_more_than_traffic_and_an_expectation(tmp_path: Path) -> None:
    patient = read_patient(make_patient(tmp_path / "slow"))
    assert (patient.memory_mb, patient.timeout_s, patient.handler) == (128, 3, "app.handler")
    assert patient.traffic_after == patient.traffic


def test_a_key_that_is_not_known_does_no_harm(tmp_path: Path) -> None:
    assert read_patient(make_patient(tmp_path / "slow", comment="for people")).title == "Slow"


def test_an_action_of_null_means_that_none_may_be_tried(tmp_path: Path) -> None:
    expect = {"outcome": ["escalated"], "root_cause": None, "action": None}
    patient = read_patient(make_patient(tmp_path / "slow", expect=expect))
    assert patient.expect.action == (None,)
    assert patient.expect.root_cause is None


@pytest.mark.parametrize(
    ("over", "said"),
    [
        ({"traffic": None}, "traffic"),
        ({"memory_mb": 64}, "memory_mb"),
        ({"expect": {"outcome": "healed"}}, "expect.outcome"),
        ({"handler": "other.handler"}, "other.py"),
        ({"handler": "handler"}, "of the form module.function"),
        ({"runtime": "nodejs22.x"}, r"cannot run nodejs22\.x, it has python3\.\d+ only"),
        ({"runtime": "python2.7"}, r"cannot run python2\.7"),
    ],
)
def test_a_wrong_field_is_named(tmp_path: Path, over: dict[str, object], said: str) -> None:
    with pytest.raises(PatientError, match=said):
        read_patient(make_patient(tmp_path / "slow", **over))


def test_a_patient_may_name_the_runtime_that_the_lab_has(tmp_path: Path) -> None:
    assert read_patient(make_patient(tmp_path / "slow", runtime=runtime())).runtime == runtime()


@pytest.mark.parametrize("name", ["two words", "größe", "a.b", "a:b", "x" * 57])
def test_a_folder_whose_name_cannot_name_a_function_is_refused(tmp_path: Path, name: str) -> None:
    with pytest.raises(PatientError, match=r"name becomes the name of a function.*rename"):
        read_patient(make_patient(tmp_path / name))


def test_the_longest_name_of_a_folder_gives_the_longest_name_of_a_function(tmp_path: Path) -> None:
    assert len(read_patient(make_patient(tmp_path / ("x" * 56))).function_name) == 64


def test_a_file_that_is_not_json_is_named(tmp_path: Path) -> None:
    folder = make_patient(tmp_path / "slow")
    (folder / "patient.json").write_text("{")
    with pytest.raises(PatientError, match=r"patient\.json is not JSON"):
        read_patient(folder)


def test_a_folder_without_patients_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(PatientError, match="holds no patient"):
        read_patients(tmp_path)


def test_other_files_beside_patients_are_ignored(tmp_path: Path) -> None:
    make_patient(tmp_path / "slow")
    (tmp_path / "notes").mkdir()
    (tmp_path / "README.txt").write_text("not a patient")
    assert [patient.name for patient in read_patients(tmp_path)] == ["slow"]


def test_the_code_is_packed_without_its_description_and_always_alike(tmp_path: Path) -> None:
    folder = make_patient(tmp_path / "slow")
    (folder / "__pycache__").mkdir()
    (folder / "__pycache__" / "app.pyc").write_bytes(b"")
    packed = zipped(folder)
    assert zipfile.ZipFile(io.BytesIO(packed)).namelist() == ["app.py"]
    assert zipped(folder) == packed


@pytest.fixture
def patient(tmp_path: Path) -> Patient:
    return read_patient(make_patient(tmp_path / "slow"))


def test_a_row_as_expected_has_no_faults(patient: Patient) -> None:
    assert faults_of(good_row(), patient) == ()


@pytest.mark.parametrize(
    ("over", "said"),
    [
        ({"outcome": Outcome.ESCALATED}, "outcome is escalated, expected repaired"),
        ({"outcome": None}, "outcome is none"),
        ({"root_cause": "code_bug"}, "root cause is code_bug"),
        ({"action": None}, "action is none, expected set_timeout"),
        ({"after": Reading(timeout_s=3, memory_mb=128, env=("NAME",))}, "timeout_s is 3"),
        ({"after": Reading(timeout_s=6, memory_mb=128, env=())}, "missing: NAME"),
        ({"after": None}, "not known"),
        ({"failed_before": 0}, "no invocation failed before"),
        ({"invoked_after": 0}, "nothing was invoked after"),
        ({"failed_after": 1}, "1 of 2 failed after"),
    ],
)
def test_every_difference_is_said(patient: Patient, over: dict[str, object], said: str) -> None:
    faults = faults_of(good_row(**over), patient)
    assert len([fault for fault in faults if said in fault]) == 1


RELEASE = {"alias": "live", "traffic": [{"payload": {}, "count": 2}]}


def test_the_traffic_of_a_released_patient_goes_to_its_alias(tmp_path: Path) -> None:
    make_patient(tmp_path / "slow" / "former")
    patient = read_patient(make_patient(tmp_path / "slow", release=RELEASE))
    assert patient.invoked_name == "patient-slow:live"
    assert read_patient(make_patient(tmp_path / "plain")).invoked_name == "patient-plain"


def test_a_release_without_the_code_before_it_is_told(tmp_path: Path) -> None:
    with pytest.raises(PatientError, match=r"needs former/app.py"):
        read_patient(make_patient(tmp_path / "slow", release=RELEASE))


def test_an_alias_that_lambda_would_not_take_is_told(tmp_path: Path) -> None:
    with pytest.raises(PatientError, match=r"release\.alias"):
        read_patient(make_patient(tmp_path / "slow", release={**RELEASE, "alias": "a b"}))
