"""The deployed service, as the command line speaks to it: its tables, executions and caller."""

from __future__ import annotations

import functools
import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import boto3
import click
from botocore.exceptions import (
    BotoCoreError,
    ConnectionError,  # noqa: A004 - botocore's own; the built-in one is not used here
    HTTPClientError,
    NoCredentialsError,
    PartialCredentialsError,
)

from autorepair.aws.announcer import EventBridgeAnnouncer
from autorepair.aws.approvals import TaskTokenApprovals
from autorepair.aws.audit_trail import DynamoAuditTrail
from autorepair.aws.clients import Clients
from autorepair.aws.clock import SystemClock
from autorepair.aws.digests import Digester
from autorepair.aws.enrolling import LambdaEnrolling
from autorepair.aws.errors import is_missing
from autorepair.aws.evidence_store import S3EvidenceStore
from autorepair.aws.identity import StsIdentity
from autorepair.aws.known_config import SsmKnownConfig
from autorepair.aws.notifier import SnsNotifier
from autorepair.aws.own_alarms import CloudWatchOwnAlarms
from autorepair.aws.pauses import DynamoPauses
from autorepair.aws.policies import SsmPolicyParameter
from autorepair.aws.repair_ledger import DynamoRepairLedger
from autorepair.domain.errors import AutoRepairError, TargetNotFoundError
from autorepair.domain.evidence import Evidence, EvidenceSummary
from autorepair.ports import AnswerPorts

ENVIRONMENTS = ("dev", "staging", "prod")
LONGEST_ERROR = 600
"""What is no AWS may answer with a page."""


@dataclass(frozen=True)
class Service:
    """What the commands use of the deployed service."""

    environment: str
    audit: DynamoAuditTrail
    answering: AnswerPorts
    identity: StsIdentity
    clock: SystemClock
    pauses: DynamoPauses
    policy: SsmPolicyParameter
    announcer: EventBridgeAnnouncer
    ledger: DynamoRepairLedger
    enrolling: LambdaEnrolling
    own_alarms: CloudWatchOwnAlarms
    known_config: SsmKnownConfig
    notifier: Callable[[], SnsNotifier]
    """Finds the topic that people are told by; the account is asked for it."""
    evidence_of: Callable[[EvidenceSummary], Evidence]
    """Fetches the evidence that a summary points to."""


def connect(environment: str | None, region: str | None) -> Service:
    """Find the service in the account that the usual AWS variables point to.

    Without ``environment`` AUDIT_TABLE, STATE_TABLE, POLICY_PARAMETER and EVENT_BUS name the parts,
    and else ENVIRONMENT.

    Raises:
        click.ClickException: No Region is set, or the profile is not there.
    """
    aws = Clients(region or _region())
    clock = SystemClock()
    audit = DynamoAuditTrail(aws.dynamodb, table=_table("audit", environment))
    approvals = TaskTokenApprovals(
        aws.dynamodb, aws.stepfunctions, table=_table("state", environment), clock=clock
    )
    identity = StsIdentity(aws.sts)
    return Service(
        environment=_which(environment),
        audit=audit,
        answering=AnswerPorts(clock=clock, audit=audit, approvals=approvals),
        identity=identity,
        clock=clock,
        pauses=DynamoPauses(aws.dynamodb, table=_table("state", environment), clock=clock),
        policy=SsmPolicyParameter(
            aws.ssm,
            parameter=_named(
                "POLICY_PARAMETER", f"/lambda-auto-repair/{_which(environment)}/policy", environment
            ),
        ),
        announcer=EventBridgeAnnouncer(
            aws.events,
            bus=_named("EVENT_BUS", f"lambda-auto-repair-{_which(environment)}", environment),
        ),
        ledger=DynamoRepairLedger(aws.dynamodb, table=_table("state", environment), clock=clock),
        enrolling=LambdaEnrolling(aws.lambda_, aws.logs),
        own_alarms=CloudWatchOwnAlarms(aws.cloudwatch, aws.ssm, environment=_which(environment)),
        # Only what is compared needs a digest; here declarations are only listed.
        known_config=SsmKnownConfig(
            aws.ssm,
            aws.secretsmanager,
            Digester(aws.kms, "none"),
            prefix=_named(
                "KNOWN_CONFIG_PREFIX",
                f"/lambda-auto-repair/{_which(environment)}/known-config",
                environment,
            ),
        ),
        notifier=functools.partial(_notifier, aws, identity, environment),
        evidence_of=functools.partial(_evidence_of, aws),
    )


def _notifier(aws: Clients, identity: StsIdentity, environment: str | None) -> SnsNotifier:
    """Name the topic as the stack does.

    Raises:
        AccessDeniedError, TransientServiceError, ConfigurationError: The account cannot be told.
    """
    _, partition, _, _, account, _ = identity.arn().split(":", 5)
    topic = f"lambda-auto-repair-notifications-{_which(environment)}"
    default = f"arn:{partition}:sns:{aws.region}:{account}:{topic}"
    return SnsNotifier(aws.sns, topic_arn=_named("TOPIC_ARN", default, environment))


def _evidence_of(aws: Clients, summary: EvidenceSummary) -> Evidence:
    # Only what is put is masked, and so needs a key; nothing is put here.
    store = S3EvidenceStore(aws.s3, Digester(aws.kms, "none"), bucket=summary.bucket)
    return store.get(summary)


def speaks_to_the_service(command: Callable[..., None]) -> Callable[..., None]:
    """Give a command the service as its first argument, and the options that find it.

    What goes wrong on the way ends in one line and exit code 1, never in a stack trace.
    """

    @click.option(
        "--env",
        "environment",
        type=click.Choice(ENVIRONMENTS),
        help="Which deployment; without it AUDIT_TABLE and STATE_TABLE, ENVIRONMENT, or dev.",
    )
    @click.option("--region", help="The AWS Region; without it, as for any AWS tool.")
    @functools.wraps(command)
    def connected(environment: str | None, region: str | None, **given: Any) -> None:  # noqa: ANN401 - click's
        with told_in_a_line(environment, region):
            command(connect(environment, region), **given)

    return connected


@contextmanager
def told_in_a_line(environment: str | None = None, region: str | None = None) -> Iterator[None]:
    """Turn the errors of the service and of the AWS client into one line for a person."""
    try:
        yield
    except (AutoRepairError, BotoCoreError) as error:
        raise click.ClickException(_told(error, environment, region)) from error
    except ValueError as error:
        # Thus botocore says that AWS_ENDPOINT_URL is no URL.
        if not str(error).startswith("Invalid endpoint"):
            raise
        raise click.ClickException(f"AWS_ENDPOINT_URL is not a URL: {error}") from error


def _told(error: Exception, environment: str | None, region: str | None) -> str:
    cause = error.__cause__ if isinstance(error.__cause__, Exception) else error
    if isinstance(cause, NoCredentialsError | PartialCredentialsError):
        return "there are no AWS credentials: set AWS_PROFILE, or AWS_ACCESS_KEY_ID and its secret"
    place = region or os.environ.get("AWS_REGION") or os.environ.get("AWS_DEFAULT_REGION")
    endpoint = os.environ.get("AWS_ENDPOINT_URL")
    if isinstance(cause, HTTPClientError | ConnectionError):
        looked = "AWS_ENDPOINT_URL" if endpoint else f"the Region ({place}) and the network"
        return f"AWS could not be reached: {cause}; check {looked}"
    told = _in_a_line(error, cause)
    if endpoint and error is not cause:
        told += f" (AWS_ENDPOINT_URL is {endpoint})"
    if isinstance(error, TargetNotFoundError):
        return f"{told}. Check the name, or choose another Region than {place} by --region"
    if is_missing(cause):
        return (
            f"{told}. Is the service deployed as {_which(environment)} in {place}? Choose with "
            "--env and --region, or name the tables with AUDIT_TABLE and STATE_TABLE"
        )
    return told


def _in_a_line(error: Exception, cause: Exception) -> str:
    """Give the words of an error, and those of the AWS client where it did not ask AWS at all."""
    words = (
        f"{error} ({cause})" if isinstance(cause, BotoCoreError) and cause is not error else error
    )
    told = " ".join(str(words).split())
    return told if len(told) <= LONGEST_ERROR else f"{told[:LONGEST_ERROR]}..."


def _region() -> str:
    try:
        found = os.environ.get("AWS_REGION") or boto3.Session().region_name
    except BotoCoreError as error:
        raise click.ClickException(str(error)) from error
    if not found:
        raise click.ClickException("no AWS Region is set: use --region, or set AWS_REGION")
    return found


def _table(kind: str, environment: str | None) -> str:
    default = f"lambda-auto-repair-{kind}-{_which(environment)}"
    return _named(f"{kind.upper()}_TABLE", default, environment)


def _named(variable: str, default: str, environment: str | None) -> str:
    named = os.environ.get(variable)
    return named if named and environment is None else default


def _which(environment: str | None) -> str:
    return environment or os.environ.get("ENVIRONMENT") or "dev"
