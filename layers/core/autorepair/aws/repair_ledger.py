"""What was repaired lately, in DynamoDB.

    target#<function arn>  repairs  the repairs of a function: entries (JSON), version
    repairs                account  those of the account, and the storm breaker: likewise

Each item is only ever replaced by one with the next version, so of two executions that ask for the
last repair that a limit allows, one is told to look again. The account's item is written first:
should the function's then fail, a repair is counted that was not made, never the other way round.
"""

from __future__ import annotations

import random
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import timedelta
from typing import TYPE_CHECKING, ClassVar, TypeVar

from botocore.exceptions import ClientError
from pydantic import TypeAdapter, ValidationError

from autorepair.aws.errors import aws_call, code_of
from autorepair.domain.errors import ConfigurationError, TransientServiceError
from autorepair.domain.incident import Target
from autorepair.domain.ledger import KEPT_FOR, AccountLedger, Booking, Ledger
from autorepair.ports import Clock

if TYPE_CHECKING:
    from types_boto3_dynamodb import DynamoDBClient
    from types_boto3_dynamodb.type_defs import AttributeValueTypeDef

ResultT = TypeVar("ResultT")

_KEPT_FOR = KEPT_FOR + timedelta(days=1)
_ATTEMPTS = 30
_LONGEST_PAUSE_S = 0.2
_ACCOUNT: dict[str, AttributeValueTypeDef] = {"pk": {"S": "repairs"}, "sk": {"S": "account"}}
_BOOKINGS: TypeAdapter[tuple[Booking, ...]] = TypeAdapter(tuple[Booking, ...])


@dataclass(frozen=True)
class _Item:
    entries: str | None
    version: int


class DynamoRepairLedger:
    """Every write is conditional on what was read."""

    permissions: ClassVar[Mapping[str, frozenset[str]]] = {
        "update": frozenset({"dynamodb:GetItem", "dynamodb:PutItem"}),
        "of_account": frozenset({"dynamodb:GetItem"}),
    }

    def __init__(
        self,
        client: DynamoDBClient,
        *,
        table: str,
        clock: Clock,
        sleep: Callable[[float], None] = time.sleep,
    ) -> None:
        self._dynamodb = client
        self._table = table
        self._clock = clock
        self._sleep = sleep

    def update(self, target: Target, revise: Callable[[Ledger], tuple[Ledger, ResultT]]) -> ResultT:
        """Let ``revise`` read the ledger and say what it is to be; gives what it found.

        If the ledger moved meanwhile, ``revise`` is called again on what it is now.

        Raises:
            TransientServiceError: It kept moving.
            AccessDeniedError, ConfigurationError: It cannot be read or written.
        """
        key = _function_key(target)
        for _ in range(_ATTEMPTS):
            function, account = self._read(key), self._read(_ACCOUNT)
            found = _ledger(function, account)
            wanted, result = revise(found)
            if self._replaced(key, function, account, found, wanted):
                return result
            self._sleep(random.uniform(0, _LONGEST_PAUSE_S))  # noqa: S311 - jitter is no secret
        raise TransientServiceError(
            f"the ledger of repairs in table {self._table} kept moving through {_ATTEMPTS} "
            "attempts because many incidents book at once; try again"
        )

    def of_account(self) -> AccountLedger:
        """Give what was repaired in the account, and whether the storm breaker has tripped.

        Raises:
            AccessDeniedError, TransientServiceError, ConfigurationError: It cannot be read.
        """
        return _ledger(_Item(None, 0), self._read(_ACCOUNT)).of_account

    def _replaced(
        self,
        key: dict[str, AttributeValueTypeDef],
        function: _Item,
        account: _Item,
        found: Ledger,
        wanted: Ledger,
    ) -> bool:
        if wanted.of_account != found.of_account:
            entries = wanted.of_account.model_dump_json()
            if not self._put(_ACCOUNT, entries, account.version):
                return False
        if wanted.of_function != found.of_function:
            entries = _BOOKINGS.dump_json(wanted.of_function).decode()
            return self._put(key, entries, function.version)
        return True

    def _read(self, key: dict[str, AttributeValueTypeDef]) -> _Item:
        with aws_call("dynamodb:GetItem", f"table {self._table}"):
            item = self._dynamodb.get_item(TableName=self._table, Key=key, ConsistentRead=True).get(
                "Item"
            )
        if item is None:
            return _Item(None, 0)
        return _Item(item["entries"]["S"], int(item["version"]["N"]))

    def _put(self, key: dict[str, AttributeValueTypeDef], entries: str, version: int) -> bool:
        expires_at = int((self._clock.now() + _KEPT_FOR).timestamp())
        with aws_call("dynamodb:PutItem", f"table {self._table}"):
            try:
                self._dynamodb.put_item(
                    TableName=self._table,
                    Item=key
                    | {
                        "entries": {"S": entries},
                        "version": {"N": str(version + 1)},
                        "expires_at": {"N": str(expires_at)},
                    },
                    ConditionExpression="attribute_not_exists(pk) OR version = :seen",
                    ExpressionAttributeValues={":seen": {"N": str(version)}},
                )
            except ClientError as error:
                if code_of(error) != "ConditionalCheckFailedException":
                    raise
                return False
        return True


def _ledger(function: _Item, account: _Item) -> Ledger:
    """Read both items.

    Raises:
        ConfigurationError: One of them is not of this release: without it no limit can be held,
            so nothing is repaired.
    """
    try:
        return Ledger(
            of_function=_BOOKINGS.validate_json(function.entries or "[]"),
            of_account=AccountLedger.model_validate_json(account.entries or "{}"),
        )
    except ValidationError:
        raise ConfigurationError(
            "the ledger of repairs in the state table cannot be read: delete the function's item "
            "`repairs` and the item `repairs`/`account`; limits then count anew"
        ) from None


def _function_key(target: Target) -> dict[str, AttributeValueTypeDef]:
    return {"pk": {"S": f"target#{target.function_arn}"}, "sk": {"S": "repairs"}}
