"""What a failed AWS call means to this service, decided in one place."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from botocore.exceptions import (
    BotoCoreError,
    ClientError,
    ConnectionError,  # noqa: A004 - botocore's own; the built-in one is not used here
    HTTPClientError,
    IncompleteReadError,
)

from autorepair.domain.errors import (
    AccessDeniedError,
    AutoRepairError,
    ChangeRefusedError,
    ConfigurationError,
    StaleConfigurationError,
    TransientServiceError,
    UpdateInProgressError,
)

AWS_FAILURES = (ClientError, BotoCoreError)
"""Everything boto3 raises for a call that did not come back with an answer."""

_BROKEN_CONNECTIONS = (HTTPClientError, ConnectionError, IncompleteReadError)
_TRANSIENT = frozenset(
    {
        "DependencyTimeoutException",
        "EC2ThrottledException",
        "InternalError",
        "InternalFailure",
        "InternalServerError",
        "InternalServiceError",
        "KMSInternalException",
        "KeyUnavailableException",
        "LimitExceededException",
        "PriorRequestNotComplete",
        "ProvisionedThroughputExceededException",
        "RequestLimitExceeded",
        "RequestThrottled",
        "RequestThrottledException",
        "RequestTimeout",
        "RequestTimeoutException",
        "ServiceException",
        "ServiceUnavailable",
        "ServiceUnavailableException",
        "SlowDown",
        "Throttled",
        "ThrottledException",
        "Throttling",
        "ThrottlingException",
        "TooManyRequestsException",
        "TransactionConflictException",
        "TransactionInProgressException",
    }
)
_DENIED = frozenset(
    {
        "AccessDenied",
        "AccessDeniedException",
        "AuthorizationError",
        "AuthorizationErrorException",
        "Forbidden",
        "KMSAccessDenied",
        "KMSAccessDeniedException",
        "NotAuthorized",
        "UnauthorizedOperation",
    }
)
_MISSING = frozenset(
    {
        "AWS.SimpleQueueService.NonExistentQueue",
        "NoSuchBucket",
        "NoSuchKey",
        "NotFound",
        "NotFoundException",
        "ParameterNotFound",
        "QueueDoesNotExist",
        "ResourceNotFoundException",
    }
)
_REFUSALS: dict[str, tuple[type[AutoRepairError], str]] = {
    "PreconditionFailedException": (
        StaleConfigurationError,
        "the function's revision is not the one that was read; read and plan again",
    ),
    "ResourceConflictException": (
        UpdateInProgressError,
        "another operation on the function is under way; try again when it has settled",
    ),
    "InvalidParameterValueException": (
        ChangeRefusedError,
        "Lambda does not accept the values; plan others",
    ),
    "ValidationException": (ChangeRefusedError, "Lambda does not accept the values; plan others"),
}
_HTTP_TOO_MANY_REQUESTS, _HTTP_SERVER_ERROR = 429, 500


def code_of(error: Exception) -> str:
    """Give AWS's error code, or the exception's own name where no answer came."""
    return str(_answer(error).get("Error", {}).get("Code", type(error).__name__))


def is_missing(error: Exception) -> bool:
    """Whether AWS said that the thing does not exist."""
    return code_of(error) in _MISSING


def translated(
    error: Exception,
    *,
    action: str,
    on: str,
    missing: type[AutoRepairError] = ConfigurationError,
    may_quote: bool = True,
) -> AutoRepairError:
    """Say in this service's words why ``action`` (an IAM action) failed ``on`` a resource.

    ``missing`` is what a resource that does not exist means here. Without ``may_quote`` AWS's own
    message is left out: Lambda quotes the whole environment map when it refuses one.
    """
    code = code_of(error)
    where = f"{action} on {on} failed with {code}"
    if isinstance(error, _BROKEN_CONNECTIONS) or _is_transient(code, error):
        return TransientServiceError(f"{where}; the same call may work a moment later")
    if code in _DENIED:
        return AccessDeniedError(f"{where}; grant {action} on {on} to the role of this step")
    if code in _MISSING:
        return missing(f"{where}: it does not exist, or not in this account and Region")
    if action.startswith("lambda:") and code in _REFUSALS:
        kind, advice = _REFUSALS[code]
    else:
        kind, advice = ConfigurationError, "check how the service is set up"
    return kind(f"{where}: {advice}{_quoted(error) if may_quote else ''}")


@contextmanager
def aws_call(
    action: str, on: str, *, missing: type[AutoRepairError] = ConfigurationError
) -> Iterator[None]:
    """Run AWS calls so that their failures are raised as this service's errors.

    Raises:
        TransientServiceError: Throttled, unavailable, timed out, or the connection broke.
        AccessDeniedError: The role may not do it.
        ConfigurationError: Something else is wrong with the service's own set-up; also, unless
            ``missing`` says otherwise, that the resource does not exist.
    """
    try:
        yield
    except AWS_FAILURES as error:
        raise translated(error, action=action, on=on, missing=missing) from error


def _answer(error: Exception) -> dict[str, Any]:
    """Give the parsed answer; connection errors have a ``response`` of None, or a raw one."""
    response = getattr(error, "response", None)
    return response if isinstance(response, dict) else {}


def _is_transient(code: str, error: Exception) -> bool:
    status = _answer(error).get("ResponseMetadata", {}).get("HTTPStatusCode", 0)
    return code in _TRANSIENT or status == _HTTP_TOO_MANY_REQUESTS or status >= _HTTP_SERVER_ERROR


def _quoted(error: Exception) -> str:
    message = _answer(error).get("Error", {}).get("Message", "")
    return f" ({message})" if message else ""
