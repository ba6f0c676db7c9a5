"""CloudTrail: records Lambda's control-plane writes and serves them to LookupEvents."""

from __future__ import annotations

import json
import re
import threading
import uuid
from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from typing import Any

from autorepair_lab.account.call import Call, CallRefusedError, ErrorReply, Reply

_READS = ("Get", "List", "Invoke")
# CloudTrail knows Lambda's calls by the API version they belong to.
_VERSIONED = {
    "UpdateFunctionConfiguration": "20150331v2",
    "UpdateFunctionCode": "20150331v2",
    "CreateFunction": "20150331",
    "DeleteFunction": "20150331",
    "PublishVersion": "20150331",
    "CreateAlias": "20150331",
    "UpdateAlias": "20150331",
    "DeleteAlias": "20150331",
    "AddPermission": "20150331v2",
    "RemovePermission": "20150331v2",
    "CreateEventSourceMapping": "20150331",
    "UpdateEventSourceMapping": "20150331",
    "DeleteEventSourceMapping": "20150331",
    "PutFunctionConcurrency": "20171031",
    "DeleteFunctionConcurrency": "20171031",
    "TagResource": "20170331v2",
    "UntagResource": "20170331v2",
}
_HIDDEN = {"Environment": "environment", "Payload": "payload"}
_DROPPED = {"ZipFile", "Code"}
_PAGE = 50


class Trail:
    """Observer of Lambda writes and interceptor for LookupEvents.

    There is no lag here; CloudTrail's is about five minutes.
    """

    def __init__(
        self,
        account_id: str,
        region: str,
        function_of: Callable[[str], str | None],
        role_of: Callable[[str], str],
    ) -> None:
        self._account_id = account_id
        self._region = region
        self._function_of = function_of
        self._role_of = role_of
        self._events: list[dict[str, Any]] = []
        self._lock = threading.Lock()

    def observe(self, call: Call) -> None:
        """Record a Lambda write."""
        if call.service != "lambda" or call.operation.startswith(_READS):
            return
        event = self._event(call)
        with self._lock:
            self._events.append(event)

    def _event(self, call: Call) -> dict[str, Any]:
        identity, now = str(uuid.uuid4()), datetime.now(UTC)
        name = call.operation + _VERSIONED.get(call.operation, "")
        user = self._function_of(call.caller) or "operator"
        is_function = bool(call.caller)
        principal = {
            "type": "AssumedRole" if is_function else "IAMUser",
            "principalId": f"AIDALAB:{user}",
            "arn": f"arn:aws:sts::{self._account_id}:assumed-role/{self._role_of(user)}/{user}"
            if is_function
            else f"arn:aws:iam::{self._account_id}:user/{user}",
            "accountId": self._account_id,
            "userName": user,
        }
        record = {
            "eventVersion": "1.11",
            "userIdentity": principal,
            "eventTime": now.strftime("%Y-%m-%dT%H:%M:%SZ"),
            "eventSource": "lambda.amazonaws.com",
            "eventName": name,
            "awsRegion": self._region,
            "sourceIPAddress": "127.0.0.1",
            "userAgent": call.headers.get("User-Agent", ""),
            "requestParameters": _shown(call.parameters),
            "responseElements": None,
            "requestID": str(uuid.uuid4()),
            "eventID": identity,
            "readOnly": False,
            "eventType": "AwsApiCall",
            "managementEvent": True,
            "recipientAccountId": self._account_id,
            "eventCategory": "Management",
        }
        return {
            "EventId": identity,
            "EventName": name,
            "ReadOnly": "false",
            "EventTime": now,
            "EventSource": "lambda.amazonaws.com",
            "Username": user,
            "Resources": _resources(call.parameters),
            "CloudTrailEvent": json.dumps(record),
        }

    def handle(self, call: Call) -> Reply | ErrorReply | None:
        """Answer LookupEvents."""
        if call.service != "cloudtrail" or call.operation != "LookupEvents":
            return None
        parameters = call.parameters
        attributes = parameters.get("LookupAttributes") or []
        if len(attributes) > 1:
            raise CallRefusedError(
                "InvalidLookupAttributesException", "You can specify only one lookup attribute."
            )
        start, end = parameters.get("StartTime"), parameters.get("EndTime")
        if start and end and start > end:
            raise CallRefusedError("InvalidTimeRangeException", "StartTime is after EndTime.")
        with self._lock:
            newest_first = list(reversed(self._events))
        found = [
            event
            for event in newest_first
            if (not attributes or _fits(event, attributes[0]))
            and (start is None or event["EventTime"] >= start)
            and (end is None or event["EventTime"] <= end)
        ]
        first = int(parameters.get("NextToken") or 0)
        last = first + min(int(parameters.get("MaxResults") or _PAGE), _PAGE)
        output: dict[str, Any] = {"Events": found[first:last]}
        if last < len(found):
            output["NextToken"] = str(last)
        return Reply(output)


def _shown(parameters: Mapping[str, Any]) -> dict[str, Any]:
    shown: dict[str, Any] = {}
    for name, value in parameters.items():
        if name in _HIDDEN:
            shown[_HIDDEN[name]] = {}  # CloudTrail empties what may hold secrets
        elif name not in _DROPPED:
            shown[name[0].lower() + name[1:]] = json.loads(json.dumps(value, default=str))
    return shown


def _resources(parameters: Mapping[str, Any]) -> list[dict[str, str]]:
    reference = parameters.get("FunctionName") or parameters.get("Resource")
    if not isinstance(reference, str):
        return []
    name = re.sub(r"^arn:[^ ]*?:function:", "", reference).split(":")[0]
    return [{"ResourceType": "AWS::Lambda::Function", "ResourceName": name}]


def _fits(event: Mapping[str, Any], attribute: Mapping[str, str]) -> bool:
    key, value = attribute["AttributeKey"], attribute["AttributeValue"]
    if key in {"ResourceName", "ResourceType"}:
        names = {one[key] for one in event["Resources"]}
        return value in names or value.rpartition(":function:")[2] in names
    return bool(event.get(key) == value)
