"""What a failed AWS call means to this service, decided in one place."""

from __future__ import annotations

import re
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

from autorepair.domain.configuration import ENROLMENT_TAG, ENROLMENT_VALUE
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
_INVALID = "InvalidParameterValueException"
_REFUSALS: dict[str, tuple[type[AutoRepairError], str]] = {
    "PreconditionFailedException": (
        StaleConfigurationError,
        "the function's revision is not the one that was read; read and plan again",
    ),
    "ResourceConflictException": (
        UpdateInProgressError,
        "another operation on the function is under way; try again when it has settled",
    ),
    _INVALID: (
        ChangeRefusedError,
        "Lambda does not accept the values; plan others",
    ),
    "ValidationException": (ChangeRefusedError, "Lambda does not accept the values; plan others"),
}
# What is wrong with the key that seals a function's environment. Lambda tells it with a status of
# 502, and no second try helps. From the errors of Lambda's and of KMS' API reference.
_KEY_UNUSABLE = frozenset(
    {
        "DisabledException",
        "InvalidKeyUsageException",
        "KMSDisabledException",
        "KMSInvalidStateException",
        "KMSNotFoundException",
    }
)
# How UpdateFunctionConfiguration tells that it could not make a grant on the key, or use it.
_KEY_REFUSED = "Lambda was unable to configure access to your environment variables because the KMS"
_KEY_ADVICE = (
    "the customer's key that seals the function's environment cannot be used: it has to be "
    f"enabled and tagged {ENROLMENT_TAG}={ENROLMENT_VALUE}, and its key policy has to leave it to "
    "IAM (kms:CreateGrant, kms:Encrypt and kms:Decrypt through Lambda)"
)
# What seals the environment anew, or freezes it.
_WRITES = ("lambda:UpdateFunction", "lambda:PublishVersion")
_KMS_ACTION = re.compile(r"\bkms:[A-Za-z]{1,40}\b")
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
    if action.startswith(_WRITES) and (trouble := _trouble_with_key(code, error)) is not None:
        # In no case are AWS's own words added: they may hold the environment.
        return trouble(f"{where}: {_KEY_ADVICE}")
    if code in _DENIED:
        return AccessDeniedError(f"{where}; grant {action} on {on} to the role of this step")
    if isinstance(error, _BROKEN_CONNECTIONS) or _is_transient(code, error):
        return TransientServiceError(f"{where}; the same call may work a moment later")
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


def _trouble_with_key(code: str, error: Exception) -> type[AutoRepairError] | None:
    """Say what it is where the key that seals a function's environment is what fails the call."""
    message = _message(error)
    if code in _DENIED and (code.startswith("KMS") or _KMS_ACTION.search(message)):
        return AccessDeniedError
    is_refused = code == _INVALID and message.startswith(_KEY_REFUSED)
    return ChangeRefusedError if is_refused or code in _KEY_UNUSABLE else None


def _is_transient(code: str, error: Exception) -> bool:
    status = _answer(error).get("ResponseMetadata", {}).get("HTTPStatusCode", 0)
    return code in _TRANSIENT or status == _HTTP_TOO_MANY_REQUESTS or status >= _HTTP_SERVER_ERROR


def _quoted(error: Exception) -> str:
    message = _message(error)
    return f" ({message})" if message else ""


def _message(error: Exception) -> str:
    return str(_answer(error).get("Error", {}).get("Message") or "")
