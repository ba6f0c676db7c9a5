"""The limits of Lambda that moto does not hold: sizes, names, revisions, updates in progress."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping
from typing import Any

from botocore.session import get_session

from autorepair_lab.account.call import CallRefusedError
from autorepair_lab.account.lambda_store import Function, Version

ENVIRONMENT_LIMIT_BYTES = 4096
_MEMORY_MB = (128, 10_240)
_EPHEMERAL_MB = (512, 10_240)
_TIMEOUT_S = (1, 900)
RESERVED_NAMES = frozenset(
    {
        "_HANDLER",
        "_X_AMZN_TRACE_ID",
        "AWS_ACCESS_KEY",
        "AWS_ACCESS_KEY_ID",
        "AWS_DEFAULT_REGION",
        "AWS_EXECUTION_ENV",
        "AWS_LAMBDA_FUNCTION_MEMORY_SIZE",
        "AWS_LAMBDA_FUNCTION_NAME",
        "AWS_LAMBDA_FUNCTION_VERSION",
        "AWS_LAMBDA_INITIALIZATION_TYPE",
        "AWS_LAMBDA_LOG_GROUP_NAME",
        "AWS_LAMBDA_LOG_STREAM_NAME",
        "AWS_LAMBDA_METADATA_API",
        "AWS_LAMBDA_METADATA_TOKEN",
        "AWS_LAMBDA_RUNTIME_API",
        "AWS_REGION",
        "AWS_SECRET_ACCESS_KEY",
        "AWS_SESSION_TOKEN",
        "LAMBDA_RUNTIME_DIR",
        "LAMBDA_TASK_ROOT",
    }
)
# AWS wants two characters at least; the lab takes one, for patients are written with short names.
_PATTERNS = {"EnvironmentVariableName": "[a-zA-Z]([a-zA-Z0-9_])*"}
_INVALID = "InvalidParameterValueException"


def check_model(operation: str, parameters: Mapping[str, Any]) -> None:
    """Hold a request to botocore's model of Lambda, on the server's side as AWS does.

    Raises CallRefusedError (ValidationException) in AWS's words.
    """
    shape = _MODEL.operation_model(operation).input_shape
    mistakes = [] if shape is None else list(_violations(shape, parameters, ""))
    if mistakes:
        plural = "" if len(mistakes) == 1 else "s"
        raise CallRefusedError(
            "ValidationException",
            f"{len(mistakes)} validation error{plural} detected: {'; '.join(mistakes)}",
        )


# Untyped: botocore ships no types for its model classes.
_MODEL: Any = get_session().get_service_model("lambda")


def _violations(shape: Any, value: Any, path: str) -> Iterator[str]:  # noqa: ANN401 - botocore
    if shape.type_name == "structure":
        yield from _structure_violations(shape, value, path)
    elif shape.type_name == "map":
        for key, item in value.items():
            yield from _violations(shape.key, key, path)
            yield from _violations(shape.value, item, f"{path}.{key}")
    elif shape.type_name == "list":
        yield from _range_violations(shape, len(value), value, path, "length ")
        for index, item in enumerate(value):
            yield from _violations(shape.member, item, f"{path}.{index + 1}.member")
    elif shape.type_name in {"integer", "long"}:
        yield from _range_violations(shape, value, value, path, "value ")
    elif shape.type_name == "string":
        yield from _text_violations(shape, value, path)


def _structure_violations(shape: Any, value: Any, path: str) -> Iterator[str]:  # noqa: ANN401 - botocore
    for name in shape.required_members:
        if name not in value:
            yield _violation("null", f"{path}.{name}", "Member must not be null")
    for name, member in shape.members.items():
        if name in value:
            yield from _violations(member, value[name], f"{path}.{name}")


def _text_violations(shape: Any, value: str, path: str) -> Iterator[str]:  # noqa: ANN401 - botocore
    if shape.enum and value not in shape.enum:
        allowed = ", ".join(shape.enum)
        yield _violation(value, path, f"Member must satisfy enum value set: [{allowed}]")
        return
    yield from _range_violations(shape, len(value), value, path, "length ")
    pattern = _PATTERNS.get(shape.name) or shape.metadata.get("pattern")
    if pattern and not _fits(pattern, value):
        rule = f"Member must satisfy regular expression pattern: {pattern}"
        yield _violation(value, path, rule)


def _fits(pattern: str, value: str) -> bool:
    try:
        return re.fullmatch(pattern, value) is not None
    except re.error:  # a pattern of Java's that Python does not speak
        return True


def _range_violations(
    shape: Any,  # noqa: ANN401 - botocore
    size: int,
    value: object,
    path: str,
    kind: str,
) -> Iterator[str]:
    least, most = shape.metadata.get("min"), shape.metadata.get("max")
    if least is not None and size < least:
        rule = f"Member must have {kind}greater than or equal to {least}"
        yield _violation(value, path, rule)
    if most is not None and size > most:
        rule = f"Member must have {kind}less than or equal to {most}"
        yield _violation(value, path, rule)


def _violation(value: object, path: str, rule: str) -> str:
    where = ".".join(part[:1].lower() + part[1:] for part in path.strip(".").split("."))
    return f"Value '{value}' at '{where}' failed to satisfy constraint: {rule}"


def check_settings(parameters: Mapping[str, Any]) -> None:
    """Hold the settings of a classic function to Lambda's limits.

    Raises CallRefusedError with InvalidParameterValueException.
    """
    ephemeral = parameters.get("EphemeralStorage") or {}
    _check_range("MemorySize", parameters.get("MemorySize"), _MEMORY_MB)
    _check_range("Timeout", parameters.get("Timeout"), _TIMEOUT_S)
    _check_range("EphemeralStorage.Size", ephemeral.get("Size"), _EPHEMERAL_MB)
    environment = parameters.get("Environment") or {}
    _check_environment(environment.get("Variables") or {})


def _check_range(name: str, value: int | None, limits: tuple[int, int]) -> None:
    if value is None or limits[0] <= value <= limits[1]:
        return
    bound = "greater than or equal to" if value < limits[0] else "less than or equal to"
    limit = limits[0] if value < limits[0] else limits[1]
    raise CallRefusedError(
        _INVALID,
        f"'{name}' value failed to satisfy constraint: Member must have value {bound} {limit}",
        Type="User",
    )


def _check_environment(variables: Mapping[str, str]) -> None:
    start = "Lambda was unable to configure your environment variables because the environment"
    reserved = sorted(RESERVED_NAMES & variables.keys())
    if reserved:
        raise CallRefusedError(
            _INVALID,
            f"{start} variables you have provided contains reserved keys that are currently not "
            f"supported for modification. Reserved keys used in this request: "
            f"{', '.join(reserved)}",
            Type="User",
        )
    size = len(json.dumps(dict(variables), separators=(",", ":"), ensure_ascii=False).encode())
    if size > ENVIRONMENT_LIMIT_BYTES:
        raise CallRefusedError(
            _INVALID,
            f"{start} variables you have provided exceeded the 4KB limit. "
            f"String measured: {size} bytes",
            Type="User",
        )


def check_writable(function: Function, revision: str | None) -> None:
    """Refuse a write that comes too early or with a stale revision.

    Raises CallRefusedError with ResourceConflictException or PreconditionFailedException.
    """
    if function.latest.settles_at is not None:
        raise CallRefusedError(
            "ResourceConflictException",
            "The operation cannot be performed at this time. An update is in progress for "
            f"resource: {function.arn}",
            409,
            Type="User",
        )
    check_revision(function.latest, revision)


def check_revision(version: Version, revision: str | None) -> None:
    """Refuse a stale revision. Raises CallRefusedError with PreconditionFailedException."""
    if revision is not None and revision != version.config["RevisionId"]:
        raise stale_revision()


def stale_revision() -> CallRefusedError:
    """The refusal for any RevisionId that is not the latest."""
    return CallRefusedError(
        "PreconditionFailedException",
        "The Revision Id provided does not match the latest Revision Id. Call the "
        "GetFunction/GetAlias API to retrieve the latest Revision Id",
        412,
        Type="User",
    )
