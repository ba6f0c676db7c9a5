"""Runs patients: breaks them for real, lets the alarm loose, drives traffic after the repair."""

from __future__ import annotations

import json
import threading
import time
from collections import defaultdict
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING, Protocol

from autorepair.domain.change import RepairKind
from autorepair.domain.incident import Outcome
from autorepair_lab.account.invocation_record import InvocationRecord
from autorepair_lab.admission import Admission
from autorepair_lab.patient import Patient, Traffic
from autorepair_lab.row import Row
from autorepair_lab.trail import Record, Trail

if TYPE_CHECKING:
    from autorepair_lab.clients import Clients

PATIENCE_S = 900.0
"""How long an incident may take before its row is left without an outcome."""

MAX_AT_ONCE = 12
"""Patients that are run side by side; more would slow one another down enough to be misjudged."""

_LAST_WORDS = frozenset({"incident_closed", "alarm_ignored"})

Progress = Callable[[str, str], None]
"""Is told (patient, what happened), from the thread that runs the patient."""


class PatientBusyError(Exception):
    """The patient cannot be broken now; the message says why, and how to go on."""


class Attendant(Protocol):
    """Has something to do for certain patients while they are run."""

    def expect(self, patient: Patient) -> None:
        """Take note of a patient before it is deployed."""
        ...


class Ward:
    """The patients of one lab."""

    def __init__(  # noqa: PLR0913 - each is named where it is given
        self,
        clients: Clients,
        admission: Admission,
        trail: Trail,
        *,
        invocations: Callable[[str], Sequence[InvocationRecord]],
        attend: Sequence[Attendant] = (),
        progress: Progress = lambda _patient, _what: None,
    ) -> None:
        self._clients = clients
        self._admission = admission
        self._trail = trail
        self._invocations = invocations
        self._attendants = tuple(attend)
        self._progress = progress
        self._is_over = threading.Event()
        self._rows: dict[str, Row] = {}
        self._patients: dict[str, Patient] = {}
        self._broken: set[str] = set()
        self._running: set[str] = set()
        self._first: dict[str, int] = defaultdict(int)
        self._told: dict[str, int] = defaultdict(int)
        self._lock = threading.Lock()
        self._pool = ThreadPoolExecutor(MAX_AT_ONCE, thread_name_prefix="patient")

    def admit(self, patient: Patient) -> str:
        """Deploy a patient; gives its function's name."""
        for attendant in self._attendants:
            attendant.expect(patient)
        name = self._admission.admit(patient)
        with self._lock:
            self._patients[patient.name] = patient
            self._rows[patient.name] = Row(patient=patient.name)
        return name

    def patient_of(self, function_name: str) -> Patient | None:
        """Give the patient whose function this is, if it is one's."""
        with self._lock:
            found = (p for p in self._patients.values() if p.function_name == function_name)
            return next(found, None)

    def knows(self, name: str) -> bool:
        """Whether the patient has been admitted."""
        with self._lock:
            return name in self._patients

    def row(self, name: str) -> Row:
        """Give the patient's row as it stands."""
        with self._lock:
            return self._rows[name]

    def break_in_background(self, name: str) -> None:
        """Break the patient and follow it, on a thread of its own.

        Raises:
            PatientBusyError: It is being run, or its incident is open.
        """
        self._begin(name)
        self._pool.submit(self._run, name)

    def close(self) -> None:
        """Take no more patients, and leave those that run where they are."""
        self._is_over.set()
        self._pool.shutdown(wait=False, cancel_futures=True)

    def run(self, name: str) -> Row:
        """Break the patient, raise its alarm, follow it to the end; gives the finished row.

        Whatever goes wrong on the way stands in the row: one patient is no reason to lose others.
        A patient may be run again once its incident has ended; its row begins anew.

        Raises:
            PatientBusyError: It is being run, or its incident is open.
        """
        self._begin(name)
        return self._run(name)

    def _begin(self, name: str) -> None:
        with self._lock:
            row, patient = self._rows[name], self._patients[name]
            records = self._trail.of(patient.function_name)
            if name in self._running or _is_open(row.incident, records):
                incident = f"incident {row.incident}" if row.incident else "its incident"
                raise PatientBusyError(
                    f"{name} has been broken already and {incident} has not ended: follow it at "
                    f"/_lab/patients/{name}, and break it again after that"
                )
            self._running.add(name)
            self._rows[name] = Row(patient=name)
            self._first[name] = self._told[name] = len(records)

    def _run(self, name: str) -> Row:
        patient = self._patients[name]
        began = time.monotonic()
        try:
            if name in self._broken:
                self._admission.rest_alarm(patient)
            self._broken.add(name)
            self._note(name, before=self._admission.read(patient.function_name))
            self._break(patient)
            self._follow(patient)
            self._note(name, after=self._admission.read(patient.function_name))
        except Exception as error:  # noqa: BLE001 - shown to the person, in the row
            if not self._is_over.is_set():
                trouble = f"the lab lost this patient: {type(error).__name__}: {error}"
                self._note(name, trouble=trouble)
                self._progress(name, trouble)
        row = self._note(name, seconds=round(time.monotonic() - began, 1))
        with self._lock:
            self._running.discard(name)
        return row

    def _break(self, patient: Patient) -> None:
        if patient.release is not None:
            self._drive(patient, patient.release.traffic)
            self._admission.release(patient)
            self._progress(patient.name, f"released: {patient.invoked_name} was moved")
        failed, invoked = self._drive(patient, patient.traffic)
        self._note(patient.name, failed_before=failed, invoked_before=invoked)
        if self._is_over.is_set():
            return
        self._progress(patient.name, f"{failed} of {invoked} invocations failed; alarm raised")
        self._admission.raise_alarm(patient)

    def _follow(self, patient: Patient) -> None:
        deadline = time.monotonic() + PATIENCE_S
        answered = 0
        while (left := deadline - time.monotonic()) > 0 and not self._is_over.is_set():
            told = self._told[patient.name]
            self._trail.wait(patient.function_name, _longer_than(told), min(left, 1.0))
            applied = self._tell_news(patient)
            if self.row(patient.name).outcome is not None:
                return
            if applied > answered:
                answered = applied
                self._drive_after(patient, applied)
        if not self._is_over.is_set():
            self._progress(patient.name, f"no end after {PATIENCE_S:.0f} s")

    def _drive_after(self, patient: Patient, repairs: int) -> None:
        """Drive traffic on the repaired function until it is through or the next repair comes."""
        failed, invoked = self._drive(
            patient, patient.traffic_after, lambda: self._tell_news(patient) > repairs
        )
        self._note(patient.name, failed_after=failed, invoked_after=invoked)
        self._progress(patient.name, f"{failed} of {invoked} invocations failed after the repair")

    def _tell_news(self, patient: Patient) -> int:
        """Tell what has been recorded since the last time; gives the repairs of this run."""
        records = self._trail.of(patient.function_name)
        for record in records[self._told[patient.name] :]:
            self._tell(patient, record)
        self._told[patient.name] = len(records)
        return sum(
            record.kind == "repair_applied" for record in records[self._first[patient.name] :]
        )

    def _drive(
        self,
        patient: Patient,
        traffic: tuple[Traffic, ...],
        is_over: Callable[[], bool] = lambda: False,
    ) -> tuple[int, int]:
        """Invoke one call after another; gives (failed, invoked) by the runtime's record."""
        earlier = len(self._invocations(patient.function_name))
        for item in traffic:
            payload = json.dumps(item.payload).encode()
            for _ in range(item.count):
                if self._is_over.is_set() or is_over():
                    break
                self._clients.lambda_.invoke(FunctionName=patient.invoked_name, Payload=payload)
        fresh = self._invocations(patient.function_name)[earlier:]
        return sum(one.is_failure for one in fresh), len(fresh)

    def _tell(self, patient: Patient, record: Record) -> None:
        self._progress(patient.name, record.summary)
        data = record.data
        if record.kind == "incident_opened":
            self._note(patient.name, incident=record.incident_id)
        elif record.kind == "alarm_ignored":
            # An alarm that is ignored beside an open incident says nothing about that.
            if self.row(patient.name).incident is None:
                self._note(patient.name, incident=record.incident_id, outcome=Outcome.IGNORED)
        elif record.kind == "diagnosis_made":
            self._note(patient.name, root_cause=data["root_cause"], confidence=data["confidence"])
        elif record.kind == "action_decided":
            self._note(patient.name, decision=data["action"])
        elif record.kind == "repair_applied":
            self._note(patient.name, action=RepairKind(data["change"]["after"]["kind"]))
        elif record.kind == "incident_closed":
            self._note(patient.name, outcome=Outcome(data["outcome"]))

    def _note(self, name: str, **fields: object) -> Row:
        with self._lock:
            self._rows[name] = self._rows[name].model_copy(update=fields)
            return self._rows[name]


def _is_open(incident: str | None, records: Sequence[Record]) -> bool:
    closed = {record.incident_id for record in records if record.kind in _LAST_WORDS}
    return incident is not None and incident not in closed


def _longer_than(count: int) -> Callable[[tuple[Record, ...]], bool]:
    return lambda records: len(records) > count
