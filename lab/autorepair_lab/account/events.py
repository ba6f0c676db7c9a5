"""EventBridge: takes events, matches them against the rules, delivers them to the targets."""

from __future__ import annotations

import json
import logging
import re
import uuid
from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime
from typing import Any, Protocol

from moto.events.models import events_backends

from autorepair_lab.account.call import Call, CallRefusedError, ErrorReply, Reply
from autorepair_lab.account.event_input import target_input
from autorepair_lab.account.event_patterns import load_pattern, matches
from autorepair_lab.account.routes import RouteReply, RouteRequest

_LOG = logging.getLogger(__name__)
_MOST_ENTRIES = 10
_MOST_BYTES = 1 << 20
_THREADS = 16


class Targets(Protocol):
    """Hands an input to a target by ARN; raises when the target refuses it."""

    def deliver(self, target: Mapping[str, Any], text: str, name: str) -> None:
        """Deliver; ``name`` identifies the event (a repeated delivery has the same)."""
        ...


def aws_time(at: datetime) -> str:
    """A time as events carry it: UTC, to the second."""
    return at.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


class EventBus:
    """The account's buses, on top of moto's rules and targets.

    Delivery runs in the background, at least once; what a target refuses goes to the target's
    dead-letter queue if it has one.
    """

    def __init__(self, account_id: str, region: str, targets: Targets) -> None:
        self._account_id = account_id
        self._region = region
        self._targets = targets
        self._pool = ThreadPoolExecutor(_THREADS, thread_name_prefix="lab-events")
        self._compiled: dict[str, dict[str, Any]] = {}

    @property
    def _backend(self) -> Any:  # noqa: ANN401 - moto is untyped
        return events_backends[self._account_id][self._region]

    def close(self) -> None:
        """Stop delivering."""
        self._pool.shutdown(wait=False, cancel_futures=True)

    def envelope(
        self,
        source: str,
        detail_type: str,
        detail: Any,  # noqa: ANN401 - any JSON
        *,
        resources: Sequence[str] = (),
        at: datetime | None = None,
    ) -> dict[str, Any]:
        """An event with the fields that EventBridge gives to every event."""
        return {
            "version": "0",
            "id": str(uuid.uuid4()),
            "detail-type": detail_type,
            "source": source,
            "account": self._account_id,
            "time": aws_time(at or datetime.now(UTC)),
            "region": self._region,
            "resources": list(resources),
            "detail": detail,
        }

    def emit(self, event: Mapping[str, Any], bus: str = "default") -> None:
        """Put an event on a bus; matching rules get it in the background."""
        found = self._backend.event_buses.get(_bus_name(bus))
        for rule in list(found.rules.values()) if found else ():
            pattern = self._pattern(rule)
            if rule.state == "ENABLED" and pattern and matches(pattern, event):
                self._send(rule, event)

    def _pattern(self, rule: Any) -> dict[str, Any] | None:  # noqa: ANN401 - moto is untyped
        text = rule.event_pattern.dump()
        if not text:
            return None
        if text not in self._compiled:
            self._compiled[text] = load_pattern(text)
        return self._compiled[text]

    def trigger(self, rule_name: str, bus: str = "default") -> int:
        """Run a scheduled rule once, now; returns how many targets it has.

        Raises ValueError if there is no such rule or it has no schedule.
        """
        found = self._backend.event_buses.get(_bus_name(bus))
        rule = found.rules.get(rule_name) if found else None
        if rule is None or not rule.scheduled_expression:
            raise ValueError(f"no scheduled rule named {rule_name} on bus {bus}")
        event = self.envelope("aws.events", "Scheduled Event", {}, resources=[rule.arn])
        self._send(rule, event)
        return len(rule.targets)

    def _send(self, rule: Any, event: Mapping[str, Any]) -> None:  # noqa: ANN401 - moto is untyped
        for target in list(rule.targets):
            self._pool.submit(self._deliver, dict(target), rule.arn, event)

    def _deliver(self, target: dict[str, Any], rule_arn: str, event: Mapping[str, Any]) -> None:
        arn = str(target["Arn"])
        if arn.split(":")[2] == "events" and ":event-bus/" in arn:
            self.emit(event, arn)
            return
        text = target_input(target, rule_arn, event)
        try:
            self._targets.deliver(target, text, str(event["id"]))
        except Exception as error:  # noqa: BLE001 - a target refuses in any way; nothing may vanish
            _LOG.warning(
                "%s could not be delivered to %s", event["detail-type"], arn, exc_info=True
            )
            self._bury(target, rule_arn, event, error)

    def _bury(
        self, target: dict[str, Any], rule_arn: str, event: Mapping[str, Any], error: Exception
    ) -> None:
        queue = (target.get("DeadLetterConfig") or {}).get("Arn")
        if queue:
            attributes = {
                "RULE_ARN": rule_arn,
                "TARGET_ARN": target["Arn"],
                "ERROR_CODE": type(error).__name__,
                "ERROR_MESSAGE": str(error)[:1000],
            }
            letter = {"Arn": queue, "MessageAttributes": attributes}
            self._targets.deliver(letter, json.dumps(event), str(event["id"]))


class EventCalls:
    """Interceptor for PutEvents and TestEventPattern; checks the patterns of PutRule."""

    def __init__(self, bus: EventBus) -> None:
        self._bus = bus

    def handle(self, call: Call) -> Reply | ErrorReply | None:
        """Answer what moto does too softly."""
        if call.service != "events":
            return None
        if call.operation == "PutEvents":
            return self._put(call.parameters)
        if call.operation == "TestEventPattern":
            pattern = load_pattern(call.parameters["EventPattern"])
            return Reply({"Result": matches(pattern, json.loads(call.parameters["Event"]))})
        if call.operation == "PutRule" and call.parameters.get("EventPattern"):
            load_pattern(call.parameters["EventPattern"])
        return None

    def trigger(self, request: RouteRequest) -> RouteReply:
        """POST /_lab/schedule/{rule}: run a scheduled rule now."""
        bus = re.search(r"bus=([^&]+)", request.query)
        count = self._bus.trigger(request.groups["rule"], bus[1] if bus else "default")
        return RouteReply({"rule": request.groups["rule"], "targets": count}, 202)

    def _put(self, parameters: dict[str, Any]) -> Reply:
        entries = parameters.get("Entries") or []
        if not 1 <= len(entries) <= _MOST_ENTRIES:
            raise CallRefusedError(
                "ValidationException",
                f"1 validation error detected: Value '{len(entries)} entries' at 'entries' failed "
                f"to satisfy constraint: Member must have length between 1 and {_MOST_ENTRIES}",
            )
        if sum(len(json.dumps(entry, default=str)) for entry in entries) > _MOST_BYTES:
            raise CallRefusedError(
                "ValidationException", "Total size of the entries in the request is over the limit."
            )
        answers = [self._put_one(entry) for entry in entries]
        failed = sum("ErrorCode" in answer for answer in answers)
        return Reply({"FailedEntryCount": failed, "Entries": answers})

    def _put_one(self, entry: Mapping[str, Any]) -> dict[str, Any]:
        mistake = _mistake(entry)
        if mistake is not None:
            return mistake
        event = self._bus.envelope(
            entry["Source"],
            entry["DetailType"],
            json.loads(entry["Detail"]),
            resources=entry.get("Resources") or (),
            at=entry.get("Time"),
        )
        self._bus.emit(event, entry.get("EventBusName") or "default")
        return {"EventId": event["id"]}


def _mistake(entry: Mapping[str, Any]) -> dict[str, Any] | None:
    for name in ("Source", "DetailType", "Detail"):
        if not entry.get(name):
            reason = f"Parameter {name} is not valid. Reason: {name} is a required argument."
            return {"ErrorCode": "InvalidArgument", "ErrorMessage": reason}
    if str(entry["Source"]).startswith("aws."):
        return {
            "ErrorCode": "NotAuthorizedForSourceException",
            "ErrorMessage": f"Not authorized for the source: {entry['Source']}",
        }
    try:
        is_object = isinstance(json.loads(entry["Detail"]), dict)
    except ValueError:
        is_object = False
    if not is_object:
        return {"ErrorCode": "MalformedDetail", "ErrorMessage": "Detail is malformed."}
    return None


def _bus_name(reference: str) -> str:
    return reference.rpartition("/")[2] if reference.startswith("arn:") else reference
