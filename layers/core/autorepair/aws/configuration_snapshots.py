"""Configurations that the service remembers, in the state table; their values are sealed."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import timedelta
from typing import TYPE_CHECKING, ClassVar

from pydantic import ValidationError

from autorepair.aws.digests import Digester
from autorepair.aws.errors import aws_call
from autorepair.aws.reading import Reading
from autorepair.aws.snapshots import Snapshots
from autorepair.domain.configuration import FunctionConfiguration
from autorepair.domain.errors import StaleConfigurationError, TargetNotFoundError
from autorepair.domain.incident import Target
from autorepair.domain.snapshot import Snapshot, SnapshotReason
from autorepair.ports import Clock

if TYPE_CHECKING:
    from types_boto3_dynamodb import DynamoDBClient
    from types_boto3_lambda import LambdaClient

_KEPT_FOR = timedelta(days=90)


class ConfigurationSnapshots:
    """One item per function and reason, the latest one; values under the fingerprint's id.

    Equal fingerprints mean equal values, so that a repair that needs one of them back finds it
    under the fingerprint that it was planned on.
    """

    permissions: ClassVar[Mapping[str, frozenset[str]]] = {
        "keep": Snapshots.permissions["seal"]
        | {"lambda:GetFunctionConfiguration", "kms:GenerateMac"},
        "of": frozenset({"dynamodb:Query"}),
    }

    def __init__(  # noqa: PLR0913 - each is a part that it is put together from
        self,
        dynamodb: DynamoDBClient,
        lambda_: LambdaClient,
        digester: Digester,
        sealed: Snapshots,
        *,
        table: str,
        clock: Clock,
    ) -> None:
        self._dynamodb = dynamodb
        self._lambda = lambda_
        self._digester = digester
        self._sealed = sealed
        self._table = table
        self._clock = clock

    def keep(self, configuration: FunctionConfiguration, reason: SnapshotReason) -> None:
        """Remember the configuration for 90 days, and seal its values for 30.

        An environment that cannot be read is remembered without values.

        Raises:
            StaleConfigurationError: The function is no longer configured like this.
            TargetNotFoundError: There is no such function.
            AccessDeniedError, TransientServiceError, ConfigurationError: It cannot be kept.
        """
        reading = self._reading(configuration)
        for name, value in sorted(reading.env.items()):
            self._sealed.seal(configuration.fingerprint, reading.arn, name, value)
        now = self._clock.now()
        snapshot = Snapshot(reason=reason, taken_at=now, configuration=configuration)
        with aws_call("dynamodb:PutItem", f"table {self._table}"):
            self._dynamodb.put_item(
                TableName=self._table,
                Item={
                    "pk": {"S": _partition(configuration.function_arn)},
                    "sk": {"S": reason},
                    "snapshot": {"S": snapshot.model_dump_json()},
                    "expires_at": {"N": str(int((now + _KEPT_FOR).timestamp()))},
                },
            )

    def of(self, target: Target) -> tuple[Snapshot, ...]:
        """Give what is remembered of a function, oldest first, without any value.

        One that a former release wrote in another form is left out.

        Raises:
            AccessDeniedError, TransientServiceError, ConfigurationError: It cannot be read.
        """
        with aws_call("dynamodb:Query", f"table {self._table}"):
            items = self._dynamodb.query(
                TableName=self._table,
                KeyConditionExpression="pk = :pk",
                ExpressionAttributeValues={":pk": {"S": _partition(target.function_arn)}},
                ConsistentRead=True,
            )["Items"]
        found = [snapshot for item in items if (snapshot := _read(item["snapshot"]["S"]))]
        return tuple(sorted(found, key=lambda snapshot: snapshot.taken_at))

    def _reading(self, configuration: FunctionConfiguration) -> Reading:
        arn = configuration.function_arn
        with aws_call("lambda:GetFunctionConfiguration", arn, missing=TargetNotFoundError):
            answer = self._lambda.get_function_configuration(FunctionName=arn)
        reading = Reading({k: v for k, v in answer.items() if k != "ResponseMetadata"})
        if reading.fingerprint(self._digester) != configuration.fingerprint:
            raise StaleConfigurationError(
                f"{arn} was changed while its configuration was being remembered"
            )
        return reading


def _partition(function_arn: str) -> str:
    return f"snapshot#{function_arn}"


def _read(text: str) -> Snapshot | None:
    try:
        return Snapshot.model_validate_json(text)
    except ValidationError:
        return None
