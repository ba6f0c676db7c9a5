from __future__ import annotations

from datetime import timedelta

import pytest

from autorepair.causes.access import CREDENTIALS_EXPIRED, PERMISSION_DENIED
from autorepair.causes.weighing import diagnose
from autorepair.domain.diagnosis import EnvironmentNeed, RootCause
from autorepair.domain.evidence import (
    DeclaredVariable,
    Evidence,
    MetricSeries,
    RecentChange,
    VariableChange,
)
from unit.envelopes import Call, failing, java, node, python, refused_start, ruby, told_as_json
from unit.logbook import START, Logbook, cites_exist

WHO = "User: arn:aws:sts::123456789012:assumed-role/r/f is not authorized to perform:"
S3_DENIED = (
    "operation error S3: PutObject, https response error StatusCode: 403, RequestID: X, HostID: Y, "
    "api error AccessDenied: Access Denied"
)
NO_KEY = (
    "The ciphertext refers to a customer master key that does not exist, does not exist in this "
    "region, or you are not allowed to access."
)

DENIED: tuple[Call, ...] = (
    python(f"ClientError: An error occurred (AccessDeniedException): {WHO} dynamodb:PutItem"),
    python("ClientError: An error occurred (AccessDenied) when calling the GetObject operation: "),
    python("ClientError: An error occurred (403) when calling the HeadObject operation: Forbidden"),
    python(
        f"ClientError: An error occurred (AccessDeniedException) when calling Decrypt: {NO_KEY}"
    ),
    python("InsufficientPrivilege: permission denied for table orders"),
    python("HTTPError: 403 Client Error: Forbidden for url: https://api.partner.example/v1/x"),
    node("AccessDeniedException", f"{WHO} secretsmanager:GetSecretValue with an explicit deny"),
    node("GaxiosError", "The caller does not have permission"),
    node("MongoServerError", "not authorized on admin to execute command { find: 1 }"),
    java("software.amazon.awssdk.services.dynamodb.model.DynamoDbException", f"{WHO} dynamodb:Q"),
    java("org.apache.kafka.common.errors.TopicAuthorizationException", "Not authorized to access"),
    ruby("Aws::S3::Errors::AccessDenied", "Access Denied"),
    told_as_json("OperationError", S3_DENIED),
    told_as_json("AmazonSQSException", "Access to the resource https://sqs.x/1/q is denied."),
    told_as_json("ReplyError", "NOPERM this user has no permissions to run the 'set' command"),
    refused_start("Lambda was unable to decrypt: KMS access was denied", "Runtime.Unknown"),
)
STALE: tuple[Call, ...] = (
    python("ClientError: An error occurred (ExpiredTokenException) when calling the PutItem"),
    python("ClientError: An error occurred (InvalidAccessKeyId) when calling the PutObject"),
    python("ResponseError: WRONGPASS invalid username-password pair or user is disabled."),
    python("RefreshError: ('invalid_grant: Token has been expired or revoked.', {})"),
    python("AuthenticationError: Error code: 401 - {'code': 'invalid_api_key'}"),
    python("SMTPAuthenticationError: (535, b'Authentication Credentials Invalid')"),
    python("AuthenticationException: Authentication failed."),
    node("error", 'password authentication failed for user "app"', code="28P01"),
    node("MongoServerError", "bad auth : authentication failed", code=8000),
    node("AxiosError", "Request failed with status code 401"),
    node("StripeAuthenticationError", "Expired API Key provided: sk_live_****"),
    java("java.sql.SQLException", "Access denied for user 'app'@'10.0.1.7' (using password: YES)"),
    java("javax.net.ssl.SSLHandshakeException", "Received fatal alert: certificate_expired"),
    ruby("PG::ConnectionBad", 'FATAL:  password authentication failed for user "app"'),
    told_as_json("SqlException", "Login failed for user 'app'."),
    told_as_json("*url.Error", 'Post "https://x": remote error: tls: expired certificate'),
    told_as_json("MsalException", "AADSTS7000222: The provided client secret keys are expired."),
)
OTHERS: tuple[Call, ...] = (
    node("Error", "certificate has expired", code="CERT_HAS_EXPIRED"),
    told_as_json("*url.Error", "x509: certificate has expired or is not yet valid"),
    python("HttpError: <HttpError 403 returned 'Quota exceeded for quota metric'>"),
    python("HTTPError: 429 Client Error: Too Many Requests for url: https://api.x"),
    python("ClientError: An error occurred (ThrottlingException) when calling InvokeModel"),
    python("ClientError: An error occurred (ResourceNotFoundException) when calling the GetItem"),
    java("java.nio.file.AccessDeniedException", "/mnt/efs/reports"),
    told_as_json("UnauthorizedAccessException", "Access to the path '/var/task/a.json' is denied."),
    node("SyntaxError", "Invalid or unexpected token"),
    node("Error", "Unauthorized"),
    python("Exception: Unauthorized"),
    python("OperationalError: FATAL: remaining connection slots are reserved for roles with the "),
    node("NoSuchKey", "The specified key does not exist."),
)


@pytest.mark.parametrize("call", DENIED)
def test_a_denial_is_known_in_every_language(call: Call) -> None:
    evidence = failing(call).evidence()
    diagnosis = diagnose(evidence)
    assert diagnosis.root_cause is RootCause.PERMISSION_DENIED
    assert diagnosis.confidence >= 0.7
    assert (diagnosis.need, diagnosis.is_repairable) == (None, False)
    assert cites_exist(diagnosis, evidence)


@pytest.mark.parametrize("call", STALE)
def test_stale_credentials_are_known_in_every_language(call: Call) -> None:
    evidence = failing(call).evidence()
    diagnosis = diagnose(evidence)
    assert diagnosis.root_cause is RootCause.CREDENTIALS_EXPIRED
    assert diagnosis.confidence >= 0.7
    assert (diagnosis.need, diagnosis.is_repairable) == (None, False)
    assert cites_exist(diagnosis, evidence)


@pytest.mark.parametrize("call", OTHERS)
def test_what_only_sounds_alike_is_left_alone(call: Call) -> None:
    evidence = failing(call).evidence()
    assert PERMISSION_DENIED.diagnose(evidence) is None
    assert CREDENTIALS_EXPIRED.diagnose(evidence) is None


@pytest.mark.parametrize(
    ("names", "call", "label"),
    [
        (["ORDERS_QUEUE_URL"], DENIED[0], RootCause.PERMISSION_DENIED),
        (["DB_PASSWORD"], STALE[7], RootCause.CREDENTIALS_EXPIRED),
    ],
)
def test_a_variable_that_is_not_as_declared_makes_the_rule_modest(
    names: list[str], call: Call, label: RootCause
) -> None:
    log = failing(call)
    cause = next(c for c in (PERMISSION_DENIED, CREDENTIALS_EXPIRED) if c.label is label)
    sure = cause.diagnose(log.evidence(equal=names, env_names=tuple(names)))
    modest = cause.diagnose(log.evidence(differing=names, env_names=tuple(names)))
    assert sure is not None
    assert modest is not None
    assert sure.confidence >= 0.9
    assert modest.confidence < 0.6


def test_a_secret_whose_declaration_cannot_be_compared_counts_only_if_it_was_changed() -> None:
    log = failing(STALE[7])
    evidence = log.evidence(declared=["DB_PASSWORD"], env_names=("DB_PASSWORD",))
    sure = CREDENTIALS_EXPIRED.diagnose(evidence)
    change = RecentChange(
        id="change:1",
        at=START,
        source="cloudtrail",
        event="UpdateFunctionConfiguration",
        variables=(VariableChange(name="DB_PASSWORD", kind="changed"),),
    )
    modest = CREDENTIALS_EXPIRED.diagnose(evidence.model_copy(update={"changes": (change,)}))
    assert sure is not None
    assert sure.confidence >= 0.9
    assert modest is not None
    assert modest.confidence < 0.6


def test_a_policy_that_was_changed_is_cited() -> None:
    change = RecentChange(
        id="change:7", at=START, source="cloudtrail", event="DeleteRolePolicy", note="role: r"
    )
    finding = PERMISSION_DENIED.diagnose(failing(DENIED[0]).evidence(changes=[change]))
    assert finding is not None
    assert finding.cites[-1] == "change:7"


def rotated(event: str, *, after_s: float = 0.0) -> RecentChange:
    at = START + timedelta(seconds=after_s)
    return RecentChange(id="change:1", at=at, source="cloudtrail", event=event, note="db/password")


@pytest.mark.parametrize(
    ("names", "is_set", "change", "needed"),
    [
        (["DB_PASSWORD"], ["DB_PASSWORD"], rotated("RotateSecret"), ("DB_PASSWORD",)),
        (["DATABASE_URL"], ["DATABASE_URL"], rotated("PutParameter"), ("DATABASE_URL",)),
        (["DB_PASSWORD", "API_KEY"], ["DB_PASSWORD", "API_KEY"], rotated("RotateSecret"), None),
        (["STAGE"], ["STAGE"], rotated("RotateSecret"), None),
        (["DB_PASSWORD"], ["DB_PASSWORD"], rotated("UpdateFunctionCode"), None),
        (["DB_PASSWORD"], ["DB_PASSWORD"], rotated("RotateSecret", after_s=3600), None),
    ],
)
def test_an_old_copy_of_a_secret_that_was_renewed_is_set_anew(
    names: list[str], is_set: list[str], change: RecentChange, needed: tuple[str, ...] | None
) -> None:
    evidence = failing(STALE[7]).evidence(env_names=tuple(is_set), changes=[change])
    declared = tuple(DeclaredVariable(name=name, kind="secretsmanager") for name in names)
    finding = CREDENTIALS_EXPIRED.diagnose(evidence.model_copy(update={"declared": declared}))
    assert finding is not None
    assert finding.need == (None if needed is None else EnvironmentNeed(names=needed))
    assert finding.is_repairable is (needed is not None)


def failing_silently(errors: float, *, is_env_unreadable: bool = False) -> Evidence:
    log = Logbook()
    log.succeed(10, 11, 12)
    series = MetricSeries(
        id="metric:Errors.Sum",
        namespace="AWS/Lambda",
        metric_name="Errors",
        statistic="Sum",
        period_s=60,
        points=((log.now, errors),),
    )
    return log.evidence(is_env_unreadable=is_env_unreadable).model_copy(
        update={"metrics": (series,)}
    )


def test_an_environment_that_lambda_may_not_decrypt_needs_no_log() -> None:
    diagnosis = diagnose(failing_silently(5, is_env_unreadable=True))
    assert diagnosis.root_cause is RootCause.PERMISSION_DENIED
    assert diagnosis.confidence >= 0.8
    assert (diagnosis.need, diagnosis.is_repairable) == (None, False)


def test_an_environment_that_cannot_be_read_where_nothing_fails_is_no_incident() -> None:
    assert PERMISSION_DENIED.diagnose(failing_silently(0, is_env_unreadable=True)) is None
    assert PERMISSION_DENIED.diagnose(failing_silently(5)) is None


def test_denials_that_are_swallowed_count_only_where_the_alarm_is_about_errors() -> None:
    log = Logbook()
    for _ in range(4):
        log.call(5, says=[(0.001, f"[ERROR]\t2026Z\tx\tcould not store: AccessDenied: {WHO} s3:P")])
    assert PERMISSION_DENIED.diagnose(log.evidence()) is None
    counted = log.evidence().model_copy(update={"metrics": failing_silently(4).metrics})
    finding = PERMISSION_DENIED.diagnose(counted)
    assert finding is not None
    assert finding.confidence <= 0.75


def test_a_denial_on_few_of_the_failures_is_not_the_cause() -> None:
    log = failing(DENIED[0], count=1)
    for _ in range(9):
        log.time_out()
    assert PERMISSION_DENIED.diagnose(log.evidence()) is None


def test_a_denial_that_is_printed_before_the_exception_is_a_hint() -> None:
    log = Logbook()
    for _ in range(4):
        log.call(
            4,
            says=[
                (0.001, f"2026Z\tid\tERROR\tread failed: AccessDeniedException: {WHO} ssm:Get"),
                (0.002, "[ERROR] RuntimeError: no settings\nTraceback (most recent call last):"),
            ],
        )
    finding = PERMISSION_DENIED.diagnose(log.evidence())
    assert finding is not None
    assert 0.6 <= finding.confidence < 0.8


def test_without_failures_or_a_log_nothing_is_found() -> None:
    log = Logbook()
    log.succeed(10, 20)
    for cause in (PERMISSION_DENIED, CREDENTIALS_EXPIRED):
        assert cause.diagnose(Logbook().evidence()) is None
        assert cause.diagnose(log.evidence()) is None
