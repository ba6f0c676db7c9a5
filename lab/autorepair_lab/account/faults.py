"""Faults on demand: which AWS calls go wrong, when and how, read from a JSON file."""

from __future__ import annotations

import random
import threading
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Self

from pydantic import BaseModel, ConfigDict, Field, TypeAdapter, ValidationError, model_validator

from autorepair_lab.account.api_names import check_call
from autorepair_lab.account.call import Call
from autorepair_lab.account.own_calls import is_own


class FaultsInvalidError(Exception):
    """Raised when a list of faults cannot be read; says which entry, which field and why."""


class Effect(BaseModel):
    """What happens to a call that a fault hits; exactly one kind."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    error: str | None = Field(default=None, min_length=1)
    status: int | None = Field(default=None, ge=300, le=599)
    delay_s: float | None = Field(default=None, gt=0, le=900)
    drop_response: bool = False
    kill_function: bool = False

    @model_validator(mode="after")
    def _exactly_one_kind(self) -> Self:
        chosen = [
            self.error is not None or self.status is not None,
            self.delay_s is not None,
            self.drop_response,
            self.kill_function,
        ]
        if sum(chosen) != 1:
            raise ValueError(
                "needs exactly one of error (with an optional status), status, delay_s, "
                "drop_response: true, kill_function: true"
            )
        return self


class Fault(BaseModel):
    """One fault: hits calls of an operation, all of them or the chosen ones.

    ``nth`` counts the matching calls from 1; ``rate`` is a probability drawn from ``seed``.
    """

    model_config = ConfigDict(frozen=True, extra="forbid", populate_by_name=True)

    service: str = Field(min_length=1)
    operation: str = Field(min_length=1)
    match: dict[str, Any] = Field(default_factory=dict)
    nth: tuple[int, ...] | None = None
    rate: float | None = Field(default=None, gt=0, le=1)
    seed: int = 0
    effect: Effect = Field(alias="do")

    @model_validator(mode="after")
    def _chosen_one_way(self) -> Self:
        if self.nth is not None and self.rate is not None:
            raise ValueError("takes nth or rate, not both")
        if self.nth is not None and (not self.nth or min(self.nth) < 1):
            raise ValueError("nth counts matching calls from 1")
        return self

    @model_validator(mode="after")
    def _names_a_call(self) -> Self:
        check_call(self.service, self.operation, self.match)
        return self


def parse_faults(text: str, source: str = "faults") -> tuple[Fault, ...]:
    """Faults from JSON text. Raises FaultsInvalidError that names ``source`` and each mistake."""
    try:
        return tuple(TypeAdapter(list[Fault]).validate_json(text))
    except ValidationError as error:
        mistakes = "; ".join(
            f"{'.'.join(str(part) for part in one['loc']) or 'file'}: {_reason(one['msg'])}"
            for one in error.errors()
        )
        raise FaultsInvalidError(
            f"{source}: {mistakes}. docs/lab.md says what a fault may be."
        ) from error


def _reason(message: str) -> str:
    return message.removeprefix("Value error, ")


def load_faults(path: Path) -> tuple[Fault, ...]:
    """Faults from a file. Raises FaultsInvalidError, also when it cannot be read."""
    try:
        text = path.read_text(encoding="utf-8")
    except OSError as error:
        raise FaultsInvalidError(f"{path}: cannot be read: {error.strerror}") from error
    return parse_faults(text, str(path))


class FaultPlan:
    """Decides, call by call, which fault strikes; safe to ask from several threads."""

    def __init__(self, faults: Sequence[Fault]) -> None:
        self._faults = [_Armed(fault) for fault in faults]
        self._lock = threading.Lock()

    def strike(self, call: Call) -> tuple[Effect, ...]:
        """The effects for this call, in the order of the list.

        What the lab sets up and watches with is spared, or a fault meant for the service would be
        used up by it; the traffic that it drives is not.
        """
        if not self._faults or call.internal or (is_own(call) and call.operation != "Invoke"):
            return ()
        with self._lock:
            return tuple(armed.fault.effect for armed in self._faults if armed.hits(call))


class _Armed:
    def __init__(self, fault: Fault) -> None:
        self.fault = fault
        self._seen = 0
        # Reproducible draws are the point; nothing here is a secret.
        self._random = random.Random(fault.seed)  # noqa: S311 - not cryptography

    def hits(self, call: Call) -> bool:
        fault = self.fault
        if (call.service, call.operation) != (fault.service, fault.operation):
            return False
        if not all(_equal(call.parameters.get(key), want) for key, want in fault.match.items()):
            return False
        self._seen += 1
        if fault.nth is not None:
            return self._seen in fault.nth
        return fault.rate is None or self._random.random() < fault.rate


def _equal(actual: object, wanted: object) -> bool:
    if actual == wanted:
        return True
    # A function may be named by its ARN in the call and by its name in the fault.
    return (
        isinstance(actual, str)
        and isinstance(wanted, str)
        and actual.startswith("arn:")
        and wanted in actual.split(":")[6:7]
    )
