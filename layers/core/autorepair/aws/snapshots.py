"""Environment values that were in place before a change, each sealed by KMS."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import timedelta
from typing import TYPE_CHECKING, ClassVar

from autorepair.aws.errors import AWS_FAILURES, aws_call, code_of, translated
from autorepair.domain.errors import TransientServiceError, UndeclaredValueError
from autorepair.ports import Clock

if TYPE_CHECKING:
    from types_boto3_dynamodb import DynamoDBClient
    from types_boto3_kms import KMSClient

_KEPT_FOR = timedelta(days=30)
# KMS seals one byte at least, and a variable may be empty.
_PREFIX = b"="


class Snapshots:
    """Seals values one by one: KMS takes 4 KB at a time, as much as a whole environment may be.

    The encryption context binds a sealed value to its function, snapshot and name: it cannot be
    opened as another variable's, nor for another function.
    """

    permissions: ClassVar[Mapping[str, frozenset[str]]] = {
        "seal": frozenset({"kms:Encrypt", "dynamodb:PutItem"}),
        "open": frozenset({"dynamodb:GetItem", "kms:Decrypt"}),
    }

    def __init__(
        self, dynamodb: DynamoDBClient, kms: KMSClient, *, table: str, key_id: str, clock: Clock
    ) -> None:
        self._dynamodb = dynamodb
        self._kms = kms
        self._table = table
        self._key_id = key_id
        self._clock = clock

    def seal(self, snapshot_id: str, function_arn: str, name: str, value: str) -> None:
        """Keep a value for 30 days; sealing it again replaces it.

        Raises:
            AccessDeniedError, TransientServiceError, ConfigurationError: It cannot be kept.
        """
        with aws_call("kms:Encrypt", self._key_id):
            sealed = self._kms.encrypt(
                KeyId=self._key_id,
                Plaintext=_PREFIX + value.encode(),
                EncryptionContext=_context(snapshot_id, function_arn, name),
            )["CiphertextBlob"]
        expires_at = int((self._clock.now() + _KEPT_FOR).timestamp())
        with aws_call("dynamodb:PutItem", f"table {self._table}"):
            self._dynamodb.put_item(
                TableName=self._table,
                Item={
                    **_key(snapshot_id, function_arn, name),
                    "sealed": {"B": sealed},
                    "expires_at": {"N": str(expires_at)},
                },
            )

    def open(self, snapshot_id: str, function_arn: str, name: str) -> str:
        """Give the value that was sealed.

        Raises:
            UndeclaredValueError: There is no such sealed value, or it cannot be opened.
            AccessDeniedError, TransientServiceError, ConfigurationError: The table cannot be read.
        """
        with aws_call("dynamodb:GetItem", f"table {self._table}"):
            item = self._dynamodb.get_item(
                TableName=self._table,
                Key=_key(snapshot_id, function_arn, name),
                ConsistentRead=True,
            ).get("Item")
        if item is None:
            raise UndeclaredValueError(
                f"snapshot {snapshot_id} holds no value of {name} for {function_arn} (any more): "
                f"set {name} by hand, or declare it in the known configuration"
            )
        return self._opened(item["sealed"]["B"], snapshot_id, function_arn, name)

    def _opened(self, sealed: bytes, snapshot_id: str, function_arn: str, name: str) -> str:
        try:
            answer = self._kms.decrypt(
                CiphertextBlob=sealed,
                KeyId=self._key_id,
                EncryptionContext=_context(snapshot_id, function_arn, name),
            )
        except AWS_FAILURES as error:
            failure = translated(error, action="kms:Decrypt", on=self._key_id)
            if isinstance(failure, TransientServiceError):
                raise failure from error
            raise UndeclaredValueError(
                f"the value of {name} in snapshot {snapshot_id} for {function_arn} cannot be "
                f"opened: kms:Decrypt failed with {code_of(error)}"
            ) from error
        return answer["Plaintext"].removeprefix(_PREFIX).decode()


def _context(snapshot_id: str, function_arn: str, name: str) -> dict[str, str]:
    return {
        "purpose": "lambda-auto-repair-snapshot",
        "function": function_arn,
        "snapshot": snapshot_id,
        "variable": name,
    }


def _key(snapshot_id: str, function_arn: str, name: str) -> dict[str, dict[str, str]]:
    return {"pk": {"S": f"snapshot#{snapshot_id}"}, "sk": {"S": f"{function_arn}#{name}"}}
