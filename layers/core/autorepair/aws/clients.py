"""The boto3 clients: one configuration for all, each made when it is first needed."""

from __future__ import annotations

import logging
from collections.abc import Iterable, Mapping
from functools import cached_property
from typing import TYPE_CHECKING, Any, Literal, Protocol, cast

import boto3
from botocore.config import Config

if TYPE_CHECKING:
    from types_boto3_bedrock_agent_runtime import AgentsforBedrockRuntimeClient
    from types_boto3_bedrock_runtime import BedrockRuntimeClient
    from types_boto3_cloudformation import CloudFormationClient
    from types_boto3_cloudtrail import CloudTrailClient
    from types_boto3_cloudwatch import CloudWatchClient
    from types_boto3_dynamodb import DynamoDBClient
    from types_boto3_events import EventBridgeClient
    from types_boto3_iam import IAMClient
    from types_boto3_kms import KMSClient
    from types_boto3_lambda import LambdaClient
    from types_boto3_logs import CloudWatchLogsClient
    from types_boto3_s3 import S3Client
    from types_boto3_secretsmanager import SecretsManagerClient
    from types_boto3_sns import SNSClient
    from types_boto3_sqs import SQSClient
    from types_boto3_ssm import SSMClient
    from types_boto3_stepfunctions import SFNClient

ServiceName = Literal[
    "bedrock-agent-runtime",
    "bedrock-runtime",
    "cloudformation",
    "cloudtrail",
    "cloudwatch",
    "dynamodb",
    "events",
    "iam",
    "kms",
    "lambda",
    "logs",
    "resourcegroupstaggingapi",
    "s3",
    "secretsmanager",
    "sns",
    "sqs",
    "ssm",
    "stepfunctions",
    "sts",
]


# A model takes its time, so it is waited for longer and tried less often. At worst all tries of
# both take 105 seconds; DiagnoseIssue has 300.
_SLOWER: Mapping[ServiceName, Mapping[str, Any]] = {
    "bedrock-runtime": {
        "read_timeout": 28,
        "retries": {"mode": "standard", "total_max_attempts": 3},
    },
    "bedrock-agent-runtime": {
        "read_timeout": 5,
        "retries": {"mode": "standard", "total_max_attempts": 2},
    },
}
# Invoking a target: it is waited for until its own timeout is over (60 s at most, and a cold
# start), and nothing is ever sent twice.
_ONCE: Mapping[str, Any] = {
    "read_timeout": 75,
    "retries": {"mode": "standard", "total_max_attempts": 1},
}


class CallerIdentityClient(Protocol):
    """The one call of STS that is used; its stubs are not among the locked packages."""

    def get_caller_identity(self) -> Mapping[str, Any]:
        """Give Arn, Account and UserId of the caller."""
        ...


class TaggingClient(Protocol):
    """The one call of the tagging API that is used; its stubs are not locked either."""

    def get_resources(self, **request: object) -> Mapping[str, Any]:
        """Give ResourceTagMappingList and, if there is more, PaginationToken."""
        ...


class LazyClient:
    """Stands in for a boto3 client and makes it at its first use.

    A client costs some 40 ms to make and no step uses all of them.
    """

    def __init__(self, session: boto3.Session, service: ServiceName, config: Config) -> None:
        self._session = session
        self._service = service
        self._config = config

    @cached_property
    def made(self) -> Any:  # noqa: ANN401 - whichever client it stands for
        """The client itself."""
        return self._session.client(self._service, config=self._config)

    def __getattr__(self, name: str) -> Any:  # noqa: ANN401 - whatever the client has
        return getattr(self.made, name)


class Clients:
    """All clients of one process; they share credentials, timeouts and retries."""

    def __init__(self, region: str) -> None:
        # At DEBUG botocore logs request bodies, and those hold environment values.
        for name in ("boto3", "botocore", "urllib3"):
            logging.getLogger(name).setLevel(logging.WARNING)
        self.region = region
        self._session = boto3.Session(region_name=region)
        self._config = Config(
            connect_timeout=2,
            read_timeout=8,
            retries={"mode": "standard", "max_attempts": 4},
            user_agent_extra="lambda-auto-repair",
        )
        self._slower = {
            service: self._config.merge(Config(**times)) for service, times in _SLOWER.items()
        }
        self._lazy: dict[ServiceName, LazyClient] = {}
        self._once = LazyClient(self._session, "lambda", self._config.merge(Config(**_ONCE)))

    def make(self, services: Iterable[ServiceName]) -> None:
        """Make these clients now; during INIT that runs at full speed."""
        for service in services:
            _ = self._client(service).made

    # Each stand-in behaves as the client it makes; the casts say so to the type checker.

    @property
    def bedrock_runtime(self) -> BedrockRuntimeClient:
        """The model."""
        return cast("BedrockRuntimeClient", self._client("bedrock-runtime"))

    @property
    def bedrock_agent_runtime(self) -> AgentsforBedrockRuntimeClient:
        """The Knowledge Base."""
        return cast("AgentsforBedrockRuntimeClient", self._client("bedrock-agent-runtime"))

    @property
    def cloudformation(self) -> CloudFormationClient:
        """The stacks that own target functions."""
        return cast("CloudFormationClient", self._client("cloudformation"))

    @property
    def cloudtrail(self) -> CloudTrailClient:
        """What was done in the account."""
        return cast("CloudTrailClient", self._client("cloudtrail"))

    @property
    def cloudwatch(self) -> CloudWatchClient:
        """Metrics and alarms."""
        return cast("CloudWatchClient", self._client("cloudwatch"))

    @property
    def dynamodb(self) -> DynamoDBClient:
        """The audit and the state table."""
        return cast("DynamoDBClient", self._client("dynamodb"))

    @property
    def events(self) -> EventBridgeClient:
        """The service's own bus."""
        return cast("EventBridgeClient", self._client("events"))

    @property
    def iam(self) -> IAMClient:
        """The roles of target functions."""
        return cast("IAMClient", self._client("iam"))

    @property
    def kms(self) -> KMSClient:
        """Digests and sealed values."""
        return cast("KMSClient", self._client("kms"))

    @property
    def lambda_(self) -> LambdaClient:
        """The target functions."""
        return cast("LambdaClient", self._client("lambda"))

    @property
    def lambda_once(self) -> LambdaClient:
        """The target functions, for calls that must not be repeated."""
        return cast("LambdaClient", self._once)

    @property
    def logs(self) -> CloudWatchLogsClient:
        """The target functions' logs."""
        return cast("CloudWatchLogsClient", self._client("logs"))

    @property
    def s3(self) -> S3Client:
        """The evidence bucket."""
        return cast("S3Client", self._client("s3"))

    @property
    def secretsmanager(self) -> SecretsManagerClient:
        """Secrets that declared variables name."""
        return cast("SecretsManagerClient", self._client("secretsmanager"))

    @property
    def sns(self) -> SNSClient:
        """The notification topic."""
        return cast("SNSClient", self._client("sns"))

    @property
    def sqs(self) -> SQSClient:
        """The queues that feed target functions."""
        return cast("SQSClient", self._client("sqs"))

    @property
    def ssm(self) -> SSMClient:
        """The policy and the known configuration."""
        return cast("SSMClient", self._client("ssm"))

    @property
    def tagging(self) -> TaggingClient:
        """Which functions are enrolled."""
        return cast("TaggingClient", self._client("resourcegroupstaggingapi"))

    @property
    def stepfunctions(self) -> SFNClient:
        """The executions of the state machine."""
        return cast("SFNClient", self._client("stepfunctions"))

    @property
    def sts(self) -> CallerIdentityClient:
        """Who is calling."""
        return cast("CallerIdentityClient", self._client("sts"))

    def _client(self, service: ServiceName) -> LazyClient:
        if service not in self._lazy:
            self._lazy[service] = LazyClient(
                self._session, service, self._slower.get(service, self._config)
            )
        return self._lazy[service]
