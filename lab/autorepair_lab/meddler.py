"""A person who changes a patient by hand, in a moment that can be told to the record."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from autorepair_lab.account.call import Call
from autorepair_lab.patient import Hand, Patient

if TYPE_CHECKING:
    from autorepair_lab.clients import Clients

SETTLE_S = 60.0
_POLL_S = 0.05


class Meddler:
    """Observer of the account: makes the change while the service waits for its record to be put.

    So whatever the service does next finds a function that was changed.
    """

    def __init__(
        self, clients: Clients, *, audit_table: str, tell: Callable[[str, str], None]
    ) -> None:
        self._clients = clients
        self._audit_table = audit_table
        self._tell = tell
        self._waiting: dict[tuple[str, str], Patient] = {}
        self._lock = threading.Lock()

    def expect(self, patient: Patient) -> None:
        """Make the patient's change when its moment comes, once."""
        if patient.meddle is not None:
            with self._lock:
                self._waiting[patient.function_name, patient.meddle.at.value] = patient

    def observe(self, call: Call) -> None:
        """Make a change if the call puts the record that one waits for."""
        if (call.service, call.operation) != ("dynamodb", "PutItem"):
            return
        if call.parameters.get("TableName") != self._audit_table:
            return
        item = call.parameters["Item"]
        with self._lock:
            patient = self._waiting.pop((_text(item, "function_name"), _text(item, "kind")), None)
        if patient is not None and patient.meddle is not None:
            self._change(patient.function_name, patient.meddle.set)
            self._tell(patient.name, f"a person changes it by hand: {_told(patient.meddle.set)}")

    def _change(self, name: str, hand: Hand) -> None:
        given: dict[str, Any] = {
            "Timeout": hand.timeout_s,
            "MemorySize": hand.memory_mb,
            "Description": hand.description,
        }
        if hand.env is not None:
            found = self._clients.lambda_.get_function_configuration(FunctionName=name)
            merged = {**found.get("Environment", {}).get("Variables", {}), **hand.env}
            given["Environment"] = {"Variables": merged}
        self._clients.lambda_.update_function_configuration(
            FunctionName=name, **{key: value for key, value in given.items() if value is not None}
        )
        self._wait_until_settled(name)

    def _wait_until_settled(self, name: str) -> None:
        deadline = time.monotonic() + SETTLE_S
        while time.monotonic() < deadline:
            found = self._clients.lambda_.get_function_configuration(FunctionName=name)
            if found["LastUpdateStatus"] != "InProgress":
                return
            time.sleep(_POLL_S)


def _text(item: dict[str, Any], name: str) -> str:
    return str(item.get(name, {}).get("S", ""))


def _told(hand: Hand) -> str:
    plain = {
        "timeout": None if hand.timeout_s is None else f"{hand.timeout_s} s",
        "memory": None if hand.memory_mb is None else f"{hand.memory_mb} MB",
        "variables": None if hand.env is None else ", ".join(sorted(hand.env)),
        "description": hand.description,
    }
    return "; ".join(f"{what} {value}" for what, value in plain.items() if value is not None)
