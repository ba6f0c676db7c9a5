"""What the adapter tests share: an emulated account, and the answers of a scripted Lambda."""

from __future__ import annotations

import io
import json
import zipfile
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any

from botocore.exceptions import ConnectionClosedError
from botocore.stub import Stubber

from autorepair.aws.clients import Clients
from autorepair.aws.digests import Digester
from autorepair.aws.functions import LambdaFunctions
from autorepair.aws.known_config import SsmKnownConfig
from autorepair.aws.reading import Reading
from autorepair.aws.snapshots import Snapshots
from autorepair.aws.variable_values import StoredVariableValues
from autorepair.domain.configuration import FunctionConfiguration
from autorepair.domain.incident import Incident, Target

REGION, ACCOUNT = "eu-central-1", "123456789012"
NAME = "orders"
ARN = f"arn:aws:lambda:{REGION}:{ACCOUNT}:function:{NAME}"
PREFIX = "/lambda-auto-repair/dev/known-config"
STATE_TABLE, AUDIT_TABLE = "state", "audit"
NOW = datetime(2026, 3, 4, 12, 0, tzinfo=UTC)
TARGET = Target(function_name=NAME, function_arn=ARN, account_id=ACCOUNT, region=REGION)
# Values that must never be seen outside.
SECRET, OTHER_SECRET = "s3cr3t-value-one", "s3cr3t-value-two"
ENV = {"DATABASE_URL": SECRET, "STAGE": "production-stage"}


class SetClock:
    """A clock that stands until it is moved."""

    def __init__(self) -> None:
        self.moment = NOW

    def now(self) -> datetime:
        return self.moment

    def move(self, span: timedelta) -> None:
        self.moment += span


def incident(incident_id: str = "incident-1") -> Incident:
    return Incident(
        id=incident_id,
        disposition="opened",
        reason="an alarm on an enrolled function",
        target=TARGET,
        alarm=None,
        execution_arn=f"arn:aws:states:{REGION}:{ACCOUNT}:execution:repair:{incident_id}",
        opened_at=NOW,
    )


def raw(**members: Any) -> dict[str, Any]:  # noqa: ANN401 - any member of the answer
    """GetFunctionConfiguration's answer."""
    return {
        "FunctionName": NAME,
        "FunctionArn": ARN,
        "Runtime": "python3.12",
        "Handler": "app.handler",
        "Role": f"arn:aws:iam::{ACCOUNT}:role/orders",
        "Timeout": 3,
        "MemorySize": 128,
        "CodeSha256": "abc",
        "LastModified": "2026-01-14T01:34:30.000+0000",
        "Version": "$LATEST",
        "Environment": {"Variables": dict(ENV)},
        "RevisionId": "r1",
        "State": "Active",
        "LastUpdateStatus": "Successful",
        "PackageType": "Zip",
        "Architectures": ["x86_64"],
    } | members


@dataclass
class Account:
    """An emulated account with what the service's own stack would have made in it."""

    clients: Clients
    digest_key: str
    snapshot_key: str
    clock: SetClock = field(default_factory=SetClock)

    def __post_init__(self) -> None:
        self.digester = Digester(self.clients.kms, self.digest_key)
        self.known_config = SsmKnownConfig(
            self.clients.ssm, self.clients.secretsmanager, self.digester, prefix=PREFIX
        )
        self.snapshots = Snapshots(
            self.clients.dynamodb,
            self.clients.kms,
            table=STATE_TABLE,
            key_id=self.snapshot_key,
            clock=self.clock,
        )
        self.values = StoredVariableValues(self.known_config, self.snapshots)

    def fingerprint(self, **members: Any) -> str:  # noqa: ANN401 - any member of the answer
        return Reading(raw(**members)).fingerprint(self.digester)

    def configuration(self, **members: Any) -> FunctionConfiguration:  # noqa: ANN401 - as above
        reading = Reading(raw(**members))
        return reading.configuration(self.digester, tags={}, reserved_concurrency=None)

    def declare(self, name: str, entry: object, kind: str = "String") -> None:
        self.clients.ssm.put_parameter(
            Name=f"{PREFIX}/{NAME}/{name}",
            Value=entry if isinstance(entry, str) else json.dumps(entry),
            Type="SecureString" if kind == "SecureString" else "String",
            Overwrite=True,
        )

    def make_function(self, *, env: dict[str, str] | None = None) -> None:
        self.clients._session.client("iam").create_role(
            RoleName="orders", AssumeRolePolicyDocument='{"Statement": []}'
        )
        self.clients.lambda_.create_function(
            FunctionName=NAME,
            Runtime="python3.12",
            Role=f"arn:aws:iam::{ACCOUNT}:role/orders",
            Handler="app.handler",
            Code={"ZipFile": _archive()},
            Timeout=3,
            MemorySize=128,
            Environment={"Variables": ENV if env is None else env},
            Tags={"auto-repair": "enabled"},
        )


def _archive() -> bytes:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        archive.writestr("app.py", "def handler(event, context): ...")
    return buffer.getvalue()


class ScriptedLambda:
    """Lambda as botocore's Stubber: each call has to be the next one of the script."""

    def __init__(self, account: Account) -> None:
        self.account = account
        # One of its own: the script must not stay with the client that all tests share.
        self.client: Any = account.clients._session.client("lambda")
        self.stubber = Stubber(self.client)
        self.stubber.activate()
        self.slept: list[float] = []
        self.revision = "r1"
        self.functions = LambdaFunctions(
            self.client, account.digester, account.values, sleep=self.slept.append
        )

    def reads(self, **members: Any) -> ScriptedLambda:  # noqa: ANN401 - any member of the answer
        self.stubber.add_response(
            "get_function_configuration",
            raw(**{"RevisionId": self.revision} | members),
            {"FunctionName": ARN},
        )
        return self

    def writes(self, revision: str, **request: Any) -> ScriptedLambda:  # noqa: ANN401 - its members
        self.stubber.add_response(
            "update_function_configuration",
            raw(LastUpdateStatus="InProgress", RevisionId=f"{revision}+"),
            {"FunctionName": ARN, "RevisionId": revision, **request},
        )
        self.revision = f"{revision}+"
        return self

    def fails(
        self, operation: str, code: str, message: str = "refused", status: int = 400
    ) -> ScriptedLambda:
        self.stubber.add_client_error(operation, code, message, http_status_code=status)
        return self

    def loses_the_answer(self) -> ScriptedLambda:
        """Break the connection of the next write; that it was made, the next reading says."""

        def drop(**_: object) -> None:
            raise ConnectionClosedError(endpoint_url="https://lambda")

        # Before the Stubber gets to see the call: it would miss it in its script.
        self.client.meta.events.register_first(
            "provide-client-params.lambda.UpdateFunctionConfiguration", drop
        )
        return self

    def describes(self, tags: dict[str, str] | None = None) -> ScriptedLambda:
        self.stubber.add_response("list_tags", {"Tags": tags or {}}, {"Resource": ARN})
        self.stubber.add_response("get_function_concurrency", {}, {"FunctionName": ARN})
        return self

    def ends(self) -> None:
        self.stubber.assert_no_pending_responses()
