"""What became of a patient: the row of the result file, and whether it is as expected."""

from __future__ import annotations

from pydantic import Field

from autorepair.domain.change import RepairKind
from autorepair.domain.incident import Outcome
from autorepair.domain.value import Value
from autorepair_lab.patient import AfterWish, Patient, Range


class Reading(Value):
    """A patient's configuration as the account gives it: seconds, megabytes, names only."""

    timeout_s: int
    memory_mb: int
    env: tuple[str, ...]


class Row(Value):
    """One patient in the result file; ``outcome`` is None while its incident is open."""

    patient: str
    incident: str | None = None
    root_cause: str | None = None
    confidence: float | None = None
    action: RepairKind | None = None
    decision: str | None = None
    outcome: Outcome | None = None
    before: Reading | None = None
    after: Reading | None = None
    failed_before: int | None = None
    failed_after: int | None = None
    invoked_before: int | None = None
    invoked_after: int | None = None
    seconds: float = 0.0
    trouble: str | None = Field(default=None, exclude=True)
    """Why the lab could not follow the patient to its end; not part of the result file."""


def faults_of(row: Row, patient: Patient) -> tuple[str, ...]:
    """Say in what the row differs from what the patient expects; empty when in nothing."""
    wish = patient.expect
    faults: list[str] = [] if row.trouble is None else [row.trouble]
    if row.outcome not in wish.outcome:
        faults.append(f"outcome is {row.outcome or 'none'}, expected {_any_of(wish.outcome)}")
    if wish.root_cause is not None and row.root_cause not in wish.root_cause:
        faults.append(f"root cause is {row.root_cause}, expected {_any_of(wish.root_cause)}")
    if wish.action != "any" and row.action not in wish.action:
        faults.append(f"action is {row.action or 'none'}, expected {_any_of(wish.action)}")
    faults += _faults_of_configuration(row.after, wish.after)
    faults += _faults_of_traffic(row)
    return tuple(faults)


def _any_of(wanted: tuple[object, ...]) -> str:
    return " or ".join("none" if item is None else str(item) for item in wanted)


def _faults_of_configuration(after: Reading | None, wish: AfterWish) -> list[str]:
    if after is None:
        return ["the configuration at the end is not known"]
    faults = [
        f"{name} is {value}, expected {bounds.min:g} to {bounds.max:g}"
        for name, value, bounds in (
            ("timeout_s", after.timeout_s, wish.timeout_s),
            ("memory_mb", after.memory_mb, wish.memory_mb),
        )
        if bounds is not None and not _within(value, bounds)
    ]
    missing = [name for name in wish.env_has if name not in after.env]
    return [*faults, *([f"variables are missing: {', '.join(missing)}"] if missing else [])]


def _within(value: float, bounds: Range) -> bool:
    return bounds.min <= value <= bounds.max


def _faults_of_traffic(row: Row) -> list[str]:
    """`repaired` is checked on the function itself, whatever the service says."""
    if row.outcome is not Outcome.REPAIRED:
        return []
    faults = []
    if not row.failed_before:
        faults.append("repaired, but no invocation failed before")
    if not row.invoked_after:
        faults.append("repaired, but nothing was invoked after")
    elif row.failed_after:
        faults.append(f"repaired, but {row.failed_after} of {row.invoked_after} failed after")
    return faults
