"""What a failed AWS call means."""

from __future__ import annotations

import pytest
from botocore.exceptions import (
    ClientError,
    ConnectTimeoutError,
    EndpointConnectionError,
    NoCredentialsError,
    ReadTimeoutError,
)

from autorepair.aws.errors import aws_call, translated
from autorepair.domain.errors import (
    AccessDeniedError,
    ChangeRefusedError,
    ConfigurationError,
    StaleConfigurationError,
    TargetNotFoundError,
    TransientServiceError,
    UpdateInProgressError,
)

ACTION, ON = "lambda:UpdateFunctionConfiguration", "arn:aws:lambda:function"


def refused(code: str, status: int = 400, message: str = "m") -> ClientError:
    answer = {
        "Error": {"Code": code, "Message": message},
        "ResponseMetadata": {"HTTPStatusCode": status},
    }
    return ClientError(answer, "Operation")  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("error", "expected"),
    [
        (refused("ThrottlingException"), TransientServiceError),
        (refused("TooManyRequestsException", 429), TransientServiceError),
        (refused("SomethingNew", 503), TransientServiceError),
        (refused("SomethingNew", 429), TransientServiceError),
        (ReadTimeoutError(endpoint_url="https://x"), TransientServiceError),
        (ConnectTimeoutError(endpoint_url="https://x"), TransientServiceError),
        (EndpointConnectionError(endpoint_url="https://x"), TransientServiceError),
        (refused("AccessDeniedException", 403), AccessDeniedError),
        (refused("AccessDenied", 403), AccessDeniedError),
        (refused("PreconditionFailedException", 412), StaleConfigurationError),
        (refused("ResourceConflictException", 409), UpdateInProgressError),
        (refused("InvalidParameterValueException"), ChangeRefusedError),
        (refused("ValidationException"), ChangeRefusedError),
        (refused("ResourceNotFoundException", 404), TargetNotFoundError),
        (refused("SomethingNew"), ConfigurationError),
        (NoCredentialsError(), ConfigurationError),
    ],
)
def test_a_failure_is_translated(error: Exception, expected: type[Exception]) -> None:
    said = translated(error, action=ACTION, on=ON, missing=TargetNotFoundError)

    assert type(said) is expected
    assert ACTION in str(said)
    assert ON in str(said)


def test_only_lambda_refuses_changes() -> None:
    error = refused("ValidationException", message="the table's key")

    said = translated(error, action="dynamodb:PutItem", on="table t")

    assert type(said) is ConfigurationError
    assert "the table's key" in str(said)


def test_awss_words_are_left_out_where_they_may_quote_values() -> None:
    error = refused("InvalidParameterValueException", message="measured: s3cr3t")

    assert "s3cr3t" not in str(translated(error, action=ACTION, on=ON, may_quote=False))


GRANT_REFUSED = (
    "Lambda was unable to configure access to your environment variables because the KMS key is "
    "invalid for CreateGrant. Please check your KMS key settings. KMS Exception: AccessDenied "
    "s3cr3t"
)
NO_GRANT = "User: arn:aws:sts::1:assumed-role/x is not authorized to perform: kms:CreateGrant"


@pytest.mark.parametrize(
    ("error", "expected"),
    [
        (refused("AccessDeniedException", 403, NO_GRANT), AccessDeniedError),
        (refused("KMSAccessDeniedException", 502), AccessDeniedError),
        (refused("InvalidParameterValueException", 400, GRANT_REFUSED), ChangeRefusedError),
        (refused("KMSDisabledException", 502), ChangeRefusedError),
        (refused("KMSInvalidStateException", 502), ChangeRefusedError),
        (refused("KMSNotFoundException", 502), ChangeRefusedError),
        (refused("DisabledException", 409), ChangeRefusedError),
    ],
)
def test_a_write_that_fails_by_the_functions_key_says_what_the_key_lacks(
    error: Exception, expected: type[Exception]
) -> None:
    said = translated(error, action=ACTION, on=ON, missing=TargetNotFoundError)

    assert type(said) is expected
    assert "kms:CreateGrant" in str(said)
    assert "auto-repair=enabled" in str(said)
    assert "s3cr3t" not in str(said)


def test_a_denied_key_is_no_passing_fault_whatever_its_status_says() -> None:
    error = refused("KMSAccessDeniedException", 502)

    said = translated(error, action="lambda:GetFunctionConfiguration", on=ON)

    assert type(said) is AccessDeniedError


def test_errors_of_our_own_pass_through_unchanged() -> None:
    own = TargetNotFoundError("gone")

    with pytest.raises(TargetNotFoundError) as caught, aws_call(ACTION, ON):
        raise own
    assert caught.value is own
