"""From environment variables to settings, from settings to adapters, from a step to a handler.

Tracing: the functions' active X-Ray tracing shows each invocation; the Tracer SDK would add the AWS
calls to it at some 200 ms of every cold start, and the audit trail already says what was done.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Mapping
from functools import lru_cache
from typing import TYPE_CHECKING, Any, Literal, Self, TypeVar

from aws_lambda_powertools import Logger
from aws_lambda_powertools.metrics import Metrics, MetricUnit
from pydantic import Field, ValidationError

from autorepair.aws.admissions import DynamoAdmissions
from autorepair.aws.alarms import CloudWatchAlarms
from autorepair.aws.announcer import EventBridgeAnnouncer
from autorepair.aws.approval_links import DynamoApprovalLinks
from autorepair.aws.approvals import TaskTokenApprovals
from autorepair.aws.audit_trail import DynamoAuditTrail
from autorepair.aws.callers import LambdaCallers
from autorepair.aws.change_log import CloudTrailChangeLog
from autorepair.aws.clients import Clients, ServiceName
from autorepair.aws.clock import SystemClock
from autorepair.aws.configuration_snapshots import ConfigurationSnapshots
from autorepair.aws.digests import Digester
from autorepair.aws.enrolment import TaggedFunctions
from autorepair.aws.environment_keys import KmsEnvironmentKeys
from autorepair.aws.evidence_store import S3EvidenceStore
from autorepair.aws.executions import StepFunctionsExecutions
from autorepair.aws.functions import LambdaFunctions
from autorepair.aws.incident_state import DynamoIncidentState
from autorepair.aws.known_config import SsmKnownConfig
from autorepair.aws.logs import CloudWatchLogs
from autorepair.aws.metric_filters import CloudWatchMetricFilters
from autorepair.aws.metrics import CloudWatchMetrics
from autorepair.aws.notifier import SnsNotifier
from autorepair.aws.own_alarms import CloudWatchOwnAlarms
from autorepair.aws.pace import SteadyPace
from autorepair.aws.policies import SsmPolicies
from autorepair.aws.probes import DeclaredProbes
from autorepair.aws.releases import LambdaConcurrency, LambdaReleases
from autorepair.aws.repair_ledger import DynamoRepairLedger
from autorepair.aws.roles import IamRoles
from autorepair.aws.snapshots import Snapshots
from autorepair.aws.stacks import CloudFormationStacks
from autorepair.aws.standing_alarms import CloudWatchStandingAlarms
from autorepair.aws.unknown_advisor import UnknownAdvisor
from autorepair.aws.unsent_messages import DynamoUnsentMessages
from autorepair.aws.variable_values import StoredVariableValues
from autorepair.aws.watched import DynamoWatches
from autorepair.domain.diagnosis import Consultation, Diagnosis
from autorepair.domain.errors import AutoRepairError, ConfigurationError, MalformedEventError
from autorepair.domain.page import PageResponse
from autorepair.domain.value import Value
from autorepair.ports import Advisor, Ports

if TYPE_CHECKING:
    from aws_lambda_powertools.utilities.typing import LambdaContext

InputT = TypeVar("InputT", bound=Value)
Handler = Callable[[dict[str, Any], "LambdaContext"], dict[str, Any]]

DEFAULT_MODEL_ID = "us.anthropic.claude-sonnet-5"
"""An inference profile that takes a forced tool choice; the template's default, too."""
_SERVICE = "lambda-auto-repair"
_NAMESPACE = "LambdaAutoRepair"
_LARGEST_LOGGED_MESSAGE = 2000

logger = Logger(service=_SERVICE)
metrics = Metrics(namespace=_NAMESPACE, service=_SERVICE)


class AdvisorSettings(Value):
    """Whether a model is asked, and which; empty means none."""

    region: str = Field(alias="AWS_REGION", min_length=1)
    diagnosis_mode: Literal["rules", "rules_then_model"] = Field("rules", alias="DIAGNOSIS_MODE")
    advisor_model_id: str = Field(DEFAULT_MODEL_ID, alias="ADVISOR_MODEL_ID", min_length=1)
    knowledge_base_id: str = Field("", alias="KNOWLEDGE_BASE_ID")
    guardrail_id: str = Field("", alias="GUARDRAIL_ID")
    guardrail_version: str = Field("DRAFT", alias="GUARDRAIL_VERSION", min_length=1)

    @classmethod
    def from_environment(cls, environment: Mapping[str, str]) -> Self:
        """Read the settings.

        Raises:
            ConfigurationError: Variables are missing or wrong; the message names each.
        """
        wanted = {str(field.alias) for field in cls.model_fields.values()}
        try:
            return cls.model_validate({n: v for n, v in environment.items() if n in wanted})
        except ValidationError as error:
            raise ConfigurationError(
                f"environment variables are missing or wrong: {_faults(error)}"
            ) from error


class Settings(AdvisorSettings):
    """What the deployment tells a function, by environment variables of the same names."""

    environment: Literal["dev", "staging", "prod"] = Field(alias="ENVIRONMENT")
    audit_table: str = Field(alias="AUDIT_TABLE", min_length=1)
    state_table: str = Field(alias="STATE_TABLE", min_length=1)
    evidence_bucket: str = Field(alias="EVIDENCE_BUCKET", min_length=1)
    topic_arn: str = Field(alias="TOPIC_ARN", min_length=1)
    event_bus: str = Field(alias="EVENT_BUS", min_length=1)
    policy_parameter: str = Field(alias="POLICY_PARAMETER", min_length=1)
    known_config_prefix: str = Field(alias="KNOWN_CONFIG_PREFIX", min_length=1)
    digest_key_id: str = Field(alias="DIGEST_KEY_ID", min_length=1)
    snapshot_key_id: str = Field(alias="SNAPSHOT_KEY_ID", min_length=1)
    # The two words and no others: a string "false" must never pass for true.
    approval_workflow: Literal["true", "false"] = Field(alias="ENABLE_APPROVAL_WORKFLOW")
    state_machine_arn: str = Field(
        alias="STATE_MACHINE_ARN", pattern=r"^arn:[^:]+:states:[^:]+:\d{12}:stateMachine:[^:]+$"
    )

    # Empty, or not there: no page is deployed, and no message carries a link.
    approval_url: str = Field("", alias="APPROVAL_URL")

    @property
    def account_id(self) -> str:
        """The account that the service runs in."""
        return self.state_machine_arn.split(":")[4]

    @property
    def is_approval_required(self) -> bool:
        """Whether a person has to agree to every change."""
        return self.approval_workflow == "true"


@lru_cache(maxsize=1)
def settings() -> Settings:
    """Give this process's settings.

    Raises:
        ConfigurationError: Variables are missing or wrong.
    """
    return Settings.from_environment(os.environ)


@lru_cache(maxsize=1)
def clients() -> Clients:
    """Give this process's AWS clients.

    Raises:
        ConfigurationError: Variables are missing or wrong.
    """
    return Clients(settings().region)


@lru_cache(maxsize=1)
def ports() -> Ports:
    """Give this process's adapters; a client is only made when its adapter first needs it.

    Raises:
        ConfigurationError: Variables are missing or wrong.
    """
    return connected(settings(), clients())


def connected(given: Settings, aws: Clients) -> Ports:
    """Build the adapters."""
    clock = SystemClock()
    digester = Digester(aws.kms, given.digest_key_id)
    known_config = SsmKnownConfig(
        aws.ssm, aws.secretsmanager, digester, prefix=given.known_config_prefix
    )
    snapshots = Snapshots(
        aws.dynamodb, aws.kms, table=given.state_table, key_id=given.snapshot_key_id, clock=clock
    )
    values = StoredVariableValues(known_config, snapshots)
    return Ports(
        clock=clock,
        functions=LambdaFunctions(aws.lambda_, digester, values),
        alarms=CloudWatchAlarms(aws.cloudwatch),
        metric_filters=CloudWatchMetricFilters(aws.logs),
        own_alarms=CloudWatchOwnAlarms(aws.cloudwatch, aws.ssm, environment=given.environment),
        admissions=DynamoAdmissions(aws.dynamodb, table=given.state_table),
        logs=CloudWatchLogs(aws.logs),
        metrics=CloudWatchMetrics(aws.cloudwatch),
        callers=LambdaCallers(aws.lambda_, aws.sqs),
        change_log=CloudTrailChangeLog(aws.cloudtrail),
        releases=LambdaReleases(aws.lambda_),
        concurrency=LambdaConcurrency(aws.lambda_),
        stacks=CloudFormationStacks(aws.cloudformation),
        environment_keys=KmsEnvironmentKeys(aws.kms),
        roles=IamRoles(aws.iam),
        snapshots=ConfigurationSnapshots(
            aws.dynamodb, aws.lambda_, digester, snapshots, table=given.state_table, clock=clock
        ),
        known_config=known_config,
        probes=DeclaredProbes(
            aws.ssm,
            aws.lambda_once,
            prefix=f"/lambda-auto-repair/{given.environment}/probe",
            clock=clock,
        ),
        policies=SsmPolicies(
            aws.ssm, parameter=given.policy_parameter, on_unreadable=_count_unreadable_policy
        ),
        evidence=S3EvidenceStore(aws.s3, digester, bucket=given.evidence_bucket),
        audit=DynamoAuditTrail(aws.dynamodb, table=given.audit_table),
        state=DynamoIncidentState(aws.dynamodb, table=given.state_table, clock=clock),
        ledger=DynamoRepairLedger(aws.dynamodb, table=given.state_table, clock=clock),
        notifier=SnsNotifier(aws.sns, topic_arn=given.topic_arn),
        approvals=TaskTokenApprovals(
            aws.dynamodb, aws.stepfunctions, table=given.state_table, clock=clock
        ),
        links=DynamoApprovalLinks(aws.dynamodb, table=given.state_table, clock=clock),
        unsent=DynamoUnsentMessages(aws.dynamodb, table=given.state_table),
        watches=DynamoWatches(aws.dynamodb, table=given.state_table, clock=clock),
        pace=SteadyPace(),
        announcer=EventBridgeAnnouncer(aws.events, bus=given.event_bus),
        advisor=advisor_of(given, aws),
        executions=StepFunctionsExecutions(
            aws.stepfunctions, state_machine_arn=given.state_machine_arn
        ),
        standing_alarms=CloudWatchStandingAlarms(
            aws.cloudwatch, account_id=given.account_id, region=given.region
        ),
        enrolment=TaggedFunctions(aws.tagging),
        account_id=given.account_id,
        region=given.region,
        is_approval_required=given.is_approval_required,
        approval_url=given.approval_url,
    )


def advisor_of(given: AdvisorSettings, aws: Clients) -> Advisor:
    """Give whom the deployment asks where the rules leave a cause open; maybe nobody."""
    if given.diagnosis_mode == "rules":
        return UnknownAdvisor()
    return model_advisor(given, aws)


def model_advisor(given: AdvisorSettings, aws: Clients) -> Advisor:
    """Give the model of these settings, whatever their mode."""
    # Only DiagnoseIssue asks; the other steps start sooner without.
    from autorepair.aws.advisor import BedrockAdvisor, Guardrail  # noqa: PLC0415 - see above
    from autorepair.aws.advisor_runbooks import (  # noqa: PLC0415 - see above
        KnowledgeBaseRunbooks,
        PackagedRunbooks,
    )

    base = given.knowledge_base_id
    return BedrockAdvisor(
        aws.bedrock_runtime,
        KnowledgeBaseRunbooks(aws.bedrock_agent_runtime, knowledge_base_id=base)
        if base
        else PackagedRunbooks(),
        model_id=given.advisor_model_id,
        guardrail=Guardrail(given.guardrail_id, given.guardrail_version)
        if given.guardrail_id
        else None,
    )


def handler_for(
    input_model: type[InputT],
    step: Callable[[InputT, Ports], Value],
    *,
    uses: Iterable[ServiceName] = ("dynamodb",),
) -> Handler:
    """Make the Lambda handler of a step: event in, the value of the step's key out.

    ``uses`` names the AWS clients to make while the environment starts, which runs at full speed;
    any other is made when it is first needed. The event itself is never logged.
    """
    name = step.__name__
    if "AWS_LAMBDA_FUNCTION_NAME" in os.environ:
        clients().make(uses)

    @logger.inject_lambda_context(clear_state=True, log_event=False)
    def handler(event: dict[str, Any], context: LambdaContext) -> dict[str, Any]:  # noqa: ARG001 - Lambda passes it
        logger.append_keys(step=name, incident_id=_incident_id(event))
        try:
            value = step(_parsed(input_model, event), ports())
        except Exception as error:
            _tell_failure(name, error)
            raise
        if isinstance(value, PageResponse) and value.failure is not None:
            # The person reads that it failed, so it is a value; the alarms are told all the same.
            logger.error(value.failure[:_LARGEST_LOGGED_MESSAGE])
            _count(name, "Failed")
            return value.as_json()
        logger.info("done")
        if isinstance(value, Diagnosis) and value.consultation is not None:
            _count_consultation(value.consultation)
        _count(name, "Succeeded")
        return value.as_json()

    return handler


def _parsed(input_model: type[InputT], event: dict[str, Any]) -> InputT:
    try:
        return input_model.model_validate(event)
    except ValidationError as error:
        # Not chained: the validation error quotes its input, and that is data written by others.
        raise MalformedEventError(
            f"the input is not a {input_model.__name__}: {_faults(error)}"
        ) from None


def _faults(error: ValidationError) -> str:
    return "; ".join(
        f"{'.'.join(str(part) for part in fault['loc']) or 'input'}: {fault['msg']}"
        for fault in error.errors(include_url=False, include_input=False, include_context=False)
    )


def _incident_id(event: dict[str, Any]) -> str | None:
    """Find the incident in the state data, which RequestApproval gets one level deeper."""
    state = event.get("state", event)
    incident = state.get("incident") if isinstance(state, dict) else None
    found = incident.get("id") if isinstance(incident, dict) else None
    return found if isinstance(found, str) else None


def _tell_failure(name: str, error: Exception) -> None:
    """Log what an error of ours says; any other is left to the runtime, which logs its trace."""
    keys = {"error": type(error).__name__}
    if isinstance(error, AutoRepairError):
        logger.error(str(error)[:_LARGEST_LOGGED_MESSAGE], extra=keys)
    else:
        logger.error("failed unexpectedly", extra=keys)
    _count(name, "Failed")


def _count_consultation(said: Consultation) -> None:
    """Count what asking the model took; sent along with the count of the step itself."""
    answer = "AdviceHeard" if said.is_heard else "AdviceUnheard"
    metrics.add_metric(name=answer, unit=MetricUnit.Count, value=1)
    if said.use is None:
        return
    figures = {"AdviceInputTokens": said.use.input_tokens}
    figures["AdviceOutputTokens"] = said.use.output_tokens
    for figure, value in figures.items():
        metrics.add_metric(name=figure, unit=MetricUnit.Count, value=value)
    metrics.add_metric(
        name="AdviceLatency", unit=MetricUnit.Milliseconds, value=said.use.latency_ms
    )
    if said.use.cost_usd is not None:
        metrics.add_metric(name="AdviceCostUsd", unit=MetricUnit.NoUnit, value=said.use.cost_usd)


def _count_unreadable_policy() -> None:
    """Count it; sent along with the count of the step itself. An alarm stands on it."""
    metrics.add_metric(name="PolicyUnreadable", unit=MetricUnit.Count, value=1)


def _count(name: str, result: Literal["Succeeded", "Failed"]) -> None:
    state = "".join(part.capitalize() for part in name.split("_"))
    metrics.add_metric(name=f"{state}{result}", unit=MetricUnit.Count, value=1)
    metrics.flush_metrics()
