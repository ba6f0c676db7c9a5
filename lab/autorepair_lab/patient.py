"""A patient: a deliberately sick function, how it is driven, and how it should end."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Annotated, Any, Literal, Self

from pydantic import (
    BeforeValidator,
    ConfigDict,
    Field,
    JsonValue,
    ValidationError,
    model_validator,
)

from autorepair.domain.audit import RecordKind
from autorepair.domain.change import RepairKind
from autorepair.domain.configuration import MAX_MEMORY_MB, MAX_TIMEOUT_S
from autorepair.domain.diagnosis import RootCause
from autorepair.domain.incident import Outcome
from autorepair.domain.value import Value
from autorepair_lab.interpreter import runtime

PATIENT_FILE = "patient.json"
FUNCTION_PREFIX = "patient-"

# With the prefix it is the name of a function: 64 of these characters at most.
_NAME = re.compile(r"[A-Za-z0-9_-]{1,56}")


class PatientError(Exception):
    """A patient's folder cannot be used; the message says which field of which file."""


def _as_tuple(value: object) -> object:
    return value if isinstance(value, list | tuple) else [value]


def _actions(value: object) -> object:
    return value if value == "any" else _as_tuple(value)


def _causes(value: object) -> object:
    return None if value is None else _as_tuple(value)


class Traffic(Value):
    """One payload, invoked ``count`` times, one call after another."""

    payload: JsonValue
    count: int = Field(default=1, ge=1, le=10_000)


class Release(Value):
    """A release that goes wrong: the code in the folder ``former`` worked, the patient's does not.

    The alias is moved from the version of the one to that of the other, and all traffic goes to
    it: ``traffic`` before the move, the patient's own after it.
    """

    alias: str = Field(pattern=r"^[A-Za-z_-][A-Za-z0-9_-]{0,60}$")
    former: str = "former"
    traffic: tuple[Traffic, ...]


class AlarmWish(Value):
    """The alarm that watches the patient."""

    metric: str = "Errors"
    statistic: Literal["Sum", "Average", "Maximum", "Minimum", "SampleCount"] = "Sum"
    threshold: float = 1


class Range(Value):
    """Bounds for a number, both inclusive."""

    min: float = float("-inf")
    max: float = float("inf")


class AfterWish(Value):
    """What the configuration should look like at the end."""

    timeout_s: Range | None = None
    memory_mb: Range | None = None
    env_has: tuple[str, ...] = ()


class Expectation(Value):
    """How the patient should end; lists mean "any of these"."""

    outcome: Annotated[tuple[Outcome, ...], BeforeValidator(_as_tuple)]
    root_cause: Annotated[tuple[RootCause, ...] | None, BeforeValidator(_causes)] = None
    action: Annotated[tuple[RepairKind | None, ...] | Literal["any"], BeforeValidator(_actions)] = (
        "any"
    )
    after: AfterWish = AfterWish()


class Hand(Value):
    """What a person changes on the function, by hand; what is not named stays as it is."""

    timeout_s: int | None = Field(default=None, ge=1, le=MAX_TIMEOUT_S)
    memory_mb: int | None = Field(default=None, ge=128, le=MAX_MEMORY_MB)
    env: dict[str, str] | None = None
    description: str | None = None

    @model_validator(mode="after")
    def _changes_something(self) -> Self:
        if not self.model_fields_set:
            raise ValueError("name at least one of timeout_s, memory_mb, env, description")
        return self


class Published(Value):
    """How the patient is called: its version 1, by an alias with all of its traffic.

    ``latest`` is what `$LATEST` holds besides, and nobody has released.
    """

    alias: str = Field(pattern=r"^[A-Za-z_-][A-Za-z0-9_-]{0,60}$")
    latest: Hand | None = None


class Meddling(Value):
    """A change by a person, made once, in the moment in which the service records ``at``."""

    at: RecordKind
    set: Hand


class Patient(Value):
    """A patient's folder, read and validated; keys beside those it knows are ignored."""

    model_config = ConfigDict(extra="ignore")

    name: str
    folder: Path
    title: str = ""
    handler: str = "app.handler"
    runtime: str | None = None
    memory_mb: int = Field(default=128, ge=128, le=MAX_MEMORY_MB)
    timeout_s: int = Field(default=3, ge=1, le=MAX_TIMEOUT_S)
    env: dict[str, str] = Field(default_factory=dict)
    tags: dict[str, str] = Field(default_factory=dict)
    known_config: dict[str, dict[str, JsonValue]] = Field(default_factory=dict)
    release: Release | None = None
    published: Published | None = None
    traffic: tuple[Traffic, ...]
    traffic_after_repair: tuple[Traffic, ...] | None = None
    alarm: AlarmWish = AlarmWish()
    at_memory_limit: Literal["kill", "stall"] = "kill"
    approval: Literal["approve", "reject", "none"] | None = None
    meddle: Meddling | None = None
    policy: dict[str, JsonValue] = Field(default_factory=dict)
    bedrock: tuple[dict[str, JsonValue], ...] = ()
    expect: Expectation

    @model_validator(mode="after")
    def _is_called_one_way(self) -> Self:
        if self.release is not None and self.published is not None:
            raise ValueError("name release or published, not both: each makes its own alias")
        return self

    @property
    def function_name(self) -> str:
        """The name of the function that is deployed for this patient."""
        return f"{FUNCTION_PREFIX}{self.name}"

    @property
    def invoked_name(self) -> str:
        """What its traffic goes to: the function, or the alias that is released to."""
        behind = self.release or self.published
        return self.function_name if behind is None else f"{self.function_name}:{behind.alias}"

    @property
    def traffic_after(self) -> tuple[Traffic, ...]:
        """What is driven once a repair has been applied."""
        return self.traffic if self.traffic_after_repair is None else self.traffic_after_repair


def read_patient(folder: Path) -> Patient:
    """Read the patient in ``folder``.

    Raises:
        PatientError: There is no patient.json, it is not JSON, a field is wrong, the code of the
            handler is not there, the folder's name is none for a function, or the patient needs
            a runtime that the lab has not.
    """
    document = _read_document(folder / PATIENT_FILE)
    _require_name(folder.resolve())
    patient = _validated(document, folder)
    _require_runtime(patient, folder / PATIENT_FILE)
    _require_code(patient, folder / PATIENT_FILE)
    return patient


def _read_document(path: Path) -> dict[str, Any]:
    try:
        text = path.read_text(encoding="utf-8")
    except OSError as error:
        raise PatientError(f"{path} cannot be read: {error.strerror or error}") from error
    try:
        document: Any = json.loads(text)
    except json.JSONDecodeError as error:
        raise PatientError(f"{path} is not JSON: {error}") from error
    if not isinstance(document, dict):
        raise PatientError(f"{path}: the file has to hold one JSON object")
    return document


def _validated(document: dict[str, Any], folder: Path) -> Patient:
    try:
        return Patient.model_validate(
            {**document, "name": folder.resolve().name, "folder": folder.resolve()}
        )
    except ValidationError as error:
        faults = "; ".join(
            f"{'.'.join(str(part) for part in e['loc'])}: {e['msg']}"
            for e in error.errors(include_url=False, include_input=False)
        )
        raise PatientError(f"{folder / PATIENT_FILE}: {faults}") from error


def _require_name(folder: Path) -> None:
    if not _NAME.fullmatch(folder.name):
        raise PatientError(
            f"{folder}: the folder's name becomes the name of a function, so it may have up to 56 "
            "of the letters A to Z and a to z, digits, - and _: rename the folder"
        )


def _require_runtime(patient: Patient, path: Path) -> None:
    if patient.runtime is not None and patient.runtime != runtime():
        raise PatientError(
            f"{path}: runtime: the lab cannot run {patient.runtime}, it has {runtime()} only, the "
            "Python it runs on: write the patient for that, or leave runtime out"
        )


def _require_code(patient: Patient, path: Path) -> None:
    if not patient.handler.rpartition(".")[0]:
        raise PatientError(
            f"{path}: handler {patient.handler!r} is not of the form module.function"
        )
    module = patient.handler.rpartition(".")[0].replace(".", "/")
    if not (patient.folder / f"{module}.py").is_file():
        raise PatientError(f"{path}: handler {patient.handler} needs {module}.py beside it")
    former = patient.release.former if patient.release else "."
    if not (patient.folder / former / f"{module}.py").is_file():
        raise PatientError(
            f"{path}: release.former: handler {patient.handler} needs {former}/{module}.py"
        )


def read_patients(folder: Path) -> tuple[Patient, ...]:
    """Read every patient below ``folder``, by name.

    Raises:
        PatientError: ``folder`` holds none, or one of them cannot be used.
    """
    if not folder.is_dir():
        raise PatientError(f"{folder} is not a folder")
    found = sorted(path.parent for path in folder.glob(f"*/{PATIENT_FILE}"))
    if not found:
        raise PatientError(f"{folder} holds no patient: expected {folder}/<name>/{PATIENT_FILE}")
    return tuple(read_patient(path) for path in found)
