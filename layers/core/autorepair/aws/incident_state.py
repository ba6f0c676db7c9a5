"""The mutable state of the service, in DynamoDB.

    target#<function arn>  open    the open incident: incident_id, execution_arn, incident (JSON)
    target#<function arn>  lease   the write lease; see `leases`
    target#<function arn>  cooldown  the incident that was closed last: incident_id, closed_at
    pause                  pause   there while writes are paused; see `pauses`
    incident#<id>          change  what the incident is writing or has written: record, incident
    incident#<id>          token   the task token of a waiting execution: token
    target#<function arn>  repairs  what was repaired lately; see `repair_ledger`
    repairs                account  likewise, in the whole account
    incident#<id>          message  what could not be sent; see `unsent_messages`

The words are pk, sk and what the item holds. `expires_at` (epoch seconds) is the table's TTL;
DynamoDB deletes late, so it is compared too.

Reconcile has to find what is open without reading everything: of a table of snapshots and tokens
hardly an item is. So those items, and only those, carry ``unsettled`` ("open" or "change") and
``since``, the keys of a sparse index. A settled item loses them.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, ClassVar, Literal

from botocore.exceptions import ClientError

from autorepair.aws.errors import aws_call, code_of
from autorepair.aws.leases import DynamoLeases
from autorepair.aws.pauses import PAUSE_KEY, pause_of
from autorepair.aws.readable_items import ReadableItems
from autorepair.domain.change import ChangeRecord
from autorepair.domain.errors import TransientServiceError
from autorepair.domain.incident import Incident, Target
from autorepair.domain.pause import Pause
from autorepair.ports import OpenIncident
from autorepair.watch import ClosedIncident, Unsettled

if TYPE_CHECKING:
    from types_boto3_dynamodb.type_defs import AttributeValueTypeDef

KEPT_FOR = timedelta(days=100)
"""How long what concerns an incident is kept.

Longer than an execution can last (60 days), so that whoever cleans up still finds what to clean
up; and longer than Step Functions remembers an execution's name (90 days), so that a name that
was made from the last incident is not made a second time.
"""
_OPEN_ATTEMPTS = 3
_INDEX = "unsettled"


class DynamoIncidentState(DynamoLeases):
    """Every write that others could collide with is conditional."""

    permissions: ClassVar[Mapping[str, frozenset[str]]] = {
        **DynamoLeases.permissions,
        "open": frozenset({"dynamodb:PutItem", "dynamodb:GetItem"}),
        "close": frozenset({"dynamodb:PutItem", "dynamodb:DeleteItem"}),
        "open_incident": frozenset({"dynamodb:GetItem"}),
        "last_closed": frozenset({"dynamodb:GetItem"}),
        "unsettled": frozenset({"dynamodb:Query"}),
        "pause_in_force": frozenset({"dynamodb:GetItem"}),
        "remember_change": frozenset({"dynamodb:PutItem"}),
        "remembered_change": frozenset({"dynamodb:GetItem"}),
        "change_of": frozenset({"dynamodb:GetItem"}),
        "keep_task_token": frozenset({"dynamodb:PutItem"}),
    }

    def open(self, incident: Incident, *, instead_of: str | None = None) -> OpenIncident:
        """Open the incident on its target, or give the one that is open there already.

        ``instead_of`` is the id of an open incident whose place it takes.

        Raises:
            ValueError: The incident has no target.
            AccessDeniedError, TransientServiceError, ConfigurationError: It cannot be opened.
        """
        key = _target_key(incident.subject.function_arn, "open")
        item = key | {
            "incident_id": {"S": incident.id},
            "execution_arn": {"S": incident.execution_arn},
            "opened_at": {"S": incident.as_json()["opened_at"]},
            "expires_at": self._after(KEPT_FOR),
            **_listed(incident, "open"),
        }
        for _ in range(_OPEN_ATTEMPTS):
            if self._put_if_free(item, or_held_by=instead_of):
                return OpenIncident(incident.id, incident.execution_arn, incident.opened_at)
            found = self._get(key)
            if found is not None:
                return _open_incident(found)
        raise TransientServiceError(
            f"incidents of {incident.subject.function_arn} were opened and closed at the same "
            "moment; try again"
        )

    def open_incident(self, target: Target) -> OpenIncident | None:
        """Give the incident that is open on the target.

        Raises:
            AccessDeniedError, TransientServiceError, ConfigurationError: It cannot be told.
        """
        found = self._get(_target_key(target.function_arn, "open"))
        return None if found is None else _open_incident(found)

    def unsettled(self) -> Iterator[Unsettled]:
        """Give the incidents that are open, then those with an unfinished change, oldest first.

        Read from an index: what changed a moment ago may be missing, or still be there.

        Raises:
            RecordUnreadableError: Of some item, after all others were given.
            AccessDeniedError, TransientServiceError, ConfigurationError: They cannot be read.
        """
        pages = self._dynamodb.get_paginator("query")
        readable = ReadableItems(_unsettled)
        for kind in ("open", "change"):
            with aws_call("dynamodb:Query", f"table {self._table}, index {_INDEX}"):
                for page in pages.paginate(
                    TableName=self._table,
                    IndexName=_INDEX,
                    KeyConditionExpression="unsettled = :kind",
                    ExpressionAttributeValues={":kind": {"S": kind}},
                ):
                    for item in page["Items"]:
                        yield from readable.read(item)
        readable.report()

    def last_closed(self, target: Target) -> ClosedIncident | None:
        """Give the incident that was closed last on the target.

        Raises:
            AccessDeniedError, TransientServiceError, ConfigurationError: It cannot be told.
        """
        found = self._get(_target_key(target.function_arn, "cooldown"))
        if found is None:
            return None
        closed_at = datetime.fromisoformat(found["closed_at"]["S"])
        return ClosedIncident(found["incident_id"]["S"], closed_at)

    def close(self, incident: Incident) -> None:
        """Close the incident if it is the one that is open; closing twice does no harm.

        When it was closed is kept, of an incident that was open: the cooldown counts from there.
        An intake that failed before it opened one has closed nothing, and silences no alarm.

        Raises:
            AccessDeniedError, TransientServiceError, ConfigurationError: It cannot be closed.
        """
        if incident.target is None or not self._no_longer_open(incident):
            return
        self._put(
            _target_key(incident.target.function_arn, "cooldown")
            | {
                "incident_id": {"S": incident.id},
                "closed_at": {"S": self._clock.now().isoformat()},
                "expires_at": self._after(KEPT_FOR),
            }
        )

    def _no_longer_open(self, incident: Incident) -> bool:
        with aws_call("dynamodb:DeleteItem", f"table {self._table}"):
            try:
                self._dynamodb.delete_item(
                    TableName=self._table,
                    Key=_target_key(incident.subject.function_arn, "open"),
                    ConditionExpression="incident_id = :id",
                    ExpressionAttributeValues={":id": {"S": incident.id}},
                )
            except ClientError as error:
                _raise_unless_condition_failed(error)
                return False
        return True

    def pause_in_force(self) -> Pause | None:
        """Give the pause of all writes, if an operator has asked for one.

        Raises:
            AccessDeniedError, TransientServiceError, ConfigurationError: It cannot be told.
        """
        item = self._get(PAUSE_KEY)
        return None if item is None else pause_of(item)

    def remember_change(self, incident: Incident, record: ChangeRecord) -> None:
        """Keep what an incident is writing or has written, for whoever has to finish or undo it.

        Raises:
            AccessDeniedError, TransientServiceError, ConfigurationError: It cannot be kept.
        """
        item = _incident_key(incident.id, "change") | {
            "record": {"S": record.model_dump_json()},
            "expires_at": self._after(KEPT_FOR),
        }
        if record.is_unsettled:
            item |= _listed(incident, "change")
        self._put(item)

    def remembered_change(self, incident: Incident) -> ChangeRecord | None:
        """Give what `remember_change` kept.

        Raises:
            AccessDeniedError, TransientServiceError, ConfigurationError: It cannot be read.
        """
        return self.change_of(incident.id)

    def change_of(self, incident_id: str) -> ChangeRecord | None:
        """Give what `remember_change` kept of an incident that is known by its id only.

        Raises:
            AccessDeniedError, TransientServiceError, ConfigurationError: It cannot be read.
        """
        item = self._get(_incident_key(incident_id, "change"))
        return None if item is None else ChangeRecord.model_validate_json(item["record"]["S"])

    def keep_task_token(self, incident: Incident, token: str, *, seconds: int) -> None:
        """Keep the token that resumes a waiting execution; a newer one takes its place.

        Raises:
            AccessDeniedError, TransientServiceError, ConfigurationError: It cannot be kept.
        """
        item = _incident_key(incident.id, "token") | {
            "token": {"S": token},
            "expires_at": self._after(timedelta(seconds=seconds)),
        }
        self._put(item)

    def _put_if_free(
        self, item: dict[str, AttributeValueTypeDef], *, or_held_by: str | None
    ) -> bool:
        with aws_call("dynamodb:PutItem", f"table {self._table}"):
            try:
                self._dynamodb.put_item(
                    TableName=self._table,
                    Item=item,
                    ConditionExpression=(
                        "attribute_not_exists(pk) OR expires_at <= :now OR incident_id = :dead"
                    ),
                    ExpressionAttributeValues={
                        ":now": self._after(timedelta()),
                        ":dead": {"S": or_held_by or "nobody"},
                    },
                )
            except ClientError as error:
                _raise_unless_condition_failed(error)
                return False
        return True

    def _put(self, item: dict[str, AttributeValueTypeDef]) -> None:
        with aws_call("dynamodb:PutItem", f"table {self._table}"):
            self._dynamodb.put_item(TableName=self._table, Item=item)

    def _get(
        self, key: dict[str, AttributeValueTypeDef]
    ) -> dict[str, AttributeValueTypeDef] | None:
        """Read an item; what has expired is not there."""
        with aws_call("dynamodb:GetItem", f"table {self._table}"):
            item = self._dynamodb.get_item(TableName=self._table, Key=key, ConsistentRead=True).get(
                "Item"
            )
        if item is None or self._has_expired(item):
            return None
        return item

    def _has_expired(self, item: Mapping[str, AttributeValueTypeDef]) -> bool:
        expires_at = item.get("expires_at")
        return expires_at is not None and int(expires_at["N"]) <= self._clock.now().timestamp()

    def _after(self, span: timedelta) -> AttributeValueTypeDef:
        return {"N": str(_whole_seconds(self._clock.now() + span))}


def _raise_unless_condition_failed(error: ClientError) -> None:
    if code_of(error) != "ConditionalCheckFailedException":
        raise error


def _whole_seconds(moment: datetime) -> int:
    return int(moment.timestamp())


def _target_key(function_arn: str, sort: str) -> dict[str, AttributeValueTypeDef]:
    return {"pk": {"S": f"target#{function_arn}"}, "sk": {"S": sort}}


def _open_incident(item: Mapping[str, AttributeValueTypeDef]) -> OpenIncident:
    opened_at = datetime.fromisoformat(item["opened_at"]["S"])
    return OpenIncident(item["incident_id"]["S"], item["execution_arn"]["S"], opened_at)


def _listed(
    incident: Incident, kind: Literal["open", "change"]
) -> dict[str, AttributeValueTypeDef]:
    return {
        "unsettled": {"S": kind},
        "since": {"S": incident.as_json()["opened_at"]},
        "incident": {"S": incident.model_dump_json()},
    }


def _unsettled(item: Mapping[str, AttributeValueTypeDef]) -> Unsettled:
    incident = Incident.model_validate_json(item["incident"]["S"])
    return Unsettled(incident, datetime.fromisoformat(item["since"]["S"]))


def _incident_key(incident_id: str, sort: str) -> dict[str, AttributeValueTypeDef]:
    return {"pk": {"S": f"incident#{incident_id}"}, "sk": {"S": sort}}
