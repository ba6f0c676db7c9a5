"""The links of the approval page, in the state table.

    link#<SHA-256 of the token>  link                   incident_id, plan_hash, fingerprint,
                                                        question_ends
    link#<SHA-256 of the token>  nonce#<its SHA-256>    a form that waits to be sent

Both have the table's TTL, expires_at; that of a link is days after its question's end, so that it
can still be read. Token and nonce are random, so that their plain hashes give
nothing away: there is nothing to guess them by.
"""

from __future__ import annotations

import hashlib
import re
import secrets
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import TYPE_CHECKING, ClassVar

from botocore.exceptions import ClientError

from autorepair.aws.errors import aws_call, code_of
from autorepair.domain.approval_link import ApprovalLink
from autorepair.ports import Clock

if TYPE_CHECKING:
    from types_boto3_dynamodb import DynamoDBClient
    from types_boto3_dynamodb.type_defs import AttributeValueTypeDef

Key = dict[str, "AttributeValueTypeDef"]
_TOKEN_BYTES, _NONCE_BYTES = 32, 16
# What so many random bytes are in URL-safe base64: anything else is no token, and not looked up.
_TOKEN = re.compile(r"[A-Za-z0-9_-]{43}")
_NONCE = re.compile(r"[A-Za-z0-9_-]{22}")


class DynamoApprovalLinks:
    """One item for each link, one for each form that was shown."""

    permissions: ClassVar[Mapping[str, frozenset[str]]] = {
        "issue": frozenset({"dynamodb:PutItem"}),
        "find": frozenset({"dynamodb:GetItem"}),
        "offer": frozenset({"dynamodb:PutItem"}),
        "take": frozenset({"dynamodb:DeleteItem"}),
    }

    def __init__(self, client: DynamoDBClient, *, table: str, clock: Clock) -> None:
        self._dynamodb = client
        self._table = table
        self._clock = clock

    def issue(self, link: ApprovalLink) -> str:
        """Keep what a new link is bound to; gives its token, the last part of its URL.

        Raises:
            AccessDeniedError, TransientServiceError, ConfigurationError: It cannot be kept.
        """
        token = secrets.token_urlsafe(_TOKEN_BYTES)
        bound: Key = {
            "incident_id": {"S": link.incident_id},
            "plan_hash": {"S": link.plan_hash},
            "fingerprint": {"S": link.fingerprint},
            "question_ends": _seconds(link.expires_at),
        }
        self._put(_link_key(token) | bound, link.readable_until)
        return token

    def find(self, token: str) -> ApprovalLink | None:
        """Give what a token is bound to; None: unknown, malformed or long past, not told which.

        It is given for ``READABLE_FOR`` after the question's end, too.

        Raises:
            AccessDeniedError, TransientServiceError, ConfigurationError: It cannot be read.
        """
        if not _TOKEN.fullmatch(token):
            return None
        with aws_call("dynamodb:GetItem", f"table {self._table}"):
            item = self._dynamodb.get_item(
                TableName=self._table, Key=_link_key(token), ConsistentRead=True
            ).get("Item")
        # DynamoDB deletes what has expired late, so it is compared too.
        if item is None or int(item["expires_at"]["N"]) <= self._clock.now().timestamp():
            return None
        return ApprovalLink(
            incident_id=item["incident_id"]["S"],
            plan_hash=item["plan_hash"]["S"],
            fingerprint=item["fingerprint"]["S"],
            expires_at=datetime.fromtimestamp(int(item["question_ends"]["N"]), UTC),
        )

    def offer(self, token: str, *, until: datetime) -> str:
        """Keep a fresh nonce for a form of this link; gives it.

        Raises:
            AccessDeniedError, TransientServiceError, ConfigurationError: It cannot be kept.
        """
        nonce = secrets.token_urlsafe(_NONCE_BYTES)
        self._put(_nonce_key(token, nonce), until)
        return nonce

    def take(self, token: str, nonce: str) -> bool:
        """Use a nonce up; False: unknown, of another link, used before, or expired.

        Of two who take the same nonce at the same moment one gets it.

        Raises:
            AccessDeniedError, TransientServiceError, ConfigurationError: Nobody knows whether it
                is used up.
        """
        if not (_TOKEN.fullmatch(token) and _NONCE.fullmatch(nonce)):
            return False
        with aws_call("dynamodb:DeleteItem", f"table {self._table}"):
            try:
                self._dynamodb.delete_item(
                    TableName=self._table,
                    Key=_nonce_key(token, nonce),
                    # Of an item that is not there no attribute is greater than anything.
                    ConditionExpression="expires_at > :now",
                    ExpressionAttributeValues={":now": _seconds(self._clock.now())},
                )
            except ClientError as error:
                if code_of(error) != "ConditionalCheckFailedException":
                    raise
                return False
        return True

    def _put(self, item: Key, expires_at: datetime) -> None:
        with aws_call("dynamodb:PutItem", f"table {self._table}"):
            self._dynamodb.put_item(
                TableName=self._table, Item=item | {"expires_at": _seconds(expires_at)}
            )


def _link_key(token: str) -> Key:
    return {"pk": {"S": f"link#{_digest(token)}"}, "sk": {"S": "link"}}


def _nonce_key(token: str, nonce: str) -> Key:
    return _link_key(token) | {"sk": {"S": f"nonce#{_digest(nonce)}"}}


def _digest(secret: str) -> str:
    return hashlib.sha256(secret.encode()).hexdigest()


def _seconds(moment: datetime) -> AttributeValueTypeDef:
    return {"N": str(int(moment.timestamp()))}
