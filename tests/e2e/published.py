"""A patient that is called by an alias: what of it stands where, and who changes that beside us."""

from __future__ import annotations

import threading
from collections.abc import Callable
from typing import Any

from autorepair_lab.account.call import Call
from autorepair_lab.lab import Lab
from autorepair_lab.patient import Patient

BEHIND_ALIAS = "slow-behind-alias"
ORIGINAL_S = 1
DIVIDED = {"RoutingConfig": {"AdditionalVersionWeights": {"1": 0.5}}}


def alias_of(lab: Lab, patient: Patient, name: str = "live") -> dict[str, Any]:
    return dict(lab.clients.lambda_.get_alias(FunctionName=patient.function_name, Name=name))


def setting(lab: Lab, patient: Patient, qualifier: str = "$LATEST") -> dict[str, Any]:
    return dict(
        lab.clients.lambda_.get_function_configuration(
            FunctionName=patient.function_name, Qualifier=qualifier
        )
    )


def versions(lab: Lab, patient: Patient) -> list[str]:
    found = lab.clients.lambda_.list_versions_by_function(FunctionName=patient.function_name)
    return [one["Version"] for one in found["Versions"]][1:]


def move_alias(lab: Lab, patient: Patient, **to: Any) -> None:  # noqa: ANN401 - UpdateAlias's parameters
    lab.clients.lambda_.update_alias(FunctionName=patient.function_name, Name="live", **to)


def edit_latest(lab: Lab, patient: Patient, **to: Any) -> None:  # noqa: ANN401 - of UpdateFunctionConfiguration
    """Change `$LATEST` once it has settled, and wait until it has again."""
    settle(lab, patient)
    lab.clients.lambda_.update_function_configuration(FunctionName=patient.function_name, **to)
    settle(lab, patient)


def settle(lab: Lab, patient: Patient) -> None:
    lab.clients.lambda_.get_waiter("function_updated_v2").wait(
        FunctionName=patient.function_name, WaiterConfig={"Delay": 1, "MaxAttempts": 30}
    )


class Person:
    """Does something, once, in the moment in which the service records what of the patient."""

    def __init__(self, lab: Lab, patient: Patient, kind: str, act: Callable[[], object]) -> None:
        self._wanted = (patient.function_name, kind)
        self._act = act
        self.has_acted = threading.Event()
        lab.account.add_observer(self)

    def observe(self, call: Call) -> None:
        item = call.parameters.get("Item", {}) if call.operation == "PutItem" else {}
        told = (item.get("function_name", {}).get("S"), item.get("kind", {}).get("S"))
        if told == self._wanted and not self.has_acted.is_set():
            self.has_acted.set()
            self._act()
