"""Follows the service's audit trail, so that the lab sees what the service says it did."""

from __future__ import annotations

import json
import logging
import threading
from collections import defaultdict
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

from autorepair.aws.errors import AWS_FAILURES

if TYPE_CHECKING:
    from types_boto3_dynamodb.type_defs import AttributeValueTypeDef

    from autorepair_lab.clients import Clients

_LOG = logging.getLogger(__name__)

POLL_S = 0.25
OVERLAP = timedelta(seconds=30)
"""A record is stamped before it is written, so one may turn up behind a later one."""


@dataclass(frozen=True)
class Record:
    """One audit record, as far as the lab looks at it."""

    incident_id: str
    seq: int
    kind: str
    at: str
    function_name: str
    summary: str
    data: dict[str, Any]


class Trail:
    """Reads new records of today by the index over days and hands them on by function."""

    def __init__(self, clients: Clients, table: str) -> None:
        self._clients = clients
        self._table = table
        self._seen: set[tuple[str, int]] = set()
        self._records: dict[str, list[Record]] = defaultdict(list)
        self._changed = threading.Condition()
        self._listeners: list[Callable[[Record], None]] = []
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._run, name="trail", daemon=True)
        self._started_on = datetime.now(UTC).date()
        self._read_at = datetime.now(UTC)

    def tell(self, listener: Callable[[Record], None]) -> None:
        """Hand every new record to ``listener``, on the thread that reads; it must be quick."""
        self._listeners.append(listener)

    def start(self) -> None:
        """Begin to follow."""
        self._thread.start()

    def close(self) -> None:
        """Stop following."""
        self._stop.set()
        if self._thread.is_alive():
            self._thread.join(timeout=5)

    def of(self, function_name: str) -> tuple[Record, ...]:
        """Give what has been recorded about a function so far, oldest first."""
        with self._changed:
            return tuple(self._records[function_name])

    def wait(
        self, function_name: str, is_enough: Callable[[tuple[Record, ...]], bool], timeout_s: float
    ) -> bool:
        """Wait until the function's records are enough; False when ``timeout_s`` ran out."""
        with self._changed:
            return self._changed.wait_for(
                lambda: is_enough(tuple(self._records[function_name])), timeout=timeout_s
            )

    def _run(self) -> None:
        while not self._stop.wait(POLL_S):
            try:
                now = datetime.now(UTC)
                # A run over midnight has records on two days.
                for day in {self._started_on, now.date()}:
                    self._read(day.isoformat())
                # Not until it went well: a machine may stand still for longer than the overlap.
                self._read_at = now
            except AWS_FAILURES as error:
                # Injected faults strike here too, and at the end the account closes first.
                _LOG.debug("the audit trail could not be read just now: %s", error)

    def _read(self, day: str) -> None:
        since = (self._read_at - OVERLAP).isoformat()
        pages = self._clients.dynamodb.get_paginator("query").paginate(
            TableName=self._table,
            IndexName="by-day",
            KeyConditionExpression="#day = :day AND #at >= :at",
            ExpressionAttributeNames={"#day": "day", "#at": "at"},
            ExpressionAttributeValues={":day": {"S": day}, ":at": {"S": since}},
        )
        fresh = [_record(item) for page in pages for item in page["Items"]]
        with self._changed:
            new = [r for r in fresh if (r.incident_id, r.seq) not in self._seen]
            for record in new:
                self._seen.add((record.incident_id, record.seq))
                self._records[record.function_name].append(record)
            if new:
                self._changed.notify_all()
        for record in new:
            for listener in self._listeners:
                listener(record)


def _record(item: dict[str, AttributeValueTypeDef]) -> Record:
    return Record(
        incident_id=item["incident_id"]["S"],
        seq=int(item["seq"]["N"]),
        kind=item["kind"]["S"],
        at=item["at"]["S"],
        function_name=item.get("function_name", {}).get("S", ""),
        summary=item["summary"]["S"],
        data=json.loads(item["data"]["S"]),
    )
