from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

import pytest
from moto import mock_aws

from adapters.account import AUDIT_TABLE, REGION, STATE_TABLE, Account, ScriptedLambda
from autorepair.aws.clients import Clients

if TYPE_CHECKING:
    from types_boto3_dynamodb import DynamoDBClient


@pytest.fixture(autouse=True)
def _no_real_account(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("AWS_PROFILE", "AWS_ENDPOINT_URL", "AWS_LAMBDA_FUNCTION_NAME"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "testing")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "testing")
    monkeypatch.setenv("AWS_DEFAULT_REGION", REGION)
    monkeypatch.setenv("AWS_REGION", REGION)


@pytest.fixture
def account() -> Iterator[Account]:
    with mock_aws(
        config={"lambda": {"use_docker": False}, "iam": {"load_aws_managed_policies": False}}
    ):
        clients = Clients(REGION)
        _make_table(clients.dynamodb, STATE_TABLE, "pk", "sk", "S")
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
