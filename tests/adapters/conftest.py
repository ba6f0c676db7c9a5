from __future__ import annotations

import functools
import threading
from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING, Any, get_args

import pytest
from moto import mock_aws
from moto.dynamodb.models import DynamoDBBackend

from adapters.account import AUDIT_TABLE, REGION, STATE_TABLE, Account, ScriptedLambda
from autorepair.aws.clients import Clients, ServiceName

if TYPE_CHECKING:
    from types_boto3_dynamodb import DynamoDBClient

CREDENTIALS = {
    "AWS_ACCESS_KEY_ID": "testing",
    "AWS_SECRET_ACCESS_KEY": "testing",
    "AWS_DEFAULT_REGION": REGION,
    "AWS_REGION": REGION,
}
MOTO: Any = {"lambda": {"use_docker": False}, "iam": {"load_aws_managed_policies": False}}


@pytest.fixture(autouse=True)
def _no_real_account(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("AWS_PROFILE", "AWS_ENDPOINT_URL", "AWS_LAMBDA_FUNCTION_NAME"):
        monkeypatch.delenv(name, raising=False)
    for name, value in CREDENTIALS.items():
        monkeypatch.setenv(name, value)


@pytest.fixture(autouse=True)
def _atomic_writes(monkeypatch: pytest.MonkeyPatch) -> None:
    """DynamoDB checks a condition and writes in one step; moto's threads may come in between."""
    lock = threading.Lock()

    def in_one_step(write: Callable[..., Any]) -> Callable[..., Any]:
        @functools.wraps(write)
        def locked(*args: object, **kwargs: object) -> object:
            with lock:
                return write(*args, **kwargs)

        return locked

    for name in ("put_item", "update_item", "delete_item"):
        monkeypatch.setattr(DynamoDBBackend, name, in_one_step(getattr(DynamoDBBackend, name)))


@pytest.fixture(scope="session")
def clients() -> Iterator[Clients]:
    """One set for all tests: to parse the service models takes longer than most of them."""
    with pytest.MonkeyPatch.context() as patch:
        for name, value in CREDENTIALS.items():
            patch.setenv(name, value)
        made = Clients(REGION)
        made.make(get_args(ServiceName))
        yield made


@pytest.fixture
def account(clients: Clients) -> Iterator[Account]:
    with mock_aws(config=MOTO):
        _make_table(clients.dynamodb, STATE_TABLE, "pk", "sk", "S")
        _index_unsettled(clients.dynamodb)
        _make_table(clients.dynamodb, AUDIT_TABLE, "incident_id", "seq", "N")
        digest_key = clients.kms.create_key(KeySpec="HMAC_256", KeyUsage="GENERATE_VERIFY_MAC")
        snapshot_key = clients.kms.create_key()
        yield Account(
            clients,
            digest_key=digest_key["KeyMetadata"]["KeyId"],
            snapshot_key=snapshot_key["KeyMetadata"]["KeyId"],
        )


@pytest.fixture
def scripted(account: Account) -> ScriptedLambda:
    return ScriptedLambda(account)


def _make_table(
    dynamodb: DynamoDBClient, name: str, partition: str, sort: str, sort_type: str
) -> None:
    dynamodb.create_table(
        TableName=name,
        KeySchema=[
            {"AttributeName": partition, "KeyType": "HASH"},
            {"AttributeName": sort, "KeyType": "RANGE"},
        ],
        AttributeDefinitions=[
            {"AttributeName": partition, "AttributeType": "S"},
            {"AttributeName": sort, "AttributeType": "N" if sort_type == "N" else "S"},
        ],
        BillingMode="PAY_PER_REQUEST",
    )


def _index_unsettled(dynamodb: DynamoDBClient) -> None:
    dynamodb.update_table(
        TableName=STATE_TABLE,
        AttributeDefinitions=[
            {"AttributeName": "unsettled", "AttributeType": "S"},
            {"AttributeName": "since", "AttributeType": "S"},
        ],
        GlobalSecondaryIndexUpdates=[
            {
                "Create": {
                    "IndexName": "unsettled",
                    "KeySchema": [
                        {"AttributeName": "unsettled", "KeyType": "HASH"},
                        {"AttributeName": "since", "KeyType": "RANGE"},
                    ],
                    "Projection": {
                        "ProjectionType": "INCLUDE",
                        "NonKeyAttributes": ["incident"],
                    },
                }
            }
        ],
    )
