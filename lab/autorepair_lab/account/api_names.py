"""Names of services, operations and parameters, checked against botocore's service models."""

from __future__ import annotations

import functools
from collections.abc import Iterable
from difflib import get_close_matches
from typing import Any

import botocore.session
from botocore.model import ServiceModel

# What people and ARNs call a service that botocore calls otherwise.
_ALSO_CALLED = {
    "cloudwatchlogs": "logs",
    "eventbridge": "events",
    "monitoring": "cloudwatch",
    "sfn": "stepfunctions",
    "states": "stepfunctions",
    "tagging": "resourcegroupstaggingapi",
}
_SHOWN = 3


class UnknownNameError(ValueError):
    """No API has this name; the message says which names are near."""


def check_call(service: str, operation: str, parameters: Iterable[str]) -> None:
    """Check that ``service`` has ``operation``, and that it takes the ``parameters``.

    Raises:
        UnknownNameError: One of the names is in none of botocore's service models.
    """
    if service not in _services():
        near = _near(service, _services(), _ALSO_CALLED.get(service.lower()))
        raise UnknownNameError(f"botocore knows no service {service!r}{near}")
    model = _model(service)
    if operation not in model.operation_names:
        near = _near(operation, model.operation_names, _service_with(operation, service))
        raise UnknownNameError(f"{service} has no operation {operation!r}{near}")
    known = _parameters(model, operation)
    for name in parameters:
        if name not in known:
            near = _near(name, known, None)
            raise UnknownNameError(f"{service}.{operation} takes no parameter {name!r}{near}")


def _near(name: str, known: Iterable[str], certain: str | None) -> str:
    """Suggest what was meant, whatever the spelling; empty when nothing is near."""
    if certain is not None:
        return f": did you mean {certain}?"
    by_key = {_key(one): one for one in known}
    found = get_close_matches(_key(name), by_key, n=_SHOWN)
    return f": did you mean {', '.join(by_key[key] for key in found)}?" if found else ""


def _key(name: str) -> str:
    return "".join(letter for letter in name.lower() if letter.isalnum())


def _service_with(operation: str, service: str) -> str | None:
    """Give the service of the same family that does have the operation (bedrock-runtime)."""
    family = service.partition("-")[0]
    for other in _services():
        if other.startswith(f"{family}-") and operation in _model(other).operation_names:
            return f"{operation} of {other}"
    return None


@functools.cache
def _session() -> Any:  # noqa: ANN401 - botocore is untyped
    return botocore.session.Session()


@functools.cache
def _services() -> tuple[str, ...]:
    return tuple(_session().get_available_services())


@functools.cache
def _model(service: str) -> ServiceModel:
    model: ServiceModel = _session().get_service_model(service)
    return model


def _parameters(model: ServiceModel, operation: str) -> tuple[str, ...]:
    shape = model.operation_model(operation).input_shape
    return () if shape is None else tuple(shape.members)
