"""boto3 clients for the lab's endpoint, made once and shared between threads."""

from __future__ import annotations

from typing import TYPE_CHECKING

import boto3
from botocore.config import Config

from autorepair_lab.account.own_calls import mark

if TYPE_CHECKING:
    from types_boto3_cloudwatch import CloudWatchClient
    from types_boto3_dynamodb import DynamoDBClient
    from types_boto3_events import EventBridgeClient
    from types_boto3_iam import IAMClient
    from types_boto3_lambda import LambdaClient
    from types_boto3_s3 import S3Client
    from types_boto3_ssm import SSMClient
    from types_boto3_stepfunctions import SFNClient

DUMMY_KEY = "lab"
"""Both halves of the credentials; the emulated account asks for none in particular."""

# A patient may run for Lambda's whole 900 seconds, and it must not be invoked twice.
_CONFIG = Config(
    connect_timeout=5, read_timeout=920, retries={"total_max_attempts": 1}, max_pool_connections=64
)


class Clients:
    """What the lab itself calls in the account that it emulates."""

    def __init__(self, endpoint: str, region: str) -> None:
        session = boto3.Session(
            aws_access_key_id=DUMMY_KEY, aws_secret_access_key=DUMMY_KEY, region_name=region
        )
        session.events.register("before-call", mark)
        self.lambda_: LambdaClient = session.client("lambda", endpoint_url=endpoint, config=_CONFIG)
        self.cloudwatch: CloudWatchClient = session.client(
            "cloudwatch", endpoint_url=endpoint, config=_CONFIG
        )
        self.dynamodb: DynamoDBClient = session.client(
            "dynamodb", endpoint_url=endpoint, config=_CONFIG
        )
        self.events: EventBridgeClient = session.client(
            "events", endpoint_url=endpoint, config=_CONFIG
        )
        self.iam: IAMClient = session.client("iam", endpoint_url=endpoint, config=_CONFIG)
        self.s3: S3Client = session.client("s3", endpoint_url=endpoint, config=_CONFIG)
        self.ssm: SSMClient = session.client("ssm", endpoint_url=endpoint, config=_CONFIG)
        self.stepfunctions: SFNClient = session.client(
            "stepfunctions", endpoint_url=endpoint, config=_CONFIG
        )
